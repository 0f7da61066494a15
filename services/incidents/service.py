"""The incidents service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from dealix.incidents.v1 import approval_service_pb2, freeze_service_pb2, incident_service_pb2, ledger_service_pb2

from services.approvals.servicer import ApprovalRules
from services.incidents import freezes
from services.incidents.domain.freezes import load_thresholds
from services.incidents.domain.severity import load_catalog
from services.incidents.servicer import IncidentServicer
from services.incidents.servicer_freezes import FreezeServicer
from services.incidents.store import SCHEMA
from services.runtime.service import Built, ServiceDefinition


def build() -> Built:
    """Loads severities, plans and wording, and returns the servicers. Raises where a data file is faulty."""
    return Built(
        servicers=[IncidentServicer(load_catalog()), FreezeServicer(load_thresholds())],
        # The freezes are kept here: nobody has to bring them along.
        approvals=ApprovalRules(context=lambda tx, draft, brought: freezes.own_context(tx, draft.customer_id, brought)),
    )


DEFINITION = ServiceDefinition(
    name="incidents",
    modules=(incident_service_pb2, freeze_service_pb2),
    ledger_module=ledger_service_pb2,
    approval_module=approval_service_pb2,
    schema=SCHEMA,
    build=build,
)
