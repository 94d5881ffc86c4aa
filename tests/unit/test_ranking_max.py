"""BPR-max and TOP1-max: the equations of GRU4Rec term by term, gradients, negatives, and what is learned."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import Ragged
from recsys_core.experiments.spec import ModelSpec
from recsys_core.models.rnn import Rnn, RnnConfig
from recsys_core.training.ranking_max import bpr_max, ranking_max_loss, sampling_shares, top1_max
from recsys_core.training.sequences import Sequences
from tests.nets import markov_outcome

NAMES = ("bpr_max", "top1_max")


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def by_the_paper(name: str, right: float, wrong: list[float], regularization: float) -> float:
    """Hidasi and Karatzoglou 2018, section 3, one term at a time."""
    total = sum(math.exp(r) for r in wrong)
    weights = [math.exp(r) / total for r in wrong]
    if name == "top1_max":
        return sum(s * (sigma(r - right) + sigma(r**2)) for s, r in zip(weights, wrong, strict=True))
    ahead = sum(s * sigma(right - r) for s, r in zip(weights, wrong, strict=True))
    return -math.log(ahead) + regularization * sum(s * r**2 for s, r in zip(weights, wrong, strict=True))


def drawn(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape) * 2)


@pytest.mark.parametrize("regularization", [0.0, 1.5])
@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_equations(name: str, regularization: float) -> None:
    right, wrong, same = drawn((6,), 0), drawn((6, 5), 1), torch.zeros((6, 5), dtype=torch.bool)
    same[2, [0, 3]] = True
    found = bpr_max(right, wrong, same, regularization) if name == "bpr_max" else top1_max(right, wrong, same)
    for row in range(6):
        others = wrong[row][~same[row]].tolist()
        assert found[row].item() == pytest.approx(by_the_paper(name, right[row].item(), others, regularization))


def test_large_scores_do_not_overflow_and_no_negative_is_no_loss() -> None:
    right, wrong = torch.tensor([-300.0, 1.0]), torch.tensor([[300.0, 0.0], [1.0, 1.0]], requires_grad=True)
    same = torch.tensor([[False, False], [True, True]])
    found = bpr_max(right, wrong, same, 0.0)
    assert_allclose(found.detach(), [600.0 - math.log(2), 0.0], rtol=1e-6)  # s sigma is exp(-600) for both negatives
    (found.sum() + top1_max(right, wrong, same).sum()).backward()  # type: ignore[no-untyped-call]
    assert wrong.grad is not None
    assert wrong.grad.isfinite().all()
    assert_array_equal(wrong.grad[1], 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_of_a_batch_and_its_gradients(name: str) -> None:
    """All items but one have no chance to be drawn, so the negative is known; weights count positions."""
    hidden, vectors = drawn((4, 3), 2).requires_grad_(), drawn((5, 3), 3).requires_grad_()
    target, weights = torch.tensor([0, 1, 2, 3]), torch.tensor([1.0, 2.0, 0.0, 1.0], dtype=torch.float64)
    loss = ranking_max_loss(name, negatives=2, regularization=0.7, shares=np.array([0, 0, 0, 0, 1.0]))
    scores = (hidden @ vectors.T).tolist()
    each = [by_the_paper(name, scores[row][row], [scores[row][4]] * 2, 0.7) for row in range(4)]
    found = loss(hidden, vectors, target, torch.Generator(), weights)
    assert found.item() == pytest.approx((each[0] + 2 * each[1] + each[3]) / 4)
    assert loss(hidden, vectors, target, torch.Generator()).item() == pytest.approx(sum(each) / 4)
    even = ranking_max_loss(name, negatives=4, regularization=0.7, shares=np.full(5, 0.2))
    assert torch.autograd.gradcheck(
        lambda h, v: even(h, v, target, torch.Generator().manual_seed(5), weights), (hidden, vectors)
    )


def test_negatives_are_drawn_by_popularity_to_the_power_alpha() -> None:
    counts = np.array([0, 1, 4, 16])
    assert_allclose(sampling_shares(counts, 0.0), [0.25] * 4)
    assert_allclose(sampling_shares(counts, 0.5), np.array([0, 1, 2, 4]) / 7)
    assert_allclose(sampling_shares(counts, 1.0), np.array([0, 1, 4, 16]) / 21)
    assert_allclose(sampling_shares(np.zeros(2, dtype=np.int64), 1.0), [0.5, 0.5])
    # with scores 0, the gradient of an item's vector counts how often it was drawn
    shares, vectors = sampling_shares(counts, 0.5), torch.zeros((4, 1), dtype=torch.float64, requires_grad=True)
    loss = ranking_max_loss("top1_max", negatives=70_000, regularization=0.0, shares=shares)
    loss(
        torch.ones((1, 1), dtype=torch.float64), vectors, torch.tensor([0]), torch.Generator().manual_seed(0)
    ).backward()  # type: ignore[no-untyped-call]
    assert vectors.grad is not None
    assert_allclose(vectors.grad[1:, 0] * 4, shares[1:], atol=0.01)


def test_popularity_is_that_of_the_training_targets() -> None:
    history = Ragged.from_rows([[1, 2, 2], [3, 1]])
    assert_array_equal(Sequences(history, 5, 9).target_counts(), [0, 2, 2, 1, 0])
    learn = np.array([True, True, False, True, False])
    assert_array_equal(Sequences(history, 5, 9, learn=learn).target_counts(), [0, 1, 1, 1, 0])


@pytest.mark.parametrize("name", NAMES)
def test_a_chain_is_learned_with_each_loss(name: str) -> None:
    small = {"embedding_dim": 16, "epochs": 12, "batch_size": 32, "learning_rate": 0.03, "dropout": 0.0, "patience": 0}
    assert markov_outcome("rnn", 1.0, small | {"loss": name, "negatives": 16})[0] > 0.95


def test_the_settings_of_other_losses_are_not_part_of_ids() -> None:
    plain = ModelSpec(key="rnn")
    assert ModelSpec(key="rnn", config={"score_regularization": 1.0}).id == plain.id
    assert ModelSpec(key="rnn", config={"loss": "bpr_max"}).id != plain.id
    assert Rnn.source_of(RnnConfig(loss="top1_max")).endswith("Hidasi and Karatzoglou 2018, section 3")
