"""Commands about tickets and promises: ``classify``, ``tickets``, ``sla-report``, ``lint-lexicon``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from dealix.common.v1 import actor_pb2, channel_pb2, sent_record_pb2
from dealix.support.v1 import classification_pb2, sla_pb2, sla_service_pb2, support_service_pb2, ticket_pb2

from customer_ops import views
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    Address,
    Json,
    Limit,
    PageToken,
    Person,
    RequestId,
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
from customer_ops.exits import EXIT_USAGE, CommandFailed

tickets = commands("Tickets: list, show, open, and record that a first response was sent.")


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("classify")(classify)
    app.add_typer(tickets, name="tickets")
    app.command("sla-report")(sla_report)
    app.command("lint-lexicon")(lint_lexicon)


def classify(
    text: Annotated[str, typer.Argument(help="The text; `-` reads standard input.", show_default=False)] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Classify every row of a CSV instead, without a server. Needs --out."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the classified CSV.")] = None,
    column: Annotated[
        str | None,
        typer.Option("--column", help="The CSV's column that holds the text; found by its name if left out."),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Say how urgent a text is, with the evidence. Stores nothing."""
    if file is not None:
        if out is None or text:
            raise typer.BadParameter("--file takes --out and no TEXT")
        from customer_ops.cli.mailbox import classify_file

        classify_file(file, out, column)
        return
    if out is not None:
        raise typer.BadParameter("--out belongs to --file")
    if text == "-":
        try:
            text = sys.stdin.read()
        except UnicodeDecodeError:
            raise CommandFailed("wrong usage: standard input is not valid UTF-8", EXIT_USAGE) from None
    with connect(address) as client:
        answer = client.call(client.support.ClassifyTicket, support_service_pb2.ClassifyTicketRequest(text=text))
    show(answer, views.classification(answer.classification), as_json)


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
        typer.Option(
            "--priority",
            parser=choice(classification_pb2.Priority),
            metavar=metavar(classification_pb2.Priority),
            help="Only this priority.",
            show_default=False,
        ),
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
    show(answer, views.tickets(answer.tickets), as_json)


@tickets.command("show")
def show_ticket(
    ticket_id: Annotated[str, typer.Argument(help="The ticket.")],
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show one ticket with its text."""
    with connect(address) as client:
        answer = client.call(client.support.GetTicket, support_service_pb2.GetTicketRequest(ticket_id=ticket_id))
    show(answer, views.ticket(answer.ticket, with_text=True), as_json)


@tickets.command("open")
def open_ticket(
    customer: Annotated[str, typer.Argument(help="The customer.")],
    body: Annotated[str, typer.Argument(help="The customer's text.")],
    subject: Annotated[str, typer.Option("--subject", help="The subject line.")] = "",
    channel: Annotated[
        int,
        typer.Option(
            "--channel",
            parser=choice(channel_pb2.Channel),
            metavar=metavar(channel_pb2.Channel),
            help="Where it arrived.",
            show_default=False,
        ),
    ] = 0,
    at_least: Annotated[
        int,
        typer.Option(
            "--at-least",
            parser=choice(classification_pb2.Priority),
            metavar=metavar(classification_pb2.Priority),
            help="The lowest urgency a person wants; it never lowers what the text asks for.",
            show_default=False,
        ),
    ] = 0,
    follows: Annotated[str, typer.Option("--follows", help="The earlier ticket that this one follows up.")] = "",
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
    ticket_id: Annotated[str, typer.Argument(help="The ticket.")],
    reference: Annotated[str, typer.Option("--reference", help="Where it can be found, such as the mail's id.")],
    channel: Annotated[
        int,
        typer.Option(
            "--channel",
            parser=choice(channel_pb2.Channel),
            metavar=metavar(channel_pb2.Channel),
            help="How it was sent.",
            show_default=False,
        ),
    ],
    sent_at: Annotated[
        datetime | None,
        typer.Option("--at", parser=day, metavar="TIME", help="When it was sent; now when left out."),
    ] = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that a person sent the first response, outside this system. This stops its clock."""
    sender = person(acting, actor_pb2.ROLE_OPERATOR_ONCALL)
    request = sla_service_pb2.RecordSlaEventRequest(
        request_id=request_id(repeat),
        actor=sender,
        ticket_id=ticket_id,
        type=sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE,
        sent=sent_record_pb2.SentRecordInput(
            send_time=instant(sent_at or datetime.now(UTC)),
            channel=channel_pb2.Channel.ValueType(channel),
            sender=sender,
            reference=reference,
        ),
    )
    with connect(address) as client:
        answer = client.call(client.sla.RecordSlaEvent, request)
    show(answer, views.ticket(answer.ticket), as_json)


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
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", parser=day, metavar="TIME", help="The instant to look at; now by default."),
    ] = None,
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's tickets.")] = "",
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
    show(answer, views.sla_report(answer.report), as_json)


def lint_lexicon(
    folder: Annotated[Path | None, typer.Argument(help="The lexicon's folder; the built-in one by default.")] = None,
) -> None:
    """Check the lexicon of the classifier, naming every fault. For those who edit it; needs no server."""
    from customer_ops.cli.mailbox import check_lexicon

    check_lexicon(folder)
