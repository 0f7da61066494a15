"""How connections move, what the summary says, when a connector is set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.onboarding.domain.approvals import Approval, ApprovalRequired, PersonRequired
from services.onboarding.domain.catalog import CONNECTOR_KEYS, Catalog, ConnectorState, Party, load_catalog
from services.onboarding.domain.connectors import (
    ConnectorTransitionRefused,
    OptInAuditRequired,
    StateChange,
    change_state,
    demo_summary,
    is_set_up,
    setup_criteria,
    summarize,
    transition,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
APPROVAL = Approval("sara.ops", NOW, by_person=True)

NOT_STARTED = ConnectorState.NOT_STARTED
CONFIGURING = ConnectorState.CONFIGURING
DRAFTS = ConnectorState.CONNECTED_DRAFT_ONLY
EXECUTES = ConnectorState.CONNECTED_APPROVED_EXECUTE
FAILED = ConnectorState.FAILED
SKIPPED = ConnectorState.SKIPPED

ONE_STEP = {
    (NOT_STARTED, CONFIGURING),
    (CONFIGURING, DRAFTS),
    (CONFIGURING, EXECUTES),
    (CONFIGURING, FAILED),
    (CONFIGURING, SKIPPED),
    (FAILED, CONFIGURING),
    (DRAFTS, CONFIGURING),
    (EXECUTES, CONFIGURING),
}


@pytest.mark.parametrize(("current", "target"), sorted(product(ConnectorState, repeat=2)))
def test_every_pair_of_states(current: ConnectorState, target: ConnectorState) -> None:
    if (current, target) in ONE_STEP:
        assert transition(current, target) == (StateChange(current, target),)
    elif (current, target) == (NOT_STARTED, DRAFTS):
        assert transition(current, target) == (StateChange(NOT_STARTED, CONFIGURING), StateChange(CONFIGURING, DRAFTS))
    elif current is target:
        assert transition(current, target) == ()
    else:
        with pytest.raises(ConnectorTransitionRefused) as refusal:
            transition(current, target, connector_key="gmail")
        told = refusal.value.metadata
        assert (told["connector_key"], told["from"], told["to"]) == ("gmail", current, target)
        for allowed in filter(None, told["allowed"].split(",")):
            assert transition(current, ConnectorState(allowed))


def test_execution_needs_an_approval_by_a_person(catalog: Catalog) -> None:
    sheets = catalog.connector("google_sheets")
    assert sheets is not None
    with pytest.raises(ApprovalRequired) as refusal:
        change_state(sheets, CONFIGURING, EXECUTES, at=NOW)
    assert refusal.value.metadata == {"subject": "google_sheets"}
    with pytest.raises(PersonRequired):
        change_state(sheets, CONFIGURING, EXECUTES, at=NOW, approval=Approval("bot", NOW, by_person=False))
    assert change_state(sheets, CONFIGURING, EXECUTES, at=NOW, approval=APPROVAL) == (
        StateChange(CONFIGURING, EXECUTES),
    )


@pytest.mark.parametrize(("current", "target"), [(NOT_STARTED, DRAFTS), (CONFIGURING, DRAFTS), (CONFIGURING, EXECUTES)])
def test_whatsapp_needs_its_opt_in_audit_before_any_connected_state(
    catalog: Catalog, current: ConnectorState, target: ConnectorState
) -> None:
    whatsapp = catalog.connector("whatsapp_cloud")
    assert whatsapp is not None
    with pytest.raises(OptInAuditRequired) as refusal:
        change_state(whatsapp, current, target, at=NOW, approval=APPROVAL)
    assert refusal.value.metadata == {"connector_key": "whatsapp_cloud"}
    assert (
        change_state(whatsapp, current, target, at=NOW, approval=APPROVAL, opt_in_audit_recorded=True)[-1].after
        is target
    )


@pytest.mark.parametrize("target", [FAILED, SKIPPED])
def test_whatsapp_needs_no_audit_to_fail_or_be_skipped(catalog: Catalog, target: ConnectorState) -> None:
    whatsapp = catalog.connector("whatsapp_cloud")
    assert whatsapp is not None
    assert change_state(whatsapp, CONFIGURING, target, at=NOW) == (StateChange(CONFIGURING, target),)


def test_whatsapp_without_audit_and_approval_is_told_both(catalog: Catalog) -> None:
    whatsapp = catalog.connector("whatsapp_cloud")
    assert whatsapp is not None
    with pytest.raises(OptInAuditRequired) as refusal:
        change_state(whatsapp, CONFIGURING, EXECUTES, at=NOW)
    assert [m[:2] for m in refusal.value.missing] == [
        ("OPT_IN_AUDIT", "whatsapp_cloud"),
        ("APPROVAL", "whatsapp_cloud"),
    ]


@pytest.mark.parametrize("key", [k for k in CONNECTOR_KEYS if k != "whatsapp_cloud"])
def test_no_other_connector_asks_for_an_audit(catalog: Catalog, key: str) -> None:
    connector = catalog.connector(key)
    assert connector is not None
    assert len(change_state(connector, NOT_STARTED, DRAFTS, at=NOW)) == 2


def test_staying_in_a_state_asks_for_nothing_but_a_sound_approval(catalog: Catalog) -> None:
    whatsapp = catalog.connector("whatsapp_cloud")
    assert whatsapp is not None
    assert change_state(whatsapp, EXECUTES, EXECUTES, at=NOW) == ()
    with pytest.raises(InvalidInput) as refusal:
        change_state(
            whatsapp, EXECUTES, EXECUTES, at=NOW, approval=Approval("", NOW + timedelta(minutes=1), by_person=True)
        )
    assert {v.field for v in refusal.value.violations} == {"approval.approver", "approval.approve_time"}


def test_nothing_given_means_nothing_started(catalog: Catalog) -> None:
    summary = summarize(catalog, [])
    assert (summary.total, summary.connected_count, summary.connected_pct) == (11, 0, 0.0)
    assert summary.by_state == {s: 11 if s is NOT_STARTED else 0 for s in ConnectorState}
    assert summary.blocking_missing == ("whatsapp_cloud",)
    assert not summary.ready_for_first_service
    assert summary.readiness.missing == ("whatsapp_cloud", "any_connector")
    assert [(f.connector_key, f.owner) for f in summary.fixes] == [("whatsapp_cloud", Party.CUSTOMER)]


@pytest.mark.parametrize("state", [s for s in ConnectorState if not s.connected])
def test_a_blocking_connector_is_missing_until_connected_skipped_or_not(
    catalog: Catalog, state: ConnectorState
) -> None:
    summary = summarize(catalog, [("gmail", DRAFTS), ("whatsapp_cloud", state)])
    assert summary.blocking_missing == ("whatsapp_cloud",)
    assert not summary.ready_for_first_service
    assert summary.readiness.missing == ("whatsapp_cloud",)
    fix = summary.fixes[0]
    assert (fix.connector_key, fix.state, fix.blocks_first_service) == ("whatsapp_cloud", state, True)


@pytest.mark.parametrize("state", [DRAFTS, EXECUTES])
def test_ready_once_the_blocking_connector_is_connected(catalog: Catalog, state: ConnectorState) -> None:
    summary = summarize(catalog, [("whatsapp_cloud", state)])
    assert summary.ready_for_first_service
    assert (summary.connected_count, summary.connected_pct) == (1, 9.1)
    assert summary.fixes == ()
    assert summary.readiness.connected == ("whatsapp_cloud",)


def test_without_a_blocking_connector_one_must_still_be_connected(catalog: Catalog) -> None:
    lenient = replace(catalog, connectors=tuple(replace(c, blocking=False) for c in catalog.connectors))
    summary = summarize(lenient, [])
    assert not summary.ready_for_first_service
    assert summary.readiness.missing == ("any_connector",)
    assert [(f.connector_key, f.blocks_first_service) for f in summary.fixes] == [(None, True)]


def test_fixes_say_what_to_do_and_who_acts(catalog: Catalog) -> None:
    summary = summarize(
        catalog,
        [("moyasar", CONFIGURING), ("gmail", FAILED), ("whatsapp_cloud", SKIPPED), ("google_meet", SKIPPED)],
    )
    assert [(f.connector_key, f.owner, f.blocks_first_service, f.recovery_ids) for f in summary.fixes] == [
        ("whatsapp_cloud", Party.FOUNDER, True, ()),
        ("gmail", Party.OPERATOR, False, ("gmail_oauth_failed",)),
        ("moyasar", Party.FOUNDER, False, ("moyasar_invoice_not_connected",)),
    ]
    assert "Gmail" in summary.fixes[1].text.ar
    assert "Gmail" in summary.fixes[1].text.en


def test_every_faulty_line_is_named(catalog: Catalog) -> None:
    with pytest.raises(InvalidInput) as refusal:
        summarize(
            catalog,
            [("gmail", DRAFTS), ("hotmail", "online"), ("gmail", FAILED), ("moyasar", "connected"), ("", CONFIGURING)],
        )
    assert [(v.field, v.reason) for v in refusal.value.violations] == [
        ("statuses[1].connector_key", "UNKNOWN_VALUE"),
        ("statuses[1].state", "UNKNOWN_VALUE"),
        ("statuses[2].connector_key", "DUPLICATE"),
        ("statuses[3].state", "UNKNOWN_VALUE"),
        ("statuses[4].connector_key", "UNKNOWN_VALUE"),
    ]


@cache
def loaded() -> Catalog:
    return load_catalog()


@given(st.dictionaries(st.sampled_from(CONNECTOR_KEYS), st.sampled_from(ConnectorState)))
@settings(max_examples=150, deadline=None)
def test_the_summary_adds_up(states: dict[str, ConnectorState]) -> None:
    summary = summarize(loaded(), states)
    connected = [k for k, s in states.items() if s in (DRAFTS, EXECUTES)]
    assert sum(summary.by_state.values()) == summary.total == 11
    assert summary.connected_count == len(connected)
    assert abs(summary.connected_pct - 100 * len(connected) / 11) <= 0.05
    assert summary.ready_for_first_service == ("whatsapp_cloud" in connected)
    assert summary.readiness.ready != bool(summary.readiness.missing)
    named = [f.connector_key for f in summary.fixes]
    assert len(set(named)) == len(named)
    assert {k for k, s in states.items() if s in (FAILED, CONFIGURING)} <= set(named)


def test_the_demo_shows_a_set_up_under_way(catalog: Catalog) -> None:
    summary = demo_summary(catalog)
    assert (summary.connected_count, summary.connected_pct) == (3, 27.3)
    assert summary.blocking_missing == ("whatsapp_cloud",)


Given = dict[str, bool | None]
ALL_GOOD: Given = {"test_succeeded": True, "no_secret_in_logs": True, "ledger_entry": True}


def _set_up(catalog: Catalog, state: ConnectorState, given: Given) -> bool:
    check: Callable[..., object] = setup_criteria
    return is_set_up(check(catalog, state, **given))  # type: ignore[arg-type]


def test_set_up_means_connected_tested_clean_and_in_the_ledger(catalog: Catalog) -> None:
    assert _set_up(catalog, DRAFTS, ALL_GOOD)
    assert not _set_up(catalog, CONFIGURING, ALL_GOOD)
    for name in ALL_GOOD:
        assert not _set_up(catalog, DRAFTS, {**ALL_GOOD, name: False})
    assert not _set_up(catalog, DRAFTS, {**ALL_GOOD, "test_succeeded": None})


def test_a_test_on_a_lost_connection_does_not_count(catalog: Catalog) -> None:
    criteria = setup_criteria(catalog, FAILED, test_succeeded=True, no_secret_in_logs=True, ledger_entry=True)
    assert {c.id: c.met for c in criteria} == {
        "connected": False,
        "test_succeeded": False,
        "no_secret_in_logs": True,
        "ledger_entry": True,
    }
