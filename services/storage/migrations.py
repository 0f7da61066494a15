"""Schema migrations: Alembic, run from code, the same numbered files for both engines.

A service keeps ``migrations/versions/0001_first.py`` and successors, each with ``revision = "0001"``,
``down_revision = None`` (or the number before), ``branch_labels = None``, ``depends_on = None``, ``upgrade()`` and
``downgrade()``. The first one makes the shared tables too::

    from services.storage.migrations import create_shared_v1

    def upgrade() -> None:
        create_shared_v1(op)
        op.create_table("tickets", ...)

A migration is never edited once merged; neither is ``create_shared_v1``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.operations import Operations

    from services.storage.database import ServiceSchema


def create_shared_v1(op: Operations) -> None:
    """Make the instance marker, the append-only ledger, its head, and the requests."""
    raise NotImplementedError


def needed_revision(schema: ServiceSchema) -> str:
    """The newest revision that the code comes with."""
    raise NotImplementedError


async def migrate(url: str, schema: ServiceSchema) -> str:
    """Bring the database up to :func:`needed_revision` and return it. Safe to call from several replicas at once."""
    raise NotImplementedError


async def current_revision(url: str) -> str:
    """The revision of the database, '' for none. ``StorageUnavailable`` when it cannot be reached."""
    raise NotImplementedError
