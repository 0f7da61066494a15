"""What the gateway brings along: what one service knows and another decides by, for requests that have a field for it.

    context   freezes and open incidents, from incidents
    cadence   whether the customer's success cadence is active, from success

Both are of the customer whom the request names, or to whom what it names belongs: a draft, a touchpoint.
Whatever a client put there is overwritten. For a write the service that knows has to answer: where nobody knows what is frozen
or what is open, nothing is approved or completed. A read is answered without.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dealix.common.v1 import context_pb2
from dealix.incidents.v1 import incident_service_pb2
from dealix.onboarding.v1 import onboarding_service_pb2
from google.protobuf.message import DecodeError, Message

from gateway.compose import REFUSED_ANYWAY, Composer
from gateway.forward import forward
from gateway.guard import Guard
from gateway.onboarding import cadence_of
from gateway.upstreams import Upstream
from services.runtime.call import Call
from services.runtime.failure import RpcFailure
from services.runtime.methods import Method
from services.runtime.pipeline import Stage, malformed

# What is looked up for its customer, where a request names it and not the customer.
_OWNED = ("draft", "touchpoint")

# What fills a field of a request in; None leaves it unset, where the service will refuse the request anyway.
Fetch = Callable[[Any, Call], Awaitable[Message | None]]

_FIELDS = {
    "context": context_pb2.Context.DESCRIPTOR,
    "cadence": onboarding_service_pb2.CadenceFact.DESCRIPTOR,
}


class Bringer:
    """Makes the stages of forwarded methods, with what each request is to be filled in with."""

    def __init__(
        self, upstreams: Mapping[str, Upstream], methods: Mapping[str, Method], guard: Guard, composer: Composer
    ) -> None:
        self._upstreams = upstreams
        self._methods = methods
        self._guard = guard
        self._composer = composer

    def stage(self, service: str, method: Method) -> Stage:
        """A stage that forwards a method's requests, filled in where they have a field for it."""
        passed_on = forward(method, self._upstreams[service], self._guard)
        fetches = self._fetches(service, method)
        if not fetches:
            return passed_on

        async def found_or_none(fetch: Fetch, request: Any, call: Call) -> Message | None:
            try:
                return await fetch(request, call)
            except RpcFailure as failure:
                # The service refuses such a request for itself. What only reads is answered without, and shows nothing held.
                if failure.code in REFUSED_ANYWAY or not method.writes:
                    return None
                raise

        async def filled_in(payload: Any, call: Call) -> Any:
            try:
                request: Any = method.request_class.FromString(payload)
            except DecodeError:
                raise malformed(method) from None
            for field, fetch in fetches.items():
                request.ClearField(field)
                found = await found_or_none(fetch, request, call)
                if found is not None:
                    getattr(request, field).CopyFrom(found)
            return await passed_on(request.SerializeToString(), call)

        return filled_in

    def _fetches(self, service: str, method: Method) -> dict[str, Fetch]:
        fields = method.request_class.DESCRIPTOR.fields_by_name
        brought = {name for name, kind in _FIELDS.items() if name in fields and fields[name].message_type is kind}
        found: dict[str, Fetch] = {}
        # Incidents looks into its own tables.
        if "context" in brought and service != "incidents":
            named = "customer_id" in fields
            found["context"] = self._context_of_customer if named else self._context_of_owned(service, method)
        if "cadence" in brought:
            found["cadence"] = self._cadence
        return found

    async def _context_of_customer(self, request: Any, call: Call) -> Message:
        return await self._context(request.customer_id, call)

    def _context_of_owned(self, service: str, method: Method) -> Fetch:
        """The context of the customer of the draft or the touchpoint that a request names."""
        (noun,) = (noun for noun in _OWNED if f"{noun}_id" in method.request_class.DESCRIPTOR.fields_by_name)
        key, path = f"{noun}_id", f"/{method.service}/Get{noun.capitalize()}"
        get: Any = self._methods[path].request_class

        async def fetch(request: Any, call: Call) -> Message | None:
            found = await self._composer.ask(service, path, get(**{key: getattr(request, key)}), call)
            return await self._context(getattr(found, noun).customer_id, call)

        return fetch

    async def _context(self, customer_id: str, call: Call) -> Message:
        answer: incident_service_pb2.GetOperatingContextResponse = await self._composer.ask(
            "incidents",
            "/dealix.incidents.v1.IncidentService/GetOperatingContext",
            incident_service_pb2.GetOperatingContextRequest(customer_id=customer_id),
            call,
        )
        return answer.context

    async def _cadence(self, request: Any, call: Call) -> Message | None:
        plan = await self._composer.plan(request.customer_id, call)
        return cadence_of(plan) if plan is not None else None
