"""Social matrix factorisation: a user's tastes are pulled towards the mean of the people they follow.

    r_ui = mu + b_u + b_i + p_u . q_i

is learned as in biased matrix factorization (`biased_mf.py`), in the same unit and from the same start, with one more
term in the loss,

    social / 2 * sum_u |z_u - sum_v t_uv z_v|^2,     z_u = (b_u, p_u),   sum_v t_uv = 1 over the people whom u follows.

After each passage through the ratings the users are visited in random order, and each makes one step against the
gradient of its term e_u = z_u - sum_v t_uv z_v, which moves the user and the people they follow:

    z_u -= step e_u          z_v += step t_uv e_u          step = min(learning_rate * social, 1/2)

so people without many ratings take over what their friends like. With social = 0 this is `biased_mf`, number for
number. A user without ratings who follows somebody has factors, too: those that the pull gives.

Where people did not rate, the confidence of each seen item (`weights.py`, 1 without weights) is regressed, and 0 for
unseen ones, which are drawn anew each epoch. Where people rated, weights are ignored.
That ranks, but not as well as models made for it: on lastfm-2k it reached a validation NDCG@10 of 0.05 (0.07 with
learning_rate=0.03 and regularization=0.02), where `social_knn` reached 0.13 and `popular` 0.05.

What the links add is small. On FilmTrust (5 folds) the RMSE was 0.7918 with them and 0.7928 with social = 0, difference
-0.0010 with a 95% interval of -0.0014 to -0.0006 (four other partings: -0.0007 to -0.0014, no interval with 0); the
other settings are those that a validation part found best for either. With weaker regularization the gain is larger
(0.0026 at 0.05 and social = 2), but a stronger regularization of the plain model reaches as much: there, the links only
regularize.

Source: Jamali and Ester 2010, "A Matrix Factorization Technique with Trust Propagation for Recommendation in Social
Networks" (SocialMF), eq. 12 to 15. Departures: biases, which the paper does not have, are pulled as well; the rating is
not squeezed through a logistic function; the social term is descended user by user, not all at once, by at most half
of the way.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray, Knob, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.biased_mf import BiasedMF, BiasedMFConfig, descend
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.friends import SocialFactors, SocialFactorsConfig, graph_memory, graph_of, ordered, with_unseen
from recsys_core.training.epochs import run_epochs

LARGEST_STEP = 0.5


class SocialMFConfig(SocialFactorsConfig):
    """Settings of social matrix factorisation."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 256, scale="log", symbol="D")] = 40
    """Coordinates of each user and item."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 100, scale="log")] = 30
    """How often the descent goes through all ratings."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(1e-3, 0.05, scale="log", symbol=r"\gamma")] = 0.01
    """Length of each step against the gradient."""
    regularization: Annotated[float, Field(ge=0, le=10), Knob(1e-3, 0.5, scale="log", symbol=r"\lambda")] = 0.065
    """Pull of every parameter towards 0."""
    social: Annotated[float, Field(ge=0, le=1000), Knob(0.1, 50.0, scale="log", symbol=r"\lambda_T")] = 1.0
    """Pull of a person's factors towards the mean of the people they follow; 0 switches the social part off."""


class SocialMF(SocialFactors):
    """Predicts a rating from biases and factors, which lie near those of the people one follows."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="social_mf",
        title="SocialMF",
        family="social",
        idea="Matrix factorization that pulls a user's factors towards the mean of the users they follow.",
        formula=r"\hat{r}_{ui} = \mu + b_u + b_i + p_u^\top q_i, \qquad p_u \approx \sum_{v \in F(u)} t_{uv}\, p_v",
        source="Jamali and Ester 2010, eq. 12 to 15",
        abilities=BiasedMF.info.abilities,
        stochastic=True,
        weights="Without ratings, log2(1 + weight / median weight) is predicted for a seen item; with "
        "ratings, weights are ignored.",
        views=("graph", "space", "tastes"),
    )
    config_type = SocialMFConfig
    config: SocialMFConfig
    fitted = (*BiasedMF.fitted, "links")  # type: ignore[assignment]  # more than the plain model

    @classmethod
    def formula_of(cls, config: BiasedMFConfig, *, rated: bool, weighted: bool) -> str:
        """Return the plain model's formula, and the pull towards friends if there is one."""
        assert isinstance(config, SocialMFConfig)
        return cls.info.formula if config.social > 0 else BiasedMF.info.formula

    @classmethod
    def source_of(cls, config: BiasedMFConfig) -> str:
        """Return the source of the plain model where the social part is switched off."""
        assert isinstance(config, SocialMFConfig)
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
    def memory_estimate(cls, config: BiasedMFConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the factors and of the ratings, which may be joined by unseen items, and their copies."""
        assert isinstance(config, SocialMFConfig)
        arrays = (n_users + n_items) * config.factors * 12 + 140 * n_interactions
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
    """Move each user towards the mean of the people they follow, and those towards the user; see the module.

    Args:
        users: Positions in the order of the walk, each of whom follows somebody.
        links: (U, U) weights, each row of sum 1.
        biases: (U,) changed in place.
        factors: (U, D) changed in place.
        step: Share of the distance that a user goes.
    """
    width = factors.shape[1]
    distance = np.empty(width, dtype=np.float32)
    for user in users:
        first, end = links.start[user], links.start[user + 1]
        bias = biases[user]
        distance[:] = factors[user]
        for place in range(first, end):
            weight, friend = np.float32(links.value[place]), links.column[place]
            bias -= weight * biases[friend]
            for d in range(width):
                distance[d] -= weight * factors[friend, d]
        biases[user] -= step * bias
        for d in range(width):
            factors[user, d] -= step * distance[d]
        for place in range(first, end):
            weight, friend = step * np.float32(links.value[place]), links.column[place]
            biases[friend] += weight * bias
            for d in range(width):
                factors[friend, d] += weight * distance[d]
