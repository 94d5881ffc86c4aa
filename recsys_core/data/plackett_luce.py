"""The Plackett-Luce distribution of rankings: draws, and the exact probability of each item at each place.

Items leave an urn one by one, each next one with probability proportional to its weight. Equivalently, item i arrives
at an exponential time with rate w_i, and the ranking is the order of arrival. Item i is at place k (from 0) if exactly
k of the others arrive before it:

    P(i at k) = integral over t of w_i exp(-w_i t) P(k of the others have arrived by t) dt

The number of others that have arrived is Poisson-binomial with probabilities 1 - exp(-w_j t). With t = exp(x) the
integrand decays exponentially on both sides, so the trapezoidal rule converges geometrically.

Source: Plackett 1975, "The analysis of permutations"; Luce 1959, "Individual choice behavior"; Yellott 1977 for the
draw by Gumbel noise.
"""

import numpy as np

from recsys_core.contracts import FloatArray, IntArray

STEP = 0.2
"""Distance of the nodes in ln t; the error is below 1e-9 (tests compare with an enumeration of all rankings)."""
LEFT_TAIL, RIGHT_TAIL = 1e-10, 45.0
"""Probability left out before the first node, and exponent of that left out after the last."""
BLOCK_NUMBERS = 4_000_000
"""Numbers per temporary array."""


def place_probabilities(logits: FloatArray, places: int) -> FloatArray:
    """Return (B, K, N) the probability of each item at each place; sums over items are 1 at places that can be filled.

    Args:
        logits: (B, N) natural logarithms of the weights; -inf for items that are not candidates.
        places: K, number of places.
    """
    if not logits.size or not places:
        return np.zeros((len(logits), places, logits.shape[1]))
    parts = []
    size = max(1, BLOCK_NUMBERS // (logits.shape[1] * (places + 1) * 160))
    for start in range(0, len(logits), size):
        parts.append(_block(logits[start : start + size].astype(np.float64), places))
    return np.concatenate(parts)


def _block(logits: FloatArray, places: int) -> FloatArray:
    candidates = np.isfinite(logits).sum(axis=1)
    peak = np.max(logits, axis=1, keepdims=True, initial=-np.inf, where=np.isfinite(logits))
    weights = np.where(np.isfinite(logits), np.exp(logits - np.where(np.isfinite(peak), peak, 0.0)), 0.0)  # (B, N)
    times = _times(weights, places)  # (B, G)
    gone = np.exp(-weights[:, :, None] * times[:, None])  # (B, N, G) not yet arrived
    before = _counts_before(gone, places)
    found = np.zeros((len(logits), places, logits.shape[1]))
    after: FloatArray = np.zeros((len(logits), places, times.shape[1]))
    after[:, 0] = 1.0
    for item in range(logits.shape[1] - 1, -1, -1):  # others: those before the item in the array, and those after
        density = weights[:, item, None] * gone[:, item] * times * STEP  # dt = t dx
        for place in range(places):
            others = sum(before[item][:, one] * after[:, place - one] for one in range(place + 1))
            found[:, place, item] = (density * others).sum(axis=1)
        after = _with_one_more(after, gone[:, item])
    found *= np.arange(places)[None, :, None] < candidates[:, None, None]
    return found


def _times(weights: FloatArray, places: int) -> FloatArray:
    """Return (B, G) nodes, equally spaced in ln t, from before the first arrival to after the one at the last place."""
    ranked = -np.sort(-weights, axis=1)
    last = np.take_along_axis(
        ranked, np.minimum(places, np.maximum((weights > 0).sum(axis=1), 1))[:, None] - 1, axis=1
    )[:, 0]
    total = np.maximum(weights.sum(axis=1), 1e-300)
    low, high = np.log(LEFT_TAIL / total), np.log(RIGHT_TAIL / np.maximum(last, 1e-300))
    count = int(np.ceil((high - low).max() / STEP)) + 1
    nodes: FloatArray = np.exp(low[:, None] + STEP * np.arange(count))
    return nodes


def _counts_before(gone: FloatArray, places: int) -> list[FloatArray]:
    """Return for each item (B, K, G) the probability that 0..K-1 of the items before it in the array have arrived."""
    counts: FloatArray = np.zeros((gone.shape[0], places, gone.shape[2]))
    counts[:, 0] = 1.0
    found = []
    for item in range(gone.shape[1]):
        found.append(counts)
        counts = _with_one_more(counts, gone[:, item])
    return found


def _with_one_more(counts: FloatArray, gone: FloatArray) -> FloatArray:
    """Return the (B, K, G) distribution of a count after one more item, which has not arrived with `gone` (B, G)."""
    more = counts * gone[:, None]
    more[:, 1:] += counts[:, :-1] * (1.0 - gone[:, None])
    return more


def draw(logits: FloatArray, places: int, rng: np.random.Generator) -> IntArray:
    """Return (B, K) rankings drawn at random: the order of logits plus Gumbel noise.

    Args:
        logits: (B, N) natural logarithms of the weights, at least K finite ones in each row.
        places: K.
        rng: Random number generator.
    """
    noisy = logits + rng.gumbel(size=logits.shape)
    top = np.argpartition(-noisy, places - 1, axis=1)[:, :places]
    order = np.argsort(-np.take_along_axis(noisy, top, axis=1), axis=1, kind="stable")
    ranking: IntArray = np.take_along_axis(top, order, axis=1)
    return ranking
