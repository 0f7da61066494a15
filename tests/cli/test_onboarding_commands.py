"""The commands about onboarding and connectors: one customer from the first problem to what is set up, each list readable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Command, run_command

AS = ("--as", "operator-1")
NAME = "dammam-logistics-test"

# In this order, on one customer; what each must show, Arabic and English.
STORY: list[tuple[tuple[str, ...], list[str]]] = [
    (
        ("onboarding", "start", NAME, "--bundle", "growth_starter", *AS),
        ["select_goal", "اختيار الهدف", "needs an approval"],
    ),
    (("connectors", "set", NAME, "gmail", "configuring", *AS), ["configuring"]),
    (
        ("connectors", "problem", NAME, "gmail", "oauth_failed", "--detail", "redirect_uri_mismatch", *AS),
        ["failed", "تعذّر", "the connection is broken"],
    ),
    (("onboarding", "block", NAME, "upload_or_source", "customer", "--note", "ننتظر القائمة", *AS), ["ننتظر القائمة"]),
    (
        ("onboarding", "risk", NAME, "problem_found", "--finding", "مصدر غير معروف", "--reference", "rev-7", *AS),
        ["problem found", "مصدر غير معروف", "Report what was found to the founder"],
    ),
    (
        ("onboarding", "show", NAME),
        ["Gmail OAuth failed", "تعذّر ربط Gmail", "No list uploaded", "rev-7", "open issues"],
    ),
    (("onboarding", "list"), [NAME, "stopped: the founder decides", "1 open connector issue"]),
    (("onboarding", "resolve-risk", NAME, "استُبدلت القائمة", "--as", "founder-1"), ["resolved", "founder-1"]),
    (("onboarding", "unblock", NAME, "upload_or_source", *AS), ["upload_or_source"]),
    (
        ("connectors", "audit", NAME, "120", "web_form", "--reference", "doc-41", *AS),
        ["120 numbers, web_form", "doc-41"],
    ),
    (("connectors", "set", NAME, "whatsapp_cloud", "connected_draft_only", "--account", "waba-1", *AS), ["ready"]),
    (
        ("connectors", "test", NAME, "whatsapp_cloud", "drafted", "--logs-clean", "--reference", "d-1", *AS),
        ["مربوط (مسودات فقط)", "d-1", "a digest"],
    ),
    (("connectors", "events", NAME), ["رُصدت مشكلة", "opt-in audited", "not_started → configuring"]),
    (("connectors", "events", NAME, "gmail"), ["redirect_uri_mismatch"]),
    (("connectors", "issues", "--customer", NAME), ["1×", "operator acts"]),
    (("connectors", "issues", "--customer", NAME, "--connector", "moyasar"), ["no issues"]),
    (("connectors", "ask", NAME, "gmail", *AS), ["connector_approval", "email", "DRAFT"]),
    (("onboarding", "ask", NAME, "risk_review", *AS), ["onboarding_step", "internal", "DRAFT"]),
    (("onboarding", "proof-pack", NAME, "delivered", "--reference", "pack-1", *AS), ["waits for the customer"]),
    (
        ("onboarding", "proof-pack", NAME, "approved", "--reference", "mail-88", "--by", "dammam.manager", *AS),
        ["dammam.manager", "mail-88"],
    ),
    (("onboarding", "acceptance", NAME), ["not yet", "لم تكتمل بعد", "mail-88", "whatsapp_cloud"]),
    (("onboarding", "checklists"), [NAME]),
]


@pytest.fixture(scope="module")
def told(stack: str) -> dict[tuple[str, ...], Any]:
    """What each command of the story printed."""
    return {arguments: run_command(stack, *arguments) for arguments, _ in STORY}


@pytest.mark.parametrize(("arguments", "expected"), STORY, ids=lambda value: " ".join(value)[:44])
def test_a_command_is_readable_and_shows_that_nothing_is_sent(
    told: dict[tuple[str, ...], Any], arguments: tuple[str, ...], expected: list[str]
) -> None:
    ended = told[arguments]
    assert ended.code == 0, ended.err
    for part in expected:
        assert part in ended.out
    assert "live_send_allowed=false" in ended.out


def test_an_acceptance_is_refused_with_everything_that_is_missing(
    told: dict[tuple[str, ...], Any], command: Command
) -> None:
    assert told
    ended = command("onboarding", "accept", NAME, *AS)
    assert ended.code == 1
    assert "ACCEPTANCE_INCOMPLETE" in ended.err
    for part in ("select_goal: must be completed", "success_cadence: must be active"):
        assert part in ended.err


def test_lists_answer_json_with_both_flags(told: dict[tuple[str, ...], Any], command: Command) -> None:
    assert told
    lists = [("onboarding", "list"), ("connectors", "events", NAME), ("connectors", "issues")]
    for arguments in lists:
        answer = json.loads(command(*arguments, "--json").out)
        assert answer["live_send_allowed"] is False
        assert isinstance(answer["approval_required"], bool)
