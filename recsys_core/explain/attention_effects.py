"""Attention beside influence, for one person: how much a model looks at an item, and what a score loses without it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE
from recsys_core.contracts import AttentionTrace, FloatArray
from recsys_core.explain.attention import Attended, mean_weights
from recsys_core.explain.deletion import Deletion

ATTENTION, EFFECT, RECENCY = "attention", "effect", "recency"
FEWEST = 4
"""Of fewer items no rank correlation is told."""
STRONG, WEAK = 0.5, 0.2
"""From where on a rank correlation is called high, and up to where it is called none."""


@dataclass(frozen=True, eq=False)
class Beside:
    """Both for each item of a history.

    Args:
        item: What to call the item whose score it is about.
        score: That score, of the whole history.
        table: `item`, `title`, `attention` (share, 0 to 1), `effect` (in units of the score); most attention first.
    """

    item: str
    score: float
    table: pd.DataFrame

    @property
    def correlation(self) -> float:
        """Rank correlation (Spearman) of attention and the size of the effect, -1 to 1; NaN of fewer than `FEWEST`."""
        return rank_correlation(self.table[ATTENTION].to_numpy(), self.table[EFFECT].abs().to_numpy())


def looks_and_effects(trace: AttentionTrace, deletion: Deletion) -> pd.DataFrame:
    """Return attention and influence of each item that both know.

    The attention is the mean over layers and heads of the step that the score comes from: the last one of a causal
    model, the first one of a decoder. An item that was read more than once has the sum of its places.

    Returns:
        Columns `item`, `attention`, `effect`, and `recency` (last place in the history, from 0); most attention first.
    """
    weights = mean_weights(trace)[-1 if trace.causal else 0]
    looks = pd.Series(weights, index=trace.tokens).groupby(level=0).sum()
    last = pd.Series(np.arange(len(trace.tokens)), index=trace.tokens).groupby(level=0).max()
    effects = pd.Series(deletion.effects, index=deletion.sources)
    both = pd.DataFrame({ATTENTION: looks, EFFECT: effects, RECENCY: last}).dropna()
    return both.sort_values(ATTENTION, ascending=False, kind="stable").rename_axis(ITEM).reset_index()


def beside(found: Attended, deletion: Deletion, item: str) -> Beside:
    """Return attention and influence of each item that both know; see `looks_and_effects`.

    Args:
        found: What the model attended to.
        deletion: What the score loses without each item of the history.
        item: What to call the item whose score it is.
    """
    table = looks_and_effects(found.trace, deletion).drop(columns=RECENCY)
    table.insert(1, TITLE, [found.called(int(one)) for one in table[ITEM]])
    return Beside(item, deletion.folded, table)


def rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Return Spearman's correlation of two columns (N,), ties at their mean rank.

    NaN of fewer than `FEWEST` values, and where all of a column are equal.
    """
    if len(first) < FEWEST or len(np.unique(first)) < 2 or len(np.unique(second)) < 2:
        return float("nan")
    ranks = pd.DataFrame({ATTENTION: first, EFFECT: second}).rank()
    return float(np.corrcoef(ranks[ATTENTION], ranks[EFFECT])[0, 1])
