"""``IncidentService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from typing import Any

from dealix.incidents.v1 import incident_service_pb2 as pb

from services.incidents import handlers, store, wire, wire_obligations
from services.incidents.case import Case
from services.incidents.domain.book import Book
from services.incidents.domain.lifecycle import Step
from services.incidents.domain.plan import ResponsePlan, response_plan
from services.incidents.domain.severity import Severity
from services.incidents.domain.tasks import TaskChange
from services.incidents.domain.triage import triage
from services.runtime.call import Call
from services.runtime.wire import moment
from services.storage import paging
from services.storage.database import UnitOfWork


class IncidentServicer:
    """Triage, response plans and incidents."""

    service = "dealix.incidents.v1.IncidentService"

    def __init__(self, book: Book) -> None:
        self._book = book
        self._catalog = book.catalog
        self._plans = {severity: self._plan(response_plan(severity, book.catalog)) for severity in Severity}

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
                incident=wire.incident(handlers.declare_incident(unit, command, self._book))
            ),
        )

    async def GetIncident(self, request: pb.GetIncidentRequest, call: Call) -> pb.GetIncidentResponse:
        now = call.now
        found = await call.read(lambda tx: handlers.get_incident(tx, request.incident_id, self._book, now))
        return pb.GetIncidentResponse(
            incident=wire.incident(found.incident),
            timeline=[wire.line(line) for line in found.lines[: handlers.MAX_LINES]],
            tasks=[wire.task(task, found.tasks, found.incident, now) for task in found.tasks],
            obligations=wire_obligations.present(found.obligations, now),
        )

    async def ListIncidentTimeline(
        self, request: pb.ListIncidentTimelineRequest, call: Call
    ) -> pb.ListIncidentTimelineResponse:
        size = paging.page_size(request.page_size)
        query = paging.query_key(call.method.path, {"incident_id": request.incident_id})
        key = paging.decode_token(query, request.page_token, (int,))
        after = int(key[0]) if key else 0
        found = await call.read(lambda tx: handlers.list_timeline(tx, request.incident_id, after, size + 1))
        page, token = paging.cut_page(found, size, query, lambda line: (line.number,))
        return pb.ListIncidentTimelineResponse(timeline=[wire.line(line) for line in page], next_page_token=token)

    async def ChangeIncidentState(self, request: pb.ChangeIncidentStateRequest, call: Call) -> bytes:
        step = Step(wire.STATES.to_domain[request.state], request.reason, moment(request, "occur_time"))

        def change(unit: UnitOfWork) -> pb.ChangeIncidentStateResponse:
            case = handlers.change_state(unit, request.incident_id, step, request.etag, self._book)
            return pb.ChangeIncidentStateResponse(approval_required=True, **_with_obligations(case))

        return await call.write(request, change)

    async def RaiseIncidentSeverity(self, request: pb.RaiseIncidentSeverityRequest, call: Call) -> bytes:
        command = handlers.RaiseSeverity(
            request.incident_id,
            wire.SEVERITIES.to_domain[request.severity],
            request.reason,
            request.data_leak,
            request.unauthorized_send,
            moment(request, "aware_time"),
            request.etag,
        )

        def raise_severity(unit: UnitOfWork) -> pb.RaiseIncidentSeverityResponse:
            case = handlers.raise_severity(unit, command, self._book)
            return pb.RaiseIncidentSeverityResponse(approval_required=True, **_with_obligations(case))

        return await call.write(request, raise_severity)

    async def AssignIncidentRole(self, request: pb.AssignIncidentRoleRequest, call: Call) -> bytes:
        role = wire.ROLES.to_domain[request.role]

        def assign(unit: UnitOfWork) -> pb.AssignIncidentRoleResponse:
            case = handlers.assign_role(
                unit, request.incident_id, role, request.person_id, request.note, request.etag, self._book
            )
            return pb.AssignIncidentRoleResponse(approval_required=True, incident=wire.incident(case.incident))

        return await call.write(request, assign)

    async def UpdatePlanTask(self, request: pb.UpdatePlanTaskRequest, call: Call) -> bytes:
        change = TaskChange(
            request.task_number, wire.TASK_STATES.to_domain.get(request.state), request.owner_id, request.note
        )

        def update(unit: UnitOfWork) -> pb.UpdatePlanTaskResponse:
            task, case = handlers.update_task(unit, request.incident_id, change, request.etag, self._book)
            return pb.UpdatePlanTaskResponse(
                approval_required=True,
                task=wire.task(task, case.tasks, case.incident, unit.now),
                incident=wire.incident(case.incident),
            )

        return await call.write(request, update)

    async def LinkIncident(self, request: pb.LinkIncidentRequest, call: Call) -> bytes:
        def link(unit: UnitOfWork) -> pb.LinkIncidentResponse:
            case = handlers.link(
                unit, request.incident_id, request.customer_ids, request.ticket_ids, request.etag, self._book
            )
            return pb.LinkIncidentResponse(approval_required=True, incident=wire.incident(case.incident))

        return await call.write(request, link)

    async def MarkIncidentDuplicate(self, request: pb.MarkIncidentDuplicateRequest, call: Call) -> bytes:
        def mark(unit: UnitOfWork) -> pb.MarkIncidentDuplicateResponse:
            case, other = handlers.mark_duplicate(
                unit,
                request.incident_id,
                request.duplicate_of_incident_id,
                request.reason,
                request.etag,
                self._book,
            )
            return pb.MarkIncidentDuplicateResponse(
                approval_required=True,
                incident=wire.incident(case.incident),
                duplicate_of=wire.incident(other.incident),
            )

        return await call.write(request, mark)

    async def AddTimelineNote(self, request: pb.AddTimelineNoteRequest, call: Call) -> bytes:
        occurred_at = moment(request, "occur_time")

        def add(unit: UnitOfWork) -> pb.AddTimelineNoteResponse:
            line, case = handlers.add_note(
                unit, request.incident_id, request.text, occurred_at, request.etag, self._book
            )
            return pb.AddTimelineNoteResponse(
                approval_required=True, line=wire.line(line), incident=wire.incident(case.incident)
            )

        return await call.write(request, add)

    async def RecordIncidentUpdate(self, request: pb.RecordIncidentUpdateRequest, call: Call) -> bytes:
        command = handlers.RecordUpdate(
            request.incident_id, request.text, moment(request, "occur_time"), request.late_reason, request.etag
        )

        def record(unit: UnitOfWork) -> pb.RecordIncidentUpdateResponse:
            met, following, case = handlers.record_update(unit, command, self._book)
            return pb.RecordIncidentUpdateResponse(
                approval_required=True,
                met=wire_obligations.obligation(met, unit.now) if met is not None else None,
                next=wire_obligations.obligation(following, unit.now) if following is not None else None,
                incident=wire.incident(case.incident),
            )

        return await call.write(request, record)

    async def SetIncidentClocksPaused(self, request: pb.SetIncidentClocksPausedRequest, call: Call) -> bytes:
        def pause(unit: UnitOfWork) -> pb.SetIncidentClocksPausedResponse:
            case = handlers.set_clocks_paused(
                unit, request.incident_id, request.paused, request.reason, request.etag, self._book
            )
            return pb.SetIncidentClocksPausedResponse(approval_required=True, **_with_obligations(case))

        return await call.write(request, pause)

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


def _with_obligations(case: Case) -> dict[str, Any]:
    """The incident, and its obligations as they stand now."""
    return {
        "incident": wire.incident(case.incident),
        "obligations": wire_obligations.present(case.obligations(), case.now),
    }
