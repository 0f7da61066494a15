"""Commands about onboarding and connectors: ``onboarding``, ``connectors``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from dealix.common.v1 import actor_pb2
from dealix.onboarding.v1 import (
    checklist_pb2,
    connector_pb2,
    connector_service_pb2,
    onboarding_pb2,
    onboarding_service_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp

from customer_ops import views, views_approvals
from customer_ops import views_onboarding as live
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
    approval,
    choice,
    commands,
    day,
    instant,
    metavar,
    person,
    request_id,
    show,
)
from customer_ops.client import connect

onboarding = commands("Onboarding: the plan against what happened, who is waited for, risk reviews, acceptance.")
connectors = commands(
    "Connectors: the catalogue, a customer's states, what happened, what is wrong, how to set one up."
)

StepId = Annotated[str, typer.Argument(help="The step, such as select_goal.")]
ConnectorKey = Annotated[str, typer.Argument(help="The connector, such as gmail.")]
Reference = Annotated[
    str, typer.Option("--reference", help="Where it is kept, such as a document's id. Never a credential.")
]
By = Annotated[str, typer.Option("--by", metavar="ID", help="The person who did it; who acts if left out.")]
When = Annotated[
    str, typer.Option("--at", help="When it happened, such as 2026-03-01T08:00:00+03:00; now if left out.")
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(onboarding, name="onboarding")
    app.add_typer(connectors, name="connectors")


@onboarding.callback(invoke_without_command=True)
def _onboarding(context: typer.Context, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        list_onboardings(address=address, as_json=as_json)


@onboarding.command("list")
def list_onboardings(
    late: Annotated[bool, typer.Option("--late", help="Only those that are late.")] = False,
    accepted: Annotated[bool, typer.Option("--accepted", help="The accepted ones instead.")] = False,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List onboardings under way, the latest first."""
    request = onboarding_service_pb2.ListOnboardingsRequest(
        late_only=late, accepted=accepted, page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.ListOnboardings, request)
    show(answer, live.onboardings(answer.onboardings), as_json)


@onboarding.command("checklists")
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
def show_onboarding(customer: Customer, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show everything about a customer's onboarding, with what to do about what went wrong."""
    with connect(address) as client:
        answer = client.call(
            client.onboarding.GetOnboarding, onboarding_service_pb2.GetOnboardingRequest(customer_id=customer)
        )
    show(answer, live.onboarding(answer.onboarding), as_json)


@onboarding.command("start")
def start(
    customer: Customer,
    bundle: Annotated[str, typer.Option("--bundle", help="The agreed bundle; it can be chosen later.")] = "",
    begins: Annotated[
        str, typer.Option("--start", metavar="YYYY-MM-DD", help="The day on which it begins; today if left out.")
    ] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Create a customer's checklist."""
    request = onboarding_service_pb2.CreateChecklistRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        bundle_id=bundle,
        start_date=begins,
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.CreateChecklist, request)
    show(answer, live.checklist(answer.checklist), as_json)


@onboarding.command("complete")
def complete(
    customer: Customer,
    step: StepId,
    given: Annotated[
        str, typer.Option("--input", help="What the step takes, such as the goal. Never a credential.")
    ] = "",
    approved_by: Annotated[str, typer.Option("--approved-by", metavar="ID", help="The person who approved it.")] = "",
    note: Annotated[str, typer.Option("--note", help="What the person checked.")] = "",
    approval_id: Annotated[
        str, typer.Option("--approval", metavar="ID", help="The approval of a draft instead; see `onboarding ask`.")
    ] = "",
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
        approval_id=approval_id,
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.UpdateStep, request)
    show(answer, live.checklist(answer.checklist), as_json)


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
    show(answer, live.checklist(answer.checklist), as_json)


@onboarding.command("ask")
def ask_for_step(
    customer: Customer,
    step: StepId,
    given: Annotated[str, typer.Option("--input", help="What the step would be completed with.")] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Draft the request for a person's approval of a step; `approvals approve onboarding DRAFT` approves it."""
    request = onboarding_service_pb2.DraftStepApprovalRequest(
        request_id=request_id(repeat), actor=person(acting), customer_id=customer, step_id=step, input=given
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.DraftStepApproval, request)
    show(answer, views_approvals.draft(answer.draft), as_json)


@onboarding.command("block")
def block(
    customer: Customer,
    step: StepId,
    party: Annotated[
        int,
        typer.Argument(
            parser=choice(checklist_pb2.BlockingParty),
            metavar="PARTY",
            help=f"Whose move it is: {metavar(checklist_pb2.BlockingParty).lower()}.",
        ),
    ],
    since: Annotated[str, typer.Option("--since", help="Since when; now if left out.")] = "",
    note: Annotated[str, typer.Option("--note", help="Why. Never a credential.")] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record who blocks a step, and since when."""
    request = onboarding_service_pb2.SetStepBlockerRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        step_id=step,
        party=checklist_pb2.BlockingParty.ValueType(party),
        since_time=instant(day(since)) if since else None,
        note=note,
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.SetStepBlocker, request)
    show(answer, live.checklist(answer.checklist), as_json)


@onboarding.command("unblock")
def unblock(
    customer: Customer,
    step: StepId,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """End what was recorded of who blocks a step."""
    request = onboarding_service_pb2.ClearStepBlockerRequest(
        request_id=request_id(repeat), actor=person(acting), customer_id=customer, step_id=step
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.ClearStepBlocker, request)
    show(answer, live.checklist(answer.checklist), as_json)


@onboarding.command("risk")
def record_risk(
    customer: Customer,
    outcome: Annotated[
        int,
        typer.Argument(
            parser=choice(onboarding_pb2.RiskOutcome),
            metavar="OUTCOME",
            help=f"What the review came to: {metavar(onboarding_pb2.RiskOutcome).lower()}.",
        ),
    ],
    finding: Annotated[str, typer.Option("--finding", help="What was found. Never a credential.")] = "",
    reference: Reference = "",
    reviewer: By = "",
    at: When = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record what a risk review came to. A problem stops the onboarding until a founder decides."""
    request = onboarding_service_pb2.RecordRiskReviewRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        outcome=onboarding_pb2.RiskOutcome.ValueType(outcome),
        finding=finding,
        reference=reference,
        reviewer=person(reviewer or acting),
        review_time=_moment(at),
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.RecordRiskReview, request)
    show(answer, live.reviewed(answer), as_json)


@onboarding.command("resolve-risk")
def resolve_risk(
    customer: Customer,
    decision: Annotated[str, typer.Argument(help="What was decided, in words.")],
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record, as the founder, that a problem which a risk review found is resolved."""
    request = onboarding_service_pb2.ResolveRiskProblemRequest(
        request_id=request_id(repeat),
        actor=person(acting, actor_pb2.ROLE_FOUNDER),
        customer_id=customer,
        resolution=decision,
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.ResolveRiskProblem, request)
    show(answer, live.risk_review(answer.risk_review), as_json)


@onboarding.command("proof-pack")
def record_proof_pack(
    customer: Customer,
    event: Annotated[
        int,
        typer.Argument(
            parser=choice(onboarding_pb2.ProofPackEvent),
            metavar="EVENT",
            help=f"What happened: {metavar(onboarding_pb2.ProofPackEvent).lower()}.",
        ),
    ],
    reference: Reference,
    by: By = "",
    at: When = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that Proof Pack v1 was delivered, or that a person of the customer (--by) approved it."""
    request = onboarding_service_pb2.RecordProofPackRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        event=onboarding_pb2.ProofPackEvent.ValueType(event),
        person=person(by or acting),
        occur_time=_moment(at),
        reference=reference,
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.RecordProofPack, request)
    show(answer, live.proof_pack(answer.proof_pack), as_json)


@onboarding.command("acceptance")
def show_acceptance(customer: Customer, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show the four criteria of acceptance, each with its evidence."""
    with connect(address) as client:
        answer = client.call(
            client.onboarding.GetAcceptance, onboarding_service_pb2.GetAcceptanceRequest(customer_id=customer)
        )
    show(answer, live.acceptance(answer), as_json)


@onboarding.command("accept")
def accept(
    customer: Customer,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Accept a customer as onboarded, with the evidence as it stands."""
    request = onboarding_service_pb2.AcceptOnboardingRequest(
        request_id=request_id(repeat), actor=person(acting), customer_id=customer
    )
    with connect(address) as client:
        answer = client.call(client.onboarding.AcceptOnboarding, request)
    show(answer, live.accepted(answer.acceptance), as_json)


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
    approval_id: Annotated[
        str, typer.Option("--approval", metavar="ID", help="The approval of a draft instead; see `connectors ask`.")
    ] = "",
    account: Annotated[
        str, typer.Option("--account", help="The provider's lasting id of the account; only a digest is kept.")
    ] = "",
    confirm_account: Annotated[
        bool, typer.Option("--confirm-account", help="Another account takes the place of the former one.")
    ] = False,
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
        approval_id=approval_id,
        account_id=account,
        confirm_account_change=confirm_account,
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


@connectors.command("ask")
def ask_for_connector(
    customer: Customer,
    connector: ConnectorKey,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Draft the request for a person's approval that a connector executes what is approved."""
    request = connector_service_pb2.DraftConnectorApprovalRequest(
        request_id=request_id(repeat), actor=person(acting), customer_id=customer, connector_key=connector
    )
    with connect(address) as client:
        answer = client.call(client.connectors.DraftConnectorApproval, request)
    show(answer, views_approvals.draft(answer.draft), as_json)


@connectors.command("problem")
def record_problem(
    customer: Customer,
    connector: ConnectorKey,
    problem: Annotated[
        int,
        typer.Argument(
            parser=choice(connector_pb2.ConnectorProblem),
            metavar="PROBLEM",
            help=f"What was observed: {metavar(connector_pb2.ConnectorProblem).lower()}.",
        ),
    ],
    detail: Annotated[str, typer.Option("--detail", help="What was seen. Never a credential or a phone number.")] = "",
    reference: Reference = "",
    at: When = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record a problem with a connection; a definitive one breaks it."""
    request = connector_service_pb2.RecordConnectorProblemRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        connector_key=connector,
        problem=connector_pb2.ConnectorProblem.ValueType(problem),
        occur_time=_moment(at),
        detail=detail,
        reference=reference,
    )
    with connect(address) as client:
        answer = client.call(client.connectors.RecordConnectorProblem, request)
    show(answer, live.observed(answer), as_json)


@connectors.command("test")
def record_test(
    customer: Customer,
    connector: ConnectorKey,
    action: Annotated[
        int,
        typer.Argument(
            parser=choice(connector_pb2.ConnectorTestAction),
            metavar="ACTION",
            help=f"What was tried: {metavar(connector_pb2.ConnectorTestAction).lower()}.",
        ),
    ],
    failed: Annotated[bool, typer.Option("--failed", help="It failed; else it succeeded.")] = False,
    logs_clean: Annotated[
        bool | None,
        typer.Option("--logs-clean/--logs-hold-secret", help="What somebody found who looked through the logs."),
    ] = None,
    detail: Annotated[str, typer.Option("--detail", help="What was read or drafted, or what failed.")] = "",
    reference: Reference = "",
    at: When = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record a test of a connection."""
    request = connector_service_pb2.RecordConnectorTestRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        connector_key=connector,
        action=connector_pb2.ConnectorTestAction.ValueType(action),
        succeeded=not failed,
        no_secret_in_logs=logs_clean,
        detail=detail,
        test_time=_moment(at),
        reference=reference,
    )
    with connect(address) as client:
        answer = client.call(client.connectors.RecordConnectorTest, request)
    show(answer, live.tested(answer), as_json)


@connectors.command("audit")
def record_audit(
    customer: Customer,
    numbers: Annotated[int, typer.Argument(max=MAX_INT32, help="How many numbers have a recorded opt-in.")],
    source: Annotated[
        int,
        typer.Argument(
            parser=choice(connector_pb2.OptInSource),
            metavar="SOURCE",
            help=f"How the opt-ins were given: {metavar(connector_pb2.OptInSource).lower()}.",
        ),
    ],
    reference: Reference,
    auditor: By = "",
    connector: Annotated[
        str, typer.Option("--connector", help="The connector that reaches numbers.")
    ] = "whatsapp_cloud",
    at: When = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that a person audited the opt-in of every number; never a number."""
    request = connector_service_pb2.RecordOptInAuditRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        connector_key=connector,
        opted_in_numbers=numbers,
        source=connector_pb2.OptInSource.ValueType(source),
        auditor=person(auditor or acting),
        audit_time=_moment(at),
        reference=reference,
    )
    with connect(address) as client:
        answer = client.call(client.connectors.RecordOptInAudit, request)
    show(answer, live.connector(answer.connector), as_json)


@connectors.command("events")
def list_events(
    customer: Customer,
    connector: Annotated[str, typer.Argument(help="Only this connector.")] = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List what happened to a customer's connectors, newest first."""
    request = connector_service_pb2.ListConnectorEventsRequest(
        customer_id=customer, connector_key=connector, page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.connectors.ListConnectorEvents, request)
    show(answer, live.events(answer.events), as_json)


@connectors.command("issues")
def list_issues(
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    connector: Annotated[str, typer.Option("--connector", help="Only this connector's.")] = "",
    resolved: Annotated[bool, typer.Option("--resolved", help="The resolved ones too.")] = False,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the problems of connectors, those open longest first."""
    request = connector_service_pb2.ListConnectorIssuesRequest(
        customer_id=customer,
        connector_key=connector,
        include_resolved=resolved,
        page_size=limit,
        page_token=page_token,
    )
    with connect(address) as client:
        answer = client.call(client.connectors.ListConnectorIssues, request)
    show(answer, live.issues(answer.issues), as_json)


def _moment(text: str) -> Timestamp:
    """The instant that was named, now for none."""
    return instant(day(text) if text else datetime.now(UTC))
