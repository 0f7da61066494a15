"""The unit of work: what a handler's function gets to do its one transaction with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from services.storage.ledger import LedgerEntry
from services.storage.transaction import Actor, Tx

_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class UnitOfWork:
    """One transaction with its time, its actor and its ledger.

    ``tx`` runs statements, ``now`` is one point in time (UTC, whole microseconds) for all that happens in here,
    ``actor`` is who asked, ``request_id`` is theirs (empty for the service's own workers).
    """

    __slots__ = ("actor", "new_id", "now", "request_id", "tx")

    tx: Tx
    now: datetime
    actor: Actor
    request_id: str
    new_id: Callable[[str], str]
    """``new_id("tkt")`` gives ``tkt_`` and 26 lower-case base32 characters: an id that cannot be guessed."""

    def record(
        self,
        action: str,
        subject: str,
        *,
        fields: Sequence[str] = (),
        attributes: Mapping[str, str] = _NO_ATTRIBUTES,
    ) -> LedgerEntry:
        """Append to the ledger that ``actor`` did ``action`` to ``subject``.

        ``fields`` are the names of what changed; ``attributes`` hold ids, states and revision numbers that let the
        state be told from the ledger, never text of a person: values are visible ASCII without spaces, ``@`` and
        ``\\``, at most 200 characters, or the write fails with ``WorkFault``. ``subject`` too is an id.
        """
        raise NotImplementedError
