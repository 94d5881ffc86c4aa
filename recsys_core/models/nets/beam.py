"""Decoding of item sequences: greedy or by beam search.

Shapes: B users, W beams, I items, K steps.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray
from recsys_core.models.topk import top_k


class Decoder(Protocol):
    """A stateful decoder of W beams that scores the next item given the previous one."""

    def advance(self, previous: IntArray, parents: IntArray) -> FloatArray:
        """Advance one step and return (B, W, I) scores of the next item.

        Args:
            previous: (B, W) the previous item of each beam.
            parents: (B, W) the beam of the previous step that each beam continues; all 0 in the first step.
        """
        ...


@dataclass(frozen=True, eq=False)
class Beams:
    """Decoded sequences, best first.

    Args:
        items: (B, W, K) their items in order; `PAD` once no item was left.
        scores: (B, W, K) log-probability of the sequence up to each item; NaN at `PAD`.
        kept_items: (B, K, W, K) the beams after each step, padded with `PAD`.
        kept_scores: (B, K, W) their log-probabilities; NaN for missing beams.
    """

    items: IntArray
    scores: FloatArray
    kept_items: IntArray
    kept_scores: FloatArray


def log_shares(scores: FloatArray, allowed: BoolArray) -> FloatArray:
    """Return (..., I) the log-softmax over the allowed items; minus infinity for all others."""
    masked = np.where(allowed, scores, -np.inf).astype(np.float64)
    highest = masked.max(axis=-1, keepdims=True, initial=-np.inf)
    masked -= np.where(np.isfinite(highest), highest, 0.0)
    total = np.exp(masked).sum(axis=-1, keepdims=True)
    shares: FloatArray = masked - np.log(np.where(total > 0, total, 1.0))
    return shares


def greedy(decoder: Decoder, first: IntArray, allowed: BoolArray, steps: int) -> Beams:
    """Choose at each step the allowed item with the highest score that is not in the sequence yet.

    Args:
        decoder: A decoder before its first step.
        first: (B,) the input items of the first step.
        allowed: (B, I) whether each item may be chosen.
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


def beam_search(decoder: Decoder, first: IntArray, allowed: BoolArray, steps: int, beam_width: int) -> Beams:
    """Keep at each step the W most probable sequences among all one-item continuations of the previous beams.

    Args:
        decoder: A decoder before its first step.
        first: (B,) the input items of the first step.
        allowed: (B, I) whether each item may be chosen.
        steps: K.
        beam_width: W, at least 1; 1 is greedy decoding.

    Source: Sutskever et al. 2014, "Sequence to Sequence Learning with Neural Networks", section 3.2.
    """
    users, n_items = allowed.shape
    remaining = np.repeat(allowed[:, None], beam_width, axis=1)  # (B, W, I)
    items = np.full((users, beam_width, steps), PAD, dtype=np.int64)
    scores = np.full(items.shape, np.nan)
    kept_items = np.full((users, steps, beam_width, steps), PAD, dtype=np.int64)
    kept_scores = np.full((users, steps, beam_width), np.nan)
    total = np.full((users, beam_width), -np.inf)
    total[:, 0] = 0.0  # all beams are equal before the first step: only one counts
    previous, parents = np.repeat(first[:, None], beam_width, axis=1), np.zeros((users, beam_width), dtype=np.int64)
    for step in range(steps):
        logs = log_shares(decoder.advance(previous, parents), remaining)
        best = top_k((total[:, :, None] + logs).reshape(users, beam_width * n_items), beam_width)
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
    """Return (B, W, ...) the values of each beam's parent."""
    return np.asarray(np.take_along_axis(kept, parents[:, :, None], axis=1))
