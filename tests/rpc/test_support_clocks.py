"""Clocks, what presses, escalations and reports over a real socket, on every engine, with a clock moved by hand."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from dealix.common.v1 import channel_pb2, draft_pb2
from dealix.support.v1 import ledger_service_pb2 as led
from dealix.support.v1 import sla_pb2
from dealix.support.v1 import sla_service_pb2 as sla
from google.protobuf.message import Message

from services.domain.claims import ClaimChecker, load_claims
from services.runtime.wire import timestamp
from tests.rpc.client import Clock, pages, refused
from tests.rpc.support_desk import P0, P1, P2, P3, Desk, clock_state, desk_at, draft_state, event_name, when

ESCALATION = draft_pb2.DRAFT_KIND_ESCALATION


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with desk_at(database_url) as found:
        yield found


def escalated(events: list[sla_pb2.SlaEvent]) -> list[tuple[str, int, str, datetime]]:
    """Clock, percent, role and moment of each step that was crossed, in the order of the events."""
    return [
        (
            sla_pb2.SlaClockKind.Name(event.escalation.clock).removeprefix("SLA_CLOCK_KIND_").lower(),
            event.escalation.percent,
            event.escalation.role,
            when(event.occur_time),
        )
        for event in events
        if event_name(event) == "escalated"
    ]


# --- the ladder -------------------------------------------------------------------------------------------------------


async def test_each_step_of_the_ladder_is_fired_once_when_it_is_crossed(desk: Desk) -> None:
    routed = await desk.route(P1)
    ticket_id, opened = routed.ticket.ticket_id, when(routed.ticket.create_time)
    claims = ClaimChecker(load_claims())
    expected = []
    for minutes, percent, role in ((90, 75, "operator_oncall"), (120, 100, "founder"), (180, 150, "founder")):
        desk.clock.now = opened + timedelta(minutes=minutes, seconds=-1)
        assert await desk.catch_up() == 0, "not before its moment"
        desk.passes(seconds=2)
        assert await desk.catch_up() == 1
        assert await desk.catch_up() == 0, "not twice"
        expected.append(("first_response", percent, role, opened + timedelta(minutes=minutes)))
        assert escalated(await desk.events(ticket_id)) == expected
        draft = (await desk.drafts(ticket_id, ESCALATION))[0]
        assert (draft.channel, draft_state(draft)) == (channel_pb2.CHANNEL_INTERNAL, "drafted")
        for text in (draft.title_ar, draft.title_en, draft.body_ar, draft.body_en):
            assert ticket_id not in text
            assert "P1" in text
        assert claims.check(draft.title_ar + draft.body_ar) == claims.check(draft.title_en + draft.body_en) == ()
    assert len(await desk.drafts(ticket_id, ESCALATION)) == 3
    assert (await desk.ticket(ticket_id)) == routed.ticket, "an escalation is an event, not a state"

    await desk.answer(ticket_id)
    assert {draft_state(d) for d in await desk.drafts(ticket_id, ESCALATION)} == {"withdrawn"}, "it was answered"
    desk.clock.now = opened + timedelta(hours=18, seconds=1)
    assert await desk.catch_up() == 1
    assert escalated(await desk.events(ticket_id))[-1][:2] == ("resolution", 75)


async def test_what_was_crossed_while_nothing_ran_is_caught_up_with_its_own_moments(database_url: str) -> None:
    clock = Clock()
    async with desk_at(database_url, clock=clock) as desk:
        routed = await desk.route(P0)
        answered = await desk.open(P0)
        clock.pass_time(timedelta(minutes=10))
        await desk.answer(answered)
    clock.pass_time(timedelta(hours=5))
    async with desk_at(database_url, clock=clock) as desk:
        assert await desk.catch_up() == 2
        opened = when(routed.ticket.create_time)
        events = await desk.events(routed.ticket.ticket_id)
        assert escalated(events) == [
            ("first_response", 75, "founder", opened + timedelta(minutes=22, seconds=30)),
            ("first_response", 100, "founder", opened + timedelta(minutes=30)),
            ("first_response", 150, "founder", opened + timedelta(minutes=45)),
            ("resolution", 75, "founder", opened + timedelta(hours=3)),
            ("resolution", 100, "founder", opened + timedelta(hours=4)),
        ]
        assert {when(event.record_time) for event in events[1:]} == {when(events[-1].record_time)}
        assert when(events[-1].record_time) > opened + timedelta(hours=5)
        assert [step[:2] for step in escalated(await desk.events(answered))] == [
            ("resolution", 75),
            ("resolution", 100),
        ]
        assert await desk.catch_up() == 0
        entries = (await desk.ask(led.ListLedgerRequest(action="ticket.escalated"))).entries
        assert len(entries) == 7
        assert {entry.actor.id for entry in entries} == {"support-clock"}
        assert (await desk.ask(led.VerifyLedgerRequest())).intact


async def test_a_raise_fires_what_the_shorter_target_has_left_behind(desk: Desk) -> None:
    ticket_id = await desk.open(P3)
    raised_at = desk.passes(hours=3, minutes=30)
    assert await desk.catch_up() == 0
    await desk.raise_to(ticket_id, P0)
    assert await desk.catch_up() == 1
    steps = escalated(await desk.events(ticket_id))
    assert sorted(step[:2] for step in steps) == [
        ("first_response", 75),
        ("first_response", 100),
        ("first_response", 150),
        ("resolution", 75),
    ]
    assert all(raised_at <= step[3] <= desk.now for step in steps), "no earlier than the raise"


async def test_a_pause_moves_the_steps_and_a_resolution_ends_them(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    desk.passes(hours=17)
    await desk.waits(ticket_id)
    desk.passes(hours=100)
    assert await desk.catch_up() == 0
    await desk.says(ticket_id, "وصلتكم الصورة؟")
    await desk.send_reply(ticket_id, await desk.approve(await desk.reply(ticket_id)))
    desk.passes(minutes=59)
    assert await desk.catch_up() == 0
    desk.passes(minutes=2)
    assert await desk.catch_up() == 1
    assert [step[:2] for step in escalated(await desk.events(ticket_id))] == [("resolution", 75)]
    await desk.resolve(ticket_id)
    desk.passes(days=30)
    assert await desk.catch_up() == 0


# --- what presses -----------------------------------------------------------------------------------------------------


async def test_what_presses_is_listed_by_when_it_is_due(desk: Desk) -> None:
    slow = await desk.open(P3, customer_id="globex")
    desk.passes(hours=23)
    late = await desk.open(P0)
    risky = await desk.open(P1)
    calm = await desk.open(P2)
    desk.passes(minutes=95)
    assert await desk.due() == [
        (late, "first_response", "breached"),
        (slow, "first_response", "breached"),
        (risky, "first_response", "at_risk"),
    ]
    assert await desk.due(customer_id="globex") == [(slow, "first_response", "breached")]
    assert await desk.due(owner="operator_oncall") == [(risky, "first_response", "at_risk")]
    assert (calm, "first_response", "running") in await desk.due(within_minutes=8 * 60)
    assert await desk.due(owner="operator_oncall", within_minutes=8 * 60) == [
        (risky, "first_response", "at_risk"),
        (calm, "first_response", "running"),
    ]
    paged = [
        (clock.ticket_id, page.as_of_time.ToDatetime())
        async for page in pages(lambda token: desk.ask(sla.ListDueSoonRequest(page_size=1, page_token=token)))
        for clock in page.due_clocks
    ]
    assert [ticket_id for ticket_id, _ in paged] == [late, slow, risky]
    assert len({as_of for _, as_of in paged}) == 1, "a list is of one instant"
    await desk.answer(late)
    assert (late, "first_response", "breached") not in await desk.due()


async def test_reaching_a_target_exactly_is_no_breach(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    due = when((await desk.clocks(ticket_id))["first_response"].due_time)
    at_risk = when((await desk.clocks(ticket_id))["first_response"].at_risk_time)
    desk.passes(days=1)
    for moment, expected in (
        (at_risk - timedelta(microseconds=1), "running"),
        (at_risk, "at_risk"),
        (due, "at_risk"),
        (due + timedelta(microseconds=1), "breached"),
    ):
        assert clock_state((await desk.clocks(ticket_id, moment))["first_response"]) == expected
        listed = [found for found in await desk.due(moment) if found[1] == "first_response"]
        assert listed == ([] if expected == "running" else [(ticket_id, "first_response", expected)])


async def test_the_future_cannot_be_asked_for_and_soon_is_a_question_of_now(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    later = timestamp(desk.now + timedelta(hours=1))
    for request in (
        sla.ListClocksRequest(ticket_id=ticket_id, as_of_time=later),
        sla.ListDueSoonRequest(as_of_time=later),
    ):
        assert (await refused(desk.ask(request))).fields == {"as_of_time": "IN_FUTURE"}
    both = sla.ListDueSoonRequest(as_of_time=timestamp(desk.now), within_minutes=1)
    assert (await refused(desk.ask(both))).fields == {"within_minutes": "NOT_ALLOWED"}


# --- the past stays as it was -----------------------------------------------------------------------------------------


async def play(desk: Desk, rng: random.Random, ticket_ids: list[str]) -> None:
    """Something that may happen at a desk, possible or not."""
    ticket_id = rng.choice(ticket_ids)
    chance = rng.randrange(10)
    try:
        if chance == 0:
            ticket_ids.append(await desk.open(rng.choice((P0, P1, P2, P3)), customer_id=rng.choice(("acme", "globex"))))
        elif chance == 1:
            await desk.approve(await desk.first_draft(ticket_id))
        elif chance == 2:
            await desk.send_first(ticket_id, sent=desk.sent(desk.now - timedelta(minutes=rng.randrange(30))))
        elif chance == 3:
            await desk.waits(ticket_id, rng.choice(("CUSTOMER", "THIRD_PARTY")))
        elif chance in (4, 5):
            wrote = desk.now - timedelta(minutes=rng.randrange(60))
            await desk.says(ticket_id, rng.choice(("هل من جديد؟", "شكراً")), receive_time=timestamp(wrote))
        elif chance == 6:
            await desk.send_reply(ticket_id, await desk.approve(await desk.reply(ticket_id)))
        elif chance == 7:
            await desk.raise_to(ticket_id, rng.choice((P0, P1, P2)))
        elif chance == 8:
            await desk.resolve(ticket_id, occur_time=timestamp(desk.now - timedelta(minutes=rng.randrange(90))))
        else:
            await desk.catch_up()
    except Exception as error:
        if "StatusCode" not in repr(error):
            raise


async def test_an_answer_about_the_past_is_the_same_when_it_is_asked_again(desk: Desk) -> None:
    rng = random.Random(20260307)
    start = desk.now
    ticket_ids = [await desk.open(priority) for priority in (P0, P1, P2, P3)]

    async def seen(moment: datetime) -> list[Message]:
        as_of = timestamp(moment)
        period: dict[str, Any] = {
            "period_start_time": timestamp(start - timedelta(days=1)),
            "period_end_time": timestamp(start + timedelta(days=30)),
        }
        return [
            await desk.ask(sla.ListDueSoonRequest(as_of_time=as_of, page_size=200)),
            await desk.ask(sla.GetSlaHealthReportRequest(as_of_time=as_of, **period)),
            *[await desk.ask(sla.ListClocksRequest(ticket_id=t, as_of_time=as_of)) for t in ticket_ids[:4]],
        ]

    answers: dict[datetime, list[Message]] = {}
    for _ in range(30):
        for _ in range(rng.randrange(1, 4)):
            await play(desk, rng, ticket_ids)
        moment = desk.now
        answers[moment] = await seen(moment)
        # The list is derived and the clocks are computed: they say the same.
        listed = {
            (c.ticket_id, c.kind, c.instance, c.state, c.due_time.ToDatetime())
            for c in answers[moment][0].due_clocks  # type: ignore[attr-defined]
            if c.ticket_id in ticket_ids[:4]
        }
        pressing = {
            (ticket_id, c.kind, c.instance, c.state, c.due_time.ToDatetime())
            for ticket_id, answer in zip(ticket_ids, answers[moment][2:], strict=False)
            for c in answer.clocks  # type: ignore[attr-defined]
            if c.running and clock_state(c) in ("at_risk", "breached")
        }
        assert listed == pressing
        desk.passes(minutes=rng.choice((1, 7, 40, 300, 2000)))
    assert any(answer[0].due_clocks for answer in answers.values())  # type: ignore[attr-defined]
    for moment, answer in answers.items():
        assert await seen(moment) == answer, moment


# --- reports and policies ---------------------------------------------------------------------------------------------


async def test_a_report_says_who_burnt_the_time_and_what_it_counted(desk: Desk) -> None:
    start = desk.now
    kept, late = await desk.open(P1), await desk.open(P1, customer_id="globex")
    desk.passes(minutes=30)
    await desk.answer(kept)
    desk.passes(hours=2)
    await desk.waits(kept)
    desk.passes(hours=4)
    await desk.resume(kept)
    await desk.resolve(kept)
    request = sla.GetSlaHealthReportRequest(
        period_start_time=timestamp(start - timedelta(hours=1)), period_end_time=timestamp(start + timedelta(days=1))
    )
    report = (await desk.ask(request)).report
    assert (report.total_tickets, report.total_breached, report.rated_tickets) == (2, 1, 2)
    assert [(b.ticket_id, b.kind, b.open) for b in report.breaches] == [
        (late, sla_pb2.SLA_BREACH_KIND_FIRST_RESPONSE, True)
    ]
    assert report.average_first_response_minutes == pytest.approx(30, abs=0.01)
    assert report.average_resolution_hours == pytest.approx(2.5, abs=0.01)
    burn = report.resolution_burn
    assert burn.customer.ToTimedelta() // timedelta(minutes=1) == 240
    approver = report.first_response_burn.our_approver.ToTimedelta()
    assert approver // timedelta(minutes=1) == 30 + 390, "one waited half an hour for its approval, one still waits"
    request.customer_id = "globex"
    assert (await desk.ask(request)).report.total_tickets == 1


async def test_a_raised_ticket_is_reported_at_the_priority_it_had_then(desk: Desk) -> None:
    start = desk.now
    ticket_id = await desk.open(P3)
    before = desk.passes(hours=5)
    await desk.raise_to(ticket_id, P0)
    for as_of, priority, breached in ((before, P3, 0), (desk.now, P0, 1)):
        report = (
            await desk.ask(
                sla.GetSlaHealthReportRequest(
                    period_start_time=timestamp(start - timedelta(hours=1)),
                    period_end_time=timestamp(start + timedelta(hours=1)),
                    as_of_time=timestamp(as_of),
                )
            )
        ).report
        assert [(p.priority, p.breached) for p in report.by_priority if p.total] == [(priority, breached)]


async def test_the_policy_can_be_read(desk: Desk) -> None:
    found = await desk.ask(sla.GetSlaPolicyRequest())
    assert [
        (p.targets.first_response_minutes, p.targets.resolution_hours, p.targets.calendar_id) for p in found.policies
    ] == [(30, 4, "always"), (120, 24, "always"), (480, 72, "always"), (1440, 168, "always")]
    assert [(s.percent, s.role) for s in found.policies[3].ladder] == [
        (75, "operator_team"),
        (100, "operator_oncall"),
        (150, "founder"),
    ]
    listed = (await desk.ask(sla.ListSlaPoliciesRequest())).policies
    assert list(found.policies) == list(listed[-4:])
    too_early = sla.GetSlaPolicyRequest(open_time=timestamp(datetime.fromisoformat("1999-01-01T00:00:00+00:00")))
    assert (await refused(desk.ask(too_early))).fields == {"open_time": "NO_POLICY"}
