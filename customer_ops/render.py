"""Building blocks of what people read: tables without upright borders, prose in both directions, drafts marked as drafts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from customer_ops.text import cut, is_rtl, isolated, one_line, shown, words, wrapped

SAFE_STYLE = "dim"
# From here on a line of prose in each language stands comfortably beside the other.
_ROOM_FOR_TWO = 84
# Riyadh's clock: UTC+3 the whole year.
_RIYADH = timedelta(hours=3)
_RANKS = {
    "P0": "bold red",
    "SEV1": "bold red",
    "CRITICAL": "bold red",
    "HIGH": "bold red",
    "AT_RISK": "bold red",
    "P1": "bold yellow",
    "SEV2": "bold yellow",
    "WATCH": "bold yellow",
    "MEDIUM": "bold yellow",
    "P2": "cyan",
    "SEV3": "cyan",
    "HEALTHY": "green",
    "LOW": "green",
}


class Prose:
    """Text of any language, wrapped to the room there is.

    Arabic paragraphs stand at the right edge and each line of them is isolated, so that a terminal that knows
    bidirectional text orders it by itself and neighbouring columns stay where they are.
    """

    def __init__(self, text: str, style: str = "", *, arabic: bool = False) -> None:
        """``arabic`` says so of a text that may begin with a Latin word; else the first letter decides."""
        self._text = shown(text).strip("\n")
        self._style = style
        self._arabic = arabic

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for paragraph in self._text.split("\n"):
            rtl = self._arabic or is_rtl(paragraph)
            for line in wrapped(paragraph, options.max_width):
                if rtl and line:
                    yield Text(isolated(line), self._style, justify="right", no_wrap=True)
                else:
                    yield Text(line, self._style, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        lines = [Text(line).cell_len for line in self._text.split("\n")] or [0]
        longest = max((Text(word).cell_len for word in words(self._text)), default=0)
        return Measurement(longest, max(lines)).with_maximum(options.max_width)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. A ``long`` one takes what room the others leave; it comes last."""

    title: str
    right: bool = False
    long: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[RenderableType | str | int]], *, title: str = "") -> Table:
    """A table. Strings are data, never markup; what is Arabic belongs into the last column."""
    made = Table(
        box=box.SIMPLE_HEAD,
        title=Text(title, "bold") if title else None,
        title_justify="left",
        pad_edge=False,
        header_style="dim",
        expand=any(column.long for column in columns),
    )
    for column in columns:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not column.long,
            overflow="ellipsis",
            ratio=1 if column.long else None,
        )
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def cell(value: RenderableType | str | int) -> RenderableType:
    """Data as a cell: strings escaped and never read as markup, ranks in their colour."""
    if isinstance(value, int):
        return Text(str(value))
    if isinstance(value, str):
        return Prose(value) if is_rtl(value) else Text(shown(value), rank_style(value))
    return value


def facts(pairs: Iterable[tuple[str, RenderableType | str | int]]) -> Table:
    """Names on the left, what they hold on the right."""
    made = Table.grid(padding=(0, 2), expand=True)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(ratio=1)
    for name, value in pairs:
        made.add_row(Text(name), cell(value))
    return made


def rank_style(name: str) -> str:
    """The style of a priority, severity or verdict; empty for any other word."""
    return _RANKS.get(name, "")


def rank(name: str) -> Text:
    """A priority, a severity or a verdict, coloured by how bad it is."""
    return Text(name, rank_style(name))


def both(text_ar: str, text_en: str) -> Group:
    """The same thing in Arabic and, below it, in English."""
    return Group(Prose(text_ar, arabic=True), Prose(text_en, "dim"))


def draft(what: str, text_ar: str, text_en: str = "") -> Panel:
    """A text that would reach a customer: framed, and marked as a draft that nothing sends."""
    parts: list[RenderableType] = [Prose(text_ar, arabic=True)]
    if text_en:
        parts += [Rule(style="yellow"), Prose(text_en)]
    return Panel(
        Group(*parts),
        box=box.ROUNDED,
        border_style="yellow",
        title=Text.assemble((" DRAFT ", "bold black on yellow"), f" {what} "),
        title_align="left",
        subtitle=Text(" not sent · a person approves it first ", "yellow"),
        subtitle_align="right",
    )


def flags(answer: Any) -> Text:
    """The two flags of an answer, as they came."""
    live = "absent" if not answer.HasField("live_send_allowed") else str(answer.live_send_allowed).lower()
    approval = "absent" if not answer.HasField("approval_required") else str(answer.approval_required).lower()
    return Text(f"live_send_allowed={live}  approval_required={approval}", SAFE_STYLE)


def heading(number: int | str, title_en: str, title_ar: str) -> Group:
    """The head of a part of a longer show."""
    return Group(
        Text(""),
        Rule(Text.assemble((f"{number}  ", "bold cyan"), (title_en, "bold")), align="left", style="cyan"),
        Prose(title_ar, "bold", arabic=True),
    )


def indented(part: RenderableType, cells: int = 2) -> Padding:
    """The part some cells to the right."""
    return Padding(part, (0, 0, 0, cells))


class Beside:
    """The same thing in both languages: the English at the left and the Arabic at the right where there is room for two
    columns, else the Arabic and below it the English."""

    def __init__(self, text_ar: str, text_en: str, style: str = "") -> None:
        self._ar, self._en, self._style = Prose(text_ar, style, arabic=True), text_en, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < _ROOM_FOR_TWO:
            yield Group(self._ar, Prose(self._en, "dim"))
            return
        made = Table.grid(padding=(0, 3), expand=True)
        made.add_column(ratio=1)
        made.add_column(ratio=1)
        made.add_row(Prose(self._en, self._style), self._ar)
        yield made


def stamp(time: Timestamp, part: RenderableType) -> Table:
    """What happened, with its day and time in Riyadh at the left."""
    made = Table.grid(padding=(0, 2), expand=True)
    made.add_column(style="cyan", no_wrap=True)
    made.add_column(ratio=1)
    made.add_row(Text(riyadh(time, "%a %H:%M")), part)
    return made


def riyadh(time: Timestamp, form: str = "%a %d %b %H:%M") -> str:
    """An instant by Riyadh's clock; empty where there is none."""
    if not time.seconds:
        return ""
    return (time.ToDatetime() + _RIYADH).strftime(form)


def two_lines(first: RenderableType | str, second: str) -> Group:
    """What something is, and below it what goes with it: keeps tables within narrow terminals."""
    return Group(cell(first), Text(shown(second), "dim", no_wrap=True, overflow="ellipsis"))


def count(number: int, thing: str) -> str:
    """``1 ticket``, ``2 tickets``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def minutes(number: int) -> str:
    """Minutes, in hours where that is shorter: ``30 min``, ``24 h``."""
    return f"{number // 60} h" if number >= 120 and number % 60 == 0 else f"{number} min"


def tick(done: bool) -> Text:
    """Whether something is done."""
    return Text("✓", "green") if done else Text("·", "dim")


def moment(time: Timestamp) -> str:
    """An instant to the second, UTC; empty where there is none."""
    if not time.seconds:
        return ""
    return time.ToDatetime().strftime("%Y-%m-%d %H:%M:%SZ")


def short(text: str, length: int = 60) -> str:
    """The beginning of a text, on one line."""
    return cut(one_line(text), length)


def duration(seconds: int) -> str:
    """A length of time by its two largest units: ``23 h 5 min``, ``2 d 4 h``; a negative one with its sign."""
    minutes_in_all = abs(seconds) // 60
    days, hours, rest = minutes_in_all // 1440, minutes_in_all // 60 % 24, minutes_in_all % 60
    if days:
        said = f"{days} d {hours} h" if hours else f"{days} d"
    elif hours:
        said = f"{hours} h {rest} min" if rest else f"{hours} h"
    else:
        said = f"{rest} min"
    return f"-{said}" if seconds < 0 and minutes_in_all else said


def bar(part: float, style: str, *, width: int = 20) -> Text:
    """How much of something is used up, as a bar; what goes beyond the whole ends in a mark."""
    filled = min(width, round(part * width))
    if part > 0:
        filled = max(filled, 1)
    end = "▶" if part > 1 else ""
    return Text.assemble(("█" * (filled - len(end)) + end, style), ("░" * (width - filled), "dim"))
