"""The use cases of customer success: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from dataclasses import dataclass

from services.domain.riyadh import week_key
from services.storage.database import Tx, UnitOfWork
from services.success import store
from services.success.domain.check_in import CheckInFacts, CheckInTexts, IncidentSeverity
from services.success.domain.check_ins import StoredCheckIn, write_check_in
from services.success.domain.errors import CheckInNotFound


@dataclass(frozen=True, slots=True)
class CreateCheckIn:
    """The check-in to write for the present week, and the severities of the customer's open incidents."""

    customer_id: str
    facts: CheckInFacts
    open_severities: tuple[IncidentSeverity, ...]


def create_check_in(unit: UnitOfWork, command: CreateCheckIn, texts: CheckInTexts) -> StoredCheckIn:
    """Writes and stores the customer's check-in of the present week.

    Raises ``InvalidInput``, ``CheckInSuppressed`` and ``CheckInExists``.
    """
    check_in = write_check_in(
        unit.new_id("chk"),
        command.customer_id,
        command.facts,
        command.open_severities,
        store.check_in_of_week(unit.tx, command.customer_id, week_key(unit.now)),
        unit.now,
        texts,
    )
    store.insert_check_in(unit.tx, check_in)
    unit.record(
        "check_in.drafted",
        f"check_in/{check_in.check_in_id}",
        fields=("agenda", "talking_points", "metrics", "draft_state"),
        attributes={
            "customer_id": check_in.customer_id,
            "week_start": check_in.week_start.isoformat(),
            "draft_state": check_in.state.value,
            "revision": str(check_in.revision),
            "texts_version": check_in.draft.texts_version,
        },
    )
    return check_in


def get_check_in(tx: Tx, check_in_id: str) -> StoredCheckIn:
    """The check-in. Raises ``CheckInNotFound``."""
    found = store.get_check_in(tx, check_in_id)
    if found is None:
        raise CheckInNotFound("no such check-in", check_in_id=check_in_id)
    return found
