"""Timers and the worker that answers to them: once each, whoever else works on them and whatever fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.runtime.observe import Metrics
from services.runtime.worker import Fire, Worker, running
from services.storage import timers
from services.storage.database import Actor, Database, DatabaseSettings, UnitOfWork, open_database
from services.storage.ledger import list_entries
from services.storage.timers import Timer
from tests.storage.sample import ADD_ACCOUNT, SCHEMA

START = datetime(2026, 3, 7, 19, 0, tzinfo=UTC)
PLANNER = Actor("service", "planner")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def told(unit: UnitOfWork, timer: Timer) -> None:
    """Answers to a timer by an entry in the ledger."""
    unit.record("timer.told", timer.timer_id)


def worker_of(database: Database, fires: dict[str, Fire], clock: Clock, kind: type[Worker] = Worker) -> Worker:
    """A worker of a replica with a registry of its own."""
    return kind("sample", database, fires, clock, Metrics(CollectorRegistry()))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def opened(database_url: str, clock: Clock) -> AsyncIterator[Callable[[], Any]]:
    """Opens the database of the test once more, as another replica does."""
    async with AsyncExitStack() as closers:

        async def another() -> Database:
            database = await open_database(DatabaseSettings(url=database_url), SCHEMA, clock=clock)
            closers.push_async_callback(database.close)
            return database

        yield another


async def plan(database: Database, **due: int) -> None:
    """Sets timers, each so many minutes after the start."""

    def work(unit: UnitOfWork) -> None:
        for name, minutes in due.items():
            timers.set_timer(unit.tx, name, "sample", START + timedelta(minutes=minutes))

    await database.write_internal(PLANNER, work)


async def fired(database: Database) -> list[str]:
    """The timers that were answered to, in order."""
    entries = await database.read(lambda tx: list_entries(tx, 0, 10_000))
    return [entry.subject for entry in entries if entry.action == "timer.told"]


async def next_due(database: Database) -> datetime | None:
    return await database.read(timers.next_due)


async def test_what_is_due_fires_in_order_and_the_rest_waits(opened: Any, clock: Clock) -> None:
    database = await opened()
    worker = worker_of(database, {"sample": told}, clock)
    await plan(database, third=30, first=10, second=20)
    assert await worker.catch_up() == 0
    clock.now = START + timedelta(minutes=20)
    assert await worker.catch_up() == 2
    assert await fired(database) == ["first", "second"]
    assert await next_due(database) == START + timedelta(minutes=30)
    assert await worker.catch_up() == 0


async def test_a_timer_is_moved_and_cancelled(opened: Any, clock: Clock) -> None:
    database = await opened()
    worker = worker_of(database, {"sample": told}, clock)
    await plan(database, moved=1, cancelled=1)
    await plan(database, moved=60)

    await database.write_internal(PLANNER, lambda unit: timers.cancel_timer(unit.tx, "cancelled"))
    clock.now = START + timedelta(minutes=59)
    assert await worker.catch_up() == 0
    clock.now = START + timedelta(minutes=60)
    assert await worker.catch_up() == 1
    assert await fired(database) == ["moved"]


async def test_a_timer_may_set_the_next(opened: Any, clock: Clock) -> None:
    database = await opened()

    def again(unit: UnitOfWork, timer: Timer) -> None:
        told(unit, timer)
        if timer.due_at < START + timedelta(minutes=3):
            timers.set_timer(unit.tx, timer.timer_id, timer.kind, timer.due_at + timedelta(minutes=1))

    worker = worker_of(database, {"sample": again}, clock)
    await plan(database, ladder=1)
    # The service was down while three rungs fell due.
    clock.now = START + timedelta(hours=1)
    assert await worker.catch_up() == 3
    assert await next_due(database) is None


async def test_a_timer_that_finds_nothing_to_do_leaves_no_trace(opened: Any, clock: Clock) -> None:
    database = await opened()
    worker = worker_of(database, {"sample": lambda unit, timer: None}, clock)
    await plan(database, idle=0)
    assert await worker.catch_up() == 1
    assert await next_due(database) is None
    assert await database.read(lambda tx: list_entries(tx, 0, 10)) == []


async def test_one_whose_work_fails_does_not_keep_the_others_and_comes_again(opened: Any, clock: Clock) -> None:
    database = await opened()
    broken = True

    def sometimes(unit: UnitOfWork, timer: Timer) -> None:
        unit.record("timer.told", timer.timer_id)
        if broken and timer.timer_id == "b":
            raise RuntimeError("a fault in the work")

    worker = worker_of(database, {"sample": sometimes}, clock)
    await plan(database, a=0, b=0, c=0)
    await worker.catch_up()
    assert await fired(database) == ["a", "c"]
    assert (await next_due(database) or START) > START
    broken = False
    clock.now += timedelta(minutes=2)
    await worker.catch_up()
    assert await fired(database) == ["a", "c", "b"]


async def test_work_that_breaks_a_rule_of_the_store_keeps_nobody_else_from_theirs(opened: Any, clock: Clock) -> None:
    database = await opened()

    def unrecorded(unit: UnitOfWork, timer: Timer) -> None:
        if timer.timer_id == "b":
            unit.tx.run(ADD_ACCOUNT, {"account_id": "a-1", "balance": 0, "revision": 1})
        else:
            told(unit, timer)

    worker = worker_of(database, {"sample": unrecorded}, clock)
    await plan(database, b=0, c=0)
    await worker.catch_up()
    assert await fired(database) == ["c"]


async def test_replicas_share_the_work_and_each_timer_fires_once(postgres_url: str, clock: Clock) -> None:
    async with AsyncExitStack() as closers:
        databases = []
        for _ in range(3):
            databases.append(await open_database(DatabaseSettings(url=postgres_url), SCHEMA, clock=clock))
            closers.push_async_callback(databases[-1].close)
        names = [f"t{number:03}" for number in range(150)]
        await plan(databases[0], **dict.fromkeys(names, 0))
        workers = [worker_of(database, {"sample": told}, clock) for database in databases]
        await asyncio.gather(*(worker.catch_up() for worker in workers))
        assert Counter(await fired(databases[0])) == Counter(names)


async def test_the_loop_goes_on_after_a_fault_and_ends_with_its_block(opened: Any, clock: Clock) -> None:
    database = await opened()
    done = asyncio.Event()
    looks = 0

    class Faulty(Worker):
        async def catch_up(self) -> int:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise OSError("the database went away")
            done.set()
            return await super().catch_up()

    await plan(database, due=0)
    async with running(worker_of(database, {"sample": told}, clock, Faulty), 0.001):
        await asyncio.wait_for(done.wait(), 10)
    ended = looks
    await asyncio.sleep(0)
    assert looks == ended
    async with running(worker_of(database, {"sample": told}, clock, Faulty), 0):
        assert looks == ended


async def test_what_fired_what_failed_and_how_late_is_counted(opened: Any, clock: Clock) -> None:
    database, registry = await opened(), CollectorRegistry()

    def fire(unit: UnitOfWork, timer: Timer) -> None:
        told(unit, timer)
        if timer.timer_id == "bad":
            raise RuntimeError("a fault in the work")

    await plan(database, bad=0, good=1)
    clock.now = START + timedelta(minutes=10)
    lags = []

    class Watched(Worker):
        async def _one_pass(self) -> int:
            found = await super()._one_pass()
            lags.append(registry.get_sample_value("customer_ops_timer_lag_seconds", {"service": "sample"}))
            return found

    await Watched("sample", database, {"sample": fire}, clock, Metrics(registry)).catch_up()
    # The first look was ten minutes late; the last one finds nothing due.
    assert (lags[0], lags[-1]) == (600.0, 0.0)
    counts = [
        registry.get_sample_value(
            "customer_ops_timers_total", {"service": "sample", "kind": "sample", "outcome": outcome}
        )
        for outcome in ("fired", "failed")
    ]
    assert counts == [1.0, 1.0]


def test_claiming_passes_over_what_another_replica_works_on() -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    assert "FOR UPDATE SKIP LOCKED" in str(timers._DUE.compile(dialect=postgresql.dialect()))
    assert "FOR UPDATE" not in str(timers._DUE.compile(dialect=sqlite.dialect()))
