"""Incidents that were declared before they had a life: after the migration they have one, and nobody overlooks them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dealix.incidents.v1 import incident_pb2 as model

from services.incidents import store
from services.incidents.domain.book import load_book
from services.incidents.domain.declare import Declaration, declare
from services.incidents.domain.incidents import Incident
from services.incidents.domain.timeline import TimelineLine
from services.incidents.domain.triage import TriageFacts
from services.storage.database import Actor, DatabaseSettings, UnitOfWork, open_database
from tests.rpc.client import SATURDAY_EVENING, Clock
from tests.rpc.incidents_client import ACTIVE, OBL, PB, incidents_at

BOOK = load_book()
PERSON = Actor("person", "operator-17")
NEW_COLUMNS = {
    *("duplicate_of", "roles", "resolve_us", "leak_aware_us", "clocks_paused"),
    *("text_en", "subject", "detail"),
}


class OldTables:
    """A transaction as the earlier version had it: without the columns and the table that came later."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._tx = unit.tx

    def run(self, stmt: Any, params: Mapping[str, object], **_: Any) -> int:
        if stmt.table is store.open_incidents:
            return 0
        return self._tx.run(stmt, {name: value for name, value in params.items() if name not in NEW_COLUMNS})


def old_incident(name: str, *, leak: bool = False, drill: bool = False, customers: tuple[str, ...] = ()) -> Any:
    """An incident of the earlier version, with its timeline."""
    now = SATURDAY_EVENING - timedelta(hours=1)
    declared = declare(Declaration(TriageFacts(name, "", 1, leak, False), drill=drill), None, now, BOOK)
    incident = Incident(
        incident_id="inc_" + name * 26,
        title=name,
        description="",
        severity=declared.severity,
        triage=declared.triage,
        state=declared.state,
        customer_ids=customers,
        ticket_ids=(),
        channel="",
        data_leak=leak,
        unauthorized_send=False,
        drill=drill,
        aware_at=now,
        declared_at=now,
        updated_at=now,
        revision=1,
        plan=declared.plan.steps,
    )
    return incident, [TimelineLine(1, declared.timeline[0], PERSON)]


async def made_old(tmp_path: Path, database_url: str, known: list[Any]) -> str:
    """A database of the earlier version that holds some incidents; its URL."""
    folder = tmp_path / "migrations"
    shutil.copytree(store.SCHEMA.migrations, folder)
    for later in folder.glob("versions/*.py"):
        if later.name >= "0003":
            later.unlink()
    (folder / "sqlite.sql").unlink()
    old = dataclasses.replace(store.SCHEMA, migrations=folder)

    def fill(unit: UnitOfWork) -> None:
        tables: Any = OldTables(unit)
        for incident, lines in known:
            store.insert_incident(tables, incident)
            for line in lines:
                store.append_line(tables, incident.incident_id, line)
            unit.record("incident.declared", f"incident/{incident.incident_id}", attributes={"revision": "1"})

    url = database_url or f"sqlite:///{tmp_path / 'incidents.db'}"
    database = await open_database(DatabaseSettings(url), old, clock=Clock())
    try:
        await database.write_internal(PERSON, fill)
    finally:
        await database.close()
    return url


async def test_an_old_incident_that_is_late_with_nothing_is_looked_at_and_left_alone(
    tmp_path: Path, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    url = await made_old(tmp_path, database_url, [old_incident("b")])
    async with incidents_at(tmp_path, url) as incidents:
        entries = len(await incidents.entries())
        assert await incidents.passes() == 1
        assert len(await incidents.entries()) == entries
        assert "timer_failed" not in "".join(capfd.readouterr())
        assert await incidents.passes(hours=1, minutes=1) == 1
        assert len(await incidents.alerts()) == 1


async def test_old_incidents_have_clocks_and_concern_whom_they_did(tmp_path: Path, database_url: str) -> None:
    known = [
        old_incident("a", leak=True, customers=("acme", "zain")),
        old_incident("b"),
        old_incident("c", leak=True, drill=True),
    ]
    url = await made_old(tmp_path, database_url, known)
    leak, everybody, drill = (incident.incident_id for incident, _ in known)
    async with incidents_at(tmp_path, url) as incidents:

        async def told(customer_id: str) -> list[str]:
            answer = await incidents.ask(PB.GetOperatingContextRequest(customer_id=customer_id))
            return [found.incident_id for found in answer.context.incidents]

        assert await told("zain") == [leak, everybody]
        assert await told("nobody") == [everybody]
        shown = (await incidents.show(leak)).incident
        assert shown.leak_aware_time == shown.aware_time
        states = await incidents.states(leak)
        assert (states["first_action"], states["pdpl_authority"]) == ("breached", "running")
        assert await incidents.states(drill) == {}
        # Two are late of the leak, none of the other yet; the drill has no clock.
        assert await incidents.passes() == 2
        assert len(await incidents.alerts()) == 2
        assert len((await incidents.ask(OBL.ListDueObligationsRequest())).obligations) == 2
        tasks = {task.step_id: task for task in (await incidents.show(leak)).tasks}
        assert tasks["pdpl_notice"].state == model.PLAN_TASK_STATE_OPEN
        await incidents.ask(PB.UpdatePlanTaskRequest(incident_id=leak, task_number=1, state=model.PLAN_TASK_STATE_DONE))
        await incidents.step(leak, ACTIVE, "بدأ متأخرًا")
        assert await incidents.lines(leak) == [
            *("declared", "obligation_breached", "obligation_breached", "task_done", "activated"),
        ]
        assert (await incidents.states(leak))["first_action"] == "met_late"
        after = {task.step_id: task for task in (await incidents.show(leak)).tasks}
        assert {name for name in after if after[name] != tasks[name]} == {"freeze_live_actions"}
