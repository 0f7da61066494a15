"""Counted nouns: which of a noun's forms goes with a number (the cardinal rules of CLDR for Arabic and English)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.domain.texts import Bilingual, Reader


class Plural(StrEnum):
    ZERO = "zero"
    ONE = "one"
    TWO = "two"
    FEW = "few"
    MANY = "many"
    OTHER = "other"


def arabic(number: int) -> Plural:
    """``number`` ≥ 0. 3 مسودات, 11 مسودةً, 100 مسودةٍ: the last two digits decide."""
    if number in (0, 1, 2):
        return (Plural.ZERO, Plural.ONE, Plural.TWO)[number]
    rest = number % 100
    if 3 <= rest <= 10:
        return Plural.FEW
    if rest >= 11:
        return Plural.MANY
    return Plural.OTHER


def english(number: int) -> Plural:
    """``number`` ≥ 0. Zero has a form of its own, because "none this week" reads better than "0 items"."""
    if number in (0, 1):
        return (Plural.ZERO, Plural.ONE)[number]
    return Plural.OTHER


@dataclass(frozen=True, slots=True)
class Counted:
    """The sentences for one counted thing: Arabic for all six forms, English for three."""

    ar: dict[Plural, str]
    en: dict[Plural, str]

    def say(self, number: int) -> Bilingual:
        shown = f"{number:,}"
        return Bilingual(self.ar[arabic(number)].format(n=shown), self.en[english(number)].format(n=shown))


_WITHOUT_NUMBER = (Plural.ZERO, Plural.ONE, Plural.TWO)


def read_counted(table: Reader) -> Counted:
    """``[<thing>.ar]`` with all six forms and ``[<thing>.en]`` with zero, one and other; from three on with ``{n}``."""

    def forms(reader: Reader, wanted: tuple[Plural, ...]) -> dict[Plural, str]:
        return {
            form: reader.text(form.value, frozenset() if form in _WITHOUT_NUMBER else frozenset({"n"}))
            for form in wanted
        }

    return Counted(
        ar=forms(table.table("ar"), tuple(Plural)),
        en=forms(table.table("en"), (Plural.ZERO, Plural.ONE, Plural.OTHER)),
    )
