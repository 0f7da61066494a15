"""The worker of a service: looks after the timers that fall due, whatever replica it runs in.

One pass claims a few due timers and does their work in one transaction, so each is done exactly once; see
`services.storage.timers`. Nothing is lost while no worker runs: the next one finds what fell due meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

import structlog

from services.runtime.observe import Metrics
from services.storage.database import Actor, Database, UnitOfWork
from services.storage.errors import StatementRefused, StorageError, WorkFault
from services.storage.timers import Timer, claim_due, next_due, set_timer

# What answers to a timer, inside the transaction that claimed it. It records what it changed.
Fire = Callable[[UnitOfWork, Timer], None]

# Timers of one transaction: on PostgreSQL the other writers of the service wait meanwhile.
_BATCH = 20
_LONGEST_BACKOFF_SECONDS = 30.0
# When a timer whose work failed comes again.
_RETRY = timedelta(minutes=1)


class Worker:
    """Fires the timers of one service. ``fires`` holds, by kind of timer, what answers to it."""

    def __init__(
        self,
        service: str,
        database: Database,
        fires: Mapping[str, Fire],
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._fires = fires
        self._clock = clock
        self._actor = Actor("service", f"{service}-clock")
        self._log = structlog.get_logger().bind(service=service)
        self._outcomes = {
            (kind, outcome): metrics.timers.labels(service, kind, outcome)
            for kind in fires
            for outcome in ("fired", "failed")
        }
        self._lag = metrics.timer_lag.labels(service)

    async def catch_up(self) -> int:
        """Fires all that is due now, timers that come of it included; how many there were."""
        fired = 0
        while found := await self._one_pass():
            fired += found
        return fired

    async def _one_pass(self) -> int:
        due = await self._database.read(next_due)
        late = (self._clock() - due).total_seconds() if due is not None else -1.0
        self._lag.set(max(late, 0.0))
        if late < 0:
            return 0
        try:
            return self._told(await self._database.write_internal(self._actor, self._fire_batch))
        except Exception as error:
            if _is_trouble(error):
                raise
            # One timer whose work fails must not keep the others of its batch from theirs: one at a time, then.
            return await self._one_by_one()

    async def _one_by_one(self) -> int:
        for done in range(_BATCH):
            claimed: list[Timer] = []
            try:
                fire = partial(self._fire_one, claimed=claimed)
                if not self._told(await self._database.write_internal(self._actor, fire)):
                    return done
            except Exception as error:
                if _is_trouble(error) or not claimed:
                    raise
                self._log.exception("timer_failed", timer=claimed[-1].timer_id, kind=claimed[-1].kind)
                if (failed := self._outcomes.get((claimed[-1].kind, "failed"))) is not None:
                    failed.inc()
                await self._put_off(claimed[-1])
        return _BATCH

    async def _put_off(self, timer: Timer) -> None:
        """Lets a timer whose work failed come again later: it is kept, and the ones behind it go on."""

        def put_off(unit: UnitOfWork) -> None:
            set_timer(unit.tx, timer.timer_id, timer.kind, unit.now + _RETRY)

        await self._database.write_internal(self._actor, put_off)

    def _fire_batch(self, unit: UnitOfWork) -> list[Timer]:
        found = claim_due(unit.tx, unit.now, _BATCH)
        self._fire(unit, found)
        return found

    def _fire_one(self, unit: UnitOfWork, claimed: list[Timer]) -> list[Timer]:
        found = claim_due(unit.tx, unit.now, 1)
        claimed += found
        self._fire(unit, found)
        return found

    def _told(self, fired: list[Timer]) -> int:
        """Counts what is durably done; how many there were."""
        for timer in fired:
            self._outcomes[timer.kind, "fired"].inc()
        return len(fired)

    def _fire(self, unit: UnitOfWork, found: list[Timer]) -> None:
        for timer in found:
            self._fires[timer.kind](unit, timer)

    async def run(self, poll_seconds: float) -> None:
        """Fires what falls due, looking every ``poll_seconds``, until it is cancelled."""
        pause = poll_seconds
        while True:
            try:
                await self.catch_up()
                pause = poll_seconds
            except Exception as error:
                pause = min(max(pause, 0.1) * 2, _LONGEST_BACKOFF_SECONDS)
                self._log.warning("worker_failed", detail=str(error), retry_seconds=pause)
            await asyncio.sleep(pause)


def _is_trouble(error: Exception) -> bool:
    """Whether the database is in trouble, which another timer would meet as well; else it is this timer's work that fails."""
    return isinstance(error, StorageError) and not isinstance(error, StatementRefused | WorkFault)


@asynccontextmanager
async def running(worker: Worker, poll_seconds: float) -> AsyncIterator[None]:
    """Runs a worker beside the block; 0 seconds runs none, and `Worker.catch_up` is called by hand."""
    if poll_seconds <= 0:
        yield
        return
    task = asyncio.create_task(worker.run(poll_seconds))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
