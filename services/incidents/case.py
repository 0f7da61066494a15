"""An incident at hand inside one transaction: read whole, changed, and written with all that follows from the change.

Every change of an incident goes through a `Case`, so that each one brings along the same: a new revision, its lines on the
timeline, the index of open obligations, the timer of the next breach, and an entry of the ledger. Whatever was breached
before a change and not reported yet is reported first: an alert does not depend on a worker having run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.approvals import drafts
from services.domain.channels import Channel
from services.domain.errors import check_etag
from services.domain.texts import Bilingual
from services.incidents import store
from services.incidents.domain import obligations as rules
from services.incidents.domain.book import Book
from services.incidents.domain.errors import IncidentNotFound
from services.incidents.domain.incidents import Incident
from services.incidents.domain.obligations import Beginning, Obligation
from services.incidents.domain.tasks import Moments, PlanTask, make_tasks
from services.incidents.domain.timeline import TimelineEntry, TimelineKind, TimelineLine
from services.storage import timers
from services.storage.database import Actor, UnitOfWork

CLOCK = Actor("service", "incidents-clock")
"""Who reports a breach: nobody's deed, so no person's."""

TIMER_KIND = "obligations"
_TIMER_PREFIX, _TIMER_SUFFIX = "incident/", "/obligations"


def timer_id(incident_id: str) -> str:
    """The timer of an incident's next breach."""
    return f"{_TIMER_PREFIX}{incident_id}{_TIMER_SUFFIX}"


def incident_of_timer(found: str) -> str:
    """The incident of a timer that `timer_id` named."""
    return found.removeprefix(_TIMER_PREFIX).removesuffix(_TIMER_SUFFIX)


def beginning_of(incident: Incident, lines: Sequence[TimelineLine]) -> Beginning:
    """What its obligations are computed from beside the timeline."""
    told = any(rules.LEAK_AWARE in line.entry.detail for line in lines)
    return Beginning(
        incident.incident_id,
        incident.aware_at,
        incident.declared_at,
        leak=incident.data_leak and not told,
        drill=incident.drill,
    )


def obligations_of(
    incident: Incident, lines: Sequence[TimelineLine], book: Book, as_of: datetime
) -> tuple[Obligation, ...]:
    """The obligations of an incident with its whole timeline, as known at a moment."""
    return rules.obligations_of(beginning_of(incident, lines), lines, book.policy, as_of)


def moments_of(incident: Incident) -> Moments:
    """What due times of its tasks count from."""
    return Moments(
        incident.declared_at, incident.aware_at, incident.leak_aware_at, incident.resolved_at, incident.drill
    )


def tasks_or_plan(incident: Incident, stored: tuple[PlanTask, ...]) -> tuple[PlanTask, ...]:
    """The tasks that are stored; those of its plan for an incident of a time when there were none."""
    return stored or make_tasks(incident.plan, incident.data_leak)


class Case:
    """One incident in one transaction. ``incident`` is as it stands; change it, add lines, then `commit`."""

    def __init__(
        self, unit: UnitOfWork, book: Book, incident: Incident, lines: list[TimelineLine], tasks: tuple[PlanTask, ...]
    ) -> None:
        self.unit = unit
        self.book = book
        self.incident = incident
        self.lines = lines
        self.tasks = tasks
        self._stored = incident
        self._stored_tasks = tasks
        self._written = len(lines)

    @classmethod
    def open(cls, unit: UnitOfWork, incident_id: str, book: Book, etag: str = "") -> Case:
        """The incident, with what was breached until now reported. Raises ``IncidentNotFound`` and ``EtagMismatch``."""
        found = store.get_incident(unit.tx, incident_id)
        if found is None:
            raise IncidentNotFound("no such incident", incident_id=incident_id)
        check_etag(etag, found.etag)
        lines, stored = store.all_lines(unit.tx, incident_id), store.tasks_of(unit.tx, incident_id)
        case = cls(unit, book, found, lines, stored)
        case.tasks = tasks_or_plan(found, stored)
        case.report_breaches()
        return case

    @property
    def now(self) -> datetime:
        return self.unit.now

    def obligations(self) -> tuple[Obligation, ...]:
        """The obligations as they stand now, with the lines that were added."""
        return obligations_of(self.incident, self.lines, self.book, self.now)

    def change(self, **fields: object) -> None:
        """Gives fields of the incident other values."""
        self.incident = replace(self.incident, **fields)  # type: ignore[arg-type]  # names are checked by dataclasses

    def add(
        self,
        kind: TimelineKind,
        text: Bilingual | str,
        *,
        occurred_at: datetime | None = None,
        subject: str = "",
        detail: Mapping[str, str] | None = None,
        actor: Actor | None = None,
    ) -> TimelineLine:
        """Adds a line, with the incident's severity, to the timeline. A text in one language is a person's own words."""
        said = Bilingual(text, "") if isinstance(text, str) else text
        entry = TimelineEntry(
            kind,
            self.now if occurred_at is None else occurred_at,
            self.now,
            self.incident.severity,
            said.ar,
            said.en,
            subject,
            dict(detail or {}),
        )
        line = TimelineLine(len(self.lines) + 1, entry, self.unit.actor if actor is None else actor)
        self.lines.append(line)
        return line

    def put_task(self, task: PlanTask) -> None:
        """Takes a task as it stands after a change."""
        self.tasks = tuple(task if each.number == task.number else each for each in self.tasks)

    def commit(self, action: str, *, fields: Sequence[str] = (), **attributes: str) -> None:
        """Writes what was changed, with a new revision and what follows from it, and appends ``action`` to the ledger."""
        tx, incident_id = self.unit.tx, self.incident.incident_id
        self.change(updated_at=self.now, revision=self._stored.revision + 1)
        store.save_incident(tx, self.incident, self._stored)
        new = self.lines[self._written :]
        for line in new:
            store.append_line(tx, incident_id, line)
        before = {task.number: task for task in self._stored_tasks}
        for task in self.tasks:
            if task.number not in before:
                store.insert_task(tx, incident_id, task)
            elif task != before[task.number]:
                store.save_task(tx, incident_id, task)
        if any(line.entry.kind in rules.CLOCK_KINDS for line in new):
            self.follow()
        self._stored, self._stored_tasks, self._written = self.incident, self.tasks, len(self.lines)
        self.unit.record(
            action,
            f"incident/{incident_id}",
            fields=fields,
            attributes={
                "severity": self.incident.severity.value,
                "state": self.incident.state.value,
                "revision": str(self.incident.revision),
                "timeline_lines": str(len(self.lines)),
                **attributes,
            },
        )

    def follow(self) -> None:
        """Brings the index of open obligations and the timer up to the timeline."""
        obligations = self.obligations()
        store.put_periods(self.unit.tx, self.incident.incident_id, obligations, self.now)
        due = rules.next_breach(obligations, rules.reported(self.lines))
        timer = timer_id(self.incident.incident_id)
        if due is None:
            timers.cancel_timer(self.unit.tx, timer)
        else:
            timers.set_timer(self.unit.tx, timer, TIMER_KIND, due)

    def report_breaches(self) -> None:
        """Puts every breach that is not there yet on the timeline, once, and drafts one alert for each."""
        told = rules.reported(self.lines)
        for each in self.obligations():
            if each.open and each.breached and each.obligation_id not in told:
                self._report(each)

    def _report(self, breached: Obligation) -> None:
        assert breached.due_at is not None
        assert breached.started_at is not None
        texts = self.book.texts
        name = breached.rule.text
        self.add(
            TimelineKind.OBLIGATION_BREACHED,
            texts.line(TimelineKind.OBLIGATION_BREACHED, obligation=name, due=texts.at(breached.due_at)),
            occurred_at=breached.due_at,
            subject=breached.obligation_id,
            actor=CLOCK,
        )
        values: dict[str, Bilingual | str] = {
            "obligation": name,
            "severity": breached.severity.value,
            "declared": texts.at(self.incident.declared_at),
            "start": texts.at(breached.started_at),
            "due": texts.at(breached.due_at),
        }
        self.commit("incident.obligation_breached", obligation=breached.obligation_id)
        self.alert(texts.obligation_alert_title.format(**values), texts.obligation_alert.format(**values))

    def alert(self, title: Bilingual, body: Bilingual) -> None:
        """Drafts a notice for the people in charge. It stays inside Dealix: no customer is named and no freeze holds it."""
        drafts.create(
            self.unit,
            drafts.NewDraft(
                kind=drafts.DraftKind.ESCALATION,
                subject=f"incident/{self.incident.incident_id}",
                customer_id="",
                channel=Channel.INTERNAL,
                title=title,
                body=body,
                due_at=self.now,
            ),
        )
