"""From the forms of a lexicon to the tokens that a text is searched for: their inflections, and what may follow each.

Arabic forms are expanded (clitics, possessives, object suffixes); nothing is stemmed. Half of the work of loading a lexicon
is done here, so what comes of it can be recorded (`dumped`) and read again (`loaded`).
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.domain import arabic

Node = tuple[tuple[int, ...], int, int, int]
Trie = dict[str, Node]
_Rest = tuple[int, str, bool]
"""What may follow: the groups that it ends in, as bits; the further words as they are written; whether articles may join."""

JOINS_WAW: Final = 1
JOINS_FA: Final = 2
_BOTH = JOINS_WAW | JOINS_FA
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
HYPHENS: Final = frozenset(["-", "--"])
JOINTS: Final = HYPHENS | {"\n"}
"""Tokens that a phrase may run on over."""
_STOPS: Final = arabic.HARD_STOPS | arabic.SOFT_STOPS
INFLECTED: Final = ("nouns", "owned", "bare", "verbs", "past", "present")
FORM_KINDS: Final = ("words", *INFLECTED, "arabizi")


def is_arabic(word: str) -> bool:
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
def fold_word(word: str) -> tuple[str, ...]:
    folded = arabic.fold(word)
    # Nearly every word is one token of one script.
    if folded.isalpha() and (folded.isascii() or min(folded) >= "\u0621"):
        return (folded,)
    return tuple(arabic.tokenize(folded))


def _one(word: str) -> str:
    return "".join(fold_word(word))


def _prefixed(prefix: str, word: str) -> str:
    # Two lams of preposition and article swallow the word's own: للوحة, not لللوحة.
    return prefix + word[1:] if prefix.endswith("لل") and word.startswith("ل") else prefix + word


def _with_suffix(word: str, folded: str) -> str:
    return folded[:-1] + "ت" if word.endswith("ة") else folded


def _stems(word: str, kind: str, folded: str) -> list[tuple[int, list[str]]]:
    """The tokens that a first word of a kind may be written as, folded, by the conjunctions that may be joined to them.

    Keeping those apart from the tokens makes the lexicon three times smaller.
    """
    if not is_arabic(folded):
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


def surface_of(word: str, kind: str) -> list[str]:
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
                if article and is_arabic(token) and not token.startswith("ال"):
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
            yield from ((token, *tail) for token in surface_of(first, surface) for tail in tails(rest, article))


def form_fault(form: str) -> tuple[str, str] | None:
    """Why no text can hold a form as it was meant, in English and Arabic; None where one can."""
    words = [word.removesuffix("?").split("/") for word in form.split()]
    if ";" in form or "؛" in form:
        return "forms are separated by commas, not by semicolons", "افصل بين الصيغ بفاصلة لا بفاصلة منقوطة"
    if not words or any(ANY_WORD in option for option in words[0]):
        return f"a form begins with a word; {ANY_WORD} stands from the second on", "تبدأ الصيغة بكلمة لا بنجمة"
    for options in words:
        if not all(options):
            return "a/b and a? are written without spaces, a word on each side", "تُكتب a/b وa? بلا مسافات"
        if not any(map(_can_stand, options)):
            said = "/".join(options)
            return f"{said!r} holds punctuation or folds to nothing", "علامات ترقيم، أو لا يبقى حرف بعد التوحيد"
    return None


def _can_stand(word: str) -> bool:
    tokens = fold_word(word)
    return word.endswith(ANY_WORD) or (bool(tokens) and _STOPS.isdisjoint(tokens))


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


def node_of(trie: Trie, word: str) -> Node | None:
    """The node of a word as it is written, a conjunction at its beginning included; None for a word without one."""
    node = trie.get(word)
    if node is None and word[:1] in _JOINS:
        node = trie.get(word[1:])
        if node is not None and not node[3] & _JOINS[word[0]]:
            return None
    return node


class Further(dict[str, Node]):
    """The words that may follow; ``open`` when some that it does not name may, too."""

    __slots__ = ("open",)

    open: bool


class Branches:
    """What may follow a first word, by number, each read the first time that a text comes to it.

    Most phrases of a lexicon never occur; reading their further words only when the first one did makes the lexicon
    load in half the time.
    """

    def __init__(self, rests: Sequence[tuple[_Rest, ...]] = ((),)) -> None:
        self._lock = threading.Lock()
        self.rests = [*rests]
        self.grown: list[Further | None] = [None] * len(self.rests)
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
            groups = self._ends[mask] = bits_of(mask)
        if not further:
            return groups, mask, 0, joins
        key = tuple(further)
        number = self._numbers.get(key)
        if number is None:
            number = len(self.grown)
            self.rests.append(key)
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
            for mask, rest, article in self.rests[number]:
                for token, more in _steps(rest, article)[1]:
                    below.setdefault(token, []).append((mask, more, article))
            if ANY_WORD in below or FOR_ANYONE in below:
                _spread(below)
            further = Further(dict.fromkeys(JOINTS, ((), 0, number, 0)))
            further.update({token: self.node(rests) for token, rests in below.items()})
            further.open = ANY_WORD in below or FOR_ANYONE in below
            self.grown[number] = further
            return further


class TrieBuilder:
    """Collects what may follow each first word; all forms of a first word share its node."""

    def __init__(self) -> None:
        self.branches = Branches()
        self._first: dict[tuple[str, str], list[_Rest]] = {}

    def add(self, forms: Iterable[tuple[str, str]], groups: int) -> int:
        """Add forms, each with its kind, of some groups as bits; how many first words they have."""
        count = 0
        for form, kind in _folded(forms):
            if kind == "words" and form.isalpha() and len(_tokens_of(form)) == 1:
                # Half of the forms are one plain word.
                self._first.setdefault((form, kind), []).append((groups, "", False))
                count += 1
                continue
            for first, surface, rest, article in _plan(form, kind):
                self._first.setdefault((first, surface), []).append((groups, rest, article))
                count += 1
        return count

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


def bits_of(mask: int) -> tuple[int, ...]:
    """The numbers of the bits that are set, lowest first."""
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


@dataclass(frozen=True, slots=True)
class Words:
    """What the forms of a lexicon come to.

    ``sizes``: how many first words each group has; ``literals``: the entry of each group that is an entry's own forms;
    ``arabizi``: tokens of forms in Latin letters that no English form has.
    """

    trie: Trie
    branches: Branches
    sizes: Mapping[int, int]
    literals: Mapping[int, int]
    arabizi: frozenset[str]


def dumped(words: Words) -> dict[str, Any]:
    """Words that no text has been searched for yet, as JSON can hold them; groups that occur together are numbered."""
    masks: dict[int, int] = {}
    nodes: dict[Node, int] = {}
    which = [nodes.setdefault(node, len(nodes)) for node in words.trie.values()]
    return {
        "tokens": " ".join(words.trie),
        "nodes_of_tokens": which,
        "nodes": [value for _, mask, *rest in nodes for value in (masks.setdefault(mask, len(masks)), *rest)],
        "branches": [
            [value for mask, *rest in rests for value in (masks.setdefault(mask, len(masks)), *rest)]
            for rests in words.branches.rests
        ],
        "groups": [bits_of(mask) for mask in masks],
        "sizes": list(words.sizes.items()),
        "literals": list(words.literals.items()),
        "arabizi": " ".join(sorted(words.arabizi)),
    }


def loaded(data: Mapping[str, Any]) -> Words:
    """The words that were `dumped`."""
    groups = [tuple(some) for some in data["groups"]]
    masks = [mask_of(some) for some in groups]
    flat = data["nodes"]
    nodes = [
        (groups[mask], masks[mask], branch, joins)
        for mask, branch, joins in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    ]
    rests = [
        tuple([(masks[m], rest, article) for m, rest, article in zip(some[::3], some[1::3], some[2::3], strict=True)])
        for some in data["branches"]
    ]
    return Words(
        trie=dict(zip(data["tokens"].split(" "), map(nodes.__getitem__, data["nodes_of_tokens"]), strict=True)),
        branches=Branches(rests),
        sizes=dict(data["sizes"]),
        literals=dict(data["literals"]),
        arabizi=frozenset(data["arabizi"].split()),
    )
