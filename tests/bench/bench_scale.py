"""``python -m tests.bench.bench_scale``: what a million stored tickets cost, beside a thousand.

A thousand tickets live a week through the service itself: answered, put on hold, resolved, reopened, closed or left to their
clocks. That week is the small database. The large one holds the same week and 999 earlier copies of it, row by row in every
table, with ids of their own; so both have the same newest week, and the large one a thousand times as much of everything
else, pressing clocks included. Both are open at once and asked in turns; the ratio of a round is what counts.

SQLite, in a temporary folder that is gone at the end; about 20 GB and ten minutes for a million. Of the answers that are kept
for repeated writes, the copies hold the first 200 bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dealix.support.v1 import sla_service_pb2 as sla
from dealix.support.v1 import support_service_pb2 as sup
from dealix.support.v1 import ticket_pb2
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from services.runtime.observe import configure_logging
from services.runtime.wire import timestamp
from tests.rpc.client import Clock
from tests.rpc.support_desk import Desk, desk_at

SMALL = 1_000
WEEK = timedelta(days=7)
# A Sunday, midnight in Riyadh.
BEGIN = datetime(2026, 11, 7, 21, tzinfo=UTC)
CUSTOMERS = 10
ROUTED = 300  # Tickets opened in each round.
_OPEN = 1 << 62


@dataclass(frozen=True, slots=True)
class Question:
    """One line: what is asked, and how often in a round."""

    name: str
    make: Callable[[int], Message]
    calls: int = 60


# --- the week ---------------------------------------------------------------------------------------------------------


async def live_a_week(folder: Path, tickets: int) -> None:
    """Fills an empty database with a week of tickets, each step in its time."""
    rng = random.Random("a week of tickets")
    clock = Clock(BEGIN)
    async with desk_at(data_dir=folder, clock=clock) as desk:
        agenda: list[tuple[datetime, int, Coroutine[Any, Any, None] | None]] = []
        for number in range(tickets):
            at = BEGIN + WEEK * rng.random()
            heapq.heappush(agenda, (at, number, None))
        lives: dict[int, Iterator[tuple[timedelta, Callable[[], Coroutine[Any, Any, Any]]]]] = {}
        looked = BEGIN
        while agenda:
            at, number, step = heapq.heappop(agenda)
            clock.now = max(clock.now, at)
            if clock.now - looked > timedelta(hours=1):
                await desk.catch_up()
                looked = clock.now
            if step is not None:
                await step
            if number not in lives:
                ticket_id = await desk.open(
                    rng.choice((1, 2, 3, 3, 4, 4, 4)), customer_id=f"customer-{number % CUSTOMERS}"
                )
                lives[number] = _life(desk, ticket_id, rng)
            following = next(lives[number], None)
            if following is not None and clock.now + following[0] < BEGIN + WEEK:
                heapq.heappush(agenda, (clock.now + following[0], number, following[1]()))
        clock.now = BEGIN + WEEK
        await desk.catch_up()


def _life(
    desk: Desk, ticket_id: str, rng: random.Random
) -> Iterator[tuple[timedelta, Callable[[], Coroutine[Any, Any, Any]]]]:
    """What happens to a ticket after its opening: after how long, and what."""

    def later(hours: float) -> timedelta:
        return timedelta(hours=rng.expovariate(1 / hours))

    async def replied() -> None:
        draft = await desk.approve(await desk.reply(ticket_id))
        await desk.send_reply(ticket_id, draft)

    if rng.random() < 0.1:
        return
    yield later(1), lambda: desk.answer(ticket_id)
    if rng.random() < 0.4:
        yield later(4), lambda: desk.waits(ticket_id)
        yield later(12), lambda: desk.says(ticket_id, "هذه صورة من رسالة الخطأ")
        yield later(3), replied
    if rng.random() < 0.25:
        return
    yield later(10), lambda: desk.resolve(ticket_id)
    if rng.random() < 0.1:
        yield later(10), lambda: desk.says(ticket_id, "رجعت المشكلة")
        yield later(3), lambda: desk.resolve(ticket_id)
    if rng.random() < 0.6:
        yield later(20), lambda: desk.close(ticket_id)


# --- copies of it -----------------------------------------------------------------------------------------------------

_IDS = {"ticket_id", "other_ticket_id", "follows_ticket_id", "event_id", "draft_id", "approval_id", "message_id"}
_IDS |= {"instance", "subject"}


def _column(table: str, name: str) -> str:
    """A column of the ``n``-th copy: a week earlier for each, and ids that end in its number."""
    if name.endswith("_us"):
        return f"CASE WHEN {name} < {_OPEN} THEN {name} - n * {WEEK // timedelta(microseconds=1)} ELSE {name} END"
    if name == "timer_id":
        return "substr(timer_id, 1, 33) || printf('%04d', n) || substr(timer_id, 38)"
    if name == "request_id":
        return "CASE request_id WHEN '' THEN '' ELSE substr(request_id, 1, 32) || printf('%04x', n) END"
    if table == "requests" and name == "response":
        return "CASE n WHEN 0 THEN response ELSE substr(response, 1, 200) END"
    if name in _IDS:
        return f"CASE {name} WHEN '' THEN '' ELSE substr({name}, 1, length({name}) - 4) || printf('%04d', n) END"
    if table == "ledger" and name == "sequence":
        return "sequence + (:copies - 1 - n) * :entries"
    return name


def multiply(small: Path, large: Path, copies: int) -> None:
    """Makes ``large`` of the rows of ``small``, ``copies`` times in all; the 0th copy is the week itself."""
    shutil.copyfile(small, large)
    with closing(sqlite3.connect(large, isolation_level=None)) as link:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "foreign_keys = OFF"):
            link.execute(f"PRAGMA {pragma}").fetchall()
        link.execute("ATTACH ? AS week", (str(small),))
        made = link.execute(
            "SELECT name, sql FROM main.sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        triggers = link.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger'").fetchall()
        for kind, found in (("TRIGGER", triggers), ("INDEX", made)):
            for name, _ in found:
                link.execute(f"DROP {kind} main.{name}")
        (entries,) = link.execute("SELECT max(sequence) FROM week.ledger").fetchone()
        values = {"copies": copies, "entries": entries}
        link.execute("CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY)")
        link.executemany("INSERT INTO numbers VALUES (?)", ((n,) for n in range(copies)))
        tables = [name for (name,) in link.execute("SELECT name FROM week.sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in link.execute(f"PRAGMA main.table_info({table})")]
            if table in ("instance", "ledger_head") or not any(_column(table, name) != name for name in columns):
                continue
            link.execute(f"DELETE FROM main.{table}")
            key = [row[1] for row in link.execute(f"PRAGMA main.table_info({table})") if row[5]]
            chosen = ", ".join(_column(table, name) for name in columns)
            # In the order of their keys, which is the fast way to fill a table.
            both, order = f"week.{table} CROSS JOIN numbers", ", ".join([*key, "n"])
            if table == "ledger":
                both, order = "numbers CROSS JOIN week.ledger", "n DESC, sequence"
            link.execute(f"INSERT INTO main.{table} SELECT {chosen} FROM {both} ORDER BY {order}", values)
        link.execute("UPDATE main.ledger_head SET sequence = sequence * :copies", {"copies": copies})
        for _, sql in (*made, *triggers):
            link.execute(sql)
        link.execute("DETACH week")
        link.execute("PRAGMA journal_mode = WAL").fetchall()


# --- asking -----------------------------------------------------------------------------------------------------------


def questions() -> list[Question]:
    """What is asked of both, with the request that is the ``n``-th."""
    end = BEGIN + WEEK
    period = {"period_start_time": timestamp(BEGIN), "period_end_time": timestamp(end)}
    yesterday, waiting = timestamp(end - timedelta(days=1)), ticket_pb2.TICKET_STATE_WAITING
    return [
        Question("ListTickets, newest 50", lambda _: sup.ListTicketsRequest(page_size=50)),
        Question(
            "ListTickets, 50 of a customer",
            lambda n: sup.ListTicketsRequest(page_size=50, customer_id=f"customer-{n % CUSTOMERS}"),
        ),
        Question("ListTickets, 20 that wait", lambda _: sup.ListTicketsRequest(page_size=20, state=waiting)),
        Question("ListDueSoon, first 50", lambda _: sla.ListDueSoonRequest(page_size=50)),
        Question("ListDueSoon, within a day", lambda _: sla.ListDueSoonRequest(page_size=50, within_minutes=1440)),
        Question("ListDueSoon, a day ago", lambda _: sla.ListDueSoonRequest(page_size=50, as_of_time=yesterday)),
        Question("GetSlaHealthReport, newest week", lambda _: sla.GetSlaHealthReportRequest(**period), calls=4),
    ]


async def route(desk: Desk, number: int) -> None:
    await desk.open(1 + number % 4, customer_id=f"customer-{number % CUSTOMERS}")


async def _timed(call: Coroutine[Any, Any, Any]) -> float:
    start = time.perf_counter()
    await call
    return (time.perf_counter() - start) * 1e3


async def measure(folder: Path, names: tuple[str, str], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """For each question the medians of each round, in milliseconds: of the small and of the large database."""
    found: dict[str, list[tuple[float, float]]] = {}
    async with (
        desk_at(data_dir=folder / names[0], clock=Clock(BEGIN + WEEK)) as small,
        desk_at(data_dir=folder / names[1], clock=Clock(BEGIN + WEEK)) as large,
    ):
        desks = (small, large)
        asked = questions()
        for number in range(-1, rounds):  # The round before the first warms up.
            for question in asked:
                taken: tuple[list[float], list[float]] = ([], [])
                for n in range(question.calls):
                    # In turns, so that a slow second of the machine meets both.
                    for which in (0, 1) if n % 2 else (1, 0):
                        taken[which].append(await _timed(desks[which].ask(question.make(n))))
                if number >= 0:
                    found.setdefault(question.name, []).append(
                        (statistics.median(taken[0]), statistics.median(taken[1]))
                    )
            routed: tuple[list[float], list[float]] = ([], [])
            for n in range(ROUTED):
                for which in (0, 1) if n % 2 else (1, 0):
                    routed[which].append(await _timed(route(desks[which], n)))
            if number >= 0:
                found.setdefault("RouteTicket", []).append((statistics.median(routed[0]), statistics.median(routed[1])))
    return found


def main() -> int:
    """Runs the benchmark and prints its table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_scale", description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000, help="stored in the large database")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    configure_logging("error", json=True)
    console = Console(width=120 if not sys.stdout.isatty() else None)
    copies = options.tickets // SMALL
    with tempfile.TemporaryDirectory(prefix="customer-ops-scale-") as name:
        folder = Path(name)
        for part in ("small", "large"):
            (folder / part).mkdir()
        start = time.perf_counter()
        asyncio.run(live_a_week(folder / "small", SMALL))
        lived = time.perf_counter()
        multiply(folder / "small" / "support.db", folder / "large" / "support.db", copies)
        console.print(
            f"a week lived in {lived - start:.0f} s, {copies} copies of it made in {time.perf_counter() - lived:.0f} s, "
            f"{(folder / 'large' / 'support.db').stat().st_size / 1e9:.1f} GB"
        )
        found = asyncio.run(measure(folder, ("small", "large"), options.rounds))
    table = Table(title=f"p50 in ms, {options.rounds} rounds in turns: {SMALL:,} and {copies * SMALL:,} stored tickets")
    for heading in ("what", f"{SMALL:,}", f"{copies * SMALL:,}", "ratio", "low-high", "aim", ""):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    missed = 0
    for what, pairs in found.items():
        ratios = sorted(large / small for small, large in pairs)
        ratio, aim = statistics.median(ratios), 1.25 if what == "RouteTicket" else 1.5
        missed += ratio > aim
        table.add_row(
            what,
            f"{statistics.median(small for small, _ in pairs):.2f}",
            f"{statistics.median(large for _, large in pairs):.2f}",
            f"{ratio:.2f}",
            f"{ratios[0]:.2f}-{ratios[-1]:.2f}",
            f"{aim:.2f}",
            "reached" if ratio <= aim else "missed",
        )
    console.print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
