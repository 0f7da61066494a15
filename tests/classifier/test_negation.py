"""What denies a keyword, and what only looks like it."""

from __future__ import annotations

import pytest

from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import BASE_KEYWORDS

CRITICAL = [keyword for keyword, priority in BASE_KEYWORDS.items() if priority == "P0"]


@pytest.mark.parametrize("keyword", CRITICAL)
@pytest.mark.parametrize(
    "template",
    ["no {} here", "there is no {}", "this is not a {}", "there was never any {}", "we have no {} to report",
     "without any {}", "لا يوجد {}", "ما فيه {}", "مافي {} عندنا", "لم يحدث أي {}", "ليس هناك {}", "مو {}", "عدم وجود {}"],
)  # fmt: skip
def test_denied_keyword_is_reported_apart(classifier: Classifier, template: str, keyword: str) -> None:
    verdict = classifier.classify(template.format(keyword))
    assert verdict.priority in ("P2", "P3")
    assert verdict.review_required
    assert keyword in [hit.keyword for hit in verdict.negated_hits]


@pytest.mark.parametrize(("keyword", "priority"), BASE_KEYWORDS.items())
@pytest.mark.parametrize(
    "template",
    ["no idea why, but {}", "not only slow, {}", "it does not work. {}", "We don't know how but {} happened", "No! {}",
     "لا أعرف السبب لكن {}", "ما اشتغل شي، {}", "لا يعمل شيء {}", "ما زال عندنا {}", "لا! {}", "بخصوص {}", "«{}»", "#{}",
     "على ما يبدو {}", "زي ما قلت لكم {}", "حسب ما فهمنا {}", "أول ما فتحنا {}", "لا يخفى عليكم أن {}", "لا أصدق أن {}"],
)  # fmt: skip
def test_complaint_and_terminator_do_not_deny(
    classifier: Classifier, template: str, keyword: str, priority: str
) -> None:
    assert classifier.classify(template.format(keyword)).priority <= priority


@pytest.mark.parametrize("keyword", ["أمان", "تسريب", "إرسال خاطئ", "إرسال بدون موافقة", "خدمة معطلة"])
@pytest.mark.parametrize("conjunction", ["", "و", "ف"])
@pytest.mark.parametrize("article", ["", "ال", "بال", "كال", "لل", "ب", "ل", "ك"])
def test_clitics_change_nothing(classifier: Classifier, keyword: str, conjunction: str, article: str) -> None:
    assert classifier.classify(conjunction + article + keyword).matched_keyword == keyword


@pytest.mark.parametrize(
    "text",
    ["لايوجد تسريب", "لاتوجد أي حالة تسريب", "ماعندنا أي تسريب", "ماشفنا تسريب", "فحصنا وماكان فيه تسريب",
     "ولايوجد تسريب عندنا", "مالقينا أي اختراق", "لاأحد اخترق حسابنا", "ماانخترق الحساب"],
)  # fmt: skip
def test_a_denial_joined_to_the_next_word_denies(classifier: Classifier, text: str) -> None:
    verdict = classifier.classify(text)
    assert (verdict.priority, verdict.review_required) == ("P3", True)
    assert verdict.negated_hits


@pytest.mark.parametrize(
    ("written", "joined"),
    [
        ("ما وافقنا على الرسالة اللي راحت", "ماوافقنا على الرسالة اللي راحت"),
        ("رسلتوها وما عطيناكم إذن", "رسلتوها وماعطيناكم إذن"),
        ("سحبتوا بدون موافقتنا", "سحبتوا بدونموافقتنا"),
        ("الموقع لا يعمل لأحد نهائيا", "الموقع لايعمل لأحد نهائيا"),
        ("ما طلبنا الخصم وسحبتوه", "ماطلبنا الخصم وسحبتوه"),
        ("التقويم ما يتزامن مع اجتماعاتنا", "التقويم مايتزامن مع اجتماعاتنا"),
    ],
)
def test_a_joined_denial_says_the_same_and_is_shown_as_written(
    classifier: Classifier, written: str, joined: str
) -> None:
    verdict = classifier.classify(joined)
    assert verdict.priority == classifier.classify(written).priority < "P3"
    assert [hit.text for hit in verdict.hits] == [joined[hit.start : hit.end] for hit in verdict.hits]
    assert [hit.text.replace(" ", "") for hit in verdict.hits] == [
        hit.text.replace(" ", "") for hit in classifier.classify(written).hits
    ]


@pytest.mark.parametrize(
    "text", ["متى توصل الماكينة والمالية", "لاحظنا فرقا", "لاتمام الطلب نحتاج التوقيع", "لازم نجتمع في مارس"]
)
def test_a_word_that_begins_like_a_denial_is_none(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text + " وعندنا تسريب").priority == "P0"


def test_doubtful_denial_lands_at_p2(classifier: Classifier) -> None:
    verdict = classifier.classify("I don't think there was a leak")
    assert (verdict.priority, verdict.review_required) == ("P2", True)


def test_what_is_found_beside_a_denied_word_decides(classifier: Classifier) -> None:
    verdict = classifier.classify("no leak, but an outage")
    assert (verdict.priority, verdict.matched_keyword) == ("P0", "outage")
    assert [hit.keyword for hit in verdict.negated_hits] == ["leak"]
    assert not verdict.review_required


def test_reasons_name_the_keyword_in_both_languages(classifier: Classifier) -> None:
    verdict = classifier.classify("تسريب بيانات")
    assert "تسريب" in verdict.reason_ar
    assert "P0" in verdict.reason_en
    assert verdict.lexicon_version == classifier.lexicon.version


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("outage? no, all fine", True),
        ("تسريب؟ ما فيه", True),
        ("leak? no answer from you", False),
        ("تسريب؟ لا أحد يرد علينا", False),
        ("Our account was hacked and no, it was none of us.", False),
    ],
)
def test_a_question_may_answer_itself(classifier: Classifier, text: str, denied: bool) -> None:
    assert (classifier.classify(text).priority != "P0") == denied


@pytest.mark.parametrize(
    "opening",
    ["على ما يبدو", "على ما أظن", "زي ما قلت لكم", "حسب ما شفنا", "أول ما فتحنا اليوم", "مو مصدقين إن"],
)
@pytest.mark.parametrize(
    "text",
    [
        "الموقع طايح ومحد يقدر يدخل",
        "المخترق حذف قوائمنا كلها",
        "انرسلت الحملة قبل ما نعتمدها",
        "وصلت الرسالة لعميل غلط",
    ],
)
def test_ma_that_relates_denies_nothing(classifier: Classifier, opening: str, text: str) -> None:
    assert classifier.classify(f"{opening} {text}").priority == "P0"


def test_who_somebody_is_not_denies_nothing_of_what_they_did(classifier: Classifier) -> None:
    assert classifier.classify("واحد مو مننا دخل الحساب أمس").priority == "P0"
    assert classifier.classify("مو عندنا تسريب").priority in ("P2", "P3")


def test_a_denial_denies_its_own_word_and_not_what_stands_beside_it(classifier: Classifier) -> None:
    assert classifier.classify("أرسلتوا العرض ولم نفوضكم بذلك ولا أحد رد علينا").priority == "P0"
    assert classifier.classify("الرسالة ما انرسلت بدون موافقة").priority in ("P2", "P3")


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("ما هو تسريب، الموظف غير الباسورد ونسى", True),
        ("غالبا ما هو اختراق", True),
        ("الرسالة ما هي إرسال خاطئ، وصلت لصاحبها", True),
        ("ما هو سبب التسريب؟", False),
        ("ما هو التسريب اللي صار أمس؟", False),
        ("ما هي الرسالة التي أرسلتموها بدون موافقتنا", False),
    ],
)
def test_what_is_asks_or_denies(classifier: Classifier, text: str, denied: bool) -> None:
    verdict = classifier.classify(text)
    assert (verdict.priority == "P0") is not denied
    assert bool(verdict.negated_hits) is denied


@pytest.mark.parametrize(
    "text",
    [
        "We did not receive the invoice and someone hacked our account",
        "There is no outage and there is a data breach",
        "Support never replied and our password was exposed on a public page",
        "No reply, plus a data breach",
        "ما وصلنا رد وتم اختراق حسابنا",
        "لا يوجد انقطاع ويوجد تسريب",
        "ما جانا رد والحين فيه تسريب",
        "ما رديتوا علينا ثم صار تسريب",
        "لا يوجد انقطاع إنما تسريب",
    ],
)
def test_another_clause_is_not_denied(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).priority == "P0"


@pytest.mark.parametrize(
    "text",
    [
        "no leak and no outage",
        "no leak and outage",
        "no breaches, or outages",
        "no leaks, outages, hacks this week",
        "لا تسريب واختراق",
        "لا يوجد تسريب، اختراق، إرسال خاطئ",
        "بدون أي تسريب أو اختراق أو إرسال خاطئ",
    ],
)
def test_what_is_listed_is_denied_together(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).priority in ("P2", "P3")


@pytest.mark.parametrize(
    "text",
    [
        "you haven't resolved the leak",
        "no one can deny the leak",
        "don't downplay the leak",
        "we did not notice the leak until today",
        "ما عالجتوا التسريب",
        "ما بلغتونا بالتسريب",
        "لا يمكن إنكار التسريب",
        "لا يوجد تفسير للتسريب",
        "لم ينته التسريب",
    ],
)
def test_what_was_not_done_about_it_does_not_deny_it(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).priority == "P0"


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("The leak is not real", True),
        ("Unauthorized access: none", True),
        ("خبر التسريب كذب", True),
        ("التسريب ليس حقيقيا", True),
        ("The leak is not a false alarm", False),
        ("التسريب مو إشاعة", False),
        ("هكروا حسابنا لكن تقولون مو صحيح", False),
        ("There was a leak but your invoice is not true", False),
        ("حصل تسريب ولم يحدث هذا من قبل", False),
        ("Our account was hacked. This never happened before.", False),
    ],
)
def test_what_stands_behind_denies_it_or_not(classifier: Classifier, text: str, denied: bool) -> None:
    assert (classifier.classify(text).priority != "P0") is denied


@pytest.mark.parametrize(
    "text",
    [
        "don't tell me there is no outage",
        "You said there was no leak but there is",
        "قلتوا ما فيه تسريب بس فيه",
        "غير صحيح أنه لا يوجد تسريب",
        "ما قدرنا نوقف التسريب",
        "هذا التسريب غير مقبول أبداً",
    ],
)
def test_a_denial_of_others_or_of_a_denial_is_none(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).priority == "P0"


@pytest.mark.parametrize(
    "text",
    ["VIP: no\nour account was hacked", "No\nThere is a data leak", "لا\nحسابنا تهكر", "عاجل: لا\nتم اختراق حسابنا",
     "Attachments: none\nour account was hacked", "Any file? no\nour account was hacked",
     "7\tno\tOur account was hacked", "| no | Our account was hacked |", "لا | تم اختراق حسابنا",
     "No / our account was hacked", "Issue: our account was hacked / Resolved: No", "تم اختراق حسابنا | لا",
     "our account was hacked\nAttachment: no"],
)  # fmt: skip
def test_an_answer_denies_nothing_else(classifier: Classifier, text: str) -> None:
    verdict = classifier.classify(text)
    assert (verdict.priority, verdict.negated_hits) == ("P0", ())


@pytest.mark.parametrize("text", ["Order No 77812 our account was hacked", "CR no 1010123456 our data was leaked"])
def test_no_before_digits_is_number(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).priority == "P0"
    assert classifier.classify(text.replace("77812 ", "").replace("1010123456 ", "")).negated_hits


@pytest.mark.parametrize(
    "text",
    ["oh no our account was hacked", "لا يا جماعة رسلتوا الرسالة لعميل غلط", "لا بالله رسلتوا الرسالة لعميل غلط",
     "لا لا حسابنا تهكر", "بدل ما ترسلون العقد لي أرسلتوه لمورد ثاني"],
)  # fmt: skip
def test_who_exclaims_denies_nothing(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).priority == "P0"


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("حسابنا تهكر ولا\nنقدر ندخل", False),
        ("Our account was hacked no\none answers", False),
        ("there is no\ndata leak", True),
        ("An outage? No\nWe only ask.", True),
        ("unauthorized access: none\nWe only ask.", True),
    ],
)
def test_a_line_that_ends_is_no_sentence_that_ends(classifier: Classifier, text: str, denied: bool) -> None:
    verdict = classifier.classify(text)
    assert (bool(verdict.negated_hits), verdict.priority == "P0") == (denied, not denied)


@pytest.mark.parametrize("joint", [" 😡 ", " | ", " • ", " / ", " + "])
def test_what_parts_a_text_ends_a_denial(classifier: Classifier, joint: str) -> None:
    for texts in (("الجيميل ما يربط", "حسابنا مخترق"), ("WhatsApp won't connect", "our account was stolen")):
        verdict = classifier.classify(joint.join(texts))
        assert (verdict.priority, verdict.negated_hits) == ("P0", ())
