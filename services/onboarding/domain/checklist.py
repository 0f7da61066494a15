"""The onboarding checklist of one customer: eight steps, what completes them, and when the customer is accepted.

Pure functions from a checklist to the next one; the moment of the change (``at``) is the caller's.

Rules that are decided here because nothing else fixes them:

- Completing a completed step changes nothing: the first completion and its approval stand.
- Unticking a step also unticks the completed steps that require it (directly or through another): a service run
  does not stay approved on a risk review that was withdrawn. ``unticked_with`` names them beforehand.
- Readiness is asked for at the moment of completing; a connector that breaks later does not untick anything,
  it shows in the acceptance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from services.domain.errors import InvalidInput, PreconditionFailed, Violation
from services.domain.texts import Bilingual
from services.onboarding.domain.catalog import Catalog, Step

DONE = "done"
# Approvals carry the approver's clock; this much disagreement with ours is not worth a refusal.
CLOCK_TOLERANCE = timedelta(minutes=1)


class ApprovalRequired(PreconditionFailed):
    """A person must approve first. Metadata: ``subject`` (a step id or connector key)."""

    reason: ClassVar[str] = "APPROVAL_REQUIRED"


class StepBlocked(PreconditionFailed):
    """A step needs others first, or the readiness gate. Metadata: ``customer_id``, ``step_id``."""

    reason: ClassVar[str] = "STEP_BLOCKED"


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's approval: who, and when (UTC)."""

    approved_by: str
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class Readiness:
    """The readiness gate: ready, or what is missing (connector keys; ``any_connector`` when none is connected)."""

    ready: bool
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of one checklist; completed when ``completed_at`` is set."""

    step_id: str
    completed_at: datetime | None = None
    approval: Approval | None = None

    @property
    def completed(self) -> bool:
        return self.completed_at is not None


@dataclass(frozen=True, slots=True)
class Checklist:
    """``steps`` hold one state per step of the catalogue, in its order."""

    customer_id: str
    bundle_id: str
    created_at: datetime
    steps: tuple[StepState, ...]

    @property
    def total_steps(self) -> int:
        return len(self.steps)

    @property
    def completed_steps(self) -> int:
        return sum(s.completed for s in self.steps)

    @property
    def progress_pct(self) -> float:
        """Completed steps in percent of all, to one decimal; half a tenth rounds up."""
        return percentage(self.completed_steps, self.total_steps)

    @property
    def current_step_id(self) -> str:
        """The first step that is not completed, ``done`` when all are."""
        return next((s.step_id for s in self.steps if not s.completed), DONE)

    def completed_ids(self) -> frozenset[str]:
        return frozenset(s.step_id for s in self.steps if s.completed)


def percentage(part: int, whole: int) -> float:
    """``part`` of ``whole`` in percent to one decimal, half up, computed in integers so that it is exact."""
    return (part * 2000 + whole) // (whole * 2) / 10


def new_checklist(catalog: Catalog, *, customer_id: str, bundle_id: str, at: datetime) -> Checklist:
    """A fresh checklist. Raises ``InvalidInput`` for an empty customer or an unknown bundle (both at once)."""
    violations = []
    if not customer_id.strip():
        violations.append(Violation("customer_id", "REQUIRED", "customer_id must not be empty."))
    if catalog.bundle(bundle_id) is None:
        known = ", ".join(b.id for b in catalog.bundles)
        violations.append(Violation("bundle_id", "UNKNOWN_BUNDLE", f"bundle_id must be one of: {known}."))
    if violations:
        raise InvalidInput(violations)
    return Checklist(customer_id, bundle_id, at, tuple(StepState(s.id) for s in catalog.steps))


def complete_step(
    catalog: Catalog,
    checklist: Checklist,
    step_id: str,
    *,
    at: datetime,
    approval: Approval | None = None,
    readiness: Readiness | None = None,
) -> Checklist:
    """Complete ``step_id`` at ``at``.

    ``readiness`` is only looked at where the step asks for it; None then means that nobody knows, which is not ready.
    An approval given for a step that needs none is kept beside it.

    Raises ``InvalidInput`` (unknown step; approval without a person, without a time zone, or later than ``at``),
    ``ApprovalRequired`` or ``StepBlocked`` (another step, or the readiness gate); either lists in ``missing``
    everything that stands in the way.
    """
    step = _step(catalog, step_id, approval_faults(approval, at))
    if _state(checklist, step_id).completed:
        return checklist
    completed = checklist.completed_ids()
    unmet = [r for r in step.requires if r not in completed]
    refused = step.requires_readiness and (readiness is None or not readiness.ready)
    lacking = readiness.missing if readiness is not None else ()
    missing: list[tuple[str, str, str]] = []
    if step.requires_approval and approval is None:
        missing.append(("APPROVAL", step.id, "A person must approve this step."))
    missing += [("STEP", r, "This step must be completed first.") for r in unmet]
    if refused:
        missing += [("CONNECTOR", key, "Must be connected before the first service.") for key in lacking] or [
            ("READINESS", checklist.customer_id, "Readiness for the first service is not known.")
        ]
    if step.requires_approval and approval is None:
        raise ApprovalRequired(f"step {step.id} needs an approval", missing, subject=step.id)
    if missing:
        raise StepBlocked(
            f"step {step.id} needs first: {', '.join(subject for _, subject, _ in missing)}",
            missing,
            customer_id=checklist.customer_id,
            step_id=step.id,
        )
    return _with(checklist, {step_id: StepState(step_id, at, approval)})


def unticked_with(catalog: Catalog, checklist: Checklist, step_id: str) -> tuple[str, ...]:
    """The steps that unticking ``step_id`` unticks, itself included, in order; empty when it is not completed."""
    _step(catalog, step_id)
    if not _state(checklist, step_id).completed:
        return ()
    withdrawn = {step_id}
    for step in catalog.steps:  # Requirements point backwards only (checked at load), so one pass finds them all.
        if withdrawn & set(step.requires):
            withdrawn.add(step.id)
    return tuple(s.step_id for s in checklist.steps if s.completed and s.step_id in withdrawn)


def untick_step(catalog: Catalog, checklist: Checklist, step_id: str) -> Checklist:
    """Take the completion of ``step_id`` back, and of the completed steps that require it; nothing to undo is fine.

    Raises ``InvalidInput`` for an unknown step.
    """
    return _with(checklist, {i: StepState(i) for i in unticked_with(catalog, checklist, step_id)})


def demo_checklist(catalog: Catalog, *, at: datetime) -> Checklist:
    """The example checklist of the catalogue, as if worked on at ``at``."""
    demo = catalog.demo
    checklist = new_checklist(catalog, customer_id=demo.customer_id, bundle_id=demo.bundle_id, at=at)
    for step_id in demo.completed:
        step = _step(catalog, step_id)
        approval = Approval(demo.approved_by, at) if step.requires_approval else None
        checklist = complete_step(catalog, checklist, step_id, at=at, approval=approval)
    return checklist


@dataclass(frozen=True, slots=True)
class ProofPack:
    """A Proof Pack as recorded: ``version`` 1 is the one that acceptance asks for."""

    version: int
    delivered_at: datetime | None = None
    approved_at: datetime | None = None
    approved_by: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class CadenceActivation:
    """The success cadence as recorded by success: since when it is active, and its reference there."""

    active_since: datetime | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact behind a criterion: what it is about, and where known when, by whom and under which reference."""

    subject: str
    met: bool
    at: datetime | None = None
    by: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    id: str
    title: Bilingual
    met: bool
    evidence: tuple[Evidence, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The subjects whose evidence is not there yet."""
        return tuple(e.subject for e in self.evidence if not e.met)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The four criteria in their fixed order; accepted when all are met."""

    criteria: tuple[Criterion, ...]

    @property
    def accepted(self) -> bool:
        return all(c.met for c in self.criteria)


def acceptance(
    catalog: Catalog,
    checklist: Checklist,
    *,
    ready_for_first_service: Readiness,
    proof_pack: ProofPack | None,
    cadence_active: CadenceActivation | None,
) -> Acceptance:
    """Whether the customer counts as onboarded, criterion by criterion with its evidence.

    A Proof Pack counts when it is delivered *and* approved by a person; None means that there is none.
    """
    by_id = {s.step_id: s for s in checklist.steps}
    steps = []
    for step in catalog.steps:
        if not step.asynchronous:
            state = by_id[step.id]
            by = state.approval.approved_by if state.approval else None
            steps.append(Evidence(step.id, state.completed, state.completed_at, by))

    ready = [Evidence(key, met=False) for key in ready_for_first_service.missing]
    if not ready:
        ready = [Evidence("connectors", ready_for_first_service.ready)]

    pack = proof_pack if proof_pack is not None else ProofPack(version=1)
    first = pack.version == 1
    proof = [
        Evidence(
            "proof_pack_delivered", first and pack.delivered_at is not None, pack.delivered_at, None, pack.reference
        ),
        Evidence(
            "proof_pack_approved",
            first and pack.approved_at is not None and bool(pack.approved_by),
            pack.approved_at,
            pack.approved_by,
            pack.reference,
        ),
    ]
    cadence = cadence_active if cadence_active is not None else CadenceActivation()
    active = [
        Evidence("success_cadence", cadence.active_since is not None, cadence.active_since, None, cadence.reference)
    ]
    return Acceptance(
        tuple(
            Criterion(id_, catalog.acceptance[id_], all(e.met for e in found), tuple(found))
            for id_, found in (
                ("steps_completed", steps),
                ("ready_for_first_service", ready),
                ("proof_pack_approved", proof),
                ("success_cadence_active", active),
            )
        )
    )


def approval_faults(approval: Approval | None, at: datetime, field: str = "approval") -> list[Violation]:
    """What is wrong with an approval given at ``at``; empty for none and for a good one."""
    if approval is None:
        return []
    found = []
    if not approval.approved_by.strip():
        found.append(Violation(f"{field}.approved_by", "REQUIRED", "approved_by must name a person."))
    if approval.approved_at.tzinfo is None:
        found.append(Violation(f"{field}.approved_at", "TIME_ZONE_REQUIRED", "approved_at must carry a time zone."))
    elif approval.approved_at.astimezone(UTC) > at + CLOCK_TOLERANCE:
        found.append(Violation(f"{field}.approved_at", "IN_FUTURE", "approved_at must not lie in the future."))
    return found


def _step(catalog: Catalog, step_id: str, faults: Sequence[Violation] = ()) -> Step:
    step = catalog.step(step_id)
    if step is None:
        known = ", ".join(s.id for s in catalog.steps)
        raise InvalidInput([Violation("step_id", "UNKNOWN_STEP", f"step_id must be one of: {known}."), *faults])
    if faults:
        raise InvalidInput(faults)
    return step


def _state(checklist: Checklist, step_id: str) -> StepState:
    return next(s for s in checklist.steps if s.step_id == step_id)


def _with(checklist: Checklist, changed: dict[str, StepState]) -> Checklist:
    return replace(checklist, steps=tuple(changed.get(s.step_id, s) for s in checklist.steps)) if changed else checklist
