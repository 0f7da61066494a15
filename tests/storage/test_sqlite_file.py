"""One file, one process: what is opened is what was there before, or nothing is."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from services.storage.database import Database, UnitOfWork
from services.storage.errors import StatementRefused, StorageFull, StorageRefused, StorageUnavailable
from services.storage.migrations import migrate, sqlite_path
from tests.storage.conftest import WORKER, Opener, accounts, add_account, entries, request, verified
from tests.storage.sample import ADD_NOTE, FIND_NOTE, SCHEMA

OTHER = replace(SCHEMA, name="other")


@pytest.fixture
def opener(sqlite_opener: Opener) -> Opener:
    return sqlite_opener


@pytest.fixture
async def database(opener: Opener) -> Database:
    return await opener()


@pytest.fixture
async def left(opener: Opener) -> Path:
    """The file of a database that was used and closed."""
    database = await opener()
    await database.write(request(), add_account("a"))
    await database.close()
    return sqlite_path(opener.url)


async def test_the_settings_that_make_it_durable(database: Database) -> None:
    def pragma(unit: UnitOfWork, name: str) -> Any:
        row = unit.tx.one(sa.text(f"PRAGMA {name}"))
        return row[0] if row is not None else None

    def work(unit: UnitOfWork) -> dict[str, Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        return {name: pragma(unit, name) for name in names}

    found = await database.write_internal(WORKER, work)
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def put(source: Path, target: Path) -> None:
    """As a restore does: another file under the same name."""
    shutil.copy(source, f"{target}.restored")
    Path(f"{target}.restored").rename(target)


async def test_the_file_is_for_its_user_only(left: Path) -> None:
    assert [mode(left), mode(Path(f"{left}.lock"))] == [0o600, 0o600]


async def test_a_second_opening_is_refused_while_the_first_lasts(opener: Opener) -> None:
    first = await opener()
    with pytest.raises(StorageRefused, match="in use by another process"):
        await opener()
    await first.close()
    assert (await (await opener()).health()).ok


async def test_a_second_process_is_refused(opener: Opener) -> None:
    await opener()
    command = [sys.executable, "-m", "tests.storage.writer_process", opener.url, "second"]
    second = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert second.returncode != 0
    assert "in use by another process" in second.stderr
    assert second.stdout == ""
    with pytest.raises(StorageRefused, match="in use"):
        await migrate(opener.url, SCHEMA)


def marker(path: Path) -> Path:
    return Path(f"{path}.instance")


def missing(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("not a database at all")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()


def foreign_without_marker(path: Path) -> None:
    foreign(path)
    marker(path).unlink()


def fresh(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def another_instance(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE instance SET instance_id = 'ins_other'")
    connection.close()


def unreadable_marker(path: Path) -> None:
    marker(path).write_text("{")


def marker_of_other_service(path: Path) -> None:
    marker(path).write_text(json.dumps({"service": "other", "instance_id": "ins_1"}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (missing, "is missing, but"),
        (emptied, "is empty, but"),
        (text, "is not a SQLite database"),
        (cut, "cannot be read|does not hold"),
        (foreign, "none of this system's"),
        (foreign_without_marker, "none of this system's"),
        (fresh, "does not hold the database"),
        (another_instance, "is another database"),
        (unreadable_marker, "cannot be read"),
        (marker_of_other_service, "belongs to other"),
    ],
)
async def test_a_file_that_is_not_what_it_was_is_refused_and_left_alone(
    opener: Opener, left: Path, damage: Callable[[Path], None], says: str
) -> None:
    damage(left)
    before = content(left)
    for attempt in (opener, lambda: migrate(opener.url, SCHEMA)):
        with pytest.raises(StorageRefused, match=says):
            await attempt()
    assert content(left) == before


async def test_the_file_of_another_service_is_refused(opener: Opener, left: Path) -> None:
    with pytest.raises(StorageRefused, match="belongs to sample, not to other"):
        await opener(OTHER)
    marker(left).unlink()
    with pytest.raises(StorageRefused, match="belongs to sample, not to other"):
        await opener(OTHER)
    assert set(await accounts(await opener())) == {"a"}


async def test_without_its_marker_a_good_file_is_taken_and_marked_again(opener: Opener, left: Path) -> None:
    before = json.loads(marker(left).read_text())
    marker(left).unlink()
    assert set(await accounts(await opener())) == {"a"}
    assert json.loads(marker(left).read_text()) == before


@pytest.mark.parametrize("wal", [False, True])
async def test_a_start_cut_off_before_the_tables_were_made_is_begun_anew(opener: Opener, wal: bool) -> None:
    path = sqlite_path(opener.url)
    path.parent.mkdir()
    path.touch()
    if wal:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        assert path.stat().st_size > 0
    assert await accounts(await opener()) == {}


async def test_a_copy_restored_in_place_is_taken(opener: Opener, left: Path, tmp_path: Path) -> None:
    copy = tmp_path / "backup.db"
    shutil.copy(left, copy)
    missing(left)
    with pytest.raises(StorageRefused):
        await opener()
    put(copy, left)
    assert set(await accounts(await opener())) == {"a"}


def all_deleted(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()


def replaced(path: Path) -> None:
    put(path, path)


def log_deleted(path: Path) -> None:
    Path(f"{path}-wal").unlink()


@pytest.mark.parametrize("health_first", [True, False])
@pytest.mark.parametrize("lose", [all_deleted, missing, replaced, log_deleted])
async def test_a_file_lost_under_the_process_takes_no_more_writes(
    opener: Opener, database: Database, lose: Callable[[Path], None], health_first: bool
) -> None:
    await database.write(request(), add_account("a"))
    assert (await database.health()).ok
    lose(sqlite_path(opener.url))
    with capture_logs() as logs:
        if health_first:
            assert "deleted or replaced" in (await database.health()).detail
        outcomes = []
        for name in ("b", "c"):
            with pytest.raises(StorageUnavailable, match="deleted or replaced") as unavailable:
                await database.write(request(), add_account(name))
            outcomes.append(unavailable.value.metadata["outcome"])
        # Without a look at the file before, the first write finds it out at its commit.
        assert outcomes == ["none" if health_first else "unknown", "none"]
        with pytest.raises(StorageUnavailable, match="deleted or replaced"):
            await database.write_internal(WORKER, lambda unit: unit.record("look", "account/a"))
        with pytest.raises(StorageUnavailable, match="deleted or replaced"):
            await accounts(database)
        assert not (await database.health()).ok
        await database.close()
    assert [(line["event"], line["log_level"], line["service"]) for line in logs] == [
        ("database_lost", "error", "sample")
    ]


async def test_damaged_text_is_refused_and_never_quoted(opener: Opener, database: Database) -> None:
    with closing(sqlite3.connect(sqlite_path(opener.url))) as edit, edit:
        edit.execute("INSERT INTO notes (note_id, text) VALUES ('n', CAST(x'736563726574ff' AS TEXT))")
    with pytest.raises(StatementRefused, match="text") as refused:
        await database.read(lambda tx: tx.one(FIND_NOTE, {"note_id": "n"}))
    assert "secret" not in "".join(traceback.format_exception(refused.value))


async def test_a_full_disk_is_an_answer_and_passes(opener: Opener) -> None:
    await (await opener()).close()
    path = sqlite_path(opener.url)
    pages = path.stat().st_size // 4096 + 40
    database = await opener(max_pages=pages)

    def big(name: str) -> Callable[[UnitOfWork], bytes]:
        def work(unit: UnitOfWork) -> bytes:
            unit.tx.run(ADD_NOTE, {"note_id": name, "raw": b"x" * 20_000})
            unit.record("add_note", f"note/{name}")
            return b"added"

        return work

    kept = 0
    refusal: StorageFull | None = None
    while refusal is None and kept < 100:
        try:
            await database.write(request(), big(f"n{kept}"))
            kept += 1
        except StorageFull as full:
            refusal = full
    assert refusal is not None
    assert refusal.reason == "STORAGE_FULL"
    assert kept > 0
    # Reads go on, the ledger is whole, nothing of the refused write is there.
    assert (await verified(database)).checked == kept
    assert await notes(database) == kept
    # It is as full a moment later, for a group as for one.
    results = await asyncio.gather(
        *(database.write(request(), big(f"late{n}")) for n in range(3)), return_exceptions=True
    )
    assert {type(result) for result in results} == {StorageFull}
    await database.close()
    # There is space again: the same database goes on without a gap.
    database = await opener()
    await database.write(request(), big("after"))
    assert await notes(database) == kept + 1
    assert [entry.sequence for entry in await entries(database)] == list(range(1, kept + 2))


async def test_a_disk_that_is_full_for_a_while_needs_no_restart(opener: Opener) -> None:
    database = await opener(max_pages=10_000)
    await database.write(request(), add_account("a"))
    writer = database._writer._connection  # type: ignore[attr-defined]
    (used,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {used}")
    sent = request()

    def heavy(unit: UnitOfWork) -> bytes:
        unit.tx.run(ADD_NOTE, {"note_id": "n", "raw": b"x" * 200_000})
        unit.record("add_note", "note/n")
        return b"added"

    with pytest.raises(StorageFull):
        await database.write(sent, heavy)
    assert (await database.health()).ok
    writer.execute("PRAGMA max_page_count = 10000")
    outcome = await database.write(sent, heavy)
    assert (outcome.response, outcome.replayed) == (b"added", False)
    assert (await verified(database)).checked == 2


async def notes(database: Database) -> int:
    row = await database.read(lambda tx: tx.one(sa.text("SELECT count(*) AS n FROM notes")))
    assert row is not None
    return int(row.n)


async def test_a_program_that_holds_the_file_for_a_moment_is_waited_for(opener: Opener, database: Database) -> None:
    other = sqlite3.connect(sqlite_path(opener.url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.ensure_future(database.write(request(), add_account("a")))
    await asyncio.wait([write], timeout=0.05)
    assert not write.done()
    other.execute("ROLLBACK")
    assert (await write).response
    other.close()


async def test_a_program_that_keeps_holding_the_file_makes_it_unavailable(opener: Opener) -> None:
    database = await opener(busy_timeout=0.05)
    other = sqlite3.connect(sqlite_path(opener.url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable) as unavailable:
        await database.write(request(), add_account("a"))
    assert unavailable.value.metadata["outcome"] == "none"
    assert await accounts(database) == {}
    other.execute("ROLLBACK")
    other.close()
    assert (await database.write(request(), add_account("a"))).response


async def test_whoever_writes_during_a_commit_shares_the_next_one(opener: Opener) -> None:
    database = await opener()
    commits = 0
    writer = database._writer  # type: ignore[attr-defined]
    real_commit = writer._commit

    def counted(group: list[object]) -> None:
        nonlocal commits
        commits += 1
        real_commit(group)

    writer._commit = counted

    async def write(number: int) -> None:
        for turn in range(20):
            await database.write(request(), add_account(f"a{number}-{turn}"))

    await asyncio.gather(*map(write, range(8)))
    assert len(await accounts(database)) == 160
    assert (await verified(database)).checked == 160
    assert commits < 80


async def test_a_commit_that_fails_answers_everybody_of_its_group(opener: Opener, database: Database) -> None:
    """A deferred constraint is met at the commit and nowhere before."""
    await database.write(request(), add_account("a"))
    writer = database._writer  # type: ignore[attr-defined]
    real = writer._connection
    writer._connection = FailingCommit(real)
    results = await asyncio.gather(
        *(database.write(request(), add_account(name)) for name in ("b", "c")), return_exceptions=True
    )
    assert [type(result) for result in results] == [StorageUnavailable, StorageUnavailable]
    assert {result.metadata["outcome"] for result in results if isinstance(result, StorageUnavailable)} == {"unknown"}
    writer._connection = real
    assert set(await accounts(database)) == {"a"}
    await database.write(request(), add_account("d"))
    assert [entry.sequence for entry in await entries(database)] == [1, 2]
    assert (await verified(database)).ok


class FailingCommit:
    """A connection whose disk fails at the commit."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return self._real.execute(sql, *args)


async def test_memory_is_no_place_for_a_database(opener: Opener) -> None:
    for url in ("sqlite://", "sqlite:///:memory:"):
        opener.url = url
        with pytest.raises(StorageRefused):
            await opener()
