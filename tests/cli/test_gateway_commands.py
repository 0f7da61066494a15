"""The commands over several services at once."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Command

AS = ("--as", "operator-1")
LEAK = "ظهرت بيانات عميل آخر في حسابنا، تسريب بيانات"


def answer_of(command: Command, *arguments: str) -> dict:
    ended = command(*arguments, "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_a_critical_ticket_shows_its_draft_its_incident_and_its_freeze(command: Command) -> None:
    ended = command("handle", "buraidah-test", LEAK, "--freeze", "whatsapp", *AS)
    assert ended.code == 0, ended.err
    for part in ("P0", "DRAFT", "SEV1", "whatsapp", "live_send_allowed=false"):
        assert part in ended.out
    harmless = answer_of(command, "handle", "buraidah-test", "متى موعد الاجتماع القادم؟", *AS)
    assert "incident" not in harmless


def test_a_handled_ticket_repeated_with_its_request_id_is_one(command: Command) -> None:
    again = ("handle", "jazan-test", LEAK, *AS, "--request-id", "0b6d4a08-6f0c-4a57-9d0c-0d8f6f1b9a77")
    assert answer_of(command, *again) == answer_of(command, *again)


@pytest.mark.parametrize("name", ["overview", "assess"])
def test_what_several_services_know_of_a_customer_is_shown_in_both_languages(command: Command, name: str) -> None:
    handled = answer_of(command, "handle", f"{name}-test", LEAK, *AS)
    ended = command(name, f"{name}-test")
    assert ended.code == 0, ended.err
    for part in (handled["incident"]["incident_id"], "Incidents and freezes", "الحوادث والتجميد", "Health", "الصحة"):
        assert part in ended.out
    assert "live_send_allowed=false" in ended.out
    assert {part["state"] for part in answer_of(command, name, f"{name}-test")["parts"]} <= {
        "PART_STATE_ANSWERED",
        "PART_STATE_NOTHING_KNOWN",
    }


def test_a_week_is_reviewed_and_says_what_became_of_each_part(command: Command) -> None:
    ended = command("review-week", *AS)
    assert ended.code == 0, ended.err
    for part in ("HEALTHY", "Report: done", "التقرير: تم", "Incident: nothing", "live_send_allowed=false"):
        assert part in ended.out
    named = answer_of(command, "review-week", "2026-03-01", *AS)
    assert (named["week_start_date"], named["approval_required"]) == ("2026-03-01", True)
    refused = command("review-week", "2026-03-02", *AS)
    assert (refused.code, "week_start_date" in refused.err) == (1, True)
    assert command("review-week").code == 2


def test_the_four_ledgers_are_listed_as_one(command: Command) -> None:
    opened = answer_of(command, "handle", "ahsa-test", LEAK, *AS)
    subject = f"ticket/{opened['routed']['ticket']['ticket_id']}"
    ended = command("ledger", "all", "--subject", subject)
    assert ended.code == 0, ended.err
    assert "ticket.opened" in ended.out
    assert "support" in ended.out
    page = answer_of(command, "ledger", "all", "--limit", "2")
    rest = answer_of(command, "ledger", "all", "--limit", "2", "--page-token", page["next_page_token"])
    assert page["entries"] != rest["entries"]
