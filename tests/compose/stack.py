"""The containers of docker-compose.yml under a project name of their own, every command bounded in time."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "dealix-customer-ops:test"
SERVICES = ("support", "incidents", "onboarding", "success")


class CommandError(Exception):
    """A command of the engine failed or took too long."""


async def run(*command: str, seconds: float = 60, env: dict[str, str] | None = None) -> str:
    """What a command prints. Raises ``CommandError`` with the end of what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        raise CommandError(f"{' '.join(command)}: not done in {seconds:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace")
    if process.returncode:
        raise CommandError(f"{' '.join(command)}: exit code {process.returncode}\n{text[-3000:]}")
    return text


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """The stack, brought up by ``up`` and taken away, data and all, by ``down``."""

    def __init__(self) -> None:
        self.project = f"customer-ops-test-{os.getpid()}"
        self.address = f"127.0.0.1:{free_port()}"
        self._compose: tuple[str, ...] = ()
        self._env = {
            "CUSTOMER_OPS_PORT": self.address.rpartition(":")[2],
            # Young connections end soon, so that replicas are found within the test's time.
            "CUSTOMER_OPS_CONNECTION_AGE_SECONDS": "4",
        }

    async def compose(self, *arguments: str, seconds: float = 120) -> str:
        """A command of Compose on the project."""
        if not self._compose:
            try:
                await run("docker", "compose", "version", seconds=20)
                self._compose = ("docker", "compose")
            except CommandError:
                self._compose = ("docker-compose",)
        files = ("--env-file", ".env.example", "-f", "docker-compose.yml", "-f", "tests/compose/override.yml")
        command = (*self._compose, *files, "-p", self.project, *arguments)
        return await run(*command, seconds=seconds, env=self._env)

    async def build(self) -> None:
        """Makes the image, once for all that use it."""
        await self.compose("build", "gateway", seconds=900)

    async def up(self, **replicas: int) -> None:
        """Starts what does not run, with so many replicas, and waits until all of it is healthy."""
        scale = [part for name, count in replicas.items() for part in ("--scale", f"{name}={count}")]
        await self.compose("up", "-d", "--no-recreate", *scale, seconds=180)
        await self.healthy()

    async def down(self) -> None:
        """Takes the containers, the networks, the volumes and the image away."""
        await self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", seconds=180)
        await run("docker", "image", "rm", "--force", IMAGE, seconds=60)

    async def containers(self, service: str) -> list[str]:
        """The running containers of a service."""
        label = "label=com.docker.compose"
        output = await run(
            *("docker", "ps", "--quiet", "--no-trunc"),
            *("--filter", f"{label}.project={self.project}", "--filter", f"{label}.service={service}"),
        )
        return output.split()

    async def inspect(self, container: str) -> Any:
        """What the engine knows about a container."""
        return json.loads(await run("docker", "inspect", container))[0]

    async def healthy(self, *, within: float = 120) -> None:
        """Waits until every running container that has a health check passes it."""
        end = time.monotonic() + within
        while True:
            names = ("gateway", *SERVICES, "postgres")
            ids = [found for name in names for found in (await self.containers(name) or [""])]
            states = [(await self.inspect(found))["State"]["Health"]["Status"] if found else "absent" for found in ids]
            if all(state == "healthy" for state in states):
                return
            if time.monotonic() > end:
                raise CommandError(f"not healthy in {within:g} s: {', '.join(states)}")
            await asyncio.sleep(0.5)

    async def writes_answered(self, container: str) -> int:
        """How many writes a replica has logged as answered with OK."""
        count = 0
        for line in (await run("docker", "logs", container)).splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            count += entry.get("event") == "call" and entry.get("code") == "OK"
        return count

    async def faults(self) -> Counter[str]:
        """The faults of ours that the processes logged, by service and method; none are expected."""
        found: Counter[str] = Counter()
        for service in ("gateway", *SERVICES):
            for container in await self.containers(service):
                for line in (await run("docker", "logs", container)).splitlines():
                    if '"level": "error"' in line or line.startswith("Traceback"):
                        found[f"{service}: {line[:300]}"] += 1
        return found

    async def logs(self) -> str:
        """The end of what everything logged besides calls that went well, for a run that failed."""
        lines = (await self.compose("logs", "--no-color", "--tail", "300")).splitlines()
        return "\n".join([line for line in lines if '"code": "OK"' not in line][-80:])


def say(text: str) -> None:
    """One line of the play, at once."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stdout.flush()
