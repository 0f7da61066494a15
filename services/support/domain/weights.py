"""How much each word of a ticket speaks for each verdict: evidence where no rule of the lexicon joins the words.

A table gives points to words and to parts of words, for and against each *verdict* (a priority with its kind of
trouble); what nobody would write in a rule adds up here. Points are data, found from labelled tickets by
``tests/classifier/weigh.py`` and read as they are: the same text and table give the same answer. Points are natural
logarithms of odds against P3, so that a rule's finding can be added to them and priorities compared as sums.

A word's points do not depend on its neighbours, so they are summed once and kept: a text costs one look-up a word. Pairs of
neighbours that say more than their words have points of their own, and so have words that a denial stands before.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

FILE: Final = "weights.tsv"
UNIT: Final = 0.05
"""What one point of the table is worth, in natural logarithms of odds."""

CRITICAL: Final = 0.72
"""How likely P0 must be to be a finding: it wakes somebody."""
LIKELY: Final = 0.65
"""How likely a lesser level, or a more urgent one, must be to be a finding."""
POSSIBLY_CRITICAL: Final = 0.4
"""How likely P0 must be to be no part of what speaks for a lesser level, and for a person to be asked to review that."""
DOUBT: Final = ((0.25, 0.9), (0.45, 0.8), (0.45, 0.8))
"""Between which two likelihoods a level, or a more urgent one, is in doubt; beyond them phrases hardly ever turn it over."""

_SIZES: Final = (3, 4)
# How many digits a number has that says how much or which year; those with more say which order, phone or account.
_SHORT_NUMBER: Final = 4
_FIELD: Final = 32
_HALF: Final = 1 << (_FIELD - 1)
_IN_A_FIELD: Final = (1 << _FIELD) - 1
KEPT_WORDS: Final = 20_000
KEPT_LENGTH: Final = 40
"""How many words are remembered, of at most how many characters: some megabytes, whatever is sent."""

_START: Final = "*"
_COMMENT: Final = "# "
DENIED: Final = "¬"
"""Before a word: it stands within reach of a denial."""
UNREAL: Final = "~"
"""Before a word: what it is part of is told as feared, supposed, taken back, long ago or elsewhere."""
_MARKS: Final = (DENIED, UNREAL)

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a column of the table speaks for: ``entry`` is the lexicon's entry that names and explains it."""

    code: str
    level: int
    entry: str


VERDICTS: Final = (
    Verdict("S", 0, "hacked"),
    Verdict("L", 0, "data_exposed"),
    Verdict("U", 0, "unapproved_send"),
    Verdict("W", 0, "wrong_send_meaning"),
    Verdict("M", 0, "unapproved_charge"),
    Verdict("O", 0, "complete_outage"),
    Verdict("D", 1, "service_stopped"),
    Verdict("P", 1, "proof_pack_missing"),
    Verdict("C", 2, "connector_trouble"),
    Verdict("Q", 2, "proof_pack_late"),
    Verdict("B", 2, "billing_trouble"),
)


def filled(value: int, count: int, field: int) -> int:
    """The same number side by side in so many fields of so many bits."""
    return value * (((1 << field * count) - 1) // ((1 << field) - 1))


# Half a field's range in each field: no sum is then negative, and none borrows from its neighbour.
_HALVES: Final = filled(_HALF, len(VERDICTS), _FIELD)
_FIELDS: Final = struct.Struct(f"<{len(VERDICTS)}I")


def reaches(points: int) -> int:
    """What `speaks` compares a total with: whether some verdict has so many points or more."""
    return filled(_HALF - points, len(VERDICTS), _FIELD)


def speaks(total: int, reach: int) -> bool:
    """Whether some verdict has the points of `reaches`, without unpacking them."""
    # In a field that is raised by half its range less the points, the highest bit says so.
    return (total + reach) & _HALVES != 0


QUIET: Final = -50
"""When every verdict has fewer points by the words alone, no pair of them makes a finding."""

_CRITICAL: Final = sum([verdict.level == 0 for verdict in VERDICTS])
"""The verdicts of P0, which come first."""
POSSIBLE: Final = math.floor(math.log(DOUBT[0][0] / (1 - DOUBT[0][0]) / len(VERDICTS)) / UNIT)
"""When every verdict has fewer points, what all of them say together is beyond doubt P3."""
_OUTSPOKEN: Final = math.log(DOUBT[0][1] / (1 - DOUBT[0][1]) * (len(VERDICTS) - _CRITICAL + 1))

_COLUMN: Final = {verdict.code: number for number, verdict in enumerate(VERDICTS)}
LEVELS: Final = tuple(tuple(n for n, v in enumerate(VERDICTS) if v.level == level) for level in range(3))
"""The verdicts of each level, by number; they stand in the order of urgency."""


def pairs_of(tokens: Iterable[str]) -> Iterator[str]:
    """Each two neighbours as the table names them, with a space between them."""
    return map(" ".join, itertools.pairwise(tokens))


def unmarked(word: str) -> tuple[str, str]:
    """The mark of a word, if any, and the word itself. In the table a marked word counts as itself too."""
    return (word[0], word[1:]) if word.startswith(_MARKS) else ("", word)


def parts_of(word: str) -> list[str]:
    """The word, marked as whole, and the runs of three and four characters in it, its borders marked ``<`` and ``>``.

    A pair of words has one part, itself. The parts of a marked word are its own, each marked. Numbers of five digits or more,
    ids and addresses say no more than that they are such.
    """
    if " " in word:
        return [word]
    mark, plain = unmarked(word)
    if mark:
        return [mark + part for part in parts_of(plain)]
    if "@" in word or "://" in word:
        return ["=@"]
    if len(word) > _SHORT_NUMBER <= sum(map(str.isdigit, word)):
        return ["=0"]
    bordered = f"<{word}>"
    length = len(bordered)
    parts = ["=" + word]
    for size in _SIZES:
        if size < length:
            parts += [bordered[at : at + size] for at in range(length - size + 1)]
    return parts


class Weights:
    """The table, immutable but for the words that it remembers; safe to share on one event loop.

    A row is ``code+points code-points``; what is none is found by `faults`, which a service asks before it starts.
    """

    __slots__ = ("_known", "_known_pairs", "_pairs", "_rows", "start")

    def __init__(self, rows: Mapping[str, str]) -> None:
        # A row is parsed when its part is first met: a service need not wait for ten thousand of them.
        self._rows = rows
        self._known = _Known(rows)
        self._known_pairs = _KnownPairs(rows)
        self._pairs: frozenset[tuple[str, ...]] | None = None
        self.start = packed(rows.get(_START, ""))

    def __bool__(self) -> bool:
        return bool(self._rows)

    def knows(self, word: str) -> bool:
        """Whether the table has points for the word as a whole."""
        return "=" + word in self._rows

    def of(self, words: Iterable[str]) -> int:
        """The sum of the words' points for every verdict, packed into one number (`unpacked`)."""
        return sum(map(self._known.__getitem__, words))

    def for_verdict(self, number: int, words: Iterable[str]) -> list[int]:
        """The points of each word for one verdict, by its number in `VERDICTS`."""
        shift = _FIELD * number
        return [((points + _HALVES) >> shift & _IN_A_FIELD) - _HALF for points in map(self._known.__getitem__, words)]

    def of_pairs(self, tokens: Sequence[str]) -> int:
        """The sum of the points of all pairs of neighbours that the table has, each pair once."""
        pairs = self._pairs
        if pairs is None:
            pairs = self._pairs = frozenset([tuple(part.split(" ")) for part in self._rows if " " in part])
        return sum(map(self._known_pairs.__getitem__, pairs.intersection(itertools.pairwise(tokens))))


class Remembered(dict[str, V]):
    """What `made` makes of each word, kept for so many words of at most `KEPT_LENGTH` characters."""

    kept_words = KEPT_WORDS

    def made(self, word: str) -> V:
        """What a word that is not remembered stands for."""
        raise NotImplementedError

    def __missing__(self, word: str) -> V:
        value = self.made(word)
        if len(word) <= KEPT_LENGTH:
            if len(self) >= self.kept_words:
                self.clear()
            self[word] = value
        return value


class _Known(Remembered[int]):
    """The points of the words met so far."""

    def __init__(self, rows: Mapping[str, str]) -> None:
        self._rows = rows

    def made(self, word: str) -> int:
        rows = self._rows
        return sum([packed(rows[part]) for part in {*parts_of(word)} if part in rows])


class _KnownPairs(dict[tuple[str, ...], int]):
    """The points of the table's pairs met so far: no others are asked for."""

    def __init__(self, rows: Mapping[str, str]) -> None:
        self._rows = rows

    def __missing__(self, pair: tuple[str, ...]) -> int:
        points = self[pair] = packed(self._rows[" ".join(pair)])
        return points


def packed(row: str) -> int:
    """Points of a row, each verdict in a field of its own of one number: one addition then adds all eleven."""
    total = 0
    for item in row.split():
        total += int(item[1:]) << (_FIELD * _COLUMN[item[0]])
    return total


def unpacked(total: int) -> list[int]:
    """The points of each of `VERDICTS`."""
    return [field - _HALF for field in _FIELDS.unpack((total + _HALVES).to_bytes(_FIELDS.size, "little"))]


def packed_for(verdicts: Iterable[int], points: int) -> int:
    """So many points for each of some verdicts, by their numbers in `VERDICTS`."""
    return sum([points << (_FIELD * number) for number in verdicts])


def odds_of(total: int) -> list[float]:
    """The odds of each of `VERDICTS` by its points, as natural logarithms."""
    return [value * UNIT for value in unpacked(total)]


def lead(odds: Sequence[float]) -> float:
    """By how much one verdict of P0 has more than all that are less urgent, as a logarithm of odds."""
    return max(odds[:_CRITICAL]) - max(0.0, *odds[_CRITICAL:])


def outspoken(odds: Sequence[float]) -> bool:
    """Whether one verdict of P0 has so much more than all others that P0 is beyond doubt: `likelihoods` need not say so."""
    return lead(odds) >= _OUTSPOKEN


def likelihoods(odds: Sequence[float]) -> list[float]:
    """How likely each level (0 for P0 to 2 for P2), or a more urgent one, is by the odds of `VERDICTS`."""
    highest = max(0.0, *odds)
    reached = [*itertools.accumulate([math.exp(value - highest) for value in odds])]
    whole = reached[-1] + math.exp(-highest)
    return [reached[numbers[-1]] / whole for numbers in LEVELS]


def likeliest_level(likely: Sequence[float]) -> int:
    """The most urgent level (0 for P0 to 3 for P3) that, or a more urgent one, is likely enough to be a finding."""
    critical, *others = likely
    if critical >= CRITICAL:
        return 0
    least = LIKELY if critical < POSSIBLY_CRITICAL else critical + LIKELY * (1 - critical)
    for level, share in enumerate(others, start=1):
        if share >= least:
            return level
    return 3


def in_doubt(likely: Sequence[float]) -> bool:
    """Whether some level is neither likely nor unlikely enough to be settled by words alone."""
    for share, (low, high) in zip(likely, DOUBT, strict=True):  # noqa: SIM110 - a generator would cost three times as much
        if low < share < high:
            return True
    return False


def read(content: str) -> Weights:
    """The table of a file's content; lines at its beginning that begin with ``#`` and a space are comments."""
    while content.startswith(_COMMENT):
        content = content.partition("\n")[2]
    # Part, row, part, row: cut at once, in half the time of line after line.
    cells = content.removesuffix("\n").replace("\n", "\t").split("\t")
    return Weights(dict(zip(cells[::2], cells[1::2], strict=False)))


def faults(content: str) -> list[str]:
    """What is wrong with a file's content, a sentence for each line: for the linter."""
    found = []
    seen: set[str] = set()
    lines = content.removesuffix("\n").split("\n") if content else []
    for number, line in enumerate(lines, start=1):
        if line.startswith(_COMMENT) and not seen:
            continue
        part, tab, row = line.partition("\t")
        items = row.split()
        if not part or not tab or not items or "\t" in row:
            found.append(f"line {number}: a part, a tab and its points are needed")
        elif part in seen:
            found.append(f"line {number}: {part!r} stands twice")
        elif not all(item[0] in _COLUMN and item[1:].lstrip("+-").isdecimal() for item in items):
            found.append(f"line {number}: points are a letter of {''.join(_COLUMN)} and a whole number")
        seen.add(part)
    return found
