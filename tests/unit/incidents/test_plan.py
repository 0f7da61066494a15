"""The response plan holds the specification's steps in its order, with its times."""

from __future__ import annotations

import pytest

from services.domain.errors import InvalidInput
from services.incidents.domain.plan import parse_severity, response_plan
from services.incidents.domain.severity import Severity, StepClock, StepCondition, load_catalog

CATALOG = load_catalog()

FOR_ALL = [
    "freeze_live_actions",
    "notify_founder_and_oncall",
    "open_incident_channel",
    "review_action_ledger",
    "pdpl_notice",
]


@pytest.mark.parametrize(
    ("severity", "own"),
    [
        (Severity.SEV1, ["founder_and_crisis_cell", "post_mortem", "legal_review"]),
        (Severity.SEV2, ["update_affected_customers", "post_mortem"]),
        (Severity.SEV3, ["update_affected_customer", "post_mortem"]),
    ],
)
def test_the_five_common_steps_come_first(severity: Severity, own: list[str]) -> None:
    plan = response_plan(severity, CATALOG)
    assert [step.id for step in plan.steps] == FOR_ALL + own
    assert [step.number for step in plan.steps] == list(range(1, len(plan.steps) + 1))
    assert len(plan.plan_ar) == len(plan.plan_en) == len(plan.steps)


@pytest.mark.parametrize(
    ("severity", "notify", "post_mortem"),
    [(Severity.SEV1, 15, 24 * 60), (Severity.SEV2, 30, 48 * 60), (Severity.SEV3, 120, None)],
)
def test_steps_are_due_when_the_table_says(severity: Severity, notify: int, post_mortem: int | None) -> None:
    due = {step.id: step.due_minutes for step in response_plan(severity, CATALOG).steps}
    assert due["freeze_live_actions"] == 0
    assert due["notify_founder_and_oncall"] == notify
    assert due["pdpl_notice"] == 72 * 60
    assert due["post_mortem"] == post_mortem


def test_the_privacy_notice_counts_from_awareness_and_only_for_a_leak() -> None:
    for severity in Severity:
        (notice,) = (s for s in response_plan(severity, CATALOG).steps if s.id == "pdpl_notice")
        assert (notice.due_from, notice.condition) == (StepClock.AWARE, StepCondition.DATA_LEAKED)
        assert "72" in notice.text_ar
        assert "72" in notice.text_en


def test_only_a_sev3_post_mortem_may_be_left_out() -> None:
    optional = {(s, step.id) for s in Severity for step in response_plan(s, CATALOG).steps if step.optional}
    assert optional == {(Severity.SEV3, "post_mortem")}


def test_sev2_customers_are_updated_every_hour() -> None:
    repeating = {
        (s, step.id, step.repeat_minutes)
        for s in Severity
        for step in response_plan(s, CATALOG).steps
        if step.repeat_minutes is not None
    }
    assert repeating == {(Severity.SEV2, "update_affected_customers", 60)}


@pytest.mark.parametrize("value", ["", "sev1", "SEV4", "SEV0", "P0", "SEV1 "])
def test_an_unknown_severity_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_severity(value)
    assert [(v.field, v.reason) for v in refused.value.violations] == [("severity", "UNKNOWN_VALUE")]


@pytest.mark.parametrize("severity", Severity)
def test_a_known_severity_is_read(severity: Severity) -> None:
    assert parse_severity(severity.value) is severity
