"""Every contract test with the argument `key` runs once per model of the registry."""

import pytest

from tests.contract.cases import KEYS


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)
