r"""Two vectors through layers: what a person and an item have in common beyond a product, and the product beside it.

A person u and an item i are vectors that behaviour and tables make together:

    v_u = p_u + |P(u)|^-1/2 sum_{j in P(u)} y_j + A a_u            w_i = q_i + F x_i

p_u is the person's own vector, y_j what having item j says of somebody, a_u their attributes and x_i the item's content
(categories, topics of its words, numbers, dates), as far as there are tables. The score has two parts:

    s_ui = b_i + v_u . w_i + h . phi(v_u, w_i)         phi = relu(W_L ... relu(W_1 [v_u; w_i] + c_1) ... + c_L)

With the setting `score` = dot the layers are left out and all else stays: the product of the same size. Rendle et al.
2020 ("Neural Collaborative Filtering vs. Matrix Factorization Revisited") find it hard to beat.

The layers take v_u and w_i side by side, so W_1 [v; w] = W_v v + W_w w, whose second part is made once for all people.

Training goes through people in random order: each item that a person has is to stand above items drawn evenly from the
catalogue; what they have does not count as drawn. The item itself is left out of the person's history meanwhile (the
sum over P(u) without it), or its own y would give it away.

A training takes one core, however many the run has: sums that are taken in parts, one for each core, differ in their
last digits, and so would the weights. The topics of words are computed on one core for the same reason.

The weight of an interaction enters as the weight of its pair in the loss: a pair counts c_ui, the confidence of
`models.weights` (the sum of its interactions' weights against the median, on a log scale), and 0 where that is
negative. The sum over a history counts each item once, whatever its weight.

An unknown person has no p_u and no a_u, and is known by the sum over the history alone. Without a history, too, what is
popular remains.

Source: the source document, section 3.1; He et al. 2017, "Neural Collaborative Filtering", eq. 7 to 12. Departures: the
two parts share their vectors, the product is not weighed anew, history and tables are added, and negatives may be
compared by BPR or softmax instead of cross-entropy. The sum over the history is that of Koren 2008,
"Factorization Meets the Neighborhood", eq. 15 (SVD++).
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import (
    PAD,
    Ability,
    BoolArray,
    FloatArray,
    Knob,
    ModelConfig,
    ModelInfo,
    QueryBatch,
    Ragged,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.models.content import balanced
from recsys_core.models.histories import history_matrix
from recsys_core.models.network_model import Measure, NetworkModel
from recsys_core.profiles.features import item_features, unit_rows, user_attributes
from recsys_core.training.plan import TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recsys_core.models.nets.mlp import PairNet
    from recsys_core.training.pairs import PairBatch, Pairs

TOPICS = 32
"""The words of titles and texts enter as so many topics."""
FEWEST_PAIRS, FEWEST_STEPS = 32, 20
"""A step has at least so many pairs, and an epoch so many steps, as far as both can be had."""


class MlpConfig(ModelConfig):
    """Settings of vectors through layers.

    Their help says what He et al. 2017 take or try; where the default is another, no search for it is on record.
    """

    score: Annotated[Literal["mlp", "dot"], Knob()] = "mlp"
    """Layers added to the dot product, or the dot product alone: the same vectors, features and training."""
    width: Annotated[int, Field(ge=2, le=1024), Knob(16, 256, scale="log", symbol="D")] = 64
    """Numbers in the vector of a person or an item (He et al. 2017: up to 64)."""
    hidden: Annotated[int, Field(ge=2, le=1024), Knob(16, 128, scale="log")] = 64
    """Units of the first layer; each further one has half as many (the tower of He et al. 2017)."""
    layers: Annotated[int, Field(ge=1, le=5), Knob(1, 3, symbol="L")] = 2
    """Layers above the two vectors (He et al. 2017: 3, and more are better; 2 train faster)."""
    features: Annotated[bool, Knob()] = True
    """Whether tables of users and items are read, where there are any."""
    loss: Annotated[Literal["bce", "bpr", "sampled_softmax"], Knob()] = "sampled_softmax"
    """What training makes small: an item against each drawn one (bce, as in the paper; bpr), or all together."""
    negatives: Annotated[int, Field(ge=1, le=1024), Knob(4, 32, scale="log")] = 8
    """Items drawn against each item that a person has (He et al. 2017: 4, and 3 to 6 are best with bce; not searched
    with the other losses)."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.5)] = 0.2
    """Share of the numbers in a person's vector that are left out at random in training (usual, not searched; He et al.
    2017 leave out none)."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 60, scale="log")] = 40
    """Most passes through everybody: a bound, since validation ends most trainings before (not searched)."""
    patience: Annotated[int, Field(ge=0, le=100), Knob(2, 10, advanced=True)] = 4
    """Early stopping: training ends when the smoothed log-rank score on the validation users has not increased for this
    many epochs, and keeps the weights of the best epoch, averaged in the same way. Without a validation part, one item
    of up to 1,000 users is held back for it. 0 trains to the last epoch."""
    batch_size: Annotated[int, Field(ge=16, le=100_000), Knob(64, 8192, scale="log", advanced=True)] = 4096
    """Pairs of people and items in one step of training, roughly: nobody is parted. Small data have fewer, so that
    there are about twenty steps in an epoch (not searched: large is fast; He et al. 2017 try 128 to 1024)."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(5e-4, 1e-2, scale="log")] = 3e-3
    """Length of each step against the gradient (Adam; not searched; He et al. 2017 try 0.0001 to 0.005)."""


class Mlp(NetworkModel[MlpConfig]):
    """Scores a pair by the product of its two vectors and by what layers find in them."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="mlp",
        title="NeuMF (MLP)",
        family="neural",
        idea="Learns user and item embeddings and scores each pair by their dot product plus a multilayer perceptron.",
        formula=r"\hat{x}_{ui} = b_i + v_u^\top w_i + h^\top \phi\left([v_u; w_i]\right), \quad"
        r" v_u = p_u + |P(u)|^{-1/2} \sum_{j \in P(u)} y_j + A a_u, \quad w_i = q_i + F x_i",
        source="The source document, section 3.1; He et al. 2017, eq. 7 to 12; Koren 2008, eq. 15",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        runtime="torch",
        weights="Weight of the loss of each user-item pair: its confidence, log2(1 + summed weight / median weight).",
        weighs_histories=False,
    )
    config_type = MlpConfig
    fitted = ("attributes", "content")

    attributes: FloatArray
    """(U, A) what is known of people."""
    content: FloatArray
    """(I, F) what is known of items."""

    def _network(self) -> "PairNet":
        import torch

        from recsys_core.models.nets.mlp import PairNet

        config = self.config
        sizes = [max(1, config.hidden // 2**layer) for layer in range(config.layers)]
        return PairNet(
            torch.from_numpy(self.attributes),
            torch.from_numpy(self.content),
            config.width,
            sizes if config.score == "mlp" else [],
            config.dropout,
        )

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        from recsys_core.training.pairs import Pairs

        self._read_tables(train)
        self.net = self._start(ctx)
        counted = self._training_confidence(train)
        kept, validate = self._held_back(_rows(counted), ctx)
        learned = _only(_rows(counted), kept)
        self._silence(learned)
        self._train(Pairs(learned, weights=self._unless_equal(counted.data[kept])), self.plan(), ctx, validate)

    def _read_tables(self, train: Dataset) -> None:
        """Turn the tables of users and items into vectors, where there are any and they are wanted."""
        self.attributes = np.zeros((self.n_users, 0), dtype=np.float32)
        self.content = np.zeros((self.n_items, 0), dtype=np.float32)
        if self.config.features and train.users is not None:
            dense = balanced(user_attributes(train)).matrix.toarray()
            self.attributes = (dense - dense.mean(axis=0)).astype(np.float32)
        if self.config.features and train.items is not None:
            described = balanced(item_features(train, components=TOPICS)).matrix
            self.content = unit_rows(described).toarray().astype(np.float32)

    def _silence(self, held: Ragged) -> None:
        """Let people and items without any interaction begin without vectors of their own.

        It stays so but for w_i: an item that nobody has is drawn beside others, and learned from as that.
        """
        import torch

        net = cast("PairNet", self.net)
        unseen = torch.from_numpy(np.bincount(held.values, minlength=self.n_items) == 0)
        with torch.no_grad():
            net.people.weight[:-1][torch.from_numpy(held.lengths == 0)] = 0.0
            net.items.weight[unseen] = 0.0
            net.marks.weight[unseen] = 0.0

    def plan(self) -> TrainingPlan:
        """Return how the network is trained."""
        return TrainingPlan(self.config.epochs, self.config.patience, self.config.learning_rate)

    def _train(
        self,
        pairs: "Pairs",
        plan: TrainingPlan,
        ctx: RunContext,
        validate: Measure | None,
        *,
        start_counts: bool = False,
    ) -> None:
        from recsys_core.training.network import fit_network

        size = min(self.config.batch_size, max(FEWEST_PAIRS, len(pairs.items.values) // FEWEST_STEPS))

        def batches(rng: np.random.Generator) -> Iterator["PairBatch"]:
            return pairs.batches(size, rng)

        fit_network(
            self.net,
            batches,
            self._loss,
            plan,
            ctx,
            name=self.info.key,
            validate=validate,
            start_counts=start_counts,
            threads=1,
        )

    def _loss(self, batch: "PairBatch", generator: "torch.Generator") -> "Tensor":
        """Return the mean loss over the pairs of a batch that are to be learned from."""
        import torch
        from torch.nn import functional

        from recsys_core.training.losses import sampled_loss

        net = cast("PairNet", self.net)
        marks = net.marks(batch.items)  # (N, D)
        sums = torch.zeros(len(batch.users), self.config.width).index_add(0, batch.rows, marks)  # (B, D)
        rows, items = batch.rows[batch.learn], batch.items[batch.learn]
        others = torch.bincount(batch.rows)[rows] - 1
        history = (functional.embedding(rows, sums) - marks[batch.learn]) * _scale(others)
        people = net.person_vectors(batch.users[rows], history)
        drawn, is_held = batch.draw(self.n_items, self.config.negatives, generator)
        scores = net.pairs(people, net.item_vectors(), torch.cat([items.unsqueeze(1), drawn], dim=1))
        right, wrong = scores[:, 0], scores[:, 1:].masked_fill(is_held, -torch.inf)
        weights = None if batch.weights is None else batch.weights[batch.learn]
        return sampled_loss(self.config.loss)(right, wrong, self.n_items, weights)

    def _held_back(self, held: Ragged, ctx: RunContext) -> tuple[BoolArray, Measure | None]:
        """Return which pairs are learned from, and how to validate after each epoch (None: not at all).

        The run validates if it has a validation part; else one random item of each user, of 1,000 users at most, is
        held back for it.
        """
        kept = np.ones(len(held.values), dtype=bool)
        if ctx.validate is not None:
            return kept, lambda: self._measured(ctx)
        users = self._held_back_users(held.lengths, np.ones(len(held), dtype=bool), ctx)
        if not self.config.patience or not len(users):
            return kept, None
        places = held.offsets[users] + ctx.rng(self.info.key, "held back items").integers(held.lengths[users])
        kept[places] = False
        shown = _only(held, kept).take(users)
        query = QueryBatch(users, shown, np.ones(len(shown.values), dtype=np.float32))
        return kept, self._finds(query, held.values[places])

    def _score(self, query: QueryBatch) -> FloatArray:
        import torch

        net = cast("PairNet", self.net)
        scores: FloatArray = np.empty((len(query), self.n_items), dtype=np.float32)
        with torch.inference_mode():
            items = net.item_vectors()
            first = net.first_of_items(items)
            for row, person in enumerate(self._people(net, query)):
                scores[row] = net.of_all(person, items, first).numpy()
        return scores

    def _people(self, net: "PairNet", query: QueryBatch) -> "Tensor":
        """Return (B, D) the vectors of the people in a query."""
        import torch
        from torch.nn import functional

        held = _rows(history_matrix(query, self.n_items, "binary"))
        sums = functional.embedding_bag(
            torch.from_numpy(held.values), net.marks.weight, torch.from_numpy(held.offsets), mode="sum",
            include_last_offset=True,
        )  # fmt: skip
        user = np.where(query.user == PAD, self.n_users, query.user).astype(np.int64)
        return net.person_vectors(torch.from_numpy(user), sums * _scale(torch.from_numpy(held.lengths)))

    def _tables(self, users: int, items: int) -> Mapping[str, int]:
        return {"people.weight": users, "items.weight": items, "marks.weight": items, "bias": items}

    def _make_room(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Keep the tables of the training: of added users and items only what people do is known."""
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
        self._train(pairs, plan, ctx, validate, start_counts=True)

    @classmethod
    def memory_estimate(cls, config: MlpConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the weights (with gradients, moments, best ones), of one batch and of the pairs."""
        weights = (n_users + 2 * n_items) * config.width
        batch = (config.batch_size + n_interactions // max(1, n_users)) * (1 + config.negatives)
        return 4 * (8 * weights + 4 * batch * (config.width + 2 * config.hidden)) + 40 * n_interactions

    @classmethod
    def work_estimate(cls, config: MlpConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: products and layers of each pair, forth and back."""
        layers = 3 * config.hidden + config.hidden**2 if config.score == "mlp" else 0
        return 2.0 * config.epochs * n_interactions * (1 + config.negatives) * (6.0 * config.width + layers)


def _scale(number: "Tensor") -> "Tensor":
    """Return (N, 1) n^-1/2 of numbers (N,) of items, 0 for none."""
    scaled: Tensor = (number.clamp(min=1).float().rsqrt() * (number > 0)).unsqueeze(1)
    return scaled


def _rows(matrix: csr_array) -> Ragged:
    """Return the columns of each row of a matrix, increasing."""
    return Ragged(matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64))


def _only(rows: Ragged, kept: BoolArray) -> Ragged:
    """Return the same rows with only those values (N,) that are marked."""
    return Ragged.from_keys(rows.row_numbers()[kept], rows.values[kept], len(rows))


def _weights_of(pairs: "Pairs", confidence: csr_array) -> FloatArray:
    """Return for the pairs to learn from their entry (U, I) in `confidence`, float32, and 1 for all others."""
    assert pairs.learn is not None
    weights = np.ones(len(pairs.items.values), dtype=np.float32)
    learned = np.flatnonzero(pairs.learn)
    weights[learned] = confidence.data  # in the same order: by user, then item
    return weights


def _joined(before: Dataset, new: Dataset) -> "Pairs":
    """Return what people have by now; what is new of it is to be learned from."""
    from recsys_core.training.pairs import Pairs

    shape = (new.n_users, new.n_items)
    old = before.matrix("binary")
    old.resize(shape)
    fresh = new.matrix("binary")
    both = csr_array(old + 2.0 * fresh)
    both.sort_indices()
    return Pairs(_rows(both), both.data >= 2.0)
