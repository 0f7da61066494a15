"""The embedded stack as people start it: `customer-ops up` as a process of its own, on a free port and a fresh folder."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer import testing

from customer_ops.cli import app

# For each command typer builds all commands anew, which takes ten times as long as the command itself.
testing._get_command = functools.cache(typer.main.get_command)

READY = re.compile(r"Customer Ops answers at (\S+) ")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error_lines(self) -> list[str]:
        return self.err.splitlines()


Command = Callable[..., Ended]


def environment() -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CUSTOMER_OPS_")}
    return kept | {"COLUMNS": "100", "PYTHONUNBUFFERED": "1"}


@contextmanager
def started(*arguments: str, data: Path, variables: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """`customer-ops up` on a free port; ended by SIGTERM where the block did not end it."""
    command = [sys.executable, "-m", "customer_ops", "up", "--listen", "127.0.0.1:0", "--data", str(data), *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=environment() | dict(variables or {}),
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)


def address_of(process: subprocess.Popen[str]) -> str:
    """Waits until the stack says where it answers."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = READY.match(line)
    assert found, line
    return found[1]


def run_command(address: str, *arguments: str, stdin: str | None = None) -> Ended:
    """A command in this process, against an address."""
    # No letter may be lost on the way: the widths of the tests are those of a wide terminal.
    environment = {"CUSTOMER_OPS_ADDRESS": address, "CUSTOMER_OPS_ACTOR": None, "COLUMNS": "100", "NO_COLOR": "1"}
    result = testing.CliRunner(env=environment).invoke(app, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running stack that the commands of all tests share; each test uses customers of its own."""
    with started(data=tmp_path_factory.mktemp("stack")) as process:
        yield address_of(process)


@pytest.fixture
def command(stack: str) -> Command:
    """Runs a command against the shared stack."""
    return lambda *arguments, **options: run_command(stack, *arguments, **options)
