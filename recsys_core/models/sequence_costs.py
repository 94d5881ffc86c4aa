"""Memory and work of training sequence models: the parts that do not depend on the architecture.

The constants were measured on ML-100K and ML-1M with one thread (dimensions 64 and 128, batches of 16 to 64).
"""

from recsys_core.models.sequence_config import SequenceConfig

NUMBER = 4
"""Bytes of a float32 value."""
SCORE_BLOCK = 32 * 2**20
"""Maximum bytes of scores in memory of the loss over all items; see `training.losses`."""
COPIES = 8
"""Copies of each weight: itself, its gradient, two moments, the running average, the best so far, and two while a state
is stored."""
BYTES_AN_INTERACTION = 60
"""Bytes per interaction of histories with timestamps, in the order of the data and grouped by user."""


def places_of(config: SequenceConfig, n_interactions: int) -> int:
    """Return the maximum number of positions in a batch: batches group histories by length."""
    return min(config.batch_size * config.max_length, n_interactions)


def bytes_beside_reading(config: SequenceConfig, n_items: int, n_interactions: int) -> int:
    """Return the bytes of the data, the item embeddings, and the scores of a batch with their gradients."""
    places, table = places_of(config, n_interactions), n_items * config.embedding_dim
    if config.loss == "softmax":
        scores = 3 * min(SCORE_BLOCK, NUMBER * places * n_items) + 2 * NUMBER * table
    else:
        scores = 2 * NUMBER * places * config.negatives * (config.embedding_dim + 2)
    return BYTES_AN_INTERACTION * n_interactions + NUMBER * COPIES * table + scores


def scoring_work(config: SequenceConfig, n_items: int) -> float:
    """Return the steps of the forward and backward pass of scoring one position against all (sampled) items."""
    scored = n_items if config.loss == "softmax" else 4.0 * config.negatives  # gathered one by one
    return scored * (6.0 + 0.07 * config.embedding_dim)


def read_places(config: SequenceConfig, n_users: int, n_interactions: int) -> int:
    """Return the maximum number of positions in one epoch."""
    return min(n_interactions, n_users * config.max_length)
