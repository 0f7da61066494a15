"""What is open, due and waiting now, over all customers: the morning's list of those who work with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dealix.incidents.v1 import freeze_service_pb2, incident_pb2, incident_service_pb2, obligation_service_pb2
from dealix.onboarding.v1 import connector_service_pb2, onboarding_service_pb2
from dealix.success.v1 import success_service_pb2
from dealix.support.v1 import sla_service_pb2, support_service_pb2, ticket_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from customer_ops import views, views_freezes, views_incidents, views_onboarding, views_success
from customer_ops.client import SERVICES, Client
from customer_ops.render import Beside, indented
from customer_ops.script import Both
from customer_ops.views_approvals import longest_wait_first
from customer_ops.week import figures
from customer_ops.week.show import APPROVALS

# A list that is longer is cut, and says which command shows all of it.
_ROWS = 8
_OPEN = (
    ticket_pb2.TICKET_STATE_AWAITING_FIRST_RESPONSE,
    ticket_pb2.TICKET_STATE_IN_PROGRESS,
    ticket_pb2.TICKET_STATE_WAITING,
)


def today(client: Client, titles: Mapping[str, Both]) -> RenderableType:
    """Everything that is open, due or waiting at the stack's present time. Raises ``CommandFailed``."""
    return Group(*_sections(client, titles))


def _sections(client: Client, titles: Mapping[str, Both]) -> Iterator[RenderableType]:
    for name, found, command in (
        ("pending", _pending(client), "approvals pending"),
        ("clocks", _clocks(client), "tickets list"),
        ("incidents", _incidents(client), "incidents list --open"),
        ("freezes", _freezes(client), "freezes"),
        ("onboardings", _onboardings(client), "onboarding list"),
        ("touchpoints", _touchpoints(client), "success due"),
        ("at_risk", _at_risk(client), "success at-risk"),
    ):
        title = titles[name]
        yield Text()
        yield Beside(title.ar, title.en, "bold")
        parts, more = found
        if not parts:
            yield indented(Beside(titles["nothing"].ar, titles["nothing"].en, "dim"))
        yield from (indented(part) for part in parts)
        if more and command:
            said = titles["more"]
            yield indented(Beside(said.ar.format(command=command), said.en.format(command=command), "dim"))


# What a section shows, and whether there is more of it.
_Found = tuple[list[RenderableType], bool]


def _pending(client: Client) -> _Found:
    found, more = [], False
    for service in SERVICES:
        request = APPROVALS[service].ListPendingApprovalsRequest(page_size=_ROWS)
        answer = client.call(client.approvals[service].ListPendingApprovals, request)
        found += [(service, draft) for draft in answer.drafts]
        more = more or bool(answer.next_page_token)
    found = longest_wait_first(found)
    return ([figures.pending(found[:_ROWS])] if found else [], more or len(found) > _ROWS)


def _clocks(client: Client) -> _Found:
    tickets: list[ticket_pb2.Ticket] = []
    more = False
    for state in _OPEN:
        request = support_service_pb2.ListTicketsRequest(state=state, page_size=_ROWS)
        answer = client.call(client.support.ListTickets, request)
        tickets += answer.tickets
        more = more or bool(answer.next_page_token)
    tickets.sort(key=lambda ticket: (ticket.priority, ticket.create_time.ToNanoseconds()))
    with_clocks = [
        (
            ticket,
            client.call(
                client.sla.ListClocks, sla_service_pb2.ListClocksRequest(ticket_id=ticket.ticket_id, page_size=200)
            ).clocks,
        )
        for ticket in tickets[:_ROWS]
    ]
    return ([figures.open_tickets(with_clocks)] if with_clocks else [], more or len(tickets) > _ROWS)


def _incidents(client: Client) -> _Found:
    request = incident_service_pb2.ListIncidentsRequest(open_only=True, page_size=_ROWS)
    answer = client.call(client.incidents.ListIncidents, request)
    # A resolved incident is over, but not done with until it is closed.
    resolved = client.call(
        client.incidents.ListIncidents,
        incident_service_pb2.ListIncidentsRequest(state=incident_pb2.INCIDENT_STATE_RESOLVED, page_size=_ROWS),
    )
    due = client.call(
        client.obligations.ListDueObligations, obligation_service_pb2.ListDueObligationsRequest(page_size=_ROWS)
    )
    parts: list[RenderableType] = []
    if answer.incidents or resolved.incidents:
        parts.append(views.incidents([*answer.incidents, *resolved.incidents]))
    if due.obligations:
        parts.append(views_incidents.due_obligations(due.obligations))
    more = any(page.next_page_token for page in (answer, resolved, due))
    return parts, more


def _freezes(client: Client) -> _Found:
    answer = client.call(client.freezes.GetFreezes, freeze_service_pb2.GetFreezesRequest(page_size=_ROWS))
    return ([views_freezes.freezes(answer.freezes)] if answer.freezes else [], bool(answer.next_page_token))


def _onboardings(client: Client) -> _Found:
    answer = client.call(
        client.onboarding.ListOnboardings, onboarding_service_pb2.ListOnboardingsRequest(page_size=_ROWS)
    )
    issues = client.call(
        client.connectors.ListConnectorIssues, connector_service_pb2.ListConnectorIssuesRequest(page_size=_ROWS)
    )
    parts: list[RenderableType] = []
    if answer.onboardings:
        parts.append(views_onboarding.onboardings(answer.onboardings))
    if issues.issues:
        parts.append(views_onboarding.issues(issues.issues))
    return parts, bool(answer.next_page_token or issues.next_page_token)


def _touchpoints(client: Client) -> _Found:
    answer = client.call(
        client.success.ListDueTouchpoints, success_service_pb2.ListDueTouchpointsRequest(page_size=_ROWS)
    )
    return ([views_success.due(answer)] if answer.touchpoints else [], bool(answer.next_page_token))


def _at_risk(client: Client) -> _Found:
    answer = client.call(client.success.ListAtRisk, success_service_pb2.ListAtRiskRequest(page_size=_ROWS))
    return ([views_success.at_risk(answer)] if answer.customers else [], bool(answer.next_page_token))
