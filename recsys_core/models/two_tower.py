r"""Two-tower model: a network for users and one for items, whose unit vectors are multiplied.

    u = tower_1(p_u + |P(u)|^-1/2 sum_{j in P(u)} y_j + A a_u)            v = tower_2(q_i + F x_i)

    s_ui = u . v / temperature        tower(e) = e' / |e'|,   e' = e + W_L relu(... W_1 e)

p_u, q_i and y_j are embeddings of users, items and history items, a_u are user attributes and x_i item features, if
there are tables. Since the item vectors do not depend on the user, all of them are computed once, and a list is a
search for the largest dot products.

A training step takes N pairs of a user and an item, and each item serves as a negative for the other pairs. Popular
items are negatives more often, so their scores would be too low; the *logQ correction* subtracts log Q_i from the
scores in the softmax, with Q_i = n_i / sum n the probability that an item of the batch is i. Then the sum over the
batch estimates that over the catalog without bias, up to a constant. Pairs of the same user, and of the same item, are
not compared. The target item is left out of the sum over its own history.

Batches hold at most `TARGETS` items of the same user, so that negatives come from many users. Training uses one core,
however many the run has: parallel sums differ in their last digits, and so would the weights.

Interaction weights act as weights in the loss (the reward of the paper): a pair has the confidence of
`models.weights`, or 0 if that is negative. The sum over a history is unweighted. An unknown user has neither p_u nor
a_u and is represented by the history; without one, too, there is no score. Only differences
between scores are trained, so an item without interactions and features gets the lowest possible score.

Source: Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", section 3.
Departures: Q_i is counted in the training data instead of estimated from a stream, and the towers have a
direct connection from input to output, so that they start as a dot product of embeddings.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from recsys_core.batches import PAD, FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.contracts import Ability, FoldIn, Knob, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.content import table_inputs
from recsys_core.models.histories import history_matrix
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

    from recsys_core.models.nets.two_tower import TwoTowerNet

TARGETS = 8
"""Maximum number of items of one user in a group; a batch consists of groups."""
FEWEST_PAIRS, FEWEST_STEPS = 32, 20
"""Minimum number of pairs per step, and of steps per epoch, if the data allow both."""


class TwoTowerConfig(NetworkConfig):
    """Settings of the two-tower model; the defaults were not tuned."""

    embedding_dim: Annotated[
        int, Field(ge=2, le=1024), Knob(16, 256, scale="log", symbol="D", label="Embedding dimension")
    ] = 64
    """Dimension of the embeddings and of the user and item vectors."""
    hidden: Annotated[int, Field(ge=2, le=4096), Knob(16, 512, scale="log", label="Hidden units")] = 128
    """Units of each hidden layer of the towers."""
    n_layers: Annotated[int, Field(ge=0, le=5), Knob(0, 3, symbol="L", label="Hidden layers")] = 1
    """Number of hidden layers of each tower; 0 multiplies the sums of embeddings and features directly."""
    features: Annotated[bool, Knob(label="Use features")] = True
    """Whether to use the features in the tables of users and items, if there are any."""
    temperature: Annotated[float, Field(gt=0, le=10), Knob(0.03, 0.3, scale="log", symbol=r"\tau")] = 0.1
    """Divides the cosine of both vectors: smaller values allow larger differences between scores."""
    log_q: Annotated[bool, Knob(label="logQ correction")] = True
    """Whether to correct the softmax for the frequency of items as negatives; without it popular items rank lower."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.5)] = 0.2
    """Dropout probability of the inputs of the towers in training."""
    epochs: Annotated[
        int, Field(ge=1, le=1000, description=EPOCHS_HELP), Knob(5, 60, scale="log", label="Maximum epochs")
    ] = 40
    patience: Annotated[
        int, Field(ge=0, le=100, description=PATIENCE_HELP.format(held_out="one item")), Knob(2, 10, advanced=True)
    ] = 4
    batch_size: Annotated[int, Field(ge=16, le=100_000), Knob(64, 4096, scale="log", advanced=True)] = 1024
    """Approximate number of user-item pairs per training step, and so of negatives per pair. It is reduced for small
    data, to about 20 steps per epoch."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(5e-4, 1e-2, scale="log")] = 2e-3
    """Step size of the Adam optimizer."""


class PairsOfGroups(NamedTuple):
    """N pairs of G groups, each of one user.

    Args:
        user: (G,) positions.
        history: Items of the histories of the groups, concatenated.
        start: (G + 1,) start of each history.
        group: (N,) group of each pair.
        item: (N,) target items, all of them in the history.
        weight: (N,) weight of each pair in the loss; None for 1.
    """

    user: "Tensor"
    history: "Tensor"
    start: "Tensor"
    group: "Tensor"
    item: "Tensor"
    weight: "Tensor | None"


class TwoTower(NetworkModel[TwoTowerConfig]):
    """Scores a pair by the cosine of a user vector and an item vector, each from its own network."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="two_tower",
        title="Two-tower",
        family="neural",
        idea="Learns a network for users and one for items, with their features, and scores a pair by the dot product.",
        formula=r"\hat{x}_{ui} = \frac{1}{\tau} u^\top v_i, \quad u = f\left(p_u + |P(u)|^{-1/2} \sum_{j \in P(u)} y_j"
        r" + A a_u\right), \quad v_i = g\left(q_i + F x_i\right)",
        source="Yi et al. 2019, section 3",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The items of the history enter as in training; the user has no embedding and no attributes.",
        runtime="torch",
        weights="Weight of each user-item pair in the training loss: its confidence, log2(1 + summed weight / median "
        "weight).",
        weighs_histories=False,
        views=("space", "tastes"),
    )
    config_type = TwoTowerConfig
    fitted = ("attributes", "content", "user_factors", "item_factors")
    net: "TwoTowerNet"

    attributes: FloatArray
    """(U, A) user attributes."""
    content: FloatArray
    """(I, F) item features."""
    user_factors: FloatArray
    """(U, D) vectors of the training users, over the temperature."""
    item_factors: FloatArray
    """(I, D) vectors of the items."""

    @classmethod
    def formula_of(cls, config: TwoTowerConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the score, without features if the settings exclude them."""
        return cls.info.formula if config.features else cls.info.formula.replace(" + A a_u", "").replace(" + F x_i", "")

    def _network(self) -> "TwoTowerNet":
        import torch

        from recsys_core.models.nets.two_tower import TwoTowerNet

        attributes, features = torch.from_numpy(self.attributes), torch.from_numpy(self.content)
        config = self.config
        return TwoTowerNet(attributes, features, config.embedding_dim, config.hidden, config.n_layers, config.dropout)

    def plan(self) -> TrainingPlan:
        """Return the training parameters."""
        return TrainingPlan(self.config.epochs, self.config.patience, self.config.learning_rate)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.attributes, self.content = table_inputs(train, wanted=self.config.features)
        self.user_factors = np.zeros((self.n_users, self.config.embedding_dim))
        self.item_factors = np.zeros((self.n_items, self.config.embedding_dim))
        self.net = self._start(ctx)
        pairs = self._training_confidence(train)
        held = Ragged(pairs.indices.astype(np.int64), pairs.indptr.astype(np.int64))
        kept, validate = self._held_back_pairs(held, ctx)
        learned = Ragged.from_keys(held.row_numbers()[kept], held.values[kept], self.n_users)
        self._silence(learned)
        self._train(learned, learned, self._unless_equal(pairs.data[kept]), self.plan(), ctx, validate)
        self._place(train)

    def _silence(self, held: Ragged) -> None:
        """Zero the initial embeddings of users and items without interactions, which are not trained."""
        import torch

        unseen = torch.from_numpy(np.bincount(held.values, minlength=self.n_items) == 0).to(self.device)
        with torch.no_grad():
            self.net.users.weight[:-1][torch.from_numpy(held.lengths == 0).to(self.device)] = 0.0
            self.net.items.weight[unseen] = 0.0
            self.net.marks.weight[unseen] = 0.0

    def _train(
        self,
        targets: Ragged,
        histories: Ragged,
        weights: FloatArray | None,
        plan: TrainingPlan,
        ctx: RunContext,
        validate: Measure | None,
    ) -> None:
        """Train on the targets of each user, which are part of the histories."""
        import torch

        from recsys_core.training.network import fit_network

        counts = np.bincount(targets.values, minlength=self.n_items)
        rates = np.log(np.maximum(counts, 1) / max(1, len(targets.values))).astype(np.float32)
        self._log_rates = torch.from_numpy(rates).to(self.device)
        size = min(self.config.batch_size, max(FEWEST_PAIRS, len(targets.values) // FEWEST_STEPS))

        def batches(rng: np.random.Generator) -> Iterator[PairsOfGroups]:
            for places, group, users in groups(targets, size, rng):
                yield self._batch(histories.take(users), users, group, targets.values[places], weights, places)

        fit_network(self.net, batches, self.loss, plan, ctx, name=self.info.key, validate=validate, threads=1)

    def _batch(
        self,
        histories: Ragged,
        users: IntArray,
        group: IntArray,
        items: IntArray,
        weights: FloatArray | None,
        places: IntArray,
    ) -> PairsOfGroups:
        import torch

        arrays = (users, histories.values, histories.offsets, group, items)
        user, history, start, row, item = (
            torch.from_numpy(np.asarray(array, dtype=np.int64)).to(self.device) for array in arrays
        )
        weight = None if weights is None else torch.from_numpy(weights[places]).to(self.device)
        return PairsOfGroups(user, history, start, row, item, weight)

    def loss(self, batch: PairsOfGroups, generator: "torch.Generator") -> "Tensor":
        """Return the in-batch softmax loss of the pairs of a batch; see the module."""
        from torch.nn import functional

        from recsys_core.models.nets.two_tower import in_batch_loss

        sums = self._history_sums(batch.history, batch.start)
        others = (batch.start.diff()[batch.group] - 1).clamp(min=1).float().rsqrt().unsqueeze(1)
        history = (functional.embedding(batch.group, sums) - self.net.marks(batch.item)) * others
        user = batch.user[batch.group]
        scores = self.net.of_users(user, history) @ self.net.of_items(batch.item).T / self.config.temperature
        same = (user.unsqueeze(1) == user) | (batch.item.unsqueeze(1) == batch.item)
        return in_batch_loss(scores, self._log_rates[batch.item], same, batch.weight, corrected=self.config.log_q)

    def _history_sums(self, items: "Tensor", start: "Tensor") -> "Tensor":
        """Return (B, D) the sum of y_j over each history."""
        from torch.nn import functional

        sums: Tensor = functional.embedding_bag(
            items, self.net.marks.weight, start, mode="sum", include_last_offset=True
        )
        return sums

    def _place(self, data: Dataset) -> None:
        """Store the vectors of the training users and of all items, for views of the latent space."""
        self.user_factors = self.factors_of(data.queries())[1]
        self.item_factors = self._item_vectors()

    def _item_vectors(self) -> FloatArray:
        """(I, D) vectors of all items, float64; 0 for items of which nothing is known."""
        import torch

        everything = torch.arange(self.n_items, device=self.device)
        with torch.inference_mode():
            vectors = self.net.of_items(everything)
            vectors = vectors * self.net.item_inputs(everything).any(dim=1, keepdim=True)
        return vectors.cpu().numpy().astype(np.float64)

    def factors_of(self, query: QueryBatch) -> tuple[FloatArray, FloatArray]:
        """(B,) zeros and (B, D) the vectors of the users of a query, over the temperature; 0 if nothing is known."""
        import torch

        held = history_matrix(query, self.n_items, "binary")
        lengths = np.maximum(np.diff(held.indptr), 1).astype(np.float32)
        user = np.where(query.user == PAD, self.n_users, query.user).astype(np.int64)
        items, start, user_tensor = (
            torch.from_numpy(array.astype(np.int64)).to(self.device) for array in (held.indices, held.indptr, user)
        )
        with torch.inference_mode():
            scale = torch.from_numpy(lengths).to(self.device).rsqrt().unsqueeze(1)
            history = self._history_sums(items, start) * scale
            vectors = self.net.of_users(user_tensor, history)
            vectors = vectors * self.net.user_inputs(user_tensor, history).any(dim=1, keepdim=True)
        return np.zeros(len(query)), vectors.cpu().numpy().astype(np.float64) / self.config.temperature

    def _score(self, query: QueryBatch) -> FloatArray:
        users, items = self.factors_of(query)[1], self._item_vectors()
        scores: FloatArray = users @ items.T
        scores[:, ~items.any(axis=1)] = -1.0 / self.config.temperature
        scores[~users.any(axis=1)] = np.nan
        return scores

    def _tables(self, users: int, items: int) -> Mapping[str, int]:
        return {"users.weight": users, "items.weight": items, "marks.weight": items}

    def _make_room(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Keep the features of the training data: new users and items have zero features."""
        self.attributes = np.pad(self.attributes, ((0, self.n_users - len(self.attributes)), (0, 0)))
        self.content = np.pad(self.content, ((0, self.n_items - len(self.content)), (0, 0)))

    def _learn_on(
        self, before: Dataset, new: Dataset, plan: TrainingPlan, ctx: RunContext, validate: Measure | None
    ) -> None:
        fresh, both = self._training_confidence(new), concatenated(before, new)
        whole = both.matrix("binary")
        targets, histories = (
            Ragged(matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)) for matrix in (fresh, whole)
        )
        self._train(targets, histories, self._unless_equal(fresh.data), plan, ctx, validate)
        self.net.eval()
        self._place(both)

    @classmethod
    def memory_estimate(cls, config: TwoTowerConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the weights (with gradients, moments, best ones), of one batch and of the pairs."""
        weights = (n_users + 2 * n_items) * config.embedding_dim
        per_user = n_interactions // max(1, n_users)
        batch = config.batch_size * (4 * config.hidden + per_user * config.embedding_dim // TARGETS + config.batch_size)
        return 4 * (8 * weights + 4 * batch) + 60 * n_interactions

    @classmethod
    def work_estimate(cls, config: TwoTowerConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: both towers, the scores of a batch, and the sums over histories."""
        towers = 4.0 * config.embedding_dim * config.hidden * max(1, config.n_layers)
        scores = config.batch_size * (config.embedding_dim + 10.0)
        sums = 2.0 * n_interactions / max(1, n_users) * config.embedding_dim / TARGETS
        return config.epochs * n_interactions * (towers + scores + sums) / 5.0


def groups(targets: Ragged, size: int, rng: np.random.Generator) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Yield all targets in random batches: their places (N,), the group of each (N,), and the user of each group (G,).

    Args:
        targets: Target items of each user.
        size: Approximate number of pairs of a batch.
        rng: Source of randomness.
    """
    rows = targets.row_numbers()
    shuffled = np.lexsort((rng.random(len(rows)), rows))  # by user, in random order within a user
    within = np.arange(len(rows)) - np.repeat(targets.offsets[:-1], targets.lengths)
    starts = np.flatnonzero(within % TARGETS == 0)
    lengths = np.diff(np.append(starts, len(rows)))
    order = rng.permutation(len(starts))
    ends = np.cumsum(lengths[order])
    number = (ends - 1) // size
    for chosen in np.split(order, np.flatnonzero(np.diff(number)) + 1):
        if len(chosen):
            part = Ragged(shuffled, np.append(starts, len(rows))).take(chosen)
            yield part.values, part.row_numbers(), rows[starts[chosen]]
