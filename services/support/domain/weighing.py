"""What the words of a text say together: which findings of rules they support, and what no rule has found.

Words and pairs add up (``weights``); where they leave a doubt, runs of words in their order are asked too (``phrases``). A
rule's finding is set aside where the rest of its sentence, and its neighbours alone, speak against it; a base keyword needs
no support.
"""

from __future__ import annotations

import itertools
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from services.domain.arabic import HARD_STOPS
from services.support.domain.forms import node_of
from services.support.domain.lexicon import Lexicon
from services.support.domain.matching import CLAUSE_ENDS, Match, Plan, Span, base_words, order_of, without
from services.support.domain.weights import (
    LEVELS,
    LIKELY,
    POSSIBLE,
    QUIET,
    UNIT,
    VERDICTS,
    as_denied,
    in_doubt,
    likeliest_level,
    likelihoods,
    odds_of,
    outspoken,
    packed_for,
    pairs_of,
    points_for,
    reaches,
    speaks,
)

_SENTENCE_ENDS = HARD_STOPS | {"\n"}
_NO_WORDS = (CLAUSE_ENDS | {"!"}) - frozenset("?؟")
# A longer text is weighed in windows of so many words, so that its harmless sentences do not hide the one that matters.
_WEIGHED_AT_ONCE = 60
# Odds, as a logarithm, of a P0 that stands whatever else is told beside it; and what is told in the same words as it, so
# that only the likelier of the two was meant: one service that is down, and an outage.
_CLEAR = 5.0
_TOLD_ALIKE = {"O": "D"}
# What a rule's finding, and a denied critical word, are worth beside the words: logarithms of odds.
_RULE_FOUND = {level: packed_for(numbers, round(1.5 / UNIT)) for level, numbers in enumerate((*LEVELS, ()))}
_DENIED = packed_for(LEVELS[0], round(6.0 / UNIT))
_QUIET = reaches(QUIET)
_POSSIBLE = reaches(POSSIBLE)
# How many words after a denial, in its clause, are weighed as denied; and after a preposition that denies ("without").
_DENIAL_REACHES = 5
_WITHOUT_REACHES = 2
# How many parts of a text that words leave in doubt are read again at most, word after word.
_READ_AGAIN = 8
# How many findings of rules are weighed with their sentences at most; beyond that, only with the windows they stand in.
_SUPPORTED = 100
# How likely a rule's P0 must be by the words at least for phrases to be asked about it; for others see `in_doubt`.
_HARDLY = 0.1
# How many words on each side of a rule's finding are its neighbours.
_NEAR = 7
# What one word at least must say, in points, for words alone to be a finding: little of everything says nothing.
_TELLING = 12


class _Judged(NamedTuple):
    """How urgent the tokens at some place are found to be; unless that is P3, with the odds of each verdict."""

    level: int
    odds: Sequence[float]
    place: Span


class Weigher:
    """Weighs texts by the weights and phrases of a lexicon; immutable but for the words remembered, safe to share."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        by_id = {entry.id: (entry, index) for index, entry in enumerate(lexicon.entries)}
        # A lexicon of an editor's own need not have every entry; what it lacks is not found by weight.
        self._by_weight = {
            number: Plan(*by_id[verdict.entry], weighed=True)
            for number, verdict in enumerate(VERDICTS)
            if verdict.entry in by_id and lexicon.weights
        }
        negation = lexicon.negation
        self._denials: Mapping[str, int] = {
            **dict.fromkeys(negation.adjacent, _WITHOUT_REACHES),
            **dict.fromkeys(negation.negators, _DENIAL_REACHES),
        }

    def __bool__(self) -> bool:
        return bool(self._by_weight)

    def words(self, tokens: list[str]) -> frozenset[str]:
        """What the weight of some tokens is made of: words, denied ones twice, and pairs."""
        pairs = [pair for pair in pairs_of(tokens) if CLAUSE_ENDS.isdisjoint(pair.split(" "))]
        return frozenset(self._counted(tokens)).difference(_NO_WORDS).union(pairs)

    def weighed(self, tokens: list[str], matches: list[Match]) -> tuple[list[Match], Plan | None]:
        """The matches that the words support, one more where the words alone say it, and what P0 was set aside."""
        readings = iter(range(_READ_AGAIN))
        base = base_words(matches)
        most = _Judged(3, (), (0, len(tokens)))
        standing = [match for match in sorted(matches, key=order_of) if not match.denied]
        for match in standing[:_SUPPORTED]:
            # A rule's finding need not have the support of more than its own sentence: harmless ones must not hide it.
            if match.plan.level < most.level:
                most = min(most, self._supported(tokens, base, match, readings), key=_level_of)
                if not most.level:
                    return matches, None
        most = min(self._most_urgent(tokens, base, matches, readings), most, key=_level_of)
        if not matches and most.level == 3:
            return matches, None
        level = most.level
        left: list[Match] = []
        aside: Plan | None = None
        for match in matches:
            if match.denied or match.plan.entry.base or match.plan.level >= level:
                left.append(match)
            elif match.plan.level == 0:
                aside = match.plan
        if level < 3 and not any(m.plan.level == level and not m.denied for m in left):
            by_words = self._by_words(tokens, base, most)
            if by_words is not None:
                left.append(by_words)
        return left, aside

    def _supported(self, tokens: list[str], base: int, match: Match, readings: Iterator[int]) -> _Judged:
        """How urgent a match, with the words around it, is found to be: at most as it says itself."""
        plan = match.plan
        own = (match.first, match.last)
        first, last = own if plan.entry.base else self._sentence(tokens, match)
        if plan.entry.base or ((first, last) == own and self.lexicon.negation.negators.isdisjoint(tokens[first:last])):
            # It needs no support, or no other word is there to give it.
            return _Judged(plan.level, (), own)
        most = self._judged(tokens, base, (first, last), [match], readings)
        if most.level > plan.level:
            # What else is strung together with it in one sentence must not hide it either, nor a lesser matter that is told
            # as clearly.
            near = max(first, match.first - _NEAR), min(last, match.last + _NEAR)
            if near != (first, last):
                most = min(self._judged(tokens, base, near, [match], readings), most, key=_level_of)
            if most.level > plan.level and self._is_clear(match, most.odds):
                return most._replace(level=plan.level)
        return most._replace(level=max(plan.level, most.level))

    def _is_clear(self, match: Match, odds: Sequence[float]) -> bool:
        """Whether P0 of the match's own kind is beyond doubt, though something less urgent may be likelier still."""
        if not odds:
            return False
        lesser = max(range(len(LEVELS[0]), len(VERDICTS)), key=odds.__getitem__)
        return any(
            odds[number] >= _CLEAR
            and VERDICTS[lesser].code != _TOLD_ALIKE.get(VERDICTS[number].code)
            and not plan.said[1].keys().isdisjoint(match.said[1])
            for number, plan in self._by_weight.items()
            if number in LEVELS[0]
        )

    def _most_urgent(self, tokens: list[str], base: int, matches: list[Match], readings: Iterator[int]) -> _Judged:
        """The most urgent of a text's windows."""
        size = len(tokens)
        if size > _WEIGHED_AT_ONCE:
            size -= tokens.count(".") + tokens.count(",") + tokens.count("،")
        if size <= _WEIGHED_AT_ONCE:
            return self._judged(tokens, base, (0, len(tokens)), matches, readings)
        matches.sort(key=_place)
        found = []
        for first, last in self._windows(tokens, base):
            within = matches[bisect_left(matches, first, key=_place) : bisect_left(matches, last, key=_place)]
            found.append(self._judged(tokens, base, (first, last), within, readings))
        return min(found, key=_level_of)

    def _judged(
        self, tokens: list[str], base: int, place: Span, matches: Sequence[Match], readings: Iterator[int]
    ) -> _Judged:
        """How urgent the tokens at a place are, with what was found in them.

        ``readings`` has an item for each time that the text may be read again.
        """
        tokens = without(base >> place[0], tokens[place[0] : place[1]])
        weights = self.lexicon.weights
        level = 3
        critical_denied = False
        for match in matches:
            if not match.denied:
                level = min(level, match.plan.level)
            elif match.plan.critical:
                critical_denied = True
        found = _RULE_FOUND[level]
        if critical_denied:
            found -= _DENIED
        total = weights.start + weights.of(self._counted(tokens))
        if level == 3 and not speaks(total, _QUIET):
            return _Judged(3, (), place)
        total += weights.of_pairs(tokens) + found
        if not speaks(total, _POSSIBLE):
            return _Judged(3, (), place)
        odds = odds_of(total)
        if outspoken(odds):
            return _Judged(0, odds, place)
        likely = likelihoods(odds)
        doubted = in_doubt(likely) or (level == 0 and _HARDLY < likely[0] < LIKELY)
        # Around a denied keyword, which is not weighed, no phrase is whole.
        if doubted and not critical_denied and self.lexicon.phrases and next(readings, None) is not None:
            by_phrases = map(operator.add, self.lexicon.phrases.odds(self.marked(tokens)), odds_of(found))
            odds = [(one + other) / 2 for one, other in zip(odds, by_phrases, strict=True)]
            likely = likelihoods(odds)
        return _Judged(likeliest_level(likely), odds, place)

    def _counted(self, tokens: list[str]) -> set[str]:
        """The words that count for the weight of some tokens, each once: all, and those after a denial as denied too."""
        words = set(tokens)
        marked = self.marked(tokens)
        if marked is not tokens:
            words.update(marked)
        return words

    def marked(self, tokens: list[str]) -> list[str]:
        """The tokens, those within reach of a denial marked."""
        denials = self._denials
        if denials.keys().isdisjoint(tokens):
            return tokens
        breaks = self.lexicon.negation.breaks
        marked = []
        left = 0
        before = ""
        for token in tokens:
            if token in CLAUSE_ENDS or token in breaks:
                left = 0
            if left:
                left -= 1
                marked.append(as_denied(token))
            else:
                marked.append(token)
            if token in denials and not self._denies_nothing(before, token):
                left = denials[token]
            before = token
        return marked

    def _denies_nothing(self, before: str, denial: str) -> bool:
        """Whether a word before it makes a denial none: «بعد ما» is "after"."""
        lexicon = self.lexicon
        node = node_of(lexicon.trie, before)
        if node is None or not node[2]:
            return False
        further = lexicon.branches.grow(node[2]).get(denial)
        return further is not None and bool(further[1] >> lexicon.negation.pseudo & 1)

    @staticmethod
    def _sentence(tokens: Sequence[str], match: Match) -> Span:
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
    def _windows(tokens: Sequence[str], base: int) -> list[Span]:
        """Runs of whole sentences with at most so many words, each beginning in the middle of the one before."""
        size = len(tokens)
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

    def _by_words(self, tokens: list[str], base: int, judged: _Judged) -> Match | None:
        """A finding that the words make together: from the first to the last of the three that say most."""
        level, odds, (first, last) = judged
        number = max((n for n in LEVELS[level] if n in self._by_weight), key=odds.__getitem__, default=None)
        if number is None:
            return None
        places_of: dict[str, int] = {}
        for at in range(first, last):
            if tokens[at] not in _NO_WORDS and not base >> at & 1:
                places_of.setdefault(tokens[at], at)
        said = zip(self.lexicon.weights.each(places_of), places_of.values(), strict=True)
        telling = sorted([(-points_for(points, number), at) for points, at in said])[:3]
        if not telling or -telling[0][0] < _TELLING:
            return None
        places = [at for points, at in telling if points < 0 and abs(at - telling[0][1]) <= 12]
        plan = self._by_weight[number]
        first, last = min(places), max(places) + 1
        return Match(plan, first, last, first, [(first, last)], plan.said)


def _level_of(judged: _Judged) -> int:
    return judged.level


def _place(match: Match) -> int:
    return match.first
