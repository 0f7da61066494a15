"""``python -m tests.faults.fast_clock ZERO SPEED``: the support service on a fast clock.

It runs ``SPEED`` times as fast as the wall's since ``ZERO``, in seconds since the epoch. All processes with the same two
figures have the same time, whenever they start.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from services.runtime.main import read_settings, run, serve_until_signal
from services.runtime.observe import Metrics, configure_logging
from services.runtime.server import Server
from services.runtime.service import open_service
from services.runtime.settings import ServiceSettings


def fast_clock(zero: float, speed: float) -> Callable[[], datetime]:
    """The clock."""
    start = datetime.fromtimestamp(zero, UTC)
    return lambda: start + timedelta(seconds=(time.time() - zero) * speed)


async def _serve(settings: ServiceSettings, clock: Callable[[], datetime]) -> int:
    from services.support.service import DEFINITION

    registry = CollectorRegistry()
    async with open_service(DEFINITION, settings, metrics=Metrics(registry), clock=clock) as service:
        server = Server(service.pipeline, settings, service.serving, default_listen="127.0.0.1:0")
        await serve_until_signal(server, settings, registry, "support")
    return 0


if __name__ == "__main__":
    configure_logging("info", json=True)
    sys.exit(run(_serve(read_settings(ServiceSettings), fast_clock(float(sys.argv[1]), float(sys.argv[2])))))
