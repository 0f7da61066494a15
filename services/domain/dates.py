"""Days and moments as people read them, in Arabic and in English."""

from __future__ import annotations

from datetime import date, datetime

from services.domain.riyadh import to_riyadh
from services.domain.texts import Bilingual

# From Monday, as `date.weekday` counts.
_WEEKDAYS = (
    Bilingual("الاثنين", "Monday"),
    Bilingual("الثلاثاء", "Tuesday"),
    Bilingual("الأربعاء", "Wednesday"),
    Bilingual("الخميس", "Thursday"),
    Bilingual("الجمعة", "Friday"),
    Bilingual("السبت", "Saturday"),
    Bilingual("الأحد", "Sunday"),
)
_MONTHS = (
    Bilingual("يناير", "January"),
    Bilingual("فبراير", "February"),
    Bilingual("مارس", "March"),
    Bilingual("أبريل", "April"),
    Bilingual("مايو", "May"),
    Bilingual("يونيو", "June"),
    Bilingual("يوليو", "July"),
    Bilingual("أغسطس", "August"),
    Bilingual("سبتمبر", "September"),
    Bilingual("أكتوبر", "October"),
    Bilingual("نوفمبر", "November"),
    Bilingual("ديسمبر", "December"),
)


def named_day(day: date) -> Bilingual:
    """«الأحد 15 فبراير 2026», "Sunday 15 February 2026"."""
    weekday, month = _WEEKDAYS[day.weekday()], _MONTHS[day.month - 1]
    return Bilingual(f"{weekday.ar} {day.day} {month.ar} {day.year}", f"{weekday.en} {day.day} {month.en} {day.year}")


def named_moment(moment: datetime) -> Bilingual:
    """«الأحد 15 فبراير 2026 الساعة 23:55», "Sunday 15 February 2026 at 23:55": on Riyadh's clock, which is not named."""
    there = to_riyadh(moment)
    day, time = named_day(there.date()), f"{there:%H:%M}"
    return Bilingual(f"{day.ar} الساعة {time}", f"{day.en} at {time}")
