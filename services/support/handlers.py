"""The use cases of support: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.domain.channels import Channel
from services.domain.errors import InvalidInput, Violation, check_etag
from services.domain.sent import SentRecord
from services.storage.database import Tx, UnitOfWork
from services.support import store
from services.support.domain import sla, tickets
from services.support.domain.classifier import Classification
from services.support.domain.priorities import Priority
from services.support.domain.sla import SlaEvent, SlaEventType, TicketFacts
from services.support.domain.tickets import Ticket, TicketEvent, TicketNotFound, TicketState

MAX_PERIOD = timedelta(days=366)


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
    kind: SlaEventType
    occurred_at: datetime | None
    sent: SentRecord | None
    note: str
    etag: str


def open_ticket(unit: UnitOfWork, command: OpenTicket, classification: Classification) -> Ticket:
    """Stores a classified ticket and starts its clocks.

    Raises ``TicketNotFound`` for an earlier ticket that does not exist, and ``InvalidInput`` for one of another customer.
    """
    if command.follows_ticket_id:
        earlier = get_ticket(unit.tx, command.follows_ticket_id)
        if earlier.customer_id != command.customer_id:
            raise InvalidInput(
                [Violation("follows_ticket_id", "OTHER_CUSTOMER", "must be a ticket of the same customer")]
            )
    ticket = Ticket(
        ticket_id=unit.new_id("tkt"),
        customer_id=command.customer_id,
        subject=command.subject,
        body=command.body,
        channel=command.channel,
        priority=tickets.opening_priority(classification.priority, command.minimum_priority),
        classification=classification,
        state=TicketState.AWAITING_FIRST_RESPONSE,
        follows_ticket_id=command.follows_ticket_id,
        created_at=unit.now,
        updated_at=unit.now,
        revision=1,
    )
    opened = SlaEvent(SlaEventType.OPENED, unit.now, unit.now, unit.new_id("evt"))
    store.insert_ticket(unit.tx, ticket)
    store.insert_event(unit.tx, TicketEvent(ticket.ticket_id, opened, unit.actor))
    unit.record(
        "ticket.opened",
        _subject(ticket.ticket_id),
        fields=("subject", "body", "channel", "priority", "state"),
        attributes={
            **_attributes(ticket),
            "customer_id": ticket.customer_id,
            "classified_priority": classification.priority.value,
            "lexicon_version": classification.lexicon_version,
            "event_id": opened.event_id,
        },
    )
    return ticket


def record_event(unit: UnitOfWork, command: RecordEvent) -> tuple[TicketEvent, Ticket]:
    """Appends an SLA event and moves the ticket as the event asks for.

    Raises ``TicketNotFound``, ``EtagMismatch``, ``InvalidInput``, ``SlaEventExists``, ``SlaEventNotAllowed`` and
    ``PersonRequired``.
    """
    ticket = get_ticket(unit.tx, command.ticket_id)
    check_etag(command.etag, ticket.etag)
    tickets.check_record(ticket, command.kind, unit.actor, command.sent)
    if command.sent is not None:
        if command.occurred_at is not None:
            raise InvalidInput(
                [Violation("occur_time", "NOT_ALLOWED", "the time of the sending counts; leave this unset")]
            )
        occurred_at = command.sent.sent_at
    else:
        occurred_at = command.occurred_at or unit.now
    event = SlaEvent(command.kind, occurred_at, unit.now, unit.new_id("evt"))
    earlier = [e.event for e in store.events_of(unit.tx, ticket.ticket_id)]
    sla.admit(ticket.ticket_id, earlier, event, now=unit.now)
    recorded = TicketEvent(ticket.ticket_id, event, unit.actor, command.note, command.sent)
    moved = tickets.after_event(ticket, command.kind, unit.now)
    store.insert_event(unit.tx, recorded)
    store.save_state(unit.tx, moved)
    unit.record(
        f"ticket.{command.kind}",
        _subject(ticket.ticket_id),
        fields=("state", "sent") if command.sent else ("state",),
        attributes={**_attributes(moved), "event_id": event.event_id},
    )
    return recorded, moved


def get_ticket(tx: Tx, ticket_id: str) -> Ticket:
    """The ticket. Raises ``TicketNotFound``."""
    found = store.get_ticket(tx, ticket_id)
    if found is None:
        raise TicketNotFound("no such ticket", ticket_id=ticket_id)
    return found


def report_of_period(
    tx: Tx, start: datetime, end: datetime, as_of: datetime, customer_id: str | None
) -> list[TicketFacts]:
    """The facts of the stored tickets that were opened in a period, as they stood at ``as_of``.

    Raises ``InvalidInput`` for a period that ends before it starts or is longer than 366 days.
    """
    if not start < end <= start + MAX_PERIOD:
        text = "must be later than period_start_time, at most 366 days"
        raise InvalidInput([Violation("period_end_time", "PERIOD", text)])
    found = (
        sla.facts_from_events(priority, events, as_of, ticket_id=ticket_id, customer_id=customer)
        for ticket_id, customer, priority, events in store.tickets_of_period(tx, start, end, customer_id)
    )
    return [facts for facts in found if facts is not None]


def _subject(ticket_id: str) -> str:
    return f"ticket/{ticket_id}"


def _attributes(ticket: Ticket) -> dict[str, str]:
    """What the ledger tells of a ticket after a write; folded, it gives each ticket's present state."""
    return {"priority": ticket.priority.value, "state": ticket.state.value, "revision": str(ticket.revision)}
