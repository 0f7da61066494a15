"""Text from elsewhere made fit for a terminal: nothing in it moves the cursor, and Arabic stays where it belongs."""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len

# Right-to-left isolate and its end: zero cells wide, they keep Arabic and the Latin words in it in their order wherever
# a program knows bidirectional text, and do nothing where it does not.
_RLI, _PDI = "\u2067", "\u2069"
# Behind Arabic letters the parts of 2026-11-12 would be set in reverse; a left-to-right mark, zero cells wide, keeps them.
_LRM, _DATE = "\u200e", re.compile(r"(?<!\d)(?=\d{4}-\d\d-\d\d)")
# How our texts keep a telephone number or a date in its order within Arabic: harmless, for it holds letters of one direction.
_LRI = "\u2066"
_LEFT_TO_RIGHT = re.compile(f"{_LRI}[ -~]+{_PDI}")
_WORD = re.compile(rf"(?:{_LEFT_TO_RIGHT.pattern}|\S)+")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_RTL = frozenset({"R", "AL"})


def shown(text: str) -> str:
    """The text with control and bidi characters written as escapes, but for line ends, tabs and what isolates plain figures
    and Latin words."""
    parts, at = [], 0
    text = text.replace("\r\n", "\n")
    for kept in _LEFT_TO_RIGHT.finditer(text):
        parts += [*map(_escaped, text[at : kept.start()]), kept.group()]
        at = kept.end()
    return "".join([*parts, *map(_escaped, text[at:])])


def _escaped(char: str) -> str:
    if char in "\n\t":
        return char.replace("\t", " ")
    if char in _BIDI or unicodedata.category(char) in {"Cc", "Cs", "Co"} or char in "\u2028\u2029":
        return f"\\u{ord(char):04x}"
    return char


def is_rtl(text: str) -> bool:
    """Whether the first letter that has a direction goes from right to left."""
    for char in text:
        direction = unicodedata.bidirectional(char)
        if direction in _RTL:
            return True
        if direction == "L":
            return False
    return False


def isolated(line: str) -> str:
    """One line of right-to-left text, kept apart from what stands beside it; dates in it read as they were written."""
    return f"{_RLI}{_DATE.sub(_LRM, line)}{_PDI}"


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, each at most ``width`` cells; words are broken only where one is longer than a line."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in words(paragraph):
            for piece in _pieces(word, width):
                if line and cell_len(line) + 1 + cell_len(piece) > width:
                    lines.append(line)
                    line = piece
                else:
                    line = f"{line} {piece}" if line else piece
        lines.append(line)
    return lines


def words(text: str) -> list[str]:
    """The words of a text; what is isolated is part of one, spaces and all."""
    return _WORD.findall(text)


def cut(line: str, length: int) -> str:
    """The beginning of a line, at most so many characters, with an ellipsis where it is not all; nothing is left isolated."""
    if len(line) <= length:
        return line
    begun = line[: length - 1].rstrip()
    return f"{begun}{_PDI if begun.count(_LRI) > begun.count(_PDI) else ''}…"


def _pieces(word: str, width: int) -> list[str]:
    if cell_len(word) <= width:
        return [word]
    pieces, piece = [], ""
    for char in word.replace(_LRI, "").replace(_PDI, ""):
        if piece and cell_len(piece + char) > width:
            pieces.append(piece)
            piece = ""
        piece += char
    return [*pieces, piece]


def one_line(text: str) -> str:
    """The text on one line."""
    return re.sub(r"\s+", " ", text).strip()
