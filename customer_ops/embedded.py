"""The composition root: all four services and the gateway in one process, on SQLite files in one folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from customer_ops.play_clock import PlayClock
from gateway.service import Gateway, open_gateway
from gateway.upstreams import LocalUpstream, Upstream
from services.incidents.service import DEFINITION as INCIDENTS
from services.onboarding.service import DEFINITION as ONBOARDING
from services.runtime.observe import Metrics
from services.runtime.server import Server
from services.runtime.service import Service, open_service, utc_now
from services.runtime.settings import PORTS, ServiceSettings
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


def embedded_settings(listen: str, data_dir: Path, *, log_level: str = "warning") -> ServiceSettings:
    """Settings of the embedded stack; the environment's hold where nothing is said here."""
    return ServiceSettings.model_validate(
        {
            "listen": listen,
            "data_dir": data_dir,
            "database_url": "",
            "auto_migrate": True,
            "reflection": True,
            "log_level": log_level,
            "grace_seconds": 2.0,
        }
    )


@asynccontextmanager
async def running_stack(settings: ServiceSettings, *, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[Stack]:
    """Opens the four services and serves the gateway in front of them until the block ends.

    Raises ``OSError`` when the address is taken and ``StorageRefused`` when the data folder must not be opened, such as
    when another process uses it.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as closers:
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
