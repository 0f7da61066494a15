"""The papers of an incident as people read them: post-mortem with its gate, notice with its blocks, communications."""

from __future__ import annotations

from collections.abc import Sequence

from dealix.incidents.v1 import communication_service_pb2, notice_pb2, post_mortem_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops.names import field_name
from customer_ops.render import Column, Prose, both, draft, facts, riyadh, table, tick, two_lines

_STATES = {
    "DRAFT": "مسودة",
    "IN_REVIEW": "قيد المراجعة",
    "APPROVED": "معتمدة داخليًا",
    "PUBLISHABLE": "قابلة للنشر",
}
_COMPLETENESS = {
    "COMPLETE": ("مكتمل", "green"),
    "PARTIAL": ("ناقص", "yellow"),
    "MISSING": ("غائب", "bold red"),
}
_SECTIONS = (
    ("summary", "الملخص", "Summary"),
    ("root_cause", "السبب الجذري", "Root cause"),
    ("what_went_well", "ما سار على ما يرام", "What went well"),
    ("what_went_wrong", "ما لم يسر كما يجب", "What went wrong"),
)


def post_mortem(found: post_mortem_pb2.PostMortem) -> RenderableType:
    """A post-mortem with its text, its sign-offs and what is missing."""
    name = field_name(found, "state")
    parts: list[RenderableType] = [
        facts(
            [
                ("incident", found.incident_id),
                ("state", both(_STATES.get(name, name), name.lower().replace("_", " "))),
                ("text", f"revision {found.content_revision}"),
                (
                    "approved by",
                    f"{found.approver.id}, {riyadh(found.approve_time)}" if found.approver.id else "nobody",
                ),
                ("etag", found.etag),
            ]
        )
    ]
    content = found.content
    for field, arabic, english in _SECTIONS:
        text = getattr(content, field)
        parts += [both(arabic, english), both(text.text_ar or "—", text.text_en or "—")]
        if field == "summary":
            parts += [both("التسلسل الزمني", "Timeline"), _timeline(content.timeline)]
    parts += [both("بنود العمل", "Action items"), _items(content.action_items)]
    if found.sign_offs:
        parts.append(_sign_offs(found.sign_offs))
    parts.append(gate(found.missing))
    return Group(*parts)


def gate(missing: Sequence[post_mortem_pb2.PostMortemGap]) -> RenderableType:
    """What stands in the way of publishing."""
    if not missing:
        return both("لا ينقص شيء للنشر.", "Nothing is missing.")
    rows = [
        (two_lines(field_name(gap, "kind").lower().replace("_", " "), gap.subject), both(gap.text_ar, gap.text_en))
        for gap in missing
    ]
    return table([Column("missing"), Column("ما ينقص", long=True)], rows)


def post_mortems(found: Sequence[post_mortem_pb2.PostMortem]) -> RenderableType:
    """Post-mortems, the last begun first."""
    if not found:
        return both("لا مراجعات.", "No post-mortems.")
    rows = [
        (
            one.incident_id,
            field_name(one, "state").lower().replace("_", " "),
            str(len(one.missing)),
            riyadh(one.create_time),
            both(one.content.summary.text_ar, one.content.summary.text_en),
        )
        for one in found
    ]
    columns = [Column("incident"), Column("state"), Column("missing", right=True), Column("begun")]
    return table([*columns, Column("summary", long=True)], rows)


def _timeline(events: Sequence[post_mortem_pb2.PostMortemEvent]) -> RenderableType:
    rows = [(riyadh(event.occur_time), both(event.text.text_ar, event.text.text_en)) for event in events]
    return table([Column("when"), Column("what", long=True)], rows)


def _items(items: Sequence[post_mortem_pb2.PostMortemActionItem]) -> RenderableType:
    rows = [
        (
            item.owner or Text("nobody", "bold red"),
            riyadh(item.due_time) if item.HasField("due_time") else Text("no deadline", "bold red"),
            both(item.title.text_ar, item.title.text_en),
        )
        for item in items
    ]
    return table([Column("owner"), Column("by"), Column("what", long=True)], rows)


def _sign_offs(found: Sequence[post_mortem_pb2.PostMortemSignOff]) -> RenderableType:
    rows = [
        (
            tick(one.valid),
            field_name(one, "kind").lower().replace("_", " "),
            one.customer_id,
            one.actor.id,
            riyadh(one.sign_time),
            one.reference,
        )
        for one in found
    ]
    columns = [Column("holds"), Column("sign-off"), Column("customer"), Column("by"), Column("when")]
    return table([*columns, Column("reference", long=True)], rows)


def notice(found: notice_pb2.Notice) -> RenderableType:
    """A notice: its clock, its blocks, its filings and how it reads."""
    rows = []
    for block in found.status:
        arabic, style = _COMPLETENESS[field_name(block, "completeness")]
        lines: list[RenderableType] = [both(f"{block.title_ar}: {arabic}", block.title_en)]
        if block.missing:
            lines.append(both(block.missing_ar, block.missing_en))
        rows.append((Text(field_name(block, "completeness").lower(), style), Group(*lines)))
    parts: list[RenderableType] = [
        facts(
            [
                ("incident", found.incident_id),
                ("aware", riyadh(found.aware_time)),
                ("due", riyadh(found.due_time)),
                ("filed", _filed(found)),
                ("etag", found.etag),
            ]
        ),
        table([Column("block"), Column("what it asks for", long=True)], rows),
    ]
    if found.filings:
        columns = [Column("", right=True), Column("reference"), Column("filed"), Column("by"), Column("missing then")]
        filings = [
            (
                str(one.number),
                one.reference,
                Text(riyadh(one.file_time) + (" late" if one.late else ""), "bold red" if one.late else ""),
                one.actor.id,
                str(len(one.missing)),
            )
            for one in found.filings
        ]
        parts.append(table(columns, filings))
    parts += [Prose(found.text_ar, arabic=True), Text(""), Prose(found.text_en, "dim")]
    return Group(*parts)


def _filed(found: notice_pb2.Notice) -> RenderableType:
    if not found.filed:
        return both("لم يُقدّم بعد", "not filed yet")
    if not found.filed_as_it_stands:
        return both("قُدّم ثم تغيّر: يلزم تكملة", "filed, and changed since: a supplement is due")
    return both("قُدّم كما هو", "filed as it stands")


def communication(found: communication_service_pb2.PreviewCommunicationResponse) -> RenderableType:
    """A text for customers, marked as the draft that it is."""
    return draft(f"{found.title_ar} · {found.title_en}", found.body_ar, found.body_en)


def parity(found: communication_service_pb2.CheckParityResponse) -> RenderableType:
    """What differs between two texts."""
    if found.same:
        return both("النصان متطابقان في الأرقام والتواريخ والأسماء.", "Both say the same numbers, dates and names.")
    rows = [
        (field_name(one, "kind").lower(), str(one.count_ar), str(one.count_en), one.value) for one in found.differences
    ]
    columns = [Column("kind"), Column("Arabic", right=True), Column("English", right=True)]
    return table([*columns, Column("value", long=True)], rows)
