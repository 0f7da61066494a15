"""The domain of customer success in the contract's words, and back."""

from __future__ import annotations

from dealix.common.v1 import approval_pb2
from dealix.success.v1 import success_pb2
from dealix.success.v1 import success_service_pb2 as pb

from services.domain.drafts import DraftState
from services.runtime.wire import EnumMap, timestamp
from services.success.domain.at_risk import AtRiskAlert, AtRiskFacts, RiskLevel
from services.success.domain.cadence import CadenceType
from services.success.domain.check_in import CheckIn, CheckInFacts, IncidentSeverity
from services.success.domain.check_ins import StoredCheckIn
from services.success.domain.health import Health, HealthFacts, HealthVerdict
from services.success.domain.plans import SuccessPlan
from services.success.handlers import CreateCheckIn

CADENCE_TYPES = EnumMap(success_pb2.CadenceType, CadenceType, "CADENCE_TYPE_")
DRAFT_STATES = EnumMap(approval_pb2.DraftState, DraftState, "DRAFT_STATE_")
_RISK_LEVELS = EnumMap(success_pb2.RiskSeverity, RiskLevel, "RISK_SEVERITY_")
_VERDICTS = EnumMap(success_pb2.HealthVerdict, HealthVerdict, "HEALTH_VERDICT_")


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


def check_in(found: StoredCheckIn) -> success_pb2.WeeklyCheckIn:
    """A stored check-in."""
    content = _content(found.facts, found.draft)
    content.check_in_id = found.check_in_id
    content.customer_id = found.customer_id
    content.week_start = found.week_start.isoformat()
    content.draft_state = DRAFT_STATES.to_wire[found.state]
    content.create_time.CopyFrom(timestamp(found.created_at))
    return content


def at_risk_facts(request: pb.BuildAtRiskAlertRequest) -> AtRiskFacts:
    """What is known of a customer's activity: an absent input is not known, an absent Proof Pack is none yet."""
    return AtRiskFacts(
        days_inactive=request.days_inactive if request.HasField("days_inactive") else None,
        drafts_pending=request.drafts_pending if request.HasField("drafts_pending") else None,
        days_since_proof_pack=request.days_since_proof_pack if request.HasField("days_since_proof_pack") else None,
        no_proof_pack_yet=not request.HasField("days_since_proof_pack"),
    )


def at_risk_alert(found: AtRiskAlert) -> pb.BuildAtRiskAlertResponse:
    """A risk score with its reasons."""
    return pb.BuildAtRiskAlertResponse(
        type=CADENCE_TYPES.to_wire[found.type],
        risk_score=found.risk_score,
        severity=_RISK_LEVELS.to_wire[found.level],
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
