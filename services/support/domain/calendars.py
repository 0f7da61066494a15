"""Working calendars: how much working time lies between two moments, and when a span of it has passed.

A calendar is a week in Riyadh time, several intervals a day, with other hours on named dates (Ramadan, the Eids, national
days). Round the clock is one of them. Intervals are half-open and lie within one day: a night shift is two of them.

Working time is counted in whole microseconds, exactly. A question costs the same for a minute as for ten years: days are
summed up beforehand, and none is walked through.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final

from services.domain.errors import InvalidInput, Violation
from services.domain.riyadh import RIYADH
from services.domain.texts import Bilingual, Reader, TextsFile

TEXTS_DIR = Path(__file__).resolve().parent.parent / "texts"

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

MINUTES_OF_DAY: Final = 24 * 60

Interval = tuple[int, int]
"""Minutes since midnight in Riyadh, the end exclusive; 1440 is the midnight that ends the day."""

_MINUTE: Final = 60_000_000
_DAY: Final = MINUTES_OF_DAY * _MINUTE
# A Monday long before any ticket, so that days count from 0 and weeks begin at multiples of seven.
_EPOCH_DAY: Final = date(1900, 1, 1)
_EPOCH: Final = datetime(1900, 1, 1, tzinfo=RIYADH)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOURS: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_LONGEST: Final = timedelta(days=366)
_LAST: Final = (datetime(9999, 12, 31, 20, tzinfo=UTC) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Calendar:
    """When people work.

    ``week`` has the intervals of Monday to Sunday, ``dates`` those of single dates, which replace the weekday's; an empty
    tuple is a day off. Raises ``InvalidInput`` with every fault: intervals that are empty, overlap or leave the day, and a
    week without any, because no target would ever be reached in it.
    """

    calendar_id: str
    name: Bilingual
    week: tuple[tuple[Interval, ...], ...]
    dates: Mapping[date, tuple[Interval, ...]] = field(default_factory=dict)
    round_the_clock: bool = field(init=False)
    _days: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _before: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _special: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _shift: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        violations = [
            Violation(f"week.{name}", "INTERVALS", fault)
            for name, intervals in zip(WEEKDAYS, self.week, strict=True)
            for fault in faults(intervals)
        ]
        violations += [
            Violation(f"dates.{day}", "INTERVALS", fault)
            for day, intervals in self.dates.items()
            for fault in faults(intervals)
        ]
        violations += [
            Violation(f"dates.{day}", "TOO_EARLY", "must not lie before 1900") for day in self.dates if day < _EPOCH_DAY
        ]
        if not any(self.week):
            violations.append(Violation("week", "EMPTY", "must have at least one interval: no time would ever pass"))
        if violations:
            raise InvalidInput(violations)
        days = tuple(_length(intervals) for intervals in self.week)
        special = sorted(self.dates)
        shifts = (_length(self.dates[day]) - days[day.weekday()] for day in special)
        self._set("dates", MappingProxyType(dict(self.dates)))
        self._set(
            "round_the_clock", all(d == _DAY for d in days) and all(_length(d) == _DAY for d in self.dates.values())
        )
        self._set("_days", days)
        self._set("_before", tuple(accumulate(days, initial=0)))
        self._set("_special", tuple((day - _EPOCH_DAY).days for day in special))
        self._set("_shift", tuple(accumulate(shifts, initial=0)))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def intervals(self, day: date) -> tuple[Interval, ...]:
        """The intervals of a date in Riyadh."""
        found = self.dates.get(day)
        return self.week[day.weekday()] if found is None else found

    def working_between(self, start: datetime, end: datetime) -> timedelta:
        """The working time in ``[start, end)``; zero where the end is not after the start."""
        if end <= start:
            return timedelta()
        if self.round_the_clock:
            return end - start
        return (self._until(_micros(end)) - self._until(_micros(start))) * _MICROSECOND

    def add_working(self, start: datetime, duration: timedelta) -> datetime:
        """The first moment at which ``duration`` of working time has passed since ``start``, in UTC.

        With none to pass that is ``start`` itself. Raises ``InvalidInput`` for a negative duration, and for one that does
        not end before the year 10000.
        """
        return self._after(start, duration, latest=False)

    def last_within(self, start: datetime, duration: timedelta) -> datetime:
        """The last moment at which no more than ``duration`` of working time has passed since ``start``, in UTC.

        Later than `add_working` where the time is up just as people stop working: then it is when they begin again.
        """
        return self._after(start, duration, latest=True)

    def _after(self, start: datetime, duration: timedelta, *, latest: bool) -> datetime:
        amount = duration // _MICROSECOND
        if amount < 0:
            raise InvalidInput([Violation("duration", "NEGATIVE", "must not be negative")])
        begin = _micros(start)
        if self.round_the_clock:
            return _moment(begin + amount)
        if not amount and not latest:
            return start.astimezone(UTC)
        wanted = self._until(begin) + amount
        day = self._day_of(wanted, latest=latest)
        passed = self._days_until(day)
        for first, last in self.intervals(_date(day)):
            length = (last - first) * _MINUTE
            if wanted < passed + length or (wanted == passed + length and not latest):
                return _moment(day * _DAY + first * _MINUTE + wanted - passed)
            passed += length
        raise AssertionError("the day was found to hold it")

    def _until(self, micros: int) -> int:
        """The working time from the epoch to a moment."""
        day, within = divmod(micros, _DAY)
        passed = self._days_until(day)
        for first, last in self.intervals(_date(day)):
            if within <= first * _MINUTE:
                break
            passed += min(within, last * _MINUTE) - first * _MINUTE
        return passed

    def _days_until(self, day: int) -> int:
        """The working time of all days before this one, counted from the epoch."""
        weeks, weekday = divmod(day, 7)
        return weeks * self._before[7] + self._before[weekday] + self._shift[bisect_left(self._special, day)]

    def _day_of(self, wanted: int, *, latest: bool) -> int:
        """The day in which so much working time since the epoch has passed; with ``latest``, a little more than that."""
        low, high = 0, _LAST // _DAY
        if self._days_until(high) < wanted + latest:
            raise InvalidInput([Violation("duration", "TOO_LONG", "must end before the year 10000")])
        # The first day by whose end it has passed.
        while low < high:
            middle = (low + high) // 2
            if self._days_until(middle + 1) >= wanted + latest:
                high = middle
            else:
                low = middle + 1
        return low


def always() -> Calendar:
    """Round the clock, every day of the year."""
    name = Bilingual("على مدار الساعة طوال الأسبوع", "Round the clock, every day")
    return Calendar("always", name, (((0, MINUTES_OF_DAY),),) * 7)


def covers(wider: Calendar, narrower: Calendar) -> bool:
    """Whether all working time of ``narrower`` is working time of ``wider`` as well."""
    return all(
        _within(narrow, wide) for narrow, wide in zip(narrower.week, wider.week, strict=True)
    ) and all(
        _within(narrower.intervals(day), wider.intervals(day)) for day in {*narrower.dates, *wider.dates}
    )  # fmt: skip


def faults(intervals: Sequence[Interval]) -> list[str]:
    """What is wrong with the intervals of a day: each lies within it, and they neither touch nor overlap, in order."""
    found = [
        f"{clock_time(first)}-{clock_time(last)} is not an interval of one day"
        for first, last in intervals
        if not 0 <= first < last <= MINUTES_OF_DAY
    ]
    found += [
        f"{clock_time(first)} is not after {clock_time(end)}: intervals are in order and apart"
        for (_, end), (first, _) in pairwise(intervals)
        if first <= end
    ]
    return found


def clock_time(minutes: int) -> str:
    """``HH:MM``; 1440 is ``24:00``."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def load_calendars(path: Path | None = None) -> Mapping[str, Calendar]:
    """The calendars by id, `always` among them (default: those that ship with the service).

    Raises ``TextsError`` with every fault of the file: times that are none, intervals that overlap, a week without any,
    a date with two different hours, ranges that end before they begin.
    """
    file = TextsFile(path if path is not None else TEXTS_DIR / "calendars.toml")
    found = {"always": always()}
    names = file.keys()
    for calendar_id in names:
        if calendar_id == "always":
            file.problem(calendar_id, "is round the clock by itself and has no table")
        calendar = _read(calendar_id, file.table(calendar_id))
        if calendar is not None:
            found[calendar_id] = calendar
    file.finish()
    return MappingProxyType(found)


def _read(calendar_id: str, table: Reader) -> Calendar | None:
    name = table.bilingual("name")
    rows, given = table.table("week"), table.keys()
    week = tuple(_hours(rows, day) for day in WEEKDAYS)
    dates: dict[date, tuple[Interval, ...]] = {}
    if "hours" in given:
        for row in table.tables("hours"):
            row.bilingual("reason")
            intervals = _hours(row, "hours")
            # Other hours are for days on which people work: they open no weekend.
            for day in _range(row):
                if not week[day.weekday()]:
                    continue
                if day in dates:
                    row.problem("", f"names {day}, which has other hours already")
                dates[day] = intervals
    if "closed" in given:
        for row in table.tables("closed"):
            row.bilingual("reason")
            # A day off stays one within a range of other hours.
            dates.update(dict.fromkeys(_range(row), ()))
    try:
        return Calendar(calendar_id, name, week, dates)
    except InvalidInput as refusal:
        for violation in refusal.violations:
            table.problem(violation.field, violation.description)
        return None


def _hours(row: Reader, key: str) -> tuple[Interval, ...]:
    """A list of ``"HH:MM-HH:MM"``; none where the key is left out."""
    found = []
    given = row.keys()
    for text in row.strings(key) if key in given else ():
        interval = _interval(text)
        if interval is None:
            row.problem(key, f"expected HH:MM-HH:MM, found {text!r}")
        else:
            found.append(interval)
    return tuple(found)


def _interval(text: str) -> Interval | None:
    match = _HOURS.fullmatch(text)
    if match is None:
        return None
    hour, minute, end_hour, end_minute = map(int, match.groups())
    return hour * 60 + minute, end_hour * 60 + end_minute


def _range(row: Reader) -> list[date]:
    """The dates of a row: ``on`` one day, or ``from`` one day ``to`` another, both included."""
    given = row.keys()
    days = []
    for key in ("on", "on") if "on" in given else ("from", "to"):
        try:
            days.append(date.fromisoformat(row.text(key)))
        except ValueError:
            row.problem(key, "expected a date such as 2026-09-23")
            return []
    first, last = days
    if not first <= last < first + _LONGEST:
        row.problem("to", "must not lie before `from`, nor a year or more after it")
        return []
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _length(intervals: Iterable[Interval]) -> int:
    return sum(last - first for first, last in intervals) * _MINUTE


def _within(narrow: Iterable[Interval], wide: Sequence[Interval]) -> bool:
    return all(any(begin <= first and last <= end for begin, end in wide) for first, last in narrow)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    if micros > _LAST:
        raise InvalidInput([Violation("duration", "TOO_LONG", "must end before the year 10000")])
    return (_EPOCH + micros * _MICROSECOND).astimezone(UTC)


def _date(day: int) -> date:
    return _EPOCH_DAY + timedelta(days=day)
