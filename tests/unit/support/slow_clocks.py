"""The clocks of a ticket, counted minute by minute: slow, and written without a look at how the service does it.

Everything happens at whole minutes. Each clock keeps a list of the minutes in which it ran and of those in which it stood,
with whom it had to thank for them; every answer is read off by counting those of them in which people work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import islice

from services.support.domain.calendars import Calendar
from services.support.domain.events import Event
from services.support.domain.policy import SlaPolicy
from services.support.domain.priorities import Priority

MINUTE = timedelta(minutes=1)
RIYADH = timezone(timedelta(hours=3))
# How far the minutes are written down; nothing that is asked lies beyond.
DAYS = 12
HORIZON = DAYS * 1440
# No target, nor a rung beyond one, is longer than this.
LONGEST = 400

TARGETS = {
    "first_response": lambda policy: policy.first_response_minutes,
    "next_response": lambda policy: policy.next_response_minutes,
    "resolution": lambda policy: policy.resolution_hours * 60,
}


@dataclass
class SlowClock:
    """One clock: minutes ``ran`` and ``stood``, each with whom."""

    kind: str
    instance: str
    start: int
    priority: Priority
    since: int
    ran: list[tuple[int, str]] = field(default_factory=list)
    stood: list[tuple[int, str]] = field(default_factory=list)
    standing: bool = False
    stop: int | None = None
    cancelled: bool = False


class SlowTicket:
    """A ticket in ``start`` plus whole minutes, as it was known at minute ``as_of``."""

    def __init__(
        self, start: datetime, policies: Mapping[Priority, SlaPolicy], events: Sequence[Event], as_of: int
    ) -> None:
        self.start, self.policies, self.as_of = start, policies, as_of
        self.bitmaps = {p: self._bitmap(policy.calendar) for p, policy in policies.items()}
        self.clocks: list[SlowClock] = []
        self.priority: Priority | None = None
        self.waits = ""
        self.drafts: set[str] = set()
        self.resolved = self.closed = False
        self.unread: Event | None = None
        happening: dict[int, list[Event]] = {}
        for event in sorted(events, key=lambda e: (e.type != "opened", e.sequence)):
            if event.recorded_at <= start + as_of * MINUTE:
                happening.setdefault((event.occurred_at - start) // MINUTE, []).append(event)
        for minute in range(as_of + 1):
            for event in happening.get(minute, ()):
                self._happens(event, minute)
            if minute < as_of:
                self._passes(minute)

    def _bitmap(self, calendar: Calendar) -> bytearray:
        """Whether people work, for every minute up to the horizon."""
        local = self.start.astimezone(RIYADH)
        begin = local.hour * 60 + local.minute
        found = bytearray()
        for day in range(DAYS + 1):
            date = local.date() + timedelta(days=day)
            hours = calendar.dates.get(date, calendar.week[date.weekday()])
            works = bytearray(1440)
            for first, last in hours:
                works[first:last] = bytes([1]) * (last - first)
            found += works
        return found[begin : begin + HORIZON]

    def _open(self, kind: str) -> list[SlowClock]:
        return [clock for clock in self.clocks if clock.kind == kind and clock.stop is None]

    def _begin(self, kind: str, instance: str, minute: int) -> None:
        assert self.priority is not None
        self.clocks.append(SlowClock(kind, instance, minute, self.priority, minute))

    def _happens(self, event: Event, minute: int) -> None:
        kind = event.type.value
        if self.priority is None:
            if kind == "opened":
                self.priority = event.priority
                self._begin("first_response", event.event_id, minute)
                self._begin("resolution", event.event_id, minute)
            return
        if self.closed:
            return
        answered = not self._open("first_response")
        if kind == "first_response" and not answered:
            self._open("first_response")[0].stop = minute
        elif kind == "customer_message":
            if self.resolved:
                self.unread = self.unread or event
            elif answered and not self._open("next_response"):
                self._begin("next_response", event.event_id, minute)
        elif kind == "reply_sent":
            self.unread = None
            for clock in self._open("next_response"):
                clock.stop = minute
        elif kind == "paused" and not self.resolved and not self.waits:
            assert event.waits_on is not None
            self.waits = event.waits_on.value
        elif kind == "resumed":
            self.waits = ""
        elif kind == "resolved" and not self.resolved:
            self.resolved, self.waits = True, ""
            self._open("resolution")[0].stop = minute
            for clock in self._open("next_response"):
                clock.stop, clock.cancelled = minute, True
        elif kind == "reopened" and self.resolved:
            self.resolved = False
            clock = next(c for c in self.clocks if c.kind == "resolution")
            clock.stop = None
            if clock.priority is not self.priority:
                clock.priority, clock.since = self.priority, minute
            if self.unread is not None and answered and not self._open("next_response"):
                self._begin("next_response", self.unread.event_id, minute)
            self.unread = None
        elif kind == "priority_raised" and event.priority is not None and event.priority < self.priority:
            self.priority = event.priority
            for clock in self.clocks:
                if clock.stop is None:
                    clock.priority, clock.since = event.priority, minute
        elif kind == "closed":
            self.closed = True
            for clock in self.clocks:
                if clock.stop is None:
                    clock.stop, clock.cancelled = minute, True
        elif kind == "draft_pending":
            self.drafts.add(event.draft_id)
        elif kind == "draft_decided":
            self.drafts.discard(event.draft_id)

    def _passes(self, minute: int) -> None:
        ours = "our_approver" if self.drafts else "us"
        for clock in self.clocks:
            if clock.stop is None:
                if clock.kind == "resolution" and self.waits:
                    clock.stood.append((minute, self.waits))
                else:
                    clock.ran.append((minute, ours))

    # --- answers --------------------------------------------------------------------------------------------------------

    def target(self, clock: SlowClock) -> int:
        return TARGETS[clock.kind](self.policies[clock.priority])

    def worked(self, clock: SlowClock) -> list[int]:
        """The minutes that count."""
        works = self.bitmaps[clock.priority]
        return [minute for minute, _ in clock.ran if works[minute]]

    def ahead(self, clock: SlowClock) -> list[int]:
        """The same, and all that would count if it ran on, or had run on when it stopped."""
        if clock.stop is None and not self.runs(clock):
            return self.worked(clock)
        works = self.bitmaps[clock.priority]
        last = self.as_of if clock.stop is None else clock.stop
        later = (minute for minute in range(last, HORIZON) if works[minute])
        return [*self.worked(clock), *islice(later, LONGEST)]

    def runs(self, clock: SlowClock) -> bool:
        return clock.stop is None and not (clock.kind == "resolution" and self.waits)

    def burn(self, clock: SlowClock) -> dict[str, int]:
        works = self.bitmaps[clock.priority]
        found = dict.fromkeys(("us", "our_approver", "customer", "third_party"), 0)
        for minute, party in (*clock.ran, *clock.stood):
            found[party] += works[minute]
        return found

    def state(self, clock: SlowClock) -> str:
        elapsed, target = len(self.worked(clock)), self.target(clock)
        if elapsed > target:
            return "breached"
        if clock.stop is not None:
            return "cancelled" if clock.cancelled else "met"
        if not self.runs(clock):
            return "paused"
        return "at_risk" if elapsed * 100 >= target * self.policies[clock.priority].at_risk_percent else "running"

    def first_at(self, clock: SlowClock, amount: int) -> int | None:
        """The first minute by which ``amount`` has passed."""
        counted = self.ahead(clock)
        return counted[amount - 1] + 1 if len(counted) >= amount else None

    def last_at(self, clock: SlowClock, amount: int) -> int | None:
        """The last minute by which no more than ``amount`` has passed."""
        counted = self.ahead(clock)
        return counted[amount] if len(counted) > amount else None

    def rungs(self, clock: SlowClock) -> list[tuple[int, int]]:
        """Every rung with its minute, where the minutes so far, or those of a clock that runs on, hold it."""
        counted = self.ahead(clock) if self.runs(clock) else self.worked(clock)
        found = []
        for rung in self.policies[clock.priority].ladder:
            amount = self.target(clock) * rung.percent // 100
            if len(counted) >= amount:
                found.append((rung.percent, max(counted[amount - 1] + 1, clock.since)))
        return found
