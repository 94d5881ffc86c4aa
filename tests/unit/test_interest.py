"""Interest attention: visibility, learning, the plain model inside it, and the trace of its stages."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import ModelInfo, RunContext, TracesAttention
from recsys_core.errors import CannotScore
from recsys_core.models.interest_attention import InterestAttention, InterestAttentionConfig
from recsys_core.models.interest_graph import fold_of, graphs_without, item_graph, most_popular
from recsys_core.models.nets.interest import HISTORY, POPULAR, SIMILAR, InterestNet, every_place, ungrouped
from recsys_core.models.nets.interest_moves import rank_reward
from recsys_core.models.rnn import Rnn, RnnConfig
from recsys_core.training.losses import make_loss
from recsys_core.training.plan import TrainingPlan
from tests.contract.cases import asking, tastes
from tests.nets import assert_learns_a_chain, assert_looks_back_only, assert_overfits
from tests.unit.test_interest_moves import ITEMS, net_of
from tests.worlds import markov_chain

SMALL: dict[str, Any] = {
    "embedding_dim": 16, "epochs": 20, "patience": 0, "dropout": 0.0, "learning_rate": 0.01, "points": 2, "memory": 6
}  # fmt: skip
OFF: dict[str, Any] = {"local_update": "none", "global_update": False}
KINDS: list[dict[str, Any]] = [
    {},
    {"local": "reinforce"},
    {"local": "none", "point_state": "lstm"},
    {"whole": False, "generator": "similar"},
    {"local": "none", "whole": False},
]


def model_of(settings: dict[str, Any] | None = None, *, seed: int = 42, **world: Any) -> InterestAttention:
    model = InterestAttention(InterestAttentionConfig.parse(SMALL | (settings or {})))
    model.fit(markov_chain(**{"users": 60, **world}).train, RunContext(seed=seed))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_gets_an_interest_of_the_width(kind: dict[str, Any]) -> None:
    tokens = torch.randint(0, ITEMS, (3, 21))
    assert net_of(**kind)(tokens).shape == (3, 21, 8)
    assert net_of(**kind)(tokens[:, :1]).shape == (3, 1, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_later_and_padding_change_nothing(kind: dict[str, Any]) -> None:
    assert_looks_back_only(net_of(awake=True, **kind), ITEMS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_eight_sequences_can_be_learned_by_heart(kind: dict[str, Any]) -> None:
    assert_overfits(net_of(items=30, embedding_dim=32, **kind), 30, make_loss("softmax"), steps=150)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"local_update": "reinforce"}, {"global_update": False}])
def test_a_chain_is_learned_and_chance_is_not(settings: dict[str, Any]) -> None:
    assert_learns_a_chain("interest_attention", points=2, memory=6, **settings)


@pytest.mark.parametrize("whole", [True, False])
def test_the_policy_improves_its_reward_while_the_model_is_fitted(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained with the rest, where Y and U start at 0: moves by the policy earn more reward than uniformly random
    moves, and than points that stay in place, all by the same trained network.

    Y and U learn at the full rate: in so small a world, the plain network would else know the next item before them.
    """
    monkeypatch.setattr("recsys_core.models.interest_attention.SLOWER", {})
    world = markov_chain(users=150)
    settings = {"local_update": "reinforce", "generator": "history", "points": 1, "local_steps": 1}
    model = InterestAttention(InterestAttentionConfig.parse(SMALL | settings | {"global_update": whole}))
    model.fit(world.train, RunContext())
    net = model.net
    assert isinstance(net, InterestNet)
    assert net.policy is not None
    tokens = torch.from_numpy(np.stack(list(world.train.histories())))
    read, target = tokens[:, :-1], tokens[:, 1:].flatten()

    def missed(*, moved: bool) -> float:
        """Return the difference between the best reward and the mean reward of 5 x 1350 positions."""
        assert isinstance(net, InterestNet)
        rewards = []
        for seed in range(5):
            look = net.look(read, net.states(read), every_place(read), torch.Generator().manual_seed(seed))
            interest = net._interest(look.around, look.start, look.moves if moved else [])
            hidden = ungrouped(interest.hidden, read).flatten(0, 1)
            rewards.append(float(rank_reward(hidden, net.items.weight[:-1], target).mean()))
        return 1 - float(np.mean(rewards))

    with torch.no_grad():
        learned, stayed = missed(moved=True), missed(moved=False)
        torch.nn.init.zeros_(net.policy.query.weight)
        by_chance = missed(moved=True)
    assert learned < 0.3 * by_chance
    assert learned < 0.3 * stayed


@pytest.mark.parametrize(
    ("settings", "slower"),
    [({}, {"from_points", "from_steps"}), ({"global_update": False}, {"from_points"}), (OFF, set())],
)
def test_only_what_attention_adds_takes_smaller_steps(settings: dict[str, Any], slower: set[str]) -> None:
    model = model_of(settings)
    parts = {name.partition(".")[0] for name, _ in model.net.named_parameters()}
    plan = model.plan()
    assert {part for part in parts if plan.slower.get(part, 1.0) < 1.0} == slower
    assert (plan.smoothing > TrainingPlan.smoothing) == bool(slower)


def test_with_both_updates_off_it_is_the_plain_model() -> None:
    """With the same seed, the recurrent network under this name gives bitwise equal scores."""

    class Plain(Rnn):
        info: ClassVar[ModelInfo] = InterestAttention.info

    train = markov_chain(users=60, loyalty=0.7).train
    shared = {"epochs": 6, "embedding_dim": 16, "dropout": 0.2, "learning_rate": 0.01, "batch_size": 32, "patience": 5}
    plain = Plain(RnnConfig.parse({**shared, "cell": "gru", "n_layers": 1}))
    mine = InterestAttention(InterestAttentionConfig.parse({**shared, **OFF}))
    for model in (plain, mine):
        model.fit(train, RunContext(seed=3))
    assert_array_equal(mine.score(train.queries()), plain.score(train.queries()))
    with pytest.raises(CannotScore, match="both off"):
        mine.trace(train.queries(np.array([0])))


@pytest.mark.parametrize("settings", [{}, {"local_update": "reinforce"}, {"local_update": "none"}])
def test_the_part_of_the_plain_model_is_that_of_the_trace(settings: dict[str, Any]) -> None:
    """The updates add exactly the trace's weights on the states and on the vectors of the points."""
    model, query = model_of(settings), markov_chain(users=60).train.queries(np.array([4]))
    found, net = model.trace(query), model.net
    assert isinstance(net, InterestNet)
    details = {name: torch.from_numpy(np.array(array)) for name, array in found.details.items()}
    with torch.no_grad():
        states = net.states(torch.from_numpy(found.tokens)[None])[0]
        past = net.from_steps(details["history_weights"] @ states)
        wanted = net.from_points(details["point_weights"] @ net.items(details["point_items"][-1]))
        scores = (details["state"] + past + wanted) @ net.items.weight[:-1].T
        assert_allclose(details["interest"], details["state"] + past + wanted, atol=1e-4)
    assert_allclose(scores, model.score(query)[0], atol=1e-3)
    assert_allclose(found.next_scores[-1], np.sort(model.score(query)[0])[::-1][:5], atol=1e-3)


@pytest.mark.parametrize("settings", [{}, {"local_update": "reinforce"}, {"global_update": False}])
def test_the_trace_tells_the_stages(settings: dict[str, Any]) -> None:
    train = tastes(users=30, items=60)
    model = InterestAttention(InterestAttentionConfig.parse(SMALL | {"epochs": 3} | settings))
    model.fit(train, RunContext())
    assert isinstance(model, TracesAttention)
    found = model.trace(train.queries(np.array([5])))
    told, steps, points, items = found.details, 2, 6, len(found.tokens)
    assert found.weights.shape == (1, 1, items, items)
    assert_allclose(found.weights.sum(axis=-1), 1.0, atol=1e-5)
    assert np.triu(found.weights[0, 0], 1).max() == 0.0
    assert_allclose(found.weights[0, 0, -1], told["history_weights"], atol=1e-5)
    assert told["origin"].tolist() == [POPULAR] * 2 + [SIMILAR] * 2 + [HISTORY] * 2
    assert told["point_items"].shape == told["mass"].shape == (steps + 1, points)
    assert told["attention"].shape == (steps + 1, items, points)
    assert told["final"].shape == (items + points,)
    assert told["candidate_items"].shape == told["chances"].shape
    assert_allclose(told["chances"].sum(axis=-1), 1.0, atol=1e-5)
    went = np.where(told["accepted"], told["proposed_items"], told["point_items"][:-1])
    assert_array_equal(told["point_items"][1:], went)
    assert_array_equal(told["attention"][:, : items - 6], 0.0)  # beyond the memory
    assert_allclose(told["mass"], told["attention"][:, -6:].mean(axis=1), atol=1e-6)
    if model.config.global_update:
        assert_allclose(told["point_weights"].sum(), 1.0, atol=1e-5)
        raised = np.exp(told["sharpness"][0] * told["attention"][-1, -6:].mean(axis=1))
        assert_allclose(told["history_weights"][-6:], raised / raised.sum(), atol=1e-5)
        raised = np.exp(told["sharpness"][1] * told["mass"][-1])
        assert_allclose(told["point_weights"], raised / raised.sum(), atol=1e-5)
    else:
        assert_allclose(told["point_weights"], told["attention"][-1, -1] / points, atol=1e-6)


def test_zeroed_query_weights_give_uniform_rows() -> None:
    model, query = model_of({"memory": 50}), markov_chain(users=60).train.queries(np.array([4]))
    assert isinstance(model.net, InterestNet)
    assert model.trace(query).weights[0, 0].std() > 0.05
    torch.nn.init.zeros_(model.net.query.weight)
    count = len(query.history[0])
    even = np.tri(count) / np.arange(1, count + 1)[:, None]
    assert_allclose(model.trace(query).weights[0, 0], even, atol=1e-6)
    assert_allclose(model.trace(query).details["point_weights"], 1 / 6, atol=1e-6)


@pytest.mark.parametrize("local", ["walk", "reinforce"])
def test_a_person_gets_one_answer_whoever_else_asks(local: str) -> None:
    model = model_of({"local_update": local})
    alone = asking([[3, 7, 1]])
    together = asking([[3, 7, 1], [5], list(range(12)), [3, 7, 1]])
    scores = model.score(together)
    assert_allclose(scores[0], scores[3], atol=1e-5)
    assert_allclose(model.score(alone)[0], scores[0], atol=1e-4)
    assert_array_equal(model.score(together), scores)
    assert np.isnan(model.score(asking([[]]))).all()


def test_without_a_history_there_is_no_trace() -> None:
    with pytest.raises(CannotScore, match="no history"):
        model_of({"epochs": 1}).trace(asking([[]]))


@pytest.mark.parametrize("patience", [3, 0])
def test_the_graph_and_the_popular_items_are_made_of_what_is_learned_from_alone(patience: int) -> None:
    """Items held out for early stopping are not neighbors of the items before them."""
    train, ctx = tastes(users=60, items=40), RunContext()
    model = InterestAttention(InterestAttentionConfig.parse(SMALL | {"epochs": 1, "patience": patience}))
    model.fit(train, ctx)
    learn, _ = model._held_back(train.queries(), ctx)
    assert (learn is None) == (patience == 0)
    kept = train.histories() if learn is None else train.queries().only(learn).history
    graph, everything = (item_graph(histories, 40, 10) for histories in (kept, train.histories()))
    assert_array_equal(model.graph_chances, graph.chances)
    assert_array_equal(model.graph_neighbours, graph.neighbours)
    assert_array_equal(model.popular_items, most_popular(kept, 40, 2))
    assert np.array_equal(graph.chances, everything.chances) == (patience == 0)


@pytest.mark.parametrize("local", ["walk", "reinforce"])
def test_in_training_the_points_of_a_user_move_on_a_graph_of_other_users(
    monkeypatch: pytest.MonkeyPatch, local: str
) -> None:
    train = markov_chain(users=60).train
    graphs = graphs_without(train.histories(), train.n_items, 5)
    looks: list[Any] = []
    look = InterestNet.look

    def watched(net: InterestNet, *arguments: Any) -> Any:
        looks.append(look(net, *arguments))
        return looks[-1]

    def loss_of(model: InterestAttention, batch: Any, *others: Any) -> Any:
        value = training_loss(model, batch, *others)
        found, folds = looks[-1], fold_of(batch.rows.numpy())
        similar = found.start[..., 0]  # of the generator: the nearest neighbor of the last item
        for row, fold in enumerate(folds):
            ways = torch.from_numpy(graphs[fold].neighbours)
            length, moves = int(batch.lengths[row]), found.moves[0]
            near = ways[batch.tokens[row, :length], 0]
            assert_array_equal(similar[row].flatten()[:length], near)
            candidates = moves.candidates[row].flatten(0, 1)[:length, 0]
            assert_array_equal(candidates[:, -5:], ways[near])
        return value

    training_loss = InterestAttention._training_loss
    monkeypatch.setattr(InterestNet, "look", watched)
    monkeypatch.setattr(InterestAttention, "_training_loss", loss_of)
    settings = SMALL | {"epochs": 1, "generator": "similar", "neighbors": 5, "local_update": local}
    model = InterestAttention(InterestAttentionConfig.parse(settings))
    model.fit(train, RunContext())
    assert looks
    assert model._training_graphs is None


def test_learning_on_gives_items_that_were_added_their_place() -> None:
    """The graph and the popular items are recomputed from both data sets; the walk keeps its seed."""
    model, before = model_of(), markov_chain(users=60).train
    seed, larger = model.walk_seed, markov_chain(users=60, items=25, seed=1).train
    model.update(before, larger, RunContext())
    assert model.graph_neighbours.shape == (25, 10)
    assert model.walk_seed == seed
    assert np.isfinite(model.score(asking([[3, 24]]))).all()
