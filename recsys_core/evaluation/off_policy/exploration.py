"""Exploration in a synthetic shop: what a policy that learns from its own clicks earns, and what exploring costs.

At each step one user arrives, one item is shown at the first position, and the click (or purchase) is observed. The
policy knows the segment of the user and keeps counts per segment and item. Its regret is measured against the item
with the highest expected reward in the segment:

    regret(T) = sum over t of max_a r(s_t, a) - r(s_t, a_t)

    epsilon   the item with the highest observed rate, with probability epsilon a uniformly random one
    softmax   item a with probability ~ exp(rate_a / temperature)
    thompson  the item with the highest draw from its Beta(1 + rewards, 1 + others) posterior
    random    a uniformly random item

Source: Sutton and Barto 2018, "Reinforcement learning", chapter 2; Chapelle and Li 2011, "An empirical evaluation of
Thompson sampling".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys_core.contracts import FloatArray, IntArray, RunContext
from recsys_core.data.synthetic.shop_truth import ShopTruth
from recsys_core.errors import ConfigError
from recsys_core.evaluation.quantiles import student_quantile
from recsys_core.text import _

Strategy = Literal["epsilon", "softmax", "thompson", "random"]
STRATEGIES: tuple[Strategy, ...] = ("epsilon", "softmax", "thompson", "random")
POINTS = 100
"""Points of a curve."""
MOST_STEPS = 100_000


@dataclass(frozen=True, eq=False)
class Exploration:
    """Curves of one policy over several seeds: S seeds, G points.

    Args:
        steps: (G,) number of users so far.
        regret: (S, G) cumulative regret, in expected rewards.
        reward: (S, G) cumulative observed reward.
    """

    steps: IntArray
    regret: FloatArray
    reward: FloatArray

    def interval(self, values: FloatArray, confidence: float = 0.95) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return mean, lower and upper end (G,) over the seeds (Student's t); no interval with one seed."""
        mean = values.mean(axis=0)
        count = len(values)
        if count < 2:
            return mean, np.full(len(mean), np.nan), np.full(len(mean), np.nan)
        half = student_quantile(confidence, count - 1) * values.std(axis=0, ddof=1) / np.sqrt(count)
        return mean, mean - half, mean + half


def explore(
    truth: ShopTruth,
    strategy: Strategy,
    *,
    strength: float = 0.1,
    steps: int = 5000,
    seeds: int = 20,
    reward: Literal["click", "purchase"] = "click",
    ctx: RunContext | None = None,
) -> Exploration:
    """Simulate a policy, all seeds at once. Seed s sees the same users whatever the policy.

    Args:
        truth: The shop.
        strategy: The policy.
        strength: epsilon (0..1), or the temperature in rewards per step (above 0).
        steps: T, number of users per seed.
        seeds: S, number of repetitions.
        reward: What is observed.
        ctx: Seed, progress and cancellation.

    Raises:
        ConfigError: A setting is out of bounds.
        Cancelled: The user cancelled the work.
    """
    _check(strategy, strength, steps, seeds)
    ctx = ctx or RunContext()
    chance = truth.reward(reward)  # (U, I)
    expected = _segment_means(truth, chance)  # (G, I)
    users = _arrivals(truth, steps, seeds, ctx.rng("exploration", "users"))
    rng = ctx.rng("exploration", strategy)
    state = _Counts(np.zeros((seeds, *expected.shape)), np.zeros((seeds, *expected.shape)))
    choose = CHOOSE[strategy]
    loss, gain = np.zeros((seeds, steps)), np.zeros((seeds, steps))
    rows = np.arange(seeds)
    for step in ctx.track(range(steps), stage="simulate users"):
        user = users[:, step]
        segment = truth.segment[user]
        item = choose(state.shown[rows, segment], state.rewarded[rows, segment], strength, rng)
        got = rng.random(seeds) < chance[user, item] * truth.examination[0]
        state.shown[rows, segment, item] += 1
        state.rewarded[rows, segment, item] += got
        loss[:, step] = expected[segment].max(axis=1) - expected[segment, item]
        gain[:, step] = got
    points = np.unique(np.linspace(1, steps, min(POINTS, steps)).astype(np.int64))
    return Exploration(points, loss.cumsum(axis=1)[:, points - 1], gain.cumsum(axis=1)[:, points - 1])


@dataclass
class _Counts:
    """(S, G, I) how often an item was shown in a segment, and how often it was rewarded."""

    shown: FloatArray
    rewarded: FloatArray


def _check(strategy: str, strength: float, steps: int, seeds: int) -> None:
    if strategy not in STRATEGIES:
        raise ConfigError(
            _("There is no exploration policy '{strategy}'. Known: {strategies}.").format(
                strategy=strategy, strategies=", ".join(STRATEGIES)
            )
        )
    if strategy == "epsilon" and not 0 <= strength <= 1:
        raise ConfigError(_("epsilon must be between 0 and 1, but it is {strength:g}.").format(strength=strength))
    if strategy == "softmax" and strength <= 0:
        raise ConfigError(_("The temperature must be above 0, but it is {strength:g}.").format(strength=strength))
    if not 1 <= steps <= MOST_STEPS or not 1 <= seeds <= 200:
        raise ConfigError(
            _("Steps must be from 1 to {most_steps:,} and seeds from 1 to 200.").format(most_steps=MOST_STEPS)
        )


def _segment_means(truth: ShopTruth, chance: FloatArray) -> FloatArray:
    """Return (G, I) the expected reward of each item at the first position, over the users of each segment."""
    groups = len(truth.logits)
    share = np.zeros((groups, len(chance)))
    share[truth.segment, np.arange(len(chance))] = truth.activity
    sums = share.sum(axis=1, keepdims=True)
    means: FloatArray = np.divide(share, sums, out=share, where=sums > 0) @ chance * truth.examination[0]
    return means


def _arrivals(truth: ShopTruth, steps: int, seeds: int, rng: np.random.Generator) -> IntArray:
    return rng.choice(len(truth.activity), size=(seeds, steps), p=truth.activity / truth.activity.sum())


def _rates(shown: FloatArray, rewarded: FloatArray) -> FloatArray:
    """Return observed rates with one success in two trials added, so that unseen items are tried first."""
    rates: FloatArray = (rewarded + 1) / (shown + 2)
    return rates


def _epsilon(shown: FloatArray, rewarded: FloatArray, strength: float, rng: np.random.Generator) -> IntArray:
    rates = _rates(shown, rewarded)
    best = (rates + 1e-9 * rng.random(rates.shape)).argmax(axis=1)  # ties at random
    at_random = rng.random(len(best)) < strength
    return np.where(at_random, rng.integers(shown.shape[1], size=len(best)), best)


def _softmax(shown: FloatArray, rewarded: FloatArray, strength: float, rng: np.random.Generator) -> IntArray:
    logits = _rates(shown, rewarded) / strength
    choice: IntArray = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return choice


def _thompson(shown: FloatArray, rewarded: FloatArray, _strength: float, rng: np.random.Generator) -> IntArray:
    choice: IntArray = rng.beta(1 + rewarded, 1 + shown - rewarded).argmax(axis=1)
    return choice


def _random(shown: FloatArray, _rewarded: FloatArray, _strength: float, rng: np.random.Generator) -> IntArray:
    return rng.integers(shown.shape[1], size=len(shown))


CHOOSE: dict[str, Callable[[FloatArray, FloatArray, float, np.random.Generator], IntArray]] = {
    "epsilon": _epsilon,
    "softmax": _softmax,
    "thompson": _thompson,
    "random": _random,
}
