"""Migrations: the same files for every engine, run once, agreeing with the tables the code declares."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa

from services.storage.database import ServiceSchema
from services.storage.errors import StorageError, StorageRefused, StorageUnavailable
from services.storage.migrations import (
    SNAPSHOT,
    check_snapshot,
    current_revision,
    migrate,
    needed_revision,
    render_snapshot,
    sqlite_path,
)
from tests.storage.conftest import Opener, accounts, add_account, request, verified
from tests.storage.sample import SCHEMA
from tests.support_schema import schema_differences


@pytest.fixture
def older(tmp_path: Path) -> ServiceSchema:
    """The sample service as it was before its second migration."""
    folder = tmp_path / "older"
    (folder / "versions").mkdir(parents=True)
    shutil.copy(SCHEMA.migrations / "versions" / "0001_first.py", folder / "versions")
    return replace(SCHEMA, migrations=folder)


async def test_the_migrations_come_to_the_declared_tables(database_url: str) -> None:
    assert await schema_differences(database_url, SCHEMA) == []


async def test_a_table_that_no_migration_makes_shows(database_url: str) -> None:
    metadata = sa.MetaData()
    for table in SCHEMA.metadata.tables.values():
        table.to_metadata(metadata)
    sa.Table("forgotten", metadata, sa.Column("id", sa.Text, primary_key=True))
    assert await schema_differences(database_url, replace(SCHEMA, metadata=metadata)) != []


async def test_an_older_database_is_brought_up_to_date_and_keeps_its_content(
    opener: Opener, older: ServiceSchema
) -> None:
    database = await opener(older)
    await database.write(request(), add_account("a"))
    await database.close()
    assert await current_revision(opener.url) == "0001"
    database = await opener()
    assert await current_revision(opener.url) == "0002" == needed_revision(SCHEMA)
    assert await accounts(database) == {"a": 0}
    assert (await verified(database)).ok


async def test_without_auto_migrate_health_names_both_revisions(opener: Opener, older: ServiceSchema) -> None:
    await (await opener(older)).close()
    database = await opener(auto_migrate=False)
    health = await database.health()
    assert (health.ok, health.found_revision, health.needed_revision) == (False, "0001", "0002")
    assert "0001" in health.detail
    assert "0002" in health.detail
    with pytest.raises(StorageUnavailable):
        await database.write(request(), add_account("a"))
    with pytest.raises(StorageUnavailable):
        await accounts(database)


async def test_an_empty_database_without_auto_migrate_is_unhealthy_and_stays_empty(opener: Opener) -> None:
    database = await opener(auto_migrate=False)
    health = await database.health()
    assert (health.ok, health.found_revision, health.needed_revision) == (False, "", "0002")
    await database.close()
    assert await current_revision(opener.url) == ""
    assert await migrate(opener.url, SCHEMA) == "0002"
    assert (await (await opener(auto_migrate=False)).health()).ok


@pytest.mark.parametrize("revision", ["0002", "0999", "0001x", "main", "0"])
async def test_a_database_at_a_revision_that_the_code_does_not_know_needs_newer_code(
    opener: Opener, older: ServiceSchema, revision: str
) -> None:
    await (await opener()).close()
    if revision != "0002":
        await set_revision(opener.url, revision)
    told = f"revision {revision}, which this code does not know, as it goes up to 0001: run the newer code"
    for attempt in (opener(older), migrate(opener.url, older)):
        with pytest.raises(StorageRefused, match=told):
            await attempt
    database = await opener(older, auto_migrate=False)
    health = await database.health()
    assert (health.ok, health.found_revision, health.needed_revision) == (False, revision, "0001")
    assert told in health.detail
    with pytest.raises(StorageUnavailable, match=told):
        await database.write(request(), add_account("a"))
    assert await current_revision(opener.url) == revision


async def set_revision(url: str, revision: str) -> None:
    """As a database says that is not this code's."""
    statement = f"UPDATE alembic_version SET version_num = '{revision}'"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(url))) as connection, connection:
            connection.execute(statement)
    else:
        server = await asyncpg.connect(url)
        await server.execute(statement)
        await server.close()


async def test_another_services_database_is_not_migrated(opener: Opener) -> None:
    await (await opener()).close()
    with pytest.raises(StorageRefused, match="belongs to sample"):
        await migrate(opener.url, replace(SCHEMA, name="other"))


async def test_several_replicas_may_start_at_once(postgres_opener: Opener) -> None:
    databases = await asyncio.gather(*(postgres_opener() for _ in range(4)))
    assert [(await database.health()).ok for database in databases] == [True] * 4
    assert (await verified(databases[0])).ok


async def test_a_migration_that_fails_leaves_the_database_as_it_was(opener: Opener, older: ServiceSchema) -> None:
    database = await opener(older)
    await database.write(request(), add_account("a"))
    await database.close()
    (older.migrations / "versions" / "0002_broken.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        "revision, down_revision, branch_labels, depends_on = '0002', '0001', None, None\n"
        "def upgrade():\n"
        "    op.create_table('half', sa.Column('id', sa.Text()))\n"
        "    op.execute('UPDATE nothing SET x = 1')\n"
    )
    with pytest.raises(StorageError):
        await opener(older)
    assert await current_revision(opener.url) == "0001"
    # The good second migration makes its own table in the same place.
    assert await accounts(await opener()) == {"a": 0}


async def test_a_fresh_file_is_made_from_the_snapshot_where_there_is_one(sqlite_opener: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(SCHEMA.migrations, folder)
    schema = replace(SCHEMA, migrations=folder)
    with pytest.raises(AssertionError):
        check_snapshot(schema)
    (folder / SNAPSHOT).write_text(render_snapshot(schema) + "\nCREATE TABLE only_in_snapshot (x TEXT);")
    with pytest.raises(AssertionError):
        check_snapshot(schema)
    await (await sqlite_opener(schema)).close()
    assert "only_in_snapshot" in str(await schema_differences(sqlite_opener.url, SCHEMA))
    (folder / SNAPSHOT).write_text(render_snapshot(schema))
    check_snapshot(schema)
    sqlite_opener.url = f"sqlite:///{tmp_path}/good.db"
    await (await sqlite_opener(schema)).close()
    assert await schema_differences(sqlite_opener.url, SCHEMA) == []


async def test_a_snapshot_of_an_older_revision_is_brought_up_to_date(
    sqlite_opener: Opener, older: ServiceSchema
) -> None:
    (older.migrations / SNAPSHOT).write_text(render_snapshot(older))
    shutil.copy(SCHEMA.migrations / "versions" / "0002_notes.py", older.migrations / "versions")
    await (await sqlite_opener(older)).close()
    assert await schema_differences(sqlite_opener.url, SCHEMA) == []
