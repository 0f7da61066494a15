"""How the life of a ticket looks to people: its clocks as bars, what presses, what was said and what happened."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from dealix.support.v1 import sla_pb2, support_service_pb2, ticket_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops import views
from customer_ops.names import field_name
from customer_ops.render import Column, Prose, both, cell, draft, facts, moment, rank, short, table, two_lines

_BAR = 40
_CLOCKS = {
    "FIRST_RESPONSE": ("الرد الأول", "first response"),
    "NEXT_RESPONSE": ("الرد على رسالة العميل", "next response"),
    "RESOLUTION": ("الحل", "resolution"),
}
_STATES = {
    "NOT_STARTED": ("لم يبدأ", "not started", "dim"),
    "RUNNING": ("ضمن المهلة", "running", "green"),
    "PAUSED": ("متوقف مؤقتًا", "paused", "cyan"),
    "AT_RISK": ("قارب الموعد", "at risk", "bold yellow"),
    "BREACHED": ("تجاوز الموعد", "breached", "bold red"),
    "MET": ("التزمنا بالموعد", "met", "green"),
    "CANCELLED": ("أُلغي", "cancelled", "dim"),
}
_PARTIES = (
    ("us", "نحن", "us", "█"),
    ("our_approver", "بانتظار اعتمادنا", "our approver", "▓"),
    ("customer", "بانتظار العميل", "customer", ""),
    ("third_party", "بانتظار طرف ثالث", "third party", ""),
)


# --- clocks -----------------------------------------------------------------------------------------------------------


def clocks(found: Sequence[sla_pb2.SlaClock], as_of: Timestamp) -> Group:
    """The clocks of a ticket as bars: what passed, by whom, and what is left."""
    if not found:
        return Group(Text(f"the ticket was not open at {moment(as_of)}"))
    parts: list[RenderableType] = [Text(f"as of {moment(as_of)}", "dim")]
    for clock in found:
        parts += [Text(""), *_clock(clock)]
    legend = " · ".join(f"{mark} {name}" for _, _, name, mark in _PARTIES if mark)
    parts += [Text(""), Text(f"{legend} · ░ left · ┃ the target", "dim")]
    return Group(*parts)


def _clock(clock: sla_pb2.SlaClock) -> list[RenderableType]:
    name_ar, name_en = _CLOCKS[field_name(clock, "kind")]
    state_ar, state_en, style = _STATES[field_name(clock, "state")]
    if clock.state == sla_pb2.SLA_CLOCK_STATE_NOT_STARTED:
        return [
            Text.assemble((name_en, "bold"), "  ", (state_en, style)),
            Prose(f"{name_ar}: {state_ar}", arabic=True),
        ]
    target, elapsed, remaining = (one.ToTimedelta() for one in (clock.target, clock.elapsed, clock.remaining))
    over = remaining < timedelta()
    left_en = f"{span(-remaining)} over" if over else f"{span(remaining)} left"
    left_ar = f"تجاوز {span_ar(-remaining)}" if over else f"بقي {span_ar(remaining)}"
    if clock.HasField("stop_time"):
        left_en, left_ar = f"stopped {moment(clock.stop_time)}", f"توقف بعد {span_ar(elapsed)}"
    elif not clock.running:
        state_en = state_en if state_en == "paused" else f"{state_en}, stands still"
    due = f", due {moment(clock.due_time)}" if clock.HasField("due_time") and not clock.HasField("stop_time") else ""
    return [
        Text.assemble(
            (name_en, "bold"), "  ", (state_en, style), f"  {span(elapsed)} of {span(target)}, {left_en}{due}"
        ),
        _bar(clock),
        Prose(f"{name_ar}: {state_ar} · مضى {span_ar(elapsed)} من {span_ar(target)} · {left_ar}", arabic=True),
        _burnt(clock.burn),
    ]


def _bar(clock: sla_pb2.SlaClock) -> Text:
    """The target up to its mark, what passed of it filled; what goes beyond stands behind the mark."""
    target, elapsed = clock.target.ToTimedelta(), clock.elapsed.ToTimedelta()
    whole = max(target, elapsed)
    style = _STATES[field_name(clock, "state")][2]
    cells = round(elapsed / whole * _BAR)
    ours = {name: getattr(clock.burn, name).ToTimedelta() for name in ("us", "our_approver")}
    approver = round(ours["our_approver"] / whole * _BAR)
    drawn = ("█" * (cells - approver) + "▓" * approver).ljust(_BAR, "░")
    mark = round(target / whole * _BAR)
    return Text.assemble((drawn[:mark], style), ("┃", "bold"), (drawn[mark:], "red"))


def _burnt(burn: sla_pb2.SlaBurn) -> Group:
    """Who burnt the time; parties that burnt none are left out."""
    spent = [(ar, en, getattr(burn, name).ToTimedelta()) for name, ar, en, _ in _PARTIES]
    shown = [(ar, en, time) for ar, en, time in spent if time >= timedelta(minutes=1)]
    if not shown:
        return Group()
    return Group(
        Text(" · ".join(f"{en} {span(time)}" for _, en, time in shown), "dim"),
        Prose(" · ".join(f"{ar} {span_ar(time)}" for ar, _, time in shown), "dim", arabic=True),
    )


def span(time: timedelta | Duration) -> str:
    """A length of time by its two largest units: ``2 h 9 min``."""
    days, hours, minutes = _units(time)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def span_ar(time: timedelta | Duration) -> str:
    """The same in Arabic, with the units shortened: day, hour and minute."""
    days, hours, minutes = _units(time)
    if days:
        return f"{days} ي {hours} س" if hours else f"{days} ي"
    if hours:
        return f"{hours} س {minutes} د" if minutes else f"{hours} س"
    return f"{minutes} د"


def _units(time: timedelta | Duration) -> tuple[int, int, int]:
    passed = time if isinstance(time, timedelta) else time.ToTimedelta()
    minutes = passed // timedelta(minutes=1)
    return minutes // 1440, minutes // 60 % 24, minutes % 60


def due(found: Sequence[sla_pb2.DueClock], as_of: Timestamp) -> RenderableType:
    """What presses, soonest due first."""
    if not found:
        return Group(Text(f"nothing presses at {moment(as_of)}"), Prose("لا شيء قارب موعده أو تجاوزه.", arabic=True))
    rows = []
    for one in found:
        name_ar, name_en = _CLOCKS[field_name(one, "kind")]
        _, state_en, style = _STATES[field_name(one, "state")]
        left = one.due_time.ToDatetime() - as_of.ToDatetime()
        late = left < timedelta()
        told = f"{span(-left)} late" if late else f"in {span(left)}"
        told_ar = f"متأخر {span_ar(-left)}" if late else f"باقٍ {span_ar(left)}"
        rows.append(
            (
                rank(field_name(one, "priority")),
                two_lines(Text(told, style), one.owner),
                two_lines(one.ticket_id, one.customer_id),
                Group(Text(f"{name_en}, {state_en}"), Prose(f"{name_ar}: {told_ar}", arabic=True)),
            )
        )
    return Group(
        Text(f"as of {moment(as_of)}", "dim"),
        table([Column("pri"), Column("due"), Column("ticket"), Column("clock", long=True)], rows),
    )


# --- tickets ----------------------------------------------------------------------------------------------------------


def ticket(found: ticket_pb2.Ticket, *, with_text: bool = False) -> Group:
    """A ticket with where it stands in its life."""
    rows: list[tuple[str, RenderableType | str | int]] = []
    if found.waiting_on:
        rows.append(("waits on", field_name(found, "waiting_on").lower()))
        rows.append(("for", found.waiting_reason))
    if found.HasField("resolve_time"):
        rows.append(("resolved", moment(found.resolve_time)))
    if found.HasField("reopen_until_time"):
        rows.append(("reopens until", moment(found.reopen_until_time)))
    if found.thanked:
        rows.append(("thanked", both("شكر العميل بعد الحل", "the customer said thanks after the resolution")))
    if found.HasField("confirmation"):
        by = found.confirmation
        how = field_name(by, "channel").lower()
        rows.append(("confirmed", f"{moment(by.confirm_time)} by {by.confirmed_by}, {how} {by.reference}".rstrip()))
    if found.first_response_draft_id:
        rows.append(("first draft", found.first_response_draft_id))
    return views.ticket(found, with_text=with_text, more=rows)


def moved(found: ticket_pb2.Ticket, event: sla_pb2.SlaEvent) -> Group:
    """A ticket after a step, with what was recorded."""
    return Group(events([event]), Text(""), ticket(found))


def raised(answer: support_service_pb2.RaiseTicketPriorityResponse) -> Group:
    """A raised ticket, with its first response as it is drafted now."""
    parts: list[RenderableType] = [moved(answer.ticket, answer.event)]
    if answer.HasField("draft"):
        found = answer.draft
        parts.append(draft(f"{found.title_en} · {found.draft_id}", found.body_ar, found.body_en))
    return Group(*parts)


def drafted(answer: support_service_pb2.DraftReplyResponse) -> Group:
    """A drafted reply: what a person has to approve."""
    found = answer.draft
    return Group(
        facts([("draft", found.draft_id), ("of", answer.ticket.ticket_id), ("hash", found.content_hash)]),
        draft(found.title_en, found.body_ar, found.body_en),
    )


def events(found: Iterable[sla_pb2.SlaEvent]) -> RenderableType:
    """What happened to a ticket, in order."""
    return table(
        [Column("when"), Column("what"), Column("by"), Column("more", long=True)],
        [
            (moment(event.occur_time), field_name(event, "type").lower(), event.actor.id, Prose(_more(event)))
            for event in found
        ],
    )


def _more(event: sla_pb2.SlaEvent) -> str:
    said = []
    if event.priority:
        said.append(field_name(event, "priority"))
    if event.waiting_on:
        said.append(f"on {field_name(event, 'waiting_on').lower()}")
    if event.HasField("escalation"):
        step = event.escalation
        said.append(f"{field_name(step, 'clock').lower()} at {step.percent}%, to {step.role}")
    if event.HasField("sent"):
        how = "approved" if event.approval_id else "no approval"
        said.append(f"sent by {field_name(event.sent, 'channel').lower()}, {event.sent.reference}, {how}")
    if event.record_time.ToDatetime() - event.occur_time.ToDatetime() >= timedelta(minutes=1):
        said.append(f"recorded {moment(event.record_time)}")
    if event.note:
        said.append(event.note)
    return "; ".join(said)


def said(message: ticket_pb2.TicketMessage, found: ticket_pb2.Ticket) -> Group:
    """A message that was added, and what it did."""
    effect = field_name(message, "effect").lower()
    return Group(facts([("message", message.message_id), ("effect", effect)]), ticket(found))


def conversation(found: Sequence[ticket_pb2.TicketMessage]) -> RenderableType:
    """A conversation after its opening text."""
    if not found:
        return Text("no messages after the opening text")
    return table(
        [Column("when"), Column("from"), Column("text", long=True)],
        [
            (
                moment(message.occur_time),
                two_lines(field_name(message, "author").lower(), field_name(message, "effect").lower()),
                Prose(message.body) if message.body else both(message.body_ar, message.body_en),
            )
            for message in found
        ],
    )


def links(found: Sequence[ticket_pb2.TicketLink], ticket_id: str) -> RenderableType:
    """The links of a ticket, read from it."""
    if not found:
        return Text("no links")
    return table(
        [Column("how"), Column("ticket"), Column("by", long=True)],
        [
            (
                field_name(link, "kind").lower() if link.ticket_id == ticket_id else _BACK[link.kind],
                link.other_ticket_id if link.ticket_id == ticket_id else link.ticket_id,
                f"{link.actor.id}, {moment(link.create_time)}",
            )
            for link in found
        ],
    )


_BACK = {
    ticket_pb2.TICKET_LINK_KIND_RELATED: "related",
    ticket_pb2.TICKET_LINK_KIND_DUPLICATE_OF: "has a duplicate",
    ticket_pb2.TICKET_LINK_KIND_FOLLOWS: "followed by",
}


def policies(found: Iterable[sla_pb2.SlaPolicy]) -> RenderableType:
    """What a version of the policy promises."""
    return table(
        [
            Column("pri"),
            Column("first", right=True),
            Column("next", right=True),
            Column("resolution", right=True),
            Column("calendar"),
            Column("ladder", long=True),
        ],
        [
            (
                rank(field_name(policy.targets, "priority")),
                span(timedelta(minutes=policy.targets.first_response_minutes)),
                span(timedelta(minutes=policy.targets.next_response_minutes)),
                span(timedelta(hours=policy.targets.resolution_hours)),
                policy.targets.calendar_id,
                ", ".join(f"{step.percent}% {step.role}" for step in policy.ladder),
            )
            for policy in found
        ],
    )


# --- reports ----------------------------------------------------------------------------------------------------------


def report(found: sla_pb2.SlaHealthReport) -> Group:
    """A health report over stored tickets, with who burnt the time."""
    parts: list[RenderableType] = [views.sla_report(found)]
    rows = [
        (name, burn)
        for name, burn in (
            ("first response", found.first_response_burn),
            ("next response", found.next_response_burn),
            ("resolution", found.resolution_burn),
        )
        if any(getattr(burn, party).ToTimedelta() for party, *_ in _PARTIES)
    ]
    if rows:
        columns = [Column("who burnt the time"), *(Column(en, right=True) for _, _, en, _ in _PARTIES)]
        parts.append(
            table(
                columns,
                [(name, *(span(getattr(burn, party)) for party, _, _, _ in _PARTIES)) for name, burn in rows],
            )
        )
    return Group(*parts)


_COLUMNS = (
    *("row", "period_start", "period_end", "as_of", "priority", "tickets", "breached", "rated", "breach_rate"),
    *("verdict", "average_first_response_minutes", "average_resolution_hours", "ticket_id", "customer_id", "promise"),
    *("target", "actual", "unit", "still_open", "us_minutes", "our_approver_minutes", "customer_minutes"),
    "third_party_minutes",
)


def write_csv(found: sla_pb2.SlaHealthReport, path: Path, period: tuple[Timestamp, Timestamp]) -> int:
    """Writes a report as CSV: a row for all tickets, one for each priority, promise and breach; how many there were.

    Marked as UTF-8, so that spreadsheets read it right.
    """
    rows: list[dict[str, Any]] = [
        {
            "row": "all",
            "period_start": moment(period[0]),
            "period_end": moment(period[1]),
            "as_of": moment(found.as_of_time),
            "tickets": found.total_tickets,
            "breached": found.total_breached,
            "rated": found.rated_tickets,
            "breach_rate": f"{found.breach_rate:.4f}",
            "verdict": field_name(found, "verdict").lower(),
            "average_first_response_minutes": _known(found, "average_first_response_minutes"),
            "average_resolution_hours": _known(found, "average_resolution_hours"),
        }
    ]
    rows += [
        {"row": "priority", "priority": field_name(p, "priority"), "tickets": p.total, "breached": p.breached}
        for p in found.by_priority
    ]
    rows += [
        {
            "row": "burn",
            "promise": name,
            **{f"{party}_minutes": _minutes(getattr(burn, party)) for party, *_ in _PARTIES},
        }
        for name, burn in (
            ("first_response", found.first_response_burn),
            ("next_response", found.next_response_burn),
            ("resolution", found.resolution_burn),
        )
    ]
    rows += [
        {
            "row": "breach",
            "priority": field_name(breach, "priority"),
            "ticket_id": breach.ticket_id,
            "customer_id": breach.customer_id,
            "promise": field_name(breach, "kind").lower(),
            "target": f"{breach.target:g}",
            "actual": f"{breach.actual:.2f}",
            "unit": "minutes" if breach.kind == sla_pb2.SLA_BREACH_KIND_FIRST_RESPONSE else "hours",
            "still_open": str(breach.open).lower(),
        }
        for breach in found.breaches
    ]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def _known(found: Any, field: str) -> str:
    return f"{getattr(found, field):.2f}" if found.HasField(field) else ""


def _minutes(time: Duration) -> str:
    return f"{time.ToTimedelta() / timedelta(minutes=1):.1f}"


def tickets(found: Sequence[ticket_pb2.Ticket]) -> RenderableType:
    """Tickets as a table, newest first, with on whom they wait."""
    if not found:
        return Text("no tickets")
    return table(
        [Column("pri"), Column("ticket"), Column("subject", long=True)],
        [
            (
                rank(field_name(item, "priority")),
                two_lines(item.ticket_id, short(f"{moment(item.create_time)} {item.customer_id}", 44)),
                Group(cell(short(item.subject or item.body)), Text(_stands(item), "dim")),
            )
            for item in found
        ],
    )


def _stands(item: ticket_pb2.Ticket) -> str:
    state = field_name(item, "state").lower()
    if item.waiting_on:
        return f"{state} on {field_name(item, 'waiting_on').lower()}"
    return f"{state}, thanked" if item.thanked else state
