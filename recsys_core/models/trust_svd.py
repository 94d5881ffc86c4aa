"""TrustSVD: SVD++ that also learns from trust links between users.

    r_ui = mu + b_u + b_i + q_i . z_u
    z_u  = p_u + |I_u|^-1/2 sum_{j in I_u} y_j + |T_u|^-1/2 sum_{v in T_u} w_v

I_u are the items that u rated, T_u the users that u trusts. Trust itself is predicted, too: t_uv = w_v . p_u, so that
p_u is also learned from links if ratings are few. The loss over ratings and links, with penalties that decrease with
the number of ratings or links,

    1/2 sum (r_ui - r)^2 + trust_weight / 2 sum (w_v . p_u - t_uv)^2 + trust_weight / 2 sum_u |T_u|^-1/2 |p_u|^2
    + regularization / 2 (|I_u|^-1/2 (b_u^2 + |p_u|^2) + |U_i|^-1/2 (b_i^2 + |q_i|^2 + |y_i|^2) + |T+_v|^-1/2 |w_v|^2)

is minimized user by user, in a new random order each epoch: first each rating of the user updates b, p and q; then y
of the user's items and w of the trusted users are updated once for all these ratings; then the links. Penalties count
once per rating, and those of the links once per user. t_uv is the weight of a link relative to the largest weight.
Without `trust`, w and the links are omitted: SVD++.

An unknown user is folded in: y of the history gives part of z, and b_u and p_u are fitted to its ratings (ridge
regression, as in `biased_mf.py`). Training uses the rating unit of `biased_mf.py`, and all parameters but q_i are
multiplied by it afterwards.

Without ratings, the targets are the confidence of each seen item (`weights.py`, 1 without weights) and 0 for unseen
items, which are sampled anew each epoch; I_u are the seen items. This ranks worse than models made for implicit
feedback (validation NDCG@10 of 0.05 on lastfm-2k, 0.06 with regularization=0.1; `social_knn` 0.13). With ratings,
interaction weights are ignored.

The effect of trust depends on the data. On FilmTrust (5 folds, settings chosen on validation sets) it was harmful: RMSE
0.7894 with trust and 0.7883 without, worse by 0.0011 with a 95% interval of 0.0004 to 0.0019. On four other splits it
was worse by 0.0002 to 0.0014, and three of their intervals contained 0.

Source: Guo, Zhang and Yorke-Smith 2015, "TrustSVD: Collaborative Filtering with Both the Explicit and Implicit
Influence of User Trust and of Item Ratings", eq. 4 and 5. Departure: the loss is minimized user by user instead of by
full gradients, so penalties count once per rating.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import PAD, FloatArray, IntArray, QueryBatch
from recsys_core.contracts import Ability, Explanation, FoldIn, Knob, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.biased_mf import INITIAL_SPREAD, LARGEST_ERROR, Parameters
from recsys_core.models.compiled import Sparse, compiled_fast, sparse
from recsys_core.models.friends import SocialFactors, SocialFactorsConfig, graph_memory, graph_of, with_unseen
from recsys_core.training.epochs import run_epochs


class TrustParameters(NamedTuple):
    """The trained parameters: biases (U,), (I,); factors p (U, D), q (I, D), y (I, D), w (U, D); all float32."""

    user_bias: FloatArray
    item_bias: FloatArray
    user: FloatArray
    item: FloatArray
    history: FloatArray
    trust: FloatArray


class Feedback(NamedTuple):
    """The training data: standardized ratings (U, I), seen items (U, I), links (U, U), and regularization weights.

    The three weights are count^-1/2 of a user's ratings, an item's ratings, and the links to a user; 0 for none.
    """

    values: Sparse
    seen: Sparse
    links: Sparse
    user_weight: FloatArray
    item_weight: FloatArray
    trusted_weight: FloatArray


class Pace(NamedTuple):
    """Learning rate, L2 regularization, and weight of the links in the loss."""

    rate: np.float32
    regularization: np.float32
    trust_weight: np.float32


class TrustSVDConfig(SocialFactorsConfig):
    """Settings of TrustSVD."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 128, scale="log", symbol="D")] = 20
    """Number of latent factors per user and item."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 100, scale="log")] = 40
    """Number of passes over all users."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(1e-3, 0.03, scale="log", symbol=r"\gamma")] = 0.01
    """Step size of stochastic gradient descent."""
    regularization: Annotated[float, Field(ge=0, le=10), Knob(0.1, 2.0, scale="log", symbol=r"\lambda")] = 1.0
    """L2 regularization of all parameters, weaker for users and items with many ratings."""
    trust: Annotated[bool, Knob(label="Use trust")] = True
    """Whether trusted users contribute to a user's factors; without them the model is SVD++."""
    trust_weight: Annotated[float, Field(ge=0, le=10), Knob(0.01, 2.0, scale="log", symbol=r"\lambda_t")] = 0.5
    """Weight of the links in the loss, relative to the ratings."""


def trust_formula(*, trust: bool) -> str:
    """Return the formula as LaTeX, with or without trusted users."""
    trusted = r" + |T_u|^{-\frac12} \sum_{v \in T_u} w_v" if trust else ""
    history = r"p_u + |I_u|^{-\frac12} \sum_{j \in I_u} y_j"
    return rf"\hat{{r}}_{{ui}} = \mu + b_u + b_i + q_i^\top \Big({history}{trusted}\Big)"


class TrustSVD(SocialFactors[TrustSVDConfig]):
    """Predicts a rating from biases, the user's rated items, and the users they trust."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="trust_svd",
        title="TrustSVD",
        family="social",
        idea="SVD++ with trust: the items a user rated and the users they trust both shape the user's factors.",
        formula=trust_formula(trust=True),
        source="Guo, Zhang and Yorke-Smith 2015, eq. 4",
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The history enters as in training; the user's own bias and factors are estimated and links are "
        "unknown.",
        weights="Without ratings, log2(1 + weight / median weight) is the target of a seen item; with "
        "ratings, weights are ignored.",
        views=("graph", "space"),
    )
    config_type = TrustSVDConfig
    fitted = (*SocialFactors.fitted, "history_factors", "trust_factors", "links")

    @classmethod
    def formula_of(cls, config: TrustSVDConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula with trusted users, or that of SVD++ without them."""
        return trust_formula(trust=config.trust)

    @classmethod
    def source_of(cls, config: TrustSVDConfig) -> str:
        """Return the source of SVD++ if trust is switched off."""
        return cls.info.source if config.trust else "Koren 2008, eq. 15 (SVD++)"

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        graph = graph_of(self.config.graph, train)
        self.links = graph if self.config.trust else csr_array(graph.shape)
        seen = self._values(train)
        rated_items = np.bincount(seen.indices, minlength=self.n_items) > 0
        parameters = TrustParameters(*self._drawn(np.diff(seen.indptr) > 0, rated_items, ctx), *self._implicit(ctx))
        self.trained = (np.diff(seen.indptr) > 0) | (np.diff(self.links.indptr) > 0)
        pace = Pace(*(np.float32(v) for v in (self.config.learning_rate, self.config.regularization, self._weight)))
        walk, draw, implicit = ctx.rng("trust_svd", "walk"), ctx.rng("trust_svd", "unseen"), train.rating_scale is None

        def one_epoch(number: int) -> Mapping[str, float]:
            values = with_unseen(seen, draw) if implicit else seen
            feedback = feedback_of(values, float(self.mean), seen, self.links, self.unit)
            squared = descend_by_user(walk.permutation(np.flatnonzero(self.trained)), feedback, parameters, pace)
            self._take_all(parameters, seen)
            return {"rmse": self.unit * float(np.sqrt(squared / values.nnz))} | dict(self._measured(ctx))

        run_epochs(one_epoch, self.config.epochs, ctx)

    @property
    def _weight(self) -> float:
        return self.config.trust_weight if self.config.trust else 0.0

    def _implicit(self, ctx: RunContext) -> tuple[FloatArray, FloatArray]:
        """Return random initial y (I, D) and w (U, D)."""
        rng, factors = ctx.rng("trust_svd", "start"), self.config.factors
        history = rng.normal(0.0, INITIAL_SPREAD, (self.n_items, factors)).astype(np.float32)
        trust = rng.normal(0.0, INITIAL_SPREAD, (self.n_users, factors)).astype(np.float32)
        return history, trust

    def _take_all(self, parameters: TrustParameters, seen: csr_array) -> None:
        """Store the current parameters; `user_factors` are z, and all but q are in rating units."""
        z = tastes(parameters.user, parameters.history, parameters.trust, seen, self.links)
        self._take(Parameters(parameters.user_bias, parameters.item_bias, z, parameters.item), self.unit)
        self.history_factors = parameters.history * np.float32(self.unit)  # (I, D)
        self.trust_factors = parameters.trust * np.float32(self.unit)  # (U, D)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the contributions of trusted users, |T_u|^-1/2 q_i . w_v, and a remainder.

        An unknown user has no links: the whole score is remainder.
        """
        score, user = self._score_to_explain(query, item), int(query.user[0])
        friends = np.empty(0, dtype=np.int64)
        if user != PAD:
            friends = self.links.indices[self.links.indptr[user] : self.links.indptr[user + 1]].astype(np.int64)
        weights = self.trust_factors[friends].astype(np.float64) @ self.item_factors[item].astype(np.float64)
        weights = weights / np.sqrt(max(len(friends), 1))
        return Explanation(item, score, "friends", friends, weights, score - float(weights.sum()))

    def _folded_in(self, items: IntArray, ratings: FloatArray) -> tuple[float, FloatArray]:
        """Return b_u and z (D,) of a history: y of its items is known, b_u and p_u are fitted to the rest."""
        seen = self.history_factors[items].sum(axis=0) / np.sqrt(len(items))  # (D,)
        bias, own = super()._folded_in(items, ratings - self.item_factors[items] @ seen)
        return bias, own + seen

    @classmethod
    def memory_estimate(cls, config: TrustSVDConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the four factor matrices, of their copies in each epoch, and of the ratings."""
        arrays = (2 * n_users + 2 * n_items) * config.factors * 14 + 155 * n_interactions
        return arrays + graph_memory(config.graph, n_users)


def tastes(own: FloatArray, history: FloatArray, trust: FloatArray, seen: csr_array, links: csr_array) -> FloatArray:
    """Return (U, D) z_u = p_u + |I_u|^-1/2 sum y_j + |T_u|^-1/2 sum w_v.

    Args:
        own: (U, D) p.
        history: (I, D) y.
        trust: (U, D) w.
        seen: (U, I) I_u in its rows.
        links: (U, U) T_u in its rows.
    """
    z: FloatArray = own + root_shares(seen) @ history + root_shares(links) @ trust
    return z


def root_shares(matrix: csr_array) -> csr_array:
    """Return 1 / sqrt(n) for each of the n entries of a row, float32."""
    number = np.diff(matrix.indptr)
    values = np.repeat(inverse_root(number), number).astype(np.float32)
    return csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def inverse_root(counts: IntArray) -> FloatArray:
    """Return count^-1/2, 0 for 0."""
    return np.where(counts > 0, 1.0 / np.sqrt(np.maximum(counts, 1)), 0.0)


def feedback_of(values: csr_array, mean: float, seen: csr_array, links: csr_array, unit: float = 1.0) -> Feedback:
    """Return the training data in the form of `Feedback`.

    Args:
        values: (U, I) targets.
        mean: Mean that is subtracted from the targets.
        seen: (U, I) I_u in its rows.
        links: (U, U) T_u in its rows, weights above 0; they are divided by the largest.
        unit: Divisor of the deviations from the mean; see `biased_mf.py`.
    """
    numbers = (values.data - np.float64(mean)) / unit
    deviations = csr_array((numbers, values.indices, values.indptr), shape=values.shape)
    trust = csr_array((links.data / links.data.max(initial=1e-300), links.indices, links.indptr), shape=links.shape)
    return Feedback(
        sparse(deviations),
        sparse(seen),
        sparse(trust),
        inverse_root(np.diff(values.indptr)),
        inverse_root(np.bincount(values.indices, minlength=values.shape[1])),
        inverse_root(np.bincount(links.indices, minlength=links.shape[1])),
    )


@compiled_fast
def descend_by_user(users: IntArray, feedback: Feedback, parameters: TrustParameters, pace: Pace) -> float:
    """Run one pass over the users, in the given order, and return the sum of squared errors before each step.

    Args:
        users: Positions of users with ratings or links.
        feedback: Their ratings, seen items and links.
        parameters: Updated in place.
        pace: Learning rate and the weights in the loss.
    """
    values, seen, links = feedback.values, feedback.seen, feedback.links
    factors = parameters.user.shape[1]
    z, gradient = np.empty(factors, dtype=np.float32), np.empty(factors, dtype=np.float32)
    squared = 0.0
    for user in users:
        items = seen.column[seen.start[user] : seen.start[user + 1]]
        friends = links.column[links.start[user] : links.start[user + 1]]
        item_share = np.float32(1.0 / np.sqrt(max(len(items), 1)))
        friend_share = np.float32(1.0 / np.sqrt(max(len(friends), 1)))
        z[:] = parameters.user[user]
        _add_rows(z, items, parameters.history, item_share)
        _add_rows(z, friends, parameters.trust, friend_share)
        gradient[:] = np.float32(0.0)
        for place in range(values.start[user], values.start[user + 1]):
            item, value = values.column[place], np.float32(values.value[place])
            squared += _one_rating(user, item, value, feedback, parameters, pace, z, gradient)
        times = values.start[user + 1] - values.start[user]
        _move_rows(items, parameters.history, feedback.item_weight, gradient * item_share, times, pace)
        _move_rows(friends, parameters.trust, feedback.trusted_weight, gradient * friend_share, times, pace)
        if len(friends) > 0:
            strengths = links.value[links.start[user] : links.start[user + 1]]
            _links_of(friends, strengths, parameters.user[user], parameters.trust, friend_share, pace)
    return squared


@compiled_fast
def _add_rows(z: FloatArray, rows: IntArray, factors: FloatArray, share: np.float32) -> None:
    for row in rows:
        for d in range(len(z)):
            z[d] += share * factors[row, d]


@compiled_fast
def _one_rating(
    user: int,
    item: int,
    value: np.float32,
    feedback: Feedback,
    parameters: TrustParameters,
    pace: Pace,
    z: FloatArray,
    gradient: FloatArray,
) -> float:
    """Update b_u, b_i, p_u (and z with it) and q_i, add e q_i to `gradient`, and return the squared error."""
    p, q = parameters.user[user], parameters.item[item]
    error = value - parameters.user_bias[user] - parameters.item_bias[item]
    for d in range(len(z)):
        error -= z[d] * q[d]
    squared = float(error * error)
    error = min(max(error, -LARGEST_ERROR), LARGEST_ERROR)
    of_user = pace.regularization * np.float32(feedback.user_weight[user])
    of_item = pace.regularization * np.float32(feedback.item_weight[item])
    parameters.user_bias[user] += pace.rate * (error - of_user * parameters.user_bias[user])
    parameters.item_bias[item] += pace.rate * (error - of_item * parameters.item_bias[item])
    for d in range(len(z)):
        z_before = z[d]
        gradient[d] += error * q[d]
        step = pace.rate * (error * q[d] - of_user * p[d])
        p[d] += step
        z[d] += step
        q[d] += pace.rate * (error * z_before - of_item * q[d])
    return squared


@compiled_fast
def _move_rows(
    rows: IntArray, factors: FloatArray, weight: FloatArray, gradient: FloatArray, times: int, pace: Pace
) -> None:
    """Update y of the items, or w of the users, that are part of z: one combined step for `times` ratings."""
    for row in rows:
        kept = (
            np.float32(1.0) - min(pace.rate * pace.regularization * np.float32(weight[row]), np.float32(1.0))
        ) ** times
        for d in range(len(gradient)):
            factors[row, d] = kept * factors[row, d] + pace.rate * gradient[d]


@compiled_fast
def _links_of(
    friends: IntArray, strengths: FloatArray, p: FloatArray, trust: FloatArray, share: np.float32, pace: Pace
) -> None:
    """Update p_u and w_v by the errors of the predicted link weights, and regularize p_u."""
    rate = pace.rate * pace.trust_weight
    for d in range(len(p)):
        p[d] -= rate * share * p[d]
    for place in range(len(friends)):
        w = trust[friends[place]]
        error = -np.float32(strengths[place])
        for d in range(len(p)):
            error += w[d] * p[d]
        for d in range(len(p)):
            p_before = p[d]
            p[d] -= rate * error * w[d]
            w[d] -= rate * error * p_before
