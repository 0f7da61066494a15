"""The weekly review: one report, one talk with each customer, one incident, whoever reviews and however often."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from dealix.common.v1 import actor_pb2, channel_pb2, sent_record_pb2
from dealix.gateway.v1 import gateway_service_pb2 as gw
from dealix.gateway.v1 import gateway_service_pb2_grpc as gw_rpc
from dealix.incidents.v1 import incident_pb2, obligation_pb2
from dealix.incidents.v1 import incident_service_pb2 as inc
from dealix.incidents.v1 import incident_service_pb2_grpc as inc_rpc
from dealix.success.v1 import plan_pb2
from dealix.success.v1 import success_service_pb2 as suc
from dealix.success.v1 import success_service_pb2_grpc as suc_rpc
from dealix.support.v1 import ledger_service_pb2, ledger_service_pb2_grpc, sla_pb2
from dealix.support.v1 import sla_service_pb2 as sla
from dealix.support.v1 import sla_service_pb2_grpc as sla_rpc
from dealix.support.v1 import support_service_pb2 as sup
from dealix.support.v1 import support_service_pb2_grpc as sup_rpc

from gateway.reviews import load_review_texts
from services.domain.texts import TextsError
from services.runtime.wire import timestamp
from tests.gateway.conftest import front_at, gateway_at
from tests.rpc.client import Clock, ledger_of, refused

WEEK = "2026-03-01"
WEDNESDAY = datetime(2026, 3, 4, 7, tzinfo=UTC)
# Ten in the morning in Riyadh.
MONDAY = datetime(2026, 3, 9, 7, tzinfo=UTC)

PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1")
OTHER = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="founder-1", role=actor_pb2.ROLE_FOUNDER)
SOFTWARE = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="scheduler")
STATES = {
    gw.PART_STATE_ANSWERED: "answered",
    gw.PART_STATE_NOTHING_KNOWN: "nothing known",
    gw.PART_STATE_FAILED: "failed",
}


@pytest.fixture
def clock() -> Clock:
    return Clock(WEDNESDAY)


@pytest.fixture
async def front(tmp_path, clock):
    """A stack whose time the test tells."""
    async with front_at(tmp_path, clock=clock) as made:
        yield made


def review(actor=PERSON, **fields):
    return gw.RunWeeklySlaReviewRequest(**{"request_id": str(uuid.uuid4()), "actor": actor, **fields})


def run(front, request=None):
    """A review, under way."""
    return gw_rpc.GatewayServiceStub(front.channel).RunWeeklySlaReview(request or review())


async def opened(front, customer, text="our service down since morning"):
    """A ticket that nobody answers; by Monday its two hours have passed."""
    request = sup.RouteTicketRequest(request_id=str(uuid.uuid4()), actor=PERSON, customer_id=customer, body=text)
    return (await sup_rpc.SupportServiceStub(front.channel).RouteTicket(request)).ticket


async def answered(front, ticket, clock):
    """A ticket answered and resolved at once."""
    stub = sla_rpc.SlaServiceStub(front.channel)
    sent = sent_record_pb2.SentRecordInput(
        send_time=timestamp(clock()), channel=channel_pb2.CHANNEL_EMAIL, sender=PERSON, reference="mail-1"
    )
    for fields in (
        {"type": sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE, "sent": sent},
        {"type": sla_pb2.SLA_EVENT_TYPE_RESOLVED},
    ):
        await stub.RecordSlaEvent(
            sla.RecordSlaEventRequest(request_id=str(uuid.uuid4()), actor=PERSON, ticket_id=ticket.ticket_id, **fields)
        )


async def with_plan(front, *customers):
    for customer in customers:
        await suc_rpc.SuccessServiceStub(front.channel).ActivatePlan(
            suc.ActivatePlanRequest(
                request_id=str(uuid.uuid4()),
                actor=PERSON,
                customer_id=customer,
                bundle_id="growth_starter",
                start_date="2026-03-01",
                renewal_date="2027-03-01",
                channel=channel_pb2.CHANNEL_EMAIL,
            )
        )


async def talks(front, customer):
    """The service reviews on a customer's cadence."""
    listed = await suc_rpc.SuccessServiceStub(front.channel).ListTouchpoints(
        suc.ListTouchpointsRequest(customer_id=customer, page_size=200)
    )
    return [found for found in listed.touchpoints if found.kind == plan_pb2.TOUCHPOINT_KIND_SERVICE_REVIEW]


async def incidents(front):
    listed = await inc_rpc.IncidentServiceStub(front.channel).ListIncidents(inc.ListIncidentsRequest())
    return list(listed.incidents)


def states(answer):
    return {part.name: STATES[part.state] for part in answer.parts}


def cadences(answer):
    return {one.customer_id: STATES[one.cadence] for one in answer.customers}


async def bad_week(front, clock):
    """Three customers with breaches, one of whom has no cadence; then it is Monday."""
    await with_plan(front, "acme", "zenith")
    tickets = [await opened(front, customer) for customer in ("acme", "acme", "zenith", "newcomer")]
    clock.now = MONDAY
    return tickets


async def test_a_bad_week_is_reported_talked_about_and_an_incident_with_a_post_mortem(front, clock):
    tickets = await bad_week(front, clock)
    answer = await run(front)
    assert (answer.week_start_date, answer.report.verdict) == (WEEK, sla_pb2.SLA_VERDICT_CRITICAL)
    assert answer.approval_required
    assert answer.HasField("live_send_allowed")
    assert not answer.live_send_allowed
    stored = await sla_rpc.SlaServiceStub(front.channel).GetSlaHealthReport(
        sla.GetSlaHealthReportRequest(
            period_start_time=answer.period_start_time,
            period_end_time=answer.period_end_time,
            as_of_time=answer.report.as_of_time,
        )
    )
    assert answer.report == stored.report
    assert {breach.ticket_id for breach in answer.report.breaches} == {ticket.ticket_id for ticket in tickets}
    assert states(answer) == dict.fromkeys(("report", "customers", "incident"), "answered")
    assert cadences(answer) == {"acme": "answered", "newcomer": "nothing known", "zenith": "answered"}
    reviewed = {one.customer_id: one for one in answer.customers}
    assert reviewed["newcomer"].reason == "PLAN_NOT_FOUND"
    assert reviewed["acme"].breaches == sum(breach.customer_id == "acme" for breach in answer.report.breaches)
    (talk,) = await talks(front, "acme")
    assert (talk.touchpoint_id, talk.planned_date) == (reviewed["acme"].touchpoint_id, "2026-03-10")
    (incident,) = await incidents(front)
    for said in (talk.note, incident.title):
        assert "يوم الأحد 1 مارس 2026" in said
        assert "Sunday 1 March 2026" in said
    assert (incident.incident_id, incident.severity) == (answer.incident_id, incident_pb2.SEVERITY_SEV2)
    assert list(incident.customer_ids) == ["acme", "newcomer", "zenith"]
    assert sorted(incident.ticket_ids) == sorted(ticket.ticket_id for ticket in tickets)
    found = await inc_rpc.IncidentServiceStub(front.channel).GetIncident(
        inc.GetIncidentRequest(incident_id=incident.incident_id)
    )
    assert obligation_pb2.OBLIGATION_KIND_POST_MORTEM in {owed.kind for owed in found.obligations}


async def test_a_review_is_repeated_with_the_same_answer_and_without_a_second_effect(front, clock):
    await bad_week(front, clock)
    request = review()
    first = await run(front, request)
    clock.pass_time(timedelta(days=3))
    again = await run(front, request)
    assert again == first
    assert (len(await talks(front, "acme")), len(await incidents(front))) == (1, 1)
    stub, module = ledger_service_pb2_grpc.LedgerServiceStub(front.channel), ledger_service_pb2
    entries = [entry for entry in await ledger_of(stub, module) if entry.action == "sla.week_reviewed"]
    assert [(entry.subject, entry.actor.id) for entry in entries] == [(f"sla-week/{WEEK}", "operator-1")]
    assert entries[0].attributes["verdict"] == "critical"
    for other in (
        review(request_id=request.request_id, actor=OTHER),
        review(request_id=request.request_id, week_start_date=WEEK),
    ):
        refusal = await refused(run(front, other))
        assert (refusal.reason, refusal.metadata) == ("REQUEST_ID_REUSED", {"request_id": request.request_id})


async def test_whoever_reviews_a_week_again_finds_what_was_done(front, clock):
    await bad_week(front, clock)
    first = await run(front)
    clock.pass_time(timedelta(days=1))
    for again in (review(), review(actor=OTHER, week_start_date=WEEK), review(actor=SOFTWARE, week_start_date=WEEK)):
        answer = await run(front, again)
        assert answer.report == first.report
        assert (list(answer.customers), answer.incident_id) == (list(first.customers), first.incident_id)
    assert [len(await talks(front, name)) for name in ("acme", "zenith")] == [1, 1]
    assert len(await incidents(front)) == 1


async def test_of_many_reviews_at_once_there_is_one_talk_and_one_incident(front, clock):
    await bad_week(front, clock)
    answers = await asyncio.gather(*(run(front, review(actor=actor)) for actor in (PERSON, OTHER) * 4))
    assert {states(answer)["customers"] for answer in answers} == {"answered"}
    assert len({answer.incident_id for answer in answers}) == 1
    assert [len(await talks(front, name)) for name in ("acme", "zenith")] == [1, 1]
    assert len(await incidents(front)) == 1


@pytest.mark.parametrize("down", ["success", "incidents"])
async def test_what_failed_is_marked_and_done_by_repeating_the_call(front, clock, down):
    await bad_week(front, clock)
    request = review()
    targets = {name: running.address for name, running in front.services.items() if name != down}
    async with gateway_at(targets, front.services, clock=clock) as half:
        answer = await run(half, request)
    part = {"success": "customers", "incidents": "incident"}[down]
    assert {name for name, state in states(answer).items() if state == "failed"} == {part}
    assert {p.reason for p in answer.parts if p.name == part} == {"UPSTREAM_UNAVAILABLE"}
    if down == "success":
        assert set(cadences(answer).values()) == {"failed"}
        assert {one.touchpoint_id for one in answer.customers} == {""}
    else:
        assert answer.incident_id == ""
    # The day for which the talk was planned has passed by then.
    clock.pass_time(timedelta(days=3))
    done = await run(front, request)
    assert set(states(done).values()) == {"answered"}
    assert (len(await talks(front, "acme")), len(await incidents(front))) == (1, 1)
    assert (await talks(front, "acme"))[0].planned_date == ("2026-03-15" if down == "success" else "2026-03-10")
    assert await run(front, request) == done


async def test_without_support_nothing_is_done(front, clock):
    await bad_week(front, clock)
    targets = {name: running.address for name, running in front.services.items() if name != "support"}
    async with gateway_at(targets, front.services, clock=clock) as blind:
        refusal = await refused(run(blind))
    assert (refusal.code, refusal.metadata["service"]) == (grpc.StatusCode.UNAVAILABLE, "support")
    assert (await talks(front, "acme"), await incidents(front)) == ([], [])


async def test_software_leaves_a_raised_severity_to_a_person(front, clock):
    await bad_week(front, clock)
    answer = await run(front, review(actor=SOFTWARE))
    assert (states(answer)["incident"], answer.parts[-1].reason) == ("failed", "PERSON_REQUIRED")
    assert await incidents(front) == []
    assert (await run(front)).incident_id


async def test_software_declares_where_enough_customers_are_affected(front, clock):
    for number in range(5):
        await opened(front, f"c-{number}")
    clock.now = MONDAY
    answer = await run(front, review(actor=SOFTWARE))
    (incident,) = await incidents(front)
    assert (incident.incident_id, incident.severity) == (answer.incident_id, incident_pb2.SEVERITY_SEV2)


async def test_a_week_that_is_not_critical_declares_nothing(front, clock):
    quiet = await run(front, review(week_start_date="2026-02-15"))
    assert (quiet.report.verdict, quiet.report.total_tickets) == (sla_pb2.SLA_VERDICT_HEALTHY, 0)
    assert states(quiet) == {"report": "answered", "customers": "answered", "incident": "nothing known"}
    await opened(front, "acme")
    for number in range(4):
        await answered(front, await opened(front, f"c-{number}", "سؤال عن الباقات"), clock)
    clock.now = MONDAY
    answer = await run(front)
    assert answer.report.verdict == sla_pb2.SLA_VERDICT_WATCH
    assert list(cadences(answer)) == ["acme"]
    assert (states(answer)["incident"], answer.incident_id) == ("nothing known", "")
    assert await incidents(front) == []


@pytest.mark.parametrize(("week", "reason"), [("2026-03-02", "NOT_A_SUNDAY"), ("2026-03-08", "NOT_OVER")])
async def test_a_week_that_cannot_be_reviewed_is_refused(front, clock, week, reason):
    clock.now = MONDAY
    assert (await refused(run(front, review(week_start_date=week)))).fields == {"week_start_date": reason}


def test_faulty_texts_are_refused_when_they_are_loaded(tmp_path):
    (tmp_path / "weekly_review.toml").write_text('[talk]\ntext_ar = "مراجعة"\ntext_en = "{week}"\n', encoding="utf-8")
    with pytest.raises(TextsError) as caught:
        load_review_texts(tmp_path)
    assert len(caught.value.problems) > 2
