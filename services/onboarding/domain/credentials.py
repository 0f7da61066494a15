"""Recognising credentials, so that none is ever accepted or stored.

A value is refused when its field is named like a secret, when it has the shape of a known token or key, or when it
looks random enough to be one. The refusal never repeats the value. It is a net, not a proof: a password made of
ordinary words in an innocently named field passes. Arabic and English words for secrets are read alike, in any spelling
that folds to the same and with any digits.

What must pass: Arabic and English prose, UUIDs, e-mail addresses, ordinary URLs, phone numbers, IBANs, slugs and
customer ids. Identifiers of documents and calendars are as random as keys, so the randomness test alone (not the
known shapes) is left out in fields whose name says that they hold an identifier or an address of one, or that
name such a thing itself: ``sheet`` as ``spreadsheet_id``.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from math import log2

from services.domain.arabic import fold
from services.domain.checks import Checks


class CredentialKind(StrEnum):
    """Why a value counts as a credential."""

    # The names of kinds, no secrets.
    SECRET_FIELD_NAME = "secret_field_name"
    PRIVATE_KEY = "private_key"
    KNOWN_TOKEN = "known_token"
    AUTHORIZATION_HEADER = "authorization_header"
    URL_WITH_CREDENTIAL = "url_with_credential"
    NAMED_IN_TEXT = "named_in_text"
    HIGH_ENTROPY = "high_entropy"


def looks_like_credential(field_name: str, value: str) -> bool:
    return credential_kind(field_name, value) is not None


def credential_kind(field_name: str, value: str) -> CredentialKind | None:
    """The first reason to take ``value`` for a credential, None for none. An empty value never is one."""
    text = _plain(value)
    if not text:
        return None
    if names_a_secret(field_name):
        return CredentialKind.SECRET_FIELD_NAME
    # Line breaks inside a pasted token do not make it harmless.
    joined = "".join(line.strip() for line in text.splitlines())
    for kind, pattern in _SHAPES:
        if pattern.search(text) or (
            kind is CredentialKind.KNOWN_TOKEN and len(joined) < _LONG and pattern.search(joined)
        ):
            return kind
    if any(_is_basic_auth(match) for match in _BASIC.findall(text)):
        return CredentialKind.AUTHORIZATION_HEADER
    if _NAMED.search(_folded(text)):
        return CredentialKind.NAMED_IN_TEXT
    if not _ID_FIELD.search(_words(field_name)) and _has_random_run(text):
        return CredentialKind.HIGH_ENTROPY
    return None


def check_no_credential(checks: Checks, path: str, field_name: str, value: str) -> None:
    """Note ``CREDENTIAL_REFUSED`` at ``path`` where ``value`` looks like a credential; the value is not repeated."""
    kind = credential_kind(field_name, value)
    if kind is not None:
        checks.note(
            path, "CREDENTIAL_REFUSED", f"no credential is accepted here ({kind}); grant access in the provider"
        )


def check_settings(checks: Checks, settings: Mapping[str, str], field: str = "settings") -> None:
    """`check_no_credential` for every setting, each named as ``settings["key"]``."""
    for key, value in settings.items():
        check_no_credential(checks, f'{field}["{key}"]', key, value)


def names_a_secret(field_name: str) -> bool:
    """Whether a field of this name can only hold a credential (``api_key``, ``clientSecret``, «كلمة المرور»)."""
    words = _words(field_name)
    return bool(_SECRET_NAME.search(words)) and not _HARMLESS_NAME.search(words)


def _plain(value: str) -> str:
    """Compatibility forms folded and invisible controls dropped, so that neither hides a known shape."""
    folded = unicodedata.normalize("NFKC", value)
    return "".join(char for char in folded if unicodedata.category(char) != "Cf").strip()


def _words(name: str) -> str:
    """A field name as lower-case words with single spaces: ``clientSecret`` and ``client-secret`` are one name."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", _plain(name))
    return " ".join(re.split(r"[\W_]+", _folded(split))).strip()


def _folded(text: str) -> str:
    """One spelling for all that readers take for the same, in pieces: a text of any length is judged."""
    return "".join(fold(text[at : at + _PIECE]) for at in range(0, len(text), _PIECE))


_PIECE = 2_000

# Names of secrets as they read once folded (ة is ه, أ is ا), with or without the article; English ones stand by themselves.
_ARABIC_NAME = (
    r"(?:كلم(?:ه|ات) (?:ال)?(?:مرور|سر(?:يه)?|دخول|عبور)|رقم (?:ال)?سري"
    r"|(?:رمز|كود) (?:ال)?(?:سري|دخول|وصول|مرور|تحقق|تفعيل|مصادقه|تفويض|حمايه|امان)"
    r"|مفتاح (?:ال)?(?:api|سري|خاص|ربط|وصول|تشفير)|با?س ?و+رد|توكي?ن)(?:ي|نا|ك|كم|ه|ها|هم)?(?!\w)"
)

_SECRET_NAME = re.compile(
    r"\b(?:token|secret|password|passwd|pwd|passphrase|passcode|pin code|api ?key|access key|private key|secret key"
    r"|signing key|encryption key|service account key|auth key|account key|credentials?|authorization|bearer|jwt"
    r"|session cookie|cookie)\b(?!\s+(?:name|type|count|expires|expiry|status|url|uri))|" + _ARABIC_NAME
)
_HARMLESS_NAME = re.compile(r"\b(?:page token|idempotency token|expires at|no secret in logs|secret in logs)\b")
_ID_FIELD = re.compile(
    r"\b(?:id|ids|etag|hash|digest|sha256|checksum|url|uri|link|sheet|spreadsheet|calendar|folder|file|document|form)$"
)

# Each shape is anchored on the left so that a word merely containing it does not match.
_START = r"(?<![A-Za-z0-9])"
_TOKENS = (
    r"ya29\.[\w-]{10,}",  # Google access token
    r"1//0[\w-]{20,}",  # Google refresh token
    r"4/0[\w-]{20,}",  # Google authorisation code
    r"AIza[\w-]{30,}",  # Google API key
    r"GOCSPX-[\w-]{20,}",  # Google client secret
    r"(?:sk|pk|rk)_(?:live|test)_\w{6,}",  # Moyasar, Stripe
    r"whsec_[\w+/=-]{16,}",
    r"sk-[A-Za-z0-9_-]{20,}",
    r"EAA[A-Za-z0-9]{20,}",  # Meta
    r"IG[A-Z]{2}[\w-]{40,}",  # Instagram
    r"\d{12,20}\|[\w-]{20,}",  # Meta app token
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    r"glpat-[\w-]{16,}",
    r"xox[abeoprs]-[\w-]{10,}",
    r"xapp-[\w-]{10,}",
    r"pat-(?:na|eu|ap)\d-[0-9a-f-]{20,}",  # HubSpot
    r"00D[A-Za-z0-9]{12,15}![\w.]{20,}",  # Salesforce session
    r"1000\.[0-9a-f]{32}\.[0-9a-f]{32}",  # Zoho
    r"api_[A-Za-z0-9]{16,}\.[A-Za-z0-9]{16,}",  # Close
    r"SG\.[\w-]{16,}\.[\w-]{16,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*",  # JWT, JWE
)
_SHAPES = (
    (CredentialKind.PRIVATE_KEY, re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|\"private_key\"\s*:|PuTTY-User-Key-File")),
    (CredentialKind.KNOWN_TOKEN, re.compile(_START + "(?:" + "|".join(_TOKENS) + ")")),
    (
        CredentialKind.AUTHORIZATION_HEADER,
        re.compile(
            # After the word a token that has a digit, or parts; any after the header's name, or with nothing beside it.
            r"\bbearer\s+(?:(?=[\w.~+/=-]{0,80}\d)(?=[\w.~+/=-]{0,80}[^\W\d])[\w.~+/=-]{6,}"
            r"|(?=[\w~+/=-]{1,80}\.[\w~+/=-])[\w.~+/=-]{12,})"
            r"|(?:\A(?=\S+\s+\S+\Z)|\bauthorization\W{1,4})bearer\s+(?!(?:tokens?|auth\w*|headers?|schemes?)\b)\S",
            re.IGNORECASE,
        ),
    ),
    (
        CredentialKind.URL_WITH_CREDENTIAL,
        re.compile(
            # A password before the host; a parameter named like a secret; an address that is itself one.
            r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/?#@:]{0,200}:[^\s/?#@]{1,200}@"
            r"|[?&#;](?:access_token|refresh_token|id_token|auth_token|token|api_?key|key|client_secret|secret|password"
            r"|passwd|pwd|sig|signature|x-amz-signature)=[^\s&#]{6,}"
            r"|hooks\.slack\.com/(?:services|workflows)/\S+",
            re.IGNORECASE,
        ),
    ),
)

# In a folded text: the name of a secret, then its value. What says the value (a colon, "is") leaves less doubt than a space.
_ENGLISH_NAME = (
    r"\b(?:password|passwd|pwd|passphrase|passcode|pin(?: code)?|otp|secret|(?:api|access|secret|private)[ _-]?key"
    r"|(?:access|refresh|verify|auth|bearer|client)[ _-]?(?:token|secret)|token)(?!\w)"
)
# Whose secret it is, between the two.
_OWNER = (
    r"(?:\s(?:for|of|to)(?:\s(?:the|our|my|your))?(?:\s[a-z]+){1,2}"
    r"|(?:\s(?:(?:ال|لل|ل|بال|ب)?(?:حساب|بريد|ايميل|جيميل|واتساب|موقع|متجر|لوحه|نظام|منصه|الكتروني|تحكم)(?:نا|كم|هم|ها|ي)?"
    r"|(?:ال)?(?:جديده?|حاليه?|موقته?|خاصه?)|بنا|بكم|بهم|gmail|google|whatsapp|instagram|sheets|moyasar)){1,3})?"
)
# What stands there without being the secret: an address, a date, a count of characters or days, the name of a standard.
_HARMLESS_VALUE = (
    r"(?:https?://|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:t[\d:.]+z?)?(?!\w)|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[a-z]{2,})+(?!\w)"
    r"|\d+[ -]?(?:char|digit|letter|day|hour|min|sec|bit|حرف|احرف|خان|رقم|ارقام)|(?:sha|aes|iso|rfc)[ -]?\d|oauth|2fa)"
)
_NUMBER, _WORD = r"\d{4,}(?!\w)", r"(?=\S{0,80}[^\W\d])[^\s\"']{6,}"
_YEAR = r"(?:14|19|20)\d\d(?!\w)"
_SAYS = r"\s{0,3}[\"'»)]?\s{0,3}(?:[:=]|(?<=\s)(?:هي|هو|is)(?!\w))[\s:=>\"'«(-]{0,6}+"
_BESIDE = r"(?<!secret)[\s\"'«»(/|-]{1,6}+"
_NAMED = re.compile(
    rf"(?:{_ENGLISH_NAME}|{_ARABIC_NAME}){_OWNER}"
    rf"(?:{_SAYS}(?!{_HARMLESS_VALUE})(?:{_NUMBER}|(?=\S{{0,80}}\d){_WORD})"
    rf"|{_BESIDE}(?!{_HARMLESS_VALUE}|{_YEAR})(?:{_NUMBER}|(?=\S{{0,80}}\d{{3}}){_WORD}))"
)
_BASIC = re.compile(r"\bbasic\s+([A-Za-z0-9+/]{8,}={0,2})", re.IGNORECASE)

# Runs of token characters are judged by themselves, apart from what is known to be harmless.
_RUN = re.compile(r"[A-Za-z0-9_+/=-]{24,}")
_HARMLESS = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # UUID
    # E-mail address; the guard in front keeps a long run of letters from being tried at each of them.
    r"|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|https?://\S+"  # its parameters were looked at above
    r"|(?<![A-Za-z0-9])(?:[a-z]{2,8}_)?[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}(?![A-Za-z0-9])"  # ULID, our own ids
)
_LONG = 4096
_MIXED_LENGTH, _MIXED_BITS, _MIXED_CHANGES = 24, 3.5, 0.3
_PLAIN_LENGTH, _PLAIN_BITS, _PLAIN_CHANGES = 32, 3.0, 0.25


def _is_basic_auth(encoded: str) -> bool:
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded and all(32 <= byte < 127 for byte in decoded)


def _has_random_run(text: str) -> bool:
    return any(_is_random(run) for run in _RUN.findall(_HARMLESS.sub(" ", text)))


def _is_random(run: str) -> bool:
    """Many different characters and frequent changes between lower case, upper case and digits.

    Names, paths and slugs change kind rarely; keys change at about every second character. Both bounds were chosen on
    generated base64, base62 and hexadecimal keys against prose, paths, slugs and camel case.
    """
    kinds = [_kind(char) for char in run if char.isalnum()]
    if not kinds or "d" not in kinds or len(set(kinds)) < 2:
        return False
    counts = Counter(run)
    bits = -sum(n / len(run) * log2(n / len(run)) for n in counts.values())
    changes = sum(a != b for a, b in pairwise(kinds)) / len(kinds)
    if len(set(kinds)) == 3:
        return len(run) >= _MIXED_LENGTH and bits >= _MIXED_BITS and changes >= _MIXED_CHANGES
    return len(run) >= _PLAIN_LENGTH and bits >= _PLAIN_BITS and changes >= _PLAIN_CHANGES


def _kind(char: str) -> str:
    if char.isdigit():
        return "d"
    return "u" if char.isupper() else "l"
