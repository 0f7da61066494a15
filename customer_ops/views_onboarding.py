"""How onboardings and connectors look to people: the plan against what happened, who is waited for, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from dealix.common.v1 import actor_pb2
from dealix.onboarding.v1 import (
    checklist_pb2,
    connector_pb2,
    connector_service_pb2,
    evidence_pb2,
    onboarding_pb2,
    onboarding_service_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops.names import field_name
from customer_ops.render import Column, Prose, both, cell, count, facts, minutes, moment, short, table, tick, two_lines

_PARTIES = {"CUSTOMER": ("العميل", "customer"), "DEALIX": ("فريقنا", "us")}
_STATES = {
    "NOT_STARTED": "لم يبدأ",
    "CONFIGURING": "قيد الإعداد",
    "CONNECTED_DRAFT_ONLY": "مربوط (مسودات فقط)",
    "CONNECTED_APPROVED_EXECUTE": "مربوط (تنفيذ بموافقة)",
    "FAILED": "تعذّر",
    "SKIPPED": "تم تخطيه",
}
_KINDS = {
    "STATE_CHANGED": ("تغيّرت الحالة", "state changed"),
    "PROBLEM_OBSERVED": ("رُصدت مشكلة", "problem observed"),
    "TEST_RECORDED": ("سُجّل اختبار", "test recorded"),
    "OPT_IN_AUDITED": ("رُوجعت الموافقات المسبقة", "opt-in audited"),
    "ACCOUNT_LINKED": ("سُجّل الحساب المربوط", "account linked"),
    "ACCOUNT_CHANGED": ("تغيّر الحساب المربوط", "account changed"),
    "SETTINGS_RECORDED": ("سُجّلت إعدادات", "settings recorded"),
    "ISSUE_RESOLVED": ("حُلّت المشكلة", "issue resolved"),
}


def onboardings(found: Sequence[onboarding_pb2.OnboardingLine]) -> RenderableType:
    """Onboardings, the latest first."""
    if not found:
        return Text("no onboardings")
    return table(
        [Column("late", right=True), Column("due"), Column("customer"), Column("now", long=True)],
        [
            (
                _late(line.days_late),
                line.due_date,
                two_lines(short(line.customer_id, 30), f"{line.progress_pct:g}%, {line.bundle_id or 'no bundle yet'}"),
                _now(line),
            )
            for line in found
        ],
    )


def _now(line: onboarding_pb2.OnboardingLine) -> Group:
    parts: list[RenderableType] = [Text(line.current_step_id)]
    if line.HasField("accept_time"):
        parts.append(Text(f"accepted {moment(line.accept_time)}", "green"))
    elif line.HasField("blocker"):
        parts.append(_blocker(line.blocker))
    if line.risk_problem_open:
        parts.append(Text("stopped: the founder decides about a risk", "bold red"))
    if line.open_issues:
        parts.append(Text(count(line.open_issues, "open connector issue"), "yellow"))
    return Group(*parts)


def onboarding(found: onboarding_pb2.Onboarding) -> Group:
    """Everything about one onboarding."""
    checklist = found.checklist
    lines: list[tuple[str, RenderableType | str | int]] = [
        ("customer", checklist.customer_id),
        ("bundle", checklist.bundle_id or "not chosen yet"),
        ("progress", f"{checklist.progress_pct:g}%, now at {checklist.current_step_id}"),
        ("plan", f"from {checklist.start_date}, now due {checklist.due_date}"),
        ("late", _late(checklist.days_late)),
        ("waited for", ", ".join(f"{_party(t.party)[1]} {minutes(t.minutes)}" for t in found.blocked_time)),
        ("open issues", found.open_issues),
    ]
    if found.HasField("proof_pack"):
        lines.append(("Proof Pack v1", _proof_pack(found.proof_pack)))
    if found.HasField("acceptance"):
        accepted = found.acceptance
        lines.append(("accepted", f"{moment(accepted.accept_time)} by {accepted.accepter.id}"))
    parts: list[RenderableType] = [facts(lines), steps(checklist)]
    parts += [risk_review(review) for review in found.risk_reviews]
    parts += [recovery(guidance) for guidance in found.guidance]
    return Group(*parts)


def checklist(found: checklist_pb2.Checklist) -> Group:
    """A customer's checklist: planned against actual, and who is waited for."""
    return Group(
        facts(
            [
                ("customer", found.customer_id),
                ("bundle", found.bundle_id or "not chosen yet"),
                ("progress", f"{found.progress_pct:g}%, now at {found.current_step_id}"),
                ("late", _late(found.days_late)),
            ]
        ),
        steps(found),
    )


def steps(found: checklist_pb2.Checklist) -> RenderableType:
    """The steps with their planned dates, what happened, and who is waited for."""
    return table(
        [Column(""), Column("planned"), Column("done"), Column("step"), Column("", long=True)],
        [
            (
                tick(step.completed),
                two_lines(step.planned_date, _days(step.days_late)),
                two_lines(moment(step.complete_time)[:10], step.approval.approver.id or step.completed_by.id),
                two_lines(step.step_id, "" if step.completed or not step.needs_approval else "needs an approval"),
                Group(
                    Prose(step.title_ar, arabic=True), *([_blocker(step.blocker)] if step.HasField("blocker") else [])
                ),
            )
            for step in found.steps
        ],
    )


def _blocker(found: checklist_pb2.StepBlocker) -> Group:
    arabic, english = _party(found.party)
    note = [Prose(found.note)] if found.note else []
    return Group(
        Prose(f"{arabic}: {found.reason_ar}", "yellow", arabic=True),
        Text(f"{english} since {moment(found.since_time)}", "dim"),
        *note,
    )


def risk_review(found: onboarding_pb2.RiskReview) -> RenderableType:
    """What a risk review came to."""
    lines: list[tuple[str, RenderableType | str | int]] = [
        ("risk review", _outcome(found)),
        ("reviewed", _by(found.review_time, found.reviewer)),
    ]
    if found.finding:
        lines.append(("found", Prose(found.finding)))
    if found.reference:
        lines.append(("kept at", found.reference))
    if found.HasField("resolve_time"):
        lines += [("resolved", _by(found.resolve_time, found.resolver)), ("decision", Prose(found.resolution))]
    return facts(lines)


def reviewed(answer: onboarding_service_pb2.RecordRiskReviewResponse) -> Group:
    """A recorded review, with what to do about a problem."""
    guidance = [recovery(answer.guidance)] if answer.HasField("guidance") else []
    return Group(risk_review(answer.risk_review), *guidance)


def _outcome(found: onboarding_pb2.RiskReview) -> Text:
    if found.open:
        return Text("problem found: stop, and report to the founder", "bold red")
    name = field_name(found, "outcome").lower().replace("_", " ")
    return Text(name, "green" if name == "clean" else "yellow")


def recovery(found: checklist_pb2.RecoveryGuidance) -> Group:
    """What to do about a condition that holds."""
    actions = zip(found.actions_ar, found.actions_en, strict=False)
    return Group(
        Text(),
        both(found.title_ar, found.title_en),
        table(
            [Column("#", right=True), Column("what to do", long=True)],
            [(number, both(*texts)) for number, texts in enumerate(actions, 1)],
        ),
    )


def _proof_pack(found: onboarding_pb2.ProofPack) -> Group:
    parts = [Text(f"delivered {_by(found.delivery.occur_time, found.delivery.person)}, {found.delivery.reference}")]
    if found.HasField("approval"):
        parts.append(
            Text(f"approved {_by(found.approval.occur_time, found.approval.person)}, {found.approval.reference}")
        )
    else:
        parts.append(Text("waits for the customer's approval", "yellow"))
    return Group(*parts)


def proof_pack(found: onboarding_pb2.ProofPack) -> RenderableType:
    """Proof Pack v1 as it stands."""
    return facts([("Proof Pack v1", _proof_pack(found))])


def acceptance(answer: onboarding_service_pb2.GetAcceptanceResponse) -> Group:
    """The four criteria as they stand, each with its evidence."""
    stands = "all four are met" if answer.met else "not yet"
    lines: list[tuple[str, RenderableType | str | int]] = [
        ("criteria", Text(stands, "green" if answer.met else "yellow"))
    ]
    if answer.HasField("acceptance"):
        kept = answer.acceptance
        lines.append(("accepted", f"{moment(kept.accept_time)} by {kept.accepter.id}"))
    return Group(facts(lines), criteria(answer.criteria))


def accepted(found: onboarding_pb2.Acceptance) -> Group:
    """An acceptance with its evidence."""
    return Group(
        facts([("customer", found.customer_id), ("accepted", _by(found.accept_time, found.accepter))]),
        criteria(found.criteria),
    )


def criteria(found: Sequence[checklist_pb2.AcceptanceCriterion]) -> RenderableType:
    """The criteria of acceptance, each with what shows it or what is missing."""
    return table(
        [Column(""), Column("criterion", long=True)],
        [
            (
                tick(item.met),
                Group(
                    Text(item.criterion_id, "dim"),
                    both(item.evidence_ar, item.evidence_en),
                    *(_evidence(piece) for piece in item.evidence),
                ),
            )
            for item in found
        ],
    )


def _evidence(found: evidence_pb2.Evidence) -> Text:
    return Text(f"  {found.subject}: {_by(found.time, found.actor)}  {found.reference}".rstrip(), "dim")


def connector(found: connector_pb2.Connector) -> Group:
    """One connector with what shows that it is set up."""
    state = field_name(found, "state")
    lines: list[tuple[str, RenderableType | str | int]] = [
        ("connector", f"{found.customer_id} / {found.connector_key}"),
        ("state", both(_STATES.get(state, state), state.lower())),
        ("set up", tick(found.set_up)),
    ]
    if found.HasField("connect_time"):
        lines.append(("connected", _by(found.connect_time, found.connected_by)))
    if found.account_fingerprint:
        lines.append(("account", f"{found.account_fingerprint[:12]}… (a digest)"))
    if found.HasField("opt_in_audit"):
        audit = found.opt_in_audit
        lines.append(
            ("opt-in", f"{audit.opted_in_numbers} numbers, {field_name(audit, 'source').lower() or 'source not said'}")
        )
        lines.append(("audited", f"{_by(audit.audit_time, audit.auditor)}  {audit.reference}"))
    return Group(facts(lines), setup(found))


def observed(answer: connector_service_pb2.RecordConnectorProblemResponse) -> Group:
    """A connector after a problem was observed, with the issue that is open."""
    known = [answer.issue] if answer.HasField("issue") else []
    return Group(connector(answer.connector), issues(known))


def tested(answer: connector_service_pb2.RecordConnectorTestResponse) -> Group:
    """A connector after a test, with the issues that it opened or resolved."""
    return Group(connector(answer.connector), *([issues(answer.issues)] if answer.issues else []))


def setup(found: connector_pb2.Connector) -> RenderableType:
    """The four conditions under which a connector is set up, with their evidence."""
    return table(
        [Column(""), Column("set up when", long=True)],
        [
            (
                tick(item.met),
                Group(
                    both(item.title_ar, item.title_en),
                    *([_evidence(item.evidence)] if item.HasField("evidence") else []),
                    *([] if item.HasField("met") else [Text("  nobody looked yet", "yellow")]),
                ),
            )
            for item in found.setup_criteria
        ],
    )


def events(found: Sequence[connector_pb2.ConnectorEvent]) -> RenderableType:
    """What happened to a customer's connectors, newest first."""
    if not found:
        return Text("no events")
    return table(
        [Column("#", right=True), Column("when"), Column("connector"), Column("what", long=True)],
        [
            (event.number, two_lines(moment(event.occur_time), event.actor.id), event.connector_key, _event(event))
            for event in found
        ],
    )


def _event(event: connector_pb2.ConnectorEvent) -> Group:
    kind = field_name(event, "kind")
    arabic, english = _KINDS.get(kind, (kind, kind.lower()))
    if event.from_state != event.to_state:
        before, after = field_name(event, "from_state"), field_name(event, "to_state")
        arabic = f"{arabic}: من «{_STATES.get(before, before)}» إلى «{_STATES.get(after, after)}»"
        english = f"{before.lower()} → {after.lower()}"
    problem = field_name(event, "problem").lower()
    remarks = [english, *([problem] if problem else []), *(["of an earlier connection"] if event.outdated else [])]
    if event.HasField("test_succeeded"):
        remarks.append("succeeded" if event.test_succeeded else "failed")
    detail = [Prose(event.detail)] if event.detail else []
    return Group(Prose(arabic, arabic=True), Text(", ".join(remarks), "dim"), *detail)


def issues(found: Sequence[connector_pb2.ConnectorIssue]) -> RenderableType:
    """Problems of connectors, those open longest first."""
    if not found:
        return Text("no issues")
    return table(
        [Column("seen", right=True), Column("since"), Column("connector"), Column("what, and what to do", long=True)],
        [
            (
                f"{item.count}×",
                two_lines(moment(item.first_time), f"last {moment(item.last_time)[11:]}"),
                two_lines(item.connector_key, short(item.customer_id, 24)),
                Group(
                    both(item.title_ar, item.title_en),
                    both(item.remedy_ar, item.remedy_en),
                    _standing(item),
                ),
            )
            for item in found
        ],
    )


def _standing(item: connector_pb2.ConnectorIssue) -> Text:
    if item.HasField("resolve_time"):
        return Text(f"resolved {moment(item.resolve_time)}: {item.resolution.replace('_', ' ')}", "green")
    return Text(f"{item.owner} acts" + (", the connection is broken" if item.definitive else ""), "yellow")


def _party(number: int) -> tuple[str, str]:
    name = checklist_pb2.BlockingParty.Name(checklist_pb2.BlockingParty.ValueType(number)).removeprefix(
        "BLOCKING_PARTY_"
    )
    return _PARTIES.get(name, (name, name.lower()))


def _by(time: Timestamp, who: actor_pb2.Actor) -> str:
    return f"{moment(time)} by {who.id}" if who.id else moment(time)


def _days(number: int) -> str:
    return f"{count(number, 'day')} late" if number else ""


def _late(number: int) -> RenderableType:
    return Text(count(number, "day"), "bold red" if number > 1 else "yellow") if number else cell("on time")
