"""The error funnel: every exception becomes one gRPC status here, and nowhere else.

A status carries, in ``grpc-status-details-bin``, an ``ErrorInfo`` (reason, domain, metadata with
``live_send_allowed=false``), a ``BadRequest`` naming every faulty field for bad input and a ``PreconditionFailure`` for
what stands in the way. Status messages are ASCII; text of an unknown exception never leaves the process.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from services.domain import errors
from services.policy import live_send
from services.storage import errors as storage

ERROR_DOMAIN = "dealix.com"
DETAILS_KEY = "grpc-status-details-bin"

# Families from the most special on; the first that fits decides.
_CODES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (errors.InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (errors.PreconditionFailed, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.Conflict, grpc.StatusCode.ABORTED),
    (errors.NotPermitted, grpc.StatusCode.PERMISSION_DENIED),
    (errors.Exhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (storage.StorageUnavailable, grpc.StatusCode.UNAVAILABLE),
    (storage.DeadlinePassed, grpc.StatusCode.DEADLINE_EXCEEDED),
)
_MAX_VIOLATIONS = 50
# A client takes 8 KiB of trailing metadata: these bytes, the ErrorInfo and the status message, all grown by a third in
# base64, and the message once more. Above that it would see RESOURCE_EXHAUSTED and nothing of the reason.
_MAX_BAD_REQUEST_BYTES = 3_600
# Tag and length of a message or a text inside of another one.
_FRAME_BYTES = 4


class RpcFailure(Exception):
    """A call that ends with a status: code, ASCII message and details. ``reason`` is that of its ErrorInfo."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        details: Iterable[Message] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = {key: str(value) for key, value in (metadata or {}).items()}
        self.details = tuple(details)
        self.packed: bytes | None = None
        """The details as another service sent them, ErrorInfo included; set where a status is passed on."""

    def details_bytes(self) -> bytes:
        """The serialised ``google.rpc.Status``, its ErrorInfo first."""
        if self.packed is not None:
            return self.packed
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain=ERROR_DOMAIN, metadata={**self.metadata, **live_send.ERROR_METADATA}
        )
        packed = []
        for detail in (info, *self.details):
            holder = AnyMessage()
            holder.Pack(detail)
            packed.append(holder)
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=packed)
        serialised: bytes = status.SerializeToString()
        return serialised


def failure_of(error: BaseException) -> RpcFailure:
    """The status of any exception. What is not a refusal that we named becomes INTERNAL with an ``error_id``."""
    if isinstance(error, RpcFailure):
        return error
    for family, code in _CODES:
        if isinstance(error, family):
            return _named(error, code)
    error_id = uuid.uuid4().hex
    return RpcFailure(grpc.StatusCode.INTERNAL, "INTERNAL", f"internal error {error_id}", {"error_id": error_id})


def _named(error: Exception, code: grpc.StatusCode) -> RpcFailure:
    reason = getattr(error, "reason", "INTERNAL")
    details: list[Message] = []
    if isinstance(error, errors.InvalidInput):
        details.append(bad_request(error.violations))
    elif isinstance(error, errors.PreconditionFailed) and error.missing:
        details.append(
            error_details_pb2.PreconditionFailure(
                violations=[
                    error_details_pb2.PreconditionFailure.Violation(type=kind, subject=subject, description=text)
                    for kind, subject, text in error.missing
                ]
            )
        )
    return RpcFailure(code, reason, _ascii(str(error)), getattr(error, "metadata", {}), details)


def bad_request(violations: Iterable[errors.Violation]) -> error_details_pb2.BadRequest:
    """The detail that names every faulty field with its reason, the first fifty of them.

    Descriptions follow as far as a client's bound of metadata leaves room for them.
    """
    shown = list(violations)[:_MAX_VIOLATIONS]
    found = error_details_pb2.BadRequest()
    room = _MAX_BAD_REQUEST_BYTES
    for v in shown:
        named = error_details_pb2.BadRequest.FieldViolation(field=v.field, reason=v.reason)
        room -= named.ByteSize() + _FRAME_BYTES
        if room < 0:
            break
        found.field_violations.append(named)
    for named, v in zip(found.field_violations, shown, strict=False):
        text = _ascii(v.description)
        if len(text) + _FRAME_BYTES <= room:
            named.description = text
            room -= len(text) + _FRAME_BYTES
    return found


def failure_from_status(code: grpc.StatusCode, message: str, packed: bytes | None) -> RpcFailure | None:
    """The failure that another service answered with, if it is one of ours; None for raw text and foreign details.

    ``packed`` is the value of ``grpc-status-details-bin``.
    """
    if not packed:
        return None
    try:
        status = status_pb2.Status.FromString(packed)
    except Exception:  # a broken detail is no detail
        return None
    if status.code != code.value[0]:
        return None
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            failure = RpcFailure(code, info.reason, _ascii(message), dict(info.metadata))
            if info.metadata.get(live_send.LIVE_SEND_FIELD) == live_send.ERROR_METADATA[live_send.LIVE_SEND_FIELD]:
                failure.packed = packed
            else:
                failure.details = tuple(_unpacked(status))
            return failure
    return None


def _unpacked(status: status_pb2.Status) -> Iterable[Message]:
    for kind in (error_details_pb2.BadRequest, error_details_pb2.PreconditionFailure):
        for detail in status.details:
            message = kind()
            if detail.Is(message.DESCRIPTOR) and detail.Unpack(message):
                yield message


def _ascii(text: str) -> str:
    """Status messages cost six bytes for each Arabic letter: what is not ASCII is escaped, and the length is bounded."""
    return text.encode("ascii", "backslashreplace").decode("ascii")[:1000]


def code_name(code: grpc.StatusCode) -> str:
    """``NOT_FOUND`` for StatusCode.NOT_FOUND."""
    name: str = code_pb2.Code.Name(code.value[0])
    return name
