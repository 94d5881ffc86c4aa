"""Reward model of the direct method: the rate of an item times the effect of a position.

    q(i, k) = e_k theta_i,   e_k = mean reward at position k / mean reward,   theta_i = (R_i + s m) / (E_i + s)

where R_i is the sum of rewards of item i, E_i the sum of e_k over its rows, m the mean reward, and s a prior weight in
rows. The model knows no users: where tastes differ, the direct method is biased, which the doubly robust one corrects.

Source: Dudik, Langford and Li 2011, "Doubly robust policy evaluation and learning", section 2; the shrinkage is an
empirical Bayes mean.
"""

from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.evaluation.off_policy.feedback import LoggedFeedback
from recsys_core.evaluation.off_policy.policy import Policy

PRIOR_ROWS = 20.0
"""s, prior weight of the mean reward, in rows at an average position."""
FOLDS = 5


@dataclass(frozen=True, eq=False)
class RewardModel:
    """Estimated rewards.

    Args:
        rate: (I,) theta, expected reward of an item at an average position.
        effect: (K,) e, relative reward of a position.
    """

    rate: FloatArray
    effect: FloatArray

    def of(self, item: IntArray, place: IntArray) -> FloatArray:
        """Return (R,) the estimated reward of items at places."""
        found: FloatArray = self.rate[item] * self.effect[place]
        return found


def fit_rewards(log: LoggedFeedback, places: int, rows: "IntArray | None" = None) -> RewardModel:
    """Estimate rewards from rows of a log (all by default).

    Args:
        log: The log.
        places: K, number of positions of the model.
        rows: Positions of the rows to learn from.
    """
    chosen = slice(None) if rows is None else rows
    item, place, reward = log.item[chosen], log.place[chosen], log.reward[chosen]
    mean = float(reward.mean()) if len(reward) else 0.0
    shown = np.bincount(place, minlength=places).astype(np.float64)
    sums = np.bincount(place, weights=reward, minlength=places)
    rate = (sums + PRIOR_ROWS * mean) / (shown + PRIOR_ROWS)
    effect = rate / mean if mean else np.ones(places)
    exposure = np.bincount(item, weights=effect[place], minlength=len(log.item_ids))
    rewards = np.bincount(item, weights=reward, minlength=len(log.item_ids))
    return RewardModel((rewards + PRIOR_ROWS * mean) / (exposure + PRIOR_ROWS), effect)


def direct_values(model: RewardModel, policy: Policy, user: IntArray, place: IntArray) -> FloatArray:
    """Return (R,) the sum over candidates of target probability times estimated reward, for each row's user and place.

    Args:
        model: The reward model.
        policy: The target policy.
        user: (R,) users.
        place: (R,) places.
    """
    rates = np.where(policy.item >= 0, model.rate[np.maximum(policy.item, 0)], 0.0)
    expected = np.einsum("upn,un->up", policy.probability, rates)
    inside = np.minimum(place, policy.places - 1)
    found: FloatArray = np.where(place < policy.places, expected[policy.rows(user), inside] * model.effect[place], 0.0)
    return found


def folds_of(cluster: IntArray, seed: int, folds: int = FOLDS) -> IntArray:
    """Return (N,) a random fold for each row, the same for all rows of a cluster."""
    names, codes = np.unique(cluster, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    fold: IntArray = (order % folds)[codes]
    return fold
