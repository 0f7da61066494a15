"""One customer as several services know it: asked at once, each part marked with what became of it, nothing invented."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
from dealix.common.v1 import context_pb2
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.incidents.v1 import incident_service_pb2
from dealix.onboarding.v1 import onboarding_service_pb2
from dealix.success.v1 import success_service_pb2
from dealix.support.v1 import sla_service_pb2, support_service_pb2
from google.protobuf.message import Message

from gateway.compose import Composer, share_of
from gateway.context import BESIDE_SECONDS, Wanted, context, proof_pack_of
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.wire import timestamp

ASSESSED_DAYS = timedelta(days=30)
SHOWN_TICKETS = 20
SHOWN_DUE = 50
_CLOCKS_APART = timedelta(hours=1)
_PARTS_SHARE = 0.8

_SUCCESS = "/dealix.success.v1.SuccessService"
_SUPPORT = "/dealix.support.v1"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a composed answer: the field ``name``, whom to ask for it, and what to take out of the answer."""

    name: str
    service: str
    path: str
    request: Message
    take: Callable[[Any], Message | Iterable[Message]]


async def assess(composer: Composer, request: pb.AssessCustomerRequest, call: Call) -> pb.AssessCustomerResponse:
    """Risk, health, SLA and incidents of a customer. Raises ``RpcFailure`` where no service answers."""
    customer_id, now = request.customer_id, call.now
    answer = pb.AssessCustomerResponse(customer_id=customer_id, approval_required=True)
    sla = sla_service_pb2.GetSlaHealthReportRequest(
        customer_id=customer_id,
        period_start_time=timestamp(now - ASSESSED_DAYS),
        # By support's clock, which may be ahead of this one, a ticket of this instant was opened later.
        period_end_time=timestamp(now + _CLOCKS_APART),
    )
    proof_pack = await context(composer, Wanted(customer_id, incidents=False, proof_pack=True), call)
    pieces = (
        *_risk_and_health(customer_id, proof_pack),
        Piece("sla", "support", f"{_SUPPORT}.SlaService/GetSlaHealthReport", sla, lambda found: found.report),
        _due_clocks(customer_id),
        _incidents(customer_id),
    )
    await _fill(composer, answer, pieces, call)
    return answer


async def overview(
    composer: Composer, request: pb.GetCustomerOverviewRequest, call: Call
) -> pb.GetCustomerOverviewResponse:
    """What the four services know of a customer. Raises ``RpcFailure`` where none answers."""
    customer_id = request.customer_id
    answer = pb.GetCustomerOverviewResponse(customer_id=customer_id, approval_required=True)
    onboarding = Piece(
        "onboarding",
        "onboarding",
        "/dealix.onboarding.v1.OnboardingService/GetOnboarding",
        onboarding_service_pb2.GetOnboardingRequest(customer_id=customer_id),
        lambda found: found.onboarding,
    )
    # Asked first, and not for long: by these success tells what is held back, and what the risk is.
    asked_first = (_incidents(customer_id), onboarding)
    await _fill(composer, answer, asked_first, call, share_of(call, BESIDE_SECONDS), alone=False)
    known = _context(answer)
    pieces = (
        Piece(
            "tickets",
            "support",
            f"{_SUPPORT}.SupportService/ListTickets",
            support_service_pb2.ListTicketsRequest(customer_id=customer_id, page_size=SHOWN_TICKETS),
            lambda found: found.tickets,
        ),
        _due_clocks(customer_id),
        Piece(
            "plan",
            "success",
            f"{_SUCCESS}/GetPlan",
            success_service_pb2.GetPlanRequest(customer_id=customer_id),
            lambda found: found.plan,
        ),
        Piece(
            "due_touchpoints",
            "success",
            f"{_SUCCESS}/ListDueTouchpoints",
            success_service_pb2.ListDueTouchpointsRequest(customer_id=customer_id, page_size=SHOWN_DUE, context=known),
            lambda found: found.touchpoints,
        ),
        *_risk_and_health(customer_id, known),
    )
    await _fill(composer, answer, pieces, call)
    return answer


def _context(answer: pb.GetCustomerOverviewResponse) -> context_pb2.Context:
    """What the parts that were asked first tell success."""
    known = context_pb2.Context()
    known.CopyFrom(answer.incidents)
    (onboarding,) = (part for part in answer.parts if part.name == "onboarding")
    if onboarding.state != pb.PART_STATE_FAILED:
        known.MergeFrom(proof_pack_of(answer.onboarding))
    return known


def _risk_and_health(customer_id: str, known: context_pb2.Context) -> tuple[Piece, Piece]:
    return (
        Piece(
            "risk",
            "success",
            f"{_SUCCESS}/GetCustomerRisk",
            success_service_pb2.GetCustomerRiskRequest(customer_id=customer_id, context=known),
            lambda found: found.risk,
        ),
        Piece(
            "health",
            "success",
            f"{_SUCCESS}/GetCustomerHealth",
            success_service_pb2.GetCustomerHealthRequest(customer_id=customer_id, context=known),
            lambda found: found.health,
        ),
    )


def _due_clocks(customer_id: str) -> Piece:
    return Piece(
        "due_clocks",
        "support",
        f"{_SUPPORT}.SlaService/ListDueSoon",
        sla_service_pb2.ListDueSoonRequest(customer_id=customer_id, page_size=SHOWN_DUE),
        lambda found: found.due_clocks,
    )


def _incidents(customer_id: str) -> Piece:
    return Piece(
        "incidents",
        "incidents",
        "/dealix.incidents.v1.IncidentService/GetOperatingContext",
        incident_service_pb2.GetOperatingContextRequest(customer_id=customer_id),
        lambda found: found.context,
    )


async def _fill(
    composer: Composer,
    answer: Any,
    pieces: Iterable[Piece],
    call: Call,
    deadline: float | None = None,
    *,
    alone: bool = True,
) -> None:
    """Asks for every piece at once and writes what comes into the answer, with a line for each in ``parts``.

    What has not come by ``deadline`` failed; without one, while there is time left to answer with what did come.
    Where every part of the answer failed, the failure of the last one is raised, unless more is to come (``alone`` false).
    """

    until = deadline or share_of(call, share=_PARTS_SHARE)

    async def asked(piece: Piece) -> Any:
        try:
            return await composer.ask(piece.service, piece.path, piece.request, call, until)
        except RpcFailure as failure:
            return failure

    pieces = tuple(pieces)
    failed: RpcFailure | None = None
    for piece, found in zip(pieces, await asyncio.gather(*map(asked, pieces)), strict=True):
        part = answer.parts.add(name=piece.name, service=piece.service)
        if not isinstance(found, RpcFailure):
            part.state = pb.PART_STATE_ANSWERED
            taken = piece.take(found)
            if isinstance(taken, Message):
                getattr(answer, piece.name).CopyFrom(taken)
            else:
                getattr(answer, piece.name).extend(taken)
        elif found.code == grpc.StatusCode.NOT_FOUND:
            part.state, part.reason = pb.PART_STATE_NOTHING_KNOWN, found.reason
        else:
            part.state, part.reason = pb.PART_STATE_FAILED, found.reason
            failed = found
    if alone and failed is not None and all(part.state == pb.PART_STATE_FAILED for part in answer.parts):
        raise failed
