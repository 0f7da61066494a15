"""Whatever is wrong with a request, it is refused with the right code and reason, the fields are named, and nothing is
stored."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from dealix.common.v1 import actor_pb2, approval_pb2, error_reason_pb2, sent_record_pb2
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.incidents.v1 import communication_service_pb2 as com
from dealix.incidents.v1 import incident_pb2
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.incidents.v1 import post_mortem_service_pb2 as pmo
from dealix.onboarding.v1 import connector_pb2
from dealix.onboarding.v1 import connector_service_pb2 as con
from dealix.onboarding.v1 import onboarding_service_pb2 as onb
from dealix.success.v1 import success_service_pb2 as suc
from dealix.support.v1 import approval_service_pb2 as apr
from dealix.support.v1 import classification_pb2, sla_pb2
from dealix.support.v1 import sla_service_pb2 as sla
from dealix.support.v1 import support_service_pb2 as sup
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.contract.test_contract import walk
from tests.rpc import samples
from tests.rpc.client import Refusal, at_once, outcome_of, refused
from tests.rpc.conftest import DOORS, House, both_doors
from tests.rpc.faults import TEXTS, Fault, all_at_once, breaks, faults, impossible_times, required_when_empty, rules_of
from tests.rpc.samples import METHODS, PERSON, SOFTWARE

pytestmark = pytest.mark.asyncio(loop_scope="module")

REASONS = {name.removeprefix("ERROR_REASON_") for name, number in error_reason_pb2.ErrorReason.items() if number}
INVALID = ("INVALID_ARGUMENT", "INVALID_FIELDS")
MAX_REQUEST_BYTES = 2 * 1024 * 1024


async def must_refuse(house: House, door: str, request: Message) -> Refusal:
    """The refusal of a request, whose reason is a documented one."""
    refusal = await refused(house.ask(door, request))
    assert refusal.reason in REASONS
    return refusal


# --- by the rules of the contract -------------------------------------------------------------------------------------


# What the gateway fills in itself, whatever a client put there: nothing that is wrong with it arrives.
BROUGHT = {"context", "cadence"}


def overwritten(field: str, method: Any, door: str) -> bool:
    """Whether the gateway puts something of its own in the place of a field. Incidents looks into its own tables."""
    name = field.partition(".")[0]
    return door == "gateway" and name in BROUGHT and samples.SERVICE_OF[method.path] not in ("incidents", "gateway")


async def not_refused_by_name(house: House, method: Any, door: str, faults: Iterable[Fault]) -> list[tuple[Any, ...]]:
    """The faults that were not refused as such, with what came instead."""

    async def outcome(fault: Fault) -> Any:
        try:
            refusal = await must_refuse(house, door, fault.request)
        except AssertionError as error:
            return str(error)[:200]
        named = (refusal.code.name, refusal.reason) == INVALID and fault.field in refusal.fields
        return None if named else refusal

    sent = [fault for fault in faults if not overwritten(fault.field, method, door)]
    came = await at_once(outcome, sent)
    return [(f.field, f.what, instead) for f, instead in zip(sent, came, strict=True) if instead is not None]


@both_doors(METHODS)
async def test_each_faulty_field_is_refused_by_name_and_nothing_is_stored(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)
    stored = house.stored()
    # The gateway passes on what the service answers, so there one fault of each field is enough.
    found = faults(request) if door == "direct" else {f.field: f for f in faults(request)}.values()
    assert await not_refused_by_name(house, method, door, found) == []
    assert house.stored() == stored


@both_doors(METHODS)
async def test_a_time_that_no_calendar_has_is_refused_by_name(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)
    stored = house.stored()
    assert await not_refused_by_name(house, method, door, impossible_times(request)) == []
    assert house.stored() == stored


@both_doors(METHODS)
async def test_all_faulty_fields_are_named_at_once(house: House, method: Any, door: str) -> None:
    named, request = all_at_once(await house.sample(method))
    fields = {field for field in named if not overwritten(field, method, door)}
    if not fields:
        await house.ask(door, request)
        return
    refusal = await must_refuse(house, door, request)
    assert (refusal.code.name, refusal.reason) == INVALID
    assert set(refusal.fields) == fields


@both_doors([method for method in METHODS if method.writes])
async def test_what_is_right_is_not_named_beside_what_is_faulty(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)
    request.request_id = "1"
    stored = house.stored()
    refusal = await must_refuse(house, door, request)
    assert set(refusal.fields) == {"request_id"}
    assert house.stored() == stored


@both_doors(METHODS)
async def test_an_empty_request_is_refused_for_what_it_lacks(house: House, method: Any, door: str) -> None:
    stored = house.stored()
    lacking = required_when_empty(method.request_class.DESCRIPTOR)
    if lacking:
        refusal = await must_refuse(house, door, method.request_class())
        assert (refusal.code.name, refusal.reason) == INVALID
        # And what the service asks for, whatever the rest says.
        assert lacking <= set(refusal.fields) <= set(method.request_class.DESCRIPTOR.fields_by_name)
    else:
        await house.ask(door, method.request_class())
    assert house.stored() == stored


async def test_the_rules_are_strict_enough_to_make_faults_from() -> None:
    """No identifier takes an e-mail address, a control character of writing direction, or a NUL."""
    # What people write; and the address that a notice gives for answers.
    free = {
        "title", "description", "subject", "body", "body_ar", "body_en", "text", "text_ar", "text_en", "name_ar", "name_en",
        "note", "reference", "input", "reason", "raise_reason", "late_reason", "incomplete_reason", "matched_keyword",
        "detail", "finding", "resolution", "email",
    }  # fmt: skip
    counted = 0
    for method in METHODS:
        for field in walk(method.request_class.DESCRIPTOR):
            if field.type != FieldDescriptor.TYPE_STRING or field.name in free:
                continue
            if field.containing_type.GetOptions().map_entry:
                continue
            rules = rules_of(field).repeated.items if field.is_repeated else rules_of(field)
            for what in (
                "e-mail",
                "right-to-left override",
                "isolate",
                "right-to-left mark",
                "NUL",
                "line end",
                "Arabic",
            ):
                assert breaks(field, rules, TEXTS[what]), (method.path, field.name, what)
            counted += 1
    assert counted > 60


# --- bytes ------------------------------------------------------------------------------------------------------------

BYTES = {
    "not a message": b"\xff\xff\xff",
    "cut off": b"\x0a\x05abc",
    "a length beyond everything": b"\x0a\xff\xff\xff\xff\x0f",
    "a group that does not end": b"\x0b\x08\x01",
    "an end without a group": b"\x0c",
    "a number without an end": b"\x08" + b"\xff" * 11,
}


@both_doors(METHODS)
async def test_bytes_that_are_no_request_are_malformed(house: House, method: Any, door: str) -> None:
    payload = (await house.sample(method)).SerializeToString()
    stored = house.stored()

    async def malformed(sent: bytes) -> None:
        refusal = await refused(house.raw(door, method.path, sent))
        assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "MALFORMED_REQUEST"), sent

    await at_once(malformed, [sent for broken in BYTES.values() for sent in (broken, payload + broken)])
    assert house.stored() == stored


@both_doors(
    [m for m in METHODS if any(f.type == FieldDescriptor.TYPE_STRING for f in m.request_class.DESCRIPTOR.fields)]
)
async def test_text_that_is_not_utf_8_is_malformed(house: House, method: Any, door: str) -> None:
    number = next(f.number for f in method.request_class.DESCRIPTOR.fields if f.type == FieldDescriptor.TYPE_STRING)
    assert number < 16
    stored = house.stored()

    async def malformed(text: bytes) -> None:
        refusal = await refused(house.raw(door, method.path, bytes([number << 3 | 2, len(text)]) + text))
        assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "MALFORMED_REQUEST"), text

    await at_once(malformed, (b"\xc3\x28", b"\xed\xa0\x80", b"\xff", b"\xf5\x80\x80\x80", b"\xc0\x80"))
    assert house.stored() == stored


# The limit is a server's, whatever the method: one write of each service stands for all of its methods.
@both_doors([samples.METHOD_OF[type(write()).DESCRIPTOR.full_name] for write in samples.WRITE_OF.values()])
async def test_an_oversized_request_is_refused_unread(house: House, method: Any, door: str) -> None:
    payload = (await house.sample(method)).SerializeToString()
    stored = house.stored()
    # Valid but for its size: an unknown field of bytes is no fault in itself.
    size = MAX_REQUEST_BYTES
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.raw(door, method.path, payload + b"\xfa\x7f" + b"\x80\x80\x80\x01" + bytes(size))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert house.stored() == stored


@pytest.mark.parametrize("door", DOORS)
async def test_a_field_of_the_future_is_no_fault(house: House, door: str) -> None:
    request = samples.ticket_request()
    raw = await house.raw(
        door, "/dealix.support.v1.SupportService/RouteTicket", request.SerializeToString() + b"\xfa\x7f\x01x"
    )
    assert sup.RouteTicketResponse.FromString(raw).live_send_allowed is False


# --- by what the services know ----------------------------------------------------------------------------------------

Ask = Callable[[Message], Awaitable[Any]]

TICKET = "tkt_" + "a" * 26
NOBODY = "cust-nobody"


def _now() -> datetime:
    return datetime.now(UTC)


def _at(**later: float) -> Any:
    return samples.timestamp(_now() + timedelta(**later))


def _event(ticket_id: str, kind: str, **fields: Any) -> sla.RecordSlaEventRequest:
    return sla.RecordSlaEventRequest(
        **{
            "request_id": str(uuid.uuid4()),
            "actor": PERSON,
            "ticket_id": ticket_id,
            "type": sla_pb2.SlaEventType.Value(f"SLA_EVENT_TYPE_{kind}"),
            **fields,
        }
    )


def _sent(**fields: Any) -> sent_record_pb2.SentRecordInput:
    return sent_record_pb2.SentRecordInput(
        **{"send_time": samples.timestamp(_now()), "channel": 1, "sender": PERSON, "reference": "m", **fields}
    )


def _plain(request: Callable[[], Message]) -> Callable[[Ask], Awaitable[Message]]:
    async def make(_: Ask) -> Message:
        return request()

    return make


def _on_ticket(kind: str, **fields: Any) -> Callable[[Ask], Awaitable[Message]]:
    async def make(ask: Ask) -> Message:
        # Of the ticket first: what is made for it then lies after its opening.
        ticket_id = (await samples.new_ticket(ask)).ticket_id
        given = {name: value() if callable(value) else value for name, value in fields.items()}
        return _event(ticket_id, kind, **given)

    return make


def _on_checklist(step_id: str, **fields: Any) -> Callable[[Ask], Awaitable[Message]]:
    async def make(ask: Ask) -> Message:
        given = {name: value() if callable(value) else value for name, value in fields.items()}
        return samples.step_request((await samples.new_checklist(ask)).customer_id, step_id, **given)

    return make


async def _ticket_of_another(ask: Ask) -> Message:
    return samples.ticket_request(follows_ticket_id=(await samples.new_ticket(ask)).ticket_id)


async def _second_checklist(ask: Ask) -> Message:
    return samples.checklist_request(customer_id=(await samples.new_checklist(ask)).customer_id)


async def _second_check_in(ask: Ask) -> Message:
    first = samples.check_in_request()
    await ask(first)
    return samples.check_in_request(customer_id=first.customer_id)


async def _second_first_response(ask: Ask) -> Message:
    ticket = await samples.new_ticket(ask)
    await ask(_event(ticket.ticket_id, "FIRST_RESPONSE", sent=_sent()))
    return _event(ticket.ticket_id, "FIRST_RESPONSE", sent=_sent())


async def _back_to_not_started(ask: Ask) -> Message:
    first = samples.connector_request()
    await ask(first)
    return samples.connector_request(customer_id=first.customer_id, state=connector_pb2.CONNECTOR_STATE_NOT_STARTED)


def _state(name: str) -> Any:
    return connector_pb2.ConnectorState.Value(f"CONNECTOR_STATE_{name}")


def _statuses(*pairs: tuple[str, str]) -> con.BuildConnectorSummaryRequest:
    return con.BuildConnectorSummaryRequest(
        statuses=[connector_pb2.ConnectorStatus(connector_key=key, state=_state(state)) for key, state in pairs]
    )


def _by_software() -> approval_pb2.Approval:
    return approval_pb2.Approval(approver=SOFTWARE, approve_time=samples.ago(minutes=1))


FAULTY_BOTH_WAYS: dict[str, tuple[Message, set[str]]] = {
    "a state that is none, a connector that is none, the same twice": (
        con.BuildConnectorSummaryRequest(
            statuses=[
                connector_pb2.ConnectorStatus(connector_key=key, state=state)
                for key, state in (("nothing", 0), ("gmail", 1), ("gmail", 1))
            ]
        ),
        {"statuses[0].state", "statuses[0].connector_key", "statuses[2].connector_key"},
    ),
    "a plan that nobody has, and two days that no calendar has": (
        suc.ActivatePlanRequest(
            request_id="1", actor=PERSON, customer_id="c", bundle_id="none", start_date="2026-02-30", renewal_date="2026-02-31"
        ),
        {"request_id", "channel", "bundle_id", "start_date", "renewal_date"},
    ),
    "nobody who does it": (
        onb.CreateChecklistRequest(request_id=str(uuid.uuid4()), customer_id="c", bundle_id="none", start_date="2026-02-30"),
        {"actor", "bundle_id", "start_date"},
    ),
    "somebody of no kind, and a credential": (
        con.UpdateConnectorRequest(
            request_id=str(uuid.uuid4()),
            actor=actor_pb2.Actor(kind=7, id="x"),
            customer_id="c",
            connector_key="nothing",
            state=connector_pb2.CONNECTOR_STATE_CONFIGURING,
            settings={"note": "Bearer abcdefghijkl"},
        ),
        {"actor.kind", "connector_key", 'settings["note"]'},
    ),
    "a page below nothing of a period that ends before it begins": (
        sup.ListTicketsRequest(page_size=-1, create_time_from=samples.ago(days=1), create_time_before=samples.ago(days=2)),
        {"page_size", "create_time_before"},
    ),
    "a blank text": (
        inc.DeclareIncidentRequest(
            request_id="1", actor=PERSON, facts=incident_pb2.TriageFacts(title="\u200f", affected_customers=1)
        ),
        {"request_id", "facts.title"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("what", FAULTY_BOTH_WAYS)
async def test_what_the_contract_and_the_service_refuse_is_named_at_once(house: House, what: str, door: str) -> None:
    request, fields = FAULTY_BOTH_WAYS[what]
    stored = house.stored()
    refusal = await must_refuse(house, door, request)
    assert (refusal.code.name, refusal.reason) == INVALID
    assert set(refusal.fields) == fields
    assert house.stored() == stored


def _in_future() -> approval_pb2.Approval:
    return approval_pb2.Approval(approver=PERSON, approve_time=_at(hours=1))


def _period(**fields: Any) -> sla.GetSlaHealthReportRequest:
    return sla.GetSlaHealthReportRequest(
        **{"period_start_time": samples.ago(days=7), "period_end_time": samples.ago(days=0), **fields}
    )


def _declared(**fields: Any) -> Callable[[Ask], Awaitable[Message]]:
    return _plain(lambda: samples.declaration(**{k: v() if callable(v) else v for k, v in fields.items()}))


NOT_FOUND, EXISTS, UNMET = "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"
# What is asked, the code, the reason, and the field that is named.
REFUSED: dict[str, tuple[Callable[[Ask], Awaitable[Message]], str, str, str]] = {
    # unknown ids
    "ticket": (_plain(lambda: sup.GetTicketRequest(ticket_id=TICKET)), NOT_FOUND, "TICKET_NOT_FOUND", ""),
    "ticket of an event": (_plain(lambda: _event(TICKET, "ESCALATED")), NOT_FOUND, "TICKET_NOT_FOUND", ""),
    "ticket of events": (_plain(lambda: sla.ListSlaEventsRequest(ticket_id=TICKET)), NOT_FOUND, "TICKET_NOT_FOUND", ""),
    "ticket before": (
        _plain(lambda: samples.ticket_request(follows_ticket_id=TICKET)), NOT_FOUND, "TICKET_NOT_FOUND", "",
    ),
    "ticket before, of another": (_ticket_of_another, *INVALID, "follows_ticket_id"),
    "incident": (
        _plain(lambda: inc.GetIncidentRequest(incident_id="inc_" + "a" * 26)), NOT_FOUND, "INCIDENT_NOT_FOUND", "",
    ),
    "checklist": (_plain(lambda: onb.GetChecklistRequest(customer_id=NOBODY)), NOT_FOUND, "CHECKLIST_NOT_FOUND", ""),
    "checklist of a step": (
        _plain(lambda: samples.step_request(NOBODY, "select_goal")), NOT_FOUND, "CHECKLIST_NOT_FOUND", "",
    ),
    "checklist of an acceptance": (
        _plain(lambda: onb.CheckAcceptanceRequest(customer_id=NOBODY)), NOT_FOUND, "CHECKLIST_NOT_FOUND", "",
    ),
    "check-in": (
        _plain(lambda: suc.GetWeeklyCheckInRequest(check_in_id="chk_" + "a" * 26)),
        NOT_FOUND, "CHECK_IN_NOT_FOUND", "",
    ),
    # unknown bundle, step, connector
    "bundle of a checklist": (
        _plain(lambda: samples.checklist_request(bundle_id="growth_rocket")), *INVALID, "bundle_id",
    ),
    "bundle of a plan": (_plain(lambda: suc.BuildSuccessPlanRequest(bundle_id="growth_rocket")), *INVALID, "bundle_id"),
    "bundle of a step": (
        _on_checklist("select_bundle", input="growth_rocket", approval=samples.approval), *INVALID, "input",
    ),
    "step": (_on_checklist("celebrate"), *INVALID, "step_id"),
    "step to untick": (_on_checklist("celebrate", completed=False), *INVALID, "step_id"),
    "step of a list": (_plain(lambda: onb.ListChecklistsRequest(current_step_id="celebrate")), *INVALID, "current_step_id"),
    "step of a guidance": (_plain(lambda: onb.ListRecoveryGuidanceRequest(step_id="celebrate")), *INVALID, "step_id"),
    "connector": (_plain(lambda: samples.connector_request(connector_key="telegram")), *INVALID, "connector_key"),
    "connector of a guide": (
        _plain(lambda: con.GetConnectorGuideRequest(connector_key="telegram")), *INVALID, "connector_key",
    ),
    "connector of a summary": (
        _plain(lambda: _statuses(("gmail", "FAILED"), ("telegram", "FAILED"))), *INVALID, "statuses[1].connector_key",
    ),
    "connector twice in a summary": (
        _plain(lambda: _statuses(("gmail", "FAILED"), ("gmail", "SKIPPED"))), *INVALID, "statuses[1].connector_key",
    ),
    # states that do not follow
    "connected without set-up": (
        _plain(lambda: samples.connector_request(state=_state("CONNECTED_APPROVED_EXECUTE"), approval=samples.approval())),
        UNMET, "CONNECTOR_TRANSITION_REFUSED", "",
    ),
    "skipped before it began": (
        _plain(lambda: samples.connector_request(state=_state("SKIPPED"))), UNMET, "CONNECTOR_TRANSITION_REFUSED", "",
    ),
    "failed before it began": (
        _plain(lambda: samples.connector_request(state=_state("FAILED"))), UNMET, "CONNECTOR_TRANSITION_REFUSED", "",
    ),
    "undone": (_back_to_not_started, UNMET, "CONNECTOR_TRANSITION_REFUSED", ""),
    "WhatsApp without opt-in": (
        _plain(lambda: samples.connector_request(connector_key="whatsapp_cloud")), UNMET, "OPT_IN_AUDIT_REQUIRED", "",
    ),
    "a run before its review": (
        _on_checklist("first_service_run", approval=samples.approval), UNMET, "STEP_BLOCKED", "",
    ),
    "a Proof Pack before its run": (_on_checklist("first_proof_pack"), UNMET, "STEP_BLOCKED", ""),
    "a second checklist": (_second_checklist, EXISTS, "CHECKLIST_EXISTS", ""),
    "a second check-in in a week": (_second_check_in, EXISTS, "CHECK_IN_EXISTS", ""),
    "a check-in during a SEV1": (
        _plain(lambda: samples.check_in_request(open_incident_severities=["SEV3", "SEV1"])),
        UNMET, "CHECK_IN_SUPPRESSED", "",
    ),
    "a check-in during a SEV2": (
        _plain(lambda: samples.check_in_request(open_incident_severities=["SEV2"])), UNMET, "CHECK_IN_SUPPRESSED", "",
    ),
    # events
    "opened again": (_on_ticket("OPENED"), EXISTS, "SLA_EVENT_EXISTS", ""),
    "first response again": (_second_first_response, EXISTS, "SLA_EVENT_EXISTS", ""),
    "paused by itself": (_on_ticket("PAUSED"), UNMET, "SLA_EVENT_NOT_ALLOWED", ""),
    "resumed by itself": (_on_ticket("RESUMED"), UNMET, "SLA_EVENT_NOT_ALLOWED", ""),
    "reopened by itself": (_on_ticket("REOPENED"), UNMET, "SLA_EVENT_NOT_ALLOWED", ""),
    "raised by itself": (_on_ticket("PRIORITY_RAISED"), UNMET, "SLA_EVENT_NOT_ALLOWED", ""),
    "first response without sending": (_on_ticket("FIRST_RESPONSE"), *INVALID, "sent"),
    "escalated with a sending": (_on_ticket("ESCALATED", sent=_sent), *INVALID, "sent"),
    "first response with two times": (
        _on_ticket("FIRST_RESPONSE", sent=_sent, occur_time=lambda: _at(seconds=0)), *INVALID, "occur_time",
    ),
    "first response of software": (
        _on_ticket("FIRST_RESPONSE", sent=lambda: _sent(sender=SOFTWARE)), "PERMISSION_DENIED", "PERSON_REQUIRED", "",
    ),
    "event in the future": (_on_ticket("ESCALATED", occur_time=lambda: _at(hours=1)), *INVALID, "occur_time"),
    "event before the ticket": (_on_ticket("ESCALATED", occur_time=lambda: _at(days=-1)), *INVALID, "occur_time"),
    # times, numbers and what belongs together
    "a period that ends before it begins": (
        _plain(lambda: _period(period_start_time=samples.ago(days=0), period_end_time=samples.ago(days=1))),
        *INVALID, "period_end_time",
    ),
    "a period of years": (_plain(lambda: _period(period_start_time=samples.ago(days=800))), *INVALID, "period_end_time"),
    "a report on the future": (_plain(lambda: _period(as_of_time=_at(hours=1))), *INVALID, "as_of_time"),
    "a breach of nothing": (
        _plain(lambda: sla.ClassifySlaBreachRequest(priority=classification_pb2.PRIORITY_P0)),
        *INVALID, "first_response_minutes",
    ),
    "an approval of the future": (_on_checklist("risk_review", approval=_in_future), *INVALID, "approval.approve_time"),
    "no approval": (_on_checklist("risk_review"), UNMET, "APPROVAL_REQUIRED", ""),
    "an approval by software": (
        _on_checklist("risk_review", approval=_by_software), "PERMISSION_DENIED", "PERSON_REQUIRED", "",
    ),
    "an audit of the future": (
        _plain(
            lambda: samples.connector_request(
                opt_in_audit=connector_pb2.OptInAudit(opted_in_numbers=3, reference="d", audit_time=_at(hours=1))
            )
        ),
        *INVALID, "opt_in_audit.audit_time",
    ),
    "a set-up check of what is not connected": (
        _plain(
            lambda: samples.connector_request(
                state=_state("CONFIGURING"), setup_check=connector_pb2.SetupCheck(check_time=samples.ago(minutes=1))
            )
        ),
        *INVALID, "setup_check",
    ),
    "aware in the future": (_declared(aware_time=lambda: _at(hours=1)), *INVALID, "aware_time"),
    "a severity lowered": (
        _declared(
            facts=lambda: samples.facts(affected_customers=5),
            raise_severity_to=incident_pb2.SEVERITY_SEV3,
            raise_reason="x",
        ),
        *INVALID, "raise_severity_to",
    ),
    "a severity raised without a reason": (
        _declared(raise_severity_to=incident_pb2.SEVERITY_SEV1), *INVALID, "raise_reason",
    ),
    "a severity raised by software": (
        _declared(actor=SOFTWARE, raise_severity_to=incident_pb2.SEVERITY_SEV1, raise_reason="x"),
        "PERMISSION_DENIED", "PERSON_REQUIRED", "",
    ),
    "a title of nothing visible": (
        _plain(lambda: inc.TriageIncidentRequest(facts=samples.facts(title=" \u200f\u2066 "))), *INVALID, "facts.title",
    ),
    # etags of another state
    "etag of a checklist": (_on_checklist("select_goal", etag="r7"), "ABORTED", "ETAG_MISMATCH", ""),
    "etag of a connector": (_plain(lambda: samples.connector_request(etag="r7")), "ABORTED", "ETAG_MISMATCH", ""),
    "etag of a ticket": (_on_ticket("ESCALATED", etag="r7"), "ABORTED", "ETAG_MISMATCH", ""),
    # credentials
    "a token among the settings": (
        _plain(lambda: samples.connector_request(settings={"note": "ya29.a0AfB_byC-1234567890abcdefghij"})),
        *INVALID, 'settings["note"]',
    ),
    "a key for a goal": (
        _on_checklist("select_goal", input="sk_live_51H8aBcDeFgHiJkLmNoPqRsT"), *INVALID, "input",
    ),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", REFUSED)
async def test_what_does_not_exist_or_does_not_follow_is_refused(house: House, case: str, door: str) -> None:
    make, code, reason, field = REFUSED[case]
    request = await make(house.direct)
    stored = house.stored()
    refusal = await must_refuse(house, door, request)
    assert (refusal.code.name, refusal.reason) == (code, reason)
    assert field in refusal.fields if field else not refusal.fields
    assert house.stored() == stored


# 41,400 letters once its ligatures are written out: within every bound of the contract, beyond what is read.
LIGATURES = "\ufdfa" * 2_300


def _edited(request: Any) -> None:
    request.edited.body_ar = request.edited.body_en = LIGATURES


def _long_facts(request: Any) -> None:
    for text in (request.facts.what_happened, request.facts.measures[0]):
        text.text_ar = LIGATURES[:1_500]


LONG_ONCE_FOLDED: dict[str, tuple[type[Any], Callable[[Any], None], set[str]]] = {
    "classify": (sup.ClassifyTicketRequest, lambda r: setattr(r, "text", LIGATURES), {"text"}),
    "route": (sup.RouteTicketRequest, lambda r: setattr(r, "body", LIGATURES), {"body"}),
    "handle": (gw.HandleTicketRequest, lambda r: setattr(r, "body", LIGATURES), {"body"}),
    "reply": (sup.DraftReplyRequest, lambda r: setattr(r, "body_ar", LIGATURES), {"body_ar"}),
    "edit": (apr.EditDraftRequest, _edited, {"edited.body_ar", "edited.body_en"}),
    "approve": (apr.ApproveDraftRequest, _edited, {"edited.body_ar", "edited.body_en"}),
    "triage": (
        gw.TriageIncidentRequest, lambda r: setattr(r.facts, "description", LIGATURES), {"facts.description"},
    ),
    "tell": (com.PreviewCommunicationRequest, _long_facts, {"facts"}),
    "compare": (com.CheckParityRequest, lambda r: setattr(r, "text_en", LIGATURES), {"text_en"}),
    "post-mortem": (
        pmo.DraftPostMortemRequest, lambda r: setattr(r.content.summary, "text_ar", LIGATURES), {"content"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", LONG_ONCE_FOLDED)
async def test_a_text_that_is_too_long_once_folded_is_refused_by_the_requests_own_name(
    house: House, case: str, door: str
) -> None:
    kind, edit, fields = LONG_ONCE_FOLDED[case]
    request = await house.sample(samples.METHOD_OF[kind.DESCRIPTOR.full_name])
    edit(request)
    stored = house.stored()
    refusal = await must_refuse(house, door, request)
    assert refusal.fields == dict.fromkeys(fields, "TEXT_TOO_LONG")
    assert house.stored() == stored


@pytest.mark.parametrize("title", ["", "   ", "\u200f\u2066", "a\0"])
async def test_a_title_that_shows_nothing_is_named_beside_a_count_that_is_none(house: House, title: str) -> None:
    facts = incident_pb2.TriageFacts(title=title, affected_customers=0)
    for request in (gw.TriageIncidentRequest(facts=facts), inc.TriageIncidentRequest(facts=facts)):
        refusal = await must_refuse(house, "gateway", request)
        assert set(refusal.fields) == {"facts.title", "facts.affected_customers"}


async def test_a_customers_message_is_taken_however_long_it_is_once_folded(house: House) -> None:
    request = await house.sample(samples.METHOD_OF[sup.AddCustomerMessageRequest.DESCRIPTOR.full_name])
    request.body = LIGATURES
    assert (await house.ask("direct", request)).message.body == LIGATURES


async def test_a_refused_write_leaves_its_request_id_free(house: House) -> None:
    request = samples.connector_request(connector_key="telegram")
    await must_refuse(house, "direct", request)
    request.connector_key = "gmail"
    await house.ask("direct", request)


@pytest.mark.parametrize("door", DOORS)
async def test_a_hundred_faults_fit_what_a_client_takes(house: House, door: str) -> None:
    request = con.BuildConnectorSummaryRequest(
        statuses=[
            connector_pb2.ConnectorStatus(connector_key=f"unknown_{n}", state=_state("FAILED")) for n in range(100)
        ]
    )
    refusal = await must_refuse(house, door, request)
    assert (refusal.code.name, refusal.reason) == INVALID
    assert list(refusal.fields) == [f"statuses[{n}].connector_key" for n in range(50)]


@pytest.mark.parametrize("door", DOORS)
async def test_a_credential_in_the_place_of_a_name_is_not_repeated(house: House, door: str) -> None:
    key = "sk_live_51H8aBcDeFgHiJkLmNoPqRsT"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.ask(door, samples.connector_request(settings={key: "x"}))
    assert key not in (caught.value.details() or "") + str(caught.value.trailing_metadata())


def with_token(request: Any, token: str) -> Any:
    """The request for another page."""
    copy = type(request).FromString(request.SerializeToString())
    copy.page_token = token
    return copy


TOKENS = ["x", "AAAA", "_-_-", "e30", "bm90LWEtdG9rZW4", "A" * 512]


@both_doors([m for m in METHODS if "page_token" in m.request_class.DESCRIPTOR.fields_by_name])
async def test_a_page_token_that_nobody_gave_is_refused(house: House, method: Any, door: str) -> None:
    request = await house.sample(method)

    async def invalid(token: str) -> None:
        refusal = await must_refuse(house, door, with_token(request, token))
        assert (refusal.code.name, refusal.reason) == INVALID
        assert refusal.fields == {"page_token": "PAGE_TOKEN_INVALID"}

    await at_once(invalid, TOKENS)


FORGED: list[Any] = [
    0,
    -1,
    -(2**63),
    2**63 - 1,
    2**63,
    -(2**64),
    True,
    None,
    0.5,
    "",
    "a\0b",
    "\ud800",
    "ي" * 50,
    [],
    {},
]


@both_doors([m for m in METHODS if "page_token" in m.request_class.DESCRIPTOR.fields_by_name])
async def test_a_forged_page_token_finds_rows_or_is_refused(house: House, method: Any, door: str) -> None:
    """The check of a token is no secret: whoever knows the code can make one for any place in a list."""
    request = await house.sample(method)
    request.page_size = 1
    token = (await house.ask(door, request)).next_page_token
    body = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[4:]
    query, key = body[1:9], json.loads(body[9:])
    keys = [[*key[:place], value, *key[place + 1 :]] for place in range(len(key)) for value in FORGED]

    async def found_or_refused(forged: Any) -> None:
        made = body[:1] + query + json.dumps(forged).encode()
        check = hashlib.sha256(made).digest()[:4]
        token = base64.urlsafe_b64encode(check + made).rstrip(b"=").decode()
        found = await outcome_of(house.ask(door, with_token(request, token)))
        if isinstance(found, Refusal):
            assert (found.code.name, found.reason, set(found.fields)) == (*INVALID, {"page_token"}), forged

    await at_once(found_or_refused, [*keys, [], key * 2, {"0": key}])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "path",
    ["/dealix.support.v1.SupportService/Nothing", "/dealix.support.v1.supportservice/GetTicket", "/x/y", "/"],
)
async def test_an_unknown_method_is_said_to_be_one(house: House, path: str, door: str) -> None:
    channel = house.front.channel if door == "gateway" else house.services["support"].channel
    refusal = await refused(channel.unary_unary(path)(b"", timeout=10))
    assert (refusal.code.name, refusal.reason) == ("UNIMPLEMENTED", "UNKNOWN_METHOD")


async def test_an_actor_is_a_person_or_a_service_and_has_an_id(house: House) -> None:
    for actor in (
        actor_pb2.Actor(),
        actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON),
        actor_pb2.Actor(id="operator-1"),
        actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="ahmad@example.sa"),
        actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1", role=77),  # type: ignore[arg-type]
    ):
        for request in (write() for write in samples.WRITE_OF.values()):
            request.actor.CopyFrom(actor)
            refusal = await must_refuse(house, "direct", request)
            assert any(field.startswith("actor.") for field in refusal.fields)


async def test_what_was_tried_left_every_ledger_intact(house: House) -> None:
    for service, module in samples.LEDGERS.items():
        assert (await house.direct(module.VerifyLedgerRequest())).intact, service
