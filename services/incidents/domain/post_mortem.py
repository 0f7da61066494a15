"""Post-mortems: what they consist of, how they become publishable, and what is missing until then (specification §2).

    draft ──submit──▶ in_review ──approve──▶ approved ──mark publishable──▶ publishable
      ▲                  │                      │                              │
      └──────────────────┴──── the text changes ┴──────────────────────────────┘

An approval and every sign-off hold for one text: they name its revision, and a change of the text leaves them behind. What
is publishable is asked anew whenever it is read: a severity raised later, or a customer found later, takes it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.arabic import MAX_CHARACTERS
from services.domain.checks import Checks, has_visible_text
from services.domain.claims import ClaimChecker
from services.domain.errors import (
    AlreadyExists,
    EtagMismatch,
    NotFound,
    NotPermitted,
    PersonRequired,
    PreconditionFailed,
)
from services.domain.texts import Bilingual, TextsFile
from services.incidents.domain.personal_data import PersonalDataKind, scan
from services.incidents.domain.severity import TEXTS, Severity
from services.incidents.domain.told import told
from services.incidents.domain.written import NO_TEXT, Text, names_internal_id

LEGAL_ROLES = frozenset({"legal", "dpo"})


class PostMortemState(StrEnum):
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    PUBLISHABLE = "publishable"


class SignOffKind(StrEnum):
    LEGAL_REVIEW = "legal_review"
    CUSTOMER_CONSENT = "customer_consent"
    PERSONAL_DATA_REMOVED = "personal_data_removed"


class GapKind(StrEnum):
    SECTION_MISSING = "section_missing"
    OWNER_MISSING = "owner_missing"
    DEADLINE_MISSING = "deadline_missing"
    DEADLINE_PASSED = "deadline_passed"
    PROHIBITED_CLAIM = "prohibited_claim"
    INTERNAL_ID = "internal_id"
    PERSONAL_DATA = "personal_data"
    APPROVAL = "approval"
    INCIDENT_OPEN = "incident_open"
    LEGAL_REVIEW = "legal_review"
    CUSTOMER_CONSENT = "customer_consent"
    PERSONAL_DATA_STATEMENT = "personal_data_statement"
    CUSTOMERS_UNKNOWN = "customers_unknown"


class Section(StrEnum):
    SUMMARY = "summary"
    TIMELINE = "timeline"
    ROOT_CAUSE = "root_cause"
    WHAT_WENT_WELL = "what_went_well"
    WHAT_WENT_WRONG = "what_went_wrong"
    ACTION_ITEMS = "action_items"


class PostMortemNotFound(NotFound):
    """The incident has no post-mortem. Metadata: ``incident_id``."""

    reason: ClassVar[str] = "POST_MORTEM_NOT_FOUND"


class PostMortemExists(AlreadyExists):
    """The incident has a post-mortem. Metadata: ``incident_id``."""

    reason: ClassVar[str] = "POST_MORTEM_EXISTS"


class PostMortemStateRefused(PreconditionFailed):
    """The state does not allow it. Metadata: ``incident_id``, ``state``, ``action``."""

    reason: ClassVar[str] = "POST_MORTEM_STATE_REFUSED"


class PostMortemIncomplete(PreconditionFailed):
    """Something is missing. Metadata: ``incident_id``, ``gaps`` (how many)."""

    reason: ClassVar[str] = "POST_MORTEM_INCOMPLETE"

    def __init__(self, incident_id: str, gaps: tuple[Gap, ...]) -> None:
        self.gaps = gaps
        super().__init__(
            "the post-mortem lacks something",
            told((gap.kind.value.upper(), gap.subject, gap.text) for gap in gaps),
            incident_id=incident_id,
            gaps=str(len(gaps)),
        )


class LegalRoleRequired(NotPermitted):
    """Only a person with the role legal or dpo may do this. Metadata: ``action``, ``role``."""

    reason: ClassVar[str] = "LEGAL_ROLE_REQUIRED"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the course of events. ``occurred_at`` is UTC."""

    occurred_at: datetime
    text: Text


@dataclass(frozen=True, slots=True)
class ActionItem:
    """What is to be done. ``owner`` is the id of a role or a person, empty while nobody sees to it; ``due_at`` is UTC."""

    title: Text
    owner: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The text by its sections."""

    summary: Text = NO_TEXT
    timeline: tuple[Event, ...] = ()
    root_cause: Text = NO_TEXT
    what_went_well: Text = NO_TEXT
    what_went_wrong: Text = NO_TEXT
    action_items: tuple[ActionItem, ...] = ()


@dataclass(frozen=True, slots=True)
class SignOff:
    """What a person says of the text of one revision. ``customer_id`` is empty but for a consent."""

    kind: SignOffKind
    customer_id: str
    content_revision: int
    actor: ActorLike
    signed_at: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class Approved:
    """Who approved the present text, and when (UTC)."""

    actor: ActorLike
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class PostMortem:
    """A post-mortem as it is stored; see `standing` for where it stands. ``revision`` counts its changes from 1."""

    incident_id: str
    state: PostMortemState
    content: Content
    content_revision: int
    approved: Approved | None
    sign_offs: tuple[SignOff, ...]
    created_at: datetime
    updated_at: datetime
    revision: int = 1

    @property
    def etag(self) -> str:
        """Changes with every change of the post-mortem itself; what follows from its incident leaves it as it is."""
        return f"r{self.revision}"

    def holds(self, sign_off: SignOff) -> bool:
        """Whether a sign-off was given for the present text."""
        return sign_off.content_revision == self.content_revision


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What the gate asks of the incident."""

    severity: Severity
    resolved: bool
    customer_ids: tuple[str, ...]

    @property
    def sign_offs_required(self) -> bool:
        """Whether legal review, consents and the statement on personal data are asked for."""
        return self.severity is Severity.SEV1


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is missing: ``subject`` says which of its kind, ``text`` says it to people."""

    kind: GapKind
    subject: str
    text: Bilingual


@dataclass(frozen=True, slots=True)
class Wording:
    """What gaps, sections, languages and kinds of personal data are called."""

    version: str
    sections: Mapping[Section, Bilingual]
    languages: Mapping[str, Bilingual]
    personal_data: Mapping[PersonalDataKind, Bilingual]
    gaps: Mapping[GapKind, Bilingual]


class _Language(StrEnum):
    AR = "ar"
    EN = "en"


_PLACEHOLDERS: Mapping[GapKind, frozenset[str]] = MappingProxyType(
    {
        GapKind.SECTION_MISSING: frozenset({"section"}),
        GapKind.OWNER_MISSING: frozenset({"number"}),
        GapKind.DEADLINE_MISSING: frozenset({"number"}),
        GapKind.DEADLINE_PASSED: frozenset({"number"}),
        GapKind.PROHIBITED_CLAIM: frozenset({"category", "words"}),
        GapKind.INTERNAL_ID: frozenset({"section"}),
        GapKind.PERSONAL_DATA: frozenset({"section", "what", "start", "end"}),
        GapKind.CUSTOMER_CONSENT: frozenset({"customer"}),
    }
)


def load_wording(path: Path | None = None) -> Wording:
    """Read ``post_mortem.toml`` (None: the one shipped). `TextsError` names every fault of it."""
    file = TextsFile(TEXTS / "post_mortem.toml" if path is None else path)
    version = file.text("version")
    sections = {section: table.bilingual("name") for section, table in file.table("sections").each(Section).items()}
    languages = {
        language.value: table.bilingual("name") for language, table in file.table("languages").each(_Language).items()
    }
    personal = {
        kind: table.bilingual("name") for kind, table in file.table("personal_data").each(PersonalDataKind).items()
    }
    gaps = {
        kind: table.bilingual("text", _PLACEHOLDERS.get(kind, frozenset()))
        for kind, table in file.table("gaps").each(GapKind).items()
    }
    file.finish()
    return Wording(
        version,
        MappingProxyType(sections),
        MappingProxyType(languages),
        MappingProxyType(personal),
        MappingProxyType(gaps),
    )


# --- the life of a post-mortem ----------------------------------------------------------------------------------------


def begin(incident_id: str, content: Content, actor: ActorLike, now: datetime) -> PostMortem:
    """The draft. Raises ``PersonRequired`` and ``InvalidInput``."""
    _require_person(actor, "draft_post_mortem")
    check_content(content, now)
    return PostMortem(incident_id, PostMortemState.DRAFT, content, 1, None, (), now, now)


def rewrite(found: PostMortem, content: Content, actor: ActorLike, now: datetime) -> PostMortem:
    """The draft with another text, for which nobody has approved or signed anything; the same text changes nothing.

    Raises ``PersonRequired`` and ``InvalidInput``.
    """
    _require_person(actor, "update_post_mortem")
    check_content(content, now)
    if content == found.content:
        return found
    return replace(
        found,
        state=PostMortemState.DRAFT,
        content=content,
        content_revision=found.content_revision + 1,
        approved=None,
        updated_at=now,
        revision=found.revision + 1,
    )


def submit(found: PostMortem, actor: ActorLike, now: datetime, wording: Wording) -> PostMortem:
    """The post-mortem in review. Raises ``PersonRequired``, ``PostMortemStateRefused`` and ``PostMortemIncomplete``."""
    _require_person(actor, "submit_post_mortem")
    _require_state(found.incident_id, found.state, "submit", PostMortemState.DRAFT)
    _require_nothing(found.incident_id, missing_sections(found.content, wording))
    return _changed(found, now, state=PostMortemState.IN_REVIEW)


def approve(
    found: PostMortem,
    content_revision: int,
    actor: ActorLike,
    now: datetime,
    *,
    resolved: bool,
    claims: ClaimChecker,
    wording: Wording,
) -> PostMortem:
    """The post-mortem approved as it was read. Before the incident is resolved there is no whole course of events to approve.

    Raises ``PersonRequired``, ``PostMortemStateRefused``, ``EtagMismatch`` and ``PostMortemIncomplete``.
    """
    _require_person(actor, "approve_post_mortem")
    _require_state(found.incident_id, found.state, "approve", PostMortemState.IN_REVIEW)
    _require_text(found, content_revision)
    gaps = [*unsayable(found.content, claims, wording)]
    for number, item in enumerate(found.content.action_items, start=1):
        if item.due_at is not None and item.due_at <= now:
            subject = f"action_items[{number - 1}]"
            gaps.append(_gap(wording, GapKind.DEADLINE_PASSED, subject, number=str(number)))
    if not resolved:
        gaps.append(_gap(wording, GapKind.INCIDENT_OPEN, ""))
    _require_nothing(found.incident_id, tuple(gaps))
    return _changed(found, now, state=PostMortemState.APPROVED, approved=Approved(actor, now))


def sign_off(
    found: PostMortem,
    given: SignOff,
    standing: PostMortemState,
    customer_ids: tuple[str, ...],
    now: datetime,
    wording: Wording,
) -> PostMortem:
    """The post-mortem with one more sign-off; ``given.content_revision`` is the one that was read.

    Raises ``PersonRequired``, ``LegalRoleRequired``, ``InvalidInput``, ``PostMortemStateRefused``, ``EtagMismatch`` and
    ``PostMortemIncomplete``.
    """
    _require_person(given.actor, "sign_off_post_mortem")
    if given.kind is SignOffKind.LEGAL_REVIEW and given.actor.role not in LEGAL_ROLES:
        raise LegalRoleRequired(
            "a legal review is given by legal counsel or the data protection officer",
            action="legal_review",
            role=given.actor.role,
        )
    checks = Checks()
    if given.kind is SignOffKind.CUSTOMER_CONSENT:
        checks.text("reference", given.reference)
        if not given.customer_id:
            checks.note("customer_id", "REQUIRED", "must name the customer that consents")
        elif given.customer_id not in customer_ids:
            checks.note("customer_id", "NOT_AFFECTED", "must be a customer that the incident names")
    elif given.customer_id:
        checks.note("customer_id", "NOT_OF_KIND", "is for a consent only")
    checks.done()
    _require_state(found.incident_id, standing, "sign_off", PostMortemState.IN_REVIEW, PostMortemState.APPROVED)
    _require_text(found, given.content_revision)
    if given.kind is SignOffKind.PERSONAL_DATA_REMOVED:
        _require_nothing(found.incident_id, personal_data(found.content, wording))
    return _changed(found, now, sign_offs=(*found.sign_offs, given))


def make_publishable(
    found: PostMortem, facts: IncidentFacts, actor: ActorLike, now: datetime, claims: ClaimChecker, wording: Wording
) -> PostMortem:
    """The post-mortem past the gate. Raises ``PersonRequired``, ``PostMortemStateRefused`` and ``PostMortemIncomplete``."""
    _require_person(actor, "mark_post_mortem_publishable")
    gaps = gate(found, facts, claims, wording)
    _require_nothing(found.incident_id, gaps)
    _require_state(found.incident_id, standing(found, gaps), "mark_publishable", PostMortemState.APPROVED)
    return _changed(found, now, state=PostMortemState.PUBLISHABLE)


def standing(found: PostMortem, gaps: tuple[Gap, ...]) -> PostMortemState:
    """Where it stands, given what the gate finds now: nothing is publishable while anything is missing."""
    if found.state is PostMortemState.PUBLISHABLE and gaps:
        return PostMortemState.APPROVED
    return found.state


# --- the gate ---------------------------------------------------------------------------------------------------------


def gate(found: PostMortem, facts: IncidentFacts, claims: ClaimChecker, wording: Wording) -> tuple[Gap, ...]:
    """Everything that is missing before the text may be published, in the order it is usually seen to."""
    gaps = [
        *missing_sections(found.content, wording),
        *unsayable(found.content, claims, wording),
        *personal_data(found.content, wording),
    ]
    if found.approved is None:
        gaps.append(_gap(wording, GapKind.APPROVAL, ""))
    if not facts.resolved:
        gaps.append(_gap(wording, GapKind.INCIDENT_OPEN, ""))
    if facts.sign_offs_required:
        gaps += _missing_sign_offs(found, facts, wording)
    return tuple(gaps)


def _missing_sign_offs(found: PostMortem, facts: IncidentFacts, wording: Wording) -> Iterator[Gap]:
    held = {(signed.kind, signed.customer_id) for signed in found.sign_offs if found.holds(signed)}
    if (SignOffKind.LEGAL_REVIEW, "") not in held:
        yield _gap(wording, GapKind.LEGAL_REVIEW, "")
    if not facts.customer_ids:
        yield _gap(wording, GapKind.CUSTOMERS_UNKNOWN, "")
    for customer_id in facts.customer_ids:
        if (SignOffKind.CUSTOMER_CONSENT, customer_id) not in held:
            yield _gap(wording, GapKind.CUSTOMER_CONSENT, customer_id, customer=customer_id)
    if (SignOffKind.PERSONAL_DATA_REMOVED, "") not in held:
        yield _gap(wording, GapKind.PERSONAL_DATA_STATEMENT, "")


def missing_sections(content: Content, wording: Wording) -> tuple[Gap, ...]:
    """Sections that are empty in either language, and action items without an owner or a deadline."""
    gaps = []
    for section, rows in ((Section.TIMELINE, content.timeline), (Section.ACTION_ITEMS, content.action_items)):
        if not rows:
            gaps.append(_gap(wording, GapKind.SECTION_MISSING, section.value, section=_named(wording, section)))
    for place in _places(content):
        if place.language and not has_visible_text(place.text):
            gaps.append(_gap(wording, GapKind.SECTION_MISSING, place.path, section=place.named(wording)))
    for number, item in enumerate(content.action_items, start=1):
        path = f"action_items[{number - 1}]"
        if not item.owner:
            gaps.append(_gap(wording, GapKind.OWNER_MISSING, path, number=str(number)))
        if item.due_at is None:
            gaps.append(_gap(wording, GapKind.DEADLINE_MISSING, path, number=str(number)))
    return tuple(gaps)


def unsayable(content: Content, claims: ClaimChecker, wording: Wording) -> tuple[Gap, ...]:
    """Prohibited claims and identifiers of ours in the text."""
    gaps = []
    for place in _places(content):
        for hit in claims.check(place.text):
            subject, category = f"{place.path}:{hit.category.value}", claims.label(hit.category)
            gaps.append(_gap(wording, GapKind.PROHIBITED_CLAIM, subject, category=category, words=hit.words))
        if names_internal_id(place.text):
            gaps.append(_gap(wording, GapKind.INTERNAL_ID, place.path, section=place.named(wording)))
    return tuple(gaps)


def personal_data(content: Content, wording: Wording) -> tuple[Gap, ...]:
    """Saudi personal data in the text: where it stands, never what it is."""
    gaps = []
    for place in _places(content):
        for hit in scan(place.text):
            said = {"section": place.named(wording), "what": wording.personal_data[hit.kind]}
            span = {"start": str(hit.start), "end": str(hit.end)}
            subject = f"{place.path}:{hit.kind.value}:{hit.start}-{hit.end}"
            gaps.append(_gap(wording, GapKind.PERSONAL_DATA, subject, **said, **span))
    return tuple(gaps)


def check_content(content: Content, now: datetime) -> None:
    """Raises ``InvalidInput`` for a text that is longer in a language than what can be checked, and events in the future."""
    checks = Checks()
    for number, event in enumerate(content.timeline):
        if event.occurred_at > now:
            checks.note(f"content.timeline[{number}].occur_time", "IN_FUTURE", "must not be later than now")
    for language in _Language:
        text = "".join(place.text for place in _places(content) if place.language == language.value)
        if len(text) > MAX_CHARACTERS:
            checks.note(
                "content", "TEXT_TOO_LONG", f"must not hold more than {MAX_CHARACTERS} characters in {language}"
            )
        else:
            checks.readable("content", text)
    checks.done()


@dataclass(frozen=True, slots=True)
class _Place:
    """One text and where it stands. ``language`` is empty for what has none: an owner."""

    section: Section
    path: str
    language: str
    text: str
    number: int = 0

    def named(self, wording: Wording) -> Bilingual:
        return _named(wording, self.section, self.language, self.number)


def _places(content: Content) -> Iterator[_Place]:
    for section, text in (
        (Section.SUMMARY, content.summary),
        (Section.ROOT_CAUSE, content.root_cause),
        (Section.WHAT_WENT_WELL, content.what_went_well),
        (Section.WHAT_WENT_WRONG, content.what_went_wrong),
    ):
        yield _Place(section, f"{section}_ar", "ar", text.ar)
        yield _Place(section, f"{section}_en", "en", text.en)
    for number, event in enumerate(content.timeline):
        yield _Place(Section.TIMELINE, f"timeline[{number}]_ar", "ar", event.text.ar, number + 1)
        yield _Place(Section.TIMELINE, f"timeline[{number}]_en", "en", event.text.en, number + 1)
    for number, item in enumerate(content.action_items):
        yield _Place(Section.ACTION_ITEMS, f"action_items[{number}]_ar", "ar", item.title.ar, number + 1)
        yield _Place(Section.ACTION_ITEMS, f"action_items[{number}]_en", "en", item.title.en, number + 1)
        yield _Place(Section.ACTION_ITEMS, f"action_items[{number}]_owner", "", item.owner, number + 1)


def _named(wording: Wording, section: Section, language: str = "", number: int = 0) -> Bilingual:
    """The section in words: "the timeline (3) in Arabic"."""
    name, spoken = wording.sections[section], wording.languages.get(language)
    row = f" ({number})" if number else ""
    return Bilingual(
        name.ar + row + (f" {spoken.ar}" if spoken else ""), name.en + row + (f" {spoken.en}" if spoken else "")
    )


def _gap(wording: Wording, kind: GapKind, subject: str, **values: str | Bilingual) -> Gap:
    return Gap(kind, subject, wording.gaps[kind].format(**values))


# --- what is refused --------------------------------------------------------------------------------------------------


def _changed(found: PostMortem, now: datetime, **changes: object) -> PostMortem:
    return replace(found, updated_at=now, revision=found.revision + 1, **changes)  # type: ignore[arg-type]


def _require_person(actor: ActorLike, action: str) -> None:
    if actor.kind != "person":
        raise PersonRequired("only a person does this", action=action)


def _require_state(incident_id: str, state: PostMortemState, action: str, *allowed: PostMortemState) -> None:
    if state not in allowed:
        raise PostMortemStateRefused(
            f"a post-mortem in state {state} cannot do that: {action}",
            incident_id=incident_id,
            state=state.value,
            action=action,
        )


def _require_text(found: PostMortem, content_revision: int) -> None:
    if content_revision != found.content_revision:
        raise EtagMismatch("the text is not the one that was read; read it again", current_etag=found.etag)


def _require_nothing(incident_id: str, gaps: tuple[Gap, ...]) -> None:
    if gaps:
        raise PostMortemIncomplete(incident_id, gaps)
