"""What the gateway brings along: freezes and open incidents, fetched from incidents for the requests that decide by them.

A request that needs it has a field ``context``; whatever a client put there is overwritten. Incidents has to answer: where
nobody knows whether a channel is frozen, nothing is approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from dealix.common.v1 import context_pb2
from dealix.incidents.v1 import incident_service_pb2
from google.protobuf.message import DecodeError, Message

from gateway.compose import Composer
from gateway.forward import forward
from gateway.guard import Guard
from gateway.upstreams import Upstream
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.methods import Method
from services.runtime.pipeline import Stage, malformed

_FIELD = "context"
_CONTEXT_PATH = "/dealix.incidents.v1.IncidentService/GetOperatingContext"


def needs_context(method: Method) -> bool:
    """Whether the requests of a method take what the gateway brings along."""
    field = method.request_class.DESCRIPTOR.fields_by_name.get(_FIELD)
    return field is not None and field.message_type is context_pb2.Context.DESCRIPTOR


def forward_with_context(
    method: Method, upstream: Upstream, guard: Guard, composer: Composer, methods: Mapping[str, Method]
) -> Stage:
    """A stage that brings the context along; otherwise as `forward`. Incidents looks into its own tables instead."""
    if upstream.name == "incidents":
        return forward(method, upstream, guard)
    passed_on = forward(method, upstream, guard)
    draft_path = f"/{method.service}/GetDraft"

    async def forwarded(payload: Any, call: Call) -> Any:
        try:
            request: Any = method.request_class.FromString(payload)
        except DecodeError:
            raise malformed(method) from None
        customer_id = await customer_of(request, call)
        if customer_id is not None:
            answer: incident_service_pb2.GetOperatingContextResponse = await composer.ask(
                "incidents",
                _CONTEXT_PATH,
                incident_service_pb2.GetOperatingContextRequest(customer_id=customer_id),
                call,
            )
            request.context.CopyFrom(answer.context)
        else:
            request.ClearField(_FIELD)
        return await passed_on(request.SerializeToString(), call)

    async def customer_of(request: Any, call: Call) -> str | None:
        """Whom the request is about; None where the service will refuse it anyway."""
        if "customer_id" in request.DESCRIPTOR.fields_by_name:
            return str(request.customer_id)
        wanted: Message = methods[draft_path].request_class(draft_id=request.draft_id)
        try:
            found = await composer.ask(upstream.name, draft_path, wanted, call)
        except RpcFailure as failure:
            if failure.code in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
                return None
            raise
        return str(found.draft.customer_id)

    return forwarded
