"""Notices in the contract's words, and back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dealix.incidents.v1 import notice_pb2 as model
from dealix.incidents.v1 import notice_service_pb2 as pb

from services.incidents.domain.notice import (
    Block,
    Blocks,
    BlockStatus,
    Completeness,
    Filing,
    FilingFacts,
    Told,
    Wording,
    as_text,
    missing_words,
    status,
)
from services.incidents.domain.written import Text
from services.incidents.notices import Seen
from services.incidents.wire import maybe
from services.runtime.wire import EnumMap, actor, moment_at, timestamp

_BLOCKS = EnumMap(model.NoticeBlock, Block, "NOTICE_BLOCK_")
_COMPLETENESS = EnumMap(model.BlockCompleteness, Completeness, "BLOCK_COMPLETENESS_")
_TOLD = EnumMap(model.DataSubjectsTold, Told, "DATA_SUBJECTS_TOLD_")
MAX_FILINGS = 100


def blocks_of(given: model.NoticeBlocks) -> Blocks:
    """What a request says. ``InvalidInput`` for a time that no calendar has."""
    return Blocks(
        description=_text_of(given.event.description),
        begin_at=_moment(given.event, "begin_time", "blocks.event"),
        end_at=_moment(given.event, "end_time", "blocks.event"),
        data_categories=_texts_of(given.scope.data_categories),
        people_categories=_texts_of(given.scope.people_categories),
        records=given.scope.records if given.scope.HasField("records") else None,
        people=given.scope.people if given.scope.HasField("people") else None,
        approximate=given.scope.approximate,
        risks=_text_of(given.consequences.risks),
        effects=_text_of(given.consequences.effects),
        measures=_text_of(given.consequences.measures),
        told=_TOLD.to_domain.get(given.data_subjects.told),
        tell_at=_moment(given.data_subjects, "tell_time", "blocks.data_subjects"),
        explanation=_text_of(given.data_subjects.explanation),
        contact_role=_text_of(given.contact.role),
        contact_email=given.contact.email,
        contact_phone=given.contact.phone,
    )


def filing_of(request: pb.RecordNoticeFiledRequest) -> FilingFacts:
    """The filing that a request records."""
    return FilingFacts(
        request.reference,
        moment_at(request.file_time, "file_time"),
        request.late_reason,
        request.incomplete_reason,
    )


def supplement_of(request: pb.RecordNoticeSupplementRequest) -> FilingFacts:
    """The supplement that a request records."""
    return FilingFacts(request.reference, moment_at(request.file_time, "file_time"))


def notice(seen: Seen, wording: Wording) -> model.Notice:
    """A notice as it stands, with what is missing and as a text."""
    found = seen.notice
    text = as_text(found.blocks, seen.aware_at, wording)
    statuses = status(found.blocks)
    return model.Notice(
        incident_id=found.incident_id,
        blocks=_blocks(found.blocks),
        status=[_status(one, wording) for one in statuses],
        complete=all(one.completeness is Completeness.COMPLETE for one in statuses),
        filed=bool(found.filings),
        filed_as_it_stands=found.filed_as_it_stands,
        filings=[_filing(filing) for filing in found.filings[:MAX_FILINGS]],
        aware_time=timestamp(seen.aware_at),
        due_time=timestamp(seen.due_at),
        text_ar=text.ar,
        text_en=text.en,
        create_time=timestamp(found.created_at),
        update_time=timestamp(found.updated_at),
        etag=found.etag,
    )


def _status(found: BlockStatus, wording: Wording) -> model.NoticeBlockStatus:
    title, missing = wording.blocks[found.block], missing_words(found.missing, wording)
    return model.NoticeBlockStatus(
        block=_BLOCKS.to_wire[found.block],
        completeness=_COMPLETENESS.to_wire[found.completeness],
        missing=[field.path for field in found.missing],
        title_ar=title.ar,
        title_en=title.en,
        missing_ar=missing.ar if missing else "",
        missing_en=missing.en if missing else "",
    )


def _filing(found: Filing) -> model.NoticeFiling:
    return model.NoticeFiling(
        number=found.number,
        reference=found.reference,
        actor=actor(found.actor),
        file_time=timestamp(found.filed_at),
        record_time=timestamp(found.recorded_at),
        late=found.late,
        late_reason=found.late_reason,
        incomplete_reason=found.incomplete_reason,
        missing=[field.path for field in found.missing],
    )


def _blocks(found: Blocks) -> model.NoticeBlocks:
    return model.NoticeBlocks(
        event=model.NoticeEvent(
            description=_text(found.description), begin_time=maybe(found.begin_at), end_time=maybe(found.end_at)
        ),
        scope=model.NoticeScope(
            data_categories=map(_text, found.data_categories),
            people_categories=map(_text, found.people_categories),
            records=found.records,
            people=found.people,
            approximate=found.approximate,
        ),
        consequences=model.NoticeConsequences(
            risks=_text(found.risks), effects=_text(found.effects), measures=_text(found.measures)
        ),
        data_subjects=model.NoticeDataSubjects(
            told=_TOLD.to_wire[found.told] if found.told is not None else model.DATA_SUBJECTS_TOLD_UNSPECIFIED,
            tell_time=maybe(found.tell_at),
            explanation=_text(found.explanation),
        ),
        contact=model.NoticeContact(
            role=_text(found.contact_role), email=found.contact_email, phone=found.contact_phone
        ),
    )


def _text(text: Text) -> model.NoticeText:
    return model.NoticeText(text_ar=text.ar, text_en=text.en)


def _text_of(given: model.NoticeText) -> Text:
    return Text(given.text_ar, given.text_en)


def _texts_of(given: Iterable[model.NoticeText]) -> tuple[Text, ...]:
    return tuple(map(_text_of, given))


def _moment(given: Any, field: str, path: str) -> datetime | None:
    return moment_at(getattr(given, field), f"{path}.{field}") if given.HasField(field) else None
