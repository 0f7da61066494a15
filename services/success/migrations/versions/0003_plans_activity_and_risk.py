"""Plans with their touchpoints, recorded activity, and risk over time; a check-in's text becomes a draft."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.storage.schema import KeyText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What a check-in says and where it stands is the draft's since now; one of before has none.
    op.add_column("check_ins", sa.Column("draft_id", KeyText))
    op.drop_column("check_ins", "state")
    op.create_table(
        "plans",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("bundle_id", sa.Text(), nullable=False),
        sa.Column("start_day", sa.BigInteger(), nullable=False),
        sa.Column("renewal_day", sa.BigInteger(), nullable=False),
        sa.Column("until_day", sa.BigInteger(), nullable=False),
        sa.Column("since_day", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("activate_us", sa.BigInteger(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_table(
        "plan_changes",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("bundle_id", sa.Text(), nullable=False),
        sa.Column("start_day", sa.BigInteger(), nullable=False),
        sa.Column("renewal_day", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "number"),
    )
    op.create_table(
        "touchpoints",
        sa.Column("touchpoint_id", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("slot", KeyText, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", KeyText, nullable=False),
        sa.Column("planned_day", sa.BigInteger(), nullable=False),
        sa.Column("due_day", sa.BigInteger(), nullable=False),
        sa.Column("open_day", sa.BigInteger()),
        sa.Column("plan_day", sa.BigInteger(), nullable=False),
        sa.Column("bundle_id", sa.Text(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("fire_us", sa.BigInteger()),
        sa.Column("draft_id", sa.Text(), nullable=False),
        sa.Column("check_in_id", sa.Text(), nullable=False),
        sa.Column("complete_us", sa.BigInteger()),
        sa.Column("completer_kind", sa.Text(), nullable=False),
        sa.Column("completer_id", sa.Text(), nullable=False),
        sa.Column("completer_role", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reschedule_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("touchpoint_id"),
    )
    op.create_index("touchpoints_by_slot", "touchpoints", ["customer_id", "generation", "slot"], unique=True)
    op.create_index("touchpoints_by_customer", "touchpoints", ["customer_id", "due_day", "touchpoint_id"])
    op.create_index("touchpoints_open", "touchpoints", ["open_day", "touchpoint_id"])
    op.create_table(
        "waited",
        sa.Column("node", sa.BigInteger(), nullable=False),
        sa.Column("due_day", sa.BigInteger(), nullable=False),
        sa.Column("touchpoint_id", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.PrimaryKeyConstraint("node", "due_day", "touchpoint_id"),
    )
    op.create_index("waited_of_customer", "waited", ["customer_id", "node", "due_day", "touchpoint_id"])
    op.create_table(
        "activities",
        sa.Column("activity_id", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("kind", KeyText, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("occur_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Float()),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("corrects", sa.Text(), nullable=False),
        sa.Column("corrected_by", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("activity_id"),
    )
    op.create_index("activities_by_time", "activities", ["customer_id", "occur_us", "activity_id"])
    op.create_index("activities_by_kind", "activities", ["customer_id", "kind", "occur_us", "activity_id"])
    op.create_index(
        "activities_counted", "activities", ["customer_id", "corrected_by", "kind", "day", "number", "occur_us"]
    )
    op.create_table(
        "risk_stretches",
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("start_day", sa.BigInteger(), nullable=False),
        sa.Column("end_day", sa.BigInteger(), nullable=False),
        sa.Column("standing", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "start_day"),
    )
    op.create_table(
        "risk_nodes",
        sa.Column("node", sa.BigInteger(), nullable=False),
        sa.Column("standing", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.PrimaryKeyConstraint("node", "standing", "customer_id"),
    )
    op.create_table(
        "at_risk_alerts",
        sa.Column("alert_id", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("level", KeyText, nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("draft_id", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id"),
    )
    op.create_index("at_risk_alerts_by_day", "at_risk_alerts", ["customer_id", "day", "level"], unique=True)
    op.create_index("at_risk_alerts_by_time", "at_risk_alerts", ["create_us", "alert_id"])
    op.create_index("at_risk_alerts_by_customer", "at_risk_alerts", ["customer_id", "create_us", "alert_id"])


def downgrade() -> None:
    for table in (
        "at_risk_alerts",
        "risk_nodes",
        "risk_stretches",
        "activities",
        "waited",
        "touchpoints",
        "plan_changes",
        "plans",
    ):
        op.drop_table(table)
    op.add_column("check_ins", sa.Column("state", sa.Text(), nullable=False, server_default="drafted"))
    op.drop_column("check_ins", "draft_id")
