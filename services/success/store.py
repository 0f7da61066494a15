"""The tables and statements of customer success: the only file that knows its SQL.

Times are microseconds since the epoch, UTC; a week is the date of its Sunday in Riyadh, ``YYYY-MM-DD``. The text of a
draft is JSON: it is read and written as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.domain.drafts import DraftState
from services.storage.database import Row, ServiceSchema, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText
from services.storage.times import from_micros, to_micros
from services.success.domain.check_in import AgendaItem, CheckIn, CheckInFacts, TalkingPoint, Topic
from services.success.domain.check_ins import StoredCheckIn

METADATA = sa.MetaData()

check_ins = sa.Table(
    "check_ins",
    METADATA,
    sa.Column("check_in_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("week_start", KeyText, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("draft", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Index("check_ins_by_week", "customer_id", "week_start", unique=True),
    sa.Index("check_ins_by_time", "create_us", "check_in_id"),
    sa.Index("check_ins_by_customer", "customer_id", "create_us", "check_in_id"),
)

SCHEMA = ServiceSchema("success", METADATA, Path(__file__).with_name("migrations"))

_INSERT = sa.insert(check_ins)
_GET = sa.select(check_ins).where(check_ins.c.check_in_id == sa.bindparam("check_in_id"))
_OF_WEEK = (
    sa.select(check_ins)
    .where(check_ins.c.customer_id == sa.bindparam("customer_id"))
    .where(check_ins.c.week_start == sa.bindparam("week_start"))
)


def insert_check_in(tx: Tx, check_in: StoredCheckIn) -> None:
    """Stores a new check-in. ``ConstraintBroken`` for a second one of the customer's week: look before."""
    tx.run(
        _INSERT,
        {
            "check_in_id": check_in.check_in_id,
            "customer_id": check_in.customer_id,
            "week_start": check_in.week_start.isoformat(),
            "facts": _json(asdict(check_in.facts)),
            "draft": _json(asdict(check_in.draft)),
            "state": check_in.state.value,
            "create_us": to_micros(check_in.created_at),
            "revision": check_in.revision,
        },
    )


def get_check_in(tx: Tx, check_in_id: str) -> StoredCheckIn | None:
    """The check-in, or None."""
    row = tx.one(_GET, {"check_in_id": check_in_id})
    return _check_in(row) if row is not None else None


def check_in_of_week(tx: Tx, customer_id: str, week_start: date) -> StoredCheckIn | None:
    """The customer's check-in of a week, or None."""
    row = tx.one(_OF_WEEK, {"customer_id": customer_id, "week_start": week_start.isoformat()})
    return _check_in(row) if row is not None else None


def page_of_check_ins(tx: Tx, customer_id: str | None, after: Key | None, limit: int) -> list[StoredCheckIn]:
    """At most ``limit`` check-ins, of all customers for None, newest first, after a key of `check_in_key`."""
    params: dict[str, object] = {"limit": limit}
    if customer_id is not None:
        params["customer_id"] = customer_id
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_check_in(row) for row in tx.all(_list_statement(frozenset(params)), params)]


def check_in_key(check_in: StoredCheckIn) -> Key:
    """Where a check-in stands in a list of check-ins."""
    return (to_micros(check_in.created_at), check_in.check_in_id)


@cache
def _list_statement(names: frozenset[str]) -> sa.Select[Any]:
    """The list for one set of filters, made once each: there are four of them."""
    conditions = {
        "customer_id": check_ins.c.customer_id == sa.bindparam("customer_id"),
        "after_us": sa.tuple_(check_ins.c.create_us, check_ins.c.check_in_id)
        < sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        sa.select(check_ins)
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(check_ins.c.create_us.desc(), check_ins.c.check_in_id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _check_in(row: Row) -> StoredCheckIn:
    return StoredCheckIn(
        check_in_id=row.check_in_id,
        customer_id=row.customer_id,
        week_start=date.fromisoformat(row.week_start),
        facts=CheckInFacts(**json.loads(row.facts)),
        draft=_draft(json.loads(row.draft)),
        state=DraftState(row.state),
        created_at=from_micros(row.create_us),
        revision=row.revision,
    )


def _draft(data: Mapping[str, Any]) -> CheckIn:
    return CheckIn(
        agenda=tuple(AgendaItem(**item) for item in data["agenda"]),
        talking_points=tuple(
            TalkingPoint(**{**point, "topic": Topic(point["topic"])}) for point in data["talking_points"]
        ),
        texts_version=data["texts_version"],
    )
