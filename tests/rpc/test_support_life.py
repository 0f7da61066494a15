"""The life of a ticket over a real socket: what people do to it, and what they cannot do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from dealix.common.v1 import channel_pb2, draft_pb2
from dealix.support.v1 import approval_service_pb2 as apr
from dealix.support.v1 import ledger_service_pb2 as led
from dealix.support.v1 import sla_pb2, ticket_pb2
from dealix.support.v1 import sla_service_pb2 as sla
from dealix.support.v1 import support_service_pb2 as sup
from google.protobuf.timestamp_pb2 import Timestamp

from services.runtime.wire import timestamp
from tests.rpc.client import PERSON, SOFTWARE, new_request_id, pages, refused
from tests.rpc.support_desk import P0, P1, P2, P3, Desk, clock_state, desk_at, draft_state, event_name, state, when

FIRST, REPLY = draft_pb2.DRAFT_KIND_FIRST_RESPONSE, draft_pb2.DRAFT_KIND_REPLY
EFFECT = ticket_pb2.MessageEffect


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """Shared by the tests: each has tickets of its own."""
    async with desk_at(data_dir=tmp_path_factory.mktemp("desk")) as found:
        yield found


async def test_a_ticket_lives_from_its_opening_to_the_customers_confirmation(desk: Desk) -> None:
    routed = await desk.route(P1, customer_id="a-whole-life")
    ticket_id = routed.ticket.ticket_id
    assert routed.ticket.state == state("AWAITING_FIRST_RESPONSE")
    desk.passes(minutes=10)
    assert (await desk.answer(ticket_id)).ticket.state == state("IN_PROGRESS")
    desk.passes(hours=1)
    waiting = (await desk.waits(ticket_id)).ticket
    assert (waiting.state, waiting.waiting_on) == (state("WAITING"), ticket_pb2.WAITING_ON_CUSTOMER)
    assert waiting.waiting_reason == "ننتظر صورة من رسالة الخطأ"
    desk.passes(hours=3)
    said = await desk.says(ticket_id, "هذه الصورة")
    assert (said.ticket.state, said.message.effect) == (state("IN_PROGRESS"), EFFECT.Value("MESSAGE_EFFECT_RESUMED"))
    assert (said.ticket.waiting_on, said.ticket.waiting_reason) == (0, "")
    draft = await desk.approve(await desk.reply(ticket_id))
    desk.passes(minutes=20)
    await desk.send_reply(ticket_id, draft)
    resolved = (await desk.resolve(ticket_id)).ticket
    assert (resolved.state, when(resolved.reopen_until_time)) == (
        state("RESOLVED"),
        when(resolved.resolve_time) + timedelta(days=7),
    )
    closed = (await desk.close(ticket_id)).ticket
    assert closed.state == state("CLOSED")
    assert (closed.confirmation.confirmed_by, closed.confirmation.channel) == (
        "sales-manager",
        channel_pb2.CHANNEL_PHONE,
    )
    assert await desk.ticket(ticket_id) == closed
    assert [event_name(event) for event in await desk.events(ticket_id)] == [
        "opened",
        "first_response",
        "paused",
        "customer_message",
        "resumed",
        "reply_sent",
        "resolved",
        "closed",
    ]
    messages = await desk.messages(ticket_id)
    assert [EFFECT.Name(m.effect).removeprefix("MESSAGE_EFFECT_") for m in messages] == [
        "FIRST_RESPONSE",
        "RESUMED",
        "ANSWERED",
    ]
    assert messages[0].body_ar == routed.first_response_template.body_ar
    assert [m.draft_id for m in messages] == [routed.draft.draft_id, "", draft.draft_id]
    assert {name: clock_state(clock) for name, clock in (await desk.clocks(ticket_id)).items()} == {
        "first_response": "met",
        "next_response": "met",
        "resolution": "met",
    }
    assert await desk.due(customer_id="a-whole-life", within_minutes=44_640) == []
    verified = await desk.ask(led.VerifyLedgerRequest())
    assert verified.intact


# --- each step in each state ------------------------------------------------------------------------------------------

STATES: dict[str, list[str]] = {
    "AWAITING_FIRST_RESPONSE": [],
    "IN_PROGRESS": ["answer"],
    "WAITING": ["answer", "waits"],
    "RESOLVED": ["answer", "resolve"],
    "CLOSED": ["answer", "resolve", "close"],
}
# Which step is possible where; everywhere else it is refused and nothing changes.
POSSIBLE: dict[str, set[str]] = {
    "waits": {"IN_PROGRESS"},
    "resume": {"WAITING"},
    "resolve": {"AWAITING_FIRST_RESPONSE", "IN_PROGRESS", "WAITING"},
    "close": {"RESOLVED"},
    "raise": {"AWAITING_FIRST_RESPONSE", "IN_PROGRESS", "WAITING"},
    "reply": {"IN_PROGRESS", "WAITING", "RESOLVED"},
    "escalate": {"AWAITING_FIRST_RESPONSE", "IN_PROGRESS", "WAITING", "RESOLVED"},
}


def step(desk: Desk, name: str) -> Callable[[str], Awaitable[Any]]:
    steps: dict[str, Callable[[str], Awaitable[Any]]] = {
        "answer": desk.answer,
        "waits": desk.waits,
        "resume": desk.resume,
        "resolve": desk.resolve,
        "close": desk.close,
        "raise": lambda ticket_id: desk.raise_to(ticket_id, P0),
        "reply": desk.reply,
        "escalate": lambda ticket_id: desk.do(
            sla.RecordSlaEventRequest, ticket_id=ticket_id, type=sla_pb2.SLA_EVENT_TYPE_ESCALATED
        ),
    }
    return steps[name]


@pytest.mark.parametrize("name", POSSIBLE)
@pytest.mark.parametrize("where", STATES)
async def test_a_step_is_taken_where_it_is_possible_and_refused_elsewhere(desk: Desk, where: str, name: str) -> None:
    ticket_id = await desk.open(P1)
    for before in STATES[where]:
        desk.passes(minutes=1)
        await step(desk, before)(ticket_id)
    found = await desk.ticket(ticket_id)
    assert found.state == state(where)
    desk.passes(minutes=1)
    if where in POSSIBLE[name]:
        await step(desk, name)(ticket_id)
        return
    events = await desk.events(ticket_id)
    refusal = await refused(step(desk, name)(ticket_id))
    if name == "resolve" and where == "RESOLVED":
        assert (refusal.code.name, refusal.reason) == ("ALREADY_EXISTS", "SLA_EVENT_EXISTS")
    else:
        assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "SLA_EVENT_NOT_ALLOWED")
        assert (refusal.metadata["ticket_id"], refusal.metadata["state"]) == (ticket_id, where.lower())
    assert await desk.ticket(ticket_id) == found
    assert await desk.events(ticket_id) == events


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (sup.RaiseTicketPriorityRequest, {"priority": P0, "reason": "عاجل"}),
        (sup.WaitOnCustomerRequest, {"waiting_on": ticket_pb2.WAITING_ON_CUSTOMER, "reason": "صورة"}),
        (sup.ResolveTicketRequest, {}),
        (sup.RecordFirstResponseSentRequest, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_is_a_persons_software_cannot_do(desk: Desk, kind: Any, fields: dict[str, Any]) -> None:
    ticket_id = await desk.open(P1)
    if "sent" in kind.DESCRIPTOR.fields_by_name:
        fields = {"sent": desk.sent()}
    refusal = await refused(desk.do(kind, actor=SOFTWARE, ticket_id=ticket_id, **fields))
    assert (refusal.code.name, refusal.reason) == ("PERMISSION_DENIED", "PERSON_REQUIRED")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (sup.RaiseTicketPriorityRequest, {"priority": P0, "reason": "عاجل"}),
        (sup.WaitOnCustomerRequest, {"waiting_on": ticket_pb2.WAITING_ON_CUSTOMER, "reason": "صورة"}),
        (sup.ResumeTicketRequest, {}),
        (sup.ResolveTicketRequest, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_an_etag_of_an_earlier_state_is_refused(desk: Desk, kind: Any, fields: dict[str, Any]) -> None:
    routed = await desk.route(P1)
    await desk.raise_to(routed.ticket.ticket_id, P0)
    refusal = await refused(desk.do(kind, ticket_id=routed.ticket.ticket_id, etag=routed.ticket.etag, **fields))
    assert (refusal.code.name, refusal.reason) == ("ABORTED", "ETAG_MISMATCH")
    assert refusal.metadata["current_etag"] == (await desk.ticket(routed.ticket.ticket_id)).etag


async def test_an_unknown_ticket_is_not_found_whatever_is_asked(desk: Desk) -> None:
    unknown = "tkt_" + "a" * 26
    for call in (
        desk.says(unknown, "مرحبا"),
        desk.waits(unknown),
        desk.resume(unknown),
        desk.resolve(unknown),
        desk.close(unknown),
        desk.raise_to(unknown, P0),
        desk.reply(unknown),
        desk.send_first(unknown),
        desk.clocks(unknown),
        desk.messages(unknown),
        desk.ask(sup.ListTicketLinksRequest(ticket_id=unknown)),
    ):
        refusal = await refused(call)
        assert (refusal.code.name, refusal.reason) == ("NOT_FOUND", "TICKET_NOT_FOUND")
        assert refusal.metadata == {"ticket_id": unknown}


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda desk, ticket_id: desk.waits(ticket_id, reason="\u200f \n"), "reason"),
        (lambda desk, ticket_id: desk.raise_to(ticket_id, P0, reason=" "), "reason"),
        (lambda desk, ticket_id: desk.raise_to(ticket_id, P1), "priority"),
        (lambda desk, ticket_id: desk.raise_to(ticket_id, P3), "priority"),
        (lambda desk, ticket_id: desk.says(ticket_id, "\u200b"), "body"),
        (
            lambda desk, ticket_id: desk.says(
                ticket_id, "مرحبا", receive_time=timestamp(desk.now + timedelta(minutes=1))
            ),
            "receive_time",
        ),
        (
            lambda desk, ticket_id: desk.resolve(ticket_id, occur_time=timestamp(desk.now - timedelta(days=1))),
            "occur_time",
        ),
        (
            lambda desk, ticket_id: desk.do(
                sup.DraftReplyRequest, ticket_id=ticket_id, body_ar="رقمكم " + ticket_id, body_en="x"
            ),
            "body_ar",
        ),
        (
            lambda desk, ticket_id: desk.do(
                sup.LinkTicketsRequest, ticket_id=ticket_id, other_ticket_id=ticket_id, kind=1
            ),
            "other_ticket_id",
        ),
    ],
)
async def test_bad_input_is_named_by_its_field(
    desk: Desk, ask: Callable[[Desk, str], Awaitable[Any]], field: str
) -> None:
    ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    before = await desk.ticket(ticket_id)
    refusal = await refused(ask(desk, ticket_id))
    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")
    assert set(refusal.fields) == {field}
    assert await desk.ticket(ticket_id) == before


async def test_every_faulty_field_is_named_at_once(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    now, past, later = (timestamp(desk.now + timedelta(hours=hours)) for hours in (0, -1, 1))
    no_day = Timestamp(seconds=-(10**12))
    event = {"request_id": new_request_id(), "actor": PERSON, "ticket_id": ticket_id, "occur_time": later}
    first, resolved = sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE, sla_pb2.SLA_EVENT_TYPE_RESOLVED
    sent = desk.sent(desk.now + timedelta(hours=1))
    period = {"period_start_time": now, "period_end_time": past}
    expected: list[tuple[Any, dict[str, str]]] = [
        (
            sla.RecordSlaEventRequest(type=resolved, sent=sent, **event),
            {"sent": "NOT_ALLOWED", "occur_time": "IN_FUTURE"},
        ),
        (
            sla.RecordSlaEventRequest(type=first, sent=sent, **event),
            {"sent.send_time": "IN_FUTURE", "occur_time": "NOT_ALLOWED"},
        ),
        (sla.RecordSlaEventRequest(type=first, **event), {"sent": "REQUIRED", "occur_time": "NOT_ALLOWED"}),
        (
            sla.ListDueSoonRequest(as_of_time=later, within_minutes=1, page_token="x"),
            {"as_of_time": "IN_FUTURE", "within_minutes": "NOT_ALLOWED", "page_token": "PAGE_TOKEN_INVALID"},
        ),
        (
            sla.ListClocksRequest(ticket_id=ticket_id, as_of_time=later, page_token="x"),
            {"as_of_time": "IN_FUTURE", "page_token": "PAGE_TOKEN_INVALID"},
        ),
        (
            sla.GetSlaHealthReportRequest(as_of_time=later, **period),
            {"as_of_time": "IN_FUTURE", "period_end_time": "PERIOD"},
        ),
        (
            sla.GetSlaHealthReportRequest(period_start_time=no_day, period_end_time=no_day),
            {"period_start_time": "TIME_OUT_OF_RANGE", "period_end_time": "TIME_OUT_OF_RANGE"},
        ),
        (
            sup.ListTicketsRequest(create_time_from=no_day, create_time_before=no_day),
            {"create_time_from": "TIME_OUT_OF_RANGE", "create_time_before": "TIME_OUT_OF_RANGE"},
        ),
        (sup.ListTicketsRequest(create_time_from=now, create_time_before=past), {"create_time_before": "PERIOD"}),
    ]
    for request, faults in expected:
        assert (await refused(desk.ask(request))).fields == faults


@pytest.mark.parametrize(("after_resolution", "reason"), [(1, "IN_FUTURE"), (-1, "BEFORE_RESOLUTION")])
async def test_a_confirmation_of_what_cannot_be_confirmed_then_is_refused_by_its_path(
    desk: Desk, after_resolution: int, reason: str
) -> None:
    ticket_id = await desk.open(P1)
    desk.passes(hours=2)
    resolved = (await desk.resolve(ticket_id)).ticket
    at = when(resolved.resolve_time) + timedelta(hours=after_resolution)
    confirmation = ticket_pb2.CustomerConfirmation(
        confirmed_by="c-1", channel=channel_pb2.CHANNEL_PHONE, confirm_time=timestamp(at)
    )
    refusal = await refused(desk.close(ticket_id, confirmation=confirmation))
    assert refusal.fields == {"confirmation.confirm_time": reason}
    assert await desk.ticket(ticket_id) == resolved


async def test_a_report_reaches_to_the_last_day_of_the_calendar(desk: Desk) -> None:
    last = datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)
    period = {"period_start_time": timestamp(last - timedelta(days=1)), "period_end_time": timestamp(last)}
    assert (await desk.ask(sla.GetSlaHealthReportRequest(**period))).report.total_tickets == 0


async def test_before_the_first_policy_the_field_that_was_asked_with_is_named(desk: Desk) -> None:
    before = timestamp(datetime(1999, 12, 31, tzinfo=UTC))
    period = {"period_start_time": before, "period_end_time": before}
    for call, fields in (
        (
            desk.ask(sla.GetSlaHealthReportRequest(as_of_time=before, **period)),
            {"period_end_time": "PERIOD", "as_of_time": "NO_POLICY"},
        ),
        (desk.ask(sla.GetSlaPolicyRequest(open_time=before)), {"open_time": "NO_POLICY"}),
    ):
        assert (await refused(call)).fields == fields


async def test_a_resolution_within_a_wait_that_ended_is_refused_by_its_time(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    await desk.waits(ticket_id)
    desk.passes(hours=1)
    during = timestamp(desk.now)
    desk.passes(hours=1)
    resumed = (await desk.resume(ticket_id)).event
    for late in (
        desk.resolve(ticket_id, occur_time=during),
        desk.do(
            sla.RecordSlaEventRequest,
            ticket_id=ticket_id,
            type=sla_pb2.SLA_EVENT_TYPE_RESOLVED,
            occur_time=during,
        ),
    ):
        refusal = await refused(late)
        assert (refusal.code.name, refusal.fields) == ("INVALID_ARGUMENT", {"occur_time": "OUT_OF_ORDER"})
    found = await desk.resolve(ticket_id, occur_time=resumed.occur_time)
    assert found.ticket.state == state("RESOLVED")


@pytest.mark.parametrize(
    "spelt",
    [
        lambda ticket_id: ticket_id.upper(),
        lambda ticket_id: ticket_id.replace("tkt_", "TKT-"),
        lambda ticket_id: ticket_id.removeprefix("tkt_"),
        lambda ticket_id: ticket_id[:10] + "\u200b" + ticket_id[10:],
        lambda ticket_id: ticket_id[:15] + "\r\n" + ticket_id[15:],
    ],
    ids=["capitals", "a dash", "no prefix", "an invisible character", "a line break"],
)
async def test_a_draft_never_holds_the_id_of_its_ticket_however_it_is_spelt(
    desk: Desk, spelt: Callable[[str], str]
) -> None:
    # Nearly all ids have a digit, by which one without its prefix is told from a word.
    ticket_id = await desk.open(P1)
    while not any(map(str.isdigit, ticket_id)):
        ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    text = f"رقم {spelt(ticket_id)}."
    refusal = await refused(
        desk.do(sup.DraftReplyRequest, ticket_id=ticket_id, body_ar=text, body_en="Your ticket " + text)
    )
    assert refusal.fields == {"body_ar": "INTERNAL_ID", "body_en": "INTERNAL_ID"}
    draft = await desk.reply(ticket_id)
    edited = apr.EditedTexts(body_ar=text, body_en="Hello.")
    refusal = await refused(desk.do(apr.EditDraftRequest, draft_id=draft.draft_id, edited=edited))
    assert refusal.fields == {"edited.body_ar": "INTERNAL_ID"}


async def test_software_opens_no_ticket_above_what_its_text_says(desk: Desk) -> None:
    asked: dict[str, Any] = {"actor": SOFTWARE, "customer_id": "asks-for-more"}
    refusal = await refused(desk.route(P3, minimum_priority=P0, **asked))
    assert (refusal.code.name, refusal.reason) == ("PERMISSION_DENIED", "PERSON_REQUIRED")
    assert refusal.metadata == {"action": "raise_priority"}
    assert not (await desk.ask(sup.ListTicketsRequest(customer_id="asks-for-more"))).tickets
    # What raises nothing is nobody's decision.
    await desk.route(P1, minimum_priority=P2, **asked)
    await desk.route(P1, minimum_priority=P1, **asked)


async def test_a_page_of_long_texts_is_read_by_a_client_of_grpcs_defaults_and_goes_on(desk: Desk) -> None:
    body = "سؤال عن الباقات وطريقة الاشتراك. " * 590
    opened = [await desk.do(sup.RouteTicketRequest, customer_id="long", body=body) for _ in range(130)]
    long = "شرح مطوّل لخطوات الاشتراك. " * 720
    for each in opened[:60]:
        edited = apr.EditedTexts(body_ar=long, body_en=long)
        await desk.do(apr.EditDraftRequest, draft_id=each.draft.draft_id, edited=edited)

    async def read(request: Any, **filters: Any) -> list[Any]:
        return [
            page async for page in pages(lambda token: desk.ask(request(page_size=200, page_token=token, **filters)))
        ]

    tickets = await read(sup.ListTicketsRequest, customer_id="long")
    assert sum(page.ByteSize() for page in tickets) > 4 << 20
    assert [len(tickets), sum(len(page.tickets) for page in tickets)] == [2, 130]
    assert {ticket.ticket_id for page in tickets for ticket in page.tickets} == {
        each.ticket.ticket_id for each in opened
    }
    drafts = await read(apr.ListPendingApprovalsRequest, customer_id="long")
    assert sum(page.ByteSize() for page in drafts) > 4 << 20
    assert [len(drafts), sum(len(page.drafts) for page in drafts)] == [2, 130]


# --- the first response -----------------------------------------------------------------------------------------------


async def test_drafted_approved_and_sent_are_three_times_and_only_the_last_stops_the_clock(desk: Desk) -> None:
    routed = await desk.route(P1)
    ticket_id, draft = routed.ticket.ticket_id, routed.draft
    assert (draft_state(draft), draft.kind, draft.subject) == ("drafted", FIRST, f"ticket/{ticket_id}")
    assert draft.body_ar == routed.first_response_template.body_ar
    assert ticket_id not in draft.title_ar + draft.title_en + draft.body_ar + draft.body_en
    desk.passes(minutes=30)
    approved = await desk.approve(draft)
    assert draft_state(approved) == "approved"
    clock = (await desk.clocks(ticket_id))["first_response"]
    assert (clock_state(clock), clock.HasField("stop_time")) == ("running", False)
    sent_at = desk.passes(minutes=30)
    desk.passes(minutes=30)
    answer = await desk.send_first(ticket_id, sent=desk.sent(sent_at))
    assert draft_state(answer.draft) == "sent_recorded"
    assert (answer.event.approval_id, answer.event.draft_id) == (approved.approval.approval_id, draft.draft_id)
    clock = (await desk.clocks(ticket_id))["first_response"]
    assert (clock_state(clock), when(clock.stop_time)) == ("met", sent_at)
    times = [when(draft.create_time), when(approved.approval.approve_time), when(answer.draft.sent.send_time)]
    assert times == sorted(set(times))


_PROMISES = {
    P0: ("سنرد عليكم خلال نصف ساعة.", "We reply within 30 minutes."),
    P1: ("نعود إليكم خلال ١٢٠ دقيقة.", "You will have our answer within two hours."),
    P2: ("يصلكم ردنا خلال ثماني ساعات.", "We will come back to you within 8 hours."),
    P3: ("نجيبكم خلال أربع وعشرين ساعة.", "A colleague replies within one day."),
}


@pytest.mark.parametrize("priority", _PROMISES)
async def test_a_first_response_promises_no_later_answer_than_its_priority_has(desk: Desk, priority: int) -> None:
    draft = (await desk.route(priority)).draft
    for later in [other for other in _PROMISES if other > priority]:
        mixed = apr.EditedTexts(body_ar=_PROMISES[priority][0], body_en=_PROMISES[later][1])
        refusal = await refused(desk.approve(draft, edited=mixed))
        assert refusal.reason == "INVALID_FIELDS"
        assert refusal.fields == {"edited.body_en": "PROMISE"}
        wrong = apr.EditedTexts(body_ar=_PROMISES[later][0], body_en=_PROMISES[later][1])
        await desk.do(apr.EditDraftRequest, draft_id=draft.draft_id, edited=wrong)
        draft = (await desk.ask(apr.GetDraftRequest(draft_id=draft.draft_id))).draft
        refusal = await refused(desk.approve(draft))
        assert refusal.fields == {"edited.body_ar": "PROMISE", "edited.body_en": "PROMISE"}
    right = apr.EditedTexts(body_ar=_PROMISES[priority][0], body_en=_PROMISES[priority][1])
    assert draft_state(await desk.approve(draft, edited=right)) == "edited_and_approved"


async def test_a_first_response_may_promise_nothing(desk: Desk) -> None:
    nothing = apr.EditedTexts(body_ar="وصلنا بلاغكم ونعمل عليه.", body_en="We have your report and are on it.")
    assert draft_state(await desk.approve((await desk.route(P0)).draft, edited=nothing)) == "edited_and_approved"


async def test_a_raised_ticket_promises_the_time_of_its_new_priority(desk: Desk) -> None:
    ticket_id = await desk.open(P3)
    await desk.do(sup.RaiseTicketPriorityRequest, ticket_id=ticket_id, priority=P0, reason="it is worse than it reads")
    draft = await desk.first_draft(ticket_id)
    former = apr.EditedTexts(body_ar=_PROMISES[P3][0], body_en=_PROMISES[P3][1])
    refusal = await refused(desk.approve(draft, edited=former))
    assert refusal.fields == {"edited.body_ar": "PROMISE", "edited.body_en": "PROMISE"}
    assert draft_state(await desk.approve(draft)) == "approved"


async def test_what_is_wrong_with_a_text_of_itself_is_told_before_its_promise(desk: Desk) -> None:
    claim = apr.EditedTexts(body_ar="نضمن لكم مبيعات أعلى.", body_en="We guarantee higher sales.")
    refusal = await refused(desk.approve((await desk.route(P1)).draft, edited=claim))
    assert refusal.reason == "PROHIBITED_CLAIM"


async def test_a_reply_may_promise_any_time(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    later = apr.EditedTexts(body_ar="نرد عليكم خلال يومين.", body_en="We reply within two days.")
    assert draft_state(await desk.approve(await desk.reply(ticket_id), edited=later)) == "edited_and_approved"


async def test_a_first_response_is_recorded_with_an_approval_that_holds_and_with_no_other(desk: Desk) -> None:
    async def reason(call: Awaitable[Any]) -> str:
        before = await desk.ticket(ticket_id)
        refusal = await refused(call)
        assert await desk.ticket(ticket_id) == before
        return refusal.reason

    ticket_id = await desk.open(P1)
    draft = await desk.first_draft(ticket_id)
    other = await desk.approve(await desk.first_draft(await desk.open(P1)))
    assert await reason(desk.send_first(ticket_id)) == "APPROVAL_REQUIRED"
    assert await reason(desk.send_first(ticket_id, approval_id=other.approval.approval_id)) == "APPROVAL_MISMATCH"
    assert await reason(desk.send_first(ticket_id, approval_id="apr_" + "a" * 26)) == "DRAFT_NOT_FOUND"

    approved = await desk.approve(draft)
    edited = apr.EditedTexts(body_ar="نص آخر تمامًا.", body_en="Another text.")
    await desk.do(apr.EditDraftRequest, draft_id=draft.draft_id, edited=edited)
    void = approved.approval.approval_id
    assert await reason(desk.send_first(ticket_id, approval_id=void)) == "APPROVAL_VOID"

    draft = await desk.first_draft(ticket_id)
    expiring = await desk.approve(draft, valid_hours=1)
    desk.passes(hours=2)
    late = desk.send_first(ticket_id, approval_id=expiring.approval.approval_id)
    assert await reason(late) == "APPROVAL_EXPIRED"
    in_time = desk.sent(desk.now - timedelta(minutes=90))
    software = desk.sent(sender=SOFTWARE)
    approval_id = expiring.approval.approval_id
    assert await reason(desk.send_first(ticket_id, sent=software, approval_id=approval_id)) == "PERSON_REQUIRED"
    answer = await desk.send_first(ticket_id, sent=in_time, approval_id=approval_id)
    assert answer.event.approval_id == approval_id, "what was sent while it held can be recorded later"
    assert await reason(desk.send_first(ticket_id, approval_id=approval_id)) == "SLA_EVENT_EXISTS"


async def test_a_draft_that_stops_a_clock_is_not_recorded_as_sent_beside_its_ticket(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    approved = await desk.approve(await desk.first_draft(ticket_id))
    refusal = await refused(
        desk.do(
            apr.RecordDraftSentRequest,
            draft_id=approved.draft_id,
            approval_id=approved.approval.approval_id,
            sent=desk.sent(),
        )
    )
    assert refusal.reason == "DRAFT_STATE_REFUSED"
    assert draft_state(await desk.first_draft(ticket_id)) == "approved"


@pytest.mark.parametrize("approved", [True, False], ids=["approved", "never approved"])
async def test_a_sending_recorded_as_an_sla_event_uses_the_approval_up_or_names_none(
    desk: Desk, approved: bool
) -> None:
    ticket_id = await desk.open(P1)
    draft = await desk.first_draft(ticket_id)
    if approved:
        await desk.approve(draft)
    desk.passes(minutes=1)
    answer = await desk.do(
        sla.RecordSlaEventRequest,
        ticket_id=ticket_id,
        type=sla_pb2.SLA_EVENT_TYPE_FIRST_RESPONSE,
        sent=desk.sent(),
    )
    assert answer.ticket.state == state("IN_PROGRESS")
    assert bool(answer.event.approval_id) is approved
    assert draft_state(await desk.first_draft(ticket_id)) == ("sent_recorded" if approved else "withdrawn")
    assert len(await desk.messages(ticket_id)) == approved, "what was sent instead of the draft is not known"


# --- replies ----------------------------------------------------------------------------------------------------------


async def test_a_reply_stops_the_next_response_clock_when_it_was_sent_and_not_when_it_was_approved(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    assert clock_state((await desk.clocks(ticket_id))["next_response"]) == "not_started"
    written = desk.passes(minutes=5)
    await desk.says(ticket_id, "ما زال متوقفًا", receive_time=timestamp(written))
    desk.passes(minutes=5)
    await desk.says(ticket_id, "هل من جديد؟")
    draft = await desk.reply(ticket_id)
    assert (draft.kind, when(draft.due_time)) == (REPLY, written + timedelta(hours=2))
    await desk.approve(draft)
    clock = (await desk.clocks(ticket_id))["next_response"]
    assert (clock_state(clock), when(clock.start_time)) == ("running", written), "from the oldest unanswered message"
    desk.passes(minutes=10)
    await desk.send_reply(ticket_id, draft)
    clock = (await desk.clocks(ticket_id))["next_response"]
    assert (clock_state(clock), when(clock.stop_time)) == ("met", desk.now - timedelta(microseconds=2))


async def test_a_reply_of_another_ticket_and_a_second_recording_are_refused(desk: Desk) -> None:
    one, other = await desk.open(P1), await desk.open(P1)
    for ticket_id in (one, other):
        await desk.answer(ticket_id)
    draft = await desk.approve(await desk.reply(one))
    assert (await refused(desk.send_reply(other, draft))).reason == "APPROVAL_MISMATCH"
    assert (await refused(desk.send_reply(one, await desk.first_draft(one)))).reason == "APPROVAL_MISMATCH"
    await desk.send_reply(one, draft)
    assert (await refused(desk.send_reply(one, draft))).reason == "APPROVAL_USED"


# --- waiting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["CUSTOMER", "THIRD_PARTY"])
async def test_a_wait_pauses_the_resolution_clock_and_nothing_else(desk: Desk, on: str) -> None:
    ticket_id = await desk.open(P1, customer_id=f"waits-{on}")
    await desk.answer(ticket_id)
    desk.passes(hours=1)
    event = (await desk.waits(ticket_id, on)).event
    assert ticket_pb2.WaitingOn.Name(event.waiting_on) == f"WAITING_ON_{on}"
    before = (await desk.clocks(ticket_id))["resolution"]
    desk.passes(hours=50)
    clock = (await desk.clocks(ticket_id))["resolution"]
    assert clock_state(clock) == "paused"
    assert clock.elapsed == before.elapsed
    assert getattr(clock.burn, on.lower()).ToTimedelta() >= timedelta(hours=50)
    assert await desk.due(customer_id=f"waits-{on}", within_minutes=44_640) == [], "what stands still presses nobody"
    await desk.resume(ticket_id)
    clock = (await desk.clocks(ticket_id))["resolution"]
    assert clock_state(clock) == "running"
    left = when(clock.due_time) - desk.now
    assert timedelta(hours=22) < left < timedelta(hours=24)


async def test_waiting_for_our_own_approver_pauses_nothing_and_counts_as_ours(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    desk.passes(minutes=90)
    await desk.approve(await desk.first_draft(ticket_id))
    desk.passes(minutes=10)
    clocks = await desk.clocks(ticket_id)
    for name in ("first_response", "resolution"):
        assert timedelta(minutes=100) <= clocks[name].elapsed.ToTimedelta() < timedelta(minutes=101), name
        burn = clocks[name].burn
        assert timedelta(minutes=90) <= burn.our_approver.ToTimedelta() < timedelta(minutes=91)
        assert timedelta(minutes=10) <= burn.us.ToTimedelta() < timedelta(minutes=11)
    assert clock_state(clocks["first_response"]) == "at_risk"


# --- after the resolution ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "thanks", ["شكراً", "شكرا جزيلا 🙏", "مشكورين", "يعطيكم العافية", "Thanks a lot!", "thank you so much"]
)
async def test_bare_thanks_reopen_nothing_and_are_flagged(desk: Desk, thanks: str) -> None:
    ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    await desk.resolve(ticket_id)
    said = await desk.says(ticket_id, thanks)
    assert (said.ticket.state, said.ticket.thanked) == (state("RESOLVED"), True)
    assert (said.message.thanks_only, said.message.effect) == (True, EFFECT.Value("MESSAGE_EFFECT_THANKS_FLAGGED"))


@pytest.mark.parametrize("text", ["شكراً بس المشكلة رجعت", "Thanks, but it is still broken", "رجعت المشكلة"])
async def test_any_other_message_reopens_a_resolved_ticket_and_its_clock_resumes(desk: Desk, text: str) -> None:
    ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    desk.passes(hours=2)
    await desk.resolve(ticket_id)
    await desk.says(ticket_id, "شكراً")
    desk.passes(days=3)
    said = await desk.says(ticket_id, text)
    assert (said.ticket.state, said.ticket.thanked) == (state("IN_PROGRESS"), False)
    assert said.message.effect == EFFECT.Value("MESSAGE_EFFECT_REOPENED")
    assert not said.ticket.HasField("resolve_time")
    desk.passes(hours=1)
    clock = (await desk.clocks(ticket_id))["resolution"]
    assert timedelta(hours=3) <= clock.elapsed.ToTimedelta() < timedelta(hours=3, minutes=1)
    again = await desk.resolve(ticket_id)
    assert again.ticket.state == state("RESOLVED")


async def test_the_seventh_day_is_the_last_and_then_a_new_ticket_follows_the_old_one(desk: Desk) -> None:
    ids = []
    for _ in range(2):
        ids.append(await desk.open(P1))
        await desk.answer(ids[-1])
        await desk.resolve(ids[-1])
    ends = [when((await desk.ticket(ticket_id)).reopen_until_time) for ticket_id in ids]
    # A write reads the clock, which moves it by a microsecond.
    desk.clock.now = ends[0] - timedelta(microseconds=1)
    assert (await desk.says(ids[0], "رجعت المشكلة")).ticket.state == state("IN_PROGRESS")
    desk.clock.now = ends[1]
    refusal = await refused(desk.says(ids[1], "رجعت المشكلة"))
    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "TICKET_FOLLOW_UP_REQUIRED")
    assert refusal.metadata == {"ticket_id": ids[1], "state": "resolved"}
    assert not [m for m in await desk.messages(ids[1]) if m.author == ticket_pb2.MESSAGE_AUTHOR_CUSTOMER]

    follow_up = await desk.route(P1, follows_ticket_id=ids[1])
    for ticket_id in (ids[1], follow_up.ticket.ticket_id):
        links = (await desk.ask(sup.ListTicketLinksRequest(ticket_id=ticket_id))).links
        assert [(link.ticket_id, link.other_ticket_id, link.kind) for link in links] == [
            (follow_up.ticket.ticket_id, ids[1], ticket_pb2.TICKET_LINK_KIND_FOLLOWS)
        ]


async def test_a_message_received_within_the_seven_days_reopens_though_it_is_recorded_after_them(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    await desk.answer(ticket_id)
    ends = when((await desk.resolve(ticket_id)).ticket.reopen_until_time)
    desk.clock.now = ends + timedelta(minutes=1)
    late = timestamp(ends + timedelta(microseconds=1))
    assert (
        await refused(desk.says(ticket_id, "رجعت المشكلة", receive_time=late))
    ).reason == "TICKET_FOLLOW_UP_REQUIRED"
    said = await desk.says(ticket_id, "رجعت المشكلة", receive_time=timestamp(ends))
    assert (said.ticket.state, said.message.effect) == (state("IN_PROGRESS"), EFFECT.Value("MESSAGE_EFFECT_REOPENED"))
    assert when(said.message.occur_time) == ends


async def test_closing_needs_a_resolution_and_takes_back_what_still_waits(desk: Desk) -> None:
    ticket_id = await desk.open(P1)
    await desk.resolve(ticket_id)
    assert clock_state((await desk.clocks(ticket_id))["first_response"]) == "running", "a resolution answers nobody"
    await desk.close(ticket_id)
    assert draft_state(await desk.first_draft(ticket_id)) == "withdrawn"
    assert clock_state((await desk.clocks(ticket_id))["first_response"]) == "cancelled"
    assert (await refused(desk.says(ticket_id, "مشكلة جديدة"))).reason == "TICKET_FOLLOW_UP_REQUIRED"


# --- priority and links -----------------------------------------------------------------------------------------------


async def test_a_raise_recomputes_from_the_start_and_drafts_the_first_response_anew(desk: Desk) -> None:
    routed = await desk.route(P2)
    ticket_id, opened = routed.ticket.ticket_id, when(routed.ticket.create_time)
    approved = await desk.approve(routed.draft)
    desk.passes(minutes=10)
    answer = await desk.raise_to(ticket_id, P0)
    assert answer.approval_required is True
    assert (answer.ticket.priority, answer.ticket.owner, answer.ticket.sla.first_response_minutes) == (
        P0,
        "founder",
        30,
    )
    assert (answer.draft.draft_id, draft_state(answer.draft)) == (routed.draft.draft_id, "drafted")
    assert "30 دقيقة" in answer.draft.body_ar
    assert "P0" in answer.draft.title_ar
    assert when(answer.draft.due_time) == opened + timedelta(minutes=30)
    void = desk.send_first(ticket_id, approval_id=approved.approval.approval_id)
    assert (await refused(void)).reason == "APPROVAL_VOID"
    clocks = await desk.clocks(ticket_id)
    assert when(clocks["first_response"].due_time) == opened + timedelta(minutes=30)
    assert when(clocks["resolution"].due_time) == opened + timedelta(hours=4)


async def test_a_raise_after_the_first_response_leaves_it_as_it_was_judged(desk: Desk) -> None:
    ticket_id = await desk.open(P2)
    desk.passes(hours=7)
    await desk.answer(ticket_id)
    answer = await desk.raise_to(ticket_id, P1)
    assert not answer.HasField("draft")
    assert answer.approval_required is False
    clocks = await desk.clocks(ticket_id)
    assert (clock_state(clocks["first_response"]), clocks["first_response"].priority) == ("met", P2)
    assert clocks["resolution"].priority == P1


async def test_a_link_shows_on_both_tickets_and_is_made_once(desk: Desk) -> None:
    one, other, foreign = await desk.open(), await desk.open(), await desk.open(customer_id="globex")
    for _ in range(2):
        await desk.do(sup.LinkTicketsRequest, ticket_id=one, other_ticket_id=other, kind=2)
    await desk.do(sup.LinkTicketsRequest, ticket_id=one, other_ticket_id=foreign, kind=1)
    refusal = await refused(desk.do(sup.LinkTicketsRequest, ticket_id=one, other_ticket_id=foreign, kind=2))
    assert refusal.fields == {"other_ticket_id": "OTHER_CUSTOMER"}
    assert len((await desk.ask(sup.ListTicketLinksRequest(ticket_id=one))).links) == 2
    assert len((await desk.ask(sup.ListTicketLinksRequest(ticket_id=other))).links) == 1
