"""The four ticket priorities (spec, section 1)."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """P0 is the most urgent. The values are the identifiers used on the wire and in stored records."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


_URGENCY = {Priority.P0: 0, Priority.P1: 1, Priority.P2: 2, Priority.P3: 3}


def urgency(priority: Priority) -> int:
    """0 for the most urgent (P0) to 3 (P3); a smaller number is never answered later than a larger one."""
    return _URGENCY[priority]
