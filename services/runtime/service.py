"""A service as a definition, and the definition completed into something that answers calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType

from services.runtime.ledger import LedgerServicer
from services.runtime.methods import methods_of
from services.runtime.observe import Metrics, Observer
from services.runtime.pipeline import Environment, Pipeline
from services.runtime.settings import ServiceSettings
from services.runtime.validation import RequestValidator
from services.storage.database import Database, DatabaseSettings, ServiceSchema, open_database


def utc_now() -> datetime:
    """The clock of a running process."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """What makes one service: its name, the ``*_pb2`` modules of the RPCs that it serves, its database, its servicers.

    ``build`` loads and checks the service's data files and returns its servicers; it raises before anything is opened.
    """

    name: str
    modules: tuple[ModuleType, ...]
    ledger_module: ModuleType
    schema: ServiceSchema
    build: Callable[[], Sequence[object]]


@dataclass(frozen=True, slots=True)
class Service:
    """An open service: ``pipeline`` answers calls, ``database`` is its own."""

    name: str
    pipeline: Pipeline
    database: Database

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
    servicers = definition.build()
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
            validator=RequestValidator(),
            database=database,
            max_calls=settings.max_calls,
        )
        pipeline = Pipeline(environment)
        pipeline.add(
            methods_of((*definition.modules, definition.ledger_module)),
            [*servicers, LedgerServicer(definition.ledger_module)],
        )
        yield Service(definition.name, pipeline, database)
    finally:
        await database.close()
