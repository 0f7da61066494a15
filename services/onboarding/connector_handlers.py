"""The use cases of connectors: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from services.approvals import drafts
from services.domain.checks import Checks
from services.domain.context import Context
from services.domain.drafts import Draft, DraftKind, DraftState
from services.domain.errors import check_etag
from services.onboarding import store
from services.onboarding.domain import connections, issues, requests
from services.onboarding.domain.approvals import Approval
from services.onboarding.domain.catalog import Catalog, Connector, ConnectorProblem, ConnectorState
from services.onboarding.domain.connections import Connection, OptInAudit, SetupCheck, Update
from services.onboarding.domain.connectors import StateChange, Summary, summarize, transition_refused
from services.onboarding.domain.issues import Event, EventKind, Issue, Observation, Resolution
from services.storage.database import Tx, UnitOfWork

_EXECUTES = ConnectorState.CONNECTED_APPROVED_EXECUTE
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Changed:
    """What a write came to: the connector, the states it went through, and the issues that were opened, counted up or
    resolved."""

    connection: Connection
    states: tuple[ConnectorState, ...] = ()
    issues: tuple[Issue, ...] = ()


def update_connector(
    unit: UnitOfWork,
    catalog: Catalog,
    customer_id: str,
    connector_key: str,
    update: Update,
    etag: str,
    context: Context,
) -> tuple[Connection, tuple[ConnectorState, ...], Summary]:
    """Moves a connector and records what came with it: the connector, the states it went through, all in summary.

    Raises ``InvalidInput``, ``EtagMismatch``, ``PersonRequired``, ``ConnectorTransitionRefused``, ``OptInAuditRequired``,
    ``ApprovalRequired``, ``ConnectorAccountMismatch``, ``ChannelFrozen`` and what using an approval raises.
    """
    before = _stored(unit.tx, customer_id, connector_key)
    connector = connections.check_update(catalog, before, update, at=unit.now)
    check_etag(etag, before.etag)
    executing = update.state is _EXECUTES and before.state is not _EXECUTES
    if executing and update.approval_id:
        update = replace(update, approval=_used(unit, customer_id, connector_key, update.approval_id))
    after, steps = connections.apply_update(connector, before, update, at=unit.now, by=unit.actor)
    if executing:
        context.require_unfrozen(connector.channel, customer_id, connector_key=connector_key)
        _withdraw_requests(unit, customer_id, connector_key)
    if after is before:
        unit.record("connector.unchanged", _subject(before), attributes=_attributes(before))
    else:
        store.save_connection(unit.tx, before, after)
        _record_steps(unit, before, after, steps, "connector.settings_recorded")
        _append(unit, [*_events(unit, before, after, steps), *_issues_of_update(unit, after, update, steps)[0]])
    return after, tuple(step.after for step in steps), summary_of(unit.tx, catalog, customer_id)


def record_problem(
    unit: UnitOfWork, catalog: Catalog, customer_id: str, connector_key: str, observed: Observation
) -> Changed:
    """Records a problem that was observed; a definitive one breaks the connection.

    Raises ``InvalidInput`` and ``ConnectorTransitionRefused`` (nothing was connected).
    """
    issues.check_observation(catalog, connector_key, observed, at=unit.now)
    before = _stored(unit.tx, customer_id, connector_key)
    late = issues.outdated(before, observed.occurred_at)
    after, steps = issues.observe(catalog, before, observed, at=unit.now)
    issue = None if late else _saw(unit, before, observed.problem, observed)
    seen = Event(
        customer_id,
        connector_key,
        EventKind.PROBLEM_OBSERVED,
        before.state,
        before.state,
        unit.actor,
        observed.occurred_at,
        unit.now,
        problem=observed.problem,
        issue_id=issue.issue_id if issue is not None else "",
        detail=observed.detail,
        reference=observed.reference,
        outdated=late,
    )
    told = {
        "problem": observed.problem.value,
        "issue_id": issue.issue_id if issue is not None else "",
        "outdated": str(late).lower(),
    }
    if steps:
        store.save_connection(unit.tx, before, after)
        _record_steps(unit, before, after, steps, "", told)
    else:
        unit.record("connector.problem_observed", _subject(before), attributes=told)
    _append(unit, [seen, *_state_events(unit, after, steps)])
    return Changed(after, tuple(step.after for step in steps), (issue,) if issue is not None else ())


def record_test(unit: UnitOfWork, catalog: Catalog, customer_id: str, connector_key: str, check: SetupCheck) -> Changed:
    """Records a test of a connection: a success resolves what is open, a failure is an issue.

    Raises ``InvalidInput`` and ``ConnectorNotConnected``.
    """
    _known(catalog, connector_key)
    before = _stored(unit.tx, customer_id, connector_key)
    after = connections.record_test(before, replace(check, tester=unit.actor), at=unit.now)
    store.save_connection(unit.tx, before, after)
    unit.record(
        "connector.tested", _subject(after), fields=_changed_fields(before, after), attributes=_attributes(after)
    )
    events, found = _tested(unit, after, check)
    _append(unit, [*_test_events(unit, after, check), *events])
    return Changed(after, (), found)


def record_audit(
    unit: UnitOfWork, catalog: Catalog, customer_id: str, connector_key: str, audit: OptInAudit
) -> Changed:
    """Records an opt-in audit. Raises ``InvalidInput`` and ``PersonRequired``."""
    connector = _known(catalog, connector_key)
    before = _stored(unit.tx, customer_id, connector_key)
    after = connections.record_audit(connector, before, audit, at=unit.now)
    store.save_connection(unit.tx, before, after)
    unit.record(
        "connector.opt_in_audited",
        _subject(after),
        fields=_changed_fields(before, after),
        attributes=_attributes(after),
    )
    _append(unit, _audit_events(unit, before, after))
    return Changed(after)


def draft_approval(unit: UnitOfWork, catalog: Catalog, customer_id: str, connector_key: str) -> Draft:
    """The draft that asks for a connector's execution; the one that waits already is answered again.

    Raises ``InvalidInput`` for an unknown connector, ``ConnectorTransitionRefused`` where it executes already or was skipped.
    """
    connector = _known(catalog, connector_key)
    found = _stored(unit.tx, customer_id, connector_key)
    if found.state in (_EXECUTES, ConnectorState.SKIPPED):
        raise transition_refused(found.state, _EXECUTES, connector_key)
    return ask(unit, requests.connector_draft(catalog, customer_id, connector))


def ask(unit: UnitOfWork, new: drafts.NewDraft) -> Draft:
    """The draft that asks a person; one that asks the same and is open already is answered again."""
    for draft in drafts.of_subject(unit.tx, new.subject):
        same = (draft.kind, draft.title, draft.channel) == (new.kind, new.title, new.channel)
        if same and draft.state_at(unit.now) in _OPEN:
            unit.record("draft.asked_again", f"draft/{draft.draft_id}", attributes={"state": draft.state.value})
            return draft
    return drafts.create(unit, new)


def withdraw_open(unit: UnitOfWork, subject: str, kind: DraftKind) -> None:
    """Takes back what still asks for something that was decided otherwise."""
    for draft in drafts.of_subject(unit.tx, subject):
        if draft.kind is kind and draft.state_at(unit.now) in _OPEN:
            drafts.withdraw(unit, draft.draft_id)


def approval_of(draft: Draft) -> Approval:
    """A used approval of a draft, as a step or a connector keeps it."""
    given = draft.approval
    assert given is not None
    return Approval(given.approver.id, given.approved_at, by_person=True, note=given.note, role=given.approver.role)


def connectors_of(tx: Tx, catalog: Catalog, customer_id: str) -> list[Connection]:
    """Every connector of the catalogue as it stands for the customer, in the order of the catalogue."""
    stored = store.connections_of(tx, customer_id)
    return [stored.get(c.key) or Connection(customer_id, c.key) for c in catalog.connectors]


def summary_of(tx: Tx, catalog: Catalog, customer_id: str) -> Summary:
    """The summary of the customer's connectors as they stand."""
    return summarize(catalog, {c.connector_key: c.state for c in connectors_of(tx, catalog, customer_id)})


_OPEN = frozenset({DraftState.DRAFTED, DraftState.APPROVED, DraftState.EDITED_AND_APPROVED})


def _known(catalog: Catalog, connector_key: str) -> Connector:
    checks = Checks()
    connector = issues.find_connector(checks, catalog, connector_key)
    checks.done()
    assert connector is not None
    return connector


def _stored(tx: Tx, customer_id: str, connector_key: str) -> Connection:
    found = store.get_connection(tx, customer_id, connector_key)
    return found if found is not None else Connection(customer_id, connector_key)


def _used(unit: UnitOfWork, customer_id: str, connector_key: str, approval_id: str) -> Approval:
    subject = requests.connector_subject(customer_id, connector_key)
    return approval_of(drafts.use(unit, approval_id, subject=subject, kind=DraftKind.CONNECTOR_APPROVAL))


def _withdraw_requests(unit: UnitOfWork, customer_id: str, connector_key: str) -> None:
    withdraw_open(unit, requests.connector_subject(customer_id, connector_key), DraftKind.CONNECTOR_APPROVAL)


def _subject(found: Connection) -> str:
    return f"connector/{found.customer_id}/{found.connector_key}"


def _record_steps(
    unit: UnitOfWork,
    before: Connection,
    after: Connection,
    steps: Sequence[StateChange],
    otherwise: str,
    told: Mapping[str, str] = _NOTHING,
) -> None:
    """One ledger entry for each step of the state, the last with all that changed and what is ``told`` of it; one called
    ``otherwise`` where no state changed."""
    for number, step in enumerate(steps[:-1], start=1):
        unit.record(
            "connector.state_changed",
            _subject(after),
            fields=("state",),
            attributes={
                "from": step.before.value,
                "state": step.after.value,
                "revision": str(before.revision + number),
            },
        )
    unit.record(
        "connector.state_changed" if steps else otherwise,
        _subject(after),
        fields=_changed_fields(before, after),
        attributes={
            **({"from": steps[-1].before.value} if steps else {}),
            **_attributes(after),
            **told,
        },
    )


def _events(unit: UnitOfWork, before: Connection, after: Connection, steps: Sequence[StateChange]) -> Iterable[Event]:
    yield from _state_events(unit, after, steps)
    if after.account != before.account:
        yield _event(unit, after, EventKind.ACCOUNT_CHANGED if before.account else EventKind.ACCOUNT_LINKED)
    if after.opt_in_audit != before.opt_in_audit:
        yield from _audit_events(unit, before, after)
    if after.settings != before.settings:
        yield _event(unit, after, EventKind.SETTINGS_RECORDED)
    if after.setup_check is not None and after.setup_check != before.setup_check:
        yield from _test_events(unit, after, after.setup_check)


def _state_events(unit: UnitOfWork, after: Connection, steps: Sequence[StateChange]) -> list[Event]:
    return [replace(_event(unit, after, EventKind.STATE_CHANGED), before=s.before, after=s.after) for s in steps]


def _audit_events(unit: UnitOfWork, _: Connection, after: Connection) -> list[Event]:
    audit = after.opt_in_audit
    assert audit is not None
    event = _event(unit, after, EventKind.OPT_IN_AUDITED)
    detail = f"{audit.opted_in_numbers} ({audit.source})"
    return [replace(event, occurred_at=audit.audited_at, detail=detail, reference=audit.reference)]


def _test_events(unit: UnitOfWork, after: Connection, check: SetupCheck) -> list[Event]:
    event = _event(unit, after, EventKind.TEST_RECORDED)
    return [
        replace(
            event,
            occurred_at=check.checked_at,
            detail=check.detail,
            reference=check.reference,
            succeeded=check.test_succeeded,
        )
    ]


def _event(unit: UnitOfWork, found: Connection, kind: EventKind) -> Event:
    return Event(found.customer_id, found.connector_key, kind, found.state, found.state, unit.actor, unit.now, unit.now)


def _append(unit: UnitOfWork, events: Sequence[Event]) -> None:
    if events:
        store.append_events(unit.tx, events[0].customer_id, events)


def _issues_of_update(
    unit: UnitOfWork, after: Connection, update: Update, steps: Sequence[StateChange]
) -> tuple[list[Event], tuple[Issue, ...]]:
    """What an update means for the connector's issues."""
    target = steps[-1].after if steps else None
    events: list[Event] = []
    found: tuple[Issue, ...] = ()
    if target is ConnectorState.FAILED:
        issue = _saw(unit, after, ConnectorProblem.SETUP_FAILED, Observation(ConnectorProblem.SETUP_FAILED, unit.now))
        found = (issue,)
        event = _event(unit, after, EventKind.PROBLEM_OBSERVED)
        events.append(replace(event, problem=issue.problem, issue_id=issue.issue_id))
    elif target is ConnectorState.SKIPPED:
        events, found = _resolve(unit, after, Resolution.SKIPPED)
    elif target is not None and target.connected:
        events, found = _resolve(unit, after, Resolution.RECONNECTED)
    if update.setup_check is not None:
        more, others = _tested(unit, after, update.setup_check)
        events, found = [*events, *more], (*found, *others)
    return events, found


def _tested(unit: UnitOfWork, after: Connection, check: SetupCheck) -> tuple[list[Event], tuple[Issue, ...]]:
    if check.test_succeeded:
        return _resolve(unit, after, Resolution.TEST_SUCCEEDED)
    observed = Observation(ConnectorProblem.TEST_FAILED, check.checked_at)
    issue = _saw(unit, after, observed.problem, observed)
    event = replace(
        _event(unit, after, EventKind.PROBLEM_OBSERVED),
        occurred_at=check.checked_at,
        problem=issue.problem,
        issue_id=issue.issue_id,
    )
    return [event], (issue,)


def _saw(unit: UnitOfWork, connection: Connection, problem: ConnectorProblem, observed: Observation) -> Issue:
    """The one open issue of a problem, opened or counted up."""
    present = next(
        (
            issue
            for issue in store.open_issues_of(unit.tx, connection.customer_id)
            if (issue.connector_key, issue.problem) == (connection.connector_key, problem)
        ),
        None,
    )
    new_id = unit.new_id("iss") if present is None else ""
    issue = issues.seen(present, connection, problem, observed.occurred_at, unit.now, new_id)
    (store.insert_issue if present is None else store.save_issue)(unit.tx, issue)
    return issue


def _resolve(unit: UnitOfWork, connection: Connection, resolution: Resolution) -> tuple[list[Event], tuple[Issue, ...]]:
    mine = [
        issue
        for issue in store.open_issues_of(unit.tx, connection.customer_id)
        if issue.connector_key == connection.connector_key
    ]
    done = issues.resolved(mine, resolution, unit.actor, unit.now)
    for issue in done:
        store.save_issue(unit.tx, issue)
        unit.record(
            "connector.issue_resolved",
            _subject(connection),
            attributes={"issue_id": issue.issue_id, "problem": issue.problem.value, "resolution": resolution.value},
        )
    event = _event(unit, connection, EventKind.ISSUE_RESOLVED)
    return [replace(event, problem=issue.problem, issue_id=issue.issue_id) for issue in done], done


def _attributes(found: Connection) -> dict[str, str]:
    """What the ledger tells of a connector after every write; folded, it gives each connector's present state."""
    audit, check = found.opt_in_audit, found.setup_check
    return {
        "state": found.state.value,
        "revision": str(found.revision),
        "approver": found.approval.approved_by if found.approval else "",
        "opted_in_numbers": str(audit.opted_in_numbers) if audit else "",
        "test_succeeded": str(check.test_succeeded).lower() if check else "",
        "no_secret_in_logs": _told(check.no_secret_in_logs) if check else "",
        "account": found.account,
    }


def _told(value: bool | None) -> str:
    return "" if value is None else str(value).lower()


def _changed_fields(before: Connection, after: Connection) -> list[str]:
    names = ("state", "approval", "opt_in_audit", "settings", "setup_check", "account")
    return [name for name in names if getattr(before, name) != getattr(after, name)]
