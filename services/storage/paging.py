"""Pages over a list in a fixed order: where the next page begins is a key, never an offset.

A page token is opaque to clients. It carries a version, the query it belongs to and the key of the last row given;
a token used with another query is refused instead of answered with rows of the wrong list.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

from services.domain.errors import InvalidInput, Violation

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
MAX_PAGE_BYTES = 3 << 20
"""What the rows of a page may hold. A gRPC client reads 4 MiB unless told otherwise; the rest is for what a message adds."""

# About so much is a page of which no further look is needed, and so long a list one of which each item is looked at.
_FEW_BYTES = 1 << 20
_FEW_ITEMS = 5
_ITEM_BYTES = 100

_VERSION = 1
_QUERY_BYTES = 8
_CHECK_BYTES = 4
_MAX_TOKEN = 1024

_T = TypeVar("_T")
Key = tuple[int | str, ...]
Filter = str | int | float | bool | None | Sequence[str] | Sequence[int]


def page_size(requested: int) -> int:
    """Rows to give: 0 means the default. The contract refuses what is negative or above the maximum before this."""
    return DEFAULT_PAGE_SIZE if requested <= 0 else min(requested, MAX_PAGE_SIZE)


def query_key(method: str, filters: Mapping[str, Filter]) -> bytes:
    """Stands for one list: the method and every filter and order that shapes it, but not ``page_size``."""
    parts = json.dumps([method, {name: filters[name] for name in sorted(filters)}], ensure_ascii=True, default=list)
    return hashlib.sha256(parts.encode()).digest()[:_QUERY_BYTES]


def encode_token(query: bytes, key: Key) -> str:
    """The token for the rows after ``key``."""
    body = bytes([_VERSION]) + query + json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()
    check = hashlib.sha256(body).digest()[:_CHECK_BYTES]
    return base64.urlsafe_b64encode(check + body).rstrip(b"=").decode()


def decode_token(query: bytes, token: str, kinds: tuple[type[int] | type[str], ...]) -> Key | None:
    """The key after which the page begins; None for the empty token (the first page).

    ``kinds`` are the types of the key's parts. ``InvalidInput`` on ``page_token`` for anything that
    :func:`encode_token` did not make for this query.
    """
    if not token:
        return None
    try:
        if len(token) > _MAX_TOKEN:
            raise ValueError("longer than any token")
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if hashlib.sha256(body).digest()[:_CHECK_BYTES] != check or body[0] != _VERSION:
            raise ValueError("not a token of this version")
        key = json.loads(body[1 + _QUERY_BYTES :])
    except (ValueError, IndexError, binascii.Error) as error:
        raise _refused("PAGE_TOKEN_INVALID", "must be the next_page_token of an earlier answer, unchanged") from error
    if body[1 : 1 + _QUERY_BYTES] != query:
        raise _refused("PAGE_TOKEN_OF_OTHER_QUERY", "belongs to a list with other filters; repeat those filters")
    if not isinstance(key, list) or tuple(map(type, key)) != kinds or not all(map(_storable, key)):
        raise _refused("PAGE_TOKEN_INVALID", "must be the next_page_token of an earlier answer, unchanged")
    return tuple(key)


def cut_page(rows: Sequence[_T], size: int, query: bytes, key: Callable[[_T], Key]) -> tuple[list[_T], str]:
    """The page and the token for the next one ('' at the end), of ``rows`` read with a limit of ``size + 1``.

    It ends before ``size`` where the next row would take it beyond `MAX_PAGE_BYTES`, but holds at least one row.
    """
    page = list(rows[:size])
    # Most pages are far from it, and to look into all that a row holds takes as long as to read it.
    if sum([_bytes_of(row, roughly=True) for row in page]) > _FEW_BYTES:
        page = page[: max(1, bisect_right(list(accumulate(map(_bytes_of, page))), MAX_PAGE_BYTES))]
    return page, encode_token(query, key(page[-1])) if len(rows) > len(page) else ""


def _bytes_of(row: object, *, roughly: bool = False) -> int:
    """What the texts of a row take, in its fields and in those of what it holds.

    ``roughly``: within a factor of three; of a long list each item is taken for one of some length.
    """
    if isinstance(row, str):
        return len(row.encode())
    if isinstance(row, (list, tuple)):
        if roughly and len(row) > _FEW_ITEMS:
            return _ITEM_BYTES * len(row)
        return sum([_bytes_of(item, roughly=roughly) for item in row])
    return sum([_bytes_of(getattr(row, field), roughly=roughly) for field in _FIELDS[type(row)]])


class _Fields(dict[type, tuple[str, ...]]):
    """The names of the fields of the classes met so far; none of what is no data class."""

    def __missing__(self, kind: type) -> tuple[str, ...]:
        names = tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()
        return self.setdefault(kind, names)


_FIELDS = _Fields()


def _storable(part: int | str) -> bool:
    """Whether both engines can compare with it: the check of a token is no secret, so anybody can make one."""
    if isinstance(part, str):
        return "\0" not in part and not any("\ud800" <= letter <= "\udfff" for letter in part)
    return -(1 << 63) <= part < 1 << 63


def _refused(reason: str, description: str) -> InvalidInput:
    return InvalidInput([Violation("page_token", reason, description)])
