"""What the words of a text say together: which findings of rules they support, and what no rule has found.

Words and pairs add up (``weights``); where they leave a doubt, runs of words in their order are asked too (``phrases``). A
rule's finding is set aside where the rest of its sentence, and its neighbours alone, speak against it, or where the next
sentence takes it back; a base keyword needs no support. Courtesies are not weighed. What no rule has found must be told by
two neighbouring sentences of a letter.
"""

from __future__ import annotations

import itertools
import math
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from services.support.domain.forms import bits_of, node_of
from services.support.domain.lexicon import Lexicon
from services.support.domain.matching import (
    CLAUSE_ENDS,
    SENTENCE_ENDS,
    Found,
    Match,
    Plan,
    Span,
    base_words,
    means_number,
    order_of,
    without,
)
from services.support.domain.weights import (
    CRITICAL,
    DENIED,
    LEVELS,
    POSSIBLE,
    POSSIBLY_CRITICAL,
    QUIET,
    UNIT,
    UNREAL,
    VERDICTS,
    Remembered,
    in_doubt,
    lead,
    likeliest_level,
    likelihoods,
    odds_of,
    outspoken,
    packed_for,
    pairs_of,
    reaches,
    speaks,
)

_THAT = "ان"
_NO_WORDS = (CLAUSE_ENDS | {"!"}) - frozenset("?؟")
# A longer text is weighed in windows of so many words, so that its harmless sentences do not hide the one that matters.
_WEIGHED_AT_ONCE = 60
# Odds, as a logarithm, of a P0 that stands whatever else is told beside it; and what is told in the same words as it, so
# that only the likelier of the two was meant: one service that is down, and an outage.
_CLEAR = 5.0
_TOLD_ALIKE = {"O": "D"}
# What one clause tells does not work may be what comes of another one's trouble; and what ends a clause in a sentence.
_MAY_COME_OF_OTHERS = "OD"
_COMMAS = frozenset(",،")
# Odds, as a logarithm, below which words say little of the kind of P0 that a rule has found, also where another kind is told
# in words of its own; and by how much more they must say of another one.
_OF_ITS_KIND = 6.5
_BESIDE_ANOTHER = 4.0
_OF_ANOTHER_KIND = 1.5
# What a rule's finding, the same among more words than so many, and a denied critical word are worth beside the words:
# logarithms of odds.
_RULE_FOUND = {level: packed_for(numbers, round(1.5 / UNIT)) for level, numbers in enumerate((*LEVELS, ()))}
_FOUND_AMONG_MANY = {level: packed_for(numbers, round(0.9 / UNIT)) for level, numbers in enumerate((*LEVELS, ()))}
_MANY = 14
_DENIED = packed_for(LEVELS[0], round(6.0 / UNIT))
_QUIET = reaches(QUIET)
_POSSIBLE = reaches(POSSIBLE)
# By how much P0 must be likelier than all else by the words alone for their pairs to be left out: they never turn it over.
_BEYOND_PAIRS = 8.0
_FAR = reaches(round(_BEYOND_PAIRS / UNIT))
# How many words after a denial, in its clause, are weighed as denied; and after a preposition that denies ("without").
_DENIAL_REACHES = 5
_WITHOUT_REACHES = 2
# How many parts of a text that words leave in doubt are read again at most, word after word.
_READ_AGAIN = 8
# How many findings of rules are weighed with their sentences at most; beyond that, only with the windows they stand in.
_SUPPORTED = 100
# Of how many letters a word may be that begins with «و» itself, though the rest is a word, too.
_MAY_BEGIN_SO = 4
# How likely a rule's P0 must be by the words at least for phrases to be asked about it; for others see `in_doubt`.
_HARDLY = 0.1
# In so many words at most, the next sentence takes something back, unless some are denied or told as unreal.
_TAKES_BACK = 12
# In a text of more words, a finding must be told by two neighbouring sentences.
TOLD_AT_ONCE = 25
# By how much P0 must be likelier than all else, as a logarithm of odds, for one sentence to tell it clearly, and how likely
# it must still be together with the sentence before or after it for that not to take it back: in such a text, and in others.
_FIRM = 4.0, 0.6
_FIRM_AT_ONCE = 2.5, 0.45
# By how much something more urgent is less likely than a lesser matter, as a logarithm of odds, where no sentence tells of it.
_OUT_OF_THE_QUESTION = 6.0
# How many words on each side of a rule's finding are its neighbours.
_NEAR = 7
# What one word at least must say, in points, for words alone to be a finding: little of everything says nothing.
_TELLING = 12


class _Text(NamedTuple):
    """A text in tokens: as they are; with a full stop for each of a base keyword or a courtesy; and those marked, too.

    ``unreal``: those, as bits, that are told as feared, supposed, taken back, long ago or elsewhere. ``readings`` has an
    item for each time that a part may be read again, ``judged`` what was found at a place with a rule's finding of some
    level in it, and whether a critical word is denied there. ``base``: the tokens, as bits, that are part of a base keyword.
    """

    tokens: list[str]
    weighed: list[str]
    marked: list[str]
    unreal: int
    readings: Iterator[int]
    judged: dict[tuple[Span, int, bool], _Judged]
    base: int = 0

    @property
    def firm(self) -> tuple[float, float]:
        """How clearly one sentence must tell of P0, and how likely that must still be with another beside it."""
        return _FIRM_AT_ONCE if len(self.tokens) <= TOLD_AT_ONCE else _FIRM


class _Judged(NamedTuple):
    """How urgent the tokens at some place are found to be, with the odds of each verdict where they were worked out.

    ``critical``: how likely P0 is, where that was worked out.
    """

    level: int
    odds: Sequence[float]
    place: Span
    critical: float = 0.0


class _Joins(Remembered[bool]):
    """Whether a word joins a clause to what stands before it: "and", or one with «و» joined to it."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._words = lexicon.negation.joins
        self._trie = lexicon.trie
        self._weights = lexicon.weights

    def made(self, word: str) -> bool:
        if word in self._words:
            return True
        if word[0] != "و" or len(word) < 3:
            return False
        rest = word[1:]
        if node_of(self._trie, rest) is not None or self._weights.knows(rest):
            # Some words begin so themselves: «وكل».
            return len(word) > _MAY_BEGIN_SO or word not in self._trie
        return len(word) > _MAY_BEGIN_SO and word not in self._trie and not self._weights.knows(word)


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
        self._joins = _Joins(lexicon)
        negation = lexicon.negation
        self._says_nothing = _NO_WORDS | negation.fillers
        self._denials: Mapping[str, int] = {
            **dict.fromkeys(negation.adjacent, _WITHOUT_REACHES),
            **dict.fromkeys(negation.negators, _DENIAL_REACHES),
        }

    def __bool__(self) -> bool:
        return bool(self._by_weight)

    def words(self, tokens: list[str], unreal: int) -> frozenset[str]:
        """What the weight of some tokens is made of: words, marked ones twice, and pairs."""
        pairs = [pair for pair in pairs_of(tokens) if CLAUSE_ENDS.isdisjoint(pair.split(" "))]
        return frozenset(tokens).union(self.marked(tokens, unreal), pairs).difference(_NO_WORDS)

    def weighed(self, found: Found) -> tuple[list[Match], Plan | None]:
        """The matches that the words support, one more where the words alone say it, and what P0 is possible or was set aside.

        A P0 that was set aside stays among the matches, marked so: a person is shown where it stands.
        """
        matches, unreal, courtesies, tokens, _ = found
        standing = [match for match in matches if not match.denied]
        if len(standing) > 1:
            standing.sort(key=order_of)
        if standing and not standing[0].plan.rank:
            # A P0 that counts by itself needs no support, and nothing is more urgent.
            return matches, None
        if len(matches) > 1:
            matches.sort(key=_place)
        base = base_words(matches)
        weighed = without(base | courtesies, tokens)
        text = _Text(tokens, weighed, self.marked(weighed, unreal), unreal, iter(range(_READ_AGAIN)), {}, base)
        most = _Judged(3, (), (0, len(tokens)))
        for match in standing[:_SUPPORTED]:
            # A rule's finding need not have the support of more than its own sentence: harmless ones must not hide it.
            if match.plan.level < most.level:
                supported = self._supported(text, match)
                if not supported.level:
                    return self._of_its_kind(text, matches, supported.odds), None
                most = min(most, supported, key=_level_of)
        of_all = self._most_urgent(text, matches, most.level)
        most = min(of_all, most, key=_level_of)
        level = most.level
        aside = self._possible(of_all)
        if not matches and level == 3:
            return matches, aside
        left: list[Match] = []
        for match in matches:
            if match.denied or match.plan.sure or match.plan.level >= level:
                left.append(match)
            elif match.plan.level == 0:
                match.aside = True
                left.append(match)
                aside = match.plan
        if level < 3 and not any(m.plan.level == level and not (m.denied or m.aside) for m in left):
            by_words = self._by_words(text, most)
            if by_words is not None:
                left.append(by_words)
        return left, aside

    def _possible(self, judged: _Judged) -> Plan | None:
        """The P0 that a place may tell of, though it is not found to be one."""
        if judged.level and judged.critical >= POSSIBLY_CRITICAL:
            return self._by_weight.get(_likeliest(LEVELS[0], judged.odds))
        return None

    def _of_its_kind(self, text: _Text, matches: list[Match], odds: Sequence[float]) -> list[Match]:
        """The matches, those of a P0 whose words clearly tell of another kind of it as findings of that kind.

        Who works on a ticket, and whether it is an incident, depends on the kind: "950 riyals left our account" was not sent.
        ``odds``: those of the words that support the P0; where they tell of the kind that was found, nothing is in doubt.
        """
        found = [match for match in matches if not (match.plan.level or match.plan.sure or match.denied)]
        if odds:
            told = self._by_weight.get(_likeliest(LEVELS[0], odds))
            if told is None or all(_alike(told, match) for match in found):
                return matches
        settled = {}
        for match in found[:_READ_AGAIN]:
            first, last, _ = self._sentence(text, match)
            told = self._kind(match, self._judged(text, _near(match, first, last), [match]).odds, found)
            if told is not None:
                settled[id(match)] = Match(told, match.first, match.last, match.head, match.parts, told.said)
        return [settled.get(id(match), match) for match in matches] if settled else matches

    def _kind(self, match: Match, odds: Sequence[float], found: Sequence[Match]) -> Plan | None:
        """The kind of P0 that words tell of instead of a match's own, of which they say little."""
        if not odds:
            return None
        likeliest = _likeliest(LEVELS[0], odds)
        told = self._by_weight.get(likeliest)
        if told is None or _alike(told, match):
            return None
        own = max([odds[number] for number in self._verdicts_of(match)], default=math.inf)
        # Where that kind is told in other words, too, both may be meant.
        both = any(not match.first <= other.head < match.last and _alike(told, other) for other in found)
        least = min(_BESIDE_ANOTHER if both else _OF_ITS_KIND, odds[likeliest] - _OF_ANOTHER_KIND)
        return told if own < least else None

    def _verdicts_of(self, match: Match) -> list[int]:
        """The verdicts of P0, by number, that are of a match's kind."""
        return [number for number in LEVELS[0] if number in self._by_weight and _alike(self._by_weight[number], match)]

    def _supported(self, text: _Text, match: Match) -> _Judged:
        """How urgent a match, with the words around it, is found to be: at most as it says itself."""
        plan = match.plan
        stands = _Judged(plan.level, (), (match.first, match.last))
        if plan.sure:
            return stands
        first, last, end = self._sentence(text, match)
        alone = self._says_nothing.issuperset(text.weighed[first : match.first] + text.weighed[match.last : end])
        if alone and (
            text.marked[first:end] == text.weighed[first:end]
            or (len(match.parts) == 1 and not text.unreal >> first & (1 << end - first) - 1)
        ):
            # No other word is there to support it: articles and the like do not, and a base keyword counts by itself. A denial
            # in it is part of what is said where it is one phrase ("nothing is working").
            return stands
        near = _near(match, first, last)
        by_neighbours = near != (first, last) and not text.unreal >> match.head & 1
        if by_neighbours and end == last and not plan.level:
            # Where there is no next sentence to take it back, they may settle it, and are fewer.
            most = self._judged(text, near, [match])
            if not most.level:
                return most
        most = self._judged(text, (first, end), [match])
        if most.level > plan.level:
            if end != last:
                by_itself = self._judged(text, (first, last), [match])
                if by_itself.level <= plan.level:
                    # The next sentence takes it back, or says too little to do so, or something else.
                    not_taken_back = most.critical >= text.firm[1] or _goes_on(text, last, end)
                    return by_itself if not_taken_back and not plan.level else most
            # What else is strung together with it in one sentence must not hide it either, nor a lesser matter that is told
            # as clearly.
            if by_neighbours:
                most = min(self._judged(text, near, [match]), most, key=_level_of)
            if most.level > plan.level and self._is_clear(match, most.odds):
                return most._replace(level=plan.level)
        return most._replace(level=max(plan.level, most.level))

    def _is_clear(self, match: Match, odds: Sequence[float]) -> bool:
        """Whether P0 of the match's own kind is beyond doubt, though something less urgent may be likelier still."""
        if not odds:
            return False
        lesser = VERDICTS[_likeliest(range(len(LEVELS[0]), len(VERDICTS)), odds)].code
        return any(
            odds[number] >= _CLEAR and lesser != _TOLD_ALIKE.get(VERDICTS[number].code)
            for number in self._verdicts_of(match)
        )

    def _most_urgent(self, text: _Text, matches: list[Match], level: int) -> _Judged:
        """The most urgent of a text's windows, or of its sentences, where something of a level is found already."""
        most = _most([self._told_together(text, matches, place, level) for place in self._windows(text)])
        if most.level and (most.critical >= _HARDLY if most.level == 3 else _may_hide_more(most)):
            return self._told_alone(text, matches, most.level) or most
        return most

    def _told_together(self, text: _Text, matches: list[Match], place: Span, level: int) -> _Judged:
        """What is found at a place, as far as two neighbouring sentences of it say so, if it is more urgent than a level.

        Of a letter each sentence may say a little of something that none of them tells.
        """
        judged = self._judged(text, place, _within(matches, place))
        if judged.level >= level or len(text.tokens) <= TOLD_AT_ONCE:
            return judged
        borders = _borders(text, place)
        if len(borders) <= 3:
            return judged
        places = zip(borders, borders[2:], strict=False)
        told = _most([self._judged(text, place, _within(matches, place)) for place in places])
        return told if told.level >= judged.level else judged

    def _told_alone(self, text: _Text, matches: list[Match], level: int) -> _Judged | None:
        """What one sentence tells, or one clause of a complaint, that is more urgent than a level: nothing else must hide it.

        What stands before or behind it may take it back.
        """
        sentences = _borders(text, (0, len(text.tokens)))
        alone = self._alone_between(text, matches, level, sentences)
        if not alone and level < 3:
            clauses = self._alone_between(text, matches, level, self._clauses(text, sentences))
            alone = [one for one in clauses if self._is_whole(matches, one)]
        return _most(alone) if alone else None

    def _alone_between(self, text: _Text, matches: list[Match], level: int, borders: Sequence[int]) -> list[_Judged]:
        """What is told between two borders, more urgent than a level, that what stands beside it does not take back."""
        if len(borders) == 2:
            return []
        told = [self._judged(text, place, _within(matches, place)) for place in itertools.pairwise(borders)]
        found = []
        for number, alone in enumerate(told):
            others = [told[beside] for beside in (number - 1, number + 1) if 0 <= beside < len(told)]
            if alone.level < level and all(self._stands_beside(text, matches, alone, other) for other in others):
                found.append(alone)
        return found

    def _clauses(self, text: _Text, sentences: Sequence[int]) -> list[int]:
        """The borders of sentences, and where clauses begin in them: behind commas, and at what joins clauses."""
        commas = [at for at, token in enumerate(text.tokens[:-1], start=1) if token in _COMMAS]
        joins = itertools.compress(itertools.count(), map(self._joins.__getitem__, text.tokens))
        return sorted({*sentences, *commas, *joins})

    @staticmethod
    def _is_whole(matches: list[Match], clause: _Judged) -> bool:
        """Whether a clause by itself tells of what is found there: what does not work may be for what the others tell."""
        if VERDICTS[_likeliest(LEVELS[clause.level], clause.odds)].code not in _MAY_COME_OF_OTHERS:
            return True
        found = _within(matches, clause.place)
        return any(m.plan.level <= clause.level and m.last <= clause.place[1] for m in found if not m.denied)

    def _stands_beside(self, text: _Text, matches: list[Match], alone: _Judged, other: _Judged) -> bool:
        """Whether the sentence before or after what one tells does not take it back.

        What complains itself takes nothing back.
        """
        if other.level < 3:
            return not _told_alike(alone, other)
        clearly, still = text.firm
        if alone.level or lead(alone.odds) < clearly:
            return False
        place = min(alone.place[0], other.place[0]), max(alone.place[1], other.place[1])
        judged = self._judged(text, place, _within(matches, place))
        return not judged.level or judged.critical >= still

    def _judged(self, text: _Text, place: Span, matches: Sequence[Match]) -> _Judged:
        """How urgent the tokens at a place are, with what was found in them."""
        level = 3
        critical_denied = False
        for match in matches:
            if match.denied:
                critical_denied = critical_denied or match.plan.critical
            elif match.plan.level < level and not ((1 << match.last) - (1 << match.first)) & text.base:
                # A base keyword counts by itself; what else is told is no less likely for it.
                level = match.plan.level
        asked = place, level, critical_denied
        judged = text.judged.get(asked)
        if judged is None:
            judged = text.judged[asked] = self._judged_anew(text, place, level, critical_denied=critical_denied)
        return judged

    def _judged_anew(self, text: _Text, place: Span, level: int, *, critical_denied: bool) -> _Judged:
        first, last = place
        tokens = text.weighed[first:last]
        marked = text.marked[first:last]
        # Words count once each: all, and those that are marked as such, too.
        words = set(tokens)
        if text.marked is not text.weighed:
            words.update(marked)
        weights = self.lexicon.weights
        found = (_FOUND_AMONG_MANY if last - first > _MANY else _RULE_FOUND)[level]
        if critical_denied:
            found -= _DENIED
        total = weights.start + weights.of(words)
        if level == 3 and not speaks(total, _QUIET):
            return _Judged(3, (), place)
        total += found
        if speaks(total, _FAR):
            odds = odds_of(total)
            if lead(odds) >= _BEYOND_PAIRS:
                return _Judged(0, odds, place, 1.0)
        total += weights.of_pairs(tokens)
        if not speaks(total, _POSSIBLE):
            return _Judged(3, (), place)
        odds = odds_of(total)
        if outspoken(odds):
            return _Judged(0, odds, place, 1.0)
        likely = likelihoods(odds)
        doubted = in_doubt(likely) or (level == 0 and _HARDLY < likely[0] < CRITICAL)
        # Around a denied keyword, which is not weighed, no phrase is whole.
        if doubted and not critical_denied and self.lexicon.phrases and next(text.readings, None) is not None:
            by_phrases = map(operator.add, self.lexicon.phrases.odds(_without_ends(marked)), odds_of(found))
            odds = [(one + other) / 2 for one, other in zip(odds, by_phrases, strict=True)]
            likely = likelihoods(odds)
        return _Judged(likeliest_level(likely), odds, place, likely[0])

    def marked(self, tokens: list[str], unreal: int) -> list[str]:
        """The tokens, those within reach of a denial and those told as unreal marked."""
        denials = self._denials
        if not unreal and denials.keys().isdisjoint(tokens):
            return tokens
        breaks = self.lexicon.negation.breaks
        marked = tokens.copy()
        starts = [at for at, token in enumerate(tokens) if token in denials and not self._denies_nothing(tokens, at)]
        for at, following in itertools.pairwise([*starts, len(tokens) - 1]):
            # What follows a second denial is within that one's reach.
            for reached in range(at + 1, min(at + denials[tokens[at]], following) + 1):
                word = tokens[reached]
                if word in CLAUSE_ENDS or word in breaks:
                    break
                marked[reached] = DENIED + word
        for at in bits_of(unreal):
            if tokens[at] not in _NO_WORDS:
                marked[at] = UNREAL + tokens[at]
        return marked

    def _denies_nothing(self, tokens: Sequence[str], at: int) -> bool:
        """Whether a denial is none: «بعد ما» is "after", and «لا شك أن» affirms what follows."""
        if means_number(tokens, at) or (at and self._is_complaint(tokens[at - 1], tokens[at])):
            return True
        return at + 2 < len(tokens) and tokens[at + 2] == _THAT and self._is_complaint(tokens[at], tokens[at + 1])

    def _is_complaint(self, word: str, following: str) -> bool:
        """Whether two words only look like a denial."""
        lexicon = self.lexicon
        node = node_of(lexicon.trie, word)
        if node is None or not node[2]:
            return False
        further = lexicon.branches.grow(node[2]).get(following)
        return further is not None and bool(further[1] >> lexicon.negation.pseudo & 1)

    @staticmethod
    def _sentence(text: _Text, match: Match) -> tuple[int, int, int]:
        """Where the sentence of a match begins and ends, and where the next one does, which may take it back."""
        tokens = text.tokens
        first, last = match.first, match.last
        lowest, highest = max(0, first - _WEIGHED_AT_ONCE), min(len(tokens), last + _WEIGHED_AT_ONCE)
        if SENTENCE_ENDS.isdisjoint(tokens):
            return lowest, highest, highest
        while first > lowest and tokens[first - 1] not in SENTENCE_ENDS:
            first -= 1

        def end(at: int) -> int:
            while at < highest and (tokens[at] not in SENTENCE_ENDS or text.unreal >> at & 1):
                at += 1
            return at

        last = end(last)
        # It may end with three dots, or with a full stop and a line end; a question mark says something itself.
        while last < highest and tokens[last] in SENTENCE_ENDS:
            last += 1
        return first, last, end(last)

    @staticmethod
    def _windows(text: _Text) -> list[Span]:
        """All of a text, or runs of whole sentences with at most so many words, each from the middle of the one before."""
        size = len(text.tokens)
        if size - sum(map(text.tokens.count, ".,،")) <= _WEIGHED_AT_ONCE:
            return [(0, size)]
        no_words = map(_NO_WORDS.__contains__, text.weighed)
        counts = [0, *itertools.accumulate(map(operator.not_, no_words))]
        ends = [*itertools.compress(range(1, size + 1), map(SENTENCE_ENDS.__contains__, text.tokens))]
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

    def _by_words(self, text: _Text, judged: _Judged) -> Match | None:
        """A finding that the words make together: from the first to the last of the three that say most."""
        level, odds, (first, last), _ = judged
        number = max((n for n in LEVELS[level] if n in self._by_weight), key=odds.__getitem__, default=None)
        if number is None:
            return None
        words = text.weighed[first:last]
        said = self.lexicon.weights.for_verdict(number, words)
        telling: dict[str, tuple[int, int]] = {}
        for at, (word, points) in enumerate(zip(words, said, strict=True), start=first):
            # Most words say less than nothing.
            if points > 0 and word not in _NO_WORDS and word not in telling:
                telling[word] = -points, at
        most = sorted(telling.values())[:3]
        if not most or -most[0][0] < _TELLING:
            return None
        places = [at for _, at in most if abs(at - most[0][1]) <= 12]
        plan = self._by_weight[number]
        first, last = min(places), max(places) + 1
        return Match(plan, first, last, first, [(first, last)], plan.said)


def _without_ends(tokens: list[str]) -> list[str]:
    """The tokens without punctuation, and base keywords, at either end: what stands between is no less likely for these."""
    first, last = 0, len(tokens)
    while first < last and tokens[first] in _NO_WORDS:
        first += 1
    while last > first and tokens[last - 1] in _NO_WORDS:
        last -= 1
    return tokens[first:last]


def _goes_on(text: _Text, first: int, last: int) -> bool:
    """Whether a sentence tells of something else: it is long, and nothing in it is denied or told as unreal."""
    if text.marked[first:last] != text.weighed[first:last]:
        return False
    return sum([token not in _NO_WORDS for token in text.weighed[first:last]]) > _TAKES_BACK


def _borders(text: _Text, place: Span) -> list[int]:
    """Where the sentences at a place begin, and where the last one ends."""
    first, last = place
    tokens = text.tokens
    # One may end with several tokens: three dots, a full stop and a line end.
    ends = [at for at in range(first + 1, last) if tokens[at - 1] in SENTENCE_ENDS and tokens[at] not in SENTENCE_ENDS]
    return [first, *ends, last]


def _most(judged: Iterable[_Judged]) -> _Judged:
    """The most urgent of what was found at some places; of those that are as urgent, the one where P0 is likeliest."""
    return min(judged, key=lambda one: (one.level, -one.critical))


def _within(matches: list[Match], place: Span) -> list[Match]:
    """Those of the matches, in their order, that begin at a place."""
    first, last = place
    return matches[bisect_left(matches, first, key=_place) : bisect_left(matches, last, key=_place)]


def _near(match: Match, first: int, last: int) -> Span:
    """A match with its neighbours, between two places."""
    return max(first, match.first - _NEAR), min(last, match.last + _NEAR)


def _likeliest(verdicts: Iterable[int], odds: Sequence[float]) -> int:
    return max(verdicts, key=odds.__getitem__)


def _alike(plan: Plan, match: Match) -> bool:
    """Whether a match is of an entry's kind: they share a signal."""
    return not plan.said[1].keys().isdisjoint(match.said[1])


def _may_hide_more(judged: _Judged) -> bool:
    """Whether something more urgent than what is found at a place, P1 or P2, is not out of the question there."""
    odds = judged.odds
    return max(odds[: LEVELS[judged.level][0]]) > max(0, max(odds) - _OUT_OF_THE_QUESTION)


def _told_alike(one: _Judged, other: _Judged) -> bool:
    """Whether two places tell of what is told in the same words, so that only the lesser was meant."""
    kinds = [VERDICTS[_likeliest(LEVELS[judged.level], judged.odds)].code for judged in (one, other)]
    return _TOLD_ALIKE.get(kinds[0]) == kinds[1]


def _level_of(judged: _Judged) -> int:
    return judged.level


def _place(match: Match) -> int:
    return match.first
