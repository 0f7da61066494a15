"""The clock of a played week: while the play lasts it stands where it was put, before and after it is the real time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from services.domain.riyadh import WEEK, to_riyadh, week_start
from services.runtime.service import utc_now

OPENING = timedelta(hours=8, minutes=30)
# The Monday after the week, when its review is over.
_LASTS = timedelta(days=8, hours=12)


class PlayClock:
    """A clock to inject. In a play it stands still until it is moved, does not go back, and stays behind the real time."""

    def __init__(self, real: Callable[[], datetime] = utc_now) -> None:
        self._moment: datetime | None = None
        self._real = real

    def __call__(self) -> datetime:
        return self._real() if self._moment is None else self._moment

    def begin(self, moment: datetime) -> None:
        """Begins a play. Nothing may be on record yet that happened later."""
        self._moment = moment

    def move_to(self, moment: datetime) -> None:
        """Puts the clock forward. A moment before the present one or after the real time is a ``ValueError``."""
        if not self() <= moment <= self._real():
            raise ValueError(f"{moment.isoformat()} does not lie between the play's time and the real time")
        self._moment = moment

    def end(self) -> None:
        """Ends the play: from now on this is the real time."""
        self._moment = None


def opening_of_last_week(now: datetime) -> datetime:
    """08:30 in Riyadh on the Sunday of the last week that is over at ``now``, the review on the Monday after it included."""
    sunday = week_start(now) - WEEK
    if sunday + _LASTS > now:
        sunday -= WEEK
    return to_riyadh(sunday + OPENING)
