"""Plans with dates: which touchpoints they have, and what becomes of one that falls due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.channels import Channel
from services.domain.claims import ClaimChecker, load_claims
from services.domain.context import NOTHING_KNOWN, ChannelFreeze, Context, OpenIncident
from services.domain.errors import InvalidInput, PersonRequired
from services.domain.texts import Bilingual
from services.storage.database import Actor
from services.success.domain.catalog import load_catalog
from services.success.domain.errors import CheckInSuppressed, TouchpointHeld, TouchpointStateRefused, WeekTaken
from services.success.domain.plans import Bundle
from services.success.domain.touchpoints import (
    RENEWALS,
    Completion,
    HoldKind,
    Slot,
    Touchpoint,
    TouchpointKind,
    TouchpointState,
    check_in_day,
    complete,
    dated_slots,
    draft_body,
    due_moment,
    extended_until,
    holds,
    renewal_slots,
    reschedule,
    title,
    week_of_day,
    what_falls_due,
)

CATALOG = load_catalog()
TEXTS = CATALOG.cadence
CLAIMS = ClaimChecker(load_claims())
# A Sunday.
START = date(2026, 3, 1)
RENEWAL = date(2027, 3, 1)
PERSON = Actor("person", "operator-17")
SOFTWARE = Actor("service", "lead-engine")
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
CHECK_IN = TouchpointKind.WEEKLY_CHECK_IN
UPGRADE = TouchpointKind.UPGRADE_TALK


def slots(
    bundle: Bundle = Bundle.GROWTH_STARTER, start: date = START, renewal: date = RENEWAL, days: int = 400
) -> tuple[Slot, ...]:
    return dated_slots(
        bundle, start, renewal, start - timedelta(days=1), start + timedelta(days=days), CATALOG.plans, TEXTS
    )


def touchpoint(kind: TouchpointKind = TouchpointKind.PLAN_STEP, due: date = date(2026, 3, 10)) -> Touchpoint:
    return Touchpoint(
        touchpoint_id="tch_" + "a" * 26,
        customer_id="acme",
        generation=1,
        key="k",
        kind=kind,
        state=TouchpointState.SCHEDULED,
        planned_on=due,
        due_on=due,
        plan_day=3,
        bundle=Bundle.GROWTH_STARTER,
        line_id="first_opportunities" if kind is TouchpointKind.PLAN_STEP else "",
    )


def test_the_first_month_of_the_starter_plan() -> None:
    found = [(slot.day.isoformat(), slot.plan_day, slot.kind.value) for slot in slots() if slot.plan_day <= 30]
    assert found == [
        ("2026-03-01", 1, "plan_step"),
        ("2026-03-03", 3, "plan_step"),
        ("2026-03-07", 7, "plan_step"),
        # Day 14 is a Saturday: its check-in is that of the week which begins on Sunday the 8th.
        ("2026-03-14", 14, "weekly_check_in"),
        ("2026-03-14", 14, "upgrade_talk"),
        ("2026-03-17", 17, "weekly_check_in"),
        ("2026-03-24", 24, "weekly_check_in"),
        ("2026-03-30", 30, "monthly_proof_review"),
    ]


@pytest.mark.parametrize("bundle", Bundle)
def test_a_quarterly_review_on_day_90_and_a_proof_review_every_other_month(bundle: Bundle) -> None:
    later = [slot for slot in slots(bundle) if slot.plan_day > 30 and slot.kind is not CHECK_IN]
    assert [(slot.plan_day, slot.kind) for slot in later] == [
        (day, TouchpointKind.QUARTERLY_BUSINESS_REVIEW if day % 90 == 0 else TouchpointKind.MONTHLY_PROOF_REVIEW)
        for day in range(60, 361, 30)
    ]
    assert all(slot.day == START + timedelta(days=slot.plan_day - 1) for slot in later)


@given(
    bundle=st.sampled_from(Bundle),
    start=st.dates(date(2024, 1, 1), date(2030, 12, 31)),
    length=st.integers(1, 800),
)
@settings(max_examples=60)
def test_every_week_after_the_first_has_exactly_one_check_in_until_the_renewal(
    bundle: Bundle, start: date, length: int
) -> None:
    renewal = start + timedelta(days=length)
    found = slots(bundle, start, renewal, 900)
    weeks = [week_of_day(slot.day) for slot in found if slot.kind is CHECK_IN]
    assert len(weeks) == len(set(weeks))
    expected = week_of_day(start) + timedelta(days=7)
    while expected + timedelta(days=6) <= renewal:
        assert expected in weeks
        expected += timedelta(days=7)
    assert all(start <= slot.day <= renewal for slot in found)
    assert week_of_day(start) not in weeks


@given(start=st.dates(date(2024, 1, 1), date(2030, 12, 31)), cut=st.integers(0, 400), bundle=st.sampled_from(Bundle))
@settings(max_examples=60)
def test_a_plan_dated_in_two_goes_is_the_plan_dated_in_one(start: date, cut: int, bundle: Bundle) -> None:
    renewal, middle = start + timedelta(days=500), start + timedelta(days=cut)
    day_before = start - timedelta(days=1)
    whole = dated_slots(bundle, start, renewal, day_before, renewal, CATALOG.plans, TEXTS)
    first = dated_slots(bundle, start, renewal, day_before, middle, CATALOG.plans, TEXTS)
    second = dated_slots(bundle, start, renewal, middle, renewal, CATALOG.plans, TEXTS)
    assert [slot.key for slot in first + second] == [slot.key for slot in whole]


@pytest.mark.parametrize(
    ("renewal", "days"),
    [
        (date(2027, 3, 1), ["2027-01-30", "2027-02-22"]),
        (date(2026, 3, 31), ["2026-03-01", "2026-03-24"]),
        # Too near: due at once, not lost.
        (date(2026, 3, 10), ["2026-02-08", "2026-03-03"]),
        (date(2028, 3, 1), ["2028-01-31", "2028-02-23"]),
    ],
)
def test_the_renewal_is_spoken_of_30_and_7_days_before(renewal: date, days: list[str]) -> None:
    found = renewal_slots(START, renewal, TEXTS)
    assert [slot.kind for slot in found] == list(RENEWALS)
    assert [slot.day.isoformat() for slot in found] == days


def test_an_upgrade_is_a_touchpoint_of_its_own_wherever_a_plan_offers_one() -> None:
    for bundle in Bundle:
        offered = [line.day for line in CATALOG.plans.plans[bundle].lines if line.upgrade_offer]
        assert [slot.plan_day for slot in slots(bundle) if slot.kind is UPGRADE] == offered


@pytest.mark.parametrize(
    ("until", "today", "expected"),
    [
        (date(2026, 6, 1), date(2026, 3, 1), date(2026, 6, 1)),
        (date(2026, 6, 1), date(2026, 5, 17), date(2026, 6, 1)),
        (date(2026, 6, 1), date(2026, 5, 18), date(2026, 8, 30)),
        (date(2026, 6, 1), date(2026, 9, 1), date(2026, 11, 30)),
        (date(2027, 2, 20), date(2027, 2, 19), RENEWAL),
        (RENEWAL, date(2027, 4, 1), RENEWAL),
    ],
)
def test_a_plan_is_dated_further_when_its_end_comes_near(until: date, today: date, expected: date) -> None:
    assert extended_until(until, today, RENEWAL, TEXTS) == expected


def test_a_touchpoint_falls_due_at_eight_in_riyadh() -> None:
    assert due_moment(date(2026, 3, 10), TEXTS) == datetime(2026, 3, 10, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "due", "today", "week_taken", "state"),
    [
        (TouchpointKind.PLAN_STEP, "2026-03-10", "2026-03-10", False, "drafted"),
        (TouchpointKind.PLAN_STEP, "2026-03-10", "2026-06-10", False, "drafted"),
        (UPGRADE, "2026-03-10", "2026-03-10", False, "drafted"),
        (CHECK_IN, "2026-03-10", "2026-03-14", False, "drafted"),
        (CHECK_IN, "2026-03-10", "2026-03-10", True, "cancelled"),
        (UPGRADE, "2026-03-10", "2026-03-10", True, "drafted"),
        # Saturday was the last day of its week.
        (CHECK_IN, "2026-03-10", "2026-03-15", False, "missed"),
        (CHECK_IN, "2026-03-14", "2026-03-15", False, "missed"),
        (TouchpointKind.RENEWAL_30_DAY, "2026-03-10", "2026-04-01", False, "drafted"),
        (TouchpointKind.QUARTERLY_BUSINESS_REVIEW, "2026-03-10", "2026-03-11", False, "drafted"),
    ],
)
def test_what_becomes_of_one_that_falls_due(
    kind: TouchpointKind, due: str, today: str, week_taken: bool, state: str
) -> None:
    found = what_falls_due(touchpoint(kind, date.fromisoformat(due)), date.fromisoformat(today), week_taken=week_taken)
    assert found.value == state


FROZEN_MAIL = ChannelFreeze("frz_" + "a" * 26, Channel.EMAIL, "acme")


@pytest.mark.parametrize(
    ("kind", "context", "delivered", "expected"),
    [
        (CHECK_IN, Context(), False, []),
        (UPGRADE, Context(), True, []),
        (UPGRADE, Context(), False, ["no_proof_pack_yet"]),
        (UPGRADE, Context(), None, ["proof_pack_unknown"]),
        (UPGRADE, Context(incidents_known=False), True, ["incidents_unknown"]),
        (CHECK_IN, Context(incidents_known=False), None, ["incidents_unknown"]),
        (TouchpointKind.PLAN_STEP, Context(incidents_known=False), None, []),
        (CHECK_IN, Context(incidents=(OpenIncident("i", "SEV1", ("zain",)),)), True, []),
        (CHECK_IN, Context(incidents=(OpenIncident("i", "SEV1", ("zain", "acme")),)), True, ["open_incident"]),
        (CHECK_IN, Context(incidents=(OpenIncident("i", "SEV3"),)), True, []),
        (CHECK_IN, Context(incidents=(OpenIncident("i", "SEV2"),)), True, ["open_incident"]),
        (UPGRADE, Context((FROZEN_MAIL,), (OpenIncident("i", "SEV1"),)), False,
         ["no_proof_pack_yet", "open_incident", "frozen_channel"]),
        (CHECK_IN, Context((replace(FROZEN_MAIL, customer_id="zain"),)), True, []),
        (CHECK_IN, Context((replace(FROZEN_MAIL, customer_id="", channel=None),)), True, ["frozen_channel"]),
        (CHECK_IN, Context((replace(FROZEN_MAIL, channel=Channel.WHATSAPP),)), True, []),
        # What cannot wait is not held here; its draft still cannot be approved on a frozen channel.
        (TouchpointKind.RENEWAL_7_DAY, Context((FROZEN_MAIL,), (OpenIncident("i", "SEV1"),)), False, []),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_said_in_both_languages(
    kind: TouchpointKind, context: Context, delivered: bool | None, expected: list[str]
) -> None:
    found = holds(touchpoint(kind), Channel.EMAIL, context, TEXTS, proof_pack_delivered=delivered)
    assert [hold.kind.value for hold in found] == expected
    assert all(hold.reason.ar and hold.reason.en and "{" not in hold.reason.ar + hold.reason.en for hold in found)


def test_a_frozen_channel_is_called_by_its_name() -> None:
    frozen = Context((replace(FROZEN_MAIL, channel=Channel.WEB_FORM),))
    (found,) = holds(touchpoint(CHECK_IN), Channel.WEB_FORM, frozen, TEXTS, proof_pack_delivered=True)
    assert (found.detail, "نماذج الموقع" in found.reason.ar, "web forms" in found.reason.en) == ("web_form", True, True)
    assert "web_form" not in found.reason.ar + found.reason.en


def test_the_gravest_incident_is_named() -> None:
    context = Context(incidents=(OpenIncident("a", "SEV2"), OpenIncident("b", "SEV1")))
    (found,) = holds(touchpoint(CHECK_IN), Channel.EMAIL, context, TEXTS, proof_pack_delivered=True)
    assert (found.kind, found.detail) == (HoldKind.OPEN_INCIDENT, "SEV1")
    assert "SEV1" in found.reason.ar


def test_a_closed_touchpoint_is_held_by_nothing() -> None:
    closed = replace(touchpoint(UPGRADE), state=TouchpointState.COMPLETED)
    assert holds(closed, Channel.EMAIL, Context((FROZEN_MAIL,)), TEXTS, proof_pack_delivered=False) == ()


def drafted(found: Touchpoint, today: date | None = None) -> Bilingual:
    """What is drafted for a touchpoint on its day, or on another."""
    return draft_body(found, today or found.due_on, RENEWAL, CATALOG.plans, TEXTS)


@pytest.mark.parametrize("kind", [kind for kind in TouchpointKind if kind is not CHECK_IN])
def test_the_draft_of_every_kind_is_clean_and_has_its_facts_filled_in(kind: TouchpointKind) -> None:
    body = drafted(touchpoint(kind, date(2026, 4, 7)))
    for text in (body.ar, body.en):
        assert CLAIMS.check(text) == ()
        assert "{" not in text
    named = ("الاثنين 1 مارس 2027", "Monday 1 March 2027") if kind in RENEWALS else APRIL
    assert named[0] in body.ar
    assert named[1] in body.en


APRIL = ("الثلاثاء 7 أبريل 2026", "Tuesday 7 April 2026")


@pytest.mark.parametrize(
    ("due", "today", "proposed"),
    [
        ("2026-04-07", "2026-04-07", "الثلاثاء 7 أبريل 2026"),
        # A Friday, a Saturday, a day of Eid, Founding Day.
        ("2026-05-01", "2026-05-01", "الأحد 3 مايو 2026"),
        ("2026-02-14", "2026-02-14", "الأحد 15 فبراير 2026"),
        ("2026-03-21", "2026-03-21", "الأربعاء 25 مارس 2026"),
        ("2026-02-22", "2026-02-22", "الاثنين 23 فبراير 2026"),
        # Drafted late: nothing is proposed for a day that is over.
        ("2026-04-07", "2026-04-12", "الأحد 12 أبريل 2026"),
    ],
)
def test_a_draft_proposes_a_working_day_by_its_name(due: str, today: str, proposed: str) -> None:
    found = touchpoint(TouchpointKind.QUARTERLY_BUSINESS_REVIEW, date.fromisoformat(due))
    assert f"ونقترح لها يوم {proposed}." in drafted(found, date.fromisoformat(today)).ar


@pytest.mark.parametrize(
    ("due", "today", "proposed"),
    [
        ("2026-04-07", "2026-04-07", "2026-04-07"),
        ("2026-04-07", "2026-04-05", "2026-04-07"),
        # Written late in the week, or moved to its end: never a day of the week after it.
        ("2026-04-07", "2026-04-09", "2026-04-09"),
        ("2026-04-07", "2026-04-10", None),
        ("2026-04-11", "2026-04-05", "2026-04-09"),
        ("2026-04-10", "2026-04-09", "2026-04-09"),
        ("2026-04-11", "2026-04-11", None),
        # Founding Day, then Eid from Thursday to the end of the week.
        ("2026-02-22", "2026-02-22", "2026-02-23"),
        ("2026-03-19", "2026-03-15", "2026-03-18"),
        ("2026-03-17", "2026-03-19", None),
    ],
)
def test_a_check_in_is_proposed_for_a_working_day_of_its_own_week_or_none(
    due: str, today: str, proposed: str | None
) -> None:
    day = check_in_day(date.fromisoformat(due), date.fromisoformat(today), CATALOG.cadence)
    assert (day.isoformat() if day is not None else None) == proposed


@pytest.mark.parametrize("bundle", Bundle)
def test_the_draft_of_every_step_of_every_plan_is_a_text_of_its_own(bundle: Bundle) -> None:
    said: set[str] = set()
    for slot in slots(bundle):
        if slot.kind is TouchpointKind.PLAN_STEP:
            assert slot.line is not None
            found = replace(touchpoint(due=date(2026, 4, 7)), bundle=bundle, line_id=slot.line.id)
            body = drafted(found)
            assert CLAIMS.check(body.ar) == CLAIMS.check(body.en) == ()
            assert APRIL[0] in body.ar
            assert APRIL[1] in body.en
            assert ("Proof Pack" in body.ar, "Proof Pack" in body.en) == (slot.line.proof_pack, slot.line.proof_pack)
            said |= {body.ar, body.en}
            assert title(found, CATALOG.plans, TEXTS).ar == slot.line.text_ar
    assert len(said) == 2 * sum(slot.kind is TouchpointKind.PLAN_STEP for slot in slots(bundle))


@pytest.mark.parametrize(("bundle", "day", "kind", "never"), [
    (Bundle.PARTNERSHIP_GROWTH, 30, TouchpointKind.MONTHLY_PROOF_REVIEW, "Proof Pack"),
    (Bundle.EXECUTIVE_GROWTH_OS, 30, TouchpointKind.QUARTERLY_BUSINESS_REVIEW, "الربع"),
    (Bundle.FULL_GROWTH_CONTROL_TOWER, 30, TouchpointKind.QUARTERLY_BUSINESS_REVIEW, "الربع"),
    (Bundle.EXECUTIVE_GROWTH_OS, 21, TouchpointKind.MONTHLY_PROOF_REVIEW, "خلال الشهر"),
])  # fmt: skip
def test_no_draft_says_what_is_not_so_of_its_plan(bundle: Bundle, day: int, kind: TouchpointKind, never: str) -> None:
    (slot,) = [slot for slot in slots(bundle) if slot.plan_day == day and slot.kind is kind]
    assert slot.line is not None
    assert never not in drafted(replace(touchpoint(kind), bundle=bundle, line_id=slot.line.id)).ar


@pytest.mark.parametrize(
    ("bundle", "day", "kind", "said_ar", "said_en"),
    [
        (Bundle.EXECUTIVE_GROWTH_OS, 14, CHECK_IN, "Founder Shadow Board v1", "Check-in and Founder Shadow Board v1"),
        (Bundle.FULL_GROWTH_CONTROL_TOWER, 14, CHECK_IN, "Founder Shadow Board v1", "Founder Shadow Board v1"),
        (Bundle.PARTNERSHIP_GROWTH, 30, TouchpointKind.MONTHLY_PROOF_REVIEW,
         "بطاقة أداء الشراكات ونموذج تقاسم الإيراد", "Partnership scorecard and revenue share"),
        (Bundle.GROWTH_STARTER, 30, TouchpointKind.MONTHLY_PROOF_REVIEW,
         "المراجعة الشهرية وقرار التجديد", "Monthly review and renewal decision"),
        (Bundle.LOCAL_GROWTH_OS, 30, TouchpointKind.MONTHLY_PROOF_REVIEW, "قرار التجديد", "renewal decision"),
        (Bundle.EXECUTIVE_GROWTH_OS, 30, UPGRADE, "الترقية السنوية", "Annual upgrade"),
    ],
)  # fmt: skip
def test_a_touchpoint_carries_the_line_that_the_plan_has_for_its_day(
    bundle: Bundle, day: int, kind: TouchpointKind, said_ar: str, said_en: str
) -> None:
    (slot,) = [slot for slot in slots(bundle) if slot.plan_day == day and slot.kind is kind]
    assert slot.line is not None
    found = replace(touchpoint(kind, slot.day), bundle=bundle, line_id=slot.line.id)
    named = title(found, CATALOG.plans, TEXTS)
    assert said_ar in named.ar
    assert said_en in named.en
    if kind is not CHECK_IN:
        assert drafted(found) != drafted(replace(found, line_id="")), "the line has a message of its own"


@pytest.mark.parametrize("bundle", Bundle)
def test_the_offer_of_a_line_is_named_by_its_own_touchpoint_only(bundle: Bundle) -> None:
    for line in CATALOG.plans.plans[bundle].lines:
        if line.upgrade_offer and line.kind is not None:
            beside = replace(touchpoint(TouchpointKind(line.kind.value)), bundle=bundle, line_id=line.id)
            said = title(beside, CATALOG.plans, TEXTS)
            assert "ترقية" not in said.ar
            assert "upgrade" not in said.en.lower()


@pytest.mark.parametrize("bundle", Bundle)
def test_the_drafts_of_every_line_of_a_kind_of_its_own_are_clean(bundle: Bundle) -> None:
    for slot in slots(bundle):
        if slot.line is not None and slot.kind is not CHECK_IN:
            found = replace(touchpoint(slot.kind), bundle=bundle, line_id=slot.line.id)
            body = drafted(found)
            assert CLAIMS.check(body.ar) == CLAIMS.check(body.en) == ()
            assert "{" not in body.ar + body.en


def done(
    found: Touchpoint,
    actor: Actor = PERSON,
    at: datetime = NOW,
    delivered: bool = True,
    context: Context = NOTHING_KNOWN,
    week_taken: bool = False,
) -> Touchpoint:
    said = Completion(at, "note", "ref", context)
    return complete(
        found,
        actor,
        said,
        NOW,
        began_on=START,
        week_taken=week_taken,
        proof_pack_delivered=delivered,
        texts=TEXTS,
    )


def test_a_person_completes_a_touchpoint() -> None:
    found = done(touchpoint())
    assert (found.state, found.completed_at, found.completer) == (TouchpointState.COMPLETED, NOW, PERSON)
    assert (found.note, found.reference, found.revision) == ("note", "ref", 2)


@pytest.mark.parametrize("state", [s for s in TouchpointState if s.value in ("missed", "completed", "cancelled")])
def test_a_closed_touchpoint_is_not_completed_nor_moved(state: TouchpointState) -> None:
    closed = replace(touchpoint(), state=state)
    with pytest.raises(TouchpointStateRefused):
        done(closed)
    with pytest.raises(TouchpointStateRefused):
        reschedule(closed, PERSON, date(2026, 3, 11), "بطلب العميل", date(2026, 3, 10), RENEWAL, [])


def test_two_check_ins_do_not_take_place_in_one_week() -> None:
    with pytest.raises(WeekTaken) as refused:
        done(touchpoint(CHECK_IN), week_taken=True)
    assert refused.value.metadata == {"customer_id": "acme", "week_start": "2026-03-08"}
    assert done(touchpoint(), week_taken=True).state is TouchpointState.COMPLETED


def test_software_completes_and_moves_nothing_and_nobody_in_the_future() -> None:
    with pytest.raises(PersonRequired):
        done(touchpoint(), SOFTWARE)
    with pytest.raises(PersonRequired):
        reschedule(touchpoint(), SOFTWARE, date(2026, 3, 11), "x", date(2026, 3, 10), RENEWAL, [])
    with pytest.raises(InvalidInput):
        done(touchpoint(), at=NOW + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("planned", "at", "taken"),
    [
        (RENEWAL, datetime(2001, 1, 1, tzinfo=UTC), False),
        # Midnight in Riyadh, a week before the plan began.
        (RENEWAL, datetime(2026, 2, 21, 20, 59, 59, tzinfo=UTC), False),
        (RENEWAL, datetime(2026, 2, 21, 21, 0, tzinfo=UTC), True),
        # The day of a talk 30 days before a near renewal may lie before the plan.
        (date(2026, 2, 8), datetime(2026, 2, 9, tzinfo=UTC), True),
    ],
)
def test_nothing_took_place_long_before_its_plan(planned: date, at: datetime, taken: bool) -> None:
    found = touchpoint(TouchpointKind.RENEWAL_30_DAY, planned)
    if taken:
        assert done(found, at=at).completed_at == at
        return
    with pytest.raises(InvalidInput) as refused:
        done(found, at=at)
    assert [(v.field, v.reason) for v in refused.value.violations] == [("complete_time", "BEFORE_PLAN")]
    assert "2026-02-22" in refused.value.violations[0].description


@pytest.mark.parametrize(
    ("kind", "severity", "refusal"),
    [
        (CHECK_IN, "SEV1", CheckInSuppressed),
        (CHECK_IN, "SEV2", CheckInSuppressed),
        (CHECK_IN, "SEV3", None),
        (UPGRADE, "SEV2", TouchpointHeld),
        # What cannot wait took place all the same; so did what took place over another channel than the frozen one.
        (TouchpointKind.RENEWAL_7_DAY, "SEV1", None),
        (CHECK_IN, "", None),
    ],
)
def test_what_waits_for_an_incident_is_not_completed_while_it_is_open(
    kind: TouchpointKind, severity: str, refusal: type[Exception] | None
) -> None:
    incidents = (OpenIncident("i", severity),) if severity else ()
    context = Context((replace(FROZEN_MAIL, channel=None),), incidents)
    if refusal is None:
        assert done(touchpoint(kind), context=context).state is TouchpointState.COMPLETED
        return
    with pytest.raises((CheckInSuppressed, TouchpointHeld)) as refused:
        done(touchpoint(kind), context=context)
    assert type(refused.value) is refusal
    ((why, _, said),) = refused.value.missing
    assert why == "OPEN_INCIDENT"
    assert severity in said


def test_no_upgrade_is_offered_before_the_first_proof_pack() -> None:
    with pytest.raises(TouchpointHeld) as refused:
        done(touchpoint(UPGRADE), delivered=False)
    ((kind, subject, said),) = refused.value.missing
    assert (kind, subject) == ("NO_PROOF_PACK_YET", "customer/acme")
    assert "Proof Pack" in said.split("\n")[0]
    assert "No upgrade" in said.split("\n")[1]


@pytest.mark.parametrize(
    ("day", "reason", "field"),
    [
        ("2026-03-09", "بطلب العميل", "due_date"),
        ("2027-03-02", "بطلب العميل", "due_date"),
        ("2026-03-11", " ", "reason"),
    ],
)
def test_a_touchpoint_moves_to_a_day_of_the_plan_that_is_not_over_with_a_reason(
    day: str, reason: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        reschedule(touchpoint(), PERSON, date.fromisoformat(day), reason, date(2026, 3, 10), RENEWAL, [])
    assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.parametrize(
    ("day", "taken", "free"),
    [
        ("2026-03-14", ["2026-03-15"], True),
        ("2026-03-15", ["2026-03-15"], False),
        ("2026-03-21", ["2026-03-15"], False),
        ("2026-03-22", ["2026-03-15"], True),
    ],
)
def test_a_check_in_moves_into_a_week_that_has_none(day: str, taken: list[str], free: bool) -> None:
    others = [date.fromisoformat(other) for other in taken]
    arguments = (PERSON, date.fromisoformat(day), "بطلب العميل", date(2026, 3, 10), RENEWAL, others)
    if not free:
        with pytest.raises(WeekTaken):
            reschedule(touchpoint(CHECK_IN), *arguments)
    else:
        moved = reschedule(replace(touchpoint(CHECK_IN), state=TouchpointState.DRAFTED, draft_id="d"), *arguments)
        assert (moved.state, moved.due_on.isoformat(), moved.draft_id) == (TouchpointState.SCHEDULED, day, "")
    assert reschedule(touchpoint(), *arguments).due_on.isoformat() == day, "the limit is of check-ins only"
