"""The lexicon of the ticket classifier: data in TOML, checked, compiled to a token trie, versioned by content.

Editors read ``services/support/LEXICON.md``. In short, the files of one directory together hold

* ``[[group]]``: words that mean the same for a rule, written out (``words``, ``nouns``, ``owned``, ``verbs``), joined
  from other groups (``any``) or adjacent groups (``seq``);
* ``[[context]]``: surroundings in which a rule does not speak (a hypothetical question, a metric as the subject);
* ``[[entry]]``: a canonical keyword with priority, signals and meaning, and the forms or rules that find it;
* ``[[stop]]``: fixed phrases in which a keyword means something else («في أمان الله»);
* ``[negation]``: words that deny, words that end a denial, and the window.

Forms are expanded to the tokens that a text is searched for by ``forms.py``; what comes of it is recorded.
"""

from __future__ import annotations

import difflib
import gc
import graphlib
import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from services.domain import arabic
from services.support.domain import phrases, weights
from services.support.domain.fields import (
    FORMS,
    LISTS,
    SWITCH,
    TABLES,
    TEXT,
    TEXTS,
    Kind,
    by_name,
    faults,
    number,
    one_of,
    required,
    some_of,
)
from services.support.domain.forms import (
    FORM_KINDS,
    INFLECTED,
    Branches,
    Trie,
    TrieBuilder,
    Words,
    dumped,
    expand,
    fold_word,
    form_fault,
    is_arabic,
    loaded,
    mask_of,
    surface_of,
)
from services.support.domain.priorities import Priority

DEFAULT_DIRECTORY: Final = Path(__file__).resolve().parent.parent / "lexicon"

Raw = Mapping[str, Any]
_NAMED = ("group", "entry", "stop")
_PLACE: Final = "(place)"
"""Where a table was read (file and line), beside its fields: a name that no field has."""
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*(\w+)[ \t]*\]\]", re.MULTILINE)
_LATIN_WORD = re.compile("[a-z0-9']+")


class Signal(StrEnum):
    """What a ticket is about, beyond its priority (spec, section 1)."""

    SECURITY = "SECURITY"
    DATA_LEAK = "DATA_LEAK"
    UNAUTHORIZED_SEND = "UNAUTHORIZED_SEND"
    WRONG_SEND = "WRONG_SEND"
    UNAUTHORIZED_CHARGE = "UNAUTHORIZED_CHARGE"
    OUTAGE = "OUTAGE"
    SERVICE_DOWN = "SERVICE_DOWN"
    PROOF_PACK = "PROOF_PACK"
    CONNECTOR = "CONNECTOR"
    BILLING = "BILLING"


class Severity(StrEnum):
    """An ERROR keeps the lexicon from being loaded; a WARNING is for the editor to judge."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark of the linter: a stable code, the id or file that it is about, one sentence in each language.

    ``place``: the file and line where the table of that id begins, where that is known.
    """

    severity: Severity
    code: str
    subject: str
    message: str
    message_ar: str
    place: str = ""


class LexiconError(Exception):
    """The data does not make a lexicon; ``findings`` holds every error."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{f.place} {f.subject}: {f.message}".lstrip() for f in findings))


@dataclass(frozen=True, slots=True)
class Context:
    """Surroundings that silence a rule: an occurrence of ``group`` ``where`` it stands to the match.

    ``before``/``after``: in the same sentence, at most ``within`` tokens away, on that side; ``near``: either side;
    ``inside``: between the first and the last token of the match; ``later``: anywhere after it in the text.
    ``clause``: a comma in between cuts the link.
    """

    group: int
    where: str
    within: int
    clause: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """Groups that must stand near one another.

    ``within`` is the most tokens between neighbouring parts, ``across`` the most sentence ends between them,
    ``head`` the part that a negation must precede to deny the whole.
    """

    parts: tuple[int, ...]
    ordered: bool
    within: int
    across: int
    head: int
    contexts: tuple[Context, ...]
    entry: int
    anchor: int
    needs: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A canonical keyword and what it means."""

    id: str
    keyword: str
    priority: Priority
    signals: tuple[Signal, ...]
    base: bool
    always: bool
    negation: str
    language: str
    meaning_ar: str
    meaning_en: str
    signals_near: tuple[tuple[int, tuple[Signal, ...]], ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A derived group: adjacent groups with at most ``gap`` tokens between."""

    group: int
    parts: tuple[int, ...]
    gap: int
    unions: tuple[int, ...]
    needs: int
    gives: int


@dataclass(frozen=True, slots=True)
class Negation:
    """Sets of folded tokens; see the editors' page for what each is for.

    ``joined``: words that are a denial and what it denies, and beginnings of such (with a star at the end), with the length
    of the denial.
    """

    window: int
    negators: frozenset[str]
    adjacent: frozenset[str]
    joined: Mapping[str, int]
    breaks: frozenset[str]
    fillers: frozenset[str]
    coordinators: frozenset[str]
    joins: frozenset[str]
    copulas: frozenset[str]
    interjections: frozenset[str]
    interjection_followers: frozenset[str]
    hedges: int
    denied_after: int
    denied_at_end: int
    fine: int
    pseudo: int
    supposed: int
    taken_back: int
    elsewhere: int
    turns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Courtesy:
    """What says nothing of what a ticket is about: ``greetings`` at the beginning of a clause, ``closings`` at its end.

    ``sign_offs`` are closings after which the writer's name and address may follow; ``small_print`` stands at either end.
    All are groups as bits, 0 where a lexicon has none; ``between``: folded tokens that may stand beside them in a clause.
    """

    greetings: int
    closings: int
    sign_offs: int
    small_print: int
    between: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Compiled and immutable; share one between threads.

    ``trie`` maps a folded token to (groups that end there, the same as a bit mask, what may follow, which conjunctions
    may be joined to it: ``JOINS_WAW``, ``JOINS_FA``); ``forms`` is the number of first tokens. A first token that is
    not there stands for the rest of it where it begins with a conjunction that the rest may be joined to.
    """

    version: str
    trie: Trie
    group_names: tuple[str, ...]
    entries: tuple[Entry, ...]
    rules: Mapping[int, tuple[Rule, ...]]
    sequences: tuple[Chain, ...]
    stops: frozenset[int]
    literals: Mapping[int, int]
    negation: Negation
    courtesy: Courtesy
    skipped: frozenset[str]
    not_mistyped: frozenset[str]
    arabizi: frozenset[str]
    branches: Branches
    forms: int
    weights: weights.Weights
    phrases: phrases.Phrases


# --- reading ----------------------------------------------------------------------------------------------------------


COMPILED: Final = "compiled.json"
"""Beside a lexicon: what it was compiled to when `customer-ops lint-lexicon --record` found no error in it."""


def _contents(directory: Path) -> tuple[dict[str, bytes], str]:
    """The files of a directory that make a lexicon, and its version, a hash of them all."""
    names = [*sorted(path.name for path in directory.glob("*.toml")), weights.FILE, phrases.FILE]
    files = {name: path.read_bytes() for name in names if (path := directory / name).is_file()}
    digest = hashlib.sha256()
    for name, content in files.items():
        text = content if name == phrases.FILE else content.replace(b"\r\n", b"\n")
        digest.update(name.encode() + b"\0" + text + b"\0")
    return files, digest.hexdigest()[:16]


def read_directory(directory: Path) -> tuple[Raw, str]:
    """Read and join every ``*.toml``, the weights and phrases of a directory; the version is a hash of all contents."""
    files, version = _contents(directory)
    return _parsed(files, directory), version


def _parsed(files: Mapping[str, bytes], directory: Path) -> Raw:
    merged: dict[str, Any] = {"group": [], "context": [], "entry": [], "stop": [], "negation": {}, "settings": {}}
    problems: list[Finding] = []
    tables = {name: content for name, content in files.items() if name.endswith(".toml")}
    for name, content in tables.items():
        try:
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
            data = tomllib.loads(text)
        except UnicodeDecodeError as error:
            problems.append(_not_utf8(name, content, error))
            continue
        except tomllib.TOMLDecodeError as error:
            problems.append(_error("UNREADABLE", name, f"not valid TOML: {error}", f"ليس ملف TOML سليمًا: {error}"))
            continue
        for key, value in data.items():
            if problem := _table_fault(name, key, value, merged):
                problems.append(problem)
            elif isinstance(merged[key], list):
                places = _places(name, text, key, len(value))
                merged[key] += [_with_lists(table) | {_PLACE: at} for table, at in zip(value, places, strict=True)]
            else:
                merged[key].update(value)
    if not tables:
        message = f"{directory} holds no .toml file: name the folder that holds base.toml and the others"
        problems.append(_error("EMPTY", directory.name, message, f"لا توجد ملفات toml. في {directory}"))
    try:
        learnt = _learnt(files)
    except UnicodeDecodeError as error:
        problems.append(_not_utf8(weights.FILE, files[weights.FILE], error))
    if problems:
        raise LexiconError(problems)
    return merged | learnt


def _learnt(files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "weights": files.get(weights.FILE, b"").decode("utf-8").replace("\r\n", "\n"),
        "phrases": files.get(phrases.FILE, b""),
    }


def _not_utf8(name: str, content: bytes, error: UnicodeDecodeError) -> Finding:
    line = content.count(b"\n", 0, error.start) + 1
    return _error(
        "UNREADABLE",
        name,
        f"line {line} is not UTF-8: save the file as UTF-8",
        f"السطر {line} ليس بترميز UTF-8: احفظ الملف بهذا الترميز",
    )


def _table_fault(name: str, key: str, value: object, known: Mapping[str, object]) -> Finding | None:
    """What keeps the tables of a file that have one name from being read."""
    if key not in known:
        names = ", ".join([f"[[{k}]]" if isinstance(v, list) else f"[{k}]" for k, v in known.items()])
        return _error(
            "UNKNOWN_TABLE",
            name,
            f"unknown table {key!r}; the tables are {names}, and the rules of an entry [[entry.rule]] below it",
            f"جدول غير معروف: {key}؛ الجداول هي {names} و[[entry.rule]] تحت مدخلها",
        )
    many = isinstance(known[key], list)
    if TABLES.accepts(value) if many else isinstance(value, dict):
        return None
    header = f"[[{key}]]" if many else f"[{key}]"
    return _error(
        "WRONG_TABLE",
        name,
        f"write {header} on a line of its own above its fields",
        f"اكتب {header} في سطر وحده فوق حقوله",
    )


def _places(name: str, text: str, key: str, count: int) -> list[str]:
    """The file and line of each table of one name; the file alone where they are not written with a header each."""
    found = []
    line, seen = 1, 0
    for header in _HEADER.finditer(text):
        if header[1] == key:
            line += text.count("\n", seen, header.start())
            seen = header.start()
            found.append(f"{name}:{line}")
    return found if len(found) == count else [name] * count


def _with_lists(table: Raw) -> dict[str, Any]:
    """A table with its forms as lists: they may be written as one text, which is read in half the time.

    What is neither a text nor a list of texts is left for the linter to name.
    """
    listed = dict(table)
    for kind in FORM_KINDS:
        forms = table.get(kind)
        if isinstance(forms, str):
            # Spaces are put right in the whole text, which takes a fifth of doing it form by form.
            forms = " ".join(forms.replace("،", ",").replace("\n", ",").split()).split(",")
            listed[kind] = [form for written in forms if (form := written.strip(" "))]
        elif isinstance(forms, list) and all(isinstance(form, str) for form in forms):
            listed[kind] = [form for written in forms if (form := " ".join(written.split()))]
    return listed


def load_lexicon(directory: Path | None = None) -> Lexicon:
    """Read, check and compile a lexicon; the default is the one that ships with the package.

    A lexicon whose content is the one that was recorded last (`COMPILED`) is read as it was compiled then, in a third of
    the time; one changed letter is another version, and a record that is not whole is none.

    Raises LexiconError with every error at once.
    """
    return _load(directory or DEFAULT_DIRECTORY, linted=False)


def load_linted(directory: Path | None = None) -> Lexicon:
    """As `load_lexicon`, and held to everything that an editor is told: for a service, before it answers anybody.

    Writing out every phrase takes a second; what was recorded need not be checked again.

    Raises LexiconError with every error at once, collisions and swallowed forms included; warnings pass.
    """
    return _load(directory or DEFAULT_DIRECTORY, linted=True)


def _load(directory: Path, *, linted: bool) -> Lexicon:
    files, version = _contents(directory)
    record = directory / COMPILED
    if record.is_file():
        content = record.read_bytes()
        if content.startswith(_record_head(version, content[_RECORD_HEAD:])):
            data = json.loads(content)
            return _collecting_later(
                lambda: _assembled(data["tables"] | _learnt(files), version, loaded(data["words"]))
            )
    raw = _parsed(files, directory)
    if linted:
        errors = [finding for finding in lint(raw) if finding.severity is Severity.ERROR]
        if errors:
            raise LexiconError(errors)
    return compile_lexicon(raw, version)


def compiled_record(raw: Raw, version: str) -> str:
    """What a lexicon without errors is recorded as (`COMPILED`): its tables without their forms, and what these come to."""
    tables = {
        key: [{k: v for k, v in table.items() if k not in (*FORM_KINDS, _PLACE)} for table in value]
        if isinstance(value, list)
        else value
        for key, value in raw.items()
        if key not in ("weights", "phrases")
    }
    words = dumped(_words(raw))
    rest = json.dumps({"tables": tables, "words": words}, ensure_ascii=False, separators=(",", ":"))[1:] + "\n"
    return _record_head(version, rest.encode()).decode() + rest


def _record_head(version: str, rest: bytes) -> bytes:
    """How a record begins: of what version it is, and that the rest of it is whole."""
    return f'{{"version":"{version}","digest":"{hashlib.sha256(rest).hexdigest()[:16]}",'.encode()


_RECORD_HEAD: Final = len(_record_head("0" * 16, b""))


def _error(code: str, subject: str | Raw, message: str, message_ar: str) -> Finding:
    return _finding(Severity.ERROR, code, subject, message, message_ar)


def _warning(code: str, subject: str | Raw, message: str, message_ar: str) -> Finding:
    return _finding(Severity.WARNING, code, subject, message, message_ar)


def _finding(severity: Severity, code: str, subject: str | Raw, message: str, message_ar: str) -> Finding:
    """A finding about a file or word by its name, or about a table, by its id and place."""
    if isinstance(subject, str):
        return Finding(severity, code, subject, message, message_ar)
    return Finding(severity, code, str(subject.get("id", "")), message, message_ar, subject.get(_PLACE, ""))


# --- checking ---------------------------------------------------------------------------------------------------------

_NEGATION_GROUPS = ("hedges", "denied_after", "denied_at_end", "fine", "pseudo", "supposed", "taken_back", "elsewhere")
_COURTESY_GROUPS = ("greetings", "closings", "sign_offs", "small_print")
_COUNT = number(0, 100)
_ID = {"id": required(TEXT), "notes": TEXT}
_FORM_FIELDS = dict.fromkeys(FORM_KINDS, FORMS)
_RULE_FIELDS: Final[Mapping[str, Kind]] = {
    "parts": required(TEXTS),
    "order": one_of(("any", "given")),
    "within": _COUNT,
    "across": _COUNT,
    "head": _COUNT,
    "unless": TEXTS,
    "notes": TEXT,
}
_FIELDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "group": {**_ID, "any": TEXTS, "seq": LISTS, "gap": _COUNT, **_FORM_FIELDS},
    "context": {
        **_ID,
        "group": required(TEXT),
        "where": required(one_of(("before", "after", "near", "inside", "later"))),
        "within": _COUNT,
        "clause": SWITCH,
    },
    "entry": {
        **_ID,
        "keyword": required(TEXT),
        "priority": required(one_of(("P0", "P1", "P2"))),
        "signals": required(some_of([*Signal])),
        "signals_near": by_name(some_of([*Signal])),
        "base": SWITCH,
        "always": SWITCH,
        "negation": one_of(("window", "adjacent", "none")),
        "meaning_ar": required(TEXT),
        "meaning_en": required(TEXT),
        "unless": TEXTS,
        "rule": TABLES,
        **_FORM_FIELDS,
    },
    "stop": {**_ID, **_FORM_FIELDS},
    "negation": {
        **{field.name: required(TEXTS) for field in fields(Negation)},
        **dict.fromkeys(_NEGATION_GROUPS, required(TEXT)),
        "window": required(number(1, 100)),
    },
    "settings": {
        **dict.fromkeys(("skipped", "not_mistyped", "between_courtesies"), TEXTS),
        **dict.fromkeys(_COURTESY_GROUPS, TEXT),
    },
}
"""What the fields of each table may hold; the editors' page says what for."""
_FOUND_BY: Final = {"group": ("any", "seq", *FORM_KINDS), "entry": ("rule", *FORM_KINDS), "stop": FORM_KINDS}


def check(raw: Raw) -> list[Finding]:
    """Errors of structure: unknown fields, values of the wrong kind, missing fields, ids and references."""
    return _checked(raw)[0]


def _checked(raw: Raw) -> tuple[list[Finding], Raw]:
    """Every error of structure, and the data without its faulty fields, in which all others may be looked at."""
    found: list[Finding] = []
    sound = {
        **raw,
        **{name: [_sound(name, table, found) for table in raw[name]] for name in (*_NAMED, "context")},
        "settings": _sound_fields("[settings]", raw["settings"], _FIELDS["settings"], found),
        "negation": raw["negation"] and _sound_fields("[negation]", raw["negation"], _FIELDS["negation"], found),
    }
    if not raw["negation"]:
        message = "no file holds this table: name the folder that holds context.toml and the others"
        found.append(_error("TABLE_MISSING", "[negation]", message, "لا يوجد هذا الجدول في أي ملف"))
    found += _check_ids(sound)
    found += _check_references(sound)
    found += _check_cycles(sound)
    found += _check_joined(sound["negation"])
    return found, sound


def _sound(name: str, table: Raw, found: list[Finding]) -> Raw:
    """The fields of a table that hold what they should; findings about the others go to ``found``."""
    subject = _name_of(table, name)
    rules = table["rule"] if name == "entry" and TABLES.accepts(table.get("rule")) else []
    # What stands below a rule's header belongs to the rule, whatever it was meant for.
    moved = {k: v for rule in rules for k, v in rule.items() if k in _FIELDS["entry"] and k not in _RULE_FIELDS}
    if moved:
        names = ", ".join(moved)
        message = f"move {names} above the entry's first [[entry.rule]]: what stands below belongs to that rule"
        found.append(_error("MISPLACED", subject, message, f"انقل {names} إلى ما فوق أول [[entry.rule]] في المدخل"))
        table = _with_lists(moved) | dict(table)
    ways = _FOUND_BY.get(name, ())
    # An unknown field is what is left of a misspelt one.
    if ways and not {*ways} & {*table} and {*table} <= {*_FIELDS[name], _PLACE}:
        names = ", ".join(ways)
        message = f"nothing can find it: it needs at least one of {names}"
        found.append(_error("NO_FORM", subject, message, f"لا شيء يعثر عليه: يلزم واحد على الأقل من {names}"))
    sound = _sound_fields(subject, table, _FIELDS[name], found)
    if rules:
        sound["rule"] = [
            _sound_fields(
                subject,
                {k: v for k, v in rule.items() if k not in moved},
                _RULE_FIELDS,
                found,
                f"rule {number}: " if len(rules) > 1 else "",
            )
            for number, rule in enumerate(rules, start=1)
        ]
    return sound


def _name_of(table: Raw, name: str) -> Raw:
    """How a table is named in a finding: by its id, or by its kind where it has none."""
    known = table.get("id")
    return {"id": known if TEXT.accepts(known) else f"[[{name}]]", _PLACE: table.get(_PLACE, "")}


def _sound_fields(
    subject: str | Raw, table: Raw, kinds: Mapping[str, Kind], found: list[Finding], where: str = ""
) -> dict[str, Any]:
    sound = dict(table)
    place = {_PLACE: sound.pop(_PLACE)} if _PLACE in sound else {}
    for fault in faults(sound, kinds):
        found.append(_error(fault.code, subject, where + fault.message, where + fault.message_ar))
        sound.pop(fault.field, None)
    return sound | place


def _check_ids(raw: Raw) -> Iterator[Finding]:
    named = [table for kind in _NAMED for table in raw[kind]]
    for tables in (named, raw["context"]):
        first: dict[str, Raw] = {}
        for table in tables:
            if "id" in table and (other := first.setdefault(table["id"], table)) is not table:
                at = other.get(_PLACE) or "another table"
                message = f"the id is used twice, first in {at}: give this one another, or remove it if it is a copy"
                yield _error("DUPLICATE_ID", table, message, f"المعرّف مكرر، وهو أولًا في {at}: غيّره أو احذف النسخة")


def _check_references(raw: Raw) -> Iterator[Finding]:
    groups = {table["id"] for kind in _NAMED for table in raw[kind] if "id" in table}
    contexts = {table["id"] for table in raw["context"] if "id" in table}

    def missing(subject: str | Raw, names: Iterable[str | None], known: set[str] = groups) -> Iterator[Finding]:
        for name in names:
            if name is not None and name not in known:
                code, what, what_ar = (
                    ("UNKNOWN_GROUP", "group", "مجموعة") if known is groups else ("UNKNOWN_CONTEXT", "context", "سياق")
                )
                near = difflib.get_close_matches(name, sorted(known), n=3)
                hint = f"; there is {', '.join(near)}" if near else f"; the id of a [[{what}]] is needed"
                hint_ar = f"؛ الأقرب إليه: {'، '.join(near)}" if near else ""
                yield _error(code, subject, f"no {what} {name!r}{hint}", f"لا يوجد {what_ar} باسم {name}{hint_ar}")

    for group in raw["group"]:
        yield from missing(group, _members(group))
    for context in raw["context"]:
        yield from missing(context, [context.get("group")])
    for entry in raw["entry"]:
        yield from missing(entry, entry.get("signals_near", ()))
        yield from missing(entry, entry.get("unless", ()), contexts)
        for rule in entry.get("rule", ()):
            parts = rule.get("parts", ())
            yield from missing(entry, parts)
            yield from missing(entry, rule.get("unless", ()), contexts)
            if parts and rule.get("head", 0) >= len(parts):
                message = f"head is {rule['head']}; it counts the parts {parts} from 0 to {len(parts) - 1}"
                yield _error("HEAD", entry, message, f"قيمة الحقل head يجب أن تكون من 0 إلى {len(parts) - 1}")
    yield from missing("[negation]", [raw["negation"].get(key) for key in _NEGATION_GROUPS])
    yield from missing("[settings]", [raw["settings"].get(key) for key in _COURTESY_GROUPS])


def _members(group: Raw) -> Iterator[str]:
    """The groups that a group is made of."""
    return itertools.chain(group.get("any", ()), *group.get("seq", ()))


def _check_cycles(raw: Raw) -> Iterator[Finding]:
    tables = {group["id"]: group for group in raw["group"] if "id" in group}
    try:
        graphlib.TopologicalSorter({name: [*_members(group)] for name, group in tables.items()}).prepare()
    except graphlib.CycleError as error:
        circle = " < ".join(error.args[1])
        message = f"groups are made of one another: {circle}; take one out of the next"
        yield _error("CYCLE", tables[error.args[1][0]], message, f"مجموعات متداخلة: {circle}")


def _check_joined(negation: Raw) -> Iterator[Finding]:
    denials = {*negation.get("negators", ()), *negation.get("adjacent", ())}
    for form in negation.get("joined", ()):
        denial, _, denied = form.partition(" ")
        if denial not in denials or not denied or " " in denied or "*" in denied[:-1]:
            yield _error(
                "JOINED",
                "[negation]",
                f"joined: {form!r} is not one of negators or adjacent, a space, and a word or its beginning with a star",
                f"ليست أداة نفي معروفة تليها مسافة ثم كلمة أو أولها ونجمة: {form}",
            )


BASE_KEYWORDS: Final[Mapping[str, Priority]] = {
    **dict.fromkeys(
        (
            "أمان", "تسريب", "إرسال خاطئ", "إرسال بدون موافقة", "بدون موافقتي", "secret", "leak", "data breach", "outage",
            "completely down", "live charge", "charge بدون موافقة", "unauthorized",
        ),
        Priority.P0,
    ),
    **dict.fromkeys(
        ("service down", "خدمة معطلة", "service failed", "Pilot stopped", "Proof Pack مفقود"), Priority.P1
    ),
    **dict.fromkeys(("connector", "Gmail", "Calendar", "Sheets", "WhatsApp setup", "Moyasar invoice"), Priority.P2),
}  # fmt: skip
"""What every lexicon must find, and at which priority (spec, section 1)."""


def lint(raw: Raw) -> list[Finding]:
    """Everything an editor should know, errors first; ``raw`` may be data that ``load_lexicon`` refuses.

    Beyond the structure: base keywords that are missing, weakened or have another priority, forms that no text can hold,
    that two priorities claim, that a fixed phrase swallows or that another entry has already, groups that nothing uses,
    weights and phrases that are missing or cannot be read.
    """
    found, sound = _checked(raw)
    found += _lint_base(sound)
    found += _lint_forms(sound)
    found += _lint_claims(sound)
    found += _lint_unused(sound)
    found += _lint_learnt(sound)
    return sorted(set(found), key=lambda f: (f.severity is not Severity.ERROR, f.subject, f.code, f.message, f.place))


def _lint_base(raw: Raw) -> Iterator[Finding]:
    entries = {entry.get("keyword"): entry for entry in raw["entry"] if entry.get("base")}
    for keyword, priority in BASE_KEYWORDS.items():
        entry = entries.pop(keyword, None)
        tokens = tuple(arabic.words(keyword))
        if entry is None:
            yield _error("BASE_MISSING", keyword, "a base keyword has no entry", "كلمة أساسية بلا مدخل")
            continue
        if entry.get("priority", priority) != priority:
            yield _error("BASE_PRIORITY", entry, f"the priority must be {priority}", f"يجب أن تكون أولويتها {priority}")
        if not any(tokens in set(expand(form, kind)) for form, kind in _form_list(entry)):
            yield _error(
                "BASE_FORM", entry, f"its own spelling, {keyword}, is not among its forms", "صيغتها الأصلية غير مدرجة"
            )
        if entry.get("unless"):
            yield _error(
                "BASE_SILENCED", entry, "a base keyword takes no contexts: remove unless", "لا يجوز إسكات كلمة أساسية"
            )
        if entry.get("negation") == "none":
            message = "a base keyword can be denied: negation is window or adjacent"
            yield _error("BASE_UNDENIED", entry, message, "الكلمة الأساسية تُنفى: negation هو window أو adjacent")
    for keyword, entry in entries.items():
        if keyword is not None:
            message = f"{keyword} is none of the base keywords: remove base"
            yield _error("BASE_UNKNOWN", entry, message, f"ليست {keyword} من الكلمات الأساسية: احذف base")


def _lint_forms(raw: Raw) -> Iterator[Finding]:
    for table in itertools.chain(raw["group"], raw["entry"], raw["stop"]):
        for form, kind in _form_list(table):
            if fault := form_fault(form):
                yield _error("EMPTY_FORM", table, f"no text holds {form!r}: {fault[0]}", f"«{form}»: {fault[1]}")
            elif kind in INFLECTED and not any(map(is_arabic, form.replace("/", " ").split())):
                yield _warning(
                    "NOT_INFLECTED",
                    table,
                    f"{form!r} is not Arabic, so {kind} makes nothing from it: write each of its forms under words",
                    f"«{form}» ليست عربية فلا يُشتق منها في {kind}: اكتب صيغها كلها في words",
                )


def _lint_claims(raw: Raw) -> Iterator[Finding]:
    """What is found by a form must be one thing, and no more than one entry should name it."""
    stops = {tokens: stop for stop in raw["stop"] for form, kind in _form_list(stop) for tokens in expand(form, kind)}
    claimed: dict[tuple[str, ...], Raw] = {}
    spelt: dict[tuple[str, ...], Raw] = {}
    for entry in raw["entry"]:
        for form, kind in _form_list(entry):
            written = [*expand(form, kind)]
            owners = [claimed.setdefault(tokens, entry) for tokens in written]
            for other in {owner.get("id"): owner for owner in owners if not _agree(owner, entry)}.values():
                here, there, named = entry["priority"], other["priority"], _named(other)
                yield _error(
                    "COLLISION",
                    entry,
                    f"{form!r} is {here} here and {there} in {named}: remove it from one of them",
                    f"«{form}» بأولويتين: {here} هنا و{there} في {named}",
                )
            if swallowing := next((stops[tokens] for tokens in written if tokens in stops), None):
                yield _error(
                    "SWALLOWED",
                    entry,
                    f"{form!r} is swallowed by the fixed phrase of {_named(swallowing)}: remove it from one of them",
                    f"«{form}» تبتلعها عبارة ثابتة في {_named(swallowing)}",
                )
            # A finding that has no signal which the one before it lacks is not shown.
            first = [spelt.setdefault(tokens, entry) for tokens in expand(form, "words")]
            if first and all(owner is not entry and _says_as_much(owner, entry) for owner in first):
                yield _warning(
                    "KNOWN_FORM",
                    entry,
                    f"{form!r} is in {_named(first[0])} already, whose keyword is shown: remove it from one of them",
                    f"«{form}» موجودة في {_named(first[0])} وتظهر كلمتها: احذفها من أحدهما",
                )


def _named(table: Raw) -> str:
    return " ".join([name for name in (table.get("id"), table.get(_PLACE)) if name])


def _agree(one: Raw, other: Raw) -> bool:
    return not ("priority" in one and "priority" in other) or one["priority"] == other["priority"]


def _says_as_much(first: Raw, other: Raw) -> bool:
    return _agree(first, other) and {*first.get("signals", ())} >= {*other.get("signals", ())}


def _lint_unused(raw: Raw) -> Iterator[Finding]:
    made_of = {group.get("id"): [*_members(group)] for group in raw["group"]}
    open_ = [raw["negation"].get(key) for key in _NEGATION_GROUPS]
    open_ += [raw["settings"].get(key) for key in _COURTESY_GROUPS]
    open_ += [context.get("group") for context in raw["context"]]
    for entry in raw["entry"]:
        open_ += itertools.chain(entry.get("signals_near", ()), *(r.get("parts", ()) for r in entry.get("rule", ())))
    used = set()
    while open_:
        name = open_.pop()
        if name not in used:
            used.add(name)
            open_ += made_of.get(name, ())
    for group in raw["group"]:
        if group.get("id") not in used:
            yield _warning("UNUSED", group, "nothing uses this group", "لا شيء يستخدم هذه المجموعة")


def _lint_learnt(raw: Raw) -> Iterator[Finding]:
    for name, content, module in (
        (weights.FILE, raw.get("weights", ""), "weigh"),
        (phrases.FILE, raw.get("phrases", b""), "weigh_phrases"),
    ):
        if not content.strip():
            yield _warning(
                "NOT_LEARNT",
                name,
                f"missing or empty, so forms and rules decide alone: restore it, or run python -m tests.classifier.{module}",
                f"الملف ناقص أو فارغ، فتحكم الصيغ والقواعد وحدها: أعده أو شغّل python -m tests.classifier.{module}",
            )
    for fault in weights.faults(raw.get("weights", "")):
        yield _error("BAD_WEIGHT", weights.FILE, fault, "سطر غير مقروء في جدول أوزان الكلمات")
    if fault := phrases.fault(raw.get("phrases", b"")):
        yield _error("BAD_PHRASES", phrases.FILE, fault, "ملف غير مقروء لأوزان العبارات")


# --- compiling --------------------------------------------------------------------------------------------------------


def _form_list(table: Raw) -> Iterator[tuple[str, str]]:
    for kind in FORM_KINDS:
        for form in table.get(kind, ()):
            yield form, kind


def compile_lexicon(raw: Raw, version: str) -> Lexicon:
    """Compile checked data; raises LexiconError with every structural error."""
    problems = check(raw)
    if problems:
        raise LexiconError(problems)
    return _collecting_later(lambda: _assembled(raw, version, _words(raw)))


def _collecting_later(make: Callable[[], Lexicon]) -> Lexicon:
    # A lexicon is a hundred thousand objects that all stay; collecting garbage meanwhile would double its time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return make()
    finally:
        fold_word.cache_clear()
        if collecting:
            gc.enable()


def _names(raw: Raw) -> dict[str, int]:
    ids = [table["id"] for kind in _NAMED for table in raw[kind]]
    return {name: number for number, name in enumerate(ids)}


def _words(raw: Raw) -> Words:
    names = _names(raw)
    unions = _unions(raw, names)
    used = _used(raw, names)
    builder = TrieBuilder()
    literals: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for kind in _NAMED:
        for index, table in enumerate(raw[kind]):
            group = names[table["id"]]
            targets = unions[group] & used
            count = builder.add(_form_list(table), mask_of(targets))
            if not count:
                continue
            if kind == "entry":
                literals[group] = index
            for target in targets:
                sizes[target] = sizes.get(target, 0) + count
    return Words(builder.build(), builder.branches, sizes, literals, _only_arabizi(raw))


def _assembled(raw: Raw, version: str, words: Words) -> Lexicon:
    names = _names(raw)
    literals = words.literals
    sizes = words.sizes
    contexts = {
        table["id"]: Context(
            group=names[table["group"]],
            where=table["where"],
            within=table.get("within", 6),
            clause=table.get("clause", True),
        )
        for table in raw["context"]
    }
    sequences = _sequences(raw, names, _unions(raw, names))
    entries = []
    rules: dict[int, list[Rule]] = {}
    for index, table in enumerate(raw["entry"]):
        entries.append(_entry(table, names))
        group = names[table["id"]]
        shared = tuple(contexts[name] for name in table.get("unless", ()))
        if group in literals:
            rule = Rule((group,), True, 0, 0, 0, shared, index, group, 1 << group)
            rules.setdefault(group, []).append(rule)
        for spec in table.get("rule", ()):
            parts = tuple(names[name] for name in spec["parts"])
            # The rarest part decides which rules are looked at for a text at all.
            anchor = min(parts, key=lambda part: sizes.get(part, 1_000))
            rules.setdefault(anchor, []).append(
                Rule(
                    parts=parts,
                    ordered=spec.get("order", "any") == "given",
                    within=spec.get("within", 6),
                    across=spec.get("across", 0),
                    head=spec.get("head", 0),
                    contexts=shared + tuple(contexts[name] for name in spec.get("unless", ())),
                    entry=index,
                    anchor=anchor,
                    needs=mask_of(parts),
                )
            )
    return Lexicon(
        version=version,
        trie=words.trie,
        group_names=tuple(names),
        entries=tuple(entries),
        rules={anchor: tuple(found) for anchor, found in rules.items()},
        sequences=sequences,
        stops=frozenset(names[table["id"]] for table in raw["stop"]),
        literals=literals,
        negation=_negation(raw["negation"], names),
        courtesy=_courtesy(raw["settings"], names),
        skipped=_tokens(raw["settings"].get("skipped", ())),
        not_mistyped=_tokens(raw["settings"].get("not_mistyped", ())),
        arabizi=words.arabizi,
        branches=words.branches,
        forms=len(words.trie),
        weights=weights.read(raw.get("weights", "")),
        phrases=phrases.Phrases(raw.get("phrases", b"")),
    )


def _only_arabizi(raw: Raw) -> frozenset[str]:
    """Tokens of the forms in Latin letters that no English form has."""
    written: dict[bool, list[str]] = {True: [], False: []}
    for table in itertools.chain(raw["group"], raw["entry"], raw["stop"]):
        for kind in FORM_KINDS:
            written[kind == "arabizi"] += table.get(kind, ())
    latin = {arabizi: set(_LATIN_WORD.findall(" ".join(forms).lower())) for arabizi, forms in written.items()}
    return frozenset(latin[True] - latin[False])


def _used(raw: Raw, names: Mapping[str, int]) -> set[int]:
    """The groups that something asks for by name; a word need not report the others."""
    wanted: set[str] = {raw["negation"][key] for key in _NEGATION_GROUPS}
    wanted.update(raw["settings"][key] for key in _COURTESY_GROUPS if key in raw["settings"])
    wanted.update(context["group"] for context in raw["context"])
    wanted.update(part for group in raw["group"] for parts in group.get("seq", ()) for part in parts)
    wanted.update(stop["id"] for stop in raw["stop"])
    for entry in raw["entry"]:
        wanted.add(entry["id"])
        wanted.update(entry.get("signals_near", ()), *(rule["parts"] for rule in entry.get("rule", ())))
    return {names[name] for name in wanted}


def _unions(raw: Raw, names: Mapping[str, int]) -> dict[int, set[int]]:
    """Which groups an occurrence of each group counts for: itself and every union that holds it."""
    parents: dict[int, set[int]] = {index: set() for index in names.values()}
    for group in raw["group"]:
        for member in group.get("any", ()):
            parents[names[member]].add(names[group["id"]])
    result: dict[int, set[int]] = {}
    for index in parents:
        seen = {index}
        open_ = [index]
        while open_:
            for parent in parents[open_.pop()]:
                if parent not in seen:
                    seen.add(parent)
                    open_.append(parent)
        result[index] = seen
    return result


def _sequences(raw: Raw, names: Mapping[str, int], unions: Mapping[int, set[int]]) -> tuple[Chain, ...]:
    found = [
        Chain(
            group=names[group["id"]],
            parts=tuple(names[part] for part in parts),
            gap=group.get("gap", 0),
            unions=tuple(sorted(unions[names[group["id"]]])),
            needs=mask_of(names[part] for part in parts),
            gives=mask_of(unions[names[group["id"]]]),
        )
        for group in raw["group"]
        for parts in group.get("seq", ())
    ]
    # A sequence is computed after those that it is made of; `check` refuses circles.
    ordered: list[Chain] = []
    rest = found
    while rest:
        produced = {target for sequence in rest for target in sequence.unions}
        ready = [sequence for sequence in rest if not produced.intersection(sequence.parts)]
        ordered += ready
        rest = [sequence for sequence in rest if sequence not in ready]
    return tuple(ordered)


def _entry(table: Raw, names: Mapping[str, int]) -> Entry:
    return Entry(
        id=table["id"],
        keyword=table["keyword"],
        priority=Priority(table["priority"]),
        signals=tuple(Signal(s) for s in table["signals"]),
        base=table.get("base", False),
        always=table.get("always", False),
        negation=table.get("negation", "window"),
        language=_language(table["keyword"]),
        meaning_ar=table["meaning_ar"],
        meaning_en=table["meaning_en"],
        signals_near=tuple(
            (names[group], tuple(Signal(s) for s in signals))
            for group, signals in table.get("signals_near", {}).items()
        ),
    )


def _language(text: str) -> str:
    tokens = list(arabic.words(text))
    kinds = {is_arabic(token) for token in tokens}
    return "mixed" if len(kinds) == 2 else "ar" if True in kinds else "en"


def _tokens(forms: Iterable[str]) -> frozenset[str]:
    return frozenset(token for form in forms for token in fold_word(form))


def _courtesy(settings: Raw, names: Mapping[str, int]) -> Courtesy:
    groups = {key: mask_of([names[settings[key]]] if key in settings else []) for key in _COURTESY_GROUPS}
    return Courtesy(**groups, between=_tokens(settings.get("between_courtesies", ())))


def _joined(forms: Iterable[str]) -> dict[str, int]:
    found = {}
    for form in forms:
        denial, _, denied = form.partition(" ")
        ending = "*" if denied.endswith("*") else ""
        for written in surface_of(denial, "words"):
            found[written + "".join(fold_word(denied.removesuffix("*"))) + ending] = len(written)
    return found


def _negation(table: Raw, names: Mapping[str, int]) -> Negation:
    return Negation(
        window=table["window"],
        negators=frozenset(t for form in table["negators"] for t in surface_of(form, "words")),
        adjacent=frozenset(t for form in table["adjacent"] for t in surface_of(form, "words")),
        joined=_joined(table["joined"]),
        breaks=_tokens(table["breaks"]),
        fillers=_tokens(table["fillers"]),
        coordinators=_tokens(table["coordinators"]),
        joins=_tokens(table["joins"]),
        copulas=_tokens(table["copulas"]),
        interjections=_tokens(table["interjections"]),
        interjection_followers=_tokens(table["interjection_followers"]),
        hedges=names[table["hedges"]],
        denied_after=names[table["denied_after"]],
        denied_at_end=names[table["denied_at_end"]],
        fine=names[table["fine"]],
        pseudo=names[table["pseudo"]],
        supposed=names[table["supposed"]],
        taken_back=names[table["taken_back"]],
        elsewhere=names[table["elsewhere"]],
        turns=frozenset(t for form in table["turns"] for t in surface_of(form, "words")),
    )
