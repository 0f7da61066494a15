"""The days on which people in Riyadh work, public holidays known."""

from __future__ import annotations

from collections.abc import Set
from datetime import date, timedelta
from pathlib import Path

from services.domain.riyadh import is_working_day
from services.domain.texts import Reader, TextsFile

HOLIDAYS_FILE = Path(__file__).resolve().parent / "holidays.toml"


def load_holidays(path: Path = HOLIDAYS_FILE) -> frozenset[date]:
    """Read the public holidays; `TextsError` names every fault of the file."""
    file = TextsFile(path)
    found: set[date] = set()
    for table in file.tables("holidays"):
        table.bilingual("name")
        first, last = _day(table, "from"), _day(table, "to")
        if last < first:
            table.problem("to", "ends before it begins")
        found.update(first + timedelta(days=number) for number in range((last - first).days + 1))
    file.finish()
    return frozenset(found)


def working_day_from(day: date, holidays: Set[date]) -> date:
    """The first day from one on, itself included, that is one of Sunday to Thursday and no public holiday."""
    while not is_working_day(day) or day in holidays:
        day += timedelta(days=1)
    return day


def _day(table: Reader, key: str) -> date:
    try:
        return date.fromisoformat(table.text(key))
    except ValueError:
        table.problem(key, "expected a day, YYYY-MM-DD")
        return date(2000, 1, 1)
