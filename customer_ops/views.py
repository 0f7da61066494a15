"""The contract's messages as people read them. Drafts are marked as drafts; texts are data, never markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dealix.common.v1 import ledger_pb2, signal_pb2
from dealix.gateway.v1 import gateway_service_pb2
from dealix.incidents.v1 import incident_pb2, incident_service_pb2
from dealix.onboarding.v1 import checklist_pb2, connector_pb2
from dealix.success.v1 import success_pb2, success_service_pb2
from dealix.support.v1 import classification_pb2, sla_pb2, support_service_pb2, ticket_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops.names import field_name, name_of
from customer_ops.render import (
    Column,
    Prose,
    both,
    cell,
    count,
    draft,
    facts,
    minutes,
    moment,
    rank,
    short,
    table,
    tick,
    two_lines,
)


def signals(numbers: Iterable[int]) -> str:
    """Signals by name."""
    return ", ".join(name_of(signal_pb2.Signal, number) for number in numbers) or "none"


# --- support ----------------------------------------------------------------------------------------------------------


def classification(found: classification_pb2.Classification) -> Group:
    """A classification with its evidence."""
    parts: list[RenderableType] = [
        facts(
            [
                ("priority", rank(field_name(found, "priority"))),
                ("decided by", found.matched_keyword or "nothing: no keyword hit"),
                ("signals", signals(found.signals)),
                ("why", both(found.reason_ar, found.reason_en)),
            ]
        )
    ]
    if found.review_required:
        parts.append(Text("A person should look: critical words stand in the text, but were taken back.", "yellow"))
    hits = [(hit, "counts") for hit in found.hits] + [(hit, "taken back") for hit in found.negated_hits]
    if hits:
        parts.append(
            table(
                [
                    Column("priority"),
                    Column("effect"),
                    Column("place", right=True),
                    Column("language"),
                    Column("words", long=True),
                ],
                [
                    (rank(field_name(hit, "priority")), effect, f"{hit.start}-{hit.end}", hit.language, hit.text)
                    for hit, effect in hits
                ],
            )
        )
    return Group(*parts)


def first_response(template: ticket_pb2.FirstResponseTemplate) -> RenderableType:
    """A first response, marked as the draft that it is."""
    return draft(f"first response · {field_name(template, 'priority')}", template.body_ar, template.body_en)


def routed(answer: support_service_pb2.RouteTicketResponse) -> Group:
    """An opened ticket: where it went, why, and the draft of the answer."""
    return Group(ticket(answer.ticket), first_response(answer.first_response_template))


def ticket(
    found: ticket_pb2.Ticket,
    *,
    with_text: bool = False,
    more: Sequence[tuple[str, RenderableType | str | int]] = (),
) -> Group:
    """One ticket, with ``more`` facts of its life, and the customer's text where that is wanted."""
    sla = found.sla
    text: list[RenderableType] = [Text(), Prose(found.subject, "bold"), Prose(found.body)] if with_text else []
    return Group(
        facts(
            [
                ("ticket", found.ticket_id),
                ("customer", found.customer_id),
                ("priority", rank(field_name(found, "priority"))),
                ("decided by", found.classification.matched_keyword or "nothing: no keyword hit"),
                ("signals", signals(found.classification.signals)),
                ("owner", found.owner),
                ("state", field_name(found, "state")),
                ("opened", moment(found.create_time)),
                (
                    "promised",
                    f"first response {minutes(sla.first_response_minutes)}, resolution {sla.resolution_hours} h",
                ),
                ("why", both(found.classification.reason_ar, found.classification.reason_en)),
                *more,
            ]
        ),
        *text,
    )


def tickets(found: Sequence[ticket_pb2.Ticket]) -> RenderableType:
    """Tickets as a table, newest first."""
    if not found:
        return Text("no tickets")
    return table(
        [Column("pri"), Column("ticket"), Column("subject", long=True)],
        [
            (
                rank(field_name(item, "priority")),
                two_lines(item.ticket_id, short(f"{moment(item.create_time)} {item.customer_id}", 44)),
                Group(cell(short(item.subject or item.body)), Text(field_name(item, "state").lower(), "dim")),
            )
            for item in found
        ],
    )


def sla_report(report: sla_pb2.SlaHealthReport) -> Group:
    """An SLA health report."""
    parts: list[RenderableType] = [
        facts(
            [
                ("verdict", rank(field_name(report, "verdict"))),
                ("tickets", f"{report.total_tickets}, of them {report.total_breached} breached"),
                ("breach rate", _rate(report)),
                ("first response", _average(report, "average_first_response_minutes", "min")),
                ("resolution", _average(report, "average_resolution_hours", "h")),
                ("as of", moment(report.as_of_time)),
                ("in words", both(report.summary_ar, report.summary_en)),
            ]
        ),
        table(
            [Column("priority"), Column("tickets", right=True), Column("breached", right=True)],
            [(rank(field_name(line, "priority")), line.total, line.breached) for line in report.by_priority],
        ),
    ]
    if report.breaches:
        parts.append(
            table(
                [Column("pri"), Column("ticket"), Column("breach"), Column("", long=True)],
                [
                    (
                        rank(field_name(breach, "priority")),
                        breach.ticket_id,
                        field_name(breach, "kind").lower(),
                        _took(breach),
                    )
                    for breach in report.breaches
                ],
            )
        )
    if report.escalate_to_founder:
        parts.append(Text("Escalate to the founder; live actions are held until a person reviewed this.", "bold red"))
    return Group(*parts)


def _took(breach: sla_pb2.SlaBreach) -> str:
    unit = "min" if breach.kind == sla_pb2.SLA_BREACH_KIND_FIRST_RESPONSE else "h"
    return f"{breach.actual:.1f} of {breach.target:g} {unit}" + (", still open" if breach.open else "")


def _rate(report: sla_pb2.SlaHealthReport) -> str:
    if not report.rated_tickets:
        return "none: nothing is decided or overdue yet"
    return f"{report.breach_rate:.1%} of {count(report.rated_tickets, 'ticket')} that count"


def _average(report: sla_pb2.SlaHealthReport, field: Any, unit: str) -> str:
    return f"{getattr(report, field):.1f} {unit} on average" if report.HasField(field) else "none yet"


# --- incidents --------------------------------------------------------------------------------------------------------


def triaged(answer: gateway_service_pb2.TriageIncidentResponse) -> Group:
    """A triage: what the caller said, what support found, what decided."""
    found, decided, details = answer.support_findings, answer.triage, answer.severity_details
    support = (
        f"signals {signals(found.signals)}; with the same: {count(found.open_tickets, 'open ticket')}"
        f" of {count(found.distinct_customers, 'customer')}"
        if found.consulted
        else "did not answer: decided by the caller's facts alone"
    )
    lines: list[tuple[str, RenderableType | str | int]] = [
        ("severity", rank(field_name(answer, "severity"))),
        ("caller alone", rank(field_name(decided, "caller_severity"))),
        ("support", support),
        ("decided by", field_name(decided, "decided_by")),
        ("why", both(decided.reason_ar, decided.reason_en)),
        ("first action", _pace(details)),
    ]
    if decided.proposed_severity:
        lines.append(("proposed", rank(f"{field_name(decided, 'proposed_severity')}")))
        lines.append(("because", both(decided.proposal_reason_ar, decided.proposal_reason_en)))
    return Group(facts(lines))


def _pace(details: incident_pb2.SeverityDetails) -> str:
    return f"within {minutes(details.first_action_minutes)}, updates every {minutes(details.update_interval_minutes)}"


def incident(found: incident_pb2.Incident) -> Group:
    """One incident with its response plan."""
    marks = [
        *(["data leak"] if found.data_leak else []),
        *(["unauthorized send"] if found.unauthorized_send else []),
        *(["drill"] if found.drill else []),
    ]
    return Group(
        facts(
            [
                ("incident", found.incident_id),
                ("severity", rank(field_name(found, "severity"))),
                ("state", field_name(found, "state")),
                ("title", found.title),
                ("marks", ", ".join(marks) or "none"),
                ("customers", ", ".join(found.customer_ids) or "none named"),
                ("tickets", ", ".join(found.ticket_ids) or "none linked"),
                ("declared", moment(found.create_time)),
            ]
        ),
        plan(found.plan),
    )


def plan(steps: Sequence[incident_pb2.PlanStep]) -> RenderableType:
    """A response plan, in its order."""
    return table(
        [Column("#", right=True), Column("owner"), Column("due"), Column("step", long=True)],
        [(step.number, step.owner, _due(step), both(step.text_ar, step.text_en)) for step in steps],
    )


def _due(step: incident_pb2.PlanStep) -> str:
    if step.HasField("due_minutes"):
        return minutes(step.due_minutes) if step.due_minutes else "at once"
    return f"each {minutes(step.repeat_minutes)}" if step.HasField("repeat_minutes") else ""


def incidents(found: Sequence[incident_pb2.Incident]) -> RenderableType:
    """Incidents as a table, newest first."""
    if not found:
        return Text("no incidents")
    return table(
        [Column("sev"), Column("incident"), Column("title", long=True)],
        [
            (
                rank(field_name(item, "severity")),
                two_lines(item.incident_id, moment(item.create_time)),
                Group(cell(short(item.title)), Text(field_name(item, "state").lower(), "dim")),
            )
            for item in found
        ],
    )


def response_plan(answer: incident_service_pb2.GetResponsePlanResponse) -> Group:
    """The plan of a severity."""
    details = answer.severity_details
    return Group(
        facts(
            [
                ("severity", rank(field_name(answer, "severity"))),
                ("means", both(details.meaning_ar, details.meaning_en)),
                ("first action", _pace(details)),
            ]
        ),
        plan(answer.plan),
    )


# --- onboarding -------------------------------------------------------------------------------------------------------


def checklist(found: checklist_pb2.Checklist) -> Group:
    """A customer's checklist."""
    return Group(
        facts(
            [
                ("customer", found.customer_id),
                ("bundle", found.bundle_id or "not chosen yet"),
                ("progress", f"{found.progress_pct:g}%, now at {found.current_step_id}"),
            ]
        ),
        table(
            [Column(""), Column("day", right=True), Column("step"), Column("approved by"), Column("", long=True)],
            [
                (
                    tick(step.completed),
                    step.day,
                    step.step_id,
                    step.approval.approver.id or ("needed" if step.needs_approval and not step.completed else ""),
                    Prose(step.title_ar),
                )
                for step in found.steps
            ],
        ),
    )


def checklists(found: Sequence[checklist_pb2.Checklist]) -> RenderableType:
    """Checklists as a table."""
    if not found:
        return Text("no checklists")
    return table(
        [Column("progress", right=True), Column("created"), Column("customer", long=True)],
        [
            (
                f"{item.progress_pct:g}%",
                moment(item.create_time),
                two_lines(item.customer_id, f"at {item.current_step_id}, {item.bundle_id or 'no bundle yet'}"),
            )
            for item in found
        ],
    )


def criteria(found: Sequence[checklist_pb2.AcceptanceCriterion]) -> RenderableType:
    """The criteria of acceptance with their evidence."""
    return table(
        [Column(""), Column("criterion"), Column("evidence", long=True)],
        [(tick(item.met), item.criterion_id, both(item.evidence_ar, item.evidence_en)) for item in found],
    )


def connectors(found: Sequence[connector_pb2.Connector], summary: connector_pb2.ConnectorSummary) -> Group:
    """A customer's connectors and what is to be mended."""
    missing = set(summary.blocking_missing)
    parts: list[RenderableType] = [
        facts(
            [
                ("connected", f"{summary.connected_count} of {summary.total} ({summary.connected_pct:g}%)"),
                ("first service", "ready" if summary.ready_for_first_service else "not ready"),
                ("blocking", ", ".join(summary.blocking_missing) or "nothing missing"),
            ]
        ),
        table(
            [Column(""), Column("connector"), Column("state"), Column("", long=True)],
            [
                (
                    tick(field_name(item, "state").startswith("CONNECTED")),
                    item.connector_key,
                    field_name(item, "state").lower(),
                    Text(_remark(item, missing), "dim"),
                )
                for item in found
            ],
        ),
    ]
    if summary.fixes:
        parts.append(fixes(summary.fixes))
    return Group(*parts)


def _remark(item: connector_pb2.Connector, missing: set[str]) -> str:
    remarks = ["blocks the first service"] if item.connector_key in missing else []
    if item.HasField("opt_in_audit"):
        remarks.append(f"opt-in audited: {item.opt_in_audit.opted_in_numbers} numbers")
    if item.approval.approver.id:
        remarks.append(f"approved by {item.approval.approver.id}")
    return ", ".join(remarks)


def fixes(found: Sequence[connector_pb2.ConnectorFix]) -> RenderableType:
    """What to mend, and who does it."""
    return table(
        [Column("to do"), Column("who"), Column("", long=True)],
        [(item.connector_key or "any", item.owner, both(item.text_ar, item.text_en)) for item in found],
    )


def catalogue(found: Sequence[connector_pb2.ConnectorSpec]) -> RenderableType:
    """The catalogue of connectors."""
    return table(
        [
            Column("phase", right=True),
            Column("connector"),
            Column("what a live action would need elsewhere", long=True),
        ],
        [
            (
                item.phase,
                two_lines(
                    item.connector_key,
                    field_name(item, "default_mode").lower() + (", blocking" if item.blocking else ""),
                ),
                both(item.live_action_needs_ar, item.live_action_needs_en),
            )
            for item in found
        ],
    )


def guide(found: connector_pb2.ConnectorGuide) -> Group:
    """How to set a connector up."""
    numbered = [
        (number, both(*texts)) for number, texts in enumerate(zip(found.steps_ar, found.steps_en, strict=False), 1)
    ]
    return Group(
        facts([("connector", found.connector_key), ("scopes", ", ".join(found.scopes) or "none")]),
        table([Column("#", right=True), Column("step", long=True)], numbered),
        table(
            [Column("accepted when", long=True)],
            [(both(*texts),) for texts in zip(found.acceptance_ar, found.acceptance_en, strict=False)],
        ),
        table(
            [Column("if it fails", long=True)],
            [
                (Group(both(item.problem_ar, item.problem_en), both(item.remedy_ar, item.remedy_en)),)
                for item in found.troubleshooting
            ],
        ),
    )


# --- success ----------------------------------------------------------------------------------------------------------


def check_in(found: success_pb2.WeeklyCheckIn) -> Group:
    """A weekly check-in: its agenda, and what to say as a draft."""
    return Group(
        table(
            [Column("min", right=True), Column("agenda", long=True)],
            [(item.minutes, both(item.text_ar, item.text_en)) for item in found.agenda],
        ),
        draft(
            "weekly check-in · talking points",
            "\n".join(found.talking_points_ar),
            "\n".join(found.talking_points_en),
        ),
    )


def risk(answer: success_service_pb2.BuildAtRiskAlertResponse) -> Group:
    """An at-risk alert."""
    least = "at least " if answer.unknown_inputs else ""
    return Group(
        facts(
            [
                ("risk", Text.assemble(rank(field_name(answer, "severity")), f"  {least}{answer.risk_score} of 100")),
                ("not known", ", ".join(answer.unknown_inputs) or "nothing"),
            ]
        ),
        table(
            [Column("points", right=True), Column("factor"), Column("reason", long=True)],
            [(reason.points, reason.factor, both(reason.text_ar, reason.text_en)) for reason in answer.reasons],
        ),
        draft("what to do", answer.recommended_action_ar, answer.recommended_action_en),
    )


def success_plan(answer: success_service_pb2.BuildSuccessPlanResponse) -> RenderableType:
    """A success plan, line by line."""
    return table(
        [Column("day", right=True), Column(answer.bundle_id, long=True)],
        [(line.day, both(line.text_ar, line.text_en)) for line in answer.milestones],
    )


def health(answer: success_service_pb2.BuildHealthScoreResponse) -> Group:
    """A health score with its factors."""
    score = f"{answer.health_score:g}" if answer.HasField("health_score") else "open"
    return Group(
        facts(
            [
                ("health", Text.assemble(rank(field_name(answer, "verdict")), f"  {score} of 100")),
                ("known", f"{answer.coverage:.0%} of the inputs; from {answer.score_low:g} to {answer.score_high:g}"),
                ("in words", both(answer.summary_ar, answer.summary_en)),
            ]
        ),
        table(
            [Column("factor"), Column("value", right=True), Column("points", right=True), Column("", long=True)],
            [
                (
                    item.factor,
                    f"{item.value:g}" if item.HasField("value") else "unknown",
                    f"{item.points:+g}" if item.HasField("points") else "",
                    Prose(item.label_ar),
                )
                for item in answer.factors
            ],
        ),
    )


# --- ledgers and the stack --------------------------------------------------------------------------------------------


def verified(answers: Mapping[str, Any]) -> RenderableType:
    """What the verification of each ledger found."""
    return table(
        [Column(""), Column("ledger"), Column("entries", right=True), Column("head"), Column("", long=True)],
        [
            (
                tick(answer.intact) if answer.intact else Text("✗", "bold red"),
                name,
                answer.checked,
                f"{answer.head.hash.hex()[:16]}…" if answer.head.hash else "",
                Text("intact", "green")
                if answer.intact
                else Text(f"broken at {answer.first_bad_sequence}: {answer.problem}", "bold red"),
            )
            for name, answer in answers.items()
        ],
    )


def ledger(entries: Sequence[ledger_pb2.LedgerEntry]) -> RenderableType:
    """Ledger entries, oldest first."""
    return table(
        [Column("#", right=True), Column("recorded"), Column("action", long=True)],
        [
            (
                entry.sequence,
                two_lines(moment(entry.record_time), short(entry.actor.id, 24)),
                two_lines(entry.action, entry.subject),
            )
            for entry in entries
        ],
    )


def status(answer: gateway_service_pb2.GetStatusResponse) -> RenderableType:
    """Which services answer."""
    return table(
        [Column(""), Column("service"), Column("live-send breaches", right=True)],
        [
            (tick(line.serving) if line.serving else Text("✗", "bold red"), line.service, line.policy_breaches)
            for line in answer.services
        ],
    )
