"""The incidents service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from dealix.incidents.v1 import approval_service_pb2, incident_service_pb2, ledger_service_pb2

from services.incidents.domain.severity import load_catalog
from services.incidents.servicer import IncidentServicer
from services.incidents.store import SCHEMA
from services.runtime.service import Built, ServiceDefinition


def build() -> Built:
    """Loads severities, plans and wording, and returns the servicers. Raises where a data file is faulty."""
    return Built(servicers=[IncidentServicer(load_catalog())])


DEFINITION = ServiceDefinition(
    name="incidents",
    modules=(incident_service_pb2,),
    ledger_module=ledger_service_pb2,
    approval_module=approval_service_pb2,
    schema=SCHEMA,
    build=build,
)
