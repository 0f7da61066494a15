"""The plan against what happened, risk reviews, Proof Pack, acceptance, and the events and issues of connectors."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import sqlalchemy as sa
from alembic import op

from services.storage.schema import KeyText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXTS = {
    "checklists": ["start_date"],
    "completed_steps": ["actor_kind", "actor_id", "actor_role", "approval_id"],
    "connectors": [
        "audit_source",
        "auditor_id",
        "auditor_role",
        "check_action",
        "check_detail",
        "tester_kind",
        "tester_id",
        "tester_role",
        "linker_kind",
        "linker_id",
        "linker_role",
        "account",
    ],
}
# The working day of each step as it was when this was written; `done` waits for acceptance on the last.
_DAYS = {
    "select_goal": 1,
    "select_bundle": 1,
    "company_intake": 1,
    "connect_channels": 2,
    "upload_or_source": 3,
    "risk_review": 3,
    "first_service_run": 4,
    "first_proof_pack": 5,
    "done": 5,
}
_RIYADH = timezone(timedelta(hours=3))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    for table, names in _TEXTS.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("connectors", sa.Column("connect_us", sa.BigInteger(), nullable=True))
    op.add_column("checklists", sa.Column("due_us", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("checklists", sa.Column("accepted", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    _fill_in_due_times()
    op.create_index("checklists_by_due", "checklists", ["accepted", "due_us", "customer_id"])
    op.create_table(
        "step_blockers",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("end_us", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "number"),
    )
    op.create_table(
        "risk_reviews",
        sa.Column("review_id", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reviewer_id", sa.Text(), nullable=False),
        sa.Column("reviewer_role", sa.Text(), nullable=False),
        sa.Column("review_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("resolver_id", sa.Text(), nullable=False),
        sa.Column("resolver_role", sa.Text(), nullable=False),
        sa.Column("resolve_us", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("review_id"),
    )
    op.create_index("risk_reviews_by_customer", "risk_reviews", ["customer_id", "record_us", "review_id"])
    op.create_table(
        "proof_pack_records",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("person_role", sa.Text(), nullable=False),
        sa.Column("occur_us", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "event"),
    )
    op.create_table(
        "acceptances",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("accept_us", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("criteria", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_table(
        "connector_events",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("connector_key", KeyText, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("occur_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("outdated", sa.BigInteger(), nullable=False),
        sa.Column("succeeded", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "number"),
    )
    op.create_index("connector_events_by_key", "connector_events", ["customer_id", "connector_key", "number"])
    op.create_table(
        "connector_issues",
        sa.Column("issue_id", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("connector_key", KeyText, nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("seen_count", sa.BigInteger(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.Column("open_us", sa.BigInteger(), nullable=False),
        sa.Column("resolved", sa.BigInteger(), nullable=False),
        sa.Column("resolve_us", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("issue_id"),
    )
    op.create_index("connector_issues_by_time", "connector_issues", ["open_us", "issue_id"])
    op.create_index("connector_issues_open", "connector_issues", ["resolved", "open_us", "issue_id"])
    op.create_index("connector_issues_of_customer", "connector_issues", ["customer_id", "open_us", "issue_id"])
    op.create_index(
        "connector_issues_open_of_customer", "connector_issues", ["customer_id", "resolved", "open_us", "issue_id"]
    )


def downgrade() -> None:
    for table in (
        "connector_issues",
        "connector_events",
        "acceptances",
        "proof_pack_records",
        "risk_reviews",
        "step_blockers",
    ):
        op.drop_table(table)
    op.drop_index("checklists_by_due", "checklists")
    for name in ("accepted", "due_us"):
        op.drop_column("checklists", name)
    op.drop_column("connectors", "connect_us")
    for table, names in _TEXTS.items():
        for name in names:
            op.drop_column(table, name)


def _fill_in_due_times() -> None:
    """Gives each checklist that exists the end of the working day for which its current step is planned."""
    checklists = sa.table(
        "checklists",
        sa.column("customer_id", sa.Text()),
        sa.column("current_step_id", sa.Text()),
        sa.column("create_us", sa.BigInteger()),
        sa.column("due_us", sa.BigInteger()),
    )
    connection = op.get_bind()
    rows = connection.execute(
        sa.select(checklists.c.customer_id, checklists.c.current_step_id, checklists.c.create_us)
    ).all()
    for customer_id, step_id, create_us in rows:
        day = (_EPOCH + timedelta(microseconds=create_us)).astimezone(_RIYADH).date()
        left = _DAYS[step_id]
        while True:
            # Friday and Saturday are no working days.
            left -= day.weekday() not in (4, 5)
            day += timedelta(days=1)
            if not left:
                break
        due = datetime.combine(day, time(), _RIYADH)
        due_us = (due - _EPOCH) // timedelta(microseconds=1)
        connection.execute(sa.update(checklists).where(checklists.c.customer_id == customer_id).values(due_us=due_us))
