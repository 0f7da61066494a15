"""What is frozen through the gateway: nothing drafted for it can be approved, on any service, until a founder releases it."""

from __future__ import annotations

import uuid
from importlib import import_module

import grpc
import pytest
from dealix.common.v1 import actor_pb2, approval_pb2, channel_pb2, context_pb2
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.gateway.v1 import gateway_service_pb2_grpc as gw_rpc
from dealix.incidents.v1 import freeze_service_pb2 as frz
from dealix.incidents.v1 import freeze_service_pb2_grpc as frz_rpc
from dealix.incidents.v1 import incident_pb2
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.incidents.v1 import incident_service_pb2_grpc as inc_rpc
from dealix.success.v1 import success_service_pb2 as suc
from dealix.success.v1 import success_service_pb2_grpc as suc_rpc
from dealix.support.v1 import classification_pb2
from dealix.support.v1 import support_service_pb2 as sup
from dealix.support.v1 import support_service_pb2_grpc as sup_rpc

from gateway.contract import SERVICES
from services.approvals import drafts
from services.approvals.drafts import DraftKind, NewDraft
from services.domain.channels import Channel
from services.domain.texts import Bilingual
from services.storage.database import Actor
from tests.gateway.conftest import gateway_at
from tests.rpc.client import refused

FOUNDER = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="founder-1", role=actor_pb2.ROLE_FOUNDER)
OPERATOR = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1", role=actor_pb2.ROLE_OPERATOR_ONCALL)
LEAK = "ظهرت بيانات عميل آخر في حسابنا، تسريب بيانات"

each_service = pytest.mark.parametrize("service", SERVICES)


def write_id():
    return str(uuid.uuid4())


def approvals(channel, service):
    """The approvals of a service: their messages, and the stub behind a channel."""
    grpc_module = import_module(f"dealix.{service}.v1.approval_service_pb2_grpc")
    return import_module(f"dealix.{service}.v1.approval_service_pb2"), grpc_module.ApprovalServiceStub(channel)


async def draft_in(front, service, customer="acme", channel=Channel.WHATSAPP):
    """A draft that waits in a service."""
    # A kind that the service itself does not use, so that nothing but the freeze decides.
    kind = DraftKind.TOUCHPOINT if service == "incidents" else DraftKind.COMMUNICATION
    new = NewDraft(
        kind,
        "sample/1",
        customer,
        channel,
        Bilingual("رسالة متابعة", "A follow-up"),
        Bilingual("نود الاطمئنان على سير العمل.", "We would like to hear how things are going."),
    )
    database = front.services[service].service.database
    return await database.write_internal(Actor("service", "test"), lambda unit: drafts.create(unit, new))


def approve(front, service, draft, **fields):
    """The approval of a draft through the gateway, under way."""
    pb, stub = approvals(front.channel, service)
    return stub.ApproveDraft(
        pb.ApproveDraftRequest(
            request_id=write_id(), actor=OPERATOR, draft_id=draft.draft_id, content_hash=draft.content_hash, **fields
        )
    )


async def freeze(front, **fields):
    """Freezes WhatsApp of acme, unless the fields say otherwise."""
    where = fields or {"channel": channel_pb2.CHANNEL_WHATSAPP, "customer_id": "acme"}
    stub = frz_rpc.FreezeServiceStub(front.channel)
    request = frz.FreezeChannelRequest(request_id=write_id(), actor=OPERATOR, reason="شكاوى من الرسائل", **where)
    return (await stub.FreezeChannel(request)).freeze


def release(front, freeze_id, actor=FOUNDER):
    """The release of a freeze, under way."""
    stub = frz_rpc.FreezeServiceStub(front.channel)
    return stub.ReleaseFreeze(
        frz.ReleaseFreezeRequest(request_id=write_id(), actor=actor, freeze_id=freeze_id, reason="عولج السبب")
    )


@each_service
async def test_nothing_drafted_for_a_frozen_channel_is_approved_until_a_founder_releases_it(front, service):
    draft = await draft_in(front, service)
    frozen = await freeze(front)
    refusal = await refused(approve(front, service, draft))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CHANNEL_FROZEN")
    assert refusal.metadata["freeze_ids"] == frozen.freeze_id
    pb, stub = approvals(front.channel, service)
    waiting = await stub.ListPendingApprovals(pb.ListPendingApprovalsRequest(customer_id="acme"))
    assert draft.draft_id in [found.draft_id for found in waiting.drafts]
    assert (await refused(release(front, frozen.freeze_id, OPERATOR))).code == grpc.StatusCode.PERMISSION_DENIED
    assert (await refused(approve(front, service, draft))).reason == "CHANNEL_FROZEN"
    await release(front, frozen.freeze_id)
    assert (await approve(front, service, draft)).draft.state == approval_pb2.DRAFT_STATE_APPROVED


@each_service
async def test_a_freeze_leaves_other_channels_and_customers_alone(front, service):
    await freeze(front)
    for other in ({"channel": Channel.EMAIL}, {"customer": "zenith"}, {"channel": Channel.INTERNAL}):
        draft = await draft_in(front, service, **other)
        assert (await approve(front, service, draft)).draft.state == approval_pb2.DRAFT_STATE_APPROVED
    await freeze(front, all_channels=True, all_customers=True)
    for other in ({"channel": Channel.EMAIL}, {"customer": "zenith"}):
        assert (
            await refused(approve(front, service, await draft_in(front, service, **other)))
        ).reason == "CHANNEL_FROZEN"


async def test_what_a_client_says_of_freezes_does_not_count(front):
    await freeze(front)
    nothing_frozen = context_pb2.Context(freezes_known=True, incidents_known=True)
    draft = await draft_in(front, "success")
    assert (await refused(approve(front, "success", draft, context=nothing_frozen))).reason == "CHANNEL_FROZEN"
    made_up = context_pb2.Context(freezes_known=True, freezes=[context_pb2.ChannelFreeze(freeze_id="frz_" + "a" * 26)])
    free = await draft_in(front, "success", customer="zenith")
    assert (await approve(front, "success", free, context=made_up)).draft.state == approval_pb2.DRAFT_STATE_APPROVED


async def test_where_nobody_knows_what_is_frozen_nothing_is_approved(front):
    draft = await draft_in(front, "support")
    targets = {name: running.address for name, running in front.services.items() if name != "incidents"}
    async with gateway_at(targets, front.services) as blind:
        refusal = await refused(approve(blind, "support", draft))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE")
    assert (await approve(front, "support", draft)).draft.state == approval_pb2.DRAFT_STATE_APPROVED


async def test_what_only_reads_is_answered_without_knowing_what_is_frozen(front):
    targets = {name: running.address for name, running in front.services.items() if name != "incidents"}
    async with gateway_at(targets, front.services) as blind:
        found = await suc_rpc.SuccessServiceStub(blind.channel).ListDueTouchpoints(suc.ListDueTouchpointsRequest())
    assert not found.touchpoints


async def test_a_draft_that_does_not_exist_is_not_found_and_a_faulty_request_is_named(front):
    class Nothing:
        draft_id, content_hash = "drf_" + "a" * 26, "0" * 64

    assert (await refused(approve(front, "onboarding", Nothing))).reason == "DRAFT_NOT_FOUND"
    Nothing.draft_id = "nonsense"
    refusal = await refused(approve(front, "onboarding", Nothing))
    assert list(refusal.fields) == ["draft_id"]


def ticket(**fields):
    return gw.HandleTicketRequest(
        **{"request_id": write_id(), "actor": OPERATOR, "customer_id": "acme", "body": LEAK, **fields}
    )


async def test_a_critical_ticket_declares_freezes_and_links_in_one_call_that_is_safe_to_repeat(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    request = ticket(subject="تسريب")
    handled = await stub.HandleTicket(request)
    opened, incident = handled.routed.ticket, handled.incident
    assert handled.routed.priority == classification_pb2.PRIORITY_P0
    assert (incident.severity, incident.title) == (incident_pb2.SEVERITY_SEV1, "تسريب")
    assert (list(incident.customer_ids), list(incident.ticket_ids)) == (["acme"], [opened.ticket_id])
    assert incident.aware_time == opened.create_time
    assert (handled.freeze.incident_id, handled.freeze.customer_id) == (incident.incident_id, "acme")
    assert handled.freeze.channel == channel_pb2.CHANNEL_UNSPECIFIED
    assert handled.approval_required
    assert not handled.live_send_allowed

    again = await stub.HandleTicket(request)
    assert again == handled
    found = await inc_rpc.IncidentServiceStub(front.channel).ListIncidents(inc.ListIncidentsRequest())
    assert [one.incident_id for one in found.incidents] == [incident.incident_id]
    request.subject = "تسريب آخر"
    refusal = await refused(stub.HandleTicket(request))
    assert (refusal.reason, refusal.metadata) == ("REQUEST_ID_REUSED", {"request_id": request.request_id})


@pytest.mark.parametrize(
    ("subject", "padding"), [("", "\u200c \u200c" * 120), ("", "\u0640" * 310), ("\u0640\u200b", "\u202b")]
)
async def test_an_incident_is_titled_by_what_can_be_seen_of_a_ticket(front, subject, padding):
    request = ticket(subject=subject, body=f"{padding}{LEAK}\nنرجو الرد")
    handled = await gw_rpc.GatewayServiceStub(front.channel).HandleTicket(request)
    assert (handled.incident.title, handled.incident.severity) == (LEAK, incident_pb2.SEVERITY_SEV1)
    assert handled.freeze.freeze_id


async def test_a_call_that_ended_half_way_is_finished_by_repeating_it(front):
    request = ticket()
    targets = {name: running.address for name, running in front.services.items() if name != "incidents"}
    async with gateway_at(targets, front.services) as half:
        refusal = await refused(gw_rpc.GatewayServiceStub(half.channel).HandleTicket(request))
        assert refusal.reason == "UPSTREAM_UNAVAILABLE"
    handled = await gw_rpc.GatewayServiceStub(front.channel).HandleTicket(request)
    listed = await sup_rpc.SupportServiceStub(front.channel).ListTickets(sup.ListTicketsRequest(customer_id="acme"))
    assert [one.ticket_id for one in listed.tickets] == [handled.routed.ticket.ticket_id]
    assert handled.freeze.freeze_id


async def test_the_channel_that_the_caller_names_is_frozen(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    handled = await stub.HandleTicket(ticket(freeze_channel=channel_pb2.CHANNEL_WHATSAPP))
    assert handled.freeze.channel == channel_pb2.CHANNEL_WHATSAPP


@pytest.mark.parametrize("body", [LEAK, "متى موعد الاجتماع القادم؟"])
async def test_a_channel_that_nothing_freezes_is_refused_before_anything_is_done(front, body):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    request = ticket(body=body, freeze_channel=channel_pb2.CHANNEL_INTERNAL)
    refusal = await refused(stub.HandleTicket(request))
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"freeze_channel": "NOT_FREEZABLE"})
    listed = await sup_rpc.SupportServiceStub(front.channel).ListTickets(sup.ListTicketsRequest(customer_id="acme"))
    assert not listed.tickets
    request.customer_id = "!"
    assert set((await refused(stub.HandleTicket(request))).fields) == {"customer_id", "freeze_channel"}


@pytest.mark.parametrize("body", ["متى موعد الاجتماع القادم؟", "Our connector is failing since the morning", ""])
async def test_a_ticket_that_tells_of_no_incident_declares_none(front, body):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    handled = await stub.HandleTicket(ticket(body=body, minimum_priority=classification_pb2.PRIORITY_P0))
    assert handled.routed.priority == classification_pb2.PRIORITY_P0
    assert not handled.HasField("incident")
    assert not handled.HasField("freeze")
