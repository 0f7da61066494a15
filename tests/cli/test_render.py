"""What terminals get: lines that fit, Arabic kept apart, nothing in a customer's text that steers the terminal."""

from __future__ import annotations

import io

import pytest
from dealix.support.v1 import classification_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from customer_ops.names import name_of, short_names, value_of
from customer_ops.render import Column, Prose, draft, facts, minutes, table
from customer_ops.script import ScriptFaulty, load_first_week
from customer_ops.text import shown, wrapped

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
    assert not set(safe) & set("\x1b\x07\x08\r\x9b\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


@given(st.text(alphabet=st.sampled_from("ab ت\u064eم\n"), max_size=200), st.integers(5, 40))
@settings(max_examples=200)
def test_wrapping_loses_no_letter_and_keeps_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


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


def test_the_first_week_holds_pairs_of_an_arabic_and_an_english_ticket() -> None:
    tickets = load_first_week().tickets
    assert len(tickets) % 2 == 0
    for number, ticket in enumerate(tickets):
        assert any("\u0600" <= char <= "\u06ff" for char in ticket.body) == (number % 2 == 0)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('state = "connected_draft_only"', 'state = "live"', "live"),
        ('channel = "whatsapp"', 'channel = "pigeon"', "pigeon"),
        ("affected_customers = 1", "affected = 1", "affected"),
        ('customer_id = "riyadh-trading-demo"', "", "customer_id"),
    ],
)
def test_a_faulty_first_week_names_its_fault(tmp_path, old: str, new: str, named: str) -> None:  # type: ignore[no-untyped-def]
    from customer_ops.script import FIRST_WEEK

    text = FIRST_WEEK.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "first_week.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ScriptFaulty, match=named):
        load_first_week(path)
