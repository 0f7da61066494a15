"""``customer-ops watch``: what it shows, how it ends, and that it outlasts the gateway."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from dealix.common.v1 import ledger_pb2
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.gateway.v1 import gateway_service_pb2_grpc

from customer_ops.client import SERVICES, CallFailed
from customer_ops.exits import EXIT_REFUSED, EXIT_UNREACHABLE, CommandFailed
from customer_ops.watching import follow
from tests.cli.conftest import Command, address_of, environment, run_command, started

LEAK = "ظهرت بيانات عميل آخر في حسابنا، تسريب بيانات"
AS = ("--as", "operator-1")
OPENED = pb.WATCH_MESSAGE_KIND_OPENED
ENTRY = pb.WATCH_MESSAGE_KIND_ENTRY
CAUGHT_UP = pb.WATCH_MESSAGE_KIND_CAUGHT_UP


def messages_of(ended: Any) -> list[dict[str, Any]]:
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_what_is_there_is_shown_in_both_languages_and_it_ends(command: Command) -> None:
    handled = command("handle", "watch-test", LEAK, *AS, "--json")
    incident = json.loads(handled.out)["incident"]["incident_id"]
    ended = command("watch", "--until-caught-up", "--subject", f"incident/{incident}")
    assert ended.code == 0, ended.err
    for part in (
        "watching",
        "بدأت المتابعة",
        "incident.declared",
        f"incident/{incident}",
        "operator-1",
        "new from here on",
        "وما يلي جديد",
        "live_send_allowed=false",
        "go on: --from ",
    ):
        assert part in ended.out
    lines = [line for line in ended.out.splitlines() if "incident.declared" in line]
    assert len(lines) == 1


def test_as_json_it_is_one_object_a_line_and_goes_on_after_a_position(command: Command) -> None:
    command("handle", "watch-json-test", LEAK, *AS)
    only = ("watch", "--until-caught-up", "--json", "--service", "incidents", "--service", "support")
    messages = messages_of(command(*only))
    assert messages[0]["kind"] == "WATCH_MESSAGE_KIND_OPENED"
    assert messages[-1]["kind"] == "WATCH_MESSAGE_KIND_CAUGHT_UP"
    assert all(message["live_send_allowed"] is False for message in messages)
    middle = len(messages) // 2
    again = messages_of(command(*only, "--from", messages[middle]["position"]))
    events = [message["event"] for message in messages[middle + 1 : -1]]
    assert [message["event"] for message in again[1:-1]] == events


def test_only_new_shows_nothing_of_what_is_there(command: Command) -> None:
    command("handle", "watch-new-test", LEAK, *AS)
    messages = messages_of(command("watch", "--new", "--until-caught-up", "--json"))
    assert [message["kind"] for message in messages] == ["WATCH_MESSAGE_KIND_OPENED", "WATCH_MESSAGE_KIND_CAUGHT_UP"]


def test_what_is_refused_and_what_is_not_there_is_said_on_one_line(command: Command) -> None:
    refused = command("watch", "--from", "abc", "--until-caught-up")
    assert (refused.code, len(refused.error_lines)) == (1, 1)
    assert "from_position" in refused.err
    assert "go on with" not in refused.err
    assert command("watch", "--service", "nobody").code == 2
    nobody = run_command("127.0.0.1:9", "watch")
    assert (nobody.code, len(nobody.error_lines)) == (3, 1)


def test_it_goes_on_while_the_stack_is_started_anew_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    with started(data=tmp_path) as first:
        address = address_of(first)
        run_command(address, "handle", "c-1", LEAK, *AS)
        before = messages_of(run_command(address, "watch", "--until-caught-up", "--json"))
        watching = subprocess.Popen(
            [sys.executable, "-m", "customer_ops", "watch", "--json", "--address", address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment(),
        )
        assert watching.stdout is not None
        try:
            seen = [json.loads(watching.stdout.readline()) for _ in before]
            assert seen == before
            first.send_signal(signal.SIGTERM)
            first.wait(timeout=20)
            with started("--listen", address, data=tmp_path) as second:
                assert address_of(second) == address
                run_command(address, "handle", "c-2", LEAK, *AS)
                after = messages_of(
                    run_command(address, "watch", "--until-caught-up", "--json", "--from", before[-1]["position"])
                )[1:-1]
                assert len(after) > 3
                assert [json.loads(watching.stdout.readline()) for _ in after] == after
                watching.send_signal(signal.SIGINT)
                _, said = watching.communicate(timeout=20)
                assert (watching.returncode, said) == (0, "")
        finally:
            watching.kill()
            watching.wait()


def test_sigterm_ends_it_as_ctrl_c_does(stack: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "customer_ops", "watch", "--new", "--address", stack],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
    ) as watching:
        assert watching.stdout is not None
        assert "watching" in watching.stdout.readline()
        watching.send_signal(signal.SIGTERM)
        out, said = watching.communicate(timeout=20)
    assert (watching.returncode, said) == (0, "")
    assert "go on: --from " in out


def test_where_a_ledger_is_missing_it_is_told_and_has_a_code() -> None:
    nowhere = {f"CUSTOMER_OPS_{name.upper()}_TARGET": "dns:///127.0.0.1:9" for name in SERVICES}
    with subprocess.Popen(
        [sys.executable, "-m", "gateway"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | nowhere | {"CUSTOMER_OPS_LISTEN": "127.0.0.1:0"},
    ) as gateway:
        try:
            assert gateway.stderr is not None
            address = json.loads(gateway.stderr.readline())["address"]
            ended = run_command(address, "watch", "--until-caught-up", "--service", "support")
        finally:
            gateway.terminate()
    assert ended.code == EXIT_UNREACHABLE
    assert ended.error_lines == ["customer-ops: not complete: no answer of support"]
    assert "go on: --from " in ended.out


@pytest.mark.parametrize("flag", [None, True], ids=["absent", "true"])
def test_a_message_that_does_not_say_false_is_not_used(flag: bool | None) -> None:
    class Servicer(gateway_service_pb2_grpc.GatewayServiceServicer):
        def WatchEvents(self, request: Any, context: Any) -> Iterator[pb.WatchEventsResponse]:
            yield pb.WatchEventsResponse(live_send_allowed=False, kind=OPENED, position="p0")
            yield pb.WatchEventsResponse(live_send_allowed=flag, kind=CAUGHT_UP, position="p1")

    server = grpc.server(ThreadPoolExecutor(1))
    gateway_service_pb2_grpc.add_GatewayServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        ended = run_command(f"127.0.0.1:{port}", "watch", "--json")
    finally:
        server.stop(None).wait()
    assert ended.code == 4
    assert [json.loads(line)["position"] for line in ended.out.splitlines()] == ["p0"]
    assert "live_send_allowed=false" in ended.err


# --- streams that end and break ---------------------------------------------------------------------------------------


class Streams:
    """A client whose streams are given: messages, and a failure where one breaks."""

    def __init__(self, *streams: list[Any]) -> None:
        self._streams = list(streams)
        self.asked: list[pb.WatchEventsRequest] = []
        self.gateway = SimpleNamespace(WatchEvents=None)

    def stream(self, _: Any, request: pb.WatchEventsRequest) -> Iterator[pb.WatchEventsResponse]:
        copy = pb.WatchEventsRequest()
        copy.CopyFrom(request)
        self.asked.append(copy)
        for one in self._streams.pop(0):
            if isinstance(one, Exception):
                raise one
            yield one


def message(kind: int, position: str, number: int = 0) -> pb.WatchEventsResponse:
    entry = pb.ServiceLedgerEntry(service="support", entry=ledger_pb2.LedgerEntry(sequence=number)) if number else None
    return pb.WatchEventsResponse(kind=kind, position=position, event=entry)


def failure(code: grpc.StatusCode) -> CallFailed:
    exit_code = EXIT_REFUSED if code is grpc.StatusCode.INVALID_ARGUMENT else EXIT_UNREACHABLE
    return CallFailed(f"ended with {code.name}", exit_code, code)


GONE, WRONG = failure(grpc.StatusCode.UNAVAILABLE), failure(grpc.StatusCode.INVALID_ARGUMENT)


def test_each_stream_begins_where_the_last_one_ended_and_what_opened_is_told_once() -> None:
    client = Streams(
        [message(OPENED, "p0"), message(ENTRY, "p1", 1)],
        [message(OPENED, "p1"), GONE],
        [GONE],
        [message(OPENED, "p1"), message(ENTRY, "p2", 2), message(CAUGHT_UP, "p2"), GONE],
        [message(OPENED, "p2"), message(CAUGHT_UP, "p2"), message(ENTRY, "p3", 3), WRONG],
    )
    waited: list[float] = []
    found: list[tuple[int, str]] = []
    request = pb.WatchEventsRequest(only_new=True, action="ticket.opened")
    with pytest.raises(CommandFailed, match=r"INVALID_ARGUMENT; go on with --from p3") as caught:
        found.extend((one.kind, one.position) for one in follow(client, request, waits=(1.0, 2.0), wait=waited.append))
    assert caught.value.exit_code == EXIT_REFUSED
    assert found == [(OPENED, "p0"), (ENTRY, "p1"), (ENTRY, "p2"), (CAUGHT_UP, "p2"), (ENTRY, "p3")]
    assert waited == [1.0, 2.0, 1.0]
    assert [(one.from_position, one.only_new) for one in client.asked] == [
        ("", True),
        ("p1", False),
        ("p1", False),
        ("p1", False),
        ("p2", False),
    ]
    assert {one.action for one in client.asked} == {"ticket.opened"}
    assert request.from_position == ""


@pytest.mark.parametrize("first", [GONE, WRONG, failure(grpc.StatusCode.RESOURCE_EXHAUSTED)])
def test_a_watch_that_never_began_is_not_tried_again(first: CallFailed) -> None:
    client = Streams([first])
    with pytest.raises(CallFailed):
        list(follow(client, pb.WatchEventsRequest()))
    assert len(client.asked) == 1


def test_one_that_stays_away_is_given_up_after_a_while() -> None:
    client = Streams([message(OPENED, "p0")], [GONE], [GONE], [GONE])
    with pytest.raises(CommandFailed, match="go on with --from p0") as caught:
        list(follow(client, pb.WatchEventsRequest(), waits=(0.0, 0.0), wait=lambda _: None))
    assert caught.value.exit_code == EXIT_UNREACHABLE
    assert len(client.asked) == 4
