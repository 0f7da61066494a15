"""Drafts under any order of decisions: an approval is used at most once, for the text it was given for, while it holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from services.domain import drafts as rules
from services.domain.channels import Channel
from services.domain.claims import ClaimChecker, load_claims
from services.domain.context import NOTHING_KNOWN, ChannelFreeze, Context
from services.domain.drafts import Draft, DraftKind, DraftState, NewDraft
from services.domain.errors import DomainError
from services.domain.sent import SentRecord
from services.domain.texts import Bilingual

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TITLE = Bilingual("رسالة متابعة", "A follow-up")
TEXTS = [
    Bilingual("نود الاطمئنان على سير العمل.", "We would like to hear how things are going."),
    Bilingual("متى يناسبكم اللقاء؟", "When would suit you to meet?"),
    # A claim that no approval passes.
    Bilingual("نضمن لكم النتائج.", "We guarantee results."),
]
CLAIM = TEXTS[2]
FROZEN = Context(freezes=(ChannelFreeze("frz_1", None, ""),))


@dataclass(frozen=True)
class Person:
    kind: str = "person"
    id: str = "operator-1"
    role: str = ""


PERSON, SOFTWARE = Person(), Person("service", "bot")


@cache
def claims() -> ClaimChecker:
    return ClaimChecker(load_claims())


def new_draft(body: Bilingual = TEXTS[0]) -> Draft:
    return rules.open_draft("drf_1", NewDraft(DraftKind.REPLY, "ticket/1", "acme", Channel.EMAIL, TITLE, body), START)


def approve(draft: Draft, at: datetime, **changes: object) -> Draft:
    given = {
        "approval_id": "apr_1",
        "approver": PERSON,
        "content_hash": draft.content_hash,
        "edited": None,
        "note": "",
        "valid": 2 * HOUR,
        "now": at,
        "claims": claims(),
        "context": NOTHING_KNOWN,
    }
    return rules.approve(draft, **{**given, **changes})  # type: ignore[arg-type]


@dataclass
class Given:
    """What the test itself remembers of an approval."""

    number: int
    body: Bilingual
    at: datetime
    until: datetime
    ended: bool = False


class Decisions(RuleBasedStateMachine):
    """People decide at random; the test keeps its own account of what each approval is good for."""

    known = Bundle("known")

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.draft = new_draft()
        self.approvals: dict[int, tuple[Given, rules.Approval]] = {}
        self.uses = 0
        self.over = False

    def holds(self) -> Given | None:
        """The approval that holds now, as the test sees it."""
        return next((given for given, _ in self.approvals.values() if not given.ended and self.now < given.until), None)

    def end_all(self) -> None:
        for given, _ in self.approvals.values():
            given.ended = True

    @rule(hours=st.integers(0, 3))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule(target=known, edited=st.sampled_from([None, *TEXTS]), frozen=st.booleans(), stale=st.booleans())
    def somebody_approves(self, edited: Bilingual | None, frozen: bool, stale: bool) -> object:
        body = edited or self.draft.body
        allowed = (
            not self.over
            and self.draft.state is not DraftState.REJECTED
            and self.holds() is None
            and not (frozen or stale)
            and body != CLAIM
        )
        number = len(self.approvals) + 1
        try:
            after = approve(
                self.draft,
                self.now,
                approval_id=f"apr_{number}",
                edited=edited,
                context=FROZEN if frozen else NOTHING_KNOWN,
                **({"content_hash": "0" * 64} if stale else {}),
            )
        except DomainError:
            assert not allowed
            return multiple()
        assert allowed
        if body != self.draft.body:
            # What was approved before, if only for a time, was another text.
            self.end_all()
        self.draft = after
        assert after.approval is not None
        self.approvals[number] = (Given(number, body, self.now, self.now + 2 * HOUR), after.approval)
        return number

    @rule(body=st.sampled_from(TEXTS))
    def somebody_edits(self, body: Bilingual) -> None:
        try:
            self.draft = rules.edit(self.draft, body, PERSON, self.now)
        except DomainError:
            assert self.over
            return
        assert not self.over
        self.end_all()

    @rule()
    def somebody_rejects(self) -> None:
        allowed = not self.over and self.draft.state is not DraftState.REJECTED
        try:
            self.draft = rules.reject(self.draft, PERSON, "لا يناسب", self.now)
        except DomainError:
            assert not allowed
            return
        assert allowed
        self.end_all()

    @rule(number=known, late=st.integers(0, 2))
    def somebody_records_a_sending(self, number: int, late: int) -> None:
        given, approval = self.approvals[number]
        sent_at = self.now - late * HOUR
        held_then = given.at <= sent_at < given.until
        # A later approval may hold by now; the text is still the one of this one, or it would have ended.
        allowed = not given.ended and held_then and not self.over and sent_at <= self.now
        # What the store holds of the approval: the draft's own copy is newer.
        present = self.draft.approval
        stored = present if present is not None and present.approval_id == approval.approval_id else approval
        if given.ended and stored.used_at is None and stored.voided_at is None:
            stored = replace(stored, voided_at=self.now)
        sent = SentRecord(sent_at, Channel.EMAIL, PERSON, "msg-1")
        try:
            self.draft = rules.record_sent(self.draft, stored, sent, PERSON, self.now)
        except DomainError:
            assert not allowed
            return
        assert allowed
        assert self.draft.body == given.body
        self.uses += 1
        self.over = True
        self.end_all()

    @rule()
    def the_service_takes_it_back(self) -> None:
        before = self.draft
        self.draft = rules.withdraw(self.draft, self.now)
        assert (self.draft is before) == self.over
        self.over = True
        self.end_all()

    @invariant()
    def it_is_used_at_most_once_and_waits_exactly_when_nothing_else_holds(self) -> None:
        assert self.uses <= 1
        state = self.draft.state_at(self.now)
        waits = not self.over and self.draft.state is not DraftState.REJECTED and self.holds() is None
        assert (state is DraftState.DRAFTED) == waits
        pending = self.draft.pending_since is not None and self.draft.pending_since <= self.now
        assert pending == waits


Decisions.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestDecisions = Decisions.TestCase


@pytest.mark.parametrize("act", ["approve", "edit", "reject", "send"])
def test_software_decides_nothing(act: str) -> None:
    draft = new_draft()
    approved = approve(draft, START)
    sent = SentRecord(START, Channel.EMAIL, PERSON, "msg-1")
    attempts = {
        "approve": lambda: approve(draft, START, approver=SOFTWARE),
        "edit": lambda: rules.edit(draft, TEXTS[1], SOFTWARE, START),
        "reject": lambda: rules.reject(draft, SOFTWARE, "لا يناسب", START),
        "send": lambda: rules.record_sent(approved, approved.approval, replace(sent, sender=SOFTWARE), PERSON, START),
    }
    with pytest.raises(rules.PersonRequired):
        attempts[act]()


def test_the_hash_tells_every_pair_of_texts_apart() -> None:
    pairs = [
        Bilingual("a", "b"),
        Bilingual("b", "a"),
        Bilingual("a\0b", "c"),
        Bilingual("a", "b\0c"),
        Bilingual("", "ab"),
    ]
    assert len({rules.content_hash(pair) for pair in pairs}) == len(pairs)


def test_a_service_never_drafts_one_of_its_identifiers() -> None:
    with pytest.raises(ValueError, match="internal identifier"):
        new_draft(Bilingual("رقمكم tkt_" + "a" * 26, "Your number"))


ID = "eq27vbyx3xwzq4m2kcfhn5sdta"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param(f"tkt_{ID}", True, id="as we write it"),
        pytest.param(f"Your ticket TKT-{ID.upper()}.", True, id="capitals and a dash"),
        pytest.param(f"رقم{ID}", True, id="no prefix"),
        pytest.param("incident inc_" + "a" * 26, True, id="no digit"),
        pytest.param(f"tkt_{ID[:9]}\u200b{ID[9:]}", True, id="an invisible character"),
        pytest.param(f"tkt_\r\n{ID[:9]}\n{ID[9:]}\nbelow", True, id="line breaks"),
        pytest.param("tkt_" + ID.translate(str.maketrans("2345", "٢٣٤٥")), True, id="Arabic digits"),
        pytest.param("a" * 26, False, id="a drawn-out word"),
        pytest.param("Acme Inc - congratulations to all of you, friends2", False, id="a company"),
        pytest.param("Apr-2026\nInternationalisation\nfriends", False, id="a month"),
        pytest.param(f"https://example.com/{ID}{ID}", False, id="a longer run"),
        pytest.param("SA44 2000 0001 2345 6789 1234", False, id="an account number"),
        pytest.param("550e8400-e29b-41d4-a716-446655440000", False, id="a UUID"),
    ],
)
def test_no_text_that_names_an_identifier_is_edited_in_or_approved_however_it_is_spelt(text: str, named: bool) -> None:
    body = Bilingual("نص الرسالة.", text)
    if not named:
        rules.edit(new_draft(), body, PERSON, START)
        approve(new_draft(), START, edited=body)
        return
    for attempt in (
        lambda: rules.edit(new_draft(), body, PERSON, START),
        lambda: approve(new_draft(), START, edited=body),
        lambda: approve(replace(new_draft(), body=body), START),
    ):
        with pytest.raises(rules.InvalidInput) as refusal:
            attempt()
        assert [(v.field, v.reason) for v in refusal.value.violations] == [("edited.body_en", "INTERNAL_ID")]
