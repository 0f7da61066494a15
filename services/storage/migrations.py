"""Schema migrations: Alembic, run from code, the same numbered files for both engines.

A service keeps ``migrations/versions/0001_first.py`` and successors, each with ``revision = "0001"``,
``down_revision = None`` (or the number before), ``branch_labels = None``, ``depends_on = None``, ``upgrade()`` and
``downgrade()``. The first one makes the shared tables too::

    from alembic import op
    from services.storage.migrations import create_shared_v1, drop_shared_v1

    def upgrade() -> None:
        create_shared_v1(op)
        op.create_table("tickets", ...)

and its second one makes what all share since then, with ``create_shared_v2``. A migration is never edited once merged;
neither are these functions.

Loading Alembic takes longer than a fresh start may, so a SQLite file is made from ``migrations/sqlite.sql`` where
the service keeps one: the schema that the migrations come to, written by :func:`render_snapshot` and compared by
:func:`check_snapshot` in the tests. Existing files and PostgreSQL always go through the migrations themselves.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa

from services.storage.errors import StorageRefused, StorageUnavailable
from services.storage.ids import new_id
from services.storage.ledger import genesis_hash
from services.storage.schema import SHARED, instance, ledger_head
from services.storage.times import to_micros

if TYPE_CHECKING:
    from services.storage.database import ServiceSchema

_ROW_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SNAPSHOT = "sqlite.sql"
_ENVIRONMENT = Path(__file__).with_name("alembic_env")
# Any fixed number: every replica that wants to migrate waits for the one that holds it.
ADVISORY_KEY = 0x6465616C6978


def create_shared_v1(op: Any) -> None:
    """Make the instance marker, the append-only ledger, its head, and the requests."""
    op.create_table(
        "instance",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service"),
    )
    op.create_table(
        "ledger",
        # On SQLite an INTEGER key is the table itself, a BIGINT key a second tree to keep.
        sa.Column("sequence", _ROW_KEY, autoincrement=False, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("ledger_by_subject", "ledger", ["subject", "sequence"])
    op.create_index("ledger_by_action", "ledger", ["action", "sequence"])
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "requests",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ledger_no_{event.lower()} BEFORE {event} ON ledger "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
        op.execute(
            "CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger "
            "FOR EACH ROW EXECUTE FUNCTION ledger_append_only()"
        )
        op.execute(
            "CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"
        )


def drop_shared_v1(op: Any) -> None:
    """Undo :func:`create_shared_v1`, ledger and all."""
    for table in ("requests", "ledger_head", "ledger", "instance"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION ledger_append_only()")


def create_shared_v2(op: Any) -> None:
    """Make the drafts, their approvals, and the timers."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "drafts",
        sa.Column("draft_id", key, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", key, nullable=False),
        sa.Column("customer_id", key, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("title_ar", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("body_ar", sa.Text(), nullable=False),
        sa.Column("body_en", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("rejection_reason", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("due_us", sa.BigInteger()),
        sa.Column("pending_us", sa.BigInteger()),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("update_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("draft_id"),
    )
    op.create_index("drafts_by_subject", "drafts", ["subject", "create_us", "draft_id"])
    op.create_index("drafts_by_customer", "drafts", ["customer_id", "create_us", "draft_id"])
    op.create_index("drafts_by_time", "drafts", ["create_us", "draft_id"])
    op.create_index("drafts_pending", "drafts", ["pending_us", "draft_id"])
    op.create_table(
        "approvals",
        sa.Column("approval_id", key, nullable=False),
        sa.Column("draft_id", key, nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("approve_us", sa.BigInteger(), nullable=False),
        sa.Column("expire_us", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("use_us", sa.BigInteger()),
        sa.Column("void_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("approval_id"),
        sa.ForeignKeyConstraint(["draft_id"], ["drafts.draft_id"]),
    )
    op.create_index("approvals_by_draft", "approvals", ["draft_id"])
    op.create_table(
        "timers",
        sa.Column("timer_id", key, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("timer_id"),
    )
    op.create_index("timers_by_time", "timers", ["due_us", "timer_id"])


def drop_shared_v2(op: Any) -> None:
    """Undo :func:`create_shared_v2`."""
    for table in ("timers", "approvals", "drafts"):
        op.drop_table(table)


def revisions(schema: ServiceSchema) -> list[str]:
    """The revisions that the code comes with, oldest first: the numbers of the files, no Alembic needed."""
    found = sorted(path.stem.partition("_")[0] for path in (schema.migrations / "versions").glob("[0-9]*.py"))
    if not found:
        raise StorageRefused(f"no migrations in {schema.migrations / 'versions'}")
    return found


def needed_revision(schema: ServiceSchema) -> str:
    """The newest revision that the code comes with."""
    return revisions(schema)[-1]


def wrong_revision(found: str, schema: ServiceSchema) -> str:
    """What is wrong with a database at another revision than the needed one, and what to do."""
    known = revisions(schema)
    if found and found not in known:
        return (
            f"the schema is at revision {found}, which this code does not know, as it goes up to {known[-1]}: "
            "run the newer code that made it, or restore a copy from before"
        )
    return f"the schema is at revision {found or 'none'}, the code needs {known[-1]}: migrate"


async def migrate(url: str, schema: ServiceSchema) -> str:
    """Bring the database up to :func:`needed_revision` and return it. Safe to call from several replicas at once.

    Raises ``StorageRefused`` for a database that is in use (SQLite), another service's, lost, or at a revision unknown to the
    code, and ``StorageUnavailable`` when the server does not answer.
    """
    if url.startswith("sqlite:"):
        from services.storage.sqlite_file import SqliteFile

        with SqliteFile.claim(url, schema) as file:
            file.migrate()
    else:
        from services.storage.postgres import migrate_postgres

        await migrate_postgres(url, schema)
    return needed_revision(schema)


async def current_revision(url: str) -> str:
    """The revision of the database, '' for none. ``StorageUnavailable`` when it cannot be reached."""
    if url.startswith("sqlite:"):
        path = sqlite_path(url)
        if not path.exists():
            return ""
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        try:
            return sqlite_revision(connection)
        except sqlite3.Error as error:
            raise StorageUnavailable(f"cannot read {path}: {error}") from error
        finally:
            connection.close()
    from services.storage.postgres import postgres_revision

    return await postgres_revision(url)


def sqlite_path(url: str) -> Path:
    """The file that a ``sqlite:///…`` URL names, absolute."""
    database = sa.make_url(url).database
    if not database or database == ":memory:":
        raise StorageRefused("a SQLite database lives in a file: sqlite:///relative.db or sqlite:////absolute.db")
    return Path(database).absolute()


def sqlite_revision(connection: sqlite3.Connection) -> str:
    """The revision of an open file, '' for none."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return ""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def migrate_sqlite_connection(connection: sqlite3.Connection, schema: ServiceSchema) -> None:
    """Run what is missing on an open file, all in one transaction."""
    found, needed = sqlite_revision(connection), needed_revision(schema)
    refuse_unknown(found, schema)
    snapshot = schema.migrations / SNAPSHOT
    if not found and snapshot.is_file():
        connection.executescript(snapshot.read_text(encoding="utf-8"))
        found = sqlite_revision(connection)
    engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=sa.pool.StaticPool)

    # The driver would begin a transaction only at the first insert; tables belong into it as well.
    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as transaction:
        if found != needed:
            upgrade(transaction, schema)
        mark_instance(transaction, schema)


def upgrade(connection: sa.Connection, schema: ServiceSchema) -> None:
    """Run the missing migrations through Alembic on an open connection, in the transaction it is in."""
    from alembic import command

    config = _config(schema)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def mark_instance(connection: sa.Connection, schema: ServiceSchema) -> None:
    """Name the database and lay the start of its ledger, once. ``StorageRefused`` for another service's."""
    services = [row.service for row in connection.execute(sa.select(instance.c.service))]
    if not services:
        instance_id = new_id("ins")
        connection.execute(
            sa.insert(instance).values(
                service=schema.name, instance_id=instance_id, created_us=to_micros(datetime.now(UTC))
            )
        )
        connection.execute(sa.insert(ledger_head).values(id=1, sequence=0, hash=genesis_hash(schema.name, instance_id)))
    elif services != [schema.name]:
        raise StorageRefused(f"the database belongs to {', '.join(services)}, not to {schema.name}")


def refuse_unknown(found: str, schema: ServiceSchema) -> None:
    """``StorageRefused`` for a revision that the code does not come with: newer code has migrated the database."""
    if found and found not in revisions(schema):
        raise StorageRefused(wrong_revision(found, schema))


def render_snapshot(schema: ServiceSchema) -> str:
    """What ``migrations/sqlite.sql`` must hold: the SQLite schema, and rows, that the migrations come to."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=sa.pool.StaticPool)
        with engine.begin() as transaction:
            upgrade(transaction, schema)
        return "-- Made from the migrations; see services/storage/migrations.py.\n" + "\n".join(connection.iterdump())
    finally:
        connection.close()


def check_snapshot(schema: ServiceSchema) -> None:
    """``AssertionError`` unless ``migrations/sqlite.sql`` is what the migrations come to."""
    path = schema.migrations / SNAPSHOT
    kept = path.read_text(encoding="utf-8") if path.is_file() else "(missing)"
    if kept != render_snapshot(schema):
        raise AssertionError(f"{path} is not what the migrations come to: write render_snapshot() into it")


def differences(connection: sa.Connection, schema: ServiceSchema) -> list[Any]:
    """How a migrated database differs from the tables that the code declares; empty when it does not."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    declared = sa.MetaData()
    for metadata in (SHARED, schema.metadata):
        for table in metadata.tables.values():
            table.to_metadata(declared)
    return list(compare_metadata(context, declared))


def _config(schema: ServiceSchema) -> Any:
    from alembic.config import Config

    config = Config()
    for name, path in (("script_location", _ENVIRONMENT), ("version_locations", schema.migrations / "versions")):
        config.set_main_option(name, str(path).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
