"""The append-only timeline of an incident: what its obligations, its history and its reports are told from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from services.domain.actors import ActorLike
from services.domain.channel_names import load_channel_names
from services.domain.channels import Channel
from services.domain.checks import has_visible_text
from services.domain.dates import named_moment
from services.domain.texts import Bilingual, TextsFile, isolated
from services.incidents.domain.severity import TEXTS, Severity


class TimelineKind(StrEnum):
    DECLARED = "declared"
    SEVERITY_RAISED = "severity_raised"
    FINDING_RECORDED = "finding_recorded"
    ACTIVATED = "activated"
    MITIGATED = "mitigated"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    ROLE_ASSIGNED = "role_assigned"
    ROLE_HANDED_OVER = "role_handed_over"
    ROLE_RELEASED = "role_released"
    TASK_ASSIGNED = "task_assigned"
    TASK_DONE = "task_done"
    TASK_SKIPPED = "task_skipped"
    TASK_REOPENED = "task_reopened"
    LINKED = "linked"
    DUPLICATE_MARKED = "duplicate_marked"
    DUPLICATE_MERGED = "duplicate_merged"
    NOTE = "note"
    UPDATE_RECORDED = "update_recorded"
    CLOCKS_PAUSED = "clocks_paused"
    CLOCKS_RESUMED = "clocks_resumed"
    OBLIGATION_BREACHED = "obligation_breached"
    OBLIGATION_COMPLETED = "obligation_completed"
    OBLIGATION_WAIVED = "obligation_waived"
    ACTION_ITEM_ADDED = "action_item_added"
    ACTION_ITEM_CHANGED = "action_item_changed"
    ACTION_ITEM_DONE = "action_item_done"
    ACTION_ITEM_CANCELLED = "action_item_cancelled"
    ACTION_ITEM_BREACHED = "action_item_breached"
    FREEZE_LATCHED = "freeze_latched"
    FREEZE_RELEASED = "freeze_released"
    COMMUNICATION_DRAFTED = "communication_drafted"
    NOTICE_FILED = "notice_filed"
    NOTICE_SUPPLEMENTED = "notice_supplemented"
    POST_MORTEM_APPROVED = "post_mortem_approved"
    POST_MORTEM_PUBLISHABLE = "post_mortem_publishable"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """What stands on one line of the timeline.

    ``occurred_at`` is when it happened, ``recorded_at`` when it was written down. ``severity`` stands from this entry
    on. ``text`` is for people, Arabic or as a person wrote it, ``text_en`` the same in English, empty where the whole is a
    person's; they may hold personal words and stay out of the ledger. ``subject`` is what of the incident it is about: an
    obligation's id, a role, a task's number, another incident. ``detail`` holds what clocks are computed from.
    """

    kind: TimelineKind
    occurred_at: datetime
    recorded_at: datetime
    severity: Severity
    text: str
    text_en: str = ""
    subject: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """A line of an incident's timeline with its position, from 1, and who recorded it."""

    number: int
    entry: TimelineEntry
    actor: ActorLike


# What the wording of a line names; kinds that are not here name nothing. Lines that are a person's words have no wording.
_PLACEHOLDERS: Mapping[TimelineKind, frozenset[str]] = MappingProxyType(
    {
        TimelineKind.SEVERITY_RAISED: frozenset({"before", "after"}),
        TimelineKind.ROLE_ASSIGNED: frozenset({"role", "person"}),
        TimelineKind.ROLE_HANDED_OVER: frozenset({"role", "person", "previous"}),
        TimelineKind.ROLE_RELEASED: frozenset({"role", "previous"}),
        TimelineKind.TASK_ASSIGNED: frozenset({"task", "person"}),
        TimelineKind.TASK_DONE: frozenset({"task"}),
        TimelineKind.TASK_SKIPPED: frozenset({"task"}),
        TimelineKind.TASK_REOPENED: frozenset({"task"}),
        TimelineKind.LINKED: frozenset({"customers", "tickets"}),
        TimelineKind.FINDING_RECORDED: frozenset({"findings"}),
        TimelineKind.OBLIGATION_BREACHED: frozenset({"obligation", "due"}),
        TimelineKind.OBLIGATION_COMPLETED: frozenset({"obligation"}),
        TimelineKind.OBLIGATION_WAIVED: frozenset({"obligation"}),
        TimelineKind.ACTION_ITEM_ADDED: frozenset({"title", "person", "due"}),
        TimelineKind.ACTION_ITEM_CHANGED: frozenset({"title", "person", "due"}),
        TimelineKind.ACTION_ITEM_DONE: frozenset({"title"}),
        TimelineKind.ACTION_ITEM_CANCELLED: frozenset({"title"}),
        TimelineKind.ACTION_ITEM_BREACHED: frozenset({"title", "due"}),
        TimelineKind.FREEZE_LATCHED: frozenset({"channels", "customers"}),
        TimelineKind.FREEZE_RELEASED: frozenset({"channels", "customers"}),
        TimelineKind.COMMUNICATION_DRAFTED: frozenset({"communication", "customers"}),
    }
)
_PEOPLES_WORDS = frozenset({TimelineKind.DECLARED, TimelineKind.NOTE, TimelineKind.UPDATE_RECORDED})


class Role(StrEnum):
    """A role in an incident; each has one holder at most."""

    COMMANDER = "commander"
    COMMUNICATIONS = "communications"
    SCRIBE = "scribe"
    LEGAL_OR_DPO = "legal_or_dpo"


class _Scope(StrEnum):
    CHANNEL = "channel"
    ALL_CHANNELS = "all_channels"
    CUSTOMER = "customer"
    ALL_CUSTOMERS = "all_customers"


_NAMED = frozenset({_Scope.CHANNEL, _Scope.CUSTOMER})


class Finding(StrEnum):
    """What can be found out about an incident after it was declared."""

    DATA_LEAK = "data_leak"
    UNAUTHORIZED_SEND = "unauthorized_send"


@dataclass(frozen=True, slots=True)
class TimelineTexts:
    """The wording of lines that the service writes, of the alerts that it drafts, and the names that they use."""

    lines: Mapping[TimelineKind, Bilingual]
    roles: Mapping[Role, Bilingual]
    findings: Mapping[Finding, Bilingual]
    scopes: Mapping[_Scope, Bilingual]
    channels: Mapping[Channel, Bilingual]
    moment: Bilingual
    obligation_alert_title: Bilingual
    obligation_alert: Bilingual
    action_item_alert_title: Bilingual
    action_item_alert: Bilingual

    def line(self, kind: TimelineKind, note: str = "", **values: Bilingual | str) -> Bilingual:
        """The wording of a line, with what a person noted behind it."""
        text = self.lines[kind].format(**values)
        return Bilingual(f"{text.ar}: {isolated(note)}", f"{text.en}: {note}") if has_visible_text(note) else text

    def at(self, moment: datetime) -> Bilingual:
        """A moment as people in Riyadh read it, to the minute."""
        return self.moment.format(moment=named_moment(moment))

    def raised(self, before: Severity, after: Severity, reason: str) -> Bilingual:
        """The line of a severity that a person raised."""
        return self.line(TimelineKind.SEVERITY_RAISED, reason, before=before.value, after=after.value)

    def freeze(self, kind: TimelineKind, channel: Channel | None, customer_id: str) -> Bilingual:
        """The line of a freeze that is latched or released; None and empty are all channels and all customers."""
        all_channels, all_customers = self.scopes[_Scope.ALL_CHANNELS], self.scopes[_Scope.ALL_CUSTOMERS]
        one_channel, one_customer = self.scopes[_Scope.CHANNEL], self.scopes[_Scope.CUSTOMER]
        return self.line(
            kind,
            channels=all_channels if channel is None else one_channel.format(channel=self.channels[channel]),
            customers=one_customer.format(customer=customer_id) if customer_id else all_customers,
        )


def load_timeline_texts(path: Path | None = None) -> TimelineTexts:
    """Read ``timeline.toml`` in the folder ``path`` (None: the one shipped). ``TextsError`` names all that is wrong in it."""
    file = TextsFile((TEXTS if path is None else path) / "timeline.toml")
    lines = file.table("lines")
    worded = [kind for kind in TimelineKind if kind not in _PEOPLES_WORDS]
    alerts = file.table("alerts")
    obligation, item = alerts.table("obligation"), alerts.table("action_item")
    texts = TimelineTexts(
        lines=MappingProxyType(
            {k: lines.table(k.value).bilingual("text", _PLACEHOLDERS.get(k, frozenset())) for k in worded}
        ),
        roles=MappingProxyType({r: t.bilingual("text") for r, t in file.table("roles").each(Role).items()}),
        findings=MappingProxyType({f: t.bilingual("text") for f, t in file.table("findings").each(Finding).items()}),
        scopes=MappingProxyType(
            {
                scope: table.bilingual("text", frozenset({scope.value} if scope in _NAMED else ()))
                for scope, table in file.table("scopes").each(_Scope).items()
            }
        ),
        channels=load_channel_names(),
        moment=file.table("moment").bilingual("text", frozenset({"moment"})),
        obligation_alert_title=obligation.bilingual("title", frozenset({"obligation", "severity"})),
        obligation_alert=obligation.bilingual(
            "body", frozenset({"obligation", "severity", "declared", "start", "due"})
        ),
        action_item_alert_title=item.bilingual("title"),
        action_item_alert=item.bilingual("body", frozenset({"severity", "declared", "due"})),
    )
    file.finish()
    return texts
