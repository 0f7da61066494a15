"""What runs of one to five words say together: a second reading of what the single words leave in doubt.

`weights` adds up words and pairs, in any order. A small convolutional network reads in order: each of its filters looks
at a word and the words around it, the strongest answer of a filter anywhere in the text counts, and points for each
verdict are the sum over filters, and over the text's words, each once. It is found from labelled tickets by
``tests/classifier/weigh_phrases.py`` and read as it is. Sums and comparisons are of whole numbers: the same text and file
give the same answer on every machine.

One long integer holds the answers of all filters side by side, so that an addition or a comparison serves them all. What a
word adds to the answers at its own place and beside it is worked out once, divided by 256 to fit a field, and remembered.

File (``phrases.bin``), little-endian: a line of JSON (`Shape`), then signed bytes: ``buckets`` x ``width`` embeddings of
parts of words; ``buckets`` x 11 points of parts; for each of ``looks`` ``width`` x filters; filters x 4 bytes of
thresholds; filters x 11 points of filters. A threshold is on the scale of the sums before they are divided.
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
"""How many words are remembered: about 1 KB each."""

POINTS: Final = len(VERDICTS)
MOST_PARTS: Final = 100
"""So many parts of a word are read."""
MOST_LOOKS: Final = 320
"""Width times places at most."""
MOST_PLACES: Final = 5
MOST_FILTERS: Final = 256

# Bits for a sum as it is worked out, for an answer, and for the points of all answers.
_SUM_FIELD: Final = 32
_FIELD: Final = 16
_POINTS_FIELD: Final = 32
DIVISOR: Final = 256
MOST_ADDED: Final = 2048
"""What a word adds at one place is a sum, divided by `DIVISOR` and then kept between this and its negative: so no answer
leaves its field."""
THRESHOLD: Final = MOST_ADDED * DIVISOR
"""A threshold lies between this and its negative."""
_CODES: Final = {16: "H", 32: "I"}


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
    if len(places) > MOST_PLACES or shape.filters > MOST_FILTERS:
        return f"there are at most {MOST_PLACES} places and {MOST_FILTERS} filters"
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
        divided = [(value + DIVISOR // 2) // DIVISOR for value in struct.unpack(f"<{filters}i", thresholds)]
        self._thresholds = self._zeros + _packed(divided, _FIELD)
        self._answers = struct.Struct(f"<{filters}H")
        self._voices = [
            _packed(struct.unpack_from(f"<{POINTS}b", voices, at * POINTS), _POINTS_FIELD) for at in range(filters)
        ]
        # Zeros for the sums of points; from what is heard, what reading answers with their zero in the middle adds is taken.
        self._totals = struct.Struct(f"<{POINTS}I")
        self._half = 1 << (_POINTS_FIELD - 1)
        self._silent = filled(self._half, POINTS, _POINTS_FIELD)
        self._from = self._silent - middle * sum(self._voices)

    def odds(self, tokens: Sequence[str]) -> list[float]:
        shape = self.shape
        known = list(map(self._known.__getitem__, tokens))
        answers: Iterable[int] = itertools.repeat(self._thresholds, len(tokens))
        none = itertools.repeat(0)
        for (place, _), column in zip(shape.looks, zip(*[added for _, added in known], strict=True), strict=False):
            beside = itertools.chain(itertools.repeat(0, -place), column[max(place, 0) :], none)
            answers = map(operator.add, answers, beside)
        best = self._zeros
        guards = self._guards
        # The greater of two numbers in every field at once: the guard of their difference says which.
        for answer in answers:
            more = (best | guards) - answer
            kept = more & guards
            best = answer + (more & (kept - (kept >> (_FIELD - 1))))
        strongest = self._answers.unpack(best.to_bytes(self._answers.size, "little"))
        heard = self._points(sum(map(operator.mul, strongest, self._voices), self._from))
        # A word that stands twice says no more than once.
        own = [points for points, _ in dict(zip(tokens, known, strict=True)).values()]
        said = self._points(sum(own, self._silent))
        half = self._half
        return [
            start + shape.filter_unit * DIVISOR * (by_filters - half) + shape.word_unit * (by_words - half)
            for start, by_filters, by_words in zip(shape.start, heard, said, strict=True)
        ]

    def _points(self, total: int) -> tuple[int, ...]:
        return self._totals.unpack(total.to_bytes(self._totals.size, "little"))


class _Known(Remembered[tuple[int, tuple[int, ...]]]):
    """Of the words met so far: their own points, and what they add to the answers of filters at each place."""

    kept_words = KEPT_WORDS

    def __init__(self, shape: Shape, embeddings: bytes, points: bytes, looks: bytes) -> None:
        self._shape = shape
        self._embeddings = embeddings
        self._points = points
        self._one = struct.Struct(f"<{shape.width}b")
        self._own = struct.Struct(f"<{POINTS}b")
        self._looks = []
        start = 0
        for _, count in shape.looks:
            end = start + count * shape.width
            self._looks.append(_Look(count, looks[start:end]))
            start = end

    def made(self, word: str) -> tuple[int, tuple[int, ...]]:
        shape = self._shape
        buckets = [bucket_of(part, shape.buckets) for part in parts_of_marked(word)[:MOST_PARTS]]
        own = [self._own.unpack_from(self._points, at * POINTS) for at in buckets]
        one = [self._one.unpack_from(self._embeddings, at * shape.width) for at in buckets]
        summed = [*map(sum, zip(*one, strict=True))]
        added = tuple([look.added(summed) for look in self._looks])
        return _packed([*map(sum, zip(*own, strict=True))], _POINTS_FIELD), added


class _Look:
    """How words answer the filters that look at one place."""

    def __init__(self, count: int, rows: bytes) -> None:
        self._count = count
        # For each dimension of a word, what it adds to all filters.
        self._rows = [
            _packed(struct.unpack_from(f"<{count}b", rows, row), _SUM_FIELD) for row in range(0, len(rows), count)
        ]
        # Raised by these, what is within bounds has no bit of `_beyond`; half a divisor more rounds.
        self._raised = filled(THRESHOLD + DIVISOR // 2, count, _SUM_FIELD)
        self._beyond = filled((1 << _SUM_FIELD) - 2 * THRESHOLD, count, _SUM_FIELD)
        self._lowered = filled(MOST_ADDED, count, _FIELD)

    def added(self, word: Iterable[int]) -> int:
        """What a word with such dimensions adds to the answers, each in its field."""
        sums = sum(map(operator.mul, word, self._rows), self._raised)
        if sums & self._beyond:
            sums = self._bounded(sums)
        # To divide by 256 and halve the fields is to leave out the first and the last byte of four.
        wide = sums.to_bytes(self._count * 4, "little")
        narrow = bytearray(self._count * 2)
        narrow[::2] = wide[1::4]
        narrow[1::2] = wide[2::4]
        return int.from_bytes(narrow, "little") - self._lowered

    def _bounded(self, sums: int) -> int:
        half = 1 << (_SUM_FIELD - 1)
        raised = sums + filled(half, self._count, _SUM_FIELD)
        fields = struct.unpack(f"<{self._count}I", raised.to_bytes(self._count * 4, "little"))
        return _packed([min(max(field - half, 0), 2 * THRESHOLD - 1) for field in fields], _SUM_FIELD)


def _packed(values: Sequence[int], field: int) -> int:
    """Signed numbers side by side in one, each less than half a field: what one borrows from the next, adding returns."""
    half = 1 << (field - 1)
    raised = struct.pack(f"<{len(values)}{_CODES[field]}", *[value + half for value in values])
    return int.from_bytes(raised, "little") - filled(half, len(values), field)
