"""Notes, and what all services share since their second migration."""

import sqlalchemy as sa
from alembic import op

from services.storage.migrations import create_shared_v2, drop_shared_v2

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_shared_v2(op)
    op.create_table(
        "notes",
        sa.Column("note_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("small", sa.Integer(), nullable=True),
        sa.Column("big", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.Float(53), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("note_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"]),
    )


def downgrade() -> None:
    op.drop_table("notes")
    drop_shared_v2(op)
