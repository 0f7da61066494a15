"""First-response drafts: the words a person may approve and send for each priority. Nothing here sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from services.domain.checks import Checks
from services.domain.texts import Bilingual, TextsFile
from services.support.domain.policy import TEXTS_DIR, Policies
from services.support.domain.priorities import Priority
from services.support.domain.promises import promise_fault

# Ticket ids stay out of anything that may reach a public channel.
_TICKET_ID = re.compile(r"tkt[_-]|\bticket\s*(?:id|no|number|#)|رقم التذكرة|#\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FirstResponseDraft:
    """The draft for one priority. ``promised_minutes`` is the time within which it promises an answer."""

    priority: Priority
    promised_minutes: int
    body: Bilingual

    def check_promise(self, body: Bilingual) -> None:
        """Whether another text promises what this draft does, in both languages.

        Raises ``InvalidInput`` (``PROMISE``) that says of each text what it promises and what would be right.
        """
        checks = Checks()
        for name, text in (("edited.body_ar", body.ar), ("edited.body_en", body.en)):
            fault = promise_fault(text, self.promised_minutes, name)
            if fault:
                checks.note(name, "PROMISE", f"{fault}; this is the first response to a {self.priority} ticket")
        checks.done()


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
