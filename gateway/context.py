"""What a request's ``context`` holds: freezes and open incidents, as incidents knows them, and the first Proof Pack, as
onboarding does. What its service does not tell in its share of the time is not known, and the context says so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc
from dealix.common.v1 import context_pb2
from dealix.incidents.v1 import incident_pb2, incident_service_pb2
from dealix.onboarding.v1 import onboarding_pb2, onboarding_service_pb2

from gateway.compose import Composer, share_of
from gateway.upstreams import invalid_answer
from services.runtime.call import Call
from services.runtime.failure import RpcFailure

BESIDE_SECONDS = 2.0
"""How long is waited for what a request can be answered without."""

_INCIDENTS = "/dealix.incidents.v1.IncidentService"
_ONBOARDING = "/dealix.onboarding.v1.OnboardingService"
# As many of each as a context holds; where there are so many, there may be more.
_MOST = 500
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request goes by: of which customer ('' for what concerns nobody in particular), and which parts.

    ``needed``: without knowing of freezes and incidents it is not to be decided. ``everybody``: those of all customers.
    """

    customer_id: str
    incidents: bool = True
    needed: bool = False
    everybody: bool = False
    proof_pack: bool = False


async def context(composer: Composer, wanted: Wanted, call: Call) -> context_pb2.Context:
    """The parts that are wanted, as far as they are known. Raises ``RpcFailure`` where one that is needed is not."""
    found, pack = await asyncio.gather(
        _freezes_and_incidents(composer, wanted, call), _first_proof_pack(composer, wanted, call)
    )
    found.MergeFrom(pack)
    return found


def proof_pack_of(onboarding: onboarding_pb2.Onboarding) -> context_pb2.Context:
    """What an onboarding tells of the first Proof Pack; an empty one, where there is none, that none is on record."""
    told = context_pb2.Context(proof_pack_known=True)
    if onboarding.proof_pack.HasField("delivery"):
        told.first_proof_pack_delivery_time.CopyFrom(onboarding.proof_pack.delivery.occur_time)
    return told


async def _freezes_and_incidents(composer: Composer, wanted: Wanted, call: Call) -> context_pb2.Context:
    if not wanted.incidents:
        return context_pb2.Context()
    deadline = share_of(call) if wanted.needed else share_of(call, BESIDE_SECONDS)
    try:
        if wanted.everybody:
            return await _of_everybody(composer, call, deadline)
        return await _of_customer(composer, wanted.customer_id, call, deadline)
    except RpcFailure as failure:
        # A customer whom nobody could be is refused by the service, too; whatever else it answers tells nothing.
        if wanted.needed and failure.code != grpc.StatusCode.INVALID_ARGUMENT:
            raise
        return context_pb2.Context()


async def _of_customer(composer: Composer, customer_id: str, call: Call, deadline: float) -> context_pb2.Context:
    answer: incident_service_pb2.GetOperatingContextResponse = await composer.ask(
        "incidents",
        f"{_INCIDENTS}/GetOperatingContext",
        incident_service_pb2.GetOperatingContextRequest(customer_id=customer_id),
        call,
        deadline,
    )
    if not answer.HasField("context"):
        # Taken for an empty one, it would release whatever is frozen.
        raise invalid_answer("incidents")
    return answer.context


async def _of_everybody(composer: Composer, call: Call, deadline: float) -> context_pb2.Context:
    """Every freeze, and every SEV1 and SEV2 that is open for anybody, each with its customers; no drills, no duplicates."""
    told, gravest, grave = await asyncio.gather(
        _of_customer(composer, "", call, deadline),
        _open_of(composer, incident_pb2.SEVERITY_SEV1, call, deadline),
        _open_of(composer, incident_pb2.SEVERITY_SEV2, call, deadline),
    )
    incidents = [*gravest, *grave]
    if len(told.freezes) >= _MOST or len(incidents) > _MOST:
        return context_pb2.Context()
    told.ClearField("incidents")
    told.incidents.extend(incidents)
    told.all_customers = True
    return told


async def _open_of(
    composer: Composer, severity: incident_pb2.Severity.ValueType, call: Call, deadline: float
) -> list[context_pb2.OpenIncident]:
    request = incident_service_pb2.ListIncidentsRequest(severity=severity, open_only=True, page_size=_PAGE)
    found: list[context_pb2.OpenIncident] = []
    while len(found) <= _MOST:
        page: incident_service_pb2.ListIncidentsResponse = await composer.ask(
            "incidents", f"{_INCIDENTS}/ListIncidents", request, call, deadline
        )
        found += [
            context_pb2.OpenIncident(
                incident_id=incident.incident_id,
                severity=incident_pb2.Severity.Name(severity).removeprefix("SEVERITY_"),
                create_time=incident.create_time,
                customer_ids=incident.customer_ids,
            )
            for incident in page.incidents
            if not incident.drill and not incident.duplicate_of_incident_id
        ]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    return found


async def _first_proof_pack(composer: Composer, wanted: Wanted, call: Call) -> context_pb2.Context:
    if not wanted.proof_pack:
        return context_pb2.Context()
    try:
        answer: onboarding_service_pb2.GetOnboardingResponse = await composer.ask(
            "onboarding",
            f"{_ONBOARDING}/GetOnboarding",
            onboarding_service_pb2.GetOnboardingRequest(customer_id=wanted.customer_id),
            call,
            share_of(call, BESIDE_SECONDS),
        )
    except RpcFailure as failure:
        if failure.code == grpc.StatusCode.NOT_FOUND:
            return proof_pack_of(onboarding_pb2.Onboarding())
        return context_pb2.Context()
    return proof_pack_of(answer.onboarding)
