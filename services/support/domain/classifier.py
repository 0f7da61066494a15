"""Free text to a priority, with the evidence.

The text is folded and cut into tokens (``services.domain.arabic``); a token trie finds the words of the lexicon; rules
join words that stand near one another; contexts silence rules, fixed phrases swallow words, negations set hits apart.
What all the words weigh together (``weights``) finds what no rule joins, and sets a rule's finding aside that the rest
of the text speaks against; a base keyword needs no such support. Where words leave a doubt, runs of words in their
order (``phrases``) are asked too. The highest hit that is left decides. The same text and lexicon give the same answer.

Cost is linear in the length of the text: every search around a word is bounded by a window.
"""

from __future__ import annotations

import itertools
import operator
import textwrap
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.domain.arabic import (
    HARD_STOPS,
    SOFT_STOPS,
    Folded,
    Offsets,
    fold_and_tokenize,
    token_starts,
    written_once,
)
from services.support.domain.lexicon import (
    ANY_WORD,
    FOR_ANYONE,
    JOINS_FA,
    JOINS_WAW,
    Chain,
    Context,
    Entry,
    Lexicon,
    Node,
    Rule,
    Signal,
    Trie,
    mask_of,
)
from services.support.domain.priorities import Priority, urgency
from services.support.domain.weights import (
    LEVELS,
    LIKELY,
    QUIET,
    UNIT,
    VERDICTS,
    Remembered,
    in_doubt,
    likeliest_level,
    likelihoods,
    odds_of,
    packed_for,
    pairs_of,
    points_for,
    reaches,
    settled_level,
    speaks,
)

__all__ = ["Classification", "Classifier", "Hit", "Priority", "Signal"]

Span = tuple[int, int]
Occurrences = dict[int, list[Span]]
# What is made for each text or hit is a tuple or has slots: a frozen data class takes five times as long to make.

_HYPHENS = frozenset(["-", "--"])
_CLAUSE_ENDS = HARD_STOPS | SOFT_STOPS
_ASKED = frozenset("?؟")
_JOINTS = _HYPHENS | {"\n"}
_SENTENCE_ENDS = HARD_STOPS | {"\n"}
_NO_WORDS = (_CLAUSE_ENDS | {"!"}) - _ASKED
# A longer text is weighed in windows of so many words, so that its harmless sentences do not hide the one that matters.
_WEIGHED_AT_ONCE = 60
# What a rule's finding, and a denied critical word, are worth beside the words: logarithms of odds.
_RULE_FOUND = {level: packed_for(numbers, round(1.5 / UNIT)) for level, numbers in enumerate((*LEVELS, ()))}
_DENIED = packed_for(LEVELS[0], round(6.0 / UNIT))
_QUIET = reaches(QUIET)
_AUDIBLE = reaches(1)
# How many parts of a text that words leave in doubt are read again at most, word after word.
_READ_AGAIN = 8
# A sentence of fewer words, perhaps cut off, is weighed only with those around it.
_SENTENCE = 6
# What one word at least must say, in points, for words alone to be a finding: little of everything says nothing.
_TELLING = 12
# How much of the telling words a reason repeats, in characters; the hit has all of them.
_SHOWN = 160
_JOINED = {"و": JOINS_WAW, "ف": JOINS_FA}


class Hit(NamedTuple):
    """One finding. ``start`` and ``end`` are code points, half-open, in the text as given; ``text`` is that slice.

    ``language`` is that of the slice: ``ar``, ``en``, ``mixed``, or ``arabizi`` (Arabic in Latin letters).
    """

    keyword: str
    priority: Priority
    start: int
    end: int
    text: str
    language: str
    signals: tuple[Signal, ...]


class Classification(NamedTuple):
    """The verdict. ``matched_keyword`` is empty when nothing was found that counts; ``hits`` in order of urgency.

    ``review_required``: a critical word was found and denied, so that a person should read the ticket.
    """

    priority: Priority
    matched_keyword: str
    hits: tuple[Hit, ...]
    negated_hits: tuple[Hit, ...]
    signals: tuple[Signal, ...]
    review_required: bool
    reason_ar: str
    reason_en: str
    lexicon_version: str


_Said = tuple[tuple[Signal, ...], dict[int, Signal]]
"""Signals, and the same by number: the hash of an enumeration's member is slow."""


class _Plan:
    """An entry as the search reads it."""

    __slots__ = ("critical", "entry", "index", "level", "mode", "near", "rank", "said", "weighed")

    def __init__(self, entry: Entry, index: int, *, weighed: bool = False) -> None:
        self.entry = entry
        self.index = index
        self.level = urgency(entry.priority)
        # Found by the weights of its words, not by a rule.
        self.weighed = weighed
        self.mode = entry.negation
        # The order of the hits: urgency, and base keywords before others of their priority.
        self.rank = urgency(entry.priority) * 2 + (not entry.base)
        self.critical = urgency(entry.priority) <= 1
        self.said = _said(entry.signals)
        self.near = tuple((group, _said(signals)) for group, signals in entry.signals_near)


def _said(signals: tuple[Signal, ...]) -> _Said:
    numbers = list(Signal)
    return signals, {numbers.index(signal): signal for signal in signals}


class _Match:
    __slots__ = ("denied", "first", "head", "hedged", "last", "parts", "plan", "said")

    def __init__(self, plan: _Plan, first: int, last: int, head: int, parts: Sequence[Span], said: _Said) -> None:
        self.plan = plan
        self.first = first
        self.last = last
        self.head = head
        self.parts = parts
        self.said = said
        self.denied = False
        self.hedged = False


class _Source(NamedTuple):
    """A text in its three states: as given, folded, and in tokens (``kept``: which of those written were read)."""

    text: str
    folded: str
    how: Folded
    written: list[str]
    kept: list[int] | None
    tokens: list[str]

    def spans(self, matches: Sequence[_Match]) -> list[Span]:
        """Where matches stand in the text as it was given."""
        written = self.written
        kept = self.kept
        places = [(match.first, match.last - 1) for match in matches]
        if kept is not None:
            places = [(kept[first], kept[last]) for first, last in places]
        count = max([last for _, last in places]) + 1
        found = self._searched(places) if len(places) * 7 < count and len(places) <= 8 else None
        if found is None:
            starts = token_starts(self.folded, written, count)
            found = [(starts[first], starts[last] + len(written[last])) for first, last in places]
        if self.how == "one to one":
            return found
        original = Offsets(self.text, self.how).original
        return [original(start, end) for start, end in found]

    def _searched(self, places: Sequence[Span]) -> list[Span] | None:
        """The spans, unless some token is written elsewhere too: walking over all tokens costs more than a search."""
        written = self.written
        find = self.folded.find
        found = []
        for first, last in places:
            token = written[first]
            start = end = find(token)
            if find(token, start + 1) >= 0:
                return None
            if last != first:
                token = written[last]
                end = find(token, start)
                if find(token, end + 1) >= 0 or find(token, 0, end + len(token) - 1) >= 0:
                    return None
            found.append((start, end + len(token)))
        return found


class _Reading:
    """One text while it is being classified: its tokens and what was found where."""

    __slots__ = ("consumed", "critical_ends", "mask", "occurrences", "tokens")

    def __init__(self, tokens: Sequence[str], occurrences: Occurrences, mask: int) -> None:
        self.tokens = tokens
        self.occurrences = occurrences
        # No other group occurs; not each that is there need do so, for a fixed phrase may have swallowed it.
        self.mask = mask
        # Tokens, as bits, that are part of a complaint ("not working", "nobody can log in") and so deny nothing else.
        self.consumed = 0
        self.critical_ends: set[int] | None = None

    def sentence_ends(self, start: int, end: int, more_than: int = 0) -> bool:
        """Whether more than some sentence ends stand in tokens[start:end]."""
        between = self.tokens[start:end]
        if HARD_STOPS.isdisjoint(between):
            return False
        return not more_than or sum([token in HARD_STOPS for token in between]) > more_than

    def clause_ends(self, start: int, end: int) -> bool:
        """Whether a comma, line end or sentence end stands in tokens[start:end]."""
        return not _CLAUSE_ENDS.isdisjoint(self.tokens[start:end])


class _Pair(NamedTuple):
    """A rule of two parts: whether the other may stand before or after the anchor, and how far off."""

    anchor: int
    other: int
    anchor_first: bool
    before: bool
    after: bool
    within: int
    across: int


class _Judged(NamedTuple):
    """How urgent the tokens at some place are found to be; unless that is P3, with the odds of each verdict."""

    level: int
    odds: Sequence[float]
    place: Span


class _Readied(NamedTuple):
    """A rule with its place among the rules, the groups it needs, all that it looks at, and those of its contexts."""

    order: int
    needs: int
    reads: int
    contexts: int
    rule: Rule
    plan: _Plan
    pair: _Pair | None


class _Nodes(Remembered[Node | None]):
    """The nodes of words as they are written, conjunctions at their beginning included; None for a word without one."""

    def __init__(self, trie: Trie) -> None:
        self._trie = trie

    def made(self, word: str) -> Node | None:
        node = self._trie.get(word)
        if node is None and word[0] in _JOINED:
            node = self._trie.get(word[1:])
            if node is not None and not node[3] & _JOINED[word[0]]:
                node = None
        return node


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


class Classifier:
    """Classifies texts by a lexicon; immutable, safe to share."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._nodes = _Nodes(lexicon.trie)
        self._branches = lexicon.branches.grown
        self._anchors = mask_of(lexicon.rules)
        self._every_group = (1 << len(lexicon.group_names)) - 1
        self._chains = tuple((chain.needs, chain.gives, chain) for chain in lexicon.sequences)
        self._plans = tuple(_Plan(entry, index) for index, entry in enumerate(lexicon.entries))
        by_id = {entry.id: (entry, index) for index, entry in enumerate(lexicon.entries)}
        # A lexicon of an editor's own need not have every entry; what it lacks is not found by weight.
        self._by_weight = {
            number: _Plan(*by_id[verdict.entry], weighed=True)
            for number, verdict in enumerate(VERDICTS)
            if verdict.entry in by_id and lexicon.weights
        }
        self._always, self._rules = self._reading_masks()
        self._stop_mask = mask_of(lexicon.stops)
        self._literals = frozenset(lexicon.literals)
        negation = lexicon.negation
        self._denying = negation.negators | negation.adjacent
        self._denials = mask_of((negation.fine, negation.denied_after, negation.denied_at_end))
        self._reasons: dict[tuple[str, int, bool], tuple[str, str]] = {}
        self._critical = {
            group for group, index in lexicon.literals.items() if urgency(lexicon.entries[index].priority) <= 1
        }
        self._nothing = Classification(
            priority=Priority.P3,
            matched_keyword="",
            hits=(),
            negated_hits=(),
            signals=(),
            review_required=False,
            reason_ar="لم نجد في النص ما يدل على خطر أو عطل؛ يُعامل كسؤال عام بالأولوية P3.",
            reason_en="Nothing in the text points to a risk or a failure; it is treated as a general question, P3.",
            lexicon_version=lexicon.version,
        )

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

    def classify(self, text: str) -> Classification:
        """Classify one text; empty text is P3.

        Raises InvalidInput (``TEXT_TOO_LONG``) over the bounds of ``services.domain.arabic``.
        """
        folded, how, written = fold_and_tokenize(text)
        tokens = written_once(folded, written)
        kept: list[int] | None = None
        skipped = self.lexicon.skipped
        if not skipped.isdisjoint(tokens):
            kept = [i for i, token in enumerate(tokens) if token not in skipped]
            tokens = [tokens[i] for i in kept]
        matches = self._matches(tokens)
        aside: _Plan | None = None
        if self._by_weight:
            matches, aside = self._weighed(tokens, matches)
        if not matches:
            return self._nothing if aside is None else self._set_aside(aside)
        return self._verdict(text, _Source(text, folded, how, written, kept, tokens), matches, aside)

    def tokens_weighed(self, text: str) -> list[str]:
        """What is weighed of a text, in its order: folded words and marks, a full stop for each of a base keyword."""
        folded, _, written = fold_and_tokenize(text)
        skipped = self.lexicon.skipped
        tokens = [token for token in written_once(folded, written) if token not in skipped]
        return _without(_base_words(self._matches(tokens)), tokens)

    def words_weighed(self, text: str) -> frozenset[str]:
        """What a text's weight is made of: its folded words and pairs of neighbours, without found base keywords."""
        tokens = self.tokens_weighed(text)
        pairs = [pair for pair in pairs_of(tokens) if _CLAUSE_ENDS.isdisjoint(pair.split(" "))]
        return frozenset(tokens).difference(_NO_WORDS).union(pairs)

    # --- words --------------------------------------------------------------------------------------------------------

    def _matches(self, tokens: list[str]) -> list[_Match]:
        # What is there, first: most texts hold no combination that any rule asks for, and end here.
        found: list[tuple[int, int, tuple[int, ...], int]] = []
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
                    # A phrase may run on over a line end or a dash.
                    if following in _JOINTS:
                        k += 1
                        continue
                    if not children.open:
                        break
                    if following[0] == "ل":
                        node = children.get(FOR_ANYONE)
                    if node is None:
                        node = children.get(ANY_WORD)
                        if node is None or following in _CLAUSE_ENDS:
                            break
                groups, bits, branch, _ = node
                k += 1
                if bits:
                    mask |= bits
                    found.append((i, k, groups, bits))
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

    def _swallow(self, reading: _Reading) -> None:
        """Remove what lies inside a fixed phrase, unless a keyword reaches across the phrase's border."""
        occurrences = reading.occurrences
        keywords = sorted([span for group in self._literals.intersection(occurrences) for span in occurrences[group]])
        covered = bytearray(len(reading.tokens))
        for group in self.lexicon.stops.intersection(occurrences):
            for first, last in occurrences.pop(group):
                near = keywords[bisect_left(keywords, (first - 8, 0)) : bisect_right(keywords, (last, 0))]
                if not any(a < first < b < last or first < a < last < b for a, b in near):
                    covered[first:last] = bytes([1]) * (last - first)
        if 1 not in covered:
            return
        for group, spans in list(occurrences.items()):
            left = [span for span in spans if 0 in covered[span[0] : span[1]]]
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

    def _apply(self, reading: _Reading, readied: Sequence[_Readied]) -> list[_Match]:
        occurrences = reading.occurrences
        mask = reading.mask
        matches: dict[tuple[int, int, int], _Match] = {}
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
                matches[key] = _Match(plan, first, last, place[rule.head][0], place, said)
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
    def _signals(reading: _Reading, plan: _Plan, first: int, last: int) -> _Said:
        for group, said in plan.near:
            spans = reading.occurrences.get(group)
            if spans is not None:
                at = bisect_left(spans, (first - 7, 0))
                if at < len(spans) and spans[at][0] <= last + 6:
                    return said
        return plan.said

    # --- negation -----------------------------------------------------------------------------------------------------

    def _deny(self, reading: _Reading, matches: Sequence[_Match]) -> None:
        """Set the matches apart that the text denies."""
        occurrences = reading.occurrences
        consumed = 0
        for first, last in occurrences.get(self.lexicon.negation.pseudo, ()):
            consumed |= (1 << last) - (1 << first)
        for match in matches:
            for first, last in match.parts:
                consumed |= (1 << last) - (1 << first)
        reading.consumed = consumed
        denying = self._denying
        first_negator = -1
        if not denying.isdisjoint(reading.tokens):
            for k, token in enumerate(reading.tokens):
                if token in denying and not consumed >> k & 1:
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

    def _judge(self, reading: _Reading, match: _Match, first_negator: int) -> None:
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
        while k >= 0:
            token = tokens[k]
            if token in HARD_STOPS or token in _HYPHENS:
                return False
            if token in SOFT_STOPS:
                # A line end separates, except when it stands right between the negator and what it denies.
                if token == "\n":
                    if (
                        k == 0
                        or k != head - 1
                        or not (tokens[k - 1] in negation.negators or tokens[k - 1] in negation.adjacent)
                    ):
                        return False
                elif not self._listed(reading, k):
                    return False
                k -= 1
                continue
            if not consumed >> k & 1:
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
            if token not in negation.fillers and token not in negation.coordinators:
                distance += 1
                if distance > window:
                    return False
            k -= 1
        return False

    def _listed(self, reading: _Reading, comma: int) -> bool:
        """Whether a comma stands in a list of things denied together: "no leak, breach or outage"."""
        if reading.critical_ends is None:
            reading.critical_ends = {
                span[1]
                for group in self._critical.intersection(reading.occurrences)
                for span in reading.occurrences[group]
            }
        if comma not in reading.critical_ends:
            return False
        coordinators = self.lexicon.negation.coordinators
        for token in reading.tokens[comma + 1 : comma + 7]:
            if token in HARD_STOPS:
                return False
            if token in coordinators:
                return True
        return False

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
            # "An outage? No, …" answers its own question.
            answered = at_end and spans[at][0] == last + 1 and tokens[last] in _ASKED
            if not answered and reading.clause_ends(last, spans[at][0]):
                continue
            end = spans[at][1]
            if not at_end or end == len(tokens) or tokens[end] in HARD_STOPS or tokens[end] in SOFT_STOPS:
                return True
        return False

    # --- weights ------------------------------------------------------------------------------------------------------

    def _weighed(self, tokens: list[str], matches: list[_Match]) -> tuple[list[_Match], _Plan | None]:
        """The matches that the words support, one more where the words alone say it, and what P0 was set aside."""
        readings = iter(range(_READ_AGAIN))
        most = _Judged(3, (), (0, len(tokens)))
        for match in sorted(matches, key=_order):
            # A rule's finding need not have the support of more than its own sentence: harmless ones must not hide it.
            if match.plan.level < most.level and not match.denied:
                most = min(most, self._supported(tokens, matches, match, readings), key=_level_of)
                if not most.level:
                    return matches, None
        most = min(self._most_urgent(tokens, matches, readings), most, key=_level_of)
        if not matches and most.level == 3:
            return matches, None
        level = most.level
        left: list[_Match] = []
        aside: _Plan | None = None
        for match in matches:
            if match.denied or match.plan.entry.base or match.plan.level >= level:
                left.append(match)
            elif match.plan.level == 0:
                aside = match.plan
        if level < 3 and not any(m.plan.level == level and not m.denied for m in left):
            by_words = self._by_words(tokens, matches, most)
            if by_words is not None:
                left.append(by_words)
        return left, aside

    def _supported(
        self, tokens: list[str], matches: Sequence[_Match], match: _Match, readings: Iterator[int]
    ) -> _Judged:
        """How urgent a match, with the words of its sentence, is found to be: at most as it says itself."""
        plan = match.plan
        place = (match.first, match.last) if plan.entry.base else self._sentence(tokens, match)
        if place == (match.first, match.last):
            # It needs no support, or no other word is there to give it.
            return _Judged(plan.level, (), place)
        first, last = place
        level, odds = self._level(_without(_base_words(matches, first), tokens[first:last]), [match], readings)
        return _Judged(max(plan.level, level), odds, place)

    def _most_urgent(self, tokens: list[str], matches: list[_Match], readings: Iterator[int]) -> _Judged:
        """The most urgent of a text's windows."""
        size = len(tokens)
        if size > _WEIGHED_AT_ONCE:
            size -= tokens.count(".") + tokens.count(",") + tokens.count("،")
        if size <= _WEIGHED_AT_ONCE:
            return _Judged(*self._level(_without(_base_words(matches), tokens), matches, readings), (0, len(tokens)))
        matches.sort(key=_place)
        found = []
        for first, last in self._windows(tokens, matches):
            within = matches[bisect_left(matches, first, key=_place) : bisect_left(matches, last, key=_place)]
            level, odds = self._level(_without(_base_words(within, first), tokens[first:last]), within, readings)
            found.append(_Judged(level, odds, (first, last)))
        return min(found, key=_level_of)

    def _level(
        self, tokens: Sequence[str], matches: Sequence[_Match], readings: Iterator[int]
    ) -> tuple[int, Sequence[float]]:
        """The likely level of some tokens and what was found in them; unless it is P3, with the odds of each verdict.

        ``readings`` has an item for each time that the text may be read again.
        """
        weights = self.lexicon.weights
        level = 3
        denied = False
        for match in matches:
            if not match.denied:
                level = min(level, match.plan.level)
            elif match.plan.critical:
                denied = True
        found = _RULE_FOUND[level]
        if denied:
            found -= _DENIED
        total = weights.start + weights.of(set(tokens))
        answer: tuple[int, Sequence[float]] = 3, ()
        doubted: int | None = None
        if level < 3 or speaks(total, _QUIET):
            total += weights.of_pairs(tokens) + found
            settled = settled_level(total)
            if settled is None:
                odds = odds_of(total)
                likely = likelihoods(odds)
                answer = likeliest_level(likely), odds
                if in_doubt(likely):
                    doubted = total
            elif settled < 3:
                answer = settled, odds_of(total)
        phrases = self.lexicon.phrases
        # Around a denied keyword, which is not weighed, no phrase is whole.
        if denied or not phrases:
            return answer
        if doubted is None and answer[0] == 3:
            doubted = self._said_in_passing(tokens, found)
        if doubted is None or next(readings, None) is None:
            return answer
        by_phrases = map(operator.add, phrases.odds(tokens), odds_of(found))
        odds = [(one + other) / 2 for one, other in zip(odds_of(doubted), by_phrases, strict=True)]
        return likeliest_level(likelihoods(odds)), odds

    def _said_in_passing(self, tokens: Sequence[str], found: int) -> int | None:
        """The points of the sentence that is the likeliest finding by itself; None where none is one."""
        ends = [at for at, token in enumerate(tokens) if token in _SENTENCE_ENDS]
        if not ends or ends[0] == len(tokens) - 1:
            return None
        weights = self.lexicon.weights
        sums = [*itertools.accumulate(weights.each(tokens), initial=weights.start)]
        most = LIKELY
        points: int | None = None
        start = 0
        for end in (*ends, len(tokens)):
            first, start = start, end + 1
            # Nearly always this is all; only where something speaks up are words counted once.
            if end - first < _SENTENCE or not speaks(weights.start + sums[end] - sums[first], _AUDIBLE):
                continue
            sentence = tokens[first:end]
            total = weights.start + weights.of(set(sentence)) + weights.of_pairs(sentence) + found
            share = likelihoods(odds_of(total))[-1]
            if share > most:
                most = share
                points = total
        return points

    @staticmethod
    def _sentence(tokens: Sequence[str], match: _Match) -> Span:
        first, last = match.first, match.last
        lowest, highest = max(0, first - _WEIGHED_AT_ONCE), min(len(tokens), last + _WEIGHED_AT_ONCE)
        if _SENTENCE_ENDS.isdisjoint(tokens):
            return lowest, highest
        while first > lowest and tokens[first - 1] not in _SENTENCE_ENDS:
            first -= 1
        while last < highest and tokens[last] not in _SENTENCE_ENDS:
            last += 1
        return first, last

    @staticmethod
    def _windows(tokens: Sequence[str], matches: Sequence[_Match]) -> list[Span]:
        """Runs of whole sentences with at most so many words, each beginning in the middle of the one before."""
        size = len(tokens)
        base = _base_words(matches)
        no_words: Iterable[bool] = map(_NO_WORDS.__contains__, tokens)
        if base:
            no_words = [no or bool(base >> at & 1) for at, no in enumerate(no_words)]
        counts = [0, *itertools.accumulate(map(operator.not_, no_words))]
        ends = [*itertools.compress(range(1, size + 1), map(_SENTENCE_ENDS.__contains__, tokens))]
        windows = []
        start = 0
        while True:
            limit = bisect_right(counts, counts[start] + _WEIGHED_AT_ONCE) - 1
            if limit >= size:
                # A few words at the end are weighed with what stands before them, not alone.
                windows.append((min(start, bisect_left(counts, counts[size] - _WEIGHED_AT_ONCE // 2)), size))
                return windows
            at = bisect_right(ends, limit) - 1
            end = ends[at] if at >= 0 and ends[at] > start else limit
            windows.append((start, end))
            middle = bisect_left(counts, (counts[start] + counts[end]) // 2)
            at = bisect_left(ends, middle)
            start = ends[at] if at < len(ends) and start < ends[at] <= end else end

    def _by_words(self, tokens: list[str], matches: Sequence[_Match], judged: _Judged) -> _Match | None:
        """A finding that the words make together: from the first to the last of the three that say most."""
        level, odds, (first, last) = judged
        number = max((n for n in LEVELS[level] if n in self._by_weight), key=odds.__getitem__, default=None)
        if number is None:
            return None
        of = self.lexicon.weights.of
        base = _base_words(matches)
        places_of: dict[str, int] = {}
        for at in range(first, last):
            if tokens[at] not in _NO_WORDS and not base >> at & 1:
                places_of.setdefault(tokens[at], at)
        telling = sorted([(-points_for(of((word,)), number), at) for word, at in places_of.items()])[:3]
        if not telling or -telling[0][0] < _TELLING:
            return None
        places = [at for points, at in telling if points < 0 and abs(at - telling[0][1]) <= 12]
        plan = self._by_weight[number]
        first, last = min(places), max(places) + 1
        return _Match(plan, first, last, first, [(first, last)], plan.said)

    def _set_aside(self, plan: _Plan) -> Classification:
        return self._nothing._replace(
            review_required=True,
            reason_ar=f"الأولوية P3: ورد ما يشبه «{plan.entry.keyword}» وبقية النص لا تؤيده؛ يُرجى أن يقرأه شخص.",
            reason_en=f"P3: something like {plan.entry.keyword} is there, but the rest of the text speaks against it;"
            " a person should read it.",
        )

    # --- verdict ------------------------------------------------------------------------------------------------------

    def _verdict(self, text: str, source: _Source, matches: list[_Match], aside: _Plan | None = None) -> Classification:
        if len(matches) > 1:
            matches.sort(key=_order)
        kept: list[_Match] = []
        said: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for match in matches:
            # A finding that overlaps stronger ones and adds no signal to them says nothing new.
            places = (1 << match.last) - (1 << match.first)
            covered = said[match.denied]
            new = False
            for number in match.said[1]:
                known = covered.get(number, 0)
                if not known & places:
                    new = True
                covered[number] = known | places
            if new:
                kept.append(match)
        tokens = source.tokens
        hits = []
        negated = []
        deciding: _Plan | None = None
        review = aside is not None
        hedged = False
        signals: dict[int, Signal] = {}
        for match, (start, end) in zip(kept, source.spans(kept), strict=True):
            plan = match.plan
            hit = Hit(
                plan.entry.keyword,
                plan.entry.priority,
                start,
                end,
                text[start:end],
                self._language(tokens[match.first : match.last]),
                match.said[0],
            )
            if match.denied:
                negated.append(hit)
                if plan.critical:
                    review = True
                    hedged = hedged or match.hedged
            else:
                hits.append(hit)
                signals.update(match.said[1])
                if deciding is None:
                    deciding = plan
        if deciding is None:
            reason_ar, reason_en = self._denied_reason(kept[0].plan.entry, hedged)
            return Classification(
                priority=Priority.P2 if hedged else Priority.P3,
                matched_keyword="",
                hits=(),
                negated_hits=tuple(negated),
                signals=(),
                review_required=review,
                reason_ar=reason_ar,
                reason_en=reason_en,
                lexicon_version=self.lexicon.version,
            )
        priority = deciding.entry.priority
        review = review and not deciding.critical
        if hedged and review:
            priority = Priority.P2
        reason_ar, reason_en = self._reason(deciding.entry, deciding.index, review)
        if deciding.weighed:
            shown = textwrap.shorten(hits[0].text, _SHOWN, placeholder=" …") or "…"
            reason_ar += f" يدل على ذلك مجموع كلمات النص، وأوضحها: «{shown}»."
            reason_en += f" The words say so together, most of all: {shown}"
        return Classification(
            priority,
            deciding.entry.keyword,
            tuple(hits),
            tuple(negated),
            tuple(signals.values()),
            review,
            reason_ar,
            reason_en,
            self.lexicon.version,
        )

    def _language(self, tokens: Sequence[str]) -> str:
        # A token is of the script of its first letter; Arabic punctuation comes before the letters.
        if min(tokens) >= "\u0621":
            return "ar"
        if max(tokens) < "\u0621":
            return "en" if self.lexicon.arabizi.isdisjoint(tokens) else "arabizi"
        arabic = any(token[0] >= "\u0621" for token in tokens)
        latin = any(token[0] < "\u0621" and token[0].isalnum() for token in tokens)
        if latin and not self.lexicon.arabizi.isdisjoint(tokens):
            return "mixed" if arabic else "arabizi"
        return "mixed" if arabic and latin else "ar" if arabic else "en"

    def _reason(self, entry: Entry, index: int, review: bool) -> tuple[str, str]:
        key = ("found", index, review)
        reason = self._reasons.get(key)
        if reason is None:
            p = entry.priority
            reason_ar = f"الأولوية {p}: {entry.meaning_ar} (الكلمة المرجعية: «{entry.keyword}»)."
            reason_en = f"{p}: {entry.meaning_en} (keyword: {entry.keyword})."
            if review:
                reason_ar += " وفي النص كلمة حرجة منفية؛ يُرجى أن يقرأه شخص."
                reason_en += " The text also denies a critical word, so a person should read it."
            reason = self._reasons[key] = (reason_ar, reason_en)
        return reason

    def _denied_reason(self, entry: Entry, hedged: bool) -> tuple[str, str]:
        if hedged:
            return (
                f"الأولوية P2: ورد ما يشبه «{entry.keyword}» بنفي غير جازم؛ يُرجى أن يراجعه شخص.",
                f"P2: something like {entry.keyword} is denied without certainty; a person should review it.",
            )
        return (
            f"الأولوية P3: ورد ما يشبه «{entry.keyword}» لكنه منفي في النص.",
            f"P3: something like {entry.keyword} is mentioned, but the text denies it.",
        )


def _level_of(judged: _Judged) -> int:
    return judged.level


def _place(match: _Match) -> int:
    return match.first


def _base_words(matches: Iterable[_Match], first: int = 0) -> int:
    """The tokens from ``first`` on, as bits, that are part of a base keyword: it counts by itself, not by weight."""
    bits = 0
    for match in matches:
        if match.plan.entry.base:
            bits |= (1 << match.last) - (1 << match.first)
    return bits >> first


def _without(base: int, tokens: list[str]) -> list[str]:
    """The tokens with a full stop in place of each that is set in ``base``."""
    if base:
        return ["." if base >> at & 1 else token for at, token in enumerate(tokens)]
    return tokens


def _order(match: _Match) -> tuple[int, int, int]:
    return match.plan.rank, match.first, -match.last


def _overlaps(start: int, end: int, others: Sequence[Span]) -> bool:
    for a, b in others:  # noqa: SIM110 - a generator would cost twice as much
        if a < end and start < b:
            return True
    return False
