"""Policies as versions: which applies when, on which calendar, and what does not load."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.domain.errors import InvalidInput
from services.domain.texts import TextsError
from services.support.domain.calendars import load_calendars
from services.support.domain.policy import (
    TEXTS_DIR,
    ClockKind,
    EscalationOwner,
    PolicyBook,
    Rung,
    load_policies,
    load_policy_book,
)
from services.support.domain.priorities import Priority

P0, P1, P2, P3 = Priority
FOUNDER, ONCALL, TEAM = EscalationOwner.FOUNDER, EscalationOwner.OPERATOR_ONCALL, EscalationOwner.OPERATOR_TEAM
SHIPPED = (TEXTS_DIR / "sla_policy.toml").read_text(encoding="utf-8")


def book(folder: Path, **texts: str) -> PolicyBook:
    for name, text in texts.items():
        (folder / f"sla_policy_{name}.toml").write_text(text, encoding="utf-8")
    return load_policy_book(folder)


def version(name: str, since: str, *changes: tuple[str, str]) -> str:
    text = SHIPPED.replace('"2026-1"', f'"{name}"').replace('"2000-01-01T00:00:00+03:00"', f'"{since}"')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_the_default_is_calendar_time_for_all_priorities() -> None:
    shipped = load_policy_book()
    assert [v.version for v in shipped.versions] == ["2026-1"]
    assert [
        (p, s.target(ClockKind.FIRST_RESPONSE), s.target(ClockKind.NEXT_RESPONSE), s.target(ClockKind.RESOLUTION))
        for p, s in shipped.versions[0].policies.items()
    ] == [
        (P0, timedelta(minutes=30), timedelta(minutes=30), timedelta(hours=4)),
        (P1, timedelta(hours=2), timedelta(hours=2), timedelta(hours=24)),
        (P2, timedelta(hours=8), timedelta(hours=8), timedelta(hours=72)),
        (P3, timedelta(hours=24), timedelta(hours=24), timedelta(days=7)),
    ]
    assert all(s.calendar.round_the_clock and s.at_risk_percent == 75 for s in load_policies().values())


@pytest.mark.parametrize(
    ("priority", "ladder"),
    [
        (P0, [(75, FOUNDER), (100, FOUNDER), (150, FOUNDER)]),
        (P1, [(75, ONCALL), (100, FOUNDER), (150, FOUNDER)]),
        (P2, [(75, ONCALL), (100, FOUNDER), (150, FOUNDER)]),
        (P3, [(75, TEAM), (100, ONCALL), (150, FOUNDER)]),
    ],
)
def test_the_ladder_goes_from_the_owner_to_the_founder(
    priority: Priority, ladder: list[tuple[int, EscalationOwner]]
) -> None:
    assert load_policies()[priority].ladder == tuple(Rung(percent, role) for percent, role in ladder)


def test_a_rung_is_its_part_of_a_target_to_the_microsecond() -> None:
    assert Rung(75, FOUNDER).part_of(timedelta(minutes=30)) == timedelta(minutes=22, seconds=30)
    assert Rung(150, FOUNDER).part_of(timedelta(hours=4)) == timedelta(hours=6)
    assert Rung(33, FOUNDER).part_of(timedelta(minutes=1)) == timedelta(seconds=19, milliseconds=800)


def test_a_ticket_keeps_the_version_it_was_opened_under(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        b=version(
            "second", "2026-06-01T00:00:00+03:00", ("first_response_minutes = 30", "first_response_minutes = 20")
        ),
        a=version("third", "2026-07-01T00:00:00+00:00"),
        c=version("first", "2026-01-01T00:00:00+03:00"),
    )
    tick = timedelta(microseconds=1)
    second, third = datetime(2026, 5, 31, 21, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert [found.policy_at(at).version for at in (second - tick, second, third - tick, third)] == [
        "first",
        "second",
        "second",
        "third",
    ]
    assert found.policy_at(second).policies[P0].first_response_minutes == 20
    assert found.policy_at(datetime(9999, 1, 1, tzinfo=UTC)).version == "third"


def test_before_the_first_policy_there_was_no_promise(tmp_path: Path) -> None:
    found = book(tmp_path, a=version("first", "2026-01-01T00:00:00+03:00"))
    with pytest.raises(InvalidInput) as refusal:
        found.policy_at(datetime(2025, 12, 31, 20, 59, 59, tzinfo=UTC))
    assert [(v.field, v.reason) for v in refusal.value.violations] == [("opened_at", "NO_POLICY")]


def test_milder_priorities_may_go_by_a_working_calendar(tmp_path: Path) -> None:
    before, after = SHIPPED.split("[P2]")
    policies = book(tmp_path, a=before + "[P2]" + after.replace('"always"', '"riyadh_office"')).versions[0].policies
    assert [p.calendar.calendar_id for p in policies.values()] == ["always", "always", "riyadh_office", "riyadh_office"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[P0]", "[P9]"), "P0: is missing"),
        (
            ('calendar = "always"', 'calendar = "riyadh_office"'),
            "P0: is worked on round the clock, not on riyadh_office",
        ),
        (('calendar = "always"', 'calendar = "night"'), "P0.calendar: expected one of ['always', 'riyadh_office']"),
        (("next_response_minutes = 30", "next_response_minutes = 121"), "P1: answers again sooner than P0"),
        (("resolution_hours = 72", "resolution_hours = 169"), "P3: resolves sooner than P2"),
        (("at_risk_percent = 75", "at_risk_percent = 101"), "P0.at_risk_percent: expected at most 100"),
        (("at_risk_percent = 75", "at_risk_percent = 0"), "P0.at_risk_percent: expected a whole number of at least 1"),
        (("percent = 100", "percent = 75"), "P0.ladder: expected percents in rising order"),
        (('to = "owner"', 'to = "everybody"'), "P0.ladder[0].to: expected one of"),
        (('operator_team = "operator_oncall"', ""), "escalates_to.operator_team: is missing"),
        (("2000-01-01T00:00:00+03:00", "2000-01-01T00:00:00"), "effective_from: expected a moment with its offset"),
        (("2000-01-01T00:00:00+03:00", "soon"), "effective_from: expected a moment with its offset"),
        (("next_response_minutes = 30\n", ""), "P0.next_response_minutes: is missing"),
    ],
)
def test_a_faulty_version_does_not_load(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    old, new = change
    assert old in SHIPPED
    with pytest.raises(TextsError) as refusal:
        book(tmp_path, a=SHIPPED.replace(old, new, 1))
    assert said in str(refusal.value)


def test_a_milder_priority_is_not_worked_on_when_a_more_urgent_one_is_not(tmp_path: Path) -> None:
    before, after = SHIPPED.split("[P2]")
    with pytest.raises(TextsError) as refusal:
        book(tmp_path, a=before + "[P2]" + after.replace('"always"', '"riyadh_office"', 1))
    assert "P3: is worked on at hours at which P2 is not" in str(refusal.value)


def test_all_faults_of_a_version_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(TextsError) as refusal:
        book(tmp_path, a=SHIPPED.replace("resolution_hours = 4\n", "").replace("[P3]", "[P5]"))
    assert {p.split(":")[0] for p in refusal.value.problems} >= {"P0.resolution_hours", "P3", "P5"}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({}, "no file"),
        ({"a": version("x", "2026-01-01T00:00:00Z"), "b": version("x", "2027-01-01T00:00:00Z")}, "x: stands in two"),
        (
            {"a": version("x", "2026-01-01T00:00:00Z"), "b": version("y", "2026-01-01T03:00:00+03:00")},
            "x and y: both from 2026-01-01T00:00:00+00:00",
        ),
    ],
)
def test_versions_that_cannot_be_told_apart_do_not_load(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    with pytest.raises(TextsError) as refusal:
        book(tmp_path, **texts)
    assert said in str(refusal.value)


def test_calendars_can_be_given() -> None:
    assert load_policies(calendars={"always": load_calendars()["always"]}) == load_policies()
