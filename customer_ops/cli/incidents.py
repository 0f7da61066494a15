"""Commands about incidents: ``triage``, ``incidents``, ``obligations``, ``action-items``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from dealix.gateway.v1 import gateway_service_pb2
from dealix.incidents.v1 import (
    action_item_pb2,
    action_item_service_pb2,
    incident_pb2,
    incident_service_pb2,
    obligation_pb2,
    obligation_service_pb2,
)
from google.protobuf.message import Message

from customer_ops import views, views_incidents
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    MAX_INT32,
    Address,
    Json,
    Limit,
    PageToken,
    Person,
    RequestId,
    argument_of,
    choice,
    commands,
    day,
    instant,
    option_of,
    person,
    request_id,
    show,
)
from customer_ops.client import connect

incidents = commands("Incidents: list, show, declare, and everything that becomes of one until it is closed.")
obligations = commands("What incidents oblige to, until when, and what became of it.")
action_items = commands("What is still to be done because of incidents.")

Title = Annotated[str, typer.Argument(help="What happened, in a line.")]
Description = Annotated[str, typer.Option("--description", help="What happened, at length.")]
Affected = Annotated[int, typer.Option("--affected", max=MAX_INT32, help="How many customers are affected, 1 or more.")]
DataLeak = Annotated[bool, typer.Option("--data-leak", help="Data reached, or may have reached, the wrong hands.")]
UnauthorizedSend = Annotated[bool, typer.Option("--unauthorized-send", help="Something was sent without approval.")]
Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
At = Annotated[
    datetime | None,
    typer.Option(parser=day, metavar="TIME", help="When it was, such as 2026-03-01T08:00:00+03:00; now, if not given."),
]
Etag = Annotated[str, typer.Option("--etag", help="Refuse where the incident has changed since it was read.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("triage")(triage)
    app.add_typer(incidents, name="incidents")
    app.add_typer(obligations, name="obligations")
    app.add_typer(action_items, name="action-items")


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
    """Show one incident with its obligations, its tasks and its timeline."""
    with connect(address) as client:
        answer = client.call(
            client.incidents.GetIncident, incident_service_pb2.GetIncidentRequest(incident_id=incident_id)
        )
    show(answer, views_incidents.whole(answer), as_json)


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
    aware: At = None,
    raise_to: Annotated[
        int,
        option_of(incident_pb2.Severity, "--raise-to", "A graver severity than triage gives; needs --reason."),
    ] = 0,
    reason: Reason = "",
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
                aware_time=instant(aware) if aware else None,
                raise_severity_to=incident_pb2.Severity.ValueType(raise_to),
                raise_reason=reason,
            ),
        )
    show(answer, views.incident(answer.incident), as_json)


@incidents.command("plan")
def plan(
    severity: Annotated[
        int,
        argument_of(incident_pb2.Severity, "The severity."),
    ],
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show the response plan of a severity."""
    request = incident_service_pb2.GetResponsePlanRequest(severity=incident_pb2.Severity.ValueType(severity))
    with connect(address) as client:
        answer = client.call(client.incidents.GetResponsePlan, request)
    show(answer, views.response_plan(answer), as_json)


# --- the life of one incident -----------------------------------------------------------------------------------------


def _write(address: str, as_json: bool, stub: str, method: str, request: Message, view: Any) -> None:
    """Sends a write and shows what it came to."""
    with connect(address) as client:
        answer: Any = client.call(getattr(getattr(client, stub), method), request)
    show(answer, view(answer), as_json)


@incidents.command("state")
def change_state(
    incident_id: Incident,
    state: Annotated[
        int,
        argument_of(incident_pb2.IncidentState, "The state that follows."),
    ],
    reason: Reason = "",
    at: At = None,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Move an incident to its next state. Closing lists all that is missing."""
    request = incident_service_pb2.ChangeIncidentStateRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        state=incident_pb2.IncidentState.ValueType(state),
        reason=reason,
        occur_time=instant(at) if at else None,
        etag=etag,
    )
    _write(address, as_json, "incidents", "ChangeIncidentState", request, views_incidents.whole)


@incidents.command("raise")
def raise_severity(
    incident_id: Incident,
    severity: Annotated[
        int,
        argument_of(incident_pb2.Severity, "The severity."),
    ],
    reason: Reason = "",
    data_leak: DataLeak = False,
    unauthorized_send: UnauthorizedSend = False,
    aware: At = None,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Raise the severity of an incident, or record that data leaked or something was sent without approval."""
    request = incident_service_pb2.RaiseIncidentSeverityRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        severity=incident_pb2.Severity.ValueType(severity),
        reason=reason,
        data_leak=data_leak,
        unauthorized_send=unauthorized_send,
        aware_time=instant(aware) if aware else None,
        etag=etag,
    )
    _write(address, as_json, "incidents", "RaiseIncidentSeverity", request, views_incidents.whole)


@incidents.command("role")
def assign_role(
    incident_id: Incident,
    role: Annotated[
        int,
        argument_of(incident_pb2.IncidentRole, "The role."),
    ],
    holder: Annotated[str, typer.Argument(metavar="[PERSON]", help="Who takes it; nobody takes it away.")] = "",
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Give a role to a person, hand it over, or take it away."""
    request = incident_service_pb2.AssignIncidentRoleRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        role=incident_pb2.IncidentRole.ValueType(role),
        person_id=holder,
        note=note,
        etag=etag,
    )
    _write(address, as_json, "incidents", "AssignIncidentRole", request, views_incidents.whole)


@incidents.command("task")
def update_task(
    incident_id: Incident,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, max=MAX_INT32, help="The number of the task.")],
    state: Annotated[
        int,
        typer.Argument(
            parser=choice(incident_pb2.PlanTaskState), metavar="[OPEN|DONE|SKIPPED]", help="What becomes of it."
        ),
    ] = 0,
    owner: Annotated[str, typer.Option("--owner", help="The person who is to do it.")] = "",
    note: Annotated[str, typer.Option("--note", help="What was done, or why it is skipped.")] = "",
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Give a task to a person, tick it off, skip it, or open it again."""
    request = incident_service_pb2.UpdatePlanTaskRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        task_number=number,
        state=incident_pb2.PlanTaskState.ValueType(state),
        owner_id=owner,
        note=note,
        etag=etag,
    )
    _write(
        address, as_json, "incidents", "UpdatePlanTask", request, lambda answer: views_incidents.tasks([answer.task])
    )


@incidents.command("link")
def link(
    incident_id: Incident,
    customers: Annotated[list[str] | None, typer.Option("--customer", help="An affected customer; repeatable.")] = None,
    tickets: Annotated[list[str] | None, typer.Option("--ticket", help="A ticket; repeatable.")] = None,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Add customers and tickets to an incident."""
    request = incident_service_pb2.LinkIncidentRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        customer_ids=customers or [],
        ticket_ids=tickets or [],
        etag=etag,
    )
    _write(address, as_json, "incidents", "LinkIncident", request, views_incidents.whole)


@incidents.command("duplicate")
def mark_duplicate(
    incident_id: Incident,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The incident that it is a duplicate of.")],
    reason: Reason = "",
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Close an incident as a duplicate of another, which takes over what it has."""
    request = incident_service_pb2.MarkIncidentDuplicateRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        duplicate_of_incident_id=other,
        reason=reason,
        etag=etag,
    )
    _write(
        address,
        as_json,
        "incidents",
        "MarkIncidentDuplicate",
        request,
        lambda answer: views_incidents.head(answer.duplicate_of),
    )


@incidents.command("note")
def add_note(
    incident_id: Incident,
    text: Annotated[str, typer.Argument(help="What happened.")],
    at: At = None,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Write a note on the timeline of an incident."""
    request = incident_service_pb2.AddTimelineNoteRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        text=text,
        occur_time=instant(at) if at else None,
        etag=etag,
    )
    _write(
        address,
        as_json,
        "incidents",
        "AddTimelineNote",
        request,
        lambda answer: views_incidents.timeline([answer.line]),
    )


@incidents.command("update")
def record_update(
    incident_id: Incident,
    text: Annotated[str, typer.Argument(help="What was told.")],
    at: At = None,
    late_reason: Annotated[str, typer.Option("--late-reason", help="Why it was late.")] = "",
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that an update was given, outside this system."""
    request = incident_service_pb2.RecordIncidentUpdateRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        text=text,
        occur_time=instant(at) if at else None,
        late_reason=late_reason,
        etag=etag,
    )

    def view(answer: incident_service_pb2.RecordIncidentUpdateResponse) -> Any:
        return views_incidents.obligations([each for each in (answer.met, answer.next) if each.kind])

    _write(address, as_json, "incidents", "RecordIncidentUpdate", request, view)


@incidents.command("pause")
def pause(
    incident_id: Incident,
    reason: Reason = "",
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Stop those obligation clocks that may be paused. The PDPL's never stops."""
    _set_paused(incident_id, True, reason, etag, acting, repeat, address, as_json)


@incidents.command("resume")
def resume(
    incident_id: Incident,
    reason: Reason = "",
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Start the paused obligation clocks again."""
    _set_paused(incident_id, False, reason, etag, acting, repeat, address, as_json)


def _set_paused(
    incident_id: str, paused: bool, reason: str, etag: str, acting: str, repeat: str, address: str, as_json: bool
) -> None:
    request = incident_service_pb2.SetIncidentClocksPausedRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        paused=paused,
        reason=reason,
        etag=etag,
    )
    _write(address, as_json, "incidents", "SetIncidentClocksPaused", request, views_incidents.whole)


@incidents.command("timeline")
def show_timeline(
    incident_id: Incident,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show the timeline of an incident, oldest first."""
    request = incident_service_pb2.ListIncidentTimelineRequest(
        incident_id=incident_id, page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.incidents.ListIncidentTimeline, request)
    show(answer, views_incidents.timeline(answer.timeline), as_json)


@incidents.command("context")
def context(
    customer: Annotated[
        str, typer.Argument(metavar="[CUSTOMER]", help="The customer; else what concerns everybody.")
    ] = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show what the other services go by for a customer: open incidents and freezes."""
    request = incident_service_pb2.GetOperatingContextRequest(customer_id=customer)
    with connect(address) as client:
        answer = client.call(client.incidents.GetOperatingContext, request)
    show(answer, views_incidents.context(answer.context), as_json)


# --- obligations ------------------------------------------------------------------------------------------------------

Kind = Annotated[
    int,
    argument_of(obligation_pb2.ObligationKind, "The obligation."),
]


@obligations.command("list")
def list_obligations(
    incident_id: Incident,
    as_of: At = None,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the obligations of an incident, as they were known at a moment."""
    request = obligation_service_pb2.ListObligationsRequest(
        incident_id=incident_id,
        as_of_time=instant(as_of) if as_of else None,
        page_size=limit,
        page_token=page_token,
    )
    with connect(address) as client:
        answer = client.call(client.obligations.ListObligations, request)
    show(answer, views_incidents.obligations(answer.obligations), as_json)


@obligations.command("due")
def list_due(
    as_of: At = None,
    kind: Annotated[
        int,
        option_of(obligation_pb2.ObligationKind, "--kind", "Only obligations of this kind."),
    ] = 0,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List what is due of all incidents, the longest overdue first; with a time to come, what will be due then."""
    request = obligation_service_pb2.ListDueObligationsRequest(
        as_of_time=instant(as_of) if as_of else None,
        kind=obligation_pb2.ObligationKind.ValueType(kind),
        page_size=limit,
        page_token=page_token,
    )
    with connect(address) as client:
        answer = client.call(client.obligations.ListDueObligations, request)
    show(answer, views_incidents.due_obligations(answer.obligations), as_json)


@obligations.command("complete")
def complete_obligation(
    incident_id: Incident,
    kind: Kind,
    reason: Annotated[str, typer.Option("--reason", help="Why it was late; required where it was.")] = "",
    reference: Annotated[str, typer.Option("--reference", help="Where the evidence stands.")] = "",
    at: At = None,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that an obligation was met."""
    request = obligation_service_pb2.CompleteObligationRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        kind=obligation_pb2.ObligationKind.ValueType(kind),
        occur_time=instant(at) if at else None,
        reason=reason,
        reference=reference,
        etag=etag,
    )
    _write(address, as_json, "obligations", "CompleteObligation", request, _one_obligation)


@obligations.command("waive")
def waive_obligation(
    incident_id: Incident,
    kind: Kind,
    reason: Reason = "",
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record the decision that an obligation need not be met, with its reason."""
    request = obligation_service_pb2.WaiveObligationRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        kind=obligation_pb2.ObligationKind.ValueType(kind),
        reason=reason,
        etag=etag,
    )
    _write(address, as_json, "obligations", "WaiveObligation", request, _one_obligation)


def _one_obligation(answer: Any) -> Any:
    return views_incidents.obligations([answer.obligation])


# --- action items -----------------------------------------------------------------------------------------------------

Item = Annotated[str, typer.Argument(metavar="ITEM", help="The action item.")]
Due = Annotated[
    datetime, typer.Option("--due", parser=day, metavar="TIME", help="Until when, such as 2026-03-01T12:00:00+03:00.")
]

NewDue = Annotated[datetime | None, typer.Option("--due", parser=day, metavar="TIME", help="Another due time.")]


@action_items.command("list")
def list_action_items(
    incident_id: Annotated[str, typer.Option("--incident", help="Only those of this incident.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="Only those of this person.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    due_before: Annotated[
        datetime | None, typer.Option("--due-before", parser=day, metavar="TIME", help="Only those due before this.")
    ] = None,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List action items, the one that is due first at the top."""
    request = action_item_service_pb2.ListActionItemsRequest(
        incident_id=incident_id,
        owner_id=owner,
        open_only=open_only,
        due_before_time=instant(due_before) if due_before else None,
        page_size=limit,
        page_token=page_token,
    )
    with connect(address) as client:
        answer = client.call(client.action_items.ListActionItems, request)
    show(answer, views_incidents.action_items(answer.action_items), as_json)


@action_items.command("add")
def add_action_item(
    incident_id: Incident,
    title: Annotated[str, typer.Argument(help="What is to be done.")],
    owner: Annotated[str, typer.Option("--owner", help="The person who is to do it.")],
    due: Due,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Add an action item to an incident, whatever its state."""
    request = action_item_service_pb2.AddActionItemRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident_id,
        title=title,
        owner_id=owner,
        due_time=instant(due),
    )
    _write(address, as_json, "action_items", "AddActionItem", request, _one_item)


@action_items.command("done")
def finish_action_item(
    action_item_id: Item,
    reason: Annotated[str, typer.Option("--reason", help="Why it was late; required where it was.")] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that an action item is done."""
    _update_item(
        action_item_id, acting, repeat, address, as_json, state=action_item_pb2.ACTION_ITEM_STATE_DONE, reason=reason
    )


@action_items.command("drop")
def drop_action_item(
    action_item_id: Item,
    reason: Reason = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Drop an action item, with a reason."""
    _update_item(
        action_item_id,
        acting,
        repeat,
        address,
        as_json,
        state=action_item_pb2.ACTION_ITEM_STATE_CANCELLED,
        reason=reason,
    )


@action_items.command("change")
def change_action_item(
    action_item_id: Item,
    owner: Annotated[str, typer.Option("--owner", help="Another owner.")] = "",
    due: NewDue = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; required for another due time.")] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Give an action item another owner or another due time."""
    due_time = instant(due) if due else None
    _update_item(action_item_id, acting, repeat, address, as_json, owner_id=owner, due_time=due_time, reason=reason)


def _update_item(action_item_id: str, acting: str, repeat: str, address: str, as_json: bool, **fields: Any) -> None:
    request = action_item_service_pb2.UpdateActionItemRequest(
        request_id=request_id(repeat), actor=person(acting), action_item_id=action_item_id, **fields
    )
    _write(address, as_json, "action_items", "UpdateActionItem", request, _one_item)


def _one_item(answer: Any) -> Any:
    return views_incidents.action_items([answer.action_item])
