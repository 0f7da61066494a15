"""The made-up first week as data: read from ``texts/first_week.toml``, every fault of the file named at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dealix.common.v1 import channel_pb2
from dealix.incidents.v1 import incident_pb2
from dealix.onboarding.v1 import connector_pb2
from dealix.success.v1 import success_pb2, success_service_pb2
from google.protobuf.json_format import ParseDict, ParseError

from customer_ops.names import value_of

FIRST_WEEK = Path(__file__).parent / "texts" / "first_week.toml"


@dataclass(frozen=True, slots=True)
class Step:
    """A step to complete: what it takes, and the note of the approval where it asks for one."""

    step_id: str
    input: str
    note: str


@dataclass(frozen=True, slots=True)
class ConnectorSetup:
    """A connector to connect; WhatsApp with its opt-in audit (numbers and where it is kept)."""

    key: str
    state: int
    opted_in_numbers: int
    audit_reference: str


@dataclass(frozen=True, slots=True)
class TicketText:
    """A customer's message."""

    channel: int
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class FirstWeek:
    """Everything that the show says and does. ``headings`` and ``notes`` are by name and language."""

    customer_id: str
    bundle_id: str
    people: Mapping[str, str]
    headings: Mapping[str, str]
    notes: Mapping[str, str]
    steps: tuple[Step, ...]
    connectors: tuple[ConnectorSetup, ...]
    tickets: tuple[TicketText, ...]
    incident: incident_pb2.TriageFacts
    incident_channel: str
    week: success_pb2.WeekMetrics
    activity: success_service_pb2.BuildAtRiskAlertRequest
    health: success_service_pb2.BuildHealthScoreRequest


class ScriptFaulty(ValueError):
    """The file does not hold what the show needs."""


def load_first_week(path: Path = FIRST_WEEK) -> FirstWeek:
    """Reads the file. Raises ``ScriptFaulty`` where something is missing or is not in the contract."""
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        incident = dict(data["incident"])
        channel = incident.pop("channel")
        return FirstWeek(
            customer_id=data["customer_id"],
            bundle_id=data["bundle_id"],
            people=data["people"],
            headings=data["headings"],
            notes=data["notes"],
            steps=tuple(Step(s["id"], s.get("input", ""), s.get("note", "")) for s in data["step"]),
            connectors=tuple(
                ConnectorSetup(
                    c["key"],
                    value_of(connector_pb2.ConnectorState, c["state"]),
                    c.get("opted_in_numbers", 0),
                    c.get("audit_reference", ""),
                )
                for c in data["connector"]
            ),
            tickets=tuple(
                TicketText(value_of(channel_pb2.Channel, t["channel"]), t["subject"], t["body"].strip())
                for t in data["ticket"]
            ),
            incident=ParseDict(incident, incident_pb2.TriageFacts()),
            incident_channel=channel,
            week=ParseDict(data["week"], success_pb2.WeekMetrics()),
            activity=ParseDict(data["activity"], success_service_pb2.BuildAtRiskAlertRequest()),
            health=ParseDict(data["health"], success_service_pb2.BuildHealthScoreRequest()),
        )
    except (KeyError, ValueError, ParseError) as error:
        raise ScriptFaulty(f"{path.name}: {error}") from None
