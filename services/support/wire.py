"""Support's domain in the contract's words, and back."""

from __future__ import annotations

import hashlib
from datetime import datetime

from dealix.common.v1 import approval_pb2, signal_pb2
from dealix.support.v1 import classification_pb2, sla_pb2, sla_service_pb2, ticket_pb2

from services.domain.errors import InvalidInput, Violation
from services.runtime.wire import CHANNEL_NUMBERS, EnumMap, actor, moment, sent_record, timestamp
from services.support.domain.classifier import Classification, Signal
from services.support.domain.first_response import FirstResponseDraft
from services.support.domain.policy import Policies, SlaPolicy
from services.support.domain.priorities import Priority
from services.support.domain.sla import (
    Breach,
    BreachKind,
    HealthTexts,
    ReportAction,
    SlaEventType,
    SlaHealthReport,
    TicketBreach,
    TicketFacts,
    Verdict,
    facts_from_age,
)
from services.support.domain.tickets import Ticket, TicketEvent, TicketState

PRIORITIES = EnumMap(classification_pb2.Priority, Priority, "PRIORITY_")
SIGNALS = EnumMap(signal_pb2.Signal, Signal, "SIGNAL_")
STATES = EnumMap(ticket_pb2.TicketState, TicketState, "TICKET_STATE_")
EVENT_TYPE_OF = {sla_pb2.SlaEventType.Value(f"SLA_EVENT_TYPE_{kind.value.upper()}"): kind for kind in SlaEventType}
_EVENT_NUMBERS = {kind: number for number, kind in EVENT_TYPE_OF.items()}
_BREACH_KINDS = EnumMap(sla_pb2.SlaBreachKind, BreachKind, "SLA_BREACH_KIND_")
_VERDICTS = EnumMap(sla_pb2.SlaVerdict, Verdict, "SLA_VERDICT_")


def classification(found: Classification) -> classification_pb2.Classification:
    """A classification with its evidence."""
    message = classification_pb2.Classification()
    fill_classification(message, found)
    return message


def fill_classification(message: classification_pb2.Classification, found: Classification) -> None:
    """Writes a classification into an empty message, in place: a copy would cost as much as the rest of the answer."""
    priorities, signals = PRIORITIES.to_wire, SIGNALS.to_wire
    message.priority = priorities[found.priority]
    message.matched_keyword = found.matched_keyword
    message.reason_ar = found.reason_ar
    message.reason_en = found.reason_en
    message.lexicon_version = found.lexicon_version
    if found.review_required:
        message.review_required = True
    for signal in found.signals:
        message.signals.append(signals[signal])
    for hits, target in ((found.hits, message.hits), (found.negated_hits, message.negated_hits)):
        for hit in hits:
            line = target.add(
                keyword=hit.keyword,
                priority=priorities[hit.priority],
                start=hit.start,
                end=hit.end,
                text=hit.text,
                language=hit.language,
            )
            for signal in hit.signals:
                line.signals.append(signals[signal])


def targets(policy: SlaPolicy) -> ticket_pb2.SlaTargets:
    """What the SLA promises for a priority."""
    return ticket_pb2.SlaTargets(
        priority=PRIORITIES.to_wire[policy.priority],
        meaning_ar=policy.meaning.ar,
        meaning_en=policy.meaning.en,
        first_response_minutes=policy.first_response_minutes,
        resolution_hours=policy.resolution_hours,
        escalation_owner=policy.escalation_owner.value,
    )


def template(draft: FirstResponseDraft) -> ticket_pb2.FirstResponseTemplate:
    """A first response as a draft, with the hash that an approval would bind to."""
    return ticket_pb2.FirstResponseTemplate(
        priority=PRIORITIES.to_wire[draft.priority],
        body_ar=draft.body.ar,
        body_en=draft.body.en,
        draft_state=approval_pb2.DRAFT_STATE_DRAFTED,
        content_hash=hashlib.sha256(f"{draft.body.ar}\0{draft.body.en}".encode()).hexdigest(),
    )


def ticket(found: Ticket, policies: Policies) -> ticket_pb2.Ticket:
    """A ticket with the targets and the owner of its priority."""
    policy = policies[found.priority]
    return ticket_pb2.Ticket(
        ticket_id=found.ticket_id,
        customer_id=found.customer_id,
        subject=found.subject,
        body=found.body,
        channel=CHANNEL_NUMBERS[found.channel],
        priority=PRIORITIES.to_wire[found.priority],
        classification=classification(found.classification),
        state=STATES.to_wire[found.state],
        owner=policy.escalation_owner.value,
        sla=targets(policy),
        create_time=timestamp(found.created_at),
        update_time=timestamp(found.updated_at),
        etag=found.etag,
        follows_ticket_id=found.follows_ticket_id,
    )


def event(found: TicketEvent) -> sla_pb2.SlaEvent:
    """An SLA event."""
    return sla_pb2.SlaEvent(
        event_id=found.event.event_id,
        ticket_id=found.ticket_id,
        type=_EVENT_NUMBERS[found.event.type],
        occur_time=timestamp(found.event.occurred_at),
        record_time=timestamp(found.event.recorded_at),
        actor=actor(found.actor),
        sent=sent_record(found.sent) if found.sent else None,
        note=found.note,
    )


def facts(tickets: list[sla_service_pb2.SlaTicketFacts]) -> list[TicketFacts]:
    """Tickets as a caller describes them."""
    return [
        facts_from_age(
            PRIORITIES.to_domain[t.priority],
            first_response_minutes=t.first_response_minutes if t.HasField("first_response_minutes") else None,
            resolution_hours=t.resolution_hours if t.HasField("resolution_hours") else None,
            age_minutes=t.age_minutes if t.HasField("age_minutes") else None,
            ticket_id=t.ticket_id,
            customer_id=t.customer_id,
        )
        for t in tickets
    ]


def breach(priority: Priority, found: Breach, ticket_id: str = "", customer_id: str = "") -> sla_pb2.SlaBreach:
    """One broken promise."""
    return sla_pb2.SlaBreach(
        ticket_id=ticket_id,
        customer_id=customer_id,
        priority=PRIORITIES.to_wire[priority],
        kind=_BREACH_KINDS.to_wire[found.kind],
        target=found.target,
        actual=found.actual,
        open=found.open,
    )


def _ticket_breach(found: TicketBreach) -> sla_pb2.SlaBreach:
    return breach(found.priority, found.breach, found.ticket_id, found.customer_id)


def report(found: SlaHealthReport, texts: HealthTexts) -> sla_pb2.SlaHealthReport:
    """A health report with its summary in words."""
    summary = texts.summary(found)
    return sla_pb2.SlaHealthReport(
        total_tickets=found.total_tickets,
        total_breached=found.total_breached,
        rated_tickets=found.rated_tickets,
        breach_rate=found.breach_rate,
        by_priority=[
            sla_pb2.PriorityHealth(priority=PRIORITIES.to_wire[p.priority], total=p.total, breached=p.breached)
            for p in found.by_priority
        ],
        verdict=_VERDICTS.to_wire[found.verdict],
        breaches=[_ticket_breach(b) for b in found.breaches],
        average_first_response_minutes=found.average_first_response_minutes,
        average_resolution_hours=found.average_resolution_hours,
        escalate_to_founder=ReportAction.ESCALATE_TO_FOUNDER in found.actions,
        hold_live_actions=ReportAction.HOLD_LIVE_ACTIONS in found.actions,
        summary_ar=summary.ar,
        summary_en=summary.en,
        as_of_time=timestamp(found.as_of),
    )


def as_of(request: sla_service_pb2.GetSlaHealthReportRequest, now: datetime) -> datetime:
    """The instant to look at. ``InvalidInput`` for one in the future, which would not stay the same when asked again."""
    asked = moment(request, "as_of_time")
    if asked is not None and asked > now:
        raise InvalidInput([Violation("as_of_time", "IN_FUTURE", "must not lie in the future")])
    return asked or now
