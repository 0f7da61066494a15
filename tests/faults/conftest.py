"""Fixtures of the tests that end processes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.faults.processes import Processes


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    """Starts processes; whatever still runs at the end of the test is killed, by its id."""
    started = Processes()
    try:
        yield started
    finally:
        await started.clean_up()
