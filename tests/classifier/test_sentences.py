"""Which part of a text a rule's finding is weighed with: its own sentence, then the one that follows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from services.domain.arabic import fold_and_tokenize
from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import load_lexicon
from services.support.domain.matching import Match, Matcher
from services.support.domain.weighing import Weigher, _borders, _Judged, _may_hide_more, _Text
from services.support.domain.weights import LEVELS, VERDICTS


@pytest.fixture(scope="module")
def weigher() -> Weigher:
    return Weigher(load_lexicon())


def read(weigher: Weigher, told: str) -> tuple[_Text, list[Match]]:
    """A text as the weigher has it, and what the rules find in it."""
    tokens = fold_and_tokenize(told)[2]
    matches, unreal, *_ = Matcher(weigher.lexicon).find(tokens)
    readings: Iterator[int] = iter(range(8))
    return _Text(tokens, tokens, weigher.marked(tokens, unreal), unreal, readings, {}), matches


@pytest.mark.parametrize("stop", [".", "...", ".\n", "!!", "؟", "\n\n"])
@pytest.mark.parametrize(
    ("finding", "following"), [("we were hacked", "it is quiet now"), ("انخترق حسابنا", "والوضع هادي الحين")]
)
def test_the_next_sentence_begins_after_all_that_ends_the_first(
    weigher: Weigher, stop: str, finding: str, following: str
) -> None:
    text, matches = read(weigher, f"good morning. {finding}{stop} {following}. goodbye")
    first, last, end = weigher._sentence(text, matches[0])
    assert text.tokens[first:last] == [*finding.split(), *stop]
    assert text.tokens[last:end] == following.split()


def test_a_sentence_ends_once_whatever_ends_it(weigher: Weigher) -> None:
    text, _ = read(weigher, "the list is long.\n\nthe text is short...\nthank you")
    borders = _borders(text, (0, len(text.tokens)))
    parts = [" ".join(text.tokens[a:b]).split(" .")[0] for a, b in itertools.pairwise(borders)]
    assert parts == ["the list is long", "the text is short", "thank you"]


def test_a_finding_needs_no_support_when_only_a_stop_stands_beside_it(weigher: Weigher) -> None:
    told = "messages were sent to the wrong people"
    for stop in ("", ".", "!", "...", ".\n"):
        text, matches = read(weigher, told + stop)
        assert weigher._supported(text, matches[0]).odds == (), stop
    text, matches = read(weigher, told + "?")
    assert weigher._supported(text, matches[0]).odds != ()


def test_a_place_is_judged_once_for_what_was_found_and_denied_there(weigher: Weigher) -> None:
    text, matches = read(weigher, "the reporting service is down since noon, there is no leak")
    place = (0, len(text.tokens))
    found = [match for match in matches if not match.denied]
    assert 0 < len(found) < len(matches)
    alone = weigher._judged(text, place, found)
    assert weigher._judged(text, place, found) is alone
    assert weigher._judged(text, place, matches).odds != alone.odds


@pytest.mark.parametrize(
    ("told", "denied"),
    [
        ("nobody saw the old office door today", "saw the old office door"),
        # What follows a second denial is within that one's reach, which is shorter after a preposition.
        ("nobody came without the old list today", "came without the old"),
        ("nobody came, the old list is here", "came"),
        ("لم يصل أحد بدون القائمة القديمة اليوم", "يصل احد بدون القايمه القديمه"),
    ],
)
def test_a_denial_reaches_some_words_far(told: str, denied: str) -> None:
    tokens = Classifier(load_lexicon()).tokens_read(told)
    assert " ".join(token[1:] for token in tokens if token.startswith("¬")) == denied


URGENT = [
    "data leaked",
    "the password was posted in slack",
    "تم الخصم دون علمي",
    "انسرق حسابنا",
    "أرسلتم رسالة واتساب قبل الموافقة",
]
LESSER = [
    "the service won't start",
    "Google Sheets stopped updating",
    "Proof Pack is late",
    "الخدمة معطلة",
    "ربط جيميل ما يشتغل",
]


@pytest.mark.parametrize("joint", [". ", "\n"])
@pytest.mark.parametrize("lesser", LESSER)
@pytest.mark.parametrize("urgent", URGENT)
def test_a_lesser_complaint_hides_nothing(classifier: Classifier, urgent: str, lesser: str, joint: str) -> None:
    for text in (urgent + joint + lesser, lesser + joint + urgent):
        assert classifier.classify(text).priority == "P0", text


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("البايلوت وقف وتم الخصم دون علمي", "P0"),
        ("الخدمة معطلة، وكلمة السر مكشوفة للكل", "P0"),
        ("جيميل مفصول ونشرتم كلمة السر في القروب", "P0"),
        ("Google Sheets stopped updating and our customer list leaked", "P0"),
        ("الواتساب مفصول والبايلوت متوقف", "P1"),
        ("Gmail keeps disconnecting and the pilot stopped", "P1"),
        ("proof pack overdue and the service has been dead since Monday", "P1"),
        ("proof pack won't download and bulk message went to the wrong segment", "P0"),
        ("الواتساب انقطع، العرض انطرش للزبون قبل لا نوافق", "P0"),
        # What comes of a lesser trouble is no trouble of its own.
        ("صفحة التقارير ما تفتح، وكل الموظفين يشوفون خطأ", "P1"),
        ("يفشل الاتصال بنماذج العملاء المحتملين في لينكدإن، وتظهر رسالة خطأ عند كل محاولة.", "P2"),
        # A list is no clause that tells anything.
        ("نموذج الموقع يرسل لنا الاسم والجوال والبريد فاضية", "P2"),
    ],
)
def test_a_clause_beside_a_lesser_complaint_is_told_by_itself(classifier: Classifier, text: str, priority: str) -> None:
    assert classifier.classify(text).priority == priority


def test_of_several_sentences_the_most_urgent_decides(classifier: Classifier) -> None:
    told = ("الانستغرام لا يعمل", "مافيه بروف باك", "احدهم دخل وحذف كل العملاء")
    for order in itertools.permutations(told):
        assert classifier.classify(". ".join(order)).priority == "P0", order


def test_a_rule_joins_nothing_across_a_blank_line() -> None:
    matcher = Matcher(load_lexicon())

    def found(joint: str) -> bool:
        return bool(matcher.find(fold_and_tokenize(f"the offer was sent{joint}to the wrong customer")[2]).matches)

    assert (found(" "), found("\n"), found("\n\n")) == (True, True, False)


def test_a_letter_is_read_in_pairs_of_sentences_for_what_is_more_urgent_alone(weigher: Weigher) -> None:
    letter = "The drafts service is down since noon. We wrote twice. Our team waits for it. Two of us are on leave this week. "
    text, matches = read(weigher, letter + "Please call me about it in the afternoon.")
    place = (0, len(text.tokens))
    judged = weigher._judged(text, place, matches)
    assert judged.level == 1
    asked = len(text.judged)
    assert weigher._told_together(text, matches, place, 1) is judged
    assert len(text.judged) == asked
    weigher._told_together(text, matches, place, 3)
    assert len(text.judged) > asked


@pytest.mark.parametrize(
    ("critical", "lesser", "may"), [(-0.5, 3, False), (0.5, 3, True), (0.5, 7, False), (2, 7, True)]
)
def test_what_is_less_likely_than_nothing_is_not_looked_for(critical: float, lesser: float, may: bool) -> None:
    odds = [critical] + [-9.0] * (len(LEVELS[0]) - 1) + [lesser] * (len(VERDICTS) - len(LEVELS[0]))
    assert _may_hide_more(_Judged(1, odds, (0, 1))) is may


@pytest.mark.parametrize(
    ("told", "clauses"),
    [
        ("the form is down and the list is gone", ["the form is down", "and the list is gone"]),
        ("النموذج معطل والقائمة ضاعت", ["النموذج معطل", "والقايمه ضاعت"]),
        ("النموذج معطل، القائمة ضاعت.", ["النموذج معطل ،", "القايمه ضاعت ."]),
        # These begin so themselves.
        ("هذا ما طلب ورد واحد", ["هذا ما طلب ورد واحد"]),
        ("one, two", ["one ,", "two"]),
    ],
)
def test_clauses_begin_behind_commas_and_at_what_joins_them(weigher: Weigher, told: str, clauses: list[str]) -> None:
    text, _ = read(weigher, told)
    borders = weigher._clauses(text, _borders(text, (0, len(text.tokens))))
    assert [" ".join(text.tokens[a:b]) for a, b in itertools.pairwise(borders)] == clauses


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("لو سمحتوا ", ""), ("بعد إذنكم ", ""), ("الله يعافيكم ", ""), ("إذا ممكن ", ""), ("please ", ""), ("", " وش الحل؟"),
        ("", " ممكن تشوفون؟"), ("", " what should we do?"), ("", " can you check?"),
        ("We have been customers for two years\n", ""), ("اشتركنا معكم قبل سنة، ", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("urgent", URGENT)
def test_courtesies_and_calls_for_help_change_nothing(
    classifier: Classifier, urgent: str, before: str, behind: str
) -> None:
    assert classifier.classify(before + urgent + behind).priority == "P0"


@pytest.mark.parametrize(
    ("text", "priority", "shown"),
    [
        ("Our account was hacked. It was a false alarm, please ignore my ticket.", "P3", "hacked"),
        ("Our account was hacked. It was a false alarm, and Gmail stopped syncing.", "P2", "hacked"),
    ],
)
def test_what_is_set_aside_is_shown_to_who_reviews_it(
    classifier: Classifier, text: str, priority: str, shown: str
) -> None:
    verdict = classifier.classify(text)
    assert (verdict.priority, verdict.review_required) == (priority, True)
    assert [hit.text for hit in verdict.negated_hits] == [shown]
    assert shown not in [hit.text for hit in verdict.hits]


@pytest.mark.parametrize(
    "text",
    [
        "It is not only slow, the drafts service does not work at all any more.",
        "The draft generator is not working at all since Monday, no new messages are produced.",
        "شكراً على مكالمة أمس، لكن لوحة التحكم لم تعد تفتح عند فريقنا منذ الصباح",
        "The reporting service is not working at all since yesterday, everything else is OK",
    ],
)
def test_a_service_that_is_down_is_no_outage(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).priority == "P1"


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        # All that was tried, or works, is not all that fails.
        ("الخدمة ما تشتغل، وجربنا كل شي", "P1"),
        ("The service is down, we tried everything", "P1"),
        ("The service stopped, everything else works", "P1"),
        # A rule's words stand in one paragraph.
        ("فشل ربط لينكدإن وتطلع رسالة خطأ\n\nأُرسلت من الـ iPhone", "P2"),
    ],
)
def test_what_belongs_to_something_else_is_not_joined(classifier: Classifier, text: str, priority: str) -> None:
    assert classifier.classify(text).priority == priority
