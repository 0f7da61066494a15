"""Logs and counts of calls: one structured line each, never a body, never personal text.

Writes and failures are logged at INFO and above, successful reads at DEBUG, because a line costs more than the
classification of a ticket; every call is counted.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from services.runtime.failure import RpcFailure, code_name
from services.runtime.methods import Method
from services.runtime.settings import host_and_port

if TYPE_CHECKING:
    from services.runtime.call import Call

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(level: str, *, json: bool) -> None:
    """Sets up structlog for this process: JSON lines for machines, or plain coloured lines for a terminal, on stderr.

    ``level`` is one of debug, info, warning, error. Control and bidi characters are shown escaped.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=True)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


@contextmanager
def serving_metrics(listen: str, registry: CollectorRegistry) -> Iterator[None]:
    """Serves what was counted to Prometheus at ``HOST:PORT`` until the block ends; nothing where ``listen`` is empty.

    ``OSError`` that names the setting where the address cannot be had.
    """
    if not listen:
        yield
        return
    host, port = host_and_port(listen)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise OSError(f"CUSTOMER_OPS_METRICS_LISTEN: cannot listen on {listen}: {error.strerror or error}") from None
    structlog.get_logger().info("metrics", address=f"{listen.rpartition(':')[0]}:{server.server_port}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Metrics:
    """What is counted, once for each registry; several services in one process share it, told apart by label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "customer_ops_calls",
            "Calls answered, by method and status code.",
            ("service", "method", "code"),
            registry=registry,
        )
        self.seconds = Histogram(
            "customer_ops_call_seconds",
            "Time to answer a call, seconds.",
            ("service", "method"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.breaches = Counter(
            "customer_ops_policy_breaches",
            "Answers received that broke the live-send rule, by service and kind.",
            ("service", "kind"),
            registry=registry,
        )
        self.streams = Gauge(
            "customer_ops_streams",
            "Streams open now, by method.",
            ("service", "method"),
            registry=registry,
        )
        self.stream_messages = Counter(
            "customer_ops_stream_messages",
            "Messages that streams gave, by method.",
            ("service", "method"),
            registry=registry,
        )
        self.timers = Counter(
            "customer_ops_timers",
            "Timers answered to, by kind and outcome (fired, failed).",
            ("service", "kind", "outcome"),
            registry=registry,
        )
        self.timer_lag = Gauge(
            "customer_ops_timer_lag_seconds",
            "How long the earliest timer has been due at the last look; 0 when none is due.",
            ("service",),
            registry=registry,
        )


class Observer:
    """Where the calls of one service are logged and counted."""

    def __init__(self, service: str, metrics: Metrics, *, level: str = "info") -> None:
        self.service = service
        self.metrics = metrics
        self.log = structlog.get_logger().bind(service=service)
        self.reads_are_logged = level == "debug"

    def method(self, method: Method) -> ObservedMethod:
        """What to tell about calls of one method."""
        return ObservedMethod(self, method)


class ObservedMethod:
    """Tells the outcome of the calls of one method."""

    def __init__(self, observer: Observer, method: Method) -> None:
        self._observer = observer
        self._method = method
        self._logs_success = method.writes or observer.reads_are_logged
        self._write_level = "info" if method.writes else "debug"
        self._ok = observer.metrics.calls.labels(observer.service, method.path, "OK")
        # How long a stream lasted is no time that anybody waited for an answer.
        self._seconds = None if method.streams else observer.metrics.seconds.labels(observer.service, method.path)
        if method.streams:
            self._open = observer.metrics.streams.labels(observer.service, method.path)
            self._messages = observer.metrics.stream_messages.labels(observer.service, method.path)

    def opened(self) -> None:
        """A stream began."""
        self._open.inc()

    def gave(self) -> None:
        """A stream gave a message."""
        self._messages.inc()

    def closed(self) -> None:
        """A stream ended, in whatever way."""
        self._open.dec()

    def succeeded(self, call: Call) -> None:
        """A call was answered, or a stream came to its end."""
        seconds = time.monotonic() - call.started
        self._ok.inc()
        if self._seconds is not None:
            self._seconds.observe(seconds)
        if self._logs_success:
            self._line(self._write_level, call, "OK", seconds)

    def failed(self, call: Call, failure: RpcFailure, error: BaseException) -> None:
        """A call ends with a status. The stack is logged for faults of ours only."""
        seconds = time.monotonic() - call.started
        code = code_name(failure.code)
        self._count(code, seconds)
        fields: dict[str, Any] = {"reason": failure.reason, "metadata": failure.metadata}
        fault = failure.code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
        if fault:
            fields["exc_info"] = error
        level = "error" if fault else "warning" if failure.code == grpc.StatusCode.UNAVAILABLE else "info"
        self._line(level, call, code, seconds, **fields)

    def cancelled(self, call: Call) -> None:
        """The caller went away."""
        seconds = time.monotonic() - call.started
        self._count("CANCELLED", seconds)
        self._line("info", call, "CANCELLED", seconds)

    def _count(self, code: str, seconds: float) -> None:
        self._observer.metrics.calls.labels(self._observer.service, self._method.path, code).inc()
        if self._seconds is not None:
            self._seconds.observe(seconds)

    def _line(self, level: str, call: Call, code: str, seconds: float, **fields: Any) -> None:
        getattr(self._observer.log, level)(
            "call",
            method=self._method.path,
            code=code,
            ms=round(seconds * 1000, 3),
            correlation_id=call.correlation_id,
            **fields,
        )
