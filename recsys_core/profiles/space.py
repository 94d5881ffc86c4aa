"""Similarity space: centered vectors with balanced parts, and the contributions to a similarity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.profiles.features import Features

MOST_CELLS = 48_000_000
"""Maximum number of matrix cells; parts with many columns keep those with the largest variance."""
LEAST_DEVIATION = 0.4
"""Lower bound of the standard deviation by which columns are divided, so that rare flags do not dominate."""
WEIGHTS: Mapping[str, float] = {"attributes": 0.5, "topics": 0.3, "numbers": 0.5}
"""Weight of a part; 1 by default."""


@dataclass(frozen=True)
class Shared:
    """The contribution of one column to a similarity.

    Args:
        name: Column name.
        part: Part of the column.
        amount: Contribution to the cosine.
        above: Whether both values are above the mean; otherwise both are below.
    """

    name: str
    part: str
    amount: float
    above: bool


@dataclass(frozen=True, eq=False)
class Space:
    """Rows whose cosine is their similarity.

    Args:
        rows: (N, F') float32; zeros for unknown rows.
        columns: (F',) the corresponding columns of the features.
    """

    rows: FloatArray
    columns: IntArray

    def similarities(self, row: int) -> FloatArray:
        """Return (N,) cosines with a row, from -1 to 1; 0 if one of the two rows is zero."""
        target = self.rows[row].astype(np.float64)
        dots = self.rows @ target.astype(np.float32)
        lengths = np.sqrt(np.einsum("nf,nf->n", self.rows, self.rows)) * np.linalg.norm(target)
        cosines: FloatArray = np.divide(dots, lengths, out=np.zeros(len(dots)), where=lengths > 0)
        return cosines

    def shared(self, row: int, other: int, features: Features, most: int = 4) -> tuple[Shared, ...]:
        """Return the largest contributions to the cosine of two rows: cos = sum over columns of a_f b_f / (|a| |b|)."""
        first, second = self.rows[row].astype(np.float64), self.rows[other].astype(np.float64)
        length = float(np.linalg.norm(first) * np.linalg.norm(second))
        amounts = first * second / (length or 1.0)
        order = np.argsort(-amounts, kind="stable")[:most]
        return tuple(
            Shared(
                features.names[self.columns[place]],
                features.part_of(int(self.columns[place])),
                float(amounts[place]),
                bool(first[place] > 0),
            )
            for place in order
            if amounts[place] > 0
        )


def make_space(features: Features, known: BoolArray, leave_out: Sequence[str] = ()) -> Space:
    """Return the similarity space of features: standardized columns, each part scaled to the same mean squared norm
    times its squared weight.

    Args:
        features: N rows.
        known: (N,) rows used for means and deviations; others become zeros.
        leave_out: Parts that are not used.
    """
    parts = [name for name in features.parts if name not in leave_out]
    width = max(1, MOST_CELLS // max(1, len(features) * max(1, len(parts))))
    blocks, columns = [], []
    for name in parts:
        place = features.parts[name]
        chosen = _most_different(features, name, width)
        dense = features.matrix[:, place.start + chosen].toarray()
        of_known = dense[known]
        dense = (dense - of_known.mean(axis=0)) / np.maximum(of_known.std(axis=0), LEAST_DEVIATION)
        dense[~known] = 0
        size = np.sqrt(max(1e-12, float((dense[known] ** 2).sum(axis=1).mean())))
        blocks.append((dense * WEIGHTS.get(name, 1.0) / size).astype(np.float32))
        columns.append(place.start + chosen)
    if not blocks or not known.any():
        return Space(np.zeros((len(features), 0), dtype=np.float32), np.empty(0, dtype=np.int64))
    return Space(np.hstack(blocks), np.concatenate(columns))


def _most_different(features: Features, name: str, most: int) -> IntArray:
    """Return the columns of a part with the largest variance, in order."""
    part = features.part(name)
    if part.shape[1] <= most:
        return np.arange(part.shape[1])
    mean = np.asarray(part.mean(axis=0)).ravel()
    variance = np.asarray(part.multiply(part).mean(axis=0)).ravel() - mean**2
    return np.sort(np.argsort(-variance, kind="stable")[:most])
