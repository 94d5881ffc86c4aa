r"""Factorization machine: each feature of user, item and history has a vector, and all of them interact in pairs.

A feature f of value x_f has a weight w_f and a vector v_f; a pair of features contributes x_f x_g v_f . v_g. The
features of a query are the user (1 for their own feature), their attributes, and as context the items of the history,
each with the value |P(u)|^-1/2; those of an item are the item itself and its features (categories, words, numbers,
dates). With the sums over features

    a_u = sum_f x_uf v_f,     h_u = sum_{j in P(u)} y_j,     z_i = sum_f x_if v_f

all pairs between query and item are one dot product, and those within the item belong to its bias:

    s_ui = c_i + (a_u + |P(u)|^-1/2 h_u) . z_i
    c_i  = sum_f x_if w_f + (|z_i|^2 - sum_f |x_if v_f|^2) / 2

Terms of the query alone are left out, as they do not change its ranking. The parameters are learned by stochastic
gradient descent on the BPR loss with uniform negatives (`fm_descent.py`); the target item is left out of its own
context. The step size decreases linearly to 0. If interactions have weights, a pair is trained in proportion to its
confidence (`weights.py`); the sum over the history is unweighted.

A new item is scored by its features. An unknown user has neither an own feature nor attributes and is represented by
the history.

The descent runs on one core, since the order of its steps decides the result.

Source: Rendle 2010, "Factorization Machines", eq. 1 and 5; the items of the history as context as in its figure 1,
where they are divided by their number; the criterion of Rendle et al. 2009, "BPR".
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, eye_array, hstack

from recsys_core.batches import PAD, BoolArray, FloatArray, QueryBatch
from recsys_core.contracts import Ability, Explanation, FoldIn, Knob, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.biased_mf import add_products
from recsys_core.models.content import balanced
from recsys_core.models.fm_descent import Pace, Parameters, descend, item_sums, sparse32
from recsys_core.models.histories import history_matrix
from recsys_core.models.observed import observed
from recsys_core.profiles.features import item_features, user_attributes
from recsys_core.training.epochs import run_epochs

INITIAL_NORM = 0.1
"""Standard deviation of the norm of initial vectors."""
FEATURES = 20
"""Number of features of an item assumed by estimates."""


class FmConfig(ModelConfig):
    """Settings of the factorization machine."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 256, scale="log", symbol="D")] = 64
    """Dimension of the feature vectors."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 100, scale="log")] = 30
    """Number of passes over the observed pairs."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(5e-3, 0.1, scale="log", symbol=r"\gamma")] = 0.05
    """Step size of stochastic gradient descent in the first epoch; it decreases linearly to 0 after the last epoch."""
    regularization: Annotated[float, Field(ge=0, le=10), Knob(1e-3, 0.1, scale="log", symbol=r"\lambda")] = 0.01
    """L2 regularization of feature vectors and weights."""
    features: Annotated[bool, Knob(label="Use features")] = True
    """Whether to use the features in the tables of users and items, if there are any."""


class FactorizationMachine(Recommender[FmConfig]):
    """Scores an item by the pairwise interactions of the features of user, history and item."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="fm",
        title="Factorization machine",
        family="matrix factorization",
        idea="Learns a vector for each feature of users, items and histories, and sums the interactions of all pairs.",
        formula=r"\hat{x}_{ui} = c_i + \left(\sum_f x_{uf} v_f + |P(u)|^{-1/2} \sum_{j \in P(u)} y_j\right)^\top"
        r" \sum_f x_{if} v_f",
        source="Rendle 2010, eq. 1 and 5; Rendle et al. 2009 (BPR)",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The items of the history enter as in training; the user has no own feature and no attributes.",
        weights="A pair is trained in proportion to its confidence, log2(1 + weight / median weight).",
        weighs_histories=False,
        views=("space", "tastes"),
    )
    config_type = FmConfig
    fitted = ("own_factors", "user_factors", "item_factors", "item_bias", "history_factors")
    scores_in_threads = True

    own_factors: FloatArray
    """(U, D) float32 a_u."""
    user_factors: FloatArray
    """(U, D) float32 a_u plus the context of the training history."""
    item_factors: FloatArray
    """(I, D) float32 z_i."""
    item_bias: FloatArray
    """(I,) float32 c_i."""
    history_factors: FloatArray
    """(I, D) float32 y_j."""

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        users, items = self._user_features(train), self._item_features(train)
        rows = observed(train, self.weight_unit)
        positive = rows.weight[rows.weight > 0]
        rows = rows._replace(weight=rows.weight / (positive.mean() if len(positive) else np.float32(1.0)))
        active = np.flatnonzero(np.diff(rows.start) > 0)
        seen = np.bincount(rows.column, minlength=self.n_items) > 0
        parameters = self._drawn(users, items, np.diff(rows.start) > 0, seen, ctx)
        features, candidates = (sparse32(users), sparse32(items)), np.flatnonzero(seen).astype(np.uint32)
        rng, rate = ctx.rng("fm", "order"), self.config.learning_rate

        def one_epoch(number: int) -> Mapping[str, float]:
            share = (self.config.epochs + 1 - number) / self.config.epochs
            pace = Pace(np.float32(rate * share), np.float32(self.config.regularization))
            order, seed = rng.permutation(active), int(rng.integers(2**62))
            loss, steps = descend(order, rows, *features, parameters, pace, candidates, seed)
            if ctx.validate is not None or number == self.config.epochs:
                self._take(users, items, parameters, train)
            return {"loss": loss / max(1.0, steps)} | dict(self._measured(ctx))

        run_epochs(one_epoch, self.config.epochs, ctx)

    def _user_features(self, train: Dataset) -> csr_array:
        """(U, U + A) one column per user, then their attributes if there is a table and `features` is on."""
        blocks = [eye_array(self.n_users, format="csr")]
        if self.config.features and train.users is not None:
            blocks.append(balanced(user_attributes(train)).matrix)
        return csr_array(hstack(blocks, format="csr"))

    def _item_features(self, train: Dataset) -> csr_array:
        """(I, I + F) one column per item, then its features if there is a table and `features` is on."""
        blocks = [eye_array(self.n_items, format="csr")]
        if self.config.features and train.items is not None:
            blocks.append(balanced(item_features(train)).matrix)
        return csr_array(hstack(blocks, format="csr"))

    def _drawn(
        self, users: csr_array, items: csr_array, active: BoolArray, seen: BoolArray, ctx: RunContext
    ) -> Parameters:
        """Return initial parameters: zero weights and random vectors, zero for users and items without interactions."""
        rng, size = ctx.rng("fm", "start"), self.config.factors
        spread = np.float32(INITIAL_NORM / np.sqrt(size))
        query, item, history = (
            rng.standard_normal((rows, size), dtype=np.float32) * spread
            for rows in (users.shape[1], items.shape[1], self.n_items)
        )
        query[: self.n_users][~active] = 0.0
        item[: self.n_items][~seen] = 0.0
        history[~seen] = 0.0
        return Parameters(query, item, np.zeros(items.shape[1], dtype=np.float32), history)

    def _take(self, users: csr_array, items: csr_array, parameters: Parameters, train: Dataset) -> None:
        """Store the sums over features, which are all that scores need."""
        features = sparse32(items)
        self.own_factors = (users @ parameters.query).astype(np.float32)
        self.item_factors = np.empty((self.n_items, self.config.factors), dtype=np.float32)
        self.item_bias = np.empty(self.n_items, dtype=np.float32)
        for item in range(self.n_items):
            self.item_bias[item] = item_sums(features, parameters, item, self.item_factors[item])
        self.history_factors = parameters.history.copy()
        self.user_factors = self.own_factors + self._context(train.matrix("binary")).astype(np.float32)

    def _context(self, histories: csr_array) -> FloatArray:
        """(B, D) |P(u)|^-1/2 h_u of histories (B, I)."""
        number = np.maximum(np.diff(histories.indptr), 1)[:, None]
        context: FloatArray = (histories @ self.history_factors.astype(np.float64)) / np.sqrt(number)
        return context

    def factors_of(self, query: QueryBatch) -> tuple[FloatArray, FloatArray]:
        """(B,) biases, which are 0, and (B, D) sums over the features of users, without own features if unknown."""
        factors = self._context(history_matrix(query, self.n_items, "binary"))
        known = query.user != PAD
        factors[known] += self.own_factors[query.user[known]]
        return np.zeros(len(query)), factors

    def _score(self, query: QueryBatch) -> FloatArray:
        scores: FloatArray = np.tile(self.item_bias.astype(np.float64), (len(query), 1))
        items = np.ascontiguousarray(self.item_factors.T, dtype=np.float64)
        add_products(self.factors_of(query)[1], items, scores)
        return scores

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` for the single user in `query` into the interactions with the history items.

        The remainder is c_i and the interactions with the user's own features.
        """
        score = self._score_to_explain(query, item)
        history = history_matrix(query, self.n_items, "binary")
        products = self.history_factors[history.indices].astype(np.float64) @ self.item_factors[item]
        weights = products / np.sqrt(max(1, len(products)))
        sources = history.indices.astype(np.int64)
        return Explanation(item, score, "history", sources, weights, score - float(weights.sum()))

    @classmethod
    def memory_estimate(cls, config: FmConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the vectors and their sums, of the features, and of the pairs."""
        vectors = 4 * config.factors * (4 * n_users + 6 * n_items)
        return vectors + 16 * FEATURES * (n_users + 2 * n_items) + 32 * n_interactions + 2**20

    @classmethod
    def work_estimate(cls, config: FmConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the descent: per pair, the features of two items are summed and updated."""
        return (60.0 + 1.0 * FEATURES * config.factors) * config.epochs * n_interactions
