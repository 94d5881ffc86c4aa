"""Where libraries disagree: what Recscope computes, what others do, and who they are.

The functions give the other convention's numbers, so that a published table can be compared with its own yardstick.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.evaluation.metrics import HitTable, precision_sum


def recall_capped(table: HitTable, k: int) -> FloatArray:
    """Return (U,) hits / min(k, |relevant|), 1 whenever the list is full of hits; NaN without relevant."""
    return table.defined(table.at(k).sum(axis=1) / np.minimum(np.maximum(table.n_relevant, 1), k))


def ndcg_uncut(table: HitTable, k: int) -> FloatArray:
    """Return (U,) DCG of the first k places over the DCG of an ideal list that holds all relevant items."""
    longest = max(int(table.n_relevant.max(initial=1)), k)
    discounts = 1.0 / np.log2(np.arange(2, longest + 2))
    ideal = np.cumsum(discounts)[np.maximum(table.n_relevant, 1) - 1]
    return table.defined(table.at(k) @ discounts[:k] / ideal)


def average_precision_capped(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the sum of precisions at the hits, divided by min(k, |relevant|); NaN without relevant items."""
    return table.defined(precision_sum(table, k) / np.minimum(np.maximum(table.n_relevant, 1), k))


def mean_of_precisions(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the mean of precision@1, ..., precision@k, at hits and misses alike; NaN without relevant items."""
    at_each_place = np.cumsum(table.at(k), axis=1) / np.arange(1, k + 1)
    return table.defined(at_each_place.mean(axis=1))


def rmse_of_users(per_user_rmse: FloatArray) -> float:
    """Return the mean of the users' own RMSE, each user weighing the same; NaN if nobody has one."""
    known = per_user_rmse[~np.isnan(per_user_rmse)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True)
class Convention:
    """A definition that differs from ours.

    Args:
        metric: Key of our metric.
        ours: What Recscope computes, in words.
        theirs: What the others compute, in words.
        used_by: Libraries and lines of papers.
        function: (table, k) -> (U,) values of the other definition; None where it is a different mean of ours.
    """

    metric: str
    ours: str
    theirs: str
    used_by: str
    function: Callable[[HitTable, int], FloatArray] | None


CONVENTIONS = (
    Convention(
        "recall",
        "hits divided by the number of relevant items, as in RecTools, cornac, RecBole and LightGCN",
        "hits divided by the smaller of k and the number of relevant items",
        "LensKit, and the papers that follow Mult-VAE",
        recall_capped,
    ),
    Convention(
        "ndcg",
        "the ideal list is cut at k",
        "the ideal list holds all relevant items, however many",
        "the studies of Ferrari Dacrema and others",
        ndcg_uncut,
    ),
    Convention(
        "map",
        "the sum of precisions at the hits, divided by the number of relevant items, as in ranx and trec_eval",
        "the same sum divided by the smaller of k and the number of relevant items",
        "the Million Song Dataset challenge and libraries that follow it",
        average_precision_capped,
    ),
    Convention(
        "map",
        "the sum of precisions at the hits, divided by the number of relevant items, as in ranx and trec_eval",
        "the mean of the precisions at all places up to k, hits or not",
        "Elliot",
        mean_of_precisions,
    ),
    Convention(
        "rmse",
        "over all ratings of the test part, as in Surprise",
        "the mean of each user's own RMSE",
        "cornac",
        None,
    ),
)
"""Every definition that is known to differ between libraries, for the page and for the tests."""
