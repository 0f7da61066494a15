"""The service-level policy: what each priority promises and who owns its escalation, read from data at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from services.domain.errors import InvalidInput, Violation
from services.domain.texts import Bilingual, TextsFile
from services.support.domain.priorities import Priority, urgency

TEXTS_DIR = Path(__file__).resolve().parent.parent / "texts"


class EscalationOwner(StrEnum):
    FOUNDER = "founder"
    OPERATOR_ONCALL = "operator_oncall"
    OPERATOR_TEAM = "operator_team"


@dataclass(frozen=True, slots=True)
class SlaPolicy:
    """The promises of one priority. Reaching a target exactly keeps the promise."""

    priority: Priority
    first_response_minutes: int
    resolution_hours: int
    escalation_owner: EscalationOwner
    meaning: Bilingual


Policies = Mapping[Priority, SlaPolicy]


def load_policies(path: Path | None = None) -> Policies:
    """The policy of every priority, P0 first (default: the table that ships with the service).

    Raises ``TextsError`` with every fault of the file, one served sooner than a more urgent one included.
    """
    file = TextsFile(path if path is not None else TEXTS_DIR / "sla_policy.toml")
    policies = {
        priority: SlaPolicy(
            priority=priority,
            first_response_minutes=row.integer("first_response_minutes", 1),
            resolution_hours=row.integer("resolution_hours", 1),
            escalation_owner=row.member("escalation_owner", EscalationOwner),
            meaning=row.bilingual("meaning"),
        )
        for priority, row in file.each(Priority).items()
    }
    ordered = sorted(policies.values(), key=lambda p: urgency(p.priority))
    for policy, milder in pairwise(ordered):
        if policy.first_response_minutes > milder.first_response_minutes:
            file.problem(milder.priority, f"answers sooner than {policy.priority}")
        if policy.resolution_hours > milder.resolution_hours:
            file.problem(milder.priority, f"resolves sooner than {policy.priority}")
    file.finish()
    return MappingProxyType({policy.priority: policy for policy in ordered})


def parse_priority(value: str, field: str = "priority") -> Priority:
    """The priority with this id. Raises ``InvalidInput`` (``UNKNOWN_VALUE``); nothing unknown becomes a default."""
    try:
        return Priority(value)
    except ValueError:
        known = ", ".join(Priority)
        raise InvalidInput([Violation(field, "UNKNOWN_VALUE", f"must be one of: {known}")]) from None
