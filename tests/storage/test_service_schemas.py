"""The migrations of each service come to the tables that its code declares, on every engine."""

from __future__ import annotations

import pytest

from customer_ops.embedded import DEFINITIONS
from services.storage.migrations import check_snapshot
from tests.support_schema import schema_differences

SCHEMAS = [definition.schema for definition in DEFINITIONS]
each_service = pytest.mark.parametrize("schema", SCHEMAS, ids=[schema.name for schema in SCHEMAS])


@each_service
async def test_migrations_come_to_the_tables_that_the_code_declares(schema, database_url):
    assert await schema_differences(database_url, schema) == []


@each_service
def test_the_schema_that_a_fresh_file_is_made_from_is_the_one_the_migrations_come_to(schema):
    check_snapshot(schema)
