"""What a ticket's life leaves behind: waits, resolution, confirmation, messages, links, escalations, and when clocks press."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.storage.schema import KeyText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TICKET_COLUMNS = (
    ("waits_on", sa.Text),
    ("waiting_reason", sa.Text),
    ("resolve_us", sa.BigInteger),
    ("reopen_us", sa.BigInteger),
    ("confirmation", sa.Text),
    ("thanked", sa.BigInteger),
    ("draft_id", sa.Text),
)
_EVENT_COLUMNS = (
    ("priority", sa.Text),
    ("waits_on", sa.Text),
    ("escalation", sa.Text),
    ("draft_id", sa.Text),
    ("approval_id", sa.Text),
    ("sequence", sa.BigInteger),
)


def upgrade() -> None:
    for name, kind in _TICKET_COLUMNS:
        op.add_column("tickets", sa.Column(name, kind(), nullable=True))
    for name, kind in _EVENT_COLUMNS:
        op.add_column("sla_events", sa.Column(name, kind(), nullable=True))
    # Nothing raised a priority before this.
    op.execute(
        "UPDATE sla_events SET priority = (SELECT t.priority FROM tickets t WHERE t.ticket_id = sla_events.ticket_id) "
        "WHERE type = 'opened'"
    )
    op.create_table(
        "ticket_messages",
        sa.Column("message_id", KeyText, nullable=False),
        sa.Column("ticket_id", KeyText, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_ar", sa.Text(), nullable=False),
        sa.Column("body_en", sa.Text(), nullable=False),
        sa.Column("occur_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("thanks_only", sa.BigInteger(), nullable=False),
        sa.Column("draft_id", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.ticket_id"]),
    )
    op.create_index("ticket_messages_by_ticket", "ticket_messages", ["ticket_id", "occur_us", "message_id"])
    op.create_table(
        "ticket_links",
        sa.Column("ticket_id", KeyText, nullable=False),
        sa.Column("other_ticket_id", KeyText, nullable=False),
        sa.Column("kind", KeyText, nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "other_ticket_id", "kind"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.ticket_id"]),
        sa.ForeignKeyConstraint(["other_ticket_id"], ["tickets.ticket_id"]),
    )
    op.create_index("ticket_links_by_other", "ticket_links", ["other_ticket_id"])
    op.create_table(
        "escalations",
        sa.Column("ticket_id", KeyText, nullable=False),
        sa.Column("clock", KeyText, nullable=False),
        sa.Column("instance", KeyText, nullable=False),
        sa.Column("priority", KeyText, nullable=False),
        sa.Column("percent", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("draft_id", sa.Text(), nullable=False),
        sa.Column("cross_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "clock", "instance", "priority", "percent"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.ticket_id"]),
    )
    op.create_table(
        "clock_spans",
        sa.Column("ticket_id", KeyText, nullable=False),
        sa.Column("clock", KeyText, nullable=False),
        sa.Column("instance", KeyText, nullable=False),
        sa.Column("since_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("press_us", sa.BigInteger(), nullable=False),
        sa.Column("at_risk_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("late_us", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "clock", "instance", "since_us"),
    )
    op.create_index(
        "clock_spans_by_due", "clock_spans", ["until_us", "due_us", "ticket_id", "clock", "instance", "press_us"]
    )
    op.create_index("clock_spans_by_press", "clock_spans", ["until_us", "press_us"])
    op.create_index("clock_spans_by_customer", "clock_spans", ["customer_id", "until_us", "due_us"])
    # Whoever answers to these computes what is due; so tickets from before this get their spans and escalations.
    op.execute(
        "INSERT INTO timers (timer_id, kind, due_us) "
        "SELECT 'ticket/' || ticket_id || '/sla', 'sla', create_us FROM tickets WHERE state <> 'closed'"
    )


def downgrade() -> None:
    for table in ("clock_spans", "escalations", "ticket_links", "ticket_messages"):
        op.drop_table(table)
    for name, _ in _EVENT_COLUMNS:
        op.drop_column("sla_events", name)
    for name, _ in _TICKET_COLUMNS:
        op.drop_column("tickets", name)
