"""A stretch of days is made up of few nodes, and a day lies in it exactly if one of them is above the day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.checks import Checks
from services.domain.errors import InvalidInput
from services.success.domain.days import NEVER, cover, day_number, day_of, number_of, parse_day, path

DAYS = st.integers(0, NEVER - 1)
ENDS = st.integers(0, NEVER)


@given(start=DAYS, end=ENDS, day=DAYS)
def test_a_day_lies_in_a_stretch_exactly_if_a_node_of_it_is_above_the_day(start: int, end: int, day: int) -> None:
    shared = set(cover(start, end)) & set(path(day))
    assert len(shared) == (1 if start <= day < end else 0)


@given(start=DAYS, end=ENDS)
def test_a_stretch_has_at_most_two_nodes_a_level(start: int, end: int) -> None:
    assert len(cover(start, end)) <= 2 * (len(path(0)) - 1)


def test_all_days_are_one_node_and_an_empty_stretch_none() -> None:
    assert cover(0, NEVER) == (1,)
    assert cover(7, 7) == cover(8, 7) == ()
    assert len(path(0)) == 15


@given(number=DAYS)
def test_a_day_and_its_number_go_both_ways(number: int) -> None:
    assert number_of(day_of(number)) == number


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 3, 7, 20, 59, tzinfo=UTC), date(2026, 3, 7)),
        (datetime(2026, 3, 7, 21, 0, tzinfo=UTC), date(2026, 3, 8)),
        (datetime(1999, 1, 1, tzinfo=UTC), date(2020, 1, 1)),
    ],
)
def test_a_moment_lies_on_the_day_it_is_in_riyadh(moment: datetime, day: date) -> None:
    assert day_of(day_number(moment)) == day


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-02-29", "NOT_A_DATE"),
        ("2026-13-01", "NOT_A_DATE"),
        ("2019-12-31", "OUT_OF_RANGE"),
        ("2060-01-01", "OUT_OF_RANGE"),
    ],
)
def test_a_date_that_no_calendar_has_is_refused(text: str, reason: str) -> None:
    checks = Checks()
    parse_day("start_date", text, checks)
    with pytest.raises(InvalidInput) as refused:
        checks.done()
    assert [(v.field, v.reason) for v in refused.value.violations] == [("start_date", reason)]
