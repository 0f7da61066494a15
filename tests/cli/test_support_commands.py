"""The life of a ticket from the command line, against a real stack."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command, run_command

AS = ("--as", "operator-1")
CUSTOMER = "qassim-dates-test"


def answer_of(stack: str, *arguments: str) -> dict[str, Any]:
    ended = run_command(stack, *arguments, "--json")
    assert ended.code == 0, ended.err
    made: dict[str, Any] = json.loads(ended.out)
    return made


def approve(stack: str, draft: dict[str, Any]) -> None:
    answer_of(stack, "approvals", "approve", "support", draft["draft_id"], "--hash", draft["content_hash"], *AS)


def opened(stack: str, text: str = "Gmail connector shows an error") -> dict[str, Any]:
    return answer_of(stack, "tickets", "open", CUSTOMER, text, "--channel", "email", *AS)


@pytest.fixture(scope="module")
def ticket(stack: str) -> str:
    """A ticket that was answered, waited, was resolved and closed, linked to another."""
    routed = opened(stack)
    ticket_id: str = routed["ticket"]["ticket_id"]
    approve(stack, routed["draft"])
    sent = ("--channel", "email", "--reference", "mail-1")
    answer_of(stack, "tickets", "sent", ticket_id, *sent, "--note", "بعد الاعتماد", *AS)
    answer_of(stack, "tickets", "wait", ticket_id, "--reason", "صورة من رسالة الخطأ", *AS)
    said = answer_of(stack, "tickets", "say", ticket_id, "هذه الصورة", *AS)
    assert said["message"]["effect"] == "MESSAGE_EFFECT_RESUMED"
    reply = answer_of(stack, "tickets", "reply", ticket_id, "--ar", "وصلت الصورة.", "--en", "It arrived.", *AS)
    approve(stack, reply["draft"])
    answer_of(stack, "tickets", "sent", ticket_id, *sent, "--draft", reply["draft"]["draft_id"], *AS)
    answer_of(stack, "tickets", "wait", ticket_id, "--on", "third_party", "--reason", "مزود البريد", *AS)
    answer_of(stack, "tickets", "resume", ticket_id, *AS)
    other = opened(stack, "سؤال عن الباقات")["ticket"]["ticket_id"]
    raised = answer_of(stack, "tickets", "raise", other, "p1", "--reason", "عاجل", *AS)
    assert "P1" in raised["draft"]["title_ar"]
    answer_of(stack, "tickets", "link", ticket_id, other, *AS)
    answer_of(stack, "tickets", "resolve", ticket_id, "--note", "أُعيد الربط", *AS)
    answer_of(stack, "tickets", "say", ticket_id, "شكراً", *AS)
    confirmed = ("--confirmed-by", "sales-manager", "--channel", "phone", "--reference", "call-2")
    closed = answer_of(stack, "tickets", "close", ticket_id, *confirmed, *AS)
    assert closed["ticket"]["state"] == "TICKET_STATE_CLOSED"
    return ticket_id


READABLE = [
    (("tickets", "show", "{ticket}"), ["CLOSED", "sales-manager", "thanked", "Gmail connector"]),
    (("tickets", "messages", "{ticket}"), ["first_response", "هذه الصورة", "It arrived.", "thanks_flagged"]),
    (("tickets", "events", "{ticket}"), ["opened", "paused", "customer_message", "approved", "third_party", "closed"]),
    (("tickets", "links", "{ticket}"), ["related"]),
    (("tickets", "list", "--customer", CUSTOMER, "--state", "closed"), ["closed, thanked"]),
    (("clocks", "{ticket}"), ["first response", "met", "الرد الأول", "الحل", "┃"]),
    (("clocks", "{ticket}", "--as-of", "2026-01-01"), ["was not open"]),
    (("due", "--customer", CUSTOMER), ["nothing presses", "لا شيء"]),
    (("due", "--customer", CUSTOMER, "--within", "48"), ["first response, running", "الرد الأول", "P1"]),
    (("sla-policy",), ["P0", "always", "75% operator_team"]),
    (("sla-report", "--customer", CUSTOMER), ["HEALTHY"]),
]


@pytest.mark.parametrize(("arguments", "expected"), READABLE, ids=lambda value: " ".join(value)[:40])
def test_what_is_kept_of_a_ticket_is_readable_in_both_languages(
    command: Command, ticket: str, arguments: tuple[str, ...], expected: list[str]
) -> None:
    ended = command(*(part.format(ticket=ticket) for part in arguments))
    assert ended.code == 0, ended.err
    for part in expected:
        assert part in ended.out
    assert "live_send_allowed=false" in ended.out


def test_a_first_response_without_an_approval_is_refused_unless_it_is_said_so(stack: str) -> None:
    ticket_id = opened(stack)["ticket"]["ticket_id"]
    arguments = ("tickets", "sent", ticket_id, "--channel", "email", "--reference", "mail-2", *AS)
    refused = run_command(stack, *arguments)
    assert (refused.code, "APPROVAL_REQUIRED" in refused.err) == (1, True)
    recorded = answer_of(stack, *arguments, "--unapproved")
    assert recorded["ticket"]["state"] == "TICKET_STATE_IN_PROGRESS"
    assert "approval_id" not in recorded["event"] or not recorded["event"]["approval_id"]
    assert run_command(stack, *arguments, "--unapproved", "--draft", "drf_x").code == 2


def test_a_report_goes_into_a_file_that_spreadsheets_read(stack: str, ticket: str, tmp_path: Path) -> None:
    path = tmp_path / "week.csv"
    ended = run_command(stack, "sla-report", "--customer", CUSTOMER, "--csv", str(path))
    assert ended.code == 0, ended.err
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows[:8]] == ["all", *["priority"] * 4, *["burn"] * 3]
    assert rows[0]["verdict"] == "healthy"
    assert int(rows[0]["tickets"]) == sum(int(row["tickets"]) for row in rows[1:5]) >= 2
    nowhere = run_command(stack, "sla-report", "--csv", str(tmp_path / "missing" / "week.csv"))
    assert (nowhere.code, "cannot write" in nowhere.err) == (2, True)
