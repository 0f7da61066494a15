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
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql import Executable

from services.storage.errors import StorageUnavailable, WorkFault
from services.storage.schema import instance, ledger, ledger_head
from services.storage.times import time_or_none
from services.storage.transaction import Actor, Row, Tx

_DOMAIN = b"dealix.ledger.v1\n"
_GENESIS = b"dealix.ledger.v1 genesis\n"
_NUMBERS = struct.Struct(">qq")
_LENGTH = struct.Struct(">I")
_HASH_BYTES = 32
_BATCH = 500
_JSON = json.JSONEncoder(separators=(",", ":"))

# A subject, field or attribute holds ids, states and numbers. Bounds, so that no text of a person ends up in here.
MAX_VALUE = 200
MAX_ATTRIBUTES = 32

# The time of an entry that is not there, or whose time cannot be read.
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class LedgerEntry(NamedTuple):
    """One action. ``subject`` names what it was done to (``ticket/tkt_…``), ``fields`` what of it changed.

    What an edit made unreadable is left out: ``time`` is `BEFORE_ALL`, ``fields`` and ``attributes`` are empty, bytes that
    are no text stand as U+FFFD. `verify` finds the entry.
    """

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


class Head(NamedTuple):
    """The last entry of a ledger: its sequence (0 for an empty ledger), its hash (the genesis) and its time."""

    sequence: int
    hash: bytes
    time: datetime


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


INSERT_ENTRY = sa.insert(ledger)
READ_HEAD = sa.select(ledger_head.c.sequence, ledger_head.c.hash).where(ledger_head.c.id == 1)
LOCK_HEAD = READ_HEAD.with_for_update()
MOVE_HEAD = sa.update(ledger_head).where(ledger_head.c.id == 1)
# Null where it is no number.
_TIME = sa.case((ledger.c.time_us == sa.cast(ledger.c.time_us, sa.BigInteger), ledger.c.time_us)).label("time_us")
# When the entry that a head names was made. A statement of its own: one that waited for the head does not see it yet.
_TIME_OF_ENTRY = sa.select(_TIME).where(ledger.c.sequence == sa.bindparam("sequence", type_=sa.BigInteger))

_AFTER = sa.bindparam("after", type_=sa.BigInteger)
_UNTIL = sa.bindparam("until", type_=sa.BigInteger)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
# SQLite keeps anything in any column, and its driver gives up on text that is none. So texts are read as bytes there, and
# `sound` says whether every column holds what its type says.
_BYTES = sa.LargeBinary()
_READ_AS = {sa.Text: _BYTES.with_variant(sa.Text(), "postgresql"), sa.LargeBinary: _BYTES}
_LIST = (
    sa.select(
        ledger.c.sequence,
        _TIME,
        *(sa.cast(c, _READ_AS[type(c.type)]).label(c.name) for c in ledger.c if type(c.type) in _READ_AS),
        sa.and_(*(c == sa.cast(c, c.type) for c in ledger.c)).label("sound"),
    )
    .where(ledger.c.sequence > _AFTER)
    .order_by(ledger.c.sequence)
    .limit(_LIMIT)
)
_UP_TO = _LIST.where(ledger.c.sequence <= _UNTIL)
_OF_SUBJECT = _LIST.where(ledger.c.subject == sa.bindparam("subject"))
_OF_ACTION = _LIST.where(ledger.c.action == sa.bindparam("action"))
_OF_BOTH = _OF_SUBJECT.where(ledger.c.action == sa.bindparam("action"))
_HASH_AT = sa.select(sa.cast(ledger.c.hash, _BYTES).label("hash")).where(ledger.c.sequence == sa.bindparam("sequence"))
_INSTANCE = sa.select(instance.c.service, instance.c.instance_id)


def genesis_hash(service: str, instance_id: str) -> bytes:
    """What the first entry follows from."""
    return hashlib.sha256(_GENESIS + _measured((service, instance_id))).digest()


def encode_attributes(attributes: Mapping[str, str]) -> str:
    """Attributes as they are stored. ``WorkFault`` for what looks like text of a person, or is too much."""
    text = _JSON.encode({name: attributes[name] for name in sorted(attributes)}) if attributes else "{}"
    if (
        " " in text
        or "@" in text
        # Anything outside of visible ASCII, a quotation mark and a backslash would be written with a backslash.
        or "\\" in text
        or len(attributes) > MAX_ATTRIBUTES
        or not all(type(value) is str and len(value) <= MAX_VALUE for value in attributes.values())
    ):
        raise WorkFault(f"ledger attributes {sorted(attributes)}: ids, states and numbers only, as short ASCII text")
    return text


@lru_cache(maxsize=1024)
def encode_fields(fields: tuple[str, ...]) -> str:
    """Field names, sorted, as they are stored. ``WorkFault`` for what is no name."""
    text = _JSON.encode(fields)
    if " " in text or "@" in text or "\\" in text or len(text) > MAX_VALUE * MAX_ATTRIBUTES:
        raise WorkFault("ledger fields: names only")
    return text


def check_subject(subject: str) -> None:
    """``WorkFault`` for a subject that is no id."""
    if not subject or len(subject) > MAX_VALUE or not subject.isascii() or not subject.isprintable() or " " in subject:
        raise WorkFault("ledger subject: an id in visible ASCII")


def entry_hash(
    sequence: int,
    time_us: int,
    texts: Sequence[str | bytes],
    previous_hash: bytes,
) -> bytes:
    """The hash of an entry; ``texts`` are the eight text columns in the order of the encoding, encoded or not."""
    return hashlib.sha256(_DOMAIN + _NUMBERS.pack(sequence, time_us) + _measured(texts) + previous_hash).digest()


def _measured(texts: Sequence[str | bytes]) -> bytes:
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    return b"".join([part for text in encoded for part in (_LENGTH.pack(len(text)), text)])


def read_head(tx: Tx, statement: Executable = READ_HEAD) -> Head:
    """Where the ledger stands. ``StorageUnavailable`` for one without a head, which is none."""
    head = tx.one(statement)
    if head is None:
        raise StorageUnavailable("the ledger has no head")
    last = tx.one(_TIME_OF_ENTRY, {"sequence": head.sequence})
    return Head(head.sequence, head.hash, _time(last.time_us) if last is not None else BEFORE_ALL)


def list_entries(
    tx: Tx, after_sequence: int, limit: int, *, subject: str | None = None, action: str | None = None
) -> list[LedgerEntry]:
    """At most ``limit`` entries after ``after_sequence``, oldest first, optionally of one subject or action only.

    Damaged ones too, as far as they can be read: whoever looks for an edit needs them, and what stands around them.
    """
    params: dict[str, object] = {"after": after_sequence, "limit": limit}
    if subject is not None:
        params["subject"] = subject
    if action is not None:
        params["action"] = action
    by_subject = _LIST if subject is None else _OF_SUBJECT
    statement = by_subject if action is None else _OF_ACTION if subject is None else _OF_BOTH
    return [_entry(row) for row in tx.all(statement, params)]


def verify(
    tx: Tx, from_sequence: int = 1, to_sequence: int | None = None, anchor: tuple[int, bytes] | None = None
) -> Verification:
    """Check the entries from ``from_sequence`` to ``to_sequence`` (the head if None), reading in batches.

    Checks that every sequence is there once, every entry has the hash of its content and follows from the one before,
    and that nothing stands before the first or after the head. A part is checked against the entry before it, which
    is taken as given; ``anchor`` ``(sequence, hash)`` of an earlier verification ties it to what was true then.
    Never raises for what the database holds: whatever it is, it is a finding.
    """
    from_sequence = max(from_sequence, 1)
    head = tx.one(READ_HEAD)
    head_sequence = head.sequence if head is not None and type(head.sequence) is int else 0
    head_hash = head.hash if head is not None and type(head.hash) is bytes else b""
    checked = 0

    def found(problem: LedgerProblem, sequence: int) -> Verification:
        return Verification(False, checked, head_sequence, head_hash, sequence, problem)

    if head is None or head_sequence < 0 or len(head_hash) != _HASH_BYTES:
        return found(LedgerProblem.HEAD, head_sequence)
    previous: bytes | None
    if from_sequence == 1:
        previous = _genesis(tx)
        if previous is None:
            return found(LedgerProblem.MALFORMED, 1)
        after = -1 << 63
    else:
        if from_sequence > head_sequence + 1:
            return found(LedgerProblem.GAP, head_sequence + 1)
        previous = _hash_at(tx, from_sequence - 1)
        if previous is None:
            return found(LedgerProblem.GAP, from_sequence - 1)
        after = from_sequence - 1

    to_head = to_sequence is None or to_sequence >= head_sequence
    last = head_sequence if to_sequence is None else min(to_sequence, head_sequence)
    expected = from_sequence
    while True:
        # Up to the head, read on past it: entries after it are a finding.
        batch = (
            tx.all(_LIST, {"after": after, "limit": _BATCH})
            if to_head
            else tx.all(_UP_TO, {"after": after, "until": last, "limit": _BATCH})
        )
        for row in batch:
            sequence, time_us, *texts, previous_hash, stored_hash, sound = row
            if sequence != expected:
                return found(LedgerProblem.GAP, min(sequence, expected))
            if sequence > head_sequence:
                return found(LedgerProblem.HEAD, sequence)
            if not sound:
                return found(LedgerProblem.MALFORMED, sequence)
            if previous_hash != previous:
                return found(LedgerProblem.CHAIN, sequence)
            if entry_hash(sequence, time_us, texts, previous_hash) != stored_hash:
                return found(LedgerProblem.HASH, sequence)
            checked += 1
            expected += 1
            previous = stored_hash
        if len(batch) < _BATCH:
            break
        after = batch[-1].sequence
    if expected <= last:
        return found(LedgerProblem.GAP, expected)
    if to_head and expected == head_sequence + 1 and previous != head_hash:
        return found(LedgerProblem.HEAD, head_sequence)
    if anchor is not None:
        noted_sequence, noted_hash = anchor
        there = _genesis(tx) if noted_sequence == 0 else _hash_at(tx, noted_sequence)
        if there != noted_hash or noted_sequence > head_sequence:
            return found(LedgerProblem.ANCHOR, noted_sequence)
    return Verification(True, checked, head_sequence, head_hash)


def _genesis(tx: Tx) -> bytes | None:
    rows = tx.all(_INSTANCE)
    if len(rows) != 1 or not all(type(value) is str for value in rows[0]):
        return None
    return genesis_hash(rows[0].service, rows[0].instance_id)


def _hash_at(tx: Tx, sequence: int) -> bytes | None:
    row = tx.one(_HASH_AT, {"sequence": sequence})
    return row.hash if row is not None else None


def _entry(row: Row) -> LedgerEntry:
    return LedgerEntry(
        sequence=row.sequence,
        time=_time(row.time_us),
        actor=Actor(_text(row.actor_kind), _text(row.actor_id), _text(row.actor_role)),
        action=_text(row.action),
        subject=_text(row.subject),
        request_id=_text(row.request_id),
        fields=_fields(_json(row.fields)),
        attributes=_attributes(_json(row.attributes)),
        previous_hash=row.previous_hash,
        hash=row.hash,
    )


def _time(micros: int | None) -> datetime:
    with suppress(OverflowError):
        return time_or_none(micros) or BEFORE_ALL
    return BEFORE_ALL


def _text(stored: str | bytes) -> str:
    return stored.decode("utf-8", "replace") if isinstance(stored, bytes) else stored


def _json(stored: str | bytes) -> object:
    try:
        return json.loads(_text(stored))
    except (ValueError, RecursionError):
        return None


def _fields(found: object) -> tuple[str, ...]:
    return tuple(found) if isinstance(found, list) and all(map(_is_plain, found)) else ()


def _attributes(found: object) -> Mapping[str, str]:
    return found if isinstance(found, dict) and all(map(_is_plain, (*found, *found.values()))) else {}


def _is_plain(value: object) -> bool:
    return type(value) is str and value.isascii()


def fold(entries: Iterable[LedgerEntry]) -> dict[str, dict[str, str]]:
    """Subject → its attributes, later entries over earlier ones: the state that the ledger tells of."""
    state: dict[str, dict[str, str]] = {}
    for entry in entries:
        state.setdefault(entry.subject, {}).update(entry.attributes)
    return state
