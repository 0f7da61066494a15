"""The use cases of onboarding: each runs inside one transaction that its caller owns. Those of connectors stand beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.approvals import drafts
from services.domain.checks import Checks
from services.domain.drafts import ApprovalMismatch, Draft, DraftKind
from services.domain.errors import InvalidInput, PersonRequired, Violation, check_etag
from services.onboarding import store
from services.onboarding.connector_handlers import approval_of, ask, summary_of, withdraw_open
from services.onboarding.domain import accept, blockers, progress, proof, requests, risk, schedule
from services.onboarding.domain.accept import Cadence
from services.onboarding.domain.approvals import Approval, check_approval
from services.onboarding.domain.blockers import Blocker, RecordedBlocker, Situation
from services.onboarding.domain.catalog import BlockingParty, Catalog, Recovery, Step
from services.onboarding.domain.checklist import Acceptance, Checklist, ProofPack, acceptance
from services.onboarding.domain.connectors import Summary, summarize
from services.onboarding.domain.credentials import check_no_credential
from services.onboarding.domain.progress import ChecklistExists, ChecklistNotFound, Progress, StepUpdate
from services.onboarding.domain.proof import ProofPackEvent, ProofRecord, ProofRecords
from services.onboarding.domain.risk import RiskOutcome, RiskReview
from services.onboarding.store import DuePage, NewestPage, StoredAcceptance
from services.storage.database import Tx, UnitOfWork


@dataclass(frozen=True, slots=True)
class View:
    """A checklist as it is answered: with what is known around it at ``now``."""

    progress: Progress
    now: datetime
    situation: Situation

    def blockers(self, catalog: Catalog) -> dict[str, Blocker]:
        """By step id who is waited for."""
        return blockers.blockers_of(catalog, self.situation, self.now)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything about one onboarding."""

    view: View
    guidance: tuple[Recovery, ...]
    reviews: tuple[RiskReview, ...]
    proofs: ProofRecords
    acceptance: StoredAcceptance | None
    open_issues: int


@dataclass(frozen=True, slots=True)
class Line:
    """One onboarding in a list."""

    view: View
    open_issues: int
    accepted_at: datetime | None


def create_checklist(
    unit: UnitOfWork, catalog: Catalog, customer_id: str, bundle_id: str, start_date: str = ""
) -> View:
    """Stores a customer's checklist. Raises ``InvalidInput`` and ``ChecklistExists``."""
    begun = progress.begin(catalog, customer_id, bundle_id, at=unit.now, start_date=start_date)
    if store.get_progress(unit.tx, customer_id) is not None:
        raise ChecklistExists("the customer has a checklist", customer_id=customer_id)
    store.insert_progress(unit.tx, begun, _due_at(catalog, begun))
    unit.record(
        "checklist.created",
        _checklist_subject(customer_id),
        fields=("bundle_id", "current_step_id"),
        attributes={
            **_checklist_attributes(begun),
            **{f"step.{step.step_id}": _step_state(step.completed) for step in begun.checklist.steps},
        },
    )
    # Nobody records anything about a checklist before it exists; connectors may have been begun.
    return View(begun, unit.now, Situation(begun.checklist, store.connections_of(unit.tx, customer_id)))


def update_step(unit: UnitOfWork, catalog: Catalog, customer_id: str, update: StepUpdate, etag: str) -> View:
    """Completes a step or takes its completion back; the readiness gate is that of the connectors as they stand now.

    Raises ``ChecklistNotFound``, ``EtagMismatch``, ``InvalidInput``, ``PersonRequired``, ``ApprovalRequired``,
    ``StepBlocked`` and what using an approval raises.
    """
    before = get_checklist(unit.tx, customer_id)
    check_etag(etag, before.etag)
    found = _view(unit.tx, before, unit.now)
    situation = found.situation
    open_already = update.step_id not in before.checklist.completed_ids()
    if update.completed and update.approval_id and open_already:
        update = replace(update, approval=_used(unit, catalog, before, update))
    after = progress.update_step(
        catalog,
        before,
        update,
        at=unit.now,
        readiness=summarize(catalog, situation.states()).readiness,
        by=unit.actor,
        risk_problem_open=situation.problem is not None,
    )
    if after is before:
        unit.record(
            "checklist.step_unchanged",
            _checklist_subject(customer_id),
            attributes={**_checklist_attributes(before), "step_id": update.step_id},
        )
        return found
    store.save_progress(unit.tx, before, after, _due_at(catalog, after))
    unit.record(
        "checklist.step_completed" if update.completed else "checklist.step_unticked",
        _checklist_subject(customer_id),
        fields=sorted({"steps", "current_step_id", *_changed_bundle(before.checklist, after.checklist)}),
        attributes={**_checklist_attributes(after), "step_id": update.step_id, **_changed_steps(before, after)},
    )
    if update.completed:
        _end_blocker(unit, situation.recorded, update.step_id)
        withdraw_open(unit, requests.step_subject(customer_id, update.step_id), DraftKind.ONBOARDING_STEP)
    return View(after, unit.now, replace(situation, checklist=after.checklist))


def draft_step_approval(unit: UnitOfWork, catalog: Catalog, customer_id: str, step_id: str, given: str) -> Draft:
    """The draft that asks for a step's approval with this input; the one that waits already is answered again.

    Raises ``ChecklistNotFound``, ``InvalidInput`` (unknown step or bundle, a step that needs no approval, a credential or an
    identifier of ours in the input) and ``StepCompleted``.
    """
    found = get_checklist(unit.tx, customer_id)
    step = _step_to_approve(catalog, found.checklist, step_id, given)
    blockers.check_blocker(catalog, found.checklist, step_id, None, "", at=unit.now)
    return ask(unit, _request(catalog, found.checklist, step, given))


def get_checklist(tx: Tx, customer_id: str) -> Progress:
    """The customer's checklist. Raises ``ChecklistNotFound``."""
    found = store.get_progress(tx, customer_id)
    if found is None:
        raise ChecklistNotFound("the customer has no checklist", customer_id=customer_id)
    return found


def view_checklist(tx: Tx, customer_id: str, now: datetime) -> View:
    """The customer's checklist with who is waited for. Raises ``ChecklistNotFound``."""
    return _view(tx, get_checklist(tx, customer_id), now)


def get_onboarding(tx: Tx, catalog: Catalog, customer_id: str, now: datetime) -> Overview:
    """Everything about one onboarding. Raises ``ChecklistNotFound``."""
    found = get_checklist(tx, customer_id)
    reviews = store.reviews_of(tx, customer_id)
    situation = _situation(tx, found, reviews)
    return Overview(
        view=View(found, now, situation),
        guidance=blockers.offered(catalog, situation, now),
        reviews=tuple(reviews),
        proofs=store.proofs_of(tx, customer_id),
        acceptance=store.get_acceptance(tx, customer_id),
        open_issues=len(store.open_issues_of(tx, customer_id)),
    )


def list_onboardings(tx: Tx, page: NewestPage | DuePage, now: datetime) -> list[Line]:
    """A page of onboardings with what is known around each. None that is accepted is late."""
    if isinstance(page, DuePage) and page.accepted and page.late_before is not None:
        return []
    connections, recorded = store.connections_on(tx, page), store.blockers_on(tx, page)
    reviews, open_issues = store.reviews_on(tx, page), store.open_issues_on(tx, page)
    accepted = store.acceptances_on(tx, page) if isinstance(page, DuePage) and page.accepted else {}
    lines = []
    for found in store.page_of_progress(tx, page):
        customer_id = found.customer_id
        situation = Situation(
            found.checklist,
            connections.get(customer_id, {}),
            tuple(recorded.get(customer_id, ())),
            risk.open_problem(reviews.get(customer_id, ())),
        )
        lines.append(Line(View(found, now, situation), open_issues.get(customer_id, 0), accepted.get(customer_id)))
    return lines


def line_key(catalog: Catalog, line: Line) -> tuple[int | str, ...]:
    """Where an onboarding stands in the list."""
    found = line.view.progress
    return store.due_key(found, _due_at(catalog, found))


def set_blocker(
    unit: UnitOfWork,
    catalog: Catalog,
    customer_id: str,
    step_id: str,
    party: BlockingParty,
    since: datetime | None,
    note: str,
) -> View:
    """Records who blocks a step; an earlier record of the step ends. Raises ``ChecklistNotFound``, ``InvalidInput`` and
    ``StepCompleted``."""
    found = get_checklist(unit.tx, customer_id)
    begun = blockers.check_blocker(catalog, found.checklist, step_id, since, note, at=unit.now)
    recorded = store.blockers_of(unit.tx, customer_id)
    _end_blocker(unit, recorded, step_id, at=begun)
    store.insert_blocker(
        unit.tx, RecordedBlocker(customer_id, step_id, len(recorded) + 1, party, begun, note, unit.actor)
    )
    unit.record(
        "checklist.blocker_set",
        _checklist_subject(customer_id),
        fields=("blocker",),
        attributes={"step_id": step_id, f"blocker.{step_id}": party.value},
    )
    return _view(unit.tx, found, unit.now)


def clear_blocker(unit: UnitOfWork, catalog: Catalog, customer_id: str, step_id: str) -> View:
    """Ends a recorded blocker; nothing to end is fine. Raises ``ChecklistNotFound`` and ``InvalidInput``."""
    blockers.check_step(catalog, step_id)
    found = get_checklist(unit.tx, customer_id)
    if not _end_blocker(unit, store.blockers_of(unit.tx, customer_id), step_id):
        unit.record("checklist.blocker_unchanged", _checklist_subject(customer_id), attributes={"step_id": step_id})
    return _view(unit.tx, found, unit.now)


def record_risk_review(
    unit: UnitOfWork,
    catalog: Catalog,
    customer_id: str,
    review: RiskReview,
) -> RiskReview:
    """Records what a risk review came to; a problem is put before the founder at once.

    Raises ``ChecklistNotFound``, ``InvalidInput``, ``PersonRequired`` and ``RiskProblemOpen``.
    """
    get_checklist(unit.tx, customer_id)
    review = replace(review, review_id=unit.new_id("rsk"))
    review = risk.record_review(store.reviews_of(unit.tx, customer_id), review)
    store.insert_review(unit.tx, review)
    unit.record(
        "risk_review.recorded",
        _checklist_subject(customer_id),
        fields=("risk_review",),
        attributes={"review_id": review.review_id, "outcome": review.outcome.value},
    )
    if review.outcome is RiskOutcome.PROBLEM_FOUND:
        drafts.create(unit, requests.risk_draft(catalog, customer_id, review.review_id))
    return review


def resolve_risk_problem(unit: UnitOfWork, customer_id: str, resolution: str) -> RiskReview:
    """Records a founder's decision about the open problem.

    Raises ``ChecklistNotFound``, ``InvalidInput``, ``FounderRequired`` and ``NoRiskProblem``.
    """
    get_checklist(unit.tx, customer_id)
    review = risk.resolve(store.reviews_of(unit.tx, customer_id), customer_id, unit.actor, resolution, unit.now)
    store.resolve_review(unit.tx, review)
    unit.record(
        "risk_review.resolved",
        _checklist_subject(customer_id),
        fields=("risk_review",),
        attributes={"review_id": review.review_id, "resolver": unit.actor.id},
    )
    withdraw_open(unit, f"risk_review/{review.review_id}", DraftKind.ESCALATION)
    return review


def record_proof_pack(unit: UnitOfWork, customer_id: str, event: ProofPackEvent, fact: ProofRecord) -> ProofRecords:
    """Records what happened to Proof Pack v1.

    Raises ``ChecklistNotFound``, ``InvalidInput``, ``PersonRequired``, ``ProofPackRecorded`` and ``ProofPackNotDelivered``.
    """
    earliest = get_checklist(unit.tx, customer_id).checklist.earliest
    fact = replace(fact, recorder=unit.actor, recorded_at=unit.now)
    after = proof.record(store.proofs_of(unit.tx, customer_id), customer_id, event, fact, earliest=earliest)
    store.insert_proof(unit.tx, customer_id, event, fact)
    unit.record(
        f"proof_pack.{event}",
        _checklist_subject(customer_id),
        fields=("proof_pack",),
        attributes={"person": fact.person.id},
    )
    return after


def check_acceptance(
    tx: Tx, catalog: Catalog, customer_id: str, proof_pack: ProofPack, cadence_active: bool
) -> Acceptance:
    """The four criteria, with checklist and connectors as they stand. Raises ``ChecklistNotFound``."""
    return acceptance(
        catalog,
        get_checklist(tx, customer_id).checklist,
        ready_for_first_service=summary_of(tx, catalog, customer_id).readiness,
        proof_pack=proof_pack,
        cadence_active=cadence_active,
        risk_problem_open=risk.open_problem(store.reviews_of(tx, customer_id)) is not None,
    )


def get_acceptance(
    tx: Tx, catalog: Catalog, customer_id: str, cadence: Cadence
) -> tuple[Acceptance, StoredAcceptance | None]:
    """The four criteria from what is stored, and the acceptance if there is one. Raises ``ChecklistNotFound``."""
    found = get_checklist(tx, customer_id)
    connections = store.connections_of(tx, customer_id)
    summary: Summary = summarize(catalog, {key: connection.state for key, connection in connections.items()})
    judged = accept.judge(
        catalog,
        found.checklist,
        readiness=summary.readiness,
        connections=connections,
        proofs=store.proofs_of(tx, customer_id),
        cadence=cadence,
        risk_problem_open=risk.open_problem(store.reviews_of(tx, customer_id)) is not None,
    )
    return judged, store.get_acceptance(tx, customer_id)


def accept_onboarding(unit: UnitOfWork, catalog: Catalog, customer_id: str, cadence: Cadence) -> StoredAcceptance:
    """Stores the acceptance with its evidence; an accepted one stays as it is.

    Raises ``ChecklistNotFound``, ``InvalidInput``, ``PersonRequired`` and ``AcceptanceIncomplete``.
    """
    accept.check_cadence(cadence, unit.now)
    if unit.actor.kind != "person":
        raise PersonRequired("a person accepts an onboarding", action="accept_onboarding")
    judged, stored = get_acceptance(unit.tx, catalog, customer_id, cadence)
    if stored is not None:
        unit.record("onboarding.acceptance_unchanged", _checklist_subject(customer_id))
        return stored
    accept.require_accepted(judged, customer_id)
    accepted = StoredAcceptance(customer_id, unit.now, unit.actor, judged.criteria)
    store.insert_acceptance(unit.tx, accepted)
    store.mark_accepted(unit.tx, customer_id)
    unit.record(
        "onboarding.accepted",
        _checklist_subject(customer_id),
        fields=("acceptance",),
        attributes={"accepted": "true"},
    )
    return accepted


def check_proof_pack(proof_pack: ProofPack, now: datetime) -> None:
    """Raises ``InvalidInput`` for an approval from the future or with a credential in its note."""
    checks = Checks()
    check_approval(checks, proof_pack.approval, now, "proof_pack_approval")
    checks.done()


def _view(tx: Tx, found: Progress, now: datetime) -> View:
    return View(found, now, _situation(tx, found, store.reviews_of(tx, found.customer_id)))


def _situation(tx: Tx, found: Progress, reviews: Sequence[RiskReview]) -> Situation:
    return Situation(
        found.checklist,
        store.connections_of(tx, found.customer_id),
        tuple(store.blockers_of(tx, found.customer_id)),
        risk.open_problem(reviews),
    )


def _step_to_approve(catalog: Catalog, checklist: Checklist, step_id: str, given: str) -> Step:
    """The step, once it can be asked for with this input. Raises ``InvalidInput``."""
    blockers.check_step(catalog, step_id)
    step = catalog.step(step_id)
    assert step is not None
    checks = Checks()
    if not step.requires_approval:
        checks.note("step_id", "NOT_EXPECTED", "this step takes no approval")
    check_no_credential(checks, "input", "", given)
    if step.input == "bundle_id" and (given or checklist.bundle_id is None) and catalog.bundle(given) is None:
        checks.note("input", "UNKNOWN_VALUE", f"must be one of: {', '.join(b.id for b in catalog.bundles)}")
    if requests.names_internal_id(given):
        checks.note("input", "INTERNAL_ID", "must not name a ticket, an incident or another identifier of ours")
    checks.done()
    return step


def _request(catalog: Catalog, checklist: Checklist, step: Step, given: str) -> drafts.NewDraft:
    # A bundle that was agreed before need not be named again, and is what is approved.
    effective = given or (checklist.bundle_id or "" if step.input == "bundle_id" else "")
    return requests.step_draft(catalog, checklist.customer_id, step, effective)


def _used(unit: UnitOfWork, catalog: Catalog, before: Progress, update: StepUpdate) -> Approval:
    """The approval of a draft, used up for the step that it was asked for, with the input that it was asked for.

    Raises ``InvalidInput``, ``ApprovalMismatch`` and what `services.approvals.drafts.use` raises.
    """
    known = catalog.step(update.step_id)
    if update.approval is not None or (known is not None and not known.requires_approval):
        why = "takes the place of approval; give one of the two" if update.approval else "this step takes no approval"
        raise InvalidInput([Violation("approval_id", "NOT_EXPECTED", why)])
    step = _step_to_approve(catalog, before.checklist, update.step_id, update.given)
    wanted = _request(catalog, before.checklist, step, update.given)
    draft = drafts.use(unit, update.approval_id, subject=wanted.subject, kind=wanted.kind)
    if draft.title != wanted.title:
        raise ApprovalMismatch(
            "the approval was asked for with another input", approval_id=update.approval_id, subject=draft.subject
        )
    return approval_of(draft)


def _end_blocker(
    unit: UnitOfWork, recorded: Sequence[RecordedBlocker], step_id: str, at: datetime | None = None
) -> bool:
    """Ends what was recorded of a step; whether there was something to end."""
    present = blockers.open_blocker(recorded, step_id)
    if present is None:
        return False
    store.end_blocker(unit.tx, present, max(present.since, at or unit.now))
    unit.record(
        "checklist.blocker_ended",
        _checklist_subject(present.customer_id),
        fields=("blocker",),
        attributes={"step_id": step_id, f"blocker.{step_id}": ""},
    )
    return True


def _due_at(catalog: Catalog, found: Progress) -> datetime:
    return schedule.due_at(catalog, found.checklist.start, found.checklist.current_step_id)


def _checklist_subject(customer_id: str) -> str:
    return f"checklist/{customer_id}"


def _checklist_attributes(found: Progress) -> dict[str, str]:
    """What the ledger tells of a checklist after every write; ``step.*`` and ``approver.*`` follow when they change."""
    return {
        "bundle_id": found.checklist.bundle_id or "",
        "current_step_id": found.checklist.current_step_id,
        "revision": str(found.revision),
    }


def _changed_steps(before: Progress, after: Progress) -> dict[str, str]:
    changed: dict[str, str] = {}
    for old, new in zip(before.checklist.steps, after.checklist.steps, strict=True):
        if old == new:
            continue
        changed[f"step.{new.step_id}"] = _step_state(new.completed)
        if old.approval is not None or new.approval is not None:
            changed[f"approver.{new.step_id}"] = new.approval.approved_by if new.approval else ""
    return changed


def _changed_bundle(before: Checklist, after: Checklist) -> list[str]:
    return ["bundle_id"] if before.bundle_id != after.bundle_id else []


def _step_state(completed: bool) -> str:
    return "completed" if completed else "open"
