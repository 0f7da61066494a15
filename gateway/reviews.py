"""The weekly review of service levels: support judges, success talks to whom it concerns, incidents see to what is grave."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import grpc
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.incidents.v1 import incident_pb2, incident_service_pb2
from dealix.success.v1 import plan_pb2, success_service_pb2
from dealix.support.v1 import sla_pb2, sla_service_pb2

from gateway import ledgers
from gateway.compose import Composer, part_id
from services.domain.dates import named_day
from services.domain.riyadh import riyadh_date, working_day
from services.domain.texts import Bilingual, TextsFile
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.wire import moment_at

TEXTS = Path(__file__).parent / "texts"

_SUCCESS = "/dealix.success.v1.SuccessService"
# Of this the ids are made under which a week has things once.
_WEEKS = "6f1d2a52-8a6c-5a0e-9d55-3c0b8e7f4a11"
_NO_CADENCE = frozenset({"PLAN_NOT_FOUND", "PLAN_NOT_ACTIVE"})
# Touchpoints that are added at once: success writes one after the other anyway.
_AT_ONCE = 8
# What a declaration takes of each.
_MAX_CUSTOMERS, _MAX_TICKETS = 1000, 100


@dataclass(frozen=True, slots=True)
class ReviewTexts:
    """What a review writes to other services; the placeholders are described in the file."""

    talk: Bilingual
    title: Bilingual
    description: Bilingual
    raise_reason: Bilingual


def load_review_texts(folder: Path = TEXTS) -> ReviewTexts:
    """Read ``weekly_review.toml`` in ``folder``; `TextsError` names every fault of it."""
    file = TextsFile(folder / "weekly_review.toml")
    incident = file.table("incident")
    texts = ReviewTexts(
        talk=file.table("talk").bilingual("text", frozenset({"week", "breaches"})),
        title=incident.bilingual("title", frozenset({"week"})),
        description=incident.bilingual("description", frozenset({"breached", "rated", "customers"})),
        raise_reason=incident.bilingual("raise"),
    )
    file.finish()
    return texts


async def run_review(
    composer: Composer, request: pb.RunWeeklySlaReviewRequest, texts: ReviewTexts, call: Call
) -> pb.RunWeeklySlaReviewResponse:
    """Reviews a week and does what follows from it. Raises ``RpcFailure`` where support does not answer.

    The review is written under an id made from the request's, so that a request_id with other content is refused before
    anything else is done, and a repeated one goes by the same report. What a customer or a week has once is told apart by the
    week: by the key of the touchpoint, and by the id under which the incident is declared.
    """
    reviewed: sla_service_pb2.ReviewSlaWeekResponse = await composer.ask(
        "support",
        "/dealix.support.v1.SlaService/ReviewSlaWeek",
        sla_service_pb2.ReviewSlaWeekRequest(
            request_id=part_id(request.request_id, "review"),
            actor=request.actor,
            week_start_date=request.week_start_date,
        ),
        call,
    )
    followed = _Follow(composer, request, reviewed, texts, call)
    customers, incident = await asyncio.gather(followed.customers(), followed.incident())
    failed = next((one.reason for one in customers if one.cadence == pb.PART_STATE_FAILED), "")
    return pb.RunWeeklySlaReviewResponse(
        approval_required=True,
        week_start_date=reviewed.week_start_date,
        period_start_time=reviewed.period_start_time,
        period_end_time=reviewed.period_end_time,
        review_time=reviewed.review_time,
        report=reviewed.report,
        customers=customers,
        incident_id=incident.incident_id,
        parts=[
            pb.Part(name="report", service="support", state=pb.PART_STATE_ANSWERED),
            pb.Part(
                name="customers",
                service="success",
                state=pb.PART_STATE_FAILED if failed else pb.PART_STATE_ANSWERED,
                reason=failed,
            ),
            pb.Part(name="incident", service="incidents", state=incident.state, reason=incident.reason),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Incident:
    """What became of the incident of a week."""

    state: pb.PartState.ValueType
    incident_id: str = ""
    reason: str = ""


class _Follow:
    """What follows from the report of a week."""

    def __init__(
        self,
        composer: Composer,
        request: pb.RunWeeklySlaReviewRequest,
        reviewed: sla_service_pb2.ReviewSlaWeekResponse,
        texts: ReviewTexts,
        call: Call,
    ) -> None:
        self._composer = composer
        self._request = request
        self._reviewed = reviewed
        self._week = reviewed.week_start_date
        self._named_week = named_day(date.fromisoformat(reviewed.week_start_date))
        self._texts = texts
        self._call = call
        self._breaches = Counter(breach.customer_id for breach in reviewed.report.breaches)

    # --- the customers ------------------------------------------------------------------------------------------------

    async def customers(self) -> list[pb.ReviewedCustomer]:
        """Puts a touchpoint on the cadence of each affected customer."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def talk(customer_id: str) -> pb.ReviewedCustomer:
            async with room:
                return await self._talk(customer_id)

        return await asyncio.gather(*map(talk, sorted(self._breaches)))

    async def _talk(self, customer_id: str) -> pb.ReviewedCustomer:
        made = pb.ReviewedCustomer(customer_id=customer_id, breaches=self._breaches[customer_id])
        try:
            found = await self._touchpoint(customer_id)
        except RpcFailure as failure:
            made.cadence = pb.PART_STATE_NOTHING_KNOWN if failure.reason in _NO_CADENCE else pb.PART_STATE_FAILED
            made.reason = failure.reason
            return made
        made.cadence = pb.PART_STATE_ANSWERED
        made.touchpoint_id, made.planned_date = found.touchpoint_id, found.planned_date
        return made

    async def _touchpoint(self, customer_id: str) -> plan_pb2.Touchpoint:
        """The week's touchpoint of a customer: added now, or there already. Raises ``RpcFailure``."""
        reviewed_on = riyadh_date(moment_at(self._reviewed.review_time, "review_time"))
        today = riyadh_date(self._call.now)
        planned = _next_working_day(reviewed_on)
        try:
            try:
                return await self._add(customer_id, planned)
            except RpcFailure as failure:
                # The review was begun on another day and is finished now, when the day it planned for has passed.
                if failure.code != grpc.StatusCode.INVALID_ARGUMENT or planned >= today:
                    raise
                return await self._add(customer_id, _next_working_day(today))
        except RpcFailure as failure:
            if failure.reason != "TOUCHPOINT_EXISTS":
                raise
            return await self._there(failure.metadata["touchpoint_id"])

    async def _add(self, customer_id: str, due: date) -> plan_pb2.Touchpoint:
        said = self._texts.talk.format(week=self._named_week, breaches=str(self._breaches[customer_id]))
        added: success_service_pb2.AddTouchpointResponse = await self._composer.ask(
            "success",
            f"{_SUCCESS}/AddTouchpoint",
            success_service_pb2.AddTouchpointRequest(
                request_id=part_id(self._request.request_id, f"touchpoint/{customer_id}/{due}"),
                actor=self._request.actor,
                customer_id=customer_id,
                key=f"sla-week-{self._week}",
                due_date=due.isoformat(),
                reason=_in_both(said, " · "),
            ),
            self._call,
        )
        return added.touchpoint

    async def _there(self, touchpoint_id: str) -> plan_pb2.Touchpoint:
        found: success_service_pb2.GetTouchpointResponse = await self._composer.ask(
            "success",
            f"{_SUCCESS}/GetTouchpoint",
            success_service_pb2.GetTouchpointRequest(touchpoint_id=touchpoint_id),
            self._call,
        )
        return found.touchpoint

    # --- the incident -------------------------------------------------------------------------------------------------

    async def incident(self) -> _Incident:
        """Declares the incident of a critical week, once."""
        if self._reviewed.report.verdict != sla_pb2.SLA_VERDICT_CRITICAL:
            return _Incident(pb.PART_STATE_NOTHING_KNOWN)
        request_id = part_id(_WEEKS, f"weekly-sla-review/{self._week}/declare")
        try:
            return _Incident(pb.PART_STATE_ANSWERED, await self._declare(request_id))
        except RpcFailure as failure:
            return _Incident(pb.PART_STATE_FAILED, reason=failure.reason)

    async def _declare(self, request_id: str) -> str:
        """The id of the week's incident: declared now, or by an earlier review. Raises ``RpcFailure``."""
        report, customers = self._reviewed.report, sorted(self._breaches)
        title = self._texts.title.format(week=self._named_week)
        description = self._texts.description.format(
            breached=str(report.total_breached), rated=str(report.rated_tickets), customers=str(len(customers))
        )
        try:
            declared: incident_service_pb2.DeclareIncidentResponse = await self._composer.ask(
                "incidents",
                "/dealix.incidents.v1.IncidentService/DeclareIncident",
                incident_service_pb2.DeclareIncidentRequest(
                    request_id=request_id,
                    actor=self._request.actor,
                    facts=incident_pb2.TriageFacts(
                        title=_in_both(title, " · "),
                        description=_in_both(description, "\n"),
                        affected_customers=len(customers),
                    ),
                    # What single tickets signalled was acted upon when they were opened; support has counted the customers.
                    support_findings=incident_pb2.SupportFindings(consulted=True, distinct_customers=len(customers)),
                    raise_severity_to=incident_pb2.SEVERITY_SEV2,
                    raise_reason=_in_both(self._texts.raise_reason, " · "),
                    customer_ids=customers[:_MAX_CUSTOMERS],
                    ticket_ids=sorted({breach.ticket_id for breach in report.breaches})[:_MAX_TICKETS],
                ),
                self._call,
            )
        except RpcFailure as failure:
            if failure.reason != "REQUEST_ID_REUSED":
                raise
            # Somebody else declared it: the ledger knows which incident it is.
            entry = await ledgers.entry_of(
                self._composer, "incidents", request_id, self._call, action="incident.declared"
            )
            if entry is None:
                raise
            return entry.subject.removeprefix("incident/")
        return declared.incident.incident_id


def _next_working_day(day: date) -> date:
    return working_day(day + timedelta(days=1), 1)


def _in_both(text: Bilingual, between: str) -> str:
    return f"{text.ar}{between}{text.en}"
