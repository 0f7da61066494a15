"""Identifiers that cannot be guessed."""

from __future__ import annotations

import itertools
import secrets

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# Two characters at a time: 13 look-ups instead of a general base32 encoder on the path of every write.
_PAIRS = tuple(map("".join, itertools.product(_ALPHABET, repeat=2)))
_SHIFTS = tuple(range(120, -1, -10))


def new_id(prefix: str) -> str:
    """``prefix``, an underscore and 26 lower-case base32 characters: 128 random bits, most significant first.

    >>> len(new_id("tkt"))
    30
    """
    number = secrets.randbits(128)
    return prefix + "_" + "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])
