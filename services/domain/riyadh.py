"""The business calendar: Asia/Riyadh, UTC+3 the whole year, weeks from Sunday to Saturday.

Moments go in and come out as aware datetimes, in UTC where they come out; a naive one is a ``ValueError`` because it
can only be a fault of ours. Intervals are half-open: the start belongs to them, the end does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

# Saudi Arabia has no daylight saving time and no plan for it; a fixed offset needs no time zone database.
RIYADH = timezone(timedelta(hours=3), "Asia/Riyadh")

WEEK = timedelta(days=7)
_MONDAY = 0
_SUNDAY = 6
# Friday and Saturday.
_WEEKEND = frozenset({4, 5})


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of time, both ends in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def to_riyadh(moment: datetime) -> datetime:
    """The same moment on Riyadh's clock."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(RIYADH)


def riyadh_date(moment: datetime) -> date:
    """The day it is in Riyadh."""
    return to_riyadh(moment).date()


def day_start(day: date) -> datetime:
    """Midnight in Riyadh that begins ``day``, in UTC."""
    return datetime.combine(day, time(), RIYADH).astimezone(UTC)


def week_key(moment: datetime) -> date:
    """The Sunday whose week holds ``moment``; the same for two moments exactly if they share a week."""
    day = riyadh_date(moment)
    return day - timedelta(days=(day.weekday() - _SUNDAY) % 7)


def week_start(moment: datetime) -> datetime:
    """The Sunday midnight in Riyadh that begins the week of ``moment``, in UTC."""
    return day_start(week_key(moment))


def week_bounds(moment: datetime) -> Window:
    """The week that holds ``moment``."""
    start = week_start(moment)
    return Window(start, start + WEEK)


def previous_week_bounds(moment: datetime) -> Window:
    """The whole week before the one that holds ``moment``."""
    start = week_start(moment)
    return Window(start - WEEK, start)


def latest_review_day(moment: datetime) -> date:
    """The Monday of the weekly review that is due on ``moment``'s day or was the last one before it."""
    day = riyadh_date(moment)
    return day - timedelta(days=(day.weekday() - _MONDAY) % 7)


def review_window(moment: datetime) -> Window:
    """What the weekly review covers: the last whole week before the latest review Monday.

    On a Sunday the latest Monday lies in the week before, so the window is the one already reviewed, not the week
    that ended the evening before: that one is reviewed on Monday.
    """
    return previous_week_bounds(day_start(latest_review_day(moment)))


def is_working_day(day: date) -> bool:
    """Sunday to Thursday. Public holidays are not known here."""
    return day.weekday() not in _WEEKEND


def working_day(start: date, number: int) -> date:
    """The ``number``-th working day counted from ``start``, where day 1 is ``start`` or the first working day after it.

    A ``number`` below 1 is a ``ValueError``.
    """
    if number < 1:
        raise ValueError("working days are counted from 1")
    day = start
    while not is_working_day(day):
        day += timedelta(days=1)
    for _ in range(number - 1):
        day += timedelta(days=1)
        while not is_working_day(day):
            day += timedelta(days=1)
    return day
