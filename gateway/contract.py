"""Which service answers which methods: every RPC of a service's package in the contract, and the gateway's own."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType

SERVICES = ("support", "incidents", "onboarding", "success")


def _rpcs_of(name: str) -> tuple[ModuleType, ...]:
    """The stubs of every ``*_service.proto`` of a package."""
    package = f"dealix.{name}.v1"
    found = sorted(module.name for module in pkgutil.iter_modules(import_module(package).__path__))
    return tuple(import_module(f"{package}.{module}") for module in found if module.endswith("_service_pb2"))


FORWARDED: Mapping[str, tuple[ModuleType, ...]] = MappingProxyType({name: _rpcs_of(name) for name in SERVICES})
OWN = _rpcs_of("gateway")
