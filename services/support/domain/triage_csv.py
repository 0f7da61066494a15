"""Rows of an old mailbox, classified one by one; reading and writing the files is the command line's work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from services.domain.errors import InvalidInput, Violation
from services.support.domain.classifier import Classifier

TEXT_COLUMNS = ("text", "body", "message", "description", "النص", "الرسالة", "الوصف")
"""Names under which the text is looked for when none is given, first match wins; case does not matter."""

SUBJECT_COLUMNS = ("subject", "title", "الموضوع", "العنوان")
"""Names of a column that is put before the text, when there is one."""

ADDED_COLUMNS = (
    "priority",
    "matched_keyword",
    "signals",
    "review_required",
    "reason_ar",
    "reason_en",
    "lexicon_version",
    "error",
)
"""Columns that ``classify_rows`` adds, in this order; a column of that name in the input is replaced."""


def find_columns(header: Iterable[str], text_column: str | None = None) -> tuple[str, str | None]:
    """The text column and the subject column (None without one) of a header.

    Raises InvalidInput (``COLUMN_MISSING``) when the text column is not there.
    """
    names = list(header)
    by_folded = {name.strip().lower(): name for name in reversed(names)}
    if text_column is not None:
        found = text_column if text_column in names else by_folded.get(text_column.strip().lower())
        accepted = text_column
    else:
        found = next((by_folded[name] for name in TEXT_COLUMNS if name in by_folded), None)
        accepted = "one of " + ", ".join(name for name in TEXT_COLUMNS if name.isascii())
    if found is None:
        raise InvalidInput([Violation("text_column", "COLUMN_MISSING", f"the header needs {accepted!a}")])
    subject = next((by_folded[name] for name in SUBJECT_COLUMNS if by_folded.get(name, found) != found), None)
    return found, subject


def classify_rows(
    rows: Iterable[Mapping[str, str | None]],
    classifier: Classifier,
    text_column: str,
    subject_column: str | None = None,
) -> Iterator[dict[str, str]]:
    """Yield each row with ``ADDED_COLUMNS``, lazily and in order, so that a caller can show its progress.

    A row whose text is refused keeps an empty priority and has the reason (``TEXT_TOO_LONG``) in ``error``; the rows
    after it go on. Missing cells count as empty text. ``signals`` are joined by a space.
    """
    for row in rows:
        out = {str(key): value or "" for key, value in row.items() if key is not None}
        parts = (row.get(subject_column) if subject_column else None, row.get(text_column))
        out.update(dict.fromkeys(ADDED_COLUMNS, ""))
        out["lexicon_version"] = classifier.lexicon.version
        try:
            verdict = classifier.classify("\n\n".join(part for part in parts if part))
        except InvalidInput as refusal:
            out["error"] = refusal.violations[0].reason
        else:
            out["priority"] = verdict.priority
            out["matched_keyword"] = verdict.matched_keyword
            out["signals"] = " ".join(verdict.signals)
            out["review_required"] = "yes" if verdict.review_required else "no"
            out["reason_ar"] = verdict.reason_ar
            out["reason_en"] = verdict.reason_en
        yield out
