"""How customer success looks to people: plans and their touchpoints, recorded activity, risk and health with what changed."""

from __future__ import annotations

from collections.abc import Sequence

from dealix.success.v1 import activity_pb2, plan_pb2, success_pb2, success_service_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops.names import field_name
from customer_ops.render import Column, Prose, both, count, facts, moment, rank, short, table, two_lines

_KINDS = {
    "PLAN_STEP": "خطوة من الخطة",
    "UPGRADE_TALK": "نقاش الترقية",
    "WEEKLY_CHECK_IN": "المراجعة الأسبوعية",
    "MONTHLY_PROOF_REVIEW": "المراجعة الشهرية",
    "QUARTERLY_BUSINESS_REVIEW": "مراجعة الأعمال الربعية",
    "RENEWAL_30_DAY": "قبل التجديد بثلاثين يومًا",
    "RENEWAL_7_DAY": "قبل التجديد بسبعة أيام",
    "SERVICE_REVIEW": "متابعة مستوى الخدمة",
}
_STATES = {
    "SCHEDULED": ("مجدولة", "dim"),
    "DRAFTED": ("مسودتها جاهزة", "yellow"),
    "HELD": ("موقوفة", "bold yellow"),
    "MISSED": ("فاتت", "red"),
    "COMPLETED": ("تمت", "green"),
    "CANCELLED": ("ملغاة", "dim"),
}
_ACTIVITIES = {
    "SEEN_ACTIVE": "نشاط من العميل",
    "DRAFTS_CREATED": "مسودات عُرضت على العميل",
    "DRAFTS_APPROVED": "مسودات اعتمدها العميل",
    "DRAFTS_REJECTED": "مسودات رفضها العميل",
    "REPLIES": "ردود وصلت",
    "MEETINGS": "اجتماعات رُتّبت",
    "RISKS_BLOCKED": "مخاطر أُوقفت",
    "PROOF_PACK_DELIVERED": "تسليم Proof Pack",
    "PROOF_PACK_APPROVED": "اعتماد Proof Pack",
    "CSAT": "رضا العميل",
    "PIPELINE_SAR": "قيمة الـ Pipeline بالريال",
    "RETRACTED": "سحب حدث سُجّل خطأً",
}
_CHANGES = {
    "ACTIVATED": "تفعيل الخطة",
    "CHANGED": "تغيير بموافقة العميل",
    "RENEWAL_SET": "تحديد موعد التجديد",
    "ENDED": "إنهاء الخطة",
}


# --- plans ------------------------------------------------------------------------------------------------------------


def plan(found: plan_pb2.Plan) -> RenderableType:
    """A plan."""
    return facts(
        [
            ("customer", found.customer_id),
            ("bundle", found.bundle_id),
            ("state", field_name(found, "state").lower()),
            ("from", found.start_date),
            ("renewal", found.renewal_date),
            ("channel", field_name(found, "channel").lower()),
            ("dated until", found.dated_until),
            ("activated", moment(found.activate_time)),
            ("etag", found.etag),
        ]
    )


def plan_with_touchpoints(found: plan_pb2.Plan, touchpoints_: Sequence[plan_pb2.Touchpoint]) -> Group:
    """A plan, and what it is made of."""
    return Group(plan(found), touchpoints(touchpoints_))


def changed_plan(found: plan_pb2.Plan, cancelled: int) -> Group:
    """A plan after a change."""
    return Group(plan(found), Text(f"{count(cancelled, 'open touchpoint')} cancelled"))


def plan_changes(found: Sequence[plan_pb2.PlanChange]) -> RenderableType:
    """The history of a plan, oldest first."""
    if not found:
        return Text("no plan was activated")
    return table(
        [Column("no", right=True), Column("when"), Column("by"), Column("what", long=True)],
        [(one.number, moment(one.record_time), short(one.actor.id, 20), _change(one)) for one in found],
    )


def _change(found: plan_pb2.PlanChange) -> Group:
    name = field_name(found, "kind")
    parts: list[RenderableType] = [
        both(_CHANGES[name], name.lower().replace("_", " ")),
        Text(f"{found.bundle_id}, from {found.start_date}, renewal {found.renewal_date}"),
    ]
    if found.HasField("consent"):
        given = found.consent
        how = field_name(given, "method").lower()
        parts.append(Text(f"consent of {given.contact_id} by {how}, {moment(given.consent_time)}: {given.reference}"))
    if found.note:
        parts.append(Prose(found.note))
    return Group(*parts)


# --- touchpoints ------------------------------------------------------------------------------------------------------


def due(answer: success_service_pb2.ListDueTouchpointsResponse) -> RenderableType:
    """What is due of all customers, longest overdue first."""
    if not answer.touchpoints:
        return Text(f"nothing is due on {answer.as_of_date}")
    return table(
        [Column("due"), Column("late", right=True), Column("customer"), Column("touchpoint", long=True)],
        [
            (
                found.due_date,
                f"{found.days_overdue} d" if found.days_overdue else "",
                two_lines(short(found.customer_id, 24), found.touchpoint_id),
                _touchpoint(found),
            )
            for found in answer.touchpoints
        ],
        title=f"due on {answer.as_of_date}",
    )


def touchpoints(found: Sequence[plan_pb2.Touchpoint]) -> RenderableType:
    """The touchpoints of a customer, by due day."""
    if not found:
        return Text("no touchpoints")
    return table(
        [Column("due"), Column("day", right=True), Column("touchpoint"), Column("what", long=True)],
        [(one.due_date, one.plan_day, one.touchpoint_id, _touchpoint(one)) for one in found],
    )


def touchpoint(found: plan_pb2.Touchpoint) -> Group:
    """One touchpoint with all that is known of it."""
    pairs: list[tuple[str, RenderableType | str | int]] = [
        ("touchpoint", found.touchpoint_id),
        ("customer", found.customer_id),
        ("due", found.due_date),
        ("planned", found.planned_date),
        ("draft", found.draft_id or "not made yet"),
    ]
    if found.HasField("complete_time"):
        pairs.append(("done", f"{moment(found.complete_time)} by {found.completer.id}"))
    if found.note:
        pairs.append(("note", Prose(found.note)))
    if found.reference:
        pairs.append(("reference", found.reference))
    if found.reschedule_reason:
        pairs.append(("moved because", Prose(found.reschedule_reason)))
    pairs.append(("etag", found.etag))
    return Group(_touchpoint(found), facts(pairs))


def _touchpoint(found: plan_pb2.Touchpoint) -> Group:
    kind, state = field_name(found, "kind"), field_name(found, "state")
    said, style = _STATES[state]
    parts: list[RenderableType] = [both(found.title_ar, found.title_en)]
    if kind == "PLAN_STEP":
        parts.insert(0, Prose(_KINDS[kind], "dim", arabic=True))
    parts.append(Text.assemble((state.lower(), style), f" · {kind.lower()}"))
    parts.append(Prose(said, style, arabic=True))
    for reason in found.reasons:
        parts += [Text(reason.kind.replace("_", " "), "bold yellow"), both(reason.text_ar, reason.text_en)]
    return Group(*parts)


# --- activity, risk and health ----------------------------------------------------------------------------------------


def activities(found: Sequence[activity_pb2.Activity]) -> RenderableType:
    """What is on record of a customer, latest first."""
    if not found:
        return Text("nothing is on record")
    return table(
        [Column("when"), Column("event"), Column("how much", right=True), Column("what", long=True)],
        [(moment(one.occur_time), one.activity_id, _amount(one), _activity(one)) for one in found],
    )


def _activity(found: activity_pb2.Activity) -> Group:
    name = field_name(found, "kind")
    parts: list[RenderableType] = [both(_ACTIVITIES[name], name.lower().replace("_", " "))]
    if found.reference:
        parts.append(Text(found.reference, "dim"))
    if found.corrects_activity_id:
        parts.append(Text(f"in the place of {found.corrects_activity_id}", "yellow"))
    if found.corrected_by_activity_id:
        parts.append(Text(f"counts no more: corrected by {found.corrected_by_activity_id}", "red"))
    return Group(*parts)


def _amount(found: activity_pb2.Activity) -> str:
    if found.HasField("value"):
        return f"{found.value:,.10g}"
    return str(found.count) if found.HasField("count") else ""


def at_risk(answer: success_service_pb2.ListAtRiskResponse) -> RenderableType:
    """Who is at risk, worst first."""
    if not answer.customers:
        return Text(f"nobody is at risk on {answer.as_of_date}")
    return table(
        [
            Column("risk"),
            Column("score", right=True),
            Column("week", right=True),
            Column("customer"),
            Column("why", long=True),
        ],
        [
            (
                rank(field_name(found, "severity")),
                _score(found),
                _signed(found.score_change) if found.HasField("score_change") else "?",
                short(found.customer_id, 24),
                Group(*(both(one.text_ar, one.text_en) for one in found.factors if _tells(one))),
            )
            for found in answer.customers
        ],
        title=f"at risk on {answer.as_of_date}",
    )


def _tells(factor: activity_pb2.RiskFactor) -> bool:
    """Whether a factor explains a place on the list: it adds points, or is not known."""
    return factor.points > 0 or not factor.HasField("points")


def _score(found: activity_pb2.CustomerRisk) -> str:
    return f"{found.risk_score}" if found.coverage == 1 else f">= {found.risk_score}"


def customer_risk(found: activity_pb2.CustomerRisk) -> Group:
    """A customer's risk with every factor and what changed in the week."""
    change = _signed(found.score_change) if found.HasField("score_change") else "not known"
    return Group(
        facts(
            [
                ("customer", found.customer_id),
                ("risk", Text.assemble(rank(field_name(found, "severity")), f"  {_score(found)} of 100")),
                ("on", found.as_of_date),
                ("change in a week", f"{change}; it was {field_name(found, 'severity_week_before')}"),
                ("known", f"{found.coverage:.0%} of the factors"),
                *_summary(found.activity),
            ]
        ),
        table(
            [Column("points", right=True), Column("change", right=True), Column("factor"), Column("what", long=True)],
            [
                (
                    _signed(one.points) if one.HasField("points") else "?",
                    _signed(one.points_change) if one.HasField("points_change") else "?",
                    one.factor,
                    both(one.text_ar, one.text_en),
                )
                for one in found.factors
            ],
        ),
        both(found.recommended_action_ar, found.recommended_action_en),
    )


def customer_health(found: activity_pb2.CustomerHealth) -> Group:
    """A customer's health with every factor and what changed in the week."""
    score = f"{found.health_score:g}" if found.HasField("health_score") else "open"
    change = _signed(found.score_change) if found.HasField("score_change") else "not known"
    return Group(
        facts(
            [
                ("customer", found.customer_id),
                ("health", Text.assemble(rank(field_name(found, "verdict")), f"  {score} of 100")),
                ("on", found.as_of_date),
                ("change in a week", f"{change}; it was {field_name(found, 'verdict_week_before')}"),
                ("known", f"{found.coverage:.0%} of the inputs; from {found.score_low:g} to {found.score_high:g}"),
                ("in words", both(found.summary_ar, found.summary_en)),
                *_summary(found.activity),
            ]
        ),
        table(
            [
                Column("points", right=True),
                Column("change", right=True),
                Column("value", right=True),
                Column("factor", long=True),
            ],
            [_health_row(one) for one in found.factors],
        ),
    )


def _health_row(factor: success_pb2.HealthFactor) -> tuple[RenderableType | str, ...]:
    return (
        _signed(factor.points) if factor.HasField("points") else "?",
        _signed(factor.points_change) if factor.HasField("points_change") else "?",
        f"{factor.value:,.10g}" if factor.HasField("value") else "?",
        both(factor.label_ar, factor.label_en),
    )


def _summary(found: activity_pb2.ActivitySummary) -> list[tuple[str, RenderableType | str | int]]:
    packs = "none yet" if found.no_proof_pack_yet else "none on record"
    if found.last_proof_pack_date:
        numbers = f"{found.proof_packs_delivered} delivered, {found.proof_packs_approved} approved"
        packs = f"{numbers}; the last on {found.last_proof_pack_date}"
    return [
        ("last active", found.last_active_date or "not known"),
        ("drafts pending", found.drafts_pending if found.HasField("drafts_pending") else "not known"),
        ("Proof Packs", packs),
    ]


def _signed(number: float) -> str:
    return f"{number:+g}" if number else "0"


# --- alerts and check-ins ---------------------------------------------------------------------------------------------


def alert(answer: success_service_pb2.CreateAtRiskAlertResponse) -> Group:
    """A stored alert with the risk that it tells of."""
    found = answer.alert
    return Group(
        facts([("alert", found.alert_id), ("draft", found.draft_id), ("raised", moment(found.create_time))]),
        customer_risk(answer.risk),
    )


def alerts(found: Sequence[activity_pb2.AtRiskAlert]) -> RenderableType:
    """Stored alerts, newest first."""
    if not found:
        return Text("no alerts")
    return table(
        [Column("raised"), Column("risk"), Column("score", right=True), Column("customer"), Column("draft", long=True)],
        [
            (
                moment(one.create_time),
                rank(field_name(one, "severity")),
                one.risk_score,
                short(one.customer_id, 24),
                two_lines(one.draft_id, f"by {one.actor.id}"),
            )
            for one in found
        ],
    )


def check_ins(found: Sequence[success_pb2.WeeklyCheckIn]) -> RenderableType:
    """Stored check-ins, newest first."""
    if not found:
        return Text("no check-ins")
    return table(
        [Column("week of"), Column("customer"), Column("draft"), Column("what is said", long=True)],
        [
            (
                one.week_start,
                short(one.customer_id, 24),
                two_lines(field_name(one, "draft_state").lower(), one.draft_id),
                both("\n".join(one.talking_points_ar), "\n".join(one.talking_points_en)),
            )
            for one in found
        ],
    )
