"""What a unit of work sees of the store: one transaction, statements in, rows out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy.sql import Executable

NO_PARAMS: Mapping[str, object] = MappingProxyType({})


class Row(Protocol):
    """One row: a tuple whose values can be read by column name (``row.ticket_id``) or position.

    Values are ``int``, ``str``, ``float``, ``bytes`` or ``None``, the same on every engine (a truth value is 0 or 1).
    Column names of one result differ from each other, do not begin with ``_`` and are no Python keywords: label them.
    """

    def __getattr__(self, column: str) -> Any: ...
    def __getitem__(self, position: int) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def _asdict(self) -> dict[str, Any]: ...


class Tx(Protocol):
    """One transaction, used synchronously, on every engine alike.

    Statements are SQLAlchemy Core objects. Make them once, at the top of ``store.py``, with ``bindparam`` where
    values go: they are compiled at first use and found again by identity, so one built for every call is compiled
    for every call. ``insert(table)`` and ``update(table)`` without ``values`` take their columns from ``params``.

    A statement that fails ends the unit of work: later statements are refused and everything is undone, even when
    the error is caught. Writers of one service run one after another, so "look, then insert" has no race.
    """

    def all(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS) -> list[Row]:
        """Every row of the result."""
        ...

    def one(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS) -> Row | None:
        """The row, or None; more than one row is a ``StatementRefused``."""
        ...

    def run(self, stmt: Executable, params: Mapping[str, object] = NO_PARAMS, *, counts: bool = True) -> int:
        """The number of rows that an insert, update or delete touched.

        ``counts`` false: what it touches is a reminder of the service's own and no state, so it needs no ledger entry.
        """
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. ``kind`` is ``person`` or ``service``; ``role`` is empty or a role id of the domain (``founder``)."""

    kind: str
    id: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """What makes a write the same write when it is sent again.

    ``fingerprint`` stands for the content: equal for equal requests (a digest of the canonical request without its
    ``request_id``). ``deadline`` is a point on ``time.monotonic()``'s scale, or None.
    """

    request_id: str
    method: str
    fingerprint: bytes
    actor: Actor
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """``response`` is what the work returned, now or, when ``replayed``, at the first sending of the same request."""

    response: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class StorageHealth:
    """Whether reads and writes can succeed now, why not, and the schema revisions found and needed ('' if none)."""

    ok: bool
    detail: str
    found_revision: str
    needed_revision: str
