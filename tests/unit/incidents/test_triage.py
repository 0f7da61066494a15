"""Triage decides as the specification's table says, explains itself, and support can only raise it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.incidents.domain.severity import Rule, Severity, load_catalog
from services.incidents.domain.triage import NOT_CONSULTED, SupportFindings, TriageFacts, triage

CATALOG = load_catalog()


def facts(count: int = 1, leak: bool = False, send: bool = False, title: str = "توقف الإرسال") -> TriageFacts:
    return TriageFacts(title, "", count, leak, send)


def found(*signals: str, customers: int = 0) -> SupportFindings:
    return SupportFindings(True, frozenset(signals), (), customers)


@pytest.mark.parametrize(
    ("given_facts", "severity", "rule"),
    [
        (facts(1), Severity.SEV3, Rule.DEFAULT),
        (facts(4), Severity.SEV3, Rule.DEFAULT),
        (facts(5), Severity.SEV2, Rule.AFFECTED_CUSTOMERS),
        (facts(1_000_000), Severity.SEV2, Rule.AFFECTED_CUSTOMERS),
        (facts(1, leak=True), Severity.SEV1, Rule.DATA_LEAK),
        (facts(1, send=True), Severity.SEV1, Rule.UNAUTHORIZED_SEND),
        (facts(9, leak=True, send=True), Severity.SEV1, Rule.DATA_LEAK),
    ],
)
def test_the_reporters_facts_decide(given_facts: TriageFacts, severity: Severity, rule: Rule) -> None:
    result = triage(given_facts, None, CATALOG)
    assert (result.severity, result.decided_by) == (severity, rule)
    assert (result.caller_severity, result.caller_decided_by) == (severity, rule)
    assert result.details is CATALOG.severities[severity]
    assert severity in result.reason_ar
    assert severity in result.reason_en
    assert result.proposal is None
    assert result.support_consulted is False


@pytest.mark.parametrize(
    ("findings", "severity", "rule", "proposed"),
    [
        (found(), Severity.SEV3, Rule.DEFAULT, None),
        (found("SECURITY", "CONNECTOR", "BILLING"), Severity.SEV3, Rule.DEFAULT, None),
        (found("DATA_LEAK"), Severity.SEV1, Rule.SUPPORT_DATA_LEAK, None),
        (found("UNAUTHORIZED_SEND"), Severity.SEV1, Rule.SUPPORT_UNAUTHORIZED_SEND, None),
        (found("OUTAGE"), Severity.SEV2, Rule.SUPPORT_OUTAGE, Severity.SEV1),
        (found("OUTAGE", "DATA_LEAK"), Severity.SEV1, Rule.SUPPORT_DATA_LEAK, None),
        (found(customers=4), Severity.SEV3, Rule.DEFAULT, None),
        (found(customers=5), Severity.SEV2, Rule.SUPPORT_AFFECTED_CUSTOMERS, None),
        (found("OUTAGE", customers=5), Severity.SEV2, Rule.SUPPORT_AFFECTED_CUSTOMERS, Severity.SEV1),
    ],
)
def test_what_support_found_raises_a_small_incident(
    findings: SupportFindings, severity: Severity, rule: Rule, proposed: Severity | None
) -> None:
    result = triage(facts(2), findings, CATALOG)
    assert (result.severity, result.decided_by, result.proposed_severity) == (severity, rule, proposed)
    assert result.caller_severity is Severity.SEV3
    assert result.raised_by_support == (severity is not Severity.SEV3)
    assert ("معطيات المُبلِّغ وحدها تعطي SEV3" in result.reason_ar) == result.raised_by_support


def test_an_outage_beside_five_stated_customers_still_proposes_sev1() -> None:
    result = triage(facts(5), found("OUTAGE"), CATALOG)
    assert (result.severity, result.decided_by) == (Severity.SEV2, Rule.AFFECTED_CUSTOMERS)
    assert result.proposal is not None
    assert result.proposal.severity is Severity.SEV1
    assert "SEV1" in result.proposal.reason_ar


def test_that_support_was_not_asked_is_said_and_changes_nothing() -> None:
    degraded, asked = triage(facts(5), NOT_CONSULTED, CATALOG), triage(facts(5), found(), CATALOG)
    assert degraded == triage(facts(5), None, CATALOG)
    assert degraded.severity is asked.severity
    assert (degraded.support_consulted, asked.support_consulted) == (False, True)
    assert degraded.reason_ar == f"{asked.reason_ar} لم يُرجَع إلى الدعم، فالحكم مبني على معطيات المُبلِّغ وحدها."
    assert degraded.reason_en.endswith("rests on the reporter's facts alone.")


def test_the_count_decided_on_is_the_greater_one() -> None:
    assert triage(facts(3), found(customers=8), CATALOG).affected_customers == 8
    assert triage(facts(9), found(customers=8), CATALOG).affected_customers == 9


def test_a_leak_that_only_support_saw_is_a_leak() -> None:
    assert triage(facts(1), found("DATA_LEAK"), CATALOG).data_leak
    assert not triage(facts(1), found("OUTAGE"), CATALOG).data_leak


@pytest.mark.parametrize(
    "title", ["", "   ", "\t\n", "\u200b\u200f\u202e", "\u064e", "\u0640\u064b", "\u0640 \u06e5\u0640", "\u3164"]
)
def test_a_title_that_shows_nothing_is_refused(title: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        triage(facts(title=title), None, CATALOG)
    assert [(v.field, v.reason) for v in refused.value.violations] == [("facts.title", "REQUIRED")]


@pytest.mark.parametrize("count", [0, -1, -(2**31), 10**12])
def test_every_fault_is_named_at_once(count: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        triage(facts(count, title=" "), SupportFindings(False, frozenset({"OUTAGE"}), (), -1), CATALOG)
    assert {v.field for v in refused.value.violations} == {
        "facts.title",
        "facts.affected_customers",
        "support_findings.distinct_customers",
        "support_findings.consulted",
    }


SIGNALS = ["SECURITY", "DATA_LEAK", "UNAUTHORIZED_SEND", "WRONG_SEND", "OUTAGE", "SERVICE_DOWN", "CONNECTOR"]


@settings(max_examples=200)
@given(
    st.builds(facts, st.integers(1, 20), st.booleans(), st.booleans()),
    st.frozensets(st.sampled_from(SIGNALS)),
    st.integers(0, 20),
    st.frozensets(st.sampled_from(SIGNALS)),
)
def test_more_findings_never_lower_a_severity(
    given_facts: TriageFacts, signals: frozenset[str], customers: int, more: frozenset[str]
) -> None:
    alone = triage(given_facts, None, CATALOG)
    some = triage(given_facts, found(*signals, customers=customers), CATALOG)
    all_of_it = triage(given_facts, found(*signals, *more, customers=customers + 3), CATALOG)
    assert some.severity.at_least(alone.severity)
    assert all_of_it.severity.at_least(some.severity)
    assert some.caller_severity is alone.severity
    assert some.rules[0].rule is some.decided_by
    assert "{" not in some.reason_ar + some.reason_en
