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


def opening_priority(classified: Priority, minimum: Priority | None, actor: ActorLike) -> Priority:
    """The priority a ticket opens at: a person may ask for a more urgent one, nobody for a less urgent one.

    Raises ``PersonRequired`` where software asks for a more urgent one.
    """
    if minimum is None or urgency(classified) <= urgency(minimum):
        return classified
    if actor.kind != "person":
        raise PersonRequired("only a person raises a priority", action="raise_priority")
    return minimum


# Events that people and callers record by themselves; the others belong to a transition of their own.
_RECORDABLE = frozenset({EventType.FIRST_RESPONSE, EventType.RESOLVED, EventType.ESCALATED})


def moment_faults(field: str, at: datetime, opened_at: datetime, now: datetime) -> list[Violation]:
    """What is wrong with the moment at which something is said to have happened to a ticket."""
    if at > now:
        return [Violation(field, "IN_FUTURE", "must not lie in the future")]
    if at < opened_at:
        return [Violation(field, "BEFORE_OPENING", "must not lie before the ticket was opened")]
    return []


def check_record(
    ticket: Ticket,
    kind: EventType,
    actor: ActorLike,
    occurred_at: datetime | None,
    sent: SentRecord | None,
    now: datetime,
) -> None:
    """Whether an event of this kind may be recorded by itself, by this actor, with or without a time and a record of sending.

    Raises ``InvalidInput`` with every fault (a sending or a time that is missing, out of place, in the future or before the
    opening), ``SlaEventNotAllowed`` (events that belong to a transition of their own, and anything on a closed ticket) or
    ``PersonRequired``.
    """
    _check_times_of_record(ticket, kind, occurred_at, sent, now)
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


def _check_times_of_record(
    ticket: Ticket, kind: EventType, occurred_at: datetime | None, sent: SentRecord | None, now: datetime
) -> None:
    faults: list[Violation] = []
    if kind is EventType.FIRST_RESPONSE:
        if occurred_at is not None:
            text = "the time of the sending counts; leave this unset"
            faults.append(Violation("occur_time", "NOT_ALLOWED", text))
        if sent is None:
            text = "a first response counts only with a record of its sending"
            faults.append(Violation("sent", "REQUIRED", text))
        else:
            faults += moment_faults("sent.send_time", sent.sent_at, ticket.created_at, now)
    else:
        if occurred_at is not None:
            faults += moment_faults("occur_time", occurred_at, ticket.created_at, now)
        if sent is not None:
            faults.append(Violation("sent", "NOT_ALLOWED", "only a first response has a record of its sending"))
    if faults:
        raise InvalidInput(faults)
