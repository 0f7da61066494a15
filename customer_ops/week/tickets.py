"""The life of the week's tickets: one up to the customer's confirmation, one over night, one on a frozen channel."""

from __future__ import annotations

from dealix.common.v1 import channel_pb2, draft_pb2
from dealix.support.v1 import sla_service_pb2, support_service_pb2, ticket_pb2

from customer_ops import views_support
from customer_ops.names import field_name, name_of
from customer_ops.render import draft, riyadh
from customer_ops.script import Both
from customer_ops.week import figures
from customer_ops.week.show import Show, new_id


class Tickets:
    """The tickets of the week, in the order in which things happen to them."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._client = show.client
        self._gmail = ticket_pb2.Ticket()
        self._night = ticket_pb2.Ticket()
        self._frozen = ticket_pb2.Ticket()
        self._invoice = ticket_pb2.Ticket()

    def come_in(self) -> None:
        """Sunday: two tickets, their drafts, what a person may and may not approve, and a wait on the customer."""
        show = self._show
        show.part("tickets")
        show.at(0, "09:40")
        self._gmail = self._opened("gmail")
        show.at(0, "10:05")
        self._night = self._opened("approvals")
        show.at(0, "10:30")
        show.tell("drafts_wait")
        show.show(figures.pending(show.pending(["support"])))
        first = show.draft_of("support", self._gmail.first_response_draft_id)
        promise, answer = show.week.replies["guaranteed"], show.week.replies["gmail_first"]
        approve = self._client.approvals["support"].ApproveDraft
        show.refused(
            "claim_refused",
            "PROHIBITED_CLAIM",
            approve,
            show.approve_request("support", first, show.operator, (promise.ar, promise.en)),
        )
        show.later(minutes=10)
        show.approve("support", first, show.operator, (answer.ar, answer.en))
        show.tell("edited_and_approved", person=show.operator.id)
        show.show(draft(f"first response · {field_name(self._gmail, 'priority')}", answer.ar, answer.en))
        show.later(minutes=8)
        self._first_response_sent(self._gmail, "mail-2041")
        show.tell("first_response_sent", reference="mail-2041")
        show.later(minutes=30)
        self._wait(self._gmail, ticket_pb2.WAITING_ON_CUSTOMER, "wait")
        show.tell("waits_on_customer")
        self._clocks(self._gmail)

    def over_night(self) -> None:
        """Monday: what happened over night."""
        show = self._show
        show.part("clocks")
        show.at(1, "08:40")
        escalated = show.pending(["support"], draft_pb2.DRAFT_KIND_ESCALATION)
        show.tell("rung_crossed", time=riyadh(escalated[0][1].create_time, "%H:%M"))
        show.show(figures.pending(escalated))
        self._clocks(self._night)
        show.later(minutes=5)
        first = show.draft_of("support", self._night.first_response_draft_id)
        show.approve("support", first, show.operator)
        show.later(minutes=5)
        self._first_response_sent(self._night, "form-118")
        show.tell("night_answered", reference="form-118")

    def resumed(self) -> None:
        """Monday: the rest of the ordinary ticket's life but for its closing."""
        show = self._show
        show.part("resumed")
        show.at(1, "11:00")
        self._message(self._gmail, "done")
        show.tell("resumed")
        show.says(show.week.messages["done"])
        self._clocks(self._gmail)
        show.later(minutes=40)
        self._reply(self._gmail, "gmail_fixed", "mail-2055")
        show.tell("answered", reference="mail-2055")
        show.later(minutes=20)
        self._resolve(self._gmail, show.week.reasons["resolved"])
        show.tell("resolved")
        show.later(minutes=25)
        self._message(self._gmail, "thanks")
        show.tell("thanked")
        show.says(show.week.messages["thanks"])

    def before_the_leak(self) -> None:
        """Tuesday: a question arrives on WhatsApp; its draft waits when the channel is frozen."""
        show = self._show
        show.part("leak")
        show.at(2, "09:30")
        self._resolve(self._night)
        show.at(2, "09:45")
        self._frozen = self._opened("whatsapp")

    def frozen(self) -> None:
        """While WhatsApp is frozen nothing on it can be approved."""
        show = self._show
        first = show.draft_of("support", self._frozen.first_response_draft_id)
        show.refused(
            "frozen_refused",
            "CHANNEL_FROZEN",
            self._client.approvals["support"].ApproveDraft,
            show.approve_request("support", first, show.operator),
        )

    def released(self) -> None:
        """After the release the same draft is approved, sent and answered for."""
        show = self._show
        show.later(minutes=6)
        first = show.draft_of("support", self._frozen.first_response_draft_id)
        show.approve("support", first, show.operator)
        show.later(minutes=4)
        self._first_response_sent(self._frozen, "wa-7781", channel_pb2.CHANNEL_WHATSAPP)
        show.tell("unfrozen_sent", reference="wa-7781")
        show.later(minutes=30)
        self._resolve(self._frozen)

    def closed(self) -> None:
        """Wednesday: the customer confirms, and the ordinary ticket is closed."""
        show = self._show
        show.at(3, "12:30")
        self._client.call(
            self._client.support.CloseTicket,
            support_service_pb2.CloseTicketRequest(
                request_id=new_id(),
                actor=show.operator,
                ticket_id=self._gmail.ticket_id,
                confirmation=ticket_pb2.CustomerConfirmation(
                    confirmed_by="sales-manager",
                    channel=channel_pb2.CHANNEL_PHONE,
                    confirm_time=show.ago(minutes=10),
                    reference="call-0912",
                ),
            ),
        )
        show.tell("closed")
        self._clocks(self._gmail)

    def answer_leak(self, ticket: ticket_pb2.Ticket) -> None:
        """The first response to the ticket that tells of the leak: by e-mail, which is not frozen."""
        show = self._show
        show.approve("support", show.draft_of("support", ticket.first_response_draft_id), show.founder)
        show.later(minutes=3)
        self._first_response_sent(ticket, "mail-2101")
        show.tell("leak_answered", reference="mail-2101")

    def before_the_weekend(self) -> None:
        """Thursday evening: a ticket that nobody sees before Sunday."""
        self._show.part("weekend")
        self._show.at(4, "17:20")
        self._invoice = self._opened("invoice")

    def after_the_weekend(self) -> None:
        """Sunday: its clock went through the whole ladder; it is answered late, and waits on a third party."""
        show = self._show
        show.at(7, "08:40")
        escalated = [
            found
            for found in show.pending(["support"], draft_pb2.DRAFT_KIND_ESCALATION)
            if found[1].subject == f"ticket/{self._invoice.ticket_id}"
        ]
        times = [(riyadh(found.create_time, "%A"), riyadh(found.create_time, "%H:%M")) for _, found in escalated]
        days = {day: show.week.words[day.lower()] for day, _ in times}
        show.tell(
            "weekend_over",
            times=Both(
                "، ".join(f"{days[day].ar} {time}" for day, time in times),
                ", ".join(f"{days[day].en} {time}" for day, time in times),
            ),
        )
        show.show(figures.pending(escalated))
        self._clocks(self._invoice)
        first = show.draft_of("support", self._invoice.first_response_draft_id)
        show.approve("support", first, show.operator)
        show.later(minutes=6)
        self._first_response_sent(self._invoice, "mail-2140")
        show.later(minutes=20)
        self._wait(self._invoice, ticket_pb2.WAITING_ON_THIRD_PARTY, "wait_provider")
        show.tell("invoice_waits", reference="mail-2140")

    def reviewed(self) -> None:
        """The Monday after: the review of the whole week."""
        show = self._show
        show.part("review")
        show.at(8, "09:00")
        answer = self._client.call(
            self._client.sla.GetSlaHealthReport,
            sla_service_pb2.GetSlaHealthReportRequest(
                period_start_time=show.ago(days=8, hours=9),
                period_end_time=show.ago(days=1, hours=9),
                customer_id=show.customer_id,
            ),
        )
        show.tell("review")
        show.show(views_support.report(answer.report))

    # --- steps that come again ---

    def _resolve(self, ticket: ticket_pb2.Ticket, note: str = "") -> None:
        self._client.call(
            self._client.support.ResolveTicket,
            support_service_pb2.ResolveTicketRequest(
                request_id=new_id(), actor=self._show.operator, ticket_id=ticket.ticket_id, note=note
            ),
        )

    def _wait(self, ticket: ticket_pb2.Ticket, on: ticket_pb2.WaitingOn.ValueType, reason: str) -> None:
        self._client.call(
            self._client.support.WaitOnCustomer,
            support_service_pb2.WaitOnCustomerRequest(
                request_id=new_id(),
                actor=self._show.operator,
                ticket_id=ticket.ticket_id,
                waiting_on=on,
                reason=self._show.week.reasons[reason],
            ),
        )

    def _opened(self, name: str) -> ticket_pb2.Ticket:
        show, text = self._show, self._show.week.tickets[name]
        answer = self._client.call(
            self._client.support.RouteTicket,
            support_service_pb2.RouteTicketRequest(
                request_id=new_id(),
                actor=show.intake,
                customer_id=show.customer_id,
                subject=text.subject,
                body=text.body,
                channel=text.channel,
            ),
        )
        ticket: ticket_pb2.Ticket = answer.ticket
        show.tell(
            "ticket_opened",
            channel=show.week.words[name_of(channel_pb2.Channel, text.channel).lower()],
            owner=show.week.words[ticket.owner],
            time=show.week.words[f"minutes_{ticket.sla.first_response_minutes}"],
            reason=Both(answer.classification.reason_ar, answer.classification.reason_en),
        )
        show.says(text.body, text.subject)
        return ticket

    def _first_response_sent(
        self,
        ticket: ticket_pb2.Ticket,
        reference: str,
        channel: channel_pb2.Channel.ValueType = channel_pb2.CHANNEL_EMAIL,
    ) -> None:
        self._client.call(
            self._client.support.RecordFirstResponseSent,
            support_service_pb2.RecordFirstResponseSentRequest(
                request_id=new_id(),
                actor=self._show.operator,
                ticket_id=ticket.ticket_id,
                sent=self._show.sent(channel, reference),
            ),
        )

    def _message(self, ticket: ticket_pb2.Ticket, name: str) -> None:
        self._client.call(
            self._client.support.AddCustomerMessage,
            support_service_pb2.AddCustomerMessageRequest(
                request_id=new_id(),
                actor=self._show.intake,
                ticket_id=ticket.ticket_id,
                channel=channel_pb2.CHANNEL_EMAIL,
                body=self._show.week.messages[name],
            ),
        )

    def _reply(self, ticket: ticket_pb2.Ticket, name: str, reference: str) -> None:
        show, said = self._show, self._show.week.replies[name]
        drafted = self._client.call(
            self._client.support.DraftReply,
            support_service_pb2.DraftReplyRequest(
                request_id=new_id(),
                actor=show.operator,
                ticket_id=ticket.ticket_id,
                channel=channel_pb2.CHANNEL_EMAIL,
                body_ar=said.ar,
                body_en=said.en,
            ),
        ).draft
        show.approve("support", drafted, show.operator)
        show.later(minutes=5)
        self._client.call(
            self._client.support.RecordReplySent,
            support_service_pb2.RecordReplySentRequest(
                request_id=new_id(),
                actor=show.operator,
                ticket_id=ticket.ticket_id,
                draft_id=drafted.draft_id,
                sent=show.sent(channel_pb2.CHANNEL_EMAIL, reference),
            ),
        )

    def _clocks(self, ticket: ticket_pb2.Ticket) -> None:
        answer = self._client.call(
            self._client.sla.ListClocks, sla_service_pb2.ListClocksRequest(ticket_id=ticket.ticket_id, page_size=200)
        )
        self._show.show(figures.clocks(answer.clocks))
