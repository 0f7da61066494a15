"""What an operator can set, from the environment. There is no setting that allows a live send."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "CUSTOMER_OPS_"
PORTS = {"gateway": 50050, "support": 50051, "incidents": 50052, "onboarding": 50053, "success": 50054}

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/,\[\]]+)):([0-9]{1,5})")
_MAX_PORT = 65535
_OTHER_SCHEME = re.compile(r"(?:unix|unix-abstract|vsock|passthrough):.")
_SCHEME = re.compile(r"dns:(?://[^/\s]*/)?|ipv4:|ipv6:|")
# Variables that are no settings of a process: those of the command line, of docker-compose.yml and of the tests.
_NO_SETTINGS = re.compile(r"ADDRESS|ACTOR|PORT|CONTAINER_ENGINE|TEST_\w+")
# What Kubernetes adds for services whose names begin with customer-ops.
_SERVICE_LINK = re.compile(r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_\w+)?)")
_LINKED_PORT = re.compile(r"(?:tcp|udp|sctp)://")


class SettingsFaulty(Exception):
    """Settings that cannot be used.

    ``faults`` holds, by variable, what is wrong with its value; never the value, which may hold a password.
    """

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {said}" for name, said in faults.items()))
        self.faults = faults


class RuntimeSettings(BaseSettings):
    """Settings of any process, each from ``CUSTOMER_OPS_<NAME>``. Times are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    listen: str = ""
    """``HOST:PORT``; port 0 takes a free one. Empty: 127.0.0.1 and the service's own port."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = True
    reflection: bool = False
    """Whether clients may ask for the contract's descriptors (grpcurl and the like)."""
    metrics_listen: str = ""
    """``HOST:PORT`` of the Prometheus endpoint; empty for none."""
    max_calls: int = Field(default=512, ge=1, le=100_000)
    """Calls at work at once; more are refused with OVERLOADED."""
    max_request_bytes: int = Field(default=2 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    max_call_seconds: float = Field(default=30.0, gt=0, le=600)
    """The longest a call may take, whatever deadline the client set."""
    max_watchers: int = Field(default=64, ge=1, le=10_000)
    """Streams open at once, beside ``max_calls``; more are refused with OVERLOADED."""
    watch_seconds: float = Field(default=300.0, gt=0, le=3600)
    """How long a stream lasts; it ends with OK then, and its client begins another."""
    drain_seconds: float = Field(default=0.0, ge=0, le=60)
    """After SIGTERM: how long health says NOT_SERVING before new calls are refused."""
    grace_seconds: float = Field(default=10.0, ge=0, le=300)
    """After that: how long running calls may finish."""
    connection_age_seconds: float = Field(default=300.0, ge=1, le=86_400)
    """Connections are closed gracefully at this age, so that clients find new replicas."""

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            host_and_port(value)
        return value


class ServiceSettings(RuntimeSettings):
    """Settings of a service with a database."""

    database_url: str = Field(default="", repr=False)
    """``postgresql://…`` or ``sqlite:///…``; empty: a SQLite file of the service's name under ``data_dir``."""
    data_dir: Path = Path("data")
    auto_migrate: bool = True
    """Whether to bring the schema up to date at start; with false, ``migrate`` does it as a command of its own."""

    worker_seconds: float = Field(default=1.0, ge=0, le=3600)
    """How often to look for what fell due; 0 for not at all, where another process does."""

    @field_validator("database_url")
    @classmethod
    def _is_database_url(cls, value: str) -> str:
        # The gateway has no database, and starts without this.
        from services.storage.urls import url_faults

        faults = url_faults(value) if value else ()
        if faults:
            raise ValueError("; ".join(faults))
        return value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        if value == "":
            raise ValueError("names no folder; `.` is the one that the process is started in")
        return value

    def database_url_of(self, service: str) -> str:
        """The database URL that holds for a service."""
        return self.database_url or f"sqlite:///{(self.data_dir / service).absolute()}.db"


class GatewaySettings(RuntimeSettings):
    """Settings of the gateway: where the services are, as gRPC targets (``dns:///support:50051``)."""

    support_target: str = "dns:///127.0.0.1:50051"
    incidents_target: str = "dns:///127.0.0.1:50052"
    onboarding_target: str = "dns:///127.0.0.1:50053"
    success_target: str = "dns:///127.0.0.1:50054"

    @field_validator("support_target", "incidents_target", "onboarding_target", "success_target")
    @classmethod
    def _is_target(cls, value: str) -> str:
        if not _can_be_dialled(value):
            forms = "dns:///HOST:PORT, HOST:PORT or ipv4:A.B.C.D:PORT,..."
            raise ValueError(f"must be {forms}, with ports from 1 to {_MAX_PORT}")
        return value

    def targets(self) -> dict[str, str]:
        """The target of each service by its name."""
        return {
            "support": self.support_target,
            "incidents": self.incidents_target,
            "onboarding": self.onboarding_target,
            "success": self.success_target,
        }


S = TypeVar("S", bound=RuntimeSettings)


def load_settings(kind: type[S], given: Mapping[str, object] | None = None) -> S:
    """Settings from the environment; what is ``given``, by the name of the setting, holds before it.

    Raises ``SettingsFaulty``, which names every faulty variable and every misspelt one.
    """
    faults = dict(_misspelt_variables(os.environ))
    try:
        settings = kind(**dict[str, Any](given or {}))
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in fault["loc"]).upper()
            faults[f"{PREFIX}{name}"] = fault["msg"].removeprefix("Value error, ")
    if faults:
        raise SettingsFaulty(faults)
    return settings


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of ``HOST:PORT``, an IPv6 host without its brackets. ``ValueError`` for anything else."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found[3]) > _MAX_PORT:
        raise ValueError(f"must be HOST:PORT, with a port from 0 to {_MAX_PORT}")
    return found[1] or found[2], int(found[3])


def _misspelt_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables with our prefix that are no setting of any process, and nearly the name of one.

    Others are left alone: whatever they mean to somebody, they turn nothing on or off here.
    """
    known = {name.upper() for kind in (ServiceSettings, GatewaySettings) for name in kind.model_fields}
    for variable, value in sorted(environment.items()):
        name = variable.upper().removeprefix(PREFIX)
        if name == variable.upper() or name in known or _is_of_others(name, value):
            continue
        nearest = next((setting for setting in sorted(known) if _is_nearly(name, setting)), None)
        if nearest is not None:
            yield variable, f"there is no such setting; the nearest is {PREFIX}{nearest}"


def _is_nearly(name: str, other: str) -> bool:
    """Whether two names are the same but for underscores and one letter left out or added, or two in another order."""
    one, two = name.replace("_", ""), other.replace("_", "")
    edits = difflib.SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    different = sum([max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in edits if kind != "equal"])
    return different <= 1 + (len(one) == len(two))


def _is_of_others(name: str, value: str) -> bool:
    link = _SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and _LINKED_PORT.match(value))
    return bool(link or _NO_SETTINGS.fullmatch(name))


def _can_be_dialled(target: str) -> bool:
    """Whether gRPC has somewhere to go for a target: it takes any text, and fails with every call.

    Of schemes that need no host and port (``unix:``) only that something follows.
    """
    if _OTHER_SCHEME.match(target):
        return True
    scheme = _SCHEME.match(target)
    kind = scheme[0] if scheme is not None else ""
    places = target[len(kind) :].split(",") if kind.startswith("ip") else [target[len(kind) :]]
    try:
        found = [host_and_port(place) for place in places]
        if kind == "ipv4:":
            for host, _ in found:
                IPv4Address(host)
    except ValueError:
        return False
    return all(port > 0 for _, port in found)
