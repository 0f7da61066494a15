"""The plan as tasks: due times, what a raise keeps, what comes round, and what a close asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.incidents.domain.book import load_book
from services.incidents.domain.obligations import Beginning, ObligationKind, obligations_of
from services.incidents.domain.plan import response_plan
from services.incidents.domain.severity import Severity
from services.incidents.domain.tasks import (
    Moments,
    PlanTask,
    TaskState,
    done,
    due_at,
    end_rounds,
    follow_obligation,
    make_tasks,
    missing_for_close,
    regrade,
)
from services.incidents.domain.timeline import TimelineEntry, TimelineKind, TimelineLine
from services.storage.database import Actor

BOOK = load_book()
PERSON = Actor("person", "operator-17")
SEV1, SEV2, SEV3 = Severity
DECLARED = datetime(2026, 3, 9, 10, 0, tzinfo=UTC)
AWARE = DECLARED - timedelta(hours=2)
LEAK = DECLARED + timedelta(hours=5)
RESOLVED = DECLARED + timedelta(days=1)


def tasks(severity: Severity, leaked: bool = False) -> tuple[PlanTask, ...]:
    return make_tasks(response_plan(severity, BOOK.catalog).steps, leaked)


def by_step(found: tuple[PlanTask, ...]) -> dict[str, PlanTask]:
    return {task.step.id: task for task in found}


@pytest.mark.parametrize(
    ("severity", "step_id", "leak", "resolved", "expected"),
    [
        (SEV1, "freeze_live_actions", None, None, DECLARED),
        (SEV1, "notify_founder_and_oncall", None, None, DECLARED + timedelta(minutes=15)),
        (SEV3, "notify_founder_and_oncall", None, None, DECLARED + timedelta(minutes=120)),
        (SEV1, "review_action_ledger", None, None, None),
        # The notice counts from the awareness of the leak, not of the incident.
        (SEV1, "pdpl_notice", LEAK, None, LEAK + timedelta(hours=72)),
        (SEV1, "pdpl_notice", None, None, None),
        (SEV1, "post_mortem", None, None, None),
        (SEV1, "post_mortem", None, RESOLVED, RESOLVED + timedelta(hours=24)),
        (SEV2, "post_mortem", None, RESOLVED, RESOLVED + timedelta(hours=48)),
        (SEV3, "post_mortem", None, RESOLVED, None),
        (SEV2, "update_affected_customers", None, None, DECLARED + timedelta(minutes=60)),
    ],
)
def test_a_task_is_due_from_what_its_step_counts_from(
    severity: Severity, step_id: str, leak: datetime | None, resolved: datetime | None, expected: datetime | None
) -> None:
    task = by_step(tasks(severity, leak is not None))[step_id]
    assert due_at(task, Moments(DECLARED, AWARE, leak, resolved)) == expected


def test_a_drill_starts_no_clock_of_an_obligation() -> None:
    found = by_step(tasks(SEV1, leaked=True))
    drill = Moments(DECLARED, AWARE, LEAK, RESOLVED, drill=True)
    untimed = {task.step.id for task in found.values() if task.step.obligation}
    assert untimed == {"pdpl_notice", "post_mortem"}
    assert {id_ for id_ in untimed if due_at(found[id_], drill) is not None} == set()
    # What it exercises is still due: the channel is frozen and people are told in time.
    assert due_at(found["notify_founder_and_oncall"], drill) == DECLARED + timedelta(minutes=15)
    # Nor does one that comes round begin with its first time.
    again = done(by_step(tasks(SEV2))["update_affected_customers"], PERSON, DECLARED, "")
    assert due_at(again, drill) is None


def test_a_task_that_comes_round_is_due_again_after_each_time() -> None:
    task = by_step(tasks(SEV2))["update_affected_customers"]
    at = DECLARED + timedelta(minutes=17)
    again = done(task, PERSON, at, "")
    assert (again.state, again.times_done) == (TaskState.OPEN, 1)
    assert due_at(again, Moments(DECLARED, AWARE, None, None)) == at + timedelta(minutes=60)


@pytest.mark.parametrize(("times", "state"), [(0, TaskState.NOT_APPLICABLE), (3, TaskState.DONE)])
def test_with_the_resolution_rounds_are_over(times: int, state: TaskState) -> None:
    found = tasks(SEV2)
    for _ in range(times):
        found = follow_obligation(found, ObligationKind.NEXT_UPDATE, PERSON, DECLARED, "", waived=False)
    ended = end_rounds(found)
    assert by_step(ended)["update_affected_customers"].state is state
    others = {name: task for name, task in by_step(found).items() if name != "update_affected_customers"}
    assert others.items() <= by_step(ended).items()


@pytest.mark.parametrize(("before", "after"), [(SEV3, SEV2), (SEV3, SEV1), (SEV2, SEV1), (SEV1, SEV1)])
@pytest.mark.parametrize("leaked", [False, True])
def test_a_raise_asks_for_the_new_plan_and_forgets_nothing(before: Severity, after: Severity, leaked: bool) -> None:
    had = tasks(before)
    worked = tuple(done(task, PERSON, DECLARED, "تم") if task.number == 1 else task for task in had)
    plan = response_plan(after, BOOK.catalog).steps
    found = regrade(worked, plan, leaked)
    assert [task.number for task in found] == list(range(1, len(found) + 1))
    assert [task.step.id for task in found[: len(had)]] == [task.step.id for task in had]
    assert found[0].state is TaskState.DONE
    asked = {step.id: step for step in plan}
    for task in found:
        if task.step.id in asked:
            assert task.step == asked[task.step.id]
            if task.number > 1:
                applies = task.step.id != "pdpl_notice" or leaked
                assert task.state is (TaskState.OPEN if applies else TaskState.NOT_APPLICABLE)
        else:
            assert task.state is TaskState.NOT_APPLICABLE
    assert set(asked) <= {task.step.id for task in found}
    assert regrade(found, plan, leaked) == found


def test_a_close_asks_for_what_is_open_and_names_nothing_twice() -> None:
    begun = TimelineLine(1, TimelineEntry(TimelineKind.DECLARED, DECLARED, DECLARED, SEV1, ""), PERSON)
    ended = TimelineLine(2, TimelineEntry(TimelineKind.RESOLVED, RESOLVED, RESOLVED, SEV1, ""), PERSON)
    real = Beginning("inc", DECLARED, DECLARED, leak=True, drill=False)
    owed = obligations_of(real, [begun, ended], BOOK.policy, RESOLVED)
    found = missing_for_close(tasks(SEV1, leaked=True), owed)
    subjects = [subject for _, subject, _ in found]
    assert subjects == [
        *("obligation/first_action", "obligation/post_mortem", "obligation/pdpl_authority", "obligation/data_subjects"),
        *("task/1", "task/2", "task/3", "task/4", "task/6", "task/8"),
    ]
    assert found[1] == ("POST_MORTEM", "obligation/post_mortem", "Post-mortem: running, due 2026-03-11T10:00:00Z")
    assert all(description.isascii() for _, _, description in found)
    # A drill owes nothing, so its tasks stand for themselves; what is optional stands in nobody's way.
    drilled = [subject for _, subject, _ in missing_for_close(tasks(SEV1, leaked=True), ())]
    assert drilled == [f"task/{number}" for number in range(1, 9)]
    optional = {f"task/{task.number}" for task in tasks(SEV3) if task.step.optional}
    assert optional
    assert optional.isdisjoint(subject for _, subject, _ in missing_for_close(tasks(SEV3), ()))
