"""Working calendars, against counting minute by minute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.domain.riyadh import RIYADH
from services.domain.texts import Bilingual, TextsError
from services.support.domain.calendars import TEXTS_DIR, Calendar, Interval, always, covers, load_calendars

NAME = Bilingual("دوام", "Hours")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OFF: tuple[Interval, ...] = ()
NINE_TO_FIVE: tuple[Interval, ...] = ((540, 1020),)


def office(dates: Mapping[date, tuple[Interval, ...]] | None = None) -> Calendar:
    """Sunday to Thursday, nine to five."""
    return Calendar("office", NAME, (*[NINE_TO_FIVE] * 4, OFF, OFF, NINE_TO_FIVE), dates or {})


def riyadh(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=RIYADH)


@cache
def shipped() -> Calendar:
    return load_calendars()["riyadh_office"]


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "hours", "due", "last"),
    [
        # 2026-03-01 is a Sunday.
        ("2026-03-01T09:00", 1, "2026-03-01T10:00", "2026-03-01T10:00"),
        ("2026-03-01T16:00", 2, "2026-03-02T10:00", "2026-03-02T10:00"),
        # Up just as people stop working: kept until they begin again.
        ("2026-03-01T09:00", 8, "2026-03-01T17:00", "2026-03-02T09:00"),
        ("2026-03-05T16:00", 1, "2026-03-05T17:00", "2026-03-08T09:00"),
        # Over the weekend.
        ("2026-03-05T16:00", 2, "2026-03-08T10:00", "2026-03-08T10:00"),
        ("2026-03-06T12:00", 1, "2026-03-08T10:00", "2026-03-08T10:00"),
        ("2026-03-01T03:00", 8, "2026-03-01T17:00", "2026-03-02T09:00"),
        ("2026-03-01T09:00", 40, "2026-03-05T17:00", "2026-03-08T09:00"),
        # No time at all.
        ("2026-03-06T12:00", 0, "2026-03-06T12:00", "2026-03-08T09:00"),
        ("2026-03-01T12:00", 0, "2026-03-01T12:00", "2026-03-01T12:00"),
    ],
)
def test_a_duration_ends_where_one_counts_it_by_hand(start: str, hours: int, due: str, last: str) -> None:
    assert office().add_working(riyadh(start), hours * HOUR) == riyadh(due)
    assert office().last_within(riyadh(start), hours * HOUR) == riyadh(last)


def test_dates_replace_their_weekday() -> None:
    eid, short, extra = date(2026, 3, 22), date(2026, 3, 23), date(2026, 3, 27)
    calendar = office({eid: OFF, short: ((600, 720), (780, 840)), extra: ((600, 660),)})
    assert calendar.working_between(riyadh("2026-03-22T00:00"), riyadh("2026-03-23T00:00")) == 0 * HOUR
    assert calendar.working_between(riyadh("2026-03-23T11:30"), riyadh("2026-03-23T13:30")) == 1 * HOUR
    assert calendar.working_between(riyadh("2026-03-27T00:00"), riyadh("2026-03-28T00:00")) == 1 * HOUR
    assert calendar.add_working(riyadh("2026-03-19T16:00"), 3 * HOUR) == riyadh("2026-03-23T12:00")
    assert calendar.last_within(riyadh("2026-03-19T16:00"), 3 * HOUR) == riyadh("2026-03-23T13:00")


def test_round_the_clock_is_the_wall_clock() -> None:
    start = riyadh("2026-03-01T23:59")
    assert always().add_working(start, 72 * HOUR) == start + 72 * HOUR == always().last_within(start, 72 * HOUR)
    assert always().working_between(start, start + timedelta(days=1000)) == timedelta(days=1000)
    assert always().working_between(start, start - HOUR) == timedelta()


def test_answers_are_in_utc_whatever_the_zone_of_the_question() -> None:
    for start in (riyadh("2026-03-01T09:00"), riyadh("2026-03-01T09:00").astimezone(UTC)):
        for found in (office().add_working(start, HOUR), always().add_working(start, HOUR)):
            assert (found, found.tzinfo) == (datetime(2026, 3, 1, 7, tzinfo=UTC), UTC)


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(TypeError):
        office().add_working(datetime(2026, 3, 1, 9), HOUR)


# --- against counting -------------------------------------------------------------------------------------------------

# A week and some days around it: dates of their own fall on every weekday.
FIRST_DAY = date(2026, 2, 22)


@st.composite
def day_intervals(draw: st.DrawFn) -> tuple[Interval, ...]:
    cuts = sorted(draw(st.lists(st.integers(0, 48), max_size=6, unique=True)))
    return tuple((a * 30, b * 30) for a, b in zip(cuts[::2], cuts[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    week = draw(st.lists(day_intervals(), min_size=7, max_size=7).filter(any))
    days = st.integers(0, 20).map(lambda n: FIRST_DAY + timedelta(days=n))
    return Calendar("drawn", NAME, tuple(week), draw(st.dictionaries(days, day_intervals(), max_size=6)))


class Ruler:
    """The slow way: each minute of three weeks is looked up by itself."""

    start = datetime(2026, 2, 21, 21, tzinfo=UTC)  # Midnight in Riyadh.

    def __init__(self, calendar: Calendar) -> None:
        self.works: list[bool] = []
        for day in range(21):
            date = (self.start + timedelta(days=day)).astimezone(RIYADH).date()
            hours = calendar.dates[date] if date in calendar.dates else calendar.week[date.weekday()]
            self.works += [any(first <= at < last for first, last in hours) for at in range(1440)]

    def between(self, a: int, b: int) -> int:
        return sum(self.works[a:b])

    def add(self, start: int, minutes: int, *, latest: bool) -> int | None:
        """The first minute by which so many have passed, or the last; None beyond the three weeks."""
        passed, at = 0, start
        while passed < minutes or (latest and not self.works[at]):
            passed += self.works[at]
            at += 1
            if at == len(self.works):
                return None
        return at


@given(calendars(), st.data())
@settings(max_examples=60, deadline=None)
def test_it_agrees_with_counting_minute_by_minute(calendar: Calendar, data: st.DataObject) -> None:
    ruler = Ruler(calendar)
    for _ in range(8):
        a, b = data.draw(st.integers(0, 21 * 1440 - 1)), data.draw(st.integers(0, 21 * 1440 - 1))
        minutes = data.draw(st.one_of(st.integers(0, 3000), st.just(ruler.between(a, b))))
        start = ruler.start + a * MINUTE
        assert calendar.working_between(start, ruler.start + b * MINUTE) == ruler.between(a, b) * MINUTE
        for latest, found in (
            (False, calendar.add_working(start, minutes * MINUTE)),
            (True, calendar.last_within(start, minutes * MINUTE)),
        ):
            expected = ruler.add(a, minutes, latest=latest)
            if expected is None:
                assert found >= ruler.start + 21 * 1440 * MINUTE
            else:
                assert found == ruler.start + expected * MINUTE


micros = st.integers(0, 400 * 86_400 * 1_000_000).map(lambda n: timedelta(microseconds=n))


@given(calendars(), micros, st.integers(0, 3_000_000_000_000).map(lambda n: timedelta(microseconds=n)))
@settings(max_examples=150, deadline=None)
def test_adding_and_counting_undo_each_other_to_the_microsecond(
    calendar: Calendar, offset: timedelta, duration: timedelta
) -> None:
    start = Ruler.start + offset
    tick = timedelta(microseconds=1)
    due, last = calendar.add_working(start, duration), calendar.last_within(start, duration)
    assert start <= due <= last
    assert calendar.working_between(start, due) == duration == calendar.working_between(start, last)
    # The first moment, and the last.
    assert due == start or calendar.working_between(start, due - tick) < duration
    assert calendar.working_between(start, last + tick) > duration


@given(calendars(), st.lists(micros, min_size=3, max_size=3))
@settings(max_examples=100, deadline=None)
def test_stretches_add_up(calendar: Calendar, offsets: list[timedelta]) -> None:
    a, b, c = sorted(Ruler.start + offset for offset in offsets)
    assert calendar.working_between(a, b) + calendar.working_between(b, c) == calendar.working_between(a, c)


def test_years_cost_no_more_than_minutes() -> None:
    # A minute an hour each Monday: ten thousand working hours are over eleven thousand years, a thousand are far off.
    calendar = Calendar("rare", NAME, (((0, 1),), *[OFF] * 6))
    start = riyadh("2026-03-02T00:00")
    assert calendar.add_working(start, 60 * HOUR) == start + 3599 * timedelta(days=7) + MINUTE
    with pytest.raises(InvalidInput) as refusal:
        calendar.add_working(start, 10_000 * HOUR)
    assert [(v.field, v.reason) for v in refusal.value.violations] == [("duration", "TOO_LONG")]


def test_a_negative_duration_and_one_beyond_all_years_are_refused() -> None:
    for calendar in (office(), always()):
        for duration, reason in ((-MINUTE, "NEGATIVE"), (timedelta(days=4_000_000), "TOO_LONG")):
            with pytest.raises(InvalidInput) as refusal:
                calendar.add_working(riyadh("2026-03-01T09:00"), duration)
            assert [v.reason for v in refusal.value.violations] == [reason]


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("monday", "faulty"),
    [
        (((540, 540),), 1),
        (((600, 540),), 1),
        (((-1, 540),), 1),
        (((540, 1441),), 1),
        (((540, 720), (700, 900)), 1),
        (((540, 720), (720, 900)), 1),
        (((780, 900), (540, 720)), 1),
        (((540, 500), (400, 1500)), 3),
    ],
)
def test_intervals_that_are_none_are_all_named(monday: tuple[Interval, ...], faulty: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Calendar("bad", NAME, (monday, *[NINE_TO_FIVE] * 6), {date(2026, 3, 1): monday})
    fields = [v.field for v in refusal.value.violations]
    assert fields == ["week.monday"] * faulty + ["dates.2026-03-01"] * faulty


def test_a_week_without_an_interval_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(InvalidInput) as refusal:
        Calendar("never", NAME, (OFF,) * 7, {date(2026, 3, 1): NINE_TO_FIVE})
    assert [(v.field, v.reason) for v in refusal.value.violations] == [("week", "EMPTY")]


GOOD = """
[shop]
name_ar = "المتجر"
name_en = "The shop"
[shop.week]
sunday = ["09:00-12:00", "16:00-24:00"]
[[shop.hours]]
from = "2026-02-18"
to = "2026-03-18"
hours = ["21:00-23:00"]
reason_ar = "رمضان"
reason_en = "Ramadan"
[[shop.closed]]
on = "2026-02-22"
reason_ar = "يوم التأسيس"
reason_en = "Founding Day"
"""


def load(tmp_path: Path, text: str) -> Mapping[str, Calendar]:
    path = tmp_path / "calendars.toml"
    path.write_text(text, encoding="utf-8")
    return load_calendars(path)


def test_a_file_says_weeks_other_hours_and_days_off(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD)
    assert list(found) == ["always", "shop"]
    shop = found["shop"]
    assert shop.intervals(date(2026, 2, 15)) == ((540, 720), (960, 1440))
    assert shop.intervals(date(2026, 3, 1)) == ((1260, 1380),)
    # A day off within other hours stays one, and other hours open no weekend.
    assert shop.intervals(date(2026, 2, 22)) == ()
    assert shop.intervals(date(2026, 3, 2)) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["09:00-12:00", "16:00-24:00"]', '["9-12"]', "shop.week.sunday: expected HH:MM-HH:MM"),
        ('["09:00-12:00", "16:00-24:00"]', '["09:00-12:00", "11:00-24:00"]', "shop.week.sunday: 11:00 is not after"),
        ('["09:00-12:00", "16:00-24:00"]', '["16:00-24:01"]', "shop.week.sunday: 16:00-24:01 is not an interval"),
        ('sunday = ["09:00-12:00", "16:00-24:00"]', "", "shop.week: must have at least one interval"),
        ("sunday", "sonday", "shop.week.sonday: is not a key"),
        ('on = "2026-02-22"', 'on = "22.2.2026"', "shop.closed[0].on: expected a date"),
        ('to = "2026-03-18"', 'to = "2026-02-17"', "shop.hours[0].to: must not lie before"),
        ('to = "2026-03-18"', 'to = "3026-03-18"', "shop.hours[0].to: must not lie before"),
        ("[[shop.closed]]", '[[shop.hours]]\nhours = ["01:00-02:00"]', "names 2026-02-22, which has other hours"),
        ("shop", "always", "always: is round the clock"),
        ('name_ar = "المتجر"', 'name_ar = "shop"', "shop.name_ar: holds no Arabic"),
    ],
)
def test_a_faulty_file_does_not_load(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(TextsError) as refusal:
        load(tmp_path, GOOD.replace(old, new))
    assert said in str(refusal.value)


# --- what ships -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "minutes"),
    [
        ("2026-02-17", 480),
        # Ramadan, with Founding Day in it.
        ("2026-02-18", 360),
        ("2026-02-22", 0),
        ("2026-03-18", 360),
        # Both Eids, with what makes up for the weekend.
        ("2026-03-19", 0),
        ("2026-03-24", 0),
        ("2026-03-25", 480),
        ("2026-05-25", 480),
        ("2026-05-26", 0),
        ("2026-05-31", 0),
        ("2026-06-01", 480),
        ("2026-09-23", 0),
        # A Friday in and out of Ramadan.
        ("2026-02-20", 0),
        ("2026-04-03", 0),
        ("2027-09-23", 0),
        ("2028-02-29", 0),
        ("2028-09-24", 0),
        ("2028-09-25", 480),
    ],
)
def test_the_office_calendar_knows_ramadan_the_eids_and_national_days(day: str, minutes: int) -> None:
    start = riyadh(f"{day}T00:00")
    assert shipped().working_between(start, start + timedelta(days=1)) == minutes * MINUTE


@pytest.mark.parametrize("year", [2026, 2027, 2028])
def test_each_reviewed_year_has_all_its_holidays(year: int) -> None:
    closed = {day for day, intervals in shipped().dates.items() if not intervals and day.year == year}
    working = {day for day in closed if day.weekday() not in (4, 5)}
    # Founding Day, National Day, and four days for each Eid, all of them days on which people would work.
    assert {date(year, 2, 22), date(year, 9, 23)} <= closed
    assert len(working) == 10


def test_the_file_that_ships_is_the_one_that_loads() -> None:
    assert set(load_calendars(TEXTS_DIR / "calendars.toml")) == {"always", "riyadh_office"}


# --- covering ---------------------------------------------------------------------------------------------------------


def test_round_the_clock_covers_all_and_nothing_less_covers_it() -> None:
    assert covers(always(), office())
    assert covers(office(), office())
    assert not covers(office(), always())
    assert covers(office(), office({date(2026, 3, 1): OFF}))
    assert not covers(office({date(2026, 3, 1): OFF}), office())
    assert not covers(office(), office({date(2026, 3, 6): ((0, 1),)}))


@given(calendars(), calendars(), st.lists(micros, min_size=2, max_size=2))
@settings(max_examples=100, deadline=None)
def test_what_covers_another_never_counts_less(one: Calendar, other: Calendar, offsets: list[timedelta]) -> None:
    a, b = sorted(Ruler.start + offset for offset in offsets)
    if covers(one, other):
        assert one.working_between(a, b) >= other.working_between(a, b)
    whole_day = ((0, 1440),)
    week = (mine if mine == theirs else whole_day for mine, theirs in zip(one.week, other.week, strict=True))
    both = Calendar("both", NAME, tuple(week), dict.fromkeys([*one.dates, *other.dates], whole_day))
    assert covers(both, one)
    assert covers(both, other)
    assert both.working_between(a, b) >= max(one.working_between(a, b), other.working_between(a, b))
