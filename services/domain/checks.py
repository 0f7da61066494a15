"""Checks of input that note every faulty field and raise once."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field

from services.domain.arabic import fold
from services.domain.errors import InvalidInput, Violation

# Beyond any real count or amount, and far below where sums of floats lose whole numbers.
MAX_COUNT = 1_000_000_000
MAX_SAR = 1_000_000_000_000


@dataclass(slots=True)
class Checks:
    """Collects violations; `done` raises them all as one `InvalidInput`.

    Reasons: ``REQUIRED``, ``TEXT_TOO_LONG``, ``NEGATIVE``, ``TOO_SMALL``, ``TOO_LARGE``, ``NOT_FINITE``, ``UNKNOWN_VALUE``
    and what a caller notes itself.
    """

    violations: list[Violation] = field(default_factory=list)

    def note(self, name: str, reason: str, description: str) -> None:
        self.violations.append(Violation(name, reason, description))

    def text(self, name: str, value: str) -> None:
        """Some visible character: spaces, bidi and zero-width controls and bare marks do not make a text."""
        if not has_visible_text(value):
            self.note(name, "REQUIRED", "must hold at least one visible character")

    def readable(self, name: str, value: str) -> str:
        """Within the bounds to which texts are folded, as given and as folded: no rule reads a longer one.

        Returns the text as folded, empty where it is beyond them.
        """
        try:
            return fold(value, field=name)
        except InvalidInput as refused:
            self.violations += refused.violations
            return ""

    def count(self, name: str, value: int | None, minimum: int = 0, maximum: int = MAX_COUNT) -> None:
        """A whole number within bounds, both allowed. None (unknown) passes."""
        if value is None:
            return
        if isinstance(value, float) and not math.isfinite(value):
            self.note(name, "NOT_FINITE", "must be a whole number")
        elif value < minimum:
            reason = "NEGATIVE" if value < 0 and minimum <= 0 else "TOO_SMALL"
            self.note(name, reason, f"must be at least {minimum}")
        elif value > maximum:
            self.note(name, "TOO_LARGE", f"must be at most {maximum}")

    def amount(self, name: str, value: float | None, maximum: float, minimum: float = 0) -> None:
        """A finite number within bounds, both allowed. None (unknown) passes."""
        if value is None:
            return
        if isinstance(value, float) and not math.isfinite(value):
            self.note(name, "NOT_FINITE", "must be a finite number")
        elif value < minimum:
            reason = "NEGATIVE" if minimum == 0 else "TOO_SMALL"
            self.note(name, reason, f"must be at least {minimum:g}")
        elif value > maximum:
            self.note(name, "TOO_LARGE", f"must be at most {maximum:g}")

    def done(self) -> None:
        if self.violations:
            raise InvalidInput(self.violations)


def has_visible_text(value: str) -> bool:
    """Whether any letter, digit, punctuation mark or symbol stands in ``value``."""
    return any(unicodedata.category(char)[0] in "LNPS" and char not in _BLANK for char in value)


# Letters and symbols by their category, yet drawn as nothing: Hangul fillers, the blank Braille pattern.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
