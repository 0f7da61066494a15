"""The response plan of a severity, in the order it is worked through (specification §2)."""

from __future__ import annotations

from dataclasses import dataclass

from services.domain.checks import Checks
from services.incidents.domain.severity import Catalog, OwnerRole, Severity, StepClock, StepCondition


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step.

    ``number`` counts from 1. ``due_minutes`` counts from ``due_from``; 0 is at once, None not timed.
    ``repeat_minutes`` is set where the step comes round again until the incident is resolved. ``depends_on`` holds the ids of
    steps that go before; ``obligation`` the obligation that the step stands for, or nothing.
    """

    number: int
    id: str
    text_ar: str
    text_en: str
    owner: OwnerRole
    condition: StepCondition
    due_minutes: int | None
    due_from: StepClock
    repeat_minutes: int | None
    optional: bool
    depends_on: tuple[str, ...] = ()
    obligation: str = ""


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    severity: Severity
    steps: tuple[PlanStep, ...]
    catalog_version: str

    @property
    def plan_ar(self) -> tuple[str, ...]:
        return tuple(step.text_ar for step in self.steps)

    @property
    def plan_en(self) -> tuple[str, ...]:
        return tuple(step.text_en for step in self.steps)


def parse_severity(value: str, field: str = "severity") -> Severity:
    """The severity of this id; `InvalidInput` for any other text, letter case included."""
    try:
        return Severity(value)
    except ValueError:
        checks = Checks()
        checks.note(field, "UNKNOWN_VALUE", f"must be one of {', '.join(Severity)}")
        checks.done()
        raise


def response_plan(severity: Severity, catalog: Catalog) -> ResponsePlan:
    """The five steps for all, then those of ``severity``."""
    templates = [step for step in catalog.steps if severity in step.severities]
    steps = tuple(
        PlanStep(
            number=number,
            id=step.id,
            text_ar=step.text_ar,
            text_en=step.text_en,
            owner=step.owner,
            condition=step.condition,
            due_minutes=step.due_minutes,
            due_from=step.due_from,
            repeat_minutes=step.repeat_minutes,
            optional=step.optional,
            depends_on=step.depends_on,
            obligation=step.obligation,
        )
        for number, step in enumerate(templates, start=1)
    )
    return ResponsePlan(severity, steps, catalog.version)
