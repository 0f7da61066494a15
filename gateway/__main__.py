"""``python -m gateway``: the gateway in front of four remote services."""

from __future__ import annotations

import argparse
import sys

import structlog
from prometheus_client import CollectorRegistry

from gateway.service import open_gateway, remote_upstreams
from services.runtime.main import EXIT_FAILED, EXIT_INTERRUPTED, read_settings, run, serve_until_signal
from services.runtime.observe import Metrics, configure_logging
from services.runtime.server import Server
from services.runtime.settings import PORTS, GatewaySettings


async def serve(settings: GatewaySettings) -> int:
    """Serves until a signal; returns the exit code."""
    registry = CollectorRegistry()
    async with open_gateway(remote_upstreams(settings), settings, metrics=Metrics(registry)) as gateway:
        server = Server(gateway.pipeline, settings, gateway.serving, default_listen=f"127.0.0.1:{PORTS['gateway']}")
        await serve_until_signal(server, settings, registry, "gateway")
    return 0


def main() -> int:
    """The command line of the gateway; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway",
        description="The gateway in front of the services. Settings come from CUSTOMER_OPS_* variables.",
    )
    parser.add_argument("command", nargs="?", choices=("serve",), default="serve", help="serve (the default)")
    parser.parse_args()
    settings = read_settings(GatewaySettings)
    configure_logging(settings.log_level, json=settings.log_json)
    try:
        return run(serve(settings))
    except OSError as error:
        structlog.get_logger().error("failed", service="gateway", detail=str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
