"""Translations that every servicer needs: times, actors, enums with the contract's prefix."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from dealix.common.v1 import actor_pb2, channel_pb2, context_pb2, sent_record_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from services.domain.actors import ActorLike
from services.domain.channels import Channel
from services.domain.context import NOTHING_KNOWN, ChannelFreeze, Context, FirstProofPack, OpenIncident
from services.domain.errors import InvalidInput, Violation
from services.domain.sent import SentRecord
from services.runtime.call import actor_of
from services.storage.times import to_micros

E = TypeVar("E", bound=StrEnum)

_KINDS = {"person": actor_pb2.ACTOR_KIND_PERSON, "service": actor_pb2.ACTOR_KIND_SERVICE}


def timestamp(moment: datetime) -> Timestamp:
    """A point in time as the contract writes it."""
    # Three times as fast as FromDatetime, which every stored resource would pay several times.
    seconds, micros = divmod(to_micros(moment), 1_000_000)
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def moment(message: Any, field: str, at: str = "") -> datetime | None:
    """The time in a field, UTC, whole microseconds; None where it is unset.

    ``InvalidInput`` naming the field, behind the path ``at`` of the message, for a time that no calendar has.
    """
    if not message.HasField(field):
        return None
    return moment_at(getattr(message, field), f"{at}{field}")


def moment_at(stamp: Timestamp, path: str) -> datetime:
    """The time of a timestamp at a path. ``InvalidInput`` for one outside of the years 2 to 9998.

    The first and the last year that there are leave no room for Riyadh's clock and for deadlines.
    """
    with suppress(ValueError, OverflowError):
        found = stamp.ToDatetime(tzinfo=UTC)
        if 1 < found.year < 9999:
            return found
    raise InvalidInput([Violation(path, "TIME_OUT_OF_RANGE", "must be a time in the years 2 to 9998.")])


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


# The one enum whose unspecified value has a member, since it means something: nobody said.
_CHANNELS: dict[int, Channel] = {
    channel_pb2.Channel.Value(f"CHANNEL_{channel.value.upper()}"): channel for channel in Channel
}
CHANNEL_NUMBERS: dict[Channel, Any] = {channel: number for number, channel in _CHANNELS.items()}


def channel_of(number: int) -> Channel:
    """The channel of a validated request; ``Channel.UNSPECIFIED`` where nobody said."""
    return _CHANNELS[number]


def sent_record(record: SentRecord) -> sent_record_pb2.SentRecord:
    """A record of a sending as the contract writes it."""
    return sent_record_pb2.SentRecord(
        send_time=timestamp(record.sent_at),
        channel=CHANNEL_NUMBERS[record.channel],
        sender=actor(record.sender),
        reference=record.reference,
    )


def sent_record_of(sent: sent_record_pb2.SentRecordInput, path: str) -> SentRecord:
    """The record of a sending that a request brings at a path."""
    return SentRecord(
        sent_at=moment_at(sent.send_time, f"{path}.send_time"),
        channel=_CHANNELS[sent.channel],
        sender=actor_of(sent.sender),
        reference=sent.reference,
    )


def context_of(message: Any) -> Context:
    """What the gateway brought along in a request's field ``context``; nothing known where it is unset.

    ``InvalidInput`` for a time that no calendar has.
    """
    if not message.HasField("context"):
        return NOTHING_KNOWN
    found: context_pb2.Context = message.context
    moment_at(found.as_of_time, "context.as_of_time")
    delivered_at = moment(found, "first_proof_pack_delivery_time", "context.")
    return Context(
        freezes=tuple(
            ChannelFreeze(
                freeze_id=freeze.freeze_id,
                channel=channel_of(freeze.channel) if freeze.channel else None,
                customer_id=freeze.customer_id,
                incident_id=freeze.incident_id,
            )
            for freeze in found.freezes
        ),
        incidents=tuple(
            OpenIncident(incident.incident_id, incident.severity, tuple(incident.customer_ids))
            for incident in found.incidents
        ),
        incidents_known=found.incidents_known and found.freezes_known,
        all_customers=found.all_customers,
        first_proof_pack=FirstProofPack(delivered_at) if found.proof_pack_known else None,
    )
