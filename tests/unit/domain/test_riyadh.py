"""The business calendar: weeks from Sunday, in Riyadh's days, whatever zone a moment is given in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.riyadh import (
    WEEK,
    day_start,
    is_working_day,
    latest_review_day,
    previous_week_bounds,
    review_window,
    riyadh_date,
    to_riyadh,
    week_bounds,
    week_key,
    week_start,
    working_day,
)


@pytest.mark.parametrize(
    ("moment", "sunday"),
    [
        (datetime(2026, 2, 28, 20, 59, 59, tzinfo=UTC), date(2026, 2, 22)),  # Saturday 23:59:59 in Riyadh
        (datetime(2026, 2, 28, 21, 0, tzinfo=UTC), date(2026, 3, 1)),  # Sunday 00:00 in Riyadh
        (datetime(2026, 3, 1, 21, 0, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 7, 20, 59, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2025, 12, 31, 12, 0, tzinfo=UTC), date(2025, 12, 28)),  # a week across two years
        (datetime(2026, 1, 3, 12, 0, tzinfo=UTC), date(2025, 12, 28)),
        (datetime(2026, 2, 28, 13, 0, tzinfo=timezone(timedelta(hours=-8))), date(2026, 3, 1)),
    ],
)
def test_weeks_begin_on_sunday_midnight_in_riyadh(moment: datetime, sunday: date) -> None:
    assert week_key(moment) == sunday
    assert sunday.strftime("%A") == "Sunday"
    assert week_start(moment) == datetime(sunday.year, sunday.month, sunday.day, tzinfo=UTC) - timedelta(hours=3)


@settings(max_examples=200)
@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_moment_lies_in_its_week_and_in_no_other(moment: datetime) -> None:
    week, before = week_bounds(moment), previous_week_bounds(moment)
    assert moment in week
    assert moment not in before
    assert before.end == week.start
    assert week.end - week.start == WEEK
    assert week_key(week.start) == week_key(moment) == week_key(week.end - timedelta(microseconds=1))
    assert week.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("day", "monday", "start"),
    [
        # Monday 9 March reviews 1 to 7 March, on the day itself and until the next Monday.
        (datetime(2026, 3, 8, 21, 0, tzinfo=UTC), date(2026, 3, 9), date(2026, 3, 1)),
        (datetime(2026, 3, 9, 20, 59, tzinfo=UTC), date(2026, 3, 9), date(2026, 3, 1)),
        (datetime(2026, 3, 14, 12, 0, tzinfo=UTC), date(2026, 3, 9), date(2026, 3, 1)),
        (datetime(2026, 3, 15, 12, 0, tzinfo=UTC), date(2026, 3, 9), date(2026, 3, 1)),  # Sunday: not reviewed yet
        (datetime(2026, 3, 16, 12, 0, tzinfo=UTC), date(2026, 3, 16), date(2026, 3, 8)),
    ],
)
def test_the_monday_review_covers_the_last_whole_week(day: datetime, monday: date, start: date) -> None:
    assert latest_review_day(day) == monday
    assert monday.strftime("%A") == "Monday"
    window = review_window(day)
    assert (window.start, window.end) == (day_start(start), day_start(start) + WEEK)


@pytest.mark.parametrize(
    ("start", "number", "expected"),
    [
        (date(2026, 3, 1), 1, date(2026, 3, 1)),
        (date(2026, 3, 1), 5, date(2026, 3, 5)),  # Sunday to Thursday
        (date(2026, 3, 3), 5, date(2026, 3, 9)),  # across Friday and Saturday
        (date(2026, 3, 6), 1, date(2026, 3, 8)),  # begun on a Friday
        (date(2026, 3, 7), 2, date(2026, 3, 9)),
    ],
)
def test_working_days_skip_friday_and_saturday(start: date, number: int, expected: date) -> None:
    assert working_day(start, number) == expected
    assert is_working_day(expected)


def test_working_days_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        working_day(date(2026, 3, 1), 0)


def test_a_day_is_riyadhs_day() -> None:
    late = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
    assert riyadh_date(late) == date(2026, 3, 2)
    assert to_riyadh(late).isoformat() == "2026-03-02T01:30:00+03:00"


def test_a_moment_without_a_zone_is_a_fault() -> None:
    with pytest.raises(ValueError, match="time zone"):
        week_key(datetime(2026, 3, 1))
