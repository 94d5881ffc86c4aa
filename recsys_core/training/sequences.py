"""Histories as training sequences, in batches of similar length.

Each position of a sequence predicts the next item, so one pass over a sequence of T items gives T predictions. Longer
histories are truncated to their most recent part. Sequences are right-padded: models are causal, so padding costs time
but has no effect, and batches of similar length have little of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, QueryBatch, Ragged

BUCKET_BATCHES = 16
"""Number of batches whose sequences are sorted by length together: batches stay random, and on ML-1M 5 % of the
positions are padding."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B right-padded sequences.

    Args:
        tokens: (B, T) input items; the number of items is the padding token.
        targets: (B, T) the next item of each position; `PAD` without a training target.
        lengths: (B,) number of items in each sequence.
        rows: (B,) indices of the sequences.
        times: (B, T) Unix milliseconds of the input items, 0 in the padding; None without timestamps.
        weights: (B, T) weight of each target in the loss, at least 0; None for 1.
    """

    tokens: Tensor
    targets: Tensor
    lengths: Tensor
    rows: Tensor
    times: Tensor | None = None
    weights: Tensor | None = None

    def on(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return replace(self, **{name: part.to(device) for name, part in vars(self).items() if part is not None})

    @property
    def mask(self) -> Tensor:
        """(B, T) whether the position has a target."""
        return self.targets != PAD

    @property
    def target_weights(self) -> Tensor | None:
        """(N,) weights of the targets, in the order of `targets[mask]`; None for 1."""
        return None if self.weights is None else self.weights[self.mask]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Training sequences: the most recent part of each history, with the next item of each position.

    Args:
        items: Rows of item positions, oldest first.
        n_items: Size of the catalog, which is also the padding token.
        max_length: Maximum sequence length.
        times: Unix milliseconds, aligned with `items.values`; None without timestamps.
        learn: Which items are training targets, aligned with `items.values`; None for all.
        weights: Weight of each item as a target in the loss, aligned with `items.values`; None for 1.
    """

    items: Ragged
    n_items: int
    max_length: int
    times: IntArray | None = None
    learn: BoolArray | None = None
    weights: FloatArray | None = None

    def trainable(self) -> IntArray:
        """Return the indices of the sequences with at least one target."""
        if self.learn is None:
            return np.flatnonzero(self.items.lengths >= 2)
        learn = self.learn.copy()
        learn[self.items.offsets[:-1][self.items.lengths > 0]] = False  # the first item has no predecessor
        return np.flatnonzero(np.bincount(self.items.row_numbers()[learn], minlength=len(self.items)) > 0)

    def target_counts(self) -> IntArray:
        """Return (I,) how often each item is a training target."""
        learned = self.items.values if self.learn is None else self.items.values[self.learn]
        return np.bincount(learned, minlength=self.n_items)

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
        """Return sequences as one batch: inputs are all items but the last, targets all but the first."""
        kept = np.minimum(self.items.lengths[rows], self.max_length + 1)
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


def query_batch(query: QueryBatch, n_items: int, max_length: int, rows: IntArray) -> Batch:
    """Return the most recent parts of these users' histories as one batch without targets."""
    kept = np.minimum(query.history.lengths[rows], max_length)
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
    """Return for each row the positions start, start + 1, ..., start + length - 1."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Ragged(np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths), offsets)


def _padded(values: np.ndarray, rows: Ragged, filler: int | bool | float) -> np.ndarray:
    """Return (B, T) right-padded values of rows."""
    longest = int(rows.lengths.max(initial=1))
    dtype = {bool: np.bool_, int: np.int64, float: np.float32}[type(filler)]
    table: np.ndarray = np.full((len(rows), longest), filler, dtype=dtype)
    number = rows.row_numbers()
    table[number, np.arange(len(values)) - rows.offsets[:-1][number]] = values
    return table
