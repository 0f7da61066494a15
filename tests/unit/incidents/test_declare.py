"""An incident begins with triage's severity or a graver one, and with honest moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.domain.errors import InvalidInput
from services.incidents.domain.declare import (
    OPEN_STATUSES,
    Declaration,
    IncidentStatus,
    SeverityNotGraver,
    TimelineKind,
    declare,
    raise_severity,
)
from services.incidents.domain.severity import Severity, load_catalog
from services.incidents.domain.triage import SupportFindings, TriageFacts

CATALOG = load_catalog()
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SMALL = TriageFacts("بطء في الإرسال", "", 1, False, False)
LEAK = TriageFacts("تسريب", "", 1, True, False)


def test_it_begins_declared_with_triages_severity() -> None:
    incident = declare(Declaration(SMALL), None, NOW, CATALOG)
    assert (incident.status, incident.severity) == (IncidentStatus.DECLARED, Severity.SEV3)
    assert (incident.declared_at, incident.aware_at, incident.occurred_at) == (NOW, NOW, None)
    assert [(e.kind, e.severity) for e in incident.timeline] == [(TimelineKind.DECLARED, Severity.SEV3)]
    assert incident.status in OPEN_STATUSES
    assert not incident.raised_by_person


def test_supports_findings_count_for_a_declaration() -> None:
    findings = SupportFindings(True, frozenset({"DATA_LEAK"}), (), 1)
    incident = declare(Declaration(SMALL), findings, NOW, CATALOG)
    assert incident.severity is Severity.SEV1
    assert incident.data_leak


def test_a_person_raises_it_with_a_reason_on_the_timeline() -> None:
    incident = declare(Declaration(SMALL, Severity.SEV1, "عميل حساس"), None, NOW, CATALOG)
    assert incident.severity is Severity.SEV1
    assert incident.triage.severity is Severity.SEV3
    assert incident.raised_by_person
    assert [(e.kind, e.severity, e.note) for e in incident.timeline] == [
        (TimelineKind.DECLARED, Severity.SEV3, ""),
        (TimelineKind.SEVERITY_RAISED, Severity.SEV1, "عميل حساس"),
    ]


def test_stating_the_same_severity_raises_nothing() -> None:
    assert len(declare(Declaration(LEAK, Severity.SEV1), None, NOW, CATALOG).timeline) == 1


def test_nobody_lowers_it() -> None:
    with pytest.raises(SeverityNotGraver) as refused:
        declare(Declaration(LEAK, Severity.SEV2, "يبدو بسيطًا"), None, NOW, CATALOG)
    assert refused.value.metadata == {"severity": "SEV1", "requested": "SEV2"}


@pytest.mark.parametrize(("current", "requested"), [(s, r) for s in Severity for r in Severity if s.at_least(r)])
def test_only_a_graver_severity_is_a_raise(current: Severity, requested: Severity) -> None:
    with pytest.raises(SeverityNotGraver):
        raise_severity(current, requested, "reason", NOW)


def test_moments_are_kept_and_drills_marked() -> None:
    began, known = NOW - timedelta(days=3), NOW - timedelta(days=2)
    incident = declare(Declaration(LEAK, occurred_at=began, aware_at=known, drill=True), None, NOW, CATALOG)
    assert (incident.occurred_at, incident.aware_at, incident.declared_at) == (began, known, NOW)
    assert incident.drill


def test_every_fault_is_named_at_once() -> None:
    later = NOW + timedelta(seconds=1)
    bad = Declaration(TriageFacts(" ", "", 0, False, False), occurred_at=later + timedelta(hours=1), aware_at=later)
    with pytest.raises(InvalidInput) as refused:
        declare(bad, None, NOW, CATALOG)
    assert {(v.field, v.reason) for v in refused.value.violations} == {
        ("title", "REQUIRED"),
        ("affected_customers", "TOO_SMALL"),
        ("occurred_at", "IN_FUTURE"),
        ("aware_at", "IN_FUTURE"),
        ("aware_at", "BEFORE_OCCURRENCE"),
    }


@pytest.mark.parametrize("reason", ["", "  ", "\u200b"])
def test_raising_needs_a_reason(reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        declare(Declaration(SMALL, Severity.SEV2, reason), None, NOW, CATALOG)
    assert [(v.field, v.reason) for v in refused.value.violations] == [("severity_reason", "REQUIRED")]
