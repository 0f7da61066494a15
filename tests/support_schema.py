"""Whether a service's migrations come to the tables that its code declares."""

from __future__ import annotations

import sqlite3
from typing import Any

import sqlalchemy as sa

from services.storage.database import ServiceSchema
from services.storage.migrations import differences, migrate, sqlite_path
from services.storage.postgres import make_engine


async def schema_differences(url: str, schema: ServiceSchema) -> list[Any]:
    """Migrate the database and compare it with shared and own tables; empty when they agree.

    Use with the ``database_url`` fixture::

        async def test_migrations_and_tables_agree(database_url: str) -> None:
            assert await schema_differences(database_url, SCHEMA) == []
    """
    await migrate(url, schema)
    if url.startswith("sqlite"):
        connection = sqlite3.connect(sqlite_path(url))
        try:
            engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=sa.pool.StaticPool)
            with engine.connect() as sync:
                return differences(sync, schema)
        finally:
            connection.close()
    server = make_engine(url, schema.name, poolclass=sa.pool.NullPool)
    try:
        async with server.connect() as link:
            return await link.run_sync(differences, schema)
    finally:
        await server.dispose()
