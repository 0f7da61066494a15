"""The success service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from functools import partial

from dealix.success.v1 import approval_service_pb2, ledger_service_pb2, success_service_pb2

from services.approvals.servicer import ApprovalRules
from services.runtime.service import Built, ServiceDefinition
from services.success import plan_handlers
from services.success.activity_handlers import RISK_TIMER
from services.success.domain.catalog import load_catalog
from services.success.servicer import SuccessServicer
from services.success.store import SCHEMA


def build() -> Built:
    """Loads scores, plans and wording, and returns what serves them. Raises where a data file is faulty."""
    catalog = load_catalog()
    return Built(
        servicers=[SuccessServicer(catalog)],
        timers={
            plan_handlers.PLAN_TIMER: partial(plan_handlers.fire_plan, catalog=catalog),
            RISK_TIMER: partial(plan_handlers.fire_risk, catalog=catalog),
        },
        approvals=ApprovalRules(before_approval=partial(plan_handlers.require_usable, catalog=catalog)),
    )


DEFINITION = ServiceDefinition(
    name="success",
    modules=(success_service_pb2,),
    ledger_module=ledger_service_pb2,
    approval_module=approval_service_pb2,
    schema=SCHEMA,
    build=build,
)
