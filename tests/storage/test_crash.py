"""Killed under load: every acknowledged write is there, and the state is what the ledger tells; on every engine."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys

import pytest

from services.storage.ledger import fold
from tests.storage.conftest import Opener, accounts, add_account, entries, request, verified

ROUNDS = 3


def kill_under_load(url: str, run: str, after: int) -> set[str]:
    """Start a process of writers, kill it after so many acknowledgements, and return all that it gave."""
    command = [sys.executable, "-m", "tests.storage.writer_process", url, run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = {line.strip() for line in itertools.islice(process.stdout, after)}
        process.kill()
        # What it had said before it died, but for a line cut in the middle.
        acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
    assert process.returncode == -signal.SIGKILL
    return acknowledged


@pytest.mark.slow
async def test_what_was_acknowledged_survives_kill_9(opener: Opener) -> None:
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        # At another point of its work each time, always under load.
        acknowledged |= await asyncio.to_thread(kill_under_load, opener.url, f"run{number}", 150 + 37 * number)
        database = await opener()
        stored = await accounts(database)
        assert acknowledged <= set(stored)
        result = await verified(database)
        assert (result.ok, result.checked) == (True, len(stored))
        told = {subject.removeprefix("account/"): values for subject, values in fold(await entries(database)).items()}
        assert told == {name: {"balance": str(balance)} for name, balance in stored.items()}
        await database.close()
    assert len(acknowledged) >= ROUNDS * 150
    assert (await (await opener()).write(request(), add_account("after"))).response
