"""The Action Ledger: what happened, who did it, in order, in a form where any edit shows.

Every entry carries the hash of the entry before it and its own, SHA-256 over::

    "dealix.ledger.v1\\n"
    sequence        8 bytes, big endian, signed
    time_us         8 bytes, big endian, signed
    actor_kind, actor_id, actor_role, action, subject, request_id, fields, attributes
                    each: length in bytes (4 bytes, big endian), then the UTF-8 text as it is stored
    previous_hash   32 bytes

``fields`` is a JSON array of sorted names, ``attributes`` a JSON object with sorted keys, both without spaces and in
ASCII. The entry before the first is the *genesis*, SHA-256 of ``"dealix.ledger.v1 genesis\\n"`` and the service's name
and the instance id, each with its length as above: entries of one database do not fit another.

``ledger_head`` holds the last sequence and hash, so a cut tail shows; an *anchor* (sequence and hash that somebody
noted outside of the database) shows a ledger that was rewritten as a whole.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from services.storage.errors import WorkFault
from services.storage.schema import instance, ledger, ledger_head
from services.storage.times import from_micros
from services.storage.transaction import Actor, Row, Tx

_DOMAIN = b"dealix.ledger.v1\n"
_GENESIS = b"dealix.ledger.v1 genesis\n"
_NUMBERS = struct.Struct(">qq")
_LENGTH = struct.Struct(">I")
_HASH_BYTES = 32
_BATCH = 500

# A subject, field or attribute holds ids, states and numbers. Bounds, so that no text of a person ends up in here.
MAX_VALUE = 200
MAX_ATTRIBUTES = 32


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One action. ``subject`` names what it was done to (``ticket/tkt_…``), ``fields`` what of it changed."""

    sequence: int
    time: datetime
    actor: Actor
    action: str
    subject: str
    request_id: str
    fields: tuple[str, ...]
    attributes: Mapping[str, str]
    previous_hash: bytes
    hash: bytes


class LedgerProblem(StrEnum):
    """What :func:`verify` found first."""

    MALFORMED = "malformed"  # a column holds what was never written there
    GAP = "gap"  # a sequence is missing, or one stands before 1 or after the head
    HASH = "hash"  # an entry does not have the hash of its content
    CHAIN = "chain"  # an entry does not follow from the one before it
    HEAD = "head"  # the last entry is not the one that the head names
    ANCHOR = "anchor"  # the entry noted earlier is gone or another


@dataclass(frozen=True, slots=True)
class Verification:
    """``checked`` entries were read; the head is what the database says it is, even when that is the problem.

    ``first_bad_sequence`` is 0 and ``problem`` None when ``ok``.
    """

    ok: bool
    checked: int
    head_sequence: int
    head_hash: bytes
    first_bad_sequence: int = 0
    problem: LedgerProblem | None = None


def list_entries(
    tx: Tx, after_sequence: int, limit: int, *, subject: str | None = None, action: str | None = None
) -> list[LedgerEntry]:
    """At most ``limit`` entries after ``after_sequence``, oldest first, optionally of one subject or action only."""
    raise NotImplementedError


def verify(
    tx: Tx, from_sequence: int = 1, to_sequence: int | None = None, anchor: tuple[int, bytes] | None = None
) -> Verification:
    """Check the entries from ``from_sequence`` to ``to_sequence`` (the head if None), reading in batches.

    Checks that every sequence is there once, every entry has the hash of its content and follows from the one before,
    and that nothing stands before the first or after the head. A part is checked against the entry before it, which
    is taken as given; ``anchor`` ``(sequence, hash)`` of an earlier verification ties it to what was true then.
    """
    raise NotImplementedError


def fold(entries: Iterable[LedgerEntry]) -> dict[str, dict[str, str]]:
    """Subject → its attributes, later entries over earlier ones: the state that the ledger tells of."""
    state: dict[str, dict[str, str]] = {}
    for entry in entries:
        state.setdefault(entry.subject, {}).update(entry.attributes)
    return state
