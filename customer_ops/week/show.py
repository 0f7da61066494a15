"""How the week is told: numbered parts, lines with their time in both languages, refusals that have to happen."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol

from dealix.common.v1 import actor_pb2, approval_pb2, channel_pb2, draft_pb2, sent_record_pb2
from dealix.incidents.v1 import approval_service_pb2 as incidents_approval
from dealix.onboarding.v1 import approval_service_pb2 as onboarding_approval
from dealix.success.v1 import approval_service_pb2 as success_approval
from dealix.support.v1 import approval_service_pb2 as support_approval
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, RenderableType
from rich.text import Text

from customer_ops.client import CallFailed, Client
from customer_ops.exits import EXIT_UNVERIFIED, CommandFailed
from customer_ops.render import Beside, Prose, heading, indented, stamp
from customer_ops.script import Both, FirstWeek
from customer_ops.text import is_rtl

APPROVALS: dict[str, Any] = {
    "support": support_approval,
    "incidents": incidents_approval,
    "onboarding": onboarding_approval,
    "success": success_approval,
}


_IDENTIFIER = re.compile(r"\b[a-z]{3}_[a-z0-9]{26}\b")


class WeekTime(Protocol):
    """The time of the stack that plays the week."""

    def now(self) -> datetime:
        """What its clock shows."""
        ...

    def advance_to(self, moment: datetime) -> None:
        """Moves it there; everything that falls due on the way happens."""
        ...

    def end(self) -> None:
        """Lets it go on to the real time, and with it from then on."""
        ...


class Show:
    """One telling of the week: who acts, what time it is, and how it is printed."""

    def __init__(self, client: Client, week: FirstWeek, out: Console, time: WeekTime) -> None:
        self.client = client
        self.week = week
        self.customer_id = week.customer_id
        self._out = out
        self._time = time
        self._opening = time.now()
        self._part = 0
        people = week.people
        self.operator = person(people["operator"], actor_pb2.ROLE_OPERATOR_ONCALL)
        self.founder = person(people["founder"], actor_pb2.ROLE_FOUNDER)
        self.dpo = person(people["dpo"], actor_pb2.ROLE_DPO)
        self.success_manager = person(people["success"], actor_pb2.ROLE_CUSTOMER_SUCCESS)
        self.customer = person(people["customer"])
        self.intake = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id=people["intake"])

    # --- time ---

    def at(self, day: int, clock: str) -> None:
        """Moves to an hour of the week in Riyadh: day 0 is its Sunday, ``clock`` is ``HH:MM``."""
        hour, minute = map(int, clock.split(":"))
        midnight = self._opening.replace(hour=0, minute=0)
        self._time.advance_to(midnight + timedelta(days=day, hours=hour, minutes=minute))

    def later(self, **by: int) -> None:
        """Moves on, by ``minutes=…``."""
        self._time.advance_to(self._time.now() + timedelta(**by))

    def end(self) -> None:
        """Goes on to the real time."""
        self._time.end()

    @property
    def now(self) -> Timestamp:
        """What the stack's clock shows."""
        return instant(self._time.now())

    def ago(self, **by: int) -> Timestamp:
        """Some time before that, by ``days=…`` and so on."""
        return instant(self._time.now() - timedelta(**by))

    def ahead(self, **by: int) -> Timestamp:
        """Some time after that."""
        return instant(self._time.now() + timedelta(**by))

    def date(self, days: int = 0) -> str:
        """The day in Riyadh, or one that lies ``days`` later, as ``YYYY-MM-DD``."""
        return (self._time.now().astimezone(self._opening.tzinfo) + timedelta(days=days)).date().isoformat()

    # --- telling ---

    def part(self, name: str) -> None:
        """Begins a part."""
        self._part += 1
        title = self.week.parts[name]
        self._out.print(heading(self._part, title.en, title.ar))

    def tell(self, key: str, **values: object) -> None:
        """One line: the time, and what happened in both languages. A value may differ by language, too."""
        said = self.week.lines[key]
        ar = said.ar.format(**{name: value.ar if isinstance(value, Both) else value for name, value in values.items()})
        en = said.en.format(**{name: value.en if isinstance(value, Both) else value for name, value in values.items()})
        self._out.print(indented(stamp(self.now, Beside(ar, en))))

    def show(self, part: RenderableType) -> None:
        """Something below a line."""
        self._out.print(indented(part, 4))

    def says(self, text: str, subject: str = "") -> None:
        """What a customer wrote."""
        for line, style in ((subject, "bold"), (text, "italic")):
            if line:
                self.show(Prose(line, style))

    def refused(self, key: str, reason: str, method: Any, request: Message, *, details: int = 3) -> None:
        """Makes a call that has to be refused for ``reason``, and shows what it says. ``CommandFailed`` where it is not."""
        self.tell(key)
        try:
            self.client.call(method, request)
        except CallFailed as failure:
            if failure.reason != reason:
                raise
            self._show_refusal(failure, details)
            return
        raise CommandFailed(f"{type(request).__name__} should have been refused with {reason}", EXIT_UNVERIFIED)

    def _show_refusal(self, failure: CallFailed, details: int) -> None:
        said = failure.message.removeprefix(f"refused: {failure.reason}: ").partition("; ")[0]
        self.show(Text.assemble((f"✗ {failure.reason}", "bold yellow"), (f"  {said}", "yellow")))
        # Identifiers are for software; people read what is missing.
        shown = [detail for detail in failure.details if not _IDENTIFIER.search(detail)]
        for detail in shown[:details]:
            subject, _, missing = detail.partition(": ")
            ar, _, en = missing.partition(" / ")
            if en and is_rtl(ar):
                self.show(Beside(ar, f"- {en}", "yellow"))
            elif is_rtl(missing):
                self.show(Prose(f"• {missing}", "yellow", arabic=True))
            else:
                self.show(Prose(f"- {subject}: {missing}" if missing else f"- {subject}", "yellow"))
        if len(shown) > details:
            self.show(Text(f"- and {len(shown) - details} more", "yellow"))

    # --- writing ---

    def approval(self, note: str, approver: actor_pb2.Actor | None = None) -> approval_pb2.Approval:
        """A person's statement of approval, the customer's by default."""
        return approval_pb2.Approval(approver=approver or self.customer, approve_time=self.now, note=note)

    def sent(
        self, channel: channel_pb2.Channel.ValueType, reference: str, sender: actor_pb2.Actor | None = None
    ) -> sent_record_pb2.SentRecordInput:
        """The record of a sending that took place now, outside."""
        return sent_record_pb2.SentRecordInput(
            send_time=self.now, channel=channel, sender=sender or self.operator, reference=reference
        )

    def approve_request(
        self,
        service: str,
        found: draft_pb2.Draft,
        actor: actor_pb2.Actor,
        edited: tuple[str, str] | None = None,
    ) -> Any:
        """The request that approves a draft, in another form where ``edited`` (Arabic, English) is given."""
        messages = APPROVALS[service]
        return messages.ApproveDraftRequest(
            request_id=new_id(),
            actor=actor,
            draft_id=found.draft_id,
            content_hash=found.content_hash,
            edited=messages.EditedTexts(body_ar=edited[0], body_en=edited[1]) if edited else None,
        )

    def approve(
        self,
        service: str,
        found: draft_pb2.Draft,
        actor: actor_pb2.Actor,
        edited: tuple[str, str] | None = None,
    ) -> draft_pb2.Draft:
        """The draft after a person approved it."""
        request = self.approve_request(service, found, actor, edited)
        draft: draft_pb2.Draft = self.client.call(self.client.approvals[service].ApproveDraft, request).draft
        return draft

    def draft_of(self, service: str, draft_id: str) -> draft_pb2.Draft:
        """A draft as it stands."""
        request = APPROVALS[service].GetDraftRequest(draft_id=draft_id)
        draft: draft_pb2.Draft = self.client.call(self.client.approvals[service].GetDraft, request).draft
        return draft

    def pending(self, services: Iterable[str], kind: int = 0) -> list[tuple[str, draft_pb2.Draft]]:
        """What waits for a person, each with its service."""
        return [
            (service, draft)
            for service in services
            for draft in self.client.call(
                self.client.approvals[service].ListPendingApprovals,
                APPROVALS[service].ListPendingApprovalsRequest(kind=kind, page_size=200),
            ).drafts
        ]


def person(actor_id: str, role: actor_pb2.Role.ValueType = actor_pb2.ROLE_UNSPECIFIED) -> actor_pb2.Actor:
    """A person who acts."""
    return actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id=actor_id, role=role)


def new_id() -> str:
    """The id of a write."""
    return str(uuid.uuid4())


def instant(time: datetime) -> Timestamp:
    """A protobuf timestamp."""
    made = Timestamp()
    made.FromDatetime(time)
    return made
