"""Freezes: what latches, what releases, and which numbers suggest one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.channels import Channel
from services.domain.context import Context
from services.domain.errors import InvalidInput, PersonRequired
from services.domain.texts import TextsError
from services.incidents.domain import freezes
from services.incidents.domain.freezes import (
    ChannelMetrics,
    FounderRequired,
    Freeze,
    FreezeReleased,
    Metric,
    Scope,
    load_thresholds,
)
from services.storage.transaction import Actor

NOW = datetime(2026, 3, 7, 19, tzinfo=UTC)
FOUNDER = Actor("person", "founder-1", "founder")
OPERATOR = Actor("person", "operator-17", "operator_oncall")
GATEWAY = Actor("service", "gateway")
WHATSAPP = Scope(Channel.WHATSAPP, "acme")
INCIDENT = "inc_" + "a" * 26
THRESHOLDS = load_thresholds()


def reasons(refused: InvalidInput) -> dict[str, str]:
    return {violation.field: violation.reason for violation in refused.violations}


def frozen(scope: Scope = WHATSAPP, incident_id: str = INCIDENT, reason: str = "تسريب", number: int = 1) -> Freeze:
    made, new = freezes.freeze(f"frz_{number}", scope, reason, incident_id, GATEWAY, NOW, ())
    assert new
    return made


@pytest.mark.parametrize(
    ("channel", "all_channels", "customer_id", "all_customers", "wanted"),
    [
        (Channel.EMAIL, False, "acme", False, Scope(Channel.EMAIL, "acme")),
        (Channel.EMAIL, False, "", True, Scope(Channel.EMAIL, "")),
        (Channel.UNSPECIFIED, True, "acme", False, Scope(None, "acme")),
        (Channel.UNSPECIFIED, True, "", True, Scope(None, "")),
    ],
)
def test_a_scope_is_said(
    channel: Channel, all_channels: bool, customer_id: str, all_customers: bool, wanted: Scope
) -> None:
    assert freezes.check_request(channel, all_channels, customer_id, all_customers, "تسريب") == wanted


@pytest.mark.parametrize(
    ("channel", "all_channels", "customer_id", "all_customers", "reason", "faulty"),
    [
        (Channel.UNSPECIFIED, False, "", False, "x", {"channel": "SCOPE_UNCLEAR", "customer_id": "SCOPE_UNCLEAR"}),
        (Channel.EMAIL, True, "acme", True, "x", {"channel": "SCOPE_UNCLEAR", "customer_id": "SCOPE_UNCLEAR"}),
        (Channel.INTERNAL, False, "acme", False, "x", {"channel": "NOT_FREEZABLE"}),
        (Channel.EMAIL, False, "acme", False, " \u200f", {"reason": "REQUIRED"}),
        (Channel.INTERNAL, False, "acme", False, " ", {"channel": "NOT_FREEZABLE", "reason": "REQUIRED"}),
    ],
)
def test_a_scope_that_is_not_said_is_no_scope_and_a_freeze_needs_a_reason(
    channel: Channel, all_channels: bool, customer_id: str, all_customers: bool, reason: str, faulty: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        freezes.check_request(channel, all_channels, customer_id, all_customers, reason)
    assert reasons(refused.value) == faulty


@pytest.mark.parametrize(
    ("scope", "incident_id", "reason", "new"),
    [
        (WHATSAPP, INCIDENT, "تسريب", False),
        # The incident is what latched it, whatever words came with the second call.
        (WHATSAPP, INCIDENT, "same incident, said otherwise", False),
        (WHATSAPP, "inc_" + "b" * 26, "تسريب", True),
        (WHATSAPP, "", "تسريب", True),
        (Scope(Channel.EMAIL, "acme"), INCIDENT, "تسريب", True),
        (Scope(None, "acme"), INCIDENT, "تسريب", True),
        (Scope(Channel.WHATSAPP, ""), INCIDENT, "تسريب", True),
    ],
)
def test_freezing_again_adds_a_freeze_only_for_another_reason(
    scope: Scope, incident_id: str, reason: str, new: bool
) -> None:
    first = frozen()
    made, is_new = freezes.freeze("frz_2", scope, reason, incident_id, OPERATOR, NOW, (first,))
    assert is_new is new
    assert made.freeze_id == ("frz_2" if new else first.freeze_id)


def test_without_an_incident_the_reason_tells_freezes_apart() -> None:
    first = frozen(incident_id="", reason="bounces")
    assert freezes.freeze("frz_2", WHATSAPP, "bounces", "", OPERATOR, NOW, (first,)) == (first, False)
    assert freezes.freeze("frz_2", WHATSAPP, "complaints", "", OPERATOR, NOW, (first,))[1]


def test_a_released_freeze_is_no_reason_not_to_freeze_again() -> None:
    released = freezes.release(frozen(), FOUNDER, "settled", NOW)
    made, new = freezes.freeze("frz_2", WHATSAPP, "تسريب", INCIDENT, OPERATOR, NOW, (released,))
    assert new
    assert made.active


@pytest.mark.parametrize(
    ("actor", "refusal"),
    [
        (GATEWAY, PersonRequired),
        (Actor("service", "founder-1", "founder"), PersonRequired),
        *((Actor("person", "x", role), FounderRequired) for role in ("", "operator_oncall", "legal", "dpo")),
    ],
)
def test_nobody_but_a_founder_releases(actor: Actor, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        freezes.release(frozen(), actor, "settled", NOW)


def test_a_founder_releases_once_and_says_why() -> None:
    held = frozen()
    with pytest.raises(InvalidInput):
        freezes.release(held, FOUNDER, " ", NOW)
    released = freezes.release(held, FOUNDER, "settled", NOW)
    assert (held.active, released.active) == (True, False)
    assert released.release is not None
    assert (released.release.actor, released.release.released_at) == (FOUNDER, NOW)
    with pytest.raises(FreezeReleased):
        freezes.release(released, FOUNDER, "again", NOW)


SCOPES = st.builds(
    Scope, st.sampled_from([None, Channel.EMAIL, Channel.WHATSAPP]), st.sampled_from(["", "acme", "najd"])
)


@settings(max_examples=150, deadline=None)
@given(held=st.lists(SCOPES, max_size=5), released=st.sets(st.integers(0, 4)))
def test_a_channel_is_frozen_until_every_freeze_on_it_is_released(held: list[Scope], released: set[int]) -> None:
    """Against every channel and customer, asked one by one."""
    all_of_them = [
        replace(frozen(scope, number=number), release=None)
        if number not in released
        else freezes.release(frozen(scope, number=number), FOUNDER, "settled", NOW)
        for number, scope in enumerate(held)
    ]
    context = Context(freezes=tuple(freeze.as_context for freeze in all_of_them if freeze.active))
    for channel in (Channel.EMAIL, Channel.WHATSAPP, Channel.PHONE):
        for customer in ("acme", "najd", "tihama"):
            wanted = {
                f"frz_{number}"
                for number, scope in enumerate(held)
                if number not in released and scope.channel in (None, channel) and scope.customer_id in ("", customer)
            }
            assert {freeze.freeze_id for freeze in context.frozen(channel, customer)} == wanted


def counts(channel: Channel = Channel.WHATSAPP, **given: int) -> ChannelMetrics:
    return ChannelMetrics(channel, **{"sent": 1000, "bounced": 0, "complained": 0, "blocked": 0, **given})


@pytest.mark.parametrize(
    ("metrics", "exceeded"),
    [
        (counts(), set()),
        # Equal is not above.
        (counts(bounced=50), set()),
        (counts(bounced=51), {Metric.BOUNCED}),
        (counts(complained=3), set()),
        (counts(complained=4), {Metric.COMPLAINED}),
        (counts(blocked=30), set()),
        (counts(blocked=31), {Metric.BLOCKED}),
        (counts(bounced=51, complained=4, blocked=31), set(Metric)),
        (counts(Channel.EMAIL, bounced=51), {Metric.BOUNCED}),
        # One of twenty is five per cent, one of nineteen is more.
        (counts(sent=20, bounced=1), set()),
        (counts(sent=19, bounced=1), {Metric.BOUNCED}),
        (counts(sent=0), set()),
        # Where floating point would see a difference: 0.3 % of a very large number.
        (counts(sent=1_000_000_000, complained=3_000_000), set()),
        (counts(sent=1_000_000_000, complained=3_000_001), {Metric.COMPLAINED}),
    ],
)
def test_a_freeze_is_suggested_above_a_limit(metrics: ChannelMetrics, exceeded: set[Metric]) -> None:
    found = freezes.evaluate(metrics, THRESHOLDS)
    assert {verdict.metric for verdict in found.verdicts if verdict.exceeded} == exceeded
    assert found.suggested is bool(exceeded)
    assert found.reason.ar
    assert found.reason.en
    for metric in exceeded:
        assert f"{metrics.count(metric):,}" in found.reason.ar
        assert f"{metrics.count(metric):,}" in found.reason.en
        assert f"{metrics.sent:,}" in found.reason.ar


@pytest.mark.parametrize(
    ("sent", "bounced", "arabic", "english"),
    [
        (
            1000,
            60,
            "نسبة الارتداد 6٪ (60 من 1,000)، وتتجاوز الحد 5٪",
            "Bounce rate 6% (60 of 1,000), above the limit of 5%",
        ),
        (7, 1, "نسبة الارتداد 14.3٪ (1 من 7)", "Bounce rate 14.3% (1 of 7)"),
        # A rate that lies above is never said to be the limit itself.
        (10**9, 50_000_001, "5.0000001٪", "5.0000001%"),
        (1, 0, "أُرسلت رسالة واحدة، وكل النسب ضمن حدودها.", "One message was sent, and every rate is within its limit."),
        (3, 0, "أُرسلت 3 رسائل، وكل النسب ضمن حدودها.", "3 messages were sent, and every rate is within its limit."),
        (0, 0, "لم تُرسل أي رسالة", "Nothing was sent"),
    ],
)
def test_rates_and_counts_are_said_as_people_read_them(sent: int, bounced: int, arabic: str, english: str) -> None:
    reason = freezes.evaluate(counts(Channel.EMAIL, sent=sent, bounced=bounced), THRESHOLDS).reason
    assert arabic in reason.ar
    assert english in reason.en


@settings(max_examples=200, deadline=None)
@given(sent=st.integers(1, 10**9), share=st.fractions(0, 1))
def test_the_limits_are_those_of_the_business_in_exact_arithmetic(sent: int, share: Fraction) -> None:
    count = int(sent * share)
    limits = {Metric.BOUNCED: Fraction(5, 100), Metric.COMPLAINED: Fraction(3, 1000), Metric.BLOCKED: Fraction(3, 100)}
    for metric, limit in limits.items():
        found = freezes.evaluate(counts(sent=sent, **{metric.value: count}), THRESHOLDS)
        assert found.suggested is (Fraction(count, sent) > limit)


@pytest.mark.parametrize(
    ("metrics", "faulty"),
    [
        (counts(sent=-1), {"sent": "NEGATIVE"}),
        (counts(sent=5, bounced=6, complained=7), {"bounced": "TOO_LARGE", "complained": "TOO_LARGE"}),
        (counts(sent=0, blocked=1), {"blocked": "TOO_LARGE"}),
        (counts(bounced=-1, complained=-2, blocked=-3), dict.fromkeys(Metric, "NEGATIVE")),
        (counts(Channel.EMAIL, blocked=1), {"blocked": "NOT_OF_CHANNEL"}),
        (counts(Channel.UNSPECIFIED), {"channel": "REQUIRED"}),
        (counts(Channel.INTERNAL), {"channel": "NOT_FREEZABLE"}),
    ],
)
def test_counts_that_cannot_be_are_refused_all_at_once(metrics: ChannelMetrics, faulty: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        freezes.evaluate(metrics, THRESHOLDS)
    assert reasons(refused.value) == faulty


def test_a_faulty_file_of_thresholds_is_refused_with_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "freeze_thresholds.toml"
    path.write_text('version = "1"\n[metrics.bounced]\nover = 7\nof = 7\nchannels = ["fax"]\n[metrics.faxed]\n')
    with pytest.raises(TextsError) as refused:
        load_thresholds(path)
    told = "; ".join(refused.value.problems)
    for part in ("metrics.bounced.over", "metrics.bounced.channels", "metrics.complained", "metrics.faxed", "within"):
        assert part in told
