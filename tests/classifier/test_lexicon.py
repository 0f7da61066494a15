"""The shipped lexicon is clean, and the linter finds each kind of fault."""

from __future__ import annotations

import copy
import dataclasses
import tomllib
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
    Signal,
    check,
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


def test_shipped_lexicon_is_clean() -> None:
    assert lint(RAW) == []


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


def never_deny(raw: dict[str, Any]) -> None:
    entry(raw, "leak")["negation"] = "none"


def promote(raw: dict[str, Any]) -> None:
    entry(raw, "hacked")["base"] = True


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
        (never_deny, "BASE_UNDENIED"),
        (promote, "BASE_UNKNOWN"),
        (misspell_group, "UNKNOWN_GROUP"),
        (misspell_signal, "WRONG_VALUE"),
        (misspell_field, "UNKNOWN_KEY"),
        (third_priority, "WRONG_VALUE"),
        (no_turns, "FIELD_MISSING"),
        (misspell_turns, "UNKNOWN_KEY"),
        (join_no_denial, "JOINED"),
        (join_two_words, "JOINED"),
        (no_meaning, "WRONG_VALUE"),
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
    assert {finding.code for finding in refusal.value.findings} == {"UNKNOWN_GROUP", "WRONG_VALUE"}


HEAD = """[[entry]]
id = "probe"
keyword = "probe"
priority = "P1"
signals = ["SERVICE_DOWN"]
meaning_ar = "تجربة"
meaning_en = "a probe"
"""
RULE = '[[entry.rule]]\nparts = ["sent"]\n'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("words = 5", [("WRONG_VALUE", "words is 5")]),
        ("words = true", [("WRONG_VALUE", "words is True")]),
        ('words = [["a"]]', [("WRONG_VALUE", "words is [['a']]")]),
        ('words = {a = "b"}', [("WRONG_VALUE", "words is {'a': 'b'}")]),
        ('words = " , "', [("WRONG_VALUE", "words is []")]),
        ('words = "zz"\nunless = "hypothetical"', [("WRONG_VALUE", "unless is 'hypothetical'")]),
        ('words = "zz"\nsignals_near = "sent"', [("WRONG_VALUE", "signals_near is 'sent'")]),
        ('words = "zz"\nsignals_near = { sent = ["SENT"] }', [("WRONG_VALUE", "UNAUTHORIZED_SEND")]),
        ('words = "zz"\nnegation = "always"', [("WRONG_VALUE", "one of window, adjacent, none")]),
        (RULE + 'within = "eight"', [("WRONG_VALUE", "within is 'eight'; it must be a whole number from 0 to 100")]),
        (RULE + "within = true\nacross = -1", [("WRONG_VALUE", "across is -1"), ("WRONG_VALUE", "within is True")]),
        (RULE + RULE + "within = 101", [("WRONG_VALUE", "rule 2: within is 101")]),
        (RULE + "head = 1", [("HEAD", "head is 1")]),
        (RULE + 'order = "none"\nhead = "0"', [("WRONG_VALUE", "head is '0'"), ("WRONG_VALUE", "one of any, given")]),
        ("[[entry.rule]]\nwithin = 3", [("FIELD_MISSING", "parts is missing")]),
        ('[[entry.rule]]\nparts = ["sentt"]', [("UNKNOWN_GROUP", "no group 'sentt'; there is sent")]),
        (RULE + 'unless = ["hypothetcal"]', [("UNKNOWN_CONTEXT", "there is hypothetical")]),
        ('wrods = "zz"', [("UNKNOWN_KEY", "there is no field wrods; the fields are always, arabizi")]),
        ("", [("NO_FORM", "at least one of rule, words")]),
        (RULE + 'words = "zz"\nunless = ["question"]', [("MISPLACED", "move words above")]),
    ],
)
def test_a_faulty_field_is_named_once_with_its_file_and_line(
    tmp_path: Path, written: str, expected: list[tuple[str, str]]
) -> None:
    copied(tmp_path)
    (tmp_path / "probe.toml").write_text("# A probe.\n" + HEAD + written + "\n", encoding="utf-8")
    found = sorted(check(read_directory(tmp_path)[0]), key=lambda finding: finding.message)
    assert [(finding.code, finding.place, finding.subject) for finding in found] == [
        (code, "probe.toml:2", "probe") for code, _ in expected
    ]
    assert all(said in finding.message for finding, (_, said) in zip(found, expected, strict=True)), found
    with pytest.raises(LexiconError, match=r"probe\.toml:2 probe: "):
        load_lexicon(tmp_path)


def test_texts_that_stand_below_a_rule_are_one_mistake(tmp_path: Path) -> None:
    copied(tmp_path)
    lines = HEAD.splitlines(keepends=True)
    (tmp_path / "probe.toml").write_text("".join([*lines[:-2], RULE, *lines[-2:]]), encoding="utf-8")
    assert [f.message.partition(":")[0] for f in check(read_directory(tmp_path)[0])] == [
        "move meaning_ar, meaning_en above the entry's first [[entry.rule]]"
    ]


def test_tables_without_id_and_ids_used_twice_are_found_by_their_lines(tmp_path: Path) -> None:
    copied(tmp_path)
    here = "words (copy).toml"
    (tmp_path / here).write_text(
        '[[group]]\nid = "sent"\nwords = "zz"\n\n[[group]]\nwords = "zy"\n\n[[group]]\nid = 5\nwords = "zx"\n\n'
        '[[context]]\nid = "question"\ngroup = "sent"\nwhere = "befor"\nwithin = "2"\n',
        encoding="utf-8",
    )
    found = {(f.code, f.place, f.message.split(";")[0]) for f in check(read_directory(tmp_path)[0])}
    assert {(code, place, said) for code, place, said in found if code != "DUPLICATE_ID"} == {
        ("FIELD_MISSING", f"{here}:5", "id is missing"),
        ("WRONG_VALUE", f"{here}:8", "id is 5"),
        ("WRONG_VALUE", f"{here}:12", "where is 'befor'"),
        ("WRONG_VALUE", f"{here}:12", "within is '2'"),
    }
    twice = sorted(f"{place}: {said}" for code, place, said in found if code == "DUPLICATE_ID")
    assert len(twice) == 2
    assert "first in context.toml:" in twice[0]
    assert f"first in {here}:1" in twice[1]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("probe.toml", b'[group]\nid = "a"\n', r"probe.toml: write \[\[group\]\]"),
        ("probe.toml", b"[[negation]]\nwindow = 3\n", r"probe.toml: write \[negation\]"),
        ("probe.toml", b"[[entri]]\n", r"probe.toml: unknown table 'entri'; the tables are \[\[group\]\]"),
        ("probe.toml", "# ok\n# ع".encode("cp1256"), "probe.toml: line 2 is not UTF-8: save the file as UTF-8"),
        (weights.FILE, b"=zz\tS+1\n=z\xff\tS+1\n", "weights.tsv: line 2 is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    copied(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LexiconError, match=expected):
        read_directory(tmp_path)


def test_the_mark_that_some_editors_put_before_a_text_does_no_harm(tmp_path: Path) -> None:
    copied(tmp_path)
    base = tmp_path / "base.toml"
    base.write_bytes(b"\xef\xbb\xbf" + base.read_bytes())
    assert check(read_directory(tmp_path)[0]) == []


def test_the_linter_finds_forms_that_do_not_work_as_meant_each_once(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / "probe.toml").write_text(
        HEAD + "words = '''\n?!, zebra; lynx, * puma, okapi/, gmail, leak-proof, zerda\nquagga\n'''\n"
        'past = "sent"\nverbs = "انحذف"\n' + HEAD.replace('"probe"', '"second"') + 'words = "zerda, bongo"\n'
        '[[group]]\nid = "one"\nany = ["two"]\n[[group]]\nid = "two"\nany = ["one"]\n',
        encoding="utf-8",
    )
    (tmp_path / weights.FILE).unlink()
    (tmp_path / phrases.FILE).write_bytes(b"")
    findings = lint(read_directory(tmp_path)[0])
    # The form that a message quotes, or the id or file that it is about.
    found = [(f.severity, f.code, f.message.split("'")[1] if "'" in f.message else f.subject) for f in findings]
    error, warning = Severity.ERROR, Severity.WARNING
    assert sorted(found) == [
        (error, "COLLISION", "gmail"),
        (error, "CYCLE", "one"),
        (error, "EMPTY_FORM", "* puma"),
        (error, "EMPTY_FORM", "?!"),
        (error, "EMPTY_FORM", "okapi/"),
        (error, "EMPTY_FORM", "zebra; lynx"),
        (error, "SWALLOWED", "leak-proof"),
        (warning, "KNOWN_FORM", "zerda"),
        (warning, "NOT_INFLECTED", "sent"),
        (warning, "NOT_LEARNT", phrases.FILE),
        (warning, "NOT_LEARNT", weights.FILE),
        (warning, "UNUSED", "one"),
        (warning, "UNUSED", "two"),
    ]


def test_the_editors_page_tells_every_signal_and_its_examples_are_sound(tmp_path: Path) -> None:
    page = (DEFAULT_DIRECTORY.parent / "LEXICON.md").read_text(encoding="utf-8")
    assert [signal for signal in Signal if f"| `{signal}` |" not in page] == []
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert set(tomllib.loads(example)) == {"group", "entry", "context", "stop"}
    (tmp_path / "example.toml").write_text(example, encoding="utf-8")
    # It names groups and contexts that stand elsewhere.
    found = check(read_directory(tmp_path)[0])
    assert {finding.code for finding in found} == {"TABLE_MISSING", "UNKNOWN_GROUP", "UNKNOWN_CONTEXT"}


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
    (tmp_path / "text.toml").write_text(
        '[[group]]\nid = "a"\nwords = """\none thing,\n  عطل، two/2  things\nlast\n"""\n'
    )
    (tmp_path / "list.toml").write_text('[[group]]\nid = "a"\nwords = ["one thing", "عطل", "two/2 things", "last"]\n')
    as_list, as_text = read_directory(tmp_path)[0]["group"]
    assert as_text["words"] == as_list["words"]


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


def test_an_entry_may_count_by_itself_like_a_base_keyword() -> None:
    texts = ("We saw a bluesnarfing today", "شفنا bluesnarfing على جهاز المحاسب، ومتى موعد الاجتماع؟")
    for always in (False, True):
        raw = copy.deepcopy(dict(RAW))
        raw["entry"].append(dict(entry(raw, "hacked"), id="probe", words=["bluesnarfing"], always=always))
        for kind in ("rule", "nouns", "verbs", "past", "present", "arabizi", "bare", "owned"):
            raw["entry"][-1].pop(kind, None)
        classifier = Classifier(compile_lexicon(raw, VERSION))
        assert all((classifier.classify(text).priority == "P0") is always for text in texts)
    assert classifier.classify("there is no bluesnarfing").priority == "P3"


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
