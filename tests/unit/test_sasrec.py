"""SASRec: attention as torch has it and as it is shown, causality, what it learns, and how it goes on learning."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import QueryBatch, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import Cancelled, CannotScore, ConfigError, DataError
from recsys_core.models.nets.attention import CausalSelfAttention
from recsys_core.models.nets.sasrec import SasRecNet
from recsys_core.models.sasrec import SasRec, SasRecConfig
from recsys_core.training.losses import make_loss
from tests.contract.cases import asking
from tests.nets import assert_learns_a_chain, assert_looks_back_only, assert_overfits
from tests.worlds import markov_chain

ITEMS, WIDTH = 30, 16


def net_of(layers: int = 2, heads: int = 2) -> SasRecNet:
    torch.manual_seed(0)
    net = SasRecNet(ITEMS, WIDTH, layers, heads, window=20, dropout=0.2)
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return net.eval()


def fitted(**settings: object) -> SasRec:
    world = markov_chain(users=60, items=20, steps=12)
    model = SasRec(SasRecConfig.parse({"width": 16, "epochs": 3, "patience": 0, "heads": 2} | settings))
    model.fit(world.train, RunContext())
    return model


def test_every_place_says_something_of_the_width() -> None:
    assert net_of()(torch.zeros((3, 5), dtype=torch.int64)).shape == (3, 5, WIDTH)


def test_what_comes_later_and_padding_change_nothing() -> None:
    assert_looks_back_only(net_of(), ITEMS)


def test_eight_sequences_can_be_learned_by_heart() -> None:
    torch.manual_seed(0)
    assert_overfits(SasRecNet(ITEMS, 32, 2, 2, 20, 0.0), ITEMS, make_loss("softmax"), steps=150)


def test_a_chain_is_learned_and_chance_is_not() -> None:
    assert_learns_a_chain("sasrec")


def test_shown_attention_is_the_attention_of_the_fast_way() -> None:
    net, tokens = net_of(), torch.randint(0, ITEMS, (3, 12), generator=torch.Generator().manual_seed(1))
    states, weights = net.explicit(tokens)
    assert_allclose(states.detach(), net(tokens).detach(), atol=1e-5)
    assert weights.shape == (2, 3, 2, 12, 12)
    assert_allclose(weights.sum(dim=4).detach(), 1.0, atol=1e-6)
    assert (weights.detach().numpy()[..., *np.triu_indices(12, 1)] == 0).all()


def test_a_copied_attention_of_torch_gives_the_same_output() -> None:
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(WIDTH, 2, batch_first=True).eval()
    ours = CausalSelfAttention(WIDTH, 2)
    ours.project.load_state_dict({"weight": theirs.in_proj_weight, "bias": theirs.in_proj_bias})
    ours.mix.load_state_dict(theirs.out_proj.state_dict())
    states, future = torch.randn(3, 7, WIDTH), torch.ones(7, 7, dtype=torch.bool).triu(1)
    found, weights = theirs(states, states, states, attn_mask=future, average_attn_weights=False)
    assert_allclose(ours(states).detach(), found.detach(), atol=1e-5)
    assert_allclose(ours.explicit(states)[1].detach(), weights.detach(), atol=1e-6)


def test_without_query_weights_attention_is_even() -> None:
    attention = CausalSelfAttention(WIDTH, 2)
    with torch.no_grad():
        attention.project.weight[:WIDTH] = 0.0
        attention.project.bias[:WIDTH] = 0.0
    weights = attention.explicit(torch.randn(1, 5, WIDTH))[1][0, 0].detach()
    assert_allclose(weights, np.tril(np.ones((5, 5))) / np.arange(1, 6)[:, None], atol=1e-6)


def test_a_trace_is_that_of_the_scores() -> None:
    model = fitted()
    query = asking([[3, 4, 5, 6]])
    found = model.trace(query)
    assert_array_equal(found.tokens, [3, 4, 5, 6])
    assert found.weights.shape == (2, 2, 4, 4)
    scores = model.score(query)[0]
    assert_array_equal(found.next_items[-1], np.argsort(-scores, kind="stable")[:5])
    assert_allclose(found.next_scores[-1], np.sort(scores)[::-1][:5], atol=1e-5)
    with pytest.raises(CannotScore, match="no history"):
        model.trace(asking([[]]))


def test_a_head_that_is_taken_out_is_missing_for_a_while_only() -> None:
    model, query = fitted(), asking([[3, 4, 5, 6]])
    before = model.score(query)
    with model.ablated(0, 1):
        assert not np.allclose(model.score(query), before)
        assert_allclose(model.trace(query).next_scores[-1], np.sort(model.score(query)[0])[::-1][:5], atol=1e-5)
    assert_array_equal(model.score(query), before)
    with pytest.raises(ConfigError, match="no head 2"), model.ablated(0, 2):
        pass


def test_heads_must_part_the_width() -> None:
    with pytest.raises(ConfigError, match="cannot be parted among 3 heads"):
        SasRecConfig.parse({"width": 16, "heads": 3})


def test_nobody_with_two_items_is_refused_in_words() -> None:
    frame = pd.DataFrame({"user": [0, 1, 2], "item": [0, 1, 2]})
    with pytest.raises(DataError, match="nobody in the training data has two items"):
        SasRec().fit(dataset_from_frames(frame), RunContext())


# going on with new interactions: a ring of items that turns round


def walks(users: int, *, turned: bool, items: int = 20, steps: int = 10) -> Dataset:
    """Walks round a ring, forwards or, later in time, backwards."""
    start = np.random.default_rng(int(turned)).integers(0, items, users)
    steps_of = np.arange(steps) * (-1 if turned else 1)
    item = (start[:, None] + steps_of) % items
    frame = pd.DataFrame({"user": np.repeat(np.arange(users), steps), "item": item.ravel()})
    frame["timestamp"] = np.tile(np.arange(steps) + 1000 * turned, users).astype(np.int64)
    return dataset_from_frames(frame, user_ids=[str(u) for u in range(users)], item_ids=[str(i) for i in range(items)])


def hits(model: SasRec, query: QueryBatch, step: int, items: int = 20) -> float:
    last = query.history.values[query.history.offsets[1:] - 1]
    return float((model.score(query)[:, :items].argmax(axis=1) == (last + step) % items).mean())


@pytest.fixture(scope="module")
def forwards() -> SasRec:
    model = SasRec(SasRecConfig(width=16, epochs=30, batch_size=16, learning_rate=0.01, dropout=0.0, patience=0))
    model.fit(walks(80, turned=False), RunContext())
    return model


def copied(model: SasRec) -> SasRec:
    other = SasRec(model.config)
    other.load_state(model.state())
    return other


def test_without_new_interactions_nothing_changes(forwards: SasRec) -> None:
    model, data = copied(forwards), walks(80, turned=False)
    model.update(data, data.subset(np.zeros(data.n_interactions, dtype=bool)), RunContext())
    for name, array in forwards.state().items():
        assert_array_equal(model.state()[name], array)


def test_new_interactions_of_the_same_users_are_learned(forwards: SasRec) -> None:
    model, old, new = copied(forwards), walks(80, turned=False), walks(80, turned=True)
    assert hits(model, old.queries(), 1) > 0.9
    assert hits(model, new.queries(), -1) < 0.3
    model.update(old, new, RunContext())
    assert hits(model, new.queries(), -1) > 0.6


def test_known_vectors_can_stay_as_they_are(forwards: SasRec) -> None:
    model, old, new = copied(forwards), walks(80, turned=False), walks(80, turned=True)
    before = model.net.items.weight.detach().clone()[:20]
    model.update(old, new, RunContext(), freeze_embeddings=True)
    assert_array_equal(model.net.items.weight.detach()[:20], before)
    assert not np.allclose(model.net.positions.weight.detach(), forwards.net.positions.weight.detach())


def test_learning_on_that_is_stopped_leaves_the_model_as_it_was(forwards: SasRec) -> None:
    model, old, new = copied(forwards), walks(80, turned=False), walks(90, turned=True)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 8

    with pytest.raises(Cancelled):
        model.update(old, new, RunContext(stop_requested=stop))
    assert len(asked) == 9
    for name, array in forwards.state().items():
        assert_array_equal(model.state()[name], array)
    assert_array_equal(model.score(old.queries()), forwards.score(old.queries()))


def test_new_items_and_users_get_a_place(forwards: SasRec) -> None:
    model, old, new = copied(forwards), walks(80, turned=False), walks(80, turned=True)
    frame = pd.concat([new.interactions, pd.DataFrame({"user": [80, 80], "item": [3, 20], "timestamp": [5000, 5001]})])
    ids = [str(n) for n in range(81)], [str(n) for n in range(21)]
    grown = [dataset_from_frames(one, user_ids=ids[0], item_ids=ids[1]) for one in (old.interactions, frame)]
    model.update(*grown, RunContext())
    assert model.score(grown[1].queries()).shape == (81, 21)
    assert np.isfinite(model.score(asking([[20]]))).all()
    with pytest.raises(DataError, match="fewer than"):
        model.update(old, new, RunContext())
