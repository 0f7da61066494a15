"""The unit of work: what a handler's function gets to do its one transaction with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import sqlalchemy as sa

from services.storage.errors import RequestIdReused, WorkFault
from services.storage.ledger import (
    INSERT_ENTRY,
    Head,
    LedgerEntry,
    check_subject,
    encode_attributes,
    encode_fields,
    entry_hash,
)
from services.storage.schema import requests
from services.storage.times import to_micros
from services.storage.transaction import Actor, Tx, WriteRequest

_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})

_FIND_REQUEST = sa.select(requests.c.method, requests.c.fingerprint, requests.c.response).where(
    requests.c.request_id == sa.bindparam("request_id")
)
_KEEP_REQUEST = sa.insert(requests)


MOST_AHEAD = timedelta(hours=1)
"""By how much the last entry of a ledger may be ahead of the clock for the next write to wait for it."""


class UnitOfWork:
    """One transaction with its time, its actor and its ledger.

    ``tx`` runs statements, ``now`` is one point in time (UTC, whole microseconds) for all that happens in here, not before
    the last entry of the ledger unless that is more than `MOST_AHEAD` of the clock. ``actor`` is who asked, ``request_id``
    is theirs (empty for the service's own workers).
    """

    __slots__ = ("_time_us", "actor", "head", "new_id", "now", "recorded", "request_id", "tx")

    new_id: Callable[[str], str]
    """``new_id("tkt")`` gives ``tkt_`` and 26 lower-case base32 characters: an id that cannot be guessed."""

    def __init__(
        self,
        tx: Tx,
        now: datetime,
        actor: Actor,
        request_id: str,
        new_id: Callable[[str], str],
        head: Head,
    ) -> None:
        """Made by the engines only; ``now`` is what the clock says, the head that of the ledger as the transaction sees it."""
        self.tx = tx
        # Clocks of replicas differ and a clock can go back: what follows must not seem to come before. What is further ahead
        # was written by a clock that was wrong, and would keep this one wrong for as long.
        self.now = max(now, head.time) if head.time - now <= MOST_AHEAD else now
        self.actor = actor
        self.request_id = request_id
        self.new_id = new_id
        self.head = head
        self.recorded = 0
        self._time_us = to_micros(self.now)

    def record(
        self,
        action: str,
        subject: str,
        *,
        fields: Sequence[str] = (),
        attributes: Mapping[str, str] = _NO_ATTRIBUTES,
    ) -> LedgerEntry:
        """Append to the ledger that ``actor`` did ``action`` to ``subject``.

        ``fields`` are the names of what changed; ``attributes`` hold ids, states and revision numbers that let the
        state be told from the ledger, never text of a person: values are visible ASCII without spaces, ``@``, ``"``
        and ``\\``, at most 200 characters, or the write fails with ``WorkFault``. ``subject`` too is an id.
        """
        check_subject(subject)
        actor = self.actor
        names = tuple(sorted(fields))
        fields_text = encode_fields(names)
        attributes_text = encode_attributes(attributes)
        sequence = self.head.sequence + 1
        previous_hash = self.head.hash
        new_hash = entry_hash(
            sequence,
            self._time_us,
            (actor.kind, actor.id, actor.role, action, subject, self.request_id, fields_text, attributes_text),
            previous_hash,
        )
        self.tx.run(
            INSERT_ENTRY,
            {
                "sequence": sequence,
                "time_us": self._time_us,
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "actor_role": actor.role,
                "action": action,
                "subject": subject,
                "request_id": self.request_id,
                "fields": fields_text,
                "attributes": attributes_text,
                "previous_hash": previous_hash,
                "hash": new_hash,
            },
        )
        self.head = Head(sequence, new_hash, self.now)
        self.recorded += 1
        return LedgerEntry(
            sequence,
            self.now,
            actor,
            action,
            subject,
            self.request_id,
            names,
            dict(attributes),
            previous_hash,
            new_hash,
        )


def find_replay(tx: Tx, request: WriteRequest) -> bytes | None:
    """The kept response of the same request; None for a new one. ``RequestIdReused`` for other content."""
    row = tx.one(_FIND_REQUEST, {"request_id": request.request_id})
    if row is None:
        return None
    if row.fingerprint != request.fingerprint or row.method != request.method:
        raise RequestIdReused(
            "the request_id was used for another request before; take a new one", request_id=request.request_id
        )
    response: bytes = row.response
    return response


def keep_request(unit: UnitOfWork, request: WriteRequest, response: object) -> bytes:
    """Check what a work came to and keep its response with the request, in the same transaction."""
    if type(response) is not bytes:
        raise WorkFault(f"{request.method}: the work returned {type(response).__name__}, not the serialised response")
    if not unit.recorded:
        raise WorkFault(f"{request.method}: the work recorded no ledger entry")
    unit.tx.run(
        _KEEP_REQUEST,
        {
            "request_id": request.request_id,
            "method": request.method,
            "fingerprint": request.fingerprint,
            "response": response,
            "time_us": to_micros(unit.now),
        },
    )
    return response


def deliverable(error: BaseException) -> Exception:
    """An error that can be handed to a waiting caller: neither a cancellation nor the end of an iteration."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    fault = WorkFault(f"the work raised {type(error).__name__}")
    fault.__cause__ = error
    return fault
