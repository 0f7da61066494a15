"""Clocks and other figures of the week as bars and short tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dealix.common.v1 import draft_pb2
from dealix.incidents.v1 import notice_pb2, obligation_pb2
from dealix.success.v1 import plan_pb2
from dealix.support.v1 import sla_pb2, ticket_pb2
from rich.console import RenderableType
from rich.text import Text

from customer_ops.names import field_name
from customer_ops.render import (
    Beside,
    Column,
    bar,
    duration,
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
    """A ticket's clocks, each on a line: how much of the promise is used up, and who else took time."""
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
    """Touchpoints with their dates, each in as few lines as it takes."""
    return table(
        [Column("due"), Column("state"), Column("", long=True)],
        [(item.due_date, field_name(item, "state").lower(), Beside(item.title_ar, item.title_en)) for item in found],
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
            for number, clock in enumerate(clock for clock in clocks_of if _runs_on(clock))
        ],
    )


def _runs_on(clock: sla_pb2.SlaClock) -> bool:
    """Whether a clock can still change; a breached one that was stopped cannot."""
    return not clock.HasField("stop_time") and clock.state not in (
        sla_pb2.SLA_CLOCK_STATE_NOT_STARTED,
        sla_pb2.SLA_CLOCK_STATE_CANCELLED,
    )
