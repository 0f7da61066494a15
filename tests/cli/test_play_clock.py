"""The clock of a played week, and what falls due when it is put forward."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from dealix.common.v1 import actor_pb2
from dealix.support.v1 import sla_pb2, sla_service_pb2, sla_service_pb2_grpc, support_service_pb2
from dealix.support.v1 import support_service_pb2_grpc as support_rpc
from hypothesis import given
from hypothesis import strategies as st

from customer_ops.embedded import embedded_settings, running_stack
from customer_ops.play_clock import PlayClock, opening_of_last_week
from services.domain.riyadh import RIYADH

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 8, 8, 30, tzinfo=RIYADH)


def test_before_and_after_a_play_it_is_the_real_time() -> None:
    clock = PlayClock(lambda: NOW)
    assert clock() == NOW
    clock.begin(SUNDAY)
    assert clock() == SUNDAY
    clock.move_to(SUNDAY + timedelta(hours=1))
    assert clock() == SUNDAY + timedelta(hours=1)
    clock.end()
    assert clock() == NOW


@pytest.mark.parametrize("moment", [SUNDAY - timedelta(seconds=1), NOW + timedelta(seconds=1)])
def test_it_goes_neither_back_nor_beyond_the_real_time(moment: datetime) -> None:
    clock = PlayClock(lambda: NOW)
    clock.begin(SUNDAY)
    with pytest.raises(ValueError, match="does not lie between"):
        clock.move_to(moment)
    assert clock() == SUNDAY


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        # The week is over on the Monday after it, at noon in Riyadh.
        ("2026-03-16T08:59:00+00:00", "2026-03-01T08:30:00+03:00"),
        ("2026-03-16T09:00:00+00:00", "2026-03-08T08:30:00+03:00"),
        ("2026-03-21T20:59:00+00:00", "2026-03-08T08:30:00+03:00"),
        ("2026-03-21T21:00:00+00:00", "2026-03-08T08:30:00+03:00"),
        ("2026-03-23T09:00:00+00:00", "2026-03-15T08:30:00+03:00"),
    ],
)
def test_the_last_week_is_the_last_one_whose_review_is_over(now: str, opening: str) -> None:
    assert opening_of_last_week(datetime.fromisoformat(now)) == datetime.fromisoformat(opening)


@given(st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))
def test_everything_played_lies_in_the_past_and_not_long_ago(now: datetime) -> None:
    opening = opening_of_last_week(now)
    assert (opening.strftime("%A %H:%M"), opening.tzinfo) == ("Sunday 08:30", RIYADH)
    assert timedelta(days=8) < now - opening < timedelta(days=16)


def test_what_falls_due_on_the_way_happens_at_its_own_time(tmp_path: Path) -> None:
    """A P3 ticket of 08:30 has 24 hours for its first response: three quarters of them are over at 02:30, all at 08:30."""

    async def main() -> list[tuple[str, int]]:
        clock = PlayClock()
        async with running_stack(embedded_settings("127.0.0.1:0", tmp_path), clock=clock) as stack:
            assert await stack.next_due() is None
            clock.begin(SUNDAY)
            async with grpc.aio.insecure_channel(stack.address) as channel:
                opened = await support_rpc.SupportServiceStub(channel).RouteTicket(
                    support_service_pb2.RouteTicketRequest(
                        request_id="0b6d4a08-6f0c-4a57-9d0c-0d8f6f1b9a11",
                        actor=actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="mail-intake"),
                        customer_id="clock-test",
                        body="Where do I see the report?",
                    ),
                    timeout=10,
                )
                assert await stack.next_due() == SUNDAY + timedelta(hours=18)
                await stack.advance(clock, SUNDAY + timedelta(hours=30))
                assert clock() == SUNDAY + timedelta(hours=30)
                events = await sla_service_pb2_grpc.SlaServiceStub(channel).ListSlaEvents(
                    sla_service_pb2.ListSlaEventsRequest(ticket_id=opened.ticket.ticket_id), timeout=10
                )
            return [
                (event.record_time.ToDatetime(UTC).astimezone(RIYADH).strftime("%a %H:%M"), event.escalation.percent)
                for event in events.events
                if event.type == sla_pb2.SLA_EVENT_TYPE_ESCALATED
            ]

    assert asyncio.run(main()) == [("Mon 02:30", 75), ("Mon 08:30", 100)]
