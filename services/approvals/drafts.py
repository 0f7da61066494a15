"""The use cases of drafts: each runs inside the transaction of its caller, a handler of any service or our servicer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.approvals import store
from services.domain import drafts as rules
from services.domain.claims import ClaimChecker
from services.domain.context import Context
from services.domain.drafts import Approval, Draft, DraftKind, DraftNotFound, NewDraft
from services.domain.errors import check_etag
from services.domain.sent import SentRecord
from services.domain.texts import Bilingual
from services.storage.database import Tx, UnitOfWork

__all__ = [
    "Approve",
    "Draft",
    "DraftKind",
    "NewDraft",
    "approve",
    "create",
    "edit",
    "get",
    "get_approval",
    "of_subject",
    "record_sent",
    "reject",
    "rewrite",
    "use",
    "withdraw",
]


@dataclass(frozen=True, slots=True)
class Approve:
    """The approval to give; ``edited`` None approves the text as it stands."""

    draft_id: str
    content_hash: str
    edited: Bilingual | None
    note: str
    valid: timedelta


def create(unit: UnitOfWork, new: NewDraft) -> Draft:
    """Stores a draft, which waits for a person from now on."""
    draft = rules.open_draft(unit.new_id("drf"), new, unit.now)
    store.insert_draft(unit.tx, draft)
    _record(unit, "draft.drafted", draft, ("body", "title", "state"))
    return draft


def rewrite(
    unit: UnitOfWork, draft_id: str, body: Bilingual, title: Bilingual | None = None, due_at: datetime | None = None
) -> Draft:
    """The service itself gives a draft another text; an approval that it had is void. Raises ``DraftStateRefused``."""
    fields = ("body", "state") if title is None else ("body", "state", "title")
    before = get(unit.tx, draft_id)
    return _saved(unit, "draft.rewritten", rules.rewritten(before, body, unit.now, title, due_at), before, fields)


def withdraw(unit: UnitOfWork, draft_id: str) -> Draft:
    """The service takes a draft back; one that was sent, or taken back before, stays as it is."""
    before = get(unit.tx, draft_id)
    draft = rules.withdraw(before, unit.now)
    return draft if draft is before else _saved(unit, "draft.withdrawn", draft, before, ("state",))


def approve(unit: UnitOfWork, command: Approve, claims: ClaimChecker, context: Context) -> Draft:
    """A person approves a draft; see `services.domain.drafts.approve` for what is refused."""
    before = get(unit.tx, command.draft_id)
    draft = rules.approve(
        before,
        approval_id=unit.new_id("apr"),
        approver=unit.actor,
        content_hash=command.content_hash,
        edited=command.edited,
        note=command.note,
        valid=command.valid,
        now=unit.now,
        claims=claims,
        context=context,
    )
    fields = ("approval", "state") if draft.body == before.body else ("approval", "body", "state")
    return _saved(unit, "draft.approved", draft, before, fields)


def edit(unit: UnitOfWork, draft_id: str, body: Bilingual, etag: str) -> Draft:
    """A person gives a draft another text; an approval that it had is void."""
    before = get(unit.tx, draft_id)
    check_etag(etag, before.etag)
    return _saved(unit, "draft.edited", rules.edit(before, body, unit.actor, unit.now), before, ("body", "state"))


def reject(unit: UnitOfWork, draft_id: str, reason: str, etag: str) -> Draft:
    """A person rejects a draft; an approval that it had is void."""
    before = get(unit.tx, draft_id)
    check_etag(etag, before.etag)
    draft = rules.reject(before, unit.actor, reason, unit.now)
    return _saved(unit, "draft.rejected", draft, before, ("rejection_reason", "state"))


def record_sent(unit: UnitOfWork, draft_id: str, approval_id: str, sent: SentRecord, field: str = "sent") -> Draft:
    """A person records that a draft was sent, which uses its approval up.

    ``approval_id`` empty takes the draft's present one, and raises ``ApprovalRequired`` where there is none. Raises also what
    `services.domain.drafts.record_sent` raises, and ``DraftNotFound`` for an approval that does not exist.
    """
    before = get(unit.tx, draft_id)
    approval = get_approval(unit.tx, approval_id) if approval_id else before.approval
    draft = rules.record_sent(before, approval, sent, unit.actor, unit.now, field)
    return _saved(unit, "draft.sent_recorded", draft, before, ("sent", "state"))


def use(unit: UnitOfWork, approval_id: str, *, subject: str, kind: DraftKind) -> Draft:
    """Uses up the approval of a step that is taken now, such as the completion of an onboarding step.

    ``subject`` and ``kind`` are those of the step: an approval of anything else is an ``ApprovalMismatch``. Raises also
    ``DraftNotFound``, ``ApprovalUsed``, ``ApprovalVoid`` and ``ApprovalExpired``.
    """
    approval = get_approval(unit.tx, approval_id)
    before = get(unit.tx, approval.draft_id)
    if before.subject != subject or before.kind is not kind:
        raise rules.mismatch(approval, before.subject)
    draft = rules.use(before, approval, unit.now, unit.now)
    return _saved(unit, "draft.used", draft, before, ("state",))


def get(tx: Tx, draft_id: str) -> Draft:
    """The draft. Raises ``DraftNotFound``."""
    found = store.get_draft(tx, draft_id)
    if found is None:
        raise DraftNotFound("no such draft", draft_id=draft_id)
    return found


def get_approval(tx: Tx, approval_id: str) -> Approval:
    """The approval. Raises ``DraftNotFound``."""
    found = store.get_approval(tx, approval_id)
    if found is None:
        raise DraftNotFound("no such approval", approval_id=approval_id)
    return found


def of_subject(tx: Tx, subject: str) -> list[Draft]:
    """Every draft of a subject, oldest first."""
    return store.drafts_of_subject(tx, subject)


def _saved(unit: UnitOfWork, action: str, draft: Draft, before: Draft, fields: tuple[str, ...]) -> Draft:
    store.save_draft(unit.tx, draft, before)
    _record(unit, action, draft, fields)
    return draft


def _record(unit: UnitOfWork, action: str, draft: Draft, fields: tuple[str, ...]) -> None:
    attributes = {
        "kind": draft.kind.value,
        "subject": draft.subject,
        "state": draft.state.value,
        "revision": str(draft.revision),
        "content_hash": draft.content_hash,
    }
    if draft.approval is not None:
        attributes["approval_id"] = draft.approval.approval_id
    unit.record(action, f"draft/{draft.draft_id}", fields=fields, attributes=attributes)
