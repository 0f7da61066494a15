"""Thanks and nothing else, in two languages and in pictures; everything else is a message."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.texts import TextsError
from services.support.domain.policy import TEXTS_DIR
from services.support.domain.thanks import Thanks, load_thanks

BARE = [
    "شكراً", "شكرًا جزيلًا لكم", "شُكْراً", "شكــــرا", "شكرااااا", "وشكرا لكم", "ألف شكر يا شباب", "مشكورين", "مشكورين!!",
    "مشكورين والله ما قصرتوا", "يعطيكم العافية", "الله يعطيكم العافية 🙏🏻", "جزاكم الله خيرا، وبارك الله فيكم.", "تسلم اخوي",
    "كفيتوا ووفيتوا", "بيض الله وجهكم", "تمام شكرا", "ممتاز، يعطيك العافية", "السلام عليكم، شكرا لكم جميعا", "ثانكيو",
    "thanks", "Thanks!", "thanks a lot", "THANK YOU SO MUCH ❤️", "Thx 👍👍", "thaaaanks", "ty", "Great, thank you all.",
    "Many thanks\n\nBest regards", "ok thanks", "much appreciated", "👍", "👍🏽", "🙏🙏", "❤️", "🌹🌹 شكرا",
    "شكرا thanks", "Thank you - يعطيكم العافية",
]  # fmt: skip
MORE = [
    "", "   ", "\n", "!!!", "؟", "ok", "تمام", "great", "😊", "السلام عليكم", "thanks?", "شكرا؟", "thanks 2", "شكرا ١",
    "thanks but it is still broken", "Thanks, it does not work", "شكرا بس ما اشتغل", "شكرا ولكن المشكلة ما زالت",
    "شكرا، متى ترسلون الفاتورة", "مشكورين بس لسا ما وصل", "no thanks", "لا شكرا", "thanks for nothing", "thank you https://x.sa",
    "thanks ahmed@example.com", "😡 thanks", "thanks 👎", "👎", "شكرا 😡", "💔", "thanks 坏了", "спасибо", "🙏 坏了",
    "شكرا لكن", "thankless", "thanksgiving", "شكرالله",
    "يعطيكم", "العافية", "thanks for", "and thanks to the outage", "please help, thanks",
]  # fmt: skip


@cache
def thanks() -> Thanks:
    return load_thanks()


@pytest.mark.parametrize("text", BARE)
def test_thanks_alone_are_bare(text: str) -> None:
    assert thanks().is_bare(text)


@pytest.mark.parametrize("text", MORE)
def test_whatever_says_more_is_a_message(text: str) -> None:
    assert not thanks().is_bare(text)


@given(st.lists(st.sampled_from(BARE), min_size=1, max_size=4), st.sampled_from([" ", "، ", "\n", " ! ", " و "]))
@settings(max_examples=100, deadline=None)
def test_thanks_after_thanks_are_thanks(texts: list[str], between: str) -> None:
    assert thanks().is_bare(between.join(texts))


@given(
    st.sampled_from(BARE), st.sampled_from(["broken", "ما اشتغل", "?", "7", "坏", "😡", "لكن", "but"]), st.booleans()
)
@settings(max_examples=100, deadline=None)
def test_one_word_more_and_it_is_a_message(text: str, more: str, first: bool) -> None:
    assert not thanks().is_bare(f"{more} {text}" if first else f"{text} {more}")


def test_long_texts_are_no_bare_thanks() -> None:
    assert not thanks().is_bare("شكرا " * 41)
    assert not thanks().is_bare("شكرا " * 10_000)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"thanks", "thank you"', '"!!", "thank you"', "holds no word"),
        ('thanks = ["🙏"', 'thanks = ["a"', "is no picture"),
        ("[beside]", "[besides]", "beside"),
    ],
)
def test_a_faulty_list_does_not_load(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (TEXTS_DIR / "thanks.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "thanks.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TextsError) as refusal:
        load_thanks(path)
    assert said in str(refusal.value)
