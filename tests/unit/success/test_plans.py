"""Success plans: every bundle has one, with the specification's days, and no upgrade before proof."""

from __future__ import annotations

import pytest

from services.domain.checks import Checks
from services.success.domain.catalog import load_catalog
from services.success.domain.plans import Bundle, parse_bundle, success_plan

TEXTS = load_catalog().plans


@pytest.mark.parametrize(
    ("bundle", "days"),
    [
        (Bundle.GROWTH_STARTER, [1, 3, 7, 14, 30]),
        (Bundle.EXECUTIVE_GROWTH_OS, [1, 7, 14, 21, 30]),
        (Bundle.PARTNERSHIP_GROWTH, [1, 5, 10, 14, 30]),
        (Bundle.DATA_TO_REVENUE, [1, 3, 5, 7, 14, 21, 30]),
        (Bundle.LOCAL_GROWTH_OS, [1, 3, 7, 14, 21, 30]),
        (Bundle.FULL_GROWTH_CONTROL_TOWER, [1, 3, 7, 10, 14, 21, 30]),
    ],
)
def test_days(bundle: Bundle, days: list[int]) -> None:
    plan = success_plan(bundle, TEXTS)
    assert plan.bundle is bundle
    assert [line.day for line in plan.lines] == days
    for lines in (plan.cadence_ar, plan.cadence_en):
        assert [line.split(":")[0] for line in lines] == [f"Day {day}" for day in days]


@pytest.mark.parametrize(
    ("bundle", "day", "words"),
    [
        (Bundle.GROWTH_STARTER, 7, "Proof Pack v1"),
        (Bundle.GROWTH_STARTER, 14, "الترقية"),
        (Bundle.GROWTH_STARTER, 30, "قرار التجديد"),
        (Bundle.EXECUTIVE_GROWTH_OS, 7, "Proof Pack"),
        (Bundle.EXECUTIVE_GROWTH_OS, 14, "Founder Shadow Board"),
        (Bundle.EXECUTIVE_GROWTH_OS, 30, "QBR"),
        (Bundle.PARTNERSHIP_GROWTH, 1, "Partner ICP"),
        (Bundle.PARTNERSHIP_GROWTH, 5, "عشرون شريكًا"),
        (Bundle.PARTNERSHIP_GROWTH, 10, "خمسة اجتماعات"),
        (Bundle.PARTNERSHIP_GROWTH, 30, "تقاسم الإيراد"),
    ],
)
def test_what_a_day_holds(bundle: Bundle, day: int, words: str) -> None:
    (line,) = (line for line in success_plan(bundle, TEXTS).lines if line.day == day)
    assert words in line.line_ar


@pytest.mark.parametrize("bundle", Bundle)
def test_no_upgrade_is_offered_before_a_proof_pack(bundle: Bundle) -> None:
    lines = success_plan(bundle, TEXTS).lines
    offers = [line.day for line in lines if line.upgrade_offer]
    proofs = [line.day for line in lines if line.proof_pack]
    assert all(proofs and proofs[0] < day for day in offers)


@pytest.mark.parametrize("value", ["", "growth", "GROWTH_STARTER", "growth_starter ", "enterprise"])
def test_an_unknown_bundle_is_refused(value: str) -> None:
    checks = Checks()
    parse_bundle("bundle_id", value, checks)
    assert [(v.field, v.reason) for v in checks.violations] == [("bundle_id", "UNKNOWN_VALUE")]


@pytest.mark.parametrize("bundle", Bundle)
def test_a_known_bundle_is_read(bundle: Bundle) -> None:
    checks = Checks()
    assert parse_bundle("bundle_id", bundle.value, checks) is bundle
    assert not checks.violations
