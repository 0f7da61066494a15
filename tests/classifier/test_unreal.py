"""What is told as feared, supposed, taken back, long ago or elsewhere: which words are marked so, and what follows."""

from __future__ import annotations

import time

import pytest

from services.support.domain.classifier import Classifier
from services.support.domain.weights import UNREAL


def unreal(classifier: Classifier, text: str) -> str:
    """The marked words of a text, with a bar where others lie between them."""
    shown = [token[1:] if token.startswith(UNREAL) else "|" for token in classifier.tokens_read(text)]
    return " ".join(" ".join(shown).replace("| ", "|").replace(" |", "|").strip("|").replace("|", " | ").split())


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        # Supposed: to the end of the clause, or to where the telling turns.
        ("What do you do if a stranger gets in, and who calls us?", "what do you do if a stranger gets in"),
        ("We thought it was slow but nobody can log in", "we thought it was slow"),
        ("وش تسوون لو أحد دخل حسابنا، ومن نكلم؟", "وش تسوون لو احد دخل حسابنا"),
        ("كنا خايفين إن القايمة انتشرت لكن الحين شفناها منشورة", "كنا خايفين ان القايمه انتشرت"),
        ("Have you ever sent a list to a stranger? We sign today.", "have you ever sent a list to a stranger"),
        ("هل سبق أن أرسلتم قائمة لعميل ثاني؟ نوقع اليوم", "هل سبق ان ارسلتم قايمه لعميل ثاني"),
        ("خايفين أحد يسرق كلمة السر، كيف نغيرها", "خايفين احد يسرق كلمه السر"),
        ("If, God forbid, a stranger gets in, who calls us?", "if god forbid a stranger gets in"),
        ("This is not a drill, a stranger got in", "drill"),
        # Who can do something, and who cannot, is no supposition.
        ("ما أحد يقدر يدخل المنصة", ""),
        # Taken back: what stands before it in its sentence; and the sentence before, where its own begins with it.
        ("All is well. A stranger logged in and it was a false alarm.", "a stranger logged in and it was a false alarm"),
        ("Somebody logged in from Dubai. It was me, sorry. The list is attached.", "somebody logged in from dubai it was me"),
        ("انخصم المبلغ مرتين. طلع سوء فهم من البنك", "انخصم المبلغ مرتين طلع سوء فهم"),
        ("All is well. A stranger logged in... False alarm.", "a stranger logged in false alarm"),
        ("انخصم المبلغ مرتين!!\nطلع سوء فهم من البنك", "انخصم المبلغ مرتين طلع سوء فهم"),
        # A negator before it takes nothing back.
        ("A stranger logged in. This is not a false alarm", ""),
        ("واحد غريب دخل الحساب، وما هو سوء فهم", ""),
        # Elsewhere: what stands around it in its sentence.
        ("Our list was published at our former provider. Here all is well.", "our list was published at our former provider"),
        ("السنة الماضية واحد غريب دخل الحساب، والحين رجع", "السنه الماضيه واحد غريب دخل الحساب"),
        ("Back in 2021 a stranger got in. Today all is well.", "back in 2021 a stranger got in"),
        ("الطابعة جاهزة. المطبعة وصلت الكروت لعنوان ثاني، مالكم دخل", "المطبعه وصلت الكروت لعنوان ثاني مالكم دخل"),
        ("Our old PR agency sent the list to a rival. Here all is well.", "our old pr agency sent the list to a rival"),
        ("الوكالة اللي كانت قبلكم أرسلت القائمة لمنافس. الحين كل شي تمام", "الوكاله اللي كانت قبلكم ارسلت القايمه لمنافس"),
        # Whom a matter reached, or who saw it, may be of any company.
        ("Our competitor got the list of our clients from you", ""),
        ("شركة ثانية استلمت قائمة عملائنا من قبلكم", ""),
        ("Should a stranger ever get in, who calls us?", "should a stranger ever get in"),
        # A fixed phrase is none of these: "if you please".
        ("لو سمحتوا القايمة عند المنافس", ""),
    ],
)  # fmt: skip
def test_words_in_reach_are_marked(classifier: Classifier, text: str, marked: str) -> None:
    assert unreal(classifier, text).replace("|", "").split() == marked.split()


@pytest.mark.parametrize(
    ("told", "as_it_is"),
    [
        ("There was a login from Dubai last night. It was our manager on a trip.",
         "There was a login from Dubai last night. None of us was there, and the password was changed."),
        ("Our card was charged twice in March. My mistake, I had ordered two seats.",
         "Our card was charged twice in March. The bank says that both went through."),
        ("Messages went out to our customers without asking us. False alarm, Khalid had approved them.",
         "Messages went out to our customers without asking us. This is no false alarm."),
        ("We thought our quote had gone to the wrong client, but that turned out to be wrong.",
         "We thought you would check first, but our quote has gone to the wrong client."),
        ("What would you do if a stranger got into our account?", "What will you do? A stranger got into our account."),
        ("At our former provider our card was charged twice, which is why we chose you.",
         "Our former provider never did this, and you charged our card twice."),
        ("كنا خايفين إن رسالتنا وصلت لعميل ثاني وطلع غير صحيح", "كنا خايفين من هالشي وصار، رسالتنا وصلت لعميل ثاني"),
        ("انخصم علينا مرتين. طلع بلاغ غلط من المحاسب", "انخصم علينا مرتين. والبنك يقول إن الاثنين صحيحة"),
        ("There was a login from Dubai last night... It was our manager on a trip.",
         "There was a login from Dubai last night... None of us was there, and the password was changed."),
        ("السنة الماضية مع المزود السابق انخصم علينا مرتين، عشان كذا اخترناكم", "وعدتونا ما يتكرر، وانخصم علينا مرتين"),
    ],
)  # fmt: skip
def test_what_is_told_as_unreal_wakes_nobody(classifier: Classifier, told: str, as_it_is: str) -> None:
    assert classifier.classify(told).priority in ("P2", "P3")
    assert classifier.classify(as_it_is).priority == "P0"


@pytest.mark.parametrize(
    "text", ["We thought there was a leak. It was a false alarm.", "كنا خايفين من تسريب وطلع سوء فهم منا"]
)
def test_a_base_keyword_decides_all_the_same(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).priority == "P0"


@pytest.mark.parametrize("word", ["if ", "it was a false alarm. ", "at our former provider ", "لو "])
def test_many_such_words_cost_no_more_than_their_number(classifier: Classifier, word: str) -> None:
    few, many = (word * (size // len(word)) for size in (2_000, 20_000))

    def seconds(text: str) -> float:
        taken = []
        for _ in range(3):
            start = time.process_time()
            classifier.classify(text)
            taken.append(time.process_time() - start)
        return min(taken)

    assert seconds(many) <= 25 * seconds(few)


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("Our account was hacked, please ignore the typos", "P0"),
        ("Our account was hacked. Please ignore my logo ticket.", "P0"),
        ("Our account was hacked. Please ignore my ticket, it was me.", "P3"),
        ("I heard from a colleague that our account has been hacked.", "P0"),
        ("ممكن ترسلون لي الفاتورة وكمان حسابنا مخترق", "P0"),
    ],
)
def test_what_is_said_of_something_else_takes_nothing_back(classifier: Classifier, text: str, priority: str) -> None:
    assert classifier.classify(text).priority == priority
