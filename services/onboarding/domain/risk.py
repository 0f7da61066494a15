"""The outcome of a risk review: a problem stops onboarding until a founder resolves it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from services.domain.actors import ActorLike
from services.domain.checks import Checks
from services.domain.errors import NotPermitted, PersonRequired, PreconditionFailed
from services.onboarding.domain.credentials import check_no_credential

FOUNDER = "founder"


class RiskOutcome(StrEnum):
    CLEAN = "clean"
    PROBLEM_FOUND = "problem_found"


class RiskProblemOpen(PreconditionFailed):
    """A problem waits for the founder already. Metadata: ``customer_id``, ``review_id``."""

    reason: ClassVar[str] = "RISK_PROBLEM_OPEN"


class NoRiskProblem(PreconditionFailed):
    """No problem is open that could be resolved. Metadata: ``customer_id``."""

    reason: ClassVar[str] = "NO_RISK_PROBLEM"


class FounderRequired(NotPermitted):
    """Only a person in the founder's role may do this. Metadata: ``action``, ``role`` (the actor's, may be empty)."""

    reason: ClassVar[str] = "FOUNDER_REQUIRED"


@dataclass(frozen=True, slots=True)
class RiskReview:
    """One recorded review. ``resolver`` and ``resolved_at`` are those of the founder's decision about a problem."""

    review_id: str
    customer_id: str
    outcome: RiskOutcome
    finding: str
    reference: str
    reviewer: ActorLike
    reviewed_at: datetime
    recorded_at: datetime
    resolver: ActorLike | None = None
    resolved_at: datetime | None = None
    resolution: str = ""

    @property
    def open(self) -> bool:
        """Whether it is a problem that waits for the founder."""
        return self.outcome is RiskOutcome.PROBLEM_FOUND and self.resolved_at is None


def open_problem(reviews: Iterable[RiskReview]) -> RiskReview | None:
    """The problem that waits for the founder, if there is one."""
    return next((review for review in reviews if review.open), None)


def record_review(reviews: Iterable[RiskReview], review: RiskReview) -> RiskReview:
    """The review, once nothing is wrong with it.

    Raises ``InvalidInput`` (a problem without a word of what was found, a time in the future, a credential),
    ``PersonRequired``, and ``RiskProblemOpen`` while an earlier problem waits: another review does not resolve it.
    """
    checks = Checks()
    if review.outcome is RiskOutcome.PROBLEM_FOUND:
        checks.text("finding", review.finding)
    check_no_credential(checks, "finding", "", review.finding)
    check_no_credential(checks, "reference", "", review.reference)
    if review.reviewed_at > review.recorded_at:
        checks.note("review_time", "IN_FUTURE", "must not lie in the future")
    checks.done()
    if review.reviewer.kind != "person":
        raise PersonRequired("a risk review is made by a person", action="review_risk")
    waiting = open_problem(reviews)
    if waiting is not None:
        raise RiskProblemOpen(
            "a problem waits for the founder",
            [("RISK_PROBLEM", review.customer_id, "a founder must resolve it first")],
            customer_id=review.customer_id,
            review_id=waiting.review_id,
        )
    return review


def resolve(
    reviews: Iterable[RiskReview], customer_id: str, actor: ActorLike, resolution: str, now: datetime
) -> RiskReview:
    """The review whose problem a founder resolved. Raises ``InvalidInput``, ``FounderRequired`` and ``NoRiskProblem``."""
    checks = Checks()
    checks.text("resolution", resolution)
    check_no_credential(checks, "resolution", "", resolution)
    checks.done()
    if actor.kind != "person" or actor.role != FOUNDER:
        raise FounderRequired(
            "only a founder resolves what a risk review found", action="resolve_risk_problem", role=actor.role
        )
    waiting = open_problem(reviews)
    if waiting is None:
        raise NoRiskProblem("no problem is open", customer_id=customer_id)
    return replace(waiting, resolver=actor, resolved_at=now, resolution=resolution)
