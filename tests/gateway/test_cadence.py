"""Whether the success cadence is active: success knows, onboarding decides by it, the gateway brings it along."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import grpc
from dealix.common.v1 import actor_pb2, channel_pb2
from dealix.onboarding.v1 import onboarding_service_pb2 as onb
from dealix.onboarding.v1 import onboarding_service_pb2_grpc as onb_rpc
from dealix.success.v1 import success_service_pb2 as suc
from dealix.success.v1 import success_service_pb2_grpc as suc_rpc

from tests.gateway.conftest import gateway_at
from tests.rpc.client import refused

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1")


def written(**fields):
    return {"request_id": str(uuid.uuid4()), "actor": PERSON, "customer_id": "acme", **fields}


def day(ahead):
    """The date so many days from now."""
    return (datetime.now(UTC) + timedelta(days=ahead)).date().isoformat()


async def cadence(front, **claimed):
    """The last of the four criteria as the gateway's client sees it."""
    stub = onb_rpc.OnboardingServiceStub(front.channel)
    answer = await stub.GetAcceptance(onb.GetAcceptanceRequest(customer_id="acme", **claimed))
    return answer.criteria[-1]


async def test_onboarding_sees_the_plan_that_success_activated_and_not_what_a_client_claims(front):
    onboarding, success = onb_rpc.OnboardingServiceStub(front.channel), suc_rpc.SuccessServiceStub(front.channel)
    await onboarding.CreateChecklist(onb.CreateChecklistRequest(**written()))
    assert not (await cadence(front, cadence=onb.CadenceFact(active=True))).met
    await success.ActivatePlan(
        suc.ActivatePlanRequest(
            **written(
                bundle_id="growth_starter",
                start_date=day(1),
                renewal_date=day(366),
                channel=channel_pb2.CHANNEL_EMAIL,
            )
        )
    )
    assert (await cadence(front)).met


async def test_what_is_missing_for_acceptance_is_listed_through_the_gateway(front):
    stub = onb_rpc.OnboardingServiceStub(front.channel)
    await stub.CreateChecklist(onb.CreateChecklistRequest(**written()))
    refusal = await refused(stub.AcceptOnboarding(onb.AcceptOnboardingRequest(**written())))
    assert refusal.reason == "ACCEPTANCE_INCOMPLETE"
    assert refusal.missing


async def test_nothing_is_accepted_while_success_cannot_be_asked(front):
    stub = onb_rpc.OnboardingServiceStub(front.channel)
    await stub.CreateChecklist(onb.CreateChecklistRequest(**written()))
    targets = {name: running.address for name, running in front.services.items() if name != "success"}
    async with gateway_at(targets, front.services) as blind:
        refusal = await refused(
            onb_rpc.OnboardingServiceStub(blind.channel).AcceptOnboarding(onb.AcceptOnboardingRequest(**written()))
        )
    assert (refusal.code, refusal.metadata["service"]) == (grpc.StatusCode.UNAVAILABLE, "success")
