"""Two replicas of incidents on one PostgreSQL, killed at random while obligations fall due: each is reported exactly once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import actor_pb2
from dealix.incidents.v1 import (
    action_item_service_pb2,
    action_item_service_pb2_grpc,
    approval_service_pb2,
    approval_service_pb2_grpc,
    incident_pb2,
    incident_service_pb2,
    incident_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    obligation_pb2,
    obligation_service_pb2,
    obligation_service_pb2_grpc,
)

from services.runtime.wire import timestamp
from tests.faults.processes import Process, Processes, channel_to, until_health
from tests.rpc.client import ledger_of, new_request_id, pages

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-17")
INCIDENTS = 60
KILLS = 6
# Each falls due this long after awareness: one of them within the seconds of the test.
LENGTHS = (timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=24), timedelta(hours=72))
DUE_WITHIN_SECONDS = 20.0
LOOK_SECONDS = 0.05
REPORTED_SECONDS = 60


class Asked:
    """The RPCs that the test asks, at one replica."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.incidents: Any = incident_service_pb2_grpc.IncidentServiceStub(channel)
        self.obligations: Any = obligation_service_pb2_grpc.ObligationServiceStub(channel)
        self.items: Any = action_item_service_pb2_grpc.ActionItemServiceStub(channel)
        self.approvals: Any = approval_service_pb2_grpc.ApprovalServiceStub(channel)
        self.ledger: Any = ledger_service_pb2_grpc.LedgerServiceStub(channel)

    async def declare(self, rng: random.Random) -> str:
        """A leak that Dealix knows of since so long that something of it falls due in a moment; with an item that does."""
        now = datetime.now(UTC)
        due = now + timedelta(seconds=rng.uniform(0.5, DUE_WITHIN_SECONDS))
        answer = await self.incidents.DeclareIncident(
            incident_service_pb2.DeclareIncidentRequest(
                request_id=new_request_id(),
                actor=PERSON,
                facts=incident_pb2.TriageFacts(title="تسريب", affected_customers=1, data_leak=True),
                aware_time=timestamp(due - rng.choice(LENGTHS)),
            )
        )
        incident_id: str = answer.incident.incident_id
        await self.items.AddActionItem(
            action_item_service_pb2.AddActionItemRequest(
                request_id=new_request_id(),
                actor=PERSON,
                incident_id=incident_id,
                title="مراجعة الصلاحيات",
                owner_id="operator-17",
                due_time=timestamp(datetime.now(UTC) + timedelta(seconds=rng.uniform(1, DUE_WITHIN_SECONDS))),
            )
        )
        return incident_id

    async def expected(self, incident_id: str) -> Counter[str]:
        """What is breached of an incident by now, each once, and its overdue action items."""
        owed = await self.obligations.ListObligations(
            obligation_service_pb2.ListObligationsRequest(incident_id=incident_id, page_size=200)
        )
        items = await self.items.ListActionItems(
            action_item_service_pb2.ListActionItemsRequest(incident_id=incident_id, page_size=200)
        )
        late = [o.obligation_id for o in owed.obligations if o.state == obligation_pb2.OBLIGATION_STATE_BREACHED]
        return Counter([*late, *(item.action_item_id for item in items.action_items if item.overdue)])

    async def reported(self, incident_id: str) -> Counter[str]:
        """What the timeline of an incident says was breached, as often as it says so."""
        shown = await self.incidents.GetIncident(incident_service_pb2.GetIncidentRequest(incident_id=incident_id))
        return Counter(line.subject for line in shown.timeline if line.kind.endswith("_breached"))


@pytest.mark.slow
async def test_replicas_killed_while_obligations_fall_due_report_each_exactly_once(
    processes: Processes, tmp_path: Path, postgres_url: str
) -> None:
    rng = random.Random("obligations")

    async def replica() -> Process:
        return await processes.service("incidents", tmp_path, database_url=postgres_url, worker_seconds=LOOK_SECONDS)

    replicas = [await replica(), await replica()]
    async with channel_to(await replicas[0].address()) as channel:
        await until_health(channel)
        asked = Asked(channel)
        ids = [await asked.declare(rng) for _ in range(INCIDENTS)]
        last = datetime.now(UTC) + timedelta(seconds=DUE_WITHIN_SECONDS)
        before = sum((await asyncio.gather(*map(asked.reported, ids))), Counter[str]()).total()
    for kill in range(KILLS):
        # At times both are gone, and what falls due meanwhile is caught up with.
        victims = [0, 1] if kill % 3 == 2 else [kill % 2]
        await asyncio.gather(*(replicas[victim].kill_after(rng.uniform(0, 0.8)) for victim in victims))
        for victim in victims:
            replicas[victim] = await replica()
            await replicas[victim].address()
    async with channel_to(await replicas[0].address()) as channel:
        await until_health(channel)
        asked = Asked(channel)
        async with asyncio.timeout(REPORTED_SECONDS):
            while True:
                over = datetime.now(UTC) > last
                owed = [await asked.expected(incident_id) for incident_id in ids]
                told = [await asked.reported(incident_id) for incident_id in ids]
                if over and owed == told:
                    break
                await asyncio.sleep(0.2)
        # What was reported stands there once, and nothing else comes: the workers have looked many times by now.
        assert {times for each in told for times in each.values()} == {1}
        subjects = [f"incident/{incident_id}" for incident_id in ids]
        drafts = Counter[str]()
        async for page in pages(
            lambda token: asked.approvals.ListDrafts(
                approval_service_pb2.ListDraftsRequest(page_size=200, page_token=token)
            )
        ):
            drafts.update(draft.subject for draft in page.drafts)
        assert drafts == Counter({subject: each.total() for subject, each in zip(subjects, told, strict=True)})
        entries = await ledger_of(asked.ledger, ledger_service_pb2, page_size=200)
        recorded = Counter(
            (entry.subject, entry.attributes.get("obligation") or entry.attributes["action_item_id"])
            for entry in entries
            if entry.action.endswith("_breached")
        )
        assert recorded == Counter(
            {(subject, name): 1 for subject, each in zip(subjects, told, strict=True) for name in each}
        )
        verified = await asked.ledger.VerifyLedger(ledger_service_pb2.VerifyLedgerRequest())
        assert (verified.intact, verified.checked) == (True, len(entries))
    total = sum(each.total() for each in told)
    print(f"{total} breaches of {INCIDENTS} incidents, {before} before the first of {KILLS} kills")
    assert total >= 3 * INCIDENTS
    assert before < total / 2
