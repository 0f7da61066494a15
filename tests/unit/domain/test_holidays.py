"""Working days, with public holidays known."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from services.domain.holidays import HOLIDAYS_FILE, load_holidays, working_day_from
from services.domain.texts import TextsError
from services.support.domain.calendars import load_calendars

HOLIDAYS = load_holidays()


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 2, 15), date(2026, 2, 15)),
        # Friday and Saturday.
        (date(2026, 5, 1), date(2026, 5, 3)),
        (date(2026, 2, 14), date(2026, 2, 15)),
        # Founding Day, a Sunday; and Eid with the days around it.
        (date(2026, 2, 22), date(2026, 2, 23)),
        (date(2026, 3, 20), date(2026, 3, 25)),
    ],
)
def test_nobody_is_asked_to_a_meeting_on_a_day_off(day: date, expected: date) -> None:
    assert working_day_from(day, HOLIDAYS) == expected


def test_the_holidays_are_those_of_the_office_calendar() -> None:
    office = load_calendars()["riyadh_office"]
    for number in range(366 * 4):
        day = date(2026, 1, 1) + timedelta(days=number)
        assert (working_day_from(day, HOLIDAYS) == day) == bool(office.intervals(day)), day


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"2026-03-24"', '"2026-03-18"', "holidays[1].to: ends before it begins"),
        ('"2026-05-26"', '"26 May"', "holidays[2].from: expected a day"),
        ('"Founding Day"', '"يوم"', "holidays[0].name_en: holds Arabic letters"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    text = HOLIDAYS_FILE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "holidays.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TextsError) as refused:
        load_holidays(tmp_path / "holidays.toml")
    assert any(named in problem for problem in refused.value.problems), refused.value.problems
