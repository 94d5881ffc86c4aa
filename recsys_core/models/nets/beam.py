"""Decoding: which sequence of items a decoder says, greedily or by keeping the best few beginnings (beam search).

Shapes: B people, W beams, I items, K steps.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray
from recsys_core.models.topk import top_k


class Decoder(Protocol):
    """Something that says the next item, given the one before, and remembers what it has said in W ways."""

    def advance(self, previous: IntArray, parents: IntArray) -> FloatArray:
        """Take a step and return (B, W, I) scores of what may come next.

        Args:
            previous: (B, W) the items said before.
            parents: (B, W) which of the ways of the step before each goes on with; all 0 at the first step.
        """
        ...


@dataclass(frozen=True, eq=False)
class Beams:
    """The sequences that decoding kept, best first.

    Args:
        items: (B, W, K) their items in order; `PAD` once nothing was left to choose.
        scores: (B, W, K) logarithm of the probability of the sequence up to each item; NaN at `PAD`.
        kept_items: (B, K, W, K) the beginnings that were kept after each step, `PAD` after what they hold.
        kept_scores: (B, K, W) their logarithms of probability; NaN where there were fewer.
    """

    items: IntArray
    scores: FloatArray
    kept_items: IntArray
    kept_scores: FloatArray


def log_shares(scores: FloatArray, allowed: BoolArray) -> FloatArray:
    """Return (..., I) logarithms of softmax over the allowed items; minus infinity for all others."""
    masked = np.where(allowed, scores, -np.inf).astype(np.float64)
    highest = masked.max(axis=-1, keepdims=True, initial=-np.inf)
    masked -= np.where(np.isfinite(highest), highest, 0.0)
    total = np.exp(masked).sum(axis=-1, keepdims=True)
    shares: FloatArray = masked - np.log(np.where(total > 0, total, 1.0))
    return shares


def greedy(decoder: Decoder, first: IntArray, allowed: BoolArray, steps: int) -> Beams:
    """Say at each step the item with the highest score of those that may be said and have not been.

    Args:
        decoder: Not yet advanced.
        first: (B,) the items before the first step.
        allowed: (B, I) the items that may be said.
        steps: K.
    """
    rows, remaining = np.arange(len(first)), allowed.copy()
    items = np.full((len(first), steps), PAD, dtype=np.int64)
    scores = np.full(items.shape, np.nan)
    previous, total = first, np.zeros(len(first))
    for step in range(steps):
        logs = log_shares(decoder.advance(previous[:, None], np.zeros((len(first), 1), np.int64))[:, 0], remaining)
        best = top_k(logs, 1)
        items[:, step] = best.item[:, 0]
        total = total + best.score[:, 0]
        scores[:, step] = total
        said = items[:, step] != PAD
        remaining[rows[said], items[said, step]] = False
        previous = np.where(said, items[:, step], previous)
    begun = np.where(np.tri(steps, dtype=bool) & (items != PAD)[:, :, None], items[:, None, :], PAD)  # (B, K, K)
    return Beams(items[:, None], scores[:, None], begun[:, :, None], scores[:, :, None])


def beam_search(decoder: Decoder, first: IntArray, allowed: BoolArray, steps: int, width: int) -> Beams:
    """Keep at each step the W most probable sequences among all one-item continuations of those kept before.

    Args:
        decoder: Not yet advanced.
        first: (B,) the items before the first step.
        allowed: (B, I) the items that may be said.
        steps: K.
        width: W, at least 1; with 1 it is `greedy`.

    Source: Sutskever et al. 2014, "Sequence to Sequence Learning with Neural Networks", section 3.2.
    """
    people, n_items = allowed.shape
    remaining = np.repeat(allowed[:, None], width, axis=1)  # (B, W, I)
    items = np.full((people, width, steps), PAD, dtype=np.int64)
    scores = np.full(items.shape, np.nan)
    kept_items = np.full((people, steps, width, steps), PAD, dtype=np.int64)
    kept_scores = np.full((people, steps, width), np.nan)
    total = np.full((people, width), -np.inf)
    total[:, 0] = 0.0  # all beams are the same before the first step: only one counts
    previous, parents = np.repeat(first[:, None], width, axis=1), np.zeros((people, width), dtype=np.int64)
    for step in range(steps):
        logs = log_shares(decoder.advance(previous, parents), remaining)
        best = top_k((total[:, :, None] + logs).reshape(people, width * n_items), width)
        alive = best.item != PAD
        parents = np.where(alive, best.item // n_items, 0)
        said = np.where(alive, best.item % n_items, PAD)
        items, scores = _follow(items, parents), _follow(scores, parents)
        remaining = _follow(remaining, parents)
        items[:, :, step], scores[:, :, step] = said, best.score
        row, beam = np.nonzero(alive)
        remaining[row, beam, said[row, beam]] = False
        total = np.where(alive, best.score, -np.inf)
        previous = np.where(alive, said, np.take_along_axis(previous, parents, axis=1))
        kept_items[:, step] = np.where(alive[:, :, None], items, PAD)
        kept_scores[:, step] = best.score
    return Beams(items, scores, kept_items, kept_scores)


def _follow(kept: np.ndarray, parents: IntArray) -> np.ndarray:
    """Return (B, W, ...) what each way's parent had."""
    return np.asarray(np.take_along_axis(kept, parents[:, :, None], axis=1))
