"""Commands about incidents: ``triage``, ``incidents``."""

from __future__ import annotations

from typing import Annotated

import typer
from dealix.gateway.v1 import gateway_service_pb2
from dealix.incidents.v1 import incident_pb2, incident_service_pb2
from rich.console import Group

from customer_ops import views
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    MAX_INT32,
    Address,
    Json,
    Limit,
    PageToken,
    Person,
    RequestId,
    choice,
    commands,
    metavar,
    person,
    request_id,
    show,
)
from customer_ops.client import connect

incidents = commands("Incidents: list, show, declare, and the response plan of a severity.")

Title = Annotated[str, typer.Argument(help="What happened, in a line.")]
Description = Annotated[str, typer.Option("--description", help="What happened, at length.")]
Affected = Annotated[int, typer.Option("--affected", max=MAX_INT32, help="How many customers are affected, 1 or more.")]
DataLeak = Annotated[bool, typer.Option("--data-leak", help="Data reached, or may have reached, the wrong hands.")]
UnauthorizedSend = Annotated[bool, typer.Option("--unauthorized-send", help="Something was sent without approval.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("triage")(triage)
    app.add_typer(incidents, name="incidents")


def triage(
    title: Title,
    description: Description = "",
    affected: Affected = 1,
    data_leak: DataLeak = False,
    unauthorized_send: UnauthorizedSend = False,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Say how bad an incident is, with what support knows of it. Stores nothing."""
    facts = incident_pb2.TriageFacts(
        title=title,
        description=description,
        affected_customers=affected,
        data_leak=data_leak,
        unauthorized_send=unauthorized_send,
    )
    with connect(address) as client:
        answer = client.call(client.gateway.TriageIncident, gateway_service_pb2.TriageIncidentRequest(facts=facts))
    show(answer, views.triaged(answer), as_json)


@incidents.callback(invoke_without_command=True)
def _incidents(context: typer.Context, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        list_incidents(address=address, as_json=as_json)


@incidents.command("list")
def list_incidents(
    customer: Annotated[str, typer.Option("--customer", help="Only incidents that name this customer.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List incidents, newest first."""
    request = incident_service_pb2.ListIncidentsRequest(
        customer_id=customer, open_only=open_only, page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.incidents.ListIncidents, request)
    show(answer, views.incidents(answer.incidents), as_json)


@incidents.command("show")
def show_incident(
    incident_id: Annotated[str, typer.Argument(help="The incident.")],
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show one incident with its plan and its timeline."""
    with connect(address) as client:
        answer = client.call(
            client.incidents.GetIncident, incident_service_pb2.GetIncidentRequest(incident_id=incident_id)
        )
    show(answer, Group(views.incident(answer.incident), views.timeline(answer.timeline)), as_json)


@incidents.command("declare")
def declare(
    title: Title,
    description: Description = "",
    affected: Affected = 1,
    data_leak: DataLeak = False,
    unauthorized_send: UnauthorizedSend = False,
    customers: Annotated[list[str] | None, typer.Option("--customer", help="An affected customer; repeatable.")] = None,
    tickets: Annotated[list[str] | None, typer.Option("--ticket", help="A ticket to link; repeatable.")] = None,
    channel: Annotated[str, typer.Option("--channel", help="The channel it concerns, such as whatsapp_cloud.")] = "",
    drill: Annotated[bool, typer.Option("--drill", help="Mark it as a drill.")] = False,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Declare an incident: triaged with what support knows, stored with its plan."""
    facts = incident_pb2.TriageFacts(
        title=title,
        description=description,
        affected_customers=affected,
        data_leak=data_leak,
        unauthorized_send=unauthorized_send,
    )
    actor = person(acting)
    with connect(address) as client:
        triaged = client.call(client.gateway.TriageIncident, gateway_service_pb2.TriageIncidentRequest(facts=facts))
        answer = client.call(
            client.incidents.DeclareIncident,
            incident_service_pb2.DeclareIncidentRequest(
                request_id=request_id(repeat),
                actor=actor,
                facts=facts,
                support_findings=triaged.support_findings,
                customer_ids=customers or [],
                ticket_ids=tickets or [],
                channel=channel,
                drill=drill,
            ),
        )
    show(answer, views.incident(answer.incident), as_json)


@incidents.command("plan")
def plan(
    severity: Annotated[
        int,
        typer.Argument(
            parser=choice(incident_pb2.Severity), metavar=metavar(incident_pb2.Severity), help="The severity."
        ),
    ],
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show the response plan of a severity."""
    request = incident_service_pb2.GetResponsePlanRequest(severity=incident_pb2.Severity.ValueType(severity))
    with connect(address) as client:
        answer = client.call(client.incidents.GetResponsePlan, request)
    show(answer, views.response_plan(answer), as_json)
