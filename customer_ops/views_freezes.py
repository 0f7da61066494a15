"""Freezes, and what suggests one, as people read it. Times are Riyadh's."""

from __future__ import annotations

from collections.abc import Sequence

from dealix.incidents.v1 import freeze_pb2, freeze_service_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops.names import field_name
from customer_ops.render import Column, Prose, both, facts, riyadh, table


def scope(found: freeze_pb2.Freeze) -> tuple[str, str]:
    """The channel and the customer of a freeze in words."""
    channel = "all channels" if found.all_channels else field_name(found, "channel").lower()
    return channel, "all customers" if found.all_customers else found.customer_id


def freezes(found: Sequence[freeze_pb2.Freeze]) -> RenderableType:
    """Freezes, newest first."""
    if not found:
        return both("لا تجميد.", "No freezes.")
    rows = []
    for one in found:
        channel, customer = scope(one)
        holds = Text("holds", "bold red") if one.active else Text("released", "green")
        rows.append((one.freeze_id, holds, channel, customer, riyadh(one.freeze_time), Prose(one.reason)))
    columns = [Column("freeze"), Column("state"), Column("channel"), Column("customer"), Column("since")]
    return table([*columns, Column("why", long=True)], rows)


def freeze(found: freeze_pb2.Freeze) -> RenderableType:
    """One freeze with who froze and who released it."""
    channel, customer = scope(found)
    rows: list[tuple[str, RenderableType | str | int]] = [
        ("freeze", found.freeze_id),
        (
            "state",
            both("مجمّدة: لا يُعتمد شيء لها حتى يرفع المؤسس التجميد", "holds until a founder releases it")
            if found.active
            else both("رُفع التجميد", "released"),
        ),
        ("channel", channel),
        ("customer", customer),
        ("incident", found.incident_id or "none"),
        ("since", riyadh(found.freeze_time)),
        ("frozen by", found.actor.id),
        ("why", Prose(found.reason)),
    ]
    if not found.active:
        rows += [
            ("released", riyadh(found.release_time)),
            ("released by", found.release_actor.id),
            ("why released", Prose(found.release_reason)),
        ]
    return facts(rows)


def released(answer: freeze_service_pb2.ReleaseFreezeResponse) -> RenderableType:
    """A released freeze, and what still holds."""
    parts: list[RenderableType] = [freeze(answer.freeze)]
    if answer.still_frozen:
        parts += [both("ما زالت مجمّدة بسبب:", "Still frozen by:"), freezes(answer.remaining)]
    return Group(*parts)


def evaluation(answer: freeze_service_pb2.EvaluateChannelMetricsResponse) -> RenderableType:
    """What the counts of a channel suggest."""
    rows = [
        (
            field_name(verdict, "metric").lower(),
            f"{verdict.count:,} of {verdict.sent:,}" if verdict.applies else "not counted here",
            f"{verdict.limit_over} in {verdict.limit_of:,}",
            Text("above", "bold red") if verdict.exceeded else Text("within", "green"),
        )
        for verdict in answer.verdicts
    ]
    parts: list[RenderableType] = [
        table([Column("metric"), Column("count", right=True), Column("limit", right=True), Column("verdict")], rows),
        both(answer.reason_ar, answer.reason_en),
    ]
    if answer.already_frozen:
        parts.append(both("القناة مجمّدة بالفعل.", "The channel is frozen already."))
    elif answer.freeze_suggested:
        parts.append(both("للتجميد: customer-ops freezes freeze", "To freeze it: customer-ops freezes freeze"))
    return Group(*parts)
