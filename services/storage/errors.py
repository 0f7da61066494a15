"""What storage refuses or fails with.

Refusals that a caller can act on belong to the domain's tree (:mod:`services.domain.errors`); failures of the
store itself stand beside it, in the same form (``reason``, ``message``, ``metadata``)::

    DomainError
    ├── AlreadyExists
    │   └── RequestIdReused     the request_id was used for other content                 ALREADY_EXISTS
    └── Exhausted
        └── StorageFull         no space left for the write; nothing was done             RESOURCE_EXHAUSTED

    StorageError
    ├── StorageUnavailable      the store cannot be reached or is not ready               UNAVAILABLE
    ├── DeadlinePassed          the time ran out before the work began                    DEADLINE_EXCEEDED
    ├── StorageRefused          the store must not be opened (start of the process only)
    ├── StatementRefused        a statement broke a constraint or cannot be stored        INTERNAL: a fault of ours
    │   └── ConstraintBroken
    └── WorkFault               a unit of work broke the rules of this package            INTERNAL: a fault of ours
"""

from __future__ import annotations

from typing import ClassVar

from services.domain.errors import AlreadyExists, Exhausted


class RequestIdReused(AlreadyExists):
    """The ``request_id`` stands for another write already. Metadata: ``request_id``. Nothing was done."""

    reason = "REQUEST_ID_REUSED"


class StorageFull(Exhausted):
    """There is no space for the write. Nothing was done; the same write succeeds once there is space again."""

    reason = "STORAGE_FULL"


class StorageError(Exception):
    """A failure of the store, not of the request."""

    reason: ClassVar[str] = "STORAGE_FAILED"

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class StorageUnavailable(StorageError):
    """The store cannot be reached, is locked, has lost its file, or is at another revision than the code needs.

    Metadata ``outcome``: ``none`` when certainly nothing was done; ``unknown`` when the connection was lost while
    the commit was under way: the caller repeats the write with the same ``request_id`` and learns the result.
    """

    reason = "STORAGE_UNAVAILABLE"

    def __init__(self, message: str, *, outcome: str = "none", **metadata: str) -> None:
        super().__init__(message, outcome=outcome, **metadata)


class DeadlinePassed(StorageError):
    """The caller's deadline passed before the work began. Nothing was done."""

    reason = "DEADLINE_PASSED"


class StorageRefused(StorageError):
    """The store must not be opened: it is in use, is another service's, or has been lost or replaced.

    Raised by ``open_database`` and ``migrate`` only. The message says what was found and what to do.
    """

    reason = "STORAGE_REFUSED"


class StatementRefused(StorageError):
    """The database refused a statement, or a value that one of the engines could not keep.

    The unit of work that ran it is undone even if it goes on as if nothing had happened.
    """

    reason = "STATEMENT_REFUSED"


class ConstraintBroken(StatementRefused):
    """A unique, foreign key, check or not-null constraint. Handlers look before they write: a fault of ours."""

    reason = "CONSTRAINT_BROKEN"


class WorkFault(StorageError):
    """A work that broke a rule: no ledger entry, a result that is not bytes, a transaction used after its end."""

    reason = "WORK_FAULT"
