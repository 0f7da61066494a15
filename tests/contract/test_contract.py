"""Claims about the contract itself, read from the descriptors of everything that is served."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from buf.validate import validate_pb2
from dealix.common.v1 import error_reason_pb2
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.contract import FORWARDED, OWN
from services.policy import live_send
from services.runtime.methods import methods_of

ROOT = Path(__file__).resolve().parents[2]
MODULES = [module for modules in (*FORWARDED.values(), OWN) for module in modules]
METHODS = methods_of(MODULES)
DESCRIPTORS = {
    f"/{service.full_name}/{method.name}": method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}

# The business's table of operations: HTTP binding, RPC, and what the answer holds at least.
TWENTY = [
    ("POST", "/onboarding/checklist", "onboarding.v1.OnboardingService/CreateChecklist",
     "total_steps current_step_id steps progress_pct"),
    ("POST", "/onboarding/update-step", "onboarding.v1.OnboardingService/UpdateStep",
     "total_steps current_step_id steps progress_pct"),
    ("GET", "/onboarding/checklist/demo", "onboarding.v1.OnboardingService/GetDemoChecklist",
     "total_steps current_step_id steps progress_pct"),
    ("GET", "/connectors/catalog", "onboarding.v1.ConnectorService/ListConnectors", "total connectors"),
    ("POST", "/connectors/summary", "onboarding.v1.ConnectorService/BuildConnectorSummary",
     "connected_count connected_pct by_state blocking_missing ready_for_first_service"),
    ("POST", "/connectors/update", "onboarding.v1.ConnectorService/UpdateConnector", "connector summary"),
    ("GET", "/connectors/demo", "onboarding.v1.ConnectorService/GetDemoConnectorSummary",
     "connected_count connected_pct by_state blocking_missing ready_for_first_service"),
    ("GET", "/support/priorities", "support.v1.SupportService/ListPriorities", "priorities"),
    ("POST", "/support/classify", "support.v1.SupportService/ClassifyTicket", "priority matched_keyword reason_ar"),
    ("POST", "/support/route", "support.v1.SupportService/RouteTicket",
     "priority classification sla.first_response_minutes first_response_template.body_ar ticket"),
    ("GET", "/support/first-response/{priority}", "support.v1.SupportService/GetFirstResponseTemplate",
     "priority body_ar"),
    ("POST", "/sla/event", "support.v1.SlaService/RecordSlaEvent", "event"),
    ("POST", "/sla/classify-breach", "support.v1.SlaService/ClassifySlaBreach", "breached breaches"),
    ("POST", "/sla/health-report", "support.v1.SlaService/BuildSlaHealthReport",
     "total_tickets total_breached breach_rate by_priority verdict"),
    ("GET", "/sla/health-report/demo", "support.v1.SlaService/GetDemoSlaHealthReport",
     "total_tickets total_breached breach_rate by_priority verdict"),
    ("POST", "/incidents/triage", "incidents.v1.IncidentService/TriageIncident",
     "severity reason_ar severity_details"),
    ("GET", "/incidents/response-plan/{severity}", "incidents.v1.IncidentService/GetResponsePlan", "severity plan_ar"),
    ("POST", "/cs/weekly-check-in", "success.v1.SuccessService/BuildWeeklyCheckIn",
     "type agenda_ar talking_points_ar"),
    ("POST", "/cs/at-risk-alert", "success.v1.SuccessService/BuildAtRiskAlert",
     "risk_score severity reasons_ar recommended_action_ar"),
    ("POST", "/cs/success-plan", "success.v1.SuccessService/BuildSuccessPlan", "bundle_id cadence_ar"),
]  # fmt: skip


def walk(descriptor: Descriptor, seen: set[str] | None = None) -> list[FieldDescriptor]:
    """Every field that a message of ours can hold, at any depth."""
    seen = set() if seen is None else seen
    if descriptor.full_name in seen or not descriptor.full_name.startswith("dealix."):
        return []
    seen.add(descriptor.full_name)
    fields = list(descriptor.fields)
    for field in descriptor.fields:
        if field.message_type is not None:
            fields += walk(field.message_type, seen)
    return fields


@pytest.mark.parametrize(("verb", "path", "rpc", "fields"), TWENTY, ids=[row[2] for row in TWENTY])
def test_each_of_the_twenty_operations_has_its_binding_and_its_fields(verb, path, rpc, fields):
    method = DESCRIPTORS[f"/dealix.{rpc}"]
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    assert getattr(rule, verb.lower()) == f"/api/v1/customer-ops{path}"
    assert rule.body == ("*" if verb == "POST" else "")
    for name in fields.split():
        descriptor = method.output_type
        for part in name.split("."):
            field = descriptor.fields_by_name[part]
            descriptor = field.message_type
    assert f"/dealix.{rpc}" in live_send.ALWAYS_NEEDS_APPROVAL


def test_both_flags_stand_at_the_same_numbers_with_presence_in_every_response():
    for path, method in DESCRIPTORS.items():
        fields = method.output_type.fields_by_name
        assert (fields["live_send_allowed"].number, fields["approval_required"].number) == (1, 2), path
        assert fields["live_send_allowed"].has_presence, path
        assert fields["approval_required"].has_presence, path


def test_no_request_can_carry_the_flag():
    for path, method in DESCRIPTORS.items():
        assert "live_send_allowed" not in {field.name for field in walk(method.input_type)}, path


def test_every_write_takes_a_uuid_and_an_actor_and_every_read_takes_neither():
    for method in METHODS:
        names = set(method.request_class.DESCRIPTOR.fields_by_name)
        assert ({"request_id", "actor"} <= names) is method.writes, method.path
        if method.writes:
            field = method.request_class.DESCRIPTOR.fields_by_name["request_id"]
            assert field.GetOptions().Extensions[validate_pb2.field].string.uuid, method.path


def test_every_list_is_paged():
    lists = [m for m in DESCRIPTORS.values() if m.name.startswith("List") and m.name != "ListPriorities"]
    assert len(lists) >= 8
    for method in lists:
        assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name), method.full_name
        assert "next_page_token" in method.output_type.fields_by_name, method.full_name


def test_every_string_and_list_that_a_request_can_hold_is_bounded_and_free_of_nul():
    for path, method in DESCRIPTORS.items():
        for field in walk(method.input_type):
            where = f"{path}: {field.full_name}"
            rules = field.GetOptions().Extensions[validate_pb2.field]
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                assert rules.map.max_pairs, where
                continue
            if field.containing_type.GetOptions().map_entry:
                continue  # the rules of keys and values stand at the map
            if field.is_repeated:
                assert rules.repeated.max_items, where
                rules = rules.repeated.items
            if field.type == FieldDescriptor.TYPE_STRING:
                string = rules.string
                assert string.uuid or string.pattern or getattr(string, "in"), where
                assert string.max_len or "^[^" not in string.pattern, where
            elif field.type == FieldDescriptor.TYPE_ENUM:
                assert rules.enum.defined_only, where
            elif field.type == FieldDescriptor.TYPE_DOUBLE:
                assert rules.double.finite, where
                assert rules.double.HasField("lte"), where
            elif field.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64):
                numbers = rules.int32 if field.type == FieldDescriptor.TYPE_INT32 else rules.int64
                assert numbers.HasField("gte"), where


def test_every_enum_begins_with_unspecified_and_its_prefix():
    seen = set()
    for method in DESCRIPTORS.values():
        for message in (method.input_type, method.output_type):
            for field in walk(message):
                enum = field.enum_type
                if enum is None or enum.full_name in seen or not enum.full_name.startswith("dealix."):
                    continue
                seen.add(enum.full_name)
                prefix = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.name).lstrip("_") + "_"
                assert enum.values_by_number[0].name == f"{prefix}UNSPECIFIED"
                assert all(value.name.startswith(prefix) for value in enum.values), enum.full_name
    assert len(seen) > 10


def test_every_reason_raised_in_the_code_is_documented_and_every_documented_reason_has_its_comment():
    documented = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name}
    text = (ROOT / "protos/dealix/common/v1/error_reason.proto").read_text(encoding="utf-8")
    raised = set()
    import re

    for folder in ("services", "gateway"):
        for source in (ROOT / folder).rglob("*.py"):
            code = source.read_text(encoding="utf-8")
            raised |= set(re.findall(r'^    reason(?:: ClassVar\[str\])? = "([A-Z_]+)"', code, re.M))
            raised |= set(re.findall(r'RpcFailure\(\s*[\w.()]+,\s*"([A-Z_]+)"', code))
    # Start-up refusals and faults of ours: the first never answer a call, the others answer INTERNAL.
    raised -= {"STORAGE_REFUSED", "STORAGE_FAILED", "STATEMENT_REFUSED", "CONSTRAINT_BROKEN", "WORK_FAULT"}
    assert raised <= documented
    assert len(raised) > 15
    for name in documented - {"UNSPECIFIED"}:
        line = text[: text.index(f"ERROR_REASON_{name} =")].rstrip().rsplit("\n", 1)[-1]
        assert line.strip().startswith("//"), name


def test_the_committed_stubs_are_those_of_the_contract():
    done = subprocess.run(
        [sys.executable, "protos/tools/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_reads_and_writes_are_told_apart_by_their_idempotency_level():
    levels = {m.GetOptions().idempotency_level for m in DESCRIPTORS.values()}
    assert levels == {
        descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS,
        descriptor_pb2.MethodOptions.IDEMPOTENT,
    }
