"""One customer as several services know it, and what is said where one of them does not answer."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from dealix.common.v1 import actor_pb2, channel_pb2
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.gateway.v1 import gateway_service_pb2_grpc as gw_rpc
from dealix.onboarding.v1 import onboarding_service_pb2 as onb
from dealix.onboarding.v1 import onboarding_service_pb2_grpc as onb_rpc
from dealix.success.v1 import success_service_pb2 as suc
from dealix.success.v1 import success_service_pb2_grpc as suc_rpc
from dealix.support.v1 import sla_pb2

from gateway.contract import SERVICES
from tests.gateway.conftest import front_at, gateway_at
from tests.rpc.client import Clock, refused

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1")
LEAK = "ظهرت بيانات عميل آخر في حسابنا، تسريب بيانات"
PARTS = {
    "incidents": ["incidents"],
    "onboarding": ["onboarding"],
    "support": ["tickets", "due_clocks"],
    "success": ["plan", "due_touchpoints", "risk", "health"],
}
STATES = {
    gw.PART_STATE_ANSWERED: "answered",
    gw.PART_STATE_NOTHING_KNOWN: "nothing known",
    gw.PART_STATE_FAILED: "failed",
}


def written(**fields):
    return {"request_id": str(uuid.uuid4()), "actor": PERSON, "customer_id": "acme", **fields}


def day(ahead):
    """The date so many days from now."""
    return (datetime.now(UTC) + timedelta(days=ahead)).date().isoformat()


def states(answer):
    """What became of each part, by its name."""
    return {part.name: STATES[part.state] for part in answer.parts}


async def live(front):
    """A customer with an onboarding, a plan and a critical ticket."""
    await onb_rpc.OnboardingServiceStub(front.channel).CreateChecklist(onb.CreateChecklistRequest(**written()))
    await suc_rpc.SuccessServiceStub(front.channel).ActivatePlan(
        suc.ActivatePlanRequest(
            **written(
                bundle_id="growth_starter",
                start_date=day(1),
                renewal_date=day(366),
                channel=channel_pb2.CHANNEL_EMAIL,
            )
        )
    )
    return await gw_rpc.GatewayServiceStub(front.channel).HandleTicket(gw.HandleTicketRequest(**written(body=LEAK)))


async def test_an_overview_holds_what_each_service_knows(front):
    handled = await live(front)
    answer = await gw_rpc.GatewayServiceStub(front.channel).GetCustomerOverview(
        gw.GetCustomerOverviewRequest(customer_id="acme")
    )
    assert set(states(answer).values()) == {"answered"}
    assert sorted(states(answer)) == sorted(name for names in PARTS.values() for name in names)
    assert answer.onboarding.checklist.customer_id == "acme"
    assert [ticket.ticket_id for ticket in answer.tickets] == [handled.routed.ticket.ticket_id]
    assert [one.incident_id for one in answer.incidents.incidents] == [handled.incident.incident_id]
    assert [one.freeze_id for one in answer.incidents.freezes] == [handled.freeze.freeze_id]
    assert answer.plan.bundle_id == "growth_starter"
    assert answer.approval_required
    assert not answer.live_send_allowed


@pytest.mark.parametrize("down", SERVICES)
async def test_a_part_that_failed_is_marked_and_not_invented(front, down):
    await live(front)
    targets = {name: running.address for name, running in front.services.items() if name != down}
    async with gateway_at(targets, front.services) as gateway:
        answer = await gw_rpc.GatewayServiceStub(gateway.channel).GetCustomerOverview(
            gw.GetCustomerOverviewRequest(customer_id="acme")
        )
    for service, names in PARTS.items():
        for name in names:
            assert states(answer)[name] == ("failed" if service == down else "answered"), name
            if service == down:
                assert name not in [field.name for field, _ in answer.ListFields()]
    assert {part.reason for part in answer.parts if part.service == down} == {"UPSTREAM_UNAVAILABLE"}


async def test_a_customer_that_nobody_has_heard_of_is_unknown(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    answer = await stub.GetCustomerOverview(gw.GetCustomerOverviewRequest(customer_id="nobody"))
    found = states(answer)
    assert (found["onboarding"], found["plan"]) == ("nothing known", "nothing known")
    assert not answer.HasField("onboarding")
    assert not answer.tickets
    assessed = await stub.AssessCustomer(gw.AssessCustomerRequest(customer_id="nobody"))
    assert assessed.sla.total_tickets == 0
    assert "failed" not in states(assessed).values()


async def test_where_nobody_answers_there_is_no_answer(front):
    async with gateway_at({}) as gateway:
        stub = gw_rpc.GatewayServiceStub(gateway.channel)
        for ask in (
            stub.GetCustomerOverview(gw.GetCustomerOverviewRequest(customer_id="acme")),
            stub.AssessCustomer(gw.AssessCustomerRequest(customer_id="acme")),
        ):
            refusal = await refused(ask)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE")


async def test_an_assessment_holds_risk_health_tickets_and_incidents(front):
    handled = await live(front)
    answer = await gw_rpc.GatewayServiceStub(front.channel).AssessCustomer(gw.AssessCustomerRequest(customer_id="acme"))
    assert states(answer) == dict.fromkeys(("risk", "health", "sla", "due_clocks", "incidents"), "answered")
    assert answer.risk.customer_id == answer.health.customer_id == "acme"
    assert answer.sla.total_tickets == 1
    assert [one.incident_id for one in answer.incidents.incidents] == [handled.incident.incident_id]


async def test_a_promise_that_has_been_in_breach_for_long_is_in_the_assessment(tmp_path):
    clock = Clock(datetime(2026, 3, 1, 9, tzinfo=UTC))
    async with front_at(tmp_path, clock=clock) as front:
        stub = gw_rpc.GatewayServiceStub(front.channel)
        opened = await stub.HandleTicket(gw.HandleTicketRequest(**written(body=LEAK)))
        clock.pass_time(timedelta(days=31))
        answer = await stub.AssessCustomer(gw.AssessCustomerRequest(customer_id="acme"))
    breached = [(due.ticket_id, due.state) for due in answer.due_clocks]
    assert breached == [(opened.routed.ticket.ticket_id, sla_pb2.SLA_CLOCK_STATE_BREACHED)] * 2
    assert not answer.sla.total_tickets


async def test_a_ticket_of_this_moment_is_assessed_where_supports_clock_is_ahead(front):
    await live(front)
    targets = {name: running.address for name, running in front.services.items()}
    async with gateway_at(targets, front.services, clock=lambda: datetime.now(UTC) - timedelta(seconds=5)) as behind:
        answer = await gw_rpc.GatewayServiceStub(behind.channel).AssessCustomer(
            gw.AssessCustomerRequest(customer_id="acme")
        )
    assert answer.sla.total_tickets == 1
