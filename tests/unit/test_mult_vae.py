"""Mult-VAE: its loss by hand, the schedule of the divergence, held-out items, and the latent space."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from recsys_core.contracts import Ragged, RunContext
from recsys_core.models.mult_vae import MultVae, MultVaeConfig, VaeBatch, batch_of
from recsys_core.models.nets.mult_vae import MultVaeNet, divergence, multinomial_loss
from tests.contract.cases import asking, tastes

SMALL: dict[str, Any] = {"embedding_dim": 4, "hidden": 8, "epochs": 4, "batch_size": 20}


class Watched(MultVae):
    """Records the weight of the divergence and the batch of each step."""

    def __init__(self, config: MultVaeConfig) -> None:
        super().__init__(config)
        self.betas: list[float] = []
        self.batches: list[VaeBatch] = []

    def loss(self, batch: VaeBatch, beta: float, generator: torch.Generator) -> Tensor:
        self.betas.append(beta)
        self.batches.append(batch)
        return super().loss(batch, beta, generator)


class Kept:
    """Checkpoints in memory."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] | None = None

    def save(self, arrays: Any) -> None:
        self.arrays = {name: np.array(array) for name, array in arrays.items()}

    def load(self) -> dict[str, NDArray[Any]] | None:
        return self.arrays


def watched(ctx: RunContext | None = None, **config: Any) -> Watched:
    model = Watched(MultVaeConfig.model_validate(SMALL | {"patience": 0} | config))
    model.fit(tastes(), ctx or RunContext())
    return model


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    mean, log_variance = torch.randn(3, 5), torch.randn(3, 5)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)
    assert divergence(torch.zeros(1, 5), torch.zeros(1, 5)).item() == 0.0


def test_the_likelihood_by_hand() -> None:
    """Scores log(1, 2, 1) give shares 1/4, 1/2, 1/4. x = (0, 1, 2): -log(1/2) - 2 log(1/4) = log 2 + 2 log 4."""
    scores = torch.log(torch.tensor([[1.0, 2.0, 1.0], [3.0, 1.0, 4.0]]))
    rows, items, values = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 0]), torch.tensor([1.0, 2.0, 1.0])
    expected = np.log(2) + 2 * np.log(4) + np.log(8 / 3)
    assert multinomial_loss(scores, rows, items, values).item() == pytest.approx(expected)


def test_the_loss_is_the_evidence_lower_bound_written_out_in_numpy() -> None:
    """Dropout off; the sample is drawn from the same generator. Histories [0, 2] with x = (1, 2), and [1]."""
    model = watched(dropout=0.0, epochs=1)
    net: MultVaeNet = model.net.eval()
    batch = batch_of(Ragged.from_rows([[0, 2], [1]]), np.array([1.0, 2.0, 1.0], dtype=np.float32))
    found = model.loss(batch, 0.3, torch.Generator().manual_seed(5)).item()
    noise = torch.empty(2, 4).normal_(generator=torch.Generator().manual_seed(5)).numpy()
    weight = {name: array.detach().numpy().astype(np.float64) for name, array in net.state_dict().items()}
    x = np.zeros((2, 150))
    x[0, [0, 2]], x[1, 1] = (1, 2), 1
    h = np.tanh(x / np.linalg.norm(x, axis=1, keepdims=True) @ weight["encoder"] + weight["encoder_bias"])
    moments = h @ weight["moments.weight"].T + weight["moments.bias"]
    mu, log_variance = moments[:, :4], moments[:, 4:]
    z = mu + np.exp(log_variance / 2) * noise
    hidden = np.tanh(z @ weight["decoder_hidden.weight"].T + weight["decoder_hidden.bias"])
    s = hidden @ weight["decoder"].T + weight["decoder_bias"]
    log_share = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
    kl = 0.5 * (mu**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)
    assert found == pytest.approx((-(x * log_share).sum(axis=1) + 0.3 * kl).mean(), rel=1e-5)


def test_the_score_is_decoded_from_the_mean_and_an_empty_history_has_one() -> None:
    model = watched(epochs=1)
    query = asking([[3, 5, 9], []])
    latent = model.net.encode(torch.tensor([3, 5, 9]), torch.tensor([0, 3, 3]), torch.ones(3))[0]
    assert_allclose(model.score(query), model.net.scores(latent).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert np.isfinite(model.score(query)[1]).all()
    bias = model.net.decoder_bias.detach().numpy()
    assert_allclose(model.factors_of(query)[1] @ model.item_factors.T + bias, model.score(query), rtol=1e-4, atol=1e-5)


def test_the_weight_of_the_divergence_rises_linearly_over_the_epochs() -> None:
    """Three steps per epoch (60 users in batches of 20); two epochs of annealing take six steps."""
    model = watched(kl_weight=0.6, anneal_epochs=2)
    assert model.betas == pytest.approx([0.6 * min(1.0, step / 6) for step in range(12)])
    assert watched(kl_weight=0.6, anneal_epochs=0).betas == [0.6] * 12


def test_a_resumed_training_goes_on_with_the_schedule_and_ends_alike() -> None:
    kept = Kept()
    settings: dict[str, Any] = {"kl_weight": 0.6, "anneal_epochs": 4}
    watched(RunContext(checkpoints=kept), epochs=2, **settings)
    resumed = watched(RunContext(checkpoints=kept), **settings)
    whole = watched(**settings)
    assert resumed.betas == pytest.approx([0.6 * step / 12 for step in range(6, 12)])
    for name, array in whole.state().items():
        assert_array_equal(resumed.state()[name], array, err_msg=name)


def test_held_out_items_are_neither_input_nor_target() -> None:
    entries = tastes().n_interactions
    every, part = watched(epochs=1), watched(epochs=1, patience=3)
    assert sum(len(batch.items) for batch in every.batches) == entries
    assert sum(len(batch.items) for batch in part.batches) == entries - 60


def test_a_resampled_input_drops_items_in_training_only() -> None:
    net = MultVaeNet(50, 4, 8, 0.5)
    history = torch.arange(40), torch.tensor([0, 40]), torch.ones(40)
    assert not torch.equal(net.encode(*history)[0], net.encode(*history)[0])
    net.eval()
    assert torch.equal(net.encode(*history)[0], net.encode(*history)[0])
