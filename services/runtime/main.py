"""``python -m services.<name>``: serve one service, or migrate its database, until a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from services.runtime.observe import Metrics, configure_logging, serving_metrics
from services.runtime.server import Server
from services.runtime.service import ServiceDefinition, open_service
from services.runtime.settings import PORTS, RuntimeSettings, ServiceSettings, SettingsFaulty, load_settings
from services.storage.errors import StorageError
from services.storage.migrations import migrate

# What scripts can tell apart: 1 the process failed, 2 it was asked wrongly, 3 it must not start on this data, 130 Ctrl-C
# before it served.
EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED, EXIT_INTERRUPTED = 1, 2, 3, 130

# Why PostgreSQL lets nobody in, by its SQLSTATE: what its operator can mend, said so that it needs no looking up.
_NOT_LET_IN = {
    "3D000": "the database that CUSTOMER_OPS_DATABASE_URL names does not exist: create it",
    "28P01": "the user or password in CUSTOMER_OPS_DATABASE_URL is wrong",
    "28000": "the user in CUSTOMER_OPS_DATABASE_URL may not connect to this database",
}

S = TypeVar("S", bound=RuntimeSettings)


# A thread that waited for the disk gets the interpreter lock back within this time; the default is ten times as long.
_SWITCH_SECONDS = 0.0005


def run(main: Coroutine[Any, Any, int]) -> int:
    """Runs a coroutine on the fastest loop there is and returns its exit code."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)


def loop_factory() -> Any:
    """uvloop's loop where it is installed; None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def run_service(definition: ServiceDefinition) -> int:
    """The command line of one service; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{definition.name}",
        description=f"The {definition.name} service. Settings come from CUSTOMER_OPS_* variables.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("serve", "migrate"),
        default="serve",
        help="serve (the default), or bring the database's schema up to date and end",
    )
    command = parser.parse_args().command
    settings = read_settings(ServiceSettings)
    configure_logging(settings.log_level, json=settings.log_json)
    try:
        if command == "migrate":
            return run(_migrate(definition, settings))
        return run(_serve(definition, settings))
    except StorageError as error:
        structlog.get_logger().error("refused", service=definition.name, reason=error.reason, detail=_detail(error))
        return EXIT_REFUSED
    except OSError as error:
        structlog.get_logger().error("failed", service=definition.name, detail=str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _detail(error: StorageError) -> str:
    state = getattr(getattr(error.__cause__, "orig", None), "sqlstate", None)
    return f"{error.message}: {_NOT_LET_IN[state]}" if state in _NOT_LET_IN else error.message


def read_settings(kind: type[S]) -> S:
    """Settings from the environment; ends the process with one line for each faulty variable."""
    try:
        return load_settings(kind)
    except SettingsFaulty as error:
        for name, said in error.faults.items():
            sys.stderr.write(f"{name}: {said}\n")
        raise SystemExit(EXIT_USAGE) from None


async def _migrate(definition: ServiceDefinition, settings: ServiceSettings) -> int:
    revision = await migrate(settings.database_url_of(definition.name), definition.schema)
    structlog.get_logger().info("migrated", service=definition.name, revision=revision)
    return 0


async def _serve(definition: ServiceDefinition, settings: ServiceSettings) -> int:
    registry = CollectorRegistry()
    async with open_service(definition, settings, metrics=Metrics(registry)) as service:
        server = Server(
            service.pipeline,
            settings,
            service.serving,
            default_listen=f"127.0.0.1:{PORTS[definition.name]}",
        )
        await serve_until_signal(server, settings, registry, definition.name)
    return 0


async def serve_until_signal(server: Server, settings: RuntimeSettings, registry: CollectorRegistry, name: str) -> None:
    """Starts a server, says where, waits for SIGTERM or SIGINT and ends it gracefully."""
    log = structlog.get_logger()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with serving_metrics(settings.metrics_listen, registry):
        address = await server.start()
        log.info("listening", service=name, address=address)
        try:
            await stop.wait()
        finally:
            log.info("stopping", service=name)
            await server.stop()
            log.info("stopped", service=name)
