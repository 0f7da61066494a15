"""An incident begins with triage's severity or a graver one, and with honest moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.domain.errors import InvalidInput
from services.incidents.domain.book import load_book
from services.incidents.domain.declare import Declaration, declare
from services.incidents.domain.lifecycle import OPEN_STATES, IncidentState
from services.incidents.domain.plan import response_plan
from services.incidents.domain.severity import Severity
from services.incidents.domain.timeline import TimelineKind
from services.incidents.domain.triage import SupportFindings, TriageFacts

BOOK = load_book()
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SMALL = TriageFacts("بطء في الإرسال", "", 1, False, False)
LEAK = TriageFacts("تسريب", "", 1, True, False)


def test_it_begins_declared_with_triages_severity_and_plan() -> None:
    incident = declare(Declaration(SMALL), None, NOW, BOOK)
    assert (incident.state, incident.severity) == (IncidentState.DECLARED, Severity.SEV3)
    assert (incident.declared_at, incident.aware_at) == (NOW, NOW)
    assert incident.plan == response_plan(Severity.SEV3, BOOK.catalog)
    assert [(e.kind, e.severity, e.text) for e in incident.timeline] == [
        (TimelineKind.DECLARED, Severity.SEV3, incident.triage.reason_ar)
    ]
    assert incident.state in OPEN_STATES


@pytest.mark.parametrize(("signal", "leak", "send"), [("DATA_LEAK", True, False), ("UNAUTHORIZED_SEND", False, True)])
def test_supports_findings_count_for_a_declaration(signal: str, leak: bool, send: bool) -> None:
    incident = declare(Declaration(SMALL), SupportFindings(True, frozenset({signal})), NOW, BOOK)
    assert incident.severity is Severity.SEV1
    assert (incident.data_leak, incident.unauthorized_send) == (leak, send)


def test_a_person_raises_it_with_a_reason_on_the_timeline() -> None:
    incident = declare(Declaration(SMALL, Severity.SEV1, "عميل حساس"), None, NOW, BOOK)
    assert (incident.severity, incident.triage.severity) == (Severity.SEV1, Severity.SEV3)
    assert incident.plan.severity is Severity.SEV1
    raised = incident.timeline[1]
    assert (raised.kind, raised.severity) == (TimelineKind.SEVERITY_RAISED, Severity.SEV1)
    assert raised.text == "رُفعت الخطورة من SEV3 إلى SEV1: عميل حساس"
    assert raised.text_en == "The severity was raised from SEV3 to SEV1: عميل حساس"


def test_naming_the_triaged_severity_raises_nothing() -> None:
    assert len(declare(Declaration(LEAK, Severity.SEV1), None, NOW, BOOK).timeline) == 1


def test_nobody_lowers_it() -> None:
    with pytest.raises(InvalidInput) as refused:
        declare(Declaration(LEAK, Severity.SEV2, "يبدو بسيطًا"), None, NOW, BOOK)
    assert [(v.field, v.reason) for v in refused.value.violations] == [("raise_severity_to", "SEVERITY_LOWERED")]


def test_the_moment_of_awareness_is_kept_and_a_drill_is_marked() -> None:
    known = NOW - timedelta(days=2)
    incident = declare(Declaration(LEAK, aware_at=known, drill=True), None, NOW, BOOK)
    assert (incident.aware_at, incident.declared_at, incident.drill) == (known, NOW, True)


@pytest.mark.parametrize("reason", ["", "  ", "\u200b"])
def test_raising_needs_a_reason(reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        declare(Declaration(SMALL, Severity.SEV2, reason, NOW + timedelta(seconds=1)), None, NOW, BOOK)
    assert [(v.field, v.reason) for v in refused.value.violations] == [
        ("aware_time", "IN_FUTURE"),
        ("raise_reason", "REQUIRED"),
    ]


def test_every_fault_is_named_at_once() -> None:
    bad = Declaration(TriageFacts(" ", "", 0, False, False), aware_at=NOW + timedelta(seconds=1))
    with pytest.raises(InvalidInput) as refused:
        declare(bad, None, NOW, BOOK)
    assert {(v.field, v.reason) for v in refused.value.violations} == {
        ("facts.title", "REQUIRED"),
        ("facts.affected_customers", "TOO_SMALL"),
        ("aware_time", "IN_FUTURE"),
    }
