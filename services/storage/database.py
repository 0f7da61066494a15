"""One service's database: a SQLite file or a PostgreSQL database behind one interface.

    database = await open_database(settings, schema, clock=clock)
    outcome = await database.write(request, work)     # one transaction, one effect per request_id, durable
    tickets = await database.read(lambda tx: store.list_tickets(tx, ...))
    await database.close()

``work`` is an ordinary function: it gets a :class:`UnitOfWork` (or, for a read, a :class:`Tx`), runs inside one
transaction and must have no other effect, because the store may run it again (a serialisation failure, a lost
connection). It must not wait for anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import Executable

from services.storage import ids
from services.storage.ledger import Head
from services.storage.transaction import (
    NO_PARAMS,
    Actor,
    Row,
    StorageHealth,
    Tx,
    WriteOutcome,
    WriteRequest,
)
from services.storage.unit import UnitOfWork

__all__ = [
    "Actor",
    "Database",
    "DatabaseSettings",
    "Row",
    "ServiceSchema",
    "StorageHealth",
    "Tx",
    "UnitOfWork",
    "WriteOutcome",
    "WriteRequest",
    "open_database",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceSchema:
    """A service's own tables and how they came about.

    ``name`` marks the database as this service's (``support``). ``metadata`` holds the service's tables, not the
    shared ones; column types are BIGINT, INTEGER, TEXT, FLOAT (or DOUBLE) and LargeBinary, with no defaults made
    in Python. ``migrations`` is the folder of the service that holds ``versions/0001_….py`` and its successors.
    """

    name: str
    metadata: sa.MetaData
    migrations: Path


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the database is and its bounds. Times are seconds.

    ``url``: ``sqlite:////absolute/file.db`` (three slashes for a relative path) or ``postgresql://user:secret@host/name``.
    ``auto_migrate``: bring the schema up to date at opening; otherwise another revision makes the store unhealthy.
    """

    url: str = field(repr=False)
    auto_migrate: bool = True
    # SQLite: how long a write waits while another program holds the file's write lock.
    busy_timeout: float = 2.0
    # SQLite: an upper bound on the pages of the file (of 4096 bytes); None leaves it to the disk.
    max_pages: int | None = None
    # PostgreSQL: connections kept and opened at most; writes of one process use few of them, they queue on one row.
    pool_size: int = 5
    pool_overflow: int = 5
    connect_timeout: float = 5.0
    # PostgreSQL: bound of one statement when the caller has no deadline of its own.
    statement_timeout: float = 30.0


class Database(ABC):
    """Opened by :func:`open_database`, closed by whoever opened it. Belongs to the event loop that opened it."""

    @abstractmethod
    async def write(self, request: WriteRequest, work: Callable[[UnitOfWork], bytes]) -> WriteOutcome:
        """Run ``work`` once for this ``request_id`` and answer when the result is durable.

        The bytes that ``work`` returns are kept with the request in the same transaction. The same request sent
        again (same method and fingerprint) gets those bytes without running ``work``, also when both are in flight.
        Whatever ``work`` raises is raised here, and everything it did is undone. A cancelled caller does not cancel
        a commit. Raises ``RequestIdReused``, ``DeadlinePassed``, ``StorageFull``, ``StorageUnavailable``, and
        ``WorkFault`` when ``work`` recorded no ledger entry.
        """

    @abstractmethod
    async def write_internal(self, actor: Actor, work: Callable[[UnitOfWork], T]) -> T:
        """Run ``work`` in one durable transaction for a worker of the service itself, which has no request_id.

        As :meth:`write`, but nothing is replayed, and a work that changed nothing need not record anything.
        """

    @abstractmethod
    async def read(self, work: Callable[[Tx], T], *, deadline: float | None = None) -> T:
        """Run ``work`` on one consistent snapshot that holds every write acknowledged before the call.

        ``deadline`` is a point on ``time.monotonic()``'s scale; a read that outlives it ends with ``DeadlinePassed``.
        """

    async def attempt(
        self, actor: Actor, now: datetime, work: Callable[[UnitOfWork], object], *, deadline: float | None = None
    ) -> None:
        """Run ``work`` as a write would at ``now``, up to the first thing that it would change: nothing is.

        Raises what ``work`` raises before that.
        """

        def until_change(tx: Tx) -> None:
            with suppress(_WouldChange):
                work(UnitOfWork(_Unchanging(tx), now, actor, "", ids.new_id, Head(0, b"", now)))

        await self.read(until_change, deadline=deadline)

    @abstractmethod
    async def health(self) -> StorageHealth:
        """Ask the store; never raises."""

    @abstractmethod
    async def close(self) -> None:
        """Finish the writes that were accepted, then let go of the database. Idempotent."""


class _WouldChange(Exception):
    """Ends an attempt."""


class _Unchanging:
    """A transaction that reads only."""

    def __init__(self, tx: Tx) -> None:
        self.all = tx.all
        self.one = tx.one

    def run(self, _stmt: Executable, _params: Mapping[str, object] = NO_PARAMS, *, counts: bool = True) -> int:  # noqa: ARG002
        raise _WouldChange


async def open_database(
    settings: DatabaseSettings,
    service: ServiceSchema,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[str], str] = ids.new_id,
) -> Database:
    """Open, and with ``auto_migrate`` create or bring up to date, the service's database.

    ``clock`` gives the time in UTC. Raises ``StorageRefused`` when the database must not be opened (in use by another
    process, another service's, lost or replaced) and, with ``auto_migrate``, ``StorageUnavailable`` when a server
    does not answer; without it an unreachable server or a wrong revision shows in :meth:`Database.health`.
    """
    scheme = settings.url.partition(":")[0]
    if scheme == "sqlite":
        from services.storage.sqlite import open_sqlite

        return await open_sqlite(settings, service, clock=clock, new_id=new_id)
    if scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        from services.storage.postgres import open_postgres

        return await open_postgres(settings, service, clock=clock, new_id=new_id)
    raise ValueError(f"database URL of unknown kind {scheme!r}: sqlite or postgresql")
