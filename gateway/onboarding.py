"""From the last criterion to an accepted customer: success activates the cadence, onboarding keeps the evidence, and success
is told of the Proof Pack in it."""

from __future__ import annotations

from dealix.common.v1 import actor_pb2
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.onboarding.v1 import evidence_pb2, onboarding_pb2, onboarding_service_pb2
from dealix.success.v1 import activity_pb2, plan_pb2, success_service_pb2

from gateway import ledgers
from gateway.compose import Composer, part_id
from services.domain.errors import PersonRequired
from services.domain.riyadh import riyadh_date
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.wire import moment_at

_ONBOARDING = "/dealix.onboarding.v1.OnboardingService"
_SUCCESS = "/dealix.success.v1.SuccessService"
CADENCE = "success_cadence_active"
PROOF_PACK = "proof_pack_delivered_and_approved"
# What success calls the parts of that criterion's evidence.
_ACTIVITIES = {
    "delivery": activity_pb2.ACTIVITY_KIND_PROOF_PACK_DELIVERED,
    "approval": activity_pb2.ACTIVITY_KIND_PROOF_PACK_APPROVED,
}
# Of this the ids are made under which success is told of a customer's first Proof Pack once.
_PACKS = "6ebe3888-b197-44a7-a4b1-50f975665515"
_ACTIVITY_PAGE = 200


def cadence_of(plan: plan_pb2.Plan | None) -> onboarding_service_pb2.CadenceFact:
    """What onboarding is told of a customer's plan; of None, where there is none, that no cadence is active."""
    if plan is None:
        return onboarding_service_pb2.CadenceFact()
    return onboarding_service_pb2.CadenceFact(
        active=plan.state == plan_pb2.PLAN_STATE_ACTIVE,
        activate_time=plan.activate_time,
        # No customer's id in it: some look like a credential, which onboarding takes for none.
        reference=f"success-plan-{plan.start_date}",
    )


async def complete(
    composer: Composer, request: pb.CompleteOnboardingRequest, call: Call
) -> pb.CompleteOnboardingResponse:
    """Activates the plan where only the cadence is missing, accepts, and tells success of the Proof Pack.

    Each write's id comes from the request, and the ledger of success tells whether an earlier call with it activated the plan:
    so a repeated call repeats its own writes exactly, whatever has happened since, and makes none that it did not make. Raises
    ``RpcFailure``, and ``PersonRequired`` before anything is written.
    """
    if request.actor.kind != actor_pb2.ACTOR_KIND_PERSON:
        raise PersonRequired("a person accepts an onboarding", action="accept_onboarding")
    customer_id = request.customer_id
    activated = await _activated(composer, request, call)
    plan = await composer.plan(customer_id, call)
    accepted: onboarding_service_pb2.AcceptOnboardingResponse = await composer.ask(
        "onboarding",
        f"{_ONBOARDING}/AcceptOnboarding",
        onboarding_service_pb2.AcceptOnboardingRequest(
            request_id=part_id(request.request_id, "accept"),
            actor=request.actor,
            customer_id=customer_id,
            cadence=cadence_of(plan),
        ),
        call,
    )
    await _tell_of_proof_pack(composer, request, accepted.acceptance, call)
    return pb.CompleteOnboardingResponse(
        acceptance=accepted.acceptance,
        plan=activated or plan,
        plan_activated=activated is not None,
        approval_required=True,
    )


async def _activated(composer: Composer, request: pb.CompleteOnboardingRequest, call: Call) -> plan_pb2.Plan | None:
    """The plan that this call activates, or did when it was made before; None where there is nothing for it to activate."""
    customer_id = request.customer_id
    plan = await composer.plan(customer_id, call)
    judged: onboarding_service_pb2.GetAcceptanceResponse = await composer.ask(
        "onboarding",
        f"{_ONBOARDING}/GetAcceptance",
        onboarding_service_pb2.GetAcceptanceRequest(customer_id=customer_id, cadence=cadence_of(plan)),
        call,
    )
    # Looked for last: what a call of the same id has activated meanwhile is seen here, if not above.
    request_id = part_id(request.request_id, "activate")
    before = await ledgers.entry_of(
        composer, "success", request_id, call, subject=f"plan/{customer_id}", action="plan.activated"
    )
    if before is not None:
        return await _activate(composer, request, request_id, before.attributes["bundle_id"], call)
    others_met = all(criterion.met for criterion in judged.criteria if criterion.criterion_id != CADENCE)
    active = plan is not None and plan.state == plan_pb2.PLAN_STATE_ACTIVE
    if active or judged.HasField("acceptance") or not others_met:
        return None
    known: onboarding_service_pb2.GetChecklistResponse = await composer.ask(
        "onboarding",
        f"{_ONBOARDING}/GetChecklist",
        onboarding_service_pb2.GetChecklistRequest(customer_id=customer_id),
        call,
    )
    try:
        return await _activate(composer, request, request_id, known.checklist.bundle_id, call)
    except RpcFailure as failure:
        # Somebody else has activated it meanwhile.
        if failure.reason != "PLAN_EXISTS":
            raise
        return None


async def _activate(
    composer: Composer, request: pb.CompleteOnboardingRequest, request_id: str, bundle_id: str, call: Call
) -> plan_pb2.Plan:
    activated: success_service_pb2.ActivatePlanResponse = await composer.ask(
        "success",
        f"{_SUCCESS}/ActivatePlan",
        success_service_pb2.ActivatePlanRequest(
            request_id=request_id,
            actor=request.actor,
            customer_id=request.customer_id,
            bundle_id=bundle_id,
            start_date=request.start_date,
            renewal_date=request.renewal_date,
            channel=request.channel,
        ),
        call,
    )
    return activated.plan


async def _tell_of_proof_pack(
    composer: Composer, request: pb.CompleteOnboardingRequest, acceptance: onboarding_pb2.Acceptance, call: Call
) -> None:
    """Records with success what the acceptance shows of the Proof Pack, and success does not have on record."""
    shown = [
        part
        for criterion in acceptance.criteria
        if criterion.criterion_id == PROOF_PACK
        for part in criterion.evidence
        if part.subject in _ACTIVITIES
    ]
    events = [
        activity_pb2.ActivityInput(kind=_ACTIVITIES[part.subject], occur_time=part.time, reference=part.reference)
        for part in shown
        if not await _on_record(composer, request.customer_id, part, call)
    ]
    if not events:
        return
    try:
        await composer.ask(
            "success",
            f"{_SUCCESS}/RecordActivity",
            success_service_pb2.RecordActivityRequest(
                request_id=part_id(_PACKS, f"proof-pack-v1/{request.customer_id}"),
                actor=request.actor,
                customer_id=request.customer_id,
                events=events,
            ),
            call,
        )
    except RpcFailure as failure:
        # Told before by somebody else, or told in full and a part of it corrected since.
        if failure.reason != "REQUEST_ID_REUSED":
            raise


async def _on_record(composer: Composer, customer_id: str, part: evidence_pb2.Evidence, call: Call) -> bool:
    """Whether success has one of its kind on record that happened on that day, Riyadh, or later, and still counts."""
    found: success_service_pb2.ListActivitiesResponse = await composer.ask(
        "success",
        f"{_SUCCESS}/ListActivities",
        success_service_pb2.ListActivitiesRequest(
            customer_id=customer_id, kind=_ACTIVITIES[part.subject], page_size=_ACTIVITY_PAGE
        ),
        call,
    )
    day = riyadh_date(moment_at(part.time, "time"))
    return any(
        not known.corrected_by_activity_id and riyadh_date(moment_at(known.occur_time, "occur_time")) >= day
        for known in found.activities
    )
