"""Free text to a priority, with the evidence.

The text is folded and cut into tokens (``services.domain.arabic``); a token trie finds the words of the lexicon; rules
join words that stand near one another; contexts silence rules, fixed phrases swallow words, negations set hits apart.
The highest hit that is not negated decides. The same text and lexicon give the same answer; nothing is learnt or kept.

Cost is linear in the length of the text: every search around a word is bounded by a window.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.domain.arabic import (
    HARD_STOPS,
    SOFT_STOPS,
    Offsets,
    fold,
    token_starts,
    tokenize,
    written_once,
)
from services.support.domain.lexicon import JOINS_FA, JOINS_WAW, Chain, Context, Entry, Lexicon, Rule, Signal, mask_of
from services.support.domain.priorities import Priority, urgency

__all__ = ["Classification", "Classifier", "Hit", "Priority", "Signal"]

Span = tuple[int, int]
Occurrences = dict[int, list[Span]]

_HYPHENS = frozenset(["-", "--"])
_CLAUSE_ENDS = HARD_STOPS | SOFT_STOPS
_JOINTS = _HYPHENS | {"\n"}
_JOINED = {"و": JOINS_WAW, "ف": JOINS_FA}


@dataclass(frozen=True, slots=True)
class Hit:
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


@dataclass(frozen=True, slots=True)
class Classification:
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


@dataclass(slots=True)
class _Match:
    entry: Entry
    index: int
    first: int
    last: int
    head: Span
    parts: list[Span]
    signals: tuple[Signal, ...]
    denied: bool = False
    hedged: bool = False


@dataclass(slots=True)
class _Source:
    """A text in its three states: as given, folded, and in tokens (``kept``: which of those written were read)."""

    text: str
    folded: str
    written: list[str]
    kept: list[int] | None
    tokens: list[str]

    def spans(self, count: int) -> list[Span]:
        """Spans in the folded text of the first ``count`` tokens that were read."""
        if self.kept is None:
            starts = token_starts(self.folded, self.written, count)
            return [(start, start + len(token)) for start, token in zip(starts, self.written, strict=False)]
        starts = token_starts(self.folded, self.written, self.kept[count - 1] + 1)
        return [(starts[i], starts[i] + len(self.written[i])) for i in self.kept[:count]]


class _Reading:
    """One text while it is being classified: its tokens and what was found where."""

    __slots__ = ("_hard", "_soft", "consumed", "critical_ends", "occurrences", "tokens")

    def __init__(self, tokens: Sequence[str], occurrences: Occurrences) -> None:
        self.tokens = tokens
        self.occurrences = occurrences
        # Tokens that are part of a complaint ("not working", "nobody can log in") and so deny nothing else.
        self.consumed: set[int] = set()
        self.critical_ends: set[int] | None = None
        self._hard: list[int] | None = None
        self._soft: list[int] | None = None

    def sentence_ends(self, start: int, end: int) -> int:
        """How many sentence ends stand in tokens[start:end]."""
        if self._hard is None:
            self._hard = [i for i, token in enumerate(self.tokens) if token in HARD_STOPS]
        return bisect_left(self._hard, end) - bisect_left(self._hard, start)

    def clause_ends(self, start: int, end: int) -> int:
        """How many commas, line ends or sentence ends stand in tokens[start:end]."""
        if self._soft is None:
            self._soft = [i for i, token in enumerate(self.tokens) if token in _CLAUSE_ENDS]
        return bisect_left(self._soft, end) - bisect_left(self._soft, start)


class Classifier:
    """Classifies texts by a lexicon; immutable, safe to share."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._trie = lexicon.trie
        self._anchors = mask_of(lexicon.rules)
        self._chains = tuple((chain.needs, chain.gives, chain) for chain in lexicon.sequences)
        self._always, self._rules = self._reading_masks()
        self._stop_mask = mask_of(lexicon.stops)
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

    def _reading_masks(self) -> tuple[int, tuple[tuple[int, tuple[tuple[int, Rule, int], ...]], ...]]:
        """The groups that every reading needs; for each anchor its rules: what they need, and all that they look at."""
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
        rules = tuple(
            (1 << anchor, tuple((rule.needs, rule, reads(rule)) for rule in some))
            for anchor, some in lexicon.rules.items()
        )
        return always, rules

    def classify(self, text: str) -> Classification:
        """Classify one text; empty text is P3.

        Raises InvalidInput (``TEXT_TOO_LONG``) over the bounds of ``services.domain.arabic``.
        """
        folded = fold(text)
        written = tokenize(folded)
        tokens = written_once(folded, written)
        kept: list[int] | None = None
        skipped = self.lexicon.skipped
        if not skipped.isdisjoint(tokens):
            kept = [i for i, token in enumerate(tokens) if token not in skipped]
            tokens = [tokens[i] for i in kept]
        matches = self._matches(tokens)
        if not matches:
            return self._nothing
        return self._verdict(text, _Source(text, folded, written, kept, tokens), matches)

    # --- words --------------------------------------------------------------------------------------------------------

    def _matches(self, tokens: list[str]) -> list[_Match]:
        # What is there, first: most texts hold no combination that any rule asks for, and end here.
        found: list[tuple[int, int, tuple[int, ...]]] = []
        mask = 0
        get = self._trie.get
        size = len(tokens)
        for i, token in enumerate(tokens):
            node = get(token)
            if node is None:
                if token[0] not in _JOINED:
                    continue
                node = get(token[1:])
                if node is None or not node[3] & _JOINED[token[0]]:
                    continue
            groups, bits, children, _ = node
            if bits:
                mask |= bits
                found.append((i, i + 1, groups))
            k = i + 1
            while children is not None and k < size:
                node = children.get(tokens[k])
                if node is None:
                    # A phrase may run on over a line end or a dash.
                    if tokens[k] in _JOINTS:
                        k += 1
                        continue
                    break
                groups, bits, children, _ = node
                k += 1
                if bits:
                    mask |= bits
                    found.append((i, k, groups))
        chains = []
        for needs, gives, chain in self._chains:
            if needs & mask == needs:
                mask |= gives
                chains.append(chain)
        if not mask & self._anchors:
            return []
        rules = [
            (rule, reads)
            for bit, some in self._rules
            if mask & bit
            for needs, rule, reads in some
            if needs & mask == needs
        ]
        if not rules:
            return []
        wanted = self._always
        for _, reads in rules:
            wanted |= reads
        occurrences: Occurrences = {}
        for i, k, groups in found:
            for group in groups:
                if not wanted >> group & 1:
                    continue
                if group in occurrences:
                    occurrences[group].append((i, k))
                else:
                    occurrences[group] = [(i, k)]
        reading = _Reading(tokens, occurrences)
        if self._stop_mask & mask:
            self._swallow(reading)
        for chain in chains:
            if chain.gives & wanted:
                self._chain(reading, chain)
        matches = self._apply(reading, [rule for rule, _ in rules])
        if not matches:
            return matches
        for first, last in occurrences.get(self.lexicon.negation.pseudo, ()):
            reading.consumed.update(range(first, last))
        for match in matches:
            for first, last in match.parts:
                reading.consumed.update(range(first, last))
        for match in matches:
            self._judge(reading, match)
        # What is denied in one pairing is denied in every other pairing of the same words.
        denied = {(m.index, part) for m in matches if m.denied and len(m.parts) > 1 for part in m.parts}
        if denied:
            for match in matches:
                if len(match.parts) > 1 and any((match.index, part) in denied for part in match.parts):
                    match.denied = True
        return matches

    def _swallow(self, reading: _Reading) -> None:
        """Remove what lies inside a fixed phrase, unless a keyword reaches across the phrase's border."""
        occurrences = reading.occurrences
        stops = self.lexicon.stops
        literals = self.lexicon.literals
        keywords = sorted(span for group, spans in occurrences.items() if group in literals for span in spans)
        phrases = []
        for group in stops.intersection(occurrences):
            for first, last in occurrences.pop(group):
                near = keywords[bisect_left(keywords, (first - 8, 0)) : bisect_right(keywords, (last, 0))]
                if not any(a < first < b < last or first < a < last < b for a, b in near):
                    phrases.append((first, last))
        covered = {k for first, last in phrases for k in range(first, last)}
        if not covered:
            return
        for group in list(occurrences):
            left = [span for span in occurrences[group] if not covered.issuperset(range(*span))]
            if left:
                occurrences[group] = left
            else:
                del occurrences[group]

    @staticmethod
    def _chain(reading: _Reading, chain: Chain) -> None:
        occurrences = reading.occurrences
        if any(part not in occurrences for part in chain.parts):
            return
        for first, end in list(occurrences[chain.parts[0]]):
            last = end
            for part in chain.parts[1:]:
                spans = occurrences[part]
                at = bisect_left(spans, (last, 0))
                if at == len(spans) or spans[at][0] - last > chain.gap or reading.clause_ends(last, spans[at][0]):
                    break
                # The longest of those that start there.
                start = spans[at][0]
                while at + 1 < len(spans) and spans[at + 1][0] == start:
                    at += 1
                last = spans[at][1]
            else:
                span = (first, last)
                for group in chain.unions:
                    spans = occurrences.setdefault(group, [])
                    at = bisect_left(spans, span)
                    if at == len(spans) or spans[at] != span:
                        spans.insert(at, span)

    # --- rules --------------------------------------------------------------------------------------------------------

    def _apply(self, reading: _Reading, rules: Sequence[Rule]) -> list[_Match]:
        occurrences = reading.occurrences
        entries = self.lexicon.entries
        matches: dict[tuple[int, int, int], _Match] = {}
        for rule in rules:
            entry = entries[rule.entry]
            parts = rule.parts
            if len(parts) == 1:
                spans = occurrences.get(parts[0])
                places = [[span] for span in spans] if spans is not None else []
            elif all(part in occurrences for part in parts):
                places = self._places(reading, rule)
            else:
                continue
            for place in places:
                first = min(place)[0]
                last = max([span[1] for span in place])
                key = (rule.entry, first, last)
                if key in matches or (rule.contexts and self._silenced(reading, rule.contexts, first, last)):
                    continue
                signals = self._signals(reading, entry, first, last) if entry.signals_near else entry.signals
                matches[key] = _Match(entry, rule.entry, first, last, place[rule.head], place, signals)
        return list(matches.values())

    @staticmethod
    def _places(reading: _Reading, rule: Rule) -> list[list[Span]]:
        """Where the parts of a rule stand together: for each occurrence of the anchor the nearest of the others."""
        occurrences = reading.occurrences
        places = []
        anchor_at = rule.parts.index(rule.anchor)
        reach = rule.within * (len(rule.parts) - 1)
        for anchor in occurrences[rule.anchor]:
            chosen: list[Span] = []
            for position, part in enumerate(rule.parts):
                if position == anchor_at:
                    chosen.append(anchor)
                    continue
                spans = occurrences[part]
                best: Span | None = None
                best_gap = reach + 1
                at = bisect_left(spans, (anchor[0] - reach - 12, 0))
                while at < len(spans):
                    span = spans[at]
                    at += 1
                    if span[0] >= anchor[1]:
                        gap = span[0] - anchor[1]
                        if gap > reach:
                            break
                        if rule.ordered and position < anchor_at:
                            break
                        between = (anchor[1], span[0])
                    elif span[1] <= anchor[0]:
                        gap = anchor[0] - span[1]
                        if rule.ordered and position > anchor_at:
                            continue
                        between = (span[1], anchor[0])
                    else:
                        continue
                    if gap > best_gap or any(a < span[1] and span[0] < b for a, b in chosen):
                        continue
                    if reading.sentence_ends(*between) > rule.across:
                        continue
                    # Of two that are as near, the longer one.
                    if gap < best_gap or best is None or span[1] - span[0] > best[1] - best[0]:
                        best, best_gap = span, gap
                if best is None:
                    break
                chosen.append(best)
            else:
                ordered = sorted(chosen)
                if rule.ordered and ordered != chosen:
                    continue
                if all(b[0] - a[1] <= rule.within for a, b in pairwise(ordered)):
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
                    if not cut(*between):
                        return True
        return False

    @staticmethod
    def _signals(reading: _Reading, entry: Entry, first: int, last: int) -> tuple[Signal, ...]:
        for group, signals in entry.signals_near:
            spans = reading.occurrences.get(group)
            if spans is not None:
                at = bisect_left(spans, (first - 7, 0))
                if at < len(spans) and spans[at][0] <= last + 6:
                    return signals
        return entry.signals

    # --- negation -----------------------------------------------------------------------------------------------------

    def _judge(self, reading: _Reading, match: _Match) -> None:
        mode = match.entry.negation
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
        if mode == "adjacent":
            match.denied = self._negator_before(reading, match.first, 1, prepositions_only=True)
            return
        if self._negator_before(reading, match.head[0], negation.window):
            match.denied = True
            spans = occurrences.get(negation.hedges)
            if spans is not None:
                at = bisect_left(spans, (match.head[0], 0)) - 1
                match.hedged = (
                    at >= 0
                    and match.head[0] - spans[at][0] <= 10
                    and not reading.sentence_ends(spans[at][0], match.head[0])
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
            if k not in consumed:
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
            if reading.clause_ends(last, spans[at][0]):
                continue
            end = spans[at][1]
            if not at_end or end == len(tokens) or tokens[end] in HARD_STOPS or tokens[end] in SOFT_STOPS:
                return True
        return False

    # --- verdict ------------------------------------------------------------------------------------------------------

    def _verdict(self, text: str, source: _Source, matches: list[_Match]) -> Classification:
        matches.sort(key=lambda m: (urgency(m.entry.priority), not m.entry.base, m.first, -m.last))
        kept_matches: list[_Match] = []
        said: dict[tuple[bool, Signal], set[int]] = {}
        for match in matches:
            # A finding that overlaps stronger ones and adds no signal to them says nothing new.
            places = range(match.first, match.last)
            new = False
            for signal in match.signals:
                covered = said.setdefault((match.denied, signal), set())
                if covered.isdisjoint(places):
                    new = True
                covered.update(places)
            if new:
                kept_matches.append(match)
        tokens = source.tokens
        spans = source.spans(max([match.last for match in kept_matches]))
        offsets = Offsets(text)
        hits = []
        negated = []
        deciding: _Match | None = None
        review = False
        hedged = False
        signals: dict[Signal, None] = {}
        for match in kept_matches:
            start, end = offsets.original(spans[match.first][0], spans[match.last - 1][1])
            hit = Hit(
                keyword=match.entry.keyword,
                priority=match.entry.priority,
                start=start,
                end=end,
                text=text[start:end],
                language=self._language(tokens[match.first : match.last]),
                signals=match.signals,
            )
            if match.denied:
                negated.append(hit)
                if urgency(match.entry.priority) <= 1:
                    review = True
                    hedged = hedged or match.hedged
            else:
                hits.append(hit)
                signals.update(dict.fromkeys(match.signals))
                if deciding is None:
                    deciding = match
        if deciding is None:
            reason_ar, reason_en = self._denied_reason(kept_matches[0].entry, hedged)
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
        review = review and urgency(priority) >= 2
        if hedged and review:
            priority = Priority.P2
        reason_ar, reason_en = self._reason(deciding.entry, deciding.index, review)
        return Classification(
            priority=priority,
            matched_keyword=deciding.entry.keyword,
            hits=tuple(hits),
            negated_hits=tuple(negated),
            signals=tuple(signals),
            review_required=review,
            reason_ar=reason_ar,
            reason_en=reason_en,
            lexicon_version=self.lexicon.version,
        )

    def _language(self, tokens: Sequence[str]) -> str:
        arabic = latin = False
        for token in tokens:
            if token[0] >= "\u0621":
                arabic = True
            elif token[0].isalnum():
                latin = True
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
