"""The support service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from dealix.support.v1 import approval_service_pb2, ledger_service_pb2, sla_service_pb2, support_service_pb2

from services.runtime.service import Built, ServiceDefinition
from services.support.domain.classifier import Classifier
from services.support.domain.first_response import load_first_responses
from services.support.domain.lexicon import load_linted
from services.support.domain.policy import load_policies
from services.support.domain.sla import load_health_texts
from services.support.servicer import Knowledge, SlaServicer, SupportServicer
from services.support.store import SCHEMA


def build() -> Built:
    """Loads lexicon, policy and texts, and returns the servicers. Raises where a data file is faulty."""
    policies = load_policies()
    knowledge = Knowledge(
        classifier=Classifier(load_linted()),
        policies=policies,
        first_responses=dict(load_first_responses(policies)),
        health_texts=load_health_texts(),
    )
    return Built(servicers=[SupportServicer(knowledge), SlaServicer(knowledge)])


DEFINITION = ServiceDefinition(
    name="support",
    modules=(support_service_pb2, sla_service_pb2),
    ledger_module=ledger_service_pb2,
    approval_module=approval_service_pb2,
    schema=SCHEMA,
    build=build,
)
