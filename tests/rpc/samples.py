"""A valid request for every RPC there is, and what is needed to make it faulty field by field.

A sample is made anew each time: a write gets a ``request_id`` and a customer that were never used, and whatever it needs
(a ticket, a checklist) is made first through the same door.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from dealix.common.v1 import (
    actor_pb2,
    approval_pb2,
    channel_pb2,
    context_pb2,
    draft_pb2,
    ledger_pb2,
    sent_record_pb2,
    signal_pb2,
)
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.incidents.v1 import action_item_service_pb2 as act
from dealix.incidents.v1 import approval_service_pb2 as inc_approval
from dealix.incidents.v1 import communication_pb2, incident_pb2, notice_pb2, obligation_pb2, post_mortem_pb2
from dealix.incidents.v1 import communication_service_pb2 as com
from dealix.incidents.v1 import freeze_service_pb2 as frz
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.incidents.v1 import ledger_service_pb2 as inc_ledger
from dealix.incidents.v1 import notice_service_pb2 as ntc
from dealix.incidents.v1 import obligation_service_pb2 as obl
from dealix.incidents.v1 import post_mortem_service_pb2 as pmo
from dealix.onboarding.v1 import approval_service_pb2 as onb_approval
from dealix.onboarding.v1 import checklist_pb2, connector_pb2, onboarding_pb2
from dealix.onboarding.v1 import connector_service_pb2 as con
from dealix.onboarding.v1 import ledger_service_pb2 as onb_ledger
from dealix.onboarding.v1 import onboarding_service_pb2 as onb
from dealix.success.v1 import activity_pb2, plan_pb2, success_pb2
from dealix.success.v1 import approval_service_pb2 as suc_approval
from dealix.success.v1 import ledger_service_pb2 as suc_ledger
from dealix.success.v1 import success_service_pb2 as suc
from dealix.support.v1 import approval_service_pb2 as sup_approval
from dealix.support.v1 import classification_pb2, sla_pb2, ticket_pb2
from dealix.support.v1 import ledger_service_pb2 as sup_ledger
from dealix.support.v1 import sla_service_pb2 as sla
from dealix.support.v1 import support_service_pb2 as sup
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract import FORWARDED, OWN
from services.approvals import drafts
from services.approvals import wire as drafts_wire
from services.approvals.drafts import DraftKind, NewDraft
from services.domain.channels import Channel
from services.domain.riyadh import previous_week_bounds, riyadh_date
from services.domain.texts import Bilingual
from services.runtime.methods import Method, methods_of
from services.runtime.wire import timestamp
from services.storage.database import Actor

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-17", role=actor_pb2.ROLE_FOUNDER)
SOFTWARE = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="lead-engine")

SERVICE_OF: dict[str, str] = {
    method.path: name for name, modules in (*FORWARDED.items(), ("gateway", OWN)) for method in methods_of(modules)
}
"""Path to the name of the service that answers it."""

METHODS: list[Method] = methods_of(module for modules in (*FORWARDED.values(), OWN) for module in modules)
METHOD_OF: dict[str, Method] = {method.request_class.DESCRIPTOR.full_name: method for method in METHODS}
"""Every RPC has a request type of its own, so a request says which RPC it is for."""

METHOD_AT: dict[str, Method] = {method.path: method for method in METHODS}

Ask = Callable[[Message], Awaitable[Any]]
"""Sends a request to the RPC that it is for and gives the answer."""
Builder = Callable[[Ask], Awaitable[Message]]

SAMPLES: dict[str, Builder] = {}
"""Full name of a request type to what makes a valid request of it."""


def new_customer() -> str:
    """The id of a customer that nobody has heard of."""
    return f"cust-{uuid.uuid4().hex[:12]}"


def ago(**passed: float) -> Timestamp:
    """A time in the past."""
    return timestamp(datetime.now(UTC) - timedelta(**passed))


_WEEKS_BACK = itertools.count(1)


def reviewed_week() -> str:
    """The Sunday of a week that can be reviewed, another one each time."""
    back = timedelta(weeks=next(_WEEKS_BACK) % 200 + 1)
    return riyadh_date(previous_week_bounds(datetime.now(UTC) - back).start).isoformat()


def approval() -> approval_pb2.Approval:
    """A person's approval of a minute ago."""
    return approval_pb2.Approval(approver=PERSON, approve_time=ago(minutes=1), note="اعتمدته بعد المراجعة")


def _written(**fields: Any) -> dict[str, Any]:
    return {"request_id": str(uuid.uuid4()), "actor": PERSON, **fields}


def _sample(kind: type[Message]) -> Callable[[Builder], Builder]:
    def keep(builder: Builder) -> Builder:
        SAMPLES[kind.DESCRIPTOR.full_name] = builder
        return builder

    return keep


def _plain(kind: type[Message], fields: Callable[[], dict[str, Any]] = dict) -> None:
    """A sample that needs nothing beforehand."""

    async def build(_: Ask) -> Message:
        return kind(**fields())

    SAMPLES[kind.DESCRIPTOR.full_name] = build


async def sample_of(path_or_type: str, ask: Ask) -> Any:
    """A new sample for a request type (full name)."""
    return await SAMPLES[path_or_type](ask)


# --- support ----------------------------------------------------------------------------------------------------------


def ticket_request(**fields: Any) -> sup.RouteTicketRequest:
    return sup.RouteTicketRequest(
        **_written(
            customer_id=new_customer(),
            subject="ربط Gmail متوقف",
            body="توقف الربط منذ الصباح، والمسودات لا تصل. connector is down",
            channel=channel_pb2.CHANNEL_WHATSAPP,
            **fields,
        )
    )


async def new_ticket(ask: Ask) -> ticket_pb2.Ticket:
    """A stored ticket."""
    return (await ask(ticket_request())).ticket


_plain(sup.ListPrioritiesRequest)
_plain(sup.ClassifyTicketRequest, lambda: {"text": "تم إرسال الرسالة بدون موافقتي"})
_plain(sup.GetFirstResponseTemplateRequest, lambda: {"priority": classification_pb2.PRIORITY_P0})
_plain(
    sup.SummarizeSignalsRequest,
    lambda: {"signals": [signal_pb2.SIGNAL_CONNECTOR, signal_pb2.SIGNAL_OUTAGE], "create_time_from": ago(hours=24)},
)


@_sample(sup.RouteTicketRequest)
async def _route(ask: Ask) -> Message:
    request = ticket_request(minimum_priority=classification_pb2.PRIORITY_P1)
    earlier = ticket_request()
    earlier.customer_id = request.customer_id
    request.follows_ticket_id = (await ask(earlier)).ticket.ticket_id
    return request


@_sample(sup.GetTicketRequest)
async def _get_ticket(ask: Ask) -> Message:
    return sup.GetTicketRequest(ticket_id=(await new_ticket(ask)).ticket_id)


@_sample(sup.ListTicketsRequest)
async def _list_tickets(ask: Ask) -> Message:
    for _ in range(3):
        await new_ticket(ask)
    return sup.ListTicketsRequest(page_size=100)


def escalation(ticket_id: str) -> sla.RecordSlaEventRequest:
    return sla.RecordSlaEventRequest(**_written(ticket_id=ticket_id, type=sla_pb2.SLA_EVENT_TYPE_ESCALATED, note="رفع"))


@_sample(sla.RecordSlaEventRequest)
async def _record_event(ask: Ask) -> Message:
    ticket = await new_ticket(ask)
    return sla.RecordSlaEventRequest(
        **_written(
            ticket_id=ticket.ticket_id,
            type=sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE,
            sent=sent_record_pb2.SentRecordInput(
                send_time=timestamp(datetime.now(UTC)),
                channel=channel_pb2.CHANNEL_EMAIL,
                sender=PERSON,
                reference="msg-5521",
            ),
            note="أُرسل الرد بعد الاعتماد",
            etag=ticket.etag,
        )
    )


def by_mail(sent_at: Timestamp | None = None) -> sent_record_pb2.SentRecordInput:
    """What a person says of a mail that was sent just now."""
    return sent_record_pb2.SentRecordInput(
        send_time=sent_at or timestamp(datetime.now(UTC)),
        channel=channel_pb2.CHANNEL_EMAIL,
        sender=PERSON,
        reference="msg-5521",
    )


async def approved(ask: Ask, draft: draft_pb2.Draft) -> draft_pb2.Draft:
    """A draft of support, approved as it stands."""
    request = sup_approval.ApproveDraftRequest(**_written(draft_id=draft.draft_id, content_hash=draft.content_hash))
    return (await ask(request)).draft


async def answered_ticket(ask: Ask) -> ticket_pb2.Ticket:
    """A ticket in progress: its first response was approved and sent."""
    routed = await ask(ticket_request())
    await approved(ask, routed.draft)
    request = sup.RecordFirstResponseSentRequest(**_written(ticket_id=routed.ticket.ticket_id, sent=by_mail()))
    return (await ask(request)).ticket


async def resolved_ticket(ask: Ask) -> ticket_pb2.Ticket:
    """A ticket that is solved."""
    ticket = await answered_ticket(ask)
    return (await ask(sup.ResolveTicketRequest(**_written(ticket_id=ticket.ticket_id)))).ticket


def message_request(ticket_id: str, body: str = "هل من جديد؟") -> sup.AddCustomerMessageRequest:
    return sup.AddCustomerMessageRequest(
        **_written(ticket_id=ticket_id, channel=channel_pb2.CHANNEL_WHATSAPP, body=body)
    )


def reply_request(ticket_id: str) -> sup.DraftReplyRequest:
    return sup.DraftReplyRequest(
        **_written(
            ticket_id=ticket_id,
            channel=channel_pb2.CHANNEL_EMAIL,
            body_ar="نعمل على المشكلة وسنوافيكم بما يستجد.",
            body_en="We are working on it and will keep you informed.",
        )
    )


@_sample(sup.RaiseTicketPriorityRequest)
async def _raise_priority(ask: Ask) -> Message:
    ticket = await new_ticket(ask)
    return sup.RaiseTicketPriorityRequest(
        **_written(
            ticket_id=ticket.ticket_id,
            priority=classification_pb2.PRIORITY_P0,
            reason="توقف كامل لدى العميل",
            etag=ticket.etag,
        )
    )


@_sample(sup.AddCustomerMessageRequest)
async def _add_message(ask: Ask) -> Message:
    request = message_request((await answered_ticket(ask)).ticket_id)
    request.receive_time.CopyFrom(timestamp(datetime.now(UTC)))
    return request


@_sample(sup.DraftReplyRequest)
async def _draft_reply(ask: Ask) -> Message:
    return reply_request((await answered_ticket(ask)).ticket_id)


@_sample(sup.RecordFirstResponseSentRequest)
async def _first_response_sent(ask: Ask) -> Message:
    routed = await ask(ticket_request())
    draft = await approved(ask, routed.draft)
    return sup.RecordFirstResponseSentRequest(
        **_written(
            ticket_id=routed.ticket.ticket_id,
            approval_id=draft.approval.approval_id,
            sent=by_mail(),
            note="أُرسل بعد الاعتماد",
            etag=routed.ticket.etag,
        )
    )


@_sample(sup.RecordReplySentRequest)
async def _reply_sent(ask: Ask) -> Message:
    ticket = await answered_ticket(ask)
    draft = await approved(ask, (await ask(reply_request(ticket.ticket_id))).draft)
    return sup.RecordReplySentRequest(
        **_written(
            ticket_id=ticket.ticket_id,
            draft_id=draft.draft_id,
            approval_id=draft.approval.approval_id,
            sent=by_mail(),
            note="أُرسل بعد الاعتماد",
        )
    )


@_sample(sup.WaitOnCustomerRequest)
async def _wait(ask: Ask) -> Message:
    ticket = await answered_ticket(ask)
    return sup.WaitOnCustomerRequest(
        **_written(
            ticket_id=ticket.ticket_id,
            waiting_on=ticket_pb2.WAITING_ON_CUSTOMER,
            reason="ننتظر صورة من رسالة الخطأ",
            etag=ticket.etag,
        )
    )


@_sample(sup.ResumeTicketRequest)
async def _resume(ask: Ask) -> Message:
    waiting = (await ask(await _wait(ask))).ticket
    return sup.ResumeTicketRequest(**_written(ticket_id=waiting.ticket_id, note="وصلت الصورة", etag=waiting.etag))


@_sample(sup.ResolveTicketRequest)
async def _resolve(ask: Ask) -> Message:
    ticket = await answered_ticket(ask)
    now = timestamp(datetime.now(UTC))
    return sup.ResolveTicketRequest(
        **_written(ticket_id=ticket.ticket_id, occur_time=now, note="أُعيد الربط", etag=ticket.etag)
    )


@_sample(sup.CloseTicketRequest)
async def _close(ask: Ask) -> Message:
    ticket = await resolved_ticket(ask)
    confirmation = ticket_pb2.CustomerConfirmation(
        confirmed_by="sales-manager",
        channel=channel_pb2.CHANNEL_PHONE,
        confirm_time=timestamp(datetime.now(UTC)),
        reference="call-12",
    )
    return sup.CloseTicketRequest(**_written(ticket_id=ticket.ticket_id, confirmation=confirmation, etag=ticket.etag))


def link_request(ticket_id: str, other_ticket_id: str, **fields: Any) -> sup.LinkTicketsRequest:
    kind = {"kind": ticket_pb2.TICKET_LINK_KIND_RELATED, **fields}
    return sup.LinkTicketsRequest(**_written(ticket_id=ticket_id, other_ticket_id=other_ticket_id, **kind))


@_sample(sup.LinkTicketsRequest)
async def _link(ask: Ask) -> Message:
    return link_request((await new_ticket(ask)).ticket_id, (await new_ticket(ask)).ticket_id)


@_sample(sup.ListTicketLinksRequest)
async def _list_links(ask: Ask) -> Message:
    one = (await new_ticket(ask)).ticket_id
    for n in range(3):
        other = (await new_ticket(ask)).ticket_id
        await ask(link_request(one, other) if n else link_request(other, one))
    return sup.ListTicketLinksRequest(ticket_id=one, page_size=100)


@_sample(sup.ListTicketMessagesRequest)
async def _list_messages(ask: Ask) -> Message:
    ticket = await answered_ticket(ask)
    for body in ("هل من جديد؟", "ما زال متوقفًا", "شكراً"):
        await ask(message_request(ticket.ticket_id, body))
    return sup.ListTicketMessagesRequest(ticket_id=ticket.ticket_id, page_size=100)


@_sample(sla.ListClocksRequest)
async def _list_clocks(ask: Ask) -> Message:
    ticket = await answered_ticket(ask)
    await ask(message_request(ticket.ticket_id))
    now = timestamp(datetime.now(UTC))
    return sla.ListClocksRequest(ticket_id=ticket.ticket_id, as_of_time=now, page_size=100)


@_sample(sla.ListDueSoonRequest)
async def _list_due_soon(ask: Ask) -> Message:
    customer = new_customer()
    for _ in range(2):
        request = ticket_request()
        request.customer_id = customer
        await ask(request)
    return sla.ListDueSoonRequest(customer_id=customer, within_minutes=31 * 24 * 60, page_size=100)


_plain(sla.GetSlaPolicyRequest, lambda: {"open_time": ago(hours=1)})
_plain(sla.ListSlaPoliciesRequest, lambda: {"page_size": 100})


_plain(
    sla.ClassifySlaBreachRequest,
    lambda: {"priority": classification_pb2.PRIORITY_P0, "first_response_minutes": 31, "resolution_hours": 5},
)
_plain(
    sla.BuildSlaHealthReportRequest,
    lambda: {
        "tickets": [
            sla.SlaTicketFacts(
                ticket_id="t-1",
                customer_id="c-1",
                priority=classification_pb2.PRIORITY_P1,
                first_response_minutes=60,
                resolution_hours=10,
            ),
            sla.SlaTicketFacts(ticket_id="t-2", priority=classification_pb2.PRIORITY_P3, age_minutes=5),
        ]
    },
)
_plain(sla.GetDemoSlaHealthReportRequest)


@_sample(sla.GetSlaHealthReportRequest)
async def _health_report(ask: Ask) -> Message:
    ticket = await new_ticket(ask)
    return sla.GetSlaHealthReportRequest(
        period_start_time=ago(days=7), period_end_time=ago(days=-1), customer_id=ticket.customer_id
    )


_plain(sla.ReviewSlaWeekRequest, lambda: _written(week_start_date=reviewed_week()))


@_sample(sla.ListSlaEventsRequest)
async def _list_events(ask: Ask) -> Message:
    ticket = await new_ticket(ask)
    for _ in range(2):
        await ask(escalation(ticket.ticket_id))
    return sla.ListSlaEventsRequest(page_size=100, ticket_id=ticket.ticket_id)


# --- incidents --------------------------------------------------------------------------------------------------------


def facts(**fields: Any) -> incident_pb2.TriageFacts:
    return incident_pb2.TriageFacts(
        **{"title": "توقف خدمة المسودات", "description": "لا تصل المسودات", "affected_customers": 3, **fields}
    )


def findings() -> incident_pb2.SupportFindings:
    return incident_pb2.SupportFindings(
        consulted=True,
        signals=[signal_pb2.SIGNAL_SERVICE_DOWN],
        matched_keyword="service down",
        open_tickets=2,
        distinct_customers=2,
        ticket_ids=["tkt_" + "b" * 26],
    )


def declaration(**fields: Any) -> inc.DeclareIncidentRequest:
    return inc.DeclareIncidentRequest(
        **_written(
            **{
                "facts": facts(),
                "support_findings": findings(),
                "customer_ids": [new_customer()],
                "ticket_ids": ["tkt_" + "b" * 26],
                "channel": "whatsapp_cloud",
                # So lately that nothing is overdue before the tests are over: an alert is a write of the service's own.
                "aware_time": ago(seconds=5),
                **fields,
            }
        )
    )


async def _declare(_: Ask) -> Message:
    return declaration(raise_severity_to=incident_pb2.SEVERITY_SEV1, raise_reason="عميل رئيسي متأثر")


SAMPLES[inc.DeclareIncidentRequest.DESCRIPTOR.full_name] = _declare
_plain(inc.TriageIncidentRequest, lambda: {"facts": facts(), "support_findings": findings()})
_plain(inc.GetResponsePlanRequest, lambda: {"severity": incident_pb2.SEVERITY_SEV1})
_plain(
    inc.RecordPolicyBreachRequest,
    lambda: _written(
        actor=SOFTWARE,
        service="support",
        method=f"/dealix.support.v1.SupportService/Get{uuid.uuid4().hex}",
        kind=incident_pb2.POLICY_BREACH_KIND_FLAG_ABSENT,
    ),
)


@_sample(inc.GetIncidentRequest)
async def _get_incident(ask: Ask) -> Message:
    return inc.GetIncidentRequest(incident_id=(await ask(declaration())).incident.incident_id)


@_sample(inc.ListIncidentsRequest)
async def _list_incidents(ask: Ask) -> Message:
    for _ in range(3):
        await ask(declaration())
    return inc.ListIncidentsRequest(page_size=100)


@_sample(inc.GetOperatingContextRequest)
async def _operating_context(ask: Ask) -> Message:
    request = declaration()
    await ask(request)
    return inc.GetOperatingContextRequest(customer_id=request.customer_ids[0])


async def new_incident(ask: Ask, **fields: Any) -> incident_pb2.Incident:
    """A stored incident."""
    return (await ask(declaration(**fields))).incident


def leak() -> dict[str, Any]:
    """Data leaked: such an incident has every obligation that there is."""
    return {"facts": facts(data_leak=True)}


def step(incident: incident_pb2.Incident, state: Any, **fields: Any) -> inc.ChangeIncidentStateRequest:
    return inc.ChangeIncidentStateRequest(
        **_written(incident_id=incident.incident_id, state=state, reason="بدأ العمل", **fields)
    )


def note(incident: incident_pb2.Incident) -> inc.AddTimelineNoteRequest:
    return inc.AddTimelineNoteRequest(
        **_written(incident_id=incident.incident_id, text="راجعنا السجل", occur_time=ago(minutes=1))
    )


def action_item(incident: incident_pb2.Incident) -> act.AddActionItemRequest:
    return act.AddActionItemRequest(
        **_written(
            incident_id=incident.incident_id,
            title="مراجعة صلاحيات الربط",
            owner_id="operator-17",
            due_time=ago(days=-3),
        )
    )


@_sample(inc.ListIncidentTimelineRequest)
async def _timeline(ask: Ask) -> Message:
    incident = await new_incident(ask)
    for _ in range(2):
        await ask(note(incident))
    return inc.ListIncidentTimelineRequest(page_size=100, incident_id=incident.incident_id)


@_sample(inc.ChangeIncidentStateRequest)
async def _change_state(ask: Ask) -> Message:
    incident = await new_incident(ask)
    return step(incident, incident_pb2.INCIDENT_STATE_ACTIVE, occur_time=incident.create_time, etag=incident.etag)


@_sample(inc.RaiseIncidentSeverityRequest)
async def _raise_severity(ask: Ask) -> Message:
    incident = await new_incident(ask)
    return inc.RaiseIncidentSeverityRequest(
        **_written(
            incident_id=incident.incident_id,
            severity=incident_pb2.SEVERITY_SEV1,
            reason="تبيّن أن بيانات تسربت",
            data_leak=True,
            unauthorized_send=True,
            aware_time=incident.aware_time,
            etag=incident.etag,
        )
    )


@_sample(inc.AssignIncidentRoleRequest)
async def _assign_role(ask: Ask) -> Message:
    incident = await new_incident(ask)
    return inc.AssignIncidentRoleRequest(
        **_written(
            incident_id=incident.incident_id,
            role=incident_pb2.INCIDENT_ROLE_COMMANDER,
            person_id="operator-17",
            note="المناوب",
            etag=incident.etag,
        )
    )


@_sample(inc.UpdatePlanTaskRequest)
async def _update_task(ask: Ask) -> Message:
    incident = await new_incident(ask)
    return inc.UpdatePlanTaskRequest(
        **_written(
            incident_id=incident.incident_id,
            task_number=1,
            state=incident_pb2.PLAN_TASK_STATE_DONE,
            owner_id="operator-17",
            note="جُمّدت القناة",
            etag=incident.etag,
        )
    )


@_sample(inc.LinkIncidentRequest)
async def _link(ask: Ask) -> Message:
    incident = await new_incident(ask)
    return inc.LinkIncidentRequest(
        **_written(
            incident_id=incident.incident_id,
            customer_ids=[new_customer()],
            ticket_ids=["tkt_" + "d" * 26],
            etag=incident.etag,
        )
    )


@_sample(inc.MarkIncidentDuplicateRequest)
async def _mark_duplicate(ask: Ask) -> Message:
    incident, other = await new_incident(ask), await new_incident(ask)
    await ask(note(other))
    return inc.MarkIncidentDuplicateRequest(
        **_written(
            incident_id=incident.incident_id,
            duplicate_of_incident_id=other.incident_id,
            reason="البلاغ نفسه",
            etag=incident.etag,
        )
    )


@_sample(inc.AddTimelineNoteRequest)
async def _add_note(ask: Ask) -> Message:
    incident = await new_incident(ask)
    request = note(incident)
    request.etag = incident.etag
    return request


@_sample(inc.RecordIncidentUpdateRequest)
async def _record_update(ask: Ask) -> Message:
    incident = await new_incident(ask)
    return inc.RecordIncidentUpdateRequest(
        **_written(
            incident_id=incident.incident_id,
            text="عادت المسودات إلى الوصول",
            occur_time=incident.create_time,
            late_reason="لا تأخير",
            etag=incident.etag,
        )
    )


@_sample(inc.SetIncidentClocksPausedRequest)
async def _pause_clocks(ask: Ask) -> Message:
    incident = await new_incident(ask)
    return inc.SetIncidentClocksPausedRequest(
        **_written(incident_id=incident.incident_id, paused=True, reason="ننتظر مزوّد الخدمة", etag=incident.etag)
    )


@_sample(obl.ListObligationsRequest)
async def _list_obligations(ask: Ask) -> Message:
    incident = await new_incident(ask, **leak())
    return obl.ListObligationsRequest(page_size=100, incident_id=incident.incident_id, as_of_time=ago(minutes=-1))


@_sample(obl.ListDueObligationsRequest)
async def _list_due(ask: Ask) -> Message:
    for _ in range(3):
        await new_incident(ask, **leak())
    return obl.ListDueObligationsRequest(
        page_size=100, as_of_time=ago(hours=-80), kind=obligation_pb2.OBLIGATION_KIND_PDPL_AUTHORITY
    )


@_sample(obl.CompleteObligationRequest)
async def _complete_obligation(ask: Ask) -> Message:
    incident = await new_incident(ask, **leak())
    return obl.CompleteObligationRequest(
        **_written(
            incident_id=incident.incident_id,
            kind=obligation_pb2.OBLIGATION_KIND_PDPL_AUTHORITY,
            occur_time=incident.create_time,
            reason="قُدّم في يومه",
            reference="filing-77",
            etag=incident.etag,
        )
    )


@_sample(obl.WaiveObligationRequest)
async def _waive_obligation(ask: Ask) -> Message:
    incident = await new_incident(ask, **leak())
    return obl.WaiveObligationRequest(
        **_written(
            incident_id=incident.incident_id,
            kind=obligation_pb2.OBLIGATION_KIND_DATA_SUBJECTS,
            reason="البيانات مشفرة ولا ضرر على أصحابها",
            etag=incident.etag,
        )
    )


@_sample(act.AddActionItemRequest)
async def _add_action_item(ask: Ask) -> Message:
    return action_item(await new_incident(ask))


@_sample(act.UpdateActionItemRequest)
async def _update_action_item(ask: Ask) -> Message:
    item = (await ask(action_item(await new_incident(ask)))).action_item
    return act.UpdateActionItemRequest(
        **_written(
            action_item_id=item.action_item_id,
            owner_id="operator-18",
            due_time=ago(days=-5),
            reason="ننتظر الصلاحيات",
            etag=item.etag,
        )
    )


@_sample(act.ListActionItemsRequest)
async def _list_action_items(ask: Ask) -> Message:
    incident = await new_incident(ask)
    for _ in range(3):
        await ask(action_item(incident))
    return act.ListActionItemsRequest(page_size=100, incident_id=incident.incident_id)


# --- post-mortems -----------------------------------------------------------------------------------------------------


def post_mortem_text() -> post_mortem_pb2.PostMortemText:
    return post_mortem_pb2.PostMortemText(text_ar="انتهت صلاحية شهادة", text_en="A certificate expired")


def post_mortem_event() -> post_mortem_pb2.PostMortemEvent:
    return post_mortem_pb2.PostMortemEvent(occur_time=ago(hours=1), text=post_mortem_text())


def post_mortem_item() -> post_mortem_pb2.PostMortemActionItem:
    return post_mortem_pb2.PostMortemActionItem(title=post_mortem_text(), owner="operator-17", due_time=ago(days=-7))


def post_mortem_content() -> post_mortem_pb2.PostMortemContent:
    """A text with nothing missing."""
    return post_mortem_pb2.PostMortemContent(
        summary=post_mortem_text(),
        timeline=[post_mortem_event()],
        root_cause=post_mortem_text(),
        what_went_well=post_mortem_text(),
        what_went_wrong=post_mortem_text(),
        action_items=[post_mortem_item()],
    )


async def resolved_incident(ask: Ask) -> incident_pb2.Incident:
    """A SEV3 that is over but for its papers."""
    incident = (await ask(declaration())).incident
    for state in ("ACTIVE", "MITIGATED", "RESOLVED"):
        value = incident_pb2.IncidentState.Value(f"INCIDENT_STATE_{state}")
        incident = (await ask(step(incident, value, occur_time=None))).incident
    return incident


async def new_post_mortem(ask: Ask, upto: str = "draft") -> post_mortem_pb2.PostMortem:
    """A post-mortem that was taken some way: ``draft``, ``in_review`` or ``approved``."""
    incident_id = (await resolved_incident(ask)).incident_id
    content = post_mortem_content()
    found = (await ask(pmo.DraftPostMortemRequest(**_written(incident_id=incident_id, content=content)))).post_mortem
    if upto != "draft":
        await ask(pmo.SubmitPostMortemRequest(**_written(incident_id=incident_id)))
    if upto == "approved":
        request = pmo.ApprovePostMortemRequest(**_written(incident_id=incident_id, content_revision=1))
        found = (await ask(request)).post_mortem
    return found


@_sample(pmo.DraftPostMortemRequest)
async def _draft_post_mortem(ask: Ask) -> Message:
    incident_id = (await ask(declaration())).incident.incident_id
    return pmo.DraftPostMortemRequest(**_written(incident_id=incident_id, content=post_mortem_content()))


@_sample(pmo.UpdatePostMortemRequest)
async def _update_post_mortem(ask: Ask) -> Message:
    found = await new_post_mortem(ask)
    content = post_mortem_content()
    content.summary.text_en = "In other words"
    return pmo.UpdatePostMortemRequest(**_written(incident_id=found.incident_id, content=content, etag=found.etag))


@_sample(pmo.SubmitPostMortemRequest)
async def _submit_post_mortem(ask: Ask) -> Message:
    found = await new_post_mortem(ask)
    return pmo.SubmitPostMortemRequest(**_written(incident_id=found.incident_id, etag=found.etag))


@_sample(pmo.ApprovePostMortemRequest)
async def _approve_post_mortem(ask: Ask) -> Message:
    found = await new_post_mortem(ask, "in_review")
    return pmo.ApprovePostMortemRequest(
        **_written(incident_id=found.incident_id, content_revision=1, late_reason="انتظرنا نتيجة التحقيق")
    )


@_sample(pmo.SignOffPostMortemRequest)
async def _sign_off_post_mortem(ask: Ask) -> Message:
    found = await new_post_mortem(ask, "in_review")
    incident = (await ask(inc.GetIncidentRequest(incident_id=found.incident_id))).incident
    return pmo.SignOffPostMortemRequest(
        **_written(
            incident_id=found.incident_id,
            kind=post_mortem_pb2.POST_MORTEM_SIGN_OFF_KIND_CUSTOMER_CONSENT,
            customer_id=incident.customer_ids[0],
            reference="letter-7",
            content_revision=1,
        )
    )


@_sample(pmo.MarkPostMortemPublishableRequest)
async def _mark_publishable(ask: Ask) -> Message:
    found = await new_post_mortem(ask, "approved")
    return pmo.MarkPostMortemPublishableRequest(**_written(incident_id=found.incident_id, etag=found.etag))


@_sample(pmo.GetPostMortemRequest)
async def _get_post_mortem(ask: Ask) -> Message:
    return pmo.GetPostMortemRequest(incident_id=(await new_post_mortem(ask)).incident_id)


@_sample(pmo.ListPostMortemsRequest)
async def _list_post_mortems(ask: Ask) -> Message:
    for _ in range(3):
        await new_post_mortem(ask)
    return pmo.ListPostMortemsRequest(page_size=100)


# --- notices ----------------------------------------------------------------------------------------------------------


def notice_text() -> notice_pb2.NoticeText:
    return notice_pb2.NoticeText(text_ar="بيانات التواصل", text_en="Contact details")


def notice_blocks() -> notice_pb2.NoticeBlocks:
    """Five complete blocks."""
    return notice_pb2.NoticeBlocks(
        event=notice_pb2.NoticeEvent(description=notice_text(), begin_time=ago(hours=2), end_time=ago(hours=1)),
        scope=notice_pb2.NoticeScope(
            data_categories=[notice_text()], people_categories=[notice_text()], records=120, people=80, approximate=True
        ),
        consequences=notice_pb2.NoticeConsequences(risks=notice_text(), effects=notice_text(), measures=notice_text()),
        data_subjects=notice_pb2.NoticeDataSubjects(
            told=notice_pb2.DATA_SUBJECTS_TOLD_YES, tell_time=ago(minutes=10), explanation=notice_text()
        ),
        contact=notice_pb2.NoticeContact(role=notice_text(), email="privacy@example.sa", phone="+966112345678"),
    )


async def new_notice(ask: Ask, upto: str = "begun") -> notice_pb2.Notice:
    """A notice that was taken some way: ``begun``, ``filed`` or ``changed`` after its filing."""
    facts_ = facts()
    facts_.data_leak = True
    incident_id = (await ask(declaration(facts=facts_))).incident.incident_id
    blocks = notice_blocks()
    found = (await ask(ntc.UpdateNoticeRequest(**_written(incident_id=incident_id, blocks=blocks)))).notice
    if upto != "begun":
        filed = ntc.RecordNoticeFiledRequest(
            **_written(incident_id=incident_id, reference="SDAIA-7", file_time=ago(seconds=3))
        )
        found = (await ask(filed)).notice
    if upto == "changed":
        blocks.scope.people = 81
        found = (await ask(ntc.UpdateNoticeRequest(**_written(incident_id=incident_id, blocks=blocks)))).notice
    return found


@_sample(ntc.UpdateNoticeRequest)
async def _update_notice(ask: Ask) -> Message:
    found = await new_notice(ask)
    blocks = notice_blocks()
    blocks.scope.people = 90
    return ntc.UpdateNoticeRequest(**_written(incident_id=found.incident_id, blocks=blocks, etag=found.etag))


@_sample(ntc.RecordNoticeFiledRequest)
async def _record_notice_filed(ask: Ask) -> Message:
    found = await new_notice(ask)
    return ntc.RecordNoticeFiledRequest(
        **_written(
            incident_id=found.incident_id,
            reference="SDAIA-8",
            file_time=ago(seconds=3),
            late_reason="لا شيء",
            incomplete_reason="لا شيء",
            etag=found.etag,
        )
    )


@_sample(ntc.RecordNoticeSupplementRequest)
async def _record_notice_supplement(ask: Ask) -> Message:
    found = await new_notice(ask, "changed")
    return ntc.RecordNoticeSupplementRequest(
        **_written(incident_id=found.incident_id, reference="SDAIA-7/2", file_time=ago(seconds=0), etag=found.etag)
    )


@_sample(ntc.DraftNoticeRequest)
async def _draft_notice(ask: Ask) -> Message:
    return ntc.DraftNoticeRequest(**_written(incident_id=(await new_notice(ask)).incident_id))


@_sample(ntc.GetNoticeRequest)
async def _get_notice(ask: Ask) -> Message:
    return ntc.GetNoticeRequest(incident_id=(await new_notice(ask)).incident_id)


# --- communications ---------------------------------------------------------------------------------------------------


def communication_text() -> communication_pb2.CommunicationText:
    return communication_pb2.CommunicationText(text_ar="توقف الربط", text_en="The connection is down")


def communication_name() -> communication_pb2.CommunicationName:
    return communication_pb2.CommunicationName(name_ar="نجد", name_en="Najd")


def communication_facts() -> communication_pb2.CommunicationFacts:
    """What a data leak is told with."""
    return communication_pb2.CommunicationFacts(
        what_happened=communication_text(),
        begin_time=ago(hours=1),
        measures=[communication_text()],
        advice=[communication_text()],
        next_update_time=ago(hours=-1),
        data_categories=[communication_text()],
        people=80,
        affected_customers=2,
        contact=communication_text(),
        names=[communication_name()],
    )


_plain(
    com.PreviewCommunicationRequest,
    lambda: {"kind": communication_pb2.COMMUNICATION_KIND_SEV1_DATA_LEAK, "facts": communication_facts()},
)
_plain(
    com.CheckParityRequest,
    lambda: {"text_ar": "تأثر 5 عملاء", "text_en": "5 customers are affected", "names": [communication_name()]},
)


@_sample(com.DraftCommunicationRequest)
async def _draft_communication(ask: Ask) -> Message:
    facts_ = facts()
    facts_.data_leak = True
    incident = (await ask(declaration(facts=facts_))).incident
    return com.DraftCommunicationRequest(
        **_written(
            incident_id=incident.incident_id,
            kind=communication_pb2.COMMUNICATION_KIND_SEV1_DATA_LEAK,
            customer_ids=incident.customer_ids,
            channel=channel_pb2.CHANNEL_EMAIL,
            facts=communication_facts(),
        )
    )


# --- freezes ----------------------------------------------------------------------------------------------------------


def freeze_request(**fields: Any) -> frz.FreezeChannelRequest:
    """A freeze of one channel for a customer that nobody has heard of."""
    return frz.FreezeChannelRequest(
        **_written(
            **{
                "channel": channel_pb2.CHANNEL_WHATSAPP,
                "customer_id": new_customer(),
                "reason": "ارتفع الحظر على القناة",
                **fields,
            }
        )
    )


@_sample(frz.FreezeChannelRequest)
async def _freeze(ask: Ask) -> Message:
    return freeze_request(incident_id=(await ask(declaration())).incident.incident_id)


@_sample(frz.ReleaseFreezeRequest)
async def _release(ask: Ask) -> Message:
    held = (await ask(freeze_request())).freeze
    return frz.ReleaseFreezeRequest(**_written(freeze_id=held.freeze_id, reason="عولج السبب"))


@_sample(frz.GetFreezesRequest)
async def _get_freezes(ask: Ask) -> Message:
    customer_id = new_customer()
    for channel in (channel_pb2.CHANNEL_WHATSAPP, channel_pb2.CHANNEL_EMAIL, channel_pb2.CHANNEL_PHONE):
        await ask(freeze_request(channel=channel, customer_id=customer_id))
    return frz.GetFreezesRequest(page_size=100, customer_id=customer_id)


@_sample(frz.ListFreezesRequest)
async def _list_freezes(ask: Ask) -> Message:
    for _ in range(3):
        await ask(freeze_request())
    return frz.ListFreezesRequest(page_size=100)


_plain(
    frz.EvaluateChannelMetricsRequest,
    lambda: {
        "channel": channel_pb2.CHANNEL_WHATSAPP,
        "customer_id": new_customer(),
        "sent": 1000,
        "bounced": 20,
        "complained": 3,
        "blocked": 30,
    },
)

# --- onboarding -------------------------------------------------------------------------------------------------------


def checklist_request(**fields: Any) -> onb.CreateChecklistRequest:
    return onb.CreateChecklistRequest(
        **_written(**{"customer_id": new_customer(), "bundle_id": "growth_starter", **fields})
    )


async def new_checklist(ask: Ask) -> Any:
    """A customer's stored checklist."""
    return (await ask(checklist_request())).checklist


def step_request(customer_id: str, step_id: str, **fields: Any) -> onb.UpdateStepRequest:
    return onb.UpdateStepRequest(**_written(customer_id=customer_id, step_id=step_id, **{"completed": True, **fields}))


_plain(onb.GetDemoChecklistRequest)
_plain(onb.ListRecoveryGuidanceRequest, lambda: {"page_size": 100})


async def _create_checklist(_: Ask) -> Message:
    return checklist_request()


SAMPLES[onb.CreateChecklistRequest.DESCRIPTOR.full_name] = _create_checklist


@_sample(onb.UpdateStepRequest)
async def _update_step(ask: Ask) -> Message:
    checklist = await new_checklist(ask)
    return step_request(
        checklist.customer_id, "connect_channels", approval=approval(), input="gmail", etag=checklist.etag
    )


@_sample(onb.GetChecklistRequest)
async def _get_checklist(ask: Ask) -> Message:
    return onb.GetChecklistRequest(customer_id=(await new_checklist(ask)).customer_id)


@_sample(onb.ListChecklistsRequest)
async def _list_checklists(ask: Ask) -> Message:
    for _ in range(3):
        await new_checklist(ask)
    return onb.ListChecklistsRequest(page_size=100)


@_sample(onb.CheckAcceptanceRequest)
async def _check_acceptance(ask: Ask) -> Message:
    return onb.CheckAcceptanceRequest(
        customer_id=(await new_checklist(ask)).customer_id,
        proof_pack_delivered=True,
        proof_pack_approval=approval(),
        cadence_active=True,
    )


def connector_request(**fields: Any) -> con.UpdateConnectorRequest:
    return con.UpdateConnectorRequest(
        **_written(
            **{
                "customer_id": new_customer(),
                "connector_key": "gmail",
                "state": connector_pb2.CONNECTOR_STATE_CONNECTED_DRAFT_ONLY,
                **fields,
            }
        )
    )


async def _update_connector(_: Ask) -> Message:
    return connector_request(
        approval=approval(),
        settings={"folder": "drafts", "label": "dealix", "language": "ar"},
        etag="r0",
        setup_check=connector_pb2.SetupCheck(
            test_succeeded=True, no_secret_in_logs=True, check_time=ago(minutes=1), reference="doc-7"
        ),
    )


SAMPLES[con.UpdateConnectorRequest.DESCRIPTOR.full_name] = _update_connector
_plain(con.ListConnectorsRequest, lambda: {"page_size": 100})
_plain(con.GetDemoConnectorSummaryRequest)
_plain(con.GetConnectorGuideRequest, lambda: {"connector_key": "moyasar"})
_plain(
    con.BuildConnectorSummaryRequest,
    lambda: {
        "statuses": [
            connector_pb2.ConnectorStatus(
                connector_key="gmail", state=connector_pb2.CONNECTOR_STATE_CONNECTED_DRAFT_ONLY
            ),
            connector_pb2.ConnectorStatus(connector_key="moyasar", state=connector_pb2.CONNECTOR_STATE_FAILED),
        ]
    },
)


@_sample(con.GetConnectorSummaryRequest)
async def _connector_summary(ask: Ask) -> Message:
    request = connector_request()
    await ask(request)
    return con.GetConnectorSummaryRequest(customer_id=request.customer_id)


@_sample(onb.GetOnboardingRequest)
async def _get_onboarding(ask: Ask) -> Message:
    return onb.GetOnboardingRequest(customer_id=(await new_checklist(ask)).customer_id)


@_sample(onb.ListOnboardingsRequest)
async def _list_onboardings(ask: Ask) -> Message:
    for _ in range(3):
        await new_checklist(ask)
    return onb.ListOnboardingsRequest(page_size=100)


def blocker_request(customer_id: str, **fields: Any) -> onb.SetStepBlockerRequest:
    return onb.SetStepBlockerRequest(
        **_written(
            customer_id=customer_id,
            step_id="company_intake",
            party=checklist_pb2.BLOCKING_PARTY_CUSTOMER,
            note="ننتظر ملف الشركة",
            **fields,
        )
    )


@_sample(onb.SetStepBlockerRequest)
async def _set_blocker(ask: Ask) -> Message:
    checklist = await new_checklist(ask)
    return blocker_request(checklist.customer_id, since_time=checklist.create_time)


@_sample(onb.ClearStepBlockerRequest)
async def _clear_blocker(ask: Ask) -> Message:
    customer_id = (await new_checklist(ask)).customer_id
    await ask(blocker_request(customer_id))
    return onb.ClearStepBlockerRequest(**_written(customer_id=customer_id, step_id="company_intake"))


def review_request(customer_id: str, **fields: Any) -> onb.RecordRiskReviewRequest:
    return onb.RecordRiskReviewRequest(
        **_written(
            **{
                "customer_id": customer_id,
                "outcome": onboarding_pb2.RISK_OUTCOME_PROBLEM_FOUND,
                "finding": "قائمة لا يُعرف مصدرها",
                "reference": "review-7",
                "reviewer": PERSON,
                "review_time": ago(minutes=1),
                **fields,
            }
        )
    )


@_sample(onb.RecordRiskReviewRequest)
async def _record_review(ask: Ask) -> Message:
    return review_request((await new_checklist(ask)).customer_id)


@_sample(onb.ResolveRiskProblemRequest)
async def _resolve_problem(ask: Ask) -> Message:
    customer_id = (await new_checklist(ask)).customer_id
    await ask(review_request(customer_id))
    return onb.ResolveRiskProblemRequest(**_written(customer_id=customer_id, resolution="استُبدلت القائمة"))


@_sample(onb.RecordProofPackRequest)
async def _record_proof(ask: Ask) -> Message:
    return onb.RecordProofPackRequest(
        **_written(
            customer_id=(await new_checklist(ask)).customer_id,
            event=onboarding_pb2.PROOF_PACK_EVENT_DELIVERED,
            person=PERSON,
            occur_time=ago(minutes=1),
            reference="pack-1",
        )
    )


def cadence() -> onb.CadenceFact:
    return onb.CadenceFact(active=True, activate_time=ago(minutes=1), activator=PERSON, reference="plan-1")


@_sample(onb.GetAcceptanceRequest)
async def _get_acceptance(ask: Ask) -> Message:
    return onb.GetAcceptanceRequest(customer_id=(await new_checklist(ask)).customer_id, cadence=cadence())


async def ready_to_accept(ask: Ask) -> str:
    """A customer who lacks nothing but the acceptance."""
    customer_id: str = (await new_checklist(ask)).customer_id
    audit = con.RecordOptInAuditRequest(
        **_written(
            customer_id=customer_id,
            connector_key="whatsapp_cloud",
            opted_in_numbers=120,
            source=connector_pb2.OPT_IN_SOURCE_WEB_FORM,
            auditor=PERSON,
            audit_time=ago(minutes=1),
            reference="doc-41",
        )
    )
    await ask(audit)
    await ask(connector_request(customer_id=customer_id, connector_key="whatsapp_cloud"))
    for step_id in ("select_goal", "company_intake"):
        await ask(step_request(customer_id, step_id))
    for step_id in ("select_bundle", "connect_channels", "upload_or_source", "risk_review"):
        await ask(step_request(customer_id, step_id, approval=approval()))
    for event in (onboarding_pb2.PROOF_PACK_EVENT_DELIVERED, onboarding_pb2.PROOF_PACK_EVENT_APPROVED):
        await ask(
            onb.RecordProofPackRequest(
                **_written(
                    customer_id=customer_id, event=event, person=PERSON, occur_time=ago(seconds=1), reference="pack-1"
                )
            )
        )
    return customer_id


@_sample(onb.AcceptOnboardingRequest)
async def _accept(ask: Ask) -> Message:
    customer_id = await ready_to_accept(ask)
    # The gateway asks success, whatever the request says of the cadence.
    await ask(plan_request(customer_id=customer_id))
    return onb.AcceptOnboardingRequest(**_written(customer_id=customer_id, cadence=cadence()))


@_sample(onb.DraftStepApprovalRequest)
async def _draft_step(ask: Ask) -> Message:
    customer_id = (await new_checklist(ask)).customer_id
    return onb.DraftStepApprovalRequest(
        **_written(customer_id=customer_id, step_id="upload_or_source", input="قائمة العملاء")
    )


async def new_connector(ask: Ask) -> str:
    """A customer whose Gmail is connected."""
    request = connector_request()
    await ask(request)
    return request.customer_id


def problem_request(customer_id: str) -> con.RecordConnectorProblemRequest:
    return con.RecordConnectorProblemRequest(
        **_written(
            customer_id=customer_id,
            connector_key="gmail",
            problem=connector_pb2.CONNECTOR_PROBLEM_GRANT_REVOKED,
            occur_time=timestamp(datetime.now(UTC)),
            detail="سُحبت الصلاحية",
            reference="log-9",
        )
    )


@_sample(con.RecordConnectorProblemRequest)
async def _record_problem(ask: Ask) -> Message:
    return problem_request(await new_connector(ask))


@_sample(con.RecordConnectorTestRequest)
async def _record_test(ask: Ask) -> Message:
    customer_id = await new_connector(ask)
    return con.RecordConnectorTestRequest(
        **_written(
            customer_id=customer_id,
            connector_key="gmail",
            action=connector_pb2.CONNECTOR_TEST_ACTION_DRAFTED,
            succeeded=True,
            detail="ظهرت مسودة الاختبار",
            no_secret_in_logs=True,
            test_time=timestamp(datetime.now(UTC)),
            reference="draft-7",
        )
    )


async def _record_audit(_: Ask) -> Message:
    return con.RecordOptInAuditRequest(
        **_written(
            customer_id=new_customer(),
            connector_key="whatsapp_cloud",
            opted_in_numbers=120,
            source=connector_pb2.OPT_IN_SOURCE_WEB_FORM,
            auditor=PERSON,
            audit_time=ago(minutes=1),
            reference="doc-41",
        )
    )


SAMPLES[con.RecordOptInAuditRequest.DESCRIPTOR.full_name] = _record_audit


@_sample(con.DraftConnectorApprovalRequest)
async def _draft_connector(ask: Ask) -> Message:
    return con.DraftConnectorApprovalRequest(**_written(customer_id=await new_connector(ask), connector_key="gmail"))


@_sample(con.ListConnectorEventsRequest)
async def _list_connector_events(ask: Ask) -> Message:
    customer_id = await new_connector(ask)
    await ask(problem_request(customer_id))
    return con.ListConnectorEventsRequest(page_size=100, customer_id=customer_id, connector_key="gmail")


@_sample(con.ListConnectorIssuesRequest)
async def _list_connector_issues(ask: Ask) -> Message:
    for _ in range(3):
        await ask(problem_request(await new_connector(ask)))
    return con.ListConnectorIssuesRequest(page_size=100)


# --- success ----------------------------------------------------------------------------------------------------------


def metrics() -> success_pb2.WeekMetrics:
    return success_pb2.WeekMetrics(drafts_approved=12, replies=5, meetings=2, risks_blocked=1, pipeline_sar=45_000)


def check_in_request(**fields: Any) -> suc.CreateWeeklyCheckInRequest:
    return suc.CreateWeeklyCheckInRequest(
        **_written(
            **{
                "customer_id": new_customer(),
                "metrics": metrics(),
                "open_incident_severities": ["SEV3"],
                "channel": channel_pb2.CHANNEL_WHATSAPP,
                **fields,
            }
        )
    )


_plain(suc.BuildWeeklyCheckInRequest, lambda: {"customer_id": "cust-1", "metrics": metrics()})
_plain(
    suc.BuildAtRiskAlertRequest,
    lambda: {"customer_id": "cust-1", "days_inactive": 14, "drafts_pending": 10, "days_since_proof_pack": 14},
)
_plain(suc.BuildSuccessPlanRequest, lambda: {"bundle_id": "executive_growth_os"})
_plain(
    suc.BuildHealthScoreRequest,
    lambda: {
        "customer_id": "cust-1",
        "csat": 9,
        "pipeline_sar": 20_000,
        "meetings": 2,
        "approval_rate": 0.8,
        "days_inactive": 1,
        "drafts_pending": 2,
    },
)


async def _create_check_in(_: Ask) -> Message:
    return check_in_request()


SAMPLES[suc.CreateWeeklyCheckInRequest.DESCRIPTOR.full_name] = _create_check_in


@_sample(suc.GetWeeklyCheckInRequest)
async def _get_check_in(ask: Ask) -> Message:
    return suc.GetWeeklyCheckInRequest(check_in_id=(await ask(check_in_request())).check_in.check_in_id)


@_sample(suc.ListWeeklyCheckInsRequest)
async def _list_check_ins(ask: Ask) -> Message:
    for _ in range(3):
        await ask(check_in_request())
    return suc.ListWeeklyCheckInsRequest(page_size=100)


def riyadh_day(**ahead: float) -> str:
    """A day to come, or past, in Riyadh."""
    return (datetime.now(UTC) + timedelta(hours=3) + timedelta(**ahead)).date().isoformat()


def plan_request(**fields: Any) -> suc.ActivatePlanRequest:
    """A plan that begins tomorrow: nothing of it falls due while a test looks at it."""
    return suc.ActivatePlanRequest(
        **_written(
            **{
                "customer_id": new_customer(),
                "bundle_id": "growth_starter",
                "start_date": riyadh_day(days=1),
                "renewal_date": riyadh_day(days=360),
                "channel": channel_pb2.CHANNEL_EMAIL,
                "note": "بعد اعتماد التهيئة",
                **fields,
            }
        )
    )


async def new_plan(ask: Ask) -> Any:
    """What the activation of a customer's plan answered."""
    return await ask(plan_request())


def consent() -> plan_pb2.Consent:
    """A customer's consent of an hour ago."""
    return plan_pb2.Consent(
        contact_id="contact-3",
        method=plan_pb2.CONSENT_METHOD_EMAIL,
        consent_time=ago(hours=1),
        reference="msg-771",
    )


async def _activate_plan(_: Ask) -> Message:
    return plan_request()


SAMPLES[suc.ActivatePlanRequest.DESCRIPTOR.full_name] = _activate_plan


@_sample(suc.GetPlanRequest)
async def _get_plan(ask: Ask) -> Message:
    return suc.GetPlanRequest(customer_id=(await new_plan(ask)).plan.customer_id)


def plan_change(plan: plan_pb2.Plan) -> suc.ChangePlanRequest:
    return suc.ChangePlanRequest(
        **_written(
            customer_id=plan.customer_id,
            bundle_id="executive_growth_os",
            start_date=riyadh_day(days=2),
            channel=channel_pb2.CHANNEL_WHATSAPP,
            consent=consent(),
            note="باقة أوسع",
            etag=plan.etag,
        )
    )


def renewal_request(plan: plan_pb2.Plan) -> suc.SetRenewalDateRequest:
    return suc.SetRenewalDateRequest(
        **_written(customer_id=plan.customer_id, renewal_date=riyadh_day(days=200), note="تمديد", etag=plan.etag)
    )


@_sample(suc.ChangePlanRequest)
async def _change_plan(ask: Ask) -> Message:
    return plan_change((await new_plan(ask)).plan)


@_sample(suc.SetRenewalDateRequest)
async def _set_renewal_date(ask: Ask) -> Message:
    return renewal_request((await new_plan(ask)).plan)


@_sample(suc.EndPlanRequest)
async def _end_plan(ask: Ask) -> Message:
    plan = (await new_plan(ask)).plan
    return suc.EndPlanRequest(**_written(customer_id=plan.customer_id, reason="انتهى العقد", etag=plan.etag))


@_sample(suc.ListPlanChangesRequest)
async def _list_plan_changes(ask: Ask) -> Message:
    plan = (await new_plan(ask)).plan
    plan = (await ask(renewal_request(plan))).plan
    await ask(plan_change(plan))
    return suc.ListPlanChangesRequest(page_size=100, customer_id=plan.customer_id)


@_sample(suc.ListDueTouchpointsRequest)
async def _list_due(ask: Ask) -> Message:
    plan = (await new_plan(ask)).plan
    return suc.ListDueTouchpointsRequest(page_size=100, customer_id=plan.customer_id, as_of_time=ago(days=-20))


@_sample(suc.ListTouchpointsRequest)
async def _list_touchpoints(ask: Ask) -> Message:
    return suc.ListTouchpointsRequest(page_size=100, customer_id=(await new_plan(ask)).plan.customer_id)


@_sample(suc.GetTouchpointRequest)
async def _get_touchpoint(ask: Ask) -> Message:
    found = (await new_plan(ask)).touchpoints[0]
    return suc.GetTouchpointRequest(touchpoint_id=found.touchpoint_id, customer_id=found.customer_id)


@_sample(suc.AddTouchpointRequest)
async def _add_touchpoint(ask: Ask) -> Message:
    customer_id = (await new_plan(ask)).plan.customer_id
    return suc.AddTouchpointRequest(
        **_written(
            customer_id=customer_id, key="sla-week-2026-03-01", due_date=riyadh_day(days=2), reason="تأخر الرد الأول"
        )
    )


@_sample(suc.CompleteTouchpointRequest)
async def _complete_touchpoint(ask: Ask) -> Message:
    found = (await new_plan(ask)).touchpoints[0]
    return suc.CompleteTouchpointRequest(
        **_written(
            touchpoint_id=found.touchpoint_id,
            complete_time=ago(minutes=1),
            note="عُقد الاجتماع",
            reference="minutes-12",
            etag=found.etag,
        )
    )


@_sample(suc.RescheduleTouchpointRequest)
async def _reschedule_touchpoint(ask: Ask) -> Message:
    found = (await new_plan(ask)).touchpoints[0]
    return suc.RescheduleTouchpointRequest(
        **_written(
            touchpoint_id=found.touchpoint_id, due_date=riyadh_day(days=9), reason="بطلب العميل", etag=found.etag
        )
    )


def happened(kind: str, passed: Timestamp, **fields: Any) -> activity_pb2.ActivityInput:
    """An event of a customer."""
    return activity_pb2.ActivityInput(
        kind=activity_pb2.ActivityKind.Value(f"ACTIVITY_KIND_{kind}"), occur_time=passed, **fields
    )


def activity_request(**fields: Any) -> suc.RecordActivityRequest:
    """A customer of whom too little is known: no alert is raised by itself while a test looks on."""
    return suc.RecordActivityRequest(
        **_written(
            **{
                "customer_id": new_customer(),
                "events": [happened("DRAFTS_CREATED", ago(hours=2), count=3, reference="batch-9")],
                **fields,
            }
        )
    )


@_sample(suc.RecordActivityRequest)
async def _record_activity(ask: Ask) -> Message:
    before = activity_request()
    wrong = (await ask(before)).activities[0].activity_id
    events = [
        happened("DRAFTS_CREATED", ago(hours=2), count=2, corrects_activity_id=wrong),
        happened("CSAT", ago(hours=1), value=8.5),
    ]
    return activity_request(customer_id=before.customer_id, events=events)


@_sample(suc.ListActivitiesRequest)
async def _list_activities(ask: Ask) -> Message:
    request = activity_request(events=[happened("REPLIES", ago(days=n), count=n) for n in range(1, 5)])
    await ask(request)
    return suc.ListActivitiesRequest(page_size=100, customer_id=request.customer_id)


@_sample(suc.GetCustomerRiskRequest)
async def _get_risk(ask: Ask) -> Message:
    request = activity_request()
    await ask(request)
    return suc.GetCustomerRiskRequest(customer_id=request.customer_id, as_of_time=ago(hours=1))


@_sample(suc.GetCustomerHealthRequest)
async def _get_health(ask: Ask) -> Message:
    request = activity_request()
    await ask(request)
    return suc.GetCustomerHealthRequest(customer_id=request.customer_id, as_of_time=ago(hours=1))


@_sample(suc.ListAtRiskRequest)
async def _list_at_risk(ask: Ask) -> Message:
    for _ in range(3):
        await ask(activity_request())
    return suc.ListAtRiskRequest(page_size=100)


async def customer_at_medium_risk(ask: Ask) -> str:
    """A customer without activity for two weeks, and nothing else against it."""
    request = activity_request(
        events=[
            happened("SEEN_ACTIVE", ago(days=15)),
            happened("DRAFTS_CREATED", ago(days=15), count=1),
            happened("PROOF_PACK_DELIVERED", ago(days=1)),
        ]
    )
    await ask(request)
    return request.customer_id


def alert_request(customer_id: str) -> suc.CreateAtRiskAlertRequest:
    return suc.CreateAtRiskAlertRequest(**_written(customer_id=customer_id))


@_sample(suc.CreateAtRiskAlertRequest)
async def _create_alert(ask: Ask) -> Message:
    return alert_request(await customer_at_medium_risk(ask))


@_sample(suc.ListAtRiskAlertsRequest)
async def _list_alerts(ask: Ask) -> Message:
    for _ in range(3):
        await ask(alert_request(await customer_at_medium_risk(ask)))
    return suc.ListAtRiskAlertsRequest(page_size=100)


# --- ledgers and the gateway's own ------------------------------------------------------------------------------------

WRITE_OF: dict[str, Callable[[], Message]] = {
    "support": ticket_request,
    "incidents": declaration,
    "onboarding": checklist_request,
    "success": check_in_request,
}
"""Service to a write that needs nothing beforehand."""


def _ledger(module: Any, service: str) -> None:
    async def listed(ask: Ask) -> Message:
        for _ in range(3):
            await ask(WRITE_OF[service]())
        return module.ListLedgerRequest(page_size=100)

    async def verified(ask: Ask) -> Message:
        await ask(WRITE_OF[service]())
        head = (await ask(module.VerifyLedgerRequest())).head
        return module.VerifyLedgerRequest(anchor=head)

    SAMPLES[module.ListLedgerRequest.DESCRIPTOR.full_name] = listed
    SAMPLES[module.VerifyLedgerRequest.DESCRIPTOR.full_name] = verified


LEDGERS: dict[str, Any] = {
    "support": sup_ledger,
    "incidents": inc_ledger,
    "onboarding": onb_ledger,
    "success": suc_ledger,
}
for _service, _module in LEDGERS.items():
    _ledger(_module, _service)


async def stored_draft(ask: Ask, service: str, subject: str = "sample/1", customer_id: str = "") -> draft_pb2.Draft:
    """A draft that waits in a service, put there as its handlers would."""
    house: Any = ask.__self__  # type: ignore[attr-defined]
    database = house.services[service].service.database
    created = await database.write_internal(
        Actor("service", "sample"),
        lambda unit: drafts.create(
            unit,
            NewDraft(
                # A kind that the service itself does not use: it means no more than any draft does.
                kind=DraftKind.TOUCHPOINT if service == "incidents" else DraftKind.COMMUNICATION,
                subject=subject,
                customer_id=customer_id or new_customer(),
                channel=Channel.EMAIL,
                title=Bilingual("رسالة متابعة", "A follow-up message"),
                body=Bilingual("نود الاطمئنان على سير العمل معكم.", "We would like to hear how things are going."),
            ),
        ),
    )
    return drafts_wire.draft(created, datetime.now(UTC))


def _approvals(module: Any, service: str) -> None:
    async def one(ask: Ask) -> Message:
        return module.GetDraftRequest(draft_id=(await stored_draft(ask, service)).draft_id)

    async def three(ask: Ask) -> draft_pb2.Draft:
        subject, customer_id = f"sample/{uuid.uuid4().hex}", new_customer()
        for _ in range(2):
            await stored_draft(ask, service, subject, customer_id)
        return await stored_draft(ask, service, subject, customer_id)

    async def listed(ask: Ask) -> Message:
        found = await three(ask)
        return module.ListDraftsRequest(subject=found.subject, customer_id=found.customer_id)

    async def pending(ask: Ask) -> Message:
        found = await three(ask)
        return module.ListPendingApprovalsRequest(kind=found.kind, customer_id=found.customer_id)

    async def approve(ask: Ask) -> Message:
        found = await stored_draft(ask, service)
        return module.ApproveDraftRequest(
            **_written(draft_id=found.draft_id, content_hash=found.content_hash, note="راجعت النص")
        )

    async def edit(ask: Ask) -> Message:
        found = await stored_draft(ask, service)
        texts = module.EditedTexts(body_ar="يسعدنا أن نسمع رأيكم.", body_en="We would be glad to hear from you.")
        return module.EditDraftRequest(**_written(draft_id=found.draft_id, edited=texts, etag=found.etag))

    async def reject(ask: Ask) -> Message:
        found = await stored_draft(ask, service)
        return module.RejectDraftRequest(**_written(draft_id=found.draft_id, reason="النص لا يناسب العميل"))

    async def sent(ask: Ask) -> Message:
        approved = (await ask(await approve(ask))).draft
        return module.RecordDraftSentRequest(
            **_written(
                draft_id=approved.draft_id,
                approval_id=approved.approval.approval_id,
                sent=sent_record_pb2.SentRecordInput(
                    send_time=approved.approval.approve_time,
                    channel=channel_pb2.CHANNEL_EMAIL,
                    sender=PERSON,
                    reference="msg-7",
                ),
            )
        )

    for build, kind in (
        (one, module.GetDraftRequest),
        (listed, module.ListDraftsRequest),
        (pending, module.ListPendingApprovalsRequest),
        (approve, module.ApproveDraftRequest),
        (edit, module.EditDraftRequest),
        (reject, module.RejectDraftRequest),
        (sent, module.RecordDraftSentRequest),
    ):
        SAMPLES[kind.DESCRIPTOR.full_name] = build


APPROVALS: dict[str, Any] = {
    "support": sup_approval,
    "incidents": inc_approval,
    "onboarding": onb_approval,
    "success": suc_approval,
}
for _service, _module in APPROVALS.items():
    _approvals(_module, _service)

_plain(gw.TriageIncidentRequest, lambda: {"facts": facts(title="تسريب بيانات عميل")})
_plain(
    gw.HandleTicketRequest,
    lambda: _written(
        customer_id=new_customer(), subject="تسريب", body="رسائل عملائنا وصلت إلى شركة أخرى، هذا تسريب بيانات"
    ),
)


_plain(gw.RunWeeklySlaReviewRequest, lambda: _written(week_start_date=reviewed_week()))


@_sample(gw.CompleteOnboardingRequest)
async def _complete_onboarding(ask: Ask) -> Message:
    today = datetime.now(UTC).date()
    return gw.CompleteOnboardingRequest(
        **_written(
            customer_id=await ready_to_accept(ask),
            start_date=(today + timedelta(days=1)).isoformat(),
            renewal_date=(today + timedelta(days=366)).isoformat(),
            channel=channel_pb2.CHANNEL_EMAIL,
        )
    )


@_sample(gw.ListLedgerRequest)
async def _list_all_ledgers(ask: Ask) -> Message:
    ticket = await new_ticket(ask)
    for _ in range(3):
        await ask(escalation(ticket.ticket_id))
    return gw.ListLedgerRequest(subject=f"ticket/{ticket.ticket_id}", page_size=100)


_plain(gw.AssessCustomerRequest, lambda: {"customer_id": new_customer()})
_plain(gw.GetCustomerOverviewRequest, lambda: {"customer_id": new_customer()})
_plain(gw.GetStatusRequest)
_plain(gw.WatchEventsRequest, lambda: {"subject": "ticket/tkt_1", "action": "ticket.opened", "services": ["support"]})

# What a message field is filled with where a sample leaves it unset, so that its own fields can be made faulty.
PARTS: dict[str, Callable[[], Message]] = {
    "dealix.common.v1.Actor": lambda: PERSON,
    "dealix.common.v1.Approval": approval,
    "dealix.common.v1.Context": lambda: context_pb2.Context(freezes_known=True, incidents_known=True),
    "dealix.common.v1.ChannelFreeze": lambda: context_pb2.ChannelFreeze(freeze_id="frz_" + "a" * 26),
    "dealix.common.v1.OpenIncident": lambda: context_pb2.OpenIncident(
        incident_id="inc_" + "a" * 26, severity="SEV3", customer_ids=["acme"]
    ),
    "dealix.common.v1.LedgerAnchor": lambda: ledger_pb2.LedgerAnchor(sequence=1, hash=bytes(32)),
    "dealix.incidents.v1.SupportFindings": findings,
    "dealix.incidents.v1.PostMortemText": post_mortem_text,
    "dealix.incidents.v1.PostMortemEvent": post_mortem_event,
    "dealix.incidents.v1.PostMortemActionItem": post_mortem_item,
    "dealix.incidents.v1.NoticeText": notice_text,
    "dealix.incidents.v1.CommunicationText": communication_text,
    "dealix.incidents.v1.CommunicationName": communication_name,
    "dealix.incidents.v1.TriageFacts": facts,
    "dealix.onboarding.v1.CadenceFact": cadence,
    "dealix.onboarding.v1.OptInAudit": lambda: connector_pb2.OptInAudit(
        opted_in_numbers=120, reference="doc-41", audit_time=ago(days=1)
    ),
    "dealix.onboarding.v1.SetupCheck": lambda: connector_pb2.SetupCheck(check_time=ago(minutes=1)),
    "dealix.onboarding.v1.ConnectorStatus": lambda: connector_pb2.ConnectorStatus(
        connector_key="gmail", state=connector_pb2.CONNECTOR_STATE_FAILED
    ),
    "dealix.success.v1.ActivityInput": lambda: happened("SEEN_ACTIVE", ago(hours=1)),
    "dealix.success.v1.Consent": consent,
    "dealix.success.v1.WeekMetrics": metrics,
    "dealix.support.v1.SlaTicketFacts": lambda: sla.SlaTicketFacts(priority=classification_pb2.PRIORITY_P2),
    "dealix.support.v1.CustomerConfirmation": lambda: ticket_pb2.CustomerConfirmation(
        confirmed_by="sales-manager", channel=channel_pb2.CHANNEL_PHONE, confirm_time=ago(minutes=1)
    ),
    "dealix.common.v1.SentRecordInput": lambda: sent_record_pb2.SentRecordInput(
        send_time=ago(minutes=1), channel=channel_pb2.CHANNEL_EMAIL, sender=PERSON, reference="msg-1"
    ),
    "dealix.incidents.v1.EditedTexts": lambda: inc_approval.EditedTexts(body_ar="نص", body_en="Text"),
    "dealix.onboarding.v1.EditedTexts": lambda: onb_approval.EditedTexts(body_ar="نص", body_en="Text"),
    "dealix.success.v1.EditedTexts": lambda: suc_approval.EditedTexts(body_ar="نص", body_en="Text"),
    "dealix.support.v1.EditedTexts": lambda: sup_approval.EditedTexts(body_ar="نص", body_en="Text"),
    "google.protobuf.Timestamp": lambda: ago(hours=1),
}
