"""Estimators of the value of a target policy from the log of another policy.

For row t of the log: item a, user x, position k, reward r, propensity p, target probability pi(a | x, k), weight
w = pi / p, reward model q, M impressions. The reward of an item may depend on user and position, but not on the other
items of the list (item-position model), so weights are per position instead of per list.

    IPS      V = 1/M sum_t w r
    clipped  V = 1/M sum_t min(w, c) r                              biased towards 0, less variance
    SNIPS    V = sum_k (sum_{t in k} w r / sum_{t in k} w) M_k / M     M_k: impressions in which the target fills k
    DM       V = 1/M sum_t sum_a pi(a | x, k) q(a, k)                biased where q is wrong
    DR       V = DM + 1/M sum_t w (r - q(a, k))                      unbiased if the propensities are right

Source:
    IPS: Horvitz and Thompson 1952, "A generalization of sampling without replacement from a finite universe"; per
    position: Li et al. 2018, "Offline evaluation of ranking policies with click models", item-position estimator.
    Clipped: Bottou et al. 2013, "Counterfactual reasoning and learning systems", section 4.4. SNIPS: Swaminathan and
    Joachims 2015, "The self-normalized estimator for counterfactual learning", eq. 8. DM, DR: Dudik, Langford and Li
    2011, "Doubly robust policy evaluation and learning", eq. 2, with q fitted on the other users (cross-fitting).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.errors import DataError
from recsys_core.evaluation.off_policy.feedback import LoggedFeedback
from recsys_core.evaluation.off_policy.policy import Policy
from recsys_core.evaluation.off_policy.reward_model import FOLDS, direct_values, fit_rewards, folds_of
from recsys_core.evaluation.off_policy.uncertainty import REPLICATES, Interval, ratio, self_normalized, studentized
from recsys_core.evaluation.quantiles import student_quantile
from recsys_core.text import _, later

ESTIMATORS = ("ips", "snips", "clipped", "dm", "dr")
TITLES = {
    "ips": later("IPS"), "snips": later("SNIPS"), "clipped": later("Clipped IPS"), "dm": later("Direct method"),
    "dr": later("Doubly robust"),
}  # fmt: skip
CLIP = 10.0
"""Default c of the clipped estimator."""
GROUPS = 30
"""Groups of users of the jackknife of the direct method."""


@dataclass(frozen=True, eq=False)
class Terms:
    """What the estimators read: N rows of users for whom the target policy is known.

    Args:
        weight: (N,) w.
        reward: (N,) r.
        place: (N,) position, from 0.
        cluster: (N,) code from 0 to C - 1.
        mass: (N,) probability that the target shows anything at this position.
        impressions: (C,) number of impressions of each cluster.
        direct: (N,) sum over items of target probability times q; None without candidates of the target.
        modelled: (N,) q of the item shown; None likewise.
    """

    weight: FloatArray
    reward: FloatArray
    place: IntArray
    cluster: IntArray
    mass: FloatArray
    impressions: FloatArray
    direct: FloatArray | None = None
    modelled: FloatArray | None = None

    def per_cluster(self, *columns: FloatArray) -> FloatArray:
        """Return (C, D + 1) the sums of each column over the rows of each cluster, and the impressions."""
        count = len(self.impressions)
        sums = [np.bincount(self.cluster, weights=column, minlength=count) for column in columns]
        return np.stack([*sums, self.impressions], axis=1)


def covered_rows(log: LoggedFeedback, policy: Policy | None) -> BoolArray:
    """Return (N,) whether the target policy is known for the user of a row."""
    return np.ones(len(log), dtype=np.bool_) if policy is None else policy.covered[log.user]


def terms_of(log: LoggedFeedback, policy: Policy | None, *, seed: int = 0) -> Terms:
    """Return what the estimators read.

    Args:
        log: The log.
        policy: The target policy, with a row for each user code of the log; None for the target column of the log.
        seed: Seed of the folds of users.

    Raises:
        DataError: The policy is unknown for all users, or there is neither a policy nor a target column.
    """
    rows = covered_rows(log, policy)
    if not rows.any():
        raise DataError(_("The target policy has no list for any user of the log, so there is nothing to evaluate."))
    log = log.only(rows)
    _unused, cluster = np.unique(log.cluster, return_inverse=True)
    _unused, first = np.unique(log.impression, return_index=True)
    impressions = np.bincount(cluster[first], minlength=cluster.max() + 1).astype(np.float64)
    if policy is None:
        if log.target is None:
            raise DataError(_("The log has no target probabilities; choose a policy, or add the column 'target'."))
        ones = np.ones(len(log))
        return Terms(log.target / log.propensity, log.reward, log.place, cluster, ones, impressions)
    weight = policy.of(log.user, log.item, log.place) / log.propensity
    direct, modelled = np.zeros(len(log)), np.zeros(len(log))
    fold = folds_of(cluster, seed)
    for number in range(FOLDS):
        own = fold == number
        model = fit_rewards(log, max(log.places, policy.places), np.flatnonzero(~own))
        direct[own] = direct_values(model, policy, log.user[own], log.place[own])
        modelled[own] = model.of(log.item[own], log.place[own])
    mass = policy.mass(log.user, log.place)
    return Terms(weight, log.reward, log.place, cluster, mass, impressions, direct, modelled)


def estimate(
    terms: Terms, *, clip: float = CLIP, seed: int = 0, replicates: int = REPLICATES
) -> Mapping[str, Interval]:
    """Return the value of the target policy per impression, by estimator, with 95% intervals over users.

    Without candidates of the target policy there is no direct and no doubly robust estimate.

    Args:
        terms: As `terms_of` returns them.
        clip: c, largest weight of the clipped estimator.
        seed: Seed of the bootstrap.
        replicates: Number of bootstrap replicates.
    """

    def mean_of(values: FloatArray) -> Interval:
        return studentized(terms.per_cluster(values), ratio, seed=seed, replicates=replicates)

    weighted = terms.weight * terms.reward
    found = {
        "ips": mean_of(weighted),
        "snips": studentized(_by_place(terms), self_normalized, seed=seed, replicates=replicates),
        "clipped": mean_of(np.minimum(terms.weight, clip) * terms.reward),
    }
    if terms.direct is not None and terms.modelled is not None:
        found["dm"] = _value_alone(terms, terms.direct)
        found["dr"] = mean_of(terms.direct + terms.weight * (terms.reward - terms.modelled))
    return found


def _value_alone(terms: Terms, values: FloatArray) -> Interval:
    return Interval(float(values.sum() / terms.impressions.sum()), np.nan, np.nan, np.nan)


def _by_place(terms: Terms) -> FloatArray:
    """Return (C, 3 K + 1) weighted rewards, weights and target mass of the K positions with rows, and impressions."""
    shown, place = np.unique(terms.place, return_inverse=True)
    places, clusters = len(shown), len(terms.impressions)
    key = terms.cluster * places + place
    parts = [
        np.bincount(key, weights=column, minlength=clusters * places).reshape(clusters, places)
        for column in (terms.weight * terms.reward, terms.weight, terms.mass)
    ]
    return np.concatenate([*parts, terms.impressions[:, None]], axis=1)


def evaluate_policy(
    log: LoggedFeedback, policy: Policy | None, *, clip: float = CLIP, seed: int = 0, replicates: int = REPLICATES
) -> Mapping[str, Interval]:
    """Return the value of a policy by estimator; the direct method gets a jackknife interval.

    The interval of the direct method covers the variance of the reward model, not its bias.

    Args:
        log: The log.
        policy: The target policy; None for the target column of the log.
        clip: c, largest weight of the clipped estimator.
        seed: Seed of folds and bootstrap.
        replicates: Number of bootstrap replicates.

    Raises:
        DataError: The policy is unknown for all users of the log.
    """
    terms = terms_of(log, policy, seed=seed)
    found = dict(estimate(terms, clip=clip, seed=seed, replicates=replicates))
    if policy is not None:
        found["dm"] = direct_method(log.only(covered_rows(log, policy)), policy, seed=seed)
    return found


def direct_method(log: LoggedFeedback, policy: Policy, *, seed: int = 0, confidence: float = 0.95) -> Interval:
    """Return the direct estimate, with the reward model fitted on all rows and a delete-one-group jackknife.

        se^2 = (G - 1) / G sum_g (V_(g) - mean)^2,   V_(g): without the users of group g

    Args:
        log: Rows of users that the policy covers.
        policy: The target policy.
        seed: Seed of the groups.
        confidence: Nominal coverage.

    Source:
        Kott 2001, "The delete-a-group jackknife".
    """
    _, cluster = np.unique(log.cluster, return_inverse=True)
    groups = min(GROUPS, int(cluster.max()) + 1)
    group = folds_of(cluster, seed, groups)
    begins = np.zeros(len(log), dtype=np.bool_)
    begins[np.unique(log.impression, return_index=True)[1]] = True
    value = _direct(log, policy, begins, np.arange(len(log)))
    if groups < 2:
        return Interval(value, np.nan, np.nan, np.nan)
    without = np.array([_direct(log, policy, begins, np.flatnonzero(group != number)) for number in range(groups)])
    error = float(np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum()))
    half = student_quantile(confidence, groups - 1) * error
    return Interval(value, error, value - half, value + half)


def _direct(log: LoggedFeedback, policy: Policy, begins: BoolArray, rows: IntArray) -> float:
    """Return the direct estimate from some rows; `begins` (N,) marks one row of each impression."""
    model = fit_rewards(log, max(log.places, policy.places), rows)
    values = direct_values(model, policy, log.user[rows], log.place[rows])
    return float(values.sum() / begins[rows].sum())
