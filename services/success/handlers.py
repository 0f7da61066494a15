"""The use cases of check-ins and alerts: each runs inside one transaction that its caller owns.

Those of plans and touchpoints stand in `services.success.plan_handlers`, those of recorded activity in
`services.success.activity_handlers`.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.approvals import drafts
from services.domain.channels import Channel
from services.domain.context import NOTHING_KNOWN, Context
from services.domain.drafts import DraftKind, NewDraft
from services.domain.riyadh import riyadh_date, week_key
from services.storage.database import Tx, UnitOfWork
from services.success import store
from services.success.activity_handlers import risks_of
from services.success.domain.alerts import StoredAlert, alert_text, require_alert
from services.success.domain.at_risk import AtRiskAlert, RiskLevel
from services.success.domain.catalog import Catalog
from services.success.domain.check_in import CheckInFacts, IncidentSeverity, check_in_text, check_in_title
from services.success.domain.check_ins import StoredCheckIn, write_check_in
from services.success.domain.days import day_number, day_of
from services.success.domain.errors import CheckInExists, CheckInNotFound
from services.success.domain.touchpoints import (
    Touchpoint,
    TouchpointKind,
    check_in_day,
    context_holds,
    planned_line,
    planned_message,
    week_of_day,
)


@dataclass(frozen=True, slots=True)
class CreateCheckIn:
    """The check-in to write for the present week.

    ``open_severities`` and ``context`` are what the caller and the gateway know of incidents; ``channel`` unspecified takes
    the plan's, and e-mail where there is no plan.
    """

    customer_id: str
    facts: CheckInFacts
    open_severities: tuple[IncidentSeverity, ...]
    channel: Channel
    context: Context


def create_check_in(unit: UnitOfWork, command: CreateCheckIn, catalog: Catalog) -> StoredCheckIn:
    """Writes and stores the customer's check-in of the present week, and its draft.

    Raises ``InvalidInput``, ``CheckInSuppressed`` and ``CheckInExists``.
    """
    channel = command.channel
    if channel is Channel.UNSPECIFIED:
        channel = store.channels_of(unit.tx, [command.customer_id]).get(command.customer_id, Channel.EMAIL)
    context = command.context
    severities = tuple(IncidentSeverity(incident.severity) for incident in context.open_for(command.customer_id))
    frozen = channel if context.frozen(channel, command.customer_id) else None
    found = write_check_in(
        unit.new_id("chk"),
        command.customer_id,
        command.facts,
        command.open_severities + severities,
        store.check_in_of_week(unit.tx, command.customer_id, week_key(unit.now)),
        unit.now,
        catalog.check_in,
        frozen,
        incidents_known=context.incidents_known,
    )
    held = store.held_check_in(unit.tx, command.customer_id, unit.now)
    if held is not None:
        raise CheckInExists(
            "the customer's check-in of this week took place",
            customer_id=command.customer_id,
            week_start=found.week_start.isoformat(),
            check_in_id=held.check_in_id,
            touchpoint_id=held.touchpoint_id,
        )
    return keep_check_in(unit, found, channel, _touchpoint_of_week(unit.tx, found), catalog)


def _touchpoint_of_week(tx: Tx, found: StoredCheckIn) -> Touchpoint | None:
    """The touchpoint of the plan that is open for the check-in of a week, if there is one."""
    for one in store.open_touchpoints(tx, found.customer_id):
        if one.kind is TouchpointKind.WEEKLY_CHECK_IN and week_of_day(one.due_on) == found.week_start:
            return one
    return None


def keep_check_in(
    unit: UnitOfWork, found: StoredCheckIn, channel: Channel, planned: Touchpoint | None, catalog: Catalog
) -> StoredCheckIn:
    """Stores a new check-in with the draft that holds its text; ``planned`` is the plan's touchpoint for it, or None."""
    week, today = found.week_start.isoformat(), riyadh_date(unit.now)
    line = planned_line(planned, catalog.plans) if planned is not None else None
    message = planned_message(planned, catalog.plans) if planned is not None else None
    day = check_in_day(planned.due_on if planned is not None else today, today, catalog.cadence)
    draft = drafts.create(
        unit,
        NewDraft(
            kind=DraftKind.CHECK_IN,
            subject=f"check_in/{found.check_in_id}",
            customer_id=found.customer_id,
            channel=channel,
            title=check_in_title(found.week_start, line, catalog.check_in),
            body=check_in_text(found.draft, day, message, catalog.check_in),
        ),
    )
    kept = found.with_draft(draft.draft_id)
    store.insert_check_in(unit.tx, kept)
    unit.record(
        "check_in.drafted",
        f"check_in/{kept.check_in_id}",
        fields=("agenda", "talking_points", "metrics", "draft"),
        attributes={
            "customer_id": kept.customer_id,
            "week_start": week,
            "draft_id": kept.draft_id,
            "revision": str(kept.revision),
            "texts_version": kept.draft.texts_version,
        },
    )
    return kept


def get_check_in(tx: Tx, check_in_id: str) -> StoredCheckIn:
    """The check-in. Raises ``CheckInNotFound``."""
    found = store.get_check_in(tx, check_in_id)
    if found is None:
        raise CheckInNotFound("no such check-in", check_in_id=check_in_id)
    return found


def create_alert(unit: UnitOfWork, customer_id: str, brought: Context | None, catalog: Catalog) -> StoredAlert:
    """Stores an alert about the customer's risk as of now, and its draft; ``brought`` as in `risks_of`.

    Raises ``NotAtRisk``, ``AtRiskAlertExists`` and ``AtRiskAlertSuppressed``.
    """
    day = day_number(unit.now)
    found = risks_of(unit.tx, [customer_id], day, catalog, brought)[0].alert
    channel = store.channels_of(unit.tx, [customer_id]).get(customer_id, Channel.UNSPECIFIED)
    require_alert(
        customer_id,
        found,
        store.alert_of_day(unit.tx, customer_id, day, found.level),
        context_holds(channel, customer_id, brought or NOTHING_KNOWN, catalog.cadence),
    )
    return keep_alert(unit, customer_id, day, found, catalog)


def raise_if_high(unit: UnitOfWork, customer_id: str, high_since: int, catalog: Catalog) -> StoredAlert | None:
    """Raises the alert of a risk that has been high since a day, unless one was raised since."""
    day = day_number(unit.now)
    if store.alerted_since(unit.tx, customer_id, high_since, RiskLevel.HIGH):
        return None
    return keep_alert(unit, customer_id, day, risks_of(unit.tx, [customer_id], day, catalog)[0].alert, catalog)


def keep_alert(unit: UnitOfWork, customer_id: str, day: int, found: AtRiskAlert, catalog: Catalog) -> StoredAlert:
    """Stores an alert with its draft, which stays inside Dealix."""
    alert_id = unit.new_id("ara")
    draft = drafts.create(
        unit,
        NewDraft(
            kind=DraftKind.AT_RISK_ALERT,
            subject=f"at_risk_alert/{alert_id}",
            customer_id=customer_id,
            channel=Channel.INTERNAL,
            title=catalog.cadence.alert_titles[found.level],
            body=alert_text(found, catalog.cadence),
        ),
    )
    alert = StoredAlert(
        alert_id=alert_id,
        customer_id=customer_id,
        day=day_of(day),
        level=found.level,
        score=found.risk_score,
        draft_id=draft.draft_id,
        actor=unit.actor,
        created_at=unit.now,
    )
    store.insert_alert(unit.tx, alert)
    unit.record(
        "at_risk_alert.raised",
        f"at_risk_alert/{alert_id}",
        fields=("severity", "score", "draft"),
        attributes={
            "customer_id": customer_id,
            "day": alert.day.isoformat(),
            "severity": alert.level.value,
            "score": str(alert.score),
            "draft_id": alert.draft_id,
        },
    )
    return alert
