"""One connector of one customer as it is kept, and how an update changes it.

Which states follow which stands in ``connectors``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import PersonRequired, PreconditionFailed
from services.onboarding.domain.approvals import Approval, check_approval
from services.onboarding.domain.catalog import Catalog, Connector, ConnectorState
from services.onboarding.domain.connectors import SetupCriterion, StateChange, change_state, setup_criteria
from services.onboarding.domain.credentials import check_no_credential, check_settings, looks_like_credential
from services.onboarding.domain.evidence import Evidence
from services.onboarding.domain.phones import check_no_phone

MAX_SETTINGS = 50

_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class OptInSource(StrEnum):
    """How opt-ins were given; ``unspecified`` where nobody said."""

    UNSPECIFIED = "unspecified"
    WEB_FORM = "web_form"
    PAPER_FORM = "paper_form"
    CONTRACT = "contract"
    INBOUND_MESSAGE = "inbound_message"
    CRM_RECORD = "crm_record"
    EVENT = "event"


class TestAction(StrEnum):
    """What was tried through a connection; ``unspecified`` where only the finding was recorded."""

    UNSPECIFIED = "unspecified"
    READ = "read"
    DRAFTED = "drafted"


class ConnectorAccountMismatch(PreconditionFailed):
    """A connector is connected again, to another account than before or without naming it.

    Metadata: ``connector_key``, ``known`` and ``given`` (digests; ``given`` empty where no account was named).
    """

    reason: ClassVar[str] = "CONNECTOR_ACCOUNT_MISMATCH"


class ConnectorNotConnected(PreconditionFailed):
    """What is not connected cannot be tested. Metadata: ``connector_key``, ``state``."""

    reason: ClassVar[str] = "CONNECTOR_NOT_CONNECTED"


@dataclass(frozen=True, slots=True)
class OptInAudit:
    """The record that somebody checked the opt-in of every number. No number stands in it. ``auditor`` None: nobody said."""

    opted_in_numbers: int
    reference: str
    audited_at: datetime
    source: OptInSource = OptInSource.UNSPECIFIED
    auditor: ActorLike | None = None


@dataclass(frozen=True, slots=True)
class SetupCheck:
    """What somebody found when testing a connection. ``reference`` names where the finding is kept, empty for nowhere.

    ``no_secret_in_logs`` is None where nobody looked; ``tester`` None where nobody was kept.
    """

    test_succeeded: bool
    no_secret_in_logs: bool | None
    checked_at: datetime
    reference: str = ""
    action: TestAction = TestAction.UNSPECIFIED
    detail: str = ""
    tester: ActorLike | None = None


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
    # Of the present connection; None while it is not connected, or was before this was kept.
    connected_at: datetime | None = None
    connected_by: ActorLike | None = None
    # See `fingerprint`; empty while no account was named.
    account: str = ""

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
    approval_id: str = ""
    account_id: str = ""
    confirm_account_change: bool = False


def fingerprint(customer_id: str, connector_key: str, account_id: str) -> str:
    """What is kept of an external account's identifier: tells whether it is the same one, and nothing else. Empty for none."""
    if not account_id:
        return ""
    return hashlib.sha256("\0".join((customer_id, connector_key, account_id)).encode()).hexdigest()[:32]


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
        check_no_phone(checks, "opt_in_audit.reference", update.opt_in_audit.reference)
    if update.approval is not None and update.approval_id:
        checks.note("approval_id", "NOT_EXPECTED", "takes the place of approval; give one of the two")
    if update.account_id and not update.state.connected:
        checks.note("account_id", "NOT_EXPECTED", "is taken with a connected state only")
    # Identifiers of accounts are digits or short slugs: what is as random as a key is one.
    check_no_credential(checks, "account_id", "", update.account_id)
    if update.confirm_account_change and not update.account_id:
        checks.note("confirm_account_change", "NOT_EXPECTED", "needs the account that is connected now")
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
    connector: Connector, connection: Connection, update: Update, *, at: datetime, by: ActorLike | None = None
) -> tuple[Connection, tuple[StateChange, ...]]:
    """The connection after a checked update, with the steps that its state took; the same object if nothing changed.

    Raises ``PersonRequired``, ``ConnectorTransitionRefused``, ``OptInAuditRequired``, ``ApprovalRequired`` or
    ``ConnectorAccountMismatch``.
    """
    audit = update.opt_in_audit or connection.opt_in_audit
    if audit is not None and audit.auditor is not None and audit.auditor.kind != "person":
        raise PersonRequired("an opt-in audit is made by a person", action="audit_opt_in")
    steps = change_state(
        connector,
        connection.state,
        update.state,
        at=at,
        approval=update.approval,
        opt_in_audit_recorded=audit is not None,
    )
    connecting = bool(steps) and update.state.connected
    account = _account_after(connection, update, connecting, by)
    check = update.setup_check
    if check is not None and check.tester is None:
        check = replace(check, tester=by)
        # The same finding told again is no change.
        if connection.setup_check is not None and replace(check, tester=connection.setup_check.tester) == (
            connection.setup_check
        ):
            check = connection.setup_check
    changed = replace(
        connection,
        state=update.state,
        account=account,
        approval=update.approval if connecting else connection.approval,
        opt_in_audit=audit,
        settings=MappingProxyType(_merged(connection, update)),
        # A test was made on the connection that stood then, so it ends with it.
        setup_check=check if steps else check or connection.setup_check,
        connected_at=(at if connecting else None) if steps else connection.connected_at,
        connected_by=(by if connecting else None) if steps else connection.connected_by,
    )
    if changed == connection:
        return connection, ()
    return replace(changed, updated_at=at, revision=connection.revision + max(1, len(steps))), steps


def record_test(connection: Connection, check: SetupCheck, *, at: datetime) -> Connection:
    """The connection with a test of it. One that leaves the logs out keeps what was found in them before.

    Raises ``InvalidInput`` (a time in the future or before the connection was made, a credential, a telephone number) and
    ``ConnectorNotConnected``.
    """
    checks = Checks()
    _check_words(checks, "detail", check.detail)
    _check_words(checks, "reference", check.reference)
    if check.checked_at > at:
        checks.note("test_time", "IN_FUTURE", "must not lie in the future")
    elif connection.connected_at is not None and check.checked_at < connection.connected_at:
        checks.note("test_time", "BEFORE_CONNECTION", "must not lie before the connection was made")
    checks.done()
    if not connection.state.connected:
        raise ConnectorNotConnected(
            f"{connection.connector_key} is not connected, so it cannot be tested",
            [("STATE", connection.connector_key, f"is {connection.state}, must be connected")],
            connector_key=connection.connector_key,
            state=connection.state.value,
        )
    known = connection.setup_check
    if check.no_secret_in_logs is None and known is not None:
        check = replace(check, no_secret_in_logs=known.no_secret_in_logs)
    return replace(connection, setup_check=check, updated_at=at, revision=connection.revision + 1)


def record_audit(connector: Connector, connection: Connection, audit: OptInAudit, *, at: datetime) -> Connection:
    """The connection with an opt-in audit, which takes the place of an earlier one.

    Raises ``InvalidInput`` (a connector that needs none, a time in the future, a credential, a telephone number) and
    ``PersonRequired``.
    """
    checks = Checks()
    if not connector.needs_opt_in_audit:
        checks.note("connector_key", "NOT_EXPECTED", "this connector reaches no numbers and needs no opt-in audit")
    checks.text("reference", audit.reference)
    _check_words(checks, "reference", audit.reference)
    if audit.audited_at > at:
        checks.note("audit_time", "IN_FUTURE", "must not lie in the future")
    checks.done()
    if audit.auditor is None or audit.auditor.kind != "person":
        raise PersonRequired("an opt-in audit is made by a person", action="audit_opt_in")
    return replace(connection, opt_in_audit=audit, updated_at=at, revision=connection.revision + 1)


def set_up(catalog: Catalog, connection: Connection) -> tuple[SetupCriterion, ...]:
    """The four conditions under which the connector counts as set up, each that is met with what shows it."""
    check = connection.setup_check
    ledger = f"connector/{connection.customer_id}/{connection.connector_key}"
    tested = Evidence("test", check.tester, check.checked_at, check.reference) if check is not None else None
    shown_by = {
        "connected": Evidence("connection", connection.connected_by, connection.connected_at, ledger),
        "test_succeeded": tested,
        "no_secret_in_logs": tested,
        "ledger_entry": Evidence("ledger", None, connection.updated_at, ledger),
    }
    found = setup_criteria(
        catalog,
        connection.state,
        test_succeeded=check.test_succeeded if check else None,
        no_secret_in_logs=check.no_secret_in_logs if check else None,
        # Every change is recorded in the transaction that makes it.
        ledger_entry=connection.revision > 0,
    )
    return tuple(replace(c, shown_by=shown_by[c.id]) if c.met else c for c in found)


def _account_after(connection: Connection, update: Update, connecting: bool, by: ActorLike | None) -> str:
    """The account that the connection is of afterwards. Raises ``ConnectorAccountMismatch`` and ``PersonRequired``."""
    given = fingerprint(connection.customer_id, connection.connector_key, update.account_id)
    known = connection.account
    if not known or given == known or not (connecting or given):
        return given or known
    if not given or not update.confirm_account_change:
        raise ConnectorAccountMismatch(
            "another account was connected before" if given else "the account must be named again",
            [("ACCOUNT", connection.connector_key, "name the account that was connected, or confirm the change")],
            connector_key=connection.connector_key,
            known=known,
            given=given,
        )
    if by is None or by.kind != "person":
        raise PersonRequired("a person confirms another account", action="confirm_account_change")
    return given


def _check_words(checks: Checks, field: str, text: str) -> None:
    check_no_credential(checks, field, "", text)
    check_no_phone(checks, field, text)


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
