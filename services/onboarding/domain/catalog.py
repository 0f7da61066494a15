"""The catalogue of onboarding: steps, bundles, connectors, guides and wording, read from data files and checked.

The tables live in ``services/onboarding/catalog/*.toml``. ``load_catalog`` reads them once, at start, and refuses a
catalogue that is incomplete, naming every fault; afterwards everything here is frozen and safe to share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from services.domain.channels import Channel
from services.domain.texts import Bilingual, Reader, TextsFile

CATALOG_DIR = Path(__file__).resolve().parent.parent / "catalog"

STEP_IDS = (
    "select_goal",
    "select_bundle",
    "company_intake",
    "connect_channels",
    "upload_or_source",
    "risk_review",
    "first_service_run",
    "first_proof_pack",
)
BUNDLE_IDS = (
    "growth_starter",
    "data_to_revenue",
    "executive_growth_os",
    "partnership_growth",
    "local_growth_os",
    "full_growth_control_tower",
)
CONNECTOR_KEYS = (
    "gmail",
    "google_calendar",
    "google_sheets",
    "moyasar",
    "whatsapp_cloud",
    "website_forms",
    "linkedin_lead_forms",
    "google_business_profile",
    "crm_generic",
    "google_meet",
    "instagram_graph",
)
ACCEPTANCE_IDS = (
    "steps_completed",
    "ready_for_first_service",
    "proof_pack_delivered_and_approved",
    "success_cadence_active",
)
RECOVERY_IDS = ("gmail_oauth_failed", "moyasar_invoice_not_connected", "no_list_uploaded", "risk_review_found_problem")
# What to do about a problem that the risk review found.
RISK_RECOVERY = RECOVERY_IDS[3]
# Stands for "at least one, whichever" among connector keys.
ANY_CONNECTOR = "any_connector"
WORKING_DAYS = 5
PHASES = 3
PROOF_PARTS = ("delivery", "approval")
SETUP_IDS = ("connected", "test_succeeded", "no_secret_in_logs", "ledger_entry")
BLOCKER_IDS = (
    "recorded",
    "input_missing",
    "our_work",
    "earlier_step",
    "connectors_missing",
    "connectors_failed",
    "risk_problem",
)


class ConnectorMode(StrEnum):
    """How a connector is used unless somebody approves more."""

    DRAFT_ONLY = "draft_only"
    APPROVED_EXECUTE = "approved_execute"
    MANUAL = "manual"
    INGEST_ONLY = "ingest_only"


class ConnectorState(StrEnum):
    """Where the connection of one customer to one connector stands."""

    NOT_STARTED = "not_started"
    CONFIGURING = "configuring"
    CONNECTED_DRAFT_ONLY = "connected_draft_only"
    CONNECTED_APPROVED_EXECUTE = "connected_approved_execute"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def connected(self) -> bool:
        return self in (ConnectorState.CONNECTED_DRAFT_ONLY, ConnectorState.CONNECTED_APPROVED_EXECUTE)


class Party(StrEnum):
    """Who has to act."""

    CUSTOMER = "customer"
    OPERATOR = "operator"
    FOUNDER = "founder"


class BlockingParty(StrEnum):
    """Whose move it is."""

    CUSTOMER = "customer"
    DEALIX = "dealix"


class RecoveryCondition(StrEnum):
    """From what it follows that guidance is offered."""

    CONNECTOR_FAILED = "connector_failed"
    CONNECTOR_MISSING = "connector_missing"
    STEP_LATE = "step_late"
    RISK_PROBLEM_OPEN = "risk_problem_open"


class ConnectorProblem(StrEnum):
    """What can be observed to go wrong with a connection; which of them break it stands in the catalogue."""

    TIMEOUT = "timeout"
    QUOTA_EXCEEDED = "quota_exceeded"
    PROVIDER_ERROR = "provider_error"
    NETWORK_ERROR = "network_error"
    WEBHOOK_REFUSED = "webhook_refused"
    TEST_FAILED = "test_failed"
    GRANT_REVOKED = "grant_revoked"
    INVALID_GRANT = "invalid_grant"
    ACCOUNT_DELETED = "account_deleted"
    ACCOUNT_SUSPENDED = "account_suspended"
    OAUTH_FAILED = "oauth_failed"
    SETUP_FAILED = "setup_failed"


@dataclass(frozen=True, slots=True)
class Named:
    """Wording with a stable id."""

    id: str
    text: Bilingual


@dataclass(frozen=True, slots=True)
class Step:
    """One onboarding step. ``minutes`` is None exactly where the step runs on its own (``asynchronous``)."""

    id: str
    number: int
    title: Bilingual
    description: Bilingual
    minutes: int | None
    asynchronous: bool
    requires_approval: bool
    input: str | None
    day: int
    drafts_only: bool
    requires: tuple[str, ...]
    requires_readiness: bool
    waits_for: BlockingParty
    needs_clean_risk: bool


@dataclass(frozen=True, slots=True)
class Bundle:
    id: str
    name: Bilingual
    summary: Bilingual


@dataclass(frozen=True, slots=True)
class LiveAction:
    """What a live action would need *elsewhere*: described, never performed here.

    ``flag`` is the name of the environment flag of the system that would perform it, None where there is none.
    """

    flag: str | None
    requirements: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Connector:
    """One connector and what a customer should know of it."""

    key: str
    name: Bilingual
    purpose: Bilingual
    default_mode: ConnectorMode
    phase: int
    channel: Channel
    blocking: bool
    needs_opt_in_audit: bool
    set_up_by: Party
    scopes: tuple[str, ...]
    live_action: LiveAction
    hidden_fields: tuple[str, ...]
    systems: tuple[str, ...]

    @property
    def live_action_needs(self) -> Bilingual:
        """What a live action would need elsewhere, in one line: the flag first, then each requirement."""
        flag = [self.live_action.flag] if self.live_action.flag else []
        return Bilingual(
            " + ".join([*flag, *(r.text.ar for r in self.live_action.requirements)]),
            " + ".join([*flag, *(r.text.en for r in self.live_action.requirements)]),
        )


@dataclass(frozen=True, slots=True)
class Troubleshooting:
    id: str
    symptom: Bilingual
    fix: Bilingual


@dataclass(frozen=True, slots=True)
class Guide:
    """How to set a connector up. Its scopes are those of the connector."""

    connector_key: str
    steps: tuple[Bilingual, ...]
    scopes: tuple[str, ...]
    acceptance: tuple[Bilingual, ...]
    troubleshooting: tuple[Troubleshooting, ...]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Guidance for a condition that stops onboarding; ``actions`` in the order to try them."""

    id: str
    step_id: str
    when: RecoveryCondition
    connector_key: str | None
    title: Bilingual
    actions: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class AcceptanceRule:
    """Wording of one criterion: ``met`` with its own placeholders, ``missing`` with ``{items}``.

    ``unknown`` is None but for what another service has to tell.
    """

    id: str
    title: Bilingual
    met: Bilingual
    missing: Bilingual
    unknown: Bilingual | None = None


@dataclass(frozen=True, slots=True)
class ProblemRule:
    """What a problem means and what to do; ``definitive``: the connection does not come back by itself. ``title`` has
    ``{name}``. ``owner`` None means the party that the connector itself names."""

    id: ConnectorProblem
    definitive: bool
    owner: Party | None
    title: Bilingual
    remedy: Bilingual


@dataclass(frozen=True, slots=True)
class ApprovalTexts:
    """What a person is asked to approve, each with its placeholders; see ``approvals.toml``."""

    step_title: Bilingual
    step_body: Bilingual
    given: Bilingual
    connector_title: Bilingual
    connector_body: Bilingual
    risk_title: Bilingual
    risk_body: Bilingual


@dataclass(frozen=True, slots=True)
class FixRule:
    """Wording for a connector in one state; ``owner`` None means the party that the connector itself names."""

    owner: Party | None
    text: Bilingual


@dataclass(frozen=True, slots=True)
class Demo:
    """The example that the demo operations show; it is nobody's data."""

    customer_id: str
    bundle_id: str
    completed: tuple[str, ...]
    approved_by: str
    states: Mapping[str, ConnectorState]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything above, in the order of the tables."""

    steps: tuple[Step, ...]
    bundles: tuple[Bundle, ...]
    connectors: tuple[Connector, ...]
    guides: Mapping[str, Guide]
    recoveries: tuple[Recovery, ...]
    acceptance: Mapping[str, AcceptanceRule]
    proof_parts: Mapping[str, Bilingual]
    setup: Mapping[str, Bilingual]
    fixes: Mapping[ConnectorState, FixRule]
    connect_one: FixRule
    any_connector: Bilingual
    demo: Demo
    problems: Mapping[ConnectorProblem, ProblemRule]
    blockers: Mapping[str, Bilingual]
    approvals: ApprovalTexts

    def step(self, step_id: str) -> Step | None:
        return next((s for s in self.steps if s.id == step_id), None)

    def bundle(self, bundle_id: str) -> Bundle | None:
        return next((b for b in self.bundles if b.id == bundle_id), None)

    def connector(self, key: str) -> Connector | None:
        return next((c for c in self.connectors if c.key == key), None)

    def recovery(self, recovery_id: str) -> Recovery | None:
        return next((r for r in self.recoveries if r.id == recovery_id), None)


def load_catalog(path: Path | None = None) -> Catalog:
    """Read and check the catalogue in the folder ``path`` (default: the one that ships with the service).

    Raises ``TextsError`` with every fault of a file: a missing or misspelt key, an empty text, a text without its
    other language, ids that are not the eight steps, six bundles and eleven connectors, a reference to nothing.
    """
    folder = path if path is not None else CATALOG_DIR
    connectors = _connectors(TextsFile(folder / "connectors.toml"))
    rules = TextsFile(folder / "rules.toml")
    acceptance = _acceptance(rules)
    proof_parts = _all_named(rules, "proof_part", PROOF_PARTS)
    setup = _all_named(rules, "setup", SETUP_IDS)
    fixes = _fixes(rules)
    connect_one = rules.table("connect_one")
    connect_one_rule = FixRule(connect_one.member("owner", Party), connect_one.bilingual("text"))
    any_connector = connect_one.bilingual("name")
    demo = _demo(rules.table("demo"))
    rules.finish()
    return Catalog(
        steps=_steps(TextsFile(folder / "steps.toml")),
        bundles=_bundles(TextsFile(folder / "bundles.toml")),
        connectors=connectors,
        guides=MappingProxyType(_guides(TextsFile(folder / "guides.toml"), connectors)),
        recoveries=_recoveries(TextsFile(folder / "recovery.toml")),
        acceptance=MappingProxyType(acceptance),
        proof_parts=MappingProxyType(proof_parts),
        setup=MappingProxyType(setup),
        fixes=MappingProxyType(fixes),
        connect_one=connect_one_rule,
        any_connector=any_connector,
        demo=demo,
        problems=MappingProxyType(_problems(TextsFile(folder / "problems.toml"))),
        blockers=MappingProxyType(_blockers(TextsFile(folder / "blockers.toml"))),
        approvals=_approvals(TextsFile(folder / "approvals.toml")),
    )


def _expect(file: Reader, key: str, found: Iterable[str], wanted: tuple[str, ...]) -> None:
    ids = tuple(found)
    if ids != wanted:
        file.problem(key, f"expected {', '.join(wanted)} in this order, found {', '.join(ids) or 'none'}")


def _known(row: Reader, key: str, values: Iterable[str], known: tuple[str, ...]) -> None:
    for value in values:
        if value not in known:
            row.problem(key, f"{value} is not known")


def _optional(row: Reader, key: str) -> str | None:
    return row.text(key) if _has(row, key) else None


def _list(row: Reader, key: str) -> tuple[str, ...]:
    return row.strings(key) if _has(row, key) else ()


def _has(row: Reader, key: str) -> bool:
    keys = row.keys()
    return key in keys


def _named(row: Reader) -> Named:
    return Named(row.text("id"), row.bilingual("text"))


def _all_named(file: Reader, key: str, wanted: tuple[str, ...]) -> dict[str, Bilingual]:
    found = [_named(row) for row in file.tables(key)]
    _expect(file, key, [n.id for n in found], wanted)
    return {n.id: n.text for n in found}


def _steps(file: TextsFile) -> tuple[Step, ...]:
    steps: list[Step] = []
    for number, row in enumerate(file.tables("step"), start=1):
        asynchronous = row.flag("asynchronous")
        step = Step(
            id=row.text("id"),
            number=number,
            title=row.bilingual("title"),
            description=row.bilingual("description"),
            minutes=None if asynchronous else row.integer("minutes", 1),
            asynchronous=asynchronous,
            requires_approval=row.flag("approval"),
            input=_optional(row, "input"),
            day=row.integer("day", 1),
            drafts_only=row.flag("drafts_only"),
            requires=_list(row, "requires"),
            requires_readiness=row.flag("requires_readiness"),
            waits_for=row.member("waits_for", BlockingParty),
            needs_clean_risk=row.flag("needs_clean_risk"),
        )
        _known(row, "requires", step.requires, tuple(s.id for s in steps))
        if step.day > WORKING_DAYS or (steps and step.day < steps[-1].day):
            row.problem("day", f"goes backwards or lies past day {WORKING_DAYS}")
        steps.append(step)
    _expect(file, "step", [s.id for s in steps], STEP_IDS)
    file.finish()
    return tuple(steps)


def _bundles(file: TextsFile) -> tuple[Bundle, ...]:
    bundles = tuple(Bundle(r.text("id"), r.bilingual("name"), r.bilingual("summary")) for r in file.tables("bundle"))
    _expect(file, "bundle", [b.id for b in bundles], BUNDLE_IDS)
    file.finish()
    return bundles


def _connectors(file: TextsFile) -> tuple[Connector, ...]:
    connectors = tuple(_connector(row) for row in file.tables("connector"))
    _expect(file, "connector", [c.key for c in connectors], CONNECTOR_KEYS)
    file.finish()
    return connectors


def _connector(row: Reader) -> Connector:
    live = row.table("live_action")
    phase = row.integer("phase", 1)
    if phase > PHASES:
        row.problem("phase", f"lies past phase {PHASES}")
    return Connector(
        key=row.text("key"),
        name=row.bilingual("name"),
        purpose=row.bilingual("purpose"),
        default_mode=row.member("default_mode", ConnectorMode),
        phase=phase,
        channel=row.member("channel", Channel),
        blocking=row.flag("blocking"),
        needs_opt_in_audit=row.flag("opt_in_audit"),
        set_up_by=row.member("set_up_by", Party),
        scopes=_list(row, "scopes"),
        live_action=LiveAction(_optional(live, "flag"), tuple(_named(r) for r in live.tables("requirement"))),
        hidden_fields=_list(row, "hidden_fields"),
        systems=_list(row, "systems"),
    )


def _guides(file: TextsFile, connectors: tuple[Connector, ...]) -> dict[str, Guide]:
    scopes = {c.key: c.scopes for c in connectors}
    guides = []
    for row in file.tables("guide"):
        key = row.text("connector")
        guides.append(
            Guide(
                connector_key=key,
                steps=tuple(r.bilingual("text") for r in row.tables("step")),
                scopes=scopes.get(key, ()),
                acceptance=tuple(r.bilingual("text") for r in row.tables("acceptance")),
                troubleshooting=tuple(
                    Troubleshooting(r.text("id"), r.bilingual("symptom"), r.bilingual("fix"))
                    for r in row.tables("trouble")
                ),
            )
        )
    _expect(file, "guide", [g.connector_key for g in guides], CONNECTOR_KEYS)
    file.finish()
    return {g.connector_key: g for g in guides}


def _recoveries(file: TextsFile) -> tuple[Recovery, ...]:
    recoveries = []
    for row in file.tables("recovery"):
        recovery = Recovery(
            id=row.text("id"),
            step_id=row.text("step"),
            when=row.member("when", RecoveryCondition),
            connector_key=_optional(row, "connector"),
            title=row.bilingual("title"),
            actions=tuple(_named(r) for r in row.tables("action")),
        )
        _known(row, "step", [recovery.step_id], STEP_IDS)
        if recovery.connector_key is not None:
            _known(row, "connector", [recovery.connector_key], CONNECTOR_KEYS)
        about_connector = recovery.when in (RecoveryCondition.CONNECTOR_FAILED, RecoveryCondition.CONNECTOR_MISSING)
        if about_connector and recovery.connector_key is None:
            row.problem("connector", "is needed to know when the guidance is offered")
        recoveries.append(recovery)
    _expect(file, "recovery", [r.id for r in recoveries], RECOVERY_IDS)
    file.finish()
    return tuple(recoveries)


def _problems(file: TextsFile) -> dict[ConnectorProblem, ProblemRule]:
    rules = [
        ProblemRule(
            id=row.member("id", ConnectorProblem),
            definitive=row.flag("definitive"),
            owner=row.optional_member("owner", Party),
            title=row.bilingual("title", frozenset({"name"})),
            remedy=row.bilingual("remedy"),
        )
        for row in file.tables("problem")
    ]
    _expect(file, "problem", [r.id for r in rules], tuple(ConnectorProblem))
    file.finish()
    return {r.id: r for r in rules}


# What each wording fills in besides the step's own title.
_BLOCKER_FACTS = {
    "earlier_step": frozenset({"step", "items"}),
    "connectors_missing": frozenset({"step", "items"}),
    "connectors_failed": frozenset({"items"}),
    "risk_problem": frozenset[str](),
}


def _blockers(file: TextsFile) -> dict[str, Bilingual]:
    found = {}
    for row in file.tables("blocker"):
        key = row.text("id")
        found[key] = row.bilingual("text", _BLOCKER_FACTS.get(key, frozenset({"step"})))
    _expect(file, "blocker", found, BLOCKER_IDS)
    file.finish()
    return found


def _approvals(file: TextsFile) -> ApprovalTexts:
    step, given, connector, risk = (file.table(key) for key in ("step", "given", "connector", "risk"))
    texts = ApprovalTexts(
        step_title=step.bilingual("title", frozenset({"step", "customer", "given"})),
        step_body=step.bilingual("body", frozenset({"step", "customer", "given", "description"})),
        given=given.bilingual("text", frozenset({"value"})),
        connector_title=connector.bilingual("title", frozenset({"name", "customer"})),
        connector_body=connector.bilingual("body", frozenset({"name", "customer", "purpose", "needs"})),
        risk_title=risk.bilingual("title", frozenset({"customer"})),
        risk_body=risk.bilingual("body", frozenset({"customer"})),
    )
    file.finish()
    return texts


# The facts that the evidence of each criterion fills in when it is met.
_EVIDENCE = {
    "steps_completed": frozenset({"count", "date"}),
    "ready_for_first_service": frozenset({"connectors"}),
    "proof_pack_delivered_and_approved": frozenset({"approver", "date"}),
    "success_cadence_active": frozenset[str](),
}


def _acceptance(file: Reader) -> dict[str, AcceptanceRule]:
    rules = []
    for row in file.tables("acceptance"):
        rule_id = row.text("id")
        facts = _EVIDENCE.get(rule_id, frozenset())
        told_of = rule_id == "success_cadence_active"
        missing = frozenset[str]() if told_of else frozenset({"items"})
        rules.append(
            AcceptanceRule(
                rule_id,
                row.bilingual("title"),
                row.bilingual("met", facts),
                row.bilingual("missing", missing),
                row.bilingual("unknown") if told_of else None,
            )
        )
    _expect(file, "acceptance", [r.id for r in rules], ACCEPTANCE_IDS)
    return {r.id: r for r in rules}


def _fixes(file: Reader) -> dict[ConnectorState, FixRule]:
    table = file.table("fix")
    fixes = {}
    for state in ConnectorState:
        if state.connected:
            continue
        row = table.table(state.value)
        owner = None if row.flag("owner_of_set_up") else row.member("owner", Party)
        fixes[state] = FixRule(owner, row.bilingual("text", frozenset({"name"})))
    return fixes


def _demo(row: Reader) -> Demo:
    states = row.table("states")
    keys = states.keys()
    demo = Demo(
        customer_id=row.text("customer_id"),
        bundle_id=row.text("bundle_id"),
        completed=row.strings("completed"),
        approved_by=row.text("approved_by"),
        states=MappingProxyType({key: states.member(key, ConnectorState) for key in keys}),
    )
    _known(row, "bundle_id", [demo.bundle_id], BUNDLE_IDS)
    _known(row, "completed", demo.completed, STEP_IDS)
    _known(row, "states", demo.states, CONNECTOR_KEYS)
    return demo
