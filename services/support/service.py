"""The support service as a definition: what it serves, where it keeps it, what it knows."""

from __future__ import annotations

from dealix.support.v1 import approval_service_pb2, ledger_service_pb2, sla_service_pb2, support_service_pb2

from services.approvals.servicer import ApprovalRules
from services.domain.claims import shipped_checker
from services.domain.drafts import DraftKind
from services.runtime.service import Built, ServiceDefinition
from services.support.domain.classifier import Classifier
from services.support.domain.draft_texts import load_draft_texts
from services.support.domain.first_response import load_first_responses
from services.support.domain.lexicon import load_linted
from services.support.domain.policy import load_policy_book
from services.support.domain.sla import load_health_texts
from services.support.domain.thanks import load_thanks
from services.support.handlers import Rules, check_approval
from services.support.schedule import TIMER_KIND, fire_sla
from services.support.servicer import Knowledge, SlaServicer, SupportServicer
from services.support.store import SCHEMA


def build() -> Built:
    """Loads lexicon, policies and texts, and returns what answers. Raises where a data file is faulty."""
    book = load_policy_book()
    rules = Rules(
        book=book,
        first_responses=load_first_responses(book.versions[-1].policies),
        texts=load_draft_texts(),
        thanks=load_thanks(),
    )
    claims = shipped_checker()
    knowledge = Knowledge(classifier=Classifier(load_linted()), rules=rules, health_texts=load_health_texts())
    return Built(
        servicers=[SupportServicer(knowledge), SlaServicer(knowledge)],
        timers={TIMER_KIND: lambda unit, timer: fire_sla(unit, timer, book, rules.texts)},
        approvals=ApprovalRules(
            before_approval=lambda unit, draft, _: check_approval(unit, draft, claims, rules),
            # A sending stops a clock of the ticket, so these have methods of their own.
            own_use=frozenset({DraftKind.FIRST_RESPONSE, DraftKind.REPLY}),
        ),
    )


DEFINITION = ServiceDefinition(
    name="support",
    modules=(support_service_pb2, sla_service_pb2),
    ledger_module=ledger_service_pb2,
    approval_module=approval_service_pb2,
    schema=SCHEMA,
    build=build,
)
