"""How drafts and people's decisions about them look to people."""

from __future__ import annotations

from collections.abc import Iterable

from dealix.common.v1 import draft_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group, RenderableType

from customer_ops.names import field_name
from customer_ops.render import Column, both, facts, moment, table
from customer_ops.render import draft as framed


def pending(found: Iterable[tuple[str, draft_pb2.Draft]]) -> RenderableType:
    """What waits for a person, each with its service, the longest wait first."""
    return table(
        [Column("waits", right=True), Column("service"), Column("kind"), Column("draft"), Column("what", long=True)],
        [
            (
                waited(draft.waiting_seconds),
                service,
                field_name(draft, "kind").lower(),
                draft.draft_id,
                both(draft.title_ar, draft.title_en),
            )
            for service, draft in found
        ],
    )


def draft(found: draft_pb2.Draft) -> RenderableType:
    """A draft with both texts and what people decided."""
    rows: list[tuple[str, RenderableType | str | int]] = [
        ("draft", found.draft_id),
        ("what", both(found.title_ar, found.title_en)),
        ("kind", field_name(found, "kind").lower()),
        ("of", found.subject),
        ("channel", field_name(found, "channel").lower() or "not known yet"),
        ("state", field_name(found, "state").lower()),
        ("drafted", moment(found.create_time)),
    ]
    if found.customer_id:
        rows.insert(4, ("customer", found.customer_id))
    if found.HasField("approval"):
        approval = found.approval
        rows.append(("approved", f"{moment(approval.approve_time)} by {approval.approver.id}"))
        rows.append(("approval", f"{approval.approval_id}, good until {moment(approval.expire_time)}"))
        if approval.HasField("use_time"):
            rows.append(("used", moment(approval.use_time)))
    if found.rejection_reason:
        rows.append(("rejected", found.rejection_reason))
    if found.HasField("sent"):
        sent = found.sent
        rows.append(("sent", f"{moment(sent.send_time)} by {sent.sender.id}, {sent.reference}"))
    if found.HasField("pending_since_time"):
        rows.append(("waits", waited(found.waiting_seconds)))
    rows.append(("hash", found.content_hash))
    return Group(facts(rows), framed(field_name(found, "kind").lower(), found.body_ar, found.body_en))


def waited(seconds: int) -> str:
    """A wait in words: the two largest units."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min"


def longest_wait_first(found: Iterable[tuple[str, draft_pb2.Draft]]) -> list[tuple[str, draft_pb2.Draft]]:
    """Drafts of several services in one order."""

    def since(time: Timestamp) -> tuple[int, int]:
        return time.seconds, time.nanos

    return sorted(found, key=lambda one: since(one[1].pending_since_time))
