"""Dropout that draws one random byte per value: on a CPU, torch's dropout takes longer than the layers around it."""

import torch
from torch import Tensor, nn

LEVELS = 256


class ByteDropout(nn.Module):
    """Inverted dropout: zeroes a share of the values in training and scales up the rest to keep the mean.

    The share is rounded to a multiple of 1/256, and so is the scale.

    Args:
        share: Dropout probability, from 0 to below 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = min(LEVELS - 1, round(share * LEVELS))

    def forward(self, states: Tensor) -> Tensor:
        """Return `states` of any shape after dropout; unchanged outside training."""
        if not self.training or not self.dropped:
            return states
        words = torch.empty((states.numel() + 7) // 8, dtype=torch.int64, device=states.device)
        words.random_(torch.iinfo(torch.int64).min, None)  # all 64 bits
        kept = words.view(torch.uint8)[: states.numel()].view(states.shape) >= self.dropped
        return states * kept * (LEVELS / (LEVELS - self.dropped))
