"""What every stream meets, over a real socket: refusals before the first message, flags on each, and every way to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from services.domain.errors import NotFound
from services.runtime.methods import methods_of
from tests.rpc.client import refused
from tests.runtime import probe as made
from tests.runtime.probe import ASK, WATCH, probe


class Stage:
    """Handlers of a stream, and what became of them."""

    def __init__(self) -> None:
        self.begun = 0
        self.given = 0
        self.ended = asyncio.Event()

    async def three(self, request: Any, call: Any) -> AsyncIterator[Any]:
        """Three messages; the second claims what must never be claimed."""
        self.begun += 1
        for text in ("one", "two", "three"):
            yield made.response_class()(text=text, live_send_allowed=text == "two")
        self.ended.set()

    async def silent(self, request: Any, call: Any) -> AsyncIterator[Any]:
        """One message, and then nothing."""
        self.begun += 1
        try:
            yield made.response_class()(text="opened")
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def endless(self, request: Any, call: Any) -> AsyncIterator[Any]:
        """As much as anybody takes, 64 KiB each."""
        try:
            for _ in range(4096):
                self.given += 1
                yield made.response_class()(text="x" * 65_536)
        finally:
            self.ended.set()

    async def breaks(self, request: Any, call: Any) -> AsyncIterator[Any]:
        """Fails after the first message."""
        yield made.response_class()(text="one")
        raise _Gone("gone", ticket_id="t-1")

    async def interrupted(self, request: Any, call: Any) -> AsyncIterator[Any]:
        """Awaits something that is cancelled although nobody asked for it."""
        yield made.response_class()(text="one")
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner


class _Gone(NotFound):
    reason = "TICKET_NOT_FOUND"


async def first_of(call: Any) -> Any:
    """The first message of a stream."""
    return made.response_class().FromString(await call.read())


async def all_of(call: Any) -> list[Any]:
    """Every message of a stream that ends with OK."""
    found = []
    while (payload := await call.read()) is not grpc.aio.EOF:
        found.append(made.response_class().FromString(payload))
    return found


async def rest_of(call: Any) -> Any:
    """Reads a stream to its end, which is a refusal."""
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_every_message_carries_the_flags_whatever_it_claimed() -> None:
    stage = Stage()
    async with probe(stage.three) as running:
        answers = await all_of(running.watch())
        assert [answer.text for answer in answers] == ["one", "two", "three"]
        for answer in answers:
            assert answer.HasField("live_send_allowed")
            assert answer.live_send_allowed is False
            assert answer.HasField("approval_required")
            assert answer.approval_required is False
        assert running.sample("customer_ops_stream_messages_total") == 3
        assert running.sample("customer_ops_calls_total", code="OK") == 1
        # How long somebody watched is no time that an answer took.
        assert running.registry.get_sample_value("customer_ops_call_seconds_count", {"service": "probe"}) is None


@pytest.mark.parametrize(
    ("payload", "reason", "fields"),
    [
        (b"\xff\xff\xff", "MALFORMED_REQUEST", set()),
        (b"\x1a\x06abcdef\x22\x06abcdef", "INVALID_FIELDS", {"first", "second"}),
    ],
)
async def test_a_faulty_request_is_refused_before_the_first_message(
    payload: bytes, reason: str, fields: set[str]
) -> None:
    stage = Stage()
    async with probe(stage.three) as running:
        refusal = await refused(running.watch(payload).read())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
        assert set(refusal.fields) == fields
        assert stage.begun == 0


async def test_metadata_that_may_stand_once_may_stand_once_here_too() -> None:
    stage = Stage()
    async with probe(stage.three) as running:
        twice = (("x-correlation-id", "a"), ("x-correlation-id", "b"))
        refusal = await refused(running.watch(metadata=twice).read())
        assert refusal.reason == "DUPLICATE_METADATA"
        assert stage.begun == 0


async def test_what_fails_later_ends_the_stream_with_its_reason() -> None:
    async with probe(Stage().breaks) as running:
        call = running.watch()
        assert (await first_of(call)).text == "one"
        refusal = await refused(rest_of(call))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "TICKET_NOT_FOUND")
        assert refusal.metadata == {"ticket_id": "t-1"}
        assert running.sample("customer_ops_calls_total", code="NOT_FOUND") == 1


async def test_a_stray_cancellation_ends_it_with_a_status_instead_of_silence() -> None:
    async with probe(Stage().interrupted) as running:
        call = running.watch(timeout=20)
        await first_of(call)
        refusal = await refused(rest_of(call))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "INTERRUPTED")


async def test_a_server_that_ends_tells_its_watchers_at_once() -> None:
    stage = Stage()
    async with probe(stage.silent, grace_seconds=60) as running:
        call = running.watch(timeout=50)
        await first_of(call)
        began = time.monotonic()
        stopping = asyncio.create_task(running.server.stop())
        refusal = await refused(rest_of(call))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        await stopping
        # They use up nothing of the time that running calls have.
        assert time.monotonic() - began < 20
        assert stage.ended.is_set()


async def test_a_server_that_ends_takes_no_watcher_any_more() -> None:
    stage = Stage()
    async with probe(stage.three) as running:
        running.pipeline.environment.draining.set()
        refusal = await refused(running.watch().read())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert stage.begun == 0


async def test_a_stream_that_lasted_its_time_ends_with_ok() -> None:
    stage = Stage()
    async with probe(stage.silent, watch_seconds=0.2) as running:
        call = running.watch(timeout=20)
        assert [answer.text for answer in await all_of(call)] == ["opened"]
        assert await call.code() is grpc.StatusCode.OK
        assert stage.ended.is_set()


async def test_a_client_that_goes_away_frees_its_place() -> None:
    stage = Stage()
    async with probe(stage.silent, max_watchers=1) as running:
        for _ in range(3):
            stage.ended.clear()
            call = running.watch(timeout=20)
            await first_of(call)
            assert running.sample("customer_ops_streams") == 1
            call.cancel()
            await asyncio.wait_for(stage.ended.wait(), 10)
        await until_nobody_watches(running)
        assert running.sample("customer_ops_streams") == 0
        assert running.sample("customer_ops_calls_total", code="CANCELLED") == 3


async def test_a_clients_own_deadline_ends_it() -> None:
    stage = Stage()
    async with probe(stage.silent) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rest_of(running.watch(timeout=0.2))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(stage.ended.wait(), 10)


async def test_more_watchers_than_there_are_places_are_refused_and_calls_are_answered_beside_them() -> None:
    stage = Stage()
    async with probe(stage.silent, max_watchers=2, max_calls=1) as running:
        calls = [running.watch(timeout=30) for _ in range(2)]
        for call in calls:
            await first_of(call)
        refusal = await refused(running.watch().read())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refusal.metadata == {"limit": "2"}
        await running.channel.unary_unary(ASK)(b"", timeout=20)
        calls[0].cancel()
        await asyncio.wait_for(stage.ended.wait(), 10)
        await until_nobody_watches(running, 1)
        await first_of(running.watch(timeout=20))


async def test_for_a_reader_that_does_not_read_no_more_is_made_than_its_window_holds() -> None:
    stage = Stage()
    async with probe(stage.endless, grace_seconds=0.5) as running:
        call = running.watch(timeout=60)
        await call.read()
        # It comes to rest: calls that are answered meanwhile show that the server is not waiting with it.
        seen, quiet = 0, 0
        while quiet < 200:
            await running.channel.unary_unary(ASK)(b"", timeout=20)
            quiet = quiet + 1 if stage.given == seen else 0
            seen = stage.given
        # A window grows with what it measures, up to 16 MiB, and the buffers of two sockets hold more on a busy machine.
        assert stage.given < 768, "more than 48 MiB were made for nobody"
        # And the server ends in spite of it.
        began = time.monotonic()
        await running.server.stop()
        assert time.monotonic() - began < 20
        assert stage.ended.is_set()


async def test_a_reader_that_does_not_read_keeps_its_place_no_longer_than_a_stream_lasts() -> None:
    stage = Stage()
    async with probe(stage.endless, max_watchers=1, watch_seconds=0.5) as running:
        call = running.watch(timeout=60)
        await call.read()
        assert running.pipeline.environment.watching == 1
        await until_nobody_watches(running)
        assert stage.ended.is_set()
        # What was on its way is there, and after it the end.
        read = 1
        while await call.read() is not grpc.aio.EOF:
            read += 1
        assert read <= stage.given
        assert await call.code() is grpc.StatusCode.OK


async def test_in_process_it_is_the_same() -> None:
    stage = Stage()
    async with probe(stage.three) as running:
        given = [
            made.response_class().FromString(payload)
            async for payload in running.pipeline.stream(WATCH, b"", "c-1", time.monotonic() + 20)
        ]
        assert [(answer.text, answer.live_send_allowed) for answer in given] == [
            ("one", False),
            ("two", False),
            ("three", False),
        ]


@pytest.mark.parametrize(
    ("shape", "said"), [({"client_streams": True}, "takes a stream"), ({"writes": True}, "answered once")]
)
def test_what_nothing_here_serves_is_refused_when_the_server_is_built(shape: dict[str, bool], said: str) -> None:
    file = made.file_of(f"test/{'_'.join(shape)}/v1/probe.proto", **shape)
    file.package = f"test.{'_'.join(shape)}.v1"
    for method in file.service[0].method:
        method.input_type, method.output_type = f".{file.package}.WatchRequest", f".{file.package}.WatchResponse"
    with pytest.raises(TypeError, match=said):
        methods_of([made.module_of(file)])


async def until_nobody_watches(running: made.Probe, watchers: int = 0) -> None:
    """The handler ended; its place is free a moment later."""
    async with asyncio.timeout(10):
        while running.pipeline.environment.watching > watchers:
            await running.channel.unary_unary(ASK)(b"", timeout=20)
