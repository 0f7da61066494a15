"""Two replicas of the success service on one PostgreSQL, killed at random while touchpoints fall due: each is drafted once."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import channel_pb2
from dealix.success.v1 import approval_service_pb2 as approvals
from dealix.success.v1 import approval_service_pb2_grpc, ledger_service_pb2_grpc, plan_pb2, success_service_pb2_grpc
from dealix.success.v1 import ledger_service_pb2 as ledger
from dealix.success.v1 import success_service_pb2 as pb

from tests.faults.journal import GONE, PERSON
from tests.faults.processes import Process, Processes, channel_to, until_health
from tests.rpc.client import ledger_of

KILLS = 5
PLANS_A_ROUND = 30
SECONDS = 60.0
RENEWAL_TALKS = (plan_pb2.TOUCHPOINT_KIND_RENEWAL_30_DAY, plan_pb2.TOUCHPOINT_KIND_RENEWAL_7_DAY)


def riyadh_day(ahead: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=3, days=ahead)).date().isoformat()


def activation(customer_id: str, chance: random.Random) -> pb.ActivatePlanRequest:
    """A plan whose renewal is near: both talks before it are due at once, whatever hour it is."""
    return pb.ActivatePlanRequest(
        request_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        actor=PERSON,
        customer_id=customer_id,
        bundle_id="growth_starter",
        start_date=riyadh_day(-2),
        renewal_date=riyadh_day(3),
        channel=channel_pb2.CHANNEL_EMAIL,
    )


async def activate_all(requests: list[pb.ActivatePlanRequest], channels: list[grpc.aio.Channel]) -> None:
    """Sends each to one of the replicas, and to the other when that one goes away: its request_id makes it one plan."""
    stubs = [success_service_pb2_grpc.SuccessServiceStub(channel) for channel in channels]
    for number, request in enumerate(requests):
        for attempt in range(1000):
            try:
                await stubs[(number + attempt) % 2].ActivatePlan(request, timeout=SECONDS)
                break
            except grpc.aio.AioRpcError as error:
                if error.code() not in GONE:
                    raise
                await asyncio.sleep(0.01)  # Until the other one, or the next process, answers.


@pytest.mark.slow
async def test_replicas_killed_while_touchpoints_fall_due_draft_each_exactly_once(
    processes: Processes, tmp_path: Path, postgres_url: str
) -> None:
    chance = random.Random("touchpoints")

    async def replica() -> Process:
        return await processes.service(
            "success", tmp_path, database_url=postgres_url, worker_seconds=0.02, log_level="info"
        )

    replicas = list(await asyncio.gather(replica(), replica()))
    customers: list[str] = []
    async with asyncio.timeout(KILLS * SECONDS):
        for kill in range(KILLS):
            channels = [channel_to(await process.address()) for process in replicas]
            await asyncio.gather(*(until_health(channel) for channel in channels))
            made = [f"c-{kill}-{number}" for number in range(PLANS_A_ROUND)]
            customers += made
            sending = asyncio.create_task(activate_all([activation(c, chance) for c in made], channels))
            await asyncio.sleep(chance.uniform(0.05, 0.4))  # A random instant.
            victim = kill % 2
            await replicas[victim].kill()
            await sending
            replicas[victim] = await replica()
            for channel in channels:
                await channel.close()
        async with channel_to(await replicas[0].address()) as channel:
            await until_health(channel)
            found = await settled(success_service_pb2_grpc.SuccessServiceStub(channel), customers)
            await check(channel, found)
    print(f"{KILLS} kills, {len(customers)} plans, {len(found)} touchpoints fell due")


async def settled(stub: Any, customers: list[str]) -> list[plan_pb2.Touchpoint]:
    """The touchpoints that have fallen due, once none of them waits for a worker."""
    while True:
        due = []
        for customer_id in customers:
            listed = await stub.ListTouchpoints(pb.ListTouchpointsRequest(customer_id=customer_id, page_size=200))
            due += [found for found in listed.touchpoints if found.kind in RENEWAL_TALKS]
        if all(found.state != plan_pb2.TOUCHPOINT_STATE_SCHEDULED for found in due):
            return due
        await asyncio.sleep(0.1)  # The workers look after it by themselves.


async def check(channel: grpc.aio.Channel, found: list[plan_pb2.Touchpoint]) -> None:
    """One draft, one entry of each kind for every touchpoint; and the ledger is whole."""
    assert len(found) == 2 * KILLS * PLANS_A_ROUND
    assert {one.state for one in found} == {plan_pb2.TOUCHPOINT_STATE_DRAFTED}
    ledgers = ledger_service_pb2_grpc.LedgerServiceStub(channel)
    entries = await ledger_of(ledgers, ledger, page_size=200)
    fired = Counter(entry.subject for entry in entries if entry.action == "touchpoint.drafted")
    drafted = Counter(entry.attributes["subject"] for entry in entries if entry.action == "draft.drafted")
    plans = Counter(entry.subject for entry in entries if entry.action == "plan.activated")
    assert set(plans.values()) == {1}
    assert len(plans) == KILLS * PLANS_A_ROUND
    stub = approval_service_pb2_grpc.ApprovalServiceStub(channel)
    for one in found:
        subject = f"touchpoint/{one.touchpoint_id}"
        assert (fired[subject], drafted[subject]) == (1, 1), subject
        listed = await stub.ListDrafts(approvals.ListDraftsRequest(subject=subject))
        assert [draft.draft_id for draft in listed.drafts] == [one.draft_id]
    assert set(fired.values()) == {1}, "nor was any other touchpoint drafted twice"
    assert set(drafted.values()) == {1}
    verified = await ledgers.VerifyLedger(ledger.VerifyLedgerRequest())
    assert (verified.intact, verified.checked) == (True, len(entries))
