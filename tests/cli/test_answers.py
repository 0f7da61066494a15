"""What the commands make of answers that no service of ours gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from dealix.support.v1 import support_service_pb2 as pb
from dealix.support.v1 import support_service_pb2_grpc as rpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.cli.conftest import run_command

Answer = Callable[[Any, Any], pb.ClassifyTicketResponse]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The address of a server that classifies in its own way."""

    class Servicer(rpc.SupportServiceServicer):
        def ClassifyTicket(self, request: Any, context: Any) -> pb.ClassifyTicketResponse:
            return answer(request, context)

    server = grpc.server(ThreadPoolExecutor(1))
    rpc.add_SupportServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize("flag", [None, True], ids=["absent", "true"])
@pytest.mark.parametrize("json", [(), ("--json",)], ids=["readable", "json"])
def test_an_answer_that_does_not_say_false_is_not_used(flag: bool | None, json: tuple[str, ...]) -> None:
    with answering(lambda request, context: pb.ClassifyTicketResponse(live_send_allowed=flag)) as address:
        ended = run_command(address, "classify", "x", *json)
    assert ended.code == 4
    assert ended.out == ""
    assert "live_send_allowed=false" in ended.err


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.INTERNAL, 5),
        (grpc.StatusCode.UNKNOWN, 5),
        (grpc.StatusCode.INVALID_ARGUMENT, 5),
        (grpc.StatusCode.UNAVAILABLE, 3),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 3),
    ],
)
def test_a_status_without_our_details_is_told_with_its_code(status: grpc.StatusCode, code: int) -> None:
    def answer(request: Any, context: Any) -> pb.ClassifyTicketResponse:
        context.abort(status, "some text\nof\x1b[31m another program")

    with answering(answer) as address:
        ended = run_command(address, "classify", "x")
    assert ended.code == code
    assert len(ended.error_lines) == 1
    assert "\x1b" not in ended.err


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", 3),
        (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", 3),
        (grpc.StatusCode.INTERNAL, "INTERNAL", 5),
        (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", 1),
    ],
)
def test_a_refusal_names_its_reason_and_metadata(status: grpc.StatusCode, reason: str, code: int) -> None:
    def answer(request: Any, context: Any) -> pb.ClassifyTicketResponse:
        info = AnyMessage()
        info.Pack(
            error_details_pb2.ErrorInfo(
                reason=reason, domain="dealix.com", metadata={"limit": "7", "live_send_allowed": "false"}
            )
        )
        context.abort_with_status(
            rpc_status.to_status(status_pb2.Status(code=status.value[0], message="said so", details=[info]))
        )

    with answering(answer) as address:
        ended = run_command(address, "classify", "x")
    assert ended.code == code
    assert f"{reason}: said so; limit=7" in ended.err
