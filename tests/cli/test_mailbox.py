"""The classifier over files, and the check of its lexicon: neither needs a server."""

from __future__ import annotations

import codecs
import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, environment, run_command

NOWHERE = "127.0.0.1:1"


def classify(source: Path, target: Path, *more: str) -> Ended:
    return run_command(NOWHERE, "classify", "--file", str(source), "--out", str(target), *more)


def read(path: Path, separator: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=separator))


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


def test_cells_beyond_the_header_are_read_kept_and_told(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text("id,text\n1,Hello, there was a data breach\n2,thanks\n", encoding="utf-8")
    ended = classify(source, tmp_path / "out.csv")
    assert ended.code == 0, ended.err
    assert "1 row to look at: see the column error" in ended.err
    first, second = read(tmp_path / "out.csv")
    assert (first["text"], first["priority"]) == ("Hello, there was a data breach", "P0")
    assert (first["error"], first["review_required"]) == ("TOO_MANY_CELLS", "yes")
    assert second["error"] == ""


def test_blank_rows_and_lines_are_no_tickets(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text("\n , \nid,text\n,\n1,leak\n  ,\t\n\n", encoding="utf-8")
    ended = classify(source, tmp_path / "out.csv")
    assert "1 row classified" in ended.err
    assert [(row["id"], row["priority"]) for row in read(tmp_path / "out.csv")] == [("1", "P0")]


def test_the_columns_of_the_mailbox_stay_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text("tag,priority,text,tag,error\nvip,URGENT,leak,old,E5\n", encoding="utf-8")
    ended = classify(source, tmp_path / "out.csv")
    assert ended.code == 0, ended.err
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        header, row = csv.reader(file)
    assert header[:6] == ["tag", "priority", "text", "tag", "error", "triage_priority"]
    assert row[:6] == ["vip", "URGENT", "leak", "old", "E5", "P0"]


ARABIC = "id{0}subject{0}text\n1{0}عاجل{0}تسريب بيانات العملاء، للأسف\n2{0}سؤال{0}متى الموعد؟\n"


@pytest.mark.parametrize(
    ("content", "separator", "told"),
    [
        (ARABIC.format(";").encode(), ";", "in UTF-8, separated by semicolons"),
        (ARABIC.format("\t").encode(), "\t", "in UTF-8, separated by tabs"),
        (ARABIC.format("|").encode(), "|", "in UTF-8, separated by bars"),
        (b"sep=;\r\n" + ARABIC.format(";").encode(), ";", "in UTF-8, separated by semicolons"),
        (b"SEP=\t\n" + ARABIC.format("\t").encode(), "\t", "in UTF-8, separated by tabs"),
        (ARABIC.format(",").encode("cp1256"), ",", "in Windows-1256, separated by commas"),
        (ARABIC.format(";").encode("cp1256"), ";", "in Windows-1256, separated by semicolons"),
        (ARABIC.format("\t").encode("utf-16"), "\t", "in UTF-16, separated by tabs"),
        (codecs.BOM_UTF16_BE + ARABIC.format(",").encode("utf-16-be"), ",", "in UTF-16, separated by commas"),
        (ARABIC.format(",").replace("\n", "\r").encode(), ",", "in UTF-8, separated by commas"),
    ],
)
def test_encoding_and_separator_are_found_out_and_told(
    tmp_path: Path, content: bytes, separator: str, told: str
) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_bytes(content)
    ended = classify(source, tmp_path / "out.csv")
    assert ended.code == 0, ended.err
    assert f"read: subject, text; {told}" in ended.err
    rows = read(tmp_path / "out.csv", separator)
    assert [(row["id"], row["priority"]) for row in rows] == [("1", "P0"), ("2", "P3")]
    assert rows[0]["text"] == "تسريب بيانات العملاء، للأسف"


DAMAGED = "text\nتسريب بيانات\n".encode() + b"\xd8 x\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ["cannot read", "mailbox.csv"]),
        (b"id,note\n1,hello\n", ["--column", "columns of the file: id, note", "body", "الرسالة", "عمود النص"]),
        ("رقم,ملاحظة\n".encode(), ["columns of the file: رقم, ملاحظة"]),
        (b"id:text\n", ["columns of the file: id:text"]),
        (b"id,no\x1bte\n", ["no\\u001bte"]),
        (b"id,text,Text\n1,leak,hello\n", ["columns of the file: id, text, Text", "rename", "عمودان"]),
        (b"", ["the file is empty", "الملف فارغ"]),
        (b"\n\n", ["the file is empty"]),
        ('id,text\n0,x\n1,"تسريب\n2,Gmail\n3,hello\n'.encode(), ["row that begins in line 3", "علامة اقتباس"]),
        (b'sep=,\ntext\n"a\nb"\n"he said "leak" twice"\n', ["row that begins in line 5"]),
        (DAMAGED, ["line 3 is damaged", "CSV UTF-8", "السطر 3"]),
        (codecs.BOM_UTF8 + b"text\n\xca\n", ["line 2 is damaged"]),
        ("text\nتسريب قوقل\n".encode("iso-8859-6"), ["encoding", "Windows-1256", "CSV UTF-8", "ترميز"]),
        ("text\nleak\n".encode("utf-16-le"), ["encoding", "CSV UTF-8"]),
        (codecs.BOM_UTF16_LE + "text\nleak\n".encode("utf-16-le")[:-1], ["encoding", "CSV UTF-8"]),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_usage_and_leaves_nothing(
    tmp_path: Path, content: bytes | None, expected: list[str]
) -> None:
    source = tmp_path / "mailbox.csv"
    if content is not None:
        source.write_bytes(content)
    ended = classify(source, tmp_path / "out.csv")
    assert ended.code == 2
    assert len(ended.error_lines) == 1
    for part in expected:
        assert part in ended.err
    assert {path.name for path in tmp_path.iterdir()} <= {"mailbox.csv"}


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text("رقم,text\n1,leak\n", encoding="utf-8")
    ended = classify(source, tmp_path / "out.csv", "--column", "الشكوى")
    assert ended.code == 2
    assert "columns of the file: رقم, text" in ended.err
    assert "--column" in ended.err
    assert "لا يوجد عمود" in ended.err
    assert "\\u" not in ended.err


def test_the_mailbox_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text("text\nleak\n", encoding="utf-8")
    assert classify(source, source).code == 2
    assert source.read_text(encoding="utf-8") == "text\nleak\n"


@pytest.mark.parametrize("target", ["none/out.csv", "folder"])
def test_an_output_that_cannot_be_written_is_named_itself(tmp_path: Path, target: str) -> None:
    source = tmp_path / "mailbox.csv"
    source.write_text("text\nleak\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    ended = classify(source, tmp_path / target)
    assert ended.code == 2
    assert f"{tmp_path / target}" in ended.err
    assert "mailbox.csv" not in ended.err
    assert f".{Path(target).name}." not in ended.err


def test_an_output_that_is_replaced_is_told(tmp_path: Path) -> None:
    source, target = tmp_path / "mailbox.csv", tmp_path / "out.csv"
    source.write_text("text\nleak\n", encoding="utf-8")
    assert "replaced" not in classify(source, target).err
    assert f"{target} was there before and is replaced" in classify(source, target).err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_old_output_and_nothing_else(tmp_path: Path, number: signal.Signals) -> None:
    source, target = tmp_path / "mailbox.csv", tmp_path / "out.csv"
    source.write_text("text\n" + "our data leaked, and nobody can log in\n" * 300_000, encoding="utf-8")
    target.write_text("of yesterday", encoding="utf-8")
    command = [sys.executable, "-m", "customer_ops", "classify", "--file", str(source), "--out", str(target)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment()) as process:
        until = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) == 2:
            assert process.poll() is None
            assert time.monotonic() < until
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert told == f"customer-ops: stopped: nothing was written to {target}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"mailbox.csv", "out.csv"}
    assert target.read_text(encoding="utf-8") == "of yesterday"


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


def test_a_faulty_field_is_shown_with_its_file_line_and_id(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('# Mine.\n[[group]]\nid = "zebra"\nwords = 5\n', encoding="utf-8")
    ended = run_command(NOWHERE, "lint-lexicon", "--record", str(tmp_path))
    assert ended.code == 4
    assert "mine.toml:2" in ended.out
    assert "zebra" in ended.out
    assert "words is 5" in " ".join(ended.out.split())
    assert ended.out.count("[negation]") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"mine.toml"}
