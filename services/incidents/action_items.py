"""The use cases of action items: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.errors import check_etag
from services.domain.texts import Bilingual
from services.incidents import store
from services.incidents.case import CLOCK, Case
from services.incidents.domain import action_items as rules
from services.incidents.domain.action_items import ActionItem, ActionItemNotFound, ActionItemState, ItemChange
from services.incidents.domain.book import Book
from services.incidents.domain.timeline import TimelineKind
from services.storage import timers
from services.storage.database import UnitOfWork
from services.storage.timers import Timer

TIMER_KIND = "action_item"
_TIMER_PREFIX = "action_item/"


@dataclass(frozen=True, slots=True)
class AddActionItem:
    """What is to be done, by whom, until when."""

    incident_id: str
    title: str
    owner_id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class UpdateActionItem:
    """What changes of an item."""

    action_item_id: str
    change: ItemChange
    etag: str = ""


def add(unit: UnitOfWork, command: AddActionItem, book: Book) -> ActionItem:
    """Adds an action item to an incident. Raises ``InvalidInput`` and ``IncidentNotFound``."""
    case = Case.open(unit, command.incident_id, book)
    rules.check_new(command.title, command.due_at, unit.now)
    item = ActionItem(
        action_item_id=unit.new_id("act"),
        incident_id=command.incident_id,
        title=command.title,
        owner_id=command.owner_id,
        due_at=command.due_at,
        state=ActionItemState.OPEN,
        created_at=unit.now,
        updated_at=unit.now,
    )
    store.insert_item(unit.tx, item)
    _write(case, item, TimelineKind.ACTION_ITEM_ADDED, fields=("title", "owner_id", "due_time", "state"))
    return item


def update(unit: UnitOfWork, command: UpdateActionItem, book: Book) -> ActionItem:
    """Changes an action item.

    Raises ``ActionItemNotFound``, ``EtagMismatch`` and what `services.incidents.domain.action_items.change` raises.
    """
    item = _get(unit, command.action_item_id)
    check_etag(command.etag, item.etag)
    case = Case.open(unit, item.incident_id, book)
    item = _report(case, item)
    item, kind = rules.change(item, command.change, unit.actor, unit.now)
    store.save_item(unit.tx, item)
    _write(case, item, kind, note=command.change.reason, fields=("owner_id", "due_time", "state", "reason"))
    return item


def fire(unit: UnitOfWork, timer: Timer, book: Book) -> None:
    """Reports that an action item is overdue, if it still is."""
    item = _get(unit, timer.timer_id.removeprefix(_TIMER_PREFIX))
    _set_timer(unit, _report(Case.open(unit, item.incident_id, book), item))


def _get(unit: UnitOfWork, action_item_id: str) -> ActionItem:
    item = store.get_item(unit.tx, action_item_id)
    if item is None:
        raise ActionItemNotFound("no such action item", action_item_id=action_item_id)
    return item


def _report(case: Case, item: ActionItem) -> ActionItem:
    breached = rules.report_breach(item, case.now)
    if breached is None:
        return item
    store.save_item(case.unit.tx, breached)
    _write(case, breached, TimelineKind.ACTION_ITEM_BREACHED)
    texts = case.book.texts
    body = texts.action_item_alert.format(
        severity=case.incident.severity.value,
        declared=texts.at(case.incident.declared_at),
        due=texts.at(breached.due_at),
    )
    case.alert(texts.action_item_alert_title, body)
    return breached


def _write(case: Case, item: ActionItem, kind: TimelineKind, *, note: str = "", fields: tuple[str, ...] = ()) -> None:
    """What follows from a change of an item: its line, its timer, its entry of the ledger."""
    texts = case.book.texts
    late = kind is TimelineKind.ACTION_ITEM_BREACHED
    values: dict[str, Bilingual | str] = {"title": item.title}
    if kind in (TimelineKind.ACTION_ITEM_ADDED, TimelineKind.ACTION_ITEM_CHANGED):
        values |= {"person": item.owner_id, "due": texts.at(item.due_at)}
    elif late:
        values |= {"due": texts.at(item.due_at)}
    case.add(
        kind,
        texts.line(kind, note, **values),
        occurred_at=item.due_at if late else None,
        subject=item.action_item_id,
        actor=CLOCK if late else None,
    )
    _set_timer(case.unit, item)
    case.commit(
        f"incident.{kind.value}",
        fields=fields,
        action_item_id=item.action_item_id,
        action_item_state=item.state.value,
    )


def _set_timer(unit: UnitOfWork, item: ActionItem) -> None:
    timer = f"{_TIMER_PREFIX}{item.action_item_id}"
    moment = item.next_breach
    if moment is None:
        timers.cancel_timer(unit.tx, timer)
    else:
        timers.set_timer(unit.tx, timer, TIMER_KIND, moment)
