"""The success service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from dealix.success.v1 import approval_service_pb2, ledger_service_pb2, success_service_pb2

from services.runtime.service import Built, ServiceDefinition
from services.success.domain.catalog import load_catalog
from services.success.servicer import SuccessServicer
from services.success.store import SCHEMA


def build() -> Built:
    """Loads scores, plans and wording, and returns the servicers. Raises where a data file is faulty."""
    return Built(servicers=[SuccessServicer(load_catalog())])


DEFINITION = ServiceDefinition(
    name="success",
    modules=(success_service_pb2,),
    ledger_module=ledger_service_pb2,
    approval_module=approval_service_pb2,
    schema=SCHEMA,
    build=build,
)
