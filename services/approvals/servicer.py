"""``ApprovalService`` of any service: the same RPCs in each package, answered by one class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from google.protobuf.message import Message

from services.approvals import drafts, store, wire
from services.domain.claims import shipped_checker
from services.domain.context import Context
from services.domain.drafts import MAX_VALID_HOURS, Draft, DraftKind, DraftState, DraftStateRefused
from services.domain.texts import Bilingual
from services.runtime.call import Call
from services.runtime.wire import context_of, sent_record_of
from services.storage import paging
from services.storage.database import Tx, UnitOfWork


def _as_brought(_: Tx, __: Draft, context: Context) -> Context:
    return context


def _no_further_check(_: UnitOfWork, __: Draft, ___: Context) -> None:
    return None


def _nothing_follows(_: UnitOfWork, __: Draft) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """What a service adds to the decisions about its drafts.

    ``context``: what to go by at an approval, from what the gateway brought; the incidents service looks into its own tables.
    ``before_approval``: raises to refuse one; its draft has the text that would be approved. ``after_sent``: what a recorded
    sending does to the draft's subject, in the same transaction. ``own_use``: kinds whose use has a method of its own, so
    that ``RecordDraftSent`` refuses them.
    """

    context: Callable[[Tx, Draft, Context], Context] = _as_brought
    before_approval: Callable[[UnitOfWork, Draft, Context], None] = _no_further_check
    after_sent: Callable[[UnitOfWork, Draft], None] = _nothing_follows
    own_use: frozenset[DraftKind] = field(default_factory=frozenset)


class ApprovalServicer:
    """Answers the ``ApprovalService`` of the ``approval_service_pb2`` module it is given."""

    def __init__(self, module: ModuleType, rules: ApprovalRules) -> None:
        self._pb: Any = module
        self._rules = rules
        self._claims = shipped_checker()
        self.service: str = module.DESCRIPTOR.services_by_name["ApprovalService"].full_name

    async def GetDraft(self, request: Any, call: Call) -> Message:
        """See the contract."""
        found = await call.read(lambda tx: drafts.get(tx, request.draft_id))
        return self._answer("GetDraftResponse", found, call.now)

    async def ListDrafts(self, request: Any, call: Call) -> Message:
        """See the contract."""
        filters = {"subject": request.subject, "customer_id": request.customer_id}
        size, query = paging.page_size(request.page_size), paging.query_key(call.method.path, filters)
        after = paging.decode_token(query, request.page_token, (int, str))
        found = await call.read(
            lambda tx: store.page_of_drafts(tx, request.subject, request.customer_id, after, size + 1)
        )
        page, token = paging.cut_page(found, size, query, store.draft_key)
        return self._page("ListDraftsResponse", page, token, call.now)

    async def ListPendingApprovals(self, request: Any, call: Call) -> Message:
        """See the contract."""
        filters = {"kind": request.kind, "customer_id": request.customer_id}
        size, query = paging.page_size(request.page_size), paging.query_key(call.method.path, filters)
        after = paging.decode_token(query, request.page_token, (int, str))
        kind, now = wire.KINDS.to_domain.get(request.kind), call.now
        found = await call.read(lambda tx: store.page_of_pending(tx, now, kind, request.customer_id, after, size + 1))
        page, token = paging.cut_page(found, size, query, store.pending_key)
        return self._page("ListPendingApprovalsResponse", page, token, now)

    async def ApproveDraft(self, request: Any, call: Call) -> bytes:
        """See the contract."""
        command = drafts.Approve(
            draft_id=request.draft_id,
            content_hash=request.content_hash,
            edited=_texts(request.edited) if request.HasField("edited") else None,
            note=request.note,
            valid=timedelta(hours=request.valid_hours or MAX_VALID_HOURS),
        )
        brought = context_of(request)

        def approve(unit: UnitOfWork) -> Message:
            before = drafts.get(unit.tx, command.draft_id)
            context = self._rules.context(unit.tx, before, brought)
            asked = before if command.edited is None else replace(before, body=command.edited)
            self._rules.before_approval(unit, asked, context)
            return self._answer("ApproveDraftResponse", drafts.approve(unit, command, self._claims, context), unit.now)

        return await call.write(request, approve)

    async def EditDraft(self, request: Any, call: Call) -> bytes:
        """See the contract."""

        def edit(unit: UnitOfWork) -> Message:
            found = drafts.edit(unit, request.draft_id, _texts(request.edited), request.etag)
            return self._answer("EditDraftResponse", found, unit.now)

        return await call.write(request, edit)

    async def RejectDraft(self, request: Any, call: Call) -> bytes:
        """See the contract."""

        def reject(unit: UnitOfWork) -> Message:
            found = drafts.reject(unit, request.draft_id, request.reason, request.etag)
            return self._answer("RejectDraftResponse", found, unit.now)

        return await call.write(request, reject)

    async def RecordDraftSent(self, request: Any, call: Call) -> bytes:
        """See the contract."""
        sent = sent_record_of(request.sent, "sent")

        def record(unit: UnitOfWork) -> Message:
            before = drafts.get(unit.tx, request.draft_id)
            if before.kind in self._rules.own_use:
                raise DraftStateRefused(
                    f"a {before.kind} draft is used by a method of its own",
                    draft_id=before.draft_id,
                    state=before.state_at(unit.now).value,
                    action="record_draft_sent",
                )
            found = drafts.record_sent(unit, request.draft_id, request.approval_id, sent)
            self._rules.after_sent(unit, found)
            return self._answer("RecordDraftSentResponse", found, unit.now)

        return await call.write(request, record)

    def _answer(self, name: str, found: Draft, now: datetime) -> Message:
        answer: Message = getattr(self._pb, name)(
            draft=wire.draft(found, now), approval_required=found.state_at(now) is DraftState.DRAFTED
        )
        return answer

    def _page(self, name: str, page: list[Draft], token: str, now: datetime) -> Message:
        answer: Message = getattr(self._pb, name)(
            drafts=[wire.draft(found, now) for found in page],
            next_page_token=token,
            approval_required=any(found.state_at(now) is DraftState.DRAFTED for found in page),
        )
        return answer


def _texts(edited: Any) -> Bilingual:
    return Bilingual(edited.body_ar, edited.body_en)
