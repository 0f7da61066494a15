"""``kill -9`` under write load: nothing acknowledged is lost, nothing is there by half, the ledger tells the state."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import grpc
import pytest

from tests.faults.journal import Caller, Journal, Load, Workload, check, kill_under_load
from tests.faults.processes import START_SECONDS, Processes, channel_to, until_health
from tests.faults.workloads import WORKLOADS
from tests.ports import free_port

# Of each of the four services.
KILLS = 5
KILLS_OF_STACK = 3


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKLOADS)
async def test_a_service_killed_under_write_load_keeps_its_word(
    name: str, processes: Processes, tmp_path: Path
) -> None:
    workload = WORKLOADS[name]
    journal = Journal(random.Random(f"kill {name}"))
    process = await processes.service(name, tmp_path)
    for _ in range(KILLS):
        async with channel_to(await process.address()) as channel:
            await until_health(channel)
            (written,) = await kill_under_load([Load(workload, journal, workload.caller(channel))], process.kill)
        process = await processes.service(name, tmp_path)
        async with channel_to(await process.address()) as channel:
            await until_health(channel)
            await check(workload, journal, workload.caller(channel), written)
    print(f"{name}: {KILLS} kills, {journal}")
    # Else the kills did not fall into the writing.
    assert journal.acknowledged >= 50 * KILLS
    assert journal.unanswered >= KILLS


@pytest.mark.slow
async def test_the_embedded_stack_killed_under_write_load_keeps_its_word(processes: Processes, tmp_path: Path) -> None:
    journals = {name: Journal(random.Random(f"kill stack {name}")) for name in WORKLOADS}
    address = f"127.0.0.1:{free_port()}"
    up = ("-m", "customer_ops", "up", "--listen", address, "--data", str(tmp_path))
    process = await processes.start(*up)
    for _ in range(KILLS_OF_STACK):
        async with channel_to(address) as channel:
            await until_health(channel)
            loads = [Load(w, journals[w.name], w.caller(channel)) for w in WORKLOADS.values()]
            written = await kill_under_load(loads, process.kill, clients=4, writes=(30, 80))
        process = await processes.start(*up)
        async with channel_to(address) as channel:
            await until_health(channel)
            for workload, new in zip(WORKLOADS.values(), written, strict=True):
                await check(workload, journals[workload.name], workload.caller(channel), new)
    for name, journal in journals.items():
        print(f"{name}: {KILLS_OF_STACK} kills of the stack, {journal}")
        assert journal.acknowledged >= 5 * KILLS_OF_STACK
        assert journal.unanswered >= KILLS_OF_STACK


@pytest.mark.slow
async def test_a_service_killed_behind_the_gateway_keeps_its_word(processes: Processes, tmp_path: Path) -> None:
    """The gateway sends writes again when a service goes away, with the same request_id: one effect all the same."""
    workload = WORKLOADS["incidents"]
    journal = Journal(random.Random("kill behind the gateway"))
    address = f"127.0.0.1:{free_port()}"
    gateway = await processes.start("-m", "gateway", listen="127.0.0.1:0", incidents_target=f"dns:///{address}")
    process = await processes.service("incidents", tmp_path, listen=address)
    async with channel_to(await gateway.address()) as channel:
        caller = workload.caller(channel)
        for _ in range(KILLS_OF_STACK):
            async with channel_to(address) as direct:
                await until_health(direct)
            await _until_answered(workload, caller)
            (written,) = await kill_under_load([Load(workload, journal, caller)], process.kill)
            process = await processes.service("incidents", tmp_path, listen=address)
            await _until_answered(workload, caller)
            await check(workload, journal, caller, written)
    print(f"{KILLS_OF_STACK} kills behind the gateway, {journal}")
    assert journal.unanswered >= KILLS_OF_STACK


async def _until_answered(workload: Workload, caller: Caller) -> None:
    """Waits until the gateway has found the service again, which it tells nobody."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                await workload.head(caller, None)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            else:
                return


@pytest.mark.slow
async def test_a_first_start_that_is_killed_can_be_repeated(processes: Processes, tmp_path: Path) -> None:
    """Creating the database is as safe to interrupt as writing to it."""
    rng = random.Random("kill start")
    file = tmp_path / "support.db"
    for _ in range(3):
        process = await processes.service("support", tmp_path)
        # From the first sight of the file on, at a random instant.
        await process.until(file.exists)
        await process.kill_after(rng.uniform(0, 0.1))
    workload, journal = WORKLOADS["support"], Journal(rng)
    process = await processes.service("support", tmp_path)
    async with channel_to(await process.address()) as channel:
        await until_health(channel)
        await workload.play(journal, workload.caller(channel), "c-1")
        await check(workload, journal, workload.caller(channel), [])
