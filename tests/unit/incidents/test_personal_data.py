"""What the scan for Saudi personal data finds, in whatever writing, and what it leaves alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.incidents.domain.personal_data import PersonalDataKind, scan

NATIONAL_ID, IQAMA, MOBILE, IBAN, EMAIL = PersonalDataKind
CITIZEN, RESIDENT = "1012345672", "2345678904"
ACCOUNT = "SA0380000000608010167519"


def found(text: str) -> list[tuple[PersonalDataKind, str]]:
    """The hits with the words that they stand on."""
    return [(hit.kind, text[hit.start : hit.end]) for hit in scan(text)]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("هوية العميل 1012345672 ظهرت في الملف", NATIONAL_ID, CITIZEN),
        ("هوية العميل ١٠١٢٣٤٥٦٧٢ ظهرت", NATIONAL_ID, "١٠١٢٣٤٥٦٧٢"),
        ("Persian digits ۱۰۱۲۳۴۵۶۷۲.", NATIONAL_ID, "۱۰۱۲۳۴۵۶۷۲"),
        ("fullwidth １０１２３４５６７２", NATIONAL_ID, "１０１２３４５６７２"),
        ("mixed 10١٢345٦72", NATIONAL_ID, "10١٢345٦72"),
        ("grouped 1012 345 672, then", NATIONAL_ID, "1012 345 672"),
        ("grouped 101-234-5672, then", NATIONAL_ID, "101-234-5672"),
        ("isolated \u2066101234\u20695672\u200f", NATIONAL_ID, "101234\u20695672"),
        ("هوية1012345672", NATIONAL_ID, CITIZEN),
        ("ID1012345672", NATIONAL_ID, CITIZEN),
        ("national_id=1012345672", NATIONAL_ID, CITIZEN),
        ("https://portal.example/people/1012345672", NATIONAL_ID, CITIZEN),
        ("دفع 5000 1012345672", NATIONAL_ID, CITIZEN),
        ("إقامة رقم 2345678904", IQAMA, RESIDENT),
        ("إقامة رقم ٢٣٤٥٦٧٨٩٠٤", IQAMA, "٢٣٤٥٦٧٨٩٠٤"),
        ("اتصل على 0551234567", MOBILE, "0551234567"),
        ("اتصل على ٠٥٥ ١٢٣ ٤٥٦٧ الآن", MOBILE, "٠٥٥ ١٢٣ ٤٥٦٧"),
        ("055-123-4567", MOBILE, "055-123-4567"),
        ("055.123.4567", MOBILE, "055.123.4567"),
        ("0 551 234 567", MOBILE, "0 551 234 567"),
        ("tel0551234567", MOBILE, "0551234567"),
        ("+966551234567", MOBILE, "+966551234567"),
        ("+966 55 123 4567.", MOBILE, "+966 55 123 4567"),
        ("+٩٦٦ ٥٥ ١٢٣ ٤٥٦٧", MOBILE, "+٩٦٦ ٥٥ ١٢٣ ٤٥٦٧"),
        ("\u202d+966 55 123 4567\u202c", MOBILE, "+966 55 123 4567"),
        ("+966 (0)55-123-4567", MOBILE, "+966 (0)55-123-4567"),
        ("00966 55 123 4567", MOBILE, "00966 55 123 4567"),
        ("wa.me/966551234567", MOBILE, "966551234567"),
        ("0\u200b551\u00ad234567", MOBILE, "0\u200b551\u00ad234567"),
        ("0551234567،", MOBILE, "0551234567"),
        (f"IBAN: {ACCOUNT}", IBAN, ACCOUNT),
        ("الآيبان SA03 8000 0000 6080 1016 7519.", IBAN, "SA03 8000 0000 6080 1016 7519"),
        ("sa03-8000-0000-6080-1016-7519", IBAN, "sa03-8000-0000-6080-1016-7519"),
        ("SA٠٣٨٠٠٠٠٠٠٠٦٠٨٠١٠١٦٧٥١٩", IBAN, "SA٠٣٨٠٠٠٠٠٠٠٦٠٨٠١٠١٦٧٥١٩"),
        ("راسلنا: sales.team+x@example.com.sa.", EMAIL, "sales.team+x@example.com.sa"),
        ("<ops@example.sa>", EMAIL, "ops@example.sa"),
        ("مبيعات@شركة.السعودية", EMAIL, "مبيعات@شركة.السعودية"),
        ("1012345672@example.sa", EMAIL, "1012345672@example.sa"),
        ("ops＠example.sa", EMAIL, "ops＠example.sa"),
    ],
)
def test_personal_data_is_found_where_it_stands(text: str, kind: PersonalDataKind, words: str) -> None:
    assert found(text) == [(kind, words)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "لا بيانات هنا",
        # Not ten digits, another beginning, or a check digit that does not check.
        "1012345673",
        "2345678905",
        "3012345670",
        "101234567",
        "10123456720",
        "1012345672".replace("1", "9", 1),
        # Tickets, invoices and other identifiers.
        "tkt_abcdefghijklmnopqrstuvwx23",
        "TCK-1012345672",
        "INV-1012345672",
        "invoice no. 1012345672",
        "تذكرة رقم 1012345672",
        "رقم الطلب: 1012345672",
        "الفاتورة ١٠١٢٣٤٥٦٧٢",
        "ticket #1012345672",
        "user-1012345672",
        "a1012345672",
        "1012345672b",
        "9f0551234567ab",
        "3f2b8c1e-0551-4234-8567-0a1b2c3d4e5f",
        # Money and decimals.
        "1012345672 ريال",
        "١٠١٢٣٤٥٦٧٢ ر.س",
        "SAR 1012345672",
        "1,012,345,672",
        "1012345672.50",
        "3.1012345672",
        "0.0551234567",
        # Dates and times, Arabic or not.
        "2026-11-21 10:15",
        "21-11-2026 10",
        "2026-11-21-10",
        "05-11-2026 10:15:00",
        "05 11 2026 1015",
        "٠٥-١١-٢٠٢٦ ١٠:١٥",
        "1447-05-30",
        # Numbers of other countries and other kinds.
        "+1 202 555 0143",
        "+966 11 123 4567",
        "920012345",
        "+966 55 123 456",
        "4111 1111 1111 1111",
        # IBANs that do not check, or are too short.
        "SA0480000000608010167519",
        "SA038000000060801016751",
        "GB82WEST12345698765432",
        # Not addresses.
        "@dealix",
        "x@host",
        "user@10.0.0.1",
        "a@b.c",
        "price @ 5.00",
    ],
)
def test_what_is_no_personal_data_is_left_alone(text: str) -> None:
    assert found(text) == []


def with_check_digit(start: str) -> str:
    """Nine digits and the one that checks them, reckoned the other way round: from the first digit on."""
    total = sum(sum(divmod(int(char) * (2 - place % 2), 10)) for place, char in enumerate(start))
    return start + str(-total % 10)


identities = st.builds(
    lambda first, rest: with_check_digit(first + rest),
    st.sampled_from("12"),
    st.text("0123456789", min_size=8, max_size=8),
)
accounts = st.text("0123456789", min_size=20, max_size=20).map(
    lambda account: f"SA{98 - int(account + '281000') % 97:02d}{account}"
)
mobiles = st.builds(
    lambda start, rest: f"{start}5{rest}",
    st.sampled_from(["+966", "00966", "966", "0", "+9660"]),
    st.text("0123456789", min_size=8, max_size=8),
)
DIGITS = {"ascii": "0123456789", "arabic": "٠١٢٣٤٥٦٧٨٩", "persian": "۰۱۲۳۴۵۶۷۸۹"}
INVISIBLE = ["", "\u200e", "\u200f", "\u2066", "\u2069", "\u200b", "\ufeff"]


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    number=st.one_of(
        identities.map(lambda n: ("id", n)), accounts.map(lambda n: ("iban", n)), mobiles.map(lambda n: ("mobile", n))
    ),
    script=st.sampled_from(sorted(DIGITS)),
    before=st.sampled_from(["", "رقم ", "هو: ", "الرقم ", "(", "see ", "\n"]),
    after=st.sampled_from(["", " ", ".", "،", ")", " ثم", "\n"]),
)
def test_no_script_and_nothing_invisible_hides_a_number(
    data: st.DataObject, number: tuple[str, str], script: str, before: str, after: str
) -> None:
    kind, plain = number
    written = plain.translate(str.maketrans(DIGITS["ascii"], DIGITS[script]))
    hidden = written[0] + "".join(data.draw(st.sampled_from(INVISIBLE)) + char for char in written[1:])
    text = before + hidden + after
    hits = scan(text)
    assert [(hit.start, hit.end) for hit in hits] == [(len(before), len(before) + len(hidden))]
    wanted = {"id": {NATIONAL_ID, IQAMA}, "iban": {IBAN}, "mobile": {MOBILE}}[kind]
    assert hits[0].kind in wanted


@settings(max_examples=150, deadline=None)
@given(identity=identities, place=st.integers(0, 9), change=st.integers(1, 9))
@example(identity="1500000003", place=0, change=9)
def test_one_wrong_digit_is_no_identity(identity: str, place: int, change: int) -> None:
    wrong = identity[:place] + str((int(identity[place]) + change) % 10) + identity[place + 1 :]
    # With 05 at its beginning it is a mobile number.
    assert {hit.kind for hit in scan(wrong)} <= {MOBILE}


@settings(max_examples=150, deadline=None)
@given(
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
    shape=st.sampled_from(["%Y-%m-%d %H:%M", "%d-%m-%Y %H:%M:%S", "%d/%m/%Y", "%Y-%m-%dT%H:%M:%SZ", "%d %m %Y %H"]),
    later=st.integers(0, 5000),
)
def test_a_stretch_of_time_is_no_personal_data(moment: datetime, shape: str, later: int) -> None:
    end = moment + timedelta(minutes=later)
    assert scan(f"من {moment.strftime(shape)} إلى {end.strftime(shape)}") == ()


@settings(max_examples=150, deadline=None)
@given(amount=st.integers(0, 2 * 10**9), shape=st.sampled_from(["{:,} ريال", "SAR {}", "{} SAR", "{:,}.00", "{} ر.س"]))
def test_an_amount_is_no_personal_data(amount: int, shape: str) -> None:
    assert scan("بلغ المبلغ " + shape.format(amount)) == ()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("0123459٦٧+@.- SAa_#(\u200fط\n"), max_size=60))
def test_hits_lie_in_the_text_in_order_and_apart(text: str) -> None:
    end = 0
    for hit in scan(text):
        assert end <= hit.start < hit.end <= len(text)
        end = hit.end


def test_a_long_text_takes_no_long_time() -> None:
    """Each of these would take minutes if the work grew with the square of the length."""
    for text in ("1" * 200_000, "a" * 200_000 + "@", "@" * 50_000, "1 " * 100_000, "+966 " * 40_000, "SA03 " * 40_000):
        assert scan(text) == ()
