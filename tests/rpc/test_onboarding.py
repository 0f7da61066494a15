"""``OnboardingService`` over a real socket and a real SQLite file."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.onboarding.v1 import checklist_pb2, ledger_service_pb2
from dealix.onboarding.v1 import onboarding_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from services.onboarding import store
from services.onboarding.domain.catalog import BUNDLE_IDS, CONNECTOR_KEYS, STEP_IDS
from services.storage import ledger
from tests.rpc.client import SOFTWARE, Refusal, refused
from tests.rpc.onboarding_client import (
    FOUNDER,
    SECRET,
    START,
    TOKEN,
    Client,
    approval,
    audit,
    onboarding,
)

APPROVED = {"select_bundle", "connect_channels", "upload_or_source", "risk_review", "first_service_run"}


def _subjects(refusal: Refusal) -> list[tuple[str, str]]:
    """Type and subject of everything that stands in the way."""
    return [(kind, subject) for kind, subject, _ in refusal.missing]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with onboarding(tmp_path) as running:
        yield running


def completed(checklist: checklist_pb2.Checklist) -> list[str]:
    return [step.step_id for step in checklist.steps if step.completed]


async def complete(client: Client, *step_ids: str, customer_id: str = "cust-1") -> pb.UpdateStepResponse:
    """Completes steps as they ask for it."""
    for step_id in step_ids:
        more: dict[str, Any] = {"approval": approval()} if step_id in APPROVED else {}
        if step_id == "select_bundle":
            more["input"] = "growth_starter"
        answer = await client.step(step_id, customer_id=customer_id, **more)
    return answer


async def make_ready(client: Client, customer_id: str = "cust-1") -> None:
    await client.connect("whatsapp_cloud", customer_id=customer_id, opt_in_audit=audit())


class TestCreating:
    async def test_a_fresh_checklist_has_eight_open_steps(self, client: Client) -> None:
        for bundle_id in ("", *BUNDLE_IDS):
            customer_id = f"cust-{bundle_id}"
            answer = await client.create(customer_id, bundle_id)
            assert answer.approval_required
            assert answer.checklist.bundle_id == bundle_id
            assert (answer.total_steps, answer.current_step_id, answer.progress_pct) == (8, "select_goal", 0.0)
            assert [step.step_id for step in answer.steps] == list(STEP_IDS)
            assert not completed(answer.checklist)
            assert {step.step_id for step in answer.steps if step.needs_approval} == APPROVED
            assert answer.checklist.create_time.ToDatetime(START.tzinfo) == START
            stored = await client.call(pb.GetChecklistRequest(customer_id=customer_id))
            assert stored.checklist == answer.checklist

    async def test_a_customer_has_one(self, client: Client) -> None:
        await client.create()
        refusal = await refused(client.create(bundle_id="growth_starter"))
        assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "CHECKLIST_EXISTS")
        assert refusal.metadata == {"customer_id": "cust-1"}

    async def test_an_unknown_bundle_is_refused(self, client: Client) -> None:
        refusal = await refused(client.create(bundle_id="gold"))
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
        assert refusal.fields == {"bundle_id": "UNKNOWN_VALUE"}
        assert await client.entries() == []


class TestSteps:
    async def test_completing_all_steps_goes_from_the_goal_to_done(self, client: Client) -> None:
        await client.create()
        await make_ready(client)
        seen = []
        for step_id in STEP_IDS:
            answer = await complete(client, step_id)
            assert answer.approval_required
            seen.append((answer.progress_pct, answer.current_step_id))
        assert seen == [(12.5 * n, (*STEP_IDS, "done")[n]) for n in range(1, 9)]

    async def test_steps_may_be_completed_out_of_order(self, client: Client) -> None:
        await client.create()
        answer = await complete(client, "risk_review", "company_intake")
        assert (answer.current_step_id, answer.progress_pct) == ("select_goal", 25.0)

    async def test_a_step_keeps_its_approval_and_what_it_was_given(self, client: Client) -> None:
        await client.create()
        await client.step("select_goal", input="عشرة اجتماعات في الشهر")
        given = approval(note="راجعت المخاطر")
        await client.step("risk_review", approval=given)
        client.clock.forward(hours=1)
        stored = (await client.call(pb.GetChecklistRequest(customer_id="cust-1"))).checklist
        steps = {step.step_id: step for step in stored.steps}
        assert steps["select_goal"].given_input == "عشرة اجتماعات في الشهر"
        assert not steps["select_goal"].HasField("approval")
        assert steps["risk_review"].approval == given
        assert steps["risk_review"].complete_time.ToDatetime(START.tzinfo) == START

    async def test_choosing_a_bundle_sets_it(self, client: Client) -> None:
        await client.create()
        answer = await client.step("select_bundle", approval=approval(), input="partnership_growth")
        assert answer.checklist.bundle_id == "partnership_growth"

    async def test_a_bundle_agreed_before_need_not_be_named_again(self, client: Client) -> None:
        await client.create(bundle_id="local_growth_os")
        answer = await client.step("select_bundle", approval=approval())
        assert answer.checklist.bundle_id == "local_growth_os"

    async def test_completing_a_completed_step_changes_nothing(self, client: Client) -> None:
        await client.create()
        first = await client.step("risk_review", approval=approval())
        client.clock.forward(hours=2)
        again = await client.step("risk_review", approval=approval(at=START + timedelta(hours=1), note="again"))
        assert again.checklist == first.checklist
        assert (await client.actions())[-1] == "checklist.step_unchanged"

    async def test_unticking_an_open_step_changes_nothing(self, client: Client) -> None:
        created = await client.create()
        assert (await client.step("select_goal", completed=False)).checklist == created.checklist
        assert (await client.actions())[-1] == "checklist.step_unchanged"

    async def test_unticking_takes_back_what_stands_on_the_step(self, client: Client) -> None:
        await client.create()
        await make_ready(client)
        done = await complete(client, *STEP_IDS)
        assert done.current_step_id == "done"
        answer = await client.step("risk_review", completed=False)
        assert completed(answer.checklist) == list(STEP_IDS[:5])
        assert answer.current_step_id == "risk_review"
        assert not answer.steps[5].HasField("approval")
        (entry,) = [e for e in await client.entries() if e.action == "checklist.step_unticked"]
        open_now = {name for name, value in entry.attributes.items() if value == "open"}
        assert open_now == {"step.risk_review", "step.first_service_run", "step.first_proof_pack"}


class TestReadinessGate:
    async def test_the_first_run_waits_for_the_stored_connectors(self, client: Client) -> None:
        await client.create()
        await complete(client, "risk_review")
        run = {"approval": approval()}
        refusal = await refused(client.step("first_service_run", **run))
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "STEP_BLOCKED")
        assert refusal.metadata == {"customer_id": "cust-1", "step_id": "first_service_run"}
        assert _subjects(refusal) == [("CONNECTOR", "whatsapp_cloud"), ("CONNECTOR", "any_connector")]

        await make_ready(client, customer_id="cust-2")
        await client.connect("gmail")
        refusal = await refused(client.step("first_service_run", **run))
        assert _subjects(refusal) == [("CONNECTOR", "whatsapp_cloud")]

        await make_ready(client)
        assert (await client.step("first_service_run", **run)).steps[6].completed

    async def test_a_run_needs_its_risk_review_and_the_proof_pack_its_run(self, client: Client) -> None:
        await client.create()
        await make_ready(client)
        refusal = await refused(client.step("first_service_run", approval=approval()))
        assert (refusal.reason, _subjects(refusal)) == ("STEP_BLOCKED", [("STEP", "risk_review")])
        refusal = await refused(client.step("first_proof_pack"))
        assert (refusal.reason, _subjects(refusal)) == ("STEP_BLOCKED", [("STEP", "first_service_run")])


INVALID: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("unknown step", {"step_id": "sign_contract"}, {"step_id": "UNKNOWN_VALUE"}),
    ("unknown step to untick", {"step_id": "sign_contract", "completed": False}, {"step_id": "UNKNOWN_VALUE"}),
    (
        "unknown bundle",
        {"step_id": "select_bundle", "approval": approval(), "input": "gold"},
        {"input": "UNKNOWN_VALUE"},
    ),
    ("no bundle at all", {"step_id": "select_bundle", "approval": approval()}, {"input": "UNKNOWN_VALUE"}),
    (
        "unknown bundle to untick",
        {"step_id": "select_bundle", "completed": False, "input": "gold"},
        {"input": "UNKNOWN_VALUE"},
    ),
    ("token as input", {"step_id": "select_goal", "input": f"here: {TOKEN}"}, {"input": "CREDENTIAL_REFUSED"}),
    (
        "token while unticking",
        {"step_id": "select_goal", "completed": False, "input": TOKEN},
        {"input": "CREDENTIAL_REFUSED"},
    ),
    ("approval where none belongs", {"step_id": "select_goal", "approval": approval()}, {"approval": "NOT_EXPECTED"}),
    (
        "approval for unticking",
        {"step_id": "risk_review", "completed": False, "approval": approval()},
        {"approval": "NOT_EXPECTED"},
    ),
    (
        "everything at once",
        {
            "step_id": "sign_contract",
            "input": SECRET,
            "approval": approval(at=START + timedelta(minutes=1), note=f"password: {SECRET}"),
        },
        {
            "step_id": "UNKNOWN_VALUE",
            "input": "CREDENTIAL_REFUSED",
            "approval.approve_time": "IN_FUTURE",
            "approval.note": "CREDENTIAL_REFUSED",
        },
    ),
]


class TestRefusedSteps:
    @pytest.mark.parametrize(("fields", "named"), [row[1:] for row in INVALID], ids=[row[0] for row in INVALID])
    async def test_faulty_input_is_named_and_has_no_effect(
        self, client: Client, fields: dict[str, Any], named: dict[str, str]
    ) -> None:
        await client.create()
        before = await client.call(pb.GetChecklistRequest(customer_id="cust-1"))
        refusal = await refused(client.step(**fields))
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
        assert refusal.fields == named
        assert await client.call(pb.GetChecklistRequest(customer_id="cust-1")) == before
        assert await client.actions() == ["checklist.created"]

    async def test_a_time_that_no_calendar_has_is_named(self, client: Client) -> None:
        await client.create()
        faulty = approval()
        faulty.approve_time.CopyFrom(Timestamp(seconds=1 << 60))
        refusal = await refused(client.step("risk_review", approval=faulty))
        assert refusal.fields == {"approval.approve_time": "TIME_OUT_OF_RANGE"}

    async def test_completed_must_be_said(self, client: Client) -> None:
        await client.create()
        request = pb.UpdateStepRequest(
            request_id=str(uuid.uuid4()), actor=FOUNDER, customer_id="cust-1", step_id="select_goal"
        )
        assert (await refused(client.call(request))).fields == {"completed": "REQUIRED"}

    async def test_an_approval_is_required(self, client: Client) -> None:
        await client.create(bundle_id="growth_starter")
        for step_id in APPROVED - {"first_service_run"}:
            refusal = await refused(client.step(step_id))
            assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "APPROVAL_REQUIRED")
            assert refusal.metadata == {"subject": step_id}
            assert _subjects(refusal) == [("APPROVAL", step_id)]

    async def test_all_that_stands_in_the_way_is_listed(self, client: Client) -> None:
        await client.create()
        refusal = await refused(client.step("first_service_run"))
        assert refusal.reason == "APPROVAL_REQUIRED"
        assert _subjects(refusal) == [
            ("APPROVAL", "first_service_run"),
            ("STEP", "risk_review"),
            ("CONNECTOR", "whatsapp_cloud"),
            ("CONNECTOR", "any_connector"),
        ]

    async def test_software_approves_nothing(self, client: Client) -> None:
        await client.create()
        refusal = await refused(client.step("risk_review", approval=approval(by=SOFTWARE)))
        assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "PERSON_REQUIRED")
        assert refusal.metadata == {"action": "complete_step"}

    async def test_software_may_carry_a_persons_approval(self, client: Client) -> None:
        await client.create(actor=SOFTWARE)
        answer = await client.step("risk_review", actor=SOFTWARE, approval=approval())
        assert answer.steps[5].approval.approver == FOUNDER

    async def test_no_checklist(self, client: Client) -> None:
        calls = [
            client.step("select_goal"),
            client.call(pb.GetChecklistRequest(customer_id="cust-1")),
            client.call(pb.CheckAcceptanceRequest(customer_id="cust-1")),
        ]
        for call in calls:
            refusal = await refused(call)
            assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "CHECKLIST_NOT_FOUND")
            assert refusal.metadata == {"customer_id": "cust-1"}

    async def test_another_etag_is_refused_with_the_present_one(self, client: Client) -> None:
        read = (await client.create()).checklist.etag
        present = (await client.step("select_goal", etag=read)).checklist.etag
        assert present != read
        refusal = await refused(client.step("company_intake", etag=read))
        assert (refusal.code, refusal.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
        assert refusal.metadata == {"current_etag": present}

    async def test_of_two_writers_with_one_etag_one_wins(self, client: Client) -> None:
        etag = (await client.create()).checklist.etag
        outcomes = await asyncio.gather(
            client.step("select_goal", etag=etag), client.step("company_intake", etag=etag), return_exceptions=True
        )
        assert sorted(isinstance(outcome, Exception) for outcome in outcomes) == [False, True]
        stored = await client.call(pb.GetChecklistRequest(customer_id="cust-1"))
        assert stored.checklist.progress_pct == 12.5


class TestRepeating:
    async def test_the_same_request_has_one_effect_and_one_answer(self, client: Client) -> None:
        await client.create()
        request_id = str(uuid.uuid4())
        first = await client.step("select_goal", request_id=request_id)
        await client.step("company_intake")
        client.clock.forward(days=1)
        assert await client.step("select_goal", request_id=request_id) == first
        assert (await client.actions()).count("checklist.step_completed") == 2

    async def test_other_content_under_the_same_id_is_refused(self, client: Client) -> None:
        request_id = str(uuid.uuid4())
        await client.create(request_id=request_id)
        refusal = await refused(client.create(customer_id="cust-2", request_id=request_id))
        assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
        assert refusal.metadata == {"request_id": request_id}
        assert (await refused(client.call(pb.GetChecklistRequest(customer_id="cust-2")))).code == StatusCode.NOT_FOUND

    async def test_what_was_answered_is_there_after_a_restart(self, tmp_path: Path) -> None:
        async with onboarding(tmp_path) as first:
            await first.create()
            await make_ready(first)
            written = (await complete(first, *STEP_IDS[:7])).checklist
            entries = await first.entries()
        async with onboarding(tmp_path) as second:
            assert (await second.call(pb.GetChecklistRequest(customer_id="cust-1"))).checklist == written
            assert await second.entries() == entries


class TestListing:
    async def test_pages_hold_every_checklist_once_newest_first(self, client: Client) -> None:
        # Three at each of the first two times: ties are told apart by the customer.
        for number in range(7):
            await client.create(f"cust-{number}")
            if number % 3 == 2:
                client.clock.forward(seconds=1)
        await complete(client, "select_goal", "risk_review", customer_id="cust-3")
        seen, token = [], ""
        while True:
            page = await client.call(pb.ListChecklistsRequest(page_size=2, page_token=token))
            seen += list(page.checklists)
            token = page.next_page_token
            if not token:
                break
        assert [found.customer_id for found in seen] == [f"cust-{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
        for found in seen:
            stored = await client.call(pb.GetChecklistRequest(customer_id=found.customer_id))
            assert stored.checklist == found

    async def test_the_current_step_selects(self, client: Client) -> None:
        for customer_id in ("a", "b", "c"):
            await client.create(customer_id)
        await complete(client, "select_goal", customer_id="b")
        await make_ready(client, "c")
        await complete(client, *STEP_IDS, customer_id="c")
        table = {"select_goal": ["a"], "select_bundle": ["b"], "done": ["c"], "risk_review": []}
        for step_id, customers in table.items():
            page = await client.call(pb.ListChecklistsRequest(current_step_id=step_id))
            assert [found.customer_id for found in page.checklists] == customers
            assert page.approval_required == (step_id in ("select_goal", "select_bundle"))

    async def test_an_unknown_step_and_a_foreign_token_are_refused(self, client: Client) -> None:
        for customer_id in ("a", "b"):
            await client.create(customer_id)
        token = (await client.call(pb.ListChecklistsRequest(page_size=1))).next_page_token
        table = [
            (pb.ListChecklistsRequest(current_step_id="sign"), {"current_step_id": "UNKNOWN_VALUE"}),
            (
                pb.ListChecklistsRequest(current_step_id="done", page_token=token),
                {"page_token": "PAGE_TOKEN_OF_OTHER_QUERY"},
            ),
            (pb.ListChecklistsRequest(page_token="AAAA"), {"page_token": "PAGE_TOKEN_INVALID"}),
            (pb.ListRecoveryGuidanceRequest(step_id="done"), {"step_id": "UNKNOWN_VALUE"}),
            (pb.ListRecoveryGuidanceRequest(page_token=token), {"page_token": "PAGE_TOKEN_OF_OTHER_QUERY"}),
        ]
        for request, named in table:
            refusal = await refused(client.call(request))
            assert (refusal.reason, refusal.fields) == ("INVALID_FIELDS", named)


CRITERIA = (
    "steps_completed",
    "ready_for_first_service",
    "proof_pack_delivered_and_approved",
    "success_cadence_active",
)


class TestAcceptance:
    async def judged(self, client: Client, **known: Any) -> dict[str, bool]:
        answer = await client.call(pb.CheckAcceptanceRequest(customer_id="cust-1", **known))
        assert [c.criterion_id for c in answer.criteria] == list(CRITERIA)
        assert all(c.evidence_ar and c.evidence_en for c in answer.criteria)
        assert answer.accepted == all(c.met for c in answer.criteria)
        return {c.criterion_id: c.met for c in answer.criteria}

    async def test_each_criterion_is_met_by_what_it_asks_for(self, client: Client) -> None:
        await client.create()
        assert not any((await self.judged(client)).values())

        await complete(client, *STEP_IDS[:6])
        met = await self.judged(client, proof_pack_delivered=True)
        assert met == dict.fromkeys(CRITERIA, False) | {"steps_completed": True}

        await make_ready(client)
        met = await self.judged(client, proof_pack_approval=approval(), cadence_active=True)
        assert met == dict.fromkeys(CRITERIA, True) | {"proof_pack_delivered_and_approved": False}

        told = {"proof_pack_delivered": True, "cadence_active": True}
        met = await self.judged(client, proof_pack_approval=approval(by=SOFTWARE), **told)
        assert not met["proof_pack_delivered_and_approved"]
        assert all((await self.judged(client, proof_pack_approval=approval(), **told)).values())

    async def test_what_is_missing_is_named(self, client: Client) -> None:
        await client.create()
        await complete(client, *STEP_IDS[:5])
        answer = await client.call(pb.CheckAcceptanceRequest(customer_id="cust-1"))
        assert "Risk review" in answer.criteria[0].evidence_en
        assert "مراجعة المخاطر" in answer.criteria[0].evidence_ar

    async def test_a_faulty_approval_is_named(self, client: Client) -> None:
        await client.create()
        faulty = approval(at=START + timedelta(seconds=1), note=TOKEN)
        refusal = await refused(
            client.call(pb.CheckAcceptanceRequest(customer_id="cust-1", proof_pack_approval=faulty))
        )
        assert refusal.fields == {
            "proof_pack_approval.approve_time": "IN_FUTURE",
            "proof_pack_approval.note": "CREDENTIAL_REFUSED",
        }


class TestReadingOnly:
    async def test_the_demo_shows_a_checklist_and_stores_none(self, client: Client) -> None:
        answer = await client.call(pb.GetDemoChecklistRequest())
        assert answer.approval_required
        assert answer.total_steps == 8
        assert answer.current_step_id == answer.checklist.current_step_id != "done"
        assert answer.checklist.etag == ""
        assert not answer.checklist.HasField("create_time")
        missing = client.call(pb.GetChecklistRequest(customer_id=answer.checklist.customer_id))
        assert (await refused(missing)).code == StatusCode.NOT_FOUND
        assert await client.entries() == []

    async def test_guidance_is_given_for_what_goes_wrong(self, client: Client) -> None:
        whole = (await client.call(pb.ListRecoveryGuidanceRequest())).guidance
        assert [found.recovery_id for found in whole] == [
            "gmail_oauth_failed",
            "moyasar_invoice_not_connected",
            "no_list_uploaded",
            "risk_review_found_problem",
        ]
        assert all(len(found.actions_ar) == len(found.actions_en) > 0 for found in whole)
        of_step = await client.call(pb.ListRecoveryGuidanceRequest(step_id="risk_review"))
        assert list(of_step.guidance) == [whole[3]]
        first = await client.call(pb.ListRecoveryGuidanceRequest(page_size=3))
        second = await client.call(pb.ListRecoveryGuidanceRequest(page_size=3, page_token=first.next_page_token))
        assert [*first.guidance, *second.guidance] == list(whole)
        assert second.next_page_token == ""


async def wander(client: Client, seed: int, writes: int) -> int:
    """Sends writes at random, most of them allowed; how many were."""
    chosen = random.Random(seed)
    states = ("CONFIGURING", "CONNECTED_DRAFT_ONLY", "CONNECTED_APPROVED_EXECUTE", "FAILED", "SKIPPED")
    done = 0
    for _ in range(writes):
        client.clock.forward(seconds=1)
        customer_id = chosen.choice(["cust-1", "cust-2"])
        if chosen.random() < 0.5:
            step_id = chosen.choice(STEP_IDS)
            ticked = chosen.random() < 0.8
            more: dict[str, Any] = {"approval": approval()} if ticked and step_id in APPROVED else {}
            if step_id == "select_bundle":
                more["input"] = chosen.choice(BUNDLE_IDS)
            call = client.step(step_id, ticked, customer_id, **more)
        else:
            key = chosen.choice(["whatsapp_cloud", *CONNECTOR_KEYS])
            more = {"approval": approval()} if chosen.random() < 0.5 else {}
            if chosen.random() < 0.5:
                more["opt_in_audit"] = audit()
            if chosen.random() < 0.5:
                more["settings"] = {"calendar_id": f"cal-{chosen.randrange(3)}"}
            call = client.connect(key, chosen.choice(states), customer_id, **more)
        try:
            await call
            done += 1
        except grpc.aio.AioRpcError as error:
            if error.code() is not StatusCode.FAILED_PRECONDITION:
                raise
    return done


class TestLedger:
    @pytest.mark.parametrize("seed", range(2))
    async def test_folded_it_gives_the_state_tables(self, database_url: str, seed: int) -> None:
        async with onboarding(database_url=database_url) as client:
            folded, tables = await self.wandered(client, seed)
        assert folded == tables

    async def wandered(self, client: Client, seed: int) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """What the ledger tells after many writes, and what the tables hold."""
        await client.create("cust-1")
        await client.create("cust-2", bundle_id="growth_starter")
        assert await wander(client, seed, 80) > 40

        def read(tx: Any) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
            entries = ledger.list_entries(tx, 0, 10_000)
            assert all(entry.subject for entry in entries)
            tables: dict[str, dict[str, str]] = {}
            for customer_id in ("cust-1", "cust-2"):
                kept = store.get_progress(tx, customer_id)
                assert kept is not None
                tables[f"checklist/{customer_id}"] = {
                    "bundle_id": kept.checklist.bundle_id or "",
                    "current_step_id": kept.checklist.current_step_id,
                    "revision": str(kept.revision),
                    **{f"step.{s.step_id}": "completed" if s.completed else "open" for s in kept.checklist.steps},
                    **{f"approver.{s.step_id}": s.approval.approved_by for s in kept.checklist.steps if s.approval},
                }
                for key, found in store.connections_of(tx, customer_id).items():
                    tables[f"connector/{customer_id}/{key}"] = {
                        "state": found.state.value,
                        "revision": str(found.revision),
                        "approver": found.approval.approved_by if found.approval else "",
                        "opted_in_numbers": str(found.opt_in_audit.opted_in_numbers) if found.opt_in_audit else "",
                        "test_succeeded": "",
                        "no_secret_in_logs": "",
                        "account": "",
                    }
            return ledger.fold(entries), tables

        folded, tables = await client.running.service.database.read(read)
        # What only says how the last write came about is no state.
        for attributes in folded.values():
            for name in ("step_id", "from"):
                attributes.pop(name, None)
            for name in [n for n, value in attributes.items() if n.startswith("approver.") and not value]:
                del attributes[name]
        return folded, tables

    async def test_every_write_is_one_entry_or_more_and_the_chain_holds(self, client: Client) -> None:
        await client.create()
        done = 1 + await wander_one(client)
        entries = await client.entries()
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
        assert len({entry.request_id for entry in entries}) == done
        verified = await client.call(ledger_service_pb2.VerifyLedgerRequest())
        assert (verified.intact, verified.checked) == (True, len(entries))

    async def test_it_holds_no_text_of_a_person(self, client: Client) -> None:
        await client.create()
        await client.step("select_goal", input="Tenmeetings")
        await client.step("risk_review", approval=approval(note="Reviewednote"))
        await client.connect(
            "whatsapp_cloud", opt_in_audit=audit(reference="Auditreference"), settings={"display_label": "Shoplabel"}
        )
        whole = "\n".join(str(entry) for entry in await client.entries())
        for text in ("Tenmeetings", "Reviewednote", "Auditreference", "Shoplabel"):
            assert text not in whole
        assert "founder-1" in whole


async def wander_one(client: Client) -> int:
    """Writes of every kind for one customer; how many."""
    await make_ready(client)
    await make_ready(client)
    await complete(client, *STEP_IDS)
    await complete(client, "select_goal")
    await client.step("first_service_run", completed=False)
    return 2 + len(STEP_IDS) + 2
