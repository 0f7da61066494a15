"""The order of the week."""

from __future__ import annotations

from rich.console import Console

from customer_ops import views
from customer_ops.client import Client
from customer_ops.ledgers import verify_ledgers
from customer_ops.script import FirstWeek
from customer_ops.week.leak import Leak
from customer_ops.week.onboarding import Onboarding
from customer_ops.week.show import Show, WeekTime
from customer_ops.week.success import Success
from customer_ops.week.tickets import Tickets


def play(client: Client, week: FirstWeek, out: Console, time: WeekTime) -> bool:
    """Plays the week and prints it. Returns whether all four ledgers are intact; raises ``CommandFailed``."""
    show = Show(client, week, out, time)
    onboarding, tickets, leak, success = Onboarding(show), Tickets(show), Leak(show), Success(show)
    # Sunday
    onboarding.begin()
    success.on_record()
    tickets.come_in()
    # Monday
    tickets.over_night()
    onboarding.connect()
    tickets.resumed()
    # Tuesday
    tickets.before_the_leak()
    leak.reported()
    tickets.frozen()
    leak.not_released()
    leak.first_action()
    tickets.answer_leak(leak.ticket)
    leak.contained(meanwhile=success.during_the_leak)
    onboarding.late()
    # Wednesday
    leak.notified()
    leak.released()
    tickets.released()
    leak.reviewed()
    tickets.closed()
    onboarding.risk_and_grant()
    # Thursday
    leak.published()
    onboarding.accept()
    success.check_in()
    tickets.before_the_weekend()
    # The Sunday after
    tickets.after_the_weekend()
    # The Monday after
    tickets.reviewed()
    success.reviewed()
    return _end(show)


def _end(show: Show) -> bool:
    show.part("end")
    answers = verify_ledgers(show.client)
    show.tell("ledgers")
    show.show(views.verified(answers))
    show.end()
    return all(answer.intact for answer in answers.values())
