"""A person's record that something was sent, outside this system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.actors import ActorLike
from services.domain.channels import Channel


@dataclass(frozen=True, slots=True)
class SentRecord:
    """When (UTC), on which channel, by whom, and where it can be found."""

    sent_at: datetime
    channel: Channel
    sender: ActorLike
    reference: str
