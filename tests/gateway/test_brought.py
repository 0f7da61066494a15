"""What the gateway brings along, and what it does where nobody can tell: not known is neither none nor a refusal."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from dealix.common.v1 import actor_pb2, approval_pb2, channel_pb2
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.gateway.v1 import gateway_service_pb2_grpc as gw_rpc
from dealix.incidents.v1 import incident_pb2
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.incidents.v1 import incident_service_pb2_grpc as inc_rpc
from dealix.onboarding.v1 import connector_pb2, onboarding_pb2
from dealix.onboarding.v1 import connector_service_pb2 as con
from dealix.onboarding.v1 import connector_service_pb2_grpc as con_rpc
from dealix.onboarding.v1 import onboarding_service_pb2 as onb
from dealix.onboarding.v1 import onboarding_service_pb2_grpc as onb_rpc
from dealix.success.v1 import activity_pb2, plan_pb2, success_pb2
from dealix.success.v1 import success_service_pb2 as suc
from dealix.success.v1 import success_service_pb2_grpc as suc_rpc

from gateway.contract import SERVICES
from services.domain.channels import Channel
from services.runtime.wire import timestamp
from tests.gateway.conftest import backend, front_at, gateway_at
from tests.gateway.test_freezes import approve, draft_in
from tests.rpc.client import Clock, refused

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1")
CHECK_IN = plan_pb2.TOUCHPOINT_KIND_WEEKLY_CHECK_IN
UPGRADE = plan_pb2.TOUCHPOINT_KIND_UPGRADE_TALK
HELD, DRAFTED = plan_pb2.TOUCHPOINT_STATE_HELD, plan_pb2.TOUCHPOINT_STATE_DRAFTED
DELIVERED = activity_pb2.ACTIVITY_KIND_PROOF_PACK_DELIVERED


def written(**fields):
    return {"request_id": str(uuid.uuid4()), "actor": PERSON, **fields}


@pytest.fixture
def clock() -> Clock:
    """At noon of a Sunday in Riyadh: what is due on a day was drafted that morning."""
    return Clock(datetime(2026, 3, 1, 9, tzinfo=UTC))


@pytest.fixture
async def front(tmp_path, clock):
    """A stack whose time the test tells."""
    async with front_at(tmp_path, clock=clock) as made:
        yield made


def without(front, *away):
    """The same stack behind a gateway that cannot reach some services."""
    targets = {name: running.address for name, running in front.services.items() if name not in away}
    return gateway_at(targets, front.services)


@asynccontextmanager
async def hanging(front, service):
    """The same stack behind a gateway to which one service gives no answer, and the others one that takes a moment."""

    def answers(name):
        async def answer(path, payload, context):
            if name == service:
                await asyncio.Event().wait()
            await asyncio.sleep(0.12)
            try:
                return await front.services[name].channel.unary_unary(path)(payload)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details(), tuple(error.trailing_metadata()))

        return answer

    async with (
        backend(answers("support")) as support,
        backend(answers("incidents")) as incidents,
        backend(answers("onboarding")) as onboarding,
        backend(answers("success")) as success,
    ):
        addresses = dict(zip(SERVICES, (support, incidents, onboarding, success), strict=True))
        async with gateway_at(addresses, front.services) as gateway:
            yield gateway


async def with_plan(front, clock, *customers):
    """Customers whose plans begin today."""
    today = clock().date()
    for customer_id in customers:
        await suc_rpc.SuccessServiceStub(front.channel).ActivatePlan(
            suc.ActivatePlanRequest(
                **written(
                    customer_id=customer_id,
                    bundle_id="growth_starter",
                    start_date=today.isoformat(),
                    renewal_date=(today + timedelta(days=300)).isoformat(),
                    channel=channel_pb2.CHANNEL_EMAIL,
                )
            )
        )


async def pass_days(front, clock, days):
    """Days in which everything that falls due does."""
    for _ in range(days):
        clock.pass_time(timedelta(days=1))
        for running in front.services.values():
            await running.service.catch_up()


async def deliver(front, clock, customer_id="acme"):
    """Proof Pack v1 of a customer, whose onboarding is made for it: delivered, and not approved by the customer."""
    stub = onb_rpc.OnboardingServiceStub(front.channel)
    await stub.RecordProofPack(
        onb.RecordProofPackRequest(
            **written(
                customer_id=customer_id,
                event=onboarding_pb2.PROOF_PACK_EVENT_DELIVERED,
                person=PERSON,
                occur_time=timestamp(clock()),
                reference="pack-1",
            )
        )
    )


async def declare(front, **facts):
    """A SEV1 of the customers that are named, or of everybody."""
    customers = facts.pop("customer_ids", [])
    return await inc_rpc.IncidentServiceStub(front.channel).DeclareIncident(
        inc.DeclareIncidentRequest(
            **written(
                facts=incident_pb2.TriageFacts(
                    title="رسائل دون اعتماد", affected_customers=1, unauthorized_send=True, **facts
                ),
                customer_ids=customers,
            )
        )
    )


async def due(front, kind, **filters):
    """State and reasons of each due touchpoint of a kind, by customer."""
    answer = await suc_rpc.SuccessServiceStub(front.channel).ListDueTouchpoints(
        suc.ListDueTouchpointsRequest(page_size=200, **filters)
    )
    return {
        found.customer_id: (found.state, [reason.kind for reason in found.reasons])
        for found in answer.touchpoints
        if found.kind == kind
    }


async def touchpoint_of(front, kind, customer_id="acme"):
    """A customer's first touchpoint of a kind that is not done."""
    answer = await suc_rpc.SuccessServiceStub(front.channel).ListTouchpoints(
        suc.ListTouchpointsRequest(customer_id=customer_id, page_size=200)
    )
    return next(found for found in answer.touchpoints if found.kind == kind)


# --- the Proof Pack ---------------------------------------------------------------------------------------------------


async def test_a_delivery_that_onboarding_has_on_record_lets_the_upgrade_talk_go_on_and_dates_the_risk(front, clock):
    stub = onb_rpc.OnboardingServiceStub(front.channel)
    await stub.CreateChecklist(onb.CreateChecklistRequest(**written(customer_id="acme")))
    await with_plan(front, clock, "acme", "zenith")
    await pass_days(front, clock, 5)
    await deliver(front, clock)
    delivered_on = (clock() + timedelta(hours=3)).date()
    await pass_days(front, clock, 10)
    # Onboarding knows of no delivery to zenith, which has not begun with it.
    assert await due(front, UPGRADE, customer_id="acme") == {"acme": (DRAFTED, [])}
    assert await due(front, UPGRADE, customer_id="zenith") == {"zenith": (HELD, ["no_proof_pack_yet"])}
    success, composed = suc_rpc.SuccessServiceStub(front.channel), gw_rpc.GatewayServiceStub(front.channel)
    risk = (await success.GetCustomerRisk(suc.GetCustomerRiskRequest(customer_id="acme"))).risk
    assert risk.activity.last_proof_pack_date == delivered_on.isoformat()
    for answer in (
        await composed.GetCustomerOverview(gw.GetCustomerOverviewRequest(customer_id="acme")),
        await composed.AssessCustomer(gw.AssessCustomerRequest(customer_id="acme")),
    ):
        assert answer.risk == risk
        assert answer.health.activity == risk.activity
    talk = await touchpoint_of(front, UPGRADE)
    done = await success.CompleteTouchpoint(
        suc.CompleteTouchpointRequest(**written(touchpoint_id=talk.touchpoint_id, complete_time=timestamp(clock())))
    )
    assert done.touchpoint.state == plan_pb2.TOUCHPOINT_STATE_COMPLETED


async def test_while_onboarding_cannot_be_asked_a_delivery_is_not_known_and_never_none(front, clock):
    await with_plan(front, clock, "acme")
    await pass_days(front, clock, 15)
    async with without(front, "onboarding") as blind:
        assert await due(blind, UPGRADE, customer_id="acme") == {"acme": (HELD, ["proof_pack_unknown"])}
        answer = await gw_rpc.GatewayServiceStub(blind.channel).GetCustomerOverview(
            gw.GetCustomerOverviewRequest(customer_id="acme")
        )
        assert not answer.risk.activity.no_proof_pack_yet
        talks = [found for found in answer.due_touchpoints if found.kind == UPGRADE]
        assert [reason.kind for found in talks for reason in found.reasons] == ["proof_pack_unknown"]
    answer = await gw_rpc.GatewayServiceStub(front.channel).AssessCustomer(gw.AssessCustomerRequest(customer_id="acme"))
    assert answer.risk.activity.no_proof_pack_yet


# --- open incidents ---------------------------------------------------------------------------------------------------


async def test_a_check_in_is_held_by_an_open_incident_however_it_is_asked_for(front, clock):
    await with_plan(front, clock, "acme", "zenith")
    await pass_days(front, clock, 13)
    await declare(front, customer_ids=["acme"])
    held = (HELD, ["open_incident"])
    assert await due(front, CHECK_IN) == {"acme": held, "zenith": (DRAFTED, [])}
    assert await due(front, CHECK_IN, customer_id="acme") == {"acme": held}
    stub, touchpoint = suc_rpc.SuccessServiceStub(front.channel), await touchpoint_of(front, CHECK_IN)
    for customer_id in ("", "acme"):
        request = suc.GetTouchpointRequest(touchpoint_id=touchpoint.touchpoint_id, customer_id=customer_id)
        found = (await stub.GetTouchpoint(request)).touchpoint
        assert (found.state, [reason.kind for reason in found.reasons]) == held
    await declare(front)
    assert await due(front, CHECK_IN) == {"acme": held, "zenith": held}


async def test_a_drill_holds_nothing_in_the_list_of_all(front, clock):
    await with_plan(front, clock, "acme")
    await pass_days(front, clock, 13)
    stub = inc_rpc.IncidentServiceStub(front.channel)
    facts = incident_pb2.TriageFacts(title="تمرين", affected_customers=1, unauthorized_send=True)
    await stub.DeclareIncident(inc.DeclareIncidentRequest(**written(facts=facts, drill=True)))
    assert await due(front, CHECK_IN) == {"acme": (DRAFTED, [])}


async def test_where_nobody_can_tell_what_is_open_no_check_in_is_shown_as_ready(front, clock):
    await with_plan(front, clock, "acme")
    await pass_days(front, clock, 13)
    unknown = {"acme": (HELD, ["incidents_unknown"])}
    async with without(front, "incidents") as blind:
        assert await due(blind, CHECK_IN) == unknown
        assert await due(blind, CHECK_IN, customer_id="acme") == unknown


# --- writes that can do without ---------------------------------------------------------------------------------------


async def test_a_high_alert_is_raised_while_incidents_cannot_be_asked(front, clock):
    await with_plan(front, clock, "acme")
    events = [
        activity_pb2.ActivityInput(kind=kind, occur_time=timestamp(clock()))
        for kind in (DELIVERED, activity_pb2.ACTIVITY_KIND_SEEN_ACTIVE)
    ]
    stub = suc_rpc.SuccessServiceStub(front.channel)
    await stub.RecordActivity(suc.RecordActivityRequest(**written(customer_id="acme", events=events)))
    # Success raises one by itself on the day on which the risk becomes high; this is a later one.
    await pass_days(front, clock, 20)
    async with without(front, "incidents") as blind:
        answer = await suc_rpc.SuccessServiceStub(blind.channel).CreateAtRiskAlert(
            suc.CreateAtRiskAlertRequest(**written(customer_id="acme"))
        )
    assert answer.alert.severity == success_pb2.RISK_SEVERITY_HIGH


async def test_what_no_incident_holds_back_is_done_while_incidents_cannot_be_asked(front, clock):
    await with_plan(front, clock, "acme")
    await pass_days(front, clock, 2)
    step = await touchpoint_of(front, plan_pb2.TOUCHPOINT_KIND_PLAN_STEP)
    internal = await draft_in(front, "success", channel=Channel.INTERNAL)
    async with without(front, "incidents") as blind:
        done = await suc_rpc.SuccessServiceStub(blind.channel).CompleteTouchpoint(
            suc.CompleteTouchpointRequest(**written(touchpoint_id=step.touchpoint_id, complete_time=timestamp(clock())))
        )
        approved = await approve(blind, "success", internal)
        moved = await con_rpc.ConnectorServiceStub(blind.channel).UpdateConnector(
            con.UpdateConnectorRequest(
                **written(customer_id="acme", connector_key="gmail", state=connector_pb2.CONNECTOR_STATE_CONFIGURING)
            )
        )
    assert done.touchpoint.state == plan_pb2.TOUCHPOINT_STATE_COMPLETED
    assert approved.draft.state == approval_pb2.DRAFT_STATE_APPROVED
    assert moved.connector.state == connector_pb2.CONNECTOR_STATE_CONFIGURING


# --- the cadence ------------------------------------------------------------------------------------------------------


async def test_a_cadence_is_not_called_inactive_where_success_cannot_be_asked(front):
    stub = onb_rpc.OnboardingServiceStub(front.channel)
    await stub.CreateChecklist(onb.CreateChecklistRequest(**written(customer_id="acme")))
    request = onb.GetAcceptanceRequest(customer_id="acme")
    assert (await stub.GetAcceptance(request)).criteria[-1].evidence_en == "The cadence is not active yet."
    async with without(front, "success") as blind:
        unknown = (await onb_rpc.OnboardingServiceStub(blind.channel).GetAcceptance(request)).criteria[-1]
    assert (unknown.met, unknown.evidence_en) == (
        False,
        "Whether the cadence is active is not known: nobody was asked.",
    )


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_hangs_leaves_time_for_the_others(front, clock, service):
    await with_plan(front, clock, "acme")
    async with hanging(front, service) as gateway:
        stub = gw_rpc.GatewayServiceStub(gateway.channel)
        for answer in await asyncio.gather(
            stub.GetCustomerOverview(gw.GetCustomerOverviewRequest(customer_id="acme"), timeout=3),
            stub.AssessCustomer(gw.AssessCustomerRequest(customer_id="acme"), timeout=3),
        ):
            failed = {(part.service, part.reason) for part in answer.parts if part.state == gw.PART_STATE_FAILED}
            assert failed <= {(service, "UPSTREAM_TIMEOUT")}
            assert failed or service == "onboarding"  # of which an assessment has no part


@pytest.mark.parametrize("service", ["incidents", "onboarding"])
async def test_a_list_is_answered_without_what_a_service_that_hangs_would_tell(front, clock, service):
    await with_plan(front, clock, "acme")
    async with hanging(front, service) as gateway:
        listed = await suc_rpc.SuccessServiceStub(gateway.channel).ListTouchpoints(
            suc.ListTouchpointsRequest(customer_id="acme"), timeout=3
        )
    assert listed.touchpoints


async def test_a_write_that_needs_to_know_says_in_time_who_does_not_answer(front, clock):
    await with_plan(front, clock, "acme")
    request = suc.CreateWeeklyCheckInRequest(**written(customer_id="acme"))
    async with hanging(front, "incidents") as gateway:
        began = time.monotonic()
        refusal = await refused(suc_rpc.SuccessServiceStub(gateway.channel).CreateWeeklyCheckIn(request, timeout=3))
        assert time.monotonic() - began < 2
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "UPSTREAM_TIMEOUT")
    assert refusal.metadata["service"] == "incidents"


@pytest.mark.parametrize("what", ["nothing at all", "an answer without a context", "not found"])
async def test_what_does_not_tell_of_freezes_releases_none(front, what):
    draft = await draft_in(front, "support")

    async def answer(path, payload, context):
        if not path.endswith("/GetOperatingContext"):
            return await front.services["incidents"].channel.unary_unary(path)(payload)
        if what == "not found":
            await context.abort(grpc.StatusCode.NOT_FOUND, "nobody")
        answered = inc.GetOperatingContextResponse(live_send_allowed=False, approval_required=False)
        return answered.SerializeToString() if what == "an answer without a context" else b""

    async with backend(answer) as address:
        targets = {name: running.address for name, running in front.services.items()} | {"incidents": address}
        async with gateway_at(targets, front.services) as other:
            refusal = await refused(approve(other, "support", draft))
    assert refusal.code != grpc.StatusCode.OK
    assert refusal.metadata["service"] == "incidents"
    assert (await approve(front, "support", draft)).draft.state == approval_pb2.DRAFT_STATE_APPROVED
