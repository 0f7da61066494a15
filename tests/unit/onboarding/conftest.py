from __future__ import annotations

import pytest

from services.onboarding.domain.catalog import Catalog, load_catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()
