"""Proof Pack v1: delivered by us, then approved by a person of the customer. Both are records of what happened outside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import AlreadyExists, PersonRequired, PreconditionFailed
from services.onboarding.domain.credentials import check_no_credential
from services.onboarding.domain.evidence import Evidence


class ProofPackEvent(StrEnum):
    DELIVERED = "delivered"
    APPROVED = "approved"


class ProofPackRecorded(AlreadyExists):
    """This was recorded before. Metadata: ``customer_id``, ``event``."""

    reason: ClassVar[str] = "PROOF_PACK_RECORDED"


class ProofPackNotDelivered(PreconditionFailed):
    """What was not delivered cannot have been approved. Metadata: ``customer_id``."""

    reason: ClassVar[str] = "PROOF_PACK_NOT_DELIVERED"


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """One fact: ``person`` delivered or approved at ``occurred_at``; ``recorder`` wrote it down at ``recorded_at``."""

    person: ActorLike
    occurred_at: datetime
    reference: str
    recorder: ActorLike
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ProofRecords:
    """What is recorded of Proof Pack v1."""

    delivery: ProofRecord | None = None
    approval: ProofRecord | None = None

    def evidence(self) -> tuple[Evidence, ...]:
        """What shows delivery and approval, in this order."""
        parts = (("delivery", self.delivery), ("approval", self.approval))
        return tuple(Evidence(name, r.person, r.occurred_at, r.reference) for name, r in parts if r is not None)


def record(
    records: ProofRecords, customer_id: str, event: ProofPackEvent, fact: ProofRecord, *, earliest: datetime
) -> ProofRecords:
    """The records with another fact; ``earliest`` is when the onboarding began.

    Raises ``InvalidInput`` (a time in the future, before ``earliest`` or, of an approval, before the delivery; a credential; a
    reference without a visible character), ``PersonRequired``, ``ProofPackRecorded`` and ``ProofPackNotDelivered``.
    """
    approving = event is ProofPackEvent.APPROVED
    checks = Checks()
    checks.text("reference", fact.reference)
    check_no_credential(checks, "reference", "", fact.reference)
    if fact.occurred_at > fact.recorded_at:
        checks.note("occur_time", "IN_FUTURE", "must not lie in the future")
    elif fact.occurred_at < earliest:
        checks.note("occur_time", "BEFORE_CHECKLIST", "must not lie before the onboarding began")
    elif approving and records.delivery is not None and fact.occurred_at < records.delivery.occurred_at:
        checks.note("occur_time", "BEFORE_DELIVERY", "must not lie before the delivery")
    checks.done()
    if fact.person.kind != "person":
        raise PersonRequired("only persons deliver and approve a Proof Pack", action=f"proof_pack_{event}")
    if (records.approval if approving else records.delivery) is not None:
        raise ProofPackRecorded(f"Proof Pack v1 was recorded as {event}", customer_id=customer_id, event=event.value)
    if not approving:
        return replace(records, delivery=fact)
    if records.delivery is None:
        raise ProofPackNotDelivered(
            "Proof Pack v1 is not delivered",
            [("PROOF_PACK", customer_id, "its delivery must be recorded first")],
            customer_id=customer_id,
        )
    return replace(records, approval=fact)
