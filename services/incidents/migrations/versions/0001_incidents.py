"""Incidents, the customers that they name, and their timelines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.storage.migrations import create_shared_v1, drop_shared_v1
from services.storage.schema import KeyText

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_shared_v1(op)
    op.create_table(
        "incidents",
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("triage", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_open", sa.BigInteger(), nullable=False),
        sa.Column("customer_ids", sa.Text(), nullable=False),
        sa.Column("ticket_ids", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("data_leak", sa.BigInteger(), nullable=False),
        sa.Column("unauthorized_send", sa.BigInteger(), nullable=False),
        sa.Column("drill", sa.BigInteger(), nullable=False),
        sa.Column("aware_us", sa.BigInteger(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id"),
    )
    op.create_index("incidents_by_time", "incidents", ["create_us", "incident_id"])
    op.create_index("incidents_by_open", "incidents", ["is_open", "create_us", "incident_id"])
    op.create_index("incidents_by_state", "incidents", ["state", "create_us", "incident_id"])
    op.create_index("incidents_by_severity", "incidents", ["severity", "create_us", "incident_id"])
    op.create_table(
        "incident_customers",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("create_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("incident_id", KeyText, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "create_us", "incident_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"]),
    )
    op.create_table(
        "timeline",
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("occur_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "number"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"]),
    )


def downgrade() -> None:
    op.drop_table("timeline")
    op.drop_table("incident_customers")
    op.drop_table("incidents")
    drop_shared_v1(op)
