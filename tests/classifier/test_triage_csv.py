"""Rows of a mailbox are classified one by one, and a bad row stops nothing."""

from __future__ import annotations

import pytest

from services.domain.errors import InvalidInput
from services.support.domain.classifier import Classifier
from services.support.domain.triage_csv import TEXT_COLUMNS, Columns, added_columns, classify_rows, find_columns

ONE = Columns(text=0, subject=None, width=1)
THREE = Columns(text=1, subject=None, width=3)


def test_rows_keep_their_cells_and_gain_the_verdict(classifier: Classifier) -> None:
    ((cells, verdict),) = classify_rows([["7", "حصل تسريب"]], classifier, Columns(1, None, 2))
    assert cells == ["7", "حصل تسريب"]
    assert (verdict.priority, verdict.signals, verdict.matched_keyword) == ("P0", "DATA_LEAK", "تسريب")
    assert (verdict.review_required, verdict.error) == ("no", "")


def test_the_subject_counts_and_missing_cells_are_empty(classifier: Classifier) -> None:
    rows = [["outage", ""], ["", ""], ["outage"]]
    found = list(classify_rows(rows, classifier, Columns(text=1, subject=0, width=2)))
    assert [verdict.priority for _, verdict in found] == ["P0", "P3", "P0"]
    assert {len(cells) for cells, _ in found} == {2}


def test_row_that_is_too_long_is_marked_and_the_next_goes_on(classifier: Classifier) -> None:
    long, short = classify_rows([["x" * 20_001], ["leak"]], classifier, ONE)
    assert (long[1].priority, long[1].error) == ("", "TEXT_TOO_LONG")
    assert short[1].priority == "P0"


@pytest.mark.parametrize(
    ("row", "expected", "error"),
    [
        (["1", "Hello", " there was a data breach", "a@example.test"], ["1", "Hello"], "TOO_MANY_CELLS"),
        (
            ["1", "السلام عليكم، أرسلتوا الرسالة", "", " بدون موافقتي"],
            ["1", "السلام عليكم، أرسلتوا الرسالة"],
            "TOO_MANY_CELLS",
        ),
        (["there was a data breach"], ["there was a data breach", ""], "TOO_FEW_CELLS"),
        (["1", "there was a data breach"], ["1", "there was a data breach"], ""),
        (["1", "there was a data breach", "", "", " "], ["1", "there was a data breach"], ""),
    ],
)
def test_no_cell_of_a_row_is_lost_or_unread(
    classifier: Classifier, row: list[str], expected: list[str], error: str
) -> None:
    ((cells, verdict),) = classify_rows([row], classifier, THREE)
    assert cells[:2] == expected
    assert len(cells) == 3
    assert "".join("".join(row).split()) == "".join("".join(cells).replace(",", "").split())
    assert (verdict.priority, verdict.error) == ("P0", error)
    assert verdict.review_required == ("yes" if error else "no")


def test_cells_too_many_stand_in_the_last_one_as_in_the_file(classifier: Classifier) -> None:
    ((cells, _),) = classify_rows([["1", "a", "b", " c", "d"]], classifier, THREE, ";")
    assert cells == ["1", "a", "b; c;d"]


def test_rows_are_read_lazily(classifier: Classifier) -> None:
    def rows():  # type: ignore[no-untyped-def]
        yield ["leak"]
        raise AssertionError("read ahead")

    assert next(classify_rows(rows(), classifier, ONE))[1].priority == "P0"


@pytest.mark.parametrize(
    ("header", "given", "expected"),
    [
        (["Subject", "Body"], None, (1, 0)),
        (["الموضوع", "النص"], None, (1, 0)),
        (["a", "b"], "B", (1, None)),
        (["text"], None, (0, None)),
        (["id", "Message Body"], None, (1, None)),
        (["id", "email_body"], None, (1, None)),
        (["id", "نَصّ الرساله:"], None, (1, None)),
        (["id", "رسالة"], None, (1, None)),
        (["comment", "description"], None, (1, None)),
        (["subject", "id"], "subject", (0, None)),
        (["text", "Text"], "Text", (1, None)),
        (["#", "text"], "#", (0, None)),
        (["label", "text", "label"], None, (1, None)),
    ],
)
def test_columns_are_found(header: list[str], given: str | None, expected: tuple[int, int | None]) -> None:
    assert find_columns(header, given) == (*expected, len(header))


def test_the_names_looked_for_are_found_alone() -> None:
    for name in TEXT_COLUMNS:
        assert find_columns(["id", name]).text == 1


@pytest.mark.parametrize(
    ("header", "given", "expected"),
    [
        (["a"], None, {("text_column", "COLUMN_MISSING")}),
        (["a"], "b", {("text_column", "COLUMN_MISSING")}),
        ([], None, {("text_column", "COLUMN_MISSING")}),
        (["", "-"], "#", {("text_column", "COLUMN_MISSING")}),
        (["text", "text"], None, {("text_column", "COLUMN_DOUBLE")}),
        (["Text", "text"], None, {("text_column", "COLUMN_DOUBLE")}),
        (["text", "text"], "text", {("text_column", "COLUMN_DOUBLE")}),
        (["title", "title"], None, {("text_column", "COLUMN_MISSING"), ("subject_column", "COLUMN_DOUBLE")}),
    ],
)
def test_columns_that_cannot_be_told_are_refused(
    header: list[str], given: str | None, expected: set[tuple[str, str]]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        find_columns(header, given)
    assert {(violation.field, violation.reason) for violation in refusal.value.violations} == expected


@pytest.mark.parametrize(
    ("header", "prefix"),
    [(["text"], ""), (["text", "Priority"], "triage_"), (["error", "triage_priority"], "triage_triage_")],
)
def test_no_column_of_the_mailbox_has_a_name_of_ours(header: list[str], prefix: str) -> None:
    added = added_columns(header)
    assert (added[0], added[-1]) == (f"{prefix}priority", f"{prefix}error")
    assert not {name.lower() for name in header} & set(added)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("can&#x27;t find the Proof Pack", "can't find the Proof Pack"),
        ("whatsapp&nbsp;is&nbsp;not&nbsp;working", "whatsapp is not working"),
        ("&#1578;&#1587;&#1585;&#1610;&#1576;", "تسريب"),
    ],
)
def test_entities_stand_for_their_signs(classifier: Classifier, written: str, meant: str) -> None:
    columns = Columns(text=0, subject=None, width=1)
    [(cells, as_exported), (_, as_meant)] = classify_rows([[written], [meant]], classifier, columns)
    assert cells == [written]
    assert as_exported == as_meant
    assert as_exported.priority < "P3"
