"""What an earlier version wrote takes its place in the lists of this one, on every engine."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.onboarding import store
from services.onboarding.domain import schedule
from services.onboarding.domain.catalog import STEP_IDS, load_catalog
from services.onboarding.store import SCHEMA, DuePage
from services.storage.database import (
    Actor,
    DatabaseSettings,
    ServiceSchema,
    Tx,
    UnitOfWork,
    WriteRequest,
    open_database,
)
from services.storage.times import to_micros

# Wednesday to Tuesday, at an hour that is the next day already in Riyadh.
MOMENTS = [datetime(2026, 3, 4, 22, 30, tzinfo=UTC) + timedelta(days=day) for day in range(7)]

_OLD = sa.table(
    "checklists",
    *(sa.column(name, sa.Text()) for name in ("customer_id", "bundle_id", "current_step_id")),
    *(sa.column(name, sa.BigInteger()) for name in ("create_us", "update_us", "revision")),
)
_INSERT = sa.insert(_OLD)


@pytest.fixture
def older(tmp_path: Path) -> ServiceSchema:
    """Onboarding as it was before it knew a plan."""
    folder = tmp_path / "older"
    (folder / "versions").mkdir(parents=True)
    for path in sorted((SCHEMA.migrations / "versions").glob("000[12]_*.py")):
        shutil.copy(path, folder / "versions")
    return replace(SCHEMA, migrations=folder)


async def test_checklists_of_an_earlier_version_are_listed_by_what_is_due(
    database_url: str, older: ServiceSchema
) -> None:
    written = {
        f"cust-{number:02}-{step_id}": (moment, step_id)
        for number, moment in enumerate(MOMENTS)
        for step_id in (*STEP_IDS, "done")
    }

    def write(unit: UnitOfWork) -> bytes:
        for customer_id, (moment, step_id) in written.items():
            us = to_micros(moment)
            row = {"customer_id": customer_id, "bundle_id": "", "current_step_id": step_id}
            unit.tx.run(_INSERT, {**row, "create_us": us, "update_us": us, "revision": 1})
        unit.record("checklist.created", "checklist/all")
        return b"done"

    settings = DatabaseSettings(url=database_url, auto_migrate=True)
    database = await open_database(settings, older, clock=lambda: MOMENTS[0])
    try:
        await database.write(WriteRequest("r-1", "test", b"", Actor("person", "operator-17")), write)
    finally:
        await database.close()

    def read(tx: Tx) -> list[str]:
        return [found.customer_id for found in store.page_of_progress(tx, DuePage(False, None, None, 200))]

    database = await open_database(settings, SCHEMA, clock=lambda: MOMENTS[0])
    try:
        listed = await database.read(read)
    finally:
        await database.close()
    catalog = load_catalog()

    def due(customer_id: str) -> tuple[datetime, str]:
        moment, step_id = written[customer_id]
        start = (moment + timedelta(hours=3)).date()
        return schedule.due_at(catalog, start, step_id), customer_id

    assert listed == sorted(written, key=due)
