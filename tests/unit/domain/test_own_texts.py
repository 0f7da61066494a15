"""What we ship to be said to customers makes no prohibited claim and is free of what cannot be shown."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.domain.claims import ClaimChecker, load_claims

SERVICES = Path(__file__).resolve().parents[3] / "services"
FILES = sorted(p for folder in ("texts", "catalog") for p in SERVICES.glob(f"*/{folder}/*.toml"))
CHECKER = ClaimChecker(load_claims())


def wordings(value: object, at: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a file with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from wordings(inner, f"{at}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from wordings(inner, f"{at}[{index}]")
    elif isinstance(value, str):
        yield at, value


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parts[-3]}/{p.name}")
def test_no_text_of_ours_makes_a_prohibited_claim(path: Path) -> None:
    texts = list(wordings(tomllib.loads(path.read_text(encoding="utf-8"))))
    assert texts
    assert {at: CHECKER.check(text) for at, text in texts if CHECKER.check(text)} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parts[-3]}/{p.name}")
def test_no_text_of_ours_holds_control_characters(path: Path) -> None:
    for at, text in wordings(tomllib.loads(path.read_text(encoding="utf-8"))):
        odd = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn") and c != "\n"]
        assert not odd, at
