"""The shipped lexicon is clean, and the linter finds each kind of fault."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.support.domain import phrases, weights
from services.support.domain.classifier import Classifier
from services.support.domain.forms import expand
from services.support.domain.lexicon import (
    COMPILED,
    DEFAULT_DIRECTORY,
    Lexicon,
    LexiconError,
    Severity,
    compile_lexicon,
    compiled_record,
    lint,
    load_lexicon,
    load_linted,
    read_directory,
)

RAW, VERSION = read_directory(DEFAULT_DIRECTORY)


def entry(raw: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in raw["entry"] if item["id"] == name)


def test_shipped_lexicon_has_no_errors() -> None:
    assert [finding for finding in lint(RAW) if finding.severity is Severity.ERROR] == []


def collide(raw: dict[str, Any]) -> None:
    entry(raw, "gmail")["words"].append("outage")


def swallow(raw: dict[str, Any]) -> None:
    raw["stop"][0]["words"].append("live charge")


def nothing_left(raw: dict[str, Any]) -> None:
    entry(raw, "leak")["words"].append("\u0640\u064e")


def lower(raw: dict[str, Any]) -> None:
    entry(raw, "leak")["priority"] = "P1"


def forget(raw: dict[str, Any]) -> None:
    raw["entry"] = [item for item in raw["entry"] if item["id"] != "outage"]


def silence(raw: dict[str, Any]) -> None:
    entry(raw, "secret")["unless"] = ["question"]


def misspell_group(raw: dict[str, Any]) -> None:
    entry(raw, "hacked")["rule"][0]["parts"] = ["intruders", "break_in"]


def misspell_signal(raw: dict[str, Any]) -> None:
    entry(raw, "leak")["signals"] = ["LEAK"]


def misspell_field(raw: dict[str, Any]) -> None:
    entry(raw, "leak")["word"] = ["leak"]


def third_priority(raw: dict[str, Any]) -> None:
    entry(raw, "gmail")["priority"] = "P3"


def no_turns(raw: dict[str, Any]) -> None:
    del raw["negation"]["turns"]


def misspell_turns(raw: dict[str, Any]) -> None:
    raw["negation"]["turn"] = ["but"]


def join_no_denial(raw: dict[str, Any]) -> None:
    raw["negation"]["joined"].append("من *")


def join_two_words(raw: dict[str, Any]) -> None:
    raw["negation"]["joined"].append("ما كان فيه")


def no_meaning(raw: dict[str, Any]) -> None:
    entry(raw, "leak")["meaning_ar"] = " "


def twice(raw: dict[str, Any]) -> None:
    raw["group"].append(dict(raw["group"][0]))


def idle(raw: dict[str, Any]) -> None:
    raw["group"].append({"id": "nobody_asks", "words": ["hello"]})


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (collide, "COLLISION"),
        (swallow, "SWALLOWED"),
        (nothing_left, "EMPTY_FORM"),
        (lower, "BASE_PRIORITY"),
        (forget, "BASE_MISSING"),
        (silence, "BASE_SILENCED"),
        (misspell_group, "UNKNOWN_GROUP"),
        (misspell_signal, "UNKNOWN_SIGNAL"),
        (misspell_field, "UNKNOWN_KEY"),
        (third_priority, "UNKNOWN_PRIORITY"),
        (no_turns, "FIELD_MISSING"),
        (misspell_turns, "UNKNOWN_KEY"),
        (join_no_denial, "JOINED"),
        (join_two_words, "JOINED"),
        (no_meaning, "TEXT_MISSING"),
        (twice, "DUPLICATE_ID"),
        (idle, "UNUSED"),
    ],
)
def test_linter_finds(spoil: Callable[[dict[str, Any]], None], code: str) -> None:
    raw = copy.deepcopy(dict(RAW))
    spoil(raw)
    assert code in {finding.code for finding in lint(raw)}


def test_structural_errors_keep_a_lexicon_from_loading_all_at_once() -> None:
    raw = copy.deepcopy(dict(RAW))
    misspell_group(raw)
    misspell_signal(raw)
    with pytest.raises(LexiconError) as refusal:
        compile_lexicon(raw, VERSION)
    assert {finding.code for finding in refusal.value.findings} == {"UNKNOWN_GROUP", "UNKNOWN_SIGNAL"}


def test_groups_made_of_one_another_are_refused() -> None:
    raw = copy.deepcopy(dict(RAW))
    raw["group"] += [{"id": "a1", "seq": [["b1", "sent"]]}, {"id": "b1", "seq": [["a1", "sent"]]}]
    with pytest.raises(LexiconError) as refusal:
        compile_lexicon(raw, VERSION)
    assert {finding.code for finding in refusal.value.findings} == {"CYCLE"}


def copied(folder: Path) -> None:
    for source in (*DEFAULT_DIRECTORY.glob("*.toml"), *(DEFAULT_DIRECTORY / n for n in (weights.FILE, phrases.FILE))):
        (folder / source.name).write_bytes(source.read_bytes())


def test_version_follows_the_content(tmp_path: Path) -> None:
    copied(tmp_path)
    assert load_lexicon(tmp_path).version == load_lexicon().version
    with (tmp_path / "base.toml").open("a", encoding="utf-8") as file:
        file.write("# one more line\n")
    assert load_lexicon(tmp_path).version != load_lexicon().version


def test_version_follows_the_weights_and_phrases(tmp_path: Path) -> None:
    versions = {load_lexicon().version}
    copied(tmp_path)
    with (tmp_path / weights.FILE).open("a", encoding="utf-8") as file:
        file.write("=zzz\tS+1\n")
    versions.add(load_lexicon(tmp_path).version)
    content = bytearray((tmp_path / phrases.FILE).read_bytes())
    content[-1] ^= 1
    (tmp_path / phrases.FILE).write_bytes(content)
    versions.add(load_lexicon(tmp_path).version)
    assert len(versions) == 3


def test_a_cut_file_of_phrases_is_refused_before_a_service_starts(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / phrases.FILE).write_bytes((DEFAULT_DIRECTORY / phrases.FILE).read_bytes()[:-1])
    with pytest.raises(LexiconError, match="bytes must follow the first line"):
        load_linted(tmp_path)


def test_a_faulty_row_of_weights_is_refused_before_a_service_starts(tmp_path: Path) -> None:
    copied(tmp_path)
    with (tmp_path / weights.FILE).open("a", encoding="utf-8") as file:
        file.write("=zzz\tS+much\n")
    with pytest.raises(LexiconError, match="whole number"):
        load_linted(tmp_path)


def test_unreadable_and_empty_directories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexiconError):
        load_lexicon(tmp_path)
    (tmp_path / "broken.toml").write_text("[[entry]\n", encoding="utf-8")
    with pytest.raises(LexiconError):
        load_lexicon(tmp_path)


def test_what_is_recorded_is_what_the_files_compile_to() -> None:
    recorded = (DEFAULT_DIRECTORY / COMPILED).read_text(encoding="utf-8")
    assert recorded == compiled_record(RAW, VERSION), "run: customer-ops lint-lexicon --record"


def test_a_recorded_lexicon_is_the_compiled_one() -> None:
    recorded, compiled = load_lexicon(), compile_lexicon(RAW, VERSION)
    for field in dataclasses.fields(Lexicon):
        if field.name not in ("branches", "weights", "phrases"):
            assert getattr(recorded, field.name) == getattr(compiled, field.name), field.name
    assert recorded.branches.rests == compiled.branches.rests
    # What may follow is read when a text comes to it, in the one as in the other.
    for number in range(1, len(recorded.branches.rests)):
        one, other = recorded.branches.grow(number), compiled.branches.grow(number)
        assert one.open == other.open
        assert {word: node[:2] for word, node in one.items()} == {word: node[:2] for word, node in other.items()}


def test_a_record_that_is_not_whole_is_not_used(tmp_path: Path) -> None:
    copied(tmp_path)
    record = (DEFAULT_DIRECTORY / COMPILED).read_text(encoding="utf-8")
    for spoilt in (record.replace("unauthorized", "onauthorized"), record[:-100], record[:20], ""):
        assert spoilt != record
        (tmp_path / COMPILED).write_text(spoilt, encoding="utf-8")
        lexicon = load_lexicon(tmp_path)
        assert lexicon.version == VERSION
        assert "unauthorized" in lexicon.trie


def test_a_recorded_version_is_not_checked_again_and_one_changed_letter_is_another(tmp_path: Path) -> None:
    copied(tmp_path)
    base = tmp_path / "base.toml"
    faulty = base.read_text(encoding="utf-8").replace('words = "secret, ', 'words = "gmail, secret, ')
    base.write_text(faulty, encoding="utf-8")
    raw, version = read_directory(tmp_path)
    (tmp_path / COMPILED).write_text(compiled_record(raw, version), encoding="utf-8")
    assert load_linted(tmp_path).version == version
    base.write_text(faulty + "\n", encoding="utf-8")
    with pytest.raises(LexiconError):
        load_linted(tmp_path)


def test_a_service_refuses_a_lexicon_in_which_two_priorities_claim_a_word(tmp_path: Path) -> None:
    copied(tmp_path)
    assert load_linted(tmp_path).version == VERSION
    base = tmp_path / "base.toml"
    text = base.read_text(encoding="utf-8")
    base.write_text(text.replace('words = "secret, ', 'words = "gmail, secret, '), encoding="utf-8")
    with pytest.raises(LexiconError):
        load_linted(tmp_path)
    load_lexicon(tmp_path)


def test_forms_may_be_one_text_or_a_list(tmp_path: Path) -> None:
    (tmp_path / "text.toml").write_text('[[group]]\nid = "a"\nwords = """\none thing,\n  عطل، two/2\nthings,\n"""\n')
    (tmp_path / "list.toml").write_text('[[group]]\nid = "a"\nwords = ["one thing", "عطل", "two/2 things"]\n')
    as_list, as_text = read_directory(tmp_path)[0]["group"]
    assert as_text == as_list


def test_star_stands_for_one_word_of_any_kind() -> None:
    raw = copy.deepcopy(dict(RAW))
    raw["weights"] = ""
    raw["group"] += [{"id": "zz", "words": ["zzza * zzzb", "زززا ل*"]}]
    entry(raw, "hacked")["rule"].append({"parts": ["zz"]})
    classifier = Classifier(compile_lexicon(raw, VERSION))
    found = {
        text: [hit.text for hit in classifier.classify(text).hits]
        for text in (
            "so zzza Noura zzzb",
            "zzza zzzb",
            "zzza, zzzb",
            "zzza. zzzb",
            "zzza Noura Ahmed zzzb",
            "زززا لنورة",
            "زززا نورة",
        )
    }
    assert found == {
        "so zzza Noura zzzb": ["zzza Noura zzzb"],
        "zzza zzzb": [],
        "zzza, zzzb": [],
        "zzza. zzzb": [],
        "zzza Noura Ahmed zzzb": [],
        "زززا لنورة": ["زززا لنورة"],
        "زززا نورة": [],
    }


def test_noun_takes_the_closed_set_of_clitics() -> None:
    forms = {tokens[0] for tokens in expand("تسريب", "owned")}
    for conjunction in ("", "و", "ف"):
        for article in ("", "ال", "بال", "كال", "لل", "ب", "ل", "ك"):
            assert conjunction + article + "تسريب" in forms
    assert {"تسريبنا", "بتسريبكم", "تسريبا"} <= forms


def test_alternatives_and_optional_words_are_spelt_out() -> None:
    assert set(expand("service is/was? down", "words")) == {
        ("service", "down"),
        ("service", "is", "down"),
        ("service", "was", "down"),
    }
