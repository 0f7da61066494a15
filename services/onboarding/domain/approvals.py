"""A person's approval, and what is refused without one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.checks import Checks
from services.domain.errors import ApprovalRequired, PersonRequired
from services.onboarding.domain.credentials import check_no_credential

__all__ = ["Approval", "ApprovalRequired", "PersonRequired", "check_approval", "require_person"]


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved and when (UTC). ``by_person`` says whether the approver is a human being; software never counts.

    ``role`` is the approver's role, empty for none in particular.
    """

    approved_by: str
    approved_at: datetime
    by_person: bool
    note: str = ""
    role: str = ""

    @property
    def actor(self) -> Person:
        """Who approved, as an actor."""
        return Person("person" if self.by_person else "service", self.approved_by, self.role)


@dataclass(frozen=True, slots=True)
class Person:
    """An actor by kind (``person`` or ``service``), id and role."""

    kind: str
    id: str
    role: str = ""


def check_approval(checks: Checks, approval: Approval | None, at: datetime, field: str = "approval") -> None:
    """Note what is wrong with an approval that is used at ``at``, a credential in its note too; nothing for none."""
    if approval is None:
        return
    checks.text(f"{field}.approver", approval.approved_by)
    if approval.approved_at.tzinfo is None:
        checks.note(f"{field}.approve_time", "TIME_ZONE_REQUIRED", "must carry a time zone")
    elif approval.approved_at > at:
        checks.note(f"{field}.approve_time", "IN_FUTURE", "must not lie in the future")
    check_no_credential(checks, f"{field}.note", "", approval.note)


def require_person(approval: Approval | None, action: str) -> None:
    """Raise `PersonRequired` where software approved."""
    if approval is not None and not approval.by_person:
        raise PersonRequired(f"{action} needs a person's approval", action=action)
