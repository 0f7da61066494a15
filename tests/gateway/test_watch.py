"""``WatchEvents``: the four ledgers as one stream, in order, without loss and without repeats."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.gateway.v1 import gateway_service_pb2_grpc as rpc
from dealix.incidents.v1 import ledger_service_pb2 as inc_ledger
from dealix.onboarding.v1 import onboarding_service_pb2 as onb
from dealix.onboarding.v1 import onboarding_service_pb2_grpc as onb_rpc
from dealix.support.v1 import support_service_pb2 as sup
from dealix.support.v1 import support_service_pb2_grpc as sup_rpc

from customer_ops.embedded import DEFINITIONS, embedded_settings, running_stack
from gateway.contract import SERVICES
from services.runtime import paging
from services.runtime.testing import running_service
from tests.gateway.conftest import backend, gateway_at
from tests.gateway.watching import (
    BACK,
    CAUGHT_UP,
    DOWN,
    ENTRY,
    OPENED,
    Watcher,
    caught_up,
    long_ago,
    made_up,
)
from tests.rpc.client import PERSON, new_request_id, refused

LEAK = "ظهرت بيانات عميل آخر في حسابنا، تسريب بيانات"


async def handle(channel: Any, customer: str = "c-1") -> None:
    """Writes to support and to incidents: a ticket, an incident, a freeze."""
    await rpc.GatewayServiceStub(channel).HandleTicket(
        pb.HandleTicketRequest(request_id=new_request_id(), actor=PERSON, customer_id=customer, body=LEAK)
    )


async def route(channel: Any, customer: str = "c-1") -> str:
    """Writes to support; the ticket's id."""
    answer = await sup_rpc.SupportServiceStub(channel).RouteTicket(
        sup.RouteTicketRequest(request_id=new_request_id(), actor=PERSON, customer_id=customer, subject="x", body="y")
    )
    return answer.ticket.ticket_id


async def begin(channel: Any, customer: str) -> None:
    """Writes to onboarding."""
    await onb_rpc.OnboardingServiceStub(channel).CreateChecklist(
        onb.CreateChecklistRequest(
            request_id=new_request_id(), actor=PERSON, customer_id=customer, bundle_id="growth_starter"
        )
    )


async def listed(channel: Any, **fields: Any) -> list[tuple[str, int]]:
    """The ledgers as ListLedger gives them, to the end."""
    found, token = [], ""
    while True:
        page = await rpc.GatewayServiceStub(channel).ListLedger(pb.ListLedgerRequest(page_token=token, **fields))
        found += [(line.service, line.entry.sequence) for line in page.entries]
        token = page.next_page_token
        if not token:
            return found


async def test_what_is_there_comes_in_order_and_then_what_is_added(front):
    for number in range(3):
        await handle(front.channel, f"c-{number}")
        await begin(front.channel, f"c-{number}")
    watcher = Watcher(front.channel)
    await watcher.until(CAUGHT_UP)
    assert watcher.messages[0].kind == OPENED
    there = await listed(front.channel)
    assert {service for service, _ in there} == {"support", "incidents", "onboarding"}
    assert watcher.entries == there
    for number in range(3, 6):
        await begin(front.channel, f"c-{number}")
        await handle(front.channel, f"c-{number}")
    everything = await listed(front.channel)
    assert len(everything) > len(there)
    assert await watcher.until_entries(len(everything)) == everything
    assert [m.kind for m in watcher.messages].count(CAUGHT_UP) == 1
    for service in SERVICES:
        numbers = [number for name, number in watcher.entries if name == service]
        assert numbers == list(range(1, len(numbers) + 1))
    watcher.cancel()


async def test_an_entry_comes_as_the_ledger_has_it(front):
    await route(front.channel)
    watcher = await caught_up(front.channel)
    page = await rpc.GatewayServiceStub(front.channel).ListLedger(pb.ListLedgerRequest())
    assert [m.event for m in watcher.messages if m.kind == ENTRY] == list(page.entries)


async def test_after_whichever_message_it_is_taken_up_again_the_rest_follows(front):
    await handle(front.channel)
    await begin(front.channel, "c-1")
    first = await caught_up(front.channel)
    sent = 0
    for message in first.messages:
        sent += message.kind == ENTRY
        again = await caught_up(front.channel, from_position=message.position)
        assert again.entries == first.entries[sent:]
        assert again.messages[0].position == message.position


async def test_another_gateway_goes_on_where_one_stopped(front, tmp_path):
    await handle(front.channel)
    first = Watcher(front.channel)
    await first.until_entries(2)
    first.cancel()
    targets = {name: running.address for name, running in front.services.items()}
    async with gateway_at(targets, front.services) as other:
        second = await caught_up(other.channel, from_position=first.position)
    assert first.entries + second.entries == await listed(front.channel)


async def test_filters_hold_for_what_is_there_and_for_what_is_added(front):
    ticket = await route(front.channel)
    await handle(front.channel)
    filters: list[tuple[dict[str, Any], Any]] = [
        ({"subject": f"ticket/{ticket}"}, lambda e: e.entry.subject == f"ticket/{ticket}"),
        ({"action": "ticket.opened"}, lambda e: e.entry.action == "ticket.opened"),
        ({"services": ["incidents"]}, lambda e: e.service == "incidents"),
        (
            {"services": ["support", "success"], "action": "ticket.opened"},
            lambda e: e.service == "support" and e.entry.action == "ticket.opened",
        ),
    ]
    watchers = [Watcher(front.channel, **fields) for fields, _ in filters]
    for watcher in watchers:
        await watcher.until(CAUGHT_UP)
    await handle(front.channel, "c-2")
    page = await rpc.GatewayServiceStub(front.channel).ListLedger(pb.ListLedgerRequest(page_size=200))
    for watcher, (fields, holds) in zip(watchers, filters, strict=True):
        wanted = [(e.service, e.entry.sequence) for e in page.entries if holds(e)]
        assert wanted
        assert await watcher.until_entries(len(wanted)) == wanted, fields
        watcher.cancel()
    # A position goes on with the filters that it was given with, and with no others.
    again = await caught_up(front.channel, from_position=watchers[1].position, action="ticket.opened")
    assert again.entries == []
    for other in ({}, {"action": "ticket.closed"}, {"action": "ticket.opened", "services": ["support"]}):
        refusal = await refused(Watcher(front.channel, from_position=watchers[1].position, **other).read())
        assert refusal.fields == {"from_position": "POSITION_OF_OTHER_WATCH"}


async def test_only_new_begins_with_what_is_added(front):
    await handle(front.channel)
    watcher = Watcher(front.channel, only_new=True)
    await watcher.until(CAUGHT_UP)
    assert [m.kind for m in watcher.messages] == [OPENED, CAUGHT_UP]
    before = await listed(front.channel)
    await begin(front.channel, "c-new")
    await route(front.channel)
    added = [one for one in await listed(front.channel) if one not in before]
    assert await watcher.until_entries(len(added)) == added
    # Whoever was cut off after the first message has lost nothing.
    again = await caught_up(front.channel, from_position=watcher.messages[0].position)
    assert again.entries == added
    watcher.cancel()


FORGED = {
    "no position": "abc",
    "not base64": "A" * 33,
    "of a list": paging.encode_token(paging.query_key("/dealix.gateway.v1.GatewayService/ListLedger", {}), (0,) * 4),
}


@pytest.mark.parametrize("what", FORGED)
async def test_a_position_that_no_watch_gave_is_refused(what):
    async with gateway_at({}) as front:
        refusal = await refused(Watcher(front.channel, from_position=FORGED[what]).read())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
        assert set(refusal.fields) == {"from_position"}


def position_of(*sequences: int) -> str:
    """A position that somebody made up."""
    filters: dict[str, Any] = {"subject": "", "action": "", "services": list(SERVICES)}
    return paging.encode_token(paging.query_key("/dealix.gateway.v1.GatewayService/WatchEvents", filters), sequences)


async def test_numbers_that_no_ledger_has_are_refused(front):
    await route(front.channel)
    for position in (position_of(-1, 0, 0, 0), position_of(0, 0, 0)):
        refusal = await refused(Watcher(front.channel, from_position=position).read())
        assert refusal.fields == {"from_position": "POSITION_INVALID"}
    # Whether a ledger goes so far is known once it was asked.
    for position in (position_of(3, 0, 0, 0), position_of(0, 0, 0, 2**63 - 1)):
        watcher = Watcher(front.channel, from_position=position)
        assert (await watcher.read()).kind == OPENED
        refusal = await refused(watcher.rest())
        assert refusal.fields == {"from_position": "POSITION_BEYOND_END"}
    assert (await caught_up(front.channel, from_position=position_of(2, 0, 0, 0))).entries == []


async def test_a_position_says_where_to_begin_and_only_new_may_not_say_it_too():
    async with gateway_at({}) as front:
        refusal = await refused(Watcher(front.channel, from_position=position_of(0, 0, 0, 0), only_new=True).read())
        assert refusal.fields == {"from_position": "POSITION_BESIDE_ONLY_NEW"}


async def test_every_faulty_field_is_named_at_once_before_anything_is_said():
    async with gateway_at({}) as front:
        watcher = Watcher(
            front.channel, from_position="?", subject="a b", action="Ticket", services=["support", "nobody", "support"]
        )
        refusal = await refused(watcher.read())
        assert set(refusal.fields) == {"from_position", "subject", "action", "services", "services[1]"}
        assert watcher.messages == []


# --- services that go away --------------------------------------------------------------------------------------------


async def test_a_service_that_is_away_holds_up_nobody_and_nothing_of_it_is_lost(tmp_path):
    async with AsyncExitStack() as closers:
        running = {
            definition.name: await closers.enter_async_context(running_service(definition, data_dir=tmp_path))
            for definition in DEFINITIONS
            if definition.name != "support"
        }
        (support,) = (definition for definition in DEFINITIONS if definition.name == "support")
        async with running_service(support, data_dir=tmp_path) as first:
            address = first.address
            targets = {"support": address, **{name: one.address for name, one in running.items()}}
            front = await closers.enter_async_context(gateway_at(targets))
            await route(front.channel)
            watcher = Watcher(front.channel)
            await watcher.until(CAUGHT_UP)
        down = await watcher.until(DOWN)
        assert (down.service, down.reason) == ("support", "UPSTREAM_UNAVAILABLE")
        # The others go on, for who watches and for who comes now.
        await begin(front.channel, "c-1")
        assert (await watcher.until(ENTRY)).event.service == "onboarding"
        late = await caught_up(front.channel)
        assert [m.kind for m in late.messages] == [OPENED, DOWN, ENTRY, CAUGHT_UP]
        async with running_service(support, data_dir=tmp_path, listen=address) as second:
            await route(second.channel)
            back = await watcher.until(BACK)
            assert (back.service, back.reason) == ("support", "")
            everything = await listed(front.channel)
            assert sorted(await watcher.until_entries(len(everything))) == sorted(everything)
            # Whoever goes on from when it was away gets what was missing, too.
            again = await caught_up(front.channel, from_position=late.position)
            assert sorted(late.entries + again.entries) == sorted(everything)
            watcher.cancel()


async def test_where_nobody_is_there_it_says_so_and_goes_on_waiting():
    async with gateway_at({}) as front:
        watcher = await caught_up(front.channel)
        assert [m.kind for m in watcher.messages] == [OPENED, DOWN, DOWN, DOWN, DOWN, CAUGHT_UP]
        assert {m.service for m in watcher.messages if m.kind == DOWN} == set(SERVICES)


async def test_only_new_needs_to_know_where_new_begins(tmp_path):
    (support,) = (definition for definition in DEFINITIONS if definition.name == "support")
    async with (
        running_service(support, data_dir=tmp_path) as running,
        gateway_at({"support": running.address}) as front,
    ):
        refusal = await refused(Watcher(front.channel, only_new=True).read())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE")
        assert refusal.metadata["service"] in SERVICES
        watcher = Watcher(front.channel, only_new=True, services=["support"])
        await watcher.until(CAUGHT_UP)
        watcher.cancel()


# --- ledgers that are made up -----------------------------------------------------------------------------------------


async def test_what_was_recorded_earlier_elsewhere_goes_first_although_it_is_seen_later():
    now = datetime.now(UTC)
    async with made_up() as (ledgers, front):
        watcher = Watcher(front.channel)
        await watcher.until(CAUGHT_UP)
        ledgers.gates["incidents"] = asyncio.Event()
        await ledgers.until_asked("incidents", 1)  # This one waits at the gate.
        ledgers.add("support", now + timedelta(hours=1))
        await ledgers.until_asked("support", 3)
        ledgers.add("incidents", now + timedelta(minutes=59))
        ledgers.gates["incidents"].set()
        assert await watcher.until_entries(2) == [("incidents", 1), ("support", 1)]
        watcher.cancel()


async def test_a_service_that_hangs_counts_as_away_after_a_while():
    async with made_up() as (ledgers, front):
        ledgers.gates["incidents"] = asyncio.Event()
        ledgers.add("support", datetime.now(UTC))
        watcher = await caught_up(front.channel)
        assert [(m.kind, m.service, m.reason) for m in watcher.messages[1:]] == [
            (DOWN, "incidents", "UPSTREAM_TIMEOUT"),
            (ENTRY, "", ""),
            (CAUGHT_UP, "", ""),
        ]
        ledgers.gates["incidents"].set()


async def test_long_ledgers_come_whole_and_by_pages():
    async with made_up() as (ledgers, front):
        for number in range(1700):
            ledgers.add(SERVICES[number % 2], long_ago(number))
        for number in range(450):
            ledgers.add("success", long_ago(number * 2), subject="plan/c-1")
        watcher = await caught_up(front.channel)
        assert len(watcher.entries) == 2150
        times = [m.event.entry.record_time.ToDatetime() for m in watcher.messages if m.kind == ENTRY]
        assert times == sorted(times)
        for service in SERVICES:
            numbers = [number for name, number in watcher.entries if name == service]
            assert numbers == list(range(1, len(ledgers.ledgers[service]) + 1))
        asked = dict(ledgers.asked)
        plans = await caught_up(front.channel, subject="plan/c-1")
        assert len(plans.entries) == 450
        # What does not match is not read by the gateway: the end is found by asking for single entries.
        assert ledgers.asked["support"] - asked["support"] < 30


async def test_more_at_once_than_one_look_sees_comes_whole():
    async with made_up() as (ledgers, front):
        for number in range(5):
            ledgers.add("support", long_ago(number))
        watcher = Watcher(front.channel)
        await watcher.until(CAUGHT_UP)
        for number in range(5, 700):
            ledgers.add("support", long_ago(number))
        assert await watcher.until_entries(700) == [("support", number) for number in range(1, 701)]
        watcher.cancel()


async def test_the_end_of_a_ledger_of_a_hundred_thousand_is_found_in_few_questions():
    async with made_up() as (ledgers, front):
        for number in range(101):
            ledgers.add("support", long_ago(number))
        ledgers.ledgers["support"] *= 1000
        for number, entry in enumerate(ledgers.ledgers["support"][-3:], 100_998):
            fresh = type(entry)()
            fresh.CopyFrom(entry)
            fresh.sequence = number
            ledgers.ledgers["support"][number - 1] = fresh
        watcher = Watcher(front.channel, only_new=True, services=["support"])
        await watcher.until(CAUGHT_UP)
        assert ledgers.asked["support"] < 60
        ledgers.ledgers["support"].append(type(fresh)(sequence=101_001, record_time=fresh.record_time))
        assert await watcher.until_entries(1) == [("support", 101_001)]
        watcher.cancel()


async def test_a_page_that_cannot_be_had_is_tried_again():
    async with made_up() as (ledgers, front):
        failed = []

        def fault(service: str, request: Any) -> None:
            if request.after_sequence == 200 and request.page_size > 1 and not failed:
                failed.append(service)
                raise RuntimeError("for once")

        ledgers.fault = fault
        for number in range(1500):
            ledgers.add("onboarding", long_ago(number))
        watcher = Watcher(front.channel)
        assert (await watcher.until(DOWN)).reason == "UPSTREAM_INVALID"
        await watcher.until(BACK)
        assert await watcher.until_entries(1500) == [("onboarding", number) for number in range(1, 1501)]
        watcher.cancel()


async def test_a_ledger_that_was_restored_from_an_older_copy_is_not_waited_for():
    async with made_up() as (ledgers, front):
        for number in range(5):
            ledgers.add("success", long_ago(number))
        watcher = Watcher(front.channel)
        await watcher.until(CAUGHT_UP)

        def away(service: str, request: Any) -> None:
            if service == "success":
                raise RuntimeError("away")

        ledgers.fault = away
        await watcher.until(DOWN, "success")
        del ledgers.ledgers["success"][3:]
        ledgers.fault = None
        refusal = await refused(watcher.rest())
        assert refusal.fields == {"from_position": "POSITION_BEYOND_END"}


async def test_a_breach_of_the_rule_is_counted_and_never_gets_through():
    async with made_up() as (ledgers, front):
        ledgers.add("support", long_ago(0))
        ledgers.live_send_allowed = True
        # Each message read is looked at for both flags.
        assert (await caught_up(front.channel)).entries == [("support", 1)]
        assert front.gateway.guard.breaches["support"] > 0


async def test_a_watch_of_a_ledger_that_breaks_the_rule_is_no_news_to_itself(front):
    real, looks = front.services["incidents"].channel, 0

    async def allows(path, payload, _):
        nonlocal looks
        answer = await real.unary_unary(path)(payload)
        if not path.endswith("ListLedger"):
            return answer
        looks += 1
        broken = inc_ledger.ListLedgerResponse.FromString(answer)
        broken.live_send_allowed = True
        return broken.SerializeToString()

    targets = {name: running.address for name, running in front.services.items()}
    async with backend(allows) as incidents, gateway_at({**targets, "incidents": incidents}) as broken:
        watcher = Watcher(broken.channel)
        message = await watcher.until(ENTRY)
        assert message.event.entry.action == "policy.breached"
        seen = looks
        while looks < seen + 8:
            await rpc.GatewayServiceStub(broken.channel).GetStatus(pb.GetStatusRequest())
        watcher.cancel()
    assert await listed(front.channel) == [("incidents", 1)]


async def test_ledgers_are_looked_at_while_somebody_watches_and_at_no_other_time():
    def looks() -> list[Any]:
        return [task for task in asyncio.all_tasks() if "_keep_looking" in str(task.get_coro())]

    async with made_up() as (ledgers, front):
        assert looks() == []
        watchers = [Watcher(front.channel), Watcher(front.channel, services=["support"])]
        for watcher in watchers:
            await watcher.until(CAUGHT_UP)
        assert len(looks()) == 4
        watchers[0].cancel()
        while len(looks()) > 1:
            await ledgers.until_asked("support", 1)
        watchers[1].cancel()
        while looks():
            await rpc.GatewayServiceStub(front.channel).GetStatus(pb.GetStatusRequest())
        assert sum(ledgers.asked.values()) > 0


# --- one process ------------------------------------------------------------------------------------------------------


async def test_the_embedded_stack_streams_and_ends_its_streams_when_it_ends(tmp_path):
    async with AsyncExitStack() as closers:
        stack = await closers.enter_async_context(
            running_stack(embedded_settings("127.0.0.1:0", tmp_path, log_level="error"))
        )
        async with grpc.aio.insecure_channel(stack.address) as channel:
            await handle(channel)
            watcher = Watcher(channel)
            await watcher.until(CAUGHT_UP)
            await begin(channel, "c-1")
            everything = await listed(channel)
            assert await watcher.until_entries(len(everything)) == everything
            stopping = asyncio.create_task(stack.server.stop())
            refusal = await refused(watcher.rest())
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
            await stopping
        await closers.aclose()
    # And takes it up again after a new start.
    async with (
        running_stack(embedded_settings("127.0.0.1:0", tmp_path, log_level="error")) as stack,
        grpc.aio.insecure_channel(stack.address) as channel,
    ):
        again = await caught_up(channel, from_position=watcher.messages[2].position)
        assert watcher.entries[:2] + again.entries == everything
