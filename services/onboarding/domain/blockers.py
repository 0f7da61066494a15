"""Who keeps each open step from being completed, and since when: as a person recorded it, else as it follows from what is
stored.

A step is waited for once its turn has come: it is the current one, or its planned day has begun. Before that nobody blocks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import PreconditionFailed
from services.domain.riyadh import day_start
from services.domain.texts import Bilingual
from services.onboarding.domain.catalog import (
    BlockingParty,
    Catalog,
    ConnectorState,
    Party,
    Recovery,
    RecoveryCondition,
    Step,
)
from services.onboarding.domain.checklist import Checklist, StepState, join
from services.onboarding.domain.connections import Connection
from services.onboarding.domain.connectors import Summary, summarize
from services.onboarding.domain.credentials import check_no_credential
from services.onboarding.domain.risk import RiskReview
from services.onboarding.domain.schedule import began_at, days_late, planned_on

_CHANNELS = "channels_oauth"


class StepCompleted(PreconditionFailed):
    """A completed step waits for nobody. Metadata: ``customer_id``, ``step_id``."""

    reason: ClassVar[str] = "STEP_COMPLETED"


@dataclass(frozen=True, slots=True)
class RecordedBlocker:
    """What a person said of one step. Open while ``ended_at`` is None; ``since`` may lie before it was recorded."""

    customer_id: str
    step_id: str
    number: int
    party: BlockingParty
    since: datetime
    note: str
    recorder: ActorLike
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Blocker:
    """Who is waited for in a step now. ``note`` and ``recorder`` are those of a recorded one."""

    step_id: str
    party: BlockingParty
    reason_id: str
    since: datetime
    reason: Bilingual
    note: str = ""
    recorder: ActorLike | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that is stored of one onboarding, as far as it decides who is waited for and what would help.

    ``recorded`` are the customer's recorded blockers, open and ended; ``problem`` the open problem of a risk review.
    """

    checklist: Checklist
    connections: Mapping[str, Connection]
    recorded: tuple[RecordedBlocker, ...] = ()
    problem: RiskReview | None = None

    def states(self) -> dict[str, ConnectorState]:
        """The states of the connectors about which something was done."""
        return {key: connection.state for key, connection in self.connections.items()}


def check_blocker(
    catalog: Catalog, checklist: Checklist, step_id: str, since: datetime | None, note: str, *, at: datetime
) -> datetime:
    """Since when a step counts as blocked, once nothing is wrong with what was sent; ``since`` None means ``at``.

    Raises ``InvalidInput`` (unknown step, a time in the future or before the checklist was made, a credential) and
    ``StepCompleted``.
    """
    checks = Checks()
    _check_step(checks, catalog, step_id)
    check_no_credential(checks, "note", "", note)
    if since is not None and since > at:
        checks.note("since_time", "IN_FUTURE", "must not lie in the future")
    elif since is not None and since < checklist.created_at:
        checks.note("since_time", "BEFORE_CHECKLIST", "must not lie before the checklist was made")
    checks.done()
    if step_id in checklist.completed_ids():
        raise StepCompleted(
            "a completed step waits for nobody",
            [("STEP", step_id, "is completed")],
            customer_id=checklist.customer_id,
            step_id=step_id,
        )
    return since if since is not None else at


def check_step(catalog: Catalog, step_id: str) -> None:
    """Raises ``InvalidInput`` for an unknown step."""
    checks = Checks()
    _check_step(checks, catalog, step_id)
    checks.done()


def open_blocker(recorded: Iterable[RecordedBlocker], step_id: str) -> RecordedBlocker | None:
    """The recorded blocker of a step that still stands."""
    return next((b for b in recorded if b.step_id == step_id and b.ended_at is None), None)


def blocked_minutes(recorded: Iterable[RecordedBlocker], now: datetime) -> dict[BlockingParty, int]:
    """Minutes in recorded blockers by party, those that stand counted until ``now``; every party is there."""
    found = dict.fromkeys(BlockingParty, 0)
    for blocker in recorded:
        passed = (blocker.ended_at or now) - blocker.since
        found[blocker.party] += max(0, int(passed.total_seconds() // 60))
    return found


def blockers_of(catalog: Catalog, situation: Situation, now: datetime) -> dict[str, Blocker]:
    """By step id who is waited for, of every open step whose turn has come."""
    summary = summarize(catalog, situation.states())
    found: dict[str, Blocker] = {}
    for step, state in zip(catalog.steps, situation.checklist.steps, strict=True):
        if state.completed:
            continue
        recorded = open_blocker(situation.recorded, step.id)
        if recorded is not None:
            text = catalog.blockers["recorded"].format(step=step.title)
            found[step.id] = Blocker(
                step.id, recorded.party, "recorded", recorded.since, text, recorded.note, recorded.recorder
            )
            continue
        since = _turn_since(situation.checklist, step, now)
        if since is not None:
            found[step.id] = _derived(catalog, situation, summary, step, since, found)
    return found


def offered(catalog: Catalog, situation: Situation, now: datetime) -> tuple[Recovery, ...]:
    """The guidance whose condition holds now, in the order of the catalogue."""
    return tuple(r for r in catalog.recoveries if _holds(catalog, situation, r, now))


def _holds(catalog: Catalog, situation: Situation, recovery: Recovery, now: datetime) -> bool:
    step = catalog.step(recovery.step_id)
    assert step is not None
    checklist = situation.checklist
    state = _state(checklist, step.id)
    connection = situation.connections.get(recovery.connector_key or "")
    reached = connection.state if connection is not None else ConnectorState.NOT_STARTED
    match recovery.when:
        case RecoveryCondition.CONNECTOR_FAILED:
            return reached is ConnectorState.FAILED
        case RecoveryCondition.CONNECTOR_MISSING:
            come = state.completed or _turn_since(checklist, step, now) is not None
            return come and not reached.connected and reached is not ConnectorState.SKIPPED
        case RecoveryCondition.STEP_LATE:
            late = days_late(planned_on(checklist.start, step), None, now) > 0
            return not state.completed and (late or open_blocker(situation.recorded, step.id) is not None)
        case RecoveryCondition.RISK_PROBLEM_OPEN:
            return situation.problem is not None


def _derived(
    catalog: Catalog,
    situation: Situation,
    summary: Summary,
    step: Step,
    since: datetime,
    earlier: Mapping[str, Blocker],
) -> Blocker:
    """Who is waited for by what is stored; the first rule that applies."""
    completed = situation.checklist.completed_ids()

    def blocker(reason_id: str, party: BlockingParty, since: datetime, items: Iterable[Bilingual] = ()) -> Blocker:
        reason = catalog.blockers[reason_id].format(step=step.title, items=join(items))
        return Blocker(step.id, party, reason_id, since, reason)

    if step.needs_clean_risk and situation.problem is not None:
        return blocker("risk_problem", BlockingParty.DEALIX, max(since, situation.problem.recorded_at))
    waiting = next((r for r in step.requires if r not in completed), None)
    if waiting is not None:
        first = catalog.step(waiting)
        assert first is not None
        party = earlier[waiting].party if waiting in earlier else first.waits_for
        return blocker("earlier_step", party, since, [first.title])
    if step.requires_readiness and not summary.ready_for_first_service:
        blocking = [fix for fix in summary.fixes if fix.blocks_first_service]
        customers = any(fix.owner is Party.CUSTOMER for fix in blocking)
        names = [_name(catalog, fix.connector_key) for fix in blocking]
        return blocker(
            "connectors_missing", BlockingParty.CUSTOMER if customers else BlockingParty.DEALIX, since, names
        )
    failed = [c for c in situation.connections.values() if c.state is ConnectorState.FAILED]
    if step.input == _CHANNELS and failed:
        when = min(c.updated_at or since for c in failed)
        return blocker(
            "connectors_failed",
            BlockingParty.DEALIX,
            max(since, when),
            [_name(catalog, c.connector_key) for c in failed],
        )
    if step.waits_for is BlockingParty.CUSTOMER:
        return blocker("input_missing", BlockingParty.CUSTOMER, since)
    return blocker("our_work", BlockingParty.DEALIX, since)


def _turn_since(checklist: Checklist, step: Step, now: datetime) -> datetime | None:
    """Since when it is the turn of an open step; None where it has not come."""
    begun = max(checklist.created_at, began_at(checklist.start))
    moments = [day_start(planned_on(checklist.start, step))]
    if checklist.current_step_id == step.id:
        moments.append(max((s.completed_at for s in checklist.steps if s.completed_at is not None), default=begun))
    since = max(begun, min(moments))
    for required in step.requires:
        since = max(since, _state(checklist, required).completed_at or since)
    return since if since <= now else None


def _state(checklist: Checklist, step_id: str) -> StepState:
    return next(s for s in checklist.steps if s.step_id == step_id)


def _name(catalog: Catalog, key: str | None) -> Bilingual:
    connector = catalog.connector(key or "")
    return connector.name if connector is not None else catalog.any_connector


def _check_step(checks: Checks, catalog: Catalog, step_id: str) -> None:
    if catalog.step(step_id) is None:
        checks.note("step_id", "UNKNOWN_VALUE", f"must be one of: {', '.join(s.id for s in catalog.steps)}")
