"""The stored incident: what is kept of a declaration, and who may raise its severity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.actors import ActorLike
from services.domain.errors import PersonRequired
from services.incidents.domain.declare import DeclaredIncident
from services.incidents.domain.lifecycle import OPEN_STATES, IncidentState, RoleHolder
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
