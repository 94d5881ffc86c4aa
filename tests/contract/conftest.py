"""Every test of the contract that asks for `key` runs once for each model of the registry."""

import pytest

from tests.contract.cases import KEYS


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)
