"""Page tokens, times and ids: small things that every list and row depends on."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.domain.texts import Bilingual
from services.storage.ids import new_id
from services.storage.paging import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_BYTES,
    MAX_PAGE_SIZE,
    cut_page,
    decode_token,
    encode_token,
    page_size,
    query_key,
)
from services.storage.times import from_micros, to_micros

QUERY = query_key("ListTickets", {"customer_id": "cus_1", "states": ["open", "waiting"]})
KEY = (1_767_225_600_000_000, "tkt_ا")


def refusal(query: bytes, token: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        decode_token(query, token, (int, str))
    (violation,) = refused.value.violations
    assert violation.field == "page_token"
    return violation.reason


def forged(key: object, version: int = 1, query: bytes = QUERY) -> str:
    """A token as anybody can make one: the check is no secret."""
    body = bytes([version]) + query + json.dumps(key).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:4] + body).rstrip(b"=").decode()


def test_a_token_gives_back_the_key_and_the_empty_one_the_first_page() -> None:
    assert decode_token(QUERY, encode_token(QUERY, KEY), (int, str)) == KEY
    assert decode_token(QUERY, "", (int, str)) is None
    assert decode_token(QUERY, forged(list(KEY)), (int, str)) == KEY


@pytest.mark.parametrize(
    ("method", "filters"),
    [
        ("ListIncidents", {"customer_id": "cus_1", "states": ["open", "waiting"]}),
        ("ListTickets", {"customer_id": "cus_2", "states": ["open", "waiting"]}),
        ("ListTickets", {"customer_id": "cus_1", "states": ["open"]}),
        ("ListTickets", {"customer_id": "cus_1", "states": ["openwaiting"]}),
        ("ListTickets", {"customer_id": "cus_1", "states": []}),
        ("ListTickets", {"customer_id": "cus_1"}),
        ("ListTickets", {}),
    ],
)
def test_a_token_of_another_list_is_refused(method: str, filters: dict[str, str | list[str]]) -> None:
    assert refusal(query_key(method, filters), encode_token(QUERY, KEY)) == "PAGE_TOKEN_OF_OTHER_QUERY"


def test_the_order_in_which_filters_are_named_does_not_matter() -> None:
    assert query_key("ListTickets", {"states": ["open", "waiting"], "customer_id": "cus_1"}) == QUERY


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "not a token",
        "%%%%",
        "رمز",
        "A" * 40,
        "A" * 5000,
        encode_token(QUERY, KEY)[:-2],
        "A" + encode_token(QUERY, KEY)[1:],
        encode_token(QUERY, KEY).swapcase(),
        encode_token(QUERY, ("tkt", 5)),
        encode_token(QUERY, (5,)),
        encode_token(QUERY, (5, "a", "b")),
        forged(list(KEY), version=2),
        forged({"key": 5}),
        forged([True, "a"]),
        forged([1.5, "a"]),
        forged([1 << 63, "a"]),
        forged([5, "a\0"]),
        forged([5, "\ud800"]),
        forged(5),
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    assert refusal(QUERY, token) == "PAGE_TOKEN_INVALID"


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_no_text_breaks_the_decoder(token: str) -> None:
    try:
        assert decode_token(QUERY, token, (int, str)) is None
    except InvalidInput:
        assert token


def test_page_sizes() -> None:
    sizes = {0: DEFAULT_PAGE_SIZE, 1: 1, MAX_PAGE_SIZE: MAX_PAGE_SIZE, MAX_PAGE_SIZE + 1: MAX_PAGE_SIZE}
    assert {size: page_size(size) for size in sizes} == sizes


@pytest.mark.parametrize(("count", "expected", "more"), [(0, 0, False), (2, 2, False), (3, 3, False), (4, 3, True)])
def test_a_page_ends_where_the_next_begins(count: int, expected: int, more: bool) -> None:
    page, token = cut_page(list(range(count)), 3, QUERY, lambda row: (row, "k"))
    assert (len(page), bool(token)) == (expected, more)
    if more:
        assert decode_token(QUERY, token, (int, str)) == (2, "k")


@dataclass(frozen=True, slots=True)
class Letter:
    body: str
    answer: Bilingual
    parts: list[tuple[str, int]]


@pytest.mark.parametrize(
    ("row", "fits"),
    [
        ("س" * 20_000, MAX_PAGE_BYTES // 40_000),
        (Letter("س" * 20_000, Bilingual("س" * 2_000, "s" * 2_000), []), MAX_PAGE_BYTES // 46_000),
        (Letter("س" * 1_000, Bilingual("", ""), [("س" * 20_000, 1)]), MAX_PAGE_BYTES // 42_000),
        (Letter("", Bilingual("", ""), [("s" * 60, number) for number in range(1_000)]), MAX_PAGE_BYTES // 60_000),
        ((7, Letter("س" * 20_000, Bilingual("", ""), [])), MAX_PAGE_BYTES // 40_000),
        ("س" * MAX_PAGE_BYTES, 1),
    ],
)
def test_a_page_ends_before_it_is_too_large_to_be_read_and_holds_at_least_one_row(row: object, fits: int) -> None:
    rows = [row] * (MAX_PAGE_SIZE + 1)
    page, token = cut_page(rows, MAX_PAGE_SIZE, QUERY, lambda _: (7, "k"))
    assert len(page) == fits
    assert decode_token(QUERY, token, (int, str)) == (7, "k")


@given(st.datetimes(timezones=st.just(UTC)))
@settings(max_examples=200)
def test_times_come_back_to_the_microsecond(time: datetime) -> None:
    assert from_micros(to_micros(time)) == time


def test_times_are_points_in_time_whatever_their_zone() -> None:
    riyadh = timezone(timedelta(hours=3))
    assert to_micros(datetime(2026, 1, 1, 3, tzinfo=riyadh)) == to_micros(datetime(2026, 1, 1, tzinfo=UTC))
    assert to_micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005
    with pytest.raises(ValueError, match="zone"):
        to_micros(datetime(2026, 1, 1))


def test_ids_are_long_and_do_not_repeat() -> None:
    made = {new_id("tkt") for _ in range(2000)}
    assert len(made) == 2000
    assert all(len(each) == 30 and set(each[4:]) <= set("abcdefghijklmnopqrstuvwxyz234567") for each in made)
    # Every place takes every value it can: no letter is stuck.
    assert all(len({each[place] for each in made}) == (8 if place == 4 else 32) for place in range(4, 30))
