"""Points of words: how they are packed, summed and compared."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.support.domain.weights import (
    LEVELS,
    VERDICTS,
    faults,
    likeliest_level,
    packed,
    parts_of,
    read,
    unpacked,
)

POINTS = st.lists(st.integers(-10_000, 10_000), min_size=len(VERDICTS), max_size=len(VERDICTS))


def row(points: list[int]) -> str:
    return " ".join(f"{verdict.code}{value:+d}" for verdict, value in zip(VERDICTS, points, strict=True))


@given(st.lists(POINTS, max_size=200))
def test_packed_points_add_up_as_they_would_one_by_one(rows: list[list[int]]) -> None:
    total = sum(packed(row(points)) for points in rows)
    assert unpacked(total) == [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * len(VERDICTS)


@given(st.lists(st.floats(-40, 40), min_size=len(VERDICTS), max_size=len(VERDICTS)), st.floats(0.1, 0.9))
def test_level_is_the_most_urgent_that_is_likely_enough(odds: list[float], least: float) -> None:
    shares = [math.exp(value) for value in odds]
    whole = sum(shares) + 1
    level = likeliest_level(odds, least)
    reached = [sum(shares[n] for few in LEVELS[: upto + 1] for n in few) / whole for upto in range(3)]
    assert all(share <= least + 1e-9 for share in reached[:level])
    assert level == 3 or reached[level] >= least - 1e-9


def test_a_word_has_the_points_of_its_parts_and_of_nothing_else() -> None:
    weights = read("# a comment\n*\tS-10\n=leak\tL+7\nlea\tL+2 S+1\neak>\tL+1\nbleak\tL+50\n")
    assert dict(zip([v.code for v in VERDICTS], unpacked(weights.of(["leak"])), strict=True)) == {
        v.code: {"L": 10, "S": 1}.get(v.code, 0) for v in VERDICTS
    }
    assert unpacked(weights.of(["other"])) == [0] * len(VERDICTS)
    assert weights.of(["leak", "leak2"]) == weights.of(["leak"]) + weights.of(["leak2"])
    assert unpacked(weights.start)[0] == -10


def test_parts_are_the_word_and_its_runs_of_three_and_four() -> None:
    assert parts_of("رسل") == ["=رسل", "<رس", "رسل", "سل>", "<رسل", "رسل>"]
    assert parts_of("ok") == ["=ok", "<ok", "ok>"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("=word S+1", "a part, a tab and its points"),
        ("=word\t", "a part, a tab and its points"),
        ("\tS+1", "a part, a tab and its points"),
        ("=word\tX+1", "points are a letter"),
        ("=word\tS+1.5", "points are a letter"),
        ("=fine\tS+1", "'=fine' stands twice"),
    ],
)
def test_faults_of_a_table_are_named_with_their_line(line: str, fault: str) -> None:
    (found,) = faults(f"# comment\n=fine\tS+1 L-2\n{line}\n")
    assert found.startswith("line 3:")
    assert fault in found
