"""The health score follows its formula exactly, and a missing input is a range, never a zero."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.success.domain.catalog import load_catalog
from services.success.domain.health import HealthFacts, HealthInput, HealthVerdict, assess_health

TEXTS = load_catalog().health
FULL = HealthFacts(csat=8, pipeline_sar=12_000, meetings=1, approval_rate=0.5, days_inactive=3, drafts_pending=4)


@pytest.mark.parametrize(
    ("facts", "score", "verdict"),
    [
        (FULL, 40 + 12 + 8 + 25 - 6 - 4, "healthy"),
        (replace(FULL, drafts_pending=5), 74, "watch"),
        (replace(FULL, csat=3, drafts_pending=4), 50, "watch"),
        (replace(FULL, csat=3, drafts_pending=5), 49, "at_risk"),
        (replace(FULL, pipeline_sar=10_000_000), 100, "healthy"),
        (replace(FULL, days_inactive=1_000), 0, "at_risk"),
        (HealthFacts(10, 0, 0, 0.5, 0, 0), 75, "healthy"),
        # As binary floats 7.1 × 5 + 0.29 × 50 is a hair below 50.
        (HealthFacts(7.1, 0, 0, 0.29, 0, 0), 50, "watch"),
        (HealthFacts(0, 0, 0, 0, 0, 0), 0, "at_risk"),
    ],
)
def test_the_formula(facts: HealthFacts, score: float, verdict: str) -> None:
    health = assess_health(facts, TEXTS)
    assert (health.score, health.score_low, health.score_high) == (score, score, score)
    assert health.verdict == verdict
    assert health.coverage == 1
    assert health.missing == ()


def test_every_factor_is_listed_with_value_and_contribution() -> None:
    listed = {f.input: (f.value, f.contribution) for f in assess_health(FULL, TEXTS).factors}
    assert listed == {
        "csat": (8, 40),
        "pipeline_sar": (12_000, 12),
        "meetings": (1, 8),
        "approval_rate": (0.5, 25),
        "days_inactive": (3, -6),
        "drafts_pending": (4, -4),
    }


@pytest.mark.parametrize(
    ("facts", "low", "high", "verdict", "worst", "best"),
    [
        (HealthFacts(), 0, 100, "unknown", "at_risk", "healthy"),
        (replace(FULL, csat=None), 35, 85, "unknown", "at_risk", "healthy"),
        (replace(FULL, approval_rate=None), 50, 100, "unknown", "watch", "healthy"),
        (replace(FULL, csat=None, pipeline_sar=60_000), 83, 100, "healthy", "healthy", "healthy"),
        (replace(FULL, meetings=None), 67, 100, "unknown", "watch", "healthy"),
        (replace(FULL, days_inactive=None), 0, 81, "unknown", "at_risk", "healthy"),
        (replace(FULL, drafts_pending=None, csat=2), 0, 49, "at_risk", "at_risk", "at_risk"),
    ],
)
def test_a_missing_input_leaves_a_range(
    facts: HealthFacts, low: float, high: float, verdict: str, worst: str, best: str
) -> None:
    health = assess_health(facts, TEXTS)
    assert health.score is None
    assert (health.score_low, health.score_high) == (low, high)
    assert (health.verdict, health.worst_verdict, health.best_verdict) == (verdict, worst, best)
    assert set(health.missing) == {name for name in HealthInput if getattr(facts, name) is None}
    assert health.coverage == (6 - len(health.missing)) / 6
    assert all((f.value is None) == (f.contribution is None) == (f.input in health.missing) for f in health.factors)


def test_a_score_that_no_missing_value_can_move_is_given() -> None:
    health = assess_health(replace(FULL, meetings=None, pipeline_sar=90_000), TEXTS)
    assert (health.score, health.verdict) == (100, "healthy")
    assert health.coverage == 5 / 6


@pytest.mark.parametrize("name", HealthInput)
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, -math.inf, 1e13])
def test_a_bad_input_is_named(name: HealthInput, value: float) -> None:
    with pytest.raises(InvalidInput) as refused:
        assess_health(replace(FULL, **{name.value: value}), TEXTS)
    assert [v.field for v in refused.value.violations] == [name]


def test_all_bad_inputs_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        assess_health(HealthFacts(10.01, -1, -1, 1.01, -1, -1), TEXTS)
    assert [(v.field, v.reason) for v in refused.value.violations] == [
        ("csat", "TOO_LARGE"),
        ("pipeline_sar", "NEGATIVE"),
        ("meetings", "NEGATIVE"),
        ("approval_rate", "TOO_LARGE"),
        ("days_inactive", "NEGATIVE"),
        ("drafts_pending", "NEGATIVE"),
    ]


FACTS = st.builds(
    HealthFacts,
    csat=st.floats(0, 10),
    pipeline_sar=st.floats(0, 120_000),
    meetings=st.integers(0, 10),
    approval_rate=st.floats(0, 1),
    days_inactive=st.integers(0, 40),
    drafts_pending=st.integers(0, 30),
)


@settings(max_examples=200)
@given(FACTS, st.sets(st.sampled_from(HealthInput)))
def test_what_is_said_without_an_input_holds_with_it(facts: HealthFacts, hidden: set[HealthInput]) -> None:
    full = assess_health(facts, TEXTS)
    partial = assess_health(HealthFacts(**(asdict(facts) | {name.value: None for name in hidden})), TEXTS)
    assert full.score is not None
    assert partial.score_low <= full.score <= partial.score_high
    assert partial.verdict in (HealthVerdict.UNKNOWN, full.verdict)
    assert partial.score in (None, full.score)
