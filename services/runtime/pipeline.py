"""What happens to every call, in one order, whatever the service and whether it came over a socket or from the gateway
in the same process.

A stage wraps the next one, once for each method, when the server is built; a call then runs through plain coroutines.
gRPC's own interceptors would do the same work for every call anew, and cannot be used without a socket.

    funnel      outermost: whatever was raised becomes one status, exactly once
    observe     one log line and one count for each call, with its outcome; no bodies
    deadline    refuses what cannot be answered in time any more
    limit       refuses above a number of calls at work, before anything is parsed
    decode      bytes to the request message, or MALFORMED_REQUEST
    validate    the bounds of the contract; what breaks them is refused with all faulty fields, the domain's too (`trial`)
    stamp       live_send_allowed=false and approval_required on what leaves, and its serialisation

A method that streams has the same stages in the same order, each a generator around the next: a refusal comes before the
first message, and every message is stamped. Instead of a deadline it has an end:

    until       ends a stream when it has lasted long enough (OK) or the server shuts down (UNAVAILABLE)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from services.domain.errors import InvalidInput
from services.policy import live_send
from services.runtime.call import Call
from services.runtime.failure import RpcFailure, failure_of
from services.runtime.methods import Method
from services.runtime.observe import Observer
from services.runtime.trial import faults_of_domain
from services.runtime.validation import RequestValidator
from services.storage.database import Database

# bytes in, bytes out; between decode and stamp: message in, message (or stamped bytes) out.
Stage = Callable[[Any, Call], Awaitable[Any]]
Handler = Callable[[Any, Call], Awaitable[Message | bytes]]
# The same for a method that streams. Each message may be asked for by another task, so that no generator may hold a
# timeout or a task group open while it gives one.
StreamStage = Callable[[Any, Call], AsyncGenerator[Any, None]]
StreamHandler = Callable[[Any, Call], AsyncGenerator[Message, None]]

FEW_MILLISECONDS = 0.005


@dataclass(slots=True)
class Environment:
    """What the calls of one service share. ``max_calls``: calls at work at once; ``max_watchers``: open streams.

    ``draining`` is set when the server takes no new calls any more.
    """

    service: str
    clock: Callable[[], datetime]
    observer: Observer
    validator: RequestValidator
    database: Database | None = None
    max_calls: int = 512
    max_watchers: int = 64
    active: int = field(default=0, init=False)
    watching: int = field(default=0, init=False)
    draining: asyncio.Event = field(default_factory=asyncio.Event, init=False)


class Pipeline:
    """The methods that one server answers, each behind its stages."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._entries: dict[str, tuple[Method, Stage]] = {}
        self._streams: dict[str, tuple[Method, StreamStage]] = {}

    def add(self, methods: Iterable[Method], servicers: Sequence[object]) -> None:
        """Registers methods whose handlers stand, by RPC name and service, on the servicers.

        A servicer says which service it serves by its attribute ``service`` (``dealix.support.v1.SupportService``).
        Of a method that streams the handler is an async generator. Raises ``TypeError`` when a method of a served service
        has no handler.
        """
        by_service = {servicer.service: servicer for servicer in servicers}  # type: ignore[attr-defined]
        for method in methods:
            servicer = by_service[method.service]
            handler = getattr(servicer, method.name, None)
            if handler is None:
                raise TypeError(f"{type(servicer).__name__} does not answer {method.path}")
            if method.streams:
                self._add_stream(method, handler)
            else:
                self.add_stage(method, _decode(method, _validate(self.environment, _stamp(method, handler))))

    def add_stage(self, method: Method, inner: Stage) -> None:
        """Registers a method whose inner stage takes and gives bytes (the gateway's forwarder)."""
        environment = self.environment
        stage = _funnel(_observe(environment, method, _deadline(_limit(environment, inner))))
        self._entries[method.path] = (method, stage)

    def _add_stream(self, method: Method, handler: StreamHandler) -> None:
        environment = self.environment
        inner = _decode_stream(method, _validate_stream(environment, _stamp_stream(method, handler)))
        outer = _observe_stream(environment, method, _limit_stream(environment, _until(environment, inner)))
        self._streams[method.path] = (method, _funnel_stream(outer))

    def methods(self) -> list[Method]:
        """The registered methods."""
        return [method for method, _ in (*self._entries.values(), *self._streams.values())]

    def entries(self) -> list[tuple[Method, Stage]]:
        """The methods that answer once, each with its outermost stage."""
        return list(self._entries.values())

    def streams(self) -> list[tuple[Method, StreamStage]]:
        """The methods that stream, each with its outermost stage."""
        return list(self._streams.values())

    async def invoke(self, path: str, payload: bytes, correlation_id: str, deadline: float) -> bytes:
        """Answers a call from within the process: bytes in, stamped bytes out. Raises ``RpcFailure`` only."""
        method, stage = self._entries[path]
        call = Call(self.environment, method, correlation_id, time.monotonic(), deadline)
        answer: bytes = await stage(payload, call)
        return answer

    async def stream(
        self, path: str, payload: bytes, correlation_id: str, deadline: float
    ) -> AsyncGenerator[bytes, None]:
        """The stamped messages of a method that streams, until ``deadline`` at most. Raises ``RpcFailure`` only."""
        method, stage = self._streams[path]
        call = Call(self.environment, method, correlation_id, time.monotonic(), deadline)
        async with aclosing(stage(payload, call)) as answers:
            async for answer in answers:
                yield answer


def _funnel(inner: Stage) -> Stage:
    async def funnel(payload: Any, call: Call) -> Any:
        try:
            return await inner(payload, call)
        except asyncio.CancelledError:
            if _is_meant(call):
                raise
            raise _interrupted() from None
        except Exception as error:
            raise failure_of(error) from None

    return funnel


def _funnel_stream(inner: StreamStage) -> StreamStage:
    async def funnel(payload: Any, call: Call) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(inner(payload, call)) as answers:
                async for answer in answers:
                    yield answer
        except asyncio.CancelledError:
            if _is_meant(call):
                raise
            raise _interrupted() from None
        except Exception as error:
            raise failure_of(error) from None

    return funnel


def _is_meant(call: Call) -> bool:
    """Whether a cancellation comes from outside: the peer is gone, or the server stops. Nobody reads an answer then, and
    cancelling must go on. A stray one, of something that we awaited, would leave the client waiting for its deadline."""
    task = asyncio.current_task()
    return (task is not None and task.cancelling() > 0) or call.peer_cancelled is None or call.peer_cancelled()


def _interrupted() -> RpcFailure:
    return RpcFailure(grpc.StatusCode.UNAVAILABLE, "INTERRUPTED", "interrupted, repeat the call")


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


def _observe_stream(environment: Environment, method: Method, inner: StreamStage) -> StreamStage:
    observed = environment.observer.method(method)

    async def observe(payload: Any, call: Call) -> AsyncGenerator[Any, None]:
        observed.opened()
        try:
            async with aclosing(inner(payload, call)) as answers:
                async for answer in answers:
                    observed.gave()
                    yield answer
        except (asyncio.CancelledError, GeneratorExit):
            observed.cancelled(call)
            raise
        except Exception as error:
            failure = failure_of(error)
            observed.failed(call, failure, error)
            raise failure from None
        else:
            observed.succeeded(call)
        finally:
            observed.closed()

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
            raise _overloaded("calls", environment.max_calls)
        if environment.draining.is_set():
            raise _shutting_down()
        environment.active += 1
        try:
            return await inner(payload, call)
        finally:
            environment.active -= 1

    return limit


def _limit_stream(environment: Environment, inner: StreamStage) -> StreamStage:
    async def limit(payload: Any, call: Call) -> AsyncGenerator[Any, None]:
        if environment.watching >= environment.max_watchers:
            raise _overloaded("watchers", environment.max_watchers)
        if environment.draining.is_set():
            raise _shutting_down()
        environment.watching += 1
        try:
            async with aclosing(inner(payload, call)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            environment.watching -= 1

    return limit


def _overloaded(what: str, limit: int) -> RpcFailure:
    return RpcFailure(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "OVERLOADED",
        f"too many {what} at once, retry with back-off",
        {"limit": str(limit)},
    )


def _shutting_down() -> RpcFailure:
    return RpcFailure(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "the service is shutting down")


def _until(environment: Environment, inner: StreamStage) -> StreamStage:
    async def until(payload: Any, call: Call) -> AsyncGenerator[Any, None]:
        draining = asyncio.create_task(_wait(environment.draining))
        try:
            async with aclosing(inner(payload, call)) as answers:
                while (remaining := call.deadline - time.monotonic()) > 0:
                    upcoming = asyncio.create_task(_next(answers))
                    try:
                        done, _ = await asyncio.wait(
                            {upcoming, draining}, timeout=remaining, return_when="FIRST_COMPLETED"
                        )
                    finally:
                        await _cancel(upcoming)
                    # What went wrong says more than that the end came at the same time.
                    answer = upcoming.result() if upcoming in done else None
                    if environment.draining.is_set():
                        raise _shutting_down()
                    if answer is None:
                        return
                    yield answer
        finally:
            await _cancel(draining)

    return until


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _next(answers: AsyncIterator[Any]) -> Any:
    """The next message; None at the end, since a task cannot end as an iterator does."""
    return await anext(answers, None)


async def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancels a task unless it is done, and waits for its end: a generator that still runs cannot be closed."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            # Whatever it came to after all: nobody waits for it, and asyncio need not complain of that.
            task.exception()


def _decode(method: Method, inner: Stage) -> Stage:
    parse = method.request_class.FromString

    async def decode(payload: bytes, call: Call) -> Any:
        try:
            request = parse(payload)
        except DecodeError:
            raise malformed(method) from None
        return await inner(request, call)

    return decode


def _decode_stream(method: Method, inner: StreamStage) -> StreamStage:
    parse = method.request_class.FromString

    async def decode(payload: bytes, call: Call) -> AsyncGenerator[Any, None]:
        try:
            request = parse(payload)
        except DecodeError:
            raise malformed(method) from None
        async with aclosing(inner(request, call)) as answers:
            async for answer in answers:
                yield answer

    return decode


def malformed(method: Method) -> RpcFailure:
    """The failure of bytes that are not the method's request."""
    return RpcFailure(
        grpc.StatusCode.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        f"the bytes are not a {method.request_class.DESCRIPTOR.full_name}",
    )


def _validate(environment: Environment, inner: Stage) -> Stage:
    faults_of = environment.validator.faults

    async def validate(request: Message, call: Call) -> Any:
        faults = faults_of(request)
        if faults:
            raise InvalidInput([*faults, *await faults_of_domain(inner, request, call, faults)])
        return await inner(request, call)

    return validate


def _validate_stream(environment: Environment, inner: StreamStage) -> StreamStage:
    faults_of = environment.validator.faults

    async def validate(request: Message, call: Call) -> AsyncGenerator[Any, None]:
        if faults := faults_of(request):
            raise InvalidInput(faults)
        async with aclosing(inner(request, call)) as answers:
            async for answer in answers:
                yield answer

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


def _stamp_stream(method: Method, handler: StreamHandler) -> StreamStage:
    approval_always = method.approval_always
    stamp_message = live_send.stamp

    async def stamp(request: Message, call: Call) -> AsyncGenerator[bytes, None]:
        async with aclosing(handler(request, call)) as responses:
            async for response in responses:
                stamp_message(response, approval_always=approval_always)
                yield response.SerializeToString(deterministic=True)

    return stamp
