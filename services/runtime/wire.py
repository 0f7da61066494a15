"""Translations that every servicer needs: times, actors, enums with the contract's prefix."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from dealix.common.v1 import actor_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from services.domain.actors import ActorLike
from services.domain.errors import InvalidInput, Violation
from services.storage.times import to_micros

E = TypeVar("E", bound=StrEnum)

_KINDS = {"person": actor_pb2.ACTOR_KIND_PERSON, "service": actor_pb2.ACTOR_KIND_SERVICE}


def timestamp(moment: datetime) -> Timestamp:
    """A point in time as the contract writes it."""
    # Three times as fast as FromDatetime, which every stored resource would pay several times.
    seconds, micros = divmod(to_micros(moment), 1_000_000)
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def moment(message: Any, field: str) -> datetime | None:
    """The time in a field, UTC, whole microseconds; None where it is unset.

    ``InvalidInput`` naming the field for a time that no calendar has.
    """
    if not message.HasField(field):
        return None
    return moment_at(getattr(message, field), field)


def moment_at(stamp: Timestamp, path: str) -> datetime:
    """The time of a timestamp at a path. ``InvalidInput`` for one outside of the years 1 to 9999."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        violation = Violation(path, "TIME_OUT_OF_RANGE", "must be a time in the years 1 to 9999.")
        raise InvalidInput([violation]) from None


def actor(actor: ActorLike) -> actor_pb2.Actor:
    """An actor as the contract writes it."""
    role = actor_pb2.Role.Value(f"ROLE_{actor.role.upper()}") if actor.role else actor_pb2.ROLE_UNSPECIFIED
    return actor_pb2.Actor(kind=_KINDS[actor.kind], id=actor.id, role=role)


class EnumMap:
    """The two ways between a domain's ``StrEnum`` and the contract's enum, complete in both or refused when made.

    ``prefix`` is the contract's, such as ``PRIORITY_``. ``to_wire[member]`` and ``to_domain[number]`` are plain dictionaries;
    the unspecified value has no domain member.
    """

    def __init__(self, wire: Any, domain: type[E], prefix: str) -> None:
        numbers = {name.removeprefix(prefix): number for name, number in wire.items() if number != 0}
        members = {member.value.upper(): member for member in domain}
        if numbers.keys() != members.keys():
            raise TypeError(
                f"{wire.DESCRIPTOR.full_name} and {domain.__name__} differ: {numbers.keys() ^ members.keys()}"
            )
        self.to_wire: dict[Any, Any] = {members[name]: number for name, number in numbers.items()}
        self.to_domain: dict[int, Any] = {number: members[name] for name, number in numbers.items()}
