"""``FreezeService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from dealix.incidents.v1 import freeze_service_pb2 as pb

from services.incidents import freezes, store_freezes
from services.incidents import wire_freezes as wire
from services.incidents.domain.book import Book
from services.incidents.domain.freezes import Freeze, Thresholds, evaluate
from services.runtime.call import Call
from services.runtime.wire import channel_of
from services.storage import paging
from services.storage.database import UnitOfWork


class FreezeServicer:
    """Latches, releases and lists freezes, and says what suggests one."""

    service = "dealix.incidents.v1.FreezeService"

    def __init__(self, book: Book, thresholds: Thresholds) -> None:
        self._book = book
        self._thresholds = thresholds

    async def FreezeChannel(self, request: pb.FreezeChannelRequest, call: Call) -> bytes:
        command = wire.freeze_channel(request)

        def freeze(unit: UnitOfWork) -> pb.FreezeChannelResponse:
            found, new = freezes.freeze_channel(unit, command, self._book)
            return pb.FreezeChannelResponse(freeze=wire.freeze(found), already_frozen=not new)

        return await call.write(request, freeze)

    async def ReleaseFreeze(self, request: pb.ReleaseFreezeRequest, call: Call) -> bytes:
        def release(unit: UnitOfWork) -> pb.ReleaseFreezeResponse:
            found, remaining = freezes.release_freeze(unit, request.freeze_id, request.reason, self._book)
            return pb.ReleaseFreezeResponse(
                freeze=wire.freeze(found),
                still_frozen=bool(remaining),
                remaining=[wire.freeze(other) for other in remaining],
            )

        return await call.write(request, release)

    async def GetFreezes(self, request: pb.GetFreezesRequest, call: Call) -> pb.GetFreezesResponse:
        wanted = store_freezes.FreezeFilter(
            holding=True,
            channel=channel_of(request.channel) if request.channel else None,
            customer_id=request.customer_id or None,
        )
        filters: dict[str, paging.Filter] = {"channel": request.channel, "customer_id": request.customer_id}
        page, token = await self._page(wanted, filters, request, call)
        return pb.GetFreezesResponse(
            freezes=[wire.freeze(found) for found in page], next_page_token=token, frozen=bool(page)
        )

    async def ListFreezes(self, request: pb.ListFreezesRequest, call: Call) -> pb.ListFreezesResponse:
        wanted = store_freezes.FreezeFilter(
            holding=False,
            channel=channel_of(request.channel) if request.channel else None,
            customer_id=request.customer_id or None,
            incident_id=request.incident_id or None,
        )
        filters: dict[str, paging.Filter] = {
            "channel": request.channel,
            "customer_id": request.customer_id,
            "incident_id": request.incident_id,
        }
        page, token = await self._page(wanted, filters, request, call)
        return pb.ListFreezesResponse(freezes=[wire.freeze(found) for found in page], next_page_token=token)

    async def EvaluateChannelMetrics(
        self, request: pb.EvaluateChannelMetricsRequest, call: Call
    ) -> pb.EvaluateChannelMetricsResponse:
        metrics = wire.metrics(request)
        found = evaluate(metrics, self._thresholds)
        frozen = await call.read(lambda tx: freezes.is_frozen(tx, metrics.channel, request.customer_id))
        return wire.evaluation(found, frozen)

    async def _page(
        self,
        wanted: store_freezes.FreezeFilter,
        filters: dict[str, paging.Filter],
        request: pb.GetFreezesRequest | pb.ListFreezesRequest,
        call: Call,
    ) -> tuple[list[Freeze], str]:
        size, query = paging.page_size(request.page_size), paging.query_key(call.method.path, filters)
        after = paging.decode_token(query, request.page_token, (int, str))
        found = await call.read(lambda tx: store_freezes.page_of_freezes(tx, wanted, after, size + 1))
        return paging.cut_page(found, size, query, store_freezes.freeze_key)
