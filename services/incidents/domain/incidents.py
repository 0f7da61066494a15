"""The stored incident: what is kept of a declaration, and who may raise its severity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import PersonRequired
from services.incidents.domain.declare import DeclaredIncident
from services.incidents.domain.lifecycle import OPEN_STATES, IncidentState, RoleHolder, StateRefused, require_not_over
from services.incidents.domain.plan import PlanStep
from services.incidents.domain.severity import Severity
from services.incidents.domain.triage import TriageResult


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it stands. Times are UTC; ``revision`` counts its changes from 1.

    ``severity`` holds now; ``triage`` is what triage decided at the declaration. ``plan`` is the one of the day when the
    severity was decided: a later wording does not change it. ``duplicate_of`` is the incident that this one duplicates, or
    empty; ``resolved_at`` and ``leak_aware_at`` are None where it is not resolved and where no data is known to have leaked.
    """

    incident_id: str
    title: str
    description: str
    severity: Severity
    triage: TriageResult
    state: IncidentState
    customer_ids: tuple[str, ...]
    ticket_ids: tuple[str, ...]
    channel: str
    data_leak: bool
    unauthorized_send: bool
    drill: bool
    aware_at: datetime
    declared_at: datetime
    updated_at: datetime
    revision: int
    plan: tuple[PlanStep, ...]
    roles: tuple[RoleHolder, ...] = ()
    duplicate_of: str = ""
    resolved_at: datetime | None = None
    leak_aware_at: datetime | None = None
    clocks_paused: bool = False

    @property
    def etag(self) -> str:
        """Changes with every change of the incident."""
        return f"r{self.revision}"

    @property
    def open(self) -> bool:
        """Whether its effect still has to be dealt with: not resolved, closed or cancelled."""
        return self.state in OPEN_STATES


def check_raise(declared: DeclaredIncident, actor: ActorLike) -> None:
    """Raises ``PersonRequired`` where software declares an incident above its triaged severity."""
    if declared.severity is not declared.triage.severity and actor.kind != "person":
        raise PersonRequired("only a person raises a severity", action="raise_severity")


def check_severity(
    incident: Incident,
    severity: Severity,
    leak: bool,
    send: bool,
    reason: str,
    aware_at: datetime | None,
    now: datetime,
) -> None:
    """Raises ``InvalidInput`` where a severity is lowered, nothing is new, or a reason is missing.

    ``leak`` and ``send`` are what was found out and not known before; each is SEV1 whatever the count (specification §2).
    """
    checks = Checks()
    if not severity.at_least(incident.severity):
        checks.note("severity", "SEVERITY_LOWERED", f"must not be below the present {incident.severity}")
    elif (leak or send) and severity is not Severity.SEV1:
        checks.note("severity", "BELOW_FINDINGS", f"must be {Severity.SEV1}: so grave is what was found out")
    elif severity is incident.severity and not (leak or send):
        checks.note("severity", "UNCHANGED", f"must be above {incident.severity}, or a finding must be new")
    checks.text("reason", reason)
    if aware_at is not None and not leak:
        checks.note("aware_time", "NOT_ALLOWED", "must be unset where no leak was found out")
    elif aware_at is not None and aware_at > now:
        checks.note("aware_time", "IN_FUTURE", "must not be later than now")
    checks.done()


def check_duplicate(incident: Incident, other: Incident, reason: str) -> None:
    """Raises ``InvalidInput`` or ``StateRefused`` where an incident cannot become a duplicate of the other."""
    checks = Checks()
    name = "duplicate_of_incident_id"
    if incident.drill is not other.drill:
        checks.note(name, "DRILL", "must be a drill exactly if the duplicate is one")
    elif other.customer_ids and not incident.customer_ids:
        checks.note(name, "NARROWER", "must concern everybody, as the duplicate does: mark the other one instead")
    checks.text("reason", reason)
    checks.done()
    require_not_over(incident.incident_id, incident.state, "mark_duplicate")
    require_not_over(other.incident_id, other.state, "take_over_duplicate")
    if not other.severity.at_least(incident.severity):
        raise StateRefused(
            f"the other incident is less grave; raise it to {incident.severity} first",
            incident_id=other.incident_id,
            state=other.state.value,
            action="take_over_duplicate",
        )
