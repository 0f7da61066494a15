"""Writes on all four services through one address, each repeated until it is acknowledged, and the proof that they are kept.

Every write has a request_id of its own and is sent again with it, as a careful caller does, while the answer says that
another try may help. What was acknowledged is remembered, and looked for at the end.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from dealix.common.v1 import actor_pb2
from dealix.incidents.v1 import incident_pb2, incident_service_pb2, incident_service_pb2_grpc
from dealix.incidents.v1 import ledger_service_pb2 as incidents_ledger
from dealix.incidents.v1 import ledger_service_pb2_grpc as incidents_ledger_grpc
from dealix.onboarding.v1 import ledger_service_pb2 as onboarding_ledger
from dealix.onboarding.v1 import ledger_service_pb2_grpc as onboarding_ledger_grpc
from dealix.onboarding.v1 import onboarding_service_pb2, onboarding_service_pb2_grpc
from dealix.success.v1 import ledger_service_pb2 as success_ledger
from dealix.success.v1 import ledger_service_pb2_grpc as success_ledger_grpc
from dealix.success.v1 import success_pb2, success_service_pb2, success_service_pb2_grpc
from dealix.support.v1 import ledger_service_pb2 as support_ledger
from dealix.support.v1 import ledger_service_pb2_grpc as support_ledger_grpc
from dealix.support.v1 import support_service_pb2, support_service_pb2_grpc

CALL_SECONDS = 5.0
# How long a caller goes on with one write before it counts as failed; an outage of the test is far shorter.
WRITE_SECONDS = 90.0
_TRY_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)

ACTOR = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="compose-test")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of write: how it is asked for, what it made, and whether that is there."""

    service: str
    request: Callable[[str, str], Any]
    """From request_id and customer."""
    send: Callable[[Any], Any]
    made: Callable[[Any], str]
    """The identifier of what was made, from the answer."""
    read: Callable[[str], Any]
    """Reads it; NOT_FOUND where it is lost."""


class Caller:
    """All stubs over one channel to the gateway."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        support = support_service_pb2_grpc.SupportServiceStub(channel)
        incidents = incident_service_pb2_grpc.IncidentServiceStub(channel)
        onboarding = onboarding_service_pb2_grpc.OnboardingServiceStub(channel)
        success = success_service_pb2_grpc.SuccessServiceStub(channel)
        self._list_tickets = support.ListTickets
        self._ledgers = {
            "support": (support_ledger_grpc.LedgerServiceStub(channel), support_ledger),
            "incidents": (incidents_ledger_grpc.LedgerServiceStub(channel), incidents_ledger),
            "onboarding": (onboarding_ledger_grpc.LedgerServiceStub(channel), onboarding_ledger),
            "success": (success_ledger_grpc.LedgerServiceStub(channel), success_ledger),
        }
        self.ticket = Kind(
            "support",
            lambda request_id, customer: support_service_pb2.RouteTicketRequest(
                request_id=request_id,
                actor=ACTOR,
                customer_id=customer,
                subject="لوحة المتابعة",
                body="ما تفتح اللوحة من الصباح، the dashboard does not load",
            ),
            support.RouteTicket,
            lambda answer: answer.ticket.ticket_id,
            lambda ticket_id: support.GetTicket(support_service_pb2.GetTicketRequest(ticket_id=ticket_id)),
        )
        incident = Kind(
            "incidents",
            lambda request_id, customer: incident_service_pb2.DeclareIncidentRequest(
                request_id=request_id,
                actor=ACTOR,
                facts=incident_pb2.TriageFacts(title="تعطل اللوحة", affected_customers=1),
                customer_ids=[customer],
            ),
            incidents.DeclareIncident,
            lambda answer: answer.incident.incident_id,
            lambda incident_id: incidents.GetIncident(incident_service_pb2.GetIncidentRequest(incident_id=incident_id)),
        )
        checklist = Kind(
            "onboarding",
            lambda request_id, customer: onboarding_service_pb2.CreateChecklistRequest(
                request_id=request_id, actor=ACTOR, customer_id=customer
            ),
            onboarding.CreateChecklist,
            lambda answer: answer.checklist.customer_id,
            lambda customer: onboarding.GetChecklist(onboarding_service_pb2.GetChecklistRequest(customer_id=customer)),
        )
        check_in = Kind(
            "success",
            lambda request_id, customer: success_service_pb2.CreateWeeklyCheckInRequest(
                request_id=request_id,
                actor=ACTOR,
                customer_id=customer,
                metrics=success_pb2.WeekMetrics(drafts_approved=3, replies=2, meetings=1),
            ),
            success.CreateWeeklyCheckIn,
            lambda answer: answer.check_in.check_in_id,
            lambda check_in_id: success.GetWeeklyCheckIn(
                success_service_pb2.GetWeeklyCheckInRequest(check_in_id=check_in_id)
            ),
        )
        # Tickets carry most of the load, since support is what has replicas.
        self.mix = (self.ticket, incident, self.ticket, checklist, self.ticket, check_in, self.ticket)

    async def tickets_with_prefix(self, prefix: str) -> int:
        """How many stored tickets are of customers whose identifier begins so."""
        found, token = 0, ""
        # The pages of any run that keeps to its bounds, and no more.
        for _ in range(200):
            page = await repeat(
                lambda token=token: self._list_tickets(
                    support_service_pb2.ListTicketsRequest(page_size=200, page_token=token), timeout=CALL_SECONDS
                )
            )
            found += sum(ticket.customer_id.startswith(prefix) for ticket in page.tickets)
            token = page.next_page_token
            if not token:
                return found
        raise AssertionError("the list of tickets does not end")

    async def verify_ledger(self, service: str, anchor: Any = None) -> Any:
        """What VerifyLedger of a service says, against a position noted earlier."""
        stub, messages = self._ledgers[service]
        return await repeat(lambda: stub.VerifyLedger(messages.VerifyLedgerRequest(anchor=anchor), timeout=30))


async def repeat(call: Callable[[], Any], *, seconds: float = WRITE_SECONDS, on_retry: Any = None) -> Any:
    """The answer of a call that is repeated while its status says that another try may help."""
    end, pause = time.monotonic() + seconds, 0.1
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in _TRY_AGAIN or time.monotonic() > end:
                raise
            if on_retry is not None:
                on_retry(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)


@dataclass(slots=True)
class Phase:
    """What callers saw while something was done to the stack. Times in seconds."""

    name: str
    began: float = field(default_factory=time.monotonic)
    acknowledged: int = 0
    repeats: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    longest_gap: float = 0.0
    """The longest time in which no write of any caller was acknowledged."""
    times: list[float] = field(default_factory=list)

    def first_after(self, instant: float) -> float:
        """Seconds from an instant to the first write acknowledged after it."""
        return next(when for when in self.times if when > instant) - instant


@dataclass(frozen=True, slots=True)
class Write:
    """An acknowledged write."""

    kind: Kind
    request: Any
    made: str


class Load:
    """Callers that write without end, one write after another each, until stopped."""

    def __init__(self, caller: Caller, *, callers: int = 8, pause: float = 0.06, most: int = 20_000) -> None:
        self._caller = caller
        self._callers = callers
        self._pause = pause
        self._left = most
        self._stopping = False
        self._last = time.monotonic()
        self.prefix = f"load-{uuid.uuid4().hex[:12]}"
        self.writes: list[Write] = []
        self.failed: list[str] = []
        self.phases: list[Phase] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Load]:
        """Writes while the block runs; at its end every caller finishes the write that it is at."""
        self.phase("steady")
        tasks = [asyncio.create_task(self._write_on(number)) for number in range(self._callers)]
        try:
            yield self
            self._stopping = True
            await asyncio.wait_for(asyncio.gather(*tasks), WRITE_SECONDS + CALL_SECONDS + 5)
            self._close_gap()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def phase(self, name: str) -> Phase:
        """Begins to count anew, under a name."""
        if self.phases:
            self._close_gap()
        self._last = time.monotonic()
        self.phases.append(Phase(name))
        return self.phases[-1]

    async def acknowledged(self, count: int, *, within: float) -> None:
        """Waits until so many more writes were acknowledged in this phase; AssertionError if they are not in time."""
        phase = self.phases[-1]
        goal, end = phase.acknowledged + count, time.monotonic() + within
        while phase.acknowledged < goal:
            if time.monotonic() > end:
                raise AssertionError(f"only {count - goal + phase.acknowledged} of {count} writes in {within:g} s")
            await asyncio.sleep(0.05)

    async def repeated(self, *, within: float) -> float:
        """Waits until a caller was told to try again in this phase; how long it took. AssertionError if none is in time."""
        phase = self.phases[-1]
        while not phase.repeats:
            if time.monotonic() > phase.began + within:
                raise AssertionError(f"no caller noticed anything in {within:g} s")
            await asyncio.sleep(0.05)
        return time.monotonic() - phase.began

    def _close_gap(self) -> None:
        phase = self.phases[-1]
        phase.longest_gap = max(phase.longest_gap, time.monotonic() - self._last)

    async def _write_on(self, number: int) -> None:
        count = number
        while not self._stopping and self._left > 0:
            self._left -= 1
            kind = self._caller.mix[count % len(self._caller.mix)]
            count += 1
            # A checklist and a week's check-in exist once for a customer: every write has a customer of its own.
            request = kind.request(str(uuid.uuid4()), f"{self.prefix}-{number}-{count}")
            started = time.monotonic()
            try:
                answer = await repeat(
                    lambda kind=kind, request=request: kind.send(request, timeout=CALL_SECONDS), on_retry=self._repeated
                )
            except grpc.aio.AioRpcError as error:
                self.failed.append(f"{kind.service}: {error.code().name}: {error.details()}")
                continue
            now, phase = time.monotonic(), self.phases[-1]
            phase.longest_gap = max(phase.longest_gap, now - self._last)
            self._last = now
            phase.acknowledged += 1
            phase.latencies.append(now - started)
            phase.times.append(now)
            self.writes.append(Write(kind, request, kind.made(answer)))
            await asyncio.sleep(self._pause)

    def _repeated(self, error: grpc.aio.AioRpcError) -> None:
        self.phases[-1].repeats[error.code().name] += 1


async def check_kept(writes: list[Write], *, at_once: int = 8) -> tuple[int, int]:
    """Reads back and repeats every acknowledged write; how many are lost, and how many repeats made something else."""
    lost = changed = 0
    queue = iter(writes)

    async def check() -> None:
        nonlocal lost, changed
        for write in queue:
            try:
                await repeat(lambda write=write: write.kind.read(write.made))
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.NOT_FOUND:
                    raise
                lost += 1
            again = await repeat(lambda write=write: write.kind.send(write.request, timeout=CALL_SECONDS))
            changed += write.kind.made(again) != write.made

    await asyncio.gather(*(check() for _ in range(at_once)))
    return lost, changed
