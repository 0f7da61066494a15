"""A customer's risk over time: from which day to which it had which rank, the days to come included.

While nothing new happens a risk changes on known days only: when the days without activity, or the age of the last Proof
Pack, reach a threshold. So what is on record up to now tells the rank of every day, past and to come, and each stretch of days
with one rank can be stored and found by an index (see `days`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.success.domain.activity import OnDay, Profile, Tally, profile
from services.success.domain.at_risk import MAX_SCORE, AtRiskTexts, RiskInput, RiskLevel, score_risk
from services.success.domain.days import NEVER

_ORDER = (RiskLevel.HIGH, RiskLevel.MEDIUM, RiskLevel.UNKNOWN, RiskLevel.LOW)
_STEP = MAX_SCORE + 1


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days with one rank: from ``start`` up to, not including, ``end``."""

    start: int
    end: int
    rank: int


def rank(score: int, level: RiskLevel) -> int:
    """Where a risk stands among all, the worst first: by level, then by score."""
    return _ORDER.index(level) * _STEP + MAX_SCORE - score


def rank_bounds(level: RiskLevel | None) -> tuple[int, int]:
    """The first and last rank of a level; of all but low for None."""
    if level is None:
        return 0, _ORDER.index(RiskLevel.LOW) * _STEP - 1
    first = _ORDER.index(level) * _STEP
    return first, first + MAX_SCORE


def is_high(given: int) -> bool:
    """Whether a rank is of the high level."""
    return given < _STEP


def stretches(
    first: int | None, before: Tally, days: Iterable[OnDay], plan_since: int | None, texts: AtRiskTexts
) -> tuple[Stretch, ...]:
    """A customer's stretches from day ``first`` on.

    ``before`` are the totals of all earlier days, ``days`` what happened from then on, by day. None for ``first`` begins with
    the first day on which anything is known: the customer is nobody's before.
    """
    changes: list[tuple[int, Profile]] = []

    def note(day: int) -> None:
        found = profile(before.totals, plan_since is not None and plan_since <= day)
        if changes and changes[-1][0] == day:
            changes.pop()
        changes.append((day, found))

    happened = sorted(days, key=lambda on: on.day)
    marks = sorted({on.day for on in happened} | ({plan_since} if plan_since is not None else set()))
    if first is None:
        first = marks[0] if marks else NEVER
    if first < NEVER and (before.totals or (plan_since is not None and plan_since <= first)):
        note(first)
    position = 0
    for day in marks:
        while position < len(happened) and happened[position].day <= day:
            before.add(happened[position])
            position += 1
        if day >= first:
            note(day)
    return _merged(changes, texts)


def becomes_high(found: Sequence[Stretch], today: int) -> int | None:
    """The first day from today on which the risk is high; None where it never gets there by itself."""
    return next((max(s.start, today) for s in found if is_high(s.rank) and s.end > today), None)


def high_since(found: Sequence[Stretch], today: int) -> int | None:
    """Since when the risk has been high without a break, today included; None where it is not high today."""
    since = None
    for stretch in sorted(found, key=lambda s: -s.start):
        if stretch.start > today:
            continue
        if since is None and not (stretch.end > today and is_high(stretch.rank)):
            return None
        if since is not None and not (is_high(stretch.rank) and stretch.end == since):
            return since
        since = stretch.start
    return since


def _merged(changes: Sequence[tuple[int, Profile]], texts: AtRiskTexts) -> tuple[Stretch, ...]:
    found: list[Stretch] = []
    for number, (day, known) in enumerate(changes):
        end = changes[number + 1][0] if number + 1 < len(changes) else NEVER
        for start, stop in _pieces(day, end, known, texts):
            score, level = score_risk(known.facts(start), texts)
            place = rank(score, level)
            if found and found[-1].rank == place and found[-1].end == start:
                found[-1] = Stretch(found[-1].start, stop, place)
            else:
                found.append(Stretch(start, stop, place))
    return tuple(found)


def _pieces(start: int, end: int, known: Profile, texts: AtRiskTexts) -> list[tuple[int, int]]:
    """The stretch cut where a threshold is reached."""
    cuts = {start, end}
    for begin, name in (
        (known.last_active_day, RiskInput.DAYS_INACTIVE),
        (known.proof_pack_day, RiskInput.DAYS_SINCE_PROOF_PACK),
    ):
        if begin is not None:
            cuts |= {begin + tier.at_least for tier in texts.tiers[name]}
    ordered = sorted(cut for cut in cuts if start <= cut <= end)
    return list(pairwise(ordered))
