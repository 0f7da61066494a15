"""What happened at a customer: events that are only ever added, and what is known from them on a day.

An event that was wrong is corrected by a later one that takes its place. What is known on a day is made from the events of
that day in Riyadh and before it that nothing took the place of; whatever was never recorded is not known, and never zero:

- *last active*: the last day of an event by which the customer shows itself (`SHOWS_ACTIVE`);
- *drafts pending*: created less approved and rejected; not known before any was created, or where more were decided than
  created;
- *Proof Pack*: the last delivery, on record here or, of the first, with onboarding. That there was none yet is known where
  onboarding answered; where it was not asked, once the customer has a plan, since deliveries are recorded from its start;
- *approval rate*: approved of decided in the last 30 days; *meetings*: in the last 30 days, once any was recorded, a count
  of 0 included; *csat* and *pipeline*: the last value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from services.domain.actors import ActorLike
from services.domain.checks import MAX_COUNT, MAX_SAR, Checks
from services.domain.context import FirstProofPack
from services.success.domain.at_risk import AtRiskFacts
from services.success.domain.check_in import CheckInFacts
from services.success.domain.days import day_number, day_of
from services.success.domain.errors import ActivityCorrected, ActivityNotFound
from services.success.domain.health import HealthFacts

WINDOW_DAYS = 30
WEEK_DAYS = 7
MAX_CSAT = 10


class ActivityKind(StrEnum):
    SEEN_ACTIVE = "seen_active"
    DRAFTS_CREATED = "drafts_created"
    DRAFTS_APPROVED = "drafts_approved"
    DRAFTS_REJECTED = "drafts_rejected"
    REPLIES = "replies"
    MEETINGS = "meetings"
    RISKS_BLOCKED = "risks_blocked"
    PROOF_PACK_DELIVERED = "proof_pack_delivered"
    PROOF_PACK_APPROVED = "proof_pack_approved"
    CSAT = "csat"
    PIPELINE_SAR = "pipeline_sar"
    RETRACTED = "retracted"


COUNTED = frozenset(
    {
        ActivityKind.DRAFTS_CREATED,
        ActivityKind.DRAFTS_APPROVED,
        ActivityKind.DRAFTS_REJECTED,
        ActivityKind.REPLIES,
        ActivityKind.MEETINGS,
        ActivityKind.RISKS_BLOCKED,
    }
)
_VALUED: Mapping[ActivityKind, int] = {ActivityKind.CSAT: MAX_CSAT, ActivityKind.PIPELINE_SAR: MAX_SAR}

# What the customer does, not what we do or what others answer. A count of 0 shows nothing.
SHOWS_ACTIVE = frozenset(
    {
        ActivityKind.SEEN_ACTIVE,
        ActivityKind.DRAFTS_APPROVED,
        ActivityKind.DRAFTS_REJECTED,
        ActivityKind.PROOF_PACK_APPROVED,
        ActivityKind.CSAT,
    }
)


@dataclass(frozen=True, slots=True)
class NewActivity:
    """An event to record. ``count`` and ``value`` are None where not given; ``corrects`` is empty for no correction."""

    kind: ActivityKind
    occurred_at: datetime
    count: int | None = None
    value: float | None = None
    reference: str = ""
    corrects: str = ""


@dataclass(frozen=True, slots=True)
class Activity:
    """A recorded event. ``count`` is 1 for kinds that are not counted; ``corrected_by`` is empty while it counts."""

    activity_id: str
    customer_id: str
    kind: ActivityKind
    occurred_at: datetime
    recorded_at: datetime
    count: int
    value: float | None
    reference: str
    corrects: str
    actor: ActorLike
    corrected_by: str = ""


@dataclass(frozen=True, slots=True)
class Total:
    """Events of one kind up to a day: the last day of one that counted anything, and the sum of their counts."""

    last_day: int | None
    count: int


@dataclass(frozen=True, slots=True)
class OnDay:
    """The counts of one kind on one day."""

    day: int
    kind: ActivityKind
    count: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What a customer's risk is made of, as it stands from some day on while nothing new happens. Days are numbers.

    ``no_proof_pack_yet``: that none was delivered is known.
    """

    last_active_day: int | None = None
    drafts_pending: int | None = None
    proof_pack_day: int | None = None
    no_proof_pack_yet: bool = False

    def facts(self, day: int) -> AtRiskFacts:
        """What it comes to on a day."""
        return AtRiskFacts(
            days_inactive=None if self.last_active_day is None else day - self.last_active_day,
            drafts_pending=self.drafts_pending,
            days_since_proof_pack=None if self.proof_pack_day is None else day - self.proof_pack_day,
            no_proof_pack_yet=self.no_proof_pack_yet,
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a customer on a day; see the module's text. None is not known; days are numbers.

    ``plan_since`` is the day from which the customer has a plan; ``first_proof_pack`` what onboarding was found to have on
    record, None where it was not asked or, ``unanswered``, could not tell.
    """

    customer_id: str
    day: int
    totals: Mapping[ActivityKind, Total]
    window: Mapping[ActivityKind, int]
    csat: float | None
    pipeline_sar: float | None
    plan_since: int | None
    first_proof_pack: FirstProofPack | None = None
    unanswered: bool = False

    @property
    def profile(self) -> Profile:
        has_plan = self.plan_since is not None and self.plan_since <= self.day
        found, first = profile(self.totals, has_plan and not self.unanswered), self.first_proof_pack
        if first is None:
            return found
        known = [day for day in (found.proof_pack_day, delivery_day(first, self.day)) if day is not None]
        return replace(found, proof_pack_day=max(known, default=None), no_proof_pack_yet=not known)

    @property
    def last_active_on(self) -> date | None:
        day = self.profile.last_active_day
        return None if day is None else day_of(day)

    @property
    def proof_pack_on(self) -> date | None:
        day = self.profile.proof_pack_day
        return None if day is None else day_of(day)

    @property
    def proof_packs_delivered(self) -> int:
        known = self.first_proof_pack is not None and delivery_day(self.first_proof_pack, self.day) is not None
        return max(self._total(ActivityKind.PROOF_PACK_DELIVERED), int(known))

    @property
    def proof_packs_approved(self) -> int:
        return self._total(ActivityKind.PROOF_PACK_APPROVED)

    @property
    def drafts_decided(self) -> tuple[int, int] | None:
        """Approved and rejected in the window; None where none was ever decided."""
        kinds = (ActivityKind.DRAFTS_APPROVED, ActivityKind.DRAFTS_REJECTED)
        if not any(kind in self.totals for kind in kinds):
            return None
        return self.window.get(kinds[0], 0), self.window.get(kinds[1], 0)

    @property
    def meetings(self) -> int | None:
        """In the window; None where none was ever recorded."""
        if ActivityKind.MEETINGS not in self.totals:
            return None
        return self.window.get(ActivityKind.MEETINGS, 0)

    @property
    def health_facts(self) -> HealthFacts:
        """What the health score is made of."""
        risk = self.profile.facts(self.day)
        decided = self.drafts_decided
        rate = decided[0] / sum(decided) if decided and sum(decided) else None
        return HealthFacts(
            csat=self.csat,
            pipeline_sar=self.pipeline_sar,
            meetings=self.meetings,
            approval_rate=rate,
            days_inactive=risk.days_inactive,
            drafts_pending=risk.drafts_pending,
        )

    def _total(self, kind: ActivityKind) -> int:
        total = self.totals.get(kind)
        return total.count if total is not None else 0


@dataclass(slots=True)
class Tally:
    """Totals that days are added to."""

    totals: dict[ActivityKind, Total]

    def add(self, found: OnDay) -> None:
        """One kind's counts of a day that is not before any added before."""
        before = self.totals.get(found.kind, Total(None, 0))
        self.totals[found.kind] = Total(found.day if found.count else before.last_day, before.count + found.count)


def delivery_day(first: FirstProofPack, day: int) -> int | None:
    """The day of the first Proof Pack's delivery, if it was delivered by the end of a day."""
    delivered = None if first.delivered_at is None else day_number(first.delivered_at)
    return delivered if delivered is not None and delivered <= day else None


def proof_pack_delivered(recorded: bool, first: FirstProofPack | None, day: int) -> bool | None:
    """Whether a Proof Pack was delivered by the end of a day, as ``recorded`` here or by what is known of the first.

    None where neither tells: an offer goes by what is on record alone, and not by the plan as `profile` does.
    """
    if recorded or first is None:
        return recorded or None
    return delivery_day(first, day) is not None


def profile(totals: Mapping[ActivityKind, Total], has_plan: bool) -> Profile:
    """What a customer's risk is made of where onboarding was not asked: the totals, and whether there is a plan."""
    shown = [total.last_day for kind, total in totals.items() if kind in SHOWS_ACTIVE and total.last_day is not None]
    delivered = totals.get(ActivityKind.PROOF_PACK_DELIVERED)
    pack_day = delivered.last_day if delivered is not None else None
    return Profile(
        last_active_day=max(shown, default=None),
        drafts_pending=_pending(totals),
        proof_pack_day=pack_day,
        no_proof_pack_yet=pack_day is None and has_plan,
    )


def check_events(events: Sequence[NewActivity], now: datetime) -> None:
    """Raises ``InvalidInput`` naming everything that is wrong with any of the events."""
    checks = Checks()
    corrected: set[str] = set()
    for number, event in enumerate(events):
        at = f"events[{number}]"
        if event.occurred_at > now:
            checks.note(f"{at}.occur_time", "IN_FUTURE", "must not lie in the future")
        if event.kind in COUNTED:
            checks.count(f"{at}.count", event.count, maximum=MAX_COUNT)
        elif event.count is not None:
            checks.note(f"{at}.count", "NOT_COUNTED", f"must be absent for {event.kind}")
        if event.kind in _VALUED:
            if event.value is None:
                checks.note(f"{at}.value", "REQUIRED", f"must be given for {event.kind}")
            checks.amount(f"{at}.value", event.value, _VALUED[event.kind])
        elif event.value is not None:
            checks.note(f"{at}.value", "NO_VALUE", f"must be absent for {event.kind}")
        if event.kind is ActivityKind.RETRACTED and not event.corrects:
            checks.note(f"{at}.corrects_activity_id", "REQUIRED", "must name what did not happen")
        if event.corrects and event.corrects in corrected:
            checks.note(f"{at}.corrects_activity_id", "REPEATED", "an event is corrected once in a request")
        corrected.add(event.corrects)
    checks.done()


def recorded(activity_id: str, customer_id: str, new: NewActivity, actor: ActorLike, now: datetime) -> Activity:
    """The event as it is kept."""
    count = 0 if new.kind is ActivityKind.RETRACTED else 1
    return Activity(
        activity_id=activity_id,
        customer_id=customer_id,
        kind=new.kind,
        occurred_at=new.occurred_at,
        recorded_at=now,
        count=count if new.count is None else new.count,
        value=new.value,
        reference=new.reference,
        corrects=new.corrects,
        actor=actor,
    )


def require_correctable(activity_id: str, customer_id: str, found: Activity | None) -> Activity:
    """The event to correct. Raises ``ActivityNotFound`` and ``ActivityCorrected``."""
    if found is None or found.customer_id != customer_id:
        raise ActivityNotFound("the customer has no such event", activity_id=activity_id, customer_id=customer_id)
    if found.corrected_by:
        raise ActivityCorrected(
            "the event was corrected before", activity_id=activity_id, corrected_by=found.corrected_by
        )
    return found


def week_facts(known: Known, week: Mapping[ActivityKind, int]) -> CheckInFacts:
    """The numbers of a check-in from what was recorded in the week; None for what was never recorded."""

    def counted(kind: ActivityKind) -> int | None:
        return week.get(kind, 0) if kind in known.totals else None

    return CheckInFacts(
        drafts_approved=counted(ActivityKind.DRAFTS_APPROVED),
        replies=counted(ActivityKind.REPLIES),
        meetings=counted(ActivityKind.MEETINGS),
        risks_blocked=counted(ActivityKind.RISKS_BLOCKED),
        pipeline_sar=known.pipeline_sar,
    )


def _pending(totals: Mapping[ActivityKind, Total]) -> int | None:
    created = totals.get(ActivityKind.DRAFTS_CREATED)
    if created is None:
        return None
    decided = sum(
        total.count
        for kind, total in totals.items()
        if kind in (ActivityKind.DRAFTS_APPROVED, ActivityKind.DRAFTS_REJECTED)
    )
    return created.count - decided if decided <= created.count else None
