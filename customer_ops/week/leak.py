"""The week's incident: a leak that a ticket tells of, from the first minute to a post-mortem that may be published."""

from __future__ import annotations

from collections.abc import Callable

from dealix.common.v1 import channel_pb2, draft_pb2
from dealix.gateway.v1 import gateway_service_pb2
from dealix.incidents.v1 import approval_service_pb2 as incidents_approval
from dealix.incidents.v1 import (
    communication_pb2,
    communication_service_pb2,
    freeze_pb2,
    freeze_service_pb2,
    incident_pb2,
    incident_service_pb2,
    notice_pb2,
    notice_service_pb2,
    obligation_pb2,
    obligation_service_pb2,
    post_mortem_pb2,
    post_mortem_service_pb2,
)
from dealix.support.v1 import support_service_pb2, ticket_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from customer_ops.names import field_name, name_of
from customer_ops.render import draft
from customer_ops.week import figures
from customer_ops.week.show import Show, new_id


class Leak:
    """The incident, in the order in which things happen."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._client = show.client
        self.ticket = ticket_pb2.Ticket()
        self._incident = incident_pb2.Incident()
        self._freeze = freeze_pb2.Freeze()

    def reported(self) -> None:
        """10:00: one call opens the ticket, declares the incident and freezes the channel."""
        show = self._show
        show.at(2, "10:00")
        text = show.week.tickets["leak"]
        answer = self._client.call(
            self._client.gateway.HandleTicket,
            gateway_service_pb2.HandleTicketRequest(
                request_id=new_id(),
                actor=show.intake,
                customer_id=show.customer_id,
                subject=text.subject,
                body=text.body,
                channel=text.channel,
                freeze_channel=channel_pb2.CHANNEL_WHATSAPP,
            ),
        )
        self.ticket, self._incident, self._freeze = answer.routed.ticket, answer.incident, answer.freeze
        show.tell("leak_reported")
        show.says(text.body, text.subject)
        show.tell(
            "leak_handled",
            priority=field_name(answer.routed, "priority"),
            severity=field_name(answer.incident, "severity"),
            channel=show.week.words[name_of(channel_pb2.Channel, answer.freeze.channel).lower()],
        )
        self._obligations()

    def not_released(self) -> None:
        """An operator must not release what was frozen."""
        request = self._release_request()
        request.actor.CopyFrom(self._show.operator)
        self._show.refused("founder_only", "FOUNDER_REQUIRED", self._client.freezes.ReleaseFreeze, request)

    def first_action(self) -> None:
        """10:08: somebody takes command."""
        show = self._show
        show.at(2, "10:08")
        self._client.call(
            self._client.incidents.AssignIncidentRole,
            incident_service_pb2.AssignIncidentRoleRequest(
                request_id=new_id(),
                actor=show.founder,
                incident_id=self._incident.incident_id,
                role=incident_pb2.INCIDENT_ROLE_COMMANDER,
                person_id=show.founder.id,
            ),
        )
        self._step(incident_pb2.INCIDENT_STATE_ACTIVE)
        show.tell("first_action", person=show.founder.id)

    def contained(self, meanwhile: Callable[[], None]) -> None:
        """10:28 to 12:10: updates, one of them late, the text for those concerned, and the end of it."""
        show = self._show
        show.at(2, "10:28")
        self._update("first")
        show.tell("updated")
        show.at(2, "10:40")
        self._communicate()
        meanwhile()
        show.at(2, "11:06")
        request = self._update_request("second")
        show.refused("update_late", "LATE_REASON_REQUIRED", self._client.incidents.RecordIncidentUpdate, request)
        waiting = show.pending(["incidents"], draft_pb2.DRAFT_KIND_ESCALATION)
        show.show(figures.pending(waiting))
        request = self._update_request("second")
        request.late_reason = show.week.reasons["update_late"]
        self._client.call(self._client.incidents.RecordIncidentUpdate, request)
        show.tell("updated_late")
        show.at(2, "11:30")
        self._step(incident_pb2.INCIDENT_STATE_MITIGATED)
        self._update("third")
        show.tell("mitigated")
        show.at(2, "11:55")
        self._step(incident_pb2.INCIDENT_STATE_RESOLVED)
        self._client.call(
            self._client.support.ResolveTicket,
            support_service_pb2.ResolveTicketRequest(
                request_id=new_id(),
                actor=show.founder,
                ticket_id=self.ticket.ticket_id,
                note=show.week.reasons["leak_resolved"],
            ),
        )
        show.tell("leak_resolved")
        self._obligations()

    def notified(self) -> None:
        """Wednesday morning: the notice to the authority as far as it is known, and those concerned are told."""
        show = self._show
        show.part("duties")
        show.at(3, "08:50")
        blocks = notice_pb2.NoticeBlocks()
        blocks.CopyFrom(show.week.notice)
        blocks.event.begin_time.CopyFrom(self._at(minutes=-95))
        answer = self._write_notice(blocks)
        show.tell("notice_drafted")
        show.show(figures.notice(answer.notice))
        show.refused(
            "notice_incomplete",
            "NOTICE_INCOMPLETE",
            self._client.notices.RecordNoticeFiled,
            self._file_request(""),
        )
        filed = self._client.call(
            self._client.notices.RecordNoticeFiled, self._file_request(show.week.reasons["notice_incomplete"])
        )
        show.tell("notice_filed", reference=filed.notice.filings[0].reference)
        show.later(minutes=20)
        self._client.call(
            self._client.obligations.CompleteObligation,
            obligation_service_pb2.CompleteObligationRequest(
                request_id=new_id(),
                actor=show.dpo,
                incident_id=self._incident.incident_id,
                kind=obligation_pb2.OBLIGATION_KIND_DATA_SUBJECTS,
                reference="LETTER-14",
            ),
        )
        show.tell("people_told")

    def released(self) -> None:
        """Wednesday: the founder releases the channel."""
        show = self._show
        show.at(3, "09:22")
        self._client.call(self._client.freezes.ReleaseFreeze, self._release_request())
        show.tell("released", person=show.founder.id)

    def reviewed(self) -> None:
        """Wednesday: the post-mortem, and what it lacks before anybody outside may read it."""
        show, service = self._show, self._client.post_mortems
        show.at(3, "11:00")
        content = post_mortem_pb2.PostMortemContent()
        content.CopyFrom(show.week.post_mortem)
        for minute, event in zip((-95, 0, 8, 115), content.timeline, strict=True):
            event.occur_time.CopyFrom(self._at(minutes=minute))
        for item in content.action_items:
            item.due_time.CopyFrom(show.ahead(days=14))
        incident_id = self._incident.incident_id
        self._client.call(
            service.DraftPostMortem,
            post_mortem_service_pb2.DraftPostMortemRequest(
                request_id=new_id(), actor=show.operator, incident_id=incident_id, content=content
            ),
        )
        submitted = self._client.call(
            service.SubmitPostMortem,
            post_mortem_service_pb2.SubmitPostMortemRequest(
                request_id=new_id(), actor=show.operator, incident_id=incident_id
            ),
        ).post_mortem
        show.later(minutes=20)
        self._client.call(
            service.ApprovePostMortem,
            post_mortem_service_pb2.ApprovePostMortemRequest(
                request_id=new_id(),
                actor=show.founder,
                incident_id=incident_id,
                content_revision=submitted.content_revision,
            ),
        )
        show.tell("post_mortem_approved", person=show.founder.id)
        show.refused(
            "not_publishable",
            "POST_MORTEM_INCOMPLETE",
            service.MarkPostMortemPublishable,
            post_mortem_service_pb2.MarkPostMortemPublishableRequest(
                request_id=new_id(), actor=show.founder, incident_id=incident_id
            ),
            details=4,
        )

    def published(self) -> None:
        """Thursday: the signatures are there, the notice is complete, and the incident tells what it still lacks."""
        show, service = self._show, self._client.post_mortems
        show.part("afterwards")
        show.at(4, "09:00")
        found = self._client.call(
            service.GetPostMortem,
            post_mortem_service_pb2.GetPostMortemRequest(incident_id=self._incident.incident_id),
        ).post_mortem
        for kind, actor, customer_id in (
            (post_mortem_pb2.POST_MORTEM_SIGN_OFF_KIND_LEGAL_REVIEW, show.dpo, ""),
            (post_mortem_pb2.POST_MORTEM_SIGN_OFF_KIND_PERSONAL_DATA_REMOVED, show.dpo, ""),
            (post_mortem_pb2.POST_MORTEM_SIGN_OFF_KIND_CUSTOMER_CONSENT, show.success_manager, show.customer_id),
        ):
            self._client.call(
                service.SignOffPostMortem,
                post_mortem_service_pb2.SignOffPostMortemRequest(
                    request_id=new_id(),
                    actor=actor,
                    incident_id=self._incident.incident_id,
                    kind=kind,
                    customer_id=customer_id,
                    reference="SIGN-OFF-14",
                    content_revision=found.content_revision,
                ),
            )
        self._client.call(
            service.MarkPostMortemPublishable,
            post_mortem_service_pb2.MarkPostMortemPublishableRequest(
                request_id=new_id(), actor=show.founder, incident_id=self._incident.incident_id
            ),
        )
        show.tell("publishable")
        blocks = notice_pb2.NoticeBlocks()
        blocks.CopyFrom(
            self._client.call(
                self._client.notices.GetNotice,
                notice_service_pb2.GetNoticeRequest(incident_id=self._incident.incident_id),
            ).notice.blocks
        )
        blocks.MergeFrom(show.week.notice_supplement)
        blocks.event.end_time.CopyFrom(self._at(minutes=115))
        blocks.data_subjects.tell_time.CopyFrom(self._at(minutes=23 * 60 + 20))
        self._write_notice(blocks)
        answer = self._client.call(
            self._client.notices.RecordNoticeSupplement,
            notice_service_pb2.RecordNoticeSupplementRequest(
                request_id=new_id(),
                actor=show.dpo,
                incident_id=self._incident.incident_id,
                reference="NDMO-2026-118/2",
                file_time=show.now,
            ),
        )
        show.tell("notice_complete")
        show.show(figures.notice(answer.notice))
        show.refused(
            "not_closable",
            "INCIDENT_NOT_CLOSABLE",
            self._client.incidents.ChangeIncidentState,
            self._step_request(incident_pb2.INCIDENT_STATE_CLOSED),
            details=4,
        )

    # --- steps that come again ---

    def _at(self, *, minutes: int) -> Timestamp:
        """A moment counted from when Dealix became aware."""
        moment = Timestamp()
        moment.FromNanoseconds(self._incident.aware_time.ToNanoseconds() + minutes * 60 * 10**9)
        return moment

    def _step_request(
        self, state: incident_pb2.IncidentState.ValueType
    ) -> incident_service_pb2.ChangeIncidentStateRequest:
        return incident_service_pb2.ChangeIncidentStateRequest(
            request_id=new_id(), actor=self._show.founder, incident_id=self._incident.incident_id, state=state
        )

    def _step(self, state: incident_pb2.IncidentState.ValueType) -> None:
        self._client.call(self._client.incidents.ChangeIncidentState, self._step_request(state))

    def _update_request(self, name: str) -> incident_service_pb2.RecordIncidentUpdateRequest:
        return incident_service_pb2.RecordIncidentUpdateRequest(
            request_id=new_id(),
            actor=self._show.operator,
            incident_id=self._incident.incident_id,
            text=self._show.week.messages[f"update_{name}"],
        )

    def _update(self, name: str) -> None:
        self._client.call(self._client.incidents.RecordIncidentUpdate, self._update_request(name))

    def _release_request(self) -> freeze_service_pb2.ReleaseFreezeRequest:
        return freeze_service_pb2.ReleaseFreezeRequest(
            request_id=new_id(),
            actor=self._show.founder,
            freeze_id=self._freeze.freeze_id,
            reason=self._show.week.reasons["release"],
        )

    def _communicate(self) -> None:
        show = self._show
        facts = communication_pb2.CommunicationFacts()
        facts.CopyFrom(show.week.communication)
        facts.begin_time.CopyFrom(self._at(minutes=-95))
        facts.next_update_time.CopyFrom(show.ahead(minutes=80))
        made = self._client.call(
            self._client.communications.DraftCommunication,
            communication_service_pb2.DraftCommunicationRequest(
                request_id=new_id(),
                actor=show.operator,
                incident_id=self._incident.incident_id,
                kind=communication_pb2.COMMUNICATION_KIND_SEV1_DATA_LEAK,
                customer_ids=[show.customer_id],
                channel=channel_pb2.CHANNEL_EMAIL,
                facts=facts,
            ),
        ).drafts[0]
        approved = show.approve("incidents", made, show.founder)
        show.tell("communication", person=show.founder.id)
        show.show(draft("communication · SEV1", _closer(made.body_ar), _closer(made.body_en)))
        show.later(minutes=9)
        self._client.call(
            self._client.approvals["incidents"].RecordDraftSent,
            incidents_approval.RecordDraftSentRequest(
                request_id=new_id(),
                actor=show.founder,
                draft_id=made.draft_id,
                approval_id=approved.approval.approval_id,
                sent=show.sent(channel_pb2.CHANNEL_EMAIL, "mail-2104", show.founder),
            ),
        )
        show.tell("communicated", reference="mail-2104")

    def _write_notice(self, blocks: notice_pb2.NoticeBlocks) -> notice_service_pb2.UpdateNoticeResponse:
        return self._client.call(
            self._client.notices.UpdateNotice,
            notice_service_pb2.UpdateNoticeRequest(
                request_id=new_id(), actor=self._show.dpo, incident_id=self._incident.incident_id, blocks=blocks
            ),
        )

    def _file_request(self, incomplete_reason: str) -> notice_service_pb2.RecordNoticeFiledRequest:
        return notice_service_pb2.RecordNoticeFiledRequest(
            request_id=new_id(),
            actor=self._show.dpo,
            incident_id=self._incident.incident_id,
            reference="NDMO-2026-118",
            file_time=self._show.now,
            incomplete_reason=incomplete_reason,
        )

    def _obligations(self) -> None:
        answer = self._client.call(
            self._client.obligations.ListObligations,
            obligation_service_pb2.ListObligationsRequest(incident_id=self._incident.incident_id, page_size=200),
        )
        self._show.show(figures.obligations(answer.obligations))


def _closer(text: str) -> str:
    """A text without its empty lines."""
    return "\n".join(line for line in text.splitlines() if line.strip())
