"""The tables of post-mortems and their sign-offs, and their statements. The text is JSON in the row of its post-mortem."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.incidents.domain.post_mortem import (
    ActionItem,
    Approved,
    Content,
    Event,
    PostMortem,
    PostMortemState,
    SignOff,
    SignOffKind,
)
from services.incidents.domain.written import Text
from services.incidents.store import METADATA
from services.storage.database import Actor, Row, Tx
from services.storage.paging import Key
from services.storage.schema import KeyText
from services.storage.times import from_micros, to_micros

post_mortems = sa.Table(
    "post_mortems",
    METADATA,
    sa.Column("incident_id", KeyText, sa.ForeignKey("incidents.incident_id"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("content_revision", sa.BigInteger, nullable=False),
    sa.Column("approver_kind", sa.Text),
    sa.Column("approver_id", sa.Text),
    sa.Column("approver_role", sa.Text),
    sa.Column("approve_us", sa.BigInteger),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("update_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Index("post_mortems_by_time", "create_us", "incident_id"),
    sa.Index("post_mortems_by_state", "state", "create_us", "incident_id"),
)

sign_offs = sa.Table(
    "post_mortem_sign_offs",
    METADATA,
    sa.Column("incident_id", KeyText, sa.ForeignKey("post_mortems.incident_id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("content_revision", sa.BigInteger, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("sign_us", sa.BigInteger, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
)

_INSERT = sa.insert(post_mortems)
_GET = sa.select(post_mortems).where(post_mortems.c.incident_id == sa.bindparam("incident_id"))
_CHANGING = (
    "state",
    "content",
    "content_revision",
    "approver_kind",
    "approver_id",
    "approver_role",
    "approve_us",
    "update_us",
    "revision",
)
_SAVE = (
    sa.update(post_mortems)
    .where(post_mortems.c.incident_id == sa.bindparam("which"))
    .values({name: sa.bindparam(name, type_=post_mortems.c[name].type) for name in _CHANGING})
)
_INSERT_SIGN_OFF = sa.insert(sign_offs)
_SIGN_OFFS = (
    sa.select(sign_offs).where(sign_offs.c.incident_id == sa.bindparam("incident_id")).order_by(sign_offs.c.number)
)


def insert_post_mortem(tx: Tx, found: PostMortem) -> None:
    """Stores a new post-mortem, which has no sign-offs yet."""
    tx.run(_INSERT, {"incident_id": found.incident_id, "create_us": to_micros(found.created_at), **_columns(found)})


def save_post_mortem(tx: Tx, found: PostMortem, before: PostMortem) -> None:
    """Stores what changed, new sign-offs included."""
    tx.run(_SAVE, {"which": found.incident_id, **_columns(found)})
    for number, signed in enumerate(found.sign_offs[len(before.sign_offs) :], start=len(before.sign_offs) + 1):
        tx.run(
            _INSERT_SIGN_OFF,
            {
                "incident_id": found.incident_id,
                "number": number,
                "kind": signed.kind.value,
                "customer_id": signed.customer_id,
                "content_revision": signed.content_revision,
                "actor_kind": signed.actor.kind,
                "actor_id": signed.actor.id,
                "actor_role": signed.actor.role,
                "sign_us": to_micros(signed.signed_at),
                "reference": signed.reference,
            },
        )


def get_post_mortem(tx: Tx, incident_id: str) -> PostMortem | None:
    """The post-mortem of an incident with its sign-offs, or None."""
    row = tx.one(_GET, {"incident_id": incident_id})
    return _post_mortem(tx, row) if row is not None else None


def page_of_post_mortems(tx: Tx, state: PostMortemState | None, after: Key | None, limit: int) -> list[PostMortem]:
    """At most ``limit`` post-mortems, the last begun first, after a key of `post_mortem_key`."""
    params: dict[str, object] = {"limit": limit}
    if state is not None:
        params["state"] = state.value
    if after is not None:
        params["after_us"], params["after_id"] = after
    return [_post_mortem(tx, row) for row in tx.all(_list_statement(frozenset(params)), params)]


def post_mortem_key(found: PostMortem) -> Key:
    """Where a post-mortem stands in a list of them."""
    return (to_micros(found.created_at), found.incident_id)


@cache
def _list_statement(names: frozenset[str]) -> sa.Select[Any]:
    conditions = {
        "state": post_mortems.c.state == sa.bindparam("state"),
        "after_us": sa.tuple_(post_mortems.c.create_us, post_mortems.c.incident_id)
        < sa.tuple_(sa.bindparam("after_us", type_=sa.BigInteger), sa.bindparam("after_id", type_=sa.Text)),
    }
    return (
        sa.select(post_mortems)
        .where(*(condition for name, condition in conditions.items() if name in names))
        .order_by(post_mortems.c.create_us.desc(), post_mortems.c.incident_id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _columns(found: PostMortem) -> dict[str, object]:
    approved = found.approved
    return {
        "state": found.state.value,
        "content": json.dumps(_content_data(found.content), ensure_ascii=False, separators=(",", ":")),
        "content_revision": found.content_revision,
        "approver_kind": approved.actor.kind if approved else None,
        "approver_id": approved.actor.id if approved else None,
        "approver_role": approved.actor.role if approved else None,
        "approve_us": to_micros(approved.approved_at) if approved else None,
        "update_us": to_micros(found.updated_at),
        "revision": found.revision,
    }


def _content_data(content: Content) -> dict[str, object]:
    return {
        "summary": _text_data(content.summary),
        "timeline": [[to_micros(event.occurred_at), *_text_data(event.text)] for event in content.timeline],
        "root_cause": _text_data(content.root_cause),
        "what_went_well": _text_data(content.what_went_well),
        "what_went_wrong": _text_data(content.what_went_wrong),
        "action_items": [
            [*_text_data(item.title), item.owner, None if item.due_at is None else to_micros(item.due_at)]
            for item in content.action_items
        ],
    }


def _text_data(text: Text) -> list[str]:
    return [text.ar, text.en]


def _post_mortem(tx: Tx, row: Row) -> PostMortem:
    data = json.loads(row.content)
    content = Content(
        summary=Text(*data["summary"]),
        timeline=tuple(Event(from_micros(at), Text(ar, en)) for at, ar, en in data["timeline"]),
        root_cause=Text(*data["root_cause"]),
        what_went_well=Text(*data["what_went_well"]),
        what_went_wrong=Text(*data["what_went_wrong"]),
        action_items=tuple(
            ActionItem(Text(ar, en), owner, None if due is None else from_micros(due))
            for ar, en, owner, due in data["action_items"]
        ),
    )
    return PostMortem(
        incident_id=row.incident_id,
        state=PostMortemState(row.state),
        content=content,
        content_revision=row.content_revision,
        approved=None
        if row.approve_us is None
        else Approved(Actor(row.approver_kind, row.approver_id, row.approver_role), from_micros(row.approve_us)),
        sign_offs=tuple(_sign_off(one) for one in tx.all(_SIGN_OFFS, {"incident_id": row.incident_id})),
        created_at=from_micros(row.create_us),
        updated_at=from_micros(row.update_us),
        revision=row.revision,
    )


def _sign_off(row: Row) -> SignOff:
    return SignOff(
        kind=SignOffKind(row.kind),
        customer_id=row.customer_id,
        content_revision=row.content_revision,
        actor=Actor(row.actor_kind, row.actor_id, row.actor_role),
        signed_at=from_micros(row.sign_us),
        reference=row.reference,
    )
