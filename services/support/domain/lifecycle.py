"""The life of a ticket: which event may happen in which state, and what each of people's actions makes happen.

    new → awaiting_first_response → in_progress ↔ waiting → resolved → closed

A resolved ticket reopens when the customer writes within seven days, also on the last of them to the very moment, whenever
that is recorded; later, and on a closed one, a new ticket follows it up. Escalated is an event, not a state.

The state is nothing but what the events make of it in the order in which they happened. An action may be recorded late: what
it adds must make sense at its place, and everything after it must still make sense then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Final, assert_never

from services.domain.actors import ActorLike
from services.domain.channels import Channel
from services.domain.errors import InvalidInput, PersonRequired, PreconditionFailed, Violation
from services.support.domain.events import Event, EventType, WaitsOn, in_order
from services.support.domain.priorities import Priority, urgency
from services.support.domain.sla import SlaEventExists, SlaEventNotAllowed
from services.support.domain.tickets import TicketState, moment_faults

REOPENS_WITHIN: Final = timedelta(days=7)
"""From when the resolution was recorded, which is when the customer can have heard of it."""


class FollowUpRequired(PreconditionFailed):
    """The ticket does not reopen any more: open another that follows it. Metadata: ``ticket_id``, ``state``."""

    reason: ClassVar[str] = "TICKET_FOLLOW_UP_REQUIRED"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the events so far make of a ticket.

    ``since``: when it came into its state. ``resolution_known_at``: when the resolution that stands was recorded.
    ``waits_on`` and the times of what is not the case are None.
    """

    state: TicketState = TicketState.NEW
    since: datetime | None = None
    opened_at: datetime | None = None
    priority: Priority | None = None
    first_response_at: datetime | None = None
    waits_on: WaitsOn | None = None
    resolved_at: datetime | None = None
    resolution_known_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """What an action makes happen: the events to append, numbered but without ids, and how the ticket stands then."""

    events: tuple[Event, ...]
    standing: Standing

    @property
    def state(self) -> TicketState:
        return self.standing.state


# --- what people and the clock do -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordFirstResponse:
    """A person records that the first response was sent."""

    sent_at: datetime


@dataclass(frozen=True, slots=True)
class RecordReply:
    """A person records that a later reply was sent."""

    sent_at: datetime


@dataclass(frozen=True, slots=True)
class ReceiveMessage:
    """The customer wrote; ``thanks``: nothing but thanks. ``received_at`` None means now."""

    thanks: bool = False
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """The ticket waits on somebody outside, with a reason; ``at`` None means now, here and below."""

    on: WaitsOn
    reason: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """What was waited for is there."""

    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """The matter is solved."""

    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """The customer confirmed that it is solved: who, how and when."""

    confirmed_by: str
    channel: Channel
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class RaisePriority:
    """A person makes the ticket more urgent, with a reason."""

    to: Priority
    reason: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """Somebody, or a clock, calls on others. ``at`` may lie back: when a rung was reached."""

    at: datetime | None = None


Action = RecordFirstResponse | RecordReply | ReceiveMessage | Wait | Resume | Resolve | Close | RaisePriority | Escalate

_BY_PERSONS: Mapping[type, str] = MappingProxyType(
    {
        RecordFirstResponse: "record_first_response",
        RecordReply: "record_reply",
        RaisePriority: "raise_priority",
        Close: "close_ticket",
    }
)

# --- the table --------------------------------------------------------------------------------------------------------

_S = TicketState
_STAYS = {s: s for s in (_S.AWAITING_FIRST_RESPONSE, _S.IN_PROGRESS, _S.WAITING, _S.RESOLVED)}

MOVES: Mapping[EventType, Mapping[TicketState, TicketState]] = MappingProxyType(
    {
        EventType.OPENED: {_S.NEW: _S.AWAITING_FIRST_RESPONSE},
        EventType.FIRST_RESPONSE: {_S.AWAITING_FIRST_RESPONSE: _S.IN_PROGRESS, _S.RESOLVED: _S.RESOLVED},
        EventType.CUSTOMER_MESSAGE: _STAYS,
        EventType.CUSTOMER_THANKS: {**_STAYS, _S.CLOSED: _S.CLOSED},
        EventType.REPLY_SENT: {s: s for s in (_S.IN_PROGRESS, _S.WAITING, _S.RESOLVED)},
        EventType.PAUSED: {_S.IN_PROGRESS: _S.WAITING},
        EventType.RESUMED: {_S.WAITING: _S.IN_PROGRESS},
        EventType.PRIORITY_RAISED: {s: s for s in (_S.AWAITING_FIRST_RESPONSE, _S.IN_PROGRESS, _S.WAITING)},
        EventType.ESCALATED: _STAYS,
        EventType.RESOLVED: dict.fromkeys((_S.AWAITING_FIRST_RESPONSE, _S.IN_PROGRESS, _S.WAITING), _S.RESOLVED),
        # To AWAITING_FIRST_RESPONSE where none was sent before the resolution.
        EventType.REOPENED: {_S.RESOLVED: _S.IN_PROGRESS},
        EventType.CLOSED: {_S.RESOLVED: _S.CLOSED},
        # Drafts live beside the ticket: they tell who burns its time, and move nothing.
        EventType.DRAFT_PENDING: {s: s for s in TicketState},
        EventType.DRAFT_DECIDED: {s: s for s in TicketState},
    }
)
"""For each event the states that it may meet, and the state after it."""

_ONCE = frozenset({EventType.OPENED, EventType.FIRST_RESPONSE})


def standing(ticket_id: str, events: Iterable[Event]) -> Standing:
    """How a ticket stands after its events, in whatever order they come.

    Raises ``SlaEventExists`` (a second opening or first response; a second resolution without a reopening) or
    ``SlaEventNotAllowed`` with the state that the event would meet.
    """
    found = Standing()
    seen: dict[EventType, Event] = {}
    for event in in_order(events):
        earlier = seen.get(event.type)
        after = MOVES[event.type].get(found.state)
        again = event.type is EventType.RESOLVED and found.state is TicketState.RESOLVED
        if earlier is not None and (event.type in _ONCE or again):
            known = next((e for e in (earlier, event) if e.event_id), earlier)
            raise SlaEventExists(
                f"{event.type} exists already", ticket_id=ticket_id, type=event.type, event_id=known.event_id
            )
        # A reply before the first response would be the first response.
        if after is None or (event.type is EventType.REPLY_SENT and found.first_response_at is None):
            raise SlaEventNotAllowed(
                f"{event.type} is not allowed in state {found.state}",
                [("STATE", found.state, "")],
                ticket_id=ticket_id,
                state=found.state,
                type=event.type,
            )
        seen[event.type] = event
        found = _after(found, event, after)
    return found


def open_ticket(priority: Priority, now: datetime) -> Transition:
    """A new ticket at ``now``, whose first-response draft is made with it."""
    event = Event(EventType.OPENED, now, now, priority=priority, sequence=1)
    return Transition((event,), standing("", [event]))


def decide(ticket_id: str, events: Sequence[Event], action: Action, actor: ActorLike, now: datetime) -> Transition:
    """What ``action`` makes happen to the ticket with these stored ``events``.

    Raises, beside what `standing` raises: ``PersonRequired`` (sent records, raises and closings are people's),
    ``FollowUpRequired`` (a message to a closed ticket, or received more than seven days after the resolution) and
    ``InvalidInput`` with every fault: a moment in the future, before the opening or, of a confirmation, before the
    resolution; a priority that is no more urgent than the present one, a wait or a raise without a reason, a closing
    without who confirmed. A moment at which the action would leave no sense to what came after is a fault too, where it
    would be possible now.
    """
    needs_person = _BY_PERSONS.get(type(action))
    if needs_person is not None and actor.kind != "person":
        raise PersonRequired("actor must be a person", action=needs_person)
    before = standing(ticket_id, events)
    _check(before, action, now)
    last = max((event.sequence for event in events), default=0)
    made = _events(ticket_id, before, action, now)
    added = tuple(replace(event, sequence=number) for number, event in enumerate(made, last + 1))
    try:
        return Transition(added, standing(ticket_id, [*events, *added]))
    except (SlaEventExists, SlaEventNotAllowed):
        field, _ = _moment_of(action)
        text = f"does not fit what happened after it; must not lie before {_fits_from(ticket_id, events, added, now)}"
        raise InvalidInput([Violation(field, "OUT_OF_ORDER", text)]) from None


def reopens_until(resolution_known_at: datetime) -> datetime:
    """The last moment at which a message of the customer reopens a ticket."""
    return resolution_known_at + REOPENS_WITHIN


def _events(ticket_id: str, before: Standing, action: Action, now: datetime) -> list[Event]:
    def event(kind: EventType, at: datetime | None = None) -> Event:
        return Event(kind, now if at is None else at, now)

    match action:
        case RecordFirstResponse(sent_at):
            return [event(EventType.FIRST_RESPONSE, sent_at)]
        case RecordReply(sent_at):
            return [event(EventType.REPLY_SENT, sent_at)]
        case Wait(on, _, at):
            return [Event(EventType.PAUSED, now if at is None else at, now, waits_on=on)]
        case Resume(at):
            return [event(EventType.RESUMED, at)]
        case Resolve(at):
            return [event(EventType.RESOLVED, at)]
        case Close():
            return [event(EventType.CLOSED)]
        case RaisePriority(to):
            return [Event(EventType.PRIORITY_RAISED, now, now, priority=to)]
        case Escalate(at):
            return [event(EventType.ESCALATED, at)]
        case ReceiveMessage(thanks, received_at):
            return _message(ticket_id, before, thanks, received_at, now)
        case _:
            assert_never(action)


def _message(
    ticket_id: str, before: Standing, thanks: bool, received_at: datetime | None, now: datetime
) -> list[Event]:
    at = now if received_at is None else received_at
    if before.state in (TicketState.RESOLVED, TicketState.CLOSED):
        # Whoever resolved it did not know of the message: it counts from when it became known.
        if thanks:
            return [Event(EventType.CUSTOMER_THANKS, now, now)]
        known_at = before.resolution_known_at
        if before.state is TicketState.CLOSED or known_at is None or at > reopens_until(known_at):
            raise FollowUpRequired(
                "the ticket does not reopen any more; open one that follows it",
                [("STATE", before.state, "")],
                ticket_id=ticket_id,
                state=before.state,
            )
        return [Event(EventType.CUSTOMER_MESSAGE, now, now), Event(EventType.REOPENED, now, now)]
    kind = EventType.CUSTOMER_THANKS if thanks else EventType.CUSTOMER_MESSAGE
    if before.state is TicketState.WAITING:
        # No earlier than the wait itself.
        resumed_at = at if before.since is None else max(at, before.since)
        return [Event(kind, at, now), Event(EventType.RESUMED, resumed_at, now)]
    return [Event(kind, at, now)]


def _check(before: Standing, action: Action, now: datetime) -> None:
    violations: list[Violation] = []
    field, at = _moment_of(action)
    if at is not None and before.opened_at is not None:
        violations += moment_faults(field, at, before.opened_at, now)
    if not violations and isinstance(action, Close) and _precedes_resolution(action, before):
        text = "must not lie before the resolution, which is what the customer confirms"
        violations.append(Violation(field, "BEFORE_RESOLUTION", text))
    if isinstance(action, Wait | RaisePriority) and not action.reason.strip():
        violations.append(Violation("reason", "REQUIRED", "must say why"))
    if isinstance(action, Close) and not action.confirmed_by.strip():
        violations.append(Violation("confirmed_by", "REQUIRED", "must say who confirmed"))
    if isinstance(action, Close) and action.channel is Channel.UNSPECIFIED:
        violations.append(Violation("channel", "REQUIRED", "must say how it was confirmed"))
    if (
        isinstance(action, RaisePriority)
        and before.priority is not None
        and urgency(action.to) >= urgency(before.priority)
    ):
        violations.append(Violation("priority", "NOT_RAISED", f"must be more urgent than {before.priority}"))
    if violations:
        raise InvalidInput(violations)


def _precedes_resolution(action: Close, before: Standing) -> bool:
    resolved_at = before.resolved_at if before.state is TicketState.RESOLVED else None
    return resolved_at is not None and action.confirmed_at < resolved_at


def _fits_from(ticket_id: str, events: Sequence[Event], added: Sequence[Event], now: datetime) -> datetime:
    """From when on what an action adds leaves sense to all that is stored.

    Raises what `standing` raises where it does not even now: then it is the state that refuses it, and not the moment.
    """

    def check(at: datetime) -> datetime:
        standing(ticket_id, [*events, *(replace(event, occurred_at=at) for event in added)])
        return at

    found = check(now)
    with suppress(SlaEventExists, SlaEventNotAllowed):
        for event in reversed(in_order(events)):
            found = check(event.occurred_at)
    return found


def _moment_of(action: Action) -> tuple[str, datetime | None]:
    match action:
        case RecordFirstResponse(sent_at) | RecordReply(sent_at):
            return "sent.send_time", sent_at
        case ReceiveMessage(received_at=received_at):
            return "receive_time", received_at
        case Close(confirmed_at=confirmed_at):
            return "confirm_time", confirmed_at
        case Wait() | Resume() | Resolve() | Escalate():
            return "occur_time", action.at
        case RaisePriority():
            return "", None
        case _:
            assert_never(action)


def _after(found: Standing, event: Event, state: TicketState) -> Standing:
    at = event.occurred_at
    if event.type is EventType.REOPENED and found.first_response_at is None:
        state = TicketState.AWAITING_FIRST_RESPONSE
    if state is not found.state:
        found = replace(found, state=state, since=at)
    match event.type:
        case EventType.OPENED:
            return replace(found, opened_at=at, priority=event.priority)
        case EventType.FIRST_RESPONSE:
            return replace(found, first_response_at=at)
        case EventType.PAUSED:
            return replace(found, waits_on=event.waits_on)
        case EventType.RESUMED:
            return replace(found, waits_on=None)
        case EventType.RESOLVED:
            return replace(found, waits_on=None, resolved_at=at, resolution_known_at=event.recorded_at)
        case EventType.REOPENED:
            return replace(found, resolved_at=None, resolution_known_at=None)
        case EventType.CLOSED:
            return replace(found, closed_at=at)
        case EventType.PRIORITY_RAISED if _more_urgent(event.priority, found.priority):
            return replace(found, priority=event.priority)
        case _:
            return found


def _more_urgent(one: Priority | None, other: Priority | None) -> bool:
    return one is not None and (other is None or urgency(one) < urgency(other))
