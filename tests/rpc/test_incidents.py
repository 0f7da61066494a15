"""The incidents service over a socket: on a SQLite file, and where SQL decides on every engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from dealix.common.v1 import signal_pb2
from dealix.incidents.v1 import incident_pb2 as model
from dealix.incidents.v1 import incident_service_pb2 as pb
from dealix.incidents.v1 import incident_service_pb2_grpc, ledger_service_pb2, ledger_service_pb2_grpc

from services.incidents import store
from services.incidents.service import DEFINITION
from services.runtime.testing import Running, running_service
from services.runtime.wire import timestamp
from services.storage.ledger import fold
from tests.rpc.client import (
    PERSON,
    SATURDAY_EVENING,
    SOFTWARE,
    Clock,
    Refusal,
    ledger_of,
    new_request_id,
    pages,
    refused,
)

SEV1, SEV2, SEV3 = model.SEVERITY_SEV1, model.SEVERITY_SEV2, model.SEVERITY_SEV3
UNKNOWN_ID = "inc_" + "a" * 26
INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")


@dataclass(frozen=True, slots=True)
class Client:
    """A running service with its stubs and its clock."""

    running: Running
    stub: Any
    ledger: Any
    clock: Clock

    async def declare(self, **fields: Any) -> model.Incident:
        """Declares an incident."""
        answer: pb.DeclareIncidentResponse = await self.stub.DeclareIncident(declaration(**fields))
        return answer.incident

    async def entries(self) -> list[Any]:
        """The whole ledger."""
        return await ledger_of(self.ledger, ledger_service_pb2)


@asynccontextmanager
async def started(folder: Path, database_url: str = "") -> AsyncIterator[Client]:
    """The service on a database, or on its file in a folder."""
    clock = Clock()
    async with running_service(
        DEFINITION, database_url=database_url, data_dir=folder, clock=clock, log_level="error"
    ) as running:
        yield Client(
            running,
            incident_service_pb2_grpc.IncidentServiceStub(running.channel),
            ledger_service_pb2_grpc.LedgerServiceStub(running.channel),
            clock,
        )


@pytest.fixture
async def incidents(tmp_path: Path) -> AsyncIterator[Client]:
    async with started(tmp_path) as client:
        yield client


@pytest.fixture
async def on_each_engine(tmp_path: Path, database_url: str) -> AsyncIterator[Client]:
    async with started(tmp_path, database_url) as client:
        yield client


def facts(title: str = "الربط متوقف", affected: int = 1, **fields: Any) -> model.TriageFacts:
    """Facts of a triage."""
    return model.TriageFacts(title=title, affected_customers=affected, **fields)


def declaration(**fields: Any) -> pb.DeclareIncidentRequest:
    """A declaration by a person of a SEV3, but for what is given."""
    return pb.DeclareIncidentRequest(
        **{"request_id": new_request_id(), "actor": PERSON, "facts": facts(), **fields},
    )


def found(*signals: int, customers: int = 0) -> model.SupportFindings:
    """What support found."""
    return model.SupportFindings(consulted=True, signals=signals, distinct_customers=customers)


LEAK, SEND, OUTAGE = signal_pb2.SIGNAL_DATA_LEAK, signal_pb2.SIGNAL_UNAUTHORIZED_SEND, signal_pb2.SIGNAL_OUTAGE


@pytest.mark.parametrize(
    ("given", "findings", "severity", "rule", "caller", "proposed"),
    [
        (facts(), None, SEV3, "DEFAULT", SEV3, 0),
        (facts(affected=4), None, SEV3, "DEFAULT", SEV3, 0),
        (facts(affected=5), None, SEV2, "AFFECTED_CUSTOMERS", SEV2, 0),
        (facts(data_leak=True), None, SEV1, "DATA_LEAK", SEV1, 0),
        (facts(unauthorized_send=True), None, SEV1, "UNAUTHORIZED_SEND", SEV1, 0),
        (facts(affected=900, unauthorized_send=True), None, SEV1, "UNAUTHORIZED_SEND", SEV1, 0),
        (facts(), found(LEAK), SEV1, "SUPPORT_DATA_LEAK", SEV3, 0),
        (facts(), found(SEND), SEV1, "SUPPORT_UNAUTHORIZED_SEND", SEV3, 0),
        (facts(), found(customers=5), SEV2, "SUPPORT_AFFECTED_CUSTOMERS", SEV3, 0),
        (facts(), found(customers=4), SEV3, "DEFAULT", SEV3, 0),
        (facts(), found(OUTAGE), SEV2, "SUPPORT_OUTAGE", SEV3, SEV1),
        (facts(data_leak=True), found(OUTAGE), SEV1, "DATA_LEAK", SEV1, 0),
        (facts(data_leak=True), found(signal_pb2.SIGNAL_BILLING), SEV1, "DATA_LEAK", SEV1, 0),
    ],
)
async def test_triage_tells_what_decided_and_support_only_raises(
    incidents: Client,
    given: model.TriageFacts,
    findings: model.SupportFindings | None,
    severity: int,
    rule: str,
    caller: int,
    proposed: int,
) -> None:
    answer = await incidents.stub.TriageIncident(pb.TriageIncidentRequest(facts=given, support_findings=findings))
    triage = answer.triage
    assert triage.severity == severity
    assert model.TriageRule.Name(triage.decided_by) == f"TRIAGE_RULE_{rule}"
    assert triage.caller_severity == caller
    assert triage.proposed_severity == proposed
    assert bool(triage.proposal_reason_ar and triage.proposal_reason_en) == bool(proposed)
    assert triage.support_consulted == (findings is not None)
    assert triage.rules[0].rule == triage.decided_by
    assert answer.severity == triage.severity == triage.severity_details.severity
    assert answer.reason_ar == triage.reason_ar != triage.reason_en
    assert answer.severity_details == triage.severity_details


async def test_triage_says_that_support_was_not_consulted_and_goes_by_the_facts(incidents: Client) -> None:
    asked = pb.TriageIncidentRequest(facts=facts(), support_findings=found())
    silent = pb.TriageIncidentRequest(facts=facts(), support_findings=model.SupportFindings(consulted=False))
    consulted, alone = [(await incidents.stub.TriageIncident(request)).triage for request in (asked, silent)]
    assert not alone.support_consulted
    assert alone.severity == consulted.severity
    assert alone.reason_ar.startswith(consulted.reason_ar)
    assert alone.reason_ar != consulted.reason_ar


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (pb.TriageIncidentRequest(), {"facts": "REQUIRED"}),
        (
            pb.TriageIncidentRequest(facts=facts(title="", affected=0)),
            {"facts.title": "STRING_MIN_LEN", "facts.affected_customers": "INT32_GTE_LTE"},
        ),
        (pb.TriageIncidentRequest(facts=facts(affected=-3)), {"facts.affected_customers": "INT32_GTE_LTE"}),
        (pb.TriageIncidentRequest(facts=facts(title=" \u200f ")), {"facts.title": "REQUIRED"}),
        (pb.TriageIncidentRequest(facts=facts(title="a\0b")), {"facts.title": "STRING_PATTERN"}),
        (
            pb.TriageIncidentRequest(
                facts=facts(title=" "), support_findings=model.SupportFindings(distinct_customers=2)
            ),
            {"facts.title": "REQUIRED", "support_findings.consulted": "CONTRADICTION"},
        ),
    ],
)
async def test_triage_names_every_faulty_field_at_once(
    incidents: Client, request_: pb.TriageIncidentRequest, fields: dict[str, str]
) -> None:
    refusal = await refused(incidents.stub.TriageIncident(request_))
    assert (refusal.code, refusal.reason) == INVALID
    assert refusal.fields == fields


COMMON = [
    "freeze_live_actions",
    "notify_founder_and_oncall",
    "open_incident_channel",
    "review_action_ledger",
    "pdpl_notice",
]


@pytest.mark.parametrize(
    ("severity", "first_action", "updates", "post_mortem"),
    [(SEV1, 15, 30, 24), (SEV2, 30, 60, 48), (SEV3, 120, 240, None)],
)
async def test_a_plan_begins_with_the_five_steps_for_all(
    incidents: Client, severity: model.Severity, first_action: int, updates: int, post_mortem: int | None
) -> None:
    answer = await incidents.stub.GetResponsePlan(pb.GetResponsePlanRequest(severity=severity))
    details = answer.severity_details
    assert answer.severity == details.severity == severity
    assert [step.step_id for step in answer.plan[:5]] == COMMON
    assert len(answer.plan) > 5
    assert [step.number for step in answer.plan] == list(range(1, len(answer.plan) + 1))
    assert list(answer.plan_ar) == [step.text_ar for step in answer.plan]
    assert list(answer.plan_en) == [step.text_en for step in answer.plan]
    assert (details.first_action_minutes, details.update_interval_minutes) == (first_action, updates)
    assert (details.post_mortem_hours if details.HasField("post_mortem_hours") else None) == post_mortem
    freeze, *_, notice = answer.plan[:5]
    assert freeze.HasField("due_minutes")
    assert freeze.due_minutes == 0
    assert (notice.due_minutes, notice.due_from) == (72 * 60, model.PLAN_STEP_CLOCK_AWARE)
    assert notice.condition == model.PLAN_STEP_CONDITION_DATA_LEAKED


@pytest.mark.parametrize("severity", [0, 4])
async def test_an_unknown_severity_has_no_plan(incidents: Client, severity: Any) -> None:
    refusal = await refused(incidents.stub.GetResponsePlan(pb.GetResponsePlanRequest(severity=severity)))
    assert (refusal.code, refusal.reason) == INVALID
    assert list(refusal.fields) == ["severity"]


async def test_a_declared_incident_is_kept_as_it_was_answered(on_each_engine: Client) -> None:
    aware = SATURDAY_EVENING - timedelta(hours=3)
    ticket_id = "tkt_" + "b" * 26
    declared = await on_each_engine.declare(
        facts=facts("تسريب بيانات", 2, description="قائمة عملاء", data_leak=True),
        support_findings=found(OUTAGE, SEND, customers=9),
        customer_ids=["acme", "zain-7"],
        ticket_ids=[ticket_id],
        channel="whatsapp_cloud",
        drill=True,
        aware_time=timestamp(aware),
    )
    answer = await on_each_engine.stub.GetIncident(pb.GetIncidentRequest(incident_id=declared.incident_id))
    assert answer.incident == declared
    assert declared.state == model.INCIDENT_STATE_DECLARED
    assert declared.severity == SEV1
    assert (declared.title, declared.description) == ("تسريب بيانات", "قائمة عملاء")
    assert (list(declared.customer_ids), list(declared.ticket_ids)) == (["acme", "zain-7"], [ticket_id])
    assert (declared.channel, declared.drill) == ("whatsapp_cloud", True)
    assert (declared.data_leak, declared.unauthorized_send) == (True, True)
    assert declared.triage.affected_customers == 9
    assert declared.aware_time == timestamp(aware)
    assert declared.create_time == declared.update_time
    assert declared.etag
    plan = await on_each_engine.stub.GetResponsePlan(pb.GetResponsePlanRequest(severity=SEV1))
    assert declared.plan == plan.plan
    (line,) = answer.timeline
    assert (line.number, line.kind, line.severity, line.actor) == (1, "declared", SEV1, PERSON)
    assert line.occur_time == line.record_time == declared.create_time


async def test_dealix_is_aware_from_the_declaration_on_where_nobody_says_earlier(incidents: Client) -> None:
    declared = await incidents.declare()
    assert declared.aware_time == declared.create_time


async def test_a_person_raises_a_severity_with_a_reason_and_the_timeline_tells(incidents: Client) -> None:
    raised = await incidents.declare(raise_severity_to=SEV1, raise_reason="العميل الأكبر متأثر")
    answer = await incidents.stub.GetIncident(pb.GetIncidentRequest(incident_id=raised.incident_id))
    assert (raised.severity, raised.triage.severity) == (SEV1, SEV3)
    assert [step.step_id for step in raised.plan][:5] == COMMON
    assert raised.plan[1].due_minutes == 15
    assert [(line.number, line.kind, line.severity) for line in answer.timeline] == [
        (1, "declared", SEV3),
        (2, "severity_raised", SEV1),
    ]
    assert "العميل الأكبر متأثر" in answer.timeline[1].text


FUTURE = timestamp(SATURDAY_EVENING + timedelta(hours=1))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"facts": facts(affected=5), "raise_severity_to": SEV3, "raise_reason": "لا يستدعي"},
            Refusal(*INVALID, {}, {"raise_severity_to": "SEVERITY_LOWERED"}),
        ),
        (
            {"raise_severity_to": SEV2, "raise_reason": "  ", "aware_time": FUTURE},
            Refusal(*INVALID, {}, {"raise_reason": "REQUIRED", "aware_time": "IN_FUTURE"}),
        ),
        (
            {"facts": facts(title=" "), "aware_time": FUTURE},
            Refusal(*INVALID, {}, {"facts.title": "REQUIRED", "aware_time": "IN_FUTURE"}),
        ),
        (
            {"actor": SOFTWARE, "raise_severity_to": SEV1, "raise_reason": "x"},
            Refusal(grpc.StatusCode.PERMISSION_DENIED, "PERSON_REQUIRED", {"action": "raise_severity"}),
        ),
        (
            {"request_id": "7", "customer_ids": ["a", "a"], "channel": "What's up"},
            Refusal(
                *INVALID,
                {},
                {"request_id": "STRING_UUID", "customer_ids": "REPEATED_UNIQUE", "channel": "STRING_PATTERN"},
            ),
        ),
    ],
)
async def test_a_refused_declaration_leaves_nothing_behind(
    incidents: Client, given: dict[str, Any], expected: Refusal
) -> None:
    assert await refused(incidents.stub.DeclareIncident(declaration(**given))) == expected
    assert not (await incidents.stub.ListIncidents(pb.ListIncidentsRequest())).incidents
    assert not await incidents.entries()


async def test_software_declares_at_the_triaged_severity(incidents: Client) -> None:
    declared = await incidents.declare(actor=SOFTWARE, facts=facts(unauthorized_send=True), raise_severity_to=SEV1)
    assert declared.severity == SEV1


async def test_the_same_declaration_twice_is_one_incident(on_each_engine: Client) -> None:
    request = declaration(customer_ids=["acme"])
    first = await on_each_engine.stub.DeclareIncident(request)
    on_each_engine.clock.pass_time(timedelta(hours=1))
    assert await on_each_engine.stub.DeclareIncident(request) == first
    refusal = await refused(
        on_each_engine.stub.DeclareIncident(declaration(request_id=request.request_id, customer_ids=["other"]))
    )
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert refusal.metadata == {"request_id": request.request_id}
    assert list((await on_each_engine.stub.ListIncidents(pb.ListIncidentsRequest())).incidents) == [first.incident]
    assert [entry.action for entry in await on_each_engine.entries()] == ["incident.declared"]


async def test_an_unknown_incident_is_not_found(incidents: Client) -> None:
    assert await refused(incidents.stub.GetIncident(pb.GetIncidentRequest(incident_id=UNKNOWN_ID))) == Refusal(
        grpc.StatusCode.NOT_FOUND, "INCIDENT_NOT_FOUND", {"incident_id": UNKNOWN_ID}
    )


# Title, severity and customers of what is listed, in the order of declaration.
DECLARED: list[tuple[str, dict[str, Any]]] = [
    ("a", {"facts": facts("a"), "customer_ids": ["acme"]}),
    ("b", {"facts": facts("b", 5), "customer_ids": ["acme", "zain"]}),
    ("c", {"facts": facts("c", data_leak=True), "customer_ids": ["zain"]}),
    ("d", {"facts": facts("d", 8)}),
    ("e", {"facts": facts("e"), "customer_ids": ["acme"]}),
]


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [
        ({}, "edcba"),
        ({"severity": SEV2}, "db"),
        ({"customer_id": "acme"}, "eba"),
        ({"customer_id": "acme", "severity": SEV3}, "ea"),
        ({"customer_id": "nobody"}, ""),
        ({"open_only": True}, "edcba"),
        ({"open_only": True, "customer_id": "zain", "severity": SEV1}, "c"),
        ({"state": model.INCIDENT_STATE_DECLARED}, "edcba"),
        ({"state": model.INCIDENT_STATE_CLOSED}, ""),
    ],
)
async def test_lists_hold_what_was_asked_for_newest_first_whatever_the_page(
    on_each_engine: Client, wanted: dict[str, Any], titles: str
) -> None:
    for _, given in DECLARED:
        await on_each_engine.declare(**given)
    for size in (0, 1, 2):
        seen = [
            incident.title
            async for page in pages(
                lambda token, size=size: on_each_engine.stub.ListIncidents(
                    pb.ListIncidentsRequest(page_size=size, page_token=token, **wanted)
                )
            )
            for incident in page.incidents
        ]
        assert "".join(seen) == titles


async def test_a_page_token_belongs_to_its_list(incidents: Client) -> None:
    for _, given in DECLARED[:2]:
        await incidents.declare(**given)
    first = await incidents.stub.ListIncidents(pb.ListIncidentsRequest(page_size=1))
    for request, reason in (
        (pb.ListIncidentsRequest(page_token=first.next_page_token, open_only=True), "PAGE_TOKEN_OF_OTHER_QUERY"),
        (pb.ListIncidentsRequest(page_token="bm90IGEgdG9rZW4"), "PAGE_TOKEN_INVALID"),
    ):
        refusal = await refused(incidents.stub.ListIncidents(request))
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"page_token": reason})


def breach(**fields: Any) -> pb.RecordPolicyBreachRequest:
    """A breach that the gateway saw."""
    return pb.RecordPolicyBreachRequest(
        **{
            "request_id": new_request_id(),
            "actor": SOFTWARE,
            "service": "support",
            "method": "/dealix.support.v1.SupportService/RouteTicket",
            "kind": model.POLICY_BREACH_KIND_FLAG_ABSENT,
            **fields,
        }
    )


@pytest.mark.parametrize("kind", [kind for kind in model.PolicyBreachKind.values() if kind])
async def test_a_policy_breach_stands_in_the_ledger(incidents: Client, kind: model.PolicyBreachKind) -> None:
    await incidents.declare()
    request = breach(kind=kind)
    answer = await incidents.stub.RecordPolicyBreach(request)
    assert await incidents.stub.RecordPolicyBreach(request) == answer
    _, entry = await incidents.entries()
    assert answer.ledger_sequence == entry.sequence == 2
    assert (entry.action, entry.subject, entry.actor) == ("policy.breached", "service/support", SOFTWARE)
    assert dict(entry.attributes) == {
        "service": "support",
        "method": "/dealix.support.v1.SupportService/RouteTicket",
        "kind": model.PolicyBreachKind.Name(kind).removeprefix("POLICY_BREACH_KIND_"),
    }


async def test_the_longest_method_that_the_contract_takes_fits_the_ledger(incidents: Client) -> None:
    method = f"/{'p' * 120}/{'m' * 76}"
    assert (await incidents.stub.RecordPolicyBreach(breach(method=method))).ledger_sequence == 1


@pytest.mark.parametrize(
    ("field", "value"), [("kind", 0), ("kind", 9), ("service", "Support"), ("method", "RouteTicket"), ("actor", None)]
)
async def test_a_breach_that_names_nothing_is_refused(incidents: Client, field: str, value: Any) -> None:
    refusal = await refused(incidents.stub.RecordPolicyBreach(breach(**{field: value})))
    assert (refusal.code, refusal.reason, list(refusal.fields)) == (*INVALID, [field])


async def test_the_ledger_folds_to_what_the_tables_hold(on_each_engine: Client) -> None:
    for _, given in DECLARED:
        await on_each_engine.declare(**given)
    await on_each_engine.declare(drill=True, channel="gmail", raise_severity_to=SEV1, raise_reason="تمرين")
    await on_each_engine.stub.RecordPolicyBreach(breach())
    stored = await on_each_engine.running.service.database.read(
        lambda tx: store.page_of_incidents(tx, store.IncidentFilter(), None, 100)
    )
    state = fold(await on_each_engine.entries())
    state.pop("service/support")
    told = {
        subject.removeprefix("incident/"): {
            name: kept[name] for name in ("severity", "state", "revision", "channel", "drill", "data_leak")
        }
        for subject, kept in state.items()
    }
    assert len(stored) == len(DECLARED) + 1
    assert told == {
        i.incident_id: {
            "severity": i.severity.value,
            "state": i.state.value,
            "revision": str(i.revision),
            "channel": i.channel,
            "drill": str(i.drill).lower(),
            "data_leak": str(i.data_leak).lower(),
        }
        for i in stored
    }


async def test_the_ledger_is_intact_and_holds_no_text_of_people(incidents: Client) -> None:
    await incidents.declare(
        facts=facts("secret-title", description="secret-description"), raise_severity_to=SEV1, raise_reason="secret-why"
    )
    verified = await incidents.ledger.VerifyLedger(ledger_service_pb2.VerifyLedgerRequest())
    assert (verified.intact, verified.checked) == (True, 1)
    assert "secret" not in str(await incidents.entries())


async def test_incidents_outlive_the_process(tmp_path: Path) -> None:
    request = declaration(customer_ids=["acme"], raise_severity_to=SEV2, raise_reason="x")
    async with started(tmp_path) as before:
        answer = await before.stub.DeclareIncident(request)
        asked = pb.GetIncidentRequest(incident_id=answer.incident.incident_id)
        known = await before.stub.GetIncident(asked)
    async with started(tmp_path) as after:
        assert await after.stub.GetIncident(asked) == known
        assert await after.stub.DeclareIncident(request) == answer


async def test_every_answer_says_that_nothing_is_sent(incidents: Client) -> None:
    declared = await incidents.stub.DeclareIncident(declaration())
    answers = {
        True: [
            await incidents.stub.TriageIncident(pb.TriageIncidentRequest(facts=facts())),
            await incidents.stub.GetResponsePlan(pb.GetResponsePlanRequest(severity=SEV1)),
            # They hold the response plan too.
            declared,
            await incidents.stub.GetIncident(pb.GetIncidentRequest(incident_id=declared.incident.incident_id)),
            await incidents.stub.ListIncidents(pb.ListIncidentsRequest()),
        ],
        False: [
            await incidents.stub.ListIncidents(pb.ListIncidentsRequest(customer_id="nobody")),
            await incidents.stub.RecordPolicyBreach(breach()),
            await incidents.ledger.ListLedger(ledger_service_pb2.ListLedgerRequest()),
            await incidents.ledger.VerifyLedger(ledger_service_pb2.VerifyLedgerRequest()),
        ],
    }
    for approval, of_kind in answers.items():
        for answer in of_kind:
            assert answer.HasField("live_send_allowed"), answer
            assert answer.live_send_allowed is False, answer
            assert answer.HasField("approval_required"), answer
            assert answer.approval_required is approval, answer


async def test_no_list_sorts_or_reads_a_whole_table(tmp_path: Path) -> None:
    async with started(tmp_path):
        pass
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'incidents.db'}")
    names = ["severity", "state", "is_open", "customer_id", "after_us"]
    values = {"severity": "SEV1", "state": "closed", "is_open": 1, "customer_id": "c", "after_us": 1, "after_id": "i"}
    with engine.connect() as connection:
        for bits in range(1 << len(names)):
            chosen = frozenset(name for place, name in enumerate(names) if bits >> place & 1)
            statement = store._list_statement(chosen).compile(engine)
            wanted = {**statement.params, **values, "limit": 50}
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", tuple(wanted[name] for name in statement.positiontup or ())
            )
            steps = " | ".join(row.detail for row in plan)
            assert "TEMP B-TREE" not in steps, (chosen, steps)
            assert "USING" in steps, (chosen, steps)
    engine.dispose()
