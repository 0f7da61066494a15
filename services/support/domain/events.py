"""What happens in the life of a ticket, as far as its state and its clocks are computed from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.support.domain.priorities import Priority


class EventType(StrEnum):
    """The first eight are the SLA events of the contract; the others are what its clocks need to know beside them."""

    OPENED = "opened"
    FIRST_RESPONSE = "first_response"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    PAUSED = "paused"
    RESUMED = "resumed"
    REOPENED = "reopened"
    PRIORITY_RAISED = "priority_raised"
    # The customer wrote something that wants an answer.
    CUSTOMER_MESSAGE = "customer_message"
    # The customer wrote thanks and nothing else.
    CUSTOMER_THANKS = "customer_thanks"
    # A person recorded that a reply was sent. The first one is FIRST_RESPONSE.
    REPLY_SENT = "reply_sent"
    # The customer confirmed that it is solved.
    CLOSED = "closed"
    # A draft to the customer waits for our own approver, or no longer does.
    DRAFT_PENDING = "draft_pending"
    DRAFT_DECIDED = "draft_decided"


class WaitsOn(StrEnum):
    """Whom a waiting ticket waits on. Waiting for our own approver is no wait."""

    CUSTOMER = "customer"
    THIRD_PARTY = "third_party"


@dataclass(frozen=True, slots=True)
class Event:
    """One appended event; both times UTC. ``recorded_at`` is when it became known here, never before it happened.

    ``priority``: what the ticket has from then on (OPENED and PRIORITY_RAISED). ``waits_on``: whom it waits on (PAUSED).
    ``draft_id``: which draft (DRAFT_PENDING and DRAFT_DECIDED). ``sequence`` counts the events of a ticket as they are
    recorded, from 1: it tells apart what happened at the same instant.
    """

    type: EventType
    occurred_at: datetime
    recorded_at: datetime
    event_id: str = ""
    priority: Priority | None = None
    waits_on: WaitsOn | None = None
    draft_id: str = ""
    sequence: int = 0

    def __post_init__(self) -> None:
        # What is missing here was lost by us on the way: no caller can leave it out.
        if self.type in _WITH_PRIORITY and self.priority is None:
            raise ValueError(f"{self.type} needs the priority")
        if self.type is EventType.PAUSED and self.waits_on is None:
            raise ValueError("a pause needs whom it waits on")
        if self.type in _OF_DRAFTS and not self.draft_id:
            raise ValueError(f"{self.type} needs the draft")


_WITH_PRIORITY = frozenset({EventType.OPENED, EventType.PRIORITY_RAISED})
_OF_DRAFTS = frozenset({EventType.DRAFT_PENDING, EventType.DRAFT_DECIDED})


def in_order(events: Iterable[Event]) -> list[Event]:
    """By time of happening; at the same instant an opening first, then as recorded."""
    return sorted(
        events,
        key=lambda e: (
            e.occurred_at,
            e.type is not EventType.OPENED,
            e.sequence,
            e.recorded_at,
            e.type,
            e.event_id,
        ),
    )


def known(events: Iterable[Event], as_of: datetime) -> list[Event]:
    """What had happened and was recorded by ``as_of``, in order: a view of the past that never changes later."""
    return in_order(e for e in events if e.occurred_at <= as_of and e.recorded_at <= as_of)
