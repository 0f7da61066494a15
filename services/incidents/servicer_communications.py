"""``CommunicationService``: request to handler to response. The RPCs are documented in the contract."""

from __future__ import annotations

from dealix.incidents.v1 import communication_service_pb2 as pb

from services.approvals import wire as drafts_wire
from services.incidents import communications
from services.incidents import wire_communications as wire
from services.incidents.communications import Kit
from services.runtime.call import Call
from services.storage.database import UnitOfWork


class CommunicationServicer:
    """What customers are told of incidents, as drafts."""

    service = "dealix.incidents.v1.CommunicationService"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def PreviewCommunication(
        self, request: pb.PreviewCommunicationRequest, call: Call
    ) -> pb.PreviewCommunicationResponse:
        kind, facts = wire.KINDS.to_domain[request.kind], wire.facts_of(request.facts)
        return wire.preview(communications.preview(kind, facts, call.now, self._kit))

    async def DraftCommunication(self, request: pb.DraftCommunicationRequest, call: Call) -> bytes:
        command = wire.command(request)

        def draft(unit: UnitOfWork) -> pb.DraftCommunicationResponse:
            made = communications.draft(unit, command, self._kit)
            return pb.DraftCommunicationResponse(
                approval_required=True, drafts=[drafts_wire.draft(one, unit.now) for one in made]
            )

        return await call.write(request, draft)

    async def CheckParity(self, request: pb.CheckParityRequest, _: Call) -> pb.CheckParityResponse:
        names = wire.names_of(request.names)
        return wire.parity(self._kit.parity.differences(request.text_ar, request.text_en, names))
