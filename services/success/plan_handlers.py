"""The use cases of plans and their touchpoints, and what happens when one falls due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.approvals import drafts
from services.domain.channels import Channel
from services.domain.context import Context
from services.domain.drafts import Draft, DraftKind, DraftState, NewDraft
from services.domain.errors import check_etag
from services.domain.riyadh import riyadh_date, week_key
from services.storage.database import Tx, UnitOfWork
from services.storage.paging import Key
from services.storage.timers import Timer, cancel_timer, set_timer
from services.success import activity_handlers, handlers, store
from services.success.domain.activity import proof_pack_delivered, week_facts
from services.success.domain.catalog import Catalog
from services.success.domain.check_ins import write_check_in
from services.success.domain.days import day_number, number_of
from services.success.domain.errors import (
    PlanNotFound,
    TouchpointExists,
    TouchpointNotFound,
    TouchpointStateRefused,
)
from services.success.domain.risk_history import high_since
from services.success.domain.stored_plans import (
    Consent,
    NewTerms,
    PlanChangeKind,
    PlanState,
    PlanTerms,
    StoredPlan,
    activate_plan,
    change_plan,
    end_plan,
    history_entry,
    require_active,
    set_renewal,
)
from services.success.domain.touchpoints import (
    RENEWALS,
    SUPPRESSIBLE,
    UNPLANNED,
    Completion,
    Hold,
    HoldKind,
    Slot,
    Touchpoint,
    TouchpointKind,
    TouchpointState,
    added_slot,
    check_in_suppressed,
    complete,
    context_holds,
    dated_slots,
    draft_body,
    due_moment,
    extended_until,
    falls_due_at,
    holds,
    kind_holds,
    offer_held,
    renewal_slots,
    reschedule,
    title,
    week_of_day,
    what_falls_due,
)

PLAN_TIMER = "plan"


@dataclass(frozen=True, slots=True)
class Shown:
    """A touchpoint with what stands in its way on a day; one that was drafted is held while anything does.

    ``due_day`` is the number of the day on which it was due then; ``undecided``: its draft waits for a person.
    """

    touchpoint: Touchpoint
    holds: tuple[Hold, ...]
    due_day: int
    undecided: bool


# --- plans ------------------------------------------------------------------------------------------------------------


def activate(
    unit: UnitOfWork, customer_id: str, terms: PlanTerms, note: str, catalog: Catalog
) -> tuple[StoredPlan, list[Touchpoint]]:
    """Activates a plan and dates its touchpoints from today on. Raises ``PlanExists``."""
    before = store.get_plan(unit.tx, customer_id)
    plan = activate_plan(customer_id, terms, before, unit.now, catalog.cadence)
    _keep(unit, plan, PlanChangeKind.ACTIVATED, note=note, new=before is None)
    made = _date_anew(unit, plan, catalog)
    made += _date_renewal(unit, plan, catalog)
    activity_handlers.refresh_risk(unit, customer_id, number_of(plan.since), catalog)
    _set_timer(unit, plan, catalog)
    return plan, sorted(made, key=store.touchpoint_key)


def change(
    unit: UnitOfWork, customer_id: str, new: NewTerms, consent: Consent, note: str, etag: str, catalog: Catalog
) -> tuple[StoredPlan, list[Touchpoint], int]:
    """Changes a plan with consent: the plan, its open touchpoints, and how many were cancelled."""
    before = get_plan(unit.tx, customer_id)
    check_etag(etag, before.etag)
    plan = change_plan(before, unit.actor, new, consent, unit.now, catalog.cadence)
    _keep(unit, plan, PlanChangeKind.CHANGED, note=note, consent=consent)
    cancelled = 0
    if plan.generation != before.generation:
        old = [found for found in store.open_touchpoints(unit.tx, customer_id) if found.kind not in UNPLANNED]
        cancelled = _cancel(unit, old)
        _date_anew(unit, plan, catalog)
    _set_timer(unit, plan, catalog)
    return plan, store.open_touchpoints(unit.tx, customer_id), cancelled


def renew(
    unit: UnitOfWork, customer_id: str, renewal: date, note: str, etag: str, catalog: Catalog
) -> tuple[StoredPlan, list[Touchpoint], int]:
    """Sets the renewal date: the plan, the touchpoints before the renewal, and how many were cancelled."""
    before = get_plan(unit.tx, customer_id)
    check_etag(etag, before.etag)
    plan = set_renewal(before, unit.actor, renewal, unit.now, catalog.cadence)
    _keep(unit, plan, PlanChangeKind.RENEWAL_SET, note=note)
    gone = [
        found
        for found in store.open_touchpoints(unit.tx, customer_id)
        if found.kind in RENEWALS or found.due_on > renewal
    ]
    cancelled = _cancel(unit, gone)
    made = _date_renewal(unit, plan, catalog)
    _date(unit, plan, before.dated_until, riyadh_date(unit.now), catalog)
    _set_timer(unit, plan, catalog)
    return plan, made, cancelled


def end(unit: UnitOfWork, customer_id: str, reason: str, etag: str, catalog: Catalog) -> tuple[StoredPlan, int]:
    """Ends a plan: the plan, and how many open touchpoints were cancelled."""
    before = get_plan(unit.tx, customer_id)
    check_etag(etag, before.etag)
    plan = end_plan(before, unit.actor, reason, unit.now)
    _keep(unit, plan, PlanChangeKind.ENDED, note=reason)
    cancelled = _cancel(unit, store.open_touchpoints(unit.tx, customer_id))
    _set_timer(unit, plan, catalog)
    return plan, cancelled


def get_plan(tx: Tx, customer_id: str) -> StoredPlan:
    """The plan. Raises ``PlanNotFound``."""
    found = store.get_plan(tx, customer_id)
    if found is None:
        raise PlanNotFound("no plan was activated for the customer", customer_id=customer_id)
    return found


def _keep(
    unit: UnitOfWork,
    plan: StoredPlan,
    kind: PlanChangeKind,
    *,
    note: str = "",
    consent: Consent | None = None,
    new: bool = False,
) -> None:
    store.save_plan(unit.tx, plan, new=new)
    number = store.last_change_number(unit.tx, plan.customer_id) + 1
    entry = history_entry(number, kind, plan, unit.actor, unit.now, note, consent)
    store.insert_change(unit.tx, plan.customer_id, entry)
    attributes = {
        "customer_id": plan.customer_id,
        "bundle_id": plan.bundle.value,
        "start_date": plan.start_on.isoformat(),
        "renewal_date": plan.renewal_on.isoformat(),
        "channel": plan.channel.value,
        "state": plan.state.value,
        "revision": str(plan.revision),
    }
    if consent is not None:
        attributes |= {"consent_contact": consent.contact_id, "consent_method": consent.method.value}
    fields = ("bundle_id", "start_date", "renewal_date", "channel", "state", *(("consent",) if consent else ()))
    unit.record(f"plan.{kind.value}", f"plan/{plan.customer_id}", fields=fields, attributes=attributes)


# --- dating -----------------------------------------------------------------------------------------------------------


def _date_anew(unit: UnitOfWork, plan: StoredPlan, catalog: Catalog) -> list[Touchpoint]:
    """The touchpoints of a new generation: what lay before today is not dated any more."""
    today = riyadh_date(unit.now)
    yesterday = date.fromordinal(min(plan.start_on, today).toordinal() - 1)
    slots = dated_slots(
        plan.bundle, plan.start_on, plan.renewal_on, yesterday, plan.dated_until, catalog.plans, catalog.cadence
    )
    return _insert(unit, plan, [slot for slot in slots if slot.day >= today], set())


def _date(unit: UnitOfWork, plan: StoredPlan, after: date, since: date, catalog: Catalog) -> list[Touchpoint]:
    """What recurs after a day, from another on, as far as the plan is dated now.

    What was cancelled beyond an earlier renewal comes back.
    """
    slots = dated_slots(
        plan.bundle, plan.start_on, plan.renewal_on, after, plan.dated_until, catalog.plans, catalog.cadence
    )
    taken = store.slots_of(unit.tx, plan.customer_id, plan.generation)
    return _insert(unit, plan, [slot for slot in slots if slot.day >= since], taken)


def _date_renewal(unit: UnitOfWork, plan: StoredPlan, catalog: Catalog) -> list[Touchpoint]:
    """The touchpoints before the renewal, but for those that took place for this very date before.

    One whose day is over is due today: nobody could know of it before.
    """
    kept = store.kept_slots_of(unit.tx, plan.customer_id)
    slots = [slot for slot in renewal_slots(plan.start_on, plan.renewal_on, catalog.cadence) if slot.key not in kept]
    taken = store.slots_of(unit.tx, plan.customer_id, plan.generation)
    return _insert(unit, plan, slots, taken, due_from=riyadh_date(unit.now))


def _insert(
    unit: UnitOfWork,
    plan: StoredPlan,
    slots: Iterable[Slot],
    taken: set[str],
    note: str = "",
    due_from: date = date.min,
) -> list[Touchpoint]:
    made = []
    for slot in slots:
        key = slot.key
        # A slot that was cancelled, as a renewal date that comes back, is dated again beside the cancelled one.
        again = 2
        while key in taken:
            key, again = f"{slot.key}#{again}", again + 1
        found = Touchpoint(
            touchpoint_id=unit.new_id("tch"),
            customer_id=plan.customer_id,
            generation=plan.generation,
            key=key,
            kind=slot.kind,
            state=TouchpointState.SCHEDULED,
            planned_on=slot.day,
            due_on=max(slot.day, due_from),
            plan_day=slot.plan_day,
            bundle=plan.bundle,
            line_id=slot.line.id if slot.line is not None else "",
            note=note,
        )
        store.insert_touchpoint(unit.tx, found)
        taken.add(key)
        made.append(found)
    return made


def _cancel(unit: UnitOfWork, gone: Sequence[Touchpoint]) -> int:
    today = day_number(unit.now)
    for before in gone:
        _withdraw_undecided(unit, before)
        found = replace(before, state=TouchpointState.CANCELLED, revision=before.revision + 1)
        store.save_touchpoint(unit.tx, found, before, today)
        _record(unit, "touchpoint.cancelled", found, ("state",))
    return len(gone)


def _set_timer(unit: UnitOfWork, plan: StoredPlan, catalog: Catalog) -> None:
    """One timer for each plan: of the next touchpoint to fall due, or of the day on which it is to be dated further."""
    timer_id = f"{PLAN_TIMER}/{plan.customer_id}"
    if plan.state is not PlanState.ACTIVE:
        cancel_timer(unit.tx, timer_id)
        return
    moments = [
        falls_due_at(found, catalog.cadence)
        for found in store.open_touchpoints(unit.tx, plan.customer_id)
        if _waits_for_its_day(found)
    ]
    if plan.dated_until < plan.renewal_on:
        near = date.fromordinal(plan.dated_until.toordinal() - catalog.cadence.extend_days)
        moments.append(due_moment(near, catalog.cadence))
    if moments:
        set_timer(unit.tx, timer_id, PLAN_TIMER, min(moments))
    else:
        cancel_timer(unit.tx, timer_id)


# --- what falls due ---------------------------------------------------------------------------------------------------


def fire_plan(unit: UnitOfWork, timer: Timer, catalog: Catalog) -> None:
    """What is due of a plan now: the draft of each touchpoint, once; and its recurring touchpoints dated further."""
    plan = store.get_plan(unit.tx, timer.timer_id.removeprefix(f"{PLAN_TIMER}/"))
    if plan is None or plan.state is not PlanState.ACTIVE:
        return
    plan = _extend(unit, plan, catalog)
    fire_due(unit, plan, catalog)
    _set_timer(unit, plan, catalog)


def fire_due(unit: UnitOfWork, plan: StoredPlan, catalog: Catalog) -> None:
    """Drafts, misses or cancels every touchpoint of the plan that has fallen due and was not looked at yet."""
    for found in store.open_touchpoints(unit.tx, plan.customer_id):
        if _waits_for_its_day(found) and falls_due_at(found, catalog.cadence) <= unit.now:
            _fire(unit, plan, found, catalog)


def _waits_for_its_day(found: Touchpoint) -> bool:
    """Whether an open touchpoint has no draft yet.

    So has an offer that was held without one, as it was once done: it gets one, and what holds it is told when it is shown.
    """
    return found.state is not TouchpointState.DRAFTED


def fire_risk(unit: UnitOfWork, timer: Timer, catalog: Catalog) -> None:
    """Raises the alert of a customer whose risk is high now, once for each time that it becomes high."""
    customer_id = timer.timer_id.removeprefix(f"{activity_handlers.RISK_TIMER}/")
    today = day_number(unit.now)
    found = store.stretches_from(unit.tx, customer_id, 0)
    since = high_since(found, today)
    if since is not None:
        handlers.raise_if_high(unit, customer_id, since, catalog)
    else:
        activity_handlers.set_risk_timer(unit, customer_id, catalog)


def _fire(unit: UnitOfWork, plan: StoredPlan, before: Touchpoint, catalog: Catalog) -> None:
    week_taken = store.held_check_in(unit.tx, plan.customer_id, unit.now) is not None
    state = what_falls_due(before, riyadh_date(unit.now), week_taken=week_taken)
    found = replace(before, state=state, fired_at=unit.now, revision=before.revision + 1)
    if state is TouchpointState.DRAFTED:
        if found.kind is TouchpointKind.WEEKLY_CHECK_IN:
            found = _with_check_in(unit, plan, found, catalog)
        else:
            found = replace(found, draft_id=_draft(unit, plan, found, catalog).draft_id)
    store.save_touchpoint(unit.tx, found, before, day_number(unit.now))
    _record(unit, f"touchpoint.{state.value}", found, ("state", "draft"))


def _with_check_in(unit: UnitOfWork, plan: StoredPlan, found: Touchpoint, catalog: Catalog) -> Touchpoint:
    """The touchpoint with the check-in of its week: the one that was written already, or a new one from what is on record."""
    written = store.check_in_of_week(unit.tx, plan.customer_id, week_key(unit.now))
    if written is None:
        day = day_number(unit.now)
        known = store.known_of(unit.tx, [plan.customer_id], day)[plan.customer_id]
        facts = week_facts(known, store.week_of(unit.tx, plan.customer_id, day))
        made = write_check_in(unit.new_id("chk"), plan.customer_id, facts, (), None, unit.now, catalog.check_in)
        written = handlers.keep_check_in(unit, made, plan.channel, found, catalog)
    return replace(found, check_in_id=written.check_in_id, draft_id=written.draft_id)


def _draft(unit: UnitOfWork, plan: StoredPlan, found: Touchpoint, catalog: Catalog) -> Draft:
    return drafts.create(
        unit,
        NewDraft(
            kind=DraftKind.TOUCHPOINT,
            subject=f"touchpoint/{found.touchpoint_id}",
            customer_id=found.customer_id,
            channel=plan.channel,
            title=title(found, catalog.plans, catalog.cadence),
            body=draft_body(found, riyadh_date(unit.now), plan.renewal_on, catalog.plans, catalog.cadence),
            due_at=due_moment(found.due_on, catalog.cadence),
        ),
    )


def _extend(unit: UnitOfWork, plan: StoredPlan, catalog: Catalog) -> StoredPlan:
    until = extended_until(plan.dated_until, riyadh_date(unit.now), plan.renewal_on, catalog.cadence)
    if until == plan.dated_until:
        return plan
    longer = replace(plan, dated_until=until, updated_at=unit.now, revision=plan.revision + 1)
    store.save_plan(unit.tx, longer, new=False)
    # After a long absence of the worker, what lay between is due late and not lost.
    made = _date(unit, longer, plan.dated_until, plan.dated_until, catalog)
    unit.record(
        "plan.dated",
        f"plan/{plan.customer_id}",
        fields=("dated_until", "touchpoints"),
        attributes={
            "customer_id": plan.customer_id,
            "dated_until": until.isoformat(),
            "touchpoints": str(len(made)),
            "revision": str(longer.revision),
        },
    )
    return longer


# --- touchpoints ------------------------------------------------------------------------------------------------------


def get_touchpoint(tx: Tx, touchpoint_id: str) -> Touchpoint:
    """The touchpoint. Raises ``TouchpointNotFound``."""
    found = store.get_touchpoint(tx, touchpoint_id)
    if found is None:
        raise TouchpointNotFound("no such touchpoint", touchpoint_id=touchpoint_id)
    return found


def add_touchpoint(
    unit: UnitOfWork, customer_id: str, key: str, day: date, reason: str, catalog: Catalog
) -> Touchpoint:
    """Adds a talk about a missed service level.

    Raises ``InvalidInput``, ``PlanNotFound``, ``PlanNotActive`` and ``TouchpointExists``.
    """
    plan = get_plan(unit.tx, customer_id)
    require_active(plan)
    slot = added_slot(key, day, reason, plan.start_on, plan.renewal_on, riyadh_date(unit.now))
    there = store.touchpoint_of_slot(unit.tx, customer_id, slot.key)
    if there is not None:
        raise TouchpointExists(
            "the customer has a touchpoint of this key", customer_id=customer_id, touchpoint_id=there.touchpoint_id
        )
    taken = store.slots_of(unit.tx, customer_id, plan.generation)
    (found,) = _insert(unit, plan, [slot], taken, note=reason)
    _record(unit, "touchpoint.added", found, ("due_date", "note", "state"))
    _set_timer(unit, plan, catalog)
    return found


def complete_touchpoint(
    unit: UnitOfWork,
    touchpoint_id: str,
    said: Completion,
    etag: str,
    catalog: Catalog,
) -> Touchpoint:
    """A person records that a touchpoint took place; a draft of it that nobody decided on is withdrawn.

    Of a check-in, the others that were drafted for the week in which it took place are cancelled.
    """
    before = get_touchpoint(unit.tx, touchpoint_id)
    check_etag(etag, before.etag)
    today = day_number(unit.now)
    found = complete(
        before,
        unit.actor,
        said,
        unit.now,
        began_on=get_plan(unit.tx, before.customer_id).began_on,
        week_taken=store.held_check_in(unit.tx, before.customer_id, said.completed_at) is not None,
        proof_pack_delivered=_proof_packs(unit.tx, [before.customer_id], today, said.context)[before.customer_id],
        texts=catalog.cadence,
    )
    _withdraw_undecided(unit, before)
    store.save_touchpoint(unit.tx, found, before, today)
    _record(unit, "touchpoint.completed", found, ("state", "complete_time", "completer", "note", "reference"))
    if found.kind is TouchpointKind.WEEKLY_CHECK_IN:
        _cancel(unit, _drafted_for_week(unit.tx, found.customer_id, said.completed_at))
    _refresh_timer(unit, found.customer_id, catalog)
    return found


def _drafted_for_week(tx: Tx, customer_id: str, moment: datetime) -> list[Touchpoint]:
    """The customer's open check-ins that fell due in the week of a moment. One that is still to fall due is cancelled then."""
    return [
        found
        for found in store.open_touchpoints(tx, customer_id)
        if found.kind is TouchpointKind.WEEKLY_CHECK_IN
        and found.fired_at is not None
        and week_key(found.fired_at) == week_key(moment)
    ]


def reschedule_touchpoint(
    unit: UnitOfWork, touchpoint_id: str, day: date, reason: str, etag: str, catalog: Catalog
) -> Touchpoint:
    """A person moves an open touchpoint to another day; a draft of it that nobody decided on is withdrawn."""
    before = get_touchpoint(unit.tx, touchpoint_id)
    check_etag(etag, before.etag)
    plan = get_plan(unit.tx, before.customer_id)
    taken = store.other_check_in_days(unit.tx, before.customer_id, touchpoint_id)
    found = reschedule(before, unit.actor, day, reason, riyadh_date(unit.now), plan.renewal_on, taken)
    draft = _decided(unit, before)
    if draft is not None:
        raise TouchpointStateRefused(
            "its draft was decided on", touchpoint_id=touchpoint_id, state=draft.state_at(unit.now).value
        )
    # The check-in of a week stays what it is when it is held on another day of that week.
    if found.kind is not TouchpointKind.WEEKLY_CHECK_IN or week_of_day(found.due_on) != week_of_day(before.due_on):
        _withdraw_undecided(unit, before)
    store.save_touchpoint(unit.tx, found, before, day_number(unit.now))
    _record(unit, "touchpoint.rescheduled", found, ("due_date", "state", "reschedule_reason"))
    _refresh_timer(unit, found.customer_id, catalog)
    return found


def require_usable(unit: UnitOfWork, draft: Draft, context: Context, catalog: Catalog) -> None:
    """Whether a draft may be approved now: none that can wait during a SEV1 or SEV2, and no upgrade offer too early.

    What nobody could tell of holds it as well. Raises ``CheckInSuppressed`` and ``TouchpointHeld``; a frozen channel is
    refused for every draft elsewhere.
    """
    against = [
        hold
        for hold in context_holds(draft.channel, draft.customer_id, context, catalog.cadence)
        if hold.kind is not HoldKind.FROZEN_CHANNEL
    ]
    if draft.kind is DraftKind.CHECK_IN and against:
        raise check_in_suppressed(draft.customer_id, against)
    found = store.get_touchpoint(unit.tx, draft.subject.removeprefix("touchpoint/"))
    if draft.kind is DraftKind.TOUCHPOINT and found is not None:
        delivered = _proof_packs(unit.tx, [found.customer_id], day_number(unit.now), context)[found.customer_id]
        in_the_way = [
            hold
            for hold in holds(found, draft.channel, context, catalog.cadence, proof_pack_delivered=delivered)
            if hold.kind is not HoldKind.FROZEN_CHANNEL
        ]
        if found.kind in SUPPRESSIBLE and in_the_way:
            raise offer_held(found, in_the_way)


def shown(
    tx: Tx,
    found: Sequence[store.Waiting],
    day: int,
    now: datetime,
    context: Context,
    catalog: Catalog,
) -> list[Shown]:
    """Touchpoints with what stands in their way on a day; ``context`` is of all their customers."""
    customers = sorted({waiting.touchpoint.customer_id for waiting in found})
    delivered = _proof_packs(tx, customers, day, context)
    channels = store.channels_of(tx, customers)
    undecided = store.undecided(tx, [one.touchpoint.draft_id for one in found if one.touchpoint.draft_id], now)
    made = []
    for waiting in found:
        one = waiting.touchpoint
        against = holds(
            one,
            channels.get(one.customer_id, Channel.UNSPECIFIED),
            context,
            catalog.cadence,
            proof_pack_delivered=delivered[one.customer_id],
        )
        if against and one.state is TouchpointState.DRAFTED:
            one = replace(one, state=TouchpointState.HELD)
        made.append(Shown(one, against, waiting.due_day, one.draft_id in undecided))
    return made


def page_of_touchpoints(
    tx: Tx,
    customer_id: str,
    state: TouchpointState | None,
    after: Key | None,
    limit: int,
    day: int,
    context: Context,
    catalog: Catalog,
) -> list[Touchpoint]:
    """A page of a customer's touchpoints in a state, or in any, as `shown` shows them on a day."""
    delivered = _proof_packs(tx, [customer_id], day, context)[customer_id]
    channel = store.channels_of(tx, [customer_id]).get(customer_id, Channel.UNSPECIFIED)
    held = [
        kind
        for kind in SUPPRESSIBLE
        if kind_holds(kind, customer_id, channel, context, catalog.cadence, proof_pack_delivered=delivered)
    ]
    return store.page_of_touchpoints(tx, customer_id, state, held, after, limit)


def _proof_packs(tx: Tx, customers: Sequence[str], day: int, context: Context) -> dict[str, bool | None]:
    """Of each customer, whether a Proof Pack was delivered by the end of a day; None where that is not known."""
    recorded = store.with_proof_pack(tx, customers, day)
    return {name: proof_pack_delivered(name in recorded, context.first_proof_pack, day) for name in customers}


def _refresh_timer(unit: UnitOfWork, customer_id: str, catalog: Catalog) -> None:
    _set_timer(unit, get_plan(unit.tx, customer_id), catalog)


def _decided(unit: UnitOfWork, found: Touchpoint) -> Draft | None:
    """The touchpoint's draft, where a person approved or sent it; None otherwise."""
    if not found.draft_id:
        return None
    draft = drafts.get(unit.tx, found.draft_id)
    decided = (DraftState.APPROVED, DraftState.EDITED_AND_APPROVED, DraftState.SENT_RECORDED)
    return draft if draft.state_at(unit.now) in decided else None


def _withdraw_undecided(unit: UnitOfWork, found: Touchpoint) -> None:
    """Takes back the draft that was made for a touchpoint, where nobody decided on it."""
    if found.draft_id and drafts.get(unit.tx, found.draft_id).state_at(unit.now) is DraftState.DRAFTED:
        drafts.withdraw(unit, found.draft_id)


def _record(unit: UnitOfWork, action: str, found: Touchpoint, fields: tuple[str, ...]) -> None:
    attributes = {
        "customer_id": found.customer_id,
        "kind": found.kind.value,
        "state": found.state.value,
        "due_date": found.due_on.isoformat(),
        "revision": str(found.revision),
    }
    if found.draft_id:
        attributes["draft_id"] = found.draft_id
    unit.record(action, f"touchpoint/{found.touchpoint_id}", fields=fields, attributes=attributes)
