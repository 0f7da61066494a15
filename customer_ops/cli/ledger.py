"""Commands about the record of every write: ``ledger``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from dealix.gateway.v1 import gateway_service_pb2

from customer_ops import views, views_gateway
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    Address,
    Json,
    Limit,
    PageToken,
    commands,
    console,
    print_json,
    show,
)
from customer_ops.client import SERVICES, connect
from customer_ops.exits import EXIT_UNVERIFIED, CommandFailed
from customer_ops.ledgers import LIST_REQUESTS, verify_ledgers
from customer_ops.render import flags

ledger = commands("The Action Ledgers: verify them, list their entries.")


class ServiceName(StrEnum):
    """The services that keep a ledger."""

    support = "support"
    incidents = "incidents"
    onboarding = "onboarding"
    success = "success"


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(ledger, name="ledger")


@ledger.command("verify")
def verify(
    service: Annotated[
        ServiceName | None, typer.Option("--service", help="Only this one; all four by default.")
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Recompute the hash chains. Ends with code 4 where one is broken."""
    with connect(address) as client:
        answers = verify_ledgers(client, SERVICES if service is None else (service.value,))
    if as_json:
        print_json(answers)
    else:
        out = console()
        out.print(views.verified(answers))
        out.print(flags(next(iter(answers.values()))))
    broken = [
        f"{name} at entry {answer.first_bad_sequence}: {answer.problem}"
        for name, answer in answers.items()
        if not answer.intact
    ]
    if broken:
        raise CommandFailed("ledger broken: " + "; ".join(broken), EXIT_UNVERIFIED)


@ledger.command("list")
def list_entries(
    service: Annotated[ServiceName, typer.Argument(help="Whose ledger.")],
    subject: Annotated[str, typer.Option("--subject", help="Only entries of this subject, such as ticket:tkt_…")] = "",
    action: Annotated[str, typer.Option("--action", help="Only entries with this action, such as ticket.routed.")] = "",
    after: Annotated[int, typer.Option("--after", max=2**63 - 1, help="Only entries after this number.")] = 0,
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the entries of a ledger, oldest first."""
    request = LIST_REQUESTS[service.value](
        subject=subject, action=action, after_sequence=after, page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.ledgers[service.value].ListLedger, request)
    show(answer, views.ledger(answer.entries), as_json)


@ledger.command("all")
def list_all(
    subject: Annotated[str, typer.Option("--subject", help="Only entries of this subject, such as ticket/tkt_…")] = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the entries of all four ledgers as one, in the order of time."""
    request = gateway_service_pb2.ListLedgerRequest(subject=subject, page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.gateway.ListLedger, request)
    show(answer, views_gateway.ledger(answer.entries), as_json)
