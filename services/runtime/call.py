"""One call on its way through the pipeline, and what a servicer may ask of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from dealix.common.v1 import actor_pb2
from google.protobuf.message import Message

from services.policy import live_send
from services.runtime.methods import Method
from services.storage.database import Actor, Database, Tx, UnitOfWork, WriteRequest

if TYPE_CHECKING:
    from services.runtime.pipeline import Environment

T = TypeVar("T")

# Fields that the gateway fills in; see `gateway.bring`.
_BROUGHT = ("context", "cadence")

_KINDS = {actor_pb2.ACTOR_KIND_PERSON: "person", actor_pb2.ACTOR_KIND_SERVICE: "service"}
_ROLES = {
    number: "" if number == actor_pb2.ROLE_UNSPECIFIED else name.removeprefix("ROLE_").lower()
    for name, number in actor_pb2.Role.items()
}


class Call:
    """One call: its method, its deadline and the metadata that may go on.

    ``deadline`` is a point on ``time.monotonic()``'s scale. ``correlation_id`` stands in every log line of the call, here
    and in the services that the gateway asks for it.
    """

    __slots__ = ("correlation_id", "deadline", "environment", "method", "peer_cancelled", "request", "started", "tried")

    def __init__(
        self, environment: Environment, method: Method, correlation_id: str, started: float, deadline: float
    ) -> None:
        self.environment = environment
        self.method = method
        self.correlation_id = correlation_id
        self.started = started
        self.deadline = deadline
        self.request: Message | None = None
        self.peer_cancelled: Callable[[], bool] | None = None
        # Its request is faulty and only asked what else is wrong with it (`services.runtime.trial`): nothing may stay of it.
        self.tried = False

    def go_on(self) -> None:
        """What comes before a call reads the store or asks anybody: one that is only tried ends there."""
        if self.tried:
            raise _Tried

    @property
    def now(self) -> datetime:
        """The time of the service's clock, UTC."""
        return self.environment.clock()

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Runs ``work`` in one read transaction, off the event loop."""
        self.go_on()
        return await self._database.read(work, deadline=self.deadline)

    async def write(self, request: Any, work: Callable[[UnitOfWork], Message]) -> bytes:
        """Runs ``work`` in one transaction and answers when it is durable, as the serialised, stamped response.

        The same ``request_id`` with the same content answers what it answered then, without running ``work``. ``request``
        is the method's request. Raises what ``work`` raises, after undoing everything, and ``RequestIdReused``.
        """
        method = self.method
        if self.tried:
            await self._database.attempt(actor_of(request.actor), self.now, work, deadline=self.deadline)
            raise _Tried

        def stamped(unit: UnitOfWork) -> bytes:
            response = work(unit)
            live_send.stamp(response, approval_always=method.approval_always)
            # Entries of a map in one order, so that a repeated write is answered with the same bytes by every way.
            return response.SerializeToString(deterministic=True)

        # A UUID in capitals is the same UUID.
        request.request_id = request.request_id.lower()
        write = WriteRequest(
            request_id=request.request_id,
            method=method.path,
            fingerprint=_fingerprint(request),
            actor=actor_of(request.actor),
            deadline=self.deadline,
        )
        outcome = await self._database.write(write, stamped)
        return outcome.response

    @property
    def _database(self) -> Database:
        database = self.environment.database
        if database is None:
            raise RuntimeError(f"{self.method.path} asks for a database and its server has none")
        return database


class _Tried(Exception):
    """Ends a call that is only tried."""


def _fingerprint(request: Message) -> bytes:
    """A digest of the content of a write: equal for equal requests, however their bytes were ordered.

    What the gateway brings along is no part of it: it may differ when the write is repeated.
    """
    fields = request.DESCRIPTOR.fields_by_name
    brought = [name for name in _BROUGHT if name in fields]
    if brought:
        bare = type(request)()
        bare.CopyFrom(request)
        for name in brought:
            bare.ClearField(name)
        request = bare
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def actor_of(actor: actor_pb2.Actor) -> Actor:
    """The actor as storage and domains know it; the request was validated before."""
    return Actor(kind=_KINDS[actor.kind], id=actor.id, role=_ROLES[actor.role])
