"""Onboarding's domain in the contract's words, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeVar

from dealix.common.v1 import actor_pb2, approval_pb2
from dealix.onboarding.v1 import (
    checklist_pb2,
    connector_pb2,
    connector_service_pb2,
    evidence_pb2,
    onboarding_pb2,
    onboarding_service_pb2,
)

from services.domain.errors import InvalidInput, Violation
from services.domain.riyadh import working_day
from services.domain.texts import Bilingual
from services.onboarding.domain import catalog as tables
from services.onboarding.domain import schedule
from services.onboarding.domain.accept import Cadence
from services.onboarding.domain.approvals import Approval
from services.onboarding.domain.blockers import Blocker, blocked_minutes
from services.onboarding.domain.catalog import BlockingParty, Catalog, ConnectorMode, ConnectorProblem, ConnectorState
from services.onboarding.domain.checklist import DONE, Checklist, Criterion, ProofPack, StepState
from services.onboarding.domain.connections import (
    Connection,
    OptInAudit,
    OptInSource,
    SetupCheck,
    TestAction,
    Update,
    set_up,
)
from services.onboarding.domain.connectors import SetupCriterion, Summary, is_set_up
from services.onboarding.domain.evidence import Evidence
from services.onboarding.domain.issues import Event, EventKind, Issue, Observation
from services.onboarding.domain.issues import owner as issue_owner
from services.onboarding.domain.progress import Progress, StepUpdate
from services.onboarding.domain.proof import ProofPackEvent, ProofRecord, ProofRecords
from services.onboarding.domain.risk import RiskOutcome, RiskReview
from services.onboarding.handlers import Line, Overview, View
from services.onboarding.store import StoredAcceptance
from services.runtime.call import actor_of
from services.runtime.wire import CHANNEL_NUMBERS, EnumMap, actor, moment_at, timestamp
from services.storage.database import Actor

T = TypeVar("T")

STATES = EnumMap(connector_pb2.ConnectorState, ConnectorState, "CONNECTOR_STATE_")
PARTIES = EnumMap(checklist_pb2.BlockingParty, BlockingParty, "BLOCKING_PARTY_")
OUTCOMES = EnumMap(onboarding_pb2.RiskOutcome, RiskOutcome, "RISK_OUTCOME_")
PROOF_EVENTS = EnumMap(onboarding_pb2.ProofPackEvent, ProofPackEvent, "PROOF_PACK_EVENT_")
PROBLEMS = EnumMap(connector_pb2.ConnectorProblem, ConnectorProblem, "CONNECTOR_PROBLEM_")
EVENT_KINDS = EnumMap(connector_pb2.ConnectorEventKind, EventKind, "CONNECTOR_EVENT_KIND_")
TEST_ACTIONS = {
    TestAction.READ: connector_pb2.CONNECTOR_TEST_ACTION_READ,
    TestAction.DRAFTED: connector_pb2.CONNECTOR_TEST_ACTION_DRAFTED,
}
_MODES = EnumMap(connector_pb2.ConnectorMode, ConnectorMode, "CONNECTOR_MODE_")


def checklist(view: View, catalog: Catalog) -> checklist_pb2.Checklist:
    """A stored checklist, with the plan against what happened and who is waited for."""
    found = view.progress
    message = unsaved_checklist(found.checklist, catalog, view.now)
    waiting = view.blockers(catalog)
    for step in message.steps:
        step.given_input = found.given.get(step.step_id, "")
        if step.step_id in waiting:
            step.blocker.CopyFrom(_blocker(waiting[step.step_id]))
    message.risk_problem_open = view.situation.problem is not None
    message.create_time.CopyFrom(timestamp(found.checklist.created_at))
    message.update_time.CopyFrom(timestamp(found.updated_at))
    message.etag = found.etag
    return message


def unsaved_checklist(found: Checklist, catalog: Catalog, now: datetime) -> checklist_pb2.Checklist:
    """A checklist that nobody keeps: without times of its own and without an etag."""
    current = found.current_step_id
    due = schedule.due_on(catalog, found.start, current)
    return checklist_pb2.Checklist(
        customer_id=found.customer_id,
        bundle_id=found.bundle_id or "",
        total_steps=found.total_steps,
        current_step_id=current,
        progress_pct=found.progress_pct,
        steps=[_step(spec, state, found.start, now) for spec, state in zip(catalog.steps, found.steps, strict=True)],
        start_date=working_day(found.start, 1).isoformat(),
        due_date=due.isoformat(),
        days_late=0 if current == DONE else schedule.days_late(due, None, now),
    )


def has_step_to_approve(found: Progress, catalog: Catalog) -> bool:
    """Whether a step is open that a person must approve."""
    states = zip(catalog.steps, found.checklist.steps, strict=True)
    return any(spec.requires_approval and not state.completed for spec, state in states)


def _step(spec: tables.Step, state: StepState, start: date, now: datetime) -> checklist_pb2.ChecklistStep:
    planned = schedule.planned_on(start, spec)
    return checklist_pb2.ChecklistStep(
        number=spec.number,
        step_id=spec.id,
        title_ar=spec.title.ar,
        title_en=spec.title.en,
        estimated_minutes=spec.minutes or 0,
        asynchronous=spec.asynchronous,
        needs_approval=spec.requires_approval,
        input=spec.input or "",
        day=spec.day,
        completed=state.completed,
        complete_time=timestamp(state.completed_at) if state.completed_at else None,
        approval=_approval(state.approval) if state.approval else None,
        planned_date=planned.isoformat(),
        days_late=schedule.days_late(planned, state.completed_at, now),
        completed_by=actor(state.completed_by) if state.completed_by else None,
    )


def _blocker(found: Blocker) -> checklist_pb2.StepBlocker:
    return checklist_pb2.StepBlocker(
        party=PARTIES.to_wire[found.party],
        reason_id=found.reason_id,
        since_time=timestamp(found.since),
        reason_ar=found.reason.ar,
        reason_en=found.reason.en,
        note=found.note,
        recorder=actor(found.recorder) if found.recorder else None,
    )


def _approval(found: Approval) -> approval_pb2.Approval:
    kind = "person" if found.by_person else "service"
    return approval_pb2.Approval(
        approver=actor(Actor(kind, found.approved_by, found.role)),
        approve_time=timestamp(found.approved_at),
        note=found.note,
    )


def _given_approval(approval: approval_pb2.Approval, path: str) -> Approval:
    who = actor_of(approval.approver)
    return Approval(
        approved_by=who.id,
        approved_at=moment_at(approval.approve_time, f"{path}.approve_time"),
        by_person=approval.approver.kind == actor_pb2.ACTOR_KIND_PERSON,
        note=approval.note,
        role=who.role,
    )


def step_update(request: onboarding_service_pb2.UpdateStepRequest) -> StepUpdate:
    """The update that a request asks for."""
    return StepUpdate(
        step_id=request.step_id,
        completed=request.completed,
        approval=_given_approval(request.approval, "approval") if request.HasField("approval") else None,
        given=request.input,
        approval_id=request.approval_id,
    )


def proof_pack(request: onboarding_service_pb2.CheckAcceptanceRequest) -> ProofPack:
    """What a request tells of Proof Pack v1."""
    approval = None
    if request.HasField("proof_pack_approval"):
        approval = _given_approval(request.proof_pack_approval, "proof_pack_approval")
    return ProofPack(delivered=request.proof_pack_delivered, approval=approval)


def criterion(found: Criterion) -> checklist_pb2.AcceptanceCriterion:
    """One criterion of acceptance with its evidence."""
    return checklist_pb2.AcceptanceCriterion(
        criterion_id=found.id,
        met=found.met,
        evidence_ar=found.evidence.ar,
        evidence_en=found.evidence.en,
        evidence=[_evidence(item) for item in found.shown_by],
        missing=found.missing,
    )


def _evidence(found: Evidence) -> evidence_pb2.Evidence:
    return evidence_pb2.Evidence(
        subject=found.subject,
        actor=actor(found.actor) if found.actor is not None else None,
        time=timestamp(found.at) if found.at is not None else None,
        reference=found.reference,
    )


def onboarding(found: Overview, catalog: Catalog) -> onboarding_pb2.Onboarding:
    """Everything about one onboarding."""
    minutes = blocked_minutes(found.view.situation.recorded, found.view.now)
    return onboarding_pb2.Onboarding(
        checklist=checklist(found.view, catalog),
        guidance=[recovery(r) for r in found.guidance],
        risk_reviews=[risk_review(review) for review in found.reviews],
        proof_pack=proof_records(found.proofs) if found.proofs.delivery else None,
        acceptance=acceptance(found.acceptance) if found.acceptance else None,
        blocked_time=[
            onboarding_pb2.BlockedTime(party=PARTIES.to_wire[party], minutes=count) for party, count in minutes.items()
        ],
        open_issues=found.open_issues,
    )


def onboarding_line(found: Line, catalog: Catalog) -> onboarding_pb2.OnboardingLine:
    """One onboarding in a list."""
    whole = unsaved_checklist(found.view.progress.checklist, catalog, found.view.now)
    waiting = found.view.blockers(catalog).get(whole.current_step_id)
    due = date.fromisoformat(whole.due_date)
    return onboarding_pb2.OnboardingLine(
        customer_id=whole.customer_id,
        bundle_id=whole.bundle_id,
        current_step_id=whole.current_step_id,
        progress_pct=whole.progress_pct,
        start_date=whole.start_date,
        due_date=whole.due_date,
        # With all steps completed acceptance is what is late; an accepted one is late no more.
        days_late=0 if found.accepted_at is not None else schedule.days_late(due, None, found.view.now),
        blocker=_blocker(waiting) if waiting is not None else None,
        risk_problem_open=found.view.situation.problem is not None,
        open_issues=found.open_issues,
        accept_time=timestamp(found.accepted_at) if found.accepted_at is not None else None,
    )


def risk_review(found: RiskReview) -> onboarding_pb2.RiskReview:
    """The recorded outcome of a risk review."""
    return onboarding_pb2.RiskReview(
        review_id=found.review_id,
        customer_id=found.customer_id,
        outcome=OUTCOMES.to_wire[found.outcome],
        finding=found.finding,
        reference=found.reference,
        reviewer=actor(found.reviewer),
        review_time=timestamp(found.reviewed_at),
        open=found.open,
        resolver=actor(found.resolver) if found.resolver else None,
        resolve_time=timestamp(found.resolved_at) if found.resolved_at else None,
        resolution=found.resolution,
    )


def given_review(request: onboarding_service_pb2.RecordRiskReviewRequest, now: datetime) -> RiskReview:
    """The review that a request records; its id comes when it is stored."""
    return RiskReview(
        review_id="",
        customer_id=request.customer_id,
        outcome=OUTCOMES.to_domain[request.outcome],
        finding=request.finding,
        reference=request.reference,
        reviewer=actor_of(request.reviewer),
        reviewed_at=moment_at(request.review_time, "review_time"),
        recorded_at=now,
    )


def proof_records(found: ProofRecords) -> onboarding_pb2.ProofPack:
    """What is recorded of Proof Pack v1."""
    return onboarding_pb2.ProofPack(
        delivery=_proof_record(found.delivery) if found.delivery else None,
        approval=_proof_record(found.approval) if found.approval else None,
    )


def _proof_record(found: ProofRecord) -> onboarding_pb2.ProofPackRecord:
    return onboarding_pb2.ProofPackRecord(
        person=actor(found.person),
        occur_time=timestamp(found.occurred_at),
        reference=found.reference,
        record_time=timestamp(found.recorded_at),
        recorder=actor(found.recorder),
    )


def given_proof(request: onboarding_service_pb2.RecordProofPackRequest, now: datetime) -> ProofRecord:
    """The fact that a request records."""
    return ProofRecord(
        person=actor_of(request.person),
        occurred_at=moment_at(request.occur_time, "occur_time"),
        reference=request.reference,
        recorder=actor_of(request.actor),
        recorded_at=now,
    )


def acceptance(found: StoredAcceptance) -> onboarding_pb2.Acceptance:
    """A stored acceptance."""
    return onboarding_pb2.Acceptance(
        customer_id=found.customer_id,
        accept_time=timestamp(found.accepted_at),
        accepter=actor(found.accepter),
        criteria=[criterion(c) for c in found.criteria],
    )


def cadence(
    request: onboarding_service_pb2.GetAcceptanceRequest | onboarding_service_pb2.AcceptOnboardingRequest,
) -> Cadence:
    """What a request tells of the success cadence; where it tells nothing, nobody was asked."""
    if not request.HasField("cadence"):
        return Cadence()
    found = request.cadence
    at = moment_at(found.activate_time, "cadence.activate_time") if found.HasField("activate_time") else None
    who = actor_of(found.activator) if found.HasField("activator") else None
    return Cadence(found.active, at, who, found.reference)


def recovery(found: tables.Recovery) -> checklist_pb2.RecoveryGuidance:
    """What to do when a step gets stuck."""
    return checklist_pb2.RecoveryGuidance(
        recovery_id=found.id,
        step_id=found.step_id,
        connector_key=found.connector_key or "",
        title_ar=found.title.ar,
        title_en=found.title.en,
        actions_ar=[action.text.ar for action in found.actions],
        actions_en=[action.text.en for action in found.actions],
    )


def spec(found: tables.Connector) -> connector_pb2.ConnectorSpec:
    """A connector as the catalogue describes it."""
    needs = found.live_action_needs
    return connector_pb2.ConnectorSpec(
        connector_key=found.key,
        name_ar=found.name.ar,
        name_en=found.name.en,
        default_mode=_MODES.to_wire[found.default_mode],
        phase=found.phase,
        blocking=found.blocking,
        scopes=found.scopes,
        live_action_needs_ar=needs.ar,
        live_action_needs_en=needs.en,
        channel=CHANNEL_NUMBERS[found.channel],
    )


def guide(found: tables.Guide) -> connector_pb2.ConnectorGuide:
    """How to set a connector up."""
    return connector_pb2.ConnectorGuide(
        connector_key=found.connector_key,
        steps_ar=[step.ar for step in found.steps],
        steps_en=[step.en for step in found.steps],
        scopes=found.scopes,
        acceptance_ar=[condition.ar for condition in found.acceptance],
        acceptance_en=[condition.en for condition in found.acceptance],
        troubleshooting=[
            connector_pb2.Troubleshooting(
                problem_ar=trouble.symptom.ar,
                problem_en=trouble.symptom.en,
                remedy_ar=trouble.fix.ar,
                remedy_en=trouble.fix.en,
            )
            for trouble in found.troubleshooting
        ],
    )


def statuses(request: connector_service_pb2.BuildConnectorSummaryRequest) -> list[tuple[str, str]]:
    """Connector keys with their states, as a caller lists them; a state is empty where none is given."""
    return [(status.connector_key, STATES.to_domain.get(status.state, "")) for status in request.statuses]


def summary(found: Summary) -> connector_pb2.ConnectorSummary:
    """How the set-up of a customer's connectors stands."""
    return connector_pb2.ConnectorSummary(
        total=found.total,
        connected_count=found.connected_count,
        connected_pct=found.connected_pct,
        by_state=[
            connector_pb2.ConnectorStateCount(state=STATES.to_wire[state], count=count)
            for state, count in found.by_state.items()
        ],
        blocking_missing=found.blocking_missing,
        ready_for_first_service=found.ready_for_first_service,
        fixes=[
            connector_pb2.ConnectorFix(
                connector_key=fix.connector_key or "",
                owner=fix.owner.value,
                text_ar=fix.text.ar,
                text_en=fix.text.en,
                blocking=fix.blocks_first_service,
            )
            for fix in found.fixes
        ],
    )


def connector(found: Connection, catalog: Catalog) -> connector_pb2.Connector:
    """A customer's connector."""
    audit, check = found.opt_in_audit, found.setup_check
    criteria = set_up(catalog, found)
    test = None
    if check is not None:
        test = connector_pb2.ConnectorTest(
            action=TEST_ACTIONS.get(check.action, connector_pb2.CONNECTOR_TEST_ACTION_UNSPECIFIED),
            succeeded=check.test_succeeded,
            detail=check.detail,
            no_secret_in_logs=check.no_secret_in_logs,
            test_time=timestamp(check.checked_at),
            tester=actor(check.tester) if check.tester else None,
            reference=check.reference,
        )
    return connector_pb2.Connector(
        customer_id=found.customer_id,
        connector_key=found.connector_key,
        state=STATES.to_wire[found.state],
        approval=_approval(found.approval) if found.approval else None,
        opt_in_audit=connector_pb2.OptInAudit(
            opted_in_numbers=audit.opted_in_numbers,
            reference=audit.reference,
            audit_time=timestamp(audit.audited_at),
            source=connector_pb2.OptInSource.Value(f"OPT_IN_SOURCE_{audit.source.upper()}"),
            auditor=actor(audit.auditor) if audit.auditor else None,
        )
        if audit
        else None,
        settings=dict(found.settings),
        update_time=timestamp(found.updated_at) if found.updated_at else None,
        etag=found.etag,
        set_up=is_set_up(criteria),
        setup_criteria=_criteria(criteria),
        setup_check=connector_pb2.SetupCheck(
            test_succeeded=check.test_succeeded,
            no_secret_in_logs=bool(check.no_secret_in_logs),
            check_time=timestamp(check.checked_at),
            reference=check.reference,
        )
        if check
        else None,
        test=test,
        connect_time=timestamp(found.connected_at) if found.connected_at else None,
        connected_by=actor(found.connected_by) if found.connected_by else None,
        account_fingerprint=found.account,
    )


def connector_event(found: Event) -> connector_pb2.ConnectorEvent:
    """One line of a connector's history."""
    return connector_pb2.ConnectorEvent(
        customer_id=found.customer_id,
        number=found.number,
        connector_key=found.connector_key,
        kind=EVENT_KINDS.to_wire[found.kind],
        from_state=STATES.to_wire[found.before],
        to_state=STATES.to_wire[found.after],
        problem=PROBLEMS.to_wire[found.problem] if found.problem else connector_pb2.CONNECTOR_PROBLEM_UNSPECIFIED,
        issue_id=found.issue_id,
        detail=found.detail,
        reference=found.reference,
        actor=actor(found.actor),
        occur_time=timestamp(found.occurred_at),
        record_time=timestamp(found.recorded_at),
        outdated=found.outdated,
        test_succeeded=found.succeeded,
    )


def connector_issue(found: Issue, catalog: Catalog) -> connector_pb2.ConnectorIssue:
    """A problem with one connector."""
    rule = catalog.problems[found.problem]
    named = catalog.connector(found.connector_key)
    name = named.name if named is not None else Bilingual(found.connector_key, found.connector_key)
    title = rule.title.format(name=name)
    return connector_pb2.ConnectorIssue(
        issue_id=found.issue_id,
        customer_id=found.customer_id,
        connector_key=found.connector_key,
        problem=PROBLEMS.to_wire[found.problem],
        definitive=rule.definitive,
        title_ar=title.ar,
        title_en=title.en,
        remedy_ar=rule.remedy.ar,
        remedy_en=rule.remedy.en,
        owner=issue_owner(catalog, found).value,
        count=found.count,
        first_time=timestamp(found.first_at),
        last_time=timestamp(found.last_at),
        open_time=timestamp(found.opened_at),
        resolve_time=timestamp(found.resolved_at) if found.resolved_at else None,
        resolution=found.resolution.value if found.resolution else "",
        resolver=actor(found.resolver) if found.resolver else None,
    )


def observation(request: connector_service_pb2.RecordConnectorProblemRequest) -> Observation:
    """The problem that a request tells of."""
    return Observation(
        problem=PROBLEMS.to_domain[request.problem],
        occurred_at=moment_at(request.occur_time, "occur_time"),
        detail=request.detail,
        reference=request.reference,
    )


def given_test(request: connector_service_pb2.RecordConnectorTestRequest) -> SetupCheck:
    """The test that a request records."""
    return SetupCheck(
        test_succeeded=request.succeeded,
        no_secret_in_logs=request.no_secret_in_logs if request.HasField("no_secret_in_logs") else None,
        checked_at=moment_at(request.test_time, "test_time"),
        reference=request.reference,
        action=TestAction(
            connector_pb2.ConnectorTestAction.Name(request.action)[len("CONNECTOR_TEST_ACTION_") :].lower()
        ),
        detail=request.detail,
    )


def given_opt_in_audit(request: connector_service_pb2.RecordOptInAuditRequest) -> OptInAudit:
    """The audit that a request records."""
    return OptInAudit(
        opted_in_numbers=request.opted_in_numbers,
        reference=request.reference,
        audited_at=moment_at(request.audit_time, "audit_time"),
        source=_source(request.source),
        auditor=actor_of(request.auditor),
    )


def _source(number: connector_pb2.OptInSource.ValueType) -> OptInSource:
    return OptInSource(connector_pb2.OptInSource.Name(number)[len("OPT_IN_SOURCE_") :].lower())


def _criteria(found: Sequence[SetupCriterion]) -> list[connector_pb2.SetupCriterion]:
    return [
        connector_pb2.SetupCriterion(
            criterion_id=c.id,
            title_ar=c.title.ar,
            title_en=c.title.en,
            met=c.met,
            evidence=_evidence(c.shown_by) if c.shown_by is not None else None,
        )
        for c in found
    ]


def connector_update(request: connector_service_pb2.UpdateConnectorRequest) -> Update:
    """The update that a request asks for. ``InvalidInput`` naming every time that no calendar has."""
    faulty: list[Violation] = []

    def read(field: Literal["approval", "opt_in_audit", "setup_check"], convert: Callable[[Any, str], T]) -> T | None:
        try:
            return convert(getattr(request, field), field) if request.HasField(field) else None
        except InvalidInput as error:
            faulty.extend(error.violations)
            return None

    update = Update(
        state=STATES.to_domain[request.state],
        approval=read("approval", _given_approval),
        opt_in_audit=read("opt_in_audit", _given_audit),
        settings=dict(request.settings),
        setup_check=read("setup_check", _given_check),
        approval_id=request.approval_id,
        account_id=request.account_id,
        confirm_account_change=request.confirm_account_change,
    )
    if faulty:
        raise InvalidInput(faulty)
    return update


def _given_audit(audit: connector_pb2.OptInAudit, path: str) -> OptInAudit:
    return OptInAudit(
        audit.opted_in_numbers,
        audit.reference,
        moment_at(audit.audit_time, f"{path}.audit_time"),
        _source(audit.source),
        actor_of(audit.auditor) if audit.HasField("auditor") else None,
    )


def _given_check(check: connector_pb2.SetupCheck, path: str) -> SetupCheck:
    checked_at = moment_at(check.check_time, f"{path}.check_time")
    return SetupCheck(check.test_succeeded, check.no_secret_in_logs, checked_at, check.reference)
