"""Whether a customer wrote thanks and nothing else: such a message asks for no answer and reopens no ticket.

The list decides, not a guess: the whole text must be made of its phrases. Thanks with anything beside them ("thanks, but it is
still broken", «شكرا بس ما اشتغل») are a message like any other, and so is whatever is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.domain.arabic import HARD_STOPS, SOFT_STOPS, fold, tokenize, words, written_once
from services.domain.texts import TextsFile
from services.support.domain.policy import TEXTS_DIR

# Longer texts say something, whatever it is; the bounds keep the search short, and every text within them can be folded.
_MAX_WORDS = 40
_MAX_CHARACTERS = 2_000
# What may stand around words without saying anything: no question mark, no digit, no minus sign.
_PUNCTUATION = frozenset(".,،!؛;:…~-*_\"'()«»‘’“”\n\t ")
# Skin tones, and the selectors and joiners that are left of a picture.
_TONES = frozenset(chr(code) for code in range(0x1F3FB, 0x1F400))

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thanks:
    """The phrases by their first word: what follows it, and whether the phrase thanks by itself."""

    phrases: Mapping[str, tuple[tuple[Phrase, bool], ...]]
    thanking: frozenset[str]
    beside: frozenset[str]

    def is_bare(self, text: str) -> bool:
        """Whether the text is thanks from beginning to end. Empty texts are not."""
        if len(text) > _MAX_CHARACTERS:
            return False
        folded = fold(text)
        thanked = False
        for char in folded:
            if char.isalpha() or char in _PUNCTUATION or char in _TONES or char in self.beside:
                continue
            if char not in self.thanking:
                return False
            thanked = True
        tokens = tokenize(folded)
        # Letters of other scripts are in no token: whatever they say, it is more than thanks.
        if sum(map(str.isalpha, folded)) != sum(sum(map(str.isalpha, token)) for token in tokens):
            return False
        found = tuple(t for t in written_once(folded, tokens) if t not in HARD_STOPS and t not in SOFT_STOPS)
        if len(found) > _MAX_WORDS:
            return False
        return self._made_of_phrases(found, thanked)

    def _made_of_phrases(self, found: Phrase, thanked: bool) -> bool:
        # reached[n]: whether the first n words are made of phrases, and if so whether one of them can be thanks.
        reached: list[bool | None] = [None] * (len(found) + 1)
        reached[0] = thanked
        for place, word in enumerate(found):
            so_far = reached[place]
            if so_far is None:
                continue
            for first in {word, word.removeprefix("و")}:
                for rest, thanking in self.phrases.get(first, ()):
                    end = place + 1 + len(rest)
                    if found[place + 1 : end] == rest:
                        reached[end] = bool(reached[end]) or so_far or thanking
        return bool(reached[-1])


def load_thanks(path: Path | None = None) -> Thanks:
    """Reads ``thanks.toml``. Raises ``TextsError`` with every fault: phrases without a word, pictures that are letters."""
    file = TextsFile(path if path is not None else TEXTS_DIR / "thanks.toml")
    phrases: dict[str, dict[Phrase, bool]] = {}
    for part, thanking in (("thanks", True), ("beside", False)):
        table = file.table(part)
        for language in ("ar", "en"):
            for line in table.strings(language):
                first, *rest = tuple(words(line)) or ("",)
                if not first:
                    table.problem(language, f"{line!r} holds no word")
                known = phrases.setdefault(first, {})
                known[tuple(rest)] = known.get(tuple(rest), False) or thanking
    pictures = file.table("pictures")
    thanks, beside = _pictures(pictures.strings("thanks")), _pictures(pictures.strings("beside"))
    for char in sorted(c for c in thanks | beside if c.isalnum() or c in _PUNCTUATION or c == "?"):
        pictures.problem("", f"{char!r} is no picture")
    file.finish()
    return Thanks({first: tuple(known.items()) for first, known in phrases.items()}, thanks, beside)


def _pictures(lines: Iterable[str]) -> frozenset[str]:
    return frozenset(char for line in lines for char in fold(line))
