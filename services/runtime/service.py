"""A service as a definition, and the definition completed into something that answers calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import ModuleType

from services.approvals.servicer import ApprovalRules, ApprovalServicer
from services.runtime.ledger import LedgerServicer
from services.runtime.methods import methods_of
from services.runtime.observe import Metrics, Observer
from services.runtime.pipeline import Environment, Pipeline
from services.runtime.settings import ServiceSettings
from services.runtime.validation import shared_validator
from services.runtime.worker import Fire, Worker, running
from services.storage.database import Database, DatabaseSettings, ServiceSchema, open_database


def utc_now() -> datetime:
    """The clock of a running process."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Built:
    """What a service comes to once its data files are loaded.

    ``timers`` holds, by kind of timer, what answers to it. ``approvals`` is what the service adds to the decisions about its
    drafts.
    """

    servicers: Sequence[object]
    timers: Mapping[str, Fire] = field(default_factory=dict)
    approvals: ApprovalRules = field(default_factory=ApprovalRules)


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """What makes one service: its name, the ``*_pb2`` modules of the RPCs that it serves, its database, its servicers.

    ``ledger_module`` and ``approval_module`` hold the RPCs that every service has. ``build`` loads and checks the service's
    data files; it raises before anything is opened.
    """

    name: str
    modules: tuple[ModuleType, ...]
    ledger_module: ModuleType
    approval_module: ModuleType
    schema: ServiceSchema
    build: Callable[[], Built]


@dataclass(frozen=True, slots=True)
class Service:
    """An open service: ``pipeline`` answers calls, ``database`` is its own, ``worker`` looks after what falls due."""

    name: str
    pipeline: Pipeline
    database: Database
    worker: Worker

    async def catch_up(self) -> int:
        """Does what is due now, without waiting for the worker's next look; how many timers fired."""
        return await self.worker.catch_up()

    async def serving(self) -> bool:
        """Whether it can answer now."""
        return (await self.database.health()).ok


@asynccontextmanager
async def open_service(
    definition: ServiceDefinition,
    settings: ServiceSettings,
    *,
    metrics: Metrics,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Service]:
    """Completes a definition: loads its data, opens its database, and closes the database at the end."""
    built = definition.build()
    database = await open_database(
        DatabaseSettings(url=settings.database_url_of(definition.name), auto_migrate=settings.auto_migrate),
        definition.schema,
        clock=clock,
    )
    try:
        environment = Environment(
            service=definition.name,
            clock=clock,
            observer=Observer(definition.name, metrics, level=settings.log_level),
            validator=shared_validator(),
            database=database,
            max_calls=settings.max_calls,
            max_watchers=settings.max_watchers,
        )
        pipeline = Pipeline(environment)
        pipeline.add(
            methods_of((*definition.modules, definition.ledger_module, definition.approval_module)),
            [
                *built.servicers,
                LedgerServicer(definition.ledger_module),
                ApprovalServicer(definition.approval_module, built.approvals),
            ],
        )
        worker = Worker(definition.name, database, built.timers, clock, metrics)
        async with running(worker, settings.worker_seconds if built.timers else 0):
            yield Service(definition.name, pipeline, database, worker)
    finally:
        await database.close()
