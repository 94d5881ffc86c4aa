"""User and item biases: the global mean plus the average deviations of the user and of the item.

    mu                         mean of all ratings
    b_i = sum_u (r_ui - mu) / (|R(i)| + shrinkage)
    b_u = sum_i (r_ui - mu - b_i) / (|P(u)| + shrinkage)

With `terms="user"` or `"item"` only one of the two is used: b_u is then the deviation from mu alone, and without
shrinkage the prediction is the mean rating of the user or item.

Interaction weights are ignored: only ratings are averaged.

Source: Koren 2010, "Factor in the Neighbors", section 2.1, with one shrinkage for both terms instead of two.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import FloatArray, IntArray, QueryBatch
from recsys_core.contracts import Ability, Explanation, Knob, ModelConfig, ModelInfo, Need, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender, rating_range_of
from recsys_core.models.histories import history_matrix


class BiasConfig(ModelConfig):
    """Settings of the bias model."""

    terms: Annotated[Literal["global", "user", "item", "user_item"], Knob(label="Bias terms")] = "user_item"
    """Bias terms that are added to the global mean."""
    shrinkage: Annotated[float, Field(ge=0, le=1e6), Knob(0, 100, symbol=r"\beta")] = 0.0
    """Regularization of the biases: added to the number of ratings in each denominator, so that the biases of users
    and items with few ratings are shrunk towards 0 (in LensKit: damping). 0 gives plain means."""


def bias_formula(config: BiasConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the bias terms in use, each with its definition, as LaTeX; `rated` and `weighted` make no difference."""
    of_user, of_item = "user" in config.terms, "item" in config.terms
    parts = [r"\hat{r}_{ui} = \mu" + (" + b_u" if of_user else "") + (" + b_i" if of_item else "")]
    shrinkage = r" + \beta" if config.shrinkage > 0 else ""
    if of_item:
        parts.append(rf"b_i = \frac{{\sum_{{u \in R(i)}} (r_{{ui}} - \mu)}}{{|R(i)|{shrinkage}}}")
    if of_user:
        taken = r"\mu - b_i" if of_item else r"\mu"
        parts.append(rf"b_u = \frac{{\sum_{{i \in P(u)}} (r_{{ui}} - {taken})}}{{|P(u)|{shrinkage}}}")
    return r", \quad ".join(parts)


class Bias(Recommender[BiasConfig]):
    """Predicts a rating from the biases of the user and of the item."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="bias",
        title="User and item biases",
        family="baselines",
        idea="Predicts the global mean plus a user bias and an item bias; the user bias does not change the ranking.",
        formula=bias_formula(BiasConfig()),
        source="Koren 2010, section 2.1",
        needs=frozenset({Need.RATINGS}),
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
        personal=False,
    )
    config_type = BiasConfig
    fitted = ("mean", "scale", "item_bias")

    formula_of = staticmethod(bias_formula)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="average the ratings"):
            ratings = train.matrix("rating")  # (U, I)
            self.scale = rating_range_of(train)
            self.mean = np.array(ratings.data.mean(dtype=np.float64))
            self.item_bias: FloatArray = np.zeros(self.n_items)  # (I,)
            if self.config.terms in ("item", "user_item"):
                deviations = ratings.data - self.mean
                self.item_bias = self._shrunk_mean(ratings.indices, deviations, self.n_items)

    @classmethod
    def memory_estimate(cls, config: BiasConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the matrix of ratings during its construction, and of the biases."""
        return 26 * n_interactions + 24 * (n_users + n_items)

    def _score(self, query: QueryBatch) -> FloatArray:
        scores: FloatArray = float(self.mean) + self.item_bias + self._user_bias(query)[:, None]
        return scores

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) predictions, clipped to the rating scale."""
        ratings: FloatArray = np.clip(self.score(query), *self.scale)
        return ratings

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split a score into the item bias (its source is the item itself) and a remainder that all items share."""
        score = self._score_to_explain(query, item)
        weights = self.item_bias[[item]]
        return Explanation(item, score, "terms", np.array([item]), weights, score - float(weights.sum()))

    def _user_bias(self, query: QueryBatch) -> FloatArray:
        """(B,) computed from the history in the query, so that unknown users are treated like known ones."""
        if self.config.terms not in ("user", "user_item"):
            return np.zeros(len(query))
        ratings: csr_array = history_matrix(query, self.n_items, "rating")
        deviations = ratings.data - self.mean - self.item_bias[ratings.indices]
        return self._shrunk_mean(np.repeat(np.arange(len(query)), np.diff(ratings.indptr)), deviations, len(query))

    def _shrunk_mean(self, group: IntArray, values: FloatArray, groups: int) -> FloatArray:
        """Return (G,) sum / (count + shrinkage) of the values of each group; 0 for an empty group."""
        sums = np.bincount(group, values, minlength=groups)
        weight = np.bincount(group, minlength=groups) + self.config.shrinkage
        mean: FloatArray = np.divide(sums, weight, out=np.zeros(groups), where=weight > 0)
        return mean
