"""Where the words of the lexicon stand in a text, and which rules join them: the search, and what denies a finding.

A token trie finds words and phrases; rules join those that stand near one another; contexts silence rules, fixed phrases
swallow words, negations set findings apart. What is told as feared, supposed, taken back, long ago or elsewhere is noted
for those who weigh the words. Cost is linear in the length of the text: every search around a word is
bounded by a window.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.domain.arabic import HARD_STOPS, SOFT_STOPS
from services.support.domain.forms import ANY_WORD, FOR_ANYONE, HYPHENS, JOINTS, Node, bits_of, mask_of, node_of
from services.support.domain.lexicon import Chain, Context, Entry, Lexicon, Rule, Signal
from services.support.domain.priorities import urgency
from services.support.domain.weights import Remembered

Span = tuple[int, int]
Occurrences = dict[int, list[Span]]
_Seen = tuple[int, int, tuple[int, ...], int]
"""Tokens ``first`` up to ``last``, the groups that occur there, and the same as bits."""
# What is made for each text or finding is a tuple or has slots: a frozen data class takes five times as long to make.

CLAUSE_ENDS = HARD_STOPS | SOFT_STOPS
SENTENCE_ENDS = HARD_STOPS | {"\n"}
# How many words on either side may be told as unreal; and how many may stand before what takes back a whole sentence.
_TOLD = 25
_AT_THE_BEGINNING = 5
# How many words may stand between a finding and what changes its signals.
_NEAR_A_FINDING = 6
_ASKED = frozenset("?؟")
_ANSWERED = _ASKED | {":"}
# How many words a line of a signature has at most, and about how many all of it.
_LINE_OF_A_SIGNATURE = 5
_SIGNED = 30
# How long the beginnings are that tell a denial joined to a word, and what it is joined to at least.
_BEGINNINGS = (2, 3, 4, 5)
_SHORTEST_JOINED = 4
# Of how many letters a word is that may be mistyped: shorter ones are too much alike.
_MISTYPED = range(4, 21)

Said = tuple[tuple[Signal, ...], dict[int, Signal]]
"""Signals, and the same by number: the hash of an enumeration's member is slow."""


class Plan:
    """An entry as the search reads it."""

    __slots__ = ("critical", "entry", "index", "level", "mode", "near", "rank", "said", "sure", "weighed")

    def __init__(self, entry: Entry, index: int, *, weighed: bool = False) -> None:
        self.entry = entry
        self.index = index
        self.level = urgency(entry.priority)
        # Found by the weights of its words, not by a rule.
        self.weighed = weighed
        self.mode = entry.negation
        # Counts by itself: what else a text says neither supports it nor speaks against it.
        self.sure = (entry.base or entry.always) and not weighed
        # The order of the hits: urgency, and what counts by itself before others of its priority.
        self.rank = urgency(entry.priority) * 2 + (not self.sure)
        self.critical = urgency(entry.priority) <= 1
        self.said = _said(entry.signals)
        self.near = tuple((group, _said(signals)) for group, signals in entry.signals_near)


def _said(signals: tuple[Signal, ...]) -> Said:
    numbers = list(Signal)
    return signals, {numbers.index(signal): signal for signal in signals}


class Match:
    """What a rule found, or the words together: tokens ``first`` up to ``last``, ``head`` the one that a denial precedes.

    ``denied``: the text denies it; ``hedged``: without certainty. ``aside``: the words around it speak against it.
    """

    __slots__ = ("aside", "denied", "first", "head", "hedged", "last", "parts", "plan", "said")

    def __init__(self, plan: Plan, first: int, last: int, head: int, parts: Sequence[Span], said: Said) -> None:
        self.plan = plan
        self.first = first
        self.last = last
        self.head = head
        self.parts = parts
        self.said = said
        self.denied = False
        self.hedged = False
        self.aside = False


class Found(NamedTuple):
    """What a text holds: the matches of rules; and, as bits, two kinds of tokens.

    ``unreal``: told as feared, supposed, taken back or elsewhere; ``courtesies``: greetings, thanks, calls for an answer, and
    signatures. ``tokens``: as they were read; where some of those given stand for others, ``places`` has for each its place
    among those.
    """

    matches: list[Match]
    unreal: int
    courtesies: int
    tokens: list[str]
    places: list[int] | None = None


class _Reading:
    """One text while it is being classified: its tokens and what was found where."""

    __slots__ = ("consumed", "critical", "mask", "occurrences", "tokens")

    def __init__(self, tokens: Sequence[str], occurrences: Occurrences, mask: int) -> None:
        self.tokens = tokens
        self.occurrences = occurrences
        # No other group occurs; not each that is there need do so, for a fixed phrase may have swallowed it.
        self.mask = mask
        # Tokens, as bits, that are part of a fixed phrase or a complaint ("nobody can log in") and so deny nothing else.
        self.consumed = 0
        # Where critical things begin, by where they end.
        self.critical: dict[int, int] | None = None

    def sentence_ends(self, start: int, end: int, more_than: int = 0) -> bool:
        """Whether more than some sentence ends or blank lines stand in tokens[start:end]."""
        between = self.tokens[start:end]
        ends = 0 if HARD_STOPS.isdisjoint(between) else sum([token in HARD_STOPS for token in between])
        if "\n" in between:
            ends += sum([one == other == "\n" for one, other in itertools.pairwise(between)])
        return ends > more_than

    def clause_ends(self, start: int, end: int) -> bool:
        """Whether a comma, line end or sentence end stands in tokens[start:end]."""
        return not CLAUSE_ENDS.isdisjoint(self.tokens[start:end])


class _Pair(NamedTuple):
    """A rule of two parts: whether the other may stand before or after the anchor, and how far off."""

    anchor: int
    other: int
    anchor_first: bool
    before: bool
    after: bool
    within: int
    across: int


class _Readied(NamedTuple):
    """A rule with its place among the rules, the groups it needs, all that it looks at, and those of its contexts."""

    order: int
    needs: int
    reads: int
    contexts: int
    rule: Rule
    plan: Plan
    pair: _Pair | None


class _Nodes(Remembered[Node | None]):
    """The nodes of the words met so far (`node_of`); of those that stand for others (`meant`) one that only says so."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._trie = lexicon.trie
        self._negation = lexicon.negation
        self._weights = lexicon.weights
        self._not_mistyped = lexicon.not_mistyped
        self.stand_in = 1 << len(lexicon.group_names)

    def made(self, word: str) -> Node | None:
        return node_of(self._trie, word) if self.meant(word) is None else ((), self.stand_in, 0, 0)

    def meant(self, word: str) -> tuple[str, ...] | None:
        """The words that a word stands for: a denial and what it is joined to («ماوافقنا»), or what was mistyped ("dwon")."""
        negation = self._negation
        length = negation.joined.get(word)
        if length is not None:
            return word[:length], word[length:]
        for size in _BEGINNINGS:
            length = negation.joined.get(word[:size] + "*")
            if length is not None:
                denied = word[length:]
                if len(denied) >= _SHORTEST_JOINED and self._is_known(denied):
                    return word[:length], denied
        if len(word) in _MISTYPED and "a" <= word[0] <= "z" and word.isalpha() and not self._is_known(word):
            for other in _typed_like(word):
                if other in self._trie:
                    return (other,)
        return None

    def _is_known(self, word: str) -> bool:
        return (
            word in self._trie
            or word in self._negation.fillers
            or word in self._not_mistyped
            or self._weights.knows(word)
        )


def _typed_like(word: str) -> Iterator[str]:
    """What may have been meant: two letters exchanged, one typed once instead of twice, or twice instead of once."""
    for at in range(1, len(word)):
        yield word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    for at in range(len(word)):
        yield word[:at] + word[at] + word[at:]
        if word[at] == word[at - 1 : at]:
            yield word[:at] + word[at + 1 :]


def _pair(rule: Rule) -> _Pair | None:
    if len(rule.parts) != 2:
        return None
    anchor_first = rule.parts[0] == rule.anchor
    return _Pair(
        anchor=rule.anchor,
        other=rule.parts[1 if anchor_first else 0],
        anchor_first=anchor_first,
        before=not rule.ordered or not anchor_first,
        after=not rule.ordered or anchor_first,
        within=rule.within,
        across=rule.across,
    )


class Matcher:
    """Finds what the rules of a lexicon find; immutable, safe to share."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._plans = tuple(Plan(entry, index) for index, entry in enumerate(lexicon.entries))
        self._nodes = _Nodes(lexicon)
        self._branches = lexicon.branches.grown
        self._anchors = mask_of(lexicon.rules)
        self._every_group = (1 << len(lexicon.group_names)) - 1
        self._chains = tuple((chain.needs, chain.gives, chain) for chain in lexicon.sequences)
        self._always, self._rules = self._reading_masks()
        self._stop_mask = mask_of(lexicon.stops)
        self._literals = frozenset(lexicon.literals)
        negation = lexicon.negation
        self._denying = negation.negators | negation.adjacent
        self._denials = mask_of((negation.fine, negation.denied_after, negation.denied_at_end))
        self._tellings = mask_of((negation.supposed, negation.taken_back, negation.elsewhere))
        courtesy = lexicon.courtesy
        self._greetings = courtesy.greetings | courtesy.small_print
        self._closings = courtesy.closings | courtesy.sign_offs | courtesy.small_print
        self._courtesies = self._greetings | self._closings
        self._critical = {
            group for group, index in lexicon.literals.items() if urgency(lexicon.entries[index].priority) <= 1
        }

    def _reading_masks(self) -> tuple[int, dict[int, tuple[_Readied, ...]]]:
        """The groups that every reading needs; for each anchor, as a bit, its rules."""
        lexicon = self.lexicon
        negation = lexicon.negation

        def closed(mask: int) -> int:
            for chain in reversed(lexicon.sequences):
                if chain.gives & mask:
                    mask |= chain.needs
            return mask

        def reads(rule: Rule) -> int:
            near = mask_of(group for group, _ in lexicon.entries[rule.entry].signals_near)
            return closed(rule.needs | near | mask_of(context.group for context in rule.contexts))

        roles = (negation.hedges, negation.denied_after, negation.denied_at_end, negation.fine, negation.pseudo)
        always = closed(mask_of(lexicon.stops) | mask_of(lexicon.literals) | mask_of(roles))
        order = itertools.count()
        rules = {
            1 << anchor: tuple(
                _Readied(
                    order=next(order),
                    needs=rule.needs,
                    reads=reads(rule),
                    contexts=mask_of(context.group for context in rule.contexts),
                    rule=rule,
                    plan=self._plans[rule.entry],
                    pair=_pair(rule),
                )
                for rule in some
            )
            for anchor, some in lexicon.rules.items()
        }
        return always, rules

    def find(self, tokens: list[str]) -> Found:
        """What a text of folded tokens holds."""
        # What is there, first: most texts hold no combination that any rule asks for, and end here.
        found: list[_Seen] = []
        mask = 0
        branches = self._branches
        grow = self.lexicon.branches.grow
        size = len(tokens)
        for i, node in enumerate(map(self._nodes.__getitem__, tokens)):
            if node is None:
                continue
            groups, bits, branch, _ = node
            if bits:
                mask |= bits
                found.append((i, i + 1, groups, bits))
            k = i + 1
            while branch and k < size:
                following = tokens[k]
                children = branches[branch]
                if children is None:
                    children = grow(branch)
                node = children.get(following)
                if node is None:
                    if not children.open:
                        break
                    if following[0] == "ل":
                        node = children.get(FOR_ANYONE)
                    if node is None:
                        node = children.get(ANY_WORD)
                        if node is None or following in CLAUSE_ENDS:
                            break
                groups, bits, branch, _ = node
                k += 1
                if bits:
                    mask |= bits
                    found.append((i, k, groups, bits))
        if mask & self._nodes.stand_in:
            return self._find_meant(tokens)
        unreal = self._unreal(tokens, found) if mask & self._tellings else 0
        courtesies = self._polite(tokens, found) if mask & self._courtesies else 0
        matches = self._matches(tokens, found, mask)
        if mask & self.lexicon.courtesy.sign_offs:
            courtesies |= self._signature(tokens, found, matches, courtesies)
        return Found(matches, unreal, courtesies, tokens)

    def _find_meant(self, tokens: list[str]) -> Found:
        """`find` in the words that are meant."""
        meant = [self._nodes.meant(token) or (token,) for token in tokens]
        places = [place for place, words in enumerate(meant) for _ in words]
        return self.find([*itertools.chain.from_iterable(meant)])._replace(places=places)

    def _matches(self, tokens: list[str], found: Sequence[_Seen], mask: int) -> list[Match]:
        """What the rules find; what is denied is marked so."""
        chains = []
        absent = self._every_group & ~mask
        for needs, gives, chain in self._chains:
            if not needs & absent:
                mask |= gives
                absent &= ~gives
                chains.append(chain)
        anchors = mask & self._anchors
        if not anchors:
            return []
        wanted = self._always
        readied: list[_Readied] = []
        by_anchor = self._rules
        while anchors:
            bit = anchors & -anchors
            anchors ^= bit
            for rule in by_anchor[bit]:
                if not rule[1] & absent:
                    readied.append(rule)
                    wanted |= rule[2]
        if not readied:
            return []
        readied.sort()
        occurrences: Occurrences = {}
        for i, k, groups, bits in found:
            if bits & wanted:
                span = (i, k)
                for group in groups:
                    if group in occurrences:
                        occurrences[group].append(span)
                    else:
                        occurrences[group] = [span]
        reading = _Reading(tokens, occurrences, mask)
        if self._stop_mask & mask:
            self._swallow(reading)
        for chain in chains:
            if chain.gives & wanted:
                self._chain(reading, chain)
        matches = self._apply(reading, readied)
        if not matches:
            return matches
        self._deny(reading, matches)
        return matches

    def _unreal(self, tokens: Sequence[str], found: Sequence[_Seen]) -> int:
        """The tokens, as bits, of what is told as feared or supposed, taken back, long ago or elsewhere."""
        negation = self.lexicon.negation
        turns = negation.turns
        swallowed = 0
        for i, k, _, bits in found:
            if bits & self._stop_mask:
                swallowed |= (1 << k) - (1 << i)
        unreal = 0
        for i, k, groups, bits in found:
            if not bits & self._tellings or swallowed >> i & 1:
                continue
            first, last = i, k
            if negation.taken_back in groups:
                if not negation.negators.isdisjoint(tokens[max(0, i - 2) : i]):
                    continue
                first = _back(tokens, i, HARD_STOPS)
                if i - first < _AT_THE_BEGINNING:
                    # What a sentence begins with takes back the one before it.
                    while first and tokens[first - 1] in HARD_STOPS:
                        first -= 1
                    first = _back(tokens, first, HARD_STOPS)
            if negation.elsewhere in groups:
                first = min(first, _back(tokens, i, CLAUSE_ENDS))
            if negation.supposed in groups or negation.elsewhere in groups:
                ends = SENTENCE_ENDS if negation.elsewhere in groups else CLAUSE_ENDS
                if (not i or tokens[i - 1] in SOFT_STOPS) and k < len(tokens) and tokens[k] in SOFT_STOPS:
                    # "If, God forbid, …" supposes what stands behind the comma.
                    last = k + 1
                while last < min(len(tokens), k + _TOLD) and tokens[last] not in ends and tokens[last] not in turns:
                    last += 1
            unreal |= (1 << last) - (1 << first)
        return unreal

    def _polite(self, tokens: Sequence[str], found: Sequence[_Seen]) -> int:
        """The tokens, as bits, of clauses that are courtesies alone, and of those at the beginning or end of others."""
        size = len(tokens)
        courtesies, between = self._courtesies, self.lexicon.courtesy.between
        greetings, closings = self._greetings, self._closings
        spans = [(i, k, bits) for i, k, _, bits in found if bits & courtesies]
        greeting = closing = 0
        for first, last, bits in spans:
            covered = (1 << last) - (1 << first)
            if bits & greetings:
                greeting |= covered
            if bits & closings:
                closing |= covered
        spoken = greeting | closing
        polite = 0
        for first, last, _ in spans:
            if polite >> first & 1:
                continue
            while first and (spoken >> (first - 1) & 1 or tokens[first - 1] in between):
                first -= 1
            while last < size and (spoken >> last & 1 or tokens[last] in between):
                last += 1
            begins = not first or tokens[first - 1] in CLAUSE_ENDS
            ends = last == size or tokens[last] in CLAUSE_ENDS
            if begins and ends:
                # A question mark asks for an answer, too.
                last += last < size and tokens[last] in _ASKED
            elif begins:
                last = first
                while greeting >> last & 1:
                    last += 1
            elif ends:
                first = last
                while closing >> (first - 1) & 1:
                    first -= 1
                last += last < size and tokens[last] in _ASKED
            else:
                continue
            polite |= (1 << last) - (1 << first)
        return polite

    def _signature(
        self, tokens: Sequence[str], found: Sequence[_Seen], matches: Sequence[Match], courtesies: int
    ) -> int:
        """The tokens, as bits, of the short clauses after the sign-off that ends a letter: who wrote, where to reach them.

        What a rule finds there is no part of a signature, nor is what follows it.
        """
        sign_offs = self.lexicon.courtesy.sign_offs
        begun = max([k for _, k, _, bits in found if bits & sign_offs and courtesies >> (k - 1) & 1], default=0)
        size = len(tokens)
        if begun == size or tokens[begun] not in CLAUSE_ENDS:
            return 0
        for at in range(begun):
            if tokens[at] not in CLAUSE_ENDS and not courtesies >> at & 1:
                break
        else:
            return 0
        first = at = last = begun
        told = min([match.first for match in matches if match.first >= first], default=size)
        while at < min(told, first + _SIGNED):
            while at < size and tokens[at] in CLAUSE_ENDS:
                at += 1
            last = at
            while at < size and tokens[at] not in CLAUSE_ENDS:
                at += 1
            if at - last > _LINE_OF_A_SIGNATURE or told < at:
                break
            last = at
        return (1 << last) - (1 << first)

    def _swallow(self, reading: _Reading) -> None:
        """Remove what lies inside a fixed phrase, unless a keyword reaches across the phrase's border.

        A phrase that a line end or a dash cuts is none: a line "leak" and a line "Proof Pack" are not *leak proof*.
        """
        occurrences = reading.occurrences
        keywords = sorted([span for group in self._literals.intersection(occurrences) for span in occurrences[group]])
        swallowed = 0
        for group in self.lexicon.stops.intersection(occurrences):
            for first, last in occurrences.pop(group):
                if not JOINTS.isdisjoint(reading.tokens[first:last]):
                    continue
                near = keywords[bisect_left(keywords, (first - 8, 0)) : bisect_right(keywords, (last, 0))]
                if not any(a < first < b < last or first < a < last < b for a, b in near):
                    swallowed |= (1 << last) - (1 << first)
        if not swallowed:
            return
        # Nor does what lies inside one deny anything: «زي ما قلت لكم».
        reading.consumed = swallowed
        for group, spans in list(occurrences.items()):
            left = [(first, last) for first, last in spans if ~(swallowed >> first) & ((1 << (last - first)) - 1)]
            if len(left) == len(spans):
                continue
            if left:
                occurrences[group] = left
            else:
                del occurrences[group]

    @staticmethod
    def _chain(reading: _Reading, chain: Chain) -> None:
        occurrences = reading.occurrences
        for part in chain.parts:
            if part not in occurrences:
                return
        for first, end in tuple(occurrences[chain.parts[0]]):
            last = end
            for part in chain.parts[1:]:
                spans = occurrences[part]
                at = bisect_left(spans, (last, 0))
                if at == len(spans):
                    break
                start = spans[at][0]
                if start - last > chain.gap or (start > last and reading.clause_ends(last, start)):
                    break
                # The longest of those that start there.
                while at + 1 < len(spans) and spans[at + 1][0] == start:
                    at += 1
                last = spans[at][1]
            else:
                span = (first, last)
                for group in chain.unions:
                    if group not in occurrences:
                        occurrences[group] = [span]
                        continue
                    spans = occurrences[group]
                    at = bisect_left(spans, span)
                    if at == len(spans) or spans[at] != span:
                        spans.insert(at, span)

    # --- rules --------------------------------------------------------------------------------------------------------

    def _apply(self, reading: _Reading, readied: Sequence[_Readied]) -> list[Match]:
        occurrences = reading.occurrences
        mask = reading.mask
        matches: dict[tuple[int, int, int], Match] = {}
        for _, _, _, contexts, rule, plan, pair in readied:
            parts = rule.parts
            places: Sequence[Sequence[Span]]
            if pair is not None:
                if pair[0] not in occurrences or pair[1] not in occurrences:
                    continue
                places = self._pairs(reading, pair)
            elif len(parts) == 1:
                if parts[0] not in occurrences:
                    continue
                places = [(span,) for span in occurrences[parts[0]]]
            else:
                for part in parts:
                    if part not in occurrences:
                        places = ()
                        break
                else:
                    places = self._places(reading, rule)
            for place in places:
                first, last = place[0]
                for start, end in place:
                    if start < first:
                        first = start
                    if end > last:
                        last = end
                key = (rule.entry, first, last)
                if key in matches or (contexts & mask and self._silenced(reading, rule.contexts, first, last)):
                    continue
                said = self._signals(reading, plan, first, last) if plan.near else plan.said
                matches[key] = Match(plan, first, last, place[rule.head][0], place, said)
        return list(matches.values())

    @staticmethod
    def _pairs(reading: _Reading, pair: _Pair) -> list[tuple[Span, Span]]:
        """``_places`` for two parts, as most rules have them."""
        at_anchor, at_other, anchor_first, before, after, within, across = pair
        occurrences = reading.occurrences
        spans = occurrences[at_other]
        nearest = spans[0][0]
        places = []
        for anchor in occurrences[at_anchor]:
            start, end = anchor
            best: Span | None = None
            best_gap = within
            lowest = start - within - 12
            for span in spans if nearest >= lowest else spans[bisect_left(spans, (lowest, 0)) :]:
                if span[0] >= end:
                    gap = span[0] - end
                    if gap > best_gap or not after:
                        # Those that follow stand further off.
                        break
                    if gap and reading.sentence_ends(end, span[0], across):
                        continue
                elif span[1] <= start:
                    gap = start - span[1]
                    if gap > best_gap or not before:
                        continue
                    if gap and reading.sentence_ends(span[1], start, across):
                        continue
                else:
                    continue
                # Of two that are as near, the longer one.
                if gap < best_gap or best is None or span[1] - span[0] > best[1] - best[0]:
                    best, best_gap = span, gap
            if best is not None:
                places.append((anchor, best) if anchor_first else (best, anchor))
        return places

    @staticmethod
    def _places(reading: _Reading, rule: Rule) -> list[list[Span]]:
        """Where the parts of a rule stand together: for each occurrence of the anchor the nearest of the others."""
        occurrences = reading.occurrences
        ends = reading.sentence_ends
        parts, ordered, within, across = rule.parts, rule.ordered, rule.within, rule.across
        places = []
        anchor_at = parts.index(rule.anchor)
        reach = within * (len(parts) - 1)
        for anchor in occurrences[rule.anchor]:
            start, end = anchor
            lowest = start - reach - 12
            chosen: list[Span] = []
            for position, part in enumerate(parts):
                if position == anchor_at:
                    chosen.append(anchor)
                    continue
                spans = occurrences[part]
                best: Span | None = None
                best_gap = reach + 1
                for span in spans if spans[0][0] >= lowest else spans[bisect_left(spans, (lowest, 0)) :]:
                    a, b = span
                    if a >= end:
                        gap = a - end
                        if gap > reach or (ordered and position < anchor_at):
                            break
                        if gap > best_gap or _overlaps(a, b, chosen) or (gap and ends(end, a, across)):
                            continue
                    elif b <= start:
                        gap = start - b
                        if gap > best_gap or (ordered and position > anchor_at):
                            continue
                        if _overlaps(a, b, chosen) or (gap and ends(b, start, across)):
                            continue
                    else:
                        continue
                    # Of two that are as near, the longer one.
                    if gap < best_gap or best is None or b - a > best[1] - best[0]:
                        best, best_gap = span, gap
                if best is None:
                    break
                chosen.append(best)
            else:
                in_order = sorted(chosen)
                if ordered and in_order != chosen:
                    continue
                last = in_order[0][1]
                for a, b in in_order:
                    if a - last > within:
                        break
                    last = b
                else:
                    places.append(chosen)
        return places

    @staticmethod
    def _silenced(reading: _Reading, contexts: tuple[Context, ...], first: int, last: int) -> bool:
        for context in contexts:
            spans = reading.occurrences.get(context.group)
            if spans is None:
                continue
            where = context.where
            if where == "later":
                if spans[-1][0] >= last:
                    return True
                continue
            at = bisect_left(spans, (first - context.within - 8, 0))
            while at < len(spans):
                a, b = spans[at]
                at += 1
                if a - last > context.within:
                    break
                if a >= last:
                    inside, between = "after", (last, a)
                elif b <= first:
                    inside, between = "before", (b, first)
                    if first - b > context.within:
                        continue
                else:
                    inside, between = "inside", (first, first)
                if where == "near" or where == inside or (where == "before" and inside == "inside" and a <= first):
                    cut = reading.clause_ends if context.clause else reading.sentence_ends
                    if between[0] >= between[1] or not cut(*between):
                        return True
        return False

    @staticmethod
    def _signals(reading: _Reading, plan: Plan, first: int, last: int) -> Said:
        nearest = _NEAR_A_FINDING + 1
        chosen = plan.said
        for group, said in plan.near:
            spans = reading.occurrences.get(group)
            if spans is None:
                continue
            for a, b in spans[bisect_left(spans, (first - 2 * nearest, 0)) :]:
                if a - last >= nearest:
                    break
                if a >= last:
                    gap, between = a - last, (last, a)
                elif b <= first:
                    gap, between = first - b, (b, first)
                else:
                    return said
                if gap < nearest and not reading.sentence_ends(*between):
                    nearest, chosen = gap, said
        return chosen

    # --- negation -----------------------------------------------------------------------------------------------------

    def _deny(self, reading: _Reading, matches: Sequence[Match]) -> None:
        """Set the matches apart that the text denies."""
        occurrences = reading.occurrences
        consumed = reading.consumed
        spans = occurrences.get(self.lexicon.negation.pseudo)
        if spans is not None:
            heads = {match.head for match in matches}
            tokens = reading.tokens
            for first, last in spans:
                # «ما هو سبب التسريب» and «ما هو التسريب» ask; «ما هو تسريب» denies.
                if (
                    last not in heads
                    or tokens[last - 1] not in self.lexicon.negation.copulas
                    or tokens[last].startswith("ال")
                ):
                    consumed |= (1 << last) - (1 << first)
        for match in matches:
            for first, last in match.parts:
                consumed |= (1 << last) - (1 << first)
        reading.consumed = consumed
        denying = self._denying
        first_negator = -1
        if not denying.isdisjoint(reading.tokens):
            for k, token in enumerate(reading.tokens):
                if token in denying and not consumed >> k & 1 and not means_number(reading.tokens, k):
                    first_negator = k
                    break
        if first_negator < 0 and not reading.mask & self._denials:
            return
        several = False
        for match in matches:
            self._judge(reading, match, first_negator)
            several = several or (match.denied and len(match.parts) > 1)
        if several:
            # What is denied in one pairing is denied in the others of the same words, and across it.
            denied = [m for m in matches if m.denied and len(m.parts) > 1]
            for match in matches:
                if len(match.parts) > 1 and not match.denied:
                    match.denied = any(
                        match.plan is m.plan
                        and match.first <= m.head < match.last
                        and (match.head == m.head or not set(match.parts).isdisjoint(m.parts))
                        for m in denied
                    )

    def _judge(self, reading: _Reading, match: Match, first_negator: int) -> None:
        mode = match.plan.mode
        if mode == "none":
            return
        occurrences = reading.occurrences
        negation = self.lexicon.negation
        spans = occurrences.get(negation.fine)
        if spans is not None:
            at = bisect_left(spans, (match.first, 0)) - 1
            if at >= 0 and match.first - spans[at][1] <= 3 and not reading.clause_ends(spans[at][1], match.first):
                match.denied = True
                return
        preceded = 0 <= first_negator < match.first
        if mode == "adjacent":
            match.denied = preceded and self._negator_before(reading, match.first, 1, prepositions_only=True)
            return
        if 0 <= first_negator < match.head and self._negator_before(reading, match.head, negation.window):
            match.denied = True
            spans = occurrences.get(negation.hedges)
            if spans is not None:
                at = bisect_left(spans, (match.head, 0)) - 1
                match.hedged = (
                    at >= 0 and match.head - spans[at][0] <= 10 and not reading.sentence_ends(spans[at][0], match.head)
                )
            return
        match.denied = self._denied_afterwards(reading, match.last)

    def _negator_before(self, reading: _Reading, head: int, window: int, *, prepositions_only: bool = False) -> bool:
        tokens = reading.tokens
        negation = self.lexicon.negation
        consumed = reading.consumed
        distance = 0
        k = head - 1
        if self._and_joined(tokens[head]):
            item = self._item_before(reading, head)
            if item is None:
                return False
            k = item - 1
        while k >= 0:
            token = tokens[k]
            if token in HARD_STOPS or token in HYPHENS:
                return False
            if token in SOFT_STOPS:
                # A line end separates, except when it stands right behind a negator that is no answer ("VIP: no").
                if token == "\n":
                    if k == 0 or not (tokens[k - 1] in negation.negators or tokens[k - 1] in negation.adjacent):
                        return False
                    if k == 1 or tokens[k - 2] in CLAUSE_ENDS:
                        return False
                    k -= 1
                    continue
                item = self._item_before(reading, k) if self._listed(reading, k) else None
                if item is None and tokens[k + 1] not in negation.coordinators:
                    return False
                k = k - 1 if item is None else item - 1
                continue
            if not consumed >> k & 1 and not means_number(tokens, k):
                if token in negation.breaks:
                    return False
                if token in negation.adjacent:
                    if distance <= 1:
                        return True
                elif (
                    token in negation.negators
                    and not prepositions_only
                    and not (
                        token in negation.interjections
                        and k + 1 < len(tokens)
                        and tokens[k + 1] in negation.interjection_followers
                    )
                ):
                    return True
            if token in negation.coordinators or self._and_joined(token):
                # A list of such things is denied together, another clause is not: "no reply and we were hacked".
                item = self._item_before(reading, k)
                if item is not None and tokens[k + 1] not in negation.interjection_followers:
                    k = item - 1
                    continue
                if token in negation.joins or token not in negation.coordinators:
                    return False
            elif token not in negation.fillers:
                distance += 1
                if distance > window:
                    return False
            k -= 1
        return False

    def _and_joined(self, token: str) -> bool:
        """Whether «و» ("and") is joined to a word."""
        if token[0] != "و" or len(token) < 3 or token in self.lexicon.trie or token in self.lexicon.negation.negators:
            return False
        return token[1:] in self.lexicon.negation.fillers or node_of(self.lexicon.trie, token) is not None

    def _item_before(self, reading: _Reading, at: int) -> int | None:
        """Where something critical begins that ends right before a place, if anything does."""
        if reading.critical is None:
            reading.critical = {}
            for group in self._critical.intersection(reading.occurrences):
                for first, last in reading.occurrences[group]:
                    reading.critical[last] = min(first, reading.critical.get(last, first))
        return reading.critical.get(at)

    def _listed(self, reading: _Reading, comma: int) -> bool:
        """Whether a comma stands in a list of things denied together: "no leak, breach or outage"."""
        negation = self.lexicon.negation
        tokens = reading.tokens
        for k, token in enumerate(tokens[comma + 1 : comma + 7], start=comma + 1):
            if token in HARD_STOPS:
                break
            if token in negation.coordinators or (token in SOFT_STOPS and self._item_before(reading, k) is not None):
                return True
        # The last of three.
        before = [k for k in range(max(0, comma - 6), comma) if tokens[k] in SOFT_STOPS]
        return bool(before) and self._item_before(reading, before[-1]) is not None

    def _denied_afterwards(self, reading: _Reading, last: int) -> bool:
        negation = self.lexicon.negation
        tokens = reading.tokens
        for group, at_end in ((negation.denied_after, False), (negation.denied_at_end, True)):
            spans = reading.occurrences.get(group)
            if spans is None:
                continue
            at = bisect_left(spans, (last, 0))
            if at == len(spans) or spans[at][0] - last > (2 if at_end else 6):
                continue
            if at_end and not negation.coordinators.isdisjoint(tokens[last : spans[at][0]]):
                # "We were hacked, and no, it was none of us" denies something else.
                continue
            if not negation.negators.isdisjoint(tokens[max(last, spans[at][0] - 2) : spans[at][0]]):
                # "The leak is not a false alarm."
                continue
            if not negation.turns.isdisjoint(tokens[last : spans[at][0]]):
                # "We were hacked, but you say that it is not true."
                continue
            # "An outage? No, …" answers its own question, and so does "outage: none".
            asked = spans[at][0] - 1
            answered = at_end and asked - last <= 1 and tokens[asked] in _ANSWERED
            if not answered and reading.clause_ends(last, spans[at][0]):
                continue
            end = spans[at][1]
            if end < len(tokens) and tokens[end] == "\n" and not answered and tokens[end - 1] in negation.negators:
                # A line ends, not a sentence: «تسريب ولا / أحد رد».
                continue
            if not at_end or end == len(tokens) or tokens[end] in CLAUSE_ENDS:
                return True
        return False


def means_number(tokens: Sequence[str], at: int) -> bool:
    """Whether "no" at a place stands for *number*: "order no 77812"."""
    return tokens[at] == "no" and at + 1 < len(tokens) and tokens[at + 1][0].isdigit()


def _back(tokens: Sequence[str], at: int, ends: frozenset[str]) -> int:
    """Where what stands before a place begins: after one of some tokens, or so many words back."""
    first = at
    while first > max(0, at - _TOLD) and tokens[first - 1] not in ends:
        first -= 1
    return first


def base_words(matches: Iterable[Match]) -> int:
    """The tokens, as bits, that are part of a base keyword: it counts by itself, not by weight."""
    bits = 0
    for match in matches:
        if match.plan.sure:
            bits |= (1 << match.last) - (1 << match.first)
    return bits


def without(silent: int, tokens: list[str]) -> list[str]:
    """The tokens with a full stop in place of each that is set in ``silent``: base keywords, courtesies."""
    if not silent:
        return tokens
    left = tokens.copy()
    for at in bits_of(silent):
        left[at] = "."
    return left


def order_of(match: Match) -> tuple[int, int, int]:
    return match.plan.rank, match.first, -match.last


def _overlaps(start: int, end: int, others: Sequence[Span]) -> bool:
    for a, b in others:  # noqa: SIM110 - a generator would cost twice as much
        if a < end and start < b:
            return True
    return False
