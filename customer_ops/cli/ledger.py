"""Commands about the record of every write: ``ledger``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from dealix.common.v1.ledger_pb2 import LedgerAnchor
from dealix.gateway.v1 import gateway_service_pb2
from google.protobuf import json_format

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
from customer_ops.exits import EXIT_UNVERIFIED, EXIT_USAGE, CommandFailed
from customer_ops.ledgers import LIST_REQUESTS, NO_ANCHORS, verify_ledgers
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
    anchors: Annotated[
        Path | None,
        typer.Option(
            "--anchors",
            metavar="FILE",
            help="What `ledger verify --json` said earlier: nothing up to there may be gone.",
        ),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Recompute the hash chains. Ends with code 4 where one is broken."""
    services = SERVICES if service is None else (service.value,)
    noted = NO_ANCHORS if anchors is None else _read_anchors(anchors, services)
    with connect(address) as client:
        answers = verify_ledgers(client, services, noted)
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


def _read_anchors(file: Path, services: Iterable[str]) -> dict[str, LedgerAnchor]:
    """Where ledgers ended, from what ``ledger verify --json`` printed; a ledger that was empty has no anchor."""
    try:
        answers = json.loads(file.read_text(encoding="utf-8"))
        heads = {name: answers[name].get("head") for name in services}
        return {name: json_format.ParseDict(head, LedgerAnchor()) for name, head in heads.items() if head is not None}
    except OSError as error:
        raise CommandFailed(f"cannot read {file}: {error.strerror}", EXIT_USAGE) from None
    except KeyError as missing:
        raise CommandFailed(f"wrong usage: {file}: nothing is said there of {missing}", EXIT_USAGE) from None
    except (ValueError, TypeError, AttributeError, json_format.Error):
        raise CommandFailed(
            f"wrong usage: {file}: that is not what `ledger verify --json` prints", EXIT_USAGE
        ) from None


@ledger.command("list")
def list_entries(
    service: Annotated[ServiceName, typer.Argument(help="Whose ledger.")],
    subject: Annotated[str, typer.Option("--subject", help="Only entries of this subject, such as ticket/tkt_…")] = "",
    action: Annotated[str, typer.Option("--action", help="Only entries with this action, such as ticket.opened.")] = "",
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
