"""The recursive network: its cell by hand, the tree against a slow one, causality, padding, and what it learns."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from recsys_core.contracts import PAD, QueryBatch, Ragged, RunContext
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.errors import CannotScore
from recsys_core.explain.tree import tree
from recsys_core.explain.view import ViewRequest
from recsys_core.models.nets.recursive import Compose, Nodes, SessionTree, session_starts
from recsys_core.models.recursive import MINUTE, Recursive, RecursiveConfig
from recsys_core.training.losses import make_loss
from tests.contract.cases import asking
from tests.nets import assert_learns_a_chain, assert_looks_back_only, assert_overfits
from tests.worlds import markov_chain

ITEMS, WIDTH = 12, 8


class OfTokens(nn.Module):
    """The network with tokens alone: sessions have three items."""

    def __init__(self, net: SessionTree, items: int) -> None:
        super().__init__()
        self.net, self.n_items = net, items
        self.items = net.items

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != self.n_items).sum(dim=1)
        starts = session_starts(lengths, None, tokens.shape[1], gap=1.0, most=3, no_time=NO_TIMESTAMP)
        found: Tensor = self.net(tokens, starts, lengths)
        return found


def net_of(items: int = ITEMS, width: int = WIDTH) -> SessionTree:
    torch.manual_seed(0)
    net = SessionTree(items, width, dropout=0.0)
    nn.init.normal_(net.items.weight[:items].detach())
    return net.eval()


def test_every_place_says_something_of_the_width_and_padding_nothing() -> None:
    net = OfTokens(net_of(), ITEMS)
    tokens = torch.tensor([[3, 1, 4, 1, 5], [9, 2, ITEMS, ITEMS, ITEMS]])
    said = net(tokens)
    assert said.shape == (2, 5, WIDTH)
    assert (said[1, 2:] == 0).all()
    assert (said[1, :2] != 0).any()


def test_one_parent_by_hand() -> None:
    """D = 1, all weights 1 and no bias, children with states 0.5 and -0.5 and memories 2 and 1: every sum is 0.

    i = f_l = f_r = o = 1/2 and g = 0, so c = (2 + 1) / 2 = 1.5 and h = tanh(1.5) / 2 = 0.452574.
    """
    cell = Compose(1)
    for weight in (cell.left.weight, cell.right.weight):
        nn.init.ones_(weight)
    nn.init.zeros_(cell.right.bias)
    one, two = (Nodes(torch.tensor([[h]]), torch.tensor([[c]])) for h, c in ((0.5, 2.0), (-0.5, 1.0)))
    parent = cell(one, two)
    assert float(parent.memory.detach()) == pytest.approx(1.5)
    assert float(parent.state.detach()) == pytest.approx(0.452574, abs=1e-6)


def slow_root(net: SessionTree, sessions: list[list[int]]) -> Tensor:
    """Join a history node by node, as the formulas say."""
    cell, nothing = net.cell, Nodes(torch.zeros(1, WIDTH), torch.zeros(1, WIDTH))
    person = before = nothing
    for session in sessions:
        node = nothing
        for item in session:
            vector = net.items.weight[item][None]
            node = cell(node, Nodes(vector, vector))
        before, person = person, cell(person, node)
    return cell(before, node).state[0]


def test_all_prefixes_in_one_pass_are_those_joined_node_by_node() -> None:
    """Histories and sessions of different lengths: each position as if its prefix were alone."""
    net, rng = net_of(), np.random.default_rng(3)
    lengths = torch.tensor([9, 1, 6])
    tokens = torch.from_numpy(rng.integers(0, ITEMS, (3, 9)))
    starts = torch.from_numpy(rng.random((3, 9)) < 0.4)
    starts[:, 0] = True
    read = torch.arange(9) < lengths.unsqueeze(1)
    with torch.no_grad():
        roots = net.levels(tokens[read], starts[read], lengths)[2].state
        row = 0
        for person in range(3):
            for end in range(1, int(lengths[person]) + 1):
                opened = np.flatnonzero(starts[person, :end])
                sessions = [part.tolist() for part in np.split(tokens[person, :end].numpy(), opened[1:])]
                assert_allclose(roots[row], slow_root(net, sessions), atol=1e-6)
                row += 1


def test_sessions_end_after_a_gap_or_when_they_are_full() -> None:
    times = torch.tensor([[*(minute * MINUTE for minute in (0, 10, 50, 51, 52, 53)), NO_TIMESTAMP]])
    settings = {"n_steps": 7, "gap": 30.0 * MINUTE, "most": 3, "no_time": NO_TIMESTAMP}
    found = session_starts(torch.tensor([7]), times, **settings)  # type: ignore[arg-type]
    assert_array_equal(found[0], [True, False, True, False, False, True, False])
    bare = session_starts(torch.tensor([5]), None, **settings)  # type: ignore[arg-type]
    assert_array_equal(bare[0], [True, False, False, True, False, False, False])


def test_what_comes_later_and_padding_change_nothing() -> None:
    assert_looks_back_only(OfTokens(net_of(), ITEMS), ITEMS)


def test_eight_sequences_can_be_learned_by_heart() -> None:
    assert_overfits(OfTokens(net_of(items=30, width=32), 30), 30, make_loss("softmax"))


@pytest.mark.slow
def test_a_chain_is_learned_and_chance_is_not() -> None:
    assert_learns_a_chain("recursive", session_items=4, epochs=15)


def trained(**settings: object) -> Recursive:
    model = Recursive(RecursiveConfig.parse({"embedding_dim": 8, "epochs": 2, "session_items": 3} | settings))
    model.fit(markov_chain(users=40, steps=8).train, RunContext())
    return model


def test_the_tree_of_a_history_has_its_sessions_and_the_lengths_of_its_nodes() -> None:
    model = trained()
    found = model.tree(asking([[0, 1, 2, 3, 4]]))
    assert_array_equal(found.items, [0, 1, 2, 3, 4])
    assert_array_equal(found.session, [0, 0, 0, 1, 1])
    net: SessionTree = model.net  # type: ignore[assignment]
    assert_allclose(found.item_norms, net.items.weight[:5].norm(dim=1).detach(), rtol=1e-6)
    assert len(found.session_norms) == 2
    state = slow_root(net, [[0, 1, 2], [3, 4]])
    assert found.person_norm == pytest.approx(float(state.norm().detach()), rel=1e-5)


def test_times_part_a_history() -> None:
    model, rows = trained(session_gap=10.0, session_items=50), Ragged.from_rows([[0, 1, 2, 3]])
    times = np.array([0, 5, 60, 61]) * MINUTE
    query = QueryBatch(np.array([PAD]), rows, np.ones(4, dtype=np.float32), times)
    assert_array_equal(model.tree(query).session, [0, 0, 1, 1])
    bare = QueryBatch(query.user, rows, query.values)
    assert_array_equal(model.tree(bare).session, [0, 0, 0, 0])
    assert not np.allclose(model.score(query), model.score(bare))


def test_no_older_item_moves_up_into_the_window_when_one_is_left_out() -> None:
    """Four of six items are read, as two sessions; without one of the latest, three."""
    model, history = trained(max_length=4), [9, 8, 3, 1, 4, 5]
    table = tree(ViewRequest(model, markov_chain(users=40, steps=8).train, asking([history]), 7)).table
    full = model.score(asking([history[2:]]))[0, 7]
    effects = table[table["level"] == "item"].set_index("item")["weight"]
    assert effects.index.tolist() == [5, 4, 1, 3]
    for item in effects.index:
        rest = [other for other in history[2:] if other != item]
        assert effects[item] == pytest.approx(full - model.score(asking([rest]))[0, 7], abs=1e-6)
        assert abs(effects[item] - (full - model.score(asking([[9, 8, *rest]]))[0, 7])) > 1e-5


def test_without_a_history_there_is_no_tree() -> None:
    with pytest.raises(CannotScore, match="no history"):
        trained().tree(asking([[]]))
