"""Whether an Arabic and an English text say the same numbers, dates, times, names and addresses."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.domain.texts import TextsError
from services.incidents.domain.parity import Name, ParityBroken, ParityKind, load_parity

CHECKER = load_parity()
NUMBER, DATE, TIME, NAME, ADDRESS = ParityKind


def differences(arabic: str, english: str, *names: Name) -> list[tuple[ParityKind, str, int, int]]:
    return [(d.kind, d.value, d.in_arabic, d.in_english) for d in CHECKER.differences(arabic, english, names)]


@pytest.mark.parametrize(
    ("arabic", "english"),
    [
        ("", ""),
        ("تأثر 5 عملاء", "5 customers are affected"),
        ("تأثر ٥ عملاء", "5 customers are affected"),
        ("تأثر ۵ عملاء", "5 customers are affected"),
        ("١٬٢٥٠ رسالة", "1,250 messages"),
        ("1250 رسالة", "1,250 messages"),
        ("٣٫٥٠ ساعة", "3.5 hours"),
        ("05 رسائل", "5 messages"),
        ("نسبة 12٪", "a rate of 12%"),
        ("من 3 إلى 5", "from 3 to 5"),
        ("يوم 7 مارس 2026", "on 7 March 2026"),
        ("يوم 7 آذار 2026", "on March 7, 2026"),
        ("يوم ٧ مارس ٢٠٢٦", "on the 7th of March 2026"),
        ("بتاريخ 2026-03-07", "on 7 Mar 2026"),
        ("بتاريخ 07/03/2026", "on 2026-03-07"),
        ("يوم 7 مارس", "on 7 March"),
        ("17 رمضان 1447 هـ", "17 Ramadan 1447"),
        ("في ١٧ رمضان ١٤٤٧", "on Ramadan 17, 1447 AH"),
        ("الساعة 22:30", "at 22:30"),
        ("الساعة 10:30 مساءً", "at 22:30"),
        ("الساعة ١٠:٣٠ م", "at 10:30 PM"),
        ("الساعة 9 صباحًا", "at 9 AM"),
        ("الساعة 12:00 ظهرًا", "at 12:00"),
        ("الساعة 12:15 صباحًا", "at 00:15"),
        ("توقف واتساب", "WhatsApp is down"),
        ("عبر الواتساب وبالواتساب", "over WhatsApp"),
        ("فريق Dealix", "The Dealix team"),
        ("لينكدإن وإنستقرام", "LinkedIn and Instagram"),
        ("تقويم قوقل", "your Google Calendar"),
        ("في الرياض", "in Riyadh"),
        ("بالرياض", "in Riyadh"),
        ("وفق نظام حماية البيانات الشخصية", "under the PDPL"),
        ("بلغ 500 ريال", "It came to SAR 500"),
        (
            "راسلونا على help@example.sa أو https://example.sa/help",
            "Write to help@example.sa, or see https://example.sa/help.",
        ),
        ("حادث SEV1", "A SEV1 incident"),
        ("شركة Najd Trading", "the company Najd Trading"),
        # The first word of a sentence, a line or a label is written with a capital for that reason.
        ("نعمل عليه. سنوافيكم.", "We work on it. Thank you: We will tell you.\nThe team"),
        ("• إيقاف القناة", "• Sending is stopped"),
        ("سنراسلكم الأحد", "We will write on Sunday"),
    ],
)
def test_texts_that_say_the_same(arabic: str, english: str) -> None:
    assert differences(arabic, english) == []


@pytest.mark.parametrize(
    ("arabic", "english", "wanted"),
    [
        ("تأثر 5 عملاء", "6 customers are affected", [(NUMBER, "5", 1, 0), (NUMBER, "6", 0, 1)]),
        ("5 من 5", "all 5", [(NUMBER, "5", 2, 1)]),
        ("خمسة عملاء", "5 customers", [(NUMBER, "5", 0, 1)]),
        ("1,250 رسالة", "12,500 messages", [(NUMBER, "1250", 1, 0), (NUMBER, "12500", 0, 1)]),
        ("3.5 ساعات", "35 hours", [(NUMBER, "3.5", 1, 0), (NUMBER, "35", 0, 1)]),
        ("7 مارس 2026", "8 March 2026", [(DATE, "2026-03-07", 1, 0), (DATE, "2026-03-08", 0, 1)]),
        ("7 مارس 2026", "7 May 2026", [(DATE, "2026-03-07", 1, 0), (DATE, "2026-05-07", 0, 1)]),
        ("7 مارس", "7 March 2026", [(DATE, "03-07", 1, 0), (DATE, "2026-03-07", 0, 1)]),
        ("17 رمضان 1447", "17 March 1447", [(DATE, "1447-03-17", 0, 1), (DATE, "1447-09-17 AH", 1, 0)]),
        ("الساعة 10:30 مساءً", "at 10:30", [(TIME, "10:30", 0, 1), (TIME, "22:30", 1, 0)]),
        ("الساعة 9 صباحًا", "at 9 PM", [(TIME, "09:00", 1, 0), (TIME, "21:00", 0, 1)]),
        ("توقف واتساب", "the e-mail is down", [(NAME, "WhatsApp", 1, 0)]),
        ("توقف البريد", "the fault is in WhatsApp", [(NAME, "WhatsApp", 0, 1)]),
        ("واتساب", "on LinkedIn", [(NAME, "WhatsApp", 1, 0), (NAME, "LinkedIn", 0, 1)]),
        ("شركة نجد", "a message from Najd", [(NAME, "Najd", 0, 1)]),
        ("شركة Najd", "a message from Tihama", [(NAME, "najd", 1, 0), (NAME, "Tihama", 0, 1)]),
        ("a@b.sa", "write to c@b.sa", [(ADDRESS, "a@b.sa", 1, 0), (ADDRESS, "c@b.sa", 0, 1)]),
        ("الموقع https://example.sa", "the site", [(ADDRESS, "https://example.sa", 1, 0)]),
    ],
)
def test_what_differs_is_named(arabic: str, english: str, wanted: list[tuple[ParityKind, str, int, int]]) -> None:
    assert differences(arabic, english) == wanted
    with pytest.raises(ParityBroken) as refused:
        CHECKER.require_same(arabic, english)
    assert refused.value.metadata == {"differences": str(len(wanted))}
    assert [(kind, value) for kind, value, _ in refused.value.missing] == [
        (k.value.upper(), v) for k, v, _, _ in wanted
    ]


def test_a_pair_that_the_caller_gives_is_known() -> None:
    pair = Name(("نجد للتجارة",), ("Najd Trading",))
    arabic, english = "عميلنا نجد للتجارة، ولنجد للتجارة حساب", "our customer Najd Trading"
    assert {d[1] for d in differences(arabic, english)} == {"Najd", "Trading"}
    assert differences(arabic, english, pair) == []
    assert differences("عميلنا", english, pair) == [(NAME, "Najd Trading", 0, 1)]
    assert differences(arabic, "our customer", pair) == [(NAME, "Najd Trading", 2, 0)]
    assert differences("عميلنا", "our customer", pair) == []


ARABIC_MONTHS = [
    "يناير",
    "فبراير",
    "مارس",
    "أبريل",
    "مايو",
    "يونيو",
    "يوليو",
    "أغسطس",
    "سبتمبر",
    "أكتوبر",
    "نوفمبر",
    "ديسمبر",
]
ENGLISH_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
EASTERN = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))


def written(day: date, arabic: bool, shape: int) -> str:
    month = (ARABIC_MONTHS if arabic else ENGLISH_MONTHS)[day.month - 1]
    shapes = [f"{day:%Y-%m-%d}", f"{day:%d/%m/%Y}", f"{day.day} {month} {day.year}"]
    return shapes[shape]


@settings(max_examples=150, deadline=None)
@given(st.lists(days, min_size=1, max_size=4), st.data(), st.integers(0, 999_999), st.booleans())
def test_the_same_facts_in_any_shape_are_the_same(
    moments: list[date], data: st.DataObject, number: int, eastern: bool
) -> None:
    shape = st.integers(0, 2)
    arabic = "، ثم ".join(written(day, True, data.draw(shape)) for day in moments) + f" لعدد {number:,} رسالة"
    english = (
        "; then ".join(written(day, False, data.draw(shape)) for day in reversed(moments)) + f" for {number} messages"
    )
    assert differences(arabic.translate(EASTERN) if eastern else arabic, english) == []


@settings(max_examples=150, deadline=None)
@given(days, days, st.integers(0, 2), st.integers(0, 2))
def test_another_day_is_another_day(first: date, second: date, one: int, other: int) -> None:
    found = differences(f"في {written(first, True, one)}", f"on {written(second, False, other)}")
    if first == second:
        assert found == []
    else:
        wanted = {(DATE, first.isoformat(), 1, 0), (DATE, second.isoformat(), 0, 1)}
        assert set(found) == wanted


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_breaks_it(arabic: str, english: str) -> None:
    CHECKER.differences(arabic, english)


def test_a_long_text_takes_no_long_time_and_a_longer_one_is_refused() -> None:
    for piece in ("A1 ", "Aa ", "1,", "7 March ", "a@b", "10:30 ", "ال"):
        CHECKER.differences(piece * (20_000 // len(piece)), piece * (20_000 // len(piece)))
    with pytest.raises(InvalidInput):
        CHECKER.differences("ط" * 20_001, "x")


def test_a_faulty_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "parity.toml"
    path.write_text('version = "1"\n[gregorian]\nar = ["يناير"]\nen = ["January"]\n[names]\nx = ["س"]\n[others]\n')
    with pytest.raises(TextsError) as refused:
        load_parity(path)
    said = "; ".join(refused.value.problems)
    for part in ("gregorian.ar", "gregorian.en", "hijri", "day_parts", "names.x", "others"):
        assert part in said
