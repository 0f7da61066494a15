"""The incidents service over a socket with a clock that tests move, and short ways to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from dealix.incidents.v1 import (
    action_item_service_pb2,
    approval_service_pb2,
    incident_pb2,
    incident_service_pb2,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    obligation_pb2,
    obligation_service_pb2,
)
from google.protobuf.message import Message

from services.incidents.service import DEFINITION
from services.runtime.methods import methods_of
from services.runtime.testing import Running, running_service
from services.runtime.wire import timestamp
from tests.rpc.client import PERSON, Clock, ledger_of, new_request_id

PB, OBL, ACT, APR = incident_service_pb2, obligation_service_pb2, action_item_service_pb2, approval_service_pb2
_METHODS = {
    method.request_class: method
    for method in methods_of((*DEFINITION.modules, APR))
}  # fmt: skip

DECLARED, ACTIVE, MITIGATED, RESOLVED, CLOSED, CANCELLED = incident_pb2.IncidentState.values()[1:]
STATES = {number: name.removeprefix("INCIDENT_STATE_").lower() for name, number in incident_pb2.IncidentState.items()}


def kind(name: str) -> Any:
    """An obligation's kind by its id."""
    return obligation_pb2.ObligationKind.Value(f"OBLIGATION_KIND_{name.upper()}")


@dataclass(frozen=True, slots=True)
class Incidents:
    """A running service, its clock, and requests filled in with what they all need."""

    running: Running
    clock: Clock

    async def ask(self, request: Message) -> Any:
        """Sends a request to the RPC that it is for; a write gets an actor and a request_id where it has none."""
        method = _METHODS[type(request)]
        if method.writes:
            if not request.request_id:  # type: ignore[attr-defined]
                request.request_id = new_request_id()  # type: ignore[attr-defined]
            if not request.HasField("actor"):
                request.actor.CopyFrom(PERSON)  # type: ignore[attr-defined]
        call = self.running.channel.unary_unary(
            method.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=method.response_class.FromString,
        )
        return await call(request, timeout=30)

    async def declare(self, *, leak: bool = False, affected: int = 1, **fields: Any) -> incident_pb2.Incident:
        """Declares an incident: SEV3, but for what is given."""
        facts = incident_pb2.TriageFacts(title="توقف الربط", affected_customers=affected, data_leak=leak)
        return (await self.ask(PB.DeclareIncidentRequest(**{"facts": facts, **fields}))).incident  # type: ignore[no-any-return]

    async def step(self, incident_id: str, state: Any, reason: str = "", **fields: Any) -> Any:
        """Moves an incident to a state."""
        return await self.ask(
            PB.ChangeIncidentStateRequest(incident_id=incident_id, state=state, reason=reason, **fields)
        )

    async def steps(self, incident_id: str, *states: Any) -> None:
        """Moves an incident through states."""
        for state in states:
            await self.step(incident_id, state, "تقدم العمل")

    async def show(self, incident_id: str) -> Any:
        """The incident with everything that belongs to it."""
        return await self.ask(PB.GetIncidentRequest(incident_id=incident_id))

    async def obligations(self, incident_id: str, as_of: datetime | None = None) -> dict[str, Any]:
        """The obligations of an incident by id."""
        answer = await self.ask(
            OBL.ListObligationsRequest(
                incident_id=incident_id, page_size=200, as_of_time=timestamp(as_of) if as_of else None
            )
        )
        return {each.obligation_id: each for each in answer.obligations}

    async def states(self, incident_id: str, as_of: datetime | None = None) -> dict[str, str]:
        """The states of an incident's obligations by id."""
        return {
            name: obligation_pb2.ObligationState.Name(each.state).removeprefix("OBLIGATION_STATE_").lower()
            for name, each in (await self.obligations(incident_id, as_of)).items()
        }

    async def complete(self, incident_id: str, name: str, **fields: Any) -> Any:
        """Completes an obligation."""
        return await self.ask(OBL.CompleteObligationRequest(incident_id=incident_id, kind=kind(name), **fields))

    async def lines(self, incident_id: str) -> list[str]:
        """The kinds of an incident's timeline."""
        return [line.kind for line in (await self.show(incident_id)).timeline]

    async def alerts(self) -> list[Any]:
        """The alerts that were drafted, oldest first."""
        found = (await self.ask(APR.ListDraftsRequest(page_size=200))).drafts
        return list(reversed(found))

    async def entries(self) -> list[Any]:
        """The whole ledger."""
        stub = ledger_service_pb2_grpc.LedgerServiceStub(self.running.channel)  # type: ignore[no-untyped-call]
        return await ledger_of(stub, ledger_service_pb2, page_size=200)

    async def passes(self, **passed: float) -> int:
        """Time passes, and the service looks after what fell due; how many timers fired."""
        self.clock.pass_time(timedelta(**passed))
        return await self.running.service.catch_up()


@asynccontextmanager
async def incidents_at(folder: Path, database_url: str = "", clock: Clock | None = None) -> AsyncIterator[Incidents]:
    """The service on a database, or on its file in a folder. Its worker looks when it is told to."""
    clock = clock or Clock()
    async with running_service(
        DEFINITION, database_url=database_url, data_dir=folder, clock=clock, log_level="error", worker_seconds=0
    ) as running:
        yield Incidents(running, clock)


INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
REFUSED = grpc.StatusCode.FAILED_PRECONDITION
