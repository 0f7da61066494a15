"""Customer success in the week: what is on record, a check-in that has to wait, a plan with dates, risk and health."""

from __future__ import annotations

from dealix.common.v1 import channel_pb2
from dealix.success.v1 import activity_pb2, success_service_pb2
from dealix.success.v1 import approval_service_pb2 as success_approval

from customer_ops import views_success
from customer_ops.render import draft
from customer_ops.week import figures
from customer_ops.week.show import Show, new_id

_SHOWN = 6


class Success:
    """Customer success, in the order of the week."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._client = show.client

    def on_record(self) -> None:
        """Sunday: what the pilot left on record before the week."""
        show = self._show
        events = []
        for days_before, template in show.week.activity:
            event = activity_pb2.ActivityInput()
            event.CopyFrom(template)
            event.occur_time.CopyFrom(show.ago(days=days_before))
            events.append(event)
        self._record(events)
        show.tell("on_record", events=len(events))

    def during_the_leak(self) -> None:
        """Tuesday: no check-in while the incident is open."""
        self._show.refused(
            "check_in_suppressed",
            "CHECK_IN_SUPPRESSED",
            self._client.success.CreateWeeklyCheckIn,
            self._check_in_request(),
        )

    def check_in(self) -> None:
        """Thursday: the check-in that had to wait is drafted, and the week's touchpoints are shown."""
        show = self._show
        show.part("success")
        show.later(minutes=20)
        now, metrics = show.now, show.week.metrics
        kinds = {
            activity_pb2.ACTIVITY_KIND_DRAFTS_CREATED: metrics.drafts_approved + 4,
            activity_pb2.ACTIVITY_KIND_DRAFTS_APPROVED: metrics.drafts_approved,
            activity_pb2.ACTIVITY_KIND_DRAFTS_REJECTED: 3,
            activity_pb2.ACTIVITY_KIND_REPLIES: metrics.replies,
            activity_pb2.ACTIVITY_KIND_MEETINGS: metrics.meetings,
        }
        events = [activity_pb2.ActivityInput(kind=kind, occur_time=now, count=n) for kind, n in kinds.items()]
        for kind, value in (
            (activity_pb2.ACTIVITY_KIND_PIPELINE_SAR, metrics.pipeline_sar),
            (activity_pb2.ACTIVITY_KIND_CSAT, 7.0),
        ):
            events.append(activity_pb2.ActivityInput(kind=kind, occur_time=now, value=value))
        # The Proof Pack is on record since the onboarding was completed.
        seen = activity_pb2.ACTIVITY_KIND_SEEN_ACTIVE
        events.append(activity_pb2.ActivityInput(kind=seen, occur_time=now, reference="PP-001"))
        self._record(events)
        made = self._client.call(self._client.success.CreateWeeklyCheckIn, self._check_in_request()).check_in
        show.tell("check_in_drafted")
        show.show(draft("weekly check-in", "\n".join(made.talking_points_ar), "\n".join(made.talking_points_en)))
        show.later(minutes=10)
        approved = show.approve("success", show.draft_of("success", made.draft_id), show.success_manager)
        self._client.call(
            self._client.approvals["success"].RecordDraftSent,
            success_approval.RecordDraftSentRequest(
                request_id=new_id(),
                actor=show.success_manager,
                draft_id=made.draft_id,
                approval_id=approved.approval.approval_id,
                sent=show.sent(channel_pb2.CHANNEL_EMAIL, "mail-2122", show.success_manager),
            ),
        )
        show.tell("check_in_sent", reference="mail-2122")
        listed = self._client.call(
            self._client.success.ListTouchpoints,
            success_service_pb2.ListTouchpointsRequest(customer_id=show.customer_id, page_size=200),
        )
        show.tell("touchpoints", count=len(listed.touchpoints))
        show.show(figures.touchpoints(listed.touchpoints[:_SHOWN]))
        show.later(minutes=45)
        self._client.call(
            self._client.success.CompleteTouchpoint,
            success_service_pb2.CompleteTouchpointRequest(
                request_id=new_id(),
                actor=show.success_manager,
                touchpoint_id=listed.touchpoints[0].touchpoint_id,
                complete_time=show.now,
                reference="meeting-07",
            ),
        )
        show.tell("kicked_off", person=show.success_manager.id)

    def reviewed(self) -> None:
        """The Monday after: risk and health as recorded, with their change since the week before."""
        show = self._show
        show.tell("risk_and_health")
        risk = self._client.call(
            self._client.success.GetCustomerRisk,
            success_service_pb2.GetCustomerRiskRequest(customer_id=show.customer_id),
        )
        show.show(views_success.customer_risk(risk.risk))
        health = self._client.call(
            self._client.success.GetCustomerHealth,
            success_service_pb2.GetCustomerHealthRequest(customer_id=show.customer_id),
        )
        show.show(views_success.customer_health(health.health))

    def _record(self, events: list[activity_pb2.ActivityInput]) -> None:
        self._client.call(
            self._client.success.RecordActivity,
            success_service_pb2.RecordActivityRequest(
                request_id=new_id(),
                actor=self._show.success_manager,
                customer_id=self._show.customer_id,
                events=events,
            ),
        )

    def _check_in_request(self) -> success_service_pb2.CreateWeeklyCheckInRequest:
        return success_service_pb2.CreateWeeklyCheckInRequest(
            request_id=new_id(),
            actor=self._show.success_manager,
            customer_id=self._show.customer_id,
            metrics=self._show.week.metrics,
            channel=channel_pb2.CHANNEL_EMAIL,
        )
