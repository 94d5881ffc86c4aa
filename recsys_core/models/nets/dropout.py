"""Dropout that draws one byte a number: on a CPU, torch's own takes longer than the layers around it."""

import torch
from torch import Tensor, nn

LEVELS = 256


class ByteDropout(nn.Module):
    """Sets a share of the numbers to zero in training and scales up the others, so that the mean stays.

    The share is rounded to a 256th; the scale is that of the rounded share.

    Args:
        share: From 0 to below 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = min(LEVELS - 1, round(share * LEVELS))

    def forward(self, states: Tensor) -> Tensor:
        """Return `states` of any shape with some of them zero; as they are outside training."""
        if not self.training or not self.dropped:
            return states
        words = torch.empty((states.numel() + 7) // 8, dtype=torch.int64)
        words.random_(torch.iinfo(torch.int64).min, None)  # all 64 bits
        kept = words.view(torch.uint8)[: states.numel()].view(states.shape) >= self.dropped
        return states * kept * (LEVELS / (LEVELS - self.dropped))
