"""``kill -9`` under write load: nothing acknowledged is lost, nothing is there by half, the ledger tells the state."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.journal import Journal, check, stop_under_load
from tests.faults.processes import Processes, channel_to, until_health
from tests.faults.workloads import WORKLOADS

KILLS = 5


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
            written = await stop_under_load(workload, journal, [workload.caller(channel)], process.kill)
        process = await processes.service(name, tmp_path)
        async with channel_to(await process.address()) as channel:
            await until_health(channel)
            await check(workload, journal, workload.caller(channel), written)
    print(
        f"{name}: {KILLS} kills, {journal.acknowledged} acknowledged, {journal.unanswered} unanswered, "
        f"of which {journal.found_done} had happened"
    )
    # Else the kills did not fall into the writing.
    assert journal.acknowledged >= 50 * KILLS
    assert journal.unanswered >= KILLS
