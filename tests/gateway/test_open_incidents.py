"""What an open incident holds back: incidents knows of it, success decides by it, the gateway brings it along."""

from __future__ import annotations

import uuid

import grpc
from dealix.common.v1 import channel_pb2, context_pb2
from dealix.incidents.v1 import incident_pb2
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.incidents.v1 import incident_service_pb2_grpc as inc_rpc
from dealix.success.v1 import plan_pb2
from dealix.success.v1 import success_service_pb2 as suc
from dealix.success.v1 import success_service_pb2_grpc as suc_rpc

from services.runtime.service import utc_now
from services.runtime.wire import timestamp
from tests.gateway.conftest import gateway_at
from tests.gateway.test_cadence import PERSON, day, written
from tests.rpc.client import refused

CHECK_IN = plan_pb2.TOUCHPOINT_KIND_WEEKLY_CHECK_IN
COMPLETED = plan_pb2.TOUCHPOINT_STATE_COMPLETED


async def check_in_of(front, customer_id):
    """The first weekly check-in of a customer's plan."""
    dates = {"start_date": day(0), "renewal_date": day(200)}
    answer = await suc_rpc.SuccessServiceStub(front.channel).ActivatePlan(
        suc.ActivatePlanRequest(
            **written(customer_id=customer_id, bundle_id="growth_starter", channel=channel_pb2.CHANNEL_EMAIL, **dates)
        )
    )
    return next(found.touchpoint_id for found in answer.touchpoints if found.kind == CHECK_IN)


async def declare(front, customer_id):
    """A SEV1 of one customer."""
    facts = incident_pb2.TriageFacts(title="رسائل دون اعتماد", affected_customers=1, unauthorized_send=True)
    await inc_rpc.IncidentServiceStub(front.channel).DeclareIncident(
        inc.DeclareIncidentRequest(request_id=str(uuid.uuid4()), actor=PERSON, facts=facts, customer_ids=[customer_id])
    )


def done(touchpoint_id, **fields):
    """That a touchpoint took place just now, with no word of whose it is."""
    written_as = {"request_id": str(uuid.uuid4()), "actor": PERSON, "complete_time": timestamp(utc_now())}
    return suc.CompleteTouchpointRequest(**{**written_as, "touchpoint_id": touchpoint_id, **fields})


async def test_a_check_in_is_not_completed_while_a_grave_incident_of_its_customer_is_open(front):
    stub = suc_rpc.SuccessServiceStub(front.channel)
    held, free = await check_in_of(front, "acme"), await check_in_of(front, "zenith")
    await declare(front, "acme")
    nothing_open = context_pb2.Context(freezes_known=True, incidents_known=True)
    for claimed in ({}, {"context": nothing_open}):
        refusal = await refused(stub.CompleteTouchpoint(done(held, **claimed)))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CHECK_IN_SUPPRESSED")
        assert refusal.metadata == {"customer_id": "acme", "severity": "SEV1"}
    assert (await stub.CompleteTouchpoint(done(free))).touchpoint.state == COMPLETED


async def test_past_the_gateway_nothing_is_known_of_incidents_and_a_check_in_is_completed(front):
    found = await check_in_of(front, "acme")
    await declare(front, "acme")
    async with grpc.aio.insecure_channel(front.services["success"].address) as direct:
        answer = await suc_rpc.SuccessServiceStub(direct).CompleteTouchpoint(done(found))
    assert answer.touchpoint.state == COMPLETED


async def test_a_completion_waits_until_incidents_can_be_asked_and_is_repeated_then(front):
    request = done(await check_in_of(front, "acme"))
    targets = {name: running.address for name, running in front.services.items() if name != "incidents"}
    async with gateway_at(targets, front.services) as blind:
        refusal = await refused(suc_rpc.SuccessServiceStub(blind.channel).CompleteTouchpoint(request))
    assert (refusal.code, refusal.metadata["service"]) == (grpc.StatusCode.UNAVAILABLE, "incidents")
    stub = suc_rpc.SuccessServiceStub(front.channel)
    answer = await stub.CompleteTouchpoint(request)
    assert answer.touchpoint.state == COMPLETED
    # What is open by now does not change what the same write answers.
    await declare(front, "acme")
    assert await stub.CompleteTouchpoint(request) == answer


async def test_a_touchpoint_that_does_not_exist_is_not_found_and_every_fault_of_a_completion_is_named(front):
    stub = suc_rpc.SuccessServiceStub(front.channel)
    assert (await refused(stub.CompleteTouchpoint(done("tch_" + "a" * 26)))).reason == "TOUCHPOINT_NOT_FOUND"
    refusal = await refused(stub.CompleteTouchpoint(done("nonsense", request_id="none")))
    assert set(refusal.fields) == {"touchpoint_id", "request_id"}
