"""The gateway in front of four services on PostgreSQL, whose writers do not wait for one another as SQLite's do."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from customer_ops.embedded import DEFINITIONS
from gateway.contract import SERVICES
from services.runtime.testing import running_service
from tests.gateway.conftest import gateway_at
from tests.gateway.test_watch import begin, handle, listed, route
from tests.gateway.watching import CAUGHT_UP, ENTRY, Watcher, caught_up
from tests.support_pg import PostgresServer


async def test_what_many_write_at_once_is_watched_without_loss_in_order(postgres: PostgresServer, tmp_path):
    async with AsyncExitStack() as closers:
        targets = {}
        for definition in DEFINITIONS:
            url = await closers.enter_async_context(postgres.database())
            running = await closers.enter_async_context(
                running_service(definition, database_url=url, data_dir=tmp_path)
            )
            targets[definition.name] = running.address
        front = await closers.enter_async_context(gateway_at(targets))
        await handle(front.channel, "c-first")
        watcher = Watcher(front.channel)
        await watcher.until(CAUGHT_UP)

        async def write(customer: str) -> None:
            await handle(front.channel, customer)
            await asyncio.gather(begin(front.channel, customer), *[route(front.channel, customer) for _ in range(4)])

        await asyncio.gather(*[write(f"c-{number}") for number in range(20)])
        everything = await listed(front.channel)
        seen = await watcher.until_entries(len(everything))
        assert sorted(seen) == sorted(everything)
        for service in SERVICES:
            numbers = [number for name, number in seen if name == service]
            assert numbers == list(range(1, len(numbers) + 1)), service
        assert len({name for name, _ in seen}) == 3  # nobody wrote to success
        # Whoever comes late, and whoever goes on from the middle, gets the same.
        assert (await caught_up(front.channel)).entries == everything
        half = watcher.messages[: len(watcher.messages) // 2]
        before = [(m.event.service, m.event.entry.sequence) for m in half if m.kind == ENTRY]
        again = await caught_up(front.channel, from_position=half[-1].position)
        assert sorted(before + again.entries) == sorted(everything)
        watcher.cancel()
