"""The telling of the week: a rule that no longer holds ends it."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from rich.console import Console

from customer_ops.client import CallFailed
from customer_ops.exits import EXIT_REFUSED, EXIT_UNVERIFIED, CommandFailed
from customer_ops.script import load_first_week
from customer_ops.week.show import Show
from services.domain.riyadh import RIYADH


class Time:
    """A clock that goes where it is put."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 8, 8, 30, tzinfo=RIYADH)

    def now(self) -> datetime:
        return self.moment

    def advance_to(self, moment: datetime) -> None:
        self.moment = moment

    def end(self) -> None:
        self.moment += timedelta(days=7)


def showing(answer: Any) -> tuple[Show, io.StringIO]:
    """A show whose every call is answered, or fails, with ``answer``."""

    def call(method: Any, request: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    client: Any = SimpleNamespace(call=call)
    out = io.StringIO()
    return Show(client, load_first_week(), Console(file=out, width=80), Time()), out


def refusal(reason: str, *details: str) -> CallFailed:
    message = f"refused: {reason}: a founder has to; channel=whatsapp"
    return CallFailed(message, EXIT_REFUSED, grpc.StatusCode.FAILED_PRECONDITION, reason, details)


def test_a_call_that_should_have_been_refused_ends_the_week() -> None:
    show, _ = showing(SimpleNamespace())
    with pytest.raises(CommandFailed, match="should have been refused with FOUNDER_REQUIRED") as ended:
        show.refused("founder_only", "FOUNDER_REQUIRED", None, SimpleNamespace())  # type: ignore[arg-type]
    assert ended.value.exit_code == EXIT_UNVERIFIED


def test_a_refusal_for_another_reason_ends_the_week() -> None:
    show, _ = showing(refusal("INTERNAL"))
    with pytest.raises(CallFailed):
        show.refused("founder_only", "FOUNDER_REQUIRED", None, SimpleNamespace())  # type: ignore[arg-type]


def test_a_refusal_shows_what_is_missing_in_both_languages_and_no_identifiers() -> None:
    identifier = "frz_" + "a" * 26
    missing = ["block: عدد السجلات / Number of records", f"freeze/{identifier}: inc_{'b' * 26}", "x: y", "x: z", "x: w"]
    show, out = showing(refusal("FOUNDER_REQUIRED", *missing))
    show.refused("founder_only", "FOUNDER_REQUIRED", None, SimpleNamespace())  # type: ignore[arg-type]
    said = out.getvalue()
    assert "✗ FOUNDER_REQUIRED  a founder has to" in said
    for part in ("عدد السجلات", "- Number of records", "- x: y", "- and 1 more"):
        assert part in said
    assert "x: w" not in said
    assert identifier not in said


def test_hours_of_the_week_are_riyadhs_and_days_count_from_its_sunday() -> None:
    show, out = showing(None)
    show.at(3, "13:05")
    show.later(minutes=10)
    show.tell("released", person="founder-1")
    assert "Wed 13:15" in out.getvalue()
    assert show.date() == "2026-03-11"
    assert show.date(days=90) == "2026-06-09"
