"""What the contract says of each method, read from the descriptors once, when a server is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from services.policy import live_send


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC.

    ``path`` as on the wire, ``/package.Service/Method``. ``writes`` is true for methods whose idempotency level is
    IDEMPOTENT: their request has ``request_id`` and ``actor``. ``approval_always``: see ``services.policy.live_send``.
    ``streams`` is true for methods that answer with any number of messages, each of them a ``response_class``.
    """

    path: str
    service: str
    name: str
    request_class: type[Message]
    response_class: type[Message]
    writes: bool
    approval_always: bool
    streams: bool


def methods_of(modules: Iterable[ModuleType]) -> list[Method]:
    """Every method of every service in the given ``*_pb2`` modules.

    Raises ``TypeError`` where a response cannot carry the flags, a method names no idempotency level, a write has no
    ``request_id`` and ``actor``, a write answers with a stream, or a client streams (which nothing here serves).
    """
    found = []
    for module in modules:
        file: FileDescriptor = module.DESCRIPTOR
        for service in file.services_by_name.values():
            found += _methods_of_service(service)
    return found


def _methods_of_service(service: ServiceDescriptor) -> list[Method]:
    found = []
    for method in service.methods:
        path = f"/{service.full_name}/{method.name}"
        if method.client_streaming:
            raise TypeError(f"{path} takes a stream")
        live_send.check_response_type(method.output_type)
        level = method.GetOptions().idempotency_level
        if level == descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN:
            raise TypeError(f"{path} needs an idempotency_level")
        writes = level == descriptor_pb2.MethodOptions.IDEMPOTENT
        if writes and not {"request_id", "actor"} <= set(method.input_type.fields_by_name):
            raise TypeError(f"{path} writes, so its request needs request_id and actor")
        if writes and method.server_streaming:
            raise TypeError(f"{path} writes, so it is answered once")
        found.append(
            Method(
                path=path,
                service=service.full_name,
                name=method.name,
                request_class=message_factory.GetMessageClass(method.input_type),
                response_class=message_factory.GetMessageClass(method.output_type),
                writes=writes,
                approval_always=path in live_send.ALWAYS_NEEDS_APPROVAL,
                streams=method.server_streaming,
            )
        )
    return found
