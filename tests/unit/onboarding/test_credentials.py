"""Credentials are recognised; what people really write is let through. All tokens here are made up."""

from __future__ import annotations

import random
import string
import time
import uuid

import pytest

from services.domain.checks import Checks
from services.domain.errors import InvalidInput
from services.onboarding.domain.catalog import CONNECTOR_KEYS, STEP_IDS
from services.onboarding.domain.credentials import (
    CredentialKind,
    check_settings,
    credential_kind,
    looks_like_credential,
    names_a_secret,
)

KNOWN = CredentialKind.KNOWN_TOKEN
HEADER = CredentialKind.AUTHORIZATION_HEADER
URL = CredentialKind.URL_WITH_CREDENTIAL
NAMED = CredentialKind.NAMED_IN_TEXT
ENTROPY = CredentialKind.HIGH_ENTROPY
KEY = CredentialKind.PRIVATE_KEY

# Written in two parts, so that scanners of this repository do not take them for real ones.
TOKENS = [
    ("ya29." + "a0AfH6SMBx3k9QwErTyUiOp", KNOWN),
    ("1//0" + "gKJ8s7d6f5g4h3j2k1l0QwErTyUi", KNOWN),
    ("4/0" + "AX4XfWhK3j2n1b0v9c8x7z6LkJhG", KNOWN),
    ("AIza" + "SyD4k3J2h1G0f9D8s7A6p5O4i3U2y1T0r", KNOWN),
    ("GOCSPX" + "-k3J2h1G0f9D8s7A6p5O4i3U2", KNOWN),
    ("sk_live_" + "a1B2c3D4e5F6", KNOWN),
    ("sk_test_" + "a1B2c3D4e5F6", KNOWN),
    ("pk_live_" + "a1B2c3D4e5F6", KNOWN),
    ("EAA" + "GkJ3h2G1f0D9s8A7p6O5i4U3y2T1", KNOWN),
    ("123456789012345" + "|aBcDeFgHiJkLmNoPqRsTuVwX", KNOWN),
    ("AKIA" + "IOSFODNN7EXAMPLE", KNOWN),
    ("wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY", ENTROPY),
    ("ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4", KNOWN),
    ("xoxb-" + "123456789012-abcdefGHIJKL", KNOWN),
    ("pat-eu1-" + "1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d", KNOWN),
    ("00D5g000004XyZa" + "!AQ4AQFk3J2h1G0f9D8s7A6p5O4i3U2y1", KNOWN),
    ("1000." + "0123456789abcdef0123456789abcdef" + "." + "fedcba9876543210fedcba9876543210", KNOWN),
    ("eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0." + "c2lnbmF0dXJl", KNOWN),
    ("Bearer " + "abc123def456ghi7", HEADER),
    ("authorization: bearer " + "zXcVbNmAsDfG.12", HEADER),
    ("Basic " + "dXNlcjpwYXNzd29yZA==", HEADER),
    ("-----BEGIN RSA PRIVATE KEY-----" + "\nMIIE", KEY),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", KEY),
    ('{"type": "service_account", "private_' + 'key": "-----"}', KEY),
    ("https://user:" + "hunter2@example.com/feed", URL),
    ("postgres://app:" + "s3cret@db.internal:5432/x", URL),
    ("https://:" + "onlypassword@example.com", URL),
    ("https://example.com/hook?access_token=" + "abcdef12", URL),
    ("https://graph.example.com/me?fields=id&api_key=" + "abcdef12", URL),
    ("https://hooks.slack.com/services/" + "T000/B000/XXXX", URL),
    ("password: " + "Riyadh2030!", NAMED),
    ("the api key is " + "q1w2e3r4", NAMED),
    ("كلمة المرور: " + "riyadh2030", NAMED),
    ("رمز الدخول هو " + "a1b2c3d4", NAMED),
    ("9f86d081884c7d659a2feaa0c55ad015", ENTROPY),
    ("mF_9.B5f-4.1JqM", None),  # Too short and too plain to tell from a reference.
]

# The name of a secret and its value, as people write them; each in Arabic as in English, with either digits.
NAMED_VALUES = [
    "كلمة السر Abc12345",
    "الرمز السري: 99887766",
    "كلمة المرور: ١٢٣٤",
    "كلمة المرور: hunter2xyz",
    "كلمه السر: Abc12345",
    "كَلِمَةُ السِّرّ: 1234",
    "كلـمة المـرور = Riyadh2030",
    "كلمة السر\u200f: \u200f4455",
    "كلمة\u00a0السر:\n4455",
    "وكلمة السر هي ٩٨٧٦٥",
    "كلمة السر هي: 4455",
    "كلمة السر Riyadh2030",
    "كلمة السر ١٢٣٤٥٦",
    "«كلمة المرور»: 4455",
    "كلمة مرور الحساب: Abc12345",
    "كلمة مرور البريد الإلكتروني Abc12345",
    "كلمة المرور الجديدة هي Dealix@2026",
    "كلمة سر الواتساب ٤٤٥٥٦٦",
    "كلمة سرنا: 556677",
    "الكلمة السرية: 998877",
    "الباسورد: Abc12345",
    "باسورد الايميل Abc12345",
    "باس وورد: 1234",
    "الرقم السري ٤٥٦٧",
    "رمز الدخول: 4455",
    "رمز التحقق 559911",
    "كود التفعيل: ٨٨٤٢",
    "كود الدخول - 8842",
    "رمز الوصول (abc12345)",
    "مفتاح الربط: 7788990011",
    "المفتاح السري: k9d8s7a6",
    "مفتاح API هو q1w2e3r4",
    "التوكن: 99aa88bb",
    "password Abc12345",
    "Password: 123456",
    "password is Hunter2!",
    "password for gmail: Hunter22",
    "the password of our mailbox is Riyadh2030",
    '"password": "12345678"',
    "PIN ٤٤٥٥",
    "OTP: 559911",
    "api key 99887766554",
    "token = abc123",
]

BEARERS = ["Bearer abc", "bearer   ABC", "Bearer ٤٤٥٥", "Authorization: Bearer abc", "we send Bearer xyz123 with it"]


@pytest.mark.parametrize(("value", "kind"), TOKENS)
def test_known_shapes(value: str, kind: CredentialKind | None) -> None:
    assert credential_kind("note", value) is kind


@pytest.mark.parametrize("value", NAMED_VALUES)
def test_a_value_that_a_text_calls_a_secret_is_one_in_either_language(value: str) -> None:
    assert credential_kind("note", value) is NAMED
    assert credential_kind("note", f"للعلم، {value}، وشكرًا لكم") is NAMED


@pytest.mark.parametrize("value", BEARERS)
def test_what_a_bearer_header_carries_is_a_credential_however_short(value: str) -> None:
    assert credential_kind("note", value) is HEADER


@pytest.mark.parametrize(("value", "kind"), [t for t in TOKENS if t[1]])
def test_a_credential_within_a_sentence_is_seen(value: str, kind: CredentialKind) -> None:
    assert looks_like_credential("note", f"تفضلوا هذا: {value} وشكرًا")


@pytest.mark.parametrize(
    "hidden", ["sk_live\u200b_a1B2c3D4e5F6", "ｓｋ＿ｌｉｖｅ＿a1B2c3D4e5F6", "\u202esk_live_a1B2c3D4e5F6"]
)
def test_invisible_and_full_width_characters_hide_nothing(hidden: str) -> None:
    assert credential_kind("note", hidden) is KNOWN


def test_a_token_broken_over_lines_is_seen() -> None:
    assert looks_like_credential("note", "ya29.a0AfH\n6SMBx3k9QwErTyUiOp")


ORDINARY = [
    "نحتاج ربط بريد الشركة قبل يوم الأحد، والمسؤول عن الموضوع هو مدير التسويق في فرع الرياض.",
    "كلمة المرور لم تعمل معنا أمس",
    "أرسل لنا رمز الدخول؟ لا، لا نشاركه.",
    "The connector failed because the token has expired, please reconnect.",
    "password: please reset",
    "Bearer of good news: the pilot starts on Sunday.",
    "Bearer tokens",
    "The bearer instruments.",
    "We use bearer authentication for the webhook",
    "Authorization: bearer token is missing",
    "نسي العميل كلمة المرور ورقم الفاتورة: 20260012",
    "كلمة المرور والرمز البريدي 12345",
    "كلمة المرور مكونة من 12 حرفًا",
    "كلمة المرور: 12 حرفًا على الأقل",
    "كلمة السر في النجاح هي الالتزام",
    "كلمة السر في خطة 2030 هي الصبر",
    "تنتهي صلاحية كلمة المرور في 2026-03-02",
    "يرجى تغيير كلمة المرور قبل 15/03/2026",
    "تغيرت كلمة المرور 3 مرات هذا الشهر",
    "صلاحية رمز الوصول: 2026/03/02",
    "رمز الوصول ينتهي بعد 3600 ثانية",
    "رمز التحقق يصل خلال 5 دقائق",
    "يصل رمز التحقق على الجوال 0501234567",
    "لا ترسلوا كلمة المرور، تواصلوا مع الدعم على 920001234",
    "إعادة تعيين كلمة المرور: https://accounts.example.com/reset1",
    "كلمة المرور: تصلكم من it.team2@company.com.sa",
    "الرمز البريدي: 12345",
    "رمز المنتج: AB123456",
    "رمز الفاتورة INV20260012",
    "كود الخصم: RAMADAN2026",
    "الرقم الضريبي: 300000000000003",
    "الرقم الوطني الموحد 7001234567",
    "رقم الطلب: ٩٩٨٨٧٧",
    "السجل التجاري: 1010123456",
    "مفتاح النجاح 2030",
    "السر في الرقم 12345",
    "كلمة السرعة 1200",
    "The password policy is ISO27001",
    "password: 12-character minimum",
    "password 90-day rotation",
    "password 2026 policy",
    "The password was changed in 2026",
    "The token is OAuth2",
    "token: 256-bit",
    "token expires in 3600 seconds",
    "the secret Vision2030 plan",
    "tokens 12000 sold",
    "location pin: 24.7136,46.6753",
    "discount code: RAMADAN2026",
    "The API key rotation is planned for 2026",
    "Basic understanding of the product",
    "6f1c2e0a-3b4d-4f6a-9c1e-2d7b8a9f0c1d",
    "6F1C2E0A-3B4D-4F6A-9C1E-2D7B8A9F0C1D",
    "tkt_01hzx3k9q8w7e6r5t4y3u2p1ab",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "sales.team+riyadh2026@very-long-company-name.com.sa",
    "https://www.example.com.sa/ar/products/growth-starter?utm_source=newsletter&utm_campaign=ramadan-2026",
    "https://docs.google.com/spreadsheets/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit#gid=0",
    "http://localhost:8080/health",
    "git@github.com:company/repository.git",
    "ssh://git@example.com/company/repository.git",
    "+966 50 123 4567",
    "٠٥٠١٢٣٤٥٦٧",
    "SA0380000000608010167519",
    "customer-riyadh-branch-2026-growth-starter-0001",
    "INVOICE-2026-03-000123-RIYADH-OLAYA-BRANCH-SECOND",
    "acme.sa",
    "/srv/shared/Marketing/Campaign2026/FinalVersion/CustomerListRiyadh.csv",
    "InstagramBusinessAccountRiyadhBranch2026Verified",
    "conferenceRecords.transcripts.readonly meetings.space.readonly",
    "GMAIL_ALLOW_LIVE_SEND and WHATSAPP_ALLOW_LIVE_SEND stay off",
    "2026-03-02T09:00:00.000000+00:00/2026-03-09T09:00:00Z",
    "1200000 halalas for 4/0 of the 10 items",
    "risk - review of the second quarter",
    "المبلغ 1,250,000 ريال، والفاتورة رقم 2026/000123",
    "",
    "   ",
    *STEP_IDS,
    *CONNECTOR_KEYS,
]


@pytest.mark.parametrize("value", ORDINARY)
def test_ordinary_values_pass(value: str) -> None:
    assert credential_kind("note", value) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spreadsheet_id", "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"),
        ("sheet", "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"),
        ("leads_spreadsheet", "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"),
        ("calendar", "c_1888vqj6h2g1f0d9s8a7p6o5i4u3y2t1@resource.calendar.google.com"),
        ("calendar_id", "c_1888vqj6h2g1f0d9s8a7p6o5i4u3y2t1@resource.calendar.google.com"),
        ("phone_number_id", "106540352242922"),
        ("list_sha256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("customerId", str(uuid.UUID(int=0x6F1C2E0A3B4D4F6A9C1E2D7B8A9F0C1D).hex)),
    ],
)
def test_identifiers_may_be_as_random_as_keys(field: str, value: str) -> None:
    assert credential_kind(field, value) is None
    assert credential_kind(field, "sk_live_" + "a1B2c3D4e5F6") is KNOWN


@pytest.mark.parametrize(
    "field",
    [
        "api_key",
        "apiKey",
        "API-Key",
        "apikey",
        "token",
        "access_token",
        "accessToken",
        "refresh_token",
        "verify_token",
        "client_secret",
        "app_secret",
        "password",
        "smtp_password",
        "private_key",
        "secret_access_key",
        "authorization",
        "credentials",
        "كلمة المرور",
        "رمز الوصول",
        "كلمه السر",
        "الرقم السرّي",
        "الباسورد",
    ],
)
def test_fields_named_like_secrets_take_nothing(field: str) -> None:
    assert names_a_secret(field)
    assert credential_kind(field, "x") is CredentialKind.SECRET_FIELD_NAME
    assert credential_kind(field, "") is None


@pytest.mark.parametrize(
    "field",
    [
        "goal",
        "bundle_id",
        "company_profile",
        "channels_oauth",
        "list_or_source",
        "connector_key",
        "key",
        "page_token",
        "no_secret_in_logs",
        "token_expires_at",
        "token_type",
        "secret_name",
        "secretary_name",
        "keyword",
        "tokenizer",
        "keynote",
        "campaign_name",
        "sector",
        "sales_owner",
        "calendar_id",
        "reference",
    ],
)
def test_other_fields_are_judged_by_their_value(field: str) -> None:
    assert not names_a_secret(field)
    assert credential_kind(field, "x") is None


@pytest.mark.parametrize(
    ("alphabet", "length", "least"),
    [
        (string.ascii_letters + string.digits, 24, 0.97),
        (string.ascii_letters + string.digits, 40, 0.99),
        (string.ascii_letters + string.digits + "-_", 43, 0.99),
        (string.ascii_letters + string.digits + "+/", 44, 0.99),
        ("0123456789abcdef", 32, 0.98),
        ("0123456789abcdef", 64, 0.99),
        (string.ascii_lowercase + string.digits, 40, 0.95),
    ],
)
def test_random_keys_are_seen_nearly_always(alphabet: str, length: int, least: float) -> None:
    source = random.Random(20260302)
    keys = ["".join(source.choice(alphabet) for _ in range(length)) for _ in range(1000)]
    assert sum(looks_like_credential("note", key) for key in keys) >= least * len(keys)


def test_random_uuids_pass() -> None:
    source = random.Random(20260302)
    for _ in range(500):
        assert not looks_like_credential("note", str(uuid.UUID(int=source.getrandbits(128), version=4)))


@pytest.mark.parametrize(
    "unit",
    [
        *("a1", "https://", "token ", "a@", "a.", "://a:", "?key=", "bearer ", 'secret" ', "eyJ", "كلمة المرور "),
        *(
            "token:",
            "token: ",
            "token -",
            "password for a ",
            "باسورد:",
            "كلمة سر الحساب ",
            "كلمة سر حساب بريد ",
            "bearer a.",
            " ",
        ),
    ],
)
def test_long_values_are_judged_in_linear_time(unit: str) -> None:
    # A quadratic pattern takes over a minute for this length, a linear one a fraction of a second.
    text = unit * (100_000 // len(unit))
    started = time.process_time()
    credential_kind("note", text)
    assert time.process_time() - started < 5


def test_every_faulty_setting_is_named_and_no_value_repeated() -> None:
    checks = Checks()
    check_settings(checks, {"calendar_id": "primary", "api_key": "hunter22", "note": "sk_live_" + "a1B2c3D4e5F6"})
    with pytest.raises(InvalidInput) as refusal:
        checks.done()
    assert [(v.field, v.reason) for v in refusal.value.violations] == [
        ('settings["api_key"]', "CREDENTIAL_REFUSED"),
        ('settings["note"]', "CREDENTIAL_REFUSED"),
    ]
    assert all("hunter22" not in v.description and "a1B2" not in v.description for v in refusal.value.violations)
