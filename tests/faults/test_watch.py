"""``kill -9`` while somebody watches: every entry of every ledger comes once, in its place, whatever went away meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.gateway.v1 import gateway_service_pb2_grpc as rpc

from tests.faults.journal import GONE, Journal, UnansweredError
from tests.faults.processes import Process, Processes, channel_to, until_health
from tests.faults.workloads import WORKLOADS
from tests.ports import free_port

# Of a service, and of a gateway, by turns.
KILLS = 2
VICTIM = "onboarding"
ENTRIES_BETWEEN = 20


class Follower:
    """A client that watches through one gateway after another, and goes on where the last stream broke."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses
        self._changed = asyncio.Event()
        self.position = ""
        self.streams = 0
        self.messages: list[Any] = []

    async def follow(self) -> None:
        """Reads until it is cancelled."""
        while True:
            for address in self._addresses:
                async with channel_to(address) as channel:
                    call = rpc.GatewayServiceStub(channel).WatchEvents(
                        pb.WatchEventsRequest(from_position=self.position), wait_for_ready=False
                    )
                    try:
                        async for message in call:
                            self._take(message)
                    except grpc.aio.AioRpcError as error:
                        if error.code() not in GONE:
                            raise
                    finally:
                        call.cancel()

    def _take(self, message: Any) -> None:
        assert message.HasField("live_send_allowed")
        assert message.live_send_allowed is False
        self.streams += message.kind == pb.WATCH_MESSAGE_KIND_OPENED
        self.position = message.position
        self.messages.append(message)
        self._changed.set()

    def of(self, service: str) -> list[Any]:
        """The entries of one ledger as they came."""
        return [m.event.entry for m in self.messages if m.event.service == service]

    def states(self, service: str) -> list[int]:
        """What was said of a service."""
        return [m.kind for m in self.messages if m.service == service]

    async def until(self, condition: Any) -> None:
        """Reads until something holds of what came."""
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.mark.slow
async def test_nothing_is_lost_or_repeated_while_services_and_gateways_are_killed(
    processes: Processes, tmp_path: Path
) -> None:
    places = {name: f"127.0.0.1:{free_port()}" for name in WORKLOADS}
    gates = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    targets = {f"{name}_target": f"dns:///{address}" for name, address in places.items()}
    running: dict[str, Process] = {}

    async def start_service(name: str) -> None:
        running[name] = await processes.service(name, tmp_path, listen=places[name])
        async with channel_to(places[name]) as channel:
            await until_health(channel)

    async def start_gateway(address: str) -> None:
        running[address] = await processes.start("-m", "gateway", listen=address, **targets)
        await running[address].address()

    await asyncio.gather(*map(start_service, places), *map(start_gateway, gates))

    journals = {name: Journal(random.Random(f"watch {name}")) for name in WORKLOADS}

    async def write(name: str) -> None:
        """Writes for one customer after another, whenever the service is there."""
        workload, journal = WORKLOADS[name], journals[name]
        while True:
            async with channel_to(places[name]) as channel:
                await until_health(channel)
                with contextlib.suppress(UnansweredError):
                    while True:
                        await workload.play(journal, workload.caller(channel), f"c-{journal.rng.getrandbits(48):012x}")
                        # Others are to get the processor, too: what is tested is no load.
                        await asyncio.sleep(0.05)

    follower = Follower(gates)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follower.follow())
        writing = [group.create_task(write(name)) for name in ("support", "incidents", "onboarding")]

        async def more(name: str) -> None:
            wanted = len(follower.of(name)) + ENTRIES_BETWEEN
            await follower.until(lambda: len(follower.of(name)) >= wanted)

        for turn in range(KILLS):
            await more(VICTIM)
            await running[VICTIM].kill()
            # The others go on meanwhile.
            await follower.until(lambda t=turn: follower.states(VICTIM).count(pb.WATCH_MESSAGE_KIND_SERVICE_DOWN) > t)
            await more("incidents")
            await start_service(VICTIM)
            await more(VICTIM)
            streams, gate = follower.streams, gates[turn % 2]
            await running[gate].kill()
            await follower.until(lambda s=streams: follower.streams > s)
            await start_gateway(gate)
            # The stream that began at another gateway while the service was there.
            await more(VICTIM)
        for task in writing:
            task.cancel()
        await asyncio.wait(writing)

        stored = {}
        for name, workload in WORKLOADS.items():
            async with channel_to(places[name]) as channel:
                stored[name] = await workload.entries(workload.caller(channel))
        for name, entries in stored.items():
            await follower.until(lambda n=name, e=entries: len(follower.of(n)) >= len(e))
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    for name, entries in stored.items():
        assert follower.of(name) == entries, f"{name}: not as the ledger has it"
    assert follower.streams > KILLS
    assert follower.states(VICTIM).count(pb.WATCH_MESSAGE_KIND_SERVICE_BACK) >= 1
    total = sum(map(len, stored.values()))
    print(f"{total} entries in {follower.streams} streams, {KILLS} kills of a service and {KILLS} of a gateway")
    assert journals[VICTIM].unanswered >= 1
