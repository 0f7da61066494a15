"""The tables and statements of onboarding: the only file that knows its SQL.

Times are microseconds since the epoch, UTC. A step has a row while it is completed, a connector once something was
done about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from services.onboarding.domain.approvals import Approval
from services.onboarding.domain.catalog import STEP_IDS, ConnectorState
from services.onboarding.domain.checklist import Checklist, StepState
from services.onboarding.domain.connections import Connection, OptInAudit, SetupCheck
from services.onboarding.domain.progress import Progress
from services.storage.database import Row, ServiceSchema, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText
from services.storage.times import from_micros, to_micros

METADATA = sa.MetaData()

checklists = sa.Table(
    "checklists",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    # Empty until one is chosen.
    sa.Column("bundle_id", sa.Text, nullable=False),
    # Follows from the steps; kept so that a list can be asked for by it.
    sa.Column("current_step_id", sa.Text, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Index("checklists_by_time", "create_us", "customer_id"),
    sa.Index("checklists_by_step", "current_step_id", "create_us", "customer_id"),
)

completed_steps = sa.Table(
    "completed_steps",
    METADATA,
    sa.Column("customer_id", KeyText, sa.ForeignKey("checklists.customer_id"), primary_key=True),
    sa.Column("step_id", KeyText, primary_key=True),
    sa.Column("complete_us", sa.BigInteger, nullable=False),
    sa.Column("given", sa.Text, nullable=False),
    # Without an approval: an empty approver and no time. Only persons approve, so their kind is not kept.
    sa.Column("approver_id", sa.Text, nullable=False),
    sa.Column("approver_role", sa.Text, nullable=False),
    sa.Column("approve_us", sa.BigInteger, nullable=True),
    sa.Column("approve_note", sa.Text, nullable=False),
)

connectors = sa.Table(
    "connectors",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("connector_key", KeyText, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("approver_id", sa.Text, nullable=False),
    sa.Column("approver_role", sa.Text, nullable=False),
    sa.Column("approve_us", sa.BigInteger, nullable=True),
    sa.Column("approve_note", sa.Text, nullable=False),
    sa.Column("opted_in_numbers", sa.BigInteger, nullable=True),
    sa.Column("audit_reference", sa.Text, nullable=False),
    sa.Column("audit_us", sa.BigInteger, nullable=True),
    # 1 and 0; NULL where nobody looked at the connection that stands.
    sa.Column("test_succeeded", sa.BigInteger, nullable=True),
    sa.Column("no_secret_in_logs", sa.BigInteger, nullable=True),
    sa.Column("check_reference", sa.Text, nullable=False),
    sa.Column("check_us", sa.BigInteger, nullable=True),
    # A JSON object of texts.
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

SCHEMA = ServiceSchema("onboarding", METADATA, Path(__file__).with_name("migrations"))

_STEP_COLUMNS = [c for c in completed_steps.c if c.name != "customer_id"]

_INSERT_CHECKLIST = sa.insert(checklists)
_MOVE_CHECKLIST = (
    sa.update(checklists)
    .where(checklists.c.customer_id == sa.bindparam("which"))
    .values(
        bundle_id=sa.bindparam("bundle_id", type_=sa.Text),
        current_step_id=sa.bindparam("current_step_id", type_=sa.Text),
        update_us=sa.bindparam("update_us", type_=sa.BigInteger),
        revision=sa.bindparam("revision", type_=sa.BigInteger),
    )
)
_GET_CHECKLIST = (
    sa.select(checklists, *_STEP_COLUMNS)
    .join_from(checklists, completed_steps, completed_steps.c.customer_id == checklists.c.customer_id, isouter=True)
    .where(checklists.c.customer_id == sa.bindparam("customer_id"))
)
_INSERT_STEP = sa.insert(completed_steps)
_DELETE_STEP = (
    sa.delete(completed_steps)
    .where(completed_steps.c.customer_id == sa.bindparam("customer_id"))
    .where(completed_steps.c.step_id == sa.bindparam("step_id"))
)
_INSERT_CONNECTOR = sa.insert(connectors)
_MOVE_CONNECTOR = (
    sa.update(connectors)
    .where(connectors.c.customer_id == sa.bindparam("customer"))
    .where(connectors.c.connector_key == sa.bindparam("connector"))
    .values(
        {column.name: sa.bindparam(column.name, type_=column.type) for column in connectors.c if not column.primary_key}
    )
)
_GET_CONNECTOR = (
    sa.select(connectors)
    .where(connectors.c.customer_id == sa.bindparam("customer_id"))
    .where(connectors.c.connector_key == sa.bindparam("connector_key"))
)
_CONNECTORS_OF = sa.select(connectors).where(connectors.c.customer_id == sa.bindparam("customer_id"))


def get_progress(tx: Tx, customer_id: str) -> Progress | None:
    """The checklist of a customer, or None."""
    return next(iter(_progresses(tx.all(_GET_CHECKLIST, {"customer_id": customer_id}))), None)


def insert_progress(tx: Tx, progress: Progress) -> None:
    """Stores a new checklist, none of whose steps is completed."""
    tx.run(
        _INSERT_CHECKLIST,
        {
            "customer_id": progress.customer_id,
            "create_us": to_micros(progress.checklist.created_at),
            **_moving(progress),
        },
    )


def save_progress(tx: Tx, before: Progress, after: Progress) -> None:
    """Writes what an update made of a checklist that exists, step by step."""
    tx.run(_MOVE_CHECKLIST, {"which": after.customer_id, **_moving(after)})
    for old, new in zip(before.checklist.steps, after.checklist.steps, strict=True):
        if old == new:
            continue
        if old.completed_at is not None:
            tx.run(_DELETE_STEP, {"customer_id": after.customer_id, "step_id": old.step_id})
        if new.completed_at is not None:
            tx.run(
                _INSERT_STEP,
                {
                    "customer_id": after.customer_id,
                    "step_id": new.step_id,
                    "complete_us": to_micros(new.completed_at),
                    "given": after.given.get(new.step_id, ""),
                    **_approval_columns(new.approval),
                },
            )


def page_of_progress(tx: Tx, current_step_id: str, after: Key | None, limit: int) -> list[Progress]:
    """At most ``limit`` checklists, newest first, after a key of `progress_key`; an empty step matches all."""
    params: dict[str, object] = {"limit": limit}
    if current_step_id:
        params["current_step_id"] = current_step_id
    if after is not None:
        params["after_us"], params["after_id"] = after
    return _progresses(tx.all(_list_statement(frozenset(params)), params))


def progress_key(progress: Progress) -> Key:
    """Where a checklist stands in a list of checklists."""
    return (to_micros(progress.checklist.created_at), progress.customer_id)


@cache
def _list_statement(names: frozenset[str]) -> sa.Select[Any]:
    """The list for one set of filters, made once each: there are four of them."""
    conditions = {
        "current_step_id": checklists.c.current_step_id == sa.bindparam("current_step_id"),
        "after_us": sa.tuple_(checklists.c.create_us, checklists.c.customer_id)
        < sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    page = (
        sa.select(checklists)
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(checklists.c.create_us.desc(), checklists.c.customer_id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
        .subquery("page")
    )
    return (
        sa.select(page, *_STEP_COLUMNS)
        .join_from(page, completed_steps, completed_steps.c.customer_id == page.c.customer_id, isouter=True)
        .order_by(page.c.create_us.desc(), page.c.customer_id.desc())
    )


def get_connection(tx: Tx, customer_id: str, connector_key: str) -> Connection | None:
    """A customer's connector, or None where nothing was done about it."""
    row = tx.one(_GET_CONNECTOR, {"customer_id": customer_id, "connector_key": connector_key})
    return _connection(row) if row is not None else None


def connections_of(tx: Tx, customer_id: str) -> dict[str, Connection]:
    """The customer's connectors about which something was done, by key."""
    return {row.connector_key: _connection(row) for row in tx.all(_CONNECTORS_OF, {"customer_id": customer_id})}


def save_connection(tx: Tx, before: Connection, after: Connection) -> None:
    """Writes what an update made of a connector, whether it has a row already or not."""
    audit, check = after.opt_in_audit, after.setup_check
    assert after.updated_at is not None
    values: dict[str, object] = {
        "state": after.state.value,
        **_approval_columns(after.approval),
        "opted_in_numbers": audit.opted_in_numbers if audit else None,
        "audit_reference": audit.reference if audit else "",
        "audit_us": to_micros(audit.audited_at) if audit else None,
        "test_succeeded": int(check.test_succeeded) if check else None,
        "no_secret_in_logs": int(check.no_secret_in_logs) if check else None,
        "check_reference": check.reference if check else "",
        "check_us": to_micros(check.checked_at) if check else None,
        "settings": json.dumps(dict(after.settings), ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        "update_us": to_micros(after.updated_at),
        "revision": after.revision,
    }
    if before.revision == 0:
        tx.run(_INSERT_CONNECTOR, {"customer_id": after.customer_id, "connector_key": after.connector_key, **values})
    else:
        tx.run(_MOVE_CONNECTOR, {"customer": after.customer_id, "connector": after.connector_key, **values})


def _moving(progress: Progress) -> dict[str, object]:
    return {
        "bundle_id": progress.checklist.bundle_id or "",
        "current_step_id": progress.checklist.current_step_id,
        "update_us": to_micros(progress.updated_at),
        "revision": progress.revision,
    }


def _approval_columns(approval: Approval | None) -> dict[str, object]:
    return {
        "approver_id": approval.approved_by if approval else "",
        "approver_role": approval.role if approval else "",
        "approve_us": to_micros(approval.approved_at) if approval else None,
        "approve_note": approval.note if approval else "",
    }


def _approval(row: Row) -> Approval | None:
    if row.approve_us is None:
        return None
    return Approval(
        approved_by=row.approver_id,
        approved_at=from_micros(row.approve_us),
        by_person=True,
        note=row.approve_note,
        role=row.approver_role,
    )


def _progresses(rows: Iterable[Row]) -> list[Progress]:
    """Checklists in the order of their first rows; each row holds a checklist and one of its completed steps, or none."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.customer_id, []).append(row)
    return [_progress(group) for group in grouped.values()]


def _progress(rows: list[Row]) -> Progress:
    head = rows[0]
    completed = {row.step_id: row for row in rows if row.step_id is not None}
    steps = tuple(
        StepState(step_id, from_micros(completed[step_id].complete_us), _approval(completed[step_id]))
        if step_id in completed
        else StepState(step_id)
        for step_id in STEP_IDS
    )
    return Progress(
        checklist=Checklist(head.customer_id, head.bundle_id or None, from_micros(head.create_us), steps),
        given=MappingProxyType({step_id: row.given for step_id, row in completed.items() if row.given}),
        updated_at=from_micros(head.update_us),
        revision=head.revision,
    )


def _connection(row: Row) -> Connection:
    audit = check = None
    if row.audit_us is not None:
        audit = OptInAudit(row.opted_in_numbers, row.audit_reference, from_micros(row.audit_us))
    if row.check_us is not None:
        check = SetupCheck(
            bool(row.test_succeeded), bool(row.no_secret_in_logs), from_micros(row.check_us), row.check_reference
        )
    return Connection(
        customer_id=row.customer_id,
        connector_key=row.connector_key,
        state=ConnectorState(row.state),
        approval=_approval(row),
        opt_in_audit=audit,
        settings=MappingProxyType(json.loads(row.settings)),
        setup_check=check,
        updated_at=from_micros(row.update_us),
        revision=row.revision,
    )
