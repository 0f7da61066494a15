"""Shared tables and accounts."""

import sqlalchemy as sa
from alembic import op

from services.storage.migrations import create_shared_v1, drop_shared_v1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_shared_v1(op)
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
        sa.CheckConstraint("balance >= 0", name="balance_not_negative"),
    )


def downgrade() -> None:
    op.drop_table("accounts")
    drop_shared_v1(op)
