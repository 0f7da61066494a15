"""The table of freezes and its statements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.domain.channels import Channel
from services.incidents.domain.freezes import Freeze, Release, Scope
from services.incidents.store import METADATA
from services.storage.database import Actor, Row, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText
from services.storage.times import from_micros, to_micros

freezes = sa.Table(
    "freezes",
    METADATA,
    sa.Column("freeze_id", KeyText, primary_key=True),
    # Empty: every channel, every customer.
    sa.Column("channel", KeyText, nullable=False),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("incident_id", KeyText, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("freeze_us", sa.BigInteger, nullable=False),
    sa.Column("is_active", sa.BigInteger, nullable=False),
    sa.Column("release_actor_kind", sa.Text),
    sa.Column("release_actor_id", sa.Text),
    sa.Column("release_actor_role", sa.Text),
    sa.Column("release_us", sa.BigInteger),
    sa.Column("release_reason", sa.Text),
    sa.Index("freezes_by_time", "freeze_us", "freeze_id"),
    sa.Index("freezes_by_active", "is_active", "freeze_us", "freeze_id"),
    sa.Index("freezes_by_active_customer", "is_active", "customer_id", "freeze_us", "freeze_id"),
    sa.Index("freezes_by_customer", "customer_id", "freeze_us", "freeze_id"),
    sa.Index("freezes_by_channel", "channel", "freeze_us", "freeze_id"),
    sa.Index("freezes_by_incident", "incident_id", "freeze_us", "freeze_id"),
)

_INSERT = sa.insert(freezes)
_GET = sa.select(freezes).where(freezes.c.freeze_id == sa.bindparam("freeze_id"))
_RELEASE = (
    sa.update(freezes)
    .where(freezes.c.freeze_id == sa.bindparam("which"))
    .values(
        {
            name: sa.bindparam(name, type_=freezes.c[name].type)
            for name in (
                "is_active",
                "release_actor_kind",
                "release_actor_id",
                "release_actor_role",
                "release_us",
                "release_reason",
            )
        }
    )
)
_NEWEST_FIRST = (freezes.c.freeze_us.desc(), freezes.c.freeze_id.desc())
_ACTIVE = sa.select(freezes).where(freezes.c.is_active == 1)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_OLDEST_FIRST = (freezes.c.freeze_us, freezes.c.freeze_id)
_ACTIVE_OF_CAUSE = _ACTIVE.where(
    freezes.c.customer_id == sa.bindparam("customer_id", type_=sa.Text),
    freezes.c.channel == sa.bindparam("channel", type_=sa.Text),
    freezes.c.incident_id == sa.bindparam("incident_id", type_=sa.Text),
    sa.or_(freezes.c.incident_id != "", freezes.c.reason == sa.bindparam("reason", type_=sa.Text)),
)


def _one_of_each_scope(*of_whom: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The oldest active freeze of each channel and customer; the first of each channel before the second of any."""
    of_scope = sa.func.row_number().over(
        partition_by=(freezes.c.channel, freezes.c.customer_id), order_by=_OLDEST_FIRST
    )
    # The freeze of a channel for all customers is its first: the empty customer_id is the smallest.
    of_channel = sa.func.row_number().over(
        partition_by=freezes.c.channel, order_by=(freezes.c.customer_id, *_OLDEST_FIRST)
    )
    ranked = (
        sa.select(freezes, of_scope.label("of_scope"), of_channel.label("of_channel"))
        .where(freezes.c.is_active == 1, *of_whom)
        .subquery()
    )
    return (
        sa.select(ranked)
        .where(ranked.c.of_scope == 1)
        .order_by(ranked.c.of_channel, ranked.c.freeze_us, ranked.c.freeze_id)
        .limit(_LIMIT)
    )


_DECISIVE_OF_CUSTOMER = _one_of_each_scope(
    freezes.c.customer_id.in_([sa.literal(""), sa.bindparam("customer_id", type_=sa.Text)])
)
_DECISIVE_OF_ALL = _one_of_each_scope()


@dataclass(frozen=True, slots=True)
class FreezeFilter:
    """Which freezes to list; None matches all.

    ``holding`` asks for active freezes that hold ``channel`` and ``customer_id``, those of all channels and all customers
    included; without it the names have to be those in the freeze.
    """

    holding: bool
    channel: Channel | None = None
    customer_id: str | None = None
    incident_id: str | None = None


def insert_freeze(tx: Tx, freeze: Freeze) -> None:
    """Stores a new freeze."""
    tx.run(
        _INSERT,
        {
            "freeze_id": freeze.freeze_id,
            "channel": _channel(freeze.scope),
            "customer_id": freeze.scope.customer_id,
            "incident_id": freeze.incident_id,
            "reason": freeze.reason,
            "actor_kind": freeze.actor.kind,
            "actor_id": freeze.actor.id,
            "actor_role": freeze.actor.role,
            "freeze_us": to_micros(freeze.frozen_at),
            "is_active": 1,
        },
    )


def save_release(tx: Tx, freeze: Freeze) -> None:
    """Keeps the release of a freeze."""
    release = freeze.release
    assert release is not None
    tx.run(
        _RELEASE,
        {
            "which": freeze.freeze_id,
            "is_active": 0,
            "release_actor_kind": release.actor.kind,
            "release_actor_id": release.actor.id,
            "release_actor_role": release.actor.role,
            "release_us": to_micros(release.released_at),
            "release_reason": release.reason,
        },
    )


def get_freeze(tx: Tx, freeze_id: str) -> Freeze | None:
    """The freeze, or None."""
    row = tx.one(_GET, {"freeze_id": freeze_id})
    return _freeze(row) if row is not None else None


def active_of_cause(tx: Tx, scope: Scope, incident_id: str, reason: str) -> list[Freeze]:
    """The active freezes of exactly this scope for an incident, or for this reason where ``incident_id`` is empty."""
    cause = {"incident_id": incident_id, "reason": reason}
    params = {"channel": _channel(scope), "customer_id": scope.customer_id, **cause}
    return [_freeze(row) for row in tx.all(_ACTIVE_OF_CAUSE, params)]


def decisive(tx: Tx, customer_id: str, limit: int) -> list[Freeze]:
    """At most ``limit`` of the active freezes that hold a customer: the oldest of each channel and customer.

    Of an empty ``customer_id``: those of every customer, with at least one of each channel that is frozen for anybody, and
    all that hold everybody, before the limit cuts any.
    """
    if not customer_id:
        return [_freeze(row) for row in tx.all(_DECISIVE_OF_ALL, {"limit": limit})]
    return [_freeze(row) for row in tx.all(_DECISIVE_OF_CUSTOMER, {"customer_id": customer_id, "limit": limit})]


def page_of_freezes(tx: Tx, wanted: FreezeFilter, after: Key | None, limit: int) -> list[Freeze]:
    """At most ``limit`` freezes, newest first, after a key of `freeze_key`."""
    params: dict[str, object] = {"limit": limit}
    if wanted.channel is not None:
        params["channel"] = wanted.channel.value
    if wanted.customer_id is not None:
        params["customer_id"] = wanted.customer_id
    if wanted.incident_id is not None:
        params["incident_id"] = wanted.incident_id
    if after is not None:
        params["after_us"], params["after_id"] = after
    statement = _list_statement(wanted.holding, frozenset(params))
    return [_freeze(row) for row in tx.all(statement, params)]


def freeze_key(freeze: Freeze) -> Key:
    """Where a freeze stands in a list of freezes."""
    return (to_micros(freeze.frozen_at), freeze.freeze_id)


@cache
def _list_statement(holding: bool, names: frozenset[str]) -> sa.Select[Any]:
    """The list for one set of filters, made once each: there are at most 2^5 of them."""
    selected = _ACTIVE if holding else sa.select(freezes)
    for name in ("channel", "customer_id", "incident_id"):
        if name in names:
            column, given = freezes.c[name], sa.bindparam(name, type_=sa.Text)
            selected = selected.where(column.in_([sa.literal(""), given]) if holding else column == given)
    if "after_us" in names:
        selected = selected.where(
            sa.tuple_(freezes.c.freeze_us, freezes.c.freeze_id)
            < sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text))
        )
    return selected.order_by(*_NEWEST_FIRST).limit(_LIMIT)


def _channel(scope: Scope) -> str:
    return "" if scope.channel is None else scope.channel.value


def _freeze(row: Row) -> Freeze:
    return Freeze(
        freeze_id=row.freeze_id,
        scope=Scope(Channel(row.channel) if row.channel else None, row.customer_id),
        incident_id=row.incident_id,
        reason=row.reason,
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        frozen_at=from_micros(row.freeze_us),
        release=None
        if row.is_active
        else Release(
            actor=Actor(row.release_actor_kind, row.release_actor_id, row.release_actor_role),
            released_at=from_micros(row.release_us),
            reason=row.release_reason,
        ),
    )
