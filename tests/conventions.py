"""Metric definitions of papers and of further libraries: ours, theirs, and who uses them.

`recsys_core.evaluation.conventions` has those of the six libraries that a person can compare on the page.

The functions compute the other definition, so that results can be compared with published tables that use it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.evaluation.conventions import average_precision_capped, recall_capped
from recsys_core.evaluation.metrics import HitTable


def ndcg_uncut(table: HitTable, k: int) -> FloatArray:
    """Return (U,) DCG@k over the DCG of an ideal list of all relevant items, not cut at k."""
    longest = max(int(table.n_relevant.max(initial=1)), k)
    discounts = 1.0 / np.log2(np.arange(2, longest + 2))
    ideal = np.cumsum(discounts)[np.maximum(table.n_relevant, 1) - 1]
    return table.defined(table.at(k) @ discounts[:k] / ideal)


def mean_of_precisions(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the mean of precision@1, ..., precision@k over all ranks, hit or miss; NaN without relevant items."""
    at_each_place = np.cumsum(table.at(k), axis=1) / np.arange(1, k + 1)
    return table.defined(at_each_place.mean(axis=1))


def rmse_of_users(per_user_rmse: FloatArray) -> float:
    """Return the unweighted mean of the per-user RMSE; NaN if no user has one."""
    known = per_user_rmse[~np.isnan(per_user_rmse)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True)
class Convention:
    """A definition of a metric that differs from ours.

    Args:
        metric: Key of the metric.
        ours: Description of Recscope's definition.
        theirs: Description of the other definition.
        used_by: Libraries and papers that use it.
        function: (table, k) -> (U,) values of the other definition; None if only the averaging differs.
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
        "the ideal list holds all relevant items, even more than k",
        "the studies of Ferrari Dacrema et al.",
        ndcg_uncut,
    ),
    Convention(
        "map",
        "the sum of the precisions at the hits, divided by the number of relevant items, as in ranx and trec_eval",
        "the same sum divided by the smaller of k and the number of relevant items",
        "the Million Song Dataset challenge and libraries that follow it",
        average_precision_capped,
    ),
    Convention(
        "map",
        "the sum of the precisions at the hits, divided by the number of relevant items, as in ranx and trec_eval",
        "the mean of the precisions at all ranks up to k, hit or miss",
        "Elliot",
        mean_of_precisions,
    ),
    Convention(
        "rmse",
        "over all ratings of the test set, as in Surprise",
        "the mean of each user's own RMSE",
        "cornac",
        None,
    ),
)
"""All definitions known to differ between libraries."""
