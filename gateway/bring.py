"""What the gateway brings along: what one service knows and another decides by, for requests that have a field for it.

    context   freezes and open incidents, from incidents, and the first Proof Pack, from onboarding
    cadence   whether the customer's success cadence is active, from success

Both are of the customer whom the request names, or to whom what it names belongs: a draft, a touchpoint.
Whatever a client put there is overwritten. Where a write cannot be decided without knowing what is frozen or open, incidents
has to answer. Everything else is answered without what is not known, and who decides by it is told that it is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dealix.common.v1 import channel_pb2, context_pb2, draft_pb2
from dealix.onboarding.v1 import connector_pb2, onboarding_service_pb2
from dealix.success.v1 import plan_pb2
from google.protobuf.message import DecodeError

from gateway.compose import REFUSED_ANYWAY, Composer, share_of
from gateway.context import BESIDE_SECONDS, Wanted, context
from gateway.forward import forward
from gateway.guard import Guard
from gateway.onboarding import cadence_of
from gateway.upstreams import Upstream
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.methods import Method
from services.runtime.pipeline import Stage, malformed

# Writes a request's field.
Fill = Callable[[Any, Call], Awaitable[None]]
# What a request goes by; None for nothing that would have to be asked for.
Want = Callable[[Any, Call], Awaitable[Wanted | None]]

_FIELDS = {
    "context": context_pb2.Context.DESCRIPTOR,
    "cadence": onboarding_service_pb2.CadenceFact.DESCRIPTOR,
}
# What waits while a SEV1 or SEV2 is open.
_SUPPRESSIBLE = frozenset({plan_pb2.TOUCHPOINT_KIND_WEEKLY_CHECK_IN, plan_pb2.TOUCHPOINT_KIND_UPGRADE_TALK})


class Bringer:
    """Makes the stages of forwarded methods, with what each request is to be filled in with."""

    def __init__(
        self, upstreams: Mapping[str, Upstream], methods: Mapping[str, Method], guard: Guard, composer: Composer
    ) -> None:
        self._upstreams = upstreams
        self._methods = methods
        self._guard = guard
        self._composer = composer
        self._wants: Mapping[str, Want] = {
            "ApproveDraft": self._of_draft,
            "CompleteTouchpoint": self._of_completion,
            "GetTouchpoint": self._of_touchpoint,
            "ListDueTouchpoints": _of_due_list,
            "ListTouchpoints": _of_list,
            "GetCustomerRisk": _of_activity,
            "GetCustomerHealth": _of_activity,
            "CreateAtRiskAlert": _of_list,
            "UpdateConnector": _of_connector,
        }

    def stage(self, service: str, method: Method) -> Stage:
        """A stage that forwards a method's requests, filled in where they have a field for it."""
        passed_on = forward(method, self._upstreams[service], self._guard)
        fills = self._fills(service, method)
        if not fills:
            return passed_on

        async def filled_in(payload: Any, call: Call) -> Any:
            try:
                request: Any = method.request_class.FromString(payload)
            except DecodeError:
                raise malformed(method) from None
            for field in fills:
                request.ClearField(field)
            await asyncio.gather(*(fill(request, call) for fill in fills.values()))
            return await passed_on(request.SerializeToString(), call)

        return filled_in

    def _fills(self, service: str, method: Method) -> dict[str, Fill]:
        fields = method.request_class.DESCRIPTOR.fields_by_name
        brought = {name for name, kind in _FIELDS.items() if name in fields and fields[name].message_type is kind}
        found: dict[str, Fill] = {}
        # Incidents looks into its own tables.
        if "context" in brought and service != "incidents":
            found["context"] = self._with_context(method)
        if "cadence" in brought:
            found["cadence"] = self._with_cadence(method)
        return found

    def _with_context(self, method: Method) -> Fill:
        want = self._wants.get(method.name, _of_customer)

        async def fill(request: Any, call: Call) -> None:
            wanted = await want(request, call)
            if wanted is not None:
                request.context.CopyFrom(await context(self._composer, wanted, call))

        return fill

    def _with_cadence(self, method: Method) -> Fill:
        async def fill(request: Any, call: Call) -> None:
            deadline = share_of(call) if method.writes else share_of(call, BESIDE_SECONDS)
            try:
                plan = await self._composer.plan(request.customer_id, call, deadline)
            except RpcFailure:
                if method.writes:
                    raise
                return
            request.cadence.CopyFrom(cadence_of(plan))

        return fill

    # --- what a request goes by -----------------------------------------------------------------------------------------

    async def _of_draft(self, request: Any, call: Call) -> Wanted | None:
        draft = await self._owned("Draft", request, call)
        # What stays inside Dealix is never held.
        if draft is None or draft.channel == channel_pb2.CHANNEL_INTERNAL:
            return None
        offers = draft.kind == draft_pb2.DRAFT_KIND_TOUCHPOINT
        return Wanted(draft.customer_id, needed=True, proof_pack=offers)

    async def _of_completion(self, request: Any, call: Call) -> Wanted | None:
        touchpoint = await self._owned("Touchpoint", request, call)
        if touchpoint is None or touchpoint.kind not in _SUPPRESSIBLE:
            return None
        offers = touchpoint.kind == plan_pb2.TOUCHPOINT_KIND_UPGRADE_TALK
        return Wanted(touchpoint.customer_id, needed=True, proof_pack=offers)

    async def _of_touchpoint(self, request: Any, call: Call) -> Wanted | None:
        if not request.customer_id:
            touchpoint = await self._owned("Touchpoint", request, call)
            if touchpoint is None:
                return None
            request.customer_id = touchpoint.customer_id
        return Wanted(request.customer_id, proof_pack=True)

    async def _owned(self, noun: str, request: Any, call: Call) -> Any:
        """The draft or the touchpoint that a request names; None where the service will refuse the request anyway."""
        path = f"/{call.method.service}/Get{noun}"
        service = path.split(".")[1]
        key = f"{noun.lower()}_id"
        get: Any = self._methods[path].request_class
        try:
            found = await self._composer.ask(service, path, get(**{key: getattr(request, key)}), call)
        except RpcFailure as failure:
            if failure.code in REFUSED_ANYWAY:
                return None
            raise
        return getattr(found, noun.lower())


async def _of_customer(request: Any, call: Call) -> Wanted:
    return Wanted(request.customer_id, needed=call.method.writes)


async def _of_list(request: Any, _: Call) -> Wanted:
    return Wanted(request.customer_id, proof_pack=True)


async def _of_due_list(request: Any, _: Call) -> Wanted:
    everybody = not request.customer_id
    return Wanted(request.customer_id, everybody=everybody, proof_pack=not everybody)


async def _of_activity(request: Any, _: Call) -> Wanted:
    return Wanted(request.customer_id, incidents=False, proof_pack=True)


async def _of_connector(request: Any, _: Call) -> Wanted | None:
    executes = request.state == connector_pb2.CONNECTOR_STATE_CONNECTED_APPROVED_EXECUTE
    return Wanted(request.customer_id, needed=True) if executes else None
