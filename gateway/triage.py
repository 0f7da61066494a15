"""Triage with support's help: what its reading of the text and its tickets tell can only raise the severity."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta

import grpc
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.incidents.v1 import incident_pb2, incident_service_pb2
from dealix.support.v1 import support_service_pb2

from gateway.compose import Composer, share_of
from services.domain.checks import Checks
from services.domain.errors import InvalidInput
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.wire import timestamp

RELATED_TICKETS = timedelta(hours=24)
_SUPPORT = "/dealix.support.v1.SupportService"
# Support's part leaves time for incidents to decide without it.
_SUPPORT_SECONDS = 2.0

# Failures that say "support did not answer", as opposed to "support refused what was asked".
_NO_ANSWER = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
    }
)


async def triage(composer: Composer, request: pb.TriageIncidentRequest, call: Call) -> pb.TriageIncidentResponse:
    """Triages on the caller's facts and on what support finds; where support does not answer, the parts say so.

    Raises ``RpcFailure``, and ``InvalidInput`` for a blank title or a description that is too long to be read once it is
    folded.
    """
    findings, parts = await _findings(composer, request.facts, call)
    answer: incident_service_pb2.TriageIncidentResponse = await composer.ask(
        "incidents",
        "/dealix.incidents.v1.IncidentService/TriageIncident",
        incident_service_pb2.TriageIncidentRequest(facts=request.facts, support_findings=findings),
        call,
    )
    return pb.TriageIncidentResponse(
        severity=answer.severity,
        reason_ar=answer.reason_ar,
        severity_details=answer.severity_details,
        facts=request.facts,
        support_findings=findings,
        triage=answer.triage,
        parts=parts,
    )


async def _findings(
    composer: Composer, facts: incident_pb2.TriageFacts, call: Call
) -> tuple[incident_pb2.SupportFindings, list[pb.Part]]:
    """What support knows, and what became of each question: what it has answered stays when it does not answer the next."""
    findings, deadline = incident_pb2.SupportFindings(), share_of(call, _SUPPORT_SECONDS)
    try:
        text = _text(facts)
    except InvalidInput as refusal:
        # Nothing that is read in a text raises what the caller's own facts make SEV1.
        if not (facts.data_leak or facts.unauthorized_send):
            raise
        return findings, [_part("signals", refusal.reason)]
    parts = [await _asked("signals", _read(composer, text, findings, call, deadline))]
    if findings.signals:
        parts.append(await _asked("related_tickets", _count(composer, findings, call, deadline)))
    return findings, parts


def _text(facts: incident_pb2.TriageFacts) -> str:
    """What support is to read. Raises ``InvalidInput`` for what it would refuse under another name, and a blank title."""
    text = "\n".join(part for part in (facts.title, facts.description) if part)
    checks = Checks()
    checks.text("facts.title", facts.title)
    checks.readable("facts.description", text)
    checks.done()
    return text


async def _asked(name: str, question: Awaitable[None]) -> pb.Part:
    try:
        await question
    except RpcFailure as failure:
        if failure.code not in _NO_ANSWER:
            raise
        return _part(name, failure.reason)
    return _part(name)


def _part(name: str, failed: str = "") -> pb.Part:
    state = pb.PART_STATE_FAILED if failed else pb.PART_STATE_ANSWERED
    return pb.Part(name=name, service="support", state=state, reason=failed)


async def _read(
    composer: Composer, text: str, findings: incident_pb2.SupportFindings, call: Call, deadline: float
) -> None:
    request = support_service_pb2.ClassifyTicketRequest(text=text)
    answer: support_service_pb2.ClassifyTicketResponse = await composer.ask(
        "support", f"{_SUPPORT}/ClassifyTicket", request, call, deadline
    )
    findings.consulted = True
    findings.signals.extend(answer.classification.signals)
    findings.matched_keyword = answer.matched_keyword


async def _count(composer: Composer, findings: incident_pb2.SupportFindings, call: Call, deadline: float) -> None:
    """The unresolved tickets of the last 24 hours with the signals that were found."""
    request = support_service_pb2.SummarizeSignalsRequest(
        signals=findings.signals, create_time_from=timestamp(call.now - RELATED_TICKETS)
    )
    answer: support_service_pb2.SummarizeSignalsResponse = await composer.ask(
        "support", f"{_SUPPORT}/SummarizeSignals", request, call, deadline
    )
    findings.open_tickets = answer.ticket_count
    findings.distinct_customers = answer.customer_count
    findings.ticket_ids.extend(answer.ticket_ids)
