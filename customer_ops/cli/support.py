"""Commands about tickets and promises: ``classify``, ``tickets``, ``clocks``, ``due``, ``sla-report``, ``lint-lexicon``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from dealix.common.v1 import actor_pb2, channel_pb2, sent_record_pb2
from dealix.support.v1 import classification_pb2, sla_pb2, sla_service_pb2, support_service_pb2, ticket_pb2

from customer_ops import views, views_support
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    Address,
    Arrived,
    AtLeast,
    Body,
    Customer,
    Follows,
    Json,
    Limit,
    PageToken,
    Person,
    RequestId,
    SubjectLine,
    argument_of,
    choice,
    commands,
    console,
    day,
    instant,
    metavar,
    option_of,
    person,
    request_id,
    show,
)
from customer_ops.client import connect
from customer_ops.exits import EXIT_USAGE, CommandFailed

tickets = commands("Tickets and their life, from the opening to the customer's confirmation.")

TicketId = Annotated[str, typer.Argument(help="The ticket.")]
Note = Annotated[str, typer.Option("--note", help="Free text for the record.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; for the record.")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", parser=day, metavar="TIME", help="The instant to look at; now by default."),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("classify")(classify)
    app.add_typer(tickets, name="tickets")
    app.command("clocks")(clocks)
    app.command("due")(due)
    app.command("sla-policy")(sla_policy)
    app.command("sla-report")(sla_report)
    app.command("lint-lexicon")(lint_lexicon)


def classify(
    text: Annotated[
        str | None, typer.Argument(help="The text; `-` reads standard input, in UTF-8.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Classify every row of a CSV instead, without a server. Needs --out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write the classified CSV; a file that is there is replaced.")
    ] = None,
    column: Annotated[
        str | None,
        typer.Option("--column", help="The CSV's column that holds the text; found by its name if left out."),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Say how urgent a text is, with the evidence. Stores nothing."""
    if file is not None:
        if out is None or text is not None:
            raise typer.BadParameter("--file takes --out and no TEXT")
        from customer_ops.cli.mailbox import classify_file

        classify_file(file, out, column)
        return
    if out is not None or column is not None:
        raise typer.BadParameter("--out and --column belong to --file")
    if text is None:
        raise typer.BadParameter("give a TEXT, `-` for standard input, or --file with --out")
    if text == "-":
        text = _standard_input()
    with connect(address) as client:
        answer = client.call(client.support.ClassifyTicket, support_service_pb2.ClassifyTicketRequest(text=text))
    show(answer, views.classification(answer.classification), as_json)


def _standard_input() -> str:
    """The text of standard input, in UTF-8 whatever the locale says."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandFailed(
            "wrong usage: standard input is not valid UTF-8; `iconv -f WINDOWS-1256 -t UTF-8` makes it so", EXIT_USAGE
        ) from None


@tickets.callback(invoke_without_command=True)
def _tickets(
    context: typer.Context,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    if context.invoked_subcommand is None:
        list_tickets(address=address, as_json=as_json)


@tickets.command("list")
def list_tickets(
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    priority: Annotated[
        int,
        option_of(classification_pb2.Priority, "--priority", "Only this priority.", show_default=False),
    ] = 0,
    state: Annotated[
        int,
        typer.Option(
            "--state",
            parser=choice(ticket_pb2.TicketState),
            metavar="STATE",
            help=f"Only this state: {metavar(ticket_pb2.TicketState)}.",
            show_default=False,
        ),
    ] = 0,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List tickets, newest first."""
    with connect(address) as client:
        answer = client.call(
            client.support.ListTickets,
            support_service_pb2.ListTicketsRequest(
                customer_id=customer,
                priority=classification_pb2.Priority.ValueType(priority),
                state=ticket_pb2.TicketState.ValueType(state),
                page_size=limit,
                page_token=page_token,
            ),
        )
    show(answer, views_support.tickets(answer.tickets), as_json)


@tickets.command("show")
def show_ticket(
    ticket_id: TicketId,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show one ticket with its text."""
    with connect(address) as client:
        answer = client.call(client.support.GetTicket, support_service_pb2.GetTicketRequest(ticket_id=ticket_id))
    show(answer, views_support.ticket(answer.ticket, with_text=True), as_json)


@tickets.command("open")
def open_ticket(
    customer: Customer,
    body: Body,
    subject: SubjectLine = "",
    channel: Arrived = 0,
    at_least: AtLeast = 0,
    follows: Follows = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Open a ticket: classified, routed, with the draft of a first response."""
    request = support_service_pb2.RouteTicketRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        subject=subject,
        body=body,
        channel=channel_pb2.Channel.ValueType(channel),
        minimum_priority=classification_pb2.Priority.ValueType(at_least),
        follows_ticket_id=follows,
    )
    with connect(address) as client:
        answer = client.call(client.support.RouteTicket, request)
    show(answer, views.routed(answer), as_json)


@tickets.command("sent")
def record_sent(
    ticket_id: TicketId,
    reference: Annotated[str, typer.Option("--reference", help="Where it can be found, such as the mail's id.")],
    channel: Annotated[
        int,
        option_of(channel_pb2.Channel, "--channel", "How it was sent.", show_default=False),
    ],
    reply: Annotated[
        str, typer.Option("--draft", help="The reply that was sent; the first response when left out.")
    ] = "",
    approval: Annotated[
        str, typer.Option("--approval", help="The approval it was sent under; the draft's present one when left out.")
    ] = "",
    unapproved: Annotated[
        bool, typer.Option("--unapproved", help="It was sent without an approval: record that, and withdraw the draft.")
    ] = False,
    sent_at: Annotated[
        datetime | None,
        typer.Option("--at", parser=day, metavar="TIME", help="When it was sent; now when left out."),
    ] = None,
    note: Note = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that a person sent an approved answer, outside this system. This stops its clock."""
    if unapproved and (reply or approval):
        raise typer.BadParameter("--unapproved is of a first response alone", param_hint="'--unapproved'")
    sender = person(acting, actor_pb2.ROLE_OPERATOR_ONCALL)
    common: dict[str, Any] = {"request_id": request_id(repeat), "actor": sender, "ticket_id": ticket_id, "note": note}
    sent = sent_record_pb2.SentRecordInput(
        send_time=instant(sent_at or datetime.now(UTC)),
        channel=channel_pb2.Channel.ValueType(channel),
        sender=sender,
        reference=reference,
    )
    with connect(address) as client:
        if unapproved:
            kind = sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE
            event = sla_service_pb2.RecordSlaEventRequest(**common, sent=sent, type=kind)
            answer: Any = client.call(client.sla.RecordSlaEvent, event)
        elif reply:
            recorded = support_service_pb2.RecordReplySentRequest(
                **common, sent=sent, draft_id=reply, approval_id=approval
            )
            answer = client.call(client.support.RecordReplySent, recorded)
        else:
            first = support_service_pb2.RecordFirstResponseSentRequest(**common, sent=sent, approval_id=approval)
            answer = client.call(client.support.RecordFirstResponseSent, first)
    show(answer, views_support.moved(answer.ticket, answer.event), as_json)


@tickets.command("raise")
def raise_priority(
    ticket_id: TicketId,
    priority: Annotated[
        int,
        argument_of(classification_pb2.Priority, "The new priority, above the present one."),
    ],
    reason: Reason,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Make a ticket more urgent. Its targets count from the original start."""
    request = support_service_pb2.RaiseTicketPriorityRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        ticket_id=ticket_id,
        priority=classification_pb2.Priority.ValueType(priority),
        reason=reason,
    )
    with connect(address) as client:
        answer = client.call(client.support.RaiseTicketPriority, request)
    show(answer, views_support.raised(answer), as_json)


@tickets.command("say")
def add_message(
    ticket_id: TicketId,
    body: Annotated[str, typer.Argument(help="What the customer wrote.")],
    channel: Annotated[
        int,
        option_of(
            channel_pb2.Channel, "--channel", "Where it arrived; as the ticket when left out.", show_default=False
        ),
    ] = 0,
    received_at: Annotated[
        datetime | None, typer.Option("--at", parser=day, metavar="TIME", help="When it arrived; now when left out.")
    ] = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Add what the customer wrote. It ends a wait, or reopens a resolved ticket; bare thanks do not."""
    request = support_service_pb2.AddCustomerMessageRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        ticket_id=ticket_id,
        channel=channel_pb2.Channel.ValueType(channel),
        body=body,
        receive_time=instant(received_at) if received_at else None,
    )
    with connect(address) as client:
        answer = client.call(client.support.AddCustomerMessage, request)
    show(answer, views_support.said(answer.message, answer.ticket), as_json)


@tickets.command("reply")
def draft_reply(
    ticket_id: TicketId,
    body_ar: Annotated[str, typer.Option("--ar", help="The text in Arabic.")],
    body_en: Annotated[str, typer.Option("--en", help="The text in English.")],
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Draft an answer after the first response. A person approves it before anybody sends it."""
    request = support_service_pb2.DraftReplyRequest(
        request_id=request_id(repeat), actor=person(acting), ticket_id=ticket_id, body_ar=body_ar, body_en=body_en
    )
    with connect(address) as client:
        answer = client.call(client.support.DraftReply, request)
    show(answer, views_support.drafted(answer), as_json)


@tickets.command("wait")
def wait(
    ticket_id: TicketId,
    reason: Reason,
    waiting_on: Annotated[
        int,
        option_of(ticket_pb2.WaitingOn, "--on", "On whom."),
    ] = ticket_pb2.WAITING_ON_CUSTOMER,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Let a ticket wait on the customer or a third party. Its resolution clock stands still meanwhile."""
    request = support_service_pb2.WaitOnCustomerRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        ticket_id=ticket_id,
        waiting_on=ticket_pb2.WaitingOn.ValueType(waiting_on),
        reason=reason,
    )
    with connect(address) as client:
        answer = client.call(client.support.WaitOnCustomer, request)
    show(answer, views_support.moved(answer.ticket, answer.event), as_json)


@tickets.command("resume")
def resume(
    ticket_id: TicketId,
    note: Note = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """End a wait."""
    request = support_service_pb2.ResumeTicketRequest(
        request_id=request_id(repeat), actor=person(acting), ticket_id=ticket_id, note=note
    )
    with connect(address) as client:
        answer = client.call(client.support.ResumeTicket, request)
    show(answer, views_support.moved(answer.ticket, answer.event), as_json)


@tickets.command("resolve")
def resolve(
    ticket_id: TicketId,
    note: Note = "",
    occurred_at: Annotated[
        datetime | None, typer.Option("--at", parser=day, metavar="TIME", help="When it was solved; now by default.")
    ] = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that the matter is solved. The ticket reopens within seven days."""
    request = support_service_pb2.ResolveTicketRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        ticket_id=ticket_id,
        note=note,
        occur_time=instant(occurred_at) if occurred_at else None,
    )
    with connect(address) as client:
        answer = client.call(client.support.ResolveTicket, request)
    show(answer, views_support.moved(answer.ticket, answer.event), as_json)


@tickets.command("close")
def close(
    ticket_id: TicketId,
    confirmed_by: Annotated[
        str, typer.Option("--confirmed-by", help="Who of the customer confirmed: a function or an id, never a name.")
    ],
    channel: Annotated[
        int,
        option_of(channel_pb2.Channel, "--channel", "How it was confirmed.", show_default=False),
    ],
    reference: Annotated[str, typer.Option("--reference", help="Where it can be found.")] = "",
    confirmed_at: Annotated[
        datetime | None, typer.Option("--at", parser=day, metavar="TIME", help="When; now by default.")
    ] = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Close a resolved ticket with the customer's confirmation."""
    request = support_service_pb2.CloseTicketRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        ticket_id=ticket_id,
        confirmation=ticket_pb2.CustomerConfirmation(
            confirmed_by=confirmed_by,
            channel=channel_pb2.Channel.ValueType(channel),
            confirm_time=instant(confirmed_at or datetime.now(UTC)),
            reference=reference,
        ),
    )
    with connect(address) as client:
        answer = client.call(client.support.CloseTicket, request)
    show(answer, views_support.moved(answer.ticket, answer.event), as_json)


@tickets.command("link")
def link(
    ticket_id: TicketId,
    other_ticket_id: Annotated[str, typer.Argument(help="The other ticket.")],
    duplicate: Annotated[bool, typer.Option("--duplicate", help="The first says again what the other said.")] = False,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Link two tickets that belong together."""
    kinds = ticket_pb2.TICKET_LINK_KIND_DUPLICATE_OF, ticket_pb2.TICKET_LINK_KIND_RELATED
    request = support_service_pb2.LinkTicketsRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        ticket_id=ticket_id,
        other_ticket_id=other_ticket_id,
        kind=kinds[0] if duplicate else kinds[1],
    )
    with connect(address) as client:
        answer = client.call(client.support.LinkTickets, request)
    show(answer, views_support.links([answer.link], ticket_id), as_json)


@tickets.command("links")
def list_links(
    ticket_id: TicketId,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the links of a ticket."""
    request = support_service_pb2.ListTicketLinksRequest(ticket_id=ticket_id, page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.support.ListTicketLinks, request)
    show(answer, views_support.links(answer.links, ticket_id), as_json)


@tickets.command("messages")
def list_messages(
    ticket_id: TicketId,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List what was written after the opening text."""
    request = support_service_pb2.ListTicketMessagesRequest(ticket_id=ticket_id, page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.support.ListTicketMessages, request)
    show(answer, views_support.conversation(answer.messages), as_json)


@tickets.command("events")
def list_events(
    ticket_id: TicketId,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List what happened to a ticket."""
    request = sla_service_pb2.ListSlaEventsRequest(ticket_id=ticket_id, page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.sla.ListSlaEvents, request)
    show(answer, views_support.events(answer.events), as_json)


def clocks(
    ticket_id: TicketId,
    as_of: AsOf = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show the clocks of a ticket as bars, now or at an instant of the past."""
    request = sla_service_pb2.ListClocksRequest(
        ticket_id=ticket_id, as_of_time=instant(as_of) if as_of else None, page_size=200
    )
    with connect(address) as client:
        answer = client.call(client.sla.ListClocks, request)
    show(answer, views_support.clocks(answer.clocks, answer.as_of_time), as_json)


def due(
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="Only this role's, such as operator_oncall.")] = "",
    within: Annotated[
        int, typer.Option("--within", min=0, max=744, metavar="HOURS", help="What is due within so many hours as well.")
    ] = 0,
    as_of: AsOf = None,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the clocks that are at risk or breached, soonest due first."""
    request = sla_service_pb2.ListDueSoonRequest(
        customer_id=customer,
        owner=owner,
        within_minutes=within * 60,
        as_of_time=instant(as_of) if as_of else None,
        page_size=limit,
        page_token=page_token,
    )
    with connect(address) as client:
        answer = client.call(client.sla.ListDueSoon, request)
    show(answer, views_support.due(answer.due_clocks, answer.as_of_time), as_json)


def sla_policy(
    opened_at: Annotated[
        datetime | None,
        typer.Option("--at", parser=day, metavar="TIME", help="For a ticket opened then; now by default."),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show what is promised for each priority, and who hears when it is not kept."""
    request = sla_service_pb2.GetSlaPolicyRequest(open_time=instant(opened_at) if opened_at else None)
    with connect(address) as client:
        answer = client.call(client.sla.GetSlaPolicy, request)
    show(answer, views_support.policies(answer.policies), as_json)


def sla_report(
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from", parser=day, metavar="DATE", help="Tickets opened from here on; seven days ago by default."
        ),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", parser=day, metavar="DATE", help="Tickets opened before; now by default.")
    ] = None,
    as_of: AsOf = None,
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's tickets.")] = "",
    out: Annotated[Path | None, typer.Option("--csv", help="Write the report into this file as well.")] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Report whether the promises were kept for the stored tickets of a period. Dates are UTC."""
    end = end or datetime.now(UTC)
    request = sla_service_pb2.GetSlaHealthReportRequest(
        period_start_time=instant(start or end - timedelta(days=7)),
        period_end_time=instant(end),
        as_of_time=instant(as_of) if as_of else None,
        customer_id=customer,
    )
    with connect(address) as client:
        answer = client.call(client.sla.GetSlaHealthReport, request)
    if out is not None:
        period = (request.period_start_time, request.period_end_time)
        try:
            rows = views_support.write_csv(answer.report, out, period)
        except OSError as error:
            raise CommandFailed(f"cannot write {out}: {error.strerror}", EXIT_USAGE) from None
        if not as_json:
            console().print(f"{rows} rows in {out}", markup=False, soft_wrap=True)
    show(answer, views_support.report(answer.report), as_json)


def lint_lexicon(
    folder: Annotated[Path | None, typer.Argument(help="The lexicon's folder; the built-in one by default.")] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Note a version without errors, so that services start with it at once.")
    ] = False,
) -> None:
    """Check the lexicon of the classifier, naming every fault. For those who edit it; needs no server."""
    from customer_ops.cli.mailbox import check_lexicon

    check_lexicon(folder, record=record)
