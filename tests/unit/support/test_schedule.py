"""What follows from an opening, computed at once, is what its clocks say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from services.support import schedule
from services.support.domain.calendars import Calendar, load_calendars
from services.support.domain.clocks import clocks, next_rung
from services.support.domain.events import Event, EventType
from services.support.domain.policy import ClockKind, PolicyBook, load_policy_book
from services.support.domain.priorities import Priority

BOOK = load_policy_book()
CALENDARS = list(load_calendars().values())


def on(calendar: Calendar) -> PolicyBook:
    """The book with every priority on one calendar."""
    return PolicyBook(
        tuple(
            replace(v, policies={p: replace(policy, calendar=calendar) for p, policy in v.policies.items()})
            for v in BOOK.versions
        )
    )


@settings(max_examples=150, deadline=None)
@given(
    opened_at=st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)).map(lambda at: at.replace(tzinfo=UTC)),
    priority=st.sampled_from(Priority),
    calendar=st.sampled_from(CALENDARS),
)
def test_an_opening_is_scheduled_as_its_clocks_run(opened_at: datetime, priority: Priority, calendar: Calendar) -> None:
    book = on(calendar)
    opened = Event(EventType.OPENED, opened_at, opened_at, "evt_1", priority)
    begun = schedule.beginning("tkt_1", "acme", opened, book)
    found = {clock.kind: clock for clock in clocks([opened], book, opened_at)}
    for span in (begun.first_response, begun.resolution):
        clock = found[span.kind]
        assert (span.instance, span.priority, span.owner) == (
            clock.instance,
            clock.priority,
            clock.policy.escalation_owner.value,
        )
        assert (span.at_risk_at, span.due_at, span.late_after) == (clock.at_risk_at, clock.due_at, clock.late_after)
    coming = [step.at for kind in found if kind is not ClockKind.NEXT_RESPONSE and (step := next_rung(found[kind]))]
    assert begun.look_at == min(coming)
