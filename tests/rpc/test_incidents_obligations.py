"""What incidents oblige to over a socket: clocks, late and needless obligations, alerts that come once, action items."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from dealix.common.v1 import approval_pb2, channel_pb2, draft_pb2
from dealix.incidents.v1 import incident_pb2 as model

from services.domain.claims import ClaimChecker, load_claims
from services.incidents import store
from services.incidents.case import obligations_of
from services.incidents.domain.book import load_book
from services.runtime.wire import timestamp
from tests.rpc.client import SOFTWARE, pages, refused
from tests.rpc.incidents_client import (
    ACT,
    ACTIVE,
    APR,
    CANCELLED,
    CLOSED,
    INVALID,
    MITIGATED,
    OBL,
    PB,
    REFUSED,
    RESOLVED,
    Incidents,
    incidents_at,
    kind,
)

SEV1, SEV2, SEV3 = model.SEVERITY_SEV1, model.SEVERITY_SEV2, model.SEVERITY_SEV3
UNKNOWN_ID, UNKNOWN_ITEM = "inc_" + "a" * 26, "act_" + "a" * 26
ITEM_OPEN, ITEM_DONE, ITEM_CANCELLED = 1, 2, 3
BOOK = load_book()


@pytest.fixture
async def incidents(tmp_path: Path) -> AsyncIterator[Incidents]:
    async with incidents_at(tmp_path) as service:
        yield service


@pytest.fixture
async def on_each_engine(tmp_path: Path, database_url: str) -> AsyncIterator[Incidents]:
    async with incidents_at(tmp_path, database_url) as service:
        yield service


def at(moment: Any) -> datetime:
    """A time of an answer."""
    return moment.ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]


# --- the clocks -------------------------------------------------------------------------------------------------------


async def test_a_leak_obliges_to_everything_and_each_clock_has_its_own_start(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    aware = incidents.clock.now - timedelta(minutes=10)
    incident_id = (await incidents.declare(leak=True, aware_time=timestamp(aware))).incident_id
    await incidents.step(incident_id, ACTIVE)
    await incidents.passes(minutes=5)
    updated = (
        await incidents.ask(PB.RecordIncidentUpdateRequest(incident_id=incident_id, text="نعمل على الإصلاح"))
    ).met
    await incidents.steps(incident_id, MITIGATED, RESOLVED)
    found = await incidents.obligations(incident_id)
    resolved = at((await incidents.show(incident_id)).incident.resolve_time)
    assert list(found) == [
        "first_action",
        "next_update-1",
        "next_update-2",
        "post_mortem",
        "pdpl_authority",
        "data_subjects",
    ]
    starts_and_lengths = {
        "first_action": (aware, 15 / 60),
        "next_update-1": (aware, 0.5),
        "next_update-2": (at(updated.end_time), 0.5),
        "post_mortem": (resolved, 24),
        "pdpl_authority": (aware, 72),
        "data_subjects": (aware, 24),
    }
    for name, (start, hours) in starts_and_lengths.items():
        assert (at(found[name].start_time), at(found[name].due_time)) == (start, start + timedelta(hours=hours)), name
        assert found[name].text_ar != found[name].text_en
    assert await incidents.states(incident_id) == {
        "first_action": "met",
        "next_update-1": "met",
        "next_update-2": "cancelled",
        "post_mortem": "running",
        "pdpl_authority": "running",
        "data_subjects": "running",
    }
    assert [name for name in found if found[name].legal_reference_ar] == ["pdpl_authority", "data_subjects"]
    assert found["pdpl_authority"].seconds_left > 71 * 3600
    assert "next_update-1" not in {each.obligation_id for each in (await incidents.show(incident_id)).obligations}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"first_action": 120, "next_update-1": 240}),
        ({"affected": 5}, {"first_action": 30, "next_update-1": 60, "post_mortem": None}),
        (
            {"leak": True},
            {
                "first_action": 15,
                "next_update-1": 30,
                "post_mortem": None,
                "pdpl_authority": 4320,
                "data_subjects": 1440,
            },
        ),
        ({"leak": True, "drill": True}, {}),
    ],
)
async def test_each_severity_owes_what_the_table_says_and_a_drill_nothing(
    incidents: Incidents, fields: dict[str, Any], expected: dict[str, int | None]
) -> None:
    declared = await incidents.declare(**fields)
    found = await incidents.obligations(declared.incident_id)
    minutes = {
        name: (at(each.due_time) - at(declared.aware_time)) / timedelta(minutes=1)
        if each.HasField("due_time")
        else None
        for name, each in found.items()
    }
    assert minutes == expected


async def test_what_is_late_before_it_is_declared_is_breached_and_told_once(on_each_engine: Incidents) -> None:
    """Declared on Saturday, known since Tuesday: nothing is hidden."""
    incidents = on_each_engine
    aware = incidents.clock.now - timedelta(hours=80)
    incident_id = (await incidents.declare(leak=True, aware_time=timestamp(aware))).incident_id
    assert await incidents.states(incident_id) == {
        "first_action": "breached",
        "next_update-1": "breached",
        "post_mortem": "not_started",
        "pdpl_authority": "breached",
        "data_subjects": "breached",
    }
    found = await incidents.obligations(incident_id)
    assert -8 * 3600 - 60 < found["pdpl_authority"].seconds_left < -8 * 3600 + 60
    await incidents.passes()
    breached = [line for line in (await incidents.show(incident_id)).timeline if line.kind == "obligation_breached"]
    assert [line.subject for line in breached] == ["first_action", "next_update-1", "pdpl_authority", "data_subjects"]
    assert [at(line.occur_time) for line in breached] == [at(found[line.subject].due_time) for line in breached]
    assert len(await incidents.alerts()) == 4
    assert await incidents.passes(days=30) == 0
    assert len(await incidents.alerts()) == 4


async def test_exactly_at_its_time_an_obligation_is_not_late(incidents: Incidents) -> None:
    declared = await incidents.declare()
    due = at(declared.aware_time) + timedelta(minutes=120)
    states = [
        (await incidents.states(declared.incident_id, moment))["first_action"]
        for moment in (
            at(declared.create_time),
            due - timedelta(minutes=31),
            due - timedelta(minutes=30),
            due,
            due + timedelta(microseconds=1),
        )
    ]
    assert states == ["running", "running", "at_risk", "at_risk", "breached"]


async def test_an_answer_of_the_past_stays_what_it_was(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    declared = await incidents.declare()
    incident_id, declared_at = declared.incident_id, at(declared.create_time)
    history = [(incidents.clock.now, await incidents.states(incident_id, incidents.clock.now))]

    async def remember() -> None:
        incidents.clock.pass_time(timedelta(minutes=7))
        history.append((incidents.clock.now, await incidents.states(incident_id, incidents.clock.now)))

    await incidents.passes(minutes=200)
    await remember()
    # It had been begun in time; nobody had written it down.
    await incidents.step(incident_id, ACTIVE, occur_time=timestamp(declared_at + timedelta(minutes=20)))
    await remember()
    await incidents.ask(PB.RaiseIncidentSeverityRequest(incident_id=incident_id, severity=SEV2, reason="أوسع"))
    await remember()
    await incidents.steps(incident_id, MITIGATED, RESOLVED)
    await remember()
    assert [states.get("first_action") for _, states in history] == ["running", "breached", "met", "met", "met"]
    assert [states.get("next_update-1") for _, states in history][2:] == ["at_risk", "breached", "cancelled"]
    assert [states.get("post_mortem") for _, states in history] == [None, None, None, "not_started", "running"]
    for moment, states in history:
        assert await incidents.states(incident_id, moment) == states
    assert await incidents.states(incident_id, declared_at - timedelta(microseconds=1)) == {}


async def test_a_raise_counts_from_the_original_start_and_judges_nothing_that_was_met(incidents: Incidents) -> None:
    declared = await incidents.declare()
    incident_id = declared.incident_id
    await incidents.passes(minutes=100)
    await incidents.step(incident_id, ACTIVE)
    await incidents.passes(minutes=10)
    await incidents.ask(PB.RaiseIncidentSeverityRequest(incident_id=incident_id, severity=SEV1, reason="أوسع"))
    found = await incidents.obligations(incident_id)
    assert at(found["next_update-1"].due_time) == at(declared.aware_time) + timedelta(minutes=30)
    states = await incidents.states(incident_id)
    assert (states["first_action"], states["next_update-1"]) == ("met", "breached")


async def test_a_leak_that_is_found_later_counts_from_its_own_awareness(incidents: Incidents) -> None:
    declared = await incidents.declare()
    await incidents.passes(hours=30)
    known = incidents.clock.now - timedelta(hours=1)
    await incidents.ask(
        PB.RaiseIncidentSeverityRequest(
            incident_id=declared.incident_id,
            severity=SEV1,
            reason="تبيّن أن بيانات تسربت",
            data_leak=True,
            aware_time=timestamp(known),
        )
    )
    found = await incidents.obligations(declared.incident_id)
    assert at(found["pdpl_authority"].start_time) == known
    assert at(found["pdpl_authority"].due_time) == known + timedelta(hours=72)
    assert at(found["first_action"].start_time) == at(declared.aware_time)


async def test_a_pause_moves_the_post_mortem_and_never_the_pdpl(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare(leak=True)).incident_id
    await incidents.steps(incident_id, ACTIVE, MITIGATED, RESOLVED)
    before = await incidents.obligations(incident_id)
    await incidents.passes(hours=10)

    async def pause(paused: bool, reason: str = "") -> Any:
        return await incidents.ask(
            PB.SetIncidentClocksPausedRequest(incident_id=incident_id, paused=paused, reason=reason)
        )

    assert (await refused(pause(False))).fields == {"paused": "UNCHANGED"}
    assert (await refused(pause(True))).fields == {"reason": "REQUIRED"}
    stopped = incidents.clock.now
    answer = await pause(True, "ننتظر تقرير مزود الخدمة")
    assert answer.incident.clocks_paused
    assert (await refused(pause(True, "x"))).fields == {"paused": "UNCHANGED"}
    await incidents.passes(days=5)
    states = await incidents.states(incident_id)
    assert (states["post_mortem"], states["pdpl_authority"]) == ("paused", "breached")
    assert not (await incidents.obligations(incident_id))["post_mortem"].HasField("due_time")
    standing = incidents.clock.now - stopped
    await pause(False)
    after = await incidents.obligations(incident_id)
    moved = at(after["post_mortem"].due_time) - at(before["post_mortem"].due_time)
    assert abs(moved - standing) < timedelta(seconds=1)
    assert after["pdpl_authority"].due_time == before["pdpl_authority"].due_time
    await incidents.passes(hours=13)
    assert (await incidents.states(incident_id))["post_mortem"] == "at_risk"
    await incidents.passes(hours=1, minutes=1)
    assert (await incidents.states(incident_id))["post_mortem"] == "breached"


# --- what people do about it ------------------------------------------------------------------------------------------


async def test_late_completion_needs_a_reason_and_stays_late(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare(leak=True)).incident_id
    await incidents.passes(hours=73)
    due = (await incidents.obligations(incident_id))["pdpl_authority"].due_time
    for reason in ("", " \u200f "):
        refusal = await refused(incidents.complete(incident_id, "pdpl_authority", reason=reason))
        assert (refusal.code, refusal.reason) == (REFUSED, "LATE_REASON_REQUIRED")
        assert refusal.metadata == {
            "incident_id": incident_id,
            "obligation_id": "pdpl_authority",
            "due_time": due.ToJsonString(),
        }
    answer = await incidents.complete(incident_id, "pdpl_authority", reason="تعطلت بوابة الجهة", reference="filing-7")
    found = answer.obligation
    assert (found.breached, found.reason, found.due_time) == (True, "تعطلت بوابة الجهة", due)
    assert (await incidents.states(incident_id))["pdpl_authority"] == "met_late"
    assert answer.obligation == (await incidents.obligations(incident_id))["pdpl_authority"]


async def test_what_was_met_in_time_may_be_recorded_late_without_a_reason(incidents: Incidents) -> None:
    declared = await incidents.declare(leak=True)
    await incidents.passes(hours=80)
    in_time = at(declared.create_time) + timedelta(hours=72)
    await incidents.complete(declared.incident_id, "pdpl_authority", occur_time=timestamp(in_time))
    found = (await incidents.obligations(declared.incident_id))["pdpl_authority"]
    assert (await incidents.states(declared.incident_id))["pdpl_authority"] == "met"
    assert not found.breached
    # Nobody could know by then.
    assert (await incidents.states(declared.incident_id, in_time + timedelta(hours=1)))["pdpl_authority"] == "breached"


async def test_a_late_first_action_and_a_late_update_need_reasons(incidents: Incidents) -> None:
    incident_id = (await incidents.declare()).incident_id
    await incidents.passes(hours=5)
    late_update = PB.RecordIncidentUpdateRequest(incident_id=incident_id, text="تحديث")
    for call in (incidents.step(incident_id, ACTIVE), incidents.ask(late_update)):
        assert (await refused(call)).reason == "LATE_REASON_REQUIRED"
    await incidents.step(incident_id, ACTIVE, "كان المناوب في حادث آخر")
    answer = await incidents.ask(
        PB.RecordIncidentUpdateRequest(incident_id=incident_id, text="تحديث", late_reason="تأخرت المعلومات")
    )
    assert (answer.met.reason, answer.met.breached) == ("تأخرت المعلومات", True)
    assert (answer.next.obligation_id, answer.next.start_time) == ("next_update-2", answer.met.end_time)
    states = await incidents.states(incident_id)
    assert states == {"first_action": "met_late", "next_update-1": "met_late", "next_update-2": "running"}


async def test_deciding_not_to_notify_needs_a_person_and_a_reason(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare(leak=True)).incident_id

    def waiver(name: str = "data_subjects", reason: str = "البيانات مشفرة", **fields: Any) -> Any:
        return incidents.ask(
            OBL.WaiveObligationRequest(incident_id=incident_id, kind=kind(name), reason=reason, **fields)
        )

    refusal = await refused(waiver(actor=SOFTWARE))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERSON_REQUIRED")
    refusal = await refused(waiver(reason="\u200f "))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"reason": "REQUIRED"})
    for name in ("first_action", "next_update", "post_mortem"):
        assert (await refused(waiver(name))).fields == {"kind": "NOT_WAIVABLE"}
    found = (await waiver()).obligation
    assert (found.reason, found.breached) == ("البيانات مشفرة", False)
    assert (await incidents.states(incident_id))["data_subjects"] == "not_required"
    assert (await refused(waiver())).metadata["state"] == "not_required"
    await waiver("pdpl_authority")
    tasks = {task.step_id: task for task in (await incidents.show(incident_id)).tasks}
    assert tasks["pdpl_notice"].state == model.PLAN_TASK_STATE_SKIPPED
    # On second thoughts it was required after all.
    await incidents.complete(incident_id, "data_subjects")
    assert (await incidents.states(incident_id))["data_subjects"] == "met"


async def test_completion_is_refused_where_nothing_is_owed(incidents: Incidents) -> None:
    small = (await incidents.declare()).incident_id
    leak = (await incidents.declare(leak=True)).incident_id
    drill = (await incidents.declare(leak=True, drill=True)).incident_id
    await incidents.complete(leak, "first_action")
    for incident_id, name, state in (
        (small, "pdpl_authority", "none"),
        (small, "post_mortem", "none"),
        (leak, "post_mortem", "not_started"),
        (leak, "first_action", "met"),
        (drill, "pdpl_authority", "none"),
    ):
        refusal = await refused(incidents.complete(incident_id, name))
        assert (refusal.code, refusal.reason) == (REFUSED, "OBLIGATION_STATE_REFUSED")
        assert refusal.metadata == {"incident_id": incident_id, "obligation": name, "state": state}
    assert (await refused(incidents.complete(leak, "next_update"))).fields == {"kind": "RECORD_AN_UPDATE"}
    tomorrow = timestamp(incidents.clock.now + timedelta(days=1))
    assert (await refused(incidents.complete(leak, "next_update", occur_time=tomorrow))).fields == {
        "kind": "RECORD_AN_UPDATE",
        "occur_time": "IN_FUTURE",
    }
    early = timestamp(incidents.clock.now - timedelta(hours=1))
    assert (await refused(incidents.complete(leak, "pdpl_authority", occur_time=early))).fields == {
        "occur_time": "TOO_EARLY"
    }
    later = timestamp(incidents.clock.now + timedelta(hours=1))
    assert (await refused(incidents.complete(leak, "pdpl_authority", occur_time=later))).fields == {
        "occur_time": "IN_FUTURE"
    }
    assert (await refused(incidents.complete(leak, "pdpl_authority", actor=SOFTWARE))).reason == "PERSON_REQUIRED"
    assert (await refused(incidents.complete(UNKNOWN_ID, "pdpl_authority"))).reason == "INCIDENT_NOT_FOUND"
    assert (await refused(incidents.obligations(UNKNOWN_ID))).reason == "INCIDENT_NOT_FOUND"


async def test_a_false_alarm_owes_nothing_more_and_hides_nothing(incidents: Incidents) -> None:
    incident_id = (await incidents.declare(leak=True)).incident_id
    await incidents.passes(hours=2)
    assert len(await incidents.alerts()) == 2
    await incidents.step(incident_id, CANCELLED, "كان اختبارًا")
    found = await incidents.obligations(incident_id)
    assert set((await incidents.states(incident_id)).values()) == {"cancelled"}
    assert {name for name, each in found.items() if each.breached} == {"first_action", "next_update-1"}
    assert await incidents.passes(days=9) == 0
    assert {draft.state for draft in await incidents.alerts()} == {approval_pb2.DRAFT_STATE_WITHDRAWN}


# --- alerts -----------------------------------------------------------------------------------------------------------


async def test_each_breach_is_told_once_when_it_happens(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare(leak=True)).incident_id
    told: list[str] = []
    for hours, expected in (
        (0.24, []),
        (0.02, ["first_action"]),
        (0.3, ["next_update-1"]),
        (23, []),
        (1, ["data_subjects"]),
        (47, []),
        (1, ["pdpl_authority"]),
        (900, []),
    ):
        await incidents.passes(hours=hours)
        lines = [
            line.subject for line in (await incidents.show(incident_id)).timeline if line.kind == "obligation_breached"
        ]
        assert lines[len(told) :] == expected, hours
        told = lines
    alerts = await incidents.alerts()
    assert len(alerts) == len(told) == 4
    entries = [e for e in await incidents.entries() if e.action == "incident.obligation_breached"]
    assert [entry.attributes["obligation"] for entry in entries] == told
    assert {(entry.actor.id, entry.actor.kind) for entry in entries} == {("incidents-clock", SOFTWARE.kind)}


async def test_alerts_stay_inside_and_can_be_approved(incidents: Incidents) -> None:
    title = "نضمن لكم أفضل النتائج"
    declared = await incidents.declare(
        customer_ids=["acme"], facts=model.TriageFacts(title=title, affected_customers=1, data_leak=True)
    )
    await incidents.ask(
        ACT.AddActionItemRequest(
            incident_id=declared.incident_id,
            title=title,
            owner_id="operator-17",
            due_time=timestamp(incidents.clock.now + timedelta(hours=1)),
        )
    )
    await incidents.passes(hours=80)
    checker = ClaimChecker(load_claims())
    alerts = await incidents.alerts()
    assert len(alerts) == 5
    for draft in alerts:
        assert draft.kind == draft_pb2.DRAFT_KIND_ESCALATION
        assert draft.channel == channel_pb2.CHANNEL_INTERNAL
        assert draft.subject == f"incident/{declared.incident_id}"
        assert not draft.customer_id
        texts = (draft.title_ar, draft.title_en, draft.body_ar, draft.body_en)
        assert all(not checker.check(text) for text in texts)
        assert not any(hidden in text for text in texts for hidden in ("inc_", "act_", "acme", title))
        approved = await incidents.ask(
            APR.ApproveDraftRequest(draft_id=draft.draft_id, content_hash=draft.content_hash)
        )
        assert approved.draft.state == approval_pb2.DRAFT_STATE_APPROVED
    late = next(draft for draft in alerts if "إشعار الجهة المختصة" in draft.title_ar)
    # Saturday 19:00 UTC is 22:00 in Riyadh; 72 hours later is Tuesday.
    assert "الثلاثاء 10 مارس 2026 الساعة 22:00 بتوقيت الرياض" in late.body_ar
    assert "Tuesday 10 March 2026 at 22:00 Riyadh time" in late.body_en
    assert "Notice to the authority" in late.title_en


async def test_a_breach_that_no_worker_saw_is_told_before_what_ends_it(incidents: Incidents) -> None:
    """The service was down while it fell due; the first to come is a person who completes it late."""
    incident_id = (await incidents.declare(leak=True)).incident_id
    incidents.clock.pass_time(timedelta(hours=73))
    await incidents.complete(incident_id, "pdpl_authority", reason="كانت الخدمة متوقفة")
    kinds = [(line.kind, line.subject) for line in (await incidents.show(incident_id)).timeline]
    told = [subject for kind, subject in kinds if kind == "obligation_breached"]
    assert told == ["first_action", "next_update-1", "pdpl_authority", "data_subjects"]
    assert kinds[-1] == ("obligation_completed", "pdpl_authority")
    await incidents.passes()
    assert len(await incidents.alerts()) == 4


async def test_what_fell_due_while_nothing_ran_is_told_after_the_restart(tmp_path: Path) -> None:
    async with incidents_at(tmp_path) as before:
        incident_id = (await before.declare(leak=True)).incident_id
        clock = before.clock
    clock.pass_time(timedelta(days=10))
    async with incidents_at(tmp_path, clock=clock) as after:
        assert await after.passes() == 1
        assert (await after.lines(incident_id)).count("obligation_breached") == 4
        assert len(await after.alerts()) == 4


# --- lists ------------------------------------------------------------------------------------------------------------


async def due_of(incidents: Incidents, size: int = 0, **fields: Any) -> list[tuple[str, str]]:
    """The list of due obligations, read in pages."""
    return [
        (each.incident_id, each.obligation_id)
        async for page in pages(
            lambda token: incidents.ask(OBL.ListDueObligationsRequest(page_size=size, page_token=token, **fields))
        )
        for each in page.obligations
    ]


async def test_due_obligations_of_all_incidents_come_in_pages_the_longest_overdue_first(
    on_each_engine: Incidents,
) -> None:
    incidents = on_each_engine
    ids = []
    for fields in ({}, {"affected": 5}, {"leak": True}, {"leak": True, "drill": True}):
        ids.append((await incidents.declare(**fields)).incident_id)
        incidents.clock.pass_time(timedelta(minutes=1))
    small, wide, leak, _ = ids
    assert await due_of(incidents) == []
    start = incidents.clock.now
    # By what will be due if nothing happens.
    in_two_hours = timestamp(start + timedelta(hours=2))
    expected = [
        (leak, "first_action"),
        (wide, "first_action"),
        (leak, "next_update-1"),
        (wide, "next_update-1"),
        (small, "first_action"),
    ]
    for size in (0, 1, 2, 5):
        assert await due_of(incidents, size, as_of_time=in_two_hours) == expected
    assert await due_of(incidents, as_of_time=in_two_hours, kind=kind("next_update")) == [expected[2], expected[3]]
    await incidents.passes(hours=2)
    assert await due_of(incidents) == expected
    for incident_id in (leak, wide):
        await incidents.step(incident_id, ACTIVE, "تأخر البدء")
    open_now = [expected[2], expected[3], expected[4]]
    assert await due_of(incidents) == open_now
    # As it was known before that.
    for size in (0, 1, 2):
        assert await due_of(incidents, size, as_of_time=in_two_hours) == expected
    assert await due_of(incidents, as_of_time=in_two_hours, kind=kind("first_action")) == [
        expected[0],
        expected[1],
        expected[4],
    ]
    half_an_hour = timestamp(start + timedelta(minutes=29))
    assert await due_of(incidents, as_of_time=half_an_hour) == expected[:3]


async def test_the_index_of_due_obligations_is_what_the_timelines_come_to(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    ids = [
        (await incidents.declare(leak=leak, affected=n)).incident_id for leak, n in ((True, 1), (False, 5), (False, 1))
    ]
    moments = [incidents.clock.now]

    async def then(request: Any) -> None:
        await incidents.ask(request)
        moments.append(incidents.clock.now)
        await incidents.passes(minutes=41)
        moments.append(incidents.clock.now)

    for incident_id in ids:
        await then(PB.ChangeIncidentStateRequest(incident_id=incident_id, state=ACTIVE, reason="س"))
        await then(PB.RecordIncidentUpdateRequest(incident_id=incident_id, text="تحديث", late_reason="س"))
    await then(PB.RaiseIncidentSeverityRequest(incident_id=ids[2], severity=SEV1, reason="س", data_leak=True))
    await then(OBL.WaiveObligationRequest(incident_id=ids[2], kind=kind("data_subjects"), reason="س"))
    for incident_id in ids[:2]:
        await then(PB.ChangeIncidentStateRequest(incident_id=incident_id, state=MITIGATED))
        await then(PB.ChangeIncidentStateRequest(incident_id=incident_id, state=RESOLVED))
    await then(PB.SetIncidentClocksPausedRequest(incident_id=ids[0], paused=True, reason="س"))
    await then(PB.MarkIncidentDuplicateRequest(incident_id=ids[1], duplicate_of_incident_id=ids[2], reason="س"))
    await incidents.passes(days=4)
    moments.append(incidents.clock.now)

    def told(tx: Any) -> dict[str, tuple[Any, list[Any]]]:
        return {i: (store.get_incident(tx, i), store.all_lines(tx, i)) for i in ids}

    stored = await incidents.running.service.database.read(told)
    compared = 0
    for moment in moments:
        computed = sorted(
            (each.due_at, incident_id, each.obligation_id)
            for incident_id, (incident, lines) in stored.items()
            for each in obligations_of(incident, lines, BOOK, moment)
            if each.open and each.due_at is not None and each.due_at <= moment
        )
        assert await due_of(incidents, 3, as_of_time=timestamp(moment)) == [row[1:] for row in computed], moment
        compared += len(computed)
    assert compared > 40


async def test_obligations_of_an_incident_come_in_pages(incidents: Incidents) -> None:
    incident_id = (await incidents.declare(leak=True)).incident_id
    whole = list(await incidents.obligations(incident_id))
    seen = [
        each.obligation_id
        async for page in pages(
            lambda token: incidents.ask(
                OBL.ListObligationsRequest(incident_id=incident_id, page_size=2, page_token=token)
            )
        )
        for each in page.obligations
    ]
    assert seen == whole
    assert len(seen) == 5


async def test_no_list_sorts_or_reads_a_whole_table(tmp_path: Path) -> None:
    async with incidents_at(tmp_path):
        pass
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'incidents.db'}")
    values = {"as_of_us": 9, "kind": "first_action", "after_us": 1, "after_incident": "i", "after_obligation": "o"}
    values |= {"incident_id": "i", "owner_id": "o", "is_open": 1, "before_us": 9, "after_id": "a", "is_open_1": 1}
    statements = [
        (store._due_statement, ["past", "kind", "after_us"]),
        (store._items_statement, ["incident_id", "owner_id", "is_open", "before_us", "after_us"]),
    ]
    with engine.connect() as connection:
        for make, names in statements:
            for bits in range(1 << len(names)):
                chosen = frozenset(name for place, name in enumerate(names) if bits >> place & 1)
                statement = make(chosen).compile(engine)
                wanted = {**statement.params, **values, "limit": 50}
                plan = connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", tuple(wanted[name] for name in statement.positiontup or ())
                )
                steps = " | ".join(row.detail for row in plan)
                assert "TEMP B-TREE" not in steps, (chosen, steps)
                assert "USING" in steps, (chosen, steps)
    engine.dispose()


# --- action items -----------------------------------------------------------------------------------------------------


async def add_item(incidents: Incidents, incident_id: str, days: float = 1, **fields: Any) -> Any:
    """Adds an action item that is due in some days."""
    given = {
        "incident_id": incident_id,
        "title": "مراجعة الصلاحيات",
        "owner_id": "operator-17",
        "due_time": timestamp(incidents.clock.now + timedelta(days=days)),
        **fields,
    }
    return (await incidents.ask(ACT.AddActionItemRequest(**given))).action_item


async def items_of(incidents: Incidents, **fields: Any) -> list[str]:
    """The ids of listed action items, read in pages of two."""
    return [
        item.action_item_id
        async for page in pages(
            lambda token: incidents.ask(ACT.ListActionItemsRequest(page_size=2, page_token=token, **fields))
        )
        for item in page.action_items
    ]


async def test_an_action_item_outlives_its_incident_and_is_late_on_its_own(on_each_engine: Incidents) -> None:
    incidents = on_each_engine
    incident_id = (await incidents.declare()).incident_id
    item = await add_item(incidents, incident_id)
    for number in (1, 2, 3, 4, 6):
        await incidents.ask(
            PB.UpdatePlanTaskRequest(incident_id=incident_id, task_number=number, state=model.PLAN_TASK_STATE_DONE)
        )
    await incidents.steps(incident_id, ACTIVE, MITIGATED, RESOLVED, CLOSED)
    later = await add_item(incidents, incident_id, days=2)
    await incidents.passes(days=1)
    (overdue,) = await items_of(incidents, open_only=True, due_before_time=timestamp(incidents.clock.now))
    assert overdue == item.action_item_id
    assert len(await incidents.alerts()) == 1
    assert await incidents.passes(hours=1) == 0
    update = ACT.UpdateActionItemRequest(action_item_id=item.action_item_id, state=ITEM_DONE)
    refusal = await refused(incidents.ask(update))
    assert (refusal.code, refusal.reason) == (REFUSED, "LATE_REASON_REQUIRED")
    assert refusal.metadata == {
        "action_item_id": item.action_item_id,
        "due_time": item.due_time.ToJsonString(),
    }
    update.reason = "تأخرت الصلاحيات"
    done = (await incidents.ask(update)).action_item
    assert (done.state, done.breaches, done.overdue, done.reason) == (ITEM_DONE, 1, False, "تأخرت الصلاحيات")
    assert await items_of(incidents, open_only=True) == [later.action_item_id]
    assert [line for line in await incidents.lines(incident_id) if line.startswith("action_item")] == [
        "action_item_added",
        "action_item_added",
        "action_item_breached",
        "action_item_done",
    ]


async def test_a_moved_due_time_is_told_of_anew_and_only_when_it_passes(incidents: Incidents) -> None:
    incident_id = (await incidents.declare()).incident_id
    item = await add_item(incidents, incident_id)

    async def move(days: float) -> Any:
        return await incidents.ask(
            ACT.UpdateActionItemRequest(
                action_item_id=item.action_item_id,
                due_time=timestamp(incidents.clock.now + timedelta(days=days)),
                reason="ننتظر المزود",
            )
        )

    async def told() -> int:
        return (await incidents.lines(incident_id)).count("action_item_breached")

    await move(3)
    await incidents.passes(days=2)
    assert await told() == 0
    await incidents.passes(days=2)
    assert await told() == 1
    await move(1)
    await incidents.passes(hours=1)
    assert await told() == 1
    incidents.clock.pass_time(timedelta(days=1))
    # Nobody had looked when it passed: it is told before it is moved again.
    assert (await move(1)).action_item.breaches == 2
    assert await told() == 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"state": "REQUIRED"}),
        ({"state": ITEM_OPEN}, {"state": "UNKNOWN_VALUE"}),
        ({"state": ITEM_CANCELLED}, {"reason": "REQUIRED"}),
        ({"due": 1}, {"reason": "REQUIRED"}),
        ({"due": -1, "reason": "x"}, {"due_time": "IN_PAST"}),
        ({"due": 1, "state": ITEM_DONE, "reason": "x"}, {"due_time": "NOT_ALLOWED"}),
    ],
)
async def test_an_action_item_changes_for_a_reason(
    incidents: Incidents, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    item = await add_item(incidents, (await incidents.declare()).incident_id)
    given = dict(fields)
    if "due" in given:
        given["due_time"] = timestamp(incidents.clock.now + timedelta(days=given.pop("due")))
    request = ACT.UpdateActionItemRequest(action_item_id=item.action_item_id, **given)
    refusal = await refused(incidents.ask(request))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, expected)


async def test_action_items_are_refused_like_everything_else(incidents: Incidents) -> None:
    incident_id = (await incidents.declare()).incident_id
    past = timestamp(incidents.clock.now - timedelta(days=1))
    refusal = await refused(add_item(incidents, incident_id, title=" \u200f", due_time=past))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"title": "REQUIRED", "due_time": "IN_PAST"})
    assert (await refused(add_item(incidents, UNKNOWN_ID))).reason == "INCIDENT_NOT_FOUND"
    item = await add_item(incidents, incident_id)

    def update(**fields: Any) -> Any:
        return incidents.ask(ACT.UpdateActionItemRequest(**{"action_item_id": item.action_item_id, **fields}))

    assert (await refused(update(state=ITEM_DONE, actor=SOFTWARE))).reason == "PERSON_REQUIRED"
    assert (await refused(update(state=ITEM_DONE, etag="r9"))).reason == "ETAG_MISMATCH"
    refusal = await refused(update(action_item_id=UNKNOWN_ITEM, state=ITEM_DONE))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "ACTION_ITEM_NOT_FOUND")
    assert refusal.metadata == {"action_item_id": UNKNOWN_ITEM}
    await update(state=ITEM_CANCELLED, reason="لم يعد لازمًا")
    refusal = await refused(update(state=ITEM_DONE))
    assert (refusal.reason, refusal.metadata) == (
        "ACTION_ITEM_STATE_REFUSED",
        {"action_item_id": item.action_item_id, "state": "cancelled"},
    )
    assert await incidents.passes(days=9) >= 0
    assert "action_item_breached" not in await incidents.lines(incident_id)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "abcd"),
        ({"incident_id": 0}, "abd"),
        ({"owner_id": "p-2"}, "bc"),
        ({"open_only": True}, "acd"),
        ({"open_only": True, "owner_id": "p-2"}, "c"),
        ({"due_before_time": 2.5}, "ab"),
        ({"incident_id": 1, "owner_id": "p-2", "open_only": True, "due_before_time": 9}, "c"),
    ],
)
async def test_action_items_are_listed_by_their_due_time(
    on_each_engine: Incidents, wanted: dict[str, Any], expected: str
) -> None:
    incidents = on_each_engine
    ids = [(await incidents.declare()).incident_id for _ in range(2)]
    start = incidents.clock.now
    names = {}
    for name, incident, owner, days in (("d", 0, "p-1", 4), ("c", 1, "p-2", 3), ("b", 0, "p-2", 2), ("a", 0, "p-1", 1)):
        item = await add_item(incidents, ids[incident], days, owner_id=owner)
        names[item.action_item_id] = name
        if name == "b":
            await incidents.ask(ACT.UpdateActionItemRequest(action_item_id=item.action_item_id, state=ITEM_DONE))
    fields = dict(wanted)
    if "incident_id" in fields:
        fields["incident_id"] = ids[fields["incident_id"]]
    if "due_before_time" in fields:
        fields["due_before_time"] = timestamp(start + timedelta(days=fields["due_before_time"]))
    assert "".join([names[found] for found in await items_of(incidents, **fields)]) == expected
