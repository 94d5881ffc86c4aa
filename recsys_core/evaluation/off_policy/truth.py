"""Truth mode: offline metric, off-policy estimate and true value of the same lists on a synthetic shop."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.contracts import IntArray
from recsys_core.data.synthetic.shop_log import sample_log
from recsys_core.data.synthetic.shop_truth import Reward, ShopTruth
from recsys_core.errors import DataError
from recsys_core.evaluation.off_policy.estimators import CLIP, TITLES, evaluate_policy
from recsys_core.evaluation.off_policy.policy import Policy, PolicyKind, policy_of
from recsys_core.evaluation.off_policy.shop_feedback import feedback_of
from recsys_core.evaluation.off_policy.uncertainty import Interval
from recsys_core.text import Sentence, Template, _

POLICY, TRUE = "policy", "true"
LOGGING, RANDOM, BEST = "logging policy", "random lists", "best possible lists"
REFERENCES = (LOGGING, RANDOM, BEST)
"""Policies that are added for comparison."""
BLOCK_CELLS = 4_000_000
"""Number of probabilities of the reference policies that are in memory at a time, 32 MB."""

ORDERS_AGREE = Template("The offline metric and the true value order the {number} policies alike.")
ORDERS_DIFFER = Template(
    "{offline} has the highest {metric}, {truth} the highest true value. {metric} counts what users chose from the "
    "lists of the logging policy; the true value is what they would choose from these lists."
)
COVERED = Template(
    "{estimator}: the true value of {inside} of {number} policies is inside the 95% interval.",
)


@dataclass(frozen=True, eq=False)
class TruthTable:
    """Policies of a shop with what is estimated and what is true.

    Args:
        table: One row per policy: `policy`, `true` (expected reward per impression), and for each estimator its value,
            `<estimator>_low` and `<estimator>_high`; NaN for references, which are not estimated.
        users: Number of users that all policies cover.
        visitors: Number of visitors of the simulated log.
        impressions: Number of its impressions.
    """

    table: pd.DataFrame
    users: int
    visitors: int
    impressions: int


def truth_table(
    truth: ShopTruth,
    lists: Mapping[str, tuple[IntArray, IntArray]],
    *,
    kind: PolicyKind = "deterministic",
    strength: float = 0.1,
    reward: Reward = "purchase",
    visitors: int = 2000,
    clip: float = CLIP,
    seed: int = 0,
) -> TruthTable:
    """Estimate lists from a simulated log of the logging policy, and compute their true values.

    The log is drawn anew, so that no model has learned from it. All policies are judged on the users whom all of them
    have lists for.

    Args:
        truth: The shop.
        lists: Users (B,) and their lists (B, N), padded with `PAD`, by name.
        kind: How the lists are shown.
        strength: epsilon or temperature; see `policy_of`.
        reward: What is estimated, per impression.
        visitors: Number of visitors of the log.
        clip: Largest weight of the clipped estimator.
        seed: Seed of log and bootstrap.

    Raises:
        DataError: There is no list, or no user with all lists.
        ConfigError: The strength is out of bounds.
    """
    if not lists:
        raise DataError(_("There is no list to evaluate; train a model on the shop first."))
    common = _common_users(lists)
    log = sample_log(truth, visitors, np.random.default_rng(seed), population=common)
    feedback = feedback_of(log, truth, reward)
    rows: list[dict[str, str | float]] = []
    for name, (users, item) in lists.items():
        policy = _policy(truth, users, item[:, : len(truth.price)], common, kind, strength)
        rows.append(_estimated(name, evaluate_policy(feedback, policy, clip=clip, seed=seed)))
        shown = policy.rows(common)
        rows[-1][TRUE] = truth.value(common, policy.item[shown], policy.probability[shown], reward)
    rows += [{POLICY: name, TRUE: value} for name, value in _references(truth, common, reward).items()]
    return TruthTable(pd.DataFrame(rows), len(common), visitors, feedback.n_impressions)


def _estimated(name: str, estimates: Mapping[str, Interval]) -> dict[str, str | float]:
    row: dict[str, str | float] = {POLICY: name, TRUE: np.nan}
    for estimator, interval in estimates.items():
        row[estimator] = interval.value
        row[f"{estimator}_low"], row[f"{estimator}_high"] = interval.low, interval.high
    return row


def _common_users(lists: Mapping[str, tuple[IntArray, IntArray]]) -> IntArray:
    common: IntArray | None = None
    for users, item in lists.values():
        own = users[(item >= 0).any(axis=1)]
        common = np.unique(own) if common is None else np.intersect1d(common, own)
    if common is None or not len(common):
        raise DataError(_("No user has a list of every model, so the models cannot be compared."))
    return common


def _policy(
    truth: ShopTruth, users: IntArray, item: IntArray, common: IntArray, kind: PolicyKind, strength: float
) -> Policy:
    place = np.full(len(truth.activity), -1, dtype=np.int64)
    place[users] = np.arange(len(users))
    row = np.full(len(truth.activity), -1, dtype=np.int64)
    row[common] = np.arange(len(common))
    return policy_of(item[place[common]], kind, truth.places, strength=strength, row=row)


def _references(truth: ShopTruth, users: IntArray, reward: Reward) -> dict[str, float]:
    """Return the true values of the logging policy, of random lists, and of the best possible ones.

    Blocks of users bound the memory: a block has a probability for each of its users, places and items.
    """
    items, places, logging = len(truth.price), truth.places, truth.logging_policy()
    totals = dict.fromkeys(REFERENCES, 0.0)
    size = max(1, BLOCK_CELLS // (places * items))
    for start in range(0, len(users), size):
        block = users[start : start + size]
        every = np.broadcast_to(np.arange(items), (len(block), items))
        best = np.argsort(-truth.reward(reward, block), axis=1, kind="stable")[:, :places]
        shown = {
            LOGGING: (every, logging[truth.segment[block]]),
            RANDOM: (every, np.broadcast_to(1 / items, (len(block), places, items))),
            BEST: (best, np.broadcast_to(np.eye(places), (len(block), places, places))),
        }
        for name, (item, probability) in shown.items():
            totals[name] += truth.value(block, item, probability, reward) * truth.activity[block].sum()
    return {name: float(total / truth.activity[users].sum()) for name, total in totals.items()}


def truth_sentences(result: TruthTable, offline: Mapping[str, float], metric: str) -> list[Sentence]:
    """Return what the table shows: whether the orders agree, and how often the intervals contain the truth.

    Args:
        result: The table.
        offline: Offline metric by policy.
        metric: Its name.
    """
    rows = result.table[~result.table[POLICY].isin(REFERENCES)]
    sentences = []
    named = rows[rows[POLICY].isin(list(offline))]
    if len(named) > 1:
        by_metric = sorted(named[POLICY], key=lambda name: -offline[name])
        by_truth = list(named.sort_values(TRUE, ascending=False)[POLICY])
        if by_metric == by_truth:
            sentences.append(ORDERS_AGREE.fill(number=str(len(named))))
        elif by_metric[0] != by_truth[0]:
            sentences.append(ORDERS_DIFFER.fill(offline=by_metric[0], truth=by_truth[0], metric=metric))
    inside = int(((rows["dr_low"] <= rows[TRUE]) & (rows[TRUE] <= rows["dr_high"])).sum())
    sentences.append(COVERED.fill(estimator=_(TITLES["dr"]), inside=str(inside), number=str(len(rows))))
    return sentences
