"""Decisions about drafts over a socket, on every engine: what an approval is good for, and what it is not."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import approval_pb2, channel_pb2, context_pb2, draft_pb2, sent_record_pb2
from dealix.support.v1 import approval_service_pb2 as pb
from dealix.support.v1 import approval_service_pb2_grpc, ledger_service_pb2, ledger_service_pb2_grpc

from services.approvals import drafts
from services.approvals.drafts import Draft, DraftKind, NewDraft
from services.approvals.servicer import ApprovalRules
from services.domain.channels import Channel
from services.domain.texts import Bilingual
from services.runtime.service import Built, ServiceDefinition
from services.runtime.testing import running_service
from services.runtime.wire import timestamp
from services.storage.database import Actor, Database
from services.support.store import SCHEMA
from tests.rpc.client import PERSON, SATURDAY_EVENING, ledger_of, new_request_id, pages, refused

SOFTWARE = Actor("service", "drafter")
BODY = Bilingual(
    "السلام عليكم، نود الاطمئنان على سير العمل معكم.", "Hello, we would like to hear how things are going."
)
OTHER = pb.EditedTexts(body_ar="السلام عليكم، متى يناسبكم اللقاء؟", body_en="Hello, when would suit you to meet?")
CLAIM = pb.EditedTexts(body_ar="نضمن لكم نتائج خلال أسبوع.", body_en="You will hear from us.")
FREEZE = context_pb2.ChannelFreeze(freeze_id="frz_" + "a" * 26, channel=channel_pb2.CHANNEL_EMAIL)

# A service that has nothing but drafts: what the four share, alone. Its first responses have a method of their own.
DEFINITION = ServiceDefinition(
    name="support",
    modules=(),
    ledger_module=ledger_service_pb2,
    approval_module=pb,
    schema=SCHEMA,
    build=lambda: Built([], approvals=ApprovalRules(own_use=frozenset({DraftKind.FIRST_RESPONSE}))),
)


@dataclass(slots=True)
class Clock:
    """Stands still until it is moved."""

    now: datetime = SATURDAY_EVENING

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **passed: float) -> None:
        """Moves it forward."""
        self.now += timedelta(**passed)


@dataclass(frozen=True, slots=True)
class Desk:
    """The service, its clock, and what a test does with it."""

    stub: Any
    ledger: Any
    database: Database
    clock: Clock

    async def draft(self, **changes: Any) -> Draft:
        """A draft that waits."""
        new = NewDraft(
            kind=DraftKind.TOUCHPOINT,
            subject=f"sample/{uuid.uuid4().hex}",
            customer_id="acme",
            channel=Channel.EMAIL,
            title=Bilingual("رسالة متابعة", "A follow-up message"),
            body=BODY,
        )
        return await self.database.write_internal(SOFTWARE, lambda unit: drafts.create(unit, replace(new, **changes)))

    async def approve(self, draft: Any, **fields: Any) -> draft_pb2.Draft:
        """Approves a draft as it stands, unless the fields say otherwise."""
        answer = await self.stub.ApproveDraft(
            pb.ApproveDraftRequest(
                **{
                    "request_id": new_request_id(),
                    "actor": PERSON,
                    "draft_id": draft.draft_id,
                    "content_hash": draft.content_hash,
                    **fields,
                }
            )
        )
        return answer.draft

    async def record_sent(self, draft_id: str, approval_id: str, **fields: Any) -> draft_pb2.Draft:
        """Records that a draft was sent now."""
        sent = sent_record_pb2.SentRecordInput(
            **{
                "send_time": timestamp(self.clock.now),
                "channel": channel_pb2.CHANNEL_EMAIL,
                "sender": PERSON,
                "reference": "msg-1",
                **fields,
            }
        )
        request = pb.RecordDraftSentRequest(
            request_id=new_request_id(), actor=PERSON, draft_id=draft_id, approval_id=approval_id, sent=sent
        )
        return (await self.stub.RecordDraftSent(request)).draft

    async def edit(self, draft_id: str, texts: pb.EditedTexts = OTHER, **fields: Any) -> draft_pb2.Draft:
        """Gives a draft another text."""
        request = pb.EditDraftRequest(
            **{"request_id": new_request_id(), "actor": PERSON, "draft_id": draft_id, "edited": texts, **fields}
        )
        return (await self.stub.EditDraft(request)).draft

    async def reject(self, draft_id: str, **fields: Any) -> draft_pb2.Draft:
        """Rejects a draft."""
        request = pb.RejectDraftRequest(
            **{"request_id": new_request_id(), "actor": PERSON, "draft_id": draft_id, "reason": "النص قديم", **fields}
        )
        return (await self.stub.RejectDraft(request)).draft

    async def get(self, draft_id: str) -> draft_pb2.Draft:
        """The draft now."""
        return (await self.stub.GetDraft(pb.GetDraftRequest(draft_id=draft_id))).draft

    async def waiting(self, **fields: Any) -> list[str]:
        """The ids of what waits, in order."""
        answer = await self.stub.ListPendingApprovals(pb.ListPendingApprovalsRequest(**fields))
        return [draft.draft_id for draft in answer.drafts]


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    clock = Clock()
    async with running_service(
        DEFINITION, database_url=database_url, data_dir=tmp_path, clock=clock, log_level="error"
    ) as running:
        yield Desk(
            approval_service_pb2_grpc.ApprovalServiceStub(running.channel),
            ledger_service_pb2_grpc.LedgerServiceStub(running.channel),
            running.service.database,
            clock,
        )


async def test_drafted_approved_and_sent_are_three_times(desk: Desk) -> None:
    draft = await desk.draft()
    drafted_at = desk.clock.now
    desk.clock.advance(hours=1)
    approved = await desk.approve(draft, note="راجعته")
    approved_at = desk.clock.now
    assert approved.state == approval_pb2.DRAFT_STATE_APPROVED
    assert approved.approval.approver == PERSON
    assert approved.approval.content_hash == draft.content_hash
    assert approved.approval.expire_time == timestamp(approved_at + timedelta(hours=72))
    assert not approved.HasField("sent")
    desk.clock.advance(hours=1)
    sent = await desk.record_sent(draft.draft_id, approved.approval.approval_id)
    assert sent.state == approval_pb2.DRAFT_STATE_SENT_RECORDED
    assert (sent.create_time, sent.approval.approve_time, sent.sent.send_time) == tuple(
        map(timestamp, (drafted_at, approved_at, desk.clock.now))
    )
    assert sent.approval.use_time == timestamp(desk.clock.now)


async def test_an_edited_approval_binds_to_the_edited_text(desk: Desk) -> None:
    draft = await desk.draft()
    approved = await desk.approve(draft, edited=OTHER)
    assert approved.state == approval_pb2.DRAFT_STATE_EDITED_AND_APPROVED
    assert (approved.body_ar, approved.body_en) == (OTHER.body_ar, OTHER.body_en)
    assert approved.content_hash == approved.approval.content_hash != draft.content_hash


async def test_an_approval_is_used_once_whoever_tries(desk: Desk) -> None:
    draft = await desk.draft()
    approved = await desk.approve(draft)
    tries = [desk.record_sent(draft.draft_id, approved.approval.approval_id) for _ in range(16)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, draft_pb2.Draft) for outcome in outcomes) == 1
    for outcome in outcomes:
        if not isinstance(outcome, draft_pb2.Draft):
            assert (await refused(_raised(outcome))).reason == "APPROVAL_USED"
    entries = await ledger_of(desk.ledger, ledger_service_pb2)
    assert [entry.action for entry in entries].count("draft.sent_recorded") == 1


async def test_sixteen_people_at_once_give_one_approval(desk: Desk) -> None:
    draft = await desk.draft()
    outcomes = await asyncio.gather(*(desk.approve(draft) for _ in range(16)), return_exceptions=True)
    given = [outcome for outcome in outcomes if isinstance(outcome, draft_pb2.Draft)]
    assert len(given) == 1
    assert (await desk.get(draft.draft_id)).approval == given[0].approval


async def test_an_edit_and_a_rejection_void_an_approval(desk: Desk) -> None:
    for undo in (desk.edit, desk.reject):
        draft = await desk.draft()
        approved = await desk.approve(draft)
        after = await undo(draft.draft_id)
        assert not after.HasField("approval")
        found = await refused(desk.record_sent(draft.draft_id, approved.approval.approval_id))
        assert found.reason == "APPROVAL_VOID"
    # Back to the words that were approved is not back to the approval.
    draft = await desk.draft()
    approved = await desk.approve(draft)
    await desk.edit(draft.draft_id)
    await desk.edit(draft.draft_id, pb.EditedTexts(body_ar=BODY.ar, body_en=BODY.en))
    assert (await desk.get(draft.draft_id)).content_hash == draft.content_hash
    assert (await refused(desk.record_sent(draft.draft_id, approved.approval.approval_id))).reason == "APPROVAL_VOID"


async def test_an_edit_voids_an_approval_that_ran_out_too(desk: Desk) -> None:
    draft = await desk.draft()
    first = await desk.approve(draft, valid_hours=1)
    in_time = timestamp(desk.clock.now)
    desk.clock.advance(hours=1)
    await desk.approve(draft)
    await desk.edit(draft.draft_id)
    back = await desk.edit(draft.draft_id, pb.EditedTexts(body_ar=BODY.ar, body_en=BODY.en))
    await desk.approve(back)
    found = await refused(desk.record_sent(draft.draft_id, first.approval.approval_id, send_time=in_time))
    assert found.reason == "APPROVAL_VOID"


async def test_an_approval_is_of_one_draft(desk: Desk) -> None:
    one, other = await desk.draft(), await desk.draft()
    approved = await desk.approve(one)
    found = await refused(desk.record_sent(other.draft_id, approved.approval.approval_id))
    assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "APPROVAL_MISMATCH")
    assert (await desk.get(other.draft_id)).state == approval_pb2.DRAFT_STATE_DRAFTED
    assert (await desk.get(one.draft_id)).state == approval_pb2.DRAFT_STATE_APPROVED


async def test_an_approval_expires_and_the_draft_waits_again_from_then_on(desk: Desk) -> None:
    draft = await desk.draft()
    approved = await desk.approve(draft, valid_hours=2)
    assert await desk.waiting() == []
    desk.clock.advance(hours=2)
    late = await refused(desk.record_sent(draft.draft_id, approved.approval.approval_id))
    assert late.reason == "APPROVAL_EXPIRED"
    desk.clock.advance(minutes=5)
    now = await desk.get(draft.draft_id)
    assert (now.state, now.waiting_seconds) == (approval_pb2.DRAFT_STATE_DRAFTED, 300)
    assert await desk.waiting() == [draft.draft_id]
    # What was sent while it held can still be recorded.
    sent_in_time = timestamp(desk.clock.now - timedelta(minutes=5, seconds=1))
    recorded = await desk.record_sent(draft.draft_id, approved.approval.approval_id, send_time=sent_in_time)
    assert recorded.state == approval_pb2.DRAFT_STATE_SENT_RECORDED


async def test_an_expired_approval_can_be_given_again(desk: Desk) -> None:
    draft = await desk.draft()
    first = await desk.approve(draft, valid_hours=1)
    desk.clock.advance(hours=1)
    second = await desk.approve(draft)
    assert second.approval.approval_id != first.approval.approval_id
    sent = await desk.record_sent(draft.draft_id, second.approval.approval_id)
    assert sent.approval.approval_id == second.approval.approval_id


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "software": ({"actor": {"kind": 2, "id": "bot"}}, "PERSON_REQUIRED"),
    "other words": ({"content_hash": "0" * 64}, "DRAFT_CHANGED"),
    "claim": ({"edited": CLAIM}, "PROHIBITED_CLAIM"),
    "blank": ({"edited": pb.EditedTexts(body_ar=" \u200f", body_en="Hello")}, "INVALID_FIELDS"),
    "our id": ({"edited": pb.EditedTexts(body_ar="مرجعكم tkt_" + "a" * 26, body_en="Hello")}, "INVALID_FIELDS"),
    "frozen": ({"context": context_pb2.Context(freezes_known=True, freezes=[FREEZE])}, "CHANNEL_FROZEN"),
    "too long": ({"valid_hours": 73}, "INVALID_FIELDS"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_approval_leaves_the_draft_waiting(desk: Desk, name: str) -> None:
    fields, reason = REFUSALS[name]
    draft = await desk.draft()
    before = await desk.get(draft.draft_id)
    entries = len(await ledger_of(desk.ledger, ledger_service_pb2))
    assert (await refused(desk.approve(draft, **fields))).reason == reason
    assert await desk.get(draft.draft_id) == before
    assert await desk.waiting() == [draft.draft_id]
    assert len(await ledger_of(desk.ledger, ledger_service_pb2)) == entries


async def test_a_claim_in_the_draft_itself_is_named(desk: Desk) -> None:
    draft = await desk.draft(body=Bilingual("نضمن لكم مضاعفة المبيعات.", "We guarantee double sales."))
    found = await refused(desk.approve(draft))
    assert found.reason == "PROHIBITED_CLAIM"
    assert "GUARANTEE" in found.metadata["categories"]
    assert "guarantee" in found.metadata["words"]


@pytest.mark.parametrize(
    ("freeze", "draft", "held"),
    [
        ({"channel": 1}, {"channel": Channel.EMAIL}, True),
        ({"channel": 2}, {"channel": Channel.EMAIL}, False),
        ({"channel": 0}, {"channel": Channel.EMAIL}, True),  # every channel
        ({"channel": 2}, {"channel": Channel.UNSPECIFIED}, True),  # it may go out there
        ({"channel": 0}, {"channel": Channel.INTERNAL}, False),
        ({"channel": 1, "customer_id": "acme"}, {"channel": Channel.EMAIL}, True),
        ({"channel": 1, "customer_id": "other"}, {"channel": Channel.EMAIL}, False),
        ({"channel": 1, "customer_id": "other"}, {"channel": Channel.EMAIL, "customer_id": ""}, True),
    ],
)
async def test_a_freeze_holds_its_channel_of_its_customer(desk: Desk, freeze: Any, draft: Any, held: bool) -> None:
    found = await desk.draft(**draft)
    context = context_pb2.Context(
        freezes_known=True, freezes=[context_pb2.ChannelFreeze(freeze_id="frz_" + "b" * 26, **freeze)]
    )
    if held:
        refusal = await refused(desk.approve(found, context=context))
        assert (refusal.reason, refusal.metadata["freeze_ids"]) == ("CHANNEL_FROZEN", "frz_" + "b" * 26)
    else:
        assert (await desk.approve(found, context=context)).state == approval_pb2.DRAFT_STATE_APPROVED


async def test_what_the_gateway_brings_is_no_part_of_a_writes_identity(desk: Desk) -> None:
    draft = await desk.draft()
    request_id = new_request_id()
    first = await desk.approve(draft, request_id=request_id)
    again = await desk.approve(
        draft, request_id=request_id, context=context_pb2.Context(freezes_known=True, freezes=[FREEZE])
    )
    assert again == first


async def test_a_rejected_draft_waits_again_once_it_is_edited(desk: Desk) -> None:
    draft = await desk.draft()
    rejected = await desk.reject(draft.draft_id)
    assert (rejected.state, rejected.rejection_reason) == (approval_pb2.DRAFT_STATE_REJECTED, "النص قديم")
    assert (await refused(desk.approve(draft))).reason == "DRAFT_STATE_REFUSED"
    edited = await desk.edit(draft.draft_id)
    assert (edited.state, edited.rejection_reason) == (approval_pb2.DRAFT_STATE_DRAFTED, "")
    assert (await desk.approve(edited)).state == approval_pb2.DRAFT_STATE_APPROVED


async def test_a_service_takes_back_what_is_not_sent(desk: Desk) -> None:
    draft = await desk.draft()
    approved = await desk.approve(draft)
    for _ in range(2):
        await desk.database.write_internal(SOFTWARE, lambda unit: drafts.withdraw(unit, draft.draft_id))
    assert (await desk.get(draft.draft_id)).state == approval_pb2.DRAFT_STATE_WITHDRAWN
    found = await refused(desk.record_sent(draft.draft_id, approved.approval.approval_id))
    assert found.reason == "APPROVAL_VOID"


async def test_a_step_uses_up_the_approval_of_that_step_only(desk: Desk) -> None:
    subject = "checklist/acme/step/risk_review"
    draft = await desk.draft(kind=DraftKind.ONBOARDING_STEP, subject=subject)
    approval_id = (await desk.approve(draft)).approval.approval_id

    async def use(subject: str, kind: DraftKind) -> str:
        try:
            await desk.database.write_internal(
                SOFTWARE, lambda unit: drafts.use(unit, approval_id, subject=subject, kind=kind)
            )
        except Exception as error:
            return str(getattr(error, "reason", repr(error)))
        return "used"

    assert await use("checklist/acme/step/select_bundle", DraftKind.ONBOARDING_STEP) == "APPROVAL_MISMATCH"
    assert await use(subject, DraftKind.CONNECTOR_APPROVAL) == "APPROVAL_MISMATCH"
    outcomes = await asyncio.gather(*(use(subject, DraftKind.ONBOARDING_STEP) for _ in range(16)))
    assert sorted(outcomes) == ["APPROVAL_USED"] * 15 + ["used"]


async def test_a_sending_is_recorded_by_a_person_after_the_approval(desk: Desk) -> None:
    draft = await desk.draft()
    desk.clock.advance(hours=1)
    approval_id = (await desk.approve(draft)).approval.approval_id
    second = timedelta(seconds=1)
    for send_time, why in ((desk.clock.now - second, "BEFORE_APPROVAL"), (desk.clock.now + second, "IN_FUTURE")):
        found = await refused(desk.record_sent(draft.draft_id, approval_id, send_time=timestamp(send_time)))
        assert (found.reason, found.fields) == ("INVALID_FIELDS", {"sent.send_time": why})
    software = {"kind": 2, "id": "mailer"}
    assert (await refused(desk.record_sent(draft.draft_id, approval_id, sender=software))).reason == "PERSON_REQUIRED"
    assert (await desk.get(draft.draft_id)).state == approval_pb2.DRAFT_STATE_APPROVED


async def test_a_kind_with_a_method_of_its_own_is_not_recorded_here(desk: Desk) -> None:
    draft = await desk.draft(kind=DraftKind.FIRST_RESPONSE)
    approval_id = (await desk.approve(draft)).approval.approval_id
    found = await refused(desk.record_sent(draft.draft_id, approval_id))
    assert found.reason == "DRAFT_STATE_REFUSED"


async def test_an_etag_of_another_state_is_refused(desk: Desk) -> None:
    draft = await desk.draft()
    await desk.edit(draft.draft_id, etag=draft.etag)
    for act in (desk.edit, desk.reject):
        assert (await refused(act(draft.draft_id, etag=draft.etag))).reason == "ETAG_MISMATCH"


async def test_what_waits_is_listed_with_the_longest_wait_first(desk: Desk) -> None:
    made = []
    for number in range(5):
        made.append(await desk.draft(customer_id=f"c-{number % 2}"))
        desk.clock.advance(minutes=10)
    await desk.approve(made[0], valid_hours=1)
    await desk.reject(made[2].draft_id)
    ids = [draft.draft_id for draft in made]
    assert await desk.waiting() == [ids[1], ids[3], ids[4]]
    assert await desk.waiting(customer_id="c-1") == [ids[1], ids[3]]
    assert await desk.waiting(kind=draft_pb2.DRAFT_KIND_REPLY) == []
    desk.clock.advance(hours=1)
    # The approval ran out: it waits again, though for less time than those that were never decided on.
    paged = [
        draft
        async for page in pages(
            lambda token: desk.stub.ListPendingApprovals(pb.ListPendingApprovalsRequest(page_size=1, page_token=token))
        )
        for draft in page.drafts
    ]
    assert [draft.draft_id for draft in paged] == [ids[1], ids[3], ids[4], ids[0]]
    assert [draft.waiting_seconds // 60 for draft in paged] == [100, 80, 70, 0]
    listed = [
        draft
        async for page in pages(lambda token: desk.stub.ListDrafts(pb.ListDraftsRequest(page_size=2, page_token=token)))
        for draft in page.drafts
    ]
    assert [draft.draft_id for draft in listed] == ids[::-1]
    of_subject = await desk.stub.ListDrafts(pb.ListDraftsRequest(subject=made[3].subject))
    assert [draft.draft_id for draft in of_subject.drafts] == [ids[3]]


async def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    unknown = "drf_" + "a" * 26
    draft = await desk.draft()
    for attempt in (desk.get(unknown), desk.edit(unknown), desk.reject(unknown)):
        assert (await refused(attempt)).reason == "DRAFT_NOT_FOUND"
    found = await refused(desk.record_sent(draft.draft_id, "apr_" + "a" * 26))
    assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "DRAFT_NOT_FOUND")


async def _raised(error: BaseException) -> None:
    raise error
