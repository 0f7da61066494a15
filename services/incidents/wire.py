"""The domain of incidents in the contract's words, and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dealix.common.v1 import channel_pb2, context_pb2, signal_pb2
from dealix.incidents.v1 import incident_pb2
from dealix.incidents.v1 import incident_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.incidents.case import moments_of
from services.incidents.domain import tasks
from services.incidents.domain.declare import Declaration
from services.incidents.domain.incidents import Incident
from services.incidents.domain.lifecycle import IncidentState
from services.incidents.domain.plan import PlanStep
from services.incidents.domain.severity import Rule, Severity, SeverityDetails, StepClock, StepCondition
from services.incidents.domain.tasks import PlanTask, TaskState
from services.incidents.domain.timeline import Role, TimelineLine
from services.incidents.domain.triage import SupportFindings, TriageFacts, TriageResult
from services.incidents.handlers import DeclareIncident, OperatingContext
from services.policy.live_send import Breach
from services.runtime.wire import CHANNEL_NUMBERS, EnumMap, actor, moment, timestamp

SEVERITIES = EnumMap(incident_pb2.Severity, Severity, "SEVERITY_")
STATES = EnumMap(incident_pb2.IncidentState, IncidentState, "INCIDENT_STATE_")
ROLES = EnumMap(incident_pb2.IncidentRole, Role, "INCIDENT_ROLE_")
TASK_STATES = EnumMap(incident_pb2.PlanTaskState, TaskState, "PLAN_TASK_STATE_")
BREACH_KINDS = EnumMap(incident_pb2.PolicyBreachKind, Breach, "POLICY_BREACH_KIND_")
_RULES = EnumMap(incident_pb2.TriageRule, Rule, "TRIAGE_RULE_")
_CONDITIONS = EnumMap(incident_pb2.PlanStepCondition, StepCondition, "PLAN_STEP_CONDITION_")
_CLOCKS = EnumMap(incident_pb2.PlanStepClock, StepClock, "PLAN_STEP_CLOCK_")
# The domain takes support's signals by name and lets those pass that decide nothing.
_SIGNALS = {number: name.removeprefix("SIGNAL_") for name, number in signal_pb2.Signal.items() if number}


def facts(given: incident_pb2.TriageFacts) -> TriageFacts:
    """What the caller states."""
    return TriageFacts(
        title=given.title,
        description=given.description,
        affected_customers=given.affected_customers,
        data_leak=given.data_leak,
        unauthorized_send=given.unauthorized_send,
    )


def findings(request: pb.TriageIncidentRequest | pb.DeclareIncidentRequest) -> SupportFindings | None:
    """What support found, if the request brings it along."""
    if not request.HasField("support_findings"):
        return None
    given = request.support_findings
    return SupportFindings(
        consulted=given.consulted,
        signals=frozenset(_SIGNALS[number] for number in given.signals),
        open_ticket_ids=tuple(given.ticket_ids),
        distinct_affected_customers=given.distinct_customers,
    )


def declaration(request: pb.DeclareIncidentRequest) -> DeclareIncident:
    """What is to be declared."""
    return DeclareIncident(
        declaration=Declaration(
            facts=facts(request.facts),
            raise_severity_to=SEVERITIES.to_domain.get(request.raise_severity_to),
            raise_reason=request.raise_reason,
            aware_at=moment(request, "aware_time"),
            drill=request.drill,
        ),
        findings=findings(request),
        customer_ids=tuple(request.customer_ids),
        ticket_ids=tuple(request.ticket_ids),
        channel=request.channel,
    )


def details(found: SeverityDetails) -> incident_pb2.SeverityDetails:
    """What a severity means and asks for."""
    return incident_pb2.SeverityDetails(
        severity=SEVERITIES.to_wire[found.severity],
        meaning_ar=found.meaning_ar,
        meaning_en=found.meaning_en,
        first_action_minutes=found.first_action_minutes,
        update_interval_minutes=found.update_interval_minutes,
        post_mortem_hours=found.post_mortem_hours,
        post_mortem_ar=found.post_mortem_ar,
        post_mortem_en=found.post_mortem_en,
    )


def triage(found: TriageResult) -> incident_pb2.Triage:
    """A severity and how it came about."""
    proposal = found.proposal
    return incident_pb2.Triage(
        severity=SEVERITIES.to_wire[found.severity],
        decided_by=_RULES.to_wire[found.decided_by],
        caller_severity=SEVERITIES.to_wire[found.caller_severity],
        caller_decided_by=_RULES.to_wire[found.caller_decided_by],
        proposed_severity=SEVERITIES.to_wire[proposal.severity] if proposal else incident_pb2.SEVERITY_UNSPECIFIED,
        proposal_reason_ar=proposal.reason_ar if proposal else "",
        proposal_reason_en=proposal.reason_en if proposal else "",
        affected_customers=found.affected_customers,
        support_consulted=found.support_consulted,
        reason_ar=found.reason_ar,
        reason_en=found.reason_en,
        severity_details=details(found.details),
        rules=[
            incident_pb2.TriageHit(
                rule=_RULES.to_wire[hit.rule],
                severity=SEVERITIES.to_wire[hit.severity],
                reason_ar=hit.reason_ar,
                reason_en=hit.reason_en,
            )
            for hit in found.rules
        ],
    )


def task(found: PlanTask, all_tasks: Sequence[PlanTask], incident: Incident, now: datetime) -> incident_pb2.PlanTask:
    """One of an incident's tasks as it stands at ``now``."""
    due = tasks.due_at(found, moments_of(incident))
    holders = {held.role.value: held.person_id for held in incident.roles}
    return incident_pb2.PlanTask(
        number=found.number,
        step_id=found.step.id,
        text_ar=found.step.text_ar,
        text_en=found.step.text_en,
        state=TASK_STATES.to_wire[found.state],
        owner_role=found.step.owner.value,
        owner_id=found.owner_id or holders.get(found.step.owner.value, ""),
        due_time=maybe(due),
        overdue=due is not None and now > due,
        done_time=maybe(found.done_at),
        done_by=actor(found.done_by) if found.done_by is not None else None,
        note=found.note,
        depends_on=depends_on(found, all_tasks),
        may_be_skipped=found.step.optional,
        repeat_minutes=found.step.repeat_minutes,
        times_done=found.times_done,
        obligation="" if incident.drill else found.step.obligation,
    )


def depends_on(found: PlanTask, all_tasks: Sequence[PlanTask]) -> list[int]:
    """The numbers of the tasks that go before one."""
    return [each.number for each in all_tasks if each.step.id in found.step.depends_on]


def maybe(moment: datetime | None) -> Timestamp | None:
    """A point in time that may not be there."""
    return None if moment is None else timestamp(moment)


def step(found: PlanStep) -> incident_pb2.PlanStep:
    """One step of a plan."""
    return incident_pb2.PlanStep(
        number=found.number,
        step_id=found.id,
        text_ar=found.text_ar,
        text_en=found.text_en,
        due_minutes=found.due_minutes,
        owner=found.owner.value,
        condition=_CONDITIONS.to_wire[found.condition],
        due_from=_CLOCKS.to_wire[found.due_from],
        repeat_minutes=found.repeat_minutes,
        may_be_skipped=found.optional,
    )


def incident(found: Incident) -> incident_pb2.Incident:
    """An incident as it stands."""
    return incident_pb2.Incident(
        incident_id=found.incident_id,
        title=found.title,
        description=found.description,
        severity=SEVERITIES.to_wire[found.severity],
        triage=triage(found.triage),
        state=STATES.to_wire[found.state],
        customer_ids=found.customer_ids,
        ticket_ids=found.ticket_ids,
        channel=found.channel,
        data_leak=found.data_leak,
        unauthorized_send=found.unauthorized_send,
        drill=found.drill,
        aware_time=timestamp(found.aware_at),
        create_time=timestamp(found.declared_at),
        update_time=timestamp(found.updated_at),
        etag=found.etag,
        plan=[step(s) for s in found.plan],
        roles=[
            incident_pb2.RoleHolder(
                role=ROLES.to_wire[held.role], person_id=held.person_id, assign_time=timestamp(held.assigned_at)
            )
            for held in found.roles
        ],
        duplicate_of_incident_id=found.duplicate_of,
        resolve_time=maybe(found.resolved_at),
        leak_aware_time=maybe(found.leak_aware_at),
        clocks_paused=found.clocks_paused,
    )


def line(found: TimelineLine) -> incident_pb2.TimelineEntry:
    """One line of a timeline."""
    return incident_pb2.TimelineEntry(
        number=found.number,
        kind=found.entry.kind.value,
        text=found.entry.text,
        occur_time=timestamp(found.entry.occurred_at),
        record_time=timestamp(found.entry.recorded_at),
        actor=actor(found.actor),
        severity=SEVERITIES.to_wire[found.entry.severity],
        text_en=found.entry.text_en,
        subject=found.entry.subject,
    )


def operating_context(found: OperatingContext, now: datetime) -> context_pb2.Context:
    """What the other services need to know, as it stands at ``now``."""
    return context_pb2.Context(
        freezes_known=True,
        freezes=[
            context_pb2.ChannelFreeze(
                freeze_id=freeze.freeze_id,
                channel=CHANNEL_NUMBERS[freeze.channel] if freeze.channel else channel_pb2.CHANNEL_UNSPECIFIED,
                customer_id=freeze.customer_id,
                incident_id=freeze.incident_id,
            )
            for freeze in found.freezes
        ],
        incidents_known=True,
        incidents=[
            context_pb2.OpenIncident(
                incident_id=incident.incident_id,
                severity=incident.severity.value,
                create_time=timestamp(incident.declared_at),
            )
            for incident in found.incidents
        ],
        as_of_time=timestamp(now),
    )
