"""Which service answers which methods: the stubs of the four services and of the gateway itself."""

from __future__ import annotations

from types import MappingProxyType

from dealix.gateway.v1 import gateway_service_pb2
from dealix.incidents.v1 import approval_service_pb2 as incidents_approval_pb2
from dealix.incidents.v1 import incident_service_pb2
from dealix.incidents.v1 import ledger_service_pb2 as incidents_ledger_pb2
from dealix.onboarding.v1 import approval_service_pb2 as onboarding_approval_pb2
from dealix.onboarding.v1 import connector_service_pb2, onboarding_service_pb2
from dealix.onboarding.v1 import ledger_service_pb2 as onboarding_ledger_pb2
from dealix.success.v1 import approval_service_pb2 as success_approval_pb2
from dealix.success.v1 import ledger_service_pb2 as success_ledger_pb2
from dealix.success.v1 import success_service_pb2
from dealix.support.v1 import approval_service_pb2 as support_approval_pb2
from dealix.support.v1 import ledger_service_pb2 as support_ledger_pb2
from dealix.support.v1 import sla_service_pb2, support_service_pb2

FORWARDED = MappingProxyType(
    {
        "support": (support_service_pb2, sla_service_pb2, support_ledger_pb2, support_approval_pb2),
        "incidents": (incident_service_pb2, incidents_ledger_pb2, incidents_approval_pb2),
        "onboarding": (onboarding_service_pb2, connector_service_pb2, onboarding_ledger_pb2, onboarding_approval_pb2),
        "success": (success_service_pb2, success_ledger_pb2, success_approval_pb2),
    }
)
OWN = (gateway_service_pb2,)
