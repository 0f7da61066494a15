"""The health check of the containers, against a real server."""

import asyncio
import socket
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.runtime import healthcheck

_STATUS = health_pb2.HealthCheckResponse


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, health.aio.HealthServicer]]:
    """An address with the standard health service, which says SERVING for `known` and nothing yet for the whole."""
    servicer = health.aio.HealthServicer()
    await servicer.set("known", _STATUS.SERVING)
    running = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, running)
    port = running.add_insecure_port("127.0.0.1:0")
    await running.start()
    yield f"127.0.0.1:{port}", servicer
    await running.stop(None)


@pytest.mark.parametrize(
    ("status", "exit_code"), [(_STATUS.SERVING, 0), (_STATUS.NOT_SERVING, 1), (_STATUS.UNKNOWN, 1)]
)
async def test_only_serving_counts_as_healthy(
    server: tuple[str, health.aio.HealthServicer], status: int, exit_code: int
) -> None:
    address, servicer = server
    await servicer.set("", status)
    assert await asyncio.to_thread(healthcheck.main, [address]) == exit_code


@pytest.mark.parametrize(("service", "exit_code"), [("known", 0), ("unknown", 1)])
async def test_one_service_can_be_asked_for(
    server: tuple[str, health.aio.HealthServicer], service: str, exit_code: int
) -> None:
    assert await asyncio.to_thread(healthcheck.main, [server[0], service]) == exit_code


def test_nobody_there_is_not_healthy() -> None:
    with socket.socket() as taken:
        # Bound, but not listened on: nobody else can have it meanwhile.
        taken.bind(("127.0.0.1", 0))
        assert healthcheck.main([f"127.0.0.1:{taken.getsockname()[1]}"]) == 1


@pytest.mark.parametrize("arguments", [[], ["a", "b", "c"]])
def test_wrong_use_is_told_apart(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert healthcheck.main(arguments) == 2
    assert "usage:" in capsys.readouterr().err
