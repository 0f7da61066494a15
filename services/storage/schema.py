"""The tables that every service's database has beside its own: instance marker, ledger, requests."""

from __future__ import annotations

import sqlalchemy as sa

SHARED = sa.MetaData()

# Text that is ordered or paged by: by code point on both engines, whatever collation a PostgreSQL database has.
KeyText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# A number that is the primary key: on SQLite an INTEGER key is the table itself, a BIGINT key a second tree to keep.
RowKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

instance = sa.Table(
    "instance",
    SHARED,
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("instance_id", sa.Text, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
)

ledger = sa.Table(
    "ledger",
    SHARED,
    sa.Column("sequence", RowKey, primary_key=True, autoincrement=False),
    sa.Column("time_us", sa.BigInteger, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("attributes", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Index("ledger_by_subject", "subject", "sequence"),
    sa.Index("ledger_by_action", "action", "sequence"),
)

# One row: the last entry. Its row lock is what makes the writers of a service take turns on PostgreSQL.
ledger_head = sa.Table(
    "ledger_head",
    SHARED,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)

requests = sa.Table(
    "requests",
    SHARED,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("response", sa.LargeBinary, nullable=False),
    sa.Column("time_us", sa.BigInteger, nullable=False),
)
