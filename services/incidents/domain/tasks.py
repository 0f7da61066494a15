"""The response plan of an incident as tasks: who does them, until when, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import PreconditionFailed
from services.incidents.domain.lifecycle import require_person
from services.incidents.domain.obligations import Obligation, ObligationKind, ObligationState, utc
from services.incidents.domain.plan import PlanStep
from services.incidents.domain.severity import StepClock, StepCondition
from services.incidents.domain.timeline import TimelineKind


class TaskState(StrEnum):
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A step of the plan as a task. ``number`` counts from 1 and stays. ``owner_id`` is empty while nobody was named.

    ``done_at`` and ``done_by`` are those of the last time it was done, or of its skipping; a task that comes round again
    stays open and counts ``times_done``.
    """

    number: int
    step: PlanStep
    state: TaskState
    owner_id: str = ""
    done_at: datetime | None = None
    done_by: ActorLike | None = None
    note: str = ""
    times_done: int = 0


@dataclass(frozen=True, slots=True)
class Moments:
    """What due times of tasks count from, UTC; None where it has not happened. A ``drill`` starts no obligation's clock."""

    declared_at: datetime
    aware_at: datetime
    leak_aware_at: datetime | None
    resolved_at: datetime | None
    drill: bool = False


@dataclass(frozen=True, slots=True)
class TaskChange:
    """What becomes of a task: another ``state``, another ``owner_id``; None and empty leave them."""

    number: int
    state: TaskState | None
    owner_id: str
    note: str


class TaskBlocked(PreconditionFailed):
    """Other tasks go before; ``missing`` lists them. Metadata: ``incident_id``, ``task_number``."""

    reason: ClassVar[str] = "PLAN_TASK_BLOCKED"


class TaskStateRefused(PreconditionFailed):
    """The task's state or kind does not allow it. Metadata: ``incident_id``, ``task_number``, ``state``, ``obligation``."""

    reason: ClassVar[str] = "PLAN_TASK_STATE_REFUSED"


def make_tasks(steps: Iterable[PlanStep], leaked: bool) -> tuple[PlanTask, ...]:
    """The tasks of a plan at the declaration."""
    return tuple(PlanTask(step.number, step, _beginning(step, leaked)) for step in steps)


def _beginning(step: PlanStep, leaked: bool) -> TaskState:
    applies = step.condition is not StepCondition.DATA_LEAKED or leaked
    return TaskState.OPEN if applies else TaskState.NOT_APPLICABLE


def regrade(tasks: Sequence[PlanTask], steps: Sequence[PlanStep], leaked: bool) -> tuple[PlanTask, ...]:
    """The tasks once another plan holds, or data is found to have leaked.

    What was done stays done, with the due times of the new plan. Open tasks of steps that the new plan lacks are not
    applicable any more; its new steps come behind, with numbers of their own.
    """
    wanted = {step.id: step for step in steps}
    kept = []
    for task in tasks:
        step = wanted.pop(task.step.id, None)
        if step is None:
            gone = task.state is TaskState.OPEN
            kept.append(replace(task, state=TaskState.NOT_APPLICABLE) if gone else task)
            continue
        opens = task.state is TaskState.NOT_APPLICABLE and _beginning(step, leaked) is TaskState.OPEN
        kept.append(replace(task, step=step, state=TaskState.OPEN if opens else task.state))
    last = max((task.number for task in tasks), default=0)
    added = (PlanTask(last + place, step, _beginning(step, leaked)) for place, step in enumerate(wanted.values(), 1))
    return (*kept, *added)


def due_at(task: PlanTask, moments: Moments) -> datetime | None:
    """When an open task is due, or due again; None for one that is not timed, or whose clock has not begun or never does."""
    step = task.step
    if task.state is not TaskState.OPEN or (moments.drill and step.obligation):
        return None
    if step.repeat_minutes is not None and task.done_at is not None:
        return task.done_at + timedelta(minutes=step.repeat_minutes)
    start: datetime | None = moments.declared_at
    if step.due_from is StepClock.RESOLVED:
        start = moments.resolved_at
    elif step.due_from is StepClock.AWARE:
        start = moments.leak_aware_at if step.condition is StepCondition.DATA_LEAKED else moments.aware_at
    return None if start is None or step.due_minutes is None else start + timedelta(minutes=step.due_minutes)


def change(
    incident_id: str,
    tasks: Sequence[PlanTask],
    wanted: TaskChange,
    owed: frozenset[str],
    actor: ActorLike,
    now: datetime,
) -> tuple[PlanTask, TimelineKind]:
    """The task after a change, and the line that says so.

    ``owed`` holds the kinds of obligations that the incident has: a task that stands for one is done by meeting that.
    Raises ``InvalidInput``, ``PersonRequired``, ``TaskBlocked`` and ``TaskStateRefused``.
    """
    task = next((each for each in tasks if each.number == wanted.number), None)
    checks = Checks()
    if task is None:
        checks.note("task_number", "UNKNOWN_VALUE", f"must be one of 1 to {len(tasks)}")
    if wanted.state is None and not wanted.owner_id:
        checks.note("state", "REQUIRED", "must be given, or owner_id")
    if wanted.state is TaskState.NOT_APPLICABLE:
        checks.note("state", "UNKNOWN_VALUE", "must be OPEN, DONE or SKIPPED")
    if wanted.state is TaskState.SKIPPED:
        checks.text("note", wanted.note)
    checks.done()
    assert task is not None
    if wanted.owner_id and task.state is TaskState.OPEN:
        task = replace(task, owner_id=wanted.owner_id)
    elif wanted.owner_id and wanted.state is not TaskState.OPEN:
        raise _refused(incident_id, task, "a task that is not open is given to nobody")
    if wanted.state is None:
        return task, TimelineKind.TASK_ASSIGNED
    if wanted.state is TaskState.SKIPPED:
        require_person(actor, "skip_plan_task")
    if task.step.obligation in owed:
        raise _refused(
            incident_id, task, f"complete the obligation {task.step.obligation}", obligation=task.step.obligation
        )
    if wanted.state is TaskState.OPEN:
        if task.state not in (TaskState.DONE, TaskState.SKIPPED):
            raise _refused(incident_id, task, "only a task that is done or skipped is opened again")
        opened = replace(task, state=TaskState.OPEN, done_at=None, done_by=None, note=wanted.note)
        return replace(opened, owner_id=wanted.owner_id or task.owner_id), TimelineKind.TASK_REOPENED
    if task.state is not TaskState.OPEN:
        raise _refused(incident_id, task, "only an open task is done or skipped")
    if wanted.state is TaskState.SKIPPED:
        if not task.step.optional:
            raise _refused(incident_id, task, "this task may not be skipped")
        skipped = replace(task, state=TaskState.SKIPPED, done_at=now, done_by=actor, note=wanted.note)
        return skipped, TimelineKind.TASK_SKIPPED
    before = [each for each in tasks if each.step.id in task.step.depends_on and each.state is TaskState.OPEN]
    if before:
        raise TaskBlocked(
            "other tasks go before",
            [("PLAN_TASK", f"task/{each.number}", each.step.text_en) for each in before],
            incident_id=incident_id,
            task_number=str(task.number),
        )
    return done(task, actor, now, wanted.note), TimelineKind.TASK_DONE


def done(task: PlanTask, actor: ActorLike, at: datetime, note: str) -> PlanTask:
    """The task after it was done; one that comes round again stays open."""
    state = TaskState.OPEN if task.step.repeat_minutes is not None else TaskState.DONE
    return replace(task, state=state, done_at=at, done_by=actor, note=note, times_done=task.times_done + 1)


def follow_obligation(
    tasks: Sequence[PlanTask], kind: ObligationKind, actor: ActorLike, at: datetime, note: str, *, waived: bool
) -> tuple[PlanTask, ...]:
    """The tasks once the obligation that some stand for was met or waived."""
    return tuple(
        task
        if task.step.obligation != kind.value or task.state not in (TaskState.OPEN, TaskState.SKIPPED)
        else replace(task, state=TaskState.SKIPPED, done_at=at, done_by=actor, note=note)
        if waived
        else done(task, actor, at, note)
        for task in tasks
    )


def end_rounds(tasks: Sequence[PlanTask]) -> tuple[PlanTask, ...]:
    """The tasks once the incident is resolved: what comes round again is over."""
    return tuple(
        task
        if task.step.repeat_minutes is None or task.state is not TaskState.OPEN
        else replace(task, state=TaskState.DONE if task.times_done else TaskState.NOT_APPLICABLE)
        for task in tasks
    )


def missing_for_close(tasks: Iterable[PlanTask], obligations: Iterable[Obligation]) -> list[tuple[str, str, str]]:
    """What stands in the way of closing an incident, each as (type, subject, description); empty where nothing does.

    Types: ``POST_MORTEM``, ``OBLIGATION``, ``PLAN_TASK``. A task that may be left out does not stand in the way, and one
    that stands for an obligation is not named beside it.
    """
    obligations = tuple(obligations)
    found = [
        (
            "POST_MORTEM" if each.kind is ObligationKind.POST_MORTEM else "OBLIGATION",
            f"obligation/{each.obligation_id}",
            f"{each.rule.text.en}: {each.state}" + (f", due {utc(each.due_at)}" if each.due_at is not None else ""),
        )
        for each in obligations
        if each.open
    ]
    named = {each.kind.value for each in obligations if each.state is not ObligationState.CANCELLED}
    return found + [
        ("PLAN_TASK", f"task/{task.number}", task.step.text_en)
        for task in tasks
        if task.state is TaskState.OPEN and not task.step.optional and task.step.obligation not in named
    ]


def _refused(incident_id: str, task: PlanTask, message: str, **metadata: str) -> TaskStateRefused:
    return TaskStateRefused(
        message, (), incident_id=incident_id, task_number=str(task.number), state=task.state.value, **metadata
    )
