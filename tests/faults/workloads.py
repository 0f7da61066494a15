"""What clients write to each of the four services under load, and how each tells its state."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from dealix.common.v1 import approval_pb2, channel_pb2, ledger_pb2
from dealix.incidents.v1 import incident_pb2
from dealix.incidents.v1 import incident_service_pb2 as incidents_pb
from dealix.incidents.v1 import ledger_service_pb2 as incidents_ledger
from dealix.onboarding.v1 import connector_pb2
from dealix.onboarding.v1 import connector_service_pb2 as connectors_pb
from dealix.onboarding.v1 import ledger_service_pb2 as onboarding_ledger
from dealix.onboarding.v1 import onboarding_service_pb2 as onboarding_pb
from dealix.success.v1 import ledger_service_pb2 as success_ledger
from dealix.success.v1 import success_pb2
from dealix.success.v1 import success_service_pb2 as success_pb
from dealix.support.v1 import classification_pb2, sla_pb2, ticket_pb2
from dealix.support.v1 import ledger_service_pb2 as support_ledger
from dealix.support.v1 import sla_service_pb2 as sla_pb
from dealix.support.v1 import support_service_pb2 as support_pb

from tests.faults.journal import PERSON, Attributes, Caller, Journal, Workload, Write

TEXTS = (
    "النظام متوقف بالكامل ولا نستطيع العمل",
    "The WhatsApp connector stopped, replies are missing",
    "متى يصل تقرير Proof Pack؟",
    "تسرّب بيانات عملاء في رسالة خاطئة",
    "Thanks, a question about the invoice",
)


def _id(enum: Any, prefix: str, number: int) -> str:
    name: str = enum.Name(number)
    return name.removeprefix(prefix)


class Support(Workload):
    """Tickets are opened, escalated, answered by a person and resolved."""

    name = "support"
    modules = (support_pb, sla_pb)
    ledger = support_ledger
    state_prefixes = ("ticket/",)

    async def play(self, journal: Journal, caller: Caller, customer_id: str) -> None:
        rng = journal.rng
        routed = await journal.send(
            caller,
            support_pb.RouteTicketRequest(
                actor=PERSON,
                customer_id=customer_id,
                subject=f"#{rng.getrandbits(20)}",
                body=rng.choice(TEXTS),
                channel=channel_pb2.CHANNEL_WHATSAPP,
                minimum_priority=rng.choice((0, classification_pb2.PRIORITY_P1)),
            ),
            # The ticket, and the draft of its first response.
            2,
            twice=rng.random() < 0.2,
        )
        ticket = routed.ticket
        for kind in (sla_pb2.SLA_EVENT_TYPE_ESCALATED, sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE):
            request = sla_pb.RecordSlaEventRequest(
                actor=PERSON, ticket_id=ticket.ticket_id, type=kind, note="تم", etag=ticket.etag
            )
            if kind == sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE:
                request.sent.send_time.CopyFrom(ticket.create_time)
                request.sent.channel = channel_pb2.CHANNEL_WHATSAPP
                request.sent.sender.CopyFrom(PERSON)
                request.sent.reference = f"wamid-{rng.getrandbits(30)}"
            # Sent without an approval: its draft is withdrawn.
            entries = 2 if kind == sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE else 1
            ticket = (await journal.send(caller, request, entries)).ticket
        if rng.random() < 0.5:
            await journal.send(
                caller,
                sla_pb.RecordSlaEventRequest(
                    actor=PERSON, ticket_id=ticket.ticket_id, type=sla_pb2.SLA_EVENT_TYPE_RESOLVED
                ),
                twice=rng.random() < 0.2,
            )

    def things(self, answer: Any) -> dict[str, Any]:
        return {f"ticket/{answer.ticket.ticket_id}": answer.ticket}

    async def read(self, caller: Caller, writes: Iterable[Write]) -> dict[str, Any]:
        pages = caller.pages(support_pb.ListTicketsRequest())
        return {f"ticket/{ticket.ticket_id}": ticket async for page in pages for ticket in page.tickets}

    def attributes(self, thing: Any) -> Attributes:
        return {
            "customer_id": thing.customer_id,
            "priority": _id(classification_pb2.Priority, "PRIORITY_", thing.priority),
            "classified_priority": _id(classification_pb2.Priority, "PRIORITY_", thing.classification.priority),
            "lexicon_version": thing.classification.lexicon_version,
            "state": _id(ticket_pb2.TicketState, "TICKET_STATE_", thing.state).lower(),
            "revision": thing.etag.removeprefix("r"),
        }

    async def check_more(self, caller: Caller, entries: Sequence[ledger_pb2.LedgerEntry], new: Iterable[Write]) -> None:
        """The events of the tickets that were written to are those of the ledger, in its order."""
        sent = {write.request_id for write in new}
        told: dict[str, list[tuple[str, str]]] = {}
        for entry in entries:
            if entry.subject.startswith(self.state_prefixes):
                told.setdefault(entry.subject, []).append((entry.action, entry.attributes["event_id"]))
        for subject in told.keys() & {entry.subject for entry in entries if entry.request_id in sent}:
            listed = await caller.ask(sla_pb.ListSlaEventsRequest(ticket_id=subject.removeprefix("ticket/")))
            # Events stand in the order of what happened, the ledger in that of what was recorded.
            found = {
                (f"ticket.{_id(sla_pb2.SlaEventType, 'SLA_EVENT_TYPE_', event.type).lower()}", event.event_id)
                for event in listed.events
            }
            assert found == set(told[subject])
            assert len(listed.events) == len(told[subject])


class Incidents(Workload):
    """Incidents are declared, worked on, updated and linked, and breaches of the live-send rule are reported."""

    name = "incidents"
    modules = (incidents_pb,)
    ledger = incidents_ledger
    state_prefixes = ("incident/",)

    async def play(self, journal: Journal, caller: Caller, customer_id: str) -> None:
        rng = journal.rng
        declared = await journal.send(
            caller,
            incidents_pb.DeclareIncidentRequest(
                actor=PERSON,
                facts=incident_pb2.TriageFacts(
                    title="رسائل لا تصل",
                    description=rng.choice(TEXTS),
                    affected_customers=rng.randint(1, 12),
                    data_leak=rng.random() < 0.2,
                    unauthorized_send=rng.random() < 0.2,
                ),
                customer_ids=[customer_id],
                channel="whatsapp",
                drill=rng.random() < 0.5,
            ),
            twice=rng.random() < 0.2,
        )
        incident_id = declared.incident.incident_id
        for request in (
            incidents_pb.ChangeIncidentStateRequest(state=incident_pb2.INCIDENT_STATE_ACTIVE),
            incidents_pb.RecordIncidentUpdateRequest(text="نعمل على الإصلاح"),
            incidents_pb.LinkIncidentRequest(customer_ids=[f"{customer_id}-2"]),
        ):
            request.actor.CopyFrom(PERSON)
            request.incident_id = incident_id
            await journal.send(caller, request, twice=rng.random() < 0.2)
        await journal.send(
            caller,
            incidents_pb.RecordPolicyBreachRequest(
                actor=PERSON,
                service="success",
                method="/dealix.success.v1.SuccessService/BuildSuccessPlan",
                kind=rng.choice(incident_pb2.PolicyBreachKind.values()[1:]),
            ),
        )

    def things(self, answer: Any) -> dict[str, Any]:
        if isinstance(answer, incidents_pb.RecordPolicyBreachResponse):
            return {}
        return {f"incident/{answer.incident.incident_id}": answer.incident}

    async def read(self, caller: Caller, writes: Iterable[Write]) -> dict[str, Any]:
        pages = caller.pages(incidents_pb.ListIncidentsRequest())
        return {f"incident/{found.incident_id}": found async for page in pages for found in page.incidents}

    def attributes(self, thing: Any) -> Attributes:
        return {
            "severity": _id(incident_pb2.Severity, "SEVERITY_", thing.severity),
            "triaged_severity": _id(incident_pb2.Severity, "SEVERITY_", thing.triage.severity),
            "state": _id(incident_pb2.IncidentState, "INCIDENT_STATE_", thing.state).lower(),
            "revision": thing.etag.removeprefix("r"),
            "channel": thing.channel,
            "drill": str(thing.drill).lower(),
            "data_leak": str(thing.data_leak).lower(),
            "unauthorized_send": str(thing.unauthorized_send).lower(),
        }

    async def check_more(self, caller: Caller, entries: Sequence[ledger_pb2.LedgerEntry], new: Iterable[Write]) -> None:
        """Breaches stand where their answers said, and every incident has the timeline that the ledger counts."""
        by_request = {entry.request_id: entry for entry in entries}
        last = {entry.subject: entry for entry in entries}
        changed = set()
        for write in new:
            assert write.answer is not None
            answer = caller.read(write.request, write.answer)
            if isinstance(answer, incidents_pb.RecordPolicyBreachResponse):
                assert answer.ledger_sequence == by_request[write.request_id].sequence
            else:
                changed.add(answer.incident.incident_id)
        for incident_id in changed:
            found = await caller.ask(incidents_pb.GetIncidentRequest(incident_id=incident_id))
            assert str(len(found.timeline)) == last[f"incident/{incident_id}"].attributes["timeline_lines"]


class Onboarding(Workload):
    """Checklists are created and worked on, connectors connected, one of them in two recorded steps at once."""

    name = "onboarding"
    modules = (onboarding_pb, connectors_pb)
    ledger = onboarding_ledger
    state_prefixes = ("checklist/", "connector/")

    async def play(self, journal: Journal, caller: Caller, customer_id: str) -> None:
        rng = journal.rng
        created = await journal.send(
            caller,
            onboarding_pb.CreateChecklistRequest(actor=PERSON, customer_id=customer_id),
            twice=rng.random() < 0.2,
        )
        updated = await journal.send(
            caller,
            onboarding_pb.UpdateStepRequest(
                actor=PERSON,
                customer_id=customer_id,
                step_id="select_goal",
                completed=True,
                input="زيادة المبيعات",
                etag=created.checklist.etag,
            ),
        )
        await journal.send(
            caller,
            onboarding_pb.UpdateStepRequest(
                actor=PERSON,
                customer_id=customer_id,
                step_id="select_bundle",
                completed=True,
                input="growth_starter",
                approval=approval_pb2.Approval(approver=PERSON, approve_time=updated.checklist.update_time),
                etag=updated.checklist.etag,
            ),
        )
        key = rng.choice(("gmail", "google_calendar"))
        await journal.send(
            caller,
            connectors_pb.UpdateConnectorRequest(
                actor=PERSON,
                customer_id=customer_id,
                connector_key=key,
                state=connector_pb2.CONNECTOR_STATE_CONNECTED_DRAFT_ONLY,
                settings={"calendar_id": f"team-{rng.randint(1, 9)}"},
            ),
            # By way of CONFIGURING, which is recorded on its own.
            entries=2,
            twice=rng.random() < 0.2,
        )
        if rng.random() < 0.5:
            await journal.send(
                caller,
                connectors_pb.UpdateConnectorRequest(
                    actor=PERSON,
                    customer_id=customer_id,
                    connector_key=key,
                    state=connector_pb2.CONNECTOR_STATE_CONFIGURING,
                ),
            )

    def things(self, answer: Any) -> dict[str, Any]:
        if isinstance(answer, connectors_pb.UpdateConnectorResponse):
            return {_connector_subject(answer.connector): answer.connector}
        return {f"checklist/{answer.checklist.customer_id}": answer.checklist}

    async def read(self, caller: Caller, writes: Iterable[Write]) -> dict[str, Any]:
        pages = caller.pages(onboarding_pb.ListChecklistsRequest())
        things = {f"checklist/{found.customer_id}": found async for page in pages for found in page.checklists}
        asked = sorted(
            {w.request.customer_id for w in writes if isinstance(w.request, connectors_pb.UpdateConnectorRequest)}
        )
        for begin in range(0, len(asked), 16):
            for summary in await asyncio.gather(
                *(
                    caller.ask(connectors_pb.GetConnectorSummaryRequest(customer_id=customer_id))
                    for customer_id in asked[begin : begin + 16]
                )
            ):
                # Without a time: nothing was ever done about it.
                things |= {_connector_subject(c): c for c in summary.connectors if c.HasField("update_time")}
        return things

    def attributes(self, thing: Any) -> Attributes:
        if isinstance(thing, connector_pb2.Connector):
            return {
                "state": _id(connector_pb2.ConnectorState, "CONNECTOR_STATE_", thing.state).lower(),
                "revision": thing.etag.removeprefix("r"),
                "approver": thing.approval.approver.id,
            }
        return {
            "bundle_id": thing.bundle_id,
            "current_step_id": thing.current_step_id,
            "revision": thing.etag.removeprefix("r"),
            **{f"step.{step.step_id}": "completed" if step.completed else "open" for step in thing.steps},
            **{f"approver.{s.step_id}": s.approval.approver.id for s in thing.steps if s.HasField("approval")},
        }


class Success(Workload):
    """The check-ins of a week are drafted."""

    name = "success"
    modules = (success_pb,)
    ledger = success_ledger
    state_prefixes = ("check_in/",)

    async def play(self, journal: Journal, caller: Caller, customer_id: str) -> None:
        rng = journal.rng
        await journal.send(
            caller,
            success_pb.CreateWeeklyCheckInRequest(
                actor=PERSON,
                customer_id=customer_id,
                metrics=success_pb2.WeekMetrics(
                    drafts_approved=rng.randint(0, 30),
                    replies=rng.randint(0, 30),
                    meetings=rng.randint(0, 5),
                    risks_blocked=rng.randint(0, 5),
                    pipeline_sar=rng.randint(0, 10**6),
                ),
                open_incident_severities=rng.choice(((), ("SEV3",))),
            ),
            # Its draft is recorded on its own.
            entries=2,
            twice=rng.random() < 0.2,
        )

    def things(self, answer: Any) -> dict[str, Any]:
        return {f"check_in/{answer.check_in.check_in_id}": answer.check_in}

    async def read(self, caller: Caller, writes: Iterable[Write]) -> dict[str, Any]:
        pages = caller.pages(success_pb.ListWeeklyCheckInsRequest())
        return {f"check_in/{found.check_in_id}": found async for page in pages for found in page.check_ins}

    def attributes(self, thing: Any) -> Attributes:
        return {
            "customer_id": thing.customer_id,
            "week_start": thing.week_start,
            "draft_id": thing.draft_id,
        }


def _connector_subject(connector: Any) -> str:
    return f"connector/{connector.customer_id}/{connector.connector_key}"


WORKLOADS: dict[str, Workload] = {w.name: w for w in (Support(), Incidents(), Onboarding(), Success())}
