"""The classifier over files, and the check of its lexicon: neither needs a server."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, run_command

NOWHERE = "127.0.0.1:1"


def classify(source: Path, target: Path, *more: str) -> Ended:
    return run_command(NOWHERE, "classify", "--file", str(source), "--out", str(target), *more)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_comes_back_with_priority_signals_and_reasons(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text(
        'id,subject,text\n1,عاجل,"السطر الأول\nتم إرسال رسالة بدون موافقتي"\n2,,Please send the invoice\n3,,\n',
        encoding="utf-8",
    )
    ended = classify(source, tmp_path / "out.csv")
    assert ended.code == 0, ended.err
    assert "3 rows classified" in ended.err
    rows = read(tmp_path / "out.csv")
    assert [(row["id"], row["priority"]) for row in rows] == [("1", "P0"), ("2", "P3"), ("3", "P3")]
    assert "UNAUTHORIZED_SEND" in rows[0]["signals"]
    assert rows[0]["reason_ar"]
    assert rows[0]["reason_en"]
    assert rows[0]["text"] == "السطر الأول\nتم إرسال رسالة بدون موافقتي"


def test_the_column_can_be_named_and_a_byte_order_mark_is_no_part_of_it(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text("رسالة العميل\nتسريب بيانات\n", encoding="utf-8-sig")
    ended = classify(source, tmp_path / "out.csv", "--column", "رسالة العميل")
    assert ended.code == 0, ended.err
    assert [row["priority"] for row in read(tmp_path / "out.csv")] == ["P0"]


def test_a_text_that_is_too_long_is_told_in_its_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text(f"text\n{'x' * 200_000}\nleak\n", encoding="utf-8")
    ended = classify(source, tmp_path / "out.csv")
    assert ended.code == 0, ended.err
    rows = read(tmp_path / "out.csv")
    assert (rows[0]["priority"], rows[0]["error"]) == ("", "TEXT_TOO_LONG")
    assert rows[1]["priority"] == "P0"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "mailbox.csv"),
        (b"id,note\n1,hello\n", "header"),
        (b"", "header"),
        (b"text\n\xff\xfe\n", "utf-8"),
    ],
    ids=["no file", "no text column", "empty", "not UTF-8"],
)
def test_a_file_that_cannot_be_read_is_wrong_usage_and_leaves_nothing(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    source = tmp_path / "mailbox.csv"
    if content is not None:
        source.write_bytes(content)
    ended = classify(source, tmp_path / "out.csv")
    assert ended.code == 2
    assert len(ended.error_lines) == 1
    assert expected in ended.err
    assert {path.name for path in tmp_path.iterdir()} <= {"mailbox.csv"}


def test_the_mailbox_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text("text\nleak\n", encoding="utf-8")
    assert classify(source, source).code == 2
    assert source.read_text(encoding="utf-8") == "text\nleak\n"


def test_the_lexicon_that_ships_has_no_errors() -> None:
    ended = run_command(NOWHERE, "lint-lexicon")
    assert ended.code == 0, ended.err
    assert "no errors" in ended.out


def test_a_faulty_lexicon_names_its_faults_and_has_a_code_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "words.toml").write_text("[[entry]\n", encoding="utf-8")
    ended = run_command(NOWHERE, "lint-lexicon", str(tmp_path))
    assert ended.code == 4
    assert "words.toml" in ended.out
    assert "lexicon faulty: 1 error" in ended.err
