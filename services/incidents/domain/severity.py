"""The severities of incidents: what each means and what it asks for (specification §2, first table)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from services.domain.texts import Bilingual, Reader, TextsFile

TEXTS = Path(__file__).resolve().parent.parent / "texts"


class Severity(StrEnum):
    """SEV1 is the gravest. Compare by `rank` or `at_least`, never by the text."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"

    @property
    def rank(self) -> int:
        """1 for the gravest, 3 for the least grave."""
        return _RANKS[self]

    def at_least(self, other: Severity) -> bool:
        """Whether this one is as grave as ``other`` or graver."""
        return self.rank <= other.rank


_RANKS = {severity: rank for rank, severity in enumerate(Severity, start=1)}


def gravest(first: Severity, second: Severity) -> Severity:
    return first if first.at_least(second) else second


class Rule(StrEnum):
    """What can decide a severity. The order is the order of precedence between rules that give the same severity:
    what the reporter states comes before what support found."""

    DATA_LEAK = "data_leak"
    UNAUTHORIZED_SEND = "unauthorized_send"
    AFFECTED_CUSTOMERS = "affected_customers"
    DEFAULT = "default"
    SUPPORT_DATA_LEAK = "support_data_leak"
    SUPPORT_UNAUTHORIZED_SEND = "support_unauthorized_send"
    SUPPORT_AFFECTED_CUSTOMERS = "support_affected_customers"
    SUPPORT_OUTAGE = "support_outage"


@dataclass(frozen=True, slots=True)
class SeverityDetails:
    """``post_mortem_hours`` is None where a post-mortem is optional: no deadline rather than a deadline of zero."""

    severity: Severity
    meaning_ar: str
    meaning_en: str
    first_action_minutes: int
    update_interval_minutes: int
    post_mortem_hours: int | None
    post_mortem_ar: str
    post_mortem_en: str

    @property
    def post_mortem_required(self) -> bool:
        return self.post_mortem_hours is not None


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences that explain a triage."""

    reasons: Mapping[Rule, Bilingual]
    raised: Bilingual
    support_not_consulted: Bilingual
    outage_proposal: Bilingual


class StepCondition(StrEnum):
    """When a step of the plan is to be done."""

    ALWAYS = "always"
    DATA_LEAKED = "data_leaked"
    RECURRING = "recurring"


class StepClock(StrEnum):
    """The moment from which a step's due time counts."""

    DECLARED = "declared"
    AWARE = "aware"
    RESOLVED = "resolved"


class OwnerRole(StrEnum):
    """Who sees to a step."""

    FOUNDER = "founder"
    OPERATOR_ONCALL = "operator_oncall"
    COMMANDER = "commander"
    COMMUNICATIONS = "communications"
    SCRIBE = "scribe"
    LEGAL_OR_DPO = "legal_or_dpo"


@dataclass(frozen=True, slots=True)
class StepTemplate:
    """One step of the response plan as written in ``response_plan.toml``.

    ``due_minutes`` counts from ``due_from`` and is None where the step is not timed; 0 means at once.
    ``repeat_minutes`` is set where the step is done again and again until the incident is resolved. ``depends_on`` holds the
    ids of steps that go before it; ``obligation`` is that which the step stands for, or nothing.
    """

    id: str
    severities: frozenset[Severity]
    text_ar: str
    text_en: str
    owner: OwnerRole
    condition: StepCondition
    due_minutes: int | None
    due_from: StepClock
    repeat_minutes: int | None
    optional: bool
    depends_on: tuple[str, ...]
    obligation: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables and wording that incidents are decided and explained by; immutable, loaded once."""

    version: str
    sev2_affected_customers: int
    severities: Mapping[Severity, SeverityDetails]
    wording: Wording
    steps: tuple[StepTemplate, ...]


def load_catalog(path: Path | None = None) -> Catalog:
    """Read ``severities.toml`` and ``response_plan.toml`` in the folder ``path`` (None: the ones shipped).

    `TextsError` names everything that is missing, empty, misspelt or contradictory in the file.
    """
    folder = TEXTS if path is None else path
    file = TextsFile(folder / "severities.toml")
    version = file.text("version")
    # Below two, "one customer" would no longer be a SEV3.
    threshold = file.integer("sev2_affected_customers", minimum=2)
    severities = {
        severity: _details(severity, table) for severity, table in file.table("severities").each(Severity).items()
    }
    placeholders = {rule: _placeholders(rule) for rule in Rule}
    reasons = {
        rule: table.bilingual("text", placeholders[rule]) for rule, table in file.table("reasons").each(Rule).items()
    }
    notes = file.table("notes")
    wording = Wording(
        reasons=MappingProxyType(reasons),
        raised=notes.table("raised").bilingual("text", frozenset({"caller_severity"})),
        support_not_consulted=notes.table("support_not_consulted").bilingual("text"),
        outage_proposal=file.table("proposals").table("support_outage").bilingual("text", frozenset({"proposed"})),
    )
    file.finish()
    return Catalog(version, threshold, MappingProxyType(severities), wording, _steps(folder, severities))


def _placeholders(rule: Rule) -> frozenset[str]:
    counted = {Rule.AFFECTED_CUSTOMERS, Rule.DEFAULT, Rule.SUPPORT_AFFECTED_CUSTOMERS}
    return frozenset({"severity", "count", "threshold"} if rule in counted else {"severity"})


def _details(severity: Severity, table: Reader) -> SeverityDetails:
    meaning = table.bilingual("meaning")
    post_mortem = table.bilingual("post_mortem")
    return SeverityDetails(
        severity=severity,
        meaning_ar=meaning.ar,
        meaning_en=meaning.en,
        first_action_minutes=table.integer("first_action_minutes", minimum=1),
        update_interval_minutes=table.integer("update_interval_minutes", minimum=1),
        post_mortem_hours=table.optional_integer("post_mortem_hours", minimum=1),
        post_mortem_ar=post_mortem.ar,
        post_mortem_en=post_mortem.en,
    )


def _steps(folder: Path, severities: Mapping[Severity, SeverityDetails]) -> tuple[StepTemplate, ...]:
    file = TextsFile(folder / "response_plan.toml")
    steps = tuple(_step(table) for table in file.tables("steps"))
    _check_steps(file, steps, severities)
    file.finish()
    return steps


def _step(table: Reader) -> StepTemplate:
    text = table.bilingual("text")
    keys = table.keys()
    return StepTemplate(
        id=table.text("id"),
        severities=frozenset(table.members("severities", Severity)),
        text_ar=text.ar,
        text_en=text.en,
        owner=table.member("owner", OwnerRole),
        condition=table.member("condition", StepCondition),
        due_minutes=table.optional_integer("due_minutes"),
        due_from=table.member("due_from", StepClock),
        repeat_minutes=table.optional_integer("repeat_minutes", minimum=1),
        optional=table.flag("optional"),
        depends_on=table.strings("depends_on") if "depends_on" in keys else (),
        obligation=table.text("obligation") if "obligation" in keys else "",
    )


def _check_steps(
    file: TextsFile, steps: tuple[StepTemplate, ...], severities: Mapping[Severity, SeverityDetails]
) -> None:
    """The plan agrees with the table of severities, so that two files never give two deadlines."""
    for severity, details in severities.items():
        plan = [step for step in steps if severity in step.severities]
        ids = [step.id for step in plan]
        if not plan:
            file.problem("steps", f"holds none for {severity}")
        if len(set(ids)) != len(ids):
            file.problem("steps", f"repeats an id for {severity}")
        for place, step in enumerate(plan):
            if not set(step.depends_on) <= set(ids[:place]):
                file.problem("steps", f"{step.id} of {severity} depends on a step that does not go before it")
            if step.id == "post_mortem":
                hours = None if step.due_minutes is None else step.due_minutes / 60
                if hours != details.post_mortem_hours:
                    file.problem("steps", f"{step.id} of {severity} is due otherwise than its post_mortem_hours")
            if step.id == "notify_founder_and_oncall" and (step.due_minutes or 0) > details.first_action_minutes:
                file.problem("steps", f"{step.id} of {severity} is due after the first action")
            if step.repeat_minutes not in (None, details.update_interval_minutes):
                file.problem("steps", f"{step.id} of {severity} repeats otherwise than its update_interval_minutes")
