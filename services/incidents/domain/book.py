"""All that the rules of an incident are told by: tables and wording, loaded once and passed along."""

from __future__ import annotations

from dataclasses import dataclass

from services.domain.texts import TextsError
from services.incidents.domain.obligations import ObligationKind, Policy, load_policy
from services.incidents.domain.severity import Catalog, load_catalog
from services.incidents.domain.timeline import TimelineTexts, load_timeline_texts


@dataclass(frozen=True, slots=True)
class Book:
    """``catalog``: severities and plans; ``policy``: obligations; ``texts``: wording of timelines and alerts."""

    catalog: Catalog
    policy: Policy
    texts: TimelineTexts


def load_book() -> Book:
    """Read what is shipped. ``TextsError`` names everything that is wrong in a file, or between two of them."""
    catalog = load_catalog()
    kinds = set(ObligationKind)
    unknown = sorted({step.obligation for step in catalog.steps if step.obligation} - kinds)
    if unknown:
        raise TextsError("response_plan.toml", [f"steps: stands for obligations that there are not: {unknown}"])
    return Book(catalog, load_policy(catalog), load_timeline_texts())
