"""The plan against what happened, who is waited for, risk reviews, Proof Packs, acceptance, and steps approved by drafts."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dealix.onboarding.v1 import approval_service_pb2, checklist_pb2, onboarding_pb2
from dealix.onboarding.v1 import onboarding_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.runtime.wire import timestamp
from tests.rpc.client import PERSON, SOFTWARE, pages, refused
from tests.rpc.onboarding_client import CUSTOMERS, FOUNDER, SECRET, START, TOKEN, Client, approval, onboarding

CUSTOMER = checklist_pb2.BLOCKING_PARTY_CUSTOMER
DEALIX = checklist_pb2.BLOCKING_PARTY_DEALIX
IN_A_SECOND = timestamp(START + timedelta(seconds=1))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with onboarding(tmp_path) as running:
        yield running


async def checklist(client: Client) -> checklist_pb2.Checklist:
    return (await client.call(pb.GetChecklistRequest(customer_id="cust-1"))).checklist


async def lines(client: Client, size: int = 2, **filters: Any) -> list[onboarding_pb2.OnboardingLine]:
    """Every onboarding of a list, read page by page."""

    def ask(token: str) -> Any:
        return client.call(pb.ListOnboardingsRequest(page_size=size, page_token=token, **filters))

    return [line async for page in pages(ask) for line in page.onboardings]


class TestPlan:
    @pytest.mark.parametrize(
        ("now", "start_date", "planned"),
        [
            # 2026-03-01 is a Sunday.
            ("2026-03-01T09:00", "", ["03-01", "03-02", "03-03", "03-04", "03-05"]),
            ("2026-03-04T20:59", "", ["03-04", "03-05", "03-08", "03-09", "03-10"]),
            # Nine in the evening in London is midnight in Riyadh: Thursday has begun.
            ("2026-03-04T21:00", "", ["03-05", "03-08", "03-09", "03-10", "03-11"]),
            ("2026-03-05T21:00", "", ["03-08", "03-09", "03-10", "03-11", "03-12"]),
            ("2026-03-01T09:00", "2026-03-06", ["03-08", "03-09", "03-10", "03-11", "03-12"]),
            ("2026-03-01T09:00", "2026-02-26", ["02-26", "03-01", "03-02", "03-03", "03-04"]),
        ],
    )
    async def test_day_one_is_the_first_working_day(
        self, client: Client, now: str, start_date: str, planned: list[str]
    ) -> None:
        client.clock.now = datetime.fromisoformat(now).replace(tzinfo=UTC)
        created = (await client.create(start_date=start_date)).checklist
        by_day = {step.day: step.planned_date for step in created.steps}
        assert by_day == {day: f"2026-{date}" for day, date in enumerate(planned, start=1)}
        assert created.start_date == by_day[1]
        assert await checklist(client) == created

    @pytest.mark.parametrize(
        ("start_date", "reason"),
        [
            ("2026-02-29", "NO_DATE"),
            ("2026-13-01", "NO_DATE"),
            ("2027-03-03", "OUT_OF_RANGE"),
            ("0001-01-01", "OUT_OF_RANGE"),
        ],
    )
    async def test_no_other_start_is_taken(self, client: Client, start_date: str, reason: str) -> None:
        assert (await refused(client.create(start_date=start_date))).fields == {"start_date": reason}

    async def test_late_days_are_working_days(self, client: Client) -> None:
        created = (await client.create()).checklist
        assert (created.due_date, created.days_late) == ("2026-03-01", 0)
        late = []
        for day in range(1, 9):
            client.clock.now = START + timedelta(days=day)
            late.append((await checklist(client)).days_late)
        # Monday to Thursday, then a weekend that adds nothing, then Sunday and Monday.
        assert late == [1, 2, 3, 4, 4, 4, 5, 6]
        done = await client.step("select_goal")
        assert (done.steps[0].days_late, done.checklist.days_late) == (6, 6)
        client.clock.forward(days=30)
        assert (await checklist(client)).steps[0].days_late == 6

    async def test_the_latest_stand_on_top_of_the_list(self, client: Client) -> None:
        for number, start in enumerate(["2026-03-08", "2026-03-01", "2026-02-22", "2026-03-03", "2026-03-01"]):
            await client.create(f"cust-{number}", start_date=start)
        client.clock.now = START + timedelta(days=3)
        # Its current step moves from day 1 to day 3.
        for step_id in ("select_goal", "select_bundle", "company_intake", "connect_channels"):
            more: dict[str, Any] = {"approval": approval()} if step_id in ("select_bundle", "connect_channels") else {}
            await client.step(
                step_id, customer_id="cust-2", input="growth_starter" if step_id == "select_bundle" else "", **more
            )
        found = [(line.customer_id, line.due_date, line.days_late) for line in await lines(client)]
        assert found == [
            ("cust-2", "2026-02-24", 6),
            ("cust-1", "2026-03-01", 3),
            ("cust-4", "2026-03-01", 3),
            ("cust-3", "2026-03-03", 1),
            ("cust-0", "2026-03-08", 0),
        ]
        assert [line.customer_id for line in await lines(client, late_only=True)] == [row[0] for row in found[:-1]]
        assert await lines(client, accepted=True) == []

    @pytest.mark.parametrize("day", range(14))
    async def test_the_list_of_late_ones_is_what_counts_as_late(self, client: Client, day: int) -> None:
        for number in range(5):
            await client.create(f"cust-{number}", start_date=f"2026-03-0{number + 1}")
        client.clock.now = START + timedelta(days=day)
        every = await lines(client, size=200)
        assert await lines(client, size=200, late_only=True) == [line for line in every if line.days_late]

    async def test_a_page_token_belongs_to_its_list(self, client: Client) -> None:
        for number in range(2):
            await client.create(f"cust-{number}")
        token = (await client.call(pb.ListOnboardingsRequest(page_size=1))).next_page_token
        refusal = await refused(client.call(pb.ListOnboardingsRequest(page_size=1, page_token=token, late_only=True)))
        assert refusal.fields == {"page_token": "PAGE_TOKEN_OF_OTHER_QUERY"}


class TestBlockers:
    async def test_a_record_stands_until_the_step_is_completed(self, client: Client) -> None:
        await client.create()
        client.clock.forward(hours=2)
        since = timestamp(START + timedelta(hours=1))
        answer = await client.write(
            pb.SetStepBlockerRequest, step_id="company_intake", party=DEALIX, since_time=since, note="نجهز النموذج"
        )
        blocker = answer.checklist.steps[2].blocker
        assert (blocker.party, blocker.reason_id, blocker.since_time, blocker.note) == (
            DEALIX, "recorded", since, "نجهز النموذج",
        )  # fmt: skip
        assert blocker.recorder == PERSON
        client.clock.forward(hours=1)
        assert not (await client.step("company_intake")).steps[2].HasField("blocker")
        assert not (await client.step("company_intake", completed=False)).steps[2].blocker.note
        minutes = {time.party: time.minutes for time in (await client.onboarding()).blocked_time}
        assert minutes == {CUSTOMER: 0, DEALIX: 120}

    async def test_another_record_ends_the_first_and_clearing_derives_again(self, client: Client) -> None:
        await client.create()
        await client.write(pb.SetStepBlockerRequest, step_id="select_goal", party=DEALIX)
        client.clock.forward(minutes=30)
        await client.write(pb.SetStepBlockerRequest, step_id="select_goal", party=CUSTOMER)
        client.clock.forward(minutes=15)
        cleared = await client.write(pb.ClearStepBlockerRequest, step_id="select_goal")
        assert cleared.checklist.steps[0].blocker.reason_id == "input_missing"
        client.clock.forward(days=1)
        minutes = {time.party: time.minutes for time in (await client.onboarding()).blocked_time}
        assert minutes == {CUSTOMER: 15, DEALIX: 30}
        again = await client.write(pb.ClearStepBlockerRequest, step_id="select_goal")
        assert again.checklist.steps[0].blocker.reason_id == "input_missing"
        assert (await client.actions())[-1] == "checklist.blocker_unchanged"

    async def test_a_completed_step_waits_for_nobody(self, client: Client) -> None:
        await client.create()
        await client.step("select_goal")
        refusal = await refused(client.write(pb.SetStepBlockerRequest, step_id="select_goal", party=CUSTOMER))
        assert refusal.reason == "STEP_COMPLETED"
        assert refusal.metadata == {"customer_id": "cust-1", "step_id": "select_goal"}

    async def test_before_its_day_nobody_blocks(self, client: Client) -> None:
        await client.create(start_date="2026-03-08")
        assert not any(step.HasField("blocker") for step in (await checklist(client)).steps)
        client.clock.now = datetime(2026, 3, 7, 21, 0, tzinfo=UTC)
        waiting = [step.step_id for step in (await checklist(client)).steps if step.HasField("blocker")]
        assert waiting == ["select_goal", "select_bundle", "company_intake"]
        assert (await lines(client))[0].blocker.since_time.ToDatetime(UTC) == client.clock.now


class TestRisk:
    async def test_a_problem_keeps_what_is_done_and_keeps_from_acceptance(self, client: Client) -> None:
        await client.create()
        await client.step("risk_review", approval=approval())
        await client.review("PROBLEM_FOUND")
        found = await client.call(pb.GetAcceptanceRequest(customer_id="cust-1"))
        assert "risk_review" in found.criteria[0].missing
        assert (await checklist(client)).steps[5].completed
        assert (await lines(client))[0].risk_problem_open
        same = await client.call(pb.CheckAcceptanceRequest(customer_id="cust-1"))
        assert "risk_review" in same.criteria[0].missing

    async def test_only_a_founder_ends_it_and_once(self, client: Client) -> None:
        await client.create()
        decision: dict[str, Any] = {"resolution": "قبلنا المصدر بعد التوثيق"}
        refusal = await refused(client.write(pb.ResolveRiskProblemRequest, actor=FOUNDER, **decision))
        assert refusal.reason == "NO_RISK_PROBLEM"
        review = (await client.review("PROBLEM_FOUND")).risk_review
        for outcome in ("CLEAN", "PROBLEM_FOUND"):
            refusal = await refused(client.review(outcome))
            assert refusal.reason == "RISK_PROBLEM_OPEN"
            assert refusal.metadata == {"customer_id": "cust-1", "review_id": review.review_id}
        refusal = await refused(client.write(pb.ResolveRiskProblemRequest, **decision))
        assert refusal.metadata == {"action": "resolve_risk_problem", "role": "operator_oncall"}
        resolved = (await client.write(pb.ResolveRiskProblemRequest, actor=FOUNDER, **decision)).risk_review
        assert (resolved.review_id, resolved.resolver, resolved.open) == (review.review_id, FOUNDER, False)
        await client.step("risk_review", approval=approval())
        assert [r.open for r in (await client.onboarding()).risk_reviews] == [False]

    async def test_the_founder_finds_it_among_what_waits_until_it_is_decided(self, client: Client) -> None:
        await client.create()
        await client.review("PROBLEM_FOUND")
        pending = approval_service_pb2.ListPendingApprovalsRequest()
        (draft,) = (await client.call(pending)).drafts
        assert draft.title_ar
        assert draft.subject.startswith("risk_review/rsk_")
        assert "rsk_" not in draft.body_ar + draft.body_en
        await client.write(pb.ResolveRiskProblemRequest, actor=FOUNDER, resolution="حُسم")
        assert not (await client.call(pending)).drafts

    async def test_software_reviews_nothing(self, client: Client) -> None:
        await client.create()
        assert (await refused(client.review("CLEAN", reviewer=SOFTWARE))).reason == "PERSON_REQUIRED"


class TestProofPack:
    async def test_each_is_recorded_once_and_by_persons(self, client: Client) -> None:
        await client.create()
        long_ago = timestamp(START - timedelta(days=365))
        refusal = await refused(client.proof_pack("DELIVERED", occur_time=long_ago))
        assert refusal.fields == {"occur_time": "BEFORE_CHECKLIST"}
        await client.proof_pack("DELIVERED")
        refusal = await refused(client.proof_pack("DELIVERED"))
        assert refusal.reason == "PROOF_PACK_RECORDED"
        assert refusal.metadata == {"customer_id": "cust-1", "event": "delivered"}
        assert (await refused(client.proof_pack("APPROVED", person=SOFTWARE))).reason == "PERSON_REQUIRED"
        early = timestamp(START - timedelta(minutes=1))
        refusal = await refused(client.proof_pack("APPROVED", person=CUSTOMERS, occur_time=early))
        assert refusal.fields == {"occur_time": "BEFORE_DELIVERY"}
        pack = (await client.proof_pack("APPROVED", person=CUSTOMERS, actor=SOFTWARE)).proof_pack
        assert (pack.delivery.person, pack.approval.person, pack.approval.recorder) == (PERSON, CUSTOMERS, SOFTWARE)
        assert (await client.onboarding()).proof_pack == pack


class TestAcceptance:
    async def test_everything_that_is_missing_is_listed(self, client: Client) -> None:
        await client.create()
        refusal = await refused(client.write(pb.AcceptOnboardingRequest))
        assert refusal.reason == "ACCEPTANCE_INCOMPLETE"
        assert [missing[:2] for missing in refusal.missing] == [
            ("STEPS_COMPLETED", "select_goal"),
            ("STEPS_COMPLETED", "select_bundle"),
            ("STEPS_COMPLETED", "company_intake"),
            ("STEPS_COMPLETED", "connect_channels"),
            ("STEPS_COMPLETED", "upload_or_source"),
            ("STEPS_COMPLETED", "risk_review"),
            ("READY_FOR_FIRST_SERVICE", "whatsapp_cloud"),
            ("READY_FOR_FIRST_SERVICE", "any_connector"),
            ("PROOF_PACK_DELIVERED_AND_APPROVED", "delivery"),
            ("PROOF_PACK_DELIVERED_AND_APPROVED", "approval"),
            ("SUCCESS_CADENCE_ACTIVE", "success_cadence"),
        ]
        assert refusal.metadata["criteria"].split() == [
            "steps_completed",
            "ready_for_first_service",
            "proof_pack_delivered_and_approved",
            "success_cadence_active",
        ]
        assert not (await client.onboarding()).HasField("acceptance")

    async def test_accepted_once_however_often_and_by_how_many(self, client: Client) -> None:
        await complete(client)
        cadence = pb.CadenceFact(active=True, activate_time=timestamp(START), activator=FOUNDER, reference="plan-1")
        assert (await refused(client.write(pb.AcceptOnboardingRequest, actor=SOFTWARE, cadence=cadence))).reason == (
            "PERSON_REQUIRED"
        )
        answers = await asyncio.gather(
            *(client.write(pb.AcceptOnboardingRequest, actor=FOUNDER, cadence=cadence) for _ in range(5))
        )
        assert len({answer.acceptance.SerializeToString(deterministic=True) for answer in answers}) == 1
        assert (await client.actions()).count("onboarding.accepted") == 1
        assert await lines(client) == []
        (line,) = await lines(client, accepted=True)
        assert line.accept_time == answers[0].acceptance.accept_time
        client.clock.forward(days=30)
        assert [line.days_late for line in await lines(client, accepted=True)] == [0]
        assert await lines(client, accepted=True, late_only=True) == []

    async def test_with_every_step_completed_acceptance_is_what_is_late(self, client: Client) -> None:
        await complete(client)
        await client.step("first_service_run", approval=approval())
        await client.step("first_proof_pack")
        client.clock.forward(days=7)
        for late_only in (False, True):
            (line,) = await lines(client, late_only=late_only)
            # Due on Thursday; Sunday has begun.
            assert (line.current_step_id, line.due_date, line.days_late) == ("done", "2026-03-05", 1)

    async def test_a_cadence_that_nobody_was_asked_about_is_not_said_to_be_inactive(self, client: Client) -> None:
        await complete(client)

        async def told(**fields: Any) -> tuple[bool, str, str, list[str]]:
            answer = await client.call(pb.GetAcceptanceRequest(customer_id="cust-1", **fields))
            found = answer.criteria[-1]
            assert answer.met is found.met
            return found.met, found.evidence_ar, found.evidence_en, list(found.missing)

        unasked, inactive = await told(), await told(cadence=pb.CadenceFact())
        assert (await told(cadence=pb.CadenceFact(active=True)))[0]
        for met, arabic, _, missing in (unasked, inactive):
            assert (met, missing, bool(arabic)) == (False, ["success_cadence"], True)
        assert unasked[2] == "Whether the cadence is active is not known: nobody was asked."
        assert inactive[2] == "The cadence is not active yet."

    async def test_a_cadence_of_tomorrow_is_none(self, client: Client) -> None:
        await client.create()
        for cadence, named in (
            (pb.CadenceFact(active=True, activate_time=IN_A_SECOND), {"cadence.activate_time": "IN_FUTURE"}),
            (pb.CadenceFact(active=True, reference=TOKEN), {"cadence.reference": "CREDENTIAL_REFUSED"}),
        ):
            assert (await refused(client.write(pb.AcceptOnboardingRequest, cadence=cadence))).fields == named
            request = pb.GetAcceptanceRequest(customer_id="cust-1", cadence=cadence)
            assert (await refused(client.call(request))).fields == named


async def complete(client: Client) -> None:
    """Everything but the cadence."""
    await client.create(bundle_id="growth_starter")
    await client.audit()
    await client.connect("whatsapp_cloud")
    for step_id in ("select_goal", "company_intake"):
        await client.step(step_id)
    for step_id in ("select_bundle", "connect_channels", "upload_or_source", "risk_review"):
        await client.step(step_id, approval=approval())
    await client.proof_pack("DELIVERED")
    await client.proof_pack("APPROVED", person=CUSTOMERS)


class TestApprovalsByDraft:
    async def approval_id(self, client: Client, step_id: str, given: str = "") -> str:
        draft = (await client.write(pb.DraftStepApprovalRequest, step_id=step_id, input=given)).draft
        return (await client.approve(draft, by=CUSTOMERS)).draft.approval.approval_id

    async def test_it_completes_its_step_once(self, client: Client) -> None:
        await client.create(bundle_id="growth_starter")
        given = await self.approval_id(client, "upload_or_source", "list-7")
        done = await client.step("upload_or_source", approval_id=given, input="list-7")
        assert done.steps[4].approval.approver == CUSTOMERS
        await client.step("upload_or_source", completed=False)
        refusal = await refused(client.step("upload_or_source", approval_id=given, input="list-7"))
        assert refusal.reason == "APPROVAL_USED"

    async def test_another_step_or_another_input_is_not_what_was_approved(self, client: Client) -> None:
        await client.create()
        given = await self.approval_id(client, "select_bundle", "growth_starter")
        wrong = [
            {"step_id": "risk_review"},
            {"step_id": "select_bundle", "input": "full_growth_control_tower"},
        ]
        for fields in wrong:
            assert (await refused(client.step(**fields, approval_id=given))).reason == "APPROVAL_MISMATCH"
        done = await client.step("select_bundle", approval_id=given, input="growth_starter")
        assert done.checklist.bundle_id == "growth_starter"

    async def test_long_inputs_that_begin_alike_are_told_apart(self, client: Client) -> None:
        await client.create()
        text = "قائمة " * 100
        given = await self.approval_id(client, "upload_or_source", text + "١")
        refusal = await refused(client.step("upload_or_source", approval_id=given, input=text + "٢"))
        assert refusal.reason == "APPROVAL_MISMATCH"

    async def test_a_completed_step_uses_none_up(self, client: Client) -> None:
        await client.create()
        given = await self.approval_id(client, "risk_review")
        await client.step("risk_review", approval_id=given)
        again = await client.step("risk_review", approval_id="apr_" + "a" * 26)
        assert again.steps[5].completed

    async def test_asking_twice_asks_once_and_a_stated_approval_takes_it_back(self, client: Client) -> None:
        await client.create()
        first, second = [
            (await client.write(pb.DraftStepApprovalRequest, step_id="risk_review")).draft for _ in range(2)
        ]
        assert first.draft_id == second.draft_id
        await client.step("risk_review", approval=approval())
        assert not (await client.call(approval_service_pb2.ListPendingApprovalsRequest())).drafts
        refusal = await refused(client.write(pb.DraftStepApprovalRequest, step_id="risk_review"))
        assert refusal.reason == "STEP_COMPLETED"

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"step_id": "sign"}, {"step_id": "UNKNOWN_VALUE"}),
            ({"step_id": "select_goal"}, {"step_id": "NOT_EXPECTED"}),
            ({"step_id": "select_bundle"}, {"input": "UNKNOWN_VALUE"}),
            ({"step_id": "upload_or_source", "input": TOKEN}, {"input": "CREDENTIAL_REFUSED"}),
            ({"step_id": "upload_or_source", "input": "tkt_" + "a" * 26}, {"input": "INTERNAL_ID"}),
        ],
    )
    async def test_what_cannot_be_asked(self, client: Client, fields: dict[str, Any], named: dict[str, str]) -> None:
        await client.create()
        assert (await refused(client.write(pb.DraftStepApprovalRequest, **fields))).fields == named

    @pytest.mark.parametrize(
        "fields",
        [
            {"step_id": "risk_review", "approval": approval()},
            {"step_id": "select_goal"},
            {"step_id": "risk_review", "completed": False},
        ],
    )
    async def test_where_no_draft_belongs(self, client: Client, fields: dict[str, Any]) -> None:
        await client.create()
        refusal = await refused(client.step(**fields, approval_id="apr_" + "a" * 26))
        assert refusal.fields == {"approval_id": "NOT_EXPECTED"}


FAULTY: list[tuple[Any, dict[str, Any], dict[str, str]]] = [
    (pb.SetStepBlockerRequest, {"step_id": "sign", "party": CUSTOMER}, {"step_id": "UNKNOWN_VALUE"}),
    (
        pb.SetStepBlockerRequest,
        {"step_id": "sign", "party": CUSTOMER, "since_time": IN_A_SECOND, "note": SECRET},
        {"step_id": "UNKNOWN_VALUE", "since_time": "IN_FUTURE", "note": "CREDENTIAL_REFUSED"},
    ),
    (
        pb.SetStepBlockerRequest,
        {"step_id": "select_goal", "party": CUSTOMER, "since_time": timestamp(START - timedelta(days=1))},
        {"since_time": "BEFORE_CHECKLIST"},
    ),
    (
        pb.SetStepBlockerRequest,
        {"step_id": "select_goal", "party": CUSTOMER, "since_time": Timestamp(seconds=1 << 60)},
        {"since_time": "TIME_OUT_OF_RANGE"},
    ),
    (pb.ClearStepBlockerRequest, {"step_id": "sign"}, {"step_id": "UNKNOWN_VALUE"}),
    (
        pb.RecordRiskReviewRequest,
        {
            "outcome": onboarding_pb2.RISK_OUTCOME_PROBLEM_FOUND,
            "finding": " ",
            "reference": TOKEN,
            "reviewer": PERSON,
            "review_time": IN_A_SECOND,
        },
        {"finding": "REQUIRED", "reference": "CREDENTIAL_REFUSED", "review_time": "IN_FUTURE"},
    ),
    (pb.ResolveRiskProblemRequest, {"resolution": f"token: {SECRET}"}, {"resolution": "CREDENTIAL_REFUSED"}),
    (
        pb.RecordProofPackRequest,
        {
            "event": onboarding_pb2.PROOF_PACK_EVENT_DELIVERED,
            "person": PERSON,
            "occur_time": IN_A_SECOND,
            "reference": SECRET,
        },
        {"occur_time": "IN_FUTURE", "reference": "CREDENTIAL_REFUSED"},
    ),
]


@pytest.mark.parametrize(("kind", "fields", "named"), FAULTY, ids=lambda value: getattr(value, "__name__", None))
async def test_faulty_input_is_named_and_has_no_effect(
    client: Client, kind: Any, fields: dict[str, Any], named: dict[str, str]
) -> None:
    await client.create()
    assert (await refused(client.write(kind, **fields))).fields == named
    assert await client.actions() == ["checklist.created"]


async def test_without_a_checklist_there_is_nothing(client: Client) -> None:
    review = {"outcome": onboarding_pb2.RISK_OUTCOME_CLEAN, "reviewer": PERSON, "review_time": timestamp(START)}
    pack = {
        "event": onboarding_pb2.PROOF_PACK_EVENT_DELIVERED,
        "person": PERSON,
        "occur_time": timestamp(START),
        "reference": "pack-1",
    }
    calls = [
        client.call(pb.GetOnboardingRequest(customer_id="cust-1")),
        client.call(pb.GetAcceptanceRequest(customer_id="cust-1")),
        client.write(pb.SetStepBlockerRequest, step_id="select_goal", party=CUSTOMER),
        client.write(pb.ClearStepBlockerRequest, step_id="select_goal"),
        client.write(pb.RecordRiskReviewRequest, **review),
        client.write(pb.ResolveRiskProblemRequest, resolution="حُسم", actor=FOUNDER),
        client.write(pb.RecordProofPackRequest, **pack),
        client.write(pb.AcceptOnboardingRequest),
        client.write(pb.DraftStepApprovalRequest, step_id="risk_review"),
    ]
    for call in calls:
        refusal = await refused(call)
        assert refusal.reason == "CHECKLIST_NOT_FOUND"
        assert refusal.metadata == {"customer_id": "cust-1"}
    assert await client.entries() == []


async def test_the_same_request_is_answered_as_before(client: Client) -> None:
    await client.create()
    same = {"request_id": str(uuid.uuid4())}
    first = await client.review("PROBLEM_FOUND", **same)
    await client.write(pb.ResolveRiskProblemRequest, actor=FOUNDER, resolution="حُسم")
    assert await client.review("PROBLEM_FOUND", **same) == first
    assert len((await client.onboarding()).risk_reviews) == 1
