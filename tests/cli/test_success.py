"""Commands of customer success against a real stack: what is due, who is at risk and why, readable in both languages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.conftest import Command, run_command

AS = ("--as", "operator-1")


def riyadh_day(ahead: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=3, days=ahead)).date().isoformat()


def instant(days_ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")


@pytest.fixture(scope="module")
def customer(stack: str) -> str:
    """A customer with a plan and some weeks of activity, of high risk."""
    name = "tabuk-growth-test"
    start, renewal = riyadh_day(0), riyadh_day(20)
    for arguments in (
        ("success", "activate", name, "growth_starter", "--start", start, "--renewal", renewal, *AS),
        ("success", "record", name, "seen_active", "--at", instant(15), *AS),
        ("success", "record", name, "drafts_created", "--count", "12", "--at", instant(16), *AS),
        ("success", "record", name, "csat", "--value", "6.5", "--at", instant(15), "--reference", "survey-3", *AS),
    ):
        ended = run_command(stack, *arguments)
        assert ended.code == 0, ended.err
    return name


READABLE = [
    (("success", "plan", "{customer}"), ["growth_starter", "active", "email"]),
    (("success", "touchpoints", "{customer}"), ["upgrade_talk", "no proof pack yet", "نقاش الترقية", "renewal_7_day"]),
    (("success", "touchpoints", "{customer}", "--state", "completed"), ["no touchpoints"]),
    (("success", "due", "--customer", "{customer}", "--as-of", riyadh_day(14)), ["weekly_check_in", "late", "Weekly"]),
    (("success", "due"), ["due on"]),
    (("success", "history", "{customer}"), ["activated", "تفعيل الخطة", "operator-1"]),
    (("success", "activity", "{customer}"), ["survey-3", "6.5", "رضا العميل", "drafts created"]),
    (("success", "at-risk", "--limit", "200"), ["{customer}", "HIGH", "65", "12 مسودة"]),
    (("success", "at-risk", "--severity", "high", "--as-of", riyadh_day(0)), ["{customer}"]),
    (("success", "risk", "{customer}"), ["HIGH", "65 of 100", "days_inactive", "+40", "change in a week", "none yet"]),
    (("success", "health", "{customer}"), ["of 100", "CSAT", "?", "50%"]),
    (("success", "risk", "nobody-at-all"), ["UNKNOWN", "not known", "?"]),
    (("success", "alerts"), ["raised", "HIGH"]),
    (("success", "check-ins", "--customer", "nobody"), ["no check-ins"]),
]


def filled(arguments: tuple[str, ...], customer: str) -> list[str]:
    return [part.format(customer=customer) for part in arguments]


@pytest.fixture(scope="module")
def alerted(stack: str, customer: str) -> str:
    """The customer, with an alert: raised by a person, or by the service itself before."""
    ended = run_command(stack, "success", "alert", customer, *AS)
    assert ended.code == 0 or "AT_RISK_ALERT_EXISTS" in ended.err, ended.err
    return customer


@pytest.mark.parametrize(("arguments", "expected"), READABLE, ids=lambda value: " ".join(value)[:40])
def test_a_list_is_readable_and_shows_that_nothing_is_sent(
    command: Command, alerted: str, arguments: tuple[str, ...], expected: list[str]
) -> None:
    ended = command(*filled(arguments, alerted))
    assert (ended.code, ended.err) == (0, "")
    for part in filled(tuple(expected), alerted):
        assert part in ended.out
    assert "live_send_allowed=false" in ended.out


@pytest.mark.parametrize("arguments", [arguments for arguments, _ in READABLE], ids=lambda value: " ".join(value)[:40])
def test_a_list_answers_json(command: Command, alerted: str, arguments: tuple[str, ...]) -> None:
    ended = command(*filled(arguments, alerted), "--json")
    assert ended.code == 0, ended.err
    answer: dict[str, Any] = json.loads(ended.out)
    assert answer["live_send_allowed"] is False


def test_a_plan_is_worked_on_from_the_command_line(command: Command) -> None:
    name = "hail-growth-test"

    def answer(*arguments: str) -> dict[str, Any]:
        ended = command(*arguments, *AS, "--json")
        assert ended.code == 0, ended.err
        made: dict[str, Any] = json.loads(ended.out)
        return made

    dates = ("--start", riyadh_day(1), "--renewal", riyadh_day(200))
    made = answer("success", "activate", name, "growth_starter", *dates, "--channel", "whatsapp")
    first, second = made["touchpoints"][0]["touchpoint_id"], made["touchpoints"][1]["touchpoint_id"]
    done = answer("success", "done", first, "--note", "تمت الجلسة", "--reference", "minutes-1")
    assert done["touchpoint"]["state"] == "TOUCHPOINT_STATE_COMPLETED"
    moved = answer("success", "move", second, riyadh_day(5), "--reason", "بطلب العميل")
    assert moved["touchpoint"]["due_date"] == riyadh_day(5)
    consent = ("--consent-of", "contact-3", "--consent-by", "meeting", "--consent-reference", "minutes-2")
    changed = answer("success", "change", name, "--bundle", "executive_growth_os", *consent)
    assert changed["plan"]["bundle_id"] == "executive_growth_os"
    renewed = answer("success", "renewal", name, riyadh_day(300), "--etag", changed["plan"]["etag"])
    assert renewed["plan"]["renewal_date"] == riyadh_day(300)
    assert answer("success", "end", name, "انتهى العقد")["plan"]["state"] == "PLAN_STATE_ENDED"
    shown = command("success", "history", name)
    for part in ("consent of contact-3 by meeting", "إنهاء الخطة", "انتهى العقد"):
        assert part in shown.out


def test_a_check_in_is_not_done_while_an_incident_of_its_customer_is_open(command: Command) -> None:
    name = "qassim-growth-test"
    dates = ("--start", riyadh_day(0), "--renewal", riyadh_day(200))
    made = command("success", "activate", name, "growth_starter", *dates, *AS, "--json")
    found = json.loads(made.out)["touchpoints"]
    check_in = next(one["touchpoint_id"] for one in found if one["kind"] == "TOUCHPOINT_KIND_WEEKLY_CHECK_IN")
    declared = command("incidents", "declare", "رسائل دون اعتماد", "--unauthorized-send", "--customer", name, *AS)
    assert declared.code == 0, declared.err
    ended = command("success", "done", check_in, *AS)
    assert ended.code != 0
    assert "CHECK_IN_SUPPRESSED" in ended.err
    assert "SEV1" in ended.err


def test_a_refusal_says_why(command: Command) -> None:
    ended = command("success", "plan", "nobody-at-all")
    assert ended.code != 0
    assert "PLAN_NOT_FOUND" in ended.err
