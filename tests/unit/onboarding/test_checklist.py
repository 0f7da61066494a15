"""Steps, order, approvals, progress and acceptance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.onboarding.domain.approvals import Approval, ApprovalRequired, PersonRequired
from services.onboarding.domain.catalog import STEP_IDS, Catalog, load_catalog
from services.onboarding.domain.checklist import (
    Checklist,
    ProofPack,
    Readiness,
    StepBlocked,
    acceptance,
    complete_step,
    demo_checklist,
    new_checklist,
    percentage,
    untick_step,
    unticked_with,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
APPROVAL = Approval("sara.ops", NOW, by_person=True)
READY = Readiness(True, connected=("whatsapp_cloud",))
NOT_READY = Readiness(False, missing=("whatsapp_cloud",))
NEED_APPROVAL = {"select_bundle", "connect_channels", "upload_or_source", "risk_review", "first_service_run"}


def fresh(catalog: Catalog) -> Checklist:
    return new_checklist(catalog, customer_id="c-1", bundle_id="growth_starter", at=NOW)


def tick(catalog: Catalog, checklist: Checklist, *step_ids: str, readiness: Readiness | None = READY) -> Checklist:
    for step_id in step_ids:
        approval = APPROVAL if step_id in NEED_APPROVAL else None
        checklist = complete_step(catalog, checklist, step_id, at=NOW, approval=approval, readiness=readiness)
    return checklist


def faults(refusal: pytest.ExceptionInfo[InvalidInput]) -> set[tuple[str, str]]:
    return {(v.field, v.reason) for v in refusal.value.violations}


def test_a_fresh_checklist_starts_at_the_goal(catalog: Catalog) -> None:
    checklist = fresh(catalog)
    assert (checklist.total_steps, checklist.progress_pct, checklist.current_step_id) == (8, 0.0, "select_goal")


def test_progress_counts_completed_steps_to_one_decimal(catalog: Catalog) -> None:
    checklist = fresh(catalog)
    seen = []
    for step_id in STEP_IDS:
        checklist = tick(catalog, checklist, step_id)
        seen.append((checklist.progress_pct, checklist.current_step_id))
    assert [p for p, _ in seen] == [12.5, 25.0, 37.5, 50.0, 62.5, 75.0, 87.5, 100.0]
    assert [c for _, c in seen] == [*STEP_IDS[1:], "done"]


def test_the_current_step_is_the_first_open_one_whatever_the_order(catalog: Catalog) -> None:
    checklist = tick(catalog, fresh(catalog), "risk_review", "select_goal", "company_intake")
    assert checklist.current_step_id == "select_bundle"
    assert tick(catalog, checklist, "select_bundle").current_step_id == "connect_channels"


@pytest.mark.parametrize("step_id", sorted(NEED_APPROVAL))
def test_a_step_with_approval_is_refused_without_one(catalog: Catalog, step_id: str) -> None:
    with pytest.raises(ApprovalRequired) as refusal:
        complete_step(catalog, fresh(catalog), step_id, at=NOW, readiness=READY)
    assert refusal.value.metadata == {"subject": step_id}
    assert ("APPROVAL", step_id) in {m[:2] for m in refusal.value.missing}


def test_software_cannot_approve(catalog: Catalog) -> None:
    with pytest.raises(PersonRequired) as refusal:
        complete_step(
            catalog, fresh(catalog), "risk_review", at=NOW, approval=Approval("lead-engine", NOW, by_person=False)
        )
    assert refusal.value.metadata == {"action": "complete_step"}


def test_first_service_run_needs_the_risk_review_and_readiness_and_says_both(catalog: Catalog) -> None:
    with pytest.raises(StepBlocked) as refusal:
        tick(catalog, fresh(catalog), "first_service_run", readiness=NOT_READY)
    assert refusal.value.metadata == {"customer_id": "c-1", "step_id": "first_service_run"}
    assert {m[:2] for m in refusal.value.missing} == {("STEP", "risk_review"), ("CONNECTOR", "whatsapp_cloud")}


@pytest.mark.parametrize(
    ("readiness", "missing"),
    [
        (NOT_READY, ("CONNECTOR", "whatsapp_cloud")),
        (Readiness(False), ("CONNECTOR", "any_connector")),
        (None, ("READINESS", "c-1")),
    ],
)
def test_the_gate_stays_shut_until_readiness_is_known_and_true(
    catalog: Catalog, readiness: Readiness | None, missing: tuple[str, str]
) -> None:
    reviewed = tick(catalog, fresh(catalog), "risk_review")
    with pytest.raises(StepBlocked) as refusal:
        tick(catalog, reviewed, "first_service_run", readiness=readiness)
    assert [m[:2] for m in refusal.value.missing] == [missing]
    assert tick(catalog, reviewed, "first_service_run").steps[6].completed


def test_first_proof_pack_needs_the_service_run(catalog: Catalog) -> None:
    with pytest.raises(StepBlocked) as refusal:
        tick(catalog, fresh(catalog), "first_proof_pack")
    assert [m[:2] for m in refusal.value.missing] == [("STEP", "first_service_run")]


def test_completing_again_changes_nothing(catalog: Catalog) -> None:
    checklist = tick(catalog, fresh(catalog), "risk_review")
    later = NOW + timedelta(days=1)
    again = complete_step(
        catalog, checklist, "risk_review", at=later, approval=Approval("noura.ops", later, by_person=True)
    )
    assert again == checklist
    # A repeated call without the approval is not a new completion either.
    assert complete_step(catalog, checklist, "risk_review", at=later) == checklist


def test_unticking_moves_back(catalog: Catalog) -> None:
    checklist = tick(catalog, fresh(catalog), "select_goal", "select_bundle", "company_intake")
    back = untick_step(catalog, checklist, "select_goal")
    assert (back.current_step_id, back.progress_pct) == ("select_goal", 25.0)
    assert back.steps[0].completed_at is None
    assert untick_step(catalog, back, "select_goal") == back


def test_unticking_takes_along_what_was_built_on_it(catalog: Catalog) -> None:
    checklist = tick(catalog, fresh(catalog), *STEP_IDS)
    assert unticked_with(catalog, checklist, "risk_review") == ("risk_review", "first_service_run", "first_proof_pack")
    back = untick_step(catalog, checklist, "risk_review")
    assert (back.current_step_id, back.progress_pct) == ("risk_review", 62.5)
    assert unticked_with(catalog, checklist, "select_goal") == ("select_goal",)
    reviewed = tick(catalog, fresh(catalog), "risk_review")
    assert unticked_with(catalog, reviewed, "risk_review") == ("risk_review",)
    assert unticked_with(catalog, reviewed, "select_goal") == ()


def test_the_bundle_is_agreed_before_or_chosen_in_its_step(catalog: Catalog) -> None:
    undecided = new_checklist(catalog, customer_id="c-1", bundle_id=None, at=NOW)
    with pytest.raises(InvalidInput) as refusal:
        complete_step(catalog, undecided, "select_bundle", at=NOW, approval=APPROVAL)
    assert faults(refusal) == {("input", "UNKNOWN_VALUE")}
    chosen = complete_step(
        catalog, undecided, "select_bundle", at=NOW, approval=APPROVAL, given="full_growth_control_tower"
    )
    assert chosen.bundle_id == "full_growth_control_tower"
    assert tick(catalog, fresh(catalog), "select_bundle").bundle_id == "growth_starter"


@pytest.mark.parametrize("bundle_id", ["", "growth", "GROWTH_STARTER", "growth_starter "])
def test_unknown_bundles_are_refused(catalog: Catalog, bundle_id: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        new_checklist(catalog, customer_id="  ", bundle_id=bundle_id, at=NOW)
    assert faults(refusal) == {("customer_id", "REQUIRED"), ("bundle_id", "UNKNOWN_VALUE")}


def test_all_faults_of_a_completion_are_named_at_once(catalog: Catalog) -> None:
    bad = Approval(" ", NOW + timedelta(hours=1), by_person=True)
    with pytest.raises(InvalidInput) as refusal:
        complete_step(catalog, fresh(catalog), "select_gaol", at=NOW, approval=bad, given="sk_live_a1b2c3d4e5f6")
    assert faults(refusal) == {
        ("step_id", "UNKNOWN_VALUE"),
        ("approval.approver", "REQUIRED"),
        ("approval.approve_time", "IN_FUTURE"),
        ("input", "CREDENTIAL_REFUSED"),
    }
    assert all("a1b2c3" not in v.description for v in refusal.value.violations)


def test_an_approval_without_a_time_zone_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidInput) as refusal:
        complete_step(
            catalog,
            fresh(catalog),
            "risk_review",
            at=NOW,
            approval=Approval("sara.ops", NOW.replace(tzinfo=None), by_person=True),
        )
    assert faults(refusal) == {("approval.approve_time", "TIME_ZONE_REQUIRED")}


def test_an_approval_where_none_belongs_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidInput) as refusal:
        complete_step(catalog, fresh(catalog), "select_goal", at=NOW, approval=APPROVAL)
    assert faults(refusal) == {("approval", "NOT_EXPECTED")}


def test_unticking_an_unknown_step_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidInput) as refusal:
        untick_step(catalog, fresh(catalog), "done")
    assert faults(refusal) == {("step_id", "UNKNOWN_VALUE")}


def test_the_demo_is_a_checklist_under_way(catalog: Catalog) -> None:
    demo = demo_checklist(catalog, at=NOW)
    assert (demo.progress_pct, demo.current_step_id) == (37.5, "connect_channels")


@cache
def loaded() -> Catalog:
    return load_catalog()


@given(st.lists(st.tuples(st.sampled_from(STEP_IDS), st.booleans(), st.booleans()), max_size=30))
@settings(max_examples=150, deadline=None)
def test_no_way_of_ticking_leads_past_the_order_rules(moves: list[tuple[str, bool, bool]]) -> None:
    catalog = loaded()
    checklist = fresh(catalog)
    for step_id, done, ready in moves:
        try:
            if done:
                checklist = tick(catalog, checklist, step_id, readiness=READY if ready else NOT_READY)
            else:
                checklist = untick_step(catalog, checklist, step_id)
        except StepBlocked:
            continue
        completed = {s.step_id for s in checklist.steps if s.completed}
        assert "first_service_run" not in completed or "risk_review" in completed
        assert "first_proof_pack" not in completed or "first_service_run" in completed
        still_open = [i for i in STEP_IDS if i not in completed]
        assert checklist.current_step_id == (still_open[0] if still_open else "done")
        assert checklist.progress_pct == len(completed) * 12.5
        assert all(s.approval is not None for s in checklist.steps if s.completed and s.step_id in NEED_APPROVAL)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 11, 0.0),
        (1, 11, 9.1),
        (3, 11, 27.3),
        (11, 11, 100.0),
        (1, 8, 12.5),
        (1, 3, 33.3),
        (2, 3, 66.7),
        (1, 2000, 0.1),
    ],
)
def test_percentages_have_one_decimal_rounded_half_up(part: int, whole: int, expected: float) -> None:
    assert percentage(part, whole) == expected


ALL_BUT_ASYNC = STEP_IDS[:6]
APPROVED_PACK = ProofPack(delivered=True, approval=APPROVAL)


def test_accepted_with_all_four_criteria_and_their_evidence(catalog: Catalog) -> None:
    checklist = tick(catalog, fresh(catalog), *ALL_BUT_ASYNC)
    found = acceptance(catalog, checklist, ready_for_first_service=READY, proof_pack=APPROVED_PACK, cadence_active=True)
    assert found.accepted
    assert [c.id for c in found.criteria] == [
        "steps_completed",
        "ready_for_first_service",
        "proof_pack_delivered_and_approved",
        "success_cadence_active",
    ]
    said = [c.evidence.en for c in found.criteria]
    assert said[0] == "6 steps completed, the last on Monday 2 March 2026."
    assert "WhatsApp Cloud" in said[1]
    assert said[2] == "Delivered, and approved by sara.ops on Monday 2 March 2026."


@pytest.mark.parametrize(
    ("steps", "ready", "pack", "cadence", "criterion", "missing"),
    [
        (ALL_BUT_ASYNC[1:], READY, APPROVED_PACK, True, 0, ("select_goal",)),
        (ALL_BUT_ASYNC, NOT_READY, APPROVED_PACK, True, 1, ("whatsapp_cloud",)),
        (ALL_BUT_ASYNC, Readiness(False), APPROVED_PACK, True, 1, ("any_connector",)),
        (ALL_BUT_ASYNC, READY, ProofPack(delivered=True), True, 2, ("approval",)),
        (ALL_BUT_ASYNC, READY, ProofPack(delivered=False, approval=APPROVAL), True, 2, ("delivery",)),
        (
            ALL_BUT_ASYNC,
            READY,
            ProofPack(delivered=True, approval=Approval("bot", NOW, by_person=False)),
            True,
            2,
            ("approval",),
        ),
        (ALL_BUT_ASYNC, READY, APPROVED_PACK, False, 3, ("success_cadence",)),
        (ALL_BUT_ASYNC, READY, APPROVED_PACK, None, 3, ("success_cadence",)),
    ],
)
def test_each_criterion_alone_keeps_acceptance_back(
    catalog: Catalog,
    steps: tuple[str, ...],
    ready: Readiness,
    pack: ProofPack,
    cadence: bool | None,
    criterion: int,
    missing: tuple[str, ...],
) -> None:
    checklist = tick(catalog, fresh(catalog), *steps)
    found = acceptance(catalog, checklist, ready_for_first_service=ready, proof_pack=pack, cadence_active=cadence)
    assert not found.accepted
    assert [i for i, c in enumerate(found.criteria) if not c.met] == [criterion]
    assert found.criteria[criterion].missing == missing
    assert "{" not in found.criteria[criterion].evidence.ar


def test_evidence_dates_are_riyadh_days(catalog: Catalog) -> None:
    late = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
    found = acceptance(
        catalog,
        fresh(catalog),
        ready_for_first_service=READY,
        proof_pack=ProofPack(delivered=True, approval=Approval("sara.ops", late, by_person=True)),
        cadence_active=True,
    )
    assert "يوم الثلاثاء 3 مارس 2026" in found.criteria[2].evidence.ar


def test_what_is_still_to_connect_is_a_list_of_names(catalog: Catalog) -> None:
    found = acceptance(
        catalog,
        fresh(catalog),
        ready_for_first_service=Readiness(False, ("whatsapp_cloud", "any_connector")),
        proof_pack=APPROVED_PACK,
        cadence_active=True,
    )
    evidence = found.criteria[1].evidence
    assert evidence.ar == "يبقى ربط: واتساب للأعمال (Cloud API)، قناة واحدة على الأقل."
    assert evidence.en == "Still to connect: WhatsApp Cloud, at least one channel."
