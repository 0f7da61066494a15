"""Problems of connections: which break them, on which way, and how issues count, over every order of events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.onboarding.domain.approvals import Approval, Person
from services.onboarding.domain.catalog import Catalog, ConnectorProblem, ConnectorState, load_catalog
from services.onboarding.domain.connections import Connection, SetupCheck, Update, apply_update, fingerprint
from services.onboarding.domain.connectors import ConnectorTransitionRefused, transition
from services.onboarding.domain.issues import (
    Issue,
    Observation,
    Resolution,
    check_observation,
    fall,
    observe,
    outdated,
    owner,
    resolved,
    seen,
)
from services.onboarding.domain.phones import holds_phone

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OPERATOR = Person("person", "operator-17")
CATALOG = load_catalog()
OBSERVED = sorted(set(ConnectorProblem) - {ConnectorProblem.TEST_FAILED, ConnectorProblem.SETUP_FAILED})
IN_USE = sorted(set(ConnectorState) - {ConnectorState.NOT_STARTED, ConnectorState.SKIPPED})


def connection(state: ConnectorState, revision: int = 3) -> Connection:
    found = Connection("c-1", "gmail", state, revision=revision, updated_at=NOW)
    if not state.connected:
        return found
    check = SetupCheck(test_succeeded=True, no_secret_in_logs=True, checked_at=NOW)
    return replace(found, setup_check=check, connected_at=NOW, connected_by=OPERATOR)


@pytest.mark.parametrize(("state", "problem"), sorted(product(IN_USE, OBSERVED)))
def test_every_problem_in_every_state(catalog: Catalog, state: ConnectorState, problem: ConnectorProblem) -> None:
    before = connection(state)
    after, steps = observe(catalog, before, Observation(problem, NOW), at=NOW)
    breaks = catalog.problems[problem].definitive
    if not breaks or state is ConnectorState.FAILED:
        assert (after, steps) == (before, ())
        return
    assert (after.state, after.setup_check, after.connected_at) == (ConnectorState.FAILED, None, None)
    assert after.revision == before.revision + len(steps) == before.revision + (2 if state.connected else 1)
    # Every step is one that the table of states allows, and each begins where the last ended.
    at = state
    for step in steps:
        assert step.before is at
        assert transition(step.before, step.after) == (step,)
        at = step.after
    assert at is ConnectorState.FAILED


@pytest.mark.parametrize("state", [ConnectorState.NOT_STARTED, ConnectorState.SKIPPED])
@pytest.mark.parametrize("problem", OBSERVED)
def test_what_is_not_in_use_has_no_problems(catalog: Catalog, state: ConnectorState, problem: ConnectorProblem) -> None:
    with pytest.raises(ConnectorTransitionRefused) as refusal:
        observe(catalog, connection(state), Observation(problem, NOW), at=NOW)
    assert refusal.value.metadata["from"] == state
    with pytest.raises(ConnectorTransitionRefused):
        fall(state)


@pytest.mark.parametrize("problem", OBSERVED)
def test_what_was_seen_before_the_connection_was_made_breaks_nothing(
    catalog: Catalog, problem: ConnectorProblem
) -> None:
    before = connection(ConnectorState.CONNECTED_DRAFT_ONLY)
    early = Observation(problem, NOW - timedelta(microseconds=1))
    assert outdated(before, early.occurred_at)
    assert observe(catalog, before, early, at=NOW) == (before, ())
    assert not outdated(before, NOW)
    assert not outdated(connection(ConnectorState.FAILED), early.occurred_at)


@given(st.lists(st.tuples(st.sampled_from(["see", "resolve"]), st.integers(0, 500)), max_size=30))
def test_at_most_one_issue_is_open_and_the_counts_add_up(acts: list[tuple[str, int]]) -> None:
    issues: list[Issue] = []
    sights = 0
    for number, (act, minutes) in enumerate(acts):
        at = NOW + timedelta(minutes=number)
        present = next((issue for issue in issues if issue.open), None)
        if act == "see":
            sights += 1
            when = at - timedelta(minutes=minutes)
            found = seen(
                present, connection(ConnectorState.CONFIGURING), ConnectorProblem.TIMEOUT, when, at, f"iss_{number}"
            )
            issues = [found if issue is present else issue for issue in issues] + ([found] if present is None else [])
            assert found.first_at <= when <= found.last_at
        elif present is not None:
            (done,) = resolved(issues, Resolution.TEST_SUCCEEDED, OPERATOR, at)
            assert done.issue_id == present.issue_id
            issues = [done if issue is present else issue for issue in issues]
    assert sum(issue.open for issue in issues) <= 1
    assert sum(issue.count for issue in issues) == sights
    assert len({issue.issue_id for issue in issues}) == len(issues)


def test_every_problem_has_somebody_who_acts(catalog: Catalog) -> None:
    at = connection(ConnectorState.FAILED)
    owners = {p: owner(catalog, seen(None, at, p, NOW, NOW, "iss_1")) for p in ConnectorProblem}
    assert owners[ConnectorProblem.GRANT_REVOKED] == "customer"
    assert owners[ConnectorProblem.TIMEOUT] == "operator"
    definitive = {p for p, rule in catalog.problems.items() if rule.definitive}
    assert definitive == {
        ConnectorProblem.GRANT_REVOKED,
        ConnectorProblem.INVALID_GRANT,
        ConnectorProblem.ACCOUNT_DELETED,
        ConnectorProblem.ACCOUNT_SUSPENDED,
        ConnectorProblem.OAUTH_FAILED,
        ConnectorProblem.SETUP_FAILED,
    }


def test_everything_faulty_is_named_at_once(catalog: Catalog) -> None:
    observed = Observation(
        ConnectorProblem.TEST_FAILED,
        NOW + timedelta(seconds=1),
        "call 0551234567",
        "ya29.a0AfB_byC-1234567890abcdefghij",
    )
    with pytest.raises(InvalidInput) as refusal:
        check_observation(catalog, "fax", observed, at=NOW)
    assert {(v.field, v.reason) for v in refusal.value.violations} == {
        ("connector_key", "UNKNOWN_VALUE"),
        ("problem", "NOT_EXPECTED"),
        ("occur_time", "IN_FUTURE"),
        ("detail", "PHONE_NUMBER_REFUSED"),
        ("reference", "CREDENTIAL_REFUSED"),
    }


@given(st.lists(st.sampled_from(sorted(ConnectorState)), max_size=25))
def test_whatever_is_asked_for_a_connection_knows_its_maker_while_it_stands(targets: list[ConnectorState]) -> None:
    """Over random walks of the states: connected_at, approval and revision agree with the state."""
    connector = CATALOG.connector("gmail")
    assert connector is not None
    found = Connection("c-1", "gmail")
    for number, target in enumerate(targets):
        at = NOW + timedelta(minutes=number)
        update = Update(target, approval=Approval("founder-1", NOW, by_person=True))
        try:
            after, steps = apply_update(connector, found, update, at=at, by=OPERATOR)
        except ConnectorTransitionRefused:
            continue
        assert after.revision == found.revision + len(steps)
        assert (after.connected_at is not None) == after.state.connected == (after.connected_by is not None)
        if steps and after.state.connected:
            assert after.connected_at == at
        found = after


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("0551234567", True),
        ("+966551234567", True),
        ("00966 55 123 4567", True),
        ("966-55-1234567", True),
        ("جوال ٠٥٥١٢٣٤٥٦٧", True),
        ("۰۵۵۱۲۳۴۵۶۷", True),
        ("(055) 123 4567", True),
        ("+44 20 7946 0958", True),
        ("0\u200e551234567", True),
        ("doc-20260301-0001", False),
        ("1,200 numbers", False),
        ("review 41 of 2026-03-01", False),
        ("order 1005512345678", False),
        ("120 (web_form)", False),
        ("", False),
    ],
)
def test_telephone_numbers_are_told_from_other_numbers(text: str, held: bool) -> None:
    assert holds_phone(text) is held


def test_a_fingerprint_tells_accounts_apart_and_nothing_else() -> None:
    first = fingerprint("c-1", "gmail", "account-1")
    assert first == fingerprint("c-1", "gmail", "account-1")
    others = {fingerprint("c-2", "gmail", "account-1"), fingerprint("c-1", "crm_generic", "account-1")}
    others.add(fingerprint("c-1", "gmail", "account-2"))
    assert first not in others
    assert len(others) == 3
    assert fingerprint("c-1", "gmail", "") == ""
