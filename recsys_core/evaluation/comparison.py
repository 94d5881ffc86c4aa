"""Paired comparison of models on common users: intervals, significance tests, tie groups and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from recsys_core.columns import MODEL, USER, USER_ID
from recsys_core.contracts import BoolArray, IntArray
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation import sentences, significance
from recsys_core.evaluation.estimates import Estimates, Trainings, estimates_of, finite, metric_columns, of_shares
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.verdict import Scope, verdict_of
from recsys_core.text import Sentence, _

SUBSETS = 9_999
"""Random subsets of users in a significance test."""
TABLE = [MODEL, "mean", "low", "high", "users", "letters", "trainings", "training_std"]
PAIRS = [
    "first", "second", "difference", "low", "high", "p", "p_holm", "different", "users_needed", "users_at_best",
    "detectable", "identical",
]  # fmt: skip
PerUser = Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]]
"""Model -> per-user frame of `evaluate`, or one per training with another seed."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Comparison of models on the users for whom all of them have a value.

    Args:
        metric: Column that was compared, such as `ndcg@10`.
        confidence: Confidence level of all intervals; 1 minus the significance level of the tests.
        table: One row per model, best first: `model`, `mean`, `low`, `high` (interval over users and trainings, NaN if
            undefined), `users`, `letters` (models that share a letter do not differ significantly), `trainings`,
            `training_std` (standard deviation between trainings, NaN with one).
        pairs: One row per pair, the better model first: `first`, `second`, `difference` (first minus second), `low`,
            `high` (simultaneous intervals of all pairs), `p` (sign-flip test), `p_holm`, `different`, `users_needed`
            (to detect a difference as large as the observed one; infinite if more users do not help), `users_at_best`
            (the same for the end of the interval farther from 0), `detectable` (smallest difference that these users
            and trainings detect with a power of 80 %), `identical` (the same value for every user).
        groups: All tie groups, models best first; a model that differs from all others is a group of one.
        users: (U,) positions of the users compared, ordered by identifier if known.
        left_out: Number of users with a value for some models but not for all.
        baseline: The model that the others are compared with, or None.
        verdict: The result in sentences.
        metrics: Number of metrics for which the tests are corrected; 1 for the primary metric.
    """

    metric: str
    confidence: float
    table: pd.DataFrame
    pairs: pd.DataFrame
    groups: tuple[tuple[str, ...], ...]
    users: IntArray
    left_out: int
    baseline: str | None
    verdict: tuple[Sentence, ...]
    metrics: int = 1

    @property
    def ties(self) -> tuple[tuple[str, ...], ...]:
        """Groups of two or more models without significant differences."""
        return tuple(group for group in self.groups if len(group) > 1)

    def against(self, baseline: str) -> pd.DataFrame:
        """Return `model`, `difference` (to the baseline), `low`, `high`, `p_holm`, `different` of all other models.

        Raises:
            ConfigError: The baseline was not compared.
        """
        if baseline not in set(self.table[MODEL]):
            raise ConfigError(
                _("'{baseline}' is not among the models compared: {table}.").format(
                    baseline=baseline, table=", ".join(self.table[MODEL])
                )
            )
        ahead = self.pairs[self.pairs["second"] == baseline].rename(columns={"first": MODEL})
        behind = self.pairs[self.pairs["first"] == baseline].rename(columns={"second": MODEL})
        turned = behind.assign(difference=-behind["difference"], low=-behind["high"], high=-behind["low"])
        columns = [MODEL, "difference", "low", "high", "p_holm", "different"]
        return pd.concat([ahead[columns], turned[columns]], ignore_index=True)

    def better_than(self, model: str) -> tuple[str, ...]:
        """Return the models that are significantly better than `model`, best first."""
        better = self.pairs[(self.pairs["second"] == model) & self.pairs["different"]]
        return tuple(better["first"])


def summarize(
    per_user: pd.DataFrame | Sequence[pd.DataFrame], *, confidence: float = 0.95
) -> dict[str, dict[str, float]]:
    """Return `mean`, `low`, `high` and `users` for each metric of one model, over the users where it is defined.

    Args:
        per_user: Per-user frame of `evaluate`, or one per training with the same users in the same order.
        confidence: Confidence level of the intervals.
    """
    frames = [per_user] if isinstance(per_user, pd.DataFrame) else per_user
    names = metric_columns(frames[0])
    if not names or frames[0].empty:
        return {}
    group = np.repeat(np.arange(len(names)), len(frames))
    trained = estimates_of([(frame, MetricName.parse(name)) for name in names for frame in frames])
    columns, trainings = trained.averaged(group), Trainings.of(trained, group)
    means = columns.means()
    low, high = trainings.widened(columns, *columns.intervals(confidence), confidence)
    users = (~np.isnan(columns.values)).sum(axis=0)
    numbers = zip(names, means, low, high, users, strict=True)
    return {
        name: {"mean": float(mean), "low": float(lower), "high": float(upper), "users": int(count)}
        for name, mean, lower, upper, count in numbers
    }


def compare(
    per_user: PerUser,
    *,
    metric: str,
    seed: int = 42,
    samples: int = SUBSETS,
    confidence: float = 0.95,
    baseline: str | None = None,
    titles: Mapping[str, str] | None = None,
    metrics: int = 1,
    varying: Sequence[str] = (),
    unequal: Sequence[str] = (),
) -> Comparison:
    """Compare models on the users for whom all of them have a value.

    Two models differ significantly if a paired sign-flip test of their mean difference is significant after Holm's
    correction over all pairs. The pairs are not only those with the leader: which model leads is known from the same
    data, so a correction for its pairs alone would be too weak. The intervals of differences are simultaneous
    (Bonferroni) and exclude 0 exactly for the pairs that differ significantly: where Holm's procedure decides and the
    interval does not, it ends at 0. If the frames have a `user_id` column, the result does not depend on the order of
    their rows.

    Models with several trainings are compared by each user's mean over trainings; tests and intervals then include
    the variation between users and that between trainings. With one training the latter is unknown and not included.

    Args:
        per_user: Model -> per-user frame of `evaluate`, or one frame per training.
        metric: Column to compare, such as `ndcg@10`.
        seed: Seed of the random subsets of users in the test.
        samples: Minimum number of subsets; with few users all subsets are used.
        confidence: Confidence level of the intervals; 1 minus the significance level of the tests.
        baseline: Model to compare the others with; defaults to the model whose name begins with `popular`.
        titles: Model -> name in sentences.
        metrics: Number of exploratory metrics for which tests are corrected (Bonferroni); 1 for the primary metric.
        varying: Models whose trainings vary with the seed; if one has a single training, the verdict says so.
        unequal: Titles of the models that were not tuned like the others.

    Raises:
        ConfigError: The metric does not exist, or a model has no values of it.
        DataError: There are no models, or no user has a value for all of them.
    """
    name = MetricName.parse(metric)
    models, group, frames, users, left_out = _common(per_user, metric)
    trained = estimates_of([(frame, name) for frame in frames])
    columns, trainings = trained.averaged(group), Trainings.of(trained, group)
    means = columns.means()
    sign = -1.0 if name.info.direction == "lower" else 1.0
    order = np.argsort(-sign * means, kind="stable")
    over_users = columns.intervals(confidence)
    low, high = trainings.widened(columns, *over_users, confidence)
    pairs = _pairs(columns, trainings, order, confidence, metrics, seed, samples)
    ordered = [models[place] for place in order]
    groups = significance.tie_groups(_different(pairs, len(models)))
    table = pd.DataFrame(
        {
            MODEL: ordered,
            "mean": means[order],
            "low": low[order],
            "high": high[order],
            "users": len(users),
            "letters": significance.letters(groups, len(models)),
            "trainings": trainings.count[order],
            "training_std": trainings.std[order],
        },
        columns=TABLE,
    )
    for side in ("first", "second"):
        pairs[side] = [ordered[place] for place in pairs[side]]
    base = baseline or next((model for model in ordered if model.startswith("popular")), None)
    single = any(count == 1 and model in varying for model, count in zip(models, trainings.count, strict=True))
    scope = Scope(confidence=confidence, users=len(users), metrics=metrics, one_training=single, unequal=tuple(unequal))
    return Comparison(
        metric=metric,
        confidence=confidence,
        table=table,
        pairs=pairs,
        groups=tuple(tuple(ordered[place] for place in group) for group in groups),
        users=users,
        left_out=left_out,
        baseline=base,
        verdict=verdict_of(name, table, pairs, base, titles or {}, scope),
        metrics=metrics,
    )


def paired_difference(own: pd.DataFrame, base: pd.DataFrame, metric: str, confidence: float = 0.95) -> dict[str, float]:
    """Return `difference`, `low`, `high` and `users` of one model minus another, over their common users.

    The difference equals that of `compare`; the interval is Student's, from each user's influence on the difference,
    which is much faster than the interval of the permutation test. The ends are NaN for fewer than two users, and for
    an unbounded metric without variance.

    Args:
        own: Per-user frame of the model, as returned by `evaluate`.
        base: Per-user frame of the baseline.
        metric: Column of both.
        confidence: Confidence level of the interval.
    """
    name = MetricName.parse(metric)
    rows = [frame[frame[metric].notna()].set_index(USER) for frame in (own, base)]
    users = rows[0].index.intersection(rows[1].index)
    if len(users) == 0:
        return {"difference": np.nan, "low": np.nan, "high": np.nan, "users": 0}
    columns = estimates_of([(frame.loc[users], name) for frame in rows])
    means = columns.means()
    difference = float(means[0] - means[1])
    low, high = columns.difference_interval(means, confidence)
    return {"difference": difference, "low": low, "high": high, "users": len(users)}


def _common(per_user: PerUser, metric: str) -> tuple[list[str], IntArray, list[pd.DataFrame], IntArray, int]:
    """Return models, the model number of each training, frames of common users, those users, how many others."""
    if not per_user:
        raise DataError(_("There are no models to compare; train at least one model."))
    trainings = {model: [given] if isinstance(given, pd.DataFrame) else given for model, given in per_user.items()}
    frames = [frame for own in trainings.values() for frame in own]
    group = np.repeat(np.arange(len(trainings)), [len(own) for own in trainings.values()])
    for model, own in trainings.items():
        for frame in own:
            if metric not in frame:
                known = ", ".join(metric_columns(frame))
                raise ConfigError(
                    _("'{model}' has no values of '{metric}'; it has {known}.").format(
                        model=model, metric=metric, known=known
                    )
                )
    evaluated = [frame.loc[frame[metric].notna(), USER].to_numpy(np.int64) for frame in frames]
    all_users, times = np.unique(np.concatenate(evaluated), return_counts=True)
    users = all_users[times == len(evaluated)]
    if len(users) == 0:
        raise DataError(str(sentences.NO_COMMON_USERS.fill(len(all_users))))
    frames = [frame.set_index(USER).loc[users] for frame in frames]
    if all(USER_ID in frame for frame in frames):  # positions follow the order of a file, identifiers do not
        by_id = np.argsort(frames[0][USER_ID].to_numpy(dtype=str), kind="stable")
        users, frames = users[by_id], [frame.iloc[by_id] for frame in frames]
    return list(trainings), group, frames, users, len(all_users) - len(users)


def _pairs(
    columns: Estimates, trainings: Trainings, order: IntArray, confidence: float, metrics: int, seed: int, samples: int
) -> pd.DataFrame:
    """Return the frame of pairs, models by their index in `order` (best first); see `Comparison`."""
    places = list(combinations(range(len(order)), 2))
    tests = len(places) * metrics
    over_users = columns.subsets(seed, significance.subsets_for(samples, tests))
    drawn = over_users + trainings.draws(seed, len(over_users))
    means, values = columns.means(), columns.values * columns.weights
    rows = []
    for first, second in places:
        one, other = order[first], order[second]
        difference, differences = float(means[one] - means[other]), drawn[:, one] - drawn[:, other]
        low, high = significance.sign_flip_interval(differences, 1.0 - (1.0 - confidence) / max(tests, 1))
        if bool(columns.share.all()):
            low, high = of_shares(difference, low, high, len(values), confidence)
        identical = not np.round(values[:, one] - values[:, other], significance.EQUAL_WITHIN).any()
        design = significance.Design(
            users=len(values),
            user_error=0.0 if identical else float((over_users[:, one] - over_users[:, other]).std()),
            training_error=float(np.hypot(trainings.error[one], trainings.error[other])),
            confidence=confidence,
            tests=tests,
        )
        sizes = (design.users_needed(difference), design.users_needed(max(abs(low), abs(high))), design.detectable)
        p = significance.sign_flip_p(differences)
        rows.append((first, second, difference, *finite(low, high), p, *sizes, identical))
    frame = pd.DataFrame(rows, columns=[name for name in PAIRS if name not in ("p_holm", "different")])
    frame["p_holm"] = significance.holm(np.minimum(frame["p"].to_numpy(np.float64) * metrics, 1.0))
    frame["different"] = frame["p_holm"] < 1.0 - confidence
    _end_at_zero(frame)
    return frame[PAIRS]


def _end_at_zero(pairs: pd.DataFrame) -> None:
    """End the intervals of significant differences at 0 where they contain it: Holm's test is the stronger one."""
    ahead, behind = pairs["different"] & (pairs["difference"] > 0), pairs["different"] & (pairs["difference"] < 0)
    pairs.loc[ahead, "low"] = pairs.loc[ahead, "low"].clip(lower=0.0)
    pairs.loc[behind, "high"] = pairs.loc[behind, "high"].clip(upper=0.0)


def _different(pairs: pd.DataFrame, models: int) -> BoolArray:
    """Return (M, M) whether two models differ significantly."""
    different = np.zeros((models, models), dtype=np.bool_)
    first, second = pairs["first"].to_numpy(np.int64), pairs["second"].to_numpy(np.int64)
    different[first, second] = different[second, first] = pairs["different"].to_numpy(np.bool_)
    return different
