"""Breaches, clocks and health, against simple references of their own."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.support.domain.policy import Policies, load_policies
from services.support.domain.priorities import Priority
from services.support.domain.sla import (
    MAX_FIRST_RESPONSE_MINUTES,
    MAX_RESOLUTION_HOURS,
    BreachKind,
    ClockState,
    ReportAction,
    SlaEvent,
    SlaEventExists,
    SlaEventNotAllowed,
    SlaEventType,
    TicketFacts,
    Verdict,
    admit,
    classify_breach,
    clocks,
    deadlines,
    facts_from_age,
    facts_from_events,
    health_report,
    load_health_texts,
    verdict,
)

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = T0 + timedelta(days=365)
P0, P1, P2, P3 = Priority
E = SlaEventType

TARGETS = {P0: (30, 4), P1: (120, 24), P2: (480, 72), P3: (1440, 168)}


def event(kind: SlaEventType, minute: float, recorded: float | None = None, event_id: str = "") -> SlaEvent:
    at = T0 + timedelta(minutes=minute)
    return SlaEvent(kind, at, at if recorded is None else T0 + timedelta(minutes=recorded), event_id)


def minute(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


# --- breaches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("priority", list(Priority))
def test_equal_keeps_the_promise_and_anything_more_breaks_it(policy: Policies, priority: Priority) -> None:
    minutes, hours = TARGETS[priority]
    assert not classify_breach(priority, minutes, hours, policy).breached
    late = classify_breach(priority, math.nextafter(minutes, math.inf), math.nextafter(hours, math.inf), policy)
    assert [b.kind for b in late.breaches] == [BreachKind.FIRST_RESPONSE, BreachKind.RESOLUTION]


@pytest.mark.parametrize(
    ("minutes", "hours", "expected"),
    [
        (45, None, [("first_response", 30.0, 45.0, 15.0)]),
        (None, 6.5, [("resolution", 4.0, 6.5, 2.5)]),
        (45, 6.5, [("first_response", 30.0, 45.0, 15.0), ("resolution", 4.0, 6.5, 2.5)]),
        (0, 0, []),
        (30, None, []),
    ],
)
def test_each_breach_is_listed_with_its_figures(
    policy: Policies, minutes: float | None, hours: float | None, expected: list[tuple[str, float, float, float]]
) -> None:
    found = classify_breach(P0, minutes, hours, policy)
    assert [(b.kind, b.target, b.actual, b.over_by) for b in found.breaches] == expected
    assert found.breached is bool(expected)


NOT_TIMES = [
    (-1.0, "NEGATIVE"),
    (-0.001, "NEGATIVE"),
    (math.nan, "NOT_FINITE"),
    (math.inf, "NOT_FINITE"),
    (-math.inf, "NOT_FINITE"),
]


@pytest.mark.parametrize(("value", "reason"), [*NOT_TIMES, (1e12, "TOO_LARGE")])
def test_what_is_no_time_is_refused_in_both_fields_at_once(policy: Policies, value: float, reason: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        classify_breach(P1, value, value, policy)
    assert {(v.field, v.reason) for v in refusal.value.violations} == {
        ("first_response_minutes", reason),
        ("resolution_hours", reason),
    }


def test_the_largest_times_are_accepted_and_none_at_all_refused(policy: Policies) -> None:
    assert classify_breach(P3, MAX_FIRST_RESPONSE_MINUTES, MAX_RESOLUTION_HOURS, policy).breached
    with pytest.raises(InvalidInput) as refusal:
        classify_breach(P3, None, None, policy)
    assert {(v.field, v.reason) for v in refusal.value.violations} == {
        ("first_response_minutes", "REQUIRED"),
        ("resolution_hours", "REQUIRED"),
    }


# --- clocks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "events", "as_of", "response", "resolution", "state"),
    [
        ("just opened", [(E.OPENED, 0)], 10, (None, 10), (None, 10), "running"),
        ("answered", [(E.OPENED, 0), (E.FIRST_RESPONSE, 7)], 60, (7, 7), (None, 60), "running"),
        ("resolved", [(E.OPENED, 0), (E.FIRST_RESPONSE, 7), (E.RESOLVED, 90)], 600, (7, 7), (90, 90), "resolved"),
        ("resolved, never answered", [(E.OPENED, 0), (E.RESOLVED, 90)], 600, (None, 600), (90, 90), "resolved"),
        (
            "answered afterwards",
            [(E.OPENED, 0), (E.RESOLVED, 9), (E.FIRST_RESPONSE, 20)],
            60,
            (20, 20),
            (9, 9),
            "resolved",
        ),
        ("paused", [(E.OPENED, 0), (E.PAUSED, 20)], 60, (None, 60), (None, 20), "paused"),
        ("resumed", [(E.OPENED, 0), (E.PAUSED, 20), (E.RESUMED, 50)], 60, (None, 60), (None, 30), "running"),
        (
            "resolved while paused",
            [(E.OPENED, 0), (E.PAUSED, 20), (E.RESOLVED, 50)],
            60,
            (None, 60),
            (20, 20),
            "resolved",
        ),
        ("reopened", [(E.OPENED, 0), (E.RESOLVED, 30), (E.REOPENED, 100)], 110, (None, 110), (None, 40), "running"),
        (
            "reopened and resolved",
            [(E.OPENED, 0), (E.RESOLVED, 30), (E.REOPENED, 100), (E.RESOLVED, 105)],
            600,
            (None, 600),
            (35, 35),
            "resolved",
        ),
        ("escalated", [(E.OPENED, 0), (E.ESCALATED, 5), (E.PRIORITY_RAISED, 6)], 10, (None, 10), (None, 10), "running"),
    ],
)
def test_clocks(
    name: str,
    events: list[tuple[SlaEventType, float]],
    as_of: float,
    response: tuple[float | None, float],
    resolution: tuple[float | None, float],
    state: str,
) -> None:
    found = clocks([event(k, m) for k, m in events], minute(as_of))
    assert found is not None
    assert (found.first_response_minutes, found.first_response_elapsed_minutes) == response
    in_minutes = None if found.resolution_hours is None else round(found.resolution_hours * 60, 9)
    assert (in_minutes, round(found.resolution_elapsed_hours * 60, 9)) == resolution
    assert found.state == state


def test_the_past_knows_neither_what_happened_nor_what_was_recorded_later() -> None:
    events = [event(E.OPENED, 0), event(E.FIRST_RESPONSE, 10, recorded=60), event(E.RESOLVED, 90)]
    assert clocks(events, minute(-1)) is None
    assert facts_from_events(P0, events, minute(-1)) is None
    seen = [clocks(events, minute(m)) for m in (30, 60, 95)]
    assert [c and c.first_response_minutes for c in seen] == [None, 10.0, 10.0]
    assert [c and c.state for c in seen] == [ClockState.RUNNING, ClockState.RUNNING, ClockState.RESOLVED]


def test_an_opening_comes_before_what_happened_at_the_same_instant() -> None:
    found = clocks([event(E.FIRST_RESPONSE, 0), event(E.OPENED, 0, recorded=1)], minute(5))
    assert found is not None
    assert found.first_response_minutes == 0


def test_the_boundary_is_exact_to_the_microsecond(policy: Policies) -> None:
    opened = SlaEvent(E.OPENED, T0, T0)
    for priority, (minutes, hours) in TARGETS.items():
        for kind, due in ((E.FIRST_RESPONSE, timedelta(minutes=minutes)), (E.RESOLVED, timedelta(hours=hours))):
            for late in (0, 1):
                at = T0 + due + timedelta(microseconds=late)
                other = E.RESOLVED if kind is E.FIRST_RESPONSE else E.FIRST_RESPONSE
                events = [opened, SlaEvent(kind, at, at), SlaEvent(other, T0, T0)]
                facts = facts_from_events(priority, events, NOW)
                assert facts is not None
                assert health_report([facts], policy, NOW).total_breached == late


@given(
    st.lists(
        st.tuples(st.sampled_from(SlaEventType), st.integers(0, 300), st.integers(0, 60)),
        max_size=12,
        unique_by=lambda e: e[1],
    ),
    st.integers(0, 400),
)
@settings(max_examples=300, deadline=None)
def test_clocks_agree_with_counting_minute_by_minute(drawn: list[tuple[SlaEventType, int, int]], as_of: int) -> None:
    events = [event(kind, at, recorded=at + delay) for kind, at, delay in drawn]
    found = clocks(events, minute(as_of))

    # The reference walks the minutes, with one flag for each thing that can be the case.
    known = {at: kind for kind, at, delay in drawn if at + delay <= as_of}
    opened: int | None = None
    answered: int | None = None
    paused = resolved = False
    ran = waited = 0
    for now in range(as_of + 1):
        if opened is not None:
            ran += not paused and not resolved
            waited += answered is None
        kind = known.get(now)
        if opened is None:
            opened = now if kind is E.OPENED else None
        elif kind is E.FIRST_RESPONSE and answered is None:
            answered = now
        elif kind is E.PAUSED and not resolved:
            paused = True
        elif kind is E.RESUMED and not resolved:
            paused = False
        elif kind is E.RESOLVED:
            resolved = True
        elif kind is E.REOPENED and resolved:
            resolved = paused = False

    if opened is None:
        assert found is None
        return
    assert found is not None
    assert found.opened_at == minute(opened)
    assert found.resolution_running == timedelta(minutes=ran)
    assert found.first_response_elapsed == timedelta(minutes=waited)
    assert (found.first_response_minutes is None) is (answered is None)
    assert (found.resolved_at is not None) is resolved
    assert found.state == ("resolved" if resolved else "paused" if paused else "running")


def test_deadlines_move_with_pauses_and_stand_open_while_paused(policy: Policies) -> None:
    events = [event(E.OPENED, 0), event(E.PAUSED, 60), event(E.RESUMED, 90)]
    due = [
        deadlines(found, P0, policy) for as_of in (30, 70, 100) if (found := clocks(events, minute(as_of))) is not None
    ]
    assert [d.first_response_due_at for d in due] == [minute(30)] * 3
    assert [d.resolution_due_at for d in due] == [minute(240), None, minute(270)]


# --- admitting events -----------------------------------------------------------------------------------------

OPENED = event(E.OPENED, 0, event_id="evt_1")


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ([], (E.OPENED, 0)),
        ([(E.OPENED, 0)], (E.FIRST_RESPONSE, 5)),
        ([(E.OPENED, 0)], (E.FIRST_RESPONSE, 0)),
        ([(E.OPENED, 0), (E.RESOLVED, 9)], (E.FIRST_RESPONSE, 5)),
        ([(E.OPENED, 0), (E.ESCALATED, 1)], (E.ESCALATED, 2)),
        ([(E.OPENED, 0), (E.PAUSED, 9)], (E.RESOLVED, 20)),
        ([(E.OPENED, 0), (E.RESOLVED, 9), (E.REOPENED, 20)], (E.RESOLVED, 30)),
    ],
)
def test_events_that_make_sense_are_admitted(
    stored: list[tuple[SlaEventType, float]], new: tuple[SlaEventType, float]
) -> None:
    admit("tkt_x", [event(*e) for e in stored], event(*new), now=NOW)


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ([(E.OPENED, 0)], (E.OPENED, 5)),
        ([(E.OPENED, 0), (E.FIRST_RESPONSE, 5)], (E.FIRST_RESPONSE, 9)),
        ([(E.OPENED, 0), (E.FIRST_RESPONSE, 5)], (E.FIRST_RESPONSE, 2)),
        ([(E.OPENED, 0), (E.RESOLVED, 5)], (E.RESOLVED, 9)),
        ([(E.OPENED, 0), (E.RESOLVED, 5)], (E.RESOLVED, 2)),
    ],
)
def test_a_clock_stops_and_starts_once(
    stored: list[tuple[SlaEventType, float]], new: tuple[SlaEventType, float]
) -> None:
    events = [event(kind, at, event_id=f"evt_{i}") for i, (kind, at) in enumerate(stored)]
    with pytest.raises(SlaEventExists) as refusal:
        admit("tkt_x", events, event(*new), now=NOW)
    earlier = next(e for e in events if e.type is new[0])
    assert refusal.value.metadata == {"ticket_id": "tkt_x", "type": new[0], "event_id": earlier.event_id}


@pytest.mark.parametrize(
    ("stored", "new", "state"),
    [
        ([], (E.RESOLVED, 5), "not_opened"),
        ([], (E.FIRST_RESPONSE, 5), "not_opened"),
        ([(E.OPENED, 0)], (E.RESUMED, 5), "running"),
        ([(E.OPENED, 0)], (E.REOPENED, 5), "running"),
        ([(E.OPENED, 0), (E.PAUSED, 2)], (E.PAUSED, 5), "paused"),
        ([(E.OPENED, 0), (E.RESOLVED, 2)], (E.PAUSED, 5), "resolved"),
        ([(E.OPENED, 0), (E.RESOLVED, 2)], (E.PRIORITY_RAISED, 5), "resolved"),
        ([(E.OPENED, 0), (E.PAUSED, 9), (E.RESUMED, 12)], (E.RESOLVED, 5), "resolved"),
    ],
)
def test_events_that_make_no_sense_are_refused(
    stored: list[tuple[SlaEventType, float]], new: tuple[SlaEventType, float], state: str
) -> None:
    with pytest.raises(SlaEventNotAllowed) as refusal:
        admit("tkt_x", [event(*e) for e in stored], event(*new), now=NOW)
    assert (refusal.value.metadata["ticket_id"], refusal.value.metadata["state"]) == ("tkt_x", state)


@pytest.mark.parametrize(("at", "reason"), [(-1, "BEFORE_OPENING"), (60.1, "IN_FUTURE")])
def test_events_outside_the_ticket_s_time_are_refused(at: float, reason: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        admit("tkt_x", [OPENED], event(E.FIRST_RESPONSE, at), now=minute(60))
    assert [(v.field, v.reason) for v in refusal.value.violations] == [("occur_time", reason)]


def test_an_event_may_happen_this_very_instant() -> None:
    admit("tkt_x", [OPENED], event(E.FIRST_RESPONSE, 60), now=minute(60))


@given(st.lists(st.tuples(st.sampled_from(SlaEventType), st.integers(0, 100)), max_size=20))
@settings(max_examples=200, deadline=None)
def test_whatever_is_admitted_alternates(moves: list[tuple[SlaEventType, int]]) -> None:
    stored: list[SlaEvent] = []
    for kind, at in moves:
        candidate = event(kind, at, recorded=len(stored) + 1000)
        try:
            admit("tkt_x", stored, candidate, now=NOW)
        except (SlaEventExists, SlaEventNotAllowed, InvalidInput):
            continue
        stored.append(candidate)
    ordered = sorted(stored, key=lambda e: (e.occurred_at, e.type is not E.OPENED, e.recorded_at))
    kinds = [e.type for e in ordered]
    assert kinds.count(E.OPENED) <= 1
    assert kinds.count(E.FIRST_RESPONSE) <= 1
    assert not kinds or kinds[0] is E.OPENED
    stops = [k for k in kinds if k in (E.RESOLVED, E.REOPENED)]
    assert all(k is (E.RESOLVED if i % 2 == 0 else E.REOPENED) for i, k in enumerate(stops))


# --- health ---------------------------------------------------------------------------------------------------


def done(priority: Priority, *, late: bool) -> TicketFacts:
    minutes, hours = TARGETS[priority]
    return TicketFacts(priority, first_response_minutes=minutes, resolution_hours=hours + late)


@pytest.mark.parametrize(
    ("breached", "rated", "expected"),
    [
        (0, 0, "healthy"),
        (0, 5, "healthy"),
        (1, 11, "healthy"),
        (99, 1000, "healthy"),
        (1, 10, "watch"),
        (100, 1000, "watch"),
        (249, 1000, "watch"),
        (1, 4, "critical"),
        (250, 1000, "critical"),
        (7, 7, "critical"),
        # 0.1 and 0.25 as floats would be a hair off for some of these.
        (3, 30, "watch"),
        (10**8, 10**9, "watch"),
        (10**8 - 1, 10**9, "healthy"),
        (25 * 10**7 - 1, 10**9, "watch"),
    ],
)
def test_verdicts_at_their_thresholds(breached: int, rated: int, expected: str) -> None:
    assert verdict(breached, rated) == expected


def test_no_tickets_are_healthy(policy: Policies) -> None:
    report = health_report([], policy, NOW)
    assert (report.total_tickets, report.total_breached, report.rated_tickets, report.breach_rate) == (0, 0, 0, 0.0)
    assert report.verdict is Verdict.HEALTHY
    assert (report.average_first_response_minutes, report.average_resolution_hours) == (None, None)
    assert [(p.priority, p.total) for p in report.by_priority] == [(P0, 0), (P1, 0), (P2, 0), (P3, 0)]


def test_open_tickets_count_only_once_they_are_overdue(policy: Policies) -> None:
    young = facts_from_age(P1, first_response_minutes=None, resolution_hours=None, age_minutes=120)
    overdue = facts_from_age(P1, first_response_minutes=None, resolution_hours=None, age_minutes=121)
    unknown = facts_from_age(P1, first_response_minutes=None, resolution_hours=None, age_minutes=None)
    report = health_report([young, unknown, done(P1, late=False)], policy, NOW)
    assert (report.total_tickets, report.rated_tickets, report.total_breached) == (3, 1, 0)
    report = health_report([young, overdue, done(P1, late=False)], policy, NOW)
    assert (report.total_tickets, report.rated_tickets, report.total_breached, report.breach_rate) == (3, 2, 1, 0.5)
    assert [b.breach.open for b in report.breaches] == [True]


def test_an_age_speaks_only_of_what_is_still_open() -> None:
    facts = facts_from_age(P1, first_response_minutes=None, resolution_hours=2, age_minutes=90)
    assert (facts.first_response_elapsed_minutes, facts.resolution_elapsed_hours) == (90, None)
    facts = facts_from_age(P1, first_response_minutes=5, resolution_hours=None, age_minutes=90)
    assert (facts.first_response_elapsed_minutes, facts.resolution_elapsed_hours) == (None, 1.5)


def test_a_ticket_can_break_both_promises_and_counts_once(policy: Policies) -> None:
    ticket = TicketFacts(P0, 31, 4.5, ticket_id="a", customer_id="c")
    report = health_report([ticket], policy, NOW)
    assert report.total_breached == 1
    assert [(b.ticket_id, b.customer_id, b.priority, b.breach.kind) for b in report.breaches] == [
        ("a", "c", P0, "first_response"),
        ("a", "c", P0, "resolution"),
    ]


def test_averages_are_over_known_times_only(policy: Policies) -> None:
    tickets = [TicketFacts(P3, 10, 2.0), TicketFacts(P3, 20), TicketFacts(P3, first_response_elapsed_minutes=999)]
    report = health_report(tickets, policy, NOW)
    assert (report.average_first_response_minutes, report.average_resolution_hours) == (15.0, 2.0)


def test_only_a_critical_report_asks_for_action(policy: Policies) -> None:
    texts = load_health_texts()
    for late, expected in ((0, ()), (2, ()), (3, (ReportAction.ESCALATE_TO_FOUNDER, ReportAction.HOLD_LIVE_ACTIONS))):
        report = health_report([done(P2, late=i < late) for i in range(12)], policy, NOW)
        assert report.actions == expected
        summary = texts.summary(report)
        assert ("المؤسس" in summary.ar) is ("founder" in summary.en) is bool(expected)


def test_every_faulty_time_of_every_ticket_is_named(policy: Policies) -> None:
    tickets = [TicketFacts(P0, -1, math.nan), TicketFacts(P1, 5, 5), TicketFacts(P2, None, None, math.inf, 1e9)]
    with pytest.raises(InvalidInput) as refusal:
        health_report(tickets, policy, NOW)
    assert [(v.field, v.reason) for v in refusal.value.violations] == [
        ("tickets[0].first_response_minutes", "NEGATIVE"),
        ("tickets[0].resolution_hours", "NOT_FINITE"),
        ("tickets[2].first_response_elapsed_minutes", "NOT_FINITE"),
        ("tickets[2].resolution_elapsed_hours", "TOO_LARGE"),
    ]


def test_the_demo_shows_a_breach_and_an_open_ticket(policy: Policies) -> None:
    report = health_report(load_health_texts().demo, policy, NOW)
    assert (report.total_tickets, report.rated_tickets, report.total_breached) == (7, 6, 1)
    assert report.verdict is Verdict.WATCH


@cache
def loaded() -> Policies:
    return load_policies()


times = (
    st.none()
    | st.floats(0, 2000, allow_nan=False)
    | st.sampled_from([4.0, 24.0, 30.0, 72.0, 120.0, 168.0, 480.0, 1440.0])
)


@given(st.lists(st.tuples(st.sampled_from(Priority), times, times, times), max_size=25))
@settings(max_examples=200, deadline=None)
def test_the_report_agrees_with_counting_by_hand(
    drawn: list[tuple[Priority, float | None, float | None, float | None]],
) -> None:
    tickets = [facts_from_age(p, first_response_minutes=m, resolution_hours=h, age_minutes=a) for p, m, h, a in drawn]
    report = health_report(tickets, loaded(), NOW)

    bad = counted = listed = 0
    for priority, minutes, hours, age in drawn:
        target_minutes, target_hours = TARGETS[priority]
        response = minutes if minutes is not None else age
        resolution = hours if hours is not None else age / 60 if age is not None else None
        broken = (response is not None and response > target_minutes) + (
            resolution is not None and resolution > target_hours
        )
        listed += broken
        bad += broken > 0
        counted += broken > 0 or hours is not None
    assert (report.total_tickets, report.total_breached, report.rated_tickets) == (len(drawn), bad, counted)
    assert len(report.breaches) == listed
    rate = Fraction(bad, counted) if counted else Fraction(0)
    assert report.breach_rate == float(rate)
    assert report.verdict == ("healthy" if rate < Fraction(1, 10) else "watch" if rate < Fraction(1, 4) else "critical")
    assert sum(p.total for p in report.by_priority) == len(drawn)
    assert sum(p.breached for p in report.by_priority) == bad
    assert all(b.breach.over_by >= 0 for b in report.breaches)


@given(st.lists(st.tuples(st.sampled_from(Priority), times, times, times), min_size=2, max_size=10))
@settings(max_examples=50, deadline=None)
def test_the_order_of_tickets_changes_no_figure(
    drawn: list[tuple[Priority, float | None, float | None, float | None]],
) -> None:
    tickets = [facts_from_age(p, first_response_minutes=m, resolution_hours=h, age_minutes=a) for p, m, h, a in drawn]
    turned = list(reversed(tickets))
    assume(turned != tickets)
    one, other = health_report(tickets, loaded(), NOW), health_report(turned, loaded(), NOW)
    assert (one.breach_rate, one.verdict, one.by_priority) == (other.breach_rate, other.verdict, other.by_priority)
    assert one.average_resolution_hours == other.average_resolution_hours
