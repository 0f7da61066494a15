"""A customer's first week, played against a running stack by a client like any other.

It continues with what it finds: a checklist goes on where it stands, connected connectors stay, an open incident is shown
and not declared anew; tickets are opened in every run.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from dealix.common.v1 import actor_pb2, approval_pb2, channel_pb2, sent_record_pb2
from dealix.gateway.v1 import gateway_service_pb2
from dealix.incidents.v1 import incident_pb2, incident_service_pb2
from dealix.onboarding.v1 import checklist_pb2, connector_pb2, connector_service_pb2, onboarding_service_pb2
from dealix.success.v1 import success_service_pb2
from dealix.support.v1 import sla_pb2, sla_service_pb2, support_service_pb2, ticket_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, RenderableType
from rich.text import Text

from customer_ops import views
from customer_ops.client import CallFailed, Client
from customer_ops.ledgers import verify_ledgers
from customer_ops.names import field_name, name_of
from customer_ops.render import Prose, both, count, flags, heading, indented
from customer_ops.script import FirstWeek
from customer_ops.text import is_rtl


def play(client: Client, week: FirstWeek, out: Console) -> bool:
    """Plays the week and prints it. Returns whether all four ledgers are intact; raises ``CommandFailed``."""
    show = _Show(client, week, out)
    show.onboarding()
    show.tickets()
    show.incident()
    show.sla()
    show.success()
    return show.ledgers()


class _Show:
    def __init__(self, client: Client, week: FirstWeek, out: Console) -> None:
        self._client = client
        self._week = week
        self._out = out
        self._part = 0
        self._tickets: list[ticket_pb2.Ticket] = []
        self._open_severities: list[str] = []
        people = week.people
        self._operator = _person(people["operator"], actor_pb2.ROLE_OPERATOR_ONCALL)
        self._founder = _person(people["founder"], actor_pb2.ROLE_FOUNDER)
        self._customer = _person(people["customer"])
        self._intake = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id=people["intake"])

    # --- onboarding and connectors ---

    def onboarding(self) -> None:
        self._heading("onboarding")
        checklist = self._checklist()
        self._try_without_approval(checklist)
        checklist = self._complete(checklist, until="connect_channels")
        self._heading("connectors")
        self._connect()
        checklist = self._complete(checklist, until="")
        self._say("")
        self._say(f"The checklist of {self._week.customer_id}:")
        self._print(views.checklist(checklist))
        answer = self._client.call(
            self._client.onboarding.CheckAcceptance,
            onboarding_service_pb2.CheckAcceptanceRequest(
                customer_id=self._week.customer_id,
                proof_pack_delivered=True,
                proof_pack_approval=self._approval("Proof Pack v1"),
            ),
        )
        self._say("Accepted as onboarded: " + ("yes" if answer.accepted else "not yet"))
        self._print(views.criteria(answer.criteria), answer)

    def _checklist(self) -> checklist_pb2.Checklist:
        client, customer_id = self._client, self._week.customer_id
        try:
            kept = client.call(
                client.onboarding.GetChecklist, onboarding_service_pb2.GetChecklistRequest(customer_id=customer_id)
            ).checklist
        except CallFailed as failure:
            if failure.reason != "CHECKLIST_NOT_FOUND":
                raise
            answer = client.call(
                client.onboarding.CreateChecklist,
                onboarding_service_pb2.CreateChecklistRequest(
                    request_id=_new_id(), actor=self._operator, customer_id=customer_id
                ),
            )
            self._say(f"New customer {customer_id}: a checklist of {answer.total_steps} steps, none completed.", answer)
            return answer.checklist
        self._say(f"{customer_id} is known: its checklist of {kept.total_steps} steps is at {kept.progress_pct:g} %.")
        return kept

    def _try_without_approval(self, checklist: checklist_pb2.Checklist) -> None:
        for step in checklist.steps:
            if step.needs_approval and not step.completed:
                given = next((plan.input for plan in self._week.steps if plan.step_id == step.step_id), "")
                unapproved = self._update_of(step.step_id, given, None)
                self._refused("approval", self._client.onboarding.UpdateStep, unapproved)
                return

    def _complete(self, checklist: checklist_pb2.Checklist, until: str) -> checklist_pb2.Checklist:
        """Completes what is open, in order, up to the step ``until`` (not included)."""
        planned = {step.step_id: step for step in self._week.steps}
        for step in checklist.steps:
            if step.step_id == until:
                break
            if step.completed or step.step_id not in planned:
                continue
            plan = planned[step.step_id]
            approval = self._approval(plan.note) if step.needs_approval else None
            answer = self._client.call(
                self._client.onboarding.UpdateStep, self._update_of(step.step_id, plan.input, approval)
            )
            by = f", approved by {self._customer.id}" if step.needs_approval else ""
            self._say(f"{step.step_id} completed{by}: {answer.progress_pct:g} %.")
            checklist = answer.checklist
        return checklist

    def _update_of(
        self, step_id: str, given: str, approval: approval_pb2.Approval | None
    ) -> onboarding_service_pb2.UpdateStepRequest:
        return onboarding_service_pb2.UpdateStepRequest(
            request_id=_new_id(),
            actor=self._operator,
            customer_id=self._week.customer_id,
            step_id=step_id,
            completed=True,
            approval=approval,
            input=given,
        )

    def _connect(self) -> None:
        stored = self._connectors()
        states = {item.connector_key: item for item in stored.connectors}
        for setup in self._week.connectors:
            if states[setup.key].state == setup.state:
                self._say(f"{setup.key} is {field_name(states[setup.key], 'state').lower()} already.")
                continue
            request = connector_service_pb2.UpdateConnectorRequest(
                request_id=_new_id(),
                actor=self._operator,
                customer_id=self._week.customer_id,
                connector_key=setup.key,
                state=connector_pb2.ConnectorState.ValueType(setup.state),
            )
            if setup.opted_in_numbers:
                if not states[setup.key].HasField("opt_in_audit"):
                    self._refused("audit", self._client.connectors.UpdateConnector, request)
                request.request_id = _new_id()
                request.opt_in_audit.opted_in_numbers = setup.opted_in_numbers
                request.opt_in_audit.reference = setup.audit_reference
                request.opt_in_audit.audit_time.CopyFrom(_moment(datetime.now(UTC) - timedelta(days=1)))
            answer = self._client.call(self._client.connectors.UpdateConnector, request)
            audit = f" with {setup.opted_in_numbers} audited opt-ins" if setup.opted_in_numbers else ""
            self._say(f"{setup.key} is now {field_name(answer.connector, 'state').lower()}{audit}.")
        stored = self._connectors()
        self._print(views.connectors(stored.connectors, stored.summary), stored)

    def _connectors(self) -> connector_service_pb2.GetConnectorSummaryResponse:
        return self._client.call(
            self._client.connectors.GetConnectorSummary,
            connector_service_pb2.GetConnectorSummaryRequest(customer_id=self._week.customer_id),
        )

    # --- support ---

    def tickets(self) -> None:
        self._heading("tickets")
        known = sum(1 for _ in self._all_tickets())
        if known:
            self._say(f"{self._week.customer_id} has {count(known, 'ticket')} from before; two more come in.")
        for offset in range(2):
            text = self._week.tickets[(known + offset) % len(self._week.tickets)]
            self._say("")
            self._print(Text(f"A customer writes ({name_of(channel_pb2.Channel, text.channel).lower()}):", "dim"))
            self._print(Prose(text.subject, "bold"))
            self._print(Prose(text.body))
            self._say("")
            answer = self._client.call(
                self._client.support.RouteTicket,
                support_service_pb2.RouteTicketRequest(
                    request_id=_new_id(),
                    actor=self._intake,
                    customer_id=self._week.customer_id,
                    subject=text.subject,
                    body=text.body,
                    channel=channel_pb2.Channel.ValueType(text.channel),
                ),
            )
            self._tickets.append(answer.ticket)
            self._print(views.routed(answer), answer)
        self._record_sent(self._tickets[0])

    def _all_tickets(self) -> Iterator[ticket_pb2.Ticket]:
        request = support_service_pb2.ListTicketsRequest(customer_id=self._week.customer_id, page_size=200)
        while True:
            page = self._client.call(self._client.support.ListTickets, request)
            yield from page.tickets
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _record_sent(self, ticket: ticket_pb2.Ticket) -> None:
        answer = self._client.call(
            self._client.sla.RecordSlaEvent,
            sla_service_pb2.RecordSlaEventRequest(
                request_id=_new_id(),
                actor=self._operator,
                ticket_id=ticket.ticket_id,
                type=sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE,
                sent=sent_record_pb2.SentRecordInput(
                    # The clock of the stack opened the ticket, and may be ahead of ours.
                    send_time=max(
                        _moment(datetime.now(UTC)), ticket.create_time, key=lambda time: time.ToNanoseconds()
                    ),
                    channel=channel_pb2.CHANNEL_EMAIL,
                    sender=self._operator,
                    reference=f"mail-{uuid.uuid4().hex[:12]}",
                ),
                etag=ticket.etag,
            ),
        )
        self._note("sent")
        self._say(f"Ticket {ticket.ticket_id} is now {field_name(answer.ticket, 'state').lower()}.", answer)

    # --- incidents ---

    def incident(self) -> None:
        self._heading("incident")
        client, facts = self._client, self._week.incident
        self._print(Text("The operator on call reports one customer, no leak, no unapproved send:", "dim"))
        self._print(Prose(facts.title, "bold"))
        self._print(Prose(facts.description))
        self._say("")
        triage = client.call(client.gateway.TriageIncident, gateway_service_pb2.TriageIncidentRequest(facts=facts))
        self._print(views.triaged(triage), triage)
        page = client.call(
            client.incidents.ListIncidents,
            incident_service_pb2.ListIncidentsRequest(customer_id=self._week.customer_id, open_only=True),
        )
        kept = list(page.incidents)
        if kept:
            self._say("An incident of this customer is open already; no second one is declared.")
            self._print(views.incidents(kept))
        else:
            kept = [self._declare(facts, triage.support_findings)]
        self._open_severities = [field_name(item, "severity") for item in kept]

    def _declare(
        self, facts: incident_pb2.TriageFacts, findings: incident_pb2.SupportFindings
    ) -> incident_pb2.Incident:
        answer = self._client.call(
            self._client.incidents.DeclareIncident,
            incident_service_pb2.DeclareIncidentRequest(
                request_id=_new_id(),
                actor=self._operator,
                facts=facts,
                support_findings=findings,
                customer_ids=[self._week.customer_id],
                ticket_ids=[ticket.ticket_id for ticket in self._tickets[:1]],
                channel=self._week.incident_channel,
            ),
        )
        self._say("")
        self._say("Declared, with the plan that its severity asks for:")
        self._print(views.incident(answer.incident), answer)
        return answer.incident

    # --- SLA, success, ledgers ---

    def sla(self) -> None:
        self._heading("sla")
        now = datetime.now(UTC)
        request = sla_service_pb2.GetSlaHealthReportRequest(
            period_start_time=_moment(now - timedelta(days=7)),
            period_end_time=_moment(now + timedelta(minutes=1)),
            customer_id=self._week.customer_id,
        )
        answer = self._client.call(self._client.sla.GetSlaHealthReport, request)
        self._print(views.sla_report(answer.report), answer)

    def success(self) -> None:
        self._heading("success")
        client, week = self._client, self._week
        built = client.call(
            client.success.BuildWeeklyCheckIn,
            success_service_pb2.BuildWeeklyCheckInRequest(customer_id=week.customer_id, metrics=week.week),
        )
        self._print(views.check_in(built.check_in), built)
        self._store_check_in()
        self._say("")
        risk = client.call(client.success.BuildAtRiskAlert, week.activity)
        self._print(views.risk(risk), risk)
        plan = client.call(
            client.success.BuildSuccessPlan, success_service_pb2.BuildSuccessPlanRequest(bundle_id=week.bundle_id)
        )
        self._print(views.success_plan(plan), plan)
        self._say("")
        health = client.call(client.success.BuildHealthScore, week.health)
        self._print(views.health(health), health)

    def _store_check_in(self) -> None:
        request = success_service_pb2.CreateWeeklyCheckInRequest(
            request_id=_new_id(),
            actor=self._operator,
            customer_id=self._week.customer_id,
            metrics=self._week.week,
            open_incident_severities=self._open_severities,
        )
        try:
            answer = self._client.call(self._client.success.CreateWeeklyCheckIn, request)
        except CallFailed as failure:
            if failure.reason not in ("CHECK_IN_SUPPRESSED", "CHECK_IN_EXISTS"):
                raise
            if failure.reason == "CHECK_IN_SUPPRESSED":
                self._note("suppressed")
            self._show_refusal(failure)
        else:
            self._say(f"Stored as {answer.check_in.check_in_id} for the week of {answer.check_in.week_start}.", answer)

    def ledgers(self) -> bool:
        self._heading("ledger")
        answers = verify_ledgers(self._client)
        self._print(views.verified(answers), answers["support"])
        return all(answer.intact for answer in answers.values())

    # --- how it is said ---

    def _heading(self, name: str) -> None:
        self._part += 1
        texts = self._week.headings
        self._out.print(heading(self._part, texts[f"{name}_en"], texts[f"{name}_ar"]))

    def _note(self, name: str) -> None:
        texts = self._week.notes
        self._say("")
        self._print(both(texts[f"{name}_ar"], texts[f"{name}_en"]))

    def _say(self, line: str, answer: Any = None) -> None:
        self._print(Text(line), answer)

    def _print(self, part: RenderableType, answer: Any = None) -> None:
        self._out.print(indented(part))
        if answer is not None:
            self._out.print(indented(flags(answer)))

    def _refused(self, note: str, method: Any, request: Message) -> None:
        """Makes a call that must be refused, and shows the refusal."""
        try:
            self._client.call(method, request)
        except CallFailed as failure:
            self._note(f"{note}_refused")
            self._show_refusal(failure)

    def _show_refusal(self, failure: CallFailed) -> None:
        self._print(Text(f"refused: {failure.reason}", "yellow"))
        for detail in failure.details:
            subject, _, said = detail.partition(": ")
            # An Arabic reason stands on lines of its own, not behind the Latin name of what it concerns.
            for part in (subject, said) if is_rtl(said) else (detail,):
                self._print(Prose(part, "yellow"))

    def _approval(self, note: str) -> approval_pb2.Approval:
        return approval_pb2.Approval(approver=self._customer, approve_time=_moment(datetime.now(UTC)), note=note)


def _person(actor_id: str, role: actor_pb2.Role.ValueType = actor_pb2.ROLE_UNSPECIFIED) -> actor_pb2.Actor:
    return actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id=actor_id, role=role)


def _new_id() -> str:
    return str(uuid.uuid4())


def _moment(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made
