"""The notice under the PDPL: what each block asks for, filing now, supplementing later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput, PersonRequired
from services.domain.texts import TextsError
from services.incidents.domain import notice as rules
from services.incidents.domain.notice import (
    Block,
    Blocks,
    Completeness,
    Field,
    FilingFacts,
    Notice,
    NoticeFiled,
    NoticeIncomplete,
    NoticeNotFiled,
    NoticeUnchanged,
    Told,
    load_wording,
)
from services.incidents.domain.written import Text
from services.storage.transaction import Actor

AWARE = datetime(2026, 3, 7, 19, tzinfo=UTC)
DUE = AWARE + timedelta(hours=72)
NOW = AWARE + timedelta(hours=5)
DPO = Actor("person", "dpo-1", "dpo")
SOFTWARE = Actor("service", "lead-engine")
INCIDENT = "inc_" + "a" * 26
WORDING = load_wording()
MISSING, PARTIAL, COMPLETE = Completeness

FULL = Blocks(
    description=Text("وصلت رسالة إلى قائمة غير مقصودة.", "A message went to a list it was not meant for."),
    begin_at=AWARE - timedelta(hours=2),
    data_categories=(Text("بيانات التواصل", "Contact details"),),
    people_categories=(Text("موظفو العملاء", "Employees of customers"),),
    records=120,
    people=80,
    risks=Text("رسائل احتيال", "Fraudulent messages"),
    effects=Text("لا أثر معروف", "No effect is known"),
    measures=Text("جُمّدت القناة", "The channel was frozen"),
    told=Told.PLANNED,
    tell_at=NOW + timedelta(hours=10),
    explanation=Text("برسالة بريد", "By e-mail"),
    contact_role=Text("مسؤول حماية البيانات", "Data protection officer"),
    contact_email="dpo@example.sa",
)
ESSENTIAL = Blocks(description=FULL.description)


def begun(blocks: Blocks = FULL) -> Notice:
    return rules.update(INCIDENT, None, blocks, NOW)


def filed(found: Notice, *, now: datetime = NOW, actor: Actor = DPO, **facts: object) -> Notice:
    given_ = FilingFacts(**{"reference": "SDAIA-1", "filed_at": now, **facts})
    return rules.file(found, given_, aware_at=AWARE, due_at=DUE, actor=actor, now=now, wording=WORDING)


def supplemented(found: Notice, now: datetime, actor: Actor = DPO, **facts: object) -> Notice:
    given_ = FilingFacts(**{"reference": "SDAIA-1/2", "filed_at": now, **facts})
    return rules.supplement(found, given_, actor=actor, now=now)


def reasons(refused: InvalidInput) -> dict[str, str]:
    return {violation.field: violation.reason for violation in refused.violations}


def completeness(blocks: Blocks) -> dict[Block, Completeness]:
    return {found.block: found.completeness for found in rules.status(blocks)}


def test_an_empty_notice_lacks_all_five_blocks_and_a_full_one_nothing() -> None:
    assert completeness(Blocks()) == dict.fromkeys(Block, MISSING)
    assert completeness(FULL) == dict.fromkeys(Block, COMPLETE)
    assert rules.missing_fields(FULL) == ()
    assert len(Block) == 5


@pytest.mark.parametrize(
    ("change", "block", "missing"),
    [
        ({"description": Text("", "only English")}, Block.EVENT, ["event.description"]),
        ({"begin_at": None}, Block.EVENT, ["event.begin_time"]),
        ({"data_categories": ()}, Block.SCOPE, ["scope.data_categories"]),
        ({"data_categories": (Text(" ", "x"),)}, Block.SCOPE, ["scope.data_categories"]),
        ({"people_categories": ()}, Block.SCOPE, ["scope.people_categories"]),
        ({"records": None, "people": None}, Block.SCOPE, ["scope.records", "scope.people"]),
        ({"risks": Text()}, Block.CONSEQUENCES, ["consequences.risks"]),
        ({"effects": Text("\u200f")}, Block.CONSEQUENCES, ["consequences.effects"]),
        ({"measures": Text()}, Block.CONSEQUENCES, ["consequences.measures"]),
        ({"tell_at": None}, Block.DATA_SUBJECTS, ["data_subjects.tell_time"]),
        ({"told": Told.YES, "tell_at": None}, Block.DATA_SUBJECTS, ["data_subjects.tell_time"]),
        ({"told": None}, Block.DATA_SUBJECTS, ["data_subjects.told"]),
        ({"explanation": Text()}, Block.DATA_SUBJECTS, ["data_subjects.explanation"]),
        ({"contact_email": ""}, Block.CONTACT, ["contact.email_or_phone"]),
        ({"contact_role": Text()}, Block.CONTACT, ["contact.role"]),
    ],
)
def test_a_block_that_lacks_something_is_partial_and_names_it(
    change: dict[str, object], block: Block, missing: list[str]
) -> None:
    blocks = replace(FULL, **change)
    assert completeness(blocks) == {**dict.fromkeys(Block, COMPLETE), block: PARTIAL}
    assert [field.path for field in rules.missing_fields(blocks)] == missing


@pytest.mark.parametrize(
    "change",
    [
        {"end_at": None},
        {"records": 0, "people": 0},
        {"told": Told.NO, "tell_at": None},
        {"contact_email": "", "contact_phone": "+966112345678"},
        {"approximate": True},
        {"risks": Text("مخاطر", "")},
    ],
)
def test_what_is_not_asked_for_is_not_missed(change: dict[str, object]) -> None:
    assert rules.missing_fields(replace(FULL, **change)) == ()


@pytest.mark.parametrize(
    ("change", "faulty"),
    [
        ({"begin_at": NOW + timedelta(minutes=1)}, {"blocks.event.begin_time": "IN_FUTURE"}),
        ({"end_at": AWARE - timedelta(hours=3)}, {"blocks.event.end_time": "END_BEFORE_BEGIN"}),
        ({"end_at": NOW + timedelta(minutes=1)}, {"blocks.event.end_time": "IN_FUTURE"}),
        ({"told": Told.YES}, {"blocks.data_subjects.tell_time": "IN_FUTURE"}),
        (
            {"begin_at": NOW + timedelta(days=2), "end_at": NOW + timedelta(days=1), "told": Told.YES},
            {
                "blocks.event.begin_time": "IN_FUTURE",
                "blocks.event.end_time": "END_BEFORE_BEGIN",
                "blocks.data_subjects.tell_time": "IN_FUTURE",
            },
        ),
    ],
)
def test_times_that_cannot_be_are_refused_all_at_once(change: dict[str, object], faulty: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        begun(replace(FULL, **change))
    assert reasons(refused.value) == faulty


def test_a_complete_notice_is_filed_without_a_word() -> None:
    found = filed(begun())
    (filing,) = found.filings
    assert (filing.number, filing.reference, filing.actor, filing.late, filing.missing) == (
        1,
        "SDAIA-1",
        DPO,
        False,
        (),
    )
    assert found.filed_as_it_stands


def test_an_incomplete_notice_is_filed_with_a_reason_and_refused_with_the_list_without() -> None:
    found = begun(ESSENTIAL)
    with pytest.raises(NoticeIncomplete) as refused:
        filed(found)
    wanted = [field.path for field in rules.missing_fields(ESSENTIAL)]
    assert [subject for _, subject, _ in refused.value.missing] == wanted
    assert refused.value.metadata["gaps"] == str(len(wanted))
    with pytest.raises(NoticeIncomplete):
        filed(found, incomplete_reason=" \u200f")
    (filing,) = filed(found, incomplete_reason="التحقيق جارٍ").filings
    assert [field.path for field in filing.missing] == wanted
    assert filing.incomplete_reason == "التحقيق جارٍ"


def test_a_notice_that_does_not_say_what_happened_is_filed_for_no_reason() -> None:
    blocks = replace(FULL, description=Text(), begin_at=None)
    with pytest.raises(NoticeIncomplete):
        filed(begun(blocks), incomplete_reason="later")
    assert filed(begun(replace(blocks, begin_at=FULL.begin_at)), incomplete_reason="later").filings


@pytest.mark.parametrize(
    ("after", "late"),
    [
        (timedelta(0), False),
        (timedelta(hours=72), False),
        (timedelta(hours=72, microseconds=1), True),
        (timedelta(days=9), True),
    ],
)
def test_seventy_two_hours_are_in_time_and_a_microsecond_more_is_late(after: timedelta, late: bool) -> None:
    (filing,) = filed(begun(), now=AWARE + timedelta(days=10), filed_at=AWARE + after, late_reason="why").filings
    assert (filing.late, filing.late_reason) == (late, "why" if late else "")


@pytest.mark.parametrize(
    ("facts", "faulty"),
    [
        ({"reference": " "}, {"reference": "REQUIRED"}),
        ({"filed_at": NOW + timedelta(microseconds=1)}, {"file_time": "IN_FUTURE"}),
        ({"filed_at": AWARE - timedelta(microseconds=1)}, {"file_time": "BEFORE_AWARENESS"}),
        ({"reference": "", "filed_at": NOW + timedelta(days=1)}, {"reference": "REQUIRED", "file_time": "IN_FUTURE"}),
    ],
)
def test_a_filing_says_when_and_under_which_reference(facts: dict[str, object], faulty: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        filed(begun(), **facts)
    assert reasons(refused.value) == faulty


def test_only_a_person_files() -> None:
    with pytest.raises(PersonRequired):
        filed(begun(), actor=SOFTWARE)
    with pytest.raises(PersonRequired):
        supplemented(filed(begun()), NOW, SOFTWARE)


def test_it_is_filed_once_and_supplemented_after_each_change() -> None:
    found = begun(ESSENTIAL)
    with pytest.raises(NoticeNotFiled):
        supplemented(found, NOW)
    found = filed(found, incomplete_reason="التحقيق جارٍ")
    with pytest.raises(NoticeFiled):
        filed(found, incomplete_reason="again")
    with pytest.raises(NoticeUnchanged):
        supplemented(found, NOW)
    later = NOW + timedelta(days=5)
    found = rules.update(INCIDENT, found, FULL, later)
    assert not found.filed_as_it_stands
    with pytest.raises(InvalidInput) as refused:
        supplemented(found, later, filed_at=NOW - timedelta(microseconds=1))
    assert reasons(refused.value) == {"file_time": "BEFORE_LAST_FILING"}
    found = supplemented(found, later)
    assert found.filed_as_it_stands
    assert [(f.number, f.late, bool(f.missing), f.blocks) for f in found.filings] == [
        (1, False, True, ESSENTIAL),
        (2, False, False, FULL),
    ]


def test_the_same_again_changes_nothing() -> None:
    found = filed(begun())
    assert rules.update(INCIDENT, found, FULL, NOW + timedelta(days=1)) is found


texts = st.sampled_from([Text(), Text("نص"), Text("", "text"), Text("نص", "text"), Text(" ", "\u200f")])
parts = st.fixed_dictionaries(
    {
        "description": texts,
        "begin_at": st.sampled_from([None, AWARE]),
        "data_categories": st.lists(texts, max_size=2).map(tuple),
        "people_categories": st.lists(texts, max_size=2).map(tuple),
        "records": st.sampled_from([None, 0, 5]),
        "people": st.sampled_from([None, 0, 5]),
        "risks": texts,
        "effects": texts,
        "measures": texts,
        "told": st.sampled_from([None, *Told]),
        "tell_at": st.sampled_from([None, AWARE]),
        "explanation": texts,
        "contact_role": texts,
        "contact_email": st.sampled_from(["", "x@example.sa"]),
        "contact_phone": st.sampled_from(["", "+966112345678"]),
    }
)


@settings(max_examples=200, deadline=None)
@given(parts)
def test_completeness_agrees_with_a_plain_account_of_the_five_blocks(given_: dict[str, object]) -> None:
    blocks = Blocks(**given_)
    said = {name: value.ar == "نص" for name, value in given_.items() if isinstance(value, Text)}
    lists = {name: any(t.ar == "نص" for t in given_[name]) for name in ("data_categories", "people_categories")}
    time_asked = given_["told"] in (Told.YES, Told.PLANNED)
    has_time = given_["tell_at"] is not None
    plain = {
        Block.EVENT: [said["description"], given_["begin_at"] is not None],
        Block.SCOPE: [*lists.values(), given_["records"] is not None, given_["people"] is not None],
        Block.CONSEQUENCES: [said["risks"], said["effects"], said["measures"]],
        Block.DATA_SUBJECTS: [
            given_["told"] is not None,
            said["explanation"],
            *([has_time] if time_asked else []),
        ],
        Block.CONTACT: [said["contact_role"], bool(given_["contact_email"] or given_["contact_phone"])],
    }
    for block, there in plain.items():
        some = any(there) or (block is Block.DATA_SUBJECTS and has_time)
        wanted = COMPLETE if all(there) else PARTIAL if some else MISSING
        assert completeness(blocks)[block] is wanted, block
        assert bool([f for f in rules.missing_fields(blocks) if f.block is block]) == (wanted is not COMPLETE)


@pytest.mark.parametrize("blocks", [Blocks(), ESSENTIAL, FULL, replace(FULL, approximate=True)])
def test_the_text_has_every_block_and_says_what_is_not_known(blocks: Blocks) -> None:
    text = rules.as_text(blocks, AWARE, WORDING)
    for block in Block:
        assert WORDING.blocks[block].ar in text.ar
        assert WORDING.blocks[block].en in text.en
    missing = len(rules.missing_fields(blocks))
    assert text.ar.count(WORDING.unknown.ar) == text.en.count(WORDING.unknown.en) == missing
    assert "السبت 7 مارس 2026" in text.ar
    assert "22:00" in text.en, "the time of Riyadh"
    assert "None" not in text.ar + text.en


def test_the_text_tells_what_is_known() -> None:
    text = rules.as_text(FULL, AWARE, WORDING)
    for part in ("وصلت رسالة", "بيانات التواصل", "موظفو العملاء", "120", "80", "سيُبلغون", "dpo@example.sa"):
        assert part in text.ar
    for part in ("A message went", "Contact details", "they will be", "Saturday 7 March 2026 at 20:00 Riyadh time"):
        assert part in text.en
    assert "؟" not in text.ar
    assert "about 120" in rules.as_text(replace(FULL, approximate=True), AWARE, WORDING).en


def test_every_field_has_its_place_in_the_contract() -> None:
    assert {field.path for field in Field} == {
        "event.description", "event.begin_time", "event.end_time",
        "scope.data_categories", "scope.people_categories", "scope.records", "scope.people",
        "consequences.risks", "consequences.effects", "consequences.measures",
        "data_subjects.told", "data_subjects.tell_time", "data_subjects.explanation",
        "contact.role", "contact.email_or_phone",
    }  # fmt: skip


def test_a_faulty_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "notice.toml"
    path.write_text('version = "1"\n[text]\nmoment_ar = "في {date}"\nmoment_en = "{date} {time}"\n[told.maybe]\n')
    with pytest.raises(TextsError) as refused:
        load_wording(path)
    said = "; ".join(refused.value.problems)
    for part in ("text.moment_ar", "text.title_ar", "told.maybe", "blocks.event", "fields.scope_people"):
        assert part in said
