"""A service made for tests, with one method that answers once and one that streams, on a real server and port 0."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import grpc
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from prometheus_client import CollectorRegistry

from services.runtime.methods import methods_of
from services.runtime.observe import Metrics, Observer
from services.runtime.pipeline import Environment, Pipeline
from services.runtime.server import Server
from services.runtime.service import utc_now
from services.runtime.settings import RuntimeSettings
from services.runtime.validation import shared_validator

WATCH = "/test.probe.v1.ProbeService/Watch"
ASK = "/test.probe.v1.ProbeService/Ask"
Field = descriptor_pb2.FieldDescriptorProto
Option = descriptor_pb2.MethodOptions


def file_of(name: str, *, client_streams: bool = False, writes: bool = False) -> descriptor_pb2.FileDescriptorProto:
    """The contract of the service, or of one that must be refused."""
    made = descriptor_pb2.FileDescriptorProto(
        name=name, package="test.probe.v1", syntax="proto3", dependency=["buf/validate/validate.proto"]
    )
    request = made.message_type.add(name="WatchRequest")
    for number, field in enumerate(("request_id", "actor", "first", "second"), 1):
        string = request.field.add(name=field, number=number, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL)
        string.options.Extensions[validate_pb2.field].string.max_len = 5
    response = made.message_type.add(name="WatchResponse")
    for number, field in enumerate(("live_send_allowed", "approval_required"), 1):
        response.field.add(
            name=field,
            number=number,
            type=Field.TYPE_BOOL,
            label=Field.LABEL_OPTIONAL,
            proto3_optional=True,
            oneof_index=number - 1,
        )
        response.oneof_decl.add(name=f"_{field}")
    response.field.add(name="text", number=3, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL)
    service = made.service.add(name="ProbeService")
    for rpc, streams in (("Watch", True), ("Ask", False)):
        method = service.method.add(
            name=rpc,
            input_type=".test.probe.v1.WatchRequest",
            output_type=".test.probe.v1.WatchResponse",
            server_streaming=streams,
            client_streaming=client_streams and streams,
        )
        method.options.idempotency_level = Option.IDEMPOTENT if writes else Option.NO_SIDE_EFFECTS
    return made


def module_of(made: descriptor_pb2.FileDescriptorProto) -> ModuleType:
    """What stands for the stubs."""
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(made.SerializeToString())
    return cast(ModuleType, SimpleNamespace(DESCRIPTOR=pool.FindFileByName(made.name)))


@cache
def probe_module() -> ModuleType:
    """The stubs of the service; a process can have them once."""
    return module_of(file_of("test/probe/v1/probe.proto"))


@cache
def response_class() -> Any:
    """The class of a message of the stream."""
    return message_factory.GetMessageClass(probe_module().DESCRIPTOR.message_types_by_name["WatchResponse"])


@cache
def request_class() -> Any:
    """The class of a request."""
    return message_factory.GetMessageClass(probe_module().DESCRIPTOR.message_types_by_name["WatchRequest"])


class ProbeServicer:
    """Streams what it is told to."""

    service = "test.probe.v1.ProbeService"

    def __init__(self, watch: Callable[..., AsyncIterator[Any]]) -> None:
        self.Watch = watch

    async def Ask(self, _: Any, __: Any) -> Any:
        return response_class()(text="asked")


@dataclass(frozen=True)
class Probe:
    """The running service."""

    channel: grpc.aio.Channel
    server: Server
    pipeline: Pipeline
    registry: CollectorRegistry

    def watch(self, payload: bytes = b"", **arguments: Any) -> Any:
        """A call whose messages are bytes."""
        return self.channel.unary_stream(WATCH)(payload, **arguments)

    def sample(self, name: str, **labels: str) -> float:
        """A metric's value; 0 before it was ever counted."""
        return self.registry.get_sample_value(name, {"service": "probe", "method": WATCH, **labels}) or 0.0


@asynccontextmanager
async def probe(watch: Callable[..., AsyncIterator[Any]], **overrides: object) -> AsyncIterator[Probe]:
    """Runs the service until the block ends."""
    settings = RuntimeSettings.model_validate({"listen": "127.0.0.1:0", "grace_seconds": 5.0, **overrides})
    registry = CollectorRegistry()
    environment = Environment(
        service="probe",
        clock=utc_now,
        observer=Observer("probe", Metrics(registry)),
        validator=shared_validator(),
        max_calls=settings.max_calls,
        max_watchers=settings.max_watchers,
    )
    pipeline = Pipeline(environment)
    pipeline.add(methods_of([probe_module()]), [ProbeServicer(watch)])

    async def serving() -> bool:
        return True

    server = Server(pipeline, settings, serving, default_listen="")
    address = await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Probe(channel, server, pipeline, registry)
    finally:
        await server.stop()
