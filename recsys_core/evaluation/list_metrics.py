"""Metrics of many lists of the same users: what depends on data and users only is computed once.

The functions are those of `evaluate`, so the values of a list are the same; metrics that describe all lists together
have jackknife pseudo-values per user (see `pseudo_values`), whose mean is the metric.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

import numpy as np

from recsys_core.columns import CATEGORIES, ITEM
from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, Ragged, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.evaluation import beyond_accuracy as beyond
from recsys_core.evaluation.calibration import HistoryCategories
from recsys_core.evaluation.diversity import (
    PAIRED_ITEMS,
    DiversityBasis,
    ItemCosines,
    category_matrix,
    diversity,
    vectors_of,
)
from recsys_core.evaluation.metric_info import METRICS, MetricName
from recsys_core.evaluation.metrics import ACCURACY, HitTable, hit_table
from recsys_core.evaluation.pseudo_values import coverage_values, gini_values, share_values
from recsys_core.models.compiled import compiled

EXPOSURE, VALUE = "exposure", "value"
"""Metrics without an entry in `METRICS`: `exposure@10:brand=Acme`, `value@10`."""
ACCURACY_KEYS = ("ndcg", "recall", "hit_rate")


@dataclass(frozen=True, eq=False)
class ListMetrics:
    """Metrics of the lists of U users.

    Args:
        values: Metric -> (U,) one value per user, NaN where undefined, or one pseudo-value per user. The mean over
            users is the metric.
        length: (U,) length of each list.
    """

    values: Mapping[str, FloatArray]
    length: IntArray

    def means(self) -> dict[str, float]:
        """Return each metric; NaN where it is undefined for all users."""
        return {name: mean_of(values) for name, values in self.values.items()}

    @cached_property
    def digest(self) -> str:
        """Hash of all values and lengths: equal if no metric differs for any user."""
        content = blake2b(self.length.tobytes())
        for name, values in self.values.items():
            content.update(name.encode())
            content.update(values.tobytes())
        return content.hexdigest()


def mean_of(values: FloatArray) -> float:
    """Return the mean of the known values, NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def is_share(metric: str) -> bool:
    """Return whether each user's value lies between 0 and 1, which pseudo-values need not."""
    info = METRICS.get(metric.partition("@")[0])
    return info is not None and info.per_user and info.is_share


@dataclass(frozen=True, eq=False)
class Worth:
    """What a list earns by the items of each user's test interactions.

    Args:
        items: U rows of distinct items.
        values: (N,) worth of each, aligned with `items`, in any unit; may be negative.
    """

    items: Ragged
    values: FloatArray


@dataclass(frozen=True, eq=False)
class ListSettings:
    """What is computed about lists.

    Args:
        k: Length of the lists.
        diversity_basis: Item vectors used for diversity.
        groups: Name -> (I,) share of each item that belongs to the group, from 0 to 1: gives `exposure@k:name`, the
            group's share of the exposure, discounted by 1 / log2(rank + 1).
        worth: Gives `value@k`; None leaves it out.
    """

    k: int
    diversity_basis: DiversityBasis = "co_occurrence"
    groups: Mapping[str, FloatArray] = field(default_factory=dict)
    worth: Worth | None = None


class ListEvaluator:
    """Computes the metrics of lists.

    Args:
        train: Training data of the model.
        relevant: U rows of relevant items, ascending.
        history: U rows of items, the histories of the users.
        listed: (M,) the items that may be listed, increasing; with up to `PAIRED_ITEMS` their cosines are kept.
        settings: What is computed.
        ctx: Threads, and the random numbers of a sampled diversity.

    Raises:
        DataError: Diversity by categories is requested but the items have none.
    """

    def __init__(
        self,
        train: Dataset,
        relevant: Ragged,
        history: Ragged,
        listed: IntArray,
        settings: ListSettings,
        ctx: RunContext | None = None,
    ) -> None:
        self.settings = settings
        self.relevant = relevant
        self._train, self._ctx = train, ctx or RunContext()
        matrix = train.matrix("binary")
        n_users = int((np.diff(matrix.indptr) > 0).sum())
        self._bits = beyond.information(np.bincount(matrix.indices, minlength=train.n_items), n_users)
        counts = np.bincount(train.interactions[ITEM].to_numpy(), minlength=train.n_items)
        self._head = beyond.head_items(counts, ties=train.item_vocabulary.keys)
        self._cosines: ItemCosines | None = None
        if len(listed) <= PAIRED_ITEMS:
            self._cosines = ItemCosines.of(vectors_of(train, settings.diversity_basis), listed, self._ctx)
        self._history: HistoryCategories | None = None
        if train.items is not None and CATEGORIES in train.items:
            self._history = HistoryCategories(history, category_matrix(train))

    def evaluate(self, lists: TopK) -> ListMetrics:
        """Return the metrics of the top k of lists, row by row those of the users.

        Raises:
            ValueError: The lists are shorter than k, or not as many as the users.
        """
        k, item = self.settings.k, lists.item[:, : self.settings.k]
        table = hit_table(TopK(item, lists.score[:, :k]), self.relevant)
        values = {str(MetricName(key, k)): ACCURACY[key](table, k) for key in ACCURACY_KEYS}
        values[str(MetricName("diversity", k))] = self._diversity(item)
        values[str(MetricName("novelty", k))] = beyond.list_mean(item, self._bits, k)
        if self._history is not None:
            values[str(MetricName("calibration", k))] = self._history.calibration(item)
        values[str(MetricName("coverage", k))] = coverage_values(item, k, self._train.n_items)
        values[str(MetricName("gini", k))] = gini_values(item, k, self._train.n_items)
        values |= self._exposure(item)
        if self.settings.worth is not None:
            values[f"{VALUE}@{k}"] = self._value(item, self.settings.worth)
        return ListMetrics(values, (item != PAD).sum(axis=1))

    def ndcg_of_part(self, lists: TopK, *, head: bool) -> FloatArray:
        """Return (U,) NDCG@k in which only the relevant items of the head, or of the tail, count."""
        k, mask = self.settings.k, self._head if head else ~self._head
        everything = hit_table(lists.head(k), self.relevant)
        inside = mask[self.relevant.values]
        n_relevant = np.bincount(self.relevant.row_numbers()[inside], minlength=len(self.relevant))
        return ACCURACY["ndcg"](HitTable(everything.hits & mask[lists.item[:, :k]], n_relevant), k)

    def _diversity(self, item: IntArray) -> FloatArray:
        cutoffs, parts = np.array([self.settings.k]), np.ones((1, self._train.n_items), dtype=np.bool_)
        if self._cosines is not None and self._holds(item):
            return self._cosines.diversity(item, cutoffs, parts)[0, :, 0]
        found = diversity(item, self._train, cutoffs, parts, self.settings.diversity_basis, ctx=self._ctx)
        return found.values[0, :, 0]

    def _holds(self, item: IntArray) -> bool:
        """Return whether the cosines of all listed items are known: a pinned item need not be among them."""
        known: BoolArray = np.append(self._cosines.place_of != PAD, True) if self._cosines is not None else np.array([])
        return bool(known[item].all())

    def _exposure(self, item: IntArray) -> dict[str, FloatArray]:
        k = self.settings.k
        weights = np.where(item != PAD, 1.0 / np.log2(np.arange(2, k + 2)), 0.0)
        whole = weights.sum(axis=1)
        return {
            f"{EXPOSURE}@{k}:{name}": share_values((weights * belongs[item]).sum(axis=1), whole)
            for name, belongs in self.settings.groups.items()
        }

    def _value(self, item: IntArray, worth: Worth) -> FloatArray:
        sums = np.zeros(len(item))
        lists = np.ascontiguousarray(item, dtype=np.int64)
        buffer = np.zeros(self._train.n_items + 1)  # the last element stands for PAD
        _sum_worth(lists, worth.items.values.astype(np.int64), worth.items.offsets, worth.values, buffer, sums)
        return sums


@compiled
def _sum_worth(
    item: IntArray, own: IntArray, offsets: IntArray, values: FloatArray, buffer: FloatArray, sums: FloatArray
) -> None:
    for row in range(len(item)):
        for place in range(offsets[row], offsets[row + 1]):
            buffer[own[place]] = values[place]
        for position in item[row]:
            sums[row] += buffer[position]
        for place in range(offsets[row], offsets[row + 1]):
            buffer[own[place]] = 0.0
