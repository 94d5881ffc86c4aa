"""Draws of an exploring strategy, place by place, with the probability of what was drawn.

- epsilon: with probability epsilon any candidate that fits, all alike, else the first; the first therefore has
  1 - epsilon + epsilon / n, each other one epsilon / n.
- softmax: the Plackett-Luce model, P(i) = exp(rel(i) / T) / sum_j exp(rel(j) / T) over the candidates that are left. It
  is drawn as the largest of rel(i) / T + g_i with standard Gumbel g_i. One g_i per candidate gives the whole list, the
  Gumbel top-k; where rules restrict the candidates of a place, g_i is drawn anew at each place.
- Thompson sampling: theta_i from the Beta posterior of the item's successes and failures, anew at each place, largest
  first. P(i) = integral of f_i(x) prod_j F_j(x) dx over the candidates j left besides i, by the trapezoidal rule. F is
  linear between grid points, in the draw as well, so that both agree.

A draw is a hash of seed, user, item and place (SplitMix64): it depends on neither the batch nor the order of users.

Sources: Luce 1959, "Individual choice behavior"; Kool, van Hoof and Welling 2019, "Stochastic beams and where to find
them", section 2.3; Thompson 1933, "On the likelihood that one unknown probability exceeds another".
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.random_keys import Keys
from recsys_core.models.compiled import compiled

FIRST, EPSILON, SOFTMAX, THOMPSON = range(4)
"""How a candidate is chosen."""
GRID = 257
"""Points at which posteriors are tabulated."""


class Draw(NamedTuple):
    """A draw, for compiled code.

    Args:
        method: `FIRST`, `EPSILON`, `SOFTMAX` or `THOMPSON`.
        epsilon: Probability of exploration.
        fresh: Whether each place has its own Gumbel variables.
        value: (B, N) relevance divided by the temperature.
        key: (B, N) pseudorandom keys of users with items.
        item: (B, N) row of each candidate in `posterior`.
        grid: (G,) increasing probabilities from 0 to 1.
        posterior: (M, G) distribution functions of the items.
    """

    method: int
    epsilon: float
    fresh: bool
    value: FloatArray
    key: Keys
    item: IntArray
    grid: FloatArray
    posterior: FloatArray


_NO_KEYS: Keys = np.zeros((1, 1), dtype=np.uint64)
NO_DRAW = Draw(FIRST, 0.0, False, np.zeros((1, 1)), _NO_KEYS, np.zeros((1, 1), np.int64), np.zeros(1), np.zeros((1, 1)))


def posteriors(successes: FloatArray, failures: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (G,) grid points, and (M, G) distribution functions of Beta(successes, failures) at them.

    Args:
        successes: (M,) parameter a > 0.
        failures: (M,) parameter b > 0.
    """
    different = np.unique(np.stack([successes, failures], axis=1), axis=0)
    levels = (np.arange(64) + 0.5) / 64
    quantiles = special.betaincinv(different[:, :1], different[:, 1:], levels[None])
    grid = np.quantile(quantiles, np.linspace(0, 1, GRID - 2))
    grid = np.unique(np.concatenate([[0.0], grid, [1.0]]))
    table: FloatArray = special.betainc(successes[:, None], failures[:, None], grid[None])
    return grid, table


@compiled
def uniform(key: np.uint64, place: int) -> float:
    """Return a pseudorandom number in (0, 1) from a key and a place: the finalizer of SplitMix64."""
    state = key + np.uint64(place + 1) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (float(state >> np.uint64(11)) + 0.5) / 9007199254740992.0


@compiled
def drawn(user: int, place: int, able: IntArray, count: int, draw: Draw) -> tuple[int, float]:
    """Return one of the first `count` columns of `able`, and its probability."""
    if draw.method == EPSILON:
        return _epsilon(user, place, able, count, draw)
    if draw.method == SOFTMAX:
        return _softmax(user, place, able, count, draw)
    if draw.method == THOMPSON:
        return _thompson(user, place, able, count, draw)
    return able[0], 1.0


@compiled
def _epsilon(user: int, place: int, able: IntArray, count: int, draw: Draw) -> tuple[int, float]:
    key = draw.key[user, 0]
    index = 0
    if uniform(key, 2 * place) < draw.epsilon:
        index = min(int(uniform(key, 2 * place + 1) * count), count - 1)
    return able[index], draw.epsilon / count + (1.0 - draw.epsilon if index == 0 else 0.0)


@compiled
def _softmax(user: int, place: int, able: IntArray, count: int, draw: Draw) -> tuple[int, float]:
    best, at, largest = -np.inf, 0, -np.inf
    for index in range(count):
        column = able[index]
        noise = uniform(draw.key[user, column], place if draw.fresh else 0)
        value = draw.value[user, column] - np.log(-np.log(noise))
        largest = max(largest, draw.value[user, column])
        if value > best:
            best, at = value, index
    total = 0.0
    for index in range(count):
        total += np.exp(draw.value[user, able[index]] - largest)
    return able[at], np.exp(draw.value[user, able[at]] - largest) / total


@compiled
def _thompson(user: int, place: int, able: IntArray, count: int, draw: Draw) -> tuple[int, float]:
    best, at = -np.inf, 0
    for index in range(count):
        column = able[index]
        theta = _quantile(uniform(draw.key[user, column], place), draw.posterior[draw.item[user, column]], draw.grid)
        if theta > best:
            best, at = theta, index
    others = np.ones(len(draw.grid))
    for index in range(count):
        if index != at:
            others *= draw.posterior[draw.item[user, able[index]]]
    own = draw.posterior[draw.item[user, able[at]]]
    chance = 0.0
    for point in range(1, len(draw.grid)):
        chance += (own[point] - own[point - 1]) * (others[point] + others[point - 1]) / 2.0
    return able[at], chance


@compiled
def _quantile(level: float, row: FloatArray, grid: FloatArray) -> float:
    """Return the quantile of a distribution function that is linear between grid points."""
    high = min(max(int(np.searchsorted(row, level)), 1), len(grid) - 1)
    below, above = row[high - 1], row[high]
    if above <= below:
        return float(grid[high])
    return float(grid[high - 1] + (grid[high] - grid[high - 1]) * (level - below) / (above - below))
