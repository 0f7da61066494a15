"""A gateway in front of four real services on loopback ports, and of services that break the rules."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest
from prometheus_client import CollectorRegistry

from customer_ops.embedded import DEFINITIONS
from gateway.service import open_gateway, remote_upstreams
from services.runtime.observe import Metrics
from services.runtime.server import Server
from services.runtime.service import utc_now
from services.runtime.settings import GatewaySettings
from services.runtime.testing import Running, running_service


@dataclass
class Front:
    """A gateway and what stands behind it."""

    channel: grpc.aio.Channel
    services: dict[str, Running]
    registry: CollectorRegistry
    gateway: object


@asynccontextmanager
async def gateway_at(
    targets: dict[str, str], services: dict[str, Running] | None = None, *, clock=utc_now, **overrides: object
):
    """A gateway over remote targets; services that have none are unreachable. ``overrides`` are further settings."""
    nowhere = "127.0.0.1:9"
    settings = GatewaySettings(
        listen="127.0.0.1:0",
        **{"grace_seconds": 1, **overrides},
        **{f"{name}_target": targets.get(name, nowhere) for name in ("support", "incidents", "onboarding", "success")},
    )
    registry = CollectorRegistry()
    async with open_gateway(remote_upstreams(settings), settings, metrics=Metrics(registry), clock=clock) as gateway:
        server = Server(gateway.pipeline, settings, gateway.serving, default_listen="")
        address = await server.start()
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                yield Front(channel, services or {}, registry, gateway)
        finally:
            await server.stop()


@asynccontextmanager
async def front_at(data_dir, *, clock=utc_now, **overrides: object):
    """The gateway in front of the four services, each on a socket and a SQLite file of its own."""
    async with AsyncExitStack() as closers:
        services = {}
        for definition in DEFINITIONS:
            services[definition.name] = await closers.enter_async_context(
                running_service(definition, data_dir=data_dir, clock=clock)
            )
        targets = {name: running.address for name, running in services.items()}
        yield await closers.enter_async_context(gateway_at(targets, services, clock=clock, **overrides))


@pytest.fixture
async def front(tmp_path):
    """The gateway in front of the four services, by the real time."""
    async with front_at(tmp_path) as made:
        yield made


class _Answers(grpc.GenericRpcHandler):
    def __init__(self, answer) -> None:
        self._answer = answer

    def service(self, handler_call_details):
        if handler_call_details.method.startswith("/grpc.health."):
            return None  # a server without health counts as healthy

        async def handle(payload, context):
            return await self._answer(handler_call_details.method, payload, context)

        return grpc.unary_unary_rpc_method_handler(handle)


@asynccontextmanager
async def backend(answer):
    """A server that answers every method by ``await answer(path, payload, context)``; gives its address."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Answers(answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
