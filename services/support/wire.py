"""Support's domain in the contract's words, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from dealix.common.v1 import approval_pb2, signal_pb2
from dealix.support.v1 import classification_pb2, sla_pb2, sla_service_pb2, ticket_pb2
from google.protobuf.duration_pb2 import Duration

from services.domain.checks import Checks
from services.domain.errors import InvalidInput, Violation
from services.runtime.wire import (
    CHANNEL_NUMBERS,
    EnumMap,
    actor,
    channel_of,
    moment,
    moment_at,
    sent_record,
    timestamp,
)
from services.support.domain.classifier import Classification, Signal
from services.support.domain.clocks import Burn, Clock, ClockKind, ClockState
from services.support.domain.events import EventType, WaitsOn
from services.support.domain.first_response import FirstResponseDraft
from services.support.domain.policy import PolicyBook, PolicyVersion, SlaPolicy
from services.support.domain.priorities import Priority
from services.support.domain.sla import (
    Breach,
    BreachKind,
    HealthTexts,
    ReportAction,
    SlaHealthReport,
    TicketBreach,
    TicketFacts,
    Verdict,
    facts_from_age,
)
from services.support.domain.tickets import (
    Confirmation,
    Escalation,
    Link,
    LinkKind,
    Message,
    MessageAuthor,
    MessageEffect,
    Ticket,
    TicketEvent,
    TicketState,
)
from services.support.store import ClockSpan

MAX_PERIOD = timedelta(days=366)

PRIORITIES = EnumMap(classification_pb2.Priority, Priority, "PRIORITY_")
SIGNALS = EnumMap(signal_pb2.Signal, Signal, "SIGNAL_")
STATES = EnumMap(ticket_pb2.TicketState, TicketState, "TICKET_STATE_")
WAITS_ON = EnumMap(ticket_pb2.WaitingOn, WaitsOn, "WAITING_ON_")
LINK_KINDS = EnumMap(ticket_pb2.TicketLinkKind, LinkKind, "TICKET_LINK_KIND_")
_AUTHORS = EnumMap(ticket_pb2.MessageAuthor, MessageAuthor, "MESSAGE_AUTHOR_")
_EFFECTS = EnumMap(ticket_pb2.MessageEffect, MessageEffect, "MESSAGE_EFFECT_")
_CLOCK_KINDS = EnumMap(sla_pb2.SlaClockKind, ClockKind, "SLA_CLOCK_KIND_")
_CLOCK_STATES = EnumMap(sla_pb2.SlaClockState, ClockState, "SLA_CLOCK_STATE_")
# Those of the events that are recorded; the waits of drafts are read from the drafts.
EVENT_TYPES = {
    number: EventType(name.removeprefix("SLA_EVENT_TYPE_").lower())
    for name, number in sla_pb2.SlaEventType.items()
    if number
}
# What an enum field holds that is not set.
_NONE: Any = 0
_EVENT_NUMBERS: dict[EventType, Any] = {kind: number for number, kind in EVENT_TYPES.items()}
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


def targets(policy: SlaPolicy, version: PolicyVersion) -> ticket_pb2.SlaTargets:
    """What a version of the policy promises for a priority."""
    return ticket_pb2.SlaTargets(
        priority=PRIORITIES.to_wire[policy.priority],
        meaning_ar=policy.meaning.ar,
        meaning_en=policy.meaning.en,
        first_response_minutes=policy.first_response_minutes,
        resolution_hours=policy.resolution_hours,
        escalation_owner=policy.escalation_owner.value,
        next_response_minutes=policy.next_response_minutes,
        calendar_id=policy.calendar.calendar_id,
        policy_version=version.version,
    )


def policies_of(version: PolicyVersion) -> list[sla_pb2.SlaPolicy]:
    """A version of the policy, one part for each priority, P0 first."""
    return [
        sla_pb2.SlaPolicy(
            policy_version=version.version,
            effective_from_time=timestamp(version.effective_from),
            targets=targets(policy, version),
            at_risk_percent=policy.at_risk_percent,
            ladder=[sla_pb2.SlaLadderStep(percent=rung.percent, role=rung.role.value) for rung in policy.ladder],
        )
        for policy in version.policies.values()
    ]


def template(draft: FirstResponseDraft) -> ticket_pb2.FirstResponseTemplate:
    """A first response as a draft, with the hash that an approval would bind to."""
    return ticket_pb2.FirstResponseTemplate(
        priority=PRIORITIES.to_wire[draft.priority],
        body_ar=draft.body.ar,
        body_en=draft.body.en,
        draft_state=approval_pb2.DRAFT_STATE_DRAFTED,
        content_hash=hashlib.sha256(f"{draft.body.ar}\0{draft.body.en}".encode()).hexdigest(),
    )


def ticket(found: Ticket, book: PolicyBook) -> ticket_pb2.Ticket:
    """A ticket with the targets and the owner of its priority, by the policy that held when it was opened."""
    version = book.policy_at(found.created_at)
    policy = version.policies[found.priority]
    message = ticket_pb2.Ticket(
        ticket_id=found.ticket_id,
        customer_id=found.customer_id,
        subject=found.subject,
        body=found.body,
        channel=CHANNEL_NUMBERS[found.channel],
        priority=PRIORITIES.to_wire[found.priority],
        classification=classification(found.classification),
        state=STATES.to_wire[found.state],
        owner=policy.escalation_owner.value,
        sla=targets(policy, version),
        create_time=timestamp(found.created_at),
        update_time=timestamp(found.updated_at),
        etag=found.etag,
        follows_ticket_id=found.follows_ticket_id,
        waiting_reason=found.waiting_reason,
        thanked=found.thanked,
        first_response_draft_id=found.draft_id,
    )
    if found.waits_on is not None:
        message.waiting_on = WAITS_ON.to_wire[found.waits_on]
    if found.resolved_at is not None:
        message.resolve_time.CopyFrom(timestamp(found.resolved_at))
    if found.reopens_until is not None:
        message.reopen_until_time.CopyFrom(timestamp(found.reopens_until))
    if found.confirmation is not None:
        message.confirmation.CopyFrom(
            ticket_pb2.CustomerConfirmation(
                confirmed_by=found.confirmation.confirmed_by,
                channel=CHANNEL_NUMBERS[found.confirmation.channel],
                confirm_time=timestamp(found.confirmation.confirmed_at),
                reference=found.confirmation.reference,
            )
        )
    return message


def confirmation_of(message: ticket_pb2.CustomerConfirmation) -> Confirmation:
    """The confirmation that a request brings."""
    return Confirmation(
        confirmed_by=message.confirmed_by,
        channel=channel_of(message.channel),
        confirmed_at=moment_at(message.confirm_time, "confirmation.confirm_time"),
        reference=message.reference,
    )


def message(found: Message) -> ticket_pb2.TicketMessage:
    """A message of a conversation."""
    return ticket_pb2.TicketMessage(
        message_id=found.message_id,
        ticket_id=found.ticket_id,
        author=_AUTHORS.to_wire[found.author],
        channel=CHANNEL_NUMBERS[found.channel],
        body=found.body,
        body_ar=found.ours.ar if found.ours is not None else "",
        body_en=found.ours.en if found.ours is not None else "",
        occur_time=timestamp(found.occurred_at),
        record_time=timestamp(found.recorded_at),
        actor=actor(found.actor),
        effect=_EFFECTS.to_wire[found.effect],
        thanks_only=found.thanks_only,
        draft_id=found.draft_id,
        sent=sent_record(found.sent) if found.sent is not None else None,
    )


def link(found: Link) -> ticket_pb2.TicketLink:
    """A link between two tickets."""
    return ticket_pb2.TicketLink(
        ticket_id=found.ticket_id,
        other_ticket_id=found.other_ticket_id,
        kind=LINK_KINDS.to_wire[found.kind],
        actor=actor(found.actor),
        create_time=timestamp(found.created_at),
    )


def clock(found: Clock) -> sla_pb2.SlaClock:
    """A clock as it stood."""
    answer = sla_pb2.SlaClock(
        kind=_CLOCK_KINDS.to_wire[found.kind],
        instance=found.instance,
        state=_CLOCK_STATES.to_wire[found.state],
        priority=PRIORITIES.to_wire[found.priority],
        policy_version=found.policy_version,
        calendar_id=found.policy.calendar.calendar_id,
        target=_duration(found.target),
        elapsed=_duration(found.elapsed),
        remaining=_duration(found.remaining),
        burn=burn(found.burn),
        running=found.runs and found.stopped_at is None,
    )
    for field, moment_of in (
        (answer.start_time, found.started_at),
        (answer.at_risk_time, found.at_risk_at),
        (answer.due_time, found.due_at),
        (answer.stop_time, found.stopped_at),
        (answer.late_after_time, found.late_after),
    ):
        if moment_of is not None:
            field.CopyFrom(timestamp(moment_of))
    return answer


def burn(found: Burn) -> sla_pb2.SlaBurn:
    """What time went into."""
    return sla_pb2.SlaBurn(
        us=_duration(found.us),
        our_approver=_duration(found.our_approver),
        customer=_duration(found.customer),
        third_party=_duration(found.third_party),
    )


def due_clock(found: ClockSpan, as_of: datetime) -> sla_pb2.DueClock:
    """A clock that presses at ``as_of``."""
    state = ClockState.AT_RISK if as_of >= found.at_risk_at else ClockState.RUNNING
    if as_of > found.late_after:
        state = ClockState.BREACHED
    return sla_pb2.DueClock(
        ticket_id=found.ticket_id,
        customer_id=found.customer_id,
        owner=found.owner,
        priority=PRIORITIES.to_wire[found.priority],
        kind=_CLOCK_KINDS.to_wire[found.kind],
        instance=found.instance,
        state=_CLOCK_STATES.to_wire[state],
        at_risk_time=timestamp(found.at_risk_at),
        due_time=timestamp(found.due_at),
    )


def _duration(found: timedelta) -> Duration:
    made = Duration()
    made.FromTimedelta(found)
    return made


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
        priority=PRIORITIES.to_wire[found.event.priority] if found.event.priority is not None else _NONE,
        waiting_on=WAITS_ON.to_wire[found.event.waits_on] if found.event.waits_on is not None else _NONE,
        escalation=_escalation(found.escalation) if found.escalation is not None else None,
        draft_id=found.draft_id,
        approval_id=found.approval_id,
    )


def _escalation(found: Escalation) -> sla_pb2.EscalationStep:
    return sla_pb2.EscalationStep(
        clock=_CLOCK_KINDS.to_wire[found.kind],
        instance=found.instance,
        priority=PRIORITIES.to_wire[found.priority],
        percent=found.percent,
        role=found.role.value,
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


def report(found: SlaHealthReport, texts: HealthTexts, *, burnt: bool = False) -> sla_pb2.SlaHealthReport:
    """A health report with its summary in words; ``burnt``: with what the time went into, where events tell it."""
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
        first_response_burn=burn(found.burn[ClockKind.FIRST_RESPONSE]) if burnt else None,
        next_response_burn=burn(found.burn[ClockKind.NEXT_RESPONSE]) if burnt else None,
        resolution_burn=burn(found.burn[ClockKind.RESOLUTION]) if burnt else None,
    )


def as_of(request: Any, now: datetime) -> datetime:
    """The instant to look at. ``InvalidInput`` for one in the future, which would not stay the same when asked again."""
    asked = moment(request, "as_of_time")
    if asked is not None and asked > now:
        raise InvalidInput([Violation("as_of_time", "IN_FUTURE", "must not lie in the future")])
    return asked or now


def period(request: Any) -> tuple[datetime, datetime]:
    """The start and the end of a report's period. ``InvalidInput`` for one that ends before it starts or is longer than 366
    days, and for times that no calendar has.
    """
    checks = Checks()
    with noting(checks):
        start = moment_at(request.period_start_time, "period_start_time")
    with noting(checks):
        end = moment_at(request.period_end_time, "period_end_time")
    checks.done()
    if not timedelta() < end - start <= MAX_PERIOD:
        checks.note("period_end_time", "PERIOD", "must be later than period_start_time, at most 366 days")
    checks.done()
    return start, end


def opened_within(request: Any) -> tuple[datetime | None, datetime | None]:
    """From when and before when the tickets of a list were opened; None where no bound is set.

    ``InvalidInput`` for bounds between which no time lies, and for times that no calendar has.
    """
    checks = Checks()
    with noting(checks):
        start = moment(request, "create_time_from")
    with noting(checks):
        end = moment(request, "create_time_before")
    checks.done()
    if start is not None and end is not None and start >= end:
        checks.note("create_time_before", "PERIOD", "must be later than create_time_from")
    checks.done()
    return start, end


@contextmanager
def noting(checks: Checks) -> Iterator[None]:
    """Notes the faults of what is read inside instead of raising them, so that `checks.done` names those of all fields."""
    try:
        yield
    except InvalidInput as refused:
        checks.violations += refused.violations
