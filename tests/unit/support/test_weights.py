"""Points of words: how they are packed, summed and compared."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.support.domain.weights import (
    CRITICAL,
    DENIED,
    LEVELS,
    LIKELY,
    POSSIBLE,
    UNREAL,
    VERDICTS,
    Weights,
    faults,
    in_doubt,
    likeliest_level,
    likelihoods,
    odds_of,
    outspoken,
    packed,
    parts_of,
    reaches,
    read,
    speaks,
    unpacked,
)

POINTS = st.lists(st.integers(-10_000, 10_000), min_size=len(VERDICTS), max_size=len(VERDICTS))


def row(points: list[int]) -> str:
    return " ".join(f"{verdict.code}{value:+d}" for verdict, value in zip(VERDICTS, points, strict=True))


@given(st.lists(POINTS, max_size=200))
def test_packed_points_add_up_as_they_would_one_by_one(rows: list[list[int]]) -> None:
    total = sum(packed(row(points)) for points in rows)
    assert unpacked(total) == [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * len(VERDICTS)


ODDS = st.lists(st.floats(-40, 40), min_size=len(VERDICTS), max_size=len(VERDICTS))


@given(ODDS)
def test_a_level_is_as_likely_as_its_verdicts_and_the_more_urgent_ones_together(odds: list[float]) -> None:
    shares = [math.exp(value) for value in odds]
    whole = sum(shares) + 1
    reached = [sum(shares[n] for few in LEVELS[: upto + 1] for n in few) / whole for upto in range(3)]
    assert likelihoods(odds) == pytest.approx(reached)


@pytest.mark.parametrize(
    ("likely", "level", "doubtful"),
    [
        ([0.0, 0.0, 0.0], 3, False),
        ([0.25, 0.44, 0.45], 3, False),
        ([0.26, 0.3, 0.3], 3, True),
        ([0.0, 0.0, 0.46], 3, True),
        ([CRITICAL, 0.8, 0.9], 0, True),
        ([0.39, LIKELY, 0.7], 1, True),
        # P0 that is possible, though not likely enough, speaks for nothing less: the others are compared by themselves.
        ([0.41, LIKELY, 0.7], 3, True),
        ([0.67, 0.67, 0.67], 3, True),
        ([0.6, 0.6 + 0.4 * LIKELY, 0.95], 1, True),
        ([0.6, 0.85, 0.95], 2, True),
        ([0.0, 0.59, 0.95], 2, True),
        ([0.02, 0.92, 0.93], 1, False),
        ([0.89, 0.89, 1.0], 0, True),
        ([0.91, 0.91, 1.0], 0, False),
    ],
)
def test_level_is_the_most_urgent_that_is_likely_and_in_doubt_between(
    likely: list[float], level: int, doubtful: bool
) -> None:
    assert likeliest_level(likely) == level
    assert in_doubt(likely) == doubtful


@given(st.lists(POINTS, max_size=20))
def test_the_points_of_one_verdict_are_read_alone(rows: list[list[int]]) -> None:
    words = [f"word{number}" for number in range(len(rows))]
    weights = Weights({f"={word}": row(points) for word, points in zip(words, rows, strict=True)})
    for number in range(len(VERDICTS)):
        assert weights.for_verdict(number, words) == [points[number] for points in rows]


def test_a_pair_is_two_neighbours_that_the_table_names() -> None:
    weights = read("=sent\tU+5\nsent without\tU+20\nwithout approval\tU+9\n")
    assert unpacked(weights.of_pairs(["sent", "without", "approval"])) == unpacked(packed("U+29"))
    assert weights.of_pairs(["sent", "without", ".", "sent", "without"]) == packed("U+20")
    assert weights.of_pairs(["without", "sent"]) == weights.of_pairs(["sent", ".", "without"]) == 0
    assert parts_of("sent without") == ["sent without"]
    assert unpacked(weights.of(["sent", "sent without"])) == unpacked(packed("U+25"))


@given(POINTS, st.integers(-10_000, 10_000))
def test_whether_a_verdict_has_so_many_points_is_seen_without_unpacking(points: list[int], least: int) -> None:
    assert speaks(packed(row(points)), reaches(least)) == (max(points) >= least)


@given(st.lists(st.integers(-400, 400), min_size=len(VERDICTS), max_size=len(VERDICTS)))
def test_what_one_glance_settles_is_what_likelihoods_say(points: list[int]) -> None:
    total = packed(row(points))
    likely = likelihoods(odds_of(total))
    settled = 0 if outspoken(odds_of(total)) else 3 if not speaks(total, reaches(POSSIBLE)) else None
    if settled is not None:
        assert likeliest_level(likely) == settled
        assert not in_doubt(likely)


@pytest.mark.parametrize(
    ("points", "possible", "clear"),
    [
        ([-200] * 11, False, False),
        ([200] + [-20] * 10, True, True),
        ([-20] * 10 + [200], True, False),
        ([0] * 11, True, False),
    ],
)
def test_most_texts_are_settled_at_a_glance(points: list[int], possible: bool, clear: bool) -> None:
    total = packed(row(points))
    assert (speaks(total, reaches(POSSIBLE)), outspoken(odds_of(total))) == (possible, clear)


def test_comments_stand_at_the_beginning() -> None:
    table = "# one\n# two\n=leak\tL+7\n=# \tL+1\n"
    assert not faults(table)
    assert unpacked(read(table).of(["leak"])) == unpacked(packed("L+7"))
    assert faults("=leak\tL+7\n# late\n=other\tL+1\n") == faults("=leak\tL+7\n# late\n")


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


def test_long_numbers_ids_and_addresses_say_only_that_they_are_such() -> None:
    assert parts_of("0550000000") == parts_of("48213") == parts_of("ord-2231") == ["=0"]
    assert parts_of("ops@example.com") == parts_of("https://example.com/leak/2231") == ["=@"]
    assert parts_of(UNREAL + "48213") == ["~=0"]
    # A year, an amount, Arabizi.
    assert "=2026" in parts_of("2026")
    assert "=900" in parts_of("900")
    assert "=t7a9alt" in parts_of("t7a9alt")


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


def test_a_marked_word_has_points_of_its_own_beside_those_of_the_word() -> None:
    weights = read("=sent\tU+20\nsen\tU+3\n¬=sent\tU-15\n¬sen\tU-4\n~=sent\tU-9\n")
    assert parts_of(DENIED + "ok") == ["¬=ok", "¬<ok", "¬ok>"]
    assert unpacked(weights.of(["sent", UNREAL + "sent"])) == unpacked(packed("U+14"))
    assert unpacked(weights.of(["sent", DENIED + "sent"])) == unpacked(packed("U+4"))
