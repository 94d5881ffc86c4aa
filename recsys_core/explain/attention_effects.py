"""Attention beside influence, for one person: how much a model looks at an item, and what a score loses without it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE
from recsys_core.contracts import FloatArray
from recsys_core.explain.attention import Attended, mean_weights
from recsys_core.explain.deletion import Deletion

ATTENTION, EFFECT = "attention", "effect"
FEWEST = 4
"""Of fewer items no rank correlation is told."""


@dataclass(frozen=True, eq=False)
class Beside:
    """Both for each item of a history.

    Args:
        item: What to call the item whose score it is about.
        score: That score, of the whole history.
        table: `item`, `title`, `attention` (share, 0 to 1), `effect` (in units of the score); most attention first.
        correlation: Rank correlation (Spearman) of attention and effect, -1 to 1; NaN of fewer than `FEWEST` items.
    """

    item: str
    score: float
    table: pd.DataFrame
    correlation: float


def beside(found: Attended, deletion: Deletion, item: str) -> Beside:
    """Return attention and influence of each item that both know.

    The attention is the mean over heads of the step that the score comes from: the last one of a causal model, the
    first one of a decoder. An item that was read more than once has the sum of its places.

    Args:
        found: What the model attended to.
        deletion: What the score loses without each item of the same history.
        item: What to call the item whose score it is.
    """
    weights = mean_weights(found.trace)[-1 if found.trace.causal else 0]
    looks = pd.Series(weights, index=found.trace.tokens).groupby(level=0).sum()
    effects = pd.Series(deletion.effects, index=deletion.sources)
    both = pd.DataFrame({ATTENTION: looks, EFFECT: effects}).dropna()
    both = both.sort_values(ATTENTION, ascending=False, kind="stable").rename_axis(ITEM).reset_index()
    both.insert(1, TITLE, [found.called(int(one)) for one in both[ITEM]])
    return Beside(item, deletion.folded, both, _rank_correlation(both[ATTENTION].to_numpy(), both[EFFECT].to_numpy()))


def _rank_correlation(first: FloatArray, second: FloatArray) -> float:
    if len(first) < FEWEST or len(np.unique(first)) < 2 or len(np.unique(second)) < 2:
        return float("nan")
    ranks = pd.DataFrame({ATTENTION: first, EFFECT: second}).rank()
    return float(np.corrcoef(ranks[ATTENTION], ranks[EFFECT])[0, 1])
