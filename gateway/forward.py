"""The one handler behind every RPC that the gateway passes on."""

from __future__ import annotations

from typing import Any

from gateway.guard import Guard
from gateway.upstreams import Upstream
from services.runtime.call import Call
from services.runtime.methods import Method
from services.runtime.pipeline import Stage


def forward(method: Method, upstream: Upstream, guard: Guard) -> Stage:
    """A stage that sends a request's bytes on as they are and gives the verified, stamped answer's bytes.

    The service decodes and validates; its refusals pass on with code, reason and details.
    """
    ask, passed, service, path = upstream.call, guard.passed, upstream.name, method.path

    async def forwarded(payload: Any, call: Call) -> bytes:
        answer = await ask(path, payload, call.correlation_id, call.deadline)
        return passed(service, method, answer).SerializeToString(deterministic=True)

    return forwarded
