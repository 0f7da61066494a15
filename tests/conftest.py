"""Fixtures for every folder of tests."""

from __future__ import annotations

import functools
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from services.support import service
from tests.support_pg import PostgresServer, postgres_server


def pytest_sessionstart(session: pytest.Session) -> None:
    """SIGTERM ends the tests as Ctrl-C does: with everything cleaned up, so that no server outlives them.

    Ctrl-C ends them, and what they start, also where the shell that started them behind itself has SIGINT ignored.
    """

    def end(number: int, frame: object) -> None:
        # For whoever takes a Ctrl-C for his own: then the tests end after this one.
        session.shouldstop = "SIGTERM"
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def only_errors_are_logged() -> Iterator[None]:
    """A service in this process logs its errors only: a coloured line for each write costs more than most writes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def the_lexicon_is_read_once() -> Iterator[None]:
    """The support services of all tests share the lexicon, which a process reads once when it starts and never changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "load_linted", functools.cache(service.load_linted))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the whole session."""
    with postgres_server() as server:
        yield server


@pytest.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """A fresh PostgreSQL database."""
    async with postgres.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'database' / 'service.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Every engine in turn: an empty database of its own for the test."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url
