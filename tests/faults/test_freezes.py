"""``kill -9`` of the incidents service: a freeze that was answered holds, a release that was answered stays released."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import actor_pb2, channel_pb2
from dealix.incidents.v1 import freeze_pb2, freeze_service_pb2_grpc
from dealix.incidents.v1 import freeze_service_pb2 as pb

from tests.faults.processes import Processes, channel_to, until_health
from tests.rpc.client import PERSON, new_request_id, pages

FOUNDER = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="founder-1", role=actor_pb2.ROLE_FOUNDER)
KILLS = 4
CLIENTS = 4


def freeze(customer_id: str) -> pb.FreezeChannelRequest:
    return pb.FreezeChannelRequest(
        request_id=new_request_id(),
        actor=PERSON,
        channel=channel_pb2.CHANNEL_WHATSAPP,
        customer_id=customer_id,
        reason="الحظر فوق الحد",
    )


def release(freeze_id: str) -> pb.ReleaseFreezeRequest:
    return pb.ReleaseFreezeRequest(request_id=new_request_id(), actor=FOUNDER, freeze_id=freeze_id, reason="عولج السبب")


async def active(stub: Any) -> dict[str, freeze_pb2.Freeze]:
    """Every active freeze by its customer."""
    return {
        held.customer_id: held
        async for page in pages(
            lambda token: stub.GetFreezes(pb.GetFreezesRequest(page_size=200, page_token=token), wait_for_ready=True)
        )
        for held in page.freezes
    }


@pytest.mark.slow
async def test_freezes_and_releases_survive_a_kill(processes: Processes, tmp_path: Path) -> None:
    rng = random.Random("freezes")
    frozen: set[str] = set()
    released: set[str] = set()
    open_ends: set[str] = set()
    process = await processes.service("incidents", tmp_path)
    for kill in range(KILLS):
        async with channel_to(await process.address()) as channel:
            await until_health(channel)
            stub = freeze_service_pb2_grpc.FreezeServiceStub(channel)
            enough = asyncio.Event()

            async def write(client: int, kill: int = kill, stub: Any = stub, enough: asyncio.Event = enough) -> None:
                number = 0
                while True:
                    customer = f"c-{kill}-{client}-{number}"
                    number += 1
                    open_ends.add(customer)
                    held = (await stub.FreezeChannel(freeze(customer))).freeze
                    frozen.add(customer)
                    if number % 3 == 0:
                        frozen.discard(customer)
                        await stub.ReleaseFreeze(release(held.freeze_id))
                        released.add(customer)
                    open_ends.discard(customer)
                    if len(frozen) + len(released) >= 20 * (kill + 1):
                        enough.set()

            writers = [asyncio.create_task(write(client)) for client in range(CLIENTS)]
            await enough.wait()
            await process.kill_after(rng.uniform(0, 0.05))
            for outcome in await asyncio.gather(*writers, return_exceptions=True):
                assert isinstance(outcome, grpc.aio.AioRpcError), outcome
        process = await processes.service("incidents", tmp_path)
        async with channel_to(await process.address()) as channel:
            await until_health(channel)
            found = set(await active(freeze_service_pb2_grpc.FreezeServiceStub(channel)))
        assert frozen - open_ends <= found
        assert not released & found
        # What was not answered may be there or not; nothing else is.
        assert found <= frozen | open_ends
    print(f"{KILLS} kills, {len(frozen)} freezes held, {len(released)} stayed released, {len(open_ends)} unanswered")
    assert open_ends
