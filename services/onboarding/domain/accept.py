"""Acceptance from what is stored: the four criteria with the evidence of each, and what is refused while one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import PreconditionFailed
from services.onboarding.domain.approvals import Approval
from services.onboarding.domain.catalog import Catalog
from services.onboarding.domain.checklist import Acceptance, Checklist, ProofPack, Readiness, acceptance
from services.onboarding.domain.connections import Connection
from services.onboarding.domain.credentials import check_no_credential
from services.onboarding.domain.evidence import Evidence
from services.onboarding.domain.proof import ProofRecords

# What a missing part of each criterion comes down to.
_MUST = {
    "steps_completed": "must be completed",
    "ready_for_first_service": "must be connected",
    "proof_pack_delivered_and_approved": "must be recorded",
    "success_cadence_active": "must be active",
}


class AcceptanceIncomplete(PreconditionFailed):
    """A criterion is not met; everything that is missing is listed. Metadata: ``customer_id``, ``criteria`` (by a space)."""

    reason: ClassVar[str] = "ACCEPTANCE_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Cadence:
    """What success knows of a customer's cadence, brought along by the gateway. ``active`` None: nobody was asked."""

    active: bool | None = None
    activated_at: datetime | None = None
    activator: ActorLike | None = None
    reference: str = ""


def check_cadence(cadence: Cadence, now: datetime) -> None:
    """Raises ``InvalidInput`` for an activation in the future or a credential."""
    checks = Checks()
    if cadence.activated_at is not None and cadence.activated_at > now:
        checks.note("cadence.activate_time", "IN_FUTURE", "must not lie in the future")
    check_no_credential(checks, "cadence.reference", "", cadence.reference)
    checks.done()


def judge(
    catalog: Catalog,
    checklist: Checklist,
    *,
    readiness: Readiness,
    connections: Mapping[str, Connection],
    proofs: ProofRecords,
    cadence: Cadence,
    risk_problem_open: bool,
) -> Acceptance:
    """The four criteria with who did what when, and where it is kept."""
    connected = [c for c in connections.values() if c.state.connected]
    cadence_evidence = Evidence("cadence", cadence.activator, cadence.activated_at, cadence.reference)
    return acceptance(
        catalog,
        checklist,
        ready_for_first_service=readiness,
        proof_pack=ProofPack(delivered=proofs.delivery is not None, approval=_approval(proofs)),
        cadence_active=cadence.active,
        risk_problem_open=risk_problem_open,
        shown_by={
            "ready_for_first_service": tuple(_connection_evidence(c) for c in connected),
            "proof_pack_delivered_and_approved": proofs.evidence(),
            "success_cadence_active": (cadence_evidence,) if cadence.active else (),
        },
    )


def require_accepted(found: Acceptance, customer_id: str) -> None:
    """Raises ``AcceptanceIncomplete`` listing each missing part as (criterion, part, what to do)."""
    unmet = [c for c in found.criteria if not c.met]
    if unmet:
        raise AcceptanceIncomplete(
            "the onboarding is not complete",
            [(c.id.upper(), part, _MUST[c.id]) for c in unmet for part in c.missing],
            customer_id=customer_id,
            criteria=" ".join(c.id for c in unmet),
        )


def _approval(proofs: ProofRecords) -> Approval | None:
    fact = proofs.approval
    return (
        Approval(fact.person.id, fact.occurred_at, by_person=True, role=fact.person.role) if fact is not None else None
    )


def _connection_evidence(connection: Connection) -> Evidence:
    check = connection.setup_check
    kept = check.reference if check is not None and check.reference else ""
    ledger = f"connector/{connection.customer_id}/{connection.connector_key}"
    return Evidence(connection.connector_key, connection.connected_by, connection.connected_at, kept or ledger)
