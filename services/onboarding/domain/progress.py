"""A customer's checklist as it is kept: with what each step was given, when it changed, and how often.

The rules of the steps themselves stand in ``checklist``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import AlreadyExists, NotFound
from services.onboarding.domain.approvals import Approval
from services.onboarding.domain.catalog import Catalog
from services.onboarding.domain.checklist import (
    DONE,
    Checklist,
    Readiness,
    complete_step,
    new_checklist,
    untick_step,
)
from services.onboarding.domain.credentials import check_no_credential


class ChecklistNotFound(NotFound):
    """The customer has no checklist. Metadata: ``customer_id``."""

    reason: ClassVar[str] = "CHECKLIST_NOT_FOUND"


class ChecklistExists(AlreadyExists):
    """The customer has a checklist already. Metadata: ``customer_id``."""

    reason: ClassVar[str] = "CHECKLIST_EXISTS"


@dataclass(frozen=True, slots=True)
class Progress:
    """A stored checklist. ``given`` holds, by step id, what completed steps were completed with; ``revision`` counts
    the changes from 1."""

    checklist: Checklist
    given: Mapping[str, str]
    updated_at: datetime
    revision: int

    @property
    def customer_id(self) -> str:
        return self.checklist.customer_id

    @property
    def etag(self) -> str:
        """Changes with every change of the steps and the bundle; blockers and the risk review are kept beside them."""
        return f"r{self.revision}"


@dataclass(frozen=True, slots=True)
class StepUpdate:
    """Complete a step, or take its completion back."""

    step_id: str
    completed: bool
    approval: Approval | None = None
    given: str = ""
    approval_id: str = ""


def begin(catalog: Catalog, customer_id: str, bundle_id: str, *, at: datetime, start_date: str = "") -> Progress:
    """The checklist of a new customer; an empty ``bundle_id`` leaves the bundle to ``select_bundle``.

    Raises ``InvalidInput`` for an unknown bundle or a faulty date.
    """
    checklist = new_checklist(
        catalog, customer_id=customer_id, bundle_id=bundle_id or None, at=at, start_date=start_date
    )
    return Progress(checklist, MappingProxyType({}), at, 1)


def update_step(
    catalog: Catalog,
    progress: Progress,
    update: StepUpdate,
    *,
    at: datetime,
    readiness: Readiness,
    by: ActorLike | None = None,
    risk_problem_open: bool = False,
) -> Progress:
    """The checklist after an update; the same object when it changed nothing.

    Raises ``InvalidInput``, ``PersonRequired``, ``ApprovalRequired`` or ``StepBlocked``.
    """
    before = progress.checklist
    if update.completed:
        after = complete_step(
            catalog,
            before,
            update.step_id,
            at=at,
            approval=update.approval,
            readiness=readiness,
            given=update.given,
            by=by,
            approval_id=update.approval_id,
            risk_problem_open=risk_problem_open,
        )
    else:
        _check_untick(catalog, update)
        after = untick_step(catalog, before, update.step_id)
    if after == before:
        return progress
    given = {step: text for step, text in progress.given.items() if step in after.completed_ids()}
    if update.completed and update.given:
        given[update.step_id] = update.given
    return replace(
        progress, checklist=after, given=MappingProxyType(given), updated_at=at, revision=progress.revision + 1
    )


def check_step_filter(catalog: Catalog, field: str, step_id: str, *, done: bool) -> None:
    """Raises ``InvalidInput`` where ``step_id`` is neither empty, nor a step, nor (with ``done``) ``done``."""
    if not step_id or (done and step_id == DONE) or catalog.step(step_id) is not None:
        return
    checks = Checks()
    known = [s.id for s in catalog.steps] + ([DONE] if done else [])
    checks.note(field, "UNKNOWN_VALUE", f"must be one of: {', '.join(known)}")
    checks.done()


def _check_untick(catalog: Catalog, update: StepUpdate) -> None:
    checks = Checks()
    step = catalog.step(update.step_id)
    if step is None:
        checks.note("step_id", "UNKNOWN_VALUE", f"must be one of: {', '.join(s.id for s in catalog.steps)}")
    elif step.input == "bundle_id" and update.given and catalog.bundle(update.given) is None:
        checks.note("input", "UNKNOWN_VALUE", f"must be one of: {', '.join(b.id for b in catalog.bundles)}")
    if update.approval_id:
        checks.note("approval_id", "NOT_EXPECTED", "taking a completion back takes no approval")
    if update.approval is not None:
        checks.note("approval", "NOT_EXPECTED", "taking a completion back takes no approval")
    check_no_credential(checks, "input", "", update.given)
    checks.done()
