"""The backup of the README, taken while the stack is written to, and restored as it says."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import grpc
from dealix.common.v1 import actor_pb2
from dealix.support.v1 import support_service_pb2 as pb
from dealix.support.v1 import support_service_pb2_grpc

from tests.cli.conftest import address_of, environment, run_command, started

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
_CHAPTER = README.partition("## Backup, restore, upgrade\n")[2].partition("\n## ")[0]
BACKUP, RESTORE = re.findall(r"```sh\n(.*?)```", _CHAPTER, re.DOTALL)[:2]
ACTOR = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1")
WRITES = 60


class Writer:
    """Opens one ticket after another in a thread, and knows which were acknowledged, by request id."""

    def __init__(self, address: str) -> None:
        self.acknowledged: dict[str, str] = {}
        self._enough = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write, args=(address,))

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def some(self) -> dict[str, str]:
        """What is acknowledged by now, once there is something to lose."""
        assert self._enough.wait(timeout=60)
        return dict(self.acknowledged)

    def _write(self, address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            while not self._ending.is_set():
                request_id = str(uuid.uuid4())
                self.acknowledged[request_id] = open_ticket(channel, request_id)
                if len(self.acknowledged) >= WRITES:
                    self._enough.set()


def open_ticket(channel: grpc.Channel, request_id: str) -> str:
    """The id of the ticket that the request opened."""
    request = pb.RouteTicketRequest(
        request_id=request_id, actor=ACTOR, customer_id="c-1", body="our Gmail is not connected"
    )
    answer = support_service_pb2_grpc.SupportServiceStub(channel).RouteTicket(request, timeout=20)
    return str(answer.ticket.ticket_id)


def open_after(address: str) -> tuple[str, str]:
    """A write that no backup holds: its request id and its ticket."""
    request_id = str(uuid.uuid4())
    with grpc.insecure_channel(address) as channel:
        return request_id, open_ticket(channel, request_id)


def run_shell(script: str, folder: Path, address: str) -> None:
    """Runs lines of the README in a folder that looks like the project's; each has to succeed."""
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment() | {"CUSTOMER_OPS_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_what_was_acknowledged_before_a_backup_is_there_once_it_is_restored(tmp_path: Path) -> None:
    data, anchors = tmp_path / "data", tmp_path / "backup" / "anchors.json"
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with started(data=data) as process:
        address = address_of(process)
        with Writer(address) as writer:
            before = writer.some()
            run_shell(BACKUP, tmp_path, address)
        lost = open_after(address)
    copying, _, verifying = RESTORE.partition(".venv/bin/customer-ops up\n")
    run_shell(copying, tmp_path, address)
    assert not list(data.glob("*-wal"))
    with started(data=data) as process:
        address = address_of(process)
        run_shell(verifying, tmp_path, address)
        with grpc.insecure_channel(address) as channel:
            assert {request_id: open_ticket(channel, request_id) for request_id in before} == before
            assert open_ticket(channel, lost[0]) != lost[1]
        assert run_command(address, "ledger", "verify", "--anchors", str(anchors)).code == 0
        assert run_command(address, "status").code == 0
