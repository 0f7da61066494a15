"""Every RPC answers, on its service's own port and through the gateway, and says what the business pinned down."""

from __future__ import annotations

import asyncio
import importlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from dealix.common.v1 import channel_pb2, sent_record_pb2, signal_pb2
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.incidents.v1 import incident_pb2
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.onboarding.v1 import connector_pb2
from dealix.onboarding.v1 import connector_service_pb2 as con
from dealix.onboarding.v1 import onboarding_service_pb2 as onb
from dealix.success.v1 import success_pb2
from dealix.success.v1 import success_service_pb2 as suc
from dealix.support.v1 import classification_pb2, sla_pb2, ticket_pb2
from dealix.support.v1 import sla_service_pb2 as sla
from dealix.support.v1 import support_service_pb2 as sup
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.policy import live_send
from tests.contract.test_contract import TWENTY
from tests.rpc import samples
from tests.rpc.client import at_once, refused
from tests.rpc.conftest import DOORS, House, both_doors
from tests.rpc.samples import METHOD_OF, METHODS, SAMPLES

pytestmark = pytest.mark.asyncio(loop_scope="module")

GENERATED = Path(__file__).resolve().parents[2] / "protos" / "generated"
P0, P1, P2, P3 = (classification_pb2.Priority.Value(f"PRIORITY_P{n}") for n in range(4))
SEV1, SEV2, SEV3 = (incident_pb2.Severity.Value(f"SEVERITY_SEV{n}") for n in (1, 2, 3))

# The writes of the services; what the gateway composes of them is tried with it.
WRITES = [method for method in METHODS if method.writes and samples.SERVICE_OF[method.path] != "gateway"]
LISTS = [method for method in METHODS if "page_token" in method.request_class.DESCRIPTOR.fields_by_name]

# Beyond the twenty and the gateway's triage, answers that hold a draft or a step which a person must approve: every other
# answer says that nothing in it waits for an approval.
HOLDS_SOMETHING_TO_APPROVE = {
    "GetSlaHealthReport",
    "ReviewSlaWeek",
    "RunWeeklySlaReview",
    "GetConnectorSummary",
    "DeclareIncident",
    "GetIncident",
    "ListIncidents",
    "ChangeIncidentState",
    "RaiseIncidentSeverity",
    "AssignIncidentRole",
    "UpdatePlanTask",
    "LinkIncident",
    "MarkIncidentDuplicate",
    "AddTimelineNote",
    "RecordIncidentUpdate",
    "SetIncidentClocksPaused",
    "CompleteObligation",
    "WaiveObligation",
    "GetChecklist",
    "ListChecklists",
    "GetOnboarding",
    "ListOnboardings",
    "SetStepBlocker",
    "ClearStepBlocker",
    "RecordRiskReview",
    "DraftStepApproval",
    "DraftConnectorApproval",
    "CreateWeeklyCheckIn",
    "GetWeeklyCheckIn",
    "ListWeeklyCheckIns",
    "CreateAtRiskAlert",
    "HandleTicket",
    "CompleteOnboarding",
    "AssessCustomer",
    "GetCustomerOverview",
    "GetDraft",
    "ListDrafts",
    "ListPendingApprovals",
    "EditDraft",
    "DraftNotice",
    "RaiseTicketPriority",
    "DraftReply",
    "DraftPostMortem",
    "UpdatePostMortem",
    "SubmitPostMortem",
    "ApprovePostMortem",
    "SignOffPostMortem",
    "GetPostMortem",
    "ListPostMortems",
    "UpdateNotice",
    "RecordNoticeFiled",
    "RecordNoticeSupplement",
    "GetNotice",
    "PreviewCommunication",
    "DraftCommunication",
}


@pytest.fixture(params=DOORS)
def ask(request: pytest.FixtureRequest, house: House) -> Any:
    """Asks through one door, and checks on the way that the answer carries both flags."""

    async def ask(message: Message) -> Any:
        answer = await house.ask(request.param, message)
        assert answer.HasField("live_send_allowed")
        assert answer.live_send_allowed is False
        assert answer.HasField("approval_required")
        return answer

    return ask


# --- nothing is forgotten ---------------------------------------------------------------------------------------------


async def test_every_service_of_the_contract_is_served_and_every_rpc_has_a_sample() -> None:
    declared = set()
    for path in GENERATED.glob("dealix/**/*_pb2.py"):
        module = importlib.import_module(".".join(path.relative_to(GENERATED).with_suffix("").parts))
        for service in module.DESCRIPTOR.services_by_name.values():
            declared |= {f"/{service.full_name}/{method.name}" for method in service.methods}
    assert declared == {method.path for method in METHODS}
    assert len(METHOD_OF) == len(METHODS), "two RPCs share a request type"
    assert set(SAMPLES) == set(METHOD_OF)


async def test_the_twenty_are_among_them() -> None:
    assert len(TWENTY) == 20
    assert {f"/dealix.{rpc}" for _, _, rpc, _ in TWENTY} <= {method.path for method in METHODS}


# --- the flags --------------------------------------------------------------------------------------------------------


@both_doors(METHODS)
async def test_every_rpc_answers_and_both_flags_are_there_and_right(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)
    raw = await house.raw(door, method.path, request.SerializeToString())
    assert raw.startswith(live_send.STAMPED_PREFIX), "both flags stand first on the wire"
    answer = method.response_class.FromString(raw)
    assert answer.HasField("live_send_allowed")
    assert answer.live_send_allowed is False
    assert answer.HasField("approval_required")
    twenty = {f"/dealix.{rpc}" for _, _, rpc, _ in TWENTY} | {"/dealix.gateway.v1.GatewayService/TriageIncident"}
    assert answer.approval_required is (method.path in twenty or method.name in HOLDS_SOMETHING_TO_APPROVE)


ZERO_IS_AN_ANSWER = {"progress_pct", "ready_for_first_service", "breach_rate", "total_breached", "blocking_missing"}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("rpc", "fields"), [(row[2], row[3]) for row in TWENTY], ids=[row[2] for row in TWENTY])
async def test_the_twenty_fill_what_the_business_asks_for(house: House, door: str, rpc: str, fields: str) -> None:
    method = next(m for m in METHODS if m.path == f"/dealix.{rpc}")
    answer = await house.ask(door, await house.sample(method))
    for name in fields.split():
        value = answer
        for part in name.split("."):
            value = getattr(value, part)
        assert value or name in ZERO_IS_AN_ANSWER, f"{name} is empty"


# --- onboarding -------------------------------------------------------------------------------------------------------

STEPS = [
    ("select_goal", 2, False, 1),
    ("select_bundle", 3, True, 1),
    ("company_intake", 5, False, 1),
    ("connect_channels", 8, True, 2),
    ("upload_or_source", 5, True, 3),
    ("risk_review", 4, True, 3),
    ("first_service_run", 0, True, 4),
    ("first_proof_pack", 0, False, 5),
]


async def test_a_fresh_checklist_has_eight_steps_and_begins_with_the_goal(ask: Any) -> None:
    created = await ask(samples.checklist_request())
    assert (created.total_steps, created.current_step_id, created.progress_pct) == (8, "select_goal", 0)
    rows = [(s.step_id, s.estimated_minutes, s.needs_approval, s.day) for s in created.steps]
    assert rows == STEPS
    assert [s.number for s in created.steps] == list(range(1, 9))
    assert [s.step_id for s in created.steps if s.asynchronous] == ["first_service_run", "first_proof_pack"]
    assert all(s.title_ar and s.title_en for s in created.steps)


async def test_one_step_of_eight_is_twelve_and_a_half_percent(ask: Any) -> None:
    customer = (await ask(samples.checklist_request())).checklist.customer_id
    after = await ask(samples.step_request(customer, "select_goal", input="المزيد من الاجتماعات"))
    assert (after.progress_pct, after.current_step_id) == (12.5, "select_bundle")
    back = await ask(samples.step_request(customer, "select_goal", completed=False))
    assert (back.progress_pct, back.current_step_id) == (0, "select_goal")


async def test_the_demo_checklist_is_a_checklist_of_eight(ask: Any) -> None:
    demo = await ask(onb.GetDemoChecklistRequest())
    assert [s.step_id for s in demo.steps] == [row[0] for row in STEPS]
    done = sum(s.completed for s in demo.steps)
    assert demo.progress_pct == round(done / 8 * 100, 1)


CONNECTORS = {
    "gmail": ("DRAFT_ONLY", 1, False),
    "google_calendar": ("DRAFT_ONLY", 1, False),
    "google_sheets": ("APPROVED_EXECUTE", 1, False),
    "moyasar": ("MANUAL", 1, False),
    "whatsapp_cloud": ("DRAFT_ONLY", 1, True),
    "website_forms": ("APPROVED_EXECUTE", 1, False),
    "linkedin_lead_forms": ("INGEST_ONLY", 2, False),
    "google_business_profile": ("DRAFT_ONLY", 2, False),
    "crm_generic": ("DRAFT_ONLY", 2, False),
    "google_meet": ("INGEST_ONLY", 2, False),
    "instagram_graph": ("INGEST_ONLY", 3, False),
}


async def test_the_catalogue_has_eleven_connectors(ask: Any) -> None:
    answer = await ask(con.ListConnectorsRequest())
    assert answer.total == 11
    assert {
        c.connector_key: (connector_pb2.ConnectorMode.Name(c.default_mode)[15:], c.phase, c.blocking)
        for c in answer.connectors
    } == CONNECTORS
    assert all(c.live_action_needs_ar and c.live_action_needs_en for c in answer.connectors)


@pytest.mark.parametrize(
    ("statuses", "count", "missing", "ready"),
    [
        ({}, 0, ["whatsapp_cloud"], False),
        ({"gmail": "CONNECTED_DRAFT_ONLY"}, 1, ["whatsapp_cloud"], False),
        ({"whatsapp_cloud": "SKIPPED", "gmail": "CONNECTED_DRAFT_ONLY"}, 1, ["whatsapp_cloud"], False),
        ({"whatsapp_cloud": "FAILED"}, 0, ["whatsapp_cloud"], False),
        ({"whatsapp_cloud": "CONNECTED_DRAFT_ONLY"}, 1, [], True),
        ({"whatsapp_cloud": "CONNECTED_DRAFT_ONLY", "gmail": "CONNECTED_APPROVED_EXECUTE"}, 2, [], True),
    ],
)
async def test_a_summary_counts_what_is_connected_and_names_what_blocks(
    ask: Any, statuses: dict[str, str], count: int, missing: list[str], ready: bool
) -> None:
    request = con.BuildConnectorSummaryRequest(
        statuses=[
            connector_pb2.ConnectorStatus(
                connector_key=key, state=connector_pb2.ConnectorState.Value(f"CONNECTOR_STATE_{state}")
            )
            for key, state in statuses.items()
        ]
    )
    answer = await ask(request)
    assert (answer.connected_count, list(answer.blocking_missing)) == (count, missing)
    assert answer.ready_for_first_service is ready
    assert answer.connected_pct == pytest.approx(count / 11 * 100, abs=0.05)
    assert sum(each.count for each in answer.by_state) == 11


async def test_connecting_at_once_is_recorded_as_both_steps(ask: Any) -> None:
    answer = await ask(samples.connector_request())
    assert list(answer.recorded_states) == [
        connector_pb2.CONNECTOR_STATE_CONFIGURING,
        connector_pb2.CONNECTOR_STATE_CONNECTED_DRAFT_ONLY,
    ]
    assert answer.summary.connected_count == 1
    assert answer.connector.customer_id


# --- support and SLA --------------------------------------------------------------------------------------------------


async def test_four_priorities_with_their_promises_and_owners(ask: Any) -> None:
    answer = await ask(sup.ListPrioritiesRequest())
    assert [
        (p.priority, p.first_response_minutes, p.resolution_hours, p.escalation_owner) for p in answer.priorities
    ] == [
        (P0, 30, 4, "founder"),
        (P1, 120, 24, "operator_oncall"),
        (P2, 480, 72, "operator_oncall"),
        (P3, 1440, 168, "operator_team"),
    ]


# The base lexicon of the business: each must hit.
KEYWORDS = [
    (P0, "أمان · تسريب · إرسال خاطئ · إرسال بدون موافقة · بدون موافقتي · secret · leak · data breach · outage"),
    (P0, "completely down · live charge · charge بدون موافقة · unauthorized"),
    (P1, "service down · خدمة معطلة · service failed · Pilot stopped · Proof Pack مفقود"),
    (P2, "connector · Gmail · Calendar · Sheets · WhatsApp setup · Moyasar invoice"),
    (P3, "سؤال عن الباقات · "),
]


@pytest.mark.parametrize(
    ("priority", "text"), [(priority, text) for priority, row in KEYWORDS for text in row.split(" · ")]
)
async def test_each_base_keyword_gives_its_priority(ask: Any, priority: int, text: str) -> None:
    answer = await ask(sup.ClassifyTicketRequest(text=text))
    assert answer.priority == priority
    assert bool(answer.matched_keyword) is (priority != P3)
    assert answer.reason_ar
    for hit in answer.classification.hits:
        assert text[hit.start : hit.end] == hit.text


PROMISES = [(P0, "30 دقيقة"), (P1, "ساعتين"), (P2, "8"), (P3, "24")]


@pytest.mark.parametrize(("priority", "promise"), PROMISES)
async def test_a_first_response_promises_what_the_sla_does_and_is_a_draft(
    ask: Any, priority: Any, promise: str
) -> None:
    answer = await ask(sup.GetFirstResponseTemplateRequest(priority=priority))
    assert answer.priority == priority
    assert promise in answer.body_ar
    assert answer.body_en
    assert answer.template.draft_state == 1, "drafted, no more"
    assert answer.approval_required is True


@pytest.mark.parametrize(
    ("body", "minimum", "priority", "minutes", "owner"),
    [
        ("تم إرسال رسالة بدون موافقتي", 0, P0, 30, "founder"),
        ("service down", 0, P1, 120, "operator_oncall"),
        ("سؤال عن الفاتورة القادمة", P1, P1, 120, "operator_oncall"),
        ("data breach", P3, P0, 30, "founder"),
    ],
)
async def test_a_routed_ticket_comes_with_its_sla_its_owner_and_its_draft(
    ask: Any, body: str, minimum: Any, priority: int, minutes: int, owner: str
) -> None:
    request = samples.ticket_request(minimum_priority=minimum)
    request.subject, request.body = "", body
    answer = await ask(request)
    assert answer.priority == answer.ticket.priority == answer.sla.priority == priority
    assert (answer.sla.first_response_minutes, answer.ticket.owner) == (minutes, owner)
    assert answer.ticket.ticket_id not in answer.first_response_template.body_ar
    assert answer.first_response_template.priority == priority
    read = await ask(sup.GetTicketRequest(ticket_id=answer.ticket.ticket_id))
    assert read.ticket == answer.ticket
    events = await ask(sla.ListSlaEventsRequest(ticket_id=answer.ticket.ticket_id))
    assert [event.type for event in events.events] == [sla_pb2.SLA_EVENT_TYPE_OPENED]


async def test_a_recorded_first_response_is_kept_as_it_was_sent(ask: Any) -> None:
    ticket = await samples.new_ticket(ask)
    sent = sent_record_pb2.SentRecordInput(
        send_time=samples.timestamp(datetime.now(UTC)),
        channel=channel_pb2.CHANNEL_WHATSAPP,
        sender=samples.PERSON,
        reference="wamid-77",
    )
    answer = await ask(
        sla.RecordSlaEventRequest(
            request_id=str(uuid.uuid4()),
            actor=samples.PERSON,
            ticket_id=ticket.ticket_id,
            type=sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE,
            sent=sent,
        )
    )
    kept = answer.event.sent
    assert (kept.channel, kept.sender, kept.reference) == (sent.channel, sent.sender, sent.reference)
    assert answer.event.type == sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE
    assert answer.ticket.state == ticket_pb2.TICKET_STATE_IN_PROGRESS
    assert answer.ticket.etag != ticket.etag


FIRST, RESOLUTION = sla_pb2.SLA_BREACH_KIND_FIRST_RESPONSE, sla_pb2.SLA_BREACH_KIND_RESOLUTION


@pytest.mark.parametrize(
    ("priority", "minutes", "hours", "kinds"),
    [
        (P0, 30, 4, []),
        (P0, 30.01, 4, [FIRST]),
        (P0, 30, 4.01, [RESOLUTION]),
        (P0, 31, 5, [FIRST, RESOLUTION]),
        (P1, 120, 24, []),
        (P1, 121, None, [FIRST]),
        (P2, 480, 72.5, [RESOLUTION]),
        (P3, 1440, 168, []),
        (P3, None, 169, [RESOLUTION]),
    ],
)
async def test_a_breach_is_more_than_the_target_and_each_is_listed(
    ask: Any, priority: Any, minutes: float | None, hours: float | None, kinds: list[int]
) -> None:
    request = sla.ClassifySlaBreachRequest(priority=priority, first_response_minutes=minutes, resolution_hours=hours)
    answer = await ask(request)
    assert [breach.kind for breach in answer.breaches] == kinds
    assert answer.breached is bool(kinds)


HEALTHY, WATCH, CRITICAL = sla_pb2.SLA_VERDICT_HEALTHY, sla_pb2.SLA_VERDICT_WATCH, sla_pb2.SLA_VERDICT_CRITICAL


@pytest.mark.parametrize(
    ("good", "bad", "not_due", "rate", "verdict"),
    [
        (0, 0, 0, 0, HEALTHY),
        (0, 0, 7, 0, HEALTHY),
        (10, 0, 0, 0, HEALTHY),
        (91, 9, 0, 0.09, HEALTHY),
        (9, 1, 0, 0.10, WATCH),
        (9, 1, 90, 0.10, WATCH),
        (76, 24, 0, 0.24, WATCH),
        (3, 1, 0, 0.25, CRITICAL),
        (0, 1, 0, 1, CRITICAL),
    ],
)
async def test_the_verdict_follows_the_rate_of_breaches(
    ask: Any, good: int, bad: int, not_due: int, rate: float, verdict: int
) -> None:
    kept = sla.SlaTicketFacts(priority=P1, first_response_minutes=60, resolution_hours=2)
    broken = sla.SlaTicketFacts(priority=P1, first_response_minutes=121, resolution_hours=2)
    waiting = sla.SlaTicketFacts(priority=P1, age_minutes=1)
    answer = await ask(sla.BuildSlaHealthReportRequest(tickets=[kept] * good + [broken] * bad + [waiting] * not_due))
    assert (answer.total_tickets, answer.total_breached) == (good + bad + not_due, bad)
    assert answer.breach_rate == pytest.approx(rate)
    assert answer.verdict == verdict
    assert (answer.report.escalate_to_founder, answer.report.hold_live_actions) == ((verdict == CRITICAL),) * 2
    assert sum(each.total for each in answer.by_priority) == answer.total_tickets


async def test_an_open_and_overdue_ticket_counts_as_breached(ask: Any) -> None:
    answer = await ask(sla.BuildSlaHealthReportRequest(tickets=[sla.SlaTicketFacts(priority=P0, age_minutes=31)]))
    assert answer.total_breached == 1
    assert [(breach.kind, breach.open) for breach in answer.report.breaches] == [(FIRST, True)]


async def test_the_stored_report_counts_the_tickets_of_its_customer(ask: Any) -> None:
    first = samples.ticket_request()
    second = samples.ticket_request()
    second.customer_id = first.customer_id
    for request in (first, second):
        await ask(request)
    now = datetime.now(UTC)
    answer = await ask(
        sla.GetSlaHealthReportRequest(
            period_start_time=samples.timestamp(now - timedelta(days=1)),
            period_end_time=samples.timestamp(now + timedelta(days=1)),
            customer_id=first.customer_id,
        )
    )
    assert (answer.report.total_tickets, answer.report.total_breached) == (2, 0)


# --- incidents --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "severity", "rule"),
    [
        ({"affected_customers": 1, "data_leak": True}, SEV1, "DATA_LEAK"),
        ({"affected_customers": 1, "unauthorized_send": True}, SEV1, "UNAUTHORIZED_SEND"),
        ({"affected_customers": 500, "data_leak": True}, SEV1, "DATA_LEAK"),
        ({"affected_customers": 5}, SEV2, "AFFECTED_CUSTOMERS"),
        ({"affected_customers": 4}, SEV3, "DEFAULT"),
        ({"affected_customers": 1}, SEV3, "DEFAULT"),
    ],
)
async def test_triage_follows_the_rules_and_says_which_decided(
    ask: Any, given: dict[str, Any], severity: int, rule: str
) -> None:
    answer = await ask(inc.TriageIncidentRequest(facts=samples.facts(**given)))
    assert answer.severity == answer.severity_details.severity == severity
    assert incident_pb2.TriageRule.Name(answer.triage.decided_by) == f"TRIAGE_RULE_{rule}"
    assert answer.reason_ar


@pytest.mark.parametrize(
    ("severity", "first_action", "updates", "post_mortem"),
    [(SEV1, 15, 30, 24), (SEV2, 30, 60, 48), (SEV3, 120, 240, None)],
)
async def test_a_response_plan_begins_with_the_five_steps_for_all(
    ask: Any, severity: Any, first_action: int, updates: int, post_mortem: int | None
) -> None:
    answer = await ask(inc.GetResponsePlanRequest(severity=severity))
    assert answer.severity == severity
    assert [step.step_id for step in answer.plan[:5]] == [
        "freeze_live_actions",
        "notify_founder_and_oncall",
        "open_incident_channel",
        "review_action_ledger",
        "pdpl_notice",
    ]
    assert "72" in answer.plan_ar[4]
    details = answer.severity_details
    assert (details.first_action_minutes, details.update_interval_minutes) == (first_action, updates)
    assert (details.post_mortem_hours if details.HasField("post_mortem_hours") else None) == post_mortem


async def test_the_gateways_triage_asks_support(house: House) -> None:
    facts = samples.facts(title="تسريب بيانات", affected_customers=1)
    answer = await house.ask("gateway", gw.TriageIncidentRequest(facts=facts))
    assert answer.severity == SEV1
    assert answer.triage.caller_severity == SEV3
    assert answer.support_findings.consulted
    assert signal_pb2.SIGNAL_DATA_LEAK in answer.support_findings.signals


# --- customer success -------------------------------------------------------------------------------------------------


async def test_a_check_in_has_an_agenda_of_five_times_five_minutes_and_speaks_of_the_pipeline(ask: Any) -> None:
    answer = await ask(suc.BuildWeeklyCheckInRequest(metrics=samples.metrics()))
    assert answer.type == success_pb2.CADENCE_TYPE_WEEKLY_CHECK_IN
    assert len(answer.agenda_ar) == 5
    assert [item.minutes for item in answer.check_in.agenda] == [5] * 5
    assert any("Pipeline" in point for point in answer.talking_points_ar)
    written = await ask(samples.check_in_request())
    assert list(written.check_in.talking_points_ar) == list(answer.talking_points_ar)


LOW, MEDIUM, HIGH = (success_pb2.RiskSeverity.Value(f"RISK_SEVERITY_{name}") for name in ("LOW", "MEDIUM", "HIGH"))


@pytest.mark.parametrize(
    ("inactive", "pending", "proof_pack", "score", "severity"),
    [
        (0, 0, 0, 0, LOW),
        (6, 4, 13, 0, LOW),
        (7, 0, 0, 20, LOW),
        (7, 5, 0, 30, MEDIUM),
        (0, 10, 0, 25, LOW),
        (0, 0, 14, 30, MEDIUM),
        (14, 0, 0, 40, MEDIUM),
        (7, 5, 14, 60, HIGH),
        (14, 9, 0, 50, MEDIUM),
        (14, 10, 14, 95, HIGH),
    ],
)
async def test_risk_is_the_sum_of_its_reasons(
    ask: Any, inactive: int, pending: int, proof_pack: int, score: int, severity: int
) -> None:
    answer = await ask(
        suc.BuildAtRiskAlertRequest(days_inactive=inactive, drafts_pending=pending, days_since_proof_pack=proof_pack)
    )
    assert (answer.risk_score, answer.severity) == (score, severity)
    assert sum(reason.points for reason in answer.reasons) == score
    assert len(answer.reasons_ar) == len(answer.reasons)
    assert answer.recommended_action_ar


PLANS = {
    "growth_starter": [1, 3, 7, 14, 30],
    "executive_growth_os": [1, 7, 14, 21, 30],
    "partnership_growth": [1, 5, 10, 14, 30],
    "data_to_revenue": None,
    "local_growth_os": None,
    "full_growth_control_tower": None,
}


@pytest.mark.parametrize(("bundle", "days"), PLANS.items())
async def test_a_success_plan_has_its_days(ask: Any, bundle: str, days: list[int] | None) -> None:
    answer = await ask(suc.BuildSuccessPlanRequest(bundle_id=bundle))
    assert answer.bundle_id == bundle
    found = [milestone.day for milestone in answer.milestones]
    assert found == (days or sorted(found))
    assert (found[0], found[-1]) == (1, 30)
    for lines in (answer.cadence_ar, answer.cadence_en):
        assert [line.split()[:2] for line in (text.replace(":", " ") for text in lines)] == [
            ["Day", str(d)] for d in found
        ]
    assert bundle != "executive_growth_os" or "Founder Shadow Board" in "".join(answer.cadence_ar)


async def test_health_is_the_formula_of_the_business(ask: Any) -> None:
    answer = await ask(
        suc.BuildHealthScoreRequest(
            csat=8, pipeline_sar=10_000, meetings=1, approval_rate=0.5, days_inactive=3, drafts_pending=4
        )
    )
    assert answer.health_score == pytest.approx(8 * 5 + 10 + 8 + 25 - 6 - 4)
    assert answer.verdict == success_pb2.HEALTH_VERDICT_WATCH
    unknown = await ask(suc.BuildHealthScoreRequest())
    assert not unknown.HasField("health_score")
    assert (unknown.verdict, unknown.coverage) == (success_pb2.HEALTH_VERDICT_UNKNOWN, 0)


# --- one effect -------------------------------------------------------------------------------------------------------


async def test_there_are_writes_in_every_service() -> None:
    assert {samples.SERVICE_OF[method.path] for method in WRITES} == {"support", "incidents", "onboarding", "success"}
    assert len(WRITES) >= 8


@both_doors(WRITES)
async def test_a_repeated_write_is_answered_alike_and_done_once(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)
    untouched = house.stored()
    first = await house.raw(door, method.path, request.SerializeToString())
    stored = house.stored()
    service = samples.SERVICE_OF[method.path]
    assert {name for name in stored if stored[name] != untouched[name]} == {service}
    for other_door in DOORS:
        again = await house.raw(other_door, method.path, request.SerializeToString())
        assert again == first, other_door
    capitals = type(request).FromString(request.SerializeToString())
    capitals.request_id = request.request_id.upper()
    assert await house.raw(door, method.path, capitals.SerializeToString()) == first
    assert house.stored() == stored


@pytest.mark.parametrize("method", WRITES, ids=lambda method: method.name)
async def test_of_many_alike_at_once_one_is_done_and_all_are_answered_alike(house: House, method: Any) -> None:
    payload = (await house.sample(method)).SerializeToString()
    answers = await asyncio.gather(*(house.raw(door, method.path, payload) for door in DOORS * 5))
    assert len(set(answers)) == 1
    ledger = samples.LEDGERS[samples.SERVICE_OF[method.path]]
    request_id = method.request_class.FromString(payload).request_id
    head = (await house.direct(ledger.VerifyLedgerRequest())).head.sequence
    listed = await house.direct(ledger.ListLedgerRequest(after_sequence=max(head - 200, 0), page_size=200))
    entries = [entry for entry in listed.entries if entry.request_id == request_id]
    assert entries
    told = {(entry.action, entry.subject, *sorted(entry.attributes.items())) for entry in entries}
    assert len(told) == len(entries), "nothing is told twice"


@both_doors(WRITES)
async def test_a_used_request_id_with_other_content_is_refused(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)
    await house.ask(door, request)
    by_another = type(request).FromString(request.SerializeToString())
    by_another.actor.id = "operator-99"
    of_another = await house.sample(method)
    of_another.request_id = request.request_id
    # The next write of the same service: round the circle each meets another.
    circle = [other for other in WRITES if samples.SERVICE_OF[other.path] == samples.SERVICE_OF[method.path]]
    of_another_kind = await house.sample(circle[(circle.index(method) + 1) % len(circle)])
    of_another_kind.request_id = request.request_id
    stored = house.stored()
    for changed in (by_another, of_another, of_another_kind):
        refusal = await refused(house.ask(door, changed))
        assert (refusal.code.name, refusal.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED"), type(changed).__name__
        assert refusal.metadata["request_id"] == request.request_id
    assert house.stored() == stored


@both_doors([method for method in METHODS if not method.writes])
async def test_a_read_stores_nothing(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)
    stored = house.stored()
    await house.ask(door, request)
    assert house.stored() == stored


# --- pages ------------------------------------------------------------------------------------------------------------


MANY = 40


async def pages(house: House, door: str, request: Any, size: int, at_most: int = 10_000) -> AsyncIterator[Any]:
    """A list's pages of a size, to its end or to the number of them."""
    asked = type(request).FromString(request.SerializeToString())
    asked.page_size = size
    for _ in range(at_most):
        page = await house.ask(door, asked)
        yield page
        if not page.next_page_token:
            return
        asked.page_token = page.next_page_token


def rows_field(method: Any) -> str:
    """The field that holds a list's rows."""
    (name,) = [f.name for f in method.response_class.DESCRIPTOR.fields if f.is_repeated]
    return name


async def test_every_list_is_among_those_tried() -> None:
    unpaged = {m.name for m in METHODS if m.name.startswith("List")} - {m.name for m in LISTS}
    assert unpaged == {"ListPriorities"}


@both_doors(LISTS)
async def test_pages_of_one_row_make_up_the_whole(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)
    if method.name == "ListLedger" and not request.subject:
        # A ledger grows with everything else that is tried: its end is enough.
        head = (await house.ask(door, samples.LEDGERS[samples.SERVICE_OF[method.path]].VerifyLedgerRequest())).head
        request.after_sequence = max(head.sequence - 12, 0)
    name = rows_field(method)
    whole = [row async for page in pages(house, door, request, 200) for row in getattr(page, name)]
    # Of a list without a filter, which holds what every other test made, the beginning is enough.
    single = [page async for page in pages(house, door, request, 1, at_most=MANY)]
    assert [len(getattr(page, name)) for page in single] == [1] * min(len(whole), MANY)
    assert [getattr(page, name)[0] for page in single] == whole[:MANY]
    assert len(whole) >= 3
    assert len({row.SerializeToString(deterministic=True) for row in whole}) == len(whole), "no row twice"


OTHER_VALUES: dict[str, Any] = {
    "customer_id": "cust-other",
    "ticket_id": "tkt_" + "c" * 26,
    "incident_id": "inc_" + "c" * 26,
    "current_step_id": "risk_review",
    "step_id": "risk_review",
    "subject": "ticket/other",
    "action": "ticket.other",
    "after_sequence": 1,
    "owner": "founder",
    "owner_id": "operator-99",
    "within_minutes": 60,
    "connector_key": "moyasar",
}


def with_other_filters(request: Any) -> list[Any]:
    """The same list with each of its filters, in turn, set to another value."""
    found = []
    for field in request.DESCRIPTOR.fields:
        # What the gateway brings along is no filter.
        if field.name in ("page_size", "page_token", "context"):
            continue
        other = type(request).FromString(request.SerializeToString())
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            getattr(other, field.name).CopyFrom(samples.ago(days=30))
        elif field.type == FieldDescriptor.TYPE_ENUM:
            setattr(other, field.name, 1)
        elif field.type == FieldDescriptor.TYPE_BOOL:
            setattr(other, field.name, not getattr(other, field.name))
        else:
            setattr(other, field.name, OTHER_VALUES[field.name])
        found.append(other)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lists(house: House) -> dict[str, bytes]:
    """A request of every list, made once: a token is refused before anything is looked up."""
    return {method.path: (await house.sample(method)).SerializeToString() for method in LISTS}


@both_doors(LISTS)
async def test_a_page_token_of_another_list_is_refused(
    house: House, lists: dict[str, bytes], method: Any, door: str
) -> None:
    request = await house.sample(method)
    request.page_size = 1
    token = (await house.ask(door, request)).next_page_token
    assert token
    foreign = [other.request_class.FromString(lists[other.path]) for other in LISTS if other != method]

    async def of_other_query(asked: Any) -> None:
        asked.page_token = token
        refusal = await refused(house.ask(door, asked))
        assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")
        # Another filter may be no question by itself beside those of the sample, which is said as well.
        assert refusal.fields["page_token"] == "PAGE_TOKEN_OF_OTHER_QUERY"

    await at_once(of_other_query, [*with_other_filters(request), *foreign])
    request.page_size, request.page_token = 2, token
    assert getattr(await house.ask(door, request), rows_field(method)), "a page of another size continues the list"


async def test_what_was_tried_left_every_ledger_intact(house: House) -> None:
    for service, module in samples.LEDGERS.items():
        answer = await house.direct(module.VerifyLedgerRequest())
        assert answer.intact, service
        assert answer.checked > 0, service
