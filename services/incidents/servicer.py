"""``IncidentService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from dealix.incidents.v1 import incident_service_pb2 as pb

from services.incidents import handlers, store, wire
from services.incidents.domain.plan import ResponsePlan, response_plan
from services.incidents.domain.severity import Catalog, Severity
from services.incidents.domain.triage import triage
from services.runtime.call import Call
from services.storage import paging
from services.storage.database import UnitOfWork


class IncidentServicer:
    """Triage, response plans and incidents."""

    service = "dealix.incidents.v1.IncidentService"

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._plans = {severity: self._plan(response_plan(severity, catalog)) for severity in Severity}

    def _plan(self, plan: ResponsePlan) -> pb.GetResponsePlanResponse:
        return pb.GetResponsePlanResponse(
            severity=wire.SEVERITIES.to_wire[plan.severity],
            plan_ar=plan.plan_ar,
            plan_en=plan.plan_en,
            plan=[wire.step(step) for step in plan.steps],
            severity_details=wire.details(self._catalog.severities[plan.severity]),
        )

    async def TriageIncident(self, request: pb.TriageIncidentRequest, _: Call) -> pb.TriageIncidentResponse:
        found = wire.triage(triage(wire.facts(request.facts), wire.findings(request), self._catalog))
        return pb.TriageIncidentResponse(
            severity=found.severity,
            reason_ar=found.reason_ar,
            severity_details=found.severity_details,
            triage=found,
        )

    async def GetResponsePlan(self, request: pb.GetResponsePlanRequest, _: Call) -> pb.GetResponsePlanResponse:
        # A copy: what is given back is stamped.
        answer = pb.GetResponsePlanResponse()
        answer.CopyFrom(self._plans[wire.SEVERITIES.to_domain[request.severity]])
        return answer

    async def DeclareIncident(self, request: pb.DeclareIncidentRequest, call: Call) -> bytes:
        command = wire.declaration(request)
        return await call.write(
            request,
            lambda unit: pb.DeclareIncidentResponse(
                incident=wire.incident(handlers.declare_incident(unit, command, self._catalog))
            ),
        )

    async def GetIncident(self, request: pb.GetIncidentRequest, call: Call) -> pb.GetIncidentResponse:
        incident, lines = await call.read(lambda tx: handlers.get_incident(tx, request.incident_id))
        return pb.GetIncidentResponse(incident=wire.incident(incident), timeline=[wire.line(line) for line in lines])

    async def ListIncidents(self, request: pb.ListIncidentsRequest, call: Call) -> pb.ListIncidentsResponse:
        wanted = store.IncidentFilter(
            severity=wire.SEVERITIES.to_domain.get(request.severity),
            state=wire.STATES.to_domain.get(request.state),
            open_only=request.open_only,
            customer_id=request.customer_id or None,
        )
        size = paging.page_size(request.page_size)
        query = paging.query_key(
            call.method.path,
            {
                "severity": request.severity,
                "state": request.state,
                "open_only": request.open_only,
                "customer_id": request.customer_id,
            },
        )
        after = paging.decode_token(query, request.page_token, (int, str))
        found = await call.read(lambda tx: store.page_of_incidents(tx, wanted, after, size + 1))
        page, token = paging.cut_page(found, size, query, store.incident_key)
        return pb.ListIncidentsResponse(
            approval_required=bool(page),
            incidents=[wire.incident(incident) for incident in page],
            next_page_token=token,
        )

    async def GetOperatingContext(
        self, request: pb.GetOperatingContextRequest, call: Call
    ) -> pb.GetOperatingContextResponse:
        now = call.now
        found = await call.read(lambda tx: handlers.operating_context(tx, request.customer_id))
        return pb.GetOperatingContextResponse(context=wire.operating_context(found, now))

    async def RecordPolicyBreach(self, request: pb.RecordPolicyBreachRequest, call: Call) -> bytes:
        breach = handlers.PolicyBreach(
            service=request.service,
            method=request.method,
            kind=wire.BREACH_KINDS.to_domain[request.kind].value,
        )

        def record(unit: UnitOfWork) -> pb.RecordPolicyBreachResponse:
            return pb.RecordPolicyBreachResponse(ledger_sequence=handlers.record_policy_breach(unit, breach))

        return await call.write(request, record)


async def _not_yet(_self: IncidentServicer, _request: object, _call: Call) -> bytes:
    raise NotImplementedError


for _name in (
    "ListIncidentTimeline",
    "ChangeIncidentState",
    "RaiseIncidentSeverity",
    "AssignIncidentRole",
    "UpdatePlanTask",
    "LinkIncident",
    "MarkIncidentDuplicate",
    "AddTimelineNote",
    "RecordIncidentUpdate",
    "SetIncidentClocksPaused",
):
    setattr(IncidentServicer, _name, _not_yet)
