"""``SupportService`` and ``SlaService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dealix.support.v1 import sla_pb2
from dealix.support.v1 import sla_service_pb2 as sla_pb
from dealix.support.v1 import support_service_pb2 as pb
from google.protobuf.message import Message

from services.approvals import wire as drafts_wire
from services.domain.checks import Checks
from services.domain.drafts import Draft
from services.domain.errors import InvalidInput, Violation
from services.domain.texts import Bilingual
from services.runtime.call import Call
from services.runtime.wire import channel_of, moment, moment_at, sent_record_of, timestamp
from services.storage import paging
from services.storage.database import Tx, UnitOfWork
from services.storage.times import from_micros, to_micros
from services.support import handlers, store, wire
from services.support.domain.classifier import Classifier
from services.support.domain.policy import PolicyBook
from services.support.domain.priorities import Priority
from services.support.domain.reviews import week_to_review
from services.support.domain.sla import HealthTexts, TicketFacts, classify_breach, health_report
from services.support.domain.tickets import Link, Ticket, TicketEvent, text_to_classify
from services.support.domain.tickets import Message as TicketMessage

MAX_SHOWN_TICKETS = 100


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The data files of support, loaded and checked."""

    classifier: Classifier
    rules: handlers.Rules
    health_texts: HealthTexts

    @property
    def book(self) -> PolicyBook:
        return self.rules.book


class SupportServicer:
    """Tickets and their classification."""

    service = "dealix.support.v1.SupportService"

    def __init__(self, knowledge: Knowledge) -> None:
        self._known = knowledge
        self._rules = knowledge.rules
        drafts_of = knowledge.rules.first_responses
        self._templates = {priority: wire.template(draft) for priority, draft in drafts_of.items()}

    async def ListPriorities(self, _: pb.ListPrioritiesRequest, call: Call) -> pb.ListPrioritiesResponse:
        version = self._known.book.policy_at(call.now)
        return pb.ListPrioritiesResponse(
            priorities=[wire.targets(version.policies[priority], version) for priority in Priority]
        )

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
        text = text_to_classify(request.subject, request.body)
        try:
            found = self._known.classifier.classify(text)
        except InvalidInput as error:
            # The bound of a subject keeps it short however it is folded.
            raise error.at("body") from None

        def route(unit: UnitOfWork) -> pb.RouteTicketResponse:
            return self._routed(*handlers.open_ticket(unit, command, found, self._rules), unit.now)

        return await call.write(request, route)

    def _routed(self, opened: Ticket, draft: Draft, now: datetime) -> pb.RouteTicketResponse:
        ticket = wire.ticket(opened, self._known.book)
        return pb.RouteTicketResponse(
            priority=ticket.priority,
            classification=ticket.classification,
            sla=ticket.sla,
            first_response_template=self._templates[opened.priority],
            ticket=ticket,
            draft=drafts_wire.draft(draft, now),
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
        return pb.GetTicketResponse(ticket=wire.ticket(found, self._known.book))

    async def ListTickets(self, request: pb.ListTicketsRequest, call: Call) -> pb.ListTicketsResponse:
        created_from, created_before = wire.opened_within(request)
        wanted = store.TicketFilter(
            customer_id=request.customer_id or None,
            priority=wire.PRIORITIES.to_domain.get(request.priority),
            state=wire.STATES.to_domain.get(request.state),
            created_from=created_from,
            created_before=created_before,
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
            tickets=[wire.ticket(ticket, self._known.book) for ticket in page], next_page_token=token
        )

    async def RaiseTicketPriority(self, request: pb.RaiseTicketPriorityRequest, call: Call) -> bytes:
        priority = wire.PRIORITIES.to_domain[request.priority]

        def work(unit: UnitOfWork) -> Message:
            event, ticket, draft = handlers.raise_priority(
                unit, request.ticket_id, priority, request.reason, request.etag, self._rules
            )
            return pb.RaiseTicketPriorityResponse(
                approval_required=draft is not None,
                ticket=wire.ticket(ticket, self._known.book),
                event=wire.event(event),
                draft=drafts_wire.draft(draft, unit.now) if draft is not None else None,
            )

        return await call.write(request, work)

    async def AddCustomerMessage(self, request: pb.AddCustomerMessageRequest, call: Call) -> bytes:
        received_at, channel = moment(request, "receive_time"), channel_of(request.channel)

        def work(unit: UnitOfWork) -> Message:
            message, ticket = handlers.add_message(
                unit, request.ticket_id, channel, request.body, received_at, self._rules
            )
            return pb.AddCustomerMessageResponse(
                ticket=wire.ticket(ticket, self._known.book), message=wire.message(message)
            )

        return await call.write(request, work)

    async def DraftReply(self, request: pb.DraftReplyRequest, call: Call) -> bytes:
        body, channel = Bilingual(request.body_ar, request.body_en), channel_of(request.channel)

        def work(unit: UnitOfWork) -> Message:
            ticket, draft = handlers.draft_reply(unit, request.ticket_id, channel, body, self._rules)
            return pb.DraftReplyResponse(
                approval_required=True,
                ticket=wire.ticket(ticket, self._known.book),
                draft=drafts_wire.draft(draft, unit.now),
            )

        return await call.write(request, work)

    async def RecordFirstResponseSent(self, request: pb.RecordFirstResponseSentRequest, call: Call) -> bytes:
        command = _sending(request, etag=request.etag)

        def work(unit: UnitOfWork) -> Message:
            event, ticket, draft = handlers.record_first_response(unit, command, self._rules)
            return pb.RecordFirstResponseSentResponse(
                ticket=wire.ticket(ticket, self._known.book),
                event=wire.event(event),
                draft=drafts_wire.draft(draft, unit.now),
            )

        return await call.write(request, work)

    async def RecordReplySent(self, request: pb.RecordReplySentRequest, call: Call) -> bytes:
        command = _sending(request, draft_id=request.draft_id)

        def work(unit: UnitOfWork) -> Message:
            event, ticket, draft = handlers.record_reply(unit, command, self._rules)
            return pb.RecordReplySentResponse(
                ticket=wire.ticket(ticket, self._known.book),
                event=wire.event(event),
                draft=drafts_wire.draft(draft, unit.now),
            )

        return await call.write(request, work)

    async def WaitOnCustomer(self, request: pb.WaitOnCustomerRequest, call: Call) -> bytes:
        waits_on = wire.WAITS_ON.to_domain[request.waiting_on]
        return await self._moved(
            request,
            call,
            pb.WaitOnCustomerResponse,
            lambda unit: handlers.wait(unit, request.ticket_id, waits_on, request.reason, request.etag, self._rules),
        )

    async def ResumeTicket(self, request: pb.ResumeTicketRequest, call: Call) -> bytes:
        return await self._moved(
            request,
            call,
            pb.ResumeTicketResponse,
            lambda unit: handlers.resume(unit, request.ticket_id, request.note, request.etag, self._rules),
        )

    async def ResolveTicket(self, request: pb.ResolveTicketRequest, call: Call) -> bytes:
        at = moment(request, "occur_time")
        return await self._moved(
            request,
            call,
            pb.ResolveTicketResponse,
            lambda unit: handlers.resolve(unit, request.ticket_id, at, request.note, request.etag, self._rules),
        )

    async def CloseTicket(self, request: pb.CloseTicketRequest, call: Call) -> bytes:
        confirmation = wire.confirmation_of(request.confirmation)
        return await self._moved(
            request,
            call,
            pb.CloseTicketResponse,
            lambda unit: handlers.close(unit, request.ticket_id, confirmation, request.etag, self._rules),
        )

    async def _moved(
        self,
        request: Message,
        call: Call,
        response: Callable[..., Message],
        work: Callable[[UnitOfWork], tuple[TicketEvent, Ticket]],
    ) -> bytes:
        def move(unit: UnitOfWork) -> Message:
            event, ticket = work(unit)
            return response(ticket=wire.ticket(ticket, self._known.book), event=wire.event(event))

        return await call.write(request, move)

    async def LinkTickets(self, request: pb.LinkTicketsRequest, call: Call) -> bytes:
        kind = wire.LINK_KINDS.to_domain[request.kind]

        def work(unit: UnitOfWork) -> Message:
            link = handlers.link_tickets(unit, request.ticket_id, request.other_ticket_id, kind)
            return pb.LinkTicketsResponse(link=wire.link(link))

        return await call.write(request, work)

    async def ListTicketLinks(self, request: pb.ListTicketLinksRequest, call: Call) -> pb.ListTicketLinksResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"ticket_id": request.ticket_id})
        after = paging.decode_token(query, request.page_token, (int, str, str, str))

        def read(tx: Tx) -> list[Link]:
            handlers.get_ticket(tx, request.ticket_id)
            return store.page_of_links(tx, request.ticket_id, after, size + 1)

        page, token = paging.cut_page(await call.read(read), size, query, store.link_key)
        return pb.ListTicketLinksResponse(links=[wire.link(link) for link in page], next_page_token=token)

    async def ListTicketMessages(
        self, request: pb.ListTicketMessagesRequest, call: Call
    ) -> pb.ListTicketMessagesResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"ticket_id": request.ticket_id})
        after = paging.decode_token(query, request.page_token, (int, str))

        def read(tx: Tx) -> list[TicketMessage]:
            handlers.get_ticket(tx, request.ticket_id)
            return store.page_of_messages(tx, request.ticket_id, after, size + 1)

        page, token = paging.cut_page(await call.read(read), size, query, store.message_key)
        return pb.ListTicketMessagesResponse(messages=[wire.message(each) for each in page], next_page_token=token)

    async def SummarizeSignals(self, request: pb.SummarizeSignalsRequest, call: Call) -> pb.SummarizeSignalsResponse:
        signals = [wire.SIGNALS.to_domain[number] for number in request.signals]
        since = moment_at(request.create_time_from, "create_time_from")
        count, customers, newest = await call.read(
            lambda tx: store.count_signals(tx, signals, since, MAX_SHOWN_TICKETS)
        )
        return pb.SummarizeSignalsResponse(ticket_count=count, customer_count=customers, ticket_ids=newest)


class SlaServicer:
    """SLA events, breaches and health."""

    service = "dealix.support.v1.SlaService"

    def __init__(self, knowledge: Knowledge) -> None:
        self._known = knowledge

    async def RecordSlaEvent(self, request: sla_pb.RecordSlaEventRequest, call: Call) -> bytes:
        command = handlers.RecordEvent(
            ticket_id=request.ticket_id,
            kind=wire.EVENT_TYPES[request.type],
            occurred_at=moment(request, "occur_time"),
            sent=sent_record_of(request.sent, "sent") if request.HasField("sent") else None,
            note=request.note,
            etag=request.etag,
        )

        def record(unit: UnitOfWork) -> sla_pb.RecordSlaEventResponse:
            event, ticket = handlers.record_event(unit, command, self._known.rules)
            return sla_pb.RecordSlaEventResponse(event=wire.event(event), ticket=wire.ticket(ticket, self._known.book))

        return await call.write(request, record)

    async def ClassifySlaBreach(
        self, request: sla_pb.ClassifySlaBreachRequest, call: Call
    ) -> sla_pb.ClassifySlaBreachResponse:
        priority = wire.PRIORITIES.to_domain[request.priority]
        version = self._known.book.policy_at(call.now)
        found = classify_breach(
            priority,
            request.first_response_minutes if request.HasField("first_response_minutes") else None,
            request.resolution_hours if request.HasField("resolution_hours") else None,
            version.policies,
        )
        return sla_pb.ClassifySlaBreachResponse(
            breached=found.breached,
            breaches=[wire.breach(priority, breach) for breach in found.breaches],
            sla=wire.targets(version.policies[priority], version),
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
        checks = Checks()
        with wire.noting(checks):
            start, end = wire.period(request)
        with wire.noting(checks):
            as_of = wire.as_of(request, call.now)
            policies = self._known.book.policy_at(as_of, "as_of_time").policies
        checks.done()
        facts = await call.read(
            lambda tx: handlers.report_of_period(tx, start, end, as_of, request.customer_id or None, self._known.book)
        )
        report = health_report(facts, policies, as_of)
        return sla_pb.GetSlaHealthReportResponse(report=wire.report(report, self._known.health_texts, burnt=True))

    async def ReviewSlaWeek(self, request: sla_pb.ReviewSlaWeekRequest, call: Call) -> bytes:
        week, book = week_to_review(request.week_start_date, call.now), self._known.book
        start, end = week.window.start, week.window.end
        # Read before the write: what stood at an instant of the past does not change, and a week of tickets takes a while.
        facts = await call.read(lambda tx: handlers.report_of_period(tx, start, end, week.as_of, None, book))
        report = health_report(facts, book.policy_at(week.as_of).policies, week.as_of)

        def review(unit: UnitOfWork) -> sla_pb.ReviewSlaWeekResponse:
            handlers.record_review(unit, week, report)
            return sla_pb.ReviewSlaWeekResponse(
                week_start_date=week.start_on.isoformat(),
                period_start_time=timestamp(start),
                period_end_time=timestamp(end),
                review_time=timestamp(unit.now),
                report=wire.report(report, self._known.health_texts, burnt=True),
            )

        return await call.write(request, review)

    async def ListSlaEvents(self, request: sla_pb.ListSlaEventsRequest, call: Call) -> sla_pb.ListSlaEventsResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"ticket_id": request.ticket_id})
        after = paging.decode_token(query, request.page_token, (int, int, int, str))

        def read(tx: Tx) -> list[TicketEvent]:
            handlers.get_ticket(tx, request.ticket_id)
            return store.page_of_events(tx, request.ticket_id, after, size + 1)

        page, token = paging.cut_page(await call.read(read), size, query, store.event_key)
        return sla_pb.ListSlaEventsResponse(events=[wire.event(event) for event in page], next_page_token=token)

    async def ListClocks(self, request: sla_pb.ListClocksRequest, call: Call) -> sla_pb.ListClocksResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"ticket_id": request.ticket_id, "as_of": _as_asked(request)})
        checks = Checks()
        with wire.noting(checks):
            after = paging.decode_token(query, request.page_token, (int, int))
        with wire.noting(checks):
            asked = wire.as_of(request, call.now)
        checks.done()
        # A list is of one instant: that of its first page.
        as_of, first = (_first_seen(after, call.now), max(int(after[1]), -1) + 1) if after else (asked, 0)
        found = await call.read(lambda tx: handlers.clocks_of(tx, request.ticket_id, self._known.book, as_of))
        rows = list(enumerate(found))[first:]
        page, token = paging.cut_page(rows, size, query, lambda row: (to_micros(as_of), row[0]))
        return sla_pb.ListClocksResponse(
            clocks=[wire.clock(clock) for _, clock in page], next_page_token=token, as_of_time=timestamp(as_of)
        )

    async def ListDueSoon(self, request: sla_pb.ListDueSoonRequest, call: Call) -> sla_pb.ListDueSoonResponse:
        size = paging.page_size(request.page_size)
        within = request.within_minutes
        query = paging.query_key(
            call.method.path,
            {
                "customer_id": request.customer_id,
                "owner": request.owner,
                "within_minutes": within,
                "as_of": _as_asked(request),
            },
        )
        checks = Checks()
        with wire.noting(checks):
            token = paging.decode_token(query, request.page_token, (int, int, str, str, str))
        with wire.noting(checks):
            asked = wire.as_of(request, call.now)
        if within and request.HasField("as_of_time"):
            # What stopped before it was at risk is not kept: nothing could be said of the past.
            checks.note("within_minutes", "NOT_ALLOWED", "must be 0 beside as_of_time")
        checks.done()
        as_of, after = (_first_seen(token, call.now), token[1:]) if token else (asked, None)
        wanted = store.Pressing(as_of, as_of + timedelta(minutes=within), request.customer_id, request.owner)
        found = await call.read(lambda tx: store.pressing(tx, wanted, after, size + 1))
        page, next_token = paging.cut_page(found, size, query, lambda span: (to_micros(as_of), *store.span_key(span)))
        return sla_pb.ListDueSoonResponse(
            due_clocks=[wire.due_clock(span, as_of) for span in page],
            next_page_token=next_token,
            as_of_time=timestamp(as_of),
        )

    async def GetSlaPolicy(self, request: sla_pb.GetSlaPolicyRequest, call: Call) -> sla_pb.GetSlaPolicyResponse:
        version = self._known.book.policy_at(moment(request, "open_time") or call.now, "open_time")
        return sla_pb.GetSlaPolicyResponse(policies=wire.policies_of(version))

    async def ListSlaPolicies(
        self, request: sla_pb.ListSlaPoliciesRequest, call: Call
    ) -> sla_pb.ListSlaPoliciesResponse:
        size, query = paging.page_size(request.page_size), paging.query_key(call.method.path, {})
        after = paging.decode_token(query, request.page_token, (int,))
        rows = [row for version in self._known.book.versions for row in wire.policies_of(version)]
        numbered = list(enumerate(rows))[max(int(after[0]), -1) + 1 if after else 0 :]
        page, token = paging.cut_page(numbered, size, query, lambda row: (row[0],))
        return sla_pb.ListSlaPoliciesResponse(policies=[row for _, row in page], next_page_token=token)

    def _report(self, facts: list[TicketFacts], call: Call) -> sla_pb2.SlaHealthReport:
        now = call.now
        policies = self._known.book.policy_at(now).policies
        return wire.report(health_report(facts, policies, now), self._known.health_texts)


def _sending(request: Any, *, draft_id: str = "", etag: str = "") -> handlers.Sending:
    return handlers.Sending(
        ticket_id=request.ticket_id,
        draft_id=draft_id,
        approval_id=request.approval_id,
        sent=sent_record_of(request.sent, "sent"),
        note=request.note,
        etag=etag,
    )


def _as_asked(request: Any) -> str:
    """The instant as the caller gave it: the lists of two callers who gave none are the same list."""
    return str(moment(request, "as_of_time"))


def _first_seen(token: paging.Key, now: datetime) -> datetime:
    """The instant of a list's first page, which its token carries. ``InvalidInput`` for one that no list had."""
    micros = int(token[0])
    if not 0 <= micros <= to_micros(now):
        text = "must be the next_page_token of an earlier answer, unchanged"
        raise InvalidInput([Violation("page_token", "PAGE_TOKEN_INVALID", text)])
    return from_micros(micros)
