"""Commands about the papers of incidents: ``post-mortem``, ``notice``, ``communication``.

Longer texts come as a file of protobuf JSON, in the words of the contract; ``--json`` of the command that shows one gives a
file to begin with.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from dealix.common.v1 import actor_pb2, channel_pb2
from dealix.incidents.v1 import (
    communication_pb2,
    communication_service_pb2,
    notice_pb2,
    notice_service_pb2,
    post_mortem_pb2,
    post_mortem_service_pb2,
)
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Group

from customer_ops import views_approvals
from customer_ops import views_papers as views
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    Address,
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
from customer_ops.exits import EXIT_USAGE, CommandFailed

post_mortem = commands("Post-mortems: written, reviewed, approved, and made publishable behind a gate.")
notice = commands("Notices to the authority under the PDPL: five blocks, filed by a person, supplemented later.")
communication = commands("What customers are told of an incident: drafts that a person approves.")

Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident.")]
Etag = Annotated[str, typer.Option("--etag", help="Refuse where it has changed since it was read.")]
Late = Annotated[str, typer.Option("--late-reason", help="Why it comes after its deadline.")]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at", parser=day, metavar="TIME", help="When it was, such as 2026-03-01T08:00:00+03:00; default now."
    ),
]
Revision = Annotated[int, typer.Option("--revision", help="The revision of the text that was read.")]
File = Annotated[Path, typer.Option("--file", help="The text as protobuf JSON.")]
_SIGN_OFFS, _ROLES = post_mortem_pb2.PostMortemSignOffKind, actor_pb2.Role
Role = Annotated[int | None, option_of(_ROLES, "--role", "In which role you act.")]

M = TypeVar("M", bound=Message)


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(post_mortem, name="post-mortem")
    app.add_typer(notice, name="notice")
    app.add_typer(communication, name="communication")


def _read(path: Path, kind: type[M]) -> M:
    try:
        return json_format.Parse(path.read_text(encoding="utf-8"), kind())
    except (OSError, UnicodeDecodeError, json_format.ParseError) as error:
        raise CommandFailed(f"wrong usage: {path}: {error}", EXIT_USAGE) from None


def _when(at: datetime | None) -> datetime:
    return at or datetime.now(UTC)


def _actor(acting: str, role: int | None) -> actor_pb2.Actor:
    return person(acting, _ROLES.ValueType(role or 0))


# --- post-mortems -----------------------------------------------------------------------------------------------------


@post_mortem.command("list")
def list_post_mortems(
    limit: Limit = 50, page_token: PageToken = "", address: Address = DEFAULT_ADDRESS, as_json: Json = False
) -> None:
    """List post-mortems, the last begun first."""
    request = post_mortem_service_pb2.ListPostMortemsRequest(page_size=limit, page_token=page_token)
    with connect(address) as client:
        answer = client.call(client.post_mortems.ListPostMortems, request)
    show(answer, views.post_mortems(answer.post_mortems), as_json)


@post_mortem.command("show")
def show_post_mortem(incident: Incident, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show a post-mortem with what is missing before it may be published."""
    request = post_mortem_service_pb2.GetPostMortemRequest(incident_id=incident)
    with connect(address) as client:
        answer = client.call(client.post_mortems.GetPostMortem, request)
    show(answer, views.post_mortem(answer.post_mortem), as_json)


@post_mortem.command("draft")
def draft_post_mortem(
    incident: Incident,
    file: Annotated[Path | None, typer.Option("--file", help="The text as protobuf JSON of PostMortemContent.")] = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Begin a post-mortem; without a timeline in the file, with the incident's own."""
    content = _read(file, post_mortem_pb2.PostMortemContent) if file is not None else None
    request = post_mortem_service_pb2.DraftPostMortemRequest(
        request_id=request_id(repeat), actor=person(acting), incident_id=incident, content=content
    )
    with connect(address) as client:
        answer = client.call(client.post_mortems.DraftPostMortem, request)
    show(answer, views.post_mortem(answer.post_mortem), as_json)


@post_mortem.command("update")
def update_post_mortem(
    incident: Incident,
    file: File,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Replace the text (protobuf JSON of PostMortemContent). Approval and sign-offs are void afterwards."""
    request = post_mortem_service_pb2.UpdatePostMortemRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident,
        content=_read(file, post_mortem_pb2.PostMortemContent),
        etag=etag,
    )
    with connect(address) as client:
        answer = client.call(client.post_mortems.UpdatePostMortem, request)
    show(answer, views.post_mortem(answer.post_mortem), as_json)


@post_mortem.command("submit")
def submit_post_mortem(
    incident: Incident,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Hand a complete draft to its reviewers."""
    request = post_mortem_service_pb2.SubmitPostMortemRequest(
        request_id=request_id(repeat), actor=person(acting), incident_id=incident, etag=etag
    )
    with connect(address) as client:
        answer = client.call(client.post_mortems.SubmitPostMortem, request)
    show(answer, views.post_mortem(answer.post_mortem), as_json)


@post_mortem.command("approve")
def approve_post_mortem(
    incident: Incident,
    revision: Revision,
    late_reason: Late = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Approve the text that was read."""
    request = post_mortem_service_pb2.ApprovePostMortemRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident,
        content_revision=revision,
        late_reason=late_reason,
    )
    with connect(address) as client:
        answer = client.call(client.post_mortems.ApprovePostMortem, request)
    show(answer, views.post_mortem(answer.post_mortem), as_json)


@post_mortem.command("sign-off")
def sign_off(
    incident: Incident,
    kind: Annotated[int, argument_of(_SIGN_OFFS, "What it says.")],
    revision: Revision,
    customer: Annotated[str, typer.Option("--customer", help="The customer that consents.")] = "",
    reference: Annotated[str, typer.Option("--reference", help="Where the evidence can be found.")] = "",
    role: Role = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record a legal review (--role legal or dpo), a customer's consent, or that personal data is removed."""
    request = post_mortem_service_pb2.SignOffPostMortemRequest(
        request_id=request_id(repeat),
        actor=_actor(acting, role),
        incident_id=incident,
        kind=_SIGN_OFFS.ValueType(kind),
        customer_id=customer,
        reference=reference,
        content_revision=revision,
    )
    with connect(address) as client:
        answer = client.call(client.post_mortems.SignOffPostMortem, request)
    show(answer, views.post_mortem(answer.post_mortem), as_json)


@post_mortem.command("publishable")
def publishable(
    incident: Incident,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Pass the gate; refused with the list of what is missing. Publishes nothing."""
    request = post_mortem_service_pb2.MarkPostMortemPublishableRequest(
        request_id=request_id(repeat), actor=person(acting), incident_id=incident, etag=etag
    )
    with connect(address) as client:
        answer = client.call(client.post_mortems.MarkPostMortemPublishable, request)
    show(answer, views.post_mortem(answer.post_mortem), as_json)


# --- notices ----------------------------------------------------------------------------------------------------------


@notice.command("show")
def show_notice(incident: Incident, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show a notice with what is missing of each block."""
    request = notice_service_pb2.GetNoticeRequest(incident_id=incident)
    with connect(address) as client:
        answer = client.call(client.notices.GetNotice, request)
    show(answer, views.notice(answer.notice), as_json)


@notice.command("update")
def update_notice(
    incident: Incident,
    file: File,
    etag: Etag = "",
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Put down what the notice says (protobuf JSON of NoticeBlocks), whole."""
    request = notice_service_pb2.UpdateNoticeRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident,
        blocks=_read(file, notice_pb2.NoticeBlocks),
        etag=etag,
    )
    with connect(address) as client:
        answer = client.call(client.notices.UpdateNotice, request)
    show(answer, views.notice(answer.notice), as_json)


@notice.command("file")
def file_notice(
    incident: Incident,
    reference: Annotated[str, typer.Option("--reference", help="The authority's reference.")],
    at: At = None,
    late_reason: Late = "",
    incomplete_reason: Annotated[str, typer.Option("--incomplete-reason", help="Why something is missing.")] = "",
    role: Role = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that you filed the notice with the authority."""
    request = notice_service_pb2.RecordNoticeFiledRequest(
        request_id=request_id(repeat),
        actor=_actor(acting, role),
        incident_id=incident,
        reference=reference,
        file_time=instant(_when(at)),
        late_reason=late_reason,
        incomplete_reason=incomplete_reason,
    )
    with connect(address) as client:
        answer = client.call(client.notices.RecordNoticeFiled, request)
    show(answer, views.notice(answer.notice), as_json)


@notice.command("supplement")
def supplement_notice(
    incident: Incident,
    reference: Annotated[str, typer.Option("--reference", help="The authority's reference.")],
    at: At = None,
    role: Role = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that you filed a supplement: the notice as it stands now."""
    request = notice_service_pb2.RecordNoticeSupplementRequest(
        request_id=request_id(repeat),
        actor=_actor(acting, role),
        incident_id=incident,
        reference=reference,
        file_time=instant(_when(at)),
    )
    with connect(address) as client:
        answer = client.call(client.notices.RecordNoticeSupplement, request)
    show(answer, views.notice(answer.notice), as_json)


# --- communications ---------------------------------------------------------------------------------------------------

_KINDS = communication_pb2.CommunicationKind
Kind = Annotated[int, argument_of(_KINDS, "What it is for.")]


@communication.command("preview")
def preview(kind: Kind, file: File, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Write a communication from facts (protobuf JSON of CommunicationFacts). Stores nothing."""
    request = communication_service_pb2.PreviewCommunicationRequest(
        kind=_KINDS.ValueType(kind), facts=_read(file, communication_pb2.CommunicationFacts)
    )
    with connect(address) as client:
        answer = client.call(client.communications.PreviewCommunication, request)
    show(answer, views.communication(answer), as_json)


@communication.command("draft")
def draft_communication(
    incident: Incident,
    kind: Kind,
    file: File,
    channel: Annotated[
        int,
        option_of(channel_pb2.Channel, "--channel", "The channel it would go out on."),
    ],
    customers: Annotated[
        list[str] | None, typer.Option("--customer", help="A customer to tell; repeatable; default all affected.")
    ] = None,
    acting: Person = "",
    repeat: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Draft a communication for the customers of an incident; each waits for approval."""
    request = communication_service_pb2.DraftCommunicationRequest(
        request_id=request_id(repeat),
        actor=person(acting),
        incident_id=incident,
        kind=_KINDS.ValueType(kind),
        customer_ids=customers or [],
        channel=channel_pb2.Channel.ValueType(channel),
        facts=_read(file, communication_pb2.CommunicationFacts),
    )
    with connect(address) as client:
        answer = client.call(client.communications.DraftCommunication, request)
    show(answer, Group(*map(views_approvals.draft, answer.drafts)), as_json)


@communication.command("parity")
def parity(
    arabic: Annotated[Path, typer.Option("--ar-file", help="The Arabic text.")],
    english: Annotated[Path, typer.Option("--en-file", help="The English text.")],
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Compare two texts: the same numbers, dates, times, names and addresses."""
    texts = []
    for path in (arabic, english):
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandFailed(f"wrong usage: {path}: {error}", EXIT_USAGE) from None
    request = communication_service_pb2.CheckParityRequest(text_ar=texts[0], text_en=texts[1])
    with connect(address) as client:
        answer = client.call(client.communications.CheckParity, request)
    show(answer, views.parity(answer), as_json)
