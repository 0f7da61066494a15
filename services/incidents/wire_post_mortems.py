"""Post-mortems in the contract's words, and back."""

from __future__ import annotations

from dealix.incidents.v1 import post_mortem_pb2 as model

from services.incidents.domain.post_mortem import (
    ActionItem,
    Content,
    Event,
    Gap,
    GapKind,
    PostMortem,
    PostMortemState,
    SignOff,
    SignOffKind,
)
from services.incidents.domain.written import Text
from services.incidents.post_mortems import Seen
from services.runtime.wire import EnumMap, actor, moment_at, timestamp

STATES = EnumMap(model.PostMortemState, PostMortemState, "POST_MORTEM_STATE_")
SIGN_OFFS = EnumMap(model.PostMortemSignOffKind, SignOffKind, "POST_MORTEM_SIGN_OFF_KIND_")
_GAPS = EnumMap(model.PostMortemGapKind, GapKind, "POST_MORTEM_GAP_KIND_")
MAX_SIGN_OFFS = 500


def content_of(given: model.PostMortemContent) -> Content:
    """The text that a request brings. ``InvalidInput`` for a time that no calendar has."""
    return Content(
        summary=_text_of(given.summary),
        timeline=tuple(
            Event(moment_at(event.occur_time, f"content.timeline[{number}].occur_time"), _text_of(event.text))
            for number, event in enumerate(given.timeline)
        ),
        root_cause=_text_of(given.root_cause),
        what_went_well=_text_of(given.what_went_well),
        what_went_wrong=_text_of(given.what_went_wrong),
        action_items=tuple(
            ActionItem(
                _text_of(item.title),
                item.owner,
                moment_at(item.due_time, f"content.action_items[{number}].due_time")
                if item.HasField("due_time")
                else None,
            )
            for number, item in enumerate(given.action_items)
        ),
    )


def post_mortem(seen: Seen) -> model.PostMortem:
    """A post-mortem as it stands, with the gate."""
    found = seen.post_mortem
    made = model.PostMortem(
        incident_id=found.incident_id,
        state=STATES.to_wire[seen.state],
        content=_content(found.content),
        content_revision=found.content_revision,
        sign_offs=[_sign_off(found, signed) for signed in found.sign_offs[-MAX_SIGN_OFFS:]],
        sign_offs_required=seen.sign_offs_required,
        missing=[_gap(gap) for gap in seen.gaps],
        create_time=timestamp(found.created_at),
        update_time=timestamp(found.updated_at),
        etag=found.etag,
    )
    if found.approved is not None:
        made.approver.CopyFrom(actor(found.approved.actor))
        made.approve_time.CopyFrom(timestamp(found.approved.approved_at))
    return made


def needs_approval(seen: Seen) -> bool:
    """Whether a person still has to approve it before it may be used outside."""
    return seen.state is not PostMortemState.PUBLISHABLE


def _text_of(given: model.PostMortemText) -> Text:
    return Text(given.text_ar, given.text_en)


def _text(text: Text) -> model.PostMortemText:
    return model.PostMortemText(text_ar=text.ar, text_en=text.en)


def _content(content: Content) -> model.PostMortemContent:
    return model.PostMortemContent(
        summary=_text(content.summary),
        timeline=[
            model.PostMortemEvent(occur_time=timestamp(event.occurred_at), text=_text(event.text))
            for event in content.timeline
        ],
        root_cause=_text(content.root_cause),
        what_went_well=_text(content.what_went_well),
        what_went_wrong=_text(content.what_went_wrong),
        action_items=[
            model.PostMortemActionItem(
                title=_text(item.title),
                owner=item.owner,
                due_time=None if item.due_at is None else timestamp(item.due_at),
            )
            for item in content.action_items
        ],
    )


def _sign_off(found: PostMortem, signed: SignOff) -> model.PostMortemSignOff:
    return model.PostMortemSignOff(
        kind=SIGN_OFFS.to_wire[signed.kind],
        customer_id=signed.customer_id,
        actor=actor(signed.actor),
        sign_time=timestamp(signed.signed_at),
        reference=signed.reference,
        valid=found.holds(signed),
    )


def _gap(gap: Gap) -> model.PostMortemGap:
    return model.PostMortemGap(
        kind=_GAPS.to_wire[gap.kind], subject=gap.subject, text_ar=gap.text.ar, text_en=gap.text.en
    )
