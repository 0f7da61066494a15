"""SLA clocks, breaches and health: everything computed from append-only events and the policy, at an ``as_of``.

Two clocks run from the opening of a ticket. The first-response clock stops only at a recorded first response;
nothing pauses it, and resolving the ticket does not stop it. The resolution clock stops at the resolution, stands
still while paused and between a resolution and a reopening, and is measured in hours of running time.

A report can be asked for a moment in the past: what happened or was recorded later does not count then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import fsum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from services.domain.checks import Checks
from services.domain.errors import AlreadyExists, InvalidInput, PreconditionFailed, Violation
from services.domain.texts import Bilingual, Reader, TextsFile
from services.support.domain.clocks import Burn, Clock, ClockKind, total_burn
from services.support.domain.policy import TEXTS_DIR, Policies
from services.support.domain.priorities import Priority, urgency

# Bounds of what a caller may state; far beyond any ticket, far within exact floats.
MAX_FIRST_RESPONSE_MINUTES = 10_000_000.0
MAX_RESOLUTION_HOURS = 1_000_000.0
MAX_AGE_MINUTES = 100_000_000.0

# Verdict thresholds in percent of the tickets that count; compared in whole numbers.
WATCH_PERCENT = 10
CRITICAL_PERCENT = 25

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


class SlaEventType(StrEnum):
    OPENED = "opened"
    FIRST_RESPONSE = "first_response"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    PAUSED = "paused"
    RESUMED = "resumed"
    REOPENED = "reopened"
    PRIORITY_RAISED = "priority_raised"


class ClockState(StrEnum):
    """The resolution clock."""

    NOT_OPENED = "not_opened"
    RUNNING = "running"
    PAUSED = "paused"
    RESOLVED = "resolved"


class BreachKind(StrEnum):
    """Which promise was broken. First responses are in minutes, resolutions in hours."""

    FIRST_RESPONSE = "first_response"
    RESOLUTION = "resolution"


class Verdict(StrEnum):
    HEALTHY = "healthy"
    WATCH = "watch"
    CRITICAL = "critical"


class ReportAction(StrEnum):
    """What a critical report asks people to do."""

    ESCALATE_TO_FOUNDER = "escalate_to_founder"
    HOLD_LIVE_ACTIONS = "hold_live_actions"


class SlaEventExists(AlreadyExists):
    """The clock was started or stopped before. Metadata: ``ticket_id``, ``type``, ``event_id``."""

    reason: ClassVar[str] = "SLA_EVENT_EXISTS"


class SlaEventNotAllowed(PreconditionFailed):
    """The ticket's clock is not in a state for it. Metadata: ``ticket_id``, ``state`` (ClockState), ``type``."""

    reason: ClassVar[str] = "SLA_EVENT_NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class SlaEvent:
    """One appended event; both times UTC. ``recorded_at`` is when it became known here."""

    type: SlaEventType
    occurred_at: datetime
    recorded_at: datetime
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both clocks of one ticket at ``as_of``.

    ``first_response_minutes`` and ``resolution_hours`` are None while the clock has not stopped; the elapsed times
    are what has run so far, and equal to them once it has. ``resolution_running`` excludes all paused time.
    """

    opened_at: datetime
    as_of: datetime
    state: ClockState
    first_response_at: datetime | None
    resolved_at: datetime | None
    first_response_elapsed: timedelta
    resolution_running: timedelta

    @property
    def first_response_elapsed_minutes(self) -> float:
        return self.first_response_elapsed / _MINUTE

    @property
    def resolution_elapsed_hours(self) -> float:
        return self.resolution_running / _HOUR

    @property
    def first_response_minutes(self) -> float | None:
        return self.first_response_elapsed_minutes if self.first_response_at is not None else None

    @property
    def resolution_hours(self) -> float | None:
        return self.resolution_elapsed_hours if self.resolved_at is not None else None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When each promise falls due, UTC. ``resolution_due_at`` is None while the clock stands still."""

    first_response_due_at: datetime
    resolution_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken promise: minutes for a first response, hours for a resolution. ``open``: the clock still runs."""

    kind: BreachKind
    target: float
    actual: float
    open: bool = False

    @property
    def over_by(self) -> float:
        return self.actual - self.target


@dataclass(frozen=True, slots=True)
class BreachResult:
    breaches: tuple[Breach, ...]

    @property
    def breached(self) -> bool:
        return bool(self.breaches)


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """What a report needs to know of one ticket.

    A time that is None has not come yet; then the elapsed time, where known, says how long it has been waited for.
    Without it an open promise is taken as not yet due. A ticket is open until ``resolution_hours`` is known.

    A target that is None is the priority's; a ticket's own is the one that its clock went by. ``closed``: what has not come
    will not come any more, and the elapsed times grow no further. ``burn``: working time by clock and party, None where
    nobody counted it.
    """

    priority: Priority
    first_response_minutes: float | None = None
    resolution_hours: float | None = None
    first_response_elapsed_minutes: float | None = None
    resolution_elapsed_hours: float | None = None
    ticket_id: str = ""
    customer_id: str = ""
    first_response_target_minutes: float | None = None
    resolution_target_hours: float | None = None
    closed: bool = False
    burn: Mapping[ClockKind, Burn] | None = None


@dataclass(frozen=True, slots=True)
class TicketBreach:
    """A breach with the ticket it belongs to."""

    ticket_id: str
    customer_id: str
    priority: Priority
    breach: Breach


@dataclass(frozen=True, slots=True)
class PriorityHealth:
    """``total`` tickets of the priority, ``breached`` of them, ``rated`` of them in the rate."""

    priority: Priority
    total: int
    breached: int
    rated: int


@dataclass(frozen=True, slots=True)
class SlaHealthReport:
    """The health of a set of tickets at ``as_of``.

    ``breach_rate`` is a **fraction** from 0 to 1: ``total_breached / rated_tickets``, 0 when nothing is rated. Rated
    are the resolved tickets and those that broke a promise, so an open one that is not yet due does not count and an
    open overdue one counts as breached. Averages are over the times that are known, None when there are none. ``burn`` is
    the working time of all tickets by clock and party, the sum over those for which it was counted.
    """

    as_of: datetime
    total_tickets: int
    total_breached: int
    rated_tickets: int
    breach_rate: float
    by_priority: tuple[PriorityHealth, ...]
    breaches: tuple[TicketBreach, ...]
    average_first_response_minutes: float | None
    average_resolution_hours: float | None
    verdict: Verdict
    burn: Mapping[ClockKind, Burn]

    @property
    def actions(self) -> tuple[ReportAction, ...]:
        return tuple(ReportAction) if self.verdict is Verdict.CRITICAL else ()


def classify_breach(
    priority: Priority, first_response_minutes: float | None, resolution_hours: float | None, policy: Policies
) -> BreachResult:
    """Which promises of ``priority`` the given times break; equal to the target is kept, None is not known.

    Raises ``InvalidInput`` for negative, infinite, NaN or huge times (all at once), and when neither is given.
    """
    checks = Checks()
    if first_response_minutes is None and resolution_hours is None:
        for field in ("first_response_minutes", "resolution_hours"):
            checks.note(field, "REQUIRED", "at least one of the two times must be given")
    checks.amount("first_response_minutes", first_response_minutes, MAX_FIRST_RESPONSE_MINUTES)
    checks.amount("resolution_hours", resolution_hours, MAX_RESOLUTION_HOURS)
    checks.done()
    return BreachResult(_breaches(TicketFacts(priority, first_response_minutes, resolution_hours), policy))


def clocks(events: Iterable[SlaEvent], as_of: datetime) -> Clocks | None:
    """Both clocks as they stood at ``as_of``; None when the ticket was not open then.

    Events count in the order in which they happened. One that makes no sense where it stands (resumed while running)
    changes nothing: `admit` keeps such events out, and a view of the past may hold half of a pair.
    """
    opened_at: datetime | None = None
    first_response_at: datetime | None = None
    resolved_at: datetime | None = None
    running = timedelta()
    since: datetime | None = None  # When the resolution clock last began to run; None while it stands.
    for event in _in_order(e for e in events if e.occurred_at <= as_of and e.recorded_at <= as_of):
        at = event.occurred_at
        if event.type is SlaEventType.OPENED:
            if opened_at is None:
                opened_at = since = at
        elif opened_at is None:
            continue
        elif event.type is SlaEventType.FIRST_RESPONSE:
            first_response_at = first_response_at or at
        elif event.type in (SlaEventType.PAUSED, SlaEventType.RESOLVED):
            if since is not None:
                running += at - since
                since = None
            if event.type is SlaEventType.RESOLVED and resolved_at is None:
                resolved_at = at
        elif event.type is SlaEventType.RESUMED:
            if since is None and resolved_at is None:
                since = at
        elif event.type is SlaEventType.REOPENED and resolved_at is not None:
            resolved_at, since = None, at
    if opened_at is None:
        return None
    unresolved = ClockState.PAUSED if since is None else ClockState.RUNNING
    return Clocks(
        opened_at=opened_at,
        as_of=as_of,
        state=unresolved if resolved_at is None else ClockState.RESOLVED,
        first_response_at=first_response_at,
        resolved_at=resolved_at,
        first_response_elapsed=(first_response_at or as_of) - opened_at,
        resolution_running=running + (as_of - since if since is not None else timedelta()),
    )


def deadlines(clock: Clocks, priority: Priority, policy: Policies) -> Deadlines:
    """When the promises of ``priority`` fall due, from the original start and the pauses so far."""
    targets = policy[priority]
    left = targets.resolution_hours * _HOUR - clock.resolution_running
    return Deadlines(
        first_response_due_at=clock.opened_at + targets.first_response_minutes * _MINUTE,
        resolution_due_at=clock.as_of + left if clock.state is ClockState.RUNNING else None,
    )


def admit(ticket_id: str, events: Sequence[SlaEvent], event: SlaEvent, *, now: datetime) -> None:
    """Check that ``event`` may be appended to the stored ``events`` of the ticket.

    It may have happened earlier than what was recorded before it, as long as the whole still makes sense in the order
    of happening. Raises ``InvalidInput`` (in the future, before the opening), ``SlaEventExists`` (a second opening,
    first response or resolution) or ``SlaEventNotAllowed``.
    """
    kind = event.type
    opened = next((e for e in events if e.type is SlaEventType.OPENED), None)
    if event.occurred_at > now:
        raise InvalidInput([Violation("occur_time", "IN_FUTURE", "must not lie in the future")])
    if opened is not None and event.occurred_at < opened.occurred_at:
        raise InvalidInput([Violation("occur_time", "BEFORE_OPENING", "must not lie before the ticket was opened")])

    def refuse(state: ClockState) -> SlaEventNotAllowed:
        return SlaEventNotAllowed(
            f"{kind} is not allowed here", [("STATE", state, "")], ticket_id=ticket_id, state=state, type=kind
        )

    def exists(earlier: SlaEvent) -> SlaEventExists:
        return SlaEventExists(f"{kind} exists already", ticket_id=ticket_id, type=kind, event_id=earlier.event_id)

    if kind in (SlaEventType.OPENED, SlaEventType.FIRST_RESPONSE):
        for earlier in events:
            if earlier.type is kind:
                raise exists(earlier)
    if opened is None and kind is not SlaEventType.OPENED:
        raise refuse(ClockState.NOT_OPENED)

    state = ClockState.NOT_OPENED
    resolution = event
    for each in _in_order([*events, event]):
        if each.type is SlaEventType.RESOLVED and state is ClockState.RESOLVED and kind is SlaEventType.RESOLVED:
            raise exists(next(e for e in (each, resolution) if e is not event))
        after = _AFTER[each.type].get(state)
        if after is None:
            raise refuse(state)
        if each.type is SlaEventType.RESOLVED:
            resolution = each
        state = after


_C = ClockState
_STANDING = {_C.RUNNING: _C.RUNNING, _C.PAUSED: _C.PAUSED, _C.RESOLVED: _C.RESOLVED}
# For each event, the states it may meet and what the resolution clock is after it.
_AFTER: Mapping[SlaEventType, Mapping[ClockState, ClockState]] = MappingProxyType(
    {
        SlaEventType.OPENED: {_C.NOT_OPENED: _C.RUNNING},
        SlaEventType.FIRST_RESPONSE: _STANDING,
        SlaEventType.ESCALATED: _STANDING,
        SlaEventType.PRIORITY_RAISED: {_C.RUNNING: _C.RUNNING, _C.PAUSED: _C.PAUSED},
        SlaEventType.PAUSED: {_C.RUNNING: _C.PAUSED},
        SlaEventType.RESUMED: {_C.PAUSED: _C.RUNNING},
        SlaEventType.RESOLVED: {_C.RUNNING: _C.RESOLVED, _C.PAUSED: _C.RESOLVED},
        SlaEventType.REOPENED: {_C.RESOLVED: _C.RUNNING},
    }
)


def facts_from_events(
    priority: Priority,
    events: Iterable[SlaEvent],
    as_of: datetime,
    *,
    ticket_id: str = "",
    customer_id: str = "",
) -> TicketFacts | None:
    """The facts of a stored ticket at ``as_of``; None when it was not open then."""
    found = clocks(events, as_of)
    if found is None:
        return None
    return TicketFacts(
        priority=priority,
        first_response_minutes=found.first_response_minutes,
        resolution_hours=found.resolution_hours,
        first_response_elapsed_minutes=found.first_response_elapsed_minutes,
        resolution_elapsed_hours=found.resolution_elapsed_hours,
        ticket_id=ticket_id,
        customer_id=customer_id,
    )


def facts_from_clocks(found: Iterable[Clock], *, ticket_id: str = "", customer_id: str = "") -> TicketFacts | None:
    """The facts of a stored ticket from its clocks; None when there are none because it was not open then.

    Next responses are no promise of the report; what burnt their time is part of it.
    """
    burnt: dict[ClockKind, list[Burn]] = {kind: [] for kind in ClockKind}
    first: Clock | None = None
    resolution: Clock | None = None
    for clock in found:
        burnt[clock.kind].append(clock.burn)
        if clock.kind is ClockKind.FIRST_RESPONSE:
            first = clock
        elif clock.kind is ClockKind.RESOLUTION:
            resolution = clock
    if first is None or resolution is None:
        return None
    minutes, hours = first.elapsed / _MINUTE, resolution.elapsed / _HOUR
    return TicketFacts(
        priority=first.priority if urgency(first.priority) < urgency(resolution.priority) else resolution.priority,
        first_response_minutes=minutes if first.fulfilled else None,
        resolution_hours=hours if resolution.fulfilled else None,
        first_response_elapsed_minutes=minutes,
        resolution_elapsed_hours=hours,
        ticket_id=ticket_id,
        customer_id=customer_id,
        first_response_target_minutes=first.target / _MINUTE,
        resolution_target_hours=resolution.target / _HOUR,
        closed=first.stopped_at is not None and not first.fulfilled,
        burn=MappingProxyType({kind: total_burn(each) for kind, each in burnt.items()}),
    )


def facts_from_age(
    priority: Priority,
    *,
    first_response_minutes: float | None,
    resolution_hours: float | None,
    age_minutes: float | None,
    ticket_id: str = "",
    customer_id: str = "",
) -> TicketFacts:
    """The facts of a ticket as a caller states them; ``age_minutes`` since its opening, for what is still open."""
    return TicketFacts(
        priority=priority,
        first_response_minutes=first_response_minutes,
        resolution_hours=resolution_hours,
        first_response_elapsed_minutes=age_minutes if first_response_minutes is None else None,
        resolution_elapsed_hours=age_minutes / 60 if resolution_hours is None and age_minutes is not None else None,
        ticket_id=ticket_id,
        customer_id=customer_id,
    )


def health_report(tickets: Sequence[TicketFacts], policy: Policies, as_of: datetime) -> SlaHealthReport:
    """The health of ``tickets``; breaches are listed in their order, the first response before the resolution.

    Raises ``InvalidInput`` naming every faulty time as ``tickets[i].<field>``.
    """
    checks = Checks()
    for i, ticket in enumerate(tickets):
        _check(checks, f"tickets[{i}].", ticket)
    checks.done()

    total = dict.fromkeys(Priority, 0)
    breached = dict.fromkeys(Priority, 0)
    rated = dict.fromkeys(Priority, 0)
    breaches: list[TicketBreach] = []
    for ticket in tickets:
        found = _breaches(ticket, policy)
        breaches += [TicketBreach(ticket.ticket_id, ticket.customer_id, ticket.priority, b) for b in found]
        total[ticket.priority] += 1
        breached[ticket.priority] += bool(found)
        rated[ticket.priority] += bool(found) or ticket.resolution_hours is not None
    all_breached, all_rated = sum(breached.values()), sum(rated.values())
    return SlaHealthReport(
        as_of=as_of,
        total_tickets=len(tickets),
        total_breached=all_breached,
        rated_tickets=all_rated,
        breach_rate=all_breached / all_rated if all_rated else 0.0,
        by_priority=tuple(PriorityHealth(p, total[p], breached[p], rated[p]) for p in Priority),
        breaches=tuple(breaches),
        average_first_response_minutes=_mean([t.first_response_minutes for t in tickets]),
        average_resolution_hours=_mean([t.resolution_hours for t in tickets]),
        verdict=verdict(all_breached, all_rated),
        burn=_total_burn(tickets),
    )


def verdict(breached: int, rated: int) -> Verdict:
    """Healthy below 10 %, critical from 25 %, watch between; exact, and healthy when nothing is rated."""
    if breached * 100 < rated * WATCH_PERCENT or not rated:
        return Verdict.HEALTHY
    return Verdict.CRITICAL if breached * 100 >= rated * CRITICAL_PERCENT else Verdict.WATCH


@dataclass(frozen=True, slots=True)
class HealthTexts:
    """The words of a report, and the made-up tickets of its demonstration."""

    verdicts: Mapping[Verdict, Bilingual]
    no_tickets: Bilingual
    actions: Mapping[ReportAction, Bilingual]
    demo: tuple[TicketFacts, ...]

    def summary(self, report: SlaHealthReport) -> Bilingual:
        """The verdict in words, with what it asks for."""
        said = [self.verdicts[report.verdict] if report.total_tickets else self.no_tickets]
        said += [self.actions[action] for action in report.actions]
        return Bilingual(" ".join(s.ar for s in said), " ".join(s.en for s in said))


def load_health_texts(path: Path | None = None) -> HealthTexts:
    """Read ``sla_health.toml``. Raises ``TextsError`` with every fault."""
    file = TextsFile(path if path is not None else TEXTS_DIR / "sla_health.toml")
    texts = HealthTexts(
        verdicts=MappingProxyType({v: r.bilingual("text") for v, r in file.table("verdict").each(Verdict).items()}),
        no_tickets=file.table("no_tickets").bilingual("text"),
        actions=MappingProxyType({a: r.bilingual("text") for a, r in file.table("action").each(ReportAction).items()}),
        demo=tuple(_demo_ticket(row) for row in file.tables("demo")),
    )
    file.finish()
    return texts


def _demo_ticket(row: Reader) -> TicketFacts:
    resolution_minutes = row.optional_integer("resolution_minutes")
    return facts_from_age(
        row.member("priority", Priority),
        first_response_minutes=row.optional_integer("first_response_minutes"),
        resolution_hours=resolution_minutes / 60 if resolution_minutes is not None else None,
        age_minutes=row.optional_integer("age_minutes"),
        ticket_id=row.text("ticket_id"),
    )


def _in_order(events: Iterable[SlaEvent]) -> list[SlaEvent]:
    """By time of happening; at the same instant an opening first, then as recorded."""
    return sorted(events, key=lambda e: (e.occurred_at, e.type is not SlaEventType.OPENED, e.recorded_at))


def _check(checks: Checks, prefix: str, ticket: TicketFacts) -> None:
    for field, maximum in (
        ("first_response_minutes", MAX_FIRST_RESPONSE_MINUTES),
        ("resolution_hours", MAX_RESOLUTION_HOURS),
        ("first_response_elapsed_minutes", MAX_AGE_MINUTES),
        ("resolution_elapsed_hours", MAX_AGE_MINUTES / 60),
    ):
        checks.amount(prefix + field, getattr(ticket, field), maximum)


def _breaches(ticket: TicketFacts, policy: Policies) -> tuple[Breach, ...]:
    targets = policy[ticket.priority]
    minutes, hours = ticket.first_response_target_minutes, ticket.resolution_target_hours
    found = []
    for kind, target, stopped, elapsed in (
        (
            BreachKind.FIRST_RESPONSE,
            targets.first_response_minutes if minutes is None else minutes,
            ticket.first_response_minutes,
            ticket.first_response_elapsed_minutes,
        ),
        (
            BreachKind.RESOLUTION,
            targets.resolution_hours if hours is None else hours,
            ticket.resolution_hours,
            ticket.resolution_elapsed_hours,
        ),
    ):
        actual = elapsed if stopped is None else stopped
        if actual is not None and actual > target:
            found.append(Breach(kind, float(target), float(actual), open=stopped is None and not ticket.closed))
    return tuple(found)


def _total_burn(tickets: Iterable[TicketFacts]) -> Mapping[ClockKind, Burn]:
    counted = [ticket.burn for ticket in tickets if ticket.burn is not None]
    return MappingProxyType({kind: total_burn(burn[kind] for burn in counted) for kind in ClockKind})


def _mean(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return fsum(known) / len(known) if known else None
