"""Each command against a real stack: readable, as JSON, and refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from customer_ops.script import load_today
from tests.cli.conftest import Command, environment, run_command

AS = ("--as", "operator-1")
OPERATOR = {"kind": "ACTOR_KIND_PERSON", "id": "operator-1"}


def answer_of(command: Command, *arguments: str) -> dict[str, Any]:
    ended = command(*arguments, "--json")
    assert ended.code == 0, ended.err
    made: dict[str, Any] = json.loads(ended.out)
    return made


@pytest.fixture(scope="module")
def customer(stack: str) -> str:
    """A customer with a checklist, a connector, two tickets and an incident."""
    name = "jeddah-services-test"
    for arguments in (
        ("onboarding", "start", name, "--bundle", "growth_starter", *AS),
        ("connectors", "set", name, "gmail", "connected_draft_only", *AS),
        ("tickets", "open", name, "وصلت رسالة إلى عملائنا بدون موافقتي", "--subject", "رسائل", *AS),
        ("tickets", "open", name, "Where do I see last month's report?", "--channel", "email", *AS),
        ("incidents", "declare", "رسائل دون اعتماد", "--unauthorized-send", "--customer", name, *AS),
    ):
        ended = run_command(stack, *arguments)
        assert ended.code == 0, ended.err
    return name


READABLE = [
    (("classify", "وصلت رسالة إلى عملائنا بدون موافقتي"), ["P0", "بدون موافقتي", "UNAUTHORIZED_SEND"]),
    (("classify", ""), ["P3", "no keyword hit"]),
    (("triage", "Everything is completely down"), ["SEV2", "OUTAGE", "proposed"]),
    (("tickets", "list", "--customer", "{customer}"), ["P0", "P3", "awaiting_first_response", "رسائل"]),
    (("tickets", "list", "--customer", "{customer}", "--priority", "p3"), ["last month's"]),
    (("tickets", "list", "--customer", "nobody-test", "--state", "closed"), ["no tickets"]),
    (("tickets",), ["awaiting_first_response"]),
    (("sla-report", "--customer", "{customer}"), ["HEALTHY", "breached"]),
    (("incidents", "list", "--customer", "{customer}", "--open"), ["SEV1", "رسائل دون اعتماد"]),
    (("incidents", "plan", "sev2"), ["SEV2", "60 min"]),
    (("onboarding", "list"), ["{customer}", "select_goal"]),
    (("onboarding", "show", "{customer}"), ["growth_starter", "select_bundle", "اختيار الهدف"]),
    (("connectors", "catalog"), ["whatsapp_cloud", "draft_only", "blocking"]),
    (("connectors", "show", "{customer}"), ["connected_draft_only", "not ready", "whatsapp_cloud"]),
    (("connectors", "guide", "gmail"), ["gmail.compose", "if it fails"]),
    (("risk", "--days-inactive", "20", "--drafts-pending", "12"), ["HIGH", "65 of 100", "DRAFT", "not sent"]),
    (("risk", "--drafts-pending", "12"), ["at least 25", "days_inactive"]),
    (("ledger", "list", "onboarding", "--subject", "checklist/{customer}"), ["checklist.created", "operator-1"]),
    (("status",), ["support", "success"]),
]


@pytest.mark.parametrize(("arguments", "expected"), READABLE, ids=lambda value: " ".join(value)[:40])
def test_a_command_is_readable_and_shows_that_nothing_is_sent(
    command: Command, customer: str, arguments: tuple[str, ...], expected: list[str]
) -> None:
    ended = command(*(part.format(customer=customer) for part in arguments))
    assert ended.code == 0, ended.err
    assert ended.err == ""
    for part in expected:
        assert part.format(customer=customer) in ended.out
    assert "live_send_allowed=false" in ended.out


@pytest.mark.parametrize("arguments", [arguments for arguments, _ in READABLE], ids=lambda value: " ".join(value)[:40])
def test_a_command_answers_json_with_both_flags_present(
    command: Command, customer: str, arguments: tuple[str, ...]
) -> None:
    answer = answer_of(command, *(part.format(customer=customer) for part in arguments))
    assert answer["live_send_allowed"] is False
    assert isinstance(answer["approval_required"], bool)


def test_a_ticket_is_opened_answered_by_a_person_and_shown(command: Command) -> None:
    opened = answer_of(command, "tickets", "open", "dammam-test", "Gmail connector shows an error", *AS)
    ticket = opened["ticket"]
    assert opened["priority"] == "PRIORITY_P2"
    assert opened["first_response_template"]["draft_state"] == "DRAFT_STATE_DRAFTED"
    assert ticket["state"] == "TICKET_STATE_AWAITING_FIRST_RESPONSE"
    draft = opened["draft"]
    answer_of(command, "approvals", "approve", "support", draft["draft_id"], "--hash", draft["content_hash"], *AS)
    sent = answer_of(
        command, "tickets", "sent", ticket["ticket_id"], "--channel", "email", "--reference", "mail-1", *AS
    )
    assert sent["ticket"]["state"] == "TICKET_STATE_IN_PROGRESS"
    assert sent["event"]["sent"]["reference"] == "mail-1"
    shown = command("tickets", "show", ticket["ticket_id"])
    assert "Gmail connector shows an error" in shown.out


def test_a_write_repeated_with_its_request_id_happens_once(command: Command) -> None:
    arguments = ("tickets", "open", "tabuk-test", "hello", *AS, "--request-id", "0b6d4a08-6f0c-4a57-9d0c-0d8f6f1b9a11")
    assert (
        answer_of(command, *arguments)["ticket"]["ticket_id"] == answer_of(command, *arguments)["ticket"]["ticket_id"]
    )
    assert len(answer_of(command, "tickets", "list", "--customer", "tabuk-test")["tickets"]) == 1


def test_a_list_says_how_to_go_on_and_goes_on_there(command: Command) -> None:
    for text in ("one", "two", "three"):
        answer_of(command, "tickets", "open", "abha-test", text, *AS)
    first = command("tickets", "list", "--customer", "abha-test", "--limit", "2")
    token = first.out.rsplit("--page-token ", 1)[1].strip()
    rest = answer_of(command, "tickets", "list", "--customer", "abha-test", "--limit", "2", "--page-token", token)
    assert [ticket["body"] for ticket in rest["tickets"]] == ["one"]


def test_onboarding_goes_forth_and_back(command: Command) -> None:
    name = "hail-test"
    answer_of(command, "onboarding", "start", name, *AS)
    done = answer_of(command, "onboarding", "complete", name, "select_goal", "--input", "اجتماعات أكثر", *AS)
    assert (done["progress_pct"], done["current_step_id"]) == (12.5, "select_bundle")
    approved = answer_of(
        command,
        *("onboarding", "complete", name, "select_bundle", "--input", "local_growth_os"),
        *("--approved-by", "customer-1", *AS),
    )
    assert approved["steps"][1]["approval"]["approver"]["id"] == "customer-1"
    back = answer_of(command, "onboarding", "undo", name, "select_goal", *AS)
    assert back["current_step_id"] == "select_goal"


def test_whatsapp_connects_with_its_audit_only_and_stays_a_draft(command: Command) -> None:
    connect = ("connectors", "set", "najran-test", "whatsapp_cloud", "connected_draft_only", *AS)
    refused = command(*connect)
    assert refused.code == 1
    assert "OPT_IN_AUDIT_REQUIRED" in refused.err
    connected = answer_of(command, *connect, "--opted-in", "12", "--audit", "AUDIT-1")
    assert connected["connector"]["state"] == "CONNECTOR_STATE_CONNECTED_DRAFT_ONLY"
    assert connected["live_send_allowed"] is False


def test_an_incident_is_declared_with_what_support_found_and_shown_with_its_timeline(command: Command) -> None:
    declared = answer_of(command, "incidents", "declare", "وصلت رسائل بدون موافقتي", "--drill", *AS)["incident"]
    assert declared["severity"] == "SEVERITY_SEV1"
    assert declared["triage"]["support_consulted"] is True
    shown = command("incidents", "show", declared["incident_id"])
    assert "declared" in shown.out
    assert "drill" in shown.out


def test_today_lists_what_is_open_due_and_waiting(command: Command, customer: str) -> None:
    ended = command("today")
    assert ended.code == 0, ended.err
    for title in load_today().values():
        if "{" not in title.en and title.en != "nothing":
            assert title.en in ended.out
    assert "first_response" in ended.out
    assert "SEV1" in ended.out
    assert "live_send_allowed=false explicitly present in every one" in ended.out


def test_the_ledgers_verify(command: Command, customer: str) -> None:
    readable = command("ledger", "verify")
    assert readable.code == 0
    assert readable.out.count("intact") == 4
    answers = answer_of(command, "ledger", "verify")
    assert set(answers) == {"support", "incidents", "onboarding", "success"}
    assert all(answer["intact"] and answer["live_send_allowed"] is False for answer in answers.values())
    assert set(answer_of(command, "ledger", "verify", "--service", "support")) == {"support"}


def test_text_comes_from_standard_input_too(command: Command) -> None:
    ended = command("classify", "-", "--json", stdin="تسريب بيانات\n")
    assert json.loads(ended.out)["priority"] == "PRIORITY_P0"


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_standard_input_that_is_not_utf_8_is_named_as_such(stack: str, locale: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "customer_ops", "classify", "-", "--address", stack],
        input="تسريب بيانات".encode("cp1256"),
        capture_output=True,
        env=environment() | {"LC_ALL": locale},
        check=False,
    )
    assert ended.returncode == 2
    assert b"standard input is not valid UTF-8" in ended.stderr


REFUSED = [
    (("tickets", "show", "tkt_" + "a" * 26), 1, ["TICKET_NOT_FOUND", "tkt_"]),
    (("tickets", "open", "bad id!", "x", "--as", "also bad!"), 1, ["INVALID_FIELDS", "actor.id:", "customer_id:"]),
    (("triage", "outage", "--affected", "0"), 1, ["INVALID_FIELDS", "facts.affected_customers:"]),
    (("risk", "--days-inactive", "-1", "--drafts-pending", "-2"), 1, ["days_inactive:", "drafts_pending:"]),
    (("sla-report", "--from", "2026-03-01", "--to", "2026-02-01"), 1, ["period_end_time:"]),
    (("onboarding", "start", "c-1", "--bundle", "gold", *AS), 1, ["bundle_id:", "growth_starter"]),
    (("onboarding", "show", "nobody-test"), 1, ["CHECKLIST_NOT_FOUND", "nobody-test"]),
    (("connectors", "guide", "telegram"), 1, ["INVALID_FIELDS", "connector_key:"]),
    (("tickets", "list", "--page-token", "stolen"), 1, ["page_token:"]),
    (("classify", "x" * 20_001), 1, ["INVALID_FIELDS", "text:"]),
    (("tickets", "open", "c-1", "x"), 2, ["wrong usage", "--as"]),
    (("tickets", "list", "--priority", "P9"), 2, ["wrong usage", "P0, P1, P2, P3"]),
    (("incidents", "plan", "SEV9"), 2, ["wrong usage", "SEV1, SEV2, SEV3"]),
    (("triage", "outage", "--affected", "99999999999"), 2, ["wrong usage", "--affected"]),
    (("sla-report", "--from", "yesterday"), 2, ["wrong usage", "2026-03-01"]),
    (("tickets", "list", "--limit", "201"), 2, ["wrong usage", "--limit"]),
    (("classify", "x", "--out", "y.csv"), 2, ["wrong usage", "--file"]),
    (("classify", "x", "--column", "body"), 2, ["wrong usage", "--file"]),
    (("classify", "", "--file", "x.csv", "--out", "y.csv"), 2, ["wrong usage", "no TEXT"]),
    (("classify",), 2, ["wrong usage", "TEXT", "standard input", "--file"]),
    (("classify", "\udcff"), 2, ["wrong usage", "UTF-8"]),
    (("ledger",), 2, ["wrong usage"]),
    (("ledger", "verify", "--anchors", "/nowhere/anchors.json"), 2, ["/nowhere/anchors.json", "No such file"]),
    (("ledger", "verify", "--anchors", "/dev/null"), 2, ["/dev/null", "ledger verify --json"]),
    (("nonsense",), 2, ["wrong usage", "nonsense"]),
    (("--nonsense",), 2, ["wrong usage", "--nonsense"]),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_failed_command_says_why_in_one_line(
    command: Command, arguments: tuple[str, ...], code: int, expected: list[str]
) -> None:
    ended = command(*arguments)
    assert ended.code == code
    assert ended.out == ""
    assert len(ended.error_lines) == 1
    assert ended.err.startswith("customer-ops: ")
    for part in expected:
        assert part in ended.err


def test_nobody_at_the_address_is_a_code_of_its_own() -> None:
    ended = run_command("127.0.0.1:1", "status")
    assert ended.code == 3
    assert ended.error_lines == [ended.err.strip()]
    assert "cannot reach 127.0.0.1:1" in ended.err


@pytest.mark.parametrize("address", ["", "foo", "127.0.0.1:notaport", "127.0.0.1:0", "h:70000", "http://127.0.0.1:1"])
def test_what_is_no_address_is_wrong_usage(command: Command, address: str) -> None:
    ended = command("status", "--address", address)
    assert ended.code == 2
    assert len(ended.error_lines) == 1
    assert "--address" in ended.err
    assert "HOST:PORT" in ended.err


def test_a_misspelt_address_variable_does_not_lead_to_the_default(monkeypatch: pytest.MonkeyPatch, stack: str) -> None:
    monkeypatch.setenv("CUSTOMER_OPS_ADRESS", stack)
    ended = run_command("", "status")
    assert ended.code == 2
    assert "CUSTOMER_OPS_ADRESS; the nearest is CUSTOMER_OPS_ADDRESS" in ended.err
    assert run_command(stack, "status").code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [("tickets", "list"), ("tickets", "list", "--json"), ("--help",)])
def test_output_that_cannot_be_written_is_told_in_one_line(stack: str, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "customer_ops", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment() | {"CUSTOMER_OPS_ADDRESS": stack},
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == "customer-ops: cannot write the output: No space left on device\n"


def test_closed_output_is_no_fault(stack: str) -> None:
    ended = subprocess.run(
        [
            "sh",
            "-c",
            'exec "$@" >&-',
            "sh",
            sys.executable,
            "-m",
            "customer_ops",
            "classify",
            "hello",
            "--address",
            stack,
        ],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("command_line", [("ledger", "list"), ("ledger", "all"), ("watch",)])
def test_the_help_names_subjects_and_actions_as_the_ledger_has_them(
    command: Command, customer: str, command_line: tuple[str, ...]
) -> None:
    ticket = answer_of(command, "tickets", "open", customer, "hello", *AS)["ticket"]["ticket_id"]
    entries = answer_of(command, "ledger", "list", "support", "--subject", f"ticket/{ticket}")["entries"]
    assert entries[0]["action"] == "ticket.opened"
    said = " ".join(command(*command_line, "--help").out.split())
    assert "such as ticket/tkt_…" in said
    assert "such as ticket.routed" not in said


def test_without_a_command_the_help_names_all_of_them() -> None:
    ended = run_command("127.0.0.1:1")
    assert ended.code == 0
    for name in (
        *(
            "up",
            "demo",
            "today",
            "classify",
            "triage",
            "tickets",
            "sla-report",
            "onboarding",
            "connectors",
            "risk",
            "ledger",
        ),
        *("lint-lexicon", "incidents", "status"),
    ):
        assert f"\n  {name} " in ended.out
