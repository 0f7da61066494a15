"""Breaches and health, against counting by hand."""

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
    ReportAction,
    TicketFacts,
    Verdict,
    classify_breach,
    facts_from_age,
    health_report,
    load_health_texts,
    verdict,
)

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = T0 + timedelta(days=365)
P0, P1, P2, P3 = Priority

TARGETS = {P0: (30, 4), P1: (120, 24), P2: (480, 72), P3: (1440, 168)}


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
