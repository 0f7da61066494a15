"""The statements of drafts and approvals: the only file that knows their SQL."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.domain.channels import Channel
from services.domain.drafts import Approval, Draft, DraftKind, DraftState
from services.domain.sent import SentRecord
from services.domain.texts import Bilingual
from services.storage.database import Actor, Row, Tx
from services.storage.paging import Key
from services.storage.schema import approvals, drafts
from services.storage.times import from_micros, micros_or_none, time_or_none, to_micros

_APPROVAL_COLUMNS = [column.label(f"a_{column.name}") for column in approvals.c if column.name != "draft_id"]
_DRAFTS = sa.select(drafts, *_APPROVAL_COLUMNS).outerjoin_from(
    drafts, approvals, approvals.c.approval_id == drafts.c.approval_id
)
_GET_DRAFT = _DRAFTS.where(drafts.c.draft_id == sa.bindparam("draft_id"))
_OF_SUBJECT = _DRAFTS.where(drafts.c.subject == sa.bindparam("subject")).order_by(drafts.c.create_us, drafts.c.draft_id)
_INSERT_DRAFT = sa.insert(drafts)
_SAVE_DRAFT = (
    sa.update(drafts)
    .where(drafts.c.draft_id == sa.bindparam("which"))
    .values(
        {
            name: sa.bindparam(name, type_=drafts.c[name].type)
            for name in (
                "title_ar",
                "title_en",
                "body_ar",
                "body_en",
                "state",
                "approval_id",
                "rejection_reason",
                "sent",
                "due_us",
                "pending_us",
                "update_us",
                "revision",
            )
        }
    )
)
_GET_APPROVAL = sa.select(*_APPROVAL_COLUMNS, approvals.c.draft_id).where(
    approvals.c.approval_id == sa.bindparam("approval_id")
)
_INSERT_APPROVAL = sa.insert(approvals)
_USE_APPROVAL = (
    sa.update(approvals)
    .where(approvals.c.approval_id == sa.bindparam("which"))
    .values(use_us=sa.bindparam("use_us", type_=sa.BigInteger))
)
_VOID_APPROVALS = (
    sa.update(approvals)
    .where(approvals.c.draft_id == sa.bindparam("which"), approvals.c.use_us.is_(None), approvals.c.void_us.is_(None))
    .values(void_us=sa.bindparam("void_us", type_=sa.BigInteger))
)


def insert_draft(tx: Tx, draft: Draft) -> None:
    """Stores a new draft, which has no approval."""
    tx.run(
        _INSERT_DRAFT,
        {
            "draft_id": draft.draft_id,
            "kind": draft.kind.value,
            "subject": draft.subject,
            "customer_id": draft.customer_id,
            "channel": draft.channel.value,
            "create_us": to_micros(draft.created_at),
            **_changing(draft),
        },
    )


def save_draft(tx: Tx, draft: Draft, before: Draft) -> None:
    """Writes what may change of a draft that exists, and what became of its approval."""
    approval = draft.approval
    if approval is not None and approval != before.approval:
        if approval.used_at is not None:
            tx.run(_USE_APPROVAL, {"which": approval.approval_id, "use_us": to_micros(approval.used_at)})
        elif approval.voided_at is not None:
            # Earlier ones too, that ran out and could still take a sending recorded late.
            tx.run(_VOID_APPROVALS, {"which": draft.draft_id, "void_us": to_micros(approval.voided_at)})
        else:
            _insert_approval(tx, approval)
    tx.run(_SAVE_DRAFT, {"which": draft.draft_id, **_changing(draft)})


def get_draft(tx: Tx, draft_id: str) -> Draft | None:
    """The draft with its present approval, or None."""
    row = tx.one(_GET_DRAFT, {"draft_id": draft_id})
    return _draft(row) if row is not None else None


def get_approval(tx: Tx, approval_id: str) -> Approval | None:
    """The approval, or None."""
    row = tx.one(_GET_APPROVAL, {"approval_id": approval_id})
    return _approval(row, row.draft_id) if row is not None else None


def drafts_of_subject(tx: Tx, subject: str) -> list[Draft]:
    """Every draft of a subject, oldest first."""
    return [_draft(row) for row in tx.all(_OF_SUBJECT, {"subject": subject})]


def page_of_drafts(tx: Tx, subject: str, customer_id: str, after: Key | None, limit: int) -> list[Draft]:
    """At most ``limit`` drafts, newest first, after a key of `draft_key`; an empty filter matches all."""
    params: dict[str, object] = {"limit": limit}
    if subject:
        params["subject"] = subject
    if customer_id:
        params["customer_id"] = customer_id
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_draft(row) for row in tx.all(_list_statement(frozenset(params)), params)]


def draft_key(draft: Draft) -> Key:
    """Where a draft stands in a list, newest first."""
    return (to_micros(draft.created_at), draft.draft_id)


def page_of_pending(
    tx: Tx, now: datetime, kind: DraftKind | None, customer_id: str, after: Key | None, limit: int
) -> list[Draft]:
    """At most ``limit`` drafts that wait for a person at ``now``, the longest wait first, after a key of `pending_key`."""
    params: dict[str, object] = {"limit": limit, "now_us": to_micros(now)}
    if kind is not None:
        params["kind"] = kind.value
    if customer_id:
        params["customer_id"] = customer_id
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_draft(row) for row in tx.all(_pending_statement(frozenset(params)), params)]


def pending_key(draft: Draft) -> Key:
    """Where a waiting draft stands in the list of those that wait."""
    return (to_micros(draft.pending_since or draft.created_at), draft.draft_id)


@cache
def _list_statement(names: frozenset[str]) -> sa.Select[Any]:
    conditions = {
        "subject": drafts.c.subject == sa.bindparam("subject"),
        "customer_id": drafts.c.customer_id == sa.bindparam("customer_id"),
        "after_us": sa.tuple_(drafts.c.create_us, drafts.c.draft_id)
        < sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        _DRAFTS.where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(drafts.c.create_us.desc(), drafts.c.draft_id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


@cache
def _pending_statement(names: frozenset[str]) -> sa.Select[Any]:
    conditions = {
        "now_us": drafts.c.pending_us <= sa.bindparam("now_us", type_=sa.BigInteger),
        "kind": drafts.c.kind == sa.bindparam("kind"),
        "customer_id": drafts.c.customer_id == sa.bindparam("customer_id"),
        "after_us": sa.tuple_(drafts.c.pending_us, drafts.c.draft_id)
        > sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        _DRAFTS.where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(drafts.c.pending_us, drafts.c.draft_id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _insert_approval(tx: Tx, approval: Approval) -> None:
    tx.run(
        _INSERT_APPROVAL,
        {
            "approval_id": approval.approval_id,
            "draft_id": approval.draft_id,
            "content_hash": approval.content_hash,
            "actor_kind": approval.approver.kind,
            "actor_id": approval.approver.id,
            "actor_role": approval.approver.role,
            "approve_us": to_micros(approval.approved_at),
            "expire_us": to_micros(approval.expires_at),
            "note": approval.note,
            "use_us": None,
            "void_us": None,
        },
    )


def _changing(draft: Draft) -> dict[str, object]:
    return {
        "title_ar": draft.title.ar,
        "title_en": draft.title.en,
        "body_ar": draft.body.ar,
        "body_en": draft.body.en,
        "state": draft.state.value,
        "approval_id": draft.approval.approval_id if draft.approval is not None else "",
        "rejection_reason": draft.rejection_reason,
        "sent": sent_text(draft.sent),
        "due_us": micros_or_none(draft.due_at),
        "pending_us": micros_or_none(draft.pending_since),
        "update_us": to_micros(draft.updated_at),
        "revision": draft.revision,
    }


def _draft(row: Row) -> Draft:
    return Draft(
        draft_id=row.draft_id,
        kind=DraftKind(row.kind),
        subject=row.subject,
        customer_id=row.customer_id,
        channel=Channel(row.channel),
        title=Bilingual(row.title_ar, row.title_en),
        body=Bilingual(row.body_ar, row.body_en),
        state=DraftState(row.state),
        created_at=from_micros(row.create_us),
        updated_at=from_micros(row.update_us),
        pending_since=time_or_none(row.pending_us),
        revision=row.revision,
        due_at=time_or_none(row.due_us),
        approval=_approval(row, row.draft_id) if row.a_approval_id is not None else None,
        rejection_reason=row.rejection_reason,
        sent=sent_of(row.sent),
    )


def _approval(row: Row, draft_id: str) -> Approval:
    return Approval(
        approval_id=row.a_approval_id,
        draft_id=draft_id,
        content_hash=row.a_content_hash,
        approver=Actor(row.a_actor_kind, row.a_actor_id, row.a_actor_role),
        approved_at=from_micros(row.a_approve_us),
        expires_at=from_micros(row.a_expire_us),
        note=row.a_note,
        used_at=time_or_none(row.a_use_us),
        voided_at=time_or_none(row.a_void_us),
    )


def sent_text(sent: SentRecord | None) -> str:
    """A record of a sending as a column holds it: JSON, empty for none."""
    if sent is None:
        return ""
    return json.dumps(
        [to_micros(sent.sent_at), sent.channel, sent.sender.kind, sent.sender.id, sent.sender.role, sent.reference],
        ensure_ascii=False,
    )


def sent_of(text: str) -> SentRecord | None:
    """The record of a sending that a column holds."""
    if not text:
        return None
    sent_us, channel, kind, sender, role, reference = json.loads(text)
    return SentRecord(from_micros(sent_us), Channel(channel), Actor(kind, sender, role), reference)
