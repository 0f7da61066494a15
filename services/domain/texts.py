"""Reading tables and wording from TOML, with every fault of a file reported at once.

A reader never stops at the first problem: it notes the problem, hands back a placeholder of the right type, and
``finish`` raises `TextsError` with all that was noted. A key that nobody read is a problem as well, because it is
most often a misspelt one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Formatter
from typing import TypeVar, cast

E = TypeVar("E", bound=StrEnum)


class TextsError(Exception):
    """A data file of ours is faulty. Raised while loading, never while answering."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(f"{source}: " + "; ".join(problems))


@dataclass(frozen=True, slots=True)
class Bilingual:
    """One wording in Arabic and in English, neither empty."""

    ar: str
    en: str

    def format(self, **values: str | Bilingual) -> Bilingual:
        """Fill in values: a text in both languages, of a bilingual one each its own; a missing one is a ``KeyError``.

        In the Arabic the values are `isolated`.
        """
        ar = {name: isolated(value.ar if isinstance(value, Bilingual) else value) for name, value in values.items()}
        en = {name: value.en if isinstance(value, Bilingual) else value for name, value in values.items()}
        return Bilingual(self.ar.format_map(ar), self.en.format_map(en))


def isolated(arabic: str) -> str:
    """An Arabic text in which what would be set in reverse keeps its order: telephone numbers, dates such as 2026-11-12,
    signed figures, addresses, names that begin with a digit or end in a sign. Each stands between U+2066 and U+2069."""
    return _LEFT_TO_RIGHT.sub(
        lambda run: run.group() if _KEEPS_ITS_ORDER.fullmatch(run.group()) else f"\u2066{run.group()}\u2069", arabic
    )


_FIGURE = r"\d(?:[\d.,:/-]*\d)?%?(?![A-Za-z\d@]|[.,:/-][A-Za-z\d])"
_WORD = r"[A-Za-z\d](?:[A-Za-z\d@._+:/&'’%#=?~,-]*[A-Za-z\d+#%])?"
# What is isolated already; figures with a sign before or single spaces between them; Latin words with single spaces.
_LEFT_TO_RIGHT = re.compile(
    r"[\u2066-\u2068][^\u2066-\u2069\n]*\u2069"
    rf"|(?:\(\+?\d+\) ?|[+\u2212-] ?)?{_FIGURE}(?: {_FIGURE})*"
    rf"|{_WORD}(?: {_WORD})*"
)
# By the bidirectional algorithm: plain figures, and all from a Latin letter to a Latin letter or a digit.
_KEEPS_ITS_ORDER = re.compile(r"[\u2066-\u2068].*|\d+(?:[.,:]\d+)*%?|[A-Za-z](?:[^@:]*[A-Za-z\d])?")


class Reader:
    """One TOML table, read key by key."""

    def __init__(self, data: Mapping[str, object], problems: list[str], at: str = "") -> None:
        self._data = data
        self._problems = problems
        self._at = at
        self._read: set[str] = set()
        self._children: list[Reader] = []

    def problem(self, key: str, what: str) -> None:
        """Note a fault at ``key`` (empty: the table itself)."""
        path = ".".join(part for part in (self._at, key) if part)
        self._problems.append(f"{path}: {what}" if path else what)

    def keys(self) -> tuple[str, ...]:
        return tuple(self._data)

    def text(self, key: str, placeholders: frozenset[str] = frozenset()) -> str:
        """A string that is not blank and has exactly these ``{placeholders}``."""
        value = self._take(key)
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.problem(key, "expected a text that is not blank")
            return ""
        try:
            found = {name for _, name, _, _ in Formatter().parse(value) if name is not None}
        except ValueError as error:
            self.problem(key, f"not a template: {error}")
            return value
        if found != placeholders:
            self.problem(key, f"expected the placeholders {sorted(placeholders)}, found {sorted(found)}")
        return value

    def bilingual(self, key: str, placeholders: frozenset[str] = frozenset()) -> Bilingual:
        """``<key>_ar`` and ``<key>_en``; the Arabic holds Arabic letters, the English none."""
        arabic = self.text(f"{key}_ar", placeholders)
        english = self.text(f"{key}_en", placeholders)
        if arabic and not _has_arabic(arabic):
            self.problem(f"{key}_ar", "holds no Arabic letter")
        if english and _has_arabic(english):
            self.problem(f"{key}_en", "holds Arabic letters")
        return Bilingual(arabic, english)

    def integer(self, key: str, minimum: int = 0) -> int:
        value = self._take(key)
        if value is None:
            return minimum
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            self.problem(key, f"expected a whole number of at least {minimum}")
            return minimum
        return value

    def optional_integer(self, key: str, minimum: int = 0) -> int | None:
        return self.integer(key, minimum) if key in self._data else None

    def flag(self, key: str) -> bool:
        """A boolean that is false where the key is left out."""
        if key not in self._data:
            return False
        value = self._take(key)
        if not isinstance(value, bool):
            self.problem(key, "expected true or false")
            return False
        return value

    def member(self, key: str, enum: type[E]) -> E:
        """A value of ``enum``."""
        value = self._take(key)
        try:
            return enum(cast(str, value))
        except ValueError:
            if value is not None:
                self.problem(key, f"expected one of {[member.value for member in enum]}, found {value!r}")
            return next(iter(enum))

    def optional_member(self, key: str, enum: type[E]) -> E | None:
        return self.member(key, enum) if key in self._data else None

    def members(self, key: str, enum: type[E]) -> tuple[E, ...]:
        """A list of distinct values of ``enum``, at least one."""
        found: list[E] = []
        for value in self.strings(key):
            try:
                found.append(enum(value))
            except ValueError:
                self.problem(key, f"expected only {[member.value for member in enum]}, found {value!r}")
        return tuple(found)

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of distinct strings that are not blank, at least one."""
        value = self._take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v.strip() for v in value):
            self.problem(key, "expected a list of texts that are not blank")
            return ()
        texts = tuple(cast("list[str]", value))
        if len(set(texts)) != len(texts):
            self.problem(key, f"repeats {sorted({t for t in texts if texts.count(t) > 1})}")
        return texts

    def table(self, key: str) -> Reader:
        value = self._take(key)
        if value is not None and not isinstance(value, dict):
            self.problem(key, "expected a table")
        return self._child(value if isinstance(value, dict) else {}, key)

    def tables(self, key: str) -> tuple[Reader, ...]:
        """An array of tables, at least one."""
        value = self._take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
            self.problem(key, "expected an array of tables")
            return ()
        rows = cast("list[dict[str, object]]", value)
        return tuple(self._child(row, f"{key}[{index}]") for index, row in enumerate(rows))

    def each(self, enum: type[E]) -> dict[E, Reader]:
        """One table for each member of ``enum``, none missing; a table of another name stays unread."""
        return {member: self.table(member.value) for member in enum}

    def unread(self) -> None:
        for key in self._data:
            if key not in self._read:
                self.problem(key, "is not a key that is read here")
        for child in self._children:
            child.unread()

    def _child(self, data: Mapping[str, object], key: str) -> Reader:
        child = Reader(data, self._problems, ".".join(part for part in (self._at, key) if part))
        self._children.append(child)
        return child

    def _take(self, key: str) -> object | None:
        self._read.add(key)
        if key not in self._data:
            self.problem(key, "is missing")
            return None
        return self._data[key]


class TextsFile(Reader):
    """The top table of a TOML file."""

    def __init__(self, path: Path) -> None:
        self._source = path.name
        self._noted: list[str] = []
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TextsError(path.name, [f"cannot be read: {error}"]) from error
        super().__init__(data, self._noted)

    def finish(self) -> None:
        """Raise `TextsError` if anything was noted, unread keys included."""
        self.unread()
        if self._noted:
            raise TextsError(self._source, self._noted)


def _has_arabic(text: str) -> bool:
    return any("\u0621" <= char <= "\u064a" for char in text)
