"""What runs of one to five words say together: a second reading of what the single words leave in doubt.

`weights` adds up words and pairs, in any order. A small convolutional network reads in order: each of its filters looks
at a word and the words around it, the strongest answer of a filter anywhere in the text counts, and points for each
verdict are the sum over filters, and over the text's words, each once. It is found from labelled tickets by
``tests/classifier/weigh_phrases.py`` and read as it is. Sums and comparisons are of whole numbers: the same text and file
give the same answer on every machine.

One long integer holds the answers of all filters side by side, so that an addition or a comparison serves them all. What a
word adds to the answers at its own place and beside it is worked out once and remembered.

File (``phrases.bin``), little-endian: a line of JSON (`Shape`), then signed bytes: ``buckets`` x ``width`` embeddings of
parts of words; ``buckets`` x 11 points of parts; for each of ``looks`` ``width`` x filters; filters x 4 bytes of
thresholds; filters x 11 points of filters.
"""

from __future__ import annotations

import itertools
import json
import operator
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from services.support.domain.weights import VERDICTS, Remembered, filled, parts_of, unmarked

FILE: Final = "phrases.bin"

KEPT_WORDS: Final = 2_000
"""How many words are remembered: about 1.7 KB each."""

POINTS: Final = len(VERDICTS)
MOST_PARTS: Final = 100
"""So many parts of a word are read."""
MOST_LOOKS: Final = 320
"""Width times places at most."""
THRESHOLD: Final = 1 << 29
"""A threshold lies between this and its negative. With these three bounds no answer leaves its field."""

# Bits for an answer, and for the points of all answers.
_FIELD: Final = 32
_POINTS_FIELD: Final = 64
_CODES: Final = {_FIELD: "I", _POINTS_FIELD: "Q"}


@dataclass(frozen=True, slots=True)
class Shape:
    """The first line of the file.

    ``looks``: for each place beside a word (0 the word itself, -1 the one before it) how many filters look there. They
    are ordered by reach, so that these are always the first ones. ``word_unit``, ``filter_unit``: what one point of a
    part, or of a filter's answer, is worth in logarithms of odds; ``start``: the odds of an empty text.
    """

    buckets: int
    width: int
    looks: tuple[tuple[int, int], ...]
    word_unit: float
    filter_unit: float
    start: tuple[float, ...]

    @property
    def filters(self) -> int:
        """How many filters there are: all look at the word itself."""
        return max((count for _, count in self.looks), default=0)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of each section after the first line."""
        looks = sum([count for _, count in self.looks])
        return (
            self.buckets * self.width,
            self.buckets * POINTS,
            self.width * looks,
            self.filters * 4,
            self.filters * POINTS,
        )


def parts_of_marked(word: str) -> list[str]:
    """The parts of a word, its mark as one more part of it."""
    mark, plain = unmarked(word)
    return [mark, *parts_of(plain)] if mark else parts_of(plain)


def bucket_of(part: str, buckets: int) -> int:
    """Where a part of a word has its numbers; parts that share a bucket are told apart by the word's other parts."""
    return zlib.crc32(part.encode()) % buckets


def written(shape: Shape, sections: Iterable[bytes]) -> bytes:
    """The file of a shape and its sections."""
    return json.dumps(asdict(shape)).encode() + b"\n" + b"".join(sections)


def fault(content: bytes) -> str:
    """What is wrong with a file's content, in one sentence; empty when it can be read, or there is none."""
    if not content:
        return ""
    line, _, rest = content.partition(b"\n")
    try:
        shape = _shape(line)
    except (ValueError, TypeError, KeyError) as error:
        return f"the first line does not describe the rest: {error!r}"
    places = dict(shape.looks)
    if len(places) != len(shape.looks) or places.get(0) != shape.filters or len(shape.start) != POINTS:
        return f"each place is looked at once, the word itself by all filters, and the start has {POINTS} odds"
    if min(shape.buckets, shape.width, *places.values()) < 1 or shape.width * len(places) > MOST_LOOKS:
        return f"buckets, width and filters are at least 1, and width times places at most {MOST_LOOKS}"
    if len(rest) != sum(shape.sizes):
        return f"{sum(shape.sizes)} bytes must follow the first line, not {len(rest)}"
    thresholds = struct.unpack_from(f"<{shape.filters}i", rest, sum(shape.sizes[:3]))
    if max(map(abs, thresholds)) > THRESHOLD:
        return f"thresholds lie between -{THRESHOLD} and {THRESHOLD}"
    return ""


def _shape(line: bytes) -> Shape:
    told = json.loads(line)
    told["looks"] = tuple([(int(place), int(count)) for place, count in told["looks"]])
    told["start"] = tuple(map(float, told["start"]))
    return Shape(**told)


class Phrases:
    """The network, immutable but for the words that it remembers; safe to share on one event loop.

    What is wrong with ``content`` is found by `fault`, which a service asks before it starts.
    """

    __slots__ = ("_content", "_net")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._net: _Net | None = None

    def __bool__(self) -> bool:
        return bool(self._content)

    def odds(self, tokens: Sequence[str]) -> list[float]:
        """The odds of each of `VERDICTS` against P3, as natural logarithms, by these tokens in this order."""
        if self._net is None:
            # Most texts leave no doubt: a service need not wait for this at its start.
            self._net = _Net(self._content)
        return self._net.odds(tokens)


class _Net:
    """The file's sections, made ready."""

    def __init__(self, content: bytes) -> None:
        line, _, rest = content.partition(b"\n")
        shape = _shape(line)
        filters = shape.filters
        ends = itertools.accumulate(shape.sizes)
        embeddings, points, looks, thresholds, voices = [
            rest[end - size : end] for end, size in zip(ends, shape.sizes, strict=True)
        ]
        self.shape = shape
        self._known = _Known(shape, embeddings, points, looks)
        # An answer's zero is the middle of the lower half of its field; the highest bit guards a comparison.
        middle = 1 << (_FIELD - 2)
        self._zeros = filled(middle, filters, _FIELD)
        self._guards = filled(1 << (_FIELD - 1), filters, _FIELD)
        self._thresholds = self._zeros + _packed(struct.unpack(f"<{filters}i", thresholds), _FIELD)
        self._answers = struct.Struct(f"<{filters}I")
        self._voices = [
            _packed(struct.unpack_from(f"<{POINTS}b", voices, at * POINTS), _POINTS_FIELD) for at in range(filters)
        ]
        # What reading answers with their zero in the middle adds, taken off again; and zeros for the points' own sums.
        self._totals = struct.Struct(f"<{POINTS}Q")
        self._half = 1 << (_POINTS_FIELD - 1)
        self._from = filled(self._half, POINTS, _POINTS_FIELD) - middle * sum(self._voices)

    def odds(self, tokens: Sequence[str]) -> list[float]:
        shape = self.shape
        known = list(map(self._known.__getitem__, tokens))
        columns = list(zip(*[added for _, added in known], strict=True)) or [()] * len(shape.looks)
        beside = []
        for (place, _), column in zip(shape.looks, columns, strict=True):
            shifted = [0] * -place + list(column[max(place, 0) :]) + [0] * place
            beside.append(shifted[: len(tokens)])
        best = self._zeros
        guards = self._guards
        # The greater of two numbers in every field at once: the guard of their difference says which.
        for answer in map(sum, zip(*beside, strict=True), itertools.repeat(self._thresholds)):
            kept = ((best | guards) - answer) & guards
            best = answer ^ ((best ^ answer) & (kept - (kept >> (_FIELD - 1))))
        answers = self._answers.unpack(best.to_bytes(self._answers.size, "little"))
        total = sum(map(operator.mul, answers, self._voices), self._from)
        heard = self._totals.unpack(total.to_bytes(self._totals.size, "little"))
        # A word that stands twice says no more than once.
        own = [points for points, _ in dict(zip(tokens, known, strict=True)).values()]
        said = map(sum, zip(*own, strict=True)) if own else itertools.repeat(0, POINTS)
        return [
            start + shape.filter_unit * (by_filters - self._half) + shape.word_unit * by_words
            for start, by_filters, by_words in zip(shape.start, heard, said, strict=True)
        ]


class _Known(Remembered[tuple[tuple[int, ...], tuple[int, ...]]]):
    """Of the words met so far: their own points, and what they add to the answers of filters at each place."""

    kept_words = KEPT_WORDS

    def __init__(self, shape: Shape, embeddings: bytes, points: bytes, looks: bytes) -> None:
        self._shape = shape
        self._embeddings = embeddings
        self._points = points
        self._one = struct.Struct(f"<{shape.width}b")
        self._own = struct.Struct(f"<{POINTS}b")
        # For each place and dimension, what it adds to all filters.
        self._looks = []
        start = 0
        for _, count in shape.looks:
            rows = range(start, start + count * shape.width, count)
            self._looks.append([_packed(struct.unpack_from(f"<{count}b", looks, row), _FIELD) for row in rows])
            start = rows.stop

    def made(self, word: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        shape = self._shape
        buckets = [bucket_of(part, shape.buckets) for part in parts_of_marked(word)[:MOST_PARTS]]
        own = [self._own.unpack_from(self._points, at * POINTS) for at in buckets]
        one = [self._one.unpack_from(self._embeddings, at * shape.width) for at in buckets]
        summed = [*map(sum, zip(*one, strict=True))]
        added = tuple([sum(map(operator.mul, summed, look)) for look in self._looks])
        return tuple(map(sum, zip(*own, strict=True))), added


def _packed(values: Sequence[int], field: int) -> int:
    """Signed numbers side by side in one, each less than half a field: what one borrows from the next, adding returns."""
    half = 1 << (field - 1)
    raised = struct.pack(f"<{len(values)}{_CODES[field]}", *[value + half for value in values])
    return int.from_bytes(raised, "little") - filled(half, len(values), field)
