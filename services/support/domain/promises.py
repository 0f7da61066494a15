"""What a first response promises: the time that it names for our answer, read from Arabic and from English.

Times are read in digits of either kind and in words («ساعتين», «٣٠ دقيقة», «أربع وعشرين ساعة», "half an hour", "two and a
half hours"), and compared in minutes. Working hours and days are no time on the clock, so they equal none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from services.domain.arabic import fold

_T = TypeVar("_T")


def _listing(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# All words are as `fold` leaves them.
_UNITS = {
    **dict.fromkeys(_listing("minute minutes min mins دقيقه دقايق"), 1),
    **dict.fromkeys(_listing("hour hours hr hrs h ساعه ساعات"), 60),
    **dict.fromkeys(_listing("day days يوم يوما ايام"), 1440),
    **dict.fromkeys(_listing("week weeks اسبوع اسبوعا اسابيع"), 10080),
}
_PAIRS = {
    f"{pair}{ending}": 2 * unit
    for pair, unit in (("دقيقت", 1), ("ساعت", 60), ("يوم", 1440), ("اسبوع", 10080))
    for ending in ("ين", "ان")
}
_SINGLE = _listing("دقيقه ساعه يوم اسبوع")
_MANY = _listing("الدقايق الساعات الايام الاسابيع")
_ONE = _listing("واحد واحده")
_PARTS = {"half": 0.5, "quarter": 0.25, "نصف": 0.5, "نص": 0.5, "ثلث": 1 / 3, "ربع": 0.25}
_FROM_THREE = _listing("ثلاث اربع خمس ست سبع ثمان تسع عشر")
_TO_TWENTY = _listing(
    "a two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty"
)
_TENS = _listing("twenty thirty forty fifty sixty seventy eighty ninety")
_NUMBERS = {
    **{word: n for n, word in enumerate(_TO_TWENTY, 1)},
    **{word: 10 * n for n, word in enumerate(_TENS, 2)},
    **{f"{word}{ending}": n for n, word in enumerate(_FROM_THREE, 3) for ending in ("", "ه")},
    **{f"{word}{ending}": 10 * n for n, word in enumerate(_FROM_THREE[:-1], 3) for ending in ("ين", "ون")},
    **dict.fromkeys(_listing("an one احد احدي واحد واحده"), 1),
    **dict.fromkeys(_listing("اثنا اثني اثنتا اثنتي اثنين اثنتين"), 2),
    **dict.fromkeys(_listing("ثماني ثمانيه"), 8),
    **dict.fromkeys(_listing("عشرين عشرون"), 20),
    **dict.fromkeys(_listing("ميه مايه"), 100),
}
_HUNDRED = "hundred"
_PREFIXES = ("", "و", "ال", "وال", "ب", "ل")

_TOKEN = re.compile(r"[0-9]+(?:[.,٫٬][0-9]+)*|[a-z]+(?:'[a-z]+)?|[ء-ي]+|\n|\S")
_BOUNDARY = frozenset(".!?؟;؛:،,\n…()")
_WITHIN = frozenset(
    _listing("خلال غضون ظرف في بعد تتجاوز يتجاوز تتعدي يتعدي اقصاه اقصاها within in inside under after than")
)
_NEXT = _listing("next القادم القادمه المقبل المقبله")
_PAST_BEFORE = frozenset(_listing("last past previous since منذ قبل"))
_PAST_AFTER = frozenset(_listing("ago later الماضي الماضيه الماضيين الماضيتين الاخيره الاخيرين الاخيرتين السابقه"))
# Who speaks of an answer of ours; who asks for one, or speaks of what comes after it, does not promise it.
_ANSWER = re.compile(
    r"\b(?:[وف]?[سب]?[ني]رد|[وف]?(?:[بل]?ال|لل)رد|[وف]?ب?ردنا|ردا?|[وف]?[سب]?[ني]جيب(?:كم|ك)?|[وف]?ب?(?:ال)?(?:اجابه|جواب|افاده)(?:نا)?"
    r"|[وف]?ب?اجابتنا|[وف]?[سب]?[ني](?:عود|رجع) (?:الي|ل|علي)كم?|[وف]?[سب]?[ني](?:تواصل مع|تصل ب)كم?"
    r"|[وف]?[سب]?[ني](?:فيد|وافي|خبر|بلغ|كلم)كم?|[وف]?س?[يت]صلكم منا|س?تسمعون"
    r"|repl(?:y|ies)|responds?|responses?|answers?|hear(?: back)? from us|(?:get|come|write|be) back|back to you|in touch"
    r"|reach out|(?:call|contact|inform|phone|update) you|let you know)\b"
)
_OTHERWISE = re.compile(
    r"\b(?:[وف]?(?:نرجو|نامل|يرجي|الرجاء)|ردكم|اجابتكم|جوابكم|ب?نتايج|التحقيق|التقرير|السابقه?|تاخر(?:نا)?|وصلكم|ذكرتم"
    r"|please|kindly|your (?:reply|answer|response)|results?|findings|investigation|came|took|was|were|late|delayed|wrote)\b"
)


@dataclass(frozen=True, slots=True)
class NamedTime:
    """A time that a text names. ``promised``: for our answer. ``working``: of working hours or days."""

    minutes: float
    promised: bool
    working: bool = False

    def __lt__(self, other: NamedTime) -> bool:
        """Whether it is over sooner; working time is over later than any on the clock."""
        return (self.working, self.minutes) < (other.working, other.minutes)

    def __str__(self) -> str:
        """In English, as in ``3 days``."""
        one_day = self.minutes == 1440 and not self.working
        unit, minutes = next(
            (unit, minutes)
            for unit, minutes in (("day", 1440), ("hour", 60), ("minute", 1))
            if unit == "minute" or (self.minutes % minutes == 0 and not (one_day and unit == "day"))
        )
        number = self.minutes / minutes
        return f"{number:g} {'working ' if self.working else ''}{unit}{'' if number == 1 else 's'}"


def promised_times(text: str, field: str = "text") -> list[NamedTime]:
    """The times within which a text promises our answer. Raises ``InvalidInput`` as `fold` does."""
    return [found for found in named_times(text, field) if found.promised]


def promise_fault(text: str, minutes: int) -> str:
    """What is wrong with the time that a first response of ours promises, in ASCII English; empty where it is right.

    Right is a text that names ``minutes``, and for our answer no other time.
    """
    found = list(named_times(text))
    others = [each for each in found if each.minutes != minutes or each.working]
    promised = [each for each in others if each.promised]
    if len(others) < len(found) and not promised:
        return ""
    instead = " and ".join(dict.fromkeys(map(str, promised or others))) or "no time"
    said = "promises" if promised else "names"
    return f"must promise an answer within {NamedTime(minutes, True)}, but {said} {instead}"


def named_times(text: str, field: str = "text") -> Iterator[NamedTime]:
    """Every length of time that lies ahead, in the order of the text. Raises ``InvalidInput`` as `fold` does."""
    words = _TOKEN.findall(fold(text, field=field))
    at = begun = 0
    while at < len(words):
        read = _time(words, at)
        if read is None:
            begun = at + 1 if words[at] in _BOUNDARY else begun
            at += 1
            continue
        minutes, working, end = read
        if not _past(words, at, end):
            yield NamedTime(minutes, _promised(words, begun, at, end), working)
        at = begun = end


def _past(words: list[str], start: int, end: int) -> bool:
    before, behind = words[max(0, start - 2) : start], words[end : end + 2]
    return not (_PAST_BEFORE.isdisjoint(before) and _PAST_AFTER.isdisjoint(behind))


def _promised(words: list[str], begun: int, start: int, end: int) -> bool:
    """Whether the time ``words[start:end]`` is one within which we answer; its clause begins at ``begun``."""
    if _WITHIN.isdisjoint(words[max(begun, start - 4) : start]):
        return False
    clause = words[begun:start]
    if clause[0] in _WITHIN:
        # «خلال ساعتين نعود إليكم»: what is promised stands behind.
        end_of_clause = next((at for at in range(end, len(words)) if words[at] in _BOUNDARY), len(words))
        clause = words[end:end_of_clause]
    said = " ".join(clause)
    return bool(_ANSWER.search(said)) and not _OTHERWISE.search(said)


def _time(words: list[str], at: int) -> tuple[float, bool, int] | None:
    """Minutes, whether they are working time, and where the time that begins at ``at`` ends; None where none does."""
    read = _one_time(words, at)
    if read is None:
        return None
    minutes, working, end = read
    # «ساعتين و30 دقيقة», "one hour and 30 minutes"
    follows = words[end] if end < len(words) else ""
    if follows == "and" or follows.startswith("و"):
        more = _one_time(words, end + (follows in ("and", "و")))
        if more is not None and not more[1] and more[0] < minutes:
            return minutes + more[0], working, more[2]
    return read


def _one_time(words: list[str], at: int) -> tuple[float, bool, int] | None:
    pair = _listed(_PAIRS, words, at)
    if pair is not None:
        return _with_part(words, at + 1, pair, pair / 2)
    part = _listed(_PARTS, words, at)
    if part is not None:
        end = at + 1
        while words[end : end + 1] and words[end] in ("a", "an", "of", "-"):
            end += 1
        unit = _listed(_UNITS, words, end)
        return (part * unit, False, end + 1) if unit is not None else None
    number, end = _number(words, at)
    if number is None:
        return _single(words, at)
    if words[end : end + 3] == ["and", "a", "half"]:
        number, end = number + 0.5, end + 3
    if words[end : end + 1] == ["-"]:
        end += 1
    working = words[end : end + 1] in (["working"], ["business"])
    unit = _listed(_UNITS, words, end + working)
    if unit is None:
        return None
    minutes, in_arabic, end = _with_part(words, end + working + 1, number * unit, unit)
    return minutes, working or in_arabic, end


def _single(words: list[str], at: int) -> tuple[float, bool, int] | None:
    """A unit without a number before it: «خلال ساعة», «يوم واحد», «خلال الساعات الثماني», "the next hour"."""
    unit = _listed(_UNITS, words, at)
    if unit is None:
        return None
    word, before, behind = words[at], words[at - 1] if at else "", words[at + 1] if at + 1 < len(words) else ""
    if word in _MANY:
        number, end = _number(words, at + 1)
        return (number * unit, False, end) if number is not None else None
    if word in _SINGLE and behind in _ONE:
        return _with_part(words, at + 2, unit, unit)
    if word in _SINGLE and before in _WITHIN and not _dated(behind):
        return _with_part(words, at + 1, unit, unit)
    if before in _NEXT or behind in _NEXT:
        return unit, False, at + 1
    return None


def _dated(behind: str) -> bool:
    """«في يوم الأحد», «في يوم 5»: a date, not a length."""
    return behind not in _NEXT and (behind.startswith("ال") or behind.isdecimal())


def _with_part(words: list[str], at: int, minutes: float, unit: float) -> tuple[float, bool, int]:
    """What follows a unit: «ونصف», "and a half", «عمل»."""
    if words[at : at + 3] == ["and", "a", "half"]:
        return minutes + unit / 2, False, at + 3
    if words[at : at + 1] and words[at][0] == "و" and words[at][1:] in _PARTS:
        return minutes + unit * _PARTS[words[at][1:]], False, at + 1
    return (minutes, True, at + 1) if words[at : at + 1] == ["عمل"] else (minutes, False, at)


def _number(words: list[str], at: int) -> tuple[float | None, int]:
    """The number that begins at ``at``, in digits or in words, and where it ends."""
    if words[at : at + 1] in (["ال"], ["و"]) and words[at + 1 : at + 2] and words[at + 1][0].isdecimal():
        at += 1
    if at < len(words) and words[at][0].isdecimal():
        return _digits(words[at]), at + 1
    number: float | None = None
    while at < len(words):
        if words[at] == _HUNDRED:
            number = 100 * (number or 1)
        elif (more := _listed(_NUMBERS, words, at)) is not None:
            number = (number or 0) + more
        elif number is not None and words[at] == "(" and words[at + 2 : at + 3] == [")"] and words[at + 1].isdecimal():
            # "thirty (30) minutes", as contracts have it.
            number, at = _digits(words[at + 1]), at + 2
        elif number is None or words[at] not in ("-", "and") or _listed(_NUMBERS, words, at + 1) in (None, 1):
            break
        at += 1
    return number, at


def _digits(word: str) -> float:
    whole = re.sub(r"[,٬](?=[0-9]{3}(?![0-9]))", "", word)
    parts = re.split(r"[.,٫٬]", whole)
    return float(f"{parts[0]}.{''.join(parts[1:])}") if len(parts) > 1 else float(whole)


def _listed(table: Mapping[str, _T], words: list[str], at: int) -> _T | None:
    """What the table has for a word, which may have «و», «ال» and the like before it."""
    if at >= len(words):
        return None
    for prefix in _PREFIXES:
        if words[at].startswith(prefix) and words[at][len(prefix) :] in table:
            return table[words[at][len(prefix) :]]
    return None
