"""`customer-ops approvals`: what waits, and what people decide about it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

AS = ("--as", "operator-1")
_NUMBERS = itertools.count(1)


def answer_of(command: Command, *arguments: str) -> dict[str, Any]:
    ended = command(*arguments, "--json")
    assert ended.code == 0, ended.err
    made: dict[str, Any] = json.loads(ended.out)
    return made


@pytest.fixture
def first_response(command: Command) -> dict[str, Any]:
    """The draft of a first response to a ticket of a customer of the test's own, with its hash."""
    customer = f"approvals-{next(_NUMBERS)}"
    opened = answer_of(command, "tickets", "open", customer, "Where do I see the report?", "--channel", "email", *AS)
    draft: dict[str, Any] = opened["draft"]
    return draft


def test_what_waits_is_listed_for_all_services_with_the_longest_wait_first(
    command: Command, first_response: dict[str, Any]
) -> None:
    listed = answer_of(command, "approvals", "pending", "--customer", first_response["customer_id"])
    assert set(listed) == {"support", "incidents", "onboarding", "success"}
    assert [draft["draft_id"] for draft in listed["support"]["drafts"]] == [first_response["draft_id"]]
    readable = command("approvals", "pending", "--service", "support", "--customer", first_response["customer_id"])
    assert first_response["draft_id"] in readable.out
    assert "first_response" in readable.out
    assert "0 min" in readable.out
    assert "live_send_allowed=false" in readable.out


def test_a_list_that_is_cut_says_so(command: Command, first_response: dict[str, Any]) -> None:
    command("tickets", "open", first_response["customer_id"], "And another question", *AS)
    cut = command("approvals", "pending", "--customer", first_response["customer_id"], "--limit", "1")
    assert "more in support than the 1 shown" in cut.out


def test_a_draft_is_approved_as_it_was_read_and_is_not_sent_by_that(
    command: Command, first_response: dict[str, Any]
) -> None:
    shown = command("approvals", "show", "support", first_response["draft_id"])
    assert first_response["content_hash"] in shown.out
    assert " DRAFT " in shown.out
    approve = ("approvals", "approve", "support", first_response["draft_id"])
    changed = command(*approve, "--hash", "0" * 64, *AS)
    assert changed.code == 1
    assert "DRAFT_CHANGED" in changed.err
    approved = answer_of(command, *approve, "--hash", first_response["content_hash"], "--hours", "2", *AS)["draft"]
    assert approved["state"] == "DRAFT_STATE_APPROVED"
    assert "sent" not in approved
    assert approved["approval"]["approver"]["id"] == "operator-1"


def test_an_edited_text_is_approved_in_that_form_and_an_edit_afterwards_voids_it(
    command: Command, first_response: dict[str, Any], tmp_path: Path
) -> None:
    arabic = tmp_path / "ar.txt"
    arabic.write_text("السلام عليكم، وصلنا سؤالكم ونرد عليكم خلال 24 ساعة.\n", encoding="utf-8")
    draft_id = first_response["draft_id"]
    approved = answer_of(
        command,
        *("approvals", "approve", "support", draft_id, "--hash", first_response["content_hash"]),
        *("--ar-file", str(arabic), *AS),
    )["draft"]
    assert approved["state"] == "DRAFT_STATE_EDITED_AND_APPROVED"
    assert approved["body_ar"].startswith("السلام عليكم، وصلنا سؤالكم")
    assert approved["body_en"] == first_response["body_en"]
    arabic.write_text("السلام عليكم، وصلنا سؤالكم وسيرد عليكم زميل من الفريق خلال 24 ساعة.", encoding="utf-8")
    edited = answer_of(command, "approvals", "edit", "support", draft_id, "--ar-file", str(arabic), *AS)["draft"]
    assert edited["state"] == "DRAFT_STATE_DRAFTED"
    assert "approval" not in edited


def test_a_prohibited_claim_is_named_and_leaves_the_draft_waiting(
    command: Command, first_response: dict[str, Any], tmp_path: Path
) -> None:
    arabic = tmp_path / "ar.txt"
    arabic.write_text("السلام عليكم، نضمن لكم مبيعات أعلى هذا الأسبوع.", encoding="utf-8")
    refused = command(
        *("approvals", "approve", "support", first_response["draft_id"], "--hash", first_response["content_hash"]),
        *("--ar-file", str(arabic), *AS),
    )
    assert refused.code == 1
    assert "PROHIBITED_CLAIM" in refused.err
    assert "نضمن" in refused.err
    after = answer_of(command, "approvals", "show", "support", first_response["draft_id"])["draft"]
    assert after["state"] == "DRAFT_STATE_DRAFTED"


def test_a_draft_is_rejected_with_a_reason(command: Command, first_response: dict[str, Any]) -> None:
    reject = ("approvals", "reject", "support", first_response["draft_id"], "--reason", "the wrong customer")
    rejected = answer_of(command, *reject, *AS)["draft"]
    assert rejected["state"] == "DRAFT_STATE_REJECTED"
    assert rejected["rejection_reason"] == "the wrong customer"
    again = command(*reject, *AS)
    assert again.code == 1
    assert "DRAFT_STATE_REFUSED" in again.err


def test_an_approved_draft_is_recorded_as_sent_once(command: Command) -> None:
    answer_of(command, "success", "record", "sent-test", "seen_active", "--at", "2026-01-04", *AS)
    raised = answer_of(command, "success", "alert", "sent-test", *AS)
    draft_id = raised["alert"]["draft_id"]
    waiting = answer_of(command, "approvals", "show", "success", draft_id)["draft"]
    approved = answer_of(command, "approvals", "approve", "success", draft_id, "--hash", waiting["content_hash"], *AS)[
        "draft"
    ]
    sent = (
        *("approvals", "sent", "success", draft_id, "--approval", approved["approval"]["approval_id"]),
        *("--channel", "email", "--reference", "mail-7", *AS),
    )
    recorded = answer_of(command, *sent)["draft"]
    assert recorded["state"] == "DRAFT_STATE_SENT_RECORDED"
    assert recorded["sent"]["reference"] == "mail-7"
    twice = command(*sent)
    assert twice.code == 1
    assert "APPROVAL_USED" in twice.err


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("approvals", "show", "support", "drf_" + "a" * 26), 1, "DRAFT_NOT_FOUND"),
        (("approvals", "show", "billing", "drf_" + "a" * 26), 2, "wrong usage"),
        (("approvals", "approve", "support", "drf_" + "a" * 26, "--hash", "x"), 2, "--as"),
        (("approvals", "edit", "support", "drf_" + "a" * 26, *AS), 2, "--ar-file"),
    ],
)
def test_a_decision_that_cannot_be_says_why_in_one_line(
    command: Command, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    ended = command(*arguments)
    assert ended.code == code
    assert len(ended.error_lines) == 1
    assert expected in ended.err


def test_a_file_that_cannot_be_read_is_wrong_usage(command: Command, first_response: dict[str, Any]) -> None:
    missing = ("--en-file", "/nowhere/at/all.txt")
    ended = command("approvals", "edit", "support", first_response["draft_id"], *missing, *AS)
    assert ended.code == 2
    assert "cannot read /nowhere/at/all.txt" in ended.err
