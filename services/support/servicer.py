"""``SupportService`` and ``SlaService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from dataclasses import dataclass

from dealix.support.v1 import sla_pb2, ticket_pb2
from dealix.support.v1 import sla_service_pb2 as sla_pb
from dealix.support.v1 import support_service_pb2 as pb

from services.runtime.call import Call
from services.runtime.wire import channel_of, moment, moment_at, sent_record_of
from services.storage import paging
from services.storage.database import Tx, UnitOfWork
from services.support import handlers, store, wire
from services.support.domain.classifier import Classifier
from services.support.domain.first_response import FirstResponseDraft
from services.support.domain.policy import Policies
from services.support.domain.priorities import Priority
from services.support.domain.sla import HealthTexts, TicketFacts, classify_breach, health_report
from services.support.domain.tickets import TicketEvent, text_to_classify

MAX_SHOWN_TICKETS = 100


class _StillToCome:
    """Methods of the contract whose handlers follow: they answer INTERNAL until then."""

    def __getattr__(self, name: str) -> object:
        if not name[:1].isupper():
            raise AttributeError(name)

        async def to_come(_: object, __: Call) -> None:
            raise NotImplementedError(name)

        return to_come


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The data files of support, loaded and checked."""

    classifier: Classifier
    policies: Policies
    first_responses: dict[Priority, FirstResponseDraft]
    health_texts: HealthTexts


class SupportServicer(_StillToCome):
    """Tickets and their classification."""

    service = "dealix.support.v1.SupportService"

    def __init__(self, knowledge: Knowledge) -> None:
        self._known = knowledge
        self._targets = {priority: wire.targets(policy) for priority, policy in knowledge.policies.items()}
        self._templates = {priority: wire.template(draft) for priority, draft in knowledge.first_responses.items()}

    async def ListPriorities(self, _: pb.ListPrioritiesRequest, __: Call) -> pb.ListPrioritiesResponse:
        return pb.ListPrioritiesResponse(priorities=[self._targets[priority] for priority in Priority])

    async def ClassifyTicket(self, request: pb.ClassifyTicketRequest, _: Call) -> pb.ClassifyTicketResponse:
        found = self._known.classifier.classify(request.text)
        answer = pb.ClassifyTicketResponse(
            priority=wire.PRIORITIES.to_wire[found.priority],
            matched_keyword=found.matched_keyword,
            reason_ar=found.reason_ar,
        )
        wire.fill_classification(answer.classification, found)
        return answer

    async def RouteTicket(self, request: pb.RouteTicketRequest, call: Call) -> bytes:
        command = handlers.OpenTicket(
            customer_id=request.customer_id,
            subject=request.subject,
            body=request.body,
            channel=channel_of(request.channel),
            minimum_priority=wire.PRIORITIES.to_domain.get(request.minimum_priority),
            follows_ticket_id=request.follows_ticket_id,
        )
        found = self._known.classifier.classify(text_to_classify(request.subject, request.body))
        return await call.write(
            request,
            lambda unit: self._routed(wire.ticket(handlers.open_ticket(unit, command, found), self._known.policies)),
        )

    def _routed(self, ticket: ticket_pb2.Ticket) -> pb.RouteTicketResponse:
        return pb.RouteTicketResponse(
            priority=ticket.priority,
            classification=ticket.classification,
            sla=ticket.sla,
            first_response_template=self._templates[wire.PRIORITIES.to_domain[ticket.priority]],
            ticket=ticket,
        )

    async def GetFirstResponseTemplate(
        self, request: pb.GetFirstResponseTemplateRequest, _: Call
    ) -> pb.GetFirstResponseTemplateResponse:
        template = self._templates[wire.PRIORITIES.to_domain[request.priority]]
        return pb.GetFirstResponseTemplateResponse(
            priority=template.priority, body_ar=template.body_ar, body_en=template.body_en, template=template
        )

    async def GetTicket(self, request: pb.GetTicketRequest, call: Call) -> pb.GetTicketResponse:
        found = await call.read(lambda tx: handlers.get_ticket(tx, request.ticket_id))
        return pb.GetTicketResponse(ticket=wire.ticket(found, self._known.policies))

    async def ListTickets(self, request: pb.ListTicketsRequest, call: Call) -> pb.ListTicketsResponse:
        wanted = store.TicketFilter(
            customer_id=request.customer_id or None,
            priority=wire.PRIORITIES.to_domain.get(request.priority),
            state=wire.STATES.to_domain.get(request.state),
            created_from=moment(request, "create_time_from"),
            created_before=moment(request, "create_time_before"),
        )
        size = paging.page_size(request.page_size)
        query = paging.query_key(
            call.method.path,
            {
                "customer_id": request.customer_id,
                "priority": request.priority,
                "state": request.state,
                "from": str(wanted.created_from),
                "before": str(wanted.created_before),
            },
        )
        after = paging.decode_token(query, request.page_token, (int, str))
        found = await call.read(lambda tx: store.page_of_tickets(tx, wanted, after, size + 1))
        page, token = paging.cut_page(found, size, query, store.ticket_key)
        return pb.ListTicketsResponse(
            tickets=[wire.ticket(ticket, self._known.policies) for ticket in page], next_page_token=token
        )

    async def SummarizeSignals(self, request: pb.SummarizeSignalsRequest, call: Call) -> pb.SummarizeSignalsResponse:
        signals = [wire.SIGNALS.to_domain[number] for number in request.signals]
        since = moment_at(request.create_time_from, "create_time_from")
        count, customers, newest = await call.read(
            lambda tx: store.count_signals(tx, signals, since, MAX_SHOWN_TICKETS)
        )
        return pb.SummarizeSignalsResponse(ticket_count=count, customer_count=customers, ticket_ids=newest)


class SlaServicer(_StillToCome):
    """SLA events, breaches and health."""

    service = "dealix.support.v1.SlaService"

    def __init__(self, knowledge: Knowledge) -> None:
        self._known = knowledge

    async def RecordSlaEvent(self, request: sla_pb.RecordSlaEventRequest, call: Call) -> bytes:
        command = handlers.RecordEvent(
            ticket_id=request.ticket_id,
            kind=wire.EVENT_TYPE_OF[request.type],
            occurred_at=moment(request, "occur_time"),
            sent=sent_record_of(request.sent, "sent") if request.HasField("sent") else None,
            note=request.note,
            etag=request.etag,
        )

        def record(unit: UnitOfWork) -> sla_pb.RecordSlaEventResponse:
            event, ticket = handlers.record_event(unit, command)
            return sla_pb.RecordSlaEventResponse(
                event=wire.event(event), ticket=wire.ticket(ticket, self._known.policies)
            )

        return await call.write(request, record)

    async def ClassifySlaBreach(
        self, request: sla_pb.ClassifySlaBreachRequest, _: Call
    ) -> sla_pb.ClassifySlaBreachResponse:
        priority = wire.PRIORITIES.to_domain[request.priority]
        found = classify_breach(
            priority,
            request.first_response_minutes if request.HasField("first_response_minutes") else None,
            request.resolution_hours if request.HasField("resolution_hours") else None,
            self._known.policies,
        )
        return sla_pb.ClassifySlaBreachResponse(
            breached=found.breached,
            breaches=[wire.breach(priority, breach) for breach in found.breaches],
            sla=wire.targets(self._known.policies[priority]),
        )

    async def BuildSlaHealthReport(
        self, request: sla_pb.BuildSlaHealthReportRequest, call: Call
    ) -> sla_pb.BuildSlaHealthReportResponse:
        report = self._report(wire.facts(list(request.tickets)), call)
        return sla_pb.BuildSlaHealthReportResponse(
            total_tickets=report.total_tickets,
            total_breached=report.total_breached,
            breach_rate=report.breach_rate,
            by_priority=report.by_priority,
            verdict=report.verdict,
            report=report,
        )

    async def GetDemoSlaHealthReport(
        self, _: sla_pb.GetDemoSlaHealthReportRequest, call: Call
    ) -> sla_pb.GetDemoSlaHealthReportResponse:
        report = self._report(list(self._known.health_texts.demo), call)
        return sla_pb.GetDemoSlaHealthReportResponse(
            total_tickets=report.total_tickets,
            total_breached=report.total_breached,
            breach_rate=report.breach_rate,
            by_priority=report.by_priority,
            verdict=report.verdict,
            report=report,
        )

    async def GetSlaHealthReport(
        self, request: sla_pb.GetSlaHealthReportRequest, call: Call
    ) -> sla_pb.GetSlaHealthReportResponse:
        start = moment_at(request.period_start_time, "period_start_time")
        end = moment_at(request.period_end_time, "period_end_time")
        as_of = wire.as_of(request, call.now)
        facts = await call.read(
            lambda tx: handlers.report_of_period(tx, start, end, as_of, request.customer_id or None)
        )
        report = health_report(facts, self._known.policies, as_of)
        return sla_pb.GetSlaHealthReportResponse(report=wire.report(report, self._known.health_texts))

    async def ListSlaEvents(self, request: sla_pb.ListSlaEventsRequest, call: Call) -> sla_pb.ListSlaEventsResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"ticket_id": request.ticket_id})
        after = paging.decode_token(query, request.page_token, (int, int, str))

        def read(tx: Tx) -> list[TicketEvent]:
            handlers.get_ticket(tx, request.ticket_id)
            return store.page_of_events(tx, request.ticket_id, after, size + 1)

        page, token = paging.cut_page(await call.read(read), size, query, store.event_key)
        return sla_pb.ListSlaEventsResponse(events=[wire.event(event) for event in page], next_page_token=token)

    def _report(self, facts: list[TicketFacts], call: Call) -> sla_pb2.SlaHealthReport:
        return wire.report(health_report(facts, self._known.policies, call.now), self._known.health_texts)
