"""How much a refusal tells: its details travel in metadata, which clients take up to a bound."""

from __future__ import annotations

from collections.abc import Iterable

from services.domain.texts import Bilingual

# Well within the 8 KiB that a client takes, once encoded, beside the rest of the status.
MAX_BYTES = 4_000

Row = tuple[str, str, str]


def told(rows: Iterable[tuple[str, str, Bilingual]]) -> list[Row]:
    """Each (type, subject, text) with its text in both languages, Arabic first: the first ones, as far as there is room.

    How many there are stands in the metadata of the refusal, and the whole list in the answer of the read beside it.
    """
    found: list[Row] = []
    room = MAX_BYTES
    for kind, subject, text in rows:
        row = (kind, subject, f"{text.ar} / {text.en}")
        room -= sum(len(part.encode()) for part in row) + 16
        if room < 0 and found:
            break
        found.append(row)
    return found
