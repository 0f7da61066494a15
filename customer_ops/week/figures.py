"""Clocks and other figures of the week as bars and short tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dealix.common.v1 import draft_pb2
from dealix.incidents.v1 import freeze_pb2, incident_pb2, notice_pb2, obligation_pb2
from dealix.onboarding.v1 import checklist_pb2, connector_pb2, onboarding_pb2
from dealix.success.v1 import activity_pb2, plan_pb2
from dealix.support.v1 import sla_pb2, ticket_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops.names import field_name
from customer_ops.render import (
    Beside,
    Column,
    Prose,
    bar,
    both,
    duration,
    facts,
    rank,
    riyadh,
    short,
    table,
    tick,
    two_lines,
)
from customer_ops.views_approvals import longest_wait_first

_CLOCK_STYLES = {
    "RUNNING": "green",
    "PAUSED": "blue",
    "AT_RISK": "yellow",
    "BREACHED": "red",
    "MET": "green",
    "MET_LATE": "red",
    "NOT_REQUIRED": "dim",
    "CANCELLED": "dim",
    "NOT_STARTED": "dim",
}

_NOT_STOPPED = frozenset(
    {
        sla_pb2.SLA_CLOCK_STATE_RUNNING,
        sla_pb2.SLA_CLOCK_STATE_PAUSED,
        sla_pb2.SLA_CLOCK_STATE_AT_RISK,
        sla_pb2.SLA_CLOCK_STATE_BREACHED,
    }
)
_NOT_OWED = frozenset(
    {
        obligation_pb2.OBLIGATION_STATE_NOT_STARTED,
        obligation_pb2.OBLIGATION_STATE_MET,
        obligation_pb2.OBLIGATION_STATE_NOT_REQUIRED,
        obligation_pb2.OBLIGATION_STATE_CANCELLED,
    }
)


def pending(found: Iterable[tuple[str, draft_pb2.Draft]]) -> RenderableType:
    """What waits for a person, each with its service, the longest wait first."""
    return table(
        [Column("waits", right=True), Column("service"), Column("kind"), Column("", long=True)],
        [
            (
                duration(item.waiting_seconds),
                service,
                field_name(item, "kind").lower(),
                Beside(item.title_ar, item.title_en),
            )
            for service, item in longest_wait_first(found)
        ],
    )


def clocks(found: Iterable[sla_pb2.SlaClock]) -> RenderableType:
    """A ticket's clocks: how much of each promise is used up, and whose time it was."""
    return table(
        [Column("clock"), Column("state"), Column("used of the promise"), Column("", long=True)],
        [
            (
                field_name(clock, "kind").lower(),
                state(field_name(clock, "state")),
                bar(_share(clock.elapsed.seconds, clock.target.seconds), _style(field_name(clock, "state"))),
                f"{duration(clock.elapsed.seconds)} of {duration(clock.target.seconds)}{_spent(clock)}",
            )
            for clock in found
            if clock.state != sla_pb2.SLA_CLOCK_STATE_NOT_STARTED
        ],
    )


def burn(report: sla_pb2.SlaHealthReport) -> RenderableType:
    """Whose time the tickets of a report took."""
    return table(
        [Column("clock"), *(Column(who, right=True) for who in ("us", "our approver", "customer", "third party"))],
        [
            (
                clock,
                *(
                    duration(spent.seconds)
                    for spent in (burnt.us, burnt.our_approver, burnt.customer, burnt.third_party)
                ),
            )
            for clock, burnt in (
                ("first_response", report.first_response_burn),
                ("resolution", report.resolution_burn),
            )
        ],
    )


def state(name: str) -> Text:
    """A clock's state in its colour."""
    return Text(name.lower(), _style(name))


def _style(name: str) -> str:
    return _CLOCK_STYLES.get(name, "")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _spent(clock: sla_pb2.SlaClock) -> str:
    others = (
        ("approver", clock.burn.our_approver.seconds),
        ("customer", clock.burn.customer.seconds),
        ("third party", clock.burn.third_party.seconds),
    )
    return "".join(f"; {who} {duration(seconds)}" for who, seconds in others if seconds >= 60)


def obligations(found: Iterable[obligation_pb2.Obligation]) -> RenderableType:
    """What an incident owes, and what it met late, each with its clock."""
    return table(
        [Column("state"), Column("time used"), Column("left", right=True), Column("due"), Column("", long=True)],
        [
            (
                state(field_name(item, "state")),
                bar(_used(item), _style(field_name(item, "state")), width=14),
                "" if item.HasField("end_time") else duration(item.seconds_left),
                riyadh(item.due_time, "%a %H:%M"),
                Beside(item.text_ar, item.text_en),
            )
            for item in found
            if item.state not in _NOT_OWED
        ],
    )


def _used(item: obligation_pb2.Obligation) -> float:
    whole = item.due_time.seconds - item.start_time.seconds
    used = item.end_time.seconds - item.start_time.seconds if item.HasField("end_time") else whole - item.seconds_left
    return _share(used, whole)


def planned_and_actual(found: checklist_pb2.Checklist) -> RenderableType:
    """The steps of a checklist with the day each was planned for and the day it was done."""
    return table(
        [Column(""), Column("planned"), Column("done"), Column("late", right=True), Column("", long=True)],
        [
            (
                tick(step.completed),
                step.planned_date,
                riyadh(step.complete_time, "%Y-%m-%d"),
                duration(step.days_late * 86400) if step.days_late else "",
                Beside(step.title_ar, step.title_en),
            )
            for step in found.steps
        ],
    )


def notice(found: notice_pb2.Notice) -> RenderableType:
    """The blocks of a notice, and what each lacks."""
    return table(
        [Column(""), Column("", long=True)],
        [
            (
                tick(status.completeness == notice_pb2.BLOCK_COMPLETENESS_COMPLETE),
                Beside(
                    f"{status.title_ar}{f' — {status.missing_ar}' if status.missing_ar else ''}",
                    f"{status.title_en}{f' - {status.missing_en}' if status.missing_en else ''}",
                ),
            )
            for status in found.status
        ],
    )


def touchpoints(found: Iterable[plan_pb2.Touchpoint]) -> RenderableType:
    """Touchpoints with their dates."""
    return table(
        [Column("due"), Column("state"), Column("", long=True)],
        [(item.due_date, field_name(item, "state").lower(), Beside(item.title_ar, item.title_en)) for item in found],
    )


def customer_risk(found: activity_pb2.CustomerRisk) -> RenderableType:
    """A customer's risk with its factors and their change since the week before."""
    return Group(
        facts(
            [
                (
                    "risk",
                    Text.assemble(rank(field_name(found, "severity")), f"  {found.risk_score} of 100{_since(found)}"),
                )
            ]
        ),
        table(
            [Column("points", right=True), Column("week before", right=True), Column("", long=True)],
            [
                (_number(item, "points"), _number(item, "points_week_before"), Beside(item.text_ar, item.text_en))
                for item in found.factors
            ],
        ),
    )


def customer_health(found: activity_pb2.CustomerHealth) -> RenderableType:
    """A customer's health with its factors."""
    score = f"{found.health_score:g}" if found.HasField("health_score") else "open"
    return Group(
        facts(
            [
                ("health", Text.assemble(rank(field_name(found, "verdict")), f"  {score} of 100{_since(found)}")),
                ("known", f"{found.coverage:.0%} of the inputs; from {found.score_low:g} to {found.score_high:g}"),
                ("in words", both(found.summary_ar, found.summary_en)),
            ]
        ),
        table(
            [Column("value", right=True), Column("points", right=True), Column("", long=True)],
            [
                (
                    f"{item.value:g}" if item.HasField("value") else "unknown",
                    f"{item.points:+g}" if item.HasField("points") else "",
                    Prose(item.label_ar),
                )
                for item in found.factors
            ],
        ),
    )


def open_tickets(found: Iterable[tuple[ticket_pb2.Ticket, Sequence[sla_pb2.SlaClock]]]) -> RenderableType:
    """Tickets that are not resolved, each with the clocks that have not stopped."""
    return table(
        [
            Column("pri"),
            Column("clock"),
            Column("state"),
            Column("used"),
            Column("left", right=True),
            Column("", long=True),
        ],
        [
            (
                rank(field_name(ticket, "priority")) if number == 0 else "",
                field_name(clock, "kind").lower(),
                state(field_name(clock, "state")),
                bar(_share(clock.elapsed.seconds, clock.target.seconds), _style(field_name(clock, "state")), width=10),
                duration(clock.remaining.seconds),
                two_lines(short(ticket.subject or ticket.body), f"{ticket.customer_id} · {ticket.ticket_id}")
                if number == 0
                else "",
            )
            for ticket, clocks_of in found
            for number, clock in enumerate(clock for clock in clocks_of if clock.state in _NOT_STOPPED)
        ],
    )


def incidents(found: Iterable[incident_pb2.Incident]) -> RenderableType:
    """Incidents by severity and state."""
    return table(
        [Column("sev"), Column("state"), Column("declared"), Column("", long=True)],
        [
            (
                rank(field_name(item, "severity")),
                field_name(item, "state").lower(),
                riyadh(item.create_time),
                two_lines(short(item.title), item.incident_id),
            )
            for item in found
        ],
    )


def freezes(found: Iterable[freeze_pb2.Freeze]) -> RenderableType:
    """Channels that are frozen."""
    return table(
        [Column("channel"), Column("customer"), Column("since"), Column("", long=True)],
        [
            (
                "all" if item.all_channels else field_name(item, "channel").lower(),
                "all" if item.all_customers else item.customer_id,
                riyadh(item.freeze_time),
                item.reason,
            )
            for item in found
        ],
    )


def onboardings(found: Iterable[onboarding_pb2.OnboardingLine]) -> RenderableType:
    """Onboardings under way, the latest first."""
    return table(
        [Column("progress", right=True), Column("late", right=True), Column("due"), Column("customer", long=True)],
        [
            (
                f"{item.progress_pct:g} %",
                f"{item.days_late} d" if item.days_late else "",
                item.due_date,
                two_lines(item.customer_id, f"at {item.current_step_id}"),
            )
            for item in found
        ],
    )


def issues(found: Iterable[connector_pb2.ConnectorIssue]) -> RenderableType:
    """Open problems of connectors."""
    return table(
        [Column("connector"), Column("times", right=True), Column("customer"), Column("", long=True)],
        [(item.connector_key, item.count, item.customer_id, Beside(item.title_ar, item.title_en)) for item in found],
    )


def at_risk(found: Iterable[activity_pb2.CustomerRisk]) -> RenderableType:
    """Customers at risk, worst first."""
    return table(
        [Column("risk"), Column("of 100", right=True), Column("customer"), Column("", long=True)],
        [
            (
                rank(field_name(item, "severity")),
                item.risk_score,
                item.customer_id,
                Beside(item.recommended_action_ar, item.recommended_action_en),
            )
            for item in found
        ],
    )


def _number(item: activity_pb2.RiskFactor, field: str) -> str:
    return str(getattr(item, field)) if item.HasField(field) else "unknown"  # type: ignore[arg-type]


def _since(found: activity_pb2.CustomerRisk | activity_pb2.CustomerHealth) -> str:
    if not found.HasField("score_change"):
        return ", a week before not known"
    return f", {found.score_change:+g} since last week"
