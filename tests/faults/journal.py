"""What clients sent and what they were answered, and whether a service still knows it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import grpc
from dealix.common.v1 import actor_pb2, ledger_pb2
from google.protobuf import message_factory
from google.protobuf.message import Message

from services.storage.ledger import LedgerEntry, fold
from services.storage.times import from_micros
from services.storage.transaction import Actor

CALL_SECONDS = 20.0
LOAD_SECONDS = 30.0
PAGE = 200
# What a call ends with when the server goes away. grpcio ends those with CANCELLED that came in at the very instant at
# which a server stops and were not taken up yet.
GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-17", role=actor_pb2.ROLE_OPERATOR_ONCALL)

# The state of one thing in the words of the ledger: attribute to value.
Attributes = dict[str, str]


class UnansweredError(Exception):
    """The server went away before it answered: whether the write happened is not known."""


@dataclass(slots=True)
class Write:
    """One write as a client sent it. ``entries``: how many ledger entries it makes, all of them or none."""

    request: Any
    entries: int
    answer: bytes | None = None

    @property
    def request_id(self) -> str:
        request_id: str = self.request.request_id
        return request_id


class Caller:
    """Calls any method of some services by its request, and keeps the bytes of the answers."""

    def __init__(self, channel: grpc.aio.Channel, modules: Iterable[ModuleType]) -> None:
        self._calls: dict[str, tuple[Any, Any]] = {}
        for module in modules:
            for service in module.DESCRIPTOR.services_by_name.values():
                for method in service.methods:
                    call = channel.unary_unary(
                        f"/{service.full_name}/{method.name}", request_serializer=lambda m: m.SerializeToString()
                    )
                    answer_class = message_factory.GetMessageClass(method.output_type)
                    self._calls[method.input_type.full_name] = (call, answer_class)

    async def bytes_of(self, request: Message) -> bytes:
        """The answer as it came."""
        call, _ = self._calls[request.DESCRIPTOR.full_name]
        answer: bytes = await call(request, timeout=CALL_SECONDS)
        return answer

    async def ask(self, request: Message) -> Any:
        """The answer."""
        return self.read(request, await self.bytes_of(request))

    def read(self, request: Message, answer: bytes) -> Any:
        """The answer to a request out of its bytes."""
        return self._calls[request.DESCRIPTOR.full_name][1].FromString(answer)

    async def pages(self, request: Any) -> AsyncIterator[Any]:
        """The pages of a list, to its end."""
        request.page_size = PAGE
        while True:
            page = await self.ask(request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


@dataclass
class Journal:
    """Every write of a test, by ``request_id``, and the end of the ledger as a reader once saw it."""

    rng: random.Random
    writes: dict[str, Write] = field(default_factory=dict)
    acknowledged: int = 0
    unanswered: int = 0
    found_done: int = 0
    """Of the unanswered writes, those that turned out to have happened."""
    anchor: ledger_pb2.LedgerAnchor | None = None
    _waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def new_request_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    async def send(self, caller: Caller, request: Any, entries: int = 1, *, twice: bool = False) -> Any:
        """Sends a new write; ``twice`` sends it two times at once. Raises ``UnansweredError`` when the server goes away."""
        request.request_id = self.new_request_id()
        write = self.writes[request.request_id] = Write(request, entries)
        answers = await asyncio.gather(
            *(caller.bytes_of(request) for _ in range(2 if twice else 1)), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, bytes):
                assert write.answer in (None, answer), f"two answers to one request: {request}"
                write.answer = answer
            elif not (isinstance(answer, grpc.aio.AioRpcError) and answer.code() in GONE):
                raise answer
        if write.answer is None:
            self.unanswered += 1
            raise UnansweredError
        self.acknowledged += 1
        for wanted, event in self._waiting:
            if self.acknowledged >= wanted:
                event.set()
        return caller.read(request, write.answer)

    def __str__(self) -> str:
        return f"{self.acknowledged} acknowledged, {self.unanswered} unanswered of which {self.found_done} had happened"

    async def reach(self, acknowledged: int) -> None:
        """Waits until so many writes were acknowledged."""
        event = asyncio.Event()
        if self.acknowledged < acknowledged:
            self._waiting.append((acknowledged, event))
            await event.wait()


class Workload:
    """The writes of one service and how to read its state back. One for each service."""

    name: str
    modules: tuple[ModuleType, ...]
    ledger: ModuleType
    state_prefixes: tuple[str, ...]
    """Subjects of the ledger that have a state beside it."""

    def caller(self, channel: grpc.aio.Channel) -> Caller:
        return Caller(channel, (*self.modules, self.ledger))

    async def play(self, journal: Journal, caller: Caller, customer_id: str) -> None:
        """Several kinds of writes for one new customer, one after another."""
        raise NotImplementedError

    def things(self, answer: Any) -> dict[str, Any]:
        """What an answer to a write shows, by ledger subject."""
        raise NotImplementedError

    async def read(self, caller: Caller, writes: Iterable[Write]) -> dict[str, Any]:
        """Everything there is, by ledger subject."""
        raise NotImplementedError

    def attributes(self, thing: Any) -> Attributes:
        """What the ledger should tell of a thing."""
        raise NotImplementedError

    async def check_more(self, caller: Caller, entries: Sequence[ledger_pb2.LedgerEntry], new: Iterable[Write]) -> None:
        """Whatever else a service keeps."""

    async def entries(self, caller: Caller) -> list[ledger_pb2.LedgerEntry]:
        """The whole ledger."""
        return [e async for page in caller.pages(self.ledger.ListLedgerRequest()) for e in page.entries]

    async def head(self, caller: Caller, anchor: ledger_pb2.LedgerAnchor | None) -> ledger_pb2.LedgerAnchor | None:
        """The end of the ledger, which must be intact and hold what was seen earlier; None while it is empty."""
        found = await caller.ask(self.ledger.VerifyLedgerRequest(anchor=anchor))
        assert found.intact, f"{self.name}: {found}"
        assert found.checked == found.head.sequence
        return found.head if found.HasField("head") else None


async def keep_writing(workload: Workload, journal: Journal, caller: Caller, stop: asyncio.Event) -> None:
    """Writes for one customer after another until it is stopped. ``UnansweredError`` when the server goes away."""
    while not stop.is_set():
        await workload.play(journal, caller, f"c-{journal.rng.getrandbits(48):012x}")


async def _write_to_the_end(workload: Workload, journal: Journal, caller: Caller) -> None:
    with contextlib.suppress(UnansweredError):
        await keep_writing(workload, journal, caller, asyncio.Event())


async def _look(workload: Workload, journal: Journal, caller: Caller) -> None:
    """A reader, which notes the end of the ledger as it is shown."""
    try:
        while True:
            journal.anchor = await workload.head(caller, journal.anchor)
            await journal.reach(journal.acknowledged + 25)
    except grpc.aio.AioRpcError as error:
        if error.code() not in GONE:
            raise


async def _load(loads: Sequence[Load], clients: int) -> None:
    """Clients that write until the server goes away, and for each service one that reads."""
    looking = asyncio.gather(*(_look(load.workload, load.journal, load.caller) for load in loads))
    try:
        async with asyncio.TaskGroup() as group:
            for load in loads:
                for _ in range(clients):
                    group.create_task(_write_to_the_end(load.workload, load.journal, load.caller))
        if looking.done():
            looking.result()
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def check(workload: Workload, journal: Journal, caller: Caller, new: Sequence[Write]) -> None:
    """Holds everything that a service keeps against everything that was sent to it.

    ``new`` are the writes since the last check: those acknowledged are repeated and must get the same answer; those
    unanswered must be there wholly or not at all, and repeating them must end in exactly one effect.
    """
    entries = await _check_state(workload, journal, caller)
    head = await workload.head(caller, journal.anchor)
    done = {entry.request_id for entry in entries}
    missing = 0
    for write in new:
        if write.answer is not None:
            assert await caller.bytes_of(write.request) == write.answer, (
                f"another answer when repeated: {write.request}"
            )
            continue
        journal.found_done += write.request_id in done
        missing += 0 if write.request_id in done else write.entries
        write.answer = await caller.bytes_of(write.request)
        assert await caller.bytes_of(write.request) == write.answer
    journal.anchor = await workload.head(caller, head)
    assert head is not None
    assert journal.anchor is not None
    assert journal.anchor.sequence == head.sequence + missing, (
        "repeating had other effects than those that were missing"
    )
    entries = await _check_state(workload, journal, caller)
    await workload.check_more(caller, entries, new)


async def _check_state(workload: Workload, journal: Journal, caller: Caller) -> list[ledger_pb2.LedgerEntry]:
    entries = await workload.entries(caller)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1)), "the ledger has a gap"

    made: dict[str, int] = {}
    for entry in entries:
        made[entry.request_id] = made.get(entry.request_id, 0) + 1
    assert made.keys() <= journal.writes.keys(), "the ledger holds what nobody sent"
    for request_id, write in journal.writes.items():
        allowed = {write.entries} if write.answer is not None else {0, write.entries}
        assert made.get(request_id, 0) in allowed, f"{made.get(request_id, 0)} entries of {write}"

    # The state as RPCs show it is the state that the ledger tells of.
    told = {
        subject: attributes
        for subject, attributes in fold(map(_stored, entries)).items()
        if subject.startswith(workload.state_prefixes)
    }
    things = await workload.read(caller, journal.writes.values())
    assert things.keys() == told.keys()
    for subject, thing in things.items():
        expected = workload.attributes(thing)
        assert {name: told[subject].get(name) for name in expected} == expected, subject

    # And it is no older than what any client was shown.
    for write in journal.writes.values():
        if write.answer is None:
            continue
        for subject, shown in workload.things(caller.read(write.request, write.answer)).items():
            now = things[subject]
            if _revision(shown) == _revision(now):
                assert shown == now, f"{subject} is not what was acknowledged"
            else:
                assert _revision(shown) < _revision(now), f"{subject} fell back behind what was acknowledged"
    return entries


def _revision(thing: Any) -> int:
    etag = getattr(thing, "etag", "")
    return int(etag.removeprefix("r")) if etag else 0


def _stored(entry: ledger_pb2.LedgerEntry) -> LedgerEntry:
    return LedgerEntry(
        sequence=entry.sequence,
        time=from_micros(entry.record_time.ToMicroseconds()),
        actor=Actor(str(entry.actor.kind), entry.actor.id, str(entry.actor.role)),
        action=entry.action,
        subject=entry.subject,
        request_id=entry.request_id,
        fields=tuple(entry.fields),
        attributes=dict(entry.attributes),
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


@dataclass(frozen=True, slots=True)
class Load:
    """Writes of one kind to one server."""

    workload: Workload
    journal: Journal
    caller: Caller


async def kill_under_load(
    loads: Sequence[Load],
    kill: Callable[[], Awaitable[None]],
    *,
    clients: int = 12,
    writes: tuple[int, int] = (50, 180),
) -> list[list[Write]]:
    """Kills the server at a random instant after a random number of acknowledged writes.

    ``clients`` write at once for each of the loads. Returns the writes of each load.
    """
    before = [set(load.journal.writes) for load in loads]
    rng = loads[0].journal.rng
    awaited = rng.choice(loads).journal
    wanted = awaited.acknowledged + rng.randint(*writes)
    delay = rng.uniform(0, 0.02)
    running = asyncio.create_task(_load(loads, clients))
    reached = asyncio.create_task(awaited.reach(wanted))
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            await asyncio.wait({running, reached}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
            raise AssertionError("the server went away by itself")
        # Not to wait for anything: so that the kill does not always follow an answer.
        await asyncio.sleep(delay)
        await kill()
        async with asyncio.timeout(LOAD_SECONDS):
            await running
    finally:
        reached.cancel()
        running.cancel()
        await asyncio.gather(reached, running, return_exceptions=True)
    return [
        [write for request_id, write in load.journal.writes.items() if request_id not in known]
        for load, known in zip(loads, before, strict=True)
    ]
