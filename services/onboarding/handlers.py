"""The use cases of onboarding: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from datetime import datetime

from services.domain.checks import Checks
from services.domain.errors import check_etag
from services.onboarding import store
from services.onboarding.domain import connections, progress
from services.onboarding.domain.approvals import check_approval
from services.onboarding.domain.catalog import Catalog, ConnectorState
from services.onboarding.domain.checklist import Acceptance, Checklist, ProofPack, acceptance
from services.onboarding.domain.connections import Connection, Update
from services.onboarding.domain.connectors import Summary, summarize
from services.onboarding.domain.progress import ChecklistExists, ChecklistNotFound, Progress, StepUpdate
from services.storage.database import Tx, UnitOfWork


def create_checklist(unit: UnitOfWork, catalog: Catalog, customer_id: str, bundle_id: str) -> Progress:
    """Stores a customer's checklist. Raises ``InvalidInput`` and ``ChecklistExists``."""
    begun = progress.begin(catalog, customer_id, bundle_id, at=unit.now)
    if store.get_progress(unit.tx, customer_id) is not None:
        raise ChecklistExists("the customer has a checklist", customer_id=customer_id)
    store.insert_progress(unit.tx, begun)
    unit.record(
        "checklist.created",
        _checklist_subject(customer_id),
        fields=("bundle_id", "current_step_id"),
        attributes={
            **_checklist_attributes(begun),
            **{f"step.{step.step_id}": _step_state(step.completed) for step in begun.checklist.steps},
        },
    )
    return begun


def update_step(unit: UnitOfWork, catalog: Catalog, customer_id: str, update: StepUpdate, etag: str) -> Progress:
    """Completes a step or takes its completion back; the readiness gate is that of the connectors as they stand now.

    Raises ``ChecklistNotFound``, ``EtagMismatch``, ``InvalidInput``, ``PersonRequired``, ``ApprovalRequired`` and
    ``StepBlocked``.
    """
    before = get_checklist(unit.tx, customer_id)
    check_etag(etag, before.etag)
    readiness = summary_of(unit.tx, catalog, customer_id).readiness
    after = progress.update_step(catalog, before, update, at=unit.now, readiness=readiness)
    if after is before:
        unit.record(
            "checklist.step_unchanged",
            _checklist_subject(customer_id),
            attributes={**_checklist_attributes(before), "step_id": update.step_id},
        )
        return before
    store.save_progress(unit.tx, before, after)
    unit.record(
        "checklist.step_completed" if update.completed else "checklist.step_unticked",
        _checklist_subject(customer_id),
        fields=sorted({"steps", "current_step_id", *_changed_bundle(before.checklist, after.checklist)}),
        attributes={**_checklist_attributes(after), "step_id": update.step_id, **_changed_steps(before, after)},
    )
    return after


def get_checklist(tx: Tx, customer_id: str) -> Progress:
    """The customer's checklist. Raises ``ChecklistNotFound``."""
    found = store.get_progress(tx, customer_id)
    if found is None:
        raise ChecklistNotFound("the customer has no checklist", customer_id=customer_id)
    return found


def check_acceptance(
    tx: Tx, catalog: Catalog, customer_id: str, proof_pack: ProofPack, cadence_active: bool
) -> Acceptance:
    """The four criteria, with checklist and connectors as they stand. Raises ``ChecklistNotFound``."""
    return acceptance(
        catalog,
        get_checklist(tx, customer_id).checklist,
        ready_for_first_service=summary_of(tx, catalog, customer_id).readiness,
        proof_pack=proof_pack,
        cadence_active=cadence_active,
    )


def update_connector(
    unit: UnitOfWork, catalog: Catalog, customer_id: str, connector_key: str, update: Update, etag: str
) -> tuple[Connection, tuple[ConnectorState, ...], Summary]:
    """Moves a connector and records what came with it: the connector, the states it went through, all in summary.

    Raises ``InvalidInput``, ``EtagMismatch``, ``PersonRequired``, ``ConnectorTransitionRefused``,
    ``OptInAuditRequired`` and ``ApprovalRequired``.
    """
    found = store.get_connection(unit.tx, customer_id, connector_key)
    before = found if found is not None else Connection(customer_id, connector_key)
    connector = connections.check_update(catalog, before, update, at=unit.now)
    check_etag(etag, before.etag)
    after, steps = connections.apply_update(connector, before, update, at=unit.now)
    subject = f"connector/{customer_id}/{connector_key}"
    if after is before:
        unit.record("connector.unchanged", subject, attributes=_connector_attributes(before))
    else:
        store.save_connection(unit.tx, before, after)
        for number, step in enumerate(steps[:-1], start=1):
            unit.record(
                "connector.state_changed",
                subject,
                fields=("state",),
                attributes={
                    "from": step.before.value,
                    "state": step.after.value,
                    "revision": str(before.revision + number),
                },
            )
        unit.record(
            "connector.state_changed" if steps else "connector.settings_recorded",
            subject,
            fields=_changed_fields(before, after),
            attributes={
                **({"from": steps[-1].before.value} if steps else {}),
                **_connector_attributes(after),
            },
        )
    return after, tuple(step.after for step in steps), summary_of(unit.tx, catalog, customer_id)


def connectors_of(tx: Tx, catalog: Catalog, customer_id: str) -> list[Connection]:
    """Every connector of the catalogue as it stands for the customer, in the order of the catalogue."""
    stored = store.connections_of(tx, customer_id)
    return [stored.get(c.key) or Connection(customer_id, c.key) for c in catalog.connectors]


def summary_of(tx: Tx, catalog: Catalog, customer_id: str) -> Summary:
    """The summary of the customer's connectors as they stand."""
    return summarize(catalog, {c.connector_key: c.state for c in connectors_of(tx, catalog, customer_id)})


def check_proof_pack(proof_pack: ProofPack, now: datetime) -> None:
    """Raises ``InvalidInput`` for an approval from the future or with a credential in its note."""
    checks = Checks()
    check_approval(checks, proof_pack.approval, now, "proof_pack_approval")
    checks.done()


def _checklist_subject(customer_id: str) -> str:
    return f"checklist/{customer_id}"


def _checklist_attributes(found: Progress) -> dict[str, str]:
    """What the ledger tells of a checklist after every write; ``step.*`` and ``approver.*`` follow when they change."""
    return {
        "bundle_id": found.checklist.bundle_id or "",
        "current_step_id": found.checklist.current_step_id,
        "revision": str(found.revision),
    }


def _changed_steps(before: Progress, after: Progress) -> dict[str, str]:
    changed: dict[str, str] = {}
    for old, new in zip(before.checklist.steps, after.checklist.steps, strict=True):
        if old == new:
            continue
        changed[f"step.{new.step_id}"] = _step_state(new.completed)
        if old.approval is not None or new.approval is not None:
            changed[f"approver.{new.step_id}"] = new.approval.approved_by if new.approval else ""
    return changed


def _changed_bundle(before: Checklist, after: Checklist) -> list[str]:
    return ["bundle_id"] if before.bundle_id != after.bundle_id else []


def _step_state(completed: bool) -> str:
    return "completed" if completed else "open"


def _connector_attributes(found: Connection) -> dict[str, str]:
    """What the ledger tells of a connector after every write; folded, it gives each connector's present state."""
    audit, check = found.opt_in_audit, found.setup_check
    return {
        "state": found.state.value,
        "revision": str(found.revision),
        "approver": found.approval.approved_by if found.approval else "",
        "opted_in_numbers": str(audit.opted_in_numbers) if audit else "",
        "test_succeeded": str(check.test_succeeded).lower() if check else "",
        "no_secret_in_logs": str(check.no_secret_in_logs).lower() if check else "",
    }


def _changed_fields(before: Connection, after: Connection) -> list[str]:
    names = ("state", "approval", "opt_in_audit", "settings", "setup_check")
    return [name for name in names if getattr(before, name) != getattr(after, name)]
