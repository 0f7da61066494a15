"""The tables and statements of support: the only file that knows its SQL.

Times are microseconds since the epoch, UTC. Signals of a ticket are a bit mask, so that one index range over the opening
time finds the tickets with any of some signals.

Clocks are computed, never stored. What ``clock_spans`` holds is a view for one question, which clocks press: from when
until when (by record time) a running clock was known to be due at some moment. It can be made again from the events.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from services.approvals.store import sent_of, sent_text
from services.domain.channels import Channel
from services.domain.drafts import DraftKind
from services.domain.texts import Bilingual
from services.storage.database import Actor, Row, ServiceSchema, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText, approvals, drafts, ledger
from services.storage.times import from_micros, micros_or_none, time_or_none, to_micros
from services.support.domain.classifier import Classification, Hit, Signal
from services.support.domain.clocks import ClockKind
from services.support.domain.events import Event, EventType, WaitsOn
from services.support.domain.policy import EscalationOwner
from services.support.domain.priorities import Priority
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

METADATA = sa.MetaData()

tickets = sa.Table(
    "tickets",
    METADATA,
    sa.Column("ticket_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("classification", sa.Text, nullable=False),
    sa.Column("signals", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("follows_ticket_id", sa.Text, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("waits_on", sa.Text),
    sa.Column("waiting_reason", sa.Text),
    sa.Column("resolve_us", sa.BigInteger),
    sa.Column("reopen_us", sa.BigInteger),
    # The customer's confirmation, as JSON.
    sa.Column("confirmation", sa.Text),
    sa.Column("thanked", sa.BigInteger),
    sa.Column("draft_id", sa.Text),
    sa.Index("tickets_by_time", "create_us", "ticket_id"),
    sa.Index("tickets_by_customer", "customer_id", "create_us", "ticket_id"),
    sa.Index("tickets_by_priority", "priority", "create_us", "ticket_id"),
    sa.Index("tickets_by_state", "state", "create_us", "ticket_id"),
)

sla_events = sa.Table(
    "sla_events",
    METADATA,
    sa.Column("event_id", KeyText, primary_key=True),
    sa.Column("ticket_id", KeyText, sa.ForeignKey("tickets.ticket_id"), nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("occur_us", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    # What the record of a response says of the sending, as JSON; empty for other events.
    sa.Column("sent", sa.Text, nullable=False),
    sa.Column("priority", sa.Text),
    sa.Column("waits_on", sa.Text),
    # The step of the ladder that a clock crossed, as JSON.
    sa.Column("escalation", sa.Text),
    sa.Column("draft_id", sa.Text),
    sa.Column("approval_id", sa.Text),
    # Counts the events of the ticket as they were recorded: the order of what happened at one instant.
    sa.Column("sequence", sa.BigInteger),
    sa.Index("sla_events_by_ticket", "ticket_id", "occur_us", "record_us", "event_id"),
)

ticket_messages = sa.Table(
    "ticket_messages",
    METADATA,
    sa.Column("message_id", KeyText, primary_key=True),
    sa.Column("ticket_id", KeyText, sa.ForeignKey("tickets.ticket_id"), nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("body_ar", sa.Text, nullable=False),
    sa.Column("body_en", sa.Text, nullable=False),
    sa.Column("occur_us", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("thanks_only", sa.BigInteger, nullable=False),
    sa.Column("draft_id", sa.Text, nullable=False),
    sa.Column("sent", sa.Text, nullable=False),
    sa.Index("ticket_messages_by_ticket", "ticket_id", "occur_us", "message_id"),
)

ticket_links = sa.Table(
    "ticket_links",
    METADATA,
    sa.Column("ticket_id", KeyText, sa.ForeignKey("tickets.ticket_id"), primary_key=True),
    sa.Column("other_ticket_id", KeyText, sa.ForeignKey("tickets.ticket_id"), primary_key=True),
    sa.Column("kind", KeyText, primary_key=True),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Index("ticket_links_by_other", "other_ticket_id"),
)

# The steps of the ladder that were fired. The key is what makes each of them fire once.
escalations = sa.Table(
    "escalations",
    METADATA,
    sa.Column("ticket_id", KeyText, sa.ForeignKey("tickets.ticket_id"), primary_key=True),
    sa.Column("clock", KeyText, primary_key=True),
    sa.Column("instance", KeyText, primary_key=True),
    sa.Column("priority", KeyText, primary_key=True),
    sa.Column("percent", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("draft_id", sa.Text, nullable=False),
    # When the step was crossed, and when it was recorded: later where the service was down.
    sa.Column("cross_us", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
)

# When a running clock presses, as it was known from ``since_us`` until ``until_us`` (record time, the end exclusive; `OPEN`
# while it is so). It presses from ``press_us`` on: when it was known and at risk. A stretch that ended before that is not
# kept, so the table holds the clocks that run and the history of those that pressed, whatever the number of tickets.
clock_spans = sa.Table(
    "clock_spans",
    METADATA,
    sa.Column("ticket_id", KeyText, primary_key=True),
    sa.Column("clock", KeyText, primary_key=True),
    sa.Column("instance", KeyText, primary_key=True),
    sa.Column("since_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
    sa.Column("press_us", sa.BigInteger, nullable=False),
    sa.Column("at_risk_us", sa.BigInteger, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    # The last moment that keeps the promise.
    sa.Column("late_us", sa.BigInteger, nullable=False),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    # With `press_us`, so that what does not press yet is passed over within the index.
    sa.Index("clock_spans_by_due", "until_us", "due_us", "ticket_id", "clock", "instance", "press_us"),
    sa.Index("clock_spans_by_press", "until_us", "press_us"),
    sa.Index("clock_spans_by_customer", "customer_id", "until_us", "due_us"),
)

OPEN = 1 << 62
"""``until_us`` of a span that nothing has ended."""

SCHEMA = ServiceSchema("support", METADATA, Path(__file__).with_name("migrations"))

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_BITS = {signal: 1 << place for place, signal in enumerate(Signal)}

_INSERT_TICKET = sa.insert(tickets)
_GET_TICKET = sa.select(tickets).where(tickets.c.ticket_id == sa.bindparam("ticket_id"))
_MOVE_TICKET = (
    sa.update(tickets)
    .where(tickets.c.ticket_id == sa.bindparam("which"))
    .values(
        state=sa.bindparam("state"),
        priority=sa.bindparam("priority"),
        update_us=sa.bindparam("update_us", type_=sa.BigInteger),
        revision=sa.bindparam("revision", type_=sa.BigInteger),
        waits_on=sa.bindparam("waits_on"),
        waiting_reason=sa.bindparam("waiting_reason"),
        resolve_us=sa.bindparam("resolve_us", type_=sa.BigInteger),
        reopen_us=sa.bindparam("reopen_us", type_=sa.BigInteger),
        confirmation=sa.bindparam("confirmation"),
        thanked=sa.bindparam("thanked", type_=sa.BigInteger),
    )
)
_INSERT_EVENT = sa.insert(sla_events)
_EVENT_KEY = (
    sla_events.c.occur_us,
    sla_events.c.record_us,
    sa.func.coalesce(sla_events.c.sequence, 0),
    sla_events.c.event_id,
)
_EVENTS_OF = sa.select(sla_events).where(sla_events.c.ticket_id == sa.bindparam("ticket_id")).order_by(*_EVENT_KEY)
_EVENTS_AFTER = _EVENTS_OF.where(
    sa.tuple_(*_EVENT_KEY)
    > sa.tuple_(
        *(sa.bindparam(name, type_=sa.BigInteger) for name in ("occur_us", "record_us", "sequence")),
        sa.bindparam("event_id", type_=sa.Text),
    )
).limit(sa.bindparam("limit", type_=sa.Integer))
_PERIOD = (
    sa.select(
        tickets.c.ticket_id,
        tickets.c.customer_id,
        sla_events.c.type,
        sla_events.c.occur_us,
        sla_events.c.record_us,
        sla_events.c.event_id,
        sla_events.c.priority,
        sla_events.c.waits_on,
        sla_events.c.draft_id,
        sla_events.c.sequence,
    )
    .join_from(tickets, sla_events, sla_events.c.ticket_id == tickets.c.ticket_id)
    .where(tickets.c.create_us >= sa.bindparam("start", type_=sa.BigInteger))
    .where(tickets.c.create_us < sa.bindparam("end", type_=sa.BigInteger))
    .order_by(tickets.c.create_us, tickets.c.ticket_id)
)
_PERIOD_OF_CUSTOMER = _PERIOD.where(tickets.c.customer_id == sa.bindparam("customer_id"))


class _AsLedgerSubject(sa.ColumnElement[str]):
    """``draft/<id>`` to compare with the ledger's subjects, whose collation on PostgreSQL is the database's, not C."""

    inherit_cache = True
    type = sa.Text()

    def __init__(self, draft_id: sa.ColumnElement[str]) -> None:
        self.subject = sa.literal_column("'draft/'").concat(draft_id)


@compiles(_AsLedgerSubject)
def _plain(element: _AsLedgerSubject, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.subject, **options)})"


@compiles(_AsLedgerSubject, "postgresql")
def _collated(element: _AsLedgerSubject, compiler: SQLCompiler, **options: Any) -> str:
    return f'(({compiler.process(element.subject, **options)}) COLLATE "default")'


# What happened to the drafts for the customer, from the ledger and the approvals: no write says it twice.
_TO_CUSTOMER = [DraftKind.FIRST_RESPONSE.value, DraftKind.REPLY.value]
_DRAFT_STEPS = (
    sa.select(drafts.c.subject, drafts.c.draft_id, ledger.c.time_us, ledger.c.action)
    .join_from(drafts, ledger, ledger.c.subject == _AsLedgerSubject(drafts.c.draft_id))
    .where(drafts.c.kind.in_(_TO_CUSTOMER))
)
_EXPIRED = (
    sa.select(drafts.c.subject, drafts.c.draft_id, approvals.c.expire_us)
    .join_from(drafts, approvals, approvals.c.draft_id == drafts.c.draft_id)
    .where(drafts.c.kind.in_(_TO_CUSTOMER))
    .where(sa.or_(approvals.c.use_us.is_(None), approvals.c.use_us > approvals.c.expire_us))
    .where(sa.or_(approvals.c.void_us.is_(None), approvals.c.void_us > approvals.c.expire_us))
)
_OF_TICKET = drafts.c.subject == sa.bindparam("subject")
_DRAFT_STEPS_OF_TICKET, _EXPIRED_OF_TICKET = _DRAFT_STEPS.where(_OF_TICKET), _EXPIRED.where(_OF_TICKET)


def _of_period(statement: sa.Select[Any], *, customer: bool) -> sa.Select[Any]:
    opened = (
        sa.select(sa.literal_column("'ticket/'").concat(tickets.c.ticket_id))
        .where(tickets.c.create_us >= sa.bindparam("start", type_=sa.BigInteger))
        .where(tickets.c.create_us < sa.bindparam("end", type_=sa.BigInteger))
    )
    if customer:
        opened = opened.where(tickets.c.customer_id == sa.bindparam("customer_id"))
    return statement.where(drafts.c.subject.in_(opened))


_DRAFT_STEPS_OF_PERIOD, _EXPIRED_OF_PERIOD = (
    {customer: _of_period(statement, customer=customer) for customer in (False, True)}
    for statement in (_DRAFT_STEPS, _EXPIRED)
)
_DRAFT_WAITS = frozenset({"draft.drafted", "draft.rewritten", "draft.edited"})

_INSERT_MESSAGE = sa.insert(ticket_messages)
_MESSAGES_AFTER = (
    sa.select(ticket_messages)
    .where(ticket_messages.c.ticket_id == sa.bindparam("ticket_id"))
    .where(
        sa.tuple_(ticket_messages.c.occur_us, ticket_messages.c.message_id)
        > sa.tuple_(sa.bindparam("occur_us", type_=sa.BigInteger), sa.bindparam("message_id", type_=sa.Text))
    )
    .order_by(ticket_messages.c.occur_us, ticket_messages.c.message_id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_INSERT_LINK = sa.insert(ticket_links)
_GET_LINK = (
    sa.select(ticket_links)
    .where(ticket_links.c.ticket_id == sa.bindparam("ticket_id"))
    .where(ticket_links.c.other_ticket_id == sa.bindparam("other_ticket_id"))
    .where(ticket_links.c.kind == sa.bindparam("kind"))
)
_LINK_KEY = (
    ticket_links.c.create_us,
    ticket_links.c.ticket_id,
    ticket_links.c.other_ticket_id,
    ticket_links.c.kind,
)
_LINKS_AFTER = (
    sa.select(ticket_links)
    .where(
        sa.or_(
            ticket_links.c.ticket_id == sa.bindparam("which"), ticket_links.c.other_ticket_id == sa.bindparam("which")
        )
    )
    .where(
        sa.tuple_(*_LINK_KEY)
        > sa.tuple_(
            sa.bindparam("create_us", type_=sa.BigInteger),
            *(sa.bindparam(name, type_=sa.Text) for name in ("ticket_id", "other_ticket_id", "kind")),
        )
    )
    .order_by(*_LINK_KEY)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)

_INSERT_ESCALATION = sa.insert(escalations)
_ESCALATIONS_OF = sa.select(escalations).where(escalations.c.ticket_id == sa.bindparam("ticket_id"))

_OPEN_SPANS = (
    sa.select(clock_spans)
    .where(clock_spans.c.ticket_id == sa.bindparam("ticket_id"))
    .where(clock_spans.c.until_us == OPEN)
)
_SPAN_KEY = (
    (clock_spans.c.ticket_id == sa.bindparam("which"))
    & (clock_spans.c.clock == sa.bindparam("of_clock"))
    & (clock_spans.c.instance == sa.bindparam("of_instance"))
    & (clock_spans.c.since_us == sa.bindparam("of_since", type_=sa.BigInteger))
)
_INSERT_SPAN = sa.insert(clock_spans)
_SPAN_COLUMNS = [column.name for column in clock_spans.columns]
# The two clocks with which every ticket begins, in one statement.
_INSERT_TWO_SPANS = sa.insert(clock_spans).values(
    [
        {column.name: sa.bindparam(f"{column.name}_{n}", type_=column.type) for column in clock_spans.columns}
        for n in (0, 1)
    ]
)
_END_SPAN = sa.update(clock_spans).where(_SPAN_KEY).values(until_us=sa.bindparam("ended", type_=sa.BigInteger))
_DROP_SPAN = sa.delete(clock_spans).where(_SPAN_KEY)

_WITH_SIGNALS = (
    sa.select(tickets.c.ticket_id, tickets.c.customer_id)
    .where(tickets.c.create_us >= sa.bindparam("since", type_=sa.BigInteger))
    .where(tickets.c.signals.bitwise_and(sa.bindparam("mask", type_=sa.BigInteger)) != 0)
    .where(tickets.c.state.not_in([TicketState.RESOLVED.value, TicketState.CLOSED.value]))
    .subquery()
)
_COUNT_SIGNALS = sa.select(
    sa.func.count().label("tickets"), sa.func.count(sa.distinct(_WITH_SIGNALS.c.customer_id)).label("customers")
)
_NEWEST_SIGNALS = (
    sa.select(tickets.c.ticket_id)
    .where(tickets.c.create_us >= sa.bindparam("since", type_=sa.BigInteger))
    .where(tickets.c.signals.bitwise_and(sa.bindparam("mask", type_=sa.BigInteger)) != 0)
    .where(tickets.c.state.not_in([TicketState.RESOLVED.value, TicketState.CLOSED.value]))
    .order_by(tickets.c.create_us.desc(), tickets.c.ticket_id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets to list; None matches all. Times are UTC, the end exclusive."""

    customer_id: str | None = None
    priority: Priority | None = None
    state: TicketState | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


def insert_ticket(tx: Tx, ticket: Ticket) -> None:
    """Stores a new ticket."""
    tx.run(
        _INSERT_TICKET,
        {
            "ticket_id": ticket.ticket_id,
            "customer_id": ticket.customer_id,
            "subject": ticket.subject,
            "body": ticket.body,
            "channel": ticket.channel.value,
            "priority": ticket.priority.value,
            "classification": _classification_text(ticket.classification),
            "signals": _mask(ticket.classification.signals),
            "state": ticket.state.value,
            "follows_ticket_id": ticket.follows_ticket_id,
            "create_us": to_micros(ticket.created_at),
            "update_us": to_micros(ticket.updated_at),
            "revision": ticket.revision,
            "draft_id": ticket.draft_id,
        },
    )


def get_ticket(tx: Tx, ticket_id: str) -> Ticket | None:
    """The ticket, or None."""
    row = tx.one(_GET_TICKET, {"ticket_id": ticket_id})
    return _ticket(row) if row is not None else None


def save_ticket(tx: Tx, ticket: Ticket) -> None:
    """Writes what changes in the life of a ticket that exists."""
    tx.run(
        _MOVE_TICKET,
        {
            "which": ticket.ticket_id,
            "state": ticket.state.value,
            "priority": ticket.priority.value,
            "update_us": to_micros(ticket.updated_at),
            "revision": ticket.revision,
            "waits_on": ticket.waits_on.value if ticket.waits_on is not None else None,
            "waiting_reason": ticket.waiting_reason or None,
            "resolve_us": micros_or_none(ticket.resolved_at),
            "reopen_us": micros_or_none(ticket.reopens_until),
            "confirmation": _confirmation_text(ticket.confirmation),
            "thanked": int(ticket.thanked),
        },
    )


def insert_event(tx: Tx, event: TicketEvent) -> None:
    """Appends an SLA event."""
    tx.run(
        _INSERT_EVENT,
        {
            "event_id": event.event.event_id,
            "ticket_id": event.ticket_id,
            "type": event.event.type.value,
            "occur_us": to_micros(event.event.occurred_at),
            "record_us": to_micros(event.event.recorded_at),
            "actor_kind": event.actor.kind,
            "actor_id": event.actor.id,
            "actor_role": event.actor.role,
            "note": event.note,
            "sent": sent_text(event.sent),
            "priority": event.event.priority.value if event.event.priority is not None else None,
            "waits_on": event.event.waits_on.value if event.event.waits_on is not None else None,
            "escalation": _escalation_text(event.escalation),
            "draft_id": event.draft_id or None,
            "approval_id": event.approval_id or None,
            "sequence": event.event.sequence or None,
        },
    )


def events_of(tx: Tx, ticket_id: str) -> list[Event]:
    """All events of a ticket in the order in which they happened."""
    return [_sla_event(row) for row in tx.all(_EVENTS_OF, {"ticket_id": ticket_id})]


def draft_events(tx: Tx, ticket_id: str) -> list[Event]:
    """When texts for the customer began to wait for our approver, and when no longer."""
    params = {"subject": f"ticket/{ticket_id}"}
    found = _draft_events(tx.all(_DRAFT_STEPS_OF_TICKET, params), tx.all(_EXPIRED_OF_TICKET, params))
    return [event for events in found.values() for event in events]


def page_of_events(tx: Tx, ticket_id: str, after: Key | None, limit: int) -> list[TicketEvent]:
    """At most ``limit`` events of a ticket after a key of `event_key`."""
    occur_us, record_us, sequence, event_id = after or (-(1 << 62), 0, 0, "")
    rows = tx.all(
        _EVENTS_AFTER,
        {
            "ticket_id": ticket_id,
            "occur_us": occur_us,
            "record_us": record_us,
            "sequence": sequence,
            "event_id": event_id,
            "limit": limit,
        },
    )
    return [_event(row) for row in rows]


def event_key(event: TicketEvent) -> Key:
    """Where an event stands in the list of its ticket."""
    it = event.event
    return (to_micros(it.occurred_at), to_micros(it.recorded_at), it.sequence, it.event_id)


def page_of_tickets(tx: Tx, wanted: TicketFilter, after: Key | None, limit: int) -> list[Ticket]:
    """At most ``limit`` tickets, newest first, after a key of `ticket_key`."""
    params: dict[str, object] = {"limit": limit}
    if wanted.customer_id is not None:
        params["customer_id"] = wanted.customer_id
    if wanted.priority is not None:
        params["priority"] = wanted.priority.value
    if wanted.state is not None:
        params["state"] = wanted.state.value
    if wanted.created_from is not None:
        params["created_from"] = to_micros(wanted.created_from)
    if wanted.created_before is not None:
        params["created_before"] = to_micros(wanted.created_before)
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_ticket(row) for row in tx.all(_list_statement(frozenset(params)), params)]


def ticket_key(ticket: Ticket) -> Key:
    """Where a ticket stands in a list of tickets."""
    return (to_micros(ticket.created_at), ticket.ticket_id)


@cache
def _list_statement(names: frozenset[str]) -> sa.Select[Any]:
    """The list for one set of filters, made once each: there are 2^6 of them."""
    conditions = {
        "customer_id": tickets.c.customer_id == sa.bindparam("customer_id"),
        "priority": tickets.c.priority == sa.bindparam("priority"),
        "state": tickets.c.state == sa.bindparam("state"),
        "created_from": tickets.c.create_us >= sa.bindparam("created_from", type_=sa.BigInteger),
        "created_before": tickets.c.create_us < sa.bindparam("created_before", type_=sa.BigInteger),
        "after_us": sa.tuple_(tickets.c.create_us, tickets.c.ticket_id)
        < sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        sa.select(tickets)
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(tickets.c.create_us.desc(), tickets.c.ticket_id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def tickets_of_period(
    tx: Tx, start: datetime, end: datetime, customer_id: str | None
) -> list[tuple[str, str, list[Event]]]:
    """Ticket id, customer and events (those of drafts included) of every ticket opened in ``[start, end)``, oldest first."""
    params: dict[str, object] = {"start": to_micros(start), "end": to_micros(end)}
    if customer_id is not None:
        params["customer_id"] = customer_id
    of_customer = customer_id is not None
    found: dict[str, tuple[str, str, list[Event]]] = {}
    for row in tx.all(_PERIOD_OF_CUSTOMER if of_customer else _PERIOD, params):
        entry = found.get(row.ticket_id)
        if entry is None:
            entry = found[row.ticket_id] = (row.ticket_id, row.customer_id, [])
        entry[2].append(_sla_event(row))
    steps = tx.all(_DRAFT_STEPS_OF_PERIOD[of_customer], params)
    for ticket_id, events in _draft_events(steps, tx.all(_EXPIRED_OF_PERIOD[of_customer], params)).items():
        found[ticket_id][2].extend(events)
    return list(found.values())


def _draft_events(steps: Iterable[Row], expired: Iterable[Row]) -> dict[str, list[Event]]:
    """By ticket. An expiry is known when it comes, so that no answer about the past changes."""
    found: dict[str, list[Event]] = {}

    def add(row: Row, micros: int, kind: EventType) -> None:
        at = from_micros(micros)
        found.setdefault(row.subject.removeprefix("ticket/"), []).append(Event(kind, at, at, draft_id=row.draft_id))

    for row in steps:
        add(row, row.time_us, EventType.DRAFT_PENDING if row.action in _DRAFT_WAITS else EventType.DRAFT_DECIDED)
    for row in expired:
        add(row, row.expire_us, EventType.DRAFT_PENDING)
    return found


# --- messages and links -----------------------------------------------------------------------------------------------


def insert_message(tx: Tx, message: Message) -> None:
    """Adds a message to a ticket's conversation."""
    tx.run(
        _INSERT_MESSAGE,
        {
            "message_id": message.message_id,
            "ticket_id": message.ticket_id,
            "author": message.author.value,
            "channel": message.channel.value,
            "body": message.body,
            "body_ar": message.ours.ar if message.ours is not None else "",
            "body_en": message.ours.en if message.ours is not None else "",
            "occur_us": to_micros(message.occurred_at),
            "record_us": to_micros(message.recorded_at),
            "actor_kind": message.actor.kind,
            "actor_id": message.actor.id,
            "actor_role": message.actor.role,
            "effect": message.effect.value,
            "thanks_only": int(message.thanks_only),
            "draft_id": message.draft_id,
            "sent": sent_text(message.sent),
        },
    )


def page_of_messages(tx: Tx, ticket_id: str, after: Key | None, limit: int) -> list[Message]:
    """At most ``limit`` messages of a ticket, as they were written, after a key of `message_key`."""
    occur_us, message_id = after or (-OPEN, "")
    params = {"ticket_id": ticket_id, "occur_us": occur_us, "message_id": message_id, "limit": limit}
    return [_message(row) for row in tx.all(_MESSAGES_AFTER, params)]


def message_key(message: Message) -> Key:
    """Where a message stands in its conversation."""
    return (to_micros(message.occurred_at), message.message_id)


def insert_link(tx: Tx, link: Link) -> None:
    """Stores a link that does not exist."""
    tx.run(
        _INSERT_LINK,
        {
            "ticket_id": link.ticket_id,
            "other_ticket_id": link.other_ticket_id,
            "kind": link.kind.value,
            "actor_kind": link.actor.kind,
            "actor_id": link.actor.id,
            "actor_role": link.actor.role,
            "create_us": to_micros(link.created_at),
        },
    )


def get_link(tx: Tx, ticket_id: str, other_ticket_id: str, kind: LinkKind) -> Link | None:
    """The link from the first to the other ticket, or None."""
    row = tx.one(_GET_LINK, {"ticket_id": ticket_id, "other_ticket_id": other_ticket_id, "kind": kind.value})
    return _link(row) if row is not None else None


def page_of_links(tx: Tx, ticket_id: str, after: Key | None, limit: int) -> list[Link]:
    """At most ``limit`` links of a ticket in both directions, oldest first, after a key of `link_key`."""
    create_us, one, other, kind = after or (-OPEN, "", "", "")
    params = {"create_us": create_us, "ticket_id": one, "other_ticket_id": other, "kind": kind}
    return [_link(row) for row in tx.all(_LINKS_AFTER, {"which": ticket_id, **params, "limit": limit})]


def link_key(link: Link) -> Key:
    """Where a link stands in the list of its tickets."""
    return (to_micros(link.created_at), link.ticket_id, link.other_ticket_id, link.kind.value)


# --- what presses -----------------------------------------------------------------------------------------------------
# Spans are derived from the events and no state of their own, so a write of them alone needs no entry of the ledger.


@dataclass(frozen=True, slots=True)
class ClockSpan:
    """When a running clock presses, as it was known from ``since`` on."""

    ticket_id: str
    kind: ClockKind
    instance: str
    since: datetime
    at_risk_at: datetime
    due_at: datetime
    late_after: datetime
    priority: Priority
    customer_id: str
    owner: str

    def same_course(self, other: ClockSpan) -> bool:
        """Whether both say the same of the clock, from whenever they are."""
        return (self.at_risk_at, self.due_at, self.late_after, self.priority) == (
            other.at_risk_at,
            other.due_at,
            other.late_after,
            other.priority,
        )


def open_spans(tx: Tx, ticket_id: str) -> list[ClockSpan]:
    """What is known now of the running clocks of a ticket."""
    return [_span(row) for row in tx.all(_OPEN_SPANS, {"ticket_id": ticket_id})]


def insert_span(tx: Tx, span: ClockSpan) -> None:
    """Stores what is known from now on."""
    tx.run(_INSERT_SPAN, _span_row(span), counts=False)


def insert_two_spans(tx: Tx, first: ClockSpan, second: ClockSpan) -> None:
    """Stores what is known of the two clocks of a new ticket."""
    rows = (_span_row(first), _span_row(second))
    params = {f"{name}_{n}": rows[n][name] for n in (0, 1) for name in _SPAN_COLUMNS}
    tx.run(_INSERT_TWO_SPANS, params, counts=False)


def end_span(tx: Tx, span: ClockSpan, at: datetime) -> None:
    """What was known of a clock is no more. One that never pressed leaves nothing behind."""
    key = {
        "which": span.ticket_id,
        "of_clock": span.kind.value,
        "of_instance": span.instance,
        "of_since": to_micros(span.since),
    }
    if max(span.since, span.at_risk_at) < at:
        tx.run(_END_SPAN, {**key, "ended": to_micros(at)}, counts=False)
    else:
        tx.run(_DROP_SPAN, key, counts=False)


@dataclass(frozen=True, slots=True)
class Pressing:
    """Which clocks to list: at risk or late at ``as_of``, or due by ``due_by`` and running still. Empty filters match all."""

    as_of: datetime
    due_by: datetime
    customer_id: str = ""
    owner: str = ""


def pressing(tx: Tx, wanted: Pressing, after: Key | None, limit: int) -> list[ClockSpan]:
    """At most ``limit`` clocks that press, soonest due first, after a key of `span_key`.

    Three ranges of an index, each only as far as the page goes: what still runs and is due, what still runs and is at risk
    (left out where the first fills the page, since it is due later), and what ran at ``as_of`` and has ended since: nothing,
    in the present. Where few press, those at risk are read by when they came to; where many do, in the order of due, in
    which they stand first. Either way a page costs alike, however many clocks run.
    """
    params: dict[str, object] = {"as_of": to_micros(wanted.as_of), "limit": limit}
    if wanted.customer_id:
        params["customer_id"] = wanted.customer_id
    if wanted.owner:
        params["owner"] = wanted.owner
    if after is not None:
        params["after_due"], params["after_ticket"], params["after_clock"], params["after_instance"] = after
    with_due = {**params, "due_by": to_micros(wanted.due_by)}
    found = tx.all(_pressing_statement("due", frozenset(with_due)), with_due)
    if len(found) < limit:
        crowd = tx.one(_CROWD, {"as_of": params["as_of"], "limit": _MANY})
        part = "at_risk" if crowd is not None and crowd.clocks < _MANY else "at_risk_by_due"
        found += tx.all(_pressing_statement(part, frozenset(with_due)), with_due)
    found += tx.all(_pressing_statement("ended", frozenset(params)), params)
    return sorted(map(_span, found), key=span_key)[:limit]


def span_key(span: ClockSpan) -> Key:
    """Where a clock stands among those that press."""
    return (to_micros(span.due_at), span.ticket_id, span.kind.value, span.instance)


# So many are read and sorted in the time that anything else takes.
_MANY = 500
_CROWD = sa.select(sa.func.count().label("clocks")).select_from(
    sa.select(clock_spans.c.press_us)
    .where(clock_spans.c.until_us == OPEN)
    .where(clock_spans.c.press_us <= sa.bindparam("as_of", type_=sa.BigInteger))
    .limit(sa.bindparam("limit", type_=sa.Integer))
    .subquery()
)


@cache
def _pressing_statement(part: str, names: frozenset[str]) -> sa.Select[Any]:
    as_of, due_by = (sa.bindparam(name, type_=sa.BigInteger) for name in ("as_of", "due_by"))
    # An expression keeps the index in the order of due out of it.
    due_us = clock_spans.c.due_us + 0 if part == "at_risk" else clock_spans.c.due_us
    key = (due_us, clock_spans.c.ticket_id, clock_spans.c.clock, clock_spans.c.instance)
    conditions = {
        "due": (
            clock_spans.c.until_us == OPEN,
            clock_spans.c.due_us <= due_by,
            clock_spans.c.since_us <= as_of,
        ),
        "at_risk": (
            clock_spans.c.until_us == OPEN,
            clock_spans.c.press_us <= as_of,
            due_us > due_by,
        ),
        "at_risk_by_due": (
            clock_spans.c.until_us == OPEN,
            clock_spans.c.press_us <= as_of,
            clock_spans.c.due_us > due_by,
        ),
        "ended": (
            clock_spans.c.until_us > as_of,
            clock_spans.c.until_us < OPEN,
            clock_spans.c.press_us <= as_of,
        ),
    }
    statement = sa.select(clock_spans).where(*conditions[part])
    if "customer_id" in names:
        statement = statement.where(clock_spans.c.customer_id == sa.bindparam("customer_id"))
    if "owner" in names:
        statement = statement.where(clock_spans.c.owner == sa.bindparam("owner"))
    if "after_due" in names:
        after = sa.tuple_(
            sa.bindparam("after_due", type_=sa.BigInteger),
            *(sa.bindparam(name, type_=sa.Text) for name in ("after_ticket", "after_clock", "after_instance")),
        )
        statement = statement.where(sa.tuple_(*key) > after)
    return statement.order_by(*key).limit(sa.bindparam("limit", type_=sa.Integer))


# --- escalations ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fired:
    """A step of the ladder that was fired."""

    ticket_id: str
    kind: ClockKind
    instance: str
    priority: Priority
    percent: int
    event_id: str
    draft_id: str
    crossed_at: datetime
    recorded_at: datetime


def escalations_of(tx: Tx, ticket_id: str) -> list[Fired]:
    """The steps that were fired for a ticket."""
    return [
        Fired(
            ticket_id=row.ticket_id,
            kind=ClockKind(row.clock),
            instance=row.instance,
            priority=Priority(row.priority),
            percent=row.percent,
            event_id=row.event_id,
            draft_id=row.draft_id,
            crossed_at=from_micros(row.cross_us),
            recorded_at=from_micros(row.record_us),
        )
        for row in tx.all(_ESCALATIONS_OF, {"ticket_id": ticket_id})
    ]


def insert_escalation(tx: Tx, fired: Fired) -> None:
    """Notes that a step was fired. One that was fired before breaks the key, and the transaction with it."""
    tx.run(
        _INSERT_ESCALATION,
        {
            "ticket_id": fired.ticket_id,
            "clock": fired.kind.value,
            "instance": fired.instance,
            "priority": fired.priority.value,
            "percent": fired.percent,
            "event_id": fired.event_id,
            "draft_id": fired.draft_id,
            "cross_us": to_micros(fired.crossed_at),
            "record_us": to_micros(fired.recorded_at),
        },
    )


def count_signals(tx: Tx, signals: Iterable[Signal], since: datetime, limit: int) -> tuple[int, int, list[str]]:
    """How many unresolved tickets opened since carry any of the signals, of how many customers, and the newest."""
    params = {"since": to_micros(since), "mask": _mask(signals)}
    counts = tx.one(_COUNT_SIGNALS, params)
    newest = tx.all(_NEWEST_SIGNALS, {**params, "limit": limit})
    if counts is None:
        return 0, 0, []
    return counts.tickets, counts.customers, [row.ticket_id for row in newest]


def _mask(signals: Iterable[Signal]) -> int:
    mask = 0
    for signal in signals:
        mask |= _BITS[signal]
    return mask


def _classification_text(found: Classification) -> str:
    return _JSON.encode(
        {
            "priority": found.priority,
            "matched_keyword": found.matched_keyword,
            "hits": [_hit_list(hit) for hit in found.hits],
            "negated_hits": [_hit_list(hit) for hit in found.negated_hits],
            "signals": found.signals,
            "review_required": found.review_required,
            "reason_ar": found.reason_ar,
            "reason_en": found.reason_en,
            "lexicon_version": found.lexicon_version,
        }
    )


def _hit_list(hit: Hit) -> list[object]:
    return [hit.keyword, hit.priority, hit.start, hit.end, hit.text, hit.language, hit.signals]


def _classification(text: str) -> Classification:
    data = json.loads(text)
    return Classification(
        priority=Priority(data["priority"]),
        matched_keyword=data["matched_keyword"],
        hits=tuple(map(_hit, data["hits"])),
        negated_hits=tuple(map(_hit, data["negated_hits"])),
        signals=tuple(map(Signal, data["signals"])),
        review_required=data["review_required"],
        reason_ar=data["reason_ar"],
        reason_en=data["reason_en"],
        lexicon_version=data["lexicon_version"],
    )


def _hit(data: Sequence[Any]) -> Hit:
    keyword, priority, start, end, text, language, signals = data
    return Hit(keyword, Priority(priority), start, end, text, language, tuple(map(Signal, signals)))


def _ticket(row: Row) -> Ticket:
    return Ticket(
        ticket_id=row.ticket_id,
        customer_id=row.customer_id,
        subject=row.subject,
        body=row.body,
        channel=Channel(row.channel),
        priority=Priority(row.priority),
        classification=_classification(row.classification),
        state=TicketState(row.state),
        follows_ticket_id=row.follows_ticket_id,
        created_at=from_micros(row.create_us),
        updated_at=from_micros(row.update_us),
        revision=row.revision,
        waits_on=WaitsOn(row.waits_on) if row.waits_on is not None else None,
        waiting_reason=row.waiting_reason or "",
        resolved_at=time_or_none(row.resolve_us),
        reopens_until=time_or_none(row.reopen_us),
        confirmation=_confirmation(row.confirmation),
        thanked=bool(row.thanked),
        draft_id=row.draft_id or "",
    )


def _sla_event(row: Row) -> Event:
    return Event(
        EventType(row.type),
        from_micros(row.occur_us),
        from_micros(row.record_us),
        row.event_id,
        Priority(row.priority) if row.priority is not None else None,
        WaitsOn(row.waits_on) if row.waits_on is not None else None,
        row.draft_id or "",
        row.sequence or 0,
    )


def _event(row: Row) -> TicketEvent:
    return TicketEvent(
        ticket_id=row.ticket_id,
        event=_sla_event(row),
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        note=row.note,
        sent=sent_of(row.sent),
        escalation=_escalation(row.escalation),
        draft_id=row.draft_id or "",
        approval_id=row.approval_id or "",
    )


def _message(row: Row) -> Message:
    author = MessageAuthor(row.author)
    return Message(
        message_id=row.message_id,
        ticket_id=row.ticket_id,
        author=author,
        channel=Channel(row.channel),
        occurred_at=from_micros(row.occur_us),
        recorded_at=from_micros(row.record_us),
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        effect=MessageEffect(row.effect),
        body=row.body,
        ours=Bilingual(row.body_ar, row.body_en) if author is MessageAuthor.DEALIX else None,
        thanks_only=bool(row.thanks_only),
        draft_id=row.draft_id,
        sent=sent_of(row.sent),
    )


def _link(row: Row) -> Link:
    return Link(
        ticket_id=row.ticket_id,
        other_ticket_id=row.other_ticket_id,
        kind=LinkKind(row.kind),
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        created_at=from_micros(row.create_us),
    )


def _span(row: Row) -> ClockSpan:
    return ClockSpan(
        ticket_id=row.ticket_id,
        kind=ClockKind(row.clock),
        instance=row.instance,
        since=from_micros(row.since_us),
        at_risk_at=from_micros(row.at_risk_us),
        due_at=from_micros(row.due_us),
        late_after=from_micros(row.late_us),
        priority=Priority(row.priority),
        customer_id=row.customer_id,
        owner=row.owner,
    )


def _span_row(span: ClockSpan) -> dict[str, object]:
    since_us, at_risk_us = to_micros(span.since), to_micros(span.at_risk_at)
    return {
        "ticket_id": span.ticket_id,
        "clock": span.kind.value,
        "instance": span.instance,
        "since_us": since_us,
        "until_us": OPEN,
        "press_us": max(since_us, at_risk_us),
        "at_risk_us": at_risk_us,
        "due_us": to_micros(span.due_at),
        "late_us": to_micros(span.late_after),
        "priority": span.priority.value,
        "customer_id": span.customer_id,
        "owner": span.owner,
    }


def _escalation_text(found: Escalation | None) -> str | None:
    if found is None:
        return None
    return json.dumps([found.kind, found.instance, found.priority, found.percent, found.role])


def _escalation(text: str | None) -> Escalation | None:
    if text is None:
        return None
    kind, instance, priority, percent, role = json.loads(text)
    return Escalation(ClockKind(kind), instance, Priority(priority), percent, EscalationOwner(role))


def _confirmation_text(found: Confirmation | None) -> str | None:
    if found is None:
        return None
    fields = [found.confirmed_by, found.channel, to_micros(found.confirmed_at), found.reference]
    return json.dumps(fields, ensure_ascii=False)


def _confirmation(text: str | None) -> Confirmation | None:
    if text is None:
        return None
    confirmed_by, channel, confirm_us, reference = json.loads(text)
    return Confirmation(confirmed_by, Channel(channel), from_micros(confirm_us), reference)
