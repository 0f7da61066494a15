"""All tables and wording of customer success, loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.success.domain.at_risk import AtRiskTexts, load_at_risk_texts
from services.success.domain.check_in import CheckInTexts, load_check_in_texts
from services.success.domain.health import HealthTexts, load_health_texts
from services.success.domain.plans import PlanTexts, load_plan_texts
from services.success.domain.touchpoints import CadenceTexts, load_cadence_texts

TEXTS = Path(__file__).resolve().parent.parent / "texts"


@dataclass(frozen=True, slots=True)
class Catalog:
    check_in: CheckInTexts
    at_risk: AtRiskTexts
    plans: PlanTexts
    health: HealthTexts
    cadence: CadenceTexts


def load_catalog(path: Path | None = None) -> Catalog:
    """Read the five files in the folder ``path`` (None: the ones shipped). `TextsError` names every fault of a file."""
    folder = TEXTS if path is None else path
    return Catalog(
        check_in=load_check_in_texts(folder),
        at_risk=load_at_risk_texts(folder),
        plans=load_plan_texts(folder),
        health=load_health_texts(folder),
        cadence=load_cadence_texts(folder),
    )
