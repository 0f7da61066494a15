"""The shared checks, plural forms and readers of data files."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path

import pytest

from services.domain.checks import MAX_COUNT, Checks, has_visible_text
from services.domain.errors import InvalidInput
from services.domain.plural import Plural, arabic, english
from services.domain.texts import Bilingual, TextsError, TextsFile


@pytest.mark.parametrize("text", ["a", "ع", "١", "!", "🙂", " x ", "\u200fأ\u200f"])
def test_what_shows_is_text(text: str) -> None:
    assert has_visible_text(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\t", "\u00a0\u2003", "\u200b\u200e\u202e\u2066\ufeff", "\u064e\u0651", "\u3164\u2800\u115f", "\x00"],
)
def test_what_does_not_show_is_no_text(text: str) -> None:
    assert not has_visible_text(text)


@pytest.mark.parametrize(
    ("value", "minimum", "reason"),
    [
        (0, 0, None),
        (MAX_COUNT, 0, None),
        (None, 1, None),
        (-1, 0, "NEGATIVE"),
        (0, 1, "TOO_SMALL"),
        (-1, 1, "TOO_SMALL"),
        (MAX_COUNT + 1, 0, "TOO_LARGE"),
        (math.nan, 0, "NOT_FINITE"),
        (math.inf, 0, "NOT_FINITE"),
    ],
)
def test_counts(value: int | None, minimum: int, reason: str | None) -> None:
    checks = Checks()
    checks.count("n", value, minimum=minimum)
    assert [v.reason for v in checks.violations] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("value", "reason"),
    [(0.0, None), (10, None), (None, None), (-0.1, "NEGATIVE"), (10.1, "TOO_LARGE"), (math.nan, "NOT_FINITE")],
)
def test_amounts(value: float | None, reason: str | None) -> None:
    checks = Checks()
    checks.amount("n", value, 10)
    assert [v.reason for v in checks.violations] == ([reason] if reason else [])


def test_all_violations_are_raised_as_one() -> None:
    checks = Checks()
    checks.done()
    checks.text("a", "")
    checks.count("b", -1)
    with pytest.raises(InvalidInput) as refused:
        checks.done()
    assert [v.field for v in refused.value.violations] == ["a", "b"]


@pytest.mark.parametrize(
    ("number", "form"),
    [
        *[(0, "zero"), (1, "one"), (2, "two"), (3, "few"), (10, "few"), (11, "many"), (99, "many"), (100, "other")],
        *[(101, "other"), (102, "other"), (103, "few"), (111, "many"), (1_000, "other"), (1_003, "few")],
    ],
)
def test_arabic_plurals(number: int, form: str) -> None:
    assert arabic(number) == form


@pytest.mark.parametrize(("number", "form"), [(0, Plural.ZERO), (1, Plural.ONE), (2, Plural.OTHER), (21, Plural.OTHER)])
def test_english_plurals(number: int, form: Plural) -> None:
    assert english(number) is form


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def test_a_file_is_read_into_typed_values(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        't_ar = "أهلًا {n}"\nt_en = "Hi {n}"\ni = 3\nc = "red"\ncs = ["blue"]\n[[r]]\nf = true\n', encoding="utf-8"
    )
    file = TextsFile(path)
    assert file.bilingual("t", frozenset({"n"})).format(n="٣") == Bilingual("أهلًا ٣", "Hi ٣")
    assert (file.integer("i"), file.optional_integer("j")) == (3, None)
    assert (file.member("c", Colour), file.members("cs", Colour)) == (Colour.RED, (Colour.BLUE,))
    assert [(row.flag("f"), row.flag("g")) for row in file.tables("r")] == [(True, False)]
    file.finish()


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        't_ar = "hello"\nt_en = "مرحبا"\ni = -1\nb = true\nc = "green"\nl = ["a", "a"]\nx = 1\nq = "{"\n',
        encoding="utf-8",
    )
    file = TextsFile(path)
    file.bilingual("t")
    file.integer("i")
    file.integer("b")
    file.member("c", Colour)
    file.strings("l")
    file.text("gone")
    file.text("q")
    file.table("x")
    file.table("deep").text("more")
    with pytest.raises(TextsError) as refused:
        file.finish()
    named = {problem.split(":")[0] for problem in refused.value.problems}
    assert named == {"t_ar", "t_en", "i", "b", "c", "l", "gone", "q", "x", "deep", "deep.more"}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = ", b"a = 1\na = 2"])
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(TextsError, match="cannot be read"):
        TextsFile(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TextsError, match="cannot be read"):
        TextsFile(tmp_path / "nothing.toml")
