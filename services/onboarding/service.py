"""The onboarding service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from dealix.onboarding.v1 import approval_service_pb2, connector_service_pb2, ledger_service_pb2, onboarding_service_pb2

from services.approvals.servicer import ApprovalRules
from services.domain.drafts import DraftKind
from services.onboarding.domain.catalog import load_catalog
from services.onboarding.servicer import ConnectorServicer, OnboardingServicer
from services.onboarding.store import SCHEMA
from services.runtime.service import Built, ServiceDefinition


def build() -> Built:
    """Loads the catalogue and returns the servicers. Raises where a data file is faulty."""
    catalog = load_catalog()
    return Built(
        servicers=[OnboardingServicer(catalog), ConnectorServicer(catalog)],
        # Their approvals are used by completing the step and by moving the connector, never by a sending.
        approvals=ApprovalRules(own_use=frozenset({DraftKind.ONBOARDING_STEP, DraftKind.CONNECTOR_APPROVAL})),
    )


DEFINITION = ServiceDefinition(
    name="onboarding",
    modules=(onboarding_service_pb2, connector_service_pb2),
    ledger_module=ledger_service_pb2,
    approval_module=approval_service_pb2,
    schema=SCHEMA,
    build=build,
)
