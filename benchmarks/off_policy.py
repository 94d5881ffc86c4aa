"""Coverage of off-policy intervals on logs of the synthetic shop, whose true values are known."""

import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np

from benchmarks.table import Row
from recsys_core.contracts import RunContext
from recsys_core.data.synthetic.shop import make_truth
from recsys_core.data.synthetic.shop_config import ShopConfig
from recsys_core.data.synthetic.shop_log import sample_log
from recsys_core.data.synthetic.shop_truth import Reward, ShopTruth
from recsys_core.evaluation.off_policy.estimators import ESTIMATORS, TITLES, evaluate_policy
from recsys_core.evaluation.off_policy.exploration import explore
from recsys_core.evaluation.off_policy.policy import Policy, PolicyKind, policy_of
from recsys_core.evaluation.off_policy.shop_feedback import feedback_of

SHOP = ShopConfig(users=500, items=40, places=4)
LOGS, VISITORS = 500, 1200
CASES: tuple[tuple[PolicyKind, float, Reward], ...] = (
    ("deterministic", 0.0, "click"),
    ("softmax", 3.0, "purchase"),
)
UNBIASED = ("ips", "snips", "dr")


def run() -> list[Row]:
    """Measure coverage for two policies, then the time of one evaluation and of the simulator."""
    rows = []
    for number in range(len(CASES)):
        inside = _inside(number)
        rows += [_row(number, name, inside[name]) for name in ESTIMATORS]
    return [*rows, duration(), exploration()]


@cache
def _world(number: int) -> tuple[ShopTruth, Policy, float]:
    """Return the shop, a personalized policy (noisy preferences), and its true value."""
    kind, strength, reward = CASES[number]
    truth = make_truth(SHOP, 11)
    noise = np.random.default_rng(5).normal(size=truth.click.shape)
    lists = np.argsort(-(np.log(truth.click) + 0.5 * noise), axis=1)[:, :20]
    policy = policy_of(lists, kind, SHOP.places, strength=strength)
    return truth, policy, truth.value(np.arange(SHOP.users), policy.item, policy.probability, reward)


def _one(task: tuple[int, int]) -> Mapping[str, bool]:
    """Return whether the interval of each estimator contains the true value, for one log."""
    number, seed = task
    truth, policy, true = _world(number)
    log = feedback_of(sample_log(truth, VISITORS, np.random.default_rng([7, seed])), truth, CASES[number][2])
    estimates = evaluate_policy(log, policy, seed=seed, replicates=1000)
    return {name: bool(one.low <= true <= one.high) for name, one in estimates.items()}


def _inside(number: int) -> dict[str, float]:
    tasks = [(number, seed) for seed in range(LOGS)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(_one, tasks, chunksize=25))
    return {name: float(np.mean([one[name] for one in results])) for name in ESTIMATORS}


def _row(number: int, name: str, share: float) -> Row:
    kind, _, reward = CASES[number]
    unbiased = name in UNBIASED
    return Row(
        f"95 % interval of {TITLES[name]} contains the true value: {LOGS} logs of {VISITORS} visitors, {kind} policy, "
        f"{reward}",
        "93 to 97 %" if unbiased else "none (biased)",
        f"{share:.1%}",
        0.93 <= share <= 0.97 if unbiased else True,
    )


def duration() -> Row:
    """Time the five estimates with intervals on a log of 100,000 rows."""
    truth, policy, _ = _world(0)
    log = feedback_of(sample_log(truth, 6250, np.random.default_rng(1)), truth, "click")
    times = []
    for _ in range(3):
        started = time.process_time()
        evaluate_policy(log, policy)
        times.append(time.process_time() - started)
    return Row(
        f"five estimates with intervals, {len(log):,} rows, 6,250 visitors, CPU time",
        "less than 5 s",
        f"{min(times):.2f} s",
        min(times) < 5.0,
    )


def exploration() -> Row:
    """Compare the regret of Thompson sampling with that of random items after 10,000 users, 20 seeds."""
    truth = make_truth(SHOP, 11)
    started = time.perf_counter()
    ends = {}
    for name in ("thompson", "random"):
        found = explore(truth, name, steps=10_000, seeds=20, ctx=RunContext(1))
        mean, low, high = found.interval(found.regret)
        ends[name] = (float(mean[-1]), float(low[-1]), float(high[-1]))
    share = ends["thompson"][2] / ends["random"][1]
    return Row(
        "regret of Thompson sampling relative to random items, 10,000 users, 20 seeds (largest ratio of the intervals)",
        "at most 0.5",
        f"{share:.2f} ({time.perf_counter() - started:.1f} s)",
        share <= 0.5,
    )
