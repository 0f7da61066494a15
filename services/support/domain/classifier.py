"""Free text to a priority, with the evidence.

The text is folded and cut into tokens (``services.domain.arabic``); the rules of the lexicon are looked for (``matching``);
what all the words say together supports what they find, sets it aside, or finds what no rule joins (``weighing``). The
highest hit that is left decides. The same text and lexicon give the same answer, in a time linear in the text's length.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from services.domain.arabic import Folded, Offsets, fold_and_tokenize, token_starts, written_once
from services.support.domain.lexicon import Entry, Lexicon, Signal
from services.support.domain.matching import Match, Matcher, Plan, Span, base_words, order_of, without
from services.support.domain.priorities import Priority
from services.support.domain.weighing import Weigher

__all__ = ["Classification", "Classifier", "Hit", "Priority", "Signal"]

# How much of the telling words a reason repeats, in characters; the hit has all of them.
_SHOWN = 160
# Why a person should read a text whose priority something lesser decides.
_DOUBTS = {
    "denied": (
        " وفي النص كلمة حرجة منفية؛ يُرجى أن يطّلع عليه أحد المختصين.",
        " The text also denies a critical word, so a person should read it.",
    ),
    "aside": (
        " وفيه ما يشبه أمرًا حرجًا وبقية النص لا تؤيده؛ يُرجى أن يطّلع عليه أحد المختصين.",
        " It also holds what looks critical, which the rest of the text speaks against, so a person should read it.",
    ),
    "possible": (
        " وقد تعني كلماته أمرًا حرجًا دون أن تجزم به؛ يُرجى أن يطّلع عليه أحد المختصين.",
        " Its words may also tell of something critical, though not clearly, so a person should read it.",
    ),
}


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

    ``negated_hits``: what the text denies, and what of P0 the rest of it speaks against.

    ``review_required``: a critical word was found and denied, or the rest of the text speaks against it, or the words may tell
    of something critical, though not clearly; and nothing else is as urgent, so that a person should read the ticket.
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


class _Source(NamedTuple):
    """A text in its three states: as given, folded, and in tokens (``kept``: which of those written were read)."""

    text: str
    folded: str
    how: Folded
    written: list[str]
    kept: list[int] | None
    tokens: list[str]

    def spans(self, matches: Sequence[Match]) -> list[Span]:
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


class Classifier:
    """Classifies texts by a lexicon; immutable, safe to share."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._matcher = Matcher(lexicon)
        self._weigher = Weigher(lexicon)
        self._base_keywords = frozenset([entry.keyword for entry in lexicon.entries if entry.base])
        self._reasons: dict[tuple[int, str], tuple[str, str]] = {}
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
        found = self._matcher.find(tokens)
        matches = found.matches
        if found.places is not None:
            tokens = found.tokens
            kept = found.places if kept is None else [kept[place] for place in found.places]
        aside: Plan | None = None
        if self._weigher:
            matches, aside = self._weigher.weighed(found)
        if not matches:
            return self._nothing if aside is None else self._set_aside(aside)
        return self._verdict(text, _Source(text, folded, how, written, kept, tokens), matches, aside)

    def tokens_read(self, text: str) -> list[str]:
        """What phrases read of a text: the tokens weighed, those marked that are told as denied or unreal."""
        return self._weigher.marked(*self._tokens_weighed(text))

    def words_weighed(self, text: str) -> frozenset[str]:
        """What a text's weight is made of: folded words, marked ones twice, and pairs; no base keywords, no courtesies."""
        return self._weigher.words(*self._tokens_weighed(text))

    def _tokens_weighed(self, text: str) -> tuple[list[str], int]:
        """The tokens without base keywords and courtesies, and, as bits, those that are told as unreal."""
        folded, _, written = fold_and_tokenize(text)
        skipped = self.lexicon.skipped
        tokens = [token for token in written_once(folded, written) if token not in skipped]
        found = self._matcher.find(tokens)
        return without(base_words(found.matches) | found.courtesies, found.tokens), found.unreal

    def _set_aside(self, plan: Plan) -> Classification:
        keyword = plan.entry.keyword
        if plan.weighed:
            reason_ar = f"الأولوية P3: قد تعني كلمات النص «{keyword}» دون أن تجزم به؛ يُرجى أن يطّلع عليه أحد المختصين."
            reason_en = f"P3: the words may tell of {keyword}, though not clearly; a person should read it."
        else:
            reason_ar = f"الأولوية P3: ورد ما يشبه «{keyword}» وبقية النص لا تؤيده؛ يُرجى أن يطّلع عليه أحد المختصين."
            reason_en = (
                f"P3: something like {keyword} is there, but the rest of the text speaks against it;"
                " a person should read it."
            )
        return self._nothing._replace(review_required=True, reason_ar=reason_ar, reason_en=reason_en)

    def _verdict(self, text: str, source: _Source, matches: list[Match], aside: Plan | None = None) -> Classification:
        if len(matches) > 1:
            matches.sort(key=order_of)
        kept: list[Match] = []
        said: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for match in matches:
            # A finding that overlaps stronger ones and adds no signal to them says nothing new.
            places = (1 << match.last) - (1 << match.first)
            covered = said[match.denied or match.aside]
            for number in match.said[1]:
                if not covered.get(number, 0) & places:
                    break
            else:
                continue
            kept.append(match)
            for number in match.said[1]:
                covered[number] = covered.get(number, 0) | places
        tokens = source.tokens
        hits = []
        negated = []
        deciding: Plan | None = None
        denied = False
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
            if match.aside:
                negated.append(hit)
            elif match.denied:
                negated.append(hit)
                if plan.critical:
                    denied = True
                    hedged = hedged or match.hedged
            else:
                hits.append(hit)
                signals.update(match.said[1])
                if deciding is None:
                    deciding = plan
        if deciding is None:
            denial = next((match for match in kept if match.denied), None)
            if denial is None:
                return self._set_aside(kept[0].plan)._replace(negated_hits=tuple(negated))
            reason_ar, reason_en = self._denied_reason(denial.plan.entry, hedged)
            return Classification(
                priority=Priority.P2 if hedged else Priority.P3,
                matched_keyword="",
                hits=(),
                negated_hits=tuple(negated),
                signals=(),
                review_required=denied or aside is not None,
                reason_ar=reason_ar,
                reason_en=reason_en,
                lexicon_version=self.lexicon.version,
            )
        priority = deciding.entry.priority
        # What is urgent already is read by a person anyway.
        doubt = "" if deciding.critical else "denied" if denied else _doubt_of(aside)
        if hedged and doubt:
            priority = Priority.P2
        reason_ar, reason_en = self._reason(deciding, doubt)
        if deciding.weighed:
            shown = " ".join(hits[0].text.split())
            if len(shown) > _SHOWN:
                shown = textwrap.shorten(shown, _SHOWN, placeholder=" …") or "…"
            reason_ar += f" يدل على ذلك مجموع كلمات النص، وأوضحها: «{shown}»."
            reason_en += f" The words say so together, most of all: {shown}"
        return Classification(
            priority,
            deciding.entry.keyword,
            tuple(hits),
            tuple(negated),
            tuple(signals.values()),
            bool(doubt),
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

    def _reason(self, plan: Plan, doubt: str) -> tuple[str, str]:
        reason = self._reasons.get((plan.index, doubt))
        if reason is None:
            entry = plan.entry
            p = entry.priority
            # A keyword of the base list that the text has in another form, or in other words.
            otherwise = not entry.base and entry.keyword in self._base_keywords
            how_ar, how_en = ("، بصيغة أخرى", ", in another form") if otherwise else ("", "")
            reason_ar = f"الأولوية {p}: {entry.meaning_ar} (الكلمة المرجعية: «{entry.keyword}»{how_ar})."
            reason_en = f"{p}: {entry.meaning_en} (keyword: {entry.keyword}{how_en})."
            if doubt:
                more_ar, more_en = _DOUBTS[doubt]
                reason_ar += more_ar
                reason_en += more_en
            reason = self._reasons[plan.index, doubt] = (reason_ar, reason_en)
        return reason

    def _denied_reason(self, entry: Entry, hedged: bool) -> tuple[str, str]:
        if hedged:
            return (
                f"الأولوية P2: ورد ما يشبه «{entry.keyword}» بنفي غير جازم؛ يُرجى أن يراجعه أحد المختصين.",
                f"P2: something like {entry.keyword} is denied without certainty; a person should review it.",
            )
        return (
            f"الأولوية P3: ورد ما يشبه «{entry.keyword}» لكنه منفي في النص.",
            f"P3: something like {entry.keyword} is mentioned, but the text denies it.",
        )


def _doubt_of(aside: Plan | None) -> str:
    """Which of `_DOUBTS` a P0 leaves that was not found to be one."""
    if aside is None:
        return ""
    return "possible" if aside.weighed else "aside"
