"""The weekly check-in: what it covers, what is said in it, and when it is not held (specification §4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from services.domain.channel_names import load_channel_names
from services.domain.channels import Channel
from services.domain.checks import MAX_SAR, Checks
from services.domain.dates import named_day
from services.domain.plural import Counted, Plural, read_counted
from services.domain.riyadh import week_key
from services.domain.texts import Bilingual, TextsFile
from services.success.domain.cadence import CadenceType

AGENDA_ITEMS = 5
ITEM_MINUTES = 5


class Topic(StrEnum):
    """What the talking points are made from, in the order they are said."""

    DRAFTS_APPROVED = "drafts_approved"
    REPLIES = "replies"
    MEETINGS = "meetings"
    RISKS_BLOCKED = "risks_blocked"
    PIPELINE_SAR = "pipeline_sar"


_COUNTED = (Topic.DRAFTS_APPROVED, Topic.REPLIES, Topic.MEETINGS, Topic.RISKS_BLOCKED)
_HALALA = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class CheckInFacts:
    """The customer's week. Counts of the week; ``pipeline_sar`` is the pipeline's value now, in Saudi riyals.

    None where nothing was ever recorded: nothing is then said of it, but that the pipeline has no value yet.
    """

    drafts_approved: int | None
    replies: int | None
    meetings: int | None
    risks_blocked: int | None
    pipeline_sar: float | None


@dataclass(frozen=True, slots=True)
class AgendaItem:
    id: str
    title_ar: str
    title_en: str
    minutes: int


@dataclass(frozen=True, slots=True)
class TalkingPoint:
    """One sentence and the number it is made from."""

    topic: Topic
    value: float
    text_ar: str
    text_en: str


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A draft of the week's check-in: a person approves it before the customer hears it."""

    type: ClassVar[CadenceType] = CadenceType.WEEKLY_CHECK_IN
    agenda: tuple[AgendaItem, ...]
    talking_points: tuple[TalkingPoint, ...]
    texts_version: str

    @property
    def total_minutes(self) -> int:
        return sum(item.minutes for item in self.agenda)

    @property
    def agenda_ar(self) -> tuple[str, ...]:
        return tuple(item.title_ar for item in self.agenda)

    @property
    def agenda_en(self) -> tuple[str, ...]:
        return tuple(item.title_en for item in self.agenda)

    @property
    def talking_points_ar(self) -> tuple[str, ...]:
        return tuple(point.text_ar for point in self.talking_points)

    @property
    def talking_points_en(self) -> tuple[str, ...]:
        return tuple(point.text_en for point in self.talking_points)


class IncidentSeverity(StrEnum):
    """The severities of incidents, as the incidents service names them; SEV1 is the gravest."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"


SUPPRESSING = frozenset({IncidentSeverity.SEV1, IncidentSeverity.SEV2})


class SuppressionKind(StrEnum):
    OPEN_INCIDENT = "open_incident"
    INCIDENTS_UNKNOWN = "incidents_unknown"
    FROZEN_CHANNEL = "frozen_channel"
    ALREADY_THIS_WEEK = "already_this_week"


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why no check-in is held; ``severity`` is that of the gravest open incident, where one stands in the way."""

    kind: SuppressionKind
    reason_ar: str
    reason_en: str
    severity: IncidentSeverity | None = None


@dataclass(frozen=True, slots=True)
class CheckInDecision:
    """Whether a check-in may be held in the week that begins on Sunday ``week_start`` (Asia/Riyadh).

    ``suppressions`` holds every reason against it and is empty when it may.
    """

    week_start: date
    suppressions: tuple[Suppression, ...]

    @property
    def allowed(self) -> bool:
        return not self.suppressions


@dataclass(frozen=True, slots=True)
class CheckInTexts:
    version: str
    agenda: tuple[AgendaItem, ...]
    counted: Mapping[Topic, Counted]
    suppressions: Mapping[SuppressionKind, Bilingual]
    draft_title: Bilingual
    draft_body: Bilingual
    dated_opening: Bilingual
    undated_opening: Bilingual
    planned_title: Bilingual
    channels: Mapping[Channel, Bilingual]


def load_check_in_texts(folder: Path) -> CheckInTexts:
    """Read ``check_in.toml`` in ``folder``; `TextsError` names every fault of it."""
    file = TextsFile(folder / "check_in.toml")
    version = file.text("version")
    agenda = []
    for table in file.tables("agenda"):
        title = table.bilingual("title")
        agenda.append(AgendaItem(table.text("id"), title.ar, title.en, table.integer("minutes", minimum=1)))
    if [item.minutes for item in agenda] != [ITEM_MINUTES] * AGENDA_ITEMS:
        file.problem("agenda", f"expected {AGENDA_ITEMS} items of {ITEM_MINUTES} minutes")
    if len({item.id for item in agenda}) != len(agenda):
        file.problem("agenda", "repeats an id")
    points = file.table("talking_points")
    counted = {topic: read_counted(table) for topic, table in points.each(Topic).items()}
    if not all("Pipeline" in text for text in counted[Topic.PIPELINE_SAR].ar.values()):
        file.problem("talking_points.pipeline_sar", "the Arabic does not hold the word Pipeline")
    placeholders = {
        SuppressionKind.OPEN_INCIDENT: {"severity"},
        SuppressionKind.FROZEN_CHANNEL: {"channel"},
        SuppressionKind.ALREADY_THIS_WEEK: {"week"},
    }
    suppressions = {
        kind: table.bilingual("text", frozenset(placeholders.get(kind, ())))
        for kind, table in file.table("suppression").each(SuppressionKind).items()
    }
    draft = file.table("draft")
    title = draft.bilingual("title", frozenset({"week"}))
    body = draft.bilingual("body", frozenset({"opening", "agenda", "planned", "points"}))
    opening = draft.table("opening")
    dated, undated = opening.bilingual("dated", frozenset({"date"})), opening.bilingual("undated")
    planned_title = draft.table("planned").bilingual("title", frozenset({"line", "week"}))
    file.finish()
    return CheckInTexts(
        version,
        tuple(agenda),
        MappingProxyType(counted),
        MappingProxyType(suppressions),
        title,
        body,
        dated,
        undated,
        planned_title,
        load_channel_names(),
    )


def build_check_in(facts: CheckInFacts, texts: CheckInTexts) -> CheckIn:
    """The agenda and the talking points of the week.

    `InvalidInput` names every negative, huge or not finite number.
    """
    checks = Checks()
    for topic in _COUNTED:
        checks.count(f"metrics.{topic.value}", getattr(facts, topic.value))
    checks.amount(f"metrics.{Topic.PIPELINE_SAR.value}", facts.pipeline_sar, MAX_SAR)
    checks.done()
    points = []
    for topic in _COUNTED:
        value: int | None = getattr(facts, topic.value)
        if value is None:
            continue
        said = texts.counted[topic].say(value)
        points.append(TalkingPoint(topic, value, said.ar, said.en))
    pipeline_sar = facts.pipeline_sar or 0
    said = _say_sar(pipeline_sar, texts.counted[Topic.PIPELINE_SAR])
    points.append(TalkingPoint(Topic.PIPELINE_SAR, pipeline_sar, said.ar, said.en))
    return CheckIn(texts.agenda, tuple(points), texts.version)


def check_in_title(week: date, line: Bilingual | None, texts: CheckInTexts) -> Bilingual:
    """What a check-in's draft is called; ``line`` is the plan's own for it, if there is one."""
    if line is None:
        return texts.draft_title.format(week=named_day(week))
    return texts.planned_title.format(line=line, week=named_day(week))


def check_in_text(draft: CheckIn, day: date | None, message: Bilingual | None, texts: CheckInTexts) -> Bilingual:
    """The check-in as one text, as it is put before a person and would reach the customer.

    ``day`` is the one that is proposed, None to ask for a time; ``message`` what the plan's line adds, if there is one.
    """
    return texts.draft_body.format(
        opening=texts.undated_opening if day is None else texts.dated_opening.format(date=named_day(day)),
        agenda=Bilingual(_lines(draft.agenda_ar), _lines(draft.agenda_en)),
        planned=Bilingual(f"\n{message.ar}", f"\n{message.en}") if message is not None else "",
        points=Bilingual(_lines(draft.talking_points_ar), _lines(draft.talking_points_en)),
    )


def decide_check_in(
    now: datetime,
    open_severities: Iterable[IncidentSeverity],
    check_ins: Iterable[datetime],
    texts: CheckInTexts,
    frozen: Channel | None = None,
    *,
    incidents_known: bool = True,
) -> CheckInDecision:
    """Whether the customer's check-in may be held in the week of ``now``.

    ``open_severities`` are those of the open incidents that touch the customer: none is held during a SEV1 or SEV2, nor
    where ``incidents_known`` is false, since nobody could tell of one.
    ``frozen`` is the channel of the check-in where it is frozen for the customer. ``check_ins`` are the moments of the
    customer's earlier ones: none is held if one lies in the same week.
    """
    week = week_key(now)
    suppressions = []
    in_the_way = SUPPRESSING.intersection(open_severities)
    if in_the_way:
        gravest = next(severity for severity in IncidentSeverity if severity in in_the_way)
        said = texts.suppressions[SuppressionKind.OPEN_INCIDENT].format(severity=gravest)
        suppressions.append(Suppression(SuppressionKind.OPEN_INCIDENT, said.ar, said.en, gravest))
    elif not incidents_known:
        said = texts.suppressions[SuppressionKind.INCIDENTS_UNKNOWN]
        suppressions.append(Suppression(SuppressionKind.INCIDENTS_UNKNOWN, said.ar, said.en))
    if frozen is not None:
        said = texts.suppressions[SuppressionKind.FROZEN_CHANNEL].format(channel=texts.channels[frozen])
        suppressions.append(Suppression(SuppressionKind.FROZEN_CHANNEL, said.ar, said.en))
    if any(week_key(moment) == week for moment in check_ins):
        said = texts.suppressions[SuppressionKind.ALREADY_THIS_WEEK].format(week=named_day(week))
        suppressions.append(Suppression(SuppressionKind.ALREADY_THIS_WEEK, said.ar, said.en))
    return CheckInDecision(week, tuple(suppressions))


def _lines(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _say_sar(amount: float, texts: Counted) -> Bilingual:
    """An amount of riyals with thousands separators, and with halalas only where there are any."""
    exact = Decimal(str(amount)).quantize(_HALALA, rounding=ROUND_HALF_EVEN)
    if exact == exact.to_integral_value():
        return texts.say(int(exact))
    shown = f"{exact:,}"
    return Bilingual(texts.ar[Plural.OTHER].format(n=shown), texts.en[Plural.OTHER].format(n=shown))
