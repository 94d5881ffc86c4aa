"""Accuracy metrics as six other libraries define them, and the reason for each difference from ours.

The functions compute what a library returns for the same lists and the same relevant items, each of relevance 1.
`tests/golden/metric_conventions` compares them with values that the libraries computed themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray, Ragged, TopK
from recsys_core.evaluation import metrics
from recsys_core.evaluation.metrics import HitTable, hit_table, precision_sum
from recsys_core.text import later


@dataclass(frozen=True, eq=False)
class JudgedLists(HitTable):
    """Hits in the lists, with the lengths of the lists, on which some libraries' denominators depend.

    Args:
        n_listed: (U,) number of items in each list, at most K.
    """

    n_listed: IntArray

    @classmethod
    def of(cls, recommended: TopK, relevant: Ragged) -> "JudgedLists":
        """Return the lists of U users with their relevant items."""
        table = hit_table(recommended, relevant)
        return cls(table.hits, table.n_relevant, (recommended.item != PAD).sum(axis=1))

    def count(self, k: int) -> IntArray:
        """Return (U,) the number of hits in the top k."""
        count: IntArray = self.at(k).sum(axis=1)
        return count

    def length(self, k: int) -> IntArray:
        """Return (U,) the length of the list, at most k."""
        return np.minimum(self.n_listed, k)

    def reachable(self, k: int) -> IntArray:
        """Return (U,) min(k, |relevant|), at least 1."""
        return np.clip(self.n_relevant, 1, k)


Function = Callable[[JudgedLists, int], FloatArray]


@dataclass(frozen=True)
class Convention:
    """A metric as a library computes it.

    Args:
        library: Key of `LIBRARIES`.
        metric: Key of `ACCURACY`.
        function: (lists, k) -> (U,) values, NaN for users that the library leaves out; None if it has no such metric.
        reason: Why its value differs from ours, or that it does not; a message.
        name: The metric or option in the library.
        default: Whether this is what the library computes without options.
    """

    library: str
    metric: str
    function: Function | None
    reason: str
    name: str
    default: bool = field(default=True, kw_only=True)


LIBRARIES: Mapping[str, str] = {
    "rectools": "RecTools 0.19.0",
    "lenskit": "LensKit 2025.8.1",
    "irspack": "irspack 0.5.2",
    "microsoft": "Microsoft Recommenders 1.2.1",
    "recpack": "RecPack 0.3.6",
    "ranx": "ranx 0.3.21",
}
"""Key -> name and version; the versions whose code the functions reproduce."""


def _discounts(k: int) -> FloatArray:
    return 1.0 / np.log2(np.arange(2, k + 2))


def _where(values: FloatArray, counted: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> FloatArray:
    return np.where(counted, values, np.nan)


def precision_of_list(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) hits / length of the list, 0 without relevant items; NaN for an empty list (LensKit)."""
    length = lists.length(k)
    return _where(lists.count(k) / np.maximum(length, 1), length > 0)


def precision_of_list_or_zero(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) hits / length of the list, 0 for an empty list; NaN without relevant items (irspack)."""
    return lists.defined(lists.count(k) / np.maximum(lists.length(k), 1))


def recall_capped(lists: HitTable, k: int) -> FloatArray:
    """Return (U,) hits / min(k, |relevant|), 1 if every recommended item is a hit; NaN without relevant items."""
    return lists.defined(lists.at(k).sum(axis=1) / np.clip(lists.n_relevant, 1, k))


def recall_of_list(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) hits / min(|relevant|, length of the list), 0 for an empty list; NaN without relevant items."""
    reachable = np.minimum(lists.n_relevant, lists.length(k))
    return lists.defined(lists.count(k) / np.maximum(reachable, 1))


def average_precision_capped(lists: HitTable, k: int) -> FloatArray:
    """Return (U,) the sum of the precisions at the hits / min(k, |relevant|); NaN without relevant items."""
    return lists.defined(precision_sum(lists, k) / np.clip(lists.n_relevant, 1, k))


def average_precision_by_k(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) the sum of the precisions at the hits / k; NaN without relevant items."""
    return lists.defined(precision_sum(lists, k) / k)


def average_precision_of_list(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) the sum of the precisions at the hits / min(|relevant|, length of the list) (LensKit)."""
    reachable = np.minimum(lists.n_relevant, lists.length(k))
    return _where(precision_sum(lists, k) / np.maximum(reachable, 1), reachable > 0)


def ndcg_of_k_hits(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) DCG / DCG of k hits; NaN without relevant items."""
    discounts = _discounts(k)
    return lists.defined(lists.at(k) @ discounts / discounts.sum())


def ndcg_of_list(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) NDCG with an ideal list no longer than the actual list; 0 for an empty list (irspack)."""
    discounts = _discounts(k)
    reachable = np.minimum(lists.n_relevant, lists.length(k))
    return lists.defined(lists.at(k) @ discounts / np.cumsum(discounts)[np.maximum(reachable, 1) - 1])


def ndcg_of_original_discount(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) NDCG with the discount 1 / max(1, log2(rank)): ranks 1 and 2 count the same (LensKit)."""
    discounts = 1.0 / np.log2(np.maximum(np.arange(1, k + 1), 2))
    return lists.defined(lists.at(k) @ discounts / np.cumsum(discounts)[lists.reachable(k) - 1])


def hits_in_list(lists: JudgedLists, k: int) -> FloatArray:
    """Return (U,) the number of hits; NaN without relevant items."""
    return lists.defined(lists.count(k).astype(np.float64))


def of_common_users(function: Callable[[HitTable, int], FloatArray]) -> Function:
    """Return a metric that leaves out users without a list, instead of counting them as 0."""

    def counted(lists: JudgedLists, k: int) -> FloatArray:
        return _where(function(lists, k), lists.n_listed > 0)

    return counted


SAME = later("Same formula and same users: no difference.")
MISSING = later("This library has no such metric.")
ONLY_LISTED = later("Same formula, but users without recommendations are left out; here they count as 0.")


def _same(library: str, names: Mapping[str, str]) -> tuple[Convention, ...]:
    return tuple(Convention(library, key, metrics.ACCURACY[key], SAME, name) for key, name in names.items())


RECTOOLS = (
    *_same(
        "rectools", {"precision": "Precision", "recall": "Recall", "hit_rate": "HitRate", "mrr": "MRR", "map": "MAP"}
    ),
    Convention(
        "rectools",
        "ndcg",
        ndcg_of_k_hits,
        later("Divides by the DCG of k hits, even if the user has fewer than k relevant items."),
        "NDCG",
    ),
    Convention(
        "rectools",
        "ndcg",
        metrics.ndcg,
        later("With this option, the ideal list has min(k, |R|) hits, as here: no difference."),
        "NDCG(divide_by_achievable=True)",
        default=False,
    ),
    Convention(
        "rectools",
        "map",
        average_precision_by_k,
        later("With this option, divides by k instead of the number of relevant items."),
        "MAP(divide_by_k=True)",
        default=False,
    ),
    Convention(
        "rectools",
        "precision",
        recall_capped,
        later("With this option, divides by min(k, |R|) instead of k."),
        "Precision(r_precision=True)",
        default=False,
    ),
)
LENSKIT = (
    Convention(
        "lenskit",
        "precision",
        precision_of_list,
        later(
            "Divides by the length of the list, leaves out users without recommendations, and counts users without "
            "relevant items as 0."
        ),
        "Precision",
    ),
    Convention("lenskit", "recall", recall_capped, later("Divides by min(k, |R|) instead of |R|."), "Recall"),
    *_same("lenskit", {"hit_rate": "Hit", "mrr": "RecipRank"}),
    Convention(
        "lenskit",
        "map",
        average_precision_of_list,
        later(
            "Divides by the smaller of |R| and the length of the list, and leaves out users without recommendations."
        ),
        "AveragePrecision",
    ),
    Convention(
        "lenskit",
        "ndcg",
        ndcg_of_original_discount,
        later("The discount is 1 / max(1, log2(rank)), so ranks 1 and 2 count the same."),
        "NDCG",
    ),
)
IRSPACK = (
    Convention(
        "irspack",
        "precision",
        precision_of_list_or_zero,
        later("Divides by the length of the list if it is shorter than k."),
        "precision",
    ),
    *_same("irspack", {"recall": "recall", "hit_rate": "hit", "map": "map"}),
    Convention(
        "irspack",
        "recall",
        recall_of_list,
        later("With this option, divides by the smaller of |R| and the length of the list."),
        "recall (recall_with_cutoff=True)",
        default=False,
    ),
    Convention("irspack", "mrr", None, MISSING, ""),
    Convention(
        "irspack",
        "ndcg",
        ndcg_of_list,
        later("The ideal list is not longer than the actual list, so short lists score higher."),
        "ndcg",
    ),
)
MICROSOFT = (
    Convention("microsoft", "precision", of_common_users(metrics.precision), ONLY_LISTED, "precision_at_k"),
    Convention("microsoft", "recall", of_common_users(metrics.recall), ONLY_LISTED, "recall_at_k"),
    Convention("microsoft", "hit_rate", None, MISSING, ""),
    Convention("microsoft", "mrr", None, MISSING, ""),
    Convention(
        "microsoft",
        "map",
        of_common_users(average_precision_capped),
        later("Divides by min(k, |R|) instead of |R|, and leaves out users without recommendations."),
        "map_at_k",
    ),
    Convention(
        "microsoft",
        "map",
        of_common_users(metrics.average_precision),
        ONLY_LISTED,
        "map",
        default=False,
    ),
    Convention(
        "microsoft",
        "ndcg",
        metrics.ndcg,
        later("The natural logarithm replaces log2, which cancels in the ratio: no difference."),
        "ndcg_at_k",
    ),
)
RECPACK = (
    *_same("recpack", {"precision": "PrecisionK", "recall": "RecallK", "mrr": "ReciprocalRankK", "ndcg": "NDCGK"}),
    Convention(
        "recpack",
        "recall",
        recall_capped,
        later("Divides by min(k, |R|) instead of |R|."),
        "CalibratedRecallK",
        default=False,
    ),
    Convention(
        "recpack",
        "hit_rate",
        hits_in_list,
        later("Counts the hits in the list, so a user can have more than 1."),
        "HitK",
    ),
    Convention("recpack", "map", None, MISSING, ""),
)
RANX = _same(
    "ranx",
    {"precision": "precision", "recall": "recall", "hit_rate": "hit_rate", "mrr": "mrr", "map": "map", "ndcg": "ndcg"},
)
CONVENTIONS: tuple[Convention, ...] = (*RECTOOLS, *LENSKIT, *IRSPACK, *MICROSOFT, *RECPACK, *RANX)
"""Every metric of every library, first its default, then its options."""


def conventions_of(metric: str) -> tuple[Convention, ...]:
    """Return the definitions of a metric in the other libraries; empty for metrics that are not compared."""
    return tuple(one for one in CONVENTIONS if one.metric == metric)
