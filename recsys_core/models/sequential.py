"""What every model shares that reads a history in order with a network: training, scoring, and learning on.

Each place of a history predicts the item that follows, in one pass over the history; the score of an item is the
product of the hidden vector of the last place with the item's vector, the same that is used where the item is read.

The weight of an interaction (a purchase tells more than a view) is the weight of its prediction in the loss: the place
before it counts c, the confidence of `models.weights`, and 0 where that is negative. How a history is read does not
depend on weights.

Where the experiment has no validation part, the last item of each user, of 1,000 users at most, is held back from the
training for early stopping; see `network_model`.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

import numpy as np
from pydantic import Field

from recsys_core.columns import TIMESTAMP, USER
from recsys_core.contracts import BoolArray, FloatArray, IntArray, Knob, ModelConfig, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.network_model import Measure, NetworkModel
from recsys_core.models.sequence_costs import NUMBER, bytes_beside_reading, places_of, read_places, scoring_work
from recsys_core.training.plan import LossName, TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Batch, Sequences

TOKENS_A_BLOCK = 16_384
"""So many places are scored at a time."""
KEPT_A_PLACE = 24
"""Vectors of the width that a network keeps for each place until it has learned from it, unless it says otherwise."""
ITEM_TABLE = "items.weight"


class SequenceConfig(ModelConfig):
    """Settings of all sequence models; a model gives its own defaults by declaring a field again.

    Their help says which defaults stand in a paper; no search for the others is on record.
    """

    width: Annotated[int, Field(ge=4, le=1024), Knob(16, 256, scale="log", symbol="D")] = 128
    """Numbers in the vector of an item, and in the state of the network."""
    window: Annotated[int, Field(ge=2, le=2000), Knob(20, 200, scale="log")] = 200
    """So many of the latest items of a history are read (Kang and McAuley 2018 take 200 on ML-1M; not searched)."""
    loss: Annotated[LossName, Knob()] = "softmax"
    """What training makes small; all items at once, or a few sampled ones, which is faster with a very large catalogue
    (Klenitskiy and Vasilev 2023 find all items at once best)."""
    negatives: Annotated[int, Field(ge=1, le=4096), Knob(16, 512, scale="log", advanced=True)] = 256
    """Items sampled against each right one; the loss over all items does not use it (gSASRec takes 256 on ML-1M; not
    searched)."""
    calibration: Annotated[float, Field(ge=0, le=1), Knob(0.0, 1.0, symbol="t", advanced=True)] = 0.75
    """How far 'gbce' takes back the over-confidence of few negatives (gSASRec: 0.75)."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.5)] = 0.2
    """Share of the numbers that are left out at random in training."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(10, 200, scale="log")] = 100
    """Most passes through all histories: a bound, since validation ends most trainings before."""
    patience: Annotated[int, Field(ge=0, le=100), Knob(2, 20, advanced=True)] = 10
    """Early stopping: training ends when the smoothed log-rank score on the validation users has not increased for this
    many epochs, and keeps the weights of the best epoch, averaged in the same way. Without a validation part, the last
    item of up to 1,000 users is held back for it. 0 trains to the last epoch."""
    batch_size: Annotated[int, Field(ge=1, le=4096), Knob(16, 256, scale="log", advanced=True)] = 64
    """Histories in one step of training (not searched; Kang and McAuley 2018 take 128)."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(3e-4, 5e-3, scale="log")] = 1e-3
    """Length of each step against the gradient (Adam; not searched; Kang and McAuley 2018 take 0.001, too)."""


C = TypeVar("C", bound=SequenceConfig)


class SequenceModel(NetworkModel[C]):
    """A network that reads a history in order and scores all items as the next one.

    A subclass gives `info`, `config_type` and `_network`; the network has `items`, an embedding of `n_items` + 1 rows
    (the last one is padding, and zero), and `forward(tokens (B, T)) -> (B, T, D)`, where place t depends on tokens
    0..t alone. What a network needs beside its weights is made in `_prepare`, as arrays named in `fitted`.
    """

    weight_averaging: ClassVar[float] = 0.99
    """See `TrainingPlan.averaging`: a mean over about a hundred steps, so that validation varies less by chance."""

    @abstractmethod
    def _network(self) -> "nn.Module":
        """Return a new network; see the class."""

    def _prepare(self, histories: Ragged, ctx: RunContext) -> None:
        """Make the arrays in `fitted` that the network needs beside its weights, of what is learned from alone."""

    def _training_loss(self, net: "nn.Module", batch: "Batch", loss: "Loss", generator: "torch.Generator") -> "Tensor":
        """Return the loss of a batch: by default the weighted mean over all places that have an item to predict."""
        hidden = self._hidden(net, batch)[batch.mask]
        return loss(hidden, self._item_vectors(net), batch.targets[batch.mask], generator, batch.target_weights)

    def _hidden(self, net: "nn.Module", batch: "Batch") -> "Tensor":
        """Return (B, T, D) the state after each place."""
        hidden: Tensor = net(batch.tokens)
        return hidden

    def _final(self, net: "nn.Module", batch: "Batch") -> "Tensor":
        """Return (B, D) the state after the last item of each history; none of them is empty."""
        import torch

        return self._hidden(net, batch)[torch.arange(len(batch.lengths)), batch.lengths - 1]

    def _item_vectors(self, net: "nn.Module") -> "Tensor":
        """Return (I, D) the vectors that states are compared with."""
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
        sequences = Sequences(query.history, self.n_items, self.config.window, query.timestamps, learn, weights)
        self._train(sequences, self.plan(), ctx, validate)

    def plan(self) -> TrainingPlan:
        """Return how the network is trained, with a running mean of its weights."""
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
                f"{self.info.title} learns which item follows which, but nobody in the training data has two items or "
                "more; bring longer histories, or choose a model that does not look at the order."
            )
        loss = make_loss(self.config.loss, negatives=self.config.negatives, calibration=self.config.calibration)

        def batches(rng: np.random.Generator) -> Iterator["Batch"]:
            return sequences.batches(rows, self.config.batch_size, rng)

        def loss_of(batch: "Batch", generator: "torch.Generator") -> "Tensor":
            return self._training_loss(self.net, batch, loss, generator)

        name = self.info.key
        fit_network(self.net, batches, loss_of, plan, ctx, name=name, validate=validate, start_counts=start_counts)

    def _held_back(self, query: QueryBatch, ctx: RunContext) -> tuple[BoolArray | None, Measure | None]:
        """Return which items are learned from (None: all), and how to validate after each epoch (None: not at all).

        The run validates if it has a validation part; else the last items of users are held back for it.
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
        """Return the same people with the latest part of their histories, as long as the window."""
        offsets = query.history.offsets
        age = np.repeat(offsets[1:], query.history.lengths) - np.arange(len(query.values))
        return query.only(age <= self.config.window)

    def _score(self, query: QueryBatch) -> FloatArray:
        import torch

        from recsys_core.training.sequences import asked

        scores: FloatArray = np.full((len(query), self.n_items), np.nan, dtype=np.float32)
        with torch.inference_mode():
            for rows in self._blocks(query.history.lengths):
                batch = asked(query, self.n_items, self.config.window, rows)
                scores[rows] = self._scores_of_batch(self.net, batch).numpy()
        return scores

    def _blocks(self, lengths: IntArray) -> Iterator[IntArray]:
        """Yield the rows that have a history, those of similar length together."""
        read = np.minimum(lengths, self.config.window)
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
        sequences = Sequences(history, self.n_items, self.config.window, times, learn, self._loss_weights(weights))
        if len(sequences.trainable()):  # else nobody has anything before their new items to predict these from
            self._train(sequences, plan, ctx, validate, start_counts=True)

    @classmethod
    def memory_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of data, vectors and scores, and of what the places of a batch keep to learn from."""
        kept = NUMBER * places_of(config, n_interactions) * config.width * KEPT_A_PLACE
        return bytes_beside_reading(config, n_items, n_interactions) + kept

    @classmethod
    def work_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: at each place the scores, and some products of D x D."""
        work = scoring_work(config, n_items) + 0.6 * config.width**2
        return config.epochs * read_places(config, n_users, n_interactions) * work


def _last_is_once(histories: Ragged) -> BoolArray:
    """Return (U,) whether the last item of each row stands nowhere else in it; False for empty rows."""
    rows = histories.row_numbers()
    last = histories.values[histories.offsets[1:] - 1]
    same = histories.values == last[rows]
    once: BoolArray = np.bincount(rows[same], minlength=len(histories)) == 1
    return once


def _without_last(query: QueryBatch) -> QueryBatch:
    """Return the same people without the last item of each history; none of these is empty."""
    kept = np.ones(len(query.values), dtype=bool)
    kept[query.history.offsets[1:] - 1] = False
    return query.only(kept)


def _joined(before: Dataset, new: Dataset) -> tuple[Ragged, IntArray | None, BoolArray, FloatArray | None]:
    """Return the histories of both data sets, times, which items are new, and weights; None if not both have them."""
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
