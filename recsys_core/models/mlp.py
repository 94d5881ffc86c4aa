r"""NeuMF-style model: the dot product of user and item vectors plus a multilayer perceptron.

The vectors of user u and item i combine embeddings and features:

    v_u = p_u + |P(u)|^-1/2 sum_{j in P(u)} y_j + A a_u            w_i = q_i + F x_i

p_u is the user embedding, y_j the embedding of history item j, a_u are user attributes and x_i item features
(categories, topics of words, numbers, dates), if there are tables. The score has two parts:

    s_ui = b_i + v_u . w_i + h . phi(v_u, w_i)         phi = relu(W_L ... relu(W_1 [v_u; w_i] + c_1) ... + c_L)

With `score` = dot the layers are omitted and everything else is unchanged: a dot product of the same size. Rendle et
al. 2020 ("Neural Collaborative Filtering vs. Matrix Factorization Revisited") find it hard to beat.

As v_u and w_i are concatenated, W_1 [v; w] = W_v v + W_w w, whose second term is computed once for all users.

Training visits users in random order: each item of a user is to score above uniformly sampled negatives; items that the
user has are masked. The target item is excluded from the sum over P(u), or its own y_j would leak the target.

Training uses one core, however many the run has: parallel sums differ in their last digits, and so would the weights.
Text topics are computed on one core for the same reason.

Interaction weights act as weights in the loss: a pair has weight c_ui, the confidence of `models.weights` (its summed
weight relative to the median, on a log scale), or 0 if that is negative. The sum over a history is unweighted.

An unknown user has neither p_u nor a_u and is represented by the history alone. Without a history, too, the ranking is
one of popularity.

Source: the source document, section 3.1; He et al. 2017, "Neural Collaborative Filtering", eq. 7 to 12. Departures: the
parts share their embeddings, the dot product has no output weights, history and features are added, and negatives may
be compared by BPR or softmax instead of cross-entropy. The sum over the history is that of Koren 2008, "Factorization
Meets the Neighborhood", eq. 15 (SVD++).
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import PAD, BoolArray, FloatArray, QueryBatch, Ragged
from recsys_core.contracts import SOURCE_DOCUMENT, Ability, FoldIn, Knob, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.content import table_inputs
from recsys_core.models.histories import history_matrix
from recsys_core.models.network_model import EPOCHS_HELP, PATIENCE_HELP, Measure, NetworkConfig, NetworkModel
from recsys_core.training.plan import TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recsys_core.models.nets.mlp import PairNet
    from recsys_core.training.pairs import PairBatch, Pairs

FEWEST_PAIRS, FEWEST_STEPS = 32, 20
"""Minimum number of pairs per step, and of steps per epoch, if the data allow both."""


class MlpConfig(NetworkConfig):
    """Settings of NeuMF.

    The help texts state the values of He et al. 2017; the other defaults were not tuned: dropout, epochs, and the large
    batches, which are fast.
    """

    score: Annotated[Literal["mlp", "dot"], Knob(label="Scoring function")] = "mlp"
    """Dot product plus a multilayer perceptron, or the dot product alone with the same embeddings, features and
    training."""
    embedding_dim: Annotated[
        int, Field(ge=2, le=1024), Knob(16, 256, scale="log", symbol="D", label="Embedding dimension")
    ] = 64
    """Dimension of the user and item embeddings; in He et al. 2017 up to 64."""
    hidden: Annotated[int, Field(ge=2, le=1024), Knob(16, 128, scale="log", label="Hidden units")] = 64
    """Units of the first hidden layer; each further layer has half as many (the tower of He et al. 2017)."""
    n_layers: Annotated[int, Field(ge=1, le=5), Knob(1, 3, symbol="L", label="Hidden layers")] = 2
    """Number of hidden layers; He et al. 2017 use 3 and find more better, 2 train faster."""
    features: Annotated[bool, Knob(label="Use features")] = True
    """Whether to use the features in the tables of users and items, if there are any."""
    loss: Annotated[Literal["bce", "bpr", "sampled_softmax"], Knob()] = "sampled_softmax"
    """Training loss: pointwise (bce, as in the paper), pairwise (bpr), or listwise over sampled negatives (sampled
    softmax)."""
    negatives: Annotated[int, Field(ge=1, le=1024), Knob(4, 32, scale="log", label="Negative samples")] = 8
    """Number of negatives sampled per positive item; He et al. 2017 use 4, and find 3 to 6 best with bce."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.5)] = 0.2
    """Dropout probability of the user vector in training; He et al. 2017 use none."""
    epochs: Annotated[
        int, Field(ge=1, le=1000, description=EPOCHS_HELP), Knob(5, 60, scale="log", label="Maximum epochs")
    ] = 40
    patience: Annotated[
        int, Field(ge=0, le=100, description=PATIENCE_HELP.format(held_out="one item")), Knob(2, 10, advanced=True)
    ] = 4
    batch_size: Annotated[int, Field(ge=16, le=100_000), Knob(64, 8192, scale="log", advanced=True)] = 4096
    """Approximate number of user-item pairs per training step; users are not split. It is reduced for small data, to
    about 20 steps per epoch. He et al. 2017 use 128 to 1024."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(5e-4, 1e-2, scale="log")] = 3e-3
    """Step size of the Adam optimizer; in He et al. 2017 from 0.0001 to 0.005."""


TOWER = r" + h^\top \phi\left([v_u; w_i]\right)"
FEATURES_OF_USER, FEATURES_OF_ITEM = " + A a_u", " + F x_i"


def _formula(*, tower: bool, features: bool) -> str:
    return (
        rf"\hat{{x}}_{{ui}} = b_i + v_u^\top w_i{TOWER if tower else ''}, \quad"
        rf" v_u = p_u + |P(u)|^{{-1/2}} \sum_{{j \in P(u)}} y_j{FEATURES_OF_USER if features else ''},"
        rf" \quad w_i = q_i{FEATURES_OF_ITEM if features else ''}"
    )


class Mlp(NetworkModel[MlpConfig]):
    """Scores a pair by the dot product of its vectors plus a multilayer perceptron."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="mlp",
        title="NeuMF (MLP)",
        family="neural",
        idea="Learns user and item embeddings and scores each pair by their dot product plus a multilayer perceptron.",
        formula=_formula(tower=True, features=True),
        source=f"{SOURCE_DOCUMENT}, section 3.1; He et al. 2017, eq. 7 to 12; Koren 2008, eq. 15",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The items of the history enter as in training; the user has no embedding and no attributes.",
        runtime="torch",
        weights="Weight of each user-item pair in the training loss: its confidence, log2(1 + summed weight / median "
        "weight).",
        weighs_histories=False,
    )
    config_type = MlpConfig
    fitted = ("attributes", "content")
    net: "PairNet"

    attributes: FloatArray
    """(U, A) user attributes."""
    content: FloatArray
    """(I, F) item features."""

    @classmethod
    def formula_of(cls, config: MlpConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the score, without the perceptron or the features if the settings exclude them."""
        return _formula(tower=config.score == "mlp", features=config.features)

    @classmethod
    def source_of(cls, config: MlpConfig) -> str:
        """Return the source without that of the perceptron for the dot product alone."""
        return cls.info.source if config.score == "mlp" else f"{SOURCE_DOCUMENT}, section 3.1; Koren 2008, eq. 15"

    def _network(self) -> "PairNet":
        import torch

        from recsys_core.models.nets.mlp import PairNet

        config = self.config
        sizes = [max(1, config.hidden // 2**layer) for layer in range(config.n_layers)]
        return PairNet(
            torch.from_numpy(self.attributes),
            torch.from_numpy(self.content),
            config.embedding_dim,
            sizes if config.score == "mlp" else [],
            config.dropout,
        )

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        from recsys_core.training.pairs import Pairs

        self.attributes, self.content = table_inputs(train, wanted=self.config.features)
        self.net = self._start(ctx)
        counted = self._training_confidence(train)
        kept, validate = self._held_back_pairs(_rows(counted), ctx)
        learned = _only(_rows(counted), kept)
        self._silence(learned)
        self._train(Pairs(learned, weights=self._unless_equal(counted.data[kept])), self.plan(), ctx, validate)

    def _silence(self, held: Ragged) -> None:
        """Zero the initial embeddings of users and items without interactions.

        They stay 0, except for w_i: an item without interactions is sampled as a negative and trained as such.
        """
        import torch

        net = self.net
        unseen = torch.from_numpy(np.bincount(held.values, minlength=self.n_items) == 0).to(self.device)
        with torch.no_grad():
            net.people.weight[:-1][torch.from_numpy(held.lengths == 0).to(self.device)] = 0.0
            net.items.weight[unseen] = 0.0
            net.marks.weight[unseen] = 0.0

    def plan(self) -> TrainingPlan:
        """Return the training parameters."""
        return TrainingPlan(self.config.epochs, self.config.patience, self.config.learning_rate)

    def _train(self, pairs: "Pairs", plan: TrainingPlan, ctx: RunContext, validate: Measure | None) -> None:
        from recsys_core.training.network import fit_network

        size = min(self.config.batch_size, max(FEWEST_PAIRS, len(pairs.items.values) // FEWEST_STEPS))
        device = self.device

        def batches(rng: np.random.Generator) -> Iterator["PairBatch"]:
            return (batch.on(device) for batch in pairs.batches(size, rng))

        fit_network(self.net, batches, self._loss, plan, ctx, name=self.info.key, validate=validate, threads=1)

    def _loss(self, batch: "PairBatch", generator: "torch.Generator") -> "Tensor":
        """Return the mean loss over the target pairs of a batch."""
        import torch
        from torch.nn import functional

        from recsys_core.training.losses import sampled_loss

        net = self.net
        marks = net.marks(batch.items)  # (N, D)
        sums = marks.new_zeros(len(batch.users), self.config.embedding_dim).index_add(0, batch.rows, marks)  # (B, D)
        rows, items = batch.rows[batch.learn], batch.items[batch.learn]
        others = torch.bincount(batch.rows)[rows] - 1
        history = (functional.embedding(rows, sums) - marks[batch.learn]) * _scale(others)
        people = net.person_vectors(batch.users[rows], history)
        drawn, is_held = batch.draw(self.n_items, self.config.negatives, generator)
        scores = net.pairs(people, net.item_vectors(), torch.cat([items.unsqueeze(1), drawn], dim=1))
        right, wrong = scores[:, 0], scores[:, 1:].masked_fill(is_held, -torch.inf)
        weights = None if batch.weights is None else batch.weights[batch.learn]
        return sampled_loss(self.config.loss)(right, wrong, self.n_items, weights)

    def _score(self, query: QueryBatch) -> FloatArray:
        import torch

        net = self.net
        scores: FloatArray = np.empty((len(query), self.n_items), dtype=np.float32)
        with torch.inference_mode():
            items = net.item_vectors()
            first = net.first_of_items(items)
            for row, person in enumerate(self._user_vectors(query)):
                scores[row] = net.of_all(person, items, first).cpu().numpy()
        return scores

    def _user_vectors(self, query: QueryBatch) -> "Tensor":
        """Return (B, D) the vectors of the users in a query."""
        import torch
        from torch.nn import functional

        device = self.device
        held = _rows(history_matrix(query, self.n_items, "binary"))
        sums = functional.embedding_bag(
            torch.from_numpy(held.values).to(device),
            self.net.marks.weight,
            torch.from_numpy(held.offsets).to(device),
            mode="sum",
            include_last_offset=True,
        )
        user = np.where(query.user == PAD, self.n_users, query.user).astype(np.int64)
        return self.net.person_vectors(
            torch.from_numpy(user).to(device), sums * _scale(torch.from_numpy(held.lengths).to(device))
        )

    def _tables(self, users: int, items: int) -> Mapping[str, int]:
        return {"people.weight": users, "items.weight": items, "marks.weight": items, "bias": items}

    def _make_room(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Keep the features of the training data: new users and items have zero features."""
        self.attributes = np.pad(self.attributes, ((0, self.n_users - len(self.attributes)), (0, 0)))
        self.content = np.pad(self.content, ((0, self.n_items - len(self.content)), (0, 0)))

    def _learn_on(
        self, before: Dataset, new: Dataset, plan: TrainingPlan, ctx: RunContext, validate: Measure | None
    ) -> None:
        pairs = _joined(before, new)
        if not np.isnan(self.weight_unit) and new.has_weights:
            pairs = dataclasses.replace(
                pairs, weights=self._unless_equal(_weights_of(pairs, self._training_confidence(new)))
            )
        self._train(pairs, plan, ctx, validate)

    @classmethod
    def memory_estimate(cls, config: MlpConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the weights (with gradients, moments, best ones), of one batch and of the pairs."""
        weights = (n_users + 2 * n_items) * config.embedding_dim
        batch = (config.batch_size + n_interactions // max(1, n_users)) * (1 + config.negatives)
        return 4 * (8 * weights + 4 * batch * (config.embedding_dim + 2 * config.hidden)) + 40 * n_interactions

    @classmethod
    def work_estimate(cls, config: MlpConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: forward and backward pass of each pair."""
        layers = 3 * config.hidden + config.hidden**2 if config.score == "mlp" else 0
        return 2.0 * config.epochs * n_interactions * (1 + config.negatives) * (6.0 * config.embedding_dim + layers)


def _scale(number: "Tensor") -> "Tensor":
    """Return (N, 1) n^-1/2 of item counts (N,), 0 for a count of 0."""
    scaled: Tensor = (number.clamp(min=1).float().rsqrt() * (number > 0)).unsqueeze(1)
    return scaled


def _rows(matrix: csr_array) -> Ragged:
    """Return the increasing column indices of each row of a matrix."""
    return Ragged(matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64))


def _only(rows: Ragged, kept: BoolArray) -> Ragged:
    """Return the rows with only the marked values (N,)."""
    return Ragged.from_keys(rows.row_numbers()[kept], rows.values[kept], len(rows))


def _weights_of(pairs: "Pairs", confidence: csr_array) -> FloatArray:
    """Return the confidence of target pairs from the matrix `confidence` (U, I), float32, and 1 for other pairs."""
    assert pairs.learn is not None
    weights = np.ones(len(pairs.items.values), dtype=np.float32)
    learned = np.flatnonzero(pairs.learn)
    weights[learned] = confidence.data  # in the same order: by user, then item
    return weights


def _joined(before: Dataset, new: Dataset) -> "Pairs":
    """Return the pairs of both data sets, with the new ones as training targets."""
    from recsys_core.training.pairs import Pairs

    shape = (new.n_users, new.n_items)
    old = before.matrix("binary")
    old.resize(shape)
    fresh = new.matrix("binary")
    both = csr_array(old + 2.0 * fresh)
    both.sort_indices()
    return Pairs(_rows(both), both.data >= 2.0)
