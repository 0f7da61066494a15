"""Recorded activity over a socket, and risk and health made from it for any day."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import approval_pb2, channel_pb2, context_pb2, draft_pb2
from dealix.success.v1 import activity_pb2 as model
from dealix.success.v1 import success_pb2
from dealix.success.v1 import success_service_pb2 as pb

from services.domain.claims import ClaimChecker, load_claims
from tests.rpc.client import PERSON, SOFTWARE, Refusal, new_request_id, refused
from tests.rpc.test_success_plans import FROZEN, NOBODY_TOLD, SEV1, Desk, at, proof_pack, started

CLAIMS = ClaimChecker(load_claims())
# A Tuesday noon in Riyadh.
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with started(tmp_path) as desk:
        desk.clock.now = NOW
        yield desk


@pytest.fixture
async def on_each_engine(tmp_path: Path, database_url: str) -> AsyncIterator[Desk]:
    async with started(tmp_path, database_url) as desk:
        desk.clock.now = NOW
        yield desk


def event(name: str, moment: datetime = NOW, **fields: Any) -> model.ActivityInput:
    return model.ActivityInput(kind=model.ActivityKind.Value(f"ACTIVITY_KIND_{name}"), occur_time=at(moment), **fields)


def recording(events: list[model.ActivityInput], customer_id: str = "acme") -> pb.RecordActivityRequest:
    return pb.RecordActivityRequest(request_id=new_request_id(), actor=SOFTWARE, customer_id=customer_id, events=events)


async def record(desk: Desk, *events: model.ActivityInput, customer_id: str = "acme") -> list[model.Activity]:
    return list((await desk.stub.RecordActivity(recording(list(events), customer_id))).activities)


async def risk(
    desk: Desk, customer_id: str = "acme", moment: datetime | None = None, context: context_pb2.Context | None = None
) -> model.CustomerRisk:
    request = pb.GetCustomerRiskRequest(customer_id=customer_id, context=context)
    if moment is not None:
        request.as_of_time.CopyFrom(at(moment))
    return (await desk.stub.GetCustomerRisk(request)).risk


async def health(
    desk: Desk, customer_id: str = "acme", moment: datetime | None = None, context: context_pb2.Context | None = None
) -> model.CustomerHealth:
    request = pb.GetCustomerHealthRequest(customer_id=customer_id, context=context)
    if moment is not None:
        request.as_of_time.CopyFrom(at(moment))
    return (await desk.stub.GetCustomerHealth(request)).health


def severity(found: Any) -> str:
    return success_pb2.RiskSeverity.Name(found.severity).removeprefix("RISK_SEVERITY_")


async def at_risk(desk: Desk, moment: datetime | None = None, **fields: Any) -> list[tuple[str, str, int]]:
    """The list, read a page of three at a time: customer, severity, score."""
    found: list[tuple[str, str, int]] = []
    request = pb.ListAtRiskRequest(page_size=3, **fields)
    if moment is not None:
        request.as_of_time.CopyFrom(at(moment))
    while True:
        page = await desk.stub.ListAtRisk(request)
        found += [(one.customer_id, severity(one), one.risk_score) for one in page.customers]
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


# --- events -----------------------------------------------------------------------------------------------------------


async def test_events_are_kept_as_they_were_said_latest_first(on_each_engine: Desk) -> None:
    made = await record(
        on_each_engine,
        event("REPLIES", NOW - DAY, count=4, reference="batch-1"),
        event("CSAT", NOW - 2 * DAY, value=8.5),
        event("SEEN_ACTIVE", NOW),
    )
    listed = (await on_each_engine.stub.ListActivities(pb.ListActivitiesRequest(customer_id="acme"))).activities
    assert list(listed) == [made[2], made[0], made[1]]
    replies, csat, seen = made
    assert (replies.count, replies.HasField("value"), replies.reference) == (4, False, "batch-1")
    assert (csat.value, csat.HasField("count")) == (8.5, False)
    assert (seen.HasField("count"), seen.actor) == (False, SOFTWARE)
    of_kind = pb.ListActivitiesRequest(customer_id="acme", kind=model.ACTIVITY_KIND_CSAT)
    assert list((await on_each_engine.stub.ListActivities(of_kind)).activities) == [csat]
    entries = await on_each_engine.entries("activity.")
    assert [entry.subject for entry in entries] == [f"activity/{one.activity_id}" for one in made]
    assert "batch-1" not in str(entries), "the ledger holds ids and field names"


async def test_a_later_event_takes_the_place_of_a_wrong_one(on_each_engine: Desk) -> None:
    desk = on_each_engine
    (wrong,) = await record(desk, event("DRAFTS_CREATED", NOW - DAY, count=12))
    assert (await risk(desk)).activity.drafts_pending == 12
    (right,) = await record(desk, event("DRAFTS_CREATED", NOW - DAY, count=2, corrects_activity_id=wrong.activity_id))
    assert (await risk(desk)).activity.drafts_pending == 2
    await record(desk, event("RETRACTED", corrects_activity_id=right.activity_id))
    found = await risk(desk)
    assert not found.activity.HasField("drafts_pending"), "what was never created is not known, not zero"
    listed = (await desk.stub.ListActivities(pb.ListActivitiesRequest(customer_id="acme"))).activities
    corrected = {one.activity_id: one.corrected_by_activity_id for one in listed}
    assert (len(listed), corrected[wrong.activity_id]) == (3, right.activity_id)
    assert sorted(bool(later) for later in corrected.values()) == [False, True, True]


async def test_a_correction_of_what_is_not_there_or_was_corrected_is_refused(desk: Desk) -> None:
    (wrong,) = await record(desk, event("REPLIES", count=3))
    correction = event("REPLIES", count=2, corrects_activity_id=wrong.activity_id)
    refusal = await refused(desk.stub.RecordActivity(recording([event("SEEN_ACTIVE"), correction], "zain")))
    assert refusal == Refusal(
        grpc.StatusCode.NOT_FOUND, "ACTIVITY_NOT_FOUND", {"activity_id": wrong.activity_id, "customer_id": "zain"}
    )
    (right,) = await record(desk, correction)
    refusal = await refused(desk.stub.RecordActivity(recording([event("SEEN_ACTIVE"), correction])))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "ACTIVITY_CORRECTED")
    assert refusal.metadata == {"activity_id": wrong.activity_id, "corrected_by": right.activity_id}
    # All of a call, or nothing.
    assert len(await desk.entries()) == 2


async def test_faulty_events_are_named_with_their_place(desk: Desk) -> None:
    faulty = recording(
        [event("REPLIES", NOW + DAY), event("CSAT", value=11), event("SEEN_ACTIVE", count=1), event("RETRACTED")]
    )
    refusal = await refused(desk.stub.RecordActivity(faulty))
    assert refusal.fields == {
        "events[0].occur_time": "IN_FUTURE",
        "events[1].value": "TOO_LARGE",
        "events[2].count": "NOT_COUNTED",
        "events[3].corrects_activity_id": "REQUIRED",
    }
    assert (await refused(desk.stub.RecordActivity(recording([])))).fields == {"events": "REPEATED_MIN_ITEMS"}


# --- risk and health --------------------------------------------------------------------------------------------------


async def test_a_customer_of_whom_nothing_is_known_is_unknown(on_each_engine: Desk) -> None:
    found = await risk(on_each_engine, "nobody")
    assert (severity(found), found.coverage, found.HasField("score_change")) == ("UNKNOWN", 0, False)
    assert [factor.HasField("points") for factor in found.factors] == [False] * 3
    assert all(factor.text_ar and factor.text_en for factor in found.factors)
    well = await health(on_each_engine, "nobody")
    assert well.verdict == success_pb2.HEALTH_VERDICT_UNKNOWN
    assert (well.coverage, well.HasField("health_score")) == (0, False)
    assert not await at_risk(on_each_engine)


async def test_risk_with_each_factor_and_the_change_of_the_week(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await record(
        desk,
        event("SEEN_ACTIVE", NOW - 15 * DAY),
        event("DRAFTS_CREATED", NOW - 20 * DAY, count=8),
        event("DRAFTS_CREATED", NOW - 2 * DAY, count=4),
        event("PROOF_PACK_DELIVERED", NOW - 16 * DAY),
    )
    found = await risk(desk)
    assert (found.risk_score, severity(found), found.coverage) == (95, "HIGH", 1.0)
    assert {
        factor.factor: (factor.value, factor.points, factor.value_week_before, factor.points_week_before)
        for factor in found.factors
    } == {
        "days_inactive": (15, 40, 8, 20),
        "drafts_pending": (12, 25, 8, 10),
        "days_since_proof_pack": (16, 30, 9, 0),
    }
    assert [factor.points_change for factor in found.factors] == [20, 15, 30]
    assert (found.score_week_before, found.score_change) == (30, 65)
    assert success_pb2.RiskSeverity.Name(found.severity_week_before) == "RISK_SEVERITY_MEDIUM"
    assert "المؤسس" in found.recommended_action_ar
    # The same question of a week ago, asked directly.
    before = await risk(desk, moment=NOW - 7 * DAY)
    assert (before.risk_score, before.as_of_date) == (30, "2026-03-03")
    assert [factor.value for factor in before.factors] == [8, 8, 9]


async def test_health_with_each_factor_and_the_change_of_the_week(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await record(
        desk,
        event("CSAT", NOW - 9 * DAY, value=6),
        event("CSAT", NOW - DAY, value=9),
        event("PIPELINE_SAR", NOW - 9 * DAY, value=10_000),
        event("MEETINGS", NOW - 10 * DAY, count=1),
        event("MEETINGS", NOW - 34 * DAY, count=5),
        event("DRAFTS_CREATED", NOW - 10 * DAY, count=6),
        event("DRAFTS_APPROVED", NOW - 9 * DAY, count=3),
        event("DRAFTS_REJECTED", NOW - 9 * DAY, count=1),
    )
    found = await health(desk)
    # 9×5 + 10 + 1×8 + 0.75×50 − 1×2 − 2
    assert (found.health_score, found.coverage) == (96.5, 1.0)
    # A week before: 6×5 + 10 + (1 + 5)×8 + 0.75×50 − 2×2 − 2, at most 100.
    assert (found.score_week_before, found.score_change) == (100, -3.5)
    by_name = {factor.factor: factor for factor in found.factors}
    assert (by_name["csat"].points, by_name["csat"].points_week_before, by_name["csat"].points_change) == (45, 30, 15)
    assert (by_name["meetings"].value, by_name["meetings"].value_week_before) == (1, 6)
    assert (by_name["days_inactive"].value, by_name["days_inactive"].value_week_before) == (1, 2)
    assert found.activity.csat == 9
    assert found.activity.last_active_date == "2026-03-09"


async def test_of_values_at_the_same_instant_the_one_recorded_last_counts(on_each_engine: Desk) -> None:
    desk = on_each_engine
    for number in range(6):
        customer_id = f"c{number}"
        await record(desk, event("CSAT", value=9), event("CSAT", value=2), customer_id=customer_id)
        assert (await health(desk, customer_id)).activity.csat == 2, "the later in the request"
    desk.clock.now += timedelta(minutes=1)
    for number in range(6):
        customer_id = f"c{number}"
        await record(desk, event("CSAT", value=7), customer_id=customer_id)
        assert (await health(desk, customer_id)).activity.csat == 7


async def test_the_age_of_a_proof_pack_can_be_unknown_or_known_to_be_none(desk: Desk) -> None:
    await record(desk, event("SEEN_ACTIVE"), event("DRAFTS_CREATED", count=1))
    unknown = await risk(desk)
    assert (unknown.factors[2].HasField("points"), unknown.activity.no_proof_pack_yet) == (False, False)
    assert severity(unknown) == "UNKNOWN", "an old Proof Pack would make it medium"
    await desk.activate(start_date="2026-03-01")
    for found in (await risk(desk), await risk(desk, context=proof_pack())):
        assert (found.factors[2].points, found.activity.no_proof_pack_yet, severity(found)) == (0, True, "LOW")
    assert not (await desk.stub.ListAtRisk(pb.ListAtRiskRequest())).customers
    assert (await health(desk)).activity.no_proof_pack_yet
    assert severity(await risk(desk, context=NOBODY_TOLD)) == "UNKNOWN", "onboarding was asked and could not tell"
    offer = await desk.one("UPGRADE_TALK")
    assert "proof_pack_unknown" in {reason.kind for reason in offer.reasons}, "an offer waits until somebody can tell"
    found = await risk(desk, context=proof_pack())
    assert (found.factors[2].points, found.activity.no_proof_pack_yet, severity(found)) == (0, True, "LOW")
    assert (await health(desk, context=proof_pack())).activity.no_proof_pack_yet
    delivered = proof_pack(NOW - 16 * DAY)
    found = await risk(desk, context=delivered)
    assert (found.factors[2].value, found.factors[2].points, severity(found)) == (16, 30, "MEDIUM")
    assert (found.factors[2].value_week_before, found.factors[2].points_week_before) == (9, 0)
    assert (found.activity.last_proof_pack_date, found.activity.proof_packs_delivered) == ("2026-02-22", 1)
    made = await alert(desk, "acme", context=delivered)
    assert (severity(made.alert), made.risk.factors[2].value) == ("MEDIUM", 16)
    delivered.first_proof_pack_delivery_time.seconds = 10**12
    refusal = await refused(risk(desk, context=delivered))
    assert refusal.fields == {"context.first_proof_pack_delivery_time": "TIME_OUT_OF_RANGE"}
    calculated = await desk.stub.BuildAtRiskAlert(
        pb.BuildAtRiskAlertRequest(days_inactive=0, drafts_pending=1, proof_pack_age_unknown=True)
    )
    assert severity(calculated) == "UNKNOWN"
    assert list(calculated.unknown_inputs) == ["days_since_proof_pack"]
    refusal = await refused(
        desk.stub.BuildAtRiskAlert(pb.BuildAtRiskAlertRequest(days_since_proof_pack=3, proof_pack_age_unknown=True))
    )
    assert refusal.fields == {"days_since_proof_pack": "CONTRADICTION"}


async def test_days_are_counted_by_the_calendar_of_riyadh(desk: Desk) -> None:
    # 23:30 in Riyadh on 2 March.
    await record(desk, event("SEEN_ACTIVE", datetime(2026, 3, 2, 20, 30, tzinfo=UTC)))
    for moment, days in (
        (datetime(2026, 3, 2, 20, 45, tzinfo=UTC), 0),
        (datetime(2026, 3, 2, 21, 15, tzinfo=UTC), 1),
        (datetime(2026, 3, 9, 20, 59, tzinfo=UTC), 7),
        (datetime(2026, 3, 9, 21, 0, tzinfo=UTC), 8),
    ):
        assert (await risk(desk, moment=moment)).factors[0].value == days


async def test_nobody_asks_for_a_day_to_come(desk: Desk) -> None:
    for call in (risk(desk, moment=NOW + DAY), health(desk, moment=NOW + DAY), at_risk(desk, moment=NOW + DAY)):
        assert (await refused(call)).fields == {"as_of_time": "IN_FUTURE"}


# --- who is at risk ---------------------------------------------------------------------------------------------------


async def some_customers(desk: Desk) -> None:
    """One customer of each kind, in no order."""
    fresh = [event("PROOF_PACK_DELIVERED", NOW - DAY)]
    for customer_id, events in {
        "calm": [event("SEEN_ACTIVE", NOW), event("DRAFTS_CREATED", count=1), *fresh],
        "medium": [event("SEEN_ACTIVE", NOW - 14 * DAY), event("DRAFTS_CREATED", count=1), *fresh],
        "worst": [
            event("SEEN_ACTIVE", NOW - 30 * DAY),
            event("DRAFTS_CREATED", count=10),
            event("PROOF_PACK_DELIVERED", NOW - 20 * DAY),
        ],
        "high": [event("SEEN_ACTIVE", NOW - 14 * DAY), event("DRAFTS_CREATED", count=10), *fresh],
        "dim": [event("REPLIES", count=1)],
    }.items():
        await record(desk, *events, customer_id=customer_id)


async def test_who_is_at_risk_worst_first_and_the_unknown_last(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await some_customers(desk)
    assert await at_risk(desk) == [
        ("worst", "HIGH", 95),
        ("high", "HIGH", 65),
        ("medium", "MEDIUM", 40),
        ("dim", "UNKNOWN", 0),
    ]
    for name, expected in (("HIGH", ["worst", "high"]), ("LOW", ["calm"]), ("UNKNOWN", ["dim"])):
        number = success_pb2.RiskSeverity.Value(f"RISK_SEVERITY_{name}")
        assert [row[0] for row in await at_risk(desk, severity=number)] == expected


async def test_a_day_in_the_past_has_the_list_of_its_own(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await some_customers(desk)
    for back in range(0, 40, 3):
        moment = NOW - back * DAY
        listed = await at_risk(desk, moment)
        for customer_id, level, score in listed:
            found = await risk(desk, customer_id, moment)
            assert (level, score) == (severity(found), found.risk_score)
        for customer_id in {"calm", "medium", "worst", "high", "dim"} - {row[0] for row in listed}:
            found = await risk(desk, customer_id, moment)
            assert severity(found) == "LOW" or found.coverage == 0, "not at risk, or nobody's customer yet"


async def test_time_alone_brings_customers_onto_the_list_and_activity_takes_them_off(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await record(desk, event("SEEN_ACTIVE"), event("DRAFTS_CREATED", count=10), event("PROOF_PACK_DELIVERED", NOW))
    seen = {}
    for day in range(16):
        desk.clock.now = NOW + day * DAY
        seen[day] = await at_risk(desk)
    assert [day for day, rows in seen.items() if not rows] == list(range(7)), "25 points for drafts are low"
    assert seen[7] == [("acme", "MEDIUM", 45)]
    assert seen[14] == [("acme", "HIGH", 95)]
    await record(desk, event("DRAFTS_APPROVED", desk.clock.now, count=8))
    assert await at_risk(desk) == [("acme", "MEDIUM", 30)]
    # What it was yesterday stays what it was.
    assert await at_risk(desk, desk.clock.now - DAY) == [("acme", "HIGH", 95)]


async def test_the_list_is_what_each_customer_comes_to_whatever_was_recorded_when(on_each_engine: Desk) -> None:
    desk, chance = on_each_engine, random.Random("at risk")
    names = ("SEEN_ACTIVE", "DRAFTS_CREATED", "DRAFTS_APPROVED", "PROOF_PACK_DELIVERED", "REPLIES")
    customers = [f"c{number}" for number in range(6)]
    made: dict[str, list[str]] = {customer: [] for customer in customers}
    for _ in range(60):
        customer, name = chance.choice(customers), chance.choice(names)
        fields: dict[str, Any] = {"count": chance.randint(0, 9)} if name not in names[::3] else {}
        if made[customer] and chance.random() < 0.3:
            fields["corrects_activity_id"] = made[customer].pop()
        moment = NOW - timedelta(days=chance.randint(0, 40), hours=chance.randint(0, 20))
        (kept,) = await record(desk, event(name, moment, **fields), customer_id=customer)
        made[customer].append(kept.activity_id)
    await desk.activate(customer_id="c0", start_date="2026-02-20", channel=channel_pb2.CHANNEL_PHONE)
    for back in (0, 1, 5, 13, 14, 30, 45):
        moment = NOW - back * DAY
        listed = {row[0]: row[1:] for row in await at_risk(desk, moment)}
        for customer in customers:
            found = await risk(desk, customer, moment)
            if severity(found) == "LOW":
                assert customer not in listed
            elif customer in listed:
                assert listed[customer] == (severity(found), found.risk_score)
            else:
                assert found.coverage == 0, "whoever is not listed was not known of then"


# --- alerts -----------------------------------------------------------------------------------------------------------


async def alert(desk: Desk, customer_id: str, **fields: Any) -> Any:
    return await desk.stub.CreateAtRiskAlert(
        pb.CreateAtRiskAlertRequest(request_id=new_request_id(), actor=PERSON, customer_id=customer_id, **fields)
    )


async def test_an_alert_is_a_draft_inside_dealix_with_every_reason(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await some_customers(desk)
    answer = await alert(desk, "high", context=SEV1)
    assert answer.approval_required is True
    assert (answer.alert.risk_score, severity(answer.alert), answer.alert.as_of_date) == (65, "HIGH", "2026-03-10")
    draft = await desk.draft(answer.alert.draft_id)
    assert (draft.kind, draft.channel) == (draft_pb2.DRAFT_KIND_AT_RISK_ALERT, channel_pb2.CHANNEL_INTERNAL)
    assert "65" in draft.body_ar
    assert "(+40)" in draft.body_ar
    assert "(+25)" in draft.body_en
    assert CLAIMS.check(draft.body_ar) == CLAIMS.check(draft.body_en) == ()
    # No freeze holds back what stays inside.
    assert (await desk.approve(draft, context=FROZEN)).draft.state == approval_pb2.DRAFT_STATE_APPROVED
    refusal = await refused(alert(desk, "high"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "AT_RISK_ALERT_EXISTS")
    assert refusal.metadata == {"customer_id": "high", "alert_id": answer.alert.alert_id}
    listed = (await desk.stub.ListAtRiskAlerts(pb.ListAtRiskAlertsRequest(customer_id="high"))).alerts
    assert list(listed) == [answer.alert]


@pytest.mark.parametrize(("customer_id", "level"), [("calm", "LOW"), ("dim", "UNKNOWN"), ("nobody", "UNKNOWN")])
async def test_no_alert_about_who_is_not_at_risk(desk: Desk, customer_id: str, level: str) -> None:
    await some_customers(desk)
    assert await refused(alert(desk, customer_id)) == Refusal(
        PRECONDITION, "NOT_AT_RISK", {"customer_id": customer_id, "severity": level}
    )


async def test_a_medium_alert_waits_for_an_incident_and_a_high_one_never(desk: Desk) -> None:
    await some_customers(desk)
    refusal = await refused(alert(desk, "medium", context=SEV1))
    assert (refusal.code, refusal.reason) == (PRECONDITION, "AT_RISK_ALERT_SUPPRESSED")
    assert refusal.metadata == {"customer_id": "medium", "severity": "SEV1"}
    ((kind, _, said),) = refusal.missing
    assert kind == "OPEN_INCIDENT"
    assert len(said.split("\n")) == 2
    refusal = await refused(alert(desk, "medium", context=NOBODY_TOLD))
    assert (refusal.reason, refusal.metadata) == ("AT_RISK_ALERT_SUPPRESSED", {"customer_id": "medium"})
    assert [row[0] for row in refusal.missing] == ["INCIDENTS_UNKNOWN"]
    assert (await alert(desk, "medium")).alert.alert_id
    assert (await alert(desk, "high", context=NOBODY_TOLD)).alert.alert_id


async def test_a_risk_that_becomes_high_raises_its_alert_by_itself_once_each_time(on_each_engine: Desk) -> None:
    desk = on_each_engine
    await record(desk, event("SEEN_ACTIVE"), event("DRAFTS_CREATED", count=10), event("PROOF_PACK_DELIVERED", NOW))
    raised: list[str] = []
    for day in range(20):
        desk.clock.now = NOW + day * DAY
        await desk.catch_up()
        alerts = (await desk.stub.ListAtRiskAlerts(pb.ListAtRiskAlertsRequest())).alerts
        raised += [one.as_of_date for one in alerts if one.as_of_date not in raised]
    assert raised == ["2026-03-24"], "on the day it became high, and not on those after it"
    (entry,) = await desk.entries("at_risk_alert.")
    assert (entry.actor.id, entry.attributes["severity"], entry.attributes["score"]) == ("success-clock", "high", "95")
    # Better, and then high again: another alert.
    await record(desk, event("DRAFTS_APPROVED", desk.clock.now, count=9), event("PROOF_PACK_DELIVERED", desk.clock.now))
    await desk.catch_up()
    await record(desk, event("DRAFTS_CREATED", desk.clock.now, count=20))
    for _ in range(16):
        desk.clock.now += DAY
        await desk.catch_up()
    assert len(await desk.entries("at_risk_alert.")) == 2


async def test_one_who_is_high_when_it_is_recorded_is_alerted_of_at_once(desk: Desk) -> None:
    await some_customers(desk)
    assert await desk.catch_up() == 2
    alerts = (await desk.stub.ListAtRiskAlerts(pb.ListAtRiskAlertsRequest())).alerts
    assert {one.customer_id for one in alerts} == {"worst", "high"}
    await record(desk, event("REPLIES", desk.clock.now), customer_id="high")
    await desk.catch_up()
    assert len((await desk.stub.ListAtRiskAlerts(pb.ListAtRiskAlertsRequest())).alerts) == 2
