"""Every write: one effect for one request_id, all or nothing, durable when it is answered; on every engine."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.domain.errors import PreconditionFailed
from services.storage.database import Database, UnitOfWork
from services.storage.errors import (
    ConstraintBroken,
    DeadlinePassed,
    RequestIdReused,
    StatementRefused,
    StorageUnavailable,
    WorkFault,
)
from tests.storage.conftest import (
    PERSON,
    WORKER,
    Opener,
    accounts,
    add_account,
    entries,
    request,
    verified,
)
from tests.storage.sample import ADD_ACCOUNT, FIND_ACCOUNT, SET_BALANCE


class Refused(PreconditionFailed):
    reason = "REFUSED_BY_TEST"


async def test_a_write_is_stored_answered_and_recorded(database: Database) -> None:
    sent = request()
    outcome = await database.write(sent, add_account("a", 5))
    assert (outcome.response, outcome.replayed) == (b"added a", False)
    assert await accounts(database) == {"a": 5}
    (entry,) = await entries(database)
    assert (entry.sequence, entry.action, entry.subject, entry.actor) == (1, "add_account", "account/a", PERSON)
    assert (entry.request_id, entry.fields, entry.attributes) == (sent.request_id, ("balance",), {"balance": "5"})
    assert (await verified(database)).ok


async def test_a_clock_that_goes_back_makes_no_write_earlier_than_the_one_it_follows(opener: Opener) -> None:
    noon = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    seconds = iter((0, 5, 3, -600, 4, 2))
    opener.clock = lambda: noon + timedelta(seconds=next(seconds))
    database = await opener()
    seen = []

    def work(unit: UnitOfWork) -> None:
        seen.append(unit.now)
        unit.record("look", "account/a")

    for _ in range(3):
        await database.write_internal(WORKER, work)
    # It holds for writes that share a commit, and from one process to the next.
    await asyncio.gather(*(database.write_internal(WORKER, work) for _ in range(2)))
    await database.close()
    database = await opener()
    await database.write_internal(WORKER, work)
    assert seen == [noon + timedelta(seconds=n) for n in (0, 5, 5, 5, 5, 5)]
    assert [entry.time for entry in await entries(database)] == seen
    assert (await verified(database)).ok


async def test_a_clock_that_was_far_ahead_for_once_keeps_no_later_write_there(opener: Opener) -> None:
    noon = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    days = iter((0, 365, 1, 0))
    opener.clock = lambda: noon + timedelta(days=next(days))
    database = await opener()
    seen = []

    def work(unit: UnitOfWork) -> None:
        seen.append(unit.now)
        unit.record("look", "account/a")

    for _ in range(4):
        await database.write_internal(WORKER, work)
    assert seen == [noon + timedelta(days=n) for n in (0, 365, 1, 0)]
    assert (await verified(database)).ok


async def test_the_same_request_again_gets_the_same_answer_and_has_no_second_effect(database: Database) -> None:
    sent = request()
    first = await database.write(sent, add_account("a"))

    def never(unit: UnitOfWork) -> bytes:
        raise AssertionError("a replayed work ran")

    again = await database.write(sent, never)
    assert (again.response, again.replayed) == (first.response, True)
    assert len(await entries(database)) == 1


@pytest.mark.parametrize(("fingerprint", "method"), [(b"other content", "AddAccount"), (b"content", "CloseAccount")])
async def test_a_request_id_with_other_content_is_refused(database: Database, fingerprint: bytes, method: str) -> None:
    sent = request()
    await database.write(sent, add_account("a"))
    with pytest.raises(RequestIdReused) as refused:
        await database.write(request(fingerprint, method, request_id=sent.request_id), add_account("b"))
    assert refused.value.metadata == {"request_id": sent.request_id}
    assert await accounts(database) == {"a": 0}


async def test_the_same_request_in_flight_many_times_has_one_effect(database: Database) -> None:
    sent = request()
    outcomes = await asyncio.gather(*(database.write(sent, add_account("a")) for _ in range(20)))
    assert {outcome.response for outcome in outcomes} == {b"added a"}
    assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * 19
    assert len(await entries(database)) == 1


async def test_one_request_id_raced_by_two_contents_has_the_effect_of_one(database: Database) -> None:
    sent = request()
    results = await asyncio.gather(
        *(
            database.write(request(name.encode(), request_id=sent.request_id), add_account(name))
            for name in ("a", "b", "c")
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, RequestIdReused) for result in results) == 2
    assert len(await accounts(database)) == 1


async def test_64_writers_at_once_lose_nothing_and_leave_no_gap(database: Database) -> None:
    await database.write(request(), add_account("pot", 0))

    async def writer(number: int) -> None:
        for turn in range(3):

            def work(unit: UnitOfWork) -> bytes:
                row = unit.tx.one(FIND_ACCOUNT, {"account_id": "pot"})
                assert row is not None
                unit.tx.run(SET_BALANCE, {"id": "pot", "balance": row.balance + 1})
                unit.record("deposit", "account/pot", attributes={"balance": str(row.balance + 1)})
                return str(number).encode()

            outcome = await database.write(request(b"%d/%d" % (number, turn)), work)
            assert outcome.response == str(number).encode()

    await asyncio.gather(*map(writer, range(64)))
    assert await accounts(database) == {"pot": 192}
    ledger = await entries(database)
    assert [entry.sequence for entry in ledger] == list(range(1, 194))
    assert [entry.attributes["balance"] for entry in ledger] == [str(n) for n in range(193)]
    assert (await verified(database)).ok


def raising(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    raise Refused("no")


def forgetful(unit: UnitOfWork) -> bytes:
    unit.tx.run(ADD_ACCOUNT, {"account_id": "half", "balance": 0, "revision": 1})
    return b"done"


def wordless(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    return None  # type: ignore[return-value]


def ended(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    raise StopIteration


def cut_off(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    raise SystemExit(3)


def broken_rule(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    unit.tx.run(ADD_ACCOUNT, {"account_id": "negative", "balance": -1, "revision": 1})
    return b"done"


def broken_rule_ignored(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    with pytest.raises(ConstraintBroken):
        unit.tx.run(ADD_ACCOUNT, {"account_id": "half", "balance": 0, "revision": 1})
    return b"done"


def statement_after_failure(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    with pytest.raises(ConstraintBroken):
        unit.tx.run(ADD_ACCOUNT, {"account_id": "half", "balance": 0, "revision": 1})
    unit.tx.one(FIND_ACCOUNT, {"account_id": "half"})
    return b"done"


def nonsense(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    unit.tx.run(sa.text("UPDATE no_such_table SET x = 1"))
    return b"done"


def personal(unit: UnitOfWork) -> bytes:
    add_account("half")(unit)
    unit.record("add_account", "account/half", attributes={"name": "Some One"})
    return b"done"


FAILING = [
    (raising, Refused),
    (forgetful, WorkFault),
    (wordless, WorkFault),
    (ended, WorkFault),
    (cut_off, WorkFault),
    (broken_rule, ConstraintBroken),
    (broken_rule_ignored, ConstraintBroken),
    (statement_after_failure, WorkFault),
    (nonsense, StatementRefused),
    (personal, WorkFault),
]


@pytest.mark.parametrize(("work", "error"), FAILING, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_work_that_fails_is_undone_and_its_neighbours_are_not(
    database: Database, work: object, error: type[Exception]
) -> None:
    failing = request()
    results = await asyncio.gather(
        database.write(request(), add_account("before")),
        database.write(failing, work),  # type: ignore[arg-type]
        database.write(request(), add_account("after")),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results] == ["WriteOutcome", error.__name__, "WriteOutcome"]
    assert set(await accounts(database)) == {"before", "after"}
    assert [entry.sequence for entry in await entries(database)] == [1, 2]
    assert (await verified(database)).ok
    # Nothing is remembered of it either: the same request may succeed later.
    assert not (await database.write(failing, add_account("half"))).replayed


async def test_errors_never_quote_what_was_stored(database: Database) -> None:
    await database.write(request(), add_account("secret-name"))
    with pytest.raises(ConstraintBroken) as broken:
        await database.write(request(), add_account("secret-name"))
    chain: list[BaseException] = []
    error: BaseException | None = broken.value
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert not [link for link in chain if "secret-name" in str(link)]


async def test_a_deadline_that_has_passed_stops_the_work_before_it_begins(database: Database) -> None:
    sent = request(deadline=time.monotonic() - 0.001)
    with pytest.raises(DeadlinePassed):
        await database.write(sent, add_account("late"))
    assert await accounts(database) == {}
    assert (await database.write(request(deadline=time.monotonic() + 60), add_account("early"))).response


async def test_a_deadline_that_passes_while_the_write_waits_its_turn_stops_it(database: Database) -> None:
    """Which of two writes comes first is not ours to say, so the pair is tried until the slow one did."""
    stopped = False
    for turn in range(20):
        deadline = time.monotonic() + 0.05

        def slow(unit: UnitOfWork, until: float = deadline, name: str = f"slow{turn}") -> bytes:
            while time.monotonic() < until:
                pass
            return add_account(name)(unit)

        first, second = await asyncio.gather(
            database.write(request(), slow),
            database.write(request(deadline=deadline), add_account(f"late{turn}")),
            return_exceptions=True,
        )
        assert not isinstance(first, BaseException)
        stopped = isinstance(second, DeadlinePassed)
        assert stopped or not isinstance(second, BaseException)
        there = set(await accounts(database))
        assert f"slow{turn}" in there
        assert (f"late{turn}" in there) is not stopped
        if stopped:
            break
    assert stopped


async def test_a_caller_that_goes_away_during_the_work_does_not_undo_it(database: Database) -> None:
    loop = asyncio.get_running_loop()
    sent = request()

    def work(unit: UnitOfWork) -> bytes:
        loop.call_soon_threadsafe(task.cancel)
        return add_account("a")(unit)

    task = asyncio.ensure_future(database.write(sent, work))
    await asyncio.wait([task])
    again = await database.write(sent, work)
    assert (again.response, again.replayed) == (b"added a", True)
    assert await accounts(database) == {"a": 0}


async def test_a_caller_that_goes_away_before_the_work_begins_leaves_nothing(database: Database) -> None:
    task = asyncio.ensure_future(database.write(request(), add_account("never")))
    task.cancel()
    await asyncio.wait([task])
    await database.write(request(), add_account("a"))
    assert await accounts(database) == {"a": 0}


async def test_a_worker_writes_without_a_request_id(database: Database) -> None:
    def work(unit: UnitOfWork) -> int:
        add_account("a")(unit)
        return 7

    assert await database.write_internal(WORKER, work) == 7
    (entry,) = await entries(database)
    assert (entry.actor, entry.request_id) == (WORKER, "")


async def test_a_worker_that_finds_nothing_to_do_records_nothing(database: Database) -> None:
    assert await database.write_internal(WORKER, lambda unit: len(unit.tx.all(FIND_ACCOUNT, {"account_id": "x"}))) == 0
    with pytest.raises(WorkFault):
        await database.write_internal(WORKER, forgetful)
    assert await accounts(database) == {}


async def test_a_transaction_cannot_be_used_after_its_end(database: Database) -> None:
    kept: list[UnitOfWork] = []

    def work(unit: UnitOfWork) -> bytes:
        kept.append(unit)
        return add_account("a")(unit)

    await database.write(request(), work)
    with pytest.raises(WorkFault):
        kept[0].tx.one(FIND_ACCOUNT, {"account_id": "a"})
    with pytest.raises(WorkFault):
        kept[0].record("x", "account/a")


async def test_closing_finishes_what_was_accepted_and_refuses_the_rest(opener: Opener) -> None:
    database = await opener()
    await database.write(request(), add_account("first"))
    writes = [asyncio.ensure_future(database.write(request(), add_account(f"a{n}"))) for n in range(10)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes)
    with pytest.raises(StorageUnavailable):
        await database.write(request(), add_account("late"))
    with pytest.raises(StorageUnavailable):
        await database.read(lambda tx: None)
    assert not (await database.health()).ok
    assert len(await accounts(await opener())) == 11
