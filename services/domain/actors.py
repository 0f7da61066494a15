"""Who acts, as far as the rules of any domain ask."""

from __future__ import annotations

from typing import Protocol


class ActorLike(Protocol):
    """Whichever layer's type names the actor: ``kind`` is ``person`` or ``service``, ``role`` an id or empty."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def role(self) -> str: ...
