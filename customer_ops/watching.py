"""A watch that outlasts single streams: it begins again where one ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence

import grpc
from dealix.gateway.v1 import gateway_service_pb2 as pb

from customer_ops.client import CallFailed, Client
from customer_ops.exits import CommandFailed

# Seconds before each new try after a stream that broke; half a minute of them in all.
_WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
# A gateway that ends, or is gone; the next one may have no place at first.
_BEGIN_AGAIN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})
_ONCE = frozenset({pb.WATCH_MESSAGE_KIND_OPENED, pb.WATCH_MESSAGE_KIND_CAUGHT_UP})


def follow(
    client: Client,
    request: pb.WatchEventsRequest,
    *,
    waits: Sequence[float] = _WAITS,
    wait: Callable[[float], None] = time.sleep,
) -> Generator[pb.WatchEventsResponse, None, None]:
    """The messages of a watch for as long as they are asked for, each entry once.

    Where the stream ends in good order it begins another at the last position; where it breaks it tries that again for half a
    minute. What opened and what was caught up is told once. Raises ``CallFailed``, at once where there was no first message.
    """
    wanted = pb.WatchEventsRequest()
    wanted.CopyFrom(request)
    told: set[int] = set()
    tries = 0
    while True:
        try:
            for message in client.stream(client.gateway.WatchEvents, wanted):
                wanted.from_position, wanted.only_new = message.position, False
                tries = 0
                if message.kind in _ONCE:
                    if message.kind in told:
                        continue
                    told.add(message.kind)
                yield message
        except CallFailed as failure:
            if not told:
                raise
            if failure.code not in _BEGIN_AGAIN or tries == len(waits):
                raise CommandFailed(
                    f"{failure.message}; go on with --from {wanted.from_position}", failure.exit_code
                ) from None
            wait(waits[tries])
            tries += 1
