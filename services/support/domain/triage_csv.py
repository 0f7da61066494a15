"""Rows of an old mailbox, classified one by one; reading and writing the files is the command line's work."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.domain.arabic import fold
from services.domain.errors import InvalidInput, Violation
from services.support.domain.classifier import Classifier

TEXT_COLUMNS = (
    *("text", "body", "message", "description", "النص", "الرسالة", "الوصف"),
    *("message body", "email body", "mail body", "message text", "email text", "plain text", "content"),
    *("نص الرسالة", "نص البريد", "نص الشكوى", "المحتوى", "محتوى الرسالة", "وصف المشكلة"),
    *(
        "complaint",
        "details",
        "الشكوى",
        "التفاصيل",
        "البلاغ",
        "comment",
        "comments",
        "التعليق",
        "ticket text",
        "ticket",
        "التذكرة",
    ),
)
"""Names under which the text is looked for when none is given, first match wins; see ``find_columns``."""

SUBJECT_COLUMNS = (
    *("subject", "title", "الموضوع", "العنوان", "subject line", "email subject", "summary"),
    *("موضوع الرسالة", "عنوان الرسالة"),
)
"""Names of a column that is put before the text, when there is one."""


class Columns(NamedTuple):
    """Where the cells stand that are read, and how many a row has; ``subject`` is None where there is none."""

    text: int
    subject: int | None
    width: int


class Verdict(NamedTuple):
    """What a row gains, as cells. ``signals`` are joined by a space; ``review_required`` is yes, no or empty.

    ``error`` is empty, or ``TEXT_TOO_LONG`` (the row was not classified, all but the lexicon's version is empty), or
    ``TOO_MANY_CELLS`` or ``TOO_FEW_CELLS`` (it cannot be told which cell is the text, so all of them were read).
    """

    priority: str
    matched_keyword: str
    signals: str
    review_required: str
    reason_ar: str
    reason_en: str
    lexicon_version: str
    error: str


def added_columns(header: Iterable[str]) -> tuple[str, ...]:
    """The names of the verdict's columns in their order: its fields, with ``triage_`` before all where one is taken."""
    taken = {name.strip().lower() for name in header}
    names: tuple[str, ...] = Verdict._fields
    while taken.intersection(names):
        names = tuple(f"triage_{name}" for name in names)
    return names


def find_columns(header: Sequence[str], text_column: str | None = None) -> Columns:
    """The columns of a header that are read.

    Names are the same whatever their case, spaces, punctuation, Arabic spelling and article; only ``text_column`` is
    first looked for as it is written. Raises InvalidInput: ``COLUMN_MISSING`` without a text column, ``COLUMN_DOUBLE``
    where two have the name of the text's or the subject's.
    """
    texts = _places(header, TEXT_COLUMNS if text_column is None else (text_column,))
    if text_column in header:
        texts = [place for place, name in enumerate(header) if name == text_column]
    others = ["" if place in texts else name for place, name in enumerate(header)]
    subjects = _places(others, SUBJECT_COLUMNS)
    faults = []
    if not texts:
        faults.append(Violation("text_column", "COLUMN_MISSING", "the header needs a column that holds the text"))
    for field, places in (("text_column", texts), ("subject_column", subjects)):
        if len(places) > 1:
            faults.append(Violation(field, "COLUMN_DOUBLE", "the header must have one column of this name only"))
    if faults:
        raise InvalidInput(faults)
    return Columns(texts[0], subjects[0] if subjects else None, len(header))


def _places(header: Sequence[str], wanted: Iterable[str]) -> list[int]:
    """Where the first of the wanted names that occurs stands, several times where it does."""
    keys = [_key(name) for name in header]
    for key in map(_key, wanted):
        if key and key in keys:
            return [place for place, one in enumerate(keys) if one == key]
    return []


def _key(name: str) -> str:
    return "".join(filter(str.isalnum, fold(name[:200]))).removeprefix("ال")


def classify_rows(
    rows: Iterable[Sequence[str]], classifier: Classifier, columns: Columns, separator: str = ","
) -> Iterator[tuple[list[str], Verdict]]:
    """Yield each row's cells and verdict, lazily and in order, so that a caller can show its progress.

    Every row comes out ``columns.width`` cells wide and holds all that was in it: missing cells are empty, and those
    beyond the width stand in the last one, after ``separator``, as they stood in the file. A row that cannot be
    classified or read as its header says has the reason in ``error``; the rows after it go on.
    """
    for row in rows:
        cells = [*row, *[""] * (columns.width - len(row))]
        error = ""
        texts = [cells[columns.text]] if columns.subject is None else [cells[columns.subject], cells[columns.text]]
        if any(cell.strip() for cell in cells[columns.width :]):
            error, texts = "TOO_MANY_CELLS", [separator.join(cells)]
        elif len(row) <= columns.text:
            error, texts = "TOO_FEW_CELLS", [separator.join(row)]
        last = separator.join(cells[columns.width - 1 :]) if error else cells[columns.width - 1]
        yield [*cells[: columns.width - 1], last], _verdict(classifier, "\n\n".join(filter(None, texts)), error)


def _verdict(classifier: Classifier, text: str, error: str) -> Verdict:
    version = classifier.lexicon.version
    try:
        # Mailboxes of web forms and help desks are often exported as they were shown: with entities for signs.
        found = classifier.classify(html.unescape(text))
    except InvalidInput as refusal:
        return Verdict("", "", "", "", "", "", version, refusal.violations[0].reason)
    return Verdict(
        found.priority,
        found.matched_keyword,
        " ".join(found.signals),
        "yes" if found.review_required or error else "no",
        found.reason_ar,
        found.reason_en,
        version,
        error,
    )
