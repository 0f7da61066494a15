"""The gateway in front of real services, and in front of services that break the rules."""

from __future__ import annotations

import asyncio
import time
import uuid

import grpc
import pytest
from dealix.common.v1 import actor_pb2
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.gateway.v1 import gateway_service_pb2_grpc as gw_rpc
from dealix.incidents.v1 import incident_pb2
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.incidents.v1 import incident_service_pb2_grpc as inc_rpc
from dealix.incidents.v1 import ledger_service_pb2 as inc_ledger
from dealix.incidents.v1 import ledger_service_pb2_grpc as inc_ledger_rpc
from dealix.support.v1 import support_service_pb2 as sup
from dealix.support.v1 import support_service_pb2_grpc as sup_rpc
from google.rpc import error_details_pb2, status_pb2

from services.runtime.testing import running_service
from tests.gateway.conftest import backend, gateway_at
from tests.rpc.client import refused

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1")
SEV1, SEV2, SEV3 = incident_pb2.SEVERITY_SEV1, incident_pb2.SEVERITY_SEV2, incident_pb2.SEVERITY_SEV3
LEAK = "ظهرت بيانات عميل آخر في حسابنا، تسريب بيانات"
OUTAGE = "complete outage, everything is completely down"
HARMLESS = "متى موعد الاجتماع القادم؟"


def info_of(error):
    info = error_details_pb2.ErrorInfo()
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert status_pb2.Status.FromString(packed).details[0].Unpack(info)
    return info


def route(customer: str, body: str, **fields):
    return sup.RouteTicketRequest(request_id=str(uuid.uuid4()), actor=PERSON, customer_id=customer, body=body, **fields)


def facts(title: str, customers: int = 1, **fields):
    return gw.TriageIncidentRequest(facts=incident_pb2.TriageFacts(title=title, affected_customers=customers, **fields))


async def test_a_service_is_called_through_the_gateway_with_its_own_stub(front):
    stub = sup_rpc.SupportServiceStub(front.channel)
    direct = sup_rpc.SupportServiceStub(front.services["support"].channel)
    opened = await stub.RouteTicket(route("c-1", LEAK))
    assert (await direct.GetTicket(sup.GetTicketRequest(ticket_id=opened.ticket.ticket_id))).ticket == opened.ticket
    assert opened.HasField("live_send_allowed")
    assert not opened.live_send_allowed
    assert opened.approval_required


async def test_a_refusal_passes_with_its_code_reason_and_details(front):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sup_rpc.SupportServiceStub(front.channel).GetTicket(sup.GetTicketRequest(ticket_id="tkt_" + "a" * 26))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    info = info_of(caught.value)
    assert info.reason == "TICKET_NOT_FOUND"
    assert info.metadata["ticket_id"] == "tkt_" + "a" * 26
    assert info.metadata["live_send_allowed"] == "false"


@pytest.mark.parametrize(
    ("title", "customers", "said", "severity", "caller", "rule", "proposed"),
    [
        (HARMLESS, 1, {}, SEV3, SEV3, "DEFAULT", 0),
        (HARMLESS, 5, {}, SEV2, SEV2, "AFFECTED_CUSTOMERS", 0),
        (HARMLESS, 1, {"data_leak": True}, SEV1, SEV1, "DATA_LEAK", 0),
        (LEAK, 1, {}, SEV1, SEV3, "SUPPORT_DATA_LEAK", 0),
        ("تم إرسال الحملة بدون موافقة", 1, {}, SEV1, SEV3, "SUPPORT_UNAUTHORIZED_SEND", 0),
        (OUTAGE, 1, {}, SEV2, SEV3, "SUPPORT_OUTAGE", SEV1),
    ],
)
async def test_what_support_finds_in_the_text_raises_the_severity(
    front, title, customers, said, severity, caller, rule, proposed
):
    answer = await gw_rpc.GatewayServiceStub(front.channel).TriageIncident(facts(title, customers, **said))
    assert answer.severity == severity
    assert answer.triage.caller_severity == caller
    assert incident_pb2.TriageRule.Name(answer.triage.decided_by) == f"TRIAGE_RULE_{rule}"
    assert answer.triage.proposed_severity == proposed
    assert answer.support_findings.consulted
    assert answer.facts.title == title
    assert answer.reason_ar
    assert answer.severity_details.severity == severity
    assert answer.HasField("live_send_allowed")
    assert not answer.live_send_allowed
    assert answer.approval_required


@pytest.mark.parametrize("said", ["data_leak", "unauthorized_send"])
async def test_a_text_that_support_cannot_read_does_not_hold_up_what_the_caller_says_is_grave(front, said):
    answer = await gw_rpc.GatewayServiceStub(front.channel).TriageIncident(
        facts(HARMLESS, description="\ufdfa" * 3_000, **{said: True})
    )
    assert answer.severity == SEV1
    assert not answer.support_findings.consulted
    assert not answer.triage.support_consulted


async def test_a_blank_title_is_named_beside_a_text_that_support_cannot_read(front):
    stub = gw_rpc.GatewayServiceStub(front.channel)
    refusal = await refused(stub.TriageIncident(facts("\u200b", description="\ufdfa" * 3_000)))
    assert refusal.fields == {"facts.title": "REQUIRED", "facts.description": "TEXT_TOO_LONG"}


async def test_customers_are_counted_from_open_tickets_with_the_same_signals(front):
    support = sup_rpc.SupportServiceStub(front.channel)
    for number in range(5):
        for _ in range(2):  # two tickets of one customer are one customer
            await support.RouteTicket(route(f"c-{number}", "our service down since morning"))
    await support.RouteTicket(route("c-other", HARMLESS))
    answer = await gw_rpc.GatewayServiceStub(front.channel).TriageIncident(facts("service down"))
    assert answer.support_findings.open_tickets == 10
    assert answer.support_findings.distinct_customers == 5
    assert len(answer.support_findings.ticket_ids) == 10
    assert answer.severity == SEV2
    assert answer.triage.affected_customers == 5


async def test_without_support_it_triages_on_the_callers_facts_and_says_so(tmp_path):
    from services.incidents.service import DEFINITION

    async with (
        running_service(DEFINITION, data_dir=tmp_path) as incidents,
        gateway_at({"incidents": incidents.address}) as front,
    ):
        stub = gw_rpc.GatewayServiceStub(front.channel)
        answer = await stub.TriageIncident(facts(LEAK, 5), timeout=10)
        assert answer.severity == SEV2
        assert not answer.support_findings.consulted
        assert not answer.triage.support_consulted
        assert [(part.name, part.reason) for part in answer.parts] == [("signals", "UPSTREAM_UNAVAILABLE")]
        status = await stub.GetStatus(gw.GetStatusRequest())
        assert {s.service: s.serving for s in status.services} == {
            "support": False,
            "incidents": True,
            "onboarding": False,
            "success": False,
        }


async def test_a_support_that_hangs_leaves_time_for_the_triage(tmp_path):
    from services.incidents.service import DEFINITION

    async def hang(*_):
        await asyncio.Event().wait()

    async with (
        running_service(DEFINITION, data_dir=tmp_path) as incidents,
        backend(hang) as support,
        gateway_at({"incidents": incidents.address, "support": support}) as front,
    ):
        answer = await gw_rpc.GatewayServiceStub(front.channel).TriageIncident(facts(HARMLESS), timeout=3)
        assert answer.severity == SEV3
        assert not answer.support_findings.consulted


@pytest.mark.parametrize(("title", "severity", "rule"), [(LEAK, SEV1, "DATA_LEAK"), (OUTAGE, SEV2, "OUTAGE")])
@pytest.mark.parametrize("hangs", [False, True])
async def test_what_support_read_decides_when_it_does_not_count_its_tickets(front, hangs, title, severity, rule):
    async def counts_not(path, payload, context):
        if not path.endswith("SummarizeSignals"):
            return await front.services["support"].channel.unary_unary(path)(payload)
        if hangs:
            await asyncio.Event().wait()
        return await context.abort(grpc.StatusCode.UNAVAILABLE, "")

    targets = {name: running.address for name, running in front.services.items()}
    async with backend(counts_not) as support, gateway_at({**targets, "support": support}) as half:
        answer = await gw_rpc.GatewayServiceStub(half.channel).TriageIncident(facts(title), timeout=3)
    assert answer.severity == severity
    assert incident_pb2.TriageRule.Name(answer.triage.decided_by) == f"TRIAGE_RULE_SUPPORT_{rule}"
    assert answer.support_findings.consulted
    reason = "UPSTREAM_TIMEOUT" if hangs else "UPSTREAM_UNAVAILABLE"
    assert [(part.name, part.state, part.reason) for part in answer.parts] == [
        ("signals", gw.PART_STATE_ANSWERED, ""),
        ("related_tickets", gw.PART_STATE_FAILED, reason),
    ]


async def test_without_incidents_a_triage_says_which_service_is_away(tmp_path):
    async with gateway_at({}) as front:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gw_rpc.GatewayServiceStub(front.channel).TriageIncident(facts(HARMLESS), timeout=3)
        info = info_of(caught.value)
        assert (caught.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE")
        assert info.metadata["service"] == "incidents"


def _allowed(response):
    response.live_send_allowed = True
    return response.SerializeToString()


GARBAGE = b"\xff\xfe garbage"
ABSENT = sup.ListPrioritiesResponse(approval_required=True)
# The flag is false where it stands first and true where it stands last, which is the one that counts.
TWICE = sup.ListPrioritiesResponse(live_send_allowed=False).SerializeToString() + b"\x08\x01"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (_allowed(sup.ListPrioritiesResponse()), "LIVE_SEND_ALLOWED"),
        (TWICE, "LIVE_SEND_ALLOWED"),
        (ABSENT.SerializeToString(), "FLAG_ABSENT"),
        (b"", "FLAG_ABSENT"),
        (GARBAGE, "UNREADABLE"),
    ],
)
async def test_a_breach_never_gets_through_and_is_logged_counted_and_in_the_ledger(tmp_path, answer, kind):
    from services.incidents.service import DEFINITION

    async def evil(*_):
        return answer

    async with running_service(DEFINITION, data_dir=tmp_path) as incidents, backend(evil) as support:
        async with gateway_at({"incidents": incidents.address, "support": support}) as front:
            call = sup_rpc.SupportServiceStub(front.channel).ListPriorities(sup.ListPrioritiesRequest())
            if kind == "UNREADABLE":
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert (caught.value.code(), info_of(caught.value).reason) == (
                    grpc.StatusCode.INTERNAL,
                    "UPSTREAM_INVALID",
                )
            else:
                got = await call
                assert got.HasField("live_send_allowed")
                assert not got.live_send_allowed
                assert got.approval_required
            counted = front.registry.get_sample_value(
                "customer_ops_policy_breaches_total", {"service": "support", "kind": kind}
            )
            assert counted == 1
        # The gateway waits for its records before it ends.
        ledger = await inc_ledger_rpc.LedgerServiceStub(incidents.channel).ListLedger(inc_ledger.ListLedgerRequest())
        assert len(ledger.entries) == 1
        attributes = ledger.entries[0].attributes
        assert attributes["service"] == "support"
        assert attributes["kind"] == kind
        assert attributes["method"].endswith("ListPriorities")


async def test_raw_text_of_a_service_never_reaches_the_client(tmp_path):
    secret = "SELECT body FROM tickets"

    async def crash(_, __, context):
        await context.abort(grpc.StatusCode.UNKNOWN, secret)

    async with backend(crash) as support, gateway_at({"support": support}) as front:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await sup_rpc.SupportServiceStub(front.channel).ListPriorities(sup.ListPrioritiesRequest())
        assert caught.value.code() == grpc.StatusCode.INTERNAL
        assert info_of(caught.value).reason == "UPSTREAM_INVALID"
        assert secret not in caught.value.details() + str(caught.value.trailing_metadata())


async def test_details_that_claim_a_live_send_are_mended_on_the_way(tmp_path):
    async def claims(_, __, context):
        info = error_details_pb2.ErrorInfo(
            reason="TICKET_NOT_FOUND", domain="dealix.com", metadata={"live_send_allowed": "true"}
        )
        status = status_pb2.Status(code=5)
        status.details.add().Pack(info)
        await context.abort(grpc.StatusCode.NOT_FOUND, "x", (("grpc-status-details-bin", status.SerializeToString()),))

    async with backend(claims) as support, gateway_at({"support": support}) as front:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await sup_rpc.SupportServiceStub(front.channel).ListPriorities(sup.ListPrioritiesRequest())
        assert info_of(caught.value).metadata["live_send_allowed"] == "false"


async def test_a_service_gets_less_time_than_the_client_gave_and_none_of_its_metadata(tmp_path):
    seen = {}

    async def look(_, __, context):
        seen["remaining"] = context.time_remaining()
        seen["metadata"] = dict(context.invocation_metadata())
        return sup.ListPrioritiesResponse(live_send_allowed=False, approval_required=True).SerializeToString()

    async with backend(look) as support, gateway_at({"support": support}) as front:
        await sup_rpc.SupportServiceStub(front.channel).ListPriorities(
            sup.ListPrioritiesRequest(),
            timeout=5,
            metadata=(("x-correlation-id", "abc-1"), ("authorization", "Bearer x"), ("cookie", "y")),
        )
    assert 3 < seen["remaining"] < 4.95
    assert seen["metadata"]["x-correlation-id"] == "abc-1"
    assert not {"authorization", "cookie"} & seen["metadata"].keys()


async def test_a_service_that_is_too_slow_is_a_timeout_that_says_which(tmp_path):
    async def hang(*_):
        await asyncio.Event().wait()

    async with backend(hang) as support, gateway_at({"support": support}) as front:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await sup_rpc.SupportServiceStub(front.channel).ListPriorities(sup.ListPrioritiesRequest(), timeout=1)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert info_of(caught.value).reason == "UPSTREAM_TIMEOUT"


async def test_a_write_that_failed_for_the_moment_is_tried_again_with_the_same_request_id(tmp_path):
    seen = []

    async def flaky(path, payload, context):
        if not path.endswith("RouteTicket"):
            return b""
        seen.append(sup.RouteTicketRequest.FromString(payload).request_id)
        if len(seen) < 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "")
        return sup.RouteTicketResponse(live_send_allowed=False, approval_required=True).SerializeToString()

    async with backend(flaky) as support, gateway_at({"support": support}) as front:
        request = route("c-1", "x")
        await sup_rpc.SupportServiceStub(front.channel).RouteTicket(request)
        assert seen == [request.request_id] * 3


async def test_a_service_that_comes_back_is_found_within_seconds(tmp_path):
    from services.support.service import DEFINITION

    async with running_service(DEFINITION, data_dir=tmp_path) as first:
        address = first.address
    async with gateway_at({"support": address}) as front:
        stub = sup_rpc.SupportServiceStub(front.channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.ListPriorities(sup.ListPrioritiesRequest(), timeout=2)
        async with running_service(DEFINITION, data_dir=tmp_path, listen=address):
            began = time.monotonic()
            while True:
                try:
                    await stub.ListPriorities(sup.ListPrioritiesRequest(), timeout=2)
                    break
                except grpc.aio.AioRpcError:
                    assert time.monotonic() - began < 5


async def test_declaring_goes_through_and_is_found_again(front):
    stub = inc_rpc.IncidentServiceStub(front.channel)
    declared = await stub.DeclareIncident(
        inc.DeclareIncidentRequest(
            request_id=str(uuid.uuid4()),
            actor=PERSON,
            facts=incident_pb2.TriageFacts(title=LEAK, affected_customers=1, data_leak=True),
        )
    )
    found = await stub.GetIncident(inc.GetIncidentRequest(incident_id=declared.incident.incident_id))
    assert found.incident == declared.incident
    assert found.incident.severity == SEV1
