"""First-response drafts: the words a person may approve and send for each priority. Nothing here sends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from services.domain.checks import Checks
from services.domain.texts import Bilingual, TextsFile
from services.support.domain.policy import TEXTS_DIR, Policies
from services.support.domain.priorities import Priority
from services.support.domain.promises import NamedTime, promise_fault, promised_times

# Ticket ids stay out of anything that may reach a public channel.
_TICKET_ID = re.compile(r"tkt[_-]|\bticket\s*(?:id|no|number|#)|رقم التذكرة|#\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FirstResponseDraft:
    """The draft for one priority. ``promised_minutes`` is the time within which it promises an answer."""

    priority: Priority
    promised_minutes: int
    body: Bilingual

    def check_promise(self, body: Bilingual) -> None:
        """Whether another text promises an answer no later than this draft does, and the same in both languages.

        Of several times the soonest counts: what follows the answer may take longer. To promise none is a person's choice.
        Raises ``InvalidInput`` (``PROMISE``) that says of each text what it promises and what would be right.
        """
        checks = Checks()
        soonest = {name: min(promised_times(text, name), default=None) for name, text in _edited(body)}
        target = NamedTime(self.promised_minutes, True)
        for name, promised in soonest.items():
            if promised is not None and promised > target:
                said = f"must promise an answer within {target} at the latest, but promises {promised}"
                checks.note(name, "PROMISE", f"{said}; this is the first response to a {self.priority} ticket")
        checks.done()
        arabic, english = soonest.values()
        if arabic is not None and english is not None and arabic.minutes != english.minutes:
            checks.note("edited.body_en", "PROMISE", f"must promise what the Arabic does: {arabic}, not {english}")
        checks.done()


def _edited(body: Bilingual) -> Iterator[tuple[str, str]]:
    yield "edited.body_ar", body.ar
    yield "edited.body_en", body.en


def load_first_responses(policies: Policies, path: Path | None = None) -> Mapping[Priority, FirstResponseDraft]:
    """The draft of every priority, P0 first (default: the texts that ship with the service).

    Raises ``TextsError`` with every fault: a draft that lacks a language or does not promise the policy's first-response
    target, a placeholder, a mention of a ticket's id.
    """
    file = TextsFile(path if path is not None else TEXTS_DIR / "first_response.toml")
    drafts = {}
    for priority, row in file.each(Priority).items():
        body, minutes = row.bilingual("body"), policies[priority].first_response_minutes
        for key, text in (("body_ar", body.ar), ("body_en", body.en)):
            fault = promise_fault(text, minutes)
            if fault:
                row.problem(key, fault)
            if _TICKET_ID.search(text):
                row.problem(key, "mentions a ticket id")
        drafts[priority] = FirstResponseDraft(priority, minutes, Bilingual(body.ar.strip(), body.en.strip()))
    file.finish()
    return MappingProxyType(drafts)
