"""A customer's five days: planned dates kept and missed, Gmail that fails, a WhatsApp grant that is revoked, a risk that is
found, and the acceptance with the evidence of all four criteria."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dealix.onboarding.v1 import checklist_pb2, connector_pb2
from dealix.onboarding.v1 import onboarding_service_pb2 as pb

from services.domain.claims import ClaimChecker, load_claims
from services.runtime.wire import timestamp
from tests.rpc.client import PERSON, SOFTWARE, refused
from tests.rpc.onboarding_client import CUSTOMERS, FOUNDER, Client, approval, onboarding

# Wednesday, ten in the morning in Riyadh: days 1 to 5 are Wednesday, Thursday, Sunday, Monday, Tuesday.
WEDNESDAY = datetime(2026, 3, 4, 7, 0, tzinfo=UTC)
PLAN = ["2026-03-04"] * 3 + ["2026-03-05"] + ["2026-03-08"] * 2 + ["2026-03-09", "2026-03-10"]

CUSTOMER = checklist_pb2.BLOCKING_PARTY_CUSTOMER
DEALIX = checklist_pb2.BLOCKING_PARTY_DEALIX


def state(name: str) -> connector_pb2.ConnectorState.ValueType:
    return connector_pb2.ConnectorState.Value(f"CONNECTOR_STATE_{name}")


def waits(checklist: checklist_pb2.Checklist) -> dict[str, tuple[int, str]]:
    """By step who is waited for, and why."""
    return {
        step.step_id: (step.blocker.party, step.blocker.reason_id)
        for step in checklist.steps
        if step.HasField("blocker")
    }


async def approved(client: Client, step_id: str, given: str = "") -> str:
    """The approval of a step that a person of the customer gave on a draft."""
    asked = await client.write(pb.DraftStepApprovalRequest, step_id=step_id, input=given)
    assert asked.approval_required
    return (await client.approve(asked.draft, by=CUSTOMERS)).draft.approval.approval_id


async def unmet(client: Client, **fields: Any) -> list[str]:
    """The criteria that are not met."""
    answer = await client.call(pb.GetAcceptanceRequest(customer_id="cust-1", **fields))
    return [criterion.criterion_id for criterion in answer.criteria if not criterion.met]


async def test_five_days_through_failures_to_acceptance(tmp_path: Path) -> None:
    async with onboarding(tmp_path) as client:
        await first_day(client)
        await second_day(client)
        await third_day(client)
        await fourth_day(client)
        await fifth_day(client)
        await after_the_fifth(client)


async def first_day(client: Client) -> None:
    client.clock.now = WEDNESDAY
    created = (await client.create(bundle_id="growth_starter")).checklist
    assert (created.start_date, created.due_date, created.days_late) == ("2026-03-04", "2026-03-04", 0)
    assert [step.planned_date for step in created.steps] == PLAN
    # The customer's move on all of today's; nobody's yet on what is planned for later.
    assert waits(created) == dict.fromkeys(
        ("select_goal", "select_bundle", "company_intake"), (CUSTOMER, "input_missing")
    )
    await client.step("select_goal", input="عشرة اجتماعات في الشهر")
    await client.step("select_bundle", approval_id=await approved(client, "select_bundle"))
    done = await client.step("company_intake", input="profile-1")
    assert (done.current_step_id, [step.days_late for step in done.steps]) == ("connect_channels", [0] * 8)
    assert done.steps[1].approval.approver == CUSTOMERS
    assert done.steps[0].completed_by == PERSON


async def second_day(client: Client) -> None:
    """Gmail's OAuth fails; WhatsApp is connected with its audit, tested and set up."""
    client.clock.forward(days=1)
    await client.connect("gmail", "CONFIGURING")
    failed = await client.problem("gmail", "OAUTH_FAILED", detail="redirect_uri_mismatch")
    assert failed.connector.state == state("FAILED")
    assert list(failed.recorded_states) == [state("FAILED")]
    assert (failed.issue.definitive, failed.issue.count) == (True, 1)
    found = await client.onboarding()
    assert "gmail_oauth_failed" in [guidance.recovery_id for guidance in found.guidance]
    assert waits(found.checklist)["connect_channels"] == (DEALIX, "connectors_failed")

    assert (await refused(client.connect("whatsapp_cloud", account_id="waba-2291"))).reason == "OPT_IN_AUDIT_REQUIRED"
    await client.audit()
    await client.connect("whatsapp_cloud", account_id="waba-2291")
    tested = await client.test(
        "whatsapp_cloud", detail="ظهرت مسودة الاختبار", no_secret_in_logs=True, reference="draft-7"
    )
    assert tested.connector.set_up
    by = {c.criterion_id: (c.evidence.actor.id, c.evidence.reference) for c in tested.connector.setup_criteria}
    assert by["test_succeeded"] == (PERSON.id, "draft-7")
    assert by["connected"] == (PERSON.id, "connector/cust-1/whatsapp_cloud")

    # The second try at Gmail succeeds, and with it the issue is over.
    await client.connect("gmail", "CONFIGURING")
    await client.connect("gmail")
    assert await client.issues() == []
    await client.step("connect_channels", approval=approval(by=CUSTOMERS, at=client.clock.now), input="gmail, whatsapp")


async def third_day(client: Client) -> None:
    """The list comes late, and the risk review finds a problem: stop, until the founder decided."""
    client.clock.now = WEDNESDAY + timedelta(days=4)
    await client.write(
        pb.SetStepBlockerRequest, step_id="upload_or_source", party=CUSTOMER, note="القائمة عند مدير المبيعات"
    )
    found = await client.onboarding()
    assert [g.recovery_id for g in found.guidance] == ["moyasar_invoice_not_connected", "no_list_uploaded"]
    assert waits(found.checklist)["upload_or_source"] == (CUSTOMER, "recorded")

    problem = await client.review("PROBLEM_FOUND")
    assert problem.approval_required
    assert problem.guidance.recovery_id == "risk_review_found_problem"
    found = await client.onboarding()
    assert found.checklist.risk_problem_open
    assert waits(found.checklist)["risk_review"] == (DEALIX, "risk_problem")
    for step_id in ("risk_review", "first_service_run"):
        stop = await refused(client.step(step_id, approval=approval(at=client.clock.now)))
        assert stop.reason == "STEP_BLOCKED"
        assert ("RISK_PROBLEM", "cust-1") in [missing[:2] for missing in stop.missing]
    decision = {"resolution": "استُبدلت القائمة بمصدر موثق"}
    for actor in (PERSON, SOFTWARE):
        assert (await refused(client.write(pb.ResolveRiskProblemRequest, actor=actor, **decision))).reason == (
            "FOUNDER_REQUIRED"
        )
    client.clock.forward(hours=3)
    resolved = await client.write(pb.ResolveRiskProblemRequest, actor=FOUNDER, **decision)
    assert not resolved.risk_review.open
    await client.review("CLEAN")
    await client.step("risk_review", approval=approval(by=FOUNDER, at=client.clock.now))


async def fourth_day(client: Client) -> None:
    """The list is there, a day late; the WhatsApp grant is revoked, and the first service waits for it."""
    client.clock.now = WEDNESDAY + timedelta(days=5)
    given = "قائمة العملاء المعتمدة"
    done = await client.step(
        "upload_or_source", approval_id=await approved(client, "upload_or_source", given), input=given
    )
    assert (done.steps[4].days_late, done.checklist.days_late) == (1, 0)
    blocked = {time.party: time.minutes for time in (await client.onboarding()).blocked_time}
    assert blocked == {CUSTOMER: 24 * 60, DEALIX: 0}

    await client.problem("whatsapp_cloud", "TIMEOUT")
    await client.problem("whatsapp_cloud", "TIMEOUT")
    (timeouts,) = await client.issues()
    assert (timeouts.count, timeouts.definitive) == (2, False)
    assert (await client.call(pb.GetOnboardingRequest(customer_id="cust-1"))).onboarding.open_issues == 1

    revoked = await client.problem("whatsapp_cloud", "GRANT_REVOKED")
    assert list(revoked.recorded_states) == [state("CONFIGURING"), state("FAILED")]
    stop = await refused(client.step("first_service_run", approval=approval(at=client.clock.now)))
    assert [missing[:2] for missing in stop.missing] == [("CONNECTOR", "whatsapp_cloud")]
    assert waits((await client.onboarding()).checklist)["first_service_run"] == (DEALIX, "connectors_missing")


async def fifth_day(client: Client) -> None:
    """WhatsApp comes back as the same account; the service runs a day late, the Proof Pack on the day."""
    client.clock.now = WEDNESDAY + timedelta(days=6)
    await client.connect("whatsapp_cloud", "CONFIGURING")
    other = await refused(client.connect("whatsapp_cloud", account_id="waba-9999"))
    assert other.reason == "CONNECTOR_ACCOUNT_MISMATCH"
    await client.connect("whatsapp_cloud", account_id="waba-2291")
    assert await client.issues() == []
    await client.test("whatsapp_cloud", no_secret_in_logs=True, reference="draft-9")
    ran = await client.step("first_service_run", approval_id=await approved(client, "first_service_run"))
    assert ran.steps[6].days_late == 1
    assert (await client.step("first_proof_pack")).steps[7].days_late == 0
    assert await unmet(client) == ["proof_pack_delivered_and_approved", "success_cadence_active"]
    assert (await refused(client.proof_pack("APPROVED", person=CUSTOMERS))).reason == "PROOF_PACK_NOT_DELIVERED"
    await client.proof_pack("DELIVERED", reference="pack-1")
    client.clock.forward(hours=2)
    await client.proof_pack("APPROVED", person=CUSTOMERS, reference="mail-88")


async def after_the_fifth(client: Client) -> None:
    refusal = await refused(client.write(pb.AcceptOnboardingRequest))
    assert refusal.reason == "ACCEPTANCE_INCOMPLETE"
    assert [missing[:2] for missing in refusal.missing] == [("SUCCESS_CADENCE_ACTIVE", "success_cadence")]
    cadence = pb.CadenceFact(
        active=True, activate_time=timestamp(client.clock.now), activator=FOUNDER, reference="plan-1"
    )
    accepted = (await client.write(pb.AcceptOnboardingRequest, actor=FOUNDER, cadence=cadence)).acceptance
    assert accepted.accepter == FOUNDER
    evidence = {
        criterion.criterion_id: [(e.subject, e.actor.id, e.reference) for e in criterion.evidence]
        for criterion in accepted.criteria
    }
    assert [subject for subject, _, _ in evidence["steps_completed"]] == [
        "select_goal",
        "select_bundle",
        "company_intake",
        "connect_channels",
        "upload_or_source",
        "risk_review",
    ]
    assert ("risk_review", FOUNDER.id, "checklist/cust-1") in evidence["steps_completed"]
    assert [(who, kept[:4]) for subject, who, kept in evidence["steps_completed"] if subject == "select_bundle"] == [
        (CUSTOMERS.id, "apr_")
    ]
    assert {s: kept for s, _, kept in evidence["ready_for_first_service"]} == {
        "gmail": "connector/cust-1/gmail",
        "whatsapp_cloud": "draft-9",
    }
    assert evidence["proof_pack_delivered_and_approved"] == [
        ("delivery", PERSON.id, "pack-1"),
        ("approval", CUSTOMERS.id, "mail-88"),
    ]
    assert evidence["success_cadence_active"] == [("cadence", FOUNDER.id, "plan-1")]
    assert all(e.time.seconds for criterion in accepted.criteria for e in criterion.evidence)

    # What was accepted stays as it was, whatever happens afterwards; and it is told in the ledger, line by line.
    await client.problem("gmail", "GRANT_REVOKED")
    again = (await client.write(pb.AcceptOnboardingRequest, actor=FOUNDER)).acceptance
    assert again == accepted
    assert (await client.onboarding()).acceptance == accepted
    assert await unmet(client) == ["success_cadence_active"]
    actions = await client.actions("checklist/cust-1")
    assert actions.count("onboarding.accepted") == 1
    assert {"risk_review.recorded", "risk_review.resolved", "proof_pack.delivered", "proof_pack.approved"} <= set(
        actions
    )


async def test_what_a_person_is_asked_to_approve_claims_nothing_prohibited(tmp_path: Path) -> None:
    checker = ClaimChecker(load_claims())
    async with onboarding(tmp_path) as client:
        await client.create(bundle_id="growth_starter")
        for step_id in ("select_bundle", "connect_channels", "upload_or_source", "risk_review", "first_service_run"):
            draft = (await client.write(pb.DraftStepApprovalRequest, step_id=step_id, input="")).draft
            for text in (draft.title_ar, draft.title_en, draft.body_ar, draft.body_en):
                assert text.strip()
                assert not checker.check(text)
