"""The service-level policy: what each priority promises, on which calendar, and who hears when it is not kept.

Policies are data, one file for each version. A version applies to the tickets opened from its ``effective_from`` on; a
ticket keeps the version it was opened under, so that no later decision moves its deadlines.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final

from services.domain.errors import InvalidInput, Violation
from services.domain.texts import Bilingual, Reader, TextsError, TextsFile
from services.support.domain.calendars import TEXTS_DIR, Calendar, covers, load_calendars
from services.support.domain.priorities import Priority, urgency

__all__ = [
    "TEXTS_DIR",
    "ClockKind",
    "EscalationOwner",
    "Policies",
    "PolicyBook",
    "PolicyVersion",
    "Rung",
    "SlaPolicy",
    "load_policies",
    "load_policy_book",
    "parse_priority",
]

# These are worked on whenever they come in (spec, section 1).
ROUND_THE_CLOCK: Final = frozenset({Priority.P0, Priority.P1})


class EscalationOwner(StrEnum):
    FOUNDER = "founder"
    OPERATOR_ONCALL = "operator_oncall"
    OPERATOR_TEAM = "operator_team"


class ClockKind(StrEnum):
    """What is promised: a first answer, an answer to each later message, a solution."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"


class RungRole(StrEnum):
    """Who hears of a rung, seen from the ticket's owner."""

    OWNER = "owner"
    OWNERS_ESCALATION = "owners_escalation"
    FOUNDER = "founder"


@dataclass(frozen=True, slots=True)
class Rung:
    """When ``percent`` of a target has passed, ``role`` hears of it. 100 is the target itself."""

    percent: int
    role: EscalationOwner

    def part_of(self, target: timedelta) -> timedelta:
        return target * self.percent // 100


@dataclass(frozen=True, slots=True)
class SlaPolicy:
    """The promises of one priority in one version. Reaching a target exactly keeps the promise.

    Targets are working time of ``calendar``; a clock is at risk from ``at_risk_percent`` of its target on. The ladder is in
    rising order.
    """

    priority: Priority
    first_response_minutes: int
    next_response_minutes: int
    resolution_hours: int
    at_risk_percent: int
    calendar: Calendar
    ladder: tuple[Rung, ...]
    escalation_owner: EscalationOwner
    meaning: Bilingual

    def target(self, kind: ClockKind) -> timedelta:
        match kind:
            case ClockKind.FIRST_RESPONSE:
                return timedelta(minutes=self.first_response_minutes)
            case ClockKind.NEXT_RESPONSE:
                return timedelta(minutes=self.next_response_minutes)
            case ClockKind.RESOLUTION:
                return timedelta(hours=self.resolution_hours)


Policies = Mapping[Priority, SlaPolicy]


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """The promises to tickets opened from ``effective_from`` (UTC) on, until the next version."""

    version: str
    effective_from: datetime
    policies: Policies


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """All versions, the earliest first; at least one."""

    versions: tuple[PolicyVersion, ...]

    def policy_at(self, opened_at: datetime, field: str = "opened_at") -> PolicyVersion:
        """The version for a ticket opened then.

        Raises ``InvalidInput`` of ``field`` before the first: there was no promise yet.
        """
        place = bisect_right(self.versions, opened_at, key=lambda v: v.effective_from)
        if not place:
            first = self.versions[0].effective_from.isoformat()
            raise InvalidInput([Violation(field, "NO_POLICY", f"must not lie before the first policy, {first}")])
        return self.versions[place - 1]


def load_policies(path: Path | None = None, calendars: Mapping[str, Calendar] | None = None) -> Policies:
    """The policy of every priority, P0 first, of one version (default: the first that ships with the service).

    Raises ``TextsError`` like `load_policy_book`.
    """
    return _load_version(path or TEXTS_DIR / "sla_policy.toml", _calendars(calendars)).policies


def load_policy_book(folder: Path | None = None, calendars: Mapping[str, Calendar] | None = None) -> PolicyBook:
    """Every version, from the files ``sla_policy*.toml`` of a folder (default: those that ship with the service).

    Raises ``TextsError`` with every fault of the first faulty file: a priority answered or worked on sooner than a more
    urgent one, P0 or P1 on a calendar that is not round the clock, a calendar that does not exist, a ladder that does not
    rise; and for two versions of one name or from one moment.
    """
    known = _calendars(calendars)
    where = folder if folder is not None else TEXTS_DIR
    versions = sorted(
        (_load_version(path, known) for path in sorted(where.glob("sla_policy*.toml"))), key=lambda v: v.effective_from
    )
    problems = [] if versions else ["no file of a policy version"]
    problems += [f"{name}: stands in two files" for name in _repeated(v.version for v in versions)]
    problems += [
        f"{former.version} and {later.version}: both from {later.effective_from.isoformat()}"
        for former, later in pairwise(versions)
        if former.effective_from == later.effective_from
    ]
    if problems:
        raise TextsError("sla_policy*.toml", problems)
    return PolicyBook(tuple(versions))


def parse_priority(value: str, field: str = "priority") -> Priority:
    """The priority with this id. Raises ``InvalidInput`` (``UNKNOWN_VALUE``); nothing unknown becomes a default."""
    try:
        return Priority(value)
    except ValueError:
        known = ", ".join(Priority)
        raise InvalidInput([Violation(field, "UNKNOWN_VALUE", f"must be one of: {known}")]) from None


def _calendars(given: Mapping[str, Calendar] | None) -> Mapping[str, Calendar]:
    return load_calendars() if given is None else given


def _load_version(path: Path, calendars: Mapping[str, Calendar]) -> PolicyVersion:
    file = TextsFile(path)
    version = file.text("version")
    effective_from = _moment(file, "effective_from")
    steps = file.table("escalates_to")
    escalates_to = {owner: steps.member(owner.value, EscalationOwner) for owner in EscalationOwner}
    policies = {
        priority: _read_policy(row, priority, escalates_to, calendars) for priority, row in file.each(Priority).items()
    }
    ordered = sorted(policies.values(), key=lambda p: urgency(p.priority))
    for policy in ordered:
        if policy.priority in ROUND_THE_CLOCK and not policy.calendar.round_the_clock:
            file.problem(policy.priority, f"is worked on round the clock, not on {policy.calendar.calendar_id}")
    # So that raising a priority never takes back a breach: what is late for the milder one is late for the other.
    for policy, milder in pairwise(ordered):
        for said, kind in (
            ("answers", ClockKind.FIRST_RESPONSE),
            ("answers again", ClockKind.NEXT_RESPONSE),
            ("resolves", ClockKind.RESOLUTION),
        ):
            if policy.target(kind) > milder.target(kind):
                file.problem(milder.priority, f"{said} sooner than {policy.priority}")
        if not covers(policy.calendar, milder.calendar):
            file.problem(milder.priority, f"is worked on at hours at which {policy.priority} is not")
    file.finish()
    return PolicyVersion(version, effective_from, MappingProxyType({policy.priority: policy for policy in ordered}))


def _read_policy(
    row: Reader,
    priority: Priority,
    escalates_to: Mapping[EscalationOwner, EscalationOwner],
    calendars: Mapping[str, Calendar],
) -> SlaPolicy:
    calendar_id = row.text("calendar")
    calendar = calendars.get(calendar_id)
    if calendar is None:
        row.problem("calendar", f"expected one of {sorted(calendars)}, found {calendar_id!r}")
        calendar = next(iter(calendars.values()))
    owner = row.member("escalation_owner", EscalationOwner)
    who = {
        RungRole.OWNER: owner,
        RungRole.OWNERS_ESCALATION: escalates_to[owner],
        RungRole.FOUNDER: EscalationOwner.FOUNDER,
    }
    ladder = tuple(Rung(r.integer("percent", 1), who[r.member("to", RungRole)]) for r in row.tables("ladder"))
    if any(former.percent >= later.percent for former, later in pairwise(ladder)):
        row.problem("ladder", "expected percents in rising order")
    at_risk = row.integer("at_risk_percent", 1)
    if at_risk > 100:
        row.problem("at_risk_percent", "expected at most 100")
    return SlaPolicy(
        priority=priority,
        first_response_minutes=row.integer("first_response_minutes", 1),
        next_response_minutes=row.integer("next_response_minutes", 1),
        resolution_hours=row.integer("resolution_hours", 1),
        at_risk_percent=at_risk,
        calendar=calendar,
        ladder=ladder,
        escalation_owner=owner,
        meaning=row.bilingual("meaning"),
    )


def _moment(file: Reader, key: str) -> datetime:
    """A moment with its offset from UTC, written as text."""
    text = file.text(key)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime(1970, 1, 1)
    if found.tzinfo is None:
        if text:
            file.problem(key, "expected a moment with its offset, such as 2026-01-01T00:00:00+03:00")
        return datetime(1970, 1, 1, tzinfo=UTC)
    return found.astimezone(UTC)


def _repeated(names: Iterable[str]) -> list[str]:
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    return [name for name, times in seen.items() if times > 1]
