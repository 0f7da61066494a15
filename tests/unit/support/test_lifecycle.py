"""A ticket's life: every action in every state, late records, the seven days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.channels import Channel
from services.domain.errors import DomainError, InvalidInput, PersonRequired
from services.support.domain.events import Event, EventType, WaitsOn, in_order
from services.support.domain.lifecycle import (
    MOVES,
    REOPENS_WITHIN,
    Action,
    Close,
    Escalate,
    FollowUpRequired,
    RaisePriority,
    ReceiveMessage,
    RecordFirstResponse,
    RecordReply,
    Resolve,
    Resume,
    Transition,
    Wait,
    decide,
    open_ticket,
    reopens_until,
    standing,
)
from services.support.domain.priorities import Priority
from services.support.domain.sla import SlaEventExists, SlaEventNotAllowed
from services.support.domain.tickets import TicketState

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
P0, P1, P2, P3 = Priority
S = TicketState
E = EventType


@dataclass(frozen=True)
class Actor:
    kind: str = "person"
    id: str = "operator-17"
    role: str = "operator_oncall"


PERSON, SOFTWARE = Actor(), Actor("service", "support-clock", "")


def minute(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


class Told:
    """A ticket whose life is told action by action."""

    def __init__(self, priority: Priority = P2, at: datetime = T0) -> None:
        self.events: list[Event] = []
        self._append(open_ticket(priority, at))

    def then(self, action: Action, at: float | datetime, actor: Actor = PERSON) -> Transition:
        now = at if isinstance(at, datetime) else minute(at)
        found = decide("tkt_x", self.events, action, actor, now)
        self._append(found)
        return found

    def _append(self, found: Transition) -> None:
        for event in found.events:
            self.events.append(replace(event, event_id=f"evt_{len(self.events)}"))


FIRST, REPLY = RecordFirstResponse(minute(100)), RecordReply(minute(100))
MESSAGE, THANKS = ReceiveMessage(), ReceiveMessage(thanks=True)
WAIT, RESUME, RESOLVE = Wait(WaitsOn.CUSTOMER, "waits for the log"), Resume(), Resolve()
CLOSE, RAISE, ESCALATE = (
    Close("the customer's manager", Channel.PHONE, minute(100)),
    RaisePriority(P1, "more affected"),
    Escalate(),
)
ANSWERED = (RecordFirstResponse(minute(1)), 1)

# How a ticket comes to stand so, up to minute 9; the actions of the table happen at minute 100.
HISTORIES: dict[str, list[tuple[Action, float]]] = {
    "awaiting": [],
    "in progress": [ANSWERED],
    "waiting on the customer": [ANSWERED, (WAIT, 5)],
    "waiting on a third party": [ANSWERED, (Wait(WaitsOn.THIRD_PARTY, "waits for the bank"), 5)],
    "resolved": [ANSWERED, (RESOLVE, 5)],
    "resolved unanswered": [(RESOLVE, 5)],
    "reopened": [ANSWERED, (RESOLVE, 5), (MESSAGE, 6)],
    "reopened unanswered": [(RESOLVE, 5), (MESSAGE, 6)],
    "closed": [ANSWERED, (RESOLVE, 5), (Close("the customer", Channel.EMAIL, minute(6)), 6)],
}
NOT_ALLOWED, EXISTS = "SLA_EVENT_NOT_ALLOWED", "SLA_EVENT_EXISTS"
AWAITING, PROGRESS, WAITING, RESOLVED, CLOSED = (
    S.AWAITING_FIRST_RESPONSE, S.IN_PROGRESS, S.WAITING, S.RESOLVED, S.CLOSED,
)  # fmt: skip
COLUMNS: dict[str, Action] = {
    "first response": FIRST, "reply": REPLY, "message": MESSAGE, "thanks": THANKS, "wait": WAIT, "resume": RESUME,
    "resolve": RESOLVE, "close": CLOSE, "raise": RAISE, "escalate": ESCALATE,
}  # fmt: skip
# fmt: off
TABLE: dict[str, tuple[str, ...]] = {
    # first response, reply, message, thanks, wait, resume, resolve, close, raise, escalate
    "awaiting":                 (PROGRESS,      NOT_ALLOWED, AWAITING,                    AWAITING, NOT_ALLOWED, NOT_ALLOWED, RESOLVED,    NOT_ALLOWED, AWAITING,    AWAITING),     # noqa: E501
    "in progress":              (EXISTS,        PROGRESS,    PROGRESS,                    PROGRESS, WAITING,     NOT_ALLOWED, RESOLVED,    NOT_ALLOWED, PROGRESS,    PROGRESS),     # noqa: E501
    "waiting on the customer":  (EXISTS,        WAITING,     PROGRESS,                    PROGRESS, NOT_ALLOWED, PROGRESS,    RESOLVED,    NOT_ALLOWED, WAITING,     WAITING),      # noqa: E501
    "waiting on a third party": (EXISTS,        WAITING,     PROGRESS,                    PROGRESS, NOT_ALLOWED, PROGRESS,    RESOLVED,    NOT_ALLOWED, WAITING,     WAITING),      # noqa: E501
    "resolved":                 (EXISTS,        RESOLVED,    PROGRESS,                    RESOLVED, NOT_ALLOWED, NOT_ALLOWED, EXISTS,      CLOSED,      NOT_ALLOWED, RESOLVED),     # noqa: E501
    "resolved unanswered":      (RESOLVED,      NOT_ALLOWED, AWAITING,                    RESOLVED, NOT_ALLOWED, NOT_ALLOWED, EXISTS,      CLOSED,      NOT_ALLOWED, RESOLVED),     # noqa: E501
    "reopened":                 (EXISTS,        PROGRESS,    PROGRESS,                    PROGRESS, WAITING,     NOT_ALLOWED, RESOLVED,    NOT_ALLOWED, PROGRESS,    PROGRESS),     # noqa: E501
    "reopened unanswered":      (PROGRESS,      NOT_ALLOWED, AWAITING,                    AWAITING, NOT_ALLOWED, NOT_ALLOWED, RESOLVED,    NOT_ALLOWED, AWAITING,    AWAITING),     # noqa: E501
    "closed":                   (EXISTS,        NOT_ALLOWED, "TICKET_FOLLOW_UP_REQUIRED", CLOSED,   NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED),  # noqa: E501
}
# fmt: on


def told(history: str) -> Told:
    ticket = Told()
    for action, at in HISTORIES[history]:
        ticket.then(action, at)
    return ticket


@pytest.mark.parametrize("history", TABLE)
@pytest.mark.parametrize("column", COLUMNS)
def test_every_action_in_every_state(history: str, column: str) -> None:
    ticket = told(history)
    before = standing("tkt_x", ticket.events)
    expected = TABLE[history][list(COLUMNS).index(column)]
    if isinstance(expected, TicketState):
        found = ticket.then(COLUMNS[column], 100)
        assert found.state == expected
        # What is decided is what the stored events then tell.
        assert standing("tkt_x", ticket.events) == found.standing
        assert all(event.recorded_at == minute(100) for event in found.events)
        return
    with pytest.raises(DomainError) as refusal:
        ticket.then(COLUMNS[column], 100)
    assert refusal.value.reason == expected
    assert refusal.value.metadata["ticket_id"] == "tkt_x"
    assert expected == EXISTS or refusal.value.metadata["state"] == before.state


def test_the_table_of_moves_names_every_event_and_leaves_closed_only_to_thanks_and_drafts() -> None:
    assert set(MOVES) == set(EventType)
    leaving = {kind for kind, moves in MOVES.items() if S.CLOSED in moves}
    assert leaving == {E.CUSTOMER_THANKS, E.DRAFT_PENDING, E.DRAFT_DECIDED}
    assert all(MOVES[kind][S.CLOSED] is S.CLOSED for kind in leaving)


@pytest.mark.parametrize(
    ("history", "action", "events"),
    [
        ("in progress", MESSAGE, [E.CUSTOMER_MESSAGE]),
        ("in progress", THANKS, [E.CUSTOMER_THANKS]),
        ("waiting on the customer", MESSAGE, [E.CUSTOMER_MESSAGE, E.RESUMED]),
        ("waiting on a third party", MESSAGE, [E.CUSTOMER_MESSAGE, E.RESUMED]),
        ("waiting on the customer", THANKS, [E.CUSTOMER_THANKS, E.RESUMED]),
        ("resolved", MESSAGE, [E.CUSTOMER_MESSAGE, E.REOPENED]),
        ("resolved", THANKS, [E.CUSTOMER_THANKS]),
        ("closed", THANKS, [E.CUSTOMER_THANKS]),
    ],
)
def test_what_a_message_makes_happen(history: str, action: Action, events: list[EventType]) -> None:
    assert [event.type for event in told(history).then(action, 100).events] == events


@pytest.mark.parametrize(
    ("late", "reopens"), [(timedelta(), True), (REOPENS_WITHIN, True), (REOPENS_WITHIN + TICK, False)]
)
def test_seven_days_count_to_the_very_moment(late: timedelta, reopens: bool) -> None:
    ticket = told("resolved")
    at = minute(5) + late
    assert (at <= reopens_until(minute(5))) is reopens
    if reopens:
        assert ticket.then(MESSAGE, at).state is PROGRESS
        return
    with pytest.raises(FollowUpRequired) as refusal:
        ticket.then(MESSAGE, at)
    assert refusal.value.metadata == {"ticket_id": "tkt_x", "state": "resolved"}
    # Thanks are taken whenever they come.
    assert ticket.then(THANKS, at).state is RESOLVED


@pytest.mark.parametrize(
    ("received", "reopens"),
    [
        pytest.param(minute(2), True, id="before the resolution"),
        pytest.param(minute(5) + REOPENS_WITHIN, True, id="at the last moment"),
        pytest.param(minute(5) + REOPENS_WITHIN + TICK, False, id="after it"),
    ],
)
def test_when_a_message_was_received_decides_and_not_when_it_was_recorded(received: datetime, reopens: bool) -> None:
    ticket, now = told("resolved"), minute(5) + timedelta(days=30)
    if not reopens:
        with pytest.raises(FollowUpRequired):
            ticket.then(ReceiveMessage(received_at=received), now)
        return
    found = ticket.then(ReceiveMessage(received_at=received), now)
    assert found.state is PROGRESS
    # The clock resumes when we know of it.
    assert [(e.type, e.occurred_at) for e in found.events] == [(E.CUSTOMER_MESSAGE, now), (E.REOPENED, now)]


def test_the_seven_days_begin_when_the_resolution_became_known() -> None:
    ticket = told("in progress")
    ticket.then(Resolve(minute(2)), minute(2) + timedelta(days=6))
    assert ticket.then(MESSAGE, minute(2) + timedelta(days=13)).state is PROGRESS


def test_each_resolution_has_seven_days_of_its_own() -> None:
    ticket = told("resolved")
    ticket.then(MESSAGE, minute(5) + timedelta(days=7))
    ticket.then(RESOLVE, minute(6) + timedelta(days=7))
    assert ticket.then(MESSAGE, minute(6) + timedelta(days=14)).state is PROGRESS


def test_a_reopened_ticket_stands_as_it_did_before_it_was_answered() -> None:
    assert standing("tkt_x", told("reopened").events).first_response_at == minute(1)
    assert standing("tkt_x", told("reopened unanswered").events).first_response_at is None


def test_a_ticket_tells_whom_it_waits_on_and_since_when() -> None:
    found = standing("tkt_x", told("waiting on a third party").events)
    assert (found.waits_on, found.since) == (WaitsOn.THIRD_PARTY, minute(5))
    found = standing("tkt_x", told("resolved").events)
    assert (found.waits_on, found.resolved_at, found.resolution_known_at) == (None, minute(5), minute(5))


# --- priority ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("present", Priority)
@pytest.mark.parametrize("to", Priority)
def test_priorities_are_only_raised(present: Priority, to: Priority) -> None:
    ticket = Told(present)
    if to < present:
        assert ticket.then(RaisePriority(to, "why"), 5).standing.priority is to
        return
    with pytest.raises(InvalidInput) as refusal:
        ticket.then(RaisePriority(to, "why"), 5)
    assert [(v.field, v.reason) for v in refusal.value.violations] == [("priority", "NOT_RAISED")]


# --- who and when -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "action", "needed"),
    [
        ("awaiting", FIRST, "record_first_response"),
        ("in progress", REPLY, "record_reply"),
        ("in progress", RAISE, "raise_priority"),
        ("resolved", CLOSE, "close_ticket"),
        ("in progress", ESCALATE, None),
        ("in progress", MESSAGE, None),
        ("waiting on the customer", RESUME, None),
    ],
)
def test_what_only_a_person_may_do(history: str, action: Action, needed: str | None) -> None:
    if needed is None:
        told(history).then(action, 100, SOFTWARE)
        return
    with pytest.raises(PersonRequired) as refusal:
        told(history).then(action, 100, SOFTWARE)
    assert refusal.value.metadata == {"action": needed}


@pytest.mark.parametrize(
    ("action", "faults"),
    [
        (RecordFirstResponse(minute(101)), [("sent.send_time", "IN_FUTURE")]),
        (RecordFirstResponse(minute(-1)), [("sent.send_time", "BEFORE_OPENING")]),
        (Resolve(minute(100) + TICK), [("occur_time", "IN_FUTURE")]),
        (Escalate(T0 - TICK), [("occur_time", "BEFORE_OPENING")]),
        (ReceiveMessage(received_at=minute(101)), [("receive_time", "IN_FUTURE")]),
        (Wait(WaitsOn.CUSTOMER, " ", minute(101)), [("occur_time", "IN_FUTURE"), ("reason", "REQUIRED")]),
        (RaisePriority(P3, ""), [("reason", "REQUIRED"), ("priority", "NOT_RAISED")]),
        (
            Close("", Channel.UNSPECIFIED, minute(101)),
            [("confirm_time", "IN_FUTURE"), ("confirmed_by", "REQUIRED"), ("channel", "REQUIRED")],
        ),
    ],
)
def test_faulty_input_is_named_all_at_once(action: Action, faults: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        told("awaiting").then(action, 100)
    assert [(v.field, v.reason) for v in refusal.value.violations] == faults


def test_a_confirmation_is_of_the_resolution_that_stands() -> None:
    def close(at: datetime) -> Close:
        return Close("the customer", Channel.PHONE, at)

    ticket = told("reopened")
    ticket.then(Resolve(minute(20)), 30)
    for at, reason in ((minute(20) - TICK, "BEFORE_RESOLUTION"), (T0 - TICK, "BEFORE_OPENING")):
        with pytest.raises(InvalidInput) as refusal:
            ticket.then(close(at), 100)
        assert [(v.field, v.reason) for v in refusal.value.violations] == [("confirm_time", reason)]
    assert ticket.then(close(minute(20)), 100).state is CLOSED


@pytest.mark.parametrize("at", [T0, minute(100)])
def test_the_opening_and_this_very_moment_are_within_bounds(at: datetime) -> None:
    assert told("awaiting").then(RecordFirstResponse(at), 100).standing.first_response_at == at


# --- late records -----------------------------------------------------------------------------------------------------


def test_a_first_response_recorded_late_takes_its_place() -> None:
    ticket = told("resolved unanswered")
    found = ticket.then(RecordFirstResponse(minute(3)), 100)
    assert (found.state, found.standing.first_response_at) == (RESOLVED, minute(3))


RAISED = (RaisePriority(P1, "why"), 9)


@pytest.mark.parametrize(
    ("life", "at", "fits_from"),
    [
        pytest.param([ANSWERED, (WAIT, 5)], 3, 5, id="before the wait that holds"),
        pytest.param([ANSWERED, (WAIT, 5), (RESUME, 9)], 7, 9, id="within a wait that ended"),
        pytest.param([ANSWERED, (WAIT, 5), (RESUME, 9), (ESCALATE, 12)], 5, 9, id="as a wait began that ended"),
        pytest.param([ANSWERED, (WAIT, 5), (RESUME, 7), RAISED], 6, 9, id="before a wait's end and a raise"),
        pytest.param([ANSWERED, (RESOLVE, 5), (MESSAGE, 9)], 2, 9, id="before a resolution that did not hold"),
    ],
)
def test_a_late_resolution_that_leaves_no_sense_to_what_came_after_is_refused_by_its_time(
    life: list[tuple[Action, float]], at: float, fits_from: float
) -> None:
    ticket = Told()
    for action, when in life:
        ticket.then(action, when)
    with pytest.raises(InvalidInput) as refusal:
        ticket.then(Resolve(minute(at)), 100)
    (fault,) = refusal.value.violations
    assert (fault.field, fault.reason) == ("occur_time", "OUT_OF_ORDER")
    assert str(minute(fits_from)) in fault.description
    with pytest.raises(InvalidInput):
        ticket.then(Resolve(minute(fits_from) - TICK), 100)
    assert ticket.then(Resolve(minute(fits_from)), 100).state is RESOLVED


def test_a_late_resolution_of_a_closed_ticket_is_refused_by_its_state() -> None:
    with pytest.raises(SlaEventNotAllowed) as refusal:
        told("closed").then(Resolve(minute(3)), 100)
    assert refusal.value.metadata["state"] == "closed"


@pytest.mark.parametrize("at", [2, 50])
def test_a_second_resolution_names_the_stored_one_wherever_it_lies(at: float) -> None:
    ticket = told("resolved")
    with pytest.raises(SlaEventExists) as refusal:
        ticket.then(Resolve(minute(at)), 100)
    assert refusal.value.metadata == {"ticket_id": "tkt_x", "type": "resolved", "event_id": "evt_2"}


def test_a_message_recorded_late_resumes_the_wait_no_earlier_than_it_began() -> None:
    before, during = told("waiting on the customer"), told("waiting on the customer")
    assert [(e.type, e.occurred_at) for e in before.then(ReceiveMessage(received_at=minute(2)), 100).events] == [
        (E.CUSTOMER_MESSAGE, minute(2)),
        (E.RESUMED, minute(5)),
    ]
    assert [(e.type, e.occurred_at) for e in during.then(ReceiveMessage(received_at=minute(8)), 100).events] == [
        (E.CUSTOMER_MESSAGE, minute(8)),
        (E.RESUMED, minute(8)),
    ]


def test_a_message_that_nobody_knew_of_at_the_resolution_reopens_when_it_becomes_known() -> None:
    found = told("resolved").then(ReceiveMessage(received_at=minute(2)), 100)
    assert [(e.type, e.occurred_at) for e in found.events] == [
        (E.CUSTOMER_MESSAGE, minute(100)),
        (E.REOPENED, minute(100)),
    ]


def test_a_rung_reached_before_the_closing_can_be_recorded_after_it() -> None:
    assert told("closed").then(Escalate(minute(3)), 100, SOFTWARE).state is CLOSED


def test_what_happens_at_one_instant_happens_in_the_order_of_recording() -> None:
    ticket = told("awaiting")
    life: list[Action] = [
        RecordFirstResponse(minute(9)),
        WAIT,
        RESUME,
        RESOLVE,
        MESSAGE,
        RESOLVE,
        MESSAGE,
        WAIT,
        MESSAGE,
    ]
    states = [ticket.then(action, 9).state for action in life]
    assert states == [PROGRESS, WAITING, PROGRESS, RESOLVED, PROGRESS, RESOLVED, PROGRESS, WAITING, PROGRESS]
    assert standing("tkt_x", reversed(ticket.events)).state is PROGRESS
    assert [event.sequence for event in ticket.events] == list(range(1, len(ticket.events) + 1))


def test_stored_events_need_what_their_kind_says() -> None:
    for kind in (E.OPENED, E.PRIORITY_RAISED, E.PAUSED, E.DRAFT_PENDING, E.DRAFT_DECIDED):
        with pytest.raises(ValueError, match="needs"):
            Event(kind, T0, T0)


moves = st.lists(
    st.tuples(
        st.sampled_from(list(COLUMNS)),
        st.integers(0, 20),
        st.integers(0, 20),
    ),
    max_size=25,
)


@given(moves)
@settings(max_examples=200, deadline=None)
def test_any_admitted_life_reads_the_same_in_any_order_and_keeps_its_laws(drawn: list[tuple[str, int, int]]) -> None:
    ticket, now = Told(P3), 0
    for name, passed, back in drawn:
        now += passed
        at = max(T0, minute(now - back))
        action: Action = {
            "first response": RecordFirstResponse(at),
            "reply": RecordReply(at),
            "message": ReceiveMessage(received_at=at),
            "thanks": THANKS,
            "wait": Wait(WaitsOn.THIRD_PARTY, "why", at),
            "resume": Resume(at),
            "resolve": Resolve(at),
            "close": Close("somebody", Channel.EMAIL, at),
            "raise": RaisePriority(P1, "why"),
            "escalate": Escalate(at),
        }[name]
        try:
            found = ticket.then(action, now)
        except DomainError:
            continue
        assert standing("tkt_x", reversed(ticket.events)) == found.standing
    kinds = [event.type for event in in_order(ticket.events)]
    assert kinds[0] is E.OPENED
    assert kinds.count(E.FIRST_RESPONSE) <= 1
    assert kinds.count(E.CLOSED) <= 1
    # Stops and starts alternate.
    for stop, start in ((E.RESOLVED, E.REOPENED),):
        both = [kind for kind in kinds if kind in (stop, start)]
        assert both == [(stop, start)[n % 2] for n in range(len(both))]
    replies = [n for n, kind in enumerate(kinds) if kind is E.REPLY_SENT]
    assert not replies or kinds.index(E.FIRST_RESPONSE) < replies[0]
