"""Phrases combine: what is said of an event holds whichever words name the event, and whichever the wrong in it."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from services.support.domain.classifier import Classifier
from tests.classifier.labelled import DATA

PRODUCTS: list[dict[str, Any]] = [
    product
    for name in ("products", "products_2", "products_3")
    for product in tomllib.loads((DATA / f"{name}.toml").read_text(encoding="utf-8"))["product"]
]


def texts(product: dict[str, Any]) -> Iterator[str]:
    """Every template with every combination of the items that it has a place for."""
    for template in product["templates"]:
        lists = {name: items for name, items in product["lists"].items() if "{" + name + "}" in template}
        for items in itertools.product(*lists.values()):
            yield template.format(**dict(zip(lists, items, strict=True)))


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product["name"])
def test_nearly_every_combination_has_its_priority(classifier: Classifier, product: dict[str, Any]) -> None:
    verdicts = [(text, classifier.classify(text).priority) for text in texts(product)]
    wrong = [text for text, priority in verdicts if priority not in product["priorities"]]
    assert len(wrong) <= (1 - product["least"]) * len(verdicts), wrong[:20]
