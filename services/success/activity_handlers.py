"""The use cases of recorded activity, and of risk and health made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.domain.checks import Checks
from services.domain.context import Context
from services.storage.database import Tx, UnitOfWork
from services.storage.timers import cancel_timer, set_timer
from services.success import store
from services.success.domain.activity import (
    WEEK_DAYS,
    Activity,
    Known,
    NewActivity,
    check_events,
    recorded,
    require_correctable,
)
from services.success.domain.at_risk import (
    AtRiskAlert,
    RiskFactor,
    RiskLevel,
    assess_risk,
    explain_risk,
    risk_points,
    score_risk,
)
from services.success.domain.catalog import Catalog
from services.success.domain.days import day_number, day_of, number_of
from services.success.domain.health import Health, assess_health
from services.success.domain.risk_history import Stretch, becomes_high, stretches
from services.success.domain.touchpoints import due_moment

RISK_TIMER = "risk"


@dataclass(frozen=True, slots=True)
class RiskNow:
    """A customer's risk on a day, and seven days earlier; ``points_before`` are value and points of each input then."""

    known: Known
    alert: AtRiskAlert
    factors: tuple[RiskFactor, ...]
    score_before: int
    level_before: RiskLevel
    points_before: tuple[tuple[int | None, int | None], ...]


@dataclass(frozen=True, slots=True)
class HealthNow:
    """A customer's health on a day, and seven days earlier."""

    known: Known
    health: Health
    before: Health


def record_activity(
    unit: UnitOfWork, customer_id: str, events: Sequence[NewActivity], catalog: Catalog
) -> list[Activity]:
    """Adds events, lets those that correct others take their place, and keeps the customer's risk over time up to date.

    Raises ``InvalidInput``, ``ActivityNotFound`` and ``ActivityCorrected``.
    """
    check_events(events, unit.now)
    made = []
    first_day = None
    # In order, so that of two at one time the later in the request is the last.
    for activity_id, event in zip(sorted(unit.new_id("act") for _ in events), events, strict=True):
        found = recorded(activity_id, customer_id, event, unit.actor, unit.now)
        day = day_number(found.occurred_at)
        store.insert_activity(unit.tx, found, day)
        if event.corrects:
            corrected = require_correctable(event.corrects, customer_id, store.get_activity(unit.tx, event.corrects))
            store.mark_corrected(unit.tx, corrected.activity_id, found.activity_id)
            day = min(day, day_number(corrected.occurred_at))
        first_day = day if first_day is None else min(first_day, day)
        made.append(found)
        attributes = {"customer_id": customer_id, "kind": found.kind.value, "day": day_of(day).isoformat()}
        if event.corrects:
            attributes["corrects"] = event.corrects
        unit.record(
            "activity.recorded",
            f"activity/{found.activity_id}",
            fields=("kind", "occur_time", "count", "value"),
            attributes=attributes,
        )
    if first_day is not None:
        refresh_risk(unit, customer_id, first_day, catalog)
    return made


def refresh_risk(unit: UnitOfWork, customer_id: str, first_day: int, catalog: Catalog) -> None:
    """Computes the customer's stretches of risk anew from a day on, and sets the timer of the day on which it becomes high."""
    old = store.stretches_from(unit.tx, customer_id, first_day)
    plan = store.get_plan(unit.tx, customer_id)
    # What began before that day and reaches into it is cut there, and joined again below where nothing changed.
    begun = old[0] if old and old[0].start < first_day else None
    new = list(
        stretches(
            first_day,
            store.totals_before(unit.tx, customer_id, first_day),
            store.days_from(unit.tx, customer_id, first_day),
            None if plan is None else number_of(plan.since),
            catalog.at_risk,
        )
    )
    if begun is not None:
        if new and new[0].rank == begun.rank and new[0].start == first_day:
            new[0] = Stretch(begun.start, new[0].end, begun.rank)
        else:
            new.insert(0, Stretch(begun.start, first_day, begun.rank))
    store.replace_stretches(unit.tx, customer_id, old, new)
    set_risk_timer(unit, customer_id, catalog)


def set_risk_timer(unit: UnitOfWork, customer_id: str, catalog: Catalog) -> None:
    """Sets the timer of the day on which the customer's risk becomes high by itself; now, where it is high already."""
    today = day_number(unit.now)
    day = becomes_high(store.stretches_from(unit.tx, customer_id, today), today)
    timer_id = f"{RISK_TIMER}/{customer_id}"
    if day is None:
        cancel_timer(unit.tx, timer_id)
    else:
        at = unit.now if day == today else due_moment(day_of(day), catalog.cadence)
        set_timer(unit.tx, timer_id, RISK_TIMER, at)


def risks_of(
    tx: Tx, customers: Sequence[str], day: int, catalog: Catalog, brought: Context | None = None
) -> list[RiskNow]:
    """The risks of customers on a day, in the order asked for.

    ``brought`` is the context of the one customer, None where none was brought along: onboarding was not asked.
    """
    now = _known(tx, customers, day, brought)
    before = _known(tx, customers, max(day - WEEK_DAYS, 0), brought)
    found = []
    for customer_id in customers:
        known = now[customer_id]
        facts, facts_before = known.profile.facts(day), before[customer_id].profile.facts(max(day - WEEK_DAYS, 0))
        score_before, level_before = score_risk(facts_before, catalog.at_risk)
        found.append(
            RiskNow(
                known=known,
                alert=assess_risk(facts, catalog.at_risk),
                factors=explain_risk(facts, catalog.at_risk),
                score_before=score_before,
                level_before=level_before,
                points_before=risk_points(facts_before, catalog.at_risk),
            )
        )
    return found


def _known(tx: Tx, customers: Sequence[str], day: int, brought: Context | None) -> dict[str, Known]:
    found = store.known_of(tx, customers, day)
    if brought is None:
        return found
    first = brought.first_proof_pack
    return {name: replace(known, first_proof_pack=first, unanswered=first is None) for name, known in found.items()}


def health_of(tx: Tx, customer_id: str, day: int, catalog: Catalog, brought: Context | None) -> HealthNow:
    """The customer's health on a day; ``brought`` as in `risks_of`."""
    known = _known(tx, [customer_id], day, brought)[customer_id]
    before = store.known_of(tx, [customer_id], max(day - WEEK_DAYS, 0))[customer_id]
    return HealthNow(
        known, assess_health(known.health_facts, catalog.health), assess_health(before.health_facts, catalog.health)
    )


def check_as_of(day: int, today: int) -> None:
    """Raises ``InvalidInput`` for a day to come: what will be recorded until then is not known."""
    checks = Checks()
    if day > today:
        checks.note("as_of_time", "IN_FUTURE", "must not lie after today")
    checks.done()
