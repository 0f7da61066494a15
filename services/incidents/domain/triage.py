"""Triage: from what a reporter states, and what support found, to a severity and its explanation.

Rules (specification §2 and §5):

- the reporter's facts: a data leak or an unauthorized send is SEV1 whatever the count; otherwise five or more
  affected customers are SEV2; otherwise SEV3;
- what support found can only raise that: a DATA_LEAK or UNAUTHORIZED_SEND signal is SEV1, distinct affected
  customers counted from open tickets replace a smaller stated count, an OUTAGE signal is SEV2 at least and proposes
  SEV1 to a person, because only a person can tell a complete outage from a partial one.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.domain.arabic import fold
from services.domain.checks import Checks
from services.domain.texts import Bilingual
from services.incidents.domain.severity import Catalog, Rule, Severity, SeverityDetails

DATA_LEAK = "DATA_LEAK"
UNAUTHORIZED_SEND = "UNAUTHORIZED_SEND"
OUTAGE = "OUTAGE"


@dataclass(frozen=True, slots=True)
class TriageFacts:
    """What the reporter states. ``affected_customers`` is at least 1: an incident that affects nobody is not one."""

    title: str
    description: str
    affected_customers: int
    data_leak: bool
    unauthorized_send: bool


@dataclass(frozen=True, slots=True)
class SupportFindings:
    """What support found in the text and in the open tickets with the same signals.

    ``signals`` are support's signal ids; the ones that decide nothing here pass through. ``consulted`` is false when
    support was not asked or gave no answer; the rest is then empty.
    """

    consulted: bool
    signals: frozenset[str] = frozenset()
    open_ticket_ids: tuple[str, ...] = ()
    distinct_affected_customers: int = 0


NOT_CONSULTED = SupportFindings(consulted=False)


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that applies, and the severity it gives."""

    rule: Rule
    severity: Severity
    reason_ar: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A graver severity that a person may choose; it is not applied."""

    severity: Severity
    decided_by: Rule
    reason_ar: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class TriageResult:
    """The severity with everything that explains it.

    - ``decided_by``: the rule that decided; ``reason_*`` begins with its sentence and adds, where they apply, what the
      reporter's facts alone give and that support was not consulted.
    - ``rules``: every rule that applies, gravest first; the first one is the decisive one.
    - ``caller_severity``, ``caller_decided_by``: what the reporter's facts alone give.
    - ``affected_customers``: the count that was decided on, the greater of the stated and the found one.
    - ``data_leak``, ``unauthorized_send``: stated by the reporter or found by support.
    """

    severity: Severity
    details: SeverityDetails
    decided_by: Rule
    reason_ar: str
    reason_en: str
    rules: tuple[RuleHit, ...]
    caller_severity: Severity
    caller_decided_by: Rule
    affected_customers: int
    data_leak: bool
    unauthorized_send: bool
    support_consulted: bool
    proposal: Proposal | None
    catalog_version: str

    @property
    def raised_by_support(self) -> bool:
        return self.severity is not self.caller_severity

    @property
    def proposed_severity(self) -> Severity | None:
        return self.proposal.severity if self.proposal else None


def triage(facts: TriageFacts, findings: SupportFindings | None, catalog: Catalog) -> TriageResult:
    """Decide the severity. Without ``findings``, support was not consulted.

    `InvalidInput` names all of: ``facts.title`` without a visible character (tatweel is none), ``facts.affected_customers``
    below 1, a negative ``support_findings.distinct_customers``, findings that hold something yet say they were not consulted.
    """
    findings = findings or NOT_CONSULTED
    _check(facts, findings)
    caller = _caller_rules(facts, catalog)
    found = _support_rules(findings, facts, catalog)
    rules = tuple(sorted((*caller, *found), key=lambda hit: (hit.severity.rank, _PRECEDENCE[hit.rule])))
    decisive = rules[0]
    notes = []
    if decisive.severity is not caller[0].severity:
        notes.append(catalog.wording.raised.format(caller_severity=caller[0].severity))
    if not findings.consulted:
        notes.append(catalog.wording.support_not_consulted)
    signals = findings.signals
    return TriageResult(
        severity=decisive.severity,
        details=catalog.severities[decisive.severity],
        decided_by=decisive.rule,
        reason_ar=" ".join([decisive.reason_ar, *(note.ar for note in notes)]),
        reason_en=" ".join([decisive.reason_en, *(note.en for note in notes)]),
        rules=rules,
        caller_severity=caller[0].severity,
        caller_decided_by=caller[0].rule,
        affected_customers=_count(facts, findings),
        data_leak=facts.data_leak or DATA_LEAK in signals,
        unauthorized_send=facts.unauthorized_send or UNAUTHORIZED_SEND in signals,
        support_consulted=findings.consulted,
        proposal=_proposal(decisive.severity, signals, catalog),
        catalog_version=catalog.version,
    )


_PRECEDENCE = {rule: place for place, rule in enumerate(Rule)}


def _check(facts: TriageFacts, findings: SupportFindings) -> None:
    checks = Checks()
    checks.text("facts.title", fold(facts.title, field="facts.title"))
    checks.count("facts.affected_customers", facts.affected_customers, minimum=1)
    checks.count("support_findings.distinct_customers", findings.distinct_affected_customers)
    if not findings.consulted and findings != NOT_CONSULTED:
        checks.note("support_findings.consulted", "CONTRADICTION", "must be true where findings are given")
    checks.done()


def _count(facts: TriageFacts, findings: SupportFindings) -> int:
    return max(facts.affected_customers, findings.distinct_affected_customers)


def _caller_rules(facts: TriageFacts, catalog: Catalog) -> tuple[RuleHit, ...]:
    """Gravest first, never empty: the count always gives a severity of its own."""
    hits = []
    if facts.data_leak:
        hits.append(_hit(Rule.DATA_LEAK, Severity.SEV1, 0, catalog))
    if facts.unauthorized_send:
        hits.append(_hit(Rule.UNAUTHORIZED_SEND, Severity.SEV1, 0, catalog))
    if facts.affected_customers >= catalog.sev2_affected_customers:
        hits.append(_hit(Rule.AFFECTED_CUSTOMERS, Severity.SEV2, facts.affected_customers, catalog))
    elif not hits:
        # Its sentence says that nothing graver was reported, so it stands only where that holds.
        hits.append(_hit(Rule.DEFAULT, Severity.SEV3, facts.affected_customers, catalog))
    return tuple(hits)


def _support_rules(findings: SupportFindings, facts: TriageFacts, catalog: Catalog) -> tuple[RuleHit, ...]:
    hits = []
    if DATA_LEAK in findings.signals:
        hits.append(_hit(Rule.SUPPORT_DATA_LEAK, Severity.SEV1, 0, catalog))
    if UNAUTHORIZED_SEND in findings.signals:
        hits.append(_hit(Rule.SUPPORT_UNAUTHORIZED_SEND, Severity.SEV1, 0, catalog))
    found = findings.distinct_affected_customers
    if found >= catalog.sev2_affected_customers and found > facts.affected_customers:
        hits.append(_hit(Rule.SUPPORT_AFFECTED_CUSTOMERS, Severity.SEV2, found, catalog))
    if OUTAGE in findings.signals:
        hits.append(_hit(Rule.SUPPORT_OUTAGE, Severity.SEV2, 0, catalog))
    return tuple(hits)


def _hit(rule: Rule, severity: Severity, count: int, catalog: Catalog) -> RuleHit:
    text: Bilingual = catalog.wording.reasons[rule].format(
        severity=severity, count=f"{count:,}", threshold=str(catalog.sev2_affected_customers)
    )
    return RuleHit(rule, severity, text.ar, text.en)


def _proposal(severity: Severity, signals: frozenset[str], catalog: Catalog) -> Proposal | None:
    if OUTAGE not in signals or severity is Severity.SEV1:
        return None
    text = catalog.wording.outage_proposal.format(proposed=Severity.SEV1)
    return Proposal(Severity.SEV1, Rule.SUPPORT_OUTAGE, text.ar, text.en)
