"""The life of an incident: its states, the steps between them, the roles in it, and what it needs to be closed.

    declared ──▶ active ──▶ mitigated ──▶ resolved ──▶ closed
        │          │  ▲────────┘ │
        └──────────┴─────────────┴──▶ cancelled (a false alarm)

A resolved incident whose effect comes back is another incident: what was owed for the first one is not owed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import PersonRequired, PreconditionFailed
from services.incidents.domain.timeline import Role, TimelineKind


class IncidentState(StrEnum):
    """Where an incident stands in its life; every incident begins as declared."""

    DECLARED = "declared"
    ACTIVE = "active"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({IncidentState.DECLARED, IncidentState.ACTIVE, IncidentState.MITIGATED})
"""An incident is open until it is resolved or cancelled."""

OVER_STATES = frozenset({IncidentState.CLOSED, IncidentState.CANCELLED})
"""Nothing is done any more for an incident in these states, but for its action items."""

_S, _K = IncidentState, TimelineKind
TRANSITIONS: Mapping[IncidentState, Mapping[IncidentState, TimelineKind]] = MappingProxyType(
    {
        _S.DECLARED: MappingProxyType({_S.ACTIVE: _K.ACTIVATED, _S.CANCELLED: _K.CANCELLED}),
        _S.ACTIVE: MappingProxyType({_S.MITIGATED: _K.MITIGATED, _S.CANCELLED: _K.CANCELLED}),
        _S.MITIGATED: MappingProxyType({_S.RESOLVED: _K.RESOLVED, _S.ACTIVE: _K.REOPENED, _S.CANCELLED: _K.CANCELLED}),
        _S.RESOLVED: MappingProxyType({_S.CLOSED: _K.CLOSED}),
        _S.CLOSED: MappingProxyType({}),
        _S.CANCELLED: MappingProxyType({}),
    }
)
"""From a state to those that may follow, and the line that says so."""

STEP_KINDS = frozenset(kind for steps in TRANSITIONS.values() for kind in steps.values())
_NEEDS_REASON = frozenset({TimelineKind.REOPENED, TimelineKind.CANCELLED})


class TransitionRefused(PreconditionFailed):
    """An incident cannot go from its state there. Metadata: ``incident_id``, ``from``, ``to``, ``allowed``."""

    reason: ClassVar[str] = "INCIDENT_TRANSITION_REFUSED"


class StateRefused(PreconditionFailed):
    """The incident's state does not allow it. Metadata: ``incident_id``, ``state``, ``action``."""

    reason: ClassVar[str] = "INCIDENT_STATE_REFUSED"


class NotClosable(PreconditionFailed):
    """The incident still owes something; ``missing`` lists all of it. Metadata: ``incident_id``."""

    reason: ClassVar[str] = "INCIDENT_NOT_CLOSABLE"


class LateReasonRequired(PreconditionFailed):
    """What was due is late, and nobody says why. Metadata: ``due_time`` and identifiers."""

    reason: ClassVar[str] = "LATE_REASON_REQUIRED"


@dataclass(frozen=True, slots=True)
class RoleHolder:
    """Who holds a role, and since when (UTC)."""

    role: Role
    person_id: str
    assigned_at: datetime


def require_person(actor: ActorLike, action: str) -> None:
    """Raises ``PersonRequired`` where software acts."""
    if actor.kind != "person":
        raise PersonRequired(f"only a person may do this: {action}", action=action)


def require_not_over(incident_id: str, state: IncidentState, action: str) -> None:
    """Raises ``StateRefused`` for an incident that is closed or cancelled."""
    if state in OVER_STATES:
        raise StateRefused(f"the incident is {state}", incident_id=incident_id, state=state.value, action=action)


@dataclass(frozen=True, slots=True)
class Step:
    """A step to take. ``occurred_at`` None: now."""

    to: IncidentState
    reason: str
    occurred_at: datetime | None


def take_step(
    incident_id: str, state: IncidentState, step: Step, actor: ActorLike, earliest: datetime, now: datetime
) -> TimelineKind:
    """Which line follows from a step that is allowed.

    ``earliest`` is the moment of the last step, or of the awareness where there was none. Raises ``PersonRequired``,
    ``TransitionRefused``, and ``InvalidInput`` for a reason that is missing or a time that cannot be.
    """
    require_person(actor, "change_state")
    kind = TRANSITIONS[state].get(step.to)
    if kind is None:
        allowed = " ".join(sorted(TRANSITIONS[state])) or "none"
        raise TransitionRefused(
            f"{state} does not become {step.to}",
            (),
            **{"incident_id": incident_id, "from": state.value, "to": step.to.value, "allowed": allowed},
        )
    checks = Checks()
    if kind in _NEEDS_REASON:
        checks.text("reason", step.reason)
    check_moment(checks, "occur_time", step.occurred_at, earliest, now)
    if kind is TimelineKind.CANCELLED and step.occurred_at is not None and step.occurred_at != now:
        # A false alarm dated back would hide what was missed until now.
        checks.note("occur_time", "NOT_NOW", "must be unset: an incident is cancelled when that is recorded")
    checks.done()
    return kind


def check_moment(checks: Checks, name: str, moment: datetime | None, earliest: datetime | None, now: datetime) -> None:
    """A moment from ``earliest`` (None: any past one) to ``now``, both allowed; None passes."""
    if moment is None:
        return
    if moment > now:
        checks.note(name, "IN_FUTURE", "must not be later than now")
    elif earliest is not None and moment < earliest:
        checks.note(name, "TOO_EARLY", "must not be before what it follows")


def assign_role(
    roles: Iterable[RoleHolder], role: Role, person_id: str, now: datetime
) -> tuple[tuple[RoleHolder, ...], TimelineKind, str]:
    """The roles after one was given (or, for an empty ``person_id``, taken), the line that says so, the holder before.

    Raises ``InvalidInput`` where nothing would change.
    """
    held = {holder.role: holder for holder in roles}
    previous = held.pop(role, None)
    before = previous.person_id if previous is not None else ""
    if before == person_id:
        checks = Checks()
        what = (
            "must be somebody else: this person holds the role" if person_id else "must name a person: nobody holds it"
        )
        checks.note("person_id", "UNCHANGED", what)
        checks.done()
    if person_id:
        held[role] = RoleHolder(role, person_id, now)
    kind = (
        TimelineKind.ROLE_RELEASED
        if not person_id
        else TimelineKind.ROLE_HANDED_OVER
        if before
        else TimelineKind.ROLE_ASSIGNED
    )
    return tuple(held[each] for each in Role if each in held), kind, before
