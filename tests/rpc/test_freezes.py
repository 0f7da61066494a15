"""Freezes over a socket: latched one by one, released by a founder, in the way of approvals, there after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import actor_pb2, channel_pb2
from dealix.incidents.v1 import approval_service_pb2 as approvals_pb
from dealix.incidents.v1 import (
    approval_service_pb2_grpc,
    freeze_pb2,
    freeze_service_pb2_grpc,
    incident_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
)
from dealix.incidents.v1 import freeze_service_pb2 as pb
from dealix.incidents.v1 import incident_pb2 as model
from dealix.incidents.v1 import incident_service_pb2 as incidents_pb

from services.approvals import drafts
from services.approvals.drafts import DraftKind, NewDraft
from services.domain.channels import Channel
from services.domain.texts import Bilingual
from services.incidents.domain.book import load_book
from services.incidents.domain.freezes import Scope
from services.incidents.freezes import FreezeChannel, freeze_channel
from services.incidents.service import DEFINITION
from services.runtime.testing import Running, running_service
from services.storage.database import Actor, UnitOfWork, WriteRequest
from tests.rpc.client import PERSON, SOFTWARE, Clock, ledger_of, new_request_id, pages, refused

FOUNDER = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="founder-1", role=actor_pb2.ROLE_FOUNDER)
DPO = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="dpo-1", role=actor_pb2.ROLE_DPO)
GATEWAY = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="gateway")
EMAIL, WHATSAPP = channel_pb2.CHANNEL_EMAIL, channel_pb2.CHANNEL_WHATSAPP
FORBIDDEN = grpc.StatusCode.PERMISSION_DENIED
UNMET = grpc.StatusCode.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True)
class Client:
    """A running service with its stubs and its clock."""

    running: Running
    stub: Any
    incidents: Any
    approvals: Any
    ledger: Any
    clock: Clock

    async def freeze(self, **fields: Any) -> freeze_pb2.Freeze:
        """Freezes WhatsApp for a customer, but for what is given."""
        return (await self.stub.FreezeChannel(freeze(**fields))).freeze

    async def release(self, held: freeze_pb2.Freeze) -> pb.ReleaseFreezeResponse:
        """A founder releases a freeze."""
        answer: pb.ReleaseFreezeResponse = await self.stub.ReleaseFreeze(release(held.freeze_id))
        return answer

    async def active(self, **filters: Any) -> list[str]:
        """The ids of the active freezes, page by page."""
        return [
            held.freeze_id
            async for page in pages(
                lambda token: self.stub.GetFreezes(pb.GetFreezesRequest(page_size=2, page_token=token, **filters))
            )
            for held in page.freezes
        ]

    async def draft(self, channel: Channel, customer_id: str = "acme") -> drafts.Draft:
        """A draft of the service's own, as its handlers make them."""
        made: list[drafts.Draft] = []
        body = Bilingual("نعمل على معالجة الانقطاع.", "We are working on the outage.")

        def work(unit: UnitOfWork) -> bytes:
            new = NewDraft(DraftKind.COMMUNICATION, "incident/x", customer_id, channel, body, body)
            made[:] = [drafts.create(unit, new)]
            return b"x"

        request = WriteRequest(new_request_id(), "test", b"x", Actor("service", "test"))
        await self.running.service.database.write(request, work)
        return made[0]

    async def approve(self, draft: drafts.Draft) -> Any:
        """A person approves a draft as it stands."""
        return await self.approvals.ApproveDraft(
            approvals_pb.ApproveDraftRequest(
                request_id=new_request_id(), actor=PERSON, draft_id=draft.draft_id, content_hash=draft.content_hash
            )
        )


@asynccontextmanager
async def started(folder: Path, database_url: str = "") -> AsyncIterator[Client]:
    clock = Clock()
    async with running_service(
        DEFINITION, database_url=database_url, data_dir=folder, clock=clock, log_level="error"
    ) as running:
        yield Client(
            running,
            freeze_service_pb2_grpc.FreezeServiceStub(running.channel),
            incident_service_pb2_grpc.IncidentServiceStub(running.channel),
            approval_service_pb2_grpc.ApprovalServiceStub(running.channel),
            ledger_service_pb2_grpc.LedgerServiceStub(running.channel),
            clock,
        )


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with started(tmp_path) as made:
        yield made


@pytest.fixture
async def on_each_engine(tmp_path: Path, database_url: str) -> AsyncIterator[Client]:
    async with started(tmp_path, database_url) as made:
        yield made


def freeze(**fields: Any) -> pb.FreezeChannelRequest:
    return pb.FreezeChannelRequest(
        **{
            "request_id": new_request_id(),
            "actor": PERSON,
            "channel": WHATSAPP,
            "customer_id": "acme",
            "reason": "ارتفاع الحظر",
            **fields,
        }
    )


def everywhere(**fields: Any) -> pb.FreezeChannelRequest:
    return freeze(channel=0, all_channels=True, customer_id="", all_customers=True, **fields)


def release(freeze_id: str, **fields: Any) -> pb.ReleaseFreezeRequest:
    return pb.ReleaseFreezeRequest(
        **{
            "request_id": new_request_id(),
            "actor": FOUNDER,
            "freeze_id": freeze_id,
            "reason": "عولج السبب وراجعه المؤسس",
            **fields,
        }
    )


@pytest.mark.parametrize("actor", [PERSON, SOFTWARE, GATEWAY], ids=lambda a: a.id)
async def test_people_and_software_freeze(client: Client, actor: actor_pb2.Actor) -> None:
    held = await client.freeze(actor=actor)
    assert (held.active, held.channel, held.customer_id, held.actor) == (True, WHATSAPP, "acme", actor)
    assert not held.HasField("release_time")
    assert await client.active() == [held.freeze_id]


async def test_a_freeze_asks_for_a_scope_and_a_reason_all_at_once(client: Client) -> None:
    refusal = await refused(client.stub.FreezeChannel(freeze(channel=0, customer_id="", reason=" \u200f")))
    assert refusal.fields == {"channel": "SCOPE_UNCLEAR", "customer_id": "SCOPE_UNCLEAR", "reason": "REQUIRED"}
    refusal = await refused(client.stub.FreezeChannel(freeze(channel=channel_pb2.CHANNEL_INTERNAL)))
    assert refusal.fields == {"channel": "NOT_FREEZABLE"}
    refusal = await refused(client.stub.FreezeChannel(freeze(reason=" \u200f")))
    assert refusal.fields == {"reason": "REQUIRED"}
    refusal = await refused(client.stub.FreezeChannel(freeze(incident_id="inc_" + "a" * 26)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "INCIDENT_NOT_FOUND")
    assert await client.active() == []


async def test_freezing_what_is_frozen_for_the_same_reason_is_the_same_freeze(client: Client) -> None:
    first = await client.freeze()
    again = await client.stub.FreezeChannel(freeze(actor=SOFTWARE))
    assert again.already_frozen
    assert again.freeze == first
    other = await client.stub.FreezeChannel(freeze(reason="شكاوى"))
    assert not other.already_frozen
    assert set(await client.active()) == {first.freeze_id, other.freeze.freeze_id}


@pytest.mark.parametrize(
    ("actor", "reason"),
    [
        (SOFTWARE, "PERSON_REQUIRED"),
        (GATEWAY, "PERSON_REQUIRED"),
        (PERSON, "FOUNDER_REQUIRED"),
        (DPO, "FOUNDER_REQUIRED"),
    ],
    ids=["software", "gateway", "operator", "dpo"],
)
async def test_nobody_but_a_founder_releases(client: Client, actor: actor_pb2.Actor, reason: str) -> None:
    held = await client.freeze()
    refusal = await refused(client.stub.ReleaseFreeze(release(held.freeze_id, actor=actor)))
    assert (refusal.code, refusal.reason) == (FORBIDDEN, reason)
    assert await client.active() == [held.freeze_id]


async def test_a_release_is_kept_with_who_when_and_why_and_happens_once(client: Client) -> None:
    held = await client.freeze()
    client.clock.pass_time(timedelta(hours=2))
    released = (await client.release(held)).freeze
    assert (released.active, released.release_actor, released.release_reason) == (
        False,
        FOUNDER,
        "عولج السبب وراجعه المؤسس",
    )
    assert released.release_time.ToDatetime() - held.freeze_time.ToDatetime() >= timedelta(hours=2)
    refusal = await refused(client.stub.ReleaseFreeze(release(held.freeze_id)))
    assert (refusal.code, refusal.reason) == (UNMET, "FREEZE_RELEASED")
    refusal = await refused(client.stub.ReleaseFreeze(release("frz_" + "a" * 26)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "FREEZE_NOT_FOUND")


async def test_a_channel_stays_frozen_until_the_last_freeze_on_it_is_released(client: Client) -> None:
    draft = await client.draft(Channel.WHATSAPP)
    held = [
        await client.freeze(),
        await client.freeze(channel=0, all_channels=True, reason="كل القنوات"),
        (await client.stub.FreezeChannel(everywhere(reason="الجميع"))).freeze,
    ]
    elsewhere = await client.freeze(customer_id="najd")
    for number, one in enumerate(held):
        refusal = await refused(client.approve(draft))
        assert (refusal.code, refusal.reason) == (UNMET, "CHANNEL_FROZEN")
        assert set(refusal.metadata["freeze_ids"].split()) == {f.freeze_id for f in held[number:]}
        answer = await client.release(one)
        # What it held, other freezes may hold as well: those are told, and that of another customer is none of them
        # unless the released one held for every customer.
        remaining = {f.freeze_id for f in answer.remaining}
        assert remaining == {f.freeze_id for f in held[number + 1 :]} | (
            {elsewhere.freeze_id} if number == 2 else set()
        )
        assert answer.still_frozen is bool(remaining)
    assert (await client.approve(draft)).draft.approval.approval_id


@pytest.mark.parametrize(
    ("channel", "customer_id", "held"),
    [
        (Channel.WHATSAPP, "acme", True),
        (Channel.EMAIL, "acme", False),
        (Channel.WHATSAPP, "najd", False),
        # Not known yet where it goes out, or to whom: it may be there.
        (Channel.UNSPECIFIED, "acme", True),
        (Channel.WHATSAPP, "", True),
        (Channel.INTERNAL, "acme", False),
    ],
)
async def test_a_freeze_holds_what_it_names(client: Client, channel: Channel, customer_id: str, held: bool) -> None:
    draft = await client.draft(channel, customer_id)
    frozen = await client.freeze()
    if held:
        assert (await refused(client.approve(draft))).reason == "CHANNEL_FROZEN"
        await client.release(frozen)
    assert (await client.approve(draft)).draft.approval.approval_id


async def test_active_freezes_are_found_by_what_they_hold_and_the_history_by_what_they_name(
    on_each_engine: Client,
) -> None:
    client = on_each_engine
    acme = await client.freeze()
    acme_all = await client.freeze(channel=0, all_channels=True)
    najd = await client.freeze(customer_id="najd", channel=EMAIL)
    world = (await client.stub.FreezeChannel(everywhere())).freeze
    gone = await client.freeze(customer_id="tihama")
    await client.release(gone)
    ids = [one.freeze_id for one in (acme, acme_all, najd, world)]
    assert await client.active() == ids[::-1]
    assert await client.active(customer_id="acme") == [ids[3], ids[1], ids[0]]
    assert await client.active(channel=EMAIL) == [ids[3], ids[2], ids[1]]
    assert await client.active(channel=EMAIL, customer_id="acme") == [ids[3], ids[1]]
    assert await client.active(customer_id="tihama") == [ids[3]]
    found = await client.stub.GetFreezes(pb.GetFreezesRequest(customer_id="tihama"))
    assert found.frozen

    async def history(**filters: Any) -> list[str]:
        return [
            one.freeze_id
            async for page in pages(
                lambda token: client.stub.ListFreezes(pb.ListFreezesRequest(page_size=2, page_token=token, **filters))
            )
            for one in page.freezes
        ]

    assert await history() == [gone.freeze_id, *ids[::-1]]
    assert await history(customer_id="acme") == [ids[1], ids[0]]
    assert await history(channel=WHATSAPP) == [gone.freeze_id, ids[0]]
    assert await history(channel=WHATSAPP, customer_id="acme") == [ids[0]]
    context = (
        await client.incidents.GetOperatingContext(incidents_pb.GetOperatingContextRequest(customer_id="acme"))
    ).context
    assert context.freezes_known
    assert {f.freeze_id for f in context.freezes} == {ids[0], ids[1], ids[3]}


async def latch(client: Client, freezes: list[tuple[str, str]]) -> None:
    """Freezes WhatsApp for each (customer, reason), in one write."""
    book = load_book()

    def work(unit: UnitOfWork) -> bytes:
        for customer_id, reason in freezes:
            freeze_channel(unit, FreezeChannel(Scope(Channel.WHATSAPP, customer_id), reason, ""), book)
        return b"x"

    request = WriteRequest(new_request_id(), "test", b"x", Actor("service", "test"))
    await client.running.service.database.write(request, work)


async def test_a_freeze_holds_however_many_others_were_latched_since(on_each_engine: Client) -> None:
    client = on_each_engine
    email = await client.draft(Channel.EMAIL)
    of_nobody = await client.draft(Channel.EMAIL, "")
    held = await client.freeze(channel=EMAIL)
    everybody = await client.freeze(channel=channel_pb2.CHANNEL_PHONE, customer_id="", all_customers=True)
    # Others of one customer, each with a reason of its own, and one for each of many customers.
    await latch(client, [("acme", f"block rate 3.{number} %") for number in range(501)])
    await latch(client, [(f"customer-{number}", "block rate") for number in range(510)])
    for draft in (email, of_nobody):
        refusal = await refused(client.approve(draft))
        assert (refusal.reason, held.freeze_id in refusal.metadata["freeze_ids"]) == ("CHANNEL_FROZEN", True)
    for customer_id in ("acme", ""):
        told = (
            await client.incidents.GetOperatingContext(incidents_pb.GetOperatingContextRequest(customer_id=customer_id))
        ).context.freezes
        assert {held.freeze_id, everybody.freeze_id} < {freeze.freeze_id for freeze in told}
        assert len({(freeze.channel, freeze.customer_id) for freeze in told}) == len(told) <= 500
    # The same again is the same freeze, and what remains is told of the channel that was released.
    assert (await client.freeze(channel=EMAIL)).freeze_id == held.freeze_id
    other = await client.freeze(channel=EMAIL, reason="شكاوى")
    released = await client.release(held)
    assert [freeze.freeze_id for freeze in released.remaining] == [other.freeze_id]


async def test_the_freezes_of_an_incident_are_found(on_each_engine: Client) -> None:
    client = on_each_engine
    facts = model.TriageFacts(title="تسريب", affected_customers=1, data_leak=True)
    declared = await client.incidents.DeclareIncident(
        incidents_pb.DeclareIncidentRequest(request_id=new_request_id(), actor=GATEWAY, facts=facts)
    )
    incident_id = declared.incident.incident_id
    held = await client.freeze(incident_id=incident_id, actor=GATEWAY)
    # Said again by the gateway in other words: one incident, one freeze.
    assert (await client.freeze(incident_id=incident_id, reason="again")).freeze_id == held.freeze_id
    await client.freeze()
    listed = await client.stub.ListFreezes(pb.ListFreezesRequest(incident_id=incident_id))
    assert [one.freeze_id for one in listed.freezes] == [held.freeze_id]


@pytest.mark.parametrize(
    ("counts", "exceeded"),
    [
        ({"sent": 1000, "bounced": 50, "complained": 3, "blocked": 30}, set()),
        ({"sent": 1000, "bounced": 51}, {"BOUNCED"}),
        ({"sent": 1000, "complained": 4}, {"COMPLAINED"}),
        ({"sent": 1000, "blocked": 31}, {"BLOCKED"}),
        ({"sent": 0}, set()),
    ],
)
async def test_metrics_suggest_a_freeze_and_freeze_nothing(
    client: Client, counts: dict[str, int], exceeded: set[str]
) -> None:
    request = pb.EvaluateChannelMetricsRequest(channel=WHATSAPP, customer_id="acme", **counts)
    answer = await client.stub.EvaluateChannelMetrics(request)
    names = {
        freeze_pb2.ChannelMetric.Name(v.metric).removeprefix("CHANNEL_METRIC_") for v in answer.verdicts if v.exceeded
    }
    assert names == exceeded
    assert answer.freeze_suggested is answer.approval_required is bool(exceeded)
    assert answer.reason_ar != answer.reason_en != ""
    assert not answer.already_frozen
    assert await client.active() == []
    await client.freeze()
    assert (await client.stub.EvaluateChannelMetrics(request)).already_frozen


async def test_the_ledger_tells_each_freeze_without_its_reason(client: Client) -> None:
    held = await client.freeze()
    await client.freeze()
    await client.release(held)
    entries = [
        entry for entry in await ledger_of(client.ledger, ledger_service_pb2) if entry.action.startswith("freeze.")
    ]
    assert [entry.action for entry in entries] == ["freeze.latched", "freeze.repeated", "freeze.released"]
    assert {entry.subject for entry in entries} == {f"freeze/{held.freeze_id}"}
    assert entries[-1].attributes["active"] == "false"
    assert "الحظر" not in str(entries)


async def test_a_freeze_is_there_after_a_restart(tmp_path: Path) -> None:
    async with started(tmp_path) as client:
        draft = await client.draft(Channel.WHATSAPP)
        held = await client.freeze()
    async with started(tmp_path) as client:
        assert await client.active() == [held.freeze_id]
        assert (await refused(client.approve(draft))).reason == "CHANNEL_FROZEN"
