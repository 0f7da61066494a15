"""``SuccessService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from dealix.success.v1 import success_service_pb2 as pb

from services.runtime.call import Call
from services.storage import paging
from services.storage.database import UnitOfWork
from services.success import handlers, store, wire
from services.success.domain.at_risk import assess_risk
from services.success.domain.catalog import Catalog
from services.success.domain.check_in import build_check_in
from services.success.domain.check_ins import StoredCheckIn
from services.success.domain.health import assess_health
from services.success.domain.plans import parse_bundle, success_plan


class SuccessServicer:
    """Check-ins, risk, plans and health."""

    service = "dealix.success.v1.SuccessService"

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def BuildWeeklyCheckIn(self, request: pb.BuildWeeklyCheckInRequest, _: Call) -> pb.BuildWeeklyCheckInResponse:
        facts = wire.check_in_facts(request.metrics)
        draft = build_check_in(facts, self._catalog.check_in)
        return pb.BuildWeeklyCheckInResponse(
            type=wire.CADENCE_TYPES.to_wire[draft.type],
            agenda_ar=draft.agenda_ar,
            talking_points_ar=draft.talking_points_ar,
            check_in=wire.built_check_in(request.customer_id, facts, draft),
        )

    async def BuildAtRiskAlert(self, request: pb.BuildAtRiskAlertRequest, _: Call) -> pb.BuildAtRiskAlertResponse:
        return wire.at_risk_alert(assess_risk(wire.at_risk_facts(request), self._catalog.at_risk))

    async def BuildSuccessPlan(self, request: pb.BuildSuccessPlanRequest, _: Call) -> pb.BuildSuccessPlanResponse:
        return wire.success_plan(success_plan(parse_bundle(request.bundle_id), self._catalog.plans))

    async def BuildHealthScore(self, request: pb.BuildHealthScoreRequest, _: Call) -> pb.BuildHealthScoreResponse:
        return wire.health(assess_health(wire.health_facts(request), self._catalog.health))

    async def CreateWeeklyCheckIn(self, request: pb.CreateWeeklyCheckInRequest, call: Call) -> bytes:
        command = wire.create_check_in(request)

        def create(unit: UnitOfWork) -> pb.CreateWeeklyCheckInResponse:
            created = handlers.create_check_in(unit, command, self._catalog.check_in)
            return pb.CreateWeeklyCheckInResponse(
                approval_required=created.needs_approval, check_in=wire.check_in(created)
            )

        return await call.write(request, create)

    async def GetWeeklyCheckIn(self, request: pb.GetWeeklyCheckInRequest, call: Call) -> pb.GetWeeklyCheckInResponse:
        found = await call.read(lambda tx: handlers.get_check_in(tx, request.check_in_id))
        return pb.GetWeeklyCheckInResponse(approval_required=found.needs_approval, check_in=wire.check_in(found))

    async def ListWeeklyCheckIns(
        self, request: pb.ListWeeklyCheckInsRequest, call: Call
    ) -> pb.ListWeeklyCheckInsResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"customer_id": request.customer_id})
        after = paging.decode_token(query, request.page_token, (int, str))
        found: list[StoredCheckIn] = await call.read(
            lambda tx: store.page_of_check_ins(tx, request.customer_id or None, after, size + 1)
        )
        page, token = paging.cut_page(found, size, query, store.check_in_key)
        return pb.ListWeeklyCheckInsResponse(
            approval_required=any(check_in.needs_approval for check_in in page),
            check_ins=[wire.check_in(check_in) for check_in in page],
            next_page_token=token,
        )
