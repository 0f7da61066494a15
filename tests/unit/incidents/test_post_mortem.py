"""Post-mortems: every state with every action, the gate thing by thing, and what an edit leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.claims import ClaimChecker, load_claims
from services.domain.errors import EtagMismatch, InvalidInput, PersonRequired
from services.domain.texts import TextsError
from services.incidents.domain import post_mortem as rules
from services.incidents.domain.post_mortem import (
    ActionItem,
    Content,
    Event,
    Gap,
    GapKind,
    IncidentFacts,
    LegalRoleRequired,
    PostMortem,
    PostMortemIncomplete,
    PostMortemState,
    PostMortemStateRefused,
    SignOff,
    SignOffKind,
    load_wording,
)
from services.incidents.domain.severity import Severity
from services.incidents.domain.written import Text
from services.storage.transaction import Actor

NOW = datetime(2026, 3, 7, 19, tzinfo=UTC)
WRITER = Actor("person", "operator-17", "operator_oncall")
DPO = Actor("person", "dpo-1", "dpo")
LEGAL = Actor("person", "counsel-1", "legal")
SOFTWARE = Actor("service", "lead-engine")
INCIDENT = "inc_" + "a" * 26
CLAIMS = ClaimChecker(load_claims())
WORDING = load_wording()
DRAFT, IN_REVIEW, APPROVED, PUBLISHABLE = PostMortemState

FULL = Content(
    summary=Text("توقف الإرسال على القناة ساعتين.", "Sending on the channel stopped for two hours."),
    timeline=(Event(NOW, Text("لاحظ المشغّل الخلل.", "The operator saw the fault.")),),
    root_cause=Text("انتهت صلاحية شهادة.", "A certificate expired."),
    what_went_well=Text("جُمّدت القناة فورًا.", "The channel was frozen at once."),
    what_went_wrong=Text("لم ينبّه أحد قبل انتهائها.", "Nobody warned before it expired."),
    action_items=(
        ActionItem(Text("تنبيه قبل 30 يومًا", "Warn 30 days before"), "operator-17", NOW + timedelta(days=7)),
    ),
)
SEV1 = IncidentFacts(Severity.SEV1, True, ("acme", "najd"))
SEV3 = IncidentFacts(Severity.SEV3, True, ("acme",))


def begun(content: Content = FULL) -> PostMortem:
    return rules.begin(INCIDENT, content, WRITER, NOW)


def in_review(content: Content = FULL) -> PostMortem:
    return rules.submit(begun(content), WRITER, NOW, WORDING)


def approve(
    found: PostMortem,
    content_revision: int | None = None,
    actor: Actor = WRITER,
    now: datetime = NOW,
    *,
    resolved: bool = True,
) -> PostMortem:
    given_ = found.content_revision if content_revision is None else content_revision
    return rules.approve(found, given_, actor, now, resolved=resolved, claims=CLAIMS, wording=WORDING)


def approved(content: Content = FULL) -> PostMortem:
    found = in_review(content)
    return approve(found)


def signed(
    found: PostMortem, kind: SignOffKind, customer_id: str = "", actor: Actor = DPO, reference: str = "letter 1"
) -> PostMortem:
    given_ = SignOff(kind, customer_id, found.content_revision, actor, NOW, reference)
    state = rules.standing(found, rules.gate(found, SEV1, CLAIMS, WORDING))
    return rules.sign_off(found, given_, state, SEV1.customer_ids, NOW, WORDING)


def fully_signed(found: PostMortem) -> PostMortem:
    found = signed(found, SignOffKind.LEGAL_REVIEW)
    for customer_id in SEV1.customer_ids:
        found = signed(found, SignOffKind.CUSTOMER_CONSENT, customer_id, WRITER)
    return signed(found, SignOffKind.PERSONAL_DATA_REMOVED, actor=WRITER)


def publishable() -> PostMortem:
    return rules.make_publishable(fully_signed(approved()), SEV1, WRITER, NOW, CLAIMS, WORDING)


def gaps(found: PostMortem, facts: IncidentFacts = SEV1) -> list[tuple[GapKind, str]]:
    return [(gap.kind, gap.subject) for gap in rules.gate(found, facts, CLAIMS, WORDING)]


STATES: dict[PostMortemState, Callable[[], PostMortem]] = {
    DRAFT: begun,
    IN_REVIEW: in_review,
    APPROVED: lambda: fully_signed(approved()),
    PUBLISHABLE: publishable,
}
ACTIONS: dict[str, Callable[[PostMortem], PostMortem]] = {
    "submit": lambda found: rules.submit(found, WRITER, NOW, WORDING),
    "approve": lambda found: approve(found),
    "sign": lambda found: signed(found, SignOffKind.LEGAL_REVIEW),
    "publish": lambda found: rules.make_publishable(found, SEV1, WRITER, NOW, CLAIMS, WORDING),
    "edit": lambda found: rules.rewrite(found, replace(FULL, summary=Text("نص آخر", "Another")), WRITER, NOW),
}
# What each action makes of each state: the state after it, or the refusal.
TABLE: dict[str, dict[PostMortemState, PostMortemState | type[Exception]]] = {
    "submit": {
        DRAFT: IN_REVIEW,
        IN_REVIEW: PostMortemStateRefused,
        APPROVED: PostMortemStateRefused,
        PUBLISHABLE: PostMortemStateRefused,
    },
    "approve": {
        DRAFT: PostMortemStateRefused,
        IN_REVIEW: APPROVED,
        APPROVED: PostMortemStateRefused,
        PUBLISHABLE: PostMortemStateRefused,
    },
    "sign": {
        DRAFT: PostMortemStateRefused,
        IN_REVIEW: IN_REVIEW,
        APPROVED: APPROVED,
        PUBLISHABLE: PostMortemStateRefused,
    },
    "publish": {
        # The refusal lists what is missing, the approval among it.
        DRAFT: PostMortemIncomplete,
        IN_REVIEW: PostMortemIncomplete,
        APPROVED: PUBLISHABLE,
        PUBLISHABLE: PostMortemStateRefused,
    },
    "edit": {DRAFT: DRAFT, IN_REVIEW: DRAFT, APPROVED: DRAFT, PUBLISHABLE: DRAFT},
}


@pytest.mark.parametrize("state", PostMortemState)
@pytest.mark.parametrize("action", TABLE)
def test_every_action_in_every_state(action: str, state: PostMortemState) -> None:
    before = STATES[state]()
    assert before.state is state
    wanted = TABLE[action][state]
    if isinstance(wanted, PostMortemState):
        after = ACTIONS[action](before)
        assert after.state is wanted
        assert after.revision == before.revision + 1
    else:
        with pytest.raises(wanted):
            ACTIONS[action](before)


BY_SOFTWARE: dict[str, Callable[[], object]] = {
    "begin": lambda: rules.begin(INCIDENT, FULL, SOFTWARE, NOW),
    "submit": lambda: rules.submit(begun(), SOFTWARE, NOW, WORDING),
    "approve": lambda: approve(in_review(), actor=SOFTWARE),
    "sign": lambda: signed(approved(), SignOffKind.PERSONAL_DATA_REMOVED, actor=SOFTWARE),
    "publish": lambda: rules.make_publishable(fully_signed(approved()), SEV1, SOFTWARE, NOW, CLAIMS, WORDING),
    "edit": lambda: rules.rewrite(begun(), FULL, SOFTWARE, NOW),
}


@pytest.mark.parametrize("action", BY_SOFTWARE)
def test_software_decides_nothing(action: str) -> None:
    with pytest.raises(PersonRequired):
        BY_SOFTWARE[action]()


# --- the gate, thing by thing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        (replace(FULL, summary=Text("", FULL.summary.en)), "summary_ar"),
        (replace(FULL, summary=Text(FULL.summary.ar, "")), "summary_en"),
        (replace(FULL, root_cause=Text(" \u200f", "x")), "root_cause_ar"),
        (replace(FULL, what_went_well=Text("س", " ")), "what_went_well_en"),
        (replace(FULL, what_went_wrong=Text("", "x")), "what_went_wrong_ar"),
        (replace(FULL, timeline=()), "timeline"),
        (replace(FULL, timeline=(Event(NOW, Text("س", "")),)), "timeline[0]_en"),
        (replace(FULL, action_items=()), "action_items"),
        (replace(FULL, action_items=(replace(FULL.action_items[0], title=Text("", "x")),)), "action_items[0]_ar"),
    ],
)
def test_a_section_that_is_missing_is_named(content: Content, subject: str) -> None:
    found = begun(content)
    assert [(gap.kind, gap.subject) for gap in rules.missing_sections(content, WORDING)] == [
        (GapKind.SECTION_MISSING, subject)
    ]
    with pytest.raises(PostMortemIncomplete) as refused:
        rules.submit(found, WRITER, NOW, WORDING)
    assert [(kind, named) for kind, named, _ in refused.value.missing] == [("SECTION_MISSING", subject)]


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"owner": ""}, GapKind.OWNER_MISSING), ({"due_at": None}, GapKind.DEADLINE_MISSING)],
)
def test_an_action_item_has_an_owner_and_a_deadline(change: dict[str, object], kind: GapKind) -> None:
    content = replace(FULL, action_items=(*FULL.action_items, replace(FULL.action_items[0], **change)))
    assert [(gap.kind, gap.subject) for gap in rules.missing_sections(content, WORDING)] == [(kind, "action_items[1]")]


def test_an_empty_post_mortem_lacks_every_section() -> None:
    subjects = {gap.subject for gap in rules.missing_sections(Content(), WORDING)}
    texts = {
        f"{s}_{lang}" for s in ("summary", "root_cause", "what_went_well", "what_went_wrong") for lang in ("ar", "en")
    }
    assert subjects == texts | {"timeline", "action_items"}


@pytest.mark.parametrize(
    ("content", "kind", "subject"),
    [
        (replace(FULL, summary=Text("نضمن النتائج", "ok")), GapKind.PROHIBITED_CLAIM, "summary_ar:GUARANTEE"),
        (replace(FULL, summary=Text("نص", "guaranteed results")), GapKind.PROHIBITED_CLAIM, "summary_en:GUARANTEE"),
        (replace(FULL, root_cause=Text("تذكرة tkt_" + "a" * 26, "ok")), GapKind.INTERNAL_ID, "root_cause_ar"),
        (replace(FULL, root_cause=Text("نص", "see " + INCIDENT)), GapKind.INTERNAL_ID, "root_cause_en"),
    ],
)
def test_what_must_not_be_said_cannot_be_approved(content: Content, kind: GapKind, subject: str) -> None:
    found = in_review(content)
    with pytest.raises(PostMortemIncomplete) as refused:
        approve(found)
    assert (kind.value.upper(), subject) in {(k, s) for k, s, _ in refused.value.missing}
    assert (kind, subject) in gaps(found)


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        (replace(FULL, summary=Text("هوية 1012345672", "ok")), "summary_ar:national_id:5-15"),
        (replace(FULL, summary=Text("نص", "iqama 2345678904")), "summary_en:iqama:6-16"),
        (
            replace(FULL, timeline=(Event(NOW, Text("اتصل ٠٥٥١٢٣٤٥٦٧", "called")),)),
            "timeline[0]_ar:mobile:5-15",
        ),
        (
            replace(FULL, action_items=(replace(FULL.action_items[0], owner="0551234567"),)),
            "action_items[0]_owner:mobile:0-10",
        ),
        (replace(FULL, root_cause=Text("نص", "mail ops@example.sa")), "root_cause_en:email:5-19"),
    ],
)
def test_personal_data_in_any_text_stands_in_the_way_and_is_not_repeated(content: Content, subject: str) -> None:
    found = approved(content)
    assert (GapKind.PERSONAL_DATA, subject) in gaps(found, SEV3)
    assert (GapKind.PERSONAL_DATA, subject) in gaps(found, SEV1)
    with pytest.raises(PostMortemIncomplete) as refused:
        signed(found, SignOffKind.PERSONAL_DATA_REMOVED)
    said = str(refused.value.missing)
    for data in ("1012345672", "2345678904", "٠٥٥١٢٣٤٥٦٧", "0551234567", "ops@example.sa"):
        assert data not in said


@pytest.mark.parametrize(
    ("resolved", "now", "wanted"),
    [
        (False, NOW, [("INCIDENT_OPEN", "")]),
        (True, NOW + timedelta(days=7), [("DEADLINE_PASSED", "action_items[0]")]),
        (False, NOW + timedelta(days=8), [("DEADLINE_PASSED", "action_items[0]"), ("INCIDENT_OPEN", "")]),
    ],
)
def test_it_is_approved_once_the_incident_is_resolved_with_deadlines_that_are_still_to_come(
    resolved: bool, now: datetime, wanted: list[tuple[str, str]]
) -> None:
    with pytest.raises(PostMortemIncomplete) as refused:
        approve(in_review(), now=now, resolved=resolved)
    assert [(kind, subject) for kind, subject, _ in refused.value.missing] == wanted


def test_a_sev1_needs_legal_review_every_consent_and_the_statement_each_by_itself() -> None:
    found = approved()
    needed = [
        (GapKind.LEGAL_REVIEW, ""),
        (GapKind.CUSTOMER_CONSENT, "acme"),
        (GapKind.CUSTOMER_CONSENT, "najd"),
        (GapKind.PERSONAL_DATA_STATEMENT, ""),
    ]
    assert gaps(found) == needed
    for step, after in (
        ((SignOffKind.CUSTOMER_CONSENT, "najd"), [needed[0], needed[1], needed[3]]),
        ((SignOffKind.LEGAL_REVIEW, ""), [needed[1], needed[3]]),
        ((SignOffKind.PERSONAL_DATA_REMOVED, ""), [needed[1]]),
    ):
        found = signed(found, *step)
        assert gaps(found) == after
        with pytest.raises(PostMortemIncomplete) as refused:
            rules.make_publishable(found, SEV1, WRITER, NOW, CLAIMS, WORDING)
        assert [(kind.lower(), subject) for kind, subject, _ in refused.value.missing] == after
    found = signed(found, SignOffKind.CUSTOMER_CONSENT, "acme")
    assert gaps(found) == []
    assert rules.make_publishable(found, SEV1, WRITER, NOW, CLAIMS, WORDING).state is PUBLISHABLE


@pytest.mark.parametrize("severity", [Severity.SEV2, Severity.SEV3])
def test_what_is_less_grave_needs_no_sign_offs(severity: Severity) -> None:
    facts = IncidentFacts(severity, True, ("acme",))
    assert gaps(approved(), facts) == []


def test_an_incident_that_is_not_resolved_or_names_nobody_stands_in_the_way() -> None:
    assert gaps(approved(), replace(SEV3, resolved=False)) == [(GapKind.INCIDENT_OPEN, "")]
    nobody = gaps(fully_signed(approved()), replace(SEV1, customer_ids=()))
    assert nobody == [(GapKind.CUSTOMERS_UNKNOWN, "")]


@pytest.mark.parametrize(
    "later",
    [replace(SEV1, customer_ids=("acme", "najd", "tihama")), replace(SEV1, resolved=False)],
    ids=["a customer more", "reopened"],
)
def test_what_was_publishable_is_asked_anew(later: IncidentFacts) -> None:
    found = publishable()
    assert rules.standing(found, rules.gate(found, SEV1, CLAIMS, WORDING)) is PUBLISHABLE
    assert rules.standing(found, rules.gate(found, later, CLAIMS, WORDING)) is APPROVED


def test_a_severity_raised_later_takes_it_back() -> None:
    found = rules.make_publishable(approved(), SEV3, WRITER, NOW, CLAIMS, WORDING)
    assert rules.standing(found, rules.gate(found, SEV1, CLAIMS, WORDING)) is APPROVED


# --- sign-offs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [WRITER, Actor("person", "founder-1", "founder"), Actor("person", "x")])
def test_a_legal_review_is_given_by_counsel_or_the_dpo(actor: Actor) -> None:
    with pytest.raises(LegalRoleRequired):
        signed(approved(), SignOffKind.LEGAL_REVIEW, actor=actor)
    for allowed in (DPO, LEGAL):
        held = signed(approved(), SignOffKind.LEGAL_REVIEW, actor=allowed)
        assert (held.sign_offs[-1].actor, held.sign_offs[-1].signed_at) == (allowed, NOW)


@pytest.mark.parametrize(
    ("kind", "customer_id", "reference", "faulty"),
    [
        (SignOffKind.CUSTOMER_CONSENT, "", "", {"customer_id": "REQUIRED", "reference": "REQUIRED"}),
        (SignOffKind.CUSTOMER_CONSENT, "stranger", "l", {"customer_id": "NOT_AFFECTED"}),
        (SignOffKind.LEGAL_REVIEW, "acme", "l", {"customer_id": "NOT_OF_KIND"}),
        (SignOffKind.PERSONAL_DATA_REMOVED, "acme", "l", {"customer_id": "NOT_OF_KIND"}),
    ],
)
def test_a_sign_off_says_what_it_has_to(
    kind: SignOffKind, customer_id: str, reference: str, faulty: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        signed(approved(), kind, customer_id, DPO, reference)
    assert {v.field: v.reason for v in refused.value.violations} == faulty


def test_an_approval_or_sign_off_of_another_text_than_the_present_is_refused() -> None:
    found = in_review()
    with pytest.raises(EtagMismatch):
        approve(found, 2)
    given_ = SignOff(SignOffKind.LEGAL_REVIEW, "", 7, DPO, NOW, "")
    with pytest.raises(EtagMismatch):
        rules.sign_off(found, given_, IN_REVIEW, (), NOW, WORDING)


def test_an_edit_voids_and_going_back_to_the_old_text_does_not_revive() -> None:
    found = publishable()
    other = rules.rewrite(found, replace(FULL, summary=Text("غيره", "Other")), WRITER, NOW)
    back = rules.rewrite(other, FULL, WRITER, NOW)
    assert (back.content, back.state, back.approved) == (FULL, DRAFT, None)
    assert len(back.sign_offs) == len(found.sign_offs)
    assert not any(back.holds(sign_off) for sign_off in back.sign_offs)


def test_the_same_text_again_changes_nothing() -> None:
    found = publishable()
    assert rules.rewrite(found, FULL, WRITER, NOW + timedelta(days=1)) is found


def test_a_course_of_events_does_not_lie_in_the_future() -> None:
    later = Event(NOW + timedelta(seconds=1), Text("لاحقًا", "Later"))
    content = replace(FULL, timeline=(*FULL.timeline, later))
    for write in (lambda: begun(content), lambda: rules.rewrite(begun(), content, WRITER, NOW)):
        with pytest.raises(InvalidInput) as refused:
            write()
        assert {v.field: v.reason for v in refused.value.violations} == {"content.timeline[1].occur_time": "IN_FUTURE"}


def test_a_text_too_long_to_check_is_refused() -> None:
    long = Text("ط" * 10_001, "x")
    with pytest.raises(InvalidInput) as refused:
        begun(replace(FULL, summary=long, root_cause=long))
    assert {v.field: v.reason for v in refused.value.violations} == {"content": "TEXT_TOO_LONG"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*ACTIONS, "consent acme", "consent najd", "removed", "edit back"]), max_size=14))
def test_nothing_is_publishable_without_everything_for_its_very_text(actions: list[str]) -> None:
    """Whatever the order: against a plain account of what was said since the last change of the text."""
    found = begun()
    said: set[str] = set()
    for action in actions:
        before = found
        try:
            match action:
                case "consent acme" | "consent najd":
                    found = signed(found, SignOffKind.CUSTOMER_CONSENT, action.split()[1])
                case "removed":
                    found = signed(found, SignOffKind.PERSONAL_DATA_REMOVED)
                case "edit back":
                    found = rules.rewrite(found, FULL, WRITER, NOW)
                case _:
                    found = ACTIONS[action](found)
        except (PostMortemStateRefused, PostMortemIncomplete):
            assert action not in ("edit", "edit back")
            continue
        said = set() if found.content != before.content else said | {action}
        if action == "publish":
            assert said >= {"submit", "approve", "sign", "consent acme", "consent najd", "removed"}
        assert (found.state is PUBLISHABLE) == ("publish" in said)


def test_every_gap_is_said_in_both_languages() -> None:
    found = begun(
        Content(
            summary=Text("نضمن 1012345672 " + INCIDENT, ""),
            action_items=(ActionItem(Text("س", "x")),),
        )
    )
    all_of_them: tuple[Gap, ...] = rules.gate(found, replace(SEV1, resolved=False), CLAIMS, WORDING)
    all_of_them += rules.gate(found, replace(SEV1, customer_ids=()), CLAIMS, WORDING)
    # A deadline that passed is asked for at the approval only.
    assert {gap.kind for gap in all_of_them} == set(GapKind) - {GapKind.DEADLINE_PASSED}
    for gap in all_of_them:
        assert "{" not in gap.text.ar + gap.text.en
        assert any("ء" <= char <= "ي" for char in gap.text.ar)


def test_a_refusal_fits_into_what_a_client_takes() -> None:
    many = replace(SEV1, customer_ids=tuple(f"customer-{number:04}" for number in range(1000)))
    with pytest.raises(PostMortemIncomplete) as refused:
        rules.make_publishable(approved(), many, WRITER, NOW, CLAIMS, WORDING)
    assert refused.value.metadata["gaps"] == "1002"
    assert 10 < len(refused.value.missing) < 1002
    assert sum(len(part.encode()) for row in refused.value.missing for part in row) < 4_000


def test_a_faulty_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "post_mortem.toml"
    path.write_text(
        'version = "1"\n[gaps.owner_missing]\ntext_ar = "بلا رقم"\ntext_en = "no {place}"\n[sections.fate]\n'
    )
    with pytest.raises(TextsError) as refused:
        load_wording(path)
    told = "; ".join(refused.value.problems)
    for part in (
        "gaps.owner_missing.text_ar",
        "gaps.owner_missing.text_en",
        "sections.summary",
        "sections.fate",
        "languages",
    ):
        assert part in told
