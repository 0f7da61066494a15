"""A faulty data file of customer success is refused with what is wrong in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.domain.texts import TextsError
from services.success.domain.catalog import TEXTS, load_catalog


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("check_in.toml", "minutes = 5", "minutes = 10", "agenda: expected 5 items of 5 minutes"),
        ("check_in.toml", 'id = "help_needed"', 'id = "next_week_plan"', "agenda: repeats an id"),
        ("check_in.toml", "الـ Pipeline الحالية ريالان", "الفرص الحالية ريالان", "does not hold the word Pipeline"),
        ("check_in.toml", "الحالية {n} ريالًا", "الحالية ريالًا", "talking_points.pipeline_sar.ar.many"),
        ("check_in.toml", 'two = "رُتِّب اجتماعان."', "", "talking_points.meetings.ar.two: is missing"),
        ("check_in.toml", "رُتِّبت {n} اجتماعات", "رُتِّبت اجتماعات", "talking_points.meetings.ar.few"),
        (
            "check_in.toml",
            "[suppression.open_incident]",
            "[suppression.incident]",
            "suppression.open_incident: is missing",
        ),
        ("at_risk.toml", "medium = 30", "medium = 60", "expected medium < high"),
        (
            "at_risk.toml",
            "at_least = 7, points = 20",
            "at_least = 7, points = 50",
            "a higher threshold gives fewer points",
        ),
        ("at_risk.toml", "at_least = 7, points = 20", "at_least = 14, points = 20", "repeats a threshold"),
        ("at_risk.toml", "[levels.unknown]", "[levels.none]", "levels.unknown: is missing"),
        ("plans.toml", "bundles.local_growth_os", "bundles.local_growth", "bundles.local_growth_os: is missing"),
        ("plans.toml", "day = 3", "day = 1", "bundles.growth_starter: expected rising days"),
        ("plans.toml", "proof_pack = true\n", "", "offers an upgrade before the first Proof Pack"),
        ("plans.toml", 'kind = "weekly_check_in"', 'kind = "weekly"', "bundles.growth_starter[3].kind"),
        ("plans.toml", 'text_ar = "تسليم Proof Pack v1"', 'text_ar = " "', "bundles.growth_starter[2].text_ar"),
        ("health.toml", 'weight = "-1"', 'weight = "much"', "factors.drafts_pending.weight"),
        ("health.toml", "watch = 50", "watch = 80", "expected watch < healthy"),
        ("at_risk.toml", "[no_proof_pack_yet]", "[none_yet]", "no_proof_pack_yet: is missing"),
        ("cadence.toml", "check_in_weekday = 2", "check_in_weekday = 5", "expected a working day"),
        ("cadence.toml", "extend_days = 14", "extend_days = 90", "expected less than ahead_days"),
        ("cadence.toml", "due_hour = 8", "due_hour = 24", "expected an hour of the day"),
        ("cadence.toml", "ورحمة الله وبركاته،\\n{message}", "ورحمة الله وبركاته،", "draft.body_ar"),
        ("cadence.toml", "نقترح لمراجعتنا الشهرية يوم {date}.", "نقترح مراجعتنا الشهرية.",
         "kinds.monthly_proof_review.message_ar"),
        ("check_in.toml", "مراجعتنا الأسبوعية يوم {date}", "مراجعتنا الأسبوعية", "draft.opening.dated_ar"),
        ("plans.toml", "أول ثلاث فرص مع مسودات رسائلها، ونقترح أن نعرضها عليكم يوم {date}", "أول ثلاث فرص",
         "bundles.growth_starter[1].message_ar"),
        ("plans.toml", 'offer_en = "Annual upgrade"\n', "", "bundles.executive_growth_os[4].offer_en: is missing"),
        ("cadence.toml", "[holds.frozen_channel]", "[holds.frozen]", "holds.frozen_channel: is missing"),
        ("health.toml", "[factors.meetings]", "[factors.calls]", "factors.meetings: is missing"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_refused(tmp_path: Path, file: str, old: str, new: str, named: str) -> None:
    for source in TEXTS.glob("*.toml"):
        shutil.copy(source, tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert old in text
    replaced = text.replace(old, new) if "bundles." in old else text.replace(old, new, 1)
    (tmp_path / file).write_text(replaced, encoding="utf-8")
    with pytest.raises(TextsError) as refused:
        load_catalog(tmp_path)
    assert refused.value.source == file
    assert any(named in problem for problem in refused.value.problems), refused.value.problems
