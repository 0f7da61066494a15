"""Rows of a mailbox are classified one by one, and a bad row stops nothing."""

from __future__ import annotations

import pytest

from services.domain.errors import InvalidInput
from services.support.domain.classifier import Classifier
from services.support.domain.triage_csv import ADDED_COLUMNS, classify_rows, find_columns


def test_rows_keep_their_columns_and_gain_the_verdict(classifier: Classifier) -> None:
    (row,) = classify_rows([{"id": "7", "text": "حصل تسريب"}], classifier, "text")
    assert row["id"] == "7"
    assert set(ADDED_COLUMNS) <= set(row)
    assert (row["priority"], row["signals"], row["matched_keyword"], row["error"]) == ("P0", "DATA_LEAK", "تسريب", "")


def test_subject_counts_and_missing_cells_are_empty(classifier: Classifier) -> None:
    rows = [{"subject": "outage", "body": None}, {"subject": None, "body": None}]
    assert [row["priority"] for row in classify_rows(rows, classifier, "body", "subject")] == ["P0", "P3"]


def test_row_that_is_too_long_is_marked_and_the_next_goes_on(classifier: Classifier) -> None:
    rows = [{"text": "x" * 20_001}, {"text": "leak"}]
    long, short = classify_rows(rows, classifier, "text")
    assert (long["priority"], long["error"]) == ("", "TEXT_TOO_LONG")
    assert short["priority"] == "P0"


def test_rows_are_read_lazily(classifier: Classifier) -> None:
    def rows():  # type: ignore[no-untyped-def]
        yield {"text": "leak"}
        raise AssertionError("read ahead")

    assert next(classify_rows(rows(), classifier, "text"))["priority"] == "P0"


@pytest.mark.parametrize(
    ("header", "given", "expected"),
    [
        (["Subject", "Body"], None, ("Body", "Subject")),
        (["الموضوع", "النص"], None, ("النص", "الموضوع")),
        (["a", "b"], "B", ("b", None)),
        (["text"], None, ("text", None)),
    ],
)
def test_columns_are_found(header: list[str], given: str | None, expected: tuple[str, str | None]) -> None:
    assert find_columns(header, given) == expected


@pytest.mark.parametrize(("header", "given"), [(["a"], None), (["a"], "b"), ([], None)])
def test_missing_text_column_is_refused(header: list[str], given: str | None) -> None:
    with pytest.raises(InvalidInput):
        find_columns(header, given)
