"""How the gateway reaches a service: over a channel, or in the same process.

Both take and give bytes and raise nothing but `RpcFailure`, so that what stands above cannot tell them apart.
"""

from __future__ import annotations

import json
import time
from typing import Any, Protocol

import grpc
from grpc_health.v1 import health_pb2

from services.runtime.failure import DETAILS_KEY, RpcFailure, failure_from_status
from services.runtime.server import CORRELATION_KEY
from services.runtime.service import Service

# What a call leaves to the gateway to answer with after a service let it wait for too long.
_MARGIN_SECONDS = 0.1
_HEALTH_PATH = "/grpc.health.v1.Health/Check"
_HEALTH_SECONDS = 1.0


class Upstream(Protocol):
    """One service as the gateway sees it."""

    @property
    def name(self) -> str:
        """``support``, ``incidents``, ``onboarding`` or ``success``."""
        ...

    async def call(self, path: str, payload: bytes, correlation_id: str, deadline: float) -> bytes:
        """Calls a method. ``deadline`` is a point on ``time.monotonic()``'s scale. Raises ``RpcFailure``."""
        ...

    async def serving(self) -> bool:
        """Whether the service answers now."""
        ...

    async def close(self) -> None:
        """Lets go of what was opened."""
        ...


class LocalUpstream:
    """A service of the same process, called without a socket."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.name = service.name
        self.call = service.pipeline.invoke

    async def serving(self) -> bool:
        return await self._service.serving()

    async def close(self) -> None:
        """The composition root that opened the service closes it."""


def _service_config() -> str:
    """Round robin over the replicas that say SERVING; UNAVAILABLE is tried again, here and at no other layer.

    Safe for every method: reads change nothing, and writes carry a request_id.
    """
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "healthCheckConfig": {"serviceName": ""},
            "methodConfig": [
                {
                    "name": [{}],
                    "retryPolicy": {
                        "maxAttempts": 4,
                        "initialBackoff": "0.05s",
                        "maxBackoff": "0.5s",
                        "backoffMultiplier": 2,
                        "retryableStatusCodes": ["UNAVAILABLE"],
                    },
                }
            ],
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
        }
    )


class RemoteUpstream:
    """A service behind a gRPC target. One channel, however many replicas the name has."""

    def __init__(self, name: str, target: str) -> None:
        self.name = name
        self._channel = grpc.aio.insecure_channel(
            target,
            options=[
                ("grpc.service_config", _service_config()),
                ("grpc.enable_retries", 1),
                # Where services share an address, their channels would share its connection; two that begin to check the
                # health of one connection at the same moment can crash gRPC's core (seen with grpcio 1.85.1).
                ("grpc.use_local_subchannel_pool", 1),
                # Default back-off recovers in six seconds; this in half a second.
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.dns_min_time_between_resolutions_ms", 1000),
                ("grpc.keepalive_time_ms", 20_000),
                ("grpc.keepalive_timeout_ms", 5_000),
                ("grpc.max_receive_message_length", 16 * 1024 * 1024),
            ],
        )
        self._methods: dict[str, Any] = {}

    async def call(self, path: str, payload: bytes, correlation_id: str, deadline: float) -> bytes:
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path)
        remaining = deadline - time.monotonic()
        # Only what is allowed goes on: the caller's metadata stays here.
        call = method(
            payload,
            timeout=max(remaining - _MARGIN_SECONDS, remaining / 2),
            metadata=((CORRELATION_KEY, correlation_id),),
        )
        try:
            answer: bytes = await call
            return answer
        except grpc.aio.AioRpcError as error:
            raise self._failure(error) from None
        finally:
            # A call that is dropped is not cancelled by itself.
            if not call.done():
                call.cancel()

    def _failure(self, error: grpc.aio.AioRpcError) -> RpcFailure:
        """The service's own failure where it is one of ours; its raw text never goes on."""
        packed = next((value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY), None)
        ours = failure_from_status(error.code(), error.details() or "", packed if isinstance(packed, bytes) else None)
        if ours is not None:
            return ours
        where = {"service": self.name}
        if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return RpcFailure(error.code(), "UPSTREAM_TIMEOUT", f"{self.name} did not answer in time", where)
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return RpcFailure(
                grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", f"{self.name} cannot be reached", where
            )
        if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return RpcFailure(error.code(), "OVERLOADED", f"{self.name} refused the size or the number of calls", where)
        return invalid_answer(self.name)

    async def serving(self) -> bool:
        check = self._channel.unary_unary(
            _HEALTH_PATH,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        await self._channel.close()


def invalid_answer(service: str) -> RpcFailure:
    """The failure of an answer that cannot be read or passed on."""
    return RpcFailure(
        grpc.StatusCode.INTERNAL,
        "UPSTREAM_INVALID",
        f"{service} answered what cannot be passed on",
        {"service": service},
    )
