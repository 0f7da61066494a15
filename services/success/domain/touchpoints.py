"""A success plan with dates: which touchpoints it has, and what becomes of one that falls due (specification §4).

Dates are calendar days in Riyadh, day 1 of a plan is its start. Three sources make the touchpoints of a plan:

- the lines of the bundle's plan, days 1 to 30. A line of a kind of its own (a check-in, a review) becomes one touchpoint
  of that kind, an offer to upgrade on such a line a second one, so that holding the offer back does not hold the check-in;
- what recurs: a check-in in every week (Sunday to Saturday) after that of the start, but for the weeks in which the plan has
  one; a review of Proof Packs every 30 days after the plan's 30; a QBR every 90 days, which takes the review's place;
- the renewal: 30 and 7 days before it.

What recurs is dated some way ahead, and further when that end comes near. Slots carry a key that is the same whenever they
are made, so making them twice makes them once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from services.domain.actors import ActorLike
from services.domain.channel_names import load_channel_names
from services.domain.channels import Channel
from services.domain.checks import Checks
from services.domain.context import NOTHING_KNOWN, Context
from services.domain.dates import named_day
from services.domain.errors import PersonRequired
from services.domain.holidays import load_holidays, working_day_from
from services.domain.riyadh import day_start, week_key
from services.domain.texts import Bilingual, Reader, TextsFile
from services.success.domain.at_risk import RiskLevel
from services.success.domain.check_in import SUPPRESSING
from services.success.domain.errors import CheckInSuppressed, TouchpointHeld, TouchpointStateRefused, WeekTaken
from services.success.domain.plans import Bundle, PlanLine, PlanTexts

MAX_PLAN_YEARS = 5
# How long before its plan began a talk may have taken place: the contract is often entered some days after the kick-off.
LEAD_DAYS = 7


class TouchpointKind(StrEnum):
    PLAN_STEP = "plan_step"
    UPGRADE_TALK = "upgrade_talk"
    WEEKLY_CHECK_IN = "weekly_check_in"
    MONTHLY_PROOF_REVIEW = "monthly_proof_review"
    QUARTERLY_BUSINESS_REVIEW = "quarterly_business_review"
    RENEWAL_30_DAY = "renewal_30_day"
    RENEWAL_7_DAY = "renewal_7_day"
    SERVICE_REVIEW = "service_review"


RENEWALS = (TouchpointKind.RENEWAL_30_DAY, TouchpointKind.RENEWAL_7_DAY)
UNPLANNED = frozenset({*RENEWALS, TouchpointKind.SERVICE_REVIEW})
"""What a change of the plan's bundle or start leaves alone."""
SUPPRESSIBLE = frozenset({TouchpointKind.WEEKLY_CHECK_IN, TouchpointKind.UPGRADE_TALK})
"""What is not held during a SEV1 or SEV2, or on a frozen channel."""


class TouchpointState(StrEnum):
    SCHEDULED = "scheduled"
    DRAFTED = "drafted"
    HELD = "held"
    MISSED = "missed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


OPEN = frozenset({TouchpointState.SCHEDULED, TouchpointState.DRAFTED, TouchpointState.HELD})


class HoldKind(StrEnum):
    NO_PROOF_PACK_YET = "no_proof_pack_yet"
    PROOF_PACK_UNKNOWN = "proof_pack_unknown"
    OPEN_INCIDENT = "open_incident"
    INCIDENTS_UNKNOWN = "incidents_unknown"
    FROZEN_CHANNEL = "frozen_channel"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a touchpoint is not to be used now; ``detail`` is the severity or the channel, empty for all others."""

    kind: HoldKind
    reason: Bilingual
    detail: str = ""


@dataclass(frozen=True, slots=True)
class KindTexts:
    """``title`` and ``message`` are used where the plan's line says nothing.

    A check-in has no ``message``, since its text is its own, and neither has a step of a plan: each says another one.
    """

    title: Bilingual
    message: Bilingual | None


@dataclass(frozen=True, slots=True)
class CadenceTexts:
    """The rhythm of plans, and what is said. ``weekday`` counts from Sunday, 0; ``due_hour`` is on Riyadh's clock.

    ``ahead_days``: how far recurring touchpoints are dated; ``extend_days``: how near that end may come.
    """

    version: str
    weekday: int
    due_hour: int
    monthly_days: int
    quarterly_days: int
    renewal_days: Mapping[TouchpointKind, int]
    ahead_days: int
    extend_days: int
    kinds: Mapping[TouchpointKind, KindTexts]
    draft_body: Bilingual
    holds: Mapping[HoldKind, Bilingual]
    channels: Mapping[Channel, Bilingual]
    holidays: frozenset[date]
    alert_body: Bilingual
    alert_titles: Mapping[RiskLevel, Bilingual]


@dataclass(frozen=True, slots=True)
class Slot:
    """A touchpoint as the plan puts it. ``line`` is that of the bundle's plan, where one is behind it."""

    key: str
    kind: TouchpointKind
    day: date
    plan_day: int
    line: PlanLine | None = None


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """One dated touchpoint of a customer. Times are UTC; ``revision`` counts its changes from 1.

    ``line_id`` and ``bundle`` say which line of which plan is behind it; ``line_id`` is empty for what recurs and renewals.
    """

    touchpoint_id: str
    customer_id: str
    generation: int
    key: str
    kind: TouchpointKind
    state: TouchpointState
    planned_on: date
    due_on: date
    plan_day: int
    bundle: Bundle
    line_id: str
    revision: int = 1
    fired_at: datetime | None = None
    draft_id: str = ""
    check_in_id: str = ""
    completed_at: datetime | None = None
    completer: ActorLike | None = None
    note: str = ""
    reference: str = ""
    reschedule_reason: str = ""

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def etag(self) -> str:
        return f"r{self.revision}"


@dataclass(frozen=True, slots=True)
class Completion:
    """What a person says of a touchpoint that took place at a time, UTC; ``note`` and ``reference`` may be empty.

    ``context`` is what was known of incidents that were open then.
    """

    completed_at: datetime
    note: str = ""
    reference: str = ""
    context: Context = NOTHING_KNOWN


def load_cadence_texts(folder: Path) -> CadenceTexts:
    """Read ``cadence.toml`` in ``folder``; `TextsError` names every fault of it."""
    file = TextsFile(folder / "cadence.toml")
    version = file.text("version")
    rhythm = file.table("rhythm")
    weekday, hour = rhythm.integer("check_in_weekday"), rhythm.integer("due_hour")
    if weekday > 4:
        rhythm.problem("check_in_weekday", "expected a working day, 0 (Sunday) to 4 (Thursday)")
    if hour > 23:
        rhythm.problem("due_hour", "expected an hour of the day")
    monthly, quarterly = rhythm.integer("monthly_days", minimum=7), rhythm.integer("quarterly_days", minimum=30)
    renewals = rhythm.table("renewal_days")
    renewal_days = {kind: renewals.integer(kind.value, minimum=1) for kind in RENEWALS}
    ahead, extend = rhythm.integer("ahead_days", minimum=30), rhythm.integer("extend_days", minimum=7)
    if extend >= ahead:
        rhythm.problem("extend_days", "expected less than ahead_days")
    kinds = {kind: _kind_texts(table, kind) for kind, table in file.table("kinds").each(TouchpointKind).items()}
    body = file.table("draft").bilingual("body", frozenset({"message"}))
    needed = {HoldKind.OPEN_INCIDENT: {"severity"}, HoldKind.FROZEN_CHANNEL: {"channel"}}
    holds = {
        kind: table.bilingual("text", frozenset(needed.get(kind, ())))
        for kind, table in file.table("holds").each(HoldKind).items()
    }
    alert = file.table("alert")
    alert_body = alert.bilingual("body", frozenset({"score", "reasons", "action"}))
    alert_titles = {level: alert.bilingual(level.value) for level in (RiskLevel.HIGH, RiskLevel.MEDIUM)}
    file.finish()
    return CadenceTexts(
        version,
        weekday,
        hour,
        monthly,
        quarterly,
        MappingProxyType(renewal_days),
        ahead,
        extend,
        MappingProxyType(kinds),
        body,
        MappingProxyType(holds),
        load_channel_names(),
        load_holidays(),
        alert_body,
        MappingProxyType(alert_titles),
    )


def dated_slots(
    bundle: Bundle, start: date, renewal: date, after: date, until: date, plans: PlanTexts, texts: CadenceTexts
) -> tuple[Slot, ...]:
    """What a plan has after one day and up to another, by day; nothing beyond the renewal. Without the renewal's own."""
    lines = plans.plans[bundle].lines
    found = [slot for line in lines for slot in _line_slots(line, start)]
    last_line = max(line.day for line in lines)
    until = min(until, renewal)
    number = last_line + texts.monthly_days
    while (day := _plan_day(start, number)) <= until:
        if number % texts.quarterly_days:
            found.append(_recurring(TouchpointKind.MONTHLY_PROOF_REVIEW, day, start))
        number += texts.monthly_days
    number = texts.quarterly_days
    while (day := _plan_day(start, number)) <= until:
        found.append(_recurring(TouchpointKind.QUARTERLY_BUSINESS_REVIEW, day, start))
        number += texts.quarterly_days
    taken = {week_of_day(slot.day) for slot in found if slot.kind is TouchpointKind.WEEKLY_CHECK_IN}
    week = week_of_day(start) + timedelta(days=7)
    while (day := week + timedelta(days=texts.weekday)) <= until:
        if week not in taken:
            found.append(_recurring(TouchpointKind.WEEKLY_CHECK_IN, day, start))
        week += timedelta(days=7)
    kept = [slot for slot in found if after < slot.day <= until]
    return tuple(sorted(kept, key=lambda slot: (slot.day, slot.key)))


def renewal_slots(start: date, renewal: date, texts: CadenceTexts) -> tuple[Slot, ...]:
    """The touchpoints before a renewal, those whose day is over when the date is set not left out."""
    return tuple(
        Slot(f"{kind.value}/{renewal.isoformat()}", kind, day, (day - start).days + 1)
        for kind in RENEWALS
        for day in (renewal - timedelta(days=texts.renewal_days[kind]),)
    )


def added_slot(key: str, day: date, reason: str, start: date, renewal: date, today: date) -> Slot:
    """A talk about a missed service level, outside of the plan. Raises ``InvalidInput``."""
    checks = Checks()
    checks.text("reason", reason)
    _check_day(checks, day, today, renewal)
    checks.done()
    return Slot(f"added/{key}", TouchpointKind.SERVICE_REVIEW, day, max(1, (day - start).days + 1))


def dated_until(start: date, today: date, renewal: date, texts: CadenceTexts) -> date:
    """How far a plan is dated when it begins."""
    return min(max(start, today) + timedelta(days=texts.ahead_days), renewal)


def extended_until(until: date, today: date, renewal: date, texts: CadenceTexts) -> date:
    """How far a plan is to be dated now; ``until`` itself while that is far enough away, or the renewal."""
    if until >= renewal or until - today > timedelta(days=texts.extend_days):
        return min(until, renewal)
    return min(max(until, today) + timedelta(days=texts.ahead_days), renewal)


def due_moment(day: date, texts: CadenceTexts) -> datetime:
    """When a touchpoint of a day falls due, UTC."""
    return day_start(day) + timedelta(hours=texts.due_hour)


def falls_due_at(found: Touchpoint, texts: CadenceTexts) -> datetime:
    """When a touchpoint falls due, UTC: at once where the plan put it on a day that was over."""
    return due_moment(found.due_on if found.reschedule_reason else found.planned_on, texts)


def what_falls_due(found: Touchpoint, today: date, *, week_taken: bool) -> TouchpointState:
    """What becomes of a touchpoint that is due: drafted, missed, or cancelled.

    A check-in whose week is over is not made up for, and one of a week in which one took place (``week_taken``) is not
    needed: two in one week would break the limit of one.
    """
    if found.kind is TouchpointKind.WEEKLY_CHECK_IN and week_of_day(found.due_on) < week_of_day(today):
        return TouchpointState.MISSED
    if found.kind is TouchpointKind.WEEKLY_CHECK_IN and week_taken:
        return TouchpointState.CANCELLED
    return TouchpointState.DRAFTED


def holds(
    found: Touchpoint, channel: Channel, context: Context, texts: CadenceTexts, *, proof_pack_delivered: bool | None
) -> tuple[Hold, ...]:
    """Everything that stands in the way of an open touchpoint: as `kind_holds`."""
    if not found.open:
        return ()
    return kind_holds(found.kind, found.customer_id, channel, context, texts, proof_pack_delivered=proof_pack_delivered)


def kind_holds(
    kind: TouchpointKind,
    customer_id: str,
    channel: Channel,
    context: Context,
    texts: CadenceTexts,
    *,
    proof_pack_delivered: bool | None,
) -> tuple[Hold, ...]:
    """Everything that stands in the way of a customer's open touchpoints of a kind; also that nobody could tell of it.

    ``proof_pack_delivered`` is None where it is not known.
    """
    reasons = []
    if kind is TouchpointKind.UPGRADE_TALK and not proof_pack_delivered:
        unmet = HoldKind.PROOF_PACK_UNKNOWN if proof_pack_delivered is None else HoldKind.NO_PROOF_PACK_YET
        reasons.append(Hold(unmet, texts.holds[unmet]))
    if kind in SUPPRESSIBLE:
        reasons += context_holds(channel, customer_id, context, texts)
    return tuple(reasons)


def context_holds(channel: Channel, customer_id: str, context: Context, texts: CadenceTexts) -> list[Hold]:
    """What incidents brings against contact that can wait: a SEV1 or SEV2 that is open, a channel that is frozen."""
    reasons = []
    # SEV1 sorts before SEV2.
    grave = sorted(found.severity for found in context.open_for(customer_id) if found.severity in SUPPRESSING)
    if grave:
        said = texts.holds[HoldKind.OPEN_INCIDENT].format(severity=grave[0])
        reasons.append(Hold(HoldKind.OPEN_INCIDENT, said, grave[0]))
    elif not context.incidents_known:
        reasons.append(Hold(HoldKind.INCIDENTS_UNKNOWN, texts.holds[HoldKind.INCIDENTS_UNKNOWN]))
    if context.frozen(channel, customer_id):
        said = texts.holds[HoldKind.FROZEN_CHANNEL].format(channel=texts.channels[channel])
        reasons.append(Hold(HoldKind.FROZEN_CHANNEL, said, channel.value))
    return reasons


def planned_line(found: Touchpoint, plans: PlanTexts) -> Bilingual | None:
    """What the plan's line says of a touchpoint: of an offer, the offer alone, and of the touchpoint beside it, all but that.

    None for what recurs, and where the line says no more than the kind.
    """
    line = _line(found, plans)
    if line is None:
        return None
    return line.offer if found.kind is TouchpointKind.UPGRADE_TALK else line.kept


def planned_message(found: Touchpoint, plans: PlanTexts) -> Bilingual | None:
    """What the drafts of a plan's line say to the customer; None where they say what their kind does."""
    line = _line(found, plans)
    if line is None:
        return None
    return line.offer_message if found.kind is TouchpointKind.UPGRADE_TALK else line.message


def _line(found: Touchpoint, plans: PlanTexts) -> PlanLine | None:
    return next((line for line in plans.plans[found.bundle].lines if line.id == found.line_id), None)


def title(found: Touchpoint, plans: PlanTexts, texts: CadenceTexts) -> Bilingual:
    """What a touchpoint is, in a line."""
    return planned_line(found, plans) or texts.kinds[found.kind].title


def draft_body(found: Touchpoint, today: date, renewal: date, plans: PlanTexts, texts: CadenceTexts) -> Bilingual:
    """What is drafted on a day for a touchpoint that is no check-in."""
    message = planned_message(found, plans) or texts.kinds[found.kind].message
    if message is None:
        raise ValueError(f"a {found.kind} has a text of its own")
    day = proposed_day(found.due_on, today, texts)
    return texts.draft_body.format(message=message.format(date=named_day(day), renewal=named_day(renewal)))


def proposed_day(due: date, today: date, texts: CadenceTexts) -> date:
    """The day that a draft of a day proposes for what is due: a working day, not before either."""
    return working_day_from(max(due, today), texts.holidays)


def check_in_day(due: date, today: date, texts: CadenceTexts) -> date | None:
    """The day that a check-in's draft of a day proposes, always of the week of ``today``.

    The last working day that the week has left where it has none from ``due`` on; None where it has none left at all.
    """
    week = week_of_day(today)
    day = proposed_day(due, today, texts)
    if week_of_day(day) == week:
        return day
    left = (week + timedelta(days=number) for number in range(6, -1, -1))
    return next((day for day in left if day >= today and working_day_from(day, texts.holidays) == day), None)


def _unmet(customer_id: str, found: Sequence[Hold]) -> list[tuple[str, str, str]]:
    """What a refusal says of each reason: its kind, whom it is about, and the text in Arabic and English."""
    return [(hold.kind.name, f"customer/{customer_id}", f"{hold.reason.ar}\n{hold.reason.en}") for hold in found]


def complete(
    found: Touchpoint,
    actor: ActorLike,
    said: Completion,
    now: datetime,
    *,
    began_on: date,
    week_taken: bool,
    proof_pack_delivered: bool | None,
    texts: CadenceTexts,
) -> Touchpoint:
    """The touchpoint that took place. ``began_on`` is the day on which its plan began.

    ``week_taken``: another check-in took place in the week of ``completed_at``. Raises ``PersonRequired``, ``InvalidInput``,
    ``TouchpointStateRefused``, ``WeekTaken``, ``CheckInSuppressed`` and ``TouchpointHeld``.
    """
    require_person(actor, "complete_touchpoint")
    checks = Checks()
    earliest = min(began_on, found.planned_on) - timedelta(days=LEAD_DAYS)
    if said.completed_at > now:
        checks.note("complete_time", "IN_FUTURE", "must not lie in the future")
    elif said.completed_at < day_start(earliest):
        checks.note("complete_time", "BEFORE_PLAN", f"must not lie before {earliest}, {LEAD_DAYS} days before the plan")
    checks.done()
    require_open(found)
    if found.kind is TouchpointKind.WEEKLY_CHECK_IN and week_taken:
        raise week_is_taken(found.customer_id, week_key(said.completed_at))
    # A freeze holds what is sent over a channel, not the record of a talk that took place: inside Dealix there is none.
    against = holds(found, Channel.INTERNAL, said.context, texts, proof_pack_delivered=proof_pack_delivered)
    if against and found.kind is TouchpointKind.WEEKLY_CHECK_IN:
        raise check_in_suppressed(found.customer_id, against)
    if against:
        raise offer_held(found, against)
    return replace(
        found,
        state=TouchpointState.COMPLETED,
        completed_at=said.completed_at,
        completer=actor,
        # Why it was added stays where nothing else is noted.
        note=said.note or found.note,
        reference=said.reference,
        revision=found.revision + 1,
    )


def offer_held(found: Touchpoint, against: Sequence[Hold]) -> TouchpointHeld:
    """The refusal of an offer while something stands in its way."""
    return TouchpointHeld(
        "the offer is held back",
        _unmet(found.customer_id, against),
        touchpoint_id=found.touchpoint_id,
        customer_id=found.customer_id,
    )


def check_in_suppressed(customer_id: str, against: Sequence[Hold]) -> CheckInSuppressed:
    """The refusal of a check-in while a SEV1 or SEV2 is open, or nobody can tell whether one is."""
    return CheckInSuppressed(
        f"no weekly check-in: {', '.join(hold.kind.value for hold in against)}",
        _unmet(customer_id, against),
        customer_id=customer_id,
        **{"severity": hold.detail for hold in against if hold.kind is HoldKind.OPEN_INCIDENT},  # noqa: B035 (one at most)
    )


def reschedule(
    found: Touchpoint, actor: ActorLike, day: date, reason: str, today: date, renewal: date, taken: Iterable[date]
) -> Touchpoint:
    """The touchpoint on another day, waiting for it. ``taken`` are the days of the customer's other check-ins.

    Raises ``PersonRequired``, ``InvalidInput``, ``TouchpointStateRefused`` and ``WeekTaken``.
    """
    require_person(actor, "reschedule_touchpoint")
    checks = Checks()
    checks.text("reason", reason)
    _check_day(checks, day, today, renewal)
    checks.done()
    require_open(found)
    if found.kind is TouchpointKind.WEEKLY_CHECK_IN:
        require_free_week(found.customer_id, day, taken)
    return replace(
        found,
        state=TouchpointState.SCHEDULED,
        due_on=day,
        reschedule_reason=reason,
        fired_at=None,
        draft_id="",
        check_in_id="",
        revision=found.revision + 1,
    )


def require_person(actor: ActorLike, action: str) -> None:
    """Raises ``PersonRequired``."""
    if actor.kind != "person":
        raise PersonRequired("only a person may do this", action=action)


def require_open(found: Touchpoint) -> None:
    """Raises ``TouchpointStateRefused`` for one that is completed, missed or cancelled."""
    if not found.open:
        raise TouchpointStateRefused(
            "the touchpoint is closed", touchpoint_id=found.touchpoint_id, state=found.state.value
        )


def require_free_week(customer_id: str, day: date, taken: Iterable[date]) -> None:
    """Raises ``WeekTaken`` where one of the days lies in the same week."""
    if any(week_of_day(other) == week_of_day(day) for other in taken):
        raise week_is_taken(customer_id, week_of_day(day))


def week_is_taken(customer_id: str, week: date) -> WeekTaken:
    """The refusal of a second check-in in the week that begins on a Sunday."""
    return WeekTaken("the customer has a check-in in that week", customer_id=customer_id, week_start=week.isoformat())


def _check_day(checks: Checks, day: date, today: date, renewal: date) -> None:
    if day < today:
        checks.note("due_date", "IN_PAST", "must not lie before today")
    elif day > renewal:
        checks.note("due_date", "AFTER_RENEWAL", f"must not lie after the renewal on {renewal}")


def _line_slots(line: PlanLine, start: date) -> list[Slot]:
    day = _plan_day(start, line.day)
    kind = TouchpointKind(line.kind.value) if line.kind is not None else TouchpointKind.PLAN_STEP
    slots = [Slot(f"line/{line.id}", kind, day, line.day, line)]
    if line.upgrade_offer:
        slots.append(Slot(f"upgrade/{line.id}", TouchpointKind.UPGRADE_TALK, day, line.day, line))
    return slots


def _recurring(kind: TouchpointKind, day: date, start: date) -> Slot:
    return Slot(f"{kind.value}/{day.isoformat()}", kind, day, (day - start).days + 1)


def _plan_day(start: date, number: int) -> date:
    return start + timedelta(days=number - 1)


def week_of_day(day: date) -> date:
    """The Sunday whose week holds a day."""
    return week_key(day_start(day))


def _kind_texts(table: Reader, kind: TouchpointKind) -> KindTexts:
    title = table.bilingual("title")
    if kind in (TouchpointKind.WEEKLY_CHECK_IN, TouchpointKind.PLAN_STEP):
        return KindTexts(title, None)
    return KindTexts(title, table.bilingual("message", frozenset({"renewal" if kind in RENEWALS else "date"})))
