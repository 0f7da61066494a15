"""The times that a first response names, in Arabic and in English, in digits and in words."""

from __future__ import annotations

import pytest

from services.domain.errors import InvalidInput
from services.domain.texts import Bilingual
from services.support.domain.first_response import load_first_responses
from services.support.domain.policy import load_policies
from services.support.domain.priorities import Priority
from services.support.domain.promises import named_times, promise_fault


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("سنرد عليكم خلال 30 دقيقة.", 30),
        ("سنرد عليكم خلال ٣٠ دقيقة.", 30),
        ("نرد عليكم خلال ثلاثين دقيقة", 30),
        ("يصلكم ردنا خلال نصف ساعة", 30),
        ("خلال ساعتين نعود إليكم بما وجدناه", 120),
        ("سيتواصل معكم زميل خلال مئة وعشرين دقيقة", 120),
        ("نجيبكم في ساعة ونصف", 90),
        ("نجيبكم خلال ساعة و30 دقيقة", 90),
        ("ويصلكم ردنا خلال ثماني ساعات", 480),
        ("خلال الساعات الثماني القادمة نجيبكم", 480),
        ("نرد خلال ٨ ساعات", 480),
        ("نرد في غضون مدة لا تتجاوز اثنتي عشرة ساعة", 720),
        ("نرد خلال أربع وعشرين ساعة", 1440),
        ("خلال الساعات الـ24 القادمة سنرد", 1440),
        ("الرد خلال ١٬٤٤٠ دقيقة", 1440),
        ("نرد عليكم خلال يوم", 1440),
        ("وسنرد عليكم خلال ثلاثة أيام.", 4320),
        ("نرد خلال أسبوع", 10080),
        ("سيصلكم منا خلال ثلاثة أيام ما تبيّن لنا", 4320),
        ("سنوافيكم بما لدينا خلال يومين", 2880),
        ("تصلكم الإفادة خلال ساعة", 60),
        ("بنرد عليك خلال يومين", 2880),
        ("ستسمعون منا خلال يومين", 2880),
        ("We reply within 30 minutes.", 30),
        ("Within half an hour we come back to you.", 30),
        ("You will hear from us in under 30 min", 30),
        ("an answer within an hour and a half", 90),
        ("We will be in touch within one hour and 30 minutes", 90),
        ("We respond within 2 hrs", 120),
        ("you will have our answer within eight hours", 480),
        ("a reply within twenty-four hours", 1440),
        ("We will get back to you within 1,440 minutes", 1440),
        ("We will contact you after three days", 4320),
        ("We reply within thirty (30) minutes", 30),
        ("نرد عليكم خلال ثلاثين (30) دقيقة", 30),
        ("Someone will reach out within 3 days", 4320),
        ("We will let you know within two days", 2880),
    ],
)
def test_a_promise_is_read_however_it_is_written(text: str, minutes: int) -> None:
    assert [(each.minutes, each.promised, each.working) for each in named_times(text)] == [(minutes, True, False)]


@pytest.mark.parametrize(
    "text",
    [
        "وصلنا بلاغكم قبل ساعتين",
        "منذ ثلاثة أيام",
        "خلال الساعات الثلاث الماضية",
        "in the last 3 hours",
        "you wrote 3 days ago",
        "replies came in 3 days later",
        "نلتقي في يوم الأحد",
        "الساعة 10:30",
        "نراجعها خلال اليوم",
        "have a nice day, 24/7",
        "one of the team",
    ],
)
def test_what_has_passed_or_is_a_date_is_no_time_that_is_named(text: str) -> None:
    assert list(named_times(text)) == []


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("نرد عليكم خلال ساعتين، وتصلكم نتائج الفحص خلال يومين.", 120),
        ("سنرد عليكم خلال 30 دقيقة وسنرسل الملف خلال يومين", 30),
        ("نرد خلال 24 ساعة، ونرجو الرد على سؤالنا خلال يومين", 1440),
        ("We reply within 2 hours. Please answer within three days.", 120),
        ("We reply within two hours and share the results of the review within two days.", 120),
        ("It has been down for 3 hours; we reply within 30 minutes.", 30),
    ],
)
def test_other_times_may_stand_beside_the_promise(text: str, minutes: int) -> None:
    assert promise_fault(text, minutes) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("وصلنا بلاغكم وسنرد عليكم خلال ثلاثة أيام.", "must promise an answer within 30 minutes, but promises 3 days"),
        (
            "It lasted 30 minutes; we will reply within two hours.",
            "must promise an answer within 30 minutes, but promises 2 hours",
        ),
        ("تنتهي الصيانة خلال ساعة", "must promise an answer within 30 minutes, but names 1 hour"),
        ("نرد عليكم قريبًا.", "must promise an answer within 30 minutes, but names no time"),
        (
            "We answer within 30 working hours.",
            "must promise an answer within 30 minutes, but promises 30 working hours",
        ),
    ],
)
def test_a_fault_names_what_was_found_and_what_is_right(text: str, said: str) -> None:
    assert promise_fault(text, 30) == said


@pytest.mark.parametrize(
    "text", ["نرد عليكم خلال يوم عمل", "We reply within one working day", "within 24 business hours"]
)
def test_a_working_day_is_not_the_24_hours_of_the_clock(text: str) -> None:
    assert promise_fault(text, 1440)


def faults_of(priority: Priority, arabic: str, english: str) -> dict[str, str]:
    try:
        load_first_responses(load_policies())[priority].check_promise(Bilingual(arabic, english))
    except InvalidInput as refusal:
        return {each.field: each.description for each in refusal.violations}
    return {}


def test_a_text_promises_no_later_answer_than_the_draft_of_its_priority() -> None:
    drafts = load_first_responses(load_policies())
    for number, priority in enumerate(drafts):
        for other in list(drafts)[number + 1 :]:
            faults = faults_of(priority, drafts[other].body.ar, drafts[priority].body.en)
            assert list(faults) == ["edited.body_ar"]
            assert str(priority) in faults["edited.body_ar"]
            assert faults_of(other, drafts[priority].body.ar, drafts[priority].body.en) == {}


def test_no_text_of_ours_promises_a_later_answer_once_its_time_is_put_off() -> None:
    times = {"30 دقيقة": "30 minutes", "ساعتين": "two hours", "8 ساعات": "eight hours", "24 ساعة": "24 hours"}
    for (priority, draft), (arabic, english) in zip(
        load_first_responses(load_policies()).items(), times.items(), strict=True
    ):
        later = draft.body.ar.replace(arabic, "ثلاثة أيام"), draft.body.en.replace(english, "three days")
        assert list(faults_of(priority, *later)) == ["edited.body_ar", "edited.body_en"]


def test_both_languages_promise_the_same() -> None:
    faults = faults_of(Priority.P1, "نرد عليكم خلال نصف ساعة.", "We reply within two hours.")
    assert faults == {"edited.body_en": "must promise what the Arabic does: 30 minutes, not 2 hours"}


@pytest.mark.parametrize(
    ("arabic", "english"),
    [
        ("وصلنا بلاغكم ونعمل عليه.", "We have your report and are on it."),
        ("نرد عليكم خلال 30 دقيقة، ونعود إليكم بالحل خلال أربع ساعات.", "We reply within 30 minutes."),
        ("نص آخر تمامًا.", "We reply within ten minutes."),
        ("❶ نرد عليكم خلال 30 دقيقة.", "We reply within 30 minutes.\n❶ Please send the log. ፩ ➀"),
        ("نعتذر لأن ردنا السابق وصلكم بعد 3 أيام.", "We are sorry that our response came after 3 days."),
    ],
)
def test_no_promise_and_what_takes_longer_after_it_are_a_persons_choice(arabic: str, english: str) -> None:
    assert faults_of(Priority.P0, arabic, english) == {}


def test_working_hours_are_later_than_hours() -> None:
    faults = faults_of(Priority.P3, "نرد عليكم خلال يوم عمل.", "We reply within 24 hours.")
    assert list(faults) == ["edited.body_ar"]
