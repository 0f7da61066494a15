"""What incidents owe: the clocks against a slow reference that counts minutes, and the table of rules."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.domain.texts import TextsError
from services.incidents.domain.book import load_book
from services.incidents.domain.obligations import (
    LEAK_AWARE,
    Beginning,
    ClockKind,
    ObligationKind,
    Pause,
    Policy,
    deadline,
    load_policy,
    next_breach,
    obligations_of,
)
from services.incidents.domain.severity import TEXTS, Severity
from services.incidents.domain.timeline import TimelineEntry, TimelineKind, TimelineLine
from services.storage.database import Actor

BOOK = load_book()
SHIPPED = BOOK.policy
PERSON = Actor("person", "operator-17")
# A Tuesday, 01:00 in Riyadh; minutes count from here.
ZERO = datetime(2026, 3, 9, 22, 0, tzinfo=UTC)
DAY = 24 * 60
MINUTE = timedelta(minutes=1)
K = TimelineKind


# --- the reference: it counts minutes, one after another ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """What happened in minute ``at`` and was recorded in minute ``recorded``."""

    kind: str
    at: int
    recorded: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """An incident told in minutes."""

    aware: int
    declared: int
    severity: str
    leak: bool
    drill: bool
    events: tuple[Event, ...]


def works(minute: int) -> bool:
    """Whether it is a working day in Riyadh (three hours ahead of UTC): Friday and Saturday are none."""
    return (ZERO + timedelta(minutes=minute + 180)).weekday() not in (4, 5)


def counted_due(start: int, length: int, calendar: bool, pausable: bool, events: list[Event]) -> int | None:
    """The minute by whose beginning ``length`` minutes have been counted; None while the clock is stopped for good."""
    stops = [e.recorded for e in events if e.kind == "pause"] if pausable else []
    goes_on = [e.recorded for e in events if e.kind == "resume"]
    counted, minute = 0, start
    while counted < length:
        stopped = [stop for stop in stops if stop <= minute]
        if stopped:
            back = [go for go in goes_on if go > stopped[-1]]
            if not back:
                return None
            if minute < back[0]:
                minute += 1
                continue
        counted += works(minute) or not calendar
        minute += 1
    return minute


MINUTES = {"SEV1": (15, 30, DAY), "SEV2": (30, 60, 2 * DAY), "SEV3": (120, 240, None)}


@dataclass(frozen=True, slots=True)
class Variant:
    """How the two clocks that may differ run: the post-mortem and the notice to data subjects."""

    calendar: bool
    pausable: bool

    def policy(self) -> Policy:
        clock = ClockKind.CALENDAR if self.calendar else ClockKind.WALL
        changed = (ObligationKind.POST_MORTEM, ObligationKind.DATA_SUBJECTS)
        return dataclasses.replace(
            SHIPPED,
            rules=tuple(
                dataclasses.replace(rule, clock=clock, pausable=self.pausable) if rule.kind in changed else rule
                for rule in SHIPPED.rules
            ),
        )


def reference(story: Story, variant: Variant, as_of: int) -> dict[str, tuple[str, int | None, int | None, bool]]:
    """Id to state, start, due and whether it was breached, by what was recorded until ``as_of``."""
    known = [event for event in story.events if event.recorded <= as_of]
    if story.drill or as_of < story.declared:
        return {}
    found: dict[str, tuple[str, int | None, int | None, bool]] = {}

    def facts(events: list[Event]) -> tuple[str, int | None, int | None]:
        severity = ([story.severity] + [e.what for e in events if e.kind == "raise"])[-1]
        leaks = [story.aware] * story.leak + [e.at for e in events if e.kind == "leak"]
        resolved = [e.at for e in events if e.kind == "resolve"]
        return severity, min(leaks, default=None), resolved[0] if resolved else None

    def clock(name: str, events: list[Event]) -> tuple[int | None, int | None] | None:
        """Start and due by the facts after ``events``; None where it is not owed."""
        severity, leak, resolved = facts(events)
        first, update, post_mortem = MINUTES[severity]
        if name == "first_action":
            return story.aware, counted_due(story.aware, first, False, False, events)
        if name.startswith("next_update"):
            updates = [e.at for e in events if e.kind == "update"]
            start = [story.aware, *updates][-1]
            return start, counted_due(start, update, False, False, events)
        if name == "post_mortem":
            if post_mortem is None:
                return None
            if resolved is None:
                return None, None
            return resolved, counted_due(resolved, post_mortem, variant.calendar, variant.pausable, events)
        if leak is None:
            return None
        if name == "pdpl_authority":
            return leak, leak + 72 * 60
        return leak, counted_due(leak, DAY, variant.calendar, variant.pausable, events)

    def judge(name: str, ends: dict[str, str]) -> None:
        """``ends``: kinds of events (with what they name) that end it, and the state that they bring."""
        breached = False
        state: str | None = None
        times: tuple[int | None, int | None] = (None, None)
        for place, event in enumerate(known):
            end = ends.get(event.kind) if event.what in ("", name) else None
            if end is None or (state is not None and not (state == "not_required" and end == "met")):
                continue
            owed = clock(name, known[:place])
            if owed is None:
                continue
            times = owed
            late = owed[1] is not None and event.at > owed[1]
            breached = late
            state = "met_late" if late and end == "met" else end
        if state is not None:
            found[name] = (state, *times, breached)
            return
        owed = clock(name, known)
        if owed is None or any(e.kind == "cancel" for e in known):
            return
        start, due = owed
        if start is None:
            found[name] = ("not_started", None, None, False)
        elif due is None:
            found[name] = ("paused", start, None, False)
        else:
            found[name] = ("breached" if as_of > due else "running", start, due, as_of > due)

    judge("first_action", {"activate": "met", "complete": "met", "cancel": "cancelled"})
    for name in ("post_mortem", "pdpl_authority", "data_subjects"):
        judge(name, {"complete": "met", "waive": "not_required", "cancel": "cancelled"})
    # Updates come round: each is owed from the one before it until the next, the resolution or the end.
    number, start = 1, story.aware
    for place, event in enumerate(known):
        if event.kind in ("update", "resolve", "cancel"):
            due = counted_due(start, MINUTES[facts(known[:place])[0]][1], False, False, known[:place])
            assert due is not None
            late = event.at > due
            met = "met_late" if late else "met"
            found[f"next_update-{number}"] = (met if event.kind == "update" else "cancelled", start, due, late)
            if event.kind != "update":
                return found
            number, start = number + 1, event.at
    due = counted_due(start, MINUTES[facts(known)[0]][1], False, False, known)
    assert due is not None
    found[f"next_update-{number}"] = ("breached" if as_of > due else "running", start, due, as_of > due)
    return found


# --- stories ------------------------------------------------------------------------------------------------------------


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Incidents whose steps come in an order that the service allows, with any delays between them."""
    declared = draw(st.integers(0, 9 * DAY))
    aware = declared - draw(st.sampled_from((0, 0, 10, 200, 3 * DAY + 5)))
    severity = draw(st.sampled_from(("SEV3", "SEV2", "SEV1", "SEV1")))
    leak = severity == "SEV1" and draw(st.integers(0, 3)) > 0
    events: list[Event] = []
    now, last_update, step, paused, state = declared, aware, aware, False, "declared"
    known = {"severity": severity, "leak": leak}
    done: set[str] = set()
    for _ in range(draw(st.integers(0, 14))):
        # Often just when something is due.
        now += draw(st.sampled_from((1, 14, 15, 30, 31, 90, 240, DAY, 26 * 60, 3 * DAY)))
        choices = ["resume" if paused else "pause"] * 2 + ["raise", "leak", "complete", "complete", "waive"]
        if state in ("declared", "active", "mitigated"):
            choices += ["update", "update", "cancel"]
        choices += {"declared": ["activate"] * 3, "active": ["mitigate"] * 3, "mitigated": ["resolve"] * 3}.get(
            state, []
        )
        kind = draw(st.sampled_from(choices))
        back = draw(st.sampled_from((0, 0, 5, 700)))
        if kind in ("pause", "resume"):
            paused = not paused
            events.append(Event(kind, now, now))
        elif kind == "raise":
            graver = [each for each in ("SEV1", "SEV2") if each < known["severity"]]
            if graver:
                known["severity"] = draw(st.sampled_from(graver))
                events.append(Event(kind, now, now, known["severity"]))
        elif kind == "leak":
            if not known["leak"]:
                known.update(leak=True, severity="SEV1")
                events.append(Event("raise", now, now, "SEV1"))
            # A second one comes from a duplicate, which may have known earlier.
            events.append(Event(kind, now - back, now))
        elif kind == "update":
            last_update = max(last_update, now - back)
            events.append(Event(kind, last_update, now))
        elif kind == "cancel":
            events.append(Event(kind, now, now))
            break
        elif kind in ("activate", "mitigate", "resolve"):
            step = max(step, now - back, last_update if kind == "resolve" else step)
            state = {"activate": "active", "mitigate": "mitigated", "resolve": "resolved"}[kind]
            if kind != "mitigate":
                done.add("first_action")
                events.append(Event(kind, step, now))
        else:
            names = ["pdpl_authority", "data_subjects"] if known["leak"] else []
            if kind == "complete":
                names += ["first_action"] + ["post_mortem"] * (state == "resolved" and known["severity"] != "SEV3")
            names = [name for name in names if name not in done and (kind, name) not in done]
            if names:
                name = draw(st.sampled_from(names))
                done.add(name if kind == "complete" else (kind, name))  # type: ignore[arg-type]
                started = {"first_action": aware, "post_mortem": step}.get(name)
                at = now if kind == "waive" or started is None else max(started, now - back)
                events.append(Event(kind, at, now, name))
    return Story(aware, declared, severity, leak, draw(st.integers(0, 9)) == 0, tuple(events))


LINES = {
    "raise": K.SEVERITY_RAISED,
    "leak": K.FINDING_RECORDED,
    "activate": K.ACTIVATED,
    "resolve": K.RESOLVED,
    "update": K.UPDATE_RECORDED,
    "pause": K.CLOCKS_PAUSED,
    "resume": K.CLOCKS_RESUMED,
    "complete": K.OBLIGATION_COMPLETED,
    "waive": K.OBLIGATION_WAIVED,
    "cancel": K.CANCELLED,
}
# The same moments, as clocks in other places would write them.
ZONES = (UTC, timezone(timedelta(hours=3)), timezone(timedelta(hours=-9, minutes=-30)))


def moment(minute: int, zone: timezone = UTC) -> datetime:
    return (ZERO + timedelta(minutes=minute)).astimezone(zone)


def told(story: Story, zone: timezone) -> tuple[Beginning, list[TimelineLine]]:
    """The story as the service stores it."""
    beginning = Beginning("inc", moment(story.aware, zone), moment(story.declared, zone), False, story.drill)
    severity = Severity(story.severity)
    first = moment(story.declared, zone)
    detail = {LEAK_AWARE: moment(story.aware).isoformat()} if story.leak else {}
    lines = [TimelineLine(1, TimelineEntry(K.DECLARED, first, first, severity, "", detail=detail), PERSON)]
    for event in story.events:
        if event.kind == "raise":
            severity = Severity(event.what)
        entry = TimelineEntry(
            LINES[event.kind],
            moment(event.at, zone),
            moment(event.recorded, zone),
            severity,
            "",
            subject=event.what,
            detail={LEAK_AWARE: moment(event.at, zone).isoformat()} if event.kind == "leak" else {},
        )
        lines.append(TimelineLine(len(lines) + 1, entry, PERSON))
    return beginning, lines


@settings(max_examples=600, deadline=None)
@given(stories(), st.booleans(), st.booleans(), st.sampled_from(ZONES), st.data())
def test_the_clocks_are_those_of_a_reference_that_counts_minutes(
    story: Story, calendar: bool, pausable: bool, zone: timezone, data: st.DataObject
) -> None:
    variant = Variant(calendar, pausable)
    policy = variant.policy()
    beginning, lines = told(story, zone)
    moments = {story.declared - 1, story.declared, *(event.recorded for event in story.events)}
    as_of = data.draw(st.sampled_from(sorted(moments))) + data.draw(st.sampled_from((0, 0, 1, 59, DAY, 30 * DAY)))
    expected = reference(story, variant, as_of)
    found = {
        each.obligation_id: (
            "running" if each.state == "at_risk" else each.state.value,
            each.started_at and (each.started_at - ZERO) // MINUTE,
            each.due_at and (each.due_at - ZERO) // MINUTE,
            each.breached,
        )
        for each in obligations_of(beginning, lines, policy, moment(as_of, zone))
    }
    assert found == expected


@settings(max_examples=150, deadline=None)
@given(stories(), st.data())
def test_nothing_that_is_recorded_later_changes_what_was_known(story: Story, data: st.DataObject) -> None:
    beginning, lines = told(story, UTC)
    place = data.draw(st.integers(1, len(lines)))
    as_of = lines[place - 1].entry.recorded_at
    # Two lines of one instant are one change: both are known.
    known = [line for line in lines if line.entry.recorded_at <= as_of]
    assert obligations_of(beginning, lines, SHIPPED, as_of) == obligations_of(beginning, known, SHIPPED, as_of)


@settings(max_examples=200, deadline=None)
@given(stories())
@example(Story(0, 0, "SEV1", True, False, (Event("complete", 1, 1, "pdpl_authority"), Event("leak", -3, 2))))
def test_the_pdpl_clock_is_72_hours_from_awareness_whatever_happens(story: Story) -> None:
    beginning, lines = told(story, UTC)
    leaks = [story.aware] * story.leak + [event.at for event in story.events if event.kind == "leak"]
    end = lines[-1].entry.recorded_at + timedelta(days=9)
    found = [each for each in obligations_of(beginning, lines, SHIPPED, end) if each.kind == "pdpl_authority"]
    assert bool(found) is (bool(leaks) and not story.drill)
    for each in found:
        # An end is judged by what was known then: an earlier awareness that is told afterwards moves no clock that has ended.
        told_later = [
            event.at
            for event in story.events
            if event.kind == "leak" and each.recorded_at is not None and moment(event.recorded) > each.recorded_at
        ]
        for at in told_later:
            leaks.remove(at)
        assert each.due_at == moment(min(leaks)) + timedelta(hours=72)
        assert each.state != "paused"


@settings(max_examples=150, deadline=None)
@given(stories())
def test_the_next_breach_is_the_first_moment_at_which_one_shows(story: Story) -> None:
    beginning, lines = told(story, UTC)
    now = lines[-1].entry.recorded_at
    owed = obligations_of(beginning, lines, SHIPPED, now)
    open_ones = frozenset(each.obligation_id for each in owed if each.open)

    def late(at: datetime) -> set[str]:
        return {e.obligation_id for e in obligations_of(beginning, lines, SHIPPED, at) if e.state == "breached"}

    late_now = frozenset(late(now))
    moment_of_next = next_breach(owed, late_now)
    assert moment_of_next == next_breach([each for each in owed if each.obligation_id not in late_now], frozenset())
    if moment_of_next is None:
        assert late(now + timedelta(days=400)) == late_now
    else:
        assert late(moment_of_next) > late_now
        assert late(moment_of_next - timedelta(microseconds=1)) == late_now
        assert late(moment_of_next) <= open_ones


# --- single facts -------------------------------------------------------------------------------------------------------

WALL, CALENDAR = ClockKind.WALL, ClockKind.CALENDAR


@pytest.mark.parametrize(
    ("start", "hours", "clock", "pauses", "expected"),
    [
        # Thursday noon in Riyadh: by the calendar, twelve hours are left before the weekend.
        ("2026-03-12T09:00", 12, WALL, [], "2026-03-12T21:00"),
        ("2026-03-12T09:00", 12, CALENDAR, [], "2026-03-12T21:00"),
        ("2026-03-12T09:00", 13, CALENDAR, [], "2026-03-14T22:00"),
        # Begun on a Friday it counts from Sunday's midnight.
        ("2026-03-13T09:00", 24, CALENDAR, [], "2026-03-15T21:00"),
        ("2026-03-13T09:00", 72, WALL, [], "2026-03-16T09:00"),
        # A pause that ended before, one across the start, one in between, one after the end, one that does not end.
        ("2026-03-09T09:00", 5, WALL, [("2026-03-09T06:00", "2026-03-09T08:00")], "2026-03-09T14:00"),
        ("2026-03-09T09:00", 5, WALL, [("2026-03-09T08:00", "2026-03-09T10:00")], "2026-03-09T15:00"),
        ("2026-03-09T09:00", 5, WALL, [("2026-03-09T10:00", "2026-03-09T12:00")], "2026-03-09T16:00"),
        ("2026-03-09T09:00", 5, WALL, [("2026-03-09T14:00", "2026-03-09T15:00")], "2026-03-09T14:00"),
        ("2026-03-09T09:00", 5, WALL, [("2026-03-09T10:00", None)], None),
        ("2026-03-09T09:00", 5, WALL, [("2026-03-09T14:00", None)], "2026-03-09T14:00"),
        # Paused over the weekend and into it.
        ("2026-03-12T09:00", 13, CALENDAR, [("2026-03-13T09:00", "2026-03-15T03:00")], "2026-03-15T04:00"),
    ],
)
def test_a_deadline_leaves_out_what_does_not_count(
    start: str, hours: int, clock: ClockKind, pauses: list[tuple[str, str | None]], expected: str | None
) -> None:
    def utc(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    stops = [Pause(utc(first), utc(last) if last else None) for first, last in pauses]
    found = deadline(utc(start), timedelta(hours=hours), clock, stops)
    assert found == (utc(expected) if expected else None)


def test_the_pdpl_holds_across_a_change_of_clocks_elsewhere() -> None:
    """Somebody in New York writes local times over the night in which clocks go forward there: 72 hours are 72 hours."""
    eastern, daylight = timezone(timedelta(hours=-5)), timezone(timedelta(hours=-4))
    aware = datetime(2026, 3, 7, 20, 0, tzinfo=eastern)
    beginning = Beginning("inc", aware, aware, True, False)
    lines = [TimelineLine(1, TimelineEntry(K.DECLARED, aware, aware, Severity.SEV1, ""), PERSON)]
    due = datetime(2026, 3, 10, 21, 0, tzinfo=daylight)
    assert due - aware == timedelta(hours=72)
    for at, state in ((due, "at_risk"), (due + timedelta(microseconds=1), "breached")):
        (found,) = [o for o in obligations_of(beginning, lines, SHIPPED, at) if o.kind == "pdpl_authority"]
        assert (found.due_at, found.state) == (due, state)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("minutes = 4320", "minutes = 4321", "the law"),
        ("minutes = 4320\nclock = \"wall\"", "minutes = 4320\nclock = \"calendar\"", "the law"),
        ("minutes = 4320", "minutes = 4320\npausable = true", "the law"),
        ("at_risk_percent = 75", "at_risk_percent = 100", "at most 99"),
        ("minutes = 1440\n", "", "expected either this or per_severity"),
        ("minutes = 1440\n", "minutes = 1440\nper_severity = \"post_mortem_hours\"\n", "expected either this"),
        ('start = "last_update"', 'start = "aware"', "counts from the last update exactly if"),
        ('per_severity = "update_interval_minutes"', 'per_severity = "update_interval_minutes"\nwaivable = true', "neither"),
        ("[obligations.data_subjects]", "[obligations.data_subject]", "is missing"),
    ],
)  # fmt: skip
def test_a_table_that_breaks_a_rule_is_refused_when_it_is_loaded(
    tmp_path: Path, before: str, after: str, problem: str
) -> None:
    shutil.copytree(TEXTS, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "obligations.toml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(TextsError, match=problem):
        load_policy(BOOK.catalog, tmp_path)


def test_the_internal_target_of_the_notice_to_data_subjects_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "obligations.toml"
    text = (TEXTS / "obligations.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("minutes = 1440", "minutes = 600"), encoding="utf-8")
    rule = load_policy(BOOK.catalog, tmp_path).rule(ObligationKind.DATA_SUBJECTS)
    assert set(rule.lengths.values()) == {timedelta(hours=10)}
