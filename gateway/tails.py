"""How far the four Action Ledgers go: each is looked at again and again while anybody watches, once for all who do."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from dealix.common.v1 import ledger_pb2

from gateway import ledgers
from gateway.compose import Composer
from services.runtime.failure import RpcFailure, failure_of
from services.runtime.observe import Observer

# Between two looks: the longer time while nothing happens, the shorter one when another ledger has grown, since what was
# written there is held back until this one was asked after it.
_REST_SECONDS = 0.25
_SHORT_REST_SECONDS = 0.05
_LOOK_SECONDS = 3.0
_PAGE = 200
# So many of the last entries are given to all who watch without asking for them again.
_RECENT = 1000
_CORRELATION_ID = "ledger-tail"


class Seen(NamedTuple):
    """An entry, and when it was seen first, on ``time.monotonic()``'s scale."""

    entry: ledger_pb2.LedgerEntry
    seen: float


class Tail:
    """The end of one ledger, as of the last look.

    ``head`` is the sequence of its last entry; None while that is unknown: before the first look, and while ``failure`` says
    why the service cannot be asked. Whatever was recorded before ``asked_at`` (``time.monotonic()``; ``asked_time`` is the
    same moment by the gateway's clock) stands at ``head`` or before.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.head: int | None = None
        self.failure: RpcFailure | None = None
        self.asked_at = float("-inf")
        self.asked_time: datetime | None = None
        self._recent: deque[Seen] = deque(maxlen=_RECENT)

    def after(self, sequence: int) -> list[Seen] | None:
        """The entries after ``sequence`` up to the head; None where they are too many to be kept here."""
        if sequence == self.head:
            return []
        if not self._recent or self._recent[0].entry.sequence > sequence + 1:
            return None
        return [one for one in self._recent if one.entry.sequence > sequence]

    def looked(
        self, head: int, entries: Iterable[ledger_pb2.LedgerEntry], asked_at: float, asked_time: datetime
    ) -> bool:
        """Takes in what a look found: the new head, and the entries that follow without a gap on those known before, or
        none where they are too many. Whether there is news."""
        seen = time.monotonic()
        news = head != self.head or self.failure is not None
        found = [Seen(entry, seen) for entry in entries]
        if head != self.head and not found:
            self._recent.clear()
        self._recent.extend(found)
        self.head, self.failure, self.asked_at, self.asked_time = head, None, asked_at, asked_time
        return news

    def failed(self, failure: RpcFailure) -> bool:
        """Takes in that a look failed. Whether that is news."""
        news = self.failure is None
        # What comes back may be an older copy of the database: its end is looked for anew.
        self.head, self.failure = None, failure
        self._recent.clear()
        return news


class Tails:
    """Looks at the ledgers that are watched, and at no other.

    ``news`` is set, and replaced, when a ledger has grown, or a service went away or came back; ``looked`` at every look.
    """

    def __init__(self, composer: Composer, observer: Observer, clock: Callable[[], datetime]) -> None:
        self.news = asyncio.Event()
        self.looked = asyncio.Event()
        self._composer = composer
        self._log = observer.log
        self._clock = clock
        self._watchers: Counter[str] = Counter()
        self._tails: dict[str, Tail] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._hurry: dict[str, asyncio.Event] = {}

    @contextmanager
    def watched(self, services: Iterable[str]) -> Iterator[list[Tail]]:
        """The tails of some services, which are looked at until the block ends."""
        names = list(services)
        for name in names:
            self._watchers[name] += 1
            if self._watchers[name] == 1:
                self._begin(name)
        try:
            yield [self._tails[name] for name in names]
        finally:
            for name in names:
                self._watchers[name] -= 1
                if not self._watchers[name]:
                    self._end(name)

    async def close(self) -> None:
        """Ends what looks, and waits for its end."""
        for name in list(self._looks):
            self._end(name)
        if self._ending:
            await asyncio.wait(self._ending)

    def _begin(self, name: str) -> None:
        self._tails[name] = tail = Tail(name)
        self._hurry[name] = hurry = asyncio.Event()
        self._looks[name] = asyncio.create_task(self._keep_looking(tail, hurry))

    def _end(self, name: str) -> None:
        task = self._looks.pop(name, None)
        if task is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            del self._tails[name], self._hurry[name]

    async def _keep_looking(self, tail: Tail, hurry: asyncio.Event) -> None:
        while True:
            hurry.clear()
            try:
                news = await self._look(tail)
            except Exception as error:  # whatever it is, who watches the others is not to miss them
                failure = failure_of(error)
                news = tail.failed(failure)
                if news:
                    self._log.warning("ledger_unreachable", upstream=tail.service, reason=failure.reason)
            if news:
                self._wake_all(tail.service)
            looked, self.looked = self.looked, asyncio.Event()
            looked.set()
            await asyncio.sleep(_SHORT_REST_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REST_SECONDS - _SHORT_REST_SECONDS):
                    await hurry.wait()

    def _wake_all(self, service: str) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()
        for other, hurry in self._hurry.items():
            if other != service:
                hurry.set()

    async def _look(self, tail: Tail) -> bool:
        asked_at, asked_time = time.monotonic(), self._clock()
        known = tail.head or 0
        entries = await self._page(tail.service, known, _PAGE)
        head = entries[-1].sequence if entries else known
        if len(entries) == _PAGE:
            end = await self._end_of(tail.service, head)
            if end > head:
                head, entries = end, []
        return tail.looked(head, entries, asked_at, asked_time)

    async def _end_of(self, service: str, known: int) -> int:
        """The sequence of the last entry, at ``known`` or after; found in steps that grow, and then by halves."""
        low, step = known, _PAGE
        while await self._page(service, low + step, 1):
            low, step = low + step, step * 2
        high = low + step
        while low < high:
            middle = (low + high) // 2
            if await self._page(service, middle, 1):
                low = middle + 1
            else:
                high = middle
        return low

    async def _page(self, service: str, after: int, size: int) -> list[ledger_pb2.LedgerEntry]:
        page = await ledgers.page(
            self._composer,
            service,
            after=after,
            size=size,
            correlation_id=_CORRELATION_ID,
            deadline=time.monotonic() + _LOOK_SECONDS,
            looking=True,
        )
        return list(page.entries)
