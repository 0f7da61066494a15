"""The exception tree of every domain.

    DomainError
    ├── InvalidInput        what was sent breaks a rule of the input itself   INVALID_ARGUMENT
    ├── NotFound            the thing named does not exist                     NOT_FOUND
    ├── AlreadyExists       the thing to create exists already                 ALREADY_EXISTS
    ├── PreconditionFailed  the thing's state does not allow it                FAILED_PRECONDITION
    ├── Conflict            somebody changed it in between; read and retry     ABORTED
    ├── NotPermitted        the actor may not do it                            PERMISSION_DENIED
    └── Exhausted           a bound of the system is reached                   RESOURCE_EXHAUSTED

A service names its own errors by subclassing one of these and setting ``reason``: a stable identifier which
stands in ``dealix.common.v1.ErrorReason`` with the metadata keys it carries. Only the error funnel of
``services.runtime`` turns them into a gRPC status.

Messages are ASCII English for developers; what a person reads in Arabic is built by the client from reason and
metadata, because a status message costs six bytes for each Arabic letter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """One faulty field.

    ``field`` is the path in the request (``statuses[0].state``), ``reason`` a stable upper-case identifier,
    ``description`` one ASCII sentence that says what would be accepted.
    """

    field: str
    reason: str
    description: str


class DomainError(Exception):
    """A refusal that the caller can act on.

    ``metadata`` holds identifiers and bounds (never personal text); its keys are documented at the reason.
    """

    reason: ClassVar[str]

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class InvalidInput(DomainError):
    """Names every faulty field at once; raise it with all the violations that were found, not the first."""

    reason = "INVALID_FIELDS"

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("invalid fields: " + ", ".join(sorted({v.field for v in self.violations})))

    def at(self, field: str) -> InvalidInput:
        """The same refusal, of a field that the request names otherwise than the rule that was broken."""
        return InvalidInput(replace(v, field=field) for v in self.violations)


class NotFound(DomainError):
    """The thing named does not exist."""


class AlreadyExists(DomainError):
    """The thing to create exists already."""


class PreconditionFailed(DomainError):
    """The state of the thing does not allow the operation.

    ``missing`` lists what stands in the way, each as (type, subject, description), and becomes the
    ``PreconditionFailure`` detail of the status.
    """

    def __init__(self, message: str, missing: Iterable[tuple[str, str, str]] = (), **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.missing = tuple(missing)


class Conflict(DomainError):
    """Somebody changed the thing in between; read it again and retry."""


class NotPermitted(DomainError):
    """The actor may not do this."""


class Exhausted(DomainError):
    """A bound of the system is reached; trying again later may succeed."""


class PersonRequired(NotPermitted):
    """Only a person may do this. Metadata: ``action``, or the identifiers of what was to be done."""

    reason = "PERSON_REQUIRED"


class ApprovalRequired(PreconditionFailed):
    """A person must approve first. Metadata: ``subject``."""

    reason = "APPROVAL_REQUIRED"


class EtagMismatch(Conflict):
    """The state is not the one that the caller read. Metadata: ``current_etag``."""

    reason = "ETAG_MISMATCH"


def check_etag(given: str, current: str) -> None:
    """Raises ``EtagMismatch`` when the caller gave an etag and it is not the current one."""
    if given and given != current:
        raise EtagMismatch("the etag is not the current one; read again", current_etag=current)
