"""``PostMortemService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dealix.incidents.v1 import post_mortem_service_pb2 as pb
from google.protobuf.message import Message

from services.incidents import post_mortems, store_post_mortems
from services.incidents import wire_post_mortems as wire
from services.incidents.domain.post_mortem import PostMortem
from services.incidents.post_mortems import Kit, Seen
from services.runtime.call import Call
from services.storage import paging
from services.storage.database import Tx, UnitOfWork

M = TypeVar("M", bound=Message)


class PostMortemServicer:
    """Post-mortems from the first draft to the gate."""

    service = "dealix.incidents.v1.PostMortemService"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def DraftPostMortem(self, request: pb.DraftPostMortemRequest, call: Call) -> bytes:
        content = wire.content_of(request.content)
        return await _write(
            request,
            call,
            pb.DraftPostMortemResponse,
            lambda unit: post_mortems.draft(unit, request.incident_id, content, self._kit),
        )

    async def UpdatePostMortem(self, request: pb.UpdatePostMortemRequest, call: Call) -> bytes:
        content = wire.content_of(request.content)
        return await _write(
            request,
            call,
            pb.UpdatePostMortemResponse,
            lambda unit: post_mortems.update(unit, request.incident_id, content, request.etag, self._kit),
        )

    async def SubmitPostMortem(self, request: pb.SubmitPostMortemRequest, call: Call) -> bytes:
        return await _write(
            request,
            call,
            pb.SubmitPostMortemResponse,
            lambda unit: post_mortems.submit(unit, request.incident_id, request.etag, self._kit),
        )

    async def ApprovePostMortem(self, request: pb.ApprovePostMortemRequest, call: Call) -> bytes:
        return await _write(
            request,
            call,
            pb.ApprovePostMortemResponse,
            lambda unit: post_mortems.approve(
                unit, request.incident_id, request.content_revision, request.late_reason, self._kit
            ),
        )

    async def SignOffPostMortem(self, request: pb.SignOffPostMortemRequest, call: Call) -> bytes:
        kind = wire.SIGN_OFFS.to_domain[request.kind]
        return await _write(
            request,
            call,
            pb.SignOffPostMortemResponse,
            lambda unit: post_mortems.sign_off(
                unit,
                request.incident_id,
                kind,
                request.customer_id,
                request.reference,
                request.content_revision,
                self._kit,
            ),
        )

    async def MarkPostMortemPublishable(self, request: pb.MarkPostMortemPublishableRequest, call: Call) -> bytes:
        return await _write(
            request,
            call,
            pb.MarkPostMortemPublishableResponse,
            lambda unit: post_mortems.mark_publishable(unit, request.incident_id, request.etag, self._kit),
        )

    async def GetPostMortem(self, request: pb.GetPostMortemRequest, call: Call) -> pb.GetPostMortemResponse:
        found = await call.read(lambda tx: post_mortems.get(tx, request.incident_id, self._kit))
        return _answer(pb.GetPostMortemResponse, found)

    async def ListPostMortems(self, request: pb.ListPostMortemsRequest, call: Call) -> pb.ListPostMortemsResponse:
        state = wire.STATES.to_domain.get(request.state)
        size, query = paging.page_size(request.page_size), paging.query_key(call.method.path, {"state": request.state})
        after = paging.decode_token(query, request.page_token, (int, str))

        def read(tx: Tx) -> tuple[list[Seen], str]:
            rows: list[PostMortem] = store_post_mortems.page_of_post_mortems(tx, state, after, size + 1)
            page, token = paging.cut_page(rows, size, query, store_post_mortems.post_mortem_key)
            return post_mortems.see_all(tx, page, self._kit), token

        found, token = await call.read(read)
        return pb.ListPostMortemsResponse(
            approval_required=any(map(wire.needs_approval, found)),
            post_mortems=[wire.post_mortem(seen) for seen in found],
            next_page_token=token,
        )


def _answer(kind: Callable[..., M], seen: Seen) -> M:
    return kind(post_mortem=wire.post_mortem(seen), approval_required=wire.needs_approval(seen))


async def _write(request: Any, call: Call, kind: Callable[..., Message], work: Callable[[UnitOfWork], Seen]) -> bytes:
    return await call.write(request, lambda unit: _answer(kind, work(unit)))
