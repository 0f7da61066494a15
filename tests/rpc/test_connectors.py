"""``ConnectorService`` over a real socket and a real SQLite file."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dealix.onboarding.v1 import connector_pb2
from dealix.onboarding.v1 import connector_service_pb2 as cpb
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from services.onboarding.domain.catalog import CONNECTOR_KEYS
from services.onboarding.domain.connections import MAX_SETTINGS
from services.runtime.wire import timestamp
from tests.rpc.client import SOFTWARE, Refusal, pages, refused
from tests.rpc.onboarding_client import (
    FOUNDER,
    SECRET,
    START,
    TOKEN,
    Client,
    approval,
    audit,
    onboarding,
)

STATES = ("NOT_STARTED", "CONFIGURING", "CONNECTED_DRAFT_ONLY", "CONNECTED_APPROVED_EXECUTE", "FAILED", "SKIPPED")
CONNECTED = ("CONNECTED_DRAFT_ONLY", "CONNECTED_APPROVED_EXECUTE")

# From each state, the states that one call can reach; the state itself is always one.
REACHABLE = {
    "NOT_STARTED": {"CONFIGURING", "CONNECTED_DRAFT_ONLY"},
    "CONFIGURING": {"CONNECTED_DRAFT_ONLY", "CONNECTED_APPROVED_EXECUTE", "FAILED", "SKIPPED"},
    "CONNECTED_DRAFT_ONLY": {"CONFIGURING"},
    "CONNECTED_APPROVED_EXECUTE": {"CONFIGURING"},
    "FAILED": {"CONFIGURING"},
    "SKIPPED": set(),
}


def _subjects(refusal: Refusal) -> list[tuple[str, str]]:
    """Type and subject of everything that stands in the way."""
    return [(kind, subject) for kind, subject, _ in refusal.missing]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with onboarding(tmp_path) as running:
        yield running


def number(state: str) -> connector_pb2.ConnectorState:
    return connector_pb2.ConnectorState.Value(f"CONNECTOR_STATE_{state}")


def name(state: int) -> str:
    return connector_pb2.ConnectorState.Name(state).removeprefix("CONNECTOR_STATE_")


async def stored(client: Client, key: str = "gmail", customer_id: str = "cust-1") -> connector_pb2.Connector:
    answer = await client.call(cpb.GetConnectorSummaryRequest(customer_id=customer_id))
    return next(c for c in answer.connectors if c.connector_key == key)


async def bring_to(client: Client, state: str, customer_id: str) -> None:
    """Takes a customer's Gmail from the start to a state, the allowed way."""
    if state == "NOT_STARTED":
        return
    await client.connect("gmail", "CONFIGURING", customer_id)
    if state != "CONFIGURING":
        given = approval() if state == "CONNECTED_APPROVED_EXECUTE" else None
        await client.connect("gmail", state, customer_id, approval=given)


def check(at_offset: int = 0, **more: Any) -> connector_pb2.SetupCheck:
    fields: dict[str, Any] = {"test_succeeded": True, "no_secret_in_logs": True, **more}
    return connector_pb2.SetupCheck(check_time=timestamp(START + timedelta(seconds=at_offset)), **fields)


class TestCatalogue:
    async def test_it_has_eleven_connectors_in_order(self, client: Client) -> None:
        answer = await client.call(cpb.ListConnectorsRequest())
        assert answer.total == 11
        assert answer.approval_required
        assert [c.connector_key for c in answer.connectors] == list(CONNECTOR_KEYS)
        assert [c.connector_key for c in answer.connectors if c.blocking] == ["whatsapp_cloud"]
        assert all(c.name_ar and c.live_action_needs_ar and c.live_action_needs_en for c in answer.connectors)
        assert answer.next_page_token == ""

    async def test_pages_hold_every_connector_once(self, client: Client) -> None:
        for size in (1, 4, 10, 11):

            def ask(token: str, size: int = size) -> Awaitable[Any]:
                return client.call(cpb.ListConnectorsRequest(page_size=size, page_token=token))

            found = [page async for page in pages(ask)]
            assert [c.connector_key for page in found for c in page.connectors] == list(CONNECTOR_KEYS)
            assert {page.total for page in found} == {11}
            assert len(found) == -(-11 // size)

    async def test_a_foreign_token_is_refused(self, client: Client) -> None:
        refusal = await refused(client.call(cpb.ListConnectorsRequest(page_token="AAAA")))
        assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, {"page_token": "PAGE_TOKEN_INVALID"})

    async def test_each_has_a_guide(self, client: Client) -> None:
        for key in CONNECTOR_KEYS:
            guide = (await client.call(cpb.GetConnectorGuideRequest(connector_key=key))).guide
            assert guide.connector_key == key
            assert len(guide.steps_ar) == len(guide.steps_en) > 0
            assert len(guide.acceptance_ar) == len(guide.acceptance_en) > 0
            assert guide.troubleshooting
            assert all(t.problem_ar and t.problem_en and t.remedy_ar and t.remedy_en for t in guide.troubleshooting)

    async def test_an_unknown_connector_has_none(self, client: Client) -> None:
        refusal = await refused(client.call(cpb.GetConnectorGuideRequest(connector_key="telegram")))
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
        assert refusal.fields == {"connector_key": "UNKNOWN_VALUE"}


class TestTransitions:
    @pytest.mark.parametrize("start", STATES)
    async def test_every_way_is_taken_or_refused_as_the_table_says(self, client: Client, start: str) -> None:
        for target in STATES:
            customer_id = f"to-{target}"
            await bring_to(client, start, customer_id)
            before = await stored(client, customer_id=customer_id)
            more = {"approval": approval()} if target == "CONNECTED_APPROVED_EXECUTE" else {}
            call = client.connect("gmail", target, customer_id, **more)
            if target == start or target in REACHABLE[start]:
                answer = await call
                assert name(answer.connector.state) == target
                assert answer.connector == await stored(client, customer_id=customer_id)
                continue
            refusal = await refused(call)
            assert (refusal.code, refusal.reason) == (
                StatusCode.FAILED_PRECONDITION,
                "CONNECTOR_TRANSITION_REFUSED",
            )
            allowed = refusal.metadata.pop("allowed").upper()
            assert set(filter(None, allowed.split(","))) == REACHABLE[start]
            assert refusal.metadata == {"connector_key": "gmail", "from": start.lower(), "to": target.lower()}
            assert await stored(client, customer_id=customer_id) == before

    async def test_a_first_connection_is_recorded_as_both_steps(self, client: Client) -> None:
        answer = await client.connect("gmail", settings={"label_id": "inbox"})
        assert [name(state) for state in answer.recorded_states] == ["CONFIGURING", "CONNECTED_DRAFT_ONLY"]
        entries = await client.entries("connector/cust-1/gmail")
        assert [(e.action, e.attributes["from"], e.attributes["state"], e.attributes["revision"]) for e in entries] == [
            ("connector.state_changed", "not_started", "configuring", "1"),
            ("connector.state_changed", "configuring", "connected_draft_only", "2"),
        ]
        assert list(entries[1].fields) == ["settings", "state"]
        assert len({entry.request_id for entry in entries}) == 1

    async def test_identifiers_and_words_about_secrets_are_kept(self, client: Client) -> None:
        sheet = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"
        plain = {"sheet": sheet, "spreadsheet_id": sheet, "note": "تتغير كلمة المرور كل 90 يومًا، آخرها في 2026-03-02"}
        kept = (await client.connect("google_sheets", settings=plain)).connector
        assert dict(kept.settings) == plain

    async def test_the_state_it_is_in_changes_nothing(self, client: Client) -> None:
        first = await client.connect("gmail", settings={"label_id": "inbox"})
        client.clock.forward(hours=1)
        again = await client.connect("gmail", settings={"label_id": "inbox"})
        assert again.connector == first.connector
        assert not again.recorded_states
        assert (await client.actions())[-1] == "connector.unchanged"

    async def test_settings_alone_are_a_change_of_their_own(self, client: Client) -> None:
        first = await client.connect("gmail", settings={"label_id": "inbox", "locale": "ar"})
        client.clock.forward(hours=1)
        second = await client.connect("gmail", settings={"label_id": "sales", "locale": "", "zone": "riyadh"})
        assert dict(second.connector.settings) == {"label_id": "sales", "zone": "riyadh"}
        assert not second.recorded_states
        assert second.connector.etag != first.connector.etag
        assert second.connector.update_time.ToDatetime(START.tzinfo) == START + timedelta(hours=1)
        assert (await client.actions())[-1] == "connector.settings_recorded"

    async def test_the_approval_of_the_last_connecting_is_kept(self, client: Client) -> None:
        await client.connect("google_sheets", "CONFIGURING")
        given = approval(note="الحقول الحساسة معتمدة")
        await client.connect("google_sheets", "CONNECTED_APPROVED_EXECUTE", approval=given)
        await client.connect("google_sheets", "CONFIGURING", approval=approval(note="another"))
        assert (await stored(client, "google_sheets")).approval == given
        await client.connect("google_sheets")
        assert not (await stored(client, "google_sheets")).HasField("approval")


class TestConditions:
    async def test_executing_needs_an_approval(self, client: Client) -> None:
        await client.connect("gmail", "CONFIGURING")
        refusal = await refused(client.connect("gmail", "CONNECTED_APPROVED_EXECUTE"))
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "APPROVAL_REQUIRED")
        assert refusal.metadata == {"subject": "gmail"}
        answer = await client.connect("gmail", "CONNECTED_APPROVED_EXECUTE", actor=SOFTWARE, approval=approval())
        assert answer.connector.approval.approver == FOUNDER
        assert answer.live_send_allowed is False

    async def test_software_approves_nothing(self, client: Client) -> None:
        await client.connect("gmail", "CONFIGURING")
        refusal = await refused(client.connect("gmail", "CONNECTED_APPROVED_EXECUTE", approval=approval(by=SOFTWARE)))
        assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "PERSON_REQUIRED")
        assert refusal.metadata == {"action": "connect"}

    @pytest.mark.parametrize("state", CONNECTED)
    async def test_whatsapp_needs_its_opt_in_audit(self, client: Client, state: str) -> None:
        await client.connect("whatsapp_cloud", "CONFIGURING")
        refusal = await refused(client.connect("whatsapp_cloud", state))
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "OPT_IN_AUDIT_REQUIRED")
        assert refusal.metadata == {"connector_key": "whatsapp_cloud"}
        wanted = [("OPT_IN_AUDIT", "whatsapp_cloud")]
        if state == "CONNECTED_APPROVED_EXECUTE":
            wanted.append(("APPROVAL", "whatsapp_cloud"))
        assert _subjects(refusal) == wanted

    async def test_an_audit_recorded_before_counts(self, client: Client) -> None:
        await client.connect("whatsapp_cloud", "CONFIGURING", opt_in_audit=audit())
        answer = await client.connect("whatsapp_cloud")
        assert answer.connector.opt_in_audit == audit()
        await client.connect("whatsapp_cloud", "CONFIGURING")
        assert (await client.connect("whatsapp_cloud")).summary.ready_for_first_service

    async def test_another_etag_is_refused_with_the_present_one(self, client: Client) -> None:
        untouched = (await stored(client)).etag
        present = (await client.connect("gmail", "CONFIGURING", etag=untouched)).connector.etag
        refusal = await refused(client.connect("gmail", etag=untouched))
        assert (refusal.code, refusal.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
        assert refusal.metadata == {"current_etag": present}
        assert name((await client.connect("gmail", etag=present)).connector.state) == "CONNECTED_DRAFT_ONLY"

    async def test_the_same_request_has_one_effect_and_one_answer(self, client: Client) -> None:
        request_id = str(uuid.uuid4())
        first = await client.connect("gmail", request_id=request_id)
        await client.connect("gmail", "CONFIGURING")
        assert await client.connect("gmail", request_id=request_id) == first
        assert name((await stored(client)).state) == "CONFIGURING"
        refusal = await refused(client.connect("moyasar", request_id=request_id))
        assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


INVALID: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("unknown connector", {"connector_key": "telegram"}, {"connector_key": "UNKNOWN_VALUE"}),
    ("token as a setting", {"settings": {"note": TOKEN}}, {'settings["note"]': "CREDENTIAL_REFUSED"}),
    (
        "secrets in Arabic words and digits",
        {"settings": {"note": "الرمز السري: ٩٩٨٨", "x": "كلمه السر Abc12345", "y": "Bearer abc"}},
        {f'settings["{key}"]': "CREDENTIAL_REFUSED" for key in ("note", "x", "y")},
    ),
    ("setting named like a secret", {"settings": {"api_key": "x"}}, {'settings["api_key"]': "CREDENTIAL_REFUSED"}),
    ("empty setting named like one", {"settings": {"api_key": ""}}, {'settings["api_key"]': "CREDENTIAL_REFUSED"}),
    ("name that is a token", {"settings": {"sk_live_51habcdefghij": "x"}}, {"settings[?]": "CREDENTIAL_REFUSED"}),
    (
        "token as a reference",
        {"opt_in_audit": audit(reference=TOKEN)},
        {"opt_in_audit.reference": "CREDENTIAL_REFUSED"},
    ),
    (
        "token as a note",
        {"approval": approval(note=f"token: {SECRET}")},
        {"approval.note": "CREDENTIAL_REFUSED"},
    ),
    (
        "check of what is not connected",
        {"state": "CONFIGURING", "setup_check": check()},
        {"setup_check": "NOT_EXPECTED"},
    ),
    (
        "everything at once",
        {
            "connector_key": "telegram",
            "approval": approval(at=START + timedelta(seconds=1), note=TOKEN),
            "opt_in_audit": audit(at=START + timedelta(seconds=1), reference=SECRET),
            "setup_check": check(1, reference=TOKEN),
            "settings": {"client_secret": "hunter", "calendar_id": "cal-1", "hint": SECRET},
        },
        {
            "connector_key": "UNKNOWN_VALUE",
            "approval.approve_time": "IN_FUTURE",
            "approval.note": "CREDENTIAL_REFUSED",
            "opt_in_audit.audit_time": "IN_FUTURE",
            "opt_in_audit.reference": "CREDENTIAL_REFUSED",
            "setup_check.check_time": "IN_FUTURE",
            "setup_check.reference": "CREDENTIAL_REFUSED",
            'settings["client_secret"]': "CREDENTIAL_REFUSED",
            'settings["hint"]': "CREDENTIAL_REFUSED",
        },
    ),
]


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


class TestRefusedUpdates:
    @pytest.mark.parametrize(("fields", "named"), [row[1:] for row in INVALID], ids=[row[0] for row in INVALID])
    async def test_faulty_input_is_named_and_has_no_effect(
        self, client: Client, tmp_path: Path, fields: dict[str, Any], named: dict[str, str]
    ) -> None:
        refusal = await refused(client.connect(**{"connector_key": "gmail", **fields}))
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
        assert refusal.fields == named
        assert await client.entries() == []
        kept = everything_in(tmp_path)
        assert TOKEN.encode() not in kept
        assert SECRET.encode() not in kept

    async def test_every_time_that_no_calendar_has_is_named(self, client: Client) -> None:
        nonsense = Timestamp(seconds=-(1 << 60))
        given, recorded, seen = approval(), audit(), check()
        for at in (given.approve_time, recorded.audit_time, seen.check_time):
            at.CopyFrom(nonsense)
        refusal = await refused(client.connect("gmail", approval=given, opt_in_audit=recorded, setup_check=seen))
        assert refusal.fields == {
            "approval.approve_time": "TIME_OUT_OF_RANGE",
            "opt_in_audit.audit_time": "TIME_OUT_OF_RANGE",
            "setup_check.check_time": "TIME_OUT_OF_RANGE",
        }

    async def test_settings_are_bounded_over_all_calls(self, client: Client) -> None:
        await client.connect("gmail")
        for first in range(0, MAX_SETTINGS, 10):
            await client.connect("gmail", settings={f"field_{n}": "x" for n in range(first, first + 10)})
        refusal = await refused(client.connect("gmail", settings={"one_more": "x"}))
        assert refusal.fields == {"settings": "TOO_MANY"}
        answer = await client.connect("gmail", settings={"one_more": "x", "field_0": ""})
        assert len(answer.connector.settings) == MAX_SETTINGS


class TestSetUp:
    async def criteria(self, client: Client) -> dict[str, bool | None]:
        found = await stored(client)
        met = {c.criterion_id: c.met if c.HasField("met") else None for c in found.setup_criteria}
        assert found.set_up == all(met.values())
        return met

    async def test_a_connector_is_set_up_when_all_four_conditions_are_met(self, client: Client) -> None:
        unseen = {"test_succeeded": None, "no_secret_in_logs": None}
        start = {"connected": False, "test_succeeded": False, "no_secret_in_logs": None, "ledger_entry": False}
        assert await self.criteria(client) == start
        await client.connect("gmail")
        assert await self.criteria(client) == {"connected": True, **unseen, "ledger_entry": True}
        await client.connect("gmail", setup_check=check(test_succeeded=False))
        assert (await self.criteria(client))["test_succeeded"] is False
        found = await client.connect("gmail", setup_check=check(reference="draft-7"))
        assert found.connector.set_up
        assert all((await self.criteria(client)).values())

    async def test_a_test_ends_with_the_connection_it_was_made_on(self, client: Client) -> None:
        await client.connect("gmail", setup_check=check())
        await client.connect("gmail", "CONFIGURING")
        answer = await client.connect("gmail")
        assert not answer.connector.HasField("setup_check")
        assert not answer.connector.set_up


class TestSummaries:
    async def test_a_customer_of_whom_nothing_is_stored_has_everything_not_started(self, client: Client) -> None:
        answer = await client.call(cpb.GetConnectorSummaryRequest(customer_id="nobody"))
        assert [c.connector_key for c in answer.connectors] == list(CONNECTOR_KEYS)
        assert {name(c.state) for c in answer.connectors} == {"NOT_STARTED"}
        assert not any(c.HasField("update_time") for c in answer.connectors)
        assert (answer.summary.total, answer.summary.connected_count) == (11, 0)
        assert list(answer.summary.blocking_missing) == ["whatsapp_cloud"]

    async def test_it_counts_what_is_stored_of_this_customer(self, client: Client) -> None:
        await client.connect("gmail")
        await client.connect("whatsapp_cloud", customer_id="cust-2", opt_in_audit=audit())
        await client.connect("moyasar", "CONFIGURING")
        updated = await client.connect("moyasar", "FAILED")
        summary = (await client.call(cpb.GetConnectorSummaryRequest(customer_id="cust-1"))).summary
        assert updated.summary == summary
        assert (summary.connected_count, summary.connected_pct) == (1, 9.1)
        assert {name(s.state): s.count for s in summary.by_state} == dict.fromkeys(STATES, 0) | {
            "NOT_STARTED": 9,
            "CONNECTED_DRAFT_ONLY": 1,
            "FAILED": 1,
        }
        assert not summary.ready_for_first_service
        assert [(fix.connector_key, fix.blocking) for fix in summary.fixes] == [
            ("whatsapp_cloud", True),
            ("moyasar", False),
        ]
        assert all(fix.owner and fix.text_ar and fix.text_en for fix in summary.fixes)

    @pytest.mark.parametrize(
        ("statuses", "ready", "missing"),
        [
            ({}, False, ["whatsapp_cloud"]),
            ({"gmail": "CONNECTED_DRAFT_ONLY"}, False, ["whatsapp_cloud"]),
            ({"whatsapp_cloud": "SKIPPED", "gmail": "CONNECTED_DRAFT_ONLY"}, False, ["whatsapp_cloud"]),
            ({"whatsapp_cloud": "CONFIGURING"}, False, ["whatsapp_cloud"]),
            ({"whatsapp_cloud": "CONNECTED_DRAFT_ONLY"}, True, []),
            ({"whatsapp_cloud": "CONNECTED_APPROVED_EXECUTE", "gmail": "FAILED"}, True, []),
        ],
    )
    async def test_readiness_of_given_states(
        self, client: Client, statuses: dict[str, str], ready: bool, missing: list[str]
    ) -> None:
        request = cpb.BuildConnectorSummaryRequest(
            statuses=[
                connector_pb2.ConnectorStatus(connector_key=key, state=number(state)) for key, state in statuses.items()
            ]
        )
        answer = await client.call(request)
        assert answer.approval_required
        assert (answer.ready_for_first_service, list(answer.blocking_missing)) == (ready, missing)
        assert answer.connected_count == sum(state in CONNECTED for state in statuses.values())
        assert answer.connected_pct == answer.summary.connected_pct
        assert list(answer.by_state) == list(answer.summary.by_state)
        assert await client.entries() == []

    async def test_every_faulty_line_is_named(self, client: Client) -> None:
        lines = [("telegram", "UNSPECIFIED"), ("gmail", "FAILED"), ("gmail", "SKIPPED"), ("fax", "FAILED")]
        request = cpb.BuildConnectorSummaryRequest(
            statuses=[connector_pb2.ConnectorStatus(connector_key=key, state=number(state)) for key, state in lines]
        )
        refusal = await refused(client.call(request))
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
        assert refusal.fields == {
            "statuses[0].connector_key": "UNKNOWN_VALUE",
            "statuses[0].state": "UNKNOWN_VALUE",
            "statuses[2].connector_key": "DUPLICATE",
            "statuses[3].connector_key": "UNKNOWN_VALUE",
        }

    async def test_an_unknown_state_is_refused(self, client: Client) -> None:
        faulty: Any = 77
        status = connector_pb2.ConnectorStatus(connector_key="gmail", state=faulty)
        refusal = await refused(client.call(cpb.BuildConnectorSummaryRequest(statuses=[status])))
        assert set(refusal.fields) == {"statuses[0].state"}

    async def test_the_demo_stores_nothing(self, client: Client) -> None:
        answer = await client.call(cpb.GetDemoConnectorSummaryRequest())
        assert answer.approval_required
        assert answer.connected_count == answer.summary.connected_count > 0
        assert sum(s.count for s in answer.by_state) == 11
        assert await client.entries() == []
