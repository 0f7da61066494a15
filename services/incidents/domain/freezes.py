"""Freezes of channels: what latches one, what releases it, and which numbers suggest one (specification §2).

A freeze holds one channel or all, for one customer or all. Each is latched by itself: what two freezes hold stays frozen
until both are released, because each has a reason of its own that a founder has to find settled. Freezing the same scope
again for the same incident (or, without one, for the same reason) adds nothing: there is one reason, so one freeze.

Anybody, software too, may freeze: it is the safe direction. Only a person with the founder role releases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.channels import Channel
from services.domain.checks import Checks
from services.domain.context import ChannelFreeze
from services.domain.errors import NotFound, NotPermitted, PersonRequired, PreconditionFailed
from services.domain.plural import Counted, read_counted
from services.domain.texts import Bilingual, TextsFile
from services.incidents.domain.severity import TEXTS

FOUNDER = "founder"


class FreezeNotFound(NotFound):
    """No freeze has this id. Metadata: ``freeze_id``."""

    reason: ClassVar[str] = "FREEZE_NOT_FOUND"


class FreezeReleased(PreconditionFailed):
    """The freeze was released before. Metadata: ``freeze_id``, ``release_time``."""

    reason: ClassVar[str] = "FREEZE_RELEASED"


class FounderRequired(NotPermitted):
    """Only a person with the founder role may do this. Metadata: ``action``, ``role``."""

    reason: ClassVar[str] = "FOUNDER_REQUIRED"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a freeze holds. ``channel`` None: every channel; ``customer_id`` empty: every customer."""

    channel: Channel | None
    customer_id: str


@dataclass(frozen=True, slots=True)
class Release:
    """Who released a freeze, when (UTC) and why."""

    actor: ActorLike
    released_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """A latched freeze. ``incident_id`` is empty where none led to it; ``release`` is None while it holds."""

    freeze_id: str
    scope: Scope
    incident_id: str
    reason: str
    actor: ActorLike
    frozen_at: datetime
    release: Release | None = None

    @property
    def active(self) -> bool:
        """Whether it still holds."""
        return self.release is None

    @property
    def as_context(self) -> ChannelFreeze:
        """What other services are told of it."""
        return ChannelFreeze(self.freeze_id, self.scope.channel, self.scope.customer_id, self.incident_id)


def check_request(channel: Channel, all_channels: bool, customer_id: str, all_customers: bool, reason: str) -> Scope:
    """The scope that is asked for. Nothing left out means "all": that is said.

    ``InvalidInput`` names each of: a channel or a customer that is neither named nor said to be all of them, or both; the
    channel that stays inside Dealix, which nothing freezes; a blank reason.
    """
    checks = Checks()
    if all_channels == (channel is not Channel.UNSPECIFIED):
        checks.note("channel", "SCOPE_UNCLEAR", "name a channel or set all_channels, one of the two")
    if channel is Channel.INTERNAL:
        checks.note("channel", "NOT_FREEZABLE", "what stays inside Dealix is never frozen")
    if all_customers == bool(customer_id):
        checks.note("customer_id", "SCOPE_UNCLEAR", "name a customer or set all_customers, one of the two")
    checks.text("reason", reason)
    checks.done()
    return Scope(None if all_channels else channel, customer_id)


def freeze(
    freeze_id: str,
    scope: Scope,
    reason: str,
    incident_id: str,
    actor: ActorLike,
    now: datetime,
    active: tuple[Freeze, ...],
) -> tuple[Freeze, bool]:
    """The freeze that holds from now on, and whether it is a new one; ``active`` are those of the same scope and cause."""
    for held in active:
        same = held.incident_id == incident_id if incident_id else not held.incident_id and held.reason == reason
        if held.active and held.scope == scope and same:
            return held, False
    return Freeze(freeze_id, scope, incident_id, reason, actor, now), True


def release(held: Freeze, actor: ActorLike, reason: str, now: datetime) -> Freeze:
    """The released freeze.

    Raises ``PersonRequired``, ``FounderRequired``, ``InvalidInput`` (a blank reason) and ``FreezeReleased``, in this order.
    """
    if actor.kind != "person":
        raise PersonRequired("only a person releases a freeze", action="release_freeze")
    if actor.role != FOUNDER:
        raise FounderRequired("only a founder releases a freeze", action="release_freeze", role=actor.role)
    checks = Checks()
    checks.text("reason", reason)
    checks.done()
    if held.release is not None:
        raise FreezeReleased(
            "the freeze was released before",
            freeze_id=held.freeze_id,
            release_time=held.release.released_at.isoformat(timespec="seconds"),
        )
    return replace(held, release=Release(actor, now, reason))


# --- what suggests a freeze -------------------------------------------------------------------------------------------


class Metric(StrEnum):
    """What is counted of the messages sent on a channel."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Threshold:
    """More than ``over`` in every ``of`` sent suggests a freeze. ``channels`` None: on every channel."""

    over: int
    of: int
    channels: frozenset[Channel] | None
    name: Bilingual
    text: Bilingual

    def exceeded(self, count: int, sent: int) -> bool:
        """Whether ``count`` of ``sent`` lies above; whole numbers, so equal is equal."""
        return count * self.of > self.over * sent

    @property
    def percent(self) -> str:
        """The limit as people write it: ``5``, ``0.3``."""
        return f"{self.over * 100 / self.of:g}"

    def rate(self, count: int, sent: int) -> str:
        """A rate above the limit in percent, to one decimal or to as many as show that it lies above."""
        power = 10
        while not self.exceeded(found := (count * 200 * power + sent) // (sent * 2), 100 * power):
            power *= 10
        return f"{Decimal(found) / power:f}"


@dataclass(frozen=True, slots=True)
class Thresholds:
    version: str
    metrics: Mapping[Metric, Threshold]
    within: Counted


@dataclass(frozen=True, slots=True)
class ChannelMetrics:
    """Counts over one period: ``sent`` messages, and how many of them bounced, drew a complaint, or got us blocked."""

    channel: Channel
    sent: int
    bounced: int
    complained: int
    blocked: int

    def count(self, metric: Metric) -> int:
        """The count of a metric."""
        return {
            Metric.BOUNCED: self.bounced,
            Metric.COMPLAINED: self.complained,
            Metric.BLOCKED: self.blocked,
        }[metric]


@dataclass(frozen=True, slots=True)
class MetricVerdict:
    """One rate against its limit. ``applies`` is false where the channel does not know the metric."""

    metric: Metric
    count: int
    sent: int
    over: int
    of: int
    applies: bool
    exceeded: bool
    reason: Bilingual | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Whether a freeze is suggested, and by which rates. There is no least number of messages: the counts are said."""

    suggested: bool
    verdicts: tuple[MetricVerdict, ...]
    reason: Bilingual
    thresholds_version: str


def load_thresholds(path: Path | None = None) -> Thresholds:
    """Read ``freeze_thresholds.toml`` (None: the one shipped). `TextsError` names every fault of it."""
    file = TextsFile(TEXTS / "freeze_thresholds.toml" if path is None else path)
    version = file.text("version")
    metrics = {}
    for metric, table in file.table("metrics").each(Metric).items():
        channels = frozenset(table.members("channels", Channel)) if "channels" in table.keys() else None  # noqa: SIM118 - a Reader is not a mapping
        over, of = table.integer("over", minimum=0), table.integer("of", minimum=1)
        if over >= of:
            table.problem("over", "expected less than `of`")
        metrics[metric] = Threshold(
            over=over,
            of=of,
            channels=channels,
            name=table.bilingual("name"),
            text=table.bilingual("text", frozenset({"metric", "rate", "count", "sent", "limit"})),
        )
    within = read_counted(file.table("within"))
    file.finish()
    return Thresholds(version, MappingProxyType(metrics), within)


def evaluate(metrics: ChannelMetrics, thresholds: Thresholds) -> Evaluation:
    """What the counts suggest.

    ``InvalidInput`` names each count that is negative, larger than ``sent``, or of a metric that the channel does not
    know, and a channel that is not said or stays inside Dealix.
    """
    checks = Checks()
    if metrics.channel is Channel.UNSPECIFIED:
        checks.note("channel", "REQUIRED", "must name a channel")
    if metrics.channel is Channel.INTERNAL:
        checks.note("channel", "NOT_FREEZABLE", "what stays inside Dealix is never frozen")
    checks.count("sent", metrics.sent)
    for metric, threshold in thresholds.metrics.items():
        count = metrics.count(metric)
        checks.count(metric.value, count)
        if count > metrics.sent >= 0:
            checks.note(metric.value, "TOO_LARGE", "must not be more than sent")
        if count > 0 and threshold.channels is not None and metrics.channel not in threshold.channels:
            checks.note(metric.value, "NOT_OF_CHANNEL", f"counts on {', '.join(sorted(threshold.channels))} only")
    checks.done()
    verdicts = tuple(_verdict(metric, metrics, threshold) for metric, threshold in thresholds.metrics.items())
    reasons = [verdict.reason for verdict in verdicts if verdict.reason is not None]
    if reasons:
        reason = Bilingual("\n".join(r.ar for r in reasons), "\n".join(r.en for r in reasons))
    else:
        reason = thresholds.within.say(metrics.sent)
    return Evaluation(bool(reasons), verdicts, reason, thresholds.version)


def _verdict(metric: Metric, metrics: ChannelMetrics, threshold: Threshold) -> MetricVerdict:
    count = metrics.count(metric)
    applies = threshold.channels is None or metrics.channel in threshold.channels
    exceeded = applies and threshold.exceeded(count, metrics.sent)
    reason = (
        threshold.text.format(
            metric=threshold.name,
            rate=threshold.rate(count, metrics.sent),
            count=f"{count:,}",
            sent=f"{metrics.sent:,}",
            limit=threshold.percent,
        )
        if exceeded
        else None
    )
    return MetricVerdict(metric, count, metrics.sent, threshold.over, threshold.of, applies, exceeded, reason)
