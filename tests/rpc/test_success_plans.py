"""Plans with their touchpoints over a socket: dated, due, drafted once, held, missed, completed, changed with consent."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import approval_pb2, channel_pb2, context_pb2, draft_pb2
from dealix.success.v1 import activity_pb2, approval_service_pb2_grpc, ledger_service_pb2, ledger_service_pb2_grpc
from dealix.success.v1 import approval_service_pb2 as approval
from dealix.success.v1 import plan_pb2 as model
from dealix.success.v1 import success_service_pb2 as pb
from dealix.success.v1 import success_service_pb2_grpc as rpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.domain.claims import ClaimChecker, load_claims
from services.runtime.testing import Running, running_service
from services.storage.database import Actor, UnitOfWork
from services.success import store
from services.success.domain.days import number_of
from services.success.domain.touchpoints import TouchpointState
from services.success.service import DEFINITION
from tests.rpc.client import PERSON, SOFTWARE, Clock, Refusal, ledger_of, new_request_id, refused

CLAIMS = ClaimChecker(load_claims())
# A Sunday, nine in the morning in Riyadh: an hour after touchpoints of the day fall due.
SUNDAY = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
START, RENEWAL = "2026-03-01", "2027-03-01"
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def at(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def state_of(found: model.Touchpoint) -> str:
    return model.TouchpointState.Name(found.state).removeprefix("TOUCHPOINT_STATE_")


def kind_of(found: model.Touchpoint) -> str:
    return model.TouchpointKind.Name(found.kind).removeprefix("TOUCHPOINT_KIND_")


SEV1 = context_pb2.Context(
    incidents_known=True,
    freezes_known=True,
    incidents=[context_pb2.OpenIncident(incident_id="inc_" + "a" * 26, severity="SEV1")],
)
NOTHING_OPEN = context_pb2.Context(incidents_known=True, freezes_known=True)
NOBODY_TOLD = context_pb2.Context()
FROZEN = context_pb2.Context(
    incidents_known=True,
    freezes_known=True,
    freezes=[
        context_pb2.ChannelFreeze(freeze_id="frz_" + "a" * 26, channel=channel_pb2.CHANNEL_EMAIL, customer_id="acme")
    ],
)


@dataclass(frozen=True, slots=True)
class Desk:
    """A running service without a worker of its own: what is due is done when a test says so."""

    running: Running
    stub: Any
    approvals: Any
    ledger: Any
    clock: Clock

    async def activate(self, **fields: Any) -> pb.ActivatePlanResponse:
        answer: pb.ActivatePlanResponse = await self.stub.ActivatePlan(activation(**fields))
        return answer

    async def catch_up(self, to: datetime | None = None) -> int:
        """Moves the clock, and does what is due then."""
        if to is not None:
            self.clock.now = to
        return await self.running.service.catch_up()

    async def touchpoints(self, customer_id: str = "acme", **fields: Any) -> list[model.Touchpoint]:
        answer = await self.stub.ListTouchpoints(
            pb.ListTouchpointsRequest(customer_id=customer_id, page_size=200, **fields)
        )
        return list(answer.touchpoints)

    async def one(self, name: str, customer_id: str = "acme", number: int = 0, **fields: Any) -> model.Touchpoint:
        """A customer's touchpoint of a kind, by due day."""
        return [found for found in await self.touchpoints(customer_id, **fields) if kind_of(found) == name][number]

    async def due(self, moment: datetime | None = None, **fields: Any) -> list[tuple[str, str, str]]:
        """What is due on a day: customer, kind and due date."""
        request = pb.ListDueTouchpointsRequest(page_size=200, **fields)
        if moment is not None:
            request.as_of_time.CopyFrom(at(moment))
        answer = await self.stub.ListDueTouchpoints(request)
        return [(found.customer_id, kind_of(found), found.due_date) for found in answer.touchpoints]

    async def draft(self, draft_id: str) -> draft_pb2.Draft:
        return (await self.approvals.GetDraft(approval.GetDraftRequest(draft_id=draft_id))).draft

    async def approve(self, draft: draft_pb2.Draft, **fields: Any) -> Any:
        return await self.approvals.ApproveDraft(
            approval.ApproveDraftRequest(
                request_id=new_request_id(),
                actor=PERSON,
                draft_id=draft.draft_id,
                content_hash=draft.content_hash,
                **fields,
            )
        )

    async def record(self, name: str, moment: datetime, customer_id: str = "acme", **fields: Any) -> list[Any]:
        event = activity_pb2.ActivityInput(
            kind=activity_pb2.ActivityKind.Value(f"ACTIVITY_KIND_{name}"), occur_time=at(moment), **fields
        )
        answer = await self.stub.RecordActivity(
            pb.RecordActivityRequest(
                request_id=new_request_id(), actor=SOFTWARE, customer_id=customer_id, events=[event]
            )
        )
        return list(answer.activities)

    async def complete(self, found: model.Touchpoint, **fields: Any) -> Any:
        return await self.stub.CompleteTouchpoint(
            pb.CompleteTouchpointRequest(
                **{
                    "request_id": new_request_id(),
                    "actor": PERSON,
                    "touchpoint_id": found.touchpoint_id,
                    "complete_time": at(self.clock.now),
                    **fields,
                }
            )
        )

    async def move(self, found: model.Touchpoint, day: str, **fields: Any) -> Any:
        return await self.stub.RescheduleTouchpoint(
            pb.RescheduleTouchpointRequest(
                **{
                    "request_id": new_request_id(),
                    "actor": PERSON,
                    "touchpoint_id": found.touchpoint_id,
                    "due_date": day,
                    "reason": "بطلب العميل",
                    **fields,
                }
            )
        )

    async def entries(self, prefix: str = "") -> list[Any]:
        """What the ledger holds of actions that begin so."""
        found = await ledger_of(self.ledger, ledger_service_pb2, page_size=200)
        return [entry for entry in found if entry.action.startswith(prefix)]


@asynccontextmanager
async def started(folder: Path, database_url: str = "") -> AsyncIterator[Desk]:
    clock = Clock(SUNDAY)
    async with running_service(
        DEFINITION, database_url=database_url, data_dir=folder, clock=clock, log_level="error", worker_seconds=0
    ) as running:
        channel = running.channel
        yield Desk(
            running,
            rpc.SuccessServiceStub(channel),
            approval_service_pb2_grpc.ApprovalServiceStub(channel),
            ledger_service_pb2_grpc.LedgerServiceStub(channel),
            clock,
        )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with started(tmp_path) as desk:
        yield desk


@pytest.fixture
async def on_each_engine(tmp_path: Path, database_url: str) -> AsyncIterator[Desk]:
    async with started(tmp_path, database_url) as desk:
        yield desk


def activation(**fields: Any) -> pb.ActivatePlanRequest:
    return pb.ActivatePlanRequest(
        **{
            "request_id": new_request_id(),
            "actor": PERSON,
            "customer_id": "acme",
            "bundle_id": "growth_starter",
            "start_date": START,
            "renewal_date": RENEWAL,
            "channel": channel_pb2.CHANNEL_EMAIL,
            **fields,
        }
    )


def consent(**fields: Any) -> model.Consent:
    return model.Consent(
        **{
            "contact_id": "contact-3",
            "method": model.CONSENT_METHOD_MEETING,
            "consent_time": at(SUNDAY),
            "reference": "minutes-4",
            **fields,
        }
    )


def change(**fields: Any) -> pb.ChangePlanRequest:
    return pb.ChangePlanRequest(
        **{
            "request_id": new_request_id(),
            "actor": PERSON,
            "customer_id": "acme",
            "bundle_id": "executive_growth_os",
            "consent": consent(),
            **fields,
        }
    )


def renewal(day: str, **fields: Any) -> pb.SetRenewalDateRequest:
    return pb.SetRenewalDateRequest(
        **{"request_id": new_request_id(), "actor": PERSON, "customer_id": "acme", "renewal_date": day, **fields}
    )


def ending(**fields: Any) -> pb.EndPlanRequest:
    return pb.EndPlanRequest(
        **{
            "request_id": new_request_id(),
            "actor": PERSON,
            "customer_id": "acme",
            "reason": "انتهى العقد",
            **fields,
        }
    )


# --- activated --------------------------------------------------------------------------------------------------------


async def test_an_activated_plan_has_its_touchpoints_with_dates(on_each_engine: Desk) -> None:
    answer = await on_each_engine.activate()
    plan = answer.plan
    assert (plan.customer_id, plan.bundle_id, plan.start_date, plan.renewal_date) == (
        "acme",
        "growth_starter",
        START,
        RENEWAL,
    )
    assert (plan.state, plan.dated_until, plan.etag) == (model.PLAN_STATE_ACTIVE, "2026-05-30", "r1")
    named = {(kind_of(found), found.due_date) for found in answer.touchpoints}
    assert {
        ("PLAN_STEP", "2026-03-01"),
        ("UPGRADE_TALK", "2026-03-14"),
        ("WEEKLY_CHECK_IN", "2026-03-14"),
        ("WEEKLY_CHECK_IN", "2026-03-17"),
        ("MONTHLY_PROOF_REVIEW", "2026-04-29"),
        ("QUARTERLY_BUSINESS_REVIEW", "2026-05-29"),
        ("RENEWAL_30_DAY", "2027-01-30"),
        ("RENEWAL_7_DAY", "2027-02-22"),
    } <= named
    assert all(found.title_ar and found.title_en for found in answer.touchpoints)
    listed = await on_each_engine.touchpoints()
    assert [found.touchpoint_id for found in listed] == [found.touchpoint_id for found in answer.touchpoints]
    # What is asked for later tells what stands in the way as well.
    assert [kind_of(found) for found in listed if found.reasons] == ["UPGRADE_TALK"]
    assert (await on_each_engine.stub.GetPlan(pb.GetPlanRequest(customer_id="acme"))).plan == plan
    assert [entry.action for entry in await on_each_engine.entries()] == ["plan.activated"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"bundle_id": "enterprise"}, {"bundle_id": "UNKNOWN_VALUE"}),
        ({"start_date": "2026-02-30", "renewal_date": "2026-13-01"}, {"start_date", "renewal_date"}),
        ({"renewal_date": START}, {"renewal_date": "RENEWAL_NOT_AFTER_START"}),
        ({"renewal_date": "2035-01-01"}, {"renewal_date": "TOO_LONG"}),
        (
            {"bundle_id": "enterprise", "start_date": "2026-02-30", "renewal_date": "2026-02-31"},
            {"bundle_id", "start_date", "renewal_date"},
        ),
        ({"bundle_id": "enterprise", "renewal_date": START}, {"bundle_id", "renewal_date"}),
        ({"channel": channel_pb2.CHANNEL_INTERNAL}, {"channel"}),
        ({"channel": 0, "start_date": "tomorrow"}, {"channel", "start_date"}),
    ],
)
async def test_a_plan_is_activated_with_what_makes_sense(desk: Desk, fields: dict[str, Any], named: Any) -> None:
    refusal = await refused(desk.stub.ActivatePlan(activation(**fields)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert refusal.fields == named if isinstance(named, dict) else set(refusal.fields) == named
    assert not await desk.entries()


async def test_a_customer_has_one_active_plan_and_may_begin_again_after_its_end(desk: Desk) -> None:
    await desk.activate()
    assert await refused(desk.stub.ActivatePlan(activation(bundle_id="local_growth_os"))) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS, "PLAN_EXISTS", {"customer_id": "acme", "bundle_id": "growth_starter"}
    )
    ended = await desk.stub.EndPlan(ending())
    assert ended.plan.state == model.PLAN_STATE_ENDED
    assert ended.cancelled_touchpoints == len(await desk.touchpoints()) > 10
    assert {state_of(found) for found in await desk.touchpoints()} == {"CANCELLED"}
    refusal = await refused(desk.stub.EndPlan(ending()))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "PLAN_NOT_ACTIVE")
    assert await desk.catch_up(SUNDAY + timedelta(days=30)) == 0, "nothing of an ended plan falls due"
    again = await desk.activate(start_date="2026-04-01")
    assert again.plan.etag == "r3"
    changes = (await desk.stub.ListPlanChanges(pb.ListPlanChangesRequest(customer_id="acme"))).changes
    assert [(c.number, model.PlanChangeKind.Name(c.kind)[17:]) for c in changes] == [
        (1, "ACTIVATED"),
        (2, "ENDED"),
        (3, "ACTIVATED"),
    ]


async def test_what_lay_before_the_activation_is_not_dated(desk: Desk) -> None:
    answer = await desk.activate(start_date="2026-02-10")
    assert min(found.due_date for found in answer.touchpoints) >= START
    assert answer.touchpoints[0].plan_day >= 20


# --- due --------------------------------------------------------------------------------------------------------------


async def test_each_due_touchpoint_is_drafted_once_and_recorded_once(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    for _ in range(3):
        await desk.catch_up(SUNDAY + timedelta(minutes=1))
    found = await desk.one("PLAN_STEP")
    assert state_of(found) == "DRAFTED"
    draft = await desk.draft(found.draft_id)
    assert draft.kind == draft_pb2.DRAFT_KIND_TOUCHPOINT
    assert (draft.subject, draft.customer_id) == (f"touchpoint/{found.touchpoint_id}", "acme")
    assert draft.channel == channel_pb2.CHANNEL_EMAIL
    assert draft.state == approval_pb2.DRAFT_STATE_DRAFTED
    assert "بجلسة انطلاق" in draft.body_ar
    assert [e.action for e in await desk.entries("touchpoint.")] == ["touchpoint.drafted"]
    assert len(await desk.entries("draft.")) == 1
    (entry,) = await desk.entries("touchpoint.")
    assert (entry.actor.id, entry.attributes["draft_id"]) == ("success-clock", found.draft_id)


async def test_ninety_days_of_a_plan_drafted_day_by_day(desk: Desk) -> None:
    await desk.activate()
    await desk.record("PROOF_PACK_DELIVERED", SUNDAY)
    day = SUNDAY
    while day < SUNDAY + timedelta(days=90):
        await desk.catch_up(day)
        day += timedelta(days=1)
    found = [t for t in await desk.touchpoints() if t.due_date <= "2026-05-29"]
    assert {state_of(one) for one in found} == {"DRAFTED"}
    assert len({one.draft_id for one in found}) == len(found) == len(await desk.entries("touchpoint."))
    weeks = [w.week_start for w in (await desk.stub.ListWeeklyCheckIns(pb.ListWeeklyCheckInsRequest())).check_ins]
    assert len(weeks) == len(set(weeks)) == 12
    for one in found:
        draft = await desk.draft(one.draft_id)
        assert CLAIMS.check(draft.body_ar) == CLAIMS.check(draft.body_en) == ()
    # Dated further, in time, for as long as the plan runs.
    assert (await desk.stub.GetPlan(pb.GetPlanRequest(customer_id="acme"))).plan.dated_until > "2026-07-31"
    assert len(await desk.entries("plan.dated")) == 1


async def test_after_a_long_absence_each_is_caught_up_once_and_old_check_ins_are_missed(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    # A Wednesday, four weeks later.
    await desk.catch_up(datetime(2026, 3, 25, 6, 0, tzinfo=UTC))
    found = {(kind_of(t), t.due_date): state_of(t) for t in await desk.touchpoints() if t.due_date <= "2026-03-25"}
    assert found == {
        ("PLAN_STEP", "2026-03-01"): "DRAFTED",
        ("PLAN_STEP", "2026-03-03"): "DRAFTED",
        ("PLAN_STEP", "2026-03-07"): "DRAFTED",
        ("WEEKLY_CHECK_IN", "2026-03-14"): "MISSED",
        ("UPGRADE_TALK", "2026-03-14"): "HELD",
        ("WEEKLY_CHECK_IN", "2026-03-17"): "MISSED",
        ("WEEKLY_CHECK_IN", "2026-03-24"): "DRAFTED",
    }
    assert await desk.catch_up() == 0
    actions = [e.action for e in await desk.entries("touchpoint.")]
    assert sorted(actions) == ["touchpoint.drafted"] * 5 + ["touchpoint.missed"] * 2


async def test_an_absence_longer_than_the_plan_was_dated_loses_no_review(desk: Desk) -> None:
    await desk.activate()
    # Months later; the plan was dated until the end of May.
    await desk.catch_up(datetime(2026, 7, 20, 6, 0, tzinfo=UTC))
    found = {(kind_of(t), t.due_date): state_of(t) for t in await desk.touchpoints() if t.due_date <= "2026-07-20"}
    assert found["QUARTERLY_BUSINESS_REVIEW", "2026-05-29"] == "DRAFTED"
    assert found["MONTHLY_PROOF_REVIEW", "2026-06-28"] == "DRAFTED"
    check_ins = [state for (kind, _), state in found.items() if kind == "WEEKLY_CHECK_IN"]
    assert set(check_ins) == {"MISSED"}, "that of this week is due tomorrow"
    assert len(check_ins) == 19


async def test_a_check_in_that_was_written_before_is_the_one_of_its_week(desk: Desk) -> None:
    await desk.activate()
    desk.clock.now = datetime(2026, 3, 15, 9, 0, tzinfo=UTC)
    made = await desk.stub.CreateWeeklyCheckIn(
        pb.CreateWeeklyCheckInRequest(request_id=new_request_id(), actor=PERSON, customer_id="acme")
    )
    await desk.catch_up(datetime(2026, 3, 17, 6, 0, tzinfo=UTC))
    found = await desk.one("WEEKLY_CHECK_IN", number=1)
    assert (state_of(found), found.check_in_id, found.draft_id) == (
        "DRAFTED",
        made.check_in.check_in_id,
        made.check_in.draft_id,
    )
    assert len(await desk.entries("check_in.")) == 1


async def test_the_check_in_of_a_touchpoint_says_what_is_on_record(desk: Desk) -> None:
    await desk.activate()
    day = datetime(2026, 3, 17, 6, 0, tzinfo=UTC)
    desk.clock.now = day
    await desk.record("REPLIES", day - timedelta(days=2), count=7)
    await desk.record("MEETINGS", day - timedelta(days=9), count=2)
    await desk.catch_up()
    found = await desk.one("WEEKLY_CHECK_IN", number=1)
    check_in = (await desk.stub.GetWeeklyCheckIn(pb.GetWeeklyCheckInRequest(check_in_id=found.check_in_id))).check_in
    assert check_in.metrics.replies == 7
    assert (check_in.metrics.HasField("meetings"), check_in.metrics.meetings) == (True, 0)
    assert not check_in.metrics.HasField("drafts_approved"), "never recorded is not zero"
    assert len(check_in.talking_points_ar) == 3
    draft = await desk.draft(found.draft_id)
    assert draft.kind == draft_pb2.DRAFT_KIND_CHECK_IN
    assert "وصلتكم 7 ردود" in draft.body_ar
    assert draft.body_ar.count("\n- ") == 8


@pytest.mark.parametrize("by_hand", [False, True])
async def test_the_check_in_of_a_line_puts_the_line_before_the_customer(desk: Desk, by_hand: bool) -> None:
    await desk.activate(bundle_id="executive_growth_os")
    # Day 14, a Saturday; written by hand on its Monday, or by the clock when it falls due.
    if by_hand:
        desk.clock.now = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
        await desk.stub.CreateWeeklyCheckIn(
            pb.CreateWeeklyCheckInRequest(request_id=new_request_id(), actor=PERSON, customer_id="acme")
        )
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    found = await desk.one("WEEKLY_CHECK_IN")
    assert (found.title_ar, found.title_en) == (
        "مراجعة أسبوعية وتقديم Founder Shadow Board v1",
        "Check-in and Founder Shadow Board v1",
    )
    draft = await desk.draft(found.draft_id)
    assert found.title_ar in draft.title_ar
    assert found.title_en in draft.title_en
    assert "ونقدّم لكم فيها Founder Shadow Board v1." in draft.body_ar
    assert "present Founder Shadow Board v1." in draft.body_en
    # Saturday is no day for a meeting: on Monday the week still has some, on Saturday only the next check-in's week has.
    assert ("يوم الخميس 12 مارس 2026 في 25 دقيقة" in draft.body_ar) == by_hand
    assert ("الموعد الذي يناسبكم" in draft.body_ar) == ("a time that suits you" in draft.body_en) == (not by_hand)
    assert "2026" not in draft.body_en or by_hand
    points = 5 if by_hand else 1
    assert draft.body_ar.count("\n- ") == 5 + points, (
        "five items of five minutes, as ever, and what is said of the week"
    )
    assert CLAIMS.check(draft.body_ar) == CLAIMS.check(draft.body_en) == ()
    assert "Founder Shadow Board" not in (await desk.one("WEEKLY_CHECK_IN", number=1)).title_en


async def test_a_review_that_the_plan_dates_is_drafted_with_the_plans_line(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up(datetime(2026, 3, 30, 6, 0, tzinfo=UTC))
    found = await desk.one("MONTHLY_PROOF_REVIEW")
    draft = await desk.draft(found.draft_id)
    assert found.title_en == draft.title_en == "Monthly review and renewal decision"
    assert "renewal decision" in draft.body_en
    assert "قرار التجديد" in draft.title_ar
    assert "قرار التجديد" in draft.body_ar
    assert (await desk.one("MONTHLY_PROOF_REVIEW", number=1)).title_en == "Monthly review of proven results"


async def test_what_is_due_of_all_customers_longest_overdue_first(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    await desk.activate(customer_id="zain", start_date="2026-03-03")
    assert await desk.due() == [("acme", "PLAN_STEP", "2026-03-01")]
    assert await desk.due(SUNDAY - timedelta(days=1)) == []
    coming = await desk.due(SUNDAY + timedelta(days=8))
    assert coming == [
        ("acme", "PLAN_STEP", "2026-03-01"),
        *sorted([("acme", "PLAN_STEP", "2026-03-03"), ("zain", "PLAN_STEP", "2026-03-03")],
                key=lambda row: coming.index(row)),
        ("zain", "PLAN_STEP", "2026-03-05"),
        ("acme", "PLAN_STEP", "2026-03-07"),
        ("zain", "PLAN_STEP", "2026-03-09"),
    ]  # fmt: skip
    assert await desk.due(SUNDAY + timedelta(days=8), customer_id="zain") == [c for c in coming if c[0] == "zain"]
    answer = await desk.stub.ListDueTouchpoints(
        pb.ListDueTouchpointsRequest(as_of_time=at(SUNDAY + timedelta(days=8)), page_size=1)
    )
    assert answer.as_of_date == "2026-03-09"
    assert answer.touchpoints[0].days_overdue == 8


async def test_a_day_in_the_past_is_answered_as_it_ended(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    first = await desk.one("PLAN_STEP")
    second = await desk.one("PLAN_STEP", number=1)
    desk.clock.now = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)
    await desk.complete(first)
    await desk.move(second, "2026-03-20")
    by_day = {
        day: [row[2] for row in await desk.due(datetime(2026, 3, day, 9, 0, tzinfo=UTC))]
        for day in (1, 2, 3, 5, 6, 7, 20)
    }
    assert by_day == {
        1: ["2026-03-01"],
        2: ["2026-03-01"],
        3: ["2026-03-01", "2026-03-03"],
        5: ["2026-03-01", "2026-03-03"],
        6: [],
        7: ["2026-03-07"],
        20: ["2026-03-07", "2026-03-14", "2026-03-14", "2026-03-17", "2026-03-20"],
    }
    request = pb.ListDueTouchpointsRequest(as_of_time=at(datetime(2026, 3, 5, 9, 0, tzinfo=UTC)))
    found = (await desk.stub.ListDueTouchpoints(request)).touchpoints
    assert [one.days_overdue for one in found] == [4, 2], "as it was, whatever was done since"


# --- held back --------------------------------------------------------------------------------------------------------


def proof_pack(moment: datetime | None = None) -> context_pb2.Context:
    """A context in which onboarding was asked: delivered then, or not at all."""
    return context_pb2.Context(
        incidents_known=True,
        freezes_known=True,
        proof_pack_known=True,
        first_proof_pack_delivery_time=None if moment is None else at(moment),
    )


async def test_no_upgrade_before_the_first_proof_pack_and_then_it_goes_on_by_itself(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    held = await desk.one("UPGRADE_TALK", context=proof_pack())
    assert state_of(held) == "HELD"
    (reason,) = held.reasons
    assert reason.kind == "no_proof_pack_yet"
    assert "Proof Pack" in reason.text_ar
    assert "No upgrade" in reason.text_en
    draft = await desk.draft(held.draft_id)
    for refusal in (
        await refused(desk.complete(held, context=proof_pack())),
        await refused(desk.approve(draft, context=proof_pack())),
    ):
        assert (refusal.code, refusal.reason) == (PRECONDITION, "TOUCHPOINT_HELD")
        assert [row[0] for row in refusal.missing] == ["NO_PROOF_PACK_YET"]
    await desk.record("PROOF_PACK_DELIVERED", desk.clock.now)
    released = await desk.one("UPGRADE_TALK", context=proof_pack())
    assert (state_of(released), list(released.reasons)) == ("DRAFTED", []), "what is recorded here counts as well"
    assert (await desk.approve(draft, context=proof_pack())).draft.state == approval_pb2.DRAFT_STATE_APPROVED


async def test_a_proof_pack_that_onboarding_knows_of_releases_the_offer_and_one_that_nobody_told_of_does_not(
    desk: Desk,
) -> None:
    await desk.activate()
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    delivered, untold = proof_pack(datetime(2026, 3, 5, 9, 0, tzinfo=UTC)), NOTHING_OPEN
    offer = await desk.one("UPGRADE_TALK", context=untold)
    assert (state_of(offer), [reason.kind for reason in offer.reasons]) == ("HELD", ["proof_pack_unknown"])
    draft = await desk.draft(offer.draft_id)
    for refusal in (
        await refused(desk.complete(offer, context=untold)),
        await refused(desk.approve(draft, context=untold)),
        await refused(desk.approve(draft, context=proof_pack(desk.clock.now + timedelta(days=1)))),
    ):
        assert refusal.reason == "TOUCHPOINT_HELD"
    offer = await desk.one("UPGRADE_TALK", context=delivered)
    assert (state_of(offer), list(offer.reasons)) == ("DRAFTED", [])
    asked = pb.GetTouchpointRequest(touchpoint_id=offer.touchpoint_id, customer_id="acme", context=delivered)
    assert (await desk.stub.GetTouchpoint(asked)).touchpoint == offer
    request = pb.ListDueTouchpointsRequest(customer_id="acme", context=delivered)
    assert offer.touchpoint_id in {
        found.touchpoint_id
        for found in (await desk.stub.ListDueTouchpoints(request)).touchpoints
        if state_of(found) == "DRAFTED"
    }
    assert (await desk.approve(draft, context=delivered)).draft.state == approval_pb2.DRAFT_STATE_APPROVED
    assert state_of((await desk.complete(offer, context=delivered)).touchpoint) == "COMPLETED"


@pytest.mark.parametrize("looked_at", [False, True])
async def test_an_offer_that_was_held_without_a_draft_gets_one(on_each_engine: Desk, looked_at: bool) -> None:
    desk = on_each_engine
    await desk.activate()

    def as_once_done(unit: UnitOfWork) -> None:
        (offer,) = [one for one in store.open_touchpoints(unit.tx, "acme") if one.kind.value == "upgrade_talk"]
        held = replace(offer, state=TouchpointState.HELD, fired_at=unit.now, draft_id="")
        store.save_touchpoint(unit.tx, held, offer, number_of(unit.now.date()))
        unit.record("touchpoint.held", f"touchpoint/{held.touchpoint_id}")

    desk.clock.now = datetime(2026, 3, 14, 6, 0, tzinfo=UTC)
    if looked_at:
        await desk.catch_up()
    await desk.running.service.database.write_internal(Actor("service", "success-clock"), as_once_done)
    if looked_at:
        # Nothing else is due now: whatever is done to the plan sets the clock for it.
        await desk.complete(await desk.one("PLAN_STEP"))
    await desk.catch_up()
    offer = await desk.one("UPGRADE_TALK", context=proof_pack(SUNDAY))
    assert state_of(offer) == "DRAFTED"
    assert "Proof Pack" in (await desk.draft(offer.draft_id)).body_ar


async def test_an_offer_whose_proof_pack_turns_out_not_to_be_delivered_is_not_approved(desk: Desk) -> None:
    await desk.activate()
    (delivery,) = await desk.record("PROOF_PACK_DELIVERED", SUNDAY)
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    draft = await desk.draft((await desk.one("UPGRADE_TALK")).draft_id)
    await desk.record("RETRACTED", desk.clock.now, corrects_activity_id=delivery.activity_id)
    refusal = await refused(desk.approve(draft))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "TOUCHPOINT_HELD")
    await desk.record("PROOF_PACK_DELIVERED", desk.clock.now)
    assert (await desk.approve(draft)).draft.state == approval_pb2.DRAFT_STATE_APPROVED


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (NOTHING_OPEN, []),
        (NOBODY_TOLD, ["incidents_unknown"]),
        (SEV1, ["open_incident"]),
        (FROZEN, ["frozen_channel"]),
    ],
)
async def test_check_ins_and_offers_wait_while_an_incident_is_open_or_the_channel_frozen(
    desk: Desk, context: context_pb2.Context, expected: list[str]
) -> None:
    await desk.activate()
    await desk.record("PROOF_PACK_DELIVERED", SUNDAY)
    found = await desk.touchpoints(context=context)
    for one in found:
        suppressible = kind_of(one) in ("WEEKLY_CHECK_IN", "UPGRADE_TALK")
        assert [reason.kind for reason in one.reasons] == (expected if suppressible else [])
        assert all(reason.text_ar and reason.text_en for reason in one.reasons)
    offer = next(one for one in found if kind_of(one) == "UPGRADE_TALK")
    asked = pb.GetTouchpointRequest(touchpoint_id=offer.touchpoint_id, customer_id="acme", context=context)
    assert (await desk.stub.GetTouchpoint(asked)).touchpoint == offer


async def test_what_was_drafted_is_held_while_an_incident_is_open_and_goes_on_afterwards(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    await desk.record("PROOF_PACK_DELIVERED", SUNDAY)
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    waiting = {"WEEKLY_CHECK_IN", "UPGRADE_TALK"}

    async def in_state(name: str, context: context_pb2.Context) -> list[tuple[str, str]]:
        found = await desk.touchpoints(state=model.TouchpointState.Value(f"TOUCHPOINT_STATE_{name}"), context=context)
        return [(kind_of(one), state_of(one)) for one in found]

    assert set(await in_state("HELD", SEV1)) == {(kind, "HELD") for kind in waiting}
    assert set(await in_state("DRAFTED", SEV1)) == {("PLAN_STEP", "DRAFTED")}
    assert set(await in_state("HELD", NOBODY_TOLD)) == {(kind, "HELD") for kind in waiting}
    assert await in_state("HELD", NOTHING_OPEN) == []
    assert {kind for kind, _ in await in_state("DRAFTED", NOTHING_OPEN)} == {"PLAN_STEP", *waiting}
    request = pb.ListDueTouchpointsRequest(page_size=200, customer_id="acme", context=SEV1)
    due = (await desk.stub.ListDueTouchpoints(request)).touchpoints
    assert {kind_of(one): state_of(one) for one in due} == {
        "PLAN_STEP": "DRAFTED",
        "WEEKLY_CHECK_IN": "HELD",
        "UPGRADE_TALK": "HELD",
    }


async def test_a_check_in_is_not_completed_while_an_incident_is_open_that_was_so_at_its_time(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    found = await desk.one("WEEKLY_CHECK_IN")
    refusal = await refused(desk.complete(found, context=SEV1))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "CHECK_IN_SUPPRESSED")
    assert refusal.metadata == {"customer_id": "acme", "severity": "SEV1"}
    ((what, _, said),) = refusal.missing
    assert what == "OPEN_INCIDENT"
    assert "SEV1" in said.split("\n")[0]
    assert state_of(await desk.one("WEEKLY_CHECK_IN")) == "DRAFTED"
    # One that was opened only after the talk had nothing to do with it.
    later = context_pb2.Context()
    later.CopyFrom(SEV1)
    later.incidents[0].create_time.CopyFrom(at(desk.clock.now))
    before = at(desk.clock.now - timedelta(hours=1))
    done = await desk.complete(found, context=later, complete_time=before)
    assert state_of(done.touchpoint) == "COMPLETED"


@pytest.mark.parametrize("name", ["WEEKLY_CHECK_IN", "UPGRADE_TALK"])
async def test_their_drafts_are_not_approved_until_then(desk: Desk, name: str) -> None:
    await desk.activate()
    await desk.record("PROOF_PACK_DELIVERED", SUNDAY)
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    draft = await desk.draft((await desk.one(name)).draft_id)
    refusal = await refused(desk.approve(draft, context=SEV1))
    assert (refusal.code, refusal.reason) == (
        PRECONDITION,
        {"WEEKLY_CHECK_IN": "CHECK_IN_SUPPRESSED", "UPGRADE_TALK": "TOUCHPOINT_HELD"}[name],
    )
    ((what, _, said),) = refusal.missing
    assert what == "OPEN_INCIDENT"
    assert "SEV1" in said.split("\n")[0]
    refusal = await refused(desk.approve(draft, context=FROZEN))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "CHANNEL_FROZEN")
    assert (await desk.approve(draft)).draft.state == approval_pb2.DRAFT_STATE_APPROVED


async def test_a_renewal_talk_does_not_wait_for_an_incident_but_for_its_channel(desk: Desk) -> None:
    await desk.activate(renewal_date="2026-03-31")
    await desk.catch_up()
    draft = await desk.draft((await desk.one("RENEWAL_30_DAY")).draft_id)
    refusal = await refused(desk.approve(draft, context=FROZEN))
    assert refusal.reason == "CHANNEL_FROZEN"
    assert (await desk.approve(draft, context=SEV1)).draft.state == approval_pb2.DRAFT_STATE_APPROVED


async def test_of_all_customers_incidents_those_that_concern_a_customer_hold_its_check_in_back(desk: Desk) -> None:
    def writing(customer_id: str) -> pb.CreateWeeklyCheckInRequest:
        everybody = context_pb2.Context(incidents_known=True, freezes_known=True, all_customers=True)
        everybody.incidents.add(incident_id="inc_" + "a" * 26, severity="SEV1", customer_ids=["acme"])
        return pb.CreateWeeklyCheckInRequest(
            request_id=new_request_id(), actor=PERSON, customer_id=customer_id, context=everybody
        )

    assert (await refused(desk.stub.CreateWeeklyCheckIn(writing("acme")))).reason == "CHECK_IN_SUPPRESSED"
    assert (await desk.stub.CreateWeeklyCheckIn(writing("zain"))).check_in.customer_id == "zain"


async def test_a_check_in_is_not_written_on_a_frozen_channel(desk: Desk) -> None:
    await desk.activate()
    request = pb.CreateWeeklyCheckInRequest(
        request_id=new_request_id(), actor=PERSON, customer_id="acme", context=FROZEN
    )
    refusal = await refused(desk.stub.CreateWeeklyCheckIn(request))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "CHECK_IN_SUPPRESSED")
    assert refusal.metadata == {"customer_id": "acme", "channel": "email"}
    both = context_pb2.Context(
        incidents_known=True, freezes_known=True, freezes=FROZEN.freezes, incidents=SEV1.incidents
    )
    request.context.CopyFrom(both)
    refusal = await refused(desk.stub.CreateWeeklyCheckIn(request))
    assert refusal.metadata == {"customer_id": "acme", "channel": "email", "severity": "SEV1"}
    assert [row[0] for row in refusal.missing] == ["OPEN_INCIDENT", "FROZEN_CHANNEL"]
    request.channel = channel_pb2.CHANNEL_WHATSAPP
    request.context.CopyFrom(FROZEN)
    assert (await desk.stub.CreateWeeklyCheckIn(request)).check_in.draft_id


async def test_what_depends_on_incidents_is_refused_where_nobody_could_tell_and_the_rest_is_not(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    step, check_in = await desk.one("PLAN_STEP"), await desk.one("WEEKLY_CHECK_IN")
    draft = await desk.draft(check_in.draft_id)
    written = pb.CreateWeeklyCheckInRequest(
        request_id=new_request_id(), actor=PERSON, customer_id="zain", context=NOBODY_TOLD
    )
    for refusal in (
        await refused(desk.stub.CreateWeeklyCheckIn(written)),
        await refused(desk.complete(check_in, context=NOBODY_TOLD)),
        await refused(desk.approve(draft, context=NOBODY_TOLD)),
    ):
        assert (refusal.code, refusal.reason) == (PRECONDITION, "CHECK_IN_SUPPRESSED")
        assert "severity" not in refusal.metadata
        assert [row[0] for row in refusal.missing] == ["INCIDENTS_UNKNOWN"]
    assert state_of((await desk.complete(step, context=NOBODY_TOLD)).touchpoint) == "COMPLETED"
    assert state_of((await desk.complete(check_in, context=NOTHING_OPEN)).touchpoint) == "COMPLETED"


async def test_the_list_of_all_customers_holds_back_whom_an_incident_concerns_and_says_what_is_not_known(
    desk: Desk,
) -> None:
    for customer_id in ("acme", "zain"):
        await desk.activate(customer_id=customer_id)
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))

    async def check_ins(context: context_pb2.Context) -> dict[str, tuple[str, list[str]]]:
        answer = await desk.stub.ListDueTouchpoints(pb.ListDueTouchpointsRequest(page_size=200, context=context))
        return {
            found.customer_id: (state_of(found), [reason.kind for reason in found.reasons])
            for found in answer.touchpoints
            if kind_of(found) == "WEEKLY_CHECK_IN"
        }

    everybody = context_pb2.Context()
    everybody.CopyFrom(SEV1)
    everybody.all_customers = True
    held, ready = ("HELD", ["open_incident"]), ("DRAFTED", [])
    assert await check_ins(everybody) == {"acme": held, "zain": held}, "it names nobody"
    everybody.incidents[0].customer_ids.append("acme")
    assert await check_ins(everybody) == {"acme": held, "zain": ready}
    untold = ("HELD", ["incidents_unknown"])
    assert await check_ins(SEV1) == {"acme": untold, "zain": untold}, "of one customer: nobody knows of whom"
    assert await check_ins(NOBODY_TOLD) == {"acme": untold, "zain": untold}
    of_another = pb.GetTouchpointRequest(
        touchpoint_id=(await desk.one("WEEKLY_CHECK_IN")).touchpoint_id, customer_id="zain", context=NOTHING_OPEN
    )
    found = (await desk.stub.GetTouchpoint(of_another)).touchpoint
    assert (state_of(found), [reason.kind for reason in found.reasons]) == untold


# --- added ------------------------------------------------------------------------------------------------------------


def addition(**fields: Any) -> pb.AddTouchpointRequest:
    return pb.AddTouchpointRequest(
        **{
            "request_id": new_request_id(),
            "actor": SOFTWARE,
            "customer_id": "acme",
            "key": "sla-week-2026-02-22",
            "due_date": "2026-03-02",
            "reason": "تأخر الرد الأول مرتين",
            **fields,
        }
    )


async def test_a_talk_about_a_missed_service_level_is_added_once_and_falls_due(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    added = (await desk.stub.AddTouchpoint(addition())).touchpoint
    assert (kind_of(added), added.due_date, added.note) == ("SERVICE_REVIEW", "2026-03-02", "تأخر الرد الأول مرتين")
    assert await refused(desk.stub.AddTouchpoint(addition(due_date="2026-03-04"))) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        "TOUCHPOINT_EXISTS",
        {"customer_id": "acme", "touchpoint_id": added.touchpoint_id},
    )
    await desk.stub.ChangePlan(change())
    assert state_of(await desk.one("SERVICE_REVIEW")) == "SCHEDULED", "it is no part of the plan that changed"
    await desk.catch_up(SUNDAY + timedelta(days=1))
    draft = await desk.draft((await desk.one("SERVICE_REVIEW")).draft_id)
    assert "يوم الاثنين 2 مارس 2026" in draft.body_ar
    assert CLAIMS.check(draft.body_ar) == CLAIMS.check(draft.body_en) == ()
    assert (await desk.stub.AddTouchpoint(addition(key="sla-week-2026-03-01", due_date="2026-03-09"))).touchpoint
    await desk.stub.EndPlan(ending())
    refusal = await refused(desk.stub.AddTouchpoint(addition(key="other")))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "PLAN_NOT_ACTIVE")
    await desk.activate(start_date="2026-03-10")
    again = addition(key="sla-week-2026-03-01", due_date="2026-03-12")
    assert (await desk.stub.AddTouchpoint(again)).touchpoint.due_date == "2026-03-12", "the first one was cancelled"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"due_date": "2026-02-28"}, {"due_date": "IN_PAST"}),
        ({"due_date": "2027-03-02"}, {"due_date": "AFTER_RENEWAL"}),
        ({"reason": " "}, {"reason": "REQUIRED"}),
        ({"key": "SLA week"}, {"key": "STRING_PATTERN"}),
    ],
)
async def test_what_is_added_has_a_day_of_the_plan_a_key_and_a_reason(
    desk: Desk, fields: dict[str, str], named: dict[str, str]
) -> None:
    await desk.activate()
    assert (await refused(desk.stub.AddTouchpoint(addition(**fields)))).fields == named


# --- completed and moved ----------------------------------------------------------------------------------------------


async def test_a_person_completes_a_touchpoint_and_its_undecided_draft_is_withdrawn(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up()
    found = await desk.one("PLAN_STEP")
    refusal = await refused(desk.complete(found, actor=SOFTWARE))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERSON_REQUIRED")
    refusal = await refused(desk.complete(found, etag="r1"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    refusal = await refused(desk.complete(found, complete_time=at(desk.clock.now + timedelta(hours=1))))
    assert refusal.fields == {"complete_time": "IN_FUTURE"}
    refusal = await refused(desk.complete(found, complete_time=at(datetime(2001, 1, 1, tzinfo=UTC))))
    assert refusal.fields == {"complete_time": "BEFORE_PLAN"}
    done = (await desk.complete(found, note="حضر المدير", reference="minutes-1", etag=found.etag)).touchpoint
    assert (state_of(done), done.completer, done.note, done.reference) == (
        "COMPLETED",
        PERSON,
        "حضر المدير",
        "minutes-1",
    )
    assert (await desk.draft(found.draft_id)).state == approval_pb2.DRAFT_STATE_WITHDRAWN
    assert await desk.due() == []
    refusal = await refused(desk.complete(found))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "TOUCHPOINT_STATE_REFUSED")
    assert refusal.metadata == {"touchpoint_id": found.touchpoint_id, "state": "completed"}


async def test_one_that_was_completed_early_falls_due_no_more(desk: Desk) -> None:
    await desk.activate()
    later = await desk.one("PLAN_STEP", number=1)
    await desk.complete(later)
    await desk.catch_up(datetime(2026, 3, 5, 6, 0, tzinfo=UTC))
    assert state_of(await desk.one("PLAN_STEP", number=1)) == "COMPLETED"
    assert [entry.subject for entry in await desk.entries("touchpoint.drafted")] == [
        f"touchpoint/{(await desk.one('PLAN_STEP')).touchpoint_id}"
    ]


async def test_a_talk_whose_day_is_over_when_the_renewal_is_set_is_due_from_then_on(desk: Desk) -> None:
    await desk.activate()
    # Before the hour at which touchpoints of the day fall due.
    desk.clock.now = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
    await desk.stub.SetRenewalDate(renewal("2026-04-01"))
    talk = await desk.one("RENEWAL_30_DAY")
    assert (talk.planned_date, talk.due_date, talk.days_overdue) == ("2026-03-02", "2026-03-10", 0)
    due = {day: [row[1] for row in await desk.due(datetime(2026, 3, day, 9, 0, tzinfo=UTC))] for day in (9, 10)}
    assert ("RENEWAL_30_DAY" in due[9], "RENEWAL_30_DAY" in due[10]) == (False, True), "on the 9th nobody knew of it"
    await desk.catch_up()
    assert "يوم الأربعاء 1 أبريل 2026" in (await desk.draft((await desk.one("RENEWAL_30_DAY")).draft_id)).body_ar


async def test_a_check_in_that_took_place_is_the_one_of_its_week(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    # Monday, the day before it is due and drafted.
    desk.clock.now = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
    early = await desk.one("WEEKLY_CHECK_IN", number=1)
    await desk.complete(early)
    written = pb.CreateWeeklyCheckInRequest(request_id=new_request_id(), actor=PERSON, customer_id="acme")
    assert await refused(desk.stub.CreateWeeklyCheckIn(written)) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        "CHECK_IN_EXISTS",
        {
            "customer_id": "acme",
            "week_start": "2026-03-15",
            "check_in_id": "",
            "touchpoint_id": early.touchpoint_id,
        },
    )
    assert await refused(desk.complete(await desk.one("WEEKLY_CHECK_IN", number=2))) == Refusal(
        PRECONDITION, "WEEK_TAKEN", {"customer_id": "acme", "week_start": "2026-03-15"}
    )
    # The one of this week has no other day in it any more; the week of the one that was held a week early is free.
    await desk.complete(
        await desk.one("WEEKLY_CHECK_IN", number=3), complete_time=at(datetime(2026, 3, 10, 9, tzinfo=UTC))
    )
    refusal = await refused(desk.move(await desk.one("WEEKLY_CHECK_IN", number=2), "2026-03-18"))
    assert (refusal.reason, refusal.metadata["week_start"]) == ("WEEK_TAKEN", "2026-03-15")
    assert (
        await desk.move(await desk.one("WEEKLY_CHECK_IN", number=2), "2026-03-31")
    ).touchpoint.due_date == "2026-03-31"
    # A new plan dates that week again: its day 14.
    await desk.stub.EndPlan(ending())
    await desk.activate(start_date="2026-03-08")
    await desk.catch_up(datetime(2026, 3, 21, 6, 0, tzinfo=UTC))
    found = [
        (one.due_date, state_of(one))
        for one in await desk.touchpoints()
        if kind_of(one) == "WEEKLY_CHECK_IN" and one.fire_time.seconds
    ]
    assert found == [("2026-03-21", "CANCELLED")]
    assert await desk.entries("check_in.") == []
    desk.clock.now = datetime(2026, 3, 22, 9, 0, tzinfo=UTC)
    assert (await desk.stub.CreateWeeklyCheckIn(written)).check_in.week_start == "2026-03-22"


async def test_one_that_took_place_cancels_what_was_drafted_for_its_week(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    late = await desk.one("WEEKLY_CHECK_IN")
    await desk.catch_up(datetime(2026, 3, 17, 6, 0, tzinfo=UTC))
    drafted = await desk.one("WEEKLY_CHECK_IN", number=1)
    assert (state_of(late), state_of(drafted)) == ("DRAFTED", "DRAFTED")
    # The one of the week before, on the Sunday after it: that week's own is not needed any more.
    await desk.complete(late, complete_time=at(datetime(2026, 3, 15, 9, 0, tzinfo=UTC)))
    assert state_of(await desk.one("WEEKLY_CHECK_IN", number=1)) == "CANCELLED"
    draft = await desk.draft(drafted.draft_id)
    assert draft.state == approval_pb2.DRAFT_STATE_WITHDRAWN
    assert (await refused(desk.approve(draft))).code == PRECONDITION
    cancelled = await desk.entries("touchpoint.cancelled")
    assert [entry.subject for entry in cancelled] == [f"touchpoint/{drafted.touchpoint_id}"]
    # What is due in the weeks after it stays.
    assert state_of(await desk.one("WEEKLY_CHECK_IN", number=2)) == "SCHEDULED"


async def test_one_that_took_place_in_its_own_week_leaves_that_of_another(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up(datetime(2026, 3, 14, 6, 0, tzinfo=UTC))
    first = await desk.one("WEEKLY_CHECK_IN")
    await desk.catch_up(datetime(2026, 3, 17, 6, 0, tzinfo=UTC))
    await desk.complete(first, complete_time=at(datetime(2026, 3, 14, 9, 0, tzinfo=UTC)))
    assert state_of(await desk.one("WEEKLY_CHECK_IN", number=1)) == "DRAFTED"


async def test_a_moved_touchpoint_is_drafted_anew_on_its_day(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up()
    found = await desk.one("PLAN_STEP")
    moved = (await desk.move(found, "2026-03-05")).touchpoint
    assert (state_of(moved), moved.due_date, moved.planned_date) == ("SCHEDULED", "2026-03-05", START)
    assert (moved.draft_id, moved.reschedule_reason) == ("", "بطلب العميل")
    assert (await desk.draft(found.draft_id)).state == approval_pb2.DRAFT_STATE_WITHDRAWN
    await desk.catch_up(datetime(2026, 3, 4, 6, 0, tzinfo=UTC))
    asked = pb.GetTouchpointRequest(touchpoint_id=found.touchpoint_id)
    assert state_of((await desk.stub.GetTouchpoint(asked)).touchpoint) == "SCHEDULED"
    await desk.catch_up(datetime(2026, 3, 5, 6, 0, tzinfo=UTC))
    again = (await desk.stub.GetTouchpoint(asked)).touchpoint
    assert state_of(again) == "DRAFTED"
    assert again.draft_id not in ("", found.draft_id)


async def test_one_whose_draft_was_approved_is_not_moved(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up()
    found = await desk.one("PLAN_STEP")
    await desk.approve(await desk.draft(found.draft_id))
    refusal = await refused(desk.move(found, "2026-03-05"))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "TOUCHPOINT_STATE_REFUSED")
    assert refusal.metadata["state"] == "approved"


async def test_a_check_in_is_not_moved_into_a_week_that_has_one(desk: Desk) -> None:
    await desk.activate()
    found = await desk.one("WEEKLY_CHECK_IN", number=1)
    assert await refused(desk.move(found, "2026-03-26")) == Refusal(
        PRECONDITION, "WEEK_TAKEN", {"customer_id": "acme", "week_start": "2026-03-22"}
    )
    assert (await desk.move(found, "2026-03-19")).touchpoint.due_date == "2026-03-19"
    refusal = await refused(desk.move(found, "2026-02-28"))
    assert refusal.fields == {"due_date": "IN_PAST"}


# --- changed ----------------------------------------------------------------------------------------------------------


async def test_a_plan_changes_with_the_customers_consent_and_its_history_is_kept(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate()
    desk.clock.now = SUNDAY + timedelta(minutes=5)
    await desk.catch_up()
    first = await desk.one("PLAN_STEP")
    second = await desk.one("PLAN_STEP", number=1)
    await desk.complete(second)
    answer = await desk.stub.ChangePlan(change(start_date="2026-03-10", etag="r1", note="أهداف أوسع"))
    assert (answer.plan.bundle_id, answer.plan.start_date, answer.plan.etag) == (
        "executive_growth_os",
        "2026-03-10",
        "r2",
    )
    found = await desk.touchpoints()
    by_id = {one.touchpoint_id: one for one in found}
    assert state_of(by_id[first.touchpoint_id]) == "CANCELLED"
    assert state_of(by_id[second.touchpoint_id]) == "COMPLETED"
    assert (await desk.draft(first.draft_id)).state == approval_pb2.DRAFT_STATE_WITHDRAWN
    still = [one for one in found if state_of(one) == "SCHEDULED"]
    assert [one.touchpoint_id for one in still] == [one.touchpoint_id for one in answer.touchpoints]
    assert {one.due_date for one in still if kind_of(one).startswith("RENEWAL")} == {"2027-01-30", "2027-02-22"}
    assert min(one.due_date for one in still) == "2026-03-10"
    assert answer.cancelled_touchpoints == sum(state_of(one) == "CANCELLED" for one in found)
    changes = (await desk.stub.ListPlanChanges(pb.ListPlanChangesRequest(customer_id="acme"))).changes
    assert [(c.bundle_id, c.HasField("consent"), c.note) for c in changes] == [
        ("growth_starter", False, ""),
        ("executive_growth_os", True, "أهداف أوسع"),
    ]
    assert changes[1].consent == consent()
    assert changes[1].actor == PERSON


async def test_a_new_channel_leaves_the_dates_alone(desk: Desk) -> None:
    before = await desk.activate()
    answer = await desk.stub.ChangePlan(change(bundle_id="", channel=channel_pb2.CHANNEL_WHATSAPP))
    assert (answer.plan.channel, answer.cancelled_touchpoints) == (channel_pb2.CHANNEL_WHATSAPP, 0)
    assert list(answer.touchpoints) == list(before.touchpoints)
    await desk.catch_up()
    draft = await desk.draft((await desk.one("PLAN_STEP")).draft_id)
    assert draft.channel == channel_pb2.CHANNEL_WHATSAPP


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"consent": None}, {"consent": "REQUIRED"}),
        ({"consent": consent(consent_time=at(SUNDAY + timedelta(days=1)))}, {"consent.consent_time": "IN_FUTURE"}),
        ({"bundle_id": "", "start_date": ""}, {"bundle_id": "NOTHING_TO_CHANGE"}),
        ({"bundle_id": "growth_starter"}, {"bundle_id": "NOTHING_TO_CHANGE"}),
        ({"start_date": "2026-02-01"}, {"start_date": "IN_PAST"}),
        ({"start_date": RENEWAL}, {"start_date": "RENEWAL_NOT_AFTER_START"}),
        ({"bundle_id": "enterprise"}, {"bundle_id": "UNKNOWN_VALUE"}),
        (
            {"bundle_id": "enterprise", "start_date": "2026-02-30"},
            {"bundle_id": "UNKNOWN_VALUE", "start_date": "NOT_A_DATE"},
        ),
    ],
)
async def test_a_change_without_consent_or_without_sense_is_refused(
    desk: Desk, fields: dict[str, Any], named: dict[str, str]
) -> None:
    await desk.activate()
    refusal = await refused(desk.stub.ChangePlan(change(**fields)))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELDS", named)
    assert len(await desk.entries()) == 1


@pytest.mark.parametrize("make", [change, ending, lambda **fields: renewal("2027-06-01", **fields)])
async def test_only_a_person_changes_a_plan_and_only_one_that_is_there(desk: Desk, make: Any) -> None:
    def send(request: Any) -> Any:
        return getattr(desk.stub, type(request).__name__.removesuffix("Request"))(request)

    assert await refused(send(make())) == Refusal(grpc.StatusCode.NOT_FOUND, "PLAN_NOT_FOUND", {"customer_id": "acme"})
    await desk.activate()
    refusal = await refused(send(make(actor=SOFTWARE)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERSON_REQUIRED")
    refusal = await refused(send(make(etag="r7")))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    await desk.stub.EndPlan(ending())
    refusal = await refused(send(make()))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "PLAN_NOT_ACTIVE")


async def test_a_renewal_date_moves_its_talks_and_how_far_the_plan_goes(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await desk.activate(renewal_date="2026-04-10")
    assert max(t.due_date for t in await desk.touchpoints()) == "2026-04-07"
    longer = await desk.stub.SetRenewalDate(renewal("2026-09-01"))
    assert [t.due_date for t in longer.renewal_touchpoints] == ["2026-08-02", "2026-08-25"]
    assert longer.cancelled_touchpoints == 2
    still = [t for t in await desk.touchpoints() if state_of(t) == "SCHEDULED"]
    assert "2026-05-29" in {t.due_date for t in still if kind_of(t) == "QUARTERLY_BUSINESS_REVIEW"}
    weeks = [t.due_date for t in still if kind_of(t) == "WEEKLY_CHECK_IN"]
    assert len(weeks) == len(set(weeks))
    shorter = await desk.stub.SetRenewalDate(renewal("2026-04-10"))
    assert [t.due_date for t in shorter.renewal_touchpoints] == ["2026-03-11", "2026-04-03"]
    still = [t for t in await desk.touchpoints() if state_of(t) == "SCHEDULED"]
    assert max(t.due_date for t in still) <= "2026-04-10"
    assert shorter.plan.dated_until == "2026-04-10"
    for day in ("2026-03-01", "2026-04-10", "2026-02-29"):
        assert (await refused(desk.stub.SetRenewalDate(renewal(day)))).reason == "INVALID_FIELDS"


async def test_a_talk_that_took_place_for_a_date_is_not_dated_again_when_the_date_comes_back(desk: Desk) -> None:
    await desk.activate(renewal_date="2026-03-25")
    await desk.complete(await desk.one("RENEWAL_30_DAY"))
    await desk.stub.SetRenewalDate(renewal("2026-09-01"))
    back = await desk.stub.SetRenewalDate(renewal("2026-03-25"))
    assert [kind_of(t) for t in back.renewal_touchpoints] == ["RENEWAL_7_DAY"]


# --- lists ------------------------------------------------------------------------------------------------------------


async def test_touchpoints_by_state_and_page(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up()
    drafted = await desk.touchpoints(state=model.TOUCHPOINT_STATE_DRAFTED)
    assert [kind_of(found) for found in drafted] == ["PLAN_STEP"]
    answer = await desk.stub.ListTouchpoints(pb.ListTouchpointsRequest(customer_id="acme"))
    assert answer.approval_required is True
    await desk.approve(await desk.draft(drafted[0].draft_id))
    answer = await desk.stub.ListTouchpoints(pb.ListTouchpointsRequest(customer_id="acme"))
    assert answer.approval_required is False
    assert date.fromisoformat(answer.touchpoints[0].due_date) == SUNDAY.date()


async def test_an_unknown_touchpoint_or_plan_is_not_found(desk: Desk) -> None:
    unknown = "tch_" + "a" * 26
    refusal = await refused(desk.stub.GetTouchpoint(pb.GetTouchpointRequest(touchpoint_id=unknown)))
    assert refusal == Refusal(grpc.StatusCode.NOT_FOUND, "TOUCHPOINT_NOT_FOUND", {"touchpoint_id": unknown})
    refusal = await refused(desk.stub.GetPlan(pb.GetPlanRequest(customer_id="nobody")))
    assert refusal == Refusal(grpc.StatusCode.NOT_FOUND, "PLAN_NOT_FOUND", {"customer_id": "nobody"})
    assert not (await desk.stub.ListPlanChanges(pb.ListPlanChangesRequest(customer_id="nobody"))).changes


async def test_the_ledger_of_a_plans_life_is_whole(desk: Desk) -> None:
    await desk.activate()
    await desk.catch_up(SUNDAY + timedelta(days=15))
    await desk.stub.ChangePlan(change())
    await desk.stub.EndPlan(ending())
    verified = await desk.ledger.VerifyLedger(ledger_service_pb2.VerifyLedgerRequest())
    assert verified.intact
    assert verified.checked == len(await desk.entries()) > 30


async def test_what_was_due_at_the_end_of_each_day_is_answered_so_ever_after(on_each_engine: Desk) -> None:
    desk, chance = on_each_engine, random.Random("due")
    for number in range(3):
        await desk.activate(customer_id=f"c{number}", start_date=f"2026-03-0{number + 1}")
    at_the_time = {}
    for day in range(28):
        desk.clock.now = SUNDAY + timedelta(days=day)
        await desk.catch_up()
        for number in range(3):
            found = [t for t in await desk.touchpoints(f"c{number}") if state_of(t) in ("SCHEDULED", "DRAFTED")]
            if not found or chance.random() < 0.5:
                continue
            one = chance.choice(found[:4])
            to = desk.clock.now.date() + timedelta(days=chance.randint(0, 9))
            # An offer may be held, a week may have a check-in: then nothing changes.
            with contextlib.suppress(grpc.aio.AioRpcError):
                await (desk.complete(one) if chance.random() < 0.6 else desk.move(one, to.isoformat()))
        if day == 20:
            await desk.stub.EndPlan(ending(customer_id="c2"))
        at_the_time[day] = await desk.due()
    assert sum(map(len, at_the_time.values())) > 100
    for day, then in at_the_time.items():
        assert await desk.due(SUNDAY + timedelta(days=day, hours=5)) == then, day
