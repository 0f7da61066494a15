"""The PostgreSQL engine: many replicas of a service on one database, their writes one after another.

Every write first locks the row of the ledger's head, which makes the writers of a service take turns across
replicas and leaves no gap in the sequence; whoever waits for the row sees, once it has it, everything written
before, the kept requests included. So two sendings of one request have one effect on two replicas, too.

A transaction that never reached its commit is run again (a serialisation failure, a connection that had died). When
the connection is lost *in* the commit nobody knows the outcome; a write with a ``request_id`` is then sent again and
finds out, behind the row lock, whether the first sending is there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.sql import Executable

from services.storage.database import Database, DatabaseSettings, ServiceSchema
from services.storage.errors import (
    ConstraintBroken,
    DeadlinePassed,
    StatementRefused,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    WorkFault,
)
from services.storage.ledger import LOCK_HEAD, MOVE_HEAD, read_head
from services.storage.migrations import (
    ADVISORY_KEY,
    mark_instance,
    needed_revision,
    refuse_unknown,
    upgrade,
    wrong_revision,
)
from services.storage.schema import instance
from services.storage.statements import StatementCache, check_metadata, row_maker
from services.storage.transaction import NO_PARAMS, Actor, Row, StorageHealth, Tx, WriteOutcome, WriteRequest
from services.storage.unit import UnitOfWork, deliverable, find_replay, keep_request

T = TypeVar("T")

_ATTEMPTS = 5
_BACKOFF_SECONDS = 0.01
# Writers of one process that may hold or wait for the row of the head: one works, the next has its transaction ready.
_WRITERS = 2
_HEALTH_SECONDS = 2.0
# A replica that stops in the middle of a write must not keep the row of the head for ever.
_IDLE_IN_TRANSACTION_MS = "10000"

_AGAIN = {"40001", "40P01"}
_GONE = {"57P01", "57P02", "57P03", "57P05", "53300"}
_FULL = {"53100"}
_CANCELLED = "57014"

_SET_TIMEOUT = sa.select(sa.func.set_config("statement_timeout", sa.bindparam("ms", type_=sa.Text), True).label("ms"))
_REVISION = sa.text("SELECT version_num FROM alembic_version")
_HAS_REVISION = sa.text("SELECT to_regclass('alembic_version') IS NOT NULL AS present")


class _RetryError(Exception):
    """Nothing was done, and the same transaction may succeed when it is run again; the reason if it does not."""

    def __init__(self, reason: StorageError, lost: bool = False) -> None:
        super().__init__(reason.message)
        self.reason = reason
        self.lost = lost


@lru_cache(maxsize=512)
def _row_maker(names: tuple[str, ...]) -> Callable[[Any], Row]:
    return row_maker(names)


def _plain(value: object) -> object:
    """As SQLite gives it: no truth values, no decimals (the type of a sum or an average of integers)."""
    if value is True or value is False:
        return int(value)
    if type(value) is Decimal:
        return float(value) if cast(int, value.as_tuple().exponent) < 0 else int(value)
    return value


class PostgresTx:
    """A transaction on one connection; runs in a greenlet, so that it can be used synchronously."""

    __slots__ = ("_cache", "_connection", "_open", "changed", "deadline", "failure")

    def __init__(self, connection: sa.Connection, cache: StatementCache, deadline: float | None) -> None:
        self._connection = connection
        self._cache = cache
        self._open = True
        self.deadline = deadline
        self.changed = False
        self.failure: BaseException | None = None

    def all(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS) -> list[Row]:
        result = self._execute(stmt, params)
        try:
            if not result.returns_rows:
                raise StatementRefused("a statement without rows where rows are wanted")
            make_row = _row_maker(tuple(result.keys()))
            return [make_row([_plain(value) for value in row]) for row in result.all()]
        except Exception as error:
            self._fail(error)

    def one(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS) -> Row | None:
        rows = self.all(stmt, params)
        if len(rows) > 1:
            self._fail(StatementRefused("more than one row where at most one belongs"))
        return rows[0] if rows else None

    def run(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS, *, counts: bool = True) -> int:
        result = self._execute(stmt, params)
        count = result.rowcount
        result.close()
        if count > 0 and counts:
            self.changed = True
        return count

    def limit_time(self) -> None:
        """Give every statement from here on what remains until the deadline."""
        if self.deadline is not None:
            remaining = self.deadline - time.monotonic()
            if remaining <= 0:
                raise DeadlinePassed("the deadline passed before the work began")
            self.all(_SET_TIMEOUT, {"ms": str(max(1, int(remaining * 1000)))})

    def end(self) -> None:
        """Refuse statements from now on."""
        self._open = False

    def _execute(self, stmt: Executable, params: Mapping[str, object]) -> sa.CursorResult[Any]:
        if not self._open:
            raise WorkFault("a transaction was used after its end")
        if self.failure is not None:
            raise WorkFault("a statement after one that failed") from self.failure
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self._fail(DeadlinePassed("the deadline passed during the work; nothing was done"))
        try:
            # What it compiles to is of no use here; the checks are those of the other engine.
            self._cache.get(stmt, params).bind(params)
            return cast("sa.CursorResult[Any]", self._connection.execute(stmt, dict(params)))
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        failure = error if isinstance(error, StorageError | StorageFull) else _translate(error, self.deadline)
        self.failure = failure
        # Without the cause: what the server says about a row quotes the row.
        raise failure from None


def _translate(error: BaseException, deadline: float | None = None) -> Exception:
    """The error of this package, or ``_RetryError``, for one of the driver's."""
    if isinstance(error, PoolTimeout):
        return StorageUnavailable("no connection to PostgreSQL became free in time")
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        what = _describe(error, state)
        if state in _AGAIN:
            return _RetryError(StorageUnavailable(f"PostgreSQL: the transaction kept colliding with others ({what})"))
        if state == _CANCELLED and deadline is not None and time.monotonic() >= deadline - 0.001:
            return DeadlinePassed("the deadline passed during the work; nothing was done")
        if state == _CANCELLED:
            return StorageUnavailable(f"PostgreSQL: a statement took too long ({what})")
        if state in _FULL:
            return StorageFull("no space left for the database; nothing was written")
        if error.connection_invalidated or state.startswith("08") or state in _GONE or "is closed" in str(error.orig):
            return _RetryError(StorageUnavailable(f"PostgreSQL: the connection was lost ({what})"), lost=True)
        if state.startswith("23"):
            return ConstraintBroken(f"PostgreSQL: {what}")
        return StatementRefused(f"PostgreSQL: {what}")
    if isinstance(error, OSError | EOFError):  # TimeoutError is an OSError.
        return _RetryError(StorageUnavailable(f"PostgreSQL does not answer ({type(error).__name__})"), lost=True)
    if isinstance(error, SQLAlchemyError):
        return StatementRefused(f"a statement that SQLAlchemy refuses: {type(error).__name__}")
    return StatementRefused(f"PostgreSQL: {type(error).__name__}")


def _describe(error: DBAPIError, state: str) -> str:
    """Names only: the server's own text may quote values."""
    cause = getattr(error.orig, "__cause__", None)
    names = [state, type(cause or error.orig).__name__]
    names += [str(getattr(cause, name)) for name in ("constraint_name", "table_name") if getattr(cause, name, None)]
    return " ".join(filter(None, names))


class _Job:
    """One write on its way."""

    __slots__ = ("abandoned", "actor", "committing", "request", "work")

    def __init__(self, request: WriteRequest | None, actor: Actor, work: Callable[[UnitOfWork], Any]) -> None:
        self.request = request
        self.actor = actor
        self.work = work
        # The caller is gone; a work that has not begun need not begin.
        self.abandoned = False
        self.committing = False


def _let_go(task: asyncio.Task[Any], job: _Job) -> None:
    """Undo a write that nobody waits for, unless it is being committed: what it waits for may take until its deadline."""
    if job.abandoned and not job.committing:
        task.cancel()


class PostgresDatabase(Database):
    def __init__(
        self,
        settings: DatabaseSettings,
        schema: ServiceSchema,
        clock: Callable[[], datetime],
        new_id: Callable[[str], str],
    ) -> None:
        self._schema = schema
        self._clock = clock
        self._new_id = new_id
        self._needed = needed_revision(schema)
        self._found = ""
        self._cache = StatementCache()
        self._engine = make_engine(
            settings.url,
            schema.name,
            settings,
            pool_size=settings.pool_size,
            max_overflow=settings.pool_overflow,
            pool_timeout=settings.connect_timeout,
        )
        # One snapshot for all statements of a read, as on SQLite.
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._turns = asyncio.Semaphore(_WRITERS)
        self._running: dict[asyncio.Task[Any], _Job] = {}
        self._closed = False

    async def write(self, request: WriteRequest, work: Callable[[UnitOfWork], bytes]) -> WriteOutcome:
        return cast(WriteOutcome, await self._submit(_Job(request, request.actor, work)))

    async def write_internal(self, actor: Actor, work: Callable[[UnitOfWork], T]) -> T:
        return cast(T, await self._submit(_Job(None, actor, work)))

    async def read(self, work: Callable[[Tx], T], *, deadline: float | None = None) -> T:
        await self._require_ready()
        return cast(T, await self._repeat(lambda: self._read(work, deadline), deadline))

    async def health(self) -> StorageHealth:
        if self._closed:
            return StorageHealth(False, "the database is closed", self._found, self._needed)
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                await self._repeat(self._look)
        except Exception as error:
            return StorageHealth(False, _short(error), "", self._needed)
        if self._found != self._needed:
            return StorageHealth(False, wrong_revision(self._found, self._schema), self._found, self._needed)
        return StorageHealth(True, "", self._found, self._needed)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for task, job in self._running.items():
            _let_go(task, job)
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    # Writing

    async def _submit(self, job: _Job) -> Any:
        await self._require_ready()
        task = asyncio.ensure_future(self._write(job))
        self._running[task] = job
        task.add_done_callback(self._done)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            job.abandoned = True
            if self._closed:
                _let_go(task, job)
            raise

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.pop(task, None)
        if not task.cancelled():
            task.exception()  # Seen, also where the caller is gone.

    async def _write(self, job: _Job) -> Any:
        deadline = job.request.deadline if job.request is not None else None
        unknown = False
        async with self._turns:
            for attempt in range(_ATTEMPTS):
                job.committing = False
                try:
                    return await self._attempt(job)
                except _RetryError as again:
                    unknown = unknown or (again.lost and job.committing)
                    last = attempt == _ATTEMPTS - 1
                    late = deadline is not None and time.monotonic() >= deadline
                    if last or late or self._closed or (unknown and job.request is None):
                        raise self._given_up(again.reason, unknown) from None
                    await self._pause(attempt)
                except (StorageUnavailable, DeadlinePassed) as error:
                    if unknown:
                        raise self._given_up(error, unknown) from None
                    raise
        raise AssertionError("unreachable")

    def _given_up(self, reason: StorageError, unknown: bool) -> StorageError:
        return StorageUnavailable(reason.message, outcome="unknown") if unknown else reason

    async def _attempt(self, job: _Job) -> Any:
        """One transaction. ``_RetryError`` if it may be run again."""
        try:
            async with self._engine.connect() as connection:
                transaction = await connection.begin()
                try:
                    outcome = await connection.run_sync(self._run, job)
                    job.committing = True
                    await transaction.commit()
                    return outcome
                except BaseException:
                    if transaction.is_active:
                        await transaction.rollback()
                    raise
        except (SQLAlchemyError, OSError, EOFError) as error:
            raise _translate(error) from None

    def _run(self, connection: sa.Connection, job: _Job) -> Any:
        """The transaction itself, in a greenlet."""
        request = job.request
        tx = PostgresTx(connection, self._cache, request.deadline if request is not None else None)
        try:
            tx.limit_time()
            head = read_head(tx, LOCK_HEAD)
            if request is not None:
                kept = find_replay(tx, request)
                if kept is not None:
                    return WriteOutcome(kept, True)
                if request.deadline is not None and time.monotonic() >= request.deadline:
                    raise DeadlinePassed("the deadline passed before the work began")
            if job.abandoned:
                raise DeadlinePassed("the caller was gone before the work began")
            request_id = request.request_id if request is not None else ""
            unit = UnitOfWork(tx, self._clock(), job.actor, request_id, self._new_id, head)
            try:
                result = job.work(unit)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                if isinstance(tx.failure, _RetryError):
                    raise tx.failure from None
                raise deliverable(error)  # noqa: B904  # It is the error itself, or has it as its cause.
            if tx.failure is not None:
                raise tx.failure
            outcome: Any = result
            if request is not None:
                outcome = WriteOutcome(keep_request(unit, request, result), False)
            elif tx.changed and not unit.recorded:
                raise WorkFault("the work changed something and recorded no ledger entry")
            if unit.recorded:
                tx.run(MOVE_HEAD, {"sequence": unit.head.sequence, "hash": unit.head.hash})
            return outcome
        finally:
            tx.end()

    # Reading

    async def _read(self, work: Callable[[Tx], T], deadline: float | None) -> T:
        try:
            async with self._snapshots.connect() as connection:
                return await connection.run_sync(self._run_read, work, deadline)
        except (SQLAlchemyError, OSError, EOFError) as error:
            raise _translate(error) from None

    def _run_read(self, connection: sa.Connection, work: Callable[[Tx], T], deadline: float | None) -> T:
        tx = PostgresTx(connection, self._cache, deadline)
        try:
            tx.limit_time()
            try:
                result = work(tx)
            except Exception:
                if isinstance(tx.failure, _RetryError):
                    raise tx.failure from None
                raise
            if isinstance(tx.failure, _RetryError):
                raise tx.failure
            return result
        finally:
            tx.end()

    async def _repeat(self, attempt: Callable[[], Any], deadline: float | None = None) -> Any:
        for number in range(_ATTEMPTS):
            try:
                return await attempt()
            except _RetryError as again:
                if number == _ATTEMPTS - 1 or self._closed or (deadline is not None and time.monotonic() >= deadline):
                    raise again.reason from None
                await self._pause(number)
        raise AssertionError("unreachable")

    async def _pause(self, attempt: int) -> None:
        """Longer each time, and not the same for everybody. The first repetition is at once."""
        await asyncio.sleep(attempt * _BACKOFF_SECONDS * (1 + random.random()))  # noqa: S311  # No secret.

    # Readiness

    async def _require_ready(self) -> None:
        if self._closed:
            raise StorageUnavailable("the database is closed")
        if self._found != self._needed:
            await self._repeat(self._look)
            if self._found != self._needed:
                raise StorageUnavailable(
                    wrong_revision(self._found, self._schema),
                    found_revision=self._found,
                    needed_revision=self._needed,
                )

    async def _look(self) -> None:
        """Read revision and marker. ``StorageRefused`` if the database is another service's."""

        def look(tx: Tx) -> tuple[str, list[str]]:
            if not tx.all(_HAS_REVISION)[0][0]:
                return "", []
            rows = tx.all(_REVISION)
            if not rows:
                return "", []
            return str(rows[0][0]), [row.service for row in tx.all(sa.select(instance.c.service))]

        found, services = await self._read(look, time.monotonic() + _HEALTH_SECONDS)
        if services and services != [self._schema.name]:
            self._found = ""
            raise StorageRefused(f"the database belongs to {', '.join(services)}, not to {self._schema.name}")
        self._found = found


def _short(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "PostgreSQL does not answer"
    return str(error)


def _see_disconnect(context: ExceptionContext) -> None:
    """Tell the pool of every lost connection, so that it lets go of all that are as old, not only of this one."""
    failure = _translate(context.sqlalchemy_exception or context.original_exception)
    if isinstance(failure, _RetryError) and failure.lost:
        context.is_disconnect = True


def make_engine(url: str, name: str, settings: DatabaseSettings | None = None, **pool: Any) -> AsyncEngine:
    """An engine for a ``postgresql://`` URL; ``sslmode`` is understood as libpq does."""
    parsed = sa.make_url(url).set(drivername="postgresql+asyncpg")
    query = dict(parsed.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    server = {"application_name": f"dealix-{name}", "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_MS}
    connect: dict[str, Any] = {"server_settings": server}
    if settings is not None:
        server["statement_timeout"] = str(int(settings.statement_timeout * 1000))
        connect["timeout"] = settings.connect_timeout
        # Past the server's own bound, the server itself does not answer.
        connect["command_timeout"] = settings.statement_timeout + 5
    engine = create_async_engine(parsed.set(query=query), connect_args=connect, hide_parameters=True, **pool)
    sa.event.listen(engine.sync_engine, "handle_error", _see_disconnect)
    return engine


async def migrate_postgres(url: str, schema: ServiceSchema) -> None:
    """Bring the database up to date, in one transaction, while other replicas wait; see ``migrations.migrate``."""
    engine = make_engine(url, schema.name, poolclass=sa.pool.NullPool)

    def run(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_KEY})
        found, needed = _revision(connection), needed_revision(schema)
        refuse_unknown(found, schema)
        if found != needed:
            upgrade(connection, schema)
        mark_instance(connection, schema)

    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    except (SQLAlchemyError, OSError, EOFError) as error:
        failure = _translate(error)
        raise (failure.reason if isinstance(failure, _RetryError) else failure) from error
    finally:
        await engine.dispose()


async def postgres_revision(url: str) -> str:
    """The revision of the database, '' for none."""
    engine = make_engine(url, "migrate", poolclass=sa.pool.NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_revision)
    except (SQLAlchemyError, OSError, EOFError) as error:
        failure = _translate(error)
        raise (failure.reason if isinstance(failure, _RetryError) else failure) from error
    finally:
        await engine.dispose()


def _revision(connection: sa.Connection) -> str:
    if not connection.execute(_HAS_REVISION).scalar():
        return ""
    return str(connection.execute(_REVISION).scalar() or "")


async def open_postgres(
    settings: DatabaseSettings,
    service: ServiceSchema,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[str], str],
) -> Database:
    """Migrate if told to, and connect when first used; see ``open_database``."""
    check_metadata(service.metadata)
    if settings.auto_migrate:
        await migrate_postgres(settings.url, service)
    return PostgresDatabase(settings, service, clock, new_id)
