"""Commands about how customers do: ``risk``, and ``success`` with plans, touchpoints, activity, risk and health."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from dealix.common.v1 import channel_pb2
from dealix.success.v1 import activity_pb2, plan_pb2, success_pb2
from dealix.success.v1 import success_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from customer_ops import views
from customer_ops import views_success as live
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    MAX_INT32,
    Address,
    Customer,
    Json,
    Limit,
    PageToken,
    Person,
    RequestId,
    argument_of,
    commands,
    day,
    instant,
    option_of,
    person,
    request_id,
    show,
)
from customer_ops.client import connect

success = commands("Customer success: plans and what is due of them, recorded activity, risk and health.")

TouchpointId = Annotated[str, typer.Argument(help="The touchpoint.", metavar="TOUCHPOINT")]
AsOf = Annotated[
    str, typer.Option("--as-of", metavar="DAY", help="As of a day, such as 2026-03-01; today if left out.")
]
Etag = Annotated[str, typer.Option("--etag", help="Only if nobody changed it since it had this etag.")]
When = Annotated[
    str, typer.Option("--at", help="When it happened, such as 2026-03-01T08:00:00+03:00; now if left out.")
]
Note = Annotated[str, typer.Option("--note", help="For the record.")]
Reference = Annotated[
    str, typer.Option("--reference", help="Where it is kept, such as the id of minutes or a message.")
]
StartDate = Annotated[str, typer.Option("--start", metavar="YYYY-MM-DD", help="Day 1 of the plan, in Riyadh.")]
ChannelName = Annotated[
    int,
    option_of(channel_pb2.Channel, "--channel", "The channel on which the customer is spoken to."),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("risk")(risk)
    app.add_typer(success, name="success")


def _at(text: str) -> Timestamp:
    """An instant that somebody gave; now where it is left out."""
    return instant(day(text) if text else datetime.now(UTC))


def _as_of(text: str) -> Timestamp | None:
    """A day that somebody gave, at its noon where it is a bare date: the same day in Riyadh."""
    if not text:
        return None
    return instant(day(f"{text}T12:00:00+03:00" if len(text) == len("2026-03-01") else text))


def risk(
    customer: Annotated[str, typer.Argument(help="The customer; may be left out.", show_default=False)] = "",
    days_inactive: Annotated[
        int | None, typer.Option("--days-inactive", max=MAX_INT32, help="Days since the customer was last active.")
    ] = None,
    drafts_pending: Annotated[
        int | None, typer.Option("--drafts-pending", max=MAX_INT32, help="Drafts that wait for the customer.")
    ] = None,
    days_since_proof_pack: Annotated[
        int | None,
        typer.Option(
            "--days-since-proof-pack", max=MAX_INT32, help="Days since the last Proof Pack, if there was one."
        ),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Say how likely a customer is to leave. What is left out is not known, and says so."""
    request = pb.BuildAtRiskAlertRequest(
        customer_id=customer,
        days_inactive=days_inactive,
        drafts_pending=drafts_pending,
        days_since_proof_pack=days_since_proof_pack,
    )
    with connect(address) as client:
        answer = client.call(client.success.BuildAtRiskAlert, request)
    show(answer, views.risk(answer), as_json)


# --- plans ------------------------------------------------------------------------------------------------------------


@success.command("activate")
def activate(
    customer: Customer,
    bundle: Annotated[str, typer.Argument(help="The bundle, such as growth_starter.")],
    start: StartDate,
    renewal: Annotated[
        str, typer.Option("--renewal", metavar="YYYY-MM-DD", help="When the contract is renewed or ends.")
    ],
    channel: ChannelName = channel_pb2.CHANNEL_EMAIL,
    note: Note = "",
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Activate the success plan of a customer: its touchpoints get their dates."""
    request = pb.ActivatePlanRequest(
        request_id=request_id(write),
        actor=person(actor),
        customer_id=customer,
        bundle_id=bundle,
        start_date=start,
        renewal_date=renewal,
        channel=channel_pb2.Channel.ValueType(channel),
        note=note,
    )
    with connect(address) as client:
        answer = client.call(client.success.ActivatePlan, request)
    show(answer, live.plan_with_touchpoints(answer.plan, answer.touchpoints), as_json)


@success.command("plan")
def show_plan(customer: Customer, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show the plan of a customer."""
    with connect(address) as client:
        answer = client.call(client.success.GetPlan, pb.GetPlanRequest(customer_id=customer))
    show(answer, live.plan(answer.plan), as_json)


@success.command("change")
def change(
    customer: Customer,
    consent_of: Annotated[
        str, typer.Option("--consent-of", metavar="ID", help="Who at the customer said yes: an id such as contact-3.")
    ],
    consent_by: Annotated[
        int,
        option_of(plan_pb2.ConsentMethod, "--consent-by", "How the customer said yes."),
    ],
    consent_reference: Annotated[str, typer.Option("--consent-reference", help="Where the customer's yes is kept.")],
    consent_at: When = "",
    bundle: Annotated[str, typer.Option("--bundle", help="The new bundle.")] = "",
    start: StartDate = "",
    channel: ChannelName = 0,
    note: Note = "",
    etag: Etag = "",
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Change bundle, start or channel of a plan, with the customer's consent."""
    request = pb.ChangePlanRequest(
        request_id=request_id(write),
        actor=person(actor),
        customer_id=customer,
        bundle_id=bundle,
        start_date=start,
        channel=channel_pb2.Channel.ValueType(channel),
        consent=plan_pb2.Consent(
            contact_id=consent_of,
            method=plan_pb2.ConsentMethod.ValueType(consent_by),
            consent_time=_at(consent_at),
            reference=consent_reference,
        ),
        note=note,
        etag=etag,
    )
    with connect(address) as client:
        answer = client.call(client.success.ChangePlan, request)
    show(answer, live.changed_plan(answer.plan, answer.cancelled_touchpoints), as_json)


@success.command("renewal")
def renewal_date(
    customer: Customer,
    date: Annotated[str, typer.Argument(help="The renewal date.", metavar="YYYY-MM-DD")],
    note: Note = "",
    etag: Etag = "",
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Set the renewal date of a plan; what is due before it is dated anew."""
    request = pb.SetRenewalDateRequest(
        request_id=request_id(write),
        actor=person(actor),
        customer_id=customer,
        renewal_date=date,
        note=note,
        etag=etag,
    )
    with connect(address) as client:
        answer = client.call(client.success.SetRenewalDate, request)
    show(answer, live.changed_plan(answer.plan, answer.cancelled_touchpoints), as_json)


@success.command("end")
def end(
    customer: Customer,
    reason: Annotated[str, typer.Argument(help="Why.")],
    etag: Etag = "",
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """End the plan of a customer; its open touchpoints are cancelled."""
    request = pb.EndPlanRequest(
        request_id=request_id(write), actor=person(actor), customer_id=customer, reason=reason, etag=etag
    )
    with connect(address) as client:
        answer = client.call(client.success.EndPlan, request)
    show(answer, live.changed_plan(answer.plan, answer.cancelled_touchpoints), as_json)


@success.command("history")
def history(
    customer: Customer,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List what happened to the plan of a customer, oldest first."""
    request = pb.ListPlanChangesRequest(customer_id=customer, page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.success.ListPlanChanges, request)
    show(answer, live.plan_changes(answer.changes), as_json)


# --- touchpoints ------------------------------------------------------------------------------------------------------


@success.command("due")
def due(
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    as_of: AsOf = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List what is due and not done, of all customers, longest overdue first."""
    request = pb.ListDueTouchpointsRequest(
        customer_id=customer, as_of_time=_as_of(as_of), page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.success.ListDueTouchpoints, request)
    show(answer, live.due(answer), as_json)


@success.command("touchpoints")
def touchpoints(
    customer: Customer,
    state: Annotated[
        int,
        option_of(plan_pb2.TouchpointState, "--state", "Only those in this state."),
    ] = 0,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the touchpoints of a customer, by due day."""
    request = pb.ListTouchpointsRequest(
        customer_id=customer, state=plan_pb2.TouchpointState.ValueType(state), page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.success.ListTouchpoints, request)
    show(answer, live.touchpoints(answer.touchpoints), as_json)


@success.command("add")
def add(
    customer: Customer,
    date: Annotated[str, typer.Argument(help="The day.", metavar="YYYY-MM-DD")],
    key: Annotated[str, typer.Option("--key", help="What it is about: of one key a customer has one touchpoint.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Add a talk about a missed service level, outside of the plan."""
    request = pb.AddTouchpointRequest(
        request_id=request_id(write),
        actor=person(actor),
        customer_id=customer,
        key=key,
        due_date=date,
        reason=reason,
    )
    with connect(address) as client:
        answer = client.call(client.success.AddTouchpoint, request)
    show(answer, live.touchpoint(answer.touchpoint), as_json)


@success.command("done")
def done(
    touchpoint: TouchpointId,
    at: When = "",
    note: Note = "",
    reference: Reference = "",
    etag: Etag = "",
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that a touchpoint took place."""
    request = pb.CompleteTouchpointRequest(
        request_id=request_id(write),
        actor=person(actor),
        touchpoint_id=touchpoint,
        complete_time=_at(at),
        note=note,
        reference=reference,
        etag=etag,
    )
    with connect(address) as client:
        answer = client.call(client.success.CompleteTouchpoint, request)
    show(answer, live.touchpoint(answer.touchpoint), as_json)


@success.command("move")
def move(
    touchpoint: TouchpointId,
    date: Annotated[str, typer.Argument(help="The new day.", metavar="YYYY-MM-DD")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    etag: Etag = "",
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Move a touchpoint to another day."""
    request = pb.RescheduleTouchpointRequest(
        request_id=request_id(write),
        actor=person(actor),
        touchpoint_id=touchpoint,
        due_date=date,
        reason=reason,
        etag=etag,
    )
    with connect(address) as client:
        answer = client.call(client.success.RescheduleTouchpoint, request)
    show(answer, live.touchpoint(answer.touchpoint), as_json)


# --- activity, risk and health ----------------------------------------------------------------------------------------


@success.command("record")
def record(
    customer: Customer,
    kind: Annotated[
        int,
        argument_of(activity_pb2.ActivityKind, "What happened."),
    ],
    count: Annotated[
        int | None, typer.Option("--count", min=0, max=1_000_000, help="How many; one if left out.")
    ] = None,
    value: Annotated[float | None, typer.Option("--value", help="How much: csat of 10, or Saudi riyals.")] = None,
    at: When = "",
    reference: Reference = "",
    corrects: Annotated[
        str, typer.Option("--corrects", metavar="EVENT", help="The wrong event whose place it takes.")
    ] = "",
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record what happened at a customer. What was wrong is corrected by a later event."""
    event = activity_pb2.ActivityInput(
        kind=activity_pb2.ActivityKind.ValueType(kind),
        occur_time=_at(at),
        count=count,
        value=value,
        reference=reference,
        corrects_activity_id=corrects,
    )
    request = pb.RecordActivityRequest(
        request_id=request_id(write), actor=person(actor), customer_id=customer, events=[event]
    )
    with connect(address) as client:
        answer = client.call(client.success.RecordActivity, request)
    show(answer, live.activities(answer.activities), as_json)


@success.command("activity")
def activity(
    customer: Customer,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List what is on record of a customer, latest first."""
    request = pb.ListActivitiesRequest(customer_id=customer, page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.success.ListActivities, request)
    show(answer, live.activities(answer.activities), as_json)


@success.command("at-risk")
def at_risk(
    severity: Annotated[
        int,
        option_of(success_pb2.RiskSeverity, "--severity", "Only those; high, medium and unknown if left out."),
    ] = 0,
    as_of: AsOf = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the customers at risk, worst first, with why and what changed in the week."""
    request = pb.ListAtRiskRequest(
        severity=success_pb2.RiskSeverity.ValueType(severity),
        as_of_time=_as_of(as_of),
        page_size=limit,
        page_token=page_token,
    )
    with connect(address) as client:
        answer = client.call(client.success.ListAtRisk, request)
    show(answer, live.at_risk(answer), as_json)


@success.command("risk")
def customer_risk(
    customer: Customer, as_of: AsOf = "", address: Address = DEFAULT_ADDRESS, as_json: Json = False
) -> None:
    """Say how likely a customer is to leave, from what is on record."""
    request = pb.GetCustomerRiskRequest(customer_id=customer, as_of_time=_as_of(as_of))
    with connect(address) as client:
        answer = client.call(client.success.GetCustomerRisk, request)
    show(answer, live.customer_risk(answer.risk), as_json)


@success.command("health")
def customer_health(
    customer: Customer, as_of: AsOf = "", address: Address = DEFAULT_ADDRESS, as_json: Json = False
) -> None:
    """Say how a customer does, from what is on record."""
    request = pb.GetCustomerHealthRequest(customer_id=customer, as_of_time=_as_of(as_of))
    with connect(address) as client:
        answer = client.call(client.success.GetCustomerHealth, request)
    show(answer, live.customer_health(answer.health), as_json)


@success.command("alert")
def alert(
    customer: Customer,
    actor: Person = "",
    write: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Store an alert about a customer at risk, as a draft inside Dealix."""
    request = pb.CreateAtRiskAlertRequest(request_id=request_id(write), actor=person(actor), customer_id=customer)
    with connect(address) as client:
        answer = client.call(client.success.CreateAtRiskAlert, request)
    show(answer, live.alert(answer), as_json)


@success.command("alerts")
def alerts(
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the stored alerts, newest first."""
    request = pb.ListAtRiskAlertsRequest(customer_id=customer, page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.success.ListAtRiskAlerts, request)
    show(answer, live.alerts(answer.alerts), as_json)


@success.command("check-ins")
def check_ins(
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the stored weekly check-ins, newest first."""
    request = pb.ListWeeklyCheckInsRequest(customer_id=customer, page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.success.ListWeeklyCheckIns, request)
    show(answer, live.check_ins(answer.check_ins), as_json)
