"""How answers that are put together from several services look to people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.support.v1 import sla_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops import views, views_freezes, views_incidents, views_onboarding, views_success, views_support
from customer_ops.names import field_name
from customer_ops.render import Beside, Column, both, cell, facts, moment, rank, short, table, two_lines
from customer_ops.text import isolated, one_line, shown

_STATES = {
    pb.PART_STATE_ANSWERED: ("تم", "done", "green"),
    pb.PART_STATE_NOTHING_KNOWN: ("لا شيء", "nothing", "dim"),
    pb.PART_STATE_FAILED: ("تعذّر", "failed", "bold red"),
}
_WATCHED = {
    pb.WATCH_MESSAGE_KIND_OPENED: ("بدأت المتابعة", "watching", "dim"),
    pb.WATCH_MESSAGE_KIND_CAUGHT_UP: (
        "اكتمل ما سُجّل سابقًا، وما يلي جديد",
        "that is what was there; new from here on",
        "dim",
    ),
    pb.WATCH_MESSAGE_KIND_SERVICE_DOWN: (
        "تعذّر الوصول إلى خدمة {service}، وتنقص قيودها من هنا",
        "{service} cannot be reached; its entries are missing from here on",
        "bold red",
    ),
    pb.WATCH_MESSAGE_KIND_SERVICE_BACK: (
        "عادت خدمة {service}، وتلي قيودها الفائتة",
        "{service} is back; its entries follow",
        "bold green",
    ),
}
_PARTS = {
    "report": ("التقرير", "Report"),
    "customers": ("العملاء المتأثرون", "Affected customers"),
    "incident": ("الحادث", "Incident"),
    "onboarding": ("التأهيل", "Onboarding"),
    "tickets": ("أحدث التذاكر", "Newest tickets"),
    "due_clocks": ("مواعيد قريبة أو متجاوزة", "Clocks that press"),
    "incidents": ("الحوادث والتجميد", "Incidents and freezes"),
    "plan": ("خطة النجاح", "Success plan"),
    "due_touchpoints": ("لقاءات مستحقة", "Due touchpoints"),
    "risk": ("الخطر", "Risk"),
    "health": ("الصحة", "Health"),
    "sla": ("مستوى الخدمة في آخر 30 يومًا", "Service level of the last 30 days"),
}


def handled(answer: pb.HandleTicketResponse) -> Group:
    """An opened ticket, and the incident and the freeze where it told of one."""
    parts: list[RenderableType] = [views.routed(answer.routed)]
    if answer.HasField("incident"):
        parts += [Text(""), views.incident(answer.incident)]
    if answer.HasField("freeze"):
        parts += [Text(""), views_freezes.freeze(answer.freeze)]
    return Group(*parts)


def assessment(answer: pb.AssessCustomerResponse) -> Group:
    """Risk, health, SLA and incidents of a customer."""
    return Group(facts([("customer", answer.customer_id)]), *_each_part(answer, answer.parts))


def overview(answer: pb.GetCustomerOverviewResponse) -> Group:
    """What every service knows of a customer."""
    return Group(facts([("customer", answer.customer_id)]), *_each_part(answer, answer.parts))


def review(answer: pb.RunWeeklySlaReviewResponse) -> Group:
    """The review of a week: the report, whom it concerns and what was done."""
    week = f"{answer.week_start_date}, seen at {moment(answer.report.as_of_time)}"
    parts: list[RenderableType] = [
        facts([("week of", week), ("reviewed", moment(answer.review_time))]),
        views_support.report(answer.report),
    ]
    if answer.customers:
        columns = [Column("customer"), Column("breaches", right=True), Column("touchpoint"), Column("what", long=True)]
        parts.append(table(columns, [_reviewed(one) for one in answer.customers]))
    if answer.incident_id:
        parts.append(facts([("incident", answer.incident_id)]))
    return Group(*parts, Text(""), *(_part_line(part) for part in answer.parts))


def _reviewed(one: pb.ReviewedCustomer) -> tuple[RenderableType | str | int, ...]:
    if one.cadence == pb.PART_STATE_ANSWERED:
        said = both(f"لقاء مراجعة الخدمة في {one.planned_date}", f"service review on {one.planned_date}")
    elif one.cadence == pb.PART_STATE_NOTHING_KNOWN:
        said = both("لا توجد خطة نجاح مفعّلة", f"no active success plan ({one.reason})")
    else:
        said = both("تعذّر تحديث الخطة؛ أعد المراجعة", f"failed: {one.reason}; repeat the review")
    return one.customer_id, one.breaches, one.touchpoint_id or "-", said


def ledger(entries: Sequence[pb.ServiceLedgerEntry]) -> RenderableType:
    """Entries of several ledgers as one, oldest first."""
    return table(
        [Column("service"), Column("#", right=True), Column("recorded"), Column("action", long=True)],
        [
            (
                line.service,
                line.entry.sequence,
                two_lines(moment(line.entry.record_time), short(line.entry.actor.id, 24)),
                two_lines(line.entry.action, line.entry.subject),
            )
            for line in entries
        ],
    )


def watched(message: pb.WatchEventsResponse) -> RenderableType:
    """One message of a watch, on one line."""
    if message.kind == pb.WATCH_MESSAGE_KIND_ENTRY:
        entry = message.event.entry
        return Text.assemble(
            (moment(entry.record_time), "cyan"),
            f"  {message.event.service:<10}  #{entry.sequence:<5}  ",
            (_safe(entry.action), "bold"),
            f"  {_safe(entry.subject)}  ",
            (shown(short(entry.actor.id, 24)), "dim"),
        )
    text_ar, text_en, style = _WATCHED.get(message.kind, ("رسالة غير معروفة", "an unknown message", "dim"))
    line = f"{text_en} · {isolated(text_ar)}".replace("{service}", _safe(message.service))
    return Text(f"-- {line}" + (f" ({_safe(message.reason)})" if message.reason else ""), style)


def _safe(text: str) -> str:
    return shown(one_line(text))


def _due_clocks(found: Sequence[sla_pb2.DueClock]) -> RenderableType:
    return table(
        [Column("due"), Column("clock"), Column("state"), Column("ticket", long=True)],
        [
            (
                moment(one.due_time),
                field_name(one, "kind").lower(),
                rank(field_name(one, "state")),
                one.ticket_id,
            )
            for one in found
        ],
    )


def _each_part(answer: Any, parts: Iterable[pb.Part]) -> list[RenderableType]:
    """The parts of an answer below each other; one that failed is marked instead of shown."""
    shown: list[RenderableType] = []
    for part in parts:
        shown += [Text(""), _part_line(part)]
        if part.state == pb.PART_STATE_ANSWERED:
            shown.append(_shown(answer, part.name))
    return shown


def _part_line(part: pb.Part) -> RenderableType:
    state_ar, state_en, style = _STATES[part.state]
    name_ar, name_en = _PARTS[part.name]
    why = f" ({part.reason})" if part.reason else ""
    return Beside(f"{name_ar}: {state_ar}", f"{name_en}: {state_en}{why}", style)


def _shown(answer: Any, name: str) -> RenderableType:
    found = getattr(answer, name)
    match name:
        case "risk":
            return views_success.customer_risk(found)
        case "health":
            return views_success.customer_health(found)
        case "sla":
            return views.sla_report(found)
        case "incidents":
            return views_incidents.context(found)
        case "onboarding":
            return views_onboarding.onboarding(found)
        case "tickets":
            return views_support.tickets(found)
        case "due_clocks":
            return _due_clocks(found)
        case "plan":
            return views_success.plan(found)
        case "due_touchpoints":
            return views_success.touchpoints(found)
    return cell(name)
