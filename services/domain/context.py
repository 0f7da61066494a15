"""What a service is told of the others before it decides: freezes and open incidents, as incidents knows them, and the first
Proof Pack, as onboarding does.

Services do not ask each other; the gateway brings this along.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from services.domain.channels import Channel
from services.domain.errors import PreconditionFailed


class ChannelFrozen(PreconditionFailed):
    """A freeze holds the channel. Metadata: ``channel``, ``freeze_ids`` (by a space), ``draft_id`` where there is one."""

    reason: ClassVar[str] = "CHANNEL_FROZEN"


@dataclass(frozen=True, slots=True)
class ChannelFreeze:
    """An active freeze. ``channel`` None: every channel; ``customer_id`` empty: every customer."""

    freeze_id: str
    channel: Channel | None
    customer_id: str
    incident_id: str = ""


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that is not resolved, and no drill. ``severity``: ``SEV1``, ``SEV2`` or ``SEV3``.

    ``customer_ids``: whom it concerns, where the context is of all customers; empty for everybody.
    """

    incident_id: str
    severity: str
    customer_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FirstProofPack:
    """What onboarding has on record of a customer's first Proof Pack. ``delivered_at``, UTC, is None while there is none."""

    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Active freezes and open incidents that concern one customer, or all; empty where nobody was asked.

    ``incidents_known`` false: it was asked for and nobody could tell; what is listed is not all. ``all_customers``: the
    incidents are those of all, each with its customers. ``first_proof_pack`` is None where nobody was asked.
    """

    freezes: tuple[ChannelFreeze, ...] = ()
    incidents: tuple[OpenIncident, ...] = ()
    incidents_known: bool = True
    all_customers: bool = False
    first_proof_pack: FirstProofPack | None = None

    def open_for(self, customer_id: str) -> tuple[OpenIncident, ...]:
        """The open incidents that concern a customer."""
        return tuple(found for found in self.incidents if not found.customer_ids or customer_id in found.customer_ids)

    def frozen(self, channel: Channel, customer_id: str) -> tuple[ChannelFreeze, ...]:
        """The freezes that hold a channel of a customer.

        Where the channel is not known yet, any freeze of the customer counts: the text may go out on a frozen one. What
        concerns no customer in particular is held by every freeze of its channel. What stays inside Dealix is never held.
        """
        if channel is Channel.INTERNAL:
            return ()
        return tuple(
            freeze
            for freeze in self.freezes
            if (freeze.channel is None or freeze.channel is channel or channel is Channel.UNSPECIFIED)
            and (not freeze.customer_id or not customer_id or freeze.customer_id == customer_id)
        )

    def require_unfrozen(self, channel: Channel, customer_id: str, **metadata: str) -> None:
        """Raises ``ChannelFrozen`` while a freeze holds the channel of the customer."""
        held = self.frozen(channel, customer_id)
        if held:
            raise ChannelFrozen(
                f"the channel {channel} is frozen; a founder releases it",
                [("FREEZE", f"freeze/{freeze.freeze_id}", freeze.incident_id) for freeze in held],
                channel=channel.value,
                freeze_ids=" ".join(freeze.freeze_id for freeze in held[:5]),
                **metadata,
            )


NOTHING_KNOWN = Context()
