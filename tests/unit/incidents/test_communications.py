"""What customers are told: the facts filled in, the same in both languages, nothing that must not be said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.channels import Channel
from services.domain.claims import ClaimChecker, ProhibitedClaim, load_claims
from services.domain.errors import InvalidInput
from services.domain.texts import TextsError
from services.incidents.domain import communications as rules
from services.incidents.domain.communications import (
    Communication,
    CommunicationKind,
    CommunicationRefused,
    Facts,
    load_texts,
)
from services.incidents.domain.parity import Name, ParityBroken, load_parity
from services.incidents.domain.severity import Severity
from services.incidents.domain.written import Text

NOW = datetime(2026, 3, 7, 19, 20, tzinfo=UTC)
TEXTS, PARITY, CLAIMS = load_texts(), load_parity(), ClaimChecker(load_claims())
FIRST_HOUR, DATA_LEAK, SEV2 = CommunicationKind
INCIDENT = "inc_" + "a" * 26

BASE = Facts(
    what_happened=Text("توقف إرسال المسودات على واتساب.", "Drafts on WhatsApp are no longer delivered."),
    begin_at=NOW - timedelta(minutes=50),
    measures=(
        Text("جمّدنا القناة", "We froze the channel"),
        Text("نراجع سجل الإجراءات لآخر 24 ساعة", "We are reviewing the actions of the last 24 hours"),
    ),
    advice=(Text("أوقفوا الحملات المجدولة", "Pause scheduled campaigns"),),
    next_update_at=NOW + timedelta(minutes=30),
    affected_customers=7,
)
LEAK = replace(
    BASE,
    data_categories=(Text("بيانات التواصل", "Contact details"), Text("نصوص المسودات", "Texts of drafts")),
    people=1250,
    contact=Text("مسؤول حماية البيانات، privacy@example.sa", "Data protection officer, privacy@example.sa"),
)
FACTS = {FIRST_HOUR: BASE, DATA_LEAK: LEAK, SEV2: BASE}


def write(kind: CommunicationKind, facts: Facts) -> Communication:
    return rules.write(kind, facts, NOW, TEXTS, PARITY, CLAIMS)


@pytest.mark.parametrize("kind", CommunicationKind)
def test_every_fact_stands_in_both_texts(kind: CommunicationKind) -> None:
    body = write(kind, FACTS[kind]).body
    for part in (
        "توقف إرسال المسودات",
        "بدأ ذلك يوم السبت 7 مارس 2026 الساعة 21:30 بتوقيت الرياض.",
        "22:50",
        "جمّدنا القناة",
        "أوقفوا الحملات",
        ": 7",
    ):
        assert part in body.ar
    for part in (
        "no longer delivered",
        "It began on Saturday 7 March 2026 at 21:30 Riyadh time.",
        "22:50",
        "We froze",
        "Pause scheduled",
        ": 7",
    ):
        assert part in body.en
    if kind is DATA_LEAK:
        for part in ("بيانات التواصل", "نصوص المسودات", "1,250", "privacy@example.sa"):
            assert part in body.ar
        for part in ("Contact details", "Texts of drafts", "1,250", "privacy@example.sa"):
            assert part in body.en


def test_a_telephone_number_keeps_its_order_in_the_arabic() -> None:
    facts = replace(
        LEAK,
        contact=Text("سارة على +966 55 123 4567", "Sarah at +966 55 123 4567"),
        advice=(Text("اتصلوا بنا على 055 123 4567", "Call us at 055 123 4567"),),
    )
    body = write(DATA_LEAK, facts).body
    assert "للاستفسار: سارة على \u2066+966 55 123 4567\u2069" in body.ar
    assert "• اتصلوا بنا على \u2066055 123 4567\u2069" in body.ar
    assert "Sarah at +966 55 123 4567" in body.en


@pytest.mark.parametrize("kind", CommunicationKind)
def test_what_is_not_known_is_left_out(kind: CommunicationKind) -> None:
    needed = {
        FIRST_HOUR: Facts(BASE.what_happened, next_update_at=BASE.next_update_at),
        DATA_LEAK: Facts(BASE.what_happened, data_categories=LEAK.data_categories, contact=LEAK.contact),
        SEV2: Facts(BASE.what_happened, begin_at=BASE.begin_at, next_update_at=BASE.next_update_at),
    }[kind]
    body = write(kind, needed).body
    assert "None" not in body.ar + body.en
    assert "{" not in body.ar + body.en
    for absent in ("Customers known", "People whose", "What we have done", "What we advise", "We have stopped"):
        assert absent not in body.en


NAMES = (
    Name(("نجد للتجارة",), ("Najd Trading",)),
    Name(("شركة تهامة",), ("Tihama Company",)),
)
texts = st.sampled_from(
    [
        Text("تعطل الربط مع Gmail", "The connection to Gmail is down"),
        Text("تأخرت 12 رسالة لعميلنا نجد للتجارة", "Messages delayed for our customer Najd Trading: 12"),
        Text("حُلّ الخلل يوم ٧ مارس ٢٠٢٦", "Solved on 7 March 2026"),
        Text("تواصلوا مع شركة تهامة", "Contact them through Tihama Company"),
        Text("بلغ الأثر 1,500 ريال", "The effect came to SAR 1,500"),
    ]
)
rows = st.lists(texts, max_size=3).map(tuple)
whens = st.datetimes(datetime(2026, 3, 8), datetime(2027, 12, 31), timezones=st.just(UTC))
frozen = st.lists(
    st.sampled_from([None, *(c for c in Channel if c not in (Channel.UNSPECIFIED, Channel.INTERNAL))]), max_size=4
).map(tuple)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(CommunicationKind),
    st.builds(
        Facts,
        what_happened=texts,
        begin_at=st.datetimes(datetime(2020, 1, 1), datetime(2026, 3, 7), timezones=st.just(UTC)),
        measures=rows,
        advice=rows,
        next_update_at=whens,
        data_categories=st.lists(texts, min_size=1, max_size=3).map(tuple),
        people=st.none() | st.integers(1, 10**9),
        affected_customers=st.none() | st.integers(1, 10**6),
        contact=texts,
        frozen=frozen,
    ),
)
def test_whatever_the_facts_both_texts_say_the_same_and_nothing_prohibited(
    kind: CommunicationKind, facts: Facts
) -> None:
    if kind is not DATA_LEAK:
        facts = replace(facts, data_categories=(), people=None)
    body = write(kind, replace(facts, names=NAMES)).body
    assert CLAIMS.check(body.ar) == CLAIMS.check(body.en) == ()
    assert PARITY.differences(body.ar, body.en, NAMES) == ()


@pytest.mark.parametrize(
    ("frozen_", "ar", "en"),
    [
        ((), None, None),
        ((Channel.WHATSAPP,), "إلى أن تُراجع: واتساب.", "until they are reviewed: WhatsApp."),
        ((Channel.WHATSAPP, Channel.EMAIL), "البريد الإلكتروني، واتساب.", "e-mail, WhatsApp."),
        ((None, Channel.EMAIL), "على كل القنوات", "on all channels"),
    ],
)
def test_what_is_frozen_is_told(frozen_: tuple[Channel | None, ...], ar: str | None, en: str | None) -> None:
    body = write(FIRST_HOUR, replace(BASE, frozen=frozen_)).body
    if ar is None:
        assert "أوقفنا" not in body.ar
    else:
        assert ar in body.ar
        assert en is not None
        assert en in body.en


@pytest.mark.parametrize(
    ("kind", "facts", "faulty"),
    [
        (FIRST_HOUR, Facts(BASE.what_happened), {"facts.next_update_time": "REQUIRED"}),
        (DATA_LEAK, BASE, {"facts.data_categories": "REQUIRED", "facts.contact": "REQUIRED"}),
        (SEV2, Facts(BASE.what_happened), {"facts.begin_time": "REQUIRED", "facts.next_update_time": "REQUIRED"}),
        (FIRST_HOUR, LEAK, {"facts.data_categories": "NOT_OF_KIND", "facts.people": "NOT_OF_KIND"}),
        (SEV2, replace(BASE, people=3), {"facts.people": "NOT_OF_KIND"}),
        (SEV2, replace(BASE, begin_at=NOW + timedelta(seconds=1)), {"facts.begin_time": "IN_FUTURE"}),
        (SEV2, replace(BASE, next_update_at=NOW), {"facts.next_update_time": "NOT_IN_FUTURE"}),
        (
            FIRST_HOUR,
            replace(BASE, what_happened=Text("س", " "), advice=(Text("", "see " + INCIDENT),)),
            {
                "facts.what_happened.text_en": "REQUIRED",
                "facts.advice[0].text_ar": "REQUIRED",
                "facts.advice[0].text_en": "INTERNAL_ID",
            },
        ),
    ],
)
def test_facts_that_do_not_do_are_refused_all_at_once(
    kind: CommunicationKind, facts: Facts, faulty: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(kind, facts)
    assert {v.field: v.reason for v in refused.value.violations} == faulty


def test_facts_that_differ_between_the_languages_are_refused_with_what_differs() -> None:
    told = Text("تأثر 5 عملاء منذ 7 مارس 2026", "6 customers of Najd have been affected since 8 March 2026")
    with pytest.raises(ParityBroken) as refused:
        write(FIRST_HOUR, replace(BASE, what_happened=told))
    assert {(kind, value) for kind, value, _ in refused.value.missing} == {
        ("NUMBER", "5"),
        ("NUMBER", "6"),
        ("DATE", "2026-03-07"),
        ("DATE", "2026-03-08"),
        ("NAME", "Najd"),
    }


@pytest.mark.parametrize("text", [Text("نضمن عدم تكراره", "It is over"), Text("انتهى الأمر", "Results are guaranteed")])
def test_facts_that_claim_what_is_prohibited_are_refused(text: Text) -> None:
    with pytest.raises(ProhibitedClaim):
        write(FIRST_HOUR, replace(BASE, what_happened=text))


@pytest.mark.parametrize(
    ("kind", "incident", "cause"),
    [
        (FIRST_HOUR, {}, None),
        (DATA_LEAK, {"data_leak": True}, None),
        (DATA_LEAK, {}, "no_data_leak"),
        (SEV2, {"severity": Severity.SEV2}, None),
        (SEV2, {}, "severity_SEV1"),
        (FIRST_HOUR, {"severity": Severity.SEV2}, "severity_SEV2"),
        (FIRST_HOUR, {"severity": Severity.SEV3}, "severity_SEV3"),
        (FIRST_HOUR, {"drill": True}, "drill"),
        (FIRST_HOUR, {"cancelled": True}, "cancelled"),
    ],
)
def test_a_kind_is_told_of_its_severity_and_of_nothing_that_did_not_happen(
    kind: CommunicationKind, incident: dict[str, object], cause: str | None
) -> None:
    facts = {"severity": Severity.SEV1, "data_leak": False, "drill": False, "cancelled": False, **incident}
    if cause is None:
        rules.check_incident(kind, INCIDENT, **facts)
        return
    with pytest.raises(CommunicationRefused) as refused:
        rules.check_incident(kind, INCIDENT, **facts)
    assert refused.value.metadata["cause"] == cause


def test_a_faulty_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "communications.toml"
    path.write_text('version = "1"\n[moment]\nmonths_ar = ["يناير"]\n[parts.begin]\ntext_ar = "س"\n')
    with pytest.raises(TextsError) as refused:
        load_texts(path)
    said = "; ".join(refused.value.problems)
    for part in ("moment.months_ar", "moment.text_ar", "parts.begin.text_ar", "kinds.sev2"):
        assert part in said
