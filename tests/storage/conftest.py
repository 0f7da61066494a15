"""Databases of the sample service."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.storage.database import (
    Actor,
    Database,
    DatabaseSettings,
    ServiceSchema,
    Tx,
    UnitOfWork,
    WriteRequest,
    open_database,
)
from services.storage.ledger import LedgerEntry, Verification, list_entries, verify
from tests.storage.sample import ADD_ACCOUNT, ALL_ACCOUNTS, SCHEMA

PERSON = Actor("person", "per_1", "founder")
WORKER = Actor("service", "sample-worker")


def request(fingerprint: bytes = b"content", method: str = "AddAccount", **other: Any) -> WriteRequest:
    """A request that was never sent before."""
    return replace(WriteRequest(str(uuid.uuid4()), method, fingerprint, PERSON), **other)


def add_account(name: str, balance: int = 0) -> Callable[[UnitOfWork], bytes]:
    """A work: one account, one ledger entry."""

    def work(unit: UnitOfWork) -> bytes:
        unit.tx.run(ADD_ACCOUNT, {"account_id": name, "balance": balance, "revision": 1})
        unit.record("add_account", f"account/{name}", fields=("balance",), attributes={"balance": str(balance)})
        return b"added " + name.encode()

    return work


async def accounts(database: Database) -> dict[str, int]:
    """What is stored."""
    return await database.read(lambda tx: {row.account_id: row.balance for row in tx.all(ALL_ACCOUNTS)})


async def entries(database: Database) -> list[LedgerEntry]:
    """The whole ledger."""
    return await database.read(lambda tx: list_entries(tx, 0, 100_000))


async def verified(database: Database) -> Verification:
    """The ledger, verified."""
    return await database.read(lambda tx: verify(tx))


class Opener:
    """Opens databases of the sample service and closes them at the end of the test."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack
        start = datetime(2026, 1, 1, tzinfo=UTC)
        self._ticks = itertools.count()
        self.clock: Callable[[], datetime] = lambda: start + timedelta(seconds=next(self._ticks))

    async def __call__(self, schema: ServiceSchema = SCHEMA, **settings: Any) -> Database:
        database = await open_database(DatabaseSettings(url=self.url, **settings), schema, clock=self.clock)
        self._stack.push_async_callback(database.close)
        return database


@pytest.fixture
async def opener(database_url: str) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(database_url, stack)


@pytest.fixture
async def database(opener: Opener) -> Database:
    return await opener()


@pytest.fixture
async def sqlite_opener(sqlite_url: str) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(sqlite_url, stack)


@pytest.fixture
async def postgres_opener(postgres_url: str) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(postgres_url, stack)


def all_rows(tx: Tx, statement: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in tx.all(statement)]
