"""SocialMF: matrix factorization that regularizes a user's factors towards the mean of the users they follow.

    r_ui = mu + b_u + b_i + p_u . q_i

is trained as in `biased_mf.py`, with the same unit and initialization, and one more term in the loss,

    social / 2 * sum_u |z_u - sum_v t_uv z_v|^2,     z_u = (b_u, p_u),   sum_v t_uv = 1 over the users that u follows.

After each pass over the ratings the users are visited in random order, and each makes one step against the gradient of
its term e_u = z_u - sum_v t_uv z_v, which updates the user and the users they follow:

    z_u -= step e_u          z_v += step t_uv e_u          step = min(learning_rate * social, 1/2)

so users with few ratings move towards the factors of the users they follow. With social = 0 the results are exactly
those of `biased_mf`. A user without ratings who follows others gets factors from this term alone.

Without ratings, the targets are the confidence of each seen item (`weights.py`, 1 without weights) and 0 for unseen
items, which are sampled anew each epoch. With ratings, interaction weights are ignored. This ranks worse than models
made for implicit feedback: on lastfm-2k it reached a validation NDCG@10 of 0.05 (0.07 with learning_rate=0.03 and
regularization=0.02), where `social_knn` reached 0.13 and `popular` 0.05.

The links add little. On FilmTrust (5 folds) the RMSE was 0.7918 with them and 0.7928 with social = 0, difference
-0.0010 with a 95% interval of -0.0014 to -0.0006 (four other splits: -0.0007 to -0.0014, no interval contains 0); the
other settings were chosen on a validation set for each. With weaker regularization the gain is larger (0.0026 at 0.05
and social = 2), but stronger regularization of the plain model achieves the same: there, the links act as
regularization alone.

Source: Jamali and Ester 2010, "A Matrix Factorization Technique with Trust Propagation for Recommendation in Social
Networks" (SocialMF), eq. 12 to 15. Departures: biases, which the paper does not have, are regularized as well; ratings
are not passed through a logistic function; the social term is minimized user by user instead of jointly, each step
covering at most half of the distance.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, FoldIn, IntArray, Knob, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.biased_mf import BiasedMF, descend
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.friends import SocialFactors, SocialFactorsConfig, graph_memory, graph_of, ordered, with_unseen
from recsys_core.training.epochs import run_epochs

LARGEST_STEP = 0.5


class SocialMFConfig(SocialFactorsConfig):
    """Settings of SocialMF."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 256, scale="log", symbol="D")] = 40
    """Number of latent factors per user and item."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 100, scale="log")] = 30
    """Number of passes over the training ratings."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(1e-3, 0.05, scale="log", symbol=r"\gamma")] = 0.01
    """Step size of stochastic gradient descent."""
    regularization: Annotated[float, Field(ge=0, le=10), Knob(1e-3, 0.5, scale="log", symbol=r"\lambda")] = 0.065
    """L2 regularization of all biases and factors."""
    social: Annotated[
        float, Field(ge=0, le=1000), Knob(0.1, 50.0, scale="log", symbol=r"\lambda_T", label="Social regularization")
    ] = 1.0
    """Strength of the pull of a user's factors towards the mean of the users they follow; 0 switches it off."""


class SocialMF(SocialFactors[SocialMFConfig]):
    """Predicts a rating from biases and factors that are regularized by social links."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="social_mf",
        title="SocialMF",
        family="social",
        idea="Matrix factorization that pulls a user's factors towards the mean of the users they follow.",
        formula=r"\hat{r}_{ui} = \mu + b_u + b_i + p_u^\top q_i, \qquad p_u \approx \sum_{v \in F(u)} t_{uv}\, p_v",
        source="Jamali and Ester 2010, eq. 12 to 15",
        abilities=BiasedMF.info.abilities,
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The user's bias and factors are estimated by ridge regression on the history, with the item "
        "factors fixed; links are unknown.",
        weights="Without ratings, log2(1 + weight / median weight) is the target of a seen item; with "
        "ratings, weights are ignored.",
        views=("graph", "space", "tastes"),
    )
    config_type = SocialMFConfig
    fitted = (*SocialFactors.fitted, "links")

    @classmethod
    def formula_of(cls, config: SocialMFConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the plain model, with the social term unless it is switched off."""
        return cls.info.formula if config.social > 0 else BiasedMF.info.formula

    @classmethod
    def source_of(cls, config: SocialMFConfig) -> str:
        """Return the source of the plain model if the social term is switched off."""
        return cls.info.source if config.social > 0 else BiasedMF.info.source

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.links = graph_of(self.config.graph, train)  # (U, U)
        seen = self._values(train)
        users = np.flatnonzero(np.diff(self.links.indptr) > 0)
        self.trained = np.diff(seen.indptr) > 0
        parameters = self._drawn(self.trained, np.bincount(seen.indices, minlength=self.n_items) > 0, ctx)
        self.trained[users] |= self.config.social > 0
        pace = np.float32(self.config.learning_rate), np.float32(self.config.regularization)
        step = np.float32(min(self.config.learning_rate * self.config.social, LARGEST_STEP))
        links, implicit = sparse(of_sum_one(self.links)), train.rating_scale is None
        rng, walk, draw = (ctx.rng("biased_mf", "order"), *(ctx.rng("social_mf", name) for name in ("walk", "unseen")))

        def one_epoch(number: int) -> Mapping[str, float]:
            values = with_unseen(seen, draw) if implicit else seen
            squared = descend(ordered(values, float(self.mean), rng, self.unit), parameters, *pace)
            pull_towards_friends(walk.permutation(users), links, parameters.user_bias, parameters.user_factors, step)
            self._take(parameters, self.unit)
            return {"rmse": self.unit * float(np.sqrt(squared / values.nnz))} | dict(self._measured(ctx))

        run_epochs(one_epoch, self.config.epochs, ctx)

    @classmethod
    def memory_estimate(cls, config: SocialMFConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the factors and of the ratings with sampled negatives, and their copies."""
        arrays = (n_users + n_items) * config.factors * 12 + 155 * n_interactions
        return arrays + graph_memory(config.graph, n_users)


def of_sum_one(graph: csr_array) -> csr_array:
    """Return the (U, U) links with the weights of each row divided by their sum."""
    total = np.asarray(graph.sum(axis=1))
    weights = graph.data / np.repeat(total, np.diff(graph.indptr))
    return csr_array((weights, graph.indices, graph.indptr), shape=graph.shape)


@compiled
def pull_towards_friends(
    users: IntArray, links: Sparse, biases: FloatArray, factors: FloatArray, step: np.float32
) -> None:
    """Move each user towards the mean of the users they follow, and those towards the user; see the module.

    Args:
        users: Positions of users with links, in the order of the updates.
        links: (U, U) weights, each row sums to 1.
        biases: (U,) updated in place.
        factors: (U, D) updated in place.
        step: Share of the distance that a user moves.
    """
    n_factors = factors.shape[1]
    distance = np.empty(n_factors, dtype=np.float32)
    for user in users:
        first, end = links.start[user], links.start[user + 1]
        bias = biases[user]
        distance[:] = factors[user]
        for place in range(first, end):
            weight, friend = np.float32(links.value[place]), links.column[place]
            bias -= weight * biases[friend]
            for d in range(n_factors):
                distance[d] -= weight * factors[friend, d]
        biases[user] -= step * bias
        for d in range(n_factors):
            factors[user, d] -= step * distance[d]
        for place in range(first, end):
            weight, friend = step * np.float32(links.value[place]), links.column[place]
            biases[friend] += weight * bias
            for d in range(n_factors):
                factors[friend, d] += weight * distance[d]
