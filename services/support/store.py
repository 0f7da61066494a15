"""The tables and statements of support: the only file that knows its SQL.

Times are microseconds since the epoch, UTC. Signals of a ticket are a bit mask, so that one index range over the opening
time finds the tickets with any of some signals.
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

from services.approvals.store import sent_of, sent_text
from services.domain.channels import Channel
from services.storage.database import Actor, Row, ServiceSchema, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText
from services.storage.times import from_micros, to_micros
from services.support.domain.classifier import Classification, Hit, Signal
from services.support.domain.priorities import Priority
from services.support.domain.sla import SlaEvent, SlaEventType
from services.support.domain.tickets import Ticket, TicketEvent, TicketState

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
    # What a first response's record says of the sending, as JSON; empty for other events.
    sa.Column("sent", sa.Text, nullable=False),
    sa.Index("sla_events_by_ticket", "ticket_id", "occur_us", "record_us", "event_id"),
)

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
        update_us=sa.bindparam("update_us", type_=sa.BigInteger),
        revision=sa.bindparam("revision", type_=sa.BigInteger),
    )
)
_INSERT_EVENT = sa.insert(sla_events)
_EVENTS_OF = (
    sa.select(sla_events)
    .where(sla_events.c.ticket_id == sa.bindparam("ticket_id"))
    .order_by(sla_events.c.occur_us, sla_events.c.record_us, sla_events.c.event_id)
)
_EVENTS_AFTER = _EVENTS_OF.where(
    sa.tuple_(sla_events.c.occur_us, sla_events.c.record_us, sla_events.c.event_id)
    > sa.tuple_(
        sa.bindparam("occur_us", type_=sa.BigInteger),
        sa.bindparam("record_us", type_=sa.BigInteger),
        sa.bindparam("event_id", type_=sa.Text),
    )
).limit(sa.bindparam("limit", type_=sa.Integer))
_PERIOD = (
    sa.select(
        tickets.c.ticket_id,
        tickets.c.customer_id,
        tickets.c.priority,
        sla_events.c.type,
        sla_events.c.occur_us,
        sla_events.c.record_us,
        sla_events.c.event_id,
    )
    .join_from(tickets, sla_events, sla_events.c.ticket_id == tickets.c.ticket_id)
    .where(tickets.c.create_us >= sa.bindparam("start", type_=sa.BigInteger))
    .where(tickets.c.create_us < sa.bindparam("end", type_=sa.BigInteger))
    .order_by(tickets.c.create_us, tickets.c.ticket_id)
)
_PERIOD_OF_CUSTOMER = _PERIOD.where(tickets.c.customer_id == sa.bindparam("customer_id"))

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
        },
    )


def get_ticket(tx: Tx, ticket_id: str) -> Ticket | None:
    """The ticket, or None."""
    row = tx.one(_GET_TICKET, {"ticket_id": ticket_id})
    return _ticket(row) if row is not None else None


def save_state(tx: Tx, ticket: Ticket) -> None:
    """Writes the state, update time and revision of a ticket that exists."""
    tx.run(
        _MOVE_TICKET,
        {
            "which": ticket.ticket_id,
            "state": ticket.state.value,
            "update_us": to_micros(ticket.updated_at),
            "revision": ticket.revision,
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
        },
    )


def events_of(tx: Tx, ticket_id: str) -> list[TicketEvent]:
    """All events of a ticket in the order in which they happened."""
    return [_event(row) for row in tx.all(_EVENTS_OF, {"ticket_id": ticket_id})]


def page_of_events(tx: Tx, ticket_id: str, after: Key | None, limit: int) -> list[TicketEvent]:
    """At most ``limit`` events of a ticket after a key of `event_key`."""
    occur_us, record_us, event_id = after or (-(1 << 62), 0, "")
    rows = tx.all(
        _EVENTS_AFTER,
        {"ticket_id": ticket_id, "occur_us": occur_us, "record_us": record_us, "event_id": event_id, "limit": limit},
    )
    return [_event(row) for row in rows]


def event_key(event: TicketEvent) -> Key:
    """Where an event stands in the list of its ticket."""
    return (to_micros(event.event.occurred_at), to_micros(event.event.recorded_at), event.event.event_id)


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
) -> list[tuple[str, str, Priority, list[SlaEvent]]]:
    """Ticket id, customer, priority and events of every ticket opened in ``[start, end)``, oldest ticket first."""
    params: dict[str, object] = {"start": to_micros(start), "end": to_micros(end)}
    statement = _PERIOD
    if customer_id is not None:
        statement, params["customer_id"] = _PERIOD_OF_CUSTOMER, customer_id
    found: dict[str, tuple[str, str, Priority, list[SlaEvent]]] = {}
    for row in tx.all(statement, params):
        entry = found.get(row.ticket_id)
        if entry is None:
            entry = found[row.ticket_id] = (row.ticket_id, row.customer_id, Priority(row.priority), [])
        entry[3].append(_sla_event(row))
    return list(found.values())


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
    )


def _sla_event(row: Row) -> SlaEvent:
    return SlaEvent(SlaEventType(row.type), from_micros(row.occur_us), from_micros(row.record_us), row.event_id)


def _event(row: Row) -> TicketEvent:
    return TicketEvent(
        ticket_id=row.ticket_id,
        event=_sla_event(row),
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        note=row.note,
        sent=sent_of(row.sent),
    )
