"""Declaring an incident: what a stored incident is at the moment it begins (specification §2).

Triage gives the severity; a person may choose a graver one, with a reason, and nobody a lesser one. What follows after
the declaration (activation, obligations, tasks) takes its start from the moments kept here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.domain.checks import Checks
from services.domain.errors import InvalidInput, PreconditionFailed
from services.incidents.domain.severity import Catalog, Severity
from services.incidents.domain.triage import SupportFindings, TriageFacts, TriageResult, triage


class IncidentStatus(StrEnum):
    """Where an incident stands in its life; every incident begins as declared."""

    DECLARED = "declared"
    ACTIVE = "active"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


OPEN_STATUSES = frozenset({IncidentStatus.DECLARED, IncidentStatus.ACTIVE, IncidentStatus.MITIGATED})
"""An incident is open until it is resolved or cancelled."""


class SeverityNotGraver(PreconditionFailed):
    """A severity was to be lowered. Metadata: ``severity`` (the one that stands), ``requested``."""

    reason = "SEVERITY_CANNOT_BE_LOWERED"


class TimelineKind(StrEnum):
    DECLARED = "declared"
    SEVERITY_RAISED = "severity_raised"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the append-only timeline.

    ``occurred_at`` is when it happened, ``recorded_at`` when it was written down. ``severity`` stands from this entry
    on. ``note`` is what a person gave as the reason; it may be personal text and stays out of the ledger.
    """

    kind: TimelineKind
    occurred_at: datetime
    recorded_at: datetime
    severity: Severity
    note: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is declared.

    - ``severity``: a person's choice, at least as grave as triage's; None leaves it to triage. A graver one needs
      ``severity_reason``.
    - ``occurred_at``: when it began, None if not known. ``aware_at``: when Dealix became aware, None for the moment of
      the declaration. Both UTC, not in the future; awareness does not come before the beginning.
    - ``drill``: an exercise; it starts no obligation clock.
    """

    facts: TriageFacts
    severity: Severity | None = None
    severity_reason: str = ""
    occurred_at: datetime | None = None
    aware_at: datetime | None = None
    drill: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredIncident:
    """A new incident, without the id and the actor, which are not the domain's to give."""

    status: IncidentStatus
    severity: Severity
    triage: TriageResult
    occurred_at: datetime | None
    aware_at: datetime
    declared_at: datetime
    drill: bool
    data_leak: bool
    timeline: tuple[TimelineEntry, ...]

    @property
    def raised_by_person(self) -> bool:
        return self.severity is not self.triage.severity


def declare(
    declaration: Declaration, findings: SupportFindings | None, now: datetime, catalog: Catalog
) -> DeclaredIncident:
    """The incident as it begins at ``now``.

    `InvalidInput` names all of: what `triage` refuses, ``occurred_at`` or ``aware_at`` in the future, ``aware_at``
    before ``occurred_at``, a graver ``severity`` without ``severity_reason``. `SeverityNotGraver` if ``severity`` is
    less grave than triage's.
    """
    checks = Checks()
    _check_times(checks, declaration, now)
    result = _triage_collecting(checks, declaration.facts, findings, catalog)
    if result is None:
        checks.done()
        raise AssertionError("a refused triage leaves violations")
    chosen = result.severity if declaration.severity is None else declaration.severity
    if chosen is not result.severity and chosen.at_least(result.severity):
        checks.text("severity_reason", declaration.severity_reason)
    checks.done()
    timeline = [TimelineEntry(TimelineKind.DECLARED, now, now, result.severity)]
    if chosen is not result.severity:
        timeline.append(raise_severity(result.severity, chosen, declaration.severity_reason, now))
    return DeclaredIncident(
        status=IncidentStatus.DECLARED,
        severity=chosen,
        triage=result,
        occurred_at=declaration.occurred_at,
        aware_at=now if declaration.aware_at is None else declaration.aware_at,
        declared_at=now,
        drill=declaration.drill,
        data_leak=result.data_leak,
        timeline=tuple(timeline),
    )


def raise_severity(current: Severity, requested: Severity, reason: str, now: datetime) -> TimelineEntry:
    """The timeline entry by which a person raises ``current`` to ``requested``.

    `InvalidInput` without a reason; `SeverityNotGraver` unless ``requested`` is graver.
    """
    if current.at_least(requested):
        raise SeverityNotGraver(
            f"the severity is {current} and can only be raised", severity=current, requested=requested
        )
    checks = Checks()
    checks.text("severity_reason", reason)
    checks.done()
    return TimelineEntry(TimelineKind.SEVERITY_RAISED, now, now, requested, reason)


def _check_times(checks: Checks, declaration: Declaration, now: datetime) -> None:
    occurred, aware = declaration.occurred_at, declaration.aware_at
    for name, moment in (("occurred_at", occurred), ("aware_at", aware)):
        if moment is not None and moment > now:
            checks.note(name, "IN_FUTURE", "must not be later than now")
    if occurred is not None and aware is not None and aware < occurred:
        checks.note("aware_at", "BEFORE_OCCURRENCE", "must not be earlier than occurred_at")


def _triage_collecting(
    checks: Checks, facts: TriageFacts, findings: SupportFindings | None, catalog: Catalog
) -> TriageResult | None:
    """Triage, with its violations added to ``checks`` so that one answer names every faulty field."""
    try:
        return triage(facts, findings, catalog)
    except InvalidInput as refused:
        checks.violations.extend(refused.violations)
        return None
