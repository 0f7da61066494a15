"""The classifier without a server: an old mailbox as CSV in and out, and the check of its lexicon for those who edit it."""

from __future__ import annotations

import csv
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from customer_ops.csv_file import SEPARATORS, open_csv, refused
from customer_ops.exits import EXIT_UNVERIFIED, EXIT_USAGE, CommandFailed
from customer_ops.render import Column, both, cell, count, table
from customer_ops.text import shown
from services.domain.errors import InvalidInput
from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import (
    COMPILED,
    DEFAULT_DIRECTORY,
    Finding,
    LexiconError,
    Severity,
    compiled_record,
    lint,
    load_lexicon,
    read_directory,
)
from services.support.domain.triage_csv import TEXT_COLUMNS, Columns, added_columns, classify_rows, find_columns

_REFUSALS = {
    "COLUMN_MISSING": (
        "no column is known to hold the text: name one of the file's with --column",
        "لم يُعرف عمود النص: حدّد أحد أعمدة الملف بالخيار --column",
    ),
    "NOT_IN_THE_FILE": (
        "no column has the name that --column gives: name one of the file's",
        "لا يوجد عمود بالاسم الذي في --column: اختر أحد أعمدة الملف",
    ),
    "COLUMN_DOUBLE": (
        "two columns of the same name would be read as text or subject: rename one, or name another with --column",
        "عمودان بالاسم نفسه للنص أو للموضوع: غيّر اسم أحدهما أو حدّد عمودًا آخر بالخيار --column",
    ),
}


class _Stopped(BaseException):
    """A signal ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def classify_file(source: Path, target: Path, column: str | None) -> None:
    """Classifies every row of a CSV file into another one, in UTF-8 and with the same separator.

    The target appears, or is replaced, only when it is complete. Raises ``CommandFailed`` for files that cannot be read or
    written, and where a signal ends it before.
    """
    try:
        with _stopped_by_signals():
            _classify_file(source, target, column)
    except _Stopped as stop:
        # The code that a shell reports for a process that the signal ended.
        raise CommandFailed(f"stopped: nothing was written to {target}", 128 + stop.number) from None
    except OSError as error:
        raise CommandFailed(f"cannot write {target}: {error.strerror}", EXIT_USAGE) from None


def _classify_file(source: Path, target: Path, column: str | None) -> None:
    file = open_csv(source)
    replaces = target.exists()
    if replaces and target.samefile(source):
        raise CommandFailed(f"wrong usage: --out is the file to read: {source}", EXIT_USAGE)
    if replaces and not target.is_file():
        raise CommandFailed(f"wrong usage: --out is no regular file: {target}", EXIT_USAGE)
    # Read once to its end before anything is classified: a fault in it is told at once, and progress has an end.
    header = next(file.rows(), [])
    total = max(0, sum(1 for _ in file.rows()) - 1)
    columns = _columns(source, header, column)
    classifier = Classifier(load_lexicon())
    console = Console(stderr=True, highlight=False)
    counts: Counter[str] = Counter()
    faulty = 0
    with _replacing(target) as write, _progress(total, console) as advance:
        writer = csv.writer(write, delimiter=file.separator)
        writer.writerow([*header, *added_columns(header)])
        rows = islice(file.rows(), 1, None)
        for cells, verdict in classify_rows(rows, classifier, columns, file.separator):
            writer.writerow([*cells, *verdict])
            counts[verdict.priority or verdict.error] += 1
            faulty += bool(verdict.error)
            advance()
    summary = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
    _say(console, f"{count(counts.total(), 'row')} classified into {target}: {summary or 'none'}")
    read = [header[place] for place in (columns.subject, columns.text) if place is not None]
    code = "UTF-8" if file.encoding == "utf-8-sig" else {"cp1256": "Windows-1256"}.get(file.encoding, "UTF-16")
    _say(console, f"read: {', '.join(read)}; in {code}, separated by {SEPARATORS[file.separator]}")
    if faulty:
        _say(console, f"{count(faulty, 'row')} to look at: see the column {added_columns(header)[-1]}")
    if replaces:
        _say(console, f"{target} was there before and is replaced")


def _columns(source: Path, header: Sequence[str], column: str | None) -> Columns:
    """The columns that are read. Raises ``CommandFailed`` that says what there is and what to do."""
    if not header:
        raise refused(source, "the file is empty", "الملف فارغ")
    try:
        return find_columns(header, column)
    except InvalidInput as refusal:
        reasons = {violation.reason for violation in refusal.violations}
    details = f"; columns of the file: {', '.join(shown(name[:40]) for name in header[:40])}"
    if "COLUMN_MISSING" in reasons and column is None:
        details += f"; found without --column: {', '.join(TEXT_COLUMNS)}"
    elif "COLUMN_MISSING" in reasons:
        reasons = reasons - {"COLUMN_MISSING"} | {"NOT_IN_THE_FILE"}
    why, why_ar = zip(*(_REFUSALS[reason] for reason in sorted(reasons)), strict=True)
    raise refused(source, "; ".join(why), "؛ ".join(why_ar), details)


def check_lexicon(folder: Path | None, *, record: bool = False) -> None:
    """Checks a lexicon and prints what was found; ``record`` notes a version without errors beside it.

    Raises ``CommandFailed`` where it has errors.
    """
    out = Console(highlight=False)
    try:
        raw, version = read_directory(folder or DEFAULT_DIRECTORY)
        findings = lint(raw)
    except LexiconError as error:
        findings = list(error.findings)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CommandFailed(f"wrong usage: {folder}: {error}", EXIT_USAGE) from None
    else:
        out.print(Text(f"version {version}"))
    if findings:
        out.print(
            table(
                [Column("kind"), Column("rule"), Column("where"), Column("", long=True)],
                [(f.severity.value, f.code, _where(f), both(f.message_ar, f.message)) for f in findings],
            )
        )
    errors = sum(1 for finding in findings if finding.severity is Severity.ERROR)
    if errors:
        raise CommandFailed(f"lexicon faulty: {count(errors, 'error')}", EXIT_UNVERIFIED)
    out.print(Text(f"no errors, {count(len(findings), 'warning')}"))
    if record:
        target = (folder or DEFAULT_DIRECTORY) / COMPILED
        target.write_text(compiled_record(raw, version), encoding="utf-8")
        out.print(Text(f"recorded in {target.name}: a service starts with this version without checking it again"))


def _where(finding: Finding) -> Group:
    """What a finding is about, below the file and line where it is known."""
    return Group(*[cell(said) for said in (finding.place, finding.subject) if said])


@contextmanager
def _progress(total: int, console: Console) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal, and the function that moves it by one row."""
    bar = Progress(
        TextColumn("classifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        yield partial(bar.advance, bar.add_task("", total=total))


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the block by ``_Stopped``; a signal that is ignored stays so."""

    def stop(number: int, _: object) -> None:
        raise _Stopped(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    heeded = [number for number in numbers if before[number] is not signal.SIG_IGN]
    try:
        for number in heeded:
            signal.signal(number, stop)
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def _say(console: Console, line: str) -> None:
    console.print(Text(shown(line)), soft_wrap=True)


@contextmanager
def _replacing(target: Path) -> Iterator[IO[str]]:
    """A file that takes the target's name when the block ends well, and vanishes when it does not."""
    # Named before it is made: no signal can come between its making and the care for its removal.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        # The mark in front lets spreadsheets recognise Arabic in UTF-8.
        with temporary.open("x", encoding="utf-8-sig", newline="") as write:
            yield write
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
