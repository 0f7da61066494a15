"""Commands about freezes: ``freezes``, ``freezes freeze``, ``release``, ``history``, ``evaluate``."""

from __future__ import annotations

from typing import Annotated

import typer
from dealix.common.v1 import actor_pb2, channel_pb2
from dealix.incidents.v1 import freeze_service_pb2 as pb

from customer_ops import views_freezes as views
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
    metavar,
    person,
    request_id,
    show,
)
from customer_ops.client import connect

freezes = commands("Freezes: nothing drafted for a frozen channel can be approved until a founder releases it.")

_PARSER = choice(channel_pb2.Channel)
Channel = Annotated[
    int | None, typer.Option("--channel", parser=_PARSER, metavar=metavar(channel_pb2.Channel), help="The channel.")
]
Customer = Annotated[str, typer.Option("--customer", help="The customer.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; free text, kept out of the ledger.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(freezes, name="freezes")


@freezes.callback(invoke_without_command=True)
def _freezes(context: typer.Context, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        list_active(address=address, as_json=as_json)


@freezes.command("list")
def list_active(
    channel: Channel = None,
    customer: Customer = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List the freezes that hold, newest first: of a channel or a customer, those for all of them included."""
    request = pb.GetFreezesRequest(
        channel=_channel(channel), customer_id=customer, page_size=limit, page_token=page_token
    )
    with connect(address) as client:
        answer = client.call(client.freezes.GetFreezes, request)
    show(answer, views.freezes(answer.freezes), as_json)


@freezes.command("history")
def history(
    channel: Channel = None,
    customer: Customer = "",
    incident: Annotated[str, typer.Option("--incident", help="Only those of this incident.")] = "",
    limit: Limit = 50,
    page_token: PageToken = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List all freezes, released ones too, newest first."""
    request = pb.ListFreezesRequest(
        channel=_channel(channel),
        customer_id=customer,
        incident_id=incident,
        page_size=limit,
        page_token=page_token,
    )
    with connect(address) as client:
        answer = client.call(client.freezes.ListFreezes, request)
    show(answer, views.freezes(answer.freezes), as_json)


@freezes.command("freeze")
def freeze(
    reason: Reason,
    channel: Channel = None,
    all_channels: Annotated[bool, typer.Option("--all-channels", help="Every channel.")] = False,
    customer: Customer = "",
    all_customers: Annotated[bool, typer.Option("--all-customers", help="Every customer.")] = False,
    incident: Annotated[str, typer.Option("--incident", help="The incident that leads to it.")] = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Freeze a channel for a customer. Say --all-channels or --all-customers where that is meant."""
    request = pb.FreezeChannelRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        channel=_channel(channel),
        all_channels=all_channels,
        customer_id=customer,
        all_customers=all_customers,
        reason=reason,
        incident_id=incident,
    )
    with connect(address) as client:
        answer = client.call(client.freezes.FreezeChannel, request)
    show(answer, views.freeze(answer.freeze), as_json)


@freezes.command("release")
def release(
    freeze_id: Annotated[str, typer.Argument(metavar="FREEZE", help="The freeze.")],
    reason: Reason,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Release a freeze, as a founder. The channel stays frozen while another freeze holds it."""
    request = pb.ReleaseFreezeRequest(
        request_id=request_id(repeat),
        actor=person(acting, actor_pb2.ROLE_FOUNDER),
        freeze_id=freeze_id,
        reason=reason,
    )
    with connect(address) as client:
        answer = client.call(client.freezes.ReleaseFreeze, request)
    show(answer, views.released(answer), as_json)


@freezes.command("evaluate")
def evaluate(
    channel: Annotated[int, typer.Argument(parser=_PARSER, metavar=metavar(channel_pb2.Channel), help="The channel.")],
    sent: Annotated[int, typer.Option("--sent", help="Messages sent.")],
    bounced: Annotated[int, typer.Option("--bounced", help="Of those, how many bounced.")] = 0,
    complained: Annotated[int, typer.Option("--complained", help="Of those, how many drew a complaint.")] = 0,
    blocked: Annotated[int, typer.Option("--blocked", help="WhatsApp: how many receivers blocked the sender.")] = 0,
    customer: Customer = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Say whether the counts of a channel suggest a freeze. Freezes nothing."""
    request = pb.EvaluateChannelMetricsRequest(
        channel=channel_pb2.Channel.ValueType(channel),
        customer_id=customer,
        sent=sent,
        bounced=bounced,
        complained=complained,
        blocked=blocked,
    )
    with connect(address) as client:
        answer = client.call(client.freezes.EvaluateChannelMetrics, request)
    show(answer, views.evaluation(answer), as_json)


def _channel(given: int | None) -> channel_pb2.Channel.ValueType:
    return channel_pb2.Channel.ValueType(given or 0)
