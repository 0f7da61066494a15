"""Planned dates and late days, against a calendar counted day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.checks import Checks
from services.domain.riyadh import RIYADH, is_working_day
from services.onboarding.domain.catalog import STEP_IDS, WORKING_DAYS, Catalog, load_catalog
from services.onboarding.domain.schedule import (
    began_at,
    days_late,
    due_at,
    due_on,
    late_before,
    parse_start,
    planned_on,
    working_days_after,
)

CATALOG = load_catalog()
DATES = st.dates(date(2024, 1, 1), date(2030, 12, 31))
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


def counted(planned: date, day: date) -> int:
    """Working days after ``planned`` up to ``day``, one by one."""
    return sum(is_working_day(planned + timedelta(days=n)) for n in range(1, (day - planned).days + 1))


@given(DATES, st.integers(-30, 400))
def test_working_days_are_those_of_a_calendar(planned: date, distance: int) -> None:
    day = planned + timedelta(days=distance)
    assert working_days_after(planned, day) == counted(planned, day)


@given(DATES)
def test_five_working_days_hold_the_plan_in_order(start: date) -> None:
    planned = [planned_on(start, step) for step in CATALOG.steps]
    assert all(is_working_day(day) for day in planned)
    assert planned == sorted(planned)
    assert planned[0] - start <= timedelta(days=2)
    assert working_days_after(planned[0], planned[-1]) == WORKING_DAYS - 1


@given(DATES, MOMENTS, st.sampled_from(STEP_IDS))
def test_what_the_list_of_late_ones_holds_is_late(start: date, now: datetime, step_id: str) -> None:
    due = due_on(CATALOG, start, step_id)
    assert (due_at(CATALOG, start, step_id) <= late_before(now)) == (days_late(due, None, now) > 0)


@given(DATES, MOMENTS, st.integers(0, 10_000))
def test_an_open_step_never_grows_less_late(start: date, now: datetime, minutes: int) -> None:
    planned = planned_on(start, CATALOG.steps[0])
    later = now + timedelta(minutes=minutes)
    assert 0 <= days_late(planned, None, now) <= days_late(planned, None, later)
    assert days_late(planned, now, later) == days_late(planned, None, now)


@pytest.mark.parametrize(
    ("completed", "late"),
    [
        # Planned for Thursday 2026-03-05, in Riyadh's time.
        ("2026-03-01T10:00", 0),
        ("2026-03-05T23:59", 0),
        ("2026-03-06T00:00", 0),
        ("2026-03-07T23:59", 0),
        ("2026-03-08T00:00", 1),
        ("2026-03-12T12:00", 5),
        ("2026-03-14T12:00", 5),
        ("2026-03-15T00:00", 6),
    ],
)
def test_a_weekend_makes_nobody_late(completed: str, late: int) -> None:
    moment = datetime.fromisoformat(completed).replace(tzinfo=RIYADH).astimezone(UTC)
    assert days_late(date(2026, 3, 5), moment, moment + timedelta(days=90)) == late


def test_done_is_due_with_the_last_step(catalog: Catalog) -> None:
    start = date(2026, 3, 1)
    assert due_on(catalog, start, "done") == due_on(catalog, start, "first_proof_pack") == date(2026, 3, 5)
    assert due_at(catalog, start, "done") == datetime(2026, 3, 5, 21, 0, tzinfo=UTC)
    assert began_at(date(2026, 3, 6)) == datetime(2026, 3, 7, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found", "reason"),
    [
        ("", date(2026, 3, 2), ""),
        ("2026-03-09", date(2026, 3, 9), ""),
        ("2027-03-03", date(2027, 3, 3), ""),
        ("2027-03-04", date(2027, 3, 4), "OUT_OF_RANGE"),
        ("2025-03-01", date(2025, 3, 1), ""),
        ("9999-12-31", date(9999, 12, 31), "OUT_OF_RANGE"),
        ("2026-02-30", date(2026, 3, 2), "NO_DATE"),
    ],
)
def test_a_start_lies_within_a_year(text: str, found: date, reason: str) -> None:
    checks = Checks()
    # Half past midnight in Riyadh is still the day before in UTC.
    assert parse_start(checks, text, datetime(2026, 3, 1, 21, 30, tzinfo=UTC)) == found
    assert [v.reason for v in checks.violations] == ([reason] if reason else [])
