"""The use cases of obligations: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.incidents import store
from services.incidents.case import Case, incident_of_timer, obligations_of
from services.incidents.domain import obligations as rules
from services.incidents.domain import tasks as task_rules
from services.incidents.domain.book import Book
from services.incidents.domain.errors import IncidentNotFound
from services.incidents.domain.obligations import Completion, Obligation, ObligationKind, ObligationState
from services.incidents.domain.timeline import TimelineKind
from services.storage.database import Tx, UnitOfWork
from services.storage.timers import Timer

REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class CompleteObligation:
    """What was met; ``reference`` is where the evidence stands, and may be empty."""

    incident_id: str
    completion: Completion
    reference: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class WaiveObligation:
    """What need not be met, and why."""

    incident_id: str
    kind: ObligationKind
    reason: str
    etag: str = ""


def list_obligations(tx: Tx, incident_id: str, book: Book, as_of: datetime) -> tuple[Obligation, ...]:
    """The obligations of an incident as known at a moment. Raises ``IncidentNotFound``."""
    incident = store.get_incident(tx, incident_id)
    if incident is None:
        raise IncidentNotFound("no such incident", incident_id=incident_id)
    return obligations_of(incident, store.all_lines(tx, incident_id), book, as_of)


def complete(unit: UnitOfWork, command: CompleteObligation, book: Book) -> tuple[Obligation, Case]:
    """Records that a person met an obligation; the task that stands for it is done with it.

    Raises ``IncidentNotFound``, ``EtagMismatch`` and what `services.incidents.domain.obligations.complete` raises.
    """
    case = Case.open(unit, command.incident_id, book, command.etag)
    obligation = complete_in(case, command.completion, command.reference)
    case.commit(
        "incident.obligation_completed",
        fields=("obligation",),
        obligation=obligation.obligation_id,
        obligation_state=obligation.state.value,
    )
    return obligation, case


def complete_in(case: Case, completion: Completion, reference: str = "") -> Obligation:
    """The same for a case at hand, which its caller commits."""
    kind = completion.kind
    before = rules.find(case.obligations(), kind)
    occurred_at = rules.complete(case.incident.incident_id, before, completion, case.unit.actor, case.now)
    assert before is not None
    detail = {rules.REASON: completion.reason} if completion.reason else {}
    if reference:
        detail[REFERENCE] = reference
    case.add(
        TimelineKind.OBLIGATION_COMPLETED,
        case.book.texts.line(TimelineKind.OBLIGATION_COMPLETED, completion.reason, obligation=before.rule.text),
        occurred_at=occurred_at,
        subject=before.obligation_id,
        detail=detail,
    )
    case.tasks = task_rules.follow_obligation(
        case.tasks, kind, case.unit.actor, occurred_at, completion.reason, waived=False
    )
    return now_of(case, before.obligation_id)


def waive(unit: UnitOfWork, command: WaiveObligation, book: Book) -> tuple[Obligation, Case]:
    """Records a person's decision that an obligation need not be met.

    Raises ``IncidentNotFound``, ``EtagMismatch`` and what `services.incidents.domain.obligations.check_waiver` raises.
    """
    case = Case.open(unit, command.incident_id, book, command.etag)
    rule = book.policy.rule(command.kind)
    before = rules.find(case.obligations(), command.kind)
    rules.check_waiver(command.incident_id, rule, before, unit.actor, command.reason)
    assert before is not None
    case.add(
        TimelineKind.OBLIGATION_WAIVED,
        book.texts.line(TimelineKind.OBLIGATION_WAIVED, command.reason, obligation=rule.text),
        subject=before.obligation_id,
        detail={rules.REASON: command.reason},
    )
    case.tasks = task_rules.follow_obligation(
        case.tasks, command.kind, unit.actor, unit.now, command.reason, waived=True
    )
    case.commit(
        "incident.obligation_waived",
        fields=("obligation",),
        obligation=before.obligation_id,
        obligation_state=ObligationState.NOT_REQUIRED.value,
    )
    return now_of(case, before.obligation_id), case


def now_of(case: Case, obligation_id: str) -> Obligation:
    """One obligation as it stands now."""
    return next(each for each in case.obligations() if each.obligation_id == obligation_id)


def fire(unit: UnitOfWork, timer: Timer, book: Book) -> None:
    """Reports what is breached by now, and sets the timer of what comes next."""
    case = Case.open(unit, incident_of_timer(timer.timer_id), book)
    # Opening reports. Where nothing was breached after all, the timer is set anew here.
    case.follow()
