"""``GatewayService``: request to composition to response. The RPCs are documented in the contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

from dealix.gateway.v1 import gateway_service_pb2 as pb

from gateway import customers, ledgers, onboarding, reviews, triage, watch
from gateway.compose import Composer, known_by
from gateway.guard import Guard
from gateway.tails import Tails
from gateway.upstreams import Upstream
from services.runtime.call import Call


class GatewayServicer:
    """What spans several services."""

    service = "dealix.gateway.v1.GatewayService"

    def __init__(
        self,
        composer: Composer,
        upstreams: Mapping[str, Upstream],
        guard: Guard,
        tails: Tails,
        review_texts: reviews.ReviewTexts,
    ) -> None:
        self._composer = composer
        self._review_texts = review_texts
        self._upstreams = upstreams
        self._guard = guard
        self._tails = tails

    async def TriageIncident(self, request: pb.TriageIncidentRequest, call: Call) -> pb.TriageIncidentResponse:
        return await triage.triage(self._composer, request, call)

    async def HandleTicket(self, request: pb.HandleTicketRequest, call: Call) -> pb.HandleTicketResponse:
        with known_by(request.request_id):
            return await self._composer.handle_ticket(request, call)

    async def RunWeeklySlaReview(
        self, request: pb.RunWeeklySlaReviewRequest, call: Call
    ) -> pb.RunWeeklySlaReviewResponse:
        with known_by(request.request_id):
            return await reviews.run_review(self._composer, request, self._review_texts, call)

    async def AssessCustomer(self, request: pb.AssessCustomerRequest, call: Call) -> pb.AssessCustomerResponse:
        return await customers.assess(self._composer, request, call)

    async def GetCustomerOverview(
        self, request: pb.GetCustomerOverviewRequest, call: Call
    ) -> pb.GetCustomerOverviewResponse:
        return await customers.overview(self._composer, request, call)

    async def CompleteOnboarding(
        self, request: pb.CompleteOnboardingRequest, call: Call
    ) -> pb.CompleteOnboardingResponse:
        with known_by(request.request_id):
            return await onboarding.complete(self._composer, request, call)

    async def ListLedger(self, request: pb.ListLedgerRequest, call: Call) -> pb.ListLedgerResponse:
        return await ledgers.list_ledger(self._composer, request, call)

    def WatchEvents(self, request: pb.WatchEventsRequest, call: Call) -> AsyncGenerator[pb.WatchEventsResponse, None]:
        return watch.watch_events(self._composer, self._tails, request, call)

    async def GetStatus(self, _: pb.GetStatusRequest, __: Call) -> pb.GetStatusResponse:
        names = list(self._upstreams)
        serving = await asyncio.gather(*(self._upstreams[name].serving() for name in names))
        return pb.GetStatusResponse(
            services=[
                pb.ServiceStatus(service=name, serving=ok, policy_breaches=self._guard.breaches[name])
                for name, ok in zip(names, serving, strict=True)
            ]
        )
