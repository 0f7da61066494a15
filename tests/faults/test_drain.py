"""How processes end and how they refuse to begin: SIGTERM, exit codes, migrations as a command of their own."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import grpc
import pytest
from dealix.support.v1 import support_service_pb2 as pb
from dealix.support.v1 import support_service_pb2_grpc as pb_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from customer_ops import exits
from tests.faults.journal import GONE, PERSON, Journal, Load, check, kill_under_load
from tests.faults.processes import Processes, channel_to, until_health
from tests.faults.workloads import WORKLOADS
from tests.ports import free_port
from tests.rpc.client import new_request_id, refused

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED = 1, 2, 3


def route(customer_id: str = "c-1") -> pb.RouteTicketRequest:
    return pb.RouteTicketRequest(
        request_id=new_request_id(), actor=PERSON, customer_id=customer_id, subject="توقف", body="النظام متوقف"
    )


@asynccontextmanager
async def writers_wait(url: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Holds the row that writers take turns at. Gives a function that waits until somebody waits for it."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT * FROM ledger_head FOR UPDATE")

            async def until_one_waits() -> None:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"
                async with asyncio.timeout(20):
                    while not await connection.fetchval(waiting, url.rpartition("/")[2]):
                        pass

            yield until_one_waits
    finally:
        await connection.close()


async def test_running_calls_finish_and_new_ones_are_refused(
    processes: Processes, tmp_path: Path, postgres_url: str
) -> None:
    process = await processes.service("support", tmp_path, database_url=postgres_url, grace_seconds=20)
    address = await process.address()
    async with channel_to(address) as channel, channel_to(address) as watching:
        await until_health(channel)
        stub = pb_grpc.SupportServiceStub(channel)
        health = health_pb2_grpc.HealthStub(watching).Watch(health_pb2.HealthCheckRequest())
        assert (await health.read()).status == SERVING
        async with writers_wait(postgres_url) as until_one_waits:
            running = asyncio.ensure_future(stub.RouteTicket(route(), timeout=20))
            await until_one_waits()
            process.send(signal.SIGTERM)
            assert (await health.read()).status == NOT_SERVING
            async with asyncio.timeout(10):
                refusal = None
                while refusal is None:
                    try:
                        await stub.ListPriorities(pb.ListPrioritiesRequest(), timeout=20)
                    except grpc.aio.AioRpcError as error:
                        refusal = error if error.code() is not grpc.StatusCode.CANCELLED else None
            assert refusal.code() is grpc.StatusCode.UNAVAILABLE
            assert not running.done()
        routed = await running
        health.cancel()
        assert await process.ended() == 0

    # And what was acknowledged at the last moment is kept.
    process = await processes.service("support", tmp_path, database_url=postgres_url)
    async with channel_to(await process.address()) as channel:
        await until_health(channel)
        found = await pb_grpc.SupportServiceStub(channel).GetTicket(
            pb.GetTicketRequest(ticket_id=routed.ticket.ticket_id), timeout=20
        )
        assert found.ticket == routed.ticket


async def test_a_call_that_does_not_finish_is_ended_with_the_grace_time(
    processes: Processes, tmp_path: Path, postgres_url: str
) -> None:
    process = await processes.service("support", tmp_path, database_url=postgres_url, grace_seconds=0.5)
    async with channel_to(await process.address()) as channel:
        await until_health(channel)
        async with writers_wait(postgres_url) as until_one_waits:
            running = asyncio.ensure_future(pb_grpc.SupportServiceStub(channel).RouteTicket(route(), timeout=20))
            await until_one_waits()
            process.send(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await running
            assert ended.value.code() in GONE
            # Although whatever it waits for is still kept from it.
            assert await process.ended(8) == 0


async def test_told_to_end_under_load_it_answers_whatever_it_does(processes: Processes, tmp_path: Path) -> None:
    """Unlike a kill: a write that was not answered did not happen."""
    workload = WORKLOADS["support"]
    journal = Journal(random.Random("end under load"))
    process = await processes.service("support", tmp_path, grace_seconds=20)

    async def end() -> None:
        process.send(signal.SIGTERM)
        assert await process.ended() == 0

    async with channel_to(await process.address()) as channel:
        await until_health(channel)
        (written,) = await kill_under_load([Load(workload, journal, workload.caller(channel))], end)
    process = await processes.service("support", tmp_path)
    async with channel_to(await process.address()) as channel:
        await until_health(channel)
        await check(workload, journal, workload.caller(channel), written)
    assert journal.unanswered > 0
    assert journal.found_done == 0


async def test_while_draining_health_says_so_and_calls_are_still_answered(processes: Processes, tmp_path: Path) -> None:
    process = await processes.service("support", tmp_path, drain_seconds=3)
    async with channel_to(await process.address()) as channel:
        await until_health(channel)
        process.send(signal.SIGTERM)
        await until_health(channel, NOT_SERVING)
        await pb_grpc.SupportServiceStub(channel).RouteTicket(route(), timeout=20)
        health = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="dealix.support.v1.SupportService"), timeout=20
        )
        assert health.status == NOT_SERVING
        assert await process.ended() == 0


def _http2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _header(name: str, value: str) -> bytes:
    # Literal, without indexing, with a new name, not Huffman-coded.
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _watch_and_never_read(service: str, streams: int) -> bytes:
    """The bytes of a client that watches health on many streams and gives the server no room for any answer."""
    headers = b"".join(
        _header(name, value)
        for name, value in (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Watch"),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        )
    )
    request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    message = b"\0" + len(request).to_bytes(4, "big") + request
    initial_window_size = (4).to_bytes(2, "big") + (0).to_bytes(4, "big")
    # The second acknowledges the server's settings, so that it has no cause to close the connection.
    settings = _http2_frame(4, 0, 0, initial_window_size) + _http2_frame(4, 1, 0, b"")
    frames = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings]
    for stream in range(1, 2 * streams, 2):
        frames.append(_http2_frame(1, 4, stream, headers))
        frames.append(_http2_frame(0, 1, stream, message))
    return b"".join(frames)


async def test_a_watcher_that_never_reads_delays_nobody(processes: Processes, tmp_path: Path) -> None:
    process = await processes.service("support", tmp_path, grace_seconds=1)
    address = await process.address()
    host, _, port = address.rpartition(":")
    async with channel_to(address) as channel:
        await until_health(channel)
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(_watch_and_never_read("", 4))
            await writer.drain()
            # Everything that it sends is answered by settings at least; the streams came before this ping.
            writer.write(_http2_frame(6, 0, 0, b"12345678"))
            await reader.readuntil(_http2_frame(6, 1, 0, b"12345678"))
            health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await health.read()).status == SERVING
            process.send(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert (await health.read()).status == NOT_SERVING
            health.cancel()
            assert await process.ended(10) == 0
        finally:
            writer.close()


async def test_watchers_do_not_use_up_the_grace_time(processes: Processes, tmp_path: Path) -> None:
    """Whoever watches health (the gateway does, all the time) has no call at work that somebody waits for."""
    process = await processes.service("support", tmp_path, grace_seconds=60)
    async with channel_to(await process.address()) as channel:
        await until_health(channel)
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await health.read()).status == SERVING
        process.send(signal.SIGTERM)
        assert await process.ended(20) == 0
        health.cancel()


async def test_one_process_at_a_time_has_the_data(processes: Processes, tmp_path: Path) -> None:
    first = await processes.service("support", tmp_path)
    address = await first.address()
    second = await processes.service("support", tmp_path)
    assert await second.ended() == EXIT_REFUSED
    said = await second.event("refused")
    assert said["reason"] == "STORAGE_REFUSED"
    assert f"pid {first.pid}" in said["detail"]
    assert "support.db" in said["detail"]
    # The first is none the worse for it, and its data are free again as soon as it is gone, however it went.
    async with channel_to(address) as channel:
        await until_health(channel)
        await pb_grpc.SupportServiceStub(channel).RouteTicket(route(), timeout=20)
    await first.kill()
    third = await processes.service("support", tmp_path)
    async with channel_to(await third.address()) as channel:
        await until_health(channel)


async def test_a_service_does_not_take_the_data_of_another(processes: Processes, tmp_path: Path) -> None:
    process = await processes.service("success", tmp_path)
    await process.address()
    await process.kill()
    wrong = await processes.service("support", tmp_path, database_url=f"sqlite:///{tmp_path / 'success.db'}")
    assert await wrong.ended() == EXIT_REFUSED
    assert "belongs to success" in (await wrong.event("refused"))["detail"]


async def test_an_address_that_is_taken_ends_with_1(processes: Processes, tmp_path: Path) -> None:
    first = await processes.service("support", tmp_path)
    address = await first.address()
    second = await processes.service("success", tmp_path, listen=address)
    assert await second.ended() == EXIT_FAILED
    assert address in (await second.event("failed"))["detail"]


@pytest.mark.parametrize("name", WORKLOADS)
async def test_a_service_begins_after_its_migrations_and_ends_when_told_to(
    name: str, processes: Processes, tmp_path: Path
) -> None:
    """As in the scaled set-up: migrations are a command of their own, and SIGTERM is the usual end."""
    migrating = await processes.start("-m", f"services.{name}", "migrate", data_dir=tmp_path)
    assert await migrating.ended() == 0
    assert (await migrating.event("migrated"))["revision"]
    serving = await processes.service(name, tmp_path, auto_migrate="false")
    async with channel_to(await serving.address()) as channel:
        await until_health(channel)
        serving.send(signal.SIGTERM)
        assert await serving.ended() == 0
    assert [event["event"] for event in serving.events] == ["listening", "stopping", "stopped"]


async def test_without_a_schema_it_stays_not_serving(processes: Processes, tmp_path: Path) -> None:
    process = await processes.service("support", tmp_path, auto_migrate="false")
    async with channel_to(await process.address()) as channel:
        stub = pb_grpc.SupportServiceStub(channel)
        for call in (
            lambda: stub.RouteTicket(route(), timeout=20),
            lambda: stub.ListTickets(pb.ListTicketsRequest(), timeout=20),
        ):
            refusal = await refused(call())
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        # What needs no state is answered.
        assert len((await stub.ListPriorities(pb.ListPrioritiesRequest(), timeout=20)).priorities) == 4
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert health.status == NOT_SERVING
    process.send(signal.SIGTERM)
    assert await process.ended() == 0


async def test_every_wrong_setting_is_named_at_once(processes: Processes, tmp_path: Path) -> None:
    wrong = {
        "listen": "nowhere",
        "log_level": "loud",
        "metrics_listen": "127.0.0.1:70000",
        "max_calls": "0",
        "max_request_bytes": "many",
        "grace_seconds": "-1",
        "database_url": "mysql://root:hidden@localhost/support",
        "auto_migrate": "perhaps",
    }
    process = await processes.service("support", tmp_path, **wrong)
    assert await process.ended() == EXIT_USAGE
    named = [line.partition(":")[0] for line in process.text.splitlines()]
    assert sorted(named) == sorted(f"CUSTOMER_OPS_{name.upper()}" for name in wrong)
    assert "hidden" not in process.text
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240


async def test_a_gateway_with_wrong_settings_says_so(processes: Processes) -> None:
    process = await processes.start("-m", "gateway", listen="nowhere", max_calls="0")
    assert await process.ended() == EXIT_USAGE
    assert [line.partition(":")[0] for line in process.text.splitlines()] == [
        "CUSTOMER_OPS_LISTEN",
        "CUSTOMER_OPS_MAX_CALLS",
    ]


async def test_the_embedded_stack_ends_when_told_to_and_has_its_data_alone(
    processes: Processes, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    first = await processes.start("-m", "customer_ops", "up", "--listen", address, "--data", str(tmp_path))
    async with channel_to(address) as channel:
        await until_health(channel)
        second = await processes.start("-m", "customer_ops", "up", "--listen", "127.0.0.1:0", "--data", str(tmp_path))
        assert await second.ended() == exits.EXIT_REFUSED
        assert f"pid {first.pid}" in " ".join(second.text.split())
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await health.read()).status == SERVING
        first.send(signal.SIGTERM)
        assert (await health.read()).status == NOT_SERVING
        assert await first.ended() == 0
        health.cancel()
