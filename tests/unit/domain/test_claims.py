"""No draft makes a prohibited claim, in either language, however it is spelt; a plain negation may stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.claims import (
    CLAIMS_FILE,
    ClaimCategory,
    ClaimChecker,
    ClaimHit,
    ClaimLanguage,
    ProhibitedClaim,
    load_claims,
)
from services.domain.errors import InvalidInput
from services.domain.texts import TextsError

CHECKER = ClaimChecker(load_claims())

CLAIMS = {
    "GUARANTEE": [
        "نضمن لكم نتائج ممتازة",
        "ونضمن زيادة المبيعات",
        "سنضمن لكم عشرة اجتماعات",
        "نضمنها لكم",
        "أضمن لك النجاح",
        "برنامجنا يضمن لكم العملاء",
        "نتائج مضمونة",
        "النتائج عندنا مضمونة 100%",
        "نقدم لكم ضمانًا كاملًا",
        "مع ضمان النتائج",
        "نتعهد لكم بنتائج",
        "بضمان كامل",
        "نؤكد لكم تحقيق المبيعات",
        "بدون أي مخاطر",
        "We guarantee results",
        "GUARANTEED outcomes",
        "results are guaranteed",
        "our guarantee: ten meetings",
        "a risk-free pilot",
        "we promise you more sales",
        "you can't lose",
    ],
    "SCRAPING": [
        "نكشط المواقع لكم",
        "نسحب بيانات المنافسين من المواقع",
        "سحب الأرقام من لينكدإن",
        "نستخرج الإيميلات من LinkedIn",
        "نستخدم سكرابينج",
        "نستخدم أدوات السكرابينق",
        "جمع الإيميلات من لينكد إن",
        "استخراج أرقام العملاء من قوقل",
        "we scrape LinkedIn profiles",
        "web scraping included",
        "we harvest emails for you",
        "crawling LinkedIn for contacts",
    ],
    "FULL_AUTOMATION": [
        "أتمتة كاملة للمبيعات",
        "نظام مؤتمت بالكامل",
        "الإرسال آلي 100%",
        "يعمل تلقائيًا بالكامل",
        "بدون أي تدخل بشري",
        "يعمل لوحده",
        "إرسال تلقائي كامل",
        "يغنيكم عن فريق المبيعات",
        "على الطيار الآلي",
        "fully automated outreach",
        "full automation of sales",
        "100% automated",
        "sales on autopilot",
        "without human intervention",
        "hands-free growth",
        "it replaces your sales team",
    ],
    "APPROVAL_BYPASS": [
        "نرسل الرسائل مباشرة بدون موافقتكم",
        "سنرسل لهم دون الحاجة إلى موافقة",
        "يمكنكم الإرسال بلا موافقة",
        "نتجاوز الموافقات لتسريع العمل",
        "لا حاجة إلى موافقة المدير",
        "نلتف على الموافقات",
        "نرسل نيابة عنكم بدون الرجوع إليكم",
        "الإرسال المباشر بدون موافقة",
        "we send without your approval",
        "we will email them without waiting for approval",
        "bypass approvals",
        "skip the approval step",
        "no approval needed",
        "we go around the approval process",
    ],
    "COMPETITOR_ATTACK": [
        "نحن أفضل من جميع المنافسين",
        "أرخص من منافسيكم",
        "بعكس الوكالات الأخرى",
        "نسحق المنافسين",
        "منافسوكم فاشلون",
        "المنافسون يكذبون عليكم",
        "نتفوق على كل منافسينا",
        "better than all our competitors",
        "unlike other agencies, we care",
        "we crush the competition",
        "our competitors are liars",
        "cheaper than any other agency",
    ],
    "LEGAL_PROMISE": [
        "نتحمل كامل المسؤولية القانونية",
        "بدون أي مساءلة قانونية",
        "لن تتعرضوا لأي غرامات",
        "متوافقون مع نظام حماية البيانات بالكامل",
        "حماية قانونية لكم",
        "you will never face fines",
        "we accept full legal liability",
        "no legal risk",
        "fully PDPL compliant",
        "you will never be fined",
        "you won't be sued",
    ],
    "FINANCIAL_PROMISE": [
        "نضاعف مبيعاتكم",
        "سنضاعف لكم الأرباح",
        "نرفع مبيعاتكم بنسبة 40%",
        "ستربحون الكثير",
        "نعيد لكم أموالكم",
        "نحقق لكم مليون ريال",
        "استرجع فلوسك",
        "استرداد كامل المبلغ",
        "عائد بنسبة ٣٠٪",
        "we double your sales",
        "10x your revenue",
        "increase your revenue by 30%",
        "money-back offer",
        "you will earn 50,000 SAR",
        "a return of 20%",
    ],
    "MEDICAL": [
        "علاج نهائي للألم",
        "يشفي من الأمراض",
        "مثبت طبيًا",
        "بدون آثار جانبية",
        "ينصح به الأطباء",
        "clinically proven",
        "it cures diabetes",
        "doctors recommend it",
        "no side effects",
    ],
    "EXAGGERATED_SPEED": [
        "نتائج فورية",
        "مبيعات خلال 24 ساعة",
        "نتائج خلال ساعات",
        "تظهر النتائج خلال 24 ساعة",
        "في دقائق معدودة",
        "عملاء جدد خلال 24 ساعة",
        "get clients in 24 hours",
        "same-day results",
        "بين ليلة وضحاها",
        "بسرعة البرق",
        "نتائج من أول يوم",
        "instant results",
        "results in 24 hours",
        "growth overnight",
        "in the blink of an eye",
        "results from day one",
    ],
}


@pytest.mark.parametrize(("category", "text"), [(c, text) for c, texts in CLAIMS.items() for text in texts])
def test_a_claim_is_found(category: str, text: str) -> None:
    assert category in {hit.category for hit in CHECKER.check(text)}


def test_every_category_is_tried_in_both_languages() -> None:
    assert set(CLAIMS) == set(ClaimCategory)
    for category, texts in CLAIMS.items():
        languages = {h.language for text in texts for h in CHECKER.check(text) if h.category == category}
        assert languages == set(ClaimLanguage), category


@pytest.mark.parametrize(
    "text",
    [
        "لا نضمن",
        "لا نضمن النتائج",
        "نحن لا نضمن أي نتائج، ولا نكشط المواقع",
        "لن نضمن لكم عددًا من العملاء",
        "لا نقدم أي ضمان",
        "دون ضمان النتائج",
        "النتائج غير مضمونة",
        "ليست النتائج مضمونة",
        "ما نضمن شي",
        "نحن ما نضمن النتائج",
        "لا نقوم بسحب البيانات من لينكدإن",
        "لا يوجد كشط",
        "لا نرسل أي رسالة بدون موافقتكم",
        "لن يُرسل أي شيء دون موافقتكم",
        "لا شيء يُرسل دون موافقتكم",
        "لا نستخدم أتمتة كاملة",
        "لا نضاعف مبيعاتكم",
        "we do not scrape",
        "We don't scrape websites or guarantee results.",
        "We neither scrape nor guarantee anything",
        "we never guarantee results",
        "We do not offer any guarantee",
        "no guarantee",
        "results are not guaranteed",
        "Nothing is guaranteed",
        "we cannot guarantee outcomes",
        "We don’t use scraping",
        "this is not fully automated",
        "We never send without your approval",
        "We do not promise guaranteed results",
    ],
)
def test_a_plain_negation_is_allowed(text: str) -> None:
    assert CHECKER.check(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "لا تقلق، نضمن لك النتائج",
        "لا تقلق نضمن لك النتائج",
        "لا شك أننا نضمن النتائج",
        "ليس فقط نضمن بل نعوض",
        "لا نضمن فقط النتائج",
        "لا نتأخر. نضمن النتائج",
        "هذا ما نضمنه لكم",
        "كل ما نضمن هو النجاح",
        "لا نضمن السرعة لكن نضمن النتائج",
        "ليس بلا ضمان النتائج",
        "don't worry, we guarantee results",
        "Don't worry we guarantee results",
        "no doubt we guarantee results",
        "not only guaranteed but free",
        "we do not just guarantee results",
        "We do not guarantee only results",
        "It is not without guarantees",
        "No. We guarantee it",
        "No other agency can guarantee this",
        "we do not scrape but we guarantee results",
    ],
)
def test_what_only_looks_like_a_negation_is_refused(text: str) -> None:
    assert CHECKER.check(text) != ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "شكرًا لتواصلكم؛ استلمنا بلاغكم وسنرد خلال 30 دقيقة.",
        "سنوافيكم بأول تحديث خلال ساعتين.",
        "نحدّث العملاء المتأثرين خلال 60 دقيقة",
        "تلقينا بلاغكم عن إرسال بدون موافقة ونراجعه الآن",
        "رصدنا إرسالًا بلا موافقتكم وجمّدنا القناة",
        "مضمون الرسالة جاهز للمراجعة",
        "الخطة تتضمن خمسة بنود",
        "التضامن مع الفريق",
        "عُقد اجتماعان وقيمة الـ Pipeline 120,000 ريال",
        "نحن ملتزمون تمامًا بخدمتكم",
        "معالجة المشكلة جارية",
        "تشخيص مجاني وحسابات مقترحة",
        "نعمل على حل المشكلة",
        "A message was sent without your approval; we froze the channel.",
        "Messages were sent without approval",
        "We received your ticket and will answer within 30 minutes.",
        "We saw no risk this week that had to be stopped.",
        "The draft awaits your approval",
        "The skyscraper project",
        "See guarantee.example.com or write to scrape@example.com",
        "two meetings in 30 days",
        "The results of the review follow within 8 hours",
        "Your competitors publish weekly",
        "customer pain points",
        "نسحب البيانات من Google Sheets المرتبط",
        "سنوافيكم بالنتيجة خلال 8 ساعات",
        "مراجعة النتائج خلال 24 ساعة",
        "The overnight job failed",
        "we double-check your sales sheet",
        "خدمة الضمان الاجتماعي",
        "لضمان جودة الرسائل نراجعها مرتين",
        "كل رسالة تمر بموافقتكم أولًا",
        "treatment of personal data",
        "approval is required before sending",
        "in 30 days we hold the monthly review",
    ],
)
def test_ordinary_drafts_pass(text: str) -> None:
    assert CHECKER.check(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "نَضْمَنُ",
        "نـضـمـن",
        "نضــــمن",
        "ن\u200dض\u200cمن",
        "نض\u200bمن",
        "\u202bنضمن\u202c",
        "نض\u2066من",
        "ﻧﻀﻤﻦ",  # presentation forms
        "نضممممن",
        "GuArAnTeE",
        "guar\u00adantee",
        "ｇｕａｒａｎｔｅｅ",  # full width
        "gua\u200brantee",
        "guaranteeee",
    ],
)
def test_spelling_hides_nothing(text: str) -> None:
    (hit,) = CHECKER.check(f"أهلًا، {text} ذلك")
    assert hit.category is ClaimCategory.GUARANTEE


def test_a_hit_names_what_was_written_and_where() -> None:
    text = "مرحبًا. نَضْمَنُ لكم النجاح، and web-scraping too"
    assert CHECKER.check(text) == (
        ClaimHit(ClaimCategory.GUARANTEE, "نَضْمَنُ", 8, 16, ClaimLanguage.ARABIC),
        ClaimHit(
            ClaimCategory.SCRAPING,
            "scraping",
            text.index("scraping"),
            text.index("scraping") + 8,
            ClaimLanguage.ENGLISH,
        ),
    )


def test_the_longest_claim_of_a_category_is_named_once() -> None:
    (hit,) = CHECKER.check("we will email them without waiting for approval")
    assert hit.words == "will email them without waiting for approval"


def test_a_draft_is_refused_with_words_and_categories() -> None:
    with pytest.raises(ProhibitedClaim) as refused:
        CHECKER.require_clean("نضمن لكم", "we scrape sites")
    assert refused.value.metadata == {"categories": "GUARANTEE; SCRAPING", "words": "نضمن; scrape"}
    assert refused.value.missing == (
        ("PROHIBITED_CLAIM", "GUARANTEE", "نضمن"),
        ("PROHIBITED_CLAIM", "SCRAPING", "scrape"),
    )
    assert refused.value.message.isascii()
    CHECKER.require_clean("لا نضمن", "we do not scrape sites")


@pytest.mark.parametrize("category", ClaimCategory)
def test_categories_have_names_for_people(category: ClaimCategory) -> None:
    assert CHECKER.label(category).ar
    assert CHECKER.label(category).en


def test_a_text_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        CHECKER.check("نص " * 20_000, field="body_ar")
    assert [v.field for v in refused.value.violations] == ["body_ar"]


PIECES = st.sampled_from(
    [
        "نضمن",
        "لا",
        "لكم",
        "النتائج",
        "،",
        ".",
        "بدون",
        "موافقتكم",
        "نرسل",
        "we",
        "not",
        "guarantee",
        "scrape",
        "or",
        "\u200f",
        "ًّ",
        "100",
        "%",
        "؟",
        "\n",
        "double",
        "sales",
    ]
)


@settings(max_examples=200)
@given(st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=25).map(" ".join))
def test_any_text_is_checked_and_hits_are_its_own_words(text: str) -> None:
    hits = CHECKER.check(text)
    assert hits == CHECKER.check(text)
    assert all(text[h.start : h.end] == h.words and h.words for h in hits)
    assert [h.start for h in hits] == sorted(h.start for h in hits)


@settings(max_examples=100)
@given(st.sampled_from([text for texts in CLAIMS.values() for text in texts]), st.data())
def test_invisible_characters_change_nothing(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    invisible = data.draw(st.sampled_from(["\u200b", "\u200e", "\u200f", "\u2067", "\ufeff", "\u064e", "\u00ad"]))
    changed = text[:place] + invisible + text[place:]
    assert [h.category for h in CHECKER.check(changed)] == [h.category for h in CHECKER.check(text)]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("[categories.MEDICAL]", "[categories.MEDICINE]", "categories.MEDICAL: is missing"),
        ('"v:نضمن"', '"v:نضمن لكم ..2"', "categories.GUARANTEE.ar"),
        ('"v:نضمن"', '"x:نضمن"', "categories.GUARANTEE.ar"),
        ('"v:نضمن"', '"@nothing"', "there is no set"),
        ('"foolproof"', '"fool-proof"', "categories.GUARANTEE.en"),
        ('"foolproof"', '"very? foolproof"', "begins or ends"),
        ('"foolproof"', '"very ..x foolproof"', "is not a gap"),
        ('"foolproof"', '"foolproof", "foolproof"', "repeats"),
        ('"foolproof"', '". foolproof"', "begins or ends"),
        ("@arent_en something", "@arent something", "negation.denied_by"),
        ('weak_negators = ["ما"]', "weak_negators = []", "negation.weak_negators"),
        ('weak_negators = ["ما"]', 'weak_negators = ["ما لا"]', "holds what is not one word"),
        ('fillers = ["لكم"', 'fillers = ["لكم معنا"', "fillers: holds what is not one word"),
        ('turns = ["and"', 'turns = ["and so"', "honest.turns: holds what is not one word"),
        ("honest = [\n", 'honest = [\n  "@nobody",\n', "categories.GUARANTEE.honest: '@nobody': there is no set"),
        ("phrases = [\n", 'phrases = [\n  "..2 نتائج",\n', "honest.phrases: '..2 نتائج': begins or ends"),
        ("quoted = [\n", 'quoted = [\n  "كتبتم ..2",\n', "honest.quoted: 'كتبتم ..2': begins or ends"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    text = CLAIMS_FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "claims.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TextsError) as refused:
        load_claims(path)
    assert any(named in problem for problem in refused.value.problems), refused.value.problems
