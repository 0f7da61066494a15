"""Onboarding's domain in the contract's words, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from dealix.common.v1 import actor_pb2, approval_pb2
from dealix.onboarding.v1 import checklist_pb2, connector_pb2, connector_service_pb2, onboarding_service_pb2

from services.domain.errors import InvalidInput, Violation
from services.onboarding.domain import catalog as tables
from services.onboarding.domain.approvals import Approval
from services.onboarding.domain.catalog import Catalog, ConnectorMode, ConnectorState
from services.onboarding.domain.checklist import Checklist, Criterion, ProofPack, StepState
from services.onboarding.domain.connections import Connection, OptInAudit, SetupCheck, Update, set_up
from services.onboarding.domain.connectors import SetupCriterion, Summary, is_set_up
from services.onboarding.domain.progress import Progress, StepUpdate
from services.runtime.call import actor_of
from services.runtime.wire import EnumMap, actor, moment_at, timestamp
from services.storage.database import Actor

T = TypeVar("T")

STATES = EnumMap(connector_pb2.ConnectorState, ConnectorState, "CONNECTOR_STATE_")
_MODES = EnumMap(connector_pb2.ConnectorMode, ConnectorMode, "CONNECTOR_MODE_")


def checklist(found: Progress, catalog: Catalog) -> checklist_pb2.Checklist:
    """A stored checklist."""
    message = unsaved_checklist(found.checklist, catalog)
    for step in message.steps:
        step.given_input = found.given.get(step.step_id, "")
    message.create_time.CopyFrom(timestamp(found.checklist.created_at))
    message.update_time.CopyFrom(timestamp(found.updated_at))
    message.etag = found.etag
    return message


def unsaved_checklist(found: Checklist, catalog: Catalog) -> checklist_pb2.Checklist:
    """A checklist that nobody keeps: without times of its own and without an etag."""
    return checklist_pb2.Checklist(
        customer_id=found.customer_id,
        bundle_id=found.bundle_id or "",
        total_steps=found.total_steps,
        current_step_id=found.current_step_id,
        progress_pct=found.progress_pct,
        steps=[_step(spec, state) for spec, state in zip(catalog.steps, found.steps, strict=True)],
    )


def has_step_to_approve(found: Progress, catalog: Catalog) -> bool:
    """Whether a step is open that a person must approve."""
    states = zip(catalog.steps, found.checklist.steps, strict=True)
    return any(spec.requires_approval and not state.completed for spec, state in states)


def _step(spec: tables.Step, state: StepState) -> checklist_pb2.ChecklistStep:
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
        criterion_id=found.id, met=found.met, evidence_ar=found.evidence.ar, evidence_en=found.evidence.en
    )


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
    """Connector keys with their states, as a caller lists them."""
    return [(status.connector_key, STATES.to_domain[status.state]) for status in request.statuses]


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
    return connector_pb2.Connector(
        customer_id=found.customer_id,
        connector_key=found.connector_key,
        state=STATES.to_wire[found.state],
        approval=_approval(found.approval) if found.approval else None,
        opt_in_audit=connector_pb2.OptInAudit(
            opted_in_numbers=audit.opted_in_numbers,
            reference=audit.reference,
            audit_time=timestamp(audit.audited_at),
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
            no_secret_in_logs=check.no_secret_in_logs,
            check_time=timestamp(check.checked_at),
            reference=check.reference,
        )
        if check
        else None,
    )


def _criteria(found: Sequence[SetupCriterion]) -> list[connector_pb2.SetupCriterion]:
    return [
        connector_pb2.SetupCriterion(criterion_id=c.id, title_ar=c.title.ar, title_en=c.title.en, met=c.met)
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
    )
    if faulty:
        raise InvalidInput(faulty)
    return update


def _given_audit(audit: connector_pb2.OptInAudit, path: str) -> OptInAudit:
    return OptInAudit(audit.opted_in_numbers, audit.reference, moment_at(audit.audit_time, f"{path}.audit_time"))


def _given_check(check: connector_pb2.SetupCheck, path: str) -> SetupCheck:
    checked_at = moment_at(check.check_time, f"{path}.check_time")
    return SetupCheck(check.test_succeeded, check.no_secret_in_logs, checked_at, check.reference)
