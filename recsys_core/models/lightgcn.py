r"""LightGCN: embeddings of users and items that are smoothed over the graph of interactions.

Without weights or nonlinearities, each layer passes on the vectors of the neighbors,

    e_u^(k+1) = sum_{i in P(u)} e_i^(k) / sqrt(|P(u)| |R(i)|)        e_i^(k+1) = sum_{u in R(i)} e_u^(k) / sqrt(...)

and the final vector is the mean of layers 0 to K. Only the embeddings e^(0) are trained, by BPR: each interaction is to
score above `negatives` items that the user does not have, sampled uniformly, with an L2 penalty on the embeddings of
the batch:

    -mean log sigma(x_ui - x_uj) + regularization / 2 * mean(|e_u^(0)|^2 + |e_i^(0)|^2 + mean_j |e_j^(0)|^2)

The final vector of a user is linear in the items of the history P(u),

    e_u = (e_u^(0) + sum_{i in P(u)} s_i / sqrt(|P(u)| |R(i)|)) / (K + 1)        s_i = sum_{k < K} e_i^(k)

which is how a query is scored: training users have e_u^(0), unknown users do not, and a changed history counts at once.
So a score is a sum over the items of the history and the user's own embedding. An unknown user without a history has no
score.

Interaction weights act as weights in the loss: a pair has the confidence of `models.weights`, or 0 if that is negative.
The graph is unweighted.

If the experiment has no validation set, one item of up to 1,000 users is held out of training for early stopping.

Source: He et al. 2020, "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation", section 3,
with their 64 dimensions, 3 layers and layer weights 1 / (K + 1); BPR is by Rendle et al. 2009.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import PAD, BoolArray, FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.contracts import Ability, Explanation, FoldIn, Knob, ModelInfo, RunContext
from recsys_core.data import Dataset
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

    from recsys_core.models.nets.lightgcn import LightGcnNet


class LightGcnConfig(NetworkConfig):
    """Settings of LightGCN."""

    embedding_dim: Annotated[
        int, Field(ge=2, le=1024), Knob(16, 256, scale="log", symbol="D", label="Embedding dimension")
    ] = 64
    """Dimension of the user and item embeddings; 64 in He et al. 2020."""
    n_layers: Annotated[int, Field(ge=0, le=10), Knob(0, 4, symbol="K", label="Layers")] = 3
    """Number of propagations over the graph; 0 is matrix factorization, He et al. 2020 use 1 to 4."""
    regularization: Annotated[float, Field(ge=0, le=10), Knob(1e-6, 1e-1, scale="log", symbol=r"\lambda")] = 1e-4
    """L2 regularization of the embeddings of a batch; 0.0001 in He et al. 2020."""
    negatives: Annotated[int, Field(ge=1, le=256), Knob(1, 16, scale="log", label="Negative samples")] = 1
    """Number of negatives sampled per interaction; 1 in He et al. 2020."""
    epochs: Annotated[
        int, Field(ge=1, le=5000, description=EPOCHS_HELP), Knob(10, 300, scale="log", label="Maximum epochs")
    ] = 100
    patience: Annotated[
        int, Field(ge=0, le=100, description=PATIENCE_HELP.format(held_out="one item")), Knob(2, 20, advanced=True)
    ] = 5
    batch_size: Annotated[int, Field(ge=16, le=1_000_000), Knob(256, 16_384, scale="log", advanced=True)] = 8192
    """Number of interactions per training step; each step propagates over the whole graph, so larger is faster. He et
    al. 2020 use 2048."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(5e-4, 2e-2, scale="log")] = 5e-3
    """Step size of the Adam optimizer; 0.001 in He et al. 2020, with smaller batches."""


class BprBatch(NamedTuple):
    """Training pairs: `users`, `items` and `weights` (N,); without weights None."""

    users: "Tensor"
    items: "Tensor"
    weights: "Tensor | None"

    def on(self, device: "torch.device") -> "BprBatch":
        """Return the batch on a device."""
        return BprBatch(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]


class Vectors(NamedTuple):
    """What scores need, computed from the weights of a network, in double precision.

    Args:
        net: The network.
        users: (U, D) final vectors.
        items: (I, D) final vectors.
        own: (U, D) embeddings e^(0) of users.
        passed_on: (I, D) s_i / sqrt(|R(i)|), what an item adds to the users who have it.
        in_graph: (I,) whether an item has interactions.
        is_trained: (U,) whether a user has.
    """

    net: "LightGcnNet"
    users: FloatArray
    items: FloatArray
    own: FloatArray
    passed_on: FloatArray
    in_graph: BoolArray
    is_trained: BoolArray


class LightGcn(NetworkModel[LightGcnConfig]):
    """Scores a pair by the dot product of vectors propagated over the graph of interactions."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="lightgcn",
        title="LightGCN",
        family="neural",
        idea="Smooths user and item embeddings over the graph of interactions and scores a pair by their dot product.",
        formula=r"\hat{x}_{ui} = e_u^\top e_i, \quad e = \frac{1}{K + 1} \sum_{k=0}^{K} e^{(k)}, \quad"
        r" e_u^{(k+1)} = \sum_{i \in P(u)} \frac{e_i^{(k)}}{\sqrt{|P(u)| |R(i)|}}",
        source="He et al. 2020, section 3; Rendle et al. 2009 (BPR)",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY, Ability.EXPLAINS_ITEMS}),
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The items of the history enter as in training; the user has no embedding.",
        runtime="torch",
        weights="Weight of each user-item pair in the training loss: its confidence, log2(1 + summed weight / median "
        "weight).",
        weighs_histories=False,
        same_on_any_cores=False,
        views=("space", "tastes"),
    )
    config_type = LightGcnConfig
    fitted = ("graph",)
    net: "LightGcnNet"

    graph: csr_array
    """(U, I) 1 / sqrt(|P(u)| |R(i)|) for each interaction of the training data."""

    def _network(self) -> "LightGcnNet":
        from recsys_core.models.nets.lightgcn import LightGcnNet

        return LightGcnNet(self.graph, self.config.embedding_dim, self.config.n_layers)

    def plan(self) -> TrainingPlan:
        """Return the training parameters."""
        return TrainingPlan(self.config.epochs, self.config.patience, self.config.learning_rate)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        import torch

        pairs = self._training_confidence(train)
        held = Ragged(pairs.indices.astype(np.int64), pairs.indptr.astype(np.int64))
        kept, validate = self._held_back_pairs(held, ctx)
        users, items = held.row_numbers()[kept], held.values[kept]
        self.graph = normalized(csr_array((np.ones(len(users)), (users, items)), shape=pairs.shape))
        self.net = self._start(ctx)
        with torch.no_grad():  # what has no interactions is not trained, except an item as a negative
            for vectors, held_by in ((self.net.users, users), (self.net.items, items)):
                absent = torch.from_numpy(np.bincount(held_by, minlength=len(vectors)) == 0)
                vectors[absent.to(self.device)] = 0.0
        self._train(users, items, self._unless_equal(pairs.data[kept]), self.plan(), ctx, validate)

    def _train(
        self,
        users: IntArray,
        items: IntArray,
        weights: FloatArray | None,
        plan: TrainingPlan,
        ctx: RunContext,
        validate: Measure | None,
    ) -> None:
        """Train on pairs (N,) of the graph."""
        import torch

        from recsys_core.training.network import fit_network

        self._key_of_pairs = torch.from_numpy(
            np.repeat(np.arange(self.n_users), np.diff(self.graph.indptr)) * self.n_items + self.graph.indices
        ).to(self.device)
        size = self.config.batch_size

        def batches(rng: np.random.Generator) -> Iterator[BprBatch]:
            order = rng.permutation(len(users))
            for first in range(0, len(order), size):
                chosen = order[first : first + size]
                weight = None if weights is None else torch.from_numpy(weights[chosen])
                pairs = BprBatch(torch.from_numpy(users[chosen]), torch.from_numpy(items[chosen]), weight)
                yield pairs.on(self.device)

        fit_network(self.net, batches, self.loss, plan, ctx, name=self.info.key, validate=self._afresh(validate))
        self._propagate()

    def _afresh(self, validate: Measure | None) -> Measure | None:
        """Return the validation with vectors of the current weights; they are computed once per validation."""
        if validate is None:
            return None

        def measure() -> Mapping[str, float]:
            self._propagate()
            return validate()

        return measure

    def loss(self, batch: BprBatch, generator: "torch.Generator") -> "Tensor":
        """Return the BPR loss of a batch with its penalty; see the module."""
        import torch
        from torch.nn import functional

        from recsys_core.training.losses import bpr_loss

        of_users, of_items = self.net()
        drawn, is_held = self._negatives(batch.users, generator)
        people = functional.embedding(batch.users, of_users)  # (N, D)
        right = (people * functional.embedding(batch.items, of_items)).sum(dim=1)
        wrong = torch.bmm(functional.embedding(drawn, of_items), people.unsqueeze(2)).squeeze(2)
        fit = bpr_loss(right, wrong.masked_fill(is_held, -torch.inf), batch.weights)
        own = functional.embedding(batch.users, self.net.users)
        positive, negative = (functional.embedding(chosen, self.net.items) for chosen in (batch.items, drawn))
        squares = own.square().sum() + positive.square().sum() + negative.square().sum() / drawn.shape[1]
        return fit + self.config.regularization / 2 * squares / len(batch.users)

    def _negatives(self, users: "Tensor", generator: "torch.Generator") -> "tuple[Tensor, Tensor]":
        """Return (N, K) items sampled uniformly, and whether the user has each of them."""
        import torch

        shape = len(users), self.config.negatives
        drawn = torch.randint(0, self.n_items, shape, generator=generator, device=users.device)
        keys = users.unsqueeze(1) * self.n_items + drawn
        place = torch.searchsorted(self._key_of_pairs, keys).clamp_(max=len(self._key_of_pairs) - 1)
        return drawn, self._key_of_pairs[place] == keys

    def _propagate(self) -> "Vectors":
        """Compute what scores need from the current weights of the network, in double precision."""
        import torch

        with torch.no_grad():
            of_users, of_items = self.net()
            lower = self.net.lower_items().cpu().numpy().astype(np.float64)
        degree = np.bincount(self.graph.indices, minlength=self.n_items)  # (I,) |R(i)|
        scale = np.divide(1.0, np.sqrt(degree), out=np.zeros(self.n_items), where=degree > 0)
        self._vectors = Vectors(
            net=self.net,
            users=of_users.cpu().numpy().astype(np.float64),
            items=of_items.cpu().numpy().astype(np.float64),
            own=self.net.users.detach().cpu().numpy().astype(np.float64),
            passed_on=lower * scale[:, None],
            in_graph=degree > 0,
            is_trained=np.diff(self.graph.indptr) > 0,
        )
        return self._vectors

    @property
    def vectors(self) -> "Vectors":
        """The vectors of users and items; they are computed once per network."""
        computed: Vectors | None = getattr(self, "_vectors", None)
        return computed if computed is not None and computed.net is self.net else self._propagate()

    @property
    def user_factors(self) -> FloatArray:
        """(U, D) the final vectors of the training users, for views of the latent space."""
        return self.vectors.users

    @property
    def item_factors(self) -> FloatArray:
        """(I, D) the final vectors of the items."""
        return self.vectors.items

    def _history(self, query: QueryBatch) -> csr_array:
        """(B, I) 1 / sqrt(|P(u)|) for the items of each history that are in the graph."""
        held = history_matrix(query, self.n_items, "binary")
        rows = np.repeat(np.arange(len(query)), np.diff(held.indptr))
        kept = self.vectors.in_graph[held.indices]
        number = np.bincount(rows[kept], minlength=len(query))
        values = 1.0 / np.sqrt(number[rows[kept]])
        return csr_array((values, (rows[kept], held.indices[kept])), shape=held.shape)

    def _parts(self, query: QueryBatch) -> tuple[FloatArray, csr_array]:
        """Return (B, D) the user's own embedding and (B, I) the weights of `passed_on`, both over K + 1."""
        own = np.where((query.user != PAD)[:, None], self.vectors.own[query.user], 0.0) / (self.config.n_layers + 1)
        return own, self._history(query) / (self.config.n_layers + 1)

    def factors_of(self, query: QueryBatch) -> tuple[FloatArray, FloatArray]:
        """(B,) zeros and (B, D) the final vectors of the users of a query."""
        own, history = self._parts(query)
        return np.zeros(len(query)), own + history @ self.vectors.passed_on

    def _score(self, query: QueryBatch) -> FloatArray:
        scores: FloatArray = self.factors_of(query)[1] @ self.item_factors.T
        known = (query.user != PAD) & self.vectors.is_trained[query.user]
        scores[~known & (np.diff(self._history(query).indptr) == 0)] = np.nan
        return scores

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the items of the history; the remainder is the user's own embedding.

        Raises:
            CannotScore: An unknown user has no history.
        """
        score = self._score_to_explain(query, item)
        own, history = self._parts(query)
        sources = history.indices.astype(np.int64)
        shares = history.data * (self.vectors.passed_on[sources] @ self.item_factors[item])
        return Explanation(item, score, "history", sources, shares, float(own[0] @ self.item_factors[item]))

    def _tables(self, users: int, items: int) -> Mapping[str, int]:
        return {"users": users, "items": items}

    def _make_room(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Extend the graph by the new interactions."""
        self.graph = normalized(concatenated(before, new).matrix("binary"))

    def _learn_on(
        self, before: Dataset, new: Dataset, plan: TrainingPlan, ctx: RunContext, validate: Measure | None
    ) -> None:
        pairs = self._training_confidence(new)
        users = np.repeat(np.arange(self.n_users), np.diff(pairs.indptr))
        self._train(users, pairs.indices.astype(np.int64), self._unless_equal(pairs.data), plan, ctx, validate)

    @classmethod
    def memory_estimate(cls, config: LightGcnConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the graph by user and by item, of copies of the embeddings, and of a batch."""
        vectors = 20 * 4 * (n_users + n_items) * config.embedding_dim
        batch = 4 * min(config.batch_size, n_interactions) * config.embedding_dim * 4 * (2 + 2 * config.negatives)
        return vectors + batch + 100 * n_interactions

    @classmethod
    def work_estimate(cls, config: LightGcnConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: propagations over the graph, forward and backward, and of the pairs."""
        steps = -(-n_interactions // config.batch_size)
        propagated = 0.7 * n_interactions * config.embedding_dim * config.n_layers
        vectors = 4.0 * (n_users + n_items) * config.embedding_dim
        pairs = 4.0 * n_interactions * config.embedding_dim * (1 + config.negatives)
        return config.epochs * (steps * (propagated + vectors) + pairs)


def normalized(interactions: csr_array) -> csr_array:
    """Return the (U, I) graph with 1 / sqrt(|P(u)| |R(i)|) for each interaction.

    Args:
        interactions: (U, I); its values are not used, each pair occurs once.
    """
    pairs = csr_array(interactions)
    pairs.sum_duplicates()
    of_user, of_item = np.diff(pairs.indptr), np.bincount(pairs.indices, minlength=pairs.shape[1])
    rows = np.repeat(np.arange(pairs.shape[0]), of_user)
    values = 1.0 / np.sqrt(of_user[rows] * of_item[pairs.indices].astype(np.float64))
    return csr_array((values.astype(np.float32), pairs.indices, pairs.indptr), shape=pairs.shape)
