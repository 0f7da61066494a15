"""``LedgerService`` of any service: the same RPCs in each package, answered by one class."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from dealix.common.v1 import actor_pb2, ledger_pb2
from google.protobuf.message import Message

from services.runtime import wire
from services.runtime.call import Call
from services.storage import ledger, paging
from services.storage.transaction import Actor


class LedgerServicer:
    """Lists and verifies the Action Ledger of the service whose ``ledger_service_pb2`` module it is given."""

    def __init__(self, module: ModuleType) -> None:
        self._pb: Any = module
        self.service: str = module.DESCRIPTOR.services_by_name["LedgerService"].full_name

    async def ListLedger(self, request: Any, call: Call) -> Message:
        """See the contract."""
        size = paging.page_size(request.page_size)
        query = paging.query_key(
            call.method.path,
            {"subject": request.subject, "action": request.action, "after_sequence": request.after_sequence},
        )
        key = paging.decode_token(query, request.page_token, (int,))
        after = int(key[0]) if key else request.after_sequence
        entries = await call.read(
            lambda tx: ledger.list_entries(
                tx, after, size + 1, subject=request.subject or None, action=request.action or None
            )
        )
        page, token = paging.cut_page(entries, size, query, lambda entry: (entry.sequence,))
        answer: Message = self._pb.ListLedgerResponse(entries=[_entry(e) for e in page], next_page_token=token)
        return answer

    async def VerifyLedger(self, request: Any, call: Call) -> Message:
        """See the contract."""
        anchor = (request.anchor.sequence, request.anchor.hash) if request.HasField("anchor") else None
        found = await call.read(lambda tx: ledger.verify(tx, anchor=anchor))
        head = ledger_pb2.LedgerAnchor(sequence=found.head_sequence, hash=found.head_hash)
        answer: Message = self._pb.VerifyLedgerResponse(
            intact=found.ok,
            checked=found.checked,
            head=head if found.head_sequence else None,
            first_bad_sequence=found.first_bad_sequence,
            problem=str(found.problem or ""),
        )
        return answer


def _entry(entry: ledger.LedgerEntry) -> ledger_pb2.LedgerEntry:
    return ledger_pb2.LedgerEntry(
        sequence=entry.sequence,
        record_time=None if entry.time == ledger.BEFORE_ALL else wire.timestamp(entry.time),
        actor=_actor(entry.actor),
        action=entry.action,
        subject=entry.subject,
        request_id=entry.request_id,
        fields=entry.fields,
        attributes=entry.attributes,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


def _actor(actor: Actor) -> actor_pb2.Actor:
    try:
        return wire.actor(actor)
    except (KeyError, ValueError):  # A kind or role that no service writes: somebody edited the entry.
        return actor_pb2.Actor(id=actor.id)
