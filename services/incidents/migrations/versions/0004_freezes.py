"""Freezes of channels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.storage.schema import KeyText

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _actor(prefix: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(f"{prefix}_{part}", sa.Text(), nullable=nullable) for part in ("kind", "id", "role")]


def upgrade() -> None:
    op.create_table(
        "freezes",
        sa.Column("freeze_id", KeyText, nullable=False),
        sa.Column("channel", KeyText, nullable=False),
        sa.Column("customer_id", KeyText, nullable=False),
        sa.Column("incident_id", KeyText, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *_actor("actor"),
        sa.Column("freeze_us", sa.BigInteger(), nullable=False),
        sa.Column("is_active", sa.BigInteger(), nullable=False),
        *_actor("release_actor", nullable=True),
        sa.Column("release_us", sa.BigInteger(), nullable=True),
        sa.Column("release_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("freeze_id"),
    )
    key = ["freeze_us", "freeze_id"]
    op.create_index("freezes_by_time", "freezes", key)
    op.create_index("freezes_by_active", "freezes", ["is_active", *key])
    op.create_index("freezes_by_active_customer", "freezes", ["is_active", "customer_id", *key])
    op.create_index("freezes_by_customer", "freezes", ["customer_id", *key])
    op.create_index("freezes_by_channel", "freezes", ["channel", *key])
    op.create_index("freezes_by_incident", "freezes", ["incident_id", *key])


def downgrade() -> None:
    op.drop_table("freezes")
