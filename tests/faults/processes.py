"""Real processes of this system, started and ended by their ids, and what they say on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
END_SECONDS = 30.0
_KEPT_LINES = 60


class Process:
    """One child process. Its log lines are read all the time, so that it never waits for a full pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.events: list[dict[str, Any]] = []
        """The log lines that are JSON, without those of single calls."""
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._changed = asyncio.Event()
        self._silent = False
        self._reader = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self._process.pid

    async def event(self, name: str) -> dict[str, Any]:
        """The first log line of an event; fails when the process ends without it."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                for event in self.events:
                    if event.get("event") == name:
                        return event
                if self._silent:
                    raise AssertionError(f"ended without {name!r}:\n{self.text}")
                self._changed.clear()
                await self._changed.wait()

    async def address(self) -> str:
        """Where it listens, as it says itself."""
        address: str = (await self.event("listening"))["address"]
        return address

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        assert self._process.returncode is None, f"ended before it was killed:\n{self.text}"
        self.send(signal.SIGKILL)
        assert await self.ended() == -signal.SIGKILL

    async def kill_after(self, seconds: float) -> None:
        """``kill -9`` at an instant that nothing else decides."""
        await asyncio.sleep(seconds)
        await self.kill()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that shows outside of the process only, and tells nobody."""
        async with asyncio.timeout(START_SECONDS):
            while not condition():
                assert self._process.returncode is None, f"ended:\n{self.text}"
                await asyncio.sleep(0)

    async def ended(self, seconds: float = END_SECONDS) -> int:
        """The exit code, once the process ended and everything it said was read."""
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
            await self._reader
        return code

    async def clean_up(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.send(signal.SIGKILL)
        await self._process.wait()
        await self._reader

    @property
    def text(self) -> str:
        """The last that it said."""
        return "\n".join(self.lines)

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            line = raw.decode(errors="replace").rstrip()
            self.lines.append(line)
            if '"event": "call"' not in line:
                with contextlib.suppress(ValueError):
                    self.events.append(json.loads(line))
            self._changed.set()
        self._silent = True
        self._changed.set()


class Processes:
    """Starts processes and knows them all, so that none outlives its test."""

    def __init__(self) -> None:
        self._all: list[Process] = []

    async def start(self, *arguments: str, **settings: object) -> Process:
        """``python ARGUMENTS`` with ``settings`` as ``CUSTOMER_OPS_<NAME>`` and no other setting of ours."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMER_OPS_")}
        environment |= {f"CUSTOMER_OPS_{name.upper()}": str(value) for name, value in settings.items()}
        process = Process(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                limit=1 << 20,
            )
        )
        self._all.append(process)
        return process

    async def service(self, name: str, data_dir: Path, **settings: object) -> Process:
        """``python -m services.NAME`` on a free port, with its data in a folder."""
        return await self.start(
            "-m", f"services.{name}", **{"listen": "127.0.0.1:0", "data_dir": data_dir, "grace_seconds": 5, **settings}
        )

    async def clean_up(self) -> None:
        for process in self._all:
            await process.clean_up()
            # Shown by pytest where the test failed.
            sys.stderr.write(f"--- process {process.pid}\n{process.text}\n")


def channel_to(address: str) -> grpc.aio.Channel:
    """A channel that shares nothing with others, back-off after an earlier process at the address included."""
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


async def until_health(channel: grpc.aio.Channel, wanted: int = health_pb2.HealthCheckResponse.SERVING) -> None:
    """Waits until the server says that it is in the wanted state."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            try:
                async for answer in watch:
                    if answer.status == wanted:
                        return
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            finally:
                watch.cancel()
