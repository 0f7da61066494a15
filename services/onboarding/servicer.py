"""``OnboardingService`` and ``ConnectorService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from dealix.onboarding.v1 import checklist_pb2, connector_pb2
from dealix.onboarding.v1 import connector_service_pb2 as connector_pb
from dealix.onboarding.v1 import onboarding_service_pb2 as pb

from services.domain.checks import Checks
from services.onboarding import handlers, store, wire
from services.onboarding.domain.catalog import Catalog
from services.onboarding.domain.checklist import demo_checklist
from services.onboarding.domain.connections import Connection
from services.onboarding.domain.connectors import Summary, demo_summary, summarize
from services.onboarding.domain.progress import Progress, check_step_filter
from services.runtime.call import Call
from services.storage import paging
from services.storage.database import Tx, UnitOfWork

T = TypeVar("T")
A = TypeVar("A", pb.CreateChecklistResponse, pb.UpdateStepResponse, pb.GetDemoChecklistResponse)
S = TypeVar("S", connector_pb.BuildConnectorSummaryResponse, connector_pb.GetDemoConnectorSummaryResponse)


class OnboardingServicer:
    """Checklists, from the first step to acceptance."""

    service = "dealix.onboarding.v1.OnboardingService"

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._recoveries = [wire.recovery(recovery) for recovery in catalog.recoveries]

    async def CreateChecklist(self, request: pb.CreateChecklistRequest, call: Call) -> bytes:
        def create(unit: UnitOfWork) -> pb.CreateChecklistResponse:
            found = handlers.create_checklist(unit, self._catalog, request.customer_id, request.bundle_id)
            return _answer(pb.CreateChecklistResponse, wire.checklist(found, self._catalog))

        return await call.write(request, create)

    async def UpdateStep(self, request: pb.UpdateStepRequest, call: Call) -> bytes:
        update = wire.step_update(request)

        def change(unit: UnitOfWork) -> pb.UpdateStepResponse:
            found = handlers.update_step(unit, self._catalog, request.customer_id, update, request.etag)
            return _answer(pb.UpdateStepResponse, wire.checklist(found, self._catalog))

        return await call.write(request, change)

    async def GetDemoChecklist(self, _: pb.GetDemoChecklistRequest, call: Call) -> pb.GetDemoChecklistResponse:
        demo = demo_checklist(self._catalog, at=call.now)
        return _answer(pb.GetDemoChecklistResponse, wire.unsaved_checklist(demo, self._catalog))

    async def GetChecklist(self, request: pb.GetChecklistRequest, call: Call) -> pb.GetChecklistResponse:
        found = await call.read(lambda tx: handlers.get_checklist(tx, request.customer_id))
        return pb.GetChecklistResponse(
            approval_required=wire.has_step_to_approve(found, self._catalog),
            checklist=wire.checklist(found, self._catalog),
        )

    async def ListChecklists(self, request: pb.ListChecklistsRequest, call: Call) -> pb.ListChecklistsResponse:
        step_id = request.current_step_id
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"current_step_id": step_id})
        check_step_filter(self._catalog, "current_step_id", step_id, done=True)
        after = paging.decode_token(query, request.page_token, (int, str))
        found: list[Progress] = await call.read(lambda tx: store.page_of_progress(tx, step_id, after, size + 1))
        page, token = paging.cut_page(found, size, query, store.progress_key)
        return pb.ListChecklistsResponse(
            approval_required=any(wire.has_step_to_approve(progress, self._catalog) for progress in page),
            checklists=[wire.checklist(progress, self._catalog) for progress in page],
            next_page_token=token,
        )

    async def CheckAcceptance(self, request: pb.CheckAcceptanceRequest, call: Call) -> pb.CheckAcceptanceResponse:
        proof_pack = wire.proof_pack(request)
        handlers.check_proof_pack(proof_pack, call.now)
        found = await call.read(
            lambda tx: handlers.check_acceptance(
                tx, self._catalog, request.customer_id, proof_pack, request.cadence_active
            )
        )
        return pb.CheckAcceptanceResponse(
            accepted=found.accepted, criteria=[wire.criterion(criterion) for criterion in found.criteria]
        )

    async def ListRecoveryGuidance(
        self, request: pb.ListRecoveryGuidanceRequest, call: Call
    ) -> pb.ListRecoveryGuidanceResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"step_id": request.step_id})
        check_step_filter(self._catalog, "step_id", request.step_id, done=False)
        found = [guidance for guidance in self._recoveries if request.step_id in ("", guidance.step_id)]
        page, token = _page(found, size, query, request.page_token)
        return pb.ListRecoveryGuidanceResponse(guidance=page, next_page_token=token)


class ConnectorServicer:
    """The catalogue of connectors and the state of each customer's."""

    service = "dealix.onboarding.v1.ConnectorService"

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._specs = [wire.spec(connector) for connector in catalog.connectors]
        self._guides = {key: wire.guide(guide) for key, guide in catalog.guides.items()}

    async def ListConnectors(
        self, request: connector_pb.ListConnectorsRequest, call: Call
    ) -> connector_pb.ListConnectorsResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {})
        page, token = _page(self._specs, size, query, request.page_token)
        return connector_pb.ListConnectorsResponse(total=len(self._specs), connectors=page, next_page_token=token)

    async def BuildConnectorSummary(
        self, request: connector_pb.BuildConnectorSummaryRequest, _: Call
    ) -> connector_pb.BuildConnectorSummaryResponse:
        return _summary(connector_pb.BuildConnectorSummaryResponse, summarize(self._catalog, wire.statuses(request)))

    async def UpdateConnector(self, request: connector_pb.UpdateConnectorRequest, call: Call) -> bytes:
        update = wire.connector_update(request)

        def change(unit: UnitOfWork) -> connector_pb.UpdateConnectorResponse:
            found, states, summary = handlers.update_connector(
                unit, self._catalog, request.customer_id, request.connector_key, update, request.etag
            )
            return connector_pb.UpdateConnectorResponse(
                connector=wire.connector(found, self._catalog),
                summary=wire.summary(summary),
                recorded_states=[wire.STATES.to_wire[state] for state in states],
            )

        return await call.write(request, change)

    async def GetDemoConnectorSummary(
        self, _: connector_pb.GetDemoConnectorSummaryRequest, __: Call
    ) -> connector_pb.GetDemoConnectorSummaryResponse:
        return _summary(connector_pb.GetDemoConnectorSummaryResponse, demo_summary(self._catalog))

    async def GetConnectorSummary(
        self, request: connector_pb.GetConnectorSummaryRequest, call: Call
    ) -> connector_pb.GetConnectorSummaryResponse:
        def read(tx: Tx) -> list[Connection]:
            return handlers.connectors_of(tx, self._catalog, request.customer_id)

        found = await call.read(read)
        return connector_pb.GetConnectorSummaryResponse(
            summary=wire.summary(summarize(self._catalog, {c.connector_key: c.state for c in found})),
            connectors=[wire.connector(connection, self._catalog) for connection in found],
        )

    async def GetConnectorGuide(
        self, request: connector_pb.GetConnectorGuideRequest, _: Call
    ) -> connector_pb.GetConnectorGuideResponse:
        guide = self._guides.get(request.connector_key)
        if guide is None:
            checks = Checks()
            checks.note("connector_key", "UNKNOWN_VALUE", f"must be one of: {', '.join(self._guides)}")
            checks.done()
        return connector_pb.GetConnectorGuideResponse(guide=guide)


def _page(rows: Sequence[T], size: int, query: bytes, token: str) -> tuple[list[T], str]:
    """A page of a table that does not change while the service runs: the key is how many rows went before."""
    after = paging.decode_token(query, token, (int,))
    start = max(int(after[0]), 0) if after else 0
    numbered = list(enumerate(rows, start=1))[start : start + size + 1]
    page, following = paging.cut_page(numbered, size, query, lambda row: (row[0],))
    return [row for _, row in page], following


def _answer(kind: type[A], checklist: checklist_pb2.Checklist) -> A:
    return kind(
        total_steps=checklist.total_steps,
        current_step_id=checklist.current_step_id,
        steps=checklist.steps,
        progress_pct=checklist.progress_pct,
        checklist=checklist,
    )


def _summary(kind: type[S], found: Summary) -> S:
    summary: connector_pb2.ConnectorSummary = wire.summary(found)
    return kind(
        connected_count=summary.connected_count,
        connected_pct=summary.connected_pct,
        by_state=summary.by_state,
        blocking_missing=summary.blocking_missing,
        ready_for_first_service=summary.ready_for_first_service,
        summary=summary,
    )
