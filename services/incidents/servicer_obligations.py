"""``ObligationService`` and ``ActionItemService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from datetime import datetime

from dealix.incidents.v1 import action_item_service_pb2 as items_pb
from dealix.incidents.v1 import obligation_service_pb2 as pb

from services.incidents import action_items, obligations, store, wire
from services.incidents import wire_obligations as shapes
from services.incidents.domain.action_items import ItemChange
from services.incidents.domain.book import Book
from services.incidents.domain.obligations import Completion, Obligation, ObligationState
from services.incidents.store import DueObligation
from services.runtime.call import Call
from services.runtime.wire import moment, moment_at
from services.storage import paging
from services.storage.database import UnitOfWork
from services.storage.times import to_micros


class ObligationServicer:
    """What incidents oblige to, and what became of it."""

    service = "dealix.incidents.v1.ObligationService"

    def __init__(self, book: Book) -> None:
        self._book = book

    async def ListObligations(self, request: pb.ListObligationsRequest, call: Call) -> pb.ListObligationsResponse:
        asked = moment(request, "as_of_time")
        as_of = call.now if asked is None else asked
        size = paging.page_size(request.page_size)
        query = paging.query_key(
            call.method.path,
            {"incident_id": request.incident_id, "as_of": None if asked is None else to_micros(asked)},
        )
        after = paging.decode_token(query, request.page_token, (str, int))
        found = await call.read(lambda tx: obligations.list_obligations(tx, request.incident_id, self._book, as_of))
        keys = [(each.kind.value, each.number) for each in found]
        # Computed, not read: what was listed can only be followed by more of the same kinds.
        start = keys.index((str(after[0]), int(after[1]))) + 1 if after is not None and after in keys else 0
        page, token = paging.cut_page(
            found[start : start + size + 1], size, query, lambda each: (each.kind.value, each.number)
        )
        return pb.ListObligationsResponse(
            obligations=[shapes.obligation(each, as_of) for each in page], next_page_token=token
        )

    async def ListDueObligations(
        self, request: pb.ListDueObligationsRequest, call: Call
    ) -> pb.ListDueObligationsResponse:
        asked, now = moment(request, "as_of_time"), call.now
        as_of = now if asked is None else asked
        kind = shapes.KINDS.to_domain.get(request.kind)
        size = paging.page_size(request.page_size)
        query = paging.query_key(
            call.method.path, {"kind": request.kind, "as_of": None if asked is None else to_micros(asked)}
        )
        after = paging.decode_token(query, request.page_token, (int, str, str))
        found = await call.read(
            lambda tx: store.page_of_due(tx, as_of, past=as_of < now, kind=kind, after=after, limit=size + 1)
        )
        page, token = paging.cut_page(found, size, query, store.due_key)
        due = [self._due(each, as_of) for each in page]
        return pb.ListDueObligationsResponse(
            obligations=[shapes.obligation(each, as_of) for each in due], next_page_token=token
        )

    def _due(self, found: DueObligation, as_of: datetime) -> Obligation:
        late = as_of > found.due_at
        return Obligation(
            found.incident_id,
            self._book.policy.rule(found.kind),
            found.number,
            # Due at this very moment: not late yet.
            ObligationState.BREACHED if late else ObligationState.AT_RISK,
            found.severity,
            found.started_at,
            found.due_at,
            breached=late,
        )

    async def CompleteObligation(self, request: pb.CompleteObligationRequest, call: Call) -> bytes:
        command = obligations.CompleteObligation(
            request.incident_id,
            Completion(shapes.KINDS.to_domain[request.kind], moment(request, "occur_time"), request.reason),
            request.reference,
            request.etag,
        )

        def complete(unit: UnitOfWork) -> pb.CompleteObligationResponse:
            found, case = obligations.complete(unit, command, self._book)
            return pb.CompleteObligationResponse(
                approval_required=True,
                obligation=shapes.obligation(found, unit.now),
                incident=wire.incident(case.incident),
            )

        return await call.write(request, complete)

    async def WaiveObligation(self, request: pb.WaiveObligationRequest, call: Call) -> bytes:
        command = obligations.WaiveObligation(
            request.incident_id, shapes.KINDS.to_domain[request.kind], request.reason, request.etag
        )

        def waive(unit: UnitOfWork) -> pb.WaiveObligationResponse:
            found, case = obligations.waive(unit, command, self._book)
            return pb.WaiveObligationResponse(
                approval_required=True,
                obligation=shapes.obligation(found, unit.now),
                incident=wire.incident(case.incident),
            )

        return await call.write(request, waive)


class ActionItemServicer:
    """What is still to be done because of incidents."""

    service = "dealix.incidents.v1.ActionItemService"

    def __init__(self, book: Book) -> None:
        self._book = book

    async def AddActionItem(self, request: items_pb.AddActionItemRequest, call: Call) -> bytes:
        command = action_items.AddActionItem(
            request.incident_id, request.title, request.owner_id, moment_at(request.due_time, "due_time")
        )

        def add(unit: UnitOfWork) -> items_pb.AddActionItemResponse:
            found = action_items.add(unit, command, self._book)
            return items_pb.AddActionItemResponse(action_item=shapes.item(found, unit.now))

        return await call.write(request, add)

    async def UpdateActionItem(self, request: items_pb.UpdateActionItemRequest, call: Call) -> bytes:
        command = action_items.UpdateActionItem(
            request.action_item_id,
            ItemChange(
                request.owner_id,
                moment(request, "due_time"),
                shapes.ITEM_STATES.to_domain.get(request.state),
                request.reason,
            ),
            request.etag,
        )

        def update(unit: UnitOfWork) -> items_pb.UpdateActionItemResponse:
            found = action_items.update(unit, command, self._book)
            return items_pb.UpdateActionItemResponse(action_item=shapes.item(found, unit.now))

        return await call.write(request, update)

    async def ListActionItems(
        self, request: items_pb.ListActionItemsRequest, call: Call
    ) -> items_pb.ListActionItemsResponse:
        before = moment(request, "due_before_time")
        wanted = store.ItemFilter(request.incident_id, request.owner_id, request.open_only, before)
        size = paging.page_size(request.page_size)
        query = paging.query_key(
            call.method.path,
            {
                "incident_id": request.incident_id,
                "owner_id": request.owner_id,
                "open_only": request.open_only,
                "due_before": None if before is None else to_micros(before),
            },
        )
        after = paging.decode_token(query, request.page_token, (int, str))
        now = call.now
        found = await call.read(lambda tx: store.page_of_items(tx, wanted, after, size + 1))
        page, token = paging.cut_page(found, size, query, store.item_key)
        return items_pb.ListActionItemsResponse(
            action_items=[shapes.item(each, now) for each in page], next_page_token=token
        )
