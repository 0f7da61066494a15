"""The words of the drafts that support makes by itself, read from data: titles for approvers, and escalations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from services.domain.dates import named_moment
from services.domain.texts import Bilingual, TextsFile
from services.support.domain.clocks import ClockKind
from services.support.domain.policy import TEXTS_DIR, EscalationOwner
from services.support.domain.priorities import Priority

_TITLE = frozenset({"priority"})
_ESCALATION_TITLES = {
    "approaching": frozenset({"role", "percent", "clock", "priority"}),
    "due": frozenset({"role", "clock", "priority"}),
    "overdue": frozenset({"role", "percent", "clock", "priority"}),
}
_ESCALATION_BODIES = {
    "approaching": frozenset({"role", "percent", "clock", "priority", "due"}),
    "due": frozenset({"role", "clock", "priority", "due"}),
    "overdue": frozenset({"role", "percent", "clock", "priority", "due"}),
}


class Crossing(StrEnum):
    """Where a step of the escalation ladder lies: before the target, at it, or beyond it."""

    APPROACHING = "approaching"
    DUE = "due"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Notice:
    """The title and the text of a draft."""

    title: Bilingual
    body: Bilingual


@dataclass(frozen=True, slots=True)
class DraftTexts:
    """The wording of drafts. ``escalations`` are templates, see `escalation`."""

    first_response_title: Bilingual
    reply_title: Bilingual
    escalations: Mapping[Crossing, Notice]
    clocks: Mapping[ClockKind, Bilingual]
    roles: Mapping[EscalationOwner, Bilingual]

    def first_response(self, priority: Priority) -> Bilingual:
        """The title of a first response for its approver."""
        return self.first_response_title.format(priority=priority.value)

    def reply(self, priority: Priority) -> Bilingual:
        """The title of a reply for its approver."""
        return self.reply_title.format(priority=priority.value)

    def escalation(
        self, kind: ClockKind, priority: Priority, percent: int, role: EscalationOwner, due_at: datetime
    ) -> Notice:
        """What the role is told when ``percent`` of a target has passed; the target is, or was, due at ``due_at``."""
        crossing = Crossing.APPROACHING if percent < 100 else Crossing.DUE if percent == 100 else Crossing.OVERDUE
        found = self.escalations[crossing]
        values: dict[str, str | Bilingual] = {
            "role": self.roles[role],
            "percent": str(percent),
            "clock": self.clocks[kind],
            "priority": priority.value,
            "due": named_moment(due_at),
        }
        return Notice(found.title.format(**values), found.body.format(**values))


def load_draft_texts(path: Path | None = None) -> DraftTexts:
    """Read ``drafts.toml``. Raises ``TextsError`` with every fault."""
    file = TextsFile(path if path is not None else TEXTS_DIR / "drafts.toml")
    escalations = {}
    for crossing, row in file.table("escalation").each(Crossing).items():
        body = row.bilingual("body", _ESCALATION_BODIES[crossing])
        escalations[crossing] = Notice(
            row.bilingual("title", _ESCALATION_TITLES[crossing]), Bilingual(body.ar.strip(), body.en.strip())
        )
    texts = DraftTexts(
        first_response_title=file.table("first_response").bilingual("title", _TITLE),
        reply_title=file.table("reply").bilingual("title", _TITLE),
        escalations=MappingProxyType(escalations),
        clocks=MappingProxyType({k: r.bilingual("name") for k, r in file.table("clock").each(ClockKind).items()}),
        roles=MappingProxyType({k: r.bilingual("name") for k, r in file.table("role").each(EscalationOwner).items()}),
    )
    file.finish()
    return texts
