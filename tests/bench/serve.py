"""Servers of the project to measure, started as processes: ``python -m tests.bench.serve KIND DATA_DIR [TARGET]``.

``support``: the service alone. ``embedded``: the whole stack in one process behind its gateway. ``gateway``: a gateway whose
support is at TARGET. Each prints its address and ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry

from services.runtime.main import run
from services.runtime.observe import Metrics, configure_logging
from services.runtime.server import Server
from services.runtime.service import open_service
from services.runtime.settings import GatewaySettings, ServiceSettings


async def _serve(kind: str, data: Path, target: str) -> int:
    async with AsyncExitStack() as closers:
        if kind == "gateway":
            from gateway.service import open_gateway, remote_upstreams

            settings = GatewaySettings(listen="127.0.0.1:0", support_target=target, log_level="warning")
            gateway = await closers.enter_async_context(
                open_gateway(remote_upstreams(settings), settings, metrics=Metrics(CollectorRegistry()))
            )
            server = Server(gateway.pipeline, settings, gateway.serving, default_listen="")
            address = await server.start()
            closers.push_async_callback(server.stop)
        elif kind == "embedded":
            from customer_ops.embedded import embedded_settings, running_stack

            stack = await closers.enter_async_context(running_stack(embedded_settings("127.0.0.1:0", data)))
            address = stack.address
        else:
            from services.support.service import DEFINITION

            own = ServiceSettings(listen="127.0.0.1:0", data_dir=data, log_level="warning")
            service = await closers.enter_async_context(
                open_service(DEFINITION, own, metrics=Metrics(CollectorRegistry()))
            )
            server = Server(service.pipeline, own, service.serving, default_listen="")
            address = await server.start()
            await server.ready()
            closers.push_async_callback(server.stop)
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    return 0


if __name__ == "__main__":
    configure_logging("warning", json=True)
    sys.exit(run(_serve(sys.argv[1], Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")))
