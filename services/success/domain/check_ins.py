"""The stored check-in: one draft per customer and week, and when none is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from services.domain.drafts import DraftState
from services.success.domain.check_in import (
    CheckIn,
    CheckInFacts,
    CheckInTexts,
    IncidentSeverity,
    SuppressionKind,
    build_check_in,
    decide_check_in,
)
from services.success.domain.errors import CheckInExists, CheckInSuppressed


@dataclass(frozen=True, slots=True)
class StoredCheckIn:
    """A customer's check-in of the week that begins on ``week_start`` (a Sunday, Asia/Riyadh), with what it was made from.

    Times are UTC; ``revision`` counts its changes from 1.
    """

    check_in_id: str
    customer_id: str
    week_start: date
    facts: CheckInFacts
    draft: CheckIn
    state: DraftState
    created_at: datetime
    revision: int

    @property
    def needs_approval(self) -> bool:
        """Whether a person has yet to decide on it."""
        return self.state is DraftState.DRAFTED


def write_check_in(
    check_in_id: str,
    customer_id: str,
    facts: CheckInFacts,
    open_severities: Iterable[IncidentSeverity],
    this_week: StoredCheckIn | None,
    now: datetime,
    texts: CheckInTexts,
) -> StoredCheckIn:
    """The check-in of the week of ``now``, as a draft.

    ``this_week`` is the customer's check-in of that week, if there is one. Raises ``InvalidInput``, ``CheckInSuppressed``
    (first, where both hold: another week would not help) and ``CheckInExists``.
    """
    draft = build_check_in(facts, texts)
    decision = decide_check_in(now, open_severities, [this_week.created_at] if this_week else [], texts)
    for found in decision.suppressions:
        if found.severity is not None:
            raise CheckInSuppressed(
                f"no weekly check-in while a {found.severity} is open",
                [(found.kind.name, f"customer/{customer_id}", f"{found.reason_ar}\n{found.reason_en}")],
                customer_id=customer_id,
                severity=found.severity.value,
            )
        if found.kind is SuppressionKind.ALREADY_THIS_WEEK and this_week is not None:
            raise CheckInExists(
                "the customer has a check-in in this week",
                customer_id=customer_id,
                week_start=this_week.week_start.isoformat(),
                check_in_id=this_week.check_in_id,
            )
    return StoredCheckIn(
        check_in_id=check_in_id,
        customer_id=customer_id,
        week_start=decision.week_start,
        facts=facts,
        draft=draft,
        state=DraftState.DRAFTED,
        created_at=now,
        revision=1,
    )
