"""The use cases of communications about incidents: drafts that a person approves before anybody sends them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from services.approvals import drafts
from services.approvals.drafts import Draft, DraftKind, NewDraft
from services.domain.channels import Channel
from services.domain.checks import Checks
from services.domain.claims import ClaimChecker
from services.domain.drafts import DraftState
from services.incidents import store
from services.incidents.case import Case
from services.incidents.domain import communications as rules
from services.incidents.domain.book import Book
from services.incidents.domain.communications import Communication, CommunicationKind, Facts, Texts
from services.incidents.domain.errors import IncidentNotFound
from services.incidents.domain.lifecycle import IncidentState
from services.incidents.domain.parity import ParityBroken, ParityChecker, ParityKind
from services.incidents.domain.timeline import TimelineKind
from services.incidents.freezes import active_freezes
from services.storage.database import Tx, UnitOfWork

MAX_CUSTOMERS = 100


@dataclass(frozen=True, slots=True)
class Kit:
    """What communications are written and judged by."""

    book: Book
    texts: Texts
    parity: ParityChecker
    claims: ClaimChecker


@dataclass(frozen=True, slots=True)
class DraftCommunication:
    """What to draft for whom; no ``customer_ids`` stand for all that the incident names."""

    incident_id: str
    kind: CommunicationKind
    customer_ids: tuple[str, ...]
    channel: Channel
    facts: Facts


def preview(kind: CommunicationKind, facts: Facts, now: datetime, kit: Kit) -> Communication:
    """The text, without storing anything. Raises what `rules.write` raises."""
    return rules.write(kind, facts, now, kit.texts, kit.parity, kit.claims)


def draft(unit: UnitOfWork, command: DraftCommunication, kit: Kit) -> list[Draft]:
    """One draft for each customer; an earlier one of the same kind that was not sent is withdrawn.

    What is frozen for a customer now is told in the draft for that customer. Raises ``IncidentNotFound``,
    ``CommunicationRefused``, ``InvalidInput``, ``ParityBroken`` and ``ProhibitedClaim``.
    """
    incident = store.get_incident(unit.tx, command.incident_id)
    if incident is None:
        raise IncidentNotFound("no such incident", incident_id=command.incident_id)
    rules.check_incident(
        command.kind,
        command.incident_id,
        severity=incident.severity,
        data_leak=incident.data_leak,
        drill=incident.drill,
        cancelled=incident.state is IncidentState.CANCELLED or bool(incident.duplicate_of),
    )
    customers = _customers(command.customer_ids, incident.customer_ids)
    # Drafts about an incident share its subject; what a communication is for stands in its title.
    subject, title = f"incident/{command.incident_id}", kit.texts.kinds[command.kind].title
    earlier = [
        old
        for old in drafts.of_subject(unit.tx, subject)
        if old.kind is DraftKind.COMMUNICATION and old.title == title and old.state is not DraftState.SENT_RECORDED
    ]
    made = []
    for customer_id in customers:
        for old in earlier:
            if old.customer_id == customer_id:
                drafts.withdraw(unit, old.draft_id)
        facts = replace(command.facts, frozen=frozen_channels(unit.tx, customer_id))
        written = preview(command.kind, facts, unit.now, kit)
        made.append(
            drafts.create(
                unit,
                NewDraft(
                    kind=DraftKind.COMMUNICATION,
                    subject=subject,
                    customer_id=customer_id,
                    channel=command.channel,
                    title=written.title,
                    body=written.body,
                    due_at=command.facts.next_update_at,
                ),
            )
        )
    case = Case.open(unit, command.incident_id, kit.book)
    told = kit.book.texts.line(TimelineKind.COMMUNICATION_DRAFTED, communication=title, customers=str(len(made)))
    case.add(TimelineKind.COMMUNICATION_DRAFTED, told, subject=command.kind.value)
    case.commit("incident.communication_drafted", fields=("timeline",), kind=command.kind.value)
    return made


def frozen_channels(tx: Tx, customer_id: str) -> tuple[Channel | None, ...]:
    """The channels that freezes hold for a customer now, each once; None among them: every channel."""
    return tuple(dict.fromkeys(freeze.channel for freeze in active_freezes(tx, customer_id)))


def check_approval(found: Draft, kit: Kit) -> None:
    """Raises ``ParityBroken`` where a person's edit made the figures, dates or addresses of the two languages differ.

    Names are left to the person: which pairs are one name was said when it was drafted, and is not kept.
    """
    if found.kind is DraftKind.COMMUNICATION:
        differences = kit.parity.differences(found.body.ar, found.body.en)
        broken = tuple(difference for difference in differences if difference.kind is not ParityKind.NAME)
        if broken:
            raise ParityBroken(broken)


def _customers(asked: tuple[str, ...], named: tuple[str, ...]) -> tuple[str, ...]:
    checks = Checks()
    for number, customer_id in enumerate(asked):
        if customer_id not in named:
            checks.note(f"customer_ids[{number}]", "NOT_AFFECTED", "must be a customer that the incident names")
    found = asked or named
    if not found:
        checks.note("customer_ids", "REQUIRED", "the incident names no customer: name the affected ones there first")
    elif len(found) > MAX_CUSTOMERS:
        checks.note("customer_ids", "TOO_MANY", f"at most {MAX_CUSTOMERS} in one call: name some of them")
    checks.done()
    return found
