"""What people write in two languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages; either may be empty while it is being written."""

    ar: str = ""
    en: str = ""


NO_TEXT = Text()
