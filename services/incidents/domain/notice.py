"""The notice to the authority under the PDPL: five blocks, what is missing of each, filings and supplements.

The blocks are those of the PDPL's implementing regulation (specification §2). A field counts as there once it is there in
Arabic, the language of the authority; the English beside it is for the house. What is not known yet does not hold back the
first filing, since 72 hours pass: it is filed with a reason for what is missing, and supplemented later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks, has_visible_text
from services.domain.dates import named_moment
from services.domain.errors import NotFound, PersonRequired, PreconditionFailed
from services.domain.texts import Bilingual, TextsFile, isolated
from services.incidents.domain.severity import TEXTS
from services.incidents.domain.told import told
from services.incidents.domain.written import NO_TEXT, Text


class NoticeNotFound(NotFound):
    """No notice was begun. Metadata: ``incident_id``."""

    reason: ClassVar[str] = "NOTICE_NOT_FOUND"


class NoticeNotDue(PreconditionFailed):
    """The incident asks for no notice. Metadata: ``incident_id``."""

    reason: ClassVar[str] = "NOTICE_NOT_DUE"


class NoticeIncomplete(PreconditionFailed):
    """Something is missing. Metadata: ``incident_id``, ``gaps`` (how many)."""

    reason: ClassVar[str] = "NOTICE_INCOMPLETE"


class NoticeFiled(PreconditionFailed):
    """It was filed before. Metadata: ``incident_id``."""

    reason: ClassVar[str] = "NOTICE_FILED"


class NoticeNotFiled(PreconditionFailed):
    """It was not filed yet. Metadata: ``incident_id``."""

    reason: ClassVar[str] = "NOTICE_NOT_FILED"


class NoticeUnchanged(PreconditionFailed):
    """It is what was filed last. Metadata: ``incident_id``."""

    reason: ClassVar[str] = "NOTICE_UNCHANGED"


class Block(StrEnum):
    EVENT = "event"
    SCOPE = "scope"
    CONSEQUENCES = "consequences"
    DATA_SUBJECTS = "data_subjects"
    CONTACT = "contact"


class Completeness(StrEnum):
    MISSING = "missing"
    PARTIAL = "partial"
    COMPLETE = "complete"


class Told(StrEnum):
    """Whether the people concerned were told."""

    YES = "yes"
    PLANNED = "planned"
    NO = "no"


class Field(StrEnum):
    """What a block asks for; the value names it in the contract with its first underscore after the block as a dot."""

    EVENT_DESCRIPTION = "event_description"
    EVENT_BEGIN_TIME = "event_begin_time"
    EVENT_END_TIME = "event_end_time"
    SCOPE_DATA_CATEGORIES = "scope_data_categories"
    SCOPE_PEOPLE_CATEGORIES = "scope_people_categories"
    SCOPE_RECORDS = "scope_records"
    SCOPE_PEOPLE = "scope_people"
    CONSEQUENCES_RISKS = "consequences_risks"
    CONSEQUENCES_EFFECTS = "consequences_effects"
    CONSEQUENCES_MEASURES = "consequences_measures"
    DATA_SUBJECTS_TOLD = "data_subjects_told"
    DATA_SUBJECTS_TELL_TIME = "data_subjects_tell_time"
    DATA_SUBJECTS_EXPLANATION = "data_subjects_explanation"
    CONTACT_ROLE = "contact_role"
    CONTACT_EMAIL_OR_PHONE = "contact_email_or_phone"

    @property
    def block(self) -> Block:
        """The block that it belongs to."""
        return next(block for block in Block if self.value.startswith(f"{block.value}_"))

    @property
    def path(self) -> str:
        """Its place in the contract's ``NoticeBlocks``, such as ``scope.people``."""
        return f"{self.block.value}.{self.value.removeprefix(self.block.value + '_')}"


@dataclass(frozen=True, slots=True)
class Blocks:
    """What the notice says; None, and empty, is not known yet. Times are UTC, numbers 0 or more."""

    description: Text = NO_TEXT
    begin_at: datetime | None = None
    end_at: datetime | None = None
    data_categories: tuple[Text, ...] = ()
    people_categories: tuple[Text, ...] = ()
    records: int | None = None
    people: int | None = None
    approximate: bool = False
    risks: Text = NO_TEXT
    effects: Text = NO_TEXT
    measures: Text = NO_TEXT
    told: Told | None = None
    tell_at: datetime | None = None
    explanation: Text = NO_TEXT
    contact_role: Text = NO_TEXT
    contact_email: str = ""
    contact_phone: str = ""


@dataclass(frozen=True, slots=True)
class BlockStatus:
    """How much of a block is there, and the fields that are missing."""

    block: Block
    completeness: Completeness
    missing: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Filing:
    """A person's record of a filing with the authority: what was filed, when (UTC), and what was missing of it then."""

    number: int
    reference: str
    actor: ActorLike
    filed_at: datetime
    recorded_at: datetime
    late: bool
    late_reason: str
    incomplete_reason: str
    missing: tuple[Field, ...]
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it stands, with its filings, oldest first. ``revision`` counts its changes from 1."""

    incident_id: str
    blocks: Blocks
    filings: tuple[Filing, ...]
    created_at: datetime
    updated_at: datetime
    revision: int = 1

    @property
    def etag(self) -> str:
        """Changes with every change of the notice."""
        return f"r{self.revision}"

    @property
    def filed_as_it_stands(self) -> bool:
        """Whether what it says now is what was filed last."""
        return bool(self.filings) and self.filings[-1].blocks == self.blocks


# --- completeness -----------------------------------------------------------------------------------------------------


def status(blocks: Blocks) -> tuple[BlockStatus, ...]:
    """The five blocks, each with what is missing."""
    there = {field: _there(blocks, field) for field in Field}
    found = []
    for block in Block:
        asked = [field for field in Field if field.block is block and _asked(blocks, field)]
        missing = tuple(field for field in asked if not there[field])
        if not missing:
            completeness = Completeness.COMPLETE
        elif any(there[field] for field in Field if field.block is block):
            completeness = Completeness.PARTIAL
        else:
            completeness = Completeness.MISSING
        found.append(BlockStatus(block, completeness, missing))
    return tuple(found)


def missing_fields(blocks: Blocks) -> tuple[Field, ...]:
    """Every field that is missing, in the order of the blocks."""
    return tuple(field for block in status(blocks) for field in block.missing)


def _asked(blocks: Blocks, field: Field) -> bool:
    """Whether a field is needed: an end is not while it goes on, a time of telling is not where nobody is told."""
    if field is Field.EVENT_END_TIME:
        return False
    if field is Field.DATA_SUBJECTS_TELL_TIME:
        return blocks.told in (Told.YES, Told.PLANNED)
    return True


def _there(blocks: Blocks, field: Field) -> bool:
    match field:
        case Field.SCOPE_DATA_CATEGORIES:
            return _any_said(blocks.data_categories)
        case Field.SCOPE_PEOPLE_CATEGORIES:
            return _any_said(blocks.people_categories)
        case Field.CONTACT_EMAIL_OR_PHONE:
            return bool(blocks.contact_email or blocks.contact_phone)
    value = _values(blocks)[field]
    return has_visible_text(value.ar) if isinstance(value, Text) else value is not None


def _any_said(texts: Iterable[Text]) -> bool:
    return any(has_visible_text(text.ar) for text in texts)


def _values(blocks: Blocks) -> dict[Field, object]:
    return {
        Field.EVENT_DESCRIPTION: blocks.description,
        Field.EVENT_BEGIN_TIME: blocks.begin_at,
        Field.EVENT_END_TIME: blocks.end_at,
        Field.SCOPE_DATA_CATEGORIES: blocks.data_categories,
        Field.SCOPE_PEOPLE_CATEGORIES: blocks.people_categories,
        Field.SCOPE_RECORDS: blocks.records,
        Field.SCOPE_PEOPLE: blocks.people,
        Field.CONSEQUENCES_RISKS: blocks.risks,
        Field.CONSEQUENCES_EFFECTS: blocks.effects,
        Field.CONSEQUENCES_MEASURES: blocks.measures,
        Field.DATA_SUBJECTS_TOLD: blocks.told,
        Field.DATA_SUBJECTS_TELL_TIME: blocks.tell_at,
        Field.DATA_SUBJECTS_EXPLANATION: blocks.explanation,
        Field.CONTACT_ROLE: blocks.contact_role,
        Field.CONTACT_EMAIL_OR_PHONE: tuple(part for part in (blocks.contact_email, blocks.contact_phone) if part),
    }


# --- the life of a notice ---------------------------------------------------------------------------------------------


def update(incident_id: str, found: Notice | None, blocks: Blocks, now: datetime) -> Notice:
    """The notice with what it says now; None for ``found`` begins one. The same again changes nothing.

    ``InvalidInput`` names each of: a beginning in the future, an end before the beginning or in the future, a telling that is
    said to have happened in the future.
    """
    checks = Checks()
    if blocks.begin_at is not None and blocks.begin_at > now:
        checks.note("blocks.event.begin_time", "IN_FUTURE", "must not be later than now")
    if blocks.end_at is not None and blocks.end_at > now:
        checks.note("blocks.event.end_time", "IN_FUTURE", "must not be later than now")
    if blocks.begin_at is not None and blocks.end_at is not None and blocks.end_at < blocks.begin_at:
        checks.note("blocks.event.end_time", "END_BEFORE_BEGIN", "must not be before begin_time")
    if blocks.told is Told.YES and blocks.tell_at is not None and blocks.tell_at > now:
        checks.note("blocks.data_subjects.tell_time", "IN_FUTURE", "who was told was told by now")
    checks.done()
    if found is None:
        return Notice(incident_id, blocks, (), now, now)
    if found.blocks == blocks:
        return found
    return replace(found, blocks=blocks, updated_at=now, revision=found.revision + 1)


@dataclass(frozen=True, slots=True)
class FilingFacts:
    """What a person records of a filing. ``late_reason`` and ``incomplete_reason`` are empty where there is nothing to say."""

    reference: str
    filed_at: datetime
    late_reason: str = ""
    incomplete_reason: str = ""


def file(
    found: Notice,
    facts: FilingFacts,
    *,
    aware_at: datetime,
    due_at: datetime,
    actor: ActorLike,
    now: datetime,
    wording: Wording,
) -> Notice:
    """The notice with its first filing. Filed at ``due_at`` itself is in time.

    Raises ``PersonRequired``, ``InvalidInput``, ``NoticeFiled`` and ``NoticeIncomplete``. Whether a late one is told with its
    reason is asked by the obligation that it meets.
    """
    _check_filing(facts, actor, now, aware_at, "BEFORE_AWARENESS", "must not be before Dealix became aware")
    if found.filings:
        raise NoticeFiled("the notice was filed before; record a supplement", incident_id=found.incident_id)
    missing = missing_fields(found.blocks)
    first = status(found.blocks)[0]
    if missing and (first.completeness is Completeness.MISSING or not has_visible_text(facts.incomplete_reason)):
        raise _incomplete(found.incident_id, missing, wording)
    late = facts.filed_at > due_at
    return _with_filing(found, facts, actor, now, late=late, missing=missing)


def supplement(found: Notice, facts: FilingFacts, *, actor: ActorLike, now: datetime) -> Notice:
    """The notice with one filing more: what it says now.

    Raises ``PersonRequired``, ``NoticeNotFiled``, ``InvalidInput`` and ``NoticeUnchanged``.
    """
    if not found.filings:
        raise NoticeNotFiled("the notice was not filed yet", incident_id=found.incident_id)
    last = found.filings[-1].filed_at
    _check_filing(facts, actor, now, last, "BEFORE_LAST_FILING", "must not be before the last filing")
    if found.filed_as_it_stands:
        raise NoticeUnchanged("nothing changed since the last filing", incident_id=found.incident_id)
    return _with_filing(found, facts, actor, now, late=False, missing=missing_fields(found.blocks))


def owed(found: Notice | None) -> tuple[Field, ...]:
    """What the notice still lacks before nothing is owed any more; every field where none was begun.

    A complete notice whose last changes were not filed lacks nothing here: see `Notice.filed_as_it_stands`.
    """
    return missing_fields(found.blocks if found is not None else Blocks())


def _check_filing(
    facts: FilingFacts, actor: ActorLike, now: datetime, earliest: datetime, reason: str, description: str
) -> None:
    if actor.kind != "person":
        raise PersonRequired("only a person files a notice", action="record_notice_filed")
    checks = Checks()
    checks.text("reference", facts.reference)
    if facts.filed_at > now:
        checks.note("file_time", "IN_FUTURE", "must not be later than now")
    if facts.filed_at < earliest:
        checks.note("file_time", reason, description)
    checks.done()


def _with_filing(
    found: Notice, facts: FilingFacts, actor: ActorLike, now: datetime, *, late: bool, missing: tuple[Field, ...]
) -> Notice:
    filing = Filing(
        number=len(found.filings) + 1,
        reference=facts.reference,
        actor=actor,
        filed_at=facts.filed_at,
        recorded_at=now,
        late=late,
        late_reason=facts.late_reason if late else "",
        incomplete_reason=facts.incomplete_reason if missing else "",
        missing=missing,
        blocks=found.blocks,
    )
    return replace(found, filings=(*found.filings, filing), updated_at=now, revision=found.revision + 1)


def _incomplete(incident_id: str, missing: tuple[Field, ...], wording: Wording) -> NoticeIncomplete:
    return NoticeIncomplete(
        "the notice lacks something; file it with incomplete_reason once it says what happened, and supplement it",
        told((field.block.value.upper(), field.path, wording.fields[field]) for field in missing),
        incident_id=incident_id,
        gaps=str(len(missing)),
    )


# --- wording ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wording:
    """What blocks and fields are called, and how the notice reads."""

    version: str
    legal: Bilingual
    title: Bilingual
    unknown: Bilingual
    approximate: Bilingual
    aware: Bilingual
    moment: Bilingual
    missing: Bilingual
    blocks: Mapping[Block, Bilingual]
    fields: Mapping[Field, Bilingual]
    told: Mapping[Told, Bilingual]


def load_wording(path: Path | None = None) -> Wording:
    """Read ``notice.toml`` (None: the one shipped). `TextsError` names every fault of it."""
    file = TextsFile(TEXTS / "notice.toml" if path is None else path)
    text = file.table("text")
    found = Wording(
        version=file.text("version"),
        legal=file.table("legal").bilingual("reference"),
        title=text.bilingual("title"),
        unknown=text.bilingual("unknown"),
        approximate=text.bilingual("approximate", frozenset({"n"})),
        aware=text.bilingual("aware"),
        moment=text.bilingual("moment", frozenset({"moment"})),
        missing=text.bilingual("missing", frozenset({"fields"})),
        blocks=MappingProxyType(
            {block: table.bilingual("name") for block, table in file.table("blocks").each(Block).items()}
        ),
        fields=MappingProxyType(
            {field: table.bilingual("name") for field, table in file.table("fields").each(Field).items()}
        ),
        told=MappingProxyType({told: table.bilingual("name") for told, table in file.table("told").each(Told).items()}),
    )
    file.finish()
    return found


def missing_words(missing: tuple[Field, ...], wording: Wording) -> Bilingual | None:
    """What is missing, in words; None where nothing is."""
    if not missing:
        return None
    return wording.missing.format(fields=_listed(wording.fields[field] for field in missing))


def as_text(blocks: Blocks, aware_at: datetime, wording: Wording) -> Bilingual:
    """The notice to read: every block with every field, those not known yet said to be so."""
    lines = [wording.title, wording.legal]
    values = _values(blocks)
    for number, block in enumerate(Block, start=1):
        name = wording.blocks[block]
        lines += [_EMPTY, Bilingual(f"{number}. {name.ar}", f"{number}. {name.en}")]
        if block is Block.EVENT:
            lines.append(_line(wording.aware, _moment(aware_at, wording)))
        for field in Field:
            there = _there(blocks, field)
            if field.block is block and (there or _asked(blocks, field)):
                value = _shown(values[field], blocks.approximate, wording) if there else wording.unknown
                lines.append(_line(wording.fields[field], value))
    return Bilingual("\n".join(line.ar for line in lines), "\n".join(line.en for line in lines))


_EMPTY = Bilingual("", "")


def _line(name: Bilingual, value: Bilingual) -> Bilingual:
    return Bilingual(f"{name.ar}: {isolated(value.ar)}", f"{name.en}: {value.en}")


def _moment(at: datetime, wording: Wording) -> Bilingual:
    return wording.moment.format(moment=named_moment(at))


def _shown(value: object, approximate: bool, wording: Wording) -> Bilingual:
    match value:
        case Told():
            return wording.told[value]
        case datetime():
            return _moment(value, wording)
        case int():
            number = Bilingual(f"{value:,}", f"{value:,}")
            return wording.approximate.format(n=number) if approximate else number
        case Text():
            # The language of the authority stands in for what was not translated; never the other way round.
            return Bilingual(value.ar, value.en or value.ar)
        case tuple():
            return _listed(_shown(one, approximate, wording) for one in value)
    return Bilingual(str(value), str(value))


def _listed(parts: Iterable[Bilingual]) -> Bilingual:
    found = list(parts)
    return Bilingual(
        "، ".join(part.ar for part in found if part.ar.strip()),
        ", ".join(part.en for part in found if part.en.strip()),
    )
