"""What people write in two languages, and what must not stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_INTERNAL_ID = re.compile(r"\b[a-z]{3}_[a-z0-9]{26}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages; either may be empty while it is being written."""

    ar: str = ""
    en: str = ""


NO_TEXT = Text()


def names_internal_id(text: str) -> bool:
    """Whether an identifier of ours stands in a text, of a ticket, an incident or anything else."""
    return _INTERNAL_ID.search(text) is not None
