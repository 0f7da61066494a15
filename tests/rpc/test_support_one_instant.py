"""What happens at one tick of the clock keeps the order in which it was recorded, on every engine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.rpc.client import Clock
from tests.rpc.support_desk import P1, clock_state, desk_at, event_name, state


class StoppedClock(Clock):
    """Moves when it is told to, and only then."""

    def __call__(self):  # type: ignore[no-untyped-def]
        return self.now


LIFE = ["opened", "first_response", "paused", "resumed", "resolved", "reopened", "resolved", "reopened", "paused"]


@pytest.mark.parametrize("ticket", range(3))
async def test_a_life_within_one_instant_is_told_in_its_order(database_url: str, ticket: int) -> None:
    # Three tickets: ids are random, so an order that went by them would hold by chance once.
    async with desk_at(database_url, clock=StoppedClock()) as desk:
        ticket_id = await desk.open(P1)
        await desk.answer(ticket_id)
        await desk.waits(ticket_id)
        await desk.resume(ticket_id)
        await desk.resolve(ticket_id)
        assert (await desk.says(ticket_id, "رجعت المشكلة")).ticket.state == state("IN_PROGRESS")
        await desk.resolve(ticket_id)
        assert (await desk.says(ticket_id, "ما زالت")).ticket.state == state("IN_PROGRESS")
        assert (await desk.waits(ticket_id)).ticket.state == state("WAITING")
        told = [event_name(event) for event in await desk.events(ticket_id)]
        assert [name for name in told if name != "customer_message"] == LIFE
        assert {name: clock_state(clock) for name, clock in (await desk.clocks(ticket_id)).items()} == {
            "first_response": "met",
            "next_response": "running",
            "resolution": "paused",
        }
        desk.passes(hours=1)
        assert (await desk.clocks(ticket_id))["next_response"].elapsed.ToTimedelta() == timedelta(hours=1)
