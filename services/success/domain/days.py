"""Calendar days as whole numbers, and stretches of them as a few nodes of a tree.

What holds over a stretch of days (a customer's risk, a touchpoint that waits) must be found by an index for any single
day, however many customers there are and however long the history is. So a stretch is kept as the nodes of a binary tree
over all days that make it up exactly (`cover`: at most two for each level), and what holds on a day is found at the nodes
above that day (`path`: one for each level, fifteen in all).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from services.domain.checks import Checks
from services.domain.riyadh import riyadh_date

_FIRST = date(2020, 1, 1)
_LEVELS = 14

NEVER = 1 << _LEVELS
"""The number behind the last day there is, in 2064: the end of what has no end."""


def number_of(day: date) -> int:
    """Days since 1 January 2020."""
    return (day - _FIRST).days


def day_of(number: int) -> date:
    """The calendar day."""
    return _FIRST + timedelta(days=number)


def day_number(moment: datetime) -> int:
    """The day it is in Riyadh; not before the first there is."""
    return min(max(number_of(riyadh_date(moment)), 0), NEVER - 1)


def cover(start: int, end: int) -> tuple[int, ...]:
    """The nodes that make up the days from ``start`` up to, not including, ``end``; none for an empty stretch."""
    nodes = []
    left, right = start + NEVER, end + NEVER
    while left < right:
        if left & 1:
            nodes.append(left)
            left += 1
        if right & 1:
            right -= 1
            nodes.append(right)
        left >>= 1
        right >>= 1
    return tuple(nodes)


def path(day: int) -> tuple[int, ...]:
    """The nodes above a day, itself included: a stretch holds the day exactly if one of its nodes is among them."""
    node = day + NEVER
    return tuple(node >> level for level in range(_LEVELS + 1))


def parse_day(name: str, text: str, checks: Checks) -> date:
    """A date written YYYY-MM-DD; one that no calendar has, or out of bounds, is noted in ``checks``."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        checks.note(name, "NOT_A_DATE", "must be a day of the calendar, as YYYY-MM-DD")
        return _FIRST
    # Fourteen years after the last date that may be given lie before the end of the numbers.
    if not _FIRST <= day < date(2060, 1, 1):
        checks.note(name, "OUT_OF_RANGE", "must lie in the years 2020 to 2059")
    return day
