"""The escalation ladder on two replicas that are killed while rungs fall due: each fires exactly once, and none is missed."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import channel_pb2
from dealix.support.v1 import classification_pb2, ledger_service_pb2, sla_pb2, ticket_pb2
from dealix.support.v1 import sla_service_pb2 as sla_pb
from dealix.support.v1 import support_service_pb2 as support_pb
from prometheus_client import CollectorRegistry

from services.approvals import drafts
from services.domain.drafts import DraftKind
from services.runtime.observe import Metrics
from services.runtime.service import open_service
from services.runtime.settings import ServiceSettings
from services.storage.database import Tx
from services.storage.timers import next_due
from services.support import store
from services.support.domain.clocks import clocks, crossed_rungs
from services.support.domain.policy import load_policy_book
from services.support.service import DEFINITION
from tests.faults.fast_clock import fast_clock
from tests.faults.journal import CALL_SECONDS, GONE, PERSON, Caller
from tests.faults.processes import Process, Processes, channel_to, until_health

# A second is twenty-five minutes: the first rung of a P0 comes after 0.9 seconds, the last of its resolution after 14.
SPEED = 1500
TICKETS = 60
KILLS = 5
TEXTS = {
    classification_pb2.PRIORITY_P0: "تسرّب بيانات عملاء",
    classification_pb2.PRIORITY_P1: "service down",
    classification_pb2.PRIORITY_P2: "the connector is late",
}
MODULES = (support_pb, sla_pb)


@dataclass
class Replicas:
    """Two replicas of support on one database, on one fast clock."""

    processes: Processes
    folder: Path
    url: str
    zero: float
    rng: random.Random
    running: list[Process] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    async def start(self) -> None:
        self.running = list(await asyncio.gather(self._process(), self._process()))
        self.addresses = list(await asyncio.gather(*(process.address() for process in self.running)))

    async def _process(self) -> Process:
        return await self.processes.start(
            "-m", "tests.faults.fast_clock", str(self.zero), str(SPEED),
            listen="127.0.0.1:0", data_dir=self.folder, database_url=self.url, worker_seconds=0.02,
        )  # fmt: skip

    async def restart(self, victims: list[int]) -> None:
        """``kill -9`` at a random instant, and the next start."""
        await asyncio.gather(*(self.running[n].kill_after(self.rng.uniform(0, 0.05)) for n in victims))
        for n in victims:
            self.running[n] = await self._process()
        for n in victims:
            self.addresses[n] = await self.running[n].address()
            async with channel_to(self.addresses[n]) as channel:
                await until_health(channel)

    async def call(self, request: Any) -> Any:
        """Asks one of the two, the other where that one is gone; a write is the same write each time."""
        if hasattr(request, "request_id"):
            request.request_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
            request.actor.CopyFrom(PERSON)
        async with asyncio.timeout(CALL_SECONDS):
            while True:
                async with channel_to(self.rng.choice(self.addresses)) as channel:
                    try:
                        return await Caller(channel, MODULES).ask(request)
                    except grpc.aio.AioRpcError as error:
                        if error.code() not in GONE:
                            raise


async def live(replicas: Replicas, clock: Callable[[], datetime]) -> None:
    """One ticket: opened, and some of it answered, put on hold, taken up, raised, resolved and reopened."""
    rng = replicas.rng
    await asyncio.sleep(rng.uniform(0, 6))
    priority = rng.choice(list(TEXTS))
    request = support_pb.RouteTicketRequest(customer_id="acme", body=TEXTS[priority])
    ticket_id = (await replicas.call(request)).ticket.ticket_id

    async def answered() -> None:
        sent = sla_pb.RecordSlaEventRequest(ticket_id=ticket_id, type=sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE)
        sent.sent.send_time.FromDatetime(clock())
        sent.sent.channel = channel_pb2.CHANNEL_EMAIL
        sent.sent.sender.CopyFrom(PERSON)
        sent.sent.reference = "mail-1"
        await replicas.call(sent)

    async def waits() -> None:
        on = ticket_pb2.WAITING_ON_CUSTOMER
        await replicas.call(support_pb.WaitOnCustomerRequest(ticket_id=ticket_id, waiting_on=on, reason="السجل"))

    async def writes() -> None:
        await replicas.call(support_pb.AddCustomerMessageRequest(ticket_id=ticket_id, body="ما زالت المشكلة"))

    async def raised() -> None:
        to = classification_pb2.PRIORITY_P0
        if priority != to:
            await replicas.call(support_pb.RaiseTicketPriorityRequest(ticket_id=ticket_id, priority=to, reason="أوسع"))

    async def resolved() -> None:
        await replicas.call(support_pb.ResolveTicketRequest(ticket_id=ticket_id))

    lives: list[list[Callable[[], Awaitable[None]]]] = [
        [],
        [answered],
        [answered, writes],
        [raised],
        [answered, waits, writes, raised],
        [answered, writes, resolved, writes],
        [answered, waits, resolved],
    ]
    for step in rng.choice(lives):
        await asyncio.sleep(rng.uniform(0.1, 2.5))
        await step()


@pytest.mark.slow
async def test_each_rung_fires_once_and_none_is_missed_while_replicas_are_killed(
    processes: Processes, tmp_path: Path, postgres_url: str
) -> None:
    zero = time.time()
    clock = fast_clock(zero, SPEED)
    replicas = Replicas(processes, tmp_path, postgres_url, zero, random.Random("kill rungs"))
    await replicas.start()
    for address in replicas.addresses:
        async with channel_to(address) as channel:
            await until_health(channel)

    async with asyncio.TaskGroup() as group:
        for _ in range(TICKETS):
            group.create_task(live(replicas, clock))
        for kill in range(KILLS):
            await asyncio.sleep(replicas.rng.uniform(0, 0.5))
            # Now and then both are gone for a while.
            await replicas.restart([0, 1] if kill % 3 == 2 else [kill % 2])
    async with channel_to(replicas.addresses[0]) as channel:
        head = await Caller(channel, (ledger_service_pb2,)).ask(ledger_service_pb2.VerifyLedgerRequest())
    assert head.intact
    await asyncio.gather(*(process.kill() for process in replicas.running))

    # What falls due while everything is down, ten hours long, is caught up with on a clock that stands still.
    end = clock() + timedelta(hours=10)
    settings = ServiceSettings(database_url=postgres_url, worker_seconds=0)
    async with open_service(DEFINITION, settings, metrics=Metrics(CollectorRegistry()), clock=lambda: end) as service:
        before = await service.database.read(fired_steps)
        await service.catch_up()
        found = await service.database.read(fired_steps)
        coming = await service.database.read(next_due)
        assert coming is None or coming > end
        assert await service.catch_up() == 0
        counts = await service.database.read(lambda tx: check(tx, end))
    late = len(found) - len(before)
    print(
        f"{KILLS} kills, {len(found)} rungs of {counts['tickets']} tickets, {late} of them when nothing had run for long"
    )
    assert counts["tickets"] == TICKETS
    assert counts["rungs"] == len(found)
    # Else the kills did not fall into the firing, or nothing was left for the end.
    assert len(before) > TICKETS
    assert late > 0


def fired_steps(tx: Tx) -> list[store.Fired]:
    """Every step that was fired."""
    tickets = store.page_of_tickets(tx, store.TicketFilter(), None, 1000)
    return [fired for ticket in tickets for fired in store.escalations_of(tx, ticket.ticket_id)]


def check(tx: Tx, end: datetime) -> Counter[str]:
    """Holds what was fired against what the events and the policy say was crossed; counts tickets and rungs."""
    book, counts = load_policy_book(), Counter[str]()
    for ticket in store.page_of_tickets(tx, store.TicketFilter(), None, 1000):
        counts["tickets"] += 1
        events = store.events_of(tx, ticket.ticket_id)
        fired = store.escalations_of(tx, ticket.ticket_id)
        counts["rungs"] += len(fired)
        steps = {(f.kind, f.instance, f.priority, f.percent): f for f in fired}
        assert len(steps) == len(fired)

        def crossed(as_of: datetime, events: Any = events) -> dict[tuple[Any, ...], datetime]:
            return {
                (clock.kind, clock.instance, clock.priority, crossing.rung.percent): crossing.at
                for clock in clocks(events, book, as_of)
                for crossing in crossed_rungs(clock)
            }

        # None is missed, and none fired without having been crossed by what was known when it was fired.
        assert crossed(end).keys() <= steps.keys()
        for step, each in steps.items():
            assert crossed(each.recorded_at)[step] == each.crossed_at <= each.recorded_at

        # Each has its one event and its one draft.
        escalated = [event.event_id for event in events if event.type.value == "escalated"]
        assert sorted(escalated) == sorted(f.event_id for f in fired)
        told = [d for d in drafts.of_subject(tx, f"ticket/{ticket.ticket_id}") if d.kind is DraftKind.ESCALATION]
        assert sorted(d.draft_id for d in told) == sorted(f.draft_id for f in fired)
    return counts
