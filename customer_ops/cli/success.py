"""Commands about how a customer does: ``risk``."""

from __future__ import annotations

from typing import Annotated

import typer
from dealix.success.v1 import success_service_pb2

from customer_ops import views
from customer_ops.cli.common import DEFAULT_ADDRESS, MAX_INT32, Address, Json, show
from customer_ops.client import connect


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("risk")(risk)


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
    request = success_service_pb2.BuildAtRiskAlertRequest(
        customer_id=customer,
        days_inactive=days_inactive,
        drafts_pending=drafts_pending,
        days_since_proof_pack=days_since_proof_pack,
    )
    with connect(address) as client:
        answer = client.call(client.success.BuildAtRiskAlert, request)
    show(answer, views.risk(answer), as_json)
