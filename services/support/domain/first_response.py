"""First-response drafts: the words a person may approve and send for each priority. Nothing here sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from services.domain.texts import Bilingual, TextsFile
from services.support.domain.policy import TEXTS_DIR, Policies
from services.support.domain.priorities import Priority

# Ticket ids stay out of anything that may reach a public channel.
_TICKET_ID = re.compile(r"tkt[_-]|\bticket\s*(?:id|no|number|#)|رقم التذكرة|#\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FirstResponseDraft:
    """The draft for one priority. ``promise`` is the time named in the body, in words."""

    priority: Priority
    promise: Bilingual
    body: Bilingual


def load_first_responses(policies: Policies, path: Path | None = None) -> Mapping[Priority, FirstResponseDraft]:
    """The draft of every priority, P0 first (default: the texts that ship with the service).

    Raises ``TextsError`` with every fault: a draft that lacks a language or does not name its promise, a promise that
    is not the policy's first-response target, a placeholder, a mention of a ticket's id.
    """
    file = TextsFile(path if path is not None else TEXTS_DIR / "first_response.toml")
    drafts = {}
    for priority, row in file.each(Priority).items():
        promise, body = row.bilingual("promise"), row.bilingual("body")
        if row.integer("promise_minutes", 1) != policies[priority].first_response_minutes:
            row.problem("promise_minutes", "is not the first-response target of the policy")
        for language, named, text in (("ar", promise.ar, body.ar), ("en", promise.en, body.en)):
            if named not in text:
                row.problem(f"body_{language}", "does not name its promise")
            if _TICKET_ID.search(text):
                row.problem(f"body_{language}", "mentions a ticket id")
        drafts[priority] = FirstResponseDraft(priority, promise, Bilingual(body.ar.strip(), body.en.strip()))
    file.finish()
    return MappingProxyType(drafts)
