"""The four ledgers, whose messages are alike and differ by package only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from dealix.common.v1.ledger_pb2 import LedgerAnchor
from dealix.incidents.v1 import ledger_service_pb2 as incidents
from dealix.onboarding.v1 import ledger_service_pb2 as onboarding
from dealix.success.v1 import ledger_service_pb2 as success
from dealix.support.v1 import ledger_service_pb2 as support

from customer_ops.client import SERVICES, Client

LIST_REQUESTS: Mapping[str, Any] = MappingProxyType(
    {
        "support": support.ListLedgerRequest,
        "incidents": incidents.ListLedgerRequest,
        "onboarding": onboarding.ListLedgerRequest,
        "success": success.ListLedgerRequest,
    }
)
VERIFY_REQUESTS: Mapping[str, Any] = MappingProxyType(
    {
        "support": support.VerifyLedgerRequest,
        "incidents": incidents.VerifyLedgerRequest,
        "onboarding": onboarding.VerifyLedgerRequest,
        "success": success.VerifyLedgerRequest,
    }
)
NO_ANCHORS: Mapping[str, LedgerAnchor] = MappingProxyType({})


def verify_ledgers(
    client: Client, services: Iterable[str] = SERVICES, anchors: Mapping[str, LedgerAnchor] = NO_ANCHORS
) -> dict[str, Any]:
    """The answer of each service's VerifyLedger; ``anchors`` are ends of ledgers that were noted earlier."""
    return {
        name: client.call(client.ledgers[name].VerifyLedger, VERIFY_REQUESTS[name](anchor=anchors.get(name)))
        for name in services
    }
