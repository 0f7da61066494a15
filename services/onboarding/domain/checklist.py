"""The onboarding checklist of one customer: eight steps, what completes them, and when the customer is accepted.

Pure functions from a checklist to the next one; the moment of the change (``at``) is the caller's.

Rules that are decided here because nothing else fixes them:

- Completing a completed step changes nothing: the first completion and its approval stand.
- Unticking a step also unticks the completed steps that require it (directly or through another): a service run
  does not stay approved on a risk review that was withdrawn. ``unticked_with`` names them beforehand.
- Readiness is asked for at the moment of completing; a connector that breaks later does not untick anything,
  it shows in the acceptance. So does a problem that a later risk review finds: what was completed stays, but the customer
  is not accepted while it is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.dates import named_day
from services.domain.errors import InvalidInput, PreconditionFailed
from services.domain.riyadh import day_start, riyadh_date
from services.domain.texts import Bilingual
from services.onboarding.domain.approvals import Approval, ApprovalRequired, check_approval, require_person
from services.onboarding.domain.catalog import ANY_CONNECTOR, AcceptanceRule, Catalog, Step
from services.onboarding.domain.credentials import check_no_credential
from services.onboarding.domain.evidence import Evidence
from services.onboarding.domain.schedule import parse_start

DONE = "done"
_CHOOSES_BUNDLE = "bundle_id"


class StepBlocked(PreconditionFailed):
    """A step needs others first, or the readiness gate. Metadata: ``customer_id``, ``step_id``."""

    reason: ClassVar[str] = "STEP_BLOCKED"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The readiness gate: ready with what is connected, or what is missing.

    Both hold connector keys; ``any_connector`` is missing when none at all is connected.
    """

    ready: bool
    missing: tuple[str, ...] = ()
    connected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of one checklist; completed when ``completed_at`` is set. ``completed_by`` is None where nobody was kept.

    ``approval_id`` names the approval of a draft that was used up for it, empty where the approval was stated with the step.
    """

    step_id: str
    completed_at: datetime | None = None
    approval: Approval | None = None
    completed_by: ActorLike | None = None
    approval_id: str = ""

    @property
    def completed(self) -> bool:
        return self.completed_at is not None


@dataclass(frozen=True, slots=True)
class Checklist:
    """``steps`` hold one state per step of the catalogue, in its order. ``bundle_id`` is None until one is chosen.

    ``starts_on`` is the day from which the plan counts, in Riyadh; None for the day of its creation.
    """

    customer_id: str
    bundle_id: str | None
    created_at: datetime
    steps: tuple[StepState, ...]
    starts_on: date | None = None

    @property
    def start(self) -> date:
        """The day from which the plan counts."""
        return self.starts_on if self.starts_on is not None else riyadh_date(self.created_at)

    @property
    def earliest(self) -> datetime:
        """Before this nothing of the onboarding can have happened: the making of the checklist, or the day of its start."""
        return min(self.created_at, day_start(self.start))

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


def new_checklist(
    catalog: Catalog, *, customer_id: str, bundle_id: str | None, at: datetime, start_date: str = ""
) -> Checklist:
    """A fresh checklist, with the bundle agreed so far or None. An empty ``start_date`` is the day of ``at``.

    Raises ``InvalidInput`` for an empty customer, an unknown bundle or a faulty date (all at once).
    """
    checks = Checks()
    checks.text("customer_id", customer_id)
    if bundle_id is not None:
        _check_bundle(checks, catalog, "bundle_id", bundle_id)
    starts_on = parse_start(checks, start_date, at)
    checks.done()
    return Checklist(customer_id, bundle_id, at, tuple(StepState(s.id) for s in catalog.steps), starts_on)


def complete_step(
    catalog: Catalog,
    checklist: Checklist,
    step_id: str,
    *,
    at: datetime,
    approval: Approval | None = None,
    readiness: Readiness | None = None,
    given: str = "",
    by: ActorLike | None = None,
    approval_id: str = "",
    risk_problem_open: bool = False,
) -> Checklist:
    """Complete ``step_id`` at ``at``. ``given`` is what the step takes (its ``input``), as a reference or in words.

    ``readiness`` is only looked at where the step asks for it; None then means that nobody knows, which is not ready.
    The step that chooses the bundle sets it from ``given``, which may be empty once a bundle was agreed.

    Raises ``InvalidInput``: unknown step or bundle, an approval where none belongs or a faulty one, a credential in
    ``given``. Raises ``PersonRequired`` for software's approval. Raises ``ApprovalRequired`` or ``StepBlocked``
    (another step, the readiness gate, a problem that the risk review found); both list in ``missing`` everything that
    stands in the way.
    """
    checks = Checks()
    step = _find(checks, catalog, step_id)
    check_approval(checks, approval, at)
    check_no_credential(checks, "input", "", given)
    bundle_id = checklist.bundle_id
    if step is not None and approval is not None and not step.requires_approval:
        checks.note("approval", "NOT_EXPECTED", "this step takes no approval")
    if step is not None and step.input == _CHOOSES_BUNDLE and (given or bundle_id is None):
        _check_bundle(checks, catalog, "input", given)
        bundle_id = given
    if step is None or checks.violations:
        raise InvalidInput(checks.violations)
    require_person(approval, "complete_step")
    if _state(checklist, step_id).completed:
        return checklist
    missing = _in_the_way(step, checklist, approval, readiness, risk_problem_open)
    if step.requires_approval and approval is None:
        raise ApprovalRequired(f"step {step.id} needs an approval", missing, subject=step.id)
    if missing:
        raise StepBlocked(
            f"step {step.id} needs first: {', '.join(subject for _, subject, _ in missing)}",
            missing,
            customer_id=checklist.customer_id,
            step_id=step.id,
        )
    completed = StepState(step_id, at, approval, by, approval_id)
    return replace(_with(checklist, {step_id: completed}), bundle_id=bundle_id)


def _in_the_way(
    step: Step, checklist: Checklist, approval: Approval | None, readiness: Readiness | None, risk_problem_open: bool
) -> list[tuple[str, str, str]]:
    missing = []
    if step.requires_approval and approval is None:
        missing.append(("APPROVAL", step.id, "a person must approve this step"))
    completed = checklist.completed_ids()
    missing += [("STEP", r, "must be completed first") for r in step.requires if r not in completed]
    if step.needs_clean_risk and risk_problem_open:
        missing.append(("RISK_PROBLEM", checklist.customer_id, "a founder must resolve what the risk review found"))
    if step.requires_readiness and readiness is None:
        missing.append(("READINESS", checklist.customer_id, "readiness for the first service is not known"))
    elif step.requires_readiness and readiness is not None and not readiness.ready:
        lacking = readiness.missing or (ANY_CONNECTOR,)
        missing += [("CONNECTOR", key, "must be connected before the first service") for key in lacking]
    return missing


def unticked_with(catalog: Catalog, checklist: Checklist, step_id: str) -> tuple[str, ...]:
    """The steps that unticking ``step_id`` unticks, itself included, in order; empty when it is not completed."""
    checks = Checks()
    _find(checks, catalog, step_id)
    checks.done()
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
        step = catalog.step(step_id)
        approval = Approval(demo.approved_by, at, by_person=True) if step and step.requires_approval else None
        checklist = complete_step(catalog, checklist, step_id, at=at, approval=approval)
    return checklist


@dataclass(frozen=True, slots=True)
class ProofPack:
    """Proof Pack v1 as success knows it: whether it was delivered, and its approval."""

    delivered: bool
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of acceptance. ``missing`` names what is not there: step ids, connector keys, or parts.

    ``evidence`` says it in words, ``shown_by`` piece by piece.
    """

    id: str
    title: Bilingual
    met: bool
    missing: tuple[str, ...]
    evidence: Bilingual
    shown_by: tuple[Evidence, ...] = ()


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
    proof_pack: ProofPack,
    cadence_active: bool | None,
    risk_problem_open: bool = False,
    shown_by: Mapping[str, tuple[Evidence, ...]] | None = None,
) -> Acceptance:
    """Whether the customer counts as onboarded, criterion by criterion with its evidence.

    The Proof Pack counts when it is delivered *and* a person approved it. While a problem that the risk review found is open,
    that review does not count as completed. A cadence that nobody was asked about (None) is not met, and its evidence says
    so. Dates in the evidence are Riyadh's. ``shown_by`` holds, by criterion, what the caller knows to show beside what the
    checklist shows of the steps.
    """
    wanted = [s for s in catalog.steps if not s.asynchronous]
    open_steps = [
        s for s in wanted if not _state(checklist, s.id).completed or (risk_problem_open and s.needs_clean_risk)
    ]
    last = max(_state(checklist, s.id).completed_at or checklist.created_at for s in wanted)
    approval = proof_pack.approval if proof_pack.approval is not None and proof_pack.approval.by_person else None
    parts = {"delivery": proof_pack.delivered, "approval": approval is not None}
    ready = ready_for_first_service
    not_ready = () if ready.ready else ready.missing or (ANY_CONNECTOR,)
    rules = catalog.acceptance
    shown = dict(shown_by or {})
    shown.setdefault("steps_completed", tuple(_step_evidence(checklist, s.id) for s in wanted if s not in open_steps))
    found = (
        _criterion(
            rules["steps_completed"],
            {s.id: s.title for s in open_steps},
            count=str(len(wanted)),
            date=named_day(riyadh_date(last)),
        ),
        _criterion(
            rules["ready_for_first_service"],
            {key: _connector_name(catalog, key) for key in not_ready},
            connectors=join(_connector_name(catalog, key) for key in ready.connected),
        ),
        _criterion(
            rules["proof_pack_delivered_and_approved"],
            {part: catalog.proof_parts[part] for part, there in parts.items() if not there},
            approver=approval.approved_by if approval else "",
            date=named_day(riyadh_date(approval.approved_at)) if approval else "",
        ),
        _criterion(
            rules["success_cadence_active"],
            {} if cadence_active else {"success_cadence": rules["success_cadence_active"].title},
            known=cadence_active is not None,
        ),
    )
    return Acceptance(tuple(replace(c, shown_by=shown.get(c.id, ())) for c in found))


def _step_evidence(checklist: Checklist, step_id: str) -> Evidence:
    state = _state(checklist, step_id)
    who = state.approval.actor if state.approval is not None else state.completed_by
    return Evidence(step_id, who, state.completed_at, state.approval_id or f"checklist/{checklist.customer_id}")


def _criterion(
    rule: AcceptanceRule, missing: dict[str, Bilingual], known: bool = True, **met: str | Bilingual
) -> Criterion:
    unmet = rule.missing if known or rule.unknown is None else rule.unknown
    evidence = unmet.format(items=join(missing.values())) if missing else rule.met.format(**met)
    return Criterion(rule.id, rule.title, not missing, tuple(missing), evidence)


def join(items: Iterable[Bilingual]) -> Bilingual:
    """The items of a list in one line."""
    found = list(items)
    return Bilingual("، ".join(i.ar for i in found), ", ".join(i.en for i in found))


def _connector_name(catalog: Catalog, key: str) -> Bilingual:
    connector = catalog.connector(key)
    return catalog.any_connector if connector is None else connector.name


def _find(checks: Checks, catalog: Catalog, step_id: str) -> Step | None:
    step = catalog.step(step_id)
    if step is None:
        checks.note("step_id", "UNKNOWN_VALUE", f"must be one of: {', '.join(s.id for s in catalog.steps)}")
    return step


def _check_bundle(checks: Checks, catalog: Catalog, field: str, bundle_id: str) -> None:
    if catalog.bundle(bundle_id) is None:
        checks.note(field, "UNKNOWN_VALUE", f"must be one of: {', '.join(b.id for b in catalog.bundles)}")


def _state(checklist: Checklist, step_id: str) -> StepState:
    return next(s for s in checklist.steps if s.step_id == step_id)


def _with(checklist: Checklist, changed: dict[str, StepState]) -> Checklist:
    return replace(checklist, steps=tuple(changed.get(s.step_id, s) for s in checklist.steps)) if changed else checklist
