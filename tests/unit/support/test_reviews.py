"""Which week is reviewed, and as of when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.domain.errors import InvalidInput
from services.domain.riyadh import RIYADH
from services.support.domain.reviews import week_to_review

# Sunday 1 March 2026 to Saturday 7 March; its Monday is 9 March.
WEEK = date(2026, 3, 1)
MONDAY = datetime(2026, 3, 9, tzinfo=RIYADH)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("now", "week"),
    [
        (MONDAY, WEEK),
        (MONDAY + timedelta(hours=9), WEEK),
        (MONDAY - MICROSECOND, WEEK - timedelta(days=7)),
        (MONDAY - timedelta(days=1), WEEK - timedelta(days=7)),
        (MONDAY + timedelta(days=6, hours=23), WEEK),
        (MONDAY + timedelta(days=7), WEEK + timedelta(days=7)),
    ],
)
def test_without_a_week_it_is_the_last_whole_one_before_the_latest_monday(now: datetime, week: date) -> None:
    found = week_to_review("", now)
    assert found.start_on == week
    assert found == week_to_review(week.isoformat(), now)


def test_a_week_runs_from_sunday_to_saturday_in_riyadh_and_is_seen_from_its_monday() -> None:
    found = week_to_review(WEEK.isoformat(), MONDAY)
    assert found.window.start == datetime(2026, 2, 28, 21, tzinfo=UTC)
    assert found.window.end == datetime(2026, 3, 7, 21, tzinfo=UTC)
    assert found.as_of == MONDAY


@pytest.mark.parametrize(
    ("text", "now", "reason"),
    [
        ("2026-02-30", MONDAY, "NOT_A_DATE"),
        ("2026-13-01", MONDAY, "NOT_A_DATE"),
        ("2026-03-02", MONDAY, "NOT_A_SUNDAY"),
        ("2026-02-28", MONDAY, "NOT_A_SUNDAY"),
        ("2026-03-01", MONDAY - MICROSECOND, "NOT_OVER"),
        ("2026-03-08", MONDAY, "NOT_OVER"),
        ("2059-01-05", MONDAY, "NOT_OVER"),
    ],
)
def test_what_is_no_week_that_can_be_reviewed_is_refused(text: str, now: datetime, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        week_to_review(text, now)
    assert [(v.field, v.reason) for v in caught.value.violations] == [("week_start_date", reason)]
