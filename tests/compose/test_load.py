"""The load and its proof, against the embedded stack: a proof that finds nothing must be able to find something."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from customer_ops.embedded import embedded_settings, running_stack
from tests.compose.load import Caller, Load, check_kept


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with (
        running_stack(embedded_settings("127.0.0.1:0", tmp_path)) as stack,
        grpc.aio.insecure_channel(stack.address) as channel,
    ):
        yield Caller(channel)


@pytest.fixture
async def load(caller: Caller) -> Load:
    """A load that has written for a while."""
    load = Load(caller, callers=4, pause=0.0, most=84)
    async with load.running():
        await load.acknowledged(84, within=60)
    return load


async def test_what_was_acknowledged_is_found_again_once(caller: Caller, load: Load) -> None:
    assert not load.failed
    assert {write.kind.service for write in load.writes} == {"support", "incidents", "onboarding", "success"}
    assert await check_kept(load.writes) == (0, 0)
    tickets = sum(write.kind is caller.ticket for write in load.writes)
    assert await caller.tickets_with_prefix(load.prefix) == tickets


async def test_a_lost_write_is_noticed(caller: Caller, load: Load) -> None:
    kept = next(write for write in load.writes if write.kind is caller.ticket)
    lost = replace(kept, made="tkt_" + "0" * 26)
    assert await check_kept([kept, lost]) == (1, 1)


async def test_a_silent_stack_is_noticed(caller: Caller) -> None:
    load = Load(caller, most=0)
    with pytest.raises(AssertionError, match="0 of 1 writes"):
        async with load.running():
            await load.acknowledged(1, within=0.1)
