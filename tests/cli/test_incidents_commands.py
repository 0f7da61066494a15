"""The life of an incident from the command line, against a real stack."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.conftest import run_command

AS = ("--as", "operator-1")
CUSTOMER = "jubail-marine-test"


def answer_of(stack: str, *arguments: str) -> dict[str, Any]:
    ended = run_command(stack, *arguments, "--json")
    assert ended.code == 0, ended.err
    made: dict[str, Any] = json.loads(ended.out)
    return made


def ahead(**passed: float) -> str:
    """A time of day from now, as a person would write it."""
    return (datetime.now(UTC) + timedelta(**passed)).isoformat(timespec="seconds")


def declared(stack: str, *options: str) -> str:
    answer = answer_of(stack, "incidents", "declare", "تسربت قائمة عملاء", "--data-leak", *options, *AS)
    incident_id: str = answer["incident"]["incident_id"]
    return incident_id


@pytest.fixture(scope="module")
def incident(stack: str) -> str:
    """A leak known for an hour: worked on late, updated, with roles, a finished task, a decision and an action item."""
    incident_id = declared(stack, "--customer", CUSTOMER, "--aware", ahead(hours=-1))
    late = ("--reason", "كان المناوب في حادث آخر")
    for arguments in (
        ("incidents", "state", incident_id, "active", *late),
        ("incidents", "role", incident_id, "commander", "operator-1"),
        ("incidents", "role", incident_id, "commander", "operator-2", "--note", "نهاية المناوبة"),
        ("incidents", "task", incident_id, "1", "done", "--note", "جُمدت القناة"),
        ("incidents", "task", incident_id, "2", "--owner", "operator-3"),
        ("incidents", "update", incident_id, "أُوقف الوصول إلى القائمة", "--late-reason", "تأخرت المعلومات"),
        ("incidents", "note", incident_id, "بدأ قبل النشر الأخير", "--at", ahead(hours=-3)),
        ("incidents", "link", incident_id, "--ticket", "tkt_" + "c" * 26),
        ("incidents", "pause", incident_id, "--reason", "ننتظر المزود"),
        ("obligations", "waive", incident_id, "data_subjects", "--reason", "البيانات مشفرة"),
        ("action-items", "add", incident_id, "مراجعة الصلاحيات", "--owner", "operator-3", "--due", ahead(days=2)),
    ):
        ended = run_command(stack, *arguments, *AS)
        assert ended.code == 0, ended.err
    return incident_id


READABLE = [
    (
        ("incidents", "show", "{incident}"),
        [
            *("قيد المعالجة", "met late", "استوفيت متأخرة", "operator-2", "قائد الحادث"),
            *("Notice to the authority", "المادة 24", "role handed over", "may be paused stand still"),
        ],
    ),
    (("incidents", "timeline", "{incident}"), ["بدأ قبل النشر الأخير", "update recorded", "جُمدت القناة", "told "]),
    (("incidents", "context", CUSTOMER), ["SEV1", "{incident}"]),
    (("obligations", "list", "{incident}"), ["not required", "غير مطلوبة", "البيانات مشفرة", "left"]),
    (
        ("obligations", "due", "--as-of", ahead(days=4), "--kind", "pdpl_authority"),
        ["{incident}", "إشعار الجهة المختصة"],
    ),
    (("action-items", "list", "--incident", "{incident}", "--open"), ["مراجعة الصلاحيات", "operator-3"]),
    (("action-items", "list", "--owner", "nobody-at-all"), ["no action items", "لا بنود عمل"]),
]


@pytest.mark.parametrize(("arguments", "expected"), READABLE, ids=lambda value: " ".join(value[:2]) if value else "")
def test_an_answer_is_readable_in_both_languages(
    stack: str, incident: str, arguments: tuple[str, ...], expected: list[str]
) -> None:
    ended = run_command(stack, *(each.format(incident=incident) for each in arguments))
    assert ended.code == 0, ended.err
    for words in expected:
        assert words.format(incident=incident) in ended.out, words
    assert "live_send_allowed=false" in ended.out
    assert all(len(line) <= 110 for line in ended.out.splitlines())


def test_an_incident_is_not_closed_while_it_owes_something_and_says_what(stack: str) -> None:
    incident_id = declared(stack)
    for state in ("active", "mitigated", "resolved"):
        answer_of(stack, "incidents", "state", incident_id, state, *AS)
    refused = run_command(stack, "incidents", "state", incident_id, "closed", *AS)
    assert refused.code == 1
    for words in ("INCIDENT_NOT_CLOSABLE", "Post-mortem", "Notice to the authority", "Freeze live actions"):
        assert words in refused.err, words
    for kind in ("post_mortem", "pdpl_authority", "data_subjects"):
        answer_of(stack, "obligations", "complete", incident_id, kind, "--reference", "filing-1", *AS)
    for number in ("1", "2", "3", "4", "6", "8"):
        answer_of(stack, "incidents", "task", incident_id, number, "done", *AS)
    closed = answer_of(stack, "incidents", "state", incident_id, "closed", *AS)
    assert closed["incident"]["state"] == "INCIDENT_STATE_CLOSED"


def test_a_severity_is_raised_and_a_duplicate_merged(stack: str) -> None:
    one, other = declared(stack), declared(stack, "--customer", CUSTOMER)
    refused = run_command(stack, "incidents", "duplicate", one, other, "--reason", "البلاغ نفسه", *AS)
    assert "duplicate_of_incident_id" in refused.err
    kept = answer_of(stack, "incidents", "duplicate", other, one, "--reason", "البلاغ نفسه", *AS)
    assert kept["incident"]["duplicate_of_incident_id"] == one
    small = answer_of(stack, "incidents", "declare", "بطء", *AS)["incident"]["incident_id"]
    raised = answer_of(stack, "incidents", "raise", small, "sev1", "--reason", "تسرب", "--data-leak", *AS)
    assert raised["incident"]["data_leak"] is True
    resumed = run_command(stack, "incidents", "resume", small, *AS)
    assert (resumed.code, "paused:" in resumed.err) == (1, True)


def test_an_action_item_is_moved_dropped_and_done_for_a_reason(stack: str, incident: str) -> None:
    def add() -> str:
        answer = answer_of(
            stack, "action-items", "add", incident, "مراجعة", "--owner", "o-1", "--due", ahead(days=1), *AS
        )
        found: str = answer["action_item"]["action_item_id"]
        return found

    moved, dropped = add(), add()
    later = ("action-items", "change", moved, "--due", ahead(days=3), *AS)
    assert "reason" in run_command(stack, *later).err
    answer_of(stack, *later, "--reason", "ننتظر الصلاحيات")
    assert answer_of(stack, "action-items", "done", moved, *AS)["action_item"]["state"] == "ACTION_ITEM_STATE_DONE"
    answer = answer_of(stack, "action-items", "drop", dropped, "--reason", "لم يعد لازمًا", *AS)
    assert answer["action_item"]["state"] == "ACTION_ITEM_STATE_CANCELLED"
