"""The use cases of freezes: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from dataclasses import dataclass

from services.domain.channels import Channel
from services.domain.context import ChannelFreeze, Context
from services.incidents import store, store_freezes
from services.incidents.case import Case
from services.incidents.domain import freezes as rules
from services.incidents.domain.book import Book
from services.incidents.domain.errors import IncidentNotFound
from services.incidents.domain.freezes import Freeze, FreezeNotFound, Scope
from services.incidents.domain.timeline import TimelineKind
from services.storage.database import Tx, UnitOfWork

MAX_ACTIVE = 500
"""The most freezes that are told at once: as many as a `dealix.common.v1.Context` holds; one customer never has so many."""

MAX_REMAINING = 100


@dataclass(frozen=True, slots=True)
class FreezeChannel:
    """What to freeze. ``incident_id`` is empty where no incident leads to it."""

    scope: Scope
    reason: str
    incident_id: str


def freeze_channel(unit: UnitOfWork, command: FreezeChannel, book: Book) -> tuple[Freeze, bool]:
    """Latches a freeze, and says whether it is a new one: what holds for the same reason already stays as it is.

    Raises ``IncidentNotFound``.
    """
    if command.incident_id and store.get_incident(unit.tx, command.incident_id) is None:
        raise IncidentNotFound("no such incident", incident_id=command.incident_id)
    active = tuple(store_freezes.active_of_cause(unit.tx, command.scope, command.incident_id, command.reason))
    found, new = rules.freeze(
        unit.new_id("frz"), command.scope, command.reason, command.incident_id, unit.actor, unit.now, active
    )
    if new:
        store_freezes.insert_freeze(unit.tx, found)
    _record(unit, "freeze.latched" if new else "freeze.repeated", found, ("active", "reason") if new else ())
    if new:
        _tell(unit, found, TimelineKind.FREEZE_LATCHED, book)
    return found, new


def release_freeze(unit: UnitOfWork, freeze_id: str, reason: str, book: Book) -> tuple[Freeze, list[Freeze]]:
    """Releases one freeze; with it the freezes that still hold any of what it held, newest first, at most 100.

    Raises ``PersonRequired``, ``FounderRequired``, ``InvalidInput``, ``FreezeReleased`` and ``FreezeNotFound``.
    """
    held = store_freezes.get_freeze(unit.tx, freeze_id)
    if held is None:
        raise FreezeNotFound("no such freeze", freeze_id=freeze_id)
    released = rules.release(held, unit.actor, reason, unit.now)
    store_freezes.save_release(unit.tx, released)
    _record(unit, "freeze.released", released, ("active", "release"))
    _tell(unit, released, TimelineKind.FREEZE_RELEASED, book)
    overlapping = store_freezes.FreezeFilter(True, held.scope.channel, held.scope.customer_id or None)
    return released, store_freezes.page_of_freezes(unit.tx, overlapping, None, MAX_REMAINING)


def active_freezes(tx: Tx, customer_id: str) -> tuple[ChannelFreeze, ...]:
    """What to decide by for a customer: of each channel that is frozen for it or for everybody, the oldest active freeze.

    Of an empty ``customer_id``, what concerns nobody in particular: the oldest of each channel and customer, at most 500.
    """
    return tuple(freeze.as_context for freeze in store_freezes.decisive(tx, customer_id, MAX_ACTIVE))


def own_context(tx: Tx, customer_id: str, brought: Context) -> Context:
    """What to go by in this service: its own freezes, whatever the gateway brought along."""
    return Context(freezes=active_freezes(tx, customer_id), incidents=brought.incidents)


def is_frozen(tx: Tx, channel: Channel, customer_id: str) -> bool:
    """Whether a freeze holds a channel of a customer; of an empty one, for every customer."""
    wanted = store_freezes.FreezeFilter(holding=True, channel=channel, customer_id=customer_id)
    return bool(store_freezes.page_of_freezes(tx, wanted, None, 1))


def _tell(unit: UnitOfWork, freeze: Freeze, kind: TimelineKind, book: Book) -> None:
    """Puts it on the timeline of the incident that it belongs to, if there is one."""
    if not freeze.incident_id:
        return
    case = Case.open(unit, freeze.incident_id, book)
    text = book.texts.freeze(kind, freeze.scope.channel, freeze.scope.customer_id)
    case.add(kind, text, subject=f"freeze/{freeze.freeze_id}")
    case.commit(f"incident.{kind.value}", fields=("timeline",), freeze_id=freeze.freeze_id)


def _record(unit: UnitOfWork, action: str, freeze: Freeze, fields: tuple[str, ...]) -> None:
    unit.record(
        action,
        f"freeze/{freeze.freeze_id}",
        fields=fields,
        attributes={
            "active": "true" if freeze.active else "false",
            "channel": freeze.scope.channel.value if freeze.scope.channel is not None else "all",
            # An id of a customer may be "all" as well; an asterisk may not begin one.
            "customer_id": freeze.scope.customer_id or "*",
            **({"incident_id": freeze.incident_id} if freeze.incident_id else {}),
        },
    )
