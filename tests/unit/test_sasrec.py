"""SASRec: attention equals torch's and the trace, causality, what it learns, and incremental updates."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import QueryBatch, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import CannotScore, ConfigError, DataError
from recsys_core.models.nets.attention import SelfAttention
from recsys_core.models.nets.sasrec import SasRecNet
from recsys_core.models.network_model import concatenated
from recsys_core.models.sasrec import SasRec, SasRecConfig
from recsys_core.training.losses import make_loss
from recsys_core.training.plan import LOG_RANK
from tests.contract.cases import asking, recording
from tests.nets import assert_learns_a_chain, assert_looks_back_only, assert_overfits
from tests.worlds import markov_chain

ITEMS, WIDTH = 30, 16


def net_of(layers: int = 2, heads: int = 2) -> SasRecNet:
    torch.manual_seed(0)
    net = SasRecNet(ITEMS, WIDTH, layers, heads, max_length=20, dropout=0.2)
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return net.eval()


def fitted(**settings: object) -> SasRec:
    world = markov_chain(users=60, items=20, steps=12)
    model = SasRec(SasRecConfig.parse({"embedding_dim": 16, "epochs": 3, "patience": 0, "n_heads": 2} | settings))
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
    ours = SelfAttention(WIDTH, 2)
    ours.project.load_state_dict({"weight": theirs.in_proj_weight, "bias": theirs.in_proj_bias})
    ours.mix.load_state_dict(theirs.out_proj.state_dict())
    states, future = torch.randn(3, 7, WIDTH), torch.ones(7, 7, dtype=torch.bool).triu(1)
    found, weights = theirs(states, states, states, attn_mask=future, average_attn_weights=False)
    assert_allclose(ours(states).detach(), found.detach(), atol=1e-5)
    assert_allclose(ours.explicit(states)[1].detach(), weights.detach(), atol=1e-6)


def test_without_query_weights_attention_is_even() -> None:
    attention = SelfAttention(WIDTH, 2)
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
    with pytest.raises(ConfigError, match="is not divisible by 3 heads"):
        SasRecConfig.parse({"embedding_dim": 16, "n_heads": 3})


def test_nobody_with_two_items_is_refused_in_words() -> None:
    frame = pd.DataFrame({"user": [0, 1, 2], "item": [0, 1, 2]})
    with pytest.raises(DataError, match="no user in the training data has at least two items"):
        SasRec().fit(dataset_from_frames(frame), RunContext())


def test_nothing_is_held_back_that_a_list_could_not_hold() -> None:
    """Every second user ends with a repeated item: the last item of each of the 50 others is held out."""
    items = np.stack([np.arange(6) for _ in range(100)])
    items[::2, 5] = 2
    frame = pd.DataFrame({"user": np.repeat(np.arange(100), 6), "item": items.ravel()})
    train, model = dataset_from_frames(frame), SasRec()
    model.n_users, model.n_items = train.n_users, train.n_items
    learn, validate = model._held_back(train.queries(), RunContext())
    assert validate is not None
    assert learn is not None
    users, places = np.divmod(np.flatnonzero(~learn), 6)
    assert (len(users), set(users % 2), set(places)) == (50, {1}, {5})


def test_at_most_a_thousand_users_validate_and_a_few_do_not() -> None:
    counts = []
    for users in (1500, 1000, 300, 20, 19):
        model, lengths = SasRec(), np.full(users, 5)
        drawn = model._held_back_users(lengths, np.ones(users, dtype=bool), RunContext())
        assert len(np.unique(drawn)) == len(drawn)
        counts.append(len(drawn))
    assert counts == [1000, 1000, 300, 20, 0]


# an update with enough users for validation; everything else is in tests/contract/test_updates


RING, HALF, JUMP = 41, 8, 13
SURE = {"embedding_dim": 16, "batch_size": 32, "learning_rate": 0.01, "dropout": 0.0}


def walks(users: int, steps: tuple[int, ...], *, after: int = 0) -> Dataset:
    """Each user has a position on a ring of items, and visits items at given distances from it.

    Rows are in random order, so only the timestamps show what is latest.
    """
    start = np.random.default_rng(0).integers(0, RING, users)
    item = (start[:, None] + np.array(steps)) % RING
    frame = pd.DataFrame({"user": np.repeat(np.arange(users), len(steps)), "item": item.ravel()})
    frame["timestamp"] = np.tile(after + np.arange(len(steps)), users).astype(np.int64) * 1000
    frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    ids = [str(user) for user in range(users)], [str(item) for item in range(RING)]
    return dataset_from_frames(frame, user_ids=ids[0], item_ids=ids[1])


FIRST, ON, LEAPS = (
    tuple(range(HALF)),
    tuple(range(HALF, 2 * HALF)),
    tuple(JUMP * step % RING for step in range(1, HALF + 1)),
)


def hits(model: SasRec, query: QueryBatch, step: int) -> float:
    last = query.history.values[query.history.offsets[1:] - 1]
    return float((model.score(query).argmax(axis=1) == (last + step) % RING).mean())


def test_learning_on_is_judged_by_the_last_new_item_of_a_tenth_of_the_people() -> None:
    old, new = walks(250, FIRST), walks(250, LEAPS, after=HALF)
    model = SasRec(SasRecConfig.parse(SURE | {"epochs": 1}))
    model.fit(old, RunContext())
    learned, validate = model._new_held_back(old, new, RunContext())
    assert validate is not None
    missing = new.histories().lengths - learned.histories().lengths
    assert (missing.sum(), missing.max()) == (25, 1)
    for user in np.flatnonzero(missing).tolist():
        assert_array_equal(learned.histories()[user], new.histories()[user][:-1])
    assert 0 < validate()["validation ndcg@10"] < 1
    assert model.is_fitted


@pytest.mark.slow
def test_learning_on_ends_when_the_new_items_get_no_easier_to_find() -> None:
    model = SasRec(SasRecConfig.parse(SURE))
    old, new = walks(250, FIRST), walks(250, LEAPS, after=HALF)
    model.fit(old, RunContext())
    everything = concatenated(old, new).queries()
    assert hits(model, everything, JUMP) < 0.5
    ctx, reports = recording()
    model.update(old, new, ctx)
    values = [report.values[LOG_RANK] for report in reports[1:]]
    assert 5 < len(values) < 100
    assert values[-6] > values[0]
    assert values[-6] >= max(values) - 1e-3
    assert hits(model, everything, JUMP) > 0.9


@pytest.mark.slow
def test_learning_on_that_makes_nothing_easier_to_find_leaves_the_network_as_it_was() -> None:
    """All new interactions were already learned by heart."""
    trained, model = (SasRec(SasRecConfig.parse(SURE | more)) for more in ({"epochs": 30, "patience": 0}, {}))
    trained.fit(walks(250, FIRST + ON), RunContext())
    model.load_state(trained.state())
    ctx, reports = recording()
    model.update(walks(250, FIRST), walks(250, ON, after=HALF), ctx)
    assert len(reports) == 6
    for name, array in trained.state().items():
        assert_array_equal(model.state()[name], array)


@pytest.mark.parametrize(
    ("users", "patience", "again"),
    [(150, 10, False), (250, 0, False), (250, 10, True)],
    ids=["few people", "no patience", "nothing that a list could hold"],
)
def test_what_cannot_be_judged_is_learned_in_a_few_epochs(users: int, patience: int, again: bool) -> None:
    old, new = walks(users, FIRST), walks(users, FIRST if again else LEAPS, after=HALF)
    model = SasRec(SasRecConfig.parse(SURE | {"epochs": 2, "patience": patience}))
    model.fit(old, RunContext())
    ctx, reports = recording()
    model.update(old, new, ctx)
    assert len(reports) == 6
    assert all(report.values.keys() == {"loss"} for report in reports[1:])
