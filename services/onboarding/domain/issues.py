"""What is observed of a connection over time: events, and issues that are open until somebody shows that they are over.

A transient problem leaves the connection as it is. A definitive one (the grant was revoked, the account is gone) breaks it:
it goes through configuring, the only way on from connected, to failed. One problem is one open issue: seen again it counts up.
A problem that was observed before the present connection was made is outdated: it is recorded and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.onboarding.domain.catalog import Catalog, Connector, ConnectorProblem, ConnectorState, Party
from services.onboarding.domain.connections import Connection
from services.onboarding.domain.connectors import StateChange, transition, transition_refused
from services.onboarding.domain.credentials import check_no_credential
from services.onboarding.domain.phones import check_no_phone

_S = ConnectorState
# Recorded with something else, never by themselves.
_DERIVED = frozenset({ConnectorProblem.TEST_FAILED, ConnectorProblem.SETUP_FAILED})


class EventKind(StrEnum):
    STATE_CHANGED = "state_changed"
    PROBLEM_OBSERVED = "problem_observed"
    TEST_RECORDED = "test_recorded"
    OPT_IN_AUDITED = "opt_in_audited"
    ACCOUNT_LINKED = "account_linked"
    ACCOUNT_CHANGED = "account_changed"
    SETTINGS_RECORDED = "settings_recorded"
    ISSUE_RESOLVED = "issue_resolved"


class Resolution(StrEnum):
    """What resolved an issue."""

    TEST_SUCCEEDED = "test_succeeded"
    RECONNECTED = "reconnected"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a connector's history. ``number`` counts the customer's events from 1; 0 before it is stored.

    ``before`` and ``after`` are the same state where the event changed none.
    """

    customer_id: str
    connector_key: str
    kind: EventKind
    before: ConnectorState
    after: ConnectorState
    actor: ActorLike
    occurred_at: datetime
    recorded_at: datetime
    problem: ConnectorProblem | None = None
    issue_id: str = ""
    detail: str = ""
    reference: str = ""
    outdated: bool = False
    succeeded: bool | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Issue:
    """A problem of one kind with one connector. Open while ``resolved_at`` is None."""

    issue_id: str
    customer_id: str
    connector_key: str
    problem: ConnectorProblem
    count: int
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    resolved_at: datetime | None = None
    resolution: Resolution | None = None
    resolver: ActorLike | None = None

    @property
    def open(self) -> bool:
        return self.resolved_at is None


@dataclass(frozen=True, slots=True)
class Observation:
    """A problem as somebody saw it."""

    problem: ConnectorProblem
    occurred_at: datetime
    detail: str = ""
    reference: str = ""


def check_observation(catalog: Catalog, connector_key: str, observed: Observation, *, at: datetime) -> Connector:
    """The connector of the catalogue, once nothing is wrong with what was sent. Raises ``InvalidInput``."""
    checks = Checks()
    connector = find_connector(checks, catalog, connector_key)
    if observed.problem in _DERIVED:
        checks.note("problem", "NOT_EXPECTED", "is recorded with a test, or with a move to failed")
    if observed.occurred_at > at:
        checks.note("occur_time", "IN_FUTURE", "must not lie in the future")
    for field, text in (("detail", observed.detail), ("reference", observed.reference)):
        check_no_credential(checks, field, "", text)
        check_no_phone(checks, field, text)
    checks.done()
    assert connector is not None
    return connector


def find_connector(checks: Checks, catalog: Catalog, connector_key: str) -> Connector | None:
    """The connector of the catalogue; notes where there is none."""
    connector = catalog.connector(connector_key)
    if connector is None:
        known = ", ".join(c.key for c in catalog.connectors)
        checks.note("connector_key", "UNKNOWN_VALUE", f"must be one of: {known}")
    return connector


def outdated(connection: Connection, occurred_at: datetime) -> bool:
    """Whether something was observed on an earlier connection than the one that stands."""
    return connection.state.connected and connection.connected_at is not None and occurred_at < connection.connected_at


def fall(current: ConnectorState, *, connector_key: str = "") -> tuple[StateChange, ...]:
    """The steps from ``current`` to failed, each allowed by itself; empty where it failed before.

    Raises ``ConnectorTransitionRefused`` for a connector that was never begun, or was skipped: it has no connection that
    could break.
    """
    if current.connected:
        return (*transition(current, _S.CONFIGURING), *transition(_S.CONFIGURING, _S.FAILED))
    return transition(current, _S.FAILED, connector_key=connector_key)


def observe(
    catalog: Catalog, connection: Connection, observed: Observation, *, at: datetime
) -> tuple[Connection, tuple[StateChange, ...]]:
    """The connection after a problem was observed, with the steps that its state took; the same object for none.

    Raises ``ConnectorTransitionRefused`` where there is no connection that could have problems.
    """
    if connection.state in (_S.NOT_STARTED, _S.SKIPPED):
        raise transition_refused(connection.state, _S.FAILED, connection.connector_key)
    if not catalog.problems[observed.problem].definitive or outdated(connection, observed.occurred_at):
        return connection, ()
    steps = fall(connection.state, connector_key=connection.connector_key)
    if not steps:
        return connection, ()
    return (
        replace(
            connection,
            state=_S.FAILED,
            # A test was made on the connection that broke, so it ends with it.
            setup_check=None,
            connected_at=None,
            connected_by=None,
            updated_at=at,
            revision=connection.revision + len(steps),
        ),
        steps,
    )


def seen(
    found: Issue | None,
    connection: Connection,
    problem: ConnectorProblem,
    occurred_at: datetime,
    at: datetime,
    new_id: str,
) -> Issue:
    """The open issue after its problem was seen (again); ``found`` is the open one, None for the first sight."""
    if found is None:
        return Issue(
            issue_id=new_id,
            customer_id=connection.customer_id,
            connector_key=connection.connector_key,
            problem=problem,
            count=1,
            first_at=occurred_at,
            last_at=occurred_at,
            opened_at=at,
        )
    return replace(
        found,
        count=found.count + 1,
        first_at=min(found.first_at, occurred_at),
        last_at=max(found.last_at, occurred_at),
    )


def resolved(found: Iterable[Issue], resolution: Resolution, by: ActorLike, at: datetime) -> tuple[Issue, ...]:
    """The open ones among the issues, resolved."""
    return tuple(replace(i, resolved_at=at, resolution=resolution, resolver=by) for i in found if i.open)


def owner(catalog: Catalog, issue: Issue) -> Party:
    """Who has to act on an issue."""
    connector = catalog.connector(issue.connector_key)
    assert connector is not None
    return catalog.problems[issue.problem].owner or connector.set_up_by
