"""Reads: one snapshot, the same values from every engine, refused where the engines would differ."""

from __future__ import annotations

import asyncio
import enum
import time
from typing import Any

import pytest
import sqlalchemy as sa

from services.storage.database import Database, Tx, UnitOfWork
from services.storage.errors import DeadlinePassed, StatementRefused, StorageError
from services.storage.paging import cut_page, decode_token, page_size, query_key
from tests.storage.conftest import WORKER, accounts, add_account, request
from tests.storage.sample import ADD_NOTE, ALL_ACCOUNTS, DROP_NOTES, FIND_ACCOUNT, FIND_NOTE
from tests.storage.sample import accounts as accounts_table
from tests.storage.sample import notes as notes_table


class Letter(enum.StrEnum):
    ALEF = "ا"


def note(**values: object) -> dict[str, object]:
    return {"note_id": "n", "account_id": None, **values}


async def store(database: Database, values: dict[str, object]) -> None:
    def work(unit: UnitOfWork) -> None:
        unit.tx.run(DROP_NOTES)
        unit.tx.run(ADD_NOTE, values)
        unit.record("add_note", "note/n")

    await database.write_internal(WORKER, work)


KEPT = [
    ("big", 0, 0),
    ("big", -(1 << 63), -(1 << 63)),
    ("big", (1 << 63) - 1, (1 << 63) - 1),
    ("big", True, 1),
    ("small", -(1 << 31), -(1 << 31)),
    ("amount", 0.1, 0.1),
    ("amount", 3, 3.0),
    ("amount", 1e308, 1e308),
    ("amount", float("inf"), float("inf")),
    ("text", "", ""),
    ("text", "طلب عاجل \u200f«سريع» 🙂 \n\t'\";--", "طلب عاجل \u200f«سريع» 🙂 \n\t'\";--"),
    ("text", Letter.ALEF, "ا"),
    ("raw", b"", b""),
    ("raw", bytes(range(256)), bytes(range(256))),
    *((column, None, None) for column in ("big", "small", "amount", "text", "raw")),
]


@pytest.mark.parametrize(("column", "given", "kept"), KEPT)
async def test_values_come_back_as_they_went_in(database: Database, column: str, given: object, kept: object) -> None:
    await store(database, note(**{column: given}))
    row = await database.read(lambda tx: tx.one(FIND_NOTE, {"note_id": "n"}))
    assert row is not None
    value = getattr(row, column)
    assert (value, type(value), repr(value)) == (kept, type(kept), repr(kept))


REFUSED = [
    ("big", 1 << 63),
    ("big", "5"),
    ("big", 1.0),
    ("big", b"5"),
    ("small", 1 << 31),
    ("amount", float("nan")),
    ("amount", "1.5"),
    ("text", "a\0b"),
    ("text", "\ud800"),
    ("text", 5),
    ("text", b"bytes"),
    ("raw", "text"),
    ("raw", bytearray(b"x")),
    ("note_id", None),
    ("account_id", "of-nobody"),
]


@pytest.mark.parametrize(("column", "value"), REFUSED)
async def test_what_one_engine_would_refuse_or_alter_both_refuse(
    database: Database, column: str, value: object
) -> None:
    await store(database, note(text="good", big=1, small=1, amount=1.0, raw=b"1"))
    with pytest.raises(StatementRefused):
        await store(database, note(text="good", big=1, small=1, amount=1.0, raw=b"1") | {column: value})


async def test_rows_are_read_by_name_and_position(database: Database) -> None:
    await database.write(request(), add_account("a", 3))
    row = await database.read(lambda tx: tx.one(FIND_ACCOUNT, {"account_id": "a"}))
    assert row is not None
    assert (row.account_id, row[1], tuple(row), row._asdict()["revision"]) == ("a", 3, ("a", 3, 1), 1)
    with pytest.raises(AttributeError):
        _ = row.no_such_column


def balances(tx: Tx, statement: Any, **params: object) -> Any:
    return [tuple(row) for row in tx.all(statement, params)]


TABLE = accounts_table.c
STATEMENTS: list[tuple[Any, dict[str, object], list[tuple[object, ...]]]] = [
    (sa.select(sa.func.count().label("n")).select_from(accounts_table), {}, [(4,)]),
    (sa.select(sa.func.sum(TABLE.balance).label("n")), {}, [(10,)]),
    (sa.select(sa.func.avg(TABLE.balance).label("n")), {}, [(2.5,)]),
    (sa.select((TABLE.balance > 2).label("much")).where(TABLE.account_id == "b"), {}, [(0,)]),
    (
        sa.select(TABLE.balance)
        .where(TABLE.account_id.in_(sa.bindparam("ids", expanding=True)))
        .order_by(TABLE.balance),
        {"ids": ["b", "_d", "none"]},
        [(2,), (4,)],
    ),
    (sa.select(TABLE.balance).where(TABLE.account_id.in_(sa.bindparam("ids", expanding=True))), {"ids": []}, []),
    # By code point, as SQLite has it, whatever a database of PostgreSQL thinks of upper case and punctuation.
    (sa.select(TABLE.account_id).order_by(TABLE.account_id), {}, [("C",), ("_d",), ("a",), ("b",)]),
    (
        sa.select(TABLE.account_id)
        .where(TABLE.account_id > sa.bindparam("after"))
        .order_by(TABLE.account_id)
        .limit(sa.bindparam("limit")),
        {"after": "C", "limit": 2},
        [("_d",), ("a",)],
    ),
    (sa.select(TABLE.account_id).where(TABLE.balance == 3, TABLE.revision == 1), {}, [("C",)]),
]


@pytest.mark.parametrize(("statement", "params", "expected"), STATEMENTS)
async def test_a_statement_gives_the_same_rows_on_every_engine(
    database: Database, statement: Any, params: dict[str, object], expected: list[tuple[object, ...]]
) -> None:
    for name, balance in (("a", 1), ("b", 2), ("C", 3), ("_d", 4)):
        await database.write(request(), add_account(name, balance))
    for _ in range(2):  # Compiled, and found compiled.
        rows = await database.read(lambda tx: [tuple(row) for row in tx.all(statement, params)])
        assert rows == expected
        assert [tuple(map(type, row)) for row in rows] == [tuple(map(type, row)) for row in expected]


async def test_one_row_means_one_row(database: Database) -> None:
    assert await database.read(lambda tx: tx.one(ALL_ACCOUNTS)) is None
    await database.write(request(), add_account("a"))
    await database.write(request(), add_account("b"))
    with pytest.raises(StatementRefused):
        await database.read(lambda tx: tx.one(ALL_ACCOUNTS))


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        (FIND_ACCOUNT, {}),
        (sa.select(TABLE.account_id, TABLE.account_id.label("from")), {}),
        (sa.text("SELECT 1 AS a, 2 AS a"), {}),
        (sa.text("no sql"), {}),
    ],
)
async def test_a_statement_that_makes_no_sense_is_refused(
    database: Database, statement: Any, params: dict[str, object]
) -> None:
    with pytest.raises(StatementRefused):
        await database.read(lambda tx: tx.all(statement, params))
    assert await accounts(database) == {}


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError):
        await database.read(lambda tx: tx.run(DROP_NOTES))


async def test_a_read_sees_one_snapshot_while_others_write(database: Database) -> None:
    """A long read lets others have the loop between its statements and still sees nothing of what they do."""
    await database.write(request(), add_account("a"))

    def long_read(tx: Tx) -> list[int]:
        seen = [len(tx.all(ALL_ACCOUNTS))]
        writing.append(asyncio.ensure_future(database.write(request(), add_account("b"))))
        until = time.monotonic() + 10
        while not writing[0].done() and time.monotonic() < until:
            seen.append(len(tx.all(ALL_ACCOUNTS)))
        return seen

    writing: list[asyncio.Future[Any]] = []
    seen = await database.read(long_read)
    assert (await writing[0]).response
    assert set(seen) == {1}
    assert len(await accounts(database)) == 2


async def test_a_read_stops_at_its_deadline(database: Database) -> None:
    def endless(tx: Tx) -> None:
        while True:
            tx.all(ALL_ACCOUNTS)

    for work in (endless, lambda tx: None):
        with pytest.raises(DeadlinePassed):
            await database.read(work, deadline=time.monotonic() + (0.05 if work is endless else -1))
    assert await accounts(database) == {}


async def test_one_endless_statement_stops_at_its_deadline(database: Database) -> None:
    endless = sa.text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) AS n FROM n")
    with pytest.raises(DeadlinePassed):
        await database.read(lambda tx: tx.all(endless), deadline=time.monotonic() + 0.1)
    assert await accounts(database) == {}


async def test_what_a_read_raises_is_raised(database: Database) -> None:
    def work(tx: Tx) -> None:
        tx.all(ALL_ACCOUNTS)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        await database.read(work)


async def test_many_reads_and_writes_at_once(database: Database) -> None:
    async def one(number: int) -> int:
        await database.write(request(), add_account(f"a{number}"))
        return len(await accounts(database))

    counts = await asyncio.gather(*(one(number) for number in range(40)))
    assert max(counts) == 40
    assert min(counts) >= 1


async def test_pages_cover_a_list_once_while_it_grows(database: Database) -> None:
    for number in range(23):
        await database.write(request(), add_account(f"acc_{number:02}"))
    after = sa.bindparam("after")
    listing = sa.select(accounts_table).where(TABLE.account_id > after).order_by(TABLE.account_id)
    page_of = listing.limit(sa.bindparam("limit"))
    query = query_key("ListAccounts", {"state": "open"})
    token, seen = "", []
    while True:
        key = decode_token(query, token, (str,)) or ("",)
        size = page_size(5)
        params = {"after": key[0], "limit": size + 1}
        rows = await database.read(lambda tx, params=params: tx.all(page_of, params))  # type: ignore[misc]
        page, token = cut_page(rows, size, query, lambda row: (row.account_id,))
        seen += [row.account_id for row in page]
        await database.write(request(), add_account(f"aaa_{len(seen)}"))  # Before what was read: not met again.
        if not token:
            break
    assert seen == [f"acc_{number:02}" for number in range(23)]


def test_columns_that_the_engines_would_not_keep_alike_are_refused() -> None:
    from services.storage.statements import check_metadata

    check_metadata(notes_table.metadata)
    metadata = sa.MetaData()
    sa.Table(
        "bad",
        metadata,
        sa.Column("at", sa.DateTime),
        sa.Column("flag", sa.Boolean),
        sa.Column("price", sa.Numeric),
        sa.Column("data", sa.JSON),
        sa.Column("made", sa.BigInteger, default=lambda: 1),
    )
    with pytest.raises(ValueError, match=r"bad\.at.*bad\.flag.*bad\.price.*bad\.data.*bad\.made"):
        check_metadata(metadata)
