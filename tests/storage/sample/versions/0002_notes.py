"""Notes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
