"""The use cases of notices under the PDPL: each runs inside one transaction that its caller owns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.approvals import drafts
from services.approvals.drafts import Draft, DraftKind, NewDraft
from services.domain.channels import Channel
from services.domain.drafts import DraftState, check_texts
from services.domain.errors import check_etag
from services.incidents import obligations, store, store_notices
from services.incidents.case import Case, obligations_of
from services.incidents.domain import notice as rules
from services.incidents.domain import obligations as clock_rules
from services.incidents.domain.book import Book
from services.incidents.domain.errors import IncidentNotFound
from services.incidents.domain.notice import Blocks, FilingFacts, Notice, NoticeNotDue, NoticeNotFound, Wording
from services.incidents.domain.obligations import Completion, Obligation, ObligationKind, ObligationState
from services.incidents.domain.timeline import TimelineKind
from services.storage.database import Tx, UnitOfWork

_OPEN = frozenset({DraftState.DRAFTED, DraftState.APPROVED, DraftState.EDITED_AND_APPROVED, DraftState.REJECTED})
_ANSWERED = frozenset({ObligationState.MET, ObligationState.MET_LATE})


@dataclass(frozen=True, slots=True)
class Seen:
    """A notice as it stands, and the clock that it is under (UTC)."""

    notice: Notice
    aware_at: datetime
    due_at: datetime


def update(unit: UnitOfWork, incident_id: str, blocks: Blocks, etag: str, book: Book) -> Seen:
    """Puts down what the notice says; the first time begins it.

    Raises ``IncidentNotFound``, ``NoticeNotDue``, ``EtagMismatch`` and ``InvalidInput``.
    """
    owed = _owed(unit.tx, incident_id, book, unit.now)
    before = store_notices.get_notice(unit.tx, incident_id)
    check_etag(etag, before.etag if before is not None else "")
    after = rules.update(incident_id, before, blocks, unit.now)
    if after is before:
        _record(unit, "notice.unchanged", after, ())
    else:
        store_notices.put_notice(unit.tx, after, before)
        _record(unit, "notice.begun" if before is None else "notice.rewritten", after, ("blocks",))
    return _seen(after, owed)


def draft(unit: UnitOfWork, incident_id: str, book: Book, wording: Wording) -> Draft:
    """The notice as it stands, for a person to approve; an open draft of it gets the present text.

    Raises ``IncidentNotFound``, ``NoticeNotFound``, ``NoticeNotDue``, and ``InvalidInput`` for an identifier of ours in it
    or a text too long to be approved.
    """
    seen = get(unit.tx, incident_id, book, unit.now)
    body = rules.as_text(seen.notice.blocks, seen.aware_at, wording)
    check_texts(body, "notice.")
    subject = f"incident/{incident_id}"
    present = next(
        (each for each in drafts.of_subject(unit.tx, subject) if each.kind is DraftKind.NOTICE and each.state in _OPEN),
        None,
    )
    if present is not None:
        if present.body == body:
            _record(unit, "notice.drafted", seen.notice, ())
            return present
        return drafts.rewrite(unit, present.draft_id, body)
    return drafts.create(
        unit,
        NewDraft(
            kind=DraftKind.NOTICE,
            subject=subject,
            customer_id="",
            # It goes to the authority and to no customer, so that no freeze holds back what the law asks for.
            channel=Channel.INTERNAL,
            title=wording.title,
            body=body,
            due_at=seen.due_at,
        ),
    )


def file(unit: UnitOfWork, incident_id: str, facts: FilingFacts, etag: str, book: Book, wording: Wording) -> Seen:
    """Records the first filing, and meets the obligation with it.

    Raises ``NoticeNotFound``, ``NoticeNotDue``, ``EtagMismatch``, what `rules.file` raises, and ``LateReasonRequired``.
    """
    case, before, owed = _begun(unit, incident_id, etag, book)
    seen = _seen(before, owed)
    after = rules.file(
        before,
        facts,
        aware_at=seen.aware_at,
        due_at=seen.due_at,
        actor=unit.actor,
        now=unit.now,
        wording=wording,
    )
    clock_rules.require_late_reason(owed, facts.filed_at, facts.late_reason)
    # Somebody may have recorded it as met before the reference came.
    if owed.state not in _ANSWERED:
        completion = Completion(ObligationKind.PDPL_AUTHORITY, facts.filed_at, facts.late_reason)
        obligations.complete_in(case, completion, facts.reference)
    store_notices.put_notice(unit.tx, after, before)
    _record(unit, "notice.filed", after, ("filings",))
    _tell(case, TimelineKind.NOTICE_FILED, facts, owed)
    return _seen(after, owed)


def supplement(unit: UnitOfWork, incident_id: str, facts: FilingFacts, etag: str, book: Book) -> Seen:
    """Records a further filing. Raises ``NoticeNotFound``, ``EtagMismatch`` and what `rules.supplement` raises."""
    case, before, owed = _begun(unit, incident_id, etag, book)
    after = rules.supplement(before, facts, actor=unit.actor, now=unit.now)
    store_notices.put_notice(unit.tx, after, before)
    _record(unit, "notice.supplemented", after, ("filings",))
    _tell(case, TimelineKind.NOTICE_SUPPLEMENTED, facts, owed)
    return _seen(after, owed)


def get(tx: Tx, incident_id: str, book: Book, now: datetime) -> Seen:
    """The notice of an incident. Raises ``IncidentNotFound``, ``NoticeNotDue`` and ``NoticeNotFound``."""
    if store.get_incident(tx, incident_id) is None:
        raise IncidentNotFound("no such incident", incident_id=incident_id)
    found = store_notices.get_notice(tx, incident_id)
    if found is None:
        raise NoticeNotFound("no notice was begun for the incident", incident_id=incident_id)
    return _seen(found, _owed(tx, incident_id, book, now))


def missing_for_close(tx: Tx, incident_id: str) -> list[tuple[str, str, str]]:
    """What a notice that was begun still lacks before its incident may be closed, each as (type, subject, description).

    Where none was begun, or it need not be given, the obligation alone says whether something is owed.
    """
    found = store_notices.get_notice(tx, incident_id)
    if found is None or not found.filings:
        return []
    rows = [("NOTICE", f"notice/{field.path}", "missing in the notice") for field in rules.missing_fields(found.blocks)]
    if not found.filed_as_it_stands:
        rows.append(("NOTICE", "notice/supplement", "the notice changed after it was filed: record a supplement"))
    return rows


def _tell(case: Case, kind: TimelineKind, facts: FilingFacts, owed: Obligation) -> None:
    text = case.book.texts.line(kind, facts.reference)
    case.add(kind, text, occurred_at=facts.filed_at, subject="notice", detail={"reference": facts.reference})
    case.commit(f"incident.{kind.value}", fields=("obligation", "timeline"), obligation=owed.obligation_id)


def _begun(unit: UnitOfWork, incident_id: str, etag: str, book: Book) -> tuple[Case, Notice, Obligation]:
    case = Case.open(unit, incident_id, book)
    before = store_notices.get_notice(unit.tx, incident_id)
    if before is None:
        raise NoticeNotFound("no notice was begun for the incident", incident_id=incident_id)
    check_etag(etag, before.etag)
    return case, before, _of(case.obligations(), incident_id)


def _owed(tx: Tx, incident_id: str, book: Book, now: datetime) -> Obligation:
    incident = store.get_incident(tx, incident_id)
    if incident is None:
        raise IncidentNotFound("no such incident", incident_id=incident_id)
    return _of(obligations_of(incident, store.all_lines(tx, incident_id), book, now), incident_id)


def _of(found: tuple[Obligation, ...], incident_id: str) -> Obligation:
    """The obligation that a notice answers to. Raises ``NoticeNotDue``: no data leaked, it is a drill, or it was cancelled."""
    owed = clock_rules.find(found, ObligationKind.PDPL_AUTHORITY)
    if owed is None or owed.started_at is None or owed.state is ObligationState.CANCELLED:
        raise NoticeNotDue("the incident asks for no notice to the authority", incident_id=incident_id)
    return owed


def _seen(found: Notice, owed: Obligation) -> Seen:
    # Its clock never stands still, so a started one has both.
    assert owed.started_at is not None
    assert owed.due_at is not None
    return Seen(found, owed.started_at, owed.due_at)


def _record(unit: UnitOfWork, action: str, found: Notice, fields: tuple[str, ...]) -> None:
    unit.record(
        action,
        f"notice/{found.incident_id}",
        fields=fields,
        attributes={
            "revision": str(found.revision),
            "filings": str(len(found.filings)),
            "missing": str(len(rules.missing_fields(found.blocks))),
        },
    )
