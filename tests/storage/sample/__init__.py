"""A small service's store, to try storage with: accounts that money moves between, and notes of every column type."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from services.storage.database import ServiceSchema
from services.storage.schema import KeyText

METADATA = sa.MetaData()

accounts = sa.Table(
    "accounts",
    METADATA,
    sa.Column("account_id", KeyText, primary_key=True),
    sa.Column(
        "balance", sa.BigInteger, sa.CheckConstraint("balance >= 0", name="balance_not_negative"), nullable=False
    ),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
notes = sa.Table(
    "notes",
    METADATA,
    sa.Column("note_id", sa.Text, primary_key=True),
    sa.Column("account_id", KeyText, sa.ForeignKey("accounts.account_id"), nullable=True),
    sa.Column("small", sa.Integer),
    sa.Column("big", sa.BigInteger),
    sa.Column("amount", sa.Float(53)),
    sa.Column("text", sa.Text),
    sa.Column("raw", sa.LargeBinary),
)

SCHEMA = ServiceSchema("sample", METADATA, Path(__file__).parent)

ADD_ACCOUNT = sa.insert(accounts)
ADD_NOTE = sa.insert(notes)
FIND_NOTE = sa.select(notes).where(notes.c.note_id == sa.bindparam("note_id"))
FIND_ACCOUNT = sa.select(accounts).where(accounts.c.account_id == sa.bindparam("account_id"))
ALL_ACCOUNTS = sa.select(accounts).order_by(accounts.c.account_id)
SET_BALANCE = sa.update(accounts).where(accounts.c.account_id == sa.bindparam("id"))
DROP_NOTES = sa.delete(notes)
