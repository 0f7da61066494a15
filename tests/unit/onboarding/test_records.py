"""Risk reviews, Proof Pack v1, acceptance with its evidence, and what a person is asked to approve."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from services.domain.channels import Channel
from services.domain.claims import ClaimChecker, load_claims
from services.domain.drafts import NewDraft, open_draft
from services.domain.errors import InvalidInput, PersonRequired
from services.onboarding.domain.accept import AcceptanceIncomplete, Cadence, check_cadence, judge, require_accepted
from services.onboarding.domain.approvals import Approval, Person
from services.onboarding.domain.catalog import CONNECTOR_KEYS, Catalog, ConnectorState
from services.onboarding.domain.checklist import Checklist, Readiness, StepBlocked, complete_step, new_checklist
from services.onboarding.domain.connections import Connection
from services.onboarding.domain.proof import (
    ProofPackEvent,
    ProofPackNotDelivered,
    ProofPackRecorded,
    ProofRecord,
    ProofRecords,
    record,
)
from services.onboarding.domain.requests import connector_draft, names_internal_id, risk_draft, step_draft
from services.onboarding.domain.risk import (
    FounderRequired,
    NoRiskProblem,
    RiskOutcome,
    RiskProblemOpen,
    RiskReview,
    open_problem,
    record_review,
    resolve,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OPERATOR = Person("person", "operator-17", "operator_oncall")
FOUNDER = Person("person", "founder-1", "founder")
ENGINE = Person("service", "lead-engine", "founder")
MANAGER = Person("person", "c-1.manager")
READY = Readiness(True, connected=("whatsapp_cloud",))
ALL_BUT_ASYNC = (
    "select_goal",
    "select_bundle",
    "company_intake",
    "connect_channels",
    "upload_or_source",
    "risk_review",
)

CLEAN = RiskReview("rsk_1", "c-1", RiskOutcome.CLEAN, "", "", OPERATOR, NOW, NOW)
PROBLEM = replace(CLEAN, review_id="rsk_2", outcome=RiskOutcome.PROBLEM_FOUND, finding="مصدر غير معروف")
RESOLVED = replace(PROBLEM, resolver=FOUNDER, resolved_at=NOW, resolution="حُسم")


def fact(person: Person = OPERATOR, at: datetime = NOW, reference: str = "pack-1") -> ProofRecord:
    return ProofRecord(person, at, reference, OPERATOR, NOW)


@pytest.mark.parametrize(
    ("before", "review", "refusal"),
    [
        ((), CLEAN, None),
        ((), PROBLEM, None),
        ((CLEAN,), PROBLEM, None),
        ((RESOLVED,), CLEAN, None),
        ((RESOLVED,), PROBLEM, None),
        ((PROBLEM,), CLEAN, RiskProblemOpen),
        ((CLEAN, PROBLEM), PROBLEM, RiskProblemOpen),
        ((), replace(CLEAN, reviewer=ENGINE), PersonRequired),
        ((), replace(PROBLEM, finding="\u200b"), InvalidInput),
        ((), replace(CLEAN, reviewed_at=NOW + timedelta(seconds=1)), InvalidInput),
    ],
)
def test_which_reviews_are_recorded(
    before: tuple[RiskReview, ...], review: RiskReview, refusal: type[Exception] | None
) -> None:
    if refusal is None:
        assert record_review(before, review) == review
        return
    with pytest.raises(refusal):
        record_review(before, review)


@pytest.mark.parametrize("actor", [OPERATOR, MANAGER, ENGINE, Person("service", "x"), Person("person", "founder")])
def test_nobody_but_a_founder_resolves(actor: Person) -> None:
    with pytest.raises(FounderRequired):
        resolve([PROBLEM], "c-1", actor, "حُسم", NOW)


def test_a_founder_resolves_what_is_open_and_nothing_else() -> None:
    done = resolve([CLEAN, PROBLEM], "c-1", FOUNDER, "حُسم", NOW)
    assert (done.review_id, done.resolver, done.resolved_at, done.open) == ("rsk_2", FOUNDER, NOW, False)
    for reviews in ([], [CLEAN], [RESOLVED]):
        assert open_problem(reviews) is None
        with pytest.raises(NoRiskProblem):
            resolve(reviews, "c-1", FOUNDER, "حُسم", NOW)


@pytest.mark.parametrize("step_id", [*ALL_BUT_ASYNC, "first_service_run", "first_proof_pack"])
def test_a_problem_blocks_the_review_and_the_run(catalog: Catalog, step_id: str) -> None:
    step = catalog.step(step_id)
    assert step is not None
    approval = Approval("founder-1", NOW, by_person=True)
    checklist = finished(catalog, without=(step_id,))

    def complete(risky: bool) -> Checklist:
        return complete_step(
            catalog,
            checklist,
            step_id,
            at=NOW,
            approval=approval if step.requires_approval else None,
            readiness=READY,
            risk_problem_open=risky,
        )

    if step_id == "first_proof_pack":
        checklist = complete_step(catalog, checklist, "first_service_run", at=NOW, approval=approval, readiness=READY)
    assert step_id in complete(False).completed_ids()
    if step_id in ("risk_review", "first_service_run"):
        with pytest.raises(StepBlocked) as refusal:
            complete(True)
        assert [missing[0] for missing in refusal.value.missing] == ["RISK_PROBLEM"]
    else:
        assert step_id in complete(True).completed_ids()


def finished(catalog: Catalog, without: tuple[str, ...] = ()) -> Checklist:
    """A checklist with all steps completed that the customer waits for, by the operator, approved by the founder."""
    checklist = new_checklist(catalog, customer_id="c-1", bundle_id="growth_starter", at=NOW)
    for step_id in ALL_BUT_ASYNC:
        step = catalog.step(step_id)
        if step_id in without or step is None:
            continue
        approval = Approval("founder-1", NOW, by_person=True, role="founder") if step.requires_approval else None
        checklist = complete_step(catalog, checklist, step_id, at=NOW, approval=approval, by=OPERATOR)
    return checklist


def record_proof(records: ProofRecords, event: ProofPackEvent, what: ProofRecord) -> ProofRecords:
    return record(records, "c-1", event, what, earliest=NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("start_date", "earliest"),
    [
        ("", datetime(2026, 3, 1, 21, tzinfo=UTC)),  # midnight in Riyadh of the day it was made on
        ("2026-02-20", datetime(2026, 2, 19, 21, tzinfo=UTC)),
        ("2026-03-10", NOW),
    ],
)
def test_no_proof_pack_is_older_than_the_onboarding(catalog: Catalog, start_date: str, earliest: datetime) -> None:
    checklist = new_checklist(catalog, customer_id="c-1", bundle_id=None, at=NOW, start_date=start_date)
    assert checklist.earliest == earliest
    for event, known in ((ProofPackEvent.DELIVERED, ProofRecords()), (ProofPackEvent.APPROVED, ProofRecords(fact()))):
        early = fact(at=earliest - timedelta(microseconds=1), reference=" ")
        with pytest.raises(InvalidInput) as refused:
            record(known, "c-1", event, early, earliest=earliest)
        assert [(v.field, v.reason) for v in refused.value.violations] == [
            ("reference", "REQUIRED"),
            ("occur_time", "BEFORE_CHECKLIST"),
        ]
    delivered = fact(at=earliest)
    assert record(ProofRecords(), "c-1", ProofPackEvent.DELIVERED, delivered, earliest=earliest).delivery == delivered


def test_a_proof_pack_is_delivered_then_approved_each_once() -> None:
    delivered = record_proof(ProofRecords(), ProofPackEvent.DELIVERED, fact())
    with pytest.raises(ProofPackNotDelivered):
        record_proof(ProofRecords(), ProofPackEvent.APPROVED, fact(MANAGER))
    with pytest.raises(InvalidInput):
        record_proof(delivered, ProofPackEvent.APPROVED, fact(MANAGER, NOW - timedelta(microseconds=1)))
    both = record_proof(delivered, ProofPackEvent.APPROVED, fact(MANAGER))
    assert [(e.subject, e.actor) for e in both.evidence()] == [("delivery", OPERATOR), ("approval", MANAGER)]
    for event in ProofPackEvent:
        with pytest.raises(ProofPackRecorded):
            record_proof(both, event, fact(MANAGER))
        with pytest.raises(PersonRequired):
            record_proof(delivered, event, fact(ENGINE))


FOUR = ("steps_completed", "ready_for_first_service", "proof_pack_delivered_and_approved", "success_cadence_active")


@pytest.mark.parametrize("there", list(product([True, False], repeat=4)))
def test_acceptance_needs_all_four_and_names_each_that_is_missing(
    catalog: Catalog, there: tuple[bool, bool, bool, bool]
) -> None:
    steps, ready, pack, cadence = there
    link = Connection(
        "c-1", "whatsapp_cloud", ConnectorState.CONNECTED_DRAFT_ONLY, connected_at=NOW, connected_by=OPERATOR
    )
    found = judge(
        catalog,
        finished(catalog, without=() if steps else ("risk_review",)),
        readiness=READY if ready else Readiness(False, ("whatsapp_cloud",)),
        connections={"whatsapp_cloud": link} if ready else {},
        proofs=ProofRecords(fact(), fact(MANAGER)) if pack else ProofRecords(fact()),
        cadence=Cadence(cadence, NOW, FOUNDER, "plan-1"),
        risk_problem_open=False,
    )
    assert [c.met for c in found.criteria] == list(there)
    assert all(bool(c.missing) is not c.met for c in found.criteria)
    # Whatever is met shows who, when and where.
    for criterion in found.criteria:
        if criterion.met:
            assert criterion.shown_by
            assert all(e.actor and e.at and e.reference for e in criterion.shown_by), criterion.id
    if all(there):
        require_accepted(found, "c-1")
        return
    with pytest.raises(AcceptanceIncomplete) as refusal:
        require_accepted(found, "c-1")
    assert refusal.value.metadata["criteria"].split() == [
        name for name, met in zip(FOUR, there, strict=True) if not met
    ]
    assert all(text.isascii() for missing in refusal.value.missing for text in missing)


def test_an_open_problem_takes_the_review_out_of_what_is_completed(catalog: Catalog) -> None:
    found = judge(
        catalog,
        finished(catalog),
        readiness=READY,
        connections={},
        proofs=ProofRecords(),
        cadence=Cadence(),
        risk_problem_open=True,
    ).criteria[0]
    assert (found.met, found.missing) == (False, ("risk_review",))
    assert "risk_review" not in [e.subject for e in found.shown_by]


def test_a_faulty_cadence_is_named() -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_cadence(
            Cadence(True, NOW + timedelta(seconds=1), FOUNDER, "token: sk_live_51H8aBcDeFgHiJkLmNoPqRsT"), NOW
        )
    assert {v.field for v in refusal.value.violations} == {"cadence.activate_time", "cadence.reference"}


def requested(catalog: Catalog) -> list[NewDraft]:
    """Every kind of draft that onboarding writes."""
    inputs = ("", "growth_starter", "قائمة العملاء المعتمدة", "list {7} of 2026", "x" * 2000)
    steps = [step for step in catalog.steps if step.requires_approval]
    found = [step_draft(catalog, "c-1", step, given) for step in steps for given in inputs]
    found += [connector_draft(catalog, "c-1", c) for c in catalog.connectors]
    return [*found, risk_draft(catalog, "c-1", "rsk_" + "a" * 26)]


def test_every_draft_claims_nothing_and_is_whole_in_both_languages(catalog: Catalog) -> None:
    checker = ClaimChecker(load_claims())
    for new in requested(catalog):
        draft = open_draft("drf_" + "b" * 26, new, NOW)
        for text in (new.title.ar, new.title.en, new.body.ar, new.body.en):
            assert text == text.strip()
            assert "  " not in text
            assert not checker.check(text)
        assert draft.subject.count("/") in (1, 2)
        assert len(new.title.ar) < 300


def test_two_inputs_are_never_one_request(catalog: Catalog) -> None:
    step = catalog.step("upload_or_source")
    assert step is not None
    inputs = ["", "a", "a b", "a  b", "a\nb", "x" * 200, "x" * 201, "x" * 199 + "y"]
    assert len({step_draft(catalog, "c-1", step, given).title.ar for given in inputs}) == len(inputs)


@pytest.mark.parametrize("key", CONNECTOR_KEYS)
def test_a_connector_is_asked_for_on_its_own_channel(catalog: Catalog, key: str) -> None:
    connector = catalog.connector(key)
    assert connector is not None
    assert connector.channel is not Channel.UNSPECIFIED
    assert connector_draft(catalog, "c-1", connector).channel is connector.channel


@pytest.mark.parametrize(
    ("text", "named"), [("tkt_" + "a" * 26, True), ("see INC_" + "2" * 26, True), ("tkt_a", False)]
)
def test_our_identifiers_are_recognised(text: str, named: bool) -> None:
    assert names_internal_id(text) is named
