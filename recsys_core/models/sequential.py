"""Base class of all sequence models: training, scoring, and incremental updates.

Each position of a history predicts the next item, in one pass over the history; the score of an item is the dot product
of the last hidden vector and the item's embedding (input and output embeddings are tied).

Interaction weights act as weights in the loss: the prediction of an interaction has weight c, the confidence of
`models.weights`, or 0 if that is negative. The encoding of a history does not depend on weights.

If the experiment has no validation set, the last item of up to 1,000 users is held out of training for early stopping;
see `network_model`.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from recsys_core.columns import TIMESTAMP, USER
from recsys_core.contracts import BoolArray, FloatArray, IntArray, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.network_model import Measure, NetworkModel
from recsys_core.models.sequence_config import SequenceConfig
from recsys_core.models.sequence_costs import NUMBER, bytes_beside_reading, places_of, read_places, scoring_work
from recsys_core.training.plan import TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Batch, Sequences

TOKENS_A_BLOCK = 16_384
"""Maximum number of positions scored at a time."""
KEPT_A_PLACE = 24
"""Number of D-dimensional activations per position that backpropagation keeps, unless a model says otherwise."""
ITEM_TABLE = "items.weight"
LOSS_SOURCES = {
    "softmax": "",
    "sampled_softmax": "; loss: Jean et al. 2015, eq. 10",
    "bce": "; loss: Klenitskiy and Vasilev 2023, eq. 2",
    "gbce": "; loss: Petrov and Macdonald 2023, eq. 12 and 16",
    "bpr": "; loss: Rendle et al. 2009, section 4.1",
}
"""Source of each training loss, as in `training.losses`."""


C = TypeVar("C", bound=SequenceConfig)


class SequenceModel(NetworkModel[C]):
    """A network that reads a history in order and scores all items as the next one.

    A subclass defines `info`, `config_type` and `_network`; the network has `items`, an embedding of `n_items` + 1 rows
    (the last row is padding, and zero), and `forward(tokens (B, T)) -> (B, T, D)`, where position t depends on tokens
    0..t alone. Further arrays of a network are computed in `_prepare` and named in `fitted`.
    """

    weight_averaging: ClassVar[float] = 0.99
    """See `TrainingPlan.averaging`: a mean over about 100 steps, which reduces the variance of validation."""

    @abstractmethod
    def _network(self) -> "nn.Module":
        """Return a new network; see the class."""

    def _prepare(self, histories: Ragged, ctx: RunContext) -> None:
        """Compute the arrays in `fitted` that the network needs, from the training targets alone."""

    def _training_loss(self, net: "nn.Module", batch: "Batch", loss: "Loss", generator: "torch.Generator") -> "Tensor":
        """Return the loss of a batch: by default the weighted mean over all positions with a target."""
        hidden = self._hidden(net, batch)[batch.mask]
        return loss(hidden, self._item_vectors(net), batch.targets[batch.mask], generator, batch.target_weights)

    def _hidden(self, net: "nn.Module", batch: "Batch") -> "Tensor":
        """Return (B, T, D) the hidden state after each position."""
        hidden: Tensor = net(batch.tokens)
        return hidden

    def _final(self, net: "nn.Module", batch: "Batch") -> "Tensor":
        """Return (B, D) the hidden state after the last item of each history; histories must not be empty."""
        import torch

        return self._hidden(net, batch)[torch.arange(len(batch.lengths)), batch.lengths - 1]

    def _item_vectors(self, net: "nn.Module") -> "Tensor":
        """Return (I, D) the item embeddings that hidden states are multiplied with."""
        vectors: Tensor = net.get_parameter(ITEM_TABLE)[: self.n_items]
        return vectors

    def _scores_of_batch(self, net: "nn.Module", batch: "Batch") -> "Tensor":
        """Return (B, I) scores of all items as the next one."""
        return self._final(net, batch) @ self._item_vectors(net).T

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        from recsys_core.training.sequences import Sequences

        query = train.queries()
        learn, validate = self._held_back(query, ctx)
        self._prepare(query.history if learn is None else query.only(learn).history, ctx)
        self.net = self._start(ctx)
        weights = self._loss_weights(query.weights)
        sequences = Sequences(query.history, self.n_items, self.config.max_length, query.timestamps, learn, weights)
        self._train(sequences, self.plan(), ctx, validate)

    def plan(self) -> TrainingPlan:
        """Return the training parameters, with a running mean of the weights."""
        config = self.config
        return TrainingPlan(config.epochs, config.patience, config.learning_rate, averaging=self.weight_averaging)

    def _train(
        self,
        sequences: "Sequences",
        plan: TrainingPlan,
        ctx: RunContext,
        validate: Measure | None,
        *,
        start_counts: bool = False,
    ) -> None:
        from recsys_core.training.losses import make_loss
        from recsys_core.training.network import fit_network

        rows = sequences.trainable()
        if not len(rows) and self.n_items > 1:
            raise DataError(
                f"{self.info.title} learns from consecutive items, but no user in the training data has at least two "
                "items; provide longer histories, or choose a model that does not use the order of items."
            )
        loss = make_loss(self.config.loss, negatives=self.config.negatives, calibration=self.config.calibration)

        def batches(rng: np.random.Generator) -> Iterator["Batch"]:
            return sequences.batches(rows, self.config.batch_size, rng)

        def loss_of(batch: "Batch", generator: "torch.Generator") -> "Tensor":
            return self._training_loss(self.net, batch, loss, generator)

        name = self.info.key
        fit_network(self.net, batches, loss_of, plan, ctx, name=name, validate=validate, start_counts=start_counts)

    def _held_back(self, query: QueryBatch, ctx: RunContext) -> tuple[BoolArray | None, Measure | None]:
        """Return which items are training targets (None: all), and the validation after each epoch (None: none).

        The run validates if it has a validation set; else the last items of users are held out for it.
        """
        if ctx.validate is not None:
            return None, lambda: self._measured(ctx)
        history = query.history
        users = self._held_back_users(history.lengths, _last_is_once(history), ctx)
        if not self.config.patience or not len(users):
            return None, None
        lasts = history.offsets[1:][users] - 1
        learn = np.ones(len(history.values), dtype=bool)
        learn[lasts] = False
        return learn, self._finds(_without_last(query.take(users)), history.values[lasts])

    def as_read(self, query: QueryBatch) -> QueryBatch:
        """Return the query with histories truncated to the maximum sequence length."""
        offsets = query.history.offsets
        age = np.repeat(offsets[1:], query.history.lengths) - np.arange(len(query.values))
        return query.only(age <= self.config.max_length)

    def _score(self, query: QueryBatch) -> FloatArray:
        import torch

        from recsys_core.training.sequences import query_batch

        scores: FloatArray = np.full((len(query), self.n_items), np.nan, dtype=np.float32)
        with torch.inference_mode():
            for rows in self._blocks(query.history.lengths):
                batch = query_batch(query, self.n_items, self.config.max_length, rows)
                scores[rows] = self._scores_of_batch(self.net, batch).numpy()
        return scores

    def _blocks(self, lengths: IntArray) -> Iterator[IntArray]:
        """Yield blocks of rows with a history, grouped by length."""
        read = np.minimum(lengths, self.config.max_length)
        order = np.argsort(read, kind="stable")
        order = order[read[order] > 0]
        start = 0
        while start < len(order):
            end = start + 1
            while end < len(order) and read[order[end]] * (end + 1 - start) <= TOKENS_A_BLOCK:
                end += 1
            yield order[start:end]
            start = end

    def _tables(self, users: int, items: int) -> Mapping[str, int]:
        return {ITEM_TABLE: items}

    def _learn_on(
        self, before: Dataset, new: Dataset, plan: TrainingPlan, ctx: RunContext, validate: Measure | None
    ) -> None:
        from recsys_core.training.sequences import Sequences

        history, times, learn, weights = _joined(before, new)
        sequences = Sequences(history, self.n_items, self.config.max_length, times, learn, self._loss_weights(weights))
        if len(sequences.trainable()):  # else no new item has a predecessor
            self._train(sequences, plan, ctx, validate, start_counts=True)

    @classmethod
    def source_of(cls, config: C) -> str:
        """Return the source, with that of a training loss other than the default."""
        return cls.info.source + LOSS_SOURCES[config.loss]

    @classmethod
    def memory_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of data, embeddings and scores, and of the activations of a batch."""
        kept = NUMBER * places_of(config, n_interactions) * config.embedding_dim * KEPT_A_PLACE
        return bytes_beside_reading(config, n_items, n_interactions) + kept

    @classmethod
    def work_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: at each position the item scores, and some D x D products."""
        work = scoring_work(config, n_items) + 0.6 * config.embedding_dim**2
        return config.epochs * read_places(config, n_users, n_interactions) * work


def _last_is_once(histories: Ragged) -> BoolArray:
    """Return (U,) whether the last item of each row occurs only once in it; False for empty rows."""
    rows = histories.row_numbers()
    last = histories.values[histories.offsets[1:] - 1]
    same = histories.values == last[rows]
    once: BoolArray = np.bincount(rows[same], minlength=len(histories)) == 1
    return once


def _without_last(query: QueryBatch) -> QueryBatch:
    """Return the query without the last item of each history; histories must not be empty."""
    kept = np.ones(len(query.values), dtype=bool)
    kept[query.history.offsets[1:] - 1] = False
    return query.only(kept)


def _joined(before: Dataset, new: Dataset) -> tuple[Ragged, IntArray | None, BoolArray, FloatArray | None]:
    """Return the concatenated histories, timestamps, a mask of new items, and weights; None unless both have them."""
    parts = [data.queries() for data in (before, new)]
    counts = [np.bincount(data.interactions[USER], minlength=new.n_users) for data in (before, new)]
    keys = np.concatenate([np.repeat(np.arange(new.n_users), count) for count in counts])
    values = np.concatenate([part.history.values for part in parts])
    is_new = np.repeat([False, True], [len(part.history.values) for part in parts])
    history = Ragged.from_keys(keys, values, new.n_users)
    learn = Ragged.from_keys(keys, is_new, new.n_users).values
    times = None
    if all(TIMESTAMP in data.columns for data in (before, new)):
        joined = np.concatenate([part.timestamps for part in parts if part.timestamps is not None])
        times = Ragged.from_keys(keys, joined, new.n_users).values
    weights = None
    if all(part.weights is not None for part in parts):
        both = np.concatenate([part.weights for part in parts if part.weights is not None])
        weights = Ragged.from_keys(keys, both, new.n_users).values
    return history, times, learn, weights
