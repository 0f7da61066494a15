"""Weekly check-ins."""

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
        "check_ins",
        sa.Column("check_in_id", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("week_start", KeyText, nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("check_in_id"),
    )
    op.create_index("check_ins_by_week", "check_ins", ["customer_id", "week_start"], unique=True)
    op.create_index("check_ins_by_time", "check_ins", ["create_us", "check_in_id"])
    op.create_index("check_ins_by_customer", "check_ins", ["customer_id", "create_us", "check_in_id"])


def downgrade() -> None:
    op.drop_table("check_ins")
    drop_shared_v1(op)
