"""Post-mortems with their sign-offs, and notices with their filings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.storage.schema import KeyText

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _actor(prefix: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(f"{prefix}_{part}", sa.Text(), nullable=nullable) for part in ("kind", "id", "role")]


def upgrade() -> None:
    op.create_table(
        "post_mortems",
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_revision", sa.BigInteger(), nullable=False),
        *_actor("approver", nullable=True),
        sa.Column("approve_us", sa.BigInteger(), nullable=True),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"]),
    )
    op.create_index("post_mortems_by_time", "post_mortems", ["create_us", "incident_id"])
    op.create_index("post_mortems_by_state", "post_mortems", ["state", "create_us", "incident_id"])
    op.create_table(
        "post_mortem_sign_offs",
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("content_revision", sa.BigInteger(), nullable=False),
        *_actor("actor"),
        sa.Column("sign_us", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "number"),
        sa.ForeignKeyConstraint(["incident_id"], ["post_mortems.incident_id"]),
    )
    op.create_table(
        "notices",
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("blocks", sa.Text(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.incident_id"]),
    )
    op.create_table(
        "notice_filings",
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        *_actor("actor"),
        sa.Column("file_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("is_late", sa.BigInteger(), nullable=False),
        sa.Column("late_reason", sa.Text(), nullable=False),
        sa.Column("incomplete_reason", sa.Text(), nullable=False),
        sa.Column("missing", sa.Text(), nullable=False),
        # What was filed, word for word: a supplement may correct it, and nothing else keeps it.
        sa.Column("blocks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "number"),
        sa.ForeignKeyConstraint(["incident_id"], ["notices.incident_id"]),
    )


def downgrade() -> None:
    for table in ("notice_filings", "notices", "post_mortem_sign_offs", "post_mortems"):
        op.drop_table(table)
