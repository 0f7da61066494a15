"""Declaring an incident: what a stored incident is at the moment it begins (specification §2).

Triage gives the severity; a person may raise it, with a reason, and nobody lowers it. What follows a declaration takes
its start from the moments kept here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.checks import Checks
from services.domain.errors import InvalidInput
from services.incidents.domain.book import Book
from services.incidents.domain.lifecycle import IncidentState
from services.incidents.domain.obligations import LEAK_AWARE
from services.incidents.domain.plan import ResponsePlan, response_plan
from services.incidents.domain.severity import Severity
from services.incidents.domain.timeline import TimelineEntry, TimelineKind
from services.incidents.domain.triage import SupportFindings, TriageFacts, TriageResult, triage


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is declared.

    - ``raise_severity_to``: a severity that a person wants, None for triage's own. A graver one needs ``raise_reason``.
    - ``aware_at``: when Dealix became aware, not in the future; None for the moment of the declaration.
    - ``drill``: an exercise; it starts no obligation clock.
    """

    facts: TriageFacts
    raise_severity_to: Severity | None = None
    raise_reason: str = ""
    aware_at: datetime | None = None
    drill: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredIncident:
    """A new incident, without its id and actor, which are not the domain's to give.

    ``triage`` is what triage decided; ``severity`` and ``plan`` follow a person's raise. ``data_leak`` and
    ``unauthorized_send`` hold by the reporter's word or by support's signal.
    """

    state: IncidentState
    severity: Severity
    triage: TriageResult
    plan: ResponsePlan
    data_leak: bool
    unauthorized_send: bool
    drill: bool
    aware_at: datetime
    declared_at: datetime
    timeline: tuple[TimelineEntry, ...]


def declare(declaration: Declaration, findings: SupportFindings | None, now: datetime, book: Book) -> DeclaredIncident:
    """The incident as it begins at ``now``.

    `InvalidInput` names all of: what `triage` refuses, an ``aware_time`` in the future, ``raise_severity_to`` below
    triage's severity, a raise without ``raise_reason``.
    """
    checks = Checks()
    if declaration.aware_at is not None and declaration.aware_at > now:
        checks.note("aware_time", "IN_FUTURE", "must not be later than now")
    try:
        result = triage(declaration.facts, findings, book.catalog)
    except InvalidInput as refused:
        raise InvalidInput((*refused.violations, *checks.violations)) from None
    chosen = declaration.raise_severity_to or result.severity
    if not chosen.at_least(result.severity):
        checks.note("raise_severity_to", "SEVERITY_LOWERED", f"must not be below the triaged {result.severity}")
    elif chosen is not result.severity:
        checks.text("raise_reason", declaration.raise_reason)
    checks.done()
    aware_at = now if declaration.aware_at is None else declaration.aware_at
    detail = {LEAK_AWARE: aware_at.isoformat()} if result.data_leak else {}
    timeline = [
        TimelineEntry(
            TimelineKind.DECLARED, now, now, result.severity, result.reason_ar, result.reason_en, detail=detail
        )
    ]
    if chosen is not result.severity:
        said = book.texts.raised(result.severity, chosen, declaration.raise_reason)
        timeline.append(TimelineEntry(TimelineKind.SEVERITY_RAISED, now, now, chosen, said.ar, said.en))
    return DeclaredIncident(
        state=IncidentState.DECLARED,
        severity=chosen,
        triage=result,
        plan=response_plan(chosen, book.catalog),
        data_leak=result.data_leak,
        unauthorized_send=result.unauthorized_send,
        drill=declaration.drill,
        aware_at=aware_at,
        declared_at=now,
        timeline=tuple(timeline),
    )
