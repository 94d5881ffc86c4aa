"""RP3beta: a random walk of three steps, with popular items demoted; P3alpha if beta is 0.

A walker starts at user u and follows interactions to an item j of the history, to a user v of that item, and to an
item i of that user. With x_vi = 1 for each observed pair, whatever its rating, n_v the number of items of a user and
n_i the number of users of an item, each step has a probability, raised to the power alpha, and the end is divided by
the popularity of the item, raised to the power beta:

    p_uj = (x_uj / n_u)^alpha,   p_jv = (x_vj / n_j)^alpha,   p_vi = (x_vi / n_v)^alpha
    s_ui = sum_j p_uj W_ji,      W_ji = sum_v p_jv p_vi / n_i^beta

With alpha = 1 and beta = 0, s_ui is the probability that the walk ends at i. Only the k largest weights W_ji of each
*scored* item i are kept, and W_ii = 0, which could only raise items of the history. (Keeping the largest weights of
each history item j instead leaves items without any; on ML-1M, with a fifth of each user's ratings held out, alpha = 1,
beta = 0 and k = 100, NDCG@10 was 0.370 with the former and 0.272 with the latter.)

If interactions have weights, x is the confidence c_ui of `weights.py`, in training and in the histories of queries, and
n_u and n_i are sums of x. Negative confidences count as 0: a walk cannot follow a dislike.

The weights are computed item by item: a row of the product of two sparse matrices, of which only the largest k entries
are stored, so memory grows with k and not with the number of pairs of items.

Source: Christoffel et al. 2015, "Blockbusters and Wallflowers: Accurate, Diverse, and Scalable Recommendations with
Random Walks"; P3alpha: Cooper et al. 2014, "Random Walks in Recommender Systems". The reading as an item-item model
with k neighbors is that of Ferrari Dacrema et al. 2019, "Are We Really Making Much Progress?", who keep the largest
weights of each history item.
"""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import Ability, FloatArray, IntArray, Knob, ModelConfig, ModelInfo, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.data.random_keys import Keys
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.linear import LinearItemModel
from recsys_core.training.blocks import run_in_blocks

BLOCK = 64
"""Number of items whose weights a thread computes at a time."""


class RP3betaConfig(ModelConfig):
    """Settings of RP3beta."""

    alpha: Annotated[float, Field(ge=0, le=2), Knob(0.2, 2.0, symbol=r"\alpha")] = 0.6
    """Power of the probability of each step. Smaller values make active users and popular items of the history count
    more."""
    beta: Annotated[float, Field(ge=0, le=2), Knob(0.0, 1.0, symbol=r"\beta")] = 0.4
    """Power of the popularity by which scores are divided. Larger values favor rare items; 0 gives P3alpha."""
    neighbors: Annotated[int, Field(ge=1, le=100_000), Knob(10, 1000, scale="log", symbol="k")] = 200
    """Number of largest weights kept for each scored item."""


class RP3beta(LinearItemModel[RP3betaConfig]):
    """Scores an item by the probability that a random walk from the user ends there, divided by its popularity."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="rp3beta",
        title="RP3beta",
        family="linear",
        idea="Random walks from the user over items and users to items, with popular items demoted.",
        formula=r"\hat{x}_{ui} = \frac{1}{n_i^\beta} \sum_{j \in P(u) \cap N_k(i)} \sum_{v \in R(j) \cap R(i)} "
        r"\left(\frac{1}{n_u} \frac{1}{n_j} \frac{1}{n_v}\right)^\alpha",
        source="Christoffel et al. 2015",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        weights="Steps of the walk are taken in proportion to log2(1 + weight / median weight) of each interaction.",
        views=("around", "items"),
    )
    config_type = RP3betaConfig
    item_weights: csr_array

    @classmethod
    def formula_of(cls, config: RP3betaConfig, *, rated: bool, weighted: bool) -> str:
        """Return the sum over walks, without popularity if beta is 0, with confidences if interactions have weights."""
        text = cls.info.formula if config.beta else cls.info.formula.replace(r"\frac{1}{n_i^\beta} ", "")
        steps = r"\frac{1}{n_u} \frac{1}{n_j} \frac{1}{n_v}"
        return text.replace(steps, r"\frac{c_{uj}}{n_u} \frac{c_{vj}}{n_j} \frac{c_{vi}}{n_v}") if weighted else text

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        followed = _without_negative(self._training_confidence(train))  # (U, I)
        to_users = _steps(csr_array(followed.T.tocsr()), self.config.alpha)  # (I, U)
        to_items = _steps(followed, self.config.alpha)  # (U, I)
        popularity = followed.sum(axis=0)
        # W_ji for all j is a row of this product for the scored item i
        from_item = sparse(csr_array(to_items.T.tocsr()))
        from_user = sparse(csr_array(to_users.T.tocsr()))
        k = min(self.config.neighbors, self.n_items)
        nearest = np.zeros((self.n_items, k), dtype=np.int64)
        weights = np.zeros((self.n_items, k))
        ties = train.item_vocabulary.keys

        def walk(first: int, end: int) -> None:
            largest_of_product(from_item, from_user, ties, first, nearest[first:end], weights[first:end])

        run_in_blocks(walk, self.n_items, BLOCK, ctx, stage="walk from item to item")
        demoted = weights * _power(popularity, -self.config.beta)[:, None]
        self.item_weights = _by_history_item(nearest, demoted.astype(np.float32))

    def inputs(self, query: QueryBatch) -> csr_array:
        """(B, I) the probabilities of the first step, p_uj."""
        return _steps(_without_negative(self._history_confidence(query)), self.config.alpha)

    @classmethod
    def memory_estimate(cls, config: RP3betaConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the k weights of each item in four forms, and of the steps by user and by item."""
        kept = min(config.neighbors, n_items) * n_items
        return 40 * kept + 60 * n_interactions + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: RP3betaConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the product: six per pair of interactions of an average user, as few users have most."""
        return 50.0 * n_interactions + 6.0 * n_interactions * n_interactions / max(1, n_users)


def _without_negative(interactions: csr_array) -> csr_array:
    """Return the matrix without entries that are not positive, float64."""
    kept = csr_array(interactions, dtype=np.float64, copy=True)
    kept.data[kept.data < 0] = 0.0
    kept.eliminate_zeros()
    return kept


def _steps(interactions: csr_array, alpha: float) -> csr_array:
    """Return (x / sum of the row)^alpha of a matrix with positive entries."""
    totals = np.repeat(interactions.sum(axis=1), np.diff(interactions.indptr))
    probabilities = (interactions.data / totals) ** alpha
    return csr_array((probabilities, interactions.indices, interactions.indptr), shape=interactions.shape)


def _power(values: FloatArray, exponent: float) -> FloatArray:
    """Return values^exponent, 0 where a value is 0."""
    return np.power(values, exponent, out=np.zeros(len(values)), where=values > 0)


def _by_history_item(nearest: IntArray, weights: FloatArray) -> csr_array:
    """Return the (I, I) weights with a row per history item from (I, k) rows per scored item; weight 0 ends a row."""
    items = len(nearest)
    scored, place = np.nonzero(weights)
    return csr_array((weights[scored, place], (nearest[scored, place], scored)), shape=(items, items))


@compiled
def largest_of_product(
    left: Sparse, right: Sparse, ties: Keys, first: int, column: IntArray, value: FloatArray
) -> None:
    """Fill `column` and `value` (n, k) with the largest positive entries of rows of left @ right, without the diagonal.

    Each row is summed in the order of the entries of `left`.

    Args:
        left: (I, U).
        right: (U, I).
        ties: (I,) distinct keys: of equal entries, those with the smallest keys are kept.
        first: Row of the product that fills row 0.
        column: Output, in no particular order.
        value: Output, zeros.
    """
    sums, reached = np.zeros(len(ties)), np.empty(len(ties), np.int64)
    for row in range(len(column)):
        found = 0
        for place in range(left.start[first + row], left.start[first + row + 1]):
            user, step = left.column[place], left.value[place]
            for entry in range(right.start[user], right.start[user + 1]):
                item = right.column[entry]
                if sums[item] == 0.0:
                    reached[found] = item
                    found += 1
                sums[item] += step * right.value[entry]
        sums[first + row] = 0.0
        _keep_largest(sums, reached[:found], ties, column[row], value[row])
        sums[reached[:found]] = 0.0


@compiled
def _keep_largest(sums: FloatArray, reached: IntArray, ties: Keys, column: IntArray, value: FloatArray) -> None:
    """Fill `column` and `value` (k,) with the largest positive sums among the items reached."""
    k, least = len(column), 0.0
    if len(reached) > k:
        least = np.partition(sums[reached], len(reached) - k)[len(reached) - k]
    kept = 0
    for item in reached:
        if sums[item] > least:
            column[kept], value[kept] = item, sums[item]
            kept += 1
    if least == 0.0:
        return
    equal = reached[sums[reached] == least]
    for item in equal[np.argsort(ties[equal])][: k - kept]:
        column[kept], value[kept] = item, sums[item]
        kept += 1
