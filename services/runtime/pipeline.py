"""What happens to every call, in one order, whatever the service and whether it came over a socket or from the gateway
in the same process.

A stage wraps the next one, once for each method, when the server is built; a call then runs through plain coroutines.
gRPC's own interceptors would do the same work for every call anew, and cannot be used without a socket.

    funnel      outermost: whatever was raised becomes one status, exactly once
    observe     one log line and one count for each call, with its outcome; no bodies
    deadline    refuses what cannot be answered in time any more
    limit       refuses above a number of calls at work, before anything is parsed
    decode      bytes to the request message, or MALFORMED_REQUEST
    validate    the bounds of the contract, all faulty fields at once
    stamp       live_send_allowed=false and approval_required on what leaves, and its serialisation
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from services.policy import live_send
from services.runtime.call import Call
from services.runtime.failure import RpcFailure, failure_of
from services.runtime.methods import Method
from services.runtime.observe import Observer
from services.runtime.validation import RequestValidator
from services.storage.database import Database

# bytes in, bytes out; between decode and stamp: message in, message (or stamped bytes) out.
Stage = Callable[[Any, Call], Awaitable[Any]]
Handler = Callable[[Any, Call], Awaitable[Message | bytes]]

FEW_MILLISECONDS = 0.005


@dataclass(slots=True)
class Environment:
    """What the calls of one service share. ``max_calls``: calls at work at once."""

    service: str
    clock: Callable[[], datetime]
    observer: Observer
    validator: RequestValidator
    database: Database | None = None
    max_calls: int = 512
    active: int = field(default=0, init=False)
    draining: bool = field(default=False, init=False)


class Pipeline:
    """The methods that one server answers, each behind its stages."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._entries: dict[str, tuple[Method, Stage]] = {}

    def add(self, methods: Iterable[Method], servicers: Sequence[object]) -> None:
        """Registers methods whose handlers stand, by RPC name and service, on the servicers.

        A servicer says which service it serves by its attribute ``service`` (``dealix.support.v1.SupportService``).
        Raises ``TypeError`` when a method of a served service has no handler.
        """
        by_service = {servicer.service: servicer for servicer in servicers}  # type: ignore[attr-defined]
        for method in methods:
            servicer = by_service[method.service]
            handler = getattr(servicer, method.name, None)
            if handler is None:
                raise TypeError(f"{type(servicer).__name__} does not answer {method.path}")
            self.add_stage(method, _decode(method, _validate(self.environment, _stamp(method, handler))))

    def add_stage(self, method: Method, inner: Stage) -> None:
        """Registers a method whose inner stage takes and gives bytes (the gateway's forwarder)."""
        environment = self.environment
        stage = _funnel(_observe(environment, method, _deadline(_limit(environment, inner))))
        self._entries[method.path] = (method, stage)

    def methods(self) -> list[Method]:
        """The registered methods."""
        return [method for method, _ in self._entries.values()]

    def entry(self, path: str) -> tuple[Method, Stage]:
        """The method at a path with its outermost stage. ``KeyError`` for an unknown path."""
        return self._entries[path]

    async def invoke(self, path: str, payload: bytes, correlation_id: str, deadline: float) -> bytes:
        """Answers a call from within the process: bytes in, stamped bytes out. Raises ``RpcFailure`` only."""
        method, stage = self._entries[path]
        call = Call(self.environment, method, correlation_id, time.monotonic(), deadline)
        answer: bytes = await stage(payload, call)
        return answer


def _funnel(inner: Stage) -> Stage:
    async def funnel(payload: Any, call: Call) -> Any:
        try:
            return await inner(payload, call)
        except asyncio.CancelledError:
            # The peer is gone, or the server stops: nobody reads an answer, and cancelling must go on.
            task = asyncio.current_task()
            if (task is not None and task.cancelling()) or call.peer_cancelled is None or call.peer_cancelled():
                raise
            # A stray cancellation of something that we awaited would leave the client waiting for its deadline.
            raise RpcFailure(grpc.StatusCode.UNAVAILABLE, "INTERRUPTED", "interrupted, repeat the call") from None
        except Exception as error:
            raise failure_of(error) from None

    return funnel


def _observe(environment: Environment, method: Method, inner: Stage) -> Stage:
    observed = environment.observer.method(method)

    async def observe(payload: Any, call: Call) -> Any:
        try:
            answer = await inner(payload, call)
        except asyncio.CancelledError:
            observed.cancelled(call)
            raise
        except Exception as error:
            failure = failure_of(error)
            observed.failed(call, failure, error)
            raise failure from None
        observed.succeeded(call)
        return answer

    return observe


def _deadline(inner: Stage) -> Stage:
    async def deadline(payload: Any, call: Call) -> Any:
        if call.deadline - call.started < FEW_MILLISECONDS:
            raise RpcFailure(
                grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED", "the deadline passed before the work began"
            )
        return await inner(payload, call)

    return deadline


def _limit(environment: Environment, inner: Stage) -> Stage:
    async def limit(payload: Any, call: Call) -> Any:
        if environment.active >= environment.max_calls:
            raise RpcFailure(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "OVERLOADED",
                "too many calls at once, retry with back-off",
                {"limit": str(environment.max_calls)},
            )
        if environment.draining:
            raise RpcFailure(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "the service is shutting down")
        environment.active += 1
        try:
            return await inner(payload, call)
        finally:
            environment.active -= 1

    return limit


def _decode(method: Method, inner: Stage) -> Stage:
    parse = method.request_class.FromString

    async def decode(payload: bytes, call: Call) -> Any:
        try:
            request = parse(payload)
        except DecodeError:
            raise malformed(method) from None
        return await inner(request, call)

    return decode


def malformed(method: Method) -> RpcFailure:
    """The failure of bytes that are not the method's request."""
    return RpcFailure(
        grpc.StatusCode.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        f"the bytes are not a {method.request_class.DESCRIPTOR.full_name}",
    )


def _validate(environment: Environment, inner: Stage) -> Stage:
    check = environment.validator

    async def validate(request: Message, call: Call) -> Any:
        check(request)
        return await inner(request, call)

    return validate


def _stamp(method: Method, handler: Handler) -> Stage:
    approval_always = method.approval_always
    stamp_message = live_send.stamp

    async def stamp(request: Message, call: Call) -> bytes:
        response = await handler(request, call)
        if isinstance(response, bytes):
            # A write was stamped inside its transaction; one that is replayed from the store is looked at again.
            if response.startswith(live_send.STAMPED_PREFIX):
                return response
            response = method.response_class.FromString(response)
        stamp_message(response, approval_always=approval_always)
        return response.SerializeToString(deterministic=True)

    return stamp
