"""The weekly review: which week, and as of when (specification §1).

A week is reviewed on the Monday after it. Every review of a week looks at it as it stood when that Monday began, so that two
of them do not differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.domain.errors import InvalidInput, Violation
from services.domain.riyadh import Window, day_start, review_window, riyadh_date, week_bounds, week_key

_FIELD = "week_start_date"
_TO_MONDAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReviewedWeek:
    """A week that can be reviewed: the Sunday that begins it, its bounds, and the instant at which it is looked at, UTC."""

    start_on: date
    window: Window

    @property
    def as_of(self) -> datetime:
        return self.window.end + _TO_MONDAY


def week_to_review(text: str, now: datetime) -> ReviewedWeek:
    """The week whose Sunday ``text`` gives, YYYY-MM-DD; for an empty one the last whole week before the latest Monday.

    Raises ``InvalidInput``: no day of the calendar (NOT_A_DATE), no Sunday (NOT_A_SUNDAY), a week whose Monday has not begun
    (NOT_OVER).
    """
    if not text:
        window = review_window(now)
        return ReviewedWeek(riyadh_date(window.start), window)
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise _refused("NOT_A_DATE", "must be a day of the calendar, as YYYY-MM-DD") from None
    moment = day_start(found)
    if week_key(moment) != found:
        raise _refused("NOT_A_SUNDAY", "must be the Sunday with which a week begins")
    week = ReviewedWeek(found, week_bounds(moment))
    if week.as_of > now:
        raise _refused("NOT_OVER", "must be a week whose Monday has begun")
    return week


def _refused(reason: str, description: str) -> InvalidInput:
    return InvalidInput([Violation(_FIELD, reason, description)])
