"""The lexicon of the ticket classifier: data in TOML, checked, compiled to a token trie, versioned by content.

Editors read ``services/support/LEXICON.md``. In short, the files of one directory together hold

* ``[[group]]``: words that mean the same for a rule, written out (``words``, ``nouns``, ``owned``, ``verbs``), joined
  from other groups (``any``) or adjacent groups (``seq``);
* ``[[context]]``: surroundings in which a rule does not speak (a hypothetical question, a metric as the subject);
* ``[[entry]]``: a canonical keyword with priority, signals and meaning, and the forms or rules that find it;
* ``[[stop]]``: fixed phrases in which a keyword means something else («في أمان الله»);
* ``[negation]``: words that deny, words that end a denial, and the window.

Arabic forms are expanded when the lexicon is loaded (clitics, possessives, object suffixes); nothing is stemmed.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import itertools
import re
import threading
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from services.domain import arabic
from services.support.domain import phrases, weights
from services.support.domain.priorities import Priority

DEFAULT_DIRECTORY: Final = Path(__file__).resolve().parent.parent / "lexicon"

Raw = Mapping[str, Any]
Node = tuple[tuple[int, ...], int, int, int]
Trie = dict[str, Node]
_Rest = tuple[int, str, bool]
"""What may follow: the groups that it ends in, as bits; the further words as they are written; whether articles may join."""


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
    """Sets of folded tokens; see the editors' page for what each is for."""

    window: int
    negators: frozenset[str]
    adjacent: frozenset[str]
    breaks: frozenset[str]
    fillers: frozenset[str]
    coordinators: frozenset[str]
    interjections: frozenset[str]
    interjection_followers: frozenset[str]
    hedges: int
    denied_after: int
    denied_at_end: int
    fine: int
    pseudo: int


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
    skipped: frozenset[str]
    arabizi: frozenset[str]
    branches: Branches
    forms: int
    weights: weights.Weights
    phrases: phrases.Phrases


# --- forms ------------------------------------------------------------------------------------------------------------

JOINS_WAW: Final = 1
JOINS_FA: Final = 2
_BOTH = JOINS_WAW | JOINS_FA
_LATIN_WORD = re.compile("[a-z0-9']+")
_JOINS = {"و": JOINS_WAW, "ف": JOINS_FA}
_ARTICLES = ("", "ال", "بال", "كال", "لل", "ب", "ل", "ك")
_DIALECT_ARTICLES = ("عال", "بهال", "لهال")
_POSSESSIVES = ("ي", "نا", "ك", "كم", "ه", "ها", "هم")
_OBJECTS = ("ه", "ها", "هم", "ني", "نا", "ك", "كم", "لي", "لنا", "لك", "لكم", "له", "لها", "لهم")
_PAST = ("", "ت", "توا", "تو", "تم", "وا", "و", "نا")
_PRESENT = tuple(p + "{}" + e for p in "يتنا" for e in ("", "ون", "وا", "و"))
_SHORT_OBJECTS = ("ه", "ها", "هم", "ني", "نا")
ANY_WORD: Final = "*"
"""As a further word of a form: any one word; «ل*»: any word that begins so."""
FOR_ANYONE: Final = "ل*"
_FORM_KINDS = ("words", "nouns", "owned", "bare", "verbs", "past", "present", "arabizi")


def _is_arabic(word: str) -> bool:
    return bool(word) and "\u0600" <= word[0] <= "\u06ff"


def _choices(form: str) -> Iterator[list[list[str]]]:
    """Read ``a/b`` (either) and ``a?`` (may be missing): for each word that is there, its spellings."""
    words = [(word.removesuffix("?").split("/"), word.endswith("?")) for word in form.split()]
    if not any(optional for _, optional in words):
        yield [options for options, _ in words]
        return
    for present in itertools.product(*(((True, False) if optional else (True,)) for _, optional in words)):
        yield [options for (options, _), there in zip(words, present, strict=True) if there]


@functools.lru_cache(maxsize=16_384)
def _fold_word(word: str) -> tuple[str, ...]:
    folded = arabic.fold(word)
    # Nearly every word is one token of one script.
    if folded.isalpha() and (folded.isascii() or min(folded) >= "\u0621"):
        return (folded,)
    return tuple(arabic.tokenize(folded))


def _one(word: str) -> str:
    return "".join(_fold_word(word))


def _prefixed(prefix: str, word: str) -> str:
    # Two lams of preposition and article swallow the word's own: للوحة, not لللوحة.
    return prefix + word[1:] if prefix.endswith("لل") and word.startswith("ل") else prefix + word


def _with_suffix(word: str, folded: str) -> str:
    return folded[:-1] + "ت" if word.endswith("ة") else folded


def _stems(word: str, kind: str, folded: str) -> list[tuple[int, list[str]]]:
    """The tokens that a first word of a kind may be written as, folded, by the conjunctions that may be joined to them.

    Keeping those apart from the tokens makes the lexicon three times smaller.
    """
    if not _is_arabic(folded):
        return [(0, [folded])]
    if kind == "words":
        return [(_BOTH, [folded])]
    if kind == "bare":
        stem = _with_suffix(word, folded)
        return [(0, [folded, "ال" + folded, *[stem + suffix for suffix in _POSSESSIVES]])]
    if kind == "verbs":
        stem = folded[:-1] if folded.endswith("وا") else folded
        return [(_BOTH, [folded, *[stem + suffix for suffix in _OBJECTS]])]
    if kind in ("past", "present"):
        endings = [folded + e for e in _PAST] if kind == "past" else [p.format(folded) for p in _PRESENT]
        return [
            (
                JOINS_WAW,
                [form for e in endings for form in (e, *[e.removesuffix("ا") + o for o in _SHORT_OBJECTS])],
            )
        ]
    forms = [_prefixed(article, folded) for article in _ARTICLES]
    if folded[-1] not in "اه":
        forms.append(folded + "ا")  # the accusative, تسريبًا
    if kind == "owned":
        stems = [_with_suffix(word, folded)]
        if folded.endswith("اء"):
            stems += [folded[:-1] + seat for seat in "يو"]  # the hamza's seat follows the case: عملائنا، عملاؤنا
        forms += [prefix + stem + suffix for prefix in ("", "ب", "ل") for stem in stems for suffix in _POSSESSIVES]
    dialect = [_prefixed(article, folded) for article in _DIALECT_ARTICLES]
    return [(_BOTH, forms), (JOINS_WAW, [_prefixed("هال", folded)]), (0, dialect)]


def _surface(word: str, kind: str) -> list[str]:
    """All tokens that a first word of a kind may be written as, conjunctions included."""
    found = []
    for joins, forms in _stems(word, kind, _one(word)):
        found += forms
        for conjunction, bit in _JOINS.items():
            if joins & bit:
                found += [conjunction + form for form in forms]
    return found


def _plan(form: str, kind: str) -> Iterator[tuple[str, str, str, bool]]:
    """A form as (first word, kind of its surface, the further words, whether these take articles).

    All but the first word of nouns is folded; words that are neither nouns nor verbs are expected so.
    """
    plain = kind in ("words", "arabizi")
    if not plain and "?" in form:
        # What is left of a word decides how it is inflected.
        for choices in _choices(form):
            if choices:
                yield from _plan(" ".join("/".join(options) for options in choices), kind)
        return
    nouns = kind in ("nouns", "owned")
    rest = form
    while rest:
        word, _, rest = rest.partition(" ")
        optional = word[-1] == "?"
        options = word.removesuffix("?").split("/")
        surface = "words" if plain or (rest and not nouns and kind != "bare") else "nouns" if nouns and rest else kind
        for option in options:
            if surface == "words":
                tokens = _tokens_of(option)
                if tokens:
                    yield tokens[0], surface, " ".join([*tokens[1:], rest]) if len(tokens) > 1 else rest, nouns
            elif option:
                yield option, surface, rest, nouns
        if not optional:
            return


def _tokens_of(folded: str) -> Sequence[str]:
    """The tokens of a folded word; nearly every one is a single token of one script."""
    if folded.isalpha() and (folded.isascii() or min(folded) >= "\u0621"):
        return (folded,)
    return arabic.tokenize(folded)


def _steps(rest: str, article: bool) -> tuple[bool, list[tuple[str, str]]]:
    """Whether a form may end here, and the tokens that it may go on with, each with what follows it."""
    found: list[tuple[str, str]] = []
    while rest:
        word, _, rest = rest.partition(" ")
        for option in word.removesuffix("?").split("/"):
            if option.endswith(ANY_WORD):
                found.append((option, rest))
                continue
            tokens = _tokens_of(option)
            if len(tokens) == 1:
                token = tokens[0]
                found.append((token, rest))
                if article and _is_arabic(token) and not token.startswith("ال"):
                    found += [("ال" + token, rest), (token + "ا", rest)]
            elif tokens:
                found.append((tokens[0], " ".join([*tokens[1:], rest]).strip()))
        if word[-1] != "?":
            return False, found
    return True, found


def _ends(rest: str) -> bool:
    return not rest or (rest[-1] == "?" and all(word[-1] == "?" for word in rest.split(" ")))


def expand(form: str, kind: str) -> Iterator[tuple[str, ...]]:
    """All token sequences that a form of a kind stands for, folded."""

    def tails(rest: str, article: bool) -> Iterator[tuple[str, ...]]:
        may_end, steps = _steps(rest, article)
        if may_end:
            yield ()
        for token, more in steps:
            for tail in tails(more, article):
                yield token, *tail

    for ready, form_kind in _folded([(form, kind)]):
        for first, surface, rest, article in _plan(ready, form_kind):
            yield from ((token, *tail) for token in _surface(first, surface) for tail in tails(rest, article))


def _folded(forms: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Forms as ``_plan`` takes them: words folded, a hundred at a time, which costs a fifth of doing it one by one."""
    plain: dict[str, list[str]] = {}
    for form, kind in forms:
        if kind in ("words", "arabizi"):
            plain.setdefault(kind, []).append(form)
            continue
        first, _, rest = form.partition(" ")
        yield f"{first} {arabic.fold(rest)}" if rest else first, kind
    for kind, written in plain.items():
        for start in range(0, len(written), 100):
            for form in arabic.fold("\n".join(written[start : start + 100])).split("\n"):
                yield form, kind


# --- reading ----------------------------------------------------------------------------------------------------------


# Beside the lexicon: the version that `customer-ops lint-lexicon` found without errors.
CHECKED = "checked.txt"


def read_directory(directory: Path) -> tuple[Raw, str]:
    """Read and join every ``*.toml``, the weights and phrases of a directory; the version is a hash of all contents."""
    digest = hashlib.sha256()
    merged: dict[str, Any] = {"group": [], "context": [], "entry": [], "stop": [], "negation": {}, "settings": {}}
    files = sorted(directory.glob("*.toml"))
    problems: list[Finding] = []
    for path in files:
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(path.name.encode() + b"\0" + content + b"\0")
        try:
            data = tomllib.loads(content.decode("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            problems.append(_error("UNREADABLE", path.name, f"not valid TOML in UTF-8: {error}", "الملف غير صالح"))
            continue
        for key, value in data.items():
            if key not in merged:
                problems.append(_error("UNKNOWN_TABLE", path.name, f"unknown table {key!r}", "جدول غير معروف"))
            elif isinstance(merged[key], list):
                merged[key].extend(value)
            else:
                merged[key].update(value)
    if not files:
        problems.append(_error("EMPTY", directory.name, "no .toml file found", "لا توجد ملفات"))
    if problems:
        raise LexiconError(problems)
    for key in ("group", "entry", "stop"):
        merged[key] = [_with_lists(table) for table in merged[key]]
    merged["weights"] = weights.load(directory)
    merged["phrases"] = phrases.load(directory)
    digest.update(merged["weights"].encode() + b"\0" + merged["phrases"])
    return merged, digest.hexdigest()[:16]


def _with_lists(table: Raw) -> Raw:
    """A table with its forms as lists: they may be written as one text, which is read in half the time."""
    listed = dict(table)
    for kind in _FORM_KINDS:
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

    Raises LexiconError with every error at once.
    """
    raw, version = read_directory(directory or DEFAULT_DIRECTORY)
    return compile_lexicon(raw, version)


def load_linted(directory: Path | None = None) -> Lexicon:
    """As `load_lexicon`, and held to everything that an editor is told: for a service, before it answers anybody.

    Writing out every phrase takes a second, so a lexicon whose content is the one that was checked last (its version stands
    in ``checked.txt`` beside it) is not checked again; one changed letter is another version.

    Raises LexiconError with every error at once, collisions and swallowed forms included; warnings pass.
    """
    folder = directory or DEFAULT_DIRECTORY
    raw, version = read_directory(folder)
    if version != checked_version(folder):
        errors = [finding for finding in lint(raw) if finding.severity is Severity.ERROR]
        if errors:
            raise LexiconError(errors)
    return compile_lexicon(raw, version)


def checked_version(directory: Path) -> str:
    """The version that was checked last and found without errors; empty for none."""
    path = directory / CHECKED
    return path.read_text(encoding="ascii").strip() if path.is_file() else ""


def _error(code: str, subject: str, message: str, message_ar: str) -> Finding:
    return Finding(Severity.ERROR, code, subject, message, message_ar)


def _warning(code: str, subject: str, message: str, message_ar: str) -> Finding:
    return Finding(Severity.WARNING, code, subject, message, message_ar)


_GROUP_KEYS = {"id", "any", "seq", "gap", "notes", *_FORM_KINDS}
_ENTRY_KEYS = {
    "id", "keyword", "priority", "signals", "signals_near", "base", "negation", "meaning_ar", "meaning_en", "rule",
    "unless", "notes", *_FORM_KINDS,
}  # fmt: skip
_RULE_KEYS = {"parts", "order", "within", "across", "head", "unless", "notes"}
_CONTEXT_KEYS = {"id", "group", "where", "within", "clause", "notes"}
_STOP_KEYS = {"id", "notes", *_FORM_KINDS}
_PLACES = {"before", "after", "near", "inside", "later"}
_NEGATION_GROUPS = ("hedges", "denied_after", "denied_at_end", "fine", "pseudo")
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
        if not entry.get("rule") and not any(entry.get(kind) for kind in _FORM_KINDS):
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
    for key in _NEGATION_GROUPS:
        references("negation", [raw["negation"].get(key, "")])
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
            if not any(_fold_word(word) for word in str(form).split()):
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
    for kind in _FORM_KINDS:
        for form in table.get(kind, ()):
            yield form, kind


def compile_lexicon(raw: Raw, version: str) -> Lexicon:
    """Compile checked data; raises LexiconError with every structural error."""
    problems = check(raw)
    if problems:
        raise LexiconError(problems)
    # Compiling makes a hundred thousand objects that all stay; collecting garbage meanwhile would double its time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _compile(raw, version)
    finally:
        _fold_word.cache_clear()
        if collecting:
            gc.enable()


def _compile(raw: Raw, version: str) -> Lexicon:
    names: dict[str, int] = {}
    for kind in ("group", "entry", "stop"):
        for table in raw[kind]:
            names[table["id"]] = len(names)
    unions = _unions(raw, names)

    used = _used(raw, names)
    builder = _TrieBuilder()
    literals: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for kind in ("group", "entry", "stop"):
        for index, table in enumerate(raw[kind]):
            group = names[table["id"]]
            targets = unions[group] & used
            mask = mask_of(targets)
            count = 0
            for form, form_kind in _folded(_form_list(table)):
                if form_kind == "words" and form.isalpha() and len(_tokens_of(form)) == 1:
                    # Half of the forms are one plain word.
                    builder.add(form, "words", (mask, "", False))
                    count += 1
                else:
                    for first, surface, rest, article in _plan(form, form_kind):
                        builder.add(first, surface, (mask, rest, article))
                        count += 1
                if kind == "entry":
                    literals[group] = index
            if count:
                for target in targets:
                    sizes[target] = sizes.get(target, 0) + count
    contexts = {
        table["id"]: Context(
            group=names[table["group"]],
            where=table["where"],
            within=table.get("within", 6),
            clause=table.get("clause", True),
        )
        for table in raw["context"]
    }
    sequences = _sequences(raw, names, unions)
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
    trie = builder.build()
    return Lexicon(
        version=version,
        trie=trie,
        group_names=tuple(names),
        entries=tuple(entries),
        rules={anchor: tuple(found) for anchor, found in rules.items()},
        sequences=sequences,
        stops=frozenset(names[table["id"]] for table in raw["stop"]),
        literals=literals,
        negation=_negation(raw["negation"], names),
        skipped=_tokens(raw["settings"].get("skipped", ())),
        arabizi=_only_arabizi(raw),
        branches=builder.branches,
        forms=len(trie),
        weights=weights.read(raw.get("weights", "")),
        phrases=phrases.Phrases(raw.get("phrases", b"")),
    )


def _only_arabizi(raw: Raw) -> frozenset[str]:
    """Tokens of the forms in Latin letters that no English form has."""
    written: dict[bool, list[str]] = {True: [], False: []}
    for table in itertools.chain(raw["group"], raw["entry"], raw["stop"]):
        for kind in _FORM_KINDS:
            written[kind == "arabizi"] += table.get(kind, ())
    latin = {arabizi: set(_LATIN_WORD.findall(" ".join(forms).lower())) for arabizi, forms in written.items()}
    return frozenset(latin[True] - latin[False])


def _used(raw: Raw, names: Mapping[str, int]) -> set[int]:
    """The groups that something asks for by name; a word need not report the others."""
    wanted: set[str] = {raw["negation"][key] for key in _NEGATION_GROUPS}
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


class Further(dict[str, Node]):
    """The words that may follow; ``open`` when some that it does not name may, too."""

    __slots__ = ("open",)

    open: bool


class Branches:
    """What may follow a first word, by number, each read the first time that a text comes to it.

    Most phrases of a lexicon never occur; reading their further words only when the first one did makes the lexicon
    load in half the time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.grown: list[Further | None] = [None]
        self._rests: list[tuple[_Rest, ...]] = [()]
        self._numbers: dict[tuple[_Rest, ...], int] = {}
        self._ends: dict[int, tuple[int, ...]] = {0: ()}

    def node(self, rests: Iterable[_Rest], joins: int = 0) -> Node:
        """A node for a word with all that may follow it; words that go on alike share what follows."""
        mask = 0
        further: list[_Rest] = []
        for rest in rests:
            if not rest[1]:
                mask |= rest[0]
                continue
            if _ends(rest[1]):
                mask |= rest[0]
            further.append(rest)
        groups = self._ends.get(mask)
        if groups is None:
            groups = self._ends[mask] = _bits(mask)
        if not further:
            return groups, mask, 0, joins
        key = tuple(further)
        number = self._numbers.get(key)
        if number is None:
            number = len(self.grown)
            self._rests.append(key)
            self.grown.append(None)
            self._numbers[key] = number
        return groups, mask, number, joins

    def grow(self, number: int) -> Further:
        """Read what may follow."""
        with self._lock:
            known = self.grown[number]
            if known is not None:
                return known
            below: dict[str, list[_Rest]] = {}
            for mask, rest, article in self._rests[number]:
                for token, more in _steps(rest, article)[1]:
                    below.setdefault(token, []).append((mask, more, article))
            if ANY_WORD in below or FOR_ANYONE in below:
                _spread(below)
            further = Further({token: self.node(rests) for token, rests in below.items()})
            further.open = ANY_WORD in below or FOR_ANYONE in below
            self.grown[number] = further
            return further


class _TrieBuilder:
    """Collects what may follow each first word; all forms of a first word share its node."""

    def __init__(self) -> None:
        self.branches = Branches()
        self._first: dict[tuple[str, str], list[_Rest]] = {}

    def add(self, first: str, surface: str, rest: _Rest) -> None:
        self._first.setdefault((first, surface), []).append(rest)

    def build(self) -> Trie:
        words = list(self._first)
        rests = [tuple(rests) for rests in self._first.values()]
        nodes: dict[tuple[tuple[int, ...], int], Node] = {}

        def node(indices: tuple[int, ...], joins: int) -> Node:
            key = (indices, joins)
            made = nodes.get(key)
            if made is None:
                made = nodes[key] = self.branches.node([rest for index in indices for rest in rests[index]], joins)
            return made

        # Most tokens are a form of one word; for the others, the words that they may be and how each takes conjunctions.
        trie: Trie = {}
        owners: dict[int, tuple[int, int]] = {}
        shared: dict[str, dict[int, int]] = {}
        alike: dict[tuple[int, int], Node] = {}
        add = trie.setdefault
        for index, ((first, surface), folded) in enumerate(zip(words, _folded_alike(words), strict=True)):
            mask, rest, _ = rests[index][0]
            single = not rest and len(rests[index]) == 1
            for joins, forms in _stems(first, surface, folded):
                # Single words of the same groups share a node, whichever of them is then named its owner.
                made = alike.get((mask, joins)) if single else None
                if made is None:
                    made = self.branches.node(rests[index], joins)
                    if single:
                        alike[mask, joins] = made
                owners[id(made)] = (index, joins)
                for token in forms:
                    known = add(token, made)
                    if known is not made:
                        claims = shared.get(token)
                        if claims is None:
                            claims = shared[token] = dict([owners[id(known)]])
                        claims[index] = claims.get(index, 0) | joins
        for token in [token for token in trie if token[0] in _JOINS and token[1:] in trie]:
            # «وصل» is a word of its own, and what «صل» becomes with a conjunction.
            bare = token[1:]
            bit = _JOINS[token[0]]
            joined = shared[bare] if bare in shared else dict([owners[id(trie[bare])]])
            more = [index for index, joins in joined.items() if joins & bit]
            if more:
                claims = shared.setdefault(token, dict([owners[id(trie[token])]]))
                for index in more:
                    claims.setdefault(index, 0)
        for token, claims in shared.items():
            allowed = 0
            for conjunction, bit in _JOINS.items():
                takers = tuple([index for index, joins in claims.items() if joins & bit])
                if len(takers) == len(claims):
                    allowed |= bit
                elif takers and conjunction + token not in trie:
                    trie[conjunction + token] = node(takers, 0)
            trie[token] = node(tuple(claims), allowed)
        return trie


def _folded_alike(words: Sequence[tuple[str, str]]) -> Iterator[str]:
    """First words, each as one folded token."""
    for start in range(0, len(words), 500):
        some = [word for word, _ in words[start : start + 500]]
        for folded in arabic.fold("\n".join(some)).split("\n"):
            yield folded if folded.isalpha() else "".join(arabic.tokenize(folded))


def _spread(below: dict[str, list[_Rest]]) -> None:
    """What may follow any word may follow each word that is named beside it too: the search never goes back."""
    anyone = below.get(ANY_WORD, [])
    if FOR_ANYONE in below:
        below[FOR_ANYONE] += anyone
    whom = below.get(FOR_ANYONE, anyone)
    for token, rests in below.items():
        if not token.endswith(ANY_WORD):
            rests += whom if token.startswith(FOR_ANYONE[0]) else anyone


def _bits(mask: int) -> tuple[int, ...]:
    found = []
    while mask:
        bit = mask & -mask
        found.append(bit.bit_length() - 1)
        mask ^= bit
    return tuple(found)


def mask_of(groups: Iterable[int]) -> int:
    """A set of groups as bits."""
    mask = 0
    for group in groups:
        mask |= 1 << group
    return mask


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
    kinds = {_is_arabic(token) for token in tokens}
    return "mixed" if len(kinds) == 2 else "ar" if True in kinds else "en"


def _tokens(forms: Iterable[str]) -> frozenset[str]:
    return frozenset(token for form in forms for token in _fold_word(form))


def _negation(table: Raw, names: Mapping[str, int]) -> Negation:
    return Negation(
        window=table["window"],
        negators=frozenset(t for form in table["negators"] for t in _surface(form, "words")),
        adjacent=frozenset(t for form in table["adjacent"] for t in _surface(form, "words")),
        breaks=_tokens(table["breaks"]),
        fillers=_tokens(table["fillers"]),
        coordinators=_tokens(table["coordinators"]),
        interjections=_tokens(table["interjections"]),
        interjection_followers=_tokens(table["interjection_followers"]),
        hedges=names[table["hedges"]],
        denied_after=names[table["denied_after"]],
        denied_at_end=names[table["denied_at_end"]],
        fine=names[table["fine"]],
        pseudo=names[table["pseudo"]],
    )
