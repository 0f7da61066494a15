"""The classifier without a server: an old mailbox as CSV in and out, and the check of its lexicon for those who edit it."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from customer_ops.exits import EXIT_UNVERIFIED, EXIT_USAGE, CommandFailed
from customer_ops.render import Column, both, count, table
from services.domain.errors import InvalidInput
from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import (
    COMPILED,
    DEFAULT_DIRECTORY,
    LexiconError,
    Severity,
    compiled_record,
    lint,
    load_lexicon,
    read_directory,
)
from services.support.domain.triage_csv import ADDED_COLUMNS, classify_rows, find_columns

# A mailbox holds whole mails; the csv module's own bound is for shorter cells.
csv.field_size_limit(10_000_000)


def classify_file(source: Path, target: Path, column: str | None) -> None:
    """Classifies every row of a CSV (UTF-8, with or without a byte order mark) into another one.

    The target appears only when it is complete. Raises ``CommandFailed`` for files that cannot be read or written.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise CommandFailed(f"wrong usage: --out is the file to read: {source}", EXIT_USAGE)
    classifier = Classifier(load_lexicon())
    console = Console(stderr=True, highlight=False)
    counts: dict[str, int] = {}
    try:
        total = _count(source)
        with source.open(encoding="utf-8-sig", newline="") as read, _replacing(target) as write:
            rows = csv.DictReader(read)
            text, subject = find_columns(rows.fieldnames or (), column)
            names = [name for name in rows.fieldnames or () if name not in ADDED_COLUMNS]
            writer = csv.DictWriter(write, [*names, *ADDED_COLUMNS], extrasaction="ignore")
            writer.writeheader()
            for row in _shown(classify_rows(rows, classifier, text, subject), total, console):
                writer.writerow(row)
                counts[row["priority"] or row["error"]] = counts.get(row["priority"] or row["error"], 0) + 1
    except InvalidInput as refusal:
        described = "; ".join(f"{v.field}: {v.description}" for v in refusal.violations)
        raise CommandFailed(f"wrong usage: {source}: {described}", EXIT_USAGE) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandFailed(f"wrong usage: {source}: {error}", EXIT_USAGE) from None
    summary = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    console.print(Text(f"{sum(counts.values())} rows classified into {target}: {summary or 'none'}"))


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
                [(f.severity.value, f.code, f.subject, both(f.message_ar, f.message)) for f in findings],
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


def _count(source: Path) -> int:
    """How many rows there are, read once ahead so that progress has an end."""
    with source.open(encoding="utf-8-sig", newline="") as read:
        return max(0, sum(1 for _ in csv.reader(read)) - 1)


def _shown(rows: Iterator[dict[str, str]], total: int, console: Console) -> Iterator[Mapping[str, str]]:
    """The rows, with a progress bar on a terminal."""
    progress = Progress(
        TextColumn("classifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=total)
        for row in rows:
            yield row
            progress.advance(task)


@contextmanager
def _replacing(target: Path) -> Iterator[IO[str]]:
    """A file that takes the target's name when the block ends well, and vanishes when it does not."""
    handle, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        # The mark in front lets spreadsheets recognise Arabic in UTF-8.
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as write:
            yield write
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
