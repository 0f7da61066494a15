"""The clocks of a ticket: by hand at their edges, and against a slow reference whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.domain.texts import Bilingual
from services.support.domain.calendars import Calendar, Interval, covers
from services.support.domain.clocks import (
    Burn,
    Clock,
    ClockKind,
    ClockState,
    Party,
    clocks,
    crossed_rungs,
    next_rung,
    total_burn,
)
from services.support.domain.events import Event, EventType, WaitsOn
from services.support.domain.policy import (
    EscalationOwner,
    PolicyBook,
    PolicyVersion,
    Rung,
    SlaPolicy,
    load_policy_book,
)
from services.support.domain.priorities import Priority
from services.support.domain.sla import facts_from_clocks, health_report
from tests.unit.support.slow_clocks import MINUTE, SlowClock, SlowTicket

# A Thursday, three in the afternoon in Riyadh.
T0 = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
P0, P1, P2, P3 = Priority
E = EventType
FIRST, NEXT, RESOLUTION = ClockKind


@cache
def shipped() -> PolicyBook:
    return load_policy_book()


def minute(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


def life(*told: tuple[EventType, float] | tuple[EventType, float, object], priority: Priority = P2) -> list[Event]:
    """Events in the order of recording, each at its minute; a third item is what the kind needs."""
    events = [Event(E.OPENED, T0, T0, "evt_0", priority=priority, sequence=1)]
    for number, (kind, at, *more) in enumerate(told, 1):
        given_more = {
            E.PRIORITY_RAISED: "priority",
            E.PAUSED: "waits_on",
            E.DRAFT_PENDING: "draft_id",
            E.DRAFT_DECIDED: "draft_id",
        }
        fields = {given_more[kind]: more[0]} if kind in given_more else {}
        event = Event(kind, minute(at), minute(at), f"evt_{number}", sequence=number + 1, **fields)  # type: ignore[arg-type]
        events.append(event)
    return events


def at(
    events: list[Event], as_of: float | datetime, kind: ClockKind = RESOLUTION, book: PolicyBook | None = None
) -> Clock:
    """The one clock of a kind."""
    moment = as_of if isinstance(as_of, datetime) else minute(as_of)
    (found,) = [clock for clock in clocks(events, book or shipped(), moment) if clock.kind is kind]
    return found


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


# --- at their edges ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("priority", Priority)
@pytest.mark.parametrize(("kind", "stops"), [(FIRST, E.FIRST_RESPONSE), (RESOLUTION, E.RESOLVED)])
def test_equal_to_the_target_is_kept_and_a_microsecond_more_is_not(
    priority: Priority, kind: ClockKind, stops: EventType
) -> None:
    target = shipped().versions[0].policies[priority].target(kind)
    for late, running, stopped in ((timedelta(), "at_risk", "met"), (TICK, "breached", "breached")):
        due = T0 + target + late
        assert at(life(priority=priority), due, kind).state == running
        events = [*life(priority=priority), Event(stops, due, due, "evt_1", sequence=2)]
        clock = at(events, due + hours(900), kind)
        assert (clock.state, clock.fulfilled, clock.stopped_at) == (stopped, True, due)
        assert (clock.elapsed, clock.remaining) == (target + late, -late)


def test_the_next_response_is_kept_to_the_very_moment() -> None:
    events = life((E.FIRST_RESPONSE, 1), (E.CUSTOMER_MESSAGE, 10), priority=P0)
    for late, state in ((timedelta(), "met"), (TICK, "breached")):
        sent = minute(40) + late
        assert at([*events, Event(E.REPLY_SENT, sent, sent, "r", sequence=9)], 900, NEXT).state == state


@pytest.mark.parametrize(("before", "state"), [(TICK, "running"), (timedelta(), "at_risk")])
def test_at_risk_begins_at_its_part_of_the_target(before: timedelta, state: str) -> None:
    clock = at(life(), minute(6 * 60) - before, FIRST)
    assert (clock.state, clock.at_risk_at, clock.due_at) == (state, minute(6 * 60), minute(8 * 60))
    assert clock.late_after == clock.due_at


def test_a_ticket_has_no_clocks_before_it_is_opened_or_known() -> None:
    events = [Event(E.OPENED, T0, minute(5), "evt_0", priority=P2, sequence=1)]
    assert clocks(events, shipped(), T0 - TICK) == ()
    assert clocks(events, shipped(), minute(4)) == ()
    assert [c.kind for c in clocks(events, shipped(), minute(5))] == [FIRST, NEXT, RESOLUTION]


def test_a_ticket_from_before_the_first_policy_is_refused() -> None:
    early = datetime(1999, 12, 31, tzinfo=UTC)
    with pytest.raises(InvalidInput):
        clocks([Event(E.OPENED, early, early, priority=P2)], shipped(), T0)


# --- first response ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "as_of", "state", "elapsed"),
    [
        (life(), 60, "running", 60),
        (life((E.FIRST_RESPONSE, 60)), 900, "met", 60),
        # Nothing pauses it, and resolving does not stop it.
        (life((E.PAUSED, 10, WaitsOn.CUSTOMER)), 60, "running", 60),
        (life((E.RESOLVED, 10)), 60, "running", 60),
        (life((E.RESOLVED, 10), (E.FIRST_RESPONSE, 30)), 60, "met", 30),
        # A reply is none, nor is a message.
        (life((E.REPLY_SENT, 10), (E.CUSTOMER_MESSAGE, 20)), 60, "running", 60),
        # Closing ends what nobody sent; a breach remains one.
        (life((E.RESOLVED, 10), (E.CLOSED, 30)), 900, "cancelled", 30),
        (life((E.RESOLVED, 10), (E.CLOSED, 481)), 900, "breached", 481),
        (life((E.FIRST_RESPONSE, 481)), 900, "breached", 481),
        # The first one counts.
        (life((E.FIRST_RESPONSE, 10), (E.FIRST_RESPONSE, 20)), 60, "met", 10),
    ],
)
def test_the_first_response_clock(events: list[Event], as_of: float, state: str, elapsed: int) -> None:
    clock = at(events, as_of, FIRST)
    assert (clock.state, clock.elapsed, clock.instance) == (state, elapsed * MINUTE, "evt_0")
    assert clock.burn == Burn(us=clock.elapsed)


# --- next response ----------------------------------------------------------------------------------------------------


def nexts(events: list[Event], as_of: float) -> list[tuple[str, str, int]]:
    found = clocks(events, shipped(), minute(as_of))
    return [(c.instance, c.state.value, c.elapsed // MINUTE) for c in found if c.kind is NEXT]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([], [("", "not_started", 0)]),
        ([(E.CUSTOMER_MESSAGE, 5)], [("", "not_started", 0)]),
        # What came before the first response is answered by it.
        ([(E.CUSTOMER_MESSAGE, 5), (E.FIRST_RESPONSE, 10)], [("", "not_started", 0)]),
        ([(E.FIRST_RESPONSE, 10), (E.CUSTOMER_MESSAGE, 20)], [("evt_2", "running", 80)]),
        # One clock from the oldest that is unanswered.
        ([(E.FIRST_RESPONSE, 10), (E.CUSTOMER_MESSAGE, 20), (E.CUSTOMER_MESSAGE, 30)], [("evt_2", "running", 80)]),
        (
            [(E.FIRST_RESPONSE, 10), (E.CUSTOMER_MESSAGE, 20), (E.REPLY_SENT, 50), (E.CUSTOMER_MESSAGE, 70)],
            [("evt_2", "met", 30), ("evt_4", "running", 30)],
        ),
        # Thanks want no answer; a pause gives none.
        ([(E.FIRST_RESPONSE, 10), (E.CUSTOMER_THANKS, 20)], [("", "not_started", 0)]),
        (
            [(E.FIRST_RESPONSE, 10), (E.CUSTOMER_MESSAGE, 20), (E.PAUSED, 30, WaitsOn.THIRD_PARTY)],
            [("evt_2", "running", 80)],
        ),
        # Solved before it was answered.
        ([(E.FIRST_RESPONSE, 10), (E.CUSTOMER_MESSAGE, 20), (E.RESOLVED, 50)], [("evt_2", "cancelled", 30)]),
        ([(E.FIRST_RESPONSE, 10), (E.RESOLVED, 50)], []),
        # The message that reopens wants an answer, from the reopening on.
        (
            [(E.FIRST_RESPONSE, 10), (E.RESOLVED, 50), (E.CUSTOMER_MESSAGE, 60), (E.REOPENED, 60)],
            [("evt_3", "running", 40)],
        ),
        (
            [(E.FIRST_RESPONSE, 10), (E.RESOLVED, 50), (E.CUSTOMER_MESSAGE, 60), (E.REPLY_SENT, 70), (E.REOPENED, 80)],
            [("", "not_started", 0)],
        ),
    ],
)
def test_the_next_response_clocks(told: list[tuple[EventType, float]], expected: list[tuple[str, str, int]]) -> None:
    assert nexts(life(*told), 100) == expected


# --- resolution -------------------------------------------------------------------------------------------------------

PAUSED_TWICE = life(
    (E.FIRST_RESPONSE, 10),
    (E.PAUSED, 60, WaitsOn.CUSTOMER),
    (E.RESUMED, 120),
    (E.PAUSED, 150, WaitsOn.THIRD_PARTY),
    (E.RESUMED, 250),
    (E.RESOLVED, 300),
    (E.REOPENED, 400),
    (E.RESOLVED, 420),
)


@pytest.mark.parametrize(
    ("as_of", "state", "elapsed", "customer", "third_party"),
    [
        (59, "running", 59, 0, 0),
        (60, "paused", 60, 0, 0),
        (90, "paused", 60, 30, 0),
        (130, "running", 70, 60, 0),
        (200, "paused", 90, 60, 50),
        (300, "met", 140, 60, 100),
        (399, "met", 140, 60, 100),
        (410, "running", 150, 60, 100),
        (9999, "met", 160, 60, 100),
    ],
)
def test_the_resolution_clock_stands_in_waits_and_between_resolution_and_reopening(
    as_of: float, state: str, elapsed: int, customer: int, third_party: int
) -> None:
    clock = at(PAUSED_TWICE, as_of)
    assert (clock.state, clock.elapsed) == (state, elapsed * MINUTE)
    assert (clock.burn.customer, clock.burn.third_party) == (customer * MINUTE, third_party * MINUTE)
    # While it waits nobody knows when it will be due.
    assert (clock.due_at is None) is (state == "paused")
    assert clock.runs is (state == "running")


def test_a_clock_that_stops_while_it_stands_would_have_gone_on_from_there() -> None:
    # Three hours left at the pause; resolved a day later, without being taken up.
    events = life((E.PAUSED, 60, WaitsOn.CUSTOMER), (E.RESOLVED, 1500), priority=P0)
    clock = at(events, 2000)
    assert (clock.state, clock.elapsed, clock.due_at) == ("met", hours(1), minute(1500 + 180))
    assert clock.late_after == clock.due_at


def test_pauses_move_the_deadline_by_what_they_took() -> None:
    assert [at(PAUSED_TWICE, as_of).due_at for as_of in (30, 130, 260, 410)] == [
        minute(72 * 60 + more) for more in (0, 60, 160, 260)
    ]


def test_waiting_for_our_own_approver_burns_time_and_pauses_nothing() -> None:
    events = life(
        (E.DRAFT_PENDING, 0, "drf_1"),
        (E.DRAFT_PENDING, 20, "drf_2"),
        (E.DRAFT_DECIDED, 30, "drf_1"),
        (E.DRAFT_DECIDED, 50, "drf_2"),
        (E.FIRST_RESPONSE, 60),
        (E.PAUSED, 70, WaitsOn.CUSTOMER),
        (E.DRAFT_PENDING, 80, "drf_3"),
        (E.RESUMED, 100),
    )
    assert at(events, 120, FIRST).burn == Burn(us=10 * MINUTE, our_approver=50 * MINUTE)
    clock = at(events, 120)
    assert clock.burn == Burn(us=20 * MINUTE, our_approver=70 * MINUTE, customer=30 * MINUTE)
    assert (clock.state, clock.elapsed) == ("running", 90 * MINUTE)


def test_burnt_time_adds_up() -> None:
    one, other = Burn(1 * MINUTE, 2 * MINUTE), Burn(customer=4 * MINUTE, us=8 * MINUTE)
    assert total_burn([one, other]) == Burn(9 * MINUTE, 2 * MINUTE, 4 * MINUTE)
    assert total_burn([]) == Burn()
    assert [one.of(party) for party in Party] == [1 * MINUTE, 2 * MINUTE, 0 * MINUTE, 0 * MINUTE]


# --- raised -----------------------------------------------------------------------------------------------------------


def test_a_raise_moves_all_running_targets_from_their_original_start() -> None:
    events = life((E.FIRST_RESPONSE, 100), (E.CUSTOMER_MESSAGE, 200), (E.PRIORITY_RAISED, 220, P0))
    before, after = clocks(events, shipped(), minute(219)), clocks(events, shipped(), minute(221))
    assert [(c.priority, c.due_at) for c in before] == [
        (P2, minute(480)),
        (P2, minute(200 + 480)),
        (P2, minute(72 * 60)),
    ]
    # What has stopped is judged as it was: a first response after 100 minutes met eight hours.
    assert [(c.priority, c.state, c.due_at) for c in after] == [
        (P2, "met", minute(480)),
        (P0, "running", minute(230)),
        (P0, "at_risk", minute(240)),
    ]


def test_a_breach_stays_one_after_a_raise_and_a_lowering_is_no_raise() -> None:
    events = life((E.PRIORITY_RAISED, 500, P1), (E.PRIORITY_RAISED, 510, P3))
    assert [at(events, as_of, FIRST).state for as_of in (480, 481, 505, 520)] == ["at_risk", *["breached"] * 3]
    assert at(events, 520, FIRST).priority is P1


def test_a_resolved_clock_goes_by_a_raise_only_after_it_is_reopened() -> None:
    events = life((E.RESOLVED, 300), (E.PRIORITY_RAISED, 310, P0), (E.REOPENED, 400))
    assert [(at(events, t).priority, at(events, t).state) for t in (305, 350, 400)] == [
        (P2, "met"),
        (P2, "met"),
        (P0, "breached"),
    ]


# --- as of ------------------------------------------------------------------------------------------------------------


def test_what_was_recorded_later_does_not_change_an_answer_about_the_past() -> None:
    events = life((E.FIRST_RESPONSE, 60))
    late = replace(events[1], recorded_at=minute(600))
    known = [*events[:1], late]
    assert at(known, 599, FIRST).state == "breached"
    assert (at(known, 600, FIRST).state, at(known, 600, FIRST).elapsed) == ("met", 60 * MINUTE)
    assert at(known, 599, FIRST) == at(events[:1], 599, FIRST)


# --- the ladder -------------------------------------------------------------------------------------------------------


def rungs(clock: Clock, as_of: datetime | None = None) -> list[tuple[int, datetime]]:
    return [(crossing.rung.percent, crossing.at) for crossing in crossed_rungs(clock, as_of)]


def test_rungs_are_crossed_at_exact_moments() -> None:
    for as_of, crossed, following in (
        (minute(22.5) - TICK, [], 22.5),
        (minute(22.5), [(75, minute(22.5))], 30),
        (minute(44), [(75, minute(22.5)), (100, minute(30))], 45),
        (minute(900), [(75, minute(22.5)), (100, minute(30)), (150, minute(45))], None),
    ):
        clock = at(life(priority=P0), as_of, FIRST)
        assert rungs(clock) == crossed
        coming = next_rung(clock)
        assert (coming and coming.at) == (None if following is None else minute(following))


def test_a_running_clock_can_be_asked_ahead() -> None:
    clock = at(life(priority=P0), 1, FIRST)
    assert [percent for percent, _ in rungs(clock, minute(30))] == [75, 100]


def test_a_pause_puts_off_the_rungs_and_an_answer_ends_them() -> None:
    events = life((E.PAUSED, 60, WaitsOn.CUSTOMER), (E.RESUMED, 1000), priority=P0)
    assert (rungs(at(events, 999)), next_rung(at(events, 999))) == ([], None)
    assert rungs(at(events, 1179)) == [(75, minute(940 + 180))]
    answered = at(life((E.FIRST_RESPONSE, 30), priority=P0), 900, FIRST)
    assert (rungs(answered), next_rung(answered)) == ([(75, minute(22.5))], None)


def test_rungs_that_a_shorter_target_leaves_behind_are_crossed_at_the_raise() -> None:
    clock = at(life((E.PRIORITY_RAISED, 40, P0)), 44, FIRST)
    assert rungs(clock) == [(75, minute(40)), (100, minute(40))]
    coming = next_rung(clock)
    assert coming is not None
    assert (coming.rung.percent, coming.at) == (150, minute(45))


# --- working hours ----------------------------------------------------------------------------------------------------


def policy_of(priority: Priority, calendar: Calendar, first: int, following: int, resolution: int) -> SlaPolicy:
    return SlaPolicy(
        priority=priority,
        first_response_minutes=first,
        next_response_minutes=following,
        resolution_hours=resolution,
        at_risk_percent=75,
        calendar=calendar,
        ladder=tuple(Rung(percent, EscalationOwner.FOUNDER) for percent in (50, 75, 100, 150)),
        escalation_owner=EscalationOwner.FOUNDER,
        meaning=Bilingual("معنى", "Meaning"),
    )


def calendar_of(*days: tuple[Interval, ...]) -> Calendar:
    return Calendar("drawn", Bilingual("دوام", "Hours"), (days * 7)[:7])


def book_of(*policies: SlaPolicy) -> PolicyBook:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    return PolicyBook((PolicyVersion("test-1", since, {p.priority: p for p in policies}),))


def test_time_that_is_up_when_people_leave_is_kept_until_they_are_back() -> None:
    # Nine to five every day; opened at three, two hours are up at five.
    book = book_of(policy_of(P3, calendar_of(((540, 1020),)), 120, 120, 2))
    events = life(priority=P3)
    evening, morning = minute(120), minute(18 * 60)
    for as_of, state in (
        (evening, "at_risk"),
        (minute(700), "at_risk"),
        (morning, "at_risk"),
        (morning + TICK, "breached"),
    ):
        clock = at(events, as_of, FIRST, book)
        assert (clock.state, clock.due_at, clock.late_after) == (state, evening, morning)
    assert at(events, 400, FIRST, book).policy_version == "test-1"


# --- against the slow reference ---------------------------------------------------------------------------------------

WHOLE_DAY: tuple[Interval, ...] = ((0, 1440),)


@st.composite
def hours_of_day(draw: st.DrawFn) -> tuple[Interval, ...]:
    cuts = sorted(draw(st.lists(st.integers(0, 24), min_size=2, max_size=6, unique=True)))
    return tuple((a * 60, b * 60) for a, b in zip(cuts[::2], cuts[1::2], strict=False))


@st.composite
def books(draw: st.DrawFn) -> PolicyBook:
    policies = []
    for priority in Priority:
        round_the_clock = priority in (P0, P1) or draw(st.booleans())
        days = [WHOLE_DAY] if round_the_clock else draw(st.lists(hours_of_day(), min_size=1, max_size=7))
        targets = [draw(st.integers(1, 30)) * 4 for _ in range(2)]
        policies.append(policy_of(priority, calendar_of(*days), *targets, draw(st.integers(1, 4))))
    return book_of(*policies)


KINDS = [kind for kind in EventType if kind is not E.OPENED]


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """Events of every kind at any minutes, recorded at once or later, sense or no sense; numbered as recorded."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(
                    [*KINDS, E.CUSTOMER_MESSAGE, E.REPLY_SENT, E.PAUSED, E.RESUMED, E.RESOLVED, E.REOPENED]
                ),
                st.integers(0, 400),
                st.one_of(st.just(0), st.integers(0, 200)),
                st.sampled_from(Priority),
                st.sampled_from(WaitsOn),
                st.sampled_from(["drf_a", "drf_b"]),
            ),
            max_size=16,
        )
    )
    opened_at = draw(st.integers(0, 30))
    drawn.append(
        (E.OPENED, opened_at, draw(st.sampled_from([0, 0, 50])), draw(st.sampled_from(Priority)), WaitsOn.CUSTOMER, "")
    )
    recorded = sorted(drawn, key=lambda d: d[1] + d[2])
    return [
        Event(
            kind, minute(happened), minute(happened + delay), f"evt_{number}",
            priority=priority, waits_on=waits_on, draft_id=draft or "drf_a", sequence=number,
        )
        for number, (kind, happened, delay, priority, waits_on, draft) in enumerate(recorded, 1)
    ]  # fmt: skip


def compare(found: Clock, slow: SlowTicket, expected: SlowClock) -> None:
    def moment(count: int | None) -> datetime | None:
        return None if count is None else minute(count)

    target = slow.target(expected)
    assert (found.kind, found.instance, found.priority) == (expected.kind, expected.instance, expected.priority)
    assert found.state == slow.state(expected)
    assert found.target == target * MINUTE
    assert found.elapsed == len(slow.worked(expected)) * MINUTE
    assert found.remaining == found.target - found.elapsed
    assert {party.value: found.burn.of(party) // MINUTE for party in Party} == slow.burn(expected)
    assert found.burn.us + found.burn.our_approver == found.elapsed
    assert (found.started_at, found.stopped_at) == (moment(expected.start), moment(expected.stop))
    assert found.fulfilled is (expected.stop is not None and not expected.cancelled)
    assert found.runs is slow.runs(expected)
    assert found.due_at == moment(slow.first_at(expected, target))
    assert found.at_risk_at == moment(slow.first_at(expected, target * 75 // 100))
    assert found.late_after == moment(slow.last_at(expected, target))
    stop = slow.as_of if expected.stop is None else min(slow.as_of, expected.stop - 1)
    told = slow.rungs(expected)
    assert rungs(found) == [(percent, minute(n)) for percent, n in told if n <= stop]
    coming = next((n for _, n in told if n > slow.as_of), None) if slow.runs(expected) else None
    following = next_rung(found)
    assert (following and following.at) == moment(coming)


@given(lives(), books(), st.integers(0, 700))
@settings(max_examples=200, deadline=None)
def test_they_agree_with_the_slow_reference_whatever_happens(events: list[Event], book: PolicyBook, as_of: int) -> None:
    slow = SlowTicket(T0, book.versions[0].policies, events, as_of)
    found = clocks(events, book, minute(as_of))
    started = [clock for clock in found if clock.state is not ClockState.NOT_STARTED]
    expected = sorted(slow.clocks, key=lambda c: ["first_response", "next_response", "resolution"].index(c.kind))
    assert len(started) == len(expected)
    for clock, reference in zip(started, expected, strict=True):
        compare(clock, slow, reference)
    waiting = bool(slow.clocks) and not slow.resolved and not slow.closed
    none_yet = not any(c.kind == "next_response" for c in slow.clocks)
    assert (len(found) - len(started)) == (waiting and none_yet)


@given(lives(), books(), st.integers(0, 700), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_an_answer_about_a_moment_is_the_same_when_asked_later_and_in_any_order(
    events: list[Event], book: PolicyBook, as_of: int, rng: object
) -> None:
    by_then = [event for event in events if event.recorded_at <= minute(as_of)]
    shuffled = list(events)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert clocks(by_then, book, minute(as_of)) == clocks(shuffled, book, minute(as_of))


@given(lives(), books(), st.integers(0, 700))
@settings(max_examples=150, deadline=None)
def test_a_clock_is_breached_exactly_after_its_last_moment_and_at_risk_from_its_first(
    events: list[Event], book: PolicyBook, as_of: int
) -> None:
    for clock in clocks(events, book, minute(as_of)):
        judged_at = clock.as_of if clock.stopped_at is None else clock.stopped_at
        if clock.late_after is not None:
            assert (clock.state is ClockState.BREACHED) is (judged_at > clock.late_after)
        if clock.at_risk_at is not None and clock.runs and clock.state is not ClockState.BREACHED:
            assert (clock.state is ClockState.AT_RISK) is (clock.as_of >= clock.at_risk_at)


@given(lives(), st.integers(0, 700), st.sampled_from([P0, P1, P2]), st.integers(0, 400), st.data())
@settings(max_examples=150, deadline=None)
def test_a_raise_never_takes_back_a_breach_nor_gives_more_time(
    events: list[Event], as_of: int, to: Priority, raised: int, data: st.DataObject
) -> None:
    # What the loader asks of a policy: shorter targets and at least the same hours for the more urgent.
    week = data.draw(st.lists(hours_of_day(), min_size=1, max_size=3))
    some, whole = calendar_of(*week), calendar_of(WHOLE_DAY)
    assert covers(whole, some)
    book = book_of(
        policy_of(P0, whole, 20, 20, 1), policy_of(P1, whole, 40, 40, 2), policy_of(P2, some, 60, 60, 3),
        policy_of(P3, some, 100, 100, 4),
    )  # fmt: skip
    later = max(event.sequence for event in events) + 1
    extra = Event(E.PRIORITY_RAISED, minute(raised), minute(raised), "evt_r", priority=to, sequence=later)
    before = {(c.kind, c.instance): c for c in clocks(events, book, minute(as_of))}
    for clock in clocks([*events, extra], book, minute(as_of)):
        milder = before[clock.kind, clock.instance]
        assert milder.state is not ClockState.BREACHED or clock.state is ClockState.BREACHED
        assert clock.priority <= milder.priority
        if clock.due_at is not None and milder.due_at is not None:
            assert clock.due_at <= milder.due_at


# --- the report -------------------------------------------------------------------------------------------------------


@given(lives(), books(), st.integers(0, 700))
@settings(max_examples=150, deadline=None)
def test_a_report_finds_the_breaches_that_the_clocks_say(events: list[Event], book: PolicyBook, as_of: int) -> None:
    found = clocks(events, book, minute(as_of))
    facts = facts_from_clocks(found, ticket_id="tkt_x", customer_id="acme")
    if facts is None:
        assert found == ()
        return
    report = health_report([facts], book.versions[0].policies, minute(as_of))
    promised = [c for c in found if c.kind is not NEXT]
    breached = [c for c in promised if c.state is ClockState.BREACHED]
    assert [(b.breach.kind, b.breach.open) for b in report.breaches] == [
        (c.kind, c.stopped_at is None) for c in breached
    ]
    assert report.rated_tickets == bool(breached or any(c.kind is RESOLUTION and c.fulfilled for c in promised))
    assert report.burn == {kind: total_burn(c.burn for c in found if c.kind is kind) for kind in ClockKind}


def test_a_report_judges_each_ticket_by_its_own_targets() -> None:
    first = life((E.FIRST_RESPONSE, 100), (E.PRIORITY_RAISED, 110, P0), (E.RESOLVED, 120))
    facts = facts_from_clocks(clocks(first, shipped(), minute(900)))
    assert facts is not None
    report = health_report([facts], shipped().versions[0].policies, minute(900))
    assert (facts.priority, report.total_breached, report.rated_tickets) == (P0, 0, 1)
    assert (report.average_first_response_minutes, report.average_resolution_hours) == (100, 2)
    assert report.burn[RESOLUTION].us == hours(2)
