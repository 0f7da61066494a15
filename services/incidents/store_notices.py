"""The tables of notices and their filings, and their statements. What a notice says is JSON in its row, and in each filing."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.incidents.domain.notice import Blocks, Field, Filing, Notice, Told
from services.incidents.domain.written import Text
from services.incidents.store import METADATA
from services.storage.database import Actor, Row, Tx
from services.storage.schema import KeyText
from services.storage.times import from_micros, to_micros

notices = sa.Table(
    "notices",
    METADATA,
    sa.Column("incident_id", KeyText, sa.ForeignKey("incidents.incident_id"), primary_key=True),
    sa.Column("blocks", sa.Text, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

filings = sa.Table(
    "notice_filings",
    METADATA,
    sa.Column("incident_id", KeyText, sa.ForeignKey("notices.incident_id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("file_us", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("is_late", sa.BigInteger, nullable=False),
    sa.Column("late_reason", sa.Text, nullable=False),
    sa.Column("incomplete_reason", sa.Text, nullable=False),
    sa.Column("missing", sa.Text, nullable=False),
    # What was filed, word for word: a supplement may correct it, and nothing else keeps it.
    sa.Column("blocks", sa.Text, nullable=False),
)

_INSERT = sa.insert(notices)
_GET = sa.select(notices).where(notices.c.incident_id == sa.bindparam("incident_id"))
_SAVE = (
    sa.update(notices)
    .where(notices.c.incident_id == sa.bindparam("which"))
    .values({name: sa.bindparam(name, type_=notices.c[name].type) for name in ("blocks", "update_us", "revision")})
)
_INSERT_FILING = sa.insert(filings)
_FILINGS = sa.select(filings).where(filings.c.incident_id == sa.bindparam("incident_id")).order_by(filings.c.number)


def put_notice(tx: Tx, found: Notice, before: Notice | None) -> None:
    """Stores a notice, new for ``before`` None, with its new filings."""
    columns = {"blocks": _json(found.blocks), "update_us": to_micros(found.updated_at), "revision": found.revision}
    if before is None:
        tx.run(_INSERT, {"incident_id": found.incident_id, "create_us": to_micros(found.created_at), **columns})
    else:
        tx.run(_SAVE, {"which": found.incident_id, **columns})
    for filing in found.filings[len(before.filings) if before is not None else 0 :]:
        tx.run(
            _INSERT_FILING,
            {
                "incident_id": found.incident_id,
                "number": filing.number,
                "reference": filing.reference,
                "actor_kind": filing.actor.kind,
                "actor_id": filing.actor.id,
                "actor_role": filing.actor.role,
                "file_us": to_micros(filing.filed_at),
                "record_us": to_micros(filing.recorded_at),
                "is_late": int(filing.late),
                "late_reason": filing.late_reason,
                "incomplete_reason": filing.incomplete_reason,
                "missing": json.dumps([field.value for field in filing.missing]),
                "blocks": _json(filing.blocks),
            },
        )


def get_notice(tx: Tx, incident_id: str) -> Notice | None:
    """The notice of an incident with its filings, or None."""
    row = tx.one(_GET, {"incident_id": incident_id})
    if row is None:
        return None
    return Notice(
        incident_id=row.incident_id,
        blocks=_blocks(row.blocks),
        filings=tuple(_filing(one) for one in tx.all(_FILINGS, {"incident_id": incident_id})),
        created_at=from_micros(row.create_us),
        updated_at=from_micros(row.update_us),
        revision=row.revision,
    )


_TEXTS = ("description", "risks", "effects", "measures", "explanation", "contact_role")
_TEXT_LISTS = ("data_categories", "people_categories")
_MOMENTS = ("begin_at", "end_at", "tell_at")


def _json(blocks: Blocks) -> str:
    def plain(value: object) -> object:
        if isinstance(value, datetime):
            return to_micros(value)
        raise TypeError(f"{type(value).__name__} is not stored")

    return json.dumps(asdict(blocks), ensure_ascii=False, separators=(",", ":"), default=plain)


def _blocks(stored: str) -> Blocks:
    data: dict[str, Any] = json.loads(stored)
    for name in _TEXTS:
        data[name] = Text(**data[name])
    for name in _TEXT_LISTS:
        data[name] = tuple(Text(**text) for text in data[name])
    for name in _MOMENTS:
        data[name] = None if data[name] is None else from_micros(data[name])
    data["told"] = None if data["told"] is None else Told(data["told"])
    return Blocks(**data)


def _filing(row: Row) -> Filing:
    return Filing(
        number=row.number,
        reference=row.reference,
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        filed_at=from_micros(row.file_us),
        recorded_at=from_micros(row.record_us),
        late=bool(row.is_late),
        late_reason=row.late_reason,
        incomplete_reason=row.incomplete_reason,
        missing=tuple(Field(value) for value in json.loads(row.missing)),
        blocks=_blocks(row.blocks),
    )
