"""The stored check-in: one draft per customer and week, and when none is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.domain.channels import Channel
from services.domain.drafts import DraftState
from services.domain.riyadh import week_key
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

_APPROVED = (DraftState.APPROVED, DraftState.EDITED_AND_APPROVED)


@dataclass(frozen=True, slots=True)
class StoredCheckIn:
    """A customer's check-in of the week that begins on ``week_start`` (a Sunday, Asia/Riyadh), with what it was made from.

    ``draft`` is what was written then; its text as it stands, and what people decided, are in the draft ``draft_id``, whose
    state this repeats. Times are UTC; ``revision`` counts its changes from 1.
    """

    check_in_id: str
    customer_id: str
    week_start: date
    facts: CheckInFacts
    draft: CheckIn
    draft_id: str
    state: DraftState
    created_at: datetime
    revision: int
    pending_since: datetime | None = None

    def state_at(self, moment: datetime) -> DraftState:
        """Where its draft stands at a moment: an approval that ran out unused leaves it drafted."""
        if self.state in _APPROVED and self.pending_since is not None and self.pending_since <= moment:
            return DraftState.DRAFTED
        return self.state

    def with_draft(self, draft_id: str) -> StoredCheckIn:
        """The same with its draft."""
        return replace(self, draft_id=draft_id)


def write_check_in(
    check_in_id: str,
    customer_id: str,
    facts: CheckInFacts,
    open_severities: tuple[IncidentSeverity, ...],
    this_week: StoredCheckIn | None,
    now: datetime,
    texts: CheckInTexts,
    frozen: Channel | None = None,
    *,
    incidents_known: bool = True,
) -> StoredCheckIn:
    """The check-in of the week of ``now``, still without the draft that holds its text.

    ``this_week`` is the customer's check-in of that week, if there is one; ``frozen`` its channel where that is frozen, and
    ``incidents_known`` false where nobody could tell what is open. Raises ``InvalidInput``, ``CheckInSuppressed`` (first,
    where both hold: another week would not help) and ``CheckInExists``.
    """
    draft = build_check_in(facts, texts)
    earlier = [this_week.created_at] if this_week else []
    decision = decide_check_in(now, open_severities, earlier, texts, frozen, incidents_known=incidents_known)
    against = [found for found in decision.suppressions if found.kind is not SuppressionKind.ALREADY_THIS_WEEK]
    if against:
        named = {"channel": frozen.value} if frozen is not None else {}
        named |= {"severity": f.severity.value for f in against if f.severity is not None}  # noqa: B035 (one at most)
        raise CheckInSuppressed(
            f"no weekly check-in: {', '.join(found.kind.value for found in against)}",
            [
                (found.kind.name, f"customer/{customer_id}", f"{found.reason_ar}\n{found.reason_en}")
                for found in against
            ],
            customer_id=customer_id,
            **named,
        )
    if this_week is not None:
        raise CheckInExists(
            "the customer has a check-in in this week",
            customer_id=customer_id,
            week_start=this_week.week_start.isoformat(),
            check_in_id=this_week.check_in_id,
        )
    return StoredCheckIn(
        check_in_id=check_in_id,
        customer_id=customer_id,
        week_start=week_key(now),
        facts=facts,
        draft=draft,
        draft_id="",
        state=DraftState.DRAFTED,
        created_at=now,
        revision=1,
    )
