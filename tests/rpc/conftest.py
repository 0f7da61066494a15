"""The four services, each on a socket and a file of its own, with a gateway in front: one for each file of tests."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from customer_ops.embedded import DEFINITIONS
from services.runtime.testing import Running, running_service
from tests.gateway.conftest import Front, gateway_at
from tests.rpc import samples

DOORS = ("direct", "gateway")


def doors_of(path: str) -> tuple[str, ...]:
    """The ways on which an RPC can be reached: its service's own port, and the gateway."""
    return ("gateway",) if samples.SERVICE_OF[path] == "gateway" else DOORS


def both_doors(methods: list[Any]) -> Any:
    """Parametrizes ``method`` and ``door``: every RPC on every way there is to it."""
    return pytest.mark.parametrize(
        ("method", "door"),
        [pytest.param(m, d, id=f"{m.path.removeprefix('/dealix.')}-{d}") for m in methods for d in doors_of(m.path)],
    )


class File:
    """A database as another process sees it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def version(self) -> int:
        """Another number whenever somebody else has committed a change, of whatever row: SQLite says so itself."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()


@dataclass(frozen=True)
class House:
    """What is running."""

    services: dict[str, Running]
    front: Front
    files: dict[str, File]

    async def raw(self, door: str, path: str, payload: bytes) -> bytes:
        """Sends bytes, gives bytes; of a stream the first message."""
        service = samples.SERVICE_OF[path]
        channel = self.front.channel if door == "gateway" or service == "gateway" else self.services[service].channel
        if not samples.METHOD_AT[path].streams:
            return await channel.unary_unary(path)(payload, timeout=30)
        call = channel.unary_stream(path)(payload, timeout=30)
        try:
            return await call.read()
        finally:
            call.cancel()

    async def ask(self, door: str, request: Message) -> Any:
        """Sends a request to the RPC that it is for."""
        method = samples.METHOD_OF[request.DESCRIPTOR.full_name]
        return method.response_class.FromString(await self.raw(door, method.path, request.SerializeToString()))

    async def direct(self, request: Message) -> Any:
        """Sends a request to its service's own port."""
        return await self.ask("direct", request)

    async def sample(self, method: Any) -> Any:
        """A valid request for a method, with whatever it needs in place."""
        return await samples.sample_of(method.request_class.DESCRIPTOR.full_name, self.direct)

    def stored(self) -> dict[str, int]:
        """The version of each service's database: equal ones mean that nothing was stored in between."""
        return {name: file.version() for name, file in self.files.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Shared by the tests of a file: each brings customers of its own."""
    data = tmp_path_factory.mktemp("house")
    async with AsyncExitStack() as closers:
        services = {
            definition.name: await closers.enter_async_context(running_service(definition, data_dir=data))
            for definition in DEFINITIONS
        }
        targets = {name: running.address for name, running in services.items()}
        front = await closers.enter_async_context(gateway_at(targets, services))
        files = {name: closers.enter_context(closing(File(data / f"{name}.db"))) for name in services}
        yield House(services, front, files)
