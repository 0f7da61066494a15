"""What becomes of an incident after its declaration, over a socket: steps, roles, tasks, links, duplicates, context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.incidents.v1 import incident_pb2 as model

from services.runtime.wire import timestamp
from services.storage.ledger import fold
from tests.rpc.client import PERSON, SOFTWARE, pages, refused
from tests.rpc.incidents_client import (
    ACTIVE,
    CANCELLED,
    CLOSED,
    DECLARED,
    INVALID,
    MITIGATED,
    PB,
    REFUSED,
    RESOLVED,
    STATES,
    Incidents,
    incidents_at,
)

SEV1, SEV2, SEV3 = model.SEVERITY_SEV1, model.SEVERITY_SEV2, model.SEVERITY_SEV3
COMMANDER, SCRIBE = model.INCIDENT_ROLE_COMMANDER, model.INCIDENT_ROLE_SCRIBE
OPEN, DONE, SKIPPED, NOT_APPLICABLE = model.PlanTaskState.values()[1:]
UNKNOWN_ID = "inc_" + "a" * 26
TICKET = "tkt_" + "b" * 26


@pytest.fixture
async def incidents(tmp_path: Path) -> AsyncIterator[Incidents]:
    async with incidents_at(tmp_path) as service:
        yield service


@pytest.fixture
async def on_each_engine(tmp_path: Path, database_url: str) -> AsyncIterator[Incidents]:
    async with incidents_at(tmp_path, database_url) as service:
        yield service


# The way to each state, and the states that may follow it with the line that says so.
WAYS: dict[int, list[int]] = {
    DECLARED: [],
    ACTIVE: [ACTIVE],
    MITIGATED: [ACTIVE, MITIGATED],
    RESOLVED: [ACTIVE, MITIGATED, RESOLVED],
    CLOSED: [ACTIVE, MITIGATED, RESOLVED, CLOSED],
    CANCELLED: [CANCELLED],
}
ALLOWED: dict[int, dict[int, str]] = {
    DECLARED: {ACTIVE: "activated", CANCELLED: "cancelled"},
    ACTIVE: {MITIGATED: "mitigated", CANCELLED: "cancelled"},
    MITIGATED: {RESOLVED: "resolved", ACTIVE: "reopened", CANCELLED: "cancelled"},
    RESOLVED: {CLOSED: "closed"},
    CLOSED: {},
    CANCELLED: {},
}


async def finish_tasks(incidents: Incidents, incident_id: str) -> None:
    """Does every task that is not optional."""
    for task in (await incidents.show(incident_id)).tasks:
        if task.state == OPEN and not task.may_be_skipped and not task.obligation:
            await incidents.ask(PB.UpdatePlanTaskRequest(incident_id=incident_id, task_number=task.number, state=DONE))


@pytest.mark.parametrize("to", WAYS, ids=lambda s: f"to_{STATES[s]}")
@pytest.mark.parametrize("at", WAYS, ids=lambda s: STATES[s])
async def test_every_state_takes_the_steps_of_the_table_and_no_other(incidents: Incidents, at: Any, to: Any) -> None:
    incident_id = (await incidents.declare()).incident_id
    await finish_tasks(incidents, incident_id)
    await incidents.steps(incident_id, *WAYS[at])
    before = await incidents.show(incident_id)
    assert before.incident.state == at
    if to in ALLOWED[at]:
        answer = await incidents.step(incident_id, to, "السبب")
        after = await incidents.show(incident_id)
        assert answer.incident == after.incident
        assert after.incident.state == to
        assert after.incident.etag != before.incident.etag
        assert [line.kind for line in after.timeline[len(before.timeline) :]] == [ALLOWED[at][to]]
        assert after.timeline[-1].text.endswith(": السبب")
        assert (await incidents.entries())[-1].attributes["state"] == STATES[to]
    else:
        refusal = await refused(incidents.step(incident_id, to, "السبب"))
        assert (refusal.code, refusal.reason) == (REFUSED, "INCIDENT_TRANSITION_REFUSED")
        assert refusal.metadata == {
            "incident_id": incident_id,
            "from": STATES[at],
            "to": STATES[to],
            "allowed": " ".join(sorted(STATES[each] for each in ALLOWED[at])) or "none",
        }
        assert await incidents.show(incident_id) == before


OVER = {CLOSED, CANCELLED}

# What can be done to an incident beside its steps, and the states in which it cannot.
ACTIONS: dict[str, tuple[Any, set[int]]] = {
    "raise": (lambda i: PB.RaiseIncidentSeverityRequest(incident_id=i, severity=SEV2, reason="أوسع مما ظننا"), OVER),
    "role": (lambda i: PB.AssignIncidentRoleRequest(incident_id=i, role=COMMANDER, person_id="p-1"), OVER),
    "task": (lambda i: PB.UpdatePlanTaskRequest(incident_id=i, task_number=7, state=SKIPPED, note="لا حاجة"), OVER),
    "link": (lambda i: PB.LinkIncidentRequest(incident_id=i, customer_ids=["acme"]), {CANCELLED}),
    "note": (lambda i: PB.AddTimelineNoteRequest(incident_id=i, text="ملاحظة"), set()),
    "update": (lambda i: PB.RecordIncidentUpdateRequest(incident_id=i, text="تحديث"), {RESOLVED, CLOSED, CANCELLED}),
    "pause": (lambda i: PB.SetIncidentClocksPausedRequest(incident_id=i, paused=True, reason="ننتظر المزود"), OVER),
}  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("at", WAYS, ids=lambda s: STATES[s])
async def test_what_is_done_beside_the_steps_depends_on_the_state(incidents: Incidents, at: Any, action: str) -> None:
    incident_id = (await incidents.declare()).incident_id
    await finish_tasks(incidents, incident_id)
    await incidents.steps(incident_id, *WAYS[at])
    if action == "task":
        (optional,) = [task for task in (await incidents.show(incident_id)).tasks if task.may_be_skipped]
        assert optional.number == 7
    build, forbidden = ACTIONS[action]
    before = await incidents.show(incident_id)
    if at in forbidden:
        refusal = await refused(incidents.ask(build(incident_id)))
        assert (refusal.code, refusal.reason) == (REFUSED, "INCIDENT_STATE_REFUSED")
        assert (refusal.metadata["incident_id"], refusal.metadata["state"]) == (incident_id, STATES[at])
        assert await incidents.show(incident_id) == before
    else:
        await incidents.ask(build(incident_id))
        assert len((await incidents.show(incident_id)).timeline) == len(before.timeline) + 1


async def test_only_people_decide_and_software_may_help(incidents: Incidents) -> None:
    incident_id = (await incidents.declare()).incident_id
    for request, action in (
        (PB.ChangeIncidentStateRequest(incident_id=incident_id, state=ACTIVE), "change_state"),
        (PB.RaiseIncidentSeverityRequest(incident_id=incident_id, severity=SEV1, reason="x"), "raise_severity"),
        (PB.AssignIncidentRoleRequest(incident_id=incident_id, role=SCRIBE, person_id="p"), "assign_role"),
        (PB.RecordIncidentUpdateRequest(incident_id=incident_id, text="x"), "record_update"),
        (PB.SetIncidentClocksPausedRequest(incident_id=incident_id, paused=True, reason="x"), "pause_clocks"),
        (PB.UpdatePlanTaskRequest(incident_id=incident_id, task_number=7, state=SKIPPED, note="x"), "skip_plan_task"),
        (
            PB.MarkIncidentDuplicateRequest(incident_id=incident_id, duplicate_of_incident_id=UNKNOWN_ID, reason="x"),
            "mark_duplicate",
        ),
    ):
        request.actor.CopyFrom(SOFTWARE)
        refusal = await refused(incidents.ask(request))
        assert (refusal.code, refusal.reason, refusal.metadata) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "PERSON_REQUIRED",
            {"action": action},
        )
    for request in (
        PB.UpdatePlanTaskRequest(incident_id=incident_id, task_number=1, state=DONE, actor=SOFTWARE),
        PB.LinkIncidentRequest(incident_id=incident_id, ticket_ids=[TICKET], actor=SOFTWARE),
        PB.AddTimelineNoteRequest(incident_id=incident_id, text="جُمدت القناة", actor=SOFTWARE),
    ):
        await incidents.ask(request)
    assert (await incidents.show(incident_id)).timeline[-1].actor == SOFTWARE


async def test_steps_are_told_when_they_happened_and_never_out_of_order(incidents: Incidents) -> None:
    aware = incidents.clock.now - timedelta(days=2)
    incident_id = (await incidents.declare(aware_time=timestamp(aware))).incident_id
    begun = timestamp(aware + timedelta(minutes=5))
    await incidents.step(incident_id, ACTIVE, occur_time=begun)
    line = (await incidents.show(incident_id)).timeline[-1]
    assert line.occur_time == begun
    assert line.record_time.ToDatetime() > begun.ToDatetime() + timedelta(days=1)
    for moment, reason in (
        (aware, "TOO_EARLY"),
        (aware + timedelta(minutes=4), "TOO_EARLY"),
        (incidents.clock.now + timedelta(hours=1), "IN_FUTURE"),
    ):
        refusal = await refused(incidents.step(incident_id, MITIGATED, occur_time=timestamp(moment)))
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"occur_time": reason})


@pytest.mark.parametrize(("way", "to"), [((ACTIVE, MITIGATED), ACTIVE), ((ACTIVE,), CANCELLED), ((), CANCELLED)])
async def test_going_back_and_false_alarms_need_a_reason(incidents: Incidents, way: Any, to: Any) -> None:
    incident_id = (await incidents.declare()).incident_id
    await incidents.steps(incident_id, *way)
    refusal = await refused(incidents.step(incident_id, to, " \u200f"))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"reason": "REQUIRED"})
    await incidents.step(incident_id, to, "بلاغ خاطئ")


async def test_a_false_alarm_is_not_dated_back(incidents: Incidents) -> None:
    declared = await incidents.declare()
    refusal = await refused(incidents.step(declared.incident_id, CANCELLED, "x", occur_time=declared.create_time))
    assert refusal.fields == {"occur_time": "NOT_NOW"}


async def test_closing_lists_all_that_is_missing_and_then_succeeds(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare(leak=True)).incident_id
    await incidents.steps(incident_id, ACTIVE, MITIGATED, RESOLVED)
    refusal = await refused(incidents.step(incident_id, CLOSED))
    assert (refusal.code, refusal.reason) == (REFUSED, "INCIDENT_NOT_CLOSABLE")
    assert [(kind, subject) for kind, subject, _ in refusal.missing] == [
        ("POST_MORTEM", "obligation/post_mortem"),
        ("OBLIGATION", "obligation/pdpl_authority"),
        ("OBLIGATION", "obligation/data_subjects"),
        ("PLAN_TASK", "task/1"),
        ("PLAN_TASK", "task/2"),
        ("PLAN_TASK", "task/3"),
        ("PLAN_TASK", "task/4"),
        ("PLAN_TASK", "task/6"),
        ("PLAN_TASK", "task/8"),
    ]
    for name in ("post_mortem", "pdpl_authority", "data_subjects"):
        await incidents.complete(incident_id, name)
    refusal = await refused(incidents.step(incident_id, CLOSED))
    assert {kind for kind, _, _ in refusal.missing} == {"PLAN_TASK"}
    await finish_tasks(incidents, incident_id)
    closed = (await incidents.step(incident_id, CLOSED)).incident
    assert closed.state == CLOSED


async def test_raising_a_severity_keeps_what_was_done_and_adds_what_is_new(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare()).incident_id
    await incidents.ask(PB.UpdatePlanTaskRequest(incident_id=incident_id, task_number=1, state=DONE))
    before = {task.step_id: task for task in (await incidents.show(incident_id)).tasks}
    assert before["pdpl_notice"].state == NOT_APPLICABLE
    await incidents.passes(minutes=10)
    answer = await incidents.ask(
        PB.RaiseIncidentSeverityRequest(
            incident_id=incident_id, severity=SEV1, reason="تبيّن أن بيانات تسربت", data_leak=True
        )
    )
    assert (answer.incident.severity, answer.incident.data_leak) == (SEV1, True)
    assert answer.incident.triage.severity == SEV3
    shown = await incidents.show(incident_id)
    after = {task.step_id: task for task in shown.tasks}
    assert after["freeze_live_actions"].state == DONE
    assert after["pdpl_notice"].state == OPEN
    assert after["pdpl_notice"].due_time.ToDatetime() == (
        answer.incident.leak_aware_time.ToDatetime() + timedelta(hours=72)
    )
    assert after["update_affected_customer"].state == NOT_APPLICABLE
    assert after["notify_founder_and_oncall"].due_time.ToDatetime() == (
        shown.incident.create_time.ToDatetime() + timedelta(minutes=15)
    )
    assert [after[name].number for name in ("founder_and_crisis_cell", "legal_review")] == [8, 9]
    assert [(line.kind, line.severity) for line in shown.timeline][-2:] == [
        ("finding_recorded", SEV1),
        ("severity_raised", SEV1),
    ]
    assert [step.step_id for step in shown.incident.plan][-1] == "legal_review"
    listed = (await incidents.ask(PB.ListIncidentsRequest(severity=SEV1))).incidents
    assert [found.incident_id for found in listed] == [incident_id]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"severity": SEV3}, {"severity": "SEVERITY_LOWERED"}),
        ({"severity": SEV2}, {"severity": "UNCHANGED"}),
        ({"severity": SEV2, "data_leak": True}, {"severity": "BELOW_FINDINGS"}),
        ({"severity": SEV1, "reason": " "}, {"reason": "REQUIRED"}),
        ({"severity": SEV1, "aware": -1}, {"aware_time": "NOT_ALLOWED"}),
        ({"severity": SEV1, "data_leak": True, "aware": 1}, {"aware_time": "IN_FUTURE"}),
        (
            {"severity": SEV3, "reason": " ", "aware": 1},
            {"severity": "SEVERITY_LOWERED", "reason": "REQUIRED", "aware_time": "NOT_ALLOWED"},
        ),
    ],
)  # fmt: skip
async def test_a_severity_only_rises_and_for_something_new(
    incidents: Incidents, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    incident_id = (await incidents.declare(affected=5)).incident_id
    given = {"reason": "السبب", **fields}
    if "aware" in given:
        given["aware_time"] = timestamp(incidents.clock.now + timedelta(hours=given.pop("aware")))
    refusal = await refused(incidents.ask(PB.RaiseIncidentSeverityRequest(incident_id=incident_id, **given)))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, expected)


async def test_a_role_has_one_holder_and_its_hand_over_is_told(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare()).incident_id

    async def assign(person_id: str, role: Any = COMMANDER) -> model.Incident:
        request = PB.AssignIncidentRoleRequest(incident_id=incident_id, role=role, person_id=person_id)
        return (await incidents.ask(request)).incident  # type: ignore[no-any-return]

    await assign("operator-1")
    await assign("scribe-1", SCRIBE)
    assert [(held.role, held.person_id) for held in (await assign("operator-2")).roles] == [
        (COMMANDER, "operator-2"),
        (SCRIBE, "scribe-1"),
    ]
    tasks = {task.step_id: task for task in (await incidents.show(incident_id)).tasks}
    assert tasks["open_incident_channel"].owner_id == "scribe-1"
    assert tasks["freeze_live_actions"].owner_id == ""
    for person_id in ("operator-2",):
        refusal = await refused(assign(person_id))
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"person_id": "UNCHANGED"})
    assert [held.role for held in (await assign("")).roles] == [SCRIBE]
    assert (await refused(assign(""))).fields == {"person_id": "UNCHANGED"}
    shown = await incidents.show(incident_id)
    told = [(line.kind, line.subject) for line in shown.timeline if line.kind.startswith("role")]
    assert told == [
        ("role_assigned", "commander"),
        ("role_assigned", "scribe"),
        ("role_handed_over", "commander"),
        ("role_released", "commander"),
    ]
    handed = shown.timeline[3]
    assert "operator-1" in handed.text
    assert "operator-2" in handed.text
    assert "handed over from operator-1 to operator-2" in handed.text_en


async def test_tasks_wait_for_those_before_them_and_for_obligations(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare(leak=True)).incident_id
    tasks = {task.step_id: task for task in (await incidents.show(incident_id)).tasks}

    async def change(step_id: str, state: Any = 0, **fields: Any) -> model.PlanTask:
        request = PB.UpdatePlanTaskRequest(
            incident_id=incident_id, task_number=tasks[step_id].number, state=state, **fields
        )
        return (await incidents.ask(request)).task  # type: ignore[no-any-return]

    review, freeze = tasks["review_action_ledger"], tasks["freeze_live_actions"]
    assert list(review.depends_on) == [freeze.number]
    refusal = await refused(change("review_action_ledger", DONE))
    assert (refusal.code, refusal.reason) == (REFUSED, "PLAN_TASK_BLOCKED")
    assert refusal.missing == [("PLAN_TASK", f"task/{freeze.number}", freeze.text_en)]
    assert refusal.metadata == {"incident_id": incident_id, "task_number": str(review.number)}
    given = await change("freeze_live_actions", owner_id="operator-9")
    assert (given.owner_id, given.state) == ("operator-9", OPEN)
    done = await change("freeze_live_actions", DONE, note="جُمدت")
    assert (done.state, done.note, done.times_done, done.done_by, done.owner_id) == (
        DONE,
        "جُمدت",
        1,
        PERSON,
        "operator-9",
    )
    assert (await change("review_action_ledger", DONE)).state == DONE
    assert (await change("review_action_ledger", OPEN)).state == OPEN
    refusals = {
        ("freeze_live_actions", DONE): {"state": "done"},
        ("open_incident_channel", OPEN): {"state": "open"},
        ("open_incident_channel", SKIPPED): {"state": "open"},
        ("pdpl_notice", DONE): {"state": "open", "obligation": "pdpl_authority"},
        ("post_mortem", DONE): {"state": "open", "obligation": "post_mortem"},
    }
    for (step_id, state), metadata in refusals.items():
        refusal = await refused(change(step_id, state, note="x"))
        assert (refusal.code, refusal.reason) == (REFUSED, "PLAN_TASK_STATE_REFUSED"), step_id
        assert refusal.metadata == {
            "incident_id": incident_id,
            "task_number": str(tasks[step_id].number),
            **metadata,
        }
    await incidents.complete(incident_id, "pdpl_authority")
    shown = {task.step_id: task for task in (await incidents.show(incident_id)).tasks}
    assert shown["pdpl_notice"].state == DONE


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"task_number": 99, "state": DONE}, {"task_number": "UNKNOWN_VALUE"}),
        ({"task_number": 1}, {"state": "REQUIRED"}),
        ({"task_number": 1, "state": NOT_APPLICABLE}, {"state": "UNKNOWN_VALUE"}),
        ({"task_number": 99, "state": SKIPPED, "note": " "}, {"task_number": "UNKNOWN_VALUE", "note": "REQUIRED"}),
    ],
)
async def test_a_task_is_changed_into_something_that_there_is(
    incidents: Incidents, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    incident_id = (await incidents.declare()).incident_id
    refusal = await refused(incidents.ask(PB.UpdatePlanTaskRequest(incident_id=incident_id, **fields)))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, expected)


async def test_updates_come_round_until_the_incident_is_resolved(incidents: Incidents) -> None:
    incident_id = (await incidents.declare(affected=5)).incident_id

    async def task() -> Any:
        shown = await incidents.show(incident_id)
        return next(each for each in shown.tasks if each.step_id == "update_affected_customers")

    begun = incidents.clock.now
    for times in (1, 2):
        incidents.clock.pass_time(timedelta(minutes=50))
        await incidents.ask(PB.RecordIncidentUpdateRequest(incident_id=incident_id, text="تحديث"))
        found = await task()
        assert (found.times_done, found.state, found.overdue) == (times, OPEN, False)
        due = found.due_time.ToDatetime(tzinfo=begun.tzinfo)
        assert (
            timedelta(0)
            <= due - incidents.clock.now + timedelta(seconds=1) - timedelta(hours=1)
            <= timedelta(seconds=1)
        )
    await incidents.step(incident_id, ACTIVE, "تأخر البدء")
    await incidents.steps(incident_id, MITIGATED, RESOLVED)
    assert (await task()).state == DONE


async def test_links_are_added_once_and_narrow_whom_it_concerns(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare()).incident_id

    async def open_for(customer_id: str) -> list[str]:
        answer = await incidents.ask(PB.GetOperatingContextRequest(customer_id=customer_id))
        return [found.incident_id for found in answer.context.incidents]

    assert await open_for("acme") == await open_for("zain") == await open_for("") == [incident_id]
    link = PB.LinkIncidentRequest(incident_id=incident_id, customer_ids=["acme"], ticket_ids=[TICKET])
    linked = (await incidents.ask(link)).incident
    assert (list(linked.customer_ids), list(linked.ticket_ids)) == (["acme"], [TICKET])
    assert (await open_for("acme"), await open_for("zain"), await open_for("")) == ([incident_id], [], [])
    again = PB.LinkIncidentRequest(incident_id=incident_id, customer_ids=["acme", "zain"])
    assert list((await incidents.ask(again)).incident.customer_ids) == ["acme", "zain"]
    await incidents.ask(PB.LinkIncidentRequest(incident_id=incident_id, customer_ids=["zain"]))
    assert await incidents.lines(incident_id) == ["declared", "linked", "linked"]
    listed = await incidents.ask(PB.ListIncidentsRequest(customer_id="zain"))
    assert [found.incident_id for found in listed.incidents] == [incident_id]
    refusal = await refused(incidents.ask(PB.LinkIncidentRequest(incident_id=incident_id)))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"customer_ids": "REQUIRED"})
    many = [f"c-{number}" for number in range(999)]
    refusal = await refused(incidents.ask(PB.LinkIncidentRequest(incident_id=incident_id, customer_ids=many)))
    assert refusal.fields == {"customer_ids": "TOO_MANY"}


async def test_the_context_holds_what_is_open_and_real_the_gravest_first(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    names = {}
    for name, fields in {
        "small": {"customer_ids": ["acme"]},
        "everybody": {"affected": 5},
        "of another": {"customer_ids": ["zain"]},
        "a drill": {"customer_ids": ["acme"], "leak": True, "drill": True},
        "grave": {"customer_ids": ["acme", "zain"], "leak": True},
        "resolved": {"customer_ids": ["acme"]},
        "false": {"customer_ids": ["acme"]},
        "duplicate": {"customer_ids": ["acme"]},
    }.items():
        names[(await incidents.declare(**fields)).incident_id] = name
    ids = {name: incident_id for incident_id, name in names.items()}
    await incidents.steps(ids["resolved"], ACTIVE, MITIGATED, RESOLVED)
    await incidents.steps(ids["false"], CANCELLED)
    await incidents.ask(
        PB.MarkIncidentDuplicateRequest(
            incident_id=ids["duplicate"], duplicate_of_incident_id=ids["small"], reason="البلاغ نفسه"
        )
    )

    async def told(customer_id: str) -> list[str]:
        context = (await incidents.ask(PB.GetOperatingContextRequest(customer_id=customer_id))).context
        assert context.freezes_known
        assert context.incidents_known
        return [names[found.incident_id] for found in context.incidents]

    assert await told("acme") == ["grave", "everybody", "small"]
    assert await told("zain") == ["grave", "everybody", "of another"]
    assert await told("nobody") == await told("") == ["everybody"]
    await incidents.ask(PB.RaiseIncidentSeverityRequest(incident_id=ids["small"], severity=SEV1, reason="أوسع"))
    assert await told("acme") == ["small", "grave", "everybody"]


async def test_a_duplicate_gives_what_it_has_to_the_other_and_owes_nothing(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    aware = timestamp(incidents.clock.now - timedelta(hours=5))
    leak = await incidents.declare(leak=True, customer_ids=["acme"], ticket_ids=[TICKET], aware_time=aware)
    other = await incidents.declare(customer_ids=["zain"], raise_severity_to=SEV1, raise_reason="عميل رئيسي")
    assert "pdpl_authority" not in await incidents.states(other.incident_id)
    answer = await incidents.ask(
        PB.MarkIncidentDuplicateRequest(
            incident_id=leak.incident_id, duplicate_of_incident_id=other.incident_id, reason="الحادث نفسه"
        )
    )
    assert (answer.incident.state, answer.incident.duplicate_of_incident_id) == (CLOSED, other.incident_id)
    kept = answer.duplicate_of
    assert (list(kept.customer_ids), list(kept.ticket_ids)) == (["zain", "acme"], [TICKET])
    assert (kept.data_leak, kept.leak_aware_time) == (True, aware)
    assert set((await incidents.states(leak.incident_id)).values()) == {"cancelled"}
    owed = await incidents.obligations(other.incident_id)
    assert owed["pdpl_authority"].start_time == aware
    assert owed["first_action"].start_time == other.aware_time
    tasks = {task.step_id: task.state for task in (await incidents.show(other.incident_id)).tasks}
    assert tasks["pdpl_notice"] == OPEN
    assert (await incidents.lines(other.incident_id))[-1] == "duplicate_merged"


async def test_duplicates_make_no_circles_and_lower_nothing(incidents: Incidents) -> None:
    small, grave = await incidents.declare(), await incidents.declare(leak=True)
    drill = await incidents.declare(drill=True)
    named = await incidents.declare(customer_ids=["acme"])

    async def mark(one: model.Incident, other: str) -> Any:
        return await incidents.ask(
            PB.MarkIncidentDuplicateRequest(
                incident_id=one.incident_id, duplicate_of_incident_id=other, reason="الحادث نفسه"
            )
        )

    for one, other, reason in (
        (small, small.incident_id, "SAME_INCIDENT"),
        (small, drill.incident_id, "DRILL"),
        (drill, small.incident_id, "DRILL"),
        (small, named.incident_id, "NARROWER"),
    ):
        refusal = await refused(mark(one, other))
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"duplicate_of_incident_id": reason})
    refusal = await refused(mark(grave, small.incident_id))
    assert (refusal.reason, refusal.metadata) == (
        "INCIDENT_STATE_REFUSED",
        {"incident_id": small.incident_id, "state": "declared", "action": "take_over_duplicate"},
    )
    assert (await refused(mark(small, UNKNOWN_ID))).reason == "INCIDENT_NOT_FOUND"
    await mark(small, grave.incident_id)
    for one, other in ((grave, small), (named, small), (small, grave)):
        refusal = await refused(mark(one, other.incident_id))
        assert (refusal.reason, refusal.metadata["incident_id"]) == ("INCIDENT_STATE_REFUSED", small.incident_id)


async def test_a_timeline_is_listed_in_pages_whole_and_in_order(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare()).incident_id
    long_ago = timestamp(incidents.clock.now - timedelta(days=30))
    for number in range(6):
        await incidents.ask(
            PB.AddTimelineNoteRequest(incident_id=incident_id, text=f"ملاحظة {number}", occur_time=long_ago)
        )
    seen = [
        line
        async for page in pages(
            lambda token: incidents.ask(
                PB.ListIncidentTimelineRequest(incident_id=incident_id, page_size=2, page_token=token)
            )
        )
        for line in page.timeline
    ]
    assert [line.number for line in seen] == list(range(1, 8))
    assert seen == list((await incidents.show(incident_id)).timeline)
    assert all(line.occur_time == long_ago for line in seen[1:])


async def test_a_change_on_an_old_reading_is_refused_and_a_repeated_one_done_once(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    declared = await incidents.declare()
    request = PB.AddTimelineNoteRequest(incident_id=declared.incident_id, text="ملاحظة", etag=declared.etag)
    first = await incidents.ask(request)
    assert await incidents.ask(request) == first
    late = PB.LinkIncidentRequest(incident_id=declared.incident_id, customer_ids=["acme"], etag=declared.etag)
    refusal = await refused(incidents.ask(late))
    assert (refusal.code, refusal.reason, refusal.metadata) == (
        grpc.StatusCode.ABORTED,
        "ETAG_MISMATCH",
        {"current_etag": first.incident.etag},
    )
    assert await incidents.lines(declared.incident_id) == ["declared", "note"]


async def test_an_unknown_incident_is_not_found_by_any_method(incidents: Incidents) -> None:
    for request in (
        PB.ChangeIncidentStateRequest(state=ACTIVE),
        PB.RaiseIncidentSeverityRequest(severity=SEV1, reason="x"),
        PB.AssignIncidentRoleRequest(role=COMMANDER, person_id="p"),
        PB.UpdatePlanTaskRequest(task_number=1, state=DONE),
        PB.LinkIncidentRequest(customer_ids=["acme"]),
        PB.MarkIncidentDuplicateRequest(duplicate_of_incident_id=UNKNOWN_ID, reason="x"),
        PB.AddTimelineNoteRequest(text="x"),
        PB.RecordIncidentUpdateRequest(text="x"),
        PB.SetIncidentClocksPausedRequest(paused=True, reason="x"),
        PB.ListIncidentTimelineRequest(),
        PB.GetIncidentRequest(),
    ):
        request.incident_id = UNKNOWN_ID
        refusal = await refused(incidents.ask(request))
        assert (refusal.code, refusal.reason, refusal.metadata) == (
            grpc.StatusCode.NOT_FOUND,
            "INCIDENT_NOT_FOUND",
            {"incident_id": UNKNOWN_ID},
        )


async def test_the_ledger_tells_the_state_and_no_words_of_people(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    secret = "secret-words"
    incident_id = (await incidents.declare(leak=True)).incident_id
    other = (await incidents.declare(raise_severity_to=SEV1, raise_reason=secret)).incident_id
    for request in (
        PB.AddTimelineNoteRequest(incident_id=incident_id, text=secret),
        PB.RecordIncidentUpdateRequest(incident_id=incident_id, text=secret),
        PB.AssignIncidentRoleRequest(incident_id=incident_id, role=COMMANDER, person_id="p-1", note=secret),
        PB.UpdatePlanTaskRequest(incident_id=incident_id, task_number=1, state=DONE, note=secret),
        PB.SetIncidentClocksPausedRequest(incident_id=incident_id, paused=True, reason=secret),
        PB.ChangeIncidentStateRequest(incident_id=incident_id, state=ACTIVE, reason=secret),
        PB.MarkIncidentDuplicateRequest(incident_id=other, duplicate_of_incident_id=incident_id, reason=secret),
    ):
        await incidents.ask(request)
    entries = await incidents.entries()
    assert secret not in str(entries)
    told = {subject: kept for subject, kept in fold(entries).items() if subject.startswith("incident/")}
    for found in (await incidents.ask(PB.ListIncidentsRequest())).incidents:
        kept = told.pop(f"incident/{found.incident_id}")
        assert kept["state"] == STATES[found.state]
        assert kept["revision"] == found.etag.removeprefix("r")
        assert kept["severity"] == model.Severity.Name(found.severity).removeprefix("SEVERITY_")
        assert kept["timeline_lines"] == str(len(await incidents.lines(found.incident_id)))
    assert not told


async def test_a_drill_is_walked_to_its_end_by_its_plan_alone(incidents: Incidents) -> None:
    incident_id = (await incidents.declare(leak=True, drill=True)).incident_id
    await incidents.passes(days=5)
    answer = await incidents.ask(PB.RecordIncidentUpdateRequest(incident_id=incident_id, text="تحديث تدريبي"))
    assert (answer.HasField("met"), answer.HasField("next")) == (False, False)
    tasks = {task.step_id: task for task in (await incidents.show(incident_id)).tasks}
    notice = tasks["pdpl_notice"]
    assert (notice.HasField("due_time"), notice.overdue, notice.obligation) == (False, False, "")
    # Nothing is late, so nothing needs a reason.
    for state in (ACTIVE, MITIGATED, RESOLVED):
        await incidents.step(incident_id, state)
    refusal = await refused(incidents.step(incident_id, CLOSED))
    assert {kind for kind, _, _ in refusal.missing} == {"PLAN_TASK"}
    for task in (await incidents.show(incident_id)).tasks:
        await incidents.ask(PB.UpdatePlanTaskRequest(incident_id=incident_id, task_number=task.number, state=DONE))
    assert (await incidents.step(incident_id, CLOSED)).incident.state == CLOSED
    assert await incidents.passes(days=5) == 0
    assert not await incidents.alerts()
