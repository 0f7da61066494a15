"""What phrases say: the packed arithmetic against the same sums written plainly."""

from __future__ import annotations

import itertools
import json
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.support.domain import phrases
from services.support.domain.lexicon import DEFAULT_DIRECTORY
from services.support.domain.phrases import (
    DIVISOR,
    KEPT_WORDS,
    MOST_ADDED,
    MOST_FILTERS,
    MOST_PARTS,
    MOST_PLACES,
    POINTS,
    THRESHOLD,
    Phrases,
    Shape,
    bucket_of,
    fault,
    parts_of_marked,
    written,
)
from services.support.domain.weights import DENIED, UNREAL, parts_of

SHAPE = Shape(
    buckets=50,
    width=4,
    looks=((0, 6), (1, 4), (-1, 3), (-2, 1), (2, 1)),
    word_unit=0.25,
    filter_unit=0.001,
    start=tuple(number / 10 for number in range(POINTS)),
)


def sections(seed: int, shape: Shape = SHAPE) -> list[bytes]:
    chance = random.Random(seed)
    found = [bytes(chance.choices(range(256), k=size)) for size in shape.sizes]
    found[3] = struct.pack(f"<{shape.filters}i", *[chance.randint(-9_000, 9_000) for _ in range(shape.filters)])
    return found


def signed(content: bytes, width: int) -> list[list[int]]:
    values = struct.unpack(f"<{len(content)}b", content)
    return [list(values[at : at + width]) for at in range(0, len(values), width)]


def plainly(tokens: list[str], some: list[bytes], shape: Shape = SHAPE) -> list[float]:
    embeddings, points = signed(some[0], shape.width), signed(some[1], POINTS)
    ends = list(itertools.accumulate(shape.width * count for _, count in shape.looks))
    looks = {
        place: signed(some[2][end - shape.width * count : end], count)
        for end, (place, count) in zip(ends, shape.looks, strict=True)
    }
    thresholds = struct.unpack(f"<{shape.filters}i", some[3])
    voices = signed(some[4], POINTS)
    buckets = [[bucket_of(part, shape.buckets) for part in parts_of_marked(word)[:MOST_PARTS]] for word in tokens]
    own = dict(zip(tokens, buckets, strict=True)).values()
    words = [[sum(embeddings[b][d] for b in few) for d in range(shape.width)] for few in buckets]
    strongest = [0] * shape.filters
    for at in range(len(tokens)):
        for number in range(shape.filters):
            answer = (thresholds[number] + DIVISOR // 2) // DIVISOR
            for place, count in shape.looks:
                if number < count and 0 <= at + place < len(tokens):
                    added = sum(words[at + place][d] * looks[place][d][number] for d in range(shape.width))
                    answer += min(max((added + DIVISOR // 2) // DIVISOR, -MOST_ADDED), MOST_ADDED - 1)
            strongest[number] = max(strongest[number], answer)
    return [
        shape.start[verdict]
        + shape.filter_unit * DIVISOR * sum(strongest[n] * voices[n][verdict] for n in range(shape.filters))
        + shape.word_unit * sum(points[b][verdict] for few in own for b in few)
        for verdict in range(POINTS)
    ]


@settings(max_examples=60)
@given(st.lists(st.text("abcdéسشضو.¬", min_size=1, max_size=9), max_size=12), st.integers(0, 3))
def test_odds_are_the_sums_that_the_file_describes(tokens: list[str], seed: int) -> None:
    some = sections(seed)
    assert Phrases(written(SHAPE, some)).odds(tokens) == pytest.approx(plainly(tokens, some), rel=1e-9, abs=1e-6)


def test_the_greatest_numbers_that_a_file_can_hold_stay_in_their_fields() -> None:
    looks = tuple((place, MOST_FILTERS) for place in range(-(MOST_PLACES // 2), MOST_PLACES // 2 + 1))
    shape = Shape(1, 64, looks, 1.0, 1.0, (0.0,) * POINTS)
    for embedding, look in itertools.product((-128, 127), repeat=2):
        some = [
            struct.pack("b", value) * size
            for value, size in zip((embedding, -128, look, 0, -128), shape.sizes, strict=True)
        ]
        some[3] = struct.pack("<i", THRESHOLD if embedding == look else -THRESHOLD) * shape.filters
        assert fault(written(shape, some)) == ""
        tokens = ["a" * 20_000] * 5
        assert Phrases(written(shape, some)).odds(tokens) == pytest.approx(plainly(tokens, some, shape))


@pytest.mark.parametrize("mark", [DENIED, UNREAL])
def test_a_marked_word_is_the_word_and_a_mark(mark: str) -> None:
    assert parts_of_marked(mark + "sent") == [mark, *parts_of("sent")]
    network = Phrases((DEFAULT_DIRECTORY / phrases.FILE).read_bytes())
    assert network.odds(["no", "leaked"]) != network.odds(["no", mark + "leaked"])


def test_order_counts() -> None:
    network = Phrases((DEFAULT_DIRECTORY / phrases.FILE).read_bytes())
    assert network.odds(["sent", "after", "you", "approved"]) != network.odds(["you", "approved", "after", "sent"])


def test_no_more_words_are_remembered_than_the_bound() -> None:
    network = Phrases(written(SHAPE, sections(0)))
    first = network.odds(["word0"])
    network.odds([f"word{n}" for n in range(KEPT_WORDS + 10)])
    assert network._net is not None
    assert len(network._net._known) <= KEPT_WORDS
    assert network.odds(["word0"]) == first


def test_a_file_that_does_not_hold_what_it_says_has_its_fault_named() -> None:
    good = written(SHAPE, sections(0))
    assert fault(good) == ""
    assert fault(b"") == ""
    line, _, rest = good.partition(b"\n")
    told = json.loads(line)

    def changed(**values: object) -> bytes:
        return json.dumps(told | values).encode() + b"\n" + rest

    assert "bytes must follow" in fault(good[:-1])
    assert "does not describe" in fault(b"{}\n" + rest)
    assert "does not describe" in fault(b"no line")
    assert "looked at once" in fault(changed(looks=[[0, 6], [0, 4], [1, 3], [2, 1], [3, 1]]))
    assert "looked at once" in fault(changed(looks=[[1, 6], [0, 4], [-1, 3], [-2, 1], [2, 1]]))
    assert "at least 1" in fault(changed(width=0))
    assert "at most 320" in fault(changed(width=100))
    assert "5 places and 256 filters" in fault(changed(looks=[[place, 6] for place in range(6)]))
    assert "5 places and 256 filters" in fault(changed(looks=[[0, 300]]))
    some = sections(0)
    some[3] = struct.pack("<i", THRESHOLD + 1) * SHAPE.filters
    assert "thresholds lie" in fault(written(SHAPE, some))
