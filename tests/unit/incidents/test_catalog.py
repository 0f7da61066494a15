"""The tables of incidents say what the specification says, and a faulty file is refused with all its faults."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.domain.texts import TextsError
from services.incidents.domain.severity import TEXTS, Severity, gravest, load_catalog

CATALOG = load_catalog()


@pytest.mark.parametrize(
    ("severity", "first_action", "updates", "post_mortem"),
    [(Severity.SEV1, 15, 30, 24), (Severity.SEV2, 30, 60, 48), (Severity.SEV3, 120, 240, None)],
)
def test_the_table_of_severities(severity: Severity, first_action: int, updates: int, post_mortem: int | None) -> None:
    details = CATALOG.severities[severity]
    assert details.severity is severity
    assert (details.first_action_minutes, details.update_interval_minutes) == (first_action, updates)
    assert details.post_mortem_hours == post_mortem
    assert details.post_mortem_required == (post_mortem is not None)


def test_sev1_is_the_gravest() -> None:
    assert sorted(Severity, key=lambda s: s.rank) == [Severity.SEV1, Severity.SEV2, Severity.SEV3]
    assert gravest(Severity.SEV3, Severity.SEV1) is Severity.SEV1
    assert gravest(Severity.SEV2, Severity.SEV3) is Severity.SEV2
    assert Severity.SEV2.at_least(Severity.SEV2)


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("severities.toml", "[severities.SEV3]", "[severities.SEV4]", "severities.SEV3: is missing"),
        ("severities.toml", "first_action_minutes = 15", "first_action_minutes = 0", "severities.SEV1.first_action"),
        ("severities.toml", "first_action_minutes = 15", 'first_action_minutes = "15"', "severities.SEV1.first_action"),
        ("severities.toml", "sev2_affected_customers = 5", "sev2_affected_customers = 1", "sev2_affected_customers"),
        ("severities.toml", "{count} affected", "several affected", "reasons.support_affected_customers.text_en"),
        ("severities.toml", "[notes.raised]", "[notes.rised]", "notes.rised: is not a key"),
        ("response_plan.toml", 'owner = "scribe"', 'owner = "nobody"', "steps[4].owner"),
        ("response_plan.toml", "due_minutes = 2880", "due_minutes = 1440", "post_mortem of SEV2"),
        ("response_plan.toml", "repeat_minutes = 60", "repeat_minutes = 30", "update_affected_customers of SEV2"),
        ("response_plan.toml", "due_minutes = 15\n", "due_minutes = 16\n", "notify_founder_and_oncall of SEV1"),
        ("response_plan.toml", 'id = "open_incident_channel"', 'id = "pdpl_notice"', "repeats an id"),
        ("response_plan.toml", "[[steps]]", "[[steps", "cannot be read"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, file: str, old: str, new: str, named: str) -> None:
    for source in TEXTS.glob("*.toml"):
        shutil.copy(source, tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TextsError) as refused:
        load_catalog(tmp_path)
    assert any(named in problem for problem in refused.value.problems), refused.value.problems
    assert refused.value.source == file


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    for source in TEXTS.glob("*.toml"):
        shutil.copy(source, tmp_path)
    path = tmp_path / "severities.toml"
    text = path.read_text(encoding="utf-8").replace("first_action_minutes", "first_action").replace('version = "1"', "")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TextsError) as refused:
        load_catalog(tmp_path)
    # The version, three missing keys and three that nobody reads.
    assert len(refused.value.problems) == 7
