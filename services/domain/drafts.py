"""Drafts and their approvals: one model for everything that a person decides on before it is used, in every service.

    drafted ──approve──▶ approved | edited_and_approved ──use──▶ sent_recorded
       ▲  ▲                │ expires, or is edited: drafted again
       │  └────────────────┘
       └──edit── rejected                any but sent_recorded ──▶ withdrawn (by the service)

An approval is bound to the content's hash, good for one use and for a limited time. That it expired is computed, never
stored: what is stored is when it will. Approved never means sent.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.channels import Channel
from services.domain.checks import Checks
from services.domain.claims import ClaimChecker
from services.domain.context import Context
from services.domain.errors import (
    ApprovalRequired,
    Conflict,
    InvalidInput,
    NotFound,
    PersonRequired,
    PreconditionFailed,
    Violation,
)
from services.domain.sent import SentRecord
from services.domain.texts import Bilingual

MAX_VALID_HOURS = 72

# Identifiers of ours never stand in what may reach a customer or a public channel: as services write them, and as people do,
# folded: with a dash, parted by line breaks, or without the prefix (a run of just these characters with a digit among them).
_ID_PREFIX = "(?:tkt|inc|drf|apr|frz|evt|chk)"
_INTERNAL_ID = re.compile(rf"\b{_ID_PREFIX}_[a-z0-9]{{26}}\b", re.IGNORECASE)
_SPELT_ID = re.compile(
    r"(?<![a-z0-9])(?:"
    rf"{_ID_PREFIX}\n*[_-]\n*[a-z0-9](?:\n*[a-z0-9]){{25}}"
    r"|(?=[a-z]{0,25}[2-7])[a-z2-7]{26}"
    r")(?![a-z0-9])"
)


class DraftKind(StrEnum):
    FIRST_RESPONSE = "first_response"
    REPLY = "reply"
    ESCALATION = "escalation"
    COMMUNICATION = "communication"
    CHECK_IN = "check_in"
    AT_RISK_ALERT = "at_risk_alert"
    NOTICE = "notice"
    POST_MORTEM = "post_mortem"
    ONBOARDING_STEP = "onboarding_step"
    CONNECTOR_APPROVAL = "connector_approval"
    TOUCHPOINT = "touchpoint"


class DraftState(StrEnum):
    DRAFTED = "drafted"
    APPROVED = "approved"
    EDITED_AND_APPROVED = "edited_and_approved"
    REJECTED = "rejected"
    SENT_RECORDED = "sent_recorded"
    WITHDRAWN = "withdrawn"


_HELD = (DraftState.APPROVED, DraftState.EDITED_AND_APPROVED)


class DraftNotFound(NotFound):
    """No draft, or approval, has this id. Metadata: ``draft_id`` or ``approval_id``."""

    reason: ClassVar[str] = "DRAFT_NOT_FOUND"


class DraftStateRefused(PreconditionFailed):
    """The draft's state does not allow it. Metadata: ``draft_id``, ``state``, ``action``."""

    reason: ClassVar[str] = "DRAFT_STATE_REFUSED"


class DraftChanged(Conflict):
    """The hash is not that of the present text. Metadata: ``draft_id``, ``current_hash``."""

    reason: ClassVar[str] = "DRAFT_CHANGED"


class ApprovalExpired(PreconditionFailed):
    """The approval was not used in time. Metadata: ``draft_id``, ``approval_id``, ``expire_time``."""

    reason: ClassVar[str] = "APPROVAL_EXPIRED"


class ApprovalUsed(PreconditionFailed):
    """An approval is good for one use. Metadata: ``draft_id``, ``approval_id``."""

    reason: ClassVar[str] = "APPROVAL_USED"


class ApprovalMismatch(PreconditionFailed):
    """The approval is of something else. Metadata: ``approval_id``, ``subject``."""

    reason: ClassVar[str] = "APPROVAL_MISMATCH"


class ApprovalVoid(PreconditionFailed):
    """The text was changed, or the draft rejected, after the approval. Metadata: ``draft_id``, ``approval_id``."""

    reason: ClassVar[str] = "APPROVAL_VOID"


@dataclass(frozen=True, slots=True)
class NewDraft:
    """What a service drafts. ``title`` tells the approver what it is; ``body`` is what would be used."""

    kind: DraftKind
    subject: str
    customer_id: str
    channel: Channel
    title: Bilingual
    body: Bilingual
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's approval of one text. ``used_at`` and ``voided_at`` are None until then; times are UTC."""

    approval_id: str
    draft_id: str
    content_hash: str
    approver: ActorLike
    approved_at: datetime
    expires_at: datetime
    note: str = ""
    used_at: datetime | None = None
    voided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as it is stored; see `state_at` for what it is at a moment. ``revision`` counts its changes from 1.

    ``pending_since`` is when it began, or will begin again, to wait for a person: for an approved one that is the end of
    its approval. None where it waits no more.
    """

    draft_id: str
    kind: DraftKind
    subject: str
    customer_id: str
    channel: Channel
    title: Bilingual
    body: Bilingual
    state: DraftState
    created_at: datetime
    updated_at: datetime
    pending_since: datetime | None
    revision: int = 1
    due_at: datetime | None = None
    approval: Approval | None = None
    rejection_reason: str = ""
    sent: SentRecord | None = None

    @property
    def content_hash(self) -> str:
        """What an approval binds to."""
        return content_hash(self.body)

    @property
    def etag(self) -> str:
        """Changes with every change of the draft."""
        return f"r{self.revision}"

    def state_at(self, moment: datetime) -> DraftState:
        """Where it stands at a moment: an approval that ran out unused leaves it drafted."""
        if self.state in _HELD and self.approval is not None and moment >= self.approval.expires_at:
            return DraftState.DRAFTED
        return self.state


def content_hash(body: Bilingual) -> str:
    """SHA-256 of both texts, hexadecimal. The Arabic text's length stands before it: no two pairs give the same bytes."""
    return hashlib.sha256(f"{len(body.ar)}:{body.ar}\0{body.en}".encode()).hexdigest()


def open_draft(draft_id: str, new: NewDraft, now: datetime) -> Draft:
    """The draft as it begins. A text that names one of our identifiers is a fault of the service: ``ValueError``."""
    if any("_" in text and _INTERNAL_ID.search(text) for text in (new.body.ar, new.body.en)):
        raise ValueError(f"a {new.kind} draft names an internal identifier")
    return Draft(
        draft_id=draft_id,
        kind=new.kind,
        subject=new.subject,
        customer_id=new.customer_id,
        channel=new.channel,
        title=new.title,
        body=new.body,
        state=DraftState.DRAFTED,
        created_at=now,
        updated_at=now,
        pending_since=now,
        due_at=new.due_at,
    )


def approve(
    draft: Draft,
    *,
    approval_id: str,
    approver: ActorLike,
    content_hash: str,
    edited: Bilingual | None,
    note: str,
    valid: timedelta,
    now: datetime,
    claims: ClaimChecker,
    context: Context,
) -> Draft:
    """The draft with a person's approval, which binds to the text as approved.

    Raises, in this order, ``PersonRequired``, ``DraftStateRefused``, ``DraftChanged``, ``InvalidInput`` (a text that is
    blank, too long or names an identifier), ``ProhibitedClaim`` and ``ChannelFrozen``.
    """
    _require_person(approver, "approve_draft")
    _require_state(draft, now, "approve", DraftState.DRAFTED)
    if content_hash != draft.content_hash:
        raise DraftChanged(
            "the text is not the one that was read", draft_id=draft.draft_id, current_hash=draft.content_hash
        )
    body = draft.body if edited is None else edited
    check_texts(body)
    claims.require_clean(body.ar, body.en, field="edited")
    context.require_unfrozen(draft.channel, draft.customer_id, draft_id=draft.draft_id)
    changed = body != draft.body
    approved = replace(draft, body=body)
    return replace(
        approved,
        state=DraftState.EDITED_AND_APPROVED if changed else DraftState.APPROVED,
        approval=Approval(
            approval_id=approval_id,
            draft_id=draft.draft_id,
            content_hash=approved.content_hash,
            approver=approver,
            approved_at=now,
            expires_at=now + valid,
            note=note,
        ),
        pending_since=now + valid,
        updated_at=now,
        revision=draft.revision + 1,
        rejection_reason="",
    )


def edit(draft: Draft, body: Bilingual, editor: ActorLike, now: datetime) -> Draft:
    """The draft with another text, waiting for a person; a person's edit.

    Raises ``PersonRequired``, ``DraftStateRefused`` and ``InvalidInput``.
    """
    _require_person(editor, "edit_draft")
    _require_state(draft, now, "edit", DraftState.DRAFTED, *_HELD, DraftState.REJECTED)
    check_texts(body)
    return rewritten(draft, body, now)


def rewritten(
    draft: Draft, body: Bilingual, now: datetime, title: Bilingual | None = None, due_at: datetime | None = None
) -> Draft:
    """The draft with another text, waiting for a person; an approval that it had is void. Title and due time stay where
    none is given.

    Raises ``DraftStateRefused`` for one that is withdrawn or recorded as sent.
    """
    _require_state(draft, now, "rewrite", DraftState.DRAFTED, *_HELD, DraftState.REJECTED)
    waits_since = draft.pending_since if draft.state_at(now) is DraftState.DRAFTED else now
    return replace(
        draft,
        body=body,
        title=title or draft.title,
        due_at=due_at or draft.due_at,
        state=DraftState.DRAFTED,
        approval=_voided(draft.approval, now),
        rejection_reason="",
        pending_since=waits_since,
        updated_at=now,
        revision=draft.revision + 1,
    )


def reject(draft: Draft, actor: ActorLike, reason: str, now: datetime) -> Draft:
    """The rejected draft. Raises ``PersonRequired``, ``DraftStateRefused`` and ``InvalidInput``."""
    _require_person(actor, "reject_draft")
    checks = Checks()
    checks.text("reason", reason)
    checks.done()
    _require_state(draft, now, "reject", DraftState.DRAFTED, *_HELD)
    return replace(
        draft,
        state=DraftState.REJECTED,
        approval=_voided(draft.approval, now),
        rejection_reason=reason,
        pending_since=None,
        updated_at=now,
        revision=draft.revision + 1,
    )


def withdraw(draft: Draft, now: datetime) -> Draft:
    """The draft taken back by its service; one that is withdrawn or recorded as sent already stays as it is."""
    if draft.state in (DraftState.WITHDRAWN, DraftState.SENT_RECORDED):
        return draft
    return replace(
        draft,
        state=DraftState.WITHDRAWN,
        approval=_voided(draft.approval, now),
        pending_since=None,
        updated_at=now,
        revision=draft.revision + 1,
    )


def use(draft: Draft, approval: Approval, moment: datetime, now: datetime, sent: SentRecord | None = None) -> Draft:
    """The draft whose approval is used up: for a sending at ``moment`` (with its record), or for a step taken now.

    ``approval`` is the one that the caller named, of this draft or not. Raises ``ApprovalMismatch``, ``ApprovalUsed``,
    ``ApprovalVoid``, ``ApprovalExpired`` and ``DraftStateRefused``.
    """
    draft_id, approval_id = approval.draft_id, approval.approval_id
    if approval.draft_id != draft.draft_id:
        raise mismatch(approval, f"draft/{approval.draft_id}")
    if approval.used_at is not None:
        raise ApprovalUsed("the approval was used before", draft_id=draft_id, approval_id=approval_id)
    if approval.voided_at is not None or approval.content_hash != draft.content_hash:
        raise ApprovalVoid("the text was changed after the approval", draft_id=draft_id, approval_id=approval_id)
    if moment >= approval.expires_at:
        raise ApprovalExpired(
            "the approval expired unused",
            draft_id=draft_id,
            approval_id=approval_id,
            expire_time=approval.expires_at.isoformat(timespec="seconds"),
        )
    if draft.state not in _HELD:
        raise _refused(draft, draft.state, "use")
    return replace(
        draft,
        state=DraftState.SENT_RECORDED,
        approval=replace(approval, used_at=now),
        sent=sent,
        pending_since=None,
        updated_at=now,
        revision=draft.revision + 1,
    )


def record_sent(
    draft: Draft, approval: Approval | None, sent: SentRecord, recorder: ActorLike, now: datetime, field: str = "sent"
) -> Draft:
    """The draft that a person recorded as sent. The moment of sending decides whether the approval held.

    Raises ``PersonRequired``, ``InvalidInput`` (sent in the future, or before the approval), ``ApprovalRequired`` and what
    `use` raises.
    """
    _require_person(recorder, "record_sent")
    _require_person(sent.sender, "record_sent")
    if sent.sent_at > now:
        raise InvalidInput([Violation(f"{field}.send_time", "IN_FUTURE", "must not lie in the future")])
    if sent.channel is Channel.UNSPECIFIED:
        raise InvalidInput([Violation(f"{field}.channel", "REQUIRED", "must name a channel")])
    if approval is None:
        raise ApprovalRequired("a person must approve the draft first", subject=f"draft/{draft.draft_id}")
    if approval.draft_id == draft.draft_id and sent.sent_at < approval.approved_at:
        text = "must not lie before the approval of the draft"
        raise InvalidInput([Violation(f"{field}.send_time", "BEFORE_APPROVAL", text)])
    return use(draft, approval, sent.sent_at, now, sent)


def mismatch(approval: Approval, subject: str) -> ApprovalMismatch:
    """The refusal of an approval that is of something else."""
    return ApprovalMismatch("the approval is of something else", approval_id=approval.approval_id, subject=subject)


def check_texts(body: Bilingual, prefix: str = "edited.") -> None:
    """Both texts as a person sends them; ``prefix`` goes before ``body_ar`` and ``body_en`` in the request.

    Raises ``InvalidInput`` naming each that is blank, too long to be read for claims, or names an identifier of ours in
    whatever spelling.
    """
    checks = Checks()
    for name, text in ((f"{prefix}body_ar", body.ar), (f"{prefix}body_en", body.en)):
        checks.text(name, text)
        if _SPELT_ID.search(checks.readable(name, text)):
            checks.note(
                name, "INTERNAL_ID", "must not name a ticket, an incident, a draft or another identifier of ours"
            )
    checks.done()


def _voided(approval: Approval | None, now: datetime) -> Approval | None:
    if approval is None or approval.used_at is not None or approval.voided_at is not None:
        return approval
    return replace(approval, voided_at=now)


def _require_person(actor: ActorLike, action: str) -> None:
    if actor.kind != "person":
        raise PersonRequired("only a person decides on a draft", action=action)


def _require_state(draft: Draft, now: datetime, action: str, *allowed: DraftState) -> None:
    state = draft.state_at(now)
    if state not in allowed:
        raise _refused(draft, state, action)


def _refused(draft: Draft, state: DraftState, action: str) -> DraftStateRefused:
    return DraftStateRefused(
        f"a draft in state {state} cannot do that: {action}", draft_id=draft.draft_id, state=state.value, action=action
    )
