"""Recognising telephone numbers, so that none is kept where only a count belongs."""

from __future__ import annotations

import re
import unicodedata

from services.domain.checks import Checks

# A Saudi mobile number in any of its spellings, or any number in its international form. Numbers of documents and dates,
# which have neither, pass.
_PHONE = re.compile(
    r"(?<!\d)(?:(?:\+|00)\s?966|966|0)[\s().-]{0,2}5(?:[\s().-]{0,2}\d){8}(?!\d)|(?<!\d)5\d{8}(?!\d)|\+\d(?:[\s().-]{0,2}\d){7,14}(?!\d)"
)


def holds_phone(text: str) -> bool:
    """Whether a telephone number stands in ``text``, in Western, Arabic-Indic or Persian digits."""
    plain = "".join(
        str(unicodedata.decimal(char)) if unicodedata.category(char) == "Nd" else char
        for char in unicodedata.normalize("NFKC", text)
        if unicodedata.category(char) != "Cf"
    )
    return bool(_PHONE.search(plain))


def check_no_phone(checks: Checks, path: str, text: str) -> None:
    """Note ``PHONE_NUMBER_REFUSED`` at ``path`` where a telephone number stands in ``text``; it is not repeated."""
    if holds_phone(text):
        checks.note(path, "PHONE_NUMBER_REFUSED", "no telephone number is kept here")
