"""A real server in this process, for tests and demonstrations: port 0 on loopback, a database of the caller's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from prometheus_client import CollectorRegistry

from services.runtime.observe import Metrics
from services.runtime.server import Server
from services.runtime.service import Service, ServiceDefinition, open_service, utc_now
from services.runtime.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers at ``address``; ``channel`` is connected to it."""

    service: Service
    address: str
    channel: grpc.aio.Channel
    registry: CollectorRegistry


@asynccontextmanager
async def running_service(
    definition: ServiceDefinition,
    *,
    database_url: str = "",
    data_dir: Path | None = None,
    clock: Callable[[], datetime] = utc_now,
    **overrides: object,
) -> AsyncIterator[Running]:
    """Runs a service on a free loopback port until the block ends. ``overrides`` are further settings."""
    fields: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "database_url": database_url,
        "data_dir": data_dir or Path("data"),
        "reflection": True,
        "grace_seconds": 1.0,
        **overrides,
    }
    settings = ServiceSettings.model_validate(fields)
    registry = CollectorRegistry()
    async with open_service(definition, settings, metrics=Metrics(registry), clock=clock) as service:
        server = Server(service.pipeline, settings, service.serving, default_listen="127.0.0.1:0")
        address = await server.start()
        try:
            await server.ready()
            async with grpc.aio.insecure_channel(address) as channel:
                yield Running(service, address, channel, registry)
        finally:
            await server.stop()
