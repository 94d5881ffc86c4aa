"""Matrix factorization with biases (Funk SVD).

    r_ui = mu + b_u + b_i + p_u . q_i

mu is the mean rating. The other parameters are learned by stochastic gradient descent: each epoch visits the ratings in
a new random order, and each rating updates its four parameters by its error e = r - r_ui:

    b_u += learning_rate (e - regularization b_u)         p_u += learning_rate (e q_i - regularization p_u)
    b_i += learning_rate (e - regularization b_i)         q_i += learning_rate (e p_u - regularization q_i)

An unknown user, or one without training ratings, is folded in: with the items fixed, the b_u and p_u that fit the
history best solve a ridge regression, whose penalty, as in the descent, counts once per rating. A training user is
scored with the trained parameters, so the lists of the same user as a known and as an unknown user differ slightly.
Users and items without ratings have zero factors, so their predictions consist of biases alone.

The descent works on standardized ratings, so that its step size fits stars, percentages and hours alike: deviations
from mu are scaled to the standard deviation `SPREAD` (that of MovieLens stars, for which the defaults were chosen), and
errors are clipped at `LARGEST_ERROR`. Afterwards b_u, b_i and p_u are multiplied by the unit, and q_i are unchanged:
predictions are in rating units, and ratings times 100 give predictions times 100.

Data without ratings are rejected: if every value is 1, there is nothing to regress. Interaction weights are ignored.

Source: Koren, Bell and Volinsky 2009, "Matrix Factorization Techniques", eq. 4 and 5; defaults as in Surprise's SVD.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, NamedTuple, TypeVar

import numpy as np
from pydantic import Field

from recsys_core.batches import PAD, BoolArray, FloatArray, IntArray, QueryBatch
from recsys_core.contracts import Ability, Explanation, FoldIn, Knob, ModelConfig, ModelInfo, Need, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender, rating_range_of
from recsys_core.models.compiled import compiled, compiled_fast
from recsys_core.text import _
from recsys_core.training.epochs import run_epochs

LEARNED = ("user_bias", "item_bias", "user_factors", "item_factors")
TILE = 256
"""Number of items whose factors are in the fast cache while users pass by."""
INITIAL_SPREAD = 0.1
"""Standard deviation of the initial factors."""
SPREAD = 1.12
"""Standard deviation of the ratings of MovieLens: 1.126 in ML-100K, 1.117 in ML-1M."""
LARGEST_ERROR = np.float32(10.0)
"""Clipping bound of errors, in units of `rating_unit`. Errors on 1 to 5 stars never reach it; with skewed values a few
outliers would dominate the updates."""


class Ratings(NamedTuple):
    """(N,) user and item of each rating, and its deviation from the global mean."""

    user: IntArray
    item: IntArray
    value: FloatArray


class Parameters(NamedTuple):
    """The trained parameters: biases (U,) and (I,), factors (U, D) and (I, D), all float32."""

    user_bias: FloatArray
    item_bias: FloatArray
    user_factors: FloatArray
    item_factors: FloatArray


class BiasedMFConfig(ModelConfig):
    """Settings of matrix factorization with biases."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 256, scale="log", symbol="D")] = 100
    """Number of latent factors per user and item."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 100, scale="log")] = 20
    """Number of passes over the training ratings."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(1e-3, 0.05, scale="log", symbol=r"\gamma")] = 0.005
    """Step size of stochastic gradient descent."""
    regularization: Annotated[float, Field(ge=0, le=10), Knob(1e-3, 0.5, scale="log", symbol=r"\lambda")] = 0.02
    """L2 regularization of all biases and factors."""


M = TypeVar("M", bound=BiasedMFConfig)


class FactorModel(Recommender[M]):
    """Predicts a rating from biases and the dot product of user and item factors, which `_fit` of a subclass learns."""

    fitted: ClassVar[tuple[str, ...]] = ("mean", "rating_range", *LEARNED, "trained")
    scores_in_threads = True
    mean: FloatArray
    rating_range: FloatArray
    trained: BoolArray

    def _drawn(self, rated_users: BoolArray, rated_items: BoolArray, ctx: RunContext) -> Parameters:
        """Return initial parameters: zero biases and random factors, zero for users and items without ratings."""
        rng, factors = ctx.rng("biased_mf", "start"), self.config.factors
        users = rng.normal(0.0, INITIAL_SPREAD, (self.n_users, factors)).astype(np.float32)  # (U, D)
        items = rng.normal(0.0, INITIAL_SPREAD, (self.n_items, factors)).astype(np.float32)  # (I, D)
        users[~rated_users] = 0.0
        items[~rated_items] = 0.0
        return Parameters(np.zeros(self.n_users, np.float32), np.zeros(self.n_items, np.float32), users, items)

    def _take(self, parameters: Parameters, unit: float) -> None:
        """Store the current parameters, converted from units of `unit` to rating units."""
        self.user_bias = parameters.user_bias * np.float32(unit)  # (U,)
        self.item_bias = parameters.item_bias * np.float32(unit)  # (I,)
        self.user_factors = parameters.user_factors * np.float32(unit)  # (U, D)
        self.item_factors = parameters.item_factors  # (I, D)

    def _score(self, query: QueryBatch) -> FloatArray:
        bias, factors = self.factors_of(query)
        scores: FloatArray = float(self.mean) + bias[:, None] + self.item_bias
        add_products(factors, np.ascontiguousarray(self.item_factors.T, dtype=np.float64), scores)
        return scores

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) predictions, clipped to the rating scale.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The training data had no ratings.
        """
        self.require_fitted()
        self._require_rating_range(self.rating_range)
        ratings: FloatArray = np.clip(self.score(query), *self.rating_range)
        return ratings

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` for the single user in `query` into b_u, b_i and the product of each factor.

        Source 0 is the user bias, 1 the item bias, 1 + d factor d, counted from 1; the remainder is mu.
        """
        score = self._score_to_explain(query, item)
        bias, factors = self.factors_of(query)
        products = factors[0] * self.item_factors[item].astype(np.float64)
        weights = np.concatenate([[bias[0], self.item_bias[item]], products])
        factor = _("factor {number}")
        labels = (_("user bias"), _("item bias"), *(factor.format(number=d + 1) for d in range(len(products))))
        remainder = score - float(weights.sum())
        return Explanation(item, score, "factors", np.arange(len(weights)), weights, remainder, labels)

    def factors_of(self, query: QueryBatch) -> tuple[FloatArray, FloatArray]:
        """(B,) bias and (B, D) factors: the trained ones of training users, else fitted to the history."""
        known = (query.user != PAD) & self.trained[query.user]
        bias, factors = np.zeros(len(query)), np.zeros((len(query), self.config.factors))
        bias[known], factors[known] = self.user_bias[query.user[known]], self.user_factors[query.user[known]]
        histories = self._history_values(query, rated=not np.isnan(self.rating_range).any())
        for row in np.flatnonzero(~known & (np.diff(histories.indptr) > 0)):
            entries = slice(histories.indptr[row], histories.indptr[row + 1])
            bias[row], factors[row] = self._folded_in(histories.indices[entries], histories.data[entries])
        return bias, factors

    def _folded_in(self, items: IntArray, ratings: FloatArray) -> tuple[float, FloatArray]:
        """Return b_u and p_u (D,) that minimize sum (r - r_ui)^2 + regularization (b_u^2 + |p_u|^2) over a history."""
        inputs = np.column_stack([np.ones(len(items)), self.item_factors[items]])  # (n, 1 + D)
        target = ratings - self.mean - self.item_bias[items]
        penalty = max(self.config.regularization, 1e-6) * len(items) * np.eye(inputs.shape[1])
        solution = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ target)
        return float(solution[0]), solution[1:]

    @classmethod
    def work_estimate(cls, config: M, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the descent: one per factor, rating and epoch, and some to fetch the two rows."""
        return (20.0 + config.factors) * config.epochs * n_interactions


class BiasedMF(FactorModel[BiasedMFConfig]):
    """Learns biases and factors by stochastic gradient descent on the ratings."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="biased_mf",
        title="MF with biases (Funk SVD)",
        family="matrix factorization",
        idea="Learns biases and latent factors of users and items by stochastic gradient descent on the ratings.",
        formula=r"\hat{r}_{ui} = \mu + b_u + b_i + p_u^\top q_i",
        source="Koren, Bell and Volinsky 2009, eq. 4",
        needs=frozenset({Need.RATINGS}),
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The user's bias and factors are estimated by ridge regression on the history, with the item "
        "factors fixed.",
        views=("space", "tastes"),
    )
    config_type = BiasedMFConfig

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        ratings = train.matrix("rating")  # (U, I)
        users = np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(ratings.indptr))
        self.rating_range = rating_range_of(train)
        self.mean = np.array(ratings.data.mean(dtype=np.float64))
        self.trained = np.bincount(users, minlength=self.n_users) > 0  # (U,)
        parameters = self._drawn(self.trained, np.bincount(ratings.indices, minlength=self.n_items) > 0, ctx)
        pace = np.float32(self.config.learning_rate), np.float32(self.config.regularization)
        unit = rating_unit(ratings.data)
        deviations = ((ratings.data - self.mean) / unit).astype(np.float32)
        rng = ctx.rng("biased_mf", "order")

        def one_epoch(number: int) -> Mapping[str, float]:
            order = rng.permutation(len(users))
            squared = descend(Ratings(users[order], ratings.indices[order], deviations[order]), parameters, *pace)
            self._take(parameters, unit)
            return {"rmse": unit * float(np.sqrt(squared / len(users)))} | dict(self._measured(ctx))

        run_epochs(one_epoch, self.config.epochs, ctx)

    @classmethod
    def memory_estimate(cls, config: BiasedMFConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the factors and their copies, and of the ratings with one shuffled copy."""
        return (n_users + n_items) * config.factors * 10 + 34 * n_interactions


def rating_unit(ratings: FloatArray) -> float:
    """Return the divisor that gives (N,) ratings the standard deviation `SPREAD`; 1 if they are all equal."""
    std = float(ratings.std(dtype=np.float64))
    return std / SPREAD if std > 1e-9 * float(np.abs(ratings).max()) else 1.0


@compiled
def add_products(user_factors: FloatArray, item_factors: FloatArray, scores: FloatArray) -> None:
    """Add p_u . q_i to `scores` (B, I), in an order of additions that does not depend on the batch size.

    Args:
        user_factors: (B, D).
        item_factors: (D, I).
        scores: (B, I).
    """
    factors, items = item_factors.shape
    paired, whole = len(scores) - len(scores) % 2, factors - factors % 4
    for left in range(0, items, TILE):
        right = min(left + TILE, items)
        for user in range(0, paired, 2):  # two users for one load of the items
            one, two = scores[user, left:right], scores[user + 1, left:right]
            _add_to_two(user_factors[user], user_factors[user + 1], item_factors, left, one, two)
        for user in range(len(scores)):
            first = whole if user < paired else 0
            _add_to_one(user_factors[user], item_factors, first, left, scores[user, left:right])


@compiled
def _add_to_two(
    own: FloatArray, others: FloatArray, item_factors: FloatArray, left: int, row: FloatArray, other: FloatArray
) -> None:
    """Add the products of all factors but up to three to the scores of two users for the items from `left`."""
    right = left + len(row)
    for d in range(0, len(own) - len(own) % 4, 4):
        a, b = item_factors[d, left:right], item_factors[d + 1, left:right]
        e, f = item_factors[d + 2, left:right], item_factors[d + 3, left:right]
        for item in range(len(row)):  # one load and store of the sum for four products
            total = row[item] + own[d] * a[item]
            total = total + own[d + 1] * b[item]
            total = total + own[d + 2] * e[item]
            row[item] = total + own[d + 3] * f[item]
            total = other[item] + others[d] * a[item]
            total = total + others[d + 1] * b[item]
            total = total + others[d + 2] * e[item]
            other[item] = total + others[d + 3] * f[item]


@compiled
def _add_to_one(own: FloatArray, item_factors: FloatArray, first: int, left: int, row: FloatArray) -> None:
    """Add the products of the factors from `first` to the scores of one user for the items from `left`."""
    for d in range(first, len(own)):
        column = item_factors[d, left : left + len(row)]
        for item in range(len(row)):
            row[item] += own[d] * column[item]


@compiled_fast
def descend(ratings: Ratings, parameters: Parameters, learning_rate: np.float32, regularization: np.float32) -> float:
    """Run one pass of SGD over the ratings, in the given order, and return the sum of squared errors before each step.

    Args:
        ratings: The training ratings.
        parameters: Updated in place.
        learning_rate: Step size.
        regularization: L2 regularization.
    """
    squared = 0.0
    for rating in range(len(ratings.value)):
        user, item, value = ratings.user[rating], ratings.item[rating], ratings.value[rating]
        error = sgd_step(user, item, value, parameters, learning_rate, regularization)
        squared += error * error
    return squared


@compiled_fast
def sgd_step(
    user: int,
    item: int,
    value: float,
    parameters: Parameters,
    learning_rate: np.float32,
    regularization: np.float32,
) -> float:
    """Take one step of SGD for one rating, and return its error before the step.

    With e = r - (b_u + b_i + p_u . q_i), clipped at `LARGEST_ERROR` for the step:

        b += learning_rate (e - regularization b)    for b_u and b_i
        p_u += learning_rate (e q_i - regularization p_u),    q_i likewise, with p_u from before the step

    Args:
        user: Position of the user.
        item: Position of the item.
        value: Deviation of the rating from the global mean.
        parameters: Updated in place.
        learning_rate: Step size.
        regularization: L2 regularization.

    Source: Koren, Bell and Volinsky 2009, section "Stochastic gradient descent".
    """
    user_bias, item_bias = parameters.user_bias, parameters.item_bias
    p, q = parameters.user_factors[user], parameters.item_factors[item]
    predicted = user_bias[user] + item_bias[item]
    for d in range(len(p)):
        predicted += p[d] * q[d]
    error: float = value - predicted
    clipped = min(max(error, -LARGEST_ERROR), LARGEST_ERROR)
    user_bias[user] += learning_rate * (clipped - regularization * user_bias[user])
    item_bias[item] += learning_rate * (clipped - regularization * item_bias[item])
    for d in range(len(p)):
        p_before = p[d]
        p[d] += learning_rate * (clipped * q[d] - regularization * p_before)
        q[d] += learning_rate * (clipped * p_before - regularization * q[d])
    return error
