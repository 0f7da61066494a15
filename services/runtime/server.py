"""A gRPC server over a pipeline: sockets, limits, health, reflection and a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.runtime.call import Call
from services.runtime.failure import DETAILS_KEY, RpcFailure
from services.runtime.methods import Method
from services.runtime.pipeline import Environment, Pipeline, Stage, StreamStage
from services.runtime.settings import RuntimeSettings

CORRELATION_KEY = "x-correlation-id"
# Keys that mean something and may therefore stand once: of two, which one counts is anybody's guess.
_SINGLE_KEYS = frozenset({CORRELATION_KEY, "authorization"})
_CORRELATION = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_METADATA_BYTES = 8192
_HEALTH_INTERVAL = 1.0
_LET_GO_SECONDS = 5.0

ServingCheck = Callable[[], Awaitable[bool]]


class Server:
    """Serves one pipeline on one address.

    ``start`` binds and begins with health NOT_SERVING; health follows ``serving`` from then on. ``stop`` says NOT_SERVING,
    waits the drain time, refuses new calls, ends streams, lets running calls finish within the grace time and closes the
    sockets.
    """

    def __init__(
        self, pipeline: Pipeline, settings: RuntimeSettings, serving: ServingCheck, *, default_listen: str
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._serving = serving
        self._listen = settings.listen or default_listen
        self._names = sorted({method.service for method in pipeline.methods()})
        self._health = _Health(self._names)
        self._watch: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        # A stream that began just before its connection came of age may still last its time.
        longest = max(settings.max_call_seconds, settings.watch_seconds if pipeline.streams() else 0)
        self._grpc = grpc.aio.server(
            maximum_concurrent_rpcs=settings.max_calls * 10 + settings.max_watchers,
            options=[
                # A second copy on the same port must fail, not take half of the calls.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", settings.max_request_bytes),
                # Between a soft and a harder limit calls would fail at random.
                ("grpc.max_metadata_size", _METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
                ("grpc.max_connection_age_ms", int(settings.connection_age_seconds * 1000)),
                ("grpc.max_connection_age_grace_ms", int(longest * 1000)),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        if settings.reflection:
            reflection.enable_server_reflection(
                [*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._grpc
            )
        # Last, because it answers whatever the others do not know.
        self._handler = _PipelineHandler(pipeline, settings)
        self._grpc.add_generic_rpc_handlers((self._handler,))
        self.address = ""

    async def start(self) -> str:
        """Binds the address, starts serving and returns ``HOST:PORT``. ``OSError`` when the address is taken."""
        try:
            port = self._grpc.add_insecure_port(self._listen)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._listen}: {error}") from None
        self.address = f"{self._listen.rpartition(':')[0]}:{port}"
        await self._grpc.start()
        self._watch = asyncio.create_task(self._follow())
        return self.address

    async def ready(self) -> None:
        """Waits until health has said SERVING once."""
        await self._ready.wait()

    async def stop(self) -> None:
        """Ends gracefully; idempotent. Bounded by drain and grace time, also where a client never reads."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        self._health.say(health_pb2.HealthCheckResponse.NOT_SERVING)
        if self._settings.drain_seconds:
            await asyncio.sleep(self._settings.drain_seconds)
        self._pipeline.environment.draining.set()
        # Watchers would use up the grace time, which is for calls that somebody waits for.
        self._health.end()
        await self._grpc.stop(self._settings.grace_seconds)
        await self._handler.streams_ended()

    async def _follow(self) -> None:
        """Keeps health in step with what is behind the server."""
        while True:
            ok = await self._serving()
            self._health.say(
                health_pb2.HealthCheckResponse.SERVING if ok else health_pb2.HealthCheckResponse.NOT_SERVING
            )
            if ok:
                self._ready.set()
            await asyncio.sleep(_HEALTH_INTERVAL if self._ready.is_set() else 0.05)


class _Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc, unused-ignore]
    """The standard health service, with one status for the server and everything on it.

    grpcio's own holds a lock while it writes to a watcher, so that one that never reads keeps the status from all others
    and the server from ending. Here each watcher waits for itself alone.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(("", *names))
        self._status: Any = health_pb2.HealthCheckResponse.NOT_SERVING
        self._changed = asyncio.Event()
        self._ended = False

    def say(self, status: Any) -> None:
        """Tells everybody who watches, now, and whoever asks from now on."""
        if status != self._status:
            self._status = status
            self._wake()

    def end(self) -> None:
        """Ends the calls of those who watch once they know the last status, and of those who come now."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(self, request: Any, context: Any) -> Any:
        """The status now; NOT_FOUND for a service that is not here."""
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service here")
        return health_pb2.HealthCheckResponse(status=self._status)

    async def Watch(self, request: Any, context: Any) -> None:
        """The status now and after every change; SERVICE_UNKNOWN for a service that is not here."""
        said = None
        while True:
            changed = self._changed
            known = request.service in self._names
            status = self._status if known else health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            if status != said:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                said = status
                continue  # It may have changed while this was written.
            if self._ended:
                return
            await changed.wait()


class _PipelineHandler(grpc.GenericRpcHandler):  # type: ignore[misc, type-arg, unused-ignore]
    """Finds the handler of a path; unknown paths get one of ours, so that they too end with our ErrorInfo."""

    def __init__(self, pipeline: Pipeline, settings: RuntimeSettings) -> None:
        ids = _correlation_ids()
        self._handlers: dict[str, Any] = {}
        self._giving: set[asyncio.Task[Any]] = set()
        # No serialisers: the pipeline decodes, since bytes that cannot be read would fail before any handler.
        for method, stage in pipeline.entries():
            answer = _answer(pipeline.environment, method, stage, settings.max_call_seconds, ids)
            self._handlers[method.path] = grpc.unary_unary_rpc_method_handler(answer)
        for method, stream in pipeline.streams():
            give = _give(pipeline.environment, method, stream, settings.watch_seconds, ids, self._giving)
            self._handlers[method.path] = grpc.unary_stream_rpc_method_handler(give)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a call."""
        return self._handlers.get(handler_call_details.method) or _unknown(handler_call_details.method)

    async def streams_ended(self) -> None:
        """Waits until the streams that gRPC cut off have let go of what they use. It does not wait for that itself."""
        if self._giving:
            await asyncio.wait(self._giving, timeout=_LET_GO_SECONDS)


def _correlation_ids() -> Callable[[], str]:
    prefix, numbers = secrets.token_hex(4), itertools.count(1)
    return lambda: f"{prefix}-{next(numbers)}"


def _answer(
    environment: Environment, method: Method, stage: Stage, max_seconds: float, new_correlation_id: Callable[[], str]
) -> Callable[[bytes, Any], Awaitable[bytes | None]]:
    async def answer(payload: bytes, context: Any) -> bytes | None:
        started = time.monotonic()
        remaining = context.time_remaining()
        seconds = max_seconds if remaining is None or remaining > max_seconds else remaining
        try:
            correlation_id = _correlation_id(context) or new_correlation_id()
            call = Call(environment, method, correlation_id, started, started + seconds)
            call.peer_cancelled = context.cancelled
            result: bytes = await stage(payload, call)
        except RpcFailure as failure:
            await _abort(context, failure)
            return None
        return result

    return answer


def _give(
    environment: Environment,
    method: Method,
    stage: StreamStage,
    max_seconds: float,
    new_correlation_id: Callable[[], str],
    giving: set[asyncio.Task[Any]],
) -> Callable[[bytes, Any], Awaitable[None]]:
    async def give(payload: bytes, context: Any) -> None:
        started, loop = time.monotonic(), asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is not None:
            giving.add(task)
            task.add_done_callback(giving.discard)
        try:
            correlation_id = _correlation_id(context) or new_correlation_id()
            # A client's own deadline is gRPC's to keep: it cancels the call.
            call = Call(environment, method, correlation_id, started, started + max_seconds)
            call.peer_cancelled = context.cancelled
            async with aclosing(stage(payload, call)) as answers:
                async for answer in answers:
                    # Waits for a client that reads slowly, and nothing is made for it meanwhile. One that does not read at
                    # all keeps its place as long as a stream lasts, and no longer.
                    async with asyncio.timeout_at(loop.time() + call.deadline - time.monotonic()):
                        await context.write(answer)
        except TimeoutError:
            return
        except RpcFailure as failure:
            await _abort(context, failure)

    return give


def _correlation_id(context: Any) -> str | None:
    found: str | None = None
    seen: set[str] | None = None
    for key, value in context.invocation_metadata() or ():
        if key in _SINGLE_KEYS:
            seen = set() if seen is None else seen
            if key in seen:
                raise RpcFailure(
                    grpc.StatusCode.UNAUTHENTICATED, "DUPLICATE_METADATA", f"{key} was sent twice", {"key": key}
                )
            seen.add(key)
            if key == CORRELATION_KEY and isinstance(value, str) and _CORRELATION.fullmatch(value):
                found = value
    return found


async def _abort(context: Any, failure: RpcFailure) -> None:
    await context.abort(failure.code, failure.message, trailing_metadata=((DETAILS_KEY, failure.details_bytes()),))


def _unknown(path: str) -> Any:
    async def refuse(_: Any, context: Any) -> None:
        shown = path if len(path) <= 200 else path[:200]
        await _abort(
            context,
            RpcFailure(
                grpc.StatusCode.UNIMPLEMENTED,
                "UNKNOWN_METHOD",
                "no such method here",
                {"method": shown.encode("ascii", "backslashreplace").decode()},
            ),
        )

    # Stream-stream takes whatever kind of call the client meant.
    return grpc.stream_stream_rpc_method_handler(refuse)
