"""A process that writes without end and says what was acknowledged, one name a line, until it is killed."""

from __future__ import annotations

import asyncio
import itertools
import sys
from datetime import UTC, datetime

from services.storage.database import DatabaseSettings, open_database
from tests.storage.conftest import add_account, request
from tests.storage.sample import SCHEMA

WRITERS = 16


async def main(url: str, run: str) -> None:
    database = await open_database(DatabaseSettings(url=url), SCHEMA, clock=lambda: datetime.now(UTC))

    async def writer(number: int) -> None:
        for turn in itertools.count():
            name = f"{run}-{number}-{turn}"
            await database.write(request(), add_account(name, turn))
            sys.stdout.write(name + "\n")
            sys.stdout.flush()

    await asyncio.gather(*map(writer, range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
