"""Lists of customer success at scale: ``python -m tests.bench.bench_success_scale [--customers 100000]``.

Fills one store with a thousand customers and one with many, both by the handlers that calls use, and asks both for the same
pages over a socket, in turn: who is at risk, and which touchpoints are due, today, in the past and deep into the list. The aim
is a page that takes at most 1.5 times as long with 100,000 customers as with 1,000. Exits with 1 where one does not.

``--database-url`` runs both on PostgreSQL instead of SQLite, in empty databases ``<url>_few`` and ``<url>_many``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from dealix.success.v1 import success_pb2
from dealix.success.v1 import success_service_pb2 as pb
from dealix.success.v1 import success_service_pb2_grpc as rpc
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from services.domain.channels import Channel
from services.runtime.testing import Running, running_service
from services.storage.database import Actor, UnitOfWork
from services.success import plan_handlers
from services.success.domain.activity import ActivityKind, NewActivity
from services.success.domain.catalog import load_catalog
from services.success.domain.plans import Bundle
from services.success.domain.stored_plans import PlanTerms
from services.success.service import DEFINITION

FEW = 1_000
AIM = 1.5
PAGE = 50
ROUNDS = 60
BATCH = 100
ACTOR = Actor("service", "bench")
# When everything was recorded, and when it is asked for: a Tuesday three weeks later.
THEN = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
NOW = THEN + timedelta(days=23, hours=4)
CATALOG = load_catalog()


@dataclass(slots=True)
class Clock:
    now: datetime = THEN

    def __call__(self) -> datetime:
        return self.now


def customer(unit: UnitOfWork, number: int, chance: random.Random) -> None:
    """A customer with some weeks of activity behind it and a plan in front."""
    customer_id = f"customer-{number:06d}"

    def ago(days: int) -> datetime:
        return unit.now - timedelta(days=days, minutes=chance.randint(0, 600))

    # All at risk of one kind or another: with everybody on the list it is as long as it can be.
    events = [
        NewActivity(ActivityKind.DRAFTS_CREATED, ago(30), count=chance.randint(1, 14)),
        NewActivity(ActivityKind.SEEN_ACTIVE, ago(chance.randint(0, 25))),
    ]
    if chance.random() < 0.8:
        events.append(NewActivity(ActivityKind.PROOF_PACK_DELIVERED, ago(chance.randint(0, 25))))
    plan_handlers.record_activity(unit, customer_id, events, CATALOG)
    start = (THEN + timedelta(days=chance.randint(0, 20))).date()
    # A short plan: what is dated further ahead is on no page that is asked for.
    terms = PlanTerms(chance.choice(list(Bundle)), start, date(2026, 4, 10), Channel.EMAIL)
    plan_handlers.activate(unit, customer_id, terms, "", CATALOG)


async def fill(running: Running, customers: int, say: Console) -> None:
    """Customers by the handlers, some in each transaction."""
    chance = random.Random("scale")
    began = time.monotonic()

    def some(first: int, last: int) -> Callable[[UnitOfWork], None]:
        def work(unit: UnitOfWork) -> None:
            for number in range(first, last):
                customer(unit, number, chance)

        return work

    for first in range(0, customers, BATCH):
        await running.service.database.write_internal(ACTOR, some(first, min(first + BATCH, customers)))
        if first % 10_000 == 0 and first:
            say.print(f"  {first:,} of {customers:,} after {time.monotonic() - began:.0f} s")
    taken = time.monotonic() - began
    say.print(f"{customers:,} customers in {taken:.0f} s, {taken / customers * 1000:.2f} ms each")


def at(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


@dataclass(frozen=True, slots=True)
class Page:
    """A page to ask for; ``skip`` pages lie before it."""

    name: str
    method: str
    request: Any
    skip: int = 0


WEEK_AGO = at(NOW - timedelta(days=7))
PAGES = (
    Page("ListAtRisk, today", "ListAtRisk", pb.ListAtRiskRequest(page_size=PAGE)),
    Page("ListAtRisk, page 11", "ListAtRisk", pb.ListAtRiskRequest(page_size=PAGE), skip=10),
    Page("ListAtRisk, a week ago", "ListAtRisk", pb.ListAtRiskRequest(page_size=PAGE, as_of_time=WEEK_AGO)),
    Page(
        "ListAtRisk, medium only",
        "ListAtRisk",
        pb.ListAtRiskRequest(page_size=PAGE, severity=success_pb2.RISK_SEVERITY_MEDIUM),
    ),
    Page("ListDueTouchpoints, today", "ListDueTouchpoints", pb.ListDueTouchpointsRequest(page_size=PAGE)),
    Page("ListDueTouchpoints, page 11", "ListDueTouchpoints", pb.ListDueTouchpointsRequest(page_size=PAGE), skip=10),
    Page(
        "ListDueTouchpoints, a week ago",
        "ListDueTouchpoints",
        pb.ListDueTouchpointsRequest(page_size=PAGE, as_of_time=WEEK_AGO),
    ),
)


async def ready(page: Page, stub: Any) -> Callable[[], Awaitable[Any]]:
    """The call of a page, with the token of those before it."""
    method, request = getattr(stub, page.method), type(page.request).FromString(page.request.SerializeToString())
    for _ in range(page.skip):
        request.page_token = (await method(request)).next_page_token
        assert request.page_token, f"{page.name}: too few rows"
    answer = await method(request)
    rows = answer.customers if page.method == "ListAtRisk" else answer.touchpoints
    assert len(rows) == PAGE, f"{page.name}: {len(rows)} rows"
    return lambda: method(request)


async def milliseconds(call: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


async def run(customers: int, database_url: str, say: Console) -> bool:
    async with AsyncExitStack() as closers:
        folder = Path(closers.enter_context(tempfile.TemporaryDirectory()))
        stubs = {}
        for name, count in (("few", FEW), ("many", customers)):
            clock = Clock()
            (folder / name).mkdir()
            running = await closers.enter_async_context(
                running_service(
                    DEFINITION,
                    database_url=f"{database_url}_{name}" if database_url else "",
                    data_dir=folder / name,
                    clock=clock,
                    log_level="error",
                    worker_seconds=0,
                )
            )
            await fill(running, count, say)
            clock.now = NOW
            stubs[name] = rpc.SuccessServiceStub(running.channel)
        table = Table("page", f"{FEW:,} ms", f"{customers:,} ms", "ratio", "lowest", "highest", "aim")
        held = True
        for page in PAGES:
            few, many = await ready(page, stubs["few"]), await ready(page, stubs["many"])
            times = [(await milliseconds(few), await milliseconds(many)) for _ in range(ROUNDS)][5:]
            ratios = sorted(after / before for before, after in times)
            middle = statistics.median(ratios)
            held &= middle <= AIM
            table.add_row(
                page.name,
                *(f"{statistics.median(column):.2f}" for column in zip(*times, strict=True)),
                f"{middle:.2f}",
                f"{ratios[len(ratios) // 10]:.2f}",
                f"{ratios[-len(ratios) // 10]:.2f}",
                "held" if middle <= AIM else f"missed: {AIM}",
            )
        say.print(table)
        return held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument(
        "--database-url", default="", help="postgresql://user@host/name, for <name>_few and <name>_many"
    )
    given = parser.parse_args()
    return 0 if asyncio.run(run(given.customers, given.database_url, Console())) else 1


if __name__ == "__main__":
    sys.exit(main())
