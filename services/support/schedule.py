"""What follows from a ticket's clocks: when they press, when to look again, and the steps of the escalation ladder.

All of it is derived. `follow` brings it up to date after the events of a ticket changed; `fire_sla` answers to the timer of
a ticket, computes its clocks anew, and fires whatever was crossed and not fired yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.approvals import drafts
from services.domain.channels import Channel
from services.domain.drafts import DraftKind, NewDraft
from services.storage.database import Tx, UnitOfWork
from services.storage.timers import Timer, cancel_timer, set_timer, start_timer
from services.support import store
from services.support.domain.clocks import Clock, ClockKind, Crossing, clocks, crossed_rungs, next_rung
from services.support.domain.draft_texts import DraftTexts
from services.support.domain.events import Event, EventType
from services.support.domain.policy import PolicyBook, SlaPolicy
from services.support.domain.tickets import Escalation, Ticket, TicketEvent
from services.support.store import ClockSpan, Fired

TIMER_KIND = "sla"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What follows from the opening of a ticket."""

    first_response: ClockSpan
    resolution: ClockSpan
    look_at: datetime

    @property
    def first_response_due_at(self) -> datetime:
        return self.first_response.due_at


def beginning(ticket_id: str, customer_id: str, opened: Event, book: PolicyBook) -> Beginning:
    """What follows from an opening: the same as `follow` would find, computed without going through its events."""
    assert opened.priority is not None
    at = opened.occurred_at
    policy = book.policy_at(at).policies[opened.priority]
    spans = [_opening_span(ticket_id, customer_id, kind, opened, policy) for kind in _FROM_OPENING]
    steps = [_after(policy, at, policy.ladder[0].part_of(policy.target(kind))) for kind in _FROM_OPENING]
    return Beginning(spans[0], spans[1], min(steps))


def begin(tx: Tx, begun: Beginning) -> None:
    """Stores what follows from an opening."""
    store.insert_two_spans(tx, begun.first_response, begun.resolution)
    start_timer(tx, timer_id(begun.first_response.ticket_id), TIMER_KIND, begun.look_at)


def follow(unit: UnitOfWork, ticket: Ticket, events: Sequence[Event], book: PolicyBook) -> None:
    """Brings spans, timer and escalations up to date with a ticket's events, as of now."""
    found = clocks(events, book, unit.now)
    _renew_spans(unit, ticket, found)
    fired = store.escalations_of(unit.tx, ticket.ticket_id)
    _set_timer(unit, ticket.ticket_id, found, fired)
    _withdraw_settled(unit, found, fired)


def fire_sla(unit: UnitOfWork, timer: Timer, book: PolicyBook, texts: DraftTexts) -> None:
    """Answers to a ticket's timer: fires each step that a clock crossed and that was not fired yet, exactly once.

    What was crossed while nobody looked is fired now, with the moment of crossing as the time of the event.
    """
    ticket_id = timer.timer_id.split("/")[1]
    ticket = store.get_ticket(unit.tx, ticket_id)
    if ticket is None:
        return
    events = store.events_of(unit.tx, ticket_id)
    found = clocks(events, book, unit.now)
    fired = store.escalations_of(unit.tx, ticket_id)
    last = max((event.sequence for event in events), default=0)
    for sequence, (clock, crossing) in enumerate(_to_fire(found, fired, unit.now), last + 1):
        fired.append(_fire(unit, ticket, clock, crossing, sequence, texts))
    _renew_spans(unit, ticket, found)
    _set_timer(unit, ticket_id, found, fired)
    _withdraw_settled(unit, found, fired)


def answer_due_at(tx: Tx, ticket_id: str) -> datetime | None:
    """When the customer's oldest unanswered message is due to be answered; None where none waits."""
    due = [span.due_at for span in store.open_spans(tx, ticket_id) if span.kind is ClockKind.NEXT_RESPONSE]
    return min(due, default=None)


def timer_id(ticket_id: str) -> str:
    """The one timer of a ticket."""
    return f"ticket/{ticket_id}/{TIMER_KIND}"


_FROM_OPENING = (ClockKind.FIRST_RESPONSE, ClockKind.RESOLUTION)


def _opening_span(ticket_id: str, customer_id: str, kind: ClockKind, opened: Event, policy: SlaPolicy) -> ClockSpan:
    target, at = policy.target(kind), opened.occurred_at
    due_at = _after(policy, at, target)
    return ClockSpan(
        ticket_id=ticket_id,
        kind=kind,
        instance=opened.event_id,
        since=at,
        at_risk_at=_after(policy, at, target * policy.at_risk_percent // 100),
        due_at=due_at,
        late_after=due_at if policy.calendar.round_the_clock else policy.calendar.last_within(at, target),
        priority=policy.priority,
        customer_id=customer_id,
        owner=policy.escalation_owner.value,
    )


def _after(policy: SlaPolicy, at: datetime, time: timedelta) -> datetime:
    """When so much of the policy's time has passed; every ticket that is opened asks this six times."""
    return at + time if policy.calendar.round_the_clock else policy.calendar.add_working(at, time)


def _span(clock: Clock, ticket: Ticket, now: datetime) -> ClockSpan | None:
    """When a clock presses; None for one that does not run."""
    if not clock.runs or clock.at_risk_at is None or clock.due_at is None or clock.late_after is None:
        return None
    return ClockSpan(
        ticket_id=ticket.ticket_id,
        kind=clock.kind,
        instance=clock.instance,
        since=now,
        at_risk_at=clock.at_risk_at,
        due_at=clock.due_at,
        late_after=clock.late_after,
        priority=clock.priority,
        customer_id=ticket.customer_id,
        owner=clock.policy.escalation_owner.value,
    )


def _renew_spans(unit: UnitOfWork, ticket: Ticket, found: Sequence[Clock]) -> None:
    wanted = {(span.kind, span.instance): span for clock in found if (span := _span(clock, ticket, unit.now))}
    for span in store.open_spans(unit.tx, ticket.ticket_id):
        now = wanted.get((span.kind, span.instance))
        if now is not None and now.same_course(span):
            del wanted[(span.kind, span.instance)]
        else:
            store.end_span(unit.tx, span, unit.now)
    for span in wanted.values():
        store.insert_span(unit.tx, span)


def _to_fire(found: Sequence[Clock], fired: Sequence[Fired], now: datetime) -> list[tuple[Clock, Crossing]]:
    """What was crossed by now and not fired, in the order of crossing."""
    known = {(each.kind, each.instance, each.priority, each.percent) for each in fired}
    return sorted(
        (
            (clock, crossing)
            for clock in found
            for crossing in crossed_rungs(clock, now)
            if (clock.kind, clock.instance, clock.priority, crossing.rung.percent) not in known
        ),
        key=lambda pair: (pair[1].at, pair[0].kind, pair[1].rung.percent),
    )


def _set_timer(unit: UnitOfWork, ticket_id: str, found: Sequence[Clock], fired: Sequence[Fired]) -> None:
    """When to look at the ticket again: at once for what was crossed already, else when the next step is reached."""
    if _to_fire(found, fired, unit.now):
        set_timer(unit.tx, timer_id(ticket_id), TIMER_KIND, unit.now)
        return
    coming = [crossing.at for clock in found if (crossing := next_rung(clock)) is not None]
    if coming:
        set_timer(unit.tx, timer_id(ticket_id), TIMER_KIND, min(coming))
    else:
        cancel_timer(unit.tx, timer_id(ticket_id))


def _fire(
    unit: UnitOfWork, ticket: Ticket, clock: Clock, crossing: Crossing, sequence: int, texts: DraftTexts
) -> Fired:
    rung = crossing.rung
    due_at = clock.due_at or crossing.at
    notice = texts.escalation(clock.kind, clock.priority, rung.percent, rung.role, due_at)
    draft = drafts.create(
        unit,
        NewDraft(
            kind=DraftKind.ESCALATION,
            subject=f"ticket/{ticket.ticket_id}",
            customer_id=ticket.customer_id,
            channel=Channel.INTERNAL,
            title=notice.title,
            body=notice.body,
            due_at=due_at if due_at > unit.now else None,
        ),
    )
    event = Event(EventType.ESCALATED, crossing.at, unit.now, unit.new_id("evt"), sequence=sequence)
    step = Escalation(clock.kind, clock.instance, clock.priority, rung.percent, rung.role)
    store.insert_event(
        unit.tx, TicketEvent(ticket.ticket_id, event, unit.actor, escalation=step, draft_id=draft.draft_id)
    )
    fired = Fired(
        ticket_id=ticket.ticket_id,
        kind=clock.kind,
        instance=clock.instance,
        priority=clock.priority,
        percent=rung.percent,
        event_id=event.event_id,
        draft_id=draft.draft_id,
        crossed_at=crossing.at,
        recorded_at=unit.now,
    )
    store.insert_escalation(unit.tx, fired)
    unit.record(
        "ticket.escalated",
        f"ticket/{ticket.ticket_id}",
        fields=("events",),
        attributes={
            "clock": clock.kind.value,
            "instance": clock.instance,
            "priority": clock.priority.value,
            "percent": str(rung.percent),
            "role": rung.role.value,
            "event_id": event.event_id,
            "draft_id": draft.draft_id,
            "cross_time": crossing.at.isoformat(timespec="microseconds"),
            "state": ticket.state.value,
            "revision": str(ticket.revision),
        },
    )
    return fired


def _withdraw_settled(unit: UnitOfWork, found: Sequence[Clock], fired: Sequence[Fired]) -> None:
    """Takes back what still waits to be told about a clock that has stopped."""
    if not fired:
        return
    stopped = {(clock.kind, clock.instance) for clock in found if clock.stopped_at is not None}
    for each in fired:
        if (each.kind, each.instance) in stopped:
            drafts.withdraw(unit, each.draft_id)
