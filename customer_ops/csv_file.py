"""A CSV file as other programs write it: what its encoding and separator are is found out, or it is refused."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from customer_ops.exits import EXIT_USAGE, CommandFailed
from customer_ops.text import isolated

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between cells, and its name for people; where it cannot be told, the first."""

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# An accented letter of French within an Arabic word: no text in Windows-1256 has it, other encodings read as it do.
_MIXED = re.compile("[\u0621-\u064a][à-öø-ü]|[à-öø-ü][\u0621-\u064a]")
_UNDECODED = re.compile("[\udc80-\udcff]")

# A mailbox holds whole mails; the csv module's own bound is for shorter cells.
csv.field_size_limit(10_000_000)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file with its encoding, as Python calls it, and what separates its cells."""

    path: Path
    encoding: str
    separator: str

    def rows(self) -> Iterator[list[str]]:
        """The rows, the header first, without blank ones and the line ``sep=;`` with which some programs begin.

        Raises ``CommandFailed``, with the line, for a file that cannot be read to its end or breaks the rules of quoting.
        """
        line = 1
        try:
            with self.path.open(encoding=self.encoding, newline="") as lines:
                reader = csv.reader(lines, delimiter=self.separator, strict=True)
                for cells in reader:
                    announced = line == 1 and self.separator.join(cells).lower() == f"sep={self.separator}"
                    if not announced and any(cell.strip() for cell in cells):
                        yield cells
                    line = reader.line_num + 1
        except OSError as error:
            raise _unreadable(self.path, error) from None
        except UnicodeDecodeError:
            raise _not_told(self.path) from None
        except csv.Error as error:
            raise refused(
                self.path,
                f"the row that begins in line {line}: {error}; a quoted cell ends with a quote, and a quote in it is doubled",
                f"الصف الذي يبدأ في السطر {line}: علامة اقتباس لم تُغلق أو لم تُضاعَف داخل الخلية، أو خلية أطول من الحد",
            ) from None


def refused(path: Path, why: str, why_ar: str, details: str = "") -> CommandFailed:
    """The failure of a command that was given this file: the reason in both languages, and what needs no translation."""
    return CommandFailed(f"wrong usage: {path}: {why} · {isolated(why_ar)}{details}", EXIT_USAGE)


def open_csv(path: Path) -> CsvFile:
    """Finds out how a file is written: UTF-8, UTF-16 with its mark, or Windows-1256.

    The header decides what separates the cells: what cuts it into most, or a line ``sep=;`` before it. Raises
    ``CommandFailed`` for a file that cannot be read, or of whose encoding this cannot be told.
    """
    try:
        if path.exists() and not path.is_file():
            raise refused(path, "no regular file; it is read more than once", "ليس ملفًا عاديًا؛ احفظه في ملف أولًا")
        encoding = _encoding(path)
        with path.open(encoding=encoding, newline="") as lines:
            announced = re.fullmatch(f"sep=([{''.join(SEPARATORS)}])", lines.readline().rstrip("\r\n"), re.IGNORECASE)
    except OSError as error:
        raise _unreadable(path, error) from None
    except UnicodeDecodeError:
        raise _not_told(path) from None
    if announced:
        return CsvFile(path, encoding, announced[1])
    return CsvFile(path, encoding, max(SEPARATORS, key=lambda separator: _columns(CsvFile(path, encoding, separator))))


def _columns(file: CsvFile) -> int:
    """How many cells the header has, none where it cannot be read."""
    try:
        return len(next(file.rows(), ()))
    except CommandFailed:
        return 0


def _encoding(path: Path) -> str:
    with path.open("rb") as lines:
        first = lines.readline()
        marked = next((name for mark, name in _MARKS.items() if first.startswith(mark)), None)
        if marked == "utf-16":
            return marked
        if b"\0" in first:
            raise _not_told(path)
        lines.seek(0)
        return _encoding_of_bytes(path, lines, marked)


def _encoding_of_bytes(path: Path, lines: Iterator[bytes], marked: str | None) -> str:
    """UTF-8, or Windows-1256 where most letters beyond ASCII are not UTF-8; a damaged UTF-8 file is not guessed at."""
    valid = invalid = faulty = 0
    mixed = False
    for number, line in enumerate(lines, 1):
        if line.isascii():
            continue
        text = line.decode("utf-8", "surrogateescape")
        valid += len(line) - len(text)
        if bad := len(_UNDECODED.findall(text)):
            invalid += bad
            faulty = faulty or number
            mixed = mixed or _MIXED.search(line.decode("cp1256")) is not None
    if not invalid:
        return "utf-8-sig"
    if marked or valid >= invalid:
        raise refused(
            path,
            f"line {faulty} is damaged: not valid UTF-8 as the rest is; save the file anew as 'CSV UTF-8', or mend that line",
            f"السطر {faulty} تالف، فليس UTF-8 صالحًا كبقية الملف؛ احفظ الملف من جديد بصيغة CSV UTF-8 أو أصلح السطر",
        )
    if mixed:
        raise _not_told(path)
    return "cp1256"


def _not_told(path: Path) -> CommandFailed:
    return refused(
        path,
        "its encoding is none of UTF-8, Windows-1256 and UTF-16 with its mark; save the file as 'CSV UTF-8'",
        "ترميز الملف غير معروف؛ احفظه بصيغة CSV UTF-8",
    )


def _unreadable(path: Path, error: OSError) -> CommandFailed:
    return CommandFailed(f"cannot read {path}: {error.strerror}", EXIT_USAGE)
