"""The onboarding service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from collections.abc import Sequence

from dealix.onboarding.v1 import connector_service_pb2, ledger_service_pb2, onboarding_service_pb2

from services.onboarding.domain.catalog import load_catalog
from services.onboarding.servicer import ConnectorServicer, OnboardingServicer
from services.onboarding.store import SCHEMA
from services.runtime.service import ServiceDefinition


def build() -> Sequence[object]:
    """Loads the catalogue and returns the servicers. Raises where a data file is faulty."""
    catalog = load_catalog()
    return [OnboardingServicer(catalog), ConnectorServicer(catalog)]


DEFINITION = ServiceDefinition(
    name="onboarding",
    modules=(onboarding_service_pb2, connector_service_pb2),
    ledger_module=ledger_service_pb2,
    schema=SCHEMA,
    build=build,
)
