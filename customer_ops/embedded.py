"""The composition root: all four services and the gateway in one process, on SQLite files in one folder."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry
from pydantic import Field, field_validator

from customer_ops.play_clock import PlayClock
from gateway.service import Gateway, open_gateway
from gateway.upstreams import LocalUpstream, Upstream
from services.incidents.service import DEFINITION as INCIDENTS
from services.onboarding.service import DEFINITION as ONBOARDING
from services.runtime.observe import Metrics, serving_metrics
from services.runtime.server import Server
from services.runtime.service import Service, open_service, utc_now
from services.runtime.settings import PORTS, ServiceSettings, load_settings
from services.storage.timers import next_due
from services.success.service import DEFINITION as SUCCESS
from services.support.service import DEFINITION as SUPPORT

DEFINITIONS = (SUPPORT, INCIDENTS, ONBOARDING, SUCCESS)

# Far more than a week has; a timer that sets itself again and again must not keep the clock from getting there.
_MOST_STOPS = 1000


@dataclass(frozen=True, slots=True)
class Stack:
    """The running stack; ``address`` is the gateway's, the only socket there is."""

    address: str
    gateway: Gateway
    services: dict[str, Service]
    server: Server
    registry: CollectorRegistry

    async def catch_up(self) -> int:
        """Does what is due now in all four services, without waiting for their workers; how many timers fired."""
        return sum([await service.catch_up() for service in self.services.values()])

    async def next_due(self) -> datetime | None:
        """When the next timer of any service falls due; None where there is none."""
        found = [await service.database.read(next_due) for service in self.services.values()]
        return min((due for due in found if due is not None), default=None)

    async def advance(self, clock: PlayClock, moment: datetime) -> None:
        """Moves the clock that this stack was opened with to ``moment``, and stops on the way wherever something falls due, so
        that it happens at its own time and not all together at the end."""
        for _ in range(_MOST_STOPS):
            due = await self.next_due()
            if due is None or due > moment:
                break
            clock.move_to(max(due, clock()))
            await self.catch_up()
        clock.move_to(moment)
        await self.catch_up()


class EmbeddedSettings(ServiceSettings):
    """Settings of the whole stack in one process, which somebody starts by hand and looks at."""

    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_json: bool = Field(default_factory=lambda: not sys.stderr.isatty())
    reflection: bool = True
    grace_seconds: float = Field(default=2.0, ge=0, le=300)

    @field_validator("database_url")
    @classmethod
    def _is_empty(cls, value: str) -> str:
        if value:
            raise ValueError("the stack in one process keeps to SQLite files under CUSTOMER_OPS_DATA_DIR: unset it")
        return value


def embedded_settings(
    listen: str | None = None, data_dir: str | Path | None = None, **others: object
) -> EmbeddedSettings:
    """Settings of the embedded stack: what is given here, by the name of the setting, else the environment's.

    Raises ``SettingsFaulty``, which names every faulty variable.
    """
    given = {"listen": listen, "data_dir": data_dir, **others}
    return load_settings(EmbeddedSettings, {name: value for name, value in given.items() if value is not None})


@asynccontextmanager
async def running_stack(settings: ServiceSettings, *, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[Stack]:
    """Opens the four services and serves the gateway in front of them until the block ends.

    Raises ``OSError`` when an address is taken and ``StorageRefused`` when the data folder must not be opened, such as
    when another process uses it.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as closers:
        closers.enter_context(serving_metrics(settings.metrics_listen, registry))
        services: dict[str, Service] = {}
        upstreams: dict[str, Upstream] = {}
        for definition in DEFINITIONS:
            service = await closers.enter_async_context(
                open_service(definition, settings, metrics=metrics, clock=clock)
            )
            services[service.name] = service
            upstreams[service.name] = LocalUpstream(service)
        gateway = await closers.enter_async_context(open_gateway(upstreams, settings, metrics=metrics, clock=clock))
        server = Server(gateway.pipeline, settings, gateway.serving, default_listen=f"127.0.0.1:{PORTS['gateway']}")
        address = await server.start()
        closers.push_async_callback(server.stop)
        await server.ready()
        yield Stack(address, gateway, services, server, registry)
