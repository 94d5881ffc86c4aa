"""Training parameters of a network as plain values, usable without torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

LossName = Literal["softmax", "sampled_softmax", "bce", "gbce", "bpr"]
"""The losses of `training.losses`, by name."""
RnnLossName = Literal[LossName, "bpr_max", "top1_max"]
"""The same, and those of `training.ranking_max`."""
LOG_RANK: Final = "validation log-rank"
"""Name of the epoch metric that early stopping uses; see `models.log_rank`."""


@dataclass(frozen=True)
class TrainingPlan:
    """Training parameters of a network.

    Args:
        epochs: Maximum number of epochs.
        patience: Epochs without an improvement of the smoothed validation score after which training ends; 0 trains to
            the last epoch and keeps the last weights.
        learning_rate: Step size of Adam.
        clip: Maximum norm of the gradient.
        averaging: Decay of the running mean of the weights over steps, which is evaluated and kept; 0 uses the weights
            themselves.
        smoothing: Decay b, from 0 to below 1, of the score that early stopping uses: the mean of the validation scores
            v_k, weighted by b^(e - k) in epoch e. Kept weights are averaged with the same factors. With 0.6, the last
            three epochs make up 78 % of the average.
        start_counts: Whether to evaluate the initial network, too, and keep it unless an epoch improves it.
        slower: Parts of the network, by the beginning of their parameters' names, with the factor of their step size.
    """

    epochs: int
    patience: int
    learning_rate: float
    clip: float = 5.0
    averaging: float = 0.0
    smoothing: float = 0.6
    start_counts: bool = False
    slower: Mapping[str, float] = field(default_factory=dict)
