"""What incidents have beyond their declaration: tasks, obligations that are due, action items, and what is open for whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.storage.schema import KeyText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FILL_OPEN = """
INSERT INTO open_incidents (customer_id, severity, create_us, incident_id)
SELECT coalesce(c.customer_id, ''), i.severity, i.create_us, i.incident_id
FROM incidents AS i LEFT JOIN incident_customers AS c ON c.incident_id = i.incident_id
WHERE i.is_open = 1 AND i.drill = 0
"""

# The clocks of incidents that are there already are looked at as soon as a service runs.
_START_CLOCKS = """
INSERT INTO timers (timer_id, kind, due_us)
SELECT 'incident/' || incident_id || '/obligations', 'obligations', create_us
FROM incidents WHERE drill = 0 AND state NOT IN ('closed', 'cancelled')
"""


def upgrade() -> None:
    for name, kind in (
        ("duplicate_of", sa.Text()),
        ("roles", sa.Text()),
        ("resolve_us", sa.BigInteger()),
        ("leak_aware_us", sa.BigInteger()),
        ("clocks_paused", sa.BigInteger()),
    ):
        op.add_column("incidents", sa.Column(name, kind, nullable=True))
    op.execute("UPDATE incidents SET leak_aware_us = aware_us WHERE data_leak = 1")
    for name in ("text_en", "subject", "detail"):
        op.add_column("timeline", sa.Column(name, sa.Text(), nullable=True))
    op.create_table(
        "open_incidents",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("severity", KeyText, nullable=False),
        sa.Column("create_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("incident_id", KeyText, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "severity", "create_us", "incident_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"]),
    )
    op.create_index("open_incidents_by_incident", "open_incidents", ["incident_id"])
    op.execute(_FILL_OPEN)
    op.execute(_START_CLOCKS)
    op.create_table(
        "plan_tasks",
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("done_us", sa.BigInteger(), nullable=True),
        sa.Column("done_by_kind", sa.Text(), nullable=False),
        sa.Column("done_by_id", sa.Text(), nullable=False),
        sa.Column("done_by_role", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("times_done", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "number"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"]),
    )
    op.create_table(
        "obligation_periods",
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("obligation_id", KeyText, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("is_open", sa.BigInteger(), nullable=False),
        sa.Column("kind", KeyText, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "obligation_id", "from_us"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"]),
    )
    key = ["due_us", "incident_id", "obligation_id"]
    op.create_index("obligation_periods_open", "obligation_periods", ["is_open", *key])
    op.create_index("obligation_periods_open_by_kind", "obligation_periods", ["is_open", "kind", *key])
    op.create_index("obligation_periods_by_due", "obligation_periods", key)
    op.create_index("obligation_periods_by_kind", "obligation_periods", ["kind", *key])
    op.create_table(
        "action_items",
        sa.Column("action_item_id", KeyText, nullable=False),
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("owner_id", KeyText, nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_open", sa.BigInteger(), nullable=False),
        sa.Column("breached_due_us", sa.BigInteger(), nullable=True),
        sa.Column("breaches", sa.BigInteger(), nullable=False),
        sa.Column("end_us", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("action_item_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"]),
    )
    key = ["due_us", "action_item_id"]
    op.create_index("action_items_by_due", "action_items", key)
    op.create_index("action_items_open", "action_items", ["is_open", *key])
    op.create_index("action_items_by_incident", "action_items", ["incident_id", *key])
    op.create_index("action_items_by_owner", "action_items", ["owner_id", *key])
    op.create_index("action_items_open_by_owner", "action_items", ["owner_id", "is_open", *key])


def downgrade() -> None:
    op.execute("DELETE FROM timers WHERE kind IN ('obligations', 'action_item')")
    for table in ("action_items", "obligation_periods", "plan_tasks", "open_incidents"):
        op.drop_table(table)
    for name in ("text_en", "subject", "detail"):
        op.drop_column("timeline", name)
    for name in ("duplicate_of", "roles", "resolve_us", "leak_aware_us", "clocks_paused"):
        op.drop_column("incidents", name)
