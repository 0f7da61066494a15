"""What happens to connections over time: problems, tests, audits, accounts, and approvals by drafts."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dealix.common.v1 import actor_pb2, channel_pb2, context_pb2
from dealix.onboarding.v1 import approval_service_pb2, connector_pb2, ledger_service_pb2
from dealix.onboarding.v1 import connector_service_pb2 as cpb
from dealix.onboarding.v1 import onboarding_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.domain.claims import ClaimChecker, load_claims
from services.onboarding.domain.catalog import CONNECTOR_KEYS
from services.runtime.wire import timestamp
from tests.rpc.client import SOFTWARE, refused
from tests.rpc.onboarding_client import CUSTOMERS, FOUNDER, SECRET, START, TOKEN, Client, approval, audit, onboarding

TRANSIENT = ("TIMEOUT", "QUOTA_EXCEEDED", "PROVIDER_ERROR", "NETWORK_ERROR", "WEBHOOK_REFUSED")
DEFINITIVE = ("GRANT_REVOKED", "INVALID_GRANT", "ACCOUNT_DELETED", "ACCOUNT_SUSPENDED", "OAUTH_FAILED")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with onboarding(tmp_path) as running:
        yield running


def short(number: int) -> str:
    return connector_pb2.ConnectorState.Name(connector_pb2.ConnectorState.ValueType(number))[len("CONNECTOR_STATE_") :]


def kinds(events: list[connector_pb2.ConnectorEvent]) -> list[str]:
    """Each event by its kind, changes of state by the state."""
    prefix = "CONNECTOR_EVENT_KIND_"
    names = [connector_pb2.ConnectorEventKind.Name(event.kind)[len(prefix) :] for event in events]
    return [
        short(event.to_state) if name == "STATE_CHANGED" else name for name, event in zip(names, events, strict=True)
    ]


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def stored(client: Client, key: str = "gmail") -> connector_pb2.Connector:
    answer = await client.call(cpb.GetConnectorSummaryRequest(customer_id="cust-1"))
    return next(connector for connector in answer.connectors if connector.connector_key == key)


def frozen(channel: channel_pb2.Channel.ValueType, customer_id: str = "") -> context_pb2.Context:
    freeze = context_pb2.ChannelFreeze(freeze_id="frz_" + "a" * 26, channel=channel, customer_id=customer_id)
    return context_pb2.Context(freezes_known=True, freezes=[freeze])


class TestProblems:
    @pytest.mark.parametrize("problem", TRANSIENT)
    async def test_a_transient_one_breaks_nothing(self, client: Client, problem: str) -> None:
        await client.connect("gmail")
        await client.test("gmail")
        before = await stored(client)
        answer = await client.problem("gmail", problem)
        assert answer.connector == before == await stored(client)
        assert not answer.recorded_states
        assert not answer.issue.definitive

    @pytest.mark.parametrize("problem", DEFINITIVE)
    @pytest.mark.parametrize("state", ["CONNECTED_DRAFT_ONLY", "CONNECTED_APPROVED_EXECUTE"])
    async def test_a_definitive_one_breaks_the_connection_by_the_way_that_there_is(
        self, client: Client, problem: str, state: str
    ) -> None:
        await client.connect("gmail", "CONFIGURING")
        await client.connect("gmail", state, approval=approval())
        await client.test("gmail")
        answer = await client.problem("gmail", problem)
        assert [short(s) for s in answer.recorded_states] == ["CONFIGURING", "FAILED"]
        assert short(answer.connector.state) == "FAILED"
        assert not answer.connector.HasField("test")
        assert not answer.connector.HasField("connect_time")
        assert answer.issue.definitive
        moves = [
            e.attributes["state"] for e in await client.entries("connector/cust-1/gmail") if "from" in e.attributes
        ]
        assert moves == ["configuring", state.lower(), "configuring", "failed"]

    async def test_one_problem_is_one_open_issue(self, client: Client) -> None:
        await client.connect("gmail")
        for _ in range(3):
            await client.problem("gmail", "TIMEOUT")
            client.clock.forward(minutes=10)
        await client.problem("gmail", "QUOTA_EXCEEDED")
        await client.connect("google_sheets")
        client.clock.forward(minutes=10)
        await client.problem("google_sheets", "TIMEOUT")
        found = [
            (i.connector_key, connector_pb2.ConnectorProblem.Name(i.problem)[18:], i.count)
            for i in await client.issues()
        ]
        assert found == [("gmail", "TIMEOUT", 3), ("gmail", "QUOTA_EXCEEDED", 1), ("google_sheets", "TIMEOUT", 1)]
        first = (await client.issues(connector_key="gmail"))[0]
        assert (first.last_time.seconds - first.first_time.seconds) == 20 * 60
        assert all(i.title_ar and i.title_en and i.remedy_ar and i.remedy_en and i.owner for i in await client.issues())

    async def test_ten_at_once_are_one_issue_counted_ten_times(self, client: Client) -> None:
        await client.connect("gmail")
        await asyncio.gather(*(client.problem("gmail", "TIMEOUT") for _ in range(10)))
        (issue,) = await client.issues()
        assert issue.count == 10
        assert [event.number for event in await client.events()] == list(range(1, 13))

    async def test_the_same_request_counts_once(self, client: Client) -> None:
        await client.connect("gmail")
        same = {"request_id": str(uuid.uuid4()), "occur_time": timestamp(START)}
        assert await client.problem("gmail", "TIMEOUT", **same) == await client.problem("gmail", "TIMEOUT", **same)
        assert [issue.count for issue in await client.issues()] == [1]

    async def test_seen_again_after_it_was_resolved_it_is_another_issue(self, client: Client) -> None:
        await client.connect("gmail")
        await client.problem("gmail", "TIMEOUT")
        client.clock.forward(minutes=1)
        (done,) = (await client.test("gmail")).issues
        assert (done.resolution, done.resolver.id) == ("test_succeeded", "operator-17")
        assert await client.issues() == []
        client.clock.forward(minutes=1)
        await client.problem("gmail", "TIMEOUT")
        found = await client.issues(include_resolved=True)
        assert [(issue.count, bool(issue.resolution)) for issue in found] == [(1, True), (1, False)]
        assert found[0].issue_id != found[1].issue_id

    async def test_one_of_an_earlier_connection_is_told_and_changes_nothing(self, client: Client) -> None:
        await client.connect("gmail")
        client.clock.forward(hours=1)
        seen = timestamp(client.clock.now)
        client.clock.forward(hours=1)
        await client.connect("gmail", "CONFIGURING")
        await client.connect("gmail")
        answer = await client.problem("gmail", "GRANT_REVOKED", occur_time=seen)
        assert short(answer.connector.state) == "CONNECTED_DRAFT_ONLY"
        assert not answer.HasField("issue")
        assert await client.issues() == []
        (event,) = [e for e in await client.events() if e.outdated]
        assert (event.occur_time, kinds([event])) == (seen, ["PROBLEM_OBSERVED"])

    @pytest.mark.parametrize("problem", ["TIMEOUT", "GRANT_REVOKED"])
    async def test_what_was_never_connected_has_no_problems(self, client: Client, problem: str) -> None:
        await client.connect("moyasar", "CONFIGURING")
        await client.connect("moyasar", "SKIPPED")
        for key, state in (("gmail", "not_started"), ("moyasar", "skipped")):
            refusal = await refused(client.problem(key, problem))
            assert refusal.reason == "CONNECTOR_TRANSITION_REFUSED"
            assert (refusal.metadata["from"], refusal.metadata["to"]) == (state, "failed")

    async def test_a_failed_one_counts_on_and_reconnecting_resolves_all(self, client: Client) -> None:
        await client.connect("gmail", "CONFIGURING")
        await client.connect("gmail", "FAILED")
        (setup,) = await client.issues()
        assert setup.problem == connector_pb2.CONNECTOR_PROBLEM_SETUP_FAILED
        for _ in range(2):
            assert not (await client.problem("gmail", "OAUTH_FAILED")).recorded_states
        await client.connect("gmail", "CONFIGURING")
        assert len(await client.issues()) == 2
        await client.connect("gmail")
        assert await client.issues() == []
        assert {i.resolution for i in await client.issues(include_resolved=True)} == {"reconnected"}

    async def test_skipping_ends_what_is_open(self, client: Client) -> None:
        await client.connect("gmail", "CONFIGURING")
        await client.problem("gmail", "TIMEOUT")
        await client.connect("gmail", "SKIPPED")
        assert [i.resolution for i in await client.issues(include_resolved=True)] == ["skipped"]

    async def test_the_history_tells_everything_in_order_and_pages(self, client: Client) -> None:
        await client.audit()
        await client.connect("whatsapp_cloud", account_id="waba-1", settings={"label_id": "inbox"})
        await client.problem("whatsapp_cloud", "TIMEOUT")
        await client.test("whatsapp_cloud")
        await client.problem("whatsapp_cloud", "INVALID_GRANT", detail="invalid_grant", reference="log-1")
        await client.connect("gmail", "CONFIGURING")
        events = await client.events("whatsapp_cloud")
        assert kinds(events) == [
            "OPT_IN_AUDITED",
            "CONFIGURING",
            "CONNECTED_DRAFT_ONLY",
            "ACCOUNT_LINKED",
            "SETTINGS_RECORDED",
            "PROBLEM_OBSERVED",
            "TEST_RECORDED",
            "ISSUE_RESOLVED",
            "PROBLEM_OBSERVED",
            "CONFIGURING",
            "FAILED",
        ]
        assert [event.number for event in await client.events()] == list(range(1, 13))
        assert (events[8].detail, events[8].reference) == ("invalid_grant", "log-1")
        assert events[6].test_succeeded
        assert not events[5].HasField("test_succeeded")


class TestTests:
    async def test_what_is_not_connected_cannot_be_tested(self, client: Client) -> None:
        await client.connect("gmail", "CONFIGURING")
        refusal = await refused(client.test("gmail"))
        assert refusal.reason == "CONNECTOR_NOT_CONNECTED"
        assert refusal.metadata == {"connector_key": "gmail", "state": "configuring"}

    async def test_a_failure_is_an_issue_and_breaks_nothing(self, client: Client) -> None:
        await client.connect("gmail")
        for _ in range(2):
            answer = await client.test("gmail", succeeded=False, detail="لم تظهر المسودة")
        assert [(i.problem, i.count) for i in answer.issues] == [(connector_pb2.CONNECTOR_PROBLEM_TEST_FAILED, 2)]
        assert short(answer.connector.state) == "CONNECTED_DRAFT_ONLY"
        assert not answer.connector.set_up
        assert (answer.connector.test.detail, answer.connector.test.tester.id) == ("لم تظهر المسودة", "operator-17")

    async def test_the_logs_need_to_be_looked_through_once_for_each_connection(self, client: Client) -> None:
        await client.connect("gmail")
        assert not (await client.test("gmail")).connector.test.HasField("no_secret_in_logs")
        assert (await client.test("gmail", no_secret_in_logs=True)).connector.set_up
        assert (await client.test("gmail")).connector.set_up
        await client.connect("gmail", "CONFIGURING")
        await client.connect("gmail")
        assert not (await client.test("gmail")).connector.set_up

    async def test_a_test_belongs_to_the_connection_it_was_made_on(self, client: Client) -> None:
        client.clock.forward(hours=1)
        await client.connect("gmail")
        for at, reason in ((START, "BEFORE_CONNECTION"), (START + timedelta(hours=2), "IN_FUTURE")):
            assert (await refused(client.test("gmail", test_time=timestamp(at)))).fields == {"test_time": reason}


class TestAudits:
    async def test_an_audit_opens_the_way_for_whatsapp_and_keeps_no_number(self, client: Client) -> None:
        found = (await client.audit(auditor=CUSTOMERS)).connector
        assert short(found.state) == "NOT_STARTED"
        assert (found.opt_in_audit.opted_in_numbers, found.opt_in_audit.auditor) == (120, CUSTOMERS)
        assert found.opt_in_audit.source == connector_pb2.OPT_IN_SOURCE_WEB_FORM
        assert (await client.connect("whatsapp_cloud")).summary.ready_for_first_service
        assert (await stored(client, "whatsapp_cloud")).opt_in_audit == found.opt_in_audit

    async def test_software_audits_nothing(self, client: Client) -> None:
        assert (await refused(client.audit(auditor=SOFTWARE))).reason == "PERSON_REQUIRED"
        by_software = audit()
        by_software.auditor.CopyFrom(SOFTWARE)
        assert (await refused(client.connect("whatsapp_cloud", opt_in_audit=by_software))).reason == "PERSON_REQUIRED"

    async def test_only_what_reaches_numbers_is_audited(self, client: Client) -> None:
        request = cpb.RecordOptInAuditRequest(
            request_id=str(uuid.uuid4()),
            actor=FOUNDER,
            customer_id="cust-1",
            connector_key="gmail",
            opted_in_numbers=1,
            source=connector_pb2.OPT_IN_SOURCE_CONTRACT,
            auditor=FOUNDER,
            audit_time=timestamp(START),
            reference="doc-1",
        )
        assert (await refused(client.call(request))).fields == {"connector_key": "NOT_EXPECTED"}

    @pytest.mark.parametrize("number", ["0551234567", "+966 55 123 4567", "٠٥٥١٢٣٤٥٦٧", "00966-551234567", "551234567"])
    async def test_no_telephone_number_is_kept(self, client: Client, tmp_path: Path, number: str) -> None:
        assert (await refused(client.audit(reference=f"list {number}"))).fields == {"reference": "PHONE_NUMBER_REFUSED"}
        await client.connect("gmail")
        refusal = await refused(client.problem("gmail", "TIMEOUT", detail=f"تعذر الإرسال إلى {number}"))
        assert refusal.fields == {"detail": "PHONE_NUMBER_REFUSED"}
        kept = everything_in(tmp_path)
        assert number.encode() not in kept


class TestAccounts:
    async def test_connected_again_it_is_the_same_account_or_a_person_says_so(self, client: Client) -> None:
        first = (await client.connect("gmail", account_id="108234567890")).connector.account_fingerprint
        assert len(first) == 32
        await client.connect("gmail", "CONFIGURING")
        for given in ("", "999"):
            refusal = await refused(client.connect("gmail", account_id=given))
            assert refusal.reason == "CONNECTOR_ACCOUNT_MISMATCH"
            assert (refusal.metadata["known"], bool(refusal.metadata["given"])) == (first, bool(given))
        again = await client.connect("gmail", account_id="108234567890")
        assert again.connector.account_fingerprint == first
        await client.connect("gmail", "CONFIGURING")
        other = {"account_id": "999", "confirm_account_change": True}
        assert (await refused(client.connect("gmail", actor=SOFTWARE, **other))).reason == "PERSON_REQUIRED"
        assert (await client.connect("gmail", **other)).connector.account_fingerprint != first
        assert kinds(await client.events())[-1] == "ACCOUNT_CHANGED"

    async def test_the_account_itself_is_not_kept(self, client: Client, tmp_path: Path) -> None:
        await client.connect("gmail", account_id="unmistakable-account-77")
        kept = everything_in(tmp_path)
        assert b"unmistakable-account-77" not in kept

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"state": "CONFIGURING", "account_id": "1"}, {"account_id": "NOT_EXPECTED"}),
            ({"confirm_account_change": True}, {"confirm_account_change": "NOT_EXPECTED"}),
            ({"account_id": TOKEN}, {"account_id": "CREDENTIAL_REFUSED"}),
            (
                {"state": "CONNECTED_APPROVED_EXECUTE", "approval": approval(), "approval_id": "apr_x"},
                {"approval_id": "NOT_EXPECTED"},
            ),
        ],
    )
    async def test_faulty_input_is_named(self, client: Client, fields: dict[str, Any], named: dict[str, str]) -> None:
        await client.connect("gmail", "CONFIGURING")
        assert (await refused(client.connect("gmail", **fields))).fields == named


class TestApprovalsByDraft:
    async def drafted(self, client: Client, key: str = "gmail") -> Any:
        await client.connect(key, "CONFIGURING", opt_in_audit=audit() if key == "whatsapp_cloud" else None)
        answer = await client.write(cpb.DraftConnectorApprovalRequest, connector_key=key)
        assert answer.approval_required
        return answer.draft

    async def test_an_approved_draft_is_used_up_by_the_move(self, client: Client) -> None:
        draft = (await client.approve(await self.drafted(client))).draft
        given = draft.approval.approval_id
        answer = await client.connect("gmail", "CONNECTED_APPROVED_EXECUTE", actor=SOFTWARE, approval_id=given)
        assert answer.connector.approval.approver == FOUNDER
        assert answer.live_send_allowed is False
        await client.connect("gmail", "CONFIGURING")
        refusal = await refused(client.connect("gmail", "CONNECTED_APPROVED_EXECUTE", approval_id=given))
        assert refusal.reason == "APPROVAL_USED"

    async def test_without_a_decision_it_opens_nothing(self, client: Client) -> None:
        draft = await self.drafted(client)
        again = (await client.write(cpb.DraftConnectorApprovalRequest, connector_key="gmail")).draft
        assert again.draft_id == draft.draft_id
        move = {"connector_key": "gmail", "state": "CONNECTED_APPROVED_EXECUTE"}
        assert (await refused(client.connect(**move))).reason == "APPROVAL_REQUIRED"
        assert (await refused(client.connect(**move, approval_id="apr_" + "a" * 26))).reason == "DRAFT_NOT_FOUND"
        assert (await refused(client.approve(draft, by=SOFTWARE))).reason == "PERSON_REQUIRED"

    async def test_it_opens_what_it_was_asked_for_and_nothing_else(self, client: Client) -> None:
        given = (await client.approve(await self.drafted(client))).draft.approval.approval_id
        await client.connect("google_sheets", "CONFIGURING")
        refusal = await refused(client.connect("google_sheets", "CONNECTED_APPROVED_EXECUTE", approval_id=given))
        assert refusal.reason == "APPROVAL_MISMATCH"
        await client.create(bundle_id="growth_starter")
        refusal = await refused(client.step("risk_review", approval_id=given))
        assert refusal.reason == "APPROVAL_MISMATCH"

    async def test_it_expires(self, client: Client) -> None:
        given = (await client.approve(await self.drafted(client))).draft.approval.approval_id
        client.clock.forward(hours=72)
        refusal = await refused(client.connect("gmail", "CONNECTED_APPROVED_EXECUTE", approval_id=given))
        assert refusal.reason == "APPROVAL_EXPIRED"

    async def test_it_is_not_used_by_a_sending(self, client: Client) -> None:
        draft = (await client.approve(await self.drafted(client))).draft
        request = approval_service_pb2.RecordDraftSentRequest(
            request_id=str(uuid.uuid4()),
            actor=FOUNDER,
            draft_id=draft.draft_id,
            approval_id=draft.approval.approval_id,
        )
        request.sent.channel = channel_pb2.CHANNEL_EMAIL
        request.sent.send_time.CopyFrom(timestamp(START))
        request.sent.sender.CopyFrom(FOUNDER)
        request.sent.reference = "mail-1"
        assert (await refused(client.call(request))).reason == "DRAFT_STATE_REFUSED"

    async def test_a_stated_approval_takes_back_what_still_asks(self, client: Client) -> None:
        draft = await self.drafted(client)
        await client.connect("gmail", "CONNECTED_APPROVED_EXECUTE", approval=approval())
        pending = await client.call(approval_service_pb2.ListPendingApprovalsRequest())
        assert not pending.drafts
        assert (await refused(client.approve(draft))).reason == "DRAFT_STATE_REFUSED"

    async def test_what_executes_already_needs_no_approval(self, client: Client) -> None:
        await client.connect("gmail", "CONFIGURING")
        await client.connect("gmail", "CONNECTED_APPROVED_EXECUTE", approval=approval())
        refusal = await refused(client.write(cpb.DraftConnectorApprovalRequest, connector_key="gmail"))
        assert refusal.reason == "CONNECTOR_TRANSITION_REFUSED"

    async def test_every_connector_is_drafted_for_its_channel_and_claims_nothing(self, client: Client) -> None:
        checker, channels = ClaimChecker(load_claims()), {}
        catalogue = await client.call(cpb.ListConnectorsRequest())
        for key in CONNECTOR_KEYS:
            draft = (await client.write(cpb.DraftConnectorApprovalRequest, connector_key=key)).draft
            channels[key] = draft.channel
            for text in (draft.title_ar, draft.title_en, draft.body_ar, draft.body_en):
                assert not checker.check(text), key
        assert channels == {c.connector_key: c.channel for c in catalogue.connectors}
        assert len(set(channels.values())) == 11
        assert channels["moyasar"] == channel_pb2.CHANNEL_INTERNAL


class TestFreezes:
    @pytest.mark.parametrize(
        ("key", "context", "held"),
        [
            ("whatsapp_cloud", frozen(channel_pb2.CHANNEL_WHATSAPP), True),
            ("whatsapp_cloud", frozen(channel_pb2.CHANNEL_UNSPECIFIED), True),
            ("whatsapp_cloud", frozen(channel_pb2.CHANNEL_WHATSAPP, "cust-1"), True),
            ("whatsapp_cloud", frozen(channel_pb2.CHANNEL_WHATSAPP, "cust-2"), False),
            ("whatsapp_cloud", frozen(channel_pb2.CHANNEL_EMAIL), False),
            ("gmail", frozen(channel_pb2.CHANNEL_EMAIL), True),
            ("moyasar", frozen(channel_pb2.CHANNEL_UNSPECIFIED), False),
        ],
    )
    async def test_a_frozen_channel_is_neither_approved_nor_made_to_execute(
        self, client: Client, key: str, context: context_pb2.Context, held: bool
    ) -> None:
        draft = await TestApprovalsByDraft().drafted(client, key)
        stated = client.connect(key, "CONNECTED_APPROVED_EXECUTE", approval=approval(), context=context)
        if not held:
            given = (await client.approve(draft, context=context)).draft.approval.approval_id
            stated.close()
            await client.connect(key, "CONNECTED_APPROVED_EXECUTE", approval_id=given, context=context)
            return
        assert (await refused(stated)).reason == "CHANNEL_FROZEN"
        assert (await refused(client.approve(draft, context=context))).reason == "CHANNEL_FROZEN"
        # Approved before the freeze, the approval waits for its release and is not used up by the refusal.
        given = (await client.approve(draft)).draft.approval.approval_id
        move = {"connector_key": key, "state": "CONNECTED_APPROVED_EXECUTE", "approval_id": given}
        assert (await refused(client.connect(**move, context=context))).reason == "CHANNEL_FROZEN"
        await client.connect(**move)

    async def test_a_freeze_keeps_nobody_from_drafts(self, client: Client) -> None:
        answer = await client.connect("gmail", context=frozen(channel_pb2.CHANNEL_EMAIL))
        assert short(answer.connector.state) == "CONNECTED_DRAFT_ONLY"


FAULTY: list[tuple[str, str, dict[str, Any], dict[str, str]]] = [
    ("problem", "unknown connector", {"connector_key": "fax"}, {"connector_key": "UNKNOWN_VALUE"}),
    ("problem", "recorded with a test", {"problem": "TEST_FAILED"}, {"problem": "NOT_EXPECTED"}),
    ("problem", "recorded with a move", {"problem": "SETUP_FAILED"}, {"problem": "NOT_EXPECTED"}),
    (
        "problem",
        "everything at once",
        {
            "connector_key": "fax",
            "occur_time": timestamp(START + timedelta(seconds=1)),
            "detail": f"token: {SECRET}",
            "reference": TOKEN,
        },
        {
            "connector_key": "UNKNOWN_VALUE",
            "occur_time": "IN_FUTURE",
            "detail": "CREDENTIAL_REFUSED",
            "reference": "CREDENTIAL_REFUSED",
        },
    ),
    (
        "test",
        "credentials",
        {"detail": TOKEN, "reference": SECRET},
        {"detail": "CREDENTIAL_REFUSED", "reference": "CREDENTIAL_REFUSED"},
    ),
    ("test", "unknown connector", {"connector_key": "fax"}, {"connector_key": "UNKNOWN_VALUE"}),
    (
        "audit",
        "credential, future",
        {"reference": TOKEN, "audit_time": timestamp(START + timedelta(seconds=1))},
        {"reference": "CREDENTIAL_REFUSED", "audit_time": "IN_FUTURE"},
    ),
    ("audit", "a time of no calendar", {"audit_time": Timestamp(seconds=1 << 60)}, {"audit_time": "TIME_OUT_OF_RANGE"}),
]


@pytest.mark.parametrize(
    ("method", "fields", "named"), [(m, f, n) for m, _, f, n in FAULTY], ids=[r[1] for r in FAULTY]
)
async def test_faulty_input_is_named_and_keeps_nothing(
    client: Client, tmp_path: Path, method: str, fields: dict[str, Any], named: dict[str, str]
) -> None:
    await client.connect("gmail")
    before = await client.actions()
    given: dict[str, Any] = dict(fields)
    if method != "audit":
        given = {"connector_key": "gmail", **({"problem": "TIMEOUT"} if method == "problem" else {}), **fields}
    assert (await refused(getattr(client, method)(**given))).fields == named
    assert await client.actions() == before
    kept = everything_in(tmp_path)
    assert TOKEN.encode() not in kept
    assert SECRET.encode() not in kept


async def test_issues_of_all_customers_page_oldest_first(client: Client) -> None:
    for number in range(7):
        customer_id = f"cust-{number}"
        await client.connect("gmail", customer_id=customer_id)
        await client.problem("gmail", "TIMEOUT", customer_id=customer_id)
        client.clock.forward(minutes=1)
    found, token = [], ""
    while True:
        page = await client.call(cpb.ListConnectorIssuesRequest(page_size=3, page_token=token))
        found += [issue.customer_id for issue in page.issues]
        token = page.next_page_token
        if not token:
            break
    assert found == [f"cust-{number}" for number in range(7)]
    wrong = [
        (cpb.ListConnectorIssuesRequest(connector_key="fax"), {"connector_key": "UNKNOWN_VALUE"}),
        (cpb.ListConnectorEventsRequest(customer_id="cust-1", connector_key="fax"), {"connector_key": "UNKNOWN_VALUE"}),
    ]
    for request, named in wrong:
        assert (await refused(client.call(request))).fields == named


async def test_it_holds_on_postgresql_and_the_ledger_with_it(postgres_url: str) -> None:
    async with onboarding(database_url=postgres_url) as client:
        await client.create(bundle_id="growth_starter")
        await client.audit()
        await client.connect("whatsapp_cloud", account_id="waba-1")
        await client.test("whatsapp_cloud", no_secret_in_logs=True)
        await client.problem("whatsapp_cloud", "GRANT_REVOKED")
        await client.review("PROBLEM_FOUND")
        found = await client.onboarding()
        assert (found.open_issues, found.checklist.risk_problem_open) == (1, True)
        lines = (await client.call(pb.ListOnboardingsRequest())).onboardings
        assert [(line.customer_id, line.open_issues) for line in lines] == [("cust-1", 1)]
        assert (await client.call(ledger_service_pb2.VerifyLedgerRequest())).intact
        assert actor_pb2.ActorKind.Name(found.risk_reviews[0].reviewer.kind) == "ACTOR_KIND_PERSON"
