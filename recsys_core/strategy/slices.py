"""Who wins and who loses: the difference that a strategy makes for groups of users, and for head and tail items.

Differences are paired; the tests are sign-flip tests with Holm's correction over all slices and strategies, so a
verdict may be 'no significant difference' where a single interval excludes 0.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from recsys_core.columns import USER
from recsys_core.contracts import FloatArray, IntArray, RunContext, TopK
from recsys_core.errors import ConfigError
from recsys_core.evaluation import significance
from recsys_core.evaluation.list_metrics import EXPOSURE, ListMetrics, is_share
from recsys_core.evaluation.metric_info import METRICS
from recsys_core.evaluation.paired import paired
from recsys_core.evaluation.slices import user_slices
from recsys_core.strategy.bands import entries_of, labels_of
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.guardrails import full_name
from recsys_core.strategy.metric_titles import metric_title
from recsys_core.strategy.prices import Pricing
from recsys_core.text import _, later

MOST_VALUES = 8
"""Values of an attribute that form slices: those of most users."""
SUBSETS = 1_999
COLUMNS = [
    "kind", "slice", "border", "strategy", "users", "before", "after", "difference", "low", "high", "p", "p_holm",
    "verdict",
]  # fmt: skip
Verdict = Literal["better", "worse", "none"]
VERDICTS: Mapping[Verdict, str] = {
    "better": later("better"),
    "worse": later("worse"),
    "none": later("no significant difference"),
}
"""`better` and `worse` mean higher and lower; whether higher is better depends on the metric."""


@dataclass(frozen=True, eq=False)
class Slice:
    """A group of users, or the relevant items of a part of the catalog.

    Args:
        kind: `all`, `history`, `taste`, `items`, or the name of a user attribute.
        name: `all`, `new`, `active`, `mainstream`, `niche`, `head`, `tail`, or the value of the attribute.
        rows: Rows of its users among the candidates; for items, of all users.
        border: Threshold between `new` and `active` (length of the history), or `mainstream` and `niche` (mean
            popularity of the history as a share of the training users); NaN for others.
    """

    kind: str
    name: str
    rows: IntArray
    border: float = np.nan


def slices_of(candidates: Candidates, attributes: Sequence[str] = ()) -> tuple[Slice, ...]:
    """Return all users, new and active, mainstream and niche users, head and tail items, and the values of attributes.

    Args:
        candidates: The users with their histories.
        attributes: Columns of the users' table; each gives up to `MOST_VALUES` slices, numbers in bands.

    Raises:
        ConfigError: The users have no such attribute.
    """
    everybody = np.arange(len(candidates.users))
    slices = [Slice("all", "all", everybody)]
    frame = pd.DataFrame({USER: everybody, "n_history": candidates.history.lengths, "taste": _taste(candidates)})
    kinds = {"new": "history", "active": "history", "mainstream": "taste", "niche": "taste"}
    slices += [Slice(kinds[one.key], one.key, one.users, one.border) for one in user_slices(frame)]
    slices += [Slice("items", part, everybody) for part in ("head", "tail")]
    for attribute in attributes:
        slices += _of_attribute(candidates, attribute)
    return tuple(one for one in slices if len(one.rows))


def strategy_slices(
    pricing: Pricing,
    strategies: Mapping[str, Strategy],
    *,
    metric: str = "ndcg",
    attributes: Sequence[str] = (),
    confidence: float = 0.95,
    seed: int = 42,
) -> pd.DataFrame:
    """Return the difference of each strategy from the raw lists in each slice.

    Args:
        pricing: Prices strategies over the candidates.
        strategies: Name -> strategy.
        metric: A metric with a value per user; slices of items have NDCG only and are left out for others.
        attributes: See `slices_of`.
        confidence: Nominal coverage of the intervals; 1 minus the family-wise level of the tests.
        seed: Seed of the random subsets of users in the tests.

    Returns:
        One row per slice and strategy: `kind`, `slice`, `border` (see `Slice`), `strategy`, `users` (with a value),
        `before`, `after`, `difference`, `low`, `high` (of this difference alone), `p`, `p_holm`, `verdict`.

    Raises:
        ConfigError: There is no such metric or attribute, the metric has no value per user, or a card does not fit the
            data.
    """
    rows, each = [], []
    for one in slices_of(pricing.candidates, attributes):
        for name, strategy in strategies.items():
            sides = pricing.raw(strategy), pricing.judged(strategy)
            values = [_values(pricing, one, metric, *side) for side in sides]
            if values[0] is None or values[1] is None:
                continue
            before, after = values[0][one.rows], values[1][one.rows]
            pair = paired(before, after, share=is_share(full_name(metric, sides[0][1])), confidence=confidence)
            numbers = (pair.users, pair.before, pair.after, pair.difference, pair.low, pair.high)
            rows.append((one.kind, one.name, one.border, name, *numbers))
            each.append(after - before)
    table = pd.DataFrame(rows, columns=COLUMNS[:-3])
    table["p"] = list(_p_values(each, seed))
    known = table["p"].notna().to_numpy()
    corrected = np.full(len(table), np.nan)
    corrected[known] = significance.holm(table["p"].to_numpy(np.float64)[known])
    table["p_holm"] = corrected
    table["verdict"] = [
        _verdict(difference, p, confidence) for difference, p in zip(table["difference"], corrected, strict=True)
    ]
    return table[COLUMNS]


def _verdict(difference: float, p: float, confidence: float) -> Verdict:
    if not p < 1.0 - confidence:
        return "none"
    return "better" if difference > 0 else "worse"


def _p_values(differences: Sequence[FloatArray], seed: int) -> Iterator[float]:
    """Yield the p-value of a sign-flip test of each difference (U,); NaN without users."""
    samples = significance.subsets_for(SUBSETS, len(differences))
    for values in differences:
        known = values[~np.isnan(values)]
        if not len(known):
            yield np.nan
        elif not np.round(known, significance.EQUAL_WITHIN).any():
            yield 1.0
        else:
            rng = RunContext(seed).rng("slices")
            yield significance.sign_flip_p(significance.subset_sums(known[:, None], rng, samples)[:, 0] / len(known))


def _values(pricing: Pricing, one: Slice, metric: str, lists: TopK, metrics: ListMetrics) -> FloatArray | None:
    """Return (U,) the metric of the slice; None if slices of items do not have it."""
    name = full_name(metric, metrics)
    info = METRICS.get(name.partition("@")[0])
    if name.startswith(EXPOSURE) or (info is not None and not info.per_user):
        raise ConfigError(
            _("{metric_title} describes all lists together and has no value per user to slice.").format(
                metric_title=metric_title(name)
            )
        )
    if one.kind != "items":
        return metrics.values[name]
    if not name.startswith("ndcg@"):
        return None
    return pricing.evaluator.ndcg_of_part(lists, head=one.name == "head")


def _taste(candidates: Candidates) -> FloatArray:
    """Return (U,) the mean popularity of each history as a share of the training users; NaN without a history."""
    matrix = candidates.train.matrix("binary")
    users = max(1, int((np.diff(matrix.indptr) > 0).sum()))
    popularity = np.bincount(matrix.indices, minlength=candidates.train.n_items) / users
    history = candidates.history
    sums = np.bincount(history.row_numbers(), popularity[history.values], minlength=len(history))
    taste: FloatArray = np.divide(sums, history.lengths, out=np.full(len(history), np.nan), where=history.lengths > 0)
    return taste


def _of_attribute(candidates: Candidates, attribute: str) -> list[Slice]:
    table = candidates.train.users
    if table is None or attribute not in table:
        known = "none" if table is None else ", ".join(map(str, table.columns))
        raise ConfigError(
            _("The users have no attribute '{attribute}'. Known: {known}.").format(attribute=attribute, known=known)
        )
    labels = labels_of(table[attribute])
    cells = [entries_of(labels[user]) for user in candidates.users]
    rows = np.repeat(np.arange(len(cells)), [len(cell) for cell in cells])
    values = pd.Series([value for cell in cells for value in cell], dtype="str")
    names = values.value_counts(sort=True).index[:MOST_VALUES]
    return [Slice(attribute, str(name), rows[(values == name).to_numpy()]) for name in names]
