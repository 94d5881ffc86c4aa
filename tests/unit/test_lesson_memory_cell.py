"""Lesson 15 by hand, and its gates against torch."""

import math

import numpy as np
import pytest
import torch

from recsys_core.explain.gates import unrolled
from tests.lessons import numbers_of, scene_of


def test_two_clicks_by_hand() -> None:
    """z = 1/2, r = sigma(2). Comet: n = tanh 2, h = n / 2. Fjord: space n = tanh(r h), coast n = tanh 2."""
    numbers = numbers_of("gates", "step")
    first = math.tanh(2) / 2
    reset = 1 / (1 + math.exp(-2))
    assert numbers.update[0] == pytest.approx((0.5,) * 3)
    assert numbers.reset[0] == pytest.approx((reset,) * 3)
    assert numbers.states[0] == pytest.approx((first, 0, 0))
    assert numbers.candidates[1] == pytest.approx((math.tanh(reset * first), math.tanh(2), 0))
    assert numbers.states[1] == pytest.approx((math.tanh(reset * first) / 2 + first / 2, math.tanh(2) / 2, 0))


@pytest.mark.parametrize(("bias", "answer"), [(-2, "little"), (0, "half"), (2, "most")])
def test_the_bias_of_the_update_gate_decides_what_is_left(bias: int, answer: str) -> None:
    numbers = numbers_of("gates", "keep", update=bias)
    assert numbers.states[1][0] / numbers.states[0][0] == pytest.approx(1 / (1 + math.exp(-bias)), abs=0.01)
    assert scene_of("gates", "keep", update=bias).answer == answer


def test_grove_clears_the_other_entries() -> None:
    numbers = numbers_of("gates", "reset")
    assert max(map(abs, numbers.states[2][:2])) < 0.002
    assert numbers.states[2][2] == pytest.approx(math.tanh(2), abs=0.001)
    assert scene_of("gates", "reset").answer == "only"


def test_a_gate_that_keeps_writes_hardly_anything() -> None:
    """After one click 0.018 tanh 2; the last state before Grove is still below 0.05."""
    numbers = numbers_of("gates", "shut")
    assert numbers.states[0][0] == pytest.approx(math.tanh(2) / (1 + math.exp(4)))
    assert scene_of("gates", "shut").answer == "nothing"


def test_the_order_before_a_reset_is_forgotten_and_after_it_is_not() -> None:
    assert scene_of("gates", "order").answer == "same"
    assert scene_of("gates", "order", order=(2, 0, 1, 3, 4)).answer == "changes"


def test_candidates_are_those_of_torch() -> None:
    """h = (1 - z) n + z h_(t-1), with the states of torch."""
    torch.manual_seed(0)
    layer = torch.nn.GRU(3, 3, batch_first=True).double()
    weights = {name.removesuffix("_l0"): value.detach().numpy() for name, value in layer.named_parameters()}
    inputs = torch.randn(1, 4, 3, dtype=torch.float64)
    found = unrolled("gru", weights, inputs[0].numpy())
    np.testing.assert_allclose(found.states, layer(inputs)[0][0].detach().numpy(), atol=1e-12)
    before = np.vstack([np.zeros(3), found.states[:-1]])
    z = found.gates["update_gate"]
    np.testing.assert_allclose(found.states, (1 - z) * found.candidates + z * before, atol=1e-12)
