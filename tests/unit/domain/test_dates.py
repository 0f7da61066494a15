"""Days and moments in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.domain.dates import named_day, named_moment
from services.domain.texts import Bilingual


@pytest.mark.parametrize(
    ("day", "arabic", "english"),
    [
        (date(2026, 2, 15), "الأحد 15 فبراير 2026", "Sunday 15 February 2026"),
        (date(2026, 12, 7), "الاثنين 7 ديسمبر 2026", "Monday 7 December 2026"),
        (date(2028, 2, 29), "الثلاثاء 29 فبراير 2028", "Tuesday 29 February 2028"),
    ],
)
def test_a_day_is_told_with_its_weekday(day: date, arabic: str, english: str) -> None:
    assert named_day(day) == Bilingual(arabic, english)


def test_every_day_of_a_year_has_the_weekday_and_the_month_of_the_calendar() -> None:
    for number in range(366):
        day = date(2028, 1, 1) + timedelta(days=number)
        assert named_day(day).en == f"{day:%A} {day.day} {day:%B} {day.year}"


def test_a_moment_is_told_on_riyadhs_clock() -> None:
    told = named_moment(datetime(2026, 3, 7, 21, 0, tzinfo=UTC))
    assert told == Bilingual("الأحد 8 مارس 2026 الساعة 00:00", "Sunday 8 March 2026 at 00:00")
