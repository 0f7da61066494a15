"""The SQLite engine: one file, one process, one writer, and one commit for all the writes that are waiting.

Statements run on the event loop's thread: each takes microseconds, and handing them to another thread would cost a turn at
the interpreter lock for every one of them. Only the commit, which waits for the disk, is handed to a thread: the loop goes
on meanwhile, and whoever arrives forms the next group. (On the loop, a commit keeps the others from arriving, and groups
hold hardly more than one write: 1.2 on average with 32 callers, against 8 to 15.) The thread needs the lock back when the
disk is done, which is why `services.runtime.main` shortens the interpreter's switch interval.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NoReturn, TypeVar, cast

from sqlalchemy.sql import Executable
from sqlalchemy.util.concurrency import await_only, greenlet_spawn

from services.storage.database import Database, DatabaseSettings, ServiceSchema
from services.storage.errors import (
    DeadlinePassed,
    StatementRefused,
    StorageError,
    StorageFull,
    StorageUnavailable,
    WorkFault,
)
from services.storage.ledger import MOVE_HEAD, READ_HEAD, Head, read_head
from services.storage.migrations import needed_revision, sqlite_revision, wrong_revision
from services.storage.sqlite_file import LOST, SqliteFile, result_code, translate
from services.storage.statements import StatementCache, check_metadata, row_maker
from services.storage.transaction import NO_PARAMS, Actor, Row, StorageHealth, Tx, WriteOutcome, WriteRequest
from services.storage.unit import UnitOfWork, deliverable, find_replay, keep_request

T = TypeVar("T")
P = TypeVar("P")

# A group ends after so many writes or so much time: the event loop serves others in between.
_GROUP_WRITES = 64
_GROUP_SECONDS = 0.005
_BUSY_RETRY_SECONDS = 0.005
# A read that took so long lets others have the loop before its next statement.
_READ_SLICE_SECONDS = 0.002
_READERS = 8
# How often, in steps of SQLite's machine, a running statement of a read looks at the deadline.
_PROGRESS_STEPS = 10_000


class SqliteTx:
    """A transaction on one connection, executing statements without SQLAlchemy."""

    __slots__ = ("_cache", "_connection", "_open", "changed", "failure")

    def __init__(self, connection: sqlite3.Connection, cache: StatementCache) -> None:
        self._connection = connection
        self._cache = cache
        self._open = True
        self.changed = False
        self.failure: BaseException | None = None

    def all(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS) -> list[Row]:
        cursor, make_row = self._query(stmt, params)
        try:
            rows = cursor.fetchall()
        except Exception as error:
            # A statement left half way keeps its snapshot, whatever becomes of the transaction.
            cursor.close()
            self._fail(error)
        return [make_row(row) for row in rows]

    def one(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS) -> Row | None:
        cursor, make_row = self._query(stmt, params)
        try:
            rows = cursor.fetchmany(2)
        except Exception as error:
            cursor.close()
            self._fail(error)
        if len(rows) > 1:
            cursor.close()
            self._fail(StatementRefused("more than one row where at most one belongs"))
        return make_row(rows[0]) if rows else None

    def run(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS, *, counts: bool = True) -> int:
        if not self._open or self.failure is not None:
            self._refuse()
        try:
            sql, values = self._cache.get(stmt, params).bind(params)
            count = self._connection.execute(sql, values).rowcount
        except Exception as error:
            self._fail(error)
        if count > 0 and counts:
            self.changed = True
        return count

    def end(self) -> None:
        """Refuse statements from now on."""
        self._open = False

    def _query(
        self, stmt: Executable, params: Mapping[str, object]
    ) -> tuple[sqlite3.Cursor, Callable[[tuple[Any, ...]], Row]]:
        if not self._open or self.failure is not None:
            self._refuse()
        try:
            compiled = self._cache.get(stmt, params)
            sql, values = compiled.bind(params)
            cursor = self._connection.execute(sql, values)
        except Exception as error:
            self._fail(error)
        make_row = compiled.make_row
        if make_row is None:
            try:
                if cursor.description is None:
                    raise StatementRefused("a statement without rows where rows are wanted")
                make_row = compiled.make_row = row_maker(column[0] for column in cursor.description)
            except StatementRefused as error:
                cursor.close()
                self._fail(error)
        return cursor, make_row

    def _refuse(self) -> NoReturn:
        if not self._open:
            raise WorkFault("a transaction was used after its end")
        raise WorkFault("a statement after one that failed") from self.failure

    def _fail(self, error: Exception) -> NoReturn:
        failure = error if isinstance(error, StorageError) else translate(error)
        self.failure = failure
        # Without the cause: of stored text that cannot be decoded the driver quotes the rest.
        raise failure from None


class _ReadTx(SqliteTx):
    """A read, run in a greenlet, so that between two statements it can let others have the loop."""

    __slots__ = ("deadline", "slice_end")

    def __init__(self, connection: sqlite3.Connection, cache: StatementCache, deadline: float | None) -> None:
        super().__init__(connection, cache)
        self.deadline = deadline
        self.slice_end = time.monotonic() + _READ_SLICE_SECONDS

    def late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def run(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS, *, counts: bool = True) -> int:
        self._let_others()
        return super().run(stmt, params, counts=counts)

    def _query(
        self, stmt: Executable, params: Mapping[str, object]
    ) -> tuple[sqlite3.Cursor, Callable[[tuple[Any, ...]], Row]]:
        self._let_others()
        return super()._query(stmt, params)

    def _let_others(self) -> None:
        if time.monotonic() >= self.slice_end:
            await_only(asyncio.sleep(0))
            self.slice_end = time.monotonic() + _READ_SLICE_SECONDS
        if self.late():
            self._fail(DeadlinePassed("the deadline passed during the read"))

    def _fail(self, error: Exception) -> NoReturn:
        if result_code(error) == sqlite3.SQLITE_INTERRUPT:
            error = DeadlinePassed("the deadline passed during the read")
        super()._fail(error)


class _Job:
    """One write on its way: ``outcome`` or ``error`` once it ran, ``future`` once that is durable."""

    __slots__ = ("actor", "error", "future", "outcome", "request", "work")

    def __init__(
        self,
        request: WriteRequest | None,
        actor: Actor,
        work: Callable[[UnitOfWork], Any],
        future: asyncio.Future[Any],
    ) -> None:
        self.request = request
        self.actor = actor
        self.work = work
        self.future = future
        self.outcome: Any = None
        self.error: Exception | None = None


class _GroupLostError(Exception):
    """The transaction of the whole group is gone; ``reason`` says why."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Writer:
    """The one connection that writes, and the queue of those who want it to.

    A round of the event loop after the first write arrives, all that are waiting run one after another in one
    transaction, each in a savepoint of its own, and are committed together. Nobody is answered before that.
    """

    def __init__(
        self,
        file: SqliteFile,
        connection: sqlite3.Connection,
        cache: StatementCache,
        settings: DatabaseSettings,
        clock: Callable[[], datetime],
        new_id: Callable[[str], str],
    ) -> None:
        self._file = file
        self._connection = connection
        self._cache = cache
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Job] = deque()
        self._busy_since: float | None = None
        self._thread = ThreadPoolExecutor(1, "storage-commit")
        # Clear from the first waiting write until none is waiting, running or being committed.
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._head = self._read_head()

    def submit(self, request: WriteRequest | None, actor: Actor, work: Callable[[UnitOfWork], Any]) -> Any:
        """The future of the write's outcome."""
        job = _Job(request, actor, work, self._loop.create_future())
        self._queue.append(job)
        if self._idle.is_set():
            # Not at once: whoever else is ready in this round of the loop joins the group.
            self._idle.clear()
            self._loop.call_soon(self._run_group)
        return job.future

    async def close(self) -> None:
        """Finish what was submitted."""
        self._closing = True
        await self._idle.wait()
        self._thread.shutdown()
        self._connection.close()

    def _run_group(self) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._not_begun(error)
            return
        self._busy_since = None
        changes = connection.total_changes
        head = self._head
        group: list[_Job] = []
        end = time.monotonic() + _GROUP_SECONDS
        failure: Exception | None = None
        try:
            while self._queue and len(group) < _GROUP_WRITES and (not group or time.monotonic() < end):
                job = self._queue.popleft()
                if job.future.cancelled():
                    continue
                group.append(job)
                self._run_job(job)
            if self._head is not head:
                moved = {"sequence": self._head.sequence, "hash": self._head.hash}
                SqliteTx(connection, self._cache).run(MOVE_HEAD, moved)
        except _GroupLostError as lost:
            failure = lost.reason
        except Exception as error:
            failure = error
        if failure is None and connection.total_changes != changes:
            self._commit(group)
            return
        self._roll_back()
        self._head = head
        self._answer(group, failure)

    def _run_job(self, job: _Job) -> None:
        """Run one work in a savepoint of its own. ``_GroupLostError`` when the whole transaction is gone."""
        connection, request = self._connection, job.request
        tx = SqliteTx(connection, self._cache)
        saved = False
        try:
            if request is not None:
                if request.deadline is not None and time.monotonic() >= request.deadline:
                    raise DeadlinePassed("the deadline passed before the write began")
                kept = find_replay(tx, request)
                if kept is not None:
                    job.outcome = WriteOutcome(kept, True)
                    return
            connection.execute("SAVEPOINT work")
            saved = True
            unit = UnitOfWork(
                tx,
                self._clock(),
                job.actor,
                request.request_id if request is not None else "",
                self._new_id,
                self._head,
            )
            result = job.work(unit)
            if tx.failure is not None:
                raise tx.failure
            if request is not None:
                job.outcome = WriteOutcome(keep_request(unit, request, result), False)
            elif tx.changed and not unit.recorded:
                raise WorkFault("the work changed something and recorded no ledger entry")
            else:
                job.outcome = result
            connection.execute("RELEASE work")
            self._head = unit.head
        except BaseException as error:
            job.error = deliverable(error)
            try:
                if saved:
                    connection.execute("ROLLBACK TO work")
                    connection.execute("RELEASE work")
                lost = not connection.in_transaction
            except sqlite3.Error:
                lost = True
            if lost:
                # A full or failing disk undoes the transaction itself, and with it the others' work.
                raise _GroupLostError(_shared(job.error)) from error
        finally:
            tx.end()

    def _not_begun(self, error: sqlite3.Error) -> None:
        """Another program holds the write lock: try again until the time for that is over."""
        now = time.monotonic()
        if self._busy_since is None:
            self._busy_since = now
        patient = not self._closing and now - self._busy_since < self._settings.busy_timeout
        if result_code(error) == sqlite3.SQLITE_BUSY and patient:
            self._loop.call_later(_BUSY_RETRY_SECONDS, self._run_group)
            return
        self._busy_since = None
        self._roll_back()
        group = list(self._queue)
        self._queue.clear()
        self._answer(group, _shared(translate(error)))

    def _roll_back(self) -> None:
        """Leave the transaction, if there still is one. Where even that fails, the next group tries again."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _commit(self, group: list[_Job]) -> None:
        future = self._loop.run_in_executor(self._thread, self._connection.execute, "COMMIT")
        future.add_done_callback(lambda done: self._committed(group, done.exception()))

    def _committed(self, group: list[_Job], error: BaseException | None) -> None:
        if error is None:
            self._answer(group, None)
            return
        failure = translate(error) if isinstance(error, Exception) else StorageUnavailable(str(error))
        self._roll_back()
        if not isinstance(failure, StorageFull):
            # The disk failed under the commit: whether it holds, the same request repeated will tell.
            failure = StorageUnavailable(str(failure), outcome="unknown")
        with contextlib.suppress(StorageError):
            self._head = self._read_head()
        self._answer(group, failure)

    def _answer(self, group: list[_Job], failure: Exception | None) -> None:
        """Answer everybody of the group and go on with those who came in the meantime."""
        if failure is None and self._file.look():
            failure = StorageUnavailable(LOST, outcome="unknown")
        for job in group:
            if job.future.done():
                continue
            error = job.error or failure
            if error is not None:
                job.future.set_exception(error)
            else:
                job.future.set_result(job.outcome)
        if self._queue:
            self._loop.call_soon(self._run_group)
        else:
            self._idle.set()

    def _read_head(self) -> Head:
        return read_head(SqliteTx(self._connection, self._cache))


def _shared(error: Exception) -> Exception:
    """What the others of a lost group are told."""
    if isinstance(error, StorageFull | StorageUnavailable):
        return error
    return StorageUnavailable(f"the transaction was lost; nothing was done ({type(error).__name__})")


class _Readers:
    """Connections that cannot write, each for one read at a time.

    Reads run on the loop's thread as well: on another, every row fetched is a turn at the interpreter lock.
    """

    def __init__(self, file: SqliteFile, cache: StatementCache) -> None:
        self._file = file
        self._cache = cache
        self._free = [file.connect_reader()]
        self._permits = asyncio.Semaphore(_READERS)

    async def read(self, work: Callable[[Tx], T], deadline: float | None) -> T:
        async with self._permits:
            connection = self._free.pop() if self._free else self._file.connect_reader()
            try:
                return await greenlet_spawn(self._run, connection, work, deadline)
            finally:
                self._free.append(connection)

    def _run(self, connection: sqlite3.Connection, work: Callable[[Tx], T], deadline: float | None) -> T:
        tx = _ReadTx(connection, self._cache, deadline)
        if deadline is not None:
            connection.set_progress_handler(tx.late, _PROGRESS_STEPS)
        connection.execute("BEGIN")
        try:
            if tx.late():
                raise DeadlinePassed("the deadline passed before the read began")
            return work(tx)
        finally:
            tx.end()
            if deadline is not None:
                connection.set_progress_handler(None, 0)
            connection.execute("ROLLBACK")

    async def close(self) -> None:
        """Wait for the reads that are under way."""
        for _ in range(_READERS):
            await self._permits.acquire()
        for connection in self._free:
            connection.close()


class SqliteDatabase(Database):
    def __init__(
        self,
        file: SqliteFile,
        settings: DatabaseSettings,
        clock: Callable[[], datetime],
        new_id: Callable[[str], str],
    ) -> None:
        self._file = file
        self._needed = needed_revision(file.schema)
        self._found = ""
        self._closed = False
        self._writer: _Writer | None = None
        self._readers: _Readers | None = None
        if not file.path.exists():
            return
        connection = file.connect()
        try:
            self._found = sqlite_revision(connection)
            if self._found != self._needed:
                connection.close()
                return
            if settings.max_pages is not None:
                connection.execute(f"PRAGMA max_page_count = {int(settings.max_pages)}")
            cache = StatementCache()
            self._writer = _Writer(file, connection, cache, settings, clock, new_id)
            file.note()
            self._readers = _Readers(file, cache)
        except BaseException:
            connection.close()
            raise

    async def write(self, request: WriteRequest, work: Callable[[UnitOfWork], bytes]) -> WriteOutcome:
        return cast(WriteOutcome, await self._ready(self._writer).submit(request, request.actor, work))

    async def write_internal(self, actor: Actor, work: Callable[[UnitOfWork], T]) -> T:
        return cast(T, await self._ready(self._writer).submit(None, actor, work))

    async def read(self, work: Callable[[Tx], T], *, deadline: float | None = None) -> T:
        return await self._ready(self._readers).read(work, deadline)

    async def health(self) -> StorageHealth:
        try:
            readers = self._ready(self._readers)
            if self._file.look():
                raise StorageUnavailable(LOST)
            await readers.read(lambda tx: tx.one(READ_HEAD), time.monotonic() + 2)
        except Exception as error:
            return StorageHealth(False, str(error), self._found, self._needed)
        return StorageHealth(True, "", self._found, self._needed)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        # The writer last: its closing folds the log into the file.
        if self._readers is not None:
            await self._readers.close()
        if self._writer is not None:
            await self._writer.close()
        self._file.release()

    def _ready(self, part: P | None) -> P:
        """The writer or the readers. ``StorageUnavailable`` while they must not be used."""
        if self._closed:
            raise StorageUnavailable("the database is closed")
        if part is None:
            raise StorageUnavailable(
                wrong_revision(self._found, self._file.schema),
                found_revision=self._found,
                needed_revision=self._needed,
            )
        if self._file.lost:
            raise StorageUnavailable(LOST)
        return part


async def open_sqlite(
    settings: DatabaseSettings,
    service: ServiceSchema,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[str], str],
) -> Database:
    """Claim the file, migrate it if told to, and open it; see ``open_database``."""
    check_metadata(service.metadata)
    file = SqliteFile.claim(settings.url, service)
    try:
        if settings.auto_migrate:
            file.migrate()
        return SqliteDatabase(file, settings, clock, new_id)
    except BaseException:
        file.release()
        raise
