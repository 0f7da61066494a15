"""The at-risk score of a customer, 0 to 100, with the points of each reason (specification §4).

An input may be unknown (None). It then gives no points and is named, and the level claims only what holds whatever the
missing value is: a score that is high stays high, a medium one is medium at least, and a low one is low only if the
missing inputs could not have lifted it; otherwise the level is unknown. A customer without data is never low.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from services.domain.checks import Checks
from services.domain.plural import Counted, read_counted
from services.domain.texts import Bilingual, TextsFile
from services.success.domain.cadence import CadenceType

MAX_SCORE = 100


class RiskInput(StrEnum):
    DAYS_INACTIVE = "days_inactive"
    DRAFTS_PENDING = "drafts_pending"
    DAYS_SINCE_PROOF_PACK = "days_since_proof_pack"


class RiskLevel(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AtRiskFacts:
    """Whole days and numbers of drafts; None where not known.

    ``no_proof_pack_yet``: it is known that none was delivered, which gives no points; ``days_since_proof_pack`` is then
    None.
    """

    days_inactive: int | None
    drafts_pending: int | None
    days_since_proof_pack: int | None
    no_proof_pack_yet: bool = False


@dataclass(frozen=True, slots=True)
class RiskReason:
    """Points that an input gave, the value that gave them and the threshold it reached."""

    input: RiskInput
    value: int
    at_least: int
    points: int
    text_ar: str
    text_en: str


@dataclass(frozen=True, slots=True)
class AtRiskAlert:
    """The score with what explains it; ``reasons`` holds only inputs that gave points, most points first.

    ``unknown_inputs`` are those that were None; with any, ``risk_score`` is the least it can be.
    """

    type: ClassVar[CadenceType] = CadenceType.AT_RISK_ALERT
    risk_score: int
    level: RiskLevel
    reasons: tuple[RiskReason, ...]
    unknown_inputs: tuple[RiskInput, ...]
    recommended_actions: tuple[str, ...]
    recommended_action_ar: str
    recommended_action_en: str
    texts_version: str

    @property
    def reasons_ar(self) -> tuple[str, ...]:
        # Isolated as a whole: the sign stays before the figure, and "(+40)" can be found in the Arabic as in the English.
        return tuple(f"{reason.text_ar} \u2066(+{reason.points})\u2069" for reason in self.reasons)

    @property
    def reasons_en(self) -> tuple[str, ...]:
        return tuple(f"{reason.text_en} (+{reason.points})" for reason in self.reasons)

    @property
    def never_skipped(self) -> bool:
        """A high alert is raised whatever limits or incidents hold back other touchpoints."""
        return self.level is RiskLevel.HIGH


@dataclass(frozen=True, slots=True)
class RiskFactor:
    """One input with what it says.

    ``value`` is None where it is not known or there was no Proof Pack yet, ``points`` only where it is not known.
    """

    input: RiskInput
    value: int | None
    points: int | None
    text: Bilingual


@dataclass(frozen=True, slots=True)
class Tier:
    at_least: int
    points: int


@dataclass(frozen=True, slots=True)
class LevelTexts:
    actions: tuple[str, ...]
    recommendation: Bilingual


@dataclass(frozen=True, slots=True)
class AtRiskTexts:
    """``tiers`` of an input are sorted, highest threshold first."""

    version: str
    high_from: int
    medium_from: int
    tiers: Mapping[RiskInput, tuple[Tier, ...]]
    wording: Mapping[RiskInput, Counted]
    unknown: Mapping[RiskInput, Bilingual]
    no_proof_pack_yet: Bilingual
    levels: Mapping[RiskLevel, LevelTexts]


def load_at_risk_texts(folder: Path) -> AtRiskTexts:
    """Read ``at_risk.toml`` in ``folder``; `TextsError` names every fault of it."""
    file = TextsFile(folder / "at_risk.toml")
    version = file.text("version")
    level_from = file.table("level_from")
    high, medium = level_from.integer("high", minimum=2), level_from.integer("medium", minimum=1)
    if not medium < high <= MAX_SCORE:
        file.problem("level_from", f"expected medium < high <= {MAX_SCORE}")
    tiers: dict[RiskInput, tuple[Tier, ...]] = {}
    wording: dict[RiskInput, Counted] = {}
    unknown: dict[RiskInput, Bilingual] = {}
    for name, table in file.table("inputs").each(RiskInput).items():
        rows = [
            Tier(row.integer("at_least", minimum=1), row.integer("points", minimum=1)) for row in table.tables("tiers")
        ]
        tiers[name] = tuple(sorted(rows, key=lambda tier: -tier.at_least))
        if len({tier.at_least for tier in rows}) != len(rows):
            table.problem("tiers", "repeats a threshold")
        if [tier.points for tier in tiers[name]] != sorted((tier.points for tier in rows), reverse=True):
            table.problem("tiers", "a higher threshold gives fewer points")
        wording[name] = read_counted(table)
        unknown[name] = table.bilingual("unknown")
    no_proof_pack_yet = file.table("no_proof_pack_yet").bilingual("text")
    levels = {
        level: LevelTexts(table.strings("actions"), table.bilingual("recommendation"))
        for level, table in file.table("levels").each(RiskLevel).items()
    }
    file.finish()
    return AtRiskTexts(
        version,
        high,
        medium,
        MappingProxyType(tiers),
        MappingProxyType(wording),
        MappingProxyType(unknown),
        no_proof_pack_yet,
        MappingProxyType(levels),
    )


def assess_risk(facts: AtRiskFacts, texts: AtRiskTexts) -> AtRiskAlert:
    """Score the customer. `InvalidInput` names every negative or huge input and an age where no Proof Pack is."""
    checks = Checks()
    for name in RiskInput:
        checks.count(name.value, getattr(facts, name.value))
    if facts.no_proof_pack_yet and facts.days_since_proof_pack is not None:
        checks.note(RiskInput.DAYS_SINCE_PROOF_PACK.value, "CONTRADICTION", "must be absent where there was none yet")
    checks.done()
    reasons = []
    for name in RiskInput:
        value: int | None = getattr(facts, name.value)
        tier = _tier(name, value, texts)
        if value is not None and tier is not None:
            said = texts.wording[name].say(value)
            reasons.append(RiskReason(name, value, tier.at_least, tier.points, said.ar, said.en))
    unknown = _unknown(facts)
    points, level = score_risk(facts, texts)
    return AtRiskAlert(
        risk_score=points,
        level=level,
        reasons=tuple(sorted(reasons, key=lambda reason: -reason.points)),
        unknown_inputs=unknown,
        recommended_actions=texts.levels[level].actions,
        recommended_action_ar=texts.levels[level].recommendation.ar,
        recommended_action_en=texts.levels[level].recommendation.en,
        texts_version=texts.version,
    )


def score_risk(facts: AtRiskFacts, texts: AtRiskTexts) -> tuple[int, RiskLevel]:
    """The score and its level, without the words; ``facts`` are not checked."""
    tiers = [_tier(name, getattr(facts, name.value), texts) for name in RiskInput]
    points = sum(tier.points for tier in tiers if tier is not None)
    could_add = sum(max(tier.points for tier in texts.tiers[name]) for name in _unknown(facts))
    return min(MAX_SCORE, points), _level(points, could_add, texts)


def explain_risk(facts: AtRiskFacts, texts: AtRiskTexts) -> tuple[RiskFactor, ...]:
    """All three inputs, those that add nothing or are not known included; ``facts`` are not checked."""
    unknown = _unknown(facts)
    factors = []
    for name in RiskInput:
        value: int | None = getattr(facts, name.value)
        if name in unknown:
            factors.append(RiskFactor(name, None, None, texts.unknown[name]))
        elif value is None:
            factors.append(RiskFactor(name, None, 0, texts.no_proof_pack_yet))
        else:
            tier = _tier(name, value, texts)
            factors.append(RiskFactor(name, value, tier.points if tier else 0, texts.wording[name].say(value)))
    return tuple(factors)


def risk_points(facts: AtRiskFacts, texts: AtRiskTexts) -> tuple[tuple[int | None, int | None], ...]:
    """Value and points of each input as `explain_risk` has them, without the words."""
    unknown = _unknown(facts)
    found = []
    for name in RiskInput:
        value: int | None = getattr(facts, name.value)
        tier = _tier(name, value, texts)
        found.append((value, None if name in unknown else tier.points if tier else 0))
    return tuple(found)


def _tier(name: RiskInput, value: int | None, texts: AtRiskTexts) -> Tier | None:
    if value is None:
        return None
    return next((tier for tier in texts.tiers[name] if value >= tier.at_least), None)


def _unknown(facts: AtRiskFacts) -> tuple[RiskInput, ...]:
    return tuple(
        name
        for name in RiskInput
        if getattr(facts, name.value) is None
        and not (name is RiskInput.DAYS_SINCE_PROOF_PACK and facts.no_proof_pack_yet)
    )


def _level(points: int, could_add: int, texts: AtRiskTexts) -> RiskLevel:
    if points >= texts.high_from:
        return RiskLevel.HIGH
    if points >= texts.medium_from:
        return RiskLevel.MEDIUM
    return RiskLevel.LOW if points + could_add < texts.medium_from else RiskLevel.UNKNOWN
