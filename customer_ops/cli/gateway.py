"""Commands over several services at once: ``handle``, ``assess``, ``overview``, ``review-week``, ``watch``."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer
from dealix.common.v1 import channel_pb2
from dealix.gateway.v1 import gateway_service_pb2 as pb
from dealix.support.v1 import classification_pb2

from customer_ops import views_gateway
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    Address,
    Arrived,
    AtLeast,
    Body,
    Customer,
    Follows,
    Json,
    Person,
    RequestId,
    SubjectLine,
    as_dict,
    console,
    option_of,
    person,
    request_id,
    show,
)
from customer_ops.cli.ledger import ServiceName
from customer_ops.client import connect
from customer_ops.exits import EXIT_UNREACHABLE, CommandFailed
from customer_ops.render import flags
from customer_ops.watching import follow


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("handle")(handle)
    app.command("assess")(assess)
    app.command("overview")(overview)
    app.command("review-week")(review_week)
    app.command("watch")(watch)


def handle(
    customer: Customer,
    body: Body,
    subject: SubjectLine = "",
    channel: Arrived = 0,
    at_least: AtLeast = 0,
    follows: Follows = "",
    freeze: Annotated[
        int,
        option_of(
            channel_pb2.Channel,
            "--freeze",
            "The channel to freeze if it comes to that; every channel of the customer, if not given.",
            show_default=False,
        ),
    ] = 0,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Open a ticket; where it tells of a leak or an unapproved send, declare the incident and freeze the channels."""
    request = pb.HandleTicketRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        customer_id=customer,
        subject=subject,
        body=body,
        channel=channel_pb2.Channel.ValueType(channel),
        minimum_priority=classification_pb2.Priority.ValueType(at_least),
        follows_ticket_id=follows,
        freeze_channel=channel_pb2.Channel.ValueType(freeze),
    )
    with connect(address) as client:
        answer = client.call(client.gateway.HandleTicket, request)
    show(answer, views_gateway.handled(answer), as_json)


def assess(customer: Customer, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show a customer's risk, health, service level of the last 30 days, and open incidents."""
    with connect(address) as client:
        answer = client.call(client.gateway.AssessCustomer, pb.AssessCustomerRequest(customer_id=customer))
    show(answer, views_gateway.assessment(answer), as_json)


def overview(customer: Customer, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show what every service knows of a customer."""
    with connect(address) as client:
        answer = client.call(client.gateway.GetCustomerOverview, pb.GetCustomerOverviewRequest(customer_id=customer))
    show(answer, views_gateway.overview(answer), as_json)


def review_week(
    week: Annotated[
        str,
        typer.Argument(
            metavar="[SUNDAY]", help="The Sunday of the week, YYYY-MM-DD; the last one to review, if not given."
        ),
    ] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Review the service levels of a week: report, touchpoints with who was affected, an incident if it is critical."""
    request = pb.RunWeeklySlaReviewRequest(request_id=request_id(repeat), actor=person(acting), week_start_date=week)
    with connect(address) as client:
        answer = client.call(client.gateway.RunWeeklySlaReview, request)
    show(answer, views_gateway.review(answer), as_json)


def watch(
    begin: Annotated[
        str, typer.Option("--from", metavar="POSITION", help="Go on after this position of an earlier watch.")
    ] = "",
    only_new: Annotated[bool, typer.Option("--new", help="Only what is added from now on.")] = False,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End when what is there now has been shown.")
    ] = False,
    subject: Annotated[str, typer.Option("--subject", help="Only entries of this subject, such as ticket/tkt_…")] = "",
    action: Annotated[str, typer.Option("--action", help="Only entries with this action, such as ticket.opened.")] = "",
    services: Annotated[
        list[ServiceName] | None, typer.Option("--service", help="Only this service; may be given several times.")
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Show what happens in all four services as it happens, until Ctrl-C or SIGTERM; with --json one object a line.

    With --until-caught-up it ends with code 3 where a service could not be reached and its entries are missing.
    """
    request = pb.WatchEventsRequest(
        from_position=begin,
        only_new=only_new,
        subject=subject,
        action=action,
        services=dict.fromkeys(one.value for one in services or ()),
    )
    out = console()
    last = None
    missing: dict[str, None] = {}
    with connect(address) as client, _until_stopped(), closing(follow(client, request)) as messages:
        for last in messages:
            if last.kind == pb.WATCH_MESSAGE_KIND_SERVICE_DOWN:
                missing[last.service] = None
            elif last.kind == pb.WATCH_MESSAGE_KIND_SERVICE_BACK:
                missing.pop(last.service, None)
            if as_json:
                print(json.dumps(as_dict(last), ensure_ascii=False))
            else:
                out.print(views_gateway.watched(last), soft_wrap=True)
            # Whoever reads it by a pipe is not to wait until there is a block of it.
            sys.stdout.flush()
            if until_caught_up and last.kind == pb.WATCH_MESSAGE_KIND_CAUGHT_UP:
                break
    if last is not None and not as_json:
        out.print(flags(last))
        out.print(f"go on: --from {last.position}", markup=False, soft_wrap=True)
    if until_caught_up and missing:
        raise CommandFailed(f"not complete: no answer of {', '.join(missing)}", EXIT_UNREACHABLE)


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block, and nothing else."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
