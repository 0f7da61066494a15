"""What commands share: options, the person who acts, enum values as arguments, and the two ways of printing an answer."""

from __future__ import annotations

import difflib
import json
import os
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from dealix.common.v1 import actor_pb2, approval_pb2, channel_pb2
from dealix.support.v1 import classification_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, RenderableType

from customer_ops.names import short_names, value_of
from customer_ops.render import flags

DEFAULT_ADDRESS = "127.0.0.1:50050"
MAX_INT32 = 2**31 - 1
_ADDRESS_VARIABLE = "CUSTOMER_OPS_ADDRESS"
_HOST_PORT = re.compile(r"(?:dns:///)?(?:\[[0-9A-Fa-f:.]+\]|[^\s:/,\[\]]+):([0-9]{1,5})")


def _host_port(address: str) -> str:
    """An address that can be dialled; where a variable is nearly the one that names it, the default is not what was meant."""
    found = _HOST_PORT.fullmatch(address)
    if found is None or not 0 < int(found[1]) < 65536:
        raise typer.BadParameter("must be HOST:PORT, with a port from 1 to 65535")
    misspelt = difflib.get_close_matches(_ADDRESS_VARIABLE, os.environ.keys() - {_ADDRESS_VARIABLE}, 1, 0.9)
    if misspelt and address == DEFAULT_ADDRESS:
        raise typer.BadParameter(f"there is no variable {misspelt[0]}; the nearest is {_ADDRESS_VARIABLE}")
    return address


Address = Annotated[
    str,
    typer.Option(
        "--address",
        envvar=_ADDRESS_VARIABLE,
        metavar="HOST:PORT",
        help="Where the stack answers.",
        callback=_host_port,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as protobuf JSON instead.")]
Person = Annotated[
    str,
    typer.Option("--as", envvar="CUSTOMER_OPS_ACTOR", metavar="ID", help="The person who acts, such as operator-17."),
]
RequestId = Annotated[
    str,
    typer.Option("--request-id", metavar="UUID", help="Repeat a write safely with the id of the first try."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")]
PageToken = Annotated[str, typer.Option("--page-token", help="Continue after an earlier page.")]


def commands(name_help: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(help=name_help, rich_markup_mode=None, pretty_exceptions_enable=False)


def choice(enum: Any) -> Callable[[Any], int]:
    """A parser of a generated enum's short names; an unknown one is wrong usage and names those that exist."""

    def parse(text: Any) -> int:
        if isinstance(text, int):
            return text
        try:
            return value_of(enum, text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


def metavar(enum: Any) -> str:
    """The short names of an enum for the help."""
    return "|".join(short_names(enum))


def option_of(enum: Any, flag: str, said: str, *, show_default: bool = True) -> Any:
    """An option that takes a short name of an enum; ``said`` is its help."""
    return typer.Option(flag, parser=choice(enum), metavar=metavar(enum), help=said, show_default=show_default)


def argument_of(enum: Any, said: str) -> Any:
    """An argument that is a short name of an enum; ``said`` is its help."""
    return typer.Argument(parser=choice(enum), metavar=metavar(enum), help=said)


Customer = Annotated[str, typer.Argument(help="The customer.")]
Body = Annotated[str, typer.Argument(help="The customer's text.")]
SubjectLine = Annotated[str, typer.Option("--subject", help="The subject line.")]
Arrived = Annotated[
    int,
    option_of(channel_pb2.Channel, "--channel", "Where it arrived.", show_default=False),
]
AtLeast = Annotated[
    int,
    option_of(
        classification_pb2.Priority,
        "--at-least",
        "The lowest urgency a person wants; it never lowers what the text asks for.",
        show_default=False,
    ),
]
Follows = Annotated[str, typer.Option("--follows", help="The earlier ticket that this one follows up.")]


def day(text: str) -> datetime:
    """``YYYY-MM-DD``, or an instant with an offset such as ``2026-03-01T08:00:00+03:00``; without one it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2026-03-01 or 2026-03-01T08:00:00+03:00") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def person(actor_id: str, role: actor_pb2.Role.ValueType = actor_pb2.ROLE_UNSPECIFIED) -> actor_pb2.Actor:
    """The person who acts. There is no default: the ledger records who it was."""
    if not actor_id:
        raise typer.BadParameter("say who acts, with --as ID or CUSTOMER_OPS_ACTOR", param_hint="'--as'")
    return actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id=actor_id, role=role)


def approval(approver_id: str, note: str = "") -> approval_pb2.Approval | None:
    """The approval of a person, given now; None where nobody approved."""
    if not approver_id:
        return None
    return approval_pb2.Approval(approver=person(approver_id), approve_time=instant(datetime.now(UTC)), note=note)


def request_id(given: str) -> str:
    """The id of a write: the given one, else a new one."""
    return given or str(uuid.uuid4())


def instant(time: datetime) -> Timestamp:
    """A protobuf timestamp."""
    made = Timestamp()
    made.FromDatetime(time)
    return made


def console() -> Console:
    """Where readable output goes."""
    return Console(highlight=False)


def show(answer: Message, part: RenderableType, as_json: bool) -> None:
    """Prints an answer: readable with its flags below, or as JSON."""
    if as_json:
        print_json(answer)
        return
    out = console()
    out.print(part)
    out.print(flags(answer))
    token = getattr(answer, "next_page_token", "")
    if token:
        out.print(f"more: --page-token {token}", markup=False, soft_wrap=True)


def print_json(answer: Message | Mapping[str, Message]) -> None:
    """An answer, or several by name, as protobuf JSON; ``live_send_allowed`` shows because it is present."""
    made = {name: as_dict(one) for name, one in answer.items()} if isinstance(answer, Mapping) else as_dict(answer)
    print(json.dumps(made, ensure_ascii=False, indent=2))


def as_dict(answer: Message) -> dict[str, Any]:
    """Protobuf JSON with the contract's own field names."""
    made: dict[str, Any] = MessageToDict(answer, preserving_proto_field_name=True)
    return made


def joined(parts: Iterable[str]) -> str:
    """Words that a shell split, as one text."""
    return " ".join(parts)
