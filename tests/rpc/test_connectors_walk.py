"""Random walks over everything that can be recorded of connectors: whatever the order, the history is one chain, a problem is
one open issue, and the ledger tells the same as the tables."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import grpc
import pytest
from dealix.onboarding.v1 import connector_pb2, ledger_service_pb2
from dealix.onboarding.v1 import connector_service_pb2 as cpb

from services.onboarding.domain.catalog import ConnectorState
from services.onboarding.domain.connectors import TRANSITIONS
from services.runtime.wire import timestamp
from tests.rpc.onboarding_client import Client, approval, onboarding

KEYS = ("gmail", "google_sheets", "whatsapp_cloud")
STATES = (
    "CONFIGURING",
    "CONNECTED_DRAFT_ONLY",
    "CONNECTED_DRAFT_ONLY",
    "CONNECTED_APPROVED_EXECUTE",
    "FAILED",
    "SKIPPED",
)
PROBLEMS = ("TIMEOUT", "QUOTA_EXCEEDED", "GRANT_REVOKED", "INVALID_GRANT", "OAUTH_FAILED")


def state_of(number: int) -> ConnectorState:
    name = connector_pb2.ConnectorState.Name(connector_pb2.ConnectorState.ValueType(number))
    return ConnectorState(name.removeprefix("CONNECTOR_STATE_").lower())


async def act(client: Client, dice: random.Random) -> None:
    """One thing that somebody may record."""
    key = dice.choice(KEYS)
    match dice.randrange(10):
        case 0 | 1 | 2 | 3:
            # Once skipped, a connector stays so: seldom enough for the others to go on.
            state = dice.choice(STATES if dice.random() < 0.1 else STATES[:-1])
            account = {"account_id": dice.choice(("1", "1", "1", "2"))} if state.startswith("CONNECTED") else {}
            await client.connect(key, state, approval=approval(), **account)
        case 4 | 5 | 6:
            back = dice.choice((0, 0, 3600))
            seen = timestamp(client.clock.now)
            seen.seconds -= back
            await client.problem(key, dice.choice(PROBLEMS), occur_time=seen)
        case 7 | 8:
            await client.test(key, succeeded=dice.random() < 0.6, no_secret_in_logs=True)
        case _:
            await client.audit()


def check_history(events: list[Any]) -> None:
    """Each state begins where the last ended, by a step that the table of states allows; nothing else moves a state."""
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    for key in KEYS:
        at = ConnectorState.NOT_STARTED
        for event in (e for e in events if e.connector_key == key):
            before, after = state_of(event.from_state), state_of(event.to_state)
            moves = event.kind == connector_pb2.CONNECTOR_EVENT_KIND_STATE_CHANGED
            assert (before is not after) is moves
            if moves:
                assert before is at
                assert after in TRANSITIONS[at]
                at = after


async def check(client: Client) -> None:
    events = await client.events()
    check_history(events)
    summary = await client.call(cpb.GetConnectorSummaryRequest(customer_id="cust-1"))
    stored = {c.connector_key: c for c in summary.connectors if c.connector_key in KEYS}
    every = await client.issues(include_resolved=True)
    still = [issue for issue in every if not issue.resolution]
    assert len({(i.connector_key, i.problem) for i in still}) == len(still)
    seen = Counter(
        e.issue_id for e in events if e.kind == connector_pb2.CONNECTOR_EVENT_KIND_PROBLEM_OBSERVED and e.issue_id
    )
    assert seen == {issue.issue_id: issue.count for issue in every}
    over = {e.issue_id for e in events if e.kind == connector_pb2.CONNECTOR_EVENT_KIND_ISSUE_RESOLVED}
    assert over == {issue.issue_id for issue in every if issue.resolution}
    for key, found in stored.items():
        state = state_of(found.state)
        mine = [issue for issue in still if issue.connector_key == key]
        if state is ConnectorState.FAILED:
            assert any(issue.definitive for issue in mine)
        if state.connected:
            assert not any(issue.definitive for issue in mine)
        assert found.HasField("connect_time") is state.connected
        assert state.connected or not found.HasField("test")
        entries = await client.entries(f"connector/cust-1/{key}")
        told = [entry.attributes["state"] for entry in entries if "state" in entry.attributes]
        assert (told[-1] if told else "not_started") == state
    assert (await client.call(ledger_service_pb2.VerifyLedgerRequest())).intact


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_recorded_the_history_is_one_chain(database_url: str, seed: int) -> None:
    dice = random.Random(seed)
    done, refusals = 0, set()
    async with onboarding(database_url=database_url) as client:
        await client.audit()
        for _ in range(120):
            client.clock.forward(minutes=dice.choice((0, 1, 90)))
            try:
                await act(client, dice)
            except grpc.aio.AioRpcError as error:
                refusals.add(error.code())
            else:
                done += 1
        assert done > 40
        assert refusals <= {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT}
        await check(client)


async def test_two_replicas_count_one_issue_between_them(postgres_url: str) -> None:
    async with onboarding(database_url=postgres_url) as one, onboarding(database_url=postgres_url) as other:
        await one.connect("gmail")
        await asyncio.gather(*(replica.problem("gmail", "TIMEOUT") for replica in (one, other) for _ in range(10)))
        (issue,) = await other.issues()
        assert issue.count == 20
        check_history(await one.events())
        broken = await asyncio.gather(*(replica.problem("gmail", "GRANT_REVOKED") for replica in (one, other)))
        assert sorted(len(answer.recorded_states) for answer in broken) == [0, 2]
        check_history(await one.events())
        assert {i.count for i in await one.issues()} == {20, 2}
