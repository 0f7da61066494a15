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

# Texts that a person decides on; see `services.domain.drafts`.
drafts = sa.Table(
    "drafts",
    SHARED,
    sa.Column("draft_id", KeyText, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", KeyText, nullable=False),
    sa.Column("customer_id", KeyText, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("title_ar", sa.Text, nullable=False),
    sa.Column("title_en", sa.Text, nullable=False),
    sa.Column("body_ar", sa.Text, nullable=False),
    sa.Column("body_en", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    # The approval given last since the text changed; empty for none.
    sa.Column("approval_id", sa.Text, nullable=False),
    sa.Column("rejection_reason", sa.Text, nullable=False),
    # What the record of a sending says, as JSON; empty for none.
    sa.Column("sent", sa.Text, nullable=False),
    sa.Column("due_us", sa.BigInteger),
    # Since when it waits for a person: for an approved one the end of its approval, null where it waits no more.
    sa.Column("pending_us", sa.BigInteger),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Index("drafts_by_subject", "subject", "create_us", "draft_id"),
    sa.Index("drafts_by_customer", "customer_id", "create_us", "draft_id"),
    sa.Index("drafts_by_time", "create_us", "draft_id"),
    sa.Index("drafts_pending", "pending_us", "draft_id"),
)

approvals = sa.Table(
    "approvals",
    SHARED,
    sa.Column("approval_id", KeyText, primary_key=True),
    sa.Column("draft_id", KeyText, sa.ForeignKey("drafts.draft_id"), nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("approve_us", sa.BigInteger, nullable=False),
    sa.Column("expire_us", sa.BigInteger, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("use_us", sa.BigInteger),
    sa.Column("void_us", sa.BigInteger),
    sa.Index("approvals_by_draft", "draft_id"),
)

# What the service has to look at, and when; see `services.storage.timers`.
timers = sa.Table(
    "timers",
    SHARED,
    sa.Column("timer_id", KeyText, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Index("timers_by_time", "due_us", "timer_id"),
)
