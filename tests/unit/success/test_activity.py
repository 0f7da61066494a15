"""What is known of a customer from events, what is not, and what a risk was and will be from day to day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.context import FirstProofPack
from services.domain.errors import InvalidInput
from services.domain.riyadh import day_start
from services.storage.database import Actor
from services.success.domain.activity import (
    SHOWS_ACTIVE,
    ActivityKind,
    Known,
    NewActivity,
    OnDay,
    Tally,
    Total,
    check_events,
    profile,
    proof_pack_delivered,
    recorded,
    require_correctable,
    week_facts,
)
from services.success.domain.at_risk import RiskLevel, assess_risk, explain_risk
from services.success.domain.catalog import load_catalog
from services.success.domain.days import NEVER, day_of
from services.success.domain.errors import ActivityCorrected, ActivityNotFound
from services.success.domain.health import HealthVerdict, assess_health
from services.success.domain.risk_history import Stretch, becomes_high, high_since, rank, rank_bounds, stretches

CATALOG = load_catalog()
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
PERSON = Actor("person", "operator-17")
K = ActivityKind


def known(
    day: int = 100, first: FirstProofPack | None = None, plan_since: int | None = None, **totals: tuple[int | None, int]
) -> Known:
    """What is known; each kind as (last day, count), all within the window."""
    made = {K(kind): Total(*total) for kind, total in totals.items()}
    return Known("acme", day, made, {kind: total.count for kind, total in made.items()}, None, None, plan_since, first)


@pytest.mark.parametrize(
    ("events", "named"),
    [
        ([NewActivity(K.CSAT, NOW, value=10.5)], {"events[0].value": "TOO_LARGE"}),
        ([NewActivity(K.CSAT, NOW)], {"events[0].value": "REQUIRED"}),
        ([NewActivity(K.CSAT, NOW, value=float("nan"))], {"events[0].value": "NOT_FINITE"}),
        ([NewActivity(K.PIPELINE_SAR, NOW, value=-1.0)], {"events[0].value": "NEGATIVE"}),
        ([NewActivity(K.REPLIES, NOW, value=1.0)], {"events[0].value": "NO_VALUE"}),
        ([NewActivity(K.SEEN_ACTIVE, NOW, count=2)], {"events[0].count": "NOT_COUNTED"}),
        ([NewActivity(K.REPLIES, NOW, count=-2)], {"events[0].count": "NEGATIVE"}),
        ([NewActivity(K.REPLIES, NOW + timedelta(seconds=1))], {"events[0].occur_time": "IN_FUTURE"}),
        ([NewActivity(K.RETRACTED, NOW)], {"events[0].corrects_activity_id": "REQUIRED"}),
        (
            [NewActivity(K.REPLIES, NOW, corrects="act_1"), NewActivity(K.RETRACTED, NOW, corrects="act_1")],
            {"events[1].corrects_activity_id": "REPEATED"},
        ),
        (
            [NewActivity(K.REPLIES, NOW), NewActivity(K.CSAT, NOW + timedelta(days=1), count=1)],
            {"events[1].occur_time": "IN_FUTURE", "events[1].count": "NOT_COUNTED", "events[1].value": "REQUIRED"},
        ),
    ],
)
def test_faulty_events_are_named_all_at_once(events: list[NewActivity], named: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_events(events, NOW)
    assert {v.field: v.reason for v in refused.value.violations} == named


def test_a_count_of_nothing_is_an_event_and_an_event_counts_one() -> None:
    assert recorded("act_1", "acme", NewActivity(K.REPLIES, NOW, count=0), PERSON, NOW).count == 0
    assert recorded("act_1", "acme", NewActivity(K.SEEN_ACTIVE, NOW), PERSON, NOW).count == 1
    assert recorded("act_1", "acme", NewActivity(K.RETRACTED, NOW, corrects="act_0"), PERSON, NOW).count == 0


def test_an_event_is_corrected_once_and_by_its_own_customer() -> None:
    event = recorded("act_1", "acme", NewActivity(K.REPLIES, NOW), PERSON, NOW)
    assert require_correctable("act_1", "acme", event) is event
    with pytest.raises(ActivityNotFound):
        require_correctable("act_1", "zain", event)
    with pytest.raises(ActivityNotFound):
        require_correctable("act_2", "acme", None)
    with pytest.raises(ActivityCorrected):
        require_correctable("act_1", "acme", replace(event, corrected_by="act_2"))


def test_of_nothing_recorded_nothing_is_known() -> None:
    nothing = known()
    risk = assess_risk(nothing.profile.facts(100), CATALOG.at_risk)
    health = assess_health(nothing.health_facts, CATALOG.health)
    assert (risk.level, len(risk.unknown_inputs)) == (RiskLevel.UNKNOWN, 3)
    assert (health.verdict, health.coverage, health.score) == (HealthVerdict.UNKNOWN, 0, None)
    assert {factor.points for factor in explain_risk(nothing.profile.facts(100), CATALOG.at_risk)} == {None}


def first_pack(day: int) -> FirstProofPack:
    return FirstProofPack(day_start(day_of(day)) + timedelta(hours=9))


@pytest.mark.parametrize(
    ("first", "recorded_on", "expected"),
    [
        (None, None, (None, False, 0)),
        (None, 90, (90, False, 1)),
        (FirstProofPack(), None, (None, True, 0)),
        (FirstProofPack(), 90, (90, False, 1)),
        (first_pack(80), None, (80, False, 1)),
        (first_pack(80), 90, (90, False, 1)),
        # Delivered the day after: on this day there was none.
        (first_pack(101), None, (None, True, 0)),
        (first_pack(100), None, (100, False, 1)),
    ],
)
def test_a_proof_pack_is_known_by_its_delivery_known_to_be_none_or_not_known(
    first: FirstProofPack | None, recorded_on: int | None, expected: tuple[int | None, bool, int]
) -> None:
    totals = {} if recorded_on is None else {"proof_pack_delivered": (recorded_on, 1)}
    found = known(first=first, **totals)
    profile = found.profile
    assert (profile.proof_pack_day, profile.no_proof_pack_yet, found.proof_packs_delivered) == expected
    delivered = proof_pack_delivered(recorded_on is not None, first, 100)
    assert delivered is (True if expected[0] is not None else False if expected[1] else None)


def test_with_a_plan_it_is_known_that_no_proof_pack_was_delivered_yet_where_onboarding_was_not_asked() -> None:
    assert known(plan_since=101).profile.no_proof_pack_yet is False
    assert known(plan_since=100).profile.no_proof_pack_yet is True
    assert known(plan_since=100, proof_pack_delivered=(90, 1)).profile.no_proof_pack_yet is False
    told = known(plan_since=100, first=first_pack(80)).profile
    assert (told.proof_pack_day, told.no_proof_pack_yet) == (80, False)
    assert known(plan_since=101, first=FirstProofPack()).profile.no_proof_pack_yet is True
    assert replace(known(plan_since=100), unanswered=True).profile.no_proof_pack_yet is False


def test_a_proof_pack_that_is_known_to_be_none_gives_no_points_and_is_said() -> None:
    factors = explain_risk(known(first=FirstProofPack()).profile.facts(100), CATALOG.at_risk)
    assert (factors[2].value, factors[2].points) == (None, 0)
    assert "لم يُسلَّم" in factors[2].text.ar


@pytest.mark.parametrize("kind", K)
def test_the_customer_shows_itself_by_what_it_does(kind: ActivityKind) -> None:
    last = known(**{kind.value: (97, 1)}).profile.last_active_day
    assert last == (97 if kind in SHOWS_ACTIVE else None)


@pytest.mark.parametrize(
    ("totals", "pending"),
    [
        ({}, None),
        ({"drafts_approved": (90, 3)}, None),
        ({"drafts_created": (90, 5)}, 5),
        ({"drafts_created": (None, 0)}, 0),
        ({"drafts_created": (90, 9), "drafts_approved": (91, 3), "drafts_rejected": (92, 1)}, 5),
        ({"drafts_created": (90, 3), "drafts_approved": (91, 3)}, 0),
        # More decided than created: the record contradicts itself, so it is not known.
        ({"drafts_created": (90, 3), "drafts_approved": (91, 4)}, None),
    ],
)
def test_drafts_pending_are_those_created_and_not_decided(
    totals: dict[str, tuple[int | None, int]], pending: int | None
) -> None:
    assert known(**totals).profile.drafts_pending == pending


def test_rates_and_meetings_are_of_the_window_and_unknown_where_never_recorded() -> None:
    assert known().meetings is None
    assert known().drafts_decided is None
    found = known(drafts_approved=(99, 3), drafts_rejected=(99, 1), meetings=(98, 2))
    assert (found.health_facts.approval_rate, found.meetings) == (0.75, 2)
    # Decided once, but not lately: no rate, rather than one of nothing.
    old = replace(found, window=dict.fromkeys(found.window, 0))
    assert (old.health_facts.approval_rate, old.meetings) == (None, 0)


def test_a_check_in_says_nothing_of_what_was_never_recorded() -> None:
    facts = week_facts(known(replies=(99, 7), meetings=(60, 1)), {K.REPLIES: 4})
    assert (facts.drafts_approved, facts.replies, facts.meetings, facts.pipeline_sar) == (None, 4, 0, None)


# --- from day to day --------------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.builds(
        OnDay,
        day=st.integers(50, 110),
        kind=st.sampled_from([K.SEEN_ACTIVE, K.DRAFTS_CREATED, K.DRAFTS_APPROVED, K.PROOF_PACK_DELIVERED, K.REPLIES]),
        count=st.integers(0, 8),
    ),
    max_size=12,
)
PLAN = st.none() | st.integers(40, 120)


def level_on(events: list[OnDay], plan: int | None, day: int) -> int | None:
    """The rank on a day, from nothing but the events up to it; None before anything is known."""
    until = [event for event in events if event.day <= day]
    if not until and (plan is None or plan > day):
        return None
    tally = Tally({})
    for event in sorted(until, key=lambda e: e.day):
        tally.add(event)
    facts = profile(tally.totals, plan is not None and plan <= day).facts(day)
    found = assess_risk(facts, CATALOG.at_risk)
    return rank(found.risk_score, found.level)


@given(events=EVENTS, plan=PLAN)
@settings(max_examples=150)
def test_the_stretches_are_what_each_day_comes_to(events: list[OnDay], plan: int | None) -> None:
    found = stretches(None, Tally({}), events, plan, CATALOG.at_risk)
    for day in range(35, 160):
        expected = level_on(events, plan, day)
        assert [s.rank for s in found if s.start <= day < s.end] == ([] if expected is None else [expected])
    if found:
        assert found[-1].end == NEVER
        assert all(a.end == b.start and a.rank != b.rank for a, b in pairwise(found))


@given(events=EVENTS, plan=PLAN, first=st.integers(45, 115))
@settings(max_examples=150)
def test_computed_anew_from_any_day_they_are_the_same(events: list[OnDay], plan: int | None, first: int) -> None:
    before = Tally({})
    for event in sorted(events, key=lambda e: e.day):
        if event.day < first:
            before.add(event)
    found = stretches(first, before, [e for e in events if e.day >= first], plan, CATALOG.at_risk)
    for day in range(first, 160):
        expected = level_on(events, plan, day)
        assert [s.rank for s in found if s.start <= day < s.end] == ([] if expected is None else [expected])


def test_ranks_are_worst_first() -> None:
    ordered = [(95, "high"), (60, "high"), (50, "medium"), (30, "medium"), (25, "unknown"), (0, "unknown"), (20, "low")]
    ranks = [rank(score, RiskLevel(level)) for score, level in ordered]
    assert ranks == sorted(ranks)
    assert rank_bounds(None)[0] <= ranks[0] <= ranks[5] <= rank_bounds(None)[1] < ranks[6]
    for score, level in ordered:
        first, last = rank_bounds(RiskLevel(level))
        assert first <= rank(score, RiskLevel(level)) <= last


HIGH, LOW = rank(65, RiskLevel.HIGH), rank(0, RiskLevel.LOW)
TALK = [Stretch(10, 20, LOW), Stretch(20, 25, HIGH), Stretch(25, 30, HIGH - 5), Stretch(30, NEVER, LOW)]


@pytest.mark.parametrize(("today", "day"), [(5, 20), (19, 20), (20, 20), (27, 27), (30, None)])
def test_when_a_risk_becomes_high(today: int, day: int | None) -> None:
    assert becomes_high(TALK, today) == day


@pytest.mark.parametrize(("today", "since"), [(9, None), (19, None), (20, 20), (24, 20), (29, 20), (30, None)])
def test_since_when_a_risk_is_high(today: int, since: int | None) -> None:
    assert high_since(TALK, today) == since
