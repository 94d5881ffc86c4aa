"""Paired comparison of models on common users: intervals, significance tests, tie groups and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from recsys_core.columns import MODEL, USER, USER_ID
from recsys_core.contracts import BoolArray, FloatArray, IntArray, RunContext
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation import intervals, sentences, significance
from recsys_core.evaluation.evaluate import N_RATINGS
from recsys_core.evaluation.metric_info import METRICS, MetricName
from recsys_core.evaluation.sentences import Sentence
from recsys_core.evaluation.verdict import verdict_of

SUBSETS = 9_999
"""Random subsets of users in a significance test."""
BOOTSTRAP_SAMPLES = 2000
TABLE = [MODEL, "mean", "low", "high", "users", "letters"]
PAIRS = ["first", "second", "difference", "low", "high", "p", "p_holm", "different", "users_needed", "identical"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Comparison of models on the users for whom all of them have a value.

    Args:
        metric: Column that was compared, such as `ndcg@10`.
        confidence: Confidence level of all intervals; 1 minus the significance level of the tests.
        table: One row per model, best first: `model`, `mean`, `low`, `high` (interval over users, see `intervals`; NaN
            if undefined), `users`, `letters` (models that share a letter do not differ significantly).
        pairs: One row per pair, the better model first: `first`, `second`, `difference` (first minus second), `low`,
            `high` (paired interval), `p` (sign-flip test), `p_holm`, `different`, `users_needed` (infinite without any
            difference), `identical` (the same value for every user).
        groups: All tie groups, models best first; a model that differs from all others is a group of one.
        users: (U,) positions of the users compared, ordered by identifier if known.
        left_out: Number of users with a value for some models but not for all.
        baseline: The model that the others are compared with, or None.
        verdict: The result in sentences.
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
            raise ConfigError(f"'{baseline}' is not among the models compared: {', '.join(self.table[MODEL])}.")
        ahead = self.pairs[self.pairs["second"] == baseline].rename(columns={"first": MODEL})
        behind = self.pairs[self.pairs["first"] == baseline].rename(columns={"second": MODEL})
        turned = behind.assign(difference=-behind["difference"], low=-behind["high"], high=-behind["low"])
        columns = [MODEL, "difference", "low", "high", "p_holm", "different"]
        return pd.concat([ahead[columns], turned[columns]], ignore_index=True)

    def better_than(self, model: str) -> tuple[str, ...]:
        """Return the models that are significantly better than `model`, best first."""
        better = self.pairs[(self.pairs["second"] == model) & self.pairs["different"]]
        return tuple(better["first"])


@dataclass(frozen=True, eq=False)
class _Columns:
    """C estimates over users: number c is the weighted mean of `values[:, c]`, its square root if `root[c]`.

    If `share[c]`, the values lie between 0 and 1 and all weights are 1.
    """

    values: FloatArray
    weights: FloatArray
    root: BoolArray
    share: BoolArray

    def means(self) -> FloatArray:
        """Return (C,) the estimates over all users; NaN where no user has a value."""
        weight = np.where(np.isnan(self.values), 0.0, self.weights)
        total = weight.sum(axis=0)
        sums = (np.nan_to_num(self.values) * weight).sum(axis=0)
        means = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
        numbers: FloatArray = np.where(self.root, np.sqrt(np.abs(means)), means)
        return numbers

    def intervals(self, seed: int, samples: int, confidence: float) -> tuple[FloatArray, FloatArray]:
        """Return both ends (C,) of the interval of each estimate over users; NaN if undefined."""
        low, high = intervals.score_interval(self.values, confidence)
        rest = np.flatnonzero(~self.share)
        if len(rest):
            values, weights, root = self.values[:, rest], self.weights[:, rest], self.root[rest]
            rng = RunContext(seed).rng("bootstrap")
            means = intervals.bootstrap_means(values, weights, rng=rng, samples=samples)
            estimates = self.means()[rest]
            center = np.where(root, estimates**2, estimates)
            influence = np.nan_to_num(weights * (values - center))
            numbers = np.where(root, np.sqrt(np.abs(means)), means)
            low[rest], high[rest] = intervals.bca_interval(numbers, estimates, influence, confidence)
        return low, high

    def difference_interval(self, means: FloatArray, confidence: float) -> tuple[float, float]:
        """Return both ends of Student's interval of the first minus the second of the estimates `means`."""
        users, difference = len(self.values), float(means[0] - means[1])
        if users < 2:
            return np.nan, np.nan
        center = np.where(self.root, means**2, means)
        slope = np.where(self.root, 0.5 / np.maximum(means, 1e-12), 1.0)
        influence = slope * self.weights * (self.values - center) / self.weights.mean(axis=0)
        error = float((influence[:, 0] - influence[:, 1]).std(ddof=1)) / users**0.5
        half = float(stats.t.isf((1.0 - confidence) / 2.0, users - 1)) * error
        low, high = difference - half, difference + half
        if bool(self.share.all()):
            low, high = _of_shares(difference, low, high, users, confidence)
        return _finite(low, high)

    def subsets(self, seed: int, samples: int) -> FloatArray:
        """Return (S, C) the estimates of random subsets of the users, the same users for all C; see `significance`.

        Every user must have a value in every column.
        """
        rng = RunContext(seed).rng("subsets")
        count = self.values.shape[1]
        plain = bool((self.weights == 1.0).all())
        weights = np.ones((len(self.values), 1)) if plain else self.weights
        sums = significance.subset_sums(np.concatenate([self.values * self.weights, weights], axis=1), rng, samples)
        total = sums[:, count:]
        means = np.divide(sums[:, :count], total, out=np.zeros((len(sums), count)), where=total > 0)
        numbers: FloatArray = np.where(self.root, np.sqrt(np.abs(means)), means)
        return numbers


def _columns(sources: Sequence[tuple[pd.DataFrame, MetricName]]) -> _Columns:
    """Return the metric columns: rmse and mae weight users by their number of ratings, all others by 1."""
    values, weights = [], []
    for frame, name in sources:
        value = frame[str(name)].to_numpy(np.float64)
        count = f"{N_RATINGS}:{name.part}".rstrip(":")
        values.append(value**2 if name.key == "rmse" else value)
        weights.append(frame[count].to_numpy(np.float64) if name.key in ("rmse", "mae") else np.ones(len(value)))
    root = np.array([name.key == "rmse" for _, name in sources])
    share = np.array([name.info.is_share for _, name in sources])
    return _Columns(np.stack(values, axis=1), np.stack(weights, axis=1), root, share)


def metric_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns of a per-user frame that hold metrics."""
    return [str(column) for column in frame if str(column).partition("@")[0].partition(":")[0] in METRICS]


def summarize(
    per_user: pd.DataFrame, *, seed: int = 42, samples: int = 2000, confidence: float = 0.95
) -> dict[str, dict[str, float]]:
    """Return `mean`, `low`, `high` and `users` for each metric of one model, over the users where it is defined.

    Args:
        per_user: Per-user frame of `evaluate`.
        seed: Seed of the bootstrap, used for metrics that are not bounded by 0 and 1.
        samples: Number of bootstrap samples.
        confidence: Confidence level of the intervals.
    """
    names = metric_columns(per_user)
    if not names or per_user.empty:
        return {}
    columns = _columns([(per_user, MetricName.parse(name)) for name in names])
    low, high = columns.intervals(seed, samples, confidence)
    users = (~np.isnan(columns.values)).sum(axis=0)
    numbers = zip(names, columns.means(), low, high, users, strict=True)
    return {
        name: {"mean": float(mean), "low": float(lower), "high": float(upper), "users": int(count)}
        for name, mean, lower, upper, count in numbers
    }


def compare(
    per_user: Mapping[str, pd.DataFrame],
    *,
    metric: str,
    seed: int = 42,
    samples: int = SUBSETS,
    confidence: float = 0.95,
    baseline: str | None = None,
    titles: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare models on the users for whom all of them have a value.

    Two models differ significantly if a paired sign-flip test of their mean difference is significant after Holm's
    correction over all pairs; the interval of a difference belongs to the same test without the correction. If the
    frames have a `user_id` column, the result does not depend on the order of their rows.

    Args:
        per_user: Model -> per-user frame of `evaluate`.
        metric: Column to compare, such as `ndcg@10`.
        seed: Seed of the random subsets of users in the test.
        samples: Minimum number of subsets; with few users all subsets are used.
        confidence: Confidence level of the intervals; 1 minus the significance level of the tests.
        baseline: Model to compare the others with; defaults to the model whose name begins with `popular`.
        titles: Model -> name in sentences.

    Raises:
        ConfigError: The metric does not exist, or a model has no values of it.
        DataError: There are no models, or no user has a value for all of them.
    """
    name = MetricName.parse(metric)
    models, frames, users, left_out = _common(per_user, metric)
    columns = _columns([(frame, name) for frame in frames])
    means = columns.means()
    sign = -1.0 if name.info.direction == "lower" else 1.0
    order = np.argsort(-sign * means, kind="stable")
    low, high = columns.intervals(seed, min(samples, BOOTSTRAP_SAMPLES), confidence)
    pairs = _pairs(columns, order, seed, samples, confidence)
    ordered = [models[place] for place in order]
    groups = significance.tie_groups(_different(pairs, len(models)))
    table = pd.DataFrame(
        {MODEL: ordered, "mean": means[order], "low": low[order], "high": high[order], "users": len(users)}
    )
    table["letters"] = significance.letters(groups, len(models))
    for side in ("first", "second"):
        pairs[side] = [ordered[place] for place in pairs[side]]
    base = baseline or next((model for model in ordered if model.startswith("popular")), None)
    return Comparison(
        metric=metric,
        confidence=confidence,
        table=table[TABLE],
        pairs=pairs,
        groups=tuple(tuple(ordered[place] for place in group) for group in groups),
        users=users,
        left_out=left_out,
        baseline=base,
        verdict=verdict_of(name, table, pairs, base, titles or {}, confidence),
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
    columns = _columns([(frame.loc[users], name) for frame in rows])
    means = columns.means()
    difference = float(means[0] - means[1])
    low, high = columns.difference_interval(means, confidence)
    return {"difference": difference, "low": low, "high": high, "users": len(users)}


def _common(per_user: Mapping[str, pd.DataFrame], metric: str) -> tuple[list[str], list[pd.DataFrame], IntArray, int]:
    """Return models, their frames restricted to the common users, those users, and the number of other users."""
    if not per_user:
        raise DataError("There are no models to compare; train at least one model.")
    for model, frame in per_user.items():
        if metric not in frame:
            raise ConfigError(f"'{model}' has no values of '{metric}'; it has {', '.join(metric_columns(frame))}.")
    evaluated = [frame.loc[frame[metric].notna(), USER].to_numpy(np.int64) for frame in per_user.values()]
    all_users, times = np.unique(np.concatenate(evaluated), return_counts=True)
    users = all_users[times == len(evaluated)]
    if len(users) == 0:
        raise DataError(str(sentences.NO_COMMON_USERS.fill(len(all_users))))
    frames = [frame.set_index(USER).loc[users] for frame in per_user.values()]
    if all(USER_ID in frame for frame in frames):  # positions follow the order of a file, identifiers do not
        by_id = np.argsort(frames[0][USER_ID].to_numpy(dtype=str), kind="stable")
        users, frames = users[by_id], [frame.iloc[by_id] for frame in frames]
    return list(per_user), frames, users, len(all_users) - len(users)


def _pairs(columns: _Columns, order: IntArray, seed: int, samples: int, confidence: float) -> pd.DataFrame:
    """Return the frame of pairs, models by their index in `order` (best first); see `Comparison`."""
    places = list(combinations(range(len(order)), 2))
    subsets = columns.subsets(seed, max(samples, significance.SUBSETS_OF_A_PAIR * len(places)))[:, order]
    values, means = (columns.values * columns.weights)[:, order], columns.means()[order]
    shares = bool(columns.share.all())
    rows = []
    for first, second in places:
        drawn, difference = subsets[:, first] - subsets[:, second], float(means[first] - means[second])
        low, high = significance.sign_flip_interval(drawn, confidence)
        if shares:
            low, high = _of_shares(difference, low, high, len(values), confidence)
        paired = np.round(values[:, first] - values[:, second], significance.EQUAL_WITHIN)
        needed = significance.users_needed(paired, confidence, len(places))
        p, same = significance.sign_flip_p(drawn), not paired.any()
        rows.append((first, second, difference, *_finite(low, high), p, needed, same))
    frame = pd.DataFrame(rows, columns=[name for name in PAIRS if name not in ("p_holm", "different")])
    frame["p_holm"] = significance.holm(frame["p"].to_numpy(np.float64))
    frame["different"] = frame["p_holm"] < 1.0 - confidence
    return frame[PAIRS]


def _of_shares(difference: float, low: float, high: float, users: int, confidence: float) -> tuple[float, float]:
    """Return the interval of a difference of shares: within -1 and 1, never of zero width.

    If the difference is the same for all observed users, unobserved users may still differ by up to 1 either way.
    """
    if high - low < intervals.NO_SPREAD:
        unseen = intervals.unseen_share(users, confidence)
        low, high = difference - unseen * (1 + difference), difference + unseen * (1 - difference)
    return max(low, -1.0), min(high, 1.0)


def _finite(low: float, high: float) -> tuple[float, float]:
    """Return the ends, or NaN if they are undefined (too few users or no variance)."""
    return (low, high) if np.isfinite(low) and np.isfinite(high) and high > low else (np.nan, np.nan)


def _different(pairs: pd.DataFrame, models: int) -> BoolArray:
    """Return (M, M) whether two models differ significantly."""
    different = np.zeros((models, models), dtype=np.bool_)
    first, second = pairs["first"].to_numpy(np.int64), pairs["second"].to_numpy(np.int64)
    different[first, second] = different[second, first] = pairs["different"].to_numpy(np.bool_)
    return different
