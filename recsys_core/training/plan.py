"""Training parameters of a network as plain values, usable without torch."""

from dataclasses import dataclass
from typing import Final, Literal

LossName = Literal["softmax", "sampled_softmax", "bce", "gbce", "bpr"]
"""The losses of `training.losses`, by name."""
LOG_RANK: Final = "validation log-rank"
"""Name of the epoch metric that early stopping uses; see `models.log_rank`."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast a network is trained.

    Args:
        epochs: Most epochs.
        patience: Epochs without a better smoothed validation value after which training ends; 0 trains to the end
            and keeps the last weights.
        learning_rate: Of Adam.
        clip: Longest gradient, by its norm.
        averaging: Weight of the past in the running mean of the weights after each step, which is what is judged and
            kept; 0 keeps the weights themselves.
        smoothing: Weight b of the past, from 0 to below 1, in what early stopping looks at: validation values v_k of
            the epochs so far, averaged with weights b^(e - k) in epoch e. The weights that are kept are averaged with
            the same ones. At 0.6 three epochs make up 78 % of the average.
    """

    epochs: int
    patience: int
    learning_rate: float
    clip: float = 5.0
    averaging: float = 0.0
    smoothing: float = 0.6
