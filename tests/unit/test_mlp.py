"""NeuMF: both ways to score agree, what training sees, and what it learns."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, Need, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.models.mlp import Mlp, MlpConfig
from recsys_core.models.nets.mlp import PairNet
from recsys_core.training.pairs import Pairs
from tests.contract.cases import asking, recording, tastes, without

TINY = {"embedding_dim": 8, "hidden": 8, "epochs": 3, "batch_size": 256}


def net_of(layers: list[int], width: int = 4) -> PairNet:
    torch.manual_seed(0)
    net = PairNet(torch.randn(5, 3), torch.randn(7, 2), width, layers, dropout=0.0)
    torch.nn.init.normal_(net.bias)
    return net.eval()


def data_of(rows: list[list[int]], items: int) -> Dataset:
    histories = Ragged.from_rows(rows)
    frame = pd.DataFrame({"user": histories.row_numbers(), "item": histories.values}).astype("int32")
    names = [str(number) for number in range(max(items, len(rows)))]
    return dataset_from_frames(frame, user_ids=names[: len(rows)], item_ids=names[:items])


def trained(train: Dataset, **settings: object) -> Mlp:
    model = Mlp(MlpConfig.parse(TINY | settings))
    model.fit(train, RunContext())
    return model


@pytest.mark.parametrize("layers", [[], [6], [6, 3], [6, 3, 2]])
def test_all_items_at_once_get_the_scores_of_pairs(layers: list[int]) -> None:
    net = net_of(layers)
    with torch.no_grad():
        people = net.person_vectors(torch.tensor([0, 4, 5]), torch.randn(3, 4))
        items = net.item_vectors()
        asked = torch.arange(7).expand(3, 7)
        pairs = net.pairs(people, items, asked)
        assert pairs.shape == (3, 7)
        for row in range(3):
            assert_allclose(net.of_all(people[row], items, net.first_of_items(items)), pairs[row], atol=1e-5)


def test_one_score_by_hand() -> None:
    """v = (1, 2), w = (3, -1): v . w = 1, b = 0.5; the layer has the sum of all four numbers, 5, and of v minus w, 1.

    relu(5), relu(1) weighted by (0.1, -1) add -0.5, so the score is 1.
    """
    net = PairNet(torch.zeros(1, 0), torch.zeros(1, 0), 2, [2], dropout=0.0)
    assert net.first_person is not None
    assert net.first_item is not None
    assert net.last is not None
    with torch.no_grad():
        net.bias[0] = 0.5
        net.first_person.weight.copy_(torch.tensor([[1.0, 1.0], [1.0, 1.0]]))
        net.first_item.weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
        net.first_person.bias.zero_()
        net.last.weight.copy_(torch.tensor([[0.1, -1.0]]))
        score = net.pairs(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]]), torch.tensor([[0]]))
    assert float(score) == pytest.approx(1.0)


def test_an_unknown_person_has_no_vector_and_no_attributes() -> None:
    assert_array_equal(net_of([]).person_vectors(torch.tensor([5]), torch.zeros(1, 4)).detach(), np.zeros((1, 4)))


def test_what_people_have_does_not_count_as_drawn() -> None:
    pairs = Pairs(Ragged.from_rows([[0, 3], [1], [0, 1, 2]]))
    batch = pairs.batch(np.array([2, 0]))
    drawn, held = batch.draw(4, 200, torch.Generator().manual_seed(0))
    assert drawn.shape == (5, 200)
    for row, has in enumerate([{0, 1, 2}] * 3 + [{0, 3}] * 2):
        assert_array_equal(held[row], np.isin(drawn[row], list(has)))
    assert set(drawn.flatten().tolist()) == {0, 1, 2, 3}


def test_every_person_is_visited_once_and_none_is_parted() -> None:
    pairs = Pairs(Ragged.from_rows([[0, 1, 2], [], [1], [0, 2], [3]]))
    batches = list(pairs.batches(3, np.random.default_rng(0)))
    assert sorted(user for batch in batches for user in batch.users.tolist()) == [0, 2, 3, 4]
    for batch in batches:
        for row, user in enumerate(batch.users.tolist()):
            assert_array_equal(batch.items[batch.rows == row], pairs.items[user])


def test_an_item_is_learned_from_the_others_alone() -> None:
    """A user with one item has no other item to learn from: the vector of that item is not updated."""
    model = trained(data_of([[0], [1, 2], [3, 4]], 6), patience=0)
    batch = Pairs(Ragged.from_rows([[0], [1, 2]])).batch(np.array([0, 1]))
    model.net.train()
    model._loss(batch, torch.Generator().manual_seed(0)).backward()  # type: ignore[no-untyped-call]
    gradient = model.net.get_parameter("marks.weight").grad
    assert gradient is not None
    assert (gradient[0] == 0).all()
    assert (gradient[1:3] != 0).any(dim=1).all()


def test_the_loss_of_a_pair_by_hand() -> None:
    """For a user with items 0, 1 and 2, each is scored by p + (y_j + y_k) / sqrt(2) of the two others."""
    model = trained(data_of([[0, 1, 2], [3, 4]], 6), score="dot", features=False, loss="bce", patience=0, dropout=0.0)
    batch = Pairs(Ragged.from_rows([[0, 1, 2]])).batch(np.array([0]))
    drawn, held = batch.draw(6, model.config.negatives, torch.Generator().manual_seed(0))
    weights = dict(model.net.named_parameters())
    terms = []
    for item in range(3):
        marks = sum(weights["marks.weight"][other] for other in range(3) if other != item)
        person = weights["people.weight"][0] + marks / 2**0.5
        scores = weights["items.weight"] @ person + weights["bias"]
        wrong = scores[drawn[item]].masked_fill(held[item], -torch.inf)
        terms.append(-torch.nn.functional.logsigmoid(scores[item]) - torch.nn.functional.logsigmoid(-wrong).mean())
    found = model._loss(batch, torch.Generator().manual_seed(0))
    assert float(found.detach()) == pytest.approx(float(torch.stack(terms).mean().detach()), rel=1e-5)


def test_who_did_nothing_and_what_nobody_had_say_nothing() -> None:
    model = trained(data_of([[0, 1], [1, 2], []], 4))
    for name, row in (("marks.weight", 3), ("people.weight", 2)):
        weights = model.net.get_parameter(name)
        assert (weights[row] == 0).all()
        assert (weights[:2] != 0).any()


def test_an_item_that_is_only_held_back_says_nothing() -> None:
    """One item of each of 30 users with three unique items is held out; with 19 users, none."""
    for users, held_back in ((30, 30), (19, 0)):
        rows = [[3 * user, 3 * user + 1, 3 * user + 2] for user in range(users)]
        model = trained(data_of(rows, 3 * users), epochs=1)
        silent = (model.net.get_parameter("marks.weight") == 0).all(dim=1)
        assert int(silent.sum()) == held_back
        assert silent.view(users, 3).sum(dim=1).tolist() == [held_back // users] * users


def test_attributes_are_part_of_a_person() -> None:
    net = net_of([])
    users = torch.tensor([1, 3])
    with torch.no_grad():
        assert net.of_attributes is not None
        expected = net.people.weight[users] + net.attributes[users] @ net.of_attributes.weight.T
        assert_allclose(net.person_vectors(users, torch.zeros(2, 4)), expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("score", ["mlp", "dot"])
@pytest.mark.parametrize("loss", ["bce", "bpr", "sampled_softmax"])
def test_eight_pairs_can_be_learned_by_heart(loss: str, score: str) -> None:
    ctx, reports = recording()
    settings = {"epochs": 150, "patience": 0, "dropout": 0.0, "learning_rate": 0.03, "loss": loss, "score": score}
    model = Mlp(MlpConfig.parse(TINY | settings))
    model.fit(data_of([[user] for user in range(8)], 8), ctx)
    assert reports[-1].values["loss"] < 0.05
    found = model.score(asking([[]] * 8, users=range(8)))
    assert_array_equal(found.argmax(axis=1), np.arange(8))


def test_the_dot_product_beside_it_has_the_same_vectors_and_no_layers() -> None:
    model = trained(tastes(), score="dot")
    with_layers = trained(tastes())
    sizes = {name: weight.shape for name, weight in model.net.state_dict().items()}
    layers = {"first_person", "first_item", "layers", "last"}
    others = {n: w.shape for n, w in with_layers.net.state_dict().items() if n.split(".")[0] not in layers}
    assert sizes == others
    query = tastes().queries(np.array([3]))
    net: PairNet = model.net  # type: ignore[assignment]
    with torch.no_grad():
        person, items = model._user_vectors(query), net.item_vectors()
        assert_allclose(model.score(query), person @ items.T + net.bias, rtol=1e-4, atol=1e-5)


def test_tables_are_read_where_there_are_any() -> None:
    full, train = trained(tastes()), tastes()
    assert full.attributes.shape[1] > 3
    assert full.content.shape[1] > 5
    assert trained(tastes(), features=False).content.shape == (150, 0)
    bare = trained(without(without(train, Need.ITEM_FEATURES), Need.USER_FEATURES))
    assert bare.attributes.shape == (60, 0)
    assert np.isfinite(bare.score(train.queries())).all()


def test_people_without_anything_get_what_is_popular() -> None:
    train = tastes()
    counts = np.bincount(train.interactions["item"], minlength=150)
    scores = trained(train, epochs=30, features=False).score(asking([[]]))[0]
    assert np.isfinite(scores).all()
    assert np.corrcoef(scores, counts)[0, 1] > 0.5


def test_a_history_says_to_strangers_what_it_says_of_people() -> None:
    """Even and odd users like even and odd items: unknown users, too, get the items of their half."""
    train = tastes()
    model = trained(train, epochs=40, learning_rate=0.01)
    top = model.recommend(asking([[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]), 10).item
    assert (top[0] % 2 == 0).mean() >= 0.8
    assert (top[1] % 2 == 1).mean() >= 0.8


def test_learning_on_holds_back_the_last_new_item_and_shows_all_before_it() -> None:
    old = data_of([[user % 3, 3] for user in range(210)], 8)
    new = data_of([[4, 5 + user % 3] for user in range(210)], 8)
    model = trained(old, epochs=1)
    learned, validate = model._new_held_back(old, new, RunContext())
    assert validate is not None
    people = np.flatnonzero(learned.histories().lengths == 1)
    assert len(people) == 21
    asked: list[QueryBatch] = []
    model.score = lambda query: asked.append(query) or Mlp.score(model, query)  # type: ignore[method-assign, assignment, misc]
    validate()
    assert_array_equal(asked[0].user, people)
    assert [history.tolist() for history in asked[0].history] == [[user % 3, 3, 4] for user in people]


def test_after_learning_on_an_unknown_person_still_has_no_vector() -> None:
    train = data_of([[0, 1], [1, 2], [0, 2, 3]], 4)
    model = trained(train, patience=0)
    model.update(train, data_of([[3], [], [], [4, 0]], 5), RunContext())
    query = QueryBatch(np.array([3, PAD]), Ragged.from_rows([[4, 0], [1]]), np.ones(3, dtype=np.float32))
    assert model.score(query).shape == (2, 5)
    weights = model.net.get_parameter("people.weight")
    assert len(weights) == 5
    assert (weights[-1] == 0).all()
    assert (weights[3] != 0).any()


def test_the_number_of_cores_changes_nothing() -> None:
    """The batches are large enough for torch to split its sums among threads."""
    rng = np.random.default_rng(0)
    train = data_of([rng.choice(900, 60, replace=False).tolist() for _ in range(500)], 900)
    query = train.queries(np.arange(20))
    scores = []
    for threads in (1, 2):
        model = Mlp(MlpConfig.parse({"epochs": 1, "patience": 0, "dropout": 0.0, "embedding_dim": 64}))
        model.fit(train, RunContext(threads=threads))
        scores.append(model.score(query))
    assert_array_equal(scores[0], scores[1])
