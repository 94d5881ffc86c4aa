"""How well do recommendations of people find links that were held back?

A share of the linked pairs is drawn and taken out, in both directions: where u follows v and v follows u, the link that
remained would give the other away. Each method then ranks, for every user who lost a link, all people whom the user
does not follow in what is left. Held-back people are the relevant ones; one value a user:

    recall@k      found among the first k / held back
    precision@k   found among the first k / k
    auc           share of the other candidates that stand below a held-back person, ties one half

Intervals are 95 % intervals over users: score intervals of means, and paired bootstrap intervals of differences.

A social table is needed: on the implicit co-rating graph, common interests would be judged by themselves.
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
from recsys_core.models.friend_recommendation import PEOPLE, PeopleRecommender, make_people_recommender
from recsys_core.profiles.graph import social_graph

HELD_SHARE = 0.2
MOST_USERS = 5000
"""So many users with a held-back link are asked for at most, drawn at random."""
CELLS = 4_000_000
SAMPLES = 2000
METRICS = ("recall", "precision", "auc")
FLOORS = {"random_people": "random", "popular_people": "popular"}


@dataclass(frozen=True, eq=False)
class LinkSplit:
    """Links parted in two.

    Args:
        kept: (U, U) what methods may see.
        held: For each user asked for, the people held back, ascending.
        users: (T,) positions of the users asked for, ascending: who lost a link, at most `MOST_USERS`.
        held_links: Number of links taken out, each direction counted.
    """

    kept: csr_array
    held: Ragged
    users: IntArray
    held_links: int


@dataclass(frozen=True, eq=False)
class PeopleComparison:
    """What came out for each way to find people.

    Args:
        table: A row a method, highest recall first: `method`, `title`, then `recall`, `precision` and `auc`, each with
            `_low` and `_high`; then the differences `recall_over_random`, `recall_over_popular`, `auc_over_random` and
            `auc_over_popular`, each with `_low` and `_high` (paired), NaN for the floor itself.
        per_user: Method -> `user`, `recall`, `precision`, `auc`, one row a user.
        k: Length of the lists.
        users: Number of users asked for.
        kept_links: Links that the methods saw.
        held_links: Links that they should find.
    """

    table: pd.DataFrame
    per_user: Mapping[str, pd.DataFrame]
    k: int
    users: int
    kept_links: int
    held_links: int


def hold_out_links(graph: csr_array, seed: int = 42, share: float = HELD_SHARE) -> LinkSplit:
    """Take a share of the linked pairs out of a (U, U) graph, both directions of a pair together.

    Raises:
        DataError: There are too few linked pairs to hold one back and keep one.
    """
    rng = RunContext(seed=seed).rng("people", "held links")
    users = graph.shape[0]
    source, target = np.repeat(np.arange(users), np.diff(graph.indptr)), graph.indices.astype(np.int64)
    pair = np.minimum(source, target) * users + np.maximum(source, target)
    pairs = np.unique(pair)
    number = round(share * len(pairs))
    if not 0 < number < len(pairs):
        raise DataError(f"Only {len(pairs)} pairs of people are linked: too few to hold some back and find them again.")
    out = np.isin(pair, rng.choice(pairs, number, replace=False))
    kept = csr_array((graph.data[~out], (source[~out], target[~out])), shape=graph.shape)
    held = Ragged.from_keys(source[out], target[out], users)
    asked = np.flatnonzero(held.lengths)
    if len(asked) > MOST_USERS:
        asked = np.sort(rng.choice(asked, MOST_USERS, replace=False))
    return LinkSplit(kept, held.take(asked), asked, int(out.sum()))


def people_comparison(dataset: Dataset, seed: int = 42, k: int = 10, ctx: RunContext | None = None) -> PeopleComparison:
    """Hold links back, let every method of `PEOPLE` look for them, and compare the methods with the floors.

    Args:
        dataset: With a social table.
        seed: Of the links held back, of random people and of the bootstrap.
        k: Length of the lists.
        ctx: Progress and the wish to stop.

    Raises:
        DataError: The data have no links, or too few.
        Cancelled: The person stopped it.
    """
    split = hold_out_links(social_graph(dataset), seed)
    per_user = {}
    for method in (ctx or RunContext()).track(list(PEOPLE), stage="find people"):
        found = make_people_recommender(method, split.kept, dataset, RunContext(seed=seed))
        per_user[method] = judge(found, split, k)
    return PeopleComparison(
        table=_table(per_user, seed),
        per_user=per_user,
        k=k,
        users=len(split.users),
        kept_links=split.kept.nnz,
        held_links=split.held_links,
    )


def judge(recommender: PeopleRecommender, split: LinkSplit, k: int) -> pd.DataFrame:
    """Return `user`, `recall`, `precision` and `auc` of each user asked for.

    Args:
        recommender: Made from the links that were kept.
        split: Whom to ask for, and who would be right.
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
    """Return means with intervals, and differences to the floors; see `PeopleComparison`."""
    methods = list(per_user)
    values = np.stack([per_user[method][list(METRICS)].to_numpy(np.float64) for method in methods], axis=1)  # (T, M, 3)
    rng = RunContext(seed=seed).rng("people", "bootstrap")
    flat = values.reshape(len(values), -1)
    replicates = bootstrap_means(flat, np.ones_like(flat), rng=rng, samples=SAMPLES).reshape(-1, *values.shape[1:])
    means = np.nanmean(values, axis=0)  # (M, 3)
    rows: list[dict[str, object]] = []
    for place, method in enumerate(methods):
        row: dict[str, object] = {"method": method, "title": PEOPLE[method].title}
        for column, metric in enumerate(METRICS):
            low, high = score_interval(values[:, place, [column]])
            row |= {metric: float(means[place, column])}
            row |= {f"{metric}_low": float(low[0]), f"{metric}_high": float(high[0])}
        for floor, name in FLOORS.items():
            other = methods.index(floor)
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
