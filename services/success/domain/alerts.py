"""Stored alerts about customers at risk, and when one is raised (specification §4).

An alert stays inside Dealix: it tells the founder or the operator what to do, and no freeze holds it back. A high one is
raised whatever else holds contact back, by the service itself once the risk becomes high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.domain.actors import ActorLike
from services.domain.texts import Bilingual
from services.success.domain.at_risk import AtRiskAlert, RiskLevel
from services.success.domain.errors import AtRiskAlertExists, AtRiskAlertSuppressed, NotAtRisk
from services.success.domain.touchpoints import CadenceTexts, Hold, HoldKind

_ALERTED = (RiskLevel.HIGH, RiskLevel.MEDIUM)


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert of a day in Riyadh, with the score at that time; its text is the draft's."""

    alert_id: str
    customer_id: str
    day: date
    level: RiskLevel
    score: int
    draft_id: str
    actor: ActorLike
    created_at: datetime


def require_alert(customer_id: str, found: AtRiskAlert, of_today: StoredAlert | None, holds: Sequence[Hold]) -> None:
    """Raises ``NotAtRisk``, ``AtRiskAlertExists`` and, for a level that may wait, ``AtRiskAlertSuppressed``.

    ``of_today`` is the customer's alert of the day and level, ``holds`` what incidents brings against contact.
    """
    if found.level not in _ALERTED:
        raise NotAtRisk(
            "the risk is neither high nor medium", customer_id=customer_id, severity=found.level.value.upper()
        )
    if of_today is not None:
        raise AtRiskAlertExists(
            "the customer has an alert of this severity on this day",
            customer_id=customer_id,
            alert_id=of_today.alert_id,
        )
    if holds and not found.never_skipped:
        names = {HoldKind.OPEN_INCIDENT: "severity", HoldKind.FROZEN_CHANNEL: "channel"}
        named = {names[hold.kind]: hold.detail for hold in holds if hold.kind in names}
        raise AtRiskAlertSuppressed(
            "a medium alert waits while contact is held back",
            [(hold.kind.name, f"customer/{customer_id}", f"{hold.reason.ar}\n{hold.reason.en}") for hold in holds],
            customer_id=customer_id,
            **named,
        )


def alert_text(found: AtRiskAlert, texts: CadenceTexts) -> Bilingual:
    """What the alert says."""
    score = str(found.risk_score)
    ar = texts.alert_body.ar.format(score=score, reasons=_lines(found.reasons_ar), action=found.recommended_action_ar)
    en = texts.alert_body.en.format(score=score, reasons=_lines(found.reasons_en), action=found.recommended_action_en)
    return Bilingual(ar, en)


def _lines(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)
