"""What customers are told of an incident: texts in both languages with the facts filled in (specification §2).

A fact that is not known is left out, never invented; what a kind cannot do without is asked for. Both languages say the same
figures, dates and names (`services.incidents.domain.parity`), nothing in them is a prohibited claim, and no identifier of
ours stands in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from services.domain.channel_names import load_channel_names
from services.domain.channels import Channel
from services.domain.checks import Checks
from services.domain.claims import ClaimChecker
from services.domain.dates import named_moment
from services.domain.errors import PreconditionFailed
from services.domain.texts import Bilingual, TextsFile, isolated
from services.incidents.domain.parity import Name, ParityChecker
from services.incidents.domain.severity import TEXTS, Severity
from services.incidents.domain.written import Text, names_internal_id


class CommunicationKind(StrEnum):
    SEV1_FIRST_HOUR = "sev1_first_hour"
    SEV1_DATA_LEAK = "sev1_data_leak"
    SEV2 = "sev2"

    @property
    def severity(self) -> Severity:
        """The severity of the incidents that it is told of."""
        return Severity.SEV2 if self is CommunicationKind.SEV2 else Severity.SEV1


class CommunicationRefused(PreconditionFailed):
    """The incident is not one to tell customers this of. Metadata: ``incident_id``, ``kind``, ``cause``."""

    reason: ClassVar[str] = "COMMUNICATION_REFUSED"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known. None and empty are left out of the text; times are UTC, counts at least 1.

    ``frozen`` are the channels on which sending is held back now; None among them stands for all channels.
    """

    what_happened: Text
    begin_at: datetime | None = None
    measures: tuple[Text, ...] = ()
    advice: tuple[Text, ...] = ()
    next_update_at: datetime | None = None
    data_categories: tuple[Text, ...] = ()
    people: int | None = None
    affected_customers: int | None = None
    contact: Text | None = None
    names: tuple[Name, ...] = ()
    frozen: tuple[Channel | None, ...] = ()


class Part(StrEnum):
    """The paragraphs that facts are told in, in the order in which they stand."""

    WHAT_HAPPENED = "what_happened"
    BEGIN = "begin"
    AFFECTED_CUSTOMERS = "affected_customers"
    DATA_CATEGORIES = "data_categories"
    PEOPLE = "people"
    FROZEN = "frozen"
    FROZEN_ALL = "frozen_all"
    MEASURES = "measures"
    ADVICE = "advice"
    NEXT_UPDATE = "next_update"
    CONTACT = "contact"


_PLACEHOLDERS: Mapping[Part, str] = MappingProxyType(
    {
        Part.WHAT_HAPPENED: "what",
        Part.BEGIN: "moment",
        Part.AFFECTED_CUSTOMERS: "n",
        Part.PEOPLE: "n",
        Part.FROZEN: "channels",
        Part.NEXT_UPDATE: "moment",
        Part.CONTACT: "contact",
    }
)

_NEEDED: Mapping[CommunicationKind, tuple[str, ...]] = MappingProxyType(
    {
        CommunicationKind.SEV1_FIRST_HOUR: ("next_update_time",),
        CommunicationKind.SEV1_DATA_LEAK: ("data_categories", "contact"),
        CommunicationKind.SEV2: ("begin_time", "next_update_time"),
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the facts of one kind."""

    title: Bilingual
    opening: Bilingual
    closing: Bilingual


@dataclass(frozen=True, slots=True)
class Texts:
    """The wording of communications."""

    version: str
    moment: Bilingual
    kinds: Mapping[CommunicationKind, Frame]
    parts: Mapping[Part, Bilingual]
    channels: Mapping[Channel, Bilingual]


@dataclass(frozen=True, slots=True)
class Communication:
    """A text for customers. ``title`` tells the approver what it is and is no part of it."""

    kind: CommunicationKind
    title: Bilingual
    body: Bilingual


def load_texts(path: Path | None = None) -> Texts:
    """Read ``communications.toml`` (None: the one shipped). `TextsError` names every fault of it."""
    file = TextsFile(TEXTS / "communications.toml" if path is None else path)
    version = file.text("version")
    moment = file.table("moment").bilingual("text", frozenset({"moment"}))
    kinds = {
        kind: Frame(table.bilingual("title"), table.bilingual("opening"), table.bilingual("closing"))
        for kind, table in file.table("kinds").each(CommunicationKind).items()
    }
    parts = {
        part: table.bilingual("text", frozenset({_PLACEHOLDERS[part]} if part in _PLACEHOLDERS else ()))
        for part, table in file.table("parts").each(Part).items()
    }
    file.finish()
    return Texts(version, moment, MappingProxyType(kinds), MappingProxyType(parts), load_channel_names())


def check_facts(kind: CommunicationKind, facts: Facts, now: datetime) -> None:
    """``InvalidInput`` names each fact that the kind needs and lacks, or has no use for; each text that is blank in a language
    or names an identifier of ours; a beginning in the future, and a next update that is not in it."""
    checks = Checks()
    there = {
        "begin_time": facts.begin_at is not None,
        "next_update_time": facts.next_update_at is not None,
        "data_categories": bool(facts.data_categories),
        "people": facts.people is not None,
        "contact": facts.contact is not None,
    }
    for name in _NEEDED[kind]:
        if not there[name]:
            checks.note(f"facts.{name}", "REQUIRED", f"is needed for {kind}")
    if kind is not CommunicationKind.SEV1_DATA_LEAK:
        for name in ("data_categories", "people"):
            if there[name]:
                checks.note(f"facts.{name}", "NOT_OF_KIND", "is for a data leak only")
    if facts.begin_at is not None and facts.begin_at > now:
        checks.note("facts.begin_time", "IN_FUTURE", "must not be later than now")
    if facts.next_update_at is not None and facts.next_update_at <= now:
        checks.note("facts.next_update_time", "NOT_IN_FUTURE", "must be later than now")
    for path, text in _texts_of(facts):
        for field, value in ((f"{path}.text_ar", text.ar), (f"{path}.text_en", text.en)):
            checks.text(field, value)
            if names_internal_id(value):
                checks.note(field, "INTERNAL_ID", "must not name a ticket, an incident or another identifier of ours")
    checks.done()


def write(
    kind: CommunicationKind, facts: Facts, now: datetime, texts: Texts, parity: ParityChecker, claims: ClaimChecker
) -> Communication:
    """The text of a kind with its facts. Raises ``InvalidInput``, ``ProhibitedClaim`` and ``ParityBroken``."""
    check_facts(kind, facts, now)
    frame = texts.kinds[kind]
    paragraphs = [frame.opening, *_paragraphs(facts, texts), frame.closing]
    body = Bilingual("\n\n".join(p.ar for p in paragraphs), "\n\n".join(p.en for p in paragraphs))
    claims.require_clean(body.ar, body.en, field="facts")
    parity.require_same(body.ar, body.en, facts.names)
    return Communication(kind, frame.title, body)


def check_incident(
    kind: CommunicationKind, incident_id: str, *, severity: Severity, data_leak: bool, drill: bool, cancelled: bool
) -> None:
    """Raises ``CommunicationRefused`` where the incident is not one to tell customers this of."""
    cause = ""
    if drill:
        cause = "drill"
    elif cancelled:
        cause = "cancelled"
    elif severity is not kind.severity:
        cause = f"severity_{severity}"
    elif kind is CommunicationKind.SEV1_DATA_LEAK and not data_leak:
        cause = "no_data_leak"
    if cause:
        raise CommunicationRefused(
            f"a {kind} is not told of this incident: {cause}", incident_id=incident_id, kind=kind.value, cause=cause
        )


def _texts_of(facts: Facts) -> Iterable[tuple[str, Text]]:
    yield "facts.what_happened", facts.what_happened
    for name, rows in (
        ("measures", facts.measures),
        ("advice", facts.advice),
        ("data_categories", facts.data_categories),
    ):
        for number, text in enumerate(rows):
            yield f"facts.{name}[{number}]", text
    if facts.contact is not None:
        yield "facts.contact", facts.contact


def _paragraphs(facts: Facts, texts: Texts) -> Iterable[Bilingual]:
    told: dict[Part, Bilingual | None] = {
        Part.WHAT_HAPPENED: _one(facts.what_happened),
        Part.BEGIN: _moment(facts.begin_at, texts),
        Part.AFFECTED_CUSTOMERS: _count(facts.affected_customers),
        Part.PEOPLE: _count(facts.people),
        Part.FROZEN: _channels(facts.frozen, texts),
        Part.NEXT_UPDATE: _moment(facts.next_update_at, texts),
        Part.CONTACT: _one(facts.contact),
    }
    lists = {
        Part.DATA_CATEGORIES: facts.data_categories,
        Part.MEASURES: facts.measures,
        Part.ADVICE: facts.advice,
    }
    for part in Part:
        shape = texts.parts[part]
        if part in lists:
            if lists[part]:
                yield Bilingual(
                    "\n".join([shape.ar, *(f"• {isolated(text.ar)}" for text in lists[part])]),
                    "\n".join([shape.en, *(f"• {text.en}" for text in lists[part])]),
                )
        elif part is Part.FROZEN_ALL:
            if None in facts.frozen:
                yield shape
        else:
            value = told[part]
            if value is not None:
                yield shape.format(**{_PLACEHOLDERS[part]: value})


def _one(text: Text | None) -> Bilingual | None:
    return None if text is None else Bilingual(text.ar, text.en)


def _count(number: int | None) -> Bilingual | None:
    return None if number is None else Bilingual(f"{number:,}", f"{number:,}")


def _moment(at: datetime | None, texts: Texts) -> Bilingual | None:
    return None if at is None else texts.moment.format(moment=named_moment(at))


def _channels(frozen: tuple[Channel | None, ...], texts: Texts) -> Bilingual | None:
    named = [texts.channels[channel] for channel in texts.channels if channel in frozen]
    if not named or None in frozen:
        return None
    return Bilingual("، ".join(name.ar for name in named), ", ".join(name.en for name in named))
