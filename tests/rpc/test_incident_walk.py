"""A SEV1 data leak from its declaration to a publishable post-mortem and a complete notice.

Each gate refuses once on the way, with the list of what is missing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dealix.common.v1 import actor_pb2, channel_pb2, sent_record_pb2
from dealix.incidents.v1 import approval_service_pb2 as apr
from dealix.incidents.v1 import communication_pb2, incident_pb2, notice_pb2, post_mortem_pb2
from dealix.incidents.v1 import communication_service_pb2 as com
from dealix.incidents.v1 import freeze_service_pb2 as frz
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.incidents.v1 import notice_service_pb2 as ntc
from dealix.incidents.v1 import post_mortem_service_pb2 as pmo

from services.runtime.wire import timestamp
from tests.rpc.client import PERSON, Refusal, refused
from tests.rpc.incidents_client import ACTIVE, CLOSED, MITIGATED, REFUSED, RESOLVED, Incidents, incidents_at

FOUNDER = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="founder-1", role=actor_pb2.ROLE_FOUNDER)
DPO = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="dpo-1", role=actor_pb2.ROLE_DPO)
GATEWAY = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="gateway")
LEGAL_REVIEW, CONSENT, REMOVED = post_mortem_pb2.PostMortemSignOffKind.values()[1:]
DRAFT, IN_REVIEW, APPROVED, PUBLISHABLE = post_mortem_pb2.PostMortemState.values()[1:]
LEAK = communication_pb2.COMMUNICATION_KIND_SEV1_DATA_LEAK
CUSTOMERS = ["acme", "najd"]


@pytest.fixture
async def on_each_engine(tmp_path: Path, database_url: str) -> AsyncIterator[Incidents]:
    async with incidents_at(tmp_path, database_url) as service:
        yield service


def missing(refusal: Refusal, reason: str) -> set[tuple[str, str]]:
    """What a gate named, as (type, subject); each said in both languages."""
    assert (refusal.code, refusal.reason) == (REFUSED, reason)
    assert refusal.missing
    for _, _, text in refusal.missing:
        assert text
    return {(kind, subject) for kind, subject, _ in refusal.missing}


class Walk:
    """One data leak on its way."""

    def __init__(self, service: Incidents) -> None:
        self.service = service
        self.incident_id = ""

    async def ask(self, of: type[Any], /, **fields: Any) -> Any:
        """Asks about the incident."""
        return await self.service.ask(of(incident_id=self.incident_id, **fields))

    def at(self, **passed: float) -> Any:
        """A moment as far from now."""
        return timestamp(self.service.clock.now + timedelta(**passed))

    async def declare_and_freeze(self) -> None:
        """As the gateway does for a P0 ticket that tells of a leak."""
        declared = await self.service.declare(
            leak=True, actor=GATEWAY, customer_ids=CUSTOMERS, channel="whatsapp_cloud"
        )
        assert declared.severity == incident_pb2.SEVERITY_SEV1
        self.incident_id = declared.incident_id
        for customer_id in CUSTOMERS:
            await self.ask(
                frz.FreezeChannelRequest,
                actor=GATEWAY,
                channel=channel_pb2.CHANNEL_WHATSAPP,
                customer_id=customer_id,
                reason="حادث تسرب بيانات",
            )

    async def tell_customers(self) -> None:
        """Drafts, approves, and records as sent, what the customers are told."""
        facts = communication_pb2.CommunicationFacts(
            what_happened=_said("وصلت رسالة إلى 5 أشخاص.", "A message reached 6 people."),
            next_update_time=self.at(minutes=30),
            data_categories=[_said("بيانات التواصل", "Contact details")],
            people=80,
            contact=_said("مسؤول حماية البيانات، privacy@example.sa", "Data protection officer, privacy@example.sa"),
        )
        asked = {"kind": LEAK, "facts": facts}
        # The gate of parity: five here, six there.
        refusal = await refused(self.ask(com.DraftCommunicationRequest, channel=channel_pb2.CHANNEL_WHATSAPP, **asked))
        assert missing(refusal, "PARITY_BROKEN") == {("NUMBER", "5"), ("NUMBER", "6")}
        facts.what_happened.text_en = "A message reached 5 people."
        made = (await self.ask(com.DraftCommunicationRequest, channel=channel_pb2.CHANNEL_WHATSAPP, **asked)).drafts
        assert [draft.customer_id for draft in made] == CUSTOMERS
        for draft in made:
            assert "واتساب" in draft.body_ar
            assert "WhatsApp" in draft.body_en
            assert self.incident_id not in draft.body_ar + draft.body_en
        # The gate of the freeze: nothing for WhatsApp can be approved.
        refusal = await refused(self._approve(made[0]))
        assert (refusal.code, refusal.reason) == (REFUSED, "CHANNEL_FROZEN")
        # By e-mail, which is not frozen, and in place of the drafts before.
        by_mail = (await self.ask(com.DraftCommunicationRequest, channel=channel_pb2.CHANNEL_EMAIL, **asked)).drafts
        refusal = await refused(self._approve(made[0]))
        assert refusal.reason == "DRAFT_STATE_REFUSED"
        # An edit that makes the figures differ again is no way round the gate.
        edited = apr.EditedTexts(body_ar=by_mail[0].body_ar, body_en=by_mail[0].body_en.replace("5 people", "7 people"))
        refusal = await refused(self._approve(by_mail[0], edited=edited))
        assert missing(refusal, "PARITY_BROKEN") == {("NUMBER", "5"), ("NUMBER", "7")}
        for draft in by_mail:
            approved = (await self._approve(draft)).draft
            sent = sent_record_pb2.SentRecordInput(
                send_time=timestamp(self.service.clock.now), channel=draft.channel, sender=PERSON, reference="mail-1"
            )
            await self.service.ask(
                apr.RecordDraftSentRequest(
                    draft_id=draft.draft_id, approval_id=approved.approval.approval_id, sent=sent
                )
            )

    async def _approve(self, draft: Any, **fields: Any) -> Any:
        return await self.service.ask(
            apr.ApproveDraftRequest(draft_id=draft.draft_id, content_hash=draft.content_hash, **fields)
        )

    async def file_notice(self) -> None:
        """Files what is known; the gate wants a reason for what is missing."""
        known = notice_pb2.NoticeBlocks(
            event=notice_pb2.NoticeEvent(
                description=notice_pb2.NoticeText(text_ar="وصلت رسالة إلى من لا يحق له"), begin_time=self.at(hours=-3)
            )
        )
        begun = (await self.ask(ntc.UpdateNoticeRequest, blocks=known)).notice
        assert not begun.complete
        filing = {"actor": DPO, "reference": "SDAIA-7", "file_time": self.at()}
        refusal = await refused(self.ask(ntc.RecordNoticeFiledRequest, **filing))
        named = missing(refusal, "NOTICE_INCOMPLETE")
        assert named == {
            (notice_pb2.NoticeBlock.Name(status.block).removeprefix("NOTICE_BLOCK_"), field)
            for status in begun.status
            for field in status.missing
        }
        assert ("SCOPE", "scope.people") in named
        filed = (await self.ask(ntc.RecordNoticeFiledRequest, incomplete_reason="التحقيق جارٍ", **filing)).notice
        assert (filed.filed, filed.filed_as_it_stands, filed.complete, filed.filings[0].late) == (
            True,
            True,
            False,
            False,
        )

    async def supplement_notice(self) -> None:
        """Completes the notice and records the supplement."""
        text = notice_pb2.NoticeText(text_ar="بيانات التواصل", text_en="Contact details")
        whole = notice_pb2.NoticeBlocks(
            event=notice_pb2.NoticeEvent(description=text, begin_time=self.at(hours=-30)),
            scope=notice_pb2.NoticeScope(data_categories=[text], people_categories=[text], records=120, people=80),
            consequences=notice_pb2.NoticeConsequences(risks=text, effects=text, measures=text),
            data_subjects=notice_pb2.NoticeDataSubjects(
                told=notice_pb2.DATA_SUBJECTS_TOLD_YES, tell_time=self.at(hours=-1), explanation=text
            ),
            contact=notice_pb2.NoticeContact(role=text, email="privacy@example.sa"),
        )
        changed = (await self.ask(ntc.UpdateNoticeRequest, blocks=whole)).notice
        assert (changed.complete, changed.filed_as_it_stands) == (True, False)
        refusal = await refused(self.service.step(self.incident_id, CLOSED))
        assert ("NOTICE", "notice/supplement") in missing(refusal, "INCIDENT_NOT_CLOSABLE")
        request = {"actor": DPO, "reference": "SDAIA-7/2", "file_time": self.at()}
        done = (await self.ask(ntc.RecordNoticeSupplementRequest, **request)).notice
        assert (done.complete, done.filed_as_it_stands, len(done.filings)) == (True, True, 2)

    async def post_mortem(self) -> None:
        """From an empty draft to the gate, and through it."""
        found = (await self.ask(pmo.DraftPostMortemRequest)).post_mortem
        assert len(found.content.timeline) >= 4, "it begins with the incident's own course of events"
        refusal = await refused(self.ask(pmo.SubmitPostMortemRequest))
        named = missing(refusal, "POST_MORTEM_INCOMPLETE")
        assert {("SECTION_MISSING", "summary_ar"), ("SECTION_MISSING", "action_items")} <= named
        # With somebody's number in it: the scan finds that.
        await self.ask(pmo.UpdatePostMortemRequest, content=self._content("اتصل العميل من ٠٥٥١٢٣٤٥٦٧"))
        await self.ask(pmo.SubmitPostMortemRequest)
        approved = (await self.ask(pmo.ApprovePostMortemRequest, content_revision=2)).post_mortem
        assert approved.state == APPROVED
        refusal = await refused(self.ask(pmo.MarkPostMortemPublishableRequest))
        assert missing(refusal, "POST_MORTEM_INCOMPLETE") == {
            ("PERSONAL_DATA", "summary_ar:mobile:15-25"),
            ("LEGAL_REVIEW", ""),
            ("CUSTOMER_CONSENT", "acme"),
            ("CUSTOMER_CONSENT", "najd"),
            ("PERSONAL_DATA_STATEMENT", ""),
        }
        refusal = await refused(self._sign(REMOVED, 2))
        assert missing(refusal, "POST_MORTEM_INCOMPLETE") == {("PERSONAL_DATA", "summary_ar:mobile:15-25")}
        refusal = await refused(self._sign(LEGAL_REVIEW, 2, actor=FOUNDER))
        assert refusal.reason == "LEGAL_ROLE_REQUIRED"
        await self._sign(LEGAL_REVIEW, 2, actor=DPO)
        # The edit takes everything back.
        rewritten = (await self.ask(pmo.UpdatePostMortemRequest, content=self._content("اتصل العميل"))).post_mortem
        assert (rewritten.state, rewritten.content_revision, [s.valid for s in rewritten.sign_offs]) == (
            DRAFT,
            3,
            [False],
        )
        assert not rewritten.HasField("approver")
        await self.ask(pmo.SubmitPostMortemRequest)
        refusal = await refused(self.ask(pmo.ApprovePostMortemRequest, content_revision=2))
        assert refusal.reason == "ETAG_MISMATCH"
        await self.ask(pmo.ApprovePostMortemRequest, content_revision=3)
        await self._sign(LEGAL_REVIEW, 3, actor=DPO)
        await self._sign(CONSENT, 3, customer_id="acme", reference="letter-1")
        await self._sign(REMOVED, 3)
        refusal = await refused(self.ask(pmo.MarkPostMortemPublishableRequest))
        assert missing(refusal, "POST_MORTEM_INCOMPLETE") == {("CUSTOMER_CONSENT", "najd")}
        seen = (await self.ask(pmo.GetPostMortemRequest)).post_mortem
        assert [gap.subject for gap in seen.missing] == ["najd"]
        await self._sign(CONSENT, 3, customer_id="najd", reference="letter-2")
        answer = await self.ask(pmo.MarkPostMortemPublishableRequest)
        assert (answer.post_mortem.state, list(answer.post_mortem.missing)) == (PUBLISHABLE, [])
        assert answer.approval_required is False
        for signed in answer.post_mortem.sign_offs:
            assert signed.actor.id
            assert signed.sign_time.seconds

    async def _sign(self, kind: Any, content_revision: int, actor: actor_pb2.Actor = PERSON, **fields: Any) -> Any:
        return await self.ask(
            pmo.SignOffPostMortemRequest, kind=kind, content_revision=content_revision, actor=actor, **fields
        )

    def _content(self, summary: str) -> post_mortem_pb2.PostMortemContent:
        text = post_mortem_pb2.PostMortemText(text_ar="سبب واضح", text_en="A plain cause")
        return post_mortem_pb2.PostMortemContent(
            summary=post_mortem_pb2.PostMortemText(text_ar=summary, text_en="The customer called"),
            timeline=[post_mortem_pb2.PostMortemEvent(occur_time=self.at(hours=-1), text=text)],
            root_cause=text,
            what_went_well=text,
            what_went_wrong=text,
            action_items=[
                post_mortem_pb2.PostMortemActionItem(
                    title=post_mortem_pb2.PostMortemText(text_ar="مراجعة قوائم الإرسال", text_en="Review the lists"),
                    owner="operator-17",
                    due_time=self.at(days=7),
                )
            ],
        )

    async def close(self) -> None:
        """Closes the incident once the rest is done; the gate names it first."""
        refusal = await refused(self.service.step(self.incident_id, CLOSED))
        named = missing(refusal, "INCIDENT_NOT_CLOSABLE")
        assert not {kind for kind, _ in named} & {"POST_MORTEM", "NOTICE"}
        shown = await self.service.show(self.incident_id)
        assert ("OBLIGATION", "obligation/data_subjects") in named
        await self.service.complete(self.incident_id, "data_subjects")
        for task in shown.tasks:
            if ("PLAN_TASK", f"task/{task.number}") in named:
                await self.ask(
                    inc.UpdatePlanTaskRequest,
                    task_number=task.number,
                    state=incident_pb2.PLAN_TASK_STATE_DONE,
                )
        await self.service.step(self.incident_id, CLOSED)


def _said(arabic: str, english: str) -> communication_pb2.CommunicationText:
    return communication_pb2.CommunicationText(text_ar=arabic, text_en=english)


async def test_a_sev1_data_leak_from_its_declaration_to_its_last_paper(on_each_engine: Incidents) -> None:
    service = on_each_engine
    walk = Walk(service)
    await walk.declare_and_freeze()
    await service.step(walk.incident_id, ACTIVE)
    await walk.tell_customers()
    await service.passes(hours=2)
    await walk.file_notice()
    await service.passes(hours=18)
    await service.steps(walk.incident_id, MITIGATED, RESOLVED)
    await service.passes(hours=2)
    await walk.post_mortem()
    await walk.supplement_notice()
    states = await service.states(walk.incident_id)
    assert (states["pdpl_authority"], states["post_mortem"]) == ("met", "met")
    await walk.close()
    # The freezes outlive the incident: a founder releases them.
    held = (await service.ask(frz.GetFreezesRequest(customer_id="acme"))).freezes
    assert [freeze.incident_id for freeze in held] == [walk.incident_id]
    released = await service.ask(
        frz.ReleaseFreezeRequest(actor=FOUNDER, freeze_id=held[0].freeze_id, reason="راجع المؤسس وأُغلق السبب")
    )
    assert not released.still_frozen
    lines = await service.lines(walk.incident_id)
    for kind, times in {
        "freeze_latched": 2,
        "communication_drafted": 2,
        "notice_filed": 1,
        "notice_supplemented": 1,
        "post_mortem_approved": 2,
        "post_mortem_publishable": 1,
        "action_item_added": 1,
        "closed": 1,
        "freeze_released": 1,
    }.items():
        assert lines.count(kind) == times, kind


async def test_a_late_notice_and_a_late_post_mortem_say_why(tmp_path: Path) -> None:
    async with incidents_at(tmp_path) as service:
        walk = Walk(service)
        await walk.declare_and_freeze()
        await service.steps(walk.incident_id, ACTIVE, MITIGATED, RESOLVED)
        await service.passes(hours=72, minutes=1)
        text = notice_pb2.NoticeText(text_ar="ما حدث")
        await walk.ask(
            ntc.UpdateNoticeRequest, blocks=notice_pb2.NoticeBlocks(event=notice_pb2.NoticeEvent(description=text))
        )
        filing = {"actor": DPO, "reference": "S-1", "file_time": walk.at(), "incomplete_reason": "التحقيق جارٍ"}
        refusal = await refused(walk.ask(ntc.RecordNoticeFiledRequest, **filing))
        assert (refusal.code, refusal.reason) == (REFUSED, "LATE_REASON_REQUIRED")
        assert not (await walk.ask(ntc.GetNoticeRequest)).notice.filed
        filed = (await walk.ask(ntc.RecordNoticeFiledRequest, late_reason="انتظرنا المختبر", **filing)).notice
        assert (filed.filings[0].late, filed.filings[0].late_reason) == (True, "انتظرنا المختبر")
        await walk.ask(pmo.DraftPostMortemRequest, content=walk._content("ملخص"))
        await walk.ask(pmo.SubmitPostMortemRequest)
        refusal = await refused(walk.ask(pmo.ApprovePostMortemRequest, content_revision=1))
        assert (refusal.code, refusal.reason) == (REFUSED, "LATE_REASON_REQUIRED")
        assert (await walk.ask(pmo.GetPostMortemRequest)).post_mortem.state == IN_REVIEW
        await walk.ask(pmo.ApprovePostMortemRequest, content_revision=1, late_reason="انتظرنا المختبر")
        states = await service.states(walk.incident_id)
        assert (states["pdpl_authority"], states["post_mortem"]) == ("met_late", "met_late")


async def test_a_notice_is_approved_in_the_words_that_it_has_and_no_freeze_holds_it(tmp_path: Path) -> None:
    async with incidents_at(tmp_path) as service:
        walk = Walk(service)
        await walk.declare_and_freeze()
        await walk.ask(frz.FreezeChannelRequest, actor=GATEWAY, all_channels=True, all_customers=True, reason="حادث")

        async def say(text: str) -> None:
            event = notice_pb2.NoticeEvent(description=notice_pb2.NoticeText(text_ar=text))
            await walk.ask(ntc.UpdateNoticeRequest, blocks=notice_pb2.NoticeBlocks(event=event))

        assert (await refused(walk.ask(ntc.DraftNoticeRequest))).reason == "NOTICE_NOT_FOUND"
        await say("وصلت رسالة إلى غير أصحابها")
        first = (await walk.ask(ntc.DraftNoticeRequest)).draft
        assert "وصلت رسالة إلى غير أصحابها" in first.body_ar
        assert first.due_time == (await walk.ask(ntc.GetNoticeRequest)).notice.due_time
        approved = (await walk._approve(first)).draft
        # Nothing changed: the approval stands.
        same = (await walk.ask(ntc.DraftNoticeRequest)).draft
        assert (same.draft_id, same.approval) == (first.draft_id, approved.approval)
        await say("وصلت رسالتان إلى غير أصحابهما")
        changed = (await walk.ask(ntc.DraftNoticeRequest)).draft
        assert (changed.draft_id, changed.HasField("approval")) == (first.draft_id, False)
        assert "رسالتان" in changed.body_ar
        await say(f"الحادث {walk.incident_id}")
        refusal = await refused(walk.ask(ntc.DraftNoticeRequest))
        assert refusal.fields == {"notice.body_ar": "INTERNAL_ID", "notice.body_en": "INTERNAL_ID"}


async def test_refusals_that_the_walk_does_not_meet(tmp_path: Path) -> None:
    async with incidents_at(tmp_path) as service:
        walk = Walk(service)
        walk.incident_id = (await service.declare(customer_ids=CUSTOMERS)).incident_id
        content = walk._content("ملخص")
        blocks = notice_pb2.NoticeBlocks(contact=notice_pb2.NoticeContact(email="privacy@example.sa"))
        facts = communication_pb2.CommunicationFacts(
            what_happened=_said("توقف الربط", "The connection is down"),
            begin_time=walk.at(hours=-1),
            next_update_time=walk.at(hours=1),
        )
        told = {"channel": channel_pb2.CHANNEL_EMAIL, "facts": facts}
        sev2 = communication_pb2.COMMUNICATION_KIND_SEV2
        for request, reason in (
            (pmo.GetPostMortemRequest(), "POST_MORTEM_NOT_FOUND"),
            (ntc.GetNoticeRequest(), "NOTICE_NOT_FOUND"),
            (ntc.UpdateNoticeRequest(blocks=blocks), "NOTICE_NOT_DUE"),
            (com.DraftCommunicationRequest(kind=sev2, **told), "COMMUNICATION_REFUSED"),
        ):
            request.incident_id = walk.incident_id
            assert (await refused(service.ask(request))).reason == reason
            request.incident_id = "inc_" + "a" * 26
            assert (await refused(service.ask(request))).reason == "INCIDENT_NOT_FOUND"
        await walk.ask(pmo.DraftPostMortemRequest, content=content)
        assert (await refused(walk.ask(pmo.DraftPostMortemRequest))).reason == "POST_MORTEM_EXISTS"
        assert (
            await refused(walk.ask(pmo.UpdatePostMortemRequest, content=content, etag="r9"))
        ).reason == "ETAG_MISMATCH"
        refusal = await refused(walk.ask(pmo.ApprovePostMortemRequest, content_revision=1))
        assert (refusal.reason, refusal.metadata["state"]) == ("POST_MORTEM_STATE_REFUSED", "draft")
        await walk.ask(pmo.SubmitPostMortemRequest)
        refusal = await refused(walk.ask(pmo.ApprovePostMortemRequest, content_revision=1))
        assert missing(refusal, "POST_MORTEM_INCOMPLETE") == {("INCIDENT_OPEN", "")}
        leak = Walk(service)
        await leak.declare_and_freeze()
        filing = {"actor": DPO, "reference": "S-1", "file_time": walk.at()}
        assert (await refused(leak.ask(ntc.RecordNoticeFiledRequest, **filing))).reason == "NOTICE_NOT_FOUND"
        await leak.ask(ntc.UpdateNoticeRequest, blocks=blocks)
        assert (await refused(leak.ask(ntc.RecordNoticeSupplementRequest, **filing))).reason == "NOTICE_NOT_FILED"
        blocks.event.description.text_ar = "ما حدث"
        await leak.ask(ntc.UpdateNoticeRequest, blocks=blocks)
        await leak.ask(ntc.RecordNoticeFiledRequest, incomplete_reason="التحقيق جارٍ", **filing)
        assert (await refused(leak.ask(ntc.RecordNoticeFiledRequest, **filing))).reason == "NOTICE_FILED"
        assert (await refused(leak.ask(ntc.RecordNoticeSupplementRequest, **filing))).reason == "NOTICE_UNCHANGED"
        drill = Walk(service)
        drill.incident_id = (await service.declare(leak=True, drill=True, customer_ids=CUSTOMERS)).incident_id
        assert (await refused(drill.ask(ntc.UpdateNoticeRequest, blocks=blocks))).reason == "NOTICE_NOT_DUE"
        facts.ClearField("begin_time")
        refusal = await refused(
            drill.ask(com.DraftCommunicationRequest, kind=communication_pb2.COMMUNICATION_KIND_SEV1_FIRST_HOUR, **told)
        )
        assert (refusal.reason, refusal.metadata["cause"]) == ("COMMUNICATION_REFUSED", "drill")


async def test_nothing_personal_reaches_the_ledger(tmp_path: Path) -> None:
    async with incidents_at(tmp_path) as service:
        walk = Walk(service)
        await walk.declare_and_freeze()
        await walk.ask(pmo.DraftPostMortemRequest, content=walk._content("اتصل العميل من ٠٥٥١٢٣٤٥٦٧"))
        text = notice_pb2.NoticeText(text_ar="نص خاص")
        blocks = notice_pb2.NoticeBlocks(
            event=notice_pb2.NoticeEvent(description=text),
            contact=notice_pb2.NoticeContact(email="privacy@example.sa"),
        )
        await walk.ask(ntc.UpdateNoticeRequest, blocks=blocks)
        entries = await service.entries()
        assert {"post_mortem.drafted", "notice.begun", "freeze.latched"} <= {entry.action for entry in entries}
        said = str(entries)
        for part in ("٠٥٥١٢٣٤٥٦٧", "نص خاص", "privacy@example.sa", "تسرب"):
            assert part not in said
            assert part.encode("unicode_escape").decode() not in said


async def test_post_mortems_are_listed_by_state(tmp_path: Path) -> None:
    async with incidents_at(tmp_path) as service:
        ids = []
        for _ in range(3):
            walk = Walk(service)
            await walk.declare_and_freeze()
            await walk.ask(pmo.DraftPostMortemRequest, content=walk._content("ملخص"))
            ids.append(walk.incident_id)
        await walk.ask(pmo.SubmitPostMortemRequest)
        listed = await service.ask(pmo.ListPostMortemsRequest())
        assert [found.incident_id for found in listed.post_mortems] == ids[::-1]
        listed = await service.ask(pmo.ListPostMortemsRequest(state=IN_REVIEW))
        assert [found.incident_id for found in listed.post_mortems] == ids[2:]
        kinds = {post_mortem_pb2.PostMortemGapKind.Name(gap.kind) for gap in listed.post_mortems[0].missing}
        assert "POST_MORTEM_GAP_KIND_APPROVAL" in kinds
