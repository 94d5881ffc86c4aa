"""A strategy in a URL: it reads back, and what is no strategy is refused whatever its size."""

import base64
import zlib

import numpy as np
import pytest

from recsys_core.errors import ConfigError
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.link import LONGEST_CODE, read, written
from tests.property.test_strategy_rules import random_strategy
from tests.shops import SIX, strategy


def coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def test_random_strategies_read_back() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        own = random_strategy(rng)
        code = written(own)
        assert code is not None
        assert read(code) == own


def test_a_link_has_no_name_and_keeps_what_is_off() -> None:
    own = strategy(*SIX, {"kind": "mmr", "weight": 0.1, "on": False}, name="Secret")
    code = written(own)
    assert code is not None
    assert len(code) < 600
    assert read(code) == own.model_copy(update={"name": ""})


def test_too_many_cards_have_no_link() -> None:
    rng = np.random.default_rng(0)
    pins = [{"kind": "pin", "item": rng.bytes(20).hex()} for _ in range(80)]
    assert written(strategy(*pins)) is None


@pytest.mark.parametrize(
    "code",
    [
        "", "!", "x" * (LONGEST_CODE + 1), coded(b"[1]"), coded(b"{"), coded(b'{"cards":[{"kind":"no"}]}'),
        coded(b" " * 1_500_000), coded(b"[" * 100_000), coded(b"{}")[:-3], coded(b'{"k":5,"pool":2}'),
        coded("é".encode("latin-1")),
    ],
)  # fmt: skip
def test_what_is_no_strategy_is_refused(code: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read; they are ignored"):
        read(code)


def test_an_empty_strategy_reads_back() -> None:
    assert read(written(Strategy()) or "") == Strategy()
