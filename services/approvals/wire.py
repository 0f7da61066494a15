"""Drafts in the contract's words."""

from __future__ import annotations

from datetime import datetime

from dealix.common.v1 import approval_pb2, draft_pb2

from services.domain.drafts import Approval, Draft, DraftKind, DraftState
from services.runtime.wire import CHANNEL_NUMBERS, EnumMap, actor, sent_record, timestamp

KINDS = EnumMap(draft_pb2.DraftKind, DraftKind, "DRAFT_KIND_")
STATES = EnumMap(approval_pb2.DraftState, DraftState, "DRAFT_STATE_")


def draft(found: Draft, now: datetime) -> draft_pb2.Draft:
    """A draft as it stands at ``now``."""
    state = found.state_at(now)
    message = draft_pb2.Draft(
        draft_id=found.draft_id,
        kind=KINDS.to_wire[found.kind],
        subject=found.subject,
        customer_id=found.customer_id,
        channel=CHANNEL_NUMBERS[found.channel],
        title_ar=found.title.ar,
        title_en=found.title.en,
        body_ar=found.body.ar,
        body_en=found.body.en,
        content_hash=found.content_hash,
        state=STATES.to_wire[state],
        rejection_reason=found.rejection_reason,
        create_time=timestamp(found.created_at),
        update_time=timestamp(found.updated_at),
        etag=found.etag,
    )
    if found.approval is not None and found.approval.voided_at is None:
        message.approval.CopyFrom(_approval(found.approval))
    if found.sent is not None:
        message.sent.CopyFrom(sent_record(found.sent))
    if found.due_at is not None:
        message.due_time.CopyFrom(timestamp(found.due_at))
    if state is DraftState.DRAFTED and found.pending_since is not None:
        message.pending_since_time.CopyFrom(timestamp(found.pending_since))
        message.waiting_seconds = max(0, int((now - found.pending_since).total_seconds()))
    return message


def _approval(found: Approval) -> draft_pb2.DraftApproval:
    return draft_pb2.DraftApproval(
        approval_id=found.approval_id,
        content_hash=found.content_hash,
        approver=actor(found.approver),
        approve_time=timestamp(found.approved_at),
        expire_time=timestamp(found.expires_at),
        use_time=timestamp(found.used_at) if found.used_at is not None else None,
        note=found.note,
    )
