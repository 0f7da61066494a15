"""What tests of the services over a socket share: actors, a clock, refusals taken apart, a ledger read to its end."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from dealix.common.v1 import actor_pb2
from google.rpc import error_details_pb2, status_pb2

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-17", role=actor_pb2.ROLE_OPERATOR_ONCALL)
SOFTWARE = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="lead-engine")

# A Saturday evening in Riyadh, two hours before the week ends.
SATURDAY_EVENING = datetime(2026, 3, 7, 19, 0, tzinfo=UTC)


def new_request_id() -> str:
    """A ``request_id`` that was never used."""
    return str(uuid.uuid4())


@dataclass(slots=True)
class Clock:
    """A clock that moves when it is told to, and a microsecond whenever it is read: no two writes share a time."""

    now: datetime = SATURDAY_EVENING

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def pass_time(self, passed: timedelta) -> None:
        """Moves the clock forward."""
        self.now += passed


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status with its details. ``fields``: the reason of each faulty field; ``missing``: type, subject, description."""

    code: grpc.StatusCode
    reason: str
    metadata: dict[str, str]
    fields: dict[str, str] = field(default_factory=dict)
    missing: list[tuple[str, str, str]] = field(default_factory=list)


async def outcome_of(call: Awaitable[Any]) -> Any:
    """The answer, or the refusal that a call ends with. Fails where its error lacks what every error carries."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return _refusal(error)


async def refused(call: Awaitable[Any]) -> Refusal:
    """The refusal that a call ends with. Fails where it succeeds, or where its error lacks what every error carries."""
    outcome = await outcome_of(call)
    assert isinstance(outcome, Refusal), f"expected a refusal, got {outcome}"
    return outcome


async def at_once(ask: Callable[[Any], Awaitable[Any]], about: Sequence[Any], together: int = 32) -> list[Any]:
    """What is answered about each, in their order. So many are asked together, which takes half the time."""
    return [
        answer
        for start in range(0, len(about), together)
        for answer in await asyncio.gather(*map(ask, about[start : start + together]))
    ]


def _refusal(error: grpc.aio.AioRpcError) -> Refusal:
    trailing = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    bad, unmet = error_details_pb2.BadRequest(), error_details_pb2.PreconditionFailure()
    for detail in status.details:
        for known in (info, bad, unmet):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    metadata = dict(info.metadata)
    assert info.domain == "dealix.com"
    assert metadata.pop("live_send_allowed") == "false"
    return Refusal(
        code=error.code(),
        reason=info.reason,
        metadata=metadata,
        fields={v.field: v.reason for v in bad.field_violations},
        missing=[(v.type, v.subject, v.description) for v in unmet.violations],
    )


async def ledger_of(stub: Any, module: Any, page_size: int = 3) -> list[Any]:
    """Every entry of a service's ledger, read page by page."""
    return [
        entry
        async for page in pages(
            lambda token: stub.ListLedger(module.ListLedgerRequest(page_size=page_size, page_token=token))
        )
        for entry in page.entries
    ]


async def pages(ask: Any) -> AsyncIterator[Any]:
    """The pages of a list to its end; ``ask`` takes a token and gives the call."""
    token = ""
    while True:
        page = await ask(token)
        yield page
        token = page.next_page_token
        if not token:
            return
