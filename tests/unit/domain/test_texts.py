"""Putting texts together: values filled into both languages, and what Arabic text would set in reverse kept in its order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.arabic import fold
from services.domain.texts import Bilingual, isolated

LRI, PDI = "\u2066", "\u2069"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("للاستفسار: سارة على +966 55 123 4567", "للاستفسار: سارة على [+966 55 123 4567]"),
        ("هاتف (011) 123 4567، أو ٠٥٥ ١٢٣ ٤٥٦٧.", "هاتف [(011) 123 4567]، أو [٠٥٥ ١٢٣ ٤٥٦٧]."),
        ("من 2026-03-02 إلى 2026-03-05.", "من [2026-03-02] إلى [2026-03-05]."),
        ("الفرق -5 و+40 و5-10 أيام", "الفرق [-5] و[+40] و[5-10] أيام"),
        (
            "راسلونا على info@dealix.sa، أو https://dealix.sa/a",
            "راسلونا على [info@dealix.sa]، أو [https://dealix.sa/a]",
        ),
        ("شبكة 3G ولغة C++", "شبكة [3G] ولغة [C++]"),
        ("2026-03-02T10:00Z و00966-55-12ab", "[2026-03-02T10:00Z] و[00966-55-12ab]"),
    ],
)
def test_what_would_be_set_in_reverse_is_isolated(text: str, wanted: str) -> None:
    assert isolated(text) == wanted.replace("[", LRI).replace("]", PDI)
    assert isolated(isolated(text)) == isolated(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "نص بلا أرقام",
        "1. ما حدث الساعة 19:05، والعدد 1,000 والنسبة 5.5٪ أو 6%",
        "واتساب للأعمال (Cloud API) وGoogle Meet وProof Pack v1",
        "حادث SEV1 عند cust-12 و0551234567",
        f"قبل {LRI}+966 5{PDI} بعد",
    ],
)
def test_what_keeps_its_order_stays_as_it_is(text: str) -> None:
    assert isolated(text) == text


@given(st.text(st.sampled_from(f"ab1٢ +-.,:@()/\n{LRI}{PDI}ع،"), max_size=60))
def test_isolating_adds_nothing_but_closed_isolates_and_happens_once(text: str) -> None:
    once = isolated(text)
    assert re.sub(f"[{LRI}{PDI}]", "", once) == re.sub(f"[{LRI}{PDI}]", "", text)
    assert once.count(LRI) - text.count(LRI) == once.count(PDI) - text.count(PDI)
    assert fold(once) == fold(text)
    assert isolated(once) == once


def test_values_are_filled_into_each_language_and_isolated_in_the_arabic() -> None:
    text = Bilingual("اتصلوا بـ{who} على {number}", "Call {who} on {number}")
    filled = text.format(who=Bilingual("المؤسس", "the founder"), number="+966 55 123")
    assert filled == Bilingual(f"اتصلوا بـالمؤسس على {LRI}+966 55 123{PDI}", "Call the founder on +966 55 123")
    with pytest.raises(KeyError):
        text.format(who="x")
