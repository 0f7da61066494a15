"""The kinds of customer-success touchpoints (specification §4)."""

from __future__ import annotations

from enum import StrEnum


class CadenceType(StrEnum):
    WEEKLY_CHECK_IN = "weekly_check_in"
    MONTHLY_PROOF_REVIEW = "monthly_proof_review"
    QUARTERLY_BUSINESS_REVIEW = "quarterly_business_review"
    AT_RISK_ALERT = "at_risk_alert"
    RENEWAL_30_DAY = "renewal_30_day"
    RENEWAL_7_DAY = "renewal_7_day"
