"""The incidents service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from dealix.incidents.v1 import (
    action_item_service_pb2,
    approval_service_pb2,
    communication_service_pb2,
    freeze_service_pb2,
    incident_service_pb2,
    ledger_service_pb2,
    notice_service_pb2,
    obligation_service_pb2,
    post_mortem_service_pb2,
)

from services.approvals.servicer import ApprovalRules
from services.domain.claims import shipped_checker
from services.incidents import action_items, case, communications, freezes, obligations, post_mortems
from services.incidents.domain import communications as communication_texts
from services.incidents.domain import notice, post_mortem
from services.incidents.domain.book import load_book
from services.incidents.domain.freezes import load_thresholds
from services.incidents.domain.parity import load_parity
from services.incidents.servicer import IncidentServicer
from services.incidents.servicer_communications import CommunicationServicer
from services.incidents.servicer_freezes import FreezeServicer
from services.incidents.servicer_notices import NoticeServicer
from services.incidents.servicer_obligations import ActionItemServicer, ObligationServicer
from services.incidents.servicer_post_mortems import PostMortemServicer
from services.incidents.store import SCHEMA
from services.runtime.service import Built, ServiceDefinition


def build() -> Built:
    """Loads severities, plans and wording, and returns the servicers. Raises where a data file is faulty."""
    book = load_book()
    claims = shipped_checker()
    told = communications.Kit(book, communication_texts.load_texts(), load_parity(), claims)
    return Built(
        servicers=[
            IncidentServicer(book),
            ObligationServicer(book),
            ActionItemServicer(book),
            FreezeServicer(book, load_thresholds()),
            PostMortemServicer(post_mortems.Kit(book, post_mortem.load_wording(), claims)),
            NoticeServicer(book, notice.load_wording()),
            CommunicationServicer(told),
        ],
        timers={
            case.TIMER_KIND: lambda unit, timer: obligations.fire(unit, timer, book),
            action_items.TIMER_KIND: lambda unit, timer: action_items.fire(unit, timer, book),
        },
        approvals=ApprovalRules(
            # The freezes are kept here: nobody has to bring them along.
            context=lambda tx, draft, brought: freezes.own_context(tx, draft.customer_id, brought),
            before_approval=lambda _, draft, __: communications.check_approval(draft, told),
        ),
    )


DEFINITION = ServiceDefinition(
    name="incidents",
    modules=(
        incident_service_pb2,
        obligation_service_pb2,
        action_item_service_pb2,
        freeze_service_pb2,
        post_mortem_service_pb2,
        notice_service_pb2,
        communication_service_pb2,
    ),
    ledger_module=ledger_service_pb2,
    approval_module=approval_service_pb2,
    schema=SCHEMA,
    build=build,
)
