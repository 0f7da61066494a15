"""What the gateway composes from several services. Services do not ask each other; the gateway brings along what one needs
to know from another."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from dealix.common.v1 import signal_pb2
from dealix.gateway.v1 import gateway_service_pb2
from dealix.incidents.v1 import freeze_service_pb2, incident_pb2, incident_service_pb2
from dealix.success.v1 import plan_pb2, success_service_pb2
from dealix.support.v1 import classification_pb2, support_service_pb2
from google.protobuf.message import Message

from gateway.guard import Guard
from gateway.upstreams import Upstream
from services.domain.arabic import fold_character
from services.domain.checks import has_visible_text
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.methods import Method

# What is asked beside the matter itself leaves the rest of the time to the matter.
_SHARE = 0.4

# Refusals of a question that say that there is nothing to bring along; the service that is asked next refuses for itself.
REFUSED_ANYWAY = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})

# What a P0 ticket must tell of for an incident to be declared at once.
_INCIDENT_SIGNALS = frozenset({signal_pb2.SIGNAL_DATA_LEAK, signal_pb2.SIGNAL_UNAUTHORIZED_SEND})
_FREEZE_REASON = "تجميد فوري بسبب بلاغ حرج (P0) · Frozen at once because of a critical ticket (P0)"
_MAX_TITLE = 300


class Composer:
    """Calls services, each answer verified like a forwarded one."""

    def __init__(self, upstreams: Mapping[str, Upstream], methods: Mapping[str, Method], guard: Guard) -> None:
        self._upstreams = upstreams
        self._methods = methods
        self._guard = guard

    async def ask(self, service: str, path: str, request: Message, call: Call, deadline: float | None = None) -> Any:
        """The verified answer of a service. Raises ``RpcFailure``."""
        call.go_on()
        return await self.fetch(service, path, request, call.correlation_id, deadline or call.deadline)

    async def fetch(
        self,
        service: str,
        path: str,
        request: Message,
        correlation_id: str,
        deadline: float,
        *,
        looking: bool = False,
    ) -> Any:
        """The same for what no single call of a client asks for. ``deadline`` as of ``time.monotonic()``; ``looking``: see
        ``Guard.passed``."""
        payload = await self._upstreams[service].call(path, request.SerializeToString(), correlation_id, deadline)
        return self._guard.passed(service, self._methods[path], payload, looking=looking)

    async def plan(self, customer_id: str, call: Call, deadline: float | None = None) -> plan_pb2.Plan | None:
        """The success plan of a customer; None where none was ever activated, or the id is none. Raises ``RpcFailure``."""
        try:
            answer: success_service_pb2.GetPlanResponse = await self.ask(
                "success",
                "/dealix.success.v1.SuccessService/GetPlan",
                success_service_pb2.GetPlanRequest(customer_id=customer_id),
                call,
                deadline,
            )
        except RpcFailure as failure:
            if failure.code in REFUSED_ANYWAY:
                return None
            raise
        return answer.plan

    async def handle_ticket(
        self, request: gateway_service_pb2.HandleTicketRequest, call: Call
    ) -> gateway_service_pb2.HandleTicketResponse:
        """Opens a ticket; where it tells of an incident, declares that and freezes the customer's channels.

        Each write's id and content come from the request and from the ticket as it was opened, so that a repeated call
        repeats each of them exactly, whatever has happened since.
        """
        routed: support_service_pb2.RouteTicketResponse = await self.ask(
            "support",
            "/dealix.support.v1.SupportService/RouteTicket",
            support_service_pb2.RouteTicketRequest(
                request_id=part_id(request.request_id, "route"),
                actor=request.actor,
                customer_id=request.customer_id,
                subject=request.subject,
                body=request.body,
                channel=request.channel,
                minimum_priority=request.minimum_priority,
                follows_ticket_id=request.follows_ticket_id,
            ),
            call,
        )
        answer = gateway_service_pb2.HandleTicketResponse(routed=routed, approval_required=True)
        ticket = routed.ticket
        signals = frozenset(routed.classification.signals)
        if routed.priority != classification_pb2.PRIORITY_P0 or not signals & _INCIDENT_SIGNALS:
            return answer
        declared: incident_service_pb2.DeclareIncidentResponse = await self.ask(
            "incidents",
            "/dealix.incidents.v1.IncidentService/DeclareIncident",
            incident_service_pb2.DeclareIncidentRequest(
                request_id=part_id(request.request_id, "declare"),
                actor=request.actor,
                facts=incident_pb2.TriageFacts(
                    title=_title(request.subject, request.body),
                    description=request.body,
                    affected_customers=1,
                    data_leak=signal_pb2.SIGNAL_DATA_LEAK in signals,
                    unauthorized_send=signal_pb2.SIGNAL_UNAUTHORIZED_SEND in signals,
                ),
                support_findings=incident_pb2.SupportFindings(
                    consulted=True,
                    signals=routed.classification.signals,
                    matched_keyword=routed.classification.matched_keyword,
                    open_tickets=1,
                    distinct_customers=1,
                    ticket_ids=[ticket.ticket_id],
                ),
                customer_ids=[request.customer_id],
                ticket_ids=[ticket.ticket_id],
                aware_time=ticket.create_time,
            ),
            call,
        )
        frozen: freeze_service_pb2.FreezeChannelResponse = await self.ask(
            "incidents",
            "/dealix.incidents.v1.FreezeService/FreezeChannel",
            freeze_service_pb2.FreezeChannelRequest(
                request_id=part_id(request.request_id, "freeze"),
                actor=request.actor,
                channel=request.freeze_channel,
                all_channels=not request.freeze_channel,
                customer_id=request.customer_id,
                reason=_FREEZE_REASON,
                incident_id=declared.incident.incident_id,
            ),
            call,
        )
        answer.incident.CopyFrom(declared.incident)
        answer.freeze.CopyFrom(frozen.freeze)
        return answer


def share_of(call: Call, seconds: float = math.inf, share: float = _SHARE) -> float:
    """The deadline of what is asked beside the matter itself: a share of the time that is left, ``seconds`` at most."""
    now = time.monotonic()
    return now + min((call.deadline - now) * share, seconds)


def part_id(request_id: str, part: str) -> str:
    """The id of one write of a composed call: the same for the same call, another for every part."""
    return str(uuid.uuid5(uuid.UUID(request_id), part))


@contextmanager
def known_by(request_id: str) -> Iterator[None]:
    """Within it, a part's id that was used for other content is refused as the caller's, who never sent the part's."""
    try:
        yield
    except RpcFailure as failure:
        if failure.reason != "REQUEST_ID_REUSED":
            raise
        metadata = {**failure.metadata, "request_id": request_id}
        raise RpcFailure(failure.code, failure.reason, failure.message, metadata) from None


def _title(subject: str, body: str) -> str:
    """An incident's title from a ticket: its subject, else the first line that says something, from where it does so.

    Mail often begins with hundreds of invisible characters; a title that shows nothing would be refused.
    """
    for line in (subject, *body.splitlines()):
        shown = next((at for at, char in enumerate(line) if has_visible_text(fold_character(char))), None)
        if shown is not None:
            return line[shown : shown + _MAX_TITLE].rstrip()
    return "P0"
