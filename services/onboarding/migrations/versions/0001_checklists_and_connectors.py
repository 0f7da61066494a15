"""Checklists with their completed steps, and the connectors of customers."""

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
        "checklists",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("bundle_id", sa.Text(), nullable=False),
        sa.Column("current_step_id", sa.Text(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_index("checklists_by_time", "checklists", ["create_us", "customer_id"])
    op.create_index("checklists_by_step", "checklists", ["current_step_id", "create_us", "customer_id"])
    op.create_table(
        "completed_steps",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("step_id", KeyText, nullable=False),
        sa.Column("complete_us", sa.BigInteger(), nullable=False),
        sa.Column("given", sa.Text(), nullable=False),
        sa.Column("approver_id", sa.Text(), nullable=False),
        sa.Column("approver_role", sa.Text(), nullable=False),
        sa.Column("approve_us", sa.BigInteger(), nullable=True),
        sa.Column("approve_note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "step_id"),
        sa.ForeignKeyConstraint(["customer_id"], ["checklists.customer_id"]),
    )
    op.create_table(
        "connectors",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("connector_key", KeyText, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("approver_id", sa.Text(), nullable=False),
        sa.Column("approver_role", sa.Text(), nullable=False),
        sa.Column("approve_us", sa.BigInteger(), nullable=True),
        sa.Column("approve_note", sa.Text(), nullable=False),
        sa.Column("opted_in_numbers", sa.BigInteger(), nullable=True),
        sa.Column("audit_reference", sa.Text(), nullable=False),
        sa.Column("audit_us", sa.BigInteger(), nullable=True),
        sa.Column("test_succeeded", sa.BigInteger(), nullable=True),
        sa.Column("no_secret_in_logs", sa.BigInteger(), nullable=True),
        sa.Column("check_reference", sa.Text(), nullable=False),
        sa.Column("check_us", sa.BigInteger(), nullable=True),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "connector_key"),
    )


def downgrade() -> None:
    op.drop_table("connectors")
    op.drop_table("completed_steps")
    op.drop_table("checklists")
    drop_shared_v1(op)
