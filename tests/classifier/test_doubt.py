"""Where words leave a doubt, phrases are asked: what that finds, and how often it may happen in one text."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from services.support.domain import phrases, weighing, weights
from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import DEFAULT_DIRECTORY, Lexicon, load_lexicon
from services.support.domain.phrases import Phrases
from services.support.domain.weighing import Weigher
from tests.classifier.labelled import Row, read, scored

# The decisive thing is said first, last, in the middle or in passing among harmless ones.
SEVERAL_MATTERS = {"first", "middle", "last", "passing"}


class Counted(Phrases):
    """Phrases that say how often they were asked."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        super().__init__((DEFAULT_DIRECTORY / phrases.FILE).read_bytes())
        self.asked = 0

    def odds(self, tokens: Sequence[str]) -> list[float]:
        self.asked += 1
        return super().odds(tokens)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return load_lexicon()


def recall(classifier: Classifier, rows: Sequence[Row]) -> float:
    return scored(classifier, rows).p0_recall


def test_what_is_said_among_harmless_matters_is_found(lexicon: Lexicon) -> None:
    rows = [row for row in read("independent") if row.trap in SEVERAL_MATTERS]
    assert len(rows) > 300
    classifier = Classifier(lexicon)
    verdicts = [(row, classifier.classify(row.text)) for row in rows if row.label == "P0"]
    assert sum(verdict.priority == "P0" for _, verdict in verdicts) >= 0.955 * len(verdicts)
    # A person reads most of the others.
    assert sum(verdict.priority == "P0" or verdict.review_required for _, verdict in verdicts) >= 0.98 * len(verdicts)


def test_phrases_settle_many_of_the_doubts_that_words_leave(lexicon: Lexicon) -> None:
    rows = [row for name in ("apart_3", "apart_4", "apart_5", "apart_6", "apart_7") for row in read(name)]
    by_words = scored(Classifier(dataclasses.replace(lexicon, phrases=Phrases(b""))), rows)
    with_phrases = scored(Classifier(lexicon), rows)
    assert with_phrases.total - with_phrases.right <= 0.85 * (by_words.total - by_words.right)


IN_ONE_BREATH = (
    "our account was hacked",
    "someone logged into our account from abroad",
    "you sent it to the wrong person",
    "the message was sent without our approval",
    "you charged our card without our consent",
    "we can see another customer's data",
    "nobody can log in",
    "انخترق حسابنا",
    "رسلتوا للعملاء بدون علمنا",
    "انرسلت الرسالة من غير موافقتنا",
    "أرسلتم الرسالة إلى عميل آخر بالخطأ",
    "سحبتوا مبلغ بدون موافقتنا",
    "بيانات عميل ثاني ظاهرة عندنا",
    "محد يقدر يدخل",
)


@pytest.mark.parametrize(
    ("labels", "joint", "least"), [("P3", ", ", 0.93), ("P3", " ", 0.88), ("P1 P2", ", ", 0.95), ("P1 P2", " ", 0.78)]
)
def test_what_is_critical_is_found_in_one_breath_with_another_matter(
    lexicon: Lexicon, labels: str, joint: str, least: float
) -> None:
    classifier = Classifier(lexicon)
    rows = [row for row in read("apart_4") if row.label in labels.split()]
    found = 0
    for number, (row, phrase) in enumerate(zip(rows, itertools.cycle(IN_ONE_BREATH), strict=False)):
        said = [row.text.rstrip(".!?؟"), phrase]
        found += classifier.classify(joint.join(said if number % 3 else reversed(said))).priority == "P0"
    assert len(rows) > 300
    assert found / len(rows) >= least


def test_a_text_in_doubt_everywhere_is_read_again_eight_times_at_most(lexicon: Lexicon) -> None:
    counted = Counted()
    classifier = Classifier(dataclasses.replace(lexicon, phrases=counted))
    most = 0
    for row in read("independent")[::37]:
        counted.asked = 0
        if classifier.classify(row.text).priority == "P3" and counted.asked:
            counted.asked = 0
            classifier.classify(((row.text.rstrip(".") + " qqxx" * 25 + ". ") * 60)[:19_000])
            most = max(most, counted.asked)
    assert most == 8


ORDINARY = (
    "Thank you for the pleasant meeting on Sunday, the team liked the plan for the next quarter and the new list. "
) * 4


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("لينك الدفع يعطي خطأ، أرسلوا غيره", "P2"),
        ("الداشبورد طايح بس الباقي يشتغل", "P1"),
        ("خدمة المسودات توقفت عندنا وقت الذروة", "P1"),
    ],
)
def test_a_finding_that_its_sentence_makes_less_urgent_is_found_in_a_long_harmless_text(
    lexicon: Lexicon, text: str, priority: str
) -> None:
    # A rule says more than the words of its sentence do, and those say more than the whole text.
    classifier = Classifier(lexicon)
    assert classifier.classify(text).priority == priority
    verdict = classifier.classify(f"{ORDINARY}{text}. {ORDINARY}")
    assert verdict.priority == priority
    assert [hit.text in text for hit in verdict.hits] == [True]


def false_p0(classifier: Classifier, rows: Sequence[Row]) -> float:
    return scored(classifier, rows).false_p0_rate


def test_words_within_reach_of_a_denial_say_less(lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier(lexicon)
    independent = read("independent")
    denied = [row for row in independent if row.trap.startswith("denied") and row.label == "P3"]
    happened = [row for row in independent if row.trap == "happened"]
    assert min(len(denied), len(happened)) > 300
    found, with_marks = recall(classifier, happened), false_p0(classifier, denied)
    assert found >= 0.95
    assert with_marks <= 0.13
    monkeypatch.setattr(Weigher, "marked", lambda self, tokens, unreal: tokens)
    assert recall(classifier, happened) <= found - 0.03
    assert false_p0(classifier, denied) >= 1.5 * with_marks


@pytest.mark.parametrize(
    ("happened", "denied"),
    [
        ("دخل أحد غريب على حسابنا وغيّر كلمة السر", "الحمد لله محد دخل على حسابنا ولا غيّر كلمة السر"),
        ("انخصم علينا المبلغ مرتين", "تأكدنا وما انخصم علينا المبلغ مرتين"),
        ("رسالتنا وصلت لعميل ثاني بالغلط", "رسالتنا ما وصلت لأي عميل ثاني بالغلط"),
        ("A stranger has logged in to our account", "No stranger has logged in to our account"),
        ("The quote was sent to the wrong customer", "No quote was sent to the wrong customer"),
        ("Our API key was exposed on a public page", "Our API key was never exposed on a public page"),
    ],
)
def test_what_happened_and_what_did_not(lexicon: Lexicon, happened: str, denied: str) -> None:
    classifier = Classifier(lexicon)
    assert classifier.classify(happened).priority == "P0"
    assert classifier.classify(denied).priority in ("P2", "P3")


@pytest.mark.parametrize("before", ["قبل ما", "قبل لا", "بعد ما"])
def test_what_stands_after_before_and_after_is_not_denied(lexicon: Lexicon, before: str) -> None:
    read_as = Classifier(lexicon).tokens_read(f"أرسلتوا الرسائل {before} وافقنا عليها")
    assert read_as == ["ارسلتوا", "الرسايل", *before.split(), "وافقنا", "عليها"]
    assert Classifier(lexicon).tokens_read("ما وافقنا عليها") == ["ما", "¬وافقنا", "¬عليها"]


@pytest.mark.parametrize("affirmed", ["لا شك أن الرسالة وصلت", "مو مصدقين إن الرسالة وصلت", "سوى إرسال للرسالة"])
def test_what_is_affirmed_is_not_denied(lexicon: Lexicon, affirmed: str) -> None:
    assert not any(token.startswith("¬") for token in Classifier(lexicon).tokens_read(affirmed))


def test_a_finding_that_is_its_whole_sentence_needs_support_where_it_holds_a_denial(lexicon: Lexicon) -> None:
    classifier = Classifier(lexicon)
    assert classifier.classify("sent without approval").priority == "P0"
    assert classifier.classify("صفحة المسودات معلّقة ما تفتح نهائي").priority == "P1"
    # A phrase that an entry lists is meant as it stands.
    assert classifier.classify("nothing is working").priority == classifier.classify("لا شيء يعمل").priority == "P0"


def test_no_more_than_a_hundred_findings_are_weighed_with_their_sentences(
    lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    supported = Weigher._supported

    def noted(self: Weigher, *given: Any) -> Any:
        asked.append(given)
        return supported(self, *given)

    monkeypatch.setattr(Weigher, "_supported", noted)
    # Each is found by a rule, and its sentence speaks against it.
    harmless = "نبي حملة عن التسرب الوظيفي في المصانع، تقدرون تساعدون؟ "
    assert Classifier(lexicon).classify(harmless * 200).priority == "P3"
    assert len(asked) == 100


POSSIBLE = "our offer is with a company we never heard of"
THANKS = "Thank you for the report of last week and for the good meeting with our team. " * 12


@pytest.mark.parametrize("around", ["{}", f"{THANKS}{{}}. {THANKS}", "{}. Gmail"])
def test_a_person_reads_what_is_possibly_critical(
    lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    classifier = Classifier(lexicon)
    assert classifier.classify(POSSIBLE).priority == "P0"
    # As if its words said less.
    monkeypatch.setattr(weights, "CRITICAL", 1.1)
    monkeypatch.setattr(weighing, "outspoken", lambda odds: False)
    verdict = classifier.classify(around.format(POSSIBLE))
    assert verdict.priority == ("P2" if "Gmail" in around else "P3")
    assert verdict.review_required
    assert "not clearly" in verdict.reason_en
    assert "دون أن تجزم" in verdict.reason_ar
    assert not classifier.classify(around.format("thank you for the new offer")).review_required


@pytest.mark.parametrize("joint", ["... ", "\n", ", "])
@pytest.mark.parametrize(("text", "priority"), [("the dashbord is not wroking since morning", "P1"), (POSSIBLE, "P0")])
def test_a_base_keyword_makes_nothing_else_less_likely(lexicon: Lexicon, text: str, priority: str, joint: str) -> None:
    classifier = Classifier(lexicon)
    assert classifier.classify(text).priority == priority
    for keyword in ("Calendar", "Sheets"):
        assert classifier.classify(f"{text}{joint}{keyword}").priority == priority
        assert classifier.classify(f"{keyword}{joint}{text}").priority == priority


@pytest.mark.parametrize("text", ["the platform is unresponsive", "the service is unresponsive", "the site times out"])
def test_a_finding_with_nothing_but_articles_beside_it_needs_no_support(lexicon: Lexicon, text: str) -> None:
    classifier = Classifier(lexicon)
    assert classifier.classify(text).priority == "P1"
    assert classifier.classify(f"{text}. connector").priority == "P1"
