"""What the gateway composes from several services. Services do not ask each other; the gateway brings along what one needs
to know from another."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import grpc
from dealix.incidents.v1 import incident_pb2, incident_service_pb2
from dealix.support.v1 import support_service_pb2
from google.protobuf.message import Message

from gateway.guard import Guard
from gateway.upstreams import Upstream
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.methods import Method

RELATED_TICKETS = timedelta(hours=24)
# Support's part in a triage: it is asked twice and must leave time for incidents to decide without it.
_SUPPORT_SHARE = 0.4
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


class Composer:
    """Calls services for one client call, each answer verified like a forwarded one."""

    def __init__(self, upstreams: Mapping[str, Upstream], methods: Mapping[str, Method], guard: Guard) -> None:
        self._upstreams = upstreams
        self._methods = methods
        self._guard = guard

    async def ask(self, service: str, path: str, request: Message, call: Call, deadline: float | None = None) -> Any:
        """The verified answer of a service. Raises ``RpcFailure``."""
        payload = await self._upstreams[service].call(
            path, request.SerializeToString(), call.correlation_id, deadline or call.deadline
        )
        return self._guard.passed(service, self._methods[path], payload)

    async def triage(
        self, facts: incident_pb2.TriageFacts, call: Call
    ) -> tuple[incident_pb2.SupportFindings, incident_service_pb2.TriageIncidentResponse]:
        """Triages with support's help; without it when support does not answer, and then the answer says so."""
        try:
            findings = await self.findings(facts, call)
        except RpcFailure as failure:
            if failure.code not in _NO_ANSWER:
                raise
            findings = incident_pb2.SupportFindings(consulted=False)
        answer = await self.ask(
            "incidents",
            "/dealix.incidents.v1.IncidentService/TriageIncident",
            incident_service_pb2.TriageIncidentRequest(facts=facts, support_findings=findings),
            call,
        )
        return findings, answer

    async def findings(self, facts: incident_pb2.TriageFacts, call: Call) -> incident_pb2.SupportFindings:
        """What support knows: the signals in title and description, and the unresolved tickets of the last 24 hours with
        the same signals. Raises ``RpcFailure`` when support does not answer in its share of the time."""
        now = time.monotonic()
        deadline = min(now + _SUPPORT_SECONDS, now + (call.deadline - now) * _SUPPORT_SHARE)
        text = "\n".join(part for part in (facts.title, facts.description) if part)
        classified: support_service_pb2.ClassifyTicketResponse = await self.ask(
            "support",
            "/dealix.support.v1.SupportService/ClassifyTicket",
            support_service_pb2.ClassifyTicketRequest(text=text),
            call,
            deadline,
        )
        findings = incident_pb2.SupportFindings(
            consulted=True,
            signals=classified.classification.signals,
            matched_keyword=classified.matched_keyword,
        )
        if findings.signals:
            await self._count_related(findings, call, deadline)
        return findings

    async def _count_related(self, findings: incident_pb2.SupportFindings, call: Call, deadline: float) -> None:
        request = support_service_pb2.SummarizeSignalsRequest(signals=findings.signals)
        since: datetime = call.now - RELATED_TICKETS
        request.create_time_from.FromDatetime(since)
        related: support_service_pb2.SummarizeSignalsResponse = await self.ask(
            "support", "/dealix.support.v1.SupportService/SummarizeSignals", request, call, deadline
        )
        findings.open_tickets = related.ticket_count
        findings.distinct_customers = related.customer_count
        findings.ticket_ids.extend(related.ticket_ids)
