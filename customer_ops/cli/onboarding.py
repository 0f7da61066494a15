"""Commands about onboarding and connectors: ``onboarding``, ``connectors``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from dealix.onboarding.v1 import connector_pb2, connector_service_pb2, onboarding_service_pb2

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
    approval,
    choice,
    commands,
    instant,
    metavar,
    person,
    request_id,
    show,
)
from customer_ops.client import connect

onboarding = commands("Onboarding: list, show, start a checklist, complete a step or take it back.")
connectors = commands("Connectors: the catalogue, a customer's states, set one, and how to set it up.")

Customer = Annotated[str, typer.Argument(help="The customer.")]
StepId = Annotated[str, typer.Argument(help="The step, such as select_goal.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(onboarding, name="onboarding")
    app.add_typer(connectors, name="connectors")


@onboarding.callback(invoke_without_command=True)
def _onboarding(context: typer.Context, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        list_checklists(address=address, as_json=as_json)


@onboarding.command("list")
def list_checklists(
    at_step: Annotated[str, typer.Option("--at", help="Only those at this step; `done` for finished ones.")] = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List checklists, newest first."""
    request = onboarding_service_pb2.ListChecklistsRequest(
        current_step_id=at_step, page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.ListChecklists, request)
    show(answer, views.checklists(answer.checklists), as_json)


@onboarding.command("show")
def show_checklist(customer: Customer, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show a customer's checklist."""
    with connect(address) as client:
        answer = client.call(
            client.onboarding.GetChecklist, onboarding_service_pb2.GetChecklistRequest(customer_id=customer)
        )
    show(answer, views.checklist(answer.checklist), as_json)


@onboarding.command("start")
def start(
    customer: Customer,
    bundle: Annotated[str, typer.Option("--bundle", help="The agreed bundle; it can be chosen later.")] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Create a customer's checklist."""
    request = onboarding_service_pb2.CreateChecklistRequest(
        request_id=request_id(repeat), actor=person(acting), customer_id=customer, bundle_id=bundle
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.CreateChecklist, request)
    show(answer, views.checklist(answer.checklist), as_json)


@onboarding.command("complete")
def complete(
    customer: Customer,
    step: StepId,
    given: Annotated[
        str, typer.Option("--input", help="What the step takes, such as the goal. Never a credential.")
    ] = "",
    approved_by: Annotated[str, typer.Option("--approved-by", metavar="ID", help="The person who approved it.")] = "",
    note: Annotated[str, typer.Option("--note", help="What the person checked.")] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Complete a step, with an approval where it needs one."""
    request = onboarding_service_pb2.UpdateStepRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        step_id=step,
        completed=True,
        input=given,
        approval=approval(approved_by, note),
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.UpdateStep, request)
    show(answer, views.checklist(answer.checklist), as_json)


@onboarding.command("undo")
def undo(
    customer: Customer,
    step: StepId,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Take the completion of a step back."""
    request = onboarding_service_pb2.UpdateStepRequest(
        request_id=request_id(repeat), actor=person(acting), customer_id=customer, step_id=step, completed=False
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.UpdateStep, request)
    show(answer, views.checklist(answer.checklist), as_json)


@connectors.callback(invoke_without_command=True)
def _connectors(context: typer.Context, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        show_catalogue(address=address, as_json=as_json)


@connectors.command("catalog")
def show_catalogue(address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """List the connectors that there are."""
    with connect(address) as client:
        answer = client.call(client.connectors.ListConnectors, connector_service_pb2.ListConnectorsRequest())
    show(answer, views.catalogue(answer.connectors), as_json)


@connectors.command("show")
def show_connectors(customer: Customer, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show how far a customer's connectors are set up."""
    with connect(address) as client:
        answer = client.call(
            client.connectors.GetConnectorSummary,
            connector_service_pb2.GetConnectorSummaryRequest(customer_id=customer),
        )
    show(answer, views.connectors(answer.connectors, answer.summary), as_json)


@connectors.command("set")
def set_connector(
    customer: Customer,
    connector: Annotated[str, typer.Argument(help="The connector, such as gmail.")],
    state: Annotated[
        int,
        typer.Argument(
            parser=choice(connector_pb2.ConnectorState),
            metavar="STATE",
            help=f"The state to move to: {metavar(connector_pb2.ConnectorState).lower()}.",
        ),
    ],
    approved_by: Annotated[
        str, typer.Option("--approved-by", metavar="ID", help="The person who approved execution.")
    ] = "",
    opted_in: Annotated[
        int, typer.Option("--opted-in", max=MAX_INT32, help="WhatsApp: how many numbers have a recorded opt-in.")
    ] = 0,
    audit: Annotated[str, typer.Option("--audit", help="WhatsApp: where the opt-in audit of today is kept.")] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Move a customer's connector to a state. No state allows a live send."""
    request = connector_service_pb2.UpdateConnectorRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        connector_key=connector,
        state=connector_pb2.ConnectorState.ValueType(state),
        approval=approval(approved_by),
    )
    if opted_in or audit:
        request.opt_in_audit.opted_in_numbers = opted_in
        request.opt_in_audit.reference = audit
        request.opt_in_audit.audit_time.CopyFrom(instant(datetime.now(UTC)))
    with connect(address) as client:
        answer = client.call(client.connectors.UpdateConnector, request)
    show(answer, views.connectors([answer.connector], answer.summary), as_json)


@connectors.command("guide")
def show_guide(
    connector: Annotated[str, typer.Argument(help="The connector, such as gmail.")],
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Explain how to set a connector up."""
    with connect(address) as client:
        answer = client.call(
            client.connectors.GetConnectorGuide,
            connector_service_pb2.GetConnectorGuideRequest(connector_key=connector),
        )
    show(answer, views.guide(answer.guide), as_json)
