r"""BPR: matrix factorization trained to rank each user's items above items that the user has not seen.

    s_ui = b_i + p_u . q_i

    minimizes  -sum_{(u,i) observed} E_j [c_ui ln sigma(s_ui - s_uj)]  +  L2 regularization

over items j that the user has not seen, drawn uniformly or in proportion to their popularity. Popularity makes popular
items compete with each other, and lowers their scores relative to uniform negatives. c_ui is 1, or the confidence of
`weights.py` divided by its mean if interactions have weights; pairs of negative confidence are not learned from.

`bpr_descent.py` holds the steps of the descent, which runs in parallel and gives the same result on any number of
threads.

An unknown user is folded in by the same steps on the history alone, with the items fixed. A training user is scored
with the trained factors. Without a history the score is b_i, close to a ranking by popularity.

Source: Rendle et al. 2009, "BPR: Bayesian Personalized Ranking from Implicit Feedback", section 4.1 (the criterion) and
4.3.1 (matrix factorization). Departures: item biases are added, an epoch visits each pair once instead of drawing pairs
with replacement, and the step size decreases linearly to 0, which raised the NDCG@10 on ML-100K from 0.389 to 0.410 and
on ML-1M from 0.359 to 0.383 (64 factors, 50 epochs, a first step size of 0.05).
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from recsys_core.batches import PAD, BoolArray, FloatArray, IntArray, QueryBatch
from recsys_core.contracts import Ability, Explanation, FoldIn, Knob, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.biased_mf import add_products
from recsys_core.models.bpr_descent import Pace, Parameters, block_count, blocks_of, cells_of, descend, fold_in
from recsys_core.models.observed import Rows, observed, rows_of
from recsys_core.text import _
from recsys_core.training.blocks import run_in_blocks, silent
from recsys_core.training.epochs import run_epochs

POPULARITY = "popularity"
SAMPLE = 4096
"""Items that represent popularity when a user is folded in."""


class BprConfig(ModelConfig):
    """Settings of BPR."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 256, scale="log", symbol="D")] = 64
    """Number of latent factors per user and item."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 200, scale="log")] = 50
    """Number of passes over the observed pairs."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(5e-3, 0.2, scale="log", symbol=r"\gamma")] = 0.1
    """Step size of stochastic gradient descent in the first epoch; it decreases linearly to 0 after the last epoch."""
    regularization: Annotated[float, Field(ge=0, le=10), Knob(1e-3, 0.1, scale="log", symbol=r"\lambda")] = 0.01
    """L2 regularization of factors and item biases."""
    negative_sampling: Annotated[Literal["uniform", "popularity"], Knob()] = "uniform"
    """How unseen items are sampled: 'uniform', each alike, or 'popularity', in proportion to their interactions."""
    init_std: Annotated[float, Field(gt=0, le=10), Knob(0.01, 1.0, scale="log", symbol=r"\sigma")] = 0.1
    """Standard deviation of the norm of the initial factors."""


class Bpr(Recommender[BprConfig]):
    """Scores an item by its bias and the dot product of user and item factors, learned from pairs of items."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="bpr",
        title="BPR-MF",
        family="matrix factorization",
        idea="Learns latent factors that rank each user's items above sampled unseen ones.",
        formula=r"\hat{x}_{ui} = b_i + p_u^\top q_i",
        source="Rendle et al. 2009, section 4.3.1",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The user's factors are learned from the history by the same gradient descent, with the item "
        "factors fixed.",
        weights="A pair is trained in proportion to its confidence, log2(1 + weight / median weight).",
        views=("space", "tastes"),
    )
    config_type = BprConfig
    fitted = ("user_factors", "item_factors", "item_bias", "trained", "popular", "mean_confidence")
    scores_in_threads = True

    user_factors: FloatArray
    """(U, D) float32; 0 for users without interactions."""
    item_factors: FloatArray
    """(I, D) float32."""
    item_bias: FloatArray
    """(I,) float32."""
    trained: BoolArray
    """(U,) whether a user has interactions."""
    popular: IntArray
    """Sample of items, repeated in proportion to their popularity."""
    mean_confidence: FloatArray
    """() mean positive confidence of the training pairs."""

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        rows = observed(train, self.weight_unit)
        positive = rows.weight[rows.weight > 0]
        self.mean_confidence = np.array(positive.mean() if len(positive) else 1.0, dtype=np.float32)
        rows = rows._replace(weight=rows.weight / self.mean_confidence)
        self.trained = np.diff(rows.start) > 0
        self.popular = ctx.rng("bpr", "popular").choice(rows.column, min(SAMPLE, len(rows.column))).astype(np.uint32)
        parameters = self._drawn(rows, ctx)
        blocks = block_count(self.n_users, self.n_items, len(rows.column), self.config.factors)
        rng = ctx.rng("bpr", "order")
        users = blocks_of(self.n_users, blocks, rng)

        def one_epoch(number: int) -> Mapping[str, float]:
            items = blocks_of(self.n_items, blocks, rng)
            pace = self._pace((self.config.epochs + 1 - number) / self.config.epochs)
            cells = cells_of(rows, users, items)
            found = np.zeros((blocks, 2))
            for turn in range(blocks):
                seeds = rng.integers(2**62, size=blocks)

                def train_cell(block: int, end: int, turn: int = turn, seeds: IntArray = seeds) -> None:
                    other = (block + turn) % blocks
                    seed = int(seeds[block])
                    found[block] += descend(cells, rows, users, items, parameters, pace, block, other, seed)

                run_in_blocks(train_cell, blocks, 1, silent(ctx), stage="cells")
            self.user_factors, self.item_factors, self.item_bias = parameters
            loss, steps = found.sum(axis=0)
            return {"loss": float(loss / max(1.0, steps))} | dict(self._measured(ctx))

        run_epochs(one_epoch, self.config.epochs, ctx)

    def _drawn(self, rows: Rows, ctx: RunContext) -> Parameters:
        """Return initial parameters: zero biases and random factors, zero for users and items without interactions."""
        rng, size = ctx.rng("bpr", "start"), self.config.factors
        spread = np.float32(self.config.init_std / np.sqrt(size))
        users = rng.standard_normal((self.n_users, size), dtype=np.float32)
        items = rng.standard_normal((self.n_items, size), dtype=np.float32)
        users *= spread
        items *= spread
        users[~self.trained] = 0.0
        items[np.bincount(rows.column, minlength=self.n_items) == 0] = 0.0
        return Parameters(users, items, np.zeros(self.n_items, dtype=np.float32))

    def _pace(self, share: float = 1.0) -> Pace:
        """Return the settings of the descent, with a share of the step size."""
        rate, penalty = np.float32(self.config.learning_rate * share), np.float32(self.config.regularization)
        return Pace(rate, penalty, self.config.negative_sampling == POPULARITY)

    def _score(self, query: QueryBatch) -> FloatArray:
        scores: FloatArray = np.tile(self.item_bias.astype(np.float64), (len(query), 1))
        items = np.ascontiguousarray(self.item_factors.T, dtype=np.float64)
        add_products(self.factors_of(query)[1], items, scores)
        return scores

    def factors_of(self, query: QueryBatch) -> tuple[FloatArray, FloatArray]:
        """(B,) biases, which are 0, and (B, D) factors: the trained ones of training users, else folded in."""
        known = (query.user != PAD) & self.trained[query.user]
        factors = np.zeros((len(query), self.config.factors))
        factors[known] = self.user_factors[query.user[known]]
        rows = rows_of(self._history_confidence(query))
        parameters = Parameters(self.user_factors, self.item_factors, self.item_bias)
        uniform = self.config.negative_sampling != POPULARITY
        candidates = np.arange(self.n_items, dtype=np.uint32) if uniform else self.popular
        for row in np.flatnonzero(~known & (np.diff(rows.start) > 0)).tolist():
            entries = slice(rows.start[row], rows.start[row + 1])
            seen = rows.column[entries]
            weight = rows.weight[entries] if len(rows.weight) else np.ones(len(seen), dtype=np.float32)
            weight = weight / self.mean_confidence
            factors[row] = fold_in(seen, weight, parameters, candidates, self._pace(), self.config.epochs)
        return np.zeros(len(query)), factors

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` for the single user in `query` into b_i and the product of each factor.

        Source 0 is the item bias, d factor d, counted from 1.
        """
        score = self._score_to_explain(query, item)
        products = self.factors_of(query)[1][0] * self.item_factors[item].astype(np.float64)
        weights = np.concatenate([[float(self.item_bias[item])], products])
        factor = _("factor {number}")
        labels = (_("item bias"), *(factor.format(number=d + 1) for d in range(len(products))))
        return Explanation(item, score, "factors", np.arange(len(weights)), weights, 0.0, labels)

    @classmethod
    def memory_estimate(cls, config: BprConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the factors, and of the pairs by user and by cell, while the next cells are made."""
        return 4 * config.factors * (n_users + n_items) + 28 * n_interactions + 40 * (n_users + n_items) + 2**20

    @classmethod
    def work_estimate(cls, config: BprConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the descent: one per factor, pair and epoch, and some to draw and find the three rows."""
        return (40.0 + 0.6 * config.factors) * config.epochs * n_interactions
