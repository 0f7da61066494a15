"""``SuccessService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from collections.abc import Sequence

from dealix.success.v1 import success_service_pb2 as pb

from services.domain.drafts import DraftState
from services.runtime.call import Call
from services.runtime.wire import context_of
from services.storage import paging
from services.storage.database import Tx, UnitOfWork
from services.success import activity_handlers, handlers, plan_handlers, store, wire
from services.success.activity_handlers import RiskNow
from services.success.domain.at_risk import assess_risk
from services.success.domain.catalog import Catalog
from services.success.domain.check_in import build_check_in
from services.success.domain.check_ins import StoredCheckIn
from services.success.domain.days import day_number, day_of, number_of
from services.success.domain.health import assess_health
from services.success.domain.plans import success_plan
from services.success.domain.risk_history import rank_bounds
from services.success.domain.touchpoints import TouchpointState
from services.success.plan_handlers import Shown


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
        return wire.success_plan(success_plan(wire.bundle(request.bundle_id), self._catalog.plans))

    async def BuildHealthScore(self, request: pb.BuildHealthScoreRequest, _: Call) -> pb.BuildHealthScoreResponse:
        return wire.health(assess_health(wire.health_facts(request), self._catalog.health))

    async def CreateWeeklyCheckIn(self, request: pb.CreateWeeklyCheckInRequest, call: Call) -> bytes:
        command = wire.create_check_in(request)

        def create(unit: UnitOfWork) -> pb.CreateWeeklyCheckInResponse:
            created = handlers.create_check_in(unit, command, self._catalog)
            return pb.CreateWeeklyCheckInResponse(approval_required=True, check_in=wire.check_in(created, unit.now))

        return await call.write(request, create)

    async def GetWeeklyCheckIn(self, request: pb.GetWeeklyCheckInRequest, call: Call) -> pb.GetWeeklyCheckInResponse:
        found = await call.read(lambda tx: handlers.get_check_in(tx, request.check_in_id))
        return pb.GetWeeklyCheckInResponse(
            approval_required=_waits(found, call), check_in=wire.check_in(found, call.now)
        )

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
            approval_required=any(_waits(check_in, call) for check_in in page),
            check_ins=[wire.check_in(check_in, call.now) for check_in in page],
            next_page_token=token,
        )

    # --- plans ---

    async def ActivatePlan(self, request: pb.ActivatePlanRequest, call: Call) -> bytes:
        terms = wire.plan_terms(request)

        def activate(unit: UnitOfWork) -> pb.ActivatePlanResponse:
            plan, made = plan_handlers.activate(unit, request.customer_id, terms, request.note, self._catalog)
            return pb.ActivatePlanResponse(
                plan=wire.plan(plan), touchpoints=[wire.touchpoint(found, self._catalog) for found in made]
            )

        return await call.write(request, activate)

    async def GetPlan(self, request: pb.GetPlanRequest, call: Call) -> pb.GetPlanResponse:
        found = await call.read(lambda tx: plan_handlers.get_plan(tx, request.customer_id))
        return pb.GetPlanResponse(plan=wire.plan(found))

    async def ChangePlan(self, request: pb.ChangePlanRequest, call: Call) -> bytes:
        new, consent = wire.new_terms(request), wire.consent_of(request.consent)

        def change(unit: UnitOfWork) -> pb.ChangePlanResponse:
            plan, kept, cancelled = plan_handlers.change(
                unit, request.customer_id, new, consent, request.note, request.etag, self._catalog
            )
            return pb.ChangePlanResponse(
                plan=wire.plan(plan),
                touchpoints=[wire.touchpoint(found, self._catalog) for found in kept],
                cancelled_touchpoints=cancelled,
                approval_required=any(found.state is TouchpointState.DRAFTED for found in kept),
            )

        return await call.write(request, change)

    async def SetRenewalDate(self, request: pb.SetRenewalDateRequest, call: Call) -> bytes:
        renewal = wire.day("renewal_date", request.renewal_date)

        def renew(unit: UnitOfWork) -> pb.SetRenewalDateResponse:
            plan, made, cancelled = plan_handlers.renew(
                unit, request.customer_id, renewal, request.note, request.etag, self._catalog
            )
            return pb.SetRenewalDateResponse(
                plan=wire.plan(plan),
                renewal_touchpoints=[wire.touchpoint(found, self._catalog) for found in made],
                cancelled_touchpoints=cancelled,
            )

        return await call.write(request, renew)

    async def EndPlan(self, request: pb.EndPlanRequest, call: Call) -> bytes:
        def end(unit: UnitOfWork) -> pb.EndPlanResponse:
            plan, cancelled = plan_handlers.end(unit, request.customer_id, request.reason, request.etag, self._catalog)
            return pb.EndPlanResponse(plan=wire.plan(plan), cancelled_touchpoints=cancelled)

        return await call.write(request, end)

    async def ListPlanChanges(self, request: pb.ListPlanChangesRequest, call: Call) -> pb.ListPlanChangesResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"customer_id": request.customer_id})
        after = paging.decode_token(query, request.page_token, (int,))
        number = int(after[0]) if after is not None else 0
        found = await call.read(lambda tx: store.page_of_changes(tx, request.customer_id, number, size + 1))
        page, token = paging.cut_page(found, size, query, lambda change: (change.number,))
        return pb.ListPlanChangesResponse(changes=[wire.plan_change(c) for c in page], next_page_token=token)

    # --- touchpoints ---

    async def ListDueTouchpoints(
        self, request: pb.ListDueTouchpointsRequest, call: Call
    ) -> pb.ListDueTouchpointsResponse:
        customer_id, context = request.customer_id, wire.context_of_customer(request, request.customer_id)
        size, day = paging.page_size(request.page_size), wire.as_of(request, call.now)
        asked = day if request.HasField("as_of_time") else -1
        query = paging.query_key(call.method.path, {"customer_id": customer_id, "as_of": asked})
        after = paging.decode_token(query, request.page_token, (int, str))

        def due(tx: Tx) -> tuple[list[Shown], str]:
            found = store.page_of_due(tx, day, customer_id, after, size + 1)
            page, token = paging.cut_page(found, size, query, store.waiting_key)
            return plan_handlers.shown(tx, page, day, call.now, context, self._catalog), token

        page, token = await call.read(due)
        return pb.ListDueTouchpointsResponse(
            approval_required=_any_undecided(page),
            touchpoints=[wire.shown_touchpoint(found, day, self._catalog, waits=True) for found in page],
            next_page_token=token,
            as_of_date=day_of(day).isoformat(),
        )

    async def ListTouchpoints(self, request: pb.ListTouchpointsRequest, call: Call) -> pb.ListTouchpointsResponse:
        size, day, context = paging.page_size(request.page_size), day_number(call.now), context_of(request)
        query = paging.query_key(call.method.path, {"customer_id": request.customer_id, "state": request.state})
        after = paging.decode_token(query, request.page_token, (int, str))
        state = wire.state_filter(request.state)

        def listed(tx: Tx) -> tuple[list[Shown], str]:
            found = plan_handlers.page_of_touchpoints(
                tx, request.customer_id, state, after, size + 1, day, context, self._catalog
            )
            page, token = paging.cut_page(found, size, query, store.touchpoint_key)
            waiting = [store.Waiting(one, number_of(one.due_on)) for one in page]
            return plan_handlers.shown(tx, waiting, day, call.now, context, self._catalog), token

        page, token = await call.read(listed)
        return pb.ListTouchpointsResponse(
            approval_required=_any_undecided(page),
            touchpoints=[wire.shown_touchpoint(found, day, self._catalog) for found in page],
            next_page_token=token,
        )

    async def GetTouchpoint(self, request: pb.GetTouchpointRequest, call: Call) -> pb.GetTouchpointResponse:
        day = day_number(call.now)

        def get(tx: Tx) -> list[Shown]:
            found = plan_handlers.get_touchpoint(tx, request.touchpoint_id)
            waiting = [store.Waiting(found, number_of(found.due_on))]
            context = wire.context_of_customer(request, found.customer_id)
            return plan_handlers.shown(tx, waiting, day, call.now, context, self._catalog)

        found = await call.read(get)
        return pb.GetTouchpointResponse(
            approval_required=_any_undecided(found), touchpoint=wire.shown_touchpoint(found[0], day, self._catalog)
        )

    async def AddTouchpoint(self, request: pb.AddTouchpointRequest, call: Call) -> bytes:
        day = wire.day("due_date", request.due_date)

        def add(unit: UnitOfWork) -> pb.AddTouchpointResponse:
            found = plan_handlers.add_touchpoint(
                unit, request.customer_id, request.key, day, request.reason, self._catalog
            )
            return pb.AddTouchpointResponse(touchpoint=wire.touchpoint(found, self._catalog))

        return await call.write(request, add)

    async def CompleteTouchpoint(self, request: pb.CompleteTouchpointRequest, call: Call) -> bytes:
        said = wire.completion(request)

        def complete(unit: UnitOfWork) -> pb.CompleteTouchpointResponse:
            found = plan_handlers.complete_touchpoint(unit, request.touchpoint_id, said, request.etag, self._catalog)
            return pb.CompleteTouchpointResponse(touchpoint=wire.touchpoint(found, self._catalog))

        return await call.write(request, complete)

    async def RescheduleTouchpoint(self, request: pb.RescheduleTouchpointRequest, call: Call) -> bytes:
        day = wire.day("due_date", request.due_date)

        def move(unit: UnitOfWork) -> pb.RescheduleTouchpointResponse:
            found = plan_handlers.reschedule_touchpoint(
                unit, request.touchpoint_id, day, request.reason, request.etag, self._catalog
            )
            return pb.RescheduleTouchpointResponse(touchpoint=wire.touchpoint(found, self._catalog))

        return await call.write(request, move)

    # --- activity, risk and health ---

    async def RecordActivity(self, request: pb.RecordActivityRequest, call: Call) -> bytes:
        events = wire.new_activities(request)

        def record(unit: UnitOfWork) -> pb.RecordActivityResponse:
            made = activity_handlers.record_activity(unit, request.customer_id, events, self._catalog)
            return pb.RecordActivityResponse(activities=[wire.activity(found) for found in made])

        return await call.write(request, record)

    async def ListActivities(self, request: pb.ListActivitiesRequest, call: Call) -> pb.ListActivitiesResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"customer_id": request.customer_id, "kind": request.kind})
        after = paging.decode_token(query, request.page_token, (int, str))
        kind = wire.ACTIVITY_KINDS.to_domain.get(request.kind)
        found = await call.read(lambda tx: store.page_of_activities(tx, request.customer_id, kind, after, size + 1))
        page, token = paging.cut_page(found, size, query, store.activity_key)
        return pb.ListActivitiesResponse(activities=[wire.activity(one) for one in page], next_page_token=token)

    async def GetCustomerRisk(self, request: pb.GetCustomerRiskRequest, call: Call) -> pb.GetCustomerRiskResponse:
        day, brought = self._past_day(request, call), wire.brought_context(request)
        (found,) = await call.read(
            lambda tx: activity_handlers.risks_of(tx, [request.customer_id], day, self._catalog, brought)
        )
        return pb.GetCustomerRiskResponse(risk=wire.customer_risk(found))

    async def GetCustomerHealth(self, request: pb.GetCustomerHealthRequest, call: Call) -> pb.GetCustomerHealthResponse:
        day, brought = self._past_day(request, call), wire.brought_context(request)
        found = await call.read(
            lambda tx: activity_handlers.health_of(tx, request.customer_id, day, self._catalog, brought)
        )
        return pb.GetCustomerHealthResponse(health=wire.customer_health(found))

    async def ListAtRisk(self, request: pb.ListAtRiskRequest, call: Call) -> pb.ListAtRiskResponse:
        size, day = paging.page_size(request.page_size), self._past_day(request, call)
        asked = day if request.HasField("as_of_time") else -1
        query = paging.query_key(call.method.path, {"severity": request.severity, "as_of": asked})
        after = paging.decode_token(query, request.page_token, (int, str))
        bounds = rank_bounds(wire.level_filter(request.severity))

        def listed(tx: Tx) -> tuple[list[RiskNow], str]:
            found = store.page_at_risk(tx, day, bounds, after, size + 1)
            page, token = paging.cut_page(found, size, query, lambda row: row)
            customers = [customer_id for _, customer_id in page]
            return activity_handlers.risks_of(tx, customers, day, self._catalog), token

        page, token = await call.read(listed)
        return pb.ListAtRiskResponse(
            customers=[wire.customer_risk(found) for found in page],
            next_page_token=token,
            as_of_date=day_of(day).isoformat(),
        )

    async def CreateAtRiskAlert(self, request: pb.CreateAtRiskAlertRequest, call: Call) -> bytes:
        brought = wire.brought_context(request)

        def create(unit: UnitOfWork) -> pb.CreateAtRiskAlertResponse:
            made = handlers.create_alert(unit, request.customer_id, brought, self._catalog)
            day = number_of(made.day)
            (risk,) = activity_handlers.risks_of(unit.tx, [request.customer_id], day, self._catalog, brought)
            return pb.CreateAtRiskAlertResponse(
                approval_required=True, alert=wire.alert(made), risk=wire.customer_risk(risk)
            )

        return await call.write(request, create)

    async def ListAtRiskAlerts(self, request: pb.ListAtRiskAlertsRequest, call: Call) -> pb.ListAtRiskAlertsResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"customer_id": request.customer_id})
        after = paging.decode_token(query, request.page_token, (int, str))
        found = await call.read(lambda tx: store.page_of_alerts(tx, request.customer_id, after, size + 1))
        page, token = paging.cut_page(found, size, query, store.alert_key)
        return pb.ListAtRiskAlertsResponse(alerts=[wire.alert(one) for one in page], next_page_token=token)

    def _past_day(
        self, request: pb.GetCustomerRiskRequest | pb.GetCustomerHealthRequest | pb.ListAtRiskRequest, call: Call
    ) -> int:
        """The day that is asked for. Raises ``InvalidInput`` for one to come."""
        day = wire.as_of(request, call.now)
        activity_handlers.check_as_of(day, day_number(call.now))
        return day


def _waits(found: StoredCheckIn, call: Call) -> bool:
    return found.state_at(call.now) is DraftState.DRAFTED


def _any_undecided(page: Sequence[Shown]) -> bool:
    return any(found.undecided for found in page)
