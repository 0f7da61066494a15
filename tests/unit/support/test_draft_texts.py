"""The words of support's own drafts: clean, in both languages, and never naming a ticket."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.domain.claims import ClaimChecker, load_claims
from services.domain.texts import TextsError
from services.support.domain.clocks import ClockKind
from services.support.domain.draft_texts import load_draft_texts
from services.support.domain.policy import TEXTS_DIR, EscalationOwner
from services.support.domain.priorities import Priority

TEXTS = load_draft_texts()
CLAIMS = ClaimChecker(load_claims())
DUE = datetime(2026, 3, 7, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize("percent", [75, 100, 150])
@pytest.mark.parametrize("kind", ClockKind)
def test_an_escalation_says_what_is_late_to_whom_and_until_when(kind: ClockKind, percent: int) -> None:
    for priority in Priority:
        for role in EscalationOwner:
            notice = TEXTS.escalation(kind, priority, percent, role, DUE)
            for text, due in (
                (notice.body.ar, "يوم الأحد 8 مارس 2026 الساعة 00:00 بتوقيت الرياض"),
                (notice.body.en, "on Sunday 8 March 2026 at 00:00, Riyadh time"),
            ):
                assert due in text
                assert priority.value in text
                assert (f"{percent}" in text) is (percent != 100)
                assert "{" not in text
            assert TEXTS.roles[role].ar in notice.title.ar
            assert TEXTS.roles[role].en in notice.title.en
            assert TEXTS.clocks[kind].ar in notice.body.ar
            CLAIMS.require_clean(f"{notice.title.ar}\n{notice.body.ar}", f"{notice.title.en}\n{notice.body.en}")


def test_titles_name_the_priority() -> None:
    for title in (TEXTS.first_response(Priority.P0), TEXTS.reply(Priority.P0)):
        assert "P0" in title.ar
        assert "P0" in title.en


def test_a_faulty_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    text = (TEXTS_DIR / "drafts.toml").read_text(encoding="utf-8")
    faulty = tmp_path / "drafts.toml"
    faulty.write_text(
        text.replace("[clock.resolution]", "[clock.solution]").replace("{percent}", "{percents}", 1), encoding="utf-8"
    )
    with pytest.raises(TextsError) as refused:
        load_draft_texts(faulty)
    assert len(refused.value.problems) >= 3
