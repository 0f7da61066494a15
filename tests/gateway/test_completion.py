"""From the last criterion to an accepted customer, and the four ledgers as one."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, date, datetime, timedelta

import grpc
import pytest
from dealix.common.v1 import actor_pb2, approval_pb2, channel_pb2
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.gateway.v1 import gateway_service_pb2_grpc as gw_rpc
from dealix.onboarding.v1 import connector_pb2, onboarding_pb2
from dealix.onboarding.v1 import connector_service_pb2 as con
from dealix.onboarding.v1 import connector_service_pb2_grpc as con_rpc
from dealix.onboarding.v1 import onboarding_service_pb2 as onb
from dealix.onboarding.v1 import onboarding_service_pb2_grpc as onb_rpc
from dealix.success.v1 import activity_pb2, plan_pb2
from dealix.success.v1 import success_service_pb2 as suc
from dealix.success.v1 import success_service_pb2_grpc as suc_rpc

from gateway.contract import SERVICES
from services.runtime.wire import timestamp
from tests.gateway.conftest import backend, gateway_at
from tests.rpc.client import pages, refused

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1")
LEAK = "ظهرت بيانات عميل آخر في حسابنا، تسريب بيانات"
INPUTS = {
    "select_goal": "اجتماعات أكثر",
    "select_bundle": "growth_starter",
    "company_intake": "تجارة مواد البناء",
    "connect_channels": "واتساب على وضع المسودات",
    "upload_or_source": "قائمة عملاء 2026",
}
CADENCE = "success_cadence_active"
OTHER = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-2")
SOFTWARE = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="onboarding-bot")
DELIVERED = activity_pb2.ACTIVITY_KIND_PROOF_PACK_DELIVERED
APPROVED = activity_pb2.ACTIVITY_KIND_PROOF_PACK_APPROVED


def written(**fields):
    return {"request_id": str(uuid.uuid4()), "actor": PERSON, "customer_id": "acme", **fields}


def now(ago=timedelta()):
    return timestamp(datetime.now(UTC) - ago)


def completion(**fields):
    """The call that completes the onboarding of acme."""
    today = datetime.now(UTC).date()
    return gw.CompleteOnboardingRequest(
        **written(
            start_date=(today + timedelta(days=1)).isoformat(),
            renewal_date=(today + timedelta(days=366)).isoformat(),
            channel=channel_pb2.CHANNEL_EMAIL,
            **fields,
        )
    )


async def begun(front):
    """An onboarding with its steps and its connector, and no Proof Pack yet."""
    onboarding = onb_rpc.OnboardingServiceStub(front.channel)
    connectors = con_rpc.ConnectorServiceStub(front.channel)
    await onboarding.CreateChecklist(onb.CreateChecklistRequest(**written()))
    await connectors.UpdateConnector(
        con.UpdateConnectorRequest(
            **written(
                connector_key="whatsapp_cloud",
                state=connector_pb2.CONNECTOR_STATE_CONNECTED_DRAFT_ONLY,
                opt_in_audit=connector_pb2.OptInAudit(opted_in_numbers=120, reference="doc-41", audit_time=now()),
            )
        )
    )
    await onboarding.RecordRiskReview(
        onb.RecordRiskReviewRequest(
            **written(
                outcome=onboarding_pb2.RISK_OUTCOME_CLEAN, reference="review-7", reviewer=PERSON, review_time=now()
            )
        )
    )
    for step_id in (*INPUTS, "risk_review"):
        approval = approval_pb2.Approval(approver=PERSON, approve_time=now())
        needs_none = step_id in ("select_goal", "company_intake")
        await onboarding.UpdateStep(
            onb.UpdateStepRequest(
                **written(
                    step_id=step_id,
                    completed=True,
                    input=INPUTS.get(step_id, ""),
                    approval=None if needs_none else approval,
                )
            )
        )


async def proven(front):
    """Proof Pack v1, delivered and approved."""
    for event in (onboarding_pb2.PROOF_PACK_EVENT_DELIVERED, onboarding_pb2.PROOF_PACK_EVENT_APPROVED):
        await onb_rpc.OnboardingServiceStub(front.channel).RecordProofPack(
            onb.RecordProofPackRequest(**written(event=event, person=PERSON, occur_time=now(), reference="pack-1"))
        )


async def test_the_cadence_is_activated_when_nothing_else_is_missing_and_the_call_is_safe_to_repeat(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    await begun(front)
    refusal = await refused(stub.CompleteOnboarding(completion()))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ACCEPTANCE_INCOMPLETE")
    assert refusal.missing
    plans = suc_rpc.SuccessServiceStub(front.channel)
    nothing = await refused(plans.GetPlan(suc.GetPlanRequest(customer_id="acme")))
    assert nothing.code == grpc.StatusCode.NOT_FOUND

    await proven(front)
    request = completion()
    done = await stub.CompleteOnboarding(request)
    assert {criterion.criterion_id for criterion in done.acceptance.criteria if criterion.met} >= {CADENCE}
    assert all(criterion.met for criterion in done.acceptance.criteria)
    assert (done.plan.bundle_id, done.plan.state) == ("growth_starter", plan_pb2.PLAN_STATE_ACTIVE)
    assert done.plan_activated
    assert await stub.CompleteOnboarding(request) == done


def activation(request):
    """The plan that a completion would activate, activated by somebody else."""
    return suc.ActivatePlanRequest(
        **written(
            bundle_id="growth_starter",
            start_date=request.start_date,
            renewal_date=request.renewal_date,
            channel=request.channel,
        )
    )


async def plan_state(front):
    plan = (await suc_rpc.SuccessServiceStub(front.channel).GetPlan(suc.GetPlanRequest(customer_id="acme"))).plan
    return plan.state


@pytest.mark.parametrize("by_this_call", [True, False])
async def test_a_completion_that_is_repeated_after_the_customer_left_is_answered_as_before(front, by_this_call):
    stub, success = gw_rpc.GatewayServiceStub(front.channel), suc_rpc.SuccessServiceStub(front.channel)
    await begun(front)
    await proven(front)
    request = completion()
    if not by_this_call:
        await success.ActivatePlan(activation(request))
    done = await stub.CompleteOnboarding(request)
    assert (done.plan_activated, done.plan.state) == (by_this_call, plan_pb2.PLAN_STATE_ACTIVE)
    # What was agreed on may be chosen anew, and the customer may leave.
    await onb_rpc.OnboardingServiceStub(front.channel).UpdateStep(
        onb.UpdateStepRequest(
            **written(
                step_id="select_bundle",
                completed=True,
                input="data_to_revenue",
                approval=approval_pb2.Approval(approver=PERSON, approve_time=now()),
            )
        )
    )
    await success.EndPlan(suc.EndPlanRequest(**written(reason="غادر العميل")))
    again = await stub.CompleteOnboarding(request)
    if not by_this_call:
        # Of a plan that it did not activate it tells how it stands.
        assert again.plan.state == plan_pb2.PLAN_STATE_ENDED
        again.plan.CopyFrom(done.plan)
    assert again == done
    # Nor does another call begin anything for a customer who was accepted long ago.
    later = await stub.CompleteOnboarding(completion())
    assert (later.acceptance, later.plan_activated) == (done.acceptance, False)
    assert await plan_state(front) == plan_pb2.PLAN_STATE_ENDED


async def test_a_completion_with_other_content_under_the_same_id_is_refused_and_does_nothing(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    await begun(front)
    await proven(front)
    request = completion()
    done = await stub.CompleteOnboarding(request)
    before = await everything(stub)
    next_day = (date.fromisoformat(request.start_date) + timedelta(days=1)).isoformat()
    whatsapp = channel_pb2.CHANNEL_WHATSAPP
    for field, value in (("start_date", next_day), ("renewal_date", "2031-01-01"), ("channel", whatsapp)):
        other = gw.CompleteOnboardingRequest()
        other.CopyFrom(request)
        setattr(other, field, value)
        refusal = await refused(stub.CompleteOnboarding(other))
        assert (refusal.reason, refusal.metadata) == ("REQUEST_ID_REUSED", {"request_id": request.request_id})
    assert await everything(stub) == before
    assert await stub.CompleteOnboarding(request) == done


async def test_of_many_completions_at_once_one_activates_and_all_are_accepted(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    await begun(front)
    await proven(front)
    same = completion()
    answers = await asyncio.gather(*(stub.CompleteOnboarding(one) for one in (same, same, *(completion(),) * 3)))
    assert answers[0] == answers[1]
    assert len({answer.acceptance.SerializeToString() for answer in answers}) == 1
    assert len({answer.plan.SerializeToString() for answer in answers if answer.plan_activated}) == 1
    assert await plan_state(front) == plan_pb2.PLAN_STATE_ACTIVE


async def test_a_completion_that_ended_half_way_is_finished_by_repeating_it(front):
    await begun(front)
    await proven(front)
    request = completion()
    targets = {name: running.address for name, running in front.services.items() if name != "success"}
    async with gateway_at(targets, front.services) as half:
        refusal = await refused(gw_rpc.GatewayServiceStub(half.channel).CompleteOnboarding(request))
        assert refusal.reason == "UPSTREAM_UNAVAILABLE"
    done = await gw_rpc.GatewayServiceStub(front.channel).CompleteOnboarding(request)
    assert all(criterion.met for criterion in done.acceptance.criteria)


async def test_a_completion_that_broke_off_before_the_acceptance_says_that_it_activated_the_plan(front):
    await begun(front)
    await proven(front)
    request = completion()

    async def accepts_not(path, payload, context):
        if path.endswith("AcceptOnboarding"):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "")
        return await front.services["onboarding"].channel.unary_unary(path)(payload)

    targets = {name: running.address for name, running in front.services.items()}
    async with (
        backend(accepts_not) as onboarding,
        gateway_at({**targets, "onboarding": onboarding}, front.services) as half,
    ):
        refusal = await refused(gw_rpc.GatewayServiceStub(half.channel).CompleteOnboarding(request))
        assert refusal.reason == "UPSTREAM_UNAVAILABLE"
    done = await gw_rpc.GatewayServiceStub(front.channel).CompleteOnboarding(request)
    assert (done.plan_activated, done.plan.state) == (True, plan_pb2.PLAN_STATE_ACTIVE)


async def on_record(front, kind):
    """When and where, of each event of a kind that success has on record of acme and that still counts."""
    found = await suc_rpc.SuccessServiceStub(front.channel).ListActivities(
        suc.ListActivitiesRequest(customer_id="acme", kind=kind)
    )
    return [
        (one.occur_time.ToNanoseconds(), one.reference) for one in found.activities if not one.corrected_by_activity_id
    ]


async def record(front, **event):
    """An event that somebody records with success."""
    answer = await suc_rpc.SuccessServiceStub(front.channel).RecordActivity(
        suc.RecordActivityRequest(**written(events=[activity_pb2.ActivityInput(**event)]))
    )
    return answer.activities[0]


async def known(front):
    """What the overview says of acme's Proof Pack: as onboarding has it, and as success has it."""
    found = await gw_rpc.GatewayServiceStub(front.channel).GetCustomerOverview(
        gw.GetCustomerOverviewRequest(customer_id="acme")
    )
    return found.onboarding.proof_pack, found.risk.activity


async def test_success_has_the_proof_pack_of_a_completed_onboarding_on_record_once(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    await begun(front)
    await proven(front)
    request = completion()
    await stub.CompleteOnboarding(request)
    pack, activity = await known(front)
    assert (activity.proof_packs_delivered, activity.proof_packs_approved) == (1, 1)
    assert not activity.no_proof_pack_yet
    kept = {DELIVERED: pack.delivery, APPROVED: pack.approval}
    for kind, fact in kept.items():
        assert await on_record(front, kind) == [(fact.occur_time.ToNanoseconds(), fact.reference)]

    again = (request, completion(), completion(actor=OTHER))
    await asyncio.gather(*(stub.CompleteOnboarding(one) for one in again))
    assert [len(await on_record(front, kind)) for kind in kept] == [1, 1]


@pytest.mark.parametrize(("ago", "deliveries"), [(timedelta(0), 1), (timedelta(days=2), 2)])
async def test_a_delivery_that_somebody_recorded_with_success_is_not_recorded_twice(front, ago, deliveries):
    await begun(front)
    await proven(front)
    await record(front, kind=DELIVERED, occur_time=now(ago), reference="by hand")
    await gw_rpc.GatewayServiceStub(front.channel).CompleteOnboarding(completion())
    assert len(await on_record(front, DELIVERED)) == deliveries
    assert len(await on_record(front, APPROVED)) == 1


async def test_what_was_recorded_by_mistake_does_not_stand_for_the_delivery(front):
    await begun(front)
    await proven(front)
    wrong = await record(front, kind=DELIVERED, occur_time=now())
    await record(
        front,
        kind=activity_pb2.ACTIVITY_KIND_RETRACTED,
        occur_time=now(),
        corrects_activity_id=wrong.activity_id,
    )
    await gw_rpc.GatewayServiceStub(front.channel).CompleteOnboarding(completion())
    assert len(await on_record(front, DELIVERED)) == 1


async def test_a_correction_of_what_was_brought_along_stays(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    await begun(front)
    await proven(front)
    request = completion()
    await stub.CompleteOnboarding(request)
    listed = await suc_rpc.SuccessServiceStub(front.channel).ListActivities(
        suc.ListActivitiesRequest(customer_id="acme", kind=DELIVERED)
    )
    await record(
        front,
        kind=activity_pb2.ACTIVITY_KIND_RETRACTED,
        occur_time=now(),
        corrects_activity_id=listed.activities[0].activity_id,
    )
    for one in (request, completion()):
        assert (await stub.CompleteOnboarding(one)).acceptance.accepter == PERSON
    assert not await on_record(front, DELIVERED)


async def test_an_onboarding_that_was_accepted_otherwise_is_told_of_too(front):
    await begun(front)
    await proven(front)
    request = completion()
    await suc_rpc.SuccessServiceStub(front.channel).ActivatePlan(activation(request))
    await onb_rpc.OnboardingServiceStub(front.channel).AcceptOnboarding(onb.AcceptOnboardingRequest(**written()))
    assert not (await gw_rpc.GatewayServiceStub(front.channel).CompleteOnboarding(request)).plan_activated
    assert len(await on_record(front, DELIVERED)) == 1


async def test_software_completes_nothing_and_leaves_no_plan(front):
    await begun(front)
    await proven(front)
    refusal = await refused(gw_rpc.GatewayServiceStub(front.channel).CompleteOnboarding(completion(actor=SOFTWARE)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERSON_REQUIRED")
    assert refusal.metadata == {"action": "accept_onboarding"}
    plan = await refused(suc_rpc.SuccessServiceStub(front.channel).GetPlan(suc.GetPlanRequest(customer_id="acme")))
    assert plan.reason == "PLAN_NOT_FOUND"


async def test_a_completion_under_an_id_of_another_names_the_id_that_was_sent(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    await begun(front)
    await proven(front)
    request = completion()
    await stub.CompleteOnboarding(request)
    refusal = await refused(stub.CompleteOnboarding(completion(request_id=request.request_id, actor=OTHER)))
    assert (refusal.reason, refusal.metadata) == ("REQUEST_ID_REUSED", {"request_id": request.request_id})


async def everything(stub, **fields):
    """The four ledgers to their end, page by page."""
    return [
        (line.service, line.entry.sequence, line.entry.record_time.ToNanoseconds(), line.entry.subject)
        async for page in pages(lambda token: stub.ListLedger(gw.ListLedgerRequest(page_token=token, **fields)))
        for line in page.entries
    ]


async def test_the_four_ledgers_are_one_in_the_order_of_time(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    for _ in range(4):
        await stub.HandleTicket(gw.HandleTicketRequest(**written(body=LEAK)))
        await onb_rpc.OnboardingServiceStub(front.channel).CreateChecklist(
            onb.CreateChecklistRequest(**written(customer_id=f"c-{uuid.uuid4().hex}"))
        )
    whole = await everything(stub, page_size=200)
    assert [line[2] for line in whole] == sorted(line[2] for line in whole)
    for service in SERVICES:
        sequences = [line[1] for line in whole if line[0] == service]
        assert sequences == list(range(1, len(sequences) + 1))
    assert {line[0] for line in whole} == {"support", "incidents", "onboarding"}
    for size in (1, 3, 7, len(whole)):
        assert await everything(stub, page_size=size) == whole
    subject = whole[0][3]
    assert await everything(stub, subject=subject) == [line for line in whole if line[3] == subject]


async def test_a_ledger_that_cannot_be_read_is_no_gap(front):
    targets = {name: running.address for name, running in front.services.items() if name != "onboarding"}
    async with gateway_at(targets, front.services) as gateway:
        refusal = await refused(gw_rpc.GatewayServiceStub(gateway.channel).ListLedger(gw.ListLedgerRequest()))
    assert (refusal.code, refusal.metadata["service"]) == (grpc.StatusCode.UNAVAILABLE, "onboarding")


async def test_a_token_belongs_to_its_query(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    await asyncio.gather(*(stub.HandleTicket(gw.HandleTicketRequest(**written(body=LEAK))) for _ in range(2)))
    page = await stub.ListLedger(gw.ListLedgerRequest(page_size=1))
    other = gw.ListLedgerRequest(page_size=1, page_token=page.next_page_token, subject="ticket/x")
    assert (await refused(stub.ListLedger(other))).fields == {"page_token": "PAGE_TOKEN_OF_OTHER_QUERY"}
