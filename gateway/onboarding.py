"""From the last criterion to an accepted customer: success activates the cadence, onboarding keeps the evidence."""

from __future__ import annotations

from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.onboarding.v1 import onboarding_service_pb2
from dealix.success.v1 import plan_pb2, success_service_pb2

from gateway.compose import Composer, part_id
from services.runtime.call import Call

_ONBOARDING = "/dealix.onboarding.v1.OnboardingService"
CADENCE = "success_cadence_active"


def cadence_of(plan: plan_pb2.Plan) -> onboarding_service_pb2.CadenceFact:
    """What onboarding is told of a customer's plan."""
    return onboarding_service_pb2.CadenceFact(
        active=plan.state == plan_pb2.PLAN_STATE_ACTIVE,
        activate_time=plan.activate_time,
        # No customer's id in it: some look like a credential, which onboarding takes for none.
        reference=f"success-plan-{plan.start_date}",
    )


async def complete(
    composer: Composer, request: pb.CompleteOnboardingRequest, call: Call
) -> pb.CompleteOnboardingResponse:
    """Activates the plan where only the cadence is missing, then accepts. Raises ``RpcFailure``.

    Each write's id comes from the request, and its content from the request and the chosen bundle, so that a repeated call
    repeats it exactly.
    """
    customer_id = request.customer_id
    plan = await composer.plan(customer_id, call)
    activated = False
    if plan is None or plan.state != plan_pb2.PLAN_STATE_ACTIVE:
        judged: onboarding_service_pb2.GetAcceptanceResponse = await composer.ask(
            "onboarding",
            f"{_ONBOARDING}/GetAcceptance",
            onboarding_service_pb2.GetAcceptanceRequest(customer_id=customer_id),
            call,
        )
        if all(criterion.met for criterion in judged.criteria if criterion.criterion_id != CADENCE):
            plan = await _activate(composer, request, call)
            activated = True
    accepted: onboarding_service_pb2.AcceptOnboardingResponse = await composer.ask(
        "onboarding",
        f"{_ONBOARDING}/AcceptOnboarding",
        onboarding_service_pb2.AcceptOnboardingRequest(
            request_id=part_id(request.request_id, "accept"),
            actor=request.actor,
            customer_id=customer_id,
            cadence=cadence_of(plan) if plan is not None else None,
        ),
        call,
    )
    return pb.CompleteOnboardingResponse(
        acceptance=accepted.acceptance, plan=plan, plan_activated=activated, approval_required=True
    )


async def _activate(composer: Composer, request: pb.CompleteOnboardingRequest, call: Call) -> plan_pb2.Plan:
    known: onboarding_service_pb2.GetChecklistResponse = await composer.ask(
        "onboarding",
        f"{_ONBOARDING}/GetChecklist",
        onboarding_service_pb2.GetChecklistRequest(customer_id=request.customer_id),
        call,
    )
    activated: success_service_pb2.ActivatePlanResponse = await composer.ask(
        "success",
        "/dealix.success.v1.SuccessService/ActivatePlan",
        success_service_pb2.ActivatePlanRequest(
            request_id=part_id(request.request_id, "activate"),
            actor=request.actor,
            customer_id=request.customer_id,
            bundle_id=known.checklist.bundle_id,
            start_date=request.start_date,
            renewal_date=request.renewal_date,
            channel=request.channel,
        ),
        call,
    )
    return activated.plan
