"""Histories cut into sequences for networks, and put into batches of similar length.

Each place of a sequence predicts the item that follows, so one pass over a sequence of T items gives T predictions.
A history longer than the window is used with its latest part. Sequences are padded at the right: no place looks
to its right, so padding touches nothing but time, and batches of similar length have little of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, QueryBatch, Ragged

BUCKET_BATCHES = 16
"""Sequences are drawn for so many batches at a time and sorted by length among these: batches stay random, and
on ML-1M a twentieth of what is read is padding."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B sequences, padded at the right.

    Args:
        tokens: (B, T) items read; the number of items, which is no item, is padding.
        targets: (B, T) the item that follows each of them; `PAD` where there is none, or none to learn from.
        lengths: (B,) items in each sequence.
        rows: (B,) numbers of the sequences.
        times: (B, T) Unix milliseconds of the items read, 0 in the padding; None if the data have no time.
        weights: (B, T) weight of each target in the loss, at least 0; None for 1.
    """

    tokens: Tensor
    targets: Tensor
    lengths: Tensor
    rows: Tensor
    times: Tensor | None = None
    weights: Tensor | None = None

    @property
    def mask(self) -> Tensor:
        """(B, T) whether there is an item to predict."""
        return self.targets != PAD

    @property
    def target_weights(self) -> Tensor | None:
        """(N,) weights of the items to predict, in the order of `targets[mask]`; None for 1."""
        return None if self.weights is None else self.weights[self.mask]


@dataclass(frozen=True, eq=False)
class Sequences:
    """What a network reads: the latest part of each history, with what follows each item.

    Args:
        items: Rows of item positions, oldest first.
        n_items: Size of the catalogue, which is also the token of padding.
        window: Longest part of a history that is read.
        times: Unix milliseconds, aligned with `items.values`; None if the data have no time.
        learn: Which items are predictions to learn from, aligned with `items.values`; None for all.
        weights: Weight of each item in the loss where it is predicted, aligned with `items.values`; None for 1.
    """

    items: Ragged
    n_items: int
    window: int
    times: IntArray | None = None
    learn: BoolArray | None = None
    weights: FloatArray | None = None

    def trainable(self) -> IntArray:
        """Return the numbers of the sequences that have at least one item to predict."""
        if self.learn is None:
            return np.flatnonzero(self.items.lengths >= 2)
        learn = self.learn.copy()
        learn[self.items.offsets[:-1][self.items.lengths > 0]] = False  # nothing comes before it
        return np.flatnonzero(np.bincount(self.items.row_numbers()[learn], minlength=len(self.items)) > 0)

    def batches(self, rows: IntArray, size: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield all `rows` once in random batches of at most `size` sequences of similar length."""
        order = rng.permutation(rows)
        blocks = []
        for start in range(0, len(order), size * BUCKET_BATCHES):
            some = order[start : start + size * BUCKET_BATCHES]
            some = some[np.argsort(self.items.lengths[some], kind="stable")]
            blocks += [some[at : at + size] for at in range(0, len(some), size)]
        for block in rng.permutation(len(blocks)):
            yield self.batch(blocks[block])

    def batch(self, rows: IntArray) -> Batch:
        """Return sequences as one batch: what is read is all but the last item, what is predicted all but the first."""
        kept = np.minimum(self.items.lengths[rows], self.window + 1)
        lengths = np.maximum(kept - 1, 0)
        ends = self.items.offsets[1:][rows]
        read = _spread(ends - kept, lengths)
        targets = _padded(self.items.values[read.values + 1], read, PAD)
        if self.learn is not None:
            targets[_padded(~self.learn[read.values + 1], read, True)] = PAD
        times = None if self.times is None else torch.from_numpy(_padded(self.times[read.values], read, 0))
        weights = None
        if self.weights is not None:
            weights = torch.from_numpy(_padded(self.weights[read.values + 1], read, 0.0))
        return Batch(
            torch.from_numpy(_padded(self.items.values[read.values], read, self.n_items)),
            torch.from_numpy(targets),
            torch.from_numpy(lengths),
            torch.from_numpy(np.asarray(rows, dtype=np.int64)),
            times,
            weights,
        )


def asked(query: QueryBatch, n_items: int, window: int, rows: IntArray) -> Batch:
    """Return the latest parts of these people's histories as one batch without anything to predict."""
    kept = np.minimum(query.history.lengths[rows], window)
    read = _spread(query.history.offsets[1:][rows] - kept, kept)
    tokens = _padded(query.history.values[read.values].astype(np.int64), read, n_items)
    times = None
    if query.timestamps is not None:
        times = torch.from_numpy(_padded(query.timestamps[read.values], read, 0))
    return Batch(
        torch.from_numpy(tokens),
        torch.full(tokens.shape, PAD),
        torch.from_numpy(kept),
        torch.from_numpy(np.asarray(rows, dtype=np.int64)),
        times,
    )


def _spread(starts: IntArray, lengths: IntArray) -> Ragged:
    """Return for each row the places starts, starts + 1, ... (so many as `lengths` says)."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Ragged(np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths), offsets)


def _padded(values: np.ndarray, rows: Ragged, filler: int | bool | float) -> np.ndarray:
    """Return (B, T) values of rows, filled up at the right."""
    longest = int(rows.lengths.max(initial=1))
    dtype = {bool: np.bool_, int: np.int64, float: np.float32}[type(filler)]
    table: np.ndarray = np.full((len(rows), longest), filler, dtype=dtype)
    number = rows.row_numbers()
    table[number, np.arange(len(values)) - rows.offsets[:-1][number]] = values
    return table
