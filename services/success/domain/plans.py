"""Success plans of thirty days, one per bundle (specification §4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from services.domain.checks import Checks
from services.domain.texts import Bilingual, Reader, TextsFile
from services.success.domain.cadence import CadenceType

PLAN_DAYS = 30
_DATED = frozenset({"date"})


class Bundle(StrEnum):
    """What a customer bought; the same ids as in onboarding."""

    GROWTH_STARTER = "growth_starter"
    DATA_TO_REVENUE = "data_to_revenue"
    EXECUTIVE_GROWTH_OS = "executive_growth_os"
    PARTNERSHIP_GROWTH = "partnership_growth"
    LOCAL_GROWTH_OS = "local_growth_os"
    FULL_GROWTH_CONTROL_TOWER = "full_growth_control_tower"


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One line. ``day`` counts from 1, the day the plan is activated. ``kind`` is None where no cadence type fits.

    ``proof_pack``: the line delivers a Proof Pack. ``upgrade_offer``: the line may offer an upgrade, which is only done
    once a Proof Pack has really been delivered. ``kept`` is the line without that offer and ``offer`` the offer alone;
    None where the kind of touchpoint says all there is to say. ``message`` and ``offer_message`` are what the drafts of both
    say to the customer, None where they say what their kinds do: of a check-in a sentence, of all else with ``{date}``.
    """

    day: int
    id: str
    text_ar: str
    text_en: str
    kind: CadenceType | None
    proof_pack: bool
    upgrade_offer: bool
    kept: Bilingual | None
    offer: Bilingual | None
    message: Bilingual | None
    offer_message: Bilingual | None

    @property
    def line_ar(self) -> str:
        """Begins with ``Day N`` in Latin letters, as plans are read and sorted by it in both languages."""
        return f"Day {self.day}: {self.text_ar}"

    @property
    def line_en(self) -> str:
        return f"Day {self.day}: {self.text_en}"


@dataclass(frozen=True, slots=True)
class SuccessPlan:
    """``lines`` in the order of their days."""

    bundle: Bundle
    lines: tuple[PlanLine, ...]
    texts_version: str

    @property
    def cadence_ar(self) -> tuple[str, ...]:
        return tuple(line.line_ar for line in self.lines)

    @property
    def cadence_en(self) -> tuple[str, ...]:
        return tuple(line.line_en for line in self.lines)


@dataclass(frozen=True, slots=True)
class PlanTexts:
    version: str
    plans: Mapping[Bundle, SuccessPlan]


def load_plan_texts(folder: Path) -> PlanTexts:
    """Read ``plans.toml`` in ``folder``; `TextsError` names every fault of it."""
    file = TextsFile(folder / "plans.toml")
    version = file.text("version")
    bundles = file.table("bundles")
    plans = {}
    for bundle in Bundle:
        lines = tuple(_line(table) for table in bundles.tables(bundle.value))
        _check(bundles, bundle, lines)
        plans[bundle] = SuccessPlan(bundle, lines, version)
    file.finish()
    return PlanTexts(version, MappingProxyType(plans))


def parse_bundle(name: str, text: str, checks: Checks) -> Bundle:
    """The bundle of this id; any other text is noted in ``checks``."""
    try:
        return Bundle(text)
    except ValueError:
        checks.note(name, "UNKNOWN_VALUE", f"must be one of {', '.join(Bundle)}")
        return Bundle.GROWTH_STARTER


def success_plan(bundle: Bundle, texts: PlanTexts) -> SuccessPlan:
    return texts.plans[bundle]


def _line(table: Reader) -> PlanLine:
    text = table.bilingual("text")
    upgrade_offer = table.flag("upgrade_offer")
    kind = table.optional_member("kind", CadenceType)
    dated = frozenset[str]() if kind is CadenceType.WEEKLY_CHECK_IN else _DATED
    return PlanLine(
        day=table.integer("day", minimum=1),
        id=table.text("id"),
        text_ar=text.ar,
        text_en=text.en,
        kind=kind,
        proof_pack=table.flag("proof_pack"),
        upgrade_offer=upgrade_offer,
        kept=_optional(table, "kept") if upgrade_offer else text,
        offer=_optional(table, "offer") if upgrade_offer else None,
        message=table.bilingual("message", dated) if kind is None else _optional(table, "message", dated),
        offer_message=_optional(table, "offer_message", _DATED) if upgrade_offer else None,
    )


def _optional(table: Reader, key: str, placeholders: frozenset[str] = frozenset()) -> Bilingual | None:
    given = not {f"{key}_ar", f"{key}_en"}.isdisjoint(table.keys())
    return table.bilingual(key, placeholders) if given else None


def _check(bundles: Reader, bundle: Bundle, lines: tuple[PlanLine, ...]) -> None:
    days = [line.day for line in lines]
    if lines and (days != sorted(set(days)) or days[0] != 1 or days[-1] != PLAN_DAYS):
        bundles.problem(bundle.value, f"expected rising days from 1 to {PLAN_DAYS}, found {days}")
    if len({line.id for line in lines}) != len(lines):
        bundles.problem(bundle.value, "repeats an id")
    proven = False
    for line in lines:
        if line.upgrade_offer and not proven:
            bundles.problem(bundle.value, f"day {line.day} offers an upgrade before the first Proof Pack")
        proven = proven or line.proof_pack
