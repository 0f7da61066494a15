"""The at-risk score gives the specification's points, and never calls an unknown customer safe."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.domain.texts import isolated
from services.success.domain.at_risk import AtRiskFacts, RiskInput, RiskLevel, assess_risk
from services.success.domain.cadence import CadenceType
from services.success.domain.catalog import load_catalog

TEXTS = load_catalog().at_risk


@pytest.mark.parametrize(
    ("inactive", "drafts", "proof_pack", "score", "level"),
    [
        (0, 0, 0, 0, "low"),
        (6, 4, 13, 0, "low"),
        (7, 0, 0, 20, "low"),
        (13, 0, 0, 20, "low"),
        (14, 0, 0, 40, "medium"),
        (0, 5, 0, 10, "low"),
        (0, 9, 0, 10, "low"),
        (0, 10, 0, 25, "low"),
        (0, 0, 14, 30, "medium"),
        (7, 5, 0, 30, "medium"),
        (7, 10, 0, 45, "medium"),
        (7, 10, 14, 75, "high"),
        (7, 5, 14, 60, "high"),
        (14, 10, 0, 65, "high"),
        (14, 10, 14, 95, "high"),
        (1_000_000, 1_000_000, 1_000_000, 95, "high"),
    ],
)
def test_points_and_levels(inactive: int, drafts: int, proof_pack: int, score: int, level: str) -> None:
    alert = assess_risk(AtRiskFacts(inactive, drafts, proof_pack), TEXTS)
    assert alert.type is CadenceType.AT_RISK_ALERT
    assert (alert.risk_score, alert.level) == (score, level)
    assert sum(reason.points for reason in alert.reasons) == score
    assert alert.unknown_inputs == ()
    assert alert.never_skipped == (level == "high")


def test_reasons_say_their_points() -> None:
    alert = assess_risk(AtRiskFacts(9, 12, 20), TEXTS)
    assert [(r.input, r.value, r.at_least, r.points) for r in alert.reasons] == [
        (RiskInput.DAYS_SINCE_PROOF_PACK, 20, 14, 30),
        (RiskInput.DRAFTS_PENDING, 12, 10, 25),
        (RiskInput.DAYS_INACTIVE, 9, 7, 20),
    ]
    assert alert.reasons_ar == (
        "مضى 20 يومًا على آخر Proof Pack \u2066(+30)\u2069",
        "12 مسودة تنتظر موافقة العميل \u2066(+25)\u2069",
        "لا نشاط من العميل منذ 9 أيام \u2066(+20)\u2069",
    )
    assert alert.reasons_en[2] == "The customer has been inactive for 9 days (+20)"
    assert all(isolated(said) == said for said in alert.reasons_ar), "nothing is left that would be set in reverse"


@pytest.mark.parametrize(
    ("level", "actions"),
    [
        (RiskLevel.HIGH, ("founder_email", "qbr_this_week")),
        (RiskLevel.MEDIUM, ("proof_pack_summary", "demo")),
        (RiskLevel.LOW, ("usual_check_in",)),
        (RiskLevel.UNKNOWN, ("complete_data",)),
    ],
)
def test_each_level_recommends(level: RiskLevel, actions: tuple[str, ...]) -> None:
    facts = {
        RiskLevel.HIGH: AtRiskFacts(14, 10, 14),
        RiskLevel.MEDIUM: AtRiskFacts(14, 0, 0),
        RiskLevel.LOW: AtRiskFacts(0, 0, 0),
        RiskLevel.UNKNOWN: AtRiskFacts(None, None, None),
    }
    alert = assess_risk(facts[level], TEXTS)
    assert (alert.level, alert.recommended_actions) == (level, actions)
    assert alert.recommended_action_ar
    assert alert.recommended_action_en


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (AtRiskFacts(None, None, None), "unknown"),
        (AtRiskFacts(0, 0, None), "unknown"),  # a Proof Pack long ago would make it medium
        (AtRiskFacts(0, None, 0), "low"),  # pending drafts alone give 25 at most
        (AtRiskFacts(None, 0, 0), "unknown"),
        (AtRiskFacts(14, None, None), "medium"),
        (AtRiskFacts(14, 10, None), "high"),
    ],
)
def test_an_unknown_input_is_named_and_never_reassures(facts: AtRiskFacts, level: str) -> None:
    alert = assess_risk(facts, TEXTS)
    assert alert.level == level
    assert set(alert.unknown_inputs) == {name for name in RiskInput if getattr(facts, name) is None}


@pytest.mark.parametrize("value", [-1, -(2**31), 2**40, float("nan"), float("inf")])
def test_every_bad_input_is_named(value: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        assess_risk(AtRiskFacts(value, value, value), TEXTS)
    assert {v.field for v in refused.value.violations} == set(RiskInput)


def test_a_customer_without_a_proof_pack_yet_is_known_and_gets_no_points_for_it() -> None:
    alert = assess_risk(AtRiskFacts(7, 0, None, no_proof_pack_yet=True), TEXTS)
    assert (alert.risk_score, alert.level, alert.unknown_inputs) == (20, "low", ())


def test_a_proof_pack_that_is_not_there_has_no_age() -> None:
    with pytest.raises(InvalidInput) as refused:
        assess_risk(AtRiskFacts(0, 0, 3, no_proof_pack_yet=True), TEXTS)
    assert [(v.field, v.reason) for v in refused.value.violations] == [("days_since_proof_pack", "CONTRADICTION")]


DAYS = st.integers(0, 40)


@settings(max_examples=200)
@given(DAYS, DAYS, DAYS, st.sets(st.sampled_from(RiskInput)))
def test_a_level_holds_whatever_the_missing_values_are(
    inactive: int, drafts: int, proof_pack: int, hidden: set[RiskInput]
) -> None:
    full = AtRiskFacts(inactive, drafts, proof_pack)
    partial = AtRiskFacts(**{name.value: None if name in hidden else getattr(full, name) for name in RiskInput})
    known, guess = assess_risk(full, TEXTS), assess_risk(partial, TEXTS)
    assert guess.risk_score <= known.risk_score
    order = [RiskLevel.LOW, RiskLevel.MEDIUM, RiskLevel.HIGH]
    if guess.level is RiskLevel.LOW:
        assert known.level is RiskLevel.LOW
    elif guess.level is not RiskLevel.UNKNOWN:
        assert order.index(known.level) >= order.index(guess.level)
