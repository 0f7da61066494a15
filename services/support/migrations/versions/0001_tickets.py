"""Tickets and their SLA events."""

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
        "tickets",
        sa.Column("ticket_id", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("classification", sa.Text(), nullable=False),
        sa.Column("signals", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("follows_ticket_id", sa.Text(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id"),
    )
    op.create_index("tickets_by_time", "tickets", ["create_us", "ticket_id"])
    op.create_index("tickets_by_customer", "tickets", ["customer_id", "create_us", "ticket_id"])
    op.create_index("tickets_by_priority", "tickets", ["priority", "create_us", "ticket_id"])
    op.create_index("tickets_by_state", "tickets", ["state", "create_us", "ticket_id"])
    op.create_table(
        "sla_events",
        sa.Column("event_id", KeyText, nullable=False),
        sa.Column("ticket_id", KeyText, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("occur_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.ticket_id"]),
    )
    op.create_index("sla_events_by_ticket", "sla_events", ["ticket_id", "occur_us", "record_us", "event_id"])


def downgrade() -> None:
    op.drop_table("sla_events")
    op.drop_table("tickets")
    drop_shared_v1(op)
