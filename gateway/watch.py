"""The four Action Ledgers as one stream that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from dealix.gateway.v1 import gateway_service_pb2 as pb

from gateway import ledgers
from gateway.compose import Composer
from gateway.contract import SERVICES
from gateway.tails import Seen, Tail, Tails
from services.domain.errors import InvalidInput, Violation
from services.runtime import paging
from services.runtime.call import Call
from services.runtime.failure import RpcFailure

_PAGE = 200
_PAGE_SECONDS = 3.0
_RETRY_SECONDS = 1.0
# What is older than a look at a ledger by so much stands behind nothing that this look did not find: a write takes its time
# and is there for all within less, and clocks of servers differ by less.
_SETTLED_SECONDS = 1.0

_OTHER_WATCH = "PAGE_TOKEN_OF_OTHER_QUERY"


async def watch_events(
    composer: Composer, tails: Tails, request: pb.WatchEventsRequest, call: Call
) -> AsyncGenerator[pb.WatchEventsResponse, None]:
    """The messages of a watch, without an end. Raises ``InvalidInput`` and ``RpcFailure`` as the contract says.

    It holds a page of each ledger at most beside what all watches share, and makes nothing until the last message was taken.
    """
    names = [name for name in SERVICES if not request.services or name in request.services]
    query = paging.query_key(
        call.method.path, {"subject": request.subject, "action": request.action, "services": names}
    )
    begin = _begin(query, request)
    with tails.watched(names) as watched:
        lanes = [_Lane(tail, begin[tail.service]) for tail in watched]
        watch = _Watch(composer, tails, request, call, lanes)
        if request.only_new:
            await watch.skip_to_the_end()
        reached = dict(begin)

        def said(kind: pb.WatchMessageKind.ValueType) -> pb.WatchEventsResponse:
            for lane in lanes:
                reached[lane.tail.service] = lane.position
            position = paging.encode_token(query, tuple(reached[name] for name in SERVICES))
            return pb.WatchEventsResponse(kind=kind, position=position)

        yield said(pb.WATCH_MESSAGE_KIND_OPENED)
        while True:
            # Taken before anything is looked at, so that what happens meanwhile does not go unnoticed.
            news, looked = tails.news, tails.looked
            await watch.fill()
            for lane in lanes:
                away = lane.away
                if away is not None and not lane.told_away and not lane.waiting:
                    lane.told_away = True
                    message = said(pb.WATCH_MESSAGE_KIND_SERVICE_DOWN)
                    message.service, message.reason = lane.tail.service, away.reason
                    yield message
                elif away is None and lane.told_away:
                    lane.told_away = False
                    message = said(pb.WATCH_MESSAGE_KIND_SERVICE_BACK)
                    message.service = lane.tail.service
                    yield message
            while (ready := watch.next_lane()) is not None:
                entry = ready.waiting.popleft().entry
                message = said(pb.WATCH_MESSAGE_KIND_ENTRY)
                message.event.service = ready.tail.service
                message.event.entry.CopyFrom(entry)
                yield message
            if watch.has_just_caught_up():
                yield said(pb.WATCH_MESSAGE_KIND_CAUGHT_UP)
            await watch.wait(news, looked)


@dataclass(slots=True)
class _Lane:
    """One ledger as far as a watch has read it.

    Everything up to ``scanned`` was sent, does not match, or stands in ``waiting``; ``scanned_at`` is when that became known.
    ``failure`` is why its last page could not be fetched, and ``retry_at`` when it is tried again.
    """

    tail: Tail
    scanned: int
    scanned_at: float = field(default_factory=time.monotonic)
    waiting: deque[Seen] = field(default_factory=deque)
    failure: RpcFailure | None = None
    retry_at: float = 0.0
    told_away: bool = False
    target: int | None = None
    """Where the ledger ended when the watch began."""

    @property
    def position(self) -> int:
        """Everything up to here was sent, or does not match."""
        return self.waiting[0].entry.sequence - 1 if self.waiting else self.scanned

    @property
    def away(self) -> RpcFailure | None:
        """Why the service cannot be reached, if so."""
        return self.tail.failure or self.failure

    @property
    def has_more(self) -> bool:
        """Whether its next entries are to be fetched now."""
        return (
            not self.waiting
            and self.tail.head is not None
            and self.scanned < self.tail.head
            and (self.failure is None or time.monotonic() >= self.retry_at)
        )


class _Watch:
    """What one watch has read and may send next."""

    def __init__(
        self, composer: Composer, tails: Tails, request: pb.WatchEventsRequest, call: Call, lanes: Sequence[_Lane]
    ) -> None:
        self._composer = composer
        self._tails = tails
        self._request = request
        self._call = call
        self._lanes = lanes
        self._began = time.monotonic()
        self._caught_up = False

    async def skip_to_the_end(self) -> None:
        """Begins after what is there now. Raises ``RpcFailure`` where a service does not say what that is."""
        while True:
            looked = self._tails.looked
            for lane in self._lanes:
                if lane.tail.failure is not None:
                    raise lane.tail.failure
            if all(lane.tail.asked_at >= self._began for lane in self._lanes):
                break
            await looked.wait()
        for lane in self._lanes:
            assert lane.tail.head is not None
            lane.scanned, lane.scanned_at = lane.tail.head, time.monotonic()

    async def fill(self) -> None:
        """Fetches the next entries of each ledger that has more. ``InvalidInput`` for a position beyond the end of one."""
        for lane in self._lanes:
            head = lane.tail.head
            if head is not None and lane.scanned > head and lane.tail.asked_at >= lane.scanned_at:
                text = f"lies beyond the end of the ledger of {lane.tail.service}; begin at an earlier one"
                raise InvalidInput([Violation("from_position", "POSITION_BEYOND_END", text)])
            if head is not None and lane.scanned >= head:
                lane.failure = None  # There is nothing left that could not be fetched.
            if lane.target is None and lane.tail.asked_at >= self._began:
                lane.target = head
        if fetching := [self._fetch(lane) for lane in self._lanes if lane.has_more]:
            await asyncio.gather(*fetching)

    async def _fetch(self, lane: _Lane) -> None:
        head, request = lane.tail.head, self._request
        assert head is not None
        near = lane.tail.after(lane.scanned)
        if near is not None:
            lane.waiting.extend(one for one in near if self._matches(one))
            lane.scanned, lane.scanned_at, lane.failure = head, time.monotonic(), None
            return
        try:
            page = await ledgers.page(
                self._composer,
                lane.tail.service,
                after=lane.scanned,
                size=_PAGE,
                subject=request.subject,
                action=request.action,
                correlation_id=self._call.correlation_id,
                deadline=time.monotonic() + _PAGE_SECONDS,
            )
        except RpcFailure as failure:
            lane.failure, lane.retry_at = failure, time.monotonic() + _RETRY_SECONDS
            return
        lane.scanned_at, lane.failure = time.monotonic(), None
        lane.waiting.extend(Seen(entry, lane.scanned_at) for entry in page.entries)
        last = page.entries[-1].sequence if page.entries else 0
        # The last page has everything that matches up to the head, which was known before it was asked for.
        lane.scanned = last if page.next_page_token else max(head, last)

    def _matches(self, one: Seen) -> bool:
        subject, action = self._request.subject, self._request.action
        return (not subject or one.entry.subject == subject) and (not action or one.entry.action == action)

    def next_lane(self) -> _Lane | None:
        """The ledger whose next entry goes out now; None where there is none, or it may not be the earliest of all."""
        first = min((lane for lane in self._lanes if lane.waiting), key=_time, default=None)
        if first is None:
            return None
        one = first.waiting[0]
        for lane in self._lanes:
            if lane.waiting or lane.told_away:
                continue
            tail = lane.tail
            if tail.head is None or tail.asked_time is None or lane.scanned < tail.head:
                return None
            settled = tail.asked_time.timestamp() - _SETTLED_SECONDS
            if tail.asked_at < one.seen and one.entry.record_time.seconds + 1 > settled:
                return None
        return first

    def has_just_caught_up(self) -> bool:
        """True once: when everything that was there has been sent."""
        if self._caught_up:
            return False
        self._caught_up = all(
            # Of one that went away the client was told so before.
            (lane.told_away and not lane.waiting) or (lane.target is not None and lane.position >= lane.target)
            for lane in self._lanes
        )
        return self._caught_up

    async def wait(self, news: asyncio.Event, looked: asyncio.Event) -> None:
        """Waits until there may be more to say."""
        if any(lane.has_more for lane in self._lanes):
            return
        held = not self._caught_up or any(lane.waiting for lane in self._lanes)
        retries = [lane.retry_at for lane in self._lanes if lane.failure is not None and lane.tail.head is not None]
        seconds = max(0.0, min(retries) - time.monotonic()) if retries else None
        # Not wait_for: it may swallow a cancellation that comes together with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (looked if held else news).wait()


def _time(lane: _Lane) -> tuple[int, int]:
    recorded = lane.waiting[0].entry.record_time
    return recorded.seconds, recorded.nanos


def _begin(query: bytes, request: pb.WatchEventsRequest) -> dict[str, int]:
    """How far each ledger was read when the watch begins. ``InvalidInput`` for a position that no watch like it gave."""
    if not request.from_position:
        return dict.fromkeys(SERVICES, 0)
    if request.only_new:
        raise _refused("POSITION_BESIDE_ONLY_NEW", "says where to begin, and so does only_new; give one of them")
    try:
        key = paging.decode_token(query, request.from_position, (int,) * len(SERVICES)) or ()
    except InvalidInput as error:
        if error.violations[0].reason == _OTHER_WATCH:
            raise _refused("POSITION_OF_OTHER_WATCH", "belongs to a watch with other filters; repeat those") from None
        key = ()
    if not key or any(int(sequence) < 0 for sequence in key):
        raise _refused("POSITION_INVALID", "must be the position of a message of an earlier watch, unchanged")
    return {name: int(sequence) for name, sequence in zip(SERVICES, key, strict=True)}


def _refused(reason: str, description: str) -> InvalidInput:
    return InvalidInput([Violation("from_position", reason, description)])
