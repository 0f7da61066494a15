"""The tables and statements of customer success: the only file that knows its SQL.

Times are microseconds since the epoch, UTC. Days are numbers (`services.success.domain.days`); the week of a check-in is the
date of its Sunday in Riyadh, ``YYYY-MM-DD``. What a check-in was made from is JSON: it is read and written as a whole.

Two lists are asked for any day, past or to come, over all customers: who is at risk, and which touchpoints wait. Both are kept
as stretches of days made up of nodes (``risk_nodes``, ``waited``), so that a page is read from the fifteen nodes above the
day, each by its index, and costs the same with any number of customers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.domain.actors import ActorLike
from services.domain.channels import Channel
from services.domain.drafts import DraftState
from services.domain.riyadh import riyadh_date, week_bounds
from services.storage.database import Actor, Row, ServiceSchema, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText, drafts
from services.storage.times import from_micros, micros_or_none, time_or_none, to_micros
from services.success.domain.activity import WEEK_DAYS, WINDOW_DAYS, Activity, ActivityKind, Known, OnDay, Tally, Total
from services.success.domain.alerts import StoredAlert
from services.success.domain.at_risk import RiskLevel
from services.success.domain.check_in import AgendaItem, CheckIn, CheckInFacts, TalkingPoint, Topic
from services.success.domain.check_ins import StoredCheckIn
from services.success.domain.days import cover, day_of, number_of, path
from services.success.domain.plans import Bundle
from services.success.domain.risk_history import Stretch
from services.success.domain.stored_plans import (
    Consent,
    ConsentMethod,
    PlanChange,
    PlanChangeKind,
    PlanState,
    StoredPlan,
)
from services.success.domain.touchpoints import Touchpoint, TouchpointKind, TouchpointState

METADATA = sa.MetaData()

check_ins = sa.Table(
    "check_ins",
    METADATA,
    sa.Column("check_in_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("week_start", KeyText, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("draft", sa.Text, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    # The draft that holds its text as it stands, in the table of all drafts.
    sa.Column("draft_id", KeyText),
    sa.Index("check_ins_by_week", "customer_id", "week_start", unique=True),
    sa.Index("check_ins_by_time", "create_us", "check_in_id"),
    sa.Index("check_ins_by_customer", "customer_id", "create_us", "check_in_id"),
)

plans = sa.Table(
    "plans",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("bundle_id", sa.Text, nullable=False),
    sa.Column("start_day", sa.BigInteger, nullable=False),
    sa.Column("renewal_day", sa.BigInteger, nullable=False),
    sa.Column("until_day", sa.BigInteger, nullable=False),
    sa.Column("since_day", sa.BigInteger, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("activate_us", sa.BigInteger, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

plan_changes = sa.Table(
    "plan_changes",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("bundle_id", sa.Text, nullable=False),
    sa.Column("start_day", sa.BigInteger, nullable=False),
    sa.Column("renewal_day", sa.BigInteger, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    # JSON; empty for none.
    sa.Column("consent", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
)

touchpoints = sa.Table(
    "touchpoints",
    METADATA,
    sa.Column("touchpoint_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("slot", KeyText, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", KeyText, nullable=False),
    sa.Column("planned_day", sa.BigInteger, nullable=False),
    sa.Column("due_day", sa.BigInteger, nullable=False),
    # The due day while it is open, null afterwards: the index of those that wait holds nothing else.
    sa.Column("open_day", sa.BigInteger),
    sa.Column("plan_day", sa.BigInteger, nullable=False),
    sa.Column("bundle_id", sa.Text, nullable=False),
    sa.Column("line_id", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("fire_us", sa.BigInteger),
    sa.Column("draft_id", sa.Text, nullable=False),
    sa.Column("check_in_id", sa.Text, nullable=False),
    sa.Column("complete_us", sa.BigInteger),
    sa.Column("completer_kind", sa.Text, nullable=False),
    sa.Column("completer_id", sa.Text, nullable=False),
    sa.Column("completer_role", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("reschedule_reason", sa.Text, nullable=False),
    sa.Index("touchpoints_by_slot", "customer_id", "generation", "slot", unique=True),
    # A customer has some dozens a year: what is asked of one customer alone needs no index of its own.
    sa.Index("touchpoints_by_customer", "customer_id", "due_day", "touchpoint_id"),
    sa.Index("touchpoints_open", "open_day", "touchpoint_id"),
)

# For how long closed or moved touchpoints had waited: the days from the due one up to that on which it was over.
waited = sa.Table(
    "waited",
    METADATA,
    sa.Column("node", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("due_day", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("touchpoint_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Index("waited_of_customer", "customer_id", "node", "due_day", "touchpoint_id"),
)

activities = sa.Table(
    "activities",
    METADATA,
    sa.Column("activity_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("kind", KeyText, nullable=False),
    sa.Column("day", sa.BigInteger, nullable=False),
    sa.Column("occur_us", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Float),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("corrects", sa.Text, nullable=False),
    # The later event that took its place; empty while it counts. Nothing else of a row ever changes.
    sa.Column("corrected_by", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Index("activities_by_time", "customer_id", "occur_us", "activity_id"),
    sa.Index("activities_by_kind", "customer_id", "kind", "occur_us", "activity_id"),
    # Holds all that totals are made of.
    sa.Index("activities_counted", "customer_id", "corrected_by", "kind", "day", "number", "occur_us"),
)

risk_stretches = sa.Table(
    "risk_stretches",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("start_day", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("end_day", sa.BigInteger, nullable=False),
    # The rank, worst first, under a name that is nobody's keyword.
    sa.Column("standing", sa.BigInteger, nullable=False),
)

risk_nodes = sa.Table(
    "risk_nodes",
    METADATA,
    sa.Column("node", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("standing", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("customer_id", KeyText, primary_key=True),
)

at_risk_alerts = sa.Table(
    "at_risk_alerts",
    METADATA,
    sa.Column("alert_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("day", sa.BigInteger, nullable=False),
    sa.Column("level", KeyText, nullable=False),
    sa.Column("score", sa.BigInteger, nullable=False),
    sa.Column("draft_id", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Index("at_risk_alerts_by_day", "customer_id", "day", "level", unique=True),
    sa.Index("at_risk_alerts_by_time", "create_us", "alert_id"),
    sa.Index("at_risk_alerts_by_customer", "customer_id", "create_us", "alert_id"),
)

SCHEMA = ServiceSchema("success", METADATA, Path(__file__).with_name("migrations"))

_BIG = sa.BigInteger
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_NODES = path(0)


# --- check-ins --------------------------------------------------------------------------------------------------------

_CHECK_INS = sa.select(check_ins, drafts.c.state.label("draft_state"), drafts.c.pending_us).outerjoin_from(
    check_ins, drafts, drafts.c.draft_id == check_ins.c.draft_id
)
_INSERT_CHECK_IN = sa.insert(check_ins)
_GET_CHECK_IN = _CHECK_INS.where(check_ins.c.check_in_id == sa.bindparam("check_in_id"))
_OF_WEEK = _CHECK_INS.where(check_ins.c.customer_id == sa.bindparam("customer_id")).where(
    check_ins.c.week_start == sa.bindparam("week_start")
)


def insert_check_in(tx: Tx, check_in: StoredCheckIn) -> None:
    """Stores a new check-in. ``ConstraintBroken`` for a second one of the customer's week: look before."""
    tx.run(
        _INSERT_CHECK_IN,
        {
            "check_in_id": check_in.check_in_id,
            "customer_id": check_in.customer_id,
            "week_start": check_in.week_start.isoformat(),
            "facts": _json(asdict(check_in.facts)),
            "draft": _json(asdict(check_in.draft)),
            "create_us": to_micros(check_in.created_at),
            "revision": check_in.revision,
            "draft_id": check_in.draft_id,
        },
    )


def get_check_in(tx: Tx, check_in_id: str) -> StoredCheckIn | None:
    """The check-in, or None."""
    row = tx.one(_GET_CHECK_IN, {"check_in_id": check_in_id})
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
    return [_check_in(row) for row in tx.all(_list_check_ins(frozenset(params)), params)]


def check_in_key(check_in: StoredCheckIn) -> Key:
    """Where a check-in stands in a list of check-ins."""
    return (to_micros(check_in.created_at), check_in.check_in_id)


@cache
def _list_check_ins(names: frozenset[str]) -> sa.Select[Any]:
    """The list for one set of filters, made once each: there are four of them."""
    return _newest_first(_CHECK_INS, check_ins.c.customer_id, check_ins.c.create_us, check_ins.c.check_in_id, names)


def _newest_first(
    statement: sa.Select[Any], customer: Any, time: Any, identifier: Any, names: frozenset[str]
) -> sa.Select[Any]:
    """A list by time, newest first, of a customer or all, after a key or from its start."""
    conditions = {
        "customer_id": customer == sa.bindparam("customer_id"),
        "after_us": sa.tuple_(time, identifier)
        < sa.tuple_(sa.bindparam("after_us", type_=_BIG), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        statement.where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(time.desc(), identifier.desc())
        .limit(_LIMIT)
    )


# --- plans ------------------------------------------------------------------------------------------------------------

_INSERT_PLAN = sa.insert(plans)
_SAVE_PLAN = (
    sa.update(plans)
    .where(plans.c.customer_id == sa.bindparam("which"))
    .values({c.name: sa.bindparam(c.name, type_=c.type) for c in plans.c if c.name != "customer_id"})
)
_GET_PLAN = sa.select(plans).where(plans.c.customer_id == sa.bindparam("customer_id"))
_CHANNELS = sa.select(plans.c.customer_id, plans.c.channel).where(
    plans.c.customer_id.in_(sa.bindparam("customers", expanding=True))
)
_SINCE = sa.select(plans.c.customer_id, plans.c.since_day).where(
    plans.c.customer_id.in_(sa.bindparam("customers", expanding=True))
)
_INSERT_CHANGE = sa.insert(plan_changes)
_LAST_CHANGE = sa.select(sa.func.max(plan_changes.c.number).label("number")).where(
    plan_changes.c.customer_id == sa.bindparam("customer_id")
)
_CHANGES = (
    sa.select(plan_changes)
    .where(plan_changes.c.customer_id == sa.bindparam("customer_id"))
    .where(plan_changes.c.number > sa.bindparam("after", type_=_BIG))
    .order_by(plan_changes.c.number)
    .limit(_LIMIT)
)


def get_plan(tx: Tx, customer_id: str) -> StoredPlan | None:
    """The customer's plan, active or ended, or None."""
    row = tx.one(_GET_PLAN, {"customer_id": customer_id})
    return _plan(row) if row is not None else None


def save_plan(tx: Tx, plan: StoredPlan, *, new: bool) -> None:
    """Stores a plan: the customer's first, or over the one before."""
    values = {
        "bundle_id": plan.bundle.value,
        "start_day": number_of(plan.start_on),
        "renewal_day": number_of(plan.renewal_on),
        "until_day": number_of(plan.dated_until),
        "since_day": number_of(plan.since),
        "channel": plan.channel.value,
        "state": plan.state.value,
        "activate_us": to_micros(plan.activated_at),
        "update_us": to_micros(plan.updated_at),
        "generation": plan.generation,
        "revision": plan.revision,
    }
    if new:
        tx.run(_INSERT_PLAN, {"customer_id": plan.customer_id, **values})
    else:
        tx.run(_SAVE_PLAN, {"which": plan.customer_id, **values})


def channels_of(tx: Tx, customers: Sequence[str]) -> dict[str, Channel]:
    """The channels on which customers with a plan are spoken to."""
    if not customers:
        return {}
    return {row.customer_id: Channel(row.channel) for row in tx.all(_CHANNELS, {"customers": list(customers)})}


def last_change_number(tx: Tx, customer_id: str) -> int:
    """The number of the last entry of a plan's history; 0 where there is none."""
    row = tx.one(_LAST_CHANGE, {"customer_id": customer_id})
    return int(row.number) if row is not None and row.number is not None else 0


def insert_change(tx: Tx, customer_id: str, change: PlanChange) -> None:
    """Appends to a plan's history."""
    consent = ""
    if change.consent is not None:
        given = change.consent
        consent = _json([given.contact_id, given.method.value, to_micros(given.consented_at), given.reference])
    tx.run(
        _INSERT_CHANGE,
        {
            "customer_id": customer_id,
            "number": change.number,
            "kind": change.kind.value,
            "bundle_id": change.bundle.value,
            "start_day": number_of(change.start_on),
            "renewal_day": number_of(change.renewal_on),
            "channel": change.channel.value,
            "note": change.note,
            "consent": consent,
            "record_us": to_micros(change.recorded_at),
            **_actor_values("actor", change.actor),
        },
    )


def page_of_changes(tx: Tx, customer_id: str, after: int, limit: int) -> list[PlanChange]:
    """At most ``limit`` entries of a plan's history after a number, oldest first."""
    rows = tx.all(_CHANGES, {"customer_id": customer_id, "after": after, "limit": limit})
    return [_change(row) for row in rows]


# --- touchpoints ------------------------------------------------------------------------------------------------------

_INSERT_TOUCHPOINT = sa.insert(touchpoints)
_CHANGING = (
    "state",
    "due_day",
    "open_day",
    "revision",
    "fire_us",
    "draft_id",
    "check_in_id",
    "complete_us",
    "completer_kind",
    "completer_id",
    "completer_role",
    "note",
    "reference",
    "reschedule_reason",
)
_SAVE_TOUCHPOINT = (
    sa.update(touchpoints)
    .where(touchpoints.c.touchpoint_id == sa.bindparam("which"))
    .values({name: sa.bindparam(name, type_=touchpoints.c[name].type) for name in _CHANGING})
)
_GET_TOUCHPOINT = sa.select(touchpoints).where(touchpoints.c.touchpoint_id == sa.bindparam("touchpoint_id"))
_GET_TOUCHPOINTS = sa.select(touchpoints).where(
    touchpoints.c.touchpoint_id.in_(sa.bindparam("touchpoints", expanding=True))
)
_OPEN_OF_CUSTOMER = (
    sa.select(touchpoints)
    .where(touchpoints.c.customer_id == sa.bindparam("customer_id"))
    .where(touchpoints.c.open_day.is_not(None))
    .order_by(touchpoints.c.open_day, touchpoints.c.touchpoint_id)
)
_SLOTS = sa.select(touchpoints.c.slot).where(
    touchpoints.c.customer_id == sa.bindparam("customer_id"),
    touchpoints.c.generation == sa.bindparam("generation", type_=_BIG),
)
_ALL_SLOTS = sa.select(touchpoints.c.slot).where(
    touchpoints.c.customer_id == sa.bindparam("customer_id"),
    touchpoints.c.state != TouchpointState.CANCELLED.value,
)
_OF_SLOT = sa.select(touchpoints).where(
    touchpoints.c.customer_id == sa.bindparam("customer_id"),
    # A slot that is dated again after it was cancelled has a number behind it.
    sa.or_(
        touchpoints.c.slot == sa.bindparam("slot", type_=sa.Text),
        touchpoints.c.slot.startswith(sa.bindparam("slot", type_=sa.Text) + "#"),
    ),
    touchpoints.c.state != TouchpointState.CANCELLED.value,
)
_CHECK_IN_DAYS = sa.select(touchpoints.c.due_day, touchpoints.c.complete_us).where(
    touchpoints.c.customer_id == sa.bindparam("customer_id"),
    touchpoints.c.kind == TouchpointKind.WEEKLY_CHECK_IN.value,
    touchpoints.c.state != TouchpointState.CANCELLED.value,
    touchpoints.c.touchpoint_id != sa.bindparam("touchpoint_id"),
)
_HELD_CHECK_IN = (
    sa.select(touchpoints)
    .where(
        touchpoints.c.customer_id == sa.bindparam("customer_id"),
        touchpoints.c.kind == TouchpointKind.WEEKLY_CHECK_IN.value,
        touchpoints.c.complete_us >= sa.bindparam("start_us", type_=_BIG),
        touchpoints.c.complete_us < sa.bindparam("end_us", type_=_BIG),
    )
    .order_by(touchpoints.c.complete_us)
    .limit(1)
)
_INSERT_WAITED = sa.insert(waited)
_UNDECIDED = sa.select(drafts.c.draft_id).where(
    drafts.c.draft_id.in_(sa.bindparam("drafts", expanding=True)),
    drafts.c.pending_us <= sa.bindparam("now_us", type_=_BIG),
)


def touchpoint_of_slot(tx: Tx, customer_id: str, slot: str) -> Touchpoint | None:
    """The customer's touchpoint of a slot of any generation, unless it was cancelled; or None."""
    rows = tx.all(_OF_SLOT, {"customer_id": customer_id, "slot": slot})
    return _touchpoint(rows[0]) if rows else None


def insert_touchpoint(tx: Tx, found: Touchpoint) -> None:
    """Stores a new touchpoint. ``ConstraintBroken`` for a slot that the plan's generation has: look before."""
    tx.run(
        _INSERT_TOUCHPOINT,
        {
            "touchpoint_id": found.touchpoint_id,
            "customer_id": found.customer_id,
            "generation": found.generation,
            "slot": found.key,
            "kind": found.kind.value,
            "planned_day": number_of(found.planned_on),
            "plan_day": found.plan_day,
            "bundle_id": found.bundle.value,
            "line_id": found.line_id,
            **_touchpoint_values(found),
        },
    )


def save_touchpoint(tx: Tx, found: Touchpoint, before: Touchpoint, today: int) -> None:
    """Writes what may change of a touchpoint, and for how long it had waited where it waits no more, or for another day."""
    tx.run(_SAVE_TOUCHPOINT, {"which": found.touchpoint_id, **_touchpoint_values(found)})
    if before.open and (not found.open or found.due_on != before.due_on):
        due = number_of(before.due_on)
        for node in cover(due, today):
            tx.run(
                _INSERT_WAITED,
                {
                    "node": node,
                    "due_day": due,
                    "touchpoint_id": found.touchpoint_id,
                    "customer_id": found.customer_id,
                },
            )


def get_touchpoint(tx: Tx, touchpoint_id: str) -> Touchpoint | None:
    """The touchpoint, or None."""
    row = tx.one(_GET_TOUCHPOINT, {"touchpoint_id": touchpoint_id})
    return _touchpoint(row) if row is not None else None


def open_touchpoints(tx: Tx, customer_id: str) -> list[Touchpoint]:
    """The customer's open touchpoints, by due day: some dozens."""
    return [_touchpoint(row) for row in tx.all(_OPEN_OF_CUSTOMER, {"customer_id": customer_id})]


def slots_of(tx: Tx, customer_id: str, generation: int) -> set[str]:
    """The slots that a plan's generation has dated, whatever became of them."""
    return {row.slot for row in tx.all(_SLOTS, {"customer_id": customer_id, "generation": generation})}


def kept_slots_of(tx: Tx, customer_id: str) -> set[str]:
    """The slots of all of the customer's plans that were not cancelled."""
    return {row.slot for row in tx.all(_ALL_SLOTS, {"customer_id": customer_id})}


def other_check_in_days(tx: Tx, customer_id: str, touchpoint_id: str) -> list[date]:
    """The days on which the customer's other check-ins took place or are due, those that were cancelled left out."""
    rows = tx.all(_CHECK_IN_DAYS, {"customer_id": customer_id, "touchpoint_id": touchpoint_id})
    return [
        day_of(row.due_day) if row.complete_us is None else riyadh_date(from_micros(row.complete_us)) for row in rows
    ]


def held_check_in(tx: Tx, customer_id: str, moment: datetime) -> Touchpoint | None:
    """The customer's check-in that took place in the week of a moment, as a person recorded it; or None."""
    week = week_bounds(moment)
    params = {"customer_id": customer_id, "start_us": to_micros(week.start), "end_us": to_micros(week.end)}
    row = tx.one(_HELD_CHECK_IN, params)
    return _touchpoint(row) if row is not None else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A touchpoint that waits on a day, with the day on which it was due then."""

    touchpoint: Touchpoint
    due_day: int


def page_of_due(tx: Tx, day: int, customer_id: str, after: Key | None, limit: int) -> list[Waiting]:
    """At most ``limit`` touchpoints that are due on a day and open at its end, longest overdue first; all customers for ''."""
    due_day, touchpoint_id = after if after is not None else (-1, "")
    params: dict[str, object] = {
        "day": day,
        "after_day": due_day,
        "after_id": touchpoint_id,
        "limit": limit,
        **{f"node{level}": node for level, node in enumerate(path(day))},
    }
    if customer_id:
        params["customer_id"] = customer_id
    keys = [(row.due_day, row.touchpoint_id) for row in tx.all(_due_statement(bool(customer_id)), params)]
    if not keys:
        return []
    rows = tx.all(_GET_TOUCHPOINTS, {"touchpoints": [key[1] for key in keys]})
    found = {row.touchpoint_id: _touchpoint(row) for row in rows}
    return [Waiting(found[identifier], due) for due, identifier in keys]


def waiting_key(found: Waiting) -> Key:
    """Where a touchpoint stands in the list of those due."""
    return (found.due_day, found.touchpoint.touchpoint_id)


@cache
def _due_statement(of_customer: bool) -> sa.Select[Any]:
    """Those open now, and those that had waited then: each part stops at the limit by its own index."""

    def part(table: sa.Table, day: Any, *conditions: Any) -> sa.Select[Any]:
        after = sa.tuple_(day, table.c.touchpoint_id) > sa.tuple_(
            sa.bindparam("after_day", type_=_BIG), sa.bindparam("after_id", type_=sa.Text)
        )
        own = (table.c.customer_id == sa.bindparam("customer_id"),) if of_customer else ()
        inner = (
            sa.select(day.label("due_day"), table.c.touchpoint_id)
            .where(*conditions, *own, after)
            .order_by(day, table.c.touchpoint_id)
            .limit(_LIMIT)
            .subquery()
        )
        return sa.select(inner.c.due_day, inner.c.touchpoint_id)

    still = part(touchpoints, touchpoints.c.open_day, touchpoints.c.open_day <= sa.bindparam("day", type_=_BIG))
    then = [
        part(waited, waited.c.due_day, waited.c.node == sa.bindparam(f"node{level}", type_=_BIG))
        for level in range(len(_NODES))
    ]
    both = sa.union_all(still, *then).subquery()
    return sa.select(both).order_by(both.c.due_day, both.c.touchpoint_id).limit(_LIMIT)


def undecided(tx: Tx, draft_ids: Sequence[str], now: datetime) -> set[str]:
    """Those of the drafts that wait for a person; an approval that ran out unused counts as none."""
    if not draft_ids:
        return set()
    params = {"drafts": list(draft_ids), "now_us": to_micros(now)}
    return {row.draft_id for row in tx.all(_UNDECIDED, params)}


def page_of_touchpoints(
    tx: Tx,
    customer_id: str,
    state: TouchpointState | None,
    held: Collection[TouchpointKind],
    after: Key | None,
    limit: int,
) -> list[Touchpoint]:
    """At most ``limit`` touchpoints of a customer by due day, in a state or in any, after a key of `touchpoint_key`.

    Drafted ones of the kinds ``held`` count as held.
    """
    due_day, touchpoint_id = after if after is not None else (-1, "")
    params: dict[str, object] = {
        "customer_id": customer_id,
        "after_day": due_day,
        "after_id": touchpoint_id,
        "limit": limit,
    }
    if state is not None:
        params |= {"state": state.value, "held": sorted(held)}
    return [_touchpoint(row) for row in tx.all(_touchpoints_statement(state is not None), params)]


def touchpoint_key(found: Touchpoint) -> Key:
    """Where a touchpoint stands in the list of a customer's."""
    return (number_of(found.due_on), found.touchpoint_id)


@cache
def _touchpoints_statement(in_state: bool) -> sa.Select[Any]:
    table = touchpoints.c
    held = sa.and_(table.state == TouchpointState.DRAFTED.value, table.kind.in_(sa.bindparam("held", expanding=True)))
    now = sa.case((held, TouchpointState.HELD.value), else_=table.state)
    state = (now == sa.bindparam("state", type_=sa.Text),) if in_state else ()
    return (
        sa.select(touchpoints)
        .where(
            table.customer_id == sa.bindparam("customer_id"),
            *state,
            sa.tuple_(table.due_day, table.touchpoint_id)
            > sa.tuple_(sa.bindparam("after_day", type_=_BIG), sa.bindparam("after_id", type_=sa.Text)),
        )
        .order_by(table.due_day, table.touchpoint_id)
        .limit(_LIMIT)
    )


# --- activity ---------------------------------------------------------------------------------------------------------

_INSERT_ACTIVITY = sa.insert(activities)
_CORRECT = (
    sa.update(activities)
    .where(activities.c.activity_id == sa.bindparam("which"))
    .values(corrected_by=sa.bindparam("corrected_by", type_=sa.Text))
)
_GET_ACTIVITY = sa.select(activities).where(activities.c.activity_id == sa.bindparam("activity_id"))
_COUNTING = activities.c.corrected_by == ""
_OF_CUSTOMERS = activities.c.customer_id.in_(sa.bindparam("customers", expanding=True))
_UNTIL = activities.c.day <= sa.bindparam("day", type_=_BIG)
_LAST_DAY = sa.func.max(sa.case((activities.c.number > 0, activities.c.day))).label("last_day")
_TOTALS = (
    sa.select(
        activities.c.customer_id,
        activities.c.kind,
        _LAST_DAY,
        sa.cast(sa.func.sum(activities.c.number), _BIG).label("total"),
        sa.cast(
            sa.func.sum(
                sa.case(
                    (activities.c.day > sa.bindparam("day", type_=_BIG) - WINDOW_DAYS, activities.c.number), else_=0
                )
            ),
            _BIG,
        ).label("recent"),
        sa.func.max(activities.c.occur_us).label("last_us"),
    )
    .where(_OF_CUSTOMERS, _COUNTING, _UNTIL)
    .group_by(activities.c.customer_id, activities.c.kind)
)
_VALUES = (
    sa.select(activities.c.customer_id, activities.c.kind, activities.c.value, activities.c.occur_us)
    .where(
        _OF_CUSTOMERS,
        _COUNTING,
        activities.c.kind.in_([ActivityKind.CSAT.value, ActivityKind.PIPELINE_SAR.value]),
        activities.c.occur_us.in_(sa.bindparam("times", expanding=True)),
    )
    .order_by(activities.c.record_us, activities.c.activity_id)
)
_BEFORE = (
    sa.select(activities.c.kind, _LAST_DAY, sa.cast(sa.func.sum(activities.c.number), _BIG).label("total"))
    .where(
        activities.c.customer_id == sa.bindparam("customer_id"),
        _COUNTING,
        activities.c.day < sa.bindparam("day", type_=_BIG),
    )
    .group_by(activities.c.kind)
)
_FROM = (
    sa.select(activities.c.day, activities.c.kind, sa.cast(sa.func.sum(activities.c.number), _BIG).label("total"))
    .where(
        activities.c.customer_id == sa.bindparam("customer_id"),
        _COUNTING,
        activities.c.day >= sa.bindparam("day", type_=_BIG),
    )
    .group_by(activities.c.day, activities.c.kind)
    .order_by(activities.c.day)
)
_IN_WEEK = (
    sa.select(activities.c.kind, sa.cast(sa.func.sum(activities.c.number), _BIG).label("total"))
    .where(
        activities.c.customer_id == sa.bindparam("customer_id"),
        _COUNTING,
        activities.c.day > sa.bindparam("day", type_=_BIG) - WEEK_DAYS,
        _UNTIL,
    )
    .group_by(activities.c.kind)
)
_DELIVERED_TO = (
    sa.select(activities.c.customer_id)
    .distinct()
    .where(_OF_CUSTOMERS, _COUNTING, activities.c.kind == ActivityKind.PROOF_PACK_DELIVERED.value, _UNTIL)
)


def insert_activity(tx: Tx, found: Activity, day: int) -> None:
    """Stores an event; ``day`` is that on which it happened."""
    tx.run(
        _INSERT_ACTIVITY,
        {
            "activity_id": found.activity_id,
            "customer_id": found.customer_id,
            "kind": found.kind.value,
            "day": day,
            "occur_us": to_micros(found.occurred_at),
            "record_us": to_micros(found.recorded_at),
            "number": found.count,
            "value": None if found.value is None else float(found.value),
            "reference": found.reference,
            "corrects": found.corrects,
            "corrected_by": found.corrected_by,
            **_actor_values("actor", found.actor),
        },
    )


def mark_corrected(tx: Tx, activity_id: str, corrected_by: str) -> None:
    """Another event has taken its place."""
    tx.run(_CORRECT, {"which": activity_id, "corrected_by": corrected_by})


def get_activity(tx: Tx, activity_id: str) -> Activity | None:
    """The event, or None."""
    row = tx.one(_GET_ACTIVITY, {"activity_id": activity_id})
    return _activity(row) if row is not None else None


def page_of_activities(
    tx: Tx, customer_id: str, kind: ActivityKind | None, after: Key | None, limit: int
) -> list[Activity]:
    """At most ``limit`` events of a customer, of a kind or all, latest first, after a key of `activity_key`."""
    params: dict[str, object] = {"customer_id": customer_id, "limit": limit}
    if kind is not None:
        params["kind"] = kind.value
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_activity(row) for row in tx.all(_activities_statement(frozenset(params)), params)]


def activity_key(found: Activity) -> Key:
    """Where an event stands in the list of a customer's."""
    return (to_micros(found.occurred_at), found.activity_id)


@cache
def _activities_statement(names: frozenset[str]) -> sa.Select[Any]:
    statement = sa.select(activities)
    if "kind" in names:
        statement = statement.where(activities.c.kind == sa.bindparam("kind"))
    return _newest_first(statement, activities.c.customer_id, activities.c.occur_us, activities.c.activity_id, names)


def known_of(tx: Tx, customers: Sequence[str], day: int) -> dict[str, Known]:
    """What is known of customers on a day, of each that was asked for."""
    totals: dict[str, dict[ActivityKind, Total]] = {customer: {} for customer in customers}
    recent: dict[str, dict[ActivityKind, int]] = {customer: {} for customer in customers}
    last: dict[tuple[str, str], int] = {}
    if not customers:
        return {}
    for row in tx.all(_TOTALS, {"customers": list(customers), "day": day}):
        kind = ActivityKind(row.kind)
        totals[row.customer_id][kind] = Total(row.last_day, row.total)
        recent[row.customer_id][kind] = row.recent
        if kind in (ActivityKind.CSAT, ActivityKind.PIPELINE_SAR):
            last[row.customer_id, row.kind] = row.last_us
    values = _last_values(tx, last)
    since = {row.customer_id: row.since_day for row in tx.all(_SINCE, {"customers": list(customers)})}
    return {
        customer: Known(
            customer_id=customer,
            day=day,
            totals=totals[customer],
            window=recent[customer],
            csat=values.get((customer, ActivityKind.CSAT.value)),
            pipeline_sar=values.get((customer, ActivityKind.PIPELINE_SAR.value)),
            plan_since=since.get(customer),
        )
        for customer in customers
    }


def _last_values(tx: Tx, last: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], float]:
    """The values at the last times; of several at one time, the one that was recorded last."""
    if not last:
        return {}
    params = {"customers": sorted({customer for customer, _ in last}), "times": sorted(set(last.values()))}
    rows = tx.all(_VALUES, params)
    return {
        (row.customer_id, row.kind): row.value for row in rows if last.get((row.customer_id, row.kind)) == row.occur_us
    }


def totals_before(tx: Tx, customer_id: str, day: int) -> Tally:
    """What a customer's events of all days before one come to."""
    rows = tx.all(_BEFORE, {"customer_id": customer_id, "day": day})
    return Tally({ActivityKind(row.kind): Total(row.last_day, row.total) for row in rows})


def days_from(tx: Tx, customer_id: str, day: int) -> list[OnDay]:
    """A customer's events from a day on, summed by day and kind."""
    rows = tx.all(_FROM, {"customer_id": customer_id, "day": day})
    return [OnDay(row.day, ActivityKind(row.kind), row.total) for row in rows]


def week_of(tx: Tx, customer_id: str, day: int) -> dict[ActivityKind, int]:
    """A customer's counts of the seven days that end with one."""
    rows = tx.all(_IN_WEEK, {"customer_id": customer_id, "day": day})
    return {ActivityKind(row.kind): row.total for row in rows}


def with_proof_pack(tx: Tx, customers: Sequence[str], day: int) -> set[str]:
    """Those of the customers to whom a Proof Pack was delivered by the end of a day."""
    if not customers:
        return set()
    return {row.customer_id for row in tx.all(_DELIVERED_TO, {"customers": list(customers), "day": day})}


# --- risk over time ---------------------------------------------------------------------------------------------------

_STRETCHES = (
    sa.select(risk_stretches)
    .where(risk_stretches.c.customer_id == sa.bindparam("customer_id"))
    .where(risk_stretches.c.end_day > sa.bindparam("day", type_=_BIG))
    .order_by(risk_stretches.c.start_day)
)
_INSERT_STRETCH = sa.insert(risk_stretches)
_DELETE_STRETCH = sa.delete(risk_stretches).where(
    risk_stretches.c.customer_id == sa.bindparam("customer_id"),
    risk_stretches.c.start_day == sa.bindparam("start_day", type_=_BIG),
)
_INSERT_NODE = sa.insert(risk_nodes)
_DELETE_NODE = sa.delete(risk_nodes).where(
    risk_nodes.c.node == sa.bindparam("node", type_=_BIG),
    risk_nodes.c.standing == sa.bindparam("standing", type_=_BIG),
    risk_nodes.c.customer_id == sa.bindparam("customer_id"),
)


def stretches_from(tx: Tx, customer_id: str, day: int) -> list[Stretch]:
    """The customer's stretches that end after a day, by day."""
    rows = tx.all(_STRETCHES, {"customer_id": customer_id, "day": day})
    return [Stretch(row.start_day, row.end_day, row.standing) for row in rows]


def replace_stretches(tx: Tx, customer_id: str, old: Iterable[Stretch], new: Iterable[Stretch]) -> None:
    """Puts stretches in the place of others; what stands in both is left alone."""
    before, after = set(old), set(new)
    for stretch in sorted(before - after, key=lambda s: s.start):
        tx.run(_DELETE_STRETCH, {"customer_id": customer_id, "start_day": stretch.start})
        for node in cover(stretch.start, stretch.end):
            tx.run(_DELETE_NODE, {"node": node, "standing": stretch.rank, "customer_id": customer_id})
    for stretch in sorted(after - before, key=lambda s: s.start):
        tx.run(
            _INSERT_STRETCH,
            {
                "customer_id": customer_id,
                "start_day": stretch.start,
                "end_day": stretch.end,
                "standing": stretch.rank,
            },
        )
        for node in cover(stretch.start, stretch.end):
            tx.run(_INSERT_NODE, {"node": node, "standing": stretch.rank, "customer_id": customer_id})


def page_at_risk(tx: Tx, day: int, bounds: tuple[int, int], after: Key | None, limit: int) -> list[tuple[int, str]]:
    """At most ``limit`` customers whose rank on a day lies within bounds, as (rank, customer), the worst first."""
    standing, customer_id = after if after is not None else (bounds[0], "")
    params: dict[str, object] = {
        "last": bounds[1],
        "after_standing": standing,
        "after_id": customer_id,
        "limit": limit,
        **{f"node{level}": node for level, node in enumerate(path(day))},
    }
    return [(row.standing, row.customer_id) for row in tx.all(_at_risk_statement(), params)]


@cache
def _at_risk_statement() -> sa.Select[Any]:
    """One part for each node above the day; each stops at the limit by the table's own key."""
    table = risk_nodes.c
    parts = []
    for level in range(len(_NODES)):
        inner = (
            sa.select(table.standing, table.customer_id)
            .where(
                table.node == sa.bindparam(f"node{level}", type_=_BIG),
                sa.tuple_(table.standing, table.customer_id)
                > sa.tuple_(sa.bindparam("after_standing", type_=_BIG), sa.bindparam("after_id", type_=sa.Text)),
                table.standing <= sa.bindparam("last", type_=_BIG),
            )
            .order_by(table.standing, table.customer_id)
            .limit(_LIMIT)
            .subquery()
        )
        parts.append(sa.select(inner.c.standing, inner.c.customer_id))
    both = sa.union_all(*parts).subquery()
    return sa.select(both).order_by(both.c.standing, both.c.customer_id).limit(_LIMIT)


# --- alerts -----------------------------------------------------------------------------------------------------------

_ALERTS = sa.select(at_risk_alerts)
_INSERT_ALERT = sa.insert(at_risk_alerts)
_ALERT_OF_DAY = _ALERTS.where(
    at_risk_alerts.c.customer_id == sa.bindparam("customer_id"),
    at_risk_alerts.c.day == sa.bindparam("day", type_=_BIG),
    at_risk_alerts.c.level == sa.bindparam("level"),
)
_ALERT_SINCE = (
    sa.select(at_risk_alerts.c.alert_id)
    .where(
        at_risk_alerts.c.customer_id == sa.bindparam("customer_id"),
        at_risk_alerts.c.day >= sa.bindparam("day", type_=_BIG),
        at_risk_alerts.c.level == sa.bindparam("level"),
    )
    .limit(1)
)


def insert_alert(tx: Tx, found: StoredAlert) -> None:
    """Stores an alert. ``ConstraintBroken`` for a second one of the customer's day and level: look before."""
    tx.run(
        _INSERT_ALERT,
        {
            "alert_id": found.alert_id,
            "customer_id": found.customer_id,
            "day": number_of(found.day),
            "level": found.level.value,
            "score": found.score,
            "draft_id": found.draft_id,
            "create_us": to_micros(found.created_at),
            **_actor_values("actor", found.actor),
        },
    )


def alert_of_day(tx: Tx, customer_id: str, day: int, level: RiskLevel) -> StoredAlert | None:
    """The customer's alert of a day and level, or None."""
    row = tx.one(_ALERT_OF_DAY, {"customer_id": customer_id, "day": day, "level": level.value})
    return _alert(row) if row is not None else None


def alerted_since(tx: Tx, customer_id: str, day: int, level: RiskLevel) -> bool:
    """Whether the customer has an alert of a level of that day or later."""
    return tx.one(_ALERT_SINCE, {"customer_id": customer_id, "day": day, "level": level.value}) is not None


def page_of_alerts(tx: Tx, customer_id: str, after: Key | None, limit: int) -> list[StoredAlert]:
    """At most ``limit`` alerts, of all customers for '', newest first, after a key of `alert_key`."""
    params: dict[str, object] = {"limit": limit}
    if customer_id:
        params["customer_id"] = customer_id
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_alert(row) for row in tx.all(_list_alerts(frozenset(params)), params)]


def alert_key(found: StoredAlert) -> Key:
    """Where an alert stands in a list of alerts."""
    return (to_micros(found.created_at), found.alert_id)


@cache
def _list_alerts(names: frozenset[str]) -> sa.Select[Any]:
    table = at_risk_alerts.c
    return _newest_first(_ALERTS, table.customer_id, table.create_us, table.alert_id, names)


# --- rows -------------------------------------------------------------------------------------------------------------


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _actor_values(prefix: str, actor: ActorLike | None) -> dict[str, object]:
    return {
        f"{prefix}_kind": actor.kind if actor is not None else "",
        f"{prefix}_id": actor.id if actor is not None else "",
        f"{prefix}_role": actor.role if actor is not None else "",
    }


def _touchpoint_values(found: Touchpoint) -> dict[str, object]:
    due = number_of(found.due_on)
    return {
        "state": found.state.value,
        "due_day": due,
        "open_day": due if found.open else None,
        "revision": found.revision,
        "fire_us": micros_or_none(found.fired_at),
        "draft_id": found.draft_id,
        "check_in_id": found.check_in_id,
        "complete_us": micros_or_none(found.completed_at),
        "note": found.note,
        "reference": found.reference,
        "reschedule_reason": found.reschedule_reason,
        **_actor_values("completer", found.completer),
    }


def _check_in(row: Row) -> StoredCheckIn:
    return StoredCheckIn(
        check_in_id=row.check_in_id,
        customer_id=row.customer_id,
        week_start=date.fromisoformat(row.week_start),
        facts=CheckInFacts(**json.loads(row.facts)),
        draft=_draft(json.loads(row.draft)),
        draft_id=row.draft_id or "",
        state=DraftState(row.draft_state) if row.draft_state else DraftState.DRAFTED,
        pending_since=time_or_none(row.pending_us),
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


def _plan(row: Row) -> StoredPlan:
    return StoredPlan(
        customer_id=row.customer_id,
        bundle=Bundle(row.bundle_id),
        start_on=day_of(row.start_day),
        renewal_on=day_of(row.renewal_day),
        dated_until=day_of(row.until_day),
        since=day_of(row.since_day),
        channel=Channel(row.channel),
        state=PlanState(row.state),
        activated_at=from_micros(row.activate_us),
        updated_at=from_micros(row.update_us),
        generation=row.generation,
        revision=row.revision,
    )


def _change(row: Row) -> PlanChange:
    consent = None
    if row.consent:
        contact_id, method, consent_us, reference = json.loads(row.consent)
        consent = Consent(contact_id, ConsentMethod(method), from_micros(consent_us), reference)
    return PlanChange(
        number=row.number,
        kind=PlanChangeKind(row.kind),
        bundle=Bundle(row.bundle_id),
        start_on=day_of(row.start_day),
        renewal_on=day_of(row.renewal_day),
        channel=Channel(row.channel),
        note=row.note,
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        recorded_at=from_micros(row.record_us),
        consent=consent,
    )


def _touchpoint(row: Row) -> Touchpoint:
    return Touchpoint(
        touchpoint_id=row.touchpoint_id,
        customer_id=row.customer_id,
        generation=row.generation,
        key=row.slot,
        kind=TouchpointKind(row.kind),
        state=TouchpointState(row.state),
        planned_on=day_of(row.planned_day),
        due_on=day_of(row.due_day),
        plan_day=row.plan_day,
        bundle=Bundle(row.bundle_id),
        line_id=row.line_id,
        revision=row.revision,
        fired_at=time_or_none(row.fire_us),
        draft_id=row.draft_id,
        check_in_id=row.check_in_id,
        completed_at=time_or_none(row.complete_us),
        completer=Actor(row.completer_kind, row.completer_id, row.completer_role) if row.completer_kind else None,
        note=row.note,
        reference=row.reference,
        reschedule_reason=row.reschedule_reason,
    )


def _activity(row: Row) -> Activity:
    return Activity(
        activity_id=row.activity_id,
        customer_id=row.customer_id,
        kind=ActivityKind(row.kind),
        occurred_at=from_micros(row.occur_us),
        recorded_at=from_micros(row.record_us),
        count=row.number,
        value=row.value,
        reference=row.reference,
        corrects=row.corrects,
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        corrected_by=row.corrected_by,
    )


def _alert(row: Row) -> StoredAlert:
    return StoredAlert(
        alert_id=row.alert_id,
        customer_id=row.customer_id,
        day=day_of(row.day),
        level=RiskLevel(row.level),
        score=row.score,
        draft_id=row.draft_id,
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        created_at=from_micros(row.create_us),
    )
