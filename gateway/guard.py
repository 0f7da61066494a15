"""The live-send rule at the gateway: what a service answered is verified, what a client gets is stamped.

A breach is logged, counted and written to the ledger that incidents keeps. The client is not made to wait for that, and
gets false in any case.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter

from dealix.common.v1 import actor_pb2
from dealix.incidents.v1 import incident_pb2, incident_service_pb2
from google.protobuf.message import DecodeError, Message

from gateway.upstreams import Upstream, invalid_answer
from services.policy import live_send
from services.policy.live_send import Breach
from services.runtime.failure import RpcFailure
from services.runtime.methods import Method
from services.runtime.observe import Observer

_RECORD_PATH = "/dealix.incidents.v1.IncidentService/RecordPolicyBreach"
_RECORD_SECONDS = 10.0
# A service that breaks the rule breaks it on every answer: the log and the counter take each, the ledger what it can.
_MAX_RECORDS_UNDER_WAY = 32
_ACTOR = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_SERVICE, id="gateway")


class Guard:
    """Verifies and stamps answers, and tells of breaches."""

    def __init__(self, observer: Observer, incidents: Upstream) -> None:
        self._observer = observer
        self._incidents = incidents
        self._records: set[asyncio.Task[None]] = set()
        # Services whose breach, seen while looking at their ledgers, is on record: another look sees no other.
        self._looked_at: set[str] = set()
        self.breaches: Counter[str] = Counter()
        """Breaches since the start, by service."""

    def passed(self, service: str, method: Method, payload: bytes, *, looking: bool = False) -> Message:
        """The answer of a service, verified and stamped. Raises ``RpcFailure`` for one that cannot be read.

        ``looking``: the gateway only looked whether a ledger has grown. Of its looks one breach is recorded until a look finds
        none, lest what is written about a look be what the next one finds.
        """
        try:
            answer = method.response_class.FromString(payload)
        except DecodeError:
            self._breach(service, method, Breach.UNREADABLE, looking)
            raise invalid_answer(service) from None
        breach = live_send.verify(answer)
        if breach is not None:
            self._breach(service, method, breach, looking)
        elif looking:
            self._looked_at.discard(service)
        live_send.stamp(answer, approval_always=method.approval_always)
        return answer

    def _breach(self, service: str, method: Method, breach: Breach, looking: bool) -> None:
        self.breaches[service] += 1
        self._observer.metrics.breaches.labels(service, breach.value).inc()
        self._observer.log.error("policy_breach", upstream=service, method=method.path, kind=breach.value)
        if looking and service in self._looked_at:
            return
        if looking:
            self._looked_at.add(service)
        if len(self._records) >= _MAX_RECORDS_UNDER_WAY:
            self._observer.log.error("policy_breach_not_recorded", upstream=service, method=method.path)
            return
        task = asyncio.create_task(self._record(service, method.path, breach))
        self._records.add(task)
        task.add_done_callback(self._records.discard)

    async def _record(self, service: str, path: str, breach: Breach) -> None:
        request = incident_service_pb2.RecordPolicyBreachRequest(
            request_id=str(uuid.uuid4()),
            actor=_ACTOR,
            service=service,
            method=path,
            kind=incident_pb2.PolicyBreachKind.Value(f"POLICY_BREACH_KIND_{breach.value}"),
        )
        try:
            await self._incidents.call(
                _RECORD_PATH, request.SerializeToString(), "policy-breach", time.monotonic() + _RECORD_SECONDS
            )
        except RpcFailure as failure:
            self._observer.log.error("policy_breach_not_recorded", upstream=service, method=path, reason=failure.reason)

    async def close(self) -> None:
        """Waits for the records that are under way, each bounded by its deadline."""
        if self._records:
            await asyncio.gather(*self._records, return_exceptions=True)
