"""The recurrent network: its cells equal torch's; causality, padding, and what it learns."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from recsys_core.contracts import RunContext
from recsys_core.errors import ConfigError
from recsys_core.models.nets.rnn import CellName, RecurrentNet
from recsys_core.models.registry import model_class
from recsys_core.models.rnn import Rnn, RnnConfig
from recsys_core.training.losses import make_loss
from tests.contract.cases import asking
from tests.nets import assert_learns_a_chain, assert_looks_back_only, assert_overfits
from tests.worlds import markov_chain

CELLS: list[CellName] = ["rnn", "gru", "lstm"]
ITEMS, WIDTH = 12, 8


def net_of(cell: CellName, *, layers: int = 1, items: int = ITEMS, width: int = WIDTH) -> RecurrentNet:
    torch.manual_seed(0)
    return RecurrentNet(items, width, cell=cell, n_layers=layers).eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_every_place_says_something_of_the_width(cell: CellName, layers: int) -> None:
    assert net_of(cell, layers=layers)(torch.zeros((3, 5), dtype=torch.int64)).shape == (3, 5, WIDTH)


@pytest.mark.parametrize("cell", CELLS)
def test_a_copied_torch_layer_gives_the_same_output(cell: CellName) -> None:
    """The layer is computed step by step with torch's single-step cell and the weights of the network."""
    net = net_of(cell)
    single = {"rnn": torch.nn.RNNCell, "gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}[cell](WIDTH, WIDTH)
    single.load_state_dict({name.removesuffix("_l0"): weight for name, weight in net.reader.state_dict().items()})
    tokens = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    said, state = net(tokens), None
    for place, token in enumerate(tokens[0]):
        state = single(net.items(token[None]), state)
        memory = state[0] if cell == "lstm" else state
        assert_allclose(said[0, place].detach(), net.out(memory)[0].detach(), atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_what_comes_later_and_padding_change_nothing(cell: CellName) -> None:
    assert_looks_back_only(net_of(cell, layers=2), ITEMS)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_eight_sequences_can_be_learned_by_heart(cell: CellName) -> None:
    assert_overfits(net_of(cell, items=30, width=32), 30, make_loss("softmax"))


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_a_chain_is_learned_and_chance_is_not(cell: CellName) -> None:
    assert_learns_a_chain("rnn", cell=cell)


def test_a_longer_window_reads_more() -> None:
    world = markov_chain(users=40, steps=8)
    model = Rnn(RnnConfig(embedding_dim=8, max_length=3, epochs=2))
    model.fit(world.train, RunContext())
    one, two = model.score(asking([[0, 1, 2, 3, 4], [9, 9, 2, 3, 4]]))
    assert_allclose(one, two, atol=1e-6)
    assert not np.allclose(*model.score(asking([[0, 1, 2], [9, 1, 2]])))


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(ConfigError, match="cell"):
        model_class("rnn").config_type.parse({"cell": "quantum"})
