"""Whether an Arabic and an English text say the same numbers, dates, times, names and addresses.

Numbers, dates, times and addresses have to stand equally often in both, in figures: a number in words is not compared, so
what has to agree is written in figures. Dates count by day, month and year in whatever order and by any name of the month;
the hijri calendar is one of its own.

Names have to stand in both at least once. What is a name: the pairs that are known here or given by the caller; any Latin
word in the Arabic text; and any capitalised word inside of an English sentence. The last two cannot be matched to Arabic
letters by themselves: the caller gives the pair, or writes the name the same in both.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from services.domain.arabic import fold
from services.domain.errors import PreconditionFailed
from services.domain.texts import Bilingual, TextsFile
from services.incidents.domain.severity import TEXTS
from services.incidents.domain.told import told

MONTHS = 12


class ParityKind(StrEnum):
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    NAME = "name"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Difference:
    """``value`` stands ``in_arabic`` times in the one text and ``in_english`` times in the other."""

    kind: ParityKind
    value: str
    in_arabic: int
    in_english: int


@dataclass(frozen=True, slots=True)
class Name:
    """One name as each language writes it, every spelling that counts."""

    ar: tuple[str, ...]
    en: tuple[str, ...]


class ParityBroken(PreconditionFailed):
    """The texts differ. Metadata: ``differences`` (how many)."""

    reason: ClassVar[str] = "PARITY_BROKEN"

    def __init__(self, differences: tuple[Difference, ...]) -> None:
        self.differences = differences
        super().__init__(
            "the Arabic and the English text do not say the same",
            told((found.kind.value.upper(), found.value, _said(found)) for found in differences),
            differences=str(len(differences)),
        )


def _said(found: Difference) -> Bilingual:
    return Bilingual(
        f"{found.value}: في النص العربي {found.in_arabic}، وفي النص الإنجليزي {found.in_english}",
        f"{found.value}: {found.in_arabic} in the Arabic text, {found.in_english} in the English text",
    )


class ParityChecker:
    """Compares texts. Immutable once made; safe to share between tasks and threads."""

    def __init__(
        self,
        months: Mapping[str, tuple[str, int]],
        day_parts: Mapping[str, bool],
        names: Iterable[Name],
        capitals: Iterable[str],
    ) -> None:
        """``months``: folded name to calendar and number; ``day_parts``: folded word to whether it is after noon."""
        self._months = dict(months)
        self._day_parts = dict(day_parts)
        self._names = tuple(names)
        self._capitals = frozenset(capitals)
        month = _alternatives(self._months)
        part = _alternatives(self._day_parts)
        self._dates = (
            re.compile(r"(?<![\d.,/-])(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})(?![\d/-])"),
            re.compile(r"(?<![\d.,/-])(?P<d>\d{1,2})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<y>\d{4})(?![\d/-])"),
            re.compile(
                rf"(?<![\d.,])(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+|من\s+)?(?:شهر\s+)?(?P<n>{month})(?![a-zء-ي])"
                r"(?:,?\s+(?:عام\s+|سنه\s+)?(?P<y>\d{4})(?!\d))?"
            ),
            re.compile(
                rf"(?<![a-z])(?P<n>{month})\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s+(?P<y>\d{{4}})(?!\d))?"
            ),
        )
        self._times = (
            re.compile(
                rf"(?<![\d:.])(?P<h>\d{{1,2}}):(?P<min>\d{{2}})(?::\d{{2}})?(?!\d)(?:\s*(?P<p>{part})(?![a-zء-ي]))?"
            ),
            re.compile(rf"(?<![\d:.])(?P<h>\d{{1,2}})\s*(?P<p>{part})(?![a-zء-ي])"),
        )

    def differences(self, arabic: str, english: str, names: Iterable[Name] = ()) -> tuple[Difference, ...]:
        """What differs, numbers first; empty where both say the same.

        ``InvalidInput`` (``TEXT_TOO_LONG``) beyond the length that texts are folded to.
        """
        known = (*self._names, *names)
        first, second = self._counted(fold(arabic, field="text_ar")), self._counted(fold(english, field="text_en"))
        found = [
            Difference(kind, value, first[kind][value], second[kind][value])
            for kind in (ParityKind.NUMBER, ParityKind.DATE, ParityKind.TIME)
            for value in sorted(first[kind].keys() | second[kind].keys())
            if first[kind][value] != second[kind][value]
        ]
        found += self._name_differences(arabic, english, known)
        found += [
            Difference(ParityKind.ADDRESS, value, first[ParityKind.ADDRESS][value], second[ParityKind.ADDRESS][value])
            for value in sorted(first[ParityKind.ADDRESS].keys() | second[ParityKind.ADDRESS].keys())
            if first[ParityKind.ADDRESS][value] != second[ParityKind.ADDRESS][value]
        ]
        return tuple(found)

    def require_same(self, arabic: str, english: str, names: Iterable[Name] = ()) -> None:
        """Raises ``ParityBroken`` with every difference, if there is any."""
        found = self.differences(arabic, english, names)
        if found:
            raise ParityBroken(found)

    def _counted(self, text: str) -> dict[ParityKind, Counter[str]]:
        """What stands in a folded text, how often. What was read as one thing is taken out before the next is looked for."""
        found: dict[ParityKind, Counter[str]] = {kind: Counter() for kind in ParityKind}

        def take(kind: ParityKind, pattern: re.Pattern[str], value: object) -> None:
            nonlocal text
            kept = []
            end = 0
            for match in pattern.finditer(text):
                read = value(match)  # type: ignore[operator]
                if read is not None:
                    found[kind][read] += 1
                    kept.append(text[end : match.start()])
                    end = match.end()
            text = " \n ".join([*kept, text[end:]])

        take(ParityKind.ADDRESS, _ADDRESS, lambda match: match.group().rstrip(".,;:!?)"))
        for pattern in self._dates:
            take(ParityKind.DATE, pattern, self._date)
        for pattern in self._times:
            take(ParityKind.TIME, pattern, self._time)
        take(ParityKind.NUMBER, _NUMBER, _number)
        return found

    def _date(self, match: re.Match[str]) -> str | None:
        groups = match.groupdict()
        day, year = int(groups["d"]), groups["y"]
        if groups.get("n") is not None:
            calendar, month = self._months[_spaces(groups["n"])]
        else:
            month = int(groups["m"])
            calendar = "hijri" if 1300 <= int(year) < 1700 else "gregorian"
        if not (1 <= day <= 31 and 1 <= month <= MONTHS):
            return None
        mark = " AH" if calendar == "hijri" else ""
        return f"{year}-{month:02d}-{day:02d}{mark}" if year else f"{month:02d}-{day:02d}{mark}"

    def _time(self, match: re.Match[str]) -> str | None:
        groups = match.groupdict()
        hour, minute, part = int(groups["h"]), int(groups.get("min") or 0), groups["p"]
        if hour > 24 or minute > 59 or (part is not None and hour > 12 and "min" not in groups):
            return None
        if part is not None and hour <= 12:
            hour = hour % 12 + (12 if self._day_parts[_spaces(part)] else 0)
        return f"{hour % 24:02d}:{minute:02d}"

    def _name_differences(self, arabic: str, english: str, known: tuple[Name, ...]) -> list[Difference]:
        folded = _without_addresses(fold(arabic))
        plain = _without_addresses(_visible(english))
        lower = plain.lower()
        found = []
        for name in known:
            first, folded = _take_names(folded, name.ar, attached=True)
            second, lower = _take_names(lower, name.en, attached=False)
            if bool(first) != bool(second):
                found.append(Difference(ParityKind.NAME, name.en[0], first, second))
        # Months are names in English and were compared as dates.
        latin = Counter(word for word in _LATIN.findall(folded) if not word.isdecimal())
        words = Counter(_LATIN.findall(lower))
        for word in sorted(latin):
            if not words[word]:
                found.append(Difference(ParityKind.NAME, word, latin[word], 0))
        for word, times in sorted(self._capitalised(plain, lower).items()):
            if not latin[word.lower()]:
                found.append(Difference(ParityKind.NAME, word, 0, times))
        return found

    def _capitalised(self, plain: str, left: str) -> Counter[str]:
        """Capitalised words inside of sentences, but for those of known names, which are blank in ``left``."""
        found: Counter[str] = Counter()
        for match in _CAPITALISED.finditer(plain):
            word = match.group()
            if left[match.start()] == " " or word in self._capitals or word.lower() in self._months:
                continue
            if _SENTENCE_START.search(plain, max(0, match.start() - _BEFORE), match.start()) is None:
                found[word] += 1
        return found


def load_parity(path: Path | None = None) -> ParityChecker:
    """Read ``parity.toml`` (None: the one shipped). `TextsError` names every fault of it."""
    file = TextsFile(TEXTS / "parity.toml" if path is None else path)
    file.text("version")
    months: dict[str, tuple[str, int]] = {}
    for calendar in ("gregorian", "hijri"):
        table = file.table(calendar)
        for language in ("ar", "en"):
            rows = table.strings(language)
            if len(rows) != MONTHS:
                table.problem(language, f"expected {MONTHS} months, found {len(rows)}")
            for number, row in enumerate(rows, start=1):
                for name in row.split("|"):
                    months[_spaces(fold(name))] = (calendar, number)
    parts = file.table("day_parts")
    day_parts = {
        _spaces(fold(word)): after_noon
        for after_noon, key in ((False, "am"), (True, "pm"))
        for word in parts.strings(key)
    }
    capitals = file.table("english").strings("capitals")
    table = file.table("names")
    names = []
    for key in table.keys():  # noqa: SIM118 - a Reader is not a mapping
        pair = table.strings(key)
        if len(pair) != 2:
            table.problem(key, "expected the Arabic and the English spellings, two texts")
            continue
        names.append(Name(tuple(pair[0].split("|")), tuple(pair[1].split("|"))))
    file.finish()
    return ParityChecker(months, day_parts, names, capitals)


_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>«»\"،]+|[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
# Not a part of a word: "SEV1" and "B2B" are names.
_NUMBER = re.compile(r"(?<![a-z0-9_.,])\d+(?:[,٬]\d{3})*(?:[.٫]\d+)?(?![a-z0-9_])")
_LATIN = re.compile(r"[a-z][a-z0-9]*(?:['’&+-][a-z0-9]+)*")
_CAPITALISED = re.compile(r"(?<![A-Za-z0-9'’-])[A-Z][A-Za-z0-9]*(?:[&-][A-Za-z0-9]+)*")
# The beginning of the text, or the end of a sentence, a line or a label, and what may stand before the first word.
_BEFORE = 40
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n…•])[\s\"'“”‘’(\[*•-]*$")


def _number(match: re.Match[str]) -> str:
    value = match.group().replace(",", "").replace("٬", "").replace("٫", ".")
    whole, point, part = value.partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (point + part if part else "")


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=len, reverse=True))


def _spaces(text: str) -> str:
    return " ".join(text.split())


def _visible(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Cf")


def _without_addresses(text: str) -> str:
    return re.sub(_ADDRESS.pattern, lambda match: " " * len(match.group()), text, flags=re.I)


def _take_names(text: str, spellings: tuple[str, ...], *, attached: bool) -> tuple[int, str]:
    """How often a name stands in a text, and the text with blanks in its place. Arabic particles may be attached to it."""
    times = 0
    for spelling in sorted(spellings, key=len, reverse=True):
        written = re.escape(_spaces(fold(spelling) if attached else spelling.lower())).replace(r"\ ", r"\s+")
        if not written:
            continue
        if attached:
            bare = written.removeprefix("ال")
            article = "(?:ال|لل)?" if bare == written else "(?:ال|لل)"
            pattern = rf"(?<![ء-يa-z0-9])(?:[وف]?[بكل]?){article}{bare}(?![ء-يa-z0-9])"
        else:
            pattern = rf"(?<![a-z0-9]){written}(?:['’]s)?(?![a-z0-9])"
        text, found = re.subn(pattern, lambda match: " " * len(match.group()), text)
        times += found
    return times, text
