"""The made-up first week as data: read from ``texts/first_week.toml``, every fault of the file named at once."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dealix.common.v1 import channel_pb2
from dealix.incidents.v1 import communication_pb2, notice_pb2, post_mortem_pb2
from dealix.success.v1 import activity_pb2, success_pb2
from google.protobuf.json_format import ParseDict, ParseError

from customer_ops.names import value_of

_TEXTS = Path(__file__).parent / "texts"
FIRST_WEEK = _TEXTS / "first_week.toml"
TODAY = _TEXTS / "today.toml"


@dataclass(frozen=True, slots=True)
class Both:
    """The same thing in Arabic and English."""

    ar: str
    en: str


@dataclass(frozen=True, slots=True)
class TicketText:
    """A customer's message that opens a ticket."""

    channel: channel_pb2.Channel.ValueType
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class FirstWeek:
    """Everything that the week says and does.

    ``parts`` are its headings and ``lines`` what it tells, with ``{placeholders}``, some of which are ``words``. ``inputs``
    and ``notes`` belong to the steps of onboarding, ``tickets`` and ``messages`` are the customer's, ``replies`` and
    ``reasons`` ours. ``activity`` is what is on record before the week (how many days, and the event), the rest the facts
    of the incident.
    """

    customer_id: str
    bundle_id: str
    people: Mapping[str, str]
    parts: Mapping[str, Both]
    lines: Mapping[str, Both]
    words: Mapping[str, Both]
    inputs: Mapping[str, str]
    notes: Mapping[str, str]
    tickets: Mapping[str, TicketText]
    messages: Mapping[str, str]
    replies: Mapping[str, Both]
    reasons: Mapping[str, str]
    metrics: success_pb2.WeekMetrics
    activity: tuple[tuple[int, activity_pb2.ActivityInput], ...]
    communication: communication_pb2.CommunicationFacts
    notice: notice_pb2.NoticeBlocks
    notice_supplement: notice_pb2.NoticeBlocks
    post_mortem: post_mortem_pb2.PostMortemContent


class ScriptFaulty(ValueError):
    """The file does not hold what the week needs; the text names every fault."""


def load_first_week(path: Path = FIRST_WEEK) -> FirstWeek:
    """Reads the file. Raises ``ScriptFaulty``."""
    reading = _Reading(tomllib.loads(path.read_text(encoding="utf-8")))
    week = FirstWeek(
        customer_id=reading.text("customer_id"),
        bundle_id=reading.text("bundle_id"),
        people=reading.texts("people"),
        parts=reading.pairs("part"),
        lines=reading.pairs("line"),
        words=reading.pairs("word"),
        inputs=reading.texts("input"),
        notes=reading.texts("note"),
        tickets=reading.each("ticket", _ticket),
        messages=reading.texts("message"),
        replies=reading.pairs("reply"),
        reasons=reading.texts("reason"),
        metrics=reading.message("metrics", success_pb2.WeekMetrics()),
        activity=tuple(reading.each("activity", _activity).values()),
        communication=reading.message("communication", communication_pb2.CommunicationFacts()),
        notice=reading.message("notice", notice_pb2.NoticeBlocks()),
        notice_supplement=reading.message("notice_supplement", notice_pb2.NoticeBlocks()),
        post_mortem=reading.message("post_mortem", post_mortem_pb2.PostMortemContent()),
    )
    reading.finish(path.name)
    return week


def load_today(path: Path = TODAY) -> Mapping[str, Both]:
    """The headings of what is open now, by name. Raises ``ScriptFaulty``."""
    reading = _Reading(tomllib.loads(path.read_text(encoding="utf-8")))
    titles = reading.pairs("title")
    reading.finish(path.name)
    return titles


class _Reading:
    """The tables of the file, read one by one; what is wrong with them is told together at the end."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._faults: list[str] = []

    def text(self, name: str) -> str:
        found = self._data.pop(name, None)
        if not isinstance(found, str) or not found.strip():
            self._faults.append(f"{name}: must be a text")
            return ""
        return found.strip()

    def texts(self, table: str) -> dict[str, str]:
        return self.each(table, _text)

    def pairs(self, table: str) -> dict[str, Both]:
        return self.each(table, _pair)

    def each(self, table: str, read: Callable[[Any], Any]) -> dict[str, Any]:
        found = {}
        for name, entry in self._table(table):
            try:
                found[name] = read(entry)
            except KeyError as error:
                self._faults.append(f"{table}.{name}: {error.args[0]} is missing")
            except (ValueError, TypeError, ParseError) as error:
                self._faults.append(f"{table}.{name}: {error}")
        return found

    def message(self, name: str, into: Any) -> Any:
        try:
            return ParseDict(dict(self._table(name)), into)
        except ParseError as error:
            self._faults.append(f"{name}: {error}")
            return into

    def finish(self, file: str) -> None:
        self._faults += [f"{name}: nothing asks for it" for name in self._data]
        if self._faults:
            raise ScriptFaulty(f"{file}: {'; '.join(self._faults)}")

    def _table(self, name: str) -> Iterator[tuple[str, Any]]:
        found = self._data.pop(name, None)
        if not isinstance(found, dict) or not found:
            self._faults.append(f"{name}: must be a table")
            return
        yield from found.items()


def _text(entry: Any) -> str:
    if not isinstance(entry, str) or not entry.strip():
        raise ValueError("must be a text")
    return entry.strip()


def _pair(entry: Any) -> Both:
    said = Both(_text(entry["ar"]), _text(entry["en"]))
    if not any("\u0600" <= char <= "\u06ff" for char in said.ar):
        raise ValueError("ar must be Arabic")
    if _placeholders(said.ar) != _placeholders(said.en):
        raise ValueError("ar and en must name the same values")
    return said


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _ticket(entry: Any) -> TicketText:
    channel = channel_pb2.Channel.ValueType(value_of(channel_pb2.Channel, entry["channel"]))
    subject = entry["subject"]
    if not isinstance(subject, str):
        raise ValueError("subject must be a text; it may be empty")
    return TicketText(channel, subject.strip(), _text(entry["body"]))


def _activity(entry: Any) -> tuple[int, activity_pb2.ActivityInput]:
    fields = dict(entry)
    return int(fields.pop("days_before")), ParseDict(fields, activity_pb2.ActivityInput())
