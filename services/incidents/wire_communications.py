"""Communications in the contract's words, and back."""

from __future__ import annotations

from collections.abc import Iterable

from dealix.incidents.v1 import communication_pb2 as model
from dealix.incidents.v1 import communication_service_pb2 as pb

from services.incidents.communications import DraftCommunication
from services.incidents.domain.communications import Communication, CommunicationKind, Facts
from services.incidents.domain.parity import Difference, Name, ParityKind
from services.incidents.domain.written import Text
from services.runtime.wire import EnumMap, channel_of, moment_at

KINDS = EnumMap(model.CommunicationKind, CommunicationKind, "COMMUNICATION_KIND_")
_PARITY = EnumMap(model.ParityKind, ParityKind, "PARITY_KIND_")


def facts_of(given: model.CommunicationFacts) -> Facts:
    """What a request tells. ``InvalidInput`` for a time that no calendar has."""
    return Facts(
        what_happened=_text_of(given.what_happened),
        begin_at=moment_at(given.begin_time, "facts.begin_time") if given.HasField("begin_time") else None,
        measures=_texts_of(given.measures),
        advice=_texts_of(given.advice),
        next_update_at=moment_at(given.next_update_time, "facts.next_update_time")
        if given.HasField("next_update_time")
        else None,
        data_categories=_texts_of(given.data_categories),
        people=given.people if given.HasField("people") else None,
        affected_customers=given.affected_customers if given.HasField("affected_customers") else None,
        contact=_text_of(given.contact) if given.HasField("contact") else None,
        names=names_of(given.names),
    )


def names_of(given: Iterable[model.CommunicationName]) -> tuple[Name, ...]:
    """Names as each language writes them."""
    return tuple(Name((name.name_ar,), (name.name_en,)) for name in given)


def command(request: pb.DraftCommunicationRequest) -> DraftCommunication:
    """What is to be drafted."""
    return DraftCommunication(
        incident_id=request.incident_id,
        kind=KINDS.to_domain[request.kind],
        customer_ids=tuple(request.customer_ids),
        channel=channel_of(request.channel),
        facts=facts_of(request.facts),
    )


def preview(found: Communication) -> pb.PreviewCommunicationResponse:
    """A text that is not stored."""
    return pb.PreviewCommunicationResponse(
        approval_required=True,
        kind=KINDS.to_wire[found.kind],
        title_ar=found.title.ar,
        title_en=found.title.en,
        body_ar=found.body.ar,
        body_en=found.body.en,
    )


def parity(found: Iterable[Difference]) -> pb.CheckParityResponse:
    """What differs between two texts."""
    differences = [
        model.ParityDifference(
            kind=_PARITY.to_wire[one.kind], value=one.value, count_ar=one.in_arabic, count_en=one.in_english
        )
        for one in found
    ]
    return pb.CheckParityResponse(same=not differences, differences=differences)


def _text_of(given: model.CommunicationText) -> Text:
    return Text(given.text_ar, given.text_en)


def _texts_of(given: Iterable[model.CommunicationText]) -> tuple[Text, ...]:
    return tuple(map(_text_of, given))
