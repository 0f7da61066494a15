"""Breaches and health: what the clocks of many tickets come to, and what given times break.

A promise is broken when the first response took more minutes, or the resolution more hours, than the target; equal is kept.
Times are the clocks' working time (see ``clocks``), so a report for a moment in the past stays the same.
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
from services.domain.errors import AlreadyExists, PreconditionFailed
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
    """It happened before, and happens once. Metadata: ``ticket_id``, ``type``, ``event_id``."""

    reason: ClassVar[str] = "SLA_EVENT_EXISTS"


class SlaEventNotAllowed(PreconditionFailed):
    """The ticket is not in a state for it. Metadata: ``ticket_id``, ``state`` (TicketState), ``type``."""

    reason: ClassVar[str] = "SLA_EVENT_NOT_ALLOWED"


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
        closed=any(clock.stopped_at is not None and not clock.fulfilled for clock in (first, resolution)),
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
