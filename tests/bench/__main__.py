"""``python -m tests.bench``: throughput and latency as ratios to a bare grpc.aio server, and memory.

Machines are noisy, so no figure stands alone: every round measures the server and its bare counterpart one after the
other, and the ratio of a round is what counts; the median of the rounds is shown with the lowest and highest. Loopback
only, bounded in calls and time.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dealix.common.v1 import actor_pb2
from dealix.support.v1 import support_service_pb2 as pb
from rich.console import Console
from rich.table import Table

from tests.bench.h2 import Load, run_load

TEXT = "السلام عليكم، تم إرسال رسالة لعميلنا بدون موافقتي، please check"
CLASSIFY = "/dealix.support.v1.SupportService/ClassifyTicket"
ROUTE = "/dealix.support.v1.SupportService/RouteTicket"


@dataclass(frozen=True, slots=True)
class Aim:
    """One line: a server against its bare counterpart."""

    name: str
    server: str
    bare: str
    path: str
    aim: float


def classify_bodies(count: int) -> list[bytes]:
    """The same classification, ``count`` times."""
    return [pb.ClassifyTicketRequest(text=TEXT).SerializeToString()] * count


def route_bodies(count: int) -> list[bytes]:
    """``count`` tickets to open, each with a request_id of its own."""
    actor = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="bench")
    return [
        pb.RouteTicketRequest(
            request_id=str(uuid.uuid4()), actor=actor, customer_id=f"customer-{n % 500}", body=TEXT
        ).SerializeToString()
        for n in range(count)
    ]


@contextmanager
def process(module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """A server process: its address and process id. Ends with its standard input."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"{' '.join(command)} did not start")
            yield address, server.pid
        finally:
            assert server.stdin is not None
            server.stdin.close()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmRSS")


def main() -> int:
    """Runs the benchmark and prints its tables; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=3000, help="calls in each measurement")
    parser.add_argument("--in-flight", type=int, default=32, help="calls under way at once")
    options = parser.parse_args()
    console = Console(width=120 if not sys.stdout.isatty() else None)
    rounds: dict[str, list[tuple[Load, Load]]] = {}
    aims = [
        Aim("ClassifyTicket, direct / echo", "support", "echo", CLASSIFY, 0.80),
        Aim("ClassifyTicket, gateway / two-hop echo", "gateway", "echo2", CLASSIFY, 0.85),
        Aim("ClassifyTicket, embedded / echo", "embedded", "echo", CLASSIFY, 0.70),
        Aim("RouteTicket, direct / echo", "support", "echo-route", ROUTE, 0.35),
        Aim("RouteTicket, gateway / two-hop echo", "gateway", "echo2-route", ROUTE, 0.35),
        Aim("RouteTicket, embedded / echo", "embedded", "echo-route", ROUTE, 0.35),
    ]
    with ExitStack() as closers, tempfile.TemporaryDirectory() as folder:
        start: Callable[..., tuple[str, int]] = lambda *a: closers.enter_context(process(*a))  # noqa: E731
        servers: dict[str, tuple[str, int]] = {}
        servers["support"] = start("tests.bench.serve", "support", f"{folder}/direct")
        servers["embedded"] = start("tests.bench.serve", "embedded", f"{folder}/embedded")
        servers["gateway"] = start("tests.bench.serve", "gateway", folder, servers["support"][0])
        idle = {name: resident_mb(servers[name][1]) for name in ("support", "gateway", "embedded")}
        sizes = {"": 700, "-route": 2400}
        for suffix, size in sizes.items():
            servers[f"echo{suffix}"] = start("tests.bench.echo", str(size))
            servers[f"echo2{suffix}"] = start("tests.bench.echo", str(size), servers[f"echo{suffix}"][0])
        for number in range(-1, options.rounds):
            for aim in aims:
                make = classify_bodies if aim.path == CLASSIFY else route_bodies
                count = options.calls if number >= 0 else options.calls // 4
                bare = run_load(servers[aim.bare][0], "/echo/Echo", make(count), in_flight=options.in_flight)
                ours = run_load(servers[aim.server][0], aim.path, make(count), in_flight=options.in_flight)
                if ours.failed:
                    console.print(f"{aim.name}: {ours.failed} of {ours.calls} calls failed")
                    return 1
                if number >= 0:  # the round before the first warms up
                    rounds.setdefault(aim.name, []).append((ours, bare))
        loaded = {name: resident_mb(servers[name][1]) for name in idle}
    table = Table(title=f"{options.rounds} rounds of {options.calls} calls, {options.in_flight} in flight")
    for heading in ("what", "calls/s", "p50 ms", "p99 ms", "bare calls/s", "ratio", "low-high", "aim", ""):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for aim in aims:
        pairs = rounds[aim.name]
        ratios = sorted(ours.per_second / bare.per_second for ours, bare in pairs)
        ratio = statistics.median(ratios)
        table.add_row(
            aim.name,
            f"{statistics.median(o.per_second for o, _ in pairs):,.0f}",
            f"{statistics.median(o.p50_ms for o, _ in pairs):.1f}",
            f"{statistics.median(o.p99_ms for o, _ in pairs):.1f}",
            f"{statistics.median(b.per_second for _, b in pairs):,.0f}",
            f"{ratio:.2f}",
            f"{ratios[0]:.2f}-{ratios[-1]:.2f}",
            f"{aim.aim:.2f}",
            "reached" if ratio >= aim.aim else "missed",
        )
    console.print(table)
    memory = Table(title="resident memory, MB")
    for heading in ("process", "idle", "after the load", "aim idle"):
        memory.add_column(heading, justify="left" if heading == "process" else "right")
    for name, aim_mb in (("support", 90), ("gateway", 90), ("embedded", 150)):
        memory.add_row(name, f"{idle[name]:.0f}", f"{loaded[name]:.0f}", f"{aim_mb}")
    console.print(memory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
