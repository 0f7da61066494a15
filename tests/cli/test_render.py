"""What terminals get: lines that fit, Arabic kept apart, nothing in a customer's text that steers the terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from dealix.support.v1 import classification_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from customer_ops.names import name_of, short_names, value_of
from customer_ops.render import Beside, Column, Prose, bar, draft, duration, facts, minutes, short, table
from customer_ops.script import FIRST_WEEK, ScriptFaulty, load_first_week, load_today
from customer_ops.text import is_rtl, shown, wrapped

ARABIC = "تأخر وصول Proof Pack منذ يوم الخميس، ونرجو إفادتنا بموعد التسليم قبل اجتماع الأحد (الساعة 9)."


def lines_of(part: object, width: int) -> list[str]:
    out = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    out.print(part)
    made: str = out.file.getvalue()  # type: ignore[attr-defined]
    return made.splitlines()


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize(
    "part",
    [
        Prose(ARABIC),
        draft("first response", ARABIC, "English text"),
        facts([("why", ARABIC), ("key", "x" * 200)]),
        table([Column("id"), Column("", long=True)], [("tkt_1", Prose(ARABIC))]),
    ],
    ids=["prose", "draft", "facts", "table"],
)
def test_no_line_is_wider_than_the_terminal_and_every_isolate_ends_on_its_line(part: object, width: int) -> None:
    lines = lines_of(part, width)
    assert max(map(cell_len, lines)) <= width
    for line in lines:
        assert line.count("\u2067") == line.count("\u2069")


def test_arabic_stands_at_the_right_edge_in_its_logical_order() -> None:
    (line,) = lines_of(Prose("مرحبا بكم"), 30)
    assert line == " " * 21 + "\u2067مرحبا بكم\u2069"


def test_a_date_in_arabic_text_reads_as_it_was_written() -> None:
    (line,) = lines_of(Prose("موعدها 2026-11-12"), 30)
    assert line.endswith("\u2067موعدها \u200e2026-11-12\u2069")
    assert cell_len(line) == 30


def test_the_frame_of_a_draft_is_closed_and_says_what_it_is() -> None:
    lines = lines_of(draft("first response", ARABIC, "English"), 60)
    assert "DRAFT" in lines[0]
    assert "not sent" in lines[-1]
    assert {cell_len(line) for line in lines} == {60}
    assert all(line[0] == line[-1] == "│" for line in lines[1:-1])


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_nothing_in_a_text_steers_the_terminal(text: str) -> None:
    safe = shown(text)
    assert all(char == "\n" or char.isprintable() or char.isspace() or ord(char) > 0x9F for char in safe)
    unsafe = set("\x1b\x07\x08\r\x9b\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert not set(re.sub("\u2066[ -~]+\u2069", "", safe)) & unsafe


@given(st.text(alphabet=st.sampled_from("ab ت\u064eم\n"), max_size=200), st.integers(5, 40))
@settings(max_examples=200)
def test_wrapping_loses_no_letter_and_keeps_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_what_a_text_isolates_stays_whole_in_one_line_and_nothing_else_is_let_through() -> None:
    number = "\u2066+966 55 123 4567\u2069"
    assert shown(f"للاستفسار: {number}.") == f"للاستفسار: {number}."
    for steered in (
        "\u2066abc",
        "abc\u2069",
        "\u2066نص\u2069",
        "\u2067abc\u2069",
        "\u2066a\u202eb\u2069",
        "\u2066\u2069",
    ):
        assert not set(shown(steered)) & set("\u2066\u2067\u2069\u202e")
    lines = wrapped(f"للاستفسار اتصلوا بنا على {number} في أي وقت", 24)
    assert [line for line in lines if number in line]
    assert all(cell_len(line) <= 24 for line in lines)
    assert wrapped(number, 6) == ["+966 5", "5 123 ", "4567"]
    for length in range(1, 40):
        begun = short(f"للاستفسار: {number} في أي وقت", length)
        assert begun.count("\u2066") == begun.count("\u2069")


def test_markup_in_a_text_stays_text() -> None:
    assert "[bold red]x[/]" in "".join(lines_of(facts([("body", "[bold red]x[/]")]), 60))


@pytest.mark.parametrize(
    ("number", "said"), [(30, "30 min"), (60, "60 min"), (120, "2 h"), (135, "135 min"), (1440, "24 h")]
)
def test_minutes_are_said_in_hours_where_that_is_shorter(number: int, said: str) -> None:
    assert minutes(number) == said


@pytest.mark.parametrize("text", ["P1", "p1", "PRIORITY_P1", " p1 "])
def test_an_enum_value_goes_by_its_short_or_full_name(text: str) -> None:
    assert value_of(classification_pb2.Priority, text) == classification_pb2.PRIORITY_P1


@pytest.mark.parametrize("text", ["", "P9", "UNSPECIFIED", "0", "1"])
def test_an_unknown_enum_value_never_falls_back(text: str) -> None:
    with pytest.raises(ValueError, match="P0, P1, P2, P3"):
        value_of(classification_pb2.Priority, text)


def test_a_value_of_a_later_version_shows_as_its_number() -> None:
    assert name_of(classification_pb2.Priority, 99) == "99"
    assert list(short_names(classification_pb2.Priority)) == ["P0", "P1", "P2", "P3"]


def test_the_week_is_told_in_both_languages() -> None:
    week = load_first_week()
    for said in (*week.parts.values(), *week.lines.values(), *load_today().values()):
        assert any("\u0600" <= char <= "\u06ff" for char in said.ar)
        assert not any("\u0600" <= char <= "\u06ff" for char in said.en)
    assert {is_rtl(ticket.body) for ticket in week.tickets.values()} == {True, False}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('channel = "whatsapp"', 'channel = "pigeon"', ["ticket.whatsapp", "pigeon"]),
        ("affected_customers = 1", "affected = 1", ["communication", "affected"]),
        ('customer_id = "riyadh-trading-demo"', "", ["customer_id"]),
        ("[line.ledgers]", "[story.ledgers]", ["story: nothing asks for it"]),
        ('en = "The Action Ledgers"', "", ["part.end", "en is missing"]),
        ("after the review.", "after {when}.", ["line.released", "same values"]),
        ('kind = "ACTIVITY_KIND_CSAT"', 'kind = "ACTIVITY_KIND_LUCK"', ["activity.csat", "LUCK"]),
    ],
)
def test_a_faulty_week_names_its_fault(tmp_path: Path, old: str, new: str, named: list[str]) -> None:
    text = FIRST_WEEK.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "first_week.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ScriptFaulty) as refused:
        load_first_week(path)
    for part in named:
        assert part in str(refused.value)


def test_all_faults_of_a_week_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "first_week.toml"
    path.write_text('customer_id = ""\n', encoding="utf-8")
    with pytest.raises(ScriptFaulty) as refused:
        load_first_week(path)
    for name in ("customer_id", "bundle_id", "people", "part", "line", "notice", "post_mortem"):
        assert f"{name}: must be" in str(refused.value)


@pytest.mark.parametrize(("width", "lines"), [(100, 1), (60, 2)])
def test_both_languages_stand_beside_each_other_where_there_is_room(width: int, lines: int) -> None:
    assert len(lines_of(Beside("مرحبا بكم", "Welcome"), width)) == lines


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 min"),
        (59, "0 min"),
        (-59, "0 min"),
        (3540, "59 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (86_400, "1 d"),
        (97_200, "1 d 3 h"),
        (-3660, "-1 h 1 min"),
    ],
)
def test_a_length_of_time_is_said_by_its_two_largest_units(seconds: int, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("part", "shown"),
    [(0, "░░░░"), (0.01, "█░░░"), (0.5, "██░░"), (1, "████"), (1.01, "███▶"), (9, "███▶")],
)
def test_a_bar_shows_what_is_used_and_what_is_overdrawn(part: float, shown: str) -> None:
    assert bar(part, "green", width=4).plain == shown
