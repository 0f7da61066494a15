"""Many callers at once, and databases from before: nothing is counted twice and nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from alembic import command
from dealix.common.v1 import draft_pb2
from dealix.support.v1 import sla_pb2
from dealix.support.v1 import sla_service_pb2 as sla

from services.storage import migrations
from services.support.store import SCHEMA
from tests.rpc.client import Clock
from tests.rpc.support_desk import P1, clock_state, desk_at, draft_state, event_name, state, when

CALLERS = 16


async def outcomes(calls: list[Any]) -> list[str]:
    """``OK``, or the name of the status, of each call; all at once."""

    async def one(call: Any) -> str:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
        return "OK"

    return sorted(await asyncio.gather(*(one(call) for call in calls)))


async def test_an_approval_is_used_once_by_sixteen_callers_at_once(database_url: str) -> None:
    async with desk_at(database_url) as desk:
        ticket_id = await desk.open(P1)
        await desk.approve(await desk.first_draft(ticket_id))
        sent = desk.sent()
        found = await outcomes([desk.send_first(ticket_id, sent=sent) for _ in range(CALLERS)])
        assert found == ["ALREADY_EXISTS"] * (CALLERS - 1) + ["OK"]
        assert [event_name(event) for event in await desk.events(ticket_id)] == ["opened", "first_response"]

        reply = await desk.approve(await desk.reply(ticket_id))
        sent = desk.sent()
        found = await outcomes([desk.send_reply(ticket_id, reply, sent=sent) for _ in range(CALLERS)])
        assert found == ["FAILED_PRECONDITION"] * (CALLERS - 1) + ["OK"]
        assert len(await desk.messages(ticket_id)) == 2


async def test_a_step_is_fired_once_whoever_catches_up_and_whatever_happens_meanwhile(database_url: str) -> None:
    async with desk_at(database_url) as desk:
        tickets = [await desk.open(P1) for _ in range(5)]
        desk.passes(hours=25)
        raced = [desk.catch_up() for _ in range(8)]
        answers = [desk.says(ticket_id, "هل من جديد؟") for ticket_id in tickets]
        await asyncio.gather(*raced, *answers)
        await desk.catch_up()
        for ticket_id in tickets:
            steps = [
                (event.escalation.clock, event.escalation.percent)
                for event in await desk.events(ticket_id)
                if event.type == sla_pb2.SLA_EVENT_TYPE_ESCALATED
            ]
            first, resolution = sla_pb2.SLA_CLOCK_KIND_FIRST_RESPONSE, sla_pb2.SLA_CLOCK_KIND_RESOLUTION
            assert sorted(steps) == [(first, 75), (first, 100), (first, 150), (resolution, 75), (resolution, 100)]
            assert len(await desk.drafts(ticket_id, draft_pb2.DRAFT_KIND_ESCALATION)) == 5


async def test_two_transitions_at_once_leave_one_and_an_etag_tells(database_url: str) -> None:
    async with desk_at(database_url) as desk:
        ticket_id = await desk.open(P1)
        answered = (await desk.answer(ticket_id)).ticket
        calls = [desk.waits(ticket_id, etag=answered.etag) for _ in range(4)]
        calls += [desk.resolve(ticket_id, etag=answered.etag) for _ in range(4)]
        assert await outcomes(calls) == ["ABORTED"] * 7 + ["OK"]


@pytest.mark.parametrize(("closed", "hours"), [(False, 3), (False, 1), (True, 3)], ids=["late", "in time", "closed"])
async def test_a_ticket_from_before_gets_its_clocks_when_the_schema_is_brought_up_to_date(
    tmp_path: Path, closed: bool, hours: int
) -> None:
    clock = Clock()
    path = tmp_path / "support.db"
    old = sqlite3.connect(path, isolation_level=None)
    engine = migrations.sa.create_engine("sqlite://", creator=lambda: old, poolclass=migrations.sa.pool.StaticPool)
    with engine.begin() as connection:
        config = migrations._config(SCHEMA)
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        migrations.mark_instance(connection, SCHEMA)
        opened_us = migrations.to_micros(clock.now)
        insert_old_ticket(connection, opened_us, "closed" if closed else "awaiting_first_response")
    old.close()
    clock.pass_time(timedelta(hours=hours))
    ticket_id = "tkt_" + "o" * 26
    async with desk_at(f"sqlite:///{path}", clock=clock) as desk:
        ticket = await desk.ticket(ticket_id)
        assert ticket.state == state("CLOSED" if closed else "AWAITING_FIRST_RESPONSE")
        assert await desk.catch_up() == (0 if closed else 1)
        if closed:
            return
        assert (ticket_id, "first_response") in [found[:2] for found in await desk.due(within_minutes=120)]
        if hours == 1:
            assert [event_name(event) for event in await desk.events(ticket_id)] == ["opened"]
            return
        assert await desk.due() == [(ticket_id, "first_response", "breached")]
        assert clock_state((await desk.clocks(ticket_id))["first_response"]) == "breached"
        escalations = [event for event in await desk.events(ticket_id) if event_name(event) == "escalated"]
        assert [event.escalation.percent for event in escalations] == [75, 100, 150]
        assert when(escalations[0].occur_time) < when(escalations[0].record_time)
        drafts = await desk.drafts(ticket_id, draft_pb2.DRAFT_KIND_ESCALATION)
        assert {draft_state(draft) for draft in drafts} == {"drafted"}
        # It never had a draft: what a person sent is recorded as an SLA event.
        event = {"ticket_id": ticket_id, "type": sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE, "sent": desk.sent()}
        answer = await desk.do(sla.RecordSlaEventRequest, **event)
        assert answer.ticket.state == state("IN_PROGRESS")
        assert await desk.due() == []


def insert_old_ticket(connection: Any, opened_us: int, ticket_state: str) -> None:
    """A P1 ticket as the first schema kept it."""
    classification = (
        '{"priority":"P1","matched_keyword":"service down","hits":[],"negated_hits":[],"signals":[],'
        '"review_required":false,"reason_ar":"توقف","reason_en":"down","lexicon_version":"1"}'
    )
    insert = migrations.sa.text(
        "INSERT INTO tickets (ticket_id, customer_id, subject, body, channel, priority, classification, signals, state, "
        "follows_ticket_id, create_us, update_us, revision) VALUES (:t, 'acme', '', 'service down', 'email', 'P1', "
        ":c, 0, :s, '', :us, :us, 1)"
    )
    ticket_id = "tkt_" + "o" * 26
    connection.execute(insert, {"t": ticket_id, "c": classification, "s": ticket_state, "us": opened_us})
    event = migrations.sa.text(
        "INSERT INTO sla_events (event_id, ticket_id, type, occur_us, record_us, actor_kind, actor_id, actor_role, note, "
        "sent) VALUES (:e, :t, 'opened', :us, :us, 'person', 'operator-17', '', '', '')"
    )
    connection.execute(event, {"e": "evt_" + "o" * 26, "t": ticket_id, "us": opened_us})
