"""The weekly check-in: agenda, talking points, and when it is not held."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.domain.channels import Channel
from services.domain.errors import InvalidInput
from services.success.domain.cadence import CadenceType
from services.success.domain.catalog import load_catalog
from services.success.domain.check_in import (
    CheckInFacts,
    IncidentSeverity,
    SuppressionKind,
    build_check_in,
    check_in_text,
    decide_check_in,
)

TEXTS = load_catalog().check_in
WEEK = CheckInFacts(drafts_approved=12, replies=3, meetings=2, risks_blocked=1, pipeline_sar=450_000)
# A Tuesday noon in Riyadh; its week began on Sunday 1 March.
NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


def test_five_items_of_five_minutes_in_order() -> None:
    check_in = build_check_in(WEEK, TEXTS)
    assert check_in.type is CadenceType.WEEKLY_CHECK_IN
    assert [item.id for item in check_in.agenda] == [
        "last_proof_pack",
        "best_opportunity",
        "biggest_channel_risk",
        "next_week_plan",
        "help_needed",
    ]
    assert {item.minutes for item in check_in.agenda} == {5}
    assert check_in.total_minutes == 25
    assert len(check_in.agenda_ar) == len(check_in.agenda_en) == 5


def test_the_text_proposes_a_day_or_asks_for_a_time() -> None:
    made = build_check_in(WEEK, TEXTS)
    dated = check_in_text(made, date(2026, 3, 5), None, TEXTS)
    assert "يوم الخميس 5 مارس 2026 في 25 دقيقة" in dated.ar
    assert "25 minutes on Thursday 5 March 2026" in dated.en
    undated = check_in_text(made, None, None, TEXTS)
    assert "الموعد الذي يناسبكم" in undated.ar
    assert "a time that suits you" in undated.en
    assert "2026" not in undated.ar + undated.en
    assert len(undated.ar.split("\n")) == len(dated.ar.split("\n"))


def test_each_number_is_said() -> None:
    assert build_check_in(WEEK, TEXTS).talking_points_ar == (
        "اعتمدتم 12 مسودة هذا الأسبوع.",
        "وصلتكم 3 ردود.",
        "رُتِّب اجتماعان.",
        "أوقفنا خطرًا واحدًا قبل أن يصل إلى عملائكم.",
        "قيمة الـ Pipeline الحالية 450,000 ريال.",
    )
    assert build_check_in(WEEK, TEXTS).talking_points_en == (
        "You approved 12 drafts this week.",
        "3 replies came in.",
        "2 meetings were arranged.",
        "We stopped one risk before it reached your customers.",
        "The pipeline now stands at SAR 450,000.",
    )


@pytest.mark.parametrize("number", [0, 1, 2, 3, 10, 11, 99, 100, 101, 103, 1_000_000])
def test_the_word_pipeline_and_every_form_are_there(number: int) -> None:
    check_in = build_check_in(CheckInFacts(number, number, number, number, number), TEXTS)
    assert "Pipeline" in check_in.talking_points_ar[-1]
    assert all("{" not in text for text in check_in.talking_points_ar + check_in.talking_points_en)
    shown = [f"{number:,}" in text for text in check_in.talking_points_ar]
    assert all(shown) == (number > 2)


@pytest.mark.parametrize(
    ("amount", "said_ar", "said_en"),
    [
        (0, "لا توجد قيمة", "no recorded value"),
        (-0.0, "لا توجد قيمة", "no recorded value"),
        (0.004, "لا توجد قيمة", "no recorded value"),
        (1, "الحالية ريال واحد.", "SAR 1."),
        (2, "الحالية ريالان.", "SAR 2."),
        (3, "الحالية 3 ريالات.", "SAR 3."),
        (10, "الحالية 10 ريالات.", "SAR 10."),
        (11, "الحالية 11 ريالًا.", "SAR 11."),
        (999, "الحالية 999 ريالًا.", "SAR 999."),
        (1234.5, "الحالية 1,234.50 ريال.", "SAR 1,234.50."),
        (1e6, "الحالية 1,000,000 ريال.", "SAR 1,000,000."),
        (1e11, "الحالية 100,000,000,000 ريال.", "SAR 100,000,000,000."),
    ],
)
def test_riyals_are_counted_and_shown(amount: float, said_ar: str, said_en: str) -> None:
    check_in = build_check_in(replace(WEEK, pipeline_sar=amount), TEXTS)
    assert said_ar in check_in.talking_points_ar[-1]
    assert said_en in check_in.talking_points_en[-1]


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, -0.01, 1e13])
def test_every_bad_number_is_named(amount: float) -> None:
    bad = CheckInFacts(-1, -2, -3, 2**40, amount)
    with pytest.raises(InvalidInput) as refused:
        build_check_in(bad, TEXTS)
    assert {v.field for v in refused.value.violations} == {
        "metrics.drafts_approved",
        "metrics.replies",
        "metrics.meetings",
        "metrics.risks_blocked",
        "metrics.pipeline_sar",
    }


@pytest.mark.parametrize("field", ["drafts_approved", "replies", "meetings", "risks_blocked", "pipeline_sar"])
def test_one_bad_number_is_enough(field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        build_check_in(replace(WEEK, **{field: -1}), TEXTS)
    assert [(v.field, v.reason) for v in refused.value.violations] == [(f"metrics.{field}", "NEGATIVE")]


@pytest.mark.parametrize(
    ("severities", "allowed"),
    [([], True), (["SEV3"], True), (["SEV2"], False), (["SEV1"], False), (["SEV3", "SEV2"], False)],
)
def test_a_grave_open_incident_holds_it_back(severities: list[str], allowed: bool) -> None:
    assert decide_check_in(NOW, [IncidentSeverity(s) for s in severities], [], TEXTS).allowed is allowed


def test_the_gravest_incident_is_named() -> None:
    decision = decide_check_in(NOW, list(reversed(IncidentSeverity)), [], TEXTS)
    (suppression,) = decision.suppressions
    assert suppression.kind is SuppressionKind.OPEN_INCIDENT
    assert suppression.severity is IncidentSeverity.SEV1
    assert "SEV1" in suppression.reason_ar
    assert "SEV1" in suppression.reason_en


@pytest.mark.parametrize(
    ("earlier", "allowed"),
    [
        # The week of NOW in Riyadh runs from Saturday 21:00 UTC to the next Saturday 21:00 UTC.
        (datetime(2026, 2, 28, 20, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 2, 28, 21, 0, tzinfo=UTC), False),
        (NOW, False),
        (datetime(2026, 3, 7, 20, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 7, 21, 0, tzinfo=UTC), True),
        (NOW - timedelta(days=7), True),
    ],
)
def test_one_check_in_a_week(earlier: datetime, allowed: bool) -> None:
    decision = decide_check_in(NOW, [], [earlier], TEXTS)
    assert decision.allowed is allowed
    assert decision.week_start == date(2026, 3, 1)
    assert ("الأحد 1 مارس 2026" in "".join(s.reason_ar for s in decision.suppressions)) is not allowed


def test_a_frozen_channel_is_called_by_its_name() -> None:
    (found,) = decide_check_in(NOW, [], [], TEXTS, Channel.WEB_FORM).suppressions
    assert "نماذج الموقع" in found.reason_ar
    assert "web forms" in found.reason_en
    assert "web_form" not in found.reason_ar + found.reason_en


def test_where_nobody_could_tell_of_incidents_there_is_none() -> None:
    (found,) = decide_check_in(NOW, [], [], TEXTS, incidents_known=False).suppressions
    assert found.kind is SuppressionKind.INCIDENTS_UNKNOWN


def test_both_reasons_are_given() -> None:
    decision = decide_check_in(NOW, [IncidentSeverity.SEV2], [NOW], TEXTS)
    assert [s.kind for s in decision.suppressions] == [SuppressionKind.OPEN_INCIDENT, SuppressionKind.ALREADY_THIS_WEEK]
