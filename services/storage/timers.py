"""Timers: what a service has to look at, and when. A timer is a reminder, never the truth: whoever answers to one computes
from what is stored whether anything is due.

A timer is claimed (deleted) in the transaction that does its work, so its work is done exactly once, on any number of
replicas and through any crash: either the work is durable and the timer is gone, or neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.storage.schema import timers
from services.storage.times import from_micros, to_micros
from services.storage.transaction import Tx

_INSERT = sa.insert(timers)
_DELETE = sa.delete(timers).where(timers.c.timer_id == sa.bindparam("timer_id"))
_DUE = (
    sa.select(timers)
    .where(timers.c.due_us <= sa.bindparam("now_us", type_=sa.BigInteger))
    .order_by(timers.c.due_us, timers.c.timer_id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
    # On PostgreSQL: what another replica is working on is passed over. SQLite has one writer and leaves this out.
    .with_for_update(skip_locked=True)
)
_NEXT = sa.select(sa.func.min(timers.c.due_us).label("due_us"))


@dataclass(frozen=True, slots=True)
class Timer:
    """One timer. ``timer_id`` says what it is about (``ticket/tkt_…``), ``kind`` who answers to it."""

    timer_id: str
    kind: str
    due_at: datetime


def set_timer(tx: Tx, timer_id: str, kind: str, due_at: datetime) -> None:
    """Sets a timer; an earlier one with the same id is replaced."""
    tx.run(_DELETE, {"timer_id": timer_id}, counts=False)
    start_timer(tx, timer_id, kind, due_at)


def start_timer(tx: Tx, timer_id: str, kind: str, due_at: datetime) -> None:
    """Sets a timer that does not exist yet: one statement less than `set_timer`."""
    tx.run(_INSERT, {"timer_id": timer_id, "kind": kind, "due_us": to_micros(due_at)}, counts=False)


def cancel_timer(tx: Tx, timer_id: str) -> None:
    """Takes a timer away, if it is there."""
    tx.run(_DELETE, {"timer_id": timer_id}, counts=False)


def next_due(tx: Tx) -> datetime | None:
    """When the earliest timer falls due; None where there is none."""
    row = tx.one(_NEXT)
    return from_micros(row.due_us) if row is not None and row.due_us is not None else None


def claim_due(tx: Tx, now: datetime, limit: int) -> list[Timer]:
    """Takes at most ``limit`` due timers away, the earliest first, and gives them to the caller's transaction."""
    found = [
        Timer(row.timer_id, row.kind, from_micros(row.due_us))
        for row in tx.all(_DUE, {"now_us": to_micros(now), "limit": limit})
    ]
    for timer in found:
        tx.run(_DELETE, {"timer_id": timer.timer_id}, counts=False)
    return found
