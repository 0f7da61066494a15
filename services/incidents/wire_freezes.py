"""Freezes in the contract's words, and back."""

from __future__ import annotations

from dealix.incidents.v1 import freeze_pb2
from dealix.incidents.v1 import freeze_service_pb2 as pb

from services.incidents.domain.freezes import (
    ChannelMetrics,
    Evaluation,
    Freeze,
    Metric,
    MetricVerdict,
    check_request,
)
from services.incidents.freezes import FreezeChannel
from services.runtime.wire import CHANNEL_NUMBERS, EnumMap, actor, channel_of, timestamp

METRICS = EnumMap(freeze_pb2.ChannelMetric, Metric, "CHANNEL_METRIC_")


def freeze_channel(request: pb.FreezeChannelRequest) -> FreezeChannel:
    """What is to be frozen. ``InvalidInput`` where the scope is not said, or the reason is blank."""
    scope = check_request(
        channel_of(request.channel), request.all_channels, request.customer_id, request.all_customers, request.reason
    )
    return FreezeChannel(scope, request.reason, request.incident_id)


def metrics(request: pb.EvaluateChannelMetricsRequest) -> ChannelMetrics:
    """The counts."""
    return ChannelMetrics(
        channel_of(request.channel), request.sent, request.bounced, request.complained, request.blocked
    )


def freeze(found: Freeze) -> freeze_pb2.Freeze:
    """A freeze as it stands."""
    made = freeze_pb2.Freeze(
        freeze_id=found.freeze_id,
        all_channels=found.scope.channel is None,
        customer_id=found.scope.customer_id,
        all_customers=not found.scope.customer_id,
        incident_id=found.incident_id,
        reason=found.reason,
        actor=actor(found.actor),
        freeze_time=timestamp(found.frozen_at),
        active=found.active,
    )
    if found.scope.channel is not None:
        made.channel = CHANNEL_NUMBERS[found.scope.channel]
    if found.release is not None:
        made.release_actor.CopyFrom(actor(found.release.actor))
        made.release_time.CopyFrom(timestamp(found.release.released_at))
        made.release_reason = found.release.reason
    return made


def verdict(found: MetricVerdict) -> freeze_pb2.ChannelMetricVerdict:
    """One rate against its limit."""
    return freeze_pb2.ChannelMetricVerdict(
        metric=METRICS.to_wire[found.metric],
        count=found.count,
        sent=found.sent,
        limit_over=found.over,
        limit_of=found.of,
        applies=found.applies,
        exceeded=found.exceeded,
        reason_ar=found.reason.ar if found.reason else "",
        reason_en=found.reason.en if found.reason else "",
    )


def evaluation(found: Evaluation, already_frozen: bool) -> pb.EvaluateChannelMetricsResponse:
    """What the counts suggest."""
    return pb.EvaluateChannelMetricsResponse(
        approval_required=found.suggested,
        freeze_suggested=found.suggested,
        verdicts=[verdict(one) for one in found.verdicts],
        reason_ar=found.reason.ar,
        reason_en=found.reason.en,
        already_frozen=already_frozen,
    )
