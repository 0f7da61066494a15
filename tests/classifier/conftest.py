"""One classifier for the folder: it is immutable."""

from __future__ import annotations

import pytest

from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import load_lexicon


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier(load_lexicon())
