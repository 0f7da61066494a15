"""The use cases of incidents: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from services.approvals import drafts
from services.domain.checks import Checks
from services.domain.context import ChannelFreeze
from services.domain.texts import Bilingual
from services.incidents import freezes, notices, store
from services.incidents.case import Case, obligations_of, tasks_or_plan
from services.incidents.domain import incidents, lifecycle
from services.incidents.domain import obligations as clock_rules
from services.incidents.domain import tasks as task_rules
from services.incidents.domain.book import Book
from services.incidents.domain.declare import Declaration, declare
from services.incidents.domain.errors import IncidentNotFound
from services.incidents.domain.incidents import Incident
from services.incidents.domain.lifecycle import IncidentState, NotClosable, StateRefused, Step
from services.incidents.domain.obligations import Obligation, ObligationKind, ObligationState
from services.incidents.domain.plan import response_plan
from services.incidents.domain.severity import Severity
from services.incidents.domain.tasks import PlanTask, TaskChange
from services.incidents.domain.timeline import Finding, Role, TimelineKind, TimelineLine
from services.incidents.domain.triage import SupportFindings
from services.storage.database import Tx, UnitOfWork

MAX_LINES = 500
MAX_CUSTOMERS = 1000
MAX_TICKETS = 500
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


def declare_incident(unit: UnitOfWork, command: DeclareIncident, book: Book) -> Incident:
    """Triages and stores an incident with its tasks, opens its timeline and starts its clocks.

    Raises ``InvalidInput`` and ``PersonRequired``.
    """
    declared = declare(command.declaration, command.findings, unit.now, book)
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
        leak_aware_at=declared.aware_at if declared.data_leak else None,
    )
    store.insert_incident(unit.tx, incident)
    lines = [TimelineLine(number, entry, unit.actor) for number, entry in enumerate(declared.timeline, start=1)]
    for line in lines:
        store.append_line(unit.tx, incident.incident_id, line)
    tasks = task_rules.make_tasks(incident.plan, incident.data_leak)
    for task in tasks:
        store.insert_task(unit.tx, incident.incident_id, task)
    Case(unit, book, incident, lines, tasks).follow()
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
            **_findings(incident),
            "timeline_lines": str(len(declared.timeline)),
            "catalog_version": incident.triage.catalog_version,
        },
    )
    return incident


@dataclass(frozen=True, slots=True)
class Found:
    """An incident with its whole timeline, its tasks, and its obligations as they stand at a moment."""

    incident: Incident
    lines: list[TimelineLine]
    tasks: tuple[PlanTask, ...]
    obligations: tuple[Obligation, ...]


def get_incident(tx: Tx, incident_id: str, book: Book, now: datetime) -> Found:
    """The incident as it stands at ``now``. Raises ``IncidentNotFound``."""
    found = _existing(tx, incident_id)
    lines = store.all_lines(tx, incident_id)
    tasks = tasks_or_plan(found, store.tasks_of(tx, incident_id))
    return Found(found, lines, tasks, obligations_of(found, lines, book, now))


def list_timeline(tx: Tx, incident_id: str, after: int, limit: int) -> list[TimelineLine]:
    """At most ``limit`` lines behind a position. Raises ``IncidentNotFound``."""
    _existing(tx, incident_id)
    return store.lines_after(tx, incident_id, after, limit)


def _existing(tx: Tx, incident_id: str) -> Incident:
    found = store.get_incident(tx, incident_id)
    if found is None:
        raise IncidentNotFound("no such incident", incident_id=incident_id)
    return found


# --- the life cycle ---------------------------------------------------------------------------------------------------


def change_state(unit: UnitOfWork, incident_id: str, step: Step, etag: str, book: Book) -> Case:
    """Takes a step of the life cycle.

    Raises ``IncidentNotFound``, ``EtagMismatch``, what `services.incidents.domain.lifecycle.take_step` raises,
    ``LateReasonRequired`` for a first action after its time, and ``NotClosable``.
    """
    case = Case.open(unit, incident_id, book, etag)
    after = lifecycle.STEP_KINDS | ({TimelineKind.UPDATE_RECORDED} if step.to is IncidentState.RESOLVED else set())
    kind = lifecycle.take_step(incident_id, case.incident.state, step, unit.actor, _latest(case, after), unit.now)
    occurred_at = step.occurred_at or unit.now
    first_action = clock_rules.find(case.obligations(), ObligationKind.FIRST_ACTION)
    if kind is TimelineKind.ACTIVATED and first_action is not None and first_action.open:
        clock_rules.require_late_reason(first_action, occurred_at, step.reason)
    if kind is TimelineKind.CLOSED:
        missing = task_rules.missing_for_close(case.tasks, case.obligations())
        missing += notices.missing_for_close(unit.tx, incident_id)
        if missing:
            raise NotClosable("the incident still owes something", missing, incident_id=incident_id)
    case.change(state=step.to)
    if kind is TimelineKind.RESOLVED:
        case.change(resolved_at=occurred_at)
        case.tasks = task_rules.end_rounds(case.tasks)
    case.add(
        kind,
        book.texts.line(kind, step.reason),
        occurred_at=occurred_at,
        detail={clock_rules.REASON: step.reason} if step.reason else {},
    )
    case.commit(f"incident.{kind.value}", fields=("state",))
    if kind is TimelineKind.CANCELLED:
        _withdraw_drafts(case)
    return case


def _latest(case: Case, kinds: Set[TimelineKind]) -> datetime:
    """When the last of some kinds of lines happened; the awareness where there is none."""
    moments = [line.entry.occurred_at for line in case.lines if line.entry.kind in kinds]
    return max(moments, default=case.incident.aware_at)


def _withdraw_drafts(case: Case) -> None:
    """What was drafted for an incident that is none, or that another stands for, is not needed any more."""
    for draft in drafts.of_subject(case.unit.tx, f"incident/{case.incident.incident_id}"):
        drafts.withdraw(case.unit, draft.draft_id)


@dataclass(frozen=True, slots=True)
class RaiseSeverity:
    """What is graver than it was thought to be. ``aware_at``: since when Dealix knows of the leak; None: now."""

    incident_id: str
    severity: Severity
    reason: str
    data_leak: bool
    unauthorized_send: bool
    aware_at: datetime | None
    etag: str


def raise_severity(unit: UnitOfWork, command: RaiseSeverity, book: Book) -> Case:
    """Raises a severity, or records what was found out.

    Raises ``IncidentNotFound``, ``EtagMismatch``, ``PersonRequired``, ``StateRefused`` and ``InvalidInput``.
    """
    case = Case.open(unit, command.incident_id, book, command.etag)
    before = case.incident
    lifecycle.require_person(unit.actor, "raise_severity")
    lifecycle.require_not_over(before.incident_id, before.state, "raise_severity")
    leak = command.data_leak and not before.data_leak
    send = command.unauthorized_send and not before.unauthorized_send
    incidents.check_severity(before, command.severity, leak, send, command.reason, command.aware_at, unit.now)
    raised = command.severity is not before.severity
    leak_aware_at = (command.aware_at or unit.now) if leak else before.leak_aware_at
    case.change(
        severity=command.severity,
        data_leak=before.data_leak or leak,
        unauthorized_send=before.unauthorized_send or send,
        leak_aware_at=leak_aware_at,
        plan=response_plan(command.severity, book.catalog).steps if raised else before.plan,
    )
    if leak or send:
        found = [
            book.texts.findings[each]
            for each, new in ((Finding.DATA_LEAK, leak), (Finding.UNAUTHORIZED_SEND, send))
            if new
        ]
        names = Bilingual("، ".join(each.ar for each in found), ", ".join(each.en for each in found))
        case.add(
            TimelineKind.FINDING_RECORDED,
            book.texts.line(TimelineKind.FINDING_RECORDED, command.reason, findings=names),
            detail={clock_rules.LEAK_AWARE: leak_aware_at.isoformat()} if leak and leak_aware_at else {},
        )
    if raised:
        said = book.texts.raised(before.severity, command.severity, command.reason)
        case.add(TimelineKind.SEVERITY_RAISED, said)
    case.tasks = task_rules.regrade(case.tasks, case.incident.plan, case.incident.data_leak)
    case.commit(
        "incident.severity_raised" if raised else "incident.finding_recorded",
        fields=("severity", "data_leak", "unauthorized_send", "plan"),
        **_findings(case.incident),
    )
    return case


def assign_role(
    unit: UnitOfWork, incident_id: str, role: Role, person_id: str, note: str, etag: str, book: Book
) -> Case:
    """Gives a role, hands it over, or takes it away.

    Raises ``IncidentNotFound``, ``EtagMismatch``, ``PersonRequired``, ``StateRefused`` and ``InvalidInput``.
    """
    case = Case.open(unit, incident_id, book, etag)
    lifecycle.require_person(unit.actor, "assign_role")
    lifecycle.require_not_over(incident_id, case.incident.state, "assign_role")
    roles, kind, before = lifecycle.assign_role(case.incident.roles, role, person_id, unit.now)
    case.change(roles=roles)
    values: dict[str, Bilingual | str] = {"role": book.texts.roles[role]}
    if kind is not TimelineKind.ROLE_RELEASED:
        values["person"] = person_id
    if kind is not TimelineKind.ROLE_ASSIGNED:
        values["previous"] = before
    case.add(kind, book.texts.line(kind, note, **values), subject=role.value)
    case.commit(f"incident.{kind.value}", fields=("roles",), role=role.value, person_id=person_id)
    return case


def update_task(unit: UnitOfWork, incident_id: str, change: TaskChange, etag: str, book: Book) -> tuple[PlanTask, Case]:
    """Gives a task to a person, ticks it off, skips it, or opens it again.

    Raises ``IncidentNotFound``, ``EtagMismatch``, ``StateRefused`` and what `services.incidents.domain.tasks.change` raises.
    """
    case = Case.open(unit, incident_id, book, etag)
    lifecycle.require_not_over(incident_id, case.incident.state, "update_plan_task")
    owed = frozenset(each.kind.value for each in case.obligations() if each.state is not ObligationState.CANCELLED)
    task, kind = task_rules.change(incident_id, case.tasks, change, owed, unit.actor, unit.now)
    case.put_task(task)
    values: dict[str, Bilingual | str] = {"task": Bilingual(task.step.text_ar, task.step.text_en)}
    if kind is TimelineKind.TASK_ASSIGNED:
        values["person"] = task.owner_id
    case.add(kind, book.texts.line(kind, change.note, **values), subject=f"task/{task.number}")
    case.commit(f"incident.{kind.value}", fields=("tasks",), task_number=str(task.number), task_state=task.state.value)
    return task, case


def link(
    unit: UnitOfWork,
    incident_id: str,
    customer_ids: Sequence[str],
    ticket_ids: Sequence[str],
    etag: str,
    book: Book,
) -> Case:
    """Adds customers and tickets to an incident.

    Raises ``IncidentNotFound``, ``EtagMismatch``, ``StateRefused`` and ``InvalidInput``.
    """
    case = Case.open(unit, incident_id, book, etag)
    before = case.incident
    if before.state is IncidentState.CANCELLED or before.duplicate_of:
        raise StateRefused(
            "nothing is linked to a false alarm or a duplicate",
            incident_id=incident_id,
            state=before.state.value,
            action="link",
        )
    checks = Checks()
    if not customer_ids and not ticket_ids:
        checks.note("customer_ids", "REQUIRED", "must name somebody, or ticket_ids something")
    checks.done()
    customers, tickets = _together(before, customer_ids, ticket_ids)
    new = len(customers) - len(before.customer_ids), len(tickets) - len(before.ticket_ids)
    case.change(customer_ids=customers, ticket_ids=tickets)
    if any(new):
        values = {"customers": str(new[0]), "tickets": str(new[1])}
        case.add(TimelineKind.LINKED, book.texts.line(TimelineKind.LINKED, "", **values))
    case.commit("incident.linked", fields=("customer_ids", "ticket_ids"))
    return case


def _together(
    incident: Incident, customer_ids: Sequence[str], ticket_ids: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The customers and tickets of an incident with some more, each once. ``InvalidInput`` for too many."""
    customers = tuple(dict.fromkeys((*incident.customer_ids, *customer_ids)))
    tickets = tuple(dict.fromkeys((*incident.ticket_ids, *ticket_ids)))
    checks = Checks()
    if len(customers) > MAX_CUSTOMERS:
        checks.note("customer_ids", "TOO_MANY", f"must come to at most {MAX_CUSTOMERS} in all")
    if len(tickets) > MAX_TICKETS:
        checks.note("ticket_ids", "TOO_MANY", f"must come to at most {MAX_TICKETS} in all")
    checks.done()
    return customers, tickets


def mark_duplicate(
    unit: UnitOfWork, incident_id: str, other_id: str, reason: str, etag: str, book: Book
) -> tuple[Case, Case]:
    """Closes an incident as a duplicate of another, which takes over what it has.

    Only an incident that is over for no other reason becomes a duplicate, and only of one that is no duplicate: so there
    are no circles. Raises ``IncidentNotFound``, ``EtagMismatch``, ``PersonRequired``, ``StateRefused`` and ``InvalidInput``.
    """
    lifecycle.require_person(unit.actor, "mark_duplicate")
    case = Case.open(unit, incident_id, book, etag)
    if other_id == incident_id:
        checks = Checks()
        checks.note("duplicate_of_incident_id", "SAME_INCIDENT", "must be another incident")
        checks.done()
    other = Case.open(unit, other_id, book)
    before, kept = case.incident, other.incident
    incidents.check_duplicate(before, kept, reason)
    case.change(state=IncidentState.CLOSED, duplicate_of=other_id)
    case.add(
        TimelineKind.DUPLICATE_MARKED,
        book.texts.line(TimelineKind.DUPLICATE_MARKED, reason),
        subject=f"incident/{other_id}",
    )
    # One that names nobody concerns everybody, these customers too: naming them would narrow it.
    names = before.customer_ids if kept.customer_ids else ()
    customers, tickets = _together(kept, names, before.ticket_ids)
    leaks = [moment for moment in (kept.leak_aware_at, before.leak_aware_at) if moment is not None]
    other.change(
        customer_ids=customers,
        ticket_ids=tickets,
        data_leak=kept.data_leak or before.data_leak,
        unauthorized_send=kept.unauthorized_send or before.unauthorized_send,
        leak_aware_at=min(leaks, default=None),
    )
    other.add(
        TimelineKind.DUPLICATE_MERGED,
        book.texts.line(TimelineKind.DUPLICATE_MERGED, reason),
        subject=f"incident/{incident_id}",
        detail={clock_rules.LEAK_AWARE: before.leak_aware_at.isoformat()} if before.leak_aware_at is not None else {},
    )
    other.tasks = task_rules.regrade(other.tasks, other.incident.plan, other.incident.data_leak)
    case.commit("incident.duplicate_marked", fields=("state", "duplicate_of"), duplicate_of=other_id)
    other.commit(
        "incident.duplicate_merged",
        fields=("customer_ids", "ticket_ids", "data_leak", "unauthorized_send"),
        duplicate=incident_id,
        **_findings(other.incident),
    )
    _withdraw_drafts(case)
    return case, other


def add_note(
    unit: UnitOfWork, incident_id: str, text: str, occurred_at: datetime | None, etag: str, book: Book
) -> tuple[TimelineLine, Case]:
    """Writes a note on the timeline. Raises ``IncidentNotFound``, ``EtagMismatch`` and ``InvalidInput``."""
    case = Case.open(unit, incident_id, book, etag)
    checks = Checks()
    checks.text("text", text)
    if occurred_at is not None and occurred_at > unit.now:
        checks.note("occur_time", "IN_FUTURE", "must not be later than now")
    checks.done()
    line = case.add(TimelineKind.NOTE, text, occurred_at=occurred_at)
    case.commit("incident.note", fields=("timeline",))
    return line, case


@dataclass(frozen=True, slots=True)
class RecordUpdate:
    """An update that was given. ``occurred_at`` None: now."""

    incident_id: str
    text: str
    occurred_at: datetime | None
    late_reason: str
    etag: str


def record_update(
    unit: UnitOfWork, command: RecordUpdate, book: Book
) -> tuple[Obligation | None, Obligation | None, Case]:
    """Records an update; what it met and what comes next, both None in a drill.

    Raises ``IncidentNotFound``, ``EtagMismatch``, ``PersonRequired``, ``StateRefused``, ``InvalidInput`` and
    ``LateReasonRequired``.
    """
    case = Case.open(unit, command.incident_id, book, command.etag)
    lifecycle.require_person(unit.actor, "record_update")
    if not case.incident.open:
        state = case.incident.state.value
        raise StateRefused(
            f"the incident is {state}", incident_id=command.incident_id, state=state, action="record_update"
        )
    checks = Checks()
    checks.text("text", command.text)
    earliest = _latest(case, {TimelineKind.UPDATE_RECORDED})
    lifecycle.check_moment(checks, "occur_time", command.occurred_at, earliest, unit.now)
    checks.done()
    occurred_at = command.occurred_at or unit.now
    due = clock_rules.find(case.obligations(), ObligationKind.NEXT_UPDATE)
    if due is not None:
        clock_rules.require_late_reason(due, occurred_at, command.late_reason)
    case.add(
        TimelineKind.UPDATE_RECORDED,
        command.text,
        occurred_at=occurred_at,
        subject=due.obligation_id if due is not None else "",
        detail={clock_rules.REASON: command.late_reason} if command.late_reason else {},
    )
    case.tasks = task_rules.follow_obligation(
        case.tasks, ObligationKind.NEXT_UPDATE, unit.actor, occurred_at, command.late_reason, waived=False
    )
    case.commit("incident.update_recorded", fields=("timeline",))
    if due is None:
        return None, None, case
    now = {each.obligation_id: each for each in case.obligations()}
    return now[due.obligation_id], clock_rules.find(now.values(), ObligationKind.NEXT_UPDATE), case


def set_clocks_paused(unit: UnitOfWork, incident_id: str, paused: bool, reason: str, etag: str, book: Book) -> Case:
    """Stops or starts again the clocks that may be paused.

    Raises ``IncidentNotFound``, ``EtagMismatch``, ``PersonRequired``, ``StateRefused`` and ``InvalidInput``.
    """
    case = Case.open(unit, incident_id, book, etag)
    lifecycle.require_person(unit.actor, "pause_clocks")
    lifecycle.require_not_over(incident_id, case.incident.state, "pause_clocks")
    checks = Checks()
    if paused is case.incident.clocks_paused:
        checks.note("paused", "UNCHANGED", "must differ from what is: the clocks stand so already")
    if paused:
        checks.text("reason", reason)
    checks.done()
    case.change(clocks_paused=paused)
    kind = TimelineKind.CLOCKS_PAUSED if paused else TimelineKind.CLOCKS_RESUMED
    case.add(kind, book.texts.line(kind, reason))
    case.commit(f"incident.{kind.value}", fields=("clocks_paused",), clocks_paused=_flag(paused))
    return case


# --- beside one incident ----------------------------------------------------------------------------------------------


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


def _findings(incident: Incident) -> dict[str, str]:
    return {
        "data_leak": _flag(incident.data_leak),
        "unauthorized_send": _flag(incident.unauthorized_send),
    }


def _flag(value: bool) -> str:
    return "true" if value else "false"
