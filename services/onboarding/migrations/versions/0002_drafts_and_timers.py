"""Drafts with their approvals, and timers."""

from __future__ import annotations

from alembic import op

from services.storage.migrations import create_shared_v2, drop_shared_v2

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_shared_v2(op)


def downgrade() -> None:
    drop_shared_v2(op)
