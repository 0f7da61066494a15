"""The domain of customer success in the contract's words, and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TypeAlias

from dealix.common.v1 import approval_pb2
from dealix.success.v1 import activity_pb2, plan_pb2, success_pb2
from dealix.success.v1 import success_service_pb2 as pb

from services.domain.checks import Checks
from services.domain.context import Context
from services.domain.drafts import DraftState
from services.runtime.wire import CHANNEL_NUMBERS, EnumMap, actor, channel_of, context_of, moment, moment_at, timestamp
from services.success.activity_handlers import HealthNow, RiskNow
from services.success.domain.activity import COUNTED, Activity, ActivityKind, Known, NewActivity
from services.success.domain.alerts import StoredAlert
from services.success.domain.at_risk import AtRiskAlert, AtRiskFacts, RiskFactor, RiskLevel
from services.success.domain.cadence import CadenceType
from services.success.domain.catalog import Catalog
from services.success.domain.check_in import CheckIn, CheckInFacts, IncidentSeverity
from services.success.domain.check_ins import StoredCheckIn
from services.success.domain.days import day_number, day_of, parse_day
from services.success.domain.health import Health, HealthFacts, HealthVerdict
from services.success.domain.plans import Bundle, SuccessPlan, parse_bundle
from services.success.domain.stored_plans import (
    Consent,
    ConsentMethod,
    NewTerms,
    PlanChange,
    PlanChangeKind,
    PlanState,
    PlanTerms,
    StoredPlan,
    check_renewal,
)
from services.success.domain.touchpoints import Completion, Touchpoint, TouchpointKind, TouchpointState, title
from services.success.handlers import CreateCheckIn
from services.success.plan_handlers import Shown

TouchpointRequest: TypeAlias = pb.ListDueTouchpointsRequest | pb.ListTouchpointsRequest | pb.GetTouchpointRequest
RiskRequest: TypeAlias = pb.GetCustomerRiskRequest | pb.GetCustomerHealthRequest | pb.CreateAtRiskAlertRequest

CADENCE_TYPES = EnumMap(success_pb2.CadenceType, CadenceType, "CADENCE_TYPE_")
DRAFT_STATES = EnumMap(approval_pb2.DraftState, DraftState, "DRAFT_STATE_")
RISK_LEVELS = EnumMap(success_pb2.RiskSeverity, RiskLevel, "RISK_SEVERITY_")
ACTIVITY_KINDS = EnumMap(activity_pb2.ActivityKind, ActivityKind, "ACTIVITY_KIND_")
TOUCHPOINT_KINDS = EnumMap(plan_pb2.TouchpointKind, TouchpointKind, "TOUCHPOINT_KIND_")
TOUCHPOINT_STATES = EnumMap(plan_pb2.TouchpointState, TouchpointState, "TOUCHPOINT_STATE_")
_VERDICTS = EnumMap(success_pb2.HealthVerdict, HealthVerdict, "HEALTH_VERDICT_")
_PLAN_STATES = EnumMap(plan_pb2.PlanState, PlanState, "PLAN_STATE_")
_CHANGE_KINDS = EnumMap(plan_pb2.PlanChangeKind, PlanChangeKind, "PLAN_CHANGE_KIND_")
_CONSENT_METHODS = EnumMap(plan_pb2.ConsentMethod, ConsentMethod, "CONSENT_METHOD_")


def check_in_facts(metrics: success_pb2.WeekMetrics) -> CheckInFacts:
    """What happened in the week."""
    return CheckInFacts(
        drafts_approved=metrics.drafts_approved,
        replies=metrics.replies,
        meetings=metrics.meetings,
        risks_blocked=metrics.risks_blocked,
        pipeline_sar=metrics.pipeline_sar,
    )


def create_check_in(request: pb.CreateWeeklyCheckInRequest) -> CreateCheckIn:
    """The check-in to write."""
    return CreateCheckIn(
        customer_id=request.customer_id,
        facts=check_in_facts(request.metrics),
        open_severities=tuple(map(IncidentSeverity, request.open_incident_severities)),
        channel=channel_of(request.channel),
        context=context_of(request),
    )


def _content(facts: CheckInFacts, draft: CheckIn) -> success_pb2.WeeklyCheckIn:
    return success_pb2.WeeklyCheckIn(
        agenda=[
            success_pb2.AgendaItem(number=number, minutes=item.minutes, text_ar=item.title_ar, text_en=item.title_en)
            for number, item in enumerate(draft.agenda, start=1)
        ],
        talking_points_ar=draft.talking_points_ar,
        talking_points_en=draft.talking_points_en,
        metrics=success_pb2.WeekMetrics(
            drafts_approved=facts.drafts_approved,
            replies=facts.replies,
            meetings=facts.meetings,
            risks_blocked=facts.risks_blocked,
            pipeline_sar=facts.pipeline_sar,
        ),
    )


def built_check_in(customer_id: str, facts: CheckInFacts, draft: CheckIn) -> success_pb2.WeeklyCheckIn:
    """A check-in that is not stored."""
    content = _content(facts, draft)
    content.customer_id = customer_id
    content.draft_state = DRAFT_STATES.to_wire[DraftState.DRAFTED]
    return content


def check_in(found: StoredCheckIn, now: datetime) -> success_pb2.WeeklyCheckIn:
    """A stored check-in, with the state of its draft at ``now``."""
    content = _content(found.facts, found.draft)
    content.check_in_id = found.check_in_id
    content.customer_id = found.customer_id
    content.week_start = found.week_start.isoformat()
    content.draft_state = DRAFT_STATES.to_wire[found.state_at(now)]
    content.draft_id = found.draft_id
    content.create_time.CopyFrom(timestamp(found.created_at))
    return content


def at_risk_facts(request: pb.BuildAtRiskAlertRequest) -> AtRiskFacts:
    """What is known of a customer's activity: an absent input is not known, an absent Proof Pack none yet unless said so.

    ``InvalidInput`` for an age of what is said to be unknown.
    """
    if request.proof_pack_age_unknown and request.HasField("days_since_proof_pack"):
        checks = Checks()
        checks.note("days_since_proof_pack", "CONTRADICTION", "must be absent where it is not known")
        checks.done()
    return AtRiskFacts(
        days_inactive=request.days_inactive if request.HasField("days_inactive") else None,
        drafts_pending=request.drafts_pending if request.HasField("drafts_pending") else None,
        days_since_proof_pack=request.days_since_proof_pack if request.HasField("days_since_proof_pack") else None,
        no_proof_pack_yet=not request.HasField("days_since_proof_pack") and not request.proof_pack_age_unknown,
    )


def at_risk_alert(found: AtRiskAlert) -> pb.BuildAtRiskAlertResponse:
    """A risk score with its reasons."""
    return pb.BuildAtRiskAlertResponse(
        type=CADENCE_TYPES.to_wire[found.type],
        risk_score=found.risk_score,
        severity=RISK_LEVELS.to_wire[found.level],
        reasons_ar=found.reasons_ar,
        recommended_action_ar=found.recommended_action_ar,
        recommended_action_en=found.recommended_action_en,
        reasons=[
            success_pb2.RiskReason(factor=reason.input.value, points=reason.points, text_ar=ar, text_en=en)
            for reason, ar, en in zip(found.reasons, found.reasons_ar, found.reasons_en, strict=True)
        ],
        unknown_inputs=[name.value for name in found.unknown_inputs],
    )


def success_plan(found: SuccessPlan) -> pb.BuildSuccessPlanResponse:
    """A plan with its lines."""
    return pb.BuildSuccessPlanResponse(
        bundle_id=found.bundle.value,
        cadence_ar=found.cadence_ar,
        cadence_en=found.cadence_en,
        milestones=[
            success_pb2.PlanMilestone(day=line.day, text_ar=line.line_ar, text_en=line.line_en) for line in found.lines
        ],
    )


def health_facts(request: pb.BuildHealthScoreRequest) -> HealthFacts:
    """What is known of a customer; an absent input is not known."""
    return HealthFacts(
        csat=request.csat if request.HasField("csat") else None,
        pipeline_sar=request.pipeline_sar if request.HasField("pipeline_sar") else None,
        meetings=request.meetings if request.HasField("meetings") else None,
        approval_rate=request.approval_rate if request.HasField("approval_rate") else None,
        days_inactive=request.days_inactive if request.HasField("days_inactive") else None,
        drafts_pending=request.drafts_pending if request.HasField("drafts_pending") else None,
    )


def health(found: Health) -> pb.BuildHealthScoreResponse:
    """A health score with its factors."""
    return pb.BuildHealthScoreResponse(
        health_score=found.score,
        verdict=_VERDICTS.to_wire[found.verdict],
        coverage=found.coverage,
        factors=[
            success_pb2.HealthFactor(
                factor=factor.input.value,
                value=factor.value,
                points=factor.contribution,
                label_ar=factor.label_ar,
                label_en=factor.label_en,
            )
            for factor in found.factors
        ],
        summary_ar=found.verdict_ar,
        summary_en=found.verdict_en,
        score_low=found.score_low,
        score_high=found.score_high,
    )


# --- plans ------------------------------------------------------------------------------------------------------------


def plan_terms(request: pb.ActivatePlanRequest) -> PlanTerms:
    """What to activate a plan with. ``InvalidInput`` names all that is faulty in it."""
    checks = Checks()
    start = parse_day("start_date", request.start_date, checks)
    renewal = parse_day("renewal_date", request.renewal_date, checks)
    if not checks.violations:
        check_renewal(checks, start, renewal)
    bought = parse_bundle("bundle_id", request.bundle_id, checks)
    checks.done()
    return PlanTerms(bought, start, renewal, channel_of(request.channel))


def new_terms(request: pb.ChangePlanRequest) -> NewTerms:
    """What to change a plan to; what is empty stays. ``InvalidInput`` as in `plan_terms`."""
    checks = Checks()
    bought = parse_bundle("bundle_id", request.bundle_id, checks) if request.bundle_id else None
    start = parse_day("start_date", request.start_date, checks) if request.start_date else None
    checks.done()
    return NewTerms(bought, start, channel_of(request.channel) if request.channel else None)


def bundle(text: str) -> Bundle:
    """The bundle in a request. ``InvalidInput`` for an unknown one."""
    checks = Checks()
    found = parse_bundle("bundle_id", text, checks)
    checks.done()
    return found


def day(field: str, text: str) -> date:
    """The date in a field. ``InvalidInput`` for one that no calendar has."""
    checks = Checks()
    found = parse_day(field, text, checks)
    checks.done()
    return found


def as_of(request: object, now: datetime) -> int:
    """The number of the day that a request asks for: that of ``as_of_time``, or today's."""
    asked = moment(request, "as_of_time")
    return day_number(now if asked is None else asked)


def consent_of(given: plan_pb2.Consent) -> Consent:
    """The consent that a request brings."""
    return Consent(
        contact_id=given.contact_id,
        method=_CONSENT_METHODS.to_domain[given.method],
        consented_at=moment_at(given.consent_time, "consent.consent_time"),
        reference=given.reference,
    )


def plan(found: StoredPlan) -> plan_pb2.Plan:
    """A plan."""
    return plan_pb2.Plan(
        customer_id=found.customer_id,
        bundle_id=found.bundle.value,
        start_date=found.start_on.isoformat(),
        renewal_date=found.renewal_on.isoformat(),
        channel=CHANNEL_NUMBERS[found.channel],
        state=_PLAN_STATES.to_wire[found.state],
        activate_time=timestamp(found.activated_at),
        update_time=timestamp(found.updated_at),
        dated_until=found.dated_until.isoformat(),
        etag=found.etag,
    )


def plan_change(found: PlanChange) -> plan_pb2.PlanChange:
    """An entry of a plan's history."""
    message = plan_pb2.PlanChange(
        number=found.number,
        kind=_CHANGE_KINDS.to_wire[found.kind],
        bundle_id=found.bundle.value,
        start_date=found.start_on.isoformat(),
        renewal_date=found.renewal_on.isoformat(),
        channel=CHANNEL_NUMBERS[found.channel],
        note=found.note,
        actor=actor(found.actor),
        record_time=timestamp(found.recorded_at),
    )
    if found.consent is not None:
        message.consent.contact_id = found.consent.contact_id
        message.consent.method = _CONSENT_METHODS.to_wire[found.consent.method]
        message.consent.consent_time.CopyFrom(timestamp(found.consent.consented_at))
        message.consent.reference = found.consent.reference
    return message


def touchpoint(found: Touchpoint, catalog: Catalog) -> plan_pb2.Touchpoint:
    """A touchpoint, without what depends on a day."""
    said = title(found, catalog.plans, catalog.cadence)
    return plan_pb2.Touchpoint(
        touchpoint_id=found.touchpoint_id,
        customer_id=found.customer_id,
        kind=TOUCHPOINT_KINDS.to_wire[found.kind],
        state=TOUCHPOINT_STATES.to_wire[found.state],
        due_date=found.due_on.isoformat(),
        planned_date=found.planned_on.isoformat(),
        plan_day=found.plan_day,
        title_ar=said.ar,
        title_en=said.en,
        draft_id=found.draft_id,
        check_in_id=found.check_in_id,
        fire_time=timestamp(found.fired_at) if found.fired_at is not None else None,
        completer=actor(found.completer) if found.completer is not None else None,
        complete_time=timestamp(found.completed_at) if found.completed_at is not None else None,
        note=found.note,
        reference=found.reference,
        reschedule_reason=found.reschedule_reason,
        etag=found.etag,
    )


def shown_touchpoint(found: Shown, day: int, catalog: Catalog, *, waits: bool = False) -> plan_pb2.Touchpoint:
    """A touchpoint as of a day: when it was due then, for how long, and what stands in its way.

    ``waits``: it waited on that day, whatever became of it since; otherwise it waits while it is open.
    """
    message = touchpoint(found.touchpoint, catalog)
    message.due_date = day_of(found.due_day).isoformat()
    message.days_overdue = max(0, day - found.due_day) if waits or found.touchpoint.open else 0
    message.reasons.extend(
        plan_pb2.HoldReason(kind=hold.kind.value, text_ar=hold.reason.ar, text_en=hold.reason.en)
        for hold in found.holds
    )
    return message


def brought_context(request: RiskRequest) -> Context | None:
    """What was brought along; None where nothing was, which is not to have asked."""
    return context_of(request) if request.HasField("context") else None


def context_of_customer(request: TouchpointRequest, customer_id: str) -> Context:
    """What was brought along, as far as it is of a customer ('' for all); what is of another tells nothing of this one."""
    context = context_of(request)
    if customer_id and request.customer_id == customer_id:
        return context
    context = replace(context, first_proof_pack=None)
    if context.all_customers or not request.HasField("context"):
        return context
    return replace(context, incidents=(), incidents_known=False)


def completion(request: pb.CompleteTouchpointRequest) -> Completion:
    """What took place. Incidents that were opened only afterwards have nothing to do with it."""
    completed_at = moment_at(request.complete_time, "complete_time")
    context = context_of(request)
    later = {
        incident.incident_id
        for incident in request.context.incidents
        if moment_at(incident.create_time, "context.incidents.create_time") > completed_at
    }
    before = tuple(incident for incident in context.incidents if incident.incident_id not in later)
    return Completion(
        completed_at=completed_at,
        note=request.note,
        reference=request.reference,
        context=replace(context, incidents=before),
    )


def state_filter(number: int) -> TouchpointState | None:
    """The state that a list is asked for; None for all."""
    return TOUCHPOINT_STATES.to_domain.get(number)


# --- activity, risk and health ----------------------------------------------------------------------------------------


def new_activities(request: pb.RecordActivityRequest) -> list[NewActivity]:
    """The events to record."""
    return [
        NewActivity(
            kind=ACTIVITY_KINDS.to_domain[event.kind],
            occurred_at=moment_at(event.occur_time, f"events[{number}].occur_time"),
            count=event.count if event.HasField("count") else None,
            value=event.value if event.HasField("value") else None,
            reference=event.reference,
            corrects=event.corrects_activity_id,
        )
        for number, event in enumerate(request.events)
    ]


def activity(found: Activity) -> activity_pb2.Activity:
    """A recorded event."""
    return activity_pb2.Activity(
        activity_id=found.activity_id,
        customer_id=found.customer_id,
        kind=ACTIVITY_KINDS.to_wire[found.kind],
        occur_time=timestamp(found.occurred_at),
        record_time=timestamp(found.recorded_at),
        count=found.count if found.kind in COUNTED else None,
        value=found.value,
        reference=found.reference,
        corrects_activity_id=found.corrects,
        corrected_by_activity_id=found.corrected_by,
        actor=actor(found.actor),
    )


def _summary(known: Known) -> activity_pb2.ActivitySummary:
    profile = known.profile
    decided = known.drafts_decided
    return activity_pb2.ActivitySummary(
        last_active_date=known.last_active_on.isoformat() if known.last_active_on is not None else "",
        drafts_pending=profile.drafts_pending,
        drafts_approved=decided[0] if decided is not None else None,
        drafts_rejected=decided[1] if decided is not None else None,
        meetings=known.meetings,
        proof_packs_delivered=known.proof_packs_delivered,
        proof_packs_approved=known.proof_packs_approved,
        last_proof_pack_date=known.proof_pack_on.isoformat() if known.proof_pack_on is not None else "",
        no_proof_pack_yet=profile.no_proof_pack_yet,
        csat=known.csat,
        pipeline_sar=known.pipeline_sar,
    )


def customer_risk(found: RiskNow) -> activity_pb2.CustomerRisk:
    """A customer's risk with what it was a week before."""
    known = sum(factor.points is not None for factor in found.factors)
    complete = not found.alert.unknown_inputs
    complete_before = all(points is not None for _, points in found.points_before)
    score, before = found.alert.risk_score, found.score_before
    return activity_pb2.CustomerRisk(
        customer_id=found.known.customer_id,
        as_of_date=day_of(found.known.day).isoformat(),
        risk_score=score,
        severity=RISK_LEVELS.to_wire[found.alert.level],
        coverage=known / len(found.factors),
        factors=[_risk_factor(now, *then) for now, then in zip(found.factors, found.points_before, strict=True)],
        score_week_before=before if complete_before else None,
        severity_week_before=RISK_LEVELS.to_wire[found.level_before],
        score_change=score - before if complete and complete_before else None,
        recommended_action_ar=found.alert.recommended_action_ar,
        recommended_action_en=found.alert.recommended_action_en,
        activity=_summary(found.known),
    )


def _risk_factor(now: RiskFactor, value: int | None, points: int | None) -> activity_pb2.RiskFactor:
    change = None if now.points is None or points is None else now.points - points
    return activity_pb2.RiskFactor(
        factor=now.input.value,
        value=now.value,
        points=now.points,
        value_week_before=value,
        points_week_before=points,
        points_change=change,
        text_ar=now.text.ar,
        text_en=now.text.en,
    )


def customer_health(found: HealthNow) -> activity_pb2.CustomerHealth:
    """A customer's health with what it was a week before."""
    now, before = found.health, found.before
    message = activity_pb2.CustomerHealth(
        customer_id=found.known.customer_id,
        as_of_date=day_of(found.known.day).isoformat(),
        health_score=now.score,
        verdict=_VERDICTS.to_wire[now.verdict],
        coverage=now.coverage,
        score_low=now.score_low,
        score_high=now.score_high,
        score_week_before=before.score,
        verdict_week_before=_VERDICTS.to_wire[before.verdict],
        score_change=None if now.score is None or before.score is None else now.score - before.score,
        summary_ar=now.verdict_ar,
        summary_en=now.verdict_en,
        activity=_summary(found.known),
    )
    for factor, then in zip(now.factors, before.factors, strict=True):
        points, points_before = factor.contribution, then.contribution
        message.factors.append(
            success_pb2.HealthFactor(
                factor=factor.input.value,
                value=factor.value,
                points=points,
                label_ar=factor.label_ar,
                label_en=factor.label_en,
                value_week_before=then.value,
                points_week_before=points_before,
                points_change=None if points is None or points_before is None else points - points_before,
            )
        )
    return message


def level_filter(number: int) -> RiskLevel | None:
    """The severity that a list is asked for; None for all but low."""
    return RISK_LEVELS.to_domain.get(number)


def alert(found: StoredAlert) -> activity_pb2.AtRiskAlert:
    """A stored alert."""
    return activity_pb2.AtRiskAlert(
        alert_id=found.alert_id,
        customer_id=found.customer_id,
        as_of_date=found.day.isoformat(),
        risk_score=found.score,
        severity=RISK_LEVELS.to_wire[found.level],
        draft_id=found.draft_id,
        actor=actor(found.actor),
        create_time=timestamp(found.created_at),
    )
