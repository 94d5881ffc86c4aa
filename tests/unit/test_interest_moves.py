"""Points of interest: their selection, the graph they move on, the walk, and the policy that learns by reward."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import Ragged
from recsys_core.data.ingest import load_file
from recsys_core.models.interest_graph import FOLDS, ItemGraph, fold_of, graphs_without, item_graph, most_popular
from recsys_core.models.nets.interest import InterestNet, InterestParts, InterestShape, every_place, ungrouped
from recsys_core.models.nets.interest_moves import rank_reward, reinforce_loss
from tests.worlds import markov_chain

ITEMS = 12


def net_of(
    *, items: int = ITEMS, awake: bool = False, histories: Ragged | None = None, neighbours: int = 4, **shape: Any
) -> InterestNet:
    """A net over random histories; `awake`: with all weights drawn, so that the updates have an effect."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    histories = histories or Ragged.from_rows([rng.permutation(items)[:8] for _ in range(60)])
    graph = item_graph(histories, items, neighbours)
    parts = InterestParts(
        torch.from_numpy(most_popular(histories, items, shape.get("points", 3))),
        torch.from_numpy(graph.neighbours),
        torch.from_numpy(graph.chances),
    )
    given = {
        "embedding_dim": 8, "dropout": 0.0, "generator": "mixed", "points": 3, "point_state": "mlp", "memory": 5,
        "local": "walk", "local_steps": 2, "whole": True,
    } | shape  # fmt: skip
    net = InterestNet(items, InterestShape(**given), parts, seed=5).eval()
    if awake:
        with torch.no_grad():
            for weight in net.parameters():
                weight.normal_(std=0.4)
            net.items.weight[-1] = 0.0
    return net


@pytest.mark.public_data
def test_a_graph_without_the_own_history_predicts_no_next_item_by_leak(public_data: Callable[[str], Path]) -> None:
    """ML-100K: share of next items among the ten neighbors of the item before, with and without the own history."""
    data = load_file(public_data("ml-100k/u.data"))
    histories = data.histories()
    whole, without = item_graph(histories, data.n_items, 10), graphs_without(histories, data.n_items, 10)

    def share(graphs: list[ItemGraph]) -> float:
        folds = fold_of(np.arange(len(histories)), len(graphs))
        hits = [
            (graphs[fold].neighbours[row[:-1]] == row[1:, None]).any(axis=1)
            for fold, row in zip(folds, histories, strict=True)
        ]
        return float(np.concatenate(hits).mean())

    assert share([whole]) == pytest.approx(0.1633, abs=5e-4)
    assert share(without) == pytest.approx(0.1155, abs=5e-4)


def test_the_graph_by_hand() -> None:
    """0-1 co-occur closely three times and 1-2 twice; 2-3 once, which does not count; 4 is isolated."""
    rows = [[0, 1], [1, 0, 5, 6, 7, 2], [0, 1, 2], [2, 1], [2, 3], [4]]
    graph = item_graph(Ragged.from_rows(rows), 10, 2)
    assert graph.neighbours[1].tolist() == [0, 2]
    shares = np.array([2 / np.sqrt(3 * 4), 1 / np.sqrt(4 * 4)])
    assert_allclose(graph.chances[1], shares / shares.sum(), rtol=1e-6)
    assert graph.neighbours[2].tolist() == [1, 2]
    assert graph.chances[2].tolist() == [1.0, 0.0]
    for alone in (3, 4):
        assert graph.neighbours[alone].tolist() == [alone, alone]
        assert graph.chances[alone].tolist() == [1.0, 0.0]
    assert most_popular(Ragged.from_rows(rows), 10, 3).tolist() == [1, 2, 0]


def test_the_graph_of_a_training_example_has_no_edge_of_its_own_user() -> None:
    """Only the third user goes from 0 to 1, repeatedly; the others go from 0 to 2."""
    rows = [[0, 2], [2, 0], [0, 1, 0, 1, 0, 1], [0, 2], [2, 0]]
    whole, without = item_graph(Ragged.from_rows(rows), 4, 1), graphs_without(Ragged.from_rows(rows), 4, 1, folds=5)
    assert whole.neighbours[0].tolist() == [1]
    own = without[fold_of(np.array([2]), folds=5)[0]]
    assert own.neighbours[0].tolist() == [2]
    assert own.neighbours[1].tolist() == [1]
    for fold, graph in enumerate(without):
        rest = Ragged.from_rows([[] if user % 5 == fold else row for user, row in enumerate(rows)])
        expected = item_graph(rest, 4, 1)
        assert_array_equal(graph.neighbours, expected.neighbours)
        assert_allclose(graph.chances, expected.chances, rtol=1e-6)


def test_in_training_the_next_item_is_no_likelier_a_neighbor_than_by_chance() -> None:
    """In histories without any order, 10 of 59 items are neighbors; a graph of all histories knows the next item."""
    rng, items, size = np.random.default_rng(0), 60, 10
    rows = [rng.permutation(items)[:20] for _ in range(200)]
    histories = Ragged.from_rows(rows)
    graphs = graphs_without(histories, items, size)
    chance = size / (items - 1)

    def share(graph_of: Callable[[int], ItemGraph]) -> float:
        found = [graph_of(user).neighbours[row[:-1]] == row[1:, None] for user, row in enumerate(rows)]
        return float(np.concatenate(found).any(axis=1).mean())

    whole = item_graph(histories, items, size)
    assert share(lambda user: whole) > 1.2 * chance
    assert share(lambda user: graphs[user % FOLDS]) == pytest.approx(chance, rel=0.06)


def test_the_generators_choose_points_by_hand() -> None:
    """After 9, 4, 6, 1: popular ones; the nearest of 1, 6 and 4; the 1st, 2nd and 3rd quarter of the history.

    After 9 alone its three nearest, and three times itself.
    """
    net = net_of()
    tokens = torch.tensor([[9, 4, 6, 1, 12, 12]])
    points = net.chosen(tokens, torch.tensor([[[3]]]))[0, 0, 0].tolist()
    near = net.neighbours
    assert points == [*net.popular.tolist(), near[1, 0], near[6, 0], near[4, 0], 9, 4, 6]
    first = net.chosen(tokens, torch.tensor([[[0]]]))[0, 0, 0].tolist()
    assert first == [*net.popular.tolist(), *near[9, :3].tolist(), 9, 9, 9]
    assert net.origins().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_attention_by_the_formula() -> None:
    """tanh(theta . (W s_i * h_v)) for the steps in memory, 0 for the others."""
    net = net_of(awake=True)
    tokens = torch.randint(0, ITEMS, (2, 9))
    with torch.no_grad():
        states = net.states(tokens)
        around = net.surroundings(tokens, states, torch.full((2, 1, 1), 7))
        points = torch.tensor([3, 5]).expand(2, 1, 1, 2)
        found = net.attention(around, points)[:, 0, 0]
        for row in range(2):
            for place, step in enumerate(around.steps[row, 0].tolist()):
                for number, item in enumerate((3, 5)):
                    state = net.point_state(net.items.weight)[item]
                    by_hand = torch.tanh((net.theta * (net.query.weight @ states[row, step]) * state).sum())
                    assert_allclose(found[row, number, place], by_hand, atol=1e-5)
        assert around.steps[0, 0].tolist() == [3, 4, 5, 6, 7]


def test_a_step_of_a_walk_never_lowers_the_attention_mass() -> None:
    net = net_of(awake=True, local_steps=4)
    tokens = torch.randint(0, ITEMS, (20, 18))
    with torch.no_grad():
        look = net.look(tokens, net.states(tokens), every_place(tokens))
        mass = [net.mass(look.around, some) for some in (look.start, *(move.after for move in look.moves))]
    for before, after in pairwise(mass):
        assert (after >= before).all()
    assert (mass[-1] > mass[0]).float().mean() > 0.3
    for before, move in zip([look.start, *(move.after for move in look.moves)], look.moves, strict=False):
        assert_array_equal(move.after, torch.where(move.accepted, move.proposed, before))
        assert (net.neighbours[before] == move.proposed.unsqueeze(-1)).any(dim=-1).all()


def test_a_walk_draws_neighbours_by_their_chances() -> None:
    """Over many points and seeds, the share of each neighbor is its probability, as with a generator."""
    net, many = net_of(), 4000
    assert net.walk is not None
    ways, chances = net.neighbours[0], net.walk.chances[0]
    assert 0 < chances[-1] < chances[0] < 1
    points = torch.zeros((1, 1, 1, many), dtype=torch.int64)
    drawn = [
        net.walk(points, ways.expand(*points.shape, -1), 0, generator)[0].flatten()
        for generator in (None, torch.Generator().manual_seed(1))
    ]
    one, seeds = points[..., :1], []
    for seed in range(many):
        net.walk.seed = seed
        seeds.append(net.walk(one, ways.view(1, 1, 1, 1, -1), 1, None)[0].flatten())
    for found in (*drawn, torch.cat(seeds)):
        for neighbour, chance in zip(ways.tolist(), chances.tolist(), strict=True):
            share = float((found == neighbour).float().mean())
            assert abs(share - chance) < 4 * (chance * (1 - chance) / many) ** 0.5


def test_steps_and_points_on_the_same_item_draw_apart() -> None:
    net = net_of()
    assert net.walk is not None
    points = torch.arange(ITEMS).view(1, 1, -1, 1).expand(-1, -1, -1, 50)
    first, second = (net.walk(points, net.neighbours[points], step, None)[0] for step in (0, 1))
    for one, other in ((first, second), (first[..., :-1], first[..., 1:])):
        assert 0.2 < float((one == other).float().mean()) < 0.6


@pytest.mark.parametrize("gone", range(9))
def test_an_item_left_out_changes_no_draw_of_a_point_where_it_was(gone: int) -> None:
    """The last position, with the full history and without one item: points on the same item move alike.

    Popular points always start in the same place.
    """
    net, tokens = net_of(awake=True, local_steps=4), torch.randint(0, ITEMS, (3, 10))
    fewer = torch.cat([tokens[:, :gone], tokens[:, gone + 1 :]], dim=1)
    with torch.no_grad():
        whole, rest = (
            net.look(some, net.states(some), torch.full((3, 1, 1), some.shape[1] - 1)) for some in (tokens, fewer)
        )
    before, since = whole.start, rest.start
    assert_array_equal(before[..., :3], since[..., :3])
    for one, other in zip(whole.moves, rest.moves, strict=True):
        stayed = before == since
        assert stayed.any()
        assert_array_equal(one.proposed[stayed], other.proposed[stayed])
        before, since = one.after, other.after


def test_another_seed_walks_elsewhere() -> None:
    net, tokens = net_of(awake=True), torch.randint(0, ITEMS, (8, 12))
    assert net.walk is not None
    first = net(tokens)
    net.walk.seed = 6
    assert not torch.allclose(net(tokens), first)


def test_the_reward_is_1_at_the_top_and_0_at_the_bottom() -> None:
    vectors = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    found = rank_reward(torch.ones(4, 1), vectors, torch.tensor([3, 2, 1, 0]))
    assert_allclose(found, 1 - np.log([1, 2, 3, 4]) / np.log(4), atol=1e-6)


def test_the_gradient_of_reinforce_is_that_of_the_expected_reward() -> None:
    """For one action of three: the mean surrogate over all actions, by probability, against finite differences."""
    logits = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64, requires_grad=True)
    reward = torch.tensor([0.2, 0.9, 0.5], dtype=torch.float64)

    def expected(values: torch.Tensor) -> torch.Tensor:
        return (values.softmax(0) * (reward - 0.4)).sum()

    logs = logits.log_softmax(0)
    shares = logits.detach().softmax(0)
    surrogate = sum(shares[a] * reinforce_loss(logs[a].view(1, 1), reward[a : a + 1] - 0.4) for a in range(3))
    (found,) = torch.autograd.grad(torch.as_tensor(surrogate), logits)
    for place in range(3):
        shift = torch.zeros(3, dtype=torch.float64)
        shift[place] = 1e-6
        slope = (expected(logits.detach() + shift) - expected(logits.detach() - shift)) / 2e-6
        assert float(-found[place]) == pytest.approx(float(slope), abs=1e-8)


def test_the_policy_alone_learns_from_the_surrogate() -> None:
    net = net_of(awake=True, local="reinforce")
    tokens = torch.randint(0, ITEMS, (6, 9))
    look = net.look(tokens, net.states(tokens), every_place(tokens), torch.Generator().manual_seed(0))
    mask = torch.ones_like(tokens, dtype=torch.bool)
    net.policy_loss(look, tokens, mask, tokens.flatten()).backward()
    moved = {name for name, weight in net.named_parameters() if weight.grad is not None and weight.grad.abs().sum() > 0}
    assert moved == {"policy.query.weight"}


@pytest.mark.parametrize("whole", [True, False])
def test_moves_that_lead_nowhere_are_neither_rewarded_nor_punished(whole: bool) -> None:
    """Where every item is its own only neighbor, the reward is that of points that stay: the policy learns nothing.

    The same holds in training, where dropout differs each time.
    """
    alone = Ragged.from_rows([[item] for item in range(ITEMS)])
    net = net_of(awake=True, local="reinforce", histories=alone, dropout=0.5, whole=whole).train()
    tokens = torch.randint(0, ITEMS, (6, 9))
    look = net.look(tokens, net.states(tokens), every_place(tokens), torch.Generator().manual_seed(0))
    loss = net.policy_loss(look, tokens, torch.ones_like(tokens, dtype=torch.bool), tokens.flatten())
    assert float(loss.detach()) == 0.0


@pytest.mark.parametrize("local", ["walk", "reinforce"])
def test_training_begins_at_the_plain_model(local: str) -> None:
    net = net_of(local=local)
    tokens = torch.randint(0, ITEMS, (4, 9))
    with torch.no_grad():
        assert_array_equal(net(tokens), net.states(tokens))


def test_reinforce_improves_its_reward_on_the_markov_world() -> None:
    """Everything else is fixed: points pull the interest towards them, so moving near the next item pays off."""
    world = markov_chain(users=150, loyalty=1.0)
    histories = world.train.histories()
    tokens = torch.from_numpy(np.stack(list(histories)))
    read, target = tokens[:, :-1], tokens[:, 1:].flatten()
    net = net_of(
        items=20, histories=histories, local="reinforce", generator="history", points=1, local_steps=1,
        embedding_dim=20,
    )  # fmt: skip
    with torch.no_grad():  # states are those of the item just read, items are distinguishable, points enter unchanged
        net.items.weight[:20] = torch.eye(20) * 4
        net.from_points.weight.copy_(torch.eye(20))
        net.from_steps.weight.zero_()
    for name, weight in net.named_parameters():
        weight.requires_grad_(name.startswith("policy"))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    mask, generator = torch.ones_like(read, dtype=torch.bool), torch.Generator().manual_seed(0)

    def reward() -> float:
        return float(rank_reward(net(read).flatten(0, 1), net.items.weight[:-1], target).mean())

    def drawn() -> float:
        look = net.look(read, net.states(read), every_place(read), torch.Generator().manual_seed(1))
        hidden = ungrouped(look.hidden, read).flatten(0, 1)
        return float(rank_reward(hidden, net.items.weight[:-1], target).mean())

    with torch.no_grad():
        stayed, by_chance = reward(), drawn()
    for _ in range(60):
        look = net.look(read, net.states(read), every_place(read), generator)
        optimizer.zero_grad()
        net.policy_loss(look, read, mask, target).backward()
        optimizer.step()
    with torch.no_grad():
        learned, sure = drawn(), reward()
    assert learned > by_chance + 0.05
    assert sure > max(stayed, by_chance) + 0.05
