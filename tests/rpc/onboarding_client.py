"""A running onboarding service with short ways to call it; every answer is checked for the invariant on its way."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dealix.common.v1 import actor_pb2, approval_pb2, ledger_pb2
from dealix.onboarding.v1 import (
    approval_service_pb2,
    approval_service_pb2_grpc,
    connector_pb2,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    onboarding_pb2,
)
from dealix.onboarding.v1 import connector_service_pb2 as cpb
from dealix.onboarding.v1 import connector_service_pb2_grpc as cpb_grpc
from dealix.onboarding.v1 import onboarding_service_pb2 as pb
from dealix.onboarding.v1 import onboarding_service_pb2_grpc as pb_grpc

from services.onboarding.service import DEFINITION
from services.runtime.testing import Running, running_service
from services.runtime.wire import timestamp
from tests.rpc.client import PERSON, pages

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
FOUNDER = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="founder-1", role=actor_pb2.ROLE_FOUNDER)

# Shaped like credentials of real providers, and nobody's.
TOKEN = "ya29.a0AfB_byC-1234567890abcdefghij"
SECRET = "sk_live_51H8aBcDeFgHiJkLmNoPqRsT"


def approval(by: actor_pb2.Actor = FOUNDER, at: datetime = START, note: str = "") -> approval_pb2.Approval:
    return approval_pb2.Approval(approver=by, approve_time=timestamp(at), note=note)


CUSTOMERS = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="cust-1.manager")
"""A person of the customer."""


def audit(at: datetime = START, reference: str = "doc-41") -> connector_pb2.OptInAudit:
    return connector_pb2.OptInAudit(opted_in_numbers=120, reference=reference, audit_time=timestamp(at))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Client:
    """The stubs of a running service, with defaults for what most calls have in common."""

    def __init__(self, running: Running, clock: Clock) -> None:
        self.running = running
        self.clock = clock
        self._onboarding = pb_grpc.OnboardingServiceStub(running.channel)
        self._connectors = cpb_grpc.ConnectorServiceStub(running.channel)
        self._approvals = approval_service_pb2_grpc.ApprovalServiceStub(running.channel)
        self._ledger = ledger_service_pb2_grpc.LedgerServiceStub(running.channel)

    @property
    def _stubs(self) -> tuple[Any, ...]:
        return (self._onboarding, self._connectors, self._approvals, self._ledger)

    async def call(self, request: Any) -> Any:
        """Sends a request to the method that is named like it."""
        name = type(request).__name__.removesuffix("Request")
        stub: Any = next(s for s in self._stubs if hasattr(s, name))
        answer = await getattr(stub, name)(request, timeout=20)
        assert answer.HasField("live_send_allowed")
        assert answer.live_send_allowed is False
        assert answer.HasField("approval_required")
        return answer

    async def create(self, customer_id: str = "cust-1", bundle_id: str = "", **more: Any) -> pb.CreateChecklistResponse:
        return await self.call(
            pb.CreateChecklistRequest(
                **{"request_id": str(uuid.uuid4()), "actor": PERSON, **more},
                customer_id=customer_id,
                bundle_id=bundle_id,
            )
        )

    async def step(
        self, step_id: str, completed: bool = True, customer_id: str = "cust-1", **more: Any
    ) -> pb.UpdateStepResponse:
        return await self.call(
            pb.UpdateStepRequest(
                **{"request_id": str(uuid.uuid4()), "actor": PERSON, **more},
                customer_id=customer_id,
                step_id=step_id,
                completed=completed,
            )
        )

    async def connect(
        self,
        connector_key: str,
        state: str = "CONNECTED_DRAFT_ONLY",
        customer_id: str = "cust-1",
        **more: Any,
    ) -> cpb.UpdateConnectorResponse:
        return await self.call(
            cpb.UpdateConnectorRequest(
                **{"request_id": str(uuid.uuid4()), "actor": PERSON, **more},
                customer_id=customer_id,
                connector_key=connector_key,
                state=connector_pb2.ConnectorState.Value(f"CONNECTOR_STATE_{state}"),
            )
        )

    async def write(self, kind: Any, customer_id: str = "cust-1", **fields: Any) -> Any:
        """Sends a write with a fresh request_id, by the operator unless said otherwise."""
        return await self.call(
            kind(**{"request_id": str(uuid.uuid4()), "actor": PERSON, **fields}, customer_id=customer_id)
        )

    async def approve(self, draft: Any, by: actor_pb2.Actor = FOUNDER, **fields: Any) -> Any:
        """Approves a draft as it stands."""
        return await self.call(
            approval_service_pb2.ApproveDraftRequest(
                request_id=str(uuid.uuid4()),
                actor=by,
                draft_id=draft.draft_id,
                content_hash=draft.content_hash,
                **fields,
            )
        )

    async def problem(self, connector_key: str, problem: str, **fields: Any) -> cpb.RecordConnectorProblemResponse:
        """Records a problem seen now."""
        return await self.write(
            cpb.RecordConnectorProblemRequest,
            connector_key=connector_key,
            problem=connector_pb2.ConnectorProblem.Value(f"CONNECTOR_PROBLEM_{problem}"),
            **{"occur_time": timestamp(self.clock.now), **fields},
        )

    async def test(self, connector_key: str, succeeded: bool = True, **fields: Any) -> cpb.RecordConnectorTestResponse:
        """Records a test made now."""
        return await self.write(
            cpb.RecordConnectorTestRequest,
            connector_key=connector_key,
            action=connector_pb2.CONNECTOR_TEST_ACTION_DRAFTED,
            succeeded=succeeded,
            **{"test_time": timestamp(self.clock.now), **fields},
        )

    async def audit(self, **fields: Any) -> cpb.RecordOptInAuditResponse:
        """Records an opt-in audit of WhatsApp made now."""
        return await self.write(
            cpb.RecordOptInAuditRequest,
            connector_key="whatsapp_cloud",
            **{
                "opted_in_numbers": 120,
                "source": connector_pb2.OPT_IN_SOURCE_WEB_FORM,
                "auditor": PERSON,
                "audit_time": timestamp(self.clock.now),
                "reference": "doc-41",
                **fields,
            },
        )

    async def review(self, outcome: str, **fields: Any) -> pb.RecordRiskReviewResponse:
        """Records a risk review made now."""
        return await self.write(
            pb.RecordRiskReviewRequest,
            outcome=onboarding_pb2.RiskOutcome.Value(f"RISK_OUTCOME_{outcome}"),
            **{
                "finding": "" if outcome == "CLEAN" else "قائمة لا يُعرف مصدرها",
                "reference": "review-7",
                "reviewer": PERSON,
                "review_time": timestamp(self.clock.now),
                **fields,
            },
        )

    async def proof_pack(self, event: str, **fields: Any) -> pb.RecordProofPackResponse:
        """Records what happened to Proof Pack v1 now."""
        return await self.write(
            pb.RecordProofPackRequest,
            event=onboarding_pb2.ProofPackEvent.Value(f"PROOF_PACK_EVENT_{event}"),
            **{"person": PERSON, "occur_time": timestamp(self.clock.now), "reference": "pack-1", **fields},
        )

    async def onboarding(self, customer_id: str = "cust-1") -> onboarding_pb2.Onboarding:
        """Everything about an onboarding."""
        return (await self.call(pb.GetOnboardingRequest(customer_id=customer_id))).onboarding

    async def issues(self, customer_id: str = "cust-1", **fields: Any) -> list[connector_pb2.ConnectorIssue]:
        """The customer's issues, open ones unless said otherwise."""
        return list((await self.call(cpb.ListConnectorIssuesRequest(customer_id=customer_id, **fields))).issues)

    async def events(self, connector_key: str = "", customer_id: str = "cust-1") -> list[connector_pb2.ConnectorEvent]:
        """What happened to a customer's connectors, oldest first, read to its end page by page."""

        def ask(token: str) -> Awaitable[Any]:
            return self.call(
                cpb.ListConnectorEventsRequest(
                    customer_id=customer_id, connector_key=connector_key, page_size=3, page_token=token
                )
            )

        return [event async for page in pages(ask) for event in page.events][::-1]

    async def entries(self, subject: str = "") -> list[ledger_pb2.LedgerEntry]:
        """The whole ledger, or what it holds of a subject."""

        def ask(token: str) -> Awaitable[Any]:
            return self.call(ledger_service_pb2.ListLedgerRequest(subject=subject, page_size=200, page_token=token))

        return [entry async for page in pages(ask) for entry in page.entries]

    async def actions(self, subject: str = "") -> list[str]:
        return [entry.action for entry in await self.entries(subject)]


@asynccontextmanager
async def onboarding(data_dir: Path | None = None, database_url: str = "") -> AsyncIterator[Client]:
    """The real service on a free port, with its database in a file of ``data_dir`` or at ``database_url``."""
    clock = Clock()
    async with running_service(DEFINITION, data_dir=data_dir, database_url=database_url, clock=clock) as running:
        yield Client(running, clock)
