"""The tables and statements of incidents: the only file that knows its SQL.

Times are microseconds since the epoch, UTC. What was decided once and is only read as a whole (the triage, the plan)
is JSON in the row of its incident.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.incidents.domain.action_items import ActionItem, ActionItemState
from services.incidents.domain.incidents import Incident
from services.incidents.domain.lifecycle import IncidentState, RoleHolder
from services.incidents.domain.obligations import Obligation, ObligationKind
from services.incidents.domain.plan import PlanStep
from services.incidents.domain.severity import OwnerRole, Rule, Severity, SeverityDetails, StepClock, StepCondition
from services.incidents.domain.tasks import PlanTask, TaskState
from services.incidents.domain.timeline import Role, TimelineEntry, TimelineKind, TimelineLine
from services.incidents.domain.triage import Proposal, RuleHit, TriageResult
from services.storage.database import Actor, Row, ServiceSchema, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText
from services.storage.times import from_micros, micros_or_none, time_or_none, to_micros

METADATA = sa.MetaData()

EVERYBODY = ""
"""The customer of an incident that names none: it concerns everybody."""

incidents = sa.Table(
    "incidents",
    METADATA,
    sa.Column("incident_id", KeyText, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("triage", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    # 1 for the states that count as open: a list of open incidents is one range of an index, in order.
    sa.Column("is_open", sa.BigInteger, nullable=False),
    sa.Column("customer_ids", sa.Text, nullable=False),
    sa.Column("ticket_ids", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("data_leak", sa.BigInteger, nullable=False),
    sa.Column("unauthorized_send", sa.BigInteger, nullable=False),
    sa.Column("drill", sa.BigInteger, nullable=False),
    sa.Column("aware_us", sa.BigInteger, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("duplicate_of", sa.Text),
    sa.Column("roles", sa.Text),
    sa.Column("resolve_us", sa.BigInteger),
    sa.Column("leak_aware_us", sa.BigInteger),
    sa.Column("clocks_paused", sa.BigInteger),
    sa.Index("incidents_by_time", "create_us", "incident_id"),
    sa.Index("incidents_by_open", "is_open", "create_us", "incident_id"),
    sa.Index("incidents_by_state", "state", "create_us", "incident_id"),
    sa.Index("incidents_by_severity", "severity", "create_us", "incident_id"),
)

# Which incidents name a customer, in the order of their declaration; the incident's own row holds the list as given.
incident_customers = sa.Table(
    "incident_customers",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("create_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("incident_id", KeyText, sa.ForeignKey("incidents.incident_id"), primary_key=True),
)

timeline = sa.Table(
    "timeline",
    METADATA,
    sa.Column("incident_id", KeyText, sa.ForeignKey("incidents.incident_id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("occur_us", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("text_en", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("detail", sa.Text),
)

# What is open now, by the customers that it concerns: the empty one stands for everybody. Asked for with every call that the
# gateway passes on, so it holds what is open and nothing else.
open_incidents = sa.Table(
    "open_incidents",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("severity", KeyText, primary_key=True),
    sa.Column("create_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("incident_id", KeyText, sa.ForeignKey("incidents.incident_id"), primary_key=True),
    sa.Index("open_incidents_by_incident", "incident_id"),
)

plan_tasks = sa.Table(
    "plan_tasks",
    METADATA,
    sa.Column("incident_id", KeyText, sa.ForeignKey("incidents.incident_id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("done_us", sa.BigInteger),
    sa.Column("done_by_kind", sa.Text, nullable=False),
    sa.Column("done_by_id", sa.Text, nullable=False),
    sa.Column("done_by_role", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("times_done", sa.BigInteger, nullable=False),
)

# Open obligations with their due time, as an index over what the timelines come to: each row holds from the moment it was
# recorded until another took its place, so that the past can be asked for as it was known.
obligation_periods = sa.Table(
    "obligation_periods",
    METADATA,
    sa.Column("incident_id", KeyText, sa.ForeignKey("incidents.incident_id"), primary_key=True),
    sa.Column("obligation_id", KeyText, primary_key=True),
    sa.Column("from_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("until_us", sa.BigInteger),
    sa.Column("is_open", sa.BigInteger, nullable=False),
    sa.Column("kind", KeyText, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("start_us", sa.BigInteger, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Index("obligation_periods_open", "is_open", "due_us", "incident_id", "obligation_id"),
    sa.Index("obligation_periods_open_by_kind", "is_open", "kind", "due_us", "incident_id", "obligation_id"),
    sa.Index("obligation_periods_by_due", "due_us", "incident_id", "obligation_id"),
    sa.Index("obligation_periods_by_kind", "kind", "due_us", "incident_id", "obligation_id"),
)

action_items = sa.Table(
    "action_items",
    METADATA,
    sa.Column("action_item_id", KeyText, primary_key=True),
    sa.Column("incident_id", KeyText, sa.ForeignKey("incidents.incident_id"), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("owner_id", KeyText, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("is_open", sa.BigInteger, nullable=False),
    # The due time that was last reported as passed.
    sa.Column("breached_due_us", sa.BigInteger),
    sa.Column("breaches", sa.BigInteger, nullable=False),
    sa.Column("end_us", sa.BigInteger),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Index("action_items_by_due", "due_us", "action_item_id"),
    sa.Index("action_items_open", "is_open", "due_us", "action_item_id"),
    sa.Index("action_items_by_incident", "incident_id", "due_us", "action_item_id"),
    sa.Index("action_items_by_owner", "owner_id", "due_us", "action_item_id"),
    sa.Index("action_items_open_by_owner", "owner_id", "is_open", "due_us", "action_item_id"),
)

SCHEMA = ServiceSchema("incidents", METADATA, Path(__file__).with_name("migrations"))

_INSERT_INCIDENT = sa.insert(incidents)
_INSERT_CUSTOMER = sa.insert(incident_customers)
_INSERT_LINE = sa.insert(timeline)
# What an incident is declared with and never changes is left out.
_SAVE_INCIDENT = (
    sa.update(incidents)
    .where(incidents.c.incident_id == sa.bindparam("key"))
    .values(
        {
            column: sa.bindparam(column)
            for column in (
                "severity",
                "state",
                "is_open",
                "customer_ids",
                "ticket_ids",
                "data_leak",
                "unauthorized_send",
                "update_us",
                "revision",
                "plan",
                "duplicate_of",
                "roles",
                "resolve_us",
                "leak_aware_us",
                "clocks_paused",
            )
        }
    )
)
_ALL_LINES = (
    sa.select(timeline).where(timeline.c.incident_id == sa.bindparam("incident_id")).order_by(timeline.c.number)
)
_LINES_AFTER = (
    sa.select(timeline)
    .where(
        timeline.c.incident_id == sa.bindparam("incident_id"),
        timeline.c.number > sa.bindparam("after", type_=sa.BigInteger),
    )
    .order_by(timeline.c.number)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_TASKS_OF = (
    sa.select(plan_tasks).where(plan_tasks.c.incident_id == sa.bindparam("incident_id")).order_by(plan_tasks.c.number)
)
_INSERT_TASK = sa.insert(plan_tasks)
_SAVE_TASK = (
    sa.update(plan_tasks)
    .where(plan_tasks.c.incident_id == sa.bindparam("key"), plan_tasks.c.number == sa.bindparam("place"))
    .values(
        {
            column: sa.bindparam(column)
            for column in (
                "state",
                "owner_id",
                "step",
                "done_us",
                "done_by_kind",
                "done_by_id",
                "done_by_role",
                "note",
                "times_done",
            )
        }
    )
)
_OPEN_PERIODS = sa.select(obligation_periods).where(
    obligation_periods.c.incident_id == sa.bindparam("incident_id"), obligation_periods.c.is_open == 1
)
_END_PERIOD = (
    sa.update(obligation_periods)
    .where(
        obligation_periods.c.incident_id == sa.bindparam("incident_id_is"),
        obligation_periods.c.obligation_id == sa.bindparam("obligation_id_is"),
        obligation_periods.c.is_open == 1,
    )
    .values(is_open=0, until_us=sa.bindparam("until_us"))
)
# What began and ended at one instant was never known to anybody.
_DROP_EMPTY_PERIOD = sa.delete(obligation_periods).where(
    obligation_periods.c.incident_id == sa.bindparam("incident_id"),
    obligation_periods.c.obligation_id == sa.bindparam("obligation_id"),
    obligation_periods.c.from_us == sa.bindparam("at_us"),
)
_INSERT_PERIOD = sa.insert(obligation_periods)
_INSERT_ITEM = sa.insert(action_items)
_SAVE_ITEM = (
    sa.update(action_items)
    .where(action_items.c.action_item_id == sa.bindparam("key"))
    .values(
        {
            column: sa.bindparam(column)
            for column in (
                "owner_id",
                "due_us",
                "state",
                "is_open",
                "breached_due_us",
                "breaches",
                "end_us",
                "reason",
                "update_us",
                "revision",
            )
        }
    )
)
_GET_ITEM = sa.select(action_items).where(action_items.c.action_item_id == sa.bindparam("action_item_id"))
_GET_INCIDENT = sa.select(incidents).where(incidents.c.incident_id == sa.bindparam("incident_id"))
_INSERT_OPEN = sa.insert(open_incidents)
_DELETE_OPEN = sa.delete(open_incidents).where(open_incidents.c.incident_id == sa.bindparam("incident_id"))
# One query for each of the two customers: the primary key gives either in order, an OR would not.
_OPEN_FOR = (
    sa.select(open_incidents)
    .where(open_incidents.c.customer_id == sa.bindparam("customer_id"))
    .order_by(open_incidents.c.severity, open_incidents.c.create_us, open_incidents.c.incident_id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_LINES_OF = (
    sa.select(timeline)
    .where(timeline.c.incident_id == sa.bindparam("incident_id"))
    .order_by(timeline.c.number)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An open incident that is no drill, as far as the other services ask."""

    incident_id: str
    severity: Severity
    declared_at: datetime


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; None, and false for ``open_only``, matches all."""

    severity: Severity | None = None
    state: IncidentState | None = None
    open_only: bool = False
    customer_id: str | None = None


def insert_incident(tx: Tx, incident: Incident) -> None:
    """Stores a new incident."""
    create_us = to_micros(incident.declared_at)
    tx.run(
        _INSERT_INCIDENT,
        {
            "incident_id": incident.incident_id,
            "title": incident.title,
            "description": incident.description,
            "severity": incident.severity.value,
            "triage": _json(asdict(incident.triage)),
            "state": incident.state.value,
            "is_open": int(incident.open),
            "customer_ids": _json(incident.customer_ids),
            "ticket_ids": _json(incident.ticket_ids),
            "channel": incident.channel,
            "data_leak": int(incident.data_leak),
            "unauthorized_send": int(incident.unauthorized_send),
            "drill": int(incident.drill),
            "aware_us": to_micros(incident.aware_at),
            "create_us": create_us,
            "update_us": to_micros(incident.updated_at),
            "revision": incident.revision,
            "plan": _json([asdict(step) for step in incident.plan]),
            **_later(incident),
        },
    )
    for customer_id in incident.customer_ids:
        tx.run(
            _INSERT_CUSTOMER,
            {"customer_id": customer_id, "create_us": create_us, "incident_id": incident.incident_id},
        )
    put_open(tx, incident)


def _later(incident: Incident) -> dict[str, object]:
    """The columns of what happens to an incident after its declaration."""
    return {
        "duplicate_of": incident.duplicate_of,
        "roles": _json(
            [
                {"role": held.role.value, "person_id": held.person_id, "assign_us": to_micros(held.assigned_at)}
                for held in incident.roles
            ]
        ),
        "resolve_us": micros_or_none(incident.resolved_at),
        "leak_aware_us": micros_or_none(incident.leak_aware_at),
        "clocks_paused": int(incident.clocks_paused),
    }


def save_incident(tx: Tx, incident: Incident, before: Incident) -> None:
    """Stores an incident as it stands after a change."""
    tx.run(
        _SAVE_INCIDENT,
        {
            "key": incident.incident_id,
            "severity": incident.severity.value,
            "state": incident.state.value,
            "is_open": int(incident.open),
            "customer_ids": _json(incident.customer_ids),
            "ticket_ids": _json(incident.ticket_ids),
            "data_leak": int(incident.data_leak),
            "unauthorized_send": int(incident.unauthorized_send),
            "update_us": to_micros(incident.updated_at),
            "revision": incident.revision,
            "plan": _json([asdict(step) for step in incident.plan]),
            **_later(incident),
        },
    )
    for customer_id in incident.customer_ids[len(before.customer_ids) :]:
        tx.run(
            _INSERT_CUSTOMER,
            {
                "customer_id": customer_id,
                "create_us": to_micros(incident.declared_at),
                "incident_id": incident.incident_id,
            },
        )
    if (incident.open, incident.severity, incident.customer_ids) != (before.open, before.severity, before.customer_ids):
        put_open(tx, incident)


def all_lines(tx: Tx, incident_id: str) -> list[TimelineLine]:
    """An incident's whole timeline, oldest first."""
    return [_line(row) for row in tx.all(_ALL_LINES, {"incident_id": incident_id})]


def lines_after(tx: Tx, incident_id: str, number: int, limit: int) -> list[TimelineLine]:
    """At most ``limit`` lines of an incident's timeline behind a position, oldest first."""
    return [_line(row) for row in tx.all(_LINES_AFTER, {"incident_id": incident_id, "after": number, "limit": limit})]


# --- tasks ------------------------------------------------------------------------------------------------------------


def tasks_of(tx: Tx, incident_id: str) -> tuple[PlanTask, ...]:
    """The tasks of an incident, by number."""
    return tuple(_task(row) for row in tx.all(_TASKS_OF, {"incident_id": incident_id}))


def insert_task(tx: Tx, incident_id: str, task: PlanTask) -> None:
    """Stores a new task."""
    tx.run(_INSERT_TASK, {"incident_id": incident_id, "number": task.number, **_task_columns(task)})


def save_task(tx: Tx, incident_id: str, task: PlanTask) -> None:
    """Stores a task as it stands after a change."""
    tx.run(_SAVE_TASK, {"key": incident_id, "place": task.number, **_task_columns(task)})


def _task_columns(task: PlanTask) -> dict[str, object]:
    by = task.done_by
    return {
        "state": task.state.value,
        "owner_id": task.owner_id,
        "step": _json(asdict(task.step)),
        "done_us": micros_or_none(task.done_at),
        "done_by_kind": by.kind if by is not None else "",
        "done_by_id": by.id if by is not None else "",
        "done_by_role": by.role if by is not None else "",
        "note": task.note,
        "times_done": task.times_done,
    }


def _task(row: Row) -> PlanTask:
    return PlanTask(
        number=row.number,
        step=_step(json.loads(row.step)),
        state=TaskState(row.state),
        owner_id=row.owner_id,
        done_at=time_or_none(row.done_us),
        done_by=Actor(row.done_by_kind, row.done_by_id, row.done_by_role) if row.done_by_kind else None,
        note=row.note,
        times_done=row.times_done,
    )


# --- obligations that are due -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueObligation:
    """An open obligation as the index holds it."""

    incident_id: str
    obligation_id: str
    kind: ObligationKind
    number: int
    severity: Severity
    started_at: datetime
    due_at: datetime


def put_periods(tx: Tx, incident_id: str, obligations: Iterable[Obligation], now: datetime) -> None:
    """Brings the index of open obligations up to what the timeline comes to at ``now``.

    An index is derived and no state of its own: it needs no entry of the ledger.
    """
    wanted = {
        each.obligation_id: {
            "kind": each.kind.value,
            "number": each.number,
            "severity": each.severity.value,
            "start_us": to_micros(each.started_at),
            "due_us": to_micros(each.due_at),
        }
        for each in obligations
        if each.open and each.due_at is not None and each.started_at is not None
    }
    now_us = to_micros(now)
    for row in tx.all(_OPEN_PERIODS, {"incident_id": incident_id}):
        found = row._asdict()
        columns = wanted.get(row.obligation_id)
        if columns is not None and all(found[name] == value for name, value in columns.items()):
            del wanted[row.obligation_id]
        elif row.from_us == now_us:
            key = {"incident_id": incident_id, "obligation_id": row.obligation_id, "at_us": now_us}
            tx.run(_DROP_EMPTY_PERIOD, key, counts=False)
        else:
            key = {"incident_id_is": incident_id, "obligation_id_is": row.obligation_id, "until_us": now_us}
            tx.run(_END_PERIOD, key, counts=False)
    for obligation_id, columns in wanted.items():
        tx.run(
            _INSERT_PERIOD,
            {
                "incident_id": incident_id,
                "obligation_id": obligation_id,
                "from_us": now_us,
                "until_us": None,
                "is_open": 1,
                **columns,
            },
            counts=False,
        )


def page_of_due(
    tx: Tx, as_of: datetime, *, past: bool, kind: ObligationKind | None, after: Key | None, limit: int
) -> list[DueObligation]:
    """At most ``limit`` open obligations that are due at ``as_of``, the earliest first, after a key of `due_key`.

    ``past``: as they were known at ``as_of``; otherwise as they are known now.
    """
    params: dict[str, object] = {"limit": limit, "as_of_us": to_micros(as_of)}
    if kind is not None:
        params["kind"] = kind.value
    if after is not None:
        params["after_us"], params["after_incident"], params["after_obligation"] = after
    names = frozenset(params) | ({"past"} if past else set())
    return [
        DueObligation(
            incident_id=row.incident_id,
            obligation_id=row.obligation_id,
            kind=ObligationKind(row.kind),
            number=row.number,
            severity=Severity(row.severity),
            started_at=from_micros(row.start_us),
            due_at=from_micros(row.due_us),
        )
        for row in tx.all(_due_statement(names), params)
    ]


def due_key(due: DueObligation) -> Key:
    """Where an obligation stands in the list of those that are due."""
    return (to_micros(due.due_at), due.incident_id, due.obligation_id)


@cache
def _due_statement(names: frozenset[str]) -> sa.Select[Any]:
    """The list for one set of filters, made once each."""
    periods = obligation_periods.c
    as_of = sa.bindparam("as_of_us", type_=sa.BigInteger)
    key = sa.tuple_(periods.due_us, periods.incident_id, periods.obligation_id)
    conditions = [periods.due_us <= as_of]
    if "past" in names:
        conditions += [periods.from_us <= as_of, sa.or_(periods.until_us.is_(None), periods.until_us > as_of)]
    else:
        conditions.append(periods.is_open == 1)
    if "kind" in names:
        conditions.append(periods.kind == sa.bindparam("kind", type_=sa.Text))
    if "after_us" in names:
        after = sa.tuple_(
            sa.bindparam("after_us", type_=sa.BigInteger),
            sa.bindparam("after_incident", type_=sa.Text),
            sa.bindparam("after_obligation", type_=sa.Text),
        )
        conditions.append(key > after)
    return (
        sa.select(obligation_periods)
        .where(*conditions)
        .order_by(periods.due_us, periods.incident_id, periods.obligation_id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


# --- action items -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which action items to list; empty, false and None match all."""

    incident_id: str = ""
    owner_id: str = ""
    open_only: bool = False
    due_before: datetime | None = None


def insert_item(tx: Tx, item: ActionItem) -> None:
    """Stores a new action item."""
    tx.run(
        _INSERT_ITEM,
        {
            "action_item_id": item.action_item_id,
            "incident_id": item.incident_id,
            "title": item.title,
            "create_us": to_micros(item.created_at),
            **_item_columns(item),
        },
    )


def save_item(tx: Tx, item: ActionItem) -> None:
    """Stores an action item as it stands after a change."""
    tx.run(_SAVE_ITEM, {"key": item.action_item_id, **_item_columns(item)})


def get_item(tx: Tx, action_item_id: str) -> ActionItem | None:
    """The action item, or None."""
    row = tx.one(_GET_ITEM, {"action_item_id": action_item_id})
    return _item(row) if row is not None else None


def page_of_items(tx: Tx, wanted: ItemFilter, after: Key | None, limit: int) -> list[ActionItem]:
    """At most ``limit`` action items, the one that is due first at the top, after a key of `item_key`."""
    params: dict[str, object] = {"limit": limit}
    if wanted.incident_id:
        params["incident_id"] = wanted.incident_id
    if wanted.owner_id:
        params["owner_id"] = wanted.owner_id
    if wanted.open_only:
        params["is_open"] = 1
    if wanted.due_before is not None:
        params["before_us"] = to_micros(wanted.due_before)
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_item(row) for row in tx.all(_items_statement(frozenset(params)), params)]


def item_key(item: ActionItem) -> Key:
    """Where an action item stands in a list of action items."""
    return (to_micros(item.due_at), item.action_item_id)


@cache
def _items_statement(names: frozenset[str]) -> sa.Select[Any]:
    """The list for one set of filters, made once each."""
    items = action_items.c
    conditions = {
        "incident_id": items.incident_id == sa.bindparam("incident_id", type_=sa.Text),
        "owner_id": items.owner_id == sa.bindparam("owner_id", type_=sa.Text),
        "is_open": items.is_open == sa.bindparam("is_open", type_=sa.BigInteger),
        "before_us": items.due_us < sa.bindparam("before_us", type_=sa.BigInteger),
        "after_us": sa.tuple_(items.due_us, items.action_item_id)
        > sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        sa.select(action_items)
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(items.due_us, items.action_item_id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _item_columns(item: ActionItem) -> dict[str, object]:
    return {
        "owner_id": item.owner_id,
        "due_us": to_micros(item.due_at),
        "state": item.state.value,
        "is_open": int(item.state is ActionItemState.OPEN),
        "breached_due_us": micros_or_none(item.breached_due_at),
        "breaches": item.breaches,
        "end_us": micros_or_none(item.ended_at),
        "reason": item.reason,
        "update_us": to_micros(item.updated_at),
        "revision": item.revision,
    }


def _item(row: Row) -> ActionItem:
    return ActionItem(
        action_item_id=row.action_item_id,
        incident_id=row.incident_id,
        title=row.title,
        owner_id=row.owner_id,
        due_at=from_micros(row.due_us),
        state=ActionItemState(row.state),
        created_at=from_micros(row.create_us),
        updated_at=from_micros(row.update_us),
        ended_at=time_or_none(row.end_us),
        reason=row.reason,
        breached_due_at=time_or_none(row.breached_due_us),
        breaches=row.breaches,
        revision=row.revision,
    )


# --- incidents --------------------------------------------------------------------------------------------------------


def put_open(tx: Tx, incident: Incident) -> None:
    """Brings what is open for whom up to the incident as it stands."""
    tx.run(_DELETE_OPEN, {"incident_id": incident.incident_id}, counts=False)
    if not incident.open or incident.drill:
        return
    for customer_id in incident.customer_ids or (EVERYBODY,):
        tx.run(
            _INSERT_OPEN,
            {
                "customer_id": customer_id,
                "severity": incident.severity.value,
                "create_us": to_micros(incident.declared_at),
                "incident_id": incident.incident_id,
            },
        )


def open_for(tx: Tx, customer_id: str, limit: int) -> list[OpenIncident]:
    """At most ``limit`` open incidents that concern a customer or everybody, the gravest first, then the oldest."""
    rows = [
        row
        for customer in dict.fromkeys((customer_id, EVERYBODY))
        for row in tx.all(_OPEN_FOR, {"customer_id": customer, "limit": limit})
    ]
    rows.sort(key=lambda row: (row.severity, row.create_us, row.incident_id))
    return [OpenIncident(row.incident_id, Severity(row.severity), from_micros(row.create_us)) for row in rows[:limit]]


def append_line(tx: Tx, incident_id: str, line: TimelineLine) -> None:
    """Appends to the timeline of an incident that exists."""
    tx.run(
        _INSERT_LINE,
        {
            "incident_id": incident_id,
            "number": line.number,
            "kind": line.entry.kind.value,
            "severity": line.entry.severity.value,
            "text": line.entry.text,
            "occur_us": to_micros(line.entry.occurred_at),
            "record_us": to_micros(line.entry.recorded_at),
            "actor_kind": line.actor.kind,
            "actor_id": line.actor.id,
            "actor_role": line.actor.role,
            "text_en": line.entry.text_en,
            "subject": line.entry.subject,
            "detail": _json(dict(line.entry.detail)) if line.entry.detail else None,
        },
    )


def get_incident(tx: Tx, incident_id: str) -> Incident | None:
    """The incident, or None."""
    row = tx.one(_GET_INCIDENT, {"incident_id": incident_id})
    return _incident(row) if row is not None else None


def lines_of(tx: Tx, incident_id: str, limit: int) -> list[TimelineLine]:
    """At most ``limit`` lines of an incident's timeline, oldest first."""
    return [_line(row) for row in tx.all(_LINES_OF, {"incident_id": incident_id, "limit": limit})]


def page_of_incidents(tx: Tx, wanted: IncidentFilter, after: Key | None, limit: int) -> list[Incident]:
    """At most ``limit`` incidents, newest first, after a key of `incident_key`."""
    params: dict[str, object] = {"limit": limit}
    if wanted.severity is not None:
        params["severity"] = wanted.severity.value
    if wanted.state is not None:
        params["state"] = wanted.state.value
    if wanted.open_only:
        params["is_open"] = 1
    if wanted.customer_id is not None:
        params["customer_id"] = wanted.customer_id
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_incident(row) for row in tx.all(_list_statement(frozenset(params)), params)]


def incident_key(incident: Incident) -> Key:
    """Where an incident stands in a list of incidents."""
    return (to_micros(incident.declared_at), incident.incident_id)


@cache
def _list_statement(names: frozenset[str]) -> sa.Select[Any]:
    """The list for one set of filters, made once each: there are 2^5 of them."""
    selected = sa.select(incidents)
    ordered: sa.FromClause = incidents
    if "customer_id" in names:
        ordered = incident_customers
        selected = selected.join_from(
            incident_customers, incidents, incident_customers.c.incident_id == incidents.c.incident_id
        ).where(incident_customers.c.customer_id == sa.bindparam("customer_id"))
    conditions = {
        "severity": incidents.c.severity == sa.bindparam("severity"),
        "state": incidents.c.state == sa.bindparam("state"),
        "is_open": incidents.c.is_open == sa.bindparam("is_open", type_=sa.BigInteger),
        "after_us": sa.tuple_(ordered.c.create_us, ordered.c.incident_id)
        < sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        selected.where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(ordered.c.create_us.desc(), ordered.c.incident_id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _incident(row: Row) -> Incident:
    return Incident(
        incident_id=row.incident_id,
        title=row.title,
        description=row.description,
        severity=Severity(row.severity),
        triage=_triage(json.loads(row.triage)),
        state=IncidentState(row.state),
        customer_ids=tuple(json.loads(row.customer_ids)),
        ticket_ids=tuple(json.loads(row.ticket_ids)),
        channel=row.channel,
        data_leak=bool(row.data_leak),
        unauthorized_send=bool(row.unauthorized_send),
        drill=bool(row.drill),
        aware_at=from_micros(row.aware_us),
        declared_at=from_micros(row.create_us),
        updated_at=from_micros(row.update_us),
        revision=row.revision,
        plan=tuple(map(_step, json.loads(row.plan))),
        roles=tuple(
            RoleHolder(Role(held["role"]), held["person_id"], from_micros(held["assign_us"]))
            for held in json.loads(row.roles or "[]")
        ),
        duplicate_of=row.duplicate_of or "",
        resolved_at=time_or_none(row.resolve_us),
        leak_aware_at=time_or_none(row.leak_aware_us),
        clocks_paused=bool(row.clocks_paused),
    )


def _triage(data: Mapping[str, Any]) -> TriageResult:
    return TriageResult(
        severity=Severity(data["severity"]),
        details=SeverityDetails(**{**data["details"], "severity": Severity(data["details"]["severity"])}),
        decided_by=Rule(data["decided_by"]),
        reason_ar=data["reason_ar"],
        reason_en=data["reason_en"],
        rules=tuple(
            RuleHit(Rule(hit["rule"]), Severity(hit["severity"]), hit["reason_ar"], hit["reason_en"])
            for hit in data["rules"]
        ),
        caller_severity=Severity(data["caller_severity"]),
        caller_decided_by=Rule(data["caller_decided_by"]),
        affected_customers=data["affected_customers"],
        data_leak=data["data_leak"],
        unauthorized_send=data["unauthorized_send"],
        support_consulted=data["support_consulted"],
        proposal=_proposal(data["proposal"]),
        catalog_version=data["catalog_version"],
    )


def _proposal(data: Mapping[str, Any] | None) -> Proposal | None:
    if data is None:
        return None
    return Proposal(Severity(data["severity"]), Rule(data["decided_by"]), data["reason_ar"], data["reason_en"])


def _step(data: Mapping[str, Any]) -> PlanStep:
    return PlanStep(
        number=data["number"],
        id=data["id"],
        text_ar=data["text_ar"],
        text_en=data["text_en"],
        owner=OwnerRole(data["owner"]),
        condition=StepCondition(data["condition"]),
        due_minutes=data["due_minutes"],
        due_from=StepClock(data["due_from"]),
        repeat_minutes=data["repeat_minutes"],
        optional=data["optional"],
        depends_on=tuple(data.get("depends_on", ())),
        obligation=data.get("obligation", ""),
    )


def _line(row: Row) -> TimelineLine:
    return TimelineLine(
        number=row.number,
        entry=TimelineEntry(
            kind=TimelineKind(row.kind),
            occurred_at=from_micros(row.occur_us),
            recorded_at=from_micros(row.record_us),
            severity=Severity(row.severity),
            text=row.text,
            text_en=row.text_en or "",
            subject=row.subject or "",
            detail=json.loads(row.detail) if row.detail else {},
        ),
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
    )
