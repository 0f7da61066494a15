"""``NoticeService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from dealix.incidents.v1 import notice_service_pb2 as pb

from services.approvals import wire as drafts_wire
from services.domain.drafts import DraftState
from services.incidents import notices
from services.incidents import wire_notices as wire
from services.incidents.domain.book import Book
from services.incidents.domain.notice import Wording
from services.runtime.call import Call
from services.storage.database import UnitOfWork


class NoticeServicer:
    """Notices to the authority: prepared, filed by a person, supplemented."""

    service = "dealix.incidents.v1.NoticeService"

    def __init__(self, book: Book, wording: Wording) -> None:
        self._book = book
        self._wording = wording

    async def UpdateNotice(self, request: pb.UpdateNoticeRequest, call: Call) -> bytes:
        blocks = wire.blocks_of(request.blocks)

        def update(unit: UnitOfWork) -> pb.UpdateNoticeResponse:
            seen = notices.update(unit, request.incident_id, blocks, request.etag, self._book)
            return pb.UpdateNoticeResponse(approval_required=True, notice=wire.notice(seen, self._wording))

        return await call.write(request, update)

    async def DraftNotice(self, request: pb.DraftNoticeRequest, call: Call) -> bytes:
        def draft(unit: UnitOfWork) -> pb.DraftNoticeResponse:
            found = notices.draft(unit, request.incident_id, self._book, self._wording)
            waits = found.state_at(unit.now) is DraftState.DRAFTED
            return pb.DraftNoticeResponse(draft=drafts_wire.draft(found, unit.now), approval_required=waits)

        return await call.write(request, draft)

    async def RecordNoticeFiled(self, request: pb.RecordNoticeFiledRequest, call: Call) -> bytes:
        facts = wire.filing_of(request)

        def file(unit: UnitOfWork) -> pb.RecordNoticeFiledResponse:
            seen = notices.file(unit, request.incident_id, facts, request.etag, self._book, self._wording)
            return pb.RecordNoticeFiledResponse(approval_required=True, notice=wire.notice(seen, self._wording))

        return await call.write(request, file)

    async def RecordNoticeSupplement(self, request: pb.RecordNoticeSupplementRequest, call: Call) -> bytes:
        facts = wire.supplement_of(request)

        def supplement(unit: UnitOfWork) -> pb.RecordNoticeSupplementResponse:
            seen = notices.supplement(unit, request.incident_id, facts, request.etag, self._book)
            return pb.RecordNoticeSupplementResponse(approval_required=True, notice=wire.notice(seen, self._wording))

        return await call.write(request, supplement)

    async def GetNotice(self, request: pb.GetNoticeRequest, call: Call) -> pb.GetNoticeResponse:
        now = call.now
        seen = await call.read(lambda tx: notices.get(tx, request.incident_id, self._book, now))
        return pb.GetNoticeResponse(approval_required=True, notice=wire.notice(seen, self._wording))
