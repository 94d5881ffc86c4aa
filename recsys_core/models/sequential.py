"""Settings and base class of all sequence models: training, scoring, incremental updates, and estimates of cost.

Each position of a history predicts the next item, in one pass over the history; the score of an item is the dot product
of the last hidden vector and the item's embedding (input and output embeddings are tied).

Interaction weights act as weights in the loss: the prediction of an interaction has weight c, the confidence of
`models.weights`, or 0 if that is negative. The encoding of a history does not depend on weights.

If the experiment has no validation set, the last item of up to 1,000 users is held out of training for early stopping;
see `network_model`.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
from pydantic import Field

from recsys_core.columns import TIMESTAMP, USER
from recsys_core.contracts import BoolArray, FloatArray, IntArray, Knob, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore, DataError
from recsys_core.models.network_model import EPOCHS_HELP, PATIENCE_HELP, Measure, NetworkConfig, NetworkModel
from recsys_core.text import _
from recsys_core.training.plan import LossName, TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Batch, Sequences

TOKENS_A_BLOCK = 16_384
"""Maximum number of positions scored at a time."""
NUMBER = 4
"""Bytes of a float32 value."""
SCORE_BLOCK = 32 * 2**20
"""Maximum bytes of scores in memory of the loss over all items; see `training.losses`."""
COPIES = 8
"""Copies of each weight: itself, its gradient, two moments, the running average, the best so far, and two while a state
is stored."""
BYTES_AN_INTERACTION = 60
"""Bytes per interaction of histories with timestamps, in the order of the data and grouped by user."""
SHARED_NEGATIVES = ("bpr_max", "top1_max")
"""Losses whose negatives are the same for all positions of a batch."""
ITEM_TABLE = "items.weight"
FEW_PER_ITEM = 100
"""Interactions per item below which next items alone are too few to learn embeddings from. ML-100K has 59,
ML-1M 270."""
LOSS_SOURCES = {
    "softmax": "",
    "sampled_softmax": "; loss: Jean et al. 2015, eq. 10",
    "bce": "; loss: Klenitskiy and Vasilev 2023, eq. 2",
    "gbce": "; loss: Petrov and Macdonald 2023, eq. 12 and 16",
    "bpr": "; loss: Rendle et al. 2009, section 4.1",
    "bpr_max": "; loss: Hidasi and Karatzoglou 2018, section 3",
    "top1_max": "; loss: Hidasi and Karatzoglou 2018, section 3",
}
"""Source of each training loss, as in `training.losses` and `training.ranking_max`."""

EmbeddingDim = Annotated[
    int,
    Field(ge=4, le=1024, description="Dimension of the item embeddings and of the hidden states."),
    Knob(16, 256, scale="log", symbol="D", label="Embedding dimension"),
]
Dropout = Annotated[float, Field(ge=0, lt=1, description="Dropout probability in training."), Knob(0.0, 0.5)]
Epochs = Annotated[
    int, Field(ge=1, le=1000, description=EPOCHS_HELP), Knob(10, 200, scale="log", label="Maximum epochs")
]
Patience = Annotated[
    int, Field(ge=0, le=100, description=PATIENCE_HELP.format(held_out="the last item")), Knob(2, 20, advanced=True)
]
BatchSize = Annotated[
    int,
    Field(ge=1, le=4096, description="Number of histories per training step."),
    Knob(16, 256, scale="log", advanced=True),
]
ItemStart = Annotated[
    Literal["random", "svd"] | None,
    Field(
        description="Initial item embeddings: random, or singular vectors of the interaction matrix (SVD): items of "
        "the same users start near each other. If not set, SVD is used for data with fewer than 100 interactions per "
        "item."
    ),
    Knob(advanced=True, label="Initial item embeddings"),
]
LearningRate = Annotated[
    float, Field(gt=0, le=1, description="Step size of the Adam optimizer."), Knob(3e-4, 5e-3, scale="log")
]


class SequenceConfig(NetworkConfig):
    """Settings of all sequence models; a model overrides a default by declaring the field again."""

    added: ClassVar[Mapping[str, Any]] = {"item_start": "random"}
    embedding_dim: EmbeddingDim = 128
    max_length: Annotated[int, Field(ge=2, le=2000), Knob(20, 200, scale="log", label="Maximum sequence length")] = 200
    """Number of most recent items of a history that the model reads; Kang and McAuley 2018 use 200 on ML-1M."""
    loss: Annotated[LossName, Knob()] = "softmax"
    """Training loss: cross-entropy over all items (softmax), or a loss with sampled negatives, which is faster for very
    large catalogs (Klenitskiy and Vasilev 2023 find softmax best)."""
    negatives: Annotated[
        int, Field(ge=1, le=4096), Knob(16, 512, scale="log", advanced=True, label="Negative samples")
    ] = 256
    """Number of negatives sampled per target; unused by the softmax loss. gSASRec uses 256 on ML-1M."""
    calibration: Annotated[
        float, Field(ge=0, le=1), Knob(0.0, 1.0, symbol="t", advanced=True, label="gBCE calibration")
    ] = 0.75
    """Calibration of the gBCE loss, which reduces overconfidence from negative sampling: 0 is BCE, 1 full calibration.
    gSASRec uses 0.75."""
    item_start: ItemStart = "random"
    dropout: Dropout = 0.2
    epochs: Epochs = 100
    patience: Patience = 10
    batch_size: BatchSize = 64
    learning_rate: LearningRate = 1e-3


C = TypeVar("C", bound=SequenceConfig)


class SequenceModel(NetworkModel[C]):
    """A network that reads a history in order and scores all items as the next one.

    A subclass defines `info`, `config_type` and `_network`; the network has `items`, an embedding of `n_items` + 1 rows
    (the last row is padding, and zero), and `forward(tokens (B, T)) -> (B, T, D)`, where position t depends on tokens
    0..t alone. Further arrays of a network are computed in `_prepare` and named in `fitted`. `activations` and
    `reading_work` say what reading one position costs.
    """

    weight_averaging: ClassVar[float] = 0.99
    """See `TrainingPlan.averaging`: a mean over about 100 steps, which reduces the variance of validation."""

    def _prepare(self, histories: Ragged, ctx: RunContext) -> None:
        """Compute the arrays in `fitted` that the network needs, from the training targets alone."""

    def _training_loss(self, batch: "Batch", loss: "Loss", generator: "torch.Generator") -> "Tensor":
        """Return the loss of a batch: by default the weighted mean over all positions with a target."""
        hidden = self._hidden(batch)[batch.mask]
        return loss(hidden, self._item_vectors(), batch.targets[batch.mask], generator, batch.target_weights)

    def _hidden(self, batch: "Batch") -> "Tensor":
        """Return (B, T, D) the hidden state after each position."""
        hidden: Tensor = self.net(batch.tokens)
        return hidden

    def _final(self, batch: "Batch") -> "Tensor":
        """Return (B, D) the hidden state after the last item of each history; histories must not be empty."""
        import torch

        return self._hidden(batch)[torch.arange(len(batch.lengths), device=batch.lengths.device), batch.lengths - 1]

    def _item_vectors(self) -> "Tensor":
        """Return (I, D) the item embeddings that hidden states are multiplied with."""
        return self.net.get_parameter(ITEM_TABLE)[: self.n_items]

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        from recsys_core.training.sequences import Sequences

        query = train.queries()
        learn, validate = self._held_back(query, ctx)
        learned = query.history if learn is None else query.only(learn).history
        self._prepare(learned, ctx)
        self.net = self._start(ctx)
        if (self.config.item_start or self._fitting_start(learned)) == "svd":
            self._start_items(learned, ctx)
        weights = self._loss_weights(query.weights)
        sequences = Sequences(query.history, self.n_items, self.config.max_length, query.timestamps, learn, weights)
        self._train(sequences, self.plan(), ctx, validate)

    def _fitting_start(self, histories: Ragged) -> Literal["random", "svd"]:
        """Return the initial embeddings for a model that leaves them open."""
        return "svd" if len(histories.values) < FEW_PER_ITEM * self.n_items else "random"

    def _start_items(self, histories: Ragged, ctx: RunContext) -> None:
        """Replace the initial embeddings of items with interactions by singular vectors of the same mean length.

        If the data have fewer singular vectors than the embeddings have dimensions, the others stay random.
        """
        import torch

        from recsys_core.models.item_start import spectral_item_vectors

        rng = ctx.rng(self.info.key, "item start")
        vectors = torch.from_numpy(spectral_item_vectors(histories, self.n_items, self.config.embedding_dim, rng))
        table = self._item_vectors()
        with torch.no_grad():
            count, dim = vectors.shape[1], table.shape[1]
            length = table.norm(dim=1).mean() * (count / dim) ** 0.5
            started = vectors.to(self.device).any(dim=1)
            table[started, :count] = vectors.to(self.device)[started] * length

    def plan(self) -> TrainingPlan:
        """Return the training parameters, with a running mean of the weights."""
        config = self.config
        return TrainingPlan(config.epochs, config.patience, config.learning_rate, averaging=self.weight_averaging)

    def _train(self, sequences: "Sequences", plan: TrainingPlan, ctx: RunContext, validate: Measure | None) -> None:
        from recsys_core.training.network import fit_network

        rows = sequences.trainable()
        if not len(rows) and self.n_items > 1:
            raise DataError(
                _(
                    "{info_title} learns from consecutive items, but no user in the training data has at "
                    "least two items; provide longer histories, or choose a model that does not use the "
                    "order of items."
                ).format(info_title=self.info.title)
            )
        loss = self._loss(sequences)
        device = self.device

        def batches(rng: np.random.Generator) -> Iterator["Batch"]:
            return sequences.batches(rows, self.config.batch_size, rng)

        def loss_of(batch: "Batch", generator: "torch.Generator") -> "Tensor":
            return self._training_loss(batch.on(device), loss, generator)

        fit_network(self.net, batches, loss_of, plan, ctx, name=self.info.key, validate=validate)

    def _loss(self, sequences: "Sequences") -> "Loss":
        """Return the loss of the settings for training on these sequences."""
        from recsys_core.training.losses import make_loss

        return make_loss(self.config.loss, negatives=self.config.negatives, calibration=self.config.calibration)

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

        scores: FloatArray = np.full((len(query), self.n_items), np.nan, dtype=np.float32)
        with torch.inference_mode():
            for rows in self._blocks(query.history.lengths):
                scores[rows] = (self._final(self._batch_of(query, rows)) @ self._item_vectors().T).cpu().numpy()
        return scores

    def _batch_of(self, query: QueryBatch, rows: IntArray | None = None) -> "Batch":
        """Return the histories of these rows of a query, by default of all, as one batch."""
        from recsys_core.training.sequences import query_batch

        rows = np.arange(len(query)) if rows is None else rows
        return query_batch(query, self.n_items, self.config.max_length, rows).on(self.device)

    def _require_history(self, query: QueryBatch, shown: str) -> None:
        """Raise an error if the single user in `query` has no history; `shown` completes the message.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The history is empty or not one of the training data's users and items.
        """
        self.require_fitted()
        self._require_known(query)
        if not len(query.history[0]):
            raise CannotScore(
                _("This user has no history, so there is no {shown}; choose another user.").format(shown=shown)
            )

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
            self._train(sequences, plan, ctx, validate)

    @classmethod
    def source_of(cls, config: C) -> str:
        """Return the source, with that of a training loss other than the default."""
        return cls.info.source + LOSS_SOURCES[config.loss]

    @classmethod
    def activations(cls, config: C) -> int:
        """Return the number of values that backpropagation keeps per position; here a usual number."""
        return 24 * config.embedding_dim

    @classmethod
    def reading_work(cls, config: C) -> float:
        """Return the steps of reading one position, forward and backward; here some D x D products."""
        return 0.6 * config.embedding_dim**2

    @classmethod
    def memory_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of data and embeddings, and of activations, scores and gradients of a batch.

        The constants were measured on ML-100K and ML-1M with one thread (dimensions 64 and 128, batches of 16 to 64).
        """
        places = min(config.batch_size * config.max_length, n_interactions)  # batches group histories by length
        table = n_items * config.embedding_dim
        if config.loss == "softmax":
            scores = 3 * min(SCORE_BLOCK, NUMBER * places * n_items) + 2 * NUMBER * table
        elif config.loss in SHARED_NEGATIVES:
            scores = 10 * NUMBER * places * config.negatives
        else:
            scores = 2 * NUMBER * places * config.negatives * (config.embedding_dim + 2)
        values = COPIES * table + places * cls.activations(config)
        return BYTES_AN_INTERACTION * n_interactions + NUMBER * values + scores

    @classmethod
    def work_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: at each position those of reading and of scoring all (sampled) items."""
        gathered = 1.0 if config.loss in SHARED_NEGATIVES else 4.0  # else one by one
        scored = n_items if config.loss == "softmax" else gathered * config.negatives
        work = scored * (6.0 + 0.07 * config.embedding_dim) + cls.reading_work(config)
        return config.epochs * min(n_interactions, n_users * config.max_length) * work


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
