"""Folding and cutting: one step or two, the fast way or by pattern, the tokens are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain import arabic
from services.domain.arabic import fold, fold_and_tokenize, fold_noting, parted, tokenize
from tests.classifier.labelled import read

# Letters of both scripts in all spellings, marks, digits, dashes and stops, so that every way of folding is taken.
MIXED = st.text("اأإآىئةتشلوسـَّ\u200f١٢گپABcdé012 \t\n.،,؟?!:…-–'’@/_#«»()|•😡<br>\ufdfa", max_size=60)
ROWS = [row.text for row in read("development")]


@given(MIXED)
def test_folding_and_cutting_in_one_step_is_doing_it_in_two(text: str) -> None:
    folded, how = fold_noting(text)
    folded = parted(folded, how)
    assert fold_and_tokenize(text) == (folded, how, tokenize(folded))


@given(MIXED)
def test_what_parts_a_text_leaves_everything_in_its_place(text: str) -> None:
    folded, how = fold_noting(text)
    read = parted(folded, how)
    assert len(read) == len(folded)
    assert all(new == old or new in ",\n " for new, old in zip(read, folded, strict=True))


@given(st.one_of(MIXED, st.sampled_from(ROWS)))
def test_the_fast_way_cuts_as_the_pattern_does(text: str) -> None:
    folded = fold(text)
    assert tokenize(folded) == arabic._tokenize_by_pattern(folded)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("رسلتُوا العرضَ، بدون إذني!", ["رسلتوا", "العرض", "،", "بدون", "اذني", "!"]),
        ("الـdashboard طايح", ["ال", "dashboard", "طايح"]),
        ("see HTTPS://Example.com/a?b=1 now", ["see", "https://example.com/a?b=1", "now"]),
        ("Don't panic… 3.5 out", ["don't", "panic", "…", "3", "5", "out"]),
        ("", []),
        # A comma or colon within a number is no stop.
        ("1,500.00 SAR at 12:30, ١٬٥٠٠: yes", ["1", "500", "00", "sar", "at", "12", "30", ",", "1", "500", ":", "yes"]),
        # What parts a text without being punctuation.
        ("no outage | data breach", ["no", "outage", ",", "data", "breach"]),
        ("no outage 😱 data breach", ["no", "outage", ",", "data", "breach"]),
        ("no outage / data breach + 1/2", ["no", "outage", ",", "data", "breach", ",", "1", "2"]),
        ("7\tno\twe were hacked", ["7", ",", "no", ",", "we", "were", "hacked"]),
        ("data\tleak", ["data", "leak"]),
        ("completely&nbsp;<b style='x:y'>down</b><br>now", ["completely", "down", "\n", "now"]),
    ],
)
def test_tokens_are_words_stops_and_opaque_runs(text: str, tokens: list[str]) -> None:
    assert fold_and_tokenize(text)[2] == tokens
