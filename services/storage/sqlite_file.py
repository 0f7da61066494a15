"""A SQLite file of a service: claimed by one process, checked to be what it should be, migrated, connected to."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import quote

import structlog
from sqlalchemy.exc import DBAPIError

from services.storage.errors import (
    ConstraintBroken,
    StatementRefused,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
)
from services.storage.migrations import migrate_sqlite_connection, sqlite_path

if TYPE_CHECKING:
    from services.storage.database import ServiceSchema

LOST = (
    "the database file or its log was deleted or replaced under the process, which writes and reads no more: "
    "restore the file and restart"
)
_HEADER = b"SQLite format 3\0"
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}


def result_code(error: Exception) -> int:
    """The primary result code of a driver's error; 0 for others."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def translate(error: Exception) -> Exception:
    """The error of this package for one of the driver's. SQLite's messages hold names, never values; its driver's may."""
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintBroken(str(error))
    code = result_code(error)
    if code == sqlite3.SQLITE_FULL:
        return StorageFull("no space left for the database; nothing was written")
    if code in _UNAVAILABLE:
        return StorageUnavailable(f"SQLite: {error}")
    if isinstance(error, sqlite3.OperationalError) and not code:
        return StatementRefused("SQLite: what is stored as text is no text")
    return StatementRefused(f"SQLite: {error}")


class SqliteFile:
    """A claimed file: the lock that keeps other processes out, and the checks that it is what it should be.

    ``lost`` is what the last `look` found: whether the file was deleted or replaced while it was in use.
    """

    def __init__(self, path: Path, schema: ServiceSchema, lock: int) -> None:
        self.path = path
        self.schema = schema
        self.lost = False
        self._names = (str(path), f"{path}-wal")
        self._lock = lock
        self._noted: list[tuple[int, int]] = []

    @classmethod
    def claim(cls, url: str, schema: ServiceSchema) -> Self:
        """Lock the file and check it. ``StorageRefused`` says what is wrong with it."""
        path = sqlite_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        # The lock has a file of its own: SQLite's locks on the database are lost when any handle of the process closes.
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise StorageRefused(
                    f"{path} is in use by another process (pid {holder}); one process serves one SQLite file"
                ) from error
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            file = cls(path, schema, lock)
            file._check()
        except BaseException:
            os.close(lock)
            raise
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let other processes have the file. The lock file stays: removing it would let two in."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def migrate(self) -> None:
        """Create the file or bring it up to date, and leave the marker beside it."""
        if not self.path.exists():
            # Customer data: for the service's own user only. SQLite gives -wal and -shm the same mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        connection = self.connect()
        try:
            migrate_sqlite_connection(connection, self.schema)
            self._write_marker(connection)
        except sqlite3.Error as error:
            raise translate(error) from error
        except DBAPIError as error:
            raise translate(cast(Exception, error.orig)) from error
        finally:
            connection.close()

    def connect(self) -> sqlite3.Connection:
        """A connection that writes durably."""
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=512)
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StorageRefused(f"{self.path}: no write-ahead log on this file system (journal mode {mode})")
            for pragma in (
                "synchronous = FULL",
                "foreign_keys = ON",
                # So that the triggers of the ledger also see what INSERT OR REPLACE removes.
                "recursive_triggers = ON",
                "trusted_schema = OFF",
                "journal_size_limit = 16777216",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            connection.close()
            raise translate(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def connect_reader(self) -> sqlite3.Connection:
        """A connection that cannot write."""
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA busy_timeout = 1000")
        return connection

    def note(self) -> None:
        """Remember which files the database and its log are; an open connection keeps both."""
        self._noted = self._identities()

    def look(self) -> bool:
        """Whether one of them is gone or another since `note`: what is written then ends with the process.

        Once it is so it stays so, and is logged once: connections made meanwhile may be to another file.
        """
        if not self.lost:
            try:
                self.lost = self._identities() != self._noted
            except OSError:
                self.lost = True
            if self.lost:
                log = structlog.get_logger()
                log.error("database_lost", service=self.schema.name, path=str(self.path), detail=LOST)
        return self.lost

    def _identities(self) -> list[tuple[int, int]]:
        # Twice as fast as pathlib's, for what every commit waits for.
        stats = [os.stat(name) for name in self._names]  # noqa: PTH116
        return [(found.st_dev, found.st_ino) for found in stats]

    @property
    def _marker(self) -> Path:
        return Path(f"{self.path}.instance")

    def _check(self) -> None:
        marker = self._read_marker()
        size = self.path.stat().st_size if self.path.exists() else 0
        if marker is not None and marker["service"] != self.schema.name:
            raise StorageRefused(f"{self._marker} belongs to {marker['service']}, not to {self.schema.name}")
        if size == 0:
            if marker is not None:
                raise StorageRefused(
                    f"{self.path} is {'empty' if self.path.exists() else 'missing'}, but {self._marker.name} says that "
                    f"there was a database ({marker['instance_id']}): restore it, or remove {self._marker.name} to "
                    "begin with an empty one"
                )
            return
        with self.path.open("rb") as raw:
            if raw.read(len(_HEADER)) != _HEADER:
                raise StorageRefused(f"{self.path} is not a SQLite database")
        found = self._read_instance()
        if found is None:
            if marker is not None:
                raise StorageRefused(f"{self.path} does not hold the database that {self._marker.name} tells of")
        elif found[0] != self.schema.name:
            raise StorageRefused(f"{self.path} belongs to {found[0]}, not to {self.schema.name}")
        elif marker is not None and found[1] != marker["instance_id"]:
            raise StorageRefused(
                f"{self.path} is another database ({found[1]}) than {self._marker.name} tells of "
                f"({marker['instance_id']}): restore the right one, or remove {self._marker.name} to accept this one"
            )

    def _read_instance(self) -> tuple[str, str] | None:
        """Service and instance id of the file; None where creating it did not get as far as that."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables:
                return None
            if "instance" not in tables or "ledger_head" not in tables:
                raise StorageRefused(f"{self.path} is a SQLite database, but none of this system's")
            rows = connection.execute("SELECT service, instance_id FROM instance").fetchall()
        except sqlite3.Error as error:
            raise StorageRefused(f"{self.path} cannot be read: {error}") from error
        finally:
            connection.close()
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def _read_marker(self) -> dict[str, str] | None:
        try:
            text = self._marker.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            marker = json.loads(text)
            return {"service": str(marker["service"]), "instance_id": str(marker["instance_id"])}
        except (ValueError, KeyError, TypeError) as error:
            raise StorageRefused(f"{self._marker} cannot be read; it is written once and never changed") from error

    def _write_marker(self, connection: sqlite3.Connection) -> None:
        if self._marker.exists():
            return
        service, instance_id = connection.execute("SELECT service, instance_id FROM instance").fetchone()
        unfinished = Path(f"{self._marker}.new")
        with unfinished.open("w", encoding="utf-8") as out:
            json.dump({"service": service, "instance_id": instance_id}, out)
            out.flush()
            os.fsync(out.fileno())
        unfinished.rename(self._marker)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
