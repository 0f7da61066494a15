"""One connector of one customer as it is kept, and how an update changes it.

Which states follow which stands in ``connectors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from services.domain.checks import Checks
from services.onboarding.domain.approvals import Approval, check_approval
from services.onboarding.domain.catalog import Catalog, Connector, ConnectorState
from services.onboarding.domain.connectors import SetupCriterion, StateChange, change_state, setup_criteria
from services.onboarding.domain.credentials import check_no_credential, check_settings, looks_like_credential

MAX_SETTINGS = 50

_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OptInAudit:
    """The record that somebody checked the opt-in of every number."""

    opted_in_numbers: int
    reference: str
    audited_at: datetime


@dataclass(frozen=True, slots=True)
class SetupCheck:
    """What somebody found when testing a connection. ``reference`` names where the finding is kept, empty for nowhere."""

    test_succeeded: bool
    no_secret_in_logs: bool
    checked_at: datetime
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """A customer's connector. ``revision`` counts its recorded changes; 0 and no ``updated_at`` while nothing was done.

    ``approval`` is that of the last connecting; ``setup_check`` belongs to the connection that stands.
    """

    customer_id: str
    connector_key: str
    state: ConnectorState = ConnectorState.NOT_STARTED
    approval: Approval | None = None
    opt_in_audit: OptInAudit | None = None
    settings: Mapping[str, str] = field(default_factory=lambda: _NO_SETTINGS)
    setup_check: SetupCheck | None = None
    updated_at: datetime | None = None
    revision: int = 0

    @property
    def etag(self) -> str:
        """Changes with every change of the connector."""
        return f"r{self.revision}"


@dataclass(frozen=True, slots=True)
class Update:
    """The state to move to, and what to record with it. A setting with an empty value is taken away."""

    state: ConnectorState
    approval: Approval | None = None
    opt_in_audit: OptInAudit | None = None
    settings: Mapping[str, str] = field(default_factory=lambda: _NO_SETTINGS)
    setup_check: SetupCheck | None = None


def check_update(catalog: Catalog, connection: Connection, update: Update, *, at: datetime) -> Connector:
    """The connector of the catalogue, once nothing is wrong with what was sent.

    Raises ``InvalidInput`` with everything at once: an unknown connector, a time in the future, too many settings, and
    anything that looks like a credential.
    """
    checks = Checks()
    connector = catalog.connector(connection.connector_key)
    if connector is None:
        known = ", ".join(c.key for c in catalog.connectors)
        checks.note("connector_key", "UNKNOWN_VALUE", f"must be one of: {known}")
    check_approval(checks, update.approval, at)
    if update.opt_in_audit is not None:
        check_no_credential(checks, "opt_in_audit.reference", "", update.opt_in_audit.reference)
        if update.opt_in_audit.audited_at > at:
            checks.note("opt_in_audit.audit_time", "IN_FUTURE", "must not lie in the future")
    if update.setup_check is not None:
        if not update.state.connected:
            checks.note("setup_check", "NOT_EXPECTED", "only a connection that stands can be tested")
        check_no_credential(checks, "setup_check.reference", "", update.setup_check.reference)
        if update.setup_check.checked_at > at:
            checks.note("setup_check.check_time", "IN_FUTURE", "must not lie in the future")
    _check_settings(checks, update.settings)
    if len(_merged(connection, update)) > MAX_SETTINGS:
        checks.note("settings", "TOO_MANY", f"a connector has {MAX_SETTINGS} settings at most")
    checks.done()
    assert connector is not None
    return connector


def apply_update(
    connector: Connector, connection: Connection, update: Update, *, at: datetime
) -> tuple[Connection, tuple[StateChange, ...]]:
    """The connection after a checked update, with the steps that its state took; the same object if nothing changed.

    Raises ``PersonRequired``, ``ConnectorTransitionRefused``, ``OptInAuditRequired`` or ``ApprovalRequired``.
    """
    audit = update.opt_in_audit or connection.opt_in_audit
    steps = change_state(
        connector,
        connection.state,
        update.state,
        at=at,
        approval=update.approval,
        opt_in_audit_recorded=audit is not None,
    )
    changed = replace(
        connection,
        state=update.state,
        approval=update.approval if steps and update.state.connected else connection.approval,
        opt_in_audit=audit,
        settings=MappingProxyType(_merged(connection, update)),
        # A test was made on the connection that stood then, so it ends with it.
        setup_check=update.setup_check if steps else update.setup_check or connection.setup_check,
    )
    if changed == connection:
        return connection, ()
    return replace(changed, updated_at=at, revision=connection.revision + max(1, len(steps))), steps


def set_up(catalog: Catalog, connection: Connection) -> tuple[SetupCriterion, ...]:
    """The four conditions under which the connector counts as set up."""
    check = connection.setup_check
    return setup_criteria(
        catalog,
        connection.state,
        test_succeeded=check.test_succeeded if check else None,
        no_secret_in_logs=check.no_secret_in_logs if check else None,
        # Every change is recorded in the transaction that makes it.
        ledger_entry=connection.revision > 0,
    )


def _check_settings(checks: Checks, settings: Mapping[str, str]) -> None:
    named = {}
    for name, value in settings.items():
        if looks_like_credential("", name):
            checks.note("settings[?]", "CREDENTIAL_REFUSED", "the name of a setting looks like a credential")
        else:
            # A field for a secret is refused before anybody fills it in.
            named[name] = value or "-"
    check_settings(checks, named)


def _merged(connection: Connection, update: Update) -> dict[str, str]:
    return {name: value for name, value in {**connection.settings, **update.settings}.items() if value}
