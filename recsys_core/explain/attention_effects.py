"""Attention compared with influence (score change when the item is left out) for one user."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE
from recsys_core.contracts import AttentionTrace, FloatArray
from recsys_core.explain.attention import Attended, mean_weights
from recsys_core.explain.deletion import Deletion

ATTENTION, EFFECT, RECENCY = "attention", "effect", "recency"
FEWEST = 4
"""Minimum number of items for a rank correlation."""
STRONG, WEAK = 0.5, 0.2
"""Thresholds of a rank correlation: strong from `STRONG`, none below `WEAK`."""


@dataclass(frozen=True, eq=False)
class Beside:
    """Attention and influence of each history item.

    Args:
        item: Title of the item whose score is explained.
        score: Its score with the full history.
        table: `item`, `title`, `attention` (0 to 1), `effect` (influence in units of the score: the score minus the
            score without the item); largest attention first.
    """

    item: str
    score: float
    table: pd.DataFrame

    @property
    def correlation(self) -> float:
        """Spearman correlation of attention and absolute influence, -1 to 1; NaN for fewer than `FEWEST` items."""
        return rank_correlation(self.table[ATTENTION].to_numpy(), self.table[EFFECT].abs().to_numpy())


def looks_and_effects(trace: AttentionTrace, deletion: Deletion) -> pd.DataFrame:
    """Return attention and influence of each item for which both are known.

    The attention is the mean share over layers and heads (`attention.shares`) at the step that produces the score: the
    last one of a causal model, the first one of a decoder. For repeated items it is summed over their positions.

    Returns:
        Columns `item`, `attention`, `effect`, and `recency` (last position in the history, from 0); largest attention
        first.
    """
    weights = mean_weights(trace)[-1 if trace.causal else 0]
    looks = pd.Series(weights, index=trace.tokens).groupby(level=0).sum()
    last = pd.Series(np.arange(len(trace.tokens)), index=trace.tokens).groupby(level=0).max()
    effects = pd.Series(deletion.effects, index=deletion.sources)
    both = pd.DataFrame({ATTENTION: looks, EFFECT: effects, RECENCY: last}).dropna()
    return both.sort_values(ATTENTION, ascending=False, kind="stable").rename_axis(ITEM).reset_index()


def beside(attended: Attended, deletion: Deletion, item: str) -> Beside:
    """Return attention and influence of each item for which both are known; see `looks_and_effects`.

    Args:
        attended: The attention trace.
        deletion: The influence of each history item.
        item: Title of the item whose score is explained.
    """
    table = looks_and_effects(attended.trace, deletion).drop(columns=RECENCY)
    table.insert(1, TITLE, [attended.called(int(one)) for one in table[ITEM]])
    return Beside(item, deletion.folded, table)


def rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Return Spearman's correlation of two arrays (N,), ties at their mean rank.

    NaN for fewer than `FEWEST` values or a constant array.
    """
    if len(first) < FEWEST or len(np.unique(first)) < 2 or len(np.unique(second)) < 2:
        return float("nan")
    ranks = pd.DataFrame({ATTENTION: first, EFFECT: second}).rank()
    return float(np.corrcoef(ranks[ATTENTION], ranks[EFFECT])[0, 1])
