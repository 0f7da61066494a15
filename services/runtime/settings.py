"""What an operator can set, from the environment. There is no setting that allows a live send."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):([0-9]{1,5})")
_URL_KINDS = ("sqlite", "postgresql", "postgres", "postgresql+asyncpg")

PORTS = {"gateway": 50050, "support": 50051, "incidents": 50052, "onboarding": 50053, "success": 50054}


class RuntimeSettings(BaseSettings):
    """Settings of any process, each from ``CUSTOMER_OPS_<NAME>``. Times are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix="CUSTOMER_OPS_", extra="ignore")

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
        found = _ADDRESS.fullmatch(value)
        if value and (found is None or int(found[1]) > 65535):
            raise ValueError("must be HOST:PORT, with a port from 0 to 65535")
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
    def _is_known_kind(cls, value: str) -> str:
        # Nothing of the value in the message: it may hold a password.
        if value and value.partition("://")[0] not in _URL_KINDS:
            raise ValueError("must be postgresql://... or sqlite:///...")
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

    def targets(self) -> dict[str, str]:
        """The target of each service by its name."""
        return {
            "support": self.support_target,
            "incidents": self.incidents_target,
            "onboarding": self.onboarding_target,
            "success": self.success_target,
        }
