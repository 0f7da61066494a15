from __future__ import annotations

import pytest

from services.support.domain.policy import Policies, load_policies


@pytest.fixture(scope="session")
def policy() -> Policies:
    return load_policies()
