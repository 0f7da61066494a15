"""``OnboardingService`` and ``ConnectorService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from dealix.onboarding.v1 import checklist_pb2, connector_pb2
from dealix.onboarding.v1 import connector_service_pb2 as connector_pb
from dealix.onboarding.v1 import onboarding_service_pb2 as pb

from services.approvals.wire import draft
from services.domain.checks import Checks
from services.domain.drafts import DraftState
from services.onboarding import connector_handlers, handlers, store, wire
from services.onboarding.domain import schedule
from services.onboarding.domain.accept import check_cadence
from services.onboarding.domain.catalog import RISK_RECOVERY, Catalog
from services.onboarding.domain.checklist import demo_checklist
from services.onboarding.domain.connections import Connection
from services.onboarding.domain.connectors import Summary, demo_summary, summarize
from services.onboarding.domain.issues import Event, Issue, find_connector
from services.onboarding.domain.progress import check_step_filter
from services.runtime.call import Call
from services.runtime.wire import context_of, moment
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
        self._recovery_of_risk = next(r for r in self._recoveries if r.recovery_id == RISK_RECOVERY)

    async def CreateChecklist(self, request: pb.CreateChecklistRequest, call: Call) -> bytes:
        def create(unit: UnitOfWork) -> pb.CreateChecklistResponse:
            found = handlers.create_checklist(
                unit, self._catalog, request.customer_id, request.bundle_id, request.start_date
            )
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
        return _answer(pb.GetDemoChecklistResponse, wire.unsaved_checklist(demo, self._catalog, call.now))

    async def GetChecklist(self, request: pb.GetChecklistRequest, call: Call) -> pb.GetChecklistResponse:
        now = call.now
        found = await call.read(lambda tx: handlers.view_checklist(tx, request.customer_id, now))
        return pb.GetChecklistResponse(
            approval_required=wire.has_step_to_approve(found.progress, self._catalog),
            checklist=wire.checklist(found, self._catalog),
        )

    async def ListChecklists(self, request: pb.ListChecklistsRequest, call: Call) -> pb.ListChecklistsResponse:
        step_id, now = request.current_step_id, call.now
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"current_step_id": step_id})
        check_step_filter(self._catalog, "current_step_id", step_id, done=True)
        after = paging.decode_token(query, request.page_token, (int, str))
        wanted = store.NewestPage(step_id, after, size + 1)
        found = await call.read(lambda tx: handlers.list_onboardings(tx, wanted, now))
        page, token = paging.cut_page(found, size, query, lambda line: store.progress_key(line.view.progress))
        return pb.ListChecklistsResponse(
            approval_required=any(wire.has_step_to_approve(line.view.progress, self._catalog) for line in page),
            checklists=[wire.checklist(line.view, self._catalog) for line in page],
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

    async def GetOnboarding(self, request: pb.GetOnboardingRequest, call: Call) -> pb.GetOnboardingResponse:
        now = call.now
        found = await call.read(lambda tx: handlers.get_onboarding(tx, self._catalog, request.customer_id, now))
        return pb.GetOnboardingResponse(
            approval_required=wire.has_step_to_approve(found.view.progress, self._catalog),
            onboarding=wire.onboarding(found, self._catalog),
        )

    async def ListOnboardings(self, request: pb.ListOnboardingsRequest, call: Call) -> pb.ListOnboardingsResponse:
        now, size = call.now, paging.page_size(request.page_size)
        filters = {"late_only": request.late_only, "accepted": request.accepted}
        query = paging.query_key(call.method.path, filters)
        after = paging.decode_token(query, request.page_token, (int, str))
        late_before = schedule.late_before(now) if request.late_only else None
        page = store.DuePage(request.accepted, late_before, after, size + 1)
        found = await call.read(lambda tx: handlers.list_onboardings(tx, page, now))
        lines, token = paging.cut_page(found, size, query, lambda line: handlers.line_key(self._catalog, line))
        return pb.ListOnboardingsResponse(
            approval_required=any(wire.has_step_to_approve(line.view.progress, self._catalog) for line in lines),
            onboardings=[wire.onboarding_line(line, self._catalog) for line in lines],
            next_page_token=token,
        )

    async def SetStepBlocker(self, request: pb.SetStepBlockerRequest, call: Call) -> bytes:
        party, since = wire.PARTIES.to_domain[request.party], moment(request, "since_time")

        def change(unit: UnitOfWork) -> pb.SetStepBlockerResponse:
            found = handlers.set_blocker(
                unit, self._catalog, request.customer_id, request.step_id, party, since, request.note
            )
            return pb.SetStepBlockerResponse(
                approval_required=wire.has_step_to_approve(found.progress, self._catalog),
                checklist=wire.checklist(found, self._catalog),
            )

        return await call.write(request, change)

    async def ClearStepBlocker(self, request: pb.ClearStepBlockerRequest, call: Call) -> bytes:
        def change(unit: UnitOfWork) -> pb.ClearStepBlockerResponse:
            found = handlers.clear_blocker(unit, self._catalog, request.customer_id, request.step_id)
            return pb.ClearStepBlockerResponse(
                approval_required=wire.has_step_to_approve(found.progress, self._catalog),
                checklist=wire.checklist(found, self._catalog),
            )

        return await call.write(request, change)

    async def RecordRiskReview(self, request: pb.RecordRiskReviewRequest, call: Call) -> bytes:
        wire.given_review(request, call.now)

        def change(unit: UnitOfWork) -> pb.RecordRiskReviewResponse:
            given = wire.given_review(request, unit.now)
            found = handlers.record_risk_review(unit, self._catalog, request.customer_id, given)
            return pb.RecordRiskReviewResponse(
                approval_required=found.open,
                risk_review=wire.risk_review(found),
                guidance=self._recovery_of_risk if found.open else None,
            )

        return await call.write(request, change)

    async def ResolveRiskProblem(self, request: pb.ResolveRiskProblemRequest, call: Call) -> bytes:
        def change(unit: UnitOfWork) -> pb.ResolveRiskProblemResponse:
            found = handlers.resolve_risk_problem(unit, request.customer_id, request.resolution)
            return pb.ResolveRiskProblemResponse(risk_review=wire.risk_review(found))

        return await call.write(request, change)

    async def RecordProofPack(self, request: pb.RecordProofPackRequest, call: Call) -> bytes:
        event, fact = wire.PROOF_EVENTS.to_domain[request.event], wire.given_proof(request, call.now)

        def change(unit: UnitOfWork) -> pb.RecordProofPackResponse:
            found = handlers.record_proof_pack(unit, request.customer_id, event, fact)
            return pb.RecordProofPackResponse(proof_pack=wire.proof_records(found))

        return await call.write(request, change)

    async def GetAcceptance(self, request: pb.GetAcceptanceRequest, call: Call) -> pb.GetAcceptanceResponse:
        cadence = wire.cadence(request)
        check_cadence(cadence, call.now)
        judged, stored = await call.read(
            lambda tx: handlers.get_acceptance(tx, self._catalog, request.customer_id, cadence)
        )
        return pb.GetAcceptanceResponse(
            met=judged.accepted,
            criteria=[wire.criterion(criterion) for criterion in judged.criteria],
            acceptance=wire.acceptance(stored) if stored is not None else None,
        )

    async def AcceptOnboarding(self, request: pb.AcceptOnboardingRequest, call: Call) -> bytes:
        cadence = wire.cadence(request)

        def change(unit: UnitOfWork) -> pb.AcceptOnboardingResponse:
            found = handlers.accept_onboarding(unit, self._catalog, request.customer_id, cadence)
            return pb.AcceptOnboardingResponse(acceptance=wire.acceptance(found))

        return await call.write(request, change)

    async def DraftStepApproval(self, request: pb.DraftStepApprovalRequest, call: Call) -> bytes:
        def change(unit: UnitOfWork) -> pb.DraftStepApprovalResponse:
            found = handlers.draft_step_approval(
                unit, self._catalog, request.customer_id, request.step_id, request.input
            )
            return pb.DraftStepApprovalResponse(
                approval_required=found.state_at(unit.now) is DraftState.DRAFTED, draft=draft(found, unit.now)
            )

        return await call.write(request, change)

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
        update, context = wire.connector_update(request), context_of(request)

        def change(unit: UnitOfWork) -> connector_pb.UpdateConnectorResponse:
            found, states, summary = connector_handlers.update_connector(
                unit, self._catalog, request.customer_id, request.connector_key, update, request.etag, context
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
            return connector_handlers.connectors_of(tx, self._catalog, request.customer_id)

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

    async def RecordConnectorProblem(self, request: connector_pb.RecordConnectorProblemRequest, call: Call) -> bytes:
        observed = wire.observation(request)

        def change(unit: UnitOfWork) -> connector_pb.RecordConnectorProblemResponse:
            found = connector_handlers.record_problem(
                unit, self._catalog, request.customer_id, request.connector_key, observed
            )
            return connector_pb.RecordConnectorProblemResponse(
                connector=wire.connector(found.connection, self._catalog),
                issue=next((wire.connector_issue(issue, self._catalog) for issue in found.issues), None),
                recorded_states=[wire.STATES.to_wire[state] for state in found.states],
            )

        return await call.write(request, change)

    async def RecordConnectorTest(self, request: connector_pb.RecordConnectorTestRequest, call: Call) -> bytes:
        check = wire.given_test(request)

        def change(unit: UnitOfWork) -> connector_pb.RecordConnectorTestResponse:
            found = connector_handlers.record_test(
                unit, self._catalog, request.customer_id, request.connector_key, check
            )
            return connector_pb.RecordConnectorTestResponse(
                connector=wire.connector(found.connection, self._catalog),
                issues=[wire.connector_issue(issue, self._catalog) for issue in found.issues],
            )

        return await call.write(request, change)

    async def RecordOptInAudit(self, request: connector_pb.RecordOptInAuditRequest, call: Call) -> bytes:
        audit = wire.given_opt_in_audit(request)

        def change(unit: UnitOfWork) -> connector_pb.RecordOptInAuditResponse:
            found = connector_handlers.record_audit(
                unit, self._catalog, request.customer_id, request.connector_key, audit
            )
            return connector_pb.RecordOptInAuditResponse(connector=wire.connector(found.connection, self._catalog))

        return await call.write(request, change)

    async def DraftConnectorApproval(self, request: connector_pb.DraftConnectorApprovalRequest, call: Call) -> bytes:
        def change(unit: UnitOfWork) -> connector_pb.DraftConnectorApprovalResponse:
            found = connector_handlers.draft_approval(unit, self._catalog, request.customer_id, request.connector_key)
            return connector_pb.DraftConnectorApprovalResponse(
                approval_required=found.state_at(unit.now) is DraftState.DRAFTED, draft=draft(found, unit.now)
            )

        return await call.write(request, change)

    async def ListConnectorEvents(
        self, request: connector_pb.ListConnectorEventsRequest, call: Call
    ) -> connector_pb.ListConnectorEventsResponse:
        customer_id, key = request.customer_id, request.connector_key
        self._check_key(key)
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"customer_id": customer_id, "connector_key": key})
        after = paging.decode_token(query, request.page_token, (int,))
        found: list[Event] = await call.read(lambda tx: store.page_of_events(tx, customer_id, key, after, size + 1))
        page, token = paging.cut_page(found, size, query, lambda event: (event.number,))
        return connector_pb.ListConnectorEventsResponse(
            events=[wire.connector_event(event) for event in page], next_page_token=token
        )

    async def ListConnectorIssues(
        self, request: connector_pb.ListConnectorIssuesRequest, call: Call
    ) -> connector_pb.ListConnectorIssuesResponse:
        customer_id, key, resolved = request.customer_id, request.connector_key, request.include_resolved
        self._check_key(key)
        size = paging.page_size(request.page_size)
        filters: dict[str, str | bool] = {
            "customer_id": customer_id,
            "connector_key": key,
            "include_resolved": resolved,
        }
        query = paging.query_key(call.method.path, filters)
        after = paging.decode_token(query, request.page_token, (int, str))
        found: list[Issue] = await call.read(
            lambda tx: store.page_of_issues(tx, customer_id, key, resolved, after, size + 1)
        )
        page, token = paging.cut_page(found, size, query, store.issue_key)
        return connector_pb.ListConnectorIssuesResponse(
            issues=[wire.connector_issue(issue, self._catalog) for issue in page], next_page_token=token
        )

    def _check_key(self, key: str) -> None:
        """Raises ``InvalidInput`` for an unknown connector; an empty one filters nothing."""
        checks = Checks()
        if key:
            find_connector(checks, self._catalog, key)
        checks.done()


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
