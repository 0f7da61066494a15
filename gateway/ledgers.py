"""The four Action Ledgers as one, in the order of time."""

from __future__ import annotations

import asyncio
import heapq
from importlib import import_module
from typing import Any

from dealix.common.v1 import ledger_pb2
from dealix.gateway.v1 import gateway_service_pb2 as pb

from gateway.compose import Composer
from gateway.contract import SERVICES
from services.domain.errors import InvalidInput, Violation
from services.runtime import paging
from services.runtime.call import Call

_PAGE = 200


async def list_ledger(composer: Composer, request: pb.ListLedgerRequest, call: Call) -> pb.ListLedgerResponse:
    """A page of all ledgers. Its token holds how far each was read. Raises ``RpcFailure`` where one does not answer."""
    size = paging.page_size(request.page_size)
    query = paging.query_key(call.method.path, {"subject": request.subject})
    key = paging.decode_token(query, request.page_token, (int,) * len(SERVICES)) or (0,) * len(SERVICES)
    if any(int(position) < 0 for position in key):
        raise InvalidInput([Violation("page_token", "PAGE_TOKEN_INVALID", "must be a next_page_token, unchanged")])
    read_to = {service: int(position) for service, position in zip(SERVICES, key, strict=True)}
    call.go_on()
    pages = await asyncio.gather(
        *(
            page(
                composer,
                service,
                after=read_to[service],
                size=size,
                subject=request.subject,
                correlation_id=call.correlation_id,
                deadline=call.deadline,
            )
            for service in SERVICES
        )
    )
    # Each ledger stays in its own order; a page of one is as long as the whole, so none runs out before the page is full.
    waiting = [
        (_time(page.entries[0]), service, 0) for service, page in zip(SERVICES, pages, strict=True) if page.entries
    ]
    heapq.heapify(waiting)
    entries = {service: page.entries for service, page in zip(SERVICES, pages, strict=True)}
    answer = pb.ListLedgerResponse()
    while waiting and len(answer.entries) < size:
        _, service, index = heapq.heappop(waiting)
        entry = entries[service][index]
        answer.entries.add(service=service, entry=entry)
        read_to[service] = entry.sequence
        if index + 1 < len(entries[service]):
            heapq.heappush(waiting, (_time(entries[service][index + 1]), service, index + 1))
    if waiting or any(page.next_page_token for page in pages):
        answer.next_page_token = paging.encode_token(query, tuple(read_to[service] for service in SERVICES))
    return answer


async def page(
    composer: Composer,
    service: str,
    *,
    after: int,
    size: int,
    correlation_id: str,
    deadline: float,
    subject: str = "",
    action: str = "",
    looking: bool = False,
) -> Any:
    """The entries of one ledger after a sequence, as its ListLedger gives them; ``looking``: see ``Guard.passed``. Raises
    ``RpcFailure``."""
    messages: Any = import_module(f"dealix.{service}.v1.ledger_service_pb2")
    wanted = messages.ListLedgerRequest(after_sequence=after, subject=subject, action=action, page_size=size)
    path = f"/dealix.{service}.v1.LedgerService/ListLedger"
    return await composer.fetch(service, path, wanted, correlation_id, deadline, looking=looking)


async def entry_of(
    composer: Composer, service: str, request_id: str, call: Call, *, action: str, subject: str = ""
) -> ledger_pb2.LedgerEntry | None:
    """What a write under an id did, as a ledger tells of it; None where there was none. Raises ``RpcFailure``."""
    after = 0
    while True:
        found = await page(
            composer,
            service,
            after=after,
            size=_PAGE,
            subject=subject,
            action=action,
            correlation_id=call.correlation_id,
            deadline=call.deadline,
        )
        entry: ledger_pb2.LedgerEntry | None = next((e for e in found.entries if e.request_id == request_id), None)
        if entry is not None or not found.next_page_token:
            return entry
        after = found.entries[-1].sequence


def _time(entry: Any) -> tuple[int, int]:
    return entry.record_time.seconds, entry.record_time.nanos
