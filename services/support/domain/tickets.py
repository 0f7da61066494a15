"""Tickets: what one is, how it opens, and what an SLA event does to its state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.channels import Channel
from services.domain.errors import InvalidInput, NotFound, PersonRequired, Violation
from services.domain.sent import SentRecord
from services.domain.texts import Bilingual
from services.support.domain.classifier import Classification
from services.support.domain.clocks import ClockKind
from services.support.domain.events import Event, EventType, WaitsOn
from services.support.domain.policy import EscalationOwner
from services.support.domain.priorities import Priority, urgency
from services.support.domain.sla import SlaEventNotAllowed


class TicketNotFound(NotFound):
    """No ticket has this id. Metadata: ``ticket_id``."""

    reason: ClassVar[str] = "TICKET_NOT_FOUND"


class TicketState(StrEnum):
    """Where a ticket stands. Escalated is an event, not a state."""

    NEW = "new"
    AWAITING_FIRST_RESPONSE = "awaiting_first_response"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A customer's word that a ticket can be closed: who of them (an identifier or a function), how, when (UTC), and where
    it can be found.
    """

    confirmed_by: str
    channel: Channel
    confirmed_at: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it stands. Times are UTC; ``revision`` counts its changes from 1.

    ``waits_on`` and ``waiting_reason`` hold in state WAITING, ``resolved_at`` in RESOLVED and CLOSED, ``reopens_until`` in
    RESOLVED, ``confirmation`` in CLOSED. ``thanked``: the customer only said thanks after the resolution. ``draft_id`` is
    that of the first response, empty on tickets from before drafts were kept.
    """

    ticket_id: str
    customer_id: str
    subject: str
    body: str
    channel: Channel
    priority: Priority
    classification: Classification
    state: TicketState
    follows_ticket_id: str
    created_at: datetime
    updated_at: datetime
    revision: int
    waits_on: WaitsOn | None = None
    waiting_reason: str = ""
    resolved_at: datetime | None = None
    reopens_until: datetime | None = None
    confirmation: Confirmation | None = None
    thanked: bool = False
    draft_id: str = ""

    @property
    def etag(self) -> str:
        """Changes with every change of the ticket."""
        return f"r{self.revision}"


@dataclass(frozen=True, slots=True)
class Escalation:
    """A step of the ladder that a clock crossed; ``instance`` is the event that started the clock."""

    kind: ClockKind
    instance: str
    priority: Priority
    percent: int
    role: EscalationOwner


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """An event of a ticket, with who recorded it. ``approval_id`` is empty where something was sent without one."""

    ticket_id: str
    event: Event
    actor: ActorLike
    note: str = ""
    sent: SentRecord | None = None
    escalation: Escalation | None = None
    draft_id: str = ""
    approval_id: str = ""


class MessageAuthor(StrEnum):
    CUSTOMER = "customer"
    DEALIX = "dealix"


class MessageEffect(StrEnum):
    """What a message did to its ticket."""

    ADDED = "added"
    RESUMED = "resumed"
    REOPENED = "reopened"
    THANKS_FLAGGED = "thanks_flagged"
    FIRST_RESPONSE = "first_response"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Message:
    """One message after the opening text. ``body`` is the customer's; ``ours`` and ``sent`` belong to what we sent."""

    message_id: str
    ticket_id: str
    author: MessageAuthor
    channel: Channel
    occurred_at: datetime
    recorded_at: datetime
    actor: ActorLike
    effect: MessageEffect
    body: str = ""
    ours: Bilingual | None = None
    thanks_only: bool = False
    draft_id: str = ""
    sent: SentRecord | None = None


class LinkKind(StrEnum):
    """How two tickets belong together, read from the first to the other."""

    RELATED = "related"
    DUPLICATE_OF = "duplicate_of"
    FOLLOWS = "follows"


@dataclass(frozen=True, slots=True)
class Link:
    """That two tickets belong together."""

    ticket_id: str
    other_ticket_id: str
    kind: LinkKind
    actor: ActorLike
    created_at: datetime


def text_to_classify(subject: str, body: str) -> str:
    """What the classifier reads of a ticket: subject and body on lines of their own."""
    return f"{subject}\n{body}" if subject and body else subject or body


def opening_priority(classified: Priority, minimum: Priority | None) -> Priority:
    """The priority a ticket opens at: people may ask for a more urgent one, nobody for a less urgent one."""
    if minimum is None or urgency(classified) <= urgency(minimum):
        return classified
    return minimum


# Events that people and callers record by themselves; the others belong to a transition of their own.
_RECORDABLE = frozenset({EventType.FIRST_RESPONSE, EventType.RESOLVED, EventType.ESCALATED})


def check_record(ticket: Ticket, kind: EventType, actor: ActorLike, sent: SentRecord | None) -> None:
    """Whether an event of this kind may be recorded by itself, by this actor, with or without a record of sending.

    Raises ``InvalidInput`` (a sending that is missing, or out of place), ``SlaEventNotAllowed`` (events that belong to a
    transition of their own, and anything on a closed ticket) or ``PersonRequired``.
    """
    if kind is EventType.FIRST_RESPONSE and sent is None:
        raise InvalidInput([Violation("sent", "REQUIRED", "a first response counts only with a record of its sending")])
    if kind is not EventType.FIRST_RESPONSE and sent is not None:
        raise InvalidInput([Violation("sent", "NOT_ALLOWED", "only a first response has a record of its sending")])
    if (kind not in _RECORDABLE and kind is not EventType.OPENED) or ticket.state is TicketState.CLOSED:
        raise SlaEventNotAllowed(
            f"{kind} cannot be recorded by itself on a ticket in state {ticket.state}",
            ticket_id=ticket.ticket_id,
            state=ticket.state,
            type=kind,
        )
    if sent is not None:
        for field, who in (("actor", actor), ("sent.sender", sent.sender)):
            if who.kind != "person":
                raise PersonRequired(f"{field} must be a person", action="record_first_response")
