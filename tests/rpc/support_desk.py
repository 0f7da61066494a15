"""A support desk over a socket, with a clock that moves when it is told to."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dealix.common.v1 import approval_pb2, channel_pb2, draft_pb2, sent_record_pb2
from dealix.support.v1 import approval_service_pb2 as apr
from dealix.support.v1 import classification_pb2, sla_pb2, ticket_pb2
from dealix.support.v1 import ledger_service_pb2 as led
from dealix.support.v1 import sla_service_pb2 as sla
from dealix.support.v1 import support_service_pb2 as sup
from google.protobuf.message import Message

from services.runtime.methods import Method, methods_of
from services.runtime.testing import Running, running_service
from services.runtime.wire import timestamp
from services.support.service import DEFINITION
from tests.rpc.client import PERSON, Clock

METHODS: dict[str, Method] = {
    method.request_class.DESCRIPTOR.full_name: method for method in methods_of((sup, sla, apr, led))
}
"""Every RPC has a request type of its own, so a request says which RPC it is for."""

P0, P1, P2, P3 = (classification_pb2.Priority.Value(f"PRIORITY_P{n}") for n in range(4))
# One text for each priority.
TEXT_OF = {
    P0: "our data leaked, this is a data breach",
    P1: "service down",
    P2: "the connector is late",
    P3: "سؤال عن الباقات",
}


def state(name: str) -> int:
    return ticket_pb2.TicketState.Value(f"TICKET_STATE_{name}")


def event_name(event: sla_pb2.SlaEvent) -> str:
    return sla_pb2.SlaEventType.Name(event.type).removeprefix("SLA_EVENT_TYPE_").lower()


def draft_state(draft: draft_pb2.Draft) -> str:
    return approval_pb2.DraftState.Name(draft.state).removeprefix("DRAFT_STATE_").lower()


def clock_state(clock: Any) -> str:
    return sla_pb2.SlaClockState.Name(clock.state).removeprefix("SLA_CLOCK_STATE_").lower()


def clock_kind(clock: Any) -> str:
    return sla_pb2.SlaClockKind.Name(clock.kind).removeprefix("SLA_CLOCK_KIND_").lower()


def when(stamp: Any) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


@dataclass
class Desk:
    """What people and software do at a support desk. Every write has a ``request_id`` of its own."""

    running: Running
    clock: Clock

    @property
    def now(self) -> datetime:
        """The clock's time, without moving it."""
        return self.clock.now

    def passes(self, **passed: float) -> datetime:
        """Lets time pass; the time it is then."""
        self.clock.pass_time(timedelta(**passed))
        return self.clock.now

    async def ask(self, request: Message) -> Any:
        method = METHODS[request.DESCRIPTOR.full_name]
        call = self.running.channel.unary_unary(method.path)
        return method.response_class.FromString(await call(request.SerializeToString(), timeout=30))

    async def do(self, request: Any, /, **fields: Any) -> Any:
        """A write: the type of its request, and its fields."""
        return await self.ask(request(**{"request_id": str(uuid.uuid4()), "actor": PERSON, **fields}))

    async def route(self, priority: int = P1, customer_id: str = "acme", **fields: Any) -> sup.RouteTicketResponse:
        answer = await self.do(
            sup.RouteTicketRequest,
            customer_id=customer_id,
            body=TEXT_OF[priority],
            channel=channel_pb2.CHANNEL_EMAIL,
            **fields,
        )
        assert answer.priority == priority
        return answer

    async def open(self, priority: int = P1, **fields: Any) -> str:
        """The id of a new ticket."""
        return (await self.route(priority, **fields)).ticket.ticket_id

    async def first_draft(self, ticket_id: str) -> draft_pb2.Draft:
        ticket = await self.ticket(ticket_id)
        return (await self.ask(apr.GetDraftRequest(draft_id=ticket.first_response_draft_id))).draft

    async def approve(self, draft: draft_pb2.Draft, **fields: Any) -> draft_pb2.Draft:
        answer = await self.do(
            apr.ApproveDraftRequest, draft_id=draft.draft_id, content_hash=draft.content_hash, **fields
        )
        return answer.draft

    def sent(self, at: datetime | None = None, **fields: Any) -> sent_record_pb2.SentRecordInput:
        """What a person says of a mail; sent now."""
        made = {"channel": channel_pb2.CHANNEL_EMAIL, "sender": PERSON, "reference": "msg-1", **fields}
        return sent_record_pb2.SentRecordInput(send_time=timestamp(at or self.now), **made)

    async def send_first(self, ticket_id: str, **fields: Any) -> sup.RecordFirstResponseSentResponse:
        """Records that the first response was sent."""
        return await self.do(sup.RecordFirstResponseSentRequest, ticket_id=ticket_id, **{"sent": self.sent(), **fields})

    async def answer(self, ticket_id: str) -> sup.RecordFirstResponseSentResponse:
        """Approves and sends the first response."""
        await self.approve(await self.first_draft(ticket_id))
        return await self.send_first(ticket_id)

    async def reply(self, ticket_id: str) -> draft_pb2.Draft:
        """Drafts a reply."""
        answer = await self.do(
            sup.DraftReplyRequest, ticket_id=ticket_id, body_ar="نعمل على ذلك.", body_en="We are working on it."
        )
        return answer.draft

    async def send_reply(self, ticket_id: str, draft: draft_pb2.Draft, **fields: Any) -> sup.RecordReplySentResponse:
        return await self.do(
            sup.RecordReplySentRequest, ticket_id=ticket_id, draft_id=draft.draft_id, **{"sent": self.sent(), **fields}
        )

    async def says(self, ticket_id: str, body: str, **fields: Any) -> sup.AddCustomerMessageResponse:
        return await self.do(sup.AddCustomerMessageRequest, ticket_id=ticket_id, body=body, **fields)

    async def waits(self, ticket_id: str, on: str = "CUSTOMER", **fields: Any) -> sup.WaitOnCustomerResponse:
        return await self.do(
            sup.WaitOnCustomerRequest,
            ticket_id=ticket_id,
            waiting_on=ticket_pb2.WaitingOn.Value(f"WAITING_ON_{on}"),
            **{"reason": "ننتظر صورة من رسالة الخطأ", **fields},
        )

    async def resume(self, ticket_id: str) -> sup.ResumeTicketResponse:
        return await self.do(sup.ResumeTicketRequest, ticket_id=ticket_id)

    async def resolve(self, ticket_id: str, **fields: Any) -> sup.ResolveTicketResponse:
        return await self.do(sup.ResolveTicketRequest, ticket_id=ticket_id, **fields)

    async def close(self, ticket_id: str, **fields: Any) -> sup.CloseTicketResponse:
        confirmation = ticket_pb2.CustomerConfirmation(
            confirmed_by="sales-manager",
            channel=channel_pb2.CHANNEL_PHONE,
            confirm_time=timestamp(self.now),
            reference="call-12",
        )
        return await self.do(sup.CloseTicketRequest, ticket_id=ticket_id, **{"confirmation": confirmation, **fields})

    async def raise_to(self, ticket_id: str, priority: int, **fields: Any) -> sup.RaiseTicketPriorityResponse:
        return await self.do(
            sup.RaiseTicketPriorityRequest,
            ticket_id=ticket_id,
            priority=priority,
            **{"reason": "توقف كامل لدى العميل", **fields},
        )

    async def ticket(self, ticket_id: str) -> ticket_pb2.Ticket:
        return (await self.ask(sup.GetTicketRequest(ticket_id=ticket_id))).ticket

    async def events(self, ticket_id: str) -> list[sla_pb2.SlaEvent]:
        return list((await self.ask(sla.ListSlaEventsRequest(ticket_id=ticket_id, page_size=200))).events)

    async def messages(self, ticket_id: str) -> list[ticket_pb2.TicketMessage]:
        return list((await self.ask(sup.ListTicketMessagesRequest(ticket_id=ticket_id))).messages)

    async def clocks(self, ticket_id: str, as_of: datetime | None = None) -> dict[str, sla_pb2.SlaClock]:
        """The clocks by kind; of several next responses the last."""
        request = sla.ListClocksRequest(ticket_id=ticket_id, as_of_time=timestamp(as_of) if as_of else None)
        return {clock_kind(clock): clock for clock in (await self.ask(request)).clocks}

    async def due(self, as_of: datetime | None = None, **fields: Any) -> list[tuple[str, str, str]]:
        """Ticket, clock and state of what presses, soonest due first."""
        request = sla.ListDueSoonRequest(as_of_time=timestamp(as_of) if as_of else None, **fields)
        return [(c.ticket_id, clock_kind(c), clock_state(c)) for c in (await self.ask(request)).due_clocks]

    async def drafts(self, ticket_id: str, kind: int) -> list[draft_pb2.Draft]:
        """The drafts of a ticket of one kind, newest first."""
        found = await self.ask(apr.ListDraftsRequest(subject=f"ticket/{ticket_id}", page_size=200))
        return [draft for draft in found.drafts if draft.kind == kind]

    async def catch_up(self) -> int:
        """Does what is due."""
        return await self.running.service.catch_up()


@asynccontextmanager
async def desk_at(
    database_url: str = "", data_dir: Path | None = None, clock: Clock | None = None
) -> AsyncIterator[Desk]:
    """A desk on a database, empty or not. Its worker does nothing until it is told to catch up."""
    moving = clock or Clock()
    async with running_service(
        DEFINITION, database_url=database_url, data_dir=data_dir, clock=moving, worker_seconds=0, log_level="error"
    ) as running:
        yield Desk(running, moving)
