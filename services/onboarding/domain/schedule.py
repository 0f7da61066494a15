"""The plan of an onboarding in working days (Sunday to Thursday, Asia/Riyadh) against what happened.

Day 1 is the start date or the first working day after it. A step is late by the working days that began after its planned
date: completed on the Friday after a planned Thursday it is not late, on the Sunday it is late by one.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from services.domain.checks import Checks
from services.domain.riyadh import day_start, is_working_day, riyadh_date, working_day
from services.onboarding.domain.catalog import WORKING_DAYS, Catalog, Step

# A start further away than this is a typing error.
MAX_DISTANCE = timedelta(days=366)
_WEEK = 7
_WORKING_WEEK = 5


def parse_start(checks: Checks, text: str, now: datetime, field: str = "start_date") -> date:
    """The start date in ``text`` (``YYYY-MM-DD``), today in Riyadh for an empty one; notes what is wrong with it."""
    today = riyadh_date(now)
    if not text:
        return today
    try:
        found = date.fromisoformat(text)
    except ValueError:
        checks.note(field, "NO_DATE", "must be a date of the calendar, YYYY-MM-DD")
        return today
    if abs(found - today) > MAX_DISTANCE:
        checks.note(field, "OUT_OF_RANGE", f"must lie within {MAX_DISTANCE.days} days of today")
    return found


def planned_on(start: date, step: Step) -> date:
    """The date for which a step is planned."""
    return working_day(start, step.day)


def due_on(catalog: Catalog, start: date, current_step_id: str) -> date:
    """The planned date of the current step; when all are completed that of the last one, since acceptance is due then."""
    step = catalog.step(current_step_id)
    return working_day(start, step.day if step is not None else WORKING_DAYS)


def due_at(catalog: Catalog, start: date, current_step_id: str) -> datetime:
    """The end of `due_on` in Riyadh, in UTC: the first moment at which it is over."""
    return day_start(due_on(catalog, start, current_step_id) + timedelta(days=1))


def late_before(now: datetime) -> datetime:
    """Whatever was due on a day that had ended by this moment is late by now: the beginning of the latest working day."""
    day = riyadh_date(now)
    while not is_working_day(day):
        day -= timedelta(days=1)
    return day_start(day)


def began_at(start: date) -> datetime:
    """The beginning of day 1, in UTC."""
    return day_start(working_day(start, 1))


def working_days_after(planned: date, day: date) -> int:
    """How many working days lie after ``planned`` up to ``day``, that one included; 0 where ``day`` is not later."""
    days = (day - planned).days
    if days <= 0:
        return 0
    weeks, rest = divmod(days, _WEEK)
    return weeks * _WORKING_WEEK + sum(is_working_day(day - timedelta(days=back)) for back in range(rest))


def days_late(planned: date, completed_at: datetime | None, now: datetime) -> int:
    """Working days by which a step was completed late, or is late by now while it is open."""
    return working_days_after(planned, riyadh_date(completed_at if completed_at is not None else now))
