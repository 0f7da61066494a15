"""The clocks of a ticket, computed from its append-only events and the policy at an ``as_of``; none is ever stored.

**First response**: from the opening to the first response that a person recorded as sent. Nothing pauses it, and resolving
the ticket does not stop it; closing does.

**Next response**: one for each oldest message of the customer that is unanswered after the first response, until a reply is
recorded as sent. Nothing pauses it. Resolving the ticket stops it: the customer reopens it if the matter is not settled.

**Resolution**: from the opening to the resolution. Stands still while the ticket waits on the customer or a third party,
and between a resolution and a reopening. Waiting for our own approver pauses nothing.

All times are working time of the policy's calendar. A target that is reached exactly is kept. A raised priority moves the
targets of all clocks that run, counted from their original start; what has stopped stays as it was judged when it stopped.
Since a more urgent priority has shorter targets and works at least at the same hours, a raise never takes back a breach.

Events that make no sense where they stand (resumed while running) change nothing: ``lifecycle`` keeps them out, and a view
of the past may hold half of a pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.support.domain.calendars import Calendar
from services.support.domain.events import Event, EventType, WaitsOn, known
from services.support.domain.policy import ClockKind, PolicyBook, PolicyVersion, Rung, SlaPolicy
from services.support.domain.priorities import Priority, urgency

__all__ = [
    "Burn",
    "Clock",
    "ClockKind",
    "ClockState",
    "Crossing",
    "Party",
    "Span",
    "clocks",
    "crossed_rungs",
    "next_rung",
    "total_burn",
]


class ClockState(StrEnum):
    """AT_RISK is a running clock near its target. BREACHED may still run; MET and CANCELLED have stopped in time."""

    NOT_STARTED = "not_started"
    RUNNING = "running"
    PAUSED = "paused"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    MET = "met"
    CANCELLED = "cancelled"


class Party(StrEnum):
    """Who burns the time: we, our own approver while a draft to the customer waits, or whom the ticket waits on."""

    US = "us"
    OUR_APPROVER = "our_approver"
    CUSTOMER = "customer"
    THIRD_PARTY = "third_party"


@dataclass(frozen=True, slots=True)
class Burn:
    """Working time by party. Ours and the approver's are together what the clock ran; the others' is what it stood."""

    us: timedelta = timedelta()
    our_approver: timedelta = timedelta()
    customer: timedelta = timedelta()
    third_party: timedelta = timedelta()

    def of(self, party: Party) -> timedelta:
        found: timedelta = getattr(self, party.value)
        return found


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in which a clock ran, half-open; ``end`` is None while it still does."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock at ``as_of``. Times are UTC.

    ``instance`` is the id of the event that started it. ``target``, ``priority`` and ``policy_version`` are those that
    hold, or held when it stopped; ``target_since`` is when they came to hold. ``elapsed`` is what has run. ``fulfilled``: it
    stopped because what was promised was done, in time or not.

    The moments to come look ahead as if a running clock ran on, and a stopped one had; a paused clock has only those that
    it has passed, the others are None.
    """

    kind: ClockKind
    instance: str
    state: ClockState
    as_of: datetime
    priority: Priority
    policy_version: str
    target: timedelta
    target_since: datetime | None
    started_at: datetime | None
    stopped_at: datetime | None
    fulfilled: bool
    elapsed: timedelta
    burn: Burn
    spans: tuple[Span, ...] = field(repr=False)
    policy: SlaPolicy = field(repr=False, compare=False)

    @property
    def at_risk_at(self) -> datetime | None:
        """The first moment at which it is at risk."""
        return self._reaches(self.target * self.policy.at_risk_percent // 100)

    @property
    def due_at(self) -> datetime | None:
        """The first moment at which the target has passed."""
        return self._reaches(self.target)

    @property
    def late_after(self) -> datetime | None:
        """The last moment that keeps the promise: the clock is breached at exactly the moments after it.

        With a working calendar later than ``due_at`` where the time is up just as people stop working.
        """
        return _reached(self._ahead(), self.policy.calendar, self.target, latest=True)

    def _reaches(self, amount: timedelta) -> datetime | None:
        return _reached(self._ahead(), self.policy.calendar, amount)

    def _ahead(self) -> tuple[Span, ...]:
        # A clock that stopped would have gone on from there, also where it stood just then; one that stands goes on nowhere.
        return self.spans if self.stopped_at is None else (*self.spans, Span(self.stopped_at, None))

    @property
    def remaining(self) -> timedelta:
        """What is left of the target; negative is what it is over by."""
        return self.target - self.elapsed

    @property
    def runs(self) -> bool:
        """Whether time passes on it now."""
        return bool(self.spans) and self.spans[-1].end is None


@dataclass(frozen=True, slots=True)
class Crossing:
    """A rung of the ladder and the moment at which a clock reached it, or will if it runs on."""

    rung: Rung
    at: datetime


def clocks(events: Iterable[Event], book: PolicyBook, as_of: datetime) -> tuple[Clock, ...]:
    """Every clock of one ticket as it stood at ``as_of``, from what had happened and was recorded by then.

    The first response, the next responses in the order in which they began (one that has not started where there has been
    none yet), the resolution. None at all when the ticket was not open then. Asked again later, the answer is the same.

    Raises ``InvalidInput`` for a ticket that was opened before the first policy.
    """
    life: _Life | None = None
    for event in known(events, as_of):
        if life is None:
            if event.type is EventType.OPENED:
                life = _Life(event, book.policy_at(event.occurred_at))
        else:
            life.take(event)
    return () if life is None else tuple(life.clocks(as_of))


def crossed_rungs(clock: Clock, as_of: datetime | None = None) -> tuple[Crossing, ...]:
    """The rungs that the clock had reached by ``as_of`` (default: its own), each with the exact moment, in their order.

    With a later ``as_of`` than its own a clock that runs is taken to have run on, and one that stands to have stood.
    A clock that stopped reached only what lay before it stopped: an answer at that very moment is in time. After a raised
    priority, what the shorter target had left behind is reached at the raise.
    """
    limit = clock.as_of if as_of is None else as_of
    return tuple(
        crossing
        for crossing in _crossings(clock)
        if crossing.at <= limit and (clock.stopped_at is None or crossing.at < clock.stopped_at)
    )


def next_rung(clock: Clock) -> Crossing | None:
    """The next rung that the clock reaches after its ``as_of`` if it runs on; None when it stands or has passed all."""
    if not clock.runs:
        return None
    return next((crossing for crossing in _crossings(clock) if crossing.at > clock.as_of), None)


def total_burn(found: Iterable[Burn]) -> Burn:
    """The sum of all, by party."""
    us = our_approver = customer = third_party = timedelta()
    for burn in found:
        us += burn.us
        our_approver += burn.our_approver
        customer += burn.customer
        third_party += burn.third_party
    return Burn(us, our_approver, customer, third_party)


def _crossings(clock: Clock) -> Iterator[Crossing]:
    """Every rung that was reached, and with a running clock those to come."""
    for rung in clock.policy.ladder:
        at = _reached(clock.spans, clock.policy.calendar, rung.part_of(clock.target))
        if at is None or clock.target_since is None:
            return
        yield Crossing(rung, max(at, clock.target_since))


def _reached(spans: Iterable[Span], calendar: Calendar, amount: timedelta, *, latest: bool = False) -> datetime | None:
    """When the spans have held so much working time, the last one running on if it is open; None if they do not.

    ``latest``: the last moment at which they have held no more.
    """
    for span in spans:
        if span.end is not None:
            held = calendar.working_between(span.start, span.end)
            if held < amount or (held == amount and latest):
                amount -= held
                continue
        return calendar.last_within(span.start, amount) if latest else calendar.add_working(span.start, amount)
    return None


@dataclass(slots=True)
class _Run:
    """A clock as it is being put together: its stretches, each with who burns it, and whether it stopped."""

    kind: ClockKind
    instance: str
    started_at: datetime
    policy: SlaPolicy
    target_since: datetime
    ran: list[tuple[datetime, datetime | None, Party]] = field(default_factory=list)
    stopped_at: datetime | None = None
    cancelled: bool = False

    def charge(self, party: Party | None, at: datetime) -> None:
        """From ``at`` on ``party`` burns the time; None: nobody does."""
        if self.ran and self.ran[-1][1] is None:
            start, _, before = self.ran.pop()
            if before is party:
                self.ran.append((start, None, before))
                return
            if start < at:
                self.ran.append((start, at, before))
        if party is not None:
            self.ran.append((at, None, party))

    def stop(self, at: datetime, *, cancelled: bool = False) -> None:
        self.charge(None, at)
        self.stopped_at, self.cancelled = at, cancelled

    def clock(self, version: str, as_of: datetime) -> Clock:
        calendar, target = self.policy.calendar, self.policy.target(self.kind)
        burnt = dict.fromkeys(Party, timedelta())
        for start, end, party in self.ran:
            burnt[party] += calendar.working_between(start, as_of if end is None else end)
        spans = tuple(_joined((start, end) for start, end, party in self.ran if party in _OURS))
        elapsed = burnt[Party.US] + burnt[Party.OUR_APPROVER]
        at_risk = target * self.policy.at_risk_percent // 100
        return Clock(
            kind=self.kind,
            instance=self.instance,
            state=self._state(elapsed, target, at_risk),
            as_of=as_of,
            priority=self.policy.priority,
            policy_version=version,
            target=target,
            target_since=self.target_since,
            started_at=self.started_at,
            stopped_at=self.stopped_at,
            fulfilled=self.stopped_at is not None and not self.cancelled,
            elapsed=elapsed,
            burn=Burn(*(burnt[party] for party in Party)),
            spans=spans,
            policy=self.policy,
        )

    def _state(self, elapsed: timedelta, target: timedelta, at_risk: timedelta) -> ClockState:
        if elapsed > target:
            return ClockState.BREACHED
        if self.stopped_at is not None:
            return ClockState.CANCELLED if self.cancelled else ClockState.MET
        if not self.ran or self.ran[-1][2] not in _OURS:
            return ClockState.PAUSED
        return ClockState.AT_RISK if elapsed >= at_risk else ClockState.RUNNING


_OURS = frozenset({Party.US, Party.OUR_APPROVER})


class _Life:
    """A ticket from its opening on, event by event."""

    def __init__(self, opened: Event, version: PolicyVersion) -> None:
        assert opened.priority is not None
        self._version = version
        self._policy = version.policies[opened.priority]
        self._since = opened.occurred_at
        self._waits_on: WaitsOn | None = None
        self._pending: set[str] = set()
        self._resolved = self._closed = False
        # A message that came in while the ticket was resolved: answering it is due again from the reopening on.
        self._held: Event | None = None
        self._first = self._start(ClockKind.FIRST_RESPONSE, opened.event_id, opened.occurred_at)
        self._resolution = self._start(ClockKind.RESOLUTION, opened.event_id, opened.occurred_at)
        self._next: list[_Run] = []
        self._burn_from(opened.occurred_at)

    def take(self, event: Event) -> None:
        """One more event, in the order of happening."""
        if self._closed:
            return
        at = event.occurred_at
        match event.type:
            case EventType.FIRST_RESPONSE:
                if self._first.stopped_at is None:
                    self._first.stop(at)
            case EventType.CUSTOMER_MESSAGE:
                if self._resolved:
                    self._held = self._held or event
                else:
                    self._answer_due(event, at)
            case EventType.REPLY_SENT:
                self._held = None
                unanswered = self._unanswered()
                if unanswered is not None:
                    unanswered.stop(at)
            case EventType.PAUSED:
                if not self._resolved and self._waits_on is None:
                    self._waits_on = event.waits_on
            case EventType.RESUMED:
                self._waits_on = None
            case EventType.RESOLVED:
                if not self._resolved:
                    self._resolved, self._waits_on = True, None
                    self._resolution.stop(at)
                    unanswered = self._unanswered()
                    if unanswered is not None:
                        unanswered.stop(at, cancelled=True)
            case EventType.REOPENED:
                if self._resolved:
                    self._reopen(at)
            case EventType.PRIORITY_RAISED:
                self._raise(event)
            case EventType.CLOSED:
                self._close(at)
            case EventType.DRAFT_PENDING:
                self._pending.add(event.draft_id)
            case EventType.DRAFT_DECIDED:
                self._pending.discard(event.draft_id)
            case EventType.OPENED | EventType.ESCALATED | EventType.CUSTOMER_THANKS:
                return
        self._burn_from(at)

    def clocks(self, as_of: datetime) -> Iterator[Clock]:
        version = self._version.version
        yield self._first.clock(version, as_of)
        for run in self._next:
            yield run.clock(version, as_of)
        if not self._next and not self._resolved and not self._closed:
            yield self._not_started(as_of)
        yield self._resolution.clock(version, as_of)

    def _reopen(self, at: datetime) -> None:
        self._resolved = False
        self._resolution.stopped_at = None
        if self._resolution.policy is not self._policy:
            self._resolution.policy, self._resolution.target_since = self._policy, at
        if self._held is not None:
            self._answer_due(self._held, at)
            self._held = None

    def _answer_due(self, message: Event, since: datetime) -> None:
        if self._first.stopped_at is not None and self._unanswered() is None:
            self._next.append(self._start(ClockKind.NEXT_RESPONSE, message.event_id, since))

    def _raise(self, event: Event) -> None:
        assert event.priority is not None
        if urgency(event.priority) >= urgency(self._policy.priority):
            return
        self._policy, self._since = self._version.policies[event.priority], event.occurred_at
        for run in (self._first, *self._next, self._resolution):
            if run.stopped_at is None:
                run.policy, run.target_since = self._policy, self._since

    def _close(self, at: datetime) -> None:
        self._closed = True
        for run in (self._first, *self._next, self._resolution):
            if run.stopped_at is None:
                run.stop(at, cancelled=True)

    def _burn_from(self, at: datetime) -> None:
        ours = Party.OUR_APPROVER if self._pending else Party.US
        for run in (self._first, *self._next):
            if run.stopped_at is None:
                run.charge(ours, at)
        if self._resolution.stopped_at is None:
            self._resolution.charge(ours if self._waits_on is None else Party(self._waits_on.value), at)

    def _unanswered(self) -> _Run | None:
        return self._next[-1] if self._next and self._next[-1].stopped_at is None else None

    def _start(self, kind: ClockKind, instance: str, at: datetime) -> _Run:
        return _Run(kind, instance, at, self._policy, max(at, self._since))

    def _not_started(self, as_of: datetime) -> Clock:
        return Clock(
            kind=ClockKind.NEXT_RESPONSE,
            instance="",
            state=ClockState.NOT_STARTED,
            as_of=as_of,
            priority=self._policy.priority,
            policy_version=self._version.version,
            target=self._policy.target(ClockKind.NEXT_RESPONSE),
            target_since=None,
            started_at=None,
            stopped_at=None,
            fulfilled=False,
            elapsed=timedelta(),
            burn=Burn(),
            spans=(),
            policy=self._policy,
        )


def _joined(stretches: Iterable[tuple[datetime, datetime | None]]) -> Iterator[Span]:
    """Stretches that follow each other without a gap, made one."""
    span: Span | None = None
    for start, end in stretches:
        if span is not None and span.end == start:
            span = Span(span.start, end)
        else:
            if span is not None:
                yield span
            span = Span(start, end)
    if span is not None:
        yield span
