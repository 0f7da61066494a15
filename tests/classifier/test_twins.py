"""Spelling twins get the same verdict; adding a critical phrase never lowers one."""

from __future__ import annotations

import random
import tracemalloc
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.support.domain.classifier import Classification, Classifier
from services.support.domain.lexicon import BASE_KEYWORDS, load_lexicon
from services.support.domain.priorities import urgency
from tests.classifier.labelled import read

CLASSIFIER = Classifier(load_lexicon())
ROWS = read("development")
TEXTS = [row.text for row in ROWS]
HARAKAT = "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670"
FORMAT = "\u200c\u200d\u200e\u200f\u202a\u202c\u2066\u2069\ufeff\u00ad\u061c"


def said(verdict: Classification) -> tuple[object, ...]:
    """What a twin must share: everything but the spans."""
    return (
        verdict.priority,
        verdict.matched_keyword,
        [(hit.keyword, hit.language, hit.signals) for hit in verdict.hits],
        [hit.keyword for hit in verdict.negated_hits],
        verdict.signals,
        verdict.review_required,
    )


def between_letters(text: str, pick: Callable[[], str], letter: Callable[[str], bool]) -> str:
    return "".join(c + (pick() if letter(c) else "") for c in text)


def is_arabic(character: str) -> bool:
    return "\u0621" <= character <= "\u064a" and character != "\u0640"


PRESENTATION: dict[str, list[str]] = {}
for code_point in (*range(0xFB50, 0xFE00), *range(0xFE70, 0xFF00)):
    origin = unicodedata.normalize("NFKC", chr(code_point))
    if len(origin) == 1 and is_arabic(origin):
        PRESENTATION.setdefault(origin, []).append(chr(code_point))


def full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalpha() else c for c in text)


def tatweel(text: str) -> str:
    return "".join(
        c + "\u0640" * 2 if is_arabic(c) and i + 1 < len(text) and is_arabic(text[i + 1]) else c
        for i, c in enumerate(text)
    )


RANDOM = random.Random(7)
TWINS: dict[str, Callable[[str], str]] = {
    "harakat": lambda t: between_letters(t, lambda: RANDOM.choice(HARAKAT), is_arabic),
    "tatweel": tatweel,
    "format characters": lambda t: between_letters(t, lambda: RANDOM.choice(FORMAT), str.isalpha),
    "presentation forms": lambda t: "".join(RANDOM.choice(PRESENTATION.get(c, [c])) for c in t),
    "full width": full_width,
    "upper case": str.upper,
    "double spaces": lambda t: t.replace(" ", "  "),
    "no-break spaces": lambda t: t.replace(" ", "\u00a0"),
    "ideographic spaces": lambda t: t.replace(" ", "\u3000"),
    "tabs": lambda t: t.replace(" ", "\t"),
    "NFD": lambda t: unicodedata.normalize("NFD", t),
    "hamza dropped": lambda t: t.translate(str.maketrans("أإآةى", "اااهي")),
    "bidi isolate": lambda t: f"\u2067{t}\u2069",
}


@pytest.mark.parametrize("name", TWINS)
def test_twin_has_the_same_verdict(name: str) -> None:
    different = [t for t in TEXTS if "@" not in t and "/" not in t and "_" not in t
                 and said(CLASSIFIER.classify(TWINS[name](t))) != said(CLASSIFIER.classify(t))]  # fmt: skip
    assert different == []


@pytest.mark.parametrize("dash", ["-", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\ufe63", "\uff0d"])
@pytest.mark.parametrize("keyword", [keyword for keyword in BASE_KEYWORDS if " " in keyword])
def test_hyphenated_base_keyword_hits(keyword: str, dash: str) -> None:
    verdict = CLASSIFIER.classify(keyword.replace(" ", dash))
    assert (verdict.priority, verdict.matched_keyword) == (BASE_KEYWORDS[keyword], keyword)


@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_random_marks_and_format_characters_change_nothing(text: str, chance: random.Random) -> None:
    if "@" in text or "/" in text or "_" in text:
        return
    marked = "".join(
        c + "".join(chance.choices(HARAKAT if is_arabic(c) else FORMAT, k=chance.randrange(4))) if c.isalpha() else c
        for c in text
    )
    assert said(CLASSIFIER.classify(marked)) == said(CLASSIFIER.classify(text))


@example("Proof Pack hasn't arrived", "leak", "\n")
@example("proof pack late", "leak", " - ")
@given(st.sampled_from(TEXTS), st.sampled_from(list(BASE_KEYWORDS)), st.sampled_from([". ", "\n", "! ", "؛ "]))
@settings(max_examples=200, deadline=None)
def test_adding_a_base_keyword_never_lowers(text: str, keyword: str, joint: str) -> None:
    before = urgency(CLASSIFIER.classify(text).priority)
    for longer in (text + joint + keyword, keyword + joint + text):
        assert urgency(CLASSIFIER.classify(longer).priority) <= min(before, urgency(BASE_KEYWORDS[keyword])), longer


@given(st.text(max_size=200) | st.text("لامبدونتسريغق لم لا no not leak ,.-\n\u0640\u064b\u200f", max_size=120))
@settings(max_examples=300, deadline=None)
def test_any_text_is_classified_and_its_spans_are_slices(text: str) -> None:
    try:
        verdict = CLASSIFIER.classify(text)
    except InvalidInput:
        return
    assert verdict == CLASSIFIER.classify(text)
    for hit in verdict.hits + verdict.negated_hits:
        assert 0 <= hit.start < hit.end <= len(text)
        assert text[hit.start : hit.end] == hit.text
        assert hit.keyword
    if verdict.priority != "P3" and not verdict.review_required:
        assert verdict.hits[0].keyword == verdict.matched_keyword
        assert verdict.hits[0].priority == verdict.priority


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("حصل تســـريب اليوم", 4, 12),
        ("حَصَلَ تَسْرِيبٌ اليوم", 7, 16),
        ("we saw a l\u200beak today", 9, 14),
        ("ｌｅａｋ", 0, 4),
        ("\u2067تسريب\u2069", 1, 6),
        ("قلنا «تسريب».", 6, 11),
        ("ﷺ leak", 2, 6),
    ],
)
def test_span_is_of_the_original(text: str, start: int, end: int) -> None:
    (hit,) = CLASSIFIER.classify(text).hits
    assert (hit.start, hit.end) == (start, end)


@pytest.mark.parametrize("text", ["a" * 20_001, "a" * 100_000, "\ufdfa" * 20_000, "\ufdfa" * 2_300])
def test_text_over_a_bound_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        CLASSIFIER.classify(text)
    assert refusal.value.violations[0].reason == "TEXT_TOO_LONG"


def test_a_finding_among_words_that_nobody_knows_is_not_hidden_by_a_long_harmless_text() -> None:
    harmless = "Thank you for the report of last week and for the good meeting with our team. " * 12
    for found in ("انخترق", "someone hacked"):
        assert CLASSIFIER.classify(f"qqxxzz {found} qqxxzz. {harmless}").priority == "P0"
        assert CLASSIFIER.classify(f"{harmless} qqxxzz {found} qqxxzz.").priority == "P0"
    assert CLASSIFIER.classify(harmless).priority == "P3"


@pytest.mark.parametrize(
    "phrase", ["sent without approval", "رسالة انرسلت بدون علمنا", "nobody can log in", "someone hacked us"]
)
def test_a_finding_said_again_and_again_is_one(phrase: str) -> None:
    for times in (1, 2, 3, 10, 40):
        assert CLASSIFIER.classify(f"{phrase} " * times).priority == "P0"
        assert CLASSIFIER.classify(f"{phrase}. " * times).priority == "P0"


def test_the_first_words_of_a_sentence_that_was_cut_off_are_not_weighed_alone() -> None:
    harmless = (
        "Hello team, we would like to review the report of last month together with our sales lead, and we have a question "
        "about the new bundle and the date of the next meeting. The pilot is going well and the results are good; please "
        "add two more users to the dashboard before Thursday. "
    ) * 4
    sizes = range(300, len(harmless), 2)
    wrong = [size for size in sizes if CLASSIFIER.classify(harmless[:size]).priority != "P3"]
    # "… The pilot is going well and the res" is in doubt itself.
    assert len(wrong) <= 0.01 * len(sizes)


def test_what_is_remembered_of_hostile_words_is_bounded() -> None:
    classifier = Classifier(load_lexicon())
    classifier.classify("hello")
    tracemalloc.start()
    try:
        for number in range(20):
            classifier.classify("ب" * 15_000 + "تثجح"[number % 4] * (number + 3))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 200_000


@pytest.mark.parametrize(
    ("written", "mistyped"),
    [
        ("the platform is down for everyone", "the platform is dwon for everyone"),
        ("Proof Pack missing", "Proof Pack mising"),
        ("you sent it without approval", "you sent it wihtout approval"),
        ("someone hacked our account", "someone hackked our acocunt"),
    ],
)
def test_a_slip_of_the_keyboard_changes_nothing_and_is_shown(
    classifier: Classifier, written: str, mistyped: str
) -> None:
    verdict = classifier.classify(mistyped)
    assert verdict.priority == classifier.classify(written).priority < "P3"
    assert verdict.hits
    assert all(hit.text == mistyped[hit.start : hit.end] for hit in verdict.hits)


@pytest.mark.parametrize("word", ["bleak", "secretary", "lots", "leek", "quiet", "trail"])
def test_a_word_of_its_own_is_no_slip(classifier: Classifier, word: str) -> None:
    assert classifier.classify(f"a question on {word}").priority == "P3"


@pytest.mark.parametrize("word", ["x" * 60, "ab" * 20, "hack" * 6])
def test_what_is_repeated_in_a_word_counts_once(classifier: Classifier, word: str) -> None:
    assert classifier.classify(word).priority == "P3"
