"""What shows that something is so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.actors import ActorLike


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who did what when, and where it is kept. ``actor`` and ``at`` are None where nobody said."""

    subject: str
    actor: ActorLike | None = None
    at: datetime | None = None
    reference: str = ""
