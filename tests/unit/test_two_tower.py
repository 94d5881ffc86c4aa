"""The two-tower model: its loss and the logQ correction by hand, gradients by finite differences, batches, features."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.batches import Ragged
from recsys_core.models.nets.two_tower import Tower, TwoTowerNet, in_batch_loss
from recsys_core.models.two_tower import TARGETS, PairsOfGroups, TwoTower, groups
from tests.contract.cases import as_unknown, asking, fitted, tastes


def test_the_loss_of_three_pairs_by_hand() -> None:
    """Pair 2 has the item of pair 0, so neither is a negative of the other."""
    scores = torch.tensor([[2.0, 1.0, 2.0], [0.5, -1.0, 0.5], [0.0, 3.0, 0.0]])
    rates = torch.tensor([0.5, 0.25, 0.5])
    same = torch.tensor([[True, False, True], [False, True, False], [True, False, True]])
    terms = np.exp(scores.numpy()) / rates.numpy()
    kept = np.array([terms[0, 0] + terms[0, 1], terms[1].sum(), terms[2, 1] + terms[2, 2]])
    losses = np.log(kept / np.diag(terms))
    assert float(in_batch_loss(scores, rates.log(), same)) == pytest.approx(losses.mean(), rel=1e-5)
    weights = torch.tensor([1.0, 0.0, 2.0])
    weighted = (losses * weights.numpy()).mean()
    assert float(in_batch_loss(scores, rates.log(), same, weights)) == pytest.approx(weighted, rel=1e-5)
    even = in_batch_loss(scores, torch.zeros(3), same)
    assert float(in_batch_loss(scores, rates.log(), same, corrected=False)) == pytest.approx(float(even))


def test_the_correction_makes_the_batch_an_estimate_of_the_catalog() -> None:
    """The mean of exp(s - log Q) over items drawn with probability Q is the sum of exp(s) over all items.

    Without the correction the gradient of a popular item's score is its frequency too often. The item of the pair
    itself, which is always in its batch, is excluded by a batch far larger than the catalog.
    """
    rng = np.random.default_rng(0)
    items, size = 8, 1200
    rates = rng.dirichlet(np.full(items, 0.7)) * 0.9 + 0.1 / items
    drawn = torch.from_numpy(rng.choice(items, size, p=rates))
    scores = torch.from_numpy(rng.normal(size=items)).requires_grad_()
    log_rates, none = torch.from_numpy(np.log(rates)), torch.zeros(size, size, dtype=torch.bool)

    def share_of_each(*, corrected: bool) -> np.ndarray:
        """Return (I,) the gradient of the log of the sum, a softmax over items: the loss without its first term."""
        loss = in_batch_loss(scores[drawn].expand(size, size), log_rates[drawn], none, corrected=corrected)
        right = (scores - log_rates * corrected)[drawn].mean()
        return np.asarray(torch.autograd.grad(loss + right, scores)[0])

    softmax = torch.softmax(scores.detach(), dim=0).numpy()
    assert_allclose(share_of_each(corrected=True), softmax, atol=0.04)
    assert np.abs(share_of_each(corrected=False) - softmax).max() > 0.1


def small_model(**settings: Any) -> TwoTower:
    """Return a model with a network in double precision, without dropout and training."""
    model = fitted("two_tower", tastes(24, 60), {"epochs": 1, "n_layers": 2, "dropout": 0.0} | settings)
    assert isinstance(model, TwoTower)
    model.net.double().eval()
    return model


def small_batch() -> PairsOfGroups:
    parts = ([3, 7, 3], [1, 5, 9, 2, 5, 1, 5, 9], [0, 3, 5, 8], [0, 0, 1, 2], [1, 9, 5, 5])
    return PairsOfGroups(*(torch.tensor(part) for part in parts), torch.tensor([1.0, 0.5, 2.0, 1.0]))


def test_the_gradient_is_that_of_finite_differences() -> None:
    model, batch, generator, h = small_model(), small_batch(), torch.Generator(), 1e-6
    loss = model.loss(batch, generator)
    loss.backward()
    rng = np.random.default_rng(0)
    checked = 0
    for name, weight in model.net.named_parameters():
        assert weight.grad is not None, name
        used = torch.nonzero(weight.grad)
        for place in used[rng.choice(len(used), min(4, len(used)), replace=False)]:
            index = tuple(place.tolist())
            with torch.no_grad():
                weight[index] += h
                above = float(model.loss(batch, generator))
                weight[index] -= 2 * h
                below = float(model.loss(batch, generator))
                weight[index] += h
            assert float(weight.grad[index]) == pytest.approx((above - below) / (2 * h), rel=1e-4, abs=1e-8), name
            checked += 1
    assert checked > 30


def test_the_loss_of_a_batch_follows_the_formulas() -> None:
    model, batch = small_model(temperature=0.5), small_batch()
    net = model.net
    with torch.no_grad():
        y = net.marks.weight
        sums = [y[[5, 9]], y[[1, 5]], y[[2]], y[[1, 9]]]  # the target is left out
        history = torch.stack([part.sum(dim=0) / np.sqrt(len(part)) for part in sums])
        users = net.of_users(torch.tensor([3, 3, 7, 3]), history)
        scores = users @ net.of_items(batch.item).T / 0.5
        same = torch.tensor([[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]], dtype=torch.bool)
        counts = np.bincount(tastes(24, 60).matrix("binary").indices, minlength=60)
        rates = torch.from_numpy(np.log(counts / counts.sum()))[batch.item]
        expected = in_batch_loss(scores, rates, same, batch.weight)
        assert float(model.loss(batch, torch.Generator())) == pytest.approx(float(expected), rel=1e-5)


def test_towers_give_unit_vectors_and_without_layers_the_direction_of_their_input() -> None:
    inputs = torch.randn(5, 4)
    assert_allclose(Tower(4, 6, 2)(inputs).detach().norm(dim=1), 1.0, rtol=1e-5)
    assert_allclose(Tower(4, 6, 0)(inputs), inputs / inputs.norm(dim=1, keepdim=True), rtol=1e-5)
    assert len(list(Tower(4, 6, 0).parameters())) == 0


def test_the_score_is_the_cosine_over_the_temperature() -> None:
    train = tastes()
    model = fitted("two_tower", train, {"temperature": 0.2})
    scores = model.score(train.queries())
    assert np.abs(scores).max() <= 5.0 + 1e-4
    assert_allclose(np.linalg.norm(model.item_factors, axis=1), 1.0, rtol=1e-5)
    assert_allclose(scores, model.user_factors @ model.item_factors.T, atol=1e-4)
    assert np.isnan(model.score(asking([[]]))).all()
    assert not np.allclose(model.score(as_unknown(train.queries())), scores, atol=1e-3)


def test_batches_hold_every_target_once_and_few_of_each_user() -> None:
    rng = np.random.default_rng(0)
    targets = Ragged.from_rows([rng.choice(50, size, replace=False) for size in (0, 3, 20, 8, 9, 1)])
    seen = []
    for places, group, users in groups(targets, 16, rng):
        assert len(places) <= 16 + TARGETS
        assert_array_equal(targets.row_numbers()[places], users[group])
        assert np.bincount(group).max() <= TARGETS
        assert_array_equal(np.unique(group), np.arange(len(users)))
        seen.append(places)
    assert_array_equal(np.sort(np.concatenate(seen)), np.arange(41))


def test_without_the_correction_popular_items_rank_lower() -> None:
    train = tastes(40, 100)
    popularity = np.bincount(train.interactions["item"], minlength=train.n_items)
    ranks = [
        np.corrcoef(popularity, fitted("two_tower", train, {"log_q": on, "epochs": 8}).score(train.queries()).mean(0))
        for on in (True, False)
    ]
    assert ranks[0][0, 1] > ranks[1][0, 1] + 0.1


def test_an_item_without_interactions_is_scored_by_its_features() -> None:
    """Items 0 and 1 are new; the features of item 0 are those of the items that even users like."""
    train = tastes()
    train = train.subset((train.interactions["item"] > 1).to_numpy())
    scores = fitted("two_tower", train, {"epochs": 12, "embedding_dim": 16}).score(train.queries())
    gap = scores[:, 0] - scores[:, 1]
    assert gap[::2].mean() > gap[1::2].mean() + 0.2


def test_an_item_of_which_nothing_is_known_ranks_last() -> None:
    train = tastes(40, 100)
    train = train.subset((train.interactions["item"] > 1).to_numpy())
    scores = fitted("two_tower", train, {"features": False}).score(train.queries())
    assert_allclose(scores[:, :2], -10.0)
    assert scores[:, 2:].min() > -10.0


def test_unknown_users_have_no_embedding() -> None:
    net = TwoTowerNet(torch.zeros(3, 2), torch.zeros(4, 0), 5, 6, 1, 0.0)
    assert (net.users.weight[-1] == 0).all()
    assert net.of_features is None
    assert net.of_attributes is not None
