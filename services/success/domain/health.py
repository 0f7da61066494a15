"""The health score of an account, 0 to 100 (specification §4).

    csat × 5 + pipeline_sar / 1000 + meetings × 8 + approval_rate × 50 − days_inactive × 2 − drafts_pending

clamped to 0..100; 75 and more is healthy, 50 and more watch, below at_risk.

**Missing inputs** are unknown, never zero. What is known bounds the score: a missing input with a positive weight can
only add (csat and the approval rate 50 at most, pipeline and meetings without a bound), one with a negative weight can
only take away. So there is always a range from ``score_low`` to ``score_high``. The score itself is given only where
the two are equal, and a verdict only where both fall in the same band: whatever the missing values are, it holds. An
account without activity data is therefore never healthy, and one with no data at all is unknown with coverage 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from services.domain.checks import MAX_COUNT, MAX_SAR, Checks
from services.domain.texts import Bilingual, Reader, TextsFile

MIN_SCORE = Decimal(0)
MAX_SCORE = Decimal(100)


class HealthInput(StrEnum):
    CSAT = "csat"
    PIPELINE_SAR = "pipeline_sar"
    MEETINGS = "meetings"
    APPROVAL_RATE = "approval_rate"
    DAYS_INACTIVE = "days_inactive"
    DRAFTS_PENDING = "drafts_pending"


class HealthVerdict(StrEnum):
    HEALTHY = "healthy"
    WATCH = "watch"
    AT_RISK = "at_risk"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """None where not known. ``csat`` 0 to 10, ``approval_rate`` 0 to 1, ``pipeline_sar`` in Saudi riyals."""

    csat: float | None = None
    pipeline_sar: float | None = None
    meetings: int | None = None
    approval_rate: float | None = None
    days_inactive: int | None = None
    drafts_pending: int | None = None


@dataclass(frozen=True, slots=True)
class HealthFactor:
    """``contribution`` = ``value`` × ``weight``; both None where the input is missing."""

    input: HealthInput
    label_ar: str
    label_en: str
    weight: float
    value: float | None
    contribution: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """``coverage`` is the share of the six inputs that are known, 0 to 1.

    ``score`` is None while the missing inputs leave it open; ``score_low`` and ``score_high`` bound it, both clamped.
    ``worst_verdict`` and ``best_verdict`` are the verdicts at those bounds.
    """

    score: float | None
    score_low: float
    score_high: float
    verdict: HealthVerdict
    worst_verdict: HealthVerdict
    best_verdict: HealthVerdict
    verdict_ar: str
    verdict_en: str
    coverage: float
    factors: tuple[HealthFactor, ...]
    missing: tuple[HealthInput, ...]
    texts_version: str


@dataclass(frozen=True, slots=True)
class FactorRule:
    """``maximum`` is the scale's end; None where the input has no scale (it is then only bounded by plausibility)."""

    weight: Decimal
    maximum: int | None
    label: Bilingual


@dataclass(frozen=True, slots=True)
class HealthTexts:
    version: str
    healthy_from: int
    watch_from: int
    factors: Mapping[HealthInput, FactorRule]
    verdicts: Mapping[HealthVerdict, Bilingual]


def load_health_texts(folder: Path) -> HealthTexts:
    """Read ``health.toml`` in ``folder``; `TextsError` names every fault of it."""
    file = TextsFile(folder / "health.toml")
    version = file.text("version")
    verdict_from = file.table("verdict_from")
    healthy, watch = verdict_from.integer("healthy", minimum=2), verdict_from.integer("watch", minimum=1)
    if not watch < healthy <= MAX_SCORE:
        file.problem("verdict_from", f"expected watch < healthy <= {MAX_SCORE}")
    factors = {
        name: FactorRule(_weight(table), table.optional_integer("maximum", minimum=1), table.bilingual("label"))
        for name, table in file.table("factors").each(HealthInput).items()
    }
    verdicts = {
        verdict: table.bilingual("text") for verdict, table in file.table("verdicts").each(HealthVerdict).items()
    }
    file.finish()
    return HealthTexts(version, healthy, watch, MappingProxyType(factors), MappingProxyType(verdicts))


def assess_health(facts: HealthFacts, texts: HealthTexts) -> Health:
    """Score the account. `InvalidInput` names every input that is negative, beyond its scale, huge or not finite."""
    _check(facts, texts)
    low = high = Decimal(0)
    open_below = open_above = False
    factors = []
    missing = []
    for name, rule in texts.factors.items():
        value: float | None = getattr(facts, name.value)
        contribution = None
        if value is not None:
            # Through the shortest decimal form: 0.7 × 50 is then 35 and not a hair beside a threshold.
            # Adding zero turns a negative zero into a plain one.
            contribution = Decimal(str(value)) * rule.weight + 0
            low += contribution
            high += contribution
        else:
            missing.append(name)
            if rule.weight < 0:
                open_below = True
            elif rule.maximum is None:
                open_above = True
            else:
                high += rule.weight * rule.maximum
        factors.append(
            HealthFactor(
                input=name,
                label_ar=rule.label.ar,
                label_en=rule.label.en,
                weight=float(rule.weight),
                value=value,
                contribution=None if contribution is None else float(contribution),
            )
        )
    low = MIN_SCORE if open_below else _clamp(low)
    high = MAX_SCORE if open_above else _clamp(high)
    worst, best = _verdict(low, texts), _verdict(high, texts)
    verdict = worst if worst is best else HealthVerdict.UNKNOWN
    return Health(
        score=float(low) if low == high else None,
        score_low=float(low),
        score_high=float(high),
        verdict=verdict,
        worst_verdict=worst,
        best_verdict=best,
        verdict_ar=texts.verdicts[verdict].ar,
        verdict_en=texts.verdicts[verdict].en,
        coverage=(len(factors) - len(missing)) / len(factors),
        factors=tuple(factors),
        missing=tuple(missing),
        texts_version=texts.version,
    )


def _check(facts: HealthFacts, texts: HealthTexts) -> None:
    checks = Checks()
    for name, rule in texts.factors.items():
        plausible = MAX_SAR if name is HealthInput.PIPELINE_SAR else MAX_COUNT
        checks.amount(name.value, getattr(facts, name.value), plausible if rule.maximum is None else rule.maximum)
    checks.done()


def _clamp(score: Decimal) -> Decimal:
    return min(MAX_SCORE, max(MIN_SCORE, score))


def _verdict(score: Decimal, texts: HealthTexts) -> HealthVerdict:
    if score >= texts.healthy_from:
        return HealthVerdict.HEALTHY
    return HealthVerdict.WATCH if score >= texts.watch_from else HealthVerdict.AT_RISK


def _weight(table: Reader) -> Decimal:
    """Written as text, because a TOML float is binary and a weight is exact."""
    try:
        weight = Decimal(table.text("weight"))
    except InvalidOperation:
        table.problem("weight", "expected a decimal number")
        return Decimal(1)
    if not weight.is_finite() or weight == 0:
        table.problem("weight", "expected a decimal number other than zero")
        return Decimal(1)
    return weight
