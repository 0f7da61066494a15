"""What an incident obliges Dealix to, computed at a moment from what was recorded by then (specification §2).

Every obligation is a fold over the timeline and a table of rules. Two times of each line matter: when it happened decides
whether something was in time, when it was recorded decides who could know it. So an answer of the past can be had again.

What is met is judged by the severity that held when that was recorded; what is open, by the severity that holds now,
counted from its original start. A drill owes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks, has_visible_text
from services.domain.errors import PreconditionFailed
from services.domain.riyadh import day_start, is_working_day, riyadh_date
from services.domain.texts import Bilingual, Reader, TextsFile
from services.incidents.domain.lifecycle import LateReasonRequired, check_moment, require_person
from services.incidents.domain.severity import TEXTS, Catalog, Severity, SeverityDetails
from services.incidents.domain.timeline import TimelineKind, TimelineLine

INSTANT = timedelta(microseconds=1)
"""The step of stored times: one after its due time, an obligation is breached."""

_DAY = timedelta(days=1)
PDPL_LIMIT = timedelta(hours=72)


class ObligationKind(StrEnum):
    FIRST_ACTION = "first_action"
    NEXT_UPDATE = "next_update"
    POST_MORTEM = "post_mortem"
    PDPL_AUTHORITY = "pdpl_authority"
    DATA_SUBJECTS = "data_subjects"


class ObligationState(StrEnum):
    NOT_STARTED = "not_started"
    RUNNING = "running"
    AT_RISK = "at_risk"
    PAUSED = "paused"
    BREACHED = "breached"
    MET = "met"
    MET_LATE = "met_late"
    NOT_REQUIRED = "not_required"
    CANCELLED = "cancelled"


OPEN = frozenset(
    {
        ObligationState.NOT_STARTED,
        ObligationState.RUNNING,
        ObligationState.AT_RISK,
        ObligationState.PAUSED,
        ObligationState.BREACHED,
    }
)
"""Something is owed still."""


class StartEvent(StrEnum):
    """What an obligation counts from."""

    AWARE = "aware"
    DECLARED = "declared"
    RESOLVED = "resolved"
    LAST_UPDATE = "last_update"


class ClockKind(StrEnum):
    """``wall`` runs day and night; ``calendar`` counts the working days of Riyadh only, each from midnight to midnight."""

    WALL = "wall"
    CALENDAR = "calendar"


class Condition(StrEnum):
    """Which incidents have the obligation."""

    ALWAYS = "always"
    DATA_LEAKED = "data_leaked"


class Column(StrEnum):
    """A column of the table of severities that gives a length."""

    FIRST_ACTION_MINUTES = "first_action_minutes"
    UPDATE_INTERVAL_MINUTES = "update_interval_minutes"
    POST_MORTEM_HOURS = "post_mortem_hours"


@dataclass(frozen=True, slots=True)
class Rule:
    """One obligation. ``lengths`` holds the severities that have it. ``legal`` is None for a rule of the house."""

    kind: ObligationKind
    text: Bilingual
    start: StartEvent
    lengths: Mapping[Severity, timedelta]
    clock: ClockKind = ClockKind.WALL
    condition: Condition = Condition.ALWAYS
    pausable: bool = False
    waivable: bool = False
    enabled: bool = True
    legal: Bilingual | None = None

    @property
    def recurs(self) -> bool:
        """Whether it comes round with every update."""
        return self.start is StartEvent.LAST_UPDATE


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in the order of lists. From ``at_risk_percent`` of its time on an obligation is at risk."""

    version: str
    at_risk_percent: int
    rules: tuple[Rule, ...]

    def rule(self, kind: ObligationKind) -> Rule:
        return next(rule for rule in self.rules if rule.kind is kind)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of an incident beside its timeline. ``leak``: data was known to have leaked when it was declared."""

    incident_id: str
    aware_at: datetime
    declared_at: datetime
    leak: bool
    drill: bool


@dataclass(frozen=True, slots=True)
class Obligation:
    """An obligation as known at a moment; times are UTC.

    ``started_at`` is None while what it counts from has not happened, ``due_at`` also while its clock stands still.
    ``ended_at`` is when it was met, waived or cancelled, ``recorded_at`` when that was written down. ``breached``: its time
    passed while it was open, whatever came later.
    """

    incident_id: str
    rule: Rule
    number: int
    state: ObligationState
    severity: Severity
    started_at: datetime | None
    due_at: datetime | None
    breached: bool
    ended_at: datetime | None = None
    recorded_at: datetime | None = None
    ended_by: ActorLike | None = None
    reason: str = ""

    @property
    def kind(self) -> ObligationKind:
        return self.rule.kind

    @property
    def obligation_id(self) -> str:
        """Unique in the incident: the kind, and its number where it comes round."""
        return obligation_id(self.rule, self.number)

    @property
    def open(self) -> bool:
        return self.state in OPEN


def obligation_id(rule: Rule, number: int) -> str:
    return f"{rule.kind}-{number}" if rule.recurs else rule.kind.value


class ObligationStateRefused(PreconditionFailed):
    """The obligation's state does not allow it. Metadata: ``incident_id``, ``obligation``, ``state`` (``none``: not owed)."""

    reason: ClassVar[str] = "OBLIGATION_STATE_REFUSED"


# --- the clock --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch in which clocks stood still; ``end`` None while they do."""

    start: datetime
    end: datetime | None


def deadline(start: datetime, length: timedelta, clock: ClockKind, pauses: Sequence[Pause]) -> datetime | None:
    """The first moment by which ``length`` of countable time has passed since ``start``; None while that never comes.

    ``pauses`` are in order and do not overlap. Time counts outside of them and, by the calendar, on working days.
    """
    now, left = start, length
    ahead = [pause for pause in pauses if pause.end is None or pause.end > start]
    while True:
        if ahead and ahead[0].start <= now:
            end = ahead.pop(0).end
            if end is None:
                return None
            now = end
            continue
        bound = ahead[0].start if ahead else None
        if clock is ClockKind.CALENDAR:
            day = riyadh_date(now)
            midnight = day_start(day + _DAY)
            if not is_working_day(day):
                now = midnight
                continue
            bound = midnight if bound is None else min(bound, midnight)
        if bound is None or left <= bound - now:
            return now + left
        left -= bound - now
        now = bound


# --- the fold ---------------------------------------------------------------------------------------------------------

CLOCK_KINDS = frozenset(
    {
        TimelineKind.DECLARED,
        TimelineKind.SEVERITY_RAISED,
        TimelineKind.FINDING_RECORDED,
        TimelineKind.ACTIVATED,
        TimelineKind.RESOLVED,
        TimelineKind.CANCELLED,
        TimelineKind.DUPLICATE_MARKED,
        TimelineKind.DUPLICATE_MERGED,
        TimelineKind.UPDATE_RECORDED,
        TimelineKind.CLOCKS_PAUSED,
        TimelineKind.CLOCKS_RESUMED,
        TimelineKind.OBLIGATION_COMPLETED,
        TimelineKind.OBLIGATION_WAIVED,
        TimelineKind.OBLIGATION_BREACHED,
    }
)
"""Lines that move a clock, or say that a breach was reported."""

LEAK_AWARE = "leak_aware"
"""The detail of a line that tells since when Dealix knows of a leak (ISO 8601, UTC)."""
REASON = "reason"
"""The detail of a line that tells why something was late or is not required."""

_OVER = frozenset({TimelineKind.CANCELLED, TimelineKind.DUPLICATE_MARKED})


@dataclass(slots=True)
class _Fold:
    """The timeline read up to some line."""

    beginning: Beginning
    policy: Policy
    severity: Severity
    update_from: datetime
    leak_at: datetime | None
    update_number: int = 1
    resolved_at: datetime | None = None
    pauses: list[Pause] = field(default_factory=list)
    ended: dict[str, Obligation] = field(default_factory=dict)
    over: bool = False

    def read(self, line: TimelineLine) -> None:
        entry = line.entry
        kind = entry.kind
        # Ends are judged by what held before their line.
        if kind is TimelineKind.ACTIVATED:
            self._meet(ObligationKind.FIRST_ACTION.value, line)
        elif kind is TimelineKind.UPDATE_RECORDED:
            self._meet(f"{ObligationKind.NEXT_UPDATE}-{self.update_number}", line)
            self.update_number += 1
            self.update_from = entry.occurred_at
        elif kind is TimelineKind.OBLIGATION_COMPLETED:
            self._meet(entry.subject, line)
        elif kind is TimelineKind.OBLIGATION_WAIVED:
            self._end(entry.subject, line, ObligationState.NOT_REQUIRED)
        elif kind is TimelineKind.RESOLVED:
            self._cancel(line, only_updates=True)
            self.resolved_at = entry.occurred_at
        elif kind in _OVER:
            self._cancel(line)
            self.over = True
        elif kind is TimelineKind.CLOCKS_PAUSED:
            self.pauses.append(Pause(entry.recorded_at, None))
        elif kind is TimelineKind.CLOCKS_RESUMED and self.pauses:
            self.pauses[-1] = replace(self.pauses[-1], end=entry.recorded_at)
        if LEAK_AWARE in entry.detail:
            aware = datetime.fromisoformat(entry.detail[LEAK_AWARE])
            self.leak_at = aware if self.leak_at is None else min(self.leak_at, aware)
        self.severity = entry.severity

    def _meet(self, wanted: str, line: TimelineLine) -> None:
        before = self.ended.get(wanted)
        if before is None or before.state is ObligationState.NOT_REQUIRED:
            self._end(wanted, line, ObligationState.MET)

    def _end(self, wanted: str, line: TimelineLine, state: ObligationState) -> None:
        found = next((each for each in self.current(None) if each.obligation_id == wanted), None)
        if found is None:
            return
        entry = line.entry
        late = found.due_at is not None and entry.occurred_at > found.due_at
        if state is ObligationState.MET and late:
            state = ObligationState.MET_LATE
        self.ended[wanted] = replace(
            found,
            state=state,
            breached=late,
            ended_at=entry.occurred_at,
            recorded_at=entry.recorded_at,
            ended_by=line.actor,
            reason=entry.detail.get(REASON, ""),
        )

    def _cancel(self, line: TimelineLine, *, only_updates: bool = False) -> None:
        for each in self.current(None):
            if each.obligation_id not in self.ended and (each.rule.recurs or not only_updates):
                self._end(each.obligation_id, line, ObligationState.CANCELLED)

    def current(self, as_of: datetime | None) -> list[Obligation]:
        """What is owed by the rules, whether or not it was ended; with its state at ``as_of`` where that is given."""
        if self.over:
            return []
        found = []
        for rule in self.policy.rules:
            length = rule.lengths.get(self.severity)
            if not rule.enabled or length is None:
                continue
            if rule.condition is Condition.DATA_LEAKED and self.leak_at is None:
                continue
            if rule.recurs and self.resolved_at is not None:
                continue
            found.append(self._clock(rule, length, as_of))
        return found

    def _clock(self, rule: Rule, length: timedelta, as_of: datetime | None) -> Obligation:
        number = self.update_number if rule.recurs else 1
        start = self._start(rule)
        due: datetime | None = None
        state, breached = ObligationState.NOT_STARTED, False
        if start is not None:
            pauses = self.pauses if rule.pausable else ()
            due = deadline(start, length, rule.clock, pauses)
            if as_of is not None:
                state, breached = self._state(rule, start, length, pauses, due, as_of)
        return Obligation(self.beginning.incident_id, rule, number, state, self.severity, start, due, breached)

    def _start(self, rule: Rule) -> datetime | None:
        if rule.start is StartEvent.DECLARED:
            return self.beginning.declared_at
        if rule.start is StartEvent.RESOLVED:
            return self.resolved_at
        if rule.start is StartEvent.LAST_UPDATE:
            return self.update_from
        # Of the leak: it may have been found long after the incident was declared for another reason.
        return self.leak_at if rule.condition is Condition.DATA_LEAKED else self.beginning.aware_at

    def _state(
        self,
        rule: Rule,
        start: datetime,
        length: timedelta,
        pauses: Sequence[Pause],
        due: datetime | None,
        as_of: datetime,
    ) -> tuple[ObligationState, bool]:
        if due is None:
            return ObligationState.PAUSED, False
        if as_of > due:
            return ObligationState.BREACHED, True
        risk = deadline(start, length * self.policy.at_risk_percent / 100, rule.clock, pauses)
        at_risk = risk is not None and as_of >= risk
        return (ObligationState.AT_RISK if at_risk else ObligationState.RUNNING), False


def obligations_of(
    beginning: Beginning, lines: Iterable[TimelineLine], policy: Policy, as_of: datetime
) -> tuple[Obligation, ...]:
    """The obligations of an incident as known at ``as_of``, by kind and number.

    ``lines`` is its whole timeline in order; what was recorded later is left out. Lines that are no `CLOCK_KINDS` may be
    left out too.
    """
    known = [line for line in lines if line.entry.recorded_at <= as_of]
    if beginning.drill or beginning.declared_at > as_of or not known:
        return ()
    fold = _Fold(
        beginning,
        policy,
        severity=known[0].entry.severity,
        update_from=beginning.aware_at,
        leak_at=beginning.aware_at if beginning.leak else None,
    )
    for line in known:
        fold.read(line)
    found = {each.obligation_id: each for each in fold.current(as_of)} | fold.ended
    order = {rule.kind: place for place, rule in enumerate(policy.rules)}
    return tuple(sorted(found.values(), key=lambda each: (order[each.kind], each.number)))


def reported(lines: Iterable[TimelineLine]) -> frozenset[str]:
    """The obligations whose breach stands on the timeline."""
    return frozenset(line.entry.subject for line in lines if line.entry.kind is TimelineKind.OBLIGATION_BREACHED)


def next_breach(obligations: Iterable[Obligation], reported: frozenset[str]) -> datetime | None:
    """When the next open obligation is breached that was not reported; may be past. None where none will be."""
    moments = [
        each.due_at + INSTANT
        for each in obligations
        if each.open and each.due_at is not None and each.obligation_id not in reported
    ]
    return min(moments, default=None)


# --- what people do about it ------------------------------------------------------------------------------------------


def find(obligations: Iterable[Obligation], kind: ObligationKind) -> Obligation | None:
    """The last obligation of a kind."""
    return next((each for each in reversed(tuple(obligations)) if each.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Completion:
    """That an obligation was met. ``occurred_at`` None: now."""

    kind: ObligationKind
    occurred_at: datetime | None
    reason: str


def complete(
    incident_id: str, found: Obligation | None, completion: Completion, actor: ActorLike, now: datetime
) -> datetime:
    """When the obligation was met, if that can be recorded.

    Raises ``PersonRequired``, ``InvalidInput``, ``ObligationStateRefused`` and ``LateReasonRequired``.
    """
    require_person(actor, "complete_obligation")
    started_at = found.started_at if found is not None else None
    checks = Checks()
    if completion.kind is ObligationKind.NEXT_UPDATE:
        checks.note("kind", "RECORD_AN_UPDATE", "must be another: an update is recorded as an update")
    check_moment(checks, "occur_time", completion.occurred_at, started_at, now)
    checks.done()
    if found is None or started_at is None or not (found.open or found.state is ObligationState.NOT_REQUIRED):
        raise refused(incident_id, completion.kind, found)
    occurred_at = completion.occurred_at or now
    require_late_reason(found, occurred_at, completion.reason)
    return occurred_at


def require_late_reason(found: Obligation, occurred_at: datetime, reason: str) -> None:
    """Raises ``LateReasonRequired`` where an obligation is met after its time and nobody says why."""
    if found.due_at is not None and occurred_at > found.due_at and not has_visible_text(reason):
        raise LateReasonRequired(
            f"{found.obligation_id} was due before; say why it is late",
            incident_id=found.incident_id,
            obligation_id=found.obligation_id,
            due_time=utc(found.due_at),
        )


def check_waiver(incident_id: str, rule: Rule, found: Obligation | None, actor: ActorLike, reason: str) -> None:
    """Raises ``PersonRequired``, ``InvalidInput`` and ``ObligationStateRefused`` where an obligation cannot be waived."""
    require_person(actor, "waive_obligation")
    checks = Checks()
    checks.text("reason", reason)
    if not rule.waivable:
        checks.note("kind", "NOT_WAIVABLE", f"must be one that can be waived: {rule.kind} cannot")
    checks.done()
    if found is None or not found.open:
        raise refused(incident_id, rule.kind, found)


def refused(incident_id: str, kind: ObligationKind, found: Obligation | None) -> ObligationStateRefused:
    """The refusal of what an obligation's state does not allow."""
    state = found.state.value if found is not None else "none"
    return ObligationStateRefused(
        f"the obligation {kind} is in state {state}", incident_id=incident_id, obligation=kind.value, state=state
    )


def utc(moment: datetime) -> str:
    """A moment as metadata of an error holds it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


# --- the table --------------------------------------------------------------------------------------------------------


def load_policy(catalog: Catalog, path: Path | None = None) -> Policy:
    """Read ``obligations.toml`` in the folder ``path`` (None: the one shipped).

    ``TextsError`` names everything that is wrong in it: also a PDPL clock that is longer than 72 hours, does not run by the
    wall from awareness, or can be paused.
    """
    file = TextsFile((TEXTS if path is None else path) / "obligations.toml")
    version = file.text("version")
    percent = file.integer("at_risk_percent", minimum=1)
    if percent > 99:
        file.problem("at_risk_percent", "expected at most 99")
    table = file.table("obligations")
    rules = tuple(_rule(kind, table.table(kind), catalog.severities) for kind in ObligationKind)
    _check_rules(file, rules)
    file.finish()
    return Policy(version, percent, rules)


def _rule(kind: ObligationKind, table: Reader, severities: Mapping[Severity, SeverityDetails]) -> Rule:
    minutes = table.optional_integer("minutes", minimum=1)
    column = table.optional_member("per_severity", Column)
    if (minutes is None) == (column is None):
        table.problem("minutes", "expected either this or per_severity")
    lengths = {}
    for severity, details in severities.items():
        length = _length(details, minutes, column)
        if length is not None:
            lengths[severity] = length
    keys = table.keys()
    legal = table.bilingual("legal_reference") if "legal_reference_ar" in keys else None
    return Rule(
        kind=kind,
        text=table.bilingual("text"),
        start=table.member("start", StartEvent),
        lengths=MappingProxyType(lengths),
        clock=table.member("clock", ClockKind),
        condition=table.member("condition", Condition),
        pausable=table.flag("pausable"),
        waivable=table.flag("waivable"),
        enabled=table.flag("enabled"),
        legal=legal,
    )


def _length(details: SeverityDetails, minutes: int | None, column: Column | None) -> timedelta | None:
    if column is None:
        return None if minutes is None else timedelta(minutes=minutes)
    if column is Column.POST_MORTEM_HOURS:
        return None if details.post_mortem_hours is None else timedelta(hours=details.post_mortem_hours)
    if column is Column.FIRST_ACTION_MINUTES:
        return timedelta(minutes=details.first_action_minutes)
    return timedelta(minutes=details.update_interval_minutes)


def _check_rules(file: TextsFile, rules: Sequence[Rule]) -> None:
    for rule in rules:
        where = f"obligations.{rule.kind}"
        if rule.recurs != (rule.kind is ObligationKind.NEXT_UPDATE):
            file.problem(where, "counts from the last update exactly if it is the next update")
        if rule.kind is ObligationKind.NEXT_UPDATE and (rule.pausable or rule.waivable):
            file.problem(where, "comes round by itself: it is neither paused nor waived")
        if rule.kind is ObligationKind.PDPL_AUTHORITY and (
            rule.pausable
            or not rule.enabled
            or rule.clock is not ClockKind.WALL
            or rule.start is not StartEvent.AWARE
            or rule.condition is not Condition.DATA_LEAKED
            or any(length > PDPL_LIMIT for length in rule.lengths.values())
            or rule.legal is None
        ):
            file.problem(where, "the law: at most 72 hours by the wall clock from awareness of a leak, never paused")
