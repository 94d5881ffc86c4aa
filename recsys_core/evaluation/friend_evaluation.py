"""Evaluation of friend recommendation on held-out links.

A share of the linked pairs is held out, in both directions: if u and v follow each other, keeping one of the two links
would leak the other. Each method then ranks, for every user with a held-out link, all users whom this user does not
follow in the remaining graph. The held-out users are relevant; per user:

    recall@k      hits in the top k / held-out links
    precision@k   hits in the top k / k
    auc           share of the other candidates scored below a held-out user, ties one half

Intervals are 95% intervals over users: score intervals of means, and paired bootstrap intervals of differences.

A social table is required: on the implicit co-rating graph, common interests would be evaluated against themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from recsys_core.columns import USER
from recsys_core.contracts import FloatArray, IntArray, Ragged, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.evaluation.intervals import bootstrap_means, interval, score_interval
from recsys_core.evaluation.metrics import hit_table, precision, recall
from recsys_core.evaluation.ranking import rank
from recsys_core.models.friend_recommendation import FRIEND_METHODS, PeopleRecommender, make_people_recommender
from recsys_core.profiles.graph import social_graph
from recsys_core.text import _

HELD_SHARE = 0.2
MOST_USERS = 5000
"""Maximum number of users evaluated, drawn at random."""
CELLS = 4_000_000
SAMPLES = 2000
METRICS = ("recall", "precision", "auc")
BASELINES = {"random_people": "random", "popular_people": "popular"}


@dataclass(frozen=True, eq=False)
class LinkSplit:
    """A train/test split of the links.

    Args:
        kept: (U, U) training links.
        held: Held-out users of each test user, ascending.
        users: (T,) positions of the test users, ascending: users with a held-out link, at most `MOST_USERS`.
        held_links: Number of held-out links, each direction counted.
    """

    kept: csr_array
    held: Ragged
    users: IntArray
    held_links: int


@dataclass(frozen=True, eq=False)
class FriendComparison:
    """Comparison of the friend recommendation methods.

    Args:
        table: One row per method, highest recall first: `method`, `title`, then `recall`, `precision` and `auc`, each
            with `_low` and `_high`; then the differences `recall_over_random`, `recall_over_popular`,
            `auc_over_random` and `auc_over_popular`, each with `_low` and `_high` (paired), NaN for the baseline
            itself.
        per_user: Method -> `user`, `recall`, `precision`, `auc`, one row per user.
        k: Length of the lists.
        users: Number of test users.
        kept_links: Number of training links.
        held_links: Number of held-out links.
    """

    table: pd.DataFrame
    per_user: Mapping[str, pd.DataFrame]
    k: int
    users: int
    kept_links: int
    held_links: int


def hold_out_links(graph: csr_array, seed: int = 42, share: float = HELD_SHARE) -> LinkSplit:
    """Hold out a share of the linked pairs of a (U, U) graph, both directions of a pair jointly.

    Raises:
        DataError: There are too few linked pairs to hold one out and keep one.
    """
    rng = RunContext(seed=seed).rng("people", "held links")
    users = graph.shape[0]
    source, target = np.repeat(np.arange(users), np.diff(graph.indptr)), graph.indices.astype(np.int64)
    pair = np.minimum(source, target) * users + np.maximum(source, target)
    pairs = np.unique(pair)
    number = round(share * len(pairs))
    if not 0 < number < len(pairs):
        raise DataError(
            _("Only {n_pairs} pairs of users are linked: too few to hold some out. Upload more links.").format(
                n_pairs=len(pairs)
            )
        )
    out = np.isin(pair, rng.choice(pairs, number, replace=False))
    kept = csr_array((graph.data[~out], (source[~out], target[~out])), shape=graph.shape)
    held = Ragged.from_keys(source[out], target[out], users)
    test_users = np.flatnonzero(held.lengths)
    if len(test_users) > MOST_USERS:
        test_users = np.sort(rng.choice(test_users, MOST_USERS, replace=False))
    return LinkSplit(kept, held.take(test_users), test_users, int(out.sum()))


def compare_friend_methods(
    dataset: Dataset, seed: int = 42, k: int = 10, ctx: RunContext | None = None
) -> FriendComparison:
    """Evaluate every method of `FRIEND_METHODS` on held-out links and compare it with the baselines.

    Args:
        dataset: Data set with a social table.
        seed: Seed of the held-out links, of random recommendations and of the bootstrap.
        k: Length of the lists.
        ctx: Progress and cancellation.

    Raises:
        DataError: The data have no links, or too few.
        Cancelled: The run was cancelled.
    """
    split = hold_out_links(social_graph(dataset), seed)
    per_user = {}
    for method in (ctx or RunContext()).track(list(FRIEND_METHODS), stage="evaluate friend recommendation"):
        recommender = make_people_recommender(method, split.kept, dataset, RunContext(seed=seed))
        per_user[method] = evaluate_links(recommender, split, k)
    return FriendComparison(
        table=_table(per_user, seed),
        per_user=per_user,
        k=k,
        users=len(split.users),
        kept_links=split.kept.nnz,
        held_links=split.held_links,
    )


def evaluate_links(recommender: PeopleRecommender, split: LinkSplit, k: int) -> pd.DataFrame:
    """Return `user`, `recall`, `precision` and `auc` of each test user.

    Args:
        recommender: Built from the training links.
        split: Test users and their held-out links.
        k: Length of the lists.
    """
    size = max(1, CELLS // max(1, split.kept.shape[0]))
    parts = []
    for start in range(0, len(split.users), size):
        rows = np.arange(start, min(start + size, len(split.users)))
        users, held = split.users[rows], split.held.take(rows)
        ranking = rank(recommender.score(users), recommender.known(users), held, k)
        hits = hit_table(ranking.lists, held)
        beaten = np.bincount(held.row_numbers(), weights=ranking.beaten, minlength=len(rows)) / held.lengths
        parts.append(
            pd.DataFrame({USER: users, "recall": recall(hits, k), "precision": precision(hits, k), "auc": beaten})
        )
    return pd.concat(parts, ignore_index=True)


def _table(per_user: Mapping[str, pd.DataFrame], seed: int) -> pd.DataFrame:
    """Return means with intervals, and differences to the baselines; see `FriendComparison`."""
    methods = list(per_user)
    values = np.stack([per_user[method][list(METRICS)].to_numpy(np.float64) for method in methods], axis=1)  # (T, M, 3)
    rng = RunContext(seed=seed).rng("people", "bootstrap")
    flat = values.reshape(len(values), -1)
    replicates = bootstrap_means(flat, rng=rng, samples=SAMPLES).reshape(-1, *values.shape[1:])
    means = np.nanmean(values, axis=0)  # (M, 3)
    rows: list[dict[str, object]] = []
    for place, method in enumerate(methods):
        row: dict[str, object] = {"method": method, "title": FRIEND_METHODS[method].title}
        for column, metric in enumerate(METRICS):
            low, high = score_interval(values[:, place, [column]])
            row |= {metric: float(means[place, column])}
            row |= {f"{metric}_low": float(low[0]), f"{metric}_high": float(high[0])}
        for baseline, name in BASELINES.items():
            other = methods.index(baseline)
            for metric in ("recall", "auc"):
                column = METRICS.index(metric)
                gained = replicates[:, place, column] - replicates[:, other, column]
                mean = means[place, column] - means[other, column]
                row |= _cells(f"{metric}_over_{name}", mean, gained) if place != other else {}
        rows.append(row)
    return pd.DataFrame(rows).sort_values("recall", ascending=False, kind="stable", ignore_index=True)


def _cells(name: str, mean: float, replicates: FloatArray) -> dict[str, object]:
    low, high = interval(replicates[:, None])
    return {name: float(mean), f"{name}_low": float(low[0]), f"{name}_high": float(high[0])}
