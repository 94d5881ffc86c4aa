"""Attention traces, made by hand or random, for tests of their figures."""

import numpy as np

from recsys_core.contracts import AttentionTrace


def softmax(raw: np.ndarray, may: np.ndarray) -> np.ndarray:
    """Return rows that sum to 1 over the allowed positions."""
    raised = np.where(may, np.exp(raw - raw.max(axis=-1, keepdims=True)), 0.0)
    return raised / raised.sum(axis=-1, keepdims=True)


def causal_trace(
    tokens: list[int], n_items: int, *, layers: int = 2, heads: int = 2, n: int = 5, seed: int = 1
) -> AttentionTrace:
    """Return a possible trace of a causal model."""
    rng = np.random.default_rng(seed)
    t = len(tokens)
    weights = softmax(2.5 * rng.standard_normal((layers, heads, t, t)), np.tri(t, dtype=bool))
    scores = -np.sort(-rng.standard_normal((t, n_items)), axis=1)[:, :n]
    items = np.argsort(rng.random((t, n_items)), axis=1)[:, :n]
    return AttentionTrace(np.array(tokens), weights.astype(np.float32), True, items, scores)


def decoder_trace(tokens: list[int], n_items: int, *, steps: int = 4, n: int = 5, seed: int = 1) -> AttentionTrace:
    """Return a possible trace of an encoder and a decoder: each step selects the best candidate."""
    rng = np.random.default_rng(seed)
    t = len(tokens)
    weights = softmax(2.5 * rng.standard_normal((1, 1, steps, t)), np.ones((steps, t), dtype=bool))
    offered = np.array([one for one in range(n_items) if one not in tokens])
    items = np.stack([rng.permutation(offered)[:n] for _ in range(steps)])
    scores = np.log(-np.sort(-rng.dirichlet(np.ones(n), size=steps), axis=1))
    return AttentionTrace(np.array(tokens), weights.astype(np.float32), False, items, scores)
