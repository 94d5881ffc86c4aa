"""Losses of next-item prediction: manual results, and gradients against finite differences."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from recsys_core.errors import ConfigError
from recsys_core.training import losses
from recsys_core.training.losses import draw_negatives, make_loss, softmax_loss

NAMES = ("softmax", "sampled_softmax", "bce", "gbce", "bpr")


def places(count: int = 7, items: int = 11, width: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    hidden, vectors = (torch.from_numpy(rng.normal(size=(rows, width))).requires_grad_() for rows in (count, items))
    return hidden, vectors, torch.from_numpy(rng.integers(0, items, count))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_finite_differences(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "BLOCK_BYTES", 1)  # blocks of 64 positions
    hidden, vectors, target = places(count=70)
    loss = make_loss(name, negatives=3)

    def value(hidden: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        return loss(hidden, vectors, target, torch.Generator().manual_seed(5))

    assert torch.autograd.gradcheck(value, (hidden, vectors))


def test_the_loss_over_all_items_is_that_of_torch() -> None:
    hidden, vectors, target = places()
    expected = torch.nn.functional.cross_entropy(hidden @ vectors.T, target)
    assert_allclose(softmax_loss(hidden, vectors, target).item(), expected.item(), rtol=1e-12)


def test_sampled_losses_by_hand() -> None:
    """One position, score 1 of the positive, scores 0 and -1 of two negatives, in a catalog of five."""
    right, wrong = torch.tensor([1.0], dtype=torch.float64), torch.tensor([[0.0, -1.0]], dtype=torch.float64)
    log_sigma = lambda x: -np.log1p(np.exp(-x))  # noqa: E731
    negatives = np.array([0.0, -1.0])
    assert_allclose(losses.bce_loss(right, wrong), -log_sigma(1) - log_sigma(-negatives).mean())
    assert_allclose(losses.bpr_loss(right, wrong), -log_sigma(1 - negatives).mean())
    corrected = np.exp(negatives) * (4 / 2)
    assert_allclose(losses.sampled_softmax_loss(right, wrong, 5), np.log(np.exp(1) + corrected.sum()) - 1)
    share = 2 / 4
    beta = share * (0.75 * (1 - 1 / share) + 1 / share)
    assert_allclose(losses.gbce_loss(right, wrong, 5, 0.75), -(beta * log_sigma(1) + log_sigma(-negatives).sum()) / 3)


def test_calibration_of_gbce_takes_over_confidence_back() -> None:
    """Trained to the optimum on an item that is positive in 3 of 10 cases, t = 1 gives its probability; t = 0 more."""
    found = {}
    for calibration in (0.0, 1.0):
        hidden = torch.zeros((1, 10), dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([hidden], lr=0.03)
        target = torch.tensor([0] * 3 + list(range(1, 8)))
        loss, generator = make_loss("gbce", negatives=1, calibration=calibration), torch.Generator().manual_seed(1)
        for _ in range(1200):
            value = loss(hidden.expand(10, 10), torch.eye(10, dtype=torch.float64), target, generator)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        found[calibration] = float(hidden[0, 0].sigmoid().detach())
    assert found[1.0] == pytest.approx(0.3, abs=0.1)
    assert found[0.0] > 0.6


def test_negatives_are_never_the_right_item_and_all_others_are_drawn() -> None:
    target = torch.tensor([0, 3, 4])
    drawn = draw_negatives(target, 5, 200, torch.Generator().manual_seed(0))
    for row, right in zip(drawn.tolist(), target.tolist(), strict=True):
        assert set(row) == set(range(5)) - {right}


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match="no loss 'hinge'"):
        make_loss("hinge")


@pytest.mark.parametrize("name", ["softmax", "sampled_softmax", "bce", "gbce", "bpr"])
def test_weights_count_each_place_so_often(name: str) -> None:
    """A position of weight 2 counts like two, one of weight 0 like none, and the mean is over all positions."""
    draw = torch.Generator().manual_seed(0)
    hidden, vectors = (torch.randn(size, 4, generator=draw, dtype=torch.float64) for size in (3, 2))
    vectors.requires_grad_()
    target, weights = torch.tensor([0, 1, 0]), torch.tensor([2.0, 0.0, 1.0], dtype=torch.float64)
    loss = make_loss(name, negatives=3)  # of two items only the other one can be sampled

    def of(rows: list[int], given: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        value = loss(hidden[rows], vectors, target[rows], torch.Generator().manual_seed(1), given)
        return value, torch.autograd.grad(value, vectors)[0]

    for found, expected in zip(of([0, 1, 2], weights), of([0, 0, 2]), strict=True):
        assert_allclose(found.detach(), expected.detach(), rtol=1e-12)
    for found, expected in zip(of([0, 1, 2], torch.ones_like(weights)), of([0, 1, 2]), strict=True):
        assert_allclose(found.detach(), expected.detach(), rtol=1e-12)
