"""The ledger: what it holds, and that any edit shows; on every engine."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from services.storage.database import Actor, Database, UnitOfWork
from services.storage.errors import ConstraintBroken, WorkFault
from services.storage.ledger import (
    BEFORE_ALL,
    LedgerProblem,
    entry_hash,
    fold,
    genesis_hash,
    list_entries,
    verify,
)
from services.storage.migrations import sqlite_path
from services.storage.schema import ledger
from tests.storage.conftest import WORKER, Opener, add_account, entries, request, verified
from tests.storage.sample import FIND_ACCOUNT, SET_BALANCE

Run = Callable[..., Awaitable[None]]
COUNT = 6


async def fill(database: Database, count: int = COUNT) -> None:
    for number in range(1, count + 1):
        await database.write(request(), add_account(f"a{number}", number))


@pytest.fixture
async def tamper(opener: Opener) -> Run:
    """Runs SQL past every guard, as somebody with the file or the server's password would."""

    async def run(*statements: str) -> None:
        if opener.url.startswith("sqlite"):
            connection = sqlite3.connect(sqlite_path(opener.url))
            guards = ["DROP TRIGGER IF EXISTS ledger_no_update", "DROP TRIGGER IF EXISTS ledger_no_delete"]
            for statement in (*guards, *statements):
                connection.execute(statement.replace("HEX(", "x'").replace(")HEX", "'"))
            connection.commit()
            connection.close()
        else:
            server = await asyncpg.connect(opener.url)
            await server.execute("ALTER TABLE ledger DISABLE TRIGGER USER")
            for statement in statements:
                await server.execute(statement.replace("HEX(", "'\\x").replace(")HEX", "'::bytea"))
            await server.close()

    return run


def literal(value: Any) -> str:
    if isinstance(value, bytes):
        return f"HEX({value.hex()})HEX"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


COPY = (
    "INSERT INTO ledger SELECT {0}, time_us, actor_kind, actor_id, actor_role, action, subject, request_id, fields, "
    "attributes, previous_hash, hash FROM ledger WHERE sequence = {1}"
)
EDITS: list[tuple[str, list[str], LedgerProblem, int]] = [
    (f"edit of {column}", [f"UPDATE ledger SET {column} = {value} WHERE sequence = 3"], LedgerProblem.HASH, 3)
    for column, value in {
        "time_us": "time_us + 1",
        "actor_kind": "'service'",
        "actor_id": "'per_2'",
        "actor_role": "''",
        "action": "'drop_account'",
        "subject": "'account/a4'",
        "request_id": "'00000000-0000-4000-8000-000000000000'",
        "fields": "'[]'",
        "attributes": '\'{"balance": "3"}\'',
    }.items()
] + [
    # Characters moved from one column to its neighbour: the same text in a row, other lengths.
    (
        "shift between columns",
        ["UPDATE ledger SET action = 'add_accountac', subject = 'count/a3' WHERE sequence = 3"],
        LedgerProblem.HASH,
        3,
    ),
    ("edit of hash", [f"UPDATE ledger SET hash = {literal(b'h' * 32)} WHERE sequence = 3"], LedgerProblem.HASH, 3),
    (
        "edit of previous hash",
        [f"UPDATE ledger SET previous_hash = {literal(b'h' * 32)} WHERE sequence = 3"],
        LedgerProblem.CHAIN,
        3,
    ),
    ("first removed", ["DELETE FROM ledger WHERE sequence = 1"], LedgerProblem.GAP, 1),
    ("one removed", ["DELETE FROM ledger WHERE sequence = 4"], LedgerProblem.GAP, 4),
    ("tail removed", ["DELETE FROM ledger WHERE sequence >= 5"], LedgerProblem.GAP, 5),
    ("all removed", ["DELETE FROM ledger"], LedgerProblem.GAP, 1),
    (
        "one removed, the rest moved up",
        ["DELETE FROM ledger WHERE sequence = 4", "UPDATE ledger SET sequence = sequence - 1 WHERE sequence > 4"],
        LedgerProblem.CHAIN,
        4,
    ),
    (
        "two exchanged",
        [
            "UPDATE ledger SET sequence = 100 WHERE sequence = 3",
            "UPDATE ledger SET sequence = 3 WHERE sequence = 4",
            "UPDATE ledger SET sequence = 4 WHERE sequence = 100",
        ],
        LedgerProblem.CHAIN,
        3,
    ),
    ("one put before the first", [COPY.format(0, 1)], LedgerProblem.GAP, 0),
    ("one put far before the first", [COPY.format(-7, 1)], LedgerProblem.GAP, -7),
    ("one put after the last", [COPY.format(7, 6)], LedgerProblem.HEAD, 7),
    ("one put far after the last", [COPY.format(70, 6)], LedgerProblem.GAP, 7),
    ("head put back", ["UPDATE ledger_head SET sequence = 5"], LedgerProblem.HEAD, 6),
    ("head put forward", ["UPDATE ledger_head SET sequence = 7"], LedgerProblem.GAP, 7),
    ("hash of head", [f"UPDATE ledger_head SET hash = {literal(b'h' * 32)}"], LedgerProblem.HEAD, 6),
    ("head removed", ["DELETE FROM ledger_head"], LedgerProblem.HEAD, 0),
    ("another instance", ["UPDATE instance SET instance_id = 'ins_other'"], LedgerProblem.CHAIN, 1),
    ("instance removed", ["DELETE FROM instance"], LedgerProblem.MALFORMED, 1),
]


async def test_an_untouched_ledger_verifies(database: Database) -> None:
    assert (await verified(database)).ok
    await fill(database)
    result = await verified(database)
    assert (result.ok, result.checked, result.head_sequence, result.problem) == (True, COUNT, COUNT, None)
    assert result.head_hash == (await entries(database))[-1].hash


@pytest.mark.parametrize(("statements", "problem", "sequence"), [e[1:] for e in EDITS], ids=[e[0] for e in EDITS])
async def test_an_edit_of_the_ledger_shows(
    database: Database, tamper: Run, statements: list[str], problem: LedgerProblem, sequence: int
) -> None:
    await fill(database)
    await tamper(*statements)
    result = await verified(database)
    assert (result.ok, result.problem, result.first_bad_sequence) == (False, problem, sequence)


async def rewritten(database: Database, start: int, change: Callable[[Any], Any]) -> list[str]:
    """SQL that changes an entry and everything after it so that the chain holds again, head and all."""
    rows = await database.read(lambda tx: [row._asdict() for row in tx.all(sa.select(ledger).order_by(sa.text("1")))])
    statements, previous = [], rows[start - 1]["previous_hash"]
    for row in rows[start - 1 :]:
        changed = change(dict(row)) if row["sequence"] == start else dict(row)
        texts = [changed[name] for name in list(changed)[2:10]]
        changed["previous_hash"] = previous
        previous = changed["hash"] = entry_hash(changed["sequence"], changed["time_us"], texts, previous)
        values = ", ".join(f"{name} = {literal(value)}" for name, value in changed.items())
        statements.append(f"UPDATE ledger SET {values} WHERE sequence = {row['sequence']}")
    return [*statements, f"UPDATE ledger_head SET hash = {literal(previous)}"]


async def test_a_ledger_rewritten_as_a_whole_shows_against_an_anchor(database: Database, tamper: Run) -> None:
    await fill(database)
    before = await verified(database)
    anchor = (before.head_sequence, before.head_hash)
    await database.write(request(), add_account("later"))
    assert (await database.read(lambda tx: verify(tx, anchor=anchor))).ok
    await tamper(*await rewritten(database, 3, lambda row: row | {"actor_id": "per_9"}))
    assert (await verified(database)).ok
    result = await database.read(lambda tx: verify(tx, anchor=anchor))
    assert (result.problem, result.first_bad_sequence) == (LedgerProblem.ANCHOR, COUNT)


async def test_a_tail_cut_off_with_its_head_shows_against_an_anchor(database: Database, tamper: Run) -> None:
    await fill(database)
    ledger_before = await entries(database)
    anchor = (COUNT, ledger_before[-1].hash)
    head = f"UPDATE ledger_head SET sequence = 4, hash = {literal(ledger_before[3].hash)}"
    await tamper("DELETE FROM ledger WHERE sequence > 4", head)
    assert (await verified(database)).ok
    result = await database.read(lambda tx: verify(tx, anchor=anchor))
    assert (result.problem, result.first_bad_sequence) == (LedgerProblem.ANCHOR, COUNT)


async def test_the_ledger_is_verified_in_parts(database: Database, tamper: Run) -> None:
    await fill(database)
    await tamper("UPDATE ledger SET action = 'x' WHERE sequence = 4")
    parts = {(1, 3): True, (1, 4): False, (4, 4): False, (5, 6): True, (5, None): True, (7, None): True, (2, 99): False}
    for (start, end), ok in parts.items():
        result = await database.read(lambda tx, start=start, end=end: verify(tx, start, end))  # type: ignore[misc]
        assert (result.ok, start, end) == (ok, start, end)
    beyond = await database.read(lambda tx: verify(tx, 9))
    assert (beyond.problem, beyond.first_bad_sequence) == (LedgerProblem.GAP, 7)


async def test_a_long_ledger_is_verified_in_batches(database: Database, tamper: Run) -> None:
    def work(unit: UnitOfWork) -> None:
        for number in range(1300):
            unit.record("count", "counter/1", attributes={"number": str(number)})

    await database.write_internal(WORKER, work)
    result = await verified(database)
    assert (result.ok, result.checked) == (True, 1300)
    await tamper("UPDATE ledger SET attributes = '{}' WHERE sequence = 1203")
    result = await verified(database)
    assert (result.problem, result.first_bad_sequence, result.checked) == (LedgerProblem.HASH, 1203, 1202)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger SET action = 'x'", "DELETE FROM ledger", "DELETE FROM ledger WHERE sequence = 2"],
)
async def test_the_database_itself_refuses_to_change_the_ledger(database: Database, statement: str) -> None:
    await fill(database, 3)

    def work(unit: UnitOfWork) -> None:
        unit.tx.run(sa.text(statement))
        unit.record("x", "ledger")

    with pytest.raises(ConstraintBroken):
        await database.write_internal(WORKER, work)
    assert (await verified(database)).checked == 3


async def test_replacing_an_entry_is_refused_on_sqlite(sqlite_opener: Opener) -> None:
    database = await sqlite_opener()
    await fill(database, 3)

    def work(unit: UnitOfWork) -> None:
        unit.tx.run(sa.text(COPY.format(2, 3).replace("INSERT", "INSERT OR REPLACE")))
        unit.record("x", "ledger")

    with pytest.raises(ConstraintBroken):
        await database.write_internal(WORKER, work)


async def test_truncating_is_refused_on_postgresql(postgres_opener: Opener) -> None:
    database = await postgres_opener()

    def work(unit: UnitOfWork) -> None:
        unit.tx.run(sa.text("TRUNCATE ledger"))
        unit.record("x", "ledger")

    with pytest.raises(ConstraintBroken):
        await database.write_internal(WORKER, work)


async def test_the_hash_is_the_documented_one(database: Database) -> None:
    """An independent reading of the documentation, so that others can verify a ledger."""
    await fill(database, 1)
    (entry,) = await entries(database)
    row = await database.read(lambda tx: tx.one(sa.select(ledger)))
    instance = await database.read(lambda tx: tx.one(sa.text("SELECT service, instance_id FROM instance")))
    assert row is not None
    assert instance is not None

    def measured(*texts: str) -> bytes:
        return b"".join(len(text.encode()).to_bytes(4, "big") + text.encode() for text in texts)

    genesis = hashlib.sha256(b"dealix.ledger.v1 genesis\n" + measured("sample", instance.instance_id)).digest()
    assert entry.previous_hash == genesis == genesis_hash("sample", instance.instance_id)
    content = b"dealix.ledger.v1\n" + (1).to_bytes(8, "big", signed=True)
    content += row.time_us.to_bytes(8, "big", signed=True)
    content += measured("person", "per_1", "founder", "add_account", "account/a1", entry.request_id)
    content += measured('["balance"]', '{"balance":"1"}') + genesis
    assert entry.hash == hashlib.sha256(content).digest()


async def test_entries_are_listed_by_subject_and_action(database: Database) -> None:
    await fill(database, 3)

    def work(unit: UnitOfWork) -> None:
        for name in ("a1", "a2", "a1"):
            unit.record("touch", f"account/{name}")

    await database.write_internal(WORKER, work)
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"after_sequence": 4}, [5, 6]),
        ({"limit": 2}, [1, 2]),
        ({"subject": "account/a1"}, [1, 4, 6]),
        ({"action": "touch"}, [4, 5, 6]),
        ({"subject": "account/a1", "action": "touch", "after_sequence": 4}, [6]),
        ({"subject": "nobody"}, []),
    ]
    for given, expected in cases:
        params = {"after_sequence": 0, "limit": 50} | given
        listed = await database.read(lambda tx, params=params: list_entries(tx, **params))  # type: ignore[misc]
        assert [entry.sequence for entry in listed] == expected


DAMAGED: list[tuple[str, dict[str, Any]]] = [
    ("attributes = 'not json'", {"attributes": {}}),
    ("attributes = '[1]'", {"attributes": {}}),
    ("attributes = '{\"balance\":3}'", {"attributes": {}}),
    ('attributes = \'{"balance":"\\ud800"}\'', {"attributes": {}}),
    (f"attributes = '{'[' * 100_000}'", {"attributes": {}}),
    ("fields = '{}'", {"fields": ()}),
    ("fields = '[null]'", {"fields": ()}),
    ("fields = ''", {"fields": ()}),
    ("time_us = 9223372036854775807", {"time": BEFORE_ALL}),
    ("time_us = -9223372036854775807", {"time": BEFORE_ALL}),
    ("actor_kind = 'ghost', actor_role = 'emperor'", {"actor": Actor("ghost", "per_1", "emperor")}),
]
# What SQLite keeps in a column all the same.
DAMAGED_ON_SQLITE: list[tuple[str, dict[str, Any]]] = [
    ("time_us = 'soon'", {"time": BEFORE_ALL}),
    ("time_us = CAST(x'ff' AS TEXT)", {"time": BEFORE_ALL}),
    ("actor_id = x'00ff'", {"actor": Actor("person", "\0\ufffd", "founder")}),
    ("action = CAST(x'61ff' AS TEXT)", {"action": "a\ufffd"}),
    ("hash = 'text'", {"hash": b"text"}),
    ("previous_hash = CAST(x'ff' AS TEXT)", {"previous_hash": b"\xff"}),
    ("attributes = CAST(x'7bff7d' AS TEXT)", {"attributes": {}}),
]


@pytest.mark.parametrize(("assignment", "read"), DAMAGED)
async def test_a_damaged_entry_is_listed_as_far_as_it_can_be_read(
    database: Database, tamper: Run, assignment: str, read: dict[str, Any]
) -> None:
    await listed_all_the_same(database, tamper, assignment, read)


@pytest.mark.parametrize(("assignment", "read"), DAMAGED_ON_SQLITE)
async def test_so_is_one_that_only_sqlite_keeps(sqlite_opener: Opener, assignment: str, read: dict[str, Any]) -> None:
    async def tamper(statement: str) -> None:
        connection = sqlite3.connect(sqlite_path(sqlite_opener.url))
        connection.execute("DROP TRIGGER ledger_no_update")
        connection.execute(statement)
        connection.commit()
        connection.close()

    await listed_all_the_same(await sqlite_opener(), tamper, assignment, read)


async def listed_all_the_same(database: Database, tamper: Run, assignment: str, read: dict[str, Any]) -> None:
    """The damaged entry with what can be read, the others as they were; the verification finds it."""
    await fill(database, 3)
    before = await entries(database)
    await tamper(f"UPDATE ledger SET {assignment} WHERE sequence = 2")
    assert await entries(database) == [before[0], before[1]._replace(**read), before[2]]
    assert (await verified(database)).first_bad_sequence == 2


async def test_behind_a_damaged_entry_writes_go_on(opener: Opener, tamper: Run) -> None:
    database = await opener()
    await fill(database, 2)
    await database.close()
    await tamper("UPDATE ledger SET time_us = 9223372036854775807, attributes = 'not json' WHERE sequence = 2")
    database = await opener()
    await database.write(request(), add_account("after"))
    assert [entry.sequence for entry in await entries(database)] == [1, 2, 3]


async def test_the_ledger_tells_the_state(database: Database) -> None:
    await fill(database, 2)

    def work(unit: UnitOfWork) -> bytes:
        assert unit.tx.one(FIND_ACCOUNT, {"account_id": "a1"}) is not None
        unit.tx.run(SET_BALANCE, {"id": "a1", "balance": 70, "revision": 2})
        unit.record("deposit", "account/a1", attributes={"balance": "70", "revision": "2"})
        return b"ok"

    await database.write(request(), work)
    assert fold(await entries(database)) == {
        "account/a1": {"balance": "70", "revision": "2"},
        "account/a2": {"balance": "2"},
    }


UNFIT: list[tuple[str, dict[str, Any]]] = [
    ("account/a", {"attributes": {"note": "two words"}}),
    ("account/a", {"attributes": {"mail": "a@b.example"}}),
    ("account/a", {"attributes": {"name": "سارة"}}),
    ("account/a", {"attributes": {"text": "line\nline"}}),
    ("account/a", {"attributes": {"long": "x" * 201}}),
    ("account/a", {"attributes": {"number": 5}}),
    ("account/a", {"attributes": {f"k{n}": "v" for n in range(33)}}),
    ("account/a", {"fields": ("two words",)}),
    ("account/سارة", {}),
    ("two words", {}),
    ("", {}),
]


@pytest.mark.parametrize(("subject", "other"), UNFIT)
async def test_text_of_a_person_does_not_get_in(database: Database, subject: str, other: dict[str, Any]) -> None:
    with pytest.raises(WorkFault):
        await database.write_internal(WORKER, lambda unit: unit.record("act", subject, **other))
    assert (await verified(database)).checked == 0


async def test_garbage_in_the_ledger_is_a_finding_and_no_failure(sqlite_opener: Opener) -> None:
    """SQLite keeps anything in any column."""
    database = await sqlite_opener()
    await fill(database)
    path = sqlite_path(sqlite_opener.url)
    garbage = {
        "time_us = 'soon'": LedgerProblem.MALFORMED,
        "time_us = CAST(x'ff' AS TEXT)": LedgerProblem.MALFORMED,
        "actor_id = x'00ff'": LedgerProblem.MALFORMED,
        # The same bytes as another type: no query by subject would find the entry.
        "subject = CAST(subject AS BLOB)": LedgerProblem.MALFORMED,
        "hash = 'text'": LedgerProblem.MALFORMED,
        "subject = CAST(x'ff' AS TEXT)": LedgerProblem.HASH,
    }
    for assignment, problem in garbage.items():
        connection = sqlite3.connect(path)
        (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'ledger_no_update'").fetchone()
        columns = [name for (_, name, *_) in connection.execute("PRAGMA table_info(ledger)")]
        kept = connection.execute("SELECT * FROM ledger WHERE sequence = 4").fetchone()
        connection.execute("DROP TRIGGER ledger_no_update")
        connection.execute(f"UPDATE ledger SET {assignment} WHERE sequence = 4")
        connection.commit()
        result = await verified(database)
        assert (result.problem, result.first_bad_sequence, result.checked) == (problem, 4, 3), assignment
        places = ", ".join(f"{name} = ?" for name in columns)
        connection.execute(f"UPDATE ledger SET {places} WHERE sequence = 4", kept)
        connection.execute(trigger)
        connection.commit()
        connection.close()
    assert (await verified(database)).ok


async def test_a_schema_of_its_own_service_only(opener: Opener) -> None:
    database = await opener()
    assert (await database.health()).ok
    first = await database.read(lambda tx: tx.one(sa.text("SELECT instance_id FROM instance")))
    await database.close()
    again = await opener()
    second = await again.read(lambda tx: tx.one(sa.text("SELECT instance_id FROM instance")))
    assert first == second
    assert replace(await verified(again), head_hash=b"").ok
