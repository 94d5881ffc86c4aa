r"""Mult-VAE: a variational autoencoder of histories with a multinomial likelihood.

The history x of a user, 1 for each of its items, is encoded as a normal distribution over a latent vector z, which is
decoded into a distribution over all items:

    h = tanh(W x / |x| + c)        mu, log sigma^2 = M h + m        z ~ N(mu, sigma^2)
    s = V tanh(U z + d) + b        pi = softmax(s)

Training maximizes the evidence lower bound with a weight beta of the divergence from the prior,

    E_z [sum_i x_i log pi_i] - beta KL(N(mu, sigma^2) || N(0, I))

by one sample of z per user and step, with dropout on the input. beta rises linearly from 0 to its final value over
`anneal_epochs`. The score of an item is s_i at z = mu, so an unknown user is scored exactly like a training user; with
an empty history, by what an empty input gives.

Interactions with weights: x is the confidence c of `models.weights`, or 0 if that is negative, in training and in the
histories of queries.

If the experiment has no validation set, one item of up to 1,000 users is held out of training for early stopping.

Source: Liang, Krishnan, Hoffman and Jebara 2018, "Variational Autoencoders for Collaborative Filtering", eq. 2 to 4 and
section 2.2 (annealing), with the sizes of section 4 (600 and 200 units, dropout 0.5, beta 0.2).
Departure: beta rises over epochs instead of 200,000 steps, which small data never reach.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.contracts import Ability, FoldIn, Knob, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.network_model import (
    EPOCHS_HELP,
    PATIENCE_HELP,
    Measure,
    NetworkConfig,
    NetworkModel,
    concatenated,
)
from recsys_core.training.plan import TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recsys_core.models.nets.mult_vae import MultVaeNet


class MultVaeConfig(NetworkConfig):
    """Settings of Mult-VAE."""

    embedding_dim: Annotated[
        int, Field(ge=2, le=2048), Knob(32, 256, scale="log", symbol="D", label="Latent dimension")
    ] = 200
    """Dimension of the latent vector z; 200 in Liang et al. 2018."""
    hidden: Annotated[int, Field(ge=2, le=4096), Knob(100, 1000, scale="log", label="Hidden units")] = 600
    """Units of the hidden layers of encoder and decoder; 600 in Liang et al. 2018."""
    kl_weight: Annotated[float, Field(ge=0, le=10), Knob(0.0, 1.0, symbol=r"\beta", label="KL weight")] = 0.2
    """Final weight of the KL divergence; 1 is the evidence lower bound, smaller values regularize less. The paper finds
    0.2 best on MovieLens-20M."""
    anneal_epochs: Annotated[int, Field(ge=0, le=10_000), Knob(0, 200, label="Annealing epochs")] = 50
    """Number of epochs over which the KL weight rises from 0 to its final value; 0 has no annealing."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.7)] = 0.5
    """Probability with which an item of the input is dropped in training."""
    epochs: Annotated[
        int, Field(ge=1, le=1000, description=EPOCHS_HELP), Knob(10, 200, scale="log", label="Maximum epochs")
    ] = 200
    patience: Annotated[
        int, Field(ge=0, le=100, description=PATIENCE_HELP.format(held_out="one item")), Knob(2, 20, advanced=True)
    ] = 10
    batch_size: Annotated[int, Field(ge=1, le=100_000), Knob(16, 1000, scale="log", advanced=True)] = 200
    """Number of users per training step; 500 in Liang et al. 2018, on data with 20 times as many users as ML-1M."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(3e-4, 5e-3, scale="log")] = 1e-3
    """Step size of the Adam optimizer."""


class VaeBatch(NamedTuple):
    """Histories of B users with N items in all: `items`, `rows` and `values` (N,), `offsets` (B + 1,)."""

    items: "Tensor"
    rows: "Tensor"
    offsets: "Tensor"
    values: "Tensor"

    def on(self, device: "torch.device") -> "VaeBatch":
        """Return the batch on a device."""
        return VaeBatch(*(part.to(device) for part in self))


class MultVae(NetworkModel[MultVaeConfig]):
    """Scores the items by the decoder at the mean of the encoded history."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="mult_vae",
        title="Mult-VAE",
        family="neural",
        idea="Encodes the history as a latent vector and decodes it into a distribution over all items.",
        formula=r"s_i = v_i^\top \tanh(U \mu(x_u) + d) + b_i, \quad"
        r" \mathcal{L} = \mathbb{E}_z\Big[\sum_i x_{ui} \log \mathrm{softmax}(s)_i\Big]"
        r" - \beta \, \mathrm{KL}\big(\mathcal{N}(\mu, \sigma^2) \,\|\, \mathcal{N}(0, I)\big)",
        source="Liang et al. 2018, eq. 2 to 4",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        runtime="torch",
        weights="The input and the likelihood use log2(1 + weight / median weight) of each item of a history.",
        same_on_any_cores=False,
        fold_in=FoldIn.EXACT,
        views=("space",),
    )
    config_type = MultVaeConfig
    net: "MultVaeNet"

    def _network(self) -> "MultVaeNet":
        from recsys_core.models.nets.mult_vae import MultVaeNet

        config = self.config
        return MultVaeNet(self.n_items, config.embedding_dim, config.hidden, config.dropout)

    def plan(self) -> TrainingPlan:
        """Return the training parameters."""
        return TrainingPlan(self.config.epochs, self.config.patience, self.config.learning_rate)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.net = self._start(ctx)
        inputs = _at_least_zero(self._training_confidence(train))
        held = Ragged(inputs.indices.astype(np.int64), inputs.indptr.astype(np.int64))
        weights = None if np.isnan(self.weight_unit) else train.matrix("count").data
        kept, validate = self._held_back_pairs(held, ctx, weights)
        learned = Ragged.from_keys(held.row_numbers()[kept], held.values[kept], len(held))
        self._train(learned, inputs.data[kept], self.plan(), ctx, validate)

    def _train(
        self, histories: Ragged, values: FloatArray, plan: TrainingPlan, ctx: RunContext, validate: Measure | None
    ) -> None:
        """Train on histories (U rows), whose items have the inputs `values` (N,)."""
        from recsys_core.training.network import fit_network

        users = np.flatnonzero(histories.lengths)
        size = self.config.batch_size
        by_user = Ragged(values.astype(np.float32), histories.offsets)
        anneal_steps = self.config.anneal_epochs * -(-len(users) // size)
        beta = _Annealed(self.config.kl_weight, anneal_steps)

        def batches(rng: np.random.Generator) -> Iterator[VaeBatch]:
            order = rng.permutation(users)
            for first in range(0, len(order), size):
                chosen = order[first : first + size]
                yield batch_of(histories.take(chosen), by_user.take(chosen).values).on(self.device)

        def loss_of(batch: VaeBatch, generator: "torch.Generator") -> "Tensor":
            return self.loss(batch, beta.value, generator)

        fit_network(
            self.net, batches, loss_of, plan, ctx, name=self.info.key, validate=validate, before_step=beta.at_step
        )

    def loss(self, batch: VaeBatch, beta: float, generator: "torch.Generator") -> "Tensor":
        """Return the mean negative evidence lower bound per user, with weight `beta` of the divergence."""
        import torch

        from recsys_core.models.nets.mult_vae import divergence, multinomial_loss

        mean, log_variance = self.net.encode(batch.items, batch.offsets, batch.values)
        noise = torch.empty_like(mean).normal_(generator=generator)
        scores = self.net.scores(mean + (0.5 * log_variance).exp() * noise)
        fit = multinomial_loss(scores, batch.rows, batch.items, batch.values)
        return (fit + beta * divergence(mean, log_variance).sum()) / len(mean)

    def _score(self, query: QueryBatch) -> FloatArray:
        import torch

        with torch.inference_mode():
            scores: FloatArray = self.net.scores(self._latent(query)).cpu().numpy()
        return scores

    def _latent(self, query: QueryBatch) -> "Tensor":
        """Return (B, D) mu of the histories."""
        inputs = _at_least_zero(self._history_confidence(query))
        histories = Ragged(inputs.indices.astype(np.int64), inputs.indptr.astype(np.int64))
        batch = batch_of(histories, inputs.data.astype(np.float32)).on(self.device)
        return self.net.encode(batch.items, batch.offsets, batch.values)[0]

    @property
    def item_factors(self) -> FloatArray:
        """(I, H) the vectors v of the items, for views of the latent space."""
        factors: FloatArray = self.net.decoder.detach().cpu().numpy()
        return factors

    def factors_of(self, query: QueryBatch) -> tuple[FloatArray, FloatArray]:
        """(B,) zeros and (B, H) the last hidden layer of the decoder, whose product with v_i is the score less b_i."""
        import torch

        with torch.inference_mode():
            return np.zeros(len(query)), self.net.decoded(self._latent(query)).cpu().numpy().astype(np.float64)

    def _tables(self, users: int, items: int) -> Mapping[str, int]:
        return {"encoder": items, "decoder": items, "decoder_bias": items}

    def _learn_on(
        self, before: Dataset, new: Dataset, plan: TrainingPlan, ctx: RunContext, validate: Measure | None
    ) -> None:
        """Train on the whole histories of the users with new interactions."""
        both = concatenated(before, new)
        fresh = np.zeros(new.n_users, dtype=bool)
        fresh[new.queries().history.row_numbers()] = True
        inputs = _at_least_zero(self._training_confidence(both))
        rows = np.repeat(np.arange(new.n_users), np.diff(inputs.indptr))
        kept = fresh[rows]
        histories = Ragged.from_keys(rows[kept], inputs.indices[kept].astype(np.int64), new.n_users)
        self._train(histories, inputs.data[kept], plan, ctx, validate)

    @classmethod
    def memory_estimate(cls, config: MultVaeConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the histories, of eight copies of the weights, and of scores and gradients of a batch."""
        weights = n_items * (2 * config.hidden + 1) + 3 * config.hidden * config.embedding_dim
        batch = min(config.batch_size, n_users) * (3 * n_items + 6 * (config.hidden + config.embedding_dim))
        return 4 * (8 * weights + batch) + 60 * n_interactions

    @classmethod
    def work_estimate(cls, config: MultVaeConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: decoding to all items, and summing the items of the histories."""
        dense = n_users * n_items * (4.0 + 0.15 * config.hidden) + 0.6 * n_users * config.hidden * config.embedding_dim
        return config.epochs * (dense + 2.0 * n_interactions * config.hidden)


class _Annealed:
    """A weight that rises linearly with the number of steps; `value` is that of the current step."""

    def __init__(self, final: float, steps: int) -> None:
        self.final, self.steps = final, steps
        self.value = final

    def at_step(self, done: int) -> None:
        """Set the value after `done` steps."""
        self.value = self.final * min(1.0, done / self.steps) if self.steps else self.final


def batch_of(histories: Ragged, values: FloatArray) -> VaeBatch:
    """Return histories (B rows) with their inputs (N,) float32 as tensors."""
    import torch

    return VaeBatch(
        torch.from_numpy(histories.values),
        torch.from_numpy(histories.row_numbers()),
        torch.from_numpy(np.asarray(histories.offsets, dtype=np.int64)),
        torch.from_numpy(values),
    )


def _at_least_zero(matrix: csr_array) -> csr_array:
    """Return the matrix with negative entries set to 0."""
    data: FloatArray = np.maximum(matrix.data, 0)
    indices: IntArray = matrix.indices
    return csr_array((data, indices, matrix.indptr), shape=matrix.shape)
