"""A client of the stack with the public stubs: one channel, errors as one line, the live-send flag checked in every answer."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc
from dealix.gateway.v1 import gateway_service_pb2_grpc
from dealix.incidents.v1 import (
    action_item_service_pb2_grpc,
    communication_service_pb2_grpc,
    freeze_service_pb2_grpc,
    incident_service_pb2_grpc,
    notice_service_pb2_grpc,
    obligation_service_pb2_grpc,
    post_mortem_service_pb2_grpc,
)
from dealix.incidents.v1 import approval_service_pb2_grpc as incidents_approval_grpc
from dealix.incidents.v1 import ledger_service_pb2_grpc as incidents_ledger_grpc
from dealix.onboarding.v1 import approval_service_pb2_grpc as onboarding_approval_grpc
from dealix.onboarding.v1 import connector_service_pb2_grpc, onboarding_service_pb2_grpc
from dealix.onboarding.v1 import ledger_service_pb2_grpc as onboarding_ledger_grpc
from dealix.success.v1 import approval_service_pb2_grpc as success_approval_grpc
from dealix.success.v1 import ledger_service_pb2_grpc as success_ledger_grpc
from dealix.success.v1 import success_service_pb2_grpc
from dealix.support.v1 import approval_service_pb2_grpc as support_approval_grpc
from dealix.support.v1 import ledger_service_pb2_grpc as support_ledger_grpc
from dealix.support.v1 import sla_service_pb2_grpc, support_service_pb2_grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from customer_ops.exits import EXIT_FAULT, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_UNVERIFIED, CommandFailed
from customer_ops.text import shown

if TYPE_CHECKING:
    Answer = TypeVar("Answer", bound=Message)

SERVICES = ("support", "incidents", "onboarding", "success")

# The stack may answer another time: nothing is wrong with the request.
_TRY_AGAIN = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
)
_FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})


class LedgerStub(Protocol):
    """What the four ledgers have in common; their messages differ by package only."""

    ListLedger: Any
    VerifyLedger: Any


class CallFailed(CommandFailed):
    """A call ended with a status.

    ``reason`` is that of its ErrorInfo, empty where it carries none of ours; ``details`` is what the message says beside it,
    piece by piece.
    """

    def __init__(
        self, message: str, exit_code: int, code: grpc.StatusCode, reason: str = "", details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, exit_code)
        self.code = code
        self.reason = reason
        self.details = details


class Stopped(Exception):
    """The process ends; no further call is made."""


class Client:
    """Every service of the stack behind one address, with the stubs that any caller uses.

    ``answers`` counts the answers that carried ``live_send_allowed=false`` explicitly; any other raises ``CommandFailed``.
    """

    def __init__(
        self, channel: grpc.Channel, address: str, *, seconds: float = 15.0, stopping: Event | None = None
    ) -> None:
        self.address = address
        self._stopping = stopping
        self.answers = 0
        self._seconds = seconds
        self.gateway = gateway_service_pb2_grpc.GatewayServiceStub(channel)
        self.support = support_service_pb2_grpc.SupportServiceStub(channel)
        self.sla = sla_service_pb2_grpc.SlaServiceStub(channel)
        self.incidents = incident_service_pb2_grpc.IncidentServiceStub(channel)
        self.obligations = obligation_service_pb2_grpc.ObligationServiceStub(channel)
        self.action_items = action_item_service_pb2_grpc.ActionItemServiceStub(channel)
        self.freezes = freeze_service_pb2_grpc.FreezeServiceStub(channel)
        self.post_mortems = post_mortem_service_pb2_grpc.PostMortemServiceStub(channel)
        self.notices = notice_service_pb2_grpc.NoticeServiceStub(channel)
        self.communications = communication_service_pb2_grpc.CommunicationServiceStub(channel)
        self.onboarding = onboarding_service_pb2_grpc.OnboardingServiceStub(channel)
        self.connectors = connector_service_pb2_grpc.ConnectorServiceStub(channel)
        self.success = success_service_pb2_grpc.SuccessServiceStub(channel)
        self.ledgers: dict[str, LedgerStub] = {
            "support": support_ledger_grpc.LedgerServiceStub(channel),
            "incidents": incidents_ledger_grpc.LedgerServiceStub(channel),
            "onboarding": onboarding_ledger_grpc.LedgerServiceStub(channel),
            "success": success_ledger_grpc.LedgerServiceStub(channel),
        }
        self.approvals: dict[str, Any] = {
            "support": support_approval_grpc.ApprovalServiceStub(channel),
            "incidents": incidents_approval_grpc.ApprovalServiceStub(channel),
            "onboarding": onboarding_approval_grpc.ApprovalServiceStub(channel),
            "success": success_approval_grpc.ApprovalServiceStub(channel),
        }

    def call(self, method: grpc.UnaryUnaryMultiCallable[Any, Answer], request: Message) -> Answer:
        """The answer of a method.

        Raises ``CallFailed``, ``CommandFailed`` for an answer without the flag, and ``Stopped`` without calling when the
        process is about to end.
        """
        if self._stopping is not None and self._stopping.is_set():
            raise Stopped
        try:
            answer = method(request, timeout=self._seconds)
        except grpc.RpcError as error:
            raise _failure(error, self.address) from None
        self._verify(answer)
        return answer

    def stream(
        self, method: grpc.UnaryStreamMultiCallable[Any, Answer], request: Message
    ) -> Generator[Answer, None, None]:
        """The messages of a method that streams, until it ends in good order; ended by whoever stops asking.

        Raises like ``call``.
        """
        call: Any = method(request)
        try:
            for answer in call:
                self._verify(answer)
                yield answer
        except grpc.RpcError as error:
            raise _failure(error, self.address) from None
        finally:
            call.cancel()

    def _verify(self, answer: Any) -> None:
        if not answer.HasField("live_send_allowed") or answer.live_send_allowed:
            name = type(answer).__name__
            raise CommandFailed(f"{name} does not say live_send_allowed=false: not used", EXIT_UNVERIFIED)
        self.answers += 1


@contextmanager
def connect(address: str, stopping: Event | None = None) -> Iterator[Client]:
    """A client of the stack at ``HOST:PORT`` until the block ends; it makes no call once ``stopping`` is set."""
    # Inside a company the stack is called by its own address: a proxy set for the web is not for it.
    options = [
        ("grpc.enable_http_proxy", 0),
        # Somebody who watches for hours hears nothing from a host that vanished, unless asked.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 5_000),
    ]
    with grpc.insecure_channel(address, options=options) as channel:
        yield Client(channel, address, stopping=stopping)


def _failure(error: grpc.RpcError, address: str) -> CallFailed:
    call: Any = error
    code: grpc.StatusCode = call.code()
    info, found = error_details_pb2.ErrorInfo(), []
    try:
        status = rpc_status.from_call(call)
    except ValueError:  # details of another status than the call's are nobody's
        status = None
    for detail in status.details if status is not None else ():
        for kind in (error_details_pb2.BadRequest, error_details_pb2.PreconditionFailure):
            message: Any = kind()
            if detail.Is(message.DESCRIPTOR) and detail.Unpack(message):
                found += _violations(message)
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    if not info.reason:
        text = shown(call.details() or "").strip()
        if code in _TRY_AGAIN:
            return CallFailed(
                f"cannot reach {address}: {text or code.name}; `customer-ops up` starts a stack", EXIT_UNREACHABLE, code
            )
        return CallFailed(f"{address} answered {code.name}: {text}", EXIT_FAULT, code)
    said = shown(call.details() or "").strip()
    if not found:
        metadata = {key: value for key, value in info.metadata.items() if key != "live_send_allowed"}
        text = "; ".join([said, *(f"{key}={shown(value)}" for key, value in sorted(metadata.items()))])
    elif code is grpc.StatusCode.INVALID_ARGUMENT:
        text = "; ".join(found)
    else:
        text = "; ".join([said, *found])
    if code in _TRY_AGAIN:
        return CallFailed(f"cannot answer now: {info.reason}: {text}", EXIT_UNREACHABLE, code, info.reason)
    if code in _FAULTS:
        return CallFailed(f"fault of the service: {info.reason}: {text}", EXIT_FAULT, code, info.reason)
    return CallFailed(f"refused: {info.reason}: {text}", EXIT_REFUSED, code, info.reason, tuple(found))


def _violations(detail: Any) -> list[str]:
    """Each violation of a BadRequest or a PreconditionFailure as ``name: what is wrong``."""
    if isinstance(detail, error_details_pb2.BadRequest):
        return [f"{shown(v.field)}: {shown(v.description).rstrip('.')}" for v in detail.field_violations]
    return [f"{shown(v.subject)}: {shown(v.description).rstrip('.')}" for v in detail.violations]
