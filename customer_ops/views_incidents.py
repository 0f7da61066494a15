"""What becomes of incidents as people read it: tasks, obligations, roles, timelines, action items. Times are Riyadh's."""

from __future__ import annotations

from collections.abc import Sequence

from dealix.common.v1 import context_pb2
from dealix.incidents.v1 import action_item_pb2, incident_pb2, obligation_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops import views
from customer_ops.names import field_name
from customer_ops.render import (
    Column,
    Prose,
    both,
    cell,
    count,
    duration,
    facts,
    minutes,
    rank,
    riyadh,
    short,
    table,
    two_lines,
)

_OBLIGATIONS = {
    "NOT_STARTED": ("لم تبدأ", "dim"),
    "RUNNING": ("جارية", "cyan"),
    "AT_RISK": ("توشك أن تنقضي", "bold yellow"),
    "PAUSED": ("موقوفة", "dim"),
    "BREACHED": ("انقضت", "bold red"),
    "MET": ("استوفيت", "green"),
    "MET_LATE": ("استوفيت متأخرة", "yellow"),
    "NOT_REQUIRED": ("غير مطلوبة", "dim"),
    "CANCELLED": ("سقطت", "dim"),
}
_STATES = {
    "DECLARED": "مُعلن",
    "ACTIVE": "قيد المعالجة",
    "MITIGATED": "توقف أثره",
    "RESOLVED": "زال سببه",
    "CLOSED": "مغلق",
    "CANCELLED": "إنذار كاذب",
}
_TASKS = {
    "OPEN": ("مفتوحة", "cyan"),
    "DONE": ("أُنجزت", "green"),
    "SKIPPED": ("تُخطيت", "dim"),
    "NOT_APPLICABLE": ("لا تنطبق", "dim"),
}
_ROLES = {
    "COMMANDER": "قائد الحادث",
    "COMMUNICATIONS": "مسؤول التواصل",
    "SCRIBE": "مدوّن الحادث",
    "LEGAL_OR_DPO": "المستشار القانوني أو مسؤول حماية البيانات",
}
# Lines that are a person's words: what the words are, in Arabic. All others say it themselves, in both languages.
_WORDS_OF_PEOPLE = {"severity_raised": "رفع الخطورة", "note": "ملاحظة", "update_recorded": "تحديث للعملاء"}


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _none(what_ar: str, what_en: str) -> RenderableType:
    return both(what_ar, what_en)


def state(found: incident_pb2.Incident) -> RenderableType:
    """Where an incident stands, in both languages."""
    name = field_name(found, "state")
    return both(_STATES.get(name, name), _words(name))


def head(found: incident_pb2.Incident) -> RenderableType:
    """What is to be known of an incident before anything else."""
    lines: list[tuple[str, RenderableType | str | int]] = [
        ("incident", found.incident_id),
        ("severity", rank(field_name(found, "severity"))),
        ("state", state(found)),
        ("title", found.title),
    ]
    marks = {
        "data leak": found.data_leak,
        "unauthorized send": found.unauthorized_send,
        "drill: nothing is owed": found.drill,
        "clocks that may be paused stand still": found.clocks_paused,
    }
    lines.append(("marks", ", ".join(name for name, holds in marks.items() if holds) or "none"))
    if found.duplicate_of_incident_id:
        lines.append(("duplicate of", found.duplicate_of_incident_id))
    lines += [
        ("customers", ", ".join(found.customer_ids) or "none named: it concerns everybody"),
        ("tickets", ", ".join(found.ticket_ids) or "none linked"),
        ("aware", riyadh(found.aware_time)),
        ("declared", riyadh(found.create_time)),
    ]
    if found.HasField("resolve_time"):
        lines.append(("resolved", riyadh(found.resolve_time)))
    lines += [
        (
            _words(field_name(held, "role")),
            Group(cell(held.person_id), Prose(_ROLES[field_name(held, "role")], "dim", arabic=True)),
        )
        for held in found.roles
    ]
    return facts(lines)


def whole(answer: object, *, plan: bool = False) -> Group:
    """An incident with its obligations, its tasks and its timeline, as far as an answer holds them."""
    found: incident_pb2.Incident = answer.incident  # type: ignore[attr-defined]
    parts: list[RenderableType] = [head(found)]
    for name, view in (("obligations", obligations), ("tasks", tasks), ("timeline", timeline)):
        held = getattr(answer, name, None)
        if held:
            parts.append(view(held))
    if plan:
        parts.append(views.plan(found.plan))
    return Group(*parts)


def obligations(found: Sequence[obligation_pb2.Obligation]) -> RenderableType:
    """Obligations with their clocks."""
    if not found:
        return _none("لا التزامات", "no obligations")
    return table(
        [Column("state"), Column("due (Riyadh)"), Column("obligation", long=True)],
        [(_obligation_state(each), _due(each), _obligation(each)) for each in found],
        title="obligations",
    )


def _obligation_state(each: obligation_pb2.Obligation) -> RenderableType:
    name = field_name(each, "state")
    arabic, style = _OBLIGATIONS.get(name, (name, ""))
    return Group(Text(_words(name), style), Prose(arabic, "dim", arabic=True))


def _due(each: obligation_pb2.Obligation) -> RenderableType:
    if not each.HasField("due_time"):
        return Text("")
    left = each.seconds_left
    if each.HasField("end_time"):
        said = f"ended {riyadh(each.end_time)}"
    else:
        said = f"{duration(-left)} over" if left < 0 else f"{duration(left)} left"
    return two_lines(riyadh(each.due_time), said)


def _obligation(each: obligation_pb2.Obligation) -> RenderableType:
    number = f" ({each.number})" if each.number > 1 else ""
    parts: list[RenderableType] = [
        both(f"{each.text_ar}{number}", f"{each.text_en}{number} · {field_name(each, 'severity')}")
    ]
    if each.legal_reference_ar:
        parts.append(both(each.legal_reference_ar, each.legal_reference_en))
    if each.reason:
        parts.append(Prose(each.reason))
    return Group(*parts)


def due_obligations(found: Sequence[obligation_pb2.Obligation]) -> RenderableType:
    """What is due of all incidents, the longest overdue first."""
    if not found:
        return _none("لا التزام مستحقًا", "nothing is due")
    return table(
        [Column("sev"), Column("due (Riyadh)"), Column("incident"), Column("obligation", long=True)],
        [
            (
                rank(field_name(each, "severity")),
                _due(each),
                each.incident_id,
                both(each.text_ar, each.text_en),
            )
            for each in found
        ],
    )


def tasks(found: Sequence[incident_pb2.PlanTask]) -> RenderableType:
    """The tasks of a plan."""
    return table(
        [Column("#", right=True), Column("state"), Column("owner"), Column("due (Riyadh)"), Column("task", long=True)],
        [
            (
                task.number,
                _task_state(task),
                two_lines(task.owner_role, task.owner_id or "nobody yet"),
                _task_due(task),
                _task(task),
            )
            for task in found
        ],
        title="tasks",
    )


def _task_state(task: incident_pb2.PlanTask) -> RenderableType:
    name = field_name(task, "state")
    arabic, style = _TASKS.get(name, (name, ""))
    return Group(Text(_words(name), style), Prose(arabic, "dim", arabic=True))


def _task_due(task: incident_pb2.PlanTask) -> RenderableType:
    if not task.HasField("due_time"):
        return Text("")
    again = f"every {minutes(task.repeat_minutes)}" if task.repeat_minutes else ""
    return Group(
        Text(riyadh(task.due_time), "bold red" if task.overdue else ""),
        Text("overdue" if task.overdue else again, "dim"),
    )


def _task(task: incident_pb2.PlanTask) -> RenderableType:
    marks = [f"after {', '.join(map(str, task.depends_on))}"] if task.depends_on else []
    marks += ["may be skipped"] if task.may_be_skipped else []
    marks += [f"done by meeting {task.obligation}"] if task.obligation else []
    marks += [f"done {count(task.times_done, 'time')}"] if task.repeat_minutes and task.times_done else []
    parts: list[RenderableType] = [both(task.text_ar, task.text_en)]
    if marks:
        parts.append(Text("; ".join(marks), "dim"))
    if task.note:
        parts.append(Prose(task.note))
    return Group(*parts)


def timeline(lines: Sequence[incident_pb2.TimelineEntry]) -> RenderableType:
    """A timeline, oldest first: when it happened, and when it was written down where that was later."""
    return table(
        [Column("#", right=True), Column("when (Riyadh)"), Column("what", long=True)],
        [(line.number, _when(line), _line(line)) for line in lines],
        title="timeline",
    )


def _when(line: incident_pb2.TimelineEntry) -> RenderableType:
    happened, written = riyadh(line.occur_time), riyadh(line.record_time)
    parts = [Text(happened), Text(line.actor.id, "dim")]
    if happened != written:
        parts.insert(1, Text(f"told {written}", "dim"))
    return Group(*parts)


def _line(line: incident_pb2.TimelineEntry) -> RenderableType:
    parts: list[RenderableType] = [Text(_words(line.kind), "dim")]
    if line.kind in _WORDS_OF_PEOPLE:
        parts.append(Prose(_WORDS_OF_PEOPLE[line.kind], "dim", arabic=True))
    parts.append(Prose(line.text))
    if line.text_en:
        parts.append(Prose(line.text_en, "dim"))
    return Group(*parts)


def action_items(found: Sequence[action_item_pb2.ActionItem]) -> RenderableType:
    """Action items, the one that is due first at the top."""
    if not found:
        return _none("لا بنود عمل", "no action items")
    return table(
        [Column("state"), Column("due (Riyadh)"), Column("item and owner"), Column("title", long=True)],
        [
            (
                Text("overdue", "bold red") if item.overdue else Text(_words(field_name(item, "state"))),
                two_lines(
                    riyadh(item.due_time),
                    f"late {count(item.breaches, 'time')}" if item.breaches else "",
                ),
                two_lines(item.action_item_id, item.owner_id),
                Group(cell(short(item.title)), Prose(item.reason, "dim")) if item.reason else short(item.title),
            )
            for item in found
        ],
    )


def context(found: context_pb2.Context) -> RenderableType:
    """What the other services are told: open incidents and freezes."""
    if not found.incidents and not found.freezes:
        return _none("لا حوادث مفتوحة ولا تجميد", "no open incidents, nothing frozen")
    rows: list[tuple[RenderableType | str, str, str]] = [
        (rank(each.severity), each.incident_id, _since(each.create_time)) for each in found.incidents
    ]
    rows += [
        (Text("frozen", "bold red"), each.freeze_id, field_name(each, "channel").lower() or "every channel")
        for each in found.freezes
    ]
    return table([Column("what"), Column("id"), Column("since, or what is frozen", long=True)], rows)


def _since(time: Timestamp) -> str:
    return riyadh(time)
