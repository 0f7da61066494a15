"""Which kind of P0 a ticket tells of: who works on it, and whether it is an incident, depends on it."""

from __future__ import annotations

import pytest

from services.domain.arabic import fold_and_tokenize
from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import Signal
from services.support.domain.matching import Matcher
from tests.classifier.labelled import read

P0_KINDS = frozenset(
    {
        Signal.SECURITY,
        Signal.DATA_LEAK,
        Signal.UNAUTHORIZED_SEND,
        Signal.WRONG_SEND,
        Signal.UNAUTHORIZED_CHARGE,
        Signal.OUTAGE,
    }
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # "Left", «طلع», «خُصم من عندكم» are told of messages, too.
        ("SAR 3,450 left our account for an add-on nobody here ordered.", Signal.UNAUTHORIZED_CHARGE),
        ("طلع في كشف البنك خصم منكم وأنا ما اشتركت عندكم أصلاً", Signal.UNAUTHORIZED_CHARGE),
        ("خُصم من حسابنا البنكي مبلغ لم نوافق عليه، ولم نوقّع أي عقد تجديد.", Signal.UNAUTHORIZED_CHARGE),
        # A page that opens for nobody is not one that opens for anybody.
        ("لوحة التحكم ما تفتح لاي مستخدم عندنا، كل الحسابات", Signal.OUTAGE),
        ("The dashboard won't open for any of our 30 users, nothing loads at all", Signal.OUTAGE),
        ("الموقع طايح كله وما أحد من الفريق قادر يدخل.", Signal.OUTAGE),
        # Who changed a password is no wrong recipient.
        ("جاني تنبيه تسجيل دخول من جهاز ما أعرفه، وبعدها بدقايق طلعوني من حسابي", Signal.SECURITY),
        ("وصلنا رمز تحقق لم نطلبه، وبعده بدقائق تغيّرت كلمة المرور وصار حسابنا بيد غيرنا.", Signal.SECURITY),
        # The words of a rule, and the kind of the rule.
        ("The newsletter was sent without our approval", Signal.UNAUTHORIZED_SEND),
        ("أرسلتوا عرضنا لعميل ثاني مو لعميلنا", Signal.WRONG_SEND),
    ],
)
def test_the_words_say_which_kind_it_is(classifier: Classifier, text: str, kind: Signal) -> None:
    verdict = classifier.classify(text)
    assert verdict.priority == "P0"
    assert kind in verdict.hits[0].signals
    assert {signal for signal in verdict.signals if signal in P0_KINDS} == {kind}


def test_what_changes_signals_is_the_nearest_of_the_sentence(classifier: Classifier) -> None:
    for text in (
        "انرسل العرض بدون علمنا. وصلنا كذلك خصم اليوم",
        "نشكركم على الفاتورة والخصم. انرسل العرض بدون علمنا",
    ):
        assert classifier.classify(text).signals == (Signal.UNAUTHORIZED_SEND,)
    assert classifier.classify("خصمتوا المبلغ بدون علمنا").signals == (Signal.UNAUTHORIZED_CHARGE,)
    both = classifier.classify("انرسل العرض بدون علمنا. وخصمتوا المبلغ بدون علمنا").signals
    assert set(both) == {Signal.UNAUTHORIZED_SEND, Signal.UNAUTHORIZED_CHARGE}


@pytest.mark.parametrize(
    "text",
    [
        "you sent the offer without our approval, and you charged our card without our consent",
        "you sent the offer without our approval and charged our card twice",
        "خصمتوا من البطاقة بدون علمنا، وأرسلتوا العرض بدون موافقتنا",
    ],
)
def test_two_kinds_in_one_sentence_are_both_named(classifier: Classifier, text: str) -> None:
    signals = set(classifier.classify(text).signals)
    assert signals == {Signal.UNAUTHORIZED_SEND, Signal.UNAUTHORIZED_CHARGE}


def test_what_changes_signals_stands_in_the_same_sentence(classifier: Classifier) -> None:
    matcher = Matcher(classifier.lexicon)

    def signals(text: str) -> set[Signal]:
        return {signal for match in matcher.find(fold_and_tokenize(text)[2]).matches for signal in match.said[0]}

    assert signals("وصلنا الخصم. بدون علمنا") == {Signal.UNAUTHORIZED_SEND}
    assert signals("الخصم بدون علمنا") == {Signal.UNAUTHORIZED_CHARGE}


def test_a_base_keyword_names_its_own_kind(classifier: Classifier) -> None:
    verdict = classifier.classify("تسريب: خُصم من حسابنا البنكي مبلغ لم نوافق عليه")
    assert verdict.matched_keyword == "تسريب"
    assert Signal.DATA_LEAK in verdict.hits[0].signals


def test_what_is_told_twice_is_shown_twice(classifier: Classifier) -> None:
    """A finding is left out where one that is shown has its words, not where one that is left out has."""
    text = "وصلته رسالة منكم باسمنا وحنا ما وافقنا عليها، والرسالة انرسلت الساعة 8 الصباح بدون علمنا"
    shown = [hit.text for hit in classifier.classify(text).hits]
    assert any("ما" in part for part in shown)
    assert any("بدون علمنا" in part for part in shown)


@pytest.mark.parametrize("name", ["apart_4", "apart_5", "apart_6", "apart_7", "apart_9", "apart_10"])
def test_kinds_of_sets_apart(classifier: Classifier, name: str) -> None:
    """Of the P0 rows that are found: the deciding hit is of a labelled kind, and no other kind is named."""
    rows = [(row, classifier.classify(row.text)) for row in read(name) if row.label == "P0"]
    told = [(row.signals, verdict) for row, verdict in rows if verdict.priority == "P0"]
    wrong = [signals for signals, verdict in told if signals.isdisjoint(verdict.hits[0].signals)]
    more = [signals for signals, verdict in told if not P0_KINDS.intersection(verdict.signals) <= signals]
    assert len(wrong) <= 0.03 * len(told)
    assert len(more) <= 0.08 * len(told)
