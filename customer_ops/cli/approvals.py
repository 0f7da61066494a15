"""Commands about what waits for a person: ``approvals pending``, ``show``, ``approve``, ``edit``, ``reject``, ``sent``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from dealix.common.v1 import actor_pb2, channel_pb2, sent_record_pb2
from dealix.incidents.v1 import approval_service_pb2 as incidents_pb
from dealix.onboarding.v1 import approval_service_pb2 as onboarding_pb
from dealix.success.v1 import approval_service_pb2 as success_pb
from dealix.support.v1 import approval_service_pb2 as support_pb

from customer_ops import views_approvals as views
from customer_ops.cli.common import (
    DEFAULT_ADDRESS,
    Address,
    Json,
    Limit,
    Person,
    RequestId,
    commands,
    console,
    day,
    instant,
    option_of,
    person,
    print_json,
    request_id,
    show,
)
from customer_ops.cli.ledger import ServiceName
from customer_ops.client import SERVICES, connect
from customer_ops.exits import EXIT_USAGE, CommandFailed
from customer_ops.render import flags

approvals = commands("Drafts and what people decide about them. Approved never means sent.")

_MESSAGES: dict[str, Any] = {
    "support": support_pb,
    "incidents": incidents_pb,
    "onboarding": onboarding_pb,
    "success": success_pb,
}

Service = Annotated[ServiceName, typer.Argument(help="Whose draft.")]
DraftId = Annotated[str, typer.Argument(help="The draft.", metavar="DRAFT")]
ArabicFile = Annotated[Path | None, typer.Option("--ar-file", help="The Arabic text in another form: a file.")]
EnglishFile = Annotated[Path | None, typer.Option("--en-file", help="The English text in another form: a file.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(approvals, name="approvals")


@approvals.command("pending")
def pending(
    service: Annotated[
        ServiceName | None, typer.Option("--service", help="Only this one; all four by default.")
    ] = None,
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    limit: Limit = 50,
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """List what waits for a person, the longest wait first. --limit holds for each service."""
    names = SERVICES if service is None else (service.value,)
    with connect(address) as client:
        answers = {
            name: client.call(
                client.approvals[name].ListPendingApprovals,
                _MESSAGES[name].ListPendingApprovalsRequest(customer_id=customer, page_size=limit),
            )
            for name in names
        }
    if as_json:
        print_json(answers)
        return
    out = console()
    out.print(views.pending(views.longest_wait_first((n, d) for n, a in answers.items() for d in a.drafts)))
    for name, answer in answers.items():
        if answer.next_page_token:
            out.print(f"more in {name} than the {limit} shown: --service {name} --limit", markup=False)
    out.print(flags(next(iter(answers.values()))))


@approvals.command("show")
def show_draft(service: Service, draft_id: DraftId, address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show a draft: its texts, and what was decided."""
    with connect(address) as client:
        answer = _get(client, service, draft_id)
    show(answer, views.draft(answer.draft), as_json)


@approvals.command("approve")
def approve(
    service: Service,
    draft_id: DraftId,
    content_hash: Annotated[
        str, typer.Option("--hash", help="The hash of the text that you read: `approvals show` prints it.")
    ],
    actor: Person = "",
    note: Annotated[str, typer.Option("--note", help="What was checked.")] = "",
    hours: Annotated[int, typer.Option("--hours", min=1, max=72, help="How long the approval is good.")] = 72,
    ar_file: ArabicFile = None,
    en_file: EnglishFile = None,
    write_id: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Approve a draft as it stands, or in the form of the files. Nothing is sent by it."""
    messages = _MESSAGES[service.value]
    who = person(actor)
    with connect(address) as client:
        edited = _edited(client, service, draft_id, ar_file, en_file)
        answer = client.call(
            client.approvals[service.value].ApproveDraft,
            messages.ApproveDraftRequest(
                request_id=request_id(write_id),
                actor=who,
                draft_id=draft_id,
                content_hash=content_hash,
                note=note,
                edited=edited,
                valid_hours=hours,
            ),
        )
    show(answer, views.draft(answer.draft), as_json)


@approvals.command("edit")
def edit(
    service: Service,
    draft_id: DraftId,
    actor: Person = "",
    ar_file: ArabicFile = None,
    en_file: EnglishFile = None,
    write_id: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Give a draft another text. It waits for a person again; an approval that it had is void."""
    who = person(actor)
    with connect(address) as client:
        edited = _edited(client, service, draft_id, ar_file, en_file)
        if edited is None:
            raise CommandFailed("wrong usage: say the new text with --ar-file, --en-file or both", EXIT_USAGE)
        answer = client.call(
            client.approvals[service.value].EditDraft,
            _MESSAGES[service.value].EditDraftRequest(
                request_id=request_id(write_id), actor=who, draft_id=draft_id, edited=edited
            ),
        )
    show(answer, views.draft(answer.draft), as_json)


@approvals.command("reject")
def reject(
    service: Service,
    draft_id: DraftId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    actor: Person = "",
    write_id: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Reject a draft, with a reason."""
    request = _MESSAGES[service.value].RejectDraftRequest(
        request_id=request_id(write_id), actor=person(actor), draft_id=draft_id, reason=reason
    )
    with connect(address) as client:
        answer = client.call(client.approvals[service.value].RejectDraft, request)
    show(answer, views.draft(answer.draft), as_json)


@approvals.command("sent")
def sent(
    service: Service,
    draft_id: DraftId,
    approval_id: Annotated[str, typer.Option("--approval", help="The approval under which it was sent.")],
    channel: Annotated[
        int,
        option_of(channel_pb2.Channel, "--channel", "How it was sent."),
    ],
    reference: Annotated[str, typer.Option("--reference", help="Where it can be found, such as a message id.")],
    actor: Person = "",
    sent_at: Annotated[
        datetime | None, typer.Option("--at", parser=day, metavar="TIME", help="When; now by default.")
    ] = None,
    write_id: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: Json = False,
) -> None:
    """Record that an approved draft was sent, outside this system."""
    who: actor_pb2.Actor = person(actor)
    request = _MESSAGES[service.value].RecordDraftSentRequest(
        request_id=request_id(write_id),
        actor=who,
        draft_id=draft_id,
        approval_id=approval_id,
        sent=sent_record_pb2.SentRecordInput(
            send_time=instant(sent_at or datetime.now(UTC)),
            channel=channel_pb2.Channel.ValueType(channel),
            sender=who,
            reference=reference,
        ),
    )
    with connect(address) as client:
        answer = client.call(client.approvals[service.value].RecordDraftSent, request)
    show(answer, views.draft(answer.draft), as_json)


def _get(client: Any, service: ServiceName, draft_id: str) -> Any:
    return client.call(
        client.approvals[service.value].GetDraft, _MESSAGES[service.value].GetDraftRequest(draft_id=draft_id)
    )


def _edited(client: Any, service: ServiceName, draft_id: str, ar_file: Path | None, en_file: Path | None) -> Any:
    """The texts of the files; what is not said stays as it stands. None where no file is named."""
    if ar_file is None and en_file is None:
        return None
    present = _get(client, service, draft_id).draft
    return _MESSAGES[service.value].EditedTexts(
        body_ar=_read(ar_file) if ar_file is not None else present.body_ar,
        body_en=_read(en_file) if en_file is not None else present.body_en,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"wrong usage: cannot read {path}: {error}", EXIT_USAGE) from None
