"""The use cases of incidents: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from dataclasses import dataclass

from services.domain.context import ChannelFreeze
from services.incidents import freezes, store
from services.incidents.domain import incidents
from services.incidents.domain.declare import Declaration, declare
from services.incidents.domain.errors import IncidentNotFound
from services.incidents.domain.incidents import Incident
from services.incidents.domain.severity import Catalog
from services.incidents.domain.timeline import TimelineLine
from services.incidents.domain.triage import SupportFindings
from services.storage.database import Tx, UnitOfWork

MAX_LINES = 500
MAX_OPEN = 500
"""Freezes and open incidents that the other services are told of, at most: as many as the contract takes."""


@dataclass(frozen=True, slots=True)
class DeclareIncident:
    """What to declare, with what support found (None: not consulted) and what it is linked to."""

    declaration: Declaration
    findings: SupportFindings | None
    customer_ids: tuple[str, ...]
    ticket_ids: tuple[str, ...]
    channel: str


@dataclass(frozen=True, slots=True)
class PolicyBreach:
    """An answer of ``method`` of ``service`` that broke the live-send rule, and how: ``kind`` is an id."""

    service: str
    method: str
    kind: str


def declare_incident(unit: UnitOfWork, command: DeclareIncident, catalog: Catalog) -> Incident:
    """Triages and stores an incident and opens its timeline.

    Raises ``InvalidInput`` and ``PersonRequired``.
    """
    declared = declare(command.declaration, command.findings, unit.now, catalog)
    incidents.check_raise(declared, unit.actor)
    incident = Incident(
        incident_id=unit.new_id("inc"),
        title=command.declaration.facts.title,
        description=command.declaration.facts.description,
        severity=declared.severity,
        triage=declared.triage,
        state=declared.state,
        customer_ids=command.customer_ids,
        ticket_ids=command.ticket_ids,
        channel=command.channel,
        data_leak=declared.data_leak,
        unauthorized_send=declared.unauthorized_send,
        drill=declared.drill,
        aware_at=declared.aware_at,
        declared_at=declared.declared_at,
        updated_at=declared.declared_at,
        revision=1,
        plan=declared.plan.steps,
    )
    store.insert_incident(unit.tx, incident)
    for number, entry in enumerate(declared.timeline, start=1):
        store.append_line(unit.tx, incident.incident_id, TimelineLine(number, entry, unit.actor))
    unit.record(
        "incident.declared",
        f"incident/{incident.incident_id}",
        fields=("title", "description", "severity", "state", "customer_ids", "ticket_ids", "channel", "plan"),
        attributes={
            "severity": incident.severity.value,
            "state": incident.state.value,
            "revision": str(incident.revision),
            "triaged_severity": incident.triage.severity.value,
            "decided_by": incident.triage.decided_by.value,
            "channel": incident.channel,
            "drill": _flag(incident.drill),
            "data_leak": _flag(incident.data_leak),
            "unauthorized_send": _flag(incident.unauthorized_send),
            "timeline_lines": str(len(declared.timeline)),
            "catalog_version": incident.triage.catalog_version,
        },
    )
    return incident


def get_incident(tx: Tx, incident_id: str) -> tuple[Incident, list[TimelineLine]]:
    """The incident with the first 500 lines of its timeline. Raises ``IncidentNotFound``."""
    found = store.get_incident(tx, incident_id)
    if found is None:
        raise IncidentNotFound("no such incident", incident_id=incident_id)
    return found, store.lines_of(tx, incident_id, MAX_LINES)


@dataclass(frozen=True, slots=True)
class OperatingContext:
    """What the other services need to know of incidents before they decide for a customer."""

    freezes: tuple[ChannelFreeze, ...]
    incidents: tuple[store.OpenIncident, ...]


def operating_context(tx: Tx, customer_id: str) -> OperatingContext:
    """Active freezes and open incidents that concern a customer or everybody."""
    return OperatingContext(
        freezes=freezes.active_freezes(tx, customer_id), incidents=tuple(store.open_for(tx, customer_id, MAX_OPEN))
    )


def record_policy_breach(unit: UnitOfWork, breach: PolicyBreach) -> int:
    """Writes the breach to the ledger, which is where breaches are kept. Returns the sequence of the entry."""
    entry = unit.record(
        "policy.breached",
        f"service/{breach.service}",
        attributes={"service": breach.service, "method": breach.method, "kind": breach.kind},
    )
    return entry.sequence


def _flag(value: bool) -> str:
    return "true" if value else "false"
