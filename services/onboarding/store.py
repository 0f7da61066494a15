"""The tables and statements of onboarding: the only file that knows its SQL.

Times are microseconds since the epoch, UTC. A step has a row while it is completed, a connector once something was
done about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from services.domain.actors import ActorLike
from services.domain.texts import Bilingual
from services.onboarding.domain.approvals import Approval
from services.onboarding.domain.blockers import RecordedBlocker
from services.onboarding.domain.catalog import STEP_IDS, BlockingParty, ConnectorProblem, ConnectorState
from services.onboarding.domain.checklist import Checklist, Criterion, StepState
from services.onboarding.domain.connections import Connection, OptInAudit, OptInSource, SetupCheck, TestAction
from services.onboarding.domain.evidence import Evidence
from services.onboarding.domain.issues import Event, EventKind, Issue, Resolution
from services.onboarding.domain.progress import Progress
from services.onboarding.domain.proof import ProofPackEvent, ProofRecord, ProofRecords
from services.onboarding.domain.risk import RiskOutcome, RiskReview
from services.storage.database import Actor, Row, ServiceSchema, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText
from services.storage.times import from_micros, to_micros

METADATA = sa.MetaData()


class _OfCustomer(Protocol):
    @property
    def customer_id(self) -> str: ...


R = TypeVar("R", bound=_OfCustomer)

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
    # A date in Riyadh, YYYY-MM-DD; empty for the day of creation.
    sa.Column("start_date", sa.Text, nullable=False, server_default=sa.text("''")),
    # The end of the day for which the current step is planned: follows from both; kept so that lists begin with the latest.
    sa.Column("due_us", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("accepted", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Index("checklists_by_due", "accepted", "due_us", "customer_id"),
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
    # Empty for what was completed before it was kept.
    sa.Column("actor_kind", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("actor_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("actor_role", sa.Text, nullable=False, server_default=sa.text("''")),
    # The approval of a draft that was used up for it; empty for none.
    sa.Column("approval_id", sa.Text, nullable=False, server_default=sa.text("''")),
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
    sa.Column("audit_source", sa.Text, nullable=False, server_default=sa.text("''")),
    # Only persons audit, so their kind is not kept; empty where nobody said.
    sa.Column("auditor_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("auditor_role", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("check_action", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("check_detail", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("tester_kind", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("tester_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("tester_role", sa.Text, nullable=False, server_default=sa.text("''")),
    # Who made the present connection, and when.
    sa.Column("linker_kind", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("linker_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("linker_role", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("connect_us", sa.BigInteger, nullable=True),
    # A digest of the external account; empty where none was named.
    sa.Column("account", sa.Text, nullable=False, server_default=sa.text("''")),
)

# What persons said of who blocks a step; a row stays when it ends.
step_blockers = sa.Table(
    "step_blockers",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("step_id", sa.Text, nullable=False),
    sa.Column("party", sa.Text, nullable=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("end_us", sa.BigInteger, nullable=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
)

# Only persons review and resolve, so their kind is not kept.
risk_reviews = sa.Table(
    "risk_reviews",
    METADATA,
    sa.Column("review_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("finding", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("reviewer_id", sa.Text, nullable=False),
    sa.Column("reviewer_role", sa.Text, nullable=False),
    sa.Column("review_us", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("resolver_id", sa.Text, nullable=False),
    sa.Column("resolver_role", sa.Text, nullable=False),
    sa.Column("resolve_us", sa.BigInteger, nullable=True),
    sa.Column("resolution", sa.Text, nullable=False),
    sa.Index("risk_reviews_by_customer", "customer_id", "record_us", "review_id"),
)

proof_pack_records = sa.Table(
    "proof_pack_records",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("event", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, nullable=False),
    sa.Column("person_role", sa.Text, nullable=False),
    sa.Column("occur_us", sa.BigInteger, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
)

acceptances = sa.Table(
    "acceptances",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("accept_us", sa.BigInteger, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    # The criteria with their evidence as they stood then, as JSON.
    sa.Column("criteria", sa.Text, nullable=False),
)

# Append-only.
connector_events = sa.Table(
    "connector_events",
    METADATA,
    sa.Column("customer_id", KeyText, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("connector_key", KeyText, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("from_state", sa.Text, nullable=False),
    sa.Column("to_state", sa.Text, nullable=False),
    # Empty for none.
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("issue_id", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("occur_us", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("outdated", sa.BigInteger, nullable=False),
    # Of a test: 1 and 0; NULL for anything else.
    sa.Column("succeeded", sa.BigInteger, nullable=True),
    sa.Index("connector_events_by_key", "customer_id", "connector_key", "number"),
)

connector_issues = sa.Table(
    "connector_issues",
    METADATA,
    sa.Column("issue_id", KeyText, primary_key=True),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("connector_key", KeyText, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("seen_count", sa.BigInteger, nullable=False),
    sa.Column("first_us", sa.BigInteger, nullable=False),
    sa.Column("last_us", sa.BigInteger, nullable=False),
    sa.Column("open_us", sa.BigInteger, nullable=False),
    sa.Column("resolved", sa.BigInteger, nullable=False),
    sa.Column("resolve_us", sa.BigInteger, nullable=True),
    sa.Column("resolution", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Index("connector_issues_by_time", "open_us", "issue_id"),
    sa.Index("connector_issues_open", "resolved", "open_us", "issue_id"),
    sa.Index("connector_issues_of_customer", "customer_id", "open_us", "issue_id"),
    sa.Index("connector_issues_open_of_customer", "customer_id", "resolved", "open_us", "issue_id"),
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
        due_us=sa.bindparam("due_us", type_=sa.BigInteger),
    )
)
_ACCEPT_CHECKLIST = sa.update(checklists).where(checklists.c.customer_id == sa.bindparam("which")).values(accepted=1)
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


def insert_progress(tx: Tx, progress: Progress, due_at: datetime) -> None:
    """Stores a new checklist, none of whose steps is completed; ``due_at`` as in `save_progress`."""
    starts_on = progress.checklist.starts_on
    tx.run(
        _INSERT_CHECKLIST,
        {
            "customer_id": progress.customer_id,
            "create_us": to_micros(progress.checklist.created_at),
            "start_date": starts_on.isoformat() if starts_on is not None else "",
            "accepted": 0,
            **_moving(progress, due_at),
        },
    )


def save_progress(tx: Tx, before: Progress, after: Progress, due_at: datetime) -> None:
    """Writes what an update made of a checklist that exists, step by step. ``due_at`` ends the day for which its current step
    is planned."""
    tx.run(_MOVE_CHECKLIST, {"which": after.customer_id, **_moving(after, due_at)})
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
                    **actor_columns("actor", new.completed_by),
                    "approval_id": new.approval_id,
                },
            )


def mark_accepted(tx: Tx, customer_id: str) -> None:
    """Takes the checklist out of the list of those under way."""
    tx.run(_ACCEPT_CHECKLIST, {"which": customer_id})


@dataclass(frozen=True, slots=True)
class NewestPage:
    """At most ``limit`` checklists, newest first, after a key of `progress_key`; an empty step matches all."""

    current_step_id: str
    after: Key | None
    limit: int

    def params(self) -> dict[str, object]:
        """The parameters of the page's statements; their names say which conditions apply."""
        found: dict[str, object] = {"limit": self.limit}
        if self.current_step_id:
            found["current_step_id"] = self.current_step_id
        if self.after is not None:
            found["after_us"], found["after_id"] = self.after
        return found


@dataclass(frozen=True, slots=True)
class DuePage:
    """At most ``limit`` checklists under way or accepted, what was due first first, after a key of `due_key`; with
    ``late_before`` only those whose due day had ended by then."""

    accepted: bool
    late_before: datetime | None
    after: Key | None
    limit: int

    def params(self) -> dict[str, object]:
        """The parameters of the page's statements; their names say which conditions apply."""
        found: dict[str, object] = {"accepted": int(self.accepted), "limit": self.limit}
        if self.late_before is not None:
            found["late_us"] = to_micros(self.late_before)
        if self.after is not None:
            found["after_us"], found["after_id"] = self.after
        return found


def page_of_progress(tx: Tx, page: NewestPage | DuePage) -> list[Progress]:
    """The checklists of a page, in its order."""
    return _progresses(tx.all(*_query("checklists", page)))


def connections_on(tx: Tx, page: NewestPage | DuePage) -> dict[str, dict[str, Connection]]:
    """The connectors of the customers of a page, by customer and key."""
    found: dict[str, dict[str, Connection]] = {}
    for row in tx.all(*_query("connectors", page)):
        found.setdefault(row.customer_id, {})[row.connector_key] = _connection(row)
    return found


def blockers_on(tx: Tx, page: NewestPage | DuePage) -> dict[str, list[RecordedBlocker]]:
    """The recorded blockers of the customers of a page."""
    return _by_customer(_blocker(row) for row in tx.all(*_query("step_blockers", page)))


def reviews_on(tx: Tx, page: NewestPage | DuePage) -> dict[str, list[RiskReview]]:
    """The risk reviews of the customers of a page."""
    return _by_customer(_review(row) for row in tx.all(*_query("risk_reviews", page)))


def open_issues_on(tx: Tx, page: NewestPage | DuePage) -> dict[str, int]:
    """How many connector issues are open for the customers of a page; customers without any are left out."""
    return {row.customer_id: row.number for row in tx.all(*_query("connector_issues", page))}


def acceptances_on(tx: Tx, page: NewestPage | DuePage) -> dict[str, datetime]:
    """When the customers of a page were accepted; customers who were not are left out."""
    return {row.customer_id: from_micros(row.accept_us) for row in tx.all(*_query("acceptances", page))}


def progress_key(progress: Progress) -> Key:
    """Where a checklist stands in a `NewestPage`."""
    return (to_micros(progress.checklist.created_at), progress.customer_id)


def due_key(progress: Progress, due_at: datetime) -> Key:
    """Where a checklist stands in a `DuePage`."""
    return (to_micros(due_at), progress.customer_id)


def _query(what: str, page: NewestPage | DuePage) -> tuple[sa.Select[Any], dict[str, object]]:
    params = page.params()
    return _page_statement(what, isinstance(page, DuePage), frozenset(params)), params


@cache
def _page_statement(what: str, by_due: bool, names: frozenset[str]) -> sa.Select[Any]:
    """What is known of the customers of a page, for one set of conditions; made once each."""
    page = (_due_page if by_due else _newest_page)(names)
    if what == "checklists":
        order = (page.c.due_us, page.c.customer_id) if by_due else (page.c.create_us.desc(), page.c.customer_id.desc())
        return (
            sa.select(page, *_STEP_COLUMNS)
            .join_from(page, completed_steps, completed_steps.c.customer_id == page.c.customer_id, isouter=True)
            .order_by(*order)
        )
    table = METADATA.tables[what]
    if what == "connector_issues":
        return (
            sa.select(table.c.customer_id, sa.func.count().label("number"))
            .join_from(page, table, table.c.customer_id == page.c.customer_id)
            .where(table.c.resolved == 0)
            .group_by(table.c.customer_id)
        )
    return sa.select(table).join_from(page, table, table.c.customer_id == page.c.customer_id)


def _newest_page(names: frozenset[str]) -> sa.Subquery:
    conditions = {
        "current_step_id": checklists.c.current_step_id == sa.bindparam("current_step_id"),
        "after_us": sa.tuple_(checklists.c.create_us, checklists.c.customer_id)
        < sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        sa.select(checklists)
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(checklists.c.create_us.desc(), checklists.c.customer_id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
        .subquery("page")
    )


def _due_page(names: frozenset[str]) -> sa.Subquery:
    conditions = {
        "late_us": checklists.c.due_us <= sa.bindparam("late_us", type_=sa.BigInteger),
        "after_us": sa.tuple_(checklists.c.due_us, checklists.c.customer_id)
        > sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        sa.select(checklists)
        .where(checklists.c.accepted == sa.bindparam("accepted", type_=sa.BigInteger))
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(checklists.c.due_us, checklists.c.customer_id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
        .subquery("page")
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
        "no_secret_in_logs": int(check.no_secret_in_logs) if check and check.no_secret_in_logs is not None else None,
        "check_reference": check.reference if check else "",
        "check_us": to_micros(check.checked_at) if check else None,
        "settings": json.dumps(dict(after.settings), ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        "update_us": to_micros(after.updated_at),
        "revision": after.revision,
        "audit_source": audit.source.value if audit else "",
        "auditor_id": audit.auditor.id if audit and audit.auditor else "",
        "auditor_role": audit.auditor.role if audit and audit.auditor else "",
        "check_action": check.action.value if check else "",
        "check_detail": check.detail if check else "",
        **actor_columns("tester", check.tester if check else None),
        **actor_columns("linker", after.connected_by),
        "connect_us": to_micros(after.connected_at) if after.connected_at else None,
        "account": after.account,
    }
    if before.revision == 0:
        tx.run(_INSERT_CONNECTOR, {"customer_id": after.customer_id, "connector_key": after.connector_key, **values})
    else:
        tx.run(_MOVE_CONNECTOR, {"customer": after.customer_id, "connector": after.connector_key, **values})


def actor_columns(prefix: str, actor: ActorLike | None) -> dict[str, object]:
    """An actor as three columns, empty for none."""
    return {
        f"{prefix}_kind": actor.kind if actor else "",
        f"{prefix}_id": actor.id if actor else "",
        f"{prefix}_role": actor.role if actor else "",
    }


def actor_of(row: Row, prefix: str) -> Actor | None:
    """The actor of three columns; None where they are empty."""
    kind, actor_id, role = (getattr(row, f"{prefix}_{part}") for part in ("kind", "id", "role"))
    return Actor(kind, actor_id, role) if actor_id else None


def _moving(progress: Progress, due_at: datetime) -> dict[str, object]:
    return {
        "due_us": to_micros(due_at),
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
        StepState(
            step_id,
            from_micros(completed[step_id].complete_us),
            _approval(completed[step_id]),
            actor_of(completed[step_id], "actor"),
            completed[step_id].approval_id,
        )
        if step_id in completed
        else StepState(step_id)
        for step_id in STEP_IDS
    )
    return Progress(
        checklist=Checklist(
            head.customer_id,
            head.bundle_id or None,
            from_micros(head.create_us),
            steps,
            date.fromisoformat(head.start_date) if head.start_date else None,
        ),
        given=MappingProxyType({step_id: row.given for step_id, row in completed.items() if row.given}),
        updated_at=from_micros(head.update_us),
        revision=head.revision,
    )


def _connection(row: Row) -> Connection:
    audit = check = None
    if row.audit_us is not None:
        audit = OptInAudit(
            row.opted_in_numbers,
            row.audit_reference,
            from_micros(row.audit_us),
            OptInSource(row.audit_source or "unspecified"),
            Actor("person", row.auditor_id, row.auditor_role) if row.auditor_id else None,
        )
    if row.check_us is not None:
        check = SetupCheck(
            bool(row.test_succeeded),
            bool(row.no_secret_in_logs) if row.no_secret_in_logs is not None else None,
            from_micros(row.check_us),
            row.check_reference,
            TestAction(row.check_action or "unspecified"),
            row.check_detail,
            actor_of(row, "tester"),
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
        connected_at=from_micros(row.connect_us) if row.connect_us is not None else None,
        connected_by=actor_of(row, "linker"),
        account=row.account,
    )


# --- what happened around them ---------------------------------------------------------------------------------------

_INSERT_BLOCKER = sa.insert(step_blockers)
_END_BLOCKER = (
    sa.update(step_blockers)
    .where(step_blockers.c.customer_id == sa.bindparam("customer"))
    .where(step_blockers.c.number == sa.bindparam("which"))
    .values(end_us=sa.bindparam("end_us", type_=sa.BigInteger))
)
_BLOCKERS_OF = (
    sa.select(step_blockers)
    .where(step_blockers.c.customer_id == sa.bindparam("customer_id"))
    .order_by(step_blockers.c.number)
)
_INSERT_REVIEW = sa.insert(risk_reviews)
_RESOLVE_REVIEW = (
    sa.update(risk_reviews)
    .where(risk_reviews.c.review_id == sa.bindparam("which"))
    .values({name: sa.bindparam(name) for name in ("resolver_id", "resolver_role", "resolve_us", "resolution")})
)
_REVIEWS_OF = (
    sa.select(risk_reviews)
    .where(risk_reviews.c.customer_id == sa.bindparam("customer_id"))
    .order_by(risk_reviews.c.record_us.desc(), risk_reviews.c.review_id.desc())
)
_INSERT_PROOF = sa.insert(proof_pack_records)
_PROOFS_OF = sa.select(proof_pack_records).where(proof_pack_records.c.customer_id == sa.bindparam("customer_id"))
_INSERT_ACCEPTANCE = sa.insert(acceptances)
_GET_ACCEPTANCE = sa.select(acceptances).where(acceptances.c.customer_id == sa.bindparam("customer_id"))
_INSERT_EVENT = sa.insert(connector_events)
_LAST_EVENT = sa.select(sa.func.max(connector_events.c.number).label("number")).where(
    connector_events.c.customer_id == sa.bindparam("customer_id")
)
_INSERT_ISSUE = sa.insert(connector_issues)
_MOVE_ISSUE = (
    sa.update(connector_issues)
    .where(connector_issues.c.issue_id == sa.bindparam("which"))
    .values(
        {
            column.name: sa.bindparam(column.name, type_=column.type)
            for column in connector_issues.c
            if column.name not in ("issue_id", "customer_id", "connector_key", "problem", "open_us")
        }
    )
)
_OPEN_ISSUES_OF = (
    sa.select(connector_issues)
    .where(connector_issues.c.customer_id == sa.bindparam("customer_id"))
    .where(connector_issues.c.resolved == 0)
    .order_by(connector_issues.c.open_us, connector_issues.c.issue_id)
)


@dataclass(frozen=True, slots=True)
class StoredAcceptance:
    """A customer accepted as onboarded; ``criteria`` as they stood then."""

    customer_id: str
    accepted_at: datetime
    accepter: Actor
    criteria: tuple[Criterion, ...]


def insert_blocker(tx: Tx, blocker: RecordedBlocker) -> None:
    """Stores what a person said of a step."""
    tx.run(
        _INSERT_BLOCKER,
        {
            "customer_id": blocker.customer_id,
            "number": blocker.number,
            "step_id": blocker.step_id,
            "party": blocker.party.value,
            "since_us": to_micros(blocker.since),
            "end_us": None,
            "note": blocker.note,
            **actor_columns("actor", blocker.recorder),
        },
    )


def end_blocker(tx: Tx, blocker: RecordedBlocker, at: datetime) -> None:
    """Ends a recorded blocker."""
    tx.run(_END_BLOCKER, {"customer": blocker.customer_id, "which": blocker.number, "end_us": to_micros(at)})


def blockers_of(tx: Tx, customer_id: str) -> list[RecordedBlocker]:
    """The customer's recorded blockers, ended ones too, in the order in which they were recorded."""
    return [_blocker(row) for row in tx.all(_BLOCKERS_OF, {"customer_id": customer_id})]


def insert_review(tx: Tx, review: RiskReview) -> None:
    """Stores a risk review."""
    tx.run(
        _INSERT_REVIEW,
        {
            "review_id": review.review_id,
            "customer_id": review.customer_id,
            "outcome": review.outcome.value,
            "finding": review.finding,
            "reference": review.reference,
            "reviewer_id": review.reviewer.id,
            "reviewer_role": review.reviewer.role,
            "review_us": to_micros(review.reviewed_at),
            "record_us": to_micros(review.recorded_at),
            **_resolving(review),
        },
    )


def resolve_review(tx: Tx, review: RiskReview) -> None:
    """Writes the founder's decision about what a review found."""
    tx.run(_RESOLVE_REVIEW, {"which": review.review_id, **_resolving(review)})


def reviews_of(tx: Tx, customer_id: str) -> list[RiskReview]:
    """The customer's risk reviews, newest first."""
    return [_review(row) for row in tx.all(_REVIEWS_OF, {"customer_id": customer_id})]


def insert_proof(tx: Tx, customer_id: str, event: ProofPackEvent, fact: ProofRecord) -> None:
    """Stores what happened to Proof Pack v1."""
    tx.run(
        _INSERT_PROOF,
        {
            "customer_id": customer_id,
            "event": event.value,
            "person_id": fact.person.id,
            "person_role": fact.person.role,
            "occur_us": to_micros(fact.occurred_at),
            "reference": fact.reference,
            **actor_columns("actor", fact.recorder),
            "record_us": to_micros(fact.recorded_at),
        },
    )


def proofs_of(tx: Tx, customer_id: str) -> ProofRecords:
    """What is recorded of the customer's Proof Pack v1."""
    found = {
        row.event: ProofRecord(
            Actor("person", row.person_id, row.person_role),
            from_micros(row.occur_us),
            row.reference,
            Actor(row.actor_kind, row.actor_id, row.actor_role),
            from_micros(row.record_us),
        )
        for row in tx.all(_PROOFS_OF, {"customer_id": customer_id})
    }
    return ProofRecords(found.get(ProofPackEvent.DELIVERED), found.get(ProofPackEvent.APPROVED))


def insert_acceptance(tx: Tx, acceptance: StoredAcceptance) -> None:
    """Stores an acceptance with its evidence."""
    tx.run(
        _INSERT_ACCEPTANCE,
        {
            "customer_id": acceptance.customer_id,
            "accept_us": to_micros(acceptance.accepted_at),
            "actor_id": acceptance.accepter.id,
            "actor_role": acceptance.accepter.role,
            "criteria": json.dumps([_criterion_data(c) for c in acceptance.criteria], ensure_ascii=False),
        },
    )


def get_acceptance(tx: Tx, customer_id: str) -> StoredAcceptance | None:
    """The customer's acceptance, or None."""
    row = tx.one(_GET_ACCEPTANCE, {"customer_id": customer_id})
    if row is None:
        return None
    return StoredAcceptance(
        customer_id,
        from_micros(row.accept_us),
        Actor("person", row.actor_id, row.actor_role),
        tuple(_criterion(data) for data in json.loads(row.criteria)),
    )


def append_events(tx: Tx, customer_id: str, events: Sequence[Event]) -> None:
    """Appends to the history of a customer's connectors."""
    if not events:
        return
    last = tx.one(_LAST_EVENT, {"customer_id": customer_id})
    start = (last.number or 0) if last is not None else 0
    for number, event in enumerate(events, start=start + 1):
        tx.run(
            _INSERT_EVENT,
            {
                "customer_id": customer_id,
                "number": number,
                "connector_key": event.connector_key,
                "kind": event.kind.value,
                "from_state": event.before.value,
                "to_state": event.after.value,
                "problem": event.problem.value if event.problem is not None else "",
                "issue_id": event.issue_id,
                "detail": event.detail,
                "reference": event.reference,
                **actor_columns("actor", event.actor),
                "occur_us": to_micros(event.occurred_at),
                "record_us": to_micros(event.recorded_at),
                "outdated": int(event.outdated),
                "succeeded": int(event.succeeded) if event.succeeded is not None else None,
            },
        )


def page_of_events(tx: Tx, customer_id: str, connector_key: str, after: Key | None, limit: int) -> list[Event]:
    """At most ``limit`` events of a customer, newest first, after a number; an empty connector matches all."""
    params: dict[str, object] = {"customer_id": customer_id, "limit": limit}
    if connector_key:
        params["connector_key"] = connector_key
    if after is not None:
        params["after"] = after[0]
    return [_event(row) for row in tx.all(_events_statement(frozenset(params)), params)]


def insert_issue(tx: Tx, issue: Issue) -> None:
    """Stores an issue that was opened."""
    tx.run(
        _INSERT_ISSUE,
        {
            "issue_id": issue.issue_id,
            "customer_id": issue.customer_id,
            "connector_key": issue.connector_key,
            "problem": issue.problem.value,
            "open_us": to_micros(issue.opened_at),
            **_issue_moving(issue),
        },
    )


def save_issue(tx: Tx, issue: Issue) -> None:
    """Writes what became of an issue."""
    tx.run(_MOVE_ISSUE, {"which": issue.issue_id, **_issue_moving(issue)})


def open_issues_of(tx: Tx, customer_id: str) -> list[Issue]:
    """The customer's open issues, oldest first."""
    return [_issue(row) for row in tx.all(_OPEN_ISSUES_OF, {"customer_id": customer_id})]


def page_of_issues(
    tx: Tx, customer_id: str, connector_key: str, include_resolved: bool, after: Key | None, limit: int
) -> list[Issue]:
    """At most ``limit`` issues, oldest first, after a key of `issue_key`; empty filters match all."""
    params: dict[str, object] = {"limit": limit}
    if customer_id:
        params["customer_id"] = customer_id
    if connector_key:
        params["connector_key"] = connector_key
    if not include_resolved:
        params["resolved"] = 0
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_issue(row) for row in tx.all(_issues_statement(frozenset(params)), params)]


def issue_key(issue: Issue) -> Key:
    """Where an issue stands in a list of issues."""
    return (to_micros(issue.opened_at), issue.issue_id)


@cache
def _events_statement(names: frozenset[str]) -> sa.Select[Any]:
    table = connector_events
    conditions = {
        "connector_key": table.c.connector_key == sa.bindparam("connector_key"),
        "after": table.c.number < sa.bindparam("after", type_=sa.BigInteger),
    }
    return (
        sa.select(table)
        .where(table.c.customer_id == sa.bindparam("customer_id"))
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(table.c.number.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


@cache
def _issues_statement(names: frozenset[str]) -> sa.Select[Any]:
    table = connector_issues
    conditions = {
        "customer_id": table.c.customer_id == sa.bindparam("customer_id"),
        "connector_key": table.c.connector_key == sa.bindparam("connector_key"),
        "resolved": table.c.resolved == sa.bindparam("resolved", type_=sa.BigInteger),
        "after_us": sa.tuple_(table.c.open_us, table.c.issue_id)
        > sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        sa.select(table)
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(table.c.open_us, table.c.issue_id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _by_customer(found: Iterable[R]) -> dict[str, list[R]]:
    grouped: dict[str, list[R]] = {}
    for item in found:
        grouped.setdefault(item.customer_id, []).append(item)
    return grouped


def _blocker(row: Row) -> RecordedBlocker:
    return RecordedBlocker(
        customer_id=row.customer_id,
        step_id=row.step_id,
        number=row.number,
        party=BlockingParty(row.party),
        since=from_micros(row.since_us),
        note=row.note,
        recorder=Actor(row.actor_kind, row.actor_id, row.actor_role),
        ended_at=from_micros(row.end_us) if row.end_us is not None else None,
    )


def _resolving(review: RiskReview) -> dict[str, object]:
    return {
        "resolver_id": review.resolver.id if review.resolver else "",
        "resolver_role": review.resolver.role if review.resolver else "",
        "resolve_us": to_micros(review.resolved_at) if review.resolved_at is not None else None,
        "resolution": review.resolution,
    }


def _review(row: Row) -> RiskReview:
    return RiskReview(
        review_id=row.review_id,
        customer_id=row.customer_id,
        outcome=RiskOutcome(row.outcome),
        finding=row.finding,
        reference=row.reference,
        reviewer=Actor("person", row.reviewer_id, row.reviewer_role),
        reviewed_at=from_micros(row.review_us),
        recorded_at=from_micros(row.record_us),
        resolver=Actor("person", row.resolver_id, row.resolver_role) if row.resolver_id else None,
        resolved_at=from_micros(row.resolve_us) if row.resolve_us is not None else None,
        resolution=row.resolution,
    )


def _criterion_data(criterion: Criterion) -> dict[str, object]:
    return {
        "id": criterion.id,
        "title": [criterion.title.ar, criterion.title.en],
        "evidence": [criterion.evidence.ar, criterion.evidence.en],
        "shown_by": [
            [
                item.subject,
                [item.actor.kind, item.actor.id, item.actor.role] if item.actor is not None else None,
                to_micros(item.at) if item.at is not None else None,
                item.reference,
            ]
            for item in criterion.shown_by
        ],
    }


def _criterion(data: dict[str, Any]) -> Criterion:
    """A criterion of an acceptance: all of them were met."""
    return Criterion(
        id=data["id"],
        title=Bilingual(*data["title"]),
        met=True,
        missing=(),
        evidence=Bilingual(*data["evidence"]),
        shown_by=tuple(
            Evidence(subject, Actor(*who) if who else None, from_micros(us) if us is not None else None, reference)
            for subject, who, us, reference in data["shown_by"]
        ),
    )


def _event(row: Row) -> Event:
    return Event(
        customer_id=row.customer_id,
        connector_key=row.connector_key,
        kind=EventKind(row.kind),
        before=ConnectorState(row.from_state),
        after=ConnectorState(row.to_state),
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        occurred_at=from_micros(row.occur_us),
        recorded_at=from_micros(row.record_us),
        problem=ConnectorProblem(row.problem) if row.problem else None,
        issue_id=row.issue_id,
        detail=row.detail,
        reference=row.reference,
        outdated=bool(row.outdated),
        succeeded=bool(row.succeeded) if row.succeeded is not None else None,
        number=row.number,
    )


def _issue_moving(issue: Issue) -> dict[str, object]:
    return {
        "seen_count": issue.count,
        "first_us": to_micros(issue.first_at),
        "last_us": to_micros(issue.last_at),
        "resolved": int(not issue.open),
        "resolve_us": to_micros(issue.resolved_at) if issue.resolved_at is not None else None,
        "resolution": issue.resolution.value if issue.resolution is not None else "",
        **actor_columns("actor", issue.resolver),
    }


def _issue(row: Row) -> Issue:
    return Issue(
        issue_id=row.issue_id,
        customer_id=row.customer_id,
        connector_key=row.connector_key,
        problem=ConnectorProblem(row.problem),
        count=row.seen_count,
        first_at=from_micros(row.first_us),
        last_at=from_micros(row.last_us),
        opened_at=from_micros(row.open_us),
        resolved_at=from_micros(row.resolve_us) if row.resolve_us is not None else None,
        resolution=Resolution(row.resolution) if row.resolution else None,
        resolver=actor_of(row, "actor"),
    )
