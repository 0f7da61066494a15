"""The wording of timelines and alerts, and the book of all tables, as they are loaded."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.domain.channels import Channel
from services.domain.texts import Bilingual, TextsError
from services.incidents.domain import book as books
from services.incidents.domain.book import load_book
from services.incidents.domain.severity import TEXTS, load_catalog
from services.incidents.domain.timeline import Role, TimelineKind, load_timeline_texts

TEXTS_SHIPPED = load_timeline_texts()


def test_a_line_says_the_same_in_both_languages_with_what_was_noted_behind() -> None:
    line = TEXTS_SHIPPED.line(
        TimelineKind.ROLE_HANDED_OVER,
        "نهاية المناوبة",
        role=TEXTS_SHIPPED.roles[Role.COMMANDER],
        person="operator-2",
        previous="operator-1",
    )
    assert line == Bilingual(
        "انتقل دور قائد الحادث من operator-1 إلى operator-2: نهاية المناوبة",
        "The role of incident commander was handed over from operator-1 to operator-2: نهاية المناوبة",
    )
    assert TEXTS_SHIPPED.line(TimelineKind.RESOLVED, " \u200f") == TEXTS_SHIPPED.lines[TimelineKind.RESOLVED]


def test_braces_that_a_person_wrote_stay_as_they_are() -> None:
    said = TEXTS_SHIPPED.line(TimelineKind.ACTION_ITEM_DONE, title="{title} {0}")
    assert "«{title} {0}»" in said.ar


def test_moments_are_told_by_riyadhs_clock() -> None:
    at = TEXTS_SHIPPED.at(datetime(2026, 3, 9, 22, 30, tzinfo=UTC))
    assert at == Bilingual(
        "الثلاثاء 10 مارس 2026 الساعة 01:30 بتوقيت الرياض", "Tuesday 10 March 2026 at 01:30 Riyadh time"
    )


@pytest.mark.parametrize(
    ("channel", "customer_id", "arabic", "english"),
    [
        (Channel.WHATSAPP, "k9", "جُمّدت قناة واتساب للعميل k9", "Frozen for k9: WhatsApp"),
        (None, "k9", "جُمّدت كل القنوات للعميل k9", "Frozen for k9: all channels"),
        (Channel.EMAIL, "", "جُمّدت قناة البريد الإلكتروني لكل العملاء", "Frozen for all customers: e-mail"),
        (None, "", "جُمّدت كل القنوات لكل العملاء", "Frozen for all customers: all channels"),
    ],
)
def test_a_freeze_is_told_by_names(channel: Channel | None, customer_id: str, arabic: str, english: str) -> None:
    assert TEXTS_SHIPPED.freeze(TimelineKind.FREEZE_LATCHED, channel, customer_id) == Bilingual(arabic, english)


def test_what_is_said_of_an_obligation_fits_its_name_whatever_its_gender() -> None:
    for kind in (TimelineKind.OBLIGATION_BREACHED, TimelineKind.OBLIGATION_COMPLETED, TimelineKind.OBLIGATION_WAIVED):
        assert (
            "الالتزام «مراجعة ما بعد الحادث»"
            in TEXTS_SHIPPED.line(kind, obligation=Bilingual("مراجعة ما بعد الحادث", "Post-mortem"), due="x").ar
        )


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("[lines.closed]", "[lines.shut]", "lines.closed: is missing"),
        ("«{obligation}» ({due})", "«{obligation}»", "lines.obligation_breached.text_ar: expected the placeholders"),
        ("[roles.scribe]", "[roles.writer]", "roles.scribe: is missing"),
        ('text_en = "a data leak"', 'text_en = "تسريب"', "findings.data_leak.text_en: holds Arabic letters"),
    ],
)
def test_a_faulty_wording_is_refused_when_it_is_loaded(tmp_path: Path, before: str, after: str, problem: str) -> None:
    text = (TEXTS / "timeline.toml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "timeline.toml").write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(TextsError) as refused:
        load_timeline_texts(tmp_path)
    assert any(each.startswith(problem) for each in refused.value.problems), refused.value.problems


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('obligation = "pdpl_authority"', 'obligation = "pdpl"', "obligations that there are not: ['pdpl']"),
        ('depends_on = ["freeze_live_actions"]', 'depends_on = ["freeze"]', "a step that does not go before it"),
        ('depends_on = ["freeze_live_actions"]', 'depends_on = ["legal_review"]', "a step that does not go before it"),
    ],
)
def test_a_plan_stands_for_what_there_is_and_depends_on_what_goes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, problem: str
) -> None:
    shutil.copytree(TEXTS, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "response_plan.toml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    monkeypatch.setattr(books, "load_catalog", lambda: load_catalog(tmp_path))
    with pytest.raises(TextsError) as refused:
        load_book()
    assert any(problem in each for each in refused.value.problems), refused.value.problems
