"""A scan for Saudi personal data in text that is to be published (specification §2, post-mortems).

What is found: national identity and iqama numbers (ten digits beginning with 1 or 2 that pass the Luhn check), mobile
numbers (``+966``, ``00966``, ``966`` or ``05``), IBANs (``SA``, check digits, bank, account; modulo 97) and e-mail
addresses. Digits of any script count; format characters (bidi and zero-width controls), harakat and tatweel inside of
a number do not hide it; spaces and dashes may group its digits.

The scan leans to finding: a person looks at each hit, and a number that slips through is published. What is left out
on purpose is what a check digit cannot tell apart: amounts of money, dates, decimals, and numbers that a word before
them names as a ticket's, an invoice's or an order's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

MAX_LOCAL = 64
MAX_DOMAIN = 253


class PersonalDataKind(StrEnum):
    NATIONAL_ID = "national_id"
    IQAMA = "iqama"
    MOBILE = "mobile"
    IBAN = "iban"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class PersonalDataHit:
    """``text[start:end]`` of the scanned text is personal data; code points, half-open. The data itself is not repeated."""

    kind: PersonalDataKind
    start: int
    end: int


def scan(text: str) -> tuple[PersonalDataHit, ...]:
    """Every hit in ``text``, in the order they stand; hits do not overlap."""
    plain, places = _plain(text)
    taken: list[tuple[int, int]] = []
    found: list[PersonalDataHit] = []
    for finder in (_ibans, _emails, _mobiles, _identities):
        for kind, start, end in finder(plain):
            if not any(start < other_end and other_start < end for other_start, other_end in taken):
                taken.append((start, end))
                found.append(PersonalDataHit(kind, places[start], places[end - 1] + 1))
    return tuple(sorted(found, key=lambda hit: hit.start))


def _plain(text: str) -> tuple[str, list[int]]:
    """``text`` with what hides a number taken out, one character for one, and where each character stood."""
    kept: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        if char.isascii():
            kept.append(char)
            places.append(place)
            continue
        category = unicodedata.category(char)
        if category in ("Cf", "Mn", "Me") or char == "ـ":
            continue
        kept.append(_one_for_one(char, category))
        places.append(place)
    return "".join(kept), places


def _one_for_one(char: str, category: str) -> str:
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Pd" or char == "\u2212":
        return "-"
    if category == "Zs":
        return " "
    if char in _PUNCTUATION:
        return _PUNCTUATION[char]
    simple = unicodedata.normalize("NFKC", char)
    return simple if len(simple) == 1 else char


# The Arabic decimal separator and thousands separator.
_PUNCTUATION = {"\u066b": ".", "\u066c": ","}

_Found = tuple[PersonalDataKind, int, int]

# --- IBAN -------------------------------------------------------------------------------------------------------------

# Two check digits and two of the bank, then an account of eighteen letters or digits.
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[Ss][Aa](?:[ -]{0,2}[0-9]){4}(?:[ -]{0,2}[A-Za-z0-9]){18}(?![A-Za-z0-9])",
)


def _ibans(text: str) -> Iterator[_Found]:
    for match in _IBAN.finditer(text):
        compact = re.sub(r"[ -]", "", match.group()).upper()
        moved = compact[4:] + compact[:4]
        if int("".join(str(int(char, 36)) for char in moved)) % 97 == 1:
            yield PersonalDataKind.IBAN, match.start(), match.end()


# --- e-mail -----------------------------------------------------------------------------------------------------------


def _emails(text: str) -> Iterator[_Found]:
    at = text.find("@")
    while at >= 0:
        start = at
        while start > 0 and at - start < MAX_LOCAL and (text[start - 1].isalnum() or text[start - 1] in "._%+-'"):
            start -= 1
        while start < at and text[start] in ".-'":
            start += 1
        end = at + 1
        while end < len(text) and end - at <= MAX_DOMAIN and (text[end].isalnum() or text[end] in ".-"):
            end += 1
        while end > at + 1 and text[end - 1] in ".-":
            end -= 1
        labels = text[at + 1 : end].split(".")
        if start < at and len(labels) > 1 and all(labels) and len(labels[-1]) > 1 and not labels[-1].isdecimal():
            yield PersonalDataKind.EMAIL, start, end
        at = text.find("@", at + 1)


# --- numbers ----------------------------------------------------------------------------------------------------------

# Words that people glue to the number that they name, as in "ID1012345672" or "tel0551234567".
_GLUED = r"(?:(?<![A-Za-z])(?:id|nid|iqama|no|tel|mob|mobile|phone|whatsapp|wa)[-_]?)"
_STARTS = rf"(?:(?<![A-Za-z0-9_-])|(?<=[^A-Za-z0-9_-]-)|(?<=^-)|{_GLUED})"
_GAP = r"[ .()-]{0,3}"

_INTERNATIONAL = re.compile(rf"(?:\+ ?|{_STARTS}00 ?|{_STARTS})(966{_GAP}0?{_GAP}5(?:{_GAP}[0-9]){{8}})(?![0-9])", re.I)
_LOCAL = re.compile(rf"(?<![0-9]\.){_STARTS}(0 ?5(?:[ .-]{{0,2}}[0-9]){{8}})(?![0-9A-Za-z_])", re.I)
_DAY_MONTH_YEAR = re.compile(r"[0-9]{1,2}([ ./-])[0-9]{1,2}\1(?:13|14|19|20)[0-9]{2}(?![0-9])")
_YEAR_MONTH_DAY = re.compile(r"(?:13|14|19|20)[0-9]{2}([ ./-])[0-9]{1,2}\1[0-9]{1,2}(?![0-9])")


def _mobiles(text: str) -> Iterator[_Found]:
    for match in _INTERNATIONAL.finditer(text):
        start = match.start(1)
        # The plus or the zeros belong to the number; a word glued to it does not.
        while start > match.start() and text[start - 1] in "+0 ":
            start -= 1
        yield PersonalDataKind.MOBILE, start, match.end()
    for match in _LOCAL.finditer(text):
        if _DAY_MONTH_YEAR.match(text, match.start(1)) is None:
            yield PersonalDataKind.MOBILE, match.start(1), match.end()


_RUN = re.compile(r"[0-9]+")
# An amount stands beside its currency; a currency after a space and another number belongs to that number.
_CURRENCY = r"(?:SAR|SR|USD|EUR|AED|\$|€|£|﷼|ر\.?\s?س|ريالات|ريالا|ريال|الريال|دولار|هللة|halalas?|riyals?)"
_CURRENCY_AFTER = re.compile(rf"\s?{_CURRENCY}(?![A-Za-z\u0621-\u064a])", re.I)
_CURRENCY_BEFORE = re.compile(rf"(?<![A-Za-z\u0621-\u064a]){_CURRENCY}\s?$", re.I)
_DECIMALS_AFTER = re.compile(r"[.,][0-9]{1,2}(?![0-9])")
_NUMBER_OF = re.compile(
    r"(?:(?<![A-Za-z])(?:tickets?|tkt|tck|invoices?|inv|orders?|ref|reference|case|po|receipt|transaction|txn)"
    r"|(?<![\u0621-\u064a])(?:و|ف)?(?:ال|لل|بال)?(?:تذكرة|بلاغ|فاتورة|طلب|مرجع|مرجعي|إيصال|معاملة|عملية|حوالة))"
    r"(?:[\s_:#-]|(?:رقم|الرقم|no\b\.?|number|id\b|is\b))*$",
    re.I,
)
_BEFORE = 40


def _identities(text: str) -> Iterator[_Found]:
    runs = [match.span() for match in _RUN.finditer(text)]
    index = 0
    while index < len(runs):
        last = _grouped(text, runs, index)
        if last > index:
            # Digits in groups are one number or none: a part of a longer row of groups is no identity.
            start, end = runs[index][0], runs[last][1]
            digits = "".join(text[a:b] for a, b in runs[index : last + 1])
            date_like = _DAY_MONTH_YEAR.match(text, start) or _YEAR_MONTH_DAY.match(text, start)
            if len(digits) == 10 and not date_like and _is_identity(text, start, end, digits):
                yield _kind_of(digits), start, end
            else:
                yield from _single(text, runs[index : last + 1])
        else:
            yield from _single(text, runs[index : index + 1])
        index = last + 1


def _single(text: str, runs: list[tuple[int, int]]) -> Iterator[_Found]:
    for start, end in runs:
        if end - start == 10 and _is_identity(text, start, end, text[start:end]):
            yield _kind_of(text[start:end]), start, end


def _grouped(text: str, runs: list[tuple[int, int]], first: int) -> int:
    """The last run that the same single space or dash joins to run ``first``."""
    last = first
    separator = ""
    while last + 1 < len(runs):
        between = text[runs[last][1] : runs[last + 1][0]]
        if between not in (" ", "-") or (separator and between != separator):
            break
        separator = between
        last += 1
    return last


def _is_identity(text: str, start: int, end: int, digits: str) -> bool:
    if digits[0] not in "12" or not _luhn(digits):
        return False
    before, after = text[max(0, start - _BEFORE) : start], text[end : end + 12]
    if after[:1].isascii() and (after[:1].isalpha() or after[:1] == "_"):
        return False
    if before and not _may_stand_before(before):
        return False
    return (
        _DECIMALS_AFTER.match(after) is None
        and _CURRENCY_AFTER.match(after) is None
        and _CURRENCY_BEFORE.search(before) is None
        and _NUMBER_OF.search(before) is None
    )


_NAMES_AN_IDENTITY = re.compile(r"(?<![A-Za-z])(?:id|nid|iqama|no)[-_]?$", re.I)


def _may_stand_before(before: str) -> bool:
    """Whether a number may begin after this: not inside an identifier, after a decimal point, ``#`` or ``+``."""
    last = before[-1]
    if last in "#+":
        return False
    if last == "." and before[-2:-1].isdecimal():
        return False
    inside = last.isascii() and (last.isalnum() or last == "_")
    joined = last == "-" and before[-2:-1].isascii() and before[-2:-1].isalnum()
    return not (inside or joined) or _NAMES_AN_IDENTITY.search(before) is not None


def _kind_of(digits: str) -> PersonalDataKind:
    return PersonalDataKind.NATIONAL_ID if digits[0] == "1" else PersonalDataKind.IQAMA


def _luhn(digits: str) -> bool:
    """Whether the last digit checks the others."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0
