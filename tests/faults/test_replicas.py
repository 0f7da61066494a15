"""Two replicas of a service on one PostgreSQL: one is killed under write load, the other goes on."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from tests.faults.journal import LOAD_SECONDS, Journal, UnansweredError, check, keep_writing
from tests.faults.processes import Process, Processes, channel_to, until_health
from tests.faults.workloads import WORKLOADS
from tests.ports import free_port

KILLS = 4
CLIENTS = 5


@pytest.mark.slow
async def test_a_replica_killed_under_write_load_loses_nothing_and_stops_nobody(
    processes: Processes, tmp_path: Path, postgres_url: str
) -> None:
    workload = WORKLOADS["support"]
    journal = Journal(random.Random("kill replica"))
    # Both at once, on an empty database: one of them makes the schema, the other waits for it.
    replicas = [await processes.service("support", tmp_path, database_url=postgres_url) for _ in range(2)]
    for kill in range(KILLS):
        victim, other = kill % 2, 1 - kill % 2
        before = set(journal.writes)
        stop = asyncio.Event()
        async with (
            channel_to(await replicas[victim].address()) as lost,
            channel_to(await replicas[other].address()) as kept,
        ):
            await until_health(lost)
            await until_health(kept)
            writing = [
                [
                    asyncio.create_task(keep_writing(workload, journal, workload.caller(channel), stop))
                    for _ in range(CLIENTS)
                ]
                for channel in (lost, kept)
            ]
            try:
                async with asyncio.timeout(LOAD_SECONDS):
                    await journal.reach(journal.acknowledged + journal.rng.randint(20, 100))
                await asyncio.sleep(journal.rng.uniform(0, 0.02))  # A random instant.
                await replicas[victim].kill()
                ended = await asyncio.gather(*writing[0], return_exceptions=True)
                assert [type(end) for end in ended] == [UnansweredError] * CLIENTS
                async with asyncio.timeout(LOAD_SECONDS):
                    await journal.reach(journal.acknowledged + 30)
                stop.set()
                # None of those at the other replica was refused anything.
                await asyncio.gather(*writing[1])
            finally:
                for task in (*writing[0], *writing[1]):
                    task.cancel()
                await asyncio.gather(*writing[0], *writing[1], return_exceptions=True)
        replicas[victim] = await processes.service("support", tmp_path, database_url=postgres_url)
        # What was sent to the one that was killed is repeated to either.
        async with channel_to(await replicas[(victim, other)[kill // 2]].address()) as channel:
            await until_health(channel)
            new = [write for request_id, write in journal.writes.items() if request_id not in before]
            await check(workload, journal, workload.caller(channel), new)
    print(f"{KILLS} kills of a replica, {journal}")
    assert journal.unanswered >= KILLS


@pytest.mark.slow
async def test_behind_the_gateway_nobody_notices_that_a_replica_is_gone(
    processes: Processes, tmp_path: Path, postgres_url: str
) -> None:
    """One replica is killed, then the other is told to end, both under write load: every write is answered."""
    workload = WORKLOADS["support"]
    journal = Journal(random.Random("replicas behind the gateway"))
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]

    async def replica(number: int) -> Process:
        started = await processes.service(
            "support", tmp_path, listen=addresses[number], database_url=postgres_url, drain_seconds=1
        )
        async with channel_to(addresses[number]) as direct:
            await until_health(direct)
        return started

    first, second = await asyncio.gather(replica(0), replica(1))
    gateway = await processes.start(
        "-m", "gateway", listen="127.0.0.1:0", support_target=f"ipv4:{addresses[0]},{addresses[1]}"
    )
    stop = asyncio.Event()
    async with channel_to(await gateway.address()) as channel, asyncio.TaskGroup() as group:
        caller = workload.caller(channel)
        for _ in range(2 * CLIENTS):
            group.create_task(keep_writing(workload, journal, caller, stop))

        async def write_more() -> None:
            async with asyncio.timeout(LOAD_SECONDS):
                await journal.reach(journal.acknowledged + journal.rng.randint(30, 80))

        await write_more()
        await first.kill()
        await write_more()
        await replica(0)
        await write_more()
        second.send(signal.SIGTERM)
        assert await second.ended() == 0
        await write_more()
        stop.set()
    assert journal.unanswered == 0
    async with channel_to(await gateway.address()) as channel:
        await check(workload, journal, workload.caller(channel), list(journal.writes.values()))
    print(f"behind the gateway: {journal}")


async def test_a_replica_serves_once_the_schema_is_there(
    processes: Processes, tmp_path: Path, postgres_url: str
) -> None:
    """As in the scaled set-up, where migrations are a command of their own and nobody waits for it in order."""
    replica = await processes.service("support", tmp_path, database_url=postgres_url, auto_migrate="false")
    async with channel_to(await replica.address()) as channel:
        workload = WORKLOADS["support"]
        with pytest.raises(UnansweredError):
            await workload.play(Journal(random.Random(1)), workload.caller(channel), "c-1")
        migrating = await processes.start("-m", "services.support", "migrate", database_url=postgres_url)
        assert await migrating.ended() == 0
        await until_health(channel)
        await workload.play(Journal(random.Random(2)), workload.caller(channel), "c-1")


async def test_a_database_server_that_is_not_there_is_said(processes: Processes, tmp_path: Path) -> None:
    process = await processes.service("support", tmp_path, database_url="postgresql://nobody:hidden@127.0.0.1:9/none")
    assert await process.ended() == 3
    said = await process.event("refused")
    assert said["reason"] == "STORAGE_UNAVAILABLE"
    assert "hidden" not in process.text
