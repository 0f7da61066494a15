"""The success plan of one customer through its life: activated, changed with consent, renewed, ended (specification §4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from services.domain.actors import ActorLike
from services.domain.channels import Channel
from services.domain.checks import Checks
from services.domain.riyadh import riyadh_date
from services.success.domain.errors import PlanExists, PlanNotActive
from services.success.domain.plans import Bundle
from services.success.domain.touchpoints import MAX_PLAN_YEARS, CadenceTexts, dated_until, require_person


class PlanState(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"


class ConsentMethod(StrEnum):
    EMAIL = "email"
    WHATSAPP = "whatsapp"
    PHONE = "phone"
    MEETING = "meeting"
    SIGNED_DOCUMENT = "signed_document"


class PlanChangeKind(StrEnum):
    ACTIVATED = "activated"
    CHANGED = "changed"
    RENEWAL_SET = "renewal_set"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Consent:
    """The customer's yes: who there (an id, no name), how, when (UTC), and where it is kept."""

    contact_id: str
    method: ConsentMethod
    consented_at: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A customer's plan. Dates are days in Riyadh, times UTC; ``revision`` counts its changes from 1.

    ``since`` is the start of the customer's first plan. ``generation`` counts the plans that touchpoints were dated by.
    ``dated_until``: how far recurring touchpoints are dated.
    """

    customer_id: str
    bundle: Bundle
    start_on: date
    renewal_on: date
    dated_until: date
    since: date
    channel: Channel
    state: PlanState
    activated_at: datetime
    updated_at: datetime
    generation: int = 1
    revision: int = 1

    @property
    def began_on(self) -> date:
        """The day from which there was a plan: that of its start, or of its activation where it was activated before."""
        return min(self.start_on, riyadh_date(self.activated_at))

    @property
    def etag(self) -> str:
        return f"r{self.revision}"


@dataclass(frozen=True, slots=True)
class PlanChange:
    """One entry of a plan's history: what the plan was after it. ``number`` counts from 1."""

    number: int
    kind: PlanChangeKind
    bundle: Bundle
    start_on: date
    renewal_on: date
    channel: Channel
    note: str
    actor: ActorLike
    recorded_at: datetime
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan is activated with; the renewal lies after the start (`check_renewal`)."""

    bundle: Bundle
    start_on: date
    renewal_on: date
    channel: Channel


@dataclass(frozen=True, slots=True)
class NewTerms:
    """What a plan is changed to; None stays."""

    bundle: Bundle | None
    start_on: date | None
    channel: Channel | None


def activate_plan(
    customer_id: str, terms: PlanTerms, before: StoredPlan | None, now: datetime, texts: CadenceTexts
) -> StoredPlan:
    """The active plan. ``before`` is the customer's earlier one. Raises ``PlanExists``."""
    if before is not None and before.state is PlanState.ACTIVE:
        raise PlanExists("the customer has an active plan", customer_id=customer_id, bundle_id=before.bundle.value)
    return StoredPlan(
        customer_id=customer_id,
        bundle=terms.bundle,
        start_on=terms.start_on,
        renewal_on=terms.renewal_on,
        dated_until=dated_until(terms.start_on, riyadh_date(now), terms.renewal_on, texts),
        since=before.since if before is not None else terms.start_on,
        channel=terms.channel,
        state=PlanState.ACTIVE,
        activated_at=now,
        updated_at=now,
        generation=before.generation + 1 if before is not None else 1,
        revision=before.revision + 1 if before is not None else 1,
    )


def change_plan(
    plan: StoredPlan, actor: ActorLike, new: NewTerms, consent: Consent, now: datetime, texts: CadenceTexts
) -> StoredPlan:
    """The changed plan, dated anew where bundle or start change.

    Raises ``PersonRequired``, ``PlanNotActive`` and ``InvalidInput``.
    """
    require_person(actor, "change_plan")
    require_active(plan)
    today = riyadh_date(now)
    bundle = new.bundle or plan.bundle
    channel = new.channel or plan.channel
    start = new.start_on or (today if bundle is not plan.bundle else plan.start_on)
    checks = Checks()
    if consent.consented_at > now:
        checks.note("consent.consent_time", "IN_FUTURE", "must not lie in the future")
    if new.start_on is not None and new.start_on < today:
        checks.note("start_date", "IN_PAST", "must not lie before today")
    check_renewal(checks, start, plan.renewal_on, field="start_date")
    if (bundle, channel, start) == (plan.bundle, plan.channel, plan.start_on):
        checks.note("bundle_id", "NOTHING_TO_CHANGE", "must name another bundle, start or channel than the present one")
    checks.done()
    if (bundle, start) == (plan.bundle, plan.start_on):
        return _changed(plan, now, channel=channel)
    return _changed(
        plan,
        now,
        bundle=bundle,
        channel=channel,
        start_on=start,
        dated_until=dated_until(start, today, plan.renewal_on, texts),
        generation=plan.generation + 1,
    )


def set_renewal(plan: StoredPlan, actor: ActorLike, renewal: date, now: datetime, texts: CadenceTexts) -> StoredPlan:
    """The plan with another renewal date. Raises ``PersonRequired``, ``PlanNotActive`` and ``InvalidInput``."""
    require_person(actor, "set_renewal_date")
    require_active(plan)
    today = riyadh_date(now)
    checks = Checks()
    check_renewal(checks, plan.start_on, renewal)
    if renewal <= today:
        checks.note("renewal_date", "NOT_AFTER_TODAY", "must lie after today")
    if renewal == plan.renewal_on:
        checks.note("renewal_date", "NOTHING_TO_CHANGE", "must be another date than the present one")
    checks.done()
    return _changed(
        plan,
        now,
        renewal_on=renewal,
        dated_until=min(renewal, max(plan.dated_until, dated_until(plan.start_on, today, renewal, texts))),
    )


def end_plan(plan: StoredPlan, actor: ActorLike, reason: str, now: datetime) -> StoredPlan:
    """The ended plan. Raises ``PersonRequired``, ``PlanNotActive`` and ``InvalidInput``."""
    require_person(actor, "end_plan")
    require_active(plan)
    checks = Checks()
    checks.text("reason", reason)
    checks.done()
    return _changed(plan, now, state=PlanState.ENDED)


def require_active(plan: StoredPlan) -> None:
    """Raises ``PlanNotActive``."""
    if plan.state is not PlanState.ACTIVE:
        raise PlanNotActive("the plan has ended", customer_id=plan.customer_id)


def history_entry(
    number: int,
    kind: PlanChangeKind,
    plan: StoredPlan,
    actor: ActorLike,
    now: datetime,
    note: str = "",
    consent: Consent | None = None,
) -> PlanChange:
    """What happened to a plan, as its history keeps it."""
    return PlanChange(
        number, kind, plan.bundle, plan.start_on, plan.renewal_on, plan.channel, note, actor, now, consent
    )


def check_renewal(checks: Checks, start: date, renewal: date, field: str = "renewal_date") -> None:
    """Notes a renewal that does not lie after the start, or too long after it."""
    if renewal <= start:
        checks.note(field, "RENEWAL_NOT_AFTER_START", "the renewal must lie after the start")
    elif (renewal - start).days > MAX_PLAN_YEARS * 366:
        checks.note(field, "TOO_LONG", f"the renewal must lie at most {MAX_PLAN_YEARS} years after the start")


def _changed(plan: StoredPlan, now: datetime, **fields: object) -> StoredPlan:
    return replace(plan, updated_at=now, revision=plan.revision + 1, **fields)  # type: ignore[arg-type]
