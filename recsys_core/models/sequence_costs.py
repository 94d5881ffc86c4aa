"""What training a network that reads histories costs: its parts that do not depend on how the network reads.

The factors were measured on ML-100K and ML-1M with one thread (widths 64 and 128, batches of 16 to 64).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recsys_core.models.sequential import SequenceConfig

NUMBER = 4
"""Bytes of a number in a network."""
SCORE_BLOCK = 32 * 2**20
"""Scores of so many bytes are held at a time by the loss over all items; see `training.losses`."""
COPIES = 8
"""Of each weight: itself, its gradient, two moments, the average of epochs, the best so far, and two while a state is
stored."""
BYTES_AN_INTERACTION = 60
"""Of histories with their times, once as the data have them and once in the order of users."""


def places_of(config: "SequenceConfig", n_interactions: int) -> int:
    """Return the most places in a batch: long histories come together."""
    return min(config.batch_size * config.window, n_interactions)


def bytes_beside_reading(config: "SequenceConfig", n_items: int, n_interactions: int) -> int:
    """Return the bytes of the data, of the item vectors, and of the scores of a batch with what they pass back."""
    places, table = places_of(config, n_interactions), n_items * config.width
    if config.loss == "softmax":
        scores = 3 * min(SCORE_BLOCK, NUMBER * places * n_items) + 2 * NUMBER * table
    else:
        scores = 2 * NUMBER * places * config.negatives * (config.width + 2)
    return BYTES_AN_INTERACTION * n_interactions + NUMBER * COPIES * table + scores


def scoring_work(config: "SequenceConfig", n_items: int) -> float:
    """Return the steps of scoring one place and passing back: for each item some for its score, some a number."""
    scored = n_items if config.loss == "softmax" else 4.0 * config.negatives  # fetched one by one
    return scored * (6.0 + 0.07 * config.width)


def read_places(config: "SequenceConfig", n_users: int, n_interactions: int) -> int:
    """Return the places of one pass through all histories, at most."""
    return min(n_interactions, n_users * config.window)
