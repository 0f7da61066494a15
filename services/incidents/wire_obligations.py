"""Obligations and action items in the contract's words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from dealix.incidents.v1 import action_item_pb2, obligation_pb2

from services.incidents.domain.action_items import ActionItem, ActionItemState
from services.incidents.domain.obligations import Obligation, ObligationKind, ObligationState
from services.incidents.wire import SEVERITIES, maybe
from services.runtime.wire import EnumMap, actor, timestamp

KINDS = EnumMap(obligation_pb2.ObligationKind, ObligationKind, "OBLIGATION_KIND_")
STATES = EnumMap(obligation_pb2.ObligationState, ObligationState, "OBLIGATION_STATE_")
ITEM_STATES = EnumMap(action_item_pb2.ActionItemState, ActionItemState, "ACTION_ITEM_STATE_")

_SECOND = timedelta(seconds=1)


def obligation(found: Obligation, as_of: datetime) -> obligation_pb2.Obligation:
    """An obligation as known at ``as_of``."""
    rule = found.rule
    return obligation_pb2.Obligation(
        incident_id=found.incident_id,
        obligation_id=found.obligation_id,
        kind=KINDS.to_wire[found.kind],
        number=found.number,
        state=STATES.to_wire[found.state],
        severity=SEVERITIES.to_wire[found.severity],
        text_ar=rule.text.ar,
        text_en=rule.text.en,
        start_time=maybe(found.started_at),
        due_time=maybe(found.due_at),
        end_time=maybe(found.ended_at),
        record_time=maybe(found.recorded_at),
        ended_by=actor(found.ended_by) if found.ended_by is not None else None,
        reason=found.reason,
        breached=found.breached,
        seconds_left=(found.due_at - as_of) // _SECOND if found.open and found.due_at is not None else 0,
        legal_reference_ar=rule.legal.ar if rule.legal is not None else "",
        legal_reference_en=rule.legal.en if rule.legal is not None else "",
        pausable=rule.pausable,
        waivable=rule.waivable,
    )


def present(found: Iterable[Obligation], now: datetime) -> list[obligation_pb2.Obligation]:
    """The obligations that matter at ``now``: all but the updates that were met in time."""
    return [obligation(each, now) for each in found if not (each.rule.recurs and each.state is ObligationState.MET)]


def item(found: ActionItem, now: datetime) -> action_item_pb2.ActionItem:
    """An action item as it stands at ``now``."""
    return action_item_pb2.ActionItem(
        action_item_id=found.action_item_id,
        incident_id=found.incident_id,
        title=found.title,
        owner_id=found.owner_id,
        due_time=timestamp(found.due_at),
        state=ITEM_STATES.to_wire[found.state],
        overdue=found.overdue(now),
        breaches=found.breaches,
        end_time=maybe(found.ended_at),
        reason=found.reason,
        create_time=timestamp(found.created_at),
        update_time=timestamp(found.updated_at),
        etag=found.etag,
    )
