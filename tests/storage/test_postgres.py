"""Replicas on one server, lost connections, restarts: what only a server can do to a database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import sqlalchemy as sa

from services.storage.database import DatabaseSettings, UnitOfWork, open_database
from services.storage.errors import DeadlinePassed, StorageUnavailable
from tests.storage.conftest import WORKER, Opener, accounts, add_account, entries, request, verified
from tests.storage.sample import FIND_ACCOUNT, SCHEMA, SET_BALANCE
from tests.support_pg import EmbeddedServer, PostgresServer


@pytest.fixture
def opener(postgres_opener: Opener) -> Opener:
    return postgres_opener


class Proxy:
    """Stands between database and server, and can stop passing things on."""

    def __init__(self) -> None:
        self.port = 0
        self.up = True
        # Cut the connection when the client says this: before the server hears it, or after.
        self.cut_at: bytes | None = None
        self.server_hears = False
        self.down_after_cut = False
        self.cuts = 0
        self._links: set[asyncio.StreamWriter] = set()

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter, host: str, port: int) -> None:
        if not self.up:
            back.close()
            return
        server, forth = await asyncio.open_connection(host, port)
        self._links |= {back, forth}

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, watched: bool) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    if watched and self.cut_at is not None and self.cut_at in data:
                        self.cut_at = None
                        self.cuts += 1
                        if self.down_after_cut:
                            self.up = False
                        back.transport.abort()
                        if self.server_hears:
                            forth.write(data)
                            await forth.drain()
                            await server.read(65536)
                        break
                    target.write(data)
                    await target.drain()
            forth.close()
            back.close()

        try:
            await asyncio.gather(pump(client, forth, True), pump(server, back, False))
        finally:
            self._links -= {back, forth}

    def cut_all(self) -> None:
        for link in list(self._links):
            link.transport.abort()


@pytest.fixture
async def proxy(opener: Opener) -> AsyncIterator[Proxy]:
    """The opener's URL leads through the proxy."""
    url = sa.make_url(opener.url)
    assert url.host
    host, port = url.host, url.port or 5432
    proxy = Proxy()
    tasks: set[asyncio.Task[None]] = set()

    def accept(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy.serve(client, back, host, port))
        tasks.add(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    through = url.set(host="127.0.0.1", port=proxy.port)
    opener.url = through.render_as_string(hide_password=False)
    yield proxy
    server.close()
    proxy.cut_all()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_replicas_write_one_ledger_without_gaps(opener: Opener) -> None:
    replicas = [await opener() for _ in range(3)]
    await replicas[0].write(request(), add_account("pot"))

    def work(unit: UnitOfWork) -> bytes:
        row = unit.tx.one(FIND_ACCOUNT, {"account_id": "pot"})
        assert row is not None
        unit.tx.run(SET_BALANCE, {"id": "pot", "balance": row.balance + 1})
        unit.record("deposit", "account/pot", attributes={"balance": str(row.balance + 1)})
        return b"ok"

    await asyncio.gather(*(replica.write(request(), work) for replica in replicas for _ in range(15)))
    assert await accounts(replicas[1]) == {"pot": 45}
    assert [entry.attributes["balance"] for entry in await entries(replicas[2])] == [str(n) for n in range(46)]
    assert (await verified(replicas[0])).ok


async def test_one_request_sent_to_two_replicas_has_one_effect(opener: Opener) -> None:
    replicas = [await opener() for _ in range(2)]
    for number in range(5):
        sent = request()
        outcomes = await asyncio.gather(
            *(replica.write(sent, add_account(f"a{number}")) for replica in replicas for _ in range(3))
        )
        assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * 5
    assert len(await entries(replicas[0])) == 5


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_a_transaction_that_collides_is_run_again_as_a_whole(opener: Opener, state: str) -> None:
    database = await opener()
    runs = 0

    def work(unit: UnitOfWork) -> bytes:
        nonlocal runs
        runs += 1
        response = add_account("a")(unit)
        if runs < 3:
            unit.tx.run(sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'collision' USING ERRCODE = '{state}'; END $$"))
        return response

    assert (await database.write(request(), work)).response == b"added a"
    assert runs == 3
    assert [entry.sequence for entry in await entries(database)] == [1]


async def test_a_transaction_that_always_collides_is_given_up(opener: Opener) -> None:
    database = await opener()

    def work(unit: UnitOfWork) -> bytes:
        unit.tx.run(sa.text("DO $$ BEGIN RAISE EXCEPTION 'collision' USING ERRCODE = '40001'; END $$"))
        return b""

    with pytest.raises(StorageUnavailable) as unavailable:
        await database.write(request(), work)
    assert unavailable.value.metadata["outcome"] == "none"


async def test_a_statement_gets_what_remains_of_the_deadline(opener: Opener) -> None:
    database = await opener()
    begun = time.monotonic()

    def work(unit: UnitOfWork) -> bytes:
        add_account("a")(unit)
        unit.tx.all(sa.text("SELECT pg_sleep(30)::text AS slept"))
        return b""

    with pytest.raises(DeadlinePassed):
        await database.write(request(deadline=begun + 0.2), work)
    with pytest.raises(DeadlinePassed):
        await database.read(
            lambda tx: tx.all(sa.text("SELECT pg_sleep(30)::text AS slept")), deadline=time.monotonic() + 0.2
        )
    assert time.monotonic() - begun < 20
    assert await accounts(database) == {}


async def test_waiting_for_another_replica_ends_with_the_deadline(opener: Opener) -> None:
    first, second = await opener(), await opener()
    loop, entered, done = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def holding(unit: UnitOfWork) -> bytes:
        from sqlalchemy.util.concurrency import await_only

        loop.call_soon(entered.set)
        await_only(done.wait())  # Only here: a work never waits.
        return add_account("a")(unit)

    write = asyncio.ensure_future(first.write(request(), holding))
    await entered.wait()
    with pytest.raises(DeadlinePassed):
        await second.write(request(deadline=time.monotonic() + 0.2), add_account("b"))
    done.set()
    await write
    assert set(await accounts(second)) == {"a"}


async def test_connections_that_died_idle_are_replaced_unnoticed(opener: Opener, proxy: Proxy) -> None:
    database = await opener()
    await asyncio.gather(*(accounts(database) for _ in range(4)), database.write(request(), add_account("a")))
    proxy.cut_all()
    assert set(await accounts(database)) == {"a"}
    proxy.cut_all()
    assert not (await database.write(request(), add_account("b"))).replayed
    assert (await verified(database)).checked == 2


async def test_a_connection_lost_in_the_work_is_no_loss(opener: Opener, proxy: Proxy) -> None:
    database = await opener()
    await database.write(request(), add_account("a"))
    proxy.cut_at = b"INSERT INTO requests"
    assert (await database.write(request(), add_account("b"))).response == b"added b"
    assert proxy.cuts <= 1
    assert [entry.sequence for entry in await entries(database)] == [1, 2]


@pytest.mark.parametrize("heard", [False, True])
async def test_a_commit_that_was_cut_off_is_found_out(opener: Opener, proxy: Proxy, heard: bool) -> None:
    """Whether the server heard it or not: one effect, and the answer that belongs to it."""
    database = await opener()
    await database.write(request(), add_account("a"))
    proxy.cut_at, proxy.server_hears = b"COMMIT;", heard
    outcome = await database.write(request(), add_account("b"))
    assert (outcome.response, outcome.replayed, proxy.cuts) == (b"added b", heard, 1)
    assert [entry.sequence for entry in await entries(database)] == [1, 2]
    assert (await verified(database)).ok


@pytest.mark.parametrize("heard", [False, True])
async def test_a_commit_whose_outcome_stays_unknown_says_so(opener: Opener, proxy: Proxy, heard: bool) -> None:
    database = await opener()
    await database.write(request(), add_account("a"))
    proxy.cut_at, proxy.server_hears, proxy.down_after_cut = b"COMMIT;", heard, True
    sent = request()
    with pytest.raises(StorageUnavailable) as unavailable:
        await database.write(sent, add_account("b"))
    assert unavailable.value.metadata["outcome"] == "unknown"
    assert not (await database.health()).ok
    proxy.up = True
    # The caller's part of the bargain: the same request again.
    assert (await database.write(sent, add_account("b"))).replayed == heard
    assert [entry.sequence for entry in await entries(database)] == [1, 2]


async def test_a_worker_is_told_when_the_outcome_is_unknown(opener: Opener, proxy: Proxy) -> None:
    """It has no request_id to repeat, so nothing is repeated for it."""
    database = await opener()
    await database.write(request(), add_account("a"))
    proxy.cut_at, proxy.server_hears = b"COMMIT;", True
    with pytest.raises(StorageUnavailable) as unavailable:
        await database.write_internal(WORKER, add_account("b"))
    assert unavailable.value.metadata["outcome"] == "unknown"
    assert set(await accounts(database)) == {"a", "b"}


async def test_a_server_that_is_away_is_unavailable_and_not_a_crash(opener: Opener, proxy: Proxy) -> None:
    database = await opener(connect_timeout=2.0)
    await database.write(request(), add_account("a"))
    proxy.up = False
    proxy.cut_all()
    calls: list[Callable[[], object]] = [
        lambda: database.write(request(), add_account("b")),
        lambda: database.write_internal(WORKER, add_account("b")),
        lambda: accounts(database),
    ]
    for call in calls:
        with pytest.raises(StorageUnavailable) as unavailable:
            await call()  # type: ignore[misc]
        assert unavailable.value.metadata["outcome"] == "none"
    health = await database.health()
    assert (health.ok, health.needed_revision) == (False, "0002")
    proxy.up = True
    assert (await database.health()).ok
    assert (await database.write(request(), add_account("b"))).response


async def test_a_replica_may_start_before_its_server(opener: Opener, proxy: Proxy) -> None:
    await (await opener()).close()
    proxy.up = False
    with pytest.raises(StorageUnavailable):
        await opener()
    database = await opener(auto_migrate=False)
    assert not (await database.health()).ok
    with pytest.raises(StorageUnavailable):
        await database.write(request(), add_account("a"))
    proxy.up = True
    assert (await database.write(request(), add_account("a"))).response
    assert (await database.health()).ok


async def test_migrating_later_makes_a_waiting_replica_healthy(opener: Opener) -> None:
    waiting = await opener(auto_migrate=False)
    assert not (await waiting.health()).ok
    await opener()
    assert (await waiting.health()).ok
    assert (await waiting.write(request(), add_account("a"))).response


async def test_the_server_is_restarted_under_load(postgres: PostgresServer, opener: Opener) -> None:
    if not isinstance(postgres, EmbeddedServer):
        pytest.skip("this server is not ours to restart")
    database = await opener(connect_timeout=5.0)
    acknowledged: set[str] = set()
    stop, grown = asyncio.Event(), asyncio.Event()

    async def writer(number: int) -> None:
        turn = 0
        while not stop.is_set():
            sent, name = request(), f"a{number}-{turn}"
            while name not in acknowledged:
                try:
                    await database.write(sent, add_account(name))
                except StorageUnavailable:
                    await asyncio.sleep(0.01)
                else:
                    acknowledged.add(name)
                    grown.set()
            turn += 1

    async def until(count: int) -> None:
        while len(acknowledged) < count:
            grown.clear()
            await grown.wait()

    writers = [asyncio.ensure_future(writer(number)) for number in range(8)]
    await until(40)
    await asyncio.to_thread(postgres.stop)
    postgres.launch()
    await asyncio.to_thread(postgres.wait)
    await until(len(acknowledged) + 40)
    stop.set()
    await asyncio.gather(*writers)
    assert set(await accounts(database)) == acknowledged
    result = await verified(database)
    assert (result.ok, result.checked) == (True, len(acknowledged))


async def test_text_keys_are_ordered_alike_whatever_the_collation(postgres: PostgresServer) -> None:
    options = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    async with contextlib.AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(postgres.database(options))
        except asyncpg.FeatureNotSupportedError:
            pytest.skip("this server knows no collation but code points")
        database = await Opener(url, stack)()
        for name in ("b", "A", "a", "_", "B"):
            await database.write(request(), add_account(name))
        assert list(await accounts(database)) == ["A", "B", "_", "a", "b"]


async def test_the_password_is_in_no_message(opener: Opener, proxy: Proxy) -> None:
    url = sa.make_url(opener.url).set(password="hunter2-hunter2")
    opener.url = url.render_as_string(hide_password=False)
    proxy.up = False
    settings = DatabaseSettings(url=opener.url)
    assert "hunter2" not in repr(settings)
    with pytest.raises(StorageUnavailable) as unavailable:
        await open_database(settings, SCHEMA, clock=opener.clock)
    error: BaseException | None = unavailable.value
    while error is not None:
        assert "hunter2" not in str(error)
        error = error.__cause__


async def test_a_write_is_never_earlier_than_the_one_it_follows_however_clocks_differ(postgres_url: str) -> None:
    noon = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    clocks = {"ahead": noon + timedelta(milliseconds=40), "behind": noon}
    async with AsyncExitStack() as closers:
        replicas = {}
        for name, now in clocks.items():
            replicas[name] = await open_database(DatabaseSettings(url=postgres_url), SCHEMA, clock=lambda now=now: now)
            closers.push_async_callback(replicas[name].close)
        for number, name in enumerate(("behind", "ahead", "behind", "ahead")):
            await replicas[name].write(request(), add_account(f"a{number}"))
        times = [entry.time for entry in await entries(replicas["behind"])]
    assert times == [noon, clocks["ahead"], clocks["ahead"], clocks["ahead"]]
