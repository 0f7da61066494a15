"""Connectors of one customer: how a connection moves, what the summary says, and when a connector is set up.

A connection only ever produces drafts or executes what a person approved elsewhere; no state here allows a live send.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from services.domain.checks import Checks
from services.domain.errors import PreconditionFailed
from services.domain.texts import Bilingual
from services.onboarding.domain.approvals import Approval, ApprovalRequired, check_approval, require_person
from services.onboarding.domain.catalog import ANY_CONNECTOR, Catalog, Connector, ConnectorState, Party
from services.onboarding.domain.checklist import Readiness, percentage
from services.onboarding.domain.evidence import Evidence

__all__ = [
    "TRANSITIONS",
    "ConnectorState",
    "ConnectorTransitionRefused",
    "Fix",
    "OptInAuditRequired",
    "SetupCriterion",
    "StateChange",
    "Summary",
    "change_state",
    "demo_summary",
    "parse_statuses",
    "setup_criteria",
    "summarize",
    "transition",
]

_S = ConnectorState

# skipped leads nowhere: a connector that was left out is taken up again by a decision, not by a status call.
TRANSITIONS: Mapping[ConnectorState, tuple[ConnectorState, ...]] = MappingProxyType(
    {
        _S.NOT_STARTED: (_S.CONFIGURING,),
        _S.CONFIGURING: (_S.CONNECTED_DRAFT_ONLY, _S.CONNECTED_APPROVED_EXECUTE, _S.FAILED, _S.SKIPPED),
        _S.CONNECTED_DRAFT_ONLY: (_S.CONFIGURING,),
        _S.CONNECTED_APPROVED_EXECUTE: (_S.CONFIGURING,),
        _S.FAILED: (_S.CONFIGURING,),
        _S.SKIPPED: (),
    }
)

# The one call that stands for two steps.
_BOTH_STEPS = (_S.NOT_STARTED, _S.CONNECTED_DRAFT_ONLY)


class ConnectorTransitionRefused(PreconditionFailed):
    """No way leads from the state to the one asked for.

    Metadata: ``connector_key``, ``from``, ``to``, ``allowed`` (states, comma-separated; may be empty).
    """

    reason: ClassVar[str] = "CONNECTOR_TRANSITION_REFUSED"


class OptInAuditRequired(PreconditionFailed):
    """The connector needs its opt-in audit recorded before it is connected. Metadata: ``connector_key``."""

    reason: ClassVar[str] = "OPT_IN_AUDIT_REQUIRED"


@dataclass(frozen=True, slots=True)
class StateChange:
    """One recorded step of a connection."""

    before: ConnectorState
    after: ConnectorState


def reachable(current: ConnectorState) -> tuple[ConnectorState, ...]:
    """The states that one call can reach from ``current``."""
    direct = TRANSITIONS[current]
    return (*direct, _BOTH_STEPS[1]) if current is _BOTH_STEPS[0] else direct


def transition(current: ConnectorState, target: ConnectorState, *, connector_key: str = "") -> tuple[StateChange, ...]:
    """The steps to record on the way from ``current`` to ``target``: one, or two for the first connection.

    Empty where ``target`` is the state it is in already. Raises ``ConnectorTransitionRefused``.
    """
    if current is target:
        return ()
    if (current, target) == _BOTH_STEPS:
        return (StateChange(current, _S.CONFIGURING), StateChange(_S.CONFIGURING, target))
    if target in TRANSITIONS[current]:
        return (StateChange(current, target),)
    raise transition_refused(current, target, connector_key)


def transition_refused(
    current: ConnectorState, target: ConnectorState, connector_key: str
) -> ConnectorTransitionRefused:
    """The refusal, naming the states that can be reached."""
    allowed = reachable(current)
    return ConnectorTransitionRefused(
        f"connector cannot go from {current} to {target}",
        [("STATE", state, "May be reached from here.") for state in allowed],
        **{"connector_key": connector_key, "from": current, "to": target, "allowed": ",".join(allowed)},
    )


def change_state(
    connector: Connector,
    current: ConnectorState,
    target: ConnectorState,
    *,
    at: datetime,
    approval: Approval | None = None,
    opt_in_audit_recorded: bool = False,
) -> tuple[StateChange, ...]:
    """`transition` with the connector's own conditions.

    ``connected_approved_execute`` needs an approval. A connector with an opt-in audit (WhatsApp) needs it recorded
    before any connected state. Where both are missing, both are listed. Staying in a state asks for neither.

    Raises ``InvalidInput`` (a faulty approval), ``PersonRequired``, ``ConnectorTransitionRefused``,
    ``OptInAuditRequired`` or ``ApprovalRequired``.
    """
    checks = Checks()
    check_approval(checks, approval, at)
    checks.done()
    require_person(approval, "connect")
    changes = transition(current, target, connector_key=connector.key)
    if not changes:
        return ()
    audit_missing = target.connected and connector.needs_opt_in_audit and not opt_in_audit_recorded
    approval_missing = target is _S.CONNECTED_APPROVED_EXECUTE and approval is None
    missing = []
    if audit_missing:
        missing.append(("OPT_IN_AUDIT", connector.key, "The opt-in audit must be recorded before connecting."))
    if approval_missing:
        missing.append(("APPROVAL", connector.key, "A person must approve execution for this connector."))
    if audit_missing:
        raise OptInAuditRequired(f"{connector.key} needs its opt-in audit", missing, connector_key=connector.key)
    if approval_missing:
        raise ApprovalRequired(f"{target} needs an approval", missing, subject=connector.key)
    return changes


@dataclass(frozen=True, slots=True)
class Fix:
    """Something to fix: which connector (None: any one), in which state, whether the first service waits for it,
    who has to act, and what to do. ``recovery_ids`` name guidance of the catalogue that concerns the connector."""

    connector_key: str | None
    state: ConnectorState | None
    blocks_first_service: bool
    owner: Party
    text: Bilingual
    recovery_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """The connectors of one customer. Every connector of the catalogue counts; one not reported is not_started.

    ``connected_pct`` is percent of all connectors, one decimal. ``by_state`` has every state, zeros included.
    ``fixes``: what blocks the first service, then what failed, then what was begun; each in catalogue order.
    """

    states: Mapping[str, ConnectorState]
    total: int
    connected_count: int
    connected_pct: float
    by_state: Mapping[ConnectorState, int]
    blocking_missing: tuple[str, ...]
    ready_for_first_service: bool
    fixes: tuple[Fix, ...]

    @property
    def readiness(self) -> Readiness:
        """The gate of the checklist, with what closes it."""
        missing = self.blocking_missing if self.connected_count else (*self.blocking_missing, ANY_CONNECTOR)
        connected = tuple(key for key, state in self.states.items() if state.connected)
        return Readiness(self.ready_for_first_service, missing, connected)


def parse_statuses(
    catalog: Catalog, statuses: Sequence[tuple[str, str]], field: str = "statuses"
) -> dict[str, ConnectorState]:
    """Check (connector key, state) pairs as a caller gave them.

    Raises ``InvalidInput`` naming every unknown connector, unknown state and repeated connector as
    ``statuses[i].connector_key`` or ``statuses[i].state``.
    """
    checks = Checks()
    found: dict[str, ConnectorState] = {}
    seen: set[str] = set()
    for i, (key, state) in enumerate(statuses):
        if catalog.connector(key) is None:
            known = ", ".join(c.key for c in catalog.connectors)
            checks.note(f"{field}[{i}].connector_key", "UNKNOWN_VALUE", f"must be one of: {known}")
        elif key in seen:
            checks.note(f"{field}[{i}].connector_key", "DUPLICATE", "must name each connector once")
        seen.add(key)
        if state in set(ConnectorState):
            found[key] = ConnectorState(state)
        else:
            checks.note(f"{field}[{i}].state", "UNKNOWN_VALUE", f"must be one of: {', '.join(ConnectorState)}")
    checks.done()
    return found


def summarize(catalog: Catalog, statuses: Mapping[str, ConnectorState] | Sequence[tuple[str, str]]) -> Summary:
    """The summary of the given states; see `parse_statuses` for what is refused."""
    pairs = list(statuses.items()) if isinstance(statuses, Mapping) else statuses
    given = parse_statuses(catalog, pairs)
    states = {c.key: given.get(c.key, _S.NOT_STARTED) for c in catalog.connectors}
    connected = sum(state.connected for state in states.values())
    blocking = tuple(c.key for c in catalog.connectors if c.blocking and not states[c.key].connected)
    return Summary(
        states=MappingProxyType(states),
        total=len(states),
        connected_count=connected,
        connected_pct=percentage(connected, len(states)),
        by_state=MappingProxyType({s: sum(v is s for v in states.values()) for s in ConnectorState}),
        blocking_missing=blocking,
        ready_for_first_service=not blocking and connected > 0,
        fixes=tuple(_fixes(catalog, states, connected)),
    )


def demo_summary(catalog: Catalog) -> Summary:
    """The summary of the catalogue's example customer."""
    return summarize(catalog, catalog.demo.states)


def _fixes(catalog: Catalog, states: Mapping[str, ConnectorState], connected: int) -> Iterable[Fix]:
    def fix(connector: Connector) -> Fix:
        state = states[connector.key]
        rule = catalog.fixes[state]
        return Fix(
            connector_key=connector.key,
            state=state,
            blocks_first_service=connector.blocking,
            owner=rule.owner or connector.set_up_by,
            text=rule.text.format(name=connector.name),
            recovery_ids=tuple(r.id for r in catalog.recoveries if r.connector_key == connector.key),
        )

    missing = [c for c in catalog.connectors if c.blocking and not states[c.key].connected]
    yield from (fix(c) for c in missing)
    if not connected and not missing:
        yield Fix(None, None, True, catalog.connect_one.owner or Party.CUSTOMER, catalog.connect_one.text)
    for wanted in (_S.FAILED, _S.CONFIGURING):
        yield from (fix(c) for c in catalog.connectors if states[c.key] is wanted and not c.blocking)


@dataclass(frozen=True, slots=True)
class SetupCriterion:
    """One condition of "set up"; ``met`` is None where nobody looked yet, which does not count as met. ``shown_by`` is None
    while it is not met."""

    id: str
    title: Bilingual
    met: bool | None
    shown_by: Evidence | None = None


def setup_criteria(
    catalog: Catalog,
    state: ConnectorState,
    *,
    test_succeeded: bool | None,
    no_secret_in_logs: bool | None,
    ledger_entry: bool,
) -> tuple[SetupCriterion, ...]:
    """The four conditions under which a connector is set up, in their fixed order.

    A test counts while the connection it was made on stands, so it is not met in a state that is not connected.
    """
    met = {
        "connected": state.connected,
        "test_succeeded": test_succeeded if state.connected else False,
        "no_secret_in_logs": no_secret_in_logs,
        "ledger_entry": ledger_entry,
    }
    return tuple(SetupCriterion(id_, title, met[id_]) for id_, title in catalog.setup.items())


def is_set_up(criteria: Iterable[SetupCriterion]) -> bool:
    return all(c.met is True for c in criteria)
