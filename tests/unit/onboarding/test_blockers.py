"""Who is waited for, since when, and which guidance is offered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.onboarding.domain.approvals import Approval, Person
from services.onboarding.domain.blockers import (
    RecordedBlocker,
    Situation,
    blocked_minutes,
    blockers_of,
    offered,
)
from services.onboarding.domain.catalog import STEP_IDS, BlockingParty, Catalog, ConnectorState, load_catalog
from services.onboarding.domain.checklist import Checklist, Readiness, complete_step, new_checklist
from services.onboarding.domain.connections import Connection
from services.onboarding.domain.risk import RiskOutcome, RiskReview

CATALOG = load_catalog()
# A Sunday, noon in Riyadh.
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
OPERATOR = Person("person", "operator-17")
FOUNDER = Person("person", "founder-1", "founder")
READY = Readiness(True, connected=("whatsapp_cloud",))
CUSTOMER, DEALIX = BlockingParty.CUSTOMER, BlockingParty.DEALIX


def done(checklist: Checklist, *step_ids: str, at: datetime = NOW) -> Checklist:
    for step_id in step_ids:
        step = CATALOG.step(step_id)
        approval = Approval("founder-1", at, by_person=True) if step and step.requires_approval else None
        checklist = complete_step(CATALOG, checklist, step_id, at=at, approval=approval, readiness=READY)
    return checklist


def fresh(at: datetime = NOW) -> Checklist:
    return new_checklist(CATALOG, customer_id="c-1", bundle_id="growth_starter", at=at)


def connections(**states: ConnectorState) -> dict[str, Connection]:
    return {key: Connection("c-1", key, state, revision=1, updated_at=NOW) for key, state in states.items()}


def problem(at: datetime = NOW) -> RiskReview:
    return RiskReview("rsk_1", "c-1", RiskOutcome.PROBLEM_FOUND, "مصدر غير معروف", "", OPERATOR, at, at)


FAILED, DRAFTS = ConnectorState.FAILED, ConnectorState.CONNECTED_DRAFT_ONLY
FIRST_DAY = ("select_goal", "select_bundle", "company_intake")

# What is completed, connectors, an open problem; the step that is asked about, who blocks it and why.
CASES = [
    ((), {}, False, "select_goal", CUSTOMER, "input_missing"),
    (FIRST_DAY, {}, False, "connect_channels", CUSTOMER, "input_missing"),
    (FIRST_DAY, {"gmail": FAILED}, False, "connect_channels", DEALIX, "connectors_failed"),
    (FIRST_DAY, {"gmail": DRAFTS}, False, "connect_channels", CUSTOMER, "input_missing"),
    ((), {}, False, "risk_review", DEALIX, "our_work"),
    ((), {}, True, "risk_review", DEALIX, "risk_problem"),
    ((), {}, False, "first_service_run", DEALIX, "earlier_step"),
    (("risk_review",), {}, False, "first_service_run", CUSTOMER, "connectors_missing"),
    (("risk_review",), {"whatsapp_cloud": FAILED}, False, "first_service_run", DEALIX, "connectors_missing"),
    (("risk_review",), {"whatsapp_cloud": DRAFTS}, False, "first_service_run", DEALIX, "our_work"),
    (("risk_review",), {"whatsapp_cloud": DRAFTS}, True, "first_service_run", DEALIX, "risk_problem"),
    (("risk_review",), {}, False, "first_proof_pack", CUSTOMER, "earlier_step"),
    (("risk_review", "first_service_run"), {}, False, "first_proof_pack", DEALIX, "our_work"),
]


@pytest.mark.parametrize(("completed", "states", "risky", "step_id", "party", "reason"), CASES)
def test_who_is_waited_for(
    catalog: Catalog,
    completed: tuple[str, ...],
    states: dict[str, ConnectorState],
    risky: bool,
    step_id: str,
    party: BlockingParty,
    reason: str,
) -> None:
    situation = Situation(done(fresh(), *completed), connections(**states), problem=problem() if risky else None)
    # The last planned day: the turn of every step has come.
    blocker = blockers_of(catalog, situation, NOW + timedelta(days=4))[step_id]
    assert (blocker.party, blocker.reason_id) == (party, reason)
    assert blocker.reason.ar
    assert "{" not in blocker.reason.ar + blocker.reason.en


@pytest.mark.parametrize(
    ("day", "waiting"),
    [(0, 3), (1, 4), (2, 6), (3, 7), (4, 8), (30, 8)],
)
def test_a_steps_turn_comes_with_its_day(catalog: Catalog, day: int, waiting: int) -> None:
    found = blockers_of(catalog, Situation(fresh(), {}), NOW + timedelta(days=day))
    assert list(found) == list(STEP_IDS[:waiting])


def test_a_customer_who_is_ahead_is_waited_for_since_the_step_before(catalog: Catalog) -> None:
    later = NOW + timedelta(hours=2)
    situation = Situation(done(fresh(), *FIRST_DAY, at=later), {})
    found = blockers_of(catalog, situation, later + timedelta(minutes=1))
    assert {key: blocker.since for key, blocker in found.items()} == {"connect_channels": later}


def test_a_run_is_waited_for_since_its_review_not_since_its_day(catalog: Catalog) -> None:
    at = NOW + timedelta(days=6)
    situation = Situation(done(fresh(), "risk_review", at=at), connections(whatsapp_cloud=DRAFTS))
    assert blockers_of(catalog, situation, at)["first_service_run"].since == at


@given(
    st.sets(st.sampled_from(STEP_IDS)),
    st.dictionaries(
        st.sampled_from([c.key for c in CATALOG.connectors]), st.sampled_from(sorted(ConnectorState)), max_size=5
    ),
    st.booleans(),
    st.integers(0, 20 * 24 * 60),
)
@settings(max_examples=150)
def test_every_open_step_whose_day_began_waits_for_somebody_and_no_completed_one_does(
    wanted: set[str], states: dict[str, ConnectorState], risky: bool, minutes: int
) -> None:
    now = NOW + timedelta(minutes=minutes)
    order = [step_id for step_id in STEP_IDS if step_id in wanted]
    if "risk_review" not in wanted:
        order = [s for s in order if s not in ("first_service_run", "first_proof_pack")]
    if "first_service_run" not in wanted:
        order = [s for s in order if s != "first_proof_pack"]
    checklist = done(fresh(), *order)
    found = blockers_of(CATALOG, Situation(checklist, connections(**states), problem=problem() if risky else None), now)
    assert not set(found) & checklist.completed_ids()
    if checklist.current_step_id != "done":
        assert checklist.current_step_id in found
    for blocker in found.values():
        assert NOW <= blocker.since <= now or blocker.reason_id == "risk_problem"
    # Time alone takes nobody's turn away.
    later = blockers_of(CATALOG, Situation(checklist, connections(**states)), now + timedelta(days=1))
    assert set(found) <= set(later)


def test_a_record_goes_before_what_follows(catalog: Catalog) -> None:
    record = RecordedBlocker("c-1", "risk_review", 1, CUSTOMER, NOW, "ننتظر المستند", OPERATOR)
    found = blockers_of(catalog, Situation(fresh(), {}, (record,), problem()), NOW)["risk_review"]
    assert (found.party, found.reason_id, found.note, found.recorder) == (CUSTOMER, "recorded", record.note, OPERATOR)
    ended = replace(record, ended_at=NOW + timedelta(minutes=5))
    later = NOW + timedelta(days=3)
    assert blockers_of(catalog, Situation(fresh(), {}, (ended,)), later)["risk_review"].reason_id == "our_work"


def test_blocked_minutes_add_up_by_party() -> None:
    def record(number: int, party: BlockingParty, since: int, until: int | None) -> RecordedBlocker:
        ended = NOW + timedelta(minutes=until) if until is not None else None
        return RecordedBlocker("c-1", "select_goal", number, party, NOW + timedelta(minutes=since), "", OPERATOR, ended)

    found = [record(1, CUSTOMER, 0, 10), record(2, DEALIX, 10, 30), record(3, CUSTOMER, 30, None)]
    assert blocked_minutes(found, NOW + timedelta(minutes=35)) == {CUSTOMER: 15, DEALIX: 20}
    assert blocked_minutes([], NOW) == {CUSTOMER: 0, DEALIX: 0}


WORKED = ("connect_channels",)


@pytest.mark.parametrize(
    ("completed", "states", "risky", "blocked", "day", "guidance"),
    [
        ((), {}, False, False, 0, []),
        # The day of the channels begins, and Moyasar is not there.
        ((), {}, False, False, 1, ["moyasar_invoice_not_connected"]),
        ((), {"moyasar": ConnectorState.CONFIGURING}, False, False, 1, ["moyasar_invoice_not_connected"]),
        ((), {"moyasar": DRAFTS}, False, False, 1, []),
        ((), {"moyasar": ConnectorState.SKIPPED}, False, False, 1, []),
        (WORKED, {}, False, False, 0, ["moyasar_invoice_not_connected"]),
        ((), {"gmail": FAILED}, False, False, 0, ["gmail_oauth_failed"]),
        ((), {"gmail": ConnectorState.CONFIGURING}, False, False, 0, []),
        # The list is due on Tuesday, so its guidance is offered from Wednesday on, or once somebody says that it hangs.
        ((), {"moyasar": DRAFTS}, False, False, 2, []),
        ((), {"moyasar": DRAFTS}, False, False, 3, ["no_list_uploaded"]),
        ((), {"moyasar": DRAFTS}, False, True, 0, ["no_list_uploaded"]),
        (("upload_or_source",), {"moyasar": DRAFTS}, False, False, 9, []),
        ((), {}, True, False, 0, ["risk_review_found_problem"]),
        (
            (),
            {"gmail": FAILED},
            True,
            False,
            3,
            ["gmail_oauth_failed", "moyasar_invoice_not_connected", "no_list_uploaded", "risk_review_found_problem"],
        ),
    ],
)
def test_guidance_is_offered_when_its_condition_holds(
    catalog: Catalog,
    completed: tuple[str, ...],
    states: dict[str, ConnectorState],
    risky: bool,
    blocked: bool,
    day: int,
    guidance: list[str],
) -> None:
    record = RecordedBlocker("c-1", "upload_or_source", 1, CUSTOMER, NOW, "", OPERATOR)
    situation = Situation(
        done(fresh(), *completed), connections(**states), (record,) if blocked else (), problem() if risky else None
    )
    assert [r.id for r in offered(catalog, situation, NOW + timedelta(days=day))] == guidance
