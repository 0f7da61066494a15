"""The use cases of post-mortems: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.domain.claims import ClaimChecker
from services.domain.errors import check_etag
from services.incidents import action_items, obligations, store, store_post_mortems
from services.incidents.action_items import AddActionItem
from services.incidents.case import Case
from services.incidents.domain import obligations as clock_rules
from services.incidents.domain import post_mortem as rules
from services.incidents.domain.book import Book
from services.incidents.domain.errors import IncidentNotFound
from services.incidents.domain.incidents import Incident
from services.incidents.domain.lifecycle import IncidentState
from services.incidents.domain.obligations import Completion, ObligationKind
from services.incidents.domain.post_mortem import (
    Content,
    Event,
    Gap,
    IncidentFacts,
    PostMortem,
    PostMortemExists,
    PostMortemNotFound,
    PostMortemState,
    SignOff,
    SignOffKind,
    Wording,
)
from services.incidents.domain.timeline import TimelineKind, TimelineLine
from services.incidents.domain.written import Text
from services.storage.database import Tx, UnitOfWork

MAX_EVENTS = 100
MAX_EVENT_CHARACTERS = 2_500
_OVER = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED})

# What the first text tells of the incident's own timeline: what happened, not who did which task.
_TOLD = frozenset(
    {
        TimelineKind.DECLARED,
        TimelineKind.SEVERITY_RAISED,
        TimelineKind.FINDING_RECORDED,
        TimelineKind.ACTIVATED,
        TimelineKind.MITIGATED,
        TimelineKind.REOPENED,
        TimelineKind.RESOLVED,
        TimelineKind.UPDATE_RECORDED,
        TimelineKind.NOTE,
    }
)


@dataclass(frozen=True, slots=True)
class Kit:
    """What post-mortems are judged by: the book of incidents, the wording of gaps, the checker of claims."""

    book: Book
    wording: Wording
    claims: ClaimChecker


@dataclass(frozen=True, slots=True)
class Seen:
    """A post-mortem as it stands now: what is missing, and whether its incident asks for sign-offs."""

    post_mortem: PostMortem
    gaps: tuple[Gap, ...]
    sign_offs_required: bool

    @property
    def state(self) -> PostMortemState:
        """Where it stands, given what is missing."""
        return rules.standing(self.post_mortem, self.gaps)


def draft(unit: UnitOfWork, incident_id: str, content: Content, kit: Kit) -> Seen:
    """Begins the post-mortem of an incident. One without a timeline begins with the incident's own.

    Raises ``IncidentNotFound``, ``PostMortemExists``, ``PersonRequired`` and ``InvalidInput``.
    """
    incident = _incident(unit.tx, incident_id)
    if store_post_mortems.get_post_mortem(unit.tx, incident_id) is not None:
        raise PostMortemExists("the incident has a post-mortem", incident_id=incident_id)
    if not content.timeline:
        content = replace(content, timeline=_events(store.all_lines(unit.tx, incident_id)))
    begun = rules.begin(incident_id, content, unit.actor, unit.now)
    store_post_mortems.insert_post_mortem(unit.tx, begun)
    _record(unit, "post_mortem.drafted", begun, ("content", "state"))
    return _seen(incident, begun, kit)


def update(unit: UnitOfWork, incident_id: str, content: Content, etag: str, kit: Kit) -> Seen:
    """Replaces the text. Raises ``PostMortemNotFound``, ``EtagMismatch``, ``PersonRequired`` and ``InvalidInput``."""
    incident, before = _both(unit.tx, incident_id)
    check_etag(etag, before.etag)
    after = rules.rewrite(before, content, unit.actor, unit.now)
    return _saved(unit, "post_mortem.rewritten", incident, before, after, ("content", "state"), kit)


def submit(unit: UnitOfWork, incident_id: str, etag: str, kit: Kit) -> Seen:
    """Hands the draft in. Raises ``EtagMismatch`` and what `rules.submit` raises."""
    incident, before = _both(unit.tx, incident_id)
    check_etag(etag, before.etag)
    after = rules.submit(before, unit.actor, unit.now, kit.wording)
    return _saved(unit, "post_mortem.submitted", incident, before, after, ("state",), kit)


def approve(unit: UnitOfWork, incident_id: str, content_revision: int, late_reason: str, kit: Kit) -> Seen:
    """Approves the text that was read, meets the obligation with it, and opens its action items.

    Raises what `rules.approve` raises, and ``LateReasonRequired``.
    """
    incident, before = _both(unit.tx, incident_id)
    after = rules.approve(
        before,
        content_revision,
        unit.actor,
        unit.now,
        resolved=incident.state in _OVER,
        claims=kit.claims,
        wording=kit.wording,
    )
    seen = _saved(unit, "post_mortem.approved", incident, before, after, ("approver", "state"), kit)
    case = Case.open(unit, incident_id, kit.book)
    owed = clock_rules.find(case.obligations(), ObligationKind.POST_MORTEM)
    # Where none is owed, or it was met by an earlier text, there is nothing to meet.
    if owed is not None and owed.open:
        obligations.complete_in(case, Completion(ObligationKind.POST_MORTEM, None, late_reason))
    _tell(case, TimelineKind.POST_MORTEM_APPROVED)
    _open_items(unit, after, kit.book)
    return seen


def sign_off(
    unit: UnitOfWork,
    incident_id: str,
    kind: SignOffKind,
    customer_id: str,
    reference: str,
    content_revision: int,
    kit: Kit,
) -> Seen:
    """Records a sign-off. Raises what `rules.sign_off` raises."""
    incident, before = _both(unit.tx, incident_id)
    given = SignOff(kind, customer_id, content_revision, unit.actor, unit.now, reference)
    state = _seen(incident, before, kit).state
    after = rules.sign_off(before, given, state, incident.customer_ids, unit.now, kit.wording)
    return _saved(unit, "post_mortem.signed_off", incident, before, after, ("sign_offs",), kit, sign_off=kind.value)


def mark_publishable(unit: UnitOfWork, incident_id: str, etag: str, kit: Kit) -> Seen:
    """Passes the gate. Raises ``EtagMismatch`` and what `rules.make_publishable` raises."""
    incident, before = _both(unit.tx, incident_id)
    check_etag(etag, before.etag)
    after = rules.make_publishable(before, _facts(incident), unit.actor, unit.now, kit.claims, kit.wording)
    seen = _saved(unit, "post_mortem.publishable", incident, before, after, ("state",), kit)
    _tell(Case.open(unit, incident_id, kit.book), TimelineKind.POST_MORTEM_PUBLISHABLE)
    return seen


def get(tx: Tx, incident_id: str, kit: Kit) -> Seen:
    """The post-mortem with what is missing now. Raises ``IncidentNotFound`` and ``PostMortemNotFound``."""
    incident, found = _both(tx, incident_id)
    return _seen(incident, found, kit)


def see_all(tx: Tx, found: list[PostMortem], kit: Kit) -> list[Seen]:
    """Post-mortems of a page, each with what is missing now."""
    return [_seen(_incident(tx, one.incident_id), one, kit) for one in found]


def _seen(incident: Incident, found: PostMortem, kit: Kit) -> Seen:
    facts = _facts(incident)
    return Seen(found, rules.gate(found, facts, kit.claims, kit.wording), facts.sign_offs_required)


def _facts(incident: Incident) -> IncidentFacts:
    return IncidentFacts(incident.severity, incident.state in _OVER, incident.customer_ids)


def _incident(tx: Tx, incident_id: str) -> Incident:
    found = store.get_incident(tx, incident_id)
    if found is None:
        raise IncidentNotFound("no such incident", incident_id=incident_id)
    return found


def _both(tx: Tx, incident_id: str) -> tuple[Incident, PostMortem]:
    incident = _incident(tx, incident_id)
    found = store_post_mortems.get_post_mortem(tx, incident_id)
    if found is None:
        raise PostMortemNotFound("the incident has no post-mortem", incident_id=incident_id)
    return incident, found


def _events(lines: list[TimelineLine]) -> tuple[Event, ...]:
    told = [line.entry for line in lines if line.entry.kind in _TOLD]
    told.sort(key=lambda entry: entry.occurred_at)
    return tuple(
        Event(entry.occurred_at, Text(entry.text[:MAX_EVENT_CHARACTERS], entry.text_en[:MAX_EVENT_CHARACTERS]))
        for entry in told[:MAX_EVENTS]
    )


def _tell(case: Case, kind: TimelineKind) -> None:
    case.add(kind, case.book.texts.line(kind), subject="post_mortem")
    case.commit(f"incident.{kind.value}", fields=("obligation", "timeline"))


def _open_items(unit: UnitOfWork, approved: PostMortem, book: Book) -> None:
    there = {
        item.title
        for item in store.page_of_items(unit.tx, store.ItemFilter(incident_id=approved.incident_id), None, 1000)
    }
    for item in approved.content.action_items:
        if item.due_at is not None and item.title.ar not in there:
            there.add(item.title.ar)
            action_items.add(unit, AddActionItem(approved.incident_id, item.title.ar, item.owner, item.due_at), book)


def _saved(
    unit: UnitOfWork,
    action: str,
    incident: Incident,
    before: PostMortem,
    after: PostMortem,
    fields: tuple[str, ...],
    kit: Kit,
    **attributes: str,
) -> Seen:
    if after is before:
        _record(unit, "post_mortem.unchanged", after, ())
    else:
        store_post_mortems.save_post_mortem(unit.tx, after, before)
        _record(unit, action, after, fields, **attributes)
    return _seen(incident, after, kit)


def _record(unit: UnitOfWork, action: str, found: PostMortem, fields: tuple[str, ...], **attributes: str) -> None:
    unit.record(
        action,
        f"post_mortem/{found.incident_id}",
        fields=fields,
        attributes={
            "state": found.state.value,
            "revision": str(found.revision),
            "content_revision": str(found.content_revision),
            **attributes,
        },
    )
