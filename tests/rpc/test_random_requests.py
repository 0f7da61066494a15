"""Two thousand random requests to each service: every answer is one that the contract foresees, and the ledger holds."""

from __future__ import annotations

import asyncio
import math
import os
import random
import re
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from customer_ops.embedded import DEFINITIONS
from services.runtime.failure import RpcFailure
from services.runtime.pipeline import Pipeline
from services.runtime.service import ServiceDefinition
from services.runtime.testing import Running, running_service
from tests.rpc import samples
from tests.rpc.conftest import House
from tests.rpc.faults import TEXTS
from tests.rpc.samples import METHOD_OF, METHODS, SAMPLES
from tests.support_pg import PostgresServer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

ERROR_REASONS = Path(__file__).resolve().parents[2] / "protos/dealix/common/v1/error_reason.proto"

# Another seed is another two thousand requests; a failure names its own.
SEED = int(os.environ.get("CUSTOMER_OPS_TEST_SEED", "20260301"))
# How the requests to a service come in: without a socket, on its own port, through the gateway.
SHARES = {"in process": 1200, "direct": 400, "gateway": 400}
AT_ONCE = 20
# What of a client's 8 KiB of metadata is left for details, after base64 and the message of the status.
MAX_DETAILS = 5_000

# Reasons that a healthy service never gives, whatever it is asked.
NEVER = {
    "INTERNAL", "UNKNOWN_METHOD", "OVERLOADED", "DEADLINE_PASSED", "INTERRUPTED", "SHUTTING_DOWN", "STORAGE_UNAVAILABLE",
    "STORAGE_FULL", "UPSTREAM_UNAVAILABLE", "UPSTREAM_INVALID", "UPSTREAM_TIMEOUT", "DUPLICATE_METADATA",
}  # fmt: skip

LETTERS = (
    "abcdefghijklmnopqrstuvwxyz0123456789_-.:/@ ",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهويأإآةىئؤءًٌٍَُِّْـ٠١٢٣٤٥٦٧٨٩",
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200c\u200d\ufeff\u00ad",
    "\t\n\r\x00\x01\x1b\x7f\u0085\u2028\u2029",
    "🚨👩‍💻🇸🇦ﷺﷲ\u0301\u0600\ufdfd𝒜",
)


def documented_codes() -> dict[str, str]:
    """Reason to status code, as the contract's comments say."""
    text = ERROR_REASONS.read_text(encoding="utf-8")
    found = re.findall(r"^  // ([A-Z_]+)\. (?:.*\n)(?:  //.*\n)*  ERROR_REASON_([A-Z_]+) =", text, re.M)
    return {reason: code for code, reason in found}


CODES = documented_codes()


KNOWN = {
    "step_id": (
        "select_goal", "select_bundle", "company_intake", "connect_channels", "upload_or_source", "risk_review",
        "first_service_run", "first_proof_pack",
    ),
    "connector_key": ("gmail", "google_calendar", "google_sheets", "moyasar", "whatsapp_cloud", "website_forms"),
    "bundle_id": ("growth_starter", "data_to_revenue", "partnership_growth"),
    "customer_id": tuple(f"cust-{number}" for number in range(60)),
}  # fmt: skip


def _seen_as(field: FieldDescriptor) -> str:
    """Under which name values of a field are kept: one name may be a text here and an enum or a number there."""
    return field.name if field.type == FieldDescriptor.TYPE_STRING else f"{field.name}:{field.type}"


class Chance:
    """Random requests, from a seed and from what valid ones hold."""

    def __init__(self, rng: random.Random, pool: dict[str, list[Message]]) -> None:
        self.rng = rng
        self._pool = pool
        self._seen: dict[str, list[Any]] = defaultdict(list)
        for requests in pool.values():
            for request in requests:
                self._remember(request)

    def _remember(self, message: Message) -> None:
        for field, value in message.ListFields():
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                self._seen["key"] += list(value.keys())
                self._seen["value"] += list(value.values())
            elif field.message_type is not None:
                for inner in value if field.is_repeated else [value]:
                    self._remember(inner)
            else:
                self._seen[_seen_as(field)] += list(value) if field.is_repeated else [value]

    def payload(self, method: Any) -> bytes:
        """The bytes of a request: mostly of the method's type, sometimes of none."""
        dice = self.rng.random()
        if dice < 0.08:
            return self.rng.randbytes(self.rng.randrange(60))
        message = self._changed(method) if dice < 0.65 else self._made(method)
        payload = message.SerializeToString()
        return self._broken(payload) if dice > 0.94 else payload

    def _changed(self, method: Any) -> Any:
        """A valid request with a few of its fields changed, and more often than not with a fresh request_id."""
        valid = self.rng.choice(self._pool[method.request_class.DESCRIPTOR.full_name])
        copy = method.request_class.FromString(valid.SerializeToString())
        if method.writes and self.rng.random() < 0.85:
            copy.request_id = self._uuid()
        if "customer_id" in method.request_class.DESCRIPTOR.fields_by_name and self.rng.random() < 0.4:
            copy.customer_id = f"cust-{self.rng.randrange(50)}"
        if method.writes and self.rng.random() < 0.6:
            self._turn(copy)
        else:
            for _ in range(self.rng.choice((0, 0, 1, 1, 2, 4))):
                self._change(copy)
        return copy

    def _turn(self, message: Any) -> None:
        """Changes a valid write into another that a service has to think about: known ids and states, no etag."""
        for field in message.DESCRIPTOR.fields:
            optional = field.name == "follows_ticket_id" or field.message_type is not None
            if field.name == "etag" or (optional and field.name != "actor" and self.rng.random() < 0.3):
                message.ClearField(field.name)
            elif field.name in KNOWN and self.rng.random() < 0.7:
                setattr(message, field.name, self.rng.choice(KNOWN[field.name]))
            elif field.type == FieldDescriptor.TYPE_ENUM and self.rng.random() < 0.7:
                setattr(message, field.name, self.rng.choice(field.enum_type.values[1:]).number)
            elif field.type == FieldDescriptor.TYPE_BOOL and self.rng.random() < 0.3:
                setattr(message, field.name, not getattr(message, field.name))

    def _change(self, message: Any) -> None:
        """Sets or clears one field, at any depth."""
        fields = list(message.DESCRIPTOR.fields)
        if not fields:
            return
        field = self.rng.choice(fields)
        if self.rng.random() < 0.1:
            message.ClearField(field.name)
        elif field.message_type is not None and not field.is_repeated and self.rng.random() < 0.8:
            self._change(getattr(message, field.name))
        else:
            self._fill(message, field)

    def _made(self, method: Any) -> Any:
        """A request of the method's type with whatever in its fields."""
        message = method.request_class()
        if method.writes and self.rng.random() < 0.8:
            message.request_id = self._uuid()
            message.actor.CopyFrom(samples.PERSON)
        for field in message.DESCRIPTOR.fields:
            if self.rng.random() < 0.6 and field.name not in ("request_id", "actor"):
                self._fill(message, field)
        return message

    def _fill(self, message: Any, field: FieldDescriptor, depth: int = 0) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for _ in range(self.rng.choice((0, 1, 3, 30))):
                getattr(message, field.name)[self._text("key")] = self._text("value")
        elif field.is_repeated:
            message.ClearField(field.name)
            for _ in range(self.rng.choice((0, 1, 2, 5, 120))):
                if field.message_type is None:
                    getattr(message, field.name).append(self._value(field))
                else:
                    self._into(getattr(message, field.name).add(), depth + 1)
        elif field.message_type is not None:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self._into(inner, depth + 1)
        else:
            setattr(message, field.name, self._value(field))

    def _into(self, message: Any, depth: int) -> None:
        part = samples.PARTS.get(message.DESCRIPTOR.full_name)
        if part is not None and self.rng.random() < 0.7:
            message.CopyFrom(part())
            return
        for field in message.DESCRIPTOR.fields:
            if depth < 4 and self.rng.random() < 0.7:
                self._fill(message, field, depth)

    def _value(self, field: FieldDescriptor) -> Any:
        rng, seen = self.rng, self._seen[_seen_as(field)]
        if field.type == FieldDescriptor.TYPE_STRING:
            return self._text(field.name)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return rng.randbytes(rng.choice((0, 31, 32, 33)))
        if field.type == FieldDescriptor.TYPE_BOOL:
            return rng.random() < 0.5
        if seen and rng.random() < 0.5:
            return rng.choice(seen)
        if field.type == FieldDescriptor.TYPE_ENUM:
            return rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 99, -1, 2**31 - 1, -(2**31)))
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            return rng.choice(
                (0.0, -0.0, 1.0, 0.3, 29.9, 1e7, 1e13, 1e308, -1.0, 5e-324, math.nan, math.inf, -math.inf)
            )
        wide = 63 if field.type == FieldDescriptor.TYPE_INT64 else 31
        return rng.choice((0, 1, 2, 5, 50, 200, 201, 10_000, -1, 2**wide - 1, -(2**wide), rng.randrange(10**6)))

    def _text(self, name: str) -> str:
        rng = self.rng
        dice = rng.random()
        if self._seen[name] and dice < 0.4:
            return str(rng.choice(self._seen[name]))
        if dice < 0.5:
            return rng.choice(("growth_starter", "risk_review", "gmail", "whatsapp_cloud", "SEV2", "acme", "cust-1"))
        if dice < 0.65:
            return rng.choice(list(TEXTS.values()))
        if dice < 0.67:
            return "تسريب بيانات leak " * 1100
        alphabets = rng.sample(LETTERS, rng.randrange(1, len(LETTERS) + 1))
        return "".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.choice((1, 3, 12, 40, 300))))

    def _broken(self, payload: bytes) -> bytes:
        """The bytes with a few of them changed, or cut off."""
        broken = bytearray(payload)
        for _ in range(self.rng.randrange(1, 4)):
            if broken:
                broken[self.rng.randrange(len(broken))] = self.rng.randrange(256)
        return bytes(broken[: self.rng.randrange(len(broken) + 1)]) if self.rng.random() < 0.5 else bytes(broken)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))


Outcome = tuple[str, str]
"""Status code and reason; of an answer ``OK`` and nothing."""
Send = Callable[[Any, bytes], Awaitable[bytes]]


async def outcome_of(send: Send, method: Any, payload: bytes) -> Outcome:
    """What a request came to. Fails where an answer or an error lacks what each must carry."""
    try:
        answer = method.response_class.FromString(await send(method, payload))
    except grpc.aio.AioRpcError as error:
        packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        return _refusal(error.code().name, packed)
    except RpcFailure as failure:
        return _refusal(failure.code.name, failure.details_bytes())
    assert answer.HasField("live_send_allowed"), "no flag"
    assert answer.live_send_allowed is False, "a live send"
    assert answer.HasField("approval_required"), "no flag"
    assert answer.approval_required or not method.approval_always, "no approval"
    return "OK", ""


def _refusal(code: str, packed: bytes) -> Outcome:
    assert len(packed) < MAX_DETAILS, f"{len(packed)} bytes of details"
    status = status_pb2.Status.FromString(packed)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details, f"{code} without details"
    assert status.details[0].Unpack(info)
    assert info.domain == "dealix.com"
    assert info.metadata["live_send_allowed"] == "false"
    assert status.message.isascii()
    if info.reason == "INVALID_FIELDS":
        assert status.details[1].Unpack(bad), "no field is named"
        assert all(violation.field and violation.reason for violation in bad.field_violations)
        assert bad.field_violations[0].description
    assert info.reason not in NEVER, info.reason
    assert code == CODES[info.reason], f"{info.reason} with {code}"
    return code, info.reason


async def pool_of(house: House, methods: list[Any]) -> dict[str, list[Message]]:
    """A few valid requests for each method."""
    return {m.request_class.DESCRIPTOR.full_name: [await house.sample(m) for _ in range(3)] for m in methods}


def in_process(pipeline: Pipeline) -> Send:
    """Sends without a socket; of a stream the first message."""

    async def send(method: Any, payload: bytes) -> bytes:
        if method.streams:
            stream = pipeline.stream(method.path, payload, "random", time.monotonic() + 30)
            async with aclosing(stream) as messages:
                return await anext(messages)
        return await pipeline.invoke(method.path, payload, "random", time.monotonic() + 30)

    return send


@dataclass(frozen=True)
class Alone:
    """One service, asked without a socket. Samples find its database here as they find those of a house."""

    services: dict[str, Running]

    async def ask(self, request: Message) -> Any:
        method = METHOD_OF[request.DESCRIPTOR.full_name]
        running = self.services.get(samples.SERVICE_OF[method.path])
        if running is None:
            # What a sample wants of another service matters to the gateway only, which is not here.
            return method.response_class()
        send = in_process(running.service.pipeline)
        return method.response_class.FromString(await send(method, request.SerializeToString()))


def senders(house: House, service: str) -> dict[str, Send]:
    """The ways to send a request to a service."""
    own = house.front.gateway.pipeline if service == "gateway" else house.services[service].service.pipeline

    async def direct(method: Any, payload: bytes) -> bytes:
        return await house.raw("direct", method.path, payload)

    async def gateway(method: Any, payload: bytes) -> bytes:
        return await house.raw("gateway", method.path, payload)

    return {"in process": in_process(own), "direct": direct, "gateway": gateway}


Asked = tuple[str, Any, bytes]
"""A way in, a method, the bytes of a request."""


def random_requests(chance: Chance, methods: list[Any], shares: dict[str, int]) -> list[Asked]:
    """As many random requests on each way in as its share says."""
    # Writes are few among the methods, and the more interesting ones.
    weights = [4 if method.writes else 1 for method in methods]
    return [
        (door, method, chance.payload(method))
        for door, share in shares.items()
        for method in chance.rng.choices(methods, weights, k=share)
    ]


async def outcomes_of(send: dict[str, Send], asked: list[Asked]) -> tuple[Counter[Outcome], int]:
    """What the requests came to, and how many were writes that were done. Fails with every outcome that is none."""
    outcomes: Counter[Outcome] = Counter()
    written, wrong = 0, []
    for start in range(0, len(asked), AT_ONCE):
        batch = asked[start : start + AT_ONCE]
        results = await asyncio.gather(
            *(outcome_of(send[door], method, payload) for door, method, payload in batch), return_exceptions=True
        )
        for (door, method, payload), result in zip(batch, results, strict=True):
            if isinstance(result, BaseException):
                wrong.append(f"{door} {method.path} {payload.hex()[:4000]}: {type(result).__name__} {result}")
                continue
            outcomes[result] += 1
            written += method.writes and result[0] == "OK"
    assert not wrong, "\n".join([f"{len(wrong)} of {len(asked)} with seed {SEED}:", *wrong[:10]])
    # Chance reaches what it is meant to reach: answers and refusals of every kind.
    assert outcomes["OK", ""] > len(asked) / 10, outcomes
    assert outcomes["INVALID_ARGUMENT", "MALFORMED_REQUEST"] > len(asked) / 40, outcomes
    assert outcomes["INVALID_ARGUMENT", "INVALID_FIELDS"] > len(asked) / 10, outcomes
    return outcomes, written


@pytest.mark.parametrize("service", ["support", "incidents", "onboarding", "success", "gateway"])
async def test_two_thousand_random_requests_find_nothing_unforeseen(house: House, service: str) -> None:
    methods = [method for method in METHODS if samples.SERVICE_OF[method.path] == service]
    chance = Chance(random.Random(f"{SEED}-{service}"), await pool_of(house, methods))
    ledgers = {name: module.VerifyLedgerRequest() for name, module in samples.LEDGERS.items()}
    before = {name: (await house.direct(request)).checked for name, request in ledgers.items()}
    asked = random_requests(chance, methods, SHARES)
    assert len(asked) == 2000
    outcomes, written = await outcomes_of(senders(house, service), asked)
    assert written > 40 or service == "gateway", outcomes
    after = {name: await house.direct(request) for name, request in ledgers.items()}
    assert {name: answer.problem for name, answer in after.items() if not answer.intact} == {}
    grown = {name for name, answer in after.items() if answer.checked > before[name]}
    if service == "gateway":
        # It keeps no ledger of its own; what it composes is written by the services.
        assert grown <= {"support", "incidents", "onboarding", "success"}
    else:
        assert grown == {service}, "only the service's own writes were recorded"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.name)
async def test_nor_do_five_hundred_on_postgresql(
    postgres: PostgresServer, tmp_path: Path, definition: ServiceDefinition
) -> None:
    methods = [method for method in METHODS if samples.SERVICE_OF[method.path] == definition.name]
    async with (
        postgres.database() as url,
        running_service(definition, database_url=url, data_dir=tmp_path, log_level="error") as running,
    ):
        ask = Alone({definition.name: running}).ask
        pool = {
            m.request_class.DESCRIPTOR.full_name: [await SAMPLES[m.request_class.DESCRIPTOR.full_name](ask)]
            for m in methods
        }
        chance = Chance(random.Random(f"{SEED}-{definition.name}-postgresql"), pool)
        asked = random_requests(chance, methods, {"in process": 500})
        await outcomes_of({"in process": in_process(running.service.pipeline)}, asked)
        answer = await ask(samples.LEDGERS[definition.name].VerifyLedgerRequest())
        assert answer.intact, answer.problem


async def test_every_reason_has_a_documented_code() -> None:
    assert len(CODES) > 30
    assert set(CODES.values()) <= {code.name for code in grpc.StatusCode}
    assert "UNKNOWN" not in CODES.values()
