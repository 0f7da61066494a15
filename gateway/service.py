"""The gateway put together from upstreams, whether they are remote or in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from gateway.bring import Bringer
from gateway.compose import Composer
from gateway.contract import FORWARDED, OWN
from gateway.guard import Guard
from gateway.reviews import load_review_texts
from gateway.servicer import GatewayServicer
from gateway.tails import Tails
from gateway.upstreams import RemoteUpstream, Upstream
from services.runtime.methods import methods_of
from services.runtime.observe import Metrics, Observer
from services.runtime.pipeline import Environment, Pipeline
from services.runtime.service import utc_now
from services.runtime.settings import GatewaySettings, RuntimeSettings
from services.runtime.validation import shared_validator


@dataclass(frozen=True, slots=True)
class Gateway:
    """An assembled gateway: ``pipeline`` answers calls."""

    pipeline: Pipeline
    guard: Guard

    async def serving(self) -> bool:
        """Always true once assembled: a gateway without services still answers, with UPSTREAM_UNAVAILABLE or in part."""
        return True


@asynccontextmanager
async def open_gateway(
    upstreams: Mapping[str, Upstream],
    settings: RuntimeSettings,
    *,
    metrics: Metrics,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Gateway]:
    """Assembles a gateway over the four upstreams, by name, and lets go of them at the end."""
    observer = Observer("gateway", metrics, level=settings.log_level)
    environment = Environment(
        service="gateway",
        clock=clock,
        observer=observer,
        validator=shared_validator(),
        max_calls=settings.max_calls,
        max_watchers=settings.max_watchers,
    )
    guard = Guard(observer, upstreams["incidents"])
    pipeline = Pipeline(environment)
    methods = {method.path: method for modules in FORWARDED.values() for method in methods_of(modules)}
    composer = Composer(upstreams, methods, guard)
    tails = Tails(composer, observer, clock)
    bringer = Bringer(upstreams, methods, guard, composer)
    for name, modules in FORWARDED.items():
        for method in methods_of(modules):
            pipeline.add_stage(method, bringer.stage(name, method))
    pipeline.add(methods_of(OWN), [GatewayServicer(composer, upstreams, guard, tails, load_review_texts())])
    async with AsyncExitStack() as closers:
        for upstream in upstreams.values():
            closers.push_async_callback(upstream.close)
        closers.push_async_callback(guard.close)
        closers.push_async_callback(tails.close)
        yield Gateway(pipeline, guard)


def remote_upstreams(settings: GatewaySettings) -> dict[str, Upstream]:
    """An upstream for each service, over a channel to its target."""
    return {name: RemoteUpstream(name, target) for name, target in settings.targets().items()}
