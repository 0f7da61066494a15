"""Action items: what is still to be done because of an incident. They outlive it and are late on their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks, has_visible_text
from services.domain.errors import NotFound, PreconditionFailed
from services.incidents.domain.lifecycle import LateReasonRequired, require_person
from services.incidents.domain.obligations import INSTANT, utc
from services.incidents.domain.timeline import TimelineKind


class ActionItemState(StrEnum):
    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


class ActionItemNotFound(NotFound):
    """No action item has this id. Metadata: ``action_item_id``."""

    reason: ClassVar[str] = "ACTION_ITEM_NOT_FOUND"


class ActionItemStateRefused(PreconditionFailed):
    """The action item is done or dropped. Metadata: ``action_item_id``, ``state``."""

    reason: ClassVar[str] = "ACTION_ITEM_STATE_REFUSED"


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Times are UTC. ``breached_due_at`` is the due time whose passing was last reported, ``breaches`` how many were.

    ``reason`` is that of the last change. ``revision`` counts changes from 1.
    """

    action_item_id: str
    incident_id: str
    title: str
    owner_id: str
    due_at: datetime
    state: ActionItemState
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None = None
    reason: str = ""
    breached_due_at: datetime | None = None
    breaches: int = 0
    revision: int = 1

    @property
    def etag(self) -> str:
        """Changes with every change of the item."""
        return f"r{self.revision}"

    def overdue(self, now: datetime) -> bool:
        """Whether it is open after it was due."""
        return self.state is ActionItemState.OPEN and now > self.due_at

    @property
    def next_breach(self) -> datetime | None:
        """When its due time is to be reported as passed; None where it was, or where the item is not open."""
        if self.state is not ActionItemState.OPEN or self.breached_due_at == self.due_at:
            return None
        return self.due_at + INSTANT


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What changes; an empty ``owner_id`` and None leave what is."""

    owner_id: str
    due_at: datetime | None
    state: ActionItemState | None
    reason: str


def check_new(title: str, due_at: datetime, now: datetime) -> None:
    """Raises ``InvalidInput`` for a blank title and a due time in the past."""
    checks = Checks()
    checks.text("title", title)
    if due_at <= now:
        checks.note("due_time", "IN_PAST", "must be later than now")
    checks.done()


def change(item: ActionItem, wanted: ItemChange, actor: ActorLike, now: datetime) -> tuple[ActionItem, TimelineKind]:
    """The item after a change, and the line that says so.

    Raises ``PersonRequired``, ``InvalidInput``, ``ActionItemStateRefused`` and ``LateReasonRequired``.
    """
    require_person(actor, "update_action_item")
    checks = Checks()
    if wanted.state is None and wanted.due_at is None and not wanted.owner_id:
        checks.note("state", "REQUIRED", "must be given, or owner_id or due_time")
    if wanted.state is ActionItemState.OPEN:
        checks.note("state", "UNKNOWN_VALUE", "must be DONE or CANCELLED")
    if wanted.due_at is not None:
        if wanted.due_at <= now:
            checks.note("due_time", "IN_PAST", "must be later than now")
        if wanted.state is not None:
            checks.note("due_time", "NOT_ALLOWED", "must be unset for an item that is done or dropped")
    if wanted.due_at is not None or wanted.state is ActionItemState.CANCELLED:
        checks.text("reason", wanted.reason)
    checks.done()
    if item.state is not ActionItemState.OPEN:
        raise ActionItemStateRefused(
            f"the action item is {item.state}", action_item_id=item.action_item_id, state=item.state.value
        )
    if wanted.state is ActionItemState.DONE and now > item.due_at and not has_visible_text(wanted.reason):
        raise LateReasonRequired(
            "the action item was due before; say why it is late",
            action_item_id=item.action_item_id,
            due_time=utc(item.due_at),
        )
    changed = replace(
        item,
        owner_id=wanted.owner_id or item.owner_id,
        due_at=wanted.due_at or item.due_at,
        state=wanted.state or item.state,
        ended_at=None if wanted.state is None else now,
        reason=wanted.reason,
        updated_at=now,
        revision=item.revision + 1,
    )
    if wanted.state is ActionItemState.DONE:
        return changed, TimelineKind.ACTION_ITEM_DONE
    dropped = wanted.state is ActionItemState.CANCELLED
    return changed, TimelineKind.ACTION_ITEM_CANCELLED if dropped else TimelineKind.ACTION_ITEM_CHANGED


def report_breach(item: ActionItem, now: datetime) -> ActionItem | None:
    """The item with its breach reported; None where there is none to report."""
    moment = item.next_breach
    if moment is None or moment > now:
        return None
    return replace(
        item,
        breached_due_at=item.due_at,
        breaches=item.breaches + 1,
        updated_at=now,
        revision=item.revision + 1,
    )
