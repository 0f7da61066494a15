"""What tests of the watch share: a reader of its messages, and ledgers that are made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import grpc
from dealix.common.v1 import ledger_pb2
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.gateway.v1 import gateway_service_pb2_grpc as rpc

from gateway.contract import SERVICES
from tests.gateway.conftest import backend, gateway_at

OPENED = pb.WATCH_MESSAGE_KIND_OPENED
ENTRY = pb.WATCH_MESSAGE_KIND_ENTRY
CAUGHT_UP = pb.WATCH_MESSAGE_KIND_CAUGHT_UP
DOWN = pb.WATCH_MESSAGE_KIND_SERVICE_DOWN
BACK = pb.WATCH_MESSAGE_KIND_SERVICE_BACK

WATCH_SECONDS = 60.0
Entry = tuple[str, int]
"""A service and a sequence."""


class Watcher:
    """One stream, and what it said so far."""

    def __init__(self, channel: grpc.aio.Channel, seconds: float = WATCH_SECONDS, **fields: Any) -> None:
        self.call = rpc.GatewayServiceStub(channel).WatchEvents(pb.WatchEventsRequest(**fields), timeout=seconds)
        self.messages: list[Any] = []

    @property
    def entries(self) -> list[Entry]:
        """Whose entries came, and their numbers."""
        return [(m.event.service, m.event.entry.sequence) for m in self.messages if m.kind == ENTRY]

    @property
    def position(self) -> str:
        """That of the last message."""
        return self.messages[-1].position

    async def read(self) -> Any:
        """The next message; fails where the stream ends instead."""
        message = await self.call.read()
        assert message is not grpc.aio.EOF, "the stream ended"
        assert message.HasField("live_send_allowed")
        assert message.live_send_allowed is False
        assert message.HasField("approval_required")
        assert message.approval_required is False
        self.messages.append(message)
        return message

    async def until(self, kind: int, service: str = "") -> Any:
        """Reads up to a message of a kind, of a service if one is named."""
        while True:
            message = await self.read()
            if message.kind == kind and service in ("", message.service, message.event.service):
                return message

    async def until_entries(self, number: int) -> list[Entry]:
        """Reads until there were so many entries."""
        while len(self.entries) < number:
            await self.read()
        return self.entries

    async def rest(self) -> None:
        """Reads to the end."""
        while await self.call.read() is not grpc.aio.EOF:
            pass

    def cancel(self) -> None:
        self.call.cancel()


async def caught_up(channel: grpc.aio.Channel, **fields: Any) -> Watcher:
    """What is there, to its end."""
    watcher = Watcher(channel, **fields)
    try:
        await watcher.until(CAUGHT_UP)
    finally:
        watcher.cancel()
    return watcher


Fault = Callable[[str, Any], None]


@dataclass
class MadeUp:
    """Four ledgers that are made up, answered by one server. ``fault`` may raise; ``asked`` counts the questions."""

    ledgers: dict[str, list[ledger_pb2.LedgerEntry]] = field(default_factory=lambda: {name: [] for name in SERVICES})
    fault: Fault | None = None
    asked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SERVICES, 0))
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    live_send_allowed: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, service: str, at: datetime, action: str = "ticket.opened", subject: str = "ticket/tkt_1") -> None:
        """One more entry of a ledger."""
        entry = ledger_pb2.LedgerEntry(sequence=len(self.ledgers[service]) + 1, action=action, subject=subject)
        entry.record_time.FromDatetime(at)
        self.ledgers[service].append(entry)

    async def until_asked(self, service: str, times: int) -> None:
        """Waits until a service was asked so many times more."""
        wanted = self.asked[service] + times
        while self.asked[service] < wanted:
            self._changed.clear()
            await self._changed.wait()

    async def answer(self, path: str, payload: bytes, context: Any) -> bytes:
        service = path.split(".")[1]
        self.asked[service] += 1
        self._changed.set()
        module: Any = import_module(f"dealix.{service}.v1.ledger_service_pb2")
        request = module.ListLedgerRequest.FromString(payload)
        if service in self.gates:
            await self.gates[service].wait()
        if self.fault is not None:
            try:
                self.fault(service, request)
            except RuntimeError as error:
                await context.abort(grpc.StatusCode.INTERNAL, str(error))
        first = request.after_sequence
        found = [
            entry
            for entry in self.ledgers[service][first:]
            if request.subject in ("", entry.subject) and request.action in ("", entry.action)
        ]
        page = found[: request.page_size]
        answer = module.ListLedgerResponse(
            live_send_allowed=self.live_send_allowed,
            approval_required=False,
            entries=page,
            next_page_token="more" if len(found) > len(page) else "",
        )
        return answer.SerializeToString()


@asynccontextmanager
async def made_up(**settings: object):
    """A gateway in front of ledgers that are made up; gives both."""
    ledgers = MadeUp()
    async with (
        backend(ledgers.answer) as address,
        gateway_at(dict.fromkeys(SERVICES, address), **settings) as front,
    ):
        yield ledgers, front


def long_ago(number: int) -> datetime:
    """A moment of the past, a second later for each number."""
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number)
