r"""Ensemble: several models of the registry, each trained with its own settings, whose rankings are combined.

The score of an item is a weighted sum over the members m,

    x_ui = sum_m w_m g_m(u, i)

    rrf        g = 1 / (c + place_m(u, i))      reciprocal rank fusion; 0 for an item that the member cannot score
    weighted   g = the member's score on one scale per user; for an item that it cannot score, the lowest of its scores
    stacked    the same g, with weights w that are learned

The place is that among the items that the user has not seen, and equal scores share the mean of their places. The scale
is min-max, (s - min) / (max - min), or standard scores, (s - mean) / std, where minimum, maximum, mean and deviation
are those of the user's unseen items.

Members are written as a sum, with a weight and settings where they differ from 1 and the defaults:

    2 * ease(regularization=300) + item_knn + popular

Stacking trains the members twice. First, one item of up to 1,000 users (fewer for large catalogs) is held out, the last
one or, without timestamps, a random one; the members are trained on the rest, and the weights maximize the likelihood
of the held-out items h(u) among all items C(u) that the user has not seen, with an L2 penalty:

    mean_u log (exp x_uh / sum_{i in C(u)} exp x_ui) - regularization / 2 |w|^2        w_m >= 0

Then the members are trained on all data. Validation data of the experiment are used by members that stop early, never
by the weights. The weights in `members` are not used by stacking.

Sources: Cormack, Clarke and Büttcher 2009 (reciprocal rank fusion); Fox and Shaw 1994 (weighted sums); Breiman 1996,
"Stacked regressions", for nonnegative weights learned on held-out data, here with the likelihood of McFadden 1974.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.optimize import minimize

from recsys_core.batches import FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.columns import ITEM, USER
from recsys_core.contracts import Ability, Explanation, FoldIn, Knob, ModelConfig, ModelInfo, Need, Progress, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import ConfigError, DataError
from recsys_core.models.base import Recommender
from recsys_core.models.members import Member, members_of
from recsys_core.models.rank_fusion import places_among_unseen, reciprocal_rank
from recsys_core.models.registry import make_model, model_class
from recsys_core.text import _

STACKING_USERS, FEWEST_USERS = 1000, 20
"""Maximum and minimum number of users with a held-out item for stacking."""
STACKED_SCORES = 50_000_000
"""Maximum number of scores for stacking, over members, users and items; with more, fewer users are held out."""


class EnsembleConfig(ModelConfig):
    """Settings of an ensemble."""

    members: Annotated[str, Field(max_length=2000), Knob()] = "ease + item_knn + user_knn"
    """Models, joined by +, each with a weight and settings if needed: 2 * ease(regularization=300) + item_knn."""
    method: Annotated[Literal["rrf", "weighted", "stacked"], Knob()] = "rrf"
    """Reciprocal rank fusion (rrf), weighted sum of scores, or a weighted sum with learned weights (stacked)."""
    constant: Annotated[float, Field(ge=0, le=10_000), Knob(1, 200, scale="log", symbol="c")] = 60.0
    """Constant of reciprocal rank fusion: the larger, the less the first places count."""
    scaling: Annotated[Literal["minmax", "z"], Knob()] = "z"
    """Scale of the scores of each member per user, for weighted and stacked: from 0 to 1, or standard scores."""
    regularization: Annotated[
        float, Field(ge=0, le=1000), Knob(1e-4, 1, scale="log", symbol=r"\lambda", advanced=True)
    ] = 0.01
    """L2 regularization of the learned weights (stacked only)."""

    @model_validator(mode="after")
    def _members_exist(self) -> "EnsembleConfig":
        try:
            parsed = self.parsed()
            for member in parsed:
                if member.key == Ensemble.info.key:
                    raise ConfigError(_("an ensemble cannot be a member of an ensemble"))
                make_model(member.key, member.config)
        except ConfigError as error:
            raise ValueError(_("members: {error}").format(error=error)) from error
        if len(parsed) < 2:
            raise ValueError(_("members: an ensemble needs at least two models, joined by +"))
        return self

    def parsed(self) -> tuple[Member, ...]:
        """Return the members with their weights and settings.

        Raises:
            ConfigError: The text does not have the form of `members`.
        """
        return members_of(self.members)


def ensemble_formula(config: EnsembleConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the combination of the members as LaTeX; `rated` and `weighted` make no difference."""
    if config.method == "rrf":
        return r"\hat{x}_{ui} = \sum_m \frac{w_m}{c + \mathrm{place}_m(u, i)}"
    if config.scaling == "z":
        return r"\hat{x}_{ui} = \sum_m w_m \frac{s_m(u, i) - \bar{s}_m(u)}{\sigma_m(u)}"
    return r"\hat{x}_{ui} = \sum_m w_m \frac{s_m(u, i) - \min_j s_m(u, j)}{\max_j s_m(u, j) - \min_j s_m(u, j)}"


class Stacking(NamedTuple):
    """Held-out items for stacking: `users` (B,), `items` (B,), and the data without these pairs."""

    users: IntArray
    items: IntArray
    rest: Dataset


class Ensemble(Recommender[EnsembleConfig]):
    """Scores an item by the weighted sum of what its members give it."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="ensemble",
        title="Ensemble",
        family="ensembles",
        idea="Combines the rankings of several models, each trained with its own settings.",
        formula=ensemble_formula(EnsembleConfig.model_construct()),
        source="Cormack et al. 2009 (reciprocal rank fusion); Breiman 1996 (stacking)",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="Each member takes in the history as it does on its own.",
        runtime="torch",  # members may be networks
        weights="Each member uses interaction weights as it does on its own.",
        same_on_any_cores=False,
    )
    config_type = EnsembleConfig
    fitted = ("member_weights",)

    formula_of = staticmethod(ensemble_formula)

    member_weights: FloatArray
    """(M,) w."""
    members: list[Recommender[Any]]
    """The trained members."""

    @classmethod
    def is_stochastic(cls, config: EnsembleConfig) -> bool:
        """Return whether the scores of a member depend on the seed, or the items held out for stacking do."""
        members = (model_class(member.key) for member in config.parsed())
        return config.method == "stacked" or any(member.info.stochastic for member in members)

    def needs(self) -> frozenset[Need]:
        """Return what any member needs."""
        return frozenset[Need]().union(*(member.needs() for member in self._new()))

    def _new(self) -> list[Recommender[Any]]:
        return [make_model(member.key, member.config) for member in self.config.parsed()]

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.member_weights = np.array([member.weight for member in self.config.parsed()])
        if self.config.method == "stacked":
            held_out = self._held_out(train, ctx)
            self._train_members(held_out.rest, ctx, "for stacking, ")
            for _ in ctx.track(range(1), stage="learn the weights"):
                self.member_weights = self._learned_weights(held_out)
        self._train_members(train, ctx, "")

    def _train_members(self, train: Dataset, ctx: RunContext, when: str) -> None:
        """Train new members; the progress of each is reported under stages of its own."""
        self.members = self._new()
        for number, member in enumerate(self.members, start=1):
            ending = f" ({when}member {number} of {len(self.members)})"

            def report(progress: Progress, ending: str = ending) -> None:
                ctx.report(replace(progress, stage=progress.stage + ending))

            # a checkpoint of one member is none of another
            member.fit(train, replace(ctx, report=report, checkpoints=None))

    def _held_out(self, train: Dataset, ctx: RunContext) -> Stacking:
        """Return the items for which weights are learned: the last of each user, or random ones without timestamps.

        Raises:
            DataError: Too few users have two items, or only repeated ones.
        """
        history = train.histories()
        able = np.flatnonzero(history.lengths >= 2)
        rng = ctx.rng(self.info.key, "held out")
        places = history.offsets[1:][able] - 1
        if not train.has_timestamps:
            places = history.offsets[able] + rng.integers(history.lengths[able])
        pair = history.row_numbers() * train.n_items + history.values
        _unused, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
        chosen = np.flatnonzero(counts[inverse[places]] == 1)  # a repeated item is known from the rest
        if len(chosen) < FEWEST_USERS:
            raise DataError(
                _(
                    "Stacking holds out an item of at least {fewest_users} users who have two items or "
                    "more, but only {n_chosen} users of '{train_name}' have such an item; choose another "
                    "method."
                ).format(fewest_users=FEWEST_USERS, n_chosen=len(chosen), train_name=train.name)
            )
        most = max(FEWEST_USERS, min(STACKING_USERS, STACKED_SCORES // (train.n_items * len(self.member_weights))))
        if len(chosen) > most:
            chosen = np.sort(rng.choice(chosen, most, replace=False))
        frame = train.interactions
        keys = frame[USER].to_numpy().astype(np.int64) * train.n_items + frame[ITEM].to_numpy()
        rest = train.subset(~np.isin(keys, pair[places[chosen]]))
        return Stacking(able[chosen], history.values[places[chosen]].astype(np.int64), rest)

    def _learned_weights(self, held_out: Stacking) -> FloatArray:
        """Return (M,) the weights that maximize the likelihood of the held-out items; see the module."""
        query = held_out.rest.queries(held_out.users)
        gains = self._gains(query, [member.score(query) for member in self.members])  # (M, B, I)
        unseen = np.ones(gains.shape[1:], dtype=np.bool_)
        unseen[query.seen.row_numbers(), query.seen.values] = False
        owner, candidates = np.nonzero(unseen)
        features = gains[:, owner, candidates]  # (M, N)
        positive = gains[:, np.arange(len(query)), held_out.items]  # (M, B)
        return fitted_weights(features, positive, owner, self.config.regularization)

    def _score(self, query: QueryBatch) -> FloatArray:
        scores = [member.score(query) for member in self.members]
        total: FloatArray = np.tensordot(self.member_weights, self._gains(query, scores), axes=1)
        total[~np.any([np.isfinite(one) for one in scores], axis=0)] = np.nan
        return total

    def _gains(self, query: QueryBatch, scores: list[FloatArray]) -> FloatArray:
        """(M, B, I) g of the module."""
        if self.config.method == "rrf":
            places = (places_among_unseen(one, query.seen) for one in scores)
            return np.stack([np.nan_to_num(reciprocal_rank(place, self.config.constant), nan=0.0) for place in places])
        return np.stack([on_one_scale(one, query.seen, self.config.scaling) for one in scores])

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into what each member adds.

        Raises:
            CannotScore: No member has a score for the item.
        """
        score = self._score_to_explain(query, item)
        gains = self._gains(query, [member.score(query) for member in self.members])[:, 0, item]
        titles = tuple(f"{number}. {member.info.title}" for number, member in enumerate(self.members, start=1))
        return Explanation(item, score, "members", np.arange(len(titles)), self.member_weights * gains, 0.0, titles)

    def _network_arrays(self) -> Mapping[str, NDArray[Any]]:
        return {
            f"{number}/{name}": array
            for number, member in enumerate(self.members)
            for name, array in member.state().items()
        }

    def _load_network_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.members = self._new()
        for number, member in enumerate(self.members):
            start = f"{number}/"
            member.load_state(
                {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
            )

    def _forget(self) -> None:
        super()._forget()
        self.members = []

    @classmethod
    def memory_estimate(cls, config: EnsembleConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the sum over the members, which stay in memory, and the scores of the users held out for stacking."""
        own = sum(one.memory_estimate(one.config, n_users, n_items, n_interactions) for one in cls(config)._new())
        stacked = 16 * min(STACKED_SCORES, min(STACKING_USERS, n_users) * n_items * len(config.parsed()))
        return own + (stacked if config.method == "stacked" else 0)

    @classmethod
    def work_estimate(cls, config: EnsembleConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the sum over the members, twice for stacking."""
        own = sum(one.work_estimate(one.config, n_users, n_items, n_interactions) for one in cls(config)._new())
        return own * (2.0 if config.method == "stacked" else 1.0)


def on_one_scale(scores: FloatArray, seen: Ragged, how: Literal["minmax", "z"]) -> FloatArray:
    """Return (B, I) scores on one scale per user; for an item without a score, the lowest of the user.

    Args:
        scores: (B, I).
        seen: B rows of items that do not count for the scale.
        how: Min-max or standard scores; all 0 if all unseen items have equal scores.
    """
    known = np.isfinite(scores)
    counted = known.copy()
    counted[seen.row_numbers(), seen.values] = False
    values = np.where(known, scores, 0.0).astype(np.float64)
    number = np.maximum(counted.sum(axis=1, keepdims=True), 1)
    low = np.min(values, axis=1, keepdims=True, initial=np.inf, where=counted)
    if how == "minmax":
        origin = low
        span = np.max(values, axis=1, keepdims=True, initial=-np.inf, where=counted) - low
    else:
        origin = np.sum(values, axis=1, keepdims=True, where=counted) / number
        span = np.sqrt(np.sum((values - origin) ** 2, axis=1, keepdims=True, where=counted) / number)
    usable = np.isfinite(low) & (span > 0)
    scale = np.where(usable, span, 1.0)
    filled = np.where(known, values, low)
    found: FloatArray = np.where(usable, (np.where(usable, filled, 0.0) - np.where(usable, origin, 0.0)) / scale, 0.0)
    return found


def fitted_weights(features: FloatArray, positive: FloatArray, owner: IntArray, regularization: float) -> FloatArray:
    """Return (M,) nonnegative weights of the conditional logit of held-out items with the largest penalized likelihood.

    Args:
        features: (M, N) gains of the candidates of all users.
        positive: (M, B) gains of the held-out items.
        owner: (N,) user of each candidate, increasing; each user has a candidate.
        regularization: Of the squared weights, at least 0.
    """
    starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    users = positive.shape[1]

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        values = weights @ features
        highest = np.maximum.reduceat(values, starts)
        shares = np.exp(values - highest[owner])
        totals = np.add.reduceat(shares, starts)
        shares /= totals[owner]
        likelihood = (weights @ positive - highest - np.log(totals)).mean()
        slope = positive.mean(axis=1) - features @ shares / users
        penalty = regularization / 2 * float(weights @ weights)
        return penalty - float(likelihood), regularization * weights - slope

    first = np.full(len(features), 1.0)
    bounds = [(0.0, None)] * len(features)
    weights: FloatArray = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x
    return weights
