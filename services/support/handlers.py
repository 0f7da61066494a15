"""The use cases of support: each runs inside one transaction that its caller owns.

Whatever moves a ticket does it in one way: `lifecycle.decide` says which events an action makes of the stored ones, and
`_move` appends them, writes the ticket, and lets what is derived from its clocks follow (`schedule`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.approvals import drafts
from services.domain.channels import Channel
from services.domain.checks import Checks
from services.domain.claims import ClaimChecker
from services.domain.drafts import ApprovalMismatch, Draft, DraftKind, DraftState, NewDraft, check_texts
from services.domain.errors import ApprovalRequired, InvalidInput, PersonRequired, Violation, check_etag
from services.domain.sent import SentRecord
from services.domain.texts import Bilingual
from services.storage.database import Tx, UnitOfWork
from services.support import schedule, store
from services.support.domain import lifecycle, sla, tickets
from services.support.domain.classifier import Classification
from services.support.domain.clocks import Clock, ClockKind, clocks
from services.support.domain.draft_texts import DraftTexts
from services.support.domain.events import Event, EventType, WaitsOn
from services.support.domain.first_response import FirstResponseDraft
from services.support.domain.lifecycle import Action
from services.support.domain.policy import PolicyBook
from services.support.domain.priorities import Priority
from services.support.domain.reviews import ReviewedWeek
from services.support.domain.sla import SlaEventNotAllowed, SlaHealthReport, TicketFacts
from services.support.domain.thanks import Thanks
from services.support.domain.tickets import (
    Confirmation,
    Link,
    LinkKind,
    Message,
    MessageAuthor,
    MessageEffect,
    Ticket,
    TicketEvent,
    TicketNotFound,
    TicketState,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """The data that the use cases go by."""

    book: PolicyBook
    first_responses: Mapping[Priority, FirstResponseDraft]
    texts: DraftTexts
    thanks: Thanks


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """The ticket to open; ``minimum_priority`` is the least urgency a person asks for."""

    customer_id: str
    subject: str
    body: str
    channel: Channel
    minimum_priority: Priority | None
    follows_ticket_id: str


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """The event to record; ``occurred_at`` None means now, or the time of the sending."""

    ticket_id: str
    kind: EventType
    occurred_at: datetime | None
    sent: SentRecord | None
    note: str
    etag: str


@dataclass(frozen=True, slots=True)
class Sending:
    """A sending to record. ``approval_id`` empty takes the draft's present approval, ``draft_id`` empty the first response."""

    ticket_id: str
    draft_id: str
    approval_id: str
    sent: SentRecord
    note: str
    etag: str = ""


def open_ticket(
    unit: UnitOfWork, command: OpenTicket, classification: Classification, rules: Rules
) -> tuple[Ticket, Draft]:
    """Stores a classified ticket, starts its clocks and drafts its first response.

    Raises ``TicketNotFound`` for an earlier ticket that does not exist, ``InvalidInput`` for one of another customer, and
    ``PersonRequired`` where software asks for more urgency than the text has.
    """
    if command.follows_ticket_id:
        earlier = get_ticket(unit.tx, command.follows_ticket_id)
        if earlier.customer_id != command.customer_id:
            raise InvalidInput(
                [Violation("follows_ticket_id", "OTHER_CUSTOMER", "must be a ticket of the same customer")]
            )
    priority = tickets.opening_priority(classification.priority, command.minimum_priority, unit.actor)
    opening = lifecycle.open_ticket(priority, unit.now)
    (event,) = _numbered(unit, opening.events)
    ticket_id = unit.new_id("tkt")
    begun = schedule.beginning(ticket_id, command.customer_id, event, rules.book)
    draft = drafts.create(
        unit,
        NewDraft(
            kind=DraftKind.FIRST_RESPONSE,
            subject=_subject(ticket_id),
            customer_id=command.customer_id,
            channel=command.channel,
            title=rules.texts.first_response(priority),
            body=rules.first_responses[priority].body,
            due_at=begun.first_response_due_at,
        ),
    )
    ticket = Ticket(
        ticket_id=ticket_id,
        customer_id=command.customer_id,
        subject=command.subject,
        body=command.body,
        channel=command.channel,
        priority=priority,
        classification=classification,
        state=opening.state,
        follows_ticket_id=command.follows_ticket_id,
        created_at=unit.now,
        updated_at=unit.now,
        revision=1,
        draft_id=draft.draft_id,
    )
    store.insert_ticket(unit.tx, ticket)
    store.insert_event(unit.tx, TicketEvent(ticket_id, event, unit.actor, draft_id=draft.draft_id))
    schedule.begin(unit.tx, begun)
    if command.follows_ticket_id:
        store.insert_link(unit.tx, Link(ticket_id, command.follows_ticket_id, LinkKind.FOLLOWS, unit.actor, unit.now))
    unit.record(
        "ticket.opened",
        _subject(ticket_id),
        fields=("subject", "body", "channel", "priority", "state"),
        attributes={
            **_attributes(ticket),
            "customer_id": ticket.customer_id,
            "classified_priority": classification.priority.value,
            "lexicon_version": classification.lexicon_version,
            "event_id": event.event_id,
            "draft_id": draft.draft_id,
        },
    )
    return ticket, draft


# --- the life of a ticket ---------------------------------------------------------------------------------------------


def record_event(unit: UnitOfWork, command: RecordEvent, rules: Rules) -> tuple[TicketEvent, Ticket]:
    """Appends an event that can be recorded by itself, and moves the ticket as the event asks for.

    A first response whose draft is approved uses the approval up. One that was sent without an approval is recorded all the
    same, because it happened: the event names no approval, and the draft is withdrawn.

    Raises ``TicketNotFound``, ``EtagMismatch``, ``InvalidInput``, ``SlaEventExists``, ``SlaEventNotAllowed`` and
    ``PersonRequired``.
    """
    ticket = get_ticket(unit.tx, command.ticket_id)
    check_etag(command.etag, ticket.etag)
    tickets.check_record(ticket, command.kind, unit.actor, command.occurred_at, command.sent, unit.now)
    events = store.events_of(unit.tx, ticket.ticket_id)
    action: Action
    match command.kind, command.sent:
        case EventType.FIRST_RESPONSE, SentRecord() as sent:
            move = _decided(unit, ticket, events, lifecycle.RecordFirstResponse(sent.sent_at))
            draft = _sent_somehow(unit, ticket, sent)
            return _sent(unit, ticket, events, move, sent, command.note, draft, rules)
        case EventType.RESOLVED, _:
            action = lifecycle.Resolve(command.occurred_at)
        case EventType.ESCALATED, _:
            action = lifecycle.Escalate(command.occurred_at)
        case _:
            # A second opening: refused with the name of the first.
            lifecycle.standing(ticket.ticket_id, [*events, replace(events[0], event_id="")])
            raise AssertionError("a ticket has one opening")
    move = _decided(unit, ticket, events, action)
    return _move(unit, ticket, events, move, rules, action=f"ticket.{command.kind}", note=command.note)


def record_first_response(unit: UnitOfWork, command: Sending, rules: Rules) -> tuple[TicketEvent, Ticket, Draft]:
    """A person records that the approved first response was sent, which stops its clock.

    Raises what `record_event` and `services.approvals.drafts.record_sent` raise.
    """
    ticket = get_ticket(unit.tx, command.ticket_id)
    check_etag(command.etag, ticket.etag)
    events = store.events_of(unit.tx, ticket.ticket_id)
    move = _decided(unit, ticket, events, lifecycle.RecordFirstResponse(command.sent.sent_at))
    if not ticket.draft_id:
        raise ApprovalRequired(
            "the first response of this ticket was never drafted", subject=_subject(ticket.ticket_id)
        )
    draft = drafts.record_sent(unit, ticket.draft_id, command.approval_id, command.sent)
    event, moved = _sent(unit, ticket, events, move, command.sent, command.note, draft, rules)
    return event, moved, draft


def check_approval(unit: UnitOfWork, draft: Draft, claims: ClaimChecker, rules: Rules) -> None:
    """Whether a first response promises an answer no later than the draft for the ticket's priority does, and the same in both
    languages; a draft of any other kind passes.

    Raises ``InvalidInput``, and before it ``ProhibitedClaim``: what is wrong with a text of itself comes first.
    """
    if draft.kind is DraftKind.FIRST_RESPONSE:
        check_texts(draft.body)
        claims.require_clean(draft.body.ar, draft.body.en, field="edited")
        ticket = get_ticket(unit.tx, draft.subject.removeprefix(_subject("")))
        rules.first_responses[ticket.priority].check_promise(draft.body)


def draft_reply(
    unit: UnitOfWork, ticket_id: str, channel: Channel, body: Bilingual, rules: Rules
) -> tuple[Ticket, Draft]:
    """Drafts an answer after the first response; it waits for a person.

    Raises ``TicketNotFound``, ``InvalidInput`` and, before the first response or on a closed ticket, ``SlaEventNotAllowed``.
    """
    ticket = get_ticket(unit.tx, ticket_id)
    check_texts(body, "")
    stands = lifecycle.standing(ticket_id, store.events_of(unit.tx, ticket_id))
    if stands.first_response_at is None or ticket.state is TicketState.CLOSED:
        raise SlaEventNotAllowed(
            f"no reply can be drafted in state {ticket.state}",
            [("STATE", ticket.state, "")],
            ticket_id=ticket_id,
            state=ticket.state,
            type=EventType.REPLY_SENT,
        )
    draft = drafts.create(
        unit,
        NewDraft(
            kind=DraftKind.REPLY,
            subject=_subject(ticket_id),
            customer_id=ticket.customer_id,
            channel=ticket.channel if channel is Channel.UNSPECIFIED else channel,
            title=rules.texts.reply(ticket.priority),
            body=body,
            due_at=schedule.answer_due_at(unit.tx, ticket_id),
        ),
    )
    return ticket, draft


def record_reply(unit: UnitOfWork, command: Sending, rules: Rules) -> tuple[TicketEvent, Ticket, Draft]:
    """A person records that an approved reply was sent, which stops the next-response clock. Raises as above."""
    ticket = get_ticket(unit.tx, command.ticket_id)
    draft = drafts.get(unit.tx, command.draft_id)
    if draft.subject != _subject(ticket.ticket_id) or draft.kind is not DraftKind.REPLY:
        raise ApprovalMismatch(
            "the draft is no reply of this ticket", approval_id=command.approval_id, subject=draft.subject
        )
    events = store.events_of(unit.tx, ticket.ticket_id)
    move = _decided(unit, ticket, events, lifecycle.RecordReply(command.sent.sent_at))
    draft = drafts.record_sent(unit, command.draft_id, command.approval_id, command.sent)
    event, moved = _sent(unit, ticket, events, move, command.sent, command.note, draft, rules)
    return event, moved, draft


def add_message(
    unit: UnitOfWork, ticket_id: str, channel: Channel, body: str, received_at: datetime | None, rules: Rules
) -> tuple[Message, Ticket]:
    """Adds what the customer wrote: it ends a wait, reopens a resolved ticket in time, or is flagged as bare thanks.

    Raises ``TicketNotFound``, ``FollowUpRequired`` and ``InvalidInput``.
    """
    checks = Checks()
    checks.text("body", body)
    checks.done()
    ticket = get_ticket(unit.tx, ticket_id)
    events = store.events_of(unit.tx, ticket_id)
    thanks = rules.thanks.is_bare(body)
    move = _decided(unit, ticket, events, lifecycle.ReceiveMessage(thanks, received_at))
    made = {event.type for event in move.events}
    if EventType.REOPENED in made:
        effect = MessageEffect.REOPENED
    elif EventType.RESUMED in made:
        effect = MessageEffect.RESUMED
    elif thanks and ticket.state in (TicketState.RESOLVED, TicketState.CLOSED):
        effect = MessageEffect.THANKS_FLAGGED
    else:
        effect = MessageEffect.ADDED
    flagged = replace(ticket, thanked=effect is MessageEffect.THANKS_FLAGGED or ticket.thanked)
    message = Message(
        message_id=unit.new_id("msg"),
        ticket_id=ticket_id,
        author=MessageAuthor.CUSTOMER,
        channel=ticket.channel if channel is Channel.UNSPECIFIED else channel,
        occurred_at=received_at or unit.now,
        recorded_at=unit.now,
        actor=unit.actor,
        effect=effect,
        body=body,
        thanks_only=thanks,
    )
    store.insert_message(unit.tx, message)
    _, moved = _move(
        unit,
        flagged,
        events,
        move,
        rules,
        action="ticket.message_added",
        fields=("messages", "state"),
        attributes={"message_id": message.message_id, "effect": effect.value},
    )
    return message, moved


def wait(
    unit: UnitOfWork, ticket_id: str, waits_on: WaitsOn, reason: str, etag: str, rules: Rules
) -> tuple[TicketEvent, Ticket]:
    """Lets a ticket wait on the customer or a third party; its resolution clock pauses."""
    _person(unit, "wait_on_customer")
    checks = Checks()
    checks.text("reason", reason)
    checks.done()
    return _by_action(unit, ticket_id, lifecycle.Wait(waits_on, reason), etag, rules, "ticket.paused", note=reason)


def resume(unit: UnitOfWork, ticket_id: str, note: str, etag: str, rules: Rules) -> tuple[TicketEvent, Ticket]:
    """Ends a wait."""
    return _by_action(unit, ticket_id, lifecycle.Resume(), etag, rules, "ticket.resumed", note=note)


def resolve(
    unit: UnitOfWork, ticket_id: str, occurred_at: datetime | None, note: str, etag: str, rules: Rules
) -> tuple[TicketEvent, Ticket]:
    """Resolves a ticket; its resolution clock stops."""
    _person(unit, "resolve_ticket")
    return _by_action(unit, ticket_id, lifecycle.Resolve(occurred_at), etag, rules, "ticket.resolved", note=note)


def close(
    unit: UnitOfWork, ticket_id: str, confirmation: Confirmation, etag: str, rules: Rules
) -> tuple[TicketEvent, Ticket]:
    """Closes a resolved ticket with the customer's confirmation; what still waits for an approver is withdrawn."""
    action = lifecycle.Close(confirmation.confirmed_by, confirmation.channel, confirmation.confirmed_at)
    ticket = get_ticket(unit.tx, ticket_id)
    check_etag(etag, ticket.etag)
    events = store.events_of(unit.tx, ticket_id)
    try:
        move = _decided(unit, ticket, events, action)
    except InvalidInput as error:
        found = [replace(each, field=f"confirmation.{each.field}") for each in error.violations]
        raise InvalidInput(found) from None
    for draft in drafts.of_subject(unit.tx, _subject(ticket_id)):
        drafts.withdraw(unit, draft.draft_id)
    return _move(
        unit, replace(ticket, confirmation=confirmation), events, move, rules,
        action="ticket.closed", fields=("confirmation", "state"),
    )  # fmt: skip


def raise_priority(
    unit: UnitOfWork, ticket_id: str, priority: Priority, reason: str, etag: str, rules: Rules
) -> tuple[TicketEvent, Ticket, Draft | None]:
    """Makes a ticket more urgent; a first response that was not sent yet is drafted anew, and returned.

    A person who rejected the draft, or wrote a text of their own, decides again on the new one.
    """
    checks = Checks()
    checks.text("reason", reason)
    checks.done()
    ticket = get_ticket(unit.tx, ticket_id)
    check_etag(etag, ticket.etag)
    events = store.events_of(unit.tx, ticket_id)
    move = _decided(unit, ticket, events, lifecycle.RaisePriority(priority, reason))
    draft = None
    if ticket.draft_id and move.standing.first_response_at is None:
        policy = rules.book.policy_at(ticket.created_at).policies[priority]
        draft = drafts.rewrite(
            unit,
            ticket.draft_id,
            rules.first_responses[priority].body,
            title=rules.texts.first_response(priority),
            due_at=policy.calendar.add_working(ticket.created_at, policy.target(ClockKind.FIRST_RESPONSE)),
        )
    event, moved = _move(
        unit, ticket, events, move, rules, action="ticket.priority_raised", fields=("priority",), note=reason
    )
    return event, moved, draft


def link_tickets(unit: UnitOfWork, ticket_id: str, other_ticket_id: str, kind: LinkKind) -> Link:
    """Links two tickets, once. Raises ``TicketNotFound`` and ``InvalidInput``."""
    if ticket_id == other_ticket_id:
        raise InvalidInput([Violation("other_ticket_id", "SAME_TICKET", "must be another ticket")])
    ticket, other = get_ticket(unit.tx, ticket_id), get_ticket(unit.tx, other_ticket_id)
    if kind is LinkKind.DUPLICATE_OF and ticket.customer_id != other.customer_id:
        text = "must be a ticket of the same customer"
        raise InvalidInput([Violation("other_ticket_id", "OTHER_CUSTOMER", text)])
    link = store.get_link(unit.tx, ticket_id, other_ticket_id, kind)
    if link is None:
        link = Link(ticket_id, other_ticket_id, kind, unit.actor, unit.now)
        store.insert_link(unit.tx, link)
    unit.record(
        "ticket.linked",
        _subject(ticket_id),
        fields=("links",),
        attributes={**_attributes(ticket), "other_ticket_id": other_ticket_id, "kind": kind.value},
    )
    return link


# --- questions --------------------------------------------------------------------------------------------------------


def get_ticket(tx: Tx, ticket_id: str) -> Ticket:
    """The ticket. Raises ``TicketNotFound``."""
    found = store.get_ticket(tx, ticket_id)
    if found is None:
        raise TicketNotFound("no such ticket", ticket_id=ticket_id)
    return found


def clocks_of(tx: Tx, ticket_id: str, book: PolicyBook, as_of: datetime) -> tuple[Clock, ...]:
    """Every clock of a ticket as it stood, from what was known by then. Raises ``TicketNotFound``."""
    get_ticket(tx, ticket_id)
    return clocks([*store.events_of(tx, ticket_id), *store.draft_events(tx, ticket_id)], book, as_of)


def report_of_period(
    tx: Tx, start: datetime, end: datetime, as_of: datetime, customer_id: str | None, book: PolicyBook
) -> list[TicketFacts]:
    """The facts of the stored tickets that were opened in a period, as they stood at ``as_of``."""
    found = (
        sla.facts_from_clocks(clocks(events, book, as_of), ticket_id=ticket_id, customer_id=customer)
        for ticket_id, customer, events in store.tickets_of_period(tx, start, end, customer_id)
    )
    return [facts for facts in found if facts is not None]


def record_review(unit: UnitOfWork, week: ReviewedWeek, report: SlaHealthReport) -> None:
    """Writes into the ledger that a week was reviewed. The report itself can be computed again at any time."""
    unit.record(
        "sla.week_reviewed",
        f"sla-week/{week.start_on.isoformat()}",
        fields=("verdict",),
        attributes={
            "verdict": report.verdict.value,
            "total_tickets": str(report.total_tickets),
            "rated_tickets": str(report.rated_tickets),
            "total_breached": str(report.total_breached),
            "as_of_time": week.as_of.isoformat(),
        },
    )


# --- how a ticket moves -----------------------------------------------------------------------------------------------


def _by_action(
    unit: UnitOfWork, ticket_id: str, action: Action, etag: str, rules: Rules, name: str, *, note: str
) -> tuple[TicketEvent, Ticket]:
    ticket = get_ticket(unit.tx, ticket_id)
    check_etag(etag, ticket.etag)
    events = store.events_of(unit.tx, ticket_id)
    return _move(unit, ticket, events, _decided(unit, ticket, events, action), rules, action=name, note=note)


def _decided(unit: UnitOfWork, ticket: Ticket, events: Sequence[Event], action: Action) -> lifecycle.Transition:
    return lifecycle.decide(ticket.ticket_id, events, action, unit.actor, unit.now)


def _numbered(unit: UnitOfWork, events: Sequence[Event]) -> list[Event]:
    return [replace(event, event_id=unit.new_id("evt")) for event in events]


def _sent(
    unit: UnitOfWork,
    ticket: Ticket,
    events: Sequence[Event],
    move: lifecycle.Transition,
    sent: SentRecord,
    note: str,
    draft: Draft | None,
    rules: Rules,
) -> tuple[TicketEvent, Ticket]:
    """A recorded sending: the message that the customer got, and the event that stops a clock."""
    first = move.events[0].type is EventType.FIRST_RESPONSE
    if draft is not None:
        store.insert_message(
            unit.tx,
            Message(
                message_id=unit.new_id("msg"),
                ticket_id=ticket.ticket_id,
                author=MessageAuthor.DEALIX,
                channel=sent.channel,
                occurred_at=sent.sent_at,
                recorded_at=unit.now,
                actor=unit.actor,
                effect=MessageEffect.FIRST_RESPONSE if first else MessageEffect.ANSWERED,
                ours=draft.body,
                draft_id=draft.draft_id,
                sent=sent,
            ),
        )
    return _move(
        unit,
        ticket,
        events,
        move,
        rules,
        action=f"ticket.{move.events[0].type}",
        fields=("state", "sent"),
        note=note,
        sent=sent,
        draft=draft,
    )


def _sent_somehow(unit: UnitOfWork, ticket: Ticket, sent: SentRecord) -> Draft | None:
    """The draft whose approval held at the sending, now used up; None where none did, and the draft is withdrawn."""
    if not ticket.draft_id:
        return None
    draft = drafts.get(unit.tx, ticket.draft_id)
    approval = draft.approval
    if (
        approval is not None
        and draft.state in (DraftState.APPROVED, DraftState.EDITED_AND_APPROVED)
        and approval.approved_at <= sent.sent_at < approval.expires_at
    ):
        return drafts.record_sent(unit, draft.draft_id, approval.approval_id, sent)
    drafts.withdraw(unit, draft.draft_id)
    return None


def _move(
    unit: UnitOfWork,
    ticket: Ticket,
    events: Sequence[Event],
    move: lifecycle.Transition,
    rules: Rules,
    *,
    action: str,
    fields: tuple[str, ...] = ("state",),
    attributes: Mapping[str, str] | None = None,
    note: str = "",
    sent: SentRecord | None = None,
    draft: Draft | None = None,
) -> tuple[TicketEvent, Ticket]:
    """Appends the events of a transition and writes what they make of the ticket; the first event is returned."""
    added = _numbered(unit, move.events)
    recorded = [TicketEvent(ticket.ticket_id, event, unit.actor) for event in added]
    used = draft.approval.approval_id if draft is not None and draft.approval is not None else ""
    recorded[0] = replace(
        recorded[0], note=note, sent=sent, draft_id=draft.draft_id if draft is not None else "", approval_id=used
    )
    for each in recorded:
        store.insert_event(unit.tx, each)
    moved = _standing(ticket, move, note, unit.now)
    store.save_ticket(unit.tx, moved)
    schedule.follow(unit, moved, [*events, *added], rules.book)
    unit.record(
        action,
        _subject(ticket.ticket_id),
        fields=fields,
        attributes={
            **_attributes(moved),
            "event_id": added[0].event_id,
            **({"draft_id": draft.draft_id, "approval_id": used} if draft is not None else {}),
            **(attributes or {}),
        },
    )
    return recorded[0], moved


def _standing(ticket: Ticket, move: lifecycle.Transition, note: str, now: datetime) -> Ticket:
    """The ticket as its events make it."""
    stands = move.standing
    known_at = stands.resolution_known_at
    resolved = stands.state is TicketState.RESOLVED
    paused = any(event.type is EventType.PAUSED for event in move.events)
    return replace(
        ticket,
        state=stands.state,
        priority=stands.priority or ticket.priority,
        waits_on=stands.waits_on if stands.state is TicketState.WAITING else None,
        waiting_reason=(note if paused else ticket.waiting_reason) if stands.state is TicketState.WAITING else "",
        resolved_at=stands.resolved_at,
        reopens_until=lifecycle.reopens_until(known_at) if resolved and known_at is not None else None,
        thanked=ticket.thanked and stands.state in (TicketState.RESOLVED, TicketState.CLOSED),
        updated_at=now,
        revision=ticket.revision + 1,
    )


def _person(unit: UnitOfWork, action: str) -> None:
    if unit.actor.kind != "person":
        raise PersonRequired("actor must be a person", action=action)


def _subject(ticket_id: str) -> str:
    return f"ticket/{ticket_id}"


def _attributes(ticket: Ticket) -> dict[str, str]:
    """What the ledger tells of a ticket after a write; folded, it gives each ticket's present state."""
    return {"priority": ticket.priority.value, "state": ticket.state.value, "revision": str(ticket.revision)}
