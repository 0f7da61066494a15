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

import gc
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
from services.support.domain.forms import (
    FORM_KINDS,
    Branches,
    Trie,
    TrieBuilder,
    Words,
    dumped,
    expand,
    fold_word,
    is_arabic,
    loaded,
    mask_of,
    surface_of,
)
from services.support.domain.priorities import Priority

DEFAULT_DIRECTORY: Final = Path(__file__).resolve().parent.parent / "lexicon"

Raw = Mapping[str, Any]
_NAMED = ("group", "entry", "stop")
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
    """One remark of the linter: where (entry or group id), a stable code, one sentence in each language."""

    severity: Severity
    code: str
    subject: str
    message: str
    message_ar: str


class LexiconError(Exception):
    """The data does not make a lexicon; ``findings`` holds every error."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{f.subject}: {f.message}" for f in findings))


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

    ``sign_offs`` are closings after which the writer's name and address may follow. All are groups as bits, 0 where a
    lexicon has none; ``between``: folded tokens that may stand beside them in a clause.
    """

    greetings: int
    closings: int
    sign_offs: int
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
            data = tomllib.loads(content.decode("utf-8").replace("\r\n", "\n"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            problems.append(_error("UNREADABLE", name, f"not valid TOML in UTF-8: {error}", "الملف غير صالح"))
            continue
        for key, value in data.items():
            if key not in merged:
                problems.append(_error("UNKNOWN_TABLE", name, f"unknown table {key!r}", "جدول غير معروف"))
            elif isinstance(merged[key], list):
                merged[key].extend(value)
            else:
                merged[key].update(value)
    if not tables:
        problems.append(_error("EMPTY", directory.name, "no .toml file found", "لا توجد ملفات"))
    if problems:
        raise LexiconError(problems)
    for key in _NAMED:
        merged[key] = [_with_lists(table) for table in merged[key]]
    return merged | _learnt(files)


def _learnt(files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "weights": files.get(weights.FILE, b"").decode("utf-8").replace("\r\n", "\n"),
        "phrases": files.get(phrases.FILE, b""),
    }


def _with_lists(table: Raw) -> Raw:
    """A table with its forms as lists: they may be written as one text, which is read in half the time."""
    listed = dict(table)
    for kind in FORM_KINDS:
        forms = table.get(kind)
        if isinstance(forms, str):
            # Spaces are put right in the whole text, which takes a fifth of doing it form by form.
            forms = " ".join(forms.replace("،", ",").split()).split(",")
            listed[kind] = [form for written in forms if (form := written.strip(" "))]
        elif forms is not None:
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
        key: [{k: v for k, v in table.items() if k not in FORM_KINDS} for table in value]
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


def _error(code: str, subject: str, message: str, message_ar: str) -> Finding:
    return Finding(Severity.ERROR, code, subject, message, message_ar)


def _warning(code: str, subject: str, message: str, message_ar: str) -> Finding:
    return Finding(Severity.WARNING, code, subject, message, message_ar)


_GROUP_KEYS = {"id", "any", "seq", "gap", "notes", *FORM_KINDS}
_ENTRY_KEYS = {
    "id", "keyword", "priority", "signals", "signals_near", "base", "negation", "meaning_ar", "meaning_en", "rule",
    "unless", "notes", *FORM_KINDS,
}  # fmt: skip
_RULE_KEYS = {"parts", "order", "within", "across", "head", "unless", "notes"}
_CONTEXT_KEYS = {"id", "group", "where", "within", "clause", "notes"}
_STOP_KEYS = {"id", "notes", *FORM_KINDS}
_PLACES = {"before", "after", "near", "inside", "later"}
_NEGATION_GROUPS = ("hedges", "denied_after", "denied_at_end", "fine", "pseudo", "supposed", "taken_back", "elsewhere")
_COURTESY_GROUPS = ("greetings", "closings", "sign_offs")
_SETTINGS = {"skipped", "between_courtesies", *_COURTESY_GROUPS}
_NEGATION_KEYS = {field.name for field in fields(Negation)}
_NEGATION_MODES = {"window", "adjacent", "none"}


def check(raw: Raw) -> list[Finding]:
    """Errors of structure: unknown keys, ids, references, priorities, signals; texts that are missing."""
    found: list[Finding] = []
    ids: dict[str, str] = {}

    def keys(kind: str, subject: str, table: Mapping[str, Any], allowed: set[str]) -> None:
        for key in sorted(set(table) - allowed):
            found.append(_error("UNKNOWN_KEY", subject, f"{kind} has no field {key!r}", f"لا يوجد حقل باسم {key}"))

    for kind, allowed in (("group", _GROUP_KEYS), ("entry", _ENTRY_KEYS), ("stop", _STOP_KEYS)):
        for table in raw[kind]:
            subject = str(table.get("id", ""))
            keys(kind, subject or kind, table, allowed)
            if not subject:
                found.append(_error("NO_ID", kind, f"a {kind} without id", "عنصر بلا معرّف"))
            elif subject in ids:
                found.append(_error("DUPLICATE_ID", subject, "the id is used twice", "المعرّف مكرر"))
            ids[subject] = kind
    contexts = set()
    for table in raw["context"]:
        subject = str(table.get("id", "context"))
        keys("context", subject, table, _CONTEXT_KEYS)
        contexts.add(subject)
        if table.get("group") not in ids:
            found.append(_error("UNKNOWN_GROUP", subject, f"no group {table.get('group')!r}", "مجموعة غير معروفة"))
        if table.get("where") not in _PLACES:
            found.append(_error("UNKNOWN_PLACE", subject, f"where must be one of {sorted(_PLACES)}", "موضع غير معروف"))

    def references(subject: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in ids:
                found.append(_error("UNKNOWN_GROUP", subject, f"no group {name!r}", f"لا توجد مجموعة باسم {name}"))

    for group in raw["group"]:
        references(group.get("id", "group"), group.get("any", []))
        for sequence in group.get("seq", []):
            references(group.get("id", "group"), sequence)
    for entry in raw["entry"]:
        subject = str(entry.get("id", "entry"))
        if entry.get("priority") not in Priority.__members__ or entry.get("priority") == "P3":
            found.append(_error("UNKNOWN_PRIORITY", subject, "priority must be P0, P1 or P2", "أولوية غير معروفة"))
        for signal in itertools.chain(entry.get("signals", []), *entry.get("signals_near", {}).values()):
            if signal not in Signal.__members__:
                found.append(_error("UNKNOWN_SIGNAL", subject, f"no signal {signal!r}", f"إشارة غير معروفة: {signal}"))
        references(subject, entry.get("signals_near", {}))
        for text in ("keyword", "meaning_ar", "meaning_en"):
            if not str(entry.get(text, "")).strip():
                found.append(_error("TEXT_MISSING", subject, f"{text} is missing", f"الحقل {text} فارغ"))
        if not entry.get("signals"):
            found.append(_error("NO_SIGNAL", subject, "at least one signal is needed", "لا بد من إشارة واحدة"))
        if entry.get("negation", "window") not in _NEGATION_MODES:
            found.append(_error("UNKNOWN_NEGATION", subject, f"one of {sorted(_NEGATION_MODES)}", "نوع نفي غير معروف"))
        if not entry.get("rule") and not any(entry.get(kind) for kind in FORM_KINDS):
            found.append(_error("NO_FORM", subject, "neither a form nor a rule finds it", "لا صيغة ولا قاعدة"))
        names = list(entry.get("unless", []))
        for rule in entry.get("rule", []):
            keys("rule", subject, rule, _RULE_KEYS)
            references(subject, rule.get("parts", []))
            if not rule.get("parts"):
                found.append(_error("NO_PARTS", subject, "a rule needs parts", "قاعدة بلا أجزاء"))
            if not 0 <= rule.get("head", 0) < max(1, len(rule.get("parts", []))):
                found.append(_error("HEAD", subject, "head is not one of the parts", "رقم الجزء الرئيس خطأ"))
            if rule.get("order", "any") not in ("any", "given"):
                found.append(_error("ORDER", subject, "order must be any or given", "الترتيب غير معروف"))
            names += rule.get("unless", [])
        for name in names:
            if name not in contexts:
                found.append(_error("UNKNOWN_CONTEXT", subject, f"no context {name!r}", f"سياق غير معروف: {name}"))
    settings = raw["settings"]
    keys("settings", "settings", settings, _SETTINGS)
    references("settings", [settings[key] for key in _COURTESY_GROUPS if key in settings])
    negation = raw["negation"]
    keys("negation", "negation", negation, _NEGATION_KEYS)
    for key in sorted(_NEGATION_KEYS.difference(negation, _NEGATION_GROUPS)):
        found.append(_error("FIELD_MISSING", "negation", f"{key} is missing", f"الحقل {key} ناقص"))
    for key in _NEGATION_GROUPS:
        references("negation", [negation.get(key, "")])
    denials = {*negation.get("negators", ()), *negation.get("adjacent", ())}
    for form in negation.get("joined", ()):
        denial, _, denied = form.partition(" ")
        if denial not in denials or not denied or " " in denied or "*" in denied[:-1]:
            found.append(
                _error(
                    "JOINED",
                    "negation",
                    f"joined: {form!r} is not one of negators or adjacent, a space, and a word or its beginning with a star",
                    f"ليست أداة نفي معروفة تليها مسافة ثم كلمة أو أولها ونجمة: {form}",
                )
            )
    return found


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

    Beyond the structure: base keywords that are missing or have another priority, forms that fold to nothing, forms
    that two priorities claim, forms that a fixed phrase swallows, groups that nothing uses.
    """
    found = check(raw)
    found += _lint_base(raw)
    claimed: dict[tuple[str, ...], tuple[str, str]] = {}
    stops = {
        tokens: stop["id"] for stop in raw["stop"] for form, kind in _form_list(stop) for tokens in expand(form, kind)
    }
    for table in itertools.chain(raw["group"], raw["entry"], raw["stop"]):
        subject = str(table.get("id", ""))
        for form, _ in _form_list(table):
            if not any(fold_word(word) for word in str(form).split()):
                found.append(
                    _error(
                        "EMPTY_FORM",
                        subject,
                        f"{form!r} folds to nothing",
                        f"الصيغة {form!r} لا تترك أي حرف بعد التوحيد",
                    )
                )
    for entry in raw["entry"]:
        subject = str(entry.get("id", ""))
        priority = str(entry.get("priority", ""))
        for form, kind in _form_list(entry):
            for tokens in expand(form, kind):
                shown = " ".join(tokens)
                first = claimed.setdefault(tokens, (priority, subject))
                if first[0] != priority:
                    found.append(
                        _error(
                            "COLLISION",
                            subject,
                            f"{shown!r} is {priority} here and {first[0]} in {first[1]}",
                            f"«{shown}» بأولويتين: {priority} هنا و{first[0]} في {first[1]}",
                        )
                    )
                if tokens in stops:
                    found.append(
                        _error(
                            "SWALLOWED",
                            subject,
                            f"{shown!r} is swallowed by the fixed phrase of {stops[tokens]}",
                            f"«{shown}» تبتلعها عبارة ثابتة في {stops[tokens]}",
                        )
                    )
    found += _lint_unused(raw)
    found += [
        _error("BAD_WEIGHT", weights.FILE, fault, "سطر غير مقروء في جدول أوزان الكلمات")
        for fault in weights.faults(raw.get("weights", ""))
    ]
    if fault := phrases.fault(raw.get("phrases", b"")):
        found.append(_error("BAD_PHRASES", phrases.FILE, fault, "ملف غير مقروء لأوزان العبارات"))
    return sorted(set(found), key=lambda f: (f.severity is not Severity.ERROR, f.subject, f.code, f.message))


def _lint_base(raw: Raw) -> Iterator[Finding]:
    entries = {entry.get("keyword"): entry for entry in raw["entry"] if entry.get("base")}
    for keyword, priority in BASE_KEYWORDS.items():
        entry = entries.get(keyword)
        tokens = tuple(arabic.words(keyword))
        if entry is None:
            yield _error("BASE_MISSING", keyword, "a base keyword has no entry", "كلمة أساسية بلا مدخل")
        elif entry.get("priority") != priority:
            yield _error("BASE_PRIORITY", keyword, f"must be {priority}", f"يجب أن تكون أولويتها {priority}")
        elif not any(tokens in set(expand(form, kind)) for form, kind in _form_list(entry)):
            yield _error("BASE_FORM", keyword, "its own spelling is not among its forms", "صيغتها الأصلية غير مدرجة")
        elif entry.get("unless"):
            yield _error("BASE_SILENCED", keyword, "a base keyword takes no contexts", "لا يجوز إسكات كلمة أساسية")


def _lint_unused(raw: Raw) -> Iterator[Finding]:
    used = {raw["negation"].get(key) for key in _NEGATION_GROUPS}
    used |= {raw["settings"].get(key) for key in _COURTESY_GROUPS}
    used |= {context.get("group") for context in raw["context"]}
    for group in raw["group"]:
        used.update(group.get("any", ()), *group.get("seq", ()))
    for entry in raw["entry"]:
        used.update(entry.get("signals_near", ()), *(rule.get("parts", ()) for rule in entry.get("rule", ())))
    for group in raw["group"]:
        if group.get("id") not in used:
            yield _warning("UNUSED", str(group.get("id")), "nothing uses this group", "لا شيء يستخدم هذه المجموعة")


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
    # A sequence is computed after those that it is made of.
    ordered: list[Chain] = []
    rest = found
    while rest:
        produced = {target for sequence in rest for target in sequence.unions}
        ready = [sequence for sequence in rest if not produced.intersection(sequence.parts)]
        if not ready:
            subjects = sorted({list(names)[sequence.group] for sequence in rest})
            raise LexiconError(
                [_error("CYCLE", name, "groups are made of one another", "مجموعات متداخلة") for name in subjects]
            )
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
