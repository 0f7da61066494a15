"""Prohibited claims: what no draft of any service may say (specification §1), in Arabic and English.

The phrases, and what counts as a plain negation, are data: ``claims.toml`` beside this file, which describes its own
notation. Matching works on folded tokens, so letter twins, harakat, tatweel, invisible characters and case make no
difference, and in a word that mixes alphabets letters count as the Latin ones they look like; attached particles are
generated for each listed word and never stripped from the text, because stripping makes different words alike.

A claim under a plain negation («لا نضمن», "we do not scrape", "scraping is not something we do") is allowed. The rule
leans to refusing: between the negator and the claim only listed words may stand, so an unusual negation has to be
reworded, and an unusual claim does not slip through as a negated one.

Nor is it a claim if an honest phrase of ``claims.toml`` makes another sense of it (whose results they are, a refund of
our own error), or if it stands between quotation marks as the words of the customer
whom the draft addresses.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from services.domain.arabic import HARD_STOPS, SOFT_STOPS, Offsets, fold, token_starts, tokenize, written_once
from services.domain.errors import PreconditionFailed
from services.domain.texts import Bilingual, Reader, TextsFile

CLAIMS_FILE = Path(__file__).resolve().parent / "claims.toml"

MAX_BRIDGES = 5
"""Most words between a negator and what it negates."""

MAX_OBJECT = 2
"""Most words between a negated claim and the coordinator after it."""

UNDOING_REACH = 3
"""How many words behind a claim may undo its negation."""

MAX_FILLERS = 3
"""Most fillers between two words of a phrase."""

QUOTER_REACH = 7
"""Most words that name who is quoted, before the quotation mark."""


class ClaimCategory(StrEnum):
    GUARANTEE = "GUARANTEE"
    SCRAPING = "SCRAPING"
    FULL_AUTOMATION = "FULL_AUTOMATION"
    APPROVAL_BYPASS = "APPROVAL_BYPASS"
    COMPETITOR_ATTACK = "COMPETITOR_ATTACK"
    LEGAL_PROMISE = "LEGAL_PROMISE"
    FINANCIAL_PROMISE = "FINANCIAL_PROMISE"
    MEDICAL = "MEDICAL"
    EXAGGERATED_SPEED = "EXAGGERATED_SPEED"


class ClaimLanguage(StrEnum):
    ARABIC = "ar"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class ClaimHit:
    """A prohibited claim; ``words`` is ``text[start:end]`` as it was written. Offsets are code points, half-open."""

    category: ClaimCategory
    words: str
    start: int
    end: int
    language: ClaimLanguage


class ProhibitedClaim(PreconditionFailed):
    """A draft makes a prohibited claim. Metadata: ``categories`` and ``words``, each joined by ``; ``."""

    reason = "PROHIBITED_CLAIM"

    def __init__(self, hits: Iterable[ClaimHit]) -> None:
        self.hits = tuple(hits)
        categories = list(dict.fromkeys(hit.category.value for hit in self.hits))
        words = list(dict.fromkeys(hit.words for hit in self.hits))
        super().__init__(
            "the draft makes prohibited claims: " + ", ".join(categories),
            [("PROHIBITED_CLAIM", hit.category.value, hit.words) for hit in self.hits],
            categories="; ".join(categories),
            words="; ".join(words),
        )


@dataclass(frozen=True, slots=True)
class Element:
    """One place of a phrase: any of ``words``, or a number, or the end of a clause, or up to ``gap`` (> 0) words of any kind.

    Words are written as in the file, kind included (``n:نتائج``); `Vocabulary` knows the forms they take.
    """

    words: frozenset[str] = frozenset()
    number: bool = False
    end: bool = False
    optional: bool = False
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Phrase:
    category: ClaimCategory
    language: ClaimLanguage
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """Words, and the phrases behind a claim; ``claims.toml`` says what each list does."""

    negators: frozenset[str]
    weak_negators: frozenset[str]
    pronouns: frozenset[str]
    bridges: frozenset[str]
    coordinators: frozenset[str]
    undone_by: frozenset[str]
    denied_by: tuple[tuple[Element, ...], ...]


@dataclass(frozen=True, slots=True)
class Honest:
    """Phrases that make the claims they share a word with honest: of one category, or of all; and who is quoted."""

    phrases: tuple[tuple[ClaimCategory | None, tuple[Element, ...]], ...]
    quoted: tuple[tuple[Element, ...], ...]
    turns: frozenset[str]


class Vocabulary:
    """Which listed words a folded token is a form of.

    A word's endings are generated and kept; what may stand before it is tried off the token. A token is recognised
    exactly if it is one of the forms that could be generated: nothing is stemmed.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._plain: dict[str, set[str]] = {}
        self._nouns: dict[str, set[str]] = {}
        self._unjoined: dict[str, set[str]] = {}
        self._verbs: dict[str, set[str]] = {}
        for word in words:
            kind, folded = _split(word)
            if kind in ("n", "u"):
                nouns = self._nouns if kind == "n" else self._unjoined
                for form in _noun_endings(folded):
                    nouns.setdefault(form, set()).add(word)
            elif kind == "v":
                for suffix in _VERB_SUFFIXES:
                    self._verbs.setdefault(folded + suffix, set()).add(word)
            elif kind == "p":
                for form in _present_forms(folded):
                    self._verbs.setdefault(form, set()).add(word)
            else:
                self._plain.setdefault(folded, set()).add(word)

    def words_of(self, token: str) -> frozenset[str]:
        if token.isascii():
            return frozenset(self._plain.get(token, ()))
        found: set[str] = set()
        for conjunction in _CONJUNCTIONS:
            if token.startswith(conjunction):
                rest = token[len(conjunction) :]
                found.update(self._plain.get(rest, ()))
                for prefix in _NOUN_PREFIXES:
                    if rest.startswith(prefix):
                        found.update(self._nouns.get(rest[len(prefix) :], ()))
                        if not conjunction:
                            found.update(self._unjoined.get(rest[len(prefix) :], ()))
                for prefix in _VERB_PREFIXES:
                    if rest.startswith(prefix):
                        found.update(self._verbs.get(rest[len(prefix) :], ()))
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Claims:
    version: str
    labels: Mapping[ClaimCategory, Bilingual]
    phrases: tuple[Phrase, ...]
    fillers: frozenset[str]
    negation: Negation
    honest: Honest
    vocabulary: Vocabulary


def load_claims(path: Path | None = None) -> Claims:
    """Read ``claims.toml`` (None: the one shipped). `TextsError` names every fault of it."""
    file = TextsFile(CLAIMS_FILE if path is None else path)
    version = file.text("version")
    sets_table = file.table("sets")
    sets = {name: sets_table.strings(name) for name in sets_table.keys()}  # noqa: SIM118 - a Reader is not a mapping
    labels = {}
    phrases = []
    honest: list[tuple[ClaimCategory | None, tuple[Element, ...]]] = []
    for category, table in file.table("categories").each(ClaimCategory).items():
        labels[category] = table.bilingual("label")
        for language in ClaimLanguage:
            for written in table.strings(language.value):
                elements = _parse(written, sets, table, language.value)
                if elements:
                    phrases.append(Phrase(category, language, elements))
        honest += [(category, elements) for elements in _read_phrases(table, "honest", sets, covers=True)]
    fillers = _read_words(file, "fillers")
    negation = _read_negation(file.table("negation"), sets)
    table = file.table("honest")
    honest += [(None, elements) for elements in _read_phrases(table, "phrases", sets, covers=True)]
    spared = Honest(tuple(honest), _read_phrases(table, "quoted", sets), _read_words(table, "turns"))
    file.finish()
    rows = [*(phrase.elements for phrase in phrases), *negation.denied_by, *spared.quoted, *(row for _, row in honest)]
    words = {word for elements in rows for element in elements for word in element.words}
    words |= fillers.union(spared.turns, *(getattr(negation, name) for name in _NEGATION_WORDS))
    return Claims(version, MappingProxyType(labels), tuple(phrases), fillers, negation, spared, Vocabulary(words))


class ClaimChecker:
    """Finds prohibited claims. Immutable once made; safe to share between tasks and threads."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._by_word: dict[str, list[Phrase]] = {}
        self._by_number: list[Phrase] = []
        self._honest: dict[str, list[tuple[ClaimCategory | None, tuple[Element, ...]]]] = {}
        for row in claims.honest.phrases:
            for word in row[1][0].words:
                self._honest.setdefault(word, []).append(row)
        for phrase in claims.phrases:
            first = phrase.elements[0]
            for word in first.words:
                self._by_word.setdefault(word, []).append(phrase)
            if first.number:
                self._by_number.append(phrase)

    @property
    def version(self) -> str:
        return self._claims.version

    def label(self, category: ClaimCategory) -> Bilingual:
        """What the category is called, for people."""
        return self._claims.labels[category]

    def check(self, text: str, *, field: str = "text") -> tuple[ClaimHit, ...]:
        """The claims in ``text``, in the order they stand; empty if it may be said.

        `InvalidInput` (``TEXT_TOO_LONG`` at ``field``) beyond the length that texts are folded to.
        """
        folded = fold(_in_latin(text), field=field)
        tokens = tokenize(folded)
        words = [
            _Word(token, self._claims.vocabulary.words_of(token))
            for token in written_once(folded, tokens, every_letter=True)
        ]
        matches = list(self._matches(words))
        if not matches:
            return ()
        starts = token_starts(folded, tokens, len(tokens))
        spared = [*self._spared(words), *self._quoted(words, folded, starts)]
        found = list(_longest(match for match in matches if not any(span.spares(*match) for span in spared)))
        negated = self._negated(words, found)
        offsets = Offsets(text)
        hits = []
        for index, (first, last, phrase) in enumerate(found):
            if index not in negated:
                start, end = offsets.original(starts[first], starts[last - 1] + len(tokens[last - 1]))
                hits.append(ClaimHit(phrase.category, text[start:end], start, end, phrase.language))
        return tuple(hits)

    def require_clean(self, *texts: str, field: str = "text") -> None:
        """Raise `ProhibitedClaim` with every claim in ``texts``, if there is any; otherwise as `check`."""
        hits = [hit for text in texts for hit in self.check(text, field=field)]
        if hits:
            raise ProhibitedClaim(hits)

    def _matches(self, words: list[_Word]) -> Iterator[tuple[int, int, Phrase]]:
        """(first word, word after the last, phrase) of every phrase, in the order of the first words."""
        for first, word in enumerate(words):
            candidates = [phrase for listed in word.listed for phrase in self._by_word.get(listed, ())]
            if word.token.isdecimal():
                candidates += self._by_number
            for phrase in candidates:
                last = self._match(words, first, phrase.elements, 0)
                if last is not None:
                    yield first, last, phrase

    def _spared(self, words: list[_Word]) -> Iterator[_Spared]:
        """What the honest phrases spare."""
        for first, word in enumerate(words):
            for category, elements in (row for listed in word.listed for row in self._honest.get(listed, ())):
                last = self._match(words, first, elements, 0)
                if last is not None:
                    yield _Spared(first, last, category)

    def _quoted(self, words: list[_Word], folded: str, starts: list[int]) -> Iterator[_Spared]:
        """What stands between quotation marks behind the name of the one whose words may be quoted."""
        for quote in _QUOTE.finditer(folded):
            first, last = bisect_left(starts, quote.start()), bisect_left(starts, quote.end())
            before = words[max(0, first - QUOTER_REACH) : first]
            if any(
                self._match(before, place, phrase, 0) == len(before)
                for phrase in self._claims.honest.quoted
                for place in range(len(before))
            ):
                yield _Spared(first, last, None)

    def _match(self, words: list[_Word], at: int, elements: tuple[Element, ...], place: int) -> int | None:
        """The word after the match of ``elements[place:]`` from word ``at`` on; None without one."""
        if place == len(elements):
            return at
        element = elements[place]
        if element.gap:
            return self._match_gap(words, at, elements, place)
        for here in range(at, min(len(words), at + 1 + (MAX_FILLERS if place else 0))):
            if words[here].fits(element):
                end = self._match(words, here + 1, elements, place + 1)
                if end is not None:
                    return end
            if not words[here].is_in(self._claims.fillers):
                break
        left_out = element.optional or (element.end and (at >= len(words) or words[at].stops))
        return self._match(words, at, elements, place + 1) if left_out else None

    def _match_gap(self, words: list[_Word], at: int, elements: tuple[Element, ...], place: int) -> int | None:
        if place + 1 == len(elements):
            return self._cover(words, at, elements[place].gap)
        skipped = 0
        while True:
            end = self._match(words, at, elements, place + 1)
            # A negator in a gap turns the phrase round («نتائج غير مضمونة»), a stop ends the statement.
            if end is not None or at >= len(words) or words[at].token in HARD_STOPS or self._negates(words[at]):
                return end
            if words[at].token not in SOFT_STOPS:
                skipped += 1
                if skipped > elements[place].gap:
                    return None
            at += 1

    def _cover(self, words: list[_Word], at: int, most: int) -> int:
        """The word after the rest of the clause from word ``at`` on, ``most`` words at most."""
        turns = self._claims.honest.turns
        for place in range(at, min(len(words), at + most)):
            word = words[place]
            if word.stops or word.is_in(turns) or word.token.startswith("و"):
                return place
        return min(len(words), at + most)

    def _negates(self, word: _Word) -> bool:
        return word.is_in(self._claims.negation.negators) or word.token.endswith("n't")

    def _negated(self, words: list[_Word], found: list[tuple[int, int, Phrase]]) -> set[int]:
        """Indexes in ``found`` of the claims under a plain negation."""
        negated: set[int] = set()
        ends: set[int] = set()
        for index, (first, last, _) in enumerate(found):
            if not self._undone(words, last) and (
                self._has_negator(words, first) or self._shares(words, first, ends) or self._denied(words, last)
            ):
                negated.add(index)
                ends.add(last - 1)
        return negated

    def _has_negator(self, words: list[_Word], first: int) -> bool:
        """Whether a negator stands before the claim with nothing but bridges between them."""
        rules = self._claims.negation
        for place in range(first - 1, max(-1, first - MAX_BRIDGES - 2), -1):
            if self._negates(words[place]):
                # "Not without guarantees": one negator directly on another says the claim again.
                return not (place > 0 and self._negates(words[place - 1]))
            if words[place].is_in(rules.weak_negators):
                heads = place == 0 or words[place - 1].stops or words[place - 1].is_in(rules.pronouns)
                return heads and not words[first].token.endswith(("ه", "ها"))
            if not words[place].is_in(rules.bridges):
                return False
        return False

    def _shares(self, words: list[_Word], first: int, negated_ends: set[int]) -> bool:
        """Whether the claim directly follows a negated one, or is coordinated with it."""
        place = first - 1
        if place in negated_ends:
            return True
        if place < 0 or not words[place].is_in(self._claims.negation.coordinators):
            return False
        for before in range(place - 1, max(-1, place - MAX_OBJECT - 2), -1):
            if before in negated_ends:
                return True
            if words[before].token in HARD_STOPS:
                return False
        return False

    def _denied(self, words: list[_Word], last: int) -> bool:
        """Whether the claim is the subject of its denial."""
        return any(self._match(words, last, phrase, 0) is not None for phrase in self._claims.negation.denied_by)

    def _undone(self, words: list[_Word], last: int) -> bool:
        for word in words[last : last + UNDOING_REACH]:
            if word.stops:
                return False
            if word.is_in(self._claims.negation.undone_by):
                return True
        return False


@dataclass(frozen=True, slots=True)
class _Word:
    """A token and the listed words that it is a form of."""

    token: str
    listed: frozenset[str]

    @property
    def stops(self) -> bool:
        return self.token in HARD_STOPS or self.token in SOFT_STOPS

    def is_in(self, words: frozenset[str]) -> bool:
        return not self.listed.isdisjoint(words)

    def fits(self, element: Element) -> bool:
        return self.is_in(element.words) or (element.number and self.token.isdecimal())


@dataclass(frozen=True, slots=True)
class _Spared:
    """Words, ``first`` to before ``last``: no claim of the category (None: no claim) that begins or ends there is one."""

    first: int
    last: int
    category: ClaimCategory | None

    def spares(self, first: int, last: int, phrase: Phrase) -> bool:
        apart = self.last <= first or last <= self.first
        inside = first < self.first and self.last < last
        return self.category in (None, phrase.category) and not apart and not inside


def _longest(matches: Iterable[tuple[int, int, Phrase]]) -> Iterator[tuple[int, int, Phrase]]:
    """Of each category the longest match where several begin or end alike; given and answered in the order they stand."""
    ends: dict[ClaimCategory, int] = {}
    for first, group in groupby(matches, key=lambda match: match[0]):
        longest: dict[ClaimCategory, tuple[int, Phrase]] = {}
        for _, last, phrase in group:
            if last > longest.get(phrase.category, (0, phrase))[0]:
                longest[phrase.category] = (last, phrase)
        for category in sorted(longest):
            last, phrase = longest[category]
            if last > ends.get(category, 0):
                ends[category] = last
                yield first, last, phrase


_QUOTE = re.compile('«[^«»]*»|“[^“”]*”|"[^"]*"')

# Letters that look like Latin ones, each above its twin.
_TWINS = str.maketrans(
    "асԁеёһіїјкӏмнопрԛгѕтувԝхѵАВСЕЁНІЇЈКМОРԚЅТУХѴԜαάβγεέηήιίκνοόρτυύχωϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧɑɡհոօսց",
    "acdeehiijklmhonpqrstybwxvABCEEHIIJKMOPQSTYXVWaabyeenniikvooptuuxwcjABEZHIKMNOPTYXaghnoug",
)
_WRITTEN_TOGETHER = re.compile(r"\S+")
_LATIN = re.compile("[A-Za-zＡ-Ｚａ-ｚ]")

_CONJUNCTIONS = ("", "و", "ف")
_VERB_PREFIXES = ("", "س", "ل", "ب", "ح", "ه")
_VERB_SUFFIXES = ("", "ه", "ها", "هم", "ك", "كم", "نا", "لك", "لكم")
_NOUN_PREFIXES = ("", "ال", "بال", "كال", "لل", "ب", "ل", "ك")
_NOUN_SUFFIXES = ("", "ه", "ها", "هم", "ك", "كم", "نا", "ي")


def _in_latin(text: str) -> str:
    """The text, as long as before, with Latin letters for their twins in words that have Latin letters too."""
    return _WRITTEN_TOGETHER.sub(lambda word: word[0].translate(_TWINS) if _LATIN.search(word[0]) else word[0], text)


def _parse(
    written: str, sets: Mapping[str, tuple[str, ...]], table: Reader, key: str, *, covers: bool = False
) -> tuple[Element, ...]:
    """The elements of a phrase; faults are noted at ``key`` of ``table`` and give an empty phrase.

    A phrase that ``covers`` may end with a gap.
    """
    elements = []
    for part in written.split():
        if part.startswith(".."):
            if not part[2:].isdecimal() or part[2:] == "0":
                table.problem(key, f"{written!r}: {part!r} is not a gap")
                return ()
            elements.append(Element(gap=int(part[2:])))
            continue
        names: list[str] = []
        for name in part.removesuffix("?").split("|"):
            if name.startswith("@") and name[1:] not in sets:
                table.problem(key, f"{written!r}: there is no set {name!r}")
                return ()
            names += sets[name[1:]] if name.startswith("@") else [name]
        words = frozenset(name for name in names if name not in ("#", "."))
        if not all(map(_is_word, words)):
            table.problem(key, f"{written!r}: {part!r} holds what is not one word")
            return ()
        elements.append(Element(words, "#" in names, "." in names, optional=part.endswith("?")))
    if not elements or elements[0].gap or elements[0].end or elements[0].optional or (elements[-1].gap and not covers):
        table.problem(key, f"{written!r}: begins or ends with what may be left out")
        return ()
    return tuple(elements)


def _split(word: str) -> tuple[str, str]:
    """The kind, ``n``, ``u``, ``v``, ``p`` or nothing (anything else is none), and the folded word."""
    return (word[0], fold(word[2:])) if word[1:2] == ":" else ("", fold(word))


def _is_word(word: str) -> bool:
    """Whether it is exactly one token, and Arabic where it claims to be inflected."""
    kind, folded = _split(word)
    return tokenize(folded) == [folded] and (kind == "" or (kind in ("n", "u", "v", "p") and not folded.isascii()))


def _noun_endings(folded: str) -> set[str]:
    """The noun with what may be attached behind it.

    Before it ة opens to ت, a plural in ـون or ـين loses its ن, and the hamza of ـاء takes a seat: عملائكم, عملاؤكم.
    """
    endings = {folded}
    if folded.endswith("ه"):
        return endings | {f"{folded[:-1]}ت{suffix}" for suffix in _NOUN_SUFFIXES}
    endings |= {folded + suffix for suffix in _NOUN_SUFFIXES} | {folded + "ا"}
    if folded.endswith(("ين", "ون")):
        endings |= {folded[:-1] + suffix for suffix in _NOUN_SUFFIXES}
    if folded.endswith("اء"):
        endings |= {folded[:-1] + seat + suffix for seat in "يو" for suffix in _NOUN_SUFFIXES if suffix}
    return endings


def _present_forms(folded: str) -> set[str]:
    """The present of a stem in every person and number, with the objects that attach: جمع to نجمع, يجمعون, تجمعها."""
    endings = {
        "وا",
        "ين",
        *_VERB_SUFFIXES,
        *(f"{plural}{suffix}" for plural in ("ون", "و") for suffix in _VERB_SUFFIXES),
    }
    return {person + folded + ending for person in "نيت" for ending in endings}


_NEGATION_WORDS = tuple(field.name for field in fields(Negation) if field.name != "denied_by")


def _read_words(table: Reader, key: str) -> frozenset[str]:
    words = frozenset(table.strings(key))
    if not all(map(_is_word, words)):
        table.problem(key, "holds what is not one word")
    return words


def _read_phrases(
    table: Reader, key: str, sets: Mapping[str, tuple[str, ...]], *, covers: bool = False
) -> tuple[tuple[Element, ...], ...]:
    phrases = (_parse(written, sets, table, key, covers=covers) for written in table.strings(key))
    return tuple(elements for elements in phrases if elements)


def _read_negation(table: Reader, sets: Mapping[str, tuple[str, ...]]) -> Negation:
    lists = {name: _read_words(table, name) for name in _NEGATION_WORDS}
    return Negation(**lists, denied_by=_read_phrases(table, "denied_by", sets))


@cache
def shipped_checker() -> ClaimChecker:
    """The checker of the phrases that ship with the services, made once: it never changes, and all services hold to it."""
    return ClaimChecker(load_claims())
