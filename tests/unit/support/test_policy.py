"""The promises of the four priorities, and the drafts and words that speak of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.domain.claims import ClaimChecker, load_claims
from services.domain.errors import InvalidInput
from services.domain.texts import TextsError
from services.support.domain.first_response import load_first_responses
from services.support.domain.policy import TEXTS_DIR, Policies, load_policies, parse_priority
from services.support.domain.priorities import Priority
from services.support.domain.sla import HealthTexts, ReportAction, Verdict, load_health_texts


def test_four_priorities_with_their_targets_and_owners(policy: Policies) -> None:
    assert [
        (p.priority, p.first_response_minutes, p.resolution_hours, p.escalation_owner) for p in policy.values()
    ] == [
        ("P0", 30, 4, "founder"),
        ("P1", 120, 24, "operator_oncall"),
        ("P2", 480, 72, "operator_oncall"),
        ("P3", 1440, 168, "operator_team"),
    ]


def test_each_priority_says_what_it_means_in_both_languages(policy: Policies) -> None:
    assert policy[Priority.P0].meaning.ar == "حرج: أمان، أو إرسال خاطئ أو بدون موافقة، أو توقف كامل"
    assert len({p.meaning.ar for p in policy.values()} | {p.meaning.en for p in policy.values()}) == 8


@pytest.mark.parametrize("value", ["", "P4", "p0", "P0 ", "0", "critical"])
def test_an_unknown_priority_becomes_no_other(value: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_priority(value)
    assert [(v.field, v.reason) for v in refusal.value.violations] == [("priority", "UNKNOWN_VALUE")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("first_response_minutes = 30", "first_response_minutes = 0", "P0.first_response_minutes"),
        ("first_response_minutes = 30", "first_response_minutes = 121", "P1: answers sooner than P0"),
        ("resolution_hours = 168", "resolution_hours = 71", "P3: resolves sooner than P2"),
        ('escalation_owner = "founder"', 'escalation_owner = "somebody"', "P0.escalation_owner"),
        ("[P3]", "[P4]", "P3"),
    ],
)
def test_a_faulty_policy_does_not_load(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (TEXTS_DIR / "sla_policy.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "sla_policy.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TextsError) as refusal:
        load_policies(path)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("priority", "arabic", "english"),
    [
        (Priority.P0, "خلال 30 دقيقة", "within 30 minutes"),
        (Priority.P1, "خلال ساعتين", "within two hours"),
        (Priority.P2, "خلال 8 ساعات", "within eight hours"),
        (Priority.P3, "خلال 24 ساعة", "within 24 hours"),
    ],
)
def test_each_draft_promises_its_time(policy: Policies, priority: Priority, arabic: str, english: str) -> None:
    draft = load_first_responses(policy)[priority]
    assert arabic in draft.body.ar
    assert english in draft.body.en


@pytest.mark.parametrize("priority", list(Priority))
def test_drafts_claim_nothing_prohibited_and_name_no_ticket(policy: Policies, priority: Priority) -> None:
    claims = ClaimChecker(load_claims())
    body = load_first_responses(policy)[priority].body
    for text in (body.ar, body.en):
        assert claims.check(text) == ()
        assert not re.search(r"tkt|[{}#]|رقم التذكرة|\bticket\b", text, re.IGNORECASE)
        # The only figures are the promised times.
        assert set(re.findall(r"\d+", text)) <= {"30", "8", "24"}
    assert len(re.findall("[\u0621-\u064a]", body.ar)) > 100


def test_both_languages_of_a_draft_have_the_same_paragraphs(policy: Policies) -> None:
    for draft in load_first_responses(policy).values():
        assert draft.body.ar.count("\n\n") == draft.body.en.count("\n\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("within 30 minutes", "within three days", "P0.body_en"),
        ("خلال 30 دقيقة", "خلال 31 دقيقة", "P0.body_ar"),
        ("خلال ساعتين", "قريبًا", "P1.body_ar"),
        ("Thank you for your message.", "Thank you, {name}.", "placeholders"),
        ("Thank you for your message.", "Thank you. Your ticket no 5 is open.", "ticket id"),
    ],
)
def test_a_faulty_draft_does_not_load(tmp_path: Path, policy: Policies, old: str, new: str, said: str) -> None:
    text = (TEXTS_DIR / "first_response.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "first_response.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(TextsError) as refusal:
        load_first_responses(policy, path)
    assert said in str(refusal.value)


def test_the_words_of_a_report_cover_every_verdict_and_action() -> None:
    texts: HealthTexts = load_health_texts()
    assert set(texts.verdicts) == set(Verdict)
    assert set(texts.actions) == set(ReportAction)
