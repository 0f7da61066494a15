"""The invariant: nothing in this system sends, and every answer says so.

The one place that names the rule. A service *stamps* its answers, the gateway *verifies* what it received and stamps its
own. No configuration, environment variable, role or RPC reaches this module: there is nothing here to turn on.
"""

from __future__ import annotations

from enum import StrEnum

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

LIVE_SEND_ALLOWED = False

LIVE_SEND_FIELD = "live_send_allowed"
LIVE_SEND_FIELD_NUMBER = 1
APPROVAL_FIELD = "approval_required"
APPROVAL_FIELD_NUMBER = 2

# Errors carry no response message, so they say it in their ErrorInfo. Clients read absence as false.
ERROR_METADATA = {LIVE_SEND_FIELD: "false"}

# How a stamped answer begins on the wire: field 1, varint, 0; then field 2, varint.
STAMPED_PREFIX = b"\x08\x00\x10"

# Operations whose answer always holds something that a person must approve before it is used outside.
ALWAYS_NEEDS_APPROVAL = frozenset(
    {
        "/dealix.onboarding.v1.OnboardingService/CreateChecklist",
        "/dealix.onboarding.v1.OnboardingService/UpdateStep",
        "/dealix.onboarding.v1.OnboardingService/GetDemoChecklist",
        "/dealix.onboarding.v1.ConnectorService/ListConnectors",
        "/dealix.onboarding.v1.ConnectorService/BuildConnectorSummary",
        "/dealix.onboarding.v1.ConnectorService/UpdateConnector",
        "/dealix.onboarding.v1.ConnectorService/GetDemoConnectorSummary",
        "/dealix.support.v1.SupportService/ListPriorities",
        "/dealix.support.v1.SupportService/ClassifyTicket",
        "/dealix.support.v1.SupportService/RouteTicket",
        "/dealix.support.v1.SupportService/GetFirstResponseTemplate",
        "/dealix.support.v1.SlaService/RecordSlaEvent",
        "/dealix.support.v1.SlaService/ClassifySlaBreach",
        "/dealix.support.v1.SlaService/BuildSlaHealthReport",
        "/dealix.support.v1.SlaService/GetDemoSlaHealthReport",
        "/dealix.incidents.v1.IncidentService/TriageIncident",
        "/dealix.incidents.v1.IncidentService/GetResponsePlan",
        "/dealix.success.v1.SuccessService/BuildWeeklyCheckIn",
        "/dealix.success.v1.SuccessService/BuildAtRiskAlert",
        "/dealix.success.v1.SuccessService/BuildSuccessPlan",
        "/dealix.gateway.v1.GatewayService/TriageIncident",
        # The stored counterparts hold what the calculations above hold.
        "/dealix.support.v1.SlaService/GetSlaHealthReport",
        "/dealix.support.v1.SlaService/ReviewSlaWeek",
        "/dealix.onboarding.v1.ConnectorService/GetConnectorSummary",
        "/dealix.incidents.v1.IncidentService/DeclareIncident",
        "/dealix.incidents.v1.IncidentService/GetIncident",
    }
)


class Breach(StrEnum):
    """How an answer broke the rule."""

    LIVE_SEND_ALLOWED = "LIVE_SEND_ALLOWED"
    FLAG_ABSENT = "FLAG_ABSENT"
    UNREADABLE = "UNREADABLE"


def check_response_type(descriptor: Descriptor) -> None:
    """Refuses a response type that cannot carry the two flags; called for every method when a server is built.

    Raises ``TypeError`` naming the type.
    """
    for name, number in ((LIVE_SEND_FIELD, LIVE_SEND_FIELD_NUMBER), (APPROVAL_FIELD, APPROVAL_FIELD_NUMBER)):
        field = descriptor.fields_by_name.get(name)
        if field is None or field.number != number or field.type != FieldDescriptor.TYPE_BOOL or not field.has_presence:
            raise TypeError(f"{descriptor.full_name} needs `optional bool {name} = {number}`")


def stamp(response: Message, *, approval_always: bool) -> None:
    """Writes both flags into an answer: false, whatever it said before, and whether a person must approve.

    What an operation said of ``approval_required`` itself stays, unless the operation always needs approval.
    """
    response.live_send_allowed = LIVE_SEND_ALLOWED  # type: ignore[attr-defined]
    if approval_always:
        response.approval_required = True  # type: ignore[attr-defined]
    elif not response.HasField(APPROVAL_FIELD):
        response.approval_required = False  # type: ignore[attr-defined]


def verify(response: Message) -> Breach | None:
    """What is wrong with an answer that came from somewhere else; None when it keeps the rule."""
    if not response.HasField(LIVE_SEND_FIELD):
        return Breach.FLAG_ABSENT
    if response.live_send_allowed:  # type: ignore[attr-defined]
        return Breach.LIVE_SEND_ALLOWED
    return None
